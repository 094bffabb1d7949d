"""Show what the mechanisms of each peer have done and have still to do: `murmur metrics`."""

import click

from ..units import format_size
from .documents import print_json, titles_of
from .options import connect, examples, json_option, peer_option


@click.command(epilog=examples("murmur metrics", "murmur metrics scrub hints", "murmur metrics --json"))
@click.argument("parts", nargs=-1)
@json_option
@peer_option
def metrics(parts: tuple[str, ...], *, as_json: bool, peers: tuple[str, ...]) -> None:
    """Show the counters of all live peers, or only those of some PARTS, as `scrub` or `disk`.

    Counts are since the start of each peer's process; names end in `_bytes` or `_s` where they are sizes or times.
    """
    from ..measuring import metrics_of_all, moves_of_all

    with connect(peers) as client:
        views = client.peers(measured=False)
    titles, moves = titles_of(views), moves_of_all(views)
    found = {peer: {**values, **moves.get(peer, {})} for peer, values in metrics_of_all(views).items()}
    _check_parts(parts, {name for values in found.values() for name in values})
    chosen = {
        titles[peer]: {name: value for name, value in sorted(values.items()) if not parts or name.startswith(parts)}
        for peer, values in sorted(found.items(), key=lambda item: titles[item[0]])
    }
    if as_json:
        print_json(chosen)
    else:
        _print(chosen)


def _check_parts(parts: tuple[str, ...], names: set[str]) -> None:
    for part in parts:
        if names and not any(name.startswith(part) for name in names):
            known = ", ".join(sorted({name.partition(".")[0] for name in names}))
            raise click.UsageError(f"no metric begins with {part!r}; there are {known}")


def _print(found: dict[str, dict[str, float]]) -> None:
    from ..view.tables import print_table

    names = sorted({name for values in found.values() for name in values})
    rows = [(name, *(_spelt(name, values.get(name)) for values in found.values())) for name in names]
    print_table(("what", *found), rows, right=frozenset(found))


def _spelt(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name.endswith(("_bytes", ".bytes", "bytes_read")):
        return format_size(int(value))
    if name.endswith("_s"):
        return f"{value:.3g} s"
    return f"{value:g}"
