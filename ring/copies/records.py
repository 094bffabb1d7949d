"""Tell the rest of the peer of system records as soon as they are durable here, and of open ones after a start."""

from ..effects import RecordSeen, RingEffect
from ..facts import Versions
from .versions import live_values

FILE_PREFIX = b"fs/"
RECORD_PREFIX = b"job/"
REGISTER_PREFIX = b"seal/"


def ending_register(key: bytes) -> bytes:
    """Name the write-once register that says how the job of a record ended."""
    return REGISTER_PREFIX + key.removeprefix(RECORD_PREFIX) + b"/end"


def record_seen(key: bytes, versions: Versions) -> list[RingEffect]:
    """Announce what `key` now holds, if it is a system record."""
    if not key.startswith(RECORD_PREFIX):
        return []
    return [RecordSeen(key=key, values=live_values(versions))]
