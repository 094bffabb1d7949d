"""List for each word the places where it occurs, as file:line:column: `murmur run inverted-index FILE... -o -`."""

import re

from murmuration import Mapper, Reducer

WORD = re.compile(r"[^\W\d_]+")


class IndexMapper(Mapper):
    """Gives the places of each word."""

    def map(self, key, value):
        """See a line number and a line; words count in lower case, columns in characters from 1."""
        for found in WORD.finditer(value):
            yield found[0].lower(), (self.context.file, key, found.start() + 1)


class IndexReducer(Reducer):
    """Writes the places of a word in one line."""

    def reduce(self, key, values):
        """See a word and its places."""
        yield key, " ".join(f"{file}:{line}:{column}" for file, line, column in sorted(values))
