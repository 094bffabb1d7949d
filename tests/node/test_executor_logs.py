"""The log of an attempt keeps its first mebibyte, and its last lines without our own frames."""

from murmuration.node.executor.faults.wording import OWN_FRAMES
from murmuration.node.executor.hosting.logs import LOG_BYTES_MAX, AttemptLog


def test_output_beyond_the_limit_is_dropped_and_this_is_said_once_wherever_the_pieces_end(tmp_path):
    for number, size in enumerate((LOG_BYTES_MAX, LOG_BYTES_MAX // 4, 1000)):
        log = AttemptLog(tmp_path / str(number))
        for _ in range(2 * LOG_BYTES_MAX // size):
            log.append(b"x" * size)
        kept = (tmp_path / str(number)).read_bytes()
        assert kept.rstrip(b"x").count(b"dropped") == 1
        assert kept.count(b"x") == LOG_BYTES_MAX


def test_output_that_just_fits_is_kept_without_a_word(tmp_path):
    log = AttemptLog(tmp_path / "log")
    log.append(b"x" * LOG_BYTES_MAX)
    assert (tmp_path / "log").read_bytes() == b"x" * LOG_BYTES_MAX


def test_disk_that_refuses_costs_the_log_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("in the way")
    log = AttemptLog(tmp_path / "file" / "log")
    log.append(b"one\n")
    log.append(b"two\n")
    assert log.last_lines() == "one\ntwo"


def test_last_lines_of_a_crash_are_those_of_the_user(tmp_path):
    log = AttemptLog(tmp_path / "log")
    frames = [f'  File "{OWN_FRAMES}mapping.py", line {number} in take' for number in range(9)]
    said = ["last words", "Fatal Python error: Aborted", '  File "job.py", line 3 in map', *frames]
    log.append("\n".join([*said, '  File "<frozen runpy>", line 9 in run', "", "Extension modules: a, b"]).encode())
    assert log.last_lines().splitlines() == said[:3]
