"""Bad records are left out where a job allows it, after two deaths, and without using up the attempts of the split."""

import pytest
from scheduling_cluster import Cluster, job_record, peer_id

from murmuration.scheduling.jobs import DIED, OUT_OF_ROOM, SKIPPED, TIMED_OUT, JobState, Phase, UserError
from murmuration.scheduling.messages import Account, Attempt, Stage
from murmuration.scheduling.replica.skipping import places_to_skip, too_many_skipped
from murmuration.scheduling.replica.verdicts import user_fault

SKIPS = job_record(1, skip_bad_records=2)


def row_of(*errors):
    failed = (Account(Stage.FAILED, error=UserError(kind=kind, message="", line=line)) for kind, line in errors)
    return {Attempt(peer_id(1), 1, number): account for number, account in enumerate(failed)}


@pytest.mark.parametrize(
    ("errors", "lines"),
    [
        ((), None),
        ((("ValueError", 3),), ()),
        (((DIED, 0), (DIED, 0)), ()),
        (((DIED, 3), (DIED, 4)), ()),
        (((DIED, 3), (DIED, 3)), (3,)),
        (((DIED, 3), (TIMED_OUT, 3), (TIMED_OUT, 5)), (3,)),
        (((DIED, 5), (DIED, 3), (DIED, 3), (DIED, 5)), (3, 5)),
    ],
)
def test_lines_at_which_two_attempts_died_are_left_out(errors, lines):
    assert places_to_skip(SKIPS, row_of(*errors)) == lines
    assert places_to_skip(job_record(1), row_of(*errors)) is None


def test_deaths_at_known_records_do_not_use_up_the_attempts():
    deaths = row_of((DIED, 0), *[(DIED, 3)] * 3, *[(DIED, 7)] * 3)
    assert user_fault(SKIPS, deaths) is None
    assert user_fault(job_record(1), deaths) is not None
    assert user_fault(SKIPS, row_of(*[(DIED, 0)] * 4)) is not None
    assert user_fault(SKIPS, row_of(*[("ValueError", 3)] * 4)) is not None


def test_deaths_at_more_records_than_may_be_skipped_count_again():
    assert user_fault(SKIPS, row_of((DIED, 1), (DIED, 2), (DIED, 3))) is None
    assert user_fault(SKIPS, row_of((DIED, 1), (DIED, 2), (DIED, 3), (DIED, 3))) is not None


def test_as_many_records_may_be_set_aside_as_the_job_allows():
    assert too_many_skipped(SKIPS, 2) is None
    assert too_many_skipped(SKIPS, 3).kind == "TooManyBadRecords"
    assert too_many_skipped(job_record(1), 3) is None


@pytest.mark.parametrize(("allowed", "state"), [(2, JobState.FAILED), (3, JobState.DONE)])
def test_records_that_all_splits_set_aside_are_counted_together(allowed, state):
    cluster = Cluster(3)
    cluster.counters = {SKIPPED: 1}
    cluster.submit(job_record(3, 0, skip_bad_records=allowed))
    cluster.run_until(lambda: cluster.all_in(state))


@pytest.mark.parametrize("kind", [DIED, OUT_OF_ROOM])
@pytest.mark.parametrize("phase", Phase)
def test_attempt_after_a_failed_one_is_careful_and_leaves_out_what_killed_two(phase, kind):
    cluster = Cluster(1)
    cluster.broken[phase, 0] = UserError(kind=kind, message="", line=3)
    cluster.submit(job_record(1, int(phase), skip_bad_records=1))
    cluster.run_until(lambda: len(cluster.skips) == 2 + phase)
    del cluster.broken[phase, 0]
    cluster.run_until(cluster.done)
    assert cluster.skips[phase:] == [None, (), (3,)]


def test_records_and_keys_that_are_set_aside_are_counted_together():
    cluster = Cluster(3)
    cluster.counters = {SKIPPED: 1}
    cluster.submit(job_record(3, 2, skip_bad_records=4))
    cluster.run_until(lambda: cluster.all_in(JobState.FAILED))
