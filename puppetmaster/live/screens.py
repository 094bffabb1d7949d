"""Spell a `STATUS` for people: a table of the peers, and for each job its phase and where each of its splits is."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from ...client.units import format_size
from ...client.view.tables import aligned

HEADINGS: Final = ("peer", "process", "presence", "tracks", "is at", "sent", "received")
RIGHT: Final = frozenset({"sent", "received"})

PRESENCES: Final = {"alive": "present", "suspect": "suspected", "dead": "presumed failed", "left": "left"}
"""What the others hold a peer for, as the assignment calls it."""

RANGES_MAX: Final = 40
"""Ranges of splits shown of one state; a job of thousands would fill screens, and the document holds them all."""


def status_lines(document: dict[str, Any]) -> str:
    """Spell a report."""
    rows = [
        (
            peer["name"],
            _process(peer),
            presence(peer["held_for"]),
            ", ".join(f"{_job(role)} at epoch {role['epoch']}" for role in peer["tracks"]) or "-",
            ", ".join(f"{_job(task)} {_doing(task)}" for task in peer["tasks"]) or "-",
            _traffic(peer["gate"], "out"),
            _traffic(peer["gate"], "in"),
        )
        for peer in document["peers"]
    ]
    lines = [line for job in document["jobs"] for line in _job_lines(job, document["peers"])]
    return aligned(HEADINGS, rows, RIGHT) + "\n".join(lines)


def presence(held_for: dict[str, list[str]]) -> str:
    """Spell what the others hold a peer for: one word if they agree, else who says what.

    >>> presence({"alive": ["2"], "suspect": [], "dead": ["3", "4"], "left": []})
    'present; presumed failed by 3, 4'
    """
    told: list[tuple[str, list[str]]] = [(PRESENCES[state], names) for state, names in held_for.items() if names]
    if not told:
        return "nobody says"
    if len(told) == 1:
        return told[0][0]
    commonest = max(told, key=lambda one: len(one[1]))
    return "; ".join(word if (word, names) == commonest else f"{word} by {', '.join(names)}" for word, names in told)


def ranges(numbers: Iterable[int]) -> str:
    """Spell ascending numbers shortly.

    >>> ranges([1, 2, 3, 7])
    '1-3, 7'
    """
    spelt = []
    for _, group in groupby(enumerate(numbers), key=lambda one: one[1] - one[0]):
        run = [number for _, number in group]
        spelt.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    more = ["..."] if len(spelt) > RANGES_MAX else []
    return ", ".join(spelt[:RANGES_MAX] + more)


def _process(peer: dict[str, Any]) -> str:
    process: str = peer["process"]
    said = [peer["silence"]] if peer["silence"] else []
    said += ["tracker role frozen"] if peer["tracker_frozen"] else []
    return process + (f" ({', '.join(said)})" if said else "")


def _job(named: dict[str, Any]) -> str:
    return f"job {named['number'] or named['job']}"


def _doing(task: dict[str, Any]) -> str:
    share = "" if task["phase"].endswith("transfer") else f" {task['fraction']:.0%}"
    return f"split {task['split']}: {task['phase']}{share}"


def _job_lines(job: dict[str, Any], peers: Sequence[dict[str, Any]]) -> list[str]:
    head = f"job {job['number']} ({job['mapper']}): {job['state']} after {job['seconds']:.1f} s"
    if job["error"]:
        return [f"{head}: {job['error']}"]
    if job["job"] is None:
        return [head]
    facts = job["job"]
    done = f"{facts['splits']['done']} of {len(job['splits'])} splits done"
    waits = f"; waits for {facts['waiting_for']}" if facts["waiting_for"] else ""
    told = f"{head}, tracker {facts['tracker'] or 'nobody'} at epoch {facts['epoch']}; {done}{waits}"
    return [told, *(f"    {line}" for line in _split_lines(job, peers))]


def _split_lines(job: dict[str, Any], peers: Sequence[dict[str, Any]]) -> list[str]:
    """Name every split: those that somebody is at with how far it is, the others by their state."""
    at = [
        f"{_doing(task)} at {peer['name']}"
        for peer in peers
        for task in peer["tasks"]
        if task["number"] == job["number"] and task["phase"] != "reducing"
    ]
    states = sorted(set(job["splits"]))
    resting = [state for state in states if state in {"done", "waiting", "failed"} or not at]
    lines = [f"{state}: {ranges(_numbers_of(job, state))}" for state in resting]
    return [*lines, "; ".join(at)] if at else lines


def _numbers_of(job: dict[str, Any], state: str) -> list[int]:
    return [number for number, found in enumerate(job["splits"], start=1) if found == state]


def _traffic(gate: dict[str, Any] | None, way: str) -> str:
    if gate is None:
        return "-"
    return f"{gate[f'messages_{way}']} ({format_size(gate[f'bytes_{way}'])})"
