"""Hold the pace and the limits of membership, each with what it trades."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipSettings:
    """Set how fast failures are seen, and how much traffic that costs; the defaults are memberlist's for a LAN.

    A crash is suspected after about 1.6 probe intervals whatever the number of members, and certain after
    `suspicion_multiplier * max(1, log10 N)` intervals more.
    """

    probe_interval_s: float = 1.0
    probe_timeout_s: float = 0.5
    relays: int = 3
    """Members asked to probe indirectly: each divides the false suspicions by its chance of a good path."""

    awareness_worst: int = 8
    """How slow a peer can think itself: its probes then take so many times longer, plus once (Lifeguard, 3.1)."""

    visit_s: float = 5.0
    """Pause between two visits to the lost: how long a healed cut may go unseen by one peer."""

    suspicion_multiplier: int = 4
    suspicion_spread: int = 6
    """How many times longer an unconfirmed suspicion lasts than a confirmed one (Lifeguard, section 3.2)."""

    gossip_interval_s: float = 0.2
    gossip_hurry_s: float = 0.02
    """Fresh news waits only so long, which lets news of one moment travel together."""

    gossip_fanout: int = 3
    leave_fanout: int = 8
    retransmit_multiplier: int = 4
    news_entries_max: int = 24
    news_bytes_max: int = 16 * 1024

    exchange_first_s: float = 0.25
    """First pause between exchanges; each is half as long again as the one before, up to `exchange_alone_s`."""

    exchange_lost_fanout: int = 8
    """Members asked in each exchange while none is known to be alive, as after a start: any that lives can tell all."""

    exchange_alone_s: float = 5.0
    exchange_small_s: float = 5.0
    exchange_s: float = 30.0
    small_members: int = 16
    """In a cluster of at most so many members tables are small, and are exchanged at the quicker pace."""

    table_bytes_max: int = 512 * 1024
    """Larger tables travel in pages; 1,000 members with short paths are some 200 KiB."""

    members_max: int = 1024
    """Largest table; the longest gone or dead make room."""

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a pause is not positive, a limit is below 1, or the pings do not fit into the interval.
        """
        pauses = (self.probe_timeout_s, self.gossip_interval_s, self.gossip_hurry_s, self.exchange_first_s)
        limits = (self.suspicion_multiplier, self.suspicion_spread, self.gossip_fanout, self.news_entries_max)
        if min(pauses) <= 0 or min(limits) < 1 or min(self.relays, self.awareness_worst) < 0:
            raise ValueError(f"membership settings must be positive: {self}")
        if self.probe_timeout_s >= self.probe_interval_s:
            raise ValueError("probe_timeout_s must be below probe_interval_s, or relays have no time to answer")
        if not 2 <= self.members_max <= 4096 or self.news_entries_max > 63:
            raise ValueError("members_max is at most 4096 and news_entries_max 63: messages carry no more")
