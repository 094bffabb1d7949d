"""Clients that vanish in the middle of a job, an upload or a download: the cluster goes on; nothing half is seen."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from gated_peers import until
from sound_cluster import MURMUR, PATIENCE_S, TEXT, SoundCluster

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.jobs.job import Job
from murmuration.ring.errors import CallerError
from murmuration.scheduling.jobs import JobState

pytestmark = [pytest.mark.live, pytest.mark.timeout(90), pytest.mark.xdist_group("client-faults")]

ENDS = [signal.SIGKILL, signal.SIGTERM]
SIZE = 48 << 20
"""Bytes of a file that takes long enough to move that its client can be ended meanwhile."""

GATED = """
import os, time

def map(number, line):
    while not os.path.exists({gate!r}):
        time.sleep(0.005)
    for word in line.split():
        yield word, 1

reduce = "sum"
"""
"""Waits, before anything is counted, for a file to appear."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundCluster]:
    with LocalCluster(peers=3, workers=1) as cluster, Client(cluster) as client:
        yield SoundCluster(tmp_path_factory.mktemp("jobs"), cluster, client)


@pytest.fixture
def stage(shared: SoundCluster) -> Iterator[SoundCluster]:
    yield shared
    shared.assert_sound()


@pytest.fixture(scope="module")
def large(shared: SoundCluster) -> Path:
    """Give a large file, which is in the ring as `ring:/large` too."""
    path = Path(shared.file(os.urandom(SIZE)))
    shared.client.fs.put(path, "ring:/large")
    return path


def start(stage: SoundCluster, *words: str) -> "subprocess.Popen[str]":
    """Start a command of the command line, in a directory of its own."""
    command = [*MURMUR, *words, "--peer", stage.cluster.urls[0]]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )


def end(client: "subprocess.Popen[str]", number: int) -> None:
    """End a client in the middle of its work, and see that it did end so."""
    client.send_signal(number)
    _, said = client.communicate(timeout=PATIENCE_S)
    assert client.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 128 + number), said


def submitted(stage: SoundCluster, name: str) -> Job:
    """Wait for a job of that name."""

    def found() -> bool:
        return any(status.name == name for status in stage.client.jobs())

    until(found, PATIENCE_S)
    return stage.client.attach(name)


def counts_in(directory: Path) -> dict[str, int]:
    lines = [line.split("\t") for part in sorted(directory.iterdir()) for line in part.read_text().splitlines()]
    return {word: int(number) for word, number in lines}


# --- in the middle of a job ---


@pytest.mark.parametrize("number", ENDS)
def test_job_whose_client_vanishes_goes_on_and_another_client_receives_its_output(
    stage: SoundCluster, number: int
) -> None:
    notes = stage.notes()
    program, output, name = (
        stage.file(GATED.format(gate=str(notes / "go")), ".py"),
        notes / "counts",
        f"orphan-{number}",
    )
    words = ("submit", program, stage.file(TEXT), "-o", str(output), "--splits", "6", "--name", name)
    client = start(stage, *words)
    job = submitted(stage, name)
    end(client, number)
    (notes / "go").touch()
    job.wait(PATIENCE_S)
    assert counts_in(output) == Counter(TEXT.split())
    assert sorted(path.name for path in notes.iterdir()) == ["counts", "go"]


def test_job_on_the_files_of_a_client_that_vanishes_writes_to_the_ring_all_the_same(stage: SoundCluster) -> None:
    notes = stage.notes()
    program = stage.file(GATED.format(gate=str(notes / "go")), ".py")
    words = ("submit", program, stage.file(TEXT), "-o", "ring:/orphan", "--splits", "6", "--name", "ring-orphan")
    client = start(stage, *words)
    job = submitted(stage, "ring-orphan")
    end(client, signal.SIGKILL)
    assert not stage.client.fs.exists("ring:/orphan")
    (notes / "go").touch()
    for status in job.watch():
        last = status
    assert last.state is JobState.DONE
    counted = b"".join(stage.client.fs.cat("ring:/orphan")).decode()
    assert {word: int(number) for word, number in map(str.split, counted.splitlines())} == Counter(TEXT.split())


def test_job_that_is_not_to_outlive_its_client_is_killed_when_that_vanishes(stage: SoundCluster) -> None:
    program = stage.file(GATED.format(gate=str(stage.notes() / "never")), ".py")
    words = ("submit", program, stage.file(TEXT), "-o", "ring:/dependent", "--splits", "6", "--name", "dependent")
    client = start(stage, *words, "--client-patience", "10s")
    submitted(stage, "dependent")
    end(client, signal.SIGKILL)

    def is_killed() -> bool:
        return any(each.name == "dependent" and each.state is JobState.KILLED for each in stage.client.jobs())

    until(is_killed, PATIENCE_S)


# --- in the middle of an upload ---


@pytest.mark.parametrize("number", ENDS)
def test_upload_whose_client_vanishes_leaves_nothing_visible_and_works_again(
    stage: SoundCluster, large: Path, number: int
) -> None:
    path = f"ring:/upload-{number}"
    chunks = sum(1 for _ in stage.cluster.directory.glob("*/chunks/**/*"))
    fresh = stage.file(os.urandom(SIZE))
    client = start(stage, "fs", "put", fresh, path, "--chunk-size", "4MiB")
    until(lambda: sum(1 for _ in stage.cluster.directory.glob("*/chunks/**/*")) > chunks, PATIENCE_S)
    assert not stage.client.fs.exists(path)
    end(client, number)
    with pytest.raises(CallerError, match="does not exist"):
        stage.client.fs.stat(path)
    stage.client.fs.put(fresh, path)
    assert stage.client.fs.stat(path).size == SIZE
    stage.client.fs.rm(path)
    assert large.exists()


# --- in the middle of a download ---


@pytest.mark.parametrize("number", ENDS)
def test_download_whose_client_vanishes_leaves_no_half_file_and_works_again(
    stage: SoundCluster, large: Path, number: int
) -> None:
    notes = stage.notes()
    target = notes / "large"
    client = start(stage, "fs", "get", "ring:/large", str(target))
    until(lambda: any(path.is_file() for path in notes.rglob("*")), PATIENCE_S)
    end(client, number)
    assert not target.exists()
    left = [path.name for path in notes.iterdir()]
    assert left == [] if number == signal.SIGTERM else [name.startswith(".large.murmur-") for name in left] == [True]
    stage.client.fs.get("ring:/large", target)
    assert [path.name for path in notes.iterdir()] == ["large"]
    assert target.read_bytes() == large.read_bytes()


@pytest.mark.parametrize("number", ENDS)
def test_client_that_vanishes_while_it_receives_its_output_leaves_no_half_directory(
    stage: SoundCluster, number: int
) -> None:
    notes = stage.notes()
    source = f"def map(number, line):\n    yield number, line * {SIZE // 64}\n"
    program, output, name = stage.file(source, ".py"), notes / "out", f"received-{number}"
    client = start(stage, "submit", program, stage.file("x\n" * 64), "-o", str(output), "--splits", "8", "--name", name)
    until(lambda: any(path.is_file() for path in notes.rglob("*")), PATIENCE_S)
    end(client, number)
    assert not output.exists()
    stage.client.attach(name).wait(PATIENCE_S)
    assert [path.name for path in notes.iterdir()] == ["out"]
    assert sum(part.stat().st_size for part in output.iterdir()) > SIZE - 64
