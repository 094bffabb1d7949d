"""Set bad records aside in a side file, as many as a job allows: a JSON object for each, with what was wrong."""

import json
from typing import Any

from ....scheduling.jobs import SKIPPED
from ..programs.program_api import Context
from .wording import UserFault

QUARANTINE = "quarantine.jsonl"
"""The name of the side file."""


class Quarantine:
    """What one attempt sets aside."""

    def __init__(self, context: Context, allowed: int) -> None:
        self._context = context
        self._allowed = allowed
        self._taken = 0

    def take(self, why: UserFault, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Set a record aside; `before` and `after` are what is written of it around what was wrong.

        Raises:
            UserFault: that was one too many.
        """
        self._taken += 1
        if self._taken > self._allowed:
            raise why
        self._context.counter(SKIPPED).increment()
        entry = {**before, "kind": why.error.kind, "message": why.error.message, **after}
        with self._context.open(QUARANTINE, "a") as file:
            file.write(json.dumps(entry) + "\n")


def shown(value: Any) -> str:
    """Spell a record or a key: text as it is, all else as Python does."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else repr(value)
