"""The audit of a scheduling machine finds what is wrong, if not at once then within a round of looks."""

from random import Random

import pytest
from scheduling_cluster import job_record, peer_id

from murmuration.ring.errors import InvariantBroken
from murmuration.ring.terms import REFUTATION_BITS, Instant
from murmuration.scheduling.audit import TASKS_MAX, Audit
from murmuration.scheduling.desk import Desk
from murmuration.scheduling.jobs import Phase
from murmuration.scheduling.replica.job import Job
from murmuration.scheduling.settings import SchedulingSettings

SPLITS = 3 * TASKS_MAX + 5


def desk_with_a_job() -> tuple[Desk, Job]:
    desk = Desk(peer_id(0), 1 << REFUTATION_BITS, 1, SchedulingSettings(vnodes=64), Random(1))
    job = Job(Instant(0.0), job_record(SPLITS, 2), Random(1))
    desk.jobs[job.id] = job
    return desk, job


def test_audit_of_a_sound_job_says_nothing_however_often_it_looks() -> None:
    audit = Audit(desk_with_a_job()[0])
    for _ in range(3 * SPLITS):
        audit.look()


@pytest.mark.parametrize("task", [0, TASKS_MAX, 2 * TASKS_MAX + 1, SPLITS - 1])
def test_audit_finds_a_task_that_the_board_has_wrong_within_a_round_of_looks(task: int) -> None:
    desk, job = desk_with_a_job()
    job.boards[Phase.MAP].openings.discard(task)
    audit = Audit(desk)
    with pytest.raises(InvariantBroken, match=f"whether MAP {task} is open"):
        for _ in range(2 * SPLITS // TASKS_MAX):
            audit.look()
