"""A clock that is set off tells another time but never an earlier one, and wakes as long after as it was asked to."""

import asyncio

import pytest

from murmuration.node.gate.clock import OffsetClock
from murmuration.ring.terms import Instant


@pytest.mark.parametrize("offset_s", [0.0, 3600.0, -3600.0])
def test_clock_that_is_off_wakes_after_the_time_asked_for(offset_s):
    async def story() -> None:
        loop, told = asyncio.get_running_loop(), asyncio.Queue[str]()
        clock = OffsetClock()
        began = loop.time()
        clock.call_at(Instant(clock.now() + 0.05), told.put_nowait, "set before the jump")
        clock.offset_s = offset_s
        assert clock.now() - loop.time() == pytest.approx(max(0.0, offset_s), abs=1.0)
        clock.call_at(Instant(clock.now() + 0.1), told.put_nowait, "set after it")
        async with asyncio.timeout(4):
            assert [await told.get(), await told.get()] == ["set before the jump", "set after it"]
        assert loop.time() - began >= 0.1

    asyncio.run(story())
