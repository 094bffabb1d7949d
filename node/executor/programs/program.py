"""Load a user's program: find its mapper, its reducer and its settings, or say plainly what is missing."""

import linecache
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import decode_source
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

from ....scheduling.jobs import Program
from ..batches.layout import fixed_layout
from ..faults.wording import UserFault, fault, fault_of
from .aggregations import NAMES, Aggregation, aggregation
from .grouping import Grouping, grouped
from .program_api import IdentityMapper, IdentityReducer, Mapper, PassingMapper, Reducer

MODULE = "murmuration_program"
"""Name of the module that a program becomes: its own name could hide a module that it imports."""

DEFAULT_FORMAT = "text"

IDENTITY = "identity"
"""The name of the mapper, and of the reducer, that passes everything on."""

Part = TypeVar("Part", Mapper, Reducer)
Partitioner = Callable[[Any, int], int]
Reduction = type[Reducer] | Aggregation


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A program's file: the name that tracebacks show, its text, and what it was compiled to."""

    name: str
    text: str
    code: CodeType


@dataclass(frozen=True, slots=True, kw_only=True)
class UserProgram:
    """What a job runs; without a reducer, the pairs themselves are the output. Only a file has a source."""

    mapper: type[Mapper]
    reducer: Reduction | None
    combiner: Reduction | None
    partitioner: Partitioner | None
    grouping: Grouping | None
    input_format: str
    output_format: str
    source: Source | None

    @property
    def batchwise(self) -> bool:
        """Tell whether the mapper takes many records at once."""
        return _writes(self.mapper, "map_batch")


def load_program(program: Program, *, input_format: str, output_format: str) -> UserProgram:
    """Run a program's file, or open its pickle or its commands, and find its parts.

    `FILE.py::CLASS` as the program's name chooses one mapper of several, `FILE.py::2` the second of its steps. A format
    that the job gives is taken before the program's own.

    Raises `UserFault` if it cannot be run, or lacks a part.
    """
    name, _, chosen = program.name.partition("::")
    source = _compiled(name, program.body) if program.kind == "source" else None
    found = _run(source) if source is not None else _opened(program)
    if chosen.isdigit():
        found, chosen = _step(name, found, int(chosen)), ""
    parts = _Parts(name, found, by_value=source is None)
    reducer = parts.reducer()
    grouping = parts.function("grouping")
    chosen_input = _chosen_format(input_format, found.get("input_format"))
    mapper = parts.mapper(chosen)
    if mapper is IdentityMapper and fixed_layout(chosen_input) is not None:
        mapper = PassingMapper
    return UserProgram(
        mapper=mapper,
        reducer=reducer if grouping is None else _grouped(name, reducer, grouping),
        combiner=parts.combiner(reducer),
        partitioner=parts.function("partitioner"),
        grouping=grouping,
        input_format=chosen_input,
        output_format=_chosen_format(output_format, found.get("output_format")),
        source=source,
    )


def _compiled(name: str, body: bytes) -> Source:
    """Compile the file, and put its lines where tracebacks look for them."""
    try:
        text = decode_source(body)
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        return Source(name=name, text=text, code=compile(text, name, "exec", dont_inherit=True))
    except BaseException as error:
        raise _with_caret(error, name) from error


def _run(source: Source) -> dict[str, Any]:
    """Run the file as a module."""
    module = ModuleType(MODULE)
    module.__file__ = source.name
    sys.modules[MODULE] = module
    try:
        exec(source.code, module.__dict__)
    except BaseException as error:
        raise _with_caret(error, source.name) from error
    return module.__dict__


def _with_caret(error: BaseException, name: str) -> UserFault:
    """Let a syntax error keep the lines that point at it: it has no frames, but they are the user's."""
    line = (error.lineno or 0) if isinstance(error, SyntaxError) else 0
    described = fault_of(error, file=name, line=line)
    if not isinstance(error, SyntaxError):
        return described
    return fault("SyntaxError", error.msg or "invalid syntax", file=name, line=line, record=described.error.message)


def _step(name: str, found: dict[str, Any], number: int) -> dict[str, Any]:
    """Give the parts that the step of this number defines, counted from 1."""
    steps = found.get("steps")
    if not isinstance(steps, (list, tuple)) or not 1 <= number <= len(steps):
        raise fault("BadProgram", f"{name} has no step {number}", hint="steps = [FIRST, SECOND] lists their classes")
    return dict(vars(steps[number - 1]))


def _opened(program: Program) -> dict[str, Any]:
    """Give the parts of a program that is no file."""
    if program.kind == "pickle":
        return _open_pickle(program.name, program.body)
    from .streaming import parts_of_commands  # late: only such jobs need what it imports

    return parts_of_commands(program.body)


def _open_pickle(name: str, body: bytes) -> dict[str, Any]:
    try:
        parts = pickle.loads(body)
    except BaseException as error:
        raise fault_of(error, file=name) from error
    if not isinstance(parts, dict):
        raise fault("BadProgram", f"{name} is a pickled {type(parts).__name__}, not a dict of map, reduce and so on")
    return parts


def _grouped(name: str, reducer: Reduction | None, grouping: Grouping) -> type[Reducer]:
    if isinstance(reducer, type):
        return grouped(reducer, grouping)
    raise fault("BadProgram", f"{name}: grouping(key) needs a reducer class or function, to call once for each group")


def _chosen_format(of_job: str, of_program: object) -> str:
    if of_job != DEFAULT_FORMAT or not isinstance(of_program, str):
        return of_job
    return of_program


class _Parts:
    """Looks through the names that a program defines."""

    def __init__(self, program: str, found: dict[str, Any], *, by_value: bool) -> None:
        self._program = program
        self._found = found
        self._by_value = by_value

    def mapper(self, chosen: str) -> type[Mapper]:
        """Find the mapper: the chosen class, what is named `mapper`, the only subclass, or a function.

        That is `map` or `map_batch`.
        """
        mapper = self._some_mapper(chosen)
        if _writes(mapper, "map") and _writes(mapper, "map_batch"):
            raise self._both(mapper.__name__)
        return mapper

    def _some_mapper(self, chosen: str) -> type[Mapper]:
        named = self._found.get(chosen or "mapper")
        if isinstance(named, type) and issubclass(named, Mapper):
            return named
        if named == IDENTITY:
            return IdentityMapper
        if chosen:
            raise fault("BadProgram", f"{self._program} has no mapper {chosen}: {self._what_is_there()}")
        only = self._only_class(Mapper)
        if only is not None:
            return only
        written = {name: function for name in ("map", "map_batch") if (function := self.function(name)) is not None}
        if len(written) > 1:
            raise self._both(self._program)
        if not written:
            raise fault(
                "BadProgram",
                f"{self._program} has no mapper: {self._what_is_there()}",
                hint="write a subclass of murmuration.Mapper with map(self, key, value), or a function map(key, value);"
                ' to reduce what is there already: mapper = "identity"',
            )
        return type("FunctionMapper", (Mapper,), {name: staticmethod(each) for name, each in written.items()})

    def _both(self, where: str) -> UserFault:
        return fault(
            "BadProgram",
            f"{where} has both map and map_batch",
            hint="write one of them: map gets one record at a time, map_batch many",
        )

    def reducer(self) -> Reduction | None:
        """Find the reducer: `reducer` or `reduce` as a class, function or name, or the only subclass; None if none."""
        for name in ("reducer", "reduce"):
            named = self._reduction(name)
            if named is not None:
                return named
        return self._only_class(Reducer)

    def combiner(self, reducer: Reduction | None) -> Reduction | None:
        """Find the combiner; a named aggregation as reducer brings its own."""
        if isinstance(reducer, Aggregation):
            return reducer
        combiner = self._reduction("combiner")
        if isinstance(combiner, Aggregation) and not combiner.closed:
            raise fault(
                "BadProgram",
                f"{self._program}: {combiner.name!r} cannot be a combiner, for it does not give what it takes",
                hint=f"make it the reducer: reducer = {combiner.name!r} brings its own combiner",
            )
        return combiner

    def function(self, name: str) -> Callable[..., Any] | None:
        """Find a function that the program defines under that name."""
        value = self._found.get(name)
        defined_here = self._by_value or getattr(value, "__module__", None) == MODULE
        return value if callable(value) and not isinstance(value, type) and defined_here else None

    def _reduction(self, name: str) -> Reduction | None:
        value = self._found.get(name)
        if isinstance(value, type) and issubclass(value, Reducer):
            return value
        if value == IDENTITY:
            return IdentityReducer
        if isinstance(value, str):
            known = aggregation(value)
            if known is None:
                names = ", ".join(NAMES)
                raise fault("BadProgram", f"{self._program}: {name} = {value!r} is no aggregation; there are {names}")
            return known
        function = self.function(name)
        return _reducer_of(function) if function is not None else None

    def _only_class(self, kind: type[Part]) -> type[Part] | None:
        """Find the one subclass of a kind; those that others build upon, and imported ones beside own, do not count."""
        known = {
            value: value.__module__ == MODULE
            for value in self._found.values()
            if isinstance(value, type) and issubclass(value, kind) and value is not kind
        }
        own = [value for value, is_own in known.items() if is_own] or list(known)
        leaves = [value for value in own if not any(other is not value and issubclass(other, value) for other in own)]
        if len(leaves) > 1:
            names = " and ".join(sorted(value.__name__ for value in leaves))
            word = kind.__name__.lower()
            raise fault(
                "BadProgram",
                f"{self._program} has {len(leaves)} {word}s: {names}",
                hint=f"say which: {word} = {leaves[0].__name__}",
            )
        return leaves[0] if leaves else None

    def _what_is_there(self) -> str:
        classes = [
            f"class {name}({', '.join(base.__name__ for base in value.__bases__)})"
            for name, value in self._found.items()
            if isinstance(value, type) and value.__module__ == MODULE
        ]
        functions = [
            f"function {name}"
            for name, value in self._found.items()
            if isinstance(value, FunctionType) and (self._by_value or value.__module__ == MODULE)
        ]
        return "found " + ", ".join((classes + functions)[:12]) if classes or functions else "it defines nothing"


def _writes(mapper: type[Mapper], method: str) -> bool:
    """Tell whether a mapper has a method of its own."""
    return getattr(mapper, method) is not getattr(Mapper, method)


def _reducer_of(function: Callable[..., Any]) -> type[Reducer]:
    return type("FunctionReducer", (Reducer,), {"reduce": staticmethod(function)})
