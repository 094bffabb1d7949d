"""Play scripts on live peers, one command after another, while jobs run and put-off commands come due.

The player is one loop in one thread. Whoever else has something to tell, an application or the keyboard, puts it into
the inbox; whenever the script has nothing to do, the loop takes from there, and carries out what `AT` has put off.
"""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from queue import Empty, SimpleQueue
from typing import assert_never

from ...ring.errors import CallerError, MurmurationError
from ...scheduling.jobs import JobState
from ..language.commands import (
    After,
    At,
    AtProgress,
    Command,
    Immediate,
    Join,
    JoinJobs,
    Restart,
    Status,
    Submit,
    Wait,
    Worker,
)
from ..language.fields import NEWEST, TRACKER
from ..language.script import Line, Problem, Script
from ..masters.puppet import Liveliness
from .acts import Acts
from .applications import Application
from .journal import Journal
from .library import Library
from .sightings import see_joined
from .stage import Stage
from .traffic import Ledger, Traffic

TICK_S = 0.1
JOIN_PATIENCE_S = 60.0
"""Peers that do not all own keys in each other's eyes by then never will: `JOIN` is then an error of its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A line from the keyboard; None at its end."""

    text: str | None


Inbox = SimpleQueue[int | Typed]
"""Numbers of applications of which there is news, and what was typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A command that waits until a job has come so far."""

    job: int
    share: float
    line: Line
    command: Immediate


class Player:
    """Plays scripts on one stage, one after another, and counts what did not hold."""

    def __init__(self, stage: Stage, library: Library, journal: Journal) -> None:
        self.inbox: Inbox = SimpleQueue()
        self.problems: list[str] = []
        self._journal = journal
        self._stage = stage
        self._acts = Acts(stage, library, journal, self.inbox.put)
        self._orders = count()
        self._due: list[tuple[float, int, Line, Immediate]] = []
        self._pending: list[Pending] = []
        self._began = time.monotonic()
        self._told: dict[int, tuple[JobState, int]] = {}
        self._ledger = Ledger()
        self._sent_before: dict[int, Traffic] = {}
        self._sent_during: dict[int, Traffic] = {}
        self._typed: list[Typed] = []
        self._starters: dict[str, Line] = {}

    @property
    def applications(self) -> list[Application]:
        """The applications of all `SUBMIT`s, in their order."""
        return self._acts.applications

    def sent_during(self, number: int) -> Traffic:
        """Tell what all peers have sent from the `SUBMIT` of a job that has ended to its end."""
        return self._sent_during[number]

    @property
    def failures(self) -> list[str]:
        """What did not hold: assertions, and jobs that failed though no script had asserted that."""
        lost = [
            f"job {one.number} ({one.request.command.mapper}): {one.state.title}: {one.error or 'it has not ended'}"
            for one in self.applications
            if one.state is not JobState.DONE and one.number not in self._acts.excused
        ]
        return [*self._acts.failures, *lost]

    def play(self, script: Script, before_each: Callable[[Line], None] | None = None) -> None:
        """Play one script to its end, with what it has put off; its jobs may go on. Never raises for a command.

        `before_each` is called before each command, as by a person who goes step by step.
        """
        self._began = time.monotonic()
        for problem in script.problems:
            self.report(problem)
        for line in script.lines:
            if before_each is not None:
                before_each(line)
            self.play_line(line)
        self._pump(lambda: not self._due and not self._reachable() and self._all_up())
        for pending in self._pending:
            self._complain(pending.line, "its job ended, or was never submitted, before that moment")
        self._pending.clear()

    def play_line(self, line: Line) -> None:
        """Carry out one command, or note why it cannot be."""
        self._journal.note("command", line.text, line=line.number, text=line.text)
        try:
            self._do(line, line.command)
        except MurmurationError as error:
            self._complain(line, str(error))
        self._pump(lambda: True)

    def report(self, problem: Problem) -> None:
        """Note a line that could not be read."""
        self.problems.append(str(problem))
        self._journal.note("problem", str(problem), line=problem.number, text=problem.text, reason=problem.reason)

    def show_status(self) -> None:
        """Write a status report, as the command `STATUS` does.

        Raises:
            MurmurationError: it cannot be had.
        """
        self._acts.perform(0, "STATUS", Status(), time.monotonic() - self._began)

    def await_jobs(self) -> None:
        """Wait until all jobs have ended."""
        self._pump(lambda: all(one.number in self._sent_during for one in self.applications))

    def await_typed(self) -> str | None:
        """Wait for a line from the keyboard, while everything else goes on; None at the end of all lines."""
        self._pump(lambda: bool(self._typed))
        typed = self._typed[0]
        if typed.text is not None:
            self._typed.pop(0)
        return typed.text

    def _do(self, line: Line, command: Command) -> None:
        match command:
            case Wait(seconds=seconds):
                self._let_pass(seconds)
            case JoinJobs():
                self.await_jobs()
            case Join():
                self._join()
            case At(moment=moment, command=later):
                self._put_off(line, moment, later)
            case _:
                self._act(line, command)

    def _act(self, line: Line, command: Immediate) -> None:
        if isinstance(command, Submit):
            self._sent_before[len(self.applications) + 1] = self._ledger.note(self._stage.view())
        if isinstance(command, Worker | Restart):
            if command.id in self._starters:
                self._ledger.note(self._stage.view())  # the gate of a process that comes in another's place counts anew
            self._starters[command.id] = line
        self._acts.perform(line.number, line.text, command, time.monotonic() - self._began)

    def _put_off(self, line: Line, moment: After | AtProgress, command: Immediate) -> None:
        match moment:
            case After(seconds=seconds):
                heapq.heappush(self._due, (time.monotonic() + seconds, next(self._orders), line, command))
            case AtProgress(job=job, share=share):
                number = len(self.applications) if job == NEWEST else job
                if not number:
                    raise CallerError("no job was submitted yet")
                self._pending.append(Pending(job=number, share=share, line=line, command=command))
            case _:
                assert_never(moment)

    def _join(self) -> None:
        """Wait until all peers that run and are not frozen hold each other for alive, and have joined.

        Raises:
            CallerError: they do not find each other, or do not come to own keys, in time.
        """
        deadline = time.monotonic() + JOIN_PATIENCE_S
        self._pump(lambda: self._all_up() or time.monotonic() > deadline)
        while lonely := _lonely(see_joined(self._stage.awake())):
            if time.monotonic() > deadline:
                raise CallerError(f"within {JOIN_PATIENCE_S:g} s not all had joined in the eyes of {', '.join(lonely)}")
            self._let_pass(TICK_S)
        names = list(self._stage.awake())
        shown = f"    peer {names[0]} is alone" if len(names) == 1 else f"    {len(names)} peers know each other"
        self._journal.note("joined", shown, peers=names)

    def _all_up(self) -> bool:
        return Liveliness.STARTING not in self._stage.states().values()

    def _let_pass(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._pump(lambda: time.monotonic() >= until, until)

    def _pump(self, over: Callable[[], bool], until: float | None = None) -> None:
        """Take in news and carry out what comes due until it is over, and at least what is there already."""
        while True:
            self._take_in(wait=False)
            self._carry_out_due()
            if over():
                return
            self._take_in(wait=True, until=until)

    def _take_in(self, *, wait: bool, until: float | None = None) -> None:
        limits = [
            limit - time.monotonic() for limit in (until, *(due[0] for due in self._due[:1])) if limit is not None
        ]
        timeout = max(0.0, min([TICK_S, *limits]))
        try:
            news = self.inbox.get(timeout=timeout) if wait else self.inbox.get_nowait()
            while True:
                self._take(news)
                news = self.inbox.get_nowait()
        except Empty:
            return  # that is all there is

    def _take(self, news: int | Typed) -> None:
        if isinstance(news, Typed):
            self._typed.append(news)
            return
        application = self.applications[news - 1] if news <= len(self.applications) else None
        if application is not None:
            self._tell(application)

    def _tell(self, application: Application) -> None:
        """Tell of a job what has not been told yet: its state, and who took it over as its tracker."""
        number, state, status = application.number, application.state, application.status
        told_state, told_epoch = self._told.get(number, (None, 1))
        epoch = max(told_epoch, 0 if status is None else status.epoch)
        if status is not None and epoch > told_epoch:
            shown = f"job {number} is tracked by {status.tracker} (epoch {epoch})"
            self._journal.note("tracker", shown, job=number, tracker=status.tracker, epoch=epoch)
        self._told[number] = (state, epoch)
        if application.ended:
            self._conclude(application)
        elif state is not told_state and not state.ended:
            self._journal.note("job", f"job {number} is {state.title}", job=number, state=state.title)

    def _conclude(self, application: Application) -> None:
        number = application.number
        if number in self._sent_during:
            return
        self._sent_during[number] = self._ledger.note(self._stage.view()).since(self._sent_before[number])
        title, error = application.state.title, application.error
        shown = f"job {number} is {title} after {application.seconds:.2f} s" + (f": {error}" if error else "")
        self._journal.note("job", shown, job=number, state=title, error=error)

    def _carry_out_due(self) -> None:
        for name, reason in self._stage.failed_starts():
            self._complain(self._starters.get(name) or self._starters[TRACKER], reason)
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, line, command = heapq.heappop(self._due)
            self._perform_late(line, command)
        for pending in [pending for pending in self._pending if self._has_come(pending)]:
            self._pending.remove(pending)
            self._perform_late(pending.line, pending.command)

    def _perform_late(self, line: Line, command: Immediate) -> None:
        self._journal.note("due", f"due: {line.text}", line=line.number, text=line.text)
        try:
            self._act(line, command)
        except MurmurationError as error:
            self._complain(line, str(error))

    def _has_come(self, pending: Pending) -> bool:
        if pending.job > len(self.applications):
            return False
        application = self.applications[pending.job - 1]
        return not application.ended and application.status is not None and application.share >= pending.share

    def _reachable(self) -> list[Pending]:
        """List the pending commands whose jobs have not ended."""
        return [
            pending
            for pending in self._pending
            if pending.job <= len(self.applications) and not self.applications[pending.job - 1].ended
        ]

    def _complain(self, line: Line, reason: str) -> None:
        problem = f"line {line.number} ({line.text}): {reason}"
        self.problems.append(problem)
        self._journal.note("problem", f"    {reason}", line=line.number, text=line.text, reason=reason)


def _lonely(seen: dict[str, set[str]]) -> list[str]:
    return [peer for peer, others in seen.items() if not others >= seen.keys()]
