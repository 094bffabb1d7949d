"""Find out at which addresses a peer may answer: those given, those in the environment, or those of the last start."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..node.transport.addresses import parse_address
from ..ring.errors import CallerError, Unreachable

VARIABLE = "MURMUR_PEERS"
WAY_OUT = f"start one with `murmur up`, or name one with --peer URL or {VARIABLE}"


def find_urls(given: Sequence[str] = ()) -> tuple[str, ...]:
    """Collect the addresses to try, in order: `given`, else those in `MURMUR_PEERS`, else those of the last start.

    Raises:
        CallerError: one of them is no address.
        Unreachable: none is known.
    """
    urls = tuple(given) or _urls_of_environment() or recall_urls()
    if not urls:
        raise Unreachable(f"no peer is known: {WAY_OUT}")
    return tuple(dict.fromkeys(endpoint(url) for url in urls))


def endpoint(url: str) -> str:
    """Bring an address to the form `tcp://HOST:PORT`; scheme and host fold case, and a path after it is cut.

    Raises:
        CallerError: it is no address of a peer.
    """
    address = parse_address(url if "://" in url else f"tcp://{url}")
    if not address.port:
        raise CallerError(f"{url!r} names no port; write tcp://HOST:PORT")
    return address.endpoint


def addresses_file() -> Path:
    """Name the file that tells where the last `murmur up` on this machine listens (XDG base directories)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    root = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return root / "murmuration" / "peers.json"


def remember_urls(urls: Sequence[str]) -> None:
    """Write down where peers were started, for clients of this user to find; all of the file or none is replaced.

    Raises:
        OSError: the file cannot be written.
    """
    file = addresses_file()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".peers-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump({"urls": list(urls)}, stream)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def recall_urls() -> tuple[str, ...]:
    """Read what the last start wrote down; nothing if there is no such file, or it holds something else."""
    try:
        content = json.loads(addresses_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()  # a file that nobody can use is as good as none: the caller says what to do
    urls = content.get("urls") if isinstance(content, dict) else None
    return tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else ()


def forget_urls(urls: Sequence[str]) -> None:
    """Remove what `remember_urls` wrote for these addresses, unless a later start has written others since."""
    if recall_urls() == tuple(urls):
        addresses_file().unlink(missing_ok=True)


def _urls_of_environment() -> tuple[str, ...]:
    return tuple(url for url in (word.strip() for word in os.environ.get(VARIABLE, "").split(",")) if url)
