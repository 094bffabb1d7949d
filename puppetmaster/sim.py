"""Run the simulator from the command line: `murmur sim`."""

import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import click

from ..client.commands.documents import print_json
from ..client.commands.exits import FAILED, Exit
from ..client.commands.options import json_option
from .sim_large import run_large
from .simulation.large import large_plan
from .simulation.rarities import RARITIES
from .simulation.scenarios import play_scenario, scenario_names
from .simulation.schedule import Verdict
from .simulation.shrinking import promise_of
from .simulation.story import tell
from .simulation.sweep import Sweep, sweep

SEEDS_DEFAULT = 100
STORIES_MAX = 3
"""So many failing seeds are shrunk and told; the others are only named."""


def read_seeds(ctx: click.Context, param: click.Parameter, word: str | None) -> range | None:
    """Read a range of seeds `A-B`, both included, or refuse it as wrong use."""
    if word is None:
        return None
    first, dash, last = word.partition("-")
    if not (first.isdecimal() and dash and last.isdecimal() and int(first) <= int(last)):
        raise click.BadParameter(f"{word!r} is no range of seeds; write it as 0-99", ctx, param)
    return range(int(first), int(last) + 1)


@click.command()
@click.option("--seed", type=click.IntRange(min=0), help="Play this one seed.")
@click.option(
    "--seeds", callback=read_seeds, metavar="A-B", help=f"Play these seeds; 0-{SEEDS_DEFAULT - 1} if not given."
)
@click.option("--peers", type=click.IntRange(3, 200), default=5, show_default=True, help="Peers in each schedule.")
@click.option(
    "--splits", type=click.IntRange(1, 20_000), help="Play one large job of so many splits, and tell what it takes."
)
@click.option("--no-faults", is_flag=True, help="Leave a large job in peace.")
@click.option("--scenario", type=click.Choice(scenario_names()), help="Play this scenario and print its transcript.")
@click.option("--minutes", type=click.FloatRange(min=0.0), help="Go on with new seeds for so long, or stop after it.")
@click.option("--no-story", is_flag=True, help="Do not shrink and draw the seeds that fail.")
@json_option
def sim(
    *,
    seed: int | None,
    seeds: range | None,
    peers: int,
    splits: int | None,
    no_faults: bool,
    scenario: str | None,
    minutes: float | None,
    no_story: bool,
    as_json: bool,
) -> None:
    """Play whole clusters in virtual time, with faults drawn from a seed, and check every promise."""
    if scenario is not None:
        transcript = play_scenario(scenario)
        click.echo(transcript.text, nl=False)
        raise Exit(0 if transcript.held else FAILED)
    if seed is not None and seeds is not None:
        raise click.UsageError("give either --seed or --seeds")
    if splits is not None:
        if seeds is not None or minutes is not None:
            raise click.UsageError("give --splits with one --seed, for one schedule is long")
        run_large(large_plan(seed or 0, peers, splits, has_faults=not no_faults), as_json=as_json)
        return
    if no_faults:
        raise click.UsageError("give --no-faults with --splits")
    total, seconds = _run(_chosen(seed, seeds, minutes), peers, minutes)
    stories = {} if no_story else _stories(total.failing, peers)
    if as_json:
        print_json(_document(total, seconds, stories))
    else:
        _print(total, seconds, stories)
    if total.failing:
        raise Exit(FAILED)


def _chosen(seed: int | None, seeds: range | None, minutes: float | None) -> Iterable[int]:
    if seed is not None:
        return range(seed, seed + 1)
    if seeds is not None:
        return seeds
    return itertools.count() if minutes is not None else range(SEEDS_DEFAULT)


def _run(seeds: Iterable[int], peers: int, minutes: float | None) -> tuple[Sweep, float]:
    begun, total = time.monotonic(), Sweep()
    for so_far in _watched(sweep(seeds, peers), seeds):
        total = so_far
        if minutes is not None and time.monotonic() - begun >= minutes * 60:
            break
    return total, time.monotonic() - begun


def _watched(sums: Iterator[Sweep], seeds: Iterable[int]) -> Iterator[Sweep]:
    """Show progress on a terminal's stderr, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield from sums
        return
    length = len(seeds) if isinstance(seeds, range) else None
    with click.progressbar(sums, length=length, label="schedules", file=sys.stderr) as bar:
        yield from bar


def _stories(failing: list[Verdict], peers: int) -> dict[int, str]:
    return {verdict.seed: str(tell(verdict.seed, peers)) for verdict in failing[:STORIES_MAX]}


def _document(total: Sweep, seconds: float, stories: dict[int, str]) -> dict[str, Any]:
    return {
        "schedules": total.schedules,
        "events": total.events,
        "faults": total.faults,
        "simulated_s": total.simulated_s,
        "seconds": seconds,
        "violations": [
            {
                "seed": verdict.seed,
                "trace": verdict.trace,
                "invariant": promise_of(verdict.violations),
                "violations": list(verdict.violations),
                "faults": list(verdict.faults),
                "story": stories.get(verdict.seed),
            }
            for verdict in total.failing
        ],
        "reached": {name: total.rarities.reached[name] for name in RARITIES},
        "never_reached": total.rarities.missing,
    }


def _print(total: Sweep, seconds: float, stories: dict[int, str]) -> None:
    click.echo(
        f"{total.schedules} schedules, {total.events} events, {total.faults} faults, "
        f"{total.simulated_s:.0f} simulated seconds in {seconds:.1f} s"
    )
    for verdict in total.failing:
        click.echo(f"seed {verdict.seed}, trace {verdict.trace}: {verdict.violations[0]}")
    for seed, story in stories.items():
        click.echo(f"\nthe story of seed {seed}\n{story}\n")
    missing = total.rarities.missing
    click.echo(f"{len(RARITIES) - len(missing)} of {len(RARITIES)} rare states reached")
    if missing:
        click.echo("never reached: " + ", ".join(missing))
    click.echo(f"{len(total.failing)} violations" if total.failing else "no violation")
