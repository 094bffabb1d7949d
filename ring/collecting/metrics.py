"""Count what was collected since the start of this process."""

from dataclasses import dataclass

from ..effects import Collected


@dataclass(slots=True, kw_only=True)
class CollectMetrics:
    """Counters, and what the last pass has left to wait."""

    passes: int = 0
    refused: int = 0
    """Passes that could not tell what is named, for somebody did not answer."""
    removed: int = 0
    removed_bytes: int = 0
    waiting: int = 0
    waiting_bytes: int = 0

    def count(self, report: Collected, failure: str, *, is_dry: bool) -> None:
        """Take in a pass that is over."""
        if is_dry:
            return
        self.passes += 1
        self.refused += bool(failure)
        self.removed += report.removed
        self.removed_bytes += report.removed_bytes
        if not failure:
            self.waiting, self.waiting_bytes = report.waiting, report.waiting_bytes
