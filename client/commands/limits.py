"""Spell the options that bound what a job's tasks may do."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .options import read_size, read_time

F = TypeVar("F", bound=Callable[..., Any])


def limit_options(command: F) -> F:
    """Add `--max-attempts` and the options of its kind."""
    for option in reversed(
        (
            click.option("--max-attempts", type=click.IntRange(1, 100), help="Failures of one task that end the job."),
            click.option(
                "--timeout-per-split",
                "timeout_per_split_s",
                callback=read_time,
                metavar="T",
                help="Stop longer attempts.",
            ),
            click.option(
                "--memory-per-task",
                callback=read_size,
                metavar="SIZE",
                help="What a task may collect before it spills to disk [512MiB].",
            ),
        )
    ):
        command = option(command)
    return command
