"""Serve local files to peers: they pull what they need, under names that nobody can guess."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from ...node.transport.bulk_server import BulkServer
from ...node.transport.host import host_id
from ...node.transport.shelves import SharedFiles
from ...ring.terms import Source


class Share:
    """The files that a client serves; its bulk server starts with the first of them."""

    def __init__(self) -> None:
        self._files = SharedFiles()
        self._server: BulkServer | None = None

    def session(self) -> "ShareSession":
        """Begin to share some files that belong together; they are shared until the session or the client is closed."""
        return ShareSession(self)

    def register(self, path: Path) -> Source:
        """Share one file.

        Raises:
            CallerError: there is no such file.
        """
        if self._server is None:
            self._server = BulkServer(self._files)
        return Source(
            url=self._server.url, ref=self._files.register(path), host=host_id(), path=os.fspath(path.resolve())
        )

    def withdraw(self, source: Source) -> None:
        """Share a file no longer."""
        self._files.withdraw(source.ref)

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.close()


class ShareSession:
    """Some shared files, each under one name; leaving the block withdraws them."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._sources: dict[Path, Source] = {}

    def source(self, path: Path, offset: int = 0) -> Source:
        """Tell peers where the bytes of a local file are from `offset` on.

        Raises:
            CallerError: there is no such file.
        """
        known = self._sources.get(path)
        if known is None:
            known = self._sources[path] = self._share.register(path)
        return Source(url=known.url, ref=known.ref, host=known.host, path=known.path, offset=offset)

    def close(self) -> None:
        """Withdraw the files."""
        for source in self._sources.values():
            self._share.withdraw(source)
        self._sources.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
