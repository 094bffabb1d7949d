"""List for each address the pages that link to it: `murmur run link-graph PAGES/ -o -`.

The pages are HTML files. A link without a host is relative to the file that it stands in, or, with a slash before it,
to `--param root=DIRECTORY`.
"""

from html.parser import HTMLParser
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urldefrag, urlsplit

from murmuration import Mapper, Reducer

input_format = "whole-file"


class Links(HTMLParser):
    targets: tuple[str, ...] = ()

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.targets += (urldefrag((dict(attrs).get("href") or "").strip())[0],)


class LinkMapper(Mapper):
    def map(self, key, value):
        """See a file's name and its bytes, and give each target with the page."""
        links = Links()
        links.feed(value.decode("utf-8", "replace"))
        for target in set(links.targets) - {""}:
            if not (urlsplit(target).scheme or target.startswith("//")):
                top = self.context.params.get("root", "") if target.startswith("/") else dirname(key)
                target = normpath(join(top, unquote(target).lstrip("/")))
            yield target, key


class LinkReducer(Reducer):
    def reduce(self, key, values):
        """See an address and its pages."""
        yield key, " ".join(sorted(set(values)))
