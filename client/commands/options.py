"""Spell the options that several commands share, and read sizes, times and parameters from the command line."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...ring.errors import CallerError
from ..units import parse_size, parse_time

if TYPE_CHECKING:
    from ..api import Client

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def read_size(ctx: click.Context, param: click.Parameter, word: str | None) -> int | None:
    """Read a size in bytes, as `16MiB`, or refuse it as wrong use."""
    return None if word is None else _read(parse_size, ctx, param, word)


def read_time(ctx: click.Context, param: click.Parameter, word: str | None) -> float | None:
    """Read a time in seconds, as `250ms`, or refuse it as wrong use."""
    return None if word is None else _read(parse_time, ctx, param, word)


def read_pairs(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
    """Read pairs `NAME=VALUE`, of which a later one of the same name counts, or refuse one as wrong use."""
    return dict(_read(parse_pair, ctx, param, word) for word in words)


def read_range(ctx: click.Context, param: click.Parameter, word: str) -> tuple[int, int | None]:
    """Read a range of bytes `A:B`, or refuse it as wrong use."""
    return _read(parse_range, ctx, param, word)


def _read(parse: Callable[[str], T], ctx: click.Context, param: click.Parameter, word: str) -> T:
    try:
        return parse(word)
    except CallerError as error:
        raise click.BadParameter(str(error), ctx, param) from error


def parse_pair(text: str) -> tuple[str, str]:
    """Cut `NAME=VALUE` at its first equals sign.

    Raises:
        CallerError: there is none, or no name before it.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise CallerError(f"{text!r} is not a parameter; write it as NAME=VALUE")
    return name, value


def parse_range(text: str) -> tuple[int, int | None]:
    """Read `A:B`, of which either may be left out; both may have units.

    Raises:
        CallerError: it is no range, or it ends before it begins.
    """
    first, colon, last = text.partition(":")
    begin, end = (parse_size(first) if first else 0), (parse_size(last) if last else None)
    if not colon or (end is not None and end < begin):
        raise CallerError(f"{text!r} is not a range of bytes; write it as 100:200, 100: or :200")
    return begin, end


peer_option = click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="URL",
    help="Address of a peer; may be given more than once. Else MURMUR_PEERS, else the last `murmur up` here.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
plain_option = click.option("--plain", is_flag=True, help="Plain lines instead of the live view, no control codes.")
replicas_option = click.option(
    "--replicas", type=click.IntRange(1, 16), default=3, show_default=True, help="Copies to keep (N)."
)


def quorum_options(command: F) -> F:
    """Add `--replicas --reads --writes --strict`."""
    for option in (
        click.option("--strict", is_flag=True, help="Count the key's own homes only, no stand-ins."),
        click.option("--writes", type=click.IntRange(1, 16), help="Durable copies a write waits for (W)."),
        click.option("--reads", type=click.IntRange(1, 16), help="Answers that a read waits for (R)."),
        replicas_option,
    ):
        command = option(command)
    return command


def examples(*lines: str) -> str:
    """Spell the end of a help text: command lines, each with a comment after it where it has one."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def connect(peers: tuple[str, ...]) -> "Client":
    """Open a client by the given addresses, or else by those of the environment or the last start."""
    from ..api import Client  # late: sockets are not needed to print a help text

    return Client(peers)
