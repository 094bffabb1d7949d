"""Say how long records of one length are, and what of each is its key."""

from typing import NamedTuple

from ..faults.wording import fault

FIXED = "fixed"
"""The formats of records that follow each other with nothing between them: `fixed:N` in, `fixed` out."""

WRITES_RECORDS = frozenset({FIXED, "values"})
"""The output formats in which records are written without looking at them one by one."""

TABLES = frozenset({"csv", "parquet", "arrow"})
"""The input formats whose records are rows: `identity` passes them on as tables."""

SEEN_AS_TABLES = TABLES | {"jsonl", "msgpack"}
"""The input formats that `map_batch` sees as Arrow tables."""

WRITES_TABLES = TABLES | {"msgpack"}
"""The output formats in which tables are written without looking at their rows one by one."""

RECORD_KIND = b"R"
"""Begins a block of records in a run; blocks of pickled columns begin with pickle's own first byte."""

TABLE_KIND = b"TABLE\0\0\0"
"""Begins a block of a table in a run; eight bytes, so that what follows lies as Arrow wants it."""

RECORD_BYTES_MAX = 1 << 20

SPELLING = "fixed:N gives records of N bytes, fixed:N:K those whose first K bytes are the key; N is at most 1048576"


class Layout(NamedTuple):
    """Records of `width` bytes: the first `key_bytes` of each are its key, and the last `ending` belong to no value."""

    width: int
    key_bytes: int
    ending: int = 0

    @property
    def value_bytes(self) -> int:
        """Give the length of a value."""
        return self.width - self.ending


def fixed_layout(input_format: str) -> tuple[int, int | None] | None:
    """Read N and K out of `fixed:N` or `fixed:N:K`; None for any other format.

    Raises `UserFault` if it begins so and goes on otherwise.
    """
    name, *numbers = input_format.split(":")
    if name != FIXED:
        return None
    if not 1 <= len(numbers) <= 2 or not all(number.isascii() and number.isdigit() for number in numbers):
        raise fault("UnknownFormat", f"there is no input format {input_format!r}", hint=SPELLING)
    width, key_bytes = int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else None
    if not 1 <= width <= RECORD_BYTES_MAX or not 1 <= (key_bytes or width) <= width or key_bytes == 0:
        raise fault("UnknownFormat", f"records cannot be as {input_format!r} says", hint=SPELLING)
    return width, key_bytes
