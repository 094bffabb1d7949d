"""Put a job's output into one order from its first part to its last: sample the keys before, and cut between them.

The sample is taken by a small job over some of the splits, where these are, and the cuts become part of the job's
record. So the client needs to stay until the sample is taken, and no longer; and whoever leads the job deals alike.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from ...ring.errors import CallerError
from ...scheduling.cuts import chosen_cuts
from ...scheduling.jobs import JobRecord, Sampling, Split
from .job import Job
from .options import JobOptions

SAMPLE_RATE = 0.1

SAMPLED_WHOLE_BYTES = 4 << 20
"""Of so few bytes all records are mapped: a tenth could be too few for equal shares, and saves nothing."""

NAME_MAX = 100


def in_total_order(record: JobRecord, options: JobOptions, start: Callable[[JobRecord], Job]) -> JobRecord:
    """Give a job its cuts, after a sample that is waited for; `start` begins the job that takes it.

    Raises:
        CallerError: without reducers nothing is sorted.
        JobFailed: the program fails on the sampled records.
    """
    if not record.partitions:
        raise CallerError("a total order is made by reducers: ask for one or more, or leave --total-order out")
    lines: Iterator[str] = iter(())
    if record.partitions > 1:
        lines = _sample(start(sampling_of(record, options)))
    cuts = chosen_cuts(map(bytes.fromhex, lines), record.partitions)
    return replace(record, spec=replace(record.spec, cuts=cuts))


def sampling_of(record: JobRecord, options: JobOptions) -> JobRecord:
    """Describe the job that takes the sample."""
    splits = spread(record.splits, options.max_sampled_splits)
    size = sum(split.end - split.begin for split in splits)
    rate = options.sample_rate or (1.0 if size <= SAMPLED_WHOLE_BYTES else SAMPLE_RATE)
    sampling = Sampling(rate=rate, keys=-(-options.samples // max(1, len(splits))))
    spec = replace(
        record.spec,
        name=f"{record.spec.name[:NAME_MAX]}-sample",
        output="",
        output_format="values",
        output_names="hadoop",
        reducers=0,
        sampling=sampling,
    )
    return replace(record, id=secrets.token_hex(8), spec=spec, splits=splits)


def spread(splits: Sequence[Split], wanted: int) -> tuple[Split, ...]:
    """Choose splits at equal distances."""
    count = min(wanted, len(splits))
    return tuple(splits[number * len(splits) // count] for number in range(count))


def _sample(job: Job) -> Iterator[str]:
    """Wait for the sample, and read it; it is of no more use if nobody waits."""
    try:
        job.wait()
    finally:
        if not job.status.state.ended:
            job.kill()
    return (value for _, value in job.results())
