"""Sum up what each host writes about, as its commonest words: `murmur run term-vector PAGES... -o - --param terms=5`.

Each line of the input is a document: its URL, a tab and its text. Words that a host has used fewer than `least` times
(2) are thrown away; of the others it keeps `terms` (10).
"""

import re
from collections import Counter
from urllib.parse import urlsplit

from murmuration import Mapper, Reducer

input_format = "key-value"
WORD = re.compile(r"[^\W\d_]+")


class TermMapper(Mapper):
    def map(self, key, value):
        """See a URL and a text."""
        yield urlsplit(key).hostname or "", Counter(WORD.findall(value.lower()))


class Sum(Reducer):
    def reduce(self, key, values):
        """See a host and its term vectors."""
        yield key, sum(values, Counter())


class Shortened(Reducer):
    def reduce(self, key, values):
        """See a host and its term vectors, some of them added up."""
        params = self.context.params
        least, terms = int(params.get("least", 2)), int(params.get("terms", 10))
        ranked = sorted(sum(values, Counter()).items(), key=lambda term: (-term[1], term[0]))
        yield key, " ".join(f"{word}:{count}" for word, count in ranked[:terms] if count >= least)


combiner = Sum
reducer = Shortened
