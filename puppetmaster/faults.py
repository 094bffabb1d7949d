"""Name the faults that a puppet master can inject, as values that mean the same on every stage."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The process is gone at once, as by SIGKILL; its disk keeps all that was durable."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """A crashed peer starts again on its old disk."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """The process stands still, as by SIGSTOP: connections stay, nothing is answered."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thaw:
    """A frozen peer goes on where it was, late and unaware."""

    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Nothing passes from any of `senders` to any of `receivers`; the other way is untouched."""

    senders: frozenset[str]
    receivers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heal:
    """All cuts are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How every link treats every message from now on: shares of 1 for loss and duplication, delays in seconds."""

    loss: float
    duplication: float
    delay_mean_s: float


Fault = Crash | Restart | Freeze | Thaw | Cut | Heal | Weather
