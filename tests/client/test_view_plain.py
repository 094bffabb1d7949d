"""Plain lines tell every event once, every change at once, progress now and then, and hold no control code."""

import io

from murmuration.client.view.fold import View, fold
from murmuration.client.view.loop import draws, follow
from murmuration.client.view.plain import EVERY_S, Told, tell
from murmuration.client.view.tables import aligned
from murmuration.client.view.transfers import TransferLine
from murmuration.scheduling.jobs import JobState
from murmuration.scheduling.status import JobEvent, JobStatus


def status_of(**changes):
    fields = {
        "id": "3f2a91c0d4e5b6a7",
        "name": "wordcount",
        "state": JobState.RUNNING_MAP,
        "tracker": "B",
        "epoch": 1,
        "version": 1,
        "elapsed_s": 0.0,
        "map_states": bytes(4),
        "reduce_states": bytes(1),
        "attempts": 0,
        "duplicates": 0,
        "speculative": 0,
        "records": 0,
        "bytes": 0,
        "local_bytes": 0,
        "bytes_total": 4_000_000,
    }
    return JobStatus(**(fields | changes))


def told_lines(*statuses):
    view, told, told_by_each = View(), Told(), []
    for status in statuses:
        view = fold(view, status)
        told, lines = tell(told, view)
        told_by_each.append(lines)
    return told_by_each


def test_first_status_is_told_at_once_in_one_line():
    assert told_lines(status_of()) == [
        [
            "0 ms, time left unknown  running-map  map 0/4  reduce 0/1"
            "  0 records/s (peak 0), 0 B/s (peak 0 B)  tracker B (epoch 1)"
        ]
    ]


def test_progress_is_told_every_few_seconds_only():
    told = told_lines(*(status_of(elapsed_s=EVERY_S * n / 4) for n in range(9)))
    assert [len(lines) for lines in told] == [1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_change_of_state_or_tracker_or_trouble_is_told_at_once():
    told = told_lines(
        status_of(),
        status_of(elapsed_s=0.1, state=JobState.RUNNING_REDUCE),
        status_of(elapsed_s=0.2, state=JobState.RUNNING_REDUCE, waiting_for="a majority"),
    )
    assert "running-reduce" in told[1][0]
    assert told[2][0].endswith("waiting for a majority")


def test_takeover_is_told_once_as_an_event():
    moved = status_of(elapsed_s=1.0, tracker="D", epoch=2)
    told = told_lines(status_of(), moved, moved)
    assert told[1][0] == "1.0 s  tracker moved from B to D (epoch 2)"
    assert told[2] == []


def test_lines_hold_no_control_codes():
    event = JobEvent(at=1.0, text="\x1b[31mred\n")
    lines = told_lines(status_of(tracker="\x1b[2J", events=(event,)))[0]
    assert all(line.isprintable() for line in lines)


def test_follow_without_a_terminal_writes_lines_to_stderr_and_returns_the_last_view(capsys):
    end = status_of(elapsed_s=3.0, state=JobState.DONE)
    view = follow([status_of(), end], plain=False)
    output = capsys.readouterr()
    assert view.status is end
    assert output.out == ""
    assert "done after 3.0 s" in output.err
    assert "\x1b" not in output.err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_only_a_terminal_that_knows_control_codes_is_drawn_on(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    assert draws(Terminal())
    assert not draws(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not draws(Terminal())


def test_table_into_a_pipe_is_aligned_columns():
    text = aligned(["name", "load"], [["A", "5 %"], ["peer-2", "100 %"]], frozenset({"load"}))
    assert text == "NAME     LOAD\nA         5 %\npeer-2  100 %\n"


def test_transfer_is_shown_in_one_line_on_a_terminal_and_wiped_at_its_end(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with TransferLine(plain=False) as line:
        line.advance("books/\x1bmoby.txt", 512, 1024)
    told = terminal.getvalue()
    assert "books/ moby.txt  50% of 1.00 KiB" in told
    assert told.endswith("\r\x1b[K")
    assert "\n" not in told


def test_transfer_without_a_terminal_says_nothing(capsys):
    with TransferLine(plain=False) as line:
        line.advance("books/moby.txt", 512, 1024)
    assert capsys.readouterr().err == ""
