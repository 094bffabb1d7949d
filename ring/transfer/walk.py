"""Hold one walk through all local keys from one placement to another: where it is, and what is on its way."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..facts import Standing
from ..messages import OfferVersions, StoreVersions
from ..placement.course import keepers
from ..placement.rendezvous import Placement
from ..placement.roster import Roster
from ..terms import Instant, PeerId

AT_ONCE = Instant(0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings:
    """Set the pace of transfers; what is in flight bounds what they take from foreground work."""

    settle_s: float = 1.0
    """A change is acted on only after so long, for joins come in bursts."""

    patience_s: float = 2.0
    """An acknowledgement is waited for so long before the copy is sent again."""

    tries_max: int = 3
    rest_s: float = 10.0
    """A pass that could not reach everybody is made again after so long."""

    page: int = 64
    in_flight_max: int = 64
    bytes_per_s: float = 32 * 1024 * 1024
    """Values are sent no faster than that: a third of a gigabit link, so that foreground work keeps the rest."""

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a pause or a limit is not positive.
        """
        limits = (self.page, self.tries_max, self.in_flight_max)
        if min(self.settle_s, self.patience_s, self.rest_s, self.bytes_per_s) <= 0 or min(limits) < 1:
            raise ValueError(f"transfer settings must be positive: {self}")


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far the newest pass is, for people; the counts go on until the next one begins.

    It is under way from the moment when its cause is known, though it begins a little later.
    """

    is_under_way: bool = False
    keys_looked_at: int = 0
    keys_sent: int = 0
    bytes_sent: int = 0

    def begin(self) -> None:
        """Count anew."""
        self.is_under_way = True
        self.keys_looked_at = self.keys_sent = self.bytes_sent = 0

    def sent(self, size: int) -> None:
        """Count one copy of so many bytes."""
        self.keys_sent += 1
        self.bytes_sent += size

    def end(self) -> None:
        """Note that the pass is over."""
        self.is_under_way = False


@dataclass(slots=True, kw_only=True)
class Flight:
    """One offer or copy on its way."""

    to: PeerId
    message: OfferVersions | StoreVersions
    due: Instant
    tries: int = 1


@dataclass(slots=True, kw_only=True)
class Pass:
    """One walk, of two rounds: see `transfer`."""

    old: tuple[Placement, ...]
    """Whose primaries hold their keys already; the first is the one that was in force."""
    new: tuple[Placement, ...]
    """Whose primaries are to hold their keys, the target last."""
    only: frozenset[PeerId] | None
    """Whom this pass is for: a second one is only for those whom the first did not reach."""
    moves: Mapping[PeerId, tuple[Standing, int]]
    """Who joined or left when it began, at which epoch."""
    is_second_round: bool = False
    after: bytes = b""
    has_more: bool = True
    listing: int | None = None
    waiting: deque[tuple[PeerId, bytes]] = field(default_factory=deque)
    """Copies that somebody wants and that have not been read yet."""
    reading: dict[int, tuple[PeerId, bytes]] = field(default_factory=dict)
    flights: dict[str, Flight] = field(default_factory=dict)
    rests_until: Instant = AT_ONCE
    owed: set[PeerId] = field(default_factory=set)
    is_broken: bool = False
    is_outdated: bool = False
    """Whether homes have changed meanwhile otherwise than by the moves that it is made for."""

    @property
    def is_busy(self) -> bool:
        """Tell whether the page under way is not done with."""
        return bool(self.listing is not None or self.waiting or self.reading or self.flights)

    def begin_second_round(self) -> bool:
        """Walk once more through all keys; False if that was the second time, or the disk has failed."""
        if (
            self.is_second_round
            or self.is_broken
            or {each.homes for each in self.new} <= {each.homes for each in self.old}
        ):
            return False
        self.is_second_round, self.after, self.has_more = True, b"", True
        return True

    def give_up(self) -> None:
        """End the walk where the disk fails."""
        self.has_more, self.is_broken = False, True


def receivers_of(walk: Pass, key: bytes, roster: Roster, replicas: int) -> list[PeerId]:
    """List the primaries to which this peer is to offer a key in this round."""
    wanted = _wanted_by(walk, key, roster, replicas)
    return [peer for peer in wanted if peer != roster.me and (walk.only is None or peer in walk.only)]


def _wanted_by(walk: Pass, key: bytes, roster: Roster, replicas: int) -> tuple[PeerId, ...]:
    me = roster.me
    vnode = walk.new[-1].vnode_of(key)
    before, now = keepers(walk.old, vnode, replicas), keepers(walk.new, vnode, replicas)
    is_leaving = walk.moves.get(me, (None, 0))[0] is Standing.LEAVING
    if is_leaving or me not in (*before, *now):
        return () if walk.is_second_round else now
    if me not in before:
        return ()
    ends = walk.new[-1].primaries(vnode, replicas)
    givers = [peer for peer in before if peer not in ends]
    first = next(filter(roster.alive, (*givers, *before)), me)
    if (me == first) is walk.is_second_round:
        return ()
    return tuple(peer for peer in now if peer not in before)
