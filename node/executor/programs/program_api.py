"""Give user programs the two classes to subclass, and the context in which their code runs."""

import sys
from collections.abc import Iterable, Mapping
from typing import IO, Any

from .side_files import SideFiles

COUNTERS_MAX = 128
COUNTER_NAME_MAX = 128
"""Both limits keep the report of an attempt small: it travels with every gossip of the claim table."""


class Counter:
    """A number that an attempt adds to; the job's counters are the sums over the attempts that count."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def increment(self, n: int = 1) -> None:
        """Add `n`."""
        self.value += n


class Context:
    """What user code can learn of the attempt it runs in, and tell about it.

    `split` is the number of the split, or of the partition in a reduce attempt; `file` the input file's name, empty
    in a reduce attempt.
    """

    def __init__(
        self,
        *,
        job_id: str,
        peer: str,
        attempt: str,
        split: int,
        params: Mapping[str, str],
        file: str = "",
        side_files: SideFiles | None = None,
    ) -> None:
        self.job_id = job_id
        self.peer = peer
        self.attempt = attempt
        self.split = split
        self.params = params
        self.file = file
        self.fraction = 0.0
        self._side_files = side_files
        self._counters: dict[str, Counter] = {}

    def counter(self, name: str) -> Counter:
        """Give the counter of that name, made at its first use.

        Raises `ValueError` if the name is longer than 128 characters, or is the attempt's 129th.
        """
        found = self._counters.get(name)
        if found is None:
            if len(name) > COUNTER_NAME_MAX:
                raise ValueError(f"a counter's name has at most {COUNTER_NAME_MAX} characters: {name[:40]!r}...")
            if len(self._counters) == COUNTERS_MAX:
                raise ValueError(f"an attempt has at most {COUNTERS_MAX} counters; {name!r} is one too many")
            found = self._counters[name] = Counter()
        return found

    def open(self, name: str, mode: str = "w") -> IO[Any]:
        """Open a file beside the output for writing, as text (UTF-8) or bytes; it is kept only if the attempt counts.

        In the output it is called `_STEM-m-00003.SUFFIX`, by the split, or `-r-` and the partition: so attempts never
        write the same file. Raises `ValueError` for a name or a mode that cannot be.
        """
        if self._side_files is None:
            raise ValueError("there are no side files here")
        return self._side_files.open(name, mode)

    def progress(self, fraction: float) -> None:
        """Tell how far the attempt is, from 0 to 1, where that is not plain from the input read."""
        self.fraction = min(max(float(fraction), 0.0), 1.0)

    def log(self, *things: object) -> None:
        """Write a line to the attempt's log, which `murmur logs` shows."""
        sys.stderr.write(" ".join(map(str, things)) + "\n")

    def counts(self) -> dict[str, int]:
        """Give all counters by name."""
        return {name: int(counter.value) for name, counter in sorted(self._counters.items())}


class Mapper:
    """Turns each record of the input into pairs of key and value; subclass it and write `map`, or `map_batch`.

    One object serves one attempt. `cleanup` may give pairs as `map` does.
    """

    context: Context

    def setup(self) -> None:
        """Get ready; called once, before the first record."""

    def map(self, key: Any, value: Any) -> Iterable[tuple[Any, Any]] | None:
        """Give the pairs that come of one record; None means no pairs."""
        raise NotImplementedError(f"{type(self).__name__} has no method map(self, key, value)")

    def map_batch(self, batch: Any) -> Any:
        """Give the pairs that come of many records, in place of `map`: as an iterable, or as a dict of them.

        A batch is what the input format makes of about 1 MiB: lines, a numpy array, or an Arrow table. The batch
        itself, given back, passes all its records on, and so does another array or table. None means no pairs.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method map_batch(self, batch)")

    def cleanup(self) -> Iterable[tuple[Any, Any]] | None:
        """Finish; called once, after the last record."""


class Reducer:
    """Turns a key and all its values into pairs of key and value; subclass it and write `reduce`.

    One object serves one attempt. Keys come in order; the values of a key in the order of the input: as a list, or, if
    they would take more than a sixteenth of the job's `--memory-per-task`, as an iterator to go through once. As a
    combiner it is called any number of times for a key, or never, with some of the values, and must give pairs with the
    same key.
    """

    context: Context

    def setup(self) -> None:
        """Get ready; called once, before the first key."""

    def reduce(self, key: Any, values: Iterable[Any]) -> Iterable[tuple[Any, Any]] | None:
        """Give the pairs that come of one key; None means no pairs."""
        raise NotImplementedError(f"{type(self).__name__} has no method reduce(self, key, values)")

    def cleanup(self) -> Iterable[tuple[Any, Any]] | None:
        """Finish; called once, after the last key."""


class IdentityMapper(Mapper):
    """Passes each record on: for a job that only sorts or reduces."""

    def map(self, key: Any, value: Any) -> Iterable[tuple[Any, Any]]:
        """Give the record as it is."""
        return ((key, value),)


class PassingMapper(Mapper):
    """Passes records of one length on, many at once: what `identity` is for these."""

    def map_batch(self, batch: Any) -> Any:
        """Give the batch as it is."""
        return batch


class IdentityReducer(Reducer):
    """Passes each pair on, sorted by key."""

    def reduce(self, key: Any, values: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
        """Give each value under its key."""
        return [(key, value) for value in values]
