"""Follow this peer's attempts to their ends, and stop those that others have made useless."""

from ..claims.board import active_attempts
from ..claims.lots import attempt_lot
from ..claims.slots import Running
from ..desk import Desk
from ..effects import DismissJob, StopAttempt
from ..events import AttemptFailed, AttemptFinished, AttemptLost, AttemptProgressed, ChunkSettled
from ..jobs import Phase, TaskReport
from ..messages import Account, Attempt, Stage
from ..replica.job import Job, task_title
from .delivery import Deliveries


class Attempts:
    """What becomes of the tasks that this peer has taken up; events of attempts that it has stopped say nothing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._deliveries = Deliveries(desk)

    def progressed(self, event: AttemptProgressed) -> None:
        """Take in how far an attempt is; others hear of it every `progress_interval_s` of the flock."""
        running = self._desk.slots.running.get(event.attempt)
        if running is None or event.fraction < running.fraction:
            return
        nearly_done, before = self._desk.settings.nearly_done, running.handful.fraction
        running.fraction = event.fraction
        if before < nearly_done <= running.handful.fraction:  # time to claim the next one ahead
            self._desk.touch(self._desk.jobs[running.job])
        if self._desk.now - max(running.told_at, running.begun_at) >= self._desk.flock.progress_interval_s:
            running.told_at = self._desk.now
            self._account(running, Account(Stage.RUNNING, round(event.fraction, 2)))

    def finished(self, event: AttemptFinished) -> None:
        """Take in that user code is through: a run is done, but what goes into the ring must first be replicated."""
        running = self._desk.slots.running.get(event.attempt)
        if running is None:
            return
        job = self._desk.jobs[running.job]
        if running.phase is not job.final and not (event.side or event.outputs):
            self._end(running, Account(Stage.DONE, 1.0, event.report))
            return
        running.fraction = 1.0
        report = self._deliveries.begin(running, event)
        self._desk.slots.pass_turn(self._desk.now, running.handful)
        self._conclude(running, report)
        self._desk.touch(job)

    def settled(self, event: ChunkSettled) -> None:
        """Take in that a piece of output is replicated, or is not."""
        running = self._desk.slots.waiting_for(event.request)
        if running is not None:
            self._conclude(running, self._deliveries.settled(running, event))

    def retry(self, job: Job) -> None:
        """Try again to place output that could not be placed."""
        for running in self._desk.slots.of_job(job.id):
            if running.delivery is not None and not self._deliveries.retry(running):
                self._give_up(running, f"its output cannot be stored: {running.delivery.error}")

    def _conclude(self, running: Running, report: TaskReport | None) -> None:
        if report is not None:
            self._end(running, Account(Stage.DONE, 1.0, report))

    def failed(self, event: AttemptFailed) -> None:
        """Take in that user code or user data is at fault."""
        running = self._desk.slots.running.get(event.attempt)
        if running is not None:
            self._end(running, Account(Stage.FAILED, running.fraction, error=event.error))

    def lost(self, event: AttemptLost) -> None:
        """Take in that an attempt ended through no fault of the user's, and which runs can be had nowhere."""
        running = self._desk.slots.running.get(event.attempt)
        if running is None:
            return
        job = self._desk.jobs[running.job]
        for split in event.missing:
            self._lose_runs(job, running, split)
        self._give_up(running, event.reason)

    def _lose_runs(self, job: Job, running: Running, split: int) -> None:
        if not 0 <= split < len(job.record.splits):
            return
        sealed = job.sealed(Phase.MAP, split)
        tried = {attempt for remade, attempt in running.start.remade if remade == split}
        tried |= {sealed.attempt} if sealed is not None else set()
        for attempt, account in list(job.table.row(Phase.MAP, split).items()):
            if account.stage is Stage.DONE and (attempt in tried or not self._desk.flock.runs(attempt)):
                self._lose(job, split, attempt, account.report)
        if sealed is not None and sealed.attempt not in job.table.row(Phase.MAP, split):
            self._lose(job, split, sealed.attempt, None)

    def _lose(self, job: Job, split: int, attempt: Attempt, report: TaskReport | None) -> None:
        self._desk.claim(job, Phase.MAP, split, attempt, Account(Stage.LOST, 1.0, report))

    def _give_up(self, running: Running, reason: str) -> None:
        title = task_title(running.phase, running.task)
        self._desk.backoffs.lost(self._desk.now, running.job, running.phase, running.task, f"{title}: {reason}")
        self._release(running)

    # --- stopping ---

    def reconsider(self, job: Job) -> None:
        """Stop what has become useless in a job that has changed, and dismiss its user code when it is over."""
        over = job.killed or not job.live
        now, patience_s, moved = self._desk.now, self._desk.settings.ahead_patience_s, job.take_moved()
        for handful in self._desk.slots.handfuls_of(job.id):
            is_late, moved_here = handful.has_waited(now, patience_s), moved[handful.phase]
            concerned = [task for task in handful.open if over or is_late or task in moved_here]
            for task in concerned:
                running = handful.open[task]
                is_useless = task in moved_here and self._is_useless(job, running)
                if over or is_useless or (is_late and not running.has_begun):
                    self._desk.emit(StopAttempt(attempt=running.attempt))
                    self._release(running)
        if over and not job.dismissed:
            job.dismissed = True
            self._desk.emit(DismissJob(job=job.id))

    def release_all(self) -> None:
        """Leave all attempts to others, for this peer ends."""
        self._desk.stops = True
        for running in list(self._desk.slots.running.values()):
            self._desk.emit(StopAttempt(attempt=running.attempt))
            self._release(running)

    def _is_useless(self, job: Job, running: Running) -> bool:
        if running.task in job.boards[running.phase].results:
            return True
        if running.fraction > self._desk.settings.nearly_done:
            return False
        row = job.table.row(running.phase, running.task)
        if len(row) == 1:
            return False
        is_speculative = running.attempt.speculative
        rivals = [at for at in active_attempts(row, self._desk.flock) if at.speculative is is_speculative]
        winner = min(rivals, key=lambda rival: attempt_lot(job.id, running.phase, running.task, rival))
        return winner != running.attempt

    def _release(self, running: Running) -> None:
        self._end(running, Account(Stage.RELEASED, running.fraction, ran_ms=running.ran_ms(self._desk.now)))

    def _end(self, running: Running, account: Account) -> None:
        self._desk.slots.drop(self._desk.now, running)
        has_more = account.stage is Stage.DONE and running.handful.at_hand is not None
        self._account(running, account, can_wait=has_more)
        self._desk.touch(self._desk.jobs[running.job])

    def _account(self, running: Running, account: Account, *, can_wait: bool = False) -> None:
        job = self._desk.jobs[running.job]
        self._desk.claim(job, running.phase, running.task, running.attempt, account, can_wait=can_wait)
