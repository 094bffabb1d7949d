"""Be the cluster as a script sees it: peers by their ids, whichever puppet master has them, and the links between them.

Everything here is an order that is carried out at once, or an error that says why not.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ...client.api import Client
from ...client.connection import Connection
from ...node.gate.orders import DiskState as GateDiskState
from ...node.gate.orders import SetClock, SetDisk, SetLinks, SetTracker, SlowWork
from ...node.wire.replies import MoveStarted
from ...node.wire.requests import RemovePeer
from ...ring.errors import CallerError, MurmurationError
from ..faults import Damage, DiskState
from ..language.commands import EVERYBODY_ELSE, Links
from ..language.commands import Worker as WorkerCommand
from ..language.places import Place
from ..masters.master import Master, PuppetView
from ..masters.puppet import Liveliness
from ..masters.spoiling import Spoiled
from .link_table import LinkFault, LinkTable

JOINS_MAX = 3
"""Further addresses that a peer is given to join through, so that none of them must live."""

_DISKS = {
    DiskState.OK: GateDiskState.OK,
    DiskState.FULL: GateDiskState.FULL,
    DiskState.READONLY: GateDiskState.READONLY,
    DiskState.BROKEN: GateDiskState.BROKEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a script has said of one peer, and who has it."""

    master: Master
    command: WorkerCommand

    @property
    def url(self) -> str:
        """Its control address."""
        return self.command.service.endpoint


class Stage:
    """The peers of all puppet masters that a script speaks to."""

    def __init__(self, master_at: Callable[[Place | None], Master]) -> None:
        """Take a way to find the puppet master of an address; None is this machine's."""
        self._master_at = master_at
        self._parts: dict[str, Part] = {}
        self._links = LinkTable()
        self._has_link_faults = False
        self._disks: dict[str, SetDisk] = {}
        """How the disk of each peer is; that outlives its process."""

    @property
    def urls(self) -> dict[str, str]:
        """The control addresses of all peers that were ever started, by their ids."""
        return {name: part.url for name, part in self._parts.items()}

    def start(self, command: WorkerCommand) -> None:
        """Start a peer, or start a dead one again.

        Raises:
            CallerError: a peer of that id lives, or the address is another peer's.
            MurmurationError: it does not start.
        """
        taken = [name for name, part in self._parts.items() if part.url == command.service.endpoint]
        if taken and taken != [command.id]:
            raise CallerError(f"{command.service} is the address of {taken[0]} already")
        part = Part(master=self._master_at(command.puppet_master), command=command)
        self._start(command.id, part)

    def restart(self, name: str, *, empty: bool = False, old: bool = False) -> None:
        """Start a dead peer again, on an `empty` disk, its `old` one, or the one that it had.

        Raises:
            CallerError: there is none of that id, it lives, or it has no old directory.
            WorldError: it does not start.
        """
        if empty:
            self._disks.pop(name, None)
        self._start(name, self._part(name), empty=empty, old=old)

    def kill(self, name: str) -> None:
        """End a peer at once."""
        self._part(name).master.kill(name)

    def leave(self, name: str) -> None:
        """Have a peer leave gracefully."""
        self._part(name).master.leave(name)

    def remove(self, name: str) -> None:
        """Have the others take a dead peer out for ever, even before they have noticed that it is dead.

        Raises:
            CallerError: it lives, nobody else is awake, or they know no such member.
            Unreachable: the others do not answer.
        """
        self._part(name)
        if self.states().get(name, Liveliness.ENDED) is not Liveliness.ENDED:
            raise CallerError(f"{name} lives: only a dead peer is removed")
        urls = tuple(self.awake().values())
        if not urls:
            raise CallerError(f"nobody is awake to remove {name}")
        with Client(urls) as client:
            gone = client.moves().find(name).member.id
        with Connection(urls) as connection:
            connection.ask(RemovePeer(peer=gone, force=True), MoveStarted)

    def freeze(self, name: str) -> None:
        """Stop a peer and its executors."""
        self._part(name).master.freeze(name)

    def thaw(self, name: str) -> None:
        """Let a frozen peer go on."""
        self._part(name).master.thaw(name)

    def set_tracker(self, name: str, *, frozen: bool) -> None:
        """Silence the tracker role of a peer, now or when it comes to it, or let it speak."""
        self._part(name).master.order(name, SetTracker(frozen=frozen))

    def slow(self, name: str, seconds: float) -> None:
        """Pause the user code of a peer once."""
        self._part(name).master.order(name, SlowWork(seconds=seconds))

    def set_disk(self, name: str, state: DiskState, delay_s: float) -> None:
        """Let the disk of a peer refuse writes, or take them so much later."""
        order = SetDisk(state=_DISKS[state], delay_s=delay_s)
        self._part(name).master.order(name, order)
        self._disks[name] = order

    def set_clock(self, name: str, offset_s: float) -> None:
        """Let the clock of a peer be off, until its process ends."""
        self._part(name).master.order(name, SetClock(offset_s=offset_s))

    def snapshot(self, name: str) -> None:
        """Copy the directory of a dead or frozen peer, for a later restart on the old one."""
        self._part(name).master.snapshot(name)

    def spoil(self, name: str, damage: Damage, share: float) -> Spoiled:
        """Damage a share of what a dead or frozen peer keeps, and tell what was hit."""
        return self._part(name).master.spoil(name, damage, share)

    def swap(self, name: str, other: str) -> None:
        """Exchange the directories of two dead peers.

        Raises:
            CallerError: they are on two machines, or one of them lives.
        """
        master = self._part(name).master
        if self._part(other).master is not master:
            raise CallerError(f"{name} and {other} have two puppet masters; a directory stays on its machine")
        master.swap(name, other)

    def add_link_fault(self, fault: LinkFault) -> None:
        """Cut links, or let them treat what passes as the fault says.

        Raises:
            CallerError: a side names a peer that was never started.
        """
        for name in _named(fault.links):
            self._part(name)
        self._links.add(fault)
        self._has_link_faults = True
        self._apply_links()

    def heal(self) -> None:
        """Undo every fault of a link."""
        self._links.clear()
        self._apply_links()
        self._has_link_faults = False

    def view(self) -> tuple[PuppetView, ...]:
        """Show every peer as its process and its gate tell; waits for none that is frozen."""
        shown = {view.name: view for master in self._masters() for view in master.view()}
        return tuple(shown[name] for name in self._parts if name in shown)

    def states(self) -> dict[str, Liveliness]:
        """Tell how the process of every peer is."""
        return {name: state for master in self._masters() for name, state in master.states().items()}

    def failed_starts(self) -> list[tuple[str, str]]:
        """Name the peers that ended before they were up, each once, and why."""
        return [failed for master in self._masters() for failed in master.failed_starts()]

    def awake(self) -> dict[str, str]:
        """Give the addresses of the peers that run and are not frozen, by their ids."""
        states = self.states()
        return {name: url for name, url in self.urls.items() if states.get(name) is Liveliness.RUNNING}

    def entries(self, entry: Place) -> tuple[str, ...]:
        """List addresses at which an application can submit: the one it names, then the others of that cluster."""
        mates = self._mates(entry.endpoint)
        awake = self.awake().values()
        return (entry.endpoint, *(url for url in awake if url in mates and url != entry.endpoint))

    def _start(self, name: str, part: Part, *, empty: bool = False, old: bool = False) -> None:
        entry = part.command.joins_through
        joins = (entry.endpoint,) if entry is not None else ()
        if name in self._parts:
            mates = self._mates(part.url) - {part.url, *joins}
            joins = (*joins, *(url for url in self.awake().values() if url in mates))[: JOINS_MAX + 1]
        part.master.start(name, part.url, joins, empty=empty, old=old)
        self._parts[name] = part
        if name in self._disks:
            part.master.order(name, self._disks[name])
        if self._has_link_faults:
            self._apply_links()

    def _masters(self) -> list[Master]:
        return list({id(part.master): part.master for part in self._parts.values()}.values())

    def _mates(self, url: str) -> set[str]:
        """Find the addresses of the cluster that one belongs to: all that joined through one another, by any steps."""
        found = {url}
        links = [(part.url, part.command.joins_through) for part in self._parts.values()]
        for _ in links:
            for service, entry in links:
                if entry is not None and found & {service, entry.endpoint}:
                    found |= {service, entry.endpoint}
        return found

    def _apply_links(self) -> None:
        """Bring every living peer's gate up to date; one that dies meanwhile needs no rules."""
        states = self.states()
        refused = []
        for name, rules in self._links.rules(self.urls).items():
            if states.get(name, Liveliness.ENDED) is not Liveliness.ENDED:
                try:
                    self._parts[name].master.order(name, SetLinks(rules=rules))
                except MurmurationError as error:
                    refused.append(f"{name}: {error}")
        if refused:
            raise CallerError(f"not everywhere in force: {'; '.join(refused)}")

    def _part(self, name: str) -> Part:
        part = self._parts.get(name)
        if part is None:
            raise CallerError(f"no peer {name}; there are {', '.join(self._parts) or 'none yet'}")
        return part


def _named(links: Links) -> list[str]:
    return [name for name in (*links.senders, *links.receivers) if name != EVERYBODY_ELSE]
