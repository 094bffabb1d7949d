"""Follow a job to its end and end as it did: what `submit`, `run`, `attach` and `wait` share."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...scheduling.jobs import JobState
from ..jobs.output import NOWHERE, STDOUT, is_local
from ..units import format_time
from .documents import job_document, print_json
from .exits import DONE, INTERRUPTED, Exit

if TYPE_CHECKING:
    from ...scheduling.status import JobStatus
    from ..api import Client
    from ..jobs.job import Job


def follow_to_end(job: "Job", *, plain: bool, ours: bool = False) -> None:
    """Show a job until it ends; on a terminal Ctrl-C asks whether to leave or to kill it.

    A job of a private cluster (`ours`) cannot be left: Ctrl-C ends both.

    Raises:
        Exit: the user has left the job, which goes on.
    """
    from ..view.loop import follow

    while True:
        try:
            follow(job.watch(), plain=plain)
        except KeyboardInterrupt:
            if ours:
                raise
            _answer_interrupt(job)
        else:
            return


def _answer_interrupt(job: "Job") -> None:
    going_on = f"job {job.id} goes on; follow it with `murmur attach {job.id}`"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Exit(INTERRUPTED, going_on)
    choice = click.prompt(f"job {job.id}: detach, kill or continue", type=click.Choice(list("dkc")), err=True)
    if choice == "k":
        job.kill()
    elif choice == "d":
        raise Exit(DONE, going_on)


def conclude(client: "Client", job: "Job", *, as_json: bool, overwrite: bool = False) -> None:
    """Receive the output of an ended job where its submitter wanted it, and end as the job did.

    With `as_json` the job's document goes to stdout, even if the job failed, and its output never does.

    Raises:
        JobFailed: its code or data is at fault.
        JobKilled: somebody killed it.
    """
    status = job.status
    if as_json:
        print_json(job_document(status))
    needless = (as_json and status.output == STDOUT) or (not overwrite and is_received(job, status))
    (client.job(job.id) if needless else job).finish()
    where = f"; output in {status.output}" if status.output not in (NOWHERE, STDOUT) else ""
    near = f"; {status.local_bytes / status.bytes:.0%} of input bytes read locally" if status.local_bytes else ""
    click.echo(f"job {status.name} ({job.id}) done after {format_time(status.elapsed_s)}{where}{near}", err=True)


def is_received(job: "Job", status: "JobStatus") -> bool:
    """Tell whether a client that followed the same job has brought its output to its local place already."""
    place = Path(status.output)
    if status.state is not JobState.DONE or not is_local(status.output) or not place.is_dir():
        return False
    wanted = {part.name: part.size for part in (*job.parts(), *job.side_files())}
    return bool(wanted) and {file.name: file.stat().st_size for file in place.iterdir()} == wanted
