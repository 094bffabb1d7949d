"""Make Arrow tables of rows that are dicts: a column for each name, and of each value what it is."""

from collections.abc import Iterable, Sequence
from typing import Any

from ..arrow import arrow
from ..faults.wording import BadTable

ONE_TYPE = (
    "all values of a column must be of one type: make them so, or write map(key, value), which sees them as they are"
)


def table_of(rows: Sequence[dict[str, Any]]) -> Any:
    """Make a table of rows; where a row lacks a name, or has None for it, there is a null.

    Raises `BadTable` if the values of a column have no common type, or a name is no text.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    return arrow().table([_column(name, [row.get(name) for row in rows]) for name in names], names=names)


def _column(name: Any, values: list[Any]) -> Any:
    pa = arrow()
    if not isinstance(name, str):
        raise BadTable(f"a column has the name {name!r:.100}", "names of columns are text")
    try:
        return pa.array(values)
    except (pa.ArrowException, UnicodeError, OverflowError, TypeError, ValueError) as error:
        raise BadTable(f"the column {name!r} cannot be part of a table: {error}", ONE_TYPE) from error


def texts_of(names: Iterable[str], columns: Iterable[Sequence[str]]) -> Any:
    """Make a table of columns of text."""
    pa = arrow()
    return pa.table([pa.array(column, pa.string()) for column in columns], names=list(names))
