"""Spread one write over the homes of its key: who is asked, who stands in for whom, and how many have it.

DeCandia 2007, sections 4.5 and 4.6. Each of the N primaries has one slot. An absent primary, or one that stays silent
for longer than its patience, is replaced by the next unused live fallback, one to one, with a hint that names it: so
the write that *discovers* a failure is hinted as well. Where no fallback is left the keeper, a peer that holds a copy
anyway, sets the hint down itself; so no write ends while a primary has neither a copy nor a hint kept for it.

A *pending* home, which somebody's joining or leaving is about to make a primary, gets every write too, or a hint. It
never counts for W. But a strict write waits for it while it lives: who then reads from the next primaries only finds
the write among any R of them.
"""

from dataclasses import dataclass

from ..placement.roster import Roster
from ..terms import Instant, PeerId, Quorum

NEVER = Instant(float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumSettings:
    """Set how long replicas are waited for; all times in seconds."""

    replica_patience_s: float = 0.5
    """Dynamo's request time-out: a primary that is silent for so long is stood in for."""

    hedge_after_s: float = 0.25
    """A read asks one more replica after that; about the 95th percentile of a busy peer."""

    rest_after_s: float = 0.05
    """A read has asked R primaries, and asks the others after that: late enough that a busy peer seldom causes it."""

    full_read_every: int = 8
    """One read in so many asks all primaries at once, and so repairs copies that are behind."""

    coordinator_patience_s: float = 1.5
    """Three replica patiences: a coordinator that meets two silent replicas in a row is still in time."""

    chunk_patience_s: float = 2.0
    chunk_bytes_per_s: float = 16 * 1024 * 1024
    """A chunk is waited for as long as it takes at this slow pace, and `chunk_patience_s` more."""

    remembered_max: int = 4096
    """Finished writes that a coordinator remembers, so that a retry mints no second dot."""

    serving_max: int = 4096
    """Store operations under way for others; over it a peer stays silent, and the asker turns to a fallback."""

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a pause or a limit is not positive.
        """
        hedges = (self.hedge_after_s, self.rest_after_s)
        pauses = (self.replica_patience_s, *hedges, self.coordinator_patience_s, self.chunk_patience_s)
        counts = (self.remembered_max, self.serving_max, self.full_read_every)
        if min(pauses) <= 0 or self.chunk_bytes_per_s <= 0 or min(counts) < 1:
            raise ValueError(f"quorum settings must be positive: {self}")

    def patience_with_chunk(self, size: int) -> float:
        """Tell how many seconds one replica may take to pull a chunk of `size` bytes."""
        return self.chunk_patience_s + size / self.chunk_bytes_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One copy to send, with a hint if its receiver keeps it for an absent primary."""

    to: PeerId
    hint_for: PeerId | None


@dataclass(slots=True)
class _Slot:
    """One of the N copies: its primary, and who is asked for it now."""

    primary: PeerId
    asked: PeerId | None = None
    due: Instant = NEVER
    holder: PeerId | None = None
    hint_kept: bool = False


def required_of(wanted: int, homes: int) -> int:
    """Tell how many of `homes` must answer where `wanted` are asked for; 0 asks for a majority."""
    return homes // 2 + 1 if wanted == 0 else min(wanted, homes)


class Spread:
    """Tracks the copies of one write; `advance` may be called at any time and says what to send now."""

    def __init__(
        self, *, roster: Roster, key: bytes, quorum: Quorum, patience_s: float, keeper: PeerId | None = None
    ) -> None:
        """Plan N copies of `key`; without a `keeper` the first holder sets down the hints that nobody else can."""
        preference = roster.preference(key)
        count = max(1, quorum.replicas)
        self._roster = roster
        self._patience_s = patience_s
        self._keeper = keeper
        self._slots = [_Slot(primary) for primary in preference[:count]]
        self._slot_of = {slot.primary: slot for slot in self._slots}
        self._unused = [] if quorum.strict else list(preference[count:])
        self._required = required_of(quorum.writes_required, len(self._slots))
        self._waits_for_pending = quorum.strict
        self._pending = [_Slot(peer) for peer in roster.pending(key, count)]

    @property
    def replicas(self) -> int:
        """N as it really is: no more than there are members."""
        return len(self._slots)

    @property
    def required(self) -> int:
        """W as it really is: no more than N."""
        return self._required

    @property
    def primaries(self) -> int:
        """Durable copies at primaries."""
        return sum(slot.holder == slot.primary for slot in self._slots)

    @property
    def fallbacks(self) -> int:
        """Durable copies at fallbacks whose primary has none yet."""
        return len(self.holders) - self.primaries

    @property
    def holders(self) -> tuple[PeerId, ...]:
        """Who has acknowledged, one for each slot, in the order of preference of the primaries."""
        return tuple([slot.holder for slot in self._slots if slot.holder is not None])

    @property
    def reached(self) -> bool:
        """Tell whether W copies are durable."""
        return len(self.holders) >= self._required and not self._is_held_up

    @property
    def complete(self) -> bool:
        """Tell whether all N copies are durable."""
        if len(self.holders) < len(self._slots):
            return False
        return all(slot.holder is not None or slot.hint_kept for slot in self._pending)

    @property
    def next_due(self) -> Instant:
        """When the first patience ends."""
        return min((slot.due for slot in (*self._slots, *self._pending) if slot.holder is None), default=NEVER)

    def advance(self, now: Instant) -> list[Copy]:
        """Ask for every copy that nobody is asked for, or whose peer is absent or was silent for too long."""
        stuck = [slot for slot in self._slots if slot.holder is None and self._is_stuck(now, slot)]
        copies = [copy for slot in stuck for copy in self._ask(now, slot)]
        if not self._pending:
            return copies
        return copies + [copy for slot in self._pending if slot.holder is None for copy in self._ask_pending(now, slot)]

    def acknowledged(self, peer: PeerId) -> None:
        """Count a durable copy; a primary that answers late takes its place back from its fallback."""
        slot = self._slot_of.get(peer)
        if slot is not None and (slot.holder is None or peer == slot.primary):
            slot.holder = peer
        for pending in self._pending:
            if pending.primary == peer:
                pending.holder = peer

    def hints_at_once(self) -> tuple[PeerId, ...]:
        """Name the absent primaries for whom the keeper is to hint in its first step, as nobody can stand in."""
        if self._keeper is None or any(map(self._roster.alive, self._unused)):
            return ()
        absent = [slot for slot in (*self._slots, *self._pending) if not self._roster.alive(slot.primary)]
        for slot in absent:
            slot.hint_kept = True
        return tuple(slot.primary for slot in absent)

    def awaits(self, peer: PeerId) -> None:
        """Take note that a primary's own copy is on its way to its disk, so that it is not asked for it."""
        slot = self._slot_of.get(peer)
        if slot is not None:
            slot.asked = peer

    def lost_keeper(self, now: Instant) -> None:
        """Do without the keeper, whose disk refuses: what it hinted, and its own copy, is for others to hint."""
        keeper, self._keeper = self._keeper, None
        for slot in (*self._slots, *self._pending):
            slot.hint_kept = False
        if keeper is not None:
            self.refused(now, keeper)

    def refused(self, now: Instant, peer: PeerId) -> None:
        """Take note that a peer cannot keep its copy: the next `advance` asks a fallback, if there is one."""
        slot = self._slot_of.get(peer)
        if slot is not None and slot.asked == peer and any(map(self._roster.alive, self._unused)):
            slot.due = now

    def hints_left(self) -> list[Copy]:
        """Let the keeper hint for each primary without a copy, as the write ends and nobody else will."""
        open_slots = [slot for slot in (*self._slots, *self._pending) if slot.holder is None]
        return [hint for slot in open_slots for hint in self._keep_hint(slot)]

    @property
    def _is_held_up(self) -> bool:
        """Tell whether a strict write waits for a pending home; one that is not believed alive only gets a hint."""
        return self._waits_for_pending and any(
            slot.holder is None and self._roster.alive(slot.primary) for slot in self._pending
        )

    def _is_stuck(self, now: Instant, slot: _Slot) -> bool:
        return slot.asked is None or not self._roster.alive(slot.asked) or now >= slot.due

    def _ask(self, now: Instant, slot: _Slot) -> list[Copy]:
        is_first = slot.asked is None and self._roster.alive(slot.primary)
        peer = slot.primary if is_first else self._take_fallback()
        hints = [] if peer else self._keep_hint(slot)
        if peer is None and self._roster.alive(slot.primary):
            peer = slot.primary
        slot.asked = peer
        slot.due = NEVER if peer is None else Instant(now + self._patience_s)
        if peer is None:
            return hints
        self._slot_of[peer] = slot
        return [Copy(to=peer, hint_for=None if peer == slot.primary else slot.primary), *hints]

    def _ask_pending(self, now: Instant, slot: _Slot) -> list[Copy]:
        """Send a pending home its copy, and keep a hint for it once it is silent or gone."""
        is_alive, was_asked = self._roster.alive(slot.primary), slot.asked is not None
        if is_alive and was_asked and now < slot.due:
            return []
        hints = self._keep_hint(slot) if was_asked or not is_alive else []
        slot.due = Instant(now + self._patience_s) if is_alive else NEVER
        if not is_alive:
            return hints
        slot.asked = slot.primary
        return [Copy(to=slot.primary, hint_for=None), *hints]

    def _take_fallback(self) -> PeerId | None:
        peer = next(filter(self._roster.alive, self._unused), None)
        if peer is not None:
            self._unused.remove(peer)
        return peer

    def _keep_hint(self, slot: _Slot) -> list[Copy]:
        keeper = self._keeper or next(iter(self.holders), None)
        if keeper is None or slot.hint_kept:
            return []
        slot.hint_kept = True
        return [Copy(to=keeper, hint_for=slot.primary)]
