"""Logs of attempts are listed by task, read piece by piece, and cleared away by age and size, the oldest first."""

import os
from pathlib import Path

import pytest

from murmuration.node.executor.hosting.kept_logs import clear_old_logs, list_logs, read_log
from murmuration.node.executor.hosting.logs import AttemptLog, log_path
from murmuration.node.wire.logs import READ_BYTES_MAX, ListLogs, LogRead, LogsListed, ReadLog
from murmuration.node.wire.replies import Refused
from murmuration.scheduling.jobs import Phase

JOB, OTHER = "00000000000000aa", "00000000000000bb"
NOW = 1_800_000_000.0
DAY_S = 86_400.0


def write(directory: Path, job: str, task: str, attempt: str, content: bytes = b"x", age_s: float = 0.0) -> None:
    path = log_path(directory, job, task, attempt)
    AttemptLog(path).append(content)
    for each in (path, path.parent):
        os.utime(each, (NOW - age_s, NOW - age_s))


def test_logs_are_listed_by_task_and_what_is_no_log_is_left_out(tmp_path):
    for task in ("reduce-0", "map-10", "map-9"):
        write(tmp_path, JOB, task, "ab-1-2", b"three")
    (tmp_path / "logs" / JOB / "stranger.log").write_bytes(b"?")
    listed = list_logs(tmp_path, ListLogs(job=JOB))
    assert isinstance(listed, LogsListed)
    assert [(entry.phase, entry.task, entry.bytes) for entry in listed.entries] == [
        (Phase.MAP, 9, 5),
        (Phase.MAP, 10, 5),
        (Phase.REDUCE, 0, 5),
    ]


def test_job_that_has_printed_nothing_has_no_logs(tmp_path):
    assert list_logs(tmp_path, ListLogs(job=JOB)) == LogsListed(entries=())


def test_pieces_of_a_long_log_are_the_whole_of_it(tmp_path):
    content = os.urandom(2 * READ_BYTES_MAX + 7)
    write(tmp_path, JOB, "map-3", "ab-1-2", content)
    read = b""
    while True:
        piece = read_log(tmp_path, ReadLog(job=JOB, phase=Phase.MAP, task=3, attempt="ab-1-2", offset=len(read)))
        assert isinstance(piece, LogRead)
        if not piece.content:
            break
        read += piece.content
    assert read == content


def test_log_that_is_not_there_is_refused_in_words(tmp_path):
    refused = read_log(tmp_path, ReadLog(job=JOB, phase=Phase.MAP, task=3, attempt="ab-1-2"))
    assert isinstance(refused, Refused)
    assert "ab-1-2 has printed nothing here" in refused.reason


@pytest.mark.parametrize(
    ("kept_bytes", "left"), [(1 << 20, {JOB, OTHER}), (150, {OTHER}), (50, set())], ids=["room", "one goes", "both go"]
)
def test_of_too_many_bytes_the_oldest_job_goes_first(tmp_path, kept_bytes, left):
    write(tmp_path, JOB, "map-0", "ab-1-1", b"x" * 100, age_s=3 * DAY_S)
    write(tmp_path, OTHER, "map-0", "ab-1-2", b"x" * 100, age_s=DAY_S)
    clear_old_logs(tmp_path, NOW, kept_bytes=kept_bytes)
    assert {folder.name for folder in (tmp_path / "logs").iterdir()} == left


def test_logs_of_a_job_are_kept_for_a_week_after_its_last_word(tmp_path):
    write(tmp_path, JOB, "map-0", "ab-1-1", age_s=8 * DAY_S)
    write(tmp_path, OTHER, "map-0", "ab-1-2", age_s=8 * DAY_S)
    write(tmp_path, OTHER, "map-1", "ab-1-3", age_s=6 * DAY_S)
    clear_old_logs(tmp_path, NOW)
    assert {folder.name for folder in (tmp_path / "logs").iterdir()} == {OTHER}


def test_nothing_to_clear_is_no_error(tmp_path):
    clear_old_logs(tmp_path, NOW)
