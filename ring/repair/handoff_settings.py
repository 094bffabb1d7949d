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
    targets_max: int = 4
    in_flight_max: int = 16
    chunks_in_flight_max: int = 2

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a pause or a limit is not positive, or the jitter is not below 1.
        """
        limits = (self.page, self.targets_max, self.in_flight_max, self.chunks_in_flight_max)
        if min(self.scan_interval_s, self.rest_s, self.patience_s, self.hint_max_age_s) <= 0 or min(limits) < 1:
            raise ValueError(f"handoff settings must be positive: {self}")
        if not 0 <= self.scan_jitter < 1:
            raise ValueError("scan_jitter is a share of the interval: give 0 or more, and less than 1")
