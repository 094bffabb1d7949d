"""Print lists as tables: with rules and colour on a terminal, as aligned plain columns into a file or pipe."""

import sys
from collections.abc import Sequence

from ..printing import printable


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[str] = frozenset()) -> None:
    """Print rows under their headings on stdout; columns named in `right` are aligned to the right."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(headings, cells, right)
    else:
        sys.stdout.write(aligned(headings, cells, right))


def aligned(headings: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[str]) -> str:
    """Spell rows in columns two spaces apart, the headings in the first line."""
    lines = [[heading.upper() for heading in headings], *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    text = ""
    for line in lines:
        padded = (
            cell.rjust(width) if heading in right else cell.ljust(width)
            for cell, width, heading in zip(line, widths, headings, strict=True)
        )
        text += "  ".join(padded).rstrip() + "\n"
    return text


def _print_rich(headings: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[str]) -> None:
    from rich.box import SIMPLE_HEAD  # late: a table into a pipe must not pay for it
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)
