"""Start jobs: `murmur submit` on a cluster, `murmur run` on a private one of this machine."""

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...ring.errors import CallerError, MurmurationError
from ...ring.facts import Liveness
from ..store.paths import is_ring_path
from .documents import print_json
from .exits import Exit
from .following import conclude, follow_to_end
from .hadoop import hadoop_options, read_input_class, read_output_class
from .limits import limit_options
from .options import connect, examples, json_option, peer_option, plain_option, read_pairs, read_size
from .sorting import sorting_options, with_order
from .streaming import streaming_options, with_program

if TYPE_CHECKING:
    from ..api import Client
    from ..jobs.chain import Chain
    from ..jobs.job import Job
    from ..view.transfers import TransferLine

F = TypeVar("F", bound=Callable[..., Any])


def job_options(command: F) -> F:
    """Add the arguments and options that describe a job."""
    for option in reversed(
        (
            click.argument("words", nargs=-1, metavar="PROGRAM INPUT..."),
            click.option("-o", "--output", required=True, help="A directory here, ring:/DIR, or - for stdout."),
            click.option("--split-size", callback=read_size, metavar="SIZE", help="Bytes in each split."),
            click.option("-m", "--splits", type=click.IntRange(1), metavar="M", help="Exactly so many splits instead."),
            click.option(
                "-r", "--reducers", type=click.IntRange(0, 4096), metavar="R", help="Partitions; 0: no reduce."
            ),
            click.option(
                "--input-format",
                "-inFormat",
                "input_format",
                callback=read_input_class,
                metavar="F",
                help="How records are read [text].",
            ),
            click.option(
                "--output-format",
                "-outFormat",
                "output_format",
                callback=read_output_class,
                metavar="F",
                help="How pairs are written [text].",
            ),
            click.option(
                "--param", "params", multiple=True, callback=read_pairs, metavar="K=V", help="For the program."
            ),
            click.option("--name", help="What the job is called [the program's name]."),
            limit_options,
            click.option("--output-names", type=click.Choice(["hadoop", "padi"]), help="part-r-00000 or 1.out."),
            click.option("--overwrite", is_flag=True, help="Replace the output if it exists, once the job commits."),
            sorting_options,
            streaming_options,
            plain_option,
            json_option,
            *hadoop_options,
        )
    ):
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "murmur submit wordcount 'books/*.txt' -o counts",
        "murmur submit grep ring:/logs -o - --param pattern=ERROR --reducers 0",
        "murmur submit --mapper 'cut -f 3' --reducer 'uniq -c' ring:/table -o ring:/counts",
        "ID=$(murmur submit wordcount ring:/books -o ring:/counts --detach); murmur wait $ID",
    )
)
@job_options
@click.option("--detach", is_flag=True, help="Print the job's id and return at once.")
@click.option("--resume", default="", metavar="JOB", help="Go on with the steps of which JOB was the first.")
@peer_option
def submit(*, detach: bool, peers: tuple[str, ...], as_json: bool, plain: bool, **given: Any) -> None:
    """Run PROGRAM over the INPUTs on the cluster, and show it live.

    PROGRAM is a .py file or the name of an example; or --mapper and --reducer give commands in its place. INPUT is a
    file, a glob or a directory here, or ring:/PATH. Ctrl-C asks whether to leave the job or to kill it.
    """
    job = with_order(**with_program(**given))
    _check_streams(job["output"], as_json=as_json and not detach)
    with connect(peers) as client, _line(quiet=plain or as_json) as line:
        chain = _chain(client, line, **job)
        if detach:
            _check_detachable(client, job["inputs"], chain)
            _print_id(next(iter(chain)), as_json=as_json)
        else:
            choices = {"overwrite": job["overwrite"], "resume": job["resume"]}
            _follow_all(client, chain, line, as_json=as_json, plain=plain, **choices)


@click.command(
    epilog=examples(
        "murmur run wordcount 'books/*.txt' -o -",
        "murmur run my_job.py data/ -o out --peers 2 --reducers 4",
    )
)
@job_options
@click.option("--peers", "count", type=click.IntRange(1, 64), default=1, show_default=True, help="Number of peers.")
@click.option("--workers", type=click.IntRange(1, 4096), help="Attempts at once in each peer [its share of the cores].")
def run(*, count: int, workers: int | None, as_json: bool, plain: bool, **given: Any) -> None:
    """Run PROGRAM over the INPUTs on a private cluster of this machine, with no peer running before or after."""
    from ..api import Client
    from ..cluster import LocalCluster

    job = with_order(**with_program(**given))
    _check_streams(job["output"], as_json=as_json)
    if job["output"].startswith("ring:"):
        raise click.UsageError("the ring of a private cluster ends with the job; give a local directory or -")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the peers are stopped then too
    with (
        LocalCluster(peers=count, workers=workers) as cluster,
        Client(cluster) as client,
        _line(quiet=plain or as_json) as line,
    ):
        chain = _chain(client, line, **job)
        _follow_all(client, chain, line, as_json=as_json, plain=plain, overwrite=job["overwrite"], ours=True)


def _line(*, quiet: bool) -> "TransferLine":
    from ..view.transfers import TransferLine  # late: it brings the live view along

    return TransferLine(plain=quiet)


def _check_streams(output: str, *, as_json: bool) -> None:
    if as_json and output == "-":
        raise click.UsageError("--json and -o - would mix on stdout; give the output another place")


def _check_detachable(client: "Client", inputs: tuple[str, ...], chain: "Chain") -> None:
    """Refuse to leave a job whose input some peer can read only from this client, or which is one of several.

    Raises:
        CallerError: files of this machine are the input, and a peer runs on another; or the program has steps.
    """
    from ...node.transport.host import host_id

    if len(chain) > 1:
        raise CallerError(f"the program has {len(chain)} steps, which this command starts in turn: do not detach")
    if all(is_ring_path(word) for word in inputs):
        return
    alive = [view.member for view in client.peers() if view.liveness is Liveness.ALIVE]
    abroad = [member.name for member in alive if member.host != host_id()]
    if abroad:
        raise CallerError(
            f"peer {abroad[0]} on another machine would read the input from this command, which must stay for it: "
            "store it with `murmur fs put` first, or do not detach"
        )


def _print_id(job: "Job", *, as_json: bool) -> None:
    if as_json:
        print_json({"id": job.id})
    else:
        click.echo(job.id)


def _chain(
    client: "Client", line: "TransferLine", *, program: Any, inputs: tuple[str, ...], output: str, **given: Any
) -> "Chain":
    """Make the job, or the jobs of a program with steps; what was not given is left to the library's defaults."""
    chosen = {name: value for name, value in given.items() if value is not None}
    return client.submit_steps(program, inputs, output, progress=line, **chosen)


def _follow_all(
    client: "Client",
    chain: "Chain",
    line: "TransferLine",
    *,
    as_json: bool,
    plain: bool,
    overwrite: bool,
    ours: bool = False,
    resume: str = "",
) -> None:
    """Follow each job to its end; where the steps of a cluster that stays are broken off, say how to go on."""
    try:
        for job in chain:
            resume = resume or job.id
            line.clear()
            follow_to_end(job, plain=plain, ours=ours)
            conclude(client, job, as_json=as_json and chain.at_last, overwrite=overwrite)
    except (Exit, MurmurationError, KeyboardInterrupt):
        if len(chain) > 1 and resume and not ours:
            click.echo(f"the steps done are kept: go on with the same command and --resume {resume}", err=True)
        raise
