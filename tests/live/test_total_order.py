"""A total order on real peers: the parts in a row are what `sort` gives, whoever dies meanwhile."""

import random
from pathlib import Path

import pytest

import murmuration as mm
from murmuration.scheduling.status import TaskState

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

SLOW_SORT = """
import time
from murmuration import Mapper

output_format = "values"

class Lines(Mapper):
    def setup(self):
        time.sleep(0.05)

    def map(self, key, value):
        yield value, value

reducer = "identity"
"""


def test_parts_in_a_row_are_sorted_although_the_tracker_is_killed(tmp_path: Path) -> None:
    chance = random.Random(5)
    lines = [f"{chance.choice('aaab')}{chance.randrange(10**6):06}" for _ in range(20_000)]
    text, program, output = tmp_path / "text.txt", tmp_path / "lines.py", tmp_path / "sorted"
    text.write_text("".join(f"{line}\n" for line in lines))
    program.write_text(SLOW_SORT)
    with mm.LocalCluster(peers=4, workers=1) as cluster, mm.Client(cluster) as client:
        client.fs.put(str(text), "ring:/text")
        split_size = text.stat().st_size // 30
        job = client.submit(
            str(program), "ring:/text", output=str(output), reducers=5, split_size=split_size, total_order=True
        )
        for status in job.watch():
            if status.map_states.count(TaskState.DONE) > 3:
                break
        cluster.kill(job.status.tracker)
        job.wait(timeout=60)
    parts = [part.read_text().splitlines() for part in sorted(output.glob("part-r-*"))]
    assert [line for part in parts for line in part] == sorted(lines)
    assert min(map(len, parts)) > len(lines) // 5 / 2
