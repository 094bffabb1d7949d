"""Compare this peer's trees with those of one other home, and make equal what differs at a second look.

    look      ReadTrees, then CompareTrees, range by range ──> TreesCompared: which trees differ, and in which leaves
    again     the same after a second, for writes may have been on their way; what differs both times is taken up
    repair    ListLeaves here and CompareLeaves there ──> which keys differ ──> `Matching`; then a rest, and the next

Whoever falls silent ends the exchange; the next one begins anew, and what is equal by then costs nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from ..alarm import Alarm
from ..copies.trees import EMPTY_TREE, Spot, Tree, differing_leaves, root_of
from ..effects import Operate, RingEffect, Send
from ..events import MessageReceived, OperationDone, RequestDue, RingEvent
from ..facts import LeafPage, Update
from ..messages import CompareLeaves, CompareTrees, LeavesCompared, TreesCompared
from ..operations import ListLeaves, ReadTrees
from ..outcomes import LeavesListed, StoreOutcome, TreesRead
from ..placement.roster import Roster
from ..requests.quorum import QuorumSettings
from ..terms import Instant, PeerId
from .answering import ENTRIES_MAX, RANGE
from .comparing import compare
from .matching import Matching
from .metrics import RepairMetrics
from .owning import owners
from .settings import EntropySettings

SPOTS: Final = 64
"""Leaves that are listed at once."""


class Exchange:
    """One comparison with one partner, until it `is_over`."""

    def __init__(
        self,
        *,
        partner: PeerId,
        roster: Roster,
        members: Mapping[PeerId, Update],
        tickets: Iterator[int],
        ids: Iterator[str],
        settings: EntropySettings,
        quorum: QuorumSettings,
        metrics: RepairMetrics,
    ) -> None:
        self.partner = partner
        self.is_over = False
        self.has_failed = False
        self.has_repaired = False
        self.began_at = Instant(0.0)
        self.clean: set[Tree] = set()
        """Trees of this peer that were equal there when it began."""
        self._roster = roster
        self._members = members
        self._tickets = tickets
        self._ids = ids
        self._settings = settings
        self._quorum = quorum
        self._metrics = metrics
        self._id = next(ids)
        self._alarm = Alarm(RequestDue(request=self._id))
        self._resumes: Instant | None = None
        self._due: Instant | None = None
        self._ticket: int | None = None
        self._asked = ""
        self._trees: dict[Tree, bytes] = {}
        self._first = 0
        self._suspected: dict[Tree, frozenset[int]] | None = None
        self._found: dict[Tree, frozenset[int]] = {}
        self._spots: list[Spot] | None = None
        self._after = b""
        self._mine: tuple[LeafPage, ...] | None = None
        self._theirs: tuple[LeafPage, ...] | None = None
        self._batch_began = Instant(0.0)
        self._matching: Matching | None = None

    def begin(self, now: Instant) -> list[RingEffect]:
        """Read this peer's own trees for the first look."""
        self.began_at = now
        return self._look(now)

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take an answer, an outcome or a wake; all else is not this exchange's."""
        match event:
            case OperationDone(ticket=ticket, outcome=outcome) if ticket == self._ticket:
                self._ticket = None
                return self._read(now, outcome)
            case MessageReceived(sender=self.partner, message=TreesCompared() as message) if (
                message.request == self._asked
            ):
                return self._compared(now, message)
            case MessageReceived(sender=self.partner, message=LeavesCompared() as message) if (
                message.request == self._asked
            ):
                self._asked, self._theirs = "", message.pages
                return self._compare_leaves(now)
            case RequestDue(request=self._id) if self._alarm.rings(now):
                return self._wake(now)
            case _ if self._matching is not None:
                return self._matched(now, self._matching.handle(now, event))
            case _:
                return []

    def stop(self) -> None:
        """End it, as the partner is gone."""
        self.is_over = self.has_failed = True

    # --- the looks ---

    def _look(self, now: Instant) -> list[RingEffect]:
        self._first, self._found = 0, {}
        return self._operate(now, ReadTrees(first=0, last=2 * self._roster.placement.vnodes - 1))

    def _read(self, now: Instant, outcome: StoreOutcome) -> list[RingEffect]:
        match outcome:
            case TreesRead(trees=trees):
                self._trees = {tree: leaves for tree, leaves in trees if self._is_shared(tree)}
                return self._ask(now)
            case LeavesListed(pages=pages):
                self._mine = pages
                return self._compare_leaves(now)
            case _:
                self.stop()
                return []

    def _is_shared(self, tree: Tree) -> bool:
        homes = owners(self._roster, tree)
        return self._roster.me in homes and self.partner in homes

    def _ask(self, now: Instant) -> list[RingEffect]:
        """Send the roots of the next range of trees."""
        last = min(self._first + RANGE, 2 * self._roster.placement.vnodes) - 1
        roots = tuple((tree, root_of(self._trees[tree])) for tree in self._trees if self._first <= tree <= last)
        self._asked = next(self._ids)
        message = CompareTrees(request=self._asked, first=self._first, last=last, roots=roots)
        return [Send(to=self.partner, message=message), *self._await(now)]

    def _compared(self, now: Instant, message: TreesCompared) -> list[RingEffect]:
        self._asked, end = "", self._first + RANGE
        compared = {tree for tree in self._trees if self._first <= tree < end}
        self._metrics.trees_compared += len(compared)
        if self._suspected is None:
            self.clean |= compared - set(message.differing)
        for tree, leaves in message.trees:
            if self._first <= tree < end and self._is_shared(tree):
                self._found[tree] = frozenset(differing_leaves(self._trees.get(tree, EMPTY_TREE), leaves))
        self._first = end
        if end < 2 * self._roster.placement.vnodes:
            return self._ask(now)
        return self._looked(now)

    def _looked(self, now: Instant) -> list[RingEffect]:
        """Look again after a while, or take up what has differed both times."""
        if not self._found:
            self.is_over = True
            return []
        if self._suspected is None:
            self._suspected = self._found
            return self._rest(Instant(now + self._settings.second_look_s))
        both = {tree: leaves & self._suspected.get(tree, frozenset()) for tree, leaves in self._found.items()}
        spots = [(tree, leaf) for tree in sorted(both) for leaf in sorted(both[tree])]
        self._spots = spots[: self._settings.leaves_max]
        return self._next_batch(now)

    # --- the repair ---

    def _next_batch(self, now: Instant) -> list[RingEffect]:
        """List the next leaves at both sides."""
        if not self._spots:
            self.is_over = True
            return []
        self._batch_began = now
        self._mine = self._theirs = None
        self._asked = next(self._ids)
        spots = tuple(self._spots[:SPOTS])
        message = CompareLeaves(request=self._asked, spots=spots, after=self._after)
        listing = ListLeaves(spots=spots, after=self._after, limit=ENTRIES_MAX)
        return [Send(to=self.partner, message=message), *self._operate(now, listing)]

    def _compare_leaves(self, now: Instant) -> list[RingEffect]:
        if self._mine is None or self._theirs is None or self._spots is None:
            return []
        comparison = compare(self._mine, self._theirs)
        if not comparison.done and comparison.after <= self._after:
            self.stop()  # no answer that brings nothing is asked for twice
            return []
        self._spots, self._after = self._spots[comparison.done :], comparison.after
        self._metrics.leaves_compared += comparison.done
        self._matching = Matching(
            me=self._roster.me,
            partner=self.partner,
            members=self._members,
            differences=comparison.differences,
            ids=self._ids,
            settings=self._settings,
            quorum=self._quorum,
            metrics=self._metrics,
        )
        return self._matched(now, self._matching.go_on(now))

    def _matched(self, now: Instant, effects: list[RingEffect]) -> list[RingEffect]:
        """Rest after a batch that is done, in proportion to what it took, and never for long."""
        if self._matching is None:
            return effects
        if not self._matching.is_over:
            due = self._matching.next_due
            return [*effects, *([] if due is None else self._alarm.set(due))]
        self.has_repaired |= self._matching.has_repaired
        self._matching = None
        took_s = now - self._batch_began  # the clock may have leapt meanwhile
        rest_s = min(took_s * self._settings.rest_share, self._settings.patience_s)
        return [*effects, *self._rest(Instant(now + rest_s))]

    # --- waiting ---

    def _operate(self, now: Instant, operation: ReadTrees | ListLeaves) -> list[RingEffect]:
        self._ticket = next(self._tickets)
        return [Operate(ticket=self._ticket, operation=operation), *self._await(now)]

    def _await(self, now: Instant) -> list[RingEffect]:
        self._due = Instant(now + self._settings.patience_s)
        return self._alarm.set(self._due)

    def _rest(self, until: Instant) -> list[RingEffect]:
        self._due, self._resumes = None, until
        return self._alarm.set(until)

    def _wake(self, now: Instant) -> list[RingEffect]:
        if self._matching is not None:
            return self._matched(now, self._matching.go_on(now))
        if self._resumes is not None:
            if now < self._resumes:
                return self._alarm.set(self._resumes)
            self._resumes = None
            return self._look(now) if self._spots is None else self._next_batch(now)
        if self._due is not None and now < self._due:
            return self._alarm.set(self._due)
        self.stop()
        return []
