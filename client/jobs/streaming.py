"""Pack commands as a program, by the convention of Hadoop Streaming, with the files that they need."""

import shlex
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

import msgspec

from ...node.executor.programs.commands import ShippedFile, arguments_of
from ...node.executor.programs.streaming import Streaming
from ...ring.errors import CallerError
from ...scheduling.jobs import PROGRAM_BYTES_MAX, Program

KIND = "commands"

NO_REDUCER = "NONE"
"""Hadoop's word for a job without a reduce phase."""

PERMISSIONS = 0o777
"""What of a file's mode travels with it."""


def pack_commands(
    mapper: str = "",
    reducer: str = "",
    combiner: str = "",
    *,
    files: Iterable[str | PathLike[str]] = (),
    map_fields: int = 1,
    partition_fields: int = 0,
    reducers: int | None = None,
) -> Program:
    """Pack commands that read lines and write lines; without a mapper lines are sorted and reduced as they are.

    The first `map_fields` fields of a mapper's line are its key, by which lines are sorted; the first
    `partition_fields` of these, or all if 0, decide its partition. `files` are put into the working directory of each
    command. With 0 `reducers` there is no reduce phase; with others but no `reducer`, lines are only sorted.

    Raises:
        CallerError: there is nothing to do, a command or file is not one, or the files are too large.
    """
    sorts = bool(reducer) and reducer != NO_REDUCER if reducers is None else reducers > 0
    if not (mapper or sorts):
        raise CallerError("no command is given: --mapper CMD, --reducer CMD or both")
    if not 0 <= partition_fields <= map_fields:
        raise CallerError(f"a key of {map_fields} fields has no first {partition_fields} to make the partition of")
    streaming = Streaming(
        mapper=mapper,
        reducer=reducer if sorts and reducer != NO_REDUCER else "",
        combiner=combiner if sorts else "",
        sorts=sorts,
        key_fields=map_fields,
        partition_fields=partition_fields,
        files=_shipped([Path(file).expanduser() for file in files]),
    )
    for role in ("mapper", "reducer", "combiner"):
        _check(role, getattr(streaming, role))
    body = msgspec.msgpack.encode(streaming)
    if len(body) > PROGRAM_BYTES_MAX:
        raise CallerError(f"the commands and their files weigh {len(body)} bytes (at most {PROGRAM_BYTES_MAX} travel)")
    return Program(kind=KIND, name=_name(mapper or reducer), body=body)


def command_sorts(program: Program) -> bool:
    """Tell whether a program of commands has a reduce phase."""
    return msgspec.msgpack.decode(program.body, type=Streaming).sorts


def _check(role: str, command: str) -> None:
    try:
        if command:
            arguments_of(command)
    except ValueError as error:
        raise CallerError(f"--{role} {command!r}: {error}") from error


def _name(command: str) -> str:
    """Name the job for the program of its first command."""
    return Path(shlex.split(command)[0]).name[:128] or "commands"


def _shipped(paths: Sequence[Path]) -> tuple[ShippedFile, ...]:
    names = [path.name for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise CallerError(f"two files to ship are called {name}: commands could see only one")
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> ShippedFile:
    try:
        return ShippedFile(name=path.name, mode=path.stat().st_mode & PERMISSIONS, body=path.read_bytes())
    except OSError as error:
        raise CallerError(f"--file {path}: {error.strerror or error}") from error
