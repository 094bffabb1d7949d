"""Ask leave for bulk transfers: whether, and when, what another process serves has come across."""

from typing import Final, Protocol


class Passage(Protocol):
    """The way from bulk servers to this process; called from the threads that pull."""

    def shows_files(self, url: str) -> bool:
        """Tell whether what the server at `url` serves may be read by its path, where the host is the same."""

    def admit(self, url: str, size: int, asked_at: float, patience_s: float) -> None:
        """Return when `size` bytes that were asked for at `asked_at` (`time.monotonic`) have come across.

        Raises:
            WorldError: they do not come within `patience_s`.
        """


class FreePassage:
    """The way of every ordinary process: what the sockets have brought is here."""

    def shows_files(self, url: str) -> bool:  # noqa: ARG002 - all of them
        """Tell whether what the server at `url` serves may be read by its path, where the host is the same."""
        return True

    def admit(self, url: str, size: int, asked_at: float, patience_s: float) -> None:
        """Return when the bytes have come across, which they have."""


FREE: Final = FreePassage()
