"""Start jobs: `murmur submit` on a cluster, `murmur run` on a private one of this machine."""

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from ...ring.errors import CallerError
from ...ring.facts import Liveness
from ...scheduling.jobs import PRIORITY, PRIORITY_MAX
from ..paths import is_ring_path
from .documents import print_json
from .following import conclude, follow_to_end
from .options import connect, examples, json_option, peer_option, plain_option, read_pairs, read_size, read_time

if TYPE_CHECKING:
    from ..api import Client, JobChoices
    from ..job import Job

F = TypeVar("F", bound=Callable[..., Any])


def job_options(command: F) -> F:
    """Add the arguments and options that describe a job."""
    for option in reversed(
        (
            click.argument("program"),
            click.argument("inputs", nargs=-1, required=True, metavar="INPUT..."),
            click.option("-o", "--output", required=True, help="A directory here, ring:/DIR, or - for stdout."),
            click.option("--split-size", callback=read_size, metavar="SIZE", help="Bytes in each split."),
            click.option("--splits", type=click.IntRange(1), metavar="M", help="Exactly so many splits instead."),
            click.option("--reducers", type=click.IntRange(0, 4096), metavar="R", help="Partitions; 0: no reduce."),
            click.option("--input-format", metavar="F", help="How records are read [text]."),
            click.option("--output-format", metavar="F", help="How pairs are written [text]."),
            click.option(
                "--param", "params", multiple=True, callback=read_pairs, metavar="K=V", help="For the program."
            ),
            click.option("--name", help="What the job is called [the program's name]."),
            click.option("--max-attempts", type=click.IntRange(1, 100), help="Failures of one task that end the job."),
            click.option(
                "--timeout-per-split",
                "timeout_per_split_s",
                callback=read_time,
                metavar="T",
                help="Stop longer attempts.",
            ),
            click.option(
                "--priority",
                type=click.IntRange(1, PRIORITY_MAX),
                metavar="P",
                help=f"Weight beside other jobs, 1 to {PRIORITY_MAX}: slots are shared by it [{PRIORITY}].",
            ),
            click.option(
                "--no-speculation",
                "speculation",
                flag_value=False,
                default=None,
                help="Begin no slow task once more elsewhere.",
            ),
            click.option("--output-names", type=click.Choice(["hadoop", "padi"]), help="part-r-00000 or 1.out."),
            click.option("--overwrite", is_flag=True, help="Replace the output if it exists, once the job commits."),
            plain_option,
            json_option,
        )
    ):
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "murmur submit wordcount 'books/*.txt' -o counts",
        "murmur submit grep ring:/logs -o - --param pattern=ERROR --reducers 0",
        "ID=$(murmur submit wordcount ring:/books -o ring:/counts --detach); murmur wait $ID",
    )
)
@job_options
@click.option("--detach", is_flag=True, help="Print the job's id and return at once.")
@peer_option
def submit(*, detach: bool, peers: tuple[str, ...], as_json: bool, plain: bool, **job: Any) -> None:
    """Run PROGRAM over the INPUTs on the cluster, and show it live.

    PROGRAM is a .py file or the name of an example. INPUT is a file, a glob or a directory here, or ring:/PATH.
    Ctrl-C asks whether to leave the job or to kill it.
    """
    _check_streams(job["output"], as_json=as_json and not detach)
    with connect(peers) as client:
        if detach:
            _check_detachable(client, job["inputs"])
        started = _start(client, quiet=plain or as_json, **job)
        if not detach:
            follow_to_end(started, plain=plain)
            conclude(client, started, as_json=as_json, overwrite=job["overwrite"])
        elif as_json:
            print_json({"id": started.id})
        else:
            click.echo(started.id)


@click.command(
    epilog=examples(
        "murmur run wordcount 'books/*.txt' -o -",
        "murmur run my_job.py data/ -o out --peers 2 --reducers 4",
    )
)
@job_options
@click.option("--peers", "count", type=click.IntRange(1, 64), default=1, show_default=True, help="Number of peers.")
@click.option("--workers", type=click.IntRange(1, 4096), help="Attempts at once in each peer [its share of the cores].")
def run(*, count: int, workers: int | None, as_json: bool, plain: bool, **job: Any) -> None:
    """Run PROGRAM over the INPUTs on a private cluster of this machine, with no peer running before or after."""
    from ..api import Client
    from ..cluster import LocalCluster

    _check_streams(job["output"], as_json=as_json)
    if job["output"].startswith("ring:"):
        raise click.UsageError("the ring of a private cluster ends with the job; give a local directory or -")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the peers are stopped then too
    with LocalCluster(peers=count, workers=workers) as cluster, Client(cluster) as client:
        started = _start(client, quiet=plain or as_json, **job)
        follow_to_end(started, plain=plain, ours=True)
        conclude(client, started, as_json=as_json, overwrite=job["overwrite"])


def _check_streams(output: str, *, as_json: bool) -> None:
    if as_json and output == "-":
        raise click.UsageError("--json and -o - would mix on stdout; give the output another place")


def _check_detachable(client: "Client", inputs: tuple[str, ...]) -> None:
    """Refuse to leave a job whose input some peer can read only from this client.

    Raises:
        CallerError: files of this machine are the input, and a peer runs on another.
    """
    from ...node.transport.host import host_id

    if all(is_ring_path(word) for word in inputs):
        return
    alive = [view.member for view in client.peers() if view.liveness is Liveness.ALIVE]
    abroad = [member.name for member in alive if member.host != host_id()]
    if abroad:
        raise CallerError(
            f"peer {abroad[0]} on another machine would read the input from this command, which must stay for it: "
            "store it with `murmur fs put` first, or do not detach"
        )


def _start(
    client: "Client", *, quiet: bool, program: str, inputs: tuple[str, ...], output: str, overwrite: bool, **given: Any
) -> "Job":
    """Submit the job; what was not given on the command line is left to the library's defaults."""
    from ..view.transfers import TransferLine

    choices = cast("JobChoices", {name: value for name, value in given.items() if value is not None})
    with TransferLine(plain=quiet) as line:
        return client.submit(program, inputs, output, overwrite=overwrite, progress=line, **choices)
