"""Find the lines that match a regular expression: `murmur run grep FILE... -o - --reducers 0 --param pattern=REGEX`.

Each match is written with its line number, in the order of the input. A counter tells how many there were.
"""

import re

from murmuration import Mapper


class GrepMapper(Mapper):
    """Passes on the lines that match."""

    def setup(self):
        """Compile the pattern once for each attempt."""
        pattern = self.context.params.get("pattern")
        if pattern is None:
            raise ValueError("grep needs a pattern: --param pattern=REGEX")
        self.search = re.compile(pattern).search
        self.matches = self.context.counter("matches")

    def map(self, key, value):
        """See a line number and a line."""
        if self.search(value):
            self.matches.increment()
            yield key, value
