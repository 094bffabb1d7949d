"""Name the commands of a script, as values: those of PADIMapNoReduce, and those beyond it.

An `id` is the name under which `WORKER` started a peer, or `TRACKER` of `fields`: whoever tracks the newest job at that
moment. Control commands reach frozen peers too; a fault on a peer that is not there is an error of that line, and the
script goes on.
"""

from dataclasses import dataclass
from typing import Final

from ..faults import Damage, DiskState
from .conditions import Condition
from .places import Place

EVERYBODY_ELSE: Final = "*"
"""Stands alone for the ids of one side of a link: all peers that are not on the other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """`WORKER ID [PM-URL] SERVICE-URL [ENTRY-URL]`: have a puppet master start a peer at `service`.

    Without `puppet_master` it is this machine's. A living peer of that id makes this an error; one that died is
    started again. The entry may have been started a moment ago, so joining tries again until it answers.
    """

    id: str
    puppet_master: Place | None
    service: Place
    entry: Place | None

    @property
    def joins_through(self) -> Place | None:
        """Name the peer to join through; an entry equal to the own address means that this is the first peer."""
        return None if self.entry is None or self.entry.is_same(self.service) else self.entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """`SUBMIT ENTRY-URL FILE OUTPUT S MAP [DLL]`: start an application that submits a job at `entry`; do not wait.

    `file`, `output`, `mapper` and `library` are as written: `lookups` finds what they mean here. Two jobs into one
    output directory run one after the other. A file or class that is not there fails the job, not the script.
    """

    entry: Place
    file: str
    output: str
    splits: int
    mapper: str
    library: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """`WAIT SECS`: let that many seconds pass before the next line; jobs and `AT` go on."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`STATUS`: show of every peer and job what is known; a frozen peer is shown as such, and is not waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowWorker:
    """`SLOWW ID SECS`: pause the peer's maps once for that many seconds, splits in progress included; two add up."""

    id: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeWorker:
    """`FREEZEW ID`: no message in either direction, and no computing; connections and state are kept."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfreezeWorker:
    """`UNFREEZEW ID`: go on where the freeze struck, as a zombie that still tries to deliver."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeTracker:
    """`FREEZEC ID`: silence the tracker role of that peer, now or when the role comes to it; its maps go on."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfreezeTracker:
    """`UNFREEZEC ID`: undo `FREEZEC`."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """`KILL ID`: end the peer's process at once, as by SIGKILL."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """`REMOVE ID`: have the others take a dead peer out for ever; `RESTART ID empty` puts a new one in its place."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """`RESTART ID [empty|old]`: start a dead peer again, on its directory, an empty one, or its snapshot."""

    id: str
    empty: bool = False
    old: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`SNAPSHOT ID`: copy the directory of a peer that is dead or frozen, for a later `RESTART ID old`."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoil:
    """`SPOIL ID flipped|short|torn|missing [PERCENT]`: damage what a dead or frozen peer keeps, or that share of it.

    Hit are the files of its store, chunks, runs and parts, and the rows of its store; never who it is.
    """

    id: str
    damage: Damage
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """`SWAP A B`: exchange the directories of two dead peers, and neither their names nor their addresses.

    A peer refuses to start on another one's directory; a second `SWAP` puts that right.
    """

    id: str
    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """`CLOCK ID OFFSET`: the peer's clock is off by that many seconds, until it ends; 0 sets it right."""

    id: str
    offset_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """`A>B` or `A|B`: the links from every sender to every receiver; with `both_ways`, those back as well.

    A side is a list of ids, `1,2`, or `EVERYBODY_ELSE` alone.
    """

    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    both_ways: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """`CUT A|B`, `CUT A>B`: nothing passes on those links; senders see no error."""

    links: Links


@dataclass(frozen=True, slots=True, kw_only=True)
class Heal:
    """`HEAL`: undo all that has been done to links."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """`DELAY A>B TIME`: all that passes on those links, bulk too, comes that many seconds later; 0 undoes it."""

    links: Links
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """`LOSS A>B PERCENT`: that share of 1 of the messages on those links is lost; 0 undoes it."""

    links: Links
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """`DUPLICATE A>B PERCENT`: that share of 1 of the messages on those links arrives twice; 0 undoes it."""

    links: Links
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reorder:
    """`REORDER A>B TIME`: each message takes up to that many seconds more, so that they overtake; 0 undoes it."""

    links: Links
    jitter_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth:
    """`BANDWIDTH A>B RATE`: so many bytes a second pass on each link, of messages and of bulk; 0 undoes it."""

    links: Links
    bytes_per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """`DISK ID full|readonly|broken|ok`, `DISK ID slow TIME`: how the peer's disk is, restarts included.

    A broken one fails at reads, too; a slow one takes writes, and `delay_s` seconds more for each operation.
    """

    id: str
    state: DiskState
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """`LEAVE ID`: have the peer leave gracefully, as SIGTERM does."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assert:
    """`ASSERT CONDITION`: decide a condition now; if it does not hold, the script goes on, and its run has failed."""

    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """`JOIN`: wait until all running peers that are not frozen know each other as alive, and as owners of keys.

    So what comes next is kept by all of them. It takes no fields: `WORKER` with an entry is what makes a peer join.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinJobs:
    """`JOIN-JOBS`: wait until every job that the script submitted has ended, well or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """So many seconds after the script came to the line: starting peers takes its time, and differs by machine."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AtProgress:
    """When that share of 1 of the job's splits, and of its partitions if it reduces, is done."""

    job: int
    share: float


Moment = After | AtProgress

OfProcess = SlowWorker | FreezeWorker | UnfreezeWorker | FreezeTracker | UnfreezeTracker | Kill | Leave | Clock | Disk
"""Commands that are aimed at one peer that runs."""

OfStopped = Remove | Restart | Snapshot | Spoil | Swap
"""Commands that are about a stopped peer, and what it keeps."""

OfLinks = Cut | Delay | Loss | Duplicate | Reorder | Bandwidth
"""Commands that are aimed at links."""

Immediate = Worker | Submit | Status | Assert | Heal | OfProcess | OfStopped | OfLinks
"""Commands that hold up no script, so that `AT` can put them off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """`AT TIME|PERCENT of JOB COMMAND`: put a command off, and go on with the script.

    A script is over when every such moment has come, or cannot come any more as the job has ended before it.
    """

    moment: Moment
    command: Immediate


Command = Immediate | Wait | Join | JoinJobs | At
