"""Show what user code has printed: `murmur logs`."""

import sys
from typing import TYPE_CHECKING, Any

import click

from ..units import format_size
from .documents import print_json
from .options import connect, examples, json_option, peer_option

if TYPE_CHECKING:
    from ..jobs.logs import PrintedLog


@click.command(
    epilog=examples(
        "murmur logs @                    all that the newest job has printed",
        "murmur logs @ --split 3          what each attempt at split 3 has printed",
        "murmur logs @ --list             who has printed how much, and where",
    )
)
@click.argument("job", metavar="JOB")
@click.option("--split", type=click.IntRange(min=0), help="Only the attempts at this split.")
@click.option("--partition", type=click.IntRange(min=0), help="Only the attempts at this partition.")
@click.option("--attempt", default="", metavar="A", help="Only this attempt; the beginning of its name is enough.")
@click.option("--list", "only_list", is_flag=True, help="Only say who has printed how much.")
@json_option
@peer_option
def logs(
    job: str,
    *,
    split: int | None,
    partition: int | None,
    attempt: str,
    only_list: bool,
    as_json: bool,
    peers: tuple[str, ...],
) -> None:
    """Show what the user code of JOB has printed, attempt by attempt, from the peers where it ran.

    Of each attempt the first mebibyte is kept, for a week. What a dead peer holds can be read once it is back.
    """
    with connect(peers) as client:
        found = client.job(job).logs()
        chosen = [log for log in found.logs if _is_meant(log, split, partition, attempt)]
        if as_json:
            print_json([_document(log, only_list=only_list) for log in chosen])
        elif only_list:
            _print_list(chosen)
        else:
            _print_all(chosen)
    if found.silent:
        click.echo(f"murmur: {', '.join(found.silent)} could not be asked, and may have more", err=True)
    if not chosen:
        click.echo("murmur: nothing was printed by such an attempt", err=True)


def _is_meant(log: "PrintedLog", split: int | None, partition: int | None, attempt: str) -> bool:
    is_of_all = split is None and partition is None
    is_named = log.split == split if log.partition is None else log.partition == partition
    return (is_of_all or is_named) and log.entry.attempt.startswith(attempt)


def _task(log: "PrintedLog") -> str:
    return f"partition {log.partition}" if log.split is None else f"split {log.split}"


def _document(log: "PrintedLog", *, only_list: bool) -> dict[str, Any]:
    entry = log.entry
    document = {
        "split": log.split,
        "partition": log.partition,
        "attempt": entry.attempt,
        "peer": log.peer.name,
        "bytes": entry.bytes,
        "written_at": entry.written_at,
    }
    return document if only_list else {**document, "text": log.text}


def _print_list(chosen: "list[PrintedLog]") -> None:
    from ..view.tables import print_table

    rows = [(_task(log), log.entry.attempt, log.peer.name, format_size(log.entry.bytes)) for log in chosen]
    print_table(("task", "attempt", "peer", "printed"), rows, right=frozenset({"printed"}))


def _print_all(chosen: "list[PrintedLog]") -> None:
    """Print the bytes as they are; where several attempts have printed, each under a line that names it."""
    out = sys.stdout.buffer
    for number, log in enumerate(chosen):
        if len(chosen) > 1:
            gap = "\n" if number else ""
            out.write(f"{gap}==> {_task(log)}, attempt {log.entry.attempt} at {log.peer.name} <==\n".encode())
        for piece in log.pieces():
            out.write(piece)
    out.flush()
