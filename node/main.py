"""Start one peer in the foreground: what `murmur peer` runs."""

import asyncio
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

from ..ring.errors import CallerError, MurmurationError
from .config import PeerConfig
from .peer import Peer
from .storage.store import StoreSettings

if TYPE_CHECKING:
    from .gate.strings import Strings


@click.command("peer")
@click.option("--listen", default="tcp://127.0.0.1:*", metavar="URL", help="Control address, loopback only.")
@click.option("--join", multiple=True, metavar="URL", help="A peer to join through; may be given more than once.")
@click.option("--data", "directory", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", metavar="ID", help="Name for people; the one in the directory, or one made up, by default.")
@click.option("--workers", type=click.IntRange(0, 4096), help="Attempts at once; the number of cores by default.")
@click.option("--zone", default="", help="Copies are kept in distinct zones while there are enough of them.")
@click.option("--weight", default=1.0, type=click.FloatRange(0.001, 1000), help="Share of the ring's keys.")
@click.option("--sync", type=click.Choice(["full", "relaxed"]), default="full", help="What a power cut may take.")
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
    test_hooks: int | None,
) -> None:
    """Run one peer in the foreground until SIGTERM or Ctrl-C."""
    config = PeerConfig(
        listen=listen,
        directory=directory,
        name=name,
        join=join,
        workers=os.cpu_count() or 1 if workers is None else workers,
        zone=zone,
        weight=weight,
        store=StoreSettings(relaxed=sync == "relaxed"),
    )
    _raise_descriptor_limit()
    asyncio.run(_run(config, test_hooks))


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
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    strings = None if test_hooks is None else _take_strings(test_hooks)
    peer = Peer(config, version("murmuration"), None if strings is None else strings.gate)
    peer.start()
    ready = {"url": peer.me.url, "id": peer.me.id, "name": peer.me.name}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    ends = {loop.create_task(asked_to_stop.wait()), *([loop.create_task(strings.obey())] if strings else [])}
    done, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in waiting:
        end.cancel()
    for end in done:
        end.result()
    await peer.stop()


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
