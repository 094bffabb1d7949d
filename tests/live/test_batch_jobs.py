"""Jobs that take many records at once, on real peers, give what a sequential run gives."""

import random
from collections import Counter
from pathlib import Path

import pytest

import murmuration as mm

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

COUNT = """
from collections import Counter

def map_batch(batch):
    return Counter(batch.text.split())

reduce = "sum"
"""


@pytest.mark.parametrize("memory", [512 << 20, 1 << 20])
def test_records_of_one_length_are_sorted_end_to_end_by_three_peers(tmp_path: Path, memory: int) -> None:
    chance = random.Random(8)
    records = [b"%03d" % chance.randrange(300) + chance.randbytes(61) for _ in range(50_000)]
    (tmp_path / "records").write_bytes(b"".join(records))
    with mm.LocalCluster(peers=3, workers=1) as cluster, mm.Client(cluster) as client:
        client.fs.put(str(tmp_path / "records"), "ring:/records")
        job = client.submit(
            "sort",
            "ring:/records",
            output=str(tmp_path / "sorted"),
            reducers=4,
            total_order=True,
            input_format="fixed:64:3",
            output_format="fixed",
            split_size=300_000,
            memory_per_task=memory,
        )
        job.wait(timeout=60)
        assert job.status.records == len(records)
    parts = [part.read_bytes() for part in sorted((tmp_path / "sorted").glob("part-r-*"))]
    assert b"".join(parts) == b"".join(sorted(records, key=lambda record: record[:3]))
    assert min(map(len, parts)) > 64 * len(records) // 4 // 2


def test_words_counted_many_lines_at_a_time_are_those_of_a_counter(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text(encoding="utf-8") * 50
    (tmp_path / "text").write_text(text, encoding="utf-8")
    (tmp_path / "count.py").write_text(COUNT)
    with mm.LocalCluster(peers=2, workers=1) as cluster, mm.Client(cluster) as client:
        job = client.submit(str(tmp_path / "count.py"), str(tmp_path / "text"), split_size=100_000, reducers=3)
        job.wait(timeout=60)
        told = dict(job.results())
    assert {word: int(count) for word, count in told.items()} == Counter(text.split())
