"""Find the record that is to blame for a pair which was found out only when all records of its split were mapped."""

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from msgspec.structs import replace

from ..formats.batch import Batch
from ..shuffle.combining import Emit, paired
from .wording import UserFault, fault_of, shorten


def blame_record(
    late: UserFault, file: str, batches: Iterable[Batch], emit: Emit, check: Callable[[Any, Any], object]
) -> NoReturn:
    """Map the records again, one by one, until `check` raises for a pair, and raise that with the record's place.

    If none does, or the mapper itself now raises something else, the fault is raised as it was.
    """
    for batch in batches:
        try:
            for key, record in batch.pairs():
                for pair in emit(key, record) or ():
                    check(*paired(pair))
        except BaseException as error:
            raise _placed(fault_of(error), late, file, batch) from error
    raise late


def _placed(found: UserFault, late: UserFault, file: str, batch: Batch) -> UserFault:
    if found.error.kind != late.error.kind:
        return late
    return UserFault(replace(found.error, file=file, line=batch.line, record=shorten(batch.record)))
