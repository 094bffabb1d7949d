"""Check stored files and bring back missing copies: `murmur fs check`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ..units import format_size
from .documents import print_json
from .exits import FAILED, Exit
from .options import connect, json_option, peer_option, plain_option, replicas_option

if TYPE_CHECKING:
    from ..store.checking import FileHealth


@click.command("check")
@click.argument("source", default="ring:/")
@click.option("--repair", is_flag=True, help="Bring missing and damaged copies back.")
@click.option("--all", "show_all", is_flag=True, help="List sound files, too.")
@replicas_option
@json_option
@plain_option
@peer_option
def check(
    source: str, replicas: int, *, repair: bool, show_all: bool, as_json: bool, plain: bool, peers: tuple[str, ...]
) -> None:
    """Have every peer read its copies of the files at or below SOURCE (all by default), and tell what is amiss.

    Ends with 1 if a file has lost content: no peer that answers has a sound copy of a part of it.
    """
    from ..view.transfers import TransferLine

    with connect(peers) as client, TransferLine(plain=plain or as_json) as line:
        report = client.fs.check(source, replicas=replicas, repair=repair, progress=line)
    if as_json:
        print_json({"files": [_document(health) for health in report.files], "silent": sorted(report.silent)})
    else:
        _print([health for health in report.files if show_all or health.repaired or not health.is_sound])
        _print_sum(report.files, sorted(report.silent), repair=repair)
    lost = sum(health.lost > 0 for health in report.files)
    if lost:
        raise Exit(FAILED, f"{lost} of {len(report.files)} files have lost content")


def _document(health: "FileHealth") -> dict[str, object]:
    return {**asdict(health), "state": _state(health)}


def _state(health: "FileHealth") -> str:
    if health.lost:
        return "lost"
    return "degraded" if not health.is_sound else "repaired" if health.repaired else "sound"


def _print(healths: "list[FileHealth]") -> None:
    from ..view.tables import print_table

    if not healths:
        return
    rows = [
        (
            health.path,
            _state(health),
            format_size(health.size),
            str(health.chunks),
            f"{health.copies} of {health.wanted}",
            *(str(number) for number in (health.missing, health.damaged, health.repaired)),
        )
        for health in healths
    ]
    headings = ("path", "state", "size", "chunks", "copies", "missing", "damaged", "repaired")
    print_table(headings, rows, right=frozenset(headings[2:]))


def _print_sum(healths: "list[FileHealth]", silent: list[str], *, repair: bool) -> None:
    sound = sum(health.is_sound for health in healths)
    hint = "" if repair or sound == len(healths) else "; bring back what can be with --repair"
    click.echo(f"{sound} of {len(healths)} files are sound{hint}", err=True)
    if silent:
        click.echo(f"murmur: no answer from {', '.join(silent)}: their copies are not counted", err=True)
