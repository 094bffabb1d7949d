"""Know who is alive, under which start number, and where keys have their homes."""

from dataclasses import dataclass

from ..ring.facts import Liveness, Standing, Update
from ..ring.placement.rendezvous import Home, Placement, place
from ..ring.placement.roster import current_homes, target_homes
from ..ring.terms import Incarnation, PeerId, start_of
from .messages import Attempt
from .settings import SchedulingSettings


def _home_of(update: Update) -> tuple[Standing, Home]:
    """Give what placement knows of a member; ownership follows standing, so even a dead one keeps its home."""
    return update.standing, Home(PeerId(update.member.id), update.member.weight, update.member.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Present:
    """The live peers in order of their ids, those but this one, and those that work."""

    live: tuple[PeerId, ...]
    others: tuple[PeerId, ...]
    workers: tuple[PeerId, ...]
    slots: int


class Flock:
    """The members as the ring reports them, this peer included; it counts itself alive whatever others believe."""

    def __init__(self, me: PeerId, incarnation: Incarnation, slots: int, settings: SchedulingSettings) -> None:
        self.me = me
        self.start = start_of(incarnation)
        self.version = 0
        """Grows whenever `live`, `workers` or the placement may have changed."""
        self._slots = slots
        self._settings = settings
        self._updates: dict[PeerId, Update] = {}
        self._placement: Placement | None = None
        self._target: Placement | None = None
        self._alive: dict[str, int] = {me: self.start}
        """The start numbers of those believed alive."""
        self._present: _Present | None = None
        self._holders: dict[bytes, tuple[PeerId, ...]] = {}

    def learn(self, update: Update) -> bool:
        """Take in a belief about a member; tell whether its attempts may have gone, or come back, by it."""
        peer = PeerId(update.member.id)
        old = self._updates.get(peer)
        if old == update:
            return False
        self._updates[peer] = update
        if old is None or _home_of(old) != _home_of(update):
            self._placement = self._target = None
        if peer != self.me:
            self._alive.pop(peer, None)
            if update.liveness == Liveness.ALIVE:
                self._alive[peer] = start_of(update.incarnation)
        self._present = None
        self._holders = {}
        self.version += 1
        return peer != self.me and (
            old is None
            or (old.liveness == Liveness.ALIVE) != (update.liveness == Liveness.ALIVE)
            or start_of(old.incarnation) != start_of(update.incarnation)
        )

    @property
    def live(self) -> tuple[PeerId, ...]:
        """All peers believed alive, this one included, in order."""
        return self._roll().live

    @property
    def others(self) -> tuple[PeerId, ...]:
        """All peers believed alive but this one, in order."""
        return self._roll().others

    @property
    def workers(self) -> tuple[PeerId, ...]:
        """All peers believed alive that have slots for work, in order."""
        return self._roll().workers

    @property
    def progress_interval_s(self) -> float:
        """Tell how often an attempt says how far it is, in seconds: the more slots there are, the more seldom."""
        return max(self._settings.progress_interval_s, self._roll().slots / self._settings.progress_news_per_s)

    @property
    def slots(self) -> int:
        """Count the slots of all live workers."""
        return self._roll().slots

    def slots_of(self, peer: str) -> int:
        """Count the slots of a peer."""
        return self._slots if peer == self.me else self._updates[PeerId(peer)].member.workers

    @property
    def is_large(self) -> bool:
        """Tell whether the live peers are too many to tell each of them every piece of news."""
        return len(self._roll().live) > self._settings.direct_peers_max

    @property
    def stagger_s(self) -> float:
        """Tell for how much longer each next-ranked peer leaves a task alone: claims may come over a relay."""
        return self._settings.stagger_s + (self._settings.relay_interval_s if self.is_large else 0.0)

    def _roll(self) -> _Present:
        """Call the roll; only when first asked for, as a burst of joins changes it many times."""
        if self._present is None:
            live = tuple(PeerId(peer) for peer in sorted(self._alive))
            workers = tuple(peer for peer in live if self._is_worker(peer))
            self._present = _Present(
                live=live,
                others=tuple(peer for peer in live if peer != self.me),
                workers=workers,
                slots=sum(self.slots_of(peer) for peer in workers),
            )
        return self._present

    def _is_worker(self, peer: PeerId) -> bool:
        return not self.leaves(peer) and self.slots_of(peer) > 0

    def leaves(self, peer: str) -> bool:
        """Tell whether a peer is about to leave for good: it finishes what it has, and takes up nothing new."""
        update = self._updates.get(PeerId(peer))
        return update is not None and update.standing is Standing.LEAVING

    def alive(self, peer: str) -> bool:
        """Tell whether a peer is believed alive; suspicion is enough to say no."""
        return peer in self._alive

    def runs(self, attempt: Attempt) -> bool:
        """Tell whether the process that began an attempt is believed alive.

        A start number above the known one is news that membership has not brought yet, and counts.
        """
        start = self._alive.get(attempt.peer)
        return start is not None and start_of(Incarnation(attempt.incarnation)) >= start

    def start_of(self, peer: str) -> int:
        """Tell a peer's start number, -1 if it is not known."""
        if peer == self.me:
            return self.start
        update = self._updates.get(PeerId(peer))
        return -1 if update is None else start_of(update.incarnation)

    def name(self, peer: str) -> str:
        """Name a peer for people; an unknown one by the beginning of its id."""
        update = self._updates.get(PeerId(peer))
        return peer[:8] if update is None else update.member.name

    def liveness(self, peer: str) -> Liveness:
        """Tell what is believed of a peer; who is not known is dead."""
        if peer == self.me:
            return Liveness.ALIVE
        update = self._updates.get(PeerId(peer))
        return Liveness.DEAD if update is None else update.liveness

    def members(self) -> tuple[PeerId, ...]:
        """List all known peers that have not left, by name."""
        staying = {peer for peer, update in self._updates.items() if update.liveness != Liveness.LEFT} | {self.me}
        return tuple(PeerId(peer) for peer in sorted(staying, key=lambda peer: (self.name(peer), peer)))

    def preference(self, key: bytes) -> tuple[PeerId, ...]:
        """List all members that own keys, best home of `key` first."""
        if self._placement is None:
            homes = current_homes(self._updates.values()) or frozenset({Home(self.me)})
            self._placement = place(homes, self._settings.vnodes, self._settings.replicas)
        return self._placement.preference(key)

    def newcomers(self, key: bytes) -> tuple[PeerId, ...]:
        """List the live members that own no keys yet and are about to, best future home of `key` first."""
        homes = set(self.preference(key))
        if self._target is None:
            targets = target_homes(self._updates.values()) or frozenset({Home(self.me)})
            self._target = place(targets, self._settings.vnodes, self._settings.replicas)
        return tuple(peer for peer in self._target.preference(key) if peer in self._alive and peer not in homes)

    def holders(self, digest: bytes) -> tuple[PeerId, ...]:
        """List the live peers that should hold a chunk: the first N live ones of its preference list."""
        found = self._holders.get(digest)
        if found is None:
            alive = (peer for peer in self.preference(b"chunk/" + digest) if peer in self._alive)
            found = tuple(peer for peer, _ in zip(alive, range(self._settings.replicas), strict=False))
            self._holders[digest] = found
        return found
