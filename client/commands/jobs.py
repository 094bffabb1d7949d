"""List, show, watch, await and kill jobs: `murmur jobs`, `status`, `top`, `attach`, `wait`, `kill`."""

import contextlib
from typing import TYPE_CHECKING

import click

from ..units import format_size, format_time
from .documents import job_document, print_json
from .following import conclude, follow_to_end
from .options import connect, json_option, peer_option, plain_option, read_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...scheduling.status import JobStatus

job_argument = click.argument("job", metavar="JOB")
newest_argument = click.argument("job", metavar="[JOB]", default="@")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what stands where the output goes.")


@click.command()
@json_option
@peer_option
def jobs(*, as_json: bool, peers: tuple[str, ...]) -> None:
    """List the jobs that the cluster knows, the newest first."""
    with connect(peers) as client:
        statuses = client.jobs()
    if as_json:
        print_json([job_document(status) for status in statuses])
    else:
        _print_jobs(statuses)


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


@click.command()
@newest_argument
@json_option
@peer_option
def status(job: str, *, as_json: bool, peers: tuple[str, ...]) -> None:
    """Show one job: JOB is an id, the unique beginning of one, a unique name, or @ for the newest."""
    with connect(peers) as client:
        shown = client.job(job).status
    if as_json:
        print_json(job_document(shown))
    else:
        from ..view.still import print_picture

        print_picture(shown)


@click.command()
@newest_argument
@plain_option
@peer_option
def top(job: str, *, plain: bool, peers: tuple[str, ...]) -> None:
    """Watch a job live (the newest by default) until it ends or Ctrl-C leaves it; never changes anything."""
    from ..view.loop import follow

    with connect(peers) as client, contextlib.suppress(KeyboardInterrupt):
        follow(client.job(job).watch(), plain=plain)


@click.command()
@job_argument
@overwrite_option
@plain_option
@json_option
@peer_option
def attach(job: str, *, overwrite: bool, plain: bool, as_json: bool, peers: tuple[str, ...]) -> None:
    """Follow JOB to its end, receive its output, and end as it did; Ctrl-C asks: detach or kill."""
    with connect(peers) as client:
        found = client.attach(job, overwrite=overwrite)
        follow_to_end(found, plain=plain)
        conclude(client, found, as_json=as_json, overwrite=overwrite)


@click.command()
@job_argument
@click.option(
    "--timeout", callback=read_time, metavar="T", help="Give up after this time (exit code 1); the job goes on."
)
@overwrite_option
@json_option
@peer_option
def wait(job: str, timeout: float | None, *, overwrite: bool, as_json: bool, peers: tuple[str, ...]) -> None:
    """Wait in silence until JOB has ended, receive its output, and end as it did: 0 done, 1 failed, 4 killed."""
    from ..jobs.failures import JobFailed, JobKilled

    with connect(peers) as client:
        bare = client.job(job)
        with contextlib.suppress(JobFailed, JobKilled):  # `conclude` tells of both
            bare.wait(timeout)
        conclude(client, client.attach(bare.id, overwrite=overwrite), as_json=as_json, overwrite=overwrite)


@click.command()
@job_argument
@json_option
@peer_option
def kill(job: str, *, as_json: bool, peers: tuple[str, ...]) -> None:
    """Stop JOB everywhere, endless loops in user code included; a job that has ended stays as it ended."""
    with connect(peers) as client:
        found = client.job(job)
        found.kill()
        for shown in found.watch():
            last = shown
    if as_json:
        print_json(job_document(last))
    else:
        click.echo(f"job {last.name} ({last.id}): {last.state.title}", err=True)
