"""Sample the keys that a mapper gives: map some records of a split, and give some of the keys, encoded, as lines.

Which ones depends on the split alone, so every attempt at it gives the same.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import log
from random import Random
from typing import Any, ClassVar

from ...scheduling.jobs import Sampling
from ...scheduling.partitioners import canonical
from .batches.layout import fixed_layout
from .batches.passing import BatchEmit
from .batches.reading import picked
from .programs.program import UserProgram
from .programs.program_api import Mapper
from .shuffle.combining import Emit, called_with_both, paired


def sampled(program: UserProgram, sampling: Sampling) -> UserProgram:
    """Make of a program one that samples what it would sort by, a line of hexadecimal digits for each key."""
    parts: dict[str, Any] = {"own": program.mapper, "sampling": sampling}
    if program.grouping is not None:
        parts["dealt_by"] = staticmethod(program.grouping)
    kind: type[_SamplingMapper] = _SamplingMapper
    if program.batchwise:
        kind = _BatchSamplingMapper
        fixed = fixed_layout(program.input_format)
        parts["key_bytes"] = fixed[1] if fixed is not None else None
    mapper = type("SamplingMapper", (kind,), parts)
    return replace(
        program, mapper=mapper, reducer=None, combiner=None, output_format="values", source=None, grouping=None
    )


class _SamplingMapper(Mapper):
    own: ClassVar[type[Mapper]]
    sampling: ClassVar[Sampling]

    @staticmethod
    def dealt_by(key: Any) -> Any:
        """Give what of a key counts; `sampled` puts the program's grouping here."""
        return key

    def setup(self) -> None:
        self._mapper = self.own()
        self._mapper.context = self.context
        self._mapper.setup()
        self._emit = self._emit_of(self._mapper)
        self._chance = Random(self.context.split)
        self._left = self._gap()
        self._seen = 0
        self._keys: list[Any] = []

    def _emit_of(self, mapper: Mapper) -> Emit:
        return called_with_both(mapper.map, mapper.map)

    def map(self, key: Any, value: Any) -> None:
        """Pass over a record, or map it and note its keys."""
        if self._left:
            self._left -= 1
        else:
            self._left = self._gap()
            self._note(self._emit(key, value))

    def cleanup(self) -> Iterator[tuple[None, str]]:
        self._note(self._mapper.cleanup())
        for key in self._keys:
            yield None, canonical(key).hex()

    def _gap(self) -> int:
        """Draw how many records are passed over: as if each had been chosen, or not, by itself."""
        rate = self.sampling.rate
        return 0 if rate >= 1 else int(log(1 - self._chance.random()) / log(1 - rate))

    def _note(self, pairs: Any) -> None:
        """Keep keys while there is room, and then each new one in place of an old one, as likely as all before it."""
        for key, _ in map(paired, pairs or ()):
            self._seen += 1
            if len(self._keys) < self.sampling.keys:
                self._keys.append(self.dealt_by(key))
            elif (place := self._chance.randrange(self._seen)) < self.sampling.keys:
                self._keys[place] = self.dealt_by(key)


class _BatchSamplingMapper(_SamplingMapper):
    key_bytes: ClassVar[int | None]

    def _emit_of(self, mapper: Mapper) -> Emit:
        return BatchEmit(mapper.map_batch, self.key_bytes)

    def map_batch(self, batch: Any) -> None:
        """Map some of the records of a batch, as a batch, and note their keys."""
        places = self._places(len(batch))
        if places:
            self._note(self._emit(None, picked(batch, places)))

    def _places(self, records: int) -> list[int]:
        """Choose records of the next batch."""
        places = []
        place = self._left
        while place < records:
            places.append(place)
            place += 1 + self._gap()
        self._left = place - records
        return places
