"""Play a script of the puppet language on a simulated cluster, and write down what a watcher would see.

The commands are those of live scripts. A simulated job counts words with two reducers, whatever file and mapper the
script names; its text is drawn from the file's name. All peers share one host, as on a live stage of one machine.
What a peer refuses on a live stage, as to start on another one's directory, fails the scenario here too.
"""

import random
from functools import partial

from ...scheduling.status import JobStatus, TaskState
from .. import faults
from ..faults import Fault
from ..language import commands
from ..language.commands import After, AtProgress, Command, Immediate
from ..language.script import Line, Script
from .cast import Cast, Submitted
from .check_jobs import job_violations
from .cluster import Cluster
from .conditions import Judge
from .injuries import inject
from .job_workload import SHARE, JobWorkload, some_job, some_text
from .schedule import SETTINGS
from .times import Pace
from .translation import OfCluster, Translator

ASK_EVERY_S = 0.05
CLIENT_PATIENCE_S = 0.5
"""A live client notices at once that a process has died, and so hears of a job's progress in time."""
START_S = 0.5
"""How long a process takes to start."""
WAIT_MAX_S = 600.0
LINES = 200
REDUCERS = 2


class Stage:
    """A simulated cluster under the hands of a puppet master; `transcript` grows as the script is played."""

    def __init__(self, script: Script, seed: int = 0, task_s: float = 0.5) -> None:
        self._workers = workers_of(script)
        names = list(dict.fromkeys(worker.id for worker in self._workers))
        self.cluster = Cluster(names, SETTINGS, seed, Pace(task_s=task_s), host="stage")
        self._cast = Cast(self.cluster)
        self.transcript: list[str] = [str(problem) for problem in script.problems]
        self.held = not script.problems
        self._script = script
        self._rng = random.Random(seed + 2)
        self._translator = Translator(self._cast.peer, self.cluster.disks.keys())

    def play(self) -> None:
        """Play all lines, and judge every job that has ended."""
        for line in self._script.lines:
            self._line(line)
        for number, job in enumerate(self._cast.jobs, start=1):
            expected = None
            for violation in job_violations(self.cluster, job.workload, job.text, expected):
                self._fail(f"job {number}: {violation}")
            self._sum_up(number, job)
        for violation in self.cluster.witness.violations:
            self._fail(violation)

    # --- what is written down ---

    def _write(self, text: str) -> None:
        self.transcript.append(f"{self.cluster.timeline.now:8.2f}  {text}")

    def _fail(self, text: str) -> None:
        self.held = False
        self._write(f"VIOLATED {text}")

    def _sum_up(self, number: int, job: Submitted) -> None:
        status = job.workload.status
        if status is None:
            self._write(f"job {number}: nothing is known")
            return
        duplicates = f"{status.attempts} attempts, {status.duplicates} duplicates"
        self._write(f"job {number}: {status.state.title}, epoch {status.epoch}, {duplicates}")

    def _tell_of(self, number: int, job: Submitted) -> None:
        """Tell of a job's state and tracker when the client hears of a change."""
        status = job.workload.status
        if status is None:
            return
        now = (status.state, status.tracker, status.epoch)
        if now not in job.told:
            job.told.add(now)
            self._write(f"  job {number} is {status.state.title}, tracked by {status.tracker} at epoch {status.epoch}")

    # --- the lines ---

    def _line(self, line: Line) -> None:
        self._write(line.text)
        self._command(line.command)
        if isinstance(line.command, commands.Worker | commands.Restart):
            self._let_pass(START_S)

    def _command(self, command: Command) -> None:
        cluster = self.cluster
        match command:
            case commands.Wait(seconds=seconds):
                self._let_pass(seconds)
            case commands.Join():
                if not cluster.run_until(cluster.all_joined, cluster.timeline.now + WAIT_MAX_S):
                    self._fail("the peers have not found each other")
            case commands.JoinJobs():
                cluster.run_until(
                    lambda: all(job.workload.ended for job in self._cast.jobs), cluster.timeline.now + WAIT_MAX_S
                )
            case commands.At():
                self._put_off(command)
            case _:
                self._now(command)

    def _let_pass(self, seconds: float) -> None:
        self.cluster.run_until(lambda: False, self.cluster.timeline.now + seconds)

    def _put_off(self, command: commands.At) -> None:
        match command.moment:
            case After(seconds=seconds):
                self.cluster.at(self.cluster.timeline.now + seconds, partial(self._late, command.command))
            case AtProgress() as moment:
                self._at_progress(moment, command.command)

    def _at_progress(self, moment: AtProgress, later: Immediate) -> None:
        job = self._cast.job(moment.job)
        due = [later]

        def look() -> None:
            if progress_of(job.workload.status) >= moment.share:
                self._late(due.pop())

        self.cluster.repeat(look, self.cluster.timeline.now, ASK_EVERY_S, until=lambda: not due or job.workload.ended)

    def _late(self, command: Immediate) -> None:
        self._write(f"it is time for {type(command).__name__.lower()}")
        self._now(command)

    def _now(self, command: Immediate) -> None:
        match command:
            case commands.Worker(id=name):
                disks = self.cluster.disks.items()
                self.cluster.boot(name, seeds=[other for other, disk in disks if disk.starts])
            case commands.Submit():
                self._submit(command)
            case commands.Status():
                self._status()
            case commands.Assert(condition=condition):
                found = Judge(self._cast).decide(condition)
                if found:
                    self._fail(f"the assertion: {found}")
            case _:
                self._inject(command)

    def _inject(self, command: OfCluster) -> None:
        for fault in self._translator.faults(command):
            refusal = self._refusal(fault)
            if refusal:
                self._fail(refusal)
                return
            inject(self.cluster, fault)
            title = faults.title_of(fault)
            is_usual = isinstance(fault, faults.SlowDisk) and not fault.delay_s
            if not is_usual and not self.transcript[-1].endswith(f"  {title}"):
                self._write(f"  {title}")

    def _refusal(self, fault: Fault) -> str:
        """Say why a fault cannot be: what the peer's state does not allow, or the peer itself refuses."""
        match fault:
            case faults.Snapshot(peer=peer) | faults.Spoil(peer=peer):
                process = self.cluster.running.get(peer)
                return f"{peer} runs" if process is not None and not process.frozen else ""
            case faults.Swap(peer=peer, other=other):
                running = [name for name in (peer, other) if name in self.cluster.running]
                return f"{running[0]} lives and has its files open" if running else ""
            case faults.Remove(peer=peer):
                return f"{peer} lives: only a dead peer is removed" if peer in self.cluster.running else ""
            case faults.Restart(peer=peer, old=True):
                return "" if peer in self.cluster.backups else f"there is no old directory of {peer}"
            case faults.Restart(peer=peer, empty=False):
                owner = self.cluster.disks[peer].owner
                return "" if owner in ("", peer) else f"{peer} does not start: its directory belongs to {owner}"
            case _:
                return ""

    def _submit(self, command: commands.Submit) -> None:
        rng = random.Random(command.file)
        text = some_text(rng, LINES)
        self.cluster.texts[SHARE] = text
        record = some_job(rng, text, command.splits, REDUCERS, command.output)
        entry = next((worker.id for worker in self._workers if worker.service.is_same(command.entry)), "")
        chance = random.Random(self._rng.getrandbits(48))
        workload = JobWorkload(self.cluster, record, chance, entry=entry, patience_s=CLIENT_PATIENCE_S)
        job = Submitted(workload, text, self.cluster.timeline.now)
        self._cast.jobs.append(job)
        number = len(self._cast.jobs)

        def step() -> None:
            workload.step()
            self._tell_of(number, job)

        self.cluster.repeat(step, self.cluster.timeline.now, ASK_EVERY_S, until=lambda: workload.ended)

    def _status(self) -> None:
        for name in self.cluster.disks:
            process = self.cluster.running.get(name)
            state = "dead" if process is None else "frozen" if process.frozen else "alive"
            self._write(f"  {name} is {state}, with {len(process.attempts) if process else 0} tasks")


def workers_of(script: Script) -> list[commands.Worker]:
    """List the peers that a script starts, at once or later."""
    found = (line.command.command if isinstance(line.command, commands.At) else line.command for line in script.lines)
    return [command for command in found if isinstance(command, commands.Worker)]


def progress_of(status: JobStatus | None) -> float:
    """Tell which share of a job's tasks is done."""
    if status is None:
        return 0.0
    cells = status.map_states + status.reduce_states
    return cells.count(TaskState.DONE) / len(cells)
