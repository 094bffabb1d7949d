"""Spell pairs as lines, or as values of one length."""

import json
from itertools import chain
from typing import Any

from ..faults.wording import fault


def tabbed(pairs: list[tuple[Any, Any]]) -> bytes:
    """Spell key, tab and value."""
    if bytes in set(map(type, chain.from_iterable(pairs))):
        return b"".join(b"%b\t%b\n" % (_raw(key), _raw(value)) for key, value in pairs)
    return "".join([f"{key}\t{value}\n" for key, value in pairs]).encode("utf-8", "surrogatepass")


def values_alone(pairs: list[tuple[Any, Any]]) -> bytes:
    """Spell values, and no keys."""
    return b"".join([_raw(value) + b"\n" for _, value in pairs])


def _raw(thing: Any) -> bytes:
    return thing if type(thing) is bytes else str(thing).encode("utf-8", "surrogatepass")


class FixedLength:
    """Writes values of bytes, all of one length, with nothing between them."""

    def __init__(self) -> None:
        self._length: int | None = None

    def __call__(self, pairs: list[tuple[Any, Any]]) -> bytes:
        """Join the values of these pairs; raises `UserFault` for one that is not as those before."""
        values = [value for _, value in pairs]
        for value in values:
            if not isinstance(value, bytes):
                raise fault("BadOutput", f"the format fixed writes bytes, and not {value!r:.100}", record=value)
            self.check(len(value))
        return b"".join(values)

    def check(self, length: int) -> None:
        """Raise `UserFault` for values of another length than those before."""
        if self._length is None:
            self._length = length
        elif length != self._length:
            lengths = f"{self._length} and {length} bytes"
            raise fault("BadOutput", f"the format fixed writes values of one length, and these have {lengths}")


def json_lines(pairs: list[tuple[Any, Any]]) -> bytes:
    """Spell objects of JSON with `key` and `value`."""
    return "".join(
        [json.dumps({"key": key, "value": value}, ensure_ascii=False) + "\n" for key, value in pairs]
    ).encode("utf-8", "surrogatepass")
