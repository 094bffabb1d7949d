"""Go through a split carefully, once an attempt at it has failed: set bad records aside, and note which is at hand."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from ...scheduling.replica.skipping import DIED, SKIPPED
from .combining import called_with_both, paired
from .faults import UserFault, fault, fault_of
from .line_note import LineNote
from .program import UserProgram
from .program_api import Mapper
from .tasks import MapTask

QUARANTINE = "quarantine.jsonl"
"""The side file in which records are set aside: a JSON object for each, with its place and what was wrong."""


def careful(program: UserProgram, task: MapTask, allowed: int) -> UserProgram:
    """Make of a program one that survives bad records of this split, as many as are allowed."""
    parts = {"own": program.mapper, "task": task, "allowed": allowed}
    return replace(program, mapper=type("CarefulMapper", (_CarefulMapper,), parts), source=None)


class _CarefulMapper(Mapper):
    own: ClassVar[type[Mapper]]
    task: ClassVar[MapTask]
    allowed: ClassVar[int]

    def setup(self) -> None:
        self._mapper = self.own()
        self._mapper.context = self.context
        self._mapper.setup()
        self._emit = called_with_both(self._mapper.map, self._mapper.map)
        self._line = self.task.first_line - 1
        self._left_out = frozenset(self.task.skip or ())
        self._note = LineNote(self.task.note)
        self._set_aside = 0

    def map(self, key: Any, value: Any) -> Iterable[tuple[Any, Any]]:
        """Map a record, or set it aside: none of its pairs counts then."""
        self._line += 1
        if self._line in self._left_out:
            where = {"file": self.task.file, "line": self._line, "record": value}
            self._quarantine(value, fault(DIED, "it has killed its process before", **where))
            return ()
        self._note.write(self._line)
        try:
            return [paired(pair) for pair in self._emit(key, value) or ()]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is set down with the record
            self._quarantine(value, fault_of(error, file=self.task.file, line=self._line, record=value))
            return ()

    def cleanup(self) -> Iterable[tuple[Any, Any]] | None:
        self._note.write(0)
        return self._mapper.cleanup()

    def _quarantine(self, value: Any, why: UserFault) -> None:
        self._set_aside += 1
        if self._set_aside > self.allowed:
            raise why
        self.context.counter(SKIPPED).increment()
        record = {
            "file": self.task.file,
            "line": self._line,
            "kind": why.error.kind,
            "message": why.error.message,
            "record": value if isinstance(value, str) else repr(value),
        }
        with self.context.open(QUARANTINE, "a") as file:
            file.write(json.dumps(record) + "\n")
