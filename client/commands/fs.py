"""Store, fetch, list and remove files in the ring: `murmur fs ...`."""

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..units import format_size
from .documents import print_json
from .fs_check import check
from .fs_gc import gc
from .options import connect, examples, json_option, peer_option, plain_option, read_range, read_size, replicas_option

if TYPE_CHECKING:
    from ..store.files import Entry

overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what is there.")


@click.group(
    epilog=examples(
        "murmur fs put books/*.txt ring:/books/",
        "murmur fs ls ring:/books",
        "murmur fs cat --range 0:200 ring:/books/moby.txt",
        "murmur fs get ring:/books ./copy",
        "murmur fs check --repair",
        "murmur fs gc --dry-run",
    )
)
def fs() -> None:
    """Store and fetch files in the ring."""


fs.add_command(check)
fs.add_command(gc)


@fs.command()
@click.argument("local", nargs=-1, required=True, type=click.Path(exists=True))
@click.argument("target")
@click.option(
    "--chunk-size", callback=read_size, metavar="SIZE", help="Cut files at record borders into such pieces [32MiB]."
)
@replicas_option
@overwrite_option
@json_option
@plain_option
@peer_option
def put(  # one parameter for each option of the command line
    local: tuple[str, ...],
    target: str,
    chunk_size: int | None,
    replicas: int,
    *,
    overwrite: bool,
    as_json: bool,
    plain: bool,
    peers: tuple[str, ...],
) -> None:
    """Store LOCAL files and directories in the ring, at or under TARGET (ring:/...)."""
    from ..store.upload import CHUNK_BYTES
    from ..view.transfers import TransferLine

    with connect(peers) as client, TransferLine(plain=plain or as_json) as line:
        entries = client.fs.put(
            local,
            target,
            chunk_size=CHUNK_BYTES if chunk_size is None else chunk_size,
            replicas=replicas,
            overwrite=overwrite,
            progress=line,
        )
    if as_json:
        print_json([asdict(entry) for entry in entries])
    else:
        for entry in entries:
            click.echo(entry.path)


@fs.command()
@click.argument("source")
@click.argument("local", type=click.Path(path_type=Path))
@overwrite_option
@plain_option
@peer_option
def get(source: str, local: Path, *, overwrite: bool, plain: bool, peers: tuple[str, ...]) -> None:
    """Fetch a file or a directory from the ring to the path LOCAL, which appears only when it is whole."""
    from ..view.transfers import TransferLine

    with connect(peers) as client, TransferLine(plain=plain) as line:
        place = client.fs.get(source, local, overwrite=overwrite, progress=line)
    click.echo(str(place))


@fs.command()
@click.argument("source")
@click.option(
    "--range", "span", callback=read_range, default=":", metavar="A:B", help="Bytes from A up to but without B."
)
@peer_option
def cat(source: str, span: tuple[int, int | None], peers: tuple[str, ...]) -> None:
    """Write a file's bytes to stdout; the output directory of a job reads as its parts in order."""
    with connect(peers) as client:
        for piece in client.fs.cat(source, *span):
            sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


@fs.command()
@click.argument("source", default="ring:/")
@json_option
@peer_option
def ls(source: str, *, as_json: bool, peers: tuple[str, ...]) -> None:
    """List a directory of the ring (its root by default)."""
    with connect(peers) as client:
        entries = client.fs.ls(source)
    if as_json:
        print_json([asdict(entry) for entry in entries])
    else:
        _print_entries(entries)


@fs.command()
@click.argument("source")
@json_option
@peer_option
def stat(source: str, *, as_json: bool, peers: tuple[str, ...]) -> None:
    """Describe one file or directory."""
    with connect(peers) as client:
        entry = client.fs.stat(source)
    if as_json:
        print_json(asdict(entry))
    else:
        _print_entries([entry])


@fs.command()
@click.argument("source", nargs=-1, required=True)
@click.option("-r", "--recursive", is_flag=True, help="Remove directories and all below them.")
@json_option
@peer_option
def rm(source: tuple[str, ...], *, recursive: bool, as_json: bool, peers: tuple[str, ...]) -> None:
    """Remove files from the ring; their room is given back a day later, see `murmur fs gc`."""
    with connect(peers) as client:
        removed = [path for name in source for path in client.fs.rm(name, recursive=recursive)]
    if as_json:
        print_json(removed)
    else:
        for path in removed:
            click.echo(path)


def _print_entries(entries: "list[Entry]") -> None:
    from ..view.tables import print_table

    rows = [
        (
            f"{entry.path}/" if entry.directory else entry.path,
            format_size(entry.size),
            str(entry.chunks),
            _day(entry.made_at),
            entry.job,
        )
        for entry in entries
    ]
    print_table(("path", "size", "chunks", "made", "job"), rows, right=frozenset({"size", "chunks"}))


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M") if seconds else ""
