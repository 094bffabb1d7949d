"""Count how often each word occurs, with a reducer of one's own that is the combiner too.

`murmur run wordcount-class FILE... -o -`
"""

from murmuration import Mapper, Reducer


class WordMapper(Mapper):
    """Gives a one for each word."""

    def map(self, key, value):
        """See a line number and a line."""
        for word in value.split():
            yield word, 1


class SumReducer(Reducer):
    """Adds up; as a combiner it adds up parts."""

    def reduce(self, key, values):
        """See a word and its numbers."""
        yield key, sum(values)


combiner = SumReducer
