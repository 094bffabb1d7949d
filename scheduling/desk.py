"""Hold what the parts of the scheduling machine share: who lives, which jobs there are, and the effects so far.

One event is handled at a time. Its parts change replicas and `emit` effects; every job that changed is `touch`ed, and
the machine settles all touched jobs before it hands the effects out.
"""

from random import Random

from msgspec.structs import replace

from ..ring.terms import Incarnation, Instant, PeerId
from .claims.slots import Backoffs, Slots
from .claims.table import Change
from .effects import SchedulingEffect, Tell, WakeSchedulingAt
from .events import SchedulingEvent
from .flock import Flock
from .jobs import Phase
from .messages import Account, Attempt, Claim, SchedulingMessage
from .replica.job import Job
from .replica.routes import Routes
from .replica.spread import Outbox
from .settings import SchedulingSettings


class Desk:
    """The state of one peer's scheduling half, and the effects of the event at hand."""

    def __init__(
        self, me: PeerId, incarnation: Incarnation, slots: int, settings: SchedulingSettings, rng: Random
    ) -> None:
        self.me = me
        self.incarnation = incarnation
        self.settings = settings
        self.rng = rng
        self.now = Instant(0.0)
        self.flock = Flock(me, incarnation, slots, settings)
        self.jobs: dict[str, Job] = {}
        """All known jobs, in the order in which this peer heard of them."""
        self.slots = Slots(slots)
        self.stops = False
        """Whether this peer is about to end, and takes up nothing more."""
        self.backoffs = Backoffs(settings)
        self.outbox = Outbox(settings.spread_interval_s, settings.spread_rest_s)
        self.relayed = Outbox(settings.relay_interval_s, settings.relay_interval_s)
        """What this peer is to pass on to its group."""
        self.routes = Routes()
        self.store_errors: dict[str, str] = {}
        """Why the output of a job cannot be committed yet."""
        self._effects: list[SchedulingEffect] = []
        self._touched: dict[str, None] = {}

    def emit(self, effect: SchedulingEffect) -> None:
        """Ask something of the world."""
        self._effects.append(effect)

    def tell(self, peer: PeerId, message: SchedulingMessage) -> None:
        """Send a message to a peer."""
        self._effects.append(Tell(to=peer, message=message))

    def touch(self, job: Job) -> None:
        """Have a job settled before this event is over."""
        self._touched[job.id] = None

    def touch_live(self) -> None:
        """Have every live job settled."""
        for job in self.jobs.values():
            if job.live:
                self.touch(job)

    def take_touched(self) -> list[Job]:
        """Give the jobs to settle, and begin a new list."""
        touched, self._touched = self._touched, {}
        return [self.jobs[job] for job in touched if job in self.jobs]

    def take_effects(self) -> list[SchedulingEffect]:
        """Give the effects so far, and begin a new list."""
        effects, self._effects = self._effects, []
        return effects

    def claim(
        self, job: Job, phase: Phase, task: int, attempt: Attempt, account: Account, *, can_wait: bool = False
    ) -> Change:
        """Set down an account in this peer's replica, and have it spread: soon, or with more that is to come."""
        change = job.join(self.now, Claim(phase, task, attempt, account), self.flock)
        if change is not Change.NOTHING:
            if self.flock.others:
                self.outbox.add(job.id, phase, task, attempt, can_wait=can_wait)
            self.touch(job)
        return change

    def flush(self) -> None:
        """Send all claims that are new here now."""
        for message in self.outbox.take(self.now, self.jobs):
            route = self.routes.of(message.job, self.flock)
            for peer in route.near:
                self.tell(peer, message)
            passed_on = replace(message, relay=True) if route.relays else message
            for peer in route.relays:
                self.tell(peer, passed_on)

    def pass_on(self) -> None:
        """Send what others have given this peer to pass on."""
        for message in self.relayed.take(self.now, self.jobs):
            for peer in self.routes.of(message.job, self.flock).near:
                self.tell(peer, message)

    def wake(self, delay_s: float, event: SchedulingEvent) -> None:
        """Have an event handed back after a while."""
        self._effects.append(WakeSchedulingAt(at=Instant(self.now + delay_s), event=event))

    def publish(self, job: Job) -> None:
        """Tell all others all about a job but its claims."""
        for peer in self.flock.others:
            self.tell(peer, job.news())
