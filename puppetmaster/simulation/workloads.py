"""Cast the clients of a schedule: the table of all workloads, each of which says whether a plan has it."""

import random
from collections.abc import Callable

from msgspec.structs import replace

from ...scheduling.jobs import PRIORITY, PRIORITY_MAX
from .cluster import Cluster
from .ending_workload import EndingWorkload
from .file_run import FileRun
from .job_run import JobRun
from .job_workload import (
    JobWorkload,
    in_total_order,
    share_of,
    some_job,
    some_text,
    stored_input,
    with_bad_records_skipped,
    with_client_patience,
    with_parameter,
)
from .plan import Plan
from .register_run import RegisterRun
from .register_workload import RegisterWorkload
from .store_run import StoreRun
from .store_workload import StoreWorkload
from .user_faults import CHANCY, DIES, FLAKY, expected_error
from .wordcount import WRITES_SIDE_FILES
from .workload import Workload

Cast = Callable[[Plan, Cluster, random.Random], Workload | None]
FILES_SHARE = 0.25
"""Such a share of the schedules has a client of files, and peers that collect chunks which nobody names."""
FURTHER_BEGIN_S = 3.0
"""A second job begins so late, a third one twice as late."""


def first_job(plan: Plan, cluster: Cluster, rng: random.Random) -> Workload:
    """Cast the client of the job that every plan has."""
    text = some_text(rng, plan.lines, plan.poisoned_line)
    record = some_job(rng, text, plan.splits, plan.partitions, plan.output)
    if plan.skips_bad_records:
        record = with_bad_records_skipped(record)
    for parameter, is_wanted in (
        (WRITES_SIDE_FILES, plan.writes_side_files),
        (DIES, plan.has_deadly_record),
        (FLAKY, plan.is_flaky),
        (CHANCY, plan.is_chancy),
    ):
        if is_wanted:
            record = with_parameter(record, parameter)
    record = with_client_patience(record, plan.client_patience_s)
    if plan.is_in_total_order:
        record = in_total_order(record, text)
    if plan.is_input_stored:
        record = stored_input(cluster, record, text)
    else:
        cluster.texts[share_of(0)] = text
    chance = random.Random(rng.getrandbits(48))
    client = JobWorkload(cluster, record, chance, plan.kill_at, vanishes_at=plan.vanishes_at)
    return JobRun(cluster, client, text, expected_error(text, record))


def second_job(plan: Plan, cluster: Cluster, rng: random.Random) -> Workload | None:
    """Cast the client of another job at the same time, with a text and an output of its own."""
    return _further_job(2, plan, cluster, rng) if plan.jobs >= 2 else None


def third_job(plan: Plan, cluster: Cluster, rng: random.Random) -> Workload | None:
    """Cast the client of a third job, which comes when the others are under way and outweighs them."""
    return _further_job(3, plan, cluster, rng, priority=PRIORITY_MAX) if plan.jobs >= 3 else None


def _further_job(
    number: int, plan: Plan, cluster: Cluster, rng: random.Random, *, priority: int = PRIORITY
) -> Workload:
    text = some_text(rng, plan.lines // 2)
    share = share_of(number - 1)
    record = some_job(rng, text, max(1, plan.splits // 2), 1, f"{plan.output}-{number}", share)
    cluster.texts[share] = text
    record = replace(record, spec=replace(record.spec, priority=priority))
    client = JobWorkload(cluster, record, random.Random(rng.getrandbits(48)))
    return JobRun(cluster, client, text, None, begins_s=FURTHER_BEGIN_S * (number - 1))


def store(plan: Plan, cluster: Cluster, rng: random.Random) -> Workload:
    """Cast the client of the store."""
    client = StoreWorkload(cluster, random.Random(rng.getrandbits(48)), plan.puts)
    return StoreRun(
        cluster, client, plan.over_s, awaits_reaping=plan.awaits_reaping, has_moves_only=plan.has_moves_only
    )


def registers(plan: Plan, cluster: Cluster, rng: random.Random) -> Workload | None:
    """Cast the client of strict quorums, where membership is static and no disk is lost."""
    if not plan.has_registers:
        return None
    return RegisterRun(cluster, RegisterWorkload(cluster, random.Random(rng.getrandbits(48))), plan.over_s)


def endings(plan: Plan, cluster: Cluster, rng: random.Random) -> Workload:
    """Cast the client of values that end and of conditional puts."""
    return EndingWorkload(cluster, random.Random(rng.getrandbits(48)), plan.over_s, is_static=plan.is_static)


def files(plan: Plan, cluster: Cluster) -> Workload | None:
    """Cast the client of files, whose chance is its own: all else of a schedule is drawn as it would be without it."""
    rng = random.Random(f"files of {plan.seed}")
    if rng.random() >= FILES_SHARE:
        return None
    return FileRun(cluster, rng, plan.over_s, keeps_disks=plan.keeps_disks, ends_jobs=plan.is_static)


WORKLOADS: tuple[Cast, ...] = (first_job, second_job, store, registers, endings, third_job)


def cast(plan: Plan, cluster: Cluster, rng: random.Random) -> list[Workload]:
    """Cast all workloads that a plan has; each has its own chance, so that none disturbs the others."""
    cast_ = (make(plan, cluster, random.Random(rng.getrandbits(48))) for make in WORKLOADS)
    return [workload for workload in (*cast_, files(plan, cluster)) if workload is not None]
