"""Hand many lines to a program at once, cut from their block only when it looks at them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from ..formats.text import byte_lines, lines_of
from .counting import newlines

if TYPE_CHECKING:
    from .records import Records

Decode = Callable[[bytes], str]


class LineBatch(Sequence[Any]):
    """Adjoining lines of a file, without their ends: a sequence of str, or of bytes, as the input format has them.

    `block` holds the bytes as they are in the file, and can be searched before any line is cut. `first_line` is the
    number of the first line in its file, from 1.
    """

    __slots__ = ("_count", "_counted", "_decode", "_key", "_lines", "_raw", "block", "first_line")

    def __init__(
        self,
        block: bytes,
        first_line: int,
        *,
        decode: Decode,
        raw: bool = False,
        key: Callable[[Any], Any] | None = None,
    ) -> None:
        """Let `decode` make text of bytes that are looked at; lines stay bytes if they are `raw`.

        `key` gives what a line is passed on under, unless that is the line itself.
        """
        self.block = block
        self.first_line = first_line
        self._decode = decode
        self._raw = raw
        self._key = key
        self._lines: list[Any] | None = None
        self._count: int | None = None
        self._counted = (0, 0)  # so many newlines stand before this place: what is counted once is not counted again

    def __len__(self) -> int:
        if self._count is None:
            self._count = self._newlines_before(len(self.block)) + (not self.block.endswith(b"\n"))
        return self._count

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...

    def __getitem__(self, place: int | slice) -> Any:
        return self._all()[place]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all())

    @property
    def text(self) -> str:
        """Decode the block, ends of lines included."""
        return self._decode(self.block)

    def containing(self, wanted: bytes) -> Iterator[tuple[int, Any]]:
        """Give the number and the content of each line that holds these bytes; no other line is cut, or decoded."""
        block = self.block
        place = block.find(wanted)
        while place >= 0:
            begin = block.rfind(b"\n", 0, place) + 1
            end = block.find(b"\n", place) + 1 or len(block)
            yield self.first_line + self._newlines_before(begin), self._cut(block[begin:end])[0]
            place = block.find(wanted, end)

    def pairs(self) -> Iterator[tuple[Any, Any]]:
        """Give each line under what it is sorted by: as it is passed on."""
        key = self._key
        return ((line, line) for line in self) if key is None else ((key(line), line) for line in self)

    def records(self) -> "Records | None":
        """Give lines of bytes as rows, each under itself; None unless all are of one length."""
        if not self._raw or self._key is not None:
            return None
        from .records import records_of_lines  # late: only such jobs need numpy

        records = records_of_lines(self.block)
        if records is not None:
            self._count = len(records)
        return records

    def picked(self, places: Sequence[int]) -> "LineBatch":
        """Make a batch of some of the lines only; their numbers are then not those of the file."""
        lines = self.block.split(b"\n")
        block = b"".join(lines[place] + b"\n" for place in places)
        return LineBatch(block, self.first_line, decode=self._decode, raw=self._raw, key=self._key)

    def _newlines_before(self, place: int) -> int:
        counted_to, count = self._counted
        if place < counted_to:
            return newlines.count(self.block, 0, place)
        count += newlines.count(self.block, counted_to, place)
        self._counted = (place, count)
        return count

    def _all(self) -> list[Any]:
        if self._lines is None:
            self._lines = self._cut(self.block)
        return self._lines

    def _cut(self, block: bytes) -> list[Any]:
        return byte_lines(block) if self._raw else lines_of(self._decode(block))
