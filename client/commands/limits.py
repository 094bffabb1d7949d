"""Spell the options that bound what a job's tasks may do, and what they get."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...scheduling.jobs import PRIORITY, PRIORITY_MAX
from .options import read_size, read_time

F = TypeVar("F", bound=Callable[..., Any])

MEMORY_OPTIONS = (
    click.option(
        "--memory-per-task",
        callback=read_size,
        metavar="SIZE",
        help="What a task may collect before it spills to disk [512MiB].",
    ),
    click.option(
        "--memory-limit",
        callback=read_size,
        metavar="SIZE",
        help="What a task's processes may hold before it fails; 0: no limit [4 x --memory-per-task].",
    ),
)


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
                "--client-patience",
                "client_patience_s",
                callback=read_time,
                metavar="T",
                help="Kill the job when nobody has watched it for so long [never].",
            ),
            click.option(
                "--intermediate-replicas",
                type=click.IntRange(1, 16),
                metavar="N",
                help="Copies of what reducers read; from 2 on, no lost peer has its splits done again.",
            ),
            click.option(
                "--skip-bad-records",
                type=click.IntRange(0, 1_000_000),
                metavar="N",
                help="Set aside up to N records on which the mapper fails, or keys on which the reducer does.",
            ),
            *MEMORY_OPTIONS,
            click.option(
                "--priority",
                type=click.IntRange(1, PRIORITY_MAX),
                metavar="P",
                help=f"Weight beside other jobs, 1 to {PRIORITY_MAX}: slots are shared by it [{PRIORITY}].",
            ),
            click.option(
                "--no-speculation",
                "speculation",
                flag_value=False,
                default=None,
                help="Begin no slow task once more elsewhere.",
            ),
        )
    ):
        command = option(command)
    return command
