"""Show that a job survives the death of its tracker and of one more peer: `murmur demo`."""

import signal
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ..units import format_size, format_time
from .exits import FAILED, Exit
from .options import plain_option

if TYPE_CHECKING:
    from ...scheduling.status import JobStatus
    from ..api import Client
    from ..demo import Saboteur

RING_FILE: Final = "ring:/demo/python-sources.txt"
CHUNK_BYTES: Final = 2 << 20
SPLIT_BYTES: Final = 256 << 10
REDUCERS: Final = 4
COMMONEST: Final = 20


@click.command()
@click.option("--peers", "count", type=click.IntRange(3, 32), default=5, show_default=True, help="Number of peers.")
@plain_option
def demo(*, count: int, plain: bool) -> None:
    """Count the words of the Python standard library on peers of this machine, and kill two of them half-way.

    The job's tracker and the busiest other peer die by SIGKILL (of three or four peers only the tracker). Ends with 0
    only if the answer is equal to that of a sequential count.
    """
    from ..api import Client
    from ..cluster import LocalCluster
    from ..demo import Saboteur, collect_text, count_sequentially, differences

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the peers are stopped then too
    with tempfile.TemporaryDirectory(prefix="murmur-demo-") as directory:
        text = Path(directory) / "python-sources.txt"
        size = collect_text(text)
        _say(f"starting {count} peers on this machine, one worker each")
        with LocalCluster(peers=count, workers=1) as cluster, Client(cluster) as client:
            _say(f"storing {format_size(size)} of Python's own source in the ring, three copies of each chunk")
            saboteur = Saboteur(cluster=cluster)
            counted, status = _count(client, saboteur, text, plain=plain)
        _say("counting once more, sequentially in this process")
        expected = count_sequentially(text)
    _print_commonest(counted)
    _print_story(saboteur, status)
    wrong = differences(counted, expected)
    if wrong:
        raise Exit(FAILED, f"{len(wrong)} words are counted differently from the sequential count, as {wrong[0]!r}")
    click.echo(f"Check: {counted.total():,} words, {len(counted):,} of them different: equal to the sequential count.")
    if not saboteur.killed:
        raise Exit(FAILED, "the job ended before anything could be killed")


def _count(client: "Client", saboteur: "Saboteur", text: Path, *, plain: bool) -> "tuple[Counter[str], JobStatus]":
    """Store the text, count its words under fire, and read the answer."""
    from ..view.loop import follow
    from ..view.transfers import TransferLine

    with TransferLine(plain=plain) as line:
        client.fs.put(text, RING_FILE, chunk_size=CHUNK_BYTES, progress=line)
    job = client.submit("wordcount", RING_FILE, split_size=SPLIT_BYTES, reducers=REDUCERS)
    follow(saboteur.watch(job.watch()), plain=plain)
    counted = Counter({str(word): int(number) for word, number in job.results()})
    return counted, job.status


def _print_commonest(counted: Counter[str]) -> None:
    click.echo(f"The {COMMONEST} commonest words:")
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    for word, number in ranked[:COMMONEST]:
        click.echo(f"{number:>10,}  {word}")


def _print_story(saboteur: "Saboteur", status: "JobStatus") -> None:
    click.echo(f"Killed by SIGKILL with half of the splits done: {_listed(saboteur.killed)}.")
    if saboteur.taken_over_after_s is not None:
        click.echo(
            f"{status.tracker} took over as tracker {format_time(saboteur.taken_over_after_s)} later"
            f" (epoch {status.epoch})."
        )
    click.echo(
        f"{len(status.map_states)} splits and {len(status.reduce_states)} partitions"
        f" in {format_time(status.elapsed_s)}: {status.attempts} attempts, {status.duplicates} duplicates,"
        f" {len(saboteur.redone)} finished splits done again."
    )


def _listed(killed: list[str]) -> str:
    if not killed:
        return "nobody"
    return " and ".join([f"{killed[0]} (the job's tracker)", *killed[1:]])


def _say(text: str) -> None:
    click.echo(text, err=True)
