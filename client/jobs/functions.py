"""Pack plain functions by value as a program, so that they run where their modules are not installed."""

import contextlib
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

from ...ring.errors import CallerError
from ...scheduling.jobs import PROGRAM_BYTES_MAX, Program

UNPACKABLE = (pickle.PicklingError, TypeError, AttributeError, ValueError, ImportError, RecursionError)
"""What pickling raises at an object that has no value of its own: a socket, a lock, an open file."""

Function = Callable[..., Any]
Reduction = Function | str


def pack_functions(
    map_function: Function, reduction: Reduction | None = None, combiner: Reduction | None = None
) -> Program:
    """Pack a mapper and, as functions or by the names of aggregations, a reducer and a combiner; closures included.

    The modules that the functions are defined in go along by value, unless they are installed.

    Raises:
        CallerError: they cannot be packed, or are too large.
    """
    parts = {"map": map_function, "reduce": reduction, "combiner": combiner}
    present = {name: part for name, part in parts.items() if part is not None}
    try:
        with _by_value(present.values()):
            body = cloudpickle.dumps(present)
    except UNPACKABLE as error:
        raise CallerError(f"the functions cannot be sent to peers: {type(error).__name__}: {error}") from error
    if len(body) > PROGRAM_BYTES_MAX:
        raise CallerError(
            f"the functions weigh {len(body)} bytes with all they hold on to (at most {PROGRAM_BYTES_MAX}): "
            "put large things into a file that is input"
        )
    name = getattr(map_function, "__name__", "map")
    return Program(kind="pickle", name="map_reduce" if name == "<lambda>" else name[:512], body=body)


@contextlib.contextmanager
def _by_value(parts: Iterable[Reduction]) -> Iterator[None]:
    modules = {module.__name__: module for part in parts if (module := _own_module(part)) is not None}
    for module in modules.values():
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules.values():
            cloudpickle.unregister_pickle_by_value(module)


def _own_module(part: Reduction) -> ModuleType | None:
    """Find the user's own module that a function lives in; what is installed is installed at the peers as well."""
    module = sys.modules.get(getattr(part, "__module__", "") or "")
    file = getattr(module, "__file__", None)
    if module is None or file is None or module.__name__.split(".")[0] in {"__main__", "murmuration"}:
        return None  # of `__main__` and of cells everything goes by value anyway, and we are installed
    installed = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
    return None if installed & set(Path(file).resolve().parents) else module
