"""Run one peer in the foreground, or only tell what would move if it joined: `murmur peer`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ...node.main import peer_command
from .moves import moved, warn_of
from .options import connect


def _join_or_foretell(**options: Any) -> None:
    if options.pop("dry_run"):
        _foretell(options["directory"], options["join"], options["weight"], options["zone"])
        return
    peer_command.callback(**options)  # type: ignore[misc]  # a command made by its decorator has one


def _foretell(directory: Path, seeds: Sequence[str], weight: float, zone: str) -> None:
    """Tell what the members would send to this peer."""
    from ..moves import Moves

    if (directory / "identity.json").exists():
        raise click.UsageError(f"{directory} belongs to a peer already: a dry run tells what a new one would get")
    if not seeds:
        raise click.UsageError("--dry-run needs --join URL: a peer alone is sent nothing")
    with connect(tuple(seeds)) as client:
        moves: Moves = client.moves()
        plan = moves.plan_join(weight, zone)
    click.echo(f"to this peer there move about {moved(plan)}")
    warn_of(plan)


peer = click.Command(
    "peer",
    params=[*peer_command.params, click.Option(["--dry-run"], is_flag=True, help="Only say what would move to it.")],
    callback=_join_or_foretell,
    help=peer_command.help,
)
