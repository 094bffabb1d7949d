"""An attempt that was claimed ahead has its input fetched, and runs only when it is told to."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from scheduling_cluster import job_record

from murmuration.node.attempts import Attempts
from murmuration.node.effects import RunAttempt, RunAttempts
from murmuration.node.executor.tasks import Extent
from murmuration.ring.errors import WorldError
from murmuration.ring.terms import Member
from murmuration.scheduling.effects import StartAttempt
from murmuration.scheduling.events import AttemptLost
from murmuration.scheduling.jobs import Phase
from murmuration.scheduling.messages import Attempt

ATTEMPT = Attempt("ab" * 16, 1, 1)


class Fetching:
    """A fetcher that gives out what it is allowed to."""

    def __init__(self) -> None:
        self.allowed = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.begun = 0
        self.error = ""
        self.missing: set[str] = set()

    def split(self, _run, scratch, _sizes) -> tuple[tuple[Extent, ...], ...]:
        self.begun += 1
        if scratch.name in self.missing:
            raise WorldError("missing")
        asyncio.run_coroutine_threadsafe(self.allowed.wait(), self.loop).result(5.0)
        if self.error:
            raise WorldError(self.error)
        return (), (), ()


def handful(*attempts: Attempt) -> RunAttempts:
    """Attempts at splits of one job, the first at the first split."""
    record = job_record(len(attempts))
    starts = (
        StartAttempt(record=record, phase=Phase.MAP, task=task, attempt=attempt, seal=None)
        for task, attempt in enumerate(attempts)
    )
    return RunAttempts(runs=tuple(RunAttempt(start=start) for start in starts))


class Stage:
    """The attempts of a peer whose pool only notes what it was told to run."""

    def __init__(self, directory: Path) -> None:
        self.ran: list[str] = []
        self.events: list[object] = []
        self.fetching = Fetching()
        me = Member("ab" * 16, "p", "tcp://a", "tcp://b", "host", str(directory), workers=1)
        pool = SimpleNamespace(start=lambda _job, _load, orders, *_: self.ran.extend(order.attempt for order in orders))
        pool.stop = lambda _title: None
        self.attempts = Attempts(me, pool, self.fetching, ThreadPoolExecutor(1), self.events.append)
        self.run = handful(ATTEMPT)

    async def until(self, reached) -> None:
        async with asyncio.timeout(5.0):
            while not reached():
                await asyncio.sleep(0.001)


def on_stage(tmp_path: Path, play) -> None:
    async def played() -> None:
        await play(Stage(tmp_path))

    asyncio.run(played())


@pytest.mark.parametrize("is_fetched_first", [True, False])
def test_input_is_fetched_once_and_user_code_waits_for_its_slot(tmp_path, *, is_fetched_first: bool) -> None:
    async def play(stage: Stage) -> None:
        stage.attempts.start(replace(stage.run, is_ahead=True))
        await stage.until(lambda: stage.fetching.begun)
        if is_fetched_first:
            stage.fetching.allowed.set()
            await stage.until(lambda: stage.attempts._running[ATTEMPT.title].fetch is None)
            assert not stage.ran
        stage.attempts.start(stage.run)
        stage.fetching.allowed.set()
        await stage.until(lambda: stage.ran)
        assert (stage.ran, stage.fetching.begun) == ([ATTEMPT.title], 1)

    on_stage(tmp_path, play)


def test_attempt_stopped_while_its_input_waits_never_runs(tmp_path) -> None:
    async def play(stage: Stage) -> None:
        stage.attempts.start(replace(stage.run, is_ahead=True))
        await stage.until(lambda: stage.fetching.begun)
        stage.attempts.stop(ATTEMPT)
        stage.fetching.allowed.set()
        await asyncio.sleep(0)
        assert not stage.ran
        assert not stage.attempts._running

    on_stage(tmp_path, play)


def test_input_out_of_reach_is_told_before_the_slot_is_free(tmp_path) -> None:
    async def play(stage: Stage) -> None:
        stage.fetching.error = "gone"
        stage.fetching.allowed.set()
        stage.attempts.start(replace(stage.run, is_ahead=True))
        await stage.until(lambda: stage.events)
        assert stage.events == [AttemptLost(attempt=ATTEMPT, reason="gone")]

    on_stage(tmp_path, play)


def test_input_out_of_reach_of_one_attempt_leaves_the_others_of_its_handful_to_run(tmp_path) -> None:
    attempts = [Attempt("ab" * 16, 1, number) for number in (1, 2, 3)]

    async def play(stage: Stage) -> None:
        stage.fetching.missing = {attempts[1].title}
        stage.fetching.allowed.set()
        stage.attempts.start(handful(*attempts))
        await stage.until(lambda: stage.events)
        assert stage.ran == [attempts[0].title, attempts[2].title]
        assert stage.events == [AttemptLost(attempt=attempts[1], reason="missing")]

    on_stage(tmp_path, play)


def test_attempt_stopped_while_the_inputs_of_its_handful_are_fetched_is_left_out(tmp_path) -> None:
    attempts = [Attempt("ab" * 16, 1, number) for number in (1, 2)]

    async def play(stage: Stage) -> None:
        stage.attempts.start(handful(*attempts))
        await stage.until(lambda: stage.fetching.begun)
        stage.attempts.stop(attempts[0])
        stage.fetching.allowed.set()
        await stage.until(lambda: stage.ran)
        assert stage.ran == [attempts[1].title]

    on_stage(tmp_path, play)
