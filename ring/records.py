"""Tell the rest of the peer of system records as soon as they are durable here."""

from .effects import RecordSeen, RingEffect
from .messages import Versions
from .versions import live_values

RECORD_PREFIX = b"job/"


def record_seen(key: bytes, versions: Versions) -> list[RingEffect]:
    """Announce what `key` now holds, if it is a system record."""
    if not key.startswith(RECORD_PREFIX):
        return []
    return [RecordSeen(key=key, values=live_values(versions))]
