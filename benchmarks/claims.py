"""Measure how claims fare at scale: tasks begun twice, and what each peer sends and hears for that.

    python benchmarks/claims.py [--peers 50 500] [--splits 10000] [--task 5] [--loss 0.0]

The scheduling machines of all peers run in virtual time, with a network of some milliseconds and executors that take
their time; there is no ring below them. Each size is played in a process of its own, so that its memory is its own. A
row fails if 1 % of the splits were begun twice, or if peers do not agree in the end.
"""

import argparse
import gc
import heapq
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import count
from random import Random
from typing import Any

import msgspec

from murmuration.ring.facts import Liveness, Update
from murmuration.ring.terms import REFUTATION_BITS, Instant, Member, PeerId, Source
from murmuration.scheduling import effects as out
from murmuration.scheduling import events as ev
from murmuration.scheduling.jobs import InputFile, JobRecord, JobSpec, Phase, Program, Split, TaskReport
from murmuration.scheduling.machine import Scheduling
from murmuration.scheduling.messages import ClaimNews
from murmuration.scheduling.settings import SchedulingSettings

JOB = "00000000000000aa"
DUPLICATES_MAX = 0.01
DELAY_S = (0.0005, 0.003)
SPREAD = 0.3
"""Tasks take this share more or less than they do on average."""
PROGRESS_EVERY_S = 0.1
"""Executors tell this often how far they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one size came to; messages and bytes are those of claims, exchanges of tables included."""

    peers: int
    splits: int
    attempts: int
    duplicates: int
    races_lost: int
    speculative: int
    seconds: float
    ideal_s: float
    sent_mean: float
    sent_max: int
    sent_kib_mean: float
    sent_kib_max: float
    heard_mean: float
    heard_per_s: float
    cpu_s: float
    memory_mib: float


COLUMNS = {
    "peers": "{peers}",
    "splits": "{splits}",
    "attempts": "{attempts}",
    "begun twice": "{share:.2%}",
    "lost races": "{races_lost}",
    "speculative": "{speculative}",
    "time": "{seconds:.1f} s",
    "ideal": "{ideal_s:.1f} s",
    "messages sent by a peer (most)": "{sent_mean:.0f} ({sent_max})",
    "KiB sent by a peer (most)": "{sent_kib_mean:.0f} ({sent_kib_max:.0f})",
    "messages heard": "{heard_mean:.0f}",
    "heard a second": "{heard_per_s:.0f}",
    "processor": "{cpu_s:.0f} s",
    "memory": "{memory_mib:.0f} MiB",
}


def peer_id(number: int) -> PeerId:
    """Name a peer."""
    return PeerId(blake2b(str(number).encode(), digest_size=16).hexdigest())


def record_of(splits: int) -> JobRecord:
    """Describe a job whose reduce phase is not looked at."""
    file = InputFile("in", splits, source=Source(url="tcp://client", ref="in"))
    cut = tuple(Split(0, at, at + 1, at + 1) for at in range(splits))
    spec = JobSpec("claims", Program("source", "p.py", b""), "out", 1, 1)
    return JobRecord(id=JOB, spec=spec, files=(file,), splits=cut, electorate=(), submitted_at=0.0)


class Flock:
    """All machines, and what lies between them."""

    def __init__(self, peers: int, slots: int, task_s: float, loss: float, settings: SchedulingSettings) -> None:
        self.rng = Random(peers)
        self.now, self.task_s, self.loss = 0.0, task_s, loss
        self._heap: list[tuple[float, int, int, Any]] = []
        self._order = count()
        self._number = {peer_id(number): number for number in range(peers)}
        self._ids = list(self._number)
        self.machines = [
            Scheduling(peer, 1 << REFUTATION_BITS, slots, settings, Random(number))
            for peer, number in self._number.items()
        ]
        self._stopped: set[Any] = set()
        self.sent: Counter[int] = Counter()
        self.sent_bytes: Counter[int] = Counter()
        self.heard = 0
        self._sizes: dict[int, tuple[object, int]] = {}
        members = [Member(peer, f"p{at}", "tcp://a", "tcp://b", "h", "/d") for peer, at in self._number.items()]
        updates = [Update(member, Liveness.ALIVE, 1 << REFUTATION_BITS) for member in members]
        for number in range(peers):
            for update in updates:
                self.feed(number, ev.MemberSeen(update=update))
            self.feed(number, ev.SchedulingStarted())

    def run(self, record: JobRecord) -> None:
        """Have the first peer take the job, and go on until all peers have seen its map phase sealed."""
        self.feed(0, ev.JobSubmitted(request="", record=record))
        waiting = set(range(len(self.machines)))
        while waiting:
            self.now, _, number, event = heapq.heappop(self._heap)
            self.feed(number, event)
            if number in waiting and self._is_sealed(number):
                waiting.discard(number)

    def _is_sealed(self, number: int) -> bool:
        job = self.machines[number].jobs.get(JOB)
        return job is not None and job.seal is not None

    def feed(self, number: int, event: Any) -> None:
        """Hand an event to a machine, and see to its effects."""
        if isinstance(event, ev.AttemptProgressed | ev.AttemptFinished) and event.attempt in self._stopped:
            return
        for effect in self.machines[number].handle(Instant(self.now), event):
            self._perform(number, effect)

    def _later(self, delay_s: float, number: int, event: Any) -> None:
        heapq.heappush(self._heap, (self.now + delay_s, next(self._order), number, event))

    def _perform(self, number: int, effect: out.SchedulingEffect) -> None:
        match effect:
            case out.Tell(to=to, message=message):
                self._carry(number, self._number[to], message)
            case out.WakeSchedulingAt(at=at, event=event):
                self._later(max(0.0, at - self.now), number, event)
            case out.StartAttempts(starts=starts) if starts[0].phase is Phase.MAP:
                self._execute(number, starts)
            case out.StopAttempt(attempt=attempt):
                self._stopped.add(attempt)
            case out.StoreRecord(job=job, key=key, value=value):
                for other in range(len(self.machines)):
                    self._later(0.01, other, ev.RecordFound(job=job, value=value))
                self._later(0.005, number, ev.RecordStored(job=job, key=key, error=""))
            case out.Decide(job=job, which=which, value=value):
                self._later(0.005, number, ev.RegisterDecided(job=job, which=which, value=value))
            case _:
                pass  # nobody watches, and the reduce phase is not played

    def _carry(self, sender: int, receiver: int, message: Any) -> None:
        kept = self._sizes.get(sender)
        if kept is None or kept[0] is not message:
            kept = self._sizes[sender] = (message, len(msgspec.msgpack.encode(message)))
        if isinstance(message, ClaimNews):
            self.sent[sender] += 1
            self.sent_bytes[sender] += kept[1]
        if not self.loss or self.rng.random() >= self.loss:
            self.heard += isinstance(message, ClaimNews)
            received = ev.SchedulingMessageReceived(sender=self._ids[sender], message=message)
            self._later(self.rng.uniform(*DELAY_S), receiver, received)

    def _execute(self, number: int, starts: tuple[out.StartAttempt, ...]) -> None:
        begun_s = 0.0
        for start in starts:
            takes_s = self.task_s * self.rng.uniform(1 - SPREAD, 1 + SPREAD)
            for step in range(1, int(takes_s / PROGRESS_EVERY_S)):
                told_s = step * PROGRESS_EVERY_S
                progressed = ev.AttemptProgressed(attempt=start.attempt, fraction=told_s / takes_s)
                self._later(begun_s + told_s, number, progressed)
            begun_s += takes_s
            digest = blake2b(str(start.task).encode(), digest_size=32).digest()
            report = TaskReport(digest, 1, 1, 1, 1, takes_s)
            self._later(begun_s, number, ev.AttemptFinished(attempt=start.attempt, report=report))


def play(peers: int, splits: int, slots: int, task_s: float, loss: float) -> Row:
    """Play one size."""
    begun = time.process_time()
    gc.disable()  # all objects of all peers in one process: collecting would take longer than playing
    flock = Flock(peers, slots, task_s, loss, SchedulingSettings(vnodes=64))
    flock.run(record_of(splits))
    jobs = [machine.jobs[JOB] for machine in flock.machines]
    if len({job.seal_value for job in jobs}) != 1:
        sys.exit("peers do not agree")
    most = max(jobs, key=lambda job: job.table.attempts)
    waste = most.boards[Phase.MAP].waste
    return Row(
        peers=peers,
        splits=splits,
        attempts=most.table.attempts,
        duplicates=waste.duplicates,
        races_lost=waste.races_lost,
        speculative=most.table.speculative,
        seconds=flock.now,
        ideal_s=splits * task_s / (peers * slots),
        sent_mean=flock.sent.total() / peers,
        sent_max=max(flock.sent.values(), default=0),
        sent_kib_mean=flock.sent_bytes.total() / peers / 1024,
        sent_kib_max=max(flock.sent_bytes.values(), default=0) / 1024,
        heard_mean=flock.heard / peers,
        heard_per_s=flock.heard / peers / flock.now,
        cpu_s=time.process_time() - begun,
        memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def main() -> None:
    """Play every size in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--splits", type=int, default=10_000)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--task", type=float, default=5.0, help="seconds that a task takes on average")
    parser.add_argument("--loss", type=float, default=0.0, help="share of the messages that gets lost")
    parser.add_argument("--alone", action="store_true", help="play the one size here, and print JSON")
    options = parser.parse_args()
    if options.alone:
        row = play(options.peers[0], options.splits, options.slots, options.task, options.loss)
        print(json.dumps(asdict(row)))
        return
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    is_bad = False
    for peers in options.peers:
        words = ["--splits", options.splits, "--slots", options.slots, "--task", options.task, "--loss", options.loss]
        command = [sys.executable, __file__, "--alone", "--peers", str(peers), *map(str, words)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        share = found["duplicates"] / found["splits"]
        is_bad |= share >= DUPLICATES_MAX
        print("| " + " | ".join(shape.format(**found, share=share) for shape in COLUMNS.values()) + " |", flush=True)
    sys.exit(is_bad)


if __name__ == "__main__":
    main()
