"""Bring back from other peers what was found damaged here, and make sure that it is sound before it counts as mended.

    a copy of a key   is read from its better homes and replaced (`Gets.mend`); then ReadVersions must find it sound
    a chunk           MendChunk: pulled from whoever else may hold it, and verified by its digest before it is kept

What cannot be mended now, because its other holders are away, is tried a few times more; then the next pass of the
scrub finds it again. Nothing damaged is ever removed: it says that something ought to be here.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ..alarm import Alarm
from ..effects import MendChunk, Operate, RingEffect
from ..events import ChunkPulled, DamagedChunk, MendDue, OperationDone, RingEvent
from ..operations import ReadVersions
from ..outcomes import RowsScrubbed, VersionsRead
from ..terms import Instant

MENDED_AT_ONCE: Final = 64
PULLS_AT_ONCE: Final = 4
MEND_EVERY_S: Final = 1.0
"""Longer than a read of a key and its repair take."""
TRIES_MAX: Final = 5
WAITING_MAX: Final = 10_000
"""Damaged things that wait for their turn; what comes beyond is found again by the next pass."""


@dataclass(slots=True)
class _Wound:
    """Something damaged: a key or a chunk's digest, and how often its mending was tried."""

    name: bytes
    chunk: DamagedChunk | None = None
    tries: int = 0


class Mending:
    """What was found damaged and waits to be mended, and what came of it."""

    def __init__(self, *, tickets: Iterator[int]) -> None:
        self._tickets = tickets
        self._alarm = Alarm(MendDue())
        self._waiting: deque[_Wound] = deque()
        self._known: set[tuple[bool, bytes]] = set()
        self._checks: dict[int, _Wound] = {}
        self._pulls: dict[int, _Wound] = {}
        self._hurt: list[_Wound] = []
        self.found = 0
        """Damaged rows and chunks met since the start."""
        self.mended = 0
        self.given_up = 0
        """What could be had nowhere else; the next pass tries again."""
        self.beyond_mending = 0
        """Damaged rows that are this peer's own notes: no other peer has them."""

    @property
    def waiting(self) -> int:
        """Count what is damaged and not mended yet."""
        return len(self._known)

    def found_rows(self, step: RowsScrubbed) -> None:
        """Take note of what a step of the scrub has found; the hints among it are mended already."""
        self.found += step.hints + len(step.others)
        self.mended += step.hints
        self.beyond_mending += len(step.others)
        self.found_keys(step.keys)

    def found_keys(self, keys: Iterable[bytes]) -> None:
        """Take note of keys whose copy here is damaged."""
        for key in keys:
            self._admit(_Wound(key))

    def found_chunks(self, damaged: Iterable[DamagedChunk]) -> None:
        """Take note of damaged chunks."""
        for chunk in damaged:
            self._admit(_Wound(chunk.digest, chunk))

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take a wake, or what came of a try; all else is no business of this part."""
        match event:
            case MendDue() if self._alarm.rings(now):
                return self._mend_some()
            case OperationDone(ticket=ticket, outcome=outcome) if ticket in self._checks:
                self._settle(self._checks.pop(ticket), is_sound=isinstance(outcome, VersionsRead))
            case ChunkPulled(ticket=ticket, error=error) if ticket in self._pulls:
                self._settle(self._pulls.pop(ticket), is_sound=not error)
            case _:
                pass
        return []

    def wake(self, now: Instant) -> list[RingEffect]:
        """Have the next try come soon, if anything waits for one."""
        return self._alarm.set(Instant(now + MEND_EVERY_S)) if self._waiting or self._hurt else []

    def take_keys(self) -> list[bytes]:
        """Give the keys whose copies are to be replaced now, by a read from their better homes."""
        self._hurt, hurt = [], self._hurt
        return [wound.name for wound in hurt]

    def _admit(self, wound: _Wound) -> None:
        name = (wound.chunk is not None, wound.name)
        if name in self._known or len(self._known) >= WAITING_MAX:
            return
        self._known.add(name)
        self.found += 1
        self._waiting.append(wound)

    def _mend_some(self) -> list[RingEffect]:
        """Check whether the last tries of keys have taken, and begin the next ones."""
        effects: list[RingEffect] = []
        for _ in range(min(MENDED_AT_ONCE, len(self._waiting))):
            wound = self._waiting.popleft()
            ticket = next(self._tickets)
            if wound.chunk is not None and len(self._pulls) >= PULLS_AT_ONCE:
                self._waiting.append(wound)
            elif wound.chunk is not None:
                self._pulls[ticket] = wound
                effects.append(MendChunk(ticket=ticket, digest=wound.name, size=wound.chunk.size))
            elif wound.tries == 0:
                self._try_key(wound)
            else:
                self._checks[ticket] = wound
                effects.append(Operate(ticket=ticket, operation=ReadVersions(key=wound.name)))
        return effects

    def _settle(self, wound: _Wound, *, is_sound: bool) -> None:
        if is_sound:
            self.mended += 1
        elif wound.tries >= TRIES_MAX:
            self.given_up += 1
        elif wound.chunk is None:
            self._try_key(wound)
            return
        else:
            wound.tries += 1
            self._waiting.append(wound)
            return
        self._known.discard((wound.chunk is not None, wound.name))

    def _try_key(self, wound: _Wound) -> None:
        wound.tries += 1
        self._hurt.append(wound)
        self._waiting.append(wound)  # to be checked at its next turn
