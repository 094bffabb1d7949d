"""Change who the members are: `murmur leave`, `remove` and `replace`, each with a dry run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ..units import format_size
from .documents import print_json
from .exits import INTERRUPTED, Exit
from .options import connect, examples, json_option, peer_option, plain_option

if TYPE_CHECKING:
    from ...node.wire.replies import PeerView
    from ..moves import MovePlan, Moves

F = TypeVar("F", bound=Callable[..., Any])

LEFT: Final = "has left, and others keep what it kept"
REMOVED: Final = "is removed for ever, and the others keep what it kept"


def move_options(command: F) -> F:
    """Add `--dry-run --json --plain --peer`."""
    dry_run = click.option("--dry-run", is_flag=True, help="Only say what would move.")
    for option in (peer_option, plain_option, json_option, dry_run):
        command = option(command)
    return command


@click.command(epilog=examples("murmur leave peer-3 --dry-run", "murmur leave peer-3"))
@click.argument("peer")
@move_options
def leave(peer: str, *, dry_run: bool, as_json: bool, plain: bool, peers: tuple[str, ...]) -> None:
    """Have PEER hand over all that it keeps, then end.

    Until then it serves on, and no acknowledged write has fewer copies at any moment. PEER is a name, an id or the
    beginning of one. Ctrl-C ends only the watching; the same command watches again. SIGTERM to the process of a peer
    has it leave too, with bounded patience.
    """
    with connect(peers) as client:
        moves = client.moves()
        gone = moves.find(peer)
        _leave(moves, gone, "leave", dry_run=dry_run, as_json=as_json, plain=plain)


@click.command(epilog=examples("murmur remove peer-3 --dry-run", "murmur remove peer-3"))
@click.argument("peer")
@click.option("--force", is_flag=True, help="Remove it though it lives: what only it holds is lost.")
@move_options
def remove(peer: str, *, force: bool, dry_run: bool, as_json: bool, plain: bool, peers: tuple[str, ...]) -> None:
    """Take a dead PEER out for ever; the others bring the number of copies up again.

    It never comes back as itself: to let its machine join again, start it with --rejoin-as-new. A suspect is waited
    for until the others are sure.
    """
    with connect(peers) as client:
        moves = client.moves()
        gone = moves.find(peer)
        _remove(moves, gone, "remove", force=force, dry_run=dry_run, as_json=as_json, plain=plain)


@click.command(epilog=examples("murmur replace peer-3 peer-9 --dry-run", "murmur replace peer-3 peer-9"))
@click.argument("old")
@click.argument("new")
@move_options
def replace(old: str, new: str, *, dry_run: bool, as_json: bool, plain: bool, peers: tuple[str, ...]) -> None:
    """Have OLD go now that NEW, which has joined, can take over: it leaves if it lives, else it is removed."""
    from ...ring.facts import Liveness

    with connect(peers) as client:
        moves = client.moves()
        gone, heir = moves.find(old), moves.find(new)
        moves.check_heir(heir, gone)
        if gone.liveness is Liveness.ALIVE:
            _leave(moves, gone, "replace", dry_run=dry_run, as_json=as_json, plain=plain)
        else:
            _remove(moves, gone, "replace", force=False, dry_run=dry_run, as_json=as_json, plain=plain)


def _leave(moves: "Moves", gone: "PeerView", action: str, *, dry_run: bool, as_json: bool, plain: bool) -> None:
    from ..view.moving import MoveLine

    plan = moves.plan(gone, by_removal=False)
    if not dry_run:
        with _told_to_go_on(gone, f"murmur leave {gone.member.name}"), MoveLine(plain=plain or as_json) as line:
            moves.leave(gone, line, plan.bytes)
    _tell(gone, action, plan, LEFT, is_done=not dry_run, as_json=as_json)


def _remove(
    moves: "Moves", gone: "PeerView", action: str, *, force: bool, dry_run: bool, as_json: bool, plain: bool
) -> None:
    from ..view.moving import MoveLine

    plan = moves.plan(gone, by_removal=True)
    if not dry_run:
        with _told_to_go_on(gone, "murmur ring"), MoveLine(plain=plain or as_json) as line:
            moves.remove(gone, line, plan.bytes, force=force)
    _tell(gone, action, plan, REMOVED, is_done=not dry_run, as_json=as_json)


@contextmanager
def _told_to_go_on(gone: "PeerView", way_on: str) -> Iterator[None]:
    """Say at Ctrl-C that only the watching ends."""
    try:
        yield
    except KeyboardInterrupt:
        reason = f"interrupted; what peer {gone.member.name} kept moves on all the same: watch it by `{way_on}`"
        raise Exit(INTERRUPTED, reason) from None


def _tell(gone: "PeerView", action: str, plan: "MovePlan", end: str, *, is_done: bool, as_json: bool) -> None:
    name = gone.member.name
    if as_json:
        document = {"peer": name, "id": gone.member.id, "action": action, "dry_run": not is_done}
        print_json({**document, **asdict(plan)})
        return
    click.echo(f"peer {name} {end}: {moved(plan)}" if is_done else f"without peer {name} there move {moved(plan)}")
    warn_of(plan)


def moved(plan: "MovePlan") -> str:
    """Spell what moves."""
    chunks = f" and {plan.chunks} of chunks" if plan.chunks else ""
    return f"{plan.keys} copies of keys{chunks}, {format_size(plan.bytes)}, in {plan.vnodes} vnodes"


def warn_of(plan: "MovePlan") -> None:
    """Say it where copies would lie closer together than now, and where the plan is not whole."""
    if plan.silent:
        click.echo(f"murmur: no answer from {', '.join(plan.silent)}: what they would send is not counted", err=True)
    if plan.zone_violations:
        click.echo(f"murmur: in {plan.zone_violations} vnodes the copies lie in fewer zones then", err=True)
