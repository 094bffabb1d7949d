"""What processes hold is weighed with their children, shared pages once, and looked at as often as needed."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.node.executor.hosting.footprint import (
    GROWTH_MAX,
    LOOK_AGAIN_MAX_S,
    LOOK_AGAIN_MIN_S,
    look_again_s,
    weigh,
)

HELD = 64 << 20

HOLDER = r"""
import os, subprocess, sys
held = bytearray(b"x" * (64 << 20))
for _ in range({forks}):
    if os.fork() == 0:
        break
os.write(1, b"here\n")
sys.stdin.read()
"""


def weight_with(forks: int, limit: int) -> int:
    """Weigh a process that holds 64 MiB and has forked so often, as a child of this one."""
    code = HOLDER.format(forks=forks)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        for _ in range(forks + 1):
            assert holder.stdout.readline() == b"here\n"
        return weigh({os.getpid(): limit})[os.getpid()]


@pytest.mark.parametrize("forks", [0, 3])
def test_pages_that_forks_share_count_once_where_it_matters(forks: int) -> None:
    assert HELD < weight_with(forks, limit=HELD) < 2 * HELD


def test_process_that_is_gone_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
        assert weigh({gone.pid: 1}) == {gone.pid: 0}


@given(st.lists(st.integers(-(1 << 40), 1 << 40)))
def test_next_look_comes_before_the_smallest_room_can_be_filled(rooms: list[int]) -> None:
    wait = look_again_s(rooms)
    assert LOOK_AGAIN_MIN_S <= wait <= LOOK_AGAIN_MAX_S
    assert wait == LOOK_AGAIN_MIN_S or wait * GROWTH_MAX <= min(rooms)
