"""Run a split of a job again, here: `murmur debug`."""

import os
from typing import TYPE_CHECKING

import click

from ...ring.errors import CallerError
from .options import connect, examples, peer_option

if TYPE_CHECKING:
    from ..jobs.job import Job


@click.command(
    epilog=examples(
        "murmur debug @          the split that the newest job failed at",
        "murmur debug @ 3        split 3 of the newest job",
    )
)
@click.argument("job", metavar="JOB")
@click.argument("split", metavar="[SPLIT]", type=click.IntRange(min=0), required=False)
@peer_option
def debug(job: str, split: int | None, *, peers: tuple[str, ...]) -> None:
    """Run one SPLIT of JOB again in this process: what it prints is seen, and pdb opens where it fails.

    Its program and its input are fetched from where the job had them; nothing that it gives is kept. Without SPLIT it
    is the one that the job failed at.
    """
    with connect(peers) as client:
        found = client.job(job)
        command = client.rehearsal(found, _failed_split(found) if split is None else split)
    os.execv(command[0], command)


def _failed_split(job: "Job") -> int:
    """Tell at which split a job failed; a partition's error names no file."""
    ending = job.status.ending
    if ending is None or ending.error is None or ending.split < 0 or not ending.error.file:
        raise CallerError(f"job {job.id} did not fail at a record: name a split, as `murmur debug {job.id} 0`")
    return ending.split
