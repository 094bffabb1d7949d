"""Decide what a script asserts, on the simulated stage."""

from typing import assert_never

from ...ring.facts import Liveness
from ..language.conditions import Condition, JobIs, Measure, Measured, OutputsEqualSequential, TrackerIs
from .cast import Cast
from .check_jobs import job_violations


class Judge:
    """Decides conditions by what the client of each job was told, and by the processes themselves."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast

    def decide(self, condition: Condition) -> str:
        """Say why a condition does not hold; empty if it does."""
        match condition:
            case JobIs(job=number, state=state):
                status = self._cast.job(number).workload.status
                found = status.state.title if status is not None else "unknown"
                return "" if found == state.title else f"the job is {found}"
            case OutputsEqualSequential(job=number):
                job = self._cast.job(number)
                return "; ".join(job_violations(self._cast.cluster, job.workload, job.text, None))
            case TrackerIs(job=number, id=name, expected=expected):
                tracker = self._cast.peer(name)
                status = self._cast.job(number).workload.status
                found = status.tracker if status is not None else ""
                return "" if (found == tracker) is expected else f"the tracker is {found or 'unknown'}"
            case Measured():
                found_amount = self._measure(condition)
                holds = condition.holds(found_amount)
                return "" if holds else f"{condition.measure.value} is {found_amount:g}"
            case _:
                assert_never(condition)

    def _measure(self, condition: Measured) -> float:
        cast, measure = self._cast, condition.measure
        if measure is Measure.ALIVE:
            return max(map(self._alive_at, cast.cluster.live()), default=0)
        if condition.job is None:
            return cast.cluster.timeline.now
        job = cast.job(condition.job)
        if measure is Measure.TIME:
            return (job.workload.ended_at or cast.cluster.timeline.now) - job.begun
        status = job.workload.status
        if status is None:
            return 0.0
        return {
            Measure.EPOCH: status.epoch,
            Measure.REDONE: cast.cluster.witness.redone(job.workload.record.id),
            Measure.DUPLICATES: status.duplicates,
            Measure.SPECULATIVE: status.speculative,
            Measure.ATTEMPTS: status.attempts,
        }[measure]

    def _alive_at(self, name: str) -> int:
        """Count the members that a peer holds for alive, itself among them."""
        members = self._cast.cluster.running[name].node.ring.members.items()
        return sum(update.liveness is Liveness.ALIVE for _, update in members)
