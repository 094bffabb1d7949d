"""Run the scheduling half of a peer: which of its events goes to which part, and what is settled after each.

Theory of operation. An event changes replicas of jobs (`job`) through one of the parts; then every job that changed is
settled in a fixed order: is there a tracker (`tracking`), which attempts of this peer have become useless (`attempts`),
what can be proposed (`tracking`), which open tasks can be taken up (`work`). Last, new claims go out (`spread`) and who
waits for a status is answered (`watchers`). Nothing waits for a timer that an event could do at once; timers only space
out messages and mend what got lost.
"""

from random import Random
from types import MappingProxyType
from typing import assert_never

from ..ring.terms import Incarnation, Instant, PeerId
from .attendance import Attendance
from .audit import Audit
from .desk import Desk
from .effects import Answer, ElectorateChosen, OweVotes, SchedulingEffect, WakeSchedulingAt
from .events import (
    AnswerDue,
    AttemptEvent,
    AttemptFailed,
    AttemptFinished,
    AttemptLost,
    AttemptProgressed,
    AttemptsTold,
    ChunkSettled,
    DropRequested,
    ElectorateRequested,
    JobsRequested,
    JobSubmitted,
    KillRequested,
    LeftoversFound,
    MemberSeen,
    OutputFound,
    RecordFound,
    RecordStored,
    RegisterDecided,
    SchedulingEvent,
    SchedulingMessageReceived,
    SchedulingStarted,
    SchedulingStopped,
    SpreadDue,
    StatusRequested,
    SyncDue,
    TrackDue,
)
from .jobs import job_key
from .reception.clients import Clients
from .reception.exchange import Exchange
from .reception.intake import Intake
from .reception.kills import Kills
from .reception.leavings import Leavings
from .reception.view import slow_peers
from .reception.watchers import Watchers
from .replica.job import Job
from .retention import Retention
from .settings import SchedulingSettings
from .tracker.pulse import Pulse
from .tracker.succession import electorate_of
from .tracker.tracking import Tracking
from .worker.attempts import Attempts
from .worker.claiming import Work


class Scheduling:
    """The pure scheduling machine of one peer."""

    def __init__(
        self, me: PeerId, incarnation: Incarnation, slots: int, settings: SchedulingSettings, rng: Random
    ) -> None:
        self._desk = Desk(me, incarnation, slots, settings, rng)
        self._attempts = Attempts(self._desk)
        self._work = Work(self._desk)
        self._pulse = Pulse(self._desk)
        self._tracking = Tracking(self._desk, self._pulse)
        self._attendance = Attendance(self._desk, self._tracking)
        self._intake = Intake(self._desk, self._tracking)
        self._clients = Clients(self._desk)
        self._exchange = Exchange(self._desk, self._intake, self._clients, self._tracking, self._pulse)
        self._watchers = Watchers(self._desk, self._intake, self._tracking)
        self._kills = Kills(self._desk, self._intake)
        self._leavings = Leavings(self._desk, self._intake)
        self._retention = Retention(self._desk)
        self._audit = Audit(self._desk)
        self._votes_owed = 0

    @property
    def jobs(self) -> MappingProxyType[str, Job]:
        """All jobs known here by id, oldest first; to look at only."""
        return MappingProxyType(self._desk.jobs)

    @property
    def load(self) -> float:
        """Tell the share of this peer's slots that are in use, from 0 to 1; a peer without slots is idle."""
        return self._desk.slots.load

    @property
    def slow_peers(self) -> frozenset[str]:
        """Name the peers whose attempts at some job go on much more slowly than elsewhere."""
        live = (job for job in self._desk.jobs.values() if job.live)
        return frozenset(peer for job in live for peer in slow_peers(job, self._desk))

    def electorate(self, job: str) -> tuple[PeerId, ...]:
        """Choose who should decide a job of that id, were it submitted now."""
        return electorate_of(job, self._desk.flock, self._desk.settings.electorate_max)

    def handle(self, now: Instant, event: SchedulingEvent) -> list[SchedulingEffect]:
        """Take in an event, and give all that is to be done about it."""
        self._desk.now = now
        self._dispatch(event)
        self._settle()
        return self._desk.take_effects()

    def check(self) -> None:
        """Assert all invariants, those of many tasks piece by piece.

        Raises:
            InvariantBroken: one does not hold; the message ends with the job's story.
        """
        self._audit.look()

    def _dispatch(self, event: SchedulingEvent) -> None:
        match event:
            case SchedulingStarted():
                self._desk.wake(self._desk.rng.uniform(0.0, self._desk.settings.sync_interval_s), SyncDue())
            case SchedulingStopped():
                self._attempts.release_all()
                self._desk.flush()
            case SchedulingMessageReceived():
                self._exchange.received(event.sender, event.message)
            case MemberSeen():
                self._attendance.seen(event.update)
            case LeftoversFound():
                self._leavings.found(event)
            case (
                JobSubmitted()
                | KillRequested()
                | StatusRequested()
                | JobsRequested()
                | DropRequested()
                | ElectorateRequested()
            ):
                self._serve(event)
            case SpreadDue() | SyncDue() | TrackDue() | AnswerDue():
                self._wake(event)
            case RecordFound() | OutputFound() | RecordStored() | RegisterDecided():
                self._take_from_ring(event)
            case _:
                self._follow(event)

    def _serve(
        self,
        event: JobSubmitted | KillRequested | StatusRequested | JobsRequested | DropRequested | ElectorateRequested,
    ) -> None:
        match event:
            case ElectorateRequested():
                chosen = ElectorateChosen(electorate=self.electorate(event.job))
                self._desk.emit(Answer(request=event.request, answer=chosen))
            case JobSubmitted():
                self._intake.submitted(event)
            case KillRequested():
                self._kills.asked(event)
            case StatusRequested():
                self._clients.asked(event.job)
                self._watchers.asked(event)
            case JobsRequested():
                self._watchers.asked_for_all(event.request)
            case DropRequested():
                if dropped := self._leavings.asked(event):
                    self._forget(dropped)
            case _:
                assert_never(event)

    def _wake(self, event: SpreadDue | SyncDue | TrackDue | AnswerDue) -> None:
        match event:
            case SpreadDue():
                self._desk.outbox.armed_for = self._desk.relayed.armed_for = Instant(float("inf"))
            case SyncDue():
                self._exchange.offer()
            case TrackDue():
                self._track(event.job)
            case AnswerDue():
                pass  # Every event ends with the answers that are due.
            case _:
                assert_never(event)

    def _take_from_ring(self, event: RecordFound | OutputFound | RecordStored | RegisterDecided) -> None:
        match event:
            case RecordFound():
                self._intake.found(event)
                self._leavings.record_found(event)
            case OutputFound():
                self._tracking.output_found(event)
            case RecordStored():
                asked_by = self._intake if event.key == job_key(event.job) else self._tracking
                asked_by.stored(event)
            case RegisterDecided():
                self._tracking.decided(event)
            case _:
                assert_never(event)

    def _follow(self, event: AttemptEvent | AttemptsTold | ChunkSettled) -> None:
        match event:
            case AttemptsTold(events=events):
                for each in events:
                    self._follow(each)
            case AttemptProgressed():
                self._attempts.progressed(event)
            case AttemptFinished():
                self._attempts.finished(event)
            case AttemptFailed():
                self._attempts.failed(event)
            case AttemptLost():
                self._attempts.lost(event)
            case ChunkSettled():
                self._attempts.settled(event)
            case _:
                assert_never(event)

    def _track(self, name: str) -> None:
        """Look after a job; `TrackDue` also comes between its regular times, when an open task has become due."""
        job = self._desk.jobs.get(name)
        if job is None:
            self._intake.retry(name)
            return
        self._desk.touch(job)
        if self._desk.now < job.tracked_at + self._desk.settings.track_interval_s or job.retired is not None:
            return
        self._pulse.look(job)
        self._clients.look(job)
        job.tracked_at = self._desk.now
        self._attempts.retry(job)
        self._tracking.retry(job)
        self._intake.ask_around(job)
        self._desk.wake(self._retention.next_look_s(job), TrackDue(job=name))

    # --- after every event ---

    def _settle(self) -> None:
        self._kills.carry_out()
        touched = self._desk.take_touched()
        for job in touched:
            self._tracking.watch(job)
            self._attempts.reconsider(job)
            self._tracking.advance(job)
            job.note_state(self._desk.now)
        if touched:
            self._work.fill()
        for job in self._desk.take_touched():
            job.note_state(self._desk.now)
        for job in touched:
            self._retire(job)
        if touched:
            self._count_votes()
        self._spread()
        self._watchers.answer()

    def _count_votes(self) -> None:
        """Tell the ring when it has changed how many jobs this peer still has to vote on."""
        desk = self._desk
        owed = sum(job.live and desk.me in job.record.electorate for job in desk.jobs.values())
        if owed != self._votes_owed:
            self._votes_owed = owed
            desk.emit(OweVotes(jobs=owed))

    def _retire(self, job: Job) -> None:
        for forgotten in self._retention.look(job):
            self._forget(forgotten)

    def _forget(self, job: str) -> None:
        self._tracking.forget(job)
        self._work.forget(job)
        self._watchers.forget(job)
        self._clients.forget(job)

    def _spread(self) -> None:
        desk = self._desk
        for box, send in ((desk.outbox, desk.flush), (desk.relayed, desk.pass_on)):
            if box.waiting and box.due <= desk.now:
                send()
            elif box.waiting and box.due < box.armed_for:
                box.armed_for = box.due
                desk.emit(WakeSchedulingAt(at=box.due, event=SpreadDue()))
