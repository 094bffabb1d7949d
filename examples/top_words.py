"""Find the commonest words, in two steps that are a job each: `murmur run top-words FILE... -o - --param top=10`."""

from murmuration import Mapper, Reducer


class Counting:
    """Give each word with its count: a step sets what a program file would."""

    class WordMapper(Mapper):
        def map(self, key, value):
            """See a line number and a line."""
            for word in value.split():
                yield word, 1

    reducer = "sum"


class Ranking:
    """Give the words by their ranks, and those of one rank by the alphabet."""

    class RankMapper(Mapper):
        def map(self, key, value):
            """See a word and its count."""
            yield (-int(value), key), None

    class RankReducer(Reducer):
        def setup(self):
            self.left = int(self.context.params.get("top", 10))

        def reduce(self, key, values):
            """See a count, below nought, with its word: in order, so the first ones are the commonest."""
            if self.left:
                self.left -= 1
                yield key[1], -key[0]

    reducers = 1


steps = [Counting, Ranking]
