"""Remember what a user's attempt must not leave running: it is ended with the attempt, whatever becomes of that."""

from collections.abc import Callable

_endings: dict[object, Callable[[], object]] = {}


def end_with_attempt(thing: object, end: Callable[[], object]) -> None:
    """Have a thing ended at the end of the attempt, unless it is forgotten before."""
    _endings[thing] = end


def forget(thing: object) -> None:
    """Take note that a thing has ended by itself."""
    _endings.pop(thing, None)


def end_leftovers() -> None:
    """End what is left."""
    while _endings:
        _, end = _endings.popitem()
        end()
