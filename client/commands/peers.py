"""Start peers on this machine, list them, and show how copies are placed: `murmur up`, `peers`, `ring`."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ...node.sync_modes import RELAXED_NOTICE, SYNC_HELP, SYNC_MODES
from ..units import format_size
from .backup import backup, restore, verify
from .documents import balance, condition_word, moving_document, peer_document, print_json, ring_document
from .exits import FAILED, Exit
from .groups import RingGroup
from .options import connect, examples, json_option, peer_option

if TYPE_CHECKING:
    from ...node.wire.replies import PeerView, RingShown
    from ..cluster import LocalCluster

LOOK_S: Final = 0.5
"""How often `up` looks whether its peers still run."""


@click.command(
    epilog=examples(
        "murmur up",
        "murmur up --peers 5 --workers 1 --data ~/flock",
    )
)
@click.option("--peers", "count", type=click.IntRange(1, 64), default=1, show_default=True, help="Number of peers.")
@click.option("--workers", type=click.IntRange(0, 4096), help="Attempts at once in each peer [its share of the cores].")
@click.option("--data", "directory", type=click.Path(path_type=Path, file_okay=False), help="Keep the data here.")
@click.option("--sync", type=click.Choice(SYNC_MODES), default="full", show_default=True, help=SYNC_HELP)
def up(count: int, workers: int | None, directory: Path | None, sync: str) -> None:
    """Run peers on this machine in the foreground; Ctrl-C or SIGTERM stops them all.

    Prints the address of each, and remembers them for the other commands of this user. Without --data what they store
    is gone when they stop.
    """
    from ..addresses import forget_urls, remember_urls
    from ..cluster import LocalCluster

    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.set())
    options = ("--sync", sync)
    with LocalCluster(peers=count, workers=workers, directory=directory, options=options) as cluster:
        try:
            remember_urls(cluster.urls)
        except OSError as error:
            click.echo(f"murmur: other commands need --peer, for the address cannot be kept: {error}", err=True)
        try:
            for url in cluster.urls:
                click.echo(url)
            if sync == "relaxed":
                click.echo(f"murmur: {RELAXED_NOTICE}", err=True)
            click.echo(f"{count} peers run; Ctrl-C stops them" if count > 1 else "it runs; Ctrl-C stops it", err=True)
            _stay(cluster, asked_to_stop)
        finally:
            forget_urls(cluster.urls)


def _stay(cluster: "LocalCluster", asked_to_stop: threading.Event) -> None:
    """Wait for the order to stop, telling of each peer that ends before it.

    Raises:
        Exit: no peer is left.
    """
    seen = set(cluster.processes)
    while not asked_to_stop.wait(LOOK_S):
        running = set(cluster.running())
        for name in sorted(seen - running):
            click.echo(f"murmur: peer {name} has ended", err=True)
        if not running:
            raise Exit(FAILED, "no peer is left")
        seen = running


@click.command()
@json_option
@peer_option
def peers(*, as_json: bool, peers: tuple[str, ...]) -> None:
    """List the peers of the cluster, and what the answering one believes of them."""
    with connect(peers) as client:
        views = client.peers(measured=True)
    if as_json:
        print_json([peer_document(view) for view in views])
    else:
        _print_peers(views)


def _print_peers(views: "tuple[PeerView, ...]") -> None:
    from ..view.tables import print_table

    rows = [
        (
            view.member.name,
            view.liveness.name.lower(),
            condition_word(view.liveness, view.condition) or "?",
            view.standing.name.lower(),
            view.member.url,
            view.member.zone,
            str(view.member.workers),
            f"{view.load:.0%}" if view.load >= 0 else "?",
            format_size(view.disk_bytes) if view.disk_bytes >= 0 else "?",
            view.sync or "?",
            view.member.id[:8],
        )
        for view in views
    ]
    headings = ("name", "state", "condition", "standing", "url", "zone", "workers", "load", "disk", "sync", "id")
    print_table(headings, rows, right=frozenset({"workers", "load", "disk"}))
    _tell_of_successors(views)
    _tell_of_held_joins(views)


def _tell_of_successors(views: "tuple[PeerView, ...]") -> None:
    """Say what to do where a dead peer has come back on an empty directory: the dead one keeps its place until then."""
    from ...ring.facts import Liveness, Standing

    members = [view for view in views if view.standing is not Standing.REMOVED]
    new = {view.member.name: view.member.id[:8] for view in members if view.liveness is Liveness.ALIVE}
    for view in members:
        name, old = view.member.name, view.member.id[:8]
        if view.liveness is Liveness.DEAD and name in new:
            click.echo(
                f"murmur: {name} is back with an empty disk: to let it take its old place, "
                f"`murmur replace {old} {new[name]}`",
                err=True,
            )


def _tell_of_held_joins(views: "tuple[PeerView, ...]") -> None:
    """Say for whom a join waits: dead homes that are more than a minority of a key's may know what nobody else does."""
    from ...ring.facts import Liveness, Standing
    from ...ring.terms import Quorum

    homes = [view for view in views if view.standing in (Standing.VALID, Standing.LEAVING)]
    dead = [view.member.name for view in homes if view.liveness in (Liveness.DEAD, Liveness.LEFT)]
    if len(dead) <= (Quorum().replicas - 1) // 2:
        return
    for view in views:
        if view.standing is Standing.JOINING and view.liveness is Liveness.ALIVE:
            named = ", ".join(dead)
            click.echo(
                f"murmur: the join of {view.member.name} waits for {named}, out of reach: bring them back, or "
                "`murmur remove` those that are gone for good",
                err=True,
            )


@click.group(
    cls=RingGroup,
    epilog=examples(
        "murmur ring                        copies at each peer",
        "murmur ring 'a key'                its homes",
        "murmur ring backup ./monday",
        "murmur ring restore ./monday",
    ),
)
def ring() -> None:
    """Show how copies are spread, or the homes of a KEY; back up the cluster, and bring a backup back."""


for _command in (backup, restore, verify):
    ring.add_command(_command)


@ring.command()
@click.argument("key", required=False)
@json_option
@peer_option
def show(key: str | None, *, as_json: bool, peers: tuple[str, ...]) -> None:
    """Show how many copies each peer is home to and how even that is; with KEY, the homes of that key in order."""
    with connect(peers) as client:
        shown = client.ring(b"" if key is None else key.encode())
        moving = moving_document(client.peers(), client.moves().under_way())
    if as_json:
        print_json(ring_document(shown, moving))
    else:
        _print_ring(shown, key)
        _print_moving(moving)


def _print_ring(shown: "RingShown", key: str | None) -> None:
    from ..view.tables import print_table

    if key is not None:
        rows = [(str(number), name, "primary") for number, name in enumerate(shown.primaries, 1)]
        first = len(rows) + 1
        rows += [(str(number), name, "fallback") for number, name in enumerate(shown.fallbacks, first)]
        click.echo(f"{key!r} lies in vnode {shown.vnode} of {shown.vnodes}", err=True)
        print_table(("rank", "peer", "home"), rows, right=frozenset({"rank"}))
        return
    total = max(1, sum(shown.copies.values()))
    shares = [(name, str(copies), f"{copies / total:.1%}") for name, copies in sorted(shown.copies.items())]
    print_table(("peer", "vnodes", "share"), shares, right=frozenset({"vnodes", "share"}))
    even = balance(shown.copies)
    click.echo(
        f"{shown.vnodes} vnodes, {shown.replicas} copies of each" + (f", balance {even:.2f}" if even else ""), err=True
    )


def _print_moving(moving: dict[str, Any]) -> None:
    for member in moving["members"]:
        moved = f"{member['keys']} copies of keys and {member['chunks']} of chunks, {format_size(member['bytes'])}"
        click.echo(f"peer {member['name']} is {member['standing']}: {moved} move in all", err=True)
    for name, sent in moving["senders"].items():
        click.echo(f"peer {name} has sent {sent['keys_sent']:g} keys, {format_size(int(sent['bytes_sent']))}", err=True)
