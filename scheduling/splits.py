"""Cut input into splits: runs of whole lines that tile each file exactly, with the number of their first line.

A *border* is a position where a line begins: 0, or just after a newline byte (0x0A, nothing else: neither a lone
carriage return nor U+2028 ends a line). UTF-8 never uses that byte inside a character, so a border never cuts one.
Reading goes through a callable `read(offset, length)` in windows, so input larger than memory does.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..ring.errors import WorldError
from .jobs import ChunkRef, Split

Read = Callable[[int, int], bytes]
"""Gives `length` bytes from `offset`."""

Border = tuple[int, int]
"""A position where a line begins, and the newlines before it."""

WINDOW_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The chosen borders of some bytes, in order, from (0, 0); and all the newlines in them.

    `ends_line` tells that the bytes end with a newline: then their end is the last border.
    """

    borders: tuple[Border, ...]
    newlines: int
    ends_line: bool


def cut_lines(read: Read, size: int, split_size: int) -> Cut:
    """Choose for each multiple of `split_size` the nearest border at or after it; equal ones count once.

    Raises `WorldError` if `read` gives fewer than `size` bytes.
    """
    lines = _LineStarts(read, size)
    borders = [(0, 0)]
    for target in range(split_size, size, split_size):
        if target > borders[-1][0]:
            found = lines.at_or_after(target)
            if found is None:
                break
            borders.append(found)
    return lines.finish(borders)


def cut_into(read: Read, size: int, splits: int) -> Cut:
    """Choose the first borders of exactly `splits` splits of about equal size; those without a line are empty.

    Raises `WorldError` if `read` gives fewer than `size` bytes.
    """
    lines = _LineStarts(read, size)
    borders: list[Border | None] = [(0, 0)]
    for number in range(1, splits):
        target = number * size // splits
        last = borders[-1]
        borders.append(lines.at_or_after(target) if last and target > last[0] else last)
    whole = lines.finish([])
    end = (size, whole.newlines)
    begins = tuple(end if border is None else border for border in borders)
    return Cut(
        borders=(*begins, end) if whole.ends_line else begins, newlines=whole.newlines, ends_line=whole.ends_line
    )


def split_size_for(total: int, splits: int) -> int:
    """Give the split size in bytes that cuts `total` bytes into about `splits` splits."""
    return max(1, -(-total // splits))


def splits_of_file(file_number: int, size: int, cut: Cut) -> list[Split]:
    """Turn the borders of a file into splits; an empty file is one empty split, so that it has its part as well."""
    end = () if cut.ends_line else ((size, cut.newlines),)
    return _splits_between(file_number, (*cut.borders, *end))


def chunks_to_cut(chunks: Sequence[ChunkRef], split_size: int) -> list[int]:
    """Name the chunks, by their place in the file, that are larger than a split and so must be looked into."""
    return [number for number, chunk in enumerate(chunks) if chunk.size > split_size]


def splits_of_chunks(file_number: int, chunks: Sequence[ChunkRef], cuts: Mapping[int, Cut]) -> list[Split]:
    """Cut a file of the ring inside its chunks, so that whoever holds a chunk holds all of a split.

    `cuts` are those of the chunks that `chunks_to_cut` names, by place. A chunk border is a split border unless a
    line lies across it (`open_line`).
    """
    borders: list[Border] = [(0, 0)]
    position = newlines = 0
    open_line = False
    for number, chunk in enumerate(chunks):
        inside = cuts[number].borders if number in cuts else ((0, 0),)
        for offset, before in inside:
            if offset < chunk.size and not (offset == 0 and open_line) and position + offset > borders[-1][0]:
                borders.append((position + offset, newlines + before))
        position, newlines, open_line = position + chunk.size, newlines + chunk.newlines, chunk.open_line
    return _splits_between(file_number, (*borders, (position, newlines)))


def splits_of_records(file_number: int, records: int, width: int, splits: int) -> list[Split]:
    """Cut a file of records of `width` bytes into exactly `splits` splits, the sizes of which differ by one record.

    They are numbered as lines are, from 1.
    """
    borders = [number * records // splits for number in range(splits + 1)]
    return [
        Split(file=file_number, begin=begin * width, end=end * width, first_line=begin + 1)
        for begin, end in pairwise(borders)
    ]


def splits_of_blocks(
    file_number: int, size: int, blocks: Sequence[Border], records: int, targets: Iterable[int], *, exactly: bool
) -> list[Split]:
    """Cut a file of blocks of records, given as positions with the records before each, at the first block from each
    target on; the first split has what lies before the blocks, the last what lies after them.

    With `exactly` each target makes a split, if an empty one.
    """
    end = (size, records)
    borders = [(0, 0), *(next((block for block in blocks[1:] if block[0] >= target), end) for target in targets), end]
    return _splits_between(file_number, borders if exactly else dict.fromkeys(borders))


def _splits_between(file_number: int, borders: Iterable[Border]) -> list[Split]:
    return [
        Split(file=file_number, begin=begin, end=end, first_line=newlines + 1)
        for (begin, newlines), (end, _) in pairwise(borders)
    ]


class _LineStarts:
    """Walks once through the bytes, finds lines' beginnings and counts the newlines it passes."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = size
        self._window = b""
        self._base = 0
        self._counted = 0
        self._newlines = 0

    def at_or_after(self, target: int) -> Border | None:
        """Find the first border at or after `target`, which is past the border found before; None if there is none."""
        while (found := self._window.find(b"\n", max(target - 1 - self._base, self._counted))) < 0:
            if not self._advance():
                return None
        self._newlines += self._window.count(b"\n", self._counted, found + 1)
        self._counted = found + 1
        return self._base + found + 1, self._newlines

    def finish(self, borders: list[Border]) -> Cut:
        """Count what is left, and add the end to the borders if a line could begin there."""
        last = self._window[-1:]
        while self._advance():
            last = self._window[-1:]
        end = (self._size, self._newlines)
        ends_line = last == b"\n"
        closed = [*borders, end] if ends_line and borders[-1:] != [end] else borders
        return Cut(borders=tuple(closed), newlines=self._newlines, ends_line=ends_line)

    def _advance(self) -> bool:
        """Go on to the next window; tell whether there is one."""
        self._newlines += self._window.count(b"\n", self._counted)
        self._base += len(self._window)
        self._counted = 0
        wanted = min(WINDOW_BYTES, self._size - self._base)
        self._window = self._read(self._base, wanted) if wanted else b""
        if len(self._window) != wanted:
            raise WorldError(
                f"the input ended after {self._base + len(self._window)} of {self._size} bytes; cut it anew"
            )
        return wanted > 0
