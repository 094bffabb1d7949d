"""Run one split again by itself, for the eyes of its author: what it prints is seen, and a failure opens the debugger.

It is the code that executors run, but for the loops that are made faster by rewriting the mapper: here every line is
the user's own. The output is written to the side and thrown away.
"""

import pdb
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec

from .faults.wording import OWN_FRAMES, InputUnreadable, UserFault
from .mapping import MapAttempt
from .programs.program import load_program
from .tasks import LoadProgram, MapTask, TaskFinished

ORDERS: Final = "orders"


def lay_out(folder: Path, load: LoadProgram, task: MapTask) -> list[str]:
    """Write down what is to be run; gives the command that runs it."""
    (folder / ORDERS).write_bytes(msgspec.msgpack.encode((load, task)))
    return [sys.executable, "-P", "-m", __name__, str(folder)]


def rehearse(folder: Path) -> int:
    """Run the split, and give the exit code: 0 where it ran through, 1 where user code or data is at fault."""
    load, task = msgspec.msgpack.decode((folder / ORDERS).read_bytes(), type=tuple[LoadProgram, MapTask])
    try:
        program = load_program(load.program, input_format=load.input_format, output_format=load.output_format)
        finished = MapAttempt(replace(program, source=None), load, task).carry_out()
    except UserFault as fault:
        _show(fault)
        return 1
    except (InputUnreadable, OSError) as trouble:
        sys.stderr.write(f"murmur: the split cannot be read again: {trouble}\n")
        return 1
    _tell(task, finished)
    return 0


def _tell(task: MapTask, finished: TaskFinished) -> None:
    counters = "".join(f", {name} {count}" for name, count in sorted(finished.counters.items()))
    sys.stderr.write(
        f"murmur: split {task.split} ran through in {finished.seconds:.3g} s: {finished.records_in} records in, "
        f"{finished.records_out} out{counters}\n"
    )


def _show(fault: UserFault) -> None:
    """Say what went wrong; with a terminal, stand where it did."""
    error = fault.error
    sys.stderr.write(error.traceback or f"{error.kind}: {error.message}\n")
    if error.line:
        sys.stderr.write(f"murmur: at line {error.line} of {error.file}: {error.record}\n")
    trace = fault.__cause__.__traceback__ if fault.__cause__ is not None else None
    if trace is not None and _is_of_user(trace) and sys.stdin.isatty():
        sys.stderr.write("murmur: this is pdb, where it failed; q ends it\n")
        pdb.post_mortem(trace)


def _is_of_user(trace: TracebackType) -> bool:
    """Tell whether a traceback enters user code at all."""
    step: TracebackType | None = trace
    while step is not None:
        if not step.tb_frame.f_code.co_filename.startswith(OWN_FRAMES):
            return True
        step = step.tb_next
    return False


if __name__ == "__main__":
    place = Path(sys.argv[1])
    try:
        code = rehearse(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    sys.exit(code)
