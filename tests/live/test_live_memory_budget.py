"""A reduce over more than ten times its memory budget stays within it on real peers, and gives the same answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sound_cluster import PATIENCE_S, SoundCluster

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

MIB = 1 << 20
BUDGET = 4 * MIB
SLACK = 8 * MIB
"""For what the interpreter keeps for itself, and the 4,096 pairs that are formatted at once on their way out."""

HUNGRY = """
from murmuration import Mapper, Reducer

def resident(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(field))

BEFORE = resident("VmRSS")

class Many(Mapper):
    def map(self, number, line):
        for i in range(100):
            yield (number * 100 + i) * 2654435761 % 4294967296, f"{line}-{i:0100}"

class Count(Reducer):
    def reduce(self, key, values):
        yield key, len(values)

    def cleanup(self):
        self.context.counter("grown").increment(resident("VmHWM") - BEFORE)
"""
LINES = 2_500


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundCluster]:
    with LocalCluster(peers=2, workers=1) as cluster, Client(cluster) as client:
        stage = SoundCluster(tmp_path_factory.mktemp("jobs"), cluster, client)
        yield stage
        stage.assert_sound()


def test_reduce_over_ten_times_its_budget_stays_within_it_and_gives_the_same(
    stage: SoundCluster, tmp_path: Path
) -> None:
    content = "".join(f"line {number}\n" for number in range(LINES))
    parts, grown = [], []
    for memory in (BUDGET, 1024 * MIB):
        output = tmp_path / str(memory)
        job = stage.submit(HUNGRY, content, output=str(output), splits=4, reducers=1, memory_per_task=memory)
        job.wait(2 * PATIENCE_S)
        parts.append((output / "part-r-00000").read_bytes())
        grown.append(job.counters["grown"])
    assert parts[0] == parts[1]
    assert parts[0].count(b"\n") == 100 * LINES
    assert grown[1] > 10 * BUDGET
    assert grown[0] < BUDGET + SLACK
