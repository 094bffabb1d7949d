"""The line that counts: a bar where the whole is known, nothing where nobody looks."""

import io

import pytest

from murmuration.client.view import counting
from murmuration.client.view.counting import CountLine, bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_is_as_full_as_the_share_and_never_fuller() -> None:
    assert bar(0.5) == "[############............]  50%  "
    assert bar(-1.0).count("#") == 0
    assert bar(2.0).count("#") == counting.BAR_CELLS


def test_count_is_drawn_on_a_terminal_and_wiped_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with CountLine(plain=False, share=lambda: 0.25) as line:
        line.advance("keys", 1234, 1234)
    assert "1,234 keys" in terminal.getvalue()
    assert "25%" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_nothing_is_drawn_where_there_is_no_terminal_or_plain_lines_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, plain in ((io.StringIO(), False), (Terminal(), True)):
        monkeypatch.setattr("sys.stderr", stream)
        with CountLine(plain=plain, share=lambda: None) as line:
            line.advance("keys", 1, 1)
        assert stream.getvalue() == ""
