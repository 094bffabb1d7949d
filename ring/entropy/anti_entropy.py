"""Join the parts that keep all homes of a key alike, and nothing anywhere else.

exchanges   compare trees with another home, and repair what differs       answering   answer those who compare
strays      bring home what lies in the wrong place                        reaping     forget deletes for good
forgetting  forget who wrote a key, where nothing of it is left
"""

from collections.abc import Iterator, Mapping
from random import Random

from ..effects import RingEffect
from ..events import RingEvent
from ..facts import Update
from ..placement.roster import Roster
from ..requests.quorum import QuorumSettings
from ..terms import Instant, PeerId
from .answering import Answering
from .exchanges import Exchanges
from .forgetting import Forgetting
from .metrics import RepairMetrics
from .reaping import Reaping
from .settings import EntropySettings
from .strays import Strays


class AntiEntropy:
    """Hands each event to the part that it is for."""

    def __init__(
        self,
        *,
        roster: Roster,
        members: Mapping[PeerId, Update],
        tickets: Iterator[int],
        ids: Iterator[str],
        settings: EntropySettings,
        quorum: QuorumSettings,
        rng: Random,
    ) -> None:
        self.metrics = RepairMetrics()
        self._answering = Answering(roster=roster, tickets=tickets)
        self._exchanges = Exchanges(
            roster=roster,
            members=members,
            tickets=tickets,
            ids=ids,
            settings=settings,
            quorum=quorum,
            metrics=self.metrics,
            rng=rng,
        )
        self._strays = Strays(
            roster=roster, members=members, tickets=tickets, ids=ids, settings=settings, metrics=self.metrics, rng=rng
        )
        self._reaping = Reaping(
            roster=roster,
            members=members,
            exchanges=self._exchanges,
            tickets=tickets,
            ids=ids,
            settings=settings,
            metrics=self.metrics,
            rng=rng,
        )
        self._forgetting = Forgetting(
            roster=roster,
            members=members,
            reaping=self._reaping,
            tickets=tickets,
            ids=ids,
            settings=settings,
            metrics=self.metrics,
        )

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take any event; most are no business of these parts."""
        effects = self._answering.handle(event)
        for part in (self._exchanges, self._strays, self._reaping, self._forgetting):
            effects += part.handle(now, event)
        return effects

    def member_changed(self, now: Instant, update: Update, *, knows_cluster: bool) -> list[RingEffect]:
        """Take in news of a member; who does not know its cluster must not forget anything for it."""
        self._reaping.knows_cluster = knows_cluster
        self._reaping.member_changed(now, update)
        return self._exchanges.member_changed(now, update)

    def begin(self, *, knows_cluster: bool) -> None:
        """Take in whether this peer knows its cluster as it starts."""
        self._reaping.knows_cluster = knows_cluster
