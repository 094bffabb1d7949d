"""Spell the options by which commands take the place of PROGRAM, and make a program of them."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

LINE_FORMATS: Final = (None, "text", "bytes-lines")
"""What `--input-format` may be: commands read lines."""


def streaming_options(command: F) -> F:
    """Add `--mapper` and what belongs to it."""
    for option in reversed(
        (
            click.option("--mapper", metavar="CMD", default="", help="Instead of PROGRAM: reads and writes lines."),
            click.option("--reducer", metavar="CMD", default="", help="Sees the mapper's lines sorted by their keys."),
            click.option("--combiner", metavar="CMD", default="", help="Makes a mapper's lines fewer before they go."),
            click.option("--file", "files", multiple=True, metavar="PATH", help="Ship it to the commands."),
            click.option(
                "--stream-num-map-fields",
                "map_fields",
                type=click.IntRange(1, 1000),
                default=1,
                metavar="N",
                help="Fields up to the Nth tab are the key [1].",
            ),
            click.option(
                "--stream-num-partition-fields",
                "partition_fields",
                type=click.IntRange(0, 1000),
                default=0,
                metavar="K",
                help="Of which the first K choose the partition [all].",
            ),
        )
    ):
        command = option(command)
    return command


def with_program(
    *,
    words: tuple[str, ...],
    mapper: str,
    reducer: str,
    combiner: str,
    files: tuple[str, ...],
    map_fields: int,
    partition_fields: int,
    **job: Any,
) -> dict[str, Any]:
    """Tell PROGRAM from the INPUTs in the words of the command line: with commands given, all words are INPUTs.

    Gives the other options back, with `program` and `inputs`.

    Raises:
        UsageError: a word is wanting, or an option does not go with the others.
        CallerError: the commands cannot be packed.
    """
    if not (mapper or reducer):
        if combiner or files or map_fields > 1 or partition_fields:
            raise click.UsageError("--combiner, --file and --stream-... belong to --mapper CMD or --reducer CMD")
        if len(words) < 2:
            raise click.UsageError(f"Missing argument '{'INPUT...' if words else 'PROGRAM'}'.")
        return {**job, "program": words[0], "inputs": words[1:]}
    if not words:
        raise click.UsageError("Missing argument 'INPUT...'.")
    if job["input_format"] not in LINE_FORMATS:
        raise click.UsageError(f"commands read lines; --input-format {job['input_format']} is for programs")
    if job["output_format"] not in (None, "text"):
        raise click.UsageError(f"commands write lines; --output-format {job['output_format']} is for programs")
    from ..jobs.streaming import pack_commands

    program = pack_commands(
        mapper,
        reducer,
        combiner,
        files=files,
        map_fields=map_fields,
        partition_fields=partition_fields,
        reducers=job["reducers"],
    )
    return {**job, "program": program, "inputs": words}
