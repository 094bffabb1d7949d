"""Decide which records of a split, or keys of a partition, the next attempt leaves out, where a job may skip bad ones.

An attempt goes at full speed until one at its split has failed by user code. From then on attempts are *careful*: what
raises is set aside at once, for it has raised before; and where a process dies it is known at which record. One that
has killed its process twice is left out (Dean 2004, section 4.6). Deaths at known records do not use up the attempts of
a split: else few bad records in one split would fail the job.
"""

from collections import Counter

from ..claims.table import Row
from ..jobs import DIED, ENDINGS, OUT_OF_ROOM, JobRecord, UserError
from ..messages import Stage

DEATHS_TO_SKIP = 2

DEATHS = (DIED, OUT_OF_ROOM)


def errors_of(row: Row) -> list[UserError]:
    """List what user code did wrong in the attempts at a task, in the attempts' order."""
    errors = {at: account.error for at, account in row.items() if account.stage is Stage.FAILED and account.error}
    return [errors[attempt] for attempt in sorted(errors)]


def places_to_skip(record: JobRecord, row: Row) -> tuple[int, ...] | None:
    """Give the lines, or the keys by number, that the next attempt leaves out; None if it need not be careful."""
    errors = errors_of(row)
    if not record.spec.skip_bad_records or not errors:
        return None
    deaths = Counter(error.line for error in errors if error.line and error.kind in ENDINGS)
    return tuple(sorted(line for line, count in deaths.items() if count >= DEATHS_TO_SKIP))


def charged(record: JobRecord, errors: list[UserError]) -> list[UserError]:
    """List the errors that use up the attempts of a task."""
    if not record.spec.skip_bad_records:
        return errors
    at_records = {error.line for error in errors if error.line and error.kind in DEATHS}
    if len(at_records) > record.spec.skip_bad_records:
        return errors
    return [error for error in errors if error.kind not in DEATHS or not error.line]


def too_many_skipped(record: JobRecord, skipped: int) -> UserError | None:
    """Tell that more records were set aside than the job allows."""
    allowed = record.spec.skip_bad_records
    if not allowed or skipped <= allowed:
        return None
    message = f"{skipped} bad records were set aside, and the job allows {allowed}"
    return UserError(kind="TooManyBadRecords", message=message, hint="see `murmur logs`, or allow more of them")
