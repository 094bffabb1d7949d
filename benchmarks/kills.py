"""Kill the tracker and one further peer of five at random moments, again and again, and compare every output.

    python benchmarks/kills.py [--runs 30] [--seed 1]

Each run starts five real peers, stores a text in the ring, counts its words, and sends two SIGKILLs at moments drawn
from the seed. It ends with 0 only if every output equals a sequential count.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from corpus import write_corpus

import murmuration as mm


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one run; the moments of the kills are seconds after the submission."""

    number: int
    equal: bool
    seconds: float
    epoch: int
    killed: tuple[str, ...]
    moments: tuple[float, ...]
    attempts: int
    splits: int


def expected_counts(text: Path) -> dict[str, int]:
    """Count words in one plain loop."""
    counts: Counter[str] = Counter()
    with text.open(encoding="utf-8") as file:
        for line in file:
            counts.update(line.split())
    return dict(counts)


def play(number: int, text: Path, expected: dict[str, int], rng: random.Random) -> Run:
    """Play one run on a cluster of its own."""
    moments = tuple(sorted(rng.uniform(0.0, 2.0) for _ in range(2)))
    tracker_turn = rng.randrange(2)
    killed: list[str] = []
    with mm.LocalCluster(peers=5, workers=1) as cluster, mm.Client(cluster) as client:
        client.fs.put(str(text), "ring:/text")
        begin = time.perf_counter()
        job = client.submit("wordcount", "ring:/text", output="ring:/counts", reducers=3, split_size=512 << 10)
        killer = threading.Thread(
            target=_kill_two, args=(cluster, job.id, moments, tracker_turn, rng.random(), killed), daemon=True
        )
        killer.start()
        job.wait(timeout=120)
        seconds = time.perf_counter() - begin
        killer.join()
        counts = {key: int(value) for key, value in job.results()}
        status = job.status
    return Run(
        number=number,
        equal=counts == expected,
        seconds=seconds,
        epoch=status.epoch,
        killed=tuple(killed),
        moments=moments,
        attempts=status.attempts,
        splits=len(status.map_states),
    )


def _kill_two(
    cluster: mm.LocalCluster, job: str, moments: tuple[float, ...], tracker_turn: int, chance: float, killed: list[str]
) -> None:
    """Kill the tracker at `tracker_turn` and another peer; the tracker is whoever holds the role at that moment."""
    begin = time.perf_counter()
    waited = threading.Event()
    with mm.Client(cluster) as observer:
        for turn, moment in enumerate(moments):
            waited.wait(max(0.0, begin + moment - time.perf_counter()))
            tracker = observer.job(job).status.tracker
            others = sorted(set(cluster.processes) - {tracker, *killed})
            wants_tracker = turn == tracker_turn and tracker not in killed
            victim = tracker if wants_tracker else others[int(chance * len(others))]
            cluster.kill(victim)
            killed.append(victim)


def main() -> None:
    """Play all runs and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mebibytes", type=int, default=24)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text"
        write_corpus(text, options.mebibytes << 20, "source")
        expected = expected_counts(text)
        runs = []
        for number in range(options.runs):
            runs.append(play(number, text, expected, rng))
            print(json.dumps(asdict(runs[-1])), flush=True)
    equal = sum(run.equal for run in runs)
    print(f"{equal} of {len(runs)} outputs equal")
    sys.exit(0 if equal == len(runs) else 1)


if __name__ == "__main__":
    main()
