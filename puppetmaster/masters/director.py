"""Direct the peers of this machine: the puppet master itself."""

import random
from pathlib import Path

from ...node.gate.orders import Answer, Order
from ...ring.errors import CallerError
from ..faults import Damage
from .directories import Directories
from .master import PuppetView
from .puppet import Liveliness, Puppet
from .row_lock import release_rows
from .spoiling import DATABASE, Spoiled, spoil


class Director:
    """Starts peers as processes that end with this one. For use by the thread that made it alone.

    The kernel ends a child of ours when the thread that started it ends: so that thread must be the one that stays.
    """

    def __init__(self, directory: Path, workers: int = 1) -> None:
        """Keep the peers' data below `directory`; each peer has so many slots."""
        self._directories = Directories(directory)
        self._rng = random.Random(0)  # one script spoils one share every time
        self._workers = workers
        self._puppets: dict[str, Puppet] = {}
        self._starting: set[str] = set()

    def start(self, name: str, listen: str, join: tuple[str, ...], *, empty: bool = False, old: bool = False) -> None:
        """Start a peer, or one that has ended again, in the directory that it had, an `empty` or its `old` one.

        It takes a while until it is up; if it never will, `failed_starts` says so.

        Raises:
            CallerError: a peer of that name lives, or it has no old directory.
        """
        before = self._puppets.get(name)
        if before is not None:
            if before.liveliness is not Liveliness.ENDED:
                raise CallerError(f"peer {name} lives already; KILL it first, or take another id")
            before.kill()
        if empty:
            self._directories.empty(name)
        if old:
            self._directories.put_back(name)
        self._puppets[name] = Puppet(name, listen, self._directories.of(name), join, self._workers)
        self._starting.add(name)

    def await_start(self, name: str) -> None:
        """Wait until a peer is up.

        Raises:
            CallerError: there is none of that name.
            WorldError: it does not start; the message holds what it said last.
        """
        self._starting.discard(name)
        self._puppet(name).await_ready()

    def failed_starts(self) -> tuple[tuple[str, str], ...]:
        """Name the peers that ended before they were up, each once, and why."""
        states = self.states()
        over = {name for name in self._starting if states[name] in {Liveliness.RUNNING, Liveliness.ENDED}}
        self._starting -= over
        failed = ((name, self._puppets[name].start_error) for name in sorted(over))
        return tuple((name, error) for name, error in failed if error)

    def states(self) -> dict[str, Liveliness]:
        """Tell how the process of every peer is."""
        return {name: puppet.liveliness for name, puppet in self._puppets.items()}

    def kill(self, name: str) -> None:
        """End a peer as by SIGKILL.

        Raises:
            CallerError: there is none of that name, or it has ended.
        """
        self._living(name).kill()

    def leave(self, name: str) -> None:
        """Have a peer leave gracefully.

        Raises:
            CallerError: there is none of that name, it has ended, or it is frozen.
        """
        self._puppet(name).leave()

    def freeze(self, name: str) -> None:
        """Stop a peer and its executors.

        Raises:
            CallerError: there is none of that name, or it has ended.
        """
        self._puppet(name).freeze()

    def thaw(self, name: str) -> None:
        """Let a frozen peer go on.

        Raises:
            CallerError: there is none of that name, or it has ended.
        """
        self._puppet(name).thaw()

    def snapshot(self, name: str) -> None:
        """Copy the directory of a peer that is dead or frozen, as its old one.

        Raises:
            CallerError: there is none of that name, or it runs.
        """
        self._stopped(name)
        self._directories.copy(name)

    def spoil(self, name: str, damage: Damage, share: float) -> Spoiled:
        """Damage that share (of 1) of what a peer keeps that is dead or frozen; one frozen amid a commit ends that.

        Raises:
            CallerError: there is none of that name, or it runs.
            WorldError: the disk refuses, or the commit does not end.
        """
        self._stopped(name)
        puppet, directory = self._puppet(name), self._directories.of(name)
        if puppet.liveliness is Liveliness.FROZEN:
            release_rows(directory / DATABASE, puppet.running())
        return spoil(directory, damage, share, self._rng)

    def swap(self, name: str, other: str) -> None:
        """Exchange the directories of two dead peers.

        Raises:
            CallerError: there is none of such a name, or one of them lives.
        """
        for each in (name, other):
            if self._puppet(each).liveliness is not Liveliness.ENDED:
                raise CallerError(f"peer {each} lives and has its files open; KILL it first")
        self._directories.swap(name, other)

    def order(self, name: str, order: Order) -> Answer:
        """Have a peer's gate carry out an order; that of a frozen peer does so when it is thawed.

        Raises:
            CallerError: there is none of that name, or it has ended.
            WorldError: it does not answer.
            RemoteError: it refuses.
        """
        return self._puppet(name).order(order)

    def view(self) -> tuple[PuppetView, ...]:
        """Show all peers, those that have ended included; waits for none that is frozen."""
        return tuple(
            PuppetView(
                name=puppet.name,
                url=puppet.url,
                pid=puppet.pid,
                condition=puppet.describe(),
                liveliness=puppet.liveliness,
            )
            for puppet in self._puppets.values()
        )

    def close(self) -> None:
        """End all peers at once, which they are made to bear, and remove what they kept: the next ones are new."""
        for name, puppet in self._puppets.items():
            puppet.kill()
            self._directories.forget(name)
        self._puppets.clear()
        self._starting.clear()

    def _puppet(self, name: str) -> Puppet:
        puppet = self._puppets.get(name)
        if puppet is None:
            raise CallerError(f"no peer {name}; there are {', '.join(self._puppets) or 'none yet'}")
        return puppet

    def _stopped(self, name: str) -> None:
        if self._puppet(name).liveliness not in {Liveliness.ENDED, Liveliness.FROZEN}:
            raise CallerError(f"peer {name} runs, and would write over that; KILL or FREEZEW it first")

    def _living(self, name: str) -> Puppet:
        puppet = self._puppet(name)
        if puppet.liveliness is Liveliness.ENDED:
            raise CallerError(f"peer {name} has ended already")
        return puppet
