"""Time whole commands side by side, so that a noisy machine disturbs both alike."""

import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall seconds of several runs of one command."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Give the median in seconds."""
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{self.median:.2f} s ({min(self.seconds):.2f} to {max(self.seconds):.2f})"


def timed(command: Sequence[str]) -> float:
    """Run a command and give its wall time in seconds.

    Raises:
        subprocess.CalledProcessError: it failed, so its time means nothing.
    """
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - begin


def alternate(commands: Sequence[Sequence[str]], rounds: int) -> list[Timing]:
    """Time the commands in turn, `rounds` times over."""
    seconds: list[list[float]] = [[] for _ in commands]
    for _ in range(rounds):
        for number, command in enumerate(commands):
            seconds[number].append(timed(command))
    return [Timing(tuple(each)) for each in seconds]
