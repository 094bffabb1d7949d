"""Read what a command writes to its standard error: counters and states by Hadoop's convention, else lines for the log.

`reporter:counter:GROUP,NAME,AMOUNT` adds to the job's counter `GROUP.NAME`; `reporter:status:TEXT` goes to the log as
`status: TEXT`.
"""

from collections import deque

from .program_api import Context

LINE_BYTES_MAX = 1 << 14
"""A longer line is cut into several, so that a command that never ends one takes no memory."""

LINES_KEPT = 10

COUNTER = "reporter:counter:"
STATUS = "reporter:status:"


class StderrReport:
    """Takes standard error as it comes; keeps the last lines for an error message."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._rest = b""
        self._last: deque[str] = deque(maxlen=LINES_KEPT)

    def feed(self, piece: bytes) -> None:
        """Act on the lines that are whole, or too long to wait for their ends."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace"))
        if len(self._rest) > LINE_BYTES_MAX:
            self.finish()

    def finish(self) -> None:
        """Take what is left as a line."""
        rest, self._rest = self._rest, b""
        if rest:
            self._take(rest.decode("utf-8", "replace"))

    def last_lines(self) -> str:
        """Give the last lines that were no reports."""
        return "\n".join(self._last)

    def _take(self, line: str) -> None:
        if line.startswith(STATUS):
            self.context.log("status:", line.removeprefix(STATUS))
        elif not (line.startswith(COUNTER) and self._count(line.removeprefix(COUNTER))):
            self._last.append(line)
            self.context.log(line)

    def _count(self, text: str) -> bool:
        """Add to a counter; tell whether the text has the form for it."""
        names, _, amount = text.rpartition(",")
        group, comma, name = names.partition(",")
        try:
            number = int(amount)
        except ValueError:
            return False
        if not (group and comma and name):
            return False
        self.context.counter(f"{group}.{name}").increment(number)
        return True
