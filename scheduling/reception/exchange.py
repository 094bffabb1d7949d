"""Speak with other peers about jobs: join what they tell, and compare tables with one of them now and then.

The exchange is the push-pull of Demers 1987: an offer of summaries; where they differ, the receiver asks for the pieces
of the table that differ, and is asked back for its own.
"""

from typing import assert_never

from ...ring.terms import PeerId
from ..claims.table import Change
from ..desk import Desk
from ..events import SyncDue
from ..messages import (
    ClaimNews,
    ClientNews,
    JobNews,
    SchedulingMessage,
    TableOffer,
    TableSummary,
    TableWanted,
)
from ..replica.news import learn
from ..replica.spread import portions
from ..tracker.pulse import Pulse
from ..tracker.tracking import Tracking
from .clients import Clients
from .intake import Intake

SUMMARIES_MAX = 1024
UNLISTED_JOBS_MAX = 64
"""Jobs missing from an offer that its sender is told of at once; the rest has time until the next exchange."""


class Exchange:
    """The gossip between the scheduling halves of peers."""

    def __init__(self, desk: Desk, intake: Intake, clients: Clients, tracking: Tracking, pulse: Pulse) -> None:
        self._desk = desk
        self._intake = intake
        self._clients = clients
        self._tracking = tracking
        self._pulse = pulse

    def received(self, sender: PeerId, message: SchedulingMessage) -> None:
        """Take in a message of another peer."""
        match message:
            case JobNews():
                self._join_news(sender, message)
            case ClaimNews():
                self._join_claims(sender, message)
            case ClientNews():
                self._clients.heard(sender, message)
            case TableOffer():
                self._compare(sender, message)
            case TableWanted():
                self._give(sender, message)
            case _:
                assert_never(message)

    def _join_news(self, sender: PeerId, news: JobNews) -> None:
        desk = self._desk
        job = desk.jobs.get(news.job)
        if job is None:
            self._intake.heard(news.job, news, sender)
            return
        if learn(job, desk.now, news, desk.flock):
            desk.touch(job)
        self._pulse.heard(job, sender, news)
        if job.is_ahead_of(news):
            desk.tell(sender, job.news())
        elif news.brief and news.tracker == desk.me and self._tracking.leads(job):
            desk.tell(sender, job.pulse())

    def _join_claims(self, sender: PeerId, message: ClaimNews) -> None:
        desk = self._desk
        job = desk.jobs.get(message.job)
        if job is None:
            self._intake.heard(message.job, None, sender)
            return
        for claim in message.claims:
            change = job.join(desk.now, claim, desk.flock)
            if change is Change.STAGE:
                desk.touch(job)
            if message.relay and change is not Change.NOTHING:
                desk.relayed.add(job.id, claim.phase, claim.task, claim.attempt)

    # --- exchange of tables ---

    def offer(self) -> None:
        """Offer this peer's tables to another one, if there is a live job to speak of."""
        desk = self._desk
        desk.wake(desk.settings.sync_interval_s, SyncDue())
        summaries = [TableSummary(job.id, job.digest()) for job in desk.jobs.values() if job.live]
        if summaries and desk.flock.others:
            desk.tell(desk.rng.choice(desk.flock.others), TableOffer(tuple(summaries[-SUMMARIES_MAX:])))

    def _compare(self, sender: PeerId, message: TableOffer) -> None:
        listed = {summary.job for summary in message.summaries}
        for summary in message.summaries:
            self._compare_one(sender, summary)
        unlisted = [job for job in self._desk.jobs.values() if job.live and job.id not in listed]
        for job in unlisted[:UNLISTED_JOBS_MAX]:
            self._desk.tell(sender, job.news())

    def _compare_one(self, sender: PeerId, summary: TableSummary) -> None:
        job = self._desk.jobs.get(summary.job)
        if job is None:
            self._intake.heard(summary.job, None, sender)
        elif not job.live:
            self._desk.tell(sender, job.news())
        elif job.digest() != summary.digest:
            self._desk.tell(sender, TableWanted(job.id, job.table.buckets(), mutual=True))

    def _give(self, sender: PeerId, wanted: TableWanted) -> None:
        job = self._desk.jobs.get(wanted.job)
        if job is None:
            return
        self._desk.tell(sender, job.news())
        if not job.live:
            return
        for message in portions(job.id, job.table.differing(wanted.buckets)):
            self._desk.tell(sender, message)
        if wanted.mutual:
            self._desk.tell(sender, TableWanted(job.id, job.table.buckets()))
