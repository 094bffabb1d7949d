"""Write down what happens while scripts are played: JSON lines into a file, and short ones for the person who watches.

Every line has `at`, the seconds since the session began, and `what`; the other fields depend on that.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from ...client.printing import printable

EVENTS = "events.jsonl"


class Journal:
    """The event log of one session."""

    def __init__(self, directory: Path, say: Callable[[str], None]) -> None:
        """Begin a new log in a directory; `say` shows a line to whoever watches."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._began = time.monotonic()
        self._say = say
        self._file = (directory / EVENTS).open("w", encoding="utf-8")

    @property
    def now_s(self) -> float:
        """Seconds since the session began."""
        return time.monotonic() - self._began

    def note(self, what: str, shown: str, **facts: object) -> None:
        """Write an event down, and show it; what is empty is not shown."""
        json.dump({"at": round(self.now_s, 3), "what": what, **facts}, self._file, ensure_ascii=False)
        self._file.write("\n")
        self._file.flush()
        if shown:
            lines = "\n          ".join(printable(line) for line in shown.split("\n"))
            self._say(f"{self.now_s:7.2f} s {lines}")

    def close(self) -> None:
        """End the log."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
