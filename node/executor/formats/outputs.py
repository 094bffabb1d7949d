"""Write a part of the job's output: pairs in the output format, in pieces that become chunks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, runtime_checkable

from ....ring.digests import ChunkHasher, chunk_digest
from ....ring.terms import CHUNK_BYTES_MAX
from ..faults.wording import blaming_user, fault
from ..tasks import OutputPiece


@runtime_checkable
class Withholding(Protocol):
    """An output format that writes rows, and keeps some back until it has enough of them."""

    def __call__(self, pairs: list[tuple[Any, Any]]) -> bytes:
        """Take pairs as rows, and give what can be written."""

    def table(self, table: Any) -> bytes:
        """Take the rows of an Arrow table, and give what can be written."""

    def end(self) -> bytes:
        """Give the rest."""


PIECE_BYTES_MAX = 32 << 20
PAIRS_PER_WRITE = 4096
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an attempt wrote: the name of its content, its records and bytes, and its pieces if it is a part."""

    digest: bytes
    records: int
    size: int
    pieces: tuple[OutputPiece, ...] = ()


class PartWriter:
    """Appends pairs to a file, and ends a piece after a line once the next lines would make it too large."""

    def __init__(self, file: BinaryIO, encode: Callable[[list[tuple[Any, Any]]], bytes]) -> None:
        self._file = file
        self._encode = encode
        self._pieces: list[OutputPiece] = []
        self._hasher = ChunkHasher()
        self._newlines = 0
        self._offset = 0
        self._records = 0

    def write(self, pairs: list[tuple[Any, Any]]) -> None:
        """Write pairs in order.

        Raises `UserFault` if the format cannot express them, or one of them is larger than a chunk may be.
        """
        for begin in range(0, len(pairs), PAIRS_PER_WRITE):
            some = pairs[begin : begin + PAIRS_PER_WRITE]
            with blaming_user():
                lines = self._encode(some)
            if isinstance(self._encode, Withholding):
                self._append_stream(lines)
            elif len(lines) <= PIECE_BYTES_MAX or len(some) == 1:
                self._append(lines)
            else:
                self._write_one_by_one(some)
        self._records += len(pairs)

    def write_block(self, content: bytes, newlines: int, records: int) -> None:
        """Write records that are in the output format already; they take less than a piece."""
        self._append(content, newlines)
        self._records += records

    def write_table(self, table: Any) -> None:
        """Write the rows of an Arrow table, in a format of tables; raises `UserFault` if they do not go into it."""
        if not isinstance(self._encode, Withholding):
            raise TypeError("this output format does not write tables")
        with blaming_user():
            content = self._encode.table(table)
        self._append_stream(content)
        self._records += table.num_rows

    def finish(self) -> Written:
        """End the last piece and tell what was written; raises `UserFault` for rows that do not go into one part."""
        if isinstance(self._encode, Withholding):
            with blaming_user():
                rest = self._encode.end()
            self._append_stream(rest)
        self._end_piece()
        digest = chunk_digest(b"".join(piece.digest for piece in self._pieces))
        return Written(digest=digest, records=self._records, size=self._offset, pieces=tuple(self._pieces))

    def _write_one_by_one(self, pairs: list[tuple[Any, Any]]) -> None:
        for pair in pairs:
            with blaming_user(record=pair[0]):
                lines = self._encode([pair])
            self._append(lines)

    def _append_stream(self, content: bytes) -> None:
        """Append what may be more than a piece: it is cut after newlines, or anywhere if there are none."""
        while len(content) > PIECE_BYTES_MAX:
            end = content.rfind(b"\n", 0, PIECE_BYTES_MAX) + 1 or PIECE_BYTES_MAX
            self._append(content[:end])
            content = content[end:]
        self._append(content)

    def _append(self, lines: bytes, newlines: int | None = None) -> None:
        if len(lines) > CHUNK_BYTES_MAX:
            limit = f"{CHUNK_BYTES_MAX >> 20} MiB"
            raise fault("OutputTooLarge", f"one pair makes {len(lines)} bytes of output; at most {limit} can be stored")
        if self._hasher.size + len(lines) > PIECE_BYTES_MAX:
            self._end_piece()
        self._file.write(lines)
        self._hasher.update(lines)
        self._newlines += lines.count(b"\n") if newlines is None else newlines

    def _end_piece(self) -> None:
        if not self._hasher.size:
            return
        piece = OutputPiece(
            digest=self._hasher.digest(), offset=self._offset, size=self._hasher.size, newlines=self._newlines
        )
        self._pieces.append(piece)
        self._offset += piece.size
        self._hasher = ChunkHasher()
        self._newlines = 0


def pieces_of(path: str, bytes_max: int = PIECE_BYTES_MAX) -> tuple[OutputPiece, ...]:
    """Cut a file that is written into pieces of so many bytes at most, which become chunks."""
    pieces = []
    with open(path, "rb") as file:  # noqa: PTH123 - spares the import of pathlib
        offset = 0
        while piece := _next_piece(file, offset, bytes_max):
            pieces.append(piece)
            offset += piece.size
    return tuple(pieces)


def _next_piece(file: BinaryIO, offset: int, bytes_max: int) -> OutputPiece | None:
    hasher, newlines = ChunkHasher(), 0
    while content := file.read(min(READ_BYTES, bytes_max - hasher.size)):
        hasher.update(content)
        newlines += content.count(b"\n")
    return OutputPiece(hasher.digest(), offset, hasher.size, newlines) if hasher.size else None
