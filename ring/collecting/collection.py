"""Go once through the chunks that are kept here: mark those that nobody names, remove those marked a grace ago.

    Naming ──> ListChunks ──> MarkChunks ──> for each that is ripe: RemoveChunk ──> ForgetChunk ──> ... ──> ClearNotes

The names are asked for after `watch` has begun, and what is asked to be kept from then on is left alone: so a chunk
that is marked or removed was here before the survey began, and nobody has wanted it since. Before a file goes, its
chunk is held: who asks for it then waits, and has it stored anew. The file goes before its row: a crash in between
leaves a row whose mark is ripe, for the next pass to finish.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..copies.serving import Serving
from ..effects import Collected, Operate, RemoveChunk, RingEffect
from ..errors import InvariantBroken
from ..events import ChunkRemoved, OperationDone
from ..messages import NamesTold
from ..operations import ClearNotes, ForgetChunk, ListChunks, MarkChunks, Operation
from ..outcomes import ChunksListed, ChunksMarked, Noted, NotesCleared, StoreOutcome
from ..terms import Instant, PeerId
from .naming import Naming
from .settings import CollectSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a pass is to do."""

    grace_s: float
    is_dry: bool = False


@dataclass(slots=True, kw_only=True)
class _Tally:
    removed: int = 0
    removed_bytes: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    held: int = 0
    failed: int = 0
    named: int = 0
    named_bytes: int = 0
    due_in_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Collection:
    """One pass; `lived_s` is this peer's age at its beginning."""

    wish: Wish
    lived_s: float
    may_remove: bool
    naming: Naming
    serving: Serving
    tickets: Iterator[int]
    settings: CollectSettings
    is_over: bool = False
    failure: str = ""
    _tally: _Tally = field(default_factory=_Tally)
    _names: frozenset[bytes] = frozenset()
    _open_jobs: frozenset[bytes] = frozenset()
    _after: bytes = b""
    _has_more: bool = True
    _step: int = 0
    """The ticket of the page, of its marks or of its notes that is being worked at; 0 for none."""
    _ripe: deque[tuple[bytes, int]] = field(default_factory=deque)
    _removing: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    _forgetting: dict[int, tuple[bytes, int]] = field(default_factory=dict)

    def begin(self, now: Instant) -> list[RingEffect]:
        """Watch what is asked to be kept, and learn what is named."""
        self.serving.watch()
        effects = self.naming.begin(now)
        return effects + self._named()

    def told(self, now: Instant, sender: PeerId, message: NamesTold) -> list[RingEffect]:
        """Take in what a member names."""
        if message.request != self.naming.id or self._has_names:
            return []
        return self.naming.take(now, sender, message) + self._named()

    def wake(self, now: Instant) -> list[RingEffect]:
        """Ask for names once more where there was no answer."""
        if self._has_names or now < self.naming.next_due:
            return []
        return self.naming.wake(now) + self._named()

    def done(self, event: OperationDone) -> list[RingEffect]:
        """Take in what came of a step."""
        if event.ticket in self._forgetting:
            return self._forgotten(*self._forgetting.pop(event.ticket), is_done=isinstance(event.outcome, Noted))
        if not self._step or event.ticket != self._step:
            return []
        self._step = 0
        return self._took(event.outcome)

    def removed(self, event: ChunkRemoved, members: tuple[PeerId, ...]) -> list[RingEffect]:
        """Forget a chunk whose file is gone, and the hints of it for any of these members."""
        if event.ticket not in self._removing:
            return []
        digest, size = self._removing.pop(event.ticket)
        if event.error:
            return self._forgotten(digest, size, is_done=False)
        ticket = next(self.tickets)
        self._forgetting[ticket] = digest, size
        forget = ForgetChunk(digest=digest, lived_s=self.lived_s, hinted=members)
        return [Operate(ticket=ticket, operation=forget)]

    def report(self) -> Collected:
        """Tell how far it is."""
        tally = self._tally
        return Collected(
            is_over=self.is_over,
            removed=tally.removed,
            removed_bytes=tally.removed_bytes,
            waiting=tally.waiting,
            waiting_bytes=tally.waiting_bytes,
            held=tally.held,
            failed=tally.failed,
            named=tally.named,
            named_bytes=tally.named_bytes,
            due_in_s=tally.due_in_s,
        )

    def check(self) -> None:
        """Assert what must always hold.

        Raises:
            InvariantBroken: a chunk is being removed that somebody has asked to be kept.
        """
        for digest, _ in (*self._removing.values(), *self._forgetting.values()):
            if self.serving.is_wanted(digest):
                raise InvariantBroken(f"chunk {digest.hex()[:16]} is removed, and somebody wants it")

    # --- steps ---

    @property
    def _has_names(self) -> bool:
        return self.naming.is_over

    def _named(self) -> list[RingEffect]:
        """Begin with the chunks once all names are known."""
        if not self._has_names:
            return []
        if self.naming.failure:
            return self._end(self.naming.failure)
        self._names, self._open_jobs = self.naming.names(), self.naming.open_jobs()
        if len(self._open_jobs) > self.settings.open_jobs_max:
            return self._end(f"{len(self._open_jobs)} jobs are open, too many to tell what is theirs: try again later")
        return self._next_page()

    def _next_page(self) -> list[RingEffect]:
        if self._has_more:
            return self._do(ListChunks(after=self._after, limit=self.settings.page))
        return self._clear(b"")

    def _do(self, operation: Operation) -> list[RingEffect]:
        self._step = next(self.tickets)
        return [Operate(ticket=self._step, operation=operation)]

    def _took(self, outcome: StoreOutcome) -> list[RingEffect]:
        match outcome:
            case ChunksListed():
                return self._mark(outcome)
            case ChunksMarked():
                self._count(outcome)
                return self._go_on()
            case NotesCleared(after=after):
                return self._end("") if after is None else self._clear(after)
            case _:
                return self._end(getattr(outcome, "reason", "") or "the disk failed")

    def _mark(self, page: ChunksListed) -> list[RingEffect]:
        """Have a page marked, but for what was asked to be kept since the survey began: its name may be missing."""
        self._has_more = page.more
        self._after = page.entries[-1][0] if page.entries else self._after
        named = [(digest, size) for digest, size in page.entries if digest in self._names]
        self._tally.named += len(named)
        self._tally.named_bytes += sum(size for _, size in named)
        idle = [entry for entry in page.entries if entry[0] not in self._names and not self._is_wanted(entry[0])]
        mark = MarkChunks(
            unnamed=tuple(idle),
            named=tuple(digest for digest, _ in named),
            lived_s=self.lived_s,
            grace_s=self.wish.grace_s,
            open_jobs=self._open_jobs,
            is_dry=self.wish.is_dry,
        )
        return self._do(mark)

    def _is_wanted(self, digest: bytes) -> bool:
        return self.serving.is_wanted(digest)

    def _count(self, marked: ChunksMarked) -> None:
        tally = self._tally
        tally.waiting += marked.waiting
        tally.waiting_bytes += marked.waiting_bytes
        tally.held += marked.held
        dues = [due for due in (tally.due_in_s, marked.due_in_s) if due is not None]
        tally.due_in_s = min(dues, default=None)
        if self.wish.is_dry:
            tally.removed += len(marked.ripe)
            tally.removed_bytes += sum(size for _, size in marked.ripe)
        elif self.may_remove:
            self._ripe.extend(marked.ripe)
        else:
            tally.waiting += len(marked.ripe)
            tally.waiting_bytes += sum(size for _, size in marked.ripe)
            tally.due_in_s = 0.0 if marked.ripe else tally.due_in_s

    def _go_on(self) -> list[RingEffect]:
        """Remove what is ripe, a few at a time; then take the next page."""
        effects: list[RingEffect] = []
        while self._ripe and len(self._removing) + len(self._forgetting) < self.settings.removed_at_once:
            digest, size = self._ripe.popleft()
            if self._is_wanted(digest):
                continue
            self.serving.hold(digest)
            ticket = next(self.tickets)
            self._removing[ticket] = digest, size
            effects.append(RemoveChunk(ticket=ticket, digest=digest))
        if self._ripe or self._removing or self._forgetting:
            return effects
        return [*effects, *self._next_page()]

    def _forgotten(self, digest: bytes, size: int, *, is_done: bool) -> list[RingEffect]:
        self._tally.removed += is_done
        self._tally.removed_bytes += size if is_done else 0
        self._tally.failed += not is_done
        return [*self.serving.release(digest), *self._go_on()]

    def _clear(self, after: bytes) -> list[RingEffect]:
        if self.wish.is_dry:
            return self._end("")
        before_s = self.lived_s - self.settings.note_s
        return self._do(ClearNotes(after=after, limit=self.settings.page, named=self._names, before_s=before_s))

    def _end(self, failure: str) -> list[RingEffect]:
        self.is_over, self.failure = True, failure
        self.serving.unwatch()
        return []
