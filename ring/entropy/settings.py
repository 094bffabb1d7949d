"""Hold the pace and the limits of anti-entropy and of reaping, each with what it trades."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropySettings:
    """Set how soon differences are found, and what the search may take; all times in seconds."""

    exchange_s: float = 15.0
    """Between two exchanges of one peer; each of 1,024 vnodes costs 11 bytes."""

    jitter: float = 0.3
    """Share of a pause by which it is longer or shorter, so that peers do not exchange in step."""

    hurry_s: float = 2.0
    """A peer that is back is compared so soon, and one with which much differed again; hints come before."""

    second_look_s: float = 1.0
    """What differs still after so long is no write on its way: only that is repaired."""

    patience_s: float = 5.0
    """An answer is waited for so long; chunks get the time that their size takes on top."""

    leaves_max: int = 4096
    """Leaves that one exchange repairs; where there are more, the next follows at once."""

    in_flight_max: int = 32
    """Keys that are repaired at the same time."""

    chunks_in_flight_max: int = 2
    rest_share: float = 1.0
    """After each batch of leaves the exchange rests for such a share of what the batch took.

    So it takes half of the time at most, and where others keep the disks and the wires busy it slows down with them.
    """

    strays_max: int = 64
    """Keys out of place that are handed over at a time."""

    tombstone_grace_s: float = 3 * 3600.0 + 600.0
    """A tombstone is this old before it is reaped: longer than hints are kept."""

    settle_s: float = 900.0
    """A peer that was away is taken at its word only after so long: longer than any request lives, which is 600 s."""

    tombstones_watched_max: int = 100_000
    """Tombstones that wait for their proof in memory, 150 bytes each; more wait on the disk for their turn."""

    reaped_at_once: int = 64

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a pause or a limit is not positive, or the jitter is not below 1.
        """
        pauses = (self.exchange_s, self.hurry_s, self.second_look_s, self.patience_s, self.settle_s)
        limits = (self.leaves_max, self.in_flight_max, self.chunks_in_flight_max, self.strays_max, self.reaped_at_once)
        if min(pauses) <= 0 or min(limits) < 1 or min(self.rest_share, self.tombstone_grace_s) < 0:
            raise ValueError(f"entropy settings must be positive: {self}")
        if not 0 <= self.jitter < 1:
            raise ValueError("jitter is a share of a pause: give 0 or more, and less than 1")
