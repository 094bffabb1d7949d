"""Measure what faults cost: one job without a fault and once with each of several, on the user's own machines.

The job sleeps where others compute, so that peers which share a machine do not take each other's processor, and the
times show what a fault costs and not what the machine can do. Each case is a script, played on peers of its own.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from ...client.units import format_size, format_time
from ...client.view.tables import aligned
from ..language.places import Place
from ..language.script import parse_script
from .seats import Seat, seats_of
from .session import Session, SessionSettings

GOOGLE_RATIO: Final = 1.047
"""Of Dean and Ghemawat 2004, section 5.5: 200 of 1,746 workers were killed in a sort of 891 s, which then took 933."""

GOOGLE_NOTE: Final = (
    "google: 200 of 1,746 workers (11 %) killed in a sort and started again at once: 933 s in place of 891 "
    "(Dean and Ghemawat 2004, section 5.5)."
)
MORE_NOTE: Final = (
    "more: seconds beyond the clean run. Noticing a death takes the same time however long a job is, so that its ratio "
    "falls for longer jobs: --splits-per-peer makes them so. A peer that stays away does no more of the work."
)
SLEEP_NOTE: Final = (
    "The mapper sleeps 20 ms a line, so that peers of one machine do not hinder each other: the ratios tell how long a "
    "fault goes unnoticed and how much is done again, and nothing of how fast this machine computes."
)
MESSAGES_NOTE: Final = (
    "Messages are those between peers from the submission to the end of the job; bulk is what they pull from each "
    "other beside them. With several rounds every figure is the median, and from-to is the shortest and longest time."
)

SPLITS_PER_PEER: Final = 10
"""Rounds enough that half-way is half-way, and few enough for a cup of tea."""

LINES_PER_SPLIT: Final = 50
"""A second of `NapMapper`."""

PAUSE_S: Final = 5
"""How long a slow peer stands still: as five of its splits."""

CASE_S: Final = 12.0
"""What a run takes beside a second for each split of a peer, found by trying: the start, the fault, the comparison."""

NOISE_SHOWN: Final = 0.02
"""Share of the clean time by which runs may differ without a remark."""

HEADINGS: Final = (
    *("case", "seconds", "from-to", "more", "ratio", "google", "epoch", "attempts"),
    *("messages", "size of messages", "bulk", "pairs", "size of pairs"),
)
FIGURES: Final = (*("seconds", "epoch", "attempts", "messages", "bytes", "bulk_bytes", "pairs", "output_bytes"),)
"""What each round finds, and of which the median is reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Faults, as lines of a script; `google` is the ratio that was published for its like."""

    name: str
    faults: tuple[str, ...] = ()
    google: float | None = None
    missing: str = ""
    """Why it cannot be measured, if it cannot."""


CASES: Final = (
    Case(name="clean"),
    Case(name="one killed", faults=("AT 50% of JOB 1 KILL 2",)),
    Case(
        name="one killed, restarted",
        faults=("AT 50% of JOB 1 KILL 2", "AT 50% of JOB 1 RESTART 2"),
        google=GOOGLE_RATIO,
    ),
    Case(name="tracker killed", faults=("AT 50% of JOB 1 KILL @tracker",)),
    Case(name="tracker killed, restarted", faults=("AT 50% of JOB 1 KILL 1", "AT 50% of JOB 1 RESTART 1")),
    Case(name=f"one slow for {PAUSE_S} s", faults=(f"AT 50% of JOB 1 SLOWW 2 {PAUSE_S}",)),
    Case(name="one frozen for good", faults=("AT 50% of JOB 1 FREEZEW 2",)),
)
"""The tracker of a job is the peer that it was submitted at, 1, until that dies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What to measure: on how many peers, how often, and at which puppet masters; none is this process alone."""

    peers: int
    rounds: int = 1
    splits_per_peer: int = SPLITS_PER_PEER
    masters: Sequence[Place] = ()
    cases: Sequence[Case] = CASES

    @property
    def splits(self) -> int:
        """How many splits the job has, of a second each."""
        return self.splits_per_peer * self.peers


def measure_all(wanted: Measurement, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure every case as often as wanted, telling which one it is at, and give the figures as a document."""
    turns = [(case, number) for number in range(1, wanted.rounds + 1) for case in wanted.cases if not case.missing]
    run_s = CASE_S + wanted.splits_per_peer
    say(f"{SLEEP_NOTE}\n{len(turns)} runs on {wanted.peers} peers: about {format_time(run_s * len(turns))}.")
    found: dict[str, list[dict[str, Any]]] = {case.name: [] for case in wanted.cases}
    began = time.monotonic()
    for turn, (case, number) in enumerate(turns):
        left = (time.monotonic() - began) / turn * (len(turns) - turn) if turn else run_s * len(turns)
        again = f", round {number}" if wanted.rounds > 1 else ""
        say(f"[{turn + 1}/{len(turns)}] {case.name}{again} (about {format_time(left)} left)")
        facts = _measure(case, wanted)
        found[case.name].append(facts)
        say(f"    {facts['seconds']:.2f} s")
        for failure in (*facts["problems"], *facts["failures"]):
            say(f"    {failure}")
    measured = _with_ratios([_summed_up(case, found[case.name]) for case in wanted.cases])
    return {
        "peers": wanted.peers,
        "masters": [str(place) for place in wanted.masters],
        "rounds": wanted.rounds,
        "splits": wanted.splits,
        "google_ratio": GOOGLE_RATIO,
        "notes": [SLEEP_NOTE, MORE_NOTE, MESSAGES_NOTE, GOOGLE_NOTE, *noise_notes(measured)],
        "cases": measured,
    }


def ratio_table(measured: dict[str, Any]) -> str:
    """Spell the figures as a table, with what they mean below."""
    rows = [_row(case) for case in measured["cases"]]
    missing = [f"{case['case']}: {case['missing']}." for case in measured["cases"] if not case["available"]]
    notes = "\n".join([*missing, *measured["notes"][1:]])
    return f"{aligned(HEADINGS, rows, frozenset(HEADINGS[1:]))}\n{notes}\n"


def case_script(case: Case, seats: Sequence[Seat], splits: int) -> str:
    """Write the script of a case; the peers are called 1, 2, 3, and sit where they are told."""
    first = seats[0].service
    workers = [f"WORKER {number} {seat.spelt} {first}" for number, seat in enumerate(seats, start=1)]
    submit = f"SUBMIT {first} naps.txt out {splits} NapMapper"
    checks = ["JOIN-JOBS", "ASSERT JOB 1 done", "ASSERT OUTPUTS JOB 1 EQUAL SEQUENTIAL"]
    return "\n".join([*workers, "JOIN", submit, *case.faults, *checks])


def _measure(case: Case, wanted: Measurement) -> dict[str, Any]:
    with TemporaryDirectory(prefix="murmur-report-") as name:
        directory = Path(name)
        _write_input(directory / "naps.txt", LINES_PER_SPLIT * wanted.splits)
        settings = SessionSettings(beside=(directory,), out=directory / "out")
        with Session(settings, lambda _: None) as session:
            script = case_script(case, seats_of(wanted.peers, wanted.masters), wanted.splits)
            session.player.play(parse_script(script.encode()))
            summary = session.finish()
            status = session.player.applications[0].status
    job = summary["jobs"][0]
    return {
        "ok": summary["ok"],
        "seconds": job["seconds"],
        "epoch": 0 if status is None else status.epoch,
        "attempts": 0 if status is None else status.attempts,
        "messages": job["messages"],
        "bytes": job["message_bytes"],
        "bulk_bytes": job["bulk_bytes"],
        "pairs": job["pairs"],
        "output_bytes": job["bytes"],
        "problems": summary["problems"],
        "failures": summary["failures"],
    }


def _write_input(path: Path, lines: int) -> None:
    path.write_text("".join(f"line {number} of a text\n" for number in range(1, lines + 1)), encoding="utf-8")


def _summed_up(case: Case, rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if case.missing:
        return {"case": case.name, "available": False, "missing": case.missing}
    medians = {figure: statistics.median(one[figure] for one in rounds) for figure in FIGURES}
    return {
        "case": case.name,
        "available": True,
        "faults": list(case.faults),
        "ok": all(one["ok"] for one in rounds),
        "google": case.google,
        **medians,
        "seconds_min": min(one["seconds"] for one in rounds),
        "seconds_max": max(one["seconds"] for one in rounds),
        "rounds": list(rounds),
    }


def _with_ratios(cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Set every case in relation to the first, which is without a fault."""
    clean = cases[0]["seconds"]
    return [
        {**case, "seconds_more": round(case["seconds"] - clean, 3), "ratio": round(case["seconds"] / clean, 3)}
        if case["available"]
        else case
        for case in cases
    ]


def noise_notes(cases: Sequence[dict[str, Any]]) -> list[str]:
    """Own up if chance is greater than what is measured: clean runs differ, or a fault seems to make a job faster."""
    clean, *faulty = [case for case in cases if case["available"]]
    spread = (clean["seconds_max"] - clean["seconds_min"]) / clean["seconds"]
    gained = max((1 - case["ratio"] for case in faulty), default=0.0)
    noise = max(spread, gained)
    if noise < NOISE_SHOWN:
        return []
    return [f"CHANCE: runs of one kind differ by {noise:.0%}; ratios nearer to 1 say nothing. Try a machine at rest."]


def _row(case: dict[str, Any]) -> tuple[str, ...]:
    if not case["available"]:
        return (case["case"], *["-"] * (len(HEADINGS) - 1))
    return (
        case["case"] + ("" if case["ok"] else " (WRONG)"),
        f"{case['seconds']:.2f}",
        f"{case['seconds_min']:.2f}-{case['seconds_max']:.2f}" if len(case["rounds"]) > 1 else "-",
        f"{case['seconds_more']:.2f}",
        f"{case['ratio']:.3f}",
        "-" if case["google"] is None else f"{case['google']:.3f}",
        f"{case['epoch']:g}",
        f"{case['attempts']:g}",
        f"{case['messages']:.0f}",
        format_size(round(case["bytes"])),
        format_size(round(case["bulk_bytes"])),
        f"{case['pairs']:g}",
        format_size(round(case["output_bytes"])),
    )
