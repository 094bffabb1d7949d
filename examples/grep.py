"""Find the lines that match a regular expression: `murmur run grep FILE... -o - --reducers 0 --param pattern=REGEX`.

Each match is written with its line number, in the order of the input. A counter tells how many there were. A pattern
without special characters is looked for in whole blocks, and only the lines around it are cut and decoded.
"""

import re

from murmuration import Mapper

SPECIAL = frozenset("\\^$.|?*+()[]{}\r\n")


class GrepMapper(Mapper):
    """Passes on the lines that match."""

    def setup(self):
        """Compile the pattern once for each attempt."""
        pattern = self.context.params.get("pattern")
        if pattern is None:
            raise ValueError("grep needs a pattern: --param pattern=REGEX")
        self.plain = pattern.encode() if pattern and SPECIAL.isdisjoint(pattern) else b""
        self.search = re.compile(pattern).search
        self.matches = self.context.counter("matches")

    def map_batch(self, batch):
        """See many lines."""
        if self.plain:
            found = batch.containing(self.plain)
        else:
            found = ((number, line) for number, line in enumerate(batch, batch.first_line) if self.search(line))
        for match in found:
            self.matches.increment()
            yield match
