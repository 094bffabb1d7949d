"""Play the client of a job: submit it, keep asking whatever peer answers, and kill it if so planned."""

import random
from dataclasses import dataclass, field

import msgspec

from ...node.wire.replies import JobPrepared, JobShown, JobTaken
from ...node.wire.requests import ClientRequest, KillJob, PrepareJob, SubmitJob, WatchJob
from ...ring.digests import chunk_digest
from ...ring.placement.rendezvous import Home, place
from ...ring.requests.chunks import chunk_key
from ...ring.terms import PeerId, Source
from ...scheduling.cuts import chosen_cuts
from ...scheduling.jobs import ChunkRef, InputFile, JobRecord, JobSpec, Program
from ...scheduling.partitioners import canonical
from ...scheduling.splits import cut_lines, splits_of_file
from ...scheduling.status import JobStatus
from .cluster import CLIENT_URL, Cluster
from .wordcount import POISON

PATIENCE_S = 1.0
"""How long the simulated client waits for a peer before it asks another."""
SHARE = "share/0"
"""Under which name a lone client serves its text."""
AWAY_S = (1.0, 10.0)
"""Between so many seconds nobody asks for a job whose client has vanished; then another client does."""
AWAY_IF_MISSED_S = (35.0, 45.0)
"""So long nobody asks for one that is to be killed then: longer than all trouble."""
SAMPLED_EVERY = 7
CHUNKS = 3
CHUNK_COPIES = 3


def share_of(job: int) -> str:
    """Name the text that the client of a job serves, if several clients do."""
    return f"share/{job}"


def some_text(rng: random.Random, lines: int, poisoned_line: int = -1) -> bytes:
    """Write lines of words with a skewed frequency, as natural text has."""
    words = [f"w{int(rng.paretovariate(0.7)) % 97}" for _ in range(lines * 5)]
    if poisoned_line >= 0:
        words[poisoned_line * 5] = POISON.decode()
    return "".join(" ".join(words[i * 5 : i * 5 + 5]) + "\n" for i in range(lines)).encode()


def some_job(
    rng: random.Random, text: bytes, splits: int, partitions: int, output: str, share: str = SHARE
) -> JobRecord:
    """Describe a word count of a text that lies at the client."""
    size = max(1, len(text) // splits)
    cut = cut_lines(lambda offset, length: text[offset : offset + length], len(text), size)
    spec = JobSpec(
        name="wordcount",
        program=Program(kind="source", name="wordcount.py", body=b""),
        output=output,
        reducers=partitions,
        split_size=size,
    )
    return JobRecord(
        id=f"{rng.getrandbits(64):016x}",
        spec=spec,
        files=(InputFile(name="text", size=len(text), source=Source(url=CLIENT_URL, ref=share)),),
        splits=tuple(splits_of_file(0, len(text), cut)),
    )


def in_total_order(record: JobRecord, text: bytes) -> JobRecord:
    """Have a job deal its keys by ranges, after a sample as a client takes it."""
    sample = text.decode().split()[::SAMPLED_EVERY]
    cuts = chosen_cuts(map(canonical, sample), record.partitions)
    return msgspec.structs.replace(record, spec=msgspec.structs.replace(record.spec, cuts=cuts))


def with_parameter(record: JobRecord, name: str) -> JobRecord:
    """Have user code do what a parameter of that name says."""
    params = {**record.spec.params, name: ""}
    return msgspec.structs.replace(record, spec=msgspec.structs.replace(record.spec, params=params))


def with_client_patience(record: JobRecord, seconds: float) -> JobRecord:
    """Have a job killed when no client has watched it for so long; 0 is for ever."""
    spec = msgspec.structs.replace(record.spec, client_patience_s=seconds)
    return msgspec.structs.replace(record, spec=spec)


def with_bad_records_skipped(record: JobRecord) -> JobRecord:
    """Have a job set the line aside at which user code raises."""
    return msgspec.structs.replace(record, spec=msgspec.structs.replace(record.spec, skip_bad_records=1))


def stored_input(cluster: Cluster, record: JobRecord, text: bytes) -> JobRecord:
    """Have a job read its text from the ring: put it there as chunks of whole lines, on the disks of their homes."""
    lines = text.splitlines(keepends=True)
    step = -(-len(lines) // CHUNKS)
    chunks = [b"".join(lines[at : at + step]) for at in range(0, len(lines), step)]
    homes = frozenset(Home(PeerId(cluster.member(name).id)) for name in cluster.disks)
    placement = place(homes, cluster.settings.ring.vnodes, cluster.settings.ring.replicas)
    by_id = {PeerId(cluster.member(name).id): name for name in cluster.disks}
    for chunk in chunks:
        for peer in placement.preference(chunk_key(chunk_digest(chunk)))[:CHUNK_COPIES]:
            cluster.disks[by_id[peer]].chunks[chunk_digest(chunk)] = chunk
    refs = tuple(ChunkRef(chunk_digest(chunk), len(chunk), chunk.count(b"\n")) for chunk in chunks)
    return msgspec.structs.replace(record, files=(InputFile(name="text", size=len(text), chunks=refs),))


@dataclass(slots=True)
class JobWorkload:
    """One job from its submission to its ending."""

    cluster: Cluster
    record: JobRecord
    rng: random.Random
    kill_at: float | None = None
    entry: str = ""
    """Whom the client submits to; anybody, if empty."""
    vanishes_at: float | None = None
    """When the client dies, once its job is accepted; another one, that knows the job's id, asks later."""
    came_back_at: float = 0.0
    silence_s: float = 0.0
    """The longest time for which no peer answered, once the job was accepted."""
    accepted: bool = False
    killed_at: float | None = None
    """When the kill was acknowledged."""
    ended_at: float = 0.0
    status: JobStatus | None = None
    statuses_ended: list[JobStatus] = field(default_factory=list)
    patience_s: float = PATIENCE_S
    """How long the client waits for a peer before it asks another one."""
    _pending: str = ""
    _asked: ClientRequest | None = None
    _asked_at: float = 0.0
    _answered_at: float = 0.0

    @property
    def ended(self) -> bool:
        """Tell whether a peer has said that the job ended."""
        return bool(self.statuses_ended)

    @property
    def is_decidable(self) -> bool:
        """Tell whether a majority of the job's electorate runs: of five, two may be gone for good."""
        running = {process.id for process in self.cluster.running.values()}
        return 2 * sum(peer in running for peer in self.record.electorate) > len(self.record.electorate)

    def step(self) -> None:
        """Look at the reply to the last question, and ask the next; called every few simulated milliseconds."""
        if self._is_away():
            return
        reply = self.cluster.replies.pop(self._pending, None)
        match reply:
            case JobPrepared(electorate=electorate):
                self.record = msgspec.structs.replace(self.record, electorate=electorate)
            case JobTaken() if isinstance(self._asked, KillJob):
                self.killed_at = self.cluster.timeline.now
            case JobTaken():
                self.accepted = True
            case JobShown(status=status) if status is not None:
                self._take(status)
            case None if self._pending and self.cluster.timeline.now - self._asked_at < self.patience_s:
                return
        if reply is not None:
            self._note_answer()
        self._ask()

    def _note_answer(self) -> None:
        now = self.cluster.timeline.now
        if self.accepted and self._answered_at:
            self.silence_s = max(self.silence_s, now - self._answered_at)
        self._answered_at = now

    def _is_away(self) -> bool:
        """Tell whether the client has died and no other has taken its place."""
        now = self.cluster.timeline.now
        if self.vanishes_at is not None and self.accepted and now >= self.vanishes_at:
            self.vanishes_at, self._pending, self.status = None, "", None
            is_missed = self.record.spec.client_patience_s > 0
            self.came_back_at = now + self.rng.uniform(*(AWAY_IF_MISSED_S if is_missed else AWAY_S))
            self.cluster.witness.note("client vanished")
        return now < self.came_back_at

    def ended_unseen(self) -> bool:
        """Tell whether the job had ended before the client that was told of it came."""
        replicas = (process.node.scheduling.jobs.get(self.record.id) for process in self.cluster.running.values())
        ends = [job.ended_at for job in replicas if job is not None and job.ended_at is not None]
        return bool(ends) and min(ends) < self.came_back_at

    def _take(self, status: JobStatus) -> None:
        self.status = status
        if status.state.ended:
            self.statuses_ended.append(status)
            self.ended_at = self.ended_at or self.cluster.timeline.now

    def _ask(self) -> None:
        peer = self.rng.choice(sorted(self.cluster.disks))
        if self.entry and not self.accepted:
            peer = self.entry
        self._asked = self._question()
        self._pending, self._asked_at = self.cluster.ask(peer, self._asked), self.cluster.timeline.now

    def _question(self) -> ClientRequest:
        if not self.record.electorate:
            return PrepareJob(job=self.record.id)
        if not self.accepted:
            return SubmitJob(record=self.record)
        is_due = self.kill_at is not None and self.cluster.timeline.now >= self.kill_at
        if is_due and self.killed_at is None:
            return KillJob(job=self.record.id)
        return WatchJob(job=self.record.id, patience_s=0.2)
