"""Go through a split carefully, once an attempt at it has failed: set bad records aside, and note which is at hand."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from ....scheduling.jobs import DIED
from ....scheduling.partitioners import canonical
from ..formats.formats import ReadLine, line_format
from ..programs.program import UserProgram
from ..programs.program_api import Mapper
from ..shuffle.combining import called_with_both, paired
from ..tasks import LoadProgram, MapTask
from .line_note import LineNote
from .quarantine import Quarantine, shown
from .wording import UserFault, fault, fault_of

NEEDS_MAP = "--skip-bad-records needs a mapper that gets one record at a time"


def check_skipping(program: UserProgram, job: LoadProgram) -> None:
    """Raise `UserFault` if bad records are to be skipped, and the program does not take them one by one."""
    if job.skip_bad_records and program.batchwise:
        raise fault(
            "BadProgram", NEEDS_MAP, hint="write map(key, value) in place of map_batch, or leave the option out"
        )


def careful(program: UserProgram, job: LoadProgram, task: MapTask) -> UserProgram:
    """Make of a program one that survives bad records of this split, as many as the job allows.

    Lines are read as bytes then: so one that the input format cannot make a record of is a bad record as well.
    """
    reads = line_format(program.input_format, task)
    parts = {"own": program.mapper, "job": job, "task": task, "reads": reads and staticmethod(reads)}
    mapper = type("CarefulMapper", (_CarefulMapper,), parts)
    return replace(program, mapper=mapper, source=None, input_format="bytes-lines" if reads else program.input_format)


class _CarefulMapper(Mapper):
    own: ClassVar[type[Mapper]]
    job: ClassVar[LoadProgram]
    task: ClassVar[MapTask]
    reads: ReadLine | None

    def setup(self) -> None:
        self._mapper = self.own()
        self._mapper.context = self.context
        self._mapper.setup()
        self._emit = called_with_both(self._mapper.map, self._mapper.map)
        self._line = self.task.first_line - 1
        self._left_out = frozenset(self.task.skip or ())
        self._note = LineNote(self.task.note)
        self._quarantine = Quarantine(self.context, self.job.skip_bad_records)

    def map(self, key: Any, value: Any) -> Iterable[tuple[Any, Any]]:
        """Map a record, or set it aside: none of its pairs counts then."""
        self._line += 1
        if self._line in self._left_out:
            where = {"file": self.task.file, "line": self._line, "record": value}
            self._set_aside(value, fault(DIED, "it has killed its process before", **where))
            return ()
        self._note.write(self._line)
        try:
            return self._pairs(key, value)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is set down with the record
            self._set_aside(value, fault_of(error, file=self.task.file, line=self._line, record=value))
            return ()

    def _pairs(self, key: Any, value: Any) -> list[tuple[Any, Any]]:
        """Map a record to pairs that can be part of the output."""
        if self.reads is not None:
            record = self.reads(key, value)
            if record is None:
                return []
            key, value = record
        pairs = [(k, v) for k, v in map(paired, self._emit(key, value) or ())]
        for k, _ in pairs if self.job.partitions else ():
            canonical(k)
        return pairs

    def cleanup(self) -> Iterable[tuple[Any, Any]] | None:
        self._note.write(0)
        return self._mapper.cleanup()

    def _set_aside(self, value: Any, why: UserFault) -> None:
        self._quarantine.take(why, {"file": self.task.file, "line": self._line}, {"record": shown(value)})
