"""Assemble a peer's settings from what its user chose."""

from dataclasses import dataclass, field
from pathlib import Path

from ..ring.settings import RingSettings
from ..scheduling.settings import SchedulingSettings
from .machine import NodeSettings
from .storage.store import StoreSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig:
    """What a user decides about one peer; `join` are control URLs of peers to join through."""

    listen: str
    directory: Path
    name: str | None = None
    join: tuple[str, ...] = ()
    workers: int = 1
    zone: str = ""
    weight: float = 1.0
    store: StoreSettings = field(default_factory=StoreSettings)
    leave_patience_s: float = 30.0
    """SIGTERM ends the peer after so long, though its leave is not finished."""

    def machine_settings(self) -> NodeSettings:
        """Give the settings of the pure machines, which are the same at every peer of a cluster."""
        return NodeSettings(ring=RingSettings(), scheduling=SchedulingSettings())
