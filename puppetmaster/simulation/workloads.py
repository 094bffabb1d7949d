"""Play the client: submit a job and keep asking after it, write keys and note what was acknowledged."""

import random
from dataclasses import dataclass, field

from ...node.wire.requests import (
    DescribeRing,
    GetKey,
    JobShown,
    JobTaken,
    KeyGot,
    KeyPut,
    PutKey,
    RingShown,
    SubmitJob,
    WatchJob,
)
from ...ring.messages import Context
from ...ring.terms import Quorum, Source
from ...scheduling.jobs import InputFile, JobRecord, JobSpec, JobState, Program, job_key
from ...scheduling.splits import cut_lines, splits_of_file
from ...scheduling.status import JobStatus
from .cluster import CLIENT_URL, Cluster

PATIENCE_S = 1.0
"""How long the simulated client waits for a peer before it asks another."""


def some_text(rng: random.Random, lines: int) -> bytes:
    """Write lines of words with a skewed frequency, as natural text has."""
    words = [f"w{int(rng.paretovariate(0.7)) % 97}" for _ in range(lines * 5)]
    return "".join(" ".join(words[i * 5 : i * 5 + 5]) + "\n" for i in range(lines)).encode()


def some_job(rng: random.Random, text: bytes, splits: int, partitions: int) -> JobRecord:
    """Describe a word count of a text that lies at the client."""
    size = max(1, len(text) // splits)
    cut = cut_lines(lambda offset, length: text[offset : offset + length], len(text), size)
    spec = JobSpec(
        name="wordcount",
        program=Program(kind="source", name="wordcount.py", body=b""),
        output="out",
        reducers=partitions,
        split_size=size,
    )
    return JobRecord(
        id=f"{rng.getrandbits(64):016x}",
        spec=spec,
        files=(InputFile(name="text", size=len(text), source=Source(url=CLIENT_URL, ref="share/0")),),
        splits=tuple(splits_of_file(0, len(text), cut)),
    )


@dataclass(slots=True)
class JobWorkload:
    """One job from its submission to its ending, through whatever peer answers."""

    cluster: Cluster
    record: JobRecord
    rng: random.Random
    accepted: bool = False
    status: JobStatus | None = None
    statuses_ended: list[JobStatus] = field(default_factory=list)
    _pending: str = ""
    _asked_at: float = 0.0
    _phase: str = "describe"

    @property
    def ended(self) -> bool:
        """Tell whether a peer has said that the job ended."""
        return bool(self.statuses_ended)

    def step(self) -> None:
        """Look at the reply to the last question, and ask the next; called every few simulated milliseconds."""
        reply = self.cluster.replies.pop(self._pending, None)
        match reply:
            case RingShown(preference=preference) if self._phase == "describe":
                electorate = preference[:5]
                self.record = _with_electorate(self.record, electorate)
                self._phase = "submit"
            case JobTaken():
                self.accepted, self._phase = True, "watch"
            case JobShown(status=status) if status is not None:
                self.status = status
                if status.state.ended:
                    self.statuses_ended.append(status)
            case _:
                if self._pending and self.cluster.timeline.now - self._asked_at < PATIENCE_S and reply is None:
                    return
        self._ask()

    def _ask(self) -> None:
        peer = self.rng.choice(sorted(self.cluster.disks))
        question: DescribeRing | SubmitJob | WatchJob
        if self._phase == "describe":
            question = DescribeRing(key=job_key(self.record.id))
        elif self._phase == "submit":
            question = SubmitJob(record=self.record)
        else:
            question = WatchJob(job=self.record.id, patience_s=0.2)
        self._pending, self._asked_at = self.cluster.ask(peer, question), self.cluster.timeline.now


def _with_electorate(record: JobRecord, electorate: tuple[str, ...]) -> JobRecord:
    return JobRecord(
        id=record.id,
        spec=record.spec,
        files=record.files,
        splits=record.splits,
        electorate=electorate,
    )


@dataclass(frozen=True, slots=True)
class Written:
    """A put that a client sent; `context` is set once it was acknowledged."""

    key: bytes
    value: bytes
    context: Context | None


@dataclass(slots=True)
class StoreWorkload:
    """Puts of distinct values on a few keys, some with the context of an earlier one, so that siblings arise."""

    cluster: Cluster
    rng: random.Random
    puts: int
    written: dict[str, Written] = field(default_factory=dict)
    read: list[tuple[bytes, KeyGot]] = field(default_factory=list)
    _gets: dict[str, bytes] = field(default_factory=dict)
    _contexts: dict[bytes, Context] = field(default_factory=dict)

    @property
    def acknowledged(self) -> list[Written]:
        """List the puts whose success was reported."""
        return [written for written in self.written.values() if written.context is not None]

    def step(self) -> None:
        """Take in replies and send one more put or get."""
        self._take_replies()
        key = b"key/%d" % self.rng.randrange(5)
        peer = self.rng.choice(sorted(self.cluster.disks))
        if self.rng.random() < 0.3:
            self._gets[self.cluster.ask(peer, GetKey(key=key))] = key
        elif len(self.written) < self.puts:
            value = b"value-%d" % len(self.written)
            context = self._contexts.get(key, {}) if self.rng.random() < 0.7 else {}
            request = self.cluster.ask(peer, PutKey(key=key, value=value, context=context, quorum=Quorum()))
            self.written[request] = Written(key, value, None)

    def _take_replies(self) -> None:
        for request, written in self.written.items():
            reply = self.cluster.replies.pop(request, None)
            if isinstance(reply, KeyPut):
                self.written[request] = Written(written.key, written.value, reply.context)
                self._contexts[written.key] = reply.context
        for request, key in list(self._gets.items()):
            reply = self.cluster.replies.pop(request, None)
            if isinstance(reply, KeyGot):
                self.read.append((key, reply))
                self._contexts[key] = reply.context
                del self._gets[request]


def ended_as(workload: JobWorkload) -> JobState | None:
    """Give the state in which a job ended, as far as the client knows."""
    return workload.statuses_ended[0].state if workload.statuses_ended else None
