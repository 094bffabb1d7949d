"""Decide whether peers give back what an ended job no longer needs; the letter is that of the documentation.

J8  some time after a job's end no peer runs its user code, or keeps its runs and parts; one that was away when the job
    ended learns of that after its start

They wait: registers of ended jobs, and chunks of removed files, are kept for ever, until space is given back.
Processes, descriptors and memory are looked at on the live stage.
"""

from collections.abc import Iterator

from .cluster import Cluster
from .process import Process

SLACK_S = 2.0
"""Peers look after an ended job at this interval at the latest."""

LEARNING_S = 20.0
"""By then a peer that was started has joined, and has asked the ring for the jobs whose files it keeps."""


def hygiene_violations(cluster: Cluster) -> list[str]:
    """Check J8 at every peer that runs."""
    over = {job for process in cluster.running.values() for job in _over_at(cluster, process)}
    return [violation for process in cluster.running.values() for violation in _left_by_jobs(cluster, process, over)]


def _over_at(cluster: Cluster, process: Process) -> set[str]:
    return {job.id for job in process.node.scheduling.jobs.values() if _is_due(cluster, process, job.ended_at)}


def _left_by_jobs(cluster: Cluster, process: Process, over: set[str]) -> Iterator[str]:
    ended = _over_at(cluster, process)
    if not process.clock_was_set and cluster.timeline.now > process.booted_at + LEARNING_S:
        ended |= over - process.node.scheduling.jobs.keys()
    kept = [name for shelf in (process.disk.runs, process.disk.parts) for name in shelf]
    for name in kept:
        if name.split("/")[1] in ended:
            yield f"J8: {process.name} still keeps {name}"
    for title, work in process.attempts.items():
        if work.start.record.id in ended:
            yield f"J8: {process.name} still runs {title}"
    if ended:
        cluster.witness.note("job's files given back")


def _is_due(cluster: Cluster, process: Process, ended_at: float | None) -> bool:
    if ended_at is None or process.clock_was_set:  # what was put off by a clock ends when that clock meant
        return False
    return cluster.timeline.now > ended_at + cluster.settings.scheduling.retention_s + SLACK_S
