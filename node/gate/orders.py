"""Spell what a puppet master orders of the gate of one peer, and what the gate answers.

Orders come by a socket pair that the peer inherits from the process that started it (`--test-hooks FD`): so nobody but
the puppet master can give any, and a peer that no puppet master started has no gate. Frames are msgpack, each after its
length as four bytes, most significant first. Every order is answered by `Done`, `Refused` or `Condition`, in order.

A peer ends as by SIGINT when the other end of its socket is closed, or when a frame is no order: for nobody could lift
its faults any more. All faults are lifted before that.
"""

from enum import IntEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from ...ring.terms import Name, Url

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
WEEK_S: Final = 604_800.0
"""The longest time that a script can name."""

Seconds = Annotated[float, Meta(ge=0.0, le=WEEK_S)]


class Direction(IntEnum):
    """Which way a message goes, as the peer of the gate sees it."""

    TO = 0
    FROM = 1


class GateOrder(Struct, frozen=True, array_like=True, tag=True):
    """Root of the orders; the tag is the class name."""


class LinkRule(Struct, frozen=True, array_like=True):
    """What becomes of messages between this peer and the peer whose control address is `url`, in one direction.

    `cut` drops all of them; `loss` and `duplication` are shares; `delay_s` is added to each, and `jitter_s` is the most
    that is added at random, so that messages overtake each other; `bytes_per_s` of 0 is no limit. Bulk transfers obey
    `cut`, `delay_s` and `bytes_per_s` at the peer that pulls: its requests the rule TO, what it is sent the rule FROM.

    So what becomes of all that A sends to B is one rule TO B at A, and at B the same rule FROM A: for a cut as it is,
    else with `bulk_only`, which leaves messages alone, for they have been dealt with at A.
    """

    url: Url
    direction: Direction
    cut: bool = False
    loss: Share = 0.0
    duplication: Share = 0.0
    delay_s: Seconds = 0.0
    jitter_s: Seconds = 0.0
    bytes_per_s: Annotated[int, Meta(ge=0)] = 0
    bulk_only: bool = False


class SetLinks(GateOrder, frozen=True, array_like=True, tag=True):
    """Replace all link rules; links that no rule names are clear."""

    rules: Annotated[tuple[LinkRule, ...], Meta(max_length=4096)]


class DiskState(IntEnum):
    """How the disk treats reads and writes; all but the last state take reads."""

    OK = 0
    FULL = 1
    READONLY = 2
    BROKEN = 3


class SetDisk(GateOrder, frozen=True, array_like=True, tag=True):
    """Let the disk refuse operations from now on, or take `delay_s` longer for each."""

    state: DiskState = DiskState.OK
    delay_s: Seconds = 0.0


class SetTracker(GateOrder, frozen=True, array_like=True, tag=True):
    """Silence the tracker role of this peer, or let it speak again: what it would have said meanwhile comes late."""

    frozen: bool


class SetClock(GateOrder, frozen=True, array_like=True, tag=True):
    """Let every event of this peer carry a time that is off by so many seconds; it may be negative.

    Timers that are set already run out when they would have; so do later ones, for they are set by the same clock.
    """

    offset_s: Annotated[float, Meta(ge=-WEEK_S, le=WEEK_S)]


class SlowWork(GateOrder, frozen=True, array_like=True, tag=True):
    """Pause user code for so many seconds, the split under way included; two of them add up. Messages go on."""

    seconds: Seconds


class Describe(GateOrder, frozen=True, array_like=True, tag=True):
    """Ask for `Condition`, which also tells the processes of user code."""


Order = SetLinks | SetDisk | SetTracker | SetClock | SlowWork | Describe


class GateAnswer(Struct, frozen=True, array_like=True, tag=True):
    """Root of the answers; the tag is the class name."""


class Done(GateAnswer, frozen=True, array_like=True, tag=True):
    """The order is in force."""


class Refused(GateAnswer, frozen=True, array_like=True, tag=True):
    """The order is not in force, and why."""

    reason: Annotated[str, Meta(max_length=1024)]


class Condition(GateAnswer, frozen=True, array_like=True, tag=True):
    """What the gate does now, what has passed it, and what runs behind it.

    Messages are those between peers, with the bytes of their frames; `dropped` are those that the gate took off their
    way, and `held` what it keeps back for a silenced tracker role.
    """

    name: Name
    executors: Annotated[tuple[int, ...], Meta(max_length=4096)]
    """Process ids of user code, each the leader of a group of its own."""
    tracker_frozen: bool
    messages_out: int
    bytes_out: int
    messages_in: int
    bytes_in: int
    bulk_bytes_out: int
    dropped: int
    held: int = 0


Answer = Done | Refused | Condition
