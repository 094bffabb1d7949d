"""An attempt that was claimed ahead has its input fetched, and runs only when it is told to."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
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

    def pieces(self, _pieces, _scratch, _sizes) -> tuple[Extent, ...]:
        self.begun += 1
        asyncio.run_coroutine_threadsafe(self.allowed.wait(), self.loop).result(5.0)
        if self.error:
            raise WorldError(self.error)
        return ()


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
        start = StartAttempt(record=job_record(1), phase=Phase.MAP, task=0, attempt=ATTEMPT, seal=None)
        self.run = RunAttempts(runs=(RunAttempt(start=start),))

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
