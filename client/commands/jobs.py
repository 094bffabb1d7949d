"""Show, watch, await and kill jobs: `murmur status`, `top`, `attach`, `wait`, `kill`."""

import contextlib

import click

from .documents import job_document, print_json
from .following import conclude, follow_to_end
from .options import connect, json_option, peer_option, plain_option, read_time

job_argument = click.argument("job", metavar="JOB")
newest_argument = click.argument("job", metavar="[JOB]", default="@")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what stands where the output goes.")


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
