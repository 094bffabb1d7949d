"""Read the addresses that stand in scripts, however they are spelt, and tell whose each one is."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from ...ring.errors import CallerError

HostMap = Mapping[str, str]
"""Addresses by the host names, in small letters, that they stand for: `--map-host NAME=ADDR`."""

LOOPBACK: Final = "127.0.0.1"


class Role(Enum):
    """Who answers at an address of the assignment."""

    CLIENT = "client"
    PUPPET_MASTER = "puppet master"
    WORKER = "worker"


_PORTS: Final = {
    Role.CLIENT: range(10001, 20000),
    Role.PUPPET_MASTER: range(20001, 30000),
    Role.WORKER: range(30001, 40000),
}
_WORDS: Final = {"puppet": Role.PUPPET_MASTER, "worker": Role.WORKER, "client": Role.CLIENT}
_LETTERS: Final = {"pm": Role.PUPPET_MASTER, "w": Role.WORKER, "c": Role.CLIENT}
_LETTERS_FIRST: Final = re.compile(r"[a-z]*")

_URL: Final = re.compile(
    r"(?:tcp://)?(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<host>[0-9a-z._-]+)):(?P<port>[0-9]{1,5})(?:/(?P<service>.*))?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An address of the assignment, `tcp://HOST:PORT/SERVICE`; the host is in small letters.

    The service only names the role: what listens at a port is one thing, so `is_same` does not look at it.
    """

    host: str
    port: int
    service: str = ""

    def __str__(self) -> str:
        return f"tcp://{_bracketed(self.host)}:{self.port}{'/' if self.service else ''}{self.service}"

    @property
    def endpoint(self) -> str:
        """Spell the address as a socket takes it; localhost is the loopback address, as everywhere here."""
        return f"tcp://{_bracketed(LOOPBACK if self.host == 'localhost' else self.host)}:{self.port}"

    @property
    def role(self) -> Role | None:
        """Tell whose address this is by the name of the service, else by the range of the port, if either tells."""
        name = self.service.lower()
        for word, role in _WORDS.items():
            if word in name:
                return role
        letters = _LETTERS_FIRST.match(name)
        by_letters = _LETTERS.get(letters[0]) if letters else None
        return by_letters or next((role for role, ports in _PORTS.items() if self.port in ports), None)

    def is_same(self, other: "Place") -> bool:
        """Tell whether two spellings name one address."""
        return self.endpoint == other.endpoint

    def is_here(self, names: Collection[str] = ()) -> bool:
        """Tell whether the address is on this machine, whose own names and addresses are `names` in small letters."""
        return self.endpoint.startswith("tcp://127.") or self.host in {"localhost", "::1", *names}

    def mapped(self, hosts: HostMap) -> "Place":
        """Put the host's own address in the place of a name that the user mapped."""
        return replace(self, host=hosts.get(self.host, self.host).lower())


def parse_place(text: str) -> Place:
    """Read an address; scheme and host fold case, and the scheme and the service may be missing.

    Raises:
        CallerError: it is no such address.
    """
    match = _URL.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 1 << 16:
        raise CallerError(f"{text!r} is no address; write tcp://HOST:PORT/SERVICE")
    host = match["ipv6"] or match["host"]
    return Place(host=host.lower(), port=int(match["port"]), service=(match["service"] or "").strip("/"))


def parse_host_map(words: Iterable[str]) -> dict[str, str]:
    """Read the `NAME=ADDR` of each `--map-host`; names fold case, and the last word for a name counts.

    Raises:
        CallerError: a word is not of that form.
    """
    hosts = {}
    for word in words:
        name, equals, address = word.partition("=")
        if not (name.strip() and equals and address.strip()):
            raise CallerError(f"{word!r} maps no host; write --map-host NAME=ADDR, as in lab7=192.168.1.7")
        hosts[name.strip().lower()] = address.strip().strip("[]")
    return hosts


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
