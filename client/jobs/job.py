"""Hold on to one job: watch it through whichever peer answers, wait for it, read its results, kill it."""

import html
import time
from collections.abc import Iterator
from itertools import chain

import msgspec

from ...node.wire.replies import JobShown, JobTaken, KeyGot
from ...node.wire.requests import GetKey, KillJob, WatchJob
from ...ring.errors import CallerError, RemoteError
from ...ring.terms import RECORD_QUORUM
from ...scheduling.jobs import JobEnding, JobRecord, JobSpec, JobState, StoredFile, job_key
from ...scheduling.status import JobStatus, TaskState
from ..connection import TRIES, Connection
from ..store.files import RingFiles
from .failures import JobFailed, JobKilled, UserCodeError, WaitTimedOut
from .logs import LogsFound, find_logs
from .output import Delivery
from .results import Pair, read_pairs

WATCH_PATIENCE_S = 1.0
"""A peer answers a watcher after this time even if nothing has changed: then the watcher knows that it lives."""

UNKNOWN_PATIENCE_S = 10.0
"""A peer that does not know the job may not have heard of it yet, or again; others are asked for this long."""

UNKNOWN_PAUSE_S = 0.2


class Job:
    """One job, running or ended; any client that reaches the cluster may hold on to it by its id."""

    def __init__(self, connection: Connection, files: RingFiles, job: str, *, delivery: Delivery | None = None) -> None:
        self._connection = connection
        self._files = files
        self._delivery = delivery
        self._last: JobStatus | None = None
        self._record: JobRecord | None = None
        self.id = job

    @property
    def status(self) -> JobStatus:
        """How the job stands now.

        Raises:
            CallerError: no peer knows the job.
        """
        if self._last is None or not self._last.state.ended:
            self._last = self._ask(seen=-1)
        return self._last

    @property
    def record(self) -> JobRecord:
        """All that the ring holds of the job: what it was asked to do, its input and its splits.

        Raises:
            CallerError: the ring does not hold the job.
        """
        if self._record is None:
            request = GetKey(key=job_key(self.id), quorum=RECORD_QUORUM)
            values = self._connection.ask(request, KeyGot, tries=TRIES).values
            if not values:
                raise CallerError(f"the ring does not hold job {self.id}")
            self._record = msgspec.msgpack.decode(values[0], type=JobRecord)
        return self._record

    @property
    def spec(self) -> JobSpec:
        """What the job was asked to do; raises as `record`."""
        return self.record.spec

    @property
    def counters(self) -> dict[str, int]:
        """The sums of the counters of all attempts that count so far."""
        status = self.status
        return dict(status.ending.counters if status.ending is not None else status.counters)

    def watch(self) -> Iterator[JobStatus]:
        """Give the status now, then at each change and at least once a second, until the job has ended.

        Raises:
            CallerError: no peer knows the job.
            Unreachable: no peer answers any more.
        """
        seen = -1
        while True:
            self._last = self._ask(seen)
            yield self._last
            if self._last.state.ended:
                return
            seen = self._last.version

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Wait until the job is done and its output is where it was wanted; `timeout` is in seconds.

        Raises:
            JobFailed: the job's code or data is at fault.
            JobKilled: somebody killed it.
            WaitTimedOut: it still runs.
            WorldError: the output cannot be received; nothing of it is left behind.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        for status in self.watch():
            if not status.state.ended and deadline is not None and time.monotonic() >= deadline:
                raise WaitTimedOut(f"job {self.id} is still {status.state.title} after {timeout:g} s")
        return self.finish()

    def finish(self) -> JobStatus:
        """Receive the output of an ended job, once, or raise what it ended with; as `wait`, but without waiting.

        Raises:
            CallerError: the job has not ended.
        """
        status, ending = self.status, self._ending()
        if ending.state is JobState.FAILED and ending.error is not None:
            raise JobFailed(self.id, status.name, ending.error, ending.split) from UserCodeError(ending.error)
        if ending.state is not JobState.DONE:
            raise JobKilled(f"job {status.name} ({self.id}) was killed")
        if self._delivery is not None:
            self._delivery.deliver(ending.parts, ending.side)
        return status

    def deliver_to(self, delivery: Delivery) -> None:
        """Have `wait` receive the output of a job that another client submitted."""
        self._delivery = delivery

    def parts(self) -> tuple[StoredFile, ...]:
        """List the parts of a finished job's output, in order.

        Raises:
            CallerError: the job is not done.
        """
        ending = self._ending()
        if ending.state is not JobState.DONE:
            raise CallerError(f"job {self.id} has no output: it ended as {ending.state.title}")
        return ending.parts

    def side_files(self) -> tuple[StoredFile, ...]:
        """List what user code has written beside the parts of a finished job's output; raises as `parts`."""
        self.parts()
        return self._ending().side

    def results(self) -> Iterator[Pair]:
        """Wait for the job, then read its output pair by pair, in the order of its parts.

        Pairs of text output are text, whatever they were in the program; rows of tables are values under None. Raises
        as `wait`, and `CallerError` where the output is no pairs.
        """
        self.wait()
        parts = (self._files.stream(list(part.chunks)) for part in self.parts())
        return chain.from_iterable(read_pairs(pieces, self.spec.output_format) for pieces in parts)

    def result(self, timeout: float | None = None) -> list[Pair]:
        """Wait for the job and read all of its output at once; raises as `wait`."""
        self.wait(timeout)
        return list(self.results())

    def logs(self) -> LogsFound:
        """Find what the job's user code has printed, attempt by attempt, at all peers that answer."""
        return find_logs(self._connection, self.id)

    def kill(self) -> None:
        """End the job everywhere, user code in an endless loop included; a job that has ended stays as it ended."""
        self._connection.ask(KillJob(job=self.id), JobTaken)

    def __repr__(self) -> str:
        status = self._last
        if status is None:
            return f"<Job {self.id}>"
        return f"<Job {self.id} {status.name}: {_summary(status)}>"

    def _repr_html_(self) -> str:
        status = self._last
        rows = {"job": self.id}
        if status is not None:
            rows |= {"name": status.name, "state": _summary(status), "tracker": status.tracker}
            rows |= {name: str(value) for name, value in sorted(status.counters.items())}
        cells = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows.items())
        return f"<table>{''.join(cells)}</table>"

    def _ending(self) -> JobEnding:
        status = self.status
        if not status.state.ended:
            raise CallerError(f"job {self.id} has not ended: it is {status.state.title}")
        if status.ending is None:
            raise RemoteError(f"a peer says that job {self.id} ended, but not how; try another with --peer")
        return status.ending

    def _ask(self, seen: int) -> JobStatus:
        """Ask for the status; where the job is unknown, ask other peers for a while."""
        deadline = time.monotonic() + UNKNOWN_PATIENCE_S
        request = WatchJob(job=self.id, seen=seen, patience_s=WATCH_PATIENCE_S)
        while (shown := self._connection.ask(request, JobShown)).status is None:
            if time.monotonic() >= deadline:
                raise CallerError(f"no peer knows job {self.id}; see `murmur jobs`")
            self._connection.pause(UNKNOWN_PAUSE_S)
            self._connection.move_on()
        return shown.status


def _summary(status: JobStatus) -> str:
    maps, reduces = status.map_states, status.reduce_states
    done = f"{maps.count(TaskState.DONE)}/{len(maps)} splits"
    if reduces:
        done += f", {reduces.count(TaskState.DONE)}/{len(reduces)} partitions"
    return f"{status.state.title}, {done}"
