"""Time jobs over much data beside what does the same without an engine, on a running cluster.

    python benchmarks/batches.py [--mebibytes 1000] [--text-mebibytes 512] [--rounds 3] [--only NAME]... [--json]

One peer with two executors, its input and output in the ring; each job in turn with its peer, which reads a plain file,
so that a noisy machine disturbs both alike. What is compared is wall time, from the submission to the end of the job.
Outputs are compared as well, after the times are taken.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from corpus import write_corpus
from measure import Timing, timed

import murmuration as mm

HERE = Path(__file__).parent
RECORD_BYTES = 100
LETTERS = bytes(range(ord("!"), ord("~")))
PATTERN = "Q7z"
PARTS = 8
IN_C = ["env", "LC_ALL=C"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison: medians in seconds, and their ratio beside the bar that it should not exceed."""

    name: str
    engine_s: float
    peer_s: float
    ratio: float
    bar: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a benchmark works, and with how much."""

    folder: Path
    client: mm.Client
    mebibytes: int
    text_mebibytes: int
    rounds: int

    def records(self) -> Path:
        """Make lines of 100 bytes, their ends included, unless that is done; they are in the ring as well."""
        path = self.folder / "records"
        if not path.exists():
            write_records(path, (self.mebibytes << 20) // RECORD_BYTES)
            self.client.fs.put(str(path), "ring:/records")
        return path

    def text(self) -> Path:
        """Make a text, unless that is done; it is in the ring as well."""
        path = self.folder / "text"
        if not path.exists():
            write_corpus(path, self.text_mebibytes << 20, "prose")
            self.client.fs.put(str(path), "ring:/text")
        return path

    def alternate(self, job: Callable[[str], mm.Job], peer: Sequence[str]) -> tuple[Timing, Timing, mm.Job]:
        """Time a job, given the place of its output, and its peer in turn; the last job is given as well."""
        engine, others = [], []
        for number in range(self.rounds):
            output = f"ring:/out-{time.time_ns()}-{number}"
            began = time.perf_counter()
            done = job(output)
            done.wait()
            engine.append(time.perf_counter() - began)
            others.append(timed(peer))
        return Timing(tuple(engine)), Timing(tuple(others)), done


def wordcount_by_record(setting: Setting) -> Row:
    """Count words with a generator that sees one line at a time, and with the same generator in two processes."""
    text, counted = setting.text(), setting.folder / "counted-by-record"
    pool = [sys.executable, str(HERE / "pool_mapper.py"), str(text), str(counted)]
    engine, peer, job = setting.alternate(
        lambda output: setting.client.submit("wordcount", "ring:/text", output=output, reducers=2), pool
    )
    told = sorted(f"{word}\t{count}" for word, count in job.results())
    lines = [line for part in counted.iterdir() for line in part.read_text(encoding="utf-8").splitlines()]
    _same(told, sorted(lines), "the pool's counts")
    return _row("word count, a generator for each line, / the same in two processes", engine, peer, 1.15)


def wordcount(setting: Setting) -> Row:
    """Count words with `map_batch`, and with the same `Counter` of the same batches in two processes."""
    text, counted = setting.text(), setting.folder / "counted"
    pool = [sys.executable, str(HERE / "pool_wordcount.py"), str(text), str(counted), "--batch-bytes", str(1 << 20)]
    engine, peer, job = setting.alternate(
        lambda output: setting.client.submit("wordcount-batch", "ring:/text", output=output), pool
    )
    told = sorted(f"{word}\t{count}" for word, count in job.results())
    _same(told, sorted(counted.read_text(encoding="utf-8").splitlines()), "the pool's counts")
    return _row("word count, map_batch, / the same kernel in two processes", engine, peer, 1.15)


def lines_in_order(setting: Setting) -> Row:
    """Sort lines into parts that follow each other, and with GNU sort into one file."""
    records = setting.records()
    engine, peer, job = setting.alternate(
        lambda output: setting.client.submit("sort", "ring:/records", output=output, reducers=PARTS, total_order=True),
        _gnu_sort(setting, records),
    )
    _same_bytes(setting, job)
    return _row(f"total order of lines, {PARTS} parts / GNU sort", engine, peer, 0.9)


def records_in_order(setting: Setting) -> Row:
    """Sort the same as records of one length by their first ten bytes."""
    records = setting.records()
    engine, peer, job = setting.alternate(
        lambda output: setting.client.submit(
            "sort",
            "ring:/records",
            output=output,
            reducers=PARTS,
            total_order=True,
            input_format=f"fixed:{RECORD_BYTES}",
            output_format="fixed",
        ),
        _gnu_sort(setting, records),
    )
    _same_bytes(setting, job)
    return _row(f"total order of fixed records, {PARTS} parts / GNU sort", engine, peer, 0.9)


def grep(setting: Setting) -> Row:
    """Find a rare pattern of three characters, and the same with GNU grep."""
    records, found = setting.records(), setting.folder / "found"
    command = [*IN_C, "sh", "-c", f"grep -n {PATTERN} {records} > {found}"]
    engine, peer, job = setting.alternate(
        lambda output: setting.client.submit(
            "grep", "ring:/records", output=output, reducers=0, params={"pattern": PATTERN}
        ),
        command,
    )
    told = [f"{number}:{line}" for number, line in job.results()]
    _same(told, found.read_text(encoding="ascii").splitlines(), "what GNU grep finds")
    return _row(f"grep of {PATTERN}, {len(told)} lines / GNU grep", engine, peer, 2.0)


BENCHMARKS: dict[str, Callable[[Setting], Row]] = {
    "wordcount-by-record": wordcount_by_record,
    "wordcount": wordcount,
    "sort-lines": lines_in_order,
    "sort-fixed": records_in_order,
    "grep": grep,
}


def write_records(path: Path, records: int) -> None:
    """Write lines of printable characters, drawn with a seed."""
    chance = random.Random(11)
    size = RECORD_BYTES - 1
    table = (LETTERS * 3)[:256]
    with path.open("wb") as file:
        for _ in range(-(-records // 10_000)):
            drawn = chance.randbytes(10_000 * size).translate(table)
            file.writelines(drawn[at : at + size] + b"\n" for at in range(0, len(drawn), size))
        file.truncate(records * RECORD_BYTES)


def _gnu_sort(setting: Setting, records: Path) -> list[str]:
    return [*IN_C, "sort", "--parallel=2", "-S", "4G", "-o", str(setting.folder / "sorted"), str(records)]


def _same_bytes(setting: Setting, job: mm.Job) -> None:
    """Compare the parts in a row with what GNU sort wrote, piece by piece."""
    own = setting.folder / "own"
    setting.client.fs.get(job.spec.output, str(own))
    with tempfile.TemporaryFile() as joined:
        subprocess.run(["cat", *map(str, sorted(own.glob("part-*")))], stdout=joined, check=True)
        joined.seek(0)
        compared = subprocess.run(["cmp", "-", str(setting.folder / "sorted")], stdin=joined, check=False)
    subprocess.run(["rm", "-r", str(own)], check=True)
    if compared.returncode:
        sys.exit("the parts in a row are not what GNU sort wrote")


def _same(told: list[str], wanted: list[str], what: str) -> None:
    if told != wanted:
        sys.exit(f"the job's output is not {what}")


def _row(name: str, engine: Timing, peer: Timing, bar: float) -> Row:
    return Row(name=name, engine_s=engine.median, peer_s=peer.median, ratio=engine.median / peer.median, bar=bar)


def _rows(options: argparse.Namespace) -> Iterator[Row]:
    with (
        tempfile.TemporaryDirectory() as folder,
        mm.LocalCluster(peers=1, workers=2) as cluster,
        mm.Client(cluster) as client,
    ):
        setting = Setting(
            folder=Path(folder),
            client=client,
            mebibytes=options.mebibytes,
            text_mebibytes=options.text_mebibytes,
            rounds=options.rounds,
        )
        for name in options.only or BENCHMARKS:
            yield BENCHMARKS[name](setting)


def main() -> None:
    """Run what was asked for and print it, row by row or as one document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=1000, help="of records to sort and to search")
    parser.add_argument("--text-mebibytes", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=sorted(BENCHMARKS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.json:
        print(json.dumps([asdict(row) for row in _rows(options)], indent=2))
        return
    print("| job / peer | engine | peer | ratio | bar |\n|---|---|---|---|---|")
    for row in _rows(options):
        print(f"| {row.name} | {row.engine_s:.2f} s | {row.peer_s:.2f} s | {row.ratio:.2f} | {row.bar} |", flush=True)


if __name__ == "__main__":
    main()
