"""Weigh what the processes of executors hold in memory, and say which hold more than they may (Linux: `/proc`).

What counts is anonymous and shared memory: mapped files, as inputs and runs are, cost nothing that the kernel could not
take back. Pages that a process shares with its forks are counted once: where a sum would be too much, each process is
weighed by its share of them, which takes the kernel longer to find out.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .family import children_by_parent, descendants

GROWTH_MAX = 4 << 30
"""Bytes that a process can hardly take and fill in a second: so long nobody need look as there is room for that."""

LOOK_AGAIN_MIN_S = 0.1
LOOK_AGAIN_MAX_S = 1.0
"""A look reads a small file of every process of the machine: some milliseconds where they are hundreds."""

RESIDENT = ("RssAnon", "RssShmem")
SHARE = ("Pss_Anon", "Pss_Shmem")


@dataclass(slots=True)
class _Watched:
    limit: int
    held: int = 0


class FootprintWatch:
    """Watches the families of some processes, as long as there are any; used inside a running event loop.

    `exceeded` is called in the loop when one holds too much: with the process, what its family holds, and its limit.
    """

    def __init__(self, exceeded: Callable[[int, int, int], None]) -> None:
        self._exceeded = exceeded
        self._watched: dict[int, _Watched] = {}
        self._looking: asyncio.Task[None] | None = None

    def watch(self, process: int, limit: int) -> None:
        """Let all processes below this one hold `limit` bytes together."""
        self._watched[process] = _Watched(limit)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())

    def leave(self, process: int) -> None:
        """Watch it no longer."""
        self._watched.pop(process, None)

    def close(self) -> None:
        """Watch none any longer."""
        self._watched.clear()
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        while self._watched:
            await asyncio.sleep(look_again_s([each.limit - each.held for each in self._watched.values()]))
            limits = {process: each.limit for process, each in self._watched.items()}
            try:
                weighed = await asyncio.to_thread(weigh, limits)
            except (OSError, RuntimeError):  # no descriptor or no thread is to be had: the next look may have more luck
                continue
            for process, held in weighed.items():
                self._take(process, held)

    def _take(self, process: int, held: int) -> None:
        watched = self._watched.get(process)
        if watched is not None:
            watched.held = held
            if held > watched.limit:
                self._exceeded(process, held, watched.limit)


def look_again_s(rooms: list[int]) -> float:
    """Choose when to look again, in seconds, by the bytes that are still free of each limit."""
    return min(LOOK_AGAIN_MAX_S, max(LOOK_AGAIN_MIN_S, min(rooms, default=0) / GROWTH_MAX))


def weigh(limits: Mapping[int, int]) -> dict[int, int]:
    """Give the bytes that are held by all processes below each of these; closely where they pass its limit."""
    children = children_by_parent()
    return {process: _held_by(descendants(process, children), limit) for process, limit in limits.items()}


def _held_by(family: list[int], limit: int) -> int:
    resident = sum(_bytes_in(f"/proc/{process}/status", RESIDENT) or 0 for process in family)
    if resident <= limit or len(family) < 2:
        return resident
    shares = [_bytes_in(f"/proc/{process}/smaps_rollup", SHARE) for process in family]
    return sum(share for share in shares if share is not None)


def _bytes_in(path: str, names: tuple[str, ...]) -> int | None:
    """Add up lines `NAME: N kB` of a file of the kernel; None where the process is gone or not ours to see."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as in `family`
            lines = file.read().decode("ascii", "replace").splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    kibibytes = (line.split()[1] for line in lines if line.partition(":")[0] in names)
    return sum(map(int, kibibytes)) << 10
