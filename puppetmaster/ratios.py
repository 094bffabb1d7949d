"""Measure what faults cost: one job without a fault and once with each of several, on peers of this machine.

The job sleeps where others compute, so that peers which share a machine do not take each other's processor, and the
times show what a fault costs and not what the machine can do. Each case is a script, played on peers of its own.
"""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from ..client.units import format_size
from ..client.view.tables import aligned
from .script import parse_script
from .session import Session, SessionSettings

GOOGLE_RATIO: Final = 1.047
"""Of Dean and Ghemawat 2004, section 5.5: 200 of 1,746 workers were killed in a sort of 891 s, which then took 933."""

SPLITS_PER_PEER: Final = 10
LINES_PER_SPLIT: Final = 50
"""A second of `NapMapper` each: rounds enough that half-way is half-way, and splits short enough for a cup of tea."""

PAUSE_S: Final = 5
"""How long a slow peer stands still: as five of its splits."""

HEADINGS: Final = ("case", "seconds", "ratio", "google", "attempts", "messages", "bytes", "bulk", "pairs", "output")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault, as a line of a script; `google` is the ratio that was published for its like."""

    name: str
    fault: str = ""
    google: float | None = None
    available: bool = True


CASES: Final = (
    Case(name="clean"),
    Case(name="one killed", fault="KILL 2", google=GOOGLE_RATIO),
    Case(name="tracker killed", fault="KILL @tracker", google=GOOGLE_RATIO),
    Case(name="one slow", fault=f"SLOWW 2 {PAUSE_S}"),
    Case(name="one slow, speculation", available=False),
    Case(name="one frozen", fault="FREEZEW 2"),
)


def measure_all(peers: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure every case, telling which one it is at, and give the figures as a document."""
    measured: list[dict[str, Any]] = []
    for case in CASES:
        if not case.available:
            measured.append({"case": case.name, "available": False})
            continue
        say(f"{case.name}: {peers} peers, {SPLITS_PER_PEER * peers} splits of {LINES_PER_SPLIT} lines")
        facts = _measure(case, peers)
        clean = measured[0]["seconds"] if measured else facts["seconds"]
        measured.append({**facts, "ratio": round(facts["seconds"] / clean, 3)})
        for failure in (*facts["problems"], *facts["failures"]):
            say(f"    {failure}")
    return {"peers": peers, "splits": SPLITS_PER_PEER * peers, "google_ratio": GOOGLE_RATIO, "cases": measured}


def ratio_table(measured: dict[str, Any]) -> str:
    """Spell the figures as a table."""
    rows = [_row(case) for case in measured["cases"]]
    return aligned(HEADINGS, rows, frozenset(HEADINGS[1:]))


def case_script(case: Case, ports: list[int]) -> str:
    """Write the script of a case; the peers are called 1, 2, 3, and listen at the given ports."""
    first = f"tcp://127.0.0.1:{ports[0]}/W"
    workers = [f"WORKER {number} tcp://127.0.0.1:{port}/W {first}" for number, port in enumerate(ports, start=1)]
    fault = [f"AT 50% of JOB 1 {case.fault}"] if case.fault else []
    submit = f"SUBMIT {first} naps.txt out {SPLITS_PER_PEER * len(ports)} NapMapper"
    checks = ["JOIN-JOBS", "ASSERT JOB 1 done", "ASSERT OUTPUTS JOB 1 EQUAL SEQUENTIAL"]
    return "\n".join([*workers, "JOIN", submit, *fault, *checks])


def _measure(case: Case, peers: int) -> dict[str, Any]:
    with TemporaryDirectory(prefix="murmur-report-") as name:
        directory = Path(name)
        _write_input(directory / "naps.txt", SPLITS_PER_PEER * LINES_PER_SPLIT * peers)
        settings = SessionSettings(beside=(directory,), out=directory / "out")
        with Session(settings, lambda _: None) as session:
            session.player.play(parse_script(case_script(case, free_ports(peers)).encode()))
            gates = [view.condition for view in session.stage.view() if view.condition is not None]
            summary = session.finish()
            status = session.player.applications[0].status
    job = summary["jobs"][0]
    return {
        "case": case.name,
        "available": True,
        "fault": case.fault,
        "ok": summary["ok"],
        "seconds": job["seconds"],
        "google": case.google,
        "attempts": 0 if status is None else status.attempts,
        "messages": sum(gate.messages_out for gate in gates),
        "bytes": sum(gate.bytes_out for gate in gates),
        "bulk_bytes": sum(gate.bulk_bytes_out for gate in gates),
        "pairs": job["pairs"],
        "output_bytes": job["bytes"],
        "problems": summary["problems"],
        "failures": summary["failures"],
    }


def _write_input(path: Path, lines: int) -> None:
    path.write_text("".join(f"line {number} of a text\n" for number in range(1, lines + 1)), encoding="utf-8")


def free_ports(count: int) -> list[int]:
    """Find ports at which nobody listens, all of them open at once so that they are distinct."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def _row(case: dict[str, Any]) -> tuple[str, ...]:
    if not case["available"]:
        return (case["case"], "not available", *[""] * (len(HEADINGS) - 2))
    return (
        case["case"] + ("" if case["ok"] else " (wrong)"),
        f"{case['seconds']:.2f}",
        f"{case['ratio']:.3f}",
        "" if case["google"] is None else f"{case['google']:.3f}",
        str(case["attempts"]),
        str(case["messages"]),
        format_size(case["bytes"]),
        format_size(case["bulk_bytes"]),
        str(case["pairs"]),
        format_size(case["output_bytes"]),
    )
