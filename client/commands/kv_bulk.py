"""Move many keys at once: `murmur kv load` and `murmur kv dump`."""

import json
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from ...ring.errors import MurmurationError
from ..progress import Progress
from .documents import print_json
from .exits import Exit, code_of
from .options import connect, examples, json_option, peer_option, plain_option, read_time

if TYPE_CHECKING:
    from ..store.bulk_keys import Lines
    from ..store.kv import KeyValues, KeyValueStore

KEYS_AT_ONCE = 256


@click.command(
    epilog=examples(
        "murmur kv load pairs.jsonl",
        "murmur kv load pairs.csv --from-line 20001     goes on where an error has stopped it",
        "murmur kv dump user/ | murmur kv load - --peer tcp://other:7400",
    )
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--from-line", type=click.IntRange(1), default=1, help="Skip what comes before this line.")
@click.option("--fresh", is_flag=True, help="The keys are new: do not read them before; twice as fast.")
@click.option("--ttl", callback=read_time, metavar="TIME", help="Let the values end after that time.")
@json_option
@plain_option
@peer_option
def load(  # one parameter for each option of the command line
    file: str, from_line: int, ttl: float | None, *, fresh: bool, as_json: bool, plain: bool, peers: tuple[str, ...]
) -> None:
    """Put the pairs of FILE: lines of JSON objects with `key` and `value`, or with .csv rows of both; `-` is stdin.

    Each value replaces what its key held. An error stops it and names the line to go on with.
    """
    from ..store.bulk_keys import Lines
    from ..view.counting import CountLine

    with ExitStack() as stack:
        stream = sys.stdin.buffer if file == "-" else stack.enter_context(Path(file).open("rb"))
        lines = Lines(stream, is_csv=file.lower().endswith(".csv"), first_line=from_line)
        client = stack.enter_context(connect(peers))
        shown = stack.enter_context(CountLine(plain=plain or as_json, share=_share_read(stream)))
        _load(client.kv, lines, shown, fresh=fresh, ttl_s=ttl)
    if as_json:
        print_json({"loaded": lines.stored})
    else:
        click.echo(f"{lines.stored} keys are loaded", err=True)


class _Both:
    """Tells two of the progress."""

    def __init__(self, *told: Progress) -> None:
        self._told = told

    def advance(self, name: str, done: int, total: int) -> None:
        """Pass it on."""
        for progress in self._told:
            progress.advance(name, done, total)


def _load(store: "KeyValueStore", lines: "Lines", shown: Progress, *, fresh: bool, ttl_s: float | None) -> None:
    try:
        store.put_many(lines.pairs(), fresh=fresh, ttl_s=ttl_s, progress=_Both(lines, shown))
    except MurmurationError as error:
        way_on = f"{lines.stored} keys are loaded; go on with --from-line {lines.next_line}"
        raise Exit(code_of(error), f"{error}\n{way_on}") from error


def _share_read(stream: BinaryIO) -> Callable[[], float | None]:
    """Tell how much of a file has been read; of a pipe nobody knows."""
    status = os.fstat(stream.fileno())
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0

    def share() -> float | None:
        return stream.tell() / size if size and not stream.closed else None

    return share


@click.command()
@click.argument("prefix", default="")
@peer_option
def dump(prefix: str, *, peers: tuple[str, ...]) -> None:
    """Write the keys that begin with PREFIX and their values as lines of JSON, for `murmur kv load`.

    A key with concurrent values has `values` in place of `value`. It is no snapshot: keys that change meanwhile may be
    given as they were or as they are.
    """
    from ..store.bulk_keys import line_of

    siblings = 0
    with connect(peers) as client:
        for found in _read_all(client.kv, prefix.encode()):
            siblings += len(found.values) > 1
            sys.stdout.write(json.dumps(line_of(found), ensure_ascii=False) + "\n")
    if siblings:
        click.echo(f"murmur: {siblings} keys have concurrent values: `kv load` takes one value for a key", err=True)


def _read_all(store: "KeyValueStore", prefix: bytes) -> "Iterator[KeyValues]":
    """Read key after key in order, many at a time; what was deleted meanwhile is left out."""
    keys = store.keys(prefix)
    while stretch := list(islice(keys, KEYS_AT_ONCE)):
        found: Iterable[KeyValues] = store.get_many(stretch)
        yield from sorted((each for each in found if each.values), key=lambda each: each.key)
