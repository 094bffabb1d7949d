"""Run a whole job in this process under a memory budget, and print what it took: a child process of a test."""

import gc
import json
import sys
import time
from pathlib import Path

from murmuration.node.executor import process  # all that an executor imports
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.reducing import ReduceAttempt
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask, ReduceTask, RunSegment
from murmuration.scheduling.jobs import Program


def peak() -> int:
    """Give the most memory, in bytes, that this process has had since the last `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def main(folder: Path, source: str, memory: int, splits: int) -> dict[str, object]:
    """Map each line number of an input of `splits` splits, reduce, and tell peaks, seconds and digests."""
    program = Program(kind="source", name="job.py", body=source.encode())
    load = LoadProgram("0" * 16, "p", program, {}, "text", "text", 1, memory)
    parts = load_program(program, input_format="text", output_format="text")
    gc.set_threshold(*process.GC_THRESHOLDS)
    gc.collect()
    text = folder / "in.txt"
    size = text.stat().st_size
    forget_peak()
    before = peak()
    told: dict[str, object] = {"before": before}
    runs = []
    began = time.process_time()
    for split in range(splits):
        run = str(folder / f"{split}.run")
        task = MapTask(f"m{split}", split, "in.txt", 1, 0, (Extent(str(text), 0, size),), run)
        done = MapAttempt(parts, load, task).carry_out()
        runs.append(RunSegment(split, run, done.digest))
    told["map_s"] = time.process_time() - began
    told["map_growth"] = peak() - before
    told["digests"] = [run.digest.hex() for run in runs]
    told["run_bytes"] = sum(Path(run.path).stat().st_size for run in runs)
    forget_peak()
    began = time.process_time()
    done = ReduceAttempt(parts, load, ReduceTask("r", 0, tuple(runs), str(folder / "part"))).carry_out()
    told["reduce_s"] = time.process_time() - began
    told["reduce_growth"] = peak() - before
    told["records"] = done.records_in
    told["part"] = done.digest.hex()
    return told


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    told_all = main(Path(arguments["folder"]), arguments["source"], arguments["memory"], arguments["splits"])
    sys.stdout.write(json.dumps(told_all))
