"""Make the parts of one peer's storage half, and show each the others that it works with.

membership   who is a member and who lives          puts, coordinator   writes: asking for one, and doing one
serving      this peer's own copies                 gets, listings      reads of one key, and of a page of keys
registers    write-once decisions                   chunks              placing immutable bytes
handoff      hints on their way home                transfer            keys on their way to new primaries
anti_entropy copies that differ or lie astray, and deletes that may be forgotten
expiry       values that have ended                 scrub, mending      damage on the disk
member_rows  the member table on disk               joining             no act before the cluster is known
registry     joining and leaving for good           farewell            what a leaver must have passed on first
lineage      no word from an old disk               reopening           records of jobs that have not ended
survey       what a join, a leave or a removal would move
collector    chunks that nobody names any more
"""

from copy import copy
from random import Random

from .collecting.collector import Collector
from .copies.reopening import Reopening
from .copies.serving import Serving
from .entropy.anti_entropy import AntiEntropy
from .handoff.handoff import Handoff
from .membership.joining import Joining
from .membership.lineage import Lineage
from .membership.member_rows import MemberRows
from .membership.registry import Registry
from .membership.swim import Membership
from .owners import Owner, tickets_of
from .placement.roster import Roster
from .repair.expiry import Expiry
from .repair.mending import Mending
from .repair.scrub import Scrub
from .requests.chunks import Chunks
from .requests.coordinator import Coordinator
from .requests.gets import Gets
from .requests.listing import Listings
from .requests.puts import Puts
from .requests.registers import Registers
from .settings import RingSettings
from .terms import Incarnation, Member, PeerId, start_of
from .transfer.farewell import Farewell
from .transfer.survey import Survey
from .transfer.transfer import Transfer


class Parts:
    """The parts of the storage half of one peer."""

    def __init__(
        self, me: Member, incarnation: Incarnation, settings: RingSettings, rng: Random, recorded: int
    ) -> None:
        """Make them; `recorded` is the start before this one by the peer's own disk, 0 where the directory is new."""
        self._me = me
        self._settings = settings
        self._tickets = tickets_of(Owner.ANY)
        self._ids = (f"{start_of(incarnation):x}.{ticket:x}" for ticket in self._tickets)
        self.roster = Roster(me, vnodes=settings.vnodes, replicas=settings.replicas)
        self.membership = Membership(me, incarnation, settings.vnodes, settings.membership, rng)
        self.joining = Joining(me.url)
        self.member_rows = MemberRows(me=PeerId(me.id), tickets=self._tickets, ids=self._ids)
        self.reopening = Reopening(self._tickets)
        self.lineage = Lineage(me, incarnation, recorded, self._ids)
        self.registers = Registers(PeerId(me.id), self._tickets, settings.registers, rng)
        self.registers.may_vote = recorded == 0
        self._make_requests(incarnation, rng)
        self._make_repair(rng)
        self._make_moves()
        self._make_collector()

    def _make_requests(self, incarnation: Incarnation, rng: Random) -> None:
        roster, ids, quorum = self.roster, self._ids, self._settings.quorum
        self.serving = Serving(me=roster.me, tickets=tickets_of(Owner.SERVING), asked_max=quorum.serving_max)
        self.puts = Puts(roster=roster, settings=quorum)
        self.coordinator = Coordinator(
            roster=roster,
            incarnation=incarnation,
            drawn=copy(rng).getrandbits(32),  # of a copy, so that no other chance depends on it
            tickets=tickets_of(Owner.COORDINATOR),
            ids=ids,
            settings=quorum,
        )
        self.gets = Gets(roster=roster, ids=ids, settings=quorum)
        self.listings = Listings(roster=roster, ids=ids, settings=quorum)
        self.chunks = Chunks(roster=roster, ids=ids, settings=quorum)

    def _make_repair(self, rng: Random) -> None:
        tickets, settings = self._tickets, self._settings
        self.expiry = Expiry(tickets)
        self.mending = Mending(tickets=tickets)
        self.scrub = Scrub(tickets=tickets, settings=settings.scrub, mending=self.mending)
        self.handoff = Handoff(
            me=self._me,
            roster=self.roster,
            replicas=settings.replicas,
            tickets=tickets,
            ids=self._ids,
            settings=settings.handoff,
            quorum=settings.quorum,
            rng=rng,
        )
        self.anti_entropy = AntiEntropy(
            roster=self.roster,
            members=self.membership.members,
            tickets=tickets,
            ids=self._ids,
            settings=settings.entropy,
            quorum=settings.quorum,
            rng=Random(copy(rng).getrandbits(64)),  # of a copy, so that no other chance depends on it
        )

    def _make_collector(self) -> None:
        self.collector = Collector(
            roster=self.roster,
            members=self.membership.members,
            joining=self.joining,
            serving=self.serving,
            tickets=self._tickets,
            ids=self._ids,
            settings=self._settings.collect,
        )

    def _make_moves(self) -> None:
        roster, tickets, ids, settings = self.roster, self._tickets, self._ids, self._settings
        replicas = settings.replicas
        self.transfer = Transfer(roster=roster, replicas=replicas, tickets=tickets, ids=ids, settings=settings.transfer)
        self.survey = Survey(roster=roster, replicas=replicas, tickets=tickets)
        self.farewell = Farewell(
            me=self._me,
            roster=roster,
            replicas=replicas,
            tickets=tickets,
            ids=ids,
            quorum=settings.quorum,
            progress=self.transfer.progress,
        )
        self.registry = Registry(
            membership=self.membership,
            roster=roster,
            transfer=self.transfer,
            farewell=self.farewell,
            replicas=replicas,
            ids=ids,
            settings=settings.registry,
        )
