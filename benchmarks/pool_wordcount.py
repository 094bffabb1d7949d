"""Count words as one would by hand on one machine: the honest peer that `murmur run wordcount` is measured against.

    python benchmarks/pool_wordcount.py FILE OUTPUT [--processes 2] [--batch-bytes 1048576]

A pool of processes, each `Counter(text.split())` over its share of the lines; merged, sorted, and written as
`key<TAB>value`. It keeps the whole share in memory, survives nothing, and has no cluster.
"""

import argparse
import multiprocessing
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path


def line_borders(path: Path, pieces: int) -> list[int]:
    """Cut the file into about equal pieces that begin where a line does."""
    size = path.stat().st_size
    borders = [0]
    with path.open("rb") as file:
        for number in range(1, pieces):
            file.seek(max(number * size // pieces, borders[-1]))
            file.readline()
            borders.append(file.tell())
    return [*borders, size]


def count_words(share: tuple[Path, int, int, int]) -> Counter[str]:
    """Count the words between two positions of a file: at once, or so many bytes at a time and the line they end in."""
    path, begin, end, batch_bytes = share
    counts: Counter[str] = Counter()
    with path.open("rb") as file:
        file.seek(begin)
        while (left := end - file.tell()) > 0:
            text = file.read(min(left, batch_bytes or left))
            counts.update(Counter((text + (b"" if len(text) == left else file.readline())).decode().split()))
    return counts


def word_count(path: Path, output: Path, processes: int, batch_bytes: int) -> int:
    """Count, merge, sort and write; give the number of distinct words."""
    borders = line_borders(path, processes)
    shares = [(path, begin, end, batch_bytes) for begin, end in pairwise(borders)]
    counts: Counter[str] = Counter()
    with multiprocessing.Pool(processes) as pool:
        for part in pool.imap(count_words, shares):
            counts.update(part)
    lines = [f"{word}\t{count}\n" for word, count in sorted(counts.items())]
    output.write_text("".join(lines), encoding="utf-8")
    return len(counts)


def main() -> None:
    """Count once and print the seconds it took, the start of the processes included."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch-bytes", type=int, default=0, help="of a whole share, unless given")
    arguments = parser.parse_args()
    began = time.perf_counter()
    words = word_count(arguments.file, arguments.output, arguments.processes, arguments.batch_bytes)
    print(f"{time.perf_counter() - began:.3f} s, {words} distinct words")


if __name__ == "__main__":
    main()
