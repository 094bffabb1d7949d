"""Say how long things take in the simulator, and what time of day it is there."""

from dataclasses import dataclass

BEGINS_UNIX_S = 1_000_000
"""The clocks' time of day when a schedule begins: two hours or more after 1970, so that no clock is set before that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long things take, in seconds: means of exponential times."""

    disk_s: float = 0.0005
    pull_s: float = 0.003
    task_s: float = 0.3


def unix_ms(told_s: float) -> int:
    """Tell the time of day at so many seconds of a clock."""
    return int((BEGINS_UNIX_S + told_s) * 1000)
