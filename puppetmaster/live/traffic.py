"""Count what all peers have sent each other: the gate of each counts its own, and forgets it when its peer ends."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..masters.master import PuppetView


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Messages between peers with the bytes of their frames, and the bytes of bulk transfers beside them."""

    messages: int = 0
    message_bytes: int = 0
    bulk_bytes: int = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(
            messages=self.messages + other.messages,
            message_bytes=self.message_bytes + other.message_bytes,
            bulk_bytes=self.bulk_bytes + other.bulk_bytes,
        )

    def since(self, earlier: "Traffic") -> "Traffic":
        """Tell what has been sent since an earlier moment."""
        return Traffic(
            messages=self.messages - earlier.messages,
            message_bytes=self.message_bytes - earlier.message_bytes,
            bulk_bytes=self.bulk_bytes - earlier.bulk_bytes,
        )


class Ledger:
    """Adds up what the gates of all processes have sent, those that have ended included.

    A process is counted as it was last seen: so one that is to be replaced must be looked at before.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], Traffic] = {}

    def note(self, views: Iterable[PuppetView]) -> Traffic:
        """Take in how the peers are now, and give the sum."""
        for view in views:
            if view.condition is not None:
                self._last[view.name, view.pid] = Traffic(
                    messages=view.condition.messages_out,
                    message_bytes=view.condition.bytes_out,
                    bulk_bytes=view.condition.bulk_bytes_out,
                )
        return sum(self._last.values(), Traffic())
