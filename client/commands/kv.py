"""Put, get, delete and list keys of the replicated store: `murmur kv ...`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...ring.errors import Conflict, Unknown, WorldError
from ...ring.terms import Quorum
from .documents import context_from, context_token, print_json, value_document
from .exits import FAILED, Exit
from .kv_bulk import dump, load
from .options import connect, examples, json_option, peer_option, quorum_options, read_time

if TYPE_CHECKING:
    from ...node.wire.replies import KeyPut

context_option = click.option(
    "--context", metavar="TOKEN", help="What this write replaces, as `kv get --json` told it."
)


@click.group(
    epilog=examples(
        "murmur kv put colour blue",
        "murmur kv get colour --json",
        "murmur kv put colour green --context TOKEN     replaces what that get saw",
        "murmur kv put colour red --if-current TOKEN    only if nobody has put since; else it ends with 6",
        "murmur kv put session abc --ttl 10min",
        "date | murmur kv put today - --replicas 5 --writes 3",
        "murmur kv load pairs.jsonl",
    )
)
def kv() -> None:
    """Put and get keys of the replicated store."""


@kv.command()
@click.argument("key")
@click.argument("value", required=False)
@click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Take the value from a file."
)
@context_option
@click.option("--if-current", metavar="TOKEN", help="Write only if nothing newer than this context is there.")
@click.option("--if-absent", is_flag=True, help="Write only if there is no value.")
@click.option("--ttl", callback=read_time, metavar="TIME", help="Let the value end after that time, as 10s or 2h.")
@quorum_options
@json_option
@peer_option
def put(  # one parameter for each option of the command line
    key: str,
    value: str | None,
    file: Path | None,
    context: str | None,
    if_current: str | None,
    ttl: float | None,
    *,
    if_absent: bool,
    as_json: bool,
    peers: tuple[str, ...],
    **quorum: Any,
) -> None:
    """Write VALUE (or a file, or with `-` what stdin holds) under KEY; without a context beside concurrent values.

    Of conditional puts at once, through different homes of the key, more than one may be written: they are siblings
    then. Ends with 5 if it is unknown whether the value was written, and with 6 if the condition does not hold.
    """
    content = _value_of(value, file)
    covered = None if context is None else context_from(context)
    expected = None if if_current is None else context_from(if_current)
    wanted = _quorum(**quorum)
    with connect(peers) as client, _failure_told(key, as_json=as_json):
        done = client.kv.put(
            key.encode(),
            content,
            context=covered,
            if_current=expected,
            if_absent=if_absent,
            ttl_s=ttl,
            quorum=wanted,
        )
    _report(key, done, wanted, as_json=as_json)


def _value_of(value: str | None, file: Path | None) -> bytes:
    if (value is None) == (file is None):
        raise click.UsageError("give either VALUE or --file")
    if file is not None:
        return file.read_bytes()
    assert value is not None, "either a value or a file is given"
    return sys.stdin.buffer.read() if value == "-" else value.encode()


@kv.command()
@click.argument("key")
@quorum_options
@json_option
@peer_option
def get(key: str, *, as_json: bool, peers: tuple[str, ...], **quorum: Any) -> None:
    """Write the value of KEY to stdout, each on a line if there are several; ends with 1 if there is none."""
    wanted = _quorum(**quorum)
    with connect(peers) as client, _failure_told(key, as_json=as_json):
        found = client.kv.get(key.encode(), quorum=wanted)
    if as_json:
        print_json(
            {
                "key": key,
                "values": [value_document(value) for value in found.values],
                "context": context_token(found.context),
                "replicas_answered": found.replicas_answered,
                "primaries_answered": found.primaries,
                "may_miss_newest": wanted.may_miss_newest,
            }
        )
        return
    _warn_of_missing(wanted)
    if not found.values:
        raise Exit(FAILED, f"{key!r} is absent")
    _print_values(key, found.values)


def _print_values(key: str, values: tuple[bytes, ...]) -> None:
    """Write one value as it is, but for a newline on a terminal, and several on lines of their own."""
    ending = b"\n" if len(values) > 1 or sys.stdout.isatty() else b""
    for value in values:
        sys.stdout.buffer.write(value + ending)
    sys.stdout.buffer.flush()
    if len(values) > 1:
        click.echo(f"murmur: {key!r} has {len(values)} concurrent values; `kv put --context` settles them", err=True)


@kv.command()
@click.argument("key")
@context_option
@quorum_options
@json_option
@peer_option
def delete(key: str, context: str | None, *, as_json: bool, peers: tuple[str, ...], **quorum: Any) -> None:
    """Delete KEY: what the context covers, or without one all that is there now."""
    covered = None if context is None else context_from(context)
    wanted = _quorum(**quorum)
    with connect(peers) as client, _failure_told(key, as_json=as_json):
        done = client.kv.delete(key.encode(), context=covered, quorum=wanted)
    _report(key, done, wanted, as_json=as_json)


@kv.command()
@click.argument("prefix", default="")
@json_option
@peer_option
def keys(prefix: str, *, as_json: bool, peers: tuple[str, ...]) -> None:
    """List the keys that begin with PREFIX, in order; those of files and jobs only if asked for by their prefix."""
    with connect(peers) as client:
        if as_json:
            print_json([value_document(key) for key in client.kv.keys(prefix.encode())])
            return
        for key in client.kv.keys(prefix.encode()):
            sys.stdout.buffer.write(key + b"\n")
    sys.stdout.buffer.flush()


def _quorum(*, replicas: int, reads: int | None, writes: int | None, strict: bool) -> Quorum:
    """Want majorities where nothing else is asked for; more answers than copies can never come."""
    majority = replicas // 2 + 1
    chosen = {"--reads": majority if reads is None else reads, "--writes": majority if writes is None else writes}
    for option, count in chosen.items():
        if count > replicas:
            raise click.UsageError(f"{option} {count} is more than the {replicas} copies there are; raise --replicas")
    return Quorum(
        replicas=replicas, reads_required=chosen["--reads"], writes_required=chosen["--writes"], strict=strict
    )


@contextmanager
def _failure_told(key: str, *, as_json: bool) -> Iterator[None]:
    """Have a script read from stdout what has failed, and what is there in a conflict; people read it from stderr."""
    try:
        yield
    except (Conflict, WorldError) as error:
        if as_json:
            print_json({"key": key, "outcome": _outcome_of(error), "reason": str(error), **_present(error)})
        raise


def _outcome_of(error: Conflict | WorldError) -> str:
    if isinstance(error, Conflict):
        return "conflict"
    return "unknown" if isinstance(error, Unknown) else "failed"


def _present(error: Conflict | WorldError) -> dict[str, Any]:
    if not isinstance(error, Conflict):
        return {}
    return {"values": [value_document(value) for value in error.values], "context": context_token(error.context)}


def _report(key: str, done: "KeyPut", wanted: Quorum, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "key": key,
                "outcome": "written",
                "context": context_token(done.context),
                "replicas": done.replicas,
                "replicas_reached": done.primaries + done.fallbacks,
                "primaries": done.primaries,
                "fallbacks": done.fallbacks,
                "siblings": done.siblings,
                "old_value_lost": done.replaced_corrupt,
                "may_miss_newest": wanted.may_miss_newest,
            }
        )
    else:
        stand_ins = f", {done.fallbacks} of them with stand-ins" if done.fallbacks else ""
        click.echo(f"{done.primaries + done.fallbacks} of {done.replicas} copies are durable{stand_ins}", err=True)
        _warn_of_missing(wanted)
        _warn_of_loss(key, done)


def _warn_of_missing(wanted: Quorum) -> None:
    if wanted.may_miss_newest:
        sum_, copies = wanted.reads_required + wanted.writes_required, wanted.replicas
        click.echo(f"murmur: R + W = {sum_} is not above N = {copies}: a read may miss the newest write", err=True)


def _warn_of_loss(key: str, done: "KeyPut") -> None:
    from ..store.kv import SIBLINGS_WARNED

    if done.replaced_corrupt:
        click.echo(f"murmur: no home of {key!r} could read its copy: what was there is lost", err=True)
    if done.siblings >= SIBLINGS_WARNED:
        count = f"{done.siblings} concurrent values"
        click.echo(f"murmur: {key!r} has {count}, and at 100 it is refused: put one with --context", err=True)


kv.add_command(load)
kv.add_command(dump)
