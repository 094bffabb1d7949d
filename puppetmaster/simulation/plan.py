"""Draw from a seed all that a schedule needs: a value that can be kept, compared and made smaller."""

import random
from dataclasses import dataclass

from .cluster import names_of
from .nemesis import Planned, draw

TROUBLE_S = 20.0
"""All faults are over by then, in seconds of virtual time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One schedule: a cluster, a job, some keys and some trouble."""

    seed: int
    peers: int = 5
    splits: int = 12
    partitions: int = 2
    lines: int = 60
    task_s: float = 0.3
    disk_s: float = 0.0005
    puts: int = 30
    output: str = "out"
    is_input_stored: bool = False
    """The input lies in the ring, or else at the client."""
    kill_at: float | None = None
    poisoned_line: int = -1
    """The line at which user code raises; -1 for none."""
    faults: tuple[Planned, ...] = ()
    trouble_s: float = TROUBLE_S


def plan_of(seed: int, peers: int = 5, splits: int = 12) -> Plan:
    """Draw a plan; equal seeds give equal plans."""
    rng = random.Random(seed)
    kill_at = rng.uniform(1.5, 12.0) if rng.random() < 0.1 else None
    faults = draw(rng, names_of(peers), 0.5, TROUBLE_S, down_for_good=min(rng.choice([0, 1, 2]), (peers - 1) // 2))
    return Plan(
        seed=seed,
        peers=peers,
        splits=splits,
        partitions=rng.choice([0, 1, 2, 2, 3]),
        task_s=rng.choice([0.05, 0.3, 1.5]),
        disk_s=rng.choice([0.0001, 0.0005, 0.03]),
        output=rng.choice(["out", "ring:/out"]),
        is_input_stored=rng.random() < 0.3,
        kill_at=kill_at,
        poisoned_line=rng.randrange(60) if rng.random() < 0.07 else -1,
        faults=tuple(faults),
    )
