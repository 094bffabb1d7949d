"""Let simulated user code misbehave as its job's parameters say: end its process, fail for a while, go by chance.

Each is what a promise is about: a record that kills its process fails the job or is set aside (J5), three failures of a
split do not fail a job (J5), and what comes out differently each time is reported, and decided once (J9).
"""

from collections.abc import Sequence

from msgspec.structs import replace

from ...scheduling.jobs import DIED, JobRecord, UserError
from ...scheduling.messages import Attempt, Winner
from .disk import Run
from .wordcount import map_split, poison_error, reduce_partition, without_poison

DIES = "dies"
"""The parameter that has user code end its process where it would have raised."""
FLAKY = "flaky"
"""The parameter that has the first attempts at a split raise."""
CHANCY = "chancy"
"""The parameter that has each map attempt give something else."""
FLAKY_SPLIT = 0
FLAKY_ATTEMPTS = 3
"""One more would fail the job."""


def expected_error(text: bytes, record: JobRecord) -> UserError | None:
    """Give the error that a job fails by; None if user code does nothing that fails it."""
    error = poison_error(text, record, 0)
    if error is None or record.spec.skip_bad_records:
        return None
    return _death(error, is_careful=False) if DIES in record.spec.params else error


def digestible(text: bytes, record: JobRecord, split: int, skip: tuple[int, ...] | None) -> bytes | UserError:
    """Give what a map attempt can map: all of its split, or but for the lines that a careful one sets aside."""
    error = poison_error(text, record, split)
    if error is None:
        return text
    if DIES in record.spec.params:
        is_left_out = skip is not None and error.line in skip
        return without_poison(text) if is_left_out else _death(error, is_careful=skip is not None)
    return error if skip is None else without_poison(text)


def _death(error: UserError, *, is_careful: bool) -> UserError:
    """Only careful attempts know at which line their process died."""
    return replace(error, kind=DIED, message="user code has ended its process", line=error.line if is_careful else 0)


def is_flaky(record: JobRecord, split: int, raised: int) -> bool:
    """Tell whether an attempt at a split raises, given how many have."""
    return FLAKY in record.spec.params and split == FLAKY_SPLIT and raised < FLAKY_ATTEMPTS


def salted(text: bytes, record: JobRecord, attempt: Attempt) -> bytes:
    """Give what an attempt makes of its text: something of its own, where user code goes by chance."""
    return text + f"chance-{attempt.title}".encode() if CHANCY in record.spec.params else text


def parts_by(text: bytes, record: JobRecord, winners: Sequence[Winner]) -> tuple[bytes, ...]:
    """Give the parts that follow from what the winning attempts made: the oracle of user code that goes by chance."""
    runs: list[Run] = []
    for split, winner in zip(record.splits, winners, strict=True):
        runs.append(map_split(salted(text[split.begin : split.end], record, winner.attempt), record.partitions))
    return tuple(reduce_partition(runs, partition) for partition in range(record.partitions))
