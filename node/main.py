"""Start one peer in the foreground: what `murmur peer` runs."""

import asyncio
import gc
import json
import os
import resource
import signal
import sys
import threading
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ..ring.errors import CallerError, MurmurationError, WorldError
from ..ring.facts import Standing
from .config import PeerConfig
from .peer import Peer
from .storage.identity import set_aside
from .storage.store import StoreSettings
from .sync_modes import RELAXED_NOTICE, SYNC_HELP, SYNC_MODES

if TYPE_CHECKING:
    from .gate.strings import Strings


FAREWELL_S = 0.3
"""A peer that has left stays so long, to tell that to who still speaks to it."""

GC_THRESHOLDS = (50_000, 50, 100)
"""A peer makes many small things and hardly a cycle, so cycles are looked for less often than usual."""


@click.command("peer")
@click.option("--listen", default="tcp://127.0.0.1:*", metavar="URL", help="Control address, loopback only.")
@click.option("--join", multiple=True, metavar="URL", help="A peer to join through; may be given more than once.")
@click.option("--data", "directory", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", metavar="ID", help="Name for people; the one in the directory, or one made up, by default.")
@click.option("--workers", type=click.IntRange(0, 4096), help="Attempts at once; the number of cores by default.")
@click.option("--zone", default="", help="Copies are kept in distinct zones while there are enough of them.")
@click.option("--weight", default=1.0, type=click.FloatRange(0.001, 1000), help="Share of the ring's keys.")
@click.option("--sync", type=click.Choice(SYNC_MODES), default="full", show_default=True, help=SYNC_HELP)
@click.option(
    "--leave-patience",
    "leave_patience_s",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0.0),
    help="Seconds after SIGTERM until it ends with its leave unfinished.",
)
@click.option(
    "--rejoin-as-new",
    is_flag=True,
    help="If this peer has left or was removed, join as a new one; what it kept is set aside in --data.",
)
@click.option(
    "--test-hooks", type=int, metavar="FD", hidden=True, help="Socket of a puppet master: see node/gate/orders.py."
)
def peer_command(  # one parameter for each option of the command line
    listen: str,
    join: tuple[str, ...],
    directory: Path,
    name: str | None,
    workers: int | None,
    zone: str,
    weight: float,
    sync: str,
    leave_patience_s: float,
    *,
    rejoin_as_new: bool,
    test_hooks: int | None,
) -> None:
    """Run one peer in the foreground.

    SIGTERM has it leave: it hands over all that it keeps, then ends. Ctrl-C only stops it: it keeps its place, and is
    started again on the same --data.
    """
    config = PeerConfig(
        listen=listen,
        directory=directory,
        name=name,
        join=join,
        workers=os.cpu_count() or 1 if workers is None else workers,
        zone=zone,
        weight=weight,
        store=StoreSettings(relaxed=sync == "relaxed"),
        leave_patience_s=leave_patience_s,
    )
    _raise_descriptor_limit()
    if rejoin_as_new:
        _rejoin(config, test_hooks)
    else:
        asyncio.run(_run(config, test_hooks))


def _rejoin(config: PeerConfig, test_hooks: int | None) -> None:
    """Run a peer; as a new one if it is known to be no member any more, or hears so from the others."""
    _begin_anew(config.directory)
    try:
        asyncio.run(_run(config, test_hooks))
    except WorldError:
        if not _begin_anew(config.directory):
            raise
        asyncio.run(_run(config, test_hooks))


def _begin_anew(directory: Path) -> bool:
    aside = set_aside(directory)
    if aside is not None:
        sys.stderr.write(
            f"murmur: this peer joins as a new one; what it kept before lies in {aside}: delete that once nothing is "
            "missed\n"
        )
    return aside is not None


def _raise_descriptor_limit() -> None:
    """Take all descriptors that the system allows: each connection costs one, and strangers may hold many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _end_at_once(error: BaseException | None, where: str) -> NoReturn:
    """End the process on an error that nobody foresaw: a peer that has lost a part of itself must not seem alive.

    What was acknowledged is on disk, so this is no worse than a kill.
    """
    sys.stderr.write(f"murmur: this peer ends on an unexpected error in {where}; please report it\n")
    traceback.print_exception(error)
    sys.stderr.flush()
    os._exit(1)


async def _run(config: PeerConfig, test_hooks: int | None) -> None:
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, told: _end_at_once(told.get("exception"), str(told.get("message"))))
    threading.excepthook = lambda told: _end_at_once(told.exc_value, f"thread {told.thread}")
    strings = None if test_hooks is None else _take_strings(test_hooks)
    peer = Peer(config, version("murmuration"), None if strings is None else strings.gate)
    loop.add_signal_handler(signal.SIGINT, asked_to_stop.set)
    loop.add_signal_handler(signal.SIGTERM, _leave, peer, config.leave_patience_s, asked_to_stop)
    if config.store.relaxed:
        sys.stderr.write(f"murmur: {RELAXED_NOTICE}\n")
    if peer.is_new and config.join:
        sys.stderr.write(
            f"murmur: {config.directory} was empty: peer {peer.me.name} joins as a new member, {peer.me.id[:8]}\n"
        )
    peer.start()
    gc.freeze()  # what is there now stays
    gc.set_threshold(*GC_THRESHOLDS)
    ready = {"url": peer.me.url, "id": peer.me.id, "name": peer.me.name}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    ends = {loop.create_task(asked_to_stop.wait()), *([loop.create_task(strings.obey())] if strings else [])}
    ends |= {loop.create_task(_end_usurped(peer)), loop.create_task(_end_left(peer))}
    done, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in waiting:
        end.cancel()
    is_leaving = peer.standing is Standing.LEAVING
    await peer.stop()
    for end in done:
        end.result()
    if is_leaving:
        raise WorldError(
            f"peer {peer.me.name} has stopped before all that it keeps was handed over: it is still a member; "
            f"start it again on {config.directory}, or take it out with `murmur remove {peer.me.name}`"
        )


def _leave(peer: Peer, patience_s: float, asked_to_stop: asyncio.Event) -> None:
    """Have the peer leave, for so long at most; stop it at once where it cannot, or is told so a second time."""
    if peer.standing is Standing.LEAVING or not peer.leave():
        asked_to_stop.set()
    else:
        asyncio.get_running_loop().call_later(patience_s, asked_to_stop.set)


async def _end_left(peer: Peer) -> None:
    """Wait until the peer has left, and a moment longer for its news to be on their way."""
    await peer.left
    await asyncio.sleep(FAREWELL_S)


async def _end_usurped(peer: Peer) -> NoReturn:
    """Wait until the process may not go on: another has taken the peer's place, or the peer was removed.

    Raises:
        WorldError: it is so; the message says where and what to do.
    """
    raise WorldError(await peer.usurped)


def _take_strings(descriptor: int) -> "Strings":
    from .gate.strings import Strings  # what no ordinary peer has, none loads

    return Strings(descriptor)


def main() -> None:
    """Run the command as a process of its own: one line and an exit code where it cannot start."""
    try:
        peer_command(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except MurmurationError as error:
        sys.stderr.write(f"murmur: {error}\n")
        sys.exit(2 if isinstance(error, CallerError) else 1)


if __name__ == "__main__":
    main()
