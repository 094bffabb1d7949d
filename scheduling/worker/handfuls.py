"""Tell how many tasks to claim at once: many if they are short, so that what each costs beside its work is shared.

A task goes alone while this peer knows nothing of their length, and one that somebody has tried before always: it
may be what fails or takes long. Nobody takes more than an even share of what is open, so handfuls shrink towards the
end of a phase, and the last tasks are spread over all slots (guided self-scheduling, Polychronopoulos and Kuck 1987).
"""

from ..desk import Desk
from ..jobs import Phase
from ..replica.job import Job


def handful_size(job: Job, phase: Phase, desk: Desk) -> int:
    """Tell how many tasks of a phase this peer takes at once now."""
    board, settings = job.boards[phase], desk.settings
    seconds = board.paces.seconds.get(desk.me)
    if seconds is None:
        return 1
    by_time = settings.handful_s / max(seconds, settings.handful_s / settings.handful_tasks_max)
    by_share = len(board.openings) / max(1, desk.flock.slots)
    return max(1, int(min(by_time, by_share)))


def alike(job: Job, phase: Phase, tasks: tuple[int, ...]) -> tuple[int, ...]:
    """Give those of the tasks that may go together, as long as the first one may: nobody has tried them before."""
    first, *_ = tasks
    if job.table.row(phase, first):
        return (first,)
    return tuple(task for task in tasks if not job.table.row(phase, task))
