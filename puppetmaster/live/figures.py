"""Report what the assignment asks of every run: the time with faults and without, the messages and the final pairs.

Section 7 of it names them: execution time, number and size of the messages exchanged, number and size of the resulting
key-value pairs. Messages are those between peers, from a job's `SUBMIT` to its end; of jobs that run at the same time
each is given all of them.
"""

from collections.abc import Mapping
from typing import Any, Final

from ...client.units import format_size
from ...client.view.tables import aligned
from .applications import Application
from .traffic import Traffic

COLUMNS: Final = (
    ("job", "number"),
    ("mapper", "mapper"),
    ("state", "state"),
    ("seconds", "seconds"),
    ("without faults", "seconds_without_faults"),
    ("ratio", "ratio"),
    ("messages", "messages"),
    ("size of messages", "message_bytes"),
    ("bulk", "bulk_bytes"),
    ("files", "files"),
    ("pairs", "pairs"),
    ("size of pairs", "bytes"),
    ("redone", "redone"),
)
"""Headings, and the facts below them."""

MESSAGES_NOTE: Final = (
    "Messages between all peers, from the SUBMIT to the job's end; bulk is what they pull beside them."
)
WITHOUT_FAULTS: Final = ("without faults", "ratio")
SIZES: Final = frozenset({"message_bytes", "bulk_bytes", "bytes"})
LEFT: Final = frozenset({"mapper", "state"})


def job_figures(application: Application, traffic: Traffic, seconds_without_faults: float | None) -> dict[str, Any]:
    """Give the figures of one job; `bytes` are those of its pairs."""
    listing = application.listing or {}
    seconds = application.seconds
    return {
        "number": application.number,
        "mapper": application.request.command.mapper,
        "state": application.state.title,
        "seconds": round(seconds, 3),
        "seconds_without_faults": None if seconds_without_faults is None else round(seconds_without_faults, 3),
        "ratio": None if not seconds_without_faults else round(seconds / seconds_without_faults, 3),
        "messages": traffic.messages,
        "message_bytes": traffic.message_bytes,
        "bulk_bytes": traffic.bulk_bytes,
        "output": application.request.output,
        "files": len(listing),
        "pairs": sum(facts.lines for facts in listing.values()),
        "bytes": sum(facts.size for facts in listing.values()),
        "redone": application.redone,
        "error": application.error,
    }


def figures_table(summary: Mapping[str, Any]) -> str:
    """Spell the figures of all jobs; the columns about a run without faults only if there was one."""
    jobs = summary["jobs"]
    compared = any(job["seconds_without_faults"] is not None for job in jobs)
    columns = [column for column in COLUMNS if compared or column[0] not in WITHOUT_FAULTS]
    headings = [heading for heading, _ in columns]
    rows = [[_spelt(fact, job[fact]) for _, fact in columns] for job in jobs]
    return f"{aligned(headings, rows, frozenset(headings) - LEFT)}{MESSAGES_NOTE}\n"


def _spelt(fact: str, value: object) -> str:
    match value:
        case None:
            return "-"
        case int() if fact in SIZES:
            return format_size(value)
        case float():
            return f"{value:.3f}" if fact == "ratio" else f"{value:.2f}"
        case _:
            return str(value)
