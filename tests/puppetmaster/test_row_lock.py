"""A peer that was frozen amid a commit is taken off the lock, and stands still again; any other is not touched."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from murmuration.puppetmaster.masters import row_lock
from murmuration.puppetmaster.masters.processes import freeze_tree, is_stopped, thaw_tree
from murmuration.puppetmaster.masters.row_lock import release_rows
from murmuration.ring.errors import WorldError

WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("INSERT INTO Cache VALUES ('written')")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
sys.stdin.readline()
"""


class Writer:
    """A process that is stopped amid a commit, and goes through with it when it runs and may."""

    def __init__(self, database: Path) -> None:
        command = [sys.executable, "-c", WRITER, str(database)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "locked\n"
        self.groups = freeze_tree(self.process.pid)
        self.runs = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        self.runs += 1
        thaw_tree(self.process.pid, self.groups)
        try:
            yield
        finally:
            self.groups = freeze_tree(self.process.pid)

    def may_commit(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")

    def end(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "cache.db")) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE Cache (value)")
    return tmp_path / "cache.db"


@pytest.fixture
def writer(database: Path) -> Iterator[Writer]:
    writer = Writer(database)
    yield writer
    writer.end()


def add_row(database: Path) -> list[str]:
    with closing(sqlite3.connect(database, timeout=0.0)) as connection, connection:
        connection.execute("INSERT INTO Cache VALUES ('added')")
        return sorted(value for (value,) in connection.execute("SELECT value FROM Cache"))


def test_commit_is_let_through_and_the_peer_stands_still_without_the_lock(database: Path, writer: Writer) -> None:
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        add_row(database)
    writer.may_commit()
    release_rows(database, writer.running())
    assert is_stopped(writer.process.pid)
    assert add_row(database) == ["added", "written"]


def test_peer_that_holds_no_lock_does_not_run_for_a_moment(database: Path, writer: Writer) -> None:
    writer.may_commit()
    release_rows(database, writer.running())
    release_rows(database, writer.running())
    release_rows(database.with_name("never made"), writer.running())
    assert writer.runs == 1
    assert not database.with_name("never made").exists()


def test_commit_that_does_not_end_is_told_and_the_peer_stands_still(
    database: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_lock, "COMMIT_PATIENCE_S", 0.1)
    with pytest.raises(WorldError, match="stays locked"):
        release_rows(database, writer.running())
    assert is_stopped(writer.process.pid)
