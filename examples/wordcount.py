"""Count how often each word occurs: `murmur run wordcount FILE... -o -`.

The named aggregation `sum` brings its own combiner, so what travels between peers is one number a word and split.
"""

from murmuration import Mapper


class WordMapper(Mapper):
    """Gives a one for each word."""

    def map(self, key, value):
        """See a line number and a line."""
        for word in value.split():
            yield word, 1


reducer = "sum"
