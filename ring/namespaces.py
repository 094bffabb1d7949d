"""Tell keys of the system from a user's: files, job records, and the registers that seal what was decided of a job."""

FILE_PREFIX = b"fs/"
RECORD_PREFIX = b"job/"
REGISTER_PREFIX = b"seal/"


def ending_register(record: bytes) -> bytes:
    """Name the write-once register that says how the job of a record ended."""
    return REGISTER_PREFIX + record.removeprefix(RECORD_PREFIX) + b"/end"
