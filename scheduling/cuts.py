"""Deal keys to partitions by ranges, so that partitions that are sorted one by one are sorted end to end.

*Cuts* part the order of keys (`ordering`): partition p has the keys from cut p-1 on, and below cut p. They are chosen
from a sample of the keys before a job begins, and are part of its record: so every attempt at a split, whoever leads
the job, deals alike. In the record a cut is spelled as `canonical` does, which `original` takes apart again.
"""

import struct
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from itertools import chain, islice
from typing import Any

from .ordering import comparable, order_key
from .partitioners import canonical

CUTS_BYTES_MAX = 256 << 10
"""What all cuts of a job may take of its record."""

CUT_BYTES_MAX = 1024

_LENGTH = struct.Struct(">I")
_FLOAT = struct.Struct(">d")


def chosen_cuts(sample: Iterable[bytes], partitions: int) -> tuple[bytes, ...]:
    """Choose at most `partitions` - 1 cuts that part a sample of encoded keys into equal shares.

    All keys that are equal fall into one share. So of a sample with few different keys there are fewer cuts, and then
    the last partitions stay empty.
    """
    room = min(CUT_BYTES_MAX, CUTS_BYTES_MAX // max(1, partitions))
    keys = sorted(
        (key for key in map(original, sample) if len(canonical(_shortened(key, room))) <= room), key=order_key
    )
    cuts: list[Any] = []
    place = 0
    for number in range(1, partitions):
        before = cuts[-1] if cuts else keys[0] if keys else None
        place = max(number * len(keys) // partitions, bisect_right(keys, order_key(before), key=order_key))
        if place == len(keys):
            break
        cuts.append(keys[place])
    return tuple(dict.fromkeys(canonical(_shortened(cut, room)) for cut in cuts))


def ranges_of(keys: Collection[Any], cuts: Sequence[Any]) -> list[int]:
    """Give the partition of each key in order, by cuts in ascending order; keys of one kind at full speed.

    Raises `TypeError` for a key without a place in the order, `ValueError` for NaN.
    """
    if comparable(chain(islice(keys, 1), cuts)) and comparable(keys) and not any(key != key for key in keys):
        return [bisect_right(cuts, key) for key in keys]
    ordered = [order_key(cut) for cut in cuts]
    return [bisect_right(ordered, _place(key)) for key in keys]


def _place(key: Any) -> tuple[int, Any]:
    canonical(key)  # refuses NaN, also within a tuple
    return order_key(key)


def original(encoded: bytes) -> Any:
    """Give the key that `canonical` has spelled so: one that is equal to what it was.

    Raises `ValueError` if there is no such key.
    """
    kind, content = encoded[:1], encoded[1:]
    match kind:
        case b"n":
            return None
        case b"s":
            return content.decode("utf-8", "surrogatepass")
        case b"b":
            return content
        case b"i":
            return int.from_bytes(content, "big", signed=True)
        case b"f" if len(content) == _FLOAT.size:
            return _FLOAT.unpack(content)[0]
        case b"t":
            return tuple(map(original, _items(content)))
        case _:
            raise ValueError(f"{encoded[:20]!r} is no encoded key")


def _items(content: bytes) -> Iterable[bytes]:
    place = 0
    while place < len(content):
        begin = place + _LENGTH.size
        if begin > len(content):
            raise ValueError("an encoded tuple is cut short")
        (length,) = _LENGTH.unpack_from(content, place)
        place = begin + length
        if place > len(content):
            raise ValueError("an encoded tuple is cut short")
        yield content[begin:place]


def _shortened(key: Any, room: int) -> Any:
    """Take the beginning of long text or bytes: it parts the keys as well."""
    return key[: (room - 1) // 4] if isinstance(key, (str, bytes)) else key
