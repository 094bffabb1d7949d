"""Answer `STATUS`: for every peer who it is, whom it presumes failed, what it tracks and what it is at; as a document
and as lines to read.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..client.commands.documents import job_document
from ..client.units import format_size
from ..client.view.tables import aligned
from ..ring.messages import Liveness
from ..scheduling.jobs import Phase
from ..scheduling.status import JobStatus, Lane, RunningAttempt, TaskState
from .applications import Application
from .masters import PuppetView
from .puppet import Liveliness
from .sightings import Sighting

WRITING_FROM = 0.95
"""How far an attempt is when all is mapped, and its output is on its way."""

HEADINGS = ("peer", "process", "presumed failed", "tracks", "is at", "sent", "received")
RIGHT = frozenset({"sent", "received"})


def status_document(
    at_s: float, views: Sequence[PuppetView], sightings: Sequence[Sighting], applications: Sequence[Application]
) -> dict[str, Any]:
    """Put together what processes, gates and peers tell."""
    by_peer = {sighting.peer: sighting for sighting in sightings}
    return {
        "at": round(at_s, 3),
        "peers": [_peer_document(view, by_peer.get(view.name), sightings) for view in views],
        "jobs": [_application_document(one, sightings) for one in applications],
    }


def write_status(document: dict[str, Any], directory: Path, number: int) -> Path:
    """Write a report beside the earlier ones."""
    path = directory / f"status-{number}.json"
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def status_lines(document: dict[str, Any]) -> str:
    """Spell a report for people: a table of the peers, and a line or two for each job."""
    rows = [
        (
            peer["name"],
            peer["process"] + (f" ({peer['silence']})" if peer["silence"] else ""),
            ", ".join(peer["presumed_failed"]) or "-",
            ", ".join(f"{role['name']} (epoch {role['epoch']})" for role in peer["tracks"]) or "-",
            ", ".join(task["doing"] for task in peer["tasks"]) or "-",
            _traffic(peer["gate"], "out"),
            _traffic(peer["gate"], "in"),
        )
        for peer in document["peers"]
    ]
    return aligned(HEADINGS, rows, RIGHT) + "".join(_job_lines(job) for job in document["jobs"])


def _peer_document(view: PuppetView, sighting: Sighting | None, all_seen: Sequence[Sighting]) -> dict[str, Any]:
    gate = None if view.condition is None else msgspec.structs.asdict(view.condition)
    return {
        "name": view.name,
        "url": view.url,
        "pid": view.pid,
        "process": view.liveliness.value,
        "silence": sighting.error if sighting is not None else "",
        "present": view.liveliness is Liveliness.RUNNING and sighting is not None and not sighting.error,
        "sees_alive": [] if sighting is None else sighting.named(Liveness.ALIVE),
        "suspects": [] if sighting is None else sighting.named(Liveness.SUSPECT),
        "presumed_failed": [] if sighting is None else sighting.named(Liveness.DEAD),
        "tracks": [
            {"job": job.id, "name": job.name, "epoch": job.epoch}
            for job in _newest(all_seen)
            if job.tracker == view.name and not job.state.ended
        ],
        "tracker_frozen": view.condition is not None and view.condition.tracker_frozen,
        "tasks": [_task_document(job, task) for job in _newest(all_seen) for task in _running(job, view.name)],
        "gate": gate,
    }


def _newest(sightings: Sequence[Sighting]) -> list[JobStatus]:
    """Take each job as the peer with the latest epoch and the most done tasks shows it."""
    best: dict[str, JobStatus] = {}
    for job in (job for sighting in sightings for job in sighting.jobs):
        if job.id not in best or _rank(job) > _rank(best[job.id]):
            best[job.id] = job
    return list(best.values())


def _rank(job: JobStatus) -> tuple[int, int, int]:
    return job.state, job.epoch, (job.map_states + job.reduce_states).count(TaskState.DONE)


def _running(job: JobStatus, peer: str) -> Sequence[RunningAttempt]:
    lanes: dict[str, Lane] = {lane.peer: lane for lane in job.lanes}
    return lanes[peer].running if peer in lanes else ()


def _task_document(job: JobStatus, task: RunningAttempt) -> dict[str, Any]:
    states = job.map_states if task.phase is Phase.MAP else job.reduce_states
    cell = TaskState(states[task.task]) if task.task < len(states) else TaskState.WAITING
    moves = cell is TaskState.CLAIMED or task.fraction <= 0
    work = "mapping" if task.phase is Phase.MAP else "reducing"
    phase = "input transfer" if moves else "output transfer" if task.fraction >= WRITING_FROM else work
    number = task.task + 1
    return {
        "job": job.id,
        "phase": phase,
        "split": number,
        "fraction": round(task.fraction, 3),
        "doing": f"{number}: {phase}" + (f" {task.fraction:.0%}" if phase == work else ""),
    }


def _application_document(application: Application, sightings: Sequence[Sighting]) -> dict[str, Any]:
    status = application.status
    fresh = next((job for job in _newest(sightings) if status is not None and job.id == status.id), status)
    return {
        "number": application.number,
        "state": application.state.title,
        "error": application.error if application.ended else "",
        "seconds": round(application.seconds, 3),
        "mapper": application.request.command.mapper,
        "output": application.request.output,
        "job": None if fresh is None else job_document(fresh),
        "splits": [] if fresh is None else [TaskState(cell).name.lower() for cell in fresh.map_states],
        "redone": application.redone,
    }


def _job_lines(job: dict[str, Any]) -> str:
    head = f"job {job['number']} ({job['mapper']}): {job['state']} after {job['seconds']:.1f} s"
    if job["error"]:
        return f"{head}: {job['error']}\n"
    if job["job"] is None:
        return f"{head}\n"
    facts = job["job"]
    cells = {state: count for state, count in facts["splits"].items() if count}
    told = ", ".join(f"{count} {state}" for state, count in cells.items())
    waits = f"; waits for {facts['waiting_for']}" if facts["waiting_for"] else ""
    return f"{head}, tracker {facts['tracker'] or '-'} at epoch {facts['epoch']}; splits: {told}{waits}\n"


def _traffic(gate: dict[str, Any] | None, way: str) -> str:
    if gate is None:
        return "-"
    return f"{gate[f'messages_{way}']} ({format_size(gate[f'bytes_{way}'])})"
