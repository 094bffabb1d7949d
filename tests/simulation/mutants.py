"""Show that the checkers see: plant each bug in a private copy of the product and count the seeds until it is caught.

    python tests/simulation/mutants.py [WORD ...]          only the bugs whose names hold one of the words

Ends with 1 if a bug is not caught within `SEEDS_MAX` seeds.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from planted_bugs import PLANTED_BUGS, PlantedBug

SEEDS_MAX = 1000
FOLDERS = ("ring", "scheduling", "node", "client", "puppetmaster")
ROOT = Path(__file__).resolve().parents[2]

HUNT = f"""
import sys
from murmuration.puppetmaster.simulation.schedule import play
first = int(sys.argv[1])
for seed in range(first, first + {SEEDS_MAX}):
    violations = play(seed).violations
    if violations:
        print(seed - first + 1, violations[0].replace("\\n", " ")[:70])
        break
else:
    print("NOT CAUGHT")
"""


def main(words: list[str]) -> int:
    """Hunt every bug; give the exit code."""
    chosen = [bug for bug in PLANTED_BUGS if not words or any(word in bug.name for word in words)]
    escaped = [bug for bug in chosen if not caught(bug)]
    sys.stdout.write(f"{len(chosen) - len(escaped)} of {len(chosen)} planted bugs caught\n")
    return 1 if escaped else 0


def caught(bug: PlantedBug) -> bool:
    """Hunt one bug, and print how many seeds it took."""
    with tempfile.TemporaryDirectory() as folder:
        product = Path(folder) / "murmuration"
        copy_product(product)
        bug.plant(product)
        done = subprocess.run(
            [sys.executable, "-c", HUNT, str(bug.first)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
        )
    found = done.stdout.strip() or f"1 crashed: {done.stderr.strip().splitlines()[-1][:70]}"
    sys.stdout.write(f"{bug.name:<55} {found}\n")
    sys.stdout.flush()
    return found != "NOT CAUGHT"


def copy_product(product: Path) -> None:
    """Copy the product's folders, so that a bug is never planted in the checkout."""
    product.mkdir()
    shutil.copy(ROOT / "__init__.py", product)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, product / folder, ignore=shutil.ignore_patterns("__pycache__"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
