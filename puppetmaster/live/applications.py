"""Be the application of one `SUBMIT`: submit the job, follow it to its end and receive its output, in a thread.

An application has a client of its own, which serves the splits of its input. Whatever happens is told by putting the
application's number into the player's inbox; the player reads the rest from here.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from ...client.api import Client
from ...client.jobs.job import Job
from ...ring.errors import MurmurationError, WorldError
from ...ring.terms import RECORD_QUORUM
from ...scheduling.jobs import JobRecord, JobState, Program, job_key
from ...scheduling.status import JobStatus, TaskState
from ..language.commands import Submit
from .library import check_replaceable
from .lookups import is_url
from .sequential import Listing, listing_of

ENTRY_PATIENCE_S = 30.0
"""The peer to submit at may have been started a moment ago, or all may be frozen for a while."""

RETRY_S = 0.5
JOB_PATIENCE_S = 600.0
"""A job that takes longer has failed: a script ends some time."""


Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to submit, as found on this machine; `error` says what could not be found."""

    number: int
    command: Submit
    entries: tuple[str, ...] = ()
    program: Program | None = None
    path: str = ""
    output: str = ""
    error: str = ""


class Application:
    """One job of a script, counted from 1. Only its own thread writes here, and each field is replaced whole."""

    def __init__(self, request: Request, *, after: "Application | None", tell: Callable[[int], None]) -> None:
        """Start at once; but an application that writes into the same directory (`after`) is waited for first."""
        self.request = request
        self.status: JobStatus | None = None
        self.error = request.error
        self.listing: Listing | None = None
        self.record: JobRecord | None = None
        self.submitted_at = time.monotonic()
        self.ended_at: float | None = None
        self.reverted: frozenset[int] = frozenset()
        self._done: frozenset[int] = frozenset()
        self._after = after
        self._tell = tell
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"application-{request.number}", daemon=True)
        self._thread.start()

    @property
    def number(self) -> int:
        """Its number, counted from 1 in the order of the `SUBMIT`s."""
        return self.request.number

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will come."""
        return self._over.is_set()

    @property
    def state(self) -> JobState:
        """The job's state; one that could not be submitted, or whose output could not be had, has failed."""
        if self.ended and self.error:
            status = self.status
            return status.state if status is not None and status.state is JobState.KILLED else JobState.FAILED
        if self.status is None:
            return JobState.PLANNING
        return JobState.COMMITTING if self.status.state is JobState.DONE and not self.ended else self.status.state

    @property
    def share(self) -> float:
        """The share of 1 of the job's tasks that is done."""
        if self.status is None:
            return 0.0
        cells = self.status.map_states + self.status.reduce_states
        return cells.count(TaskState.DONE) / max(1, len(cells))

    @property
    def seconds(self) -> float:
        """The time from the submission to the end, or to this moment."""
        return (time.monotonic() if self.ended_at is None else self.ended_at) - self.submitted_at

    @property
    def redone(self) -> int:
        """The splits that were done again after they had been done.

        A peer that answers late may show a done split as open; so no more are counted than there were attempts that
        were neither the first at their split nor duplicates.
        """
        status = self.status
        if status is None:
            return 0
        tasks = len(status.map_states) + len(status.reduce_states)
        return min(len(self.reverted), max(0, status.attempts - status.duplicates - tasks))

    def join(self, timeout_s: float) -> None:
        """Wait for the end of the thread."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        told = self.error
        self.error = told or "its application ended unexpectedly; what it said is on standard error"
        try:
            if not told:
                self._wait_for_turn()
                self._submit_and_follow()
                self.error = ""
        except (MurmurationError, OSError) as error:
            self.error = str(error)
        finally:
            self.ended_at = time.monotonic()
            self._over.set()
            self._tell(self.number)

    def _wait_for_turn(self) -> None:
        if self._after is not None:
            self._after._over.wait()  # noqa: SLF001 -- another application
            self.submitted_at = time.monotonic()
        check_replaceable(self.request.output)

    def _submit_and_follow(self) -> None:
        request = self.request
        assert request.program is not None, "a request without an error has a program"
        deadline = time.monotonic() + JOB_PATIENCE_S
        with Client(request.entries, patience_s=ENTRY_PATIENCE_S) as client:
            retrying(lambda: _knock(client), time.monotonic() + ENTRY_PATIENCE_S)
            job = client.submit(
                request.program,
                request.path,
                request.output,
                overwrite=True,
                splits=request.command.splits,
                reducers=0,
                output_names="padi",
            )
            self.record = _record_if_any(client, job)
            retrying(lambda: self._follow(job), deadline)
            self.record = self.record or retrying(lambda: _record_of(client, job), deadline)
            self.listing = retrying(lambda: list_output(request.output, request.entries), deadline)

    def _follow(self, job: Job) -> None:
        for status in job.watch():
            self._note(status)
        self._note(job.finish())

    def _note(self, status: JobStatus) -> None:
        states = status.map_states
        done = frozenset(split for split, state in enumerate(states) if state == TaskState.DONE)
        self.reverted |= {split for split in self._done - done if states[split] != TaskState.WAITING}
        self._done |= done
        self.status = status
        self._tell(self.number)


def list_output(output: str, entries: Sequence[str]) -> Listing:
    """Describe the files of an output directory as they are now; one in the ring is fetched through the entries.

    Raises:
        MurmurationError: it cannot be had.
    """
    if not is_url(output):
        return listing_of(Path(output))
    with Client(tuple(entries)) as client, TemporaryDirectory(prefix="murmur-puppet-") as directory:
        return listing_of(client.fs.get(output, Path(directory) / "output"))


def retrying(act: Callable[[], Outcome], deadline: float) -> Outcome:
    """Do something until the world lets it happen: peers may all be frozen or cut off for a while.

    Raises:
        WorldError: the deadline has passed.
    """
    pause = threading.Event()
    while True:
        try:
            return act()
        except WorldError:
            if time.monotonic() >= deadline:
                raise
        pause.wait(RETRY_S)


def newest_for(applications: Sequence[Application], output: str) -> Application | None:
    """Find the last application that writes into a directory."""
    return next((one for one in reversed(applications) if one.request.output == output), None)


def _knock(client: Client) -> None:
    """Ask for something that a peer answers only once it has joined its cluster; asking twice is harmless.

    Raises:
        WorldError: it has not joined yet.
    """
    client.kv.get(b"murmur-puppet", quorum=replace(RECORD_QUORUM, reads_required=1))


def _record_if_any(client: Client, job: Job) -> JobRecord | None:
    """Read the job's record while all is well: later, most of its homes may be gone or frozen."""
    try:
        return _record_of(client, job)
    except MurmurationError:
        return None


def _record_of(client: Client, job: Job) -> JobRecord:
    """Read the job's record, from a single peer if no more than that are awake: it never changes."""
    try:
        found = client.kv.get(job_key(job.id), quorum=RECORD_QUORUM)
    except WorldError:
        found = client.kv.get(job_key(job.id), quorum=replace(RECORD_QUORUM, reads_required=1))
    return msgspec.msgpack.decode(found.value, type=JobRecord)
