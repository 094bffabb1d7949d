"""Whole flocks of scheduling machines in virtual time, with a ring and executors made of dictionaries."""

import heapq
from collections import Counter
from hashlib import blake2b
from itertools import count
from random import Random
from typing import Any

import msgspec
import pytest

from murmuration.ring.messages import Liveness, Update
from murmuration.ring.terms import REFUTATION_BITS, Instant, Member, PeerId, Source
from murmuration.scheduling import effects as out
from murmuration.scheduling import events as ev
from murmuration.scheduling.decisions import decode_record
from murmuration.scheduling.jobs import (
    ChunkRef,
    InputFile,
    JobEnding,
    JobRecord,
    JobSpec,
    JobState,
    Manifest,
    Phase,
    Program,
    Split,
    TaskReport,
    UserError,
    job_key,
)
from murmuration.scheduling.machine import Scheduling
from murmuration.scheduling.messages import Attempt, JobNews, SchedulingMessage, Stage
from murmuration.scheduling.settings import SchedulingSettings

SETTINGS = SchedulingSettings(vnodes=64)
SUSPECTED_AFTER_S, DEAD_AFTER_S = 0.8, 2.5
JOB = "00000000000000aa"


def peer_id(number: int) -> PeerId:
    return PeerId(blake2b(str(number).encode(), digest_size=16).hexdigest())


def job_record(
    splits: int, reducers: int = 2, job: str = JOB, output: str = "out", chunks: bool = False, **spec: Any
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
        self.forgotten: Counter[str] = Counter()
        self.broken: dict[tuple[Phase, int], UserError] = {}
        self.lost_runs: set[Attempt] = set()
        self.unreachable: set[int] = set()
        self.nondeterministic = False
        self.placing_fails = 0
        self.storing_fails: Counter[bytes] = Counter()
        for peer in self.peers:
            self.start(peer)

    # --- life and death ---

    def start(self, peer: PeerId) -> None:
        self.starts[peer] += 1
        incarnation = self.starts[peer] << REFUTATION_BITS
        self.machines[peer] = Scheduling(peer, incarnation, self.slots, self.settings, Random(f"{peer}{self.starts[peer]}"))
        for other in self.machines:
            self._post(0.0, peer, ev.MemberSeen(update=self._update(other, Liveness.ALIVE)))
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

    def _perform(self, peer: PeerId, effect: out.SchedulingEffect) -> None:
        match effect:
            case out.Tell():
                self._carry(peer, effect)
            case out.WakeSchedulingAt():
                self._post(max(0.0, effect.at - self.now), peer, effect.event)
            case out.FindRecord():
                self._post(0.002, peer, ev.RecordFound(job=effect.job, value=self.records.get(job_key(effect.job))))
            case out.StoreRecord():
                self._store(peer, effect)
            case out.Decide():
                self._post(0.003, peer, ("decide", effect))
            case out.StartAttempt():
                self.begun.append((self.now, peer, effect.phase, effect.task, effect.attempt))
                half = ev.AttemptProgressed(attempt=effect.attempt, fraction=0.5)
                self._post(self.task_s / 2, peer, half)
                self._post(self.task_s * self.rng.uniform(0.8, 1.2), peer, ("execute", effect))
            case out.StopAttempt():
                self.stopped.add(effect.attempt)
            case out.PlaceChunk():
                self.placing_fails -= 1
                error = "no quorum" if self.placing_fails >= 0 else ""
                self._post(0.002, peer, ev.ChunkSettled(request=effect.request, error=error))
            case out.ForgetJob():
                self.forgotten[effect.job] += 1
            case out.Answer():
                self.answers[effect.request] = effect.answer
                self.answered_at[effect.request] = self.now

    def _carry(self, sender: PeerId, tell: out.Tell) -> None:
        assert tell.to != sender
        frame = msgspec.msgpack.encode(tell.message)
        self.told[type(tell.message).__name__] += 1
        message: SchedulingMessage = msgspec.msgpack.decode(frame, type=SchedulingMessage)
        for copies in range(1 + (self.rng.random() < self.loss)):
            if self.rng.random() >= self.loss:
                received = ev.SchedulingMessageReceived(sender=sender, message=message)
                self._post(self.rng.uniform(0.0005, 0.002) + 0.1 * copies, tell.to, received)

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
        return self._decide(peer, effect) if what == "decide" else self._execute(effect)

    def _decide(self, peer: PeerId, effect: out.Decide) -> Any:
        if 2 * sum(acceptor in self.machines for acceptor in effect.acceptors) <= len(effect.acceptors):
            self._post(0.2, peer, ("decide", effect))
            return None
        value = self.registers.setdefault((effect.job, effect.which), effect.value)
        return ev.RegisterDecided(job=effect.job, which=effect.which, value=value)

    def _execute(self, effect: out.StartAttempt) -> Any:
        attempt, key = effect.attempt, (effect.phase, effect.task)
        if attempt in self.stopped:
            return None
        if key in self.broken:
            return ev.AttemptFailed(attempt=attempt, error=self.broken[key])
        if effect.phase is Phase.MAP and effect.task in self.unreachable:
            return ev.AttemptLost(attempt=attempt, reason="the client does not answer")
        if missing := self._missing(effect):
            return ev.AttemptLost(attempt=attempt, reason="runs are gone", missing=missing)
        salt = str(attempt) if self.nondeterministic else ""
        digest = blake2b(f"{effect.record.id}{key}{salt}".encode(), digest_size=32).digest()
        report = TaskReport(digest, 5, 5, 100, 10, self.task_s, {"lines": 5, "attempts": 1})
        self.finished[key] += 1
        self.counted[attempt] = report
        final = effect.phase is Phase.REDUCE or not effect.record.partitions
        source = Source(url="tcp://b", ref="part")
        outputs = (ev.LocalOutput(digest=digest, size=10, newlines=1, source=source),) if final else ()
        return ev.AttemptFinished(attempt=attempt, report=report, outputs=outputs)

    def _missing(self, effect: out.StartAttempt) -> tuple[int, ...]:
        if effect.seal is None:
            return ()
        runs = {split: [winner.attempt] for split, winner in enumerate(effect.seal.winners)}
        for split, attempt in effect.remade:
            runs[split].append(attempt)
        return tuple(split for split, attempts in runs.items() if self.lost_runs.issuperset(attempts))

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


@pytest.mark.parametrize("peers", [1, 3, 5])
@pytest.mark.parametrize("chunks", [False, True])
def test_job_without_faults_runs_each_task_exactly_once(peers: int, chunks: bool) -> None:
    cluster = Cluster(peers)
    record = job_record(20, 3, chunks=chunks)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    assert cluster.answers["submit"] == out.JobAccepted(job=JOB)
    assert set(cluster.finished.values()) == {1}
    assert len(cluster.begun) <= 24
    cluster.assert_exact(record)


def test_job_of_one_split_passes_in_little_more_than_its_tasks_take() -> None:
    cluster = Cluster(3, task_s=0.001)
    cluster.submit(job_record(1, 1))
    cluster.run_until(cluster.done)
    assert cluster.now < 0.01 + 0.1
    assert sum(cluster.told.values()) < 30


def test_work_without_faults_is_shared_by_all_peers() -> None:
    cluster = Cluster(5)
    cluster.submit(job_record(100, 5))
    cluster.run_until(cluster.done)
    shares = Counter(peer for _, peer, *_ in cluster.begun)
    assert min(shares[peer] for peer in cluster.peers) >= 12
    assert cluster.now < 1.3 * 0.1 * (105 / 10) + 0.2


def test_splits_of_ring_files_are_mapped_from_own_disk() -> None:
    cluster = Cluster(8)
    cluster.submit(job_record(80, 2, chunks=True))
    cluster.run_until(cluster.done)
    cluster.do(cluster.peers[3], ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_for(0.1)
    answer = cluster.answers["s"]
    assert isinstance(answer, out.JobSeen)
    assert answer.status.bytes == answer.status.bytes_total == 8000
    assert answer.status.local_bytes > 7000
    assert sum(lane.tasks_done for lane in answer.status.lanes) == 82


def test_map_only_job_ends_without_a_seal() -> None:
    cluster = Cluster(3)
    record = job_record(7, 0)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert (JOB, "map") not in cluster.registers


@pytest.mark.parametrize("reducers", [0, 2])
def test_job_without_splits_ends(reducers: int) -> None:
    cluster = Cluster(2)
    record = job_record(0, reducers)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    assert len(cluster.ending().parts) == reducers


def test_padi_output_names_count_from_one() -> None:
    cluster = Cluster(2)
    cluster.submit(job_record(3, 0, output_names="padi"))
    cluster.run_until(cluster.done)
    assert [part.name for part in cluster.ending().parts] == ["1.out", "2.out", "3.out"]


@pytest.mark.parametrize("seed", range(4))
def test_tracker_killed_half_way_is_succeeded_at_epoch_two_and_nothing_done_is_redone(seed: int) -> None:
    cluster = Cluster(5, seed)
    record = job_record(40, 4)
    cluster.submit(record)
    cluster.run_until(lambda: cluster.tasks_done() >= 20)
    cluster.run_for(0.02)
    tracker = cluster.peers[0]
    witness = cluster.job(cluster.peers[1])
    done = {split for split in range(40) if split in witness.boards[Phase.MAP].results}
    killed_at = cluster.now
    cluster.kill(tracker)
    cluster.run_until(cluster.done)
    assert {cluster.job(peer).epoch for peer in cluster.machines} == {2}
    assert not {task for at, _, phase, task, _ in cluster.begun if at > killed_at and phase is Phase.MAP} & done
    new = cluster.names[cluster.job(cluster.peers[1]).tracker]
    texts = [event.text for event in cluster.job(cluster.peers[1]).events]
    assert f"tracker moved from p0 to {new} (epoch 2)" in texts
    cluster.assert_exact(record)
    assert cluster.now < killed_at + 5.0


@pytest.mark.parametrize("seed", range(3))
def test_two_peers_killed_one_after_the_other_the_job_still_ends_exactly(seed: int) -> None:
    cluster = Cluster(5, seed)
    record = job_record(60, 4)
    cluster.submit(record)
    cluster.run_until(lambda: cluster.tasks_done() >= 20)
    cluster.kill(cluster.peers[0])
    cluster.run_until(lambda: cluster.job(cluster.peers[3]).epoch == 2)
    tracker = PeerId(cluster.job(cluster.peers[3]).tracker)
    cluster.kill(tracker)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert {cluster.job(peer).epoch for peer in cluster.machines} == {3}


def test_tracker_killed_before_it_announces_is_succeeded_by_who_saw_the_record() -> None:
    cluster = Cluster(5)
    record = job_record(5, 1)
    cluster.submit(record)
    cluster.run_until(lambda: job_key(JOB) in cluster.records)
    cluster.kill(cluster.peers[0])
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


def test_tracker_that_restarts_at_once_without_memory_is_succeeded() -> None:
    cluster = Cluster(3)
    record = job_record(30, 2)
    cluster.submit(record)
    cluster.run_until(lambda: cluster.tasks_done() >= 10)
    cluster.start(cluster.peers[0])
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert cluster.job(cluster.peers[1]).epoch >= 2


def test_peer_that_joins_half_way_takes_part() -> None:
    cluster = Cluster(2)
    record = job_record(60, 2)
    cluster.submit(record)
    cluster.run_until(lambda: cluster.tasks_done() >= 10)
    late = peer_id(99)
    cluster.names[late], cluster.starts[late] = "late", 0
    cluster.start(late)
    cluster.run_until(cluster.done)
    assert sum(peer == late for _, peer, *_ in cluster.begun) >= 5
    cluster.assert_exact(record)


def test_wrongly_suspected_peer_comes_back_and_the_job_ends_exactly() -> None:
    cluster = Cluster(3, task_s=0.5)
    record = job_record(12, 2)
    cluster.submit(record)
    cluster.run_for(0.2)
    cluster.believe(cluster.peers[1], Liveness.SUSPECT)
    cluster.run_for(0.2)
    cluster.believe(cluster.peers[1], Liveness.ALIVE, refutations=1)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    texts = [event.text for event in cluster.job(cluster.peers[0]).events]
    assert any(text.startswith("p1 is suspected with split") for text in texts)
    assert any(text.startswith("p1 is back with split") for text in texts)


def test_kill_stops_all_attempts_everywhere_at_once() -> None:
    cluster = Cluster(5, task_s=30.0)
    cluster.submit(job_record(40))
    cluster.run_for(1.0)
    begun = {attempt for *_, attempt in cluster.begun}
    assert len(begun) == 10
    cluster.do(cluster.peers[3], ev.KillRequested(request="kill", job=JOB))
    cluster.run_until(lambda: cluster.all_in(JobState.KILLED), limit_s=0.1)
    assert cluster.answers["kill"] == out.JobAccepted(job=JOB)
    assert cluster.stopped == begun
    cluster.run_for(5.0)
    assert len(cluster.begun) == 10


def test_kill_of_an_unknown_job_is_answered_so() -> None:
    cluster = Cluster(1)
    cluster.do(cluster.peers[0], ev.KillRequested(request="kill", job="00000000000000ff"))
    cluster.run_for(0.1)
    assert cluster.answers["kill"] == out.JobUnknown()


@pytest.mark.parametrize("peers", [1, 4])
def test_user_error_fails_the_job_after_its_budget(peers: int) -> None:
    cluster = Cluster(peers)
    error = UserError("ValueError", "bad line", "Traceback", line=17, record="x,y")
    cluster.broken[Phase.MAP, 3] = error
    cluster.submit(job_record(8))
    cluster.run_until(lambda: cluster.all_in(JobState.FAILED))
    assert cluster.ending().error == error
    assert cluster.ending().split == 3
    failed = [peer for _, peer, phase, task, _ in cluster.begun if (phase, task) == (Phase.MAP, 3)]
    assert len(failed) == 4
    assert len(set(failed)) == min(peers, 4), "each failure is followed by a try elsewhere"


def test_program_that_does_not_load_fails_the_job_at_once() -> None:
    cluster = Cluster(3)
    cluster.broken = {(Phase.MAP, split): UserError("SyntaxError", "invalid syntax") for split in range(20)}
    cluster.submit(job_record(20))
    cluster.run_until(lambda: cluster.all_in(JobState.FAILED))
    assert len(cluster.begun) <= 12


def test_death_of_peers_never_uses_the_budget_of_user_errors() -> None:
    cluster = Cluster(6, task_s=2.0, slots=1)
    record = job_record(1, 1, max_attempts=1)
    cluster.submit(record, at=5)
    for _ in range(3):
        begun = len(cluster.begun)
        cluster.run_until(lambda begun=begun: len(cluster.begun) > begun)
        cluster.run_for(0.1)
        runner = cluster.begun[-1][1]
        cluster.kill(runner)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


def test_lost_run_is_made_again_and_only_that() -> None:
    cluster = Cluster(4)
    record = job_record(12, 3)
    cluster.submit(record)
    cluster.run_until(lambda: (JOB, "map") in cluster.registers)
    winner = next(attempt for _, _, phase, task, attempt in cluster.begun if (phase, task) == (Phase.MAP, 4))
    cluster.lost_runs.add(winner)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert cluster.finished[Phase.MAP, 4] == 2
    assert sum(done for (phase, _), done in cluster.finished.items() if phase is Phase.MAP) == 13
    assert any("run of split 4" in event.text for event in cluster.job(cluster.peers[1]).events)


def test_run_that_comes_out_different_when_made_again_fails_the_job() -> None:
    cluster = Cluster(4)
    cluster.nondeterministic = True
    cluster.submit(job_record(6, 2))
    cluster.run_until(lambda: (JOB, "map") in cluster.registers)
    cluster.lost_runs.add(cluster.begun[0][-1])
    cluster.run_until(lambda: cluster.all_in(JobState.FAILED))
    error = cluster.ending().error
    assert error is not None
    assert error.kind == "NonDeterministicProgram"
    assert error.hint


@pytest.mark.parametrize("seed", range(4))
def test_fifth_of_all_messages_lost_or_doubled_the_job_still_ends_exactly(seed: int) -> None:
    cluster = Cluster(5, seed, loss=0.2)
    record = job_record(30, 3)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


@pytest.mark.parametrize("seed", range(3))
def test_messages_lost_and_peers_killed_and_restarted_the_job_still_ends_exactly(seed: int) -> None:
    cluster = Cluster(6, seed, loss=0.1)
    record = job_record(60, 3)
    cluster.submit(record)
    cluster.run_until(lambda: cluster.tasks_done() >= 10)
    cluster.kill(cluster.peers[0])
    cluster.kill(cluster.peers[1])
    cluster.run_for(1.0)
    cluster.start(cluster.peers[1])
    cluster.run_for(0.3)
    cluster.start(cluster.peers[2])
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


def test_many_peers_spread_claims_epidemically_with_few_duplicates() -> None:
    cluster = Cluster(18, task_s=0.3, settings=SchedulingSettings(vnodes=64, direct_peers_max=16))
    record = job_record(80, 10)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert len(cluster.begun) <= 1.04 * 90
    assert max(cluster.finished.values()) <= 2


def test_few_peers_make_hardly_any_duplicates() -> None:
    begun = 0
    for seed in range(5):
        cluster = Cluster(5, seed)
        cluster.submit(job_record(60, 5))
        cluster.run_until(cluster.done)
        begun += len(cluster.begun)
    assert begun <= 1.01 * 5 * 65


def test_loser_of_two_claims_stops_and_the_winner_is_the_same_everywhere() -> None:
    cluster = Cluster(2, slots=1, task_s=0.5)
    cluster.loss = 1.0
    record = job_record(1, 0)
    cluster.submit(record)
    cluster.run_until(lambda: len(cluster.begun) == 1 or cluster.now > 0.1)
    for peer in cluster.peers:
        if cluster.job(peer).epoch == 0:
            news = cluster.job(cluster.peers[0]).news()
            cluster.do(peer, ev.SchedulingMessageReceived(sender=cluster.peers[0], message=news))
    cluster.run_until(lambda: len(cluster.begun) == 2)
    cluster.loss = 0.0
    cluster.run_until(cluster.done)
    assert len(cluster.stopped) == 1
    assert cluster.finished[Phase.MAP, 0] == 1


def test_output_in_the_ring_is_stored_before_anybody_hears_that_the_job_is_done() -> None:
    cluster = Cluster(3)
    cluster.storing_fails[b"fs/counts"] = 2
    record = job_record(4, 2, output="ring:/counts/")
    cluster.submit(record)
    cluster.run_until(lambda: cluster.all_in(JobState.COMMITTING))
    cluster.run_until(lambda: any(cluster.job(peer).state is JobState.DONE for peer in cluster.peers))
    manifest = msgspec.msgpack.decode(cluster.records[b"fs/counts"], type=Manifest)
    assert manifest == Manifest(cluster.job(cluster.peers[0]).ending.parts, True, 1.5, JOB)
    cluster.run_until(cluster.done)


def test_tracker_killed_between_decision_and_manifest_its_successor_commits_the_same() -> None:
    cluster = Cluster(5)
    cluster.storing_fails[b"fs/counts"] = 1
    record = job_record(4, 2, output="ring:/counts")
    cluster.submit(record)
    cluster.run_until(lambda: (JOB, "end") in cluster.registers)
    cluster.kill(cluster.peers[0])
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert msgspec.msgpack.decode(cluster.records[b"fs/counts"], type=Manifest).files == cluster.ending().parts


def test_output_that_cannot_be_placed_at_first_is_tried_again() -> None:
    cluster = Cluster(2)
    cluster.placing_fails = 3
    record = job_record(3, 1)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    assert cluster.finished[Phase.REDUCE, 0] == 1


def test_input_out_of_reach_is_waited_for_with_a_reason_and_growing_pauses() -> None:
    cluster = Cluster(1)
    cluster.unreachable = {0, 1}
    record = job_record(2, 1)
    cluster.submit(record)
    cluster.run_for(10.0)
    assert 8 <= len(cluster.begun) <= 16
    cluster.do(cluster.peers[0], ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_for(0.1)
    answer = cluster.answers["s"]
    assert isinstance(answer, out.JobSeen)
    assert answer.status.waiting_for == "split 0: the client does not answer"
    cluster.unreachable = set()
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


def test_minority_waits_for_the_electorate_and_says_so() -> None:
    cluster = Cluster(5)
    cluster.submit(job_record(10, 2))
    cluster.run_until(lambda: cluster.tasks_done() >= 3)
    for peer in cluster.peers[2:]:
        cluster.kill(peer)
    cluster.run_for(6.0)
    cluster.do(cluster.peers[1], ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_for(0.1)
    answer = cluster.answers["s"]
    assert isinstance(answer, out.JobSeen)
    assert answer.status.waiting_for == "a majority of the electorate (2 of 5 reachable)"
    cluster.start(cluster.peers[3])
    cluster.run_until(cluster.done)


def test_submission_with_a_split_beyond_its_file_is_refused() -> None:
    cluster = Cluster(1)
    record = msgspec.structs.replace(job_record(2), splits=(Split(0, 100, 300, 1),))
    cluster.submit(record)
    cluster.run_for(0.1)
    answer = cluster.answers["submit"]
    assert isinstance(answer, out.JobRefused)
    assert "from 100 to 300" in answer.reason


def test_submission_whose_record_cannot_be_stored_is_refused() -> None:
    cluster = Cluster(1)
    cluster.storing_fails[job_key(JOB)] = 1
    cluster.submit(job_record(2))
    cluster.run_for(0.1)
    assert isinstance(cluster.answers["submit"], out.JobRefused)
    cluster.submit(job_record(2), request="again")
    cluster.run_until(cluster.done)
    assert cluster.answers["again"] == out.JobAccepted(job=JOB)


def test_submission_asked_twice_is_one_job() -> None:
    cluster = Cluster(3)
    record = job_record(6, 1)
    cluster.submit(record)
    cluster.submit(record, request="twin")
    cluster.run_until(cluster.done)
    cluster.submit(record, at=1, request="late")
    cluster.run_for(0.5)
    accepted = out.JobAccepted(job=JOB)
    assert [cluster.answers[request] for request in ("submit", "twin", "late")] == [accepted] * 3
    assert len(cluster.begun) == 7


def test_two_jobs_the_older_one_goes_first() -> None:
    cluster = Cluster(2)
    cluster.submit(job_record(20, 1))
    cluster.submit(job_record(20, 1, job="00000000000000bb"), request="second")
    cluster.run_until(lambda: cluster.all_in(JobState.DONE, "00000000000000bb"))
    assert cluster.done()
    assert cluster.job(cluster.peers[0]).ended_at < cluster.job(cluster.peers[0], "00000000000000bb").ended_at - 0.4


def test_status_is_parked_until_something_changes_and_answered_at_most_every_50_ms() -> None:
    cluster = Cluster(2)
    cluster.submit(job_record(40, 2))
    cluster.run_for(0.05)
    seen, times = -1, []
    for number in range(200):
        request = f"s{number}"
        cluster.do(cluster.peers[1], ev.StatusRequested(request=request, job=JOB, seen=seen, patience_s=5.0))
        cluster.run_until(lambda request=request: request in cluster.answers)
        answer = cluster.answers[request]
        assert isinstance(answer, out.JobSeen)
        assert answer.status.version != seen
        seen = answer.status.version
        times.append(cluster.now)
        if answer.status.state.ended:
            break
    assert len(times) > 10
    assert min(later - earlier for earlier, later in zip(times, times[1:-1], strict=False)) >= 0.0499
    assert times[-1] <= cluster.job(cluster.peers[1]).ended_at + 1e-6


def test_status_of_an_unknown_job_is_answered_so_and_of_a_quiet_one_at_patience_end() -> None:
    cluster = Cluster(1, task_s=50.0)
    peer = cluster.peers[0]
    cluster.submit(job_record(1, 1))
    cluster.run_for(26.0)
    version = cluster.job(peer).version
    cluster.do(peer, ev.StatusRequested(request="none", job="00000000000000ff", seen=-1, patience_s=9.0))
    cluster.do(peer, ev.StatusRequested(request="quiet", job=JOB, seen=version, patience_s=2.0))
    asked = cluster.now
    cluster.run_for(3.0)
    assert cluster.answers["none"] == out.JobUnknown()
    assert cluster.answered_at["none"] == asked
    assert cluster.answered_at["quiet"] == pytest.approx(asked + 2.0)
    cluster.do(peer, ev.JobsRequested(request="all"))
    cluster.run_for(0.1)
    answer = cluster.answers["all"]
    assert isinstance(answer, out.JobsSeen)
    assert [status.state for status in answer.statuses] == [JobState.RUNNING_MAP]


def test_ended_job_is_forgotten_on_disk_but_its_status_is_kept() -> None:
    cluster = Cluster(2)
    cluster.submit(job_record(4, 1))
    cluster.run_until(cluster.done)
    cluster.run_for(70.0)
    assert cluster.forgotten[JOB] == 2
    cluster.do(cluster.peers[1], ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_for(0.1)
    answer = cluster.answers["s"]
    assert isinstance(answer, out.JobSeen)
    assert answer.status.state is JobState.DONE
    assert answer.status.ending is not None


def test_peer_that_missed_the_end_learns_it_from_any_other() -> None:
    cluster = Cluster(3)
    record = job_record(6, 1)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    late = peer_id(77)
    cluster.names[late], cluster.starts[late] = "late", 0
    cluster.start(late)
    cluster.do(late, ev.RecordFound(job=JOB, value=cluster.records[job_key(JOB)]))
    cluster.run_until(cluster.done)
    assert cluster.job(late).epoch <= 1
    assert len(cluster.begun) == 7


def test_news_of_an_older_epoch_is_answered_and_changes_nothing() -> None:
    cluster = Cluster(3, task_s=5.0)
    cluster.submit(job_record(3, 1))
    cluster.run_for(0.5)
    cluster.kill(cluster.peers[0])
    cluster.run_until(lambda: all(cluster.job(peer).epoch == 2 for peer in cluster.machines))
    tracker = cluster.job(cluster.peers[1]).tracker
    cluster.do(
        cluster.peers[1],
        ev.SchedulingMessageReceived(sender=cluster.peers[2], message=JobNews(JOB, 1, cluster.peers[0])),
    )
    cluster.run_for(0.1)
    assert (cluster.job(cluster.peers[1]).epoch, cluster.job(cluster.peers[1]).tracker) == (2, tracker)


def test_done_accounts_of_all_peers_end_equal() -> None:
    cluster = Cluster(4, loss=0.3)
    cluster.task_s = 0.4
    cluster.submit(job_record(60, 2))
    cluster.run_until(lambda: cluster.tasks_done() >= 20)
    cluster.do(cluster.peers[0], ev.SyncDue())
    cluster.run_until(cluster.done)
    stages = [
        account.stage
        for split in range(60)
        for account in cluster.job(cluster.peers[0]).table.row(Phase.MAP, split).values()
    ]
    assert stages.count(Stage.DONE) >= 60
