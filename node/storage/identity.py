"""Give a data directory its identity: who the peer is, how often it was started, and that only one process runs it."""

import fcntl
import os
import re
import secrets
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from ...ring.errors import CallerError, WorldError
from ...ring.terms import PeerId
from .durable import replace_durably

IDENTITY_FILE: Final = "identity.json"
LOCK_FILE: Final = "lock"
CONTENT: Final = ("store", "chunks", "runs", "parts", "logs", "scratch")
"""What a peer keeps; the rest of its directory is about the peer itself."""
NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
SHORT_NAME_DIGITS: Final = 8
STARTS_A_SECOND: Final = 256
"""The clock moves the start number so fast: no process ends and starts again sooner, and 40 bits last until 2106."""


class _Record(Struct, frozen=True, forbid_unknown_fields=True):
    """What the identity file holds."""

    id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    name: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,128}$")]
    start: Annotated[int, Meta(ge=0, lt=1 << 40)]
    has_parted: bool = False
    """Whether the peer has left its cluster or was removed from it; then its id never comes back."""
    outdated: Annotated[str, Meta(pattern="^([0-9a-f]{32})?$")] = ""
    """Whose content is to be set aside at the next start: it was an old copy, of a peer with another id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this process is; `start` is greater than at any start before. The directory is its own until `close`.

    It is so even where the directory is an old copy that was put back, for the clock has moved on since. Else the peer
    would do two different things under one number, and what it wrote the second time would be taken for the first.
    """

    peer_id: PeerId
    name: str
    start: int
    recorded: int
    """The start before this one as the directory had it on record; 0 where the directory is new."""
    lock: int
    """Descriptor of the locked file; the lock ends with the process, however that ends."""

    def close(self) -> None:
        """Let another process have the directory."""
        os.close(self.lock)


def open_identity(directory: Path, name: str | None) -> Identity:
    """Take a data directory for this process, make it if there is none, and count this start durably.

    A name given here is kept for later starts; without any the name is the beginning of the id. A directory that was
    given another name before is another peer's: were two directories exchanged by mistake, their peers would trade
    places, and nobody would see why.

    Raises:
        CallerError: the name or the directory cannot be used, the directory is another peer's or that of one that has
            parted from its cluster, or another process is using it.
        WorldError: the disk refused, or the identity file is damaged.
    """
    if name is not None and NAME.fullmatch(name) is None:
        raise CallerError(f"{name!r} cannot name a peer: write 1 to 128 of the characters A-Z a-z 0-9 . _ -")
    try:
        _make_private(directory)
        lock = _lock(directory)
        try:
            _set_outdated_aside(directory)
            recorded, record = _next_start(directory / IDENTITY_FILE, name)
        except BaseException:
            os.close(lock)
            raise
    except OSError as error:
        raise WorldError(f"{directory} cannot be used as a data directory: {error.strerror}") from error
    return Identity(peer_id=PeerId(record.id), name=record.name, start=record.start, recorded=recorded, lock=lock)


def outdated_place(directory: Path, peer: PeerId) -> Path:
    """Name the folder into which the content of a directory goes when that turns out to be an old copy."""
    return directory / f"outdated-{peer[:SHORT_NAME_DIGITS]}"


def renew_identity(directory: Path) -> PeerId:
    """Give a directory that turned out to be an old copy a new id, and give that; the name stays.

    What it holds is set aside at its next start. It may hold values that were deleted since, and forgotten by all: as
    the copies of a new peer they would come back.

    Raises:
        WorldError: the disk refused, or the identity file is damaged.
    """
    file = directory / IDENTITY_FILE
    before, peer_id = _read(file), secrets.token_hex(16)
    has_own_name = before is not None and before.name != before.id[:SHORT_NAME_DIGITS]
    name = before.name if before is not None and has_own_name else peer_id[:SHORT_NAME_DIGITS]
    outdated = "" if before is None else before.id
    _write(file, _Record(id=peer_id, name=name, start=0, outdated=outdated))
    return PeerId(peer_id)


def note_parting(directory: Path) -> None:
    """Take note that this peer is no member of its cluster any more, so that its next start says so at once.

    Raises:
        WorldError: the disk refused, or the identity file is damaged.
    """
    file = directory / IDENTITY_FILE
    record = _read(file)
    if record is not None:
        _write(file, msgspec.structs.replace(record, has_parted=True))


def parting_line(name: str, directory: Path) -> str:
    """Say that a peer cannot come back as itself, and what to do."""
    return (
        f"peer {name} has left its cluster or was removed from it, and cannot come back with what {directory} holds: "
        "start it with --rejoin-as-new, or give it an empty directory with --data"
    )


def set_aside(directory: Path) -> Path | None:
    """Make the directory of a peer that has parted that of a new, empty peer of its name.

    Gives where its content is now; None, and nothing is done, where the directory belongs to no such peer.

    Raises:
        CallerError: another process is using the directory.
        WorldError: the disk refused, or the identity file is damaged.
    """
    record = _read(directory / IDENTITY_FILE)
    if record is None or not record.has_parted:
        return None
    try:
        lock = _lock(directory)
        try:
            aside = directory / f"parted-{record.id[:SHORT_NAME_DIGITS]}"
            _move_content(directory, aside)
        finally:
            os.close(lock)
    except OSError as error:
        raise WorldError(f"{directory} cannot be set aside: {error.strerror}") from error
    renew_identity(directory)  # what it is to set aside is gone by then
    return aside


def _set_outdated_aside(directory: Path) -> None:
    record = _read(directory / IDENTITY_FILE)
    if record is not None and record.outdated:
        _move_content(directory, outdated_place(directory, PeerId(record.outdated)))


def _move_content(directory: Path, aside: Path) -> None:
    for name in CONTENT:
        if (directory / name).exists():
            aside.mkdir(exist_ok=True)
            (directory / name).rename(aside / name)


def _make_private(directory: Path) -> None:
    """Make the directory its user's own; one that all users share, like /tmp, is not taken from them."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = directory.stat().st_mode
    if mode & stat.S_ISVTX:
        raise CallerError(f"{directory} is shared by all users; give --data a directory of its own")
    if stat.S_IMODE(mode) != stat.S_IRWXU:
        directory.chmod(stat.S_IRWXU)


def _lock(directory: Path) -> int:
    descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise CallerError(f"another process is using {directory}; stop it, or give --data another directory") from error
    return descriptor


def _next_start(file: Path, name: str | None) -> tuple[int, _Record]:
    """Count a start; gives the one on record before it, too."""
    before = _read(file)
    if before is None:
        peer_id = secrets.token_hex(16)
        before = _Record(id=peer_id, name=peer_id[:SHORT_NAME_DIGITS], start=0)
    elif name not in {None, before.name} and before.name != before.id[:SHORT_NAME_DIGITS]:
        raise CallerError(
            f"{file.parent} belongs to peer {before.name}, not to {name}: give --data the directory of {name}; "
            f"or, to rename the peer, write {name} for {before.name} in {file}"
        )
    if before.has_parted:
        raise CallerError(parting_line(before.name, file.parent))
    start = max(before.start + 1, int(time.time() * STARTS_A_SECOND))
    record = _Record(id=before.id, name=name or before.name, start=start)
    replace_durably(file, msgspec.json.encode(record))
    return before.start, record


def _write(file: Path, record: _Record) -> None:
    try:
        replace_durably(file, msgspec.json.encode(record))
    except OSError as error:
        raise WorldError(f"{file} cannot be written: {error.strerror}") from error


def _read(file: Path) -> _Record | None:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=_Record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WorldError(f"{file} is damaged ({error}); give the peer an empty directory with --data") from error
