"""Gather claims for a few milliseconds, and cut them into portions; `routes` says to whom they go."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ...ring.terms import Instant
from ..jobs import Phase
from ..messages import CLAIMS_PER_MESSAGE_MAX, Attempt, Claim, ClaimNews
from .job import Job

MESSAGE_BYTES_MAX = 128 << 10
"""Most bytes of claims in one message, as control messages share sockets; one claim alone may be larger."""

_ENCODER = msgspec.msgpack.Encoder()


def portions(job: str, claims: Iterable[Claim]) -> Iterator[ClaimNews]:
    """Cut claims into messages of bounded count and size."""
    portion: list[Claim] = []
    size = 0
    for claim in claims:
        length = len(_ENCODER.encode(claim))
        if portion and (len(portion) == CLAIMS_PER_MESSAGE_MAX or size + length > MESSAGE_BYTES_MAX):
            yield ClaimNews(job, tuple(portion))
            portion, size = [], 0
        portion.append(claim)
        size += length
    if portion:
        yield ClaimNews(job, tuple(portion))


class Outbox:
    """Claims that are new here and still to be sent on."""

    def __init__(self, interval_s: float, rest_s: float) -> None:
        """Gather for `interval_s` seconds at most, and for `rest_s` while all that waits can."""
        self._interval_s, self._rest_s = interval_s, rest_s
        self._fresh: dict[tuple[str, Phase, int, Attempt], None] = {}
        self._is_urgent = False
        self._sent_at = Instant(float("-inf"))
        self.armed_for = Instant(float("inf"))
        """When the next `SpreadDue` comes that is on its way."""

    def add(self, job: str, phase: Phase, task: int, attempt: Attempt, *, can_wait: bool = False) -> None:
        """Have the account of an attempt sent as it will be when it is sent."""
        self._fresh[job, phase, task, attempt] = None
        self._is_urgent = self._is_urgent or not can_wait

    @property
    def waiting(self) -> bool:
        """Tell whether there is anything to send."""
        return bool(self._fresh)

    @property
    def due(self) -> Instant:
        """The time of the next sending; past after a silence."""
        return Instant(self._sent_at + (self._interval_s if self._is_urgent else self._rest_s))

    def take(self, now: Instant, jobs: Mapping[str, Job]) -> list[ClaimNews]:
        """Give all waiting claims as messages, and begin anew."""
        fresh, self._fresh, self._is_urgent = self._fresh, {}, False
        self._sent_at = now
        by_job: dict[str, list[Claim]] = {}
        for name, phase, task, attempt in fresh:
            account = jobs[name].table.account(phase, task, attempt) if name in jobs else None
            if account is not None:
                by_job.setdefault(name, []).append(Claim(phase, task, attempt, account))
        return [message for name, claims in by_job.items() for message in portions(name, claims)]
