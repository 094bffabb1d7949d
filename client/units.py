"""Read and write sizes and times as people spell them: `16MiB`, `64MB`, `250ms`, `10s`."""

import re
from typing import Final

from ..ring.errors import CallerError

SIZES: Final = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
"""Bytes in each unit; capitals and small letters are one."""

TIMES: Final = {"": 1.0, "MS": 0.001, "S": 1.0, "MIN": 60.0, "M": 60.0, "H": 3600.0, "D": 86400.0}
"""Seconds in each unit; a bare number is seconds."""

_AMOUNT: Final = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)\s*", re.ASCII)


def parse_size(text: str) -> int:
    """Read a size in bytes; a fraction of a byte is cut off.

    Raises:
        CallerError: the text is not a size.
    """
    amount = _parse(text, SIZES)
    if amount is None:
        raise CallerError(f"{text!r} is not a size; write it as 4096, 64MB or 16MiB")
    return int(amount)


def parse_time(text: str) -> float:
    """Read a time in seconds.

    Raises:
        CallerError: the text is not a time.
    """
    amount = _parse(text, TIMES)
    if amount is None:
        raise CallerError(f"{text!r} is not a time; write it as 250ms, 10s, 5min or 2h")
    return amount


def _parse(text: str, units: dict[str, int] | dict[str, float]) -> float | None:
    match = _AMOUNT.fullmatch(text)
    unit = units.get(match[2].upper()) if match else None
    if match is None or unit is None:
        return None
    if match[1].isdigit() and isinstance(unit, int):
        return int(match[1]) * unit  # exact above 2**53 too
    return float(match[1]) * unit


def format_size(count: int) -> str:
    """Spell a size in bytes with three figures and a binary unit."""
    if abs(count) < 1024:
        return f"{count} B"
    amount = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        amount /= 1024
        if abs(amount) < 999.5 or unit == "TiB":
            break
    return f"{_three_figures(amount)} {unit}"


def format_count(count: float) -> str:
    """Spell a number of things with at most three figures and k, M or G."""
    if abs(count) < 999.5:
        return f"{count:.0f}"
    for unit in ("k", "M", "G"):
        count /= 1000
        if abs(count) < 999.5 or unit == "G":
            break
    return f"{_three_figures(count)} {unit}"


def format_time(seconds: float) -> str:
    """Spell a time as shortly as a clock does: `250 ms`, `9.4 s`, `75 s`, `2 min 05 s`, `3 h 07 min`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _three_figures(amount: float) -> str:
    digits = 2 if abs(amount) < 9.995 else 1 if abs(amount) < 99.95 else 0
    return f"{amount:.{digits}f}"
