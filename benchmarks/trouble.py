"""Measure what trouble costs a job, on real peers: deaths, slowness, standstill; and how fast empty splits pass.

    python benchmarks/trouble.py [--only killed slow frozen empty] [--rounds 40]

The mapper sleeps where others compute, so that peers of one machine do not take each other's processor: the ratios tell
how long trouble goes unnoticed and what is done again. Each is to a clean run on the same number of peers just before.
Half-way means half of the splits done.
"""

import argparse
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import murmuration as mm

SPARES_S = 2.5
"""After so long a pause each slot has a process in reserve again."""
NAP_MS = 10
LINES = 50
"""A split of so many lines takes half a second."""
PROGRAM = f"""
import pathlib, time
from murmuration import Mapper

class Nap(Mapper):
    def map(self, key, value):
        is_slow = pathlib.Path(self.context.params["slow"], self.context.peer).exists()
        time.sleep({NAP_MS / 1000} * (10 if is_slow else 1))
        yield "line", 1

reducer = "sum"
"""
EMPTY = "def map(key, value):\n    return ()\n"


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the runs find their program, input and marks."""

    folder: Path
    rounds: int

    def run(
        self,
        peers: int,
        trouble: Callable[[mm.LocalCluster], None] | None = None,
        *,
        speculation: bool = True,
    ) -> tuple[float, object]:
        """Run a job of `rounds` splits for each peer, with `trouble` half-way; give its seconds and its last status."""
        splits = self.rounds * peers
        text = self.folder / f"{splits}.txt"
        text.write_text("x\n" * (LINES * splits))
        for mark in (self.folder / "slow").iterdir():
            mark.unlink()
        with mm.LocalCluster(peers=peers, workers=1) as cluster, mm.Client(cluster) as client:
            job = client.submit(
                str(self.folder / "nap.py"),
                str(text),
                output="ring:/out",
                splits=splits,
                reducers=1,
                speculation=speculation,
                params={"slow": str(self.folder / "slow")},
            )
            for status in job.watch():
                done = status.map_states.count(5)
                if trouble is not None and 2 * done >= splits:
                    trouble(cluster)
                    trouble = None
            counts = dict(job.results())
            if counts != {"line": str(LINES * splits)}:
                raise SystemExit(f"the output is wrong: {counts}")
            return job.status.elapsed_s, job.status


def victim(cluster: mm.LocalCluster) -> str:
    """Name the peer that trouble befalls: not the first, at which the job was submitted."""
    return sorted(cluster.processes)[1]


def killed(bench: Bench) -> None:
    """Kill one of nine peers half-way, and start it again at once."""

    def kill(cluster: mm.LocalCluster) -> None:
        cluster.kill(victim(cluster))
        cluster.restart(victim(cluster))

    clean, _ = bench.run(9)
    troubled, status = bench.run(9, kill)
    told("one of nine killed half-way and restarted", clean, troubled, "<= 1.05 x", status)


def slow(bench: Bench) -> None:
    """Slow one of five peers tenfold half-way, with speculation and without."""

    def brake(cluster: mm.LocalCluster) -> None:
        (bench.folder / "slow" / victim(cluster)).touch()

    clean, _ = bench.run(5)
    for speculation in (True, False):
        troubled, status = bench.run(5, brake, speculation=speculation)
        word = "on" if speculation else "off"
        told(f"one of five slowed tenfold half-way, speculation {word}", clean, troubled, "<= 1.15 x", status)


def frozen(bench: Bench) -> None:
    """Stop one of four peers by SIGSTOP half-way."""

    def freeze(cluster: mm.LocalCluster) -> None:
        cluster.kill(victim(cluster), signal.SIGSTOP)

    clean, _ = bench.run(4)
    troubled, status = bench.run(4, freeze)
    told("one of four frozen by SIGSTOP half-way", clean, troubled, "<= + 10 s", status)


def empty(bench: Bench) -> None:
    """Pass 2,000 splits that hold nothing to do, on one peer and on four that run, and on some that start just now."""
    for peers, bar in ((1, 4000), (4, 2000)):
        running, starting = [], []
        for _ in range(3):
            with mm.LocalCluster(peers=peers, workers=2 // peers or 1) as cluster, mm.Client(cluster) as client:
                starting.append(empty_rate(bench, client, "0"))
                for run in range(1, 4):
                    time.sleep(SPARES_S)  # noqa: TID251 - nothing tells when they are ready
                    running.append(empty_rate(bench, client, str(run)))
        for title, rates, wanted in (("running", running, f">= {bar}"), ("just started", starting, "")):
            span = f"{min(rates):.0f} to {max(rates):.0f}"
            what = f"2,000 empty splits on {peers}, {title}"
            print(f"| {what} | {statistics.median(rates):.0f} a second | {wanted} | {span} | |", flush=True)


def empty_rate(bench: Bench, client: mm.Client, name: str) -> float:
    """Pass 2,000 splits that hold nothing to do; give how many it were in a second."""
    text = bench.folder / "empty.txt"
    text.write_text("x\n" * 2000)
    job = client.submit(str(bench.folder / "empty.py"), str(text), output=f"ring:/out-{name}", splits=2000, reducers=1)
    job.wait(timeout=600)
    return 2000 / job.status.elapsed_s


def told(name: str, clean: float, troubled: float, bar: str, status: object) -> None:
    """Print one row."""
    figures = f"{status.attempts} attempts, {status.duplicates} duplicates, {status.speculative} speculative"
    times = f"{troubled:.2f} s / {clean:.2f} s"
    print(f"| {name} | {troubled / clean:.3f} x, {troubled - clean:+.2f} s | {bar} | {times} | {figures} |", flush=True)


BENCHMARKS = {"killed": killed, "slow": slow, "frozen": frozen, "empty": empty}


def main() -> None:
    """Print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=40, help="splits of half a second for each peer")
    options = parser.parse_args()
    print("| trouble | cost | bar | times | attempts |\n|---|---|---|---|---|")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.rounds)
        (bench.folder / "nap.py").write_text(PROGRAM)
        (bench.folder / "empty.py").write_text(EMPTY)
        (bench.folder / "slow").mkdir()
        for name in options.only:
            BENCHMARKS[name](bench)
    print(f"{time.monotonic() - begun:.0f} s in all")


if __name__ == "__main__":
    main()
