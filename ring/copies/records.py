"""Tell the rest of the peer of system records as soon as they are durable here, and of open ones after a start."""

from ..effects import RecordSeen, RingEffect
from ..facts import Versions
from ..namespaces import RECORD_PREFIX
from .versions import live_values


def record_seen(key: bytes, versions: Versions) -> list[RingEffect]:
    """Announce what `key` now holds, if it is a system record."""
    if not key.startswith(RECORD_PREFIX):
        return []
    return [RecordSeen(key=key, values=live_values(versions))]
