"""Read single fields of commands: whole numbers, times, bandwidths, percentages, ids and jobs."""

import re
from typing import Final

from ...client.units import parse_size, parse_time
from ...ring.errors import CallerError

NUMBER_MAX: Final = 1_000_000_000
"""Largest count that a script can name: more than any job has of anything."""

SECONDS_MAX: Final = 7 * 86_400.0
"""Longest time that a script can name: a week."""

RATE_MAX: Final = 10**12
"""Greatest bandwidth that a script can name, in bytes a second: a terabyte."""

NEWEST: Final = 0
"""Number of the job that was submitted last, `@`; the others are counted from 1, in the order of their `SUBMIT`s."""

TRACKER: Final = "@tracker"
"""Stands for an id: the peer that tracks the newest job when the command is carried out."""

_DIGITS: Final = re.compile(r"[0-9]{1,10}")
_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)%?")
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


def parse_number(text: str, *, least: int = 0, most: int = NUMBER_MAX) -> int:
    """Read a whole number from `least` to `most`.

    Raises:
        CallerError: it is none.
    """
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise CallerError(f"{text!r} is no whole number from {least} to {most}")
    return int(text)


def parse_seconds(text: str) -> float:
    """Read a time of a week at most, in seconds; a bare number is seconds.

    Raises:
        CallerError: it is none, or longer.
    """
    seconds = parse_time(text)
    if seconds > SECONDS_MAX:
        raise CallerError(f"{text!r} is longer than a week")
    return seconds


def parse_offset(text: str) -> float:
    """Read how far off a clock is, in seconds: a time of a week at most, with a sign or without.

    Raises:
        CallerError: it is none, or longer.
    """
    try:
        seconds = parse_seconds(text.removeprefix("-").removeprefix("+"))
    except CallerError as error:
        raise CallerError(f"{text!r} is no offset of a week at most; write it as -1h, +30s or 0") from error
    return -seconds if text.startswith("-") else seconds


def parse_rate(text: str) -> int:
    """Read a bandwidth in bytes a second; `/s` after it is understood.

    Raises:
        CallerError: it is none, or more than `RATE_MAX`.
    """
    try:
        rate = parse_size(re.sub(r"(?i)/s$", "", text))
    except CallerError as error:
        raise CallerError(f"{text!r} is no bandwidth; write it as 200KB, 1MiB or 0, a second") from error
    if rate > RATE_MAX:
        raise CallerError(f"{text!r} is more than a terabyte a second")
    return rate


def parse_share(text: str) -> float:
    """Read a percentage, with its sign or without, as a share of 1.

    Raises:
        CallerError: it is none, or above 100.
    """
    match = _PERCENT.fullmatch(text)
    if match is None or float(match[1]) > 100:
        raise CallerError(f"{text!r} is no percentage; write it as 25%")
    return float(match[1]) / 100


def parse_id(text: str) -> str:
    """Read the id of a peer, which becomes its name; letters keep their case.

    Raises:
        CallerError: no peer can have that name.
    """
    if not _ID.fullmatch(text):
        raise CallerError(f"{text!r} is no id; write letters, digits, '.', '_' and '-'")
    return text


def parse_target(text: str) -> str:
    """Read the id of a peer that a command is aimed at, or `TRACKER`.

    Raises:
        CallerError: it is neither.
    """
    return TRACKER if text.lower() == TRACKER else parse_id(text)


def parse_job(text: str) -> int:
    """Read the number of a job, or `@` for `NEWEST`.

    Raises:
        CallerError: it is neither.
    """
    return NEWEST if text == "@" else parse_number(text, least=1)
