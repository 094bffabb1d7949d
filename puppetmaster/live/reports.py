"""Answer `STATUS` as a document: for every peer who it is, whether it is there, what it tracks and what it is at."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ...client.commands.documents import job_document
from ...ring.facts import Liveness
from ...scheduling.jobs import Phase
from ...scheduling.status import JobStatus, Lane, RunningAttempt, TaskState
from ..masters.master import PuppetView
from ..masters.puppet import Liveliness
from .applications import Application
from .sightings import Sighting


def status_document(
    at_s: float, views: Sequence[PuppetView], sightings: Sequence[Sighting], applications: Sequence[Application]
) -> dict[str, Any]:
    """Put together what processes, gates and peers tell."""
    by_peer = {sighting.peer: sighting for sighting in sightings}
    numbers = {one.status.id: one.number for one in applications if one.status is not None}
    return {
        "at": round(at_s, 3),
        "peers": [_peer_document(view, by_peer.get(view.name), sightings, numbers) for view in views],
        "jobs": [_application_document(one, sightings) for one in applications],
    }


def write_status(document: dict[str, Any], directory: Path, number: int) -> Path:
    """Write a report beside the earlier ones."""
    path = directory / f"status-{number}.json"
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _peer_document(
    view: PuppetView, own: Sighting | None, sightings: Sequence[Sighting], numbers: dict[str, int]
) -> dict[str, Any]:
    return {
        "name": view.name,
        "url": view.url,
        "pid": view.pid,
        "process": view.liveliness.value,
        "silence": own.error if own is not None else "",
        "present": view.liveliness is Liveliness.RUNNING and own is not None and not own.error,
        "held_for": _held_for(view.name, sightings),
        "sees_alive": [] if own is None else own.named(Liveness.ALIVE),
        "suspects": [] if own is None else own.named(Liveness.SUSPECT),
        "presumed_failed": [] if own is None else own.named(Liveness.DEAD),
        "tracks": [
            {"job": job.id, "number": numbers.get(job.id), "name": job.name, "epoch": job.epoch}
            for job in _newest(sightings)
            if job.tracker == view.name and not job.state.ended
        ],
        "tracker_frozen": view.condition is not None and view.condition.tracker_frozen,
        "tasks": [
            _task_document(job, task, numbers) for job in _newest(sightings) for task in _running(job, view.name, own)
        ],
        "gate": None if view.condition is None else msgspec.structs.asdict(view.condition),
    }


def _held_for(name: str, sightings: Sequence[Sighting]) -> dict[str, list[str]]:
    """Tell what the peers that answer, this one aside, hold a peer for: who says alive, suspect, dead and left."""
    held: dict[str, list[str]] = {state.name.lower(): [] for state in Liveness}
    for sighting in sightings:
        states = [view.liveness for view in sighting.members if view.member.name == name]
        if states and sighting.peer != name:
            held[min(states).name.lower()].append(sighting.peer)
    return held


def _newest(sightings: Sequence[Sighting]) -> list[JobStatus]:
    """Take each job as the peer with the latest epoch and the most done tasks shows it."""
    best: dict[str, JobStatus] = {}
    for job in (job for sighting in sightings for job in sighting.jobs):
        if job.id not in best or _rank(job) > _rank(best[job.id]):
            best[job.id] = job
    return list(best.values())


def _rank(job: JobStatus) -> tuple[int, int, int]:
    return job.state, job.epoch, (job.map_states + job.reduce_states).count(TaskState.DONE)


def _running(job: JobStatus, peer: str, own: Sighting | None) -> Sequence[RunningAttempt]:
    """Tell what a peer is at as it says itself, or as the others have it from its last word."""
    told = next((one for one in own.jobs if one.id == job.id), job) if own is not None else job
    lanes: dict[str, Lane] = {lane.peer: lane for lane in told.lanes}
    return lanes[peer].running if peer in lanes else ()


def _task_document(job: JobStatus, task: RunningAttempt, numbers: dict[str, int]) -> dict[str, Any]:
    return {
        "job": job.id,
        "number": numbers.get(job.id),
        "phase": _phase(job, task),
        "split": task.task + 1,
        "fraction": round(task.fraction, 3),
    }


def _phase(job: JobStatus, task: RunningAttempt) -> str:
    """Tell the phases of a task apart: user code says that it has begun, and its peer that it is through."""
    states = job.map_states if task.phase is Phase.MAP else job.reduce_states
    begun = task.task < len(states) and states[task.task] == TaskState.RUNNING
    if task.fraction >= 1.0:
        return "output transfer"
    if task.fraction <= 0.0 and not begun:
        return "input transfer"
    return "mapping" if task.phase is Phase.MAP else "reducing"


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
