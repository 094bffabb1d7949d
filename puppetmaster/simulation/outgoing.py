"""Name what a simulated process lets go of: letters to the network, and what it has set for later."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...node.effects import Knock, ReplyTo, RunAttempt
from ...node.events import NodeEvent
from ...ring.effects import Operate, PullChunk, RemoveChunk, ScrubChunks
from ...ring.terms import Instant

LONG_AGO = Instant(float("-inf"))

PROGRESS_STEPS = 6
"""In so many steps user code goes on."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way; `receiver` is a peer's url, or a client's name.

    `recipient` is the id of the peer that is meant: another one may have its address by now.
    """

    sender: str
    receiver: str
    content: NodeEvent | ReplyTo
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """What one process of one peer has set for later; an alarm tells for when it was set, by the machine's time."""

    peer: str
    serial: int
    event: NodeEvent
    at: Instant = LONG_AGO


Chore = PullChunk | ScrubChunks | RemoveChunk
"""Work on a peer's chunks."""


@dataclass(frozen=True, slots=True)
class Working:
    """Work that is due to end now: it reads what it needs from wherever that lies, and reports.

    User code also says how far it is: then `fraction` is below 1, and the work is not at its end.
    """

    peer: str
    serial: int
    work: RunAttempt | Chore | Operate | Knock
    fraction: float = 1.0


Outgoing = Letter | tuple[float, Later | Working]
"""What a process lets go of: a letter to the network, or something due in so many seconds."""


def in_turn(works: Sequence[Working], lengths_s: Sequence[float]) -> list[Outgoing]:
    """Set works to be done one after the other, each in steps; one that is stopped takes its time all the same."""
    found: list[Outgoing] = []
    begun_s = 0.0
    for work, length_s in zip(works, lengths_s, strict=True):
        shares = (step / PROGRESS_STEPS for step in range(1, PROGRESS_STEPS + 1))
        found += [(begun_s + share * length_s, replace(work, fraction=share)) for share in shares]
        begun_s += length_s
    return found
