"""Run the command line: find the command, and turn each error into one line and its exit code.

Commands are loaded when they are called, and what they need (sockets, the live view) when they need it: a tiny job must
not wait for imports.
"""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import FrameType
from typing import Final, NoReturn

import click

from ...ring.errors import MurmurationError
from ..printing import printable
from .exits import DONE, FAILED, INTERRUPTED, TERMINATED, WRONG_USE, Exit, code_of
from .options import examples

EXAMPLES: Final = examples(
    "murmur demo                                  see it survive two kills",
    "murmur run wordcount 'books/*.txt' -o -      no peer needed before or after",
    "murmur up --peers 3                          peers on this machine, Ctrl-C stops them",
    "murmur submit wordcount ring:/books -o counts",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a command lives, as `module:attribute`, and what the list of commands says of it."""

    place: str
    summary: str


COMMANDS: Final = {
    "up": Entry(place=".peers:up", summary="Run peers on this machine in the foreground."),
    "peer": Entry(place=".peer:peer", summary="Run one peer in the foreground."),
    "peers": Entry(place=".peers:peers", summary="List the peers and whether they are alive."),
    "ring": Entry(place=".peers:ring", summary="Show how copies are spread, or the homes of a key."),
    "leave": Entry(place=".moves:leave", summary="Have a peer hand over what it keeps and end."),
    "remove": Entry(place=".moves:remove", summary="Take a dead peer out for ever."),
    "replace": Entry(place=".moves:replace", summary="Have a new peer stand in for an old one."),
    "metrics": Entry(
        place=".metrics:metrics", summary="Show what each peer's mechanisms do, and what is on their disks."
    ),
    "kv": Entry(place=".kv:kv", summary="Put and get keys of the replicated store."),
    "fs": Entry(place=".fs:fs", summary="Store and fetch files in the ring."),
    "submit": Entry(place=".submit:submit", summary="Run a job on the cluster."),
    "run": Entry(place=".submit:run", summary="Run a job on a private cluster of this machine."),
    "jobs": Entry(place=".history:jobs", summary="List the jobs, and remove ended ones."),
    "status": Entry(place=".jobs:status", summary="Show one job."),
    "top": Entry(place=".jobs:top", summary="Watch a job live."),
    "attach": Entry(place=".jobs:attach", summary="Follow a job to its end; Ctrl-C asks: detach or kill."),
    "wait": Entry(place=".jobs:wait", summary="Wait for a job to end, and end as it did."),
    "kill": Entry(place=".jobs:kill", summary="Stop a job everywhere."),
    "logs": Entry(place=".logs:logs", summary="Show what user code has printed."),
    "debug": Entry(place=".debug:debug", summary="Run a split of a job again here, under pdb if it fails."),
    "puppet": Entry(place="...puppetmaster.cli:puppet", summary="Pull plugs: play scripts of jobs and faults."),
    "demo": Entry(place=".demo:demo", summary="Count words while two peers are killed."),
    "sim": Entry(place="...puppetmaster.sim:sim", summary="Play clusters in virtual time and check every promise."),
}


class Catalogue(click.Group):
    """A group that imports a command only when it is called or asked for help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Name the commands in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """Import a command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.place.partition(":")
        command = getattr(import_module(module, __package__), attribute)
        assert isinstance(command, click.Command), f"{entry.place} is no command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(cls=Catalogue, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="murmuration", prog_name="murmur", message="%(prog)s %(version)s")
def murmur() -> None:
    """MapReduce on a flock of equal peers: no head node, and any of them may be killed at any moment."""


def main() -> None:
    """Run the command line and end the process with its exit code; SIGTERM ends it too, but tidily."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run_command(sys.argv[1:]))


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    """Leave every block on the way out, so that nothing half written stays behind."""
    raise SystemExit(TERMINATED)


def run_command(words: Sequence[str]) -> int:
    """Run one command line and give its exit code; an error of ours that nobody foresaw is raised as it is."""
    try:
        return _invoke(words)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return WRONG_USE
    except click.UsageError as error:
        return _complain(_usage_hint(error), WRONG_USE)
    except click.ClickException as error:
        return _complain(error.format_message(), FAILED)
    except (click.Abort, KeyboardInterrupt):
        return _complain("interrupted", INTERRUPTED)
    except Exit as exit_:
        return _complain(str(exit_), exit_.code) if str(exit_) else exit_.code
    except MurmurationError as error:
        return _complain(str(error), code_of(error))
    except BrokenPipeError:
        return _reader_left()
    except OSError as error:
        return _complain(_spelt(error), FAILED)


def _invoke(words: Sequence[str]) -> int:
    code = murmur.main(args=list(words), prog_name="murmur", standalone_mode=False)
    sys.stdout.flush()  # here, where a reader that has left can still be told from a fault of ours
    return code if isinstance(code, int) else DONE


def _complain(text: str, code: int) -> int:
    lines = "\n".join(printable(line) for line in text.split("\n"))
    sys.stderr.write(f"murmur: {lines}\n")
    return code


def _usage_hint(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx is not None else "murmur"
    return f"{error.format_message()} (see `{command} --help`)"


def _spelt(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def _reader_left() -> int:
    """End quietly after `murmur ... | head`; Python would else complain when it flushes stdout at its own end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE
