"""What the live view draws, compared with stored pictures.

After a wanted change: delete the pictures that differ, run the tests once (they fail and write new ones), read the
difference, and keep it only if every line is understood.
"""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from murmuration.client.view.fold import View, age, fold
from murmuration.client.view.grid import LETTERS
from murmuration.client.view.render import render
from murmuration.ring.facts import Liveness
from murmuration.scheduling.jobs import JobState, Phase, UserError
from murmuration.scheduling.status import JobEvent, JobStatus, Lane, RunningAttempt, TaskState

PICTURES = Path(__file__).parent / "pictures"

W, C, R, S, F, D = TaskState


def drawn(view, width=80, height=24):
    file = io.StringIO()
    console = Console(file=file, force_terminal=False, width=width, height=height, color_system=None)
    console.print(render(view, width, height))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def assert_picture(name, text):
    file = PICTURES / f"{name}.txt"
    if not file.exists():
        file.write_text(text, encoding="utf-8")
        pytest.fail(f"there was no picture {file.name}; it is written now: read it, then keep it")
    assert text == file.read_text(encoding="utf-8")


def lane(peer, liveness=Liveness.ALIVE, done=0, **running):
    attempts = tuple(
        RunningAttempt(phase=Phase.MAP if key[0] == "m" else Phase.REDUCE, task=int(key[1:]), fraction=fraction)
        for key, fraction in running.items()
    )
    return Lane(peer=peer, liveness=liveness, running=attempts, tasks_done=done)


def status_of(**changes):
    fields = {
        "id": "3f2a91c0d4e5b6a7",
        "name": "wordcount",
        "state": JobState.RUNNING_MAP,
        "tracker": "B",
        "epoch": 1,
        "version": 1,
        "elapsed_s": 4.0,
        "map_states": bytes([D, D, D, D, D, D, R, R, S, F, C, W]),
        "reduce_states": bytes([W, W]),
        "attempts": 11,
        "duplicates": 0,
        "speculative": 1,
        "records": 480_000,
        "bytes": 12 << 20,
        "local_bytes": 9 << 20,
        "bytes_total": 24 << 20,
        "lanes": (
            lane("A", done=2, m6=0.5),
            lane("B", done=3, m8=0.9, m7=0.25),
            lane("C", Liveness.SUSPECT, done=1, m8=0.4),
        ),
    }
    return JobStatus(**(fields | changes))


def viewed(*statuses):
    view = View()
    for status in statuses:
        view = fold(view, status)
    return view


def begun(**changes):
    """The status a few seconds before, so that there are rates."""
    return status_of(elapsed_s=1.0, records=0, bytes=0, map_states=bytes(12), **changes)


def test_picture_of_a_job_in_its_map_phase():
    assert_picture("map-phase", drawn(viewed(begun(), status_of())))


def test_picture_after_the_tracker_died():
    lanes = (lane("A", done=4, m9=0.5), lane("B", Liveness.DEAD, done=3), lane("D", done=2, m10=0.125))
    died = JobEvent(at=6.25, text="B is dead with split 8 under way")
    after = status_of(elapsed_s=7.5, tracker="D", epoch=2, lanes=lanes, duplicates=1, attempts=14, events=(died,))
    before = status_of(lanes=(lane("A", done=2), lane("B", done=3), lane("D", done=2)))
    assert_picture("tracker-moved", drawn(viewed(begun(), before, after)))


def test_picture_of_more_splits_than_cells_shares_cells_and_says_so():
    states = bytes([D] * 1500 + [D, W] * 200 + [R] * 40 + [F] + [W] * 1059)
    assert_picture("shared-cells", drawn(viewed(begun(), status_of(map_states=states)), width=60, height=16))


def test_picture_of_more_peers_than_lines_counts_the_hidden_ones():
    lanes = tuple(lane(f"peer-{n:02d}", Liveness.DEAD if n == 40 else Liveness.ALIVE, n, m1=n / 50) for n in range(50))
    assert_picture("many-peers", drawn(viewed(begun(), status_of(lanes=lanes)), width=60, height=18))


def test_picture_of_a_failed_job_names_the_record():
    error = UserError(
        kind="ValueError",
        message="invalid literal for int() with base 10: 'x'",
        file="books/moby.txt",
        line=4041,
        record="Call me x.",
        hint="see it again with: murmur debug @ 9",
    )
    failed = status_of(state=JobState.FAILED, error=error, error_split=9)
    assert_picture("failed", drawn(viewed(begun(), failed)))


def test_picture_of_a_stalled_job_says_what_it_waits_for():
    stalled = status_of(waiting_for="a majority of the electorate (2 of 5 reachable)", lanes=())
    assert_picture("stalled", drawn(viewed(begun(), stalled)))


def test_picture_of_a_finished_job():
    done = status_of(
        state=JobState.DONE,
        elapsed_s=9.5,
        map_states=bytes([D] * 12),
        reduce_states=bytes([D] * 2),
        bytes=24 << 20,
        local_bytes=20 << 20,
        lanes=(lane("A", done=8), lane("B", done=6)),
        events=(JobEvent(at=6.0, text="the map phase is sealed"),),
    )
    assert_picture("done", drawn(viewed(begun(), status_of(), done)))


def test_picture_of_a_job_that_is_being_planned():
    planning = status_of(state=JobState.PLANNING, map_states=b"", reduce_states=b"", lanes=(), records=0, bytes=0)
    assert_picture("planning", drawn(viewed(planning)))


def test_picture_while_no_peer_answers_keeps_the_clock_going_and_says_so():
    assert_picture("silence", drawn(age(viewed(begun(), status_of()), 2.4)))


def test_every_task_state_has_a_letter_of_its_own():
    assert set(LETTERS) == set(TaskState)
    assert len(set(LETTERS.values())) == len(TaskState)


def test_control_codes_in_names_do_not_reach_the_terminal():
    nasty = status_of(name="x\x1b[2J\r\n", events=(JobEvent(at=1.0, text="\x1b]0;owned\x07"),), waiting_for="\x9b1m")
    assert not any(letter in drawn(viewed(nasty)) for letter in "\x1b\x07\r\x9b")


def test_view_without_a_status_says_that_it_waits():
    assert drawn(View()) == "waiting for the job's first status\n"


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(20, 200),
    height=st.integers(1, 60),
    maps=st.integers(0, 5000),
    peers=st.integers(0, 60),
)
def test_picture_never_outgrows_its_frame(width, height, maps, peers):
    lanes = tuple(lane(f"peer-{n}", m1=0.5, m2=0.5, r3=1.0) for n in range(peers))
    states = bytes(n % 6 for n in range(maps))
    lines = drawn(viewed(status_of(map_states=states, lanes=lanes)), width, height).splitlines()
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
