"""Find what attempts have printed, give it to clients piece by piece, and clear it away when it is old."""

import logging
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ....scheduling.jobs import Phase
from ...wire.logs import LISTED_MAX, READ_BYTES_MAX, AttemptLogEntry, ListLogs, LogRead, LogsListed, ReadLog
from ...wire.replies import Refused
from .logs import LOGS, log_path

LOG = logging.getLogger("murmuration.node")

KEPT_S: Final = 7 * 24 * 3600.0
KEPT_BYTES: Final = 1 << 30
"""Logs are kept for a week; beyond a gibibyte in all those of the oldest jobs go first."""

_NAME = re.compile(r"(map|reduce)-([0-9]{1,9})-([0-9a-f]{1,32}-[0-9]{1,20}-[0-9]{1,20})\.log")


def list_logs(directory: Path, question: ListLogs) -> LogsListed | Refused:
    """Name the logs of a job's attempts at this peer, in order of their tasks."""
    try:
        entries = sorted(_entries(directory / LOGS / question.job), key=lambda entry: entry[:3])
    except OSError as error:
        return Refused(kind="disk", reason=f"the logs cannot be listed: {error}")
    listed = tuple(AttemptLogEntry(*entry) for entry in entries[:LISTED_MAX])
    return LogsListed(entries=listed, more=len(entries) > LISTED_MAX)


def _entries(folder: Path) -> Iterator[tuple[Phase, int, str, int, float]]:
    for file in folder.glob("*.log"):
        if named := _NAME.fullmatch(file.name):
            seen = file.stat()
            yield Phase[named[1].upper()], int(named[2]), named[3], seen.st_size, seen.st_mtime


def read_log(directory: Path, question: ReadLog) -> LogRead | Refused:
    """Read one piece of a log."""
    task = f"{question.phase.name.lower()}-{question.task}"
    try:
        with log_path(directory, question.job, task, question.attempt).open("rb") as file:
            file.seek(question.offset)
            return LogRead(content=file.read(READ_BYTES_MAX))
    except FileNotFoundError:
        return Refused(kind="caller", reason=f"attempt {question.attempt} has printed nothing here")
    except OSError as error:
        return Refused(kind="disk", reason=f"the log cannot be read: {error}")


def clear_old_logs(directory: Path, now: float, *, kept_s: float = KEPT_S, kept_bytes: int = KEPT_BYTES) -> None:
    """Remove the logs of jobs that nobody has written to for long, and of the oldest where all are too large.

    `now` is in seconds since 1970. What cannot be removed is left for the next time.
    """
    try:
        _clear(directory, now, kept_s, kept_bytes)
    except OSError as error:
        LOG.warning("old logs are not cleared away: %s", error)


def _clear(directory: Path, now: float, kept_s: float, kept_bytes: int) -> None:
    folders = [folder for folder in (directory / LOGS).glob("*") if folder.is_dir()]
    newest_first = sorted(((_age(folder, now), folder) for folder in folders), key=lambda aged: aged[0])
    size = 0
    for age, folder in newest_first:
        size += sum(_sizes(folder))
        if age > kept_s or size > kept_bytes:
            shutil.rmtree(folder, ignore_errors=True)


def _age(folder: Path, now: float) -> float:
    times = [file.stat().st_mtime for file in (folder, *folder.glob("*.log"))]
    return now - max(times)


def _sizes(folder: Path) -> Iterable[int]:
    return (file.stat().st_size for file in folder.glob("*.log"))
