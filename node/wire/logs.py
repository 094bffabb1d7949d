"""Spell how a client reads what user code printed: each peer keeps the logs of its own attempts."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ...ring.facts import Count
from ...scheduling.jobs import Phase
from ...scheduling.messages import JobId
from .roots import Reply, Request

LISTED_MAX: Final = 10_000
READ_BYTES_MAX: Final = 1 << 18

AttemptTitle = Annotated[str, Meta(pattern="^[0-9a-f]{1,32}(-[0-9]{1,20}){2}$")]


class AttemptLogEntry(Struct, frozen=True, array_like=True):
    """One attempt that has printed something: at which split or partition, how many bytes, and when it was last."""

    phase: Phase
    task: Count
    attempt: AttemptTitle
    bytes: Count
    written_at: float


class ListLogs(Request, frozen=True, array_like=True, tag=True):
    """Ask which attempts of a job have printed something at the answering peer; answered by `LogsListed`."""

    job: JobId


class LogsListed(Reply, frozen=True, array_like=True, tag=True):
    """Name the attempts that have printed something here, in order of their tasks; `more` are left out."""

    entries: Annotated[tuple[AttemptLogEntry, ...], Meta(max_length=LISTED_MAX)]
    more: bool = False


class ReadLog(Request, frozen=True, array_like=True, tag=True):
    """Ask for what an attempt has printed, from `offset` on; answered by `LogRead`, or refused if there is no log."""

    job: JobId
    phase: Phase
    task: Count
    attempt: AttemptTitle
    offset: Count = 0


class LogRead(Reply, frozen=True, array_like=True, tag=True):
    """Give some bytes of a log; none are left where there are none."""

    content: Annotated[bytes, Meta(max_length=READ_BYTES_MAX)]
