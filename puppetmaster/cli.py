"""Be the command line of the puppet master: `murmur puppet run`, `shell`, `serve` and `report`."""

import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

import click

from ..client.commands.documents import print_json
from ..client.commands.exits import FAILED, Exit
from ..client.commands.options import examples, json_option
from ..client.printing import printable
from ..ring.errors import CallerError
from .language.grammar import FORMS
from .language.places import HostMap, Place, parse_host_map, parse_place
from .language.script import Line, Problem, Script, parse_line, parse_script, without_faults
from .live.figures import figures_table
from .live.library import find_script, scenario_names
from .live.player import Player, Typed
from .live.session import Session, SessionSettings

F = TypeVar("F", bound=Callable[..., Any])

NOTHING: Final[Mapping[int, float]] = MappingProxyType({})


def _hosts(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> HostMap:
    try:
        return parse_host_map(words)
    except CallerError as error:
        raise click.BadParameter(str(error), ctx, param) from error


_file = click.Path(path_type=Path, exists=True, dir_okay=False)
_directory = click.Path(path_type=Path, exists=True, file_okay=False)


def session_options(command: F) -> F:
    """Add the options of whatever plays commands."""
    for option in reversed(
        (
            click.option("--files", multiple=True, type=_directory, metavar="DIR", help="Where input files are found."),
            click.option("--mappers", multiple=True, type=_file, metavar="FILE.py", help="Where mappers are found."),
            click.option(
                "--map-host", "hosts", multiple=True, callback=_hosts, metavar="NAME=ADDR", help="Where a host is."
            ),
            click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Slots a peer."),
            click.option(
                "--out",
                type=click.Path(path_type=Path, file_okay=False),
                default="puppet-out",
                show_default=True,
                metavar="DIR",
                help="Outputs, STATUS reports and the event log.",
            ),
            json_option,
        )
    ):
        command = option(command)
    return command


@click.group()
def puppet() -> None:
    """Start peers, run jobs on them and pull the plugs, as a script says."""


@puppet.command(
    epilog=examples(
        "murmur puppet run tracker-cascade",
        "murmur puppet run script.txt --files data/ --mappers mappers.py",
        "murmur puppet run first.txt second.txt --step",
        "murmur puppet run script.txt --compare",
    )
)
@click.argument("scripts", nargs=-1, required=True, metavar="SCRIPT...")
@click.option("--step", is_flag=True, help="Wait for Enter before each command.")
@click.option("--compare", is_flag=True, help="Play all without the faults first, and compare the times.")
@session_options
def run(*, scripts: tuple[str, ...], step: bool, compare: bool, hosts: HostMap, as_json: bool, **settings: Any) -> None:
    """Play the SCRIPTs one after another on the same peers; end with 0 only if jobs and assertions held.

    SCRIPT is a file, or the name of a shipped scenario; `murmur puppet scenarios` lists those.
    """
    paths = [find_script(word) for word in scripts]
    read = [(path, parse_script(path.read_bytes(), hosts=hosts)) for path in paths]
    beside = [path.parent for path in paths]
    plain = _seconds_without_faults(settings, beside, [script for _, script in read]) if compare else {}
    with _session(settings, beside) as session:
        before_each = _stepping(session.player) if step else None
        for path, script in read:
            session.journal.note("script", f"{path}:" if len(paths) > 1 else "", script=str(path))
            session.player.play(script, before_each)
        _conclude(session, as_json=as_json, seconds_without_faults=plain)


@puppet.command(epilog=examples("murmur puppet shell --files data/"))
@session_options
def shell(*, hosts: HostMap, as_json: bool, **settings: Any) -> None:
    """Play commands as they are typed, until EXIT or the end of input; then wait for the jobs. HELP lists them."""
    with _session(settings, [Path.cwd()]) as session:
        player = session.player
        _listen_to_keyboard(player)
        number = 0
        while True:
            _prompt("puppet> ")
            text = player.await_typed()
            if text is None or text.strip().lower() in {"exit", "quit"}:
                break
            if text.strip().lower() == "help":
                _say("\n".join(_commands()))
                continue
            number += 1
            match parse_line(text, number=number, hosts=hosts):
                case Line() as line:
                    player.play_line(line)
                case Problem() as problem:
                    player.report(problem)
                case None:
                    continue
        _conclude(session, as_json=as_json)


@puppet.command()
@json_option
def language(*, as_json: bool) -> None:
    """List the commands that a script can hold, one a line, with their fields; % begins a comment."""
    if as_json:
        print_json([{"command": keyword, "fields": form.usage} for keyword, form in FORMS.items()])
        return
    for line in _commands():
        click.echo(line)


def _commands() -> list[str]:
    return [f"{keyword} {form.usage}".rstrip() for keyword, form in FORMS.items()]


@puppet.command()
@click.option("--listen", default="tcp://127.0.0.1:20001", show_default=True, metavar="URL", help="Loopback only.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Slots of each peer.")
def serve(*, listen: str, workers: int) -> None:
    """Be the puppet master of this machine for scripts that run elsewhere, until SIGTERM or Ctrl-C."""
    from .masters.serving import serve as serve_forever  # late: only this command needs an event loop

    serve_forever(listen, workers)


@puppet.command()
@json_option
def scenarios(*, as_json: bool) -> None:
    """List the scripts that are shipped, each with why it is there."""
    told = {name: _first_comment(find_script(name)) for name in scenario_names()}
    if as_json:
        print_json([{"name": name, "why": why} for name, why in told.items()])
        return
    for name, why in told.items():
        click.echo(f"{name:<24} {why}")


def _places(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> tuple[Place, ...]:
    try:
        return tuple(map(parse_place, words))
    except CallerError as error:
        raise click.BadParameter(str(error), ctx, param) from error


@puppet.command(
    epilog=examples(
        "murmur puppet report",
        "murmur puppet report --peers 5 --rounds 3 --json",
        "murmur puppet report --master tcp://localhost:20001/PM --master tcp://localhost:20002/PM",
    )
)
@click.option("--peers", type=click.IntRange(3, 64), default=9, show_default=True, help="Number of peers.")
@click.option("--rounds", type=click.IntRange(1, 100), default=1, show_default=True, help="Report medians of so many.")
@click.option(
    "--splits-per-peer",
    type=click.IntRange(2, 1000),
    default=10,
    show_default=True,
    help="Length of the job: a second for each.",
)
@click.option(
    "--master",
    "masters",
    multiple=True,
    callback=_places,
    metavar="URL",
    help="Have `murmur puppet serve` there start the peers, in turn if there are several; else this process does.",
)
@json_option
def report(*, as_json: bool, **wanted: Any) -> None:
    """Run one job without a fault and with each of several, on your own machines, and compare the times.

    It says at the beginning about how long that takes.
    """
    from .live.ratios import Measurement, measure_all, ratio_table

    _end_on_sigterm()
    measured = measure_all(Measurement(**wanted), _say)
    if as_json:
        print_json(measured)
    else:
        click.echo(ratio_table(measured), nl=False)
    if not all(case["ok"] for case in measured["cases"] if case["available"]):
        raise Exit(FAILED, "not every job gave the sequential answer")


def _session(settings: dict[str, Any], beside: list[Path]) -> Session:
    """Begin a session; inputs are looked for beside the scripts, too."""
    _end_on_sigterm()
    return Session(SessionSettings(beside=tuple(dict.fromkeys(beside)), **settings), _say)


def _end_on_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the peers are ended then too


def _seconds_without_faults(
    settings: dict[str, Any], beside: list[Path], scripts: Sequence[Script]
) -> dict[int, float]:
    """Play scripts without their faults, on peers of their own, and give the times of the jobs that were done."""
    _say("without faults, to compare:")
    with _session({**settings, "out": settings["out"] / "without-faults"}, beside) as session:
        for script in scripts:
            session.player.play(without_faults(script))
        jobs = session.finish()["jobs"]
    _say("and now with them:")
    return {job["number"]: job["seconds"] for job in jobs if job["state"] == "done"}


def _conclude(session: Session, *, as_json: bool, seconds_without_faults: Mapping[int, float] = NOTHING) -> None:
    summary = session.finish(seconds_without_faults)
    if as_json:
        print_json(summary)
    elif summary["jobs"]:
        click.echo(figures_table(summary), nl=False)
    for text in (*summary["problems"], *summary["failures"]):
        click.echo(f"! {printable(text.splitlines()[0])}", err=True)  # the whole of it was shown when it happened
    done = sum(job["state"] == "done" for job in summary["jobs"])
    _say(f"{done} of {len(summary['jobs'])} jobs done in {summary['seconds']:.1f} s; log: {session.journal.directory}")
    if not summary["ok"]:
        raise Exit(
            FAILED, _counted(len(summary["problems"]), "problem") + ", " + _counted(len(summary["failures"]), "failure")
        )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _stepping(player: Player) -> Callable[[Line], None]:
    _listen_to_keyboard(player)

    def before_each(line: Line) -> None:
        _prompt(f"{line.number}: {printable(line.text)}  [Enter] ")
        player.await_typed()

    return before_each


def _listen_to_keyboard(player: Player) -> None:
    """Put what is typed into the player's inbox."""

    def listen() -> None:
        for text in sys.stdin:
            player.inbox.put(Typed(text=text))
        player.inbox.put(Typed(text=None))

    threading.Thread(target=listen, name="keyboard", daemon=True).start()


def _prompt(text: str) -> None:
    click.echo(text, err=True, nl=False)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _first_comment(path: Path) -> str:
    line = path.read_text(encoding="utf-8").splitlines()[0]
    return line.lstrip("% ")
