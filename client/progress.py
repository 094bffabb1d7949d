"""Say what a long piece of work tells of how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Whoever wants to show how far a put, a get or a planning is."""

    def advance(self, name: str, done: int, total: int) -> None:
        """Take note that `done` of `total` bytes of the thing called `name` are through."""


class Silence:
    """A `Progress` for callers who do not look."""

    def advance(self, name: str, done: int, total: int) -> None:
        """Take note of nothing."""
