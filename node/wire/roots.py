"""Root the questions of clients and the answers of peers; their tags are their class names."""

from msgspec import Struct


class Request(Struct, frozen=True, array_like=True, tag=True):
    """Root of what clients ask."""


class Reply(Struct, frozen=True, array_like=True, tag=True):
    """Root of what peers answer."""
