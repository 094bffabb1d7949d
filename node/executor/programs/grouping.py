"""Let a reducer see several keys as one group: with the sorted order of keys, this is a secondary sort.

Keys are sorted whole, but dealt to partitions and grouped by what the program's `grouping(key)` makes of them. So with
keys (user, time) and a grouping by user, one call of `reduce` gets the values of a user in the order of time.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from ..faults.wording import blaming_user
from .program_api import Reducer

Grouping = Callable[[Any], Any]


def grouped(reducer: type[Reducer], grouping: Grouping) -> type[Reducer]:
    """Make a reducer that calls the program's own once for each group."""
    return type("GroupedReducer", (GroupedReducer,), {"own": reducer, "grouping": staticmethod(grouping)})


class GroupedReducer(Reducer):
    """Calls `own` with the values of all keys of a group."""

    own: ClassVar[type[Reducer]]

    @staticmethod
    def grouping(key: Any) -> Any:
        """Give the group of a key; `grouped` puts the program's function here."""
        raise NotImplementedError

    def setup(self) -> None:
        """Make the program's own reducer ready."""
        self._own = self.own()
        self._own.context = self.context
        self._own.setup()
        self._group: Any = None
        self._values: list[Any] = []

    def reduce(self, key: Any, values: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
        """Gather the values of a group; with the first key of the next one, the group before is reduced."""
        group = self.grouping(key)
        if self._values and group == self._group:
            self._values += values
            return ()
        pairs = self._reduced()
        self._group, self._values = group, list(values)
        return pairs

    def cleanup(self) -> Iterator[tuple[Any, Any]]:
        """Reduce the last group, and let the program's own reducer end."""
        yield from self._reduced()
        yield from self._own.cleanup() or ()

    def _reduced(self) -> list[tuple[Any, Any]]:
        """Reduce the group at hand; it, and not the key that ended it, is to blame for an error."""
        if not self._values:
            return []
        with blaming_user(record=self._group):
            return list(self._own.reduce(self._group, self._values) or ())
