"""Take news of a job into its replica."""

import msgspec

from ...ring.terms import Instant, PeerId
from ..flock import Flock
from ..messages import JobNews
from .job import Job, outranks


def learn(job: Job, now: Instant, news: JobNews, flock: Flock) -> bool:
    """Join some news into a replica; tell whether anything in it was new.

    What is decided comes in before who tracks and who killed, for it outweighs both.

    Raises:
        InvariantBroken: a register of the job has had two values.
    """
    version = job.version
    try:
        if news.seal is not None:
            job.adopt_seal(now, news.seal, flock)
        if news.ending is not None:
            job.adopt_ending(now, news.ending)
    except msgspec.DecodeError as unreadable:
        job.tell(now, f"unreadable news: {unreadable}")
    if job.live:
        job.adopt_tracker(now, news.epoch, PeerId(news.tracker), flock)
    if news.kill:
        job.adopt_kill(now)
    return job.version != version


def merged(one: JobNews, other: JobNews) -> JobNews:
    """Join two pieces of news of a job that is not known yet."""
    later = one if outranks(one.epoch, one.tracker, other.epoch, other.tracker) else other
    return JobNews(
        one.job,
        later.epoch,
        later.tracker,
        one.kill or other.kill,
        one.seal if one.seal is not None else other.seal,
        one.ending if one.ending is not None else other.ending,
    )
