"""A TCP proxy that resets each connection once so many bytes have come back through it."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from strangers import RESET


class ResettingProxy:
    """Stands before one address; `resets` counts the connections that it has broken off."""

    def __init__(self, url: str, *, after_bytes: int) -> None:
        parts = urlsplit(url)
        self._behind = (parts.hostname, parts.port)
        self._after_bytes = after_bytes
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self.resets = 0
        self._open: list[socket.socket] = [self._server]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._open:
            _shut(each)
        for thread in self._threads:
            thread.join()

    def _run(self, what: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=what, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                front, _ = self._server.accept()
            except OSError:
                return
            back = socket.create_connection(self._behind)
            self._open += [front, back]
            self._run(self._pass_on, front, back, 1 << 40)
            self._run(self._pass_on, back, front, self._after_bytes)

    def _pass_on(self, source: socket.socket, target: socket.socket, room: int) -> None:
        try:
            while room > 0 and (piece := source.recv(1 << 16)):
                target.sendall(piece)
                room -= len(piece)
        except OSError:
            return
        if room <= 0:
            self.resets += 1
            target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        _shut(target)


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side may have gone already
        each.shutdown(socket.SHUT_RDWR)
    each.close()
