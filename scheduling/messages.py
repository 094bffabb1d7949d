"""Spell what the working halves of two peers say to each other about jobs; every field is bounded."""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta, Struct

from ..ring.facts import Count, PeerKey
from ..ring.messages import Message
from ..ring.terms import Value
from .jobs import Number, Phase, TaskReport, UserError

JobId = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]

CLAIMS_PER_MESSAGE_MAX = 128


class Attempt(Struct, frozen=True, array_like=True, order=True):
    """Name one try at one task: the `number`-th that this start of this peer has begun, of whatever job.

    A `speculative` one was begun beside another that goes on too slowly: so the two are no rivals, and the first to be
    done wins.
    """

    peer: PeerKey
    incarnation: Count
    number: Count
    speculative: bool = False

    @property
    def title(self) -> str:
        """Spell the attempt as files and logs name it."""
        return f"{self.peer[:8]}-{self.incarnation}-{self.number}"


class Stage(IntEnum):
    """How far an attempt has come; a later stage outranks an earlier one wherever two accounts meet.

    FAILED is the user's fault and counts against `max_attempts`; RELEASED is nobody's fault; LOST means that it was
    done, but that its output can be had no more.
    """

    CLAIMED = 0
    RUNNING = 1
    RELEASED = 2
    FAILED = 3
    DONE = 4
    LOST = 5


class Account(Struct, frozen=True, array_like=True):
    """What is known of one attempt; `report` comes with DONE, `error` with FAILED, `ran_ms` with RELEASED."""

    stage: Stage
    fraction: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    report: TaskReport | None = None
    error: UserError | None = None
    ran_ms: Annotated[int, Meta(ge=0)] = 0
    """For how long it had gone on when it was given up, in milliseconds: what that has cost."""


class Claim(Struct, frozen=True, array_like=True):
    """One entry of a job's claim table."""

    phase: Phase
    task: Number
    attempt: Attempt
    account: Account


class Winner(Struct, frozen=True, array_like=True):
    """The attempt at a split whose run the reducers read, and the name of its content."""

    attempt: Attempt
    digest: bytes


class MapSeal(Struct, frozen=True, array_like=True):
    """The value of a job's first write-once register: for each split in order, the attempt that counts."""

    winners: Annotated[tuple[Winner, ...], Meta(max_length=20_000)]


class JobNews(Message, frozen=True, array_like=True, tag=True):
    """Tell that a job exists, who tracks it at which epoch, and what of it is decided for ever.

    `seal` and `ending` are the encoded values of its registers, None while undecided. A `brief` one leaves them out:
    the tracker only shows that it is at work, or another peer asks it whether it is.
    """

    job: JobId
    epoch: Count
    tracker: PeerKey
    kill: bool = False
    seal: Value | None = None
    ending: Value | None = None
    brief: bool = False


class ClaimNews(Message, frozen=True, array_like=True, tag=True):
    """Spread entries of a claim table; the receiver joins them into its own, and as a relay passes on what is new."""

    job: JobId
    claims: Annotated[tuple[Claim, ...], Meta(max_length=CLAIMS_PER_MESSAGE_MAX)]
    relay: bool = False


class ClientNews(Message, frozen=True, array_like=True, tag=True):
    """Tell a job's voters that a client watches it, or its tracker that a voter has heard of none for too long."""

    job: JobId
    watched: bool


class TableSummary(Struct, frozen=True, array_like=True):
    """A job's claim table and decisions in sixteen bytes: equal summaries are equal tables."""

    job: JobId
    digest: Annotated[bytes, Meta(max_length=16)]


class TableOffer(Message, frozen=True, array_like=True, tag=True):
    """Begin an exchange of tables: what the sender holds of each live job it knows."""

    summaries: Annotated[tuple[TableSummary, ...], Meta(max_length=1024)]


class TableWanted(Message, frozen=True, array_like=True, tag=True):
    """Ask for a job's news and for its claims: those in all `buckets` that differ, or the whole table without any.

    With `mutual` the receiver asks back, so that both sides end with the join of their tables.
    """

    job: JobId
    buckets: Annotated[tuple[Annotated[bytes, Meta(max_length=8)], ...], Meta(max_length=1024)] = ()
    mutual: bool = False


SchedulingMessage = JobNews | ClaimNews | ClientNews | TableOffer | TableWanted


def run_name(job: str, split: int, attempt: Attempt) -> str:
    """Name a map attempt's run below the directory of the peer that made it."""
    return f"runs/{job}/{split}-{attempt.title}.run"
