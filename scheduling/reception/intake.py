"""Let jobs in: those that a client submits here, and those that others speak of."""

from dataclasses import dataclass

import msgspec

from ...ring.terms import VALUE_BYTES_MAX, Instant, PeerId
from ..desk import Desk
from ..effects import Answer, FindRecord, JobAccepted, JobRefused, StoreRecord
from ..events import JobSubmitted, RecordFound, RecordStored, TrackDue
from ..jobs import InputFile, JobRecord, job_key
from ..messages import JobNews, TableWanted
from ..replica.decisions import decode_record, encode_record
from ..replica.job import Job
from ..replica.news import learn, merged
from ..tracker.succession import electorate_of
from ..tracker.tracking import Tracking, output_key

RING_PARTS_MAX = 10_000
"""Parts of one output directory in the ring: its manifest is one value of at most 1 MiB."""

_RING_KEY_BYTES_MAX = 4096


@dataclass(slots=True)
class _Submission:
    record: JobRecord
    requests: list[str]


@dataclass(slots=True)
class _Stranger:
    """A job that others speak of and whose record is not here yet; `sender` can tell more of it.

    Without a sender it is only a client that asks for it, and the search ends at `wanted_until`.
    """

    news: JobNews | None
    sender: PeerId | None
    backoff_s: float
    wanted_until: Instant
    is_wanted: bool = False


class Intake:
    """The jobs that are on their way to being known here."""

    def __init__(self, desk: Desk, tracking: Tracking) -> None:
        self._desk = desk
        self._tracking = tracking
        self._submissions: dict[str, _Submission] = {}
        self._strangers: dict[str, _Stranger] = {}

    def expects(self, job: str) -> bool:
        """Tell whether a job may soon be known here."""
        return job in self._submissions or job in self._strangers

    # --- submitted here ---

    def submitted(self, event: JobSubmitted) -> None:
        """Take a job from a client: accepted once its record is stored; asking twice is harmless."""
        record = event.record
        known = self._desk.jobs.get(record.id)
        if record.id in self._submissions:
            self._submissions[record.id].requests.append(event.request)
        elif known is not None:
            self._accept(known, event.request)
        elif reason := fault_in(record) or self._fault_in_electorate(record):
            self._desk.emit(Answer(request=event.request, answer=JobRefused(reason=reason)))
        else:
            self._store(event)

    def _fault_in_electorate(self, record: JobRecord) -> str:
        strangers = set(record.electorate) - set(self._desk.flock.members())
        return f"{len(strangers)} of the peers that should decide the job are no members" if strangers else ""

    def _accept(self, job: Job, request: str) -> None:
        if job.epoch == 0 and job.live:
            self._tracking.apply_for(job)
        self._desk.emit(Answer(request=request, answer=JobAccepted(job=job.id)))

    def _store(self, event: JobSubmitted) -> None:
        desk = self._desk
        record = event.record
        if not record.electorate:
            electorate = electorate_of(record.id, desk.flock, desk.settings.electorate_max)
            record = msgspec.structs.replace(record, electorate=electorate)
        value = encode_record(record)
        if len(value) > VALUE_BYTES_MAX:
            reason = f"the job's record is {len(value)} bytes, over 1 MiB: use a larger split size or a smaller program"
            desk.emit(Answer(request=event.request, answer=JobRefused(reason=reason)))
            return
        self._submissions[record.id] = _Submission(record, [event.request])
        replicas = desk.settings.record_replicas
        desk.emit(StoreRecord(job=record.id, key=job_key(record.id), value=value, replicas=replicas))

    def stored(self, event: RecordStored) -> None:
        """Take in how the storing of a submitted job's record ended."""
        submission = self._submissions.pop(event.job, None)
        if submission is None:
            return
        if event.error:
            reason = f"the job's record was not stored for certain ({event.error}): look at `murmur jobs`, or try again"
            for request in submission.requests:
                self._desk.emit(Answer(request=request, answer=JobRefused(reason=reason)))
            return
        job = self._desk.jobs.get(event.job) or self._admit(submission.record)
        for request in submission.requests:
            self._accept(job, request)

    # --- spoken of by others ---

    def heard(self, job: str, news: JobNews | None, sender: PeerId) -> None:
        """Look for the record of a job that another peer speaks of."""
        stranger = self._stranger(job)
        if stranger is None:
            return
        stranger.sender = sender
        if news is not None:
            stranger.news = news if stranger.news is None else merged(stranger.news, news)

    def sought(self, job: str, patience_s: float) -> None:
        """Look for the record of a job that a client asks for, as long as the client waits."""
        stranger = self._stranger(job)
        if stranger is not None:
            stranger.is_wanted = True
            stranger.wanted_until = max(stranger.wanted_until, Instant(self._desk.now + patience_s))

    def _stranger(self, job: str) -> _Stranger | None:
        """Give what is known of a job without a record, and begin to look for that; None if too many are missing."""
        if job not in self._strangers:
            if len(self._strangers) >= self._desk.settings.unfound_jobs_max:
                return None
            self._strangers[job] = _Stranger(None, None, self._desk.settings.backoff_min_s, self._desk.now)
            self._look_for(job)
        return self._strangers[job]

    def _look_for(self, job: str) -> None:
        stranger = self._strangers[job]
        self._desk.emit(FindRecord(job=job))
        self._desk.wake(stranger.backoff_s, TrackDue(job=job))
        stranger.backoff_s = min(2 * stranger.backoff_s, self._desk.settings.backoff_max_s)

    def retry(self, job: str) -> None:
        """Look again for a record that has not been found."""
        stranger = self._strangers.get(job)
        if stranger is None:
            return
        if stranger.sender is None and self._desk.now >= stranger.wanted_until:
            del self._strangers[job]
        else:
            self._look_for(job)

    def found(self, event: RecordFound) -> None:
        """Take in a job's record, asked for or not; one that cannot be read is looked for again later."""
        if event.job in self._desk.jobs:
            return
        if event.value is None:
            self._missed(event)
            return
        try:
            record = decode_record(event.value)
        except msgspec.DecodeError:
            return
        if record.id == event.job:
            self._greet(self._admit(record))

    def _missed(self, event: RecordFound) -> None:
        """Look no more for a job that the ring is sure not to hold, and of which only clients speak."""
        stranger = self._strangers.get(event.job)
        if stranger is not None and stranger.sender is None and not event.error:
            del self._strangers[event.job]

    def _greet(self, job: Job) -> None:
        stranger = self._strangers.pop(job.id, None)
        if stranger is None:
            return
        if stranger.news is not None:
            learn(job, self._desk.now, stranger.news, self._desk.flock)
        if job.live and stranger.sender is not None:
            self._desk.tell(stranger.sender, TableWanted(job.id))
        elif job.live and stranger.is_wanted:
            self.ask_around(job)
            self._tracking.inquire(job)

    def _admit(self, record: JobRecord) -> Job:
        job = Job(self._desk.now, record, self._desk.rng)
        self._desk.jobs[job.id] = job
        self._desk.touch(job)
        self._desk.wake(self._desk.settings.track_interval_s, TrackDue(job=job.id))
        return job

    def ask_around(self, job: Job) -> None:
        """Ask the electorate who tracks a job whose record was seen, but which nobody has announced here."""
        if job.live and job.epoch == 0 and job.id not in self._submissions:
            for peer in job.record.electorate:
                if peer != self._desk.me and self._desk.flock.alive(peer):
                    self._desk.tell(PeerId(peer), job.news())


def fault_in(record: JobRecord) -> str:
    """Say in one line why a job cannot be taken; empty if it can."""
    for split in record.splits:
        if split.file >= len(record.files):
            return f"a split names file {split.file}, but the job has {len(record.files)}"
        if not split.begin <= split.end <= record.files[split.file].size:
            return f"a split of {record.files[split.file].name} goes from {split.begin} to {split.end}"
    for file in record.files:
        if reason := _fault_in_file(file):
            return reason
    return _fault_in_output(record)


def _fault_in_file(file: InputFile) -> str:
    if file.source is not None and file.chunks:
        return f"{file.name} is given twice: at the client and in the ring"
    if file.size and file.source is None and not file.chunks:
        return f"{file.name} is given neither at the client nor in the ring"
    if file.chunks and sum(chunk.size for chunk in file.chunks) != file.size:
        return f"the chunks of {file.name} do not add up to its size"
    return ""


def _fault_in_output(record: JobRecord) -> str:
    key = output_key(record.spec.output)
    if key is None:
        return ""
    if key == output_key("ring:/") or len(key) > _RING_KEY_BYTES_MAX:
        return f"the output {record.spec.output[:100]} names no directory of the ring"
    if (record.partitions or len(record.splits)) > RING_PARTS_MAX:
        return f"an output in the ring has at most {RING_PARTS_MAX} parts: use a larger split size"
    return ""
