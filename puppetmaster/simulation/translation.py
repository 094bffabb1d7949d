"""Say what a command of a script does to a simulated cluster, as the faults that it means."""

from collections.abc import Callable, Collection
from typing import assert_never

from .. import faults
from ..faults import Fault
from ..language import commands
from ..language.commands import EVERYBODY_ELSE, Links, OfLinks, OfProcess, OfStopped

OfCluster = OfProcess | OfLinks | OfStopped | commands.Heal
"""Commands that are faults."""


class Translator:
    """Finds the faults of a command, given who a name means and which peers there are."""

    def __init__(self, peer: Callable[[str], str], names: Collection[str]) -> None:
        self._peer = peer
        self._names = names

    def faults(self, command: OfCluster) -> list[Fault]:
        """List the faults that a command means, in the order in which they happen."""
        match command:
            case commands.Heal():
                return [faults.Heal()]
            case commands.Remove() | commands.Restart() | commands.Snapshot() | commands.Spoil() | commands.Swap():
                return [self._of_stopped(command, self._peer(command.id))]
            case (
                commands.Cut()
                | commands.Delay()
                | commands.Loss()
                | commands.Duplicate()
                | commands.Reorder()
                | commands.Bandwidth()
            ):
                return self._of_links(command)
            case _:
                return _of_process(command, self._peer(command.id))

    def _of_stopped(self, command: OfStopped, peer: str) -> Fault:
        match command:
            case commands.Remove():
                return faults.Remove(peer=peer)
            case commands.Restart(empty=empty, old=old):
                return faults.Restart(peer=peer, empty=empty, old=old)
            case commands.Snapshot():
                return faults.Snapshot(peer=peer)
            case commands.Spoil(damage=damage, share=share):
                return faults.Spoil(peer=peer, damage=damage, share=share)
            case commands.Swap(other=other):
                return faults.Swap(peer=peer, other=self._peer(other))
            case _:
                assert_never(command)

    def _of_links(self, command: OfLinks) -> list[Fault]:
        match command:
            case commands.Cut(links=links):
                return [faults.Cut(senders=a, receivers=b) for a, b in self._ways(links)]
            case commands.Delay(links=links, seconds=seconds):
                return [faults.Delay(sender=a, receiver=b, delay_s=seconds) for a, b in self._pairs(links)]
            case commands.Loss(links=links, share=share):
                return [faults.Loss(sender=a, receiver=b, share=share) for a, b in self._pairs(links)]
            case commands.Duplicate(links=links, share=share):
                return [faults.Duplicate(sender=a, receiver=b, share=share) for a, b in self._pairs(links)]
            case commands.Reorder(links=links, jitter_s=jitter_s):
                return [faults.Reorder(sender=a, receiver=b, jitter_s=jitter_s) for a, b in self._pairs(links)]
            case commands.Bandwidth(links=links, bytes_per_s=rate):
                return [faults.Limit(sender=a, receiver=b, bytes_per_s=rate) for a, b in self._pairs(links)]
            case _:
                assert_never(command)

    def _ways(self, links: Links) -> list[tuple[frozenset[str], frozenset[str]]]:
        senders, receivers = self._side(links.senders, links.receivers), self._side(links.receivers, links.senders)
        return [(senders, receivers), (receivers, senders)] if links.both_ways else [(senders, receivers)]

    def _pairs(self, links: Links) -> list[tuple[str, str]]:
        return [(a, b) for some, others in self._ways(links) for a in sorted(some) for b in sorted(others)]

    def _side(self, side: tuple[str, ...], other: tuple[str, ...]) -> frozenset[str]:
        if side == (EVERYBODY_ELSE,):
            return frozenset(self._names) - {self._peer(name) for name in other}
        return frozenset(self._peer(name) for name in side)


def _of_process(command: OfProcess, peer: str) -> list[Fault]:
    match command:
        case commands.Kill():
            return [faults.Crash(peer=peer)]
        case commands.Leave():
            return [faults.Leave(peer=peer)]
        case commands.FreezeWorker():
            return [faults.Freeze(peer=peer)]
        case commands.UnfreezeWorker():
            return [faults.Thaw(peer=peer)]
        case commands.FreezeTracker():
            return [faults.FreezeTracker(peer=peer)]
        case commands.UnfreezeTracker():
            return [faults.ThawTracker(peer=peer)]
        case commands.SlowWorker(seconds=seconds):
            return [faults.Slow(peer=peer, pause_s=seconds)]
        case commands.Clock(offset_s=offset_s):
            return [faults.SetClock(peer=peer, offset_s=offset_s)]
        case commands.Disk(state=state, delay_s=delay_s):
            return [faults.SetDisk(peer=peer, state=state), faults.SlowDisk(peer=peer, delay_s=delay_s)]
        case _:
            assert_never(command)
