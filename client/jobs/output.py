"""Bring the output of a finished job to where its user wants it: a local directory, standard output, or the ring.

Output in the ring is committed by the peers. All other output lies in the ring as nameless parts until the client has
received it: into a hidden directory beside the place, which is renamed when every part is there and verified.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ...ring.errors import CallerError, RemoteError
from ...scheduling.jobs import ChunkRef, StoredFile
from ..store.files import RingFiles
from ..store.paths import file_path, is_ring_path, shown
from .staging import check_free, staged_directory

STDOUT = "-"

NOWHERE = ""
"""The output of a job whose results are only read by `Job.results`."""

ANOTHER = "another --output"

Stream = Callable[[Iterable[ChunkRef]], Iterator[bytes]]
"""Gives the content of chunks, verified."""


def output_place(text: str) -> str:
    """Bring OUTPUT to the one spelling that a job keeps: an absolute local path, `ring:/dir`, `-` or nothing.

    Raises:
        CallerError: the path in the ring is not one, or the output is an address that jobs cannot write to.
    """
    if text in {STDOUT, NOWHERE}:
        return text
    if "://" in text and not is_ring_path(text):
        raise CallerError(f"output {text}: jobs write to a local directory, to ring:/DIR or to - (stdout), not to URLs")
    return shown(file_path(text)) if is_ring_path(text) else str(Path(text).expanduser().absolute())


def is_local(place: str) -> bool:
    """Tell whether an output is a directory of the client's machine."""
    return place not in {STDOUT, NOWHERE} and not is_ring_path(place)


def check_output(place: str, files: RingFiles, *, overwrite: bool) -> None:
    """Refuse, before any work is done, an output that exists.

    Raises:
        CallerError: it exists and is not empty, and `overwrite` does not allow to replace it.
    """
    if is_local(place):
        check_free(Path(place), overwrite=overwrite, option=ANOTHER)
    elif is_ring_path(place) and not overwrite and files.exists(place):
        raise CallerError(f"{place} exists; use --overwrite or {ANOTHER}")


class Delivery:
    """Receives a job's output once, where its submitter wanted it; output in the ring needs no receiving."""

    def __init__(
        self, place: str, files: RingFiles, *, overwrite: bool = False, stdout: BinaryIO | None = None
    ) -> None:
        self._place = place
        self._files = files
        self._overwrite = overwrite
        self._stdout = stdout
        self._delivered = False

    def deliver(self, parts: Sequence[StoredFile], side: Sequence[StoredFile] = ()) -> None:
        """Receive the parts and, into a directory, what lies beside them; unless they are received already.

        Raises:
            CallerError: something else has taken the place meanwhile.
            WorldError: a part can be had nowhere, or the disk refuses; a directory is then left as it was.
        """
        if self._delivered:
            return
        if self._place == STDOUT:
            receive_stream(parts, self._stdout or sys.stdout.buffer, self._files.stream)
        elif is_local(self._place):
            receive_directory((*parts, *side), Path(self._place), self._files.stream, overwrite=self._overwrite)
        self._delivered = True


def receive_directory(parts: Sequence[StoredFile], target: Path, stream: Stream, *, overwrite: bool = False) -> None:
    """Fetch all parts into a directory that appears at once, or not at all.

    Raises:
        CallerError: the directory exists and is not empty.
        RemoteError: the names of the parts could not all be files of one directory.
        WorldError: a part can be had nowhere, or the disk refuses; nothing is left behind.
    """
    check_names(parts)
    with staged_directory(target, overwrite=overwrite) as hidden:
        for part in parts:
            with (hidden / part.name).open("xb") as file:
                for piece in stream(part.chunks):
                    file.write(piece)


def receive_stream(parts: Sequence[StoredFile], target: BinaryIO, stream: Stream) -> None:
    """Write all parts, in order, to an open stream.

    Raises:
        WorldError: a part can be had nowhere; what was written before it stays written.
    """
    for part in parts:
        for piece in stream(part.chunks):
            target.write(piece)
    target.flush()


def check_names(parts: Sequence[StoredFile]) -> None:
    """Refuse names of parts that are empty, hidden, climb out of their directory, or occur twice.

    Raises:
        RemoteError: there is such a name.
    """
    seen: set[str] = set()
    for part in parts:
        if not part.name or part.name.startswith(".") or "/" in part.name or "\0" in part.name or part.name in seen:
            raise RemoteError(f"a part of the output is called {part.name!r}: not taken")
        seen.add(part.name)
