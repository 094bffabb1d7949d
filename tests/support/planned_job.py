"""A whole job in this process: planned as the client does, its attempts carried out one after the other."""

from pathlib import Path
from types import SimpleNamespace

from murmuration.client.jobs.inputs import LocalInput
from murmuration.client.jobs.options import JobOptions
from murmuration.client.jobs.planning import Planner
from murmuration.client.progress import Silence
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.reducing import ReduceAttempt
from murmuration.node.executor.tasks import Extent, MapTask, ReduceTask, RunSegment, load_order
from murmuration.ring.terms import Source
from murmuration.scheduling.jobs import JobRecord, Program


class PlannedJob:
    """A job over some local files, by their contents."""

    def __init__(self, folder: Path, source: str, files: dict[str, bytes], *, memory: int = 1 << 29, **choices: object):
        self.folder = folder
        self.memory = memory
        inputs = []
        for name, content in files.items():
            (folder / name).write_bytes(content)
            inputs.append(LocalInput(name=name, path=folder / name, size=len(content)))
        session = SimpleNamespace(source=lambda path: Source(url="tcp://here", ref="", host="", path=str(path)))
        program = Program("source", "job.py", source.encode())
        planner = Planner(None, session, 2, Silence())  # type: ignore[arg-type]
        self.record = planner.plan(program, inputs, "", JobOptions(**choices))  # type: ignore[arg-type]
        self.load = load_order(self.record, "p")
        self.done: list = []

    def with_cuts(self, *cuts: bytes) -> "PlannedJob":
        """Deal by ranges."""
        self.load = _with(self.load, cuts=cuts)
        return self

    def map(self, **more: object) -> list:
        """Carry out all map attempts."""
        self.load = _with(self.load, memory_per_task=self.memory)
        self.done = [self._mapped(number, **more) for number in range(len(self.record.splits))]
        return self.done

    def parts(self, **more: object) -> list[bytes]:
        """Give the parts of the output."""
        self.map(**more)
        if not self.load.partitions:
            return [self._run(number).read_bytes() for number in range(len(self.done))]
        runs = tuple(RunSegment(at, str(self._run(at)), done.digest) for at, done in enumerate(self.done))
        return [self._reduced(number, runs) for number in range(self.load.partitions)]

    def program(self):
        """Load the program anew, as an executor does."""
        load = self.load
        return load_program(load.program, input_format=load.input_format, output_format=load.output_format)

    def task(self, number: int, **more: object) -> MapTask:
        """Give a map task."""
        return map_task(self.record, number, output=str(self._run(number)), **more)

    def _run(self, number: int) -> Path:
        return self.folder / f"{number}.run"

    def _mapped(self, number: int, **more: object):
        return MapAttempt(self.program(), self.load, self.task(number, **more)).carry_out()

    def _reduced(self, number: int, runs: tuple[RunSegment, ...]) -> bytes:
        output = self.folder / f"part{number}"
        ReduceAttempt(self.program(), self.load, ReduceTask("r", number, runs, str(output))).carry_out()
        return output.read_bytes()


def map_task(record: JobRecord, number: int, **more: object) -> MapTask:
    """Give an attempt at a split of local files its order."""
    split = record.splits[number]
    file = record.files[split.file]
    assert file.source is not None
    head, body, tail = (
        (Extent(file.source.path, begin, end - begin),) if begin < end else () for begin, end in file.ranges(split)
    )
    return MapTask(f"m{number}", number, file.name, split.first_line, split.begin, body, head=head, tail=tail, **more)


def _with(load, **changes):
    from msgspec.structs import replace

    return replace(load, **changes)
