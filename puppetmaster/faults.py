"""Name the faults that a puppet master can inject, as values that mean the same on every stage."""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class DiskState(Enum):
    """How a peer's disk treats reads and writes; all but a broken one take reads."""

    OK = "ok"
    FULL = "full"
    READONLY = "readonly"
    BROKEN = "broken"


class Damage(Enum):
    """What has become of a file that a peer keeps, without the peer's doing."""

    FLIPPED = "flipped"
    """One bit is the other one."""
    SHORT = "short"
    """The end is missing."""
    TORN = "torn"
    """The second half was never written: it reads as zeros."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The process is gone at once, as by SIGKILL; its disk keeps all that was durable."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """The peer leaves, as by SIGTERM: it hands over all it keeps and is gone for good; or stops where it cannot."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """The others take a dead peer out for ever: started again, it is told so, and can only join as a new one."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """A crashed peer starts again on its own disk, as it is.

    On an `empty` one it is a new peer at the old address; on an `old` one it has the disk of its last `Snapshot`, as
    somebody who restores a backup would give it.
    """

    peer: str
    empty: bool = False
    old: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The disk of a peer that does not run is copied, for a later `Restart` on the `old` one."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """The disks of two dead peers are exchanged by mistake: neither starts on the other's. Once more puts it right."""

    peer: str
    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoil:
    """A share (of 1) of the files that a stopped peer keeps is damaged: its rows, chunks, runs and parts."""

    peer: str
    damage: Damage
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """The process stands still, as by SIGSTOP: connections stay, nothing is answered."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thaw:
    """A frozen peer goes on where it was, late and unaware."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """User code at the peer pauses once for `pause_s` seconds, also in the middle of a task; messages go on."""

    peer: str
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeTracker:
    """The tracker role of the peer falls silent, now or when it comes to it; all else goes on."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThawTracker:
    """A silenced tracker role speaks again, and what it would have said meanwhile comes late."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetClock:
    """The clock of a peer is off by `offset_s` seconds from now on; 0 sets it right."""

    peer: str
    offset_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDisk:
    """The disk of a peer refuses writes from now on, or takes them again."""

    peer: str
    state: DiskState


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDisk:
    """Every disk operation of a peer takes `delay_s` seconds more; 0 ends that."""

    peer: str
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Nothing passes from any of `senders` to any of `receivers`; the other way is untouched."""

    senders: frozenset[str]
    receivers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heal:
    """All that has been done to links is undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Each message from one peer to another takes `delay_s` seconds more; 0 ends that."""

    sender: str
    receiver: str
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Of the messages from one peer to another, this share (of 1) is lost; 0 ends that."""

    sender: str
    receiver: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Of the messages from one peer to another, this share (of 1) arrives twice; 0 ends that."""

    sender: str
    receiver: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reorder:
    """Each message from one peer to another takes up to `jitter_s` more, by chance: they overtake each other."""

    sender: str
    receiver: str
    jitter_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """From one peer to another pass at most `bytes_per_s`, messages and bulk together; 0 ends that."""

    sender: str
    receiver: str
    bytes_per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How every link treats every message from now on: shares of 1 for loss and duplication, delays in seconds."""

    loss: float
    duplication: float
    delay_mean_s: float


PeerFault = (
    Crash
    | Leave
    | Remove
    | Restart
    | Snapshot
    | Swap
    | Spoil
    | Freeze
    | Thaw
    | FreezeTracker
    | ThawTracker
    | SetClock
    | Slow
    | SetDisk
    | SlowDisk
)
LinkFault = Cut | Heal | Delay | Loss | Duplicate | Reorder | Limit | Weather
Fault = PeerFault | LinkFault


_WORDS: Final[dict[type, str]] = {
    Crash: "KILL",
    Leave: "LEAVE",
    Remove: "REMOVE",
    Restart: "RESTART",
    Snapshot: "SNAPSHOT",
    Swap: "SWAP",
    Spoil: "SPOIL",
    Freeze: "FREEZEW",
    Thaw: "UNFREEZEW",
    FreezeTracker: "FREEZEC",
    ThawTracker: "UNFREEZEC",
    SetClock: "CLOCK",
    Slow: "SLOWW",
    SetDisk: "DISK",
    SlowDisk: "DISK",
}


def title_of(fault: Fault) -> str:
    """Spell a fault in the puppet language, as far as that has a word for it."""
    if isinstance(fault, LinkFault):
        return _link_title(fault)
    return f"{_WORDS[type(fault)]} {fault.peer}{_detail(fault)}"


def _detail(fault: PeerFault) -> str:
    match fault:
        case Restart(empty=True):
            return " empty"
        case Restart(old=True):
            return " old"
        case Swap(other=other):
            return f" {other}"
        case Spoil(damage=damage, share=share):
            return f" {damage.value} {share:.0%}"
        case SetClock(offset_s=offset_s):
            return f" {offset_s:+g}s"
        case Slow(pause_s=pause_s):
            return f" {pause_s:g}"
        case SetDisk(state=state):
            return f" {state.value}"
        case SlowDisk(delay_s=delay_s):
            return f" slow {delay_s * 1000:g}ms"
        case _:
            return ""


def _link_title(fault: LinkFault) -> str:
    match fault:
        case Cut(senders=senders, receivers=receivers):
            return f"CUT {','.join(sorted(senders))}>{','.join(sorted(receivers))}"
        case Heal():
            return "HEAL"
        case Delay(sender=sender, receiver=receiver, delay_s=delay_s):
            return f"DELAY {sender}>{receiver} {delay_s:g}s"
        case Loss(sender=sender, receiver=receiver, share=share):
            return f"LOSS {sender}>{receiver} {share:.0%}"
        case Duplicate(sender=sender, receiver=receiver, share=share):
            return f"DUPLICATE {sender}>{receiver} {share:.0%}"
        case Reorder(sender=sender, receiver=receiver, jitter_s=jitter_s):
            return f"REORDER {sender}>{receiver} {jitter_s:g}s"
        case Limit(sender=sender, receiver=receiver, bytes_per_s=bytes_per_s):
            return f"BANDWIDTH {sender}>{receiver} {bytes_per_s}B"
        case Weather(loss=loss, duplication=doubled, delay_mean_s=delay_s):
            return f"WEATHER loss {loss:.0%}, doubled {doubled:.0%}, delay {delay_s * 1000:g} ms"
