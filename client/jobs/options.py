"""Say what may be chosen about a job, beside its program, input and output, and refuse what cannot be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

from ...ring.errors import CallerError
from ...scheduling.jobs import (
    MEMORY_LIMIT_FACTOR,
    MEMORY_LIMIT_LEAST,
    MEMORY_PER_TASK,
    MEMORY_PER_TASK_MIN,
    PRIORITY,
    PRIORITY_MAX,
    SPLITS_MAX,
)
from ..units import parse_size

DEFAULT_FORMAT: Final = "text"

CLIENT_PATIENCE_MIN_S = 10.0
"""A client whose peer dies needs some seconds to find another one, and no job should die of that."""


class JobChoices(TypedDict, total=False):
    """What may be chosen about a job by name: as `JobOptions`, with sizes in bytes or as text (`16MiB`)."""

    name: str
    reducers: int
    split_size: int | str | None
    splits: int | None
    input_format: str
    output_format: str
    output_names: str
    params: dict[str, str]
    max_attempts: int
    timeout_per_split_s: float
    client_patience_s: float
    memory_per_task: int | str
    memory_limit: int | str | None
    speculation: bool
    priority: int
    skip_bad_records: int
    intermediate_replicas: int
    total_order: bool
    sample_rate: float
    samples: int
    max_sampled_splits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What a user may choose about a job, beside its program, input and output.

    `split_size` is in bytes; `splits` asks for exactly so many of about equal size instead. Without either, the size
    fits the input and the cluster (see `default_split_size`). `memory_per_task` are the bytes that an attempt may
    take for what it collects, beside the user's own code; what is more goes to disk. `memory_limit` are the bytes that
    all its processes may hold together before it fails: 0 for no limit [4 times `memory_per_task`, at least 1 GiB].
    `client_patience_s` are the seconds after which a job that no client watches is killed; 0 lets it go on.
    With `total_order` the parts of the output follow each other in the order of keys: before the job, about `samples`
    keys are sampled from at most `max_sampled_splits` splits, of whose records a share of `sample_rate` is mapped
    [0.1; of small inputs, all].
    """

    name: str = ""
    reducers: int | None = None
    split_size: int | None = None
    splits: int | None = None
    input_format: str = DEFAULT_FORMAT
    output_format: str = DEFAULT_FORMAT
    output_names: str = "hadoop"
    params: Mapping[str, str] = field(default_factory=dict)
    max_attempts: int = 4
    timeout_per_split_s: float = 0.0
    client_patience_s: float = 0.0
    memory_per_task: int = MEMORY_PER_TASK
    memory_limit: int | None = None
    skip_bad_records: int = 0
    intermediate_replicas: int = 1
    speculation: bool = True
    priority: int = PRIORITY
    total_order: bool = False
    sample_rate: float | None = None
    samples: int = 10_000
    max_sampled_splits: int = 10

    def __post_init__(self) -> None:
        if self.split_size is not None and self.splits is not None:
            raise CallerError("give a split size or a number of splits, not both")
        if self.split_size is not None and self.split_size < 1:
            raise CallerError(f"a split size of {self.split_size} bytes cuts nothing; give at least 1")
        if self.splits is not None and not 1 <= self.splits <= SPLITS_MAX:
            raise CallerError(f"{self.splits} splits cannot be made; give 1 to {SPLITS_MAX}")
        if self.memory_per_task < MEMORY_PER_TASK_MIN:
            raise CallerError(f"{self.memory_per_task} bytes of memory are too few for a task; give at least 1MiB")
        if self.memory_limit is not None and 0 < self.memory_limit < self.memory_per_task:
            raise CallerError("a memory limit below what a task may collect ends all attempts; 0 is for none")
        if not 1 <= self.priority <= PRIORITY_MAX:
            raise CallerError(f"a priority of {self.priority} is none; give 1 to {PRIORITY_MAX}")
        if self.skip_bad_records < 0:
            raise CallerError(f"{self.skip_bad_records} records cannot be skipped; give how many may be")
        if 0 < self.client_patience_s < CLIENT_PATIENCE_MIN_S:
            raise CallerError(
                f"a client that changes peers may be silent for {self.client_patience_s:g} s; "
                f"give at least {CLIENT_PATIENCE_MIN_S:g}s, or 0 for a job that outlives its client"
            )
        self._check_sampling()

    @property
    def bytes_held_max(self) -> int:
        """Give the bytes that all processes of an attempt may hold together; 0 for no limit."""
        if self.memory_limit is not None:
            return self.memory_limit
        return max(MEMORY_LIMIT_LEAST, MEMORY_LIMIT_FACTOR * self.memory_per_task)

    def _check_sampling(self) -> None:
        if self.sample_rate is not None and not 0 < self.sample_rate <= 1:
            raise CallerError(
                f"a sample rate of {self.sample_rate:g} is none: give a share of all records, such as 0.1"
            )
        if self.samples < 1 or self.max_sampled_splits < 1:
            raise CallerError("a sample of nothing parts nothing: give at least one sample and one split")


def options_of(choices: JobChoices) -> JobOptions:
    """Turn what was chosen by name into options.

    Raises:
        CallerError: there is no such choice, or it cannot be.
    """
    chosen: dict[str, Any] = {**choices}
    for size in ("split_size", "memory_per_task", "memory_limit"):
        if isinstance(chosen.get(size), str):
            chosen[size] = parse_size(chosen[size])
    try:
        return JobOptions(**chosen)
    except TypeError as error:
        raise CallerError(f"a job has no such choice: {error}") from error
