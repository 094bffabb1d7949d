"""Run one command beside an attempt: lines go to its standard input, lines come from its standard output.

One loop waits for all three pipes and for the command's end at once, so no order in which a command reads and writes
can block it and us for ever: it may write before it reads, close its input early as `head` does, or flood its standard
error. It has ended when its process has; what a process that it left behind still writes is not waited for.

A command is split into words as a shell would, and started without one. Only if it has, outside quotes, a character
that a shell would act on (one of `| & ; < > ( ) $ * ? [ ~ #`, a backquote or a newline, or within double quotes `$` or
a backquote), or begins with `NAME=value`, it is run by `/bin/sh -c`.
"""

import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from ..faults.wording import UserFault, fault
from ..hosting.family import descendants
from ..leftovers import end_with_attempt, forget
from .reporting import StderrReport

PIPE_BYTES = 1 << 16
"""How much is written or read at once, and how much input is gathered before the command is given it."""

QUOTED = re.compile(r"""'[^']*'|\\.|"(?:[^"\\$`]|\\.)*\"""", re.DOTALL)
FOR_A_SHELL = re.compile(r"[|&;<>()$`*?\[~#\n]|^\s*\w+=")

NOT_FOUND = "ship it with --file, or name a program that every peer has"


class ShippedFile(Struct, frozen=True, array_like=True):
    """A file that travels with the job into the working directory of its commands; `mode` are its permissions."""

    name: str
    mode: int
    body: bytes


def arguments_of(text: str) -> list[str]:
    """Give what to execute for a command.

    Raises `ValueError` if there is nothing in it, or a quote in it is not closed.
    """
    words = shlex.split(text)
    if not words:
        raise ValueError("the command is empty")
    return ["/bin/sh", "-c", text] if FOR_A_SHELL.search(QUOTED.sub("_", text)) else words


class Command:
    """A command under way, in a fresh working directory that holds the shipped files and comes first in its PATH."""

    def __init__(
        self, role: str, text: str, *, files: Sequence[ShippedFile], variables: Mapping[str, str], report: StderrReport
    ) -> None:
        """Start it; raises `UserFault` if it cannot be started. `role` names it in errors."""
        self._title = f"the {role} {text!r:.200}"
        self._report = report
        self._directory = _furnished(files)
        self._outbox = bytearray()
        self._line = bytearray()
        self._lines: list[bytes] = []
        self._over = self._fed = False
        try:
            self._process = subprocess.Popen(
                arguments_of(text),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=self._directory,
                env=_environment(self._directory, variables),
            )
        except OSError as error:
            shutil.rmtree(self._directory)
            raise fault("CommandFailed", f"{self._title} cannot be started: {error}", hint=NOT_FOUND) from error
        self._watch()
        end_with_attempt(self, self.kill)

    def _watch(self) -> None:
        process = self._process
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self._input, self._output, self._errors = (
            pipe.fileno() for pipe in (process.stdin, process.stdout, process.stderr)
        )
        for pipe in (self._input, self._output, self._errors):
            os.set_blocking(pipe, False)
        self._end = os.pidfd_open(process.pid)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._input, selectors.EVENT_WRITE, self._write)
        self._selector.register(self._output, selectors.EVENT_READ, self._read_output)
        self._selector.register(self._errors, selectors.EVENT_READ, self._read_errors)
        self._selector.register(self._end, selectors.EVENT_READ, self._note_end)

    def feed(self, line: bytes) -> list[bytes]:
        """Give it a line, which a command that reads no more does not get; take the lines that have come of it so far.

        Raises `UserFault` if it has ended with an error.
        """
        self._outbox += line
        self._outbox += b"\n"
        while len(self._outbox) >= PIPE_BYTES and not self._fed:
            self._exchange()
        if self._fed:
            self._outbox.clear()
        if self._over:
            self._check()
        return self._taken()

    def finish(self) -> Iterator[bytes]:
        """Tell it that this was all, and take its lines until it ends.

        Raises `UserFault` if it ends with an error.
        """
        if not self._outbox:
            self._close_input()
        while not self._over:
            self._exchange(closing=True)
            yield from self._taken()
        self._check()
        yield from self._taken()
        self._let_go()

    def kill(self) -> None:
        """End it at once, with its children, and let go of it."""
        if not self._over:
            for process in (self._process.pid, *descendants(self._process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self._process.wait()
        self._let_go()

    def _exchange(self, *, closing: bool = False) -> None:
        """Wait until something can be read or written, and do it."""
        for key, _ in self._selector.select():
            key.data()
        if closing and not self._outbox:
            self._close_input()

    def _write(self) -> None:
        if self._fed:
            return  # its end was noted in the same breath
        try:
            sent = os.write(self._input, memoryview(self._outbox)[:PIPE_BYTES])
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._outbox.clear()
            self._close_input()
        else:
            del self._outbox[:sent]

    def _close_input(self) -> None:
        if not self._fed:
            self._fed = True
            self._selector.unregister(self._input)
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _read_output(self) -> bool:
        """Take what has been written, and tell whether there may be more."""
        piece = self._read(self._output)
        if b"\n" in piece:
            *lines, rest = (bytes(self._line) + piece).split(b"\n")
            self._lines += lines
            self._line = bytearray(rest)
        else:
            self._line += piece
        return bool(piece)

    def _read_errors(self) -> bool:
        piece = self._read(self._errors)
        self._report.feed(piece)
        return bool(piece)

    def _read(self, pipe: int) -> bytes:
        try:
            piece = os.read(pipe, PIPE_BYTES)
        except BlockingIOError:
            return b""
        if not piece and pipe in self._selector.get_map():
            self._selector.unregister(pipe)
        return piece

    def _note_end(self) -> None:
        """Take what the pipes still hold; a last line may lack its newline."""
        self._over = True
        self._process.wait()
        self._close_input()
        while self._read_output():
            pass
        while self._read_errors():
            pass
        self._report.finish()
        if self._line:
            self._lines.append(bytes(self._line))

    def _taken(self) -> list[bytes]:
        lines, self._lines = self._lines, []
        return lines

    def _check(self) -> None:
        code = self._process.returncode
        if code:
            self._let_go()
            raise self._failure(code)

    def _failure(self, code: int) -> UserFault:
        ended = f"ended with code {code}" if code > 0 else f"was killed by {_signal_name(-code)} (signal {-code})"
        last = self._report.last_lines()
        said = f"; its last lines on stderr:\n{last}" if last else "; it wrote nothing to stderr"
        return fault("CommandFailed", f"{self._title} {ended}{said}", file=self._report.context.file)

    def _let_go(self) -> None:
        forget(self)
        self._selector.close()
        os.close(self._end)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def _furnished(files: Sequence[ShippedFile]) -> str:
    """Make a working directory; it lies in the executor's own, which goes with it."""
    directory = tempfile.mkdtemp(prefix="command-")
    for file in files:
        path = Path(directory) / file.name
        path.write_bytes(file.body)
        path.chmod(file.mode)
    return directory


def _environment(directory: str, variables: Mapping[str, str]) -> dict[str, str]:
    path = os.environ.get("PATH", os.defpath)
    return {**os.environ, "PATH": f"{directory}{os.pathsep}{path}", **variables}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "an unnamed signal"
