"""Remove what no file and no job names any more: `murmur fs gc`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ..units import format_size, format_time
from .documents import print_json
from .exits import FAILED, Exit
from .options import connect, examples, json_option, peer_option, plain_option, read_time

if TYPE_CHECKING:
    from ..store.collecting import PeerCollection


@click.command(
    "gc",
    epilog=examples(
        "murmur fs gc --dry-run          what is named by nobody, and since when",
        "murmur fs gc --grace 1h         do not wait for a day, if no upload takes an hour",
    ),
)
@click.option("--dry-run", is_flag=True, help="Tell what would be removed, and change nothing.")
@click.option(
    "--grace",
    callback=read_time,
    default="24h",
    show_default=True,
    metavar="TIME",
    help="Remove what was found unnamed so long ago; longer than any upload takes.",
)
@json_option
@plain_option
@peer_option
def gc(grace: float, *, dry_run: bool, as_json: bool, plain: bool, peers: tuple[str, ...]) -> None:
    """Have every peer remove chunks that no file and no job names: of removed files, and of uploads broken off.

    A chunk is removed when a peer finds it unnamed for the second time, a grace after the first; peers do so by
    themselves every six hours. The output of a job stays as long as the job is known (`murmur jobs rm`). All members
    must answer, else nothing is removed and the command ends with 1.
    """
    from ..view.counting import CountLine

    with connect(peers) as client, CountLine(plain=plain or as_json, share=lambda: None) as line:
        found = client.fs.gc(grace_s=grace, dry_run=dry_run, progress=line)
    if as_json:
        print_json({"dry_run": dry_run, "grace_s": grace, "peers": [asdict(each) for each in found]})
    else:
        _print(found, dry_run=dry_run)
    refused = [each for each in found if each.refused]
    if refused:
        raise Exit(FAILED, f"{refused[0].peer} has removed nothing: {refused[0].refused}")


def _print(found: "list[PeerCollection]", *, dry_run: bool) -> None:
    from ..view.tables import print_table

    headings = ("peer", "would go" if dry_run else "removed", "bytes", "waiting", "bytes", "held", "failed", "named")
    rows = [
        (
            each.peer,
            str(each.removed),
            format_size(each.removed_bytes),
            str(each.waiting),
            format_size(each.waiting_bytes),
            *(str(number) for number in (each.held, each.failed, each.named)),
        )
        for each in found
    ]
    print_table(headings, rows, right=frozenset(headings[1:]))
    _print_hint(found)


def _print_hint(found: "list[PeerCollection]") -> None:
    """Say what becomes of those that wait."""
    from ..store.collecting import first_due_s

    due_s = first_due_s(found)
    if due_s is not None:
        click.echo(f"the first of those that wait can go in {format_time(due_s)}", err=True)
    if any(each.held for each in found):
        click.echo("those held may be of a job that has not ended; their grace begins with its end", err=True)
