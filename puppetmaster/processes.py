"""Stop and continue a peer together with the processes of user code that it runs (Linux: read from `/proc`).

The peer is stopped first, with its group: a stopped peer starts no further executor, and one that it was just starting
is still in its group. Only then are its children counted, so none escapes. They are continued before it, so that it
never sees them stand still.
"""

import os
import signal
from pathlib import Path

PROC = Path("/proc")


def freeze_tree(peer: int) -> tuple[int, ...]:
    """Stop a peer, a child of this process that leads a group of its own, and give the groups of its executors."""
    _signal_group(peer, signal.SIGSTOP)
    os.waitid(os.P_PID, peer, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    groups = tuple(sorted(groups_of_children(peer) - {peer}))
    for group in groups:
        _signal_group(group, signal.SIGSTOP)
    return groups


def thaw_tree(peer: int, groups: tuple[int, ...]) -> None:
    """Continue what `freeze_tree` has stopped."""
    for group in (*groups, peer):
        _signal_group(group, signal.SIGCONT)


def kill_groups(groups: tuple[int, ...]) -> None:
    """End stopped executors whose peer is still there to be their parent.

    One that was stopped in its first moments has not asked yet to end with its peer, and would stand still for ever.
    """
    for group in groups:
        _signal_group(group, signal.SIGKILL)


def groups_of_children(parent: int) -> set[int]:
    """Name the groups of the processes whose parent is the given one, but for those that have ended."""
    found = set()
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            state, of, group = _state_parent_group(int(entry.name))
            if of == parent and state not in {"Z", "X"}:
                found.add(group)
    return found


def is_stopped(process: int) -> bool:
    """Tell whether a process stands still."""
    return _state_parent_group(process)[0] in {"T", "t"}


def _state_parent_group(process: int) -> tuple[str, int, int]:
    """Read the three fields after the name, which stands in brackets and may hold any character."""
    try:
        fields = (PROC / str(process) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "X", 0, 0
    return fields[0], int(fields[1]), int(fields[2])


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return  # it has ended meanwhile, which is what the caller will see anyway
