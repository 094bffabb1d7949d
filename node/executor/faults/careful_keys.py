"""Go through a partition carefully, once an attempt at it has failed: set bad keys aside, and note which is at hand.

A key is known by its number in the order of the partition's keys, from 1, as a record is by its line: for the runs that
a partition is made of are sealed, each attempt sees the same keys in the same order.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from ....scheduling.jobs import DIED
from ..programs.grouping import GroupedReducer
from ..programs.program_api import Reducer
from ..programs.streaming import StreamReducer
from ..shuffle.combining import paired
from ..tasks import LoadProgram, ReduceTask
from .line_note import LineNote
from .quarantine import Quarantine, shown
from .wording import InputUnreadable, fault, fault_of


def careful_reducer(reducer: type[Reducer], job: LoadProgram, task: ReduceTask) -> type[Reducer]:
    """Make of a reducer one that survives bad keys, as many as the job allows; a group of several is one key.

    A command is fed all keys and tells nothing of each: it stays as it is.
    """
    if issubclass(reducer, StreamReducer):
        return reducer
    if issubclass(reducer, GroupedReducer):
        return type(reducer.__name__, (reducer,), {"own": careful_reducer(reducer.own, job, task)})
    return type("CarefulReducer", (_CarefulReducer,), {"own": reducer, "job": job, "task": task})


class _CarefulReducer(Reducer):
    own: ClassVar[type[Reducer]]
    job: ClassVar[LoadProgram]
    task: ClassVar[ReduceTask]

    def setup(self) -> None:
        self._reducer = self.own()
        self._reducer.context = self.context
        self._reducer.setup()
        self._number = 0
        self._left_out = frozenset(self.task.skip or ())
        self._note = LineNote(self.task.note)
        self._quarantine = Quarantine(self.context, self.job.skip_bad_records)

    def reduce(self, key: Any, values: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
        """Reduce a key, or set it aside: none of its pairs counts then."""
        self._number += 1
        place, name = {"partition": self.task.partition}, {"key": shown(key)}
        if self._number in self._left_out:
            self._quarantine.take(fault(DIED, "it has killed its process before", record=key), place, name)
            return ()
        self._note.write(self._number)
        try:
            return [(k, v) for k, v in map(paired, self._reducer.reduce(key, values) or ())]
        except InputUnreadable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is set down with the key
            self._quarantine.take(fault_of(error, record=key), place, name)
            return ()

    def cleanup(self) -> Iterable[tuple[Any, Any]] | None:
        self._note.write(0)
        return self._reducer.cleanup()
