"""Records that make user code raise, or kill its process, are set aside where the job allows it; else they fail it."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sound_cluster import PATIENCE_S, SoundCluster

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.jobs.failures import JobFailed

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]

FRAIL = """
import os
import signal

def map(number, line):
    if line == "raise":
        raise ValueError("cannot")
    if line == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if line == "vanish":
        os._exit(0)
    for word in line.split():
        yield word, 1

reduce = "sum"
"""
BAD = {7: "raise", 23: "crash", 24: "raise", 55: "vanish"}
CONTENT = "".join(f"{BAD.get(number, f'line {number % 5}')}\n" for number in range(1, 81))
GOOD = Counter(word for line in CONTENT.splitlines() if line not in BAD.values() for word in line.split())


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundCluster]:
    with LocalCluster(peers=2, workers=2) as cluster, Client(cluster) as client:
        stage = SoundCluster(tmp_path_factory.mktemp("jobs"), cluster, client)
        yield stage
        stage.assert_sound()


def test_bad_records_are_set_aside_and_all_others_count(stage: SoundCluster, tmp_path: Path) -> None:
    job = stage.submit(FRAIL, CONTENT, output=str(tmp_path / "out"), splits=3, reducers=2, skip_bad_records=4)
    assert {word: int(count) for word, count in job.result(PATIENCE_S)} == GOOD
    assert job.counters == {"skipped_records": 4}
    files = sorted((tmp_path / "out").glob("_quarantine-m-*.jsonl"))
    lines = [line for path in files for line in path.read_text().splitlines()]
    found = {record["line"]: record["record"] for record in map(json.loads, lines)}
    assert found == BAD


FRAIL_REDUCER = """
import os

def map(number, line):
    for word in line.split():
        yield word, 1

def reduce(key, values):
    if key == "raise":
        raise ValueError("cannot")
    if key == "vanish":
        os._exit(0)
    yield key, sum(values)
"""


def test_bad_keys_of_reducers_are_set_aside_and_all_others_count(stage: SoundCluster, tmp_path: Path) -> None:
    job = stage.submit(FRAIL_REDUCER, CONTENT, output=str(tmp_path / "out"), splits=3, reducers=2, skip_bad_records=2)
    counts = Counter(CONTENT.split())
    expected = {word: count for word, count in counts.items() if word not in ("raise", "vanish")}
    assert {word: int(count) for word, count in job.result(PATIENCE_S)} == expected
    assert job.counters == {"skipped_records": 2}
    files = sorted((tmp_path / "out").glob("_quarantine-r-*.jsonl"))
    found = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    assert {entry["key"]: entry["kind"] for entry in found} == {"raise": "ValueError", "vanish": "ProcessDied"}


def test_more_bad_records_than_the_job_allows_fail_it(stage: SoundCluster) -> None:
    with pytest.raises(JobFailed):
        stage.submit(FRAIL, CONTENT, splits=3, skip_bad_records=2).wait(PATIENCE_S)


def test_job_that_skips_nothing_fails_by_the_bad_record(stage: SoundCluster) -> None:
    assert stage.failure(FRAIL, CONTENT, splits=1).error.line == 7
