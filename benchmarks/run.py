"""Run the benchmarks and set down their results as a table and as JSON under benchmarks/results/.

    python benchmarks/run.py [--rounds 3] [--mebibytes 128] [--only NAME]...

Every figure is a ratio to a peer timed in the same run, or a wall time with its spread. Tests are elsewhere.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from corpus import Kind, write_corpus
from etcd_cluster import has_etcd
from measure import alternate, timed
from quorum_store import compare, ratios
from store_clients import Kind as Contestant

import murmuration as mm

HERE = Path(__file__).parent
MURMUR = [str(Path(sys.executable).parent / "murmur")]
"""The command that is installed beside the running Python."""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table; `bar` is what it should not exceed."""

    name: str
    value: float
    unit: str
    bar: float
    detail: str


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a benchmark works and how often it repeats."""

    folder: Path
    mebibytes: int
    rounds: int


def wordcount(setting: Setting) -> list[Result]:
    """Count the words of both corpora."""
    return [result for kind in get_args(Kind) for result in _wordcount_of(kind, setting)]


def _wordcount_of(corpus: Kind, setting: Setting) -> list[Result]:
    """Time `murmur run` with two kinds of combiner against a hand-written two-process pool."""
    text = setting.folder / corpus
    write_corpus(text, setting.mebibytes << 20, corpus)
    outputs = [setting.folder / name for name in ("pool", "sum", "class")]
    pool = [sys.executable, str(HERE / "pool_wordcount.py"), str(text), str(outputs[0])]
    engine = [
        [*MURMUR, "run", program, str(text), "-o", str(output), "--workers", "2", "--plain", "--overwrite"]
        for program, output in zip(("wordcount", "wordcount-class"), outputs[1:], strict=True)
    ]
    timings = alternate([pool, *engine], setting.rounds)
    for output in outputs[1:]:
        if _lines(output) != _lines(outputs[0]):
            sys.exit(f"{output} differs from the pool's output")
    return [
        Result(
            f"word count of {corpus}, {kind}",
            timing.median / timings[0].median,
            "x pool",
            bar,
            f"{timing} / {timings[0]}",
        )
        for kind, timing, bar in zip(("aggregation sum", "reducer as combiner"), timings[1:], (1.3, 1.6), strict=True)
    ]


def start(setting: Setting) -> list[Result]:
    """Time four peers from nothing to all of them seeing each other alive."""
    seconds = []
    for _ in range(setting.rounds):
        begin = time.perf_counter()
        with mm.LocalCluster(peers=4, workers=1):
            seconds.append(time.perf_counter() - begin)
    return [Result("four peers ready", sorted(seconds)[len(seconds) // 2], "s", 2.0, f"{seconds}")]


def small_job(setting: Setting) -> list[Result]:
    """Time a job on 1 KB of text on a running cluster, command line included."""
    text = setting.folder / "small.txt"
    write_corpus(text, 1024, "prose")
    with mm.LocalCluster(peers=4, workers=1) as cluster:
        command = [*MURMUR, "submit", "wordcount", str(text), "-o", "-", "--plain", "--peer", cluster.urls[0]]
        seconds = sorted(timed(command) for _ in range(setting.rounds * 3))
    return [Result("job on 1 KB", seconds[len(seconds) // 2], "s", 0.5, f"{seconds[0]:.2f} to {seconds[-1]:.2f} s")]


def quorum_store(setting: Setting) -> list[Result]:
    """Compare puts and gets with those of etcd and of the bare floor; a value that should be large is turned over."""
    kinds: list[Contestant] = [kind for kind in get_args(Contestant) if kind != "etcd" or has_etcd()]
    return [
        Result(f.name, 1 / max(f.value, 1e-9), f"x slower than {f.unit[2:]}", 1 / f.bar, f.detail)
        if f.sense == "≥"
        else Result(f.name, f.value, f.unit, f.bar, f.detail)
        for f in ratios(compare(setting.rounds, 2.0, kinds))
    ]


BENCHMARKS: dict[str, Callable[[Setting], list[Result]]] = {
    "wordcount": wordcount,
    "start": start,
    "small-job": small_job,
    "quorum-store": quorum_store,
}


def _lines(output: Path) -> list[bytes]:
    """Read all lines of a file, or of a directory's parts, in one order."""
    files = sorted(output.iterdir()) if output.is_dir() else [output]
    return sorted(line for file in files for line in file.read_bytes().splitlines())


def main() -> None:
    """Run what was asked for, print the table, and write both forms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mebibytes", type=int, default=128)
    parser.add_argument("--only", action="append", choices=sorted(BENCHMARKS))
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(Path(folder), options.mebibytes, options.rounds)
        for name in options.only or BENCHMARKS:
            results += BENCHMARKS[name](setting)
    lines = ["| benchmark | value | bar | detail |", "|---|---|---|---|"]
    lines += [f"| {r.name} | {r.value:.2f} {r.unit} | {r.bar} | {r.detail} |" for r in results]
    print("\n".join(lines))
    kept = HERE / "results"
    kept.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    document = {"machine": machine, "results": [asdict(result) for result in results]}
    (kept / "latest.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (kept / "latest.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
