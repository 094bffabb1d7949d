"""Jobs over tables, on real peers with files in the ring, give what a sequential run gives."""

import csv
import io
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

import murmuration as mm

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

NAMES = ("city", "amount", "note")


def drawn_rows(count: int) -> list[tuple[str, int, str]]:
    chance = random.Random(7)
    cities = ["Porto", "Évora", "São, Paulo", 'the "Hague"']
    return [(chance.choice(cities), chance.randrange(-9, 99), "x" * chance.randrange(40)) for _ in range(count)]


def parquet_rows(folder: Path) -> list[dict[str, object]]:
    return [row for part in sorted(folder.glob("part-*")) for row in pa.parquet.read_table(part).to_pylist()]


def test_tables_in_the_ring_are_grouped_converted_and_sorted_by_three_peers(tmp_path: Path) -> None:
    rows = drawn_rows(40_000)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([NAMES, *rows])
    (tmp_path / "rows.csv").write_text(text.getvalue(), encoding="utf-8")
    totals: dict[str, float] = {}
    for city, amount, _ in rows:
        totals[city] = totals.get(city, 0) + amount
    dicts = [dict(zip(NAMES, row, strict=True)) for row in rows]
    as_text = [{name: str(value) for name, value in row.items()} for row in dicts]
    pa.parquet.write_table(pa.Table.from_pylist(dicts), tmp_path / "rows.parquet", row_group_size=2000)
    (tmp_path / "pass.py").write_text("mapper = reducer = 'identity'\n")
    with mm.LocalCluster(peers=3, workers=1) as cluster, mm.Client(cluster) as client:
        client.fs.put(str(tmp_path / "rows.csv"), "ring:/rows.csv", chunk_size=150_000)
        client.fs.put(str(tmp_path / "rows.parquet"), "ring:/rows.parquet", chunk_size=20_000)
        params = {"by": "city", "of": "amount"}
        grouped = client.submit("totals", "ring:/rows.csv", params=params, split_size=100_000, output_format="jsonl")
        converted = client.submit(
            str(tmp_path / "pass.py"),
            "ring:/rows.csv",
            output=str(tmp_path / "converted"),
            input_format="csv",
            output_format="parquet",
            reducers=0,
            split_size=100_000,
        )
        ordered = client.submit(
            str(tmp_path / "pass.py"),
            "ring:/rows.parquet",
            output=str(tmp_path / "ordered"),
            input_format="parquet",
            output_format="parquet",
            reducers=3,
            total_order=True,
            split_size=10_000,
            memory_per_task=1 << 20,
        )
        for job in (grouped, converted, ordered):
            job.wait(timeout=60)
            assert job.status.records == len(rows)
            assert len(job.status.map_states) > 3
        assert dict(grouped.results()) == totals
        assert [row for _, row in converted.results()] == as_text
    assert parquet_rows(tmp_path / "converted") == as_text
    assert parquet_rows(tmp_path / "ordered") == sorted(dicts, key=lambda row: str(row["city"]))


def test_broken_table_fails_its_job_with_file_line_and_way_out_and_the_peer_goes_on(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n3,4,5\n")
    (tmp_path / "good.csv").write_text("a,b\n1,2\n")
    (tmp_path / "count.py").write_text("def map(key, row):\n    yield row['a'], int(row['b'])\n\n\nreduce = 'sum'\n")
    with mm.LocalCluster(peers=1, workers=1) as cluster, mm.Client(cluster) as client:
        job = client.submit(str(tmp_path / "count.py"), str(tmp_path / "bad.csv"), input_format="csv")
        with pytest.raises(mm.JobFailed, match="has 3 fields, and the first line names 2") as failed:
            job.wait(timeout=60)
        assert "bad.csv" in str(failed.value)
        job = client.submit(str(tmp_path / "count.py"), str(tmp_path / "good.csv"), input_format="csv")
        job.wait(timeout=60)
        assert dict(job.results()) == {"1": "2"}
