"""Take the options of Hadoop's Sort example as they are, so that its command lines can be used again."""

from typing import Final

import click

INPUT_CLASSES: Final = {"TextInputFormat": "text", "KeyValueTextInputFormat": "key-value"}
OUTPUT_CLASSES: Final = {"TextOutputFormat": "text"}


def read_input_class(ctx: click.Context, param: click.Parameter, word: str | None) -> str | None:
    """Take the name of a class, with or without its package, for the format of ours that reads the same."""
    return _format_of(ctx, param, word, INPUT_CLASSES)


def read_output_class(ctx: click.Context, param: click.Parameter, word: str | None) -> str | None:
    """Take the name of a class, with or without its package, for the format of ours that writes the same."""
    return _format_of(ctx, param, word, OUTPUT_CLASSES)


def _format_of(ctx: click.Context, param: click.Parameter, word: str | None, known: dict[str, str]) -> str | None:
    name = (word or "").rpartition(".")[2]
    if name.endswith("Format") and name not in known:
        raise click.BadParameter(f"there is no {name}; of Hadoop's there are {', '.join(known)}", ctx, param)
    return known.get(name, word)


hadoop_options = (
    click.option("-outKey", hidden=True, expose_value=False, metavar="CLASS"),
    click.option("-outValue", hidden=True, expose_value=False, metavar="CLASS"),
)
"""Those without a counterpart: keys and values have no declared classes in Python."""
