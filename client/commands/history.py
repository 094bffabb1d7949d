"""List jobs, and remove ended ones: `murmur jobs`, `murmur jobs rm`."""

from typing import TYPE_CHECKING

import click

from ...ring.errors import WorldError
from ..units import format_size, format_time
from .documents import job_document, print_json
from .groups import JobsGroup
from .options import connect, examples, json_option, peer_option, read_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...scheduling.status import JobStatus
    from ..api import Client
    from ..jobs.history import Removed


@click.group(
    cls=JobsGroup,
    epilog=examples(
        "murmur jobs",
        "murmur jobs rm wordcount",
        "murmur jobs rm --older-than 7d --dry-run",
    ),
)
def jobs() -> None:
    """List the jobs of the cluster, the newest first, those that ended before its peers were started included."""


@jobs.command("list")
@json_option
@peer_option
def list_jobs(*, as_json: bool, peers: tuple[str, ...]) -> None:
    """List the jobs that the cluster knows, the newest first."""
    with connect(peers) as client:
        statuses = _all_jobs(client)
    if as_json:
        print_json([job_document(status) for status in statuses])
    else:
        _print_jobs(statuses)


def _all_jobs(client: "Client") -> "tuple[JobStatus, ...]":
    try:
        return client.history()
    except WorldError as error:
        click.echo(f"murmur: jobs that ended before the peer was started may be missing: {error}", err=True)
        return client.jobs()


def _print_jobs(statuses: "Sequence[JobStatus]") -> None:
    from ..view.tables import print_table
    from ..view.words import tally

    rows = [
        (
            status.id,
            status.name,
            status.state.title,
            tally(status.map_states),
            tally(status.reduce_states),
            format_size(status.bytes_total),
            format_time(status.elapsed_s),
            status.tracker,
        )
        for status in statuses
    ]
    headings = ("id", "name", "state", "splits", "partitions", "input", "time", "tracker")
    print_table(headings, rows, right=frozenset({"splits", "partitions", "input", "time"}))


@jobs.command()
@click.argument("names", nargs=-1, metavar="JOB...")
@click.option("--older-than", callback=read_time, metavar="T", help="All that ended longer ago, as 7d.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
@json_option
@peer_option
def rm(
    names: tuple[str, ...], older_than: float | None, *, dry_run: bool, as_json: bool, peers: tuple[str, ...]
) -> None:
    """Remove ended jobs from the history, with what peers keep of them; outputs in the ring stay.

    A job that goes on is refused: end it with `murmur kill` first.
    """
    if not names and older_than is None:
        raise click.UsageError("name jobs, or give --older-than")
    with connect(peers) as client:
        chosen = client.ended_jobs(names, older_than)
        removed = [] if dry_run else [client.remove_job(status) for status in chosen]
    if as_json:
        silent = {each.status.id: list(each.silent) for each in removed}
        print_json(
            [
                {"id": each.id, "name": each.name, "state": each.state.title, "silent": silent.get(each.id)}
                for each in chosen
            ]
        )
    else:
        for status in chosen:
            click.echo(f"{status.id} {status.name} {status.state.title}")
        _tell_of_silent(removed)


def _tell_of_silent(removed: "Sequence[Removed]") -> None:
    silent = sorted({name for each in removed for name in each.silent})
    if silent:
        click.echo(f"murmur: {', '.join(silent)} did not answer, and may list them until started anew", err=True)
