"""Write parts that are tables: CSV, Parquet, Arrow's own files, and msgpack, alike from pairs and from Arrow tables.

A value that is a dict is a row, and its key is not written; any other pair is a row of the columns `key` and `value`.
What is written depends on the rows alone, not on how many came at a time: so the same rows make the same bytes.
"""

from collections.abc import Callable
from io import RawIOBase
from typing import Any

from ..arrow import arrow
from ..faults.wording import fault
from .columns import ONE_TYPE, check_names, rows_of, table_of
from .outputs import Withholding

ROWS_AT_ONCE = 4096
"""Rows that are made a table together: of these the types of the columns are told."""

GROUP_BYTES = 16 << 20
"""What is collected before a row group, or a record batch, is written."""

NESTED_WEIGHT = 256
"""Bytes that a list, or anything else that holds others, is taken to have."""


def table_part(name: str) -> Withholding:
    """Make what writes one part; raises `UserFault` if it needs pyarrow, and that is not installed."""
    match name:
        case "csv":
            from .csv_part import CsvPart  # late: few jobs need it

            return CsvPart()
        case "msgpack":
            return PackedPart()
        case "parquet":
            arrow()
            return ArrowPart(_parquet_writer)
        case _:
            arrow()
            return ArrowPart(_arrow_writer)


class PackedPart:
    """Writes one msgpack map after the other."""

    def __init__(self) -> None:
        from msgpack import Packer  # late: few jobs need it

        self._pack: Callable[[Any], bytes] = Packer(datetime=True).pack

    def __call__(self, pairs: list[tuple[Any, Any]]) -> bytes:
        """Write pairs."""
        return b"".join(map(self._pack, rows_of(pairs)))

    def table(self, table: Any) -> bytes:
        """Write rows of a table."""
        return b"".join(map(self._pack, table.to_pylist()))

    def end(self) -> bytes:
        """Write no more."""
        return b""


class ArrowPart:
    """Writes groups of rows as Arrow does; the first group says what the columns are."""

    def __init__(self, writer: Callable[[RawIOBase, Any], Any]) -> None:
        self._open = writer
        self._sink = _Sink()
        self._writer: Any = None
        self._schema: Any = None
        self._rows: list[dict[Any, Any]] = []
        self._loose: list[Any] = []
        self._group: list[Any] = []
        self._group_bytes = 0

    def __call__(self, pairs: list[tuple[Any, Any]]) -> bytes:
        """Take pairs."""
        self._rows += rows_of(pairs)
        while len(self._rows) >= ROWS_AT_ONCE:
            self._add(table_of(self._rows[:ROWS_AT_ONCE]))
            del self._rows[:ROWS_AT_ONCE]
        return self._sink.taken()

    def table(self, table: Any) -> bytes:
        """Take rows of a table."""
        if self._rows:
            self._add(table_of(self._rows))
            self._rows.clear()
        self._loose.append(table.replace_schema_metadata(None))
        if sum(map(len, self._loose)) >= ROWS_AT_ONCE:
            self._cut_loose()
        return self._sink.taken()

    def end(self) -> bytes:
        """Write the last group and what ends the file."""
        if self._rows:
            self._add(table_of(self._rows))
        if self._loose:
            self._cut_loose()
            for rest in self._loose:
                self._add(rest)
        self._flush()
        self._writer.close()
        return self._sink.taken()

    def _cut_loose(self) -> None:
        """Take tables in as many rows at a time as pairs, whatever their own sizes."""
        whole = self._joined(self._loose)
        end = len(whole) - len(whole) % ROWS_AT_ONCE
        for begin in range(0, end, ROWS_AT_ONCE):
            self._add(whole.slice(begin, ROWS_AT_ONCE))
        self._loose = [whole.slice(end)] if end < len(whole) or not len(whole) else []

    def _add(self, table: Any) -> None:
        self._group.append(table)
        self._group_bytes += _weight(table)
        if self._group_bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        pa = arrow()
        group = self._joined(self._group) if self._group else pa.table({})
        if self._schema is None:
            self._schema = group.schema
            self._writer = self._open(self._sink, self._schema)
        if len(group):
            self._writer.write_table(_fitted(group, self._schema).combine_chunks())
        self._group, self._group_bytes = [], 0

    def _joined(self, tables: list[Any]) -> Any:
        pa = arrow()
        try:
            return pa.concat_tables(tables, promote_options="permissive")
        except pa.ArrowException as error:
            raise fault("BadOutput", f"these rows do not go into one table: {error}", hint=ONE_TYPE) from error


def _weight(table: Any) -> int:
    """Estimate the bytes of a table, alike however it was cut and put together: Arrow also counts what is shared."""
    return sum(_column_weight(column) for column in table.columns)


def _column_weight(column: Any) -> int:
    pa = arrow()
    if pa.types.is_primitive(column.type):
        return len(column) * max(1, int(column.type.bit_width) // 8)
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        return 4 * len(column) + int(pa.compute.sum(pa.compute.binary_length(column)).as_py() or 0)
    return len(column) * NESTED_WEIGHT


def _fitted(table: Any, schema: Any) -> Any:
    """Give a table the columns of the first; raises `UserFault` where it has others."""
    pa = arrow()
    if table.schema.equals(schema):
        return table
    check_names(table.column_names, schema.names)
    missing = [name for name in schema.names if name not in table.column_names]
    for name in missing:
        table = table.append_column(name, pa.nulls(len(table), schema.field(name).type))
    try:
        return table.select(schema.names).cast(schema)
    except pa.ArrowException as error:
        raise fault("BadOutput", f"a later row has another type of value: {error}", hint=ONE_TYPE) from error


def _parquet_writer(sink: RawIOBase, schema: Any) -> Any:
    """Spell out what decides about the bytes, so that another version's defaults do not."""
    return arrow().parquet.ParquetWriter(
        sink,
        schema,
        version="2.6",
        data_page_version="1.0",
        compression="snappy",
        use_dictionary=True,
        write_statistics=True,
    )


def _arrow_writer(sink: RawIOBase, schema: Any) -> Any:
    return arrow().ipc.new_file(sink, schema)


class _Sink(RawIOBase):
    """Takes what is written, and hands it on."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        piece = bytes(content)
        self._pieces.append(piece)
        self._size += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        """Give what was written since the last time."""
        content = b"".join(self._pieces)
        self._pieces.clear()
        return content
