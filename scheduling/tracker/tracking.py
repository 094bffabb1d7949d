"""Take the tracker role, give it up, and carry a job's decisions through.

A tracker only proposes; the write-once registers decide. So two trackers at one time do no harm, and epochs serve to
agree on one of them quickly. The ending of a job whose output lies in the ring is told to others only once the output's
manifest is stored: who hears that a job is done can read its output, and until then any successor finds all tasks done,
proposes the same again, learns what was decided, and stores the manifest itself. Who has not proposed the ending itself
first looks whether the manifest was ever stored, for the user may have deleted the output since.
"""

from msgspec.structs import replace

from ...ring.terms import Instant, PeerId
from ..desk import Desk
from ..effects import Decide, FindOutput, StoreRecord
from ..events import OutputFound, RecordStored, RegisterDecided
from ..jobs import JobEnding, JobState, Manifest, Phase, manifest_key
from ..messages import Account, Stage
from ..replica.decisions import decode_decision, encode_decision, encode_manifest
from ..replica.job import NOBODY, Job
from ..replica.verdicts import seal_of, success_of
from .inquiry import Inquiries
from .pulse import Pulse
from .succession import is_present, is_unmet, patience_s, succession

RING_SCHEME = "ring:/"


def output_key(output: str) -> bytes | None:
    """Name the ring's key of a job's output; None if it goes elsewhere."""
    if not output.startswith(RING_SCHEME):
        return None
    return manifest_key(output.removeprefix(RING_SCHEME).strip("/"))


class Tracking:
    """The tracker role of this peer, for whichever jobs it has it."""

    def __init__(self, desk: Desk, pulse: Pulse) -> None:
        self._desk = desk
        self._pulse = pulse
        self._inquiries = Inquiries(desk)
        self._applied: set[str] = set()
        """Jobs whose role this peer is to take without waiting for its turn, as soon as it may."""
        self._roles: set[str] = set()
        self._deposed: set[str] = set()
        """Jobs whose role another took from this peer, which may be mute and not know: from then on it comes last."""
        self._gone_since: dict[str, Instant] = {}
        self._proposed: set[tuple[str, str]] = set()
        self._committing: dict[str, bytes] = {}
        """Endings that are decided, but whose manifest is not stored yet."""
        self._found: set[str] = set()
        """Those of them that others have proposed, and whose manifest may be stored already."""
        self._unreported_since: dict[str, Instant] = {}

    # --- the role ---

    def apply_for(self, job: Job) -> None:
        """Take the role of a job that nobody tracks yet, without waiting for this peer's turn."""
        self._applied.add(job.id)
        self._take_up(job)

    def inquire(self, job: Job) -> None:
        """Ask what is decided of a job."""
        self._inquiries.ask(job)

    def inquires(self, job: Job) -> bool:
        """Tell whether it may turn out at any moment that a job has ended."""
        return job.epoch == 0 and (self._inquiries.are_open(job) or job.id in self._committing)

    def _take_up(self, job: Job) -> None:
        """Take the role if it is certain that a job which nobody speaks of has not ended; else ask first.

        Epoch 1 is for whom the job was submitted to: so whoever takes it because nothing was heard of that one,
        fences it.
        """
        self._inquiries.ask(job)
        if job.epoch > 0:
            self._lead(job, job.epoch + 1)
        elif self._inquiries.are_answered(job) and job.id not in self._committing:
            self._lead(job, 1 if job.id in self._applied else 2)

    def _lead(self, job: Job, epoch: int) -> None:
        if job.adopt_tracker(self._desk.now, epoch, self._desk.me, self._desk.flock):
            self._roles.add(job.id)
            self._desk.touch(job)
            self._desk.publish(job)

    def watch(self, job: Job) -> None:
        """Give the role up to whoever outranks this peer; take it if it is vacant and this peer's turn."""
        if job.id in self._roles and (not job.live or job.tracker != self._desk.me):
            self._roles.discard(job.id)
            self._deposed.add(job.id)
        if not job.live or self._is_tracked(job):
            self._gone_since.pop(job.id, None)
            self._applied.discard(job.id)
            return
        if job.id in self._applied or self._is_due(job):
            self._take_up(job)

    def _is_due(self, job: Job) -> bool:
        """Tell whether the role has been vacant for so long that it is this peer's turn."""
        # A tracker whose process lives and whose role is vacant all the same is silent: nobody waits for it.
        silent = job.tracker if job.tracker != self._desk.me and is_present(job, self._desk.flock) else NOBODY
        order = [peer for peer in succession(job.record, self._desk.flock) if peer != silent]
        if self._desk.me not in order:  # it has left, and only sees its news off
            return False
        settings = self._desk.settings
        wait_s = patience_s(
            len(order) if job.id in self._deposed else order.index(self._desk.me),
            job.epoch,
            announcement_s=settings.announcement_patience_s,
            takeover_s=settings.takeover_patience_s,
        )
        return self._desk.now >= self._gone_since.setdefault(job.id, self._desk.now) + wait_s

    def _is_tracked(self, job: Job) -> bool:
        if job.tracker == self._desk.me:
            return job.id in self._roles
        flock = self._desk.flock
        return (is_present(job, flock) or is_unmet(job, flock)) and not self._pulse.is_silent(job)

    def welcome(self, peer: PeerId) -> None:
        """Tell a peer that has come, or come back, of the jobs tracked here; it may know who tracks those here."""
        for job in sorted(self._roles):
            self._desk.tell(peer, self._desk.jobs[job].news())
        for job in self._gone_since:
            if self._desk.jobs[job].epoch == 0:
                self._gone_since[job] = self._desk.now

    # --- proposing ---

    def advance(self, job: Job) -> None:
        """Propose what a tracker may propose now."""
        if job.id not in self._roles or not job.live or (job.id, "end") in self._proposed:
            return
        if job.killed:
            self._end(job, JobEnding(JobState.KILLED))
        elif job.fault is not None:
            self._end(job, JobEnding(JobState.FAILED, error=job.fault.error, split=job.fault.task))
        elif job.complete:
            self._succeed(job)
        elif job.seal is None and job.boards[Phase.MAP].done and (job.id, "map") not in self._proposed:
            seal = seal_of(job.boards[Phase.MAP])
            if seal is not None:
                self._propose(job, "map", encode_decision(seal))

    def _succeed(self, job: Job) -> None:
        ending = success_of(job.counted_reports(), len(job.boards[job.final].cells))
        if ending is not None:
            self._end(job, ending)
        elif self._waited_for_reports(job):
            self._remake_unreported(job)

    def _waited_for_reports(self, job: Job) -> bool:
        since = self._unreported_since.setdefault(job.id, self._desk.now)
        return self._desk.now >= since + self._desk.settings.report_patience_s

    def _remake_unreported(self, job: Job) -> None:
        """Give up sealed runs whose reports died with their peers: without them the counters would not be exact."""
        del self._unreported_since[job.id]
        reports = job.counted_reports()[len(job.boards[job.final].cells) :]
        for split, report in enumerate(reports):
            sealed = job.sealed(Phase.MAP, split)
            if report is None and sealed is not None and not self._desk.flock.runs(sealed.attempt):
                self._desk.claim(job, Phase.MAP, split, sealed.attempt, Account(Stage.LOST, 1.0))

    def _end(self, job: Job, ending: JobEnding) -> None:
        elapsed_s = max(0.0, self._desk.now - job.heard_at)
        told = replace(ending, elapsed_s=elapsed_s, attempts=job.table.attempts)
        self._propose(job, "end", encode_decision(told))

    def _propose(self, job: Job, which: str, value: bytes) -> None:
        self._proposed.add((job.id, which))
        # The claims behind a proposal must not die with the proposer.
        self._desk.flush()
        electorate = tuple(PeerId(peer) for peer in job.record.electorate)
        self._desk.emit(Decide(job=job.id, which=which, value=value, acceptors=electorate))

    # --- what was decided ---

    def decided(self, event: RegisterDecided) -> None:
        """Take in a register's value, and spread it; or that there was none."""
        self._inquiries.note(event.job, event.which)
        job = self._desk.jobs.get(event.job)
        if job is None or not job.live:
            return
        self._desk.touch(job)
        if event.value is None:
            return
        if event.which == "end":
            self._conclude(job, event.value)
        elif job.adopt_seal(self._desk.now, event.value, self._desk.flock):
            self._desk.publish(job)

    def _conclude(self, job: Job, value: bytes) -> None:
        ending = decode_decision(value, JobEnding)
        key = output_key(job.record.spec.output)
        if ending.state is not JobState.DONE or key is None:
            self._publish_ending(job, value)
            return
        if job.id in self._committing:
            return
        self._committing[job.id] = value
        if (job.id, "end") in self._proposed:
            self._store(job, key, ending)
        else:
            self._found.add(job.id)
            self._desk.emit(FindOutput(job=job.id, key=key))

    def output_found(self, event: OutputFound) -> None:
        """Tell of an ending that others have proposed once its output's manifest was stored, or store that."""
        job = self._desk.jobs.get(event.job)
        value = self._committing.get(event.job)
        if job is None or value is None or not job.live or job.id not in self._found:
            return
        if event.error:
            self._desk.store_errors[job.id] = event.error
        elif event.written:
            self._committed(job, value)
        else:
            self._found.discard(job.id)
            self._store_again(job, value)

    def _store(self, job: Job, key: bytes, ending: JobEnding) -> None:
        # The client's time, not a clock's: whoever stores the manifest, its bytes are the same.
        manifest = Manifest(files=ending.files, directory=True, made_at=job.record.submitted_at, job=job.id)
        value = encode_manifest(manifest)
        replicas = self._desk.settings.record_replicas
        self._desk.emit(StoreRecord(job=job.id, key=key, value=value, replicas=replicas))

    def stored(self, event: RecordStored) -> None:
        """Take in that the output's manifest is stored, and tell of the ending; or set down why it is not."""
        job = self._desk.jobs.get(event.job)
        value = self._committing.get(event.job)
        if job is None or value is None or not job.live:
            return
        if event.error:
            self._desk.store_errors[job.id] = event.error
        else:
            self._committed(job, value)

    def _committed(self, job: Job, value: bytes) -> None:
        del self._committing[job.id]
        self._found.discard(job.id)
        self._publish_ending(job, value)

    def leads(self, job: Job) -> bool:
        """Tell whether this peer has the role."""
        return job.id in self._roles

    def retry(self, job: Job) -> None:
        """Show that the role is at work; look for a manifest again, or store it again, where that has failed."""
        if self.leads(job):
            self._pulse.beat(job)
        value = self._committing.get(job.id)
        if value is not None and self._desk.store_errors.pop(job.id, ""):
            self._store_again(job, value)

    def _store_again(self, job: Job, value: bytes) -> None:
        key = output_key(job.record.spec.output)
        if key is None:
            return
        if job.id in self._found:
            self._desk.emit(FindOutput(job=job.id, key=key))
        else:
            self._store(job, key, decode_decision(value, JobEnding))

    def _publish_ending(self, job: Job, value: bytes) -> None:
        if job.adopt_ending(self._desk.now, value):
            self._desk.touch(job)
            self._desk.publish(job)

    def forget(self, job: str) -> None:
        """Drop what was noted about an ended job."""
        self._proposed -= {(job, "map"), (job, "end")}
        self._inquiries.forget(job)
        for names in (self._found, self._deposed):
            names.discard(job)
        for notes in (self._gone_since, self._unreported_since, self._committing, self._desk.store_errors):
            notes.pop(job, None)
