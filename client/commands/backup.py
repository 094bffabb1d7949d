"""Back up a cluster and bring a backup back: `murmur ring backup`, `ring restore` and `ring verify`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ..units import format_size
from .documents import print_json
from .exits import FAILED, Exit
from .options import connect, json_option, peer_option, plain_option

if TYPE_CHECKING:
    from ..store.backup.layout import BackupManifest

directory_argument = click.argument("directory", type=click.Path(path_type=Path, file_okay=False))


@click.command()
@directory_argument
@click.option("--overwrite", is_flag=True, help="Renew a finished backup; its sound chunks are not fetched anew.")
@json_option
@plain_option
@peer_option
def backup(directory: Path, *, overwrite: bool, as_json: bool, plain: bool, peers: tuple[str, ...]) -> None:
    """Copy all keys and files of the running cluster to DIRECTORY.

    One that was broken off is taken up again by the same command. A value that ends keeps its end. The records of jobs
    are not kept, for a job belongs to its cluster; its output in the ring is.
    """
    from ..view.counting import CountLine

    with connect(peers) as client, CountLine(plain=plain or as_json, share=lambda: None) as line:
        manifest = client.backup(directory, overwrite=overwrite, progress=line)
    _tell(manifest, directory, as_json=as_json)
    if manifest.lost:
        raise Exit(FAILED, f"{len(manifest.lost)} chunks could be had from no peer; see `murmur fs check`")


@click.command()
@directory_argument
@click.option("--overwrite", is_flag=True, help="Replace what keys hold now, where it is something else.")
@click.option("--vnode", "vnodes", type=int, multiple=True, help="Only what lay in this vnode; may be given again.")
@json_option
@plain_option
@peer_option
def restore(
    directory: Path, *, overwrite: bool, vnodes: tuple[int, ...], as_json: bool, plain: bool, peers: tuple[str, ...]
) -> None:
    """Bring the backup in DIRECTORY into the running cluster; to run it again is harmless."""
    from ..view.transfers import TransferLine

    with connect(peers) as client, TransferLine(plain=plain or as_json) as line:
        restored = client.restore(directory, overwrite=overwrite, vnodes=vnodes, progress=line)
    if as_json:
        print_json(asdict(restored))
        return
    click.echo(
        f"{restored.keys} keys: {restored.written} written, {restored.equal} there before, {restored.left} left alone"
        + (f", {restored.ended} ended meanwhile" if restored.ended else "")
    )
    click.echo(f"{restored.chunks} chunks, {format_size(restored.chunk_bytes)}")
    if restored.left:
        click.echo("murmur: to replace what those keys hold, restore with --overwrite", err=True)


@click.command()
@directory_argument
@json_option
@plain_option
def verify(directory: Path, *, as_json: bool, plain: bool) -> None:
    """Read the whole backup in DIRECTORY and check it; ends with 1 if a part is damaged or missing."""
    from ..store.backup.verifying import verify_backup
    from ..view.transfers import TransferLine

    with TransferLine(plain=plain or as_json) as line:
        manifest, faults = verify_backup(directory, line)
    if as_json:
        print_json({**_document(manifest), "faults": faults})
    else:
        for fault in faults:
            click.echo(fault)
        click.echo(_summary(manifest), err=True)
    if faults:
        raise Exit(FAILED, f"{len(faults)} parts of the backup are damaged or missing")


def _tell(manifest: "BackupManifest", directory: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(manifest))
        return
    click.echo(str(directory))
    click.echo(_summary(manifest), err=True)


def _summary(manifest: "BackupManifest") -> str:
    chunks = f"{manifest.files} files in {manifest.chunks} chunks ({format_size(manifest.chunk_bytes)})"
    vnodes = len({page.vnode for page in manifest.pages})
    keys = f"{manifest.keys} keys of {vnodes} vnodes, {manifest.siblings} siblings beside them"
    return f"{keys}, of the keys {chunks}"


def _document(manifest: "BackupManifest") -> dict[str, Any]:
    return {**msgspec.to_builtins(manifest), "pages": len(manifest.pages)}
