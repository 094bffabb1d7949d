"""With copies of runs in the ring, a peer may go with its disk after the map phase, and no split is done again."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

import murmuration as mm
from murmuration.scheduling.jobs import JobState

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

SLOW_REDUCE = """
import time

def map(number, line):
    for word in line.split():
        yield word, 1

def reduce(key, values):
    time.sleep(0.01)
    yield key, sum(values)
"""


def test_lost_disk_of_a_mapper_costs_no_split(tmp_path: Path) -> None:
    text, program = tmp_path / "text.txt", tmp_path / "words.py"
    text.write_text("".join(f"word{number * 7919 % 997} of {number % 13}\n" for number in range(4000)))
    program.write_text(SLOW_REDUCE)
    with mm.LocalCluster(peers=4, workers=1) as cluster, mm.Client(cluster) as client:
        job = client.submit(str(program), str(text), splits=12, reducers=12, intermediate_replicas=3)
        for status in job.watch():
            if status.state is JobState.RUNNING_REDUCE:
                break
        lanes = {lane.peer: lane.tasks_done for lane in job.status.lanes}
        victim = max((name for name in cluster.running() if name != job.status.tracker), key=lanes.__getitem__)
        cluster.kill(victim)
        shutil.rmtree(cluster.directory / victim / "runs")
        job.wait(timeout=60)
        assert {word: int(count) for word, count in job.results()} == Counter(text.read_text().split())
        assert not [event.text for event in job.status.events if "is lost" in event.text]
