"""Hold the pace and the limits of hinted handoff, each with what it trades."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffSettings:
    """Set the pace of hinted handoff; a fast one brings primaries up to date sooner and burdens foreground work."""

    scan_interval_s: float = 10.0
    scan_jitter: float = 0.2
    """Share of the interval by which a scan comes sooner or later, so that peers do not scan in step."""

    rest_s: float = 1.0
    """Least time between the starts of two deliveries to one target."""

    patience_s: float = 2.0
    """An acknowledgement is waited for so long; chunks get the time that their size takes on top."""

    hint_max_age_s: float = 3 * 3600.0
    """The hints for a peer that has been away for so long are dropped: anti-entropy tells it all that it has missed."""

    page: int = 64
    """Hints that are listed at first; small ones by up to `page_max` as soon as their size is known."""

    page_max: int = 512
    page_bytes_max: int = 1 << 20
    targets_max: int = 4
    in_flight: int = 16
    """Hints under way to a busy target; to one that answers soon up to `in_flight_max`."""

    in_flight_max: int = 128
    bytes_in_flight_max: int = 1 << 20
    soon_s: float = 0.25
    """An acknowledgement in this time shows that a target is not busy."""

    chunks_in_flight_max: int = 2

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a pause or a limit is not positive, or the jitter is not below 1.
        """
        times = (self.scan_interval_s, self.rest_s, self.patience_s, self.hint_max_age_s, self.soon_s)
        counts = (self.page, self.targets_max, self.in_flight, self.chunks_in_flight_max)
        if min(times) <= 0 or min(*counts, self.page_bytes_max, self.bytes_in_flight_max) < 1:
            raise ValueError(f"handoff settings must be positive: {self}")
        if self.page_max < self.page or self.in_flight_max < self.in_flight:
            raise ValueError("page_max and in_flight_max are limits: give no less than page and in_flight")
        if not 0 <= self.scan_jitter < 1:
            raise ValueError("scan_jitter is a share of the interval: give 0 or more, and less than 1")
