"""Read the addresses that people write, and refuse to listen where strangers could knock."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from ...ring.errors import CallerError

LOCALHOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A TCP address; port 0 means any free one."""

    host: str
    port: int

    @property
    def endpoint(self) -> str:
        """Spell the address as a socket takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port or '*'}"

    @property
    def is_ipv6(self) -> bool:
        """Tell whether the socket must speak IPv6."""
        return ":" in self.host


def parse_address(url: str) -> Address:
    """Read `tcp://HOST:PORT`; a path after it, as in `tcp://localhost:30001/W`, is only a name, and ignored.

    Raises:
        CallerError: it is no such address.
    """
    try:
        parts = urlsplit(url.strip().replace(":*", ":0"))
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise CallerError(f"{url!r} is no address ({error}); write tcp://HOST:PORT") from error
    if parts.scheme != "tcp" or not host or port is None:
        raise CallerError(f"{url!r} is no address; write tcp://HOST:PORT")
    return Address(host=LOCALHOST if host == "localhost" else host, port=port)


def parse_listen_address(url: str) -> Address:
    """Read an address to listen at, which must be a loopback address.

    Raises:
        CallerError: it is no address, or others than this machine could reach it.
    """
    address = parse_address(url)
    try:
        loopback = ip_address(address.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise CallerError(
            f"{url} is not a loopback address: other addresses need keys, which this version does not have; "
            f"listen at tcp://{LOCALHOST}:PORT"
        )
    return address
