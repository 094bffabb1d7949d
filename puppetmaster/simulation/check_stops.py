"""Decide whether an attempt was stopped for a reason: the letter is that of the documentation.

J6  what is under way is given up only for what makes it useless: the task is done, the job over, a rival goes on, or
    the peer itself ends; a speculative attempt and the one that it is to overtake are no rivals; what has not had its
    turn in a handful is not under way
"""

from ...scheduling.effects import StartAttempt
from ...scheduling.messages import Stage
from ...scheduling.replica.job import Job


def stop_violation(name: str, job: Job, start: StartAttempt) -> str:
    """Accuse a peer that has stopped an attempt of its own, and knows nothing that makes it useless."""
    if job.killed or not job.live or start.task in job.boards[start.phase].results:
        return ""
    row = job.table.row(start.phase, start.task)
    own = row[start.attempt]
    if own.stage is Stage.RELEASED and own.ran_ms == 0:
        return ""
    for attempt, account in row.items():
        is_rival = attempt.speculative is start.attempt.speculative and attempt != start.attempt
        if is_rival and account.stage <= Stage.RUNNING:
            return ""
    return f"J6: {name} has stopped its attempt at {start.phase.name} {start.task}, which nobody else is at"
