"""Run a mapper record by record as one would by hand: what `murmur submit wordcount` is measured against.

    python benchmarks/pool_mapper.py FILE OUTPUT [--processes 2] [--partitions 2]

Two rounds of a pool of processes. Each process calls the shipped `wordcount` mapper, a generator, for every line of its
share, adds up what it yields in a dict, deals the sums to partitions by a stable hash, and leaves them as files; then
each partition is merged, sorted and written as `key<TAB>value`. It survives nothing, and has no cluster.
"""

import argparse
import multiprocessing
import pickle
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from zlib import crc32

from pool_wordcount import line_borders

from murmuration.examples.wordcount import WordMapper

Share = tuple[Path, int, int, Path, int]


def map_share(share: Share) -> None:
    """Map the lines between two positions of a file, and leave a file for each partition."""
    path, begin, end, folder, partitions = share
    sums: dict[str, int] = defaultdict(int)
    map_line = WordMapper().map
    with path.open("rb") as file:
        file.seek(begin)
        number = 0
        while (left := end - file.tell()) > 0:
            text = file.read(min(left, 1 << 20))
            rest = b"" if len(text) == left else file.readline()
            for line in (text + rest).decode().splitlines():
                number += 1
                for key, value in map_line(number, line):
                    sums[key] += value
    dealt: list[dict[str, int]] = [{} for _ in range(partitions)]
    for key, value in sums.items():
        dealt[crc32(key.encode()) % partitions][key] = value
    for partition, part in enumerate(dealt):
        (folder / f"{begin}-{partition}").write_bytes(pickle.dumps(part))


def reduce_partition(task: tuple[Path, int, Path]) -> None:
    """Merge what all shares left for a partition, and write it in order."""
    folder, partition, output = task
    sums: dict[str, int] = defaultdict(int)
    for run in sorted(folder.glob(f"*-{partition}")):
        for key, value in pickle.loads(run.read_bytes()).items():
            sums[key] += value
    lines = [f"{key}\t{value}\n" for key, value in sorted(sums.items())]
    (output / f"part-{partition}").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Count once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--partitions", type=int, default=2)
    options = parser.parse_args()
    options.output.mkdir(exist_ok=True)
    borders = line_borders(options.file, options.processes)
    with tempfile.TemporaryDirectory() as name, multiprocessing.Pool(options.processes) as pool:
        folder = Path(name)
        pool.map(map_share, [(options.file, *pair, folder, options.partitions) for pair in pairwise(borders)])
        pool.map(reduce_partition, [(folder, partition, options.output) for partition in range(options.partitions)])


if __name__ == "__main__":
    main()
