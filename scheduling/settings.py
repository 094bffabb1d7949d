"""Set the scheduling half's knobs, each with its unit and its reason."""

from dataclasses import dataclass

from ..ring.errors import CallerError


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingSettings:
    """Times in seconds, and limits; `vnodes` and `replicas` are equal at all peers of a cluster.

    `stagger_s` must outlast a claim's way to the others (coalescing and one hop), else duplicates grow;
    everything longer than that only delays who comes second.
    """

    vnodes: int = 1024
    replicas: int = 3
    """Homes of a chunk: who is one of them reads it from its own disk."""
    record_replicas: int = 5
    electorate_max: int = 5
    """A majority of five survives two deaths; more only makes each decision slower."""
    spread_interval_s: float = 0.005
    """Claims go out at once after a silence, else together at this interval."""
    spread_rest_s: float = 0.02
    """What is done goes out at this interval while the same handful has more to do: nobody acts on a task that is
    taken, and each message wakes every peer."""
    relay_interval_s: float = 0.02
    """A relay passes claims on together at this interval: the longer, the fewer messages, and the more races."""
    direct_peers_max: int = 64
    """Up to so many live peers, claims go straight to all of them; beyond, over relays."""
    sync_interval_s: float = 1.0
    track_interval_s: float = 0.5
    stagger_s: float = 0.015
    """How much longer each next-ranked peer leaves a newly open task to those before it."""
    progress_interval_s: float = 0.25
    progress_news_per_s: float = 64.0
    """So much news of progress each peer hears from all others together: the more slots there are, the more seldom
    each attempt tells how far it is. Ending and beginning are always told."""
    nearly_done: float = 0.8
    """A loser that has come further than this finishes: stopping it would save little. And who has come so far claims
    its next task, so that the input of that is here when the slot becomes free."""
    ahead_patience_s: float = 1.0
    """How long a task that was claimed ahead is kept at least if no slot becomes free; twice as long as that should
    take, if that is longer."""
    handful_s: float = 0.05
    """Tasks that are expected to take half of that or less are claimed by the handful, of so much work: what each costs
    beside its work is then shared. Longer would save little more, and leave more behind a task that takes long after
    all, or whose input comes from afar."""
    handful_tasks_max: int = 256
    slow_factor: float = 1.5
    """An attempt is slow if it still takes so many times as long as a whole one takes as a rule."""
    speculation_gain_min_s: float = 0.25
    """A second attempt must be expected to save so much: short tasks are not worth it."""
    speculation_share: float = 0.1
    """Of all tasks of a phase, so many (but one in any case) have a speculative attempt at a time."""
    announcement_patience_s: float = 2.0
    """How long a job whose record was seen may stay without a tracker."""
    takeover_patience_s: float = 1.0
    """How long each next successor leaves the role to the one before it."""
    find_patience_s: float = 3.0
    """How long a question about a job that is not known here waits at least for its record to be found in the ring."""
    kill_patience_s: float = 10.0
    """How long a kill waits for the end to be decided: longer than a successor needs to take over."""
    leftovers_patience_s: float = 600.0
    """How long a start looks for jobs whose files it finds on its disk; what is not found waits for the next one."""
    silence_patience_s: float = 3.0
    """How long the tracker role of a peer that lives may say nothing of a job; it speaks every `track_interval_s`."""
    report_patience_s: float = 5.0
    """How long a finished job waits for the report of a sealed run whose peer is gone, before it is made again."""
    backoff_min_s: float = 0.2
    backoff_max_s: float = 5.0
    placement_tries_max: int = 5
    retention_s: float = 60.0
    """How long after its end a job's claim table and its files on this peer's disk are kept."""
    ended_jobs_max: int = 1000
    unfound_jobs_max: int = 1000
    answer_interval_s: float = 0.05
    """Least time between two answers about one job: the live view redraws no faster."""
    answers_parked_max: int = 10_000

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            CallerError: a count or a time is not positive, or the backoff's bounds are crossed.
        """
        for name in self.__dataclass_fields__:
            if getattr(self, name) <= 0:
                raise CallerError(f"scheduling setting {name} must be positive")
        if self.backoff_max_s < self.backoff_min_s:
            raise CallerError("scheduling setting backoff_max_s must not be below backoff_min_s")
