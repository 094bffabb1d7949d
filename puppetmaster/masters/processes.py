"""Stop and continue a peer together with the processes of user code that it runs (Linux: read from `/proc`).

The peer is stopped first: a stopped peer starts no further executor, and one that it is just starting holds up its stop
until it has a group of its own. Only then are its children counted, so none escapes. They are continued before it, so
that it never sees them stand still.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

PROC = Path("/proc")


def freeze_tree(peer: int) -> tuple[int, ...]:
    """Stop a peer, which must be a child of this process, and give the groups of its executors.

    Those that stand still already are left to whoever stopped them: the gate continues what it has slowed.
    """
    _signal(os.kill, peer, signal.SIGSTOP)
    os.waitid(os.P_PID, peer, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    groups = tuple(group for group in groups_of_children(peer) if not is_stopped(group))
    for group in groups:
        _signal(os.killpg, group, signal.SIGSTOP)
    return groups


def thaw_tree(peer: int, groups: tuple[int, ...]) -> None:
    """Continue what `freeze_tree` has stopped."""
    for group in groups:
        _signal(os.killpg, group, signal.SIGCONT)
    _signal(os.kill, peer, signal.SIGCONT)


def kill_stopped(groups: tuple[int, ...]) -> None:
    """End those of an ended peer's executors that stand still, frozen or slowed.

    One that was stopped in its first moments has not asked yet to end with its peer, and would stand still for ever.
    """
    for group in groups:
        if is_stopped(group):
            _signal(os.killpg, group, signal.SIGKILL)


def groups_of_children(parent: int) -> tuple[int, ...]:
    """Name the groups of the processes whose parent is the given one, but for those that have ended."""
    found = set()
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            state, of, group = _state_parent_group(int(entry.name))
            if of == parent and state not in {"Z", "X"}:
                found.add(group)
    return tuple(sorted(found))


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


def _signal(send: Callable[[int, int], None], target: int, number: int) -> None:
    try:
        send(target, number)
    except ProcessLookupError:
        return  # it has ended meanwhile, which is what the caller will see anyway
