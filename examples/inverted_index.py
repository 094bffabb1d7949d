"""List for each word the files and lines where it occurs: `murmur run inverted-index FILE... -o -`."""

import re

from murmuration import Mapper, Reducer

WORD = re.compile(r"[^\W\d_]+")


class IndexMapper(Mapper):
    """Gives the place of each word."""

    def map(self, key, value):
        """See a line number and a line; a word counts once a line, in lower case."""
        place = (self.context.file, key)
        for word in sorted(set(WORD.findall(value.lower()))):
            yield word, place


class IndexReducer(Reducer):
    """Writes the places of a word in one line."""

    def reduce(self, key, values):
        """See a word and its places."""
        yield key, " ".join(f"{file}:{line}" for file, line in sorted(values))
