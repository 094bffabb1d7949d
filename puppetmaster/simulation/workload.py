"""Say what a workload is: a client that wants something of the cluster, and that judges whether it was done.

A further workload is one class of this shape in a file of its own, and one line in the table of `workloads`.
"""

from abc import ABC, abstractmethod


class Workload(ABC):
    """One client in a schedule; what a workload does not say is that it has nothing to look at, judge or wait for."""

    @abstractmethod
    def begin(self) -> None:
        """Put its steps on the timeline."""

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Tell whether the schedule need not wait for it any longer."""

    @property
    def settled(self) -> bool:
        """Tell whether nothing of it is on its way any more, once the faults are over."""
        return True

    def look(self) -> None:
        """Look for broken promises between two events."""
        return

    def judge(self) -> list[str]:
        """Name what is broken when it had its time."""
        return []

    def judge_at_rest(self) -> list[str]:
        """Name what is broken when all faults are over and all copies have settled."""
        return []

    def note_end(self) -> None:
        """Count the rare states that its end shows."""
        return
