"""Jobs at the client: watched through whoever knows them, and ended in words that their user understands."""

import io
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from murmuration.client.api import find_job
from murmuration.client.jobs.failures import JobFailed, JobKilled, UserCodeError, WaitTimedOut
from murmuration.client.jobs.job import UNKNOWN_PATIENCE_S, Job
from murmuration.client.jobs.output import Delivery
from murmuration.client.store.files import RingFiles
from murmuration.node.wire.replies import JobShown
from murmuration.node.wire.requests import KillJob, WatchJob
from murmuration.ring.errors import CallerError, RemoteError
from murmuration.scheduling.jobs import JobEnding, JobState, UserError
from murmuration.scheduling.status import JobStatus

ID = "0123456789abcdef"
FAULT = UserError(
    kind="ValueError",
    message="invalid literal for int()",
    traceback="Traceback (most recent call last):\n  File wc.py, line 3\nValueError: invalid literal for int()\n",
    file="books/a.txt",
    line=17,
    record="not a number",
    hint="try float()",
)


def status(state: JobState = JobState.RUNNING_MAP, version: int = 1, **more: Any) -> JobStatus:
    fields: dict[str, Any] = {
        "id": ID,
        "name": "wc",
        "tracker": "one",
        "epoch": 1,
        "elapsed_s": 0.0,
        "map_states": b"\5\5\0",
        "reduce_states": b"\0",
        "attempts": 3,
        "duplicates": 0,
        "speculative": 0,
        "records": 0,
        "bytes": 0,
        "local_bytes": 0,
        "bytes_total": 0,
    }
    return JobStatus(state=state, version=version, **(fields | more))


def ended(state: JobState, **ending: Any) -> JobStatus:
    return status(state, 9, ending=JobEnding(state, **ending))


class Peers:
    """Stands for a connection: gives the statuses in turn, the last one for ever."""

    def __init__(self, *statuses: JobStatus | None) -> None:
        self.statuses = deque(statuses)
        self.asked: list[Any] = []
        self.moves = 0

    def ask(self, request: Any, _expected: type) -> Any:
        self.asked.append(request)
        if isinstance(request, KillJob):
            return None
        return JobShown(status=self.statuses.popleft() if len(self.statuses) > 1 else self.statuses[0])

    def pause(self, _seconds: float) -> None:
        """Let no time pass."""

    def move_on(self) -> None:
        self.moves += 1


def job_of(fs: RingFiles, *statuses: JobStatus | None, delivery: Delivery | None = None) -> tuple[Job, Peers]:
    peers = Peers(*statuses)
    return Job(peers, fs, ID, delivery=delivery), peers  # type: ignore[arg-type]


def test_watcher_sees_each_status_until_the_end(fs: RingFiles) -> None:
    job, peers = job_of(fs, status(version=4), status(version=7), ended(JobState.DONE))
    assert [one.version for one in job.watch()] == [4, 7, 9]
    assert [request.seen for request in peers.asked if isinstance(request, WatchJob)] == [-1, 4, 7]


def test_job_unknown_after_a_failover_is_looked_for_at_other_peers(fs: RingFiles) -> None:
    job, peers = job_of(fs, status(), None, None, ended(JobState.DONE))
    assert job.wait().state is JobState.DONE
    assert peers.moves == 2


def test_job_that_nobody_knows_is_given_up(fs: RingFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    job, _ = job_of(fs, None)
    clock = iter(range(100))
    monkeypatch.setattr("murmuration.client.jobs.job.time.monotonic", lambda: float(next(clock)))
    with pytest.raises(CallerError, match=f"no peer knows job {ID}"):
        _ = job.status
    assert next(clock) >= UNKNOWN_PATIENCE_S


def test_failed_job_raises_the_users_own_error(fs: RingFiles) -> None:
    job, _ = job_of(fs, ended(JobState.FAILED, error=FAULT, split=3))
    with pytest.raises(JobFailed) as failure:
        job.wait()
    assert str(failure.value).splitlines() == [
        f"job wc ({ID}) failed: ValueError: invalid literal for int()",
        "  at books/a.txt:17, task 3",
        "  record: not a number",
        "  Traceback (most recent call last):",
        "    File wc.py, line 3",
        "  ValueError: invalid literal for int()",
        "  hint: try float()",
    ]
    assert isinstance(failure.value.__cause__, UserCodeError)
    assert failure.value.__cause__.kind == "ValueError"


def test_killed_job_raises_so(fs: RingFiles) -> None:
    job, _ = job_of(fs, ended(JobState.KILLED))
    with pytest.raises(JobKilled):
        job.wait()


def test_wait_that_is_too_short_says_how_far_the_job_is(fs: RingFiles) -> None:
    job, _ = job_of(fs, status())
    with pytest.raises(WaitTimedOut, match="running-map"):
        job.wait(0.0)


def test_end_without_an_ending_is_the_peers_fault(fs: RingFiles) -> None:
    job, _ = job_of(fs, status(JobState.DONE))
    with pytest.raises(RemoteError):
        job.wait()


def test_output_is_not_received_from_a_job_that_failed(fs: RingFiles, tmp_path: Path) -> None:
    delivery = Delivery(str(tmp_path / "out"), fs)
    job, _ = job_of(fs, ended(JobState.FAILED, error=FAULT), delivery=delivery)
    with pytest.raises(JobFailed):
        job.wait()
    assert not (tmp_path / "out").exists()


def test_waiting_twice_receives_output_once(fs: RingFiles, tmp_path: Path) -> None:
    job, _ = job_of(fs, ended(JobState.DONE), delivery=Delivery(str(tmp_path / "out"), fs))
    job.wait()
    job.wait()
    assert (tmp_path / "out").is_dir()


def test_output_of_running_job_is_refused(fs: RingFiles) -> None:
    job, _ = job_of(fs, status())
    with pytest.raises(CallerError, match="has not ended"):
        job.parts()
    with pytest.raises(CallerError, match="has not ended"):
        job.finish()


def test_job_says_in_one_line_what_it_is(fs: RingFiles) -> None:
    job, _ = job_of(fs, status(name="<b>"))
    assert repr(job) == f"<Job {ID}>"
    _ = job.status
    assert repr(job) == f"<Job {ID} <b>: running-map, 2/3 splits, 0/1 partitions>"
    assert "&lt;b&gt;" in job._repr_html_()


def test_job_words_mean_ids_beginnings_names_and_the_newest() -> None:
    known = [status(id="aaaa000000000000", name="x"), status(id="aabb000000000000", name="y"), status(name="y")]
    assert find_job("@", known) == "aaaa000000000000"
    assert find_job("aab", known) == "aabb000000000000"
    assert find_job("x", known) == "aaaa000000000000"
    assert find_job(ID, known) == ID
    for word, message in (("y", "means 2 jobs"), ("aa", "means 2 jobs"), ("zz", "no job"), ("", "no job")):
        with pytest.raises(CallerError, match=message):
            find_job(word, known)
    with pytest.raises(CallerError, match="no job yet"):
        find_job("@", [])


def test_stdout_delivery_goes_where_it_is_told(fs: RingFiles) -> None:
    target = io.BytesIO()
    job, _ = job_of(fs, ended(JobState.DONE), delivery=Delivery("-", fs, stdout=target))
    job.wait()
    assert target.getvalue() == b""
