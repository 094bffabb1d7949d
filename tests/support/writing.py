"""A client that writes all the while, and remembers what was acknowledged."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gated_peers import until

from murmuration.client.api import Client
from murmuration.ring.errors import WorldError

PAUSE_S = 0.01
"""Between two writes: all that is acknowledged is read again."""


class Writing:
    """Keys that were acknowledged, one after the other; a refused write may or may not have taken effect."""

    def __init__(self) -> None:
        self.acknowledged: dict[bytes, bytes] = {}
        self.refused = 0
        self._ended = threading.Event()

    def goes_on(self, count: int = 5) -> None:
        """Wait until so many more writes have been acknowledged."""
        wanted = len(self.acknowledged) + count
        until(lambda: len(self.acknowledged) >= wanted)

    def is_all_there(self, client: Client) -> bool:
        """Tell whether each acknowledged key has its one value."""
        wrong = {key: read_at_last(client, key) for key in self.acknowledged}
        wrong = {key: values for key, values in wrong.items() if values != (self.acknowledged[key],)}
        assert not wrong, f"{len(wrong)} of {len(self.acknowledged)} acknowledged keys: {wrong}"
        return True

    def run(self, urls: Sequence[str], name: str) -> None:
        """Write until told to end."""
        with Client(urls, patience_s=30.0) as client:
            for number in range(1_000_000):
                if self._ended.wait(PAUSE_S):
                    return
                key = f"{name}-{number}".encode()
                value = key * (4000 if number % 10 == 0 else 1)
                try:
                    client.kv.put(key, value)
                except WorldError:
                    self.refused += 1
                else:
                    self.acknowledged[key] = value

    def end(self) -> None:
        self._ended.set()


@contextmanager
def writing(urls: Sequence[str], name: str = "write") -> Iterator[Writing]:
    """Write through any of these peers until the block ends."""
    found = Writing()
    thread = threading.Thread(target=found.run, args=(tuple(urls), name))
    thread.start()
    try:
        yield found
    finally:
        found.end()
        thread.join()


def read_at_last(client: Client, key: bytes) -> tuple[bytes, ...]:
    """Read a key as soon as enough of its homes answer: one that does not answer yet has lost nothing."""
    found: list[tuple[bytes, ...]] = []

    def is_read() -> bool:
        try:
            found.append(client.kv.get(key).values)
        except WorldError:
            return False
        return True

    until(is_read)
    return found[0]
