"""Count how often each URL was asked for, from web server logs: `murmur run url-frequency access.log... -o -`.

The logs are in the common or the combined format. Lines that are not are counted as `malformed`.
"""

import re

from murmuration import Mapper

REQUEST = re.compile(r'\S+ \S+ .+? \[[^\]]+\] "[A-Z]+ (?P<url>(?:[^"\\\s]|\\.)+)(?: HTTP/[\d.]+)?" \d{3} ')


class RequestMapper(Mapper):
    """Gives a one for each request."""

    def setup(self):
        """Count from nought, so that the counter is there even if it stays so."""
        self.malformed = self.context.counter("malformed")

    def map(self, key, value):
        """See a line number and a line."""
        request = REQUEST.match(value)
        if request:
            yield request["url"], 1
        else:
            self.malformed.increment()


reducer = "sum"
