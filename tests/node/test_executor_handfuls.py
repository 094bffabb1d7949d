"""Several orders given to one executor process are carried out in turn, and each is on its own for all that matters."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from murmuration.node.executor.hosting.logs import log_path
from murmuration.node.executor.hosting.pool import LENIENCE_S, ExecutorPool
from murmuration.node.executor.tasks import (
    ExecutorWord,
    Extent,
    LoadProgram,
    MapTask,
    RunUnreadable,
    TaskFailed,
    TaskFinished,
)
from murmuration.scheduling.jobs import DIED, TIMED_OUT, Program

JOB = "00000000000000aa"
PATIENCE_S = 20.0
COUNTS = "def map(number, line):\n    yield line, 1\nreduce = 'sum'\n"


def misbehaves_at(split: int, deed: str) -> str:
    """Write a mapper that does something at one split only."""
    return (
        f"import os, time\ndef map(number, line):\n    if line == 'line {split}':\n        {deed}\n    yield line, 1\n"
    )


class Handful:
    """A pool of one slot, and what it says of splits that it was given at once."""

    def __init__(self, folder: Path, splits: int) -> None:
        self.folder = folder
        self.pool = ExecutorPool(1, folder, self._take)
        self.words: list[TaskFinished | TaskFailed | RunUnreadable] = []
        self.batches = 0
        self._changed = asyncio.Event()
        lines = [f"line {split}\n".encode() for split in range(splits)]
        (folder / "in.txt").write_bytes(b"".join(lines))
        begins = [sum(map(len, lines[:split])) for split in range(splits)]
        self.orders = [self._order(split, begins[split], len(lines[split])) for split in range(splits)]

    def _order(self, split: int, begin: int, length: int) -> MapTask:
        extents = (Extent(path=str(self.folder / "in.txt"), offset=begin, length=length),)
        output = str(self.folder / f"{split}.run")
        return MapTask(f"m{split}", split, "in.txt", split + 1, begin, extents, output)

    def _take(self, words: Sequence[ExecutorWord]) -> None:
        self.batches += 1
        for word in words:
            if isinstance(word, TaskFinished | TaskFailed | RunUnreadable):
                self.words.append(word)
        self._changed.set()

    def start(self, source: str, timeout_s: float = 0.0, orders: slice = slice(None)) -> None:
        program = Program(kind="source", name="job.py", body=source.encode())
        load = LoadProgram(JOB, "p", program, {}, "text", "text", 1)
        self.pool.start(JOB, load, self.orders[orders], timeout_s)

    async def start_timed(self, source: str, timeout_s: float) -> None:
        """Let the time of the others not begin before the process has."""
        self.start(source, orders=slice(1))
        await self.heard(1)
        self.start(source, timeout_s, slice(1, None))

    async def heard(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.words) < count:
                self._changed.clear()
                await self._changed.wait()

    @property
    def finished(self) -> list[str]:
        return sorted(word.attempt for word in self.words if isinstance(word, TaskFinished))

    @property
    def failed(self) -> dict[str, str]:
        return {word.attempt: word.error.kind for word in self.words if isinstance(word, TaskFailed)}

    def log(self, split: int) -> str:
        path = log_path(self.folder, JOB, f"map-{split}", f"m{split}")
        return path.read_text() if path.exists() else ""


def play(folder: Path, splits: int, scene) -> None:
    async def run() -> None:
        handful = Handful(folder, splits)
        try:
            await scene(handful)
        finally:
            await handful.pool.close()

    asyncio.run(run())


def test_handful_runs_in_one_process_in_order_and_is_heard_of_together(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        handful.start(COUNTS)
        await handful.heard(64)
        assert [word.attempt for word in handful.words] == [order.attempt for order in handful.orders]
        assert handful.batches < 64
        assert len({word.digest for word in handful.words if isinstance(word, TaskFinished)}) == 64

    play(tmp_path, 64, scene)


def test_death_in_a_handful_is_blamed_on_the_attempt_at_hand_and_the_others_are_done_once(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        handful.start(misbehaves_at(3, "os._exit(7)"))
        await handful.heard(8)
        assert handful.failed == {"m3": DIED}
        assert handful.finished == ["m0", "m1", "m2", "m4", "m5", "m6", "m7"]

    play(tmp_path, 8, scene)


def test_time_of_each_attempt_of_a_handful_is_its_own(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        await handful.start_timed("import time\n" + COUNTS.replace("    yield", "    time.sleep(0.5)\n    yield"), 1.5)
        await handful.heard(5)
        assert handful.failed == {}

    play(tmp_path, 5, scene)


def test_attempt_of_a_handful_that_hangs_is_timed_out_alone(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        await handful.start_timed(misbehaves_at(1, "time.sleep(60)"), 3.0)
        await handful.heard(4)
        assert handful.failed == {"m1": TIMED_OUT}
        assert handful.finished == ["m0", "m2", "m3"]

    play(tmp_path, 4, scene)


def test_stop_of_the_attempt_at_hand_leaves_the_others_to_another_process(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        handful.start(misbehaves_at(1, "time.sleep(60)"))
        await handful.heard(1)
        handful.pool.stop("m1")
        await handful.heard(3)
        assert handful.finished == ["m0", "m2", "m3"]

    play(tmp_path, 4, scene)


def test_attempt_that_is_stopped_before_its_turn_is_never_heard_of(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        handful.start(misbehaves_at(2, "time.sleep(60)"))
        handful.pool.stop("m2")
        handful.pool.stop("m0")
        await handful.heard(2)
        assert handful.finished == ["m1", "m3"]
        assert handful.failed == {}

    play(tmp_path, 4, scene)


TELLS_PROCESS = "import os\ndef map(number, line):\n    print(os.getpid())\n    yield line, 1\n"


def test_stopped_attempt_that_ends_by_itself_costs_no_process(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        handful.start(TELLS_PROCESS)
        handful.pool.stop("m1")
        await handful.heard(3)
        assert handful.finished == ["m0", "m2", "m3"]
        assert len({handful.log(split) for split in (0, 2, 3)}) == 1

    play(tmp_path, 4, scene)


def test_attempts_that_are_stopped_while_the_program_loads_never_run(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        handful.start(TELLS_PROCESS)
        for split in (0, 2):
            handful.pool.stop(f"m{split}")
        await handful.heard(2)
        assert handful.finished == ["m1", "m3"]
        assert [bool(handful.log(split)) for split in range(4)] == [False, True, False, True]

    play(tmp_path, 4, scene)


def test_death_at_a_stopped_attempt_is_not_told_and_the_others_are_done(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        handful.start(misbehaves_at(1, "os._exit(7)"))
        handful.pool.stop("m1")
        await handful.heard(3)
        assert handful.finished == ["m0", "m2", "m3"]
        assert handful.failed == {}

    play(tmp_path, 4, scene)


def test_many_stopped_attempts_together_are_borne_no_longer_than_one(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        nap = LENIENCE_S / 4
        handful.start(
            f"import time\ndef map(number, line):\n    time.sleep({nap})\n    print('done')\n    yield line, 1\n"
        )
        for split in range(1, 39):
            handful.pool.stop(f"m{split}")
        await handful.heard(2)
        assert handful.finished == ["m0", "m39"]
        assert sum(bool(handful.log(split)) for split in range(1, 39)) < 20

    play(tmp_path, 40, scene)


def test_what_is_given_next_waits_behind_what_was_stopped_where_no_process_is_spare(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        handful.start(TELLS_PROCESS, orders=slice(1))
        await handful.heard(1)
        handful.start(TELLS_PROCESS, orders=slice(1, 3))
        handful.pool.stop("m1")
        handful.pool.stop("m2")
        handful.start(TELLS_PROCESS, orders=slice(3, 4))
        await handful.heard(2)
        assert handful.finished == ["m0", "m3"]
        assert handful.log(3) == handful.log(0)

    play(tmp_path, 4, scene)


def test_program_that_does_not_load_fails_all_of_a_handful_at_once(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        handful.start("raise ValueError('no')\n")
        await handful.heard(3)
        assert handful.failed == dict.fromkeys(("m0", "m1", "m2"), "ValueError")

    play(tmp_path, 3, scene)


def test_what_each_attempt_of_a_handful_prints_goes_into_its_own_log(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        handful.start("def map(number, line):\n    print('this is', line)\n    yield line, 1\n")
        await handful.heard(20)
        assert [handful.log(split) for split in range(20)] == [f"this is line {split}\n" for split in range(20)]

    play(tmp_path, 20, scene)


def test_run_without_records_has_no_file_and_others_have_one(tmp_path) -> None:
    async def scene(handful: Handful) -> None:
        handful.start("def map(number, line):\n    return [(line, 1)] if line == 'line 1' else ()\n")
        await handful.heard(3)
        assert [Path(order.output).exists() for order in handful.orders] == [False, True, False]

    play(tmp_path, 3, scene)
