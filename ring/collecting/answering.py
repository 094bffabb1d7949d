"""Tell others which chunks the records that are kept here name.

AskNames ──> ListNames ──> NamesTold        a failed disk says that it cannot tell
"""

from collections.abc import Iterator

from ..effects import Operate, RingEffect, Send
from ..events import OperationDone
from ..messages import AskNames, NamesTold
from ..operations import ListNames
from ..outcomes import NamesListed, StoreFailed, StoreOutcome
from ..placement.roster import Roster
from ..terms import PeerId

ASKED_MAX = 256
_REASON_MAX = 1024


class NamesAnswering:
    """The questions for names that wait for this peer's disk."""

    def __init__(self, *, roster: Roster, tickets: Iterator[int]) -> None:
        self._roster = roster
        self._tickets = tickets
        self._asked: dict[int, tuple[PeerId, AskNames]] = {}

    def asked(self, sender: PeerId, message: AskNames) -> list[RingEffect]:
        """Look up a page of names; who is asked too much at once stays silent, and is asked again."""
        if len(self._asked) >= ASKED_MAX:
            return []
        ticket = next(self._tickets)
        self._asked[ticket] = sender, message
        return [Operate(ticket=ticket, operation=ListNames(after=message.after))]

    def listed(self, event: OperationDone) -> list[RingEffect]:
        """Answer, if the page was asked for."""
        if event.ticket not in self._asked:
            return []
        asker, message = self._asked.pop(event.ticket)
        return [Send(to=asker, message=self._told(message, event.outcome))]

    def _told(self, message: AskNames, outcome: StoreOutcome) -> NamesTold:
        page = outcome if isinstance(outcome, NamesListed) else None
        failure = outcome.reason if isinstance(outcome, StoreFailed) else ""
        return NamesTold(
            request=message.request,
            after=message.after,
            entries=() if page is None else page.entries,
            next_after=b"" if page is None else page.after or b"",
            homes=self._roster.homes_print,
            unreadable=(failure or "its disk failed")[:_REASON_MAX] if page is None else page.unreadable,
        )
