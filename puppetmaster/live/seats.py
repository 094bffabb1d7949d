"""Choose at which addresses the peers of a measurement listen, and which puppet master starts each."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import cycle, islice

from ...ring.errors import CallerError
from ..language.places import LOOPBACK, Place
from .session import somebody_listens

ELSEWHERE_FROM = 30001
"""First port of workers in the assignment; which ports of another machine are free cannot be seen from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where one peer is to listen, and who starts it: this process if nobody is named."""

    service: str
    master: Place | None = None

    @property
    def spelt(self) -> str:
        """Spell it as the addresses of a `WORKER`."""
        return self.service if self.master is None else f"{replace(self.master, service='PM')} {self.service}"


def seats_of(peers: int, masters: Sequence[Place] = ()) -> list[Seat]:
    """Share peers out among puppet masters in turn, each peer on its puppet master's host.

    Raises:
        CallerError: at one of the addresses no puppet master listens.
    """
    for place in masters:
        if not somebody_listens(place):
            raise CallerError(f"no puppet master answers at {place}; run `murmur puppet serve --listen` there")
    turns: list[Place | None] = list(islice(cycle(masters or (None,)), peers))
    ports = _ports_of([LOOPBACK if place is None else place.host for place in turns])
    return [
        Seat(service=f"tcp://{LOOPBACK if place is None else place.host}:{port}/W", master=place)
        for place, port in zip(turns, ports, strict=True)
    ]


def free_ports(count: int, host: str = LOOPBACK) -> list[int]:
    """Find ports at which nobody listens, all of them open at once so that they are distinct."""
    return _ports_of([host] * count)


def _ports_of(hosts: Sequence[str]) -> list[int]:
    with ExitStack() as stack:
        return [_port_at(host, number, stack) for number, host in enumerate(hosts)]


def _port_at(host: str, number: int, stack: ExitStack) -> int:
    try:
        listener = stack.enter_context(socket.create_server((host, 0)))
    except OSError:
        return ELSEWHERE_FROM + number  # not an address of this machine
    port: int = listener.getsockname()[1]
    return port
