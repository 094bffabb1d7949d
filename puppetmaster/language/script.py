"""Read a script whole: every line becomes a command, a silence or a problem, and none can stop the others.

Scripts come from many hands and machines, so reading is as tolerant as it can be without guessing: byte order marks,
the line ends of three systems, blanks anywhere, any case of keywords. What is left is reported with its line number
and skipped; a script with problems still runs, and its exit code tells.
"""

import codecs
import re
from dataclasses import dataclass, replace
from typing import Final

from ...ring.errors import CallerError
from .commands import At, Command, Immediate, Join, JoinJobs, Submit, Wait, Worker
from .grammar import parse_command
from .places import HostMap, Place

TEXT_SHOWN_MAX: Final = 200
"""Characters of a line that a problem shows."""

COMMENT: Final = "%"

_LINE_END: Final = re.compile("\r\n|\n|\r")
_BYTE_ORDER_MARK: Final = "\ufeff"
_WIDE_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A command and where it stands: the number of its line, counted from 1, and its words as written."""

    number: int
    text: str
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A line that is skipped, and why; `reason` can be printed, `text` is as written."""

    number: int
    text: str
    reason: str

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= TEXT_SHOWN_MAX else f"{self.text[:TEXT_SHOWN_MAX]}..."
        return f"line {self.number} skipped: {self.reason} ({shown!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a script says, in its order, and what of it could not be read."""

    lines: tuple[Line, ...]
    problems: tuple[Problem, ...]

    @property
    def puppet_masters(self) -> tuple[Place, ...]:
        """Name every puppet master that the script speaks to, each address once, in order of appearance."""
        found: dict[str, Place] = {}
        for line in self.lines:
            command = line.command.command if isinstance(line.command, At) else line.command
            if isinstance(command, Worker) and command.puppet_master is not None:
                found.setdefault(command.puppet_master.endpoint, command.puppet_master)
        return tuple(found.values())


def parse_script(content: bytes, *, hosts: HostMap | None = None) -> Script:
    """Read all lines of a script; hosts of its addresses are replaced as `hosts` says. Never raises."""
    lines, problems = [], []
    for number, text in enumerate(split_lines(content), start=1):
        match parse_line(text, number=number, hosts=hosts):
            case Line() as line:
                lines.append(line)
            case Problem() as problem:
                problems.append(problem)
            case None:
                pass
    return Script(lines=tuple(lines), problems=tuple(problems))


def without_faults(script: Script) -> Script:
    """Leave the peers, the jobs and the waiting of a script: what tells how long its jobs take if nothing happens.

    A second `WORKER` of an id would start a peer again that was ended, so it goes too.
    """
    started: set[str] = set()
    lines = []
    for line in script.lines:
        command = line.command.command if isinstance(line.command, At) else line.command
        if not isinstance(command, Worker | Submit | Wait | Join | JoinJobs):
            continue
        if isinstance(command, Worker):
            if command.id in started:
                continue
            started.add(command.id)
        lines.append(line)
    return Script(lines=tuple(lines), problems=())


def parse_line(text: str, *, number: int = 1, hosts: HostMap | None = None) -> Line | Problem | None:
    """Read one line; None is a blank one or a comment. Never raises."""
    words = text.strip()
    if not words or words.startswith(COMMENT):
        return None
    try:
        command = parse_command(words)
    except CallerError as error:
        return Problem(number=number, text=words, reason=str(error))
    return Line(number=number, text=words, command=_mapped(command, hosts or {}))


def split_lines(content: bytes) -> list[str]:
    """Cut a script at LF, CRLF and CR, without the byte order marks, which pasting files together spreads about."""
    lines = _LINE_END.split(_decode(content))
    return [line.replace(_BYTE_ORDER_MARK, "") for line in lines]


def _decode(content: bytes) -> str:
    """Read UTF-8, or what old Windows editors wrote: UTF-16 with its mark, else code page 1252."""
    if content.startswith(_WIDE_MARKS):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _mapped(command: Command, hosts: HostMap) -> Command:
    match command:
        case At(command=later):
            return replace(command, command=_mapped_now(later, hosts))
        case Wait() | Join() | JoinJobs():
            return command
        case _:
            return _mapped_now(command, hosts)


def _mapped_now(command: Immediate, hosts: HostMap) -> Immediate:
    match command:
        case Worker(puppet_master=puppet_master, service=service, entry=entry):
            return replace(
                command,
                puppet_master=None if puppet_master is None else puppet_master.mapped(hosts),
                service=service.mapped(hosts),
                entry=None if entry is None else entry.mapped(hosts),
            )
        case Submit(entry=entry):
            return replace(command, entry=entry.mapped(hosts))
        case _:
            return command
