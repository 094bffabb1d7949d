"""Let `murmur ring` take a key or a command: `ring KEY` shows that key's homes, `ring backup DIR` is a command."""

import click

SHOW = "show"


class RingGroup(click.Group):
    """A group whose command `show` may be left out; a key that is named as a command is asked for as `show KEY`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `show` before words that name no command."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [SHOW, *args]
        return super().parse_args(ctx, args)
