"""Count newlines, which is most of what a search through large blocks costs, as fast as is worth while."""

IMPORT_PAYS_BYTES = 64 << 20
"""numpy counts seven times as fast as `bytes.count`: after so many bytes its import would have been paid for."""

NUMPY_PAYS_BYTES = 4 << 10
"""A shorter piece is counted before numpy has looked at it."""

NEWLINE = 10


class NewlineCounter:
    """Counts newlines in blocks, and learns from their size whether numpy is worth its import."""

    def __init__(self, pays_bytes: int = IMPORT_PAYS_BYTES) -> None:
        """Import numpy after so many bytes."""
        self._left = pays_bytes

    def count(self, block: bytes, begin: int, end: int) -> int:
        """Count the newlines in a piece of a block."""
        if self._left > 0 or end - begin < NUMPY_PAYS_BYTES:
            self._left -= end - begin
            return block.count(b"\n", begin, end)
        import numpy as np

        return int(np.count_nonzero(np.frombuffer(block, np.uint8, end - begin, begin) == NEWLINE))


newlines = NewlineCounter()
"""The counter of this process: jobs that read much share what it has learnt."""
