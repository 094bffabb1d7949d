"""Find on this machine what a script names: its input, its mapper, and a place for its output."""

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from ...client.jobs.programs import find_program
from ...ring.errors import CallerError
from ...scheduling.jobs import Program
from .lookups import find_file, find_mapper, is_dll, is_url, output_directory

SHIPPED_MAPPERS: Final = Path(__file__).parent / "mappers.py"
SCENARIOS: Final = Path(__file__).parents[1] / "scenarios"
INPUTS: Final = SCENARIOS / "inputs"

FILES_MAX: Final = 100_000
"""Files looked at below one directory: enough for any folder of scripts, and an end to a slip such as `--files /`."""

PART: Final = re.compile(r"[1-9][0-9]*\.out")


class Library:
    """Where to look: directories of inputs, Python files of mappers, and the directory in which outputs are made."""

    def __init__(self, files: Sequence[Path], beside: Sequence[Path], mappers: Sequence[Path], outputs: Path) -> None:
        """Look below `files`, directly in the directories `beside`, then among what is shipped, in this order."""
        self._files = tuple(files)
        self._beside = (*beside, INPUTS)
        self._mappers = (*mappers, SHIPPED_MAPPERS)
        self._outputs = outputs

    def input(self, written: str) -> str:
        """Find an input by its base name in the directories, else at the path as it is written.

        Raises:
            CallerError: there is no such file.
        """
        if is_url(written):
            return written
        for listing in (*map(_files_below, self._files), *map(_files_in, self._beside)):
            found = find_file(written, map(str, listing))
            if found is not None:
                return str(Path(found).absolute())
        if Path(written).is_file():
            return str(Path(written).absolute())
        raise CallerError(f"there is no file {written}; name the directory that it lies in with --files")

    def program(self, mapper: str, library: str | None) -> Program:
        """Find a mapper's class in the library if that is a Python file here, else in the files of mappers.

        Raises:
            CallerError: no class has that name.
        """
        places = list(self._mappers)
        if library is not None and not is_dll(library):
            places.insert(0, Path(self.input(library)))
        classes = {place: _classes_of(place) for place in places}
        for place, names in classes.items():
            found = find_mapper(mapper, names)
            if found is not None:
                return find_program(f"{place}::{found}")
        known = "; ".join(f"{_where(place)}: {', '.join(names) or 'no class'}" for place, names in classes.items())
        raise CallerError(f"no class {mapper}; name its file with --mappers. There are ({known})")

    def output(self, written: str) -> str:
        """Choose the directory of an output; equal ones are spelt equally.

        Raises:
            CallerError: it is the root of the file system.
        """
        directory = output_directory(written)
        return directory if is_url(directory) else str(self._outputs / directory)


def check_replaceable(place: str) -> None:
    """Refuse an output directory that holds more than the output of an earlier job, which alone is replaced.

    Raises:
        CallerError: it does.
    """
    path = Path(place)
    if is_url(place) or not path.exists():
        return
    if not path.is_dir() or not all(PART.fullmatch(item.name) and item.is_file() for item in path.iterdir()):
        raise CallerError(f"{place} holds other things than the output of a job; name another directory")


def scenario_names() -> list[str]:
    """List the scripts that are shipped."""
    return sorted(path.stem for path in SCENARIOS.glob("*.txt"))


def find_script(word: str) -> Path:
    """Find a script by its path, or by the name of a shipped one.

    Raises:
        CallerError: there is none.
    """
    path, shipped = Path(word).expanduser(), SCENARIOS / f"{word}.txt"
    if path.is_file():
        return path
    if shipped.is_file():
        return shipped
    raise CallerError(f"no script {word}; give a file, or one of {', '.join(scenario_names())}")


def _files_below(directory: Path) -> Iterator[Path]:
    """List files in the order of their names, as far as the limit allows."""
    yield from sorted(path for path in islice(directory.rglob("*"), FILES_MAX) if path.is_file())


def _files_in(directory: Path) -> Iterator[Path]:
    yield from sorted(path for path in directory.iterdir() if path.is_file())


def _where(file: Path) -> str:
    return "shipped" if file == SHIPPED_MAPPERS else str(file)


def _classes_of(file: Path) -> list[str]:
    """Name the classes of a Python file without running it.

    Raises:
        CallerError: it cannot be read, or is no Python.
    """
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))
    except OSError as error:
        raise CallerError(f"mappers in {file}: {error.strerror or error}") from error
    except (SyntaxError, ValueError) as error:
        raise CallerError(f"mappers in {file}: {error}") from error
    return [statement.name for statement in tree.body if isinstance(statement, ast.ClassDef)]
