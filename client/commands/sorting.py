"""Spell the options by which the parts of an output follow each other in order."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def sorting_options(command: F) -> F:
    """Add `--total-order` and how it samples."""
    for option in reversed(
        (
            click.option("--total-order", is_flag=True, help="Sort the output from its first part to its last."),
            click.option("--sample-rate", type=click.FloatRange(0, 1, min_open=True), metavar="P", help=_RATE),
            click.option("--samples", type=click.IntRange(1, 1_000_000), metavar="N", help="Keys to sample [10000]."),
            click.option("--max-sampled-splits", type=click.IntRange(1), metavar="K", help="Of so many splits [10]."),
            click.option("-totalOrder", "hadoop_order", hidden=True, type=(float, int, int), metavar="P N K"),
        )
    ):
        command = option(command)
    return command


_RATE = "Share of the sampled splits' records [0.1]."


def with_order(
    *,
    total_order: bool,
    sample_rate: float | None,
    samples: int | None,
    max_sampled_splits: int | None,
    hadoop_order: tuple[float, int, int] | None,
    **job: Any,
) -> dict[str, Any]:
    """Take Hadoop's three numbers for the options that they mean; gives the other options back with them.

    Raises:
        UsageError: an option of the sample is given without `--total-order`.
    """
    if hadoop_order is not None:
        total_order, (sample_rate, samples, max_sampled_splits) = True, hadoop_order
    chosen = {"sample_rate": sample_rate, "samples": samples, "max_sampled_splits": max_sampled_splits}
    if not total_order and any(choice is not None for choice in chosen.values()):
        raise click.UsageError("--sample-rate, --samples and --max-sampled-splits belong to --total-order")
    return {**job, **chosen, "total_order": total_order or None}
