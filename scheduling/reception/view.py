"""Show a job as this peer's replica has it, in the form that clients draw."""

from ...ring.facts import Liveness
from ...ring.terms import start_of
from ..claims.waste import total
from ..desk import Desk
from ..jobs import JobState, Phase
from ..replica.job import Job
from ..status import Condition, JobStatus, Lane, RunningAttempt, TaskState
from ..tracker.succession import reachable_of
from ..worker.speculating import slow_attempts

LANES_MAX = 4096


def status_of(job: Job, desk: Desk) -> JobStatus:
    """Give a job's status; of one long ended, the last."""
    if job.retired is not None:
        return job.retired
    first = job.boards[Phase.MAP]
    waste = total(board.waste for board in job.boards.values())
    return JobStatus(
        id=job.id,
        name=job.record.spec.name,
        state=job.state,
        tracker=desk.flock.name(job.tracker) if job.epoch else "",
        epoch=job.epoch,
        version=job.version,
        elapsed_s=desk.now - job.heard_at if job.ending is None else job.ending.elapsed_s,
        map_states=_cells(job, Phase.MAP),
        reduce_states=_cells(job, Phase.REDUCE),
        attempts=job.table.attempts if job.ending is None else max(job.ending.attempts, job.table.attempts),
        duplicates=waste.duplicates,
        speculative=job.table.speculative,
        records=job.ending.records if job.state is JobState.DONE and job.ending is not None else first.records,
        bytes=job.ending.bytes if job.state is JobState.DONE and job.ending is not None else first.bytes,
        local_bytes=first.local_bytes,
        bytes_total=job.bytes_total,
        lanes=lanes_of(job, desk),
        events=tuple(job.events),
        counters=job.counters(),
        error=job.ending.error if job.ending is not None else None,
        error_split=job.ending.split if job.ending is not None else -1,
        waiting_for=waiting_for(job, desk),
        output=job.record.spec.output,
        submitted_at=job.record.submitted_at,
        ending=job.ending,
        priority=job.record.spec.priority,
        races_lost=waste.races_lost,
        wasted_s=waste.wasted_ms / 1000,
        speculation_won=waste.speculation_won,
        saved_s=waste.saved_ms / 1000,
    )


def _cells(job: Job, phase: Phase) -> bytes:
    """Give the states of a phase's tasks; who learns of a job after its end has heard of no attempt at them."""
    cells = bytes(job.boards[phase].cells)
    return bytes([TaskState.DONE]) * len(cells) if job.state is JobState.DONE else cells


def lanes_of(job: Job, desk: Desk) -> tuple[Lane, ...]:
    """Show who is at what, and who has done how much; members that have left appear for what they did."""
    done = job.boards[Phase.MAP].done_by + job.boards[Phase.REDUCE].done_by
    members = dict.fromkeys((*desk.flock.members(), *sorted(done)))
    slow = slow_peers(job, desk) if job.live else frozenset()
    lanes = (
        Lane(
            desk.flock.name(peer),
            desk.flock.liveness(peer),
            _running(job, peer, desk),
            done[peer],
            Condition.SLOW if peer in slow else Condition.WELL,
        )
        for peer in list(members)[:LANES_MAX]
    )
    return tuple(lanes)


def slow_peers(job: Job, desk: Desk) -> frozenset[str]:
    """Find the peers in touch that are at something which would be done sooner elsewhere, if begun there now."""
    slow = (each for phase in Phase for each in slow_attempts(job, phase, desk))
    return frozenset(attempt.peer for attempt, _, _ in slow if desk.flock.runs(attempt))


def _running(job: Job, peer: str, desk: Desk) -> tuple[RunningAttempt, ...]:
    found = []
    for phase, task, attempt in sorted(job.active.get(peer, ())):
        account = job.table.account(phase, task, attempt)
        same_process = start_of(attempt.incarnation) >= desk.flock.start_of(peer)
        if account is not None and same_process and desk.flock.liveness(peer) <= Liveness.SUSPECT:
            own = desk.slots.running.get(attempt)  # of its own attempts a peer knows more than it tells the others
            found.append(RunningAttempt(phase, task, account.fraction if own is None else own.fraction))
    return tuple(found)


def waiting_for(job: Job, desk: Desk) -> str:
    """Say why a job does not move on; empty if it does, or nothing is known."""
    if not job.live:
        return ""
    electorate = job.record.electorate
    reachable = reachable_of(electorate, desk.flock)
    if _awaits_decision(job) and 2 * reachable <= len(electorate):
        return f"a majority of the electorate ({reachable} of {len(electorate)} reachable)"
    if job.epoch == 0:
        return "a tracker"
    if job.id in desk.store_errors:
        return f"the output's manifest to be stored ({desk.store_errors[job.id]})"[:512]
    if job.state < JobState.COMMITTING and not desk.flock.workers:
        return "a peer with workers"
    return "" if _moves(job) else desk.backoffs.reason(desk.now, job.id)[:512]


def _awaits_decision(job: Job) -> bool:
    if job.epoch == 0 or job.killed or job.fault is not None or job.complete:
        return True
    return job.seal is None and job.boards[Phase.MAP].done


def _moves(job: Job) -> bool:
    moving = (TaskState.CLAIMED, TaskState.RUNNING, TaskState.SPECULATIVE)
    return any(cell in board.cells for board in job.boards.values() for cell in moving)


def brief(status: JobStatus) -> JobStatus:
    """Leave out what a list of jobs does not show."""
    fields = {name: getattr(status, name) for name in status.__struct_fields__}
    return JobStatus(**(fields | {"lanes": (), "events": (), "ending": None}))
