"""Show one large schedule of the simulator: its progress while it is played, and then what it took."""

import sys
from typing import Any

import click

from ..client.commands.documents import print_json
from ..client.commands.exits import FAILED, Exit
from .simulation.large import Measured, Progress, play_large
from .simulation.plan import Plan


def run_large(plan: Plan, *, as_json: bool) -> None:
    """Play a plan with its progress on a terminal's stderr, print what it took, and end with 1 if a promise broke."""
    if sys.stderr.isatty():
        with click.progressbar(length=plan.splits, label="splits", file=sys.stderr, item_show_func=_instant) as bar:
            measured = play_large(plan, lambda progress: bar.update(progress.splits_done - bar.pos, progress))
    else:
        measured = play_large(plan)
    if as_json:
        print_json(_document(measured))
    else:
        _print(measured)
    if not measured.is_right:
        raise Exit(FAILED)


def _instant(progress: Progress | None) -> str | None:
    """Show beside the bar how much virtual time has passed."""
    return None if progress is None else f"{progress.simulated_s:.2f} simulated seconds"


def _document(measured: Measured) -> dict[str, Any]:
    verdict = measured.verdict
    return {
        "peers": measured.peers,
        "splits": measured.splits,
        "seed": verdict.seed,
        "trace": verdict.trace,
        "right": measured.is_right,
        "faults": measured.faults,
        "violations": list(verdict.violations),
        "simulated_s": verdict.simulated_s,
        "seconds": measured.seconds,
        "cpu_s": measured.cpu_s,
        "memory_mib": measured.memory_mib,
        "events": verdict.events,
        "messages": measured.messages,
        "claim_messages_per_peer": measured.claim_messages / measured.peers,
        "attempts": measured.attempts,
        "duplicates": measured.duplicates,
    }


def _print(measured: Measured) -> None:
    verdict = measured.verdict
    ending = measured.state.title if measured.state is not None else "not ended"
    click.echo(
        f"{measured.peers} peers, {measured.splits} splits, {measured.faults} faults: "
        f"{ending} after {verdict.simulated_s:.1f} simulated seconds"
    )
    click.echo(f"time        {measured.seconds:.1f} s, {measured.cpu_s:.1f} s of it on the processor")
    click.echo(f"memory      {measured.memory_mib:.0f} MiB")
    click.echo(f"events      {verdict.events}")
    each = measured.claim_messages / measured.peers
    click.echo(f"messages    {measured.messages}, of them {each:.0f} with claims from each peer")
    click.echo(f"attempts    {measured.attempts}, {measured.duplicates} of them duplicates")
    for violation in verdict.violations:
        click.echo(f"seed {verdict.seed}, trace {verdict.trace}: {violation}")
    click.echo("the output is right" if measured.is_right else "the promises were not kept")
