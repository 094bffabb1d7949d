"""Make rows of pairs, and Arrow tables of rows: a column for each name, and of each value what it is."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from ..arrow import arrow
from ..faults.wording import BadTable, UserFault, fault

ONE_TYPE = (
    "all values of a column must be of one type: make them so, or write map(key, value), which sees them as they are"
)

PAIR = ("key", "value")
"""The columns of pairs whose values are no rows."""

SAME_COLUMNS = "all rows of a part must have the columns of the first, in any order; give those that lack one None"


def rows_of(pairs: Iterable[tuple[Any, Any]]) -> list[dict[Any, Any]]:
    """Make rows of pairs."""
    return [value if isinstance(value, dict) else dict(zip(PAIR, (key, value), strict=True)) for key, value in pairs]


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


def check_names(found: Collection[Any], names: Collection[Any]) -> None:
    """Raise `UserFault` for a column that the first row did not have."""
    for name in found:
        if name not in names:
            raise _new_column(name, names)


def _new_column(name: Any, names: Collection[Any]) -> UserFault:
    there = ", ".join(map(str, names))
    return fault("BadOutput", f"a later row has the column {name!r:.100}; there are {there:.200}", hint=SAME_COLUMNS)
