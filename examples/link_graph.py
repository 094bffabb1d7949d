"""List for each address the pages that link to it: `murmur run link-graph PAGES/ -o -`.

The pages are HTML files. A link without a host is relative to the file that it stands in, or, with a slash before it,
to `--param root=DIRECTORY`.
"""

from html.parser import HTMLParser
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urldefrag, urlsplit

from murmuration import Mapper, Reducer

input_format = "whole-file"


class LinkMapper(Mapper):
    """Gives each target with the page that names it."""

    def map(self, key, value):
        """See a file's name and its bytes."""
        links = []
        parser = HTMLParser()
        parser.handle_starttag = lambda tag, pairs: links.append(dict(pairs).get("href")) if tag == "a" else None
        parser.feed(value.decode("utf-8", "replace"))
        for target in {urldefrag(link.strip())[0] for link in links if link} - {""}:
            yield self.resolved(key, target), key

    def resolved(self, page, target):
        """Give a target's address as seen from anywhere."""
        if urlsplit(target).scheme or target.startswith("//"):
            return target
        top = self.context.params.get("root", "") if target.startswith("/") else dirname(page)
        return normpath(join(top, unquote(target).lstrip("/")))


class LinkReducer(Reducer):
    def reduce(self, key, values):
        """See an address and its pages."""
        yield key, " ".join(sorted(set(values)))
