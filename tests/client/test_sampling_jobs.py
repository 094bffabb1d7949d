"""Before a job in total order there is a small one over some of its splits, whose keys become cuts of its record."""

import pytest

from murmuration.client.jobs.options import JobOptions
from murmuration.client.jobs.sampling import SAMPLED_WHOLE_BYTES, in_total_order, sampling_of, spread
from murmuration.ring.errors import CallerError
from murmuration.scheduling.cuts import original
from murmuration.scheduling.jobs import InputFile, JobRecord, JobSpec, JobState, Program, Split
from murmuration.scheduling.partitioners import canonical


def job_of(splits, size=100, reducers=4):
    spec = JobSpec(
        name="job", program=Program("source", "job.py", b""), output="/out", reducers=reducers, split_size=size
    )
    tiles = tuple(Split(0, number * size, (number + 1) * size, 1) for number in range(splits))
    return JobRecord(id="0" * 16, spec=spec, files=(InputFile("in", size * splits),), splits=tiles)


class SamplingJob:
    """Ends at once, with these keys."""

    def __init__(self, keys, fails=False):
        self.keys, self.fails, self.killed = keys, fails, False
        self.status = self
        self.state = JobState.RUNNING_MAP if fails else JobState.DONE

    def wait(self):
        if self.fails:
            raise KeyboardInterrupt

    def kill(self):
        self.killed = True

    def results(self):
        return ((None, canonical(key).hex()) for key in self.keys)


def test_sample_becomes_the_cuts_of_the_job_and_nothing_else_of_it_changes():
    job = job_of(20)
    ordered = in_total_order(job, JobOptions(total_order=True), lambda _: SamplingJob(range(400)))
    assert [original(cut) for cut in ordered.spec.cuts] == [100, 200, 300]
    assert (ordered.id, ordered.splits, ordered.spec.output) == (job.id, job.splits, job.spec.output)


def test_sampling_job_is_another_over_splits_at_equal_distances_without_output():
    job = job_of(20)
    sampling = sampling_of(job, JobOptions(total_order=True, samples=1000, max_sampled_splits=4))
    assert sampling.id != job.id
    assert sampling.splits == (job.splits[0], job.splits[5], job.splits[10], job.splits[15])
    assert (sampling.spec.reducers, sampling.spec.output, sampling.spec.sampling.keys) == (0, "", 250)


def test_small_inputs_are_sampled_whole_and_large_ones_by_a_tenth_unless_it_is_chosen():
    options = JobOptions(total_order=True, max_sampled_splits=1)
    assert sampling_of(job_of(1), options).spec.sampling.rate == 1.0
    assert sampling_of(job_of(1, 2 * SAMPLED_WHOLE_BYTES), options).spec.sampling.rate == 0.1
    chosen = JobOptions(total_order=True, sample_rate=0.5)
    assert sampling_of(job_of(1, 2 * SAMPLED_WHOLE_BYTES), chosen).spec.sampling.rate == 0.5


def test_sample_that_nobody_waits_for_is_killed():
    job = SamplingJob([], fails=True)
    with pytest.raises(KeyboardInterrupt):
        in_total_order(job_of(2), JobOptions(total_order=True), lambda _: job)
    assert job.killed


def test_one_partition_needs_no_sample_and_none_is_refused():
    one = in_total_order(job_of(3, reducers=1), JobOptions(total_order=True), lambda _: pytest.fail("sampled"))
    assert one.spec.cuts == ()
    with pytest.raises(CallerError, match="made by reducers"):
        in_total_order(job_of(3, reducers=0), JobOptions(total_order=True), lambda _: pytest.fail("sampled"))


def test_no_splits_are_spread_to_none():
    assert spread((), 10) == ()


@pytest.mark.parametrize(
    "wrong", [{"sample_rate": 0.0}, {"sample_rate": 1.5}, {"samples": 0}, {"max_sampled_splits": 0}]
)
def test_sample_of_nothing_is_refused(wrong):
    with pytest.raises(CallerError, match="sample"):
        JobOptions(total_order=True, **wrong)
