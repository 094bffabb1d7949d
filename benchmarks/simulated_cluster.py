"""Measure what simulated clusters of growing size take on one core, and which of it grows faster than the cluster.

    python benchmarks/simulated_cluster.py [--faults]

Each row is one `murmur sim --splits` in a process of its own, so that its memory is its own. What every peer learns of
every split is what a row should grow with: so the last columns are per peer and split.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

MURMUR = str(Path(sys.executable).parent / "murmur")
SIZES = ((10, 100), (50, 500), (100, 1000), (200, 2000))
"""Peers and splits: ten splits for each peer."""
SEED = 1

COLUMNS = {
    "peers": "{peers}",
    "splits": "{splits}",
    "time": "{cpu_s:.1f} s",
    "memory": "{memory_mib:.0f} MiB",
    "events": "{events}",
    "messages": "{messages}",
    "claim messages, each peer": "{claim_messages_per_peer:.0f}",
    "duplicates": "{duplicates}",
    "µs, peer and split": "{us:.0f}",
    "messages, peer and split": "{chatter:.2f}",
}


def measure(peers: int, splits: int, *, has_faults: bool) -> dict[str, Any]:
    """Play one size; the command fails where the output is not that of a sequential run."""
    words = ["sim", "--peers", str(peers), "--splits", str(splits), "--seed", str(SEED), "--json"]
    words += [] if has_faults else ["--no-faults"]
    done = subprocess.run([MURMUR, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{peers} peers, {splits} splits: {done.stdout}{done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout)
    pairs = peers * splits
    return {**document, "us": document["cpu_s"] * 1e6 / pairs, "chatter": document["messages"] / pairs}


def main() -> None:
    """Print the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", action="store_true", help="with the usual faults instead of none")
    options = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for peers, splits in SIZES:
        row = measure(peers, splits, has_faults=options.faults)
        print("| " + " | ".join(shape.format(**row) for shape in COLUMNS.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
