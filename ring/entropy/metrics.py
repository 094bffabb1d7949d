"""Count what anti-entropy finds and does, for people to look at."""

from dataclasses import dataclass, field

from ..terms import Instant


@dataclass(slots=True, kw_only=True)
class RepairMetrics:
    """Plain counters since the start of this process; trees are those of `copies/trees`, two for each vnode."""

    exchanges: int = 0
    exchanges_failed: int = 0
    trees_compared: int = 0
    leaves_compared: int = 0
    keys_repaired: int = 0
    chunks_repaired: int = 0
    repairs_failed: int = 0
    bytes_moved: int = 0
    """Bytes of values and chunks that repairs have moved, either way."""

    strays_seen: int = 0
    """Keys out of place that the last look has found, up to its limit."""

    strays_handed: int = 0
    tombstones_waiting: int = 0
    """Tombstones that wait for their age and proof, of those that this peer sees to."""

    tombstones_reaped: int = 0
    actors_forgotten: int = 0
    """Actors of starts that are over, in the copies of keys that many have written."""

    clean_at: dict[int, Instant] = field(default_factory=dict)
    """When each tree was last found equal at another of its homes, by this peer's time."""
