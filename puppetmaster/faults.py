"""Name the faults that a puppet master can inject, as values that mean the same on every stage."""

from dataclasses import dataclass
from enum import Enum


class DiskState(Enum):
    """How a peer's disk treats writes; reads go on in every state."""

    OK = "ok"
    FULL = "full"
    READONLY = "readonly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The process is gone at once, as by SIGKILL; its disk keeps all that was durable."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """The peer stops in good order, as by SIGTERM: it tells the others, and is gone."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """A crashed peer starts again on its old disk, or on an `empty` one: then it is a new peer at the old address."""

    peer: str
    empty: bool = False


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
    """All that `Cut`, `Delay` and `Loss` have done to links is undone."""


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
class Weather:
    """How every link treats every message from now on: shares of 1 for loss and duplication, delays in seconds."""

    loss: float
    duplication: float
    delay_mean_s: float


Fault = Crash | Leave | Restart | Freeze | Thaw | Slow | SetDisk | SlowDisk | Cut | Heal | Delay | Loss | Weather


def title_of(fault: Fault) -> str:
    """Spell a fault in the puppet language, as far as that has a word for it."""
    match fault:
        case Crash(peer=peer):
            return f"KILL {peer}"
        case Leave(peer=peer):
            return f"LEAVE {peer}"
        case Restart(peer=peer, empty=empty):
            return f"RESTART {peer}{' empty' if empty else ''}"
        case Freeze(peer=peer):
            return f"FREEZEW {peer}"
        case Thaw(peer=peer):
            return f"UNFREEZEW {peer}"
        case Slow(peer=peer, pause_s=pause_s):
            return f"SLOWW {peer} {pause_s:g}"
        case SetDisk(peer=peer, state=state):
            return f"DISK {peer} {state.value}"
        case SlowDisk(peer=peer, delay_s=delay_s):
            return f"DISK {peer} slow {delay_s * 1000:g}ms"
        case _:
            return _link_title(fault)


def _link_title(fault: Cut | Heal | Delay | Loss | Weather) -> str:
    match fault:
        case Cut(senders=senders, receivers=receivers):
            return f"CUT {','.join(sorted(senders))}>{','.join(sorted(receivers))}"
        case Heal():
            return "HEAL"
        case Delay(sender=sender, receiver=receiver, delay_s=delay_s):
            return f"DELAY {sender}>{receiver} {delay_s:g}s"
        case Loss(sender=sender, receiver=receiver, share=share):
            return f"LOSS {sender}>{receiver} {share:.0%}"
        case Weather(loss=loss, duplication=doubled, delay_mean_s=delay_s):
            return f"WEATHER loss {loss:.0%}, doubled {doubled:.0%}, delay {delay_s * 1000:g} ms"
