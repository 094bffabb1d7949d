"""Read a split in blocks of whole lines, of about 1 MiB each, the same whatever files the bytes lie in."""

from collections.abc import Iterator, Sequence

from .faults import InputUnreadable, fault
from .tasks import Extent

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
            yield b"".join((*tail, window[:end]))
            tail = [window[end:]]
        else:
            tail.append(window)
    rest = b"".join(tail)
    if rest:
        yield rest


def whole(extents: Sequence[Extent]) -> bytes:
    """Give all the bytes at once; raises as `line_blocks`."""
    return b"".join(_windows(extents))


def _windows(extents: Sequence[Extent]) -> Iterator[bytes]:
    """Give exactly `BLOCK_BYTES` at a time, across the borders of extents."""
    pieces: list[bytes] = []
    held = 0
    for piece in _pieces(extents):
        rest = memoryview(piece)
        while held + len(rest) >= BLOCK_BYTES:
            cut = BLOCK_BYTES - held
            yield piece if not held and len(piece) == BLOCK_BYTES else b"".join((*pieces, rest[:cut]))
            rest, pieces, held = rest[cut:], [], 0
        if len(rest):
            pieces.append(bytes(rest))
            held += len(rest)
    if held:
        yield b"".join(pieces)


def _pieces(extents: Sequence[Extent]) -> Iterator[bytes]:
    for extent in extents:
        try:
            with open(extent.path, "rb", buffering=0) as file:  # noqa: PTH123 - spares the import of pathlib
                file.seek(extent.offset)
                left = extent.length
                while left and (piece := file.read(min(left, BLOCK_BYTES))):
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
