"""Set how long chunks are kept that nobody names, and how often a peer looks for them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectSettings:
    """All times in seconds; the grace is counted while the peer runs.

    `grace_s` must be longer than any client takes from storing a chunk to naming it: one that takes longer than a
    fraction of it stores the chunk once more. A peer looks every `interval_s`, and removes nothing until it has run for
    `settle_s`, so that what a power cut has undone is done again by then.
    """

    grace_s: float = 24 * 3600.0
    interval_s: float = 6 * 3600.0
    settle_s: float = 600.0
    tick_s: float = 600.0
    """How often the time of running is set down: so much may be lost of it at a crash."""

    leap_s: float = 1200.0
    """No more than that counts between two times of setting it down: a clock may have leapt, or a machine slept."""

    patience_s: float = 2.0
    """After so long a page of names is asked for once more; after `silence_s` the pass is given up."""
    silence_s: float = 30.0

    page: int = 256
    removed_at_once: int = 4

    note_s: float = 12 * 3600.0
    """For so long the copies of others are turned away after a collection: until they have collected theirs."""

    open_jobs_max: int = 256
    """With more open jobs than that nothing is marked: each mark would have to remember them all."""

    passes_waiting_max: int = 8
    """Passes that clients have asked for and that wait for their turn."""

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a time or a limit is not positive.
        """
        times = (self.grace_s, self.interval_s, self.tick_s, self.leap_s, self.patience_s, self.silence_s, self.note_s)
        limits = (self.page, self.removed_at_once, self.open_jobs_max, self.passes_waiting_max)
        if min(times) <= 0 or min(limits) < 1 or self.settle_s < 0:
            raise ValueError(f"collecting settings must be positive: {self}")
