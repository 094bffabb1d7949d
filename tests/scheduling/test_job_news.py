"""What peers tell each other about a job comes to an end, whatever each of them has heard before."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from murmuration.ring.terms import REFUTATION_BITS, Instant, PeerId
from murmuration.scheduling.flock import Flock
from murmuration.scheduling.jobs import JobEnding, JobRecord, JobSpec, JobState, Program
from murmuration.scheduling.messages import JobNews, MapSeal
from murmuration.scheduling.replica.decisions import encode_decision
from murmuration.scheduling.replica.job import Job
from murmuration.scheduling.replica.news import learn
from murmuration.scheduling.settings import SchedulingSettings

PEERS = [PeerId(f"{number:032x}") for number in range(1, 4)]
SEAL = encode_decision(MapSeal(winners=()))
ENDING = encode_decision(JobEnding(JobState.KILLED))
NOW = Instant(1.0)
TELLINGS_MAX = 8


def news(epoch: int, tracker: PeerId, *, kill: bool, seal: bytes | None = None, ending: bytes | None = None) -> JobNews:
    return JobNews("00000000000000aa", epoch, tracker, kill, seal, ending)


RUNNING = st.builds(
    news, st.integers(1, 3), st.sampled_from(PEERS), kill=st.booleans(), seal=st.sampled_from([None, SEAL])
)
ENDED = st.builds(news, st.just(1), st.just(PEERS[0]), kill=st.booleans(), ending=st.just(ENDING))
HEARD = st.builds(list.__add__, st.lists(RUNNING, max_size=3), st.lists(ENDED, max_size=1))


def replica(flock: Flock, heard: list[JobNews]) -> Job:
    record = JobRecord("00000000000000aa", JobSpec("j", Program("source", "p.py", b""), "out", 1, 1), (), (), ())
    job = Job(NOW, record, Random(1))
    for each in heard:
        learn(job, NOW, each, flock)
    return job


@given(HEARD, HEARD)
def test_two_replicas_that_answer_each_other_fall_silent_and_agree_on_what_is_decided(
    one_heard: list[JobNews], other_heard: list[JobNews]
) -> None:
    flock = Flock(PEERS[0], 1 << REFUTATION_BITS, 1, SchedulingSettings(vnodes=64))
    one, other = replica(flock, one_heard), replica(flock, other_heard)
    speaker, listener, tellings = one, other, 0
    while True:
        learn(listener, NOW, speaker.news(), flock)
        tellings += 1
        if not listener.is_ahead_of(speaker.news()):
            break
        assert tellings < TELLINGS_MAX, f"{one.news()} and {other.news()} correct each other for ever"
        speaker, listener = listener, speaker
    if one.ending_value is None and other.ending_value is None:
        learn(one, NOW, other.news(), flock)
        learn(other, NOW, one.news(), flock)
        assert one.news() == other.news()
