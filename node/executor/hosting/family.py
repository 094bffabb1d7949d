"""Find the processes that have come of one process: its children, and all below them (Linux: read from `/proc`)."""

import os
from collections.abc import Mapping, Sequence


def descendants(ancestor: int, children: Mapping[int, Sequence[int]] | None = None) -> list[int]:
    """Give the numbers of all processes below one, parents before children, those that have ended included.

    Who asks for several at once hands in the `children` of each process.
    """
    children = children_by_parent() if children is None else children
    found = [*children.get(ancestor, ())]
    for process in found:
        found += children.get(process, ())
    return found


def children_by_parent() -> dict[int, list[int]]:
    """Look at all processes of this machine once: which have come of which."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - spares the import of pathlib
        if name.isdigit():
            children.setdefault(_parent_of(name), []).append(int(name))
    return children


def _parent_of(process: str) -> int:
    """Read the second field after the name, which stands in brackets and may hold any byte; 0 for one that is gone."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:  # noqa: PTH123 - spares the import of pathlib
            return int(file.read().rpartition(b")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
