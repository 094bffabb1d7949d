"""Answer peers that compare their trees with those of this one; nothing is remembered between two questions.

    CompareTrees  ──> ReadTrees  ──> TreesCompared        SeekStrays ──> ListStrays ──> StraysFound
    CompareLeaves ──> ListLeaves ──> LeavesCompared

A tree that only the asker takes for common to both is said to differ, but is not given: nothing is repaired before both
have the same view of the members.
"""

from collections.abc import Iterator
from typing import Final, assert_never

from ..copies.trees import EMPTY_TREE, NO_PRINT, root_of
from ..effects import Operate, RingEffect, Send
from ..events import MessageReceived, OperationDone, RingEvent
from ..messages import (
    CompareLeaves,
    CompareTrees,
    LeavesCompared,
    SeekStrays,
    StraysFound,
    TreesCompared,
)
from ..operations import ListLeaves, ListStrays, Operation, ReadTrees
from ..outcomes import LeavesListed, StoreOutcome, StraysListed, TreesRead
from ..placement.roster import Roster
from ..terms import PeerId
from .owning import owners

ENTRIES_MAX: Final = 256
"""What one list of leaves holds at most."""

TREES_MAX: Final = 512
"""Trees that one answer gives: 256 KiB."""

ASKED_MAX: Final = 64

RANGE: Final = 1024
"""Tree numbers that one question covers."""

Question = CompareTrees | CompareLeaves | SeekStrays


class Answering:
    """Holds the questions that wait for the disk."""

    def __init__(self, *, roster: Roster, tickets: Iterator[int]) -> None:
        self._roster = roster
        self._tickets = tickets
        self._asked: dict[int, tuple[PeerId, Question]] = {}

    def handle(self, event: RingEvent) -> list[RingEffect]:
        """Take a question, or what the store has found; all else is not this part's."""
        match event:
            case MessageReceived(sender=sender, message=CompareTrees() | CompareLeaves() | SeekStrays() as question):
                if len(self._asked) >= ASKED_MAX:
                    return []
                ticket = next(self._tickets)
                self._asked[ticket] = sender, question
                return [Operate(ticket=ticket, operation=_operation_of(question))]
            case OperationDone(ticket=ticket, outcome=outcome) if ticket in self._asked:
                return self._answer(*self._asked.pop(ticket), outcome)
            case _:
                return []

    def _answer(self, asker: PeerId, question: Question, outcome: StoreOutcome) -> list[RingEffect]:
        """Answer with what the store has found; one that has failed leaves the asker to its patience."""
        match question, outcome:
            case CompareTrees(), TreesRead(trees=trees):
                return [Send(to=asker, message=self._compared(asker, question, dict(trees)))]
            case CompareLeaves(), LeavesListed(pages=pages):
                return [Send(to=asker, message=LeavesCompared(request=question.request, pages=pages))]
            case SeekStrays(), StraysListed(keys=keys):
                kept = {tree for tree, _ in keys} | {tree for tree in question.trees if self._owns(tree)}
                return [Send(to=asker, message=StraysFound(request=question.request, trees=tuple(sorted(kept))))]
            case _:
                return []

    def _compared(self, asker: PeerId, question: CompareTrees, mine: dict[int, bytes]) -> TreesCompared:
        theirs = dict(question.roots)
        differing: list[int] = []
        given: list[tuple[int, bytes]] = []
        for tree in sorted(mine.keys() | theirs.keys()):
            is_shared = self._owns(tree) and asker in owners(self._roster, tree)
            leaves = mine.get(tree, EMPTY_TREE)
            if is_shared and root_of(leaves) != theirs.get(tree, NO_PRINT):
                differing.append(tree)
                given += [(tree, leaves)] if len(given) < TREES_MAX else []
            elif not is_shared and tree in theirs:
                differing.append(tree)
        return TreesCompared(request=question.request, differing=tuple(differing[:RANGE]), trees=tuple(given))

    def _owns(self, tree: int) -> bool:
        return self._roster.me in owners(self._roster, tree)


def _operation_of(question: Question) -> Operation:
    match question:
        case CompareTrees(first=first, last=last):
            return ReadTrees(first=first, last=last)
        case CompareLeaves(spots=spots, after=after):
            return ListLeaves(spots=spots, after=after, limit=ENTRIES_MAX)
        case SeekStrays(trees=trees):
            return ListStrays(trees=trees, each=1, limit=len(trees))
        case _:
            assert_never(question)
