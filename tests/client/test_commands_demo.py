"""The demo kills the tracker and one more peer half-way, and its check sees any difference."""

from collections import Counter
from types import SimpleNamespace

import pytest

from murmuration.client.demo import TEXT_BYTES_MAX, Saboteur, collect_text, count_sequentially, differences
from murmuration.ring.errors import WorldError
from murmuration.ring.facts import Liveness
from murmuration.scheduling.jobs import JobState
from murmuration.scheduling.status import JobStatus, Lane, TaskState


def status_of(done, tracker="A", epoch=1, elapsed_s=1.0):
    states = bytes(TaskState.DONE if split in done else TaskState.WAITING for split in range(8))
    lanes = tuple(
        Lane(peer=peer, liveness=Liveness.ALIVE, running=(), tasks_done=tasks)
        for peer, tasks in (("A", 1), ("B", 2), ("C", 9), ("D", 0), ("E", 3))
    )
    return JobStatus(
        id="00112233445566ff",
        name="wordcount",
        state=JobState.RUNNING_MAP,
        tracker=tracker,
        epoch=epoch,
        version=1,
        elapsed_s=elapsed_s,
        map_states=states,
        reduce_states=b"",
        attempts=0,
        duplicates=0,
        speculative=0,
        records=0,
        bytes=0,
        local_bytes=0,
        bytes_total=0,
        lanes=lanes,
    )


class FakeCluster:
    def __init__(self, peers):
        self.processes = dict.fromkeys("ABCDE"[:peers], 1)
        self.signals = []

    def kill(self, name, number):
        self.signals.append((name, int(number)))


def test_tracker_and_busiest_other_peer_are_killed_once_half_of_the_splits_are_done():
    saboteur = Saboteur(cluster=FakeCluster(5))
    statuses = list(saboteur.watch([status_of({0, 1, 2}), status_of({0, 1, 2, 3}), status_of({0, 1, 2, 3, 4})]))
    assert saboteur.cluster.signals == [("A", 9), ("C", 9)]
    assert [[event.text for event in status.events] for status in statuses] == [
        [],
        ["SIGKILL to A and C, the first of them the tracker"],
        [],
    ]


def test_three_peers_can_bear_the_death_of_the_tracker_only():
    saboteur = Saboteur(cluster=FakeCluster(3))
    list(saboteur.watch([status_of(set(range(8)))]))
    assert saboteur.cluster.signals == [("A", 9)]


def test_finished_splits_that_are_done_again_are_counted():
    after = [status_of({0, 3, 4}, tracker="B", epoch=2, elapsed_s=3.5), status_of(set(range(8)), "B", 2, 5.0)]
    saboteur = Saboteur(cluster=FakeCluster(5))
    list(saboteur.watch([status_of({0, 1, 2, 3}), *after]))
    assert saboteur.redone == {1, 2}
    assert saboteur.taken_over_after_s == pytest.approx(2.5)


def test_check_sees_a_missing_an_additional_and_a_wrong_count():
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 2}) == []
    assert differences({"a": 1, "b": 2, "c": 1}, {"a": 2, "b": 2, "d": 1}) == ["a", "c", "d"]


def library(monkeypatch, tmp_path, sources):
    root = tmp_path / "lib"
    for name, content in sources.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    root.mkdir(exist_ok=True)
    monkeypatch.setattr("murmuration.client.demo.sysconfig", SimpleNamespace(get_path=lambda _name: str(root)))
    monkeypatch.setattr("murmuration.client.demo.TEXT_BYTES_MIN", 30)
    return tmp_path / "text"


def test_text_is_the_library_without_installed_packages_and_other_encodings(monkeypatch, tmp_path):
    sources = {"a.py": b"x = 1", "b/c.py": b"y = x\n", "d.py": b"\xff\n", "site-packages/e.py": b"z\n"}
    text = library(monkeypatch, tmp_path, sources)
    assert 30 <= collect_text(text) <= TEXT_BYTES_MAX
    assert text.read_bytes() == b"x = 1\ny = x\n" * 3
    assert count_sequentially(text) == Counter({"=": 6, "x": 6, "1": 3, "y": 3})


def test_python_without_sources_is_an_error_and_no_endless_loop(monkeypatch, tmp_path):
    with pytest.raises(WorldError, match="no Python source"):
        collect_text(library(monkeypatch, tmp_path, {}))
