"""Run a job's mapper sequentially, in one process and without any of the product's machinery, to judge an output by.

Started as `python -m murmuration.puppetmaster.sequential` with an `Errand` on standard input; it prints the expected
`Listing`. Lines are cut, decoded, numbered and spelt anew here. Sleeping takes no time in it.
"""

import hashlib
import sys
import time
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from ...ring.errors import CallerError
from ...scheduling.jobs import JobRecord, Program, Split

Pair = tuple[Any, Any]

PIECE_BYTES: Final = 1 << 20


class PartFacts(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one file of an output."""

    sha256: str
    size: int
    lines: int


Listing = dict[str, PartFacts]
"""The files of an output by their names."""


class Errand(msgspec.Struct, frozen=True, array_like=True):
    """A job to run again: its record, and its one input file here."""

    record: JobRecord
    path: str


class PlainContext:
    """What a mapper's `self.context` gives, as far as a sequential run has it; counts and logs go nowhere."""

    def __init__(self, record: JobRecord, split: int, path: str) -> None:
        self.job_id = record.id
        self.params = record.spec.params
        self.split = split
        self.file = path
        self.peer = self.attempt = "sequential"
        self.value = 0

    def counter(self, name: str) -> "PlainContext":  # noqa: ARG002 -- the signature of the real one
        """Give a counter that nobody reads."""
        return self

    def increment(self, n: int = 1) -> None:
        """Count."""
        self.value += n

    def progress(self, fraction: float) -> None:
        """Take progress, and keep it."""

    def log(self, *things: object) -> None:
        """Take a line of the log, and drop it."""


def run_sequentially(errand: Errand) -> Listing:
    """Map the whole input, split after split, and describe the files that must come of it.

    Raises:
        CallerError: the splits do not tile the input on line borders, or the job is of a kind that is not done here.
    """
    record = errand.record
    if record.spec.reducers or record.spec.input_format != "text" or record.spec.output_format != "text":
        raise CallerError("only jobs over text without reducers are run again sequentially")
    content = Path(errand.path).read_bytes()
    check_tiling(content, record.splits)
    make = find_mapper(record.spec.program)
    parts = {}
    for number, split in enumerate(record.splits):
        mapper = make()
        mapper.context = PlainContext(record, number, errand.path)
        parts[f"{number + 1}.out"] = facts_of(_spelt(_mapped(mapper, content, split)))
    return parts


def check_tiling(content: bytes, splits: Iterable[Split]) -> None:
    """Assert that splits are the whole file in order, cut after newlines, with their first lines numbered truly.

    Raises:
        CallerError: a byte belongs to no split or to two, a border is inside a line, or a number is wrong.
    """
    at, line = 0, 1
    for number, split in enumerate(splits):
        whole_lines = at in {0, len(content)} or content[at - 1 : at] == b"\n"
        if split.begin != at or split.end < at or not whole_lines or (split.first_line != line and split.end > at):
            raise CallerError(f"split {number} is {split}, but the last one ended at byte {at}, before line {line}")
        line += content.count(b"\n", at, split.end)
        at = split.end
    if at != len(content):
        raise CallerError(f"the splits end at byte {at} of {len(content)}")


def find_mapper(program: Program) -> Callable[[], Any]:
    """Run a program's source and find the class that its name chooses.

    Raises:
        CallerError: it is no source, or has no such class.
    """
    name, _, chosen = program.name.partition("::")
    module = types.ModuleType("murmuration_program")
    sys.modules[module.__name__] = module
    if program.kind == "source":
        exec(compile(program.body, name, "exec", dont_inherit=True), module.__dict__)
    found = module.__dict__.get(chosen)
    if not isinstance(found, type):
        raise CallerError(f"{program.name} names no class of a source file")
    return found


def facts_of(content: bytes) -> PartFacts:
    """Describe the content of one file."""
    return PartFacts(sha256=hashlib.sha256(content).hexdigest(), size=len(content), lines=content.count(b"\n"))


def listing_of(directory: Path) -> Listing:
    """Describe all files of a directory."""
    return {path.name: _facts_of_file(path) for path in sorted(directory.iterdir())}


def _facts_of_file(path: Path) -> PartFacts:
    """Describe a file without holding all of it: with few splits it may be greater than memory."""
    digest, size, lines = hashlib.sha256(), 0, 0
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
            lines += piece.count(b"\n")
    return PartFacts(sha256=digest.hexdigest(), size=size, lines=lines)


def difference(found: Listing, expected: Listing) -> str:
    """Say how two outputs differ; empty if they do not."""
    for what, names in (("lacks", expected.keys() - found.keys()), ("has besides", found.keys() - expected.keys())):
        if names:
            return f"the output {what} {', '.join(sorted(names)[:5])}"
    wrong = [name for name in expected if found[name] != expected[name]]
    if not wrong:
        return ""
    name = wrong[0]
    return (
        f"{len(wrong)} of {len(expected)} files differ, as {name}: {found[name].lines} lines and {found[name].size} "
        f"bytes, where a sequential run gives {expected[name].lines} and {expected[name].size}"
    )


def _mapped(mapper: Any, content: bytes, split: Split) -> Iterator[Pair]:
    takes_key = mapper.map.__code__.co_argcount - hasattr(mapper.map, "__self__") != 1
    mapper.setup()
    lines = content[split.begin : split.end].split(b"\n")
    if not lines[-1]:
        lines.pop()
    for number, raw in enumerate(lines, split.first_line):
        line = raw.removesuffix(b"\r").decode()
        yield from (mapper.map(number, line) if takes_key else mapper.map(line)) or ()
    yield from mapper.cleanup() or ()


def _spelt(pairs: Iterable[Pair]) -> bytes:
    return "".join(f"{key}\t{value}\n" for key, value in pairs).encode("utf-8", "surrogatepass")


def main() -> None:
    """Do the errand of standard input."""
    time.sleep = lambda _: None  # noqa: TID251 -- taken away, not called
    errand = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Errand)
    try:
        listing = run_sequentially(errand)
    except CallerError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    sys.stdout.buffer.write(msgspec.msgpack.encode(listing))


if __name__ == "__main__":
    main()
