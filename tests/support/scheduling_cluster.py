"""Run whole flocks of scheduling machines in virtual time, with a ring and executors made of dictionaries."""

import heapq
from collections import Counter
from hashlib import blake2b
from itertools import count
from random import Random
from typing import Any

import msgspec

from murmuration.ring.facts import Liveness, Standing, Update
from murmuration.ring.terms import REFUTATION_BITS, Instant, Member, PeerId, Source
from murmuration.scheduling import effects as out
from murmuration.scheduling import events as ev
from murmuration.scheduling.jobs import (
    ChunkRef,
    InputFile,
    JobEnding,
    JobRecord,
    JobSpec,
    JobState,
    Phase,
    Program,
    Split,
    TaskReport,
    UserError,
    job_key,
)
from murmuration.scheduling.machine import Scheduling
from murmuration.scheduling.messages import Attempt, JobNews, SchedulingMessage
from murmuration.scheduling.replica.decisions import decode_record
from murmuration.scheduling.settings import SchedulingSettings

SETTINGS = SchedulingSettings(vnodes=64)
SUSPECTED_AFTER_S, DEAD_AFTER_S = 0.8, 2.5
JOB = "00000000000000aa"


def peer_id(number: int) -> PeerId:
    return PeerId(blake2b(str(number).encode(), digest_size=16).hexdigest())


def job_record(
    splits: int, reducers: int = 2, job: str = JOB, output: str = "out", *, chunks: bool = False, **spec: Any
) -> JobRecord:
    refs = tuple(ChunkRef(blake2b(str(at).encode()).digest()[:32], 100, 5) for at in range(splits)) if chunks else ()
    source = None if chunks else Source(url="tcp://client", ref="books")
    file = InputFile("books.txt", 100 * splits, source=source, chunks=refs)
    return JobRecord(
        id=job,
        spec=JobSpec("count", Program("source", "p.py", b"pass"), output, reducers, 100, **spec),
        files=(file,),
        splits=tuple(Split(0, 100 * at, 100 * at + 100, 1 + 5 * at) for at in range(splits)),
        submitted_at=1.5,
    )


class Cluster:
    """Machines, a ring that remembers, executors that take `task_s` a task, and links with delay and loss."""

    def __init__(
        self,
        peers: int,
        seed: int = 1,
        slots: int = 2,
        loss: float = 0.0,
        task_s: float = 0.1,
        settings: SchedulingSettings = SETTINGS,
    ) -> None:
        self.settings = settings
        self.rng = Random(seed)
        self.now, self.loss, self.task_s, self.slots = 0.0, loss, task_s, slots
        self._heap: list[tuple[float, int, PeerId, int, Any]] = []
        self._order = count()
        self.events = 0
        self.peers = [peer_id(number) for number in range(peers)]
        self.names = {peer: f"p{number}" for number, peer in enumerate(self.peers)}
        self.starts = dict.fromkeys(self.peers, 0)
        self.machines: dict[PeerId, Scheduling] = {}
        self.records: dict[bytes, bytes] = {}
        self.registers: dict[tuple[str, str], bytes] = {}
        self.begun: list[tuple[float, PeerId, Phase, int, Attempt]] = []
        self.finished: Counter[tuple[Phase, int]] = Counter()
        self.counted: dict[Attempt, TaskReport] = {}
        self.stopped: set[Attempt] = set()
        self.answers: dict[str, out.SchedulingAnswer] = {}
        self.answered_at: dict[str, float] = {}
        self.told: Counter[str] = Counter()
        self.dismissed: Counter[str] = Counter()
        self.forgotten: Counter[str] = Counter()
        self.votes_owed: Counter[PeerId] = Counter()
        self.broken: dict[tuple[Phase, int], UserError] = {}
        self.lost_runs: set[Attempt] = set()
        self.unreachable: set[int] = set()
        self.nondeterministic = False
        self.slowed: dict[PeerId, float] = {}
        """How many times as long tasks take at some peers."""
        self.fetch_s = 0.0
        """How long it takes until the input of an attempt is there."""
        self.prepared: dict[Attempt, float] = {}
        """When the input of which attempts was asked for ahead."""
        self.counters = {"lines": 5, "attempts": 1}
        """What each attempt counts."""
        self.skips: list[tuple[int, ...] | None] = []
        """What the attempts were told to leave out, in the order of their ends."""
        self.side_files = 0
        """How many files each attempt writes beside its output."""
        self.progress_steps = 2
        """In how many steps an attempt goes on; each but the last is told."""
        self.placing_fails = 0
        self.storing_fails: Counter[bytes] = Counter()
        self.unreadable = ""
        """Why the ring cannot be read."""
        self.searched = 0
        self.asked: Counter[str] = Counter()
        """How often others have asked a tracker whether it is at work."""
        self.delay_s = 0.002
        self.cut_off: set[PeerId] = set()
        """Peers that no message comes from, or reaches, whatever others believe of them."""
        self.frozen: dict[PeerId, list[out.SchedulingEffect]] = {}
        for peer in self.peers:
            self.start(peer)

    # --- life and death ---

    def start(self, peer: PeerId, met_after_s: float = 0.0) -> None:
        """Start a peer; until it has met the others it holds them for suspect, as its own disk remembers them."""
        self.starts[peer] += 1
        incarnation = self.starts[peer] << REFUTATION_BITS
        self.machines[peer] = Scheduling(
            peer, incarnation, self.slots, self.settings, Random(f"{peer}{self.starts[peer]}")
        )
        for other in self.machines:
            if met_after_s and other != peer:
                remembered = self._update(other, Liveness.SUSPECT, refutations=-1)
                for effect in self.machines[peer].handle(Instant(self.now), ev.MemberSeen(update=remembered)):
                    self._perform(peer, effect)
            self._post(met_after_s, peer, ev.MemberSeen(update=self._update(other, Liveness.ALIVE)))
            self._post(0.001, other, ev.MemberSeen(update=self._update(peer, Liveness.ALIVE)))
        self._post(0.0, peer, ev.SchedulingStarted())

    def kill(self, peer: PeerId) -> None:
        del self.machines[peer]
        for other in self.machines:
            self._post(SUSPECTED_AFTER_S, other, ev.MemberSeen(update=self._update(peer, Liveness.SUSPECT)))
            self._post(DEAD_AFTER_S, other, ev.MemberSeen(update=self._update(peer, Liveness.DEAD)))

    def believe(self, peer: PeerId, liveness: Liveness, refutations: int = 0) -> None:
        for other in self.machines:
            if other != peer:
                self._post(0.0, other, ev.MemberSeen(update=self._update(peer, liveness, refutations)))

    def announce_leave(self, peer: PeerId) -> None:
        leaving = msgspec.structs.replace(self._update(peer, Liveness.ALIVE), standing=Standing.LEAVING, epoch=1)
        for hearer in self.machines:
            self._post(0.0, hearer, ev.MemberSeen(update=leaving))

    def _update(self, peer: PeerId, liveness: Liveness, refutations: int = 0) -> Update:
        member = Member(peer, self.names[peer], "tcp://a", "tcp://b", "host", "/d", workers=self.slots)
        return Update(member, liveness, (self.starts[peer] << REFUTATION_BITS) + refutations)

    # --- running ---

    def _post(self, delay_s: float, peer: PeerId, event: Any) -> None:
        heapq.heappush(self._heap, (self.now + delay_s, next(self._order), peer, self.starts[peer], event))

    def submit(self, record: JobRecord, at: int = 0, request: str = "submit") -> None:
        self._post(0.01, self.peers[at], ev.JobSubmitted(request=request, record=record))

    def do(self, peer: PeerId, event: Any) -> None:
        self._post(0.0, peer, event)

    def run_until(self, reached: Any, limit_s: float = 60.0) -> None:
        end = self.now + limit_s
        while not reached():
            assert self._heap and self._heap[0][0] <= end, self.story()
            self.step()

    def run_for(self, seconds: float) -> None:
        end = self.now + seconds
        while self._heap and self._heap[0][0] <= end:
            self.step()
        self.now = end

    def stand_still(self, seconds: float) -> None:
        """Let time pass with all processes and links stopped, as on a machine that sleeps."""
        self.now += seconds
        self._heap = [(at + seconds, *rest) for at, *rest in self._heap]

    def step(self) -> None:
        self.now, _, peer, start, event = heapq.heappop(self._heap)
        machine = self.machines.get(peer)
        if machine is None or self.starts[peer] != start or self._is_stale(event):
            return
        if isinstance(event, tuple):
            event = self._outcome(peer, *event)
        if event is not None:
            for effect in machine.handle(Instant(self.now), event):
                self._perform(peer, effect)
            self.events += 1
            if self.events % (2 * len(self.peers)) == 0:
                machine.check()

    def _is_stale(self, event: Any) -> bool:
        if not isinstance(event, ev.MemberSeen):
            return False
        return event.update.incarnation >> REFUTATION_BITS < self.starts[PeerId(event.update.member.id)]

    def story(self) -> str:
        lines = [f"at {self.now:.3f} s"]
        for peer, machine in self.machines.items():
            for job in machine.jobs.values():
                events = [f"{event.at:.3f} {event.text}" for event in job.events]
                lines.append(f"{self.names[peer]}: {job.state.title} epoch {job.epoch}: {events}")
        return "\n".join(lines)

    def job(self, peer: PeerId, job: str = JOB) -> Any:
        return self.machines[peer].jobs.get(job)

    def all_in(self, state: JobState, job: str = JOB) -> bool:
        return all((seen := self.job(peer, job)) is not None and seen.state is state for peer in self.machines)

    def done(self) -> bool:
        return self.all_in(JobState.DONE)

    def tasks_done(self) -> int:
        some = next(iter(self.machines))
        job = self.job(some)
        return 0 if job is None else sum(len(board.results) for board in job.boards.values())

    # --- the world ---

    def _perform(self, peer: PeerId, effect: out.SchedulingEffect) -> None:  # noqa: C901 -- one case an effect
        if peer in self.frozen and self._is_said_by_tracker(peer, effect):
            self.frozen[peer].append(effect)
            return
        match effect:
            case out.Tell():
                self._carry(peer, effect)
            case out.WakeSchedulingAt():
                self._post(max(0.0, effect.at - self.now), peer, effect.event)
            case out.FindRecord():
                self._find(peer, effect)
            case out.FindOutput():
                written = effect.key in self.records and not self.unreadable
                self._post(0.002, peer, ev.OutputFound(job=effect.job, written=written, error=self.unreadable))
            case out.StoreRecord():
                self._store(peer, effect)
            case out.Decide():
                self._post(0.003, peer, ("decide", effect))
            case out.StartAttempts(starts=starts):
                self._begin(peer, starts)
            case out.PrepareAttempts(starts=starts):
                self.prepared.update((start.attempt, self.now) for start in starts)
            case out.StopAttempt():
                self.stopped.add(effect.attempt)
            case out.PlaceChunk():
                self._place(peer, effect)
            case out.DismissJob():
                self.dismissed[effect.job] += 1
            case out.ForgetJob():
                self.forgotten[effect.job] += 1
            case out.OweVotes():
                self.votes_owed[peer] = effect.jobs
            case out.Answer():
                self.answers[effect.request] = effect.answer
                self.answered_at[effect.request] = self.now

    def _find(self, peer: PeerId, effect: out.FindRecord) -> None:
        self.searched += 1
        value = None if self.unreadable else self.records.get(job_key(effect.job))
        self._post(0.002, peer, ev.RecordFound(job=effect.job, value=value, error=self.unreadable))

    def _begin(self, peer: PeerId, starts: tuple[out.StartAttempt, ...]) -> None:
        task_s = self.task_s * self.slowed.get(peer, 1.0)
        fetched_at = self.prepared.get(starts[0].attempt, self.now) + self.fetch_s
        begun_s = max(0.0, fetched_at - self.now)
        for start in starts:
            self.begun.append((self.now, peer, start.phase, start.task, start.attempt))
            for step in range(1, self.progress_steps):
                fraction = step / self.progress_steps
                progressed = ev.AttemptProgressed(attempt=start.attempt, fraction=fraction)
                self._post(begun_s + task_s * fraction, peer, progressed)
            begun_s += task_s * self.rng.uniform(0.8, 1.2)
            self._post(begun_s, peer, ("execute", start))

    def _place(self, peer: PeerId, effect: out.PlaceChunk) -> None:
        self.placing_fails -= 1
        error = "no quorum" if self.placing_fails >= 0 else ""
        self._post(0.002, peer, ev.ChunkSettled(request=effect.request, error=error))

    def freeze_tracker(self, peer: PeerId) -> None:
        """Keep back what the tracker role of a peer says; all else of it goes on."""
        self.frozen[peer] = []

    def thaw_tracker(self, peer: PeerId) -> None:
        for effect in self.frozen.pop(peer):
            self._perform(peer, effect)

    def _is_said_by_tracker(self, peer: PeerId, effect: out.SchedulingEffect) -> bool:
        match effect:
            case out.Tell(message=JobNews(tracker=tracker)):
                return tracker == peer
            case out.Decide(value=value):
                return value is not None
            case out.StoreRecord(job=job, key=key):
                return key != job_key(job)
            case _:
                return False

    def _carry(self, sender: PeerId, tell: out.Tell) -> None:
        assert tell.to != sender
        frame = msgspec.msgpack.encode(tell.message)
        self.told[type(tell.message).__name__] += 1
        if isinstance(tell.message, JobNews) and tell.message.brief and tell.message.tracker == tell.to:
            self.asked[tell.to] += 1
        message: SchedulingMessage = msgspec.msgpack.decode(frame, type=SchedulingMessage)
        for copies in range(1 + (self.rng.random() < self.loss)):
            if self.rng.random() >= self.loss and not {sender, tell.to} & self.cut_off:
                received = ev.SchedulingMessageReceived(sender=sender, message=message)
                self._post(self.rng.uniform(0.0005, self.delay_s) + 0.1 * copies, tell.to, received)

    def _store(self, peer: PeerId, effect: out.StoreRecord) -> None:
        self.storing_fails[effect.key] -= 1
        if self.storing_fails[effect.key] >= 0:
            self._post(0.004, peer, ev.RecordStored(job=effect.job, key=effect.key, error="no quorum"))
            return
        self.records[effect.key] = effect.value
        if effect.key == job_key(effect.job):
            for replica in decode_record(effect.value).electorate:
                self._post(0.002, PeerId(replica), ev.RecordFound(job=effect.job, value=effect.value))
        self._post(0.004, peer, ev.RecordStored(job=effect.job, key=effect.key, error=""))

    def _outcome(self, peer: PeerId, what: str, effect: Any) -> Any:
        return self._decide(peer, effect) if what == "decide" else self._execute(peer, effect)

    def _decide(self, peer: PeerId, effect: out.Decide) -> Any:
        if 2 * sum(acceptor in self.machines for acceptor in effect.acceptors) <= len(effect.acceptors):
            self._post(0.2, peer, ("decide", effect))
            return None
        if effect.value is None:
            value = self.registers.get((effect.job, effect.which))
        else:
            value = self.registers.setdefault((effect.job, effect.which), effect.value)
        return ev.RegisterDecided(job=effect.job, which=effect.which, value=value)

    def _execute(self, peer: PeerId, effect: out.StartAttempt) -> Any:
        attempt, key = effect.attempt, (effect.phase, effect.task)
        if attempt in self.stopped:
            return None
        self.skips.append(effect.skip)
        if key in self.broken:
            return ev.AttemptFailed(attempt=attempt, error=self.broken[key])
        if effect.phase is Phase.MAP and effect.task in self.unreachable:
            return ev.AttemptLost(attempt=attempt, reason="the client does not answer")
        if missing := self._missing(effect):
            return ev.AttemptLost(attempt=attempt, reason="runs are gone", missing=missing)
        salt = str(attempt) if self.nondeterministic else ""
        digest = blake2b(f"{effect.record.id}{key}{salt}".encode(), digest_size=32).digest()
        report = TaskReport(digest, 5, 5, 100, 10, self.task_s * self.slowed.get(peer, 1.0), self.counters)
        self.finished[key] += 1
        self.counted[attempt] = report
        placed = effect.phase is Phase.REDUCE or not effect.record.partitions
        placed |= effect.record.spec.intermediate_replicas > 1
        source = Source(url="tcp://b", ref="part")
        outputs = (ev.LocalOutput(digest=digest, size=10, newlines=1, source=source),) if placed else ()
        piece = ev.LocalOutput(digest=digest, size=3, newlines=1, source=source)
        side = tuple(ev.LocalSideFile(name=f"n{at}.txt", pieces=(piece,)) for at in range(self.side_files))
        return ev.AttemptFinished(attempt=attempt, report=report, outputs=outputs, side=side)

    def _missing(self, effect: out.StartAttempt) -> tuple[int, ...]:
        if effect.seal is None:
            return ()
        runs = {split: [winner.attempt] for split, winner in enumerate(effect.seal.winners)}
        for split, attempt in effect.remade:
            runs[split].append(attempt)
        copied = dict(effect.copies)
        lost = (split for split, attempts in runs.items() if self.lost_runs.issuperset(attempts))
        return tuple(split for split in lost if split not in copied)

    # --- what must hold ---

    def ending(self, job: str = JOB) -> JobEnding:
        endings = {machine.jobs[job].ending_value for machine in self.machines.values()}
        assert len(endings) == 1, "all peers know one ending"
        ending: JobEnding = self.job(next(iter(self.machines)), job).ending
        return ending

    def assert_exact(self, record: JobRecord) -> None:
        ending = self.ending(record.id)
        tasks = len(record.splits) + record.partitions
        prefix, parts = ("part-r", record.partitions) if record.partitions else ("part-m", len(record.splits))
        assert [part.name for part in ending.parts] == [f"{prefix}-{at:05d}" for at in range(parts)]
        assert ending.counters == {"lines": 5 * tasks, "attempts": tasks}, self.story()
