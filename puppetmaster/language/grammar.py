"""Read one command of a script from its words.

A keyword is one row of `FORMS`: how it is written, how many fields it has, and who reads them.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ...ring.errors import CallerError
from ...scheduling.jobs import SPLITS_MAX
from ..faults import Damage, DiskState
from .commands import (
    EVERYBODY_ELSE,
    After,
    Assert,
    At,
    AtProgress,
    Bandwidth,
    Clock,
    Command,
    Cut,
    Delay,
    Disk,
    Duplicate,
    FreezeTracker,
    FreezeWorker,
    Heal,
    Immediate,
    Join,
    JoinJobs,
    Kill,
    Leave,
    Links,
    Loss,
    Moment,
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
    Wait,
    Worker,
)
from .conditions import parse_condition
from .fields import (
    parse_id,
    parse_job,
    parse_number,
    parse_offset,
    parse_rate,
    parse_seconds,
    parse_share,
    parse_target,
)
from .places import Place, Role, parse_place

Fields = list[str]

LINE_CHARACTERS_MAX: Final = 8192
"""Longest line that is read: two paths of the greatest length are within it."""

_PLACEHOLDER: Final = re.compile(r"<[^<>]*>")
_ROUND_SIGNS: Final = re.compile(r" ?([|>,]) ?")
_LINKS: Final = re.compile(r"([^|>]+)([|>])([^|>]+)")


@dataclass(frozen=True, slots=True)
class Form:
    """How a command is written: its fields for people, how few and many there may be, and who reads them."""

    usage: str
    fields_min: int
    fields_max: int
    read: Callable[[Fields], Command]


def parse_command(text: str) -> Command:
    """Read a line that is neither blank nor a comment.

    Raises:
        CallerError: it is no command; the message says why.
    """
    if len(text) > LINE_CHARACTERS_MAX:
        raise CallerError(f"longer than {LINE_CHARACTERS_MAX} characters")
    return _parse_words(text.split())


def _parse_words(words: Fields) -> Command:
    keyword, fields = words[0].upper(), words[1:]
    form = FORMS.get(keyword)
    if form is None:
        raise CallerError(f"no such command{_suggestion(keyword)}")
    for field in fields:
        _check_field(field)
    if not form.fields_min <= len(fields) <= form.fields_max:
        raise CallerError(f"{_count(len(fields))}; write {keyword} {form.usage}".rstrip())
    return form.read(fields)


def _suggestion(keyword: str) -> str:
    near = difflib.get_close_matches(keyword, FORMS, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else ""


def _count(fields: int) -> str:
    return "one field" if fields == 1 else f"{fields} fields"


def _check_field(field: str) -> None:
    if not field.isprintable():
        raise CallerError(f"{field!r} holds a character that cannot be printed")
    if _PLACEHOLDER.fullmatch(field):
        raise CallerError(f"{field} stands for something that was not filled in")


def _read_worker(fields: Fields) -> Worker:
    name, places = parse_id(fields[0]), [parse_place(field) for field in fields[1:]]
    if places[0].role is not Role.WORKER:
        return _worker(name, places[0], places[1:])
    if len(places) == 3:
        raise CallerError(f"{fields[1]} is a worker's address where a puppet master's should stand")
    if len(places) == 2 and places[1].role is Role.PUPPET_MASTER:
        raise CallerError("the puppet master's address stands before the worker's; swap them")
    return _worker(name, None, places)


def _worker(name: str, puppet_master: Place | None, places: list[Place]) -> Worker:
    if not places:
        raise CallerError(f"{puppet_master} is no worker's address, and no other is given")
    return Worker(
        id=name, puppet_master=puppet_master, service=places[0], entry=places[1] if len(places) == 2 else None
    )


def _read_submit(fields: Fields) -> Submit:
    return Submit(
        entry=parse_place(fields[0]),
        file=fields[1],
        output=fields[2],
        splits=parse_number(fields[3], least=1, most=SPLITS_MAX),
        mapper=fields[4],
        library=fields[5] if len(fields) == 6 else None,
    )


def _read_restart(fields: Fields) -> Restart:
    how = fields[1].lower() if len(fields) == 2 else ""
    if how not in {"", "empty", "old"}:
        raise CallerError(f"{fields[1]!r} is not how to restart; write RESTART ID, RESTART ID empty or RESTART ID old")
    return Restart(id=parse_target(fields[0]), empty=how == "empty", old=how == "old")


def _read_spoil(fields: Fields) -> Spoil:
    damages = {damage.value: damage for damage in Damage}
    if fields[1].lower() not in damages:
        raise CallerError(f"{fields[1]!r} is no damage; write flipped, short, torn or missing")
    share = parse_share(fields[2]) if len(fields) == 3 else 1.0
    return Spoil(id=parse_target(fields[0]), damage=damages[fields[1].lower()], share=share)


def _read_swap(fields: Fields) -> Swap:
    one, other = map(parse_target, fields)
    if one == other:
        raise CallerError(f"{one} cannot be swapped with itself; write SWAP A B")
    return Swap(id=one, other=other)


def _read_disk(fields: Fields) -> Disk:
    states = {state.value: state for state in DiskState}
    word = fields[1].lower()
    if word == "slow" and len(fields) == 3:
        return Disk(id=parse_target(fields[0]), state=DiskState.OK, delay_s=parse_seconds(fields[2]))
    if word not in states or len(fields) == 3:
        raise CallerError(
            f"{' '.join(fields[1:])!r} is nothing that a disk can be; write full, readonly, broken, ok or slow TIME"
        )
    return Disk(id=parse_target(fields[0]), state=states[word])


def _read_at(fields: Fields) -> At:
    moment, words = _moment(fields)
    command = _parse_words(words)
    if not isinstance(command, Immediate):
        raise CallerError(f"{words[0].upper()} holds up the script, so AT cannot put it off")
    return At(moment=moment, command=command)


def _moment(fields: Fields) -> tuple[Moment, Fields]:
    match [field.upper() for field in fields]:
        case [share, "OF", "JOB", job, _, *_]:
            return AtProgress(job=parse_job(job), share=parse_share(share)), fields[4:]
        case [share, "OF", job, _, *_]:
            return AtProgress(job=parse_job(job), share=parse_share(share)), fields[3:]
        case _:
            return After(seconds=parse_seconds(fields[0])), fields[1:]


def _links(fields: Fields) -> Links:
    """Read `A>B`; blanks round its signs, which have cut it into several fields, do not matter."""
    text = _ROUND_SIGNS.sub(r"\1", " ".join(fields))
    match = _LINKS.fullmatch(text)
    if match is None:
        raise CallerError(f"{text!r} names no links; write A|B for both ways or A>B for one")
    senders, receivers = _side(match[1]), _side(match[3])
    if set(senders) & set(receivers):
        raise CallerError(f"{text!r} names a link from a peer to itself")
    return Links(senders=senders, receivers=receivers, both_ways=match[2] == "|")


def _side(text: str) -> tuple[str, ...]:
    return (EVERYBODY_ELSE,) if text == EVERYBODY_ELSE else tuple(dict.fromkeys(map(parse_target, text.split(","))))


_LINK_FIELDS_MAX: Final = 64

FORMS: Final[dict[str, Form]] = {
    "WORKER": Form("ID PUPPETMASTER-URL SERVICE-URL [ENTRY-URL]", 2, 4, _read_worker),
    "SUBMIT": Form("ENTRY-URL FILE OUTPUT S MAP [DLL]", 5, 6, _read_submit),
    "WAIT": Form("SECS", 1, 1, lambda fields: Wait(seconds=parse_seconds(fields[0]))),
    "STATUS": Form("", 0, 0, lambda _: Status()),
    "SLOWW": Form(
        "ID SECS", 2, 2, lambda fields: SlowWorker(id=parse_target(fields[0]), seconds=parse_seconds(fields[1]))
    ),
    "FREEZEW": Form("ID", 1, 1, lambda fields: FreezeWorker(id=parse_target(fields[0]))),
    "UNFREEZEW": Form("ID", 1, 1, lambda fields: UnfreezeWorker(id=parse_target(fields[0]))),
    "FREEZEC": Form("ID", 1, 1, lambda fields: FreezeTracker(id=parse_target(fields[0]))),
    "UNFREEZEC": Form("ID", 1, 1, lambda fields: UnfreezeTracker(id=parse_target(fields[0]))),
    "KILL": Form("ID", 1, 1, lambda fields: Kill(id=parse_target(fields[0]))),
    "RESTART": Form("ID [empty|old]", 1, 2, _read_restart),
    "REMOVE": Form("ID", 1, 1, lambda fields: Remove(id=parse_target(fields[0]))),
    "SNAPSHOT": Form("ID", 1, 1, lambda fields: Snapshot(id=parse_target(fields[0]))),
    "SPOIL": Form("ID flipped|short|torn|missing [PERCENT]", 2, 3, _read_spoil),
    "SWAP": Form("A B", 2, 2, _read_swap),
    "CLOCK": Form(
        "ID OFFSET", 2, 2, lambda fields: Clock(id=parse_target(fields[0]), offset_s=parse_offset(fields[1]))
    ),
    "CUT": Form("A|B or CUT A>B", 1, _LINK_FIELDS_MAX, lambda fields: Cut(links=_links(fields))),
    "HEAL": Form("", 0, 0, lambda _: Heal()),
    "DELAY": Form(
        "A>B TIME",
        2,
        _LINK_FIELDS_MAX,
        lambda fields: Delay(links=_links(fields[:-1]), seconds=parse_seconds(fields[-1])),
    ),
    "LOSS": Form(
        "A>B PERCENT",
        2,
        _LINK_FIELDS_MAX,
        lambda fields: Loss(links=_links(fields[:-1]), share=parse_share(fields[-1])),
    ),
    "DUPLICATE": Form(
        "A>B PERCENT",
        2,
        _LINK_FIELDS_MAX,
        lambda fields: Duplicate(links=_links(fields[:-1]), share=parse_share(fields[-1])),
    ),
    "REORDER": Form(
        "A>B TIME",
        2,
        _LINK_FIELDS_MAX,
        lambda fields: Reorder(links=_links(fields[:-1]), jitter_s=parse_seconds(fields[-1])),
    ),
    "BANDWIDTH": Form(
        "A>B RATE",
        2,
        _LINK_FIELDS_MAX,
        lambda fields: Bandwidth(links=_links(fields[:-1]), bytes_per_s=parse_rate(fields[-1])),
    ),
    "DISK": Form("ID full|readonly|broken|ok or DISK ID slow TIME", 2, 3, _read_disk),
    "LEAVE": Form("ID", 1, 1, lambda fields: Leave(id=parse_target(fields[0]))),
    "JOIN": Form("with no fields: it waits, and WORKER with an ENTRY-URL joins", 0, 0, lambda _: Join()),
    "JOIN-JOBS": Form("", 0, 0, lambda _: JoinJobs()),
    "ASSERT": Form("CONDITION", 1, 8, lambda fields: Assert(condition=parse_condition(" ".join(fields)))),
    "AT": Form("TIME COMMAND or AT PERCENT of JOB N COMMAND", 2, 128, _read_at),
}
