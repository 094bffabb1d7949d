"""Run the steps of a program one after the other: each is a job, and reads what the one before has written."""

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, Unpack

from msgspec.structs import replace

from ...ring.errors import CallerError
from ...scheduling.jobs import JobSpec, Program
from ...scheduling.status import JobStatus
from ..progress import Progress
from ..store.files import RingFiles
from ..store.paths import parent_of
from .job import Job
from .options import JobChoices
from .programs import declared, declared_number, step_names

BETWEEN = "ring:/.steps"
"""Where the steps of all chains write what the next step reads: one directory for each chain, which ends with it."""

NEXT_FORMAT = "key-value"
"""How a step reads the text that the one before has written, unless it says otherwise."""


class Submitter(Protocol):
    """What a chain needs of a client."""

    @property
    def fs(self) -> RingFiles:
        """Reach the files in the ring."""

    def job(self, ref: str) -> Job:
        """Find a job."""

    def jobs(self) -> tuple[JobStatus, ...]:
        """List the jobs."""

    def submit(
        self,
        program: Program,
        inputs: Sequence[str],
        output: str,
        *,
        overwrite: bool,
        progress: Progress | None,
        stdout: BinaryIO | None,
        **choices: Unpack[JobChoices],
    ) -> Job:
        """Start a job."""


class Chain:
    """The jobs of a program's steps; going through it submits each once the one before is done."""

    def __init__(
        self,
        client: Submitter,
        program: Program,
        inputs: Sequence[str],
        output: str,
        choices: JobChoices,
        *,
        overwrite: bool = False,
        progress: Progress | None = None,
        stdout: BinaryIO | None = None,
    ) -> None:
        """Describe it; raises `CallerError` if the program's steps cannot be told."""
        count = len(step_names(program)) if "::" not in program.name else 0
        self._client = client
        self._program = program
        self._steps = [replace(program, name=f"{program.name}::{n}") for n in range(1, count + 1)] or [program]
        self._inputs = inputs
        self._output = output
        self._choices = choices
        self._overwrite = overwrite
        self._progress = progress
        self._stdout = stdout
        self._directory = f"{BETWEEN}/{secrets.token_hex(8)}"
        self._begun = 0

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def at_last(self) -> bool:
        """Tell whether the job given last is the last step's."""
        return self._begun == len(self._steps)

    def take_up(self, spec: JobSpec) -> None:
        """Go on where the chain of that job was left.

        Raises:
            CallerError: the job is no step whose output a next step reads, or of another program.
        """
        if not spec.output.startswith(f"{BETWEEN}/"):
            raise CallerError(f"job {spec.name} is no step of a chain that can be taken up; name its first job")
        if spec.program.body != self._program.body:
            raise CallerError(f"job {spec.name} is a step of another program, or of this one before it was changed")
        self._directory = parent_of(spec.output)

    def __iter__(self) -> Iterator[Job]:
        """Give the job of each step that has still to be done.

        What the steps hand on is removed once the caller has come back from the last job, and that is done. If one
        fails it stays, for a chain that takes this one up.
        """
        source = self._inputs
        for number, step in enumerate(self._steps, 1):
            self._begun = number
            place = self._output if self.at_last else f"{self._directory}/{number}"
            if self.at_last or not self._client.fs.exists(place):
                job = self._running(place) or self._submit(number, step, source, place)
                yield job
                job.finish()
            source = [place]
        if len(self) > 1:
            self._client.fs.rm(self._directory, recursive=True)

    def wait(self) -> Job:
        """Run all steps to their ends and give the last one's job; raises as `Job.wait`."""
        for job in self:
            job.wait()
        return job

    def _running(self, place: str) -> Job | None:
        """Find the job that a chain which was left had begun."""
        if self.at_last:
            return None
        same = (status.id for status in self._client.jobs() if status.output == place and not status.state.ended)
        return next(map(self._client.job, same), None)

    def _submit(self, number: int, step: Program, source: Sequence[str], place: str) -> Job:
        return self._client.submit(
            step,
            source,
            place,
            overwrite=self._overwrite and self.at_last,
            progress=self._progress,
            stdout=self._stdout,
            **self._chosen(number, step),
        )

    def _chosen(self, number: int, step: Program) -> JobChoices:
        """Settle what is chosen for a step: formats of the outer ends and the splits are the caller's to choose."""
        chosen = self._choices.copy()
        if len(self) == 1:
            return chosen
        chosen["name"] = f"{chosen.get('name') or Path(self._program.name).stem[:100]}-{number}"
        own = declared_number(step, "reducers")
        if own is not None:
            chosen["reducers"] = own
        if number > 1:
            chosen["input_format"] = declared(step, "input_format") or NEXT_FORMAT
            chosen.pop("splits", None)
        if not self.at_last:
            chosen.pop("output_format", None)
            chosen.pop("output_names", None)
            chosen.pop("total_order", None)
        return chosen
