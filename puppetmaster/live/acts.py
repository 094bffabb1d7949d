"""Carry out the commands that hold up no script, each at once, on live peers."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any, assert_never

from ...ring.errors import CallerError
from ..faults import Damage
from ..language.commands import (
    Assert,
    Bandwidth,
    Clock,
    Cut,
    Delay,
    Disk,
    Duplicate,
    FreezeTracker,
    FreezeWorker,
    Heal,
    Immediate,
    Kill,
    Leave,
    Loss,
    OfLinks,
    OfProcess,
    OfStopped,
    Remove,
    Reorder,
    Restart,
    SlowWorker,
    Snapshot,
    Spoil,
    Status,
    Submit,
    Swap,
    UnfreezeTracker,
    UnfreezeWorker,
    Worker,
)
from ..language.conditions import JobIs
from ..language.fields import NEWEST, TRACKER
from .applications import Application, Request, newest_for
from .journal import Journal
from .library import Library
from .link_table import LinkFault
from .reports import status_document, write_status
from .screens import status_lines
from .sightings import look_everywhere
from .stage import Stage
from .verdicts import decide, find_application, tracker_of


class Acts:
    """The hands of the player: the stage, the applications, and what did not hold."""

    def __init__(self, stage: Stage, library: Library, journal: Journal, tell: Callable[[int], None]) -> None:
        """Take what is played on; `tell` gets the number of an application whenever it has news, in any thread."""
        self.stage = stage
        self.applications: list[Application] = []
        self.failures: list[str] = []
        self.excused: set[int] = set()
        """Jobs whose end in failure a script has asserted."""
        self._library = library
        self._journal = journal
        self._tell = tell
        self._reports = count(1)

    def perform(self, number: int, text: str, command: Immediate, script_s: float) -> None:
        """Carry out a command of line `number`, `script_s` seconds after its script began.

        Raises:
            MurmurationError: it cannot be carried out; the message says why.
        """
        match command:
            case Assert():
                self._assert(number, text, command, script_s)
            case Submit():
                self._submit(command)
            case Status():
                self._report()
            case Worker():
                self.stage.start(command)
            case Heal():
                self.stage.heal()
            case Cut() | Delay() | Loss() | Duplicate() | Reorder() | Bandwidth():
                self._fault_links(command)
            case Remove() | Restart() | Snapshot() | Spoil() | Swap():
                self._fault_stopped(command, self._peer(command.id))
            case _:
                self._fault_process(command, self._peer(command.id))

    def _fault_stopped(self, command: OfStopped, name: str) -> None:
        match command:
            case Remove():
                self.stage.remove(name)
            case Restart(empty=empty, old=old):
                self.stage.restart(name, empty=empty, old=old)
            case Snapshot():
                self.stage.snapshot(name)
            case Spoil(damage=damage, share=share):
                self._spoil(name, damage, share)
            case Swap(other=other):
                self.stage.swap(name, self._peer(other))
            case _:
                assert_never(command)

    def _spoil(self, name: str, damage: Damage, share: float) -> None:
        hit = self.stage.spoil(name, damage, share)
        shown = f"    {hit.count} files and rows of {name} are {damage.value}"
        self._journal.note("spoiled", shown, peer=name, damage=damage.value, count=hit.count, hit=hit.names)

    def _fault_process(self, command: OfProcess, name: str) -> None:
        match command:
            case Kill():
                self.stage.kill(name)
            case Leave():
                self.stage.leave(name)
            case FreezeWorker():
                self.stage.freeze(name)
            case UnfreezeWorker():
                self.stage.thaw(name)
            case FreezeTracker():
                self.stage.set_tracker(name, frozen=True)
            case UnfreezeTracker():
                self.stage.set_tracker(name, frozen=False)
            case SlowWorker(seconds=seconds):
                self.stage.slow(name, seconds)
            case Disk(state=state, delay_s=delay_s):
                self.stage.set_disk(name, state, delay_s)
            case Clock(offset_s=offset_s):
                self.stage.set_clock(name, offset_s)
            case _:
                assert_never(command)

    def _fault_links(self, command: OfLinks) -> None:
        named = command.links
        links = replace(
            named,
            senders=tuple(map(self._peer, named.senders)),
            receivers=tuple(map(self._peer, named.receivers)),
        )
        match command:
            case Cut():
                self.stage.add_link_fault(LinkFault(links=links, cut=True))
            case Delay(seconds=seconds):
                self.stage.add_link_fault(LinkFault(links=links, delay_s=seconds))
            case Loss(share=share):
                self.stage.add_link_fault(LinkFault(links=links, loss=share))
            case Duplicate(share=share):
                self.stage.add_link_fault(LinkFault(links=links, duplication=share))
            case Reorder(jitter_s=jitter_s):
                self.stage.add_link_fault(LinkFault(links=links, jitter_s=jitter_s))
            case Bandwidth(bytes_per_s=bytes_per_s):
                self.stage.add_link_fault(LinkFault(links=links, bytes_per_s=bytes_per_s))
            case _:
                assert_never(command)

    def _submit(self, command: Submit) -> None:
        """Start an application; what cannot be found here fails its job, and not the script."""
        request = Request(number=len(self.applications) + 1, command=command)
        try:
            request = replace(
                request,
                entries=self.stage.entries(command.entry),
                output=self._library.output(command.output),
                path=self._library.input(command.file),
                program=self._library.program(command.mapper, command.library),
            )
        except CallerError as error:
            request = replace(request, error=str(error))
        earlier = newest_for(self.applications, request.output) if request.output else None
        self.applications.append(Application(request, after=earlier, tell=self._tell))

    def _report(self) -> None:
        views = self.stage.view()
        sightings = look_everywhere(self.stage.awake())
        document = status_document(self._journal.now_s, views, sightings, self.applications)
        path = write_status(document, self._journal.directory, next(self._reports))
        self._journal.note("status", status_lines(document), report=str(path))

    def _assert(self, number: int, text: str, command: Assert, script_s: float) -> None:
        condition = command.condition
        urls = self.stage.awake()
        found = decide(condition, applications=self.applications, urls=urls, seconds=script_s)
        facts: dict[str, Any] = {"line": number, "text": text}
        if found:
            self.failures.append(f"line {number}: {text}: {found}")
            self._journal.note("assertion failed", f"    does not hold: {found}", **facts, found=found)
            return
        if isinstance(condition, JobIs):
            self.excused.add(find_application(condition.job, self.applications).number)
        self._journal.note("assertion held", "    holds", **facts)

    def _peer(self, name: str) -> str:
        """Find the peer that an id means; `@tracker` is whoever tracks the newest job now.

        Raises:
            CallerError: nobody tracks it.
        """
        if name != TRACKER:
            return name
        tracker = tracker_of(find_application(NEWEST, self.applications), self.stage.awake())
        if not tracker:
            raise CallerError("nobody tracks the newest job now, as far as any peer says")
        self._journal.note("tracker", f"    {TRACKER} is {tracker}", peer=tracker)
        return tracker
