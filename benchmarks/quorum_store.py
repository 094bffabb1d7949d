"""Measure the key-value store against three etcd nodes and against the bare floor of its own building blocks.

    python benchmarks/quorum_store.py [--quick] [--rounds 3] [--seconds 2] [--only NAME]... [--json FILE]

Three servers each, N=3 R=2 W=2, values of 100 B and 10 KB, 1 and 16 client processes, everything synced to disk before
it is acknowledged. The contestants take turns within each round, and every figure is the median of the rounds' ratios,
so that a busy machine disturbs all alike.
"""

import itertools
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import click
from bare_floor import floor_cluster
from etcd_cluster import HOW_TO_GET, etcd_cluster, has_etcd, way_to_speak
from store_clients import WARM_UP_S, Account, Clients, Kind, Open, Operation
from store_failure import Failure, median_ratio, play_failures

import murmuration as mm

SIZES = (100, 10_000)
CLIENTS = (1, 16)
MISSED = 10_000
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
Sense = Literal["≥", "≤"]
PARTS = (*get_args(Kind), "failure")


@dataclass(frozen=True, slots=True)
class Cell:
    """What is measured at once."""

    operation: Operation
    size: int
    clients: int

    def __str__(self) -> str:
        return f"{self.operation} of {self.size} B, {self.clients} client{'s' * (self.clients > 1)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One contestant in one cell of one round."""

    contestant: Kind
    cell: Cell
    round: int
    per_s: float
    p50_ms: float
    p99_ms: float
    failures: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table; `sense` tells on which side of `bar` the value should be."""

    name: str
    value: float
    unit: str
    sense: Sense
    bar: float
    detail: str

    @property
    def is_reached(self) -> bool:
        """Tell whether the bar is reached."""
        return self.value >= self.bar if self.sense == "≥" else self.value <= self.bar

    def __str__(self) -> str:
        bar = f"{self.sense} {self.bar:g}{'' if self.is_reached else ' **missed**'}"
        return f"| {self.name} | {self.value:.2f} {self.unit} | {bar} | {self.detail} |"


def compare(rounds: int, seconds: float, contestants: Sequence[Kind]) -> list[Sample]:
    """Measure every contestant in every cell, in turns."""
    cells = [Cell(*choice) for choice in itertools.product(OPERATIONS, SIZES, CLIENTS)]
    turns = list(itertools.product(range(rounds), cells, contestants))
    with tempfile.TemporaryDirectory() as folder, Clients(max(CLIENTS)) as clients, ExitStack() as stack:
        for kind in contestants:
            addresses = stack.enter_context(_cluster(kind, Path(folder) / kind))
            filled = clients.order(Open(name=kind, kind=kind, addresses=addresses, sizes=SIZES))
            _warn_of([reason for account in filled for reason in account.reasons], kind)
        with click.progressbar(turns, label="stores", item_show_func=_shown_turn) as bar:
            return [_sample(clients, contestant, cell, number, seconds) for number, cell, contestant in bar]


def _shown_turn(turn: tuple[int, Cell, Kind] | None) -> str:
    return "" if turn is None else f"round {turn[0] + 1}, {turn[1]}, {turn[2]}"


@contextmanager
def _cluster(kind: Kind, directory: Path) -> Iterator[tuple[str, ...]]:
    match kind:
        case "murmuration":
            with mm.LocalCluster(peers=3, workers=1, directory=directory) as cluster:
                yield cluster.urls
        case "etcd":
            with etcd_cluster(directory) as addresses:
                yield addresses
        case "floor":
            with floor_cluster(directory) as urls:
                yield urls


def _sample(clients: Clients, contestant: Kind, cell: Cell, number: int, seconds: float) -> Sample:
    accounts = clients.run(contestant, cell.operation, cell.size, cell.clients, seconds)
    waits = sorted(wait for account in accounts for wait in account.waits)
    return Sample(
        contestant=contestant,
        cell=cell,
        round=number,
        per_s=len(waits) / seconds,
        p50_ms=_quantile(waits, 0.5) * 1000,
        p99_ms=_quantile(waits, 0.99) * 1000,
        failures=sum(account.failures for account in accounts),
        reasons=_reasons(accounts),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


def _reasons(accounts: Sequence[Account]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason for account in accounts for reason in account.reasons))[:3]


def _warn_of(reasons: Sequence[str], where: str) -> None:
    for reason in dict.fromkeys(reasons):
        click.echo(f"{where}: a request failed: {reason}", err=True)


# --- what it shows ---


def ratios(samples: Sequence[Sample]) -> list[Finding]:
    """Set Murmuration beside each of the others that were measured."""
    findings = []
    for cell in dict.fromkeys(sample.cell for sample in samples):
        findings += _against(samples, cell, "etcd", "rate", lambda sample: sample.per_s, ("≥", 2.0))
        findings += _against(samples, cell, "etcd", "p50", lambda sample: sample.p50_ms, ("≤", 0.5))
        findings += _against(samples, cell, "floor", "rate", lambda sample: sample.per_s, ("≥", 0.6))
    return findings


def _against(
    samples: Sequence[Sample],
    cell: Cell,
    other: Kind,
    what: str,
    figure: Callable[[Sample], float],
    bar: tuple[Sense, float],
) -> list[Finding]:
    ours, theirs = _figures(samples, cell, "murmuration", figure), _figures(samples, cell, other, figure)
    if not ours or not theirs:
        return []
    value = statistics.median(our / their if their else 0.0 for our, their in zip(ours, theirs, strict=True))
    unit = "/s" if what == "rate" else " ms"
    detail = f"{statistics.median(ours):,.4g}{unit} / {statistics.median(theirs):,.4g}{unit}"
    return [Finding(f"{cell}: {what}", value, f"x {other}", *bar, detail)]


def _figures(samples: Sequence[Sample], cell: Cell, contestant: Kind, figure: Callable[[Sample], float]) -> list[float]:
    return [figure(sample) for sample in samples if (sample.cell, sample.contestant) == (cell, contestant)]


def absolute(samples: Sequence[Sample]) -> list[str]:
    """List the medians of every contestant, for whoever wants to know what the ratios are made of."""
    lines = ["| cell | contestant | per second | p50 ms | p99 ms | failed |", "|---|---|---|---|---|---|"]
    for cell, contestant in dict.fromkeys((sample.cell, sample.contestant) for sample in samples):
        rate, p50, p99 = (
            statistics.median(_figures(samples, cell, contestant, figure))
            for figure in (lambda each: each.per_s, lambda each: each.p50_ms, lambda each: each.p99_ms)
        )
        failed = sum(each.failures for each in samples if (each.cell, each.contestant) == (cell, contestant))
        lines.append(f"| {cell} | {contestant} | {rate:,.0f} | {p50:.2f} | {p99:.2f} | {failed} |")
    return lines


def failure_findings(failures: Sequence[Failure]) -> list[Finding]:
    """Say what a kill costs, and how soon it is made good."""
    failed = sum(each.failures_after for each in failures)
    noticed = statistics.median(each.noticed_s for each in failures)
    times = [float("inf") if each.converged_s is None else each.converged_s for each in failures]
    reasons = "; ".join(dict.fromkeys(reason for each in failures for reason in each.reasons)) or "none"
    before = f"noticed after {noticed:.1f} s, {sum(each.failures_before for each in failures)} failed before: {reasons}"
    findings = [Finding("one of three killed: failed after the suspicion", failed, "requests", "≤", 0, before)]
    for operation in OPERATIONS:
        healthy, degraded = (
            statistics.median(rates[operation] for rates in side)
            for side in ([each.healthy for each in failures], [each.degraded for each in failures])
        )
        value = median_ratio(list(failures), operation)
        detail = f"{degraded:,.0f}/s / {healthy:,.0f}/s"
        findings.append(Finding(f"one of three killed: {operation}s", value, "x healthy", "≥", 0.8, detail))
    missed = min(each.missed for each in failures)
    shown = ", ".join(f"{each:.1f}" for each in times)
    converged = Finding(f"converged after {missed} missed writes", max(times), "s", "≤", 10.0, f"rounds: {shown}")
    return [*findings, converged]


@click.command(help=__doc__)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=2.0, show_default=True, type=click.FloatRange(0.1), help="Counted time of a cell.")
@click.option("--quick", is_flag=True, help="One round of half a second a cell and 1,000 missed writes.")
@click.option("--only", multiple=True, type=click.Choice(PARTS), help="May be given more than once.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures there.")
def main(rounds: int, seconds: float, *, quick: bool, only: tuple[str, ...], file: Path | None) -> None:
    """Measure what was asked for, print the tables, and write the figures."""
    rounds, seconds, missed = (1, 0.5, 1000) if quick else (rounds, seconds, MISSED)
    parts = [part for part in only or PARTS if part != "etcd" or has_etcd()]
    if not has_etcd() and (not only or "etcd" in only):
        click.echo(HOW_TO_GET, err=True)
    kinds = [kind for kind in get_args(Kind) if kind in parts]
    samples = compare(rounds, seconds, kinds) if kinds else []
    failures: list[Failure] = []
    if "failure" in parts:
        with Clients(max(CLIENTS)) as clients:
            failures = play_failures(clients, max(CLIENTS), rounds, seconds, missed)
    findings = ratios(samples) + (failure_findings(failures) if failures else [])
    _print(samples, findings)
    if file is not None:
        _write(file, samples, failures, findings)


def _print(samples: Sequence[Sample], findings: Sequence[Finding]) -> None:
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    click.echo(f"etcd by {way_to_speak()}; {os.cpu_count()} cores, load {load}; {WARM_UP_S:g} s of warm-up a cell\n")
    if samples:
        click.echo("\n".join([*absolute(samples), ""]))
    click.echo("\n".join(["| measure | value | bar | detail |", "|---|---|---|---|", *map(str, findings)]))
    _warn_of([reason for sample in samples for reason in sample.reasons], "store")


def _write(file: Path, samples: Sequence[Sample], failures: Sequence[Failure], findings: Sequence[Finding]) -> None:
    machine = {
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "etcd_api": way_to_speak(),
    }
    document = {
        "machine": machine,
        "results": [asdict(each) for each in findings],
        "samples": [asdict(each) for each in samples],
        "failures": [asdict(each) for each in failures],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
