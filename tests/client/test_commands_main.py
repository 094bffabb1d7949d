"""The command line ends with the promised code, says one clear line, and loads nothing that it does not need."""

import subprocess
import sys

import pytest

from murmuration.client.commands.main import COMMANDS, run_command
from murmuration.client.jobs.failures import JobFailed, JobKilled
from murmuration.ring.errors import CallerError, RemoteError, Unreachable, WorldError
from murmuration.scheduling.jobs import UserError

ERROR = UserError(kind="ValueError", message="no number", traceback="Traceback\n  File x", file="b.txt", line=7)


@pytest.fixture
def failing(monkeypatch):
    """Give a function that makes every client raise an error as soon as it is opened."""

    def fail_with(error):
        def client(_peers):
            raise error

        monkeypatch.setattr("murmuration.client.api.Client", client)

    return fail_with


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CallerError("that is wrong"), 2),
        (RemoteError("a peer talks nonsense"), 1),
        (WorldError("the disk is full"), 1),
        (Unreachable("nobody answers"), 3),
        (JobKilled("job x was killed"), 4),
        (JobFailed("0123", "count", ERROR, 3), 1),
        (FileNotFoundError(2, "No such file or directory", "x.txt"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_error_ends_with_its_code_and_a_clear_line(failing, capsys, error, code):
    failing(error)
    assert run_command(["peers"]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.lstrip("\n").startswith("murmur: ")  # click leaves the line on which the terminal echoed ^C
    assert "most recent call last" not in output.err


def test_error_of_user_code_is_told_with_its_record_and_traceback(failing, capsys):
    failing(JobFailed("0123", "count", ERROR, 3))
    run_command(["jobs"])
    told = capsys.readouterr().err
    assert "ValueError: no number" in told
    assert "b.txt:7" in told
    assert "File x" in told


def test_bug_of_ours_is_not_hidden(failing):
    failing(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        run_command(["peers"])


def test_control_codes_in_an_error_do_not_reach_the_terminal(failing, capsys):
    failing(WorldError("bad \x1b[2J name\nsecond line"))
    run_command(["peers"])
    assert capsys.readouterr().err == "murmur: bad  [2J name\nsecond line\n"


@pytest.mark.parametrize(
    "words",
    [
        ["flock"],
        ["submit", "wordcount"],
        ["submit", "wordcount", "in", "-o", "out", "--split-size", "big"],
        ["submit", "wordcount", "in", "-o", "out", "--param", "novalue"],
        ["submit", "wordcount", "in", "-o", "-", "--json"],
        ["run", "wordcount", "in", "-o", "ring:/out"],
        ["kv", "put", "key"],
        ["kv", "put", "key", "value", "--file", __file__],
        ["kv", "get", "key", "--reads", "4"],
        ["kv", "put", "key", "value", "--context", "?"],
        ["fs", "cat", "ring:/x", "--range", "9:3"],
        ["wait", "@", "--timeout", "soon"],
        ["demo", "--peers", "2"],
    ],
)
def test_wrong_use_ends_with_2_and_one_line(capsys, words):
    assert run_command(words) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("murmur: ")
    assert output.err.count("\n") == 1


def test_no_command_shows_the_help_on_stderr_and_ends_with_2(capsys):
    assert run_command([]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "Commands:" in output.err


def test_help_lists_every_command(capsys):
    assert run_command(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"  {name} " in told for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_says_what_it_does(capsys, name):
    assert run_command([name, "--help"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"Usage: murmur {name}")
    assert len(told.splitlines()) > 3


def test_version_is_that_of_the_installed_package(monkeypatch, capsys):
    monkeypatch.setattr("importlib.metadata.version", lambda _package: "9.8.7")
    assert run_command(["--version"]) == 0
    assert capsys.readouterr().out == "murmur 9.8.7\n"


def loaded_after(code):
    """List the modules that a fresh interpreter has loaded after running some code."""
    script = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_loads_neither_sockets_nor_the_live_view():
    loaded = loaded_after("from murmuration.client.commands.main import run_command; run_command(['--help'])")
    assert not loaded & {"zmq", "rich", "asyncio", "msgspec", "fsspec", "murmuration.client.api"}


def test_submitting_without_a_terminal_does_not_load_the_drawing_library():
    loaded = loaded_after(
        "import murmuration.client.api, murmuration.client.commands.submit, murmuration.client.commands.following\n"
        "from murmuration.client.view.loop import follow\n"
        "from murmuration.client.view.transfers import TransferLine\n"
        "follow([], plain=False)"
    )
    assert not loaded & {"rich", "fsspec", "diskcache"}
