"""Say what a puppet master can do on its machine, whether it is this process or one that is asked over the network."""

from dataclasses import dataclass
from typing import Protocol

from ...node.gate.orders import Answer, Condition, Order
from ..faults import Damage
from .puppet import Liveliness
from .spoiling import Spoiled


@dataclass(frozen=True, slots=True, kw_only=True)
class PuppetView:
    """One peer of a puppet master, as its process and its gate tell; `condition` is the last that was known."""

    name: str
    url: str
    pid: int
    liveliness: Liveliness
    condition: Condition | None = None


class Master(Protocol):
    """A puppet master. What concerns a name that it does not have, or a peer that has ended, is a `CallerError`."""

    def start(self, name: str, listen: str, join: tuple[str, ...], *, empty: bool = False, old: bool = False) -> None:
        """Start a peer, or one that has ended again, in the directory that it had, an `empty` or its `old` one.

        It may take a while until it is up; if it never will, `failed_starts` says so.

        Raises:
            CallerError: a peer of that name lives, or it has no old directory.
            WorldError: it does not start.
        """

    def failed_starts(self) -> tuple[tuple[str, str], ...]:
        """Name the peers that ended before they were up, each once, and why."""

    def kill(self, name: str) -> None:
        """End a peer as by SIGKILL."""

    def leave(self, name: str) -> None:
        """Have a peer leave gracefully."""

    def freeze(self, name: str) -> None:
        """Stop a peer and its executors."""

    def thaw(self, name: str) -> None:
        """Let a frozen peer go on."""

    def snapshot(self, name: str) -> None:
        """Copy the directory of a peer that is dead or frozen, as its old one."""

    def spoil(self, name: str, damage: Damage, share: float) -> Spoiled:
        """Damage that share (of 1) of what a peer keeps that is dead or frozen.

        Raises:
            WorldError: its disk refuses, or the peer was frozen amid a write.
        """

    def swap(self, name: str, other: str) -> None:
        """Exchange the directories of two dead peers."""

    def order(self, name: str, order: Order) -> Answer:
        """Have a peer's gate carry out an order.

        Raises:
            WorldError: it does not answer.
            RemoteError: it refuses.
        """

    def states(self) -> dict[str, Liveliness]:
        """Tell how the process of every peer is."""

    def view(self) -> tuple[PuppetView, ...]:
        """Show all peers, those that have ended included; waits for none that is frozen."""

    def close(self) -> None:
        """End all peers."""
