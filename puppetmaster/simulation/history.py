"""Keep what happened in a schedule, line by line and only on demand: the matter of which ladders are drawn."""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

LINES_MAX = 20_000


class Kind(Enum):
    """What sort of thing a line tells of."""

    MESSAGE = "message"
    LOST = "lost"
    FAULT = "fault"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: at `peer`, or from `peer` to `other`; `text` names it and `about` is its job or key."""

    at: float
    kind: Kind
    peer: str
    other: str
    text: str
    about: str = ""


@dataclass(slots=True)
class History:
    """The last lines of a schedule."""

    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=LINES_MAX))

    def tell(self, at: float, kind: Kind, peer: str, text: str, other: str = "", about: str = "") -> None:
        """Set down a line."""
        self.lines.append(Line(at, kind, peer, other, text, about))
