"""Let a group of commands be called without naming one: then its usual command is meant."""

import click


class UsualGroup(click.Group):
    """A group whose usual command may be left out; what is named as a command is meant as one."""

    usual = ""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the usual command before words that name none."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [self.usual, *args]
        return super().parse_args(ctx, args)


class RingGroup(UsualGroup):
    """`ring KEY` shows that key's homes, `ring backup DIR` is a command; a key named so is asked for by `show KEY`."""

    usual = "show"


class JobsGroup(UsualGroup):
    """`jobs` lists, `jobs rm JOB` is a command."""

    usual = "list"
