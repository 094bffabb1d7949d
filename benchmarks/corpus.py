"""Make text to count, the same on every machine of one Python: prose-like lines, or the standard library's sources.

    python benchmarks/corpus.py FILE [--mebibytes 128] [--kind prose]

Prose has few words that come often and many that come seldom, as natural language has; sources have short lines and
many words that come once.
"""

import argparse
import random
import sysconfig
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["prose", "source"]

PROSE_BYTES = 32 << 20
"""Prose of this size is made; a larger corpus repeats it."""

VOCABULARY = 300_000
WORDS_PER_LINE = 12
LINES_PER_PIECE = 2000
SYLLABLES = [*(c + v for c in "bcdfghjklmnprstvwz" for v in "aeiou"), "th", "sh", "er", "on", "an", "st"]


def write_corpus(path: Path, size: int, kind: Kind) -> None:
    """Write `size` bytes of whole lines to `path`, unless it has as many already."""
    if path.exists() and path.stat().st_size == size:
        return
    text = _first_bytes(_PIECES[kind](), size)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for _ in range(size // len(text)):
            file.write(text)
        end = text.rfind(b"\n", 0, size % len(text)) + 1
        file.write(text[:end])
        file.write(b"\n" * (size - file.tell()))


def _first_bytes(pieces: Iterator[bytes], size: int) -> bytes:
    """Join pieces until there are `size` bytes, or no more pieces."""
    text = bytearray()
    for piece in pieces:
        text += piece
        if len(text) >= size:
            break
    return bytes(text)


def _prose() -> Iterator[bytes]:
    """Draw words by Zipf's law: the one of rank r about as often as 1 / r."""
    chance = random.Random(7)
    words = _vocabulary(chance)
    weights = list(accumulate(1 / (rank + 2.7) ** 1.05 for rank in range(len(words))))
    size = 0
    while size < PROSE_BYTES:
        drawn = chance.choices(words, cum_weights=weights, k=WORDS_PER_LINE * LINES_PER_PIECE)
        lines = [" ".join(drawn[at : at + WORDS_PER_LINE]) + "\n" for at in range(0, len(drawn), WORDS_PER_LINE)]
        piece = "".join(lines).encode()
        size += len(piece)
        yield piece


def _vocabulary(chance: random.Random) -> list[str]:
    """Make distinct words of one to five syllables, some of them capitalised, some with punctuation at their end."""
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        word = "".join(chance.choices(SYLLABLES, k=chance.choice((1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5))))
        if chance.random() < 0.1:
            word = word.capitalize()
        if chance.random() < 0.12:
            word += chance.choice(",.;:")
        words.setdefault(word)
    return list(words)


def _source() -> Iterator[bytes]:
    library = Path(sysconfig.get_path("stdlib"))
    for path in sorted(library.rglob("*.py")):
        if "site-packages" not in path.parts:
            yield path.read_bytes().decode("utf-8", "replace").encode() + b"\n"


_PIECES: dict[Kind, Callable[[], Iterator[bytes]]] = {"prose": _prose, "source": _source}


def main() -> None:
    """Write one corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--mebibytes", type=int, default=128)
    parser.add_argument("--kind", choices=get_args(Kind), default="prose")
    arguments = parser.parse_args()
    write_corpus(arguments.file, arguments.mebibytes << 20, arguments.kind)


if __name__ == "__main__":
    main()
