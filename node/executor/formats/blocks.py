"""Read a split in blocks of whole lines, or records, of about 1 MiB each, the same whatever files the bytes lie in."""

from collections.abc import Iterator, Sequence

from ..faults.wording import InputUnreadable, fault
from ..tasks import Extent

BLOCK_BYTES = 1 << 20


def line_blocks(extents: Sequence[Extent]) -> Iterator[bytes]:
    """Give blocks that end after a newline, except the last where the split itself does not.

    The blocks depend on the bytes alone, so that every attempt at a split combines the same records together.

    Raises `InputUnreadable` if a file cannot be read, `UserFault` if it is shorter than it was.
    """
    tail: list[bytes] = []
    for window in _windows(extents):
        end = window.rfind(b"\n") + 1
        if end:
            yield b"".join((*tail, memoryview(window)[:end]))
            tail = [window[end:]]
        else:
            tail.append(window)
    rest = b"".join(tail)
    if rest:
        yield rest


def record_blocks(extents: Sequence[Extent], width: int) -> Iterator[bytes]:
    """Give blocks of whole records of `width` bytes, of which the split has a whole number; raises as `line_blocks`."""
    return _windows(extents, max(1, BLOCK_BYTES // width) * width)


def whole(extents: Sequence[Extent]) -> bytes:
    """Give all the bytes at once; raises as `line_blocks`."""
    return b"".join(_windows(extents))


def _windows(extents: Sequence[Extent], size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Give exactly `size` bytes at a time, across the borders of extents."""
    pieces: list[bytes] = []
    held = 0
    for piece in _pieces(extents, size):
        rest = memoryview(piece)
        while held + len(rest) >= size:
            cut = size - held
            yield piece if not held and len(piece) == size else b"".join((*pieces, rest[:cut]))
            rest, pieces, held = rest[cut:], [], 0
        if len(rest):
            pieces.append(bytes(rest))
            held += len(rest)
    if held:
        yield b"".join(pieces)


def _pieces(extents: Sequence[Extent], size: int) -> Iterator[bytes]:
    for extent in extents:
        try:
            with open(extent.path, "rb", buffering=0) as file:  # noqa: PTH123 - spares the import of pathlib
                file.seek(extent.offset)
                left = extent.length
                while left and (piece := file.read(min(left, size))):
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise InputUnreadable(f"cannot read {extent.path}: {error.strerror}") from error
        if left:
            raise fault(
                "InputChanged",
                f"{extent.path} is {left} bytes shorter than when the job was submitted",
                hint="leave input files alone while a job reads them; submit the job again",
                file=extent.path,
            )
