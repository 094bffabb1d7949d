"""What is done to the directory of a stopped peer loses and makes up no value, and is not done while it runs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_ports import on_free_ports
from gated_peers import until

from murmuration.client.api import Client
from murmuration.puppetmaster.language.script import parse_script
from murmuration.puppetmaster.live.session import Session, SessionSettings
from murmuration.puppetmaster.masters.puppet import Liveliness

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]

THREE = """
WORKER 1 {master} tcp://localhost:30001/W tcp://localhost:30001/W
WORKER 2 {master} tcp://localhost:30002/W tcp://localhost:30001/W
WORKER 3 {master} tcp://localhost:30003/W tcp://localhost:30001/W
JOIN
"""
BLIND = [b"blind-%d" % number for number in range(8)]
VALUES = {b"key-%d" % number: b"%d" % number for number in range(20)} | {b"large": b"x" * 100_000}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session(SessionSettings(out=tmp_path / "out"), lambda _: None) as opened:
        yield opened


def play(session: Session, text: str) -> list[str]:
    """Play some lines, and give the problems that they made."""
    before = len(session.player.problems)
    session.player.play(parse_script(text.encode()))
    return session.player.problems[before:]


def begin(session: Session, master: str = "tcp://localhost:29999/PM") -> None:
    assert play(session, on_free_ports(THREE).format(master=master)) == []


def write_all(session: Session, through: str = "1") -> None:
    with Client(session.stage.urls[through]) as client:
        for key, value in VALUES.items():
            client.kv.put(key, value)


def all_values(session: Session, through: str) -> dict[bytes, tuple[bytes, ...]]:
    with Client(session.stage.urls[through]) as client:
        return {key: client.kv.get(key).values for key in VALUES}


EXPECTED = {key: (value,) for key, value in VALUES.items()}


def test_values_are_right_at_a_peer_whose_whole_disk_was_spoiled_and_the_log_names_what_was_hit(
    session: Session, tmp_path: Path
) -> None:
    begin(session)
    write_all(session)
    assert play(session, "KILL 2\nSPOIL 2 torn\nRESTART 2\nJOIN\n") == []
    assert all_values(session, "2") == EXPECTED
    log = (tmp_path / "out" / "events.jsonl").read_text()
    assert '"what": "spoiled", "peer": "2", "damage": "torn"' in log
    assert "store/cache.db: v/key-7" in log


def test_values_are_right_at_a_peer_whose_disk_was_spoiled_while_it_was_frozen(session: Session) -> None:
    begin(session)
    write_all(session)
    assert play(session, "FREEZEW 2\nSPOIL 2 flipped 50%\nUNFREEZEW 2\nJOIN\n") == []
    assert all_values(session, "2") == EXPECTED


def test_nothing_is_done_to_the_directory_of_a_peer_that_runs(session: Session) -> None:
    begin(session)
    problems = play(session, "SPOIL 2 torn\nSNAPSHOT 2\nSWAP 2 3\nKILL 2\nSWAP 2 3\nRESTART 2 old\nRESTART 2\nJOIN\n")
    assert [problem.partition("): ")[2] for problem in problems] == [
        "peer 2 runs, and would write over that; KILL or FREEZEW it first",
        "peer 2 runs, and would write over that; KILL or FREEZEW it first",
        "peer 2 lives and has its files open; KILL it first",
        "peer 3 lives and has its files open; KILL it first",
        "there is no old directory of peer 2; SNAPSHOT 2 copies it while it is dead",
    ]


def test_writes_before_and_after_the_return_of_an_old_disk_are_kept_and_told_apart(session: Session) -> None:
    begin(session)
    assert play(session, "KILL 2\nSNAPSHOT 2\nRESTART 2\nJOIN\n") == []
    with Client(session.stage.urls["2"]) as client:
        client.kv.put(b"key", b"first")
        for key in BLIND:
            client.kv.put(key, b"first")
    assert play(session, "KILL 2\nRESTART 2 old\n") == []
    until(lambda: session.stage.states()["2"] is Liveliness.ENDED)  # the next start is that of a new peer
    assert play(session, "RESTART 2\nJOIN\n") == []
    with Client(session.stage.urls["2"]) as client:
        assert client.kv.get(b"key").values == (b"first",)
        client.kv.put(b"key", b"second", context=client.kv.get(b"key").context)
        for key in BLIND:
            client.kv.put(key, b"third")
    for url in session.stage.urls.values():
        with Client(url) as client:
            assert client.kv.get(b"key").values == (b"second",)
            assert [set(client.kv.get(key).values) for key in BLIND] == [{b"first", b"third"}] * len(BLIND)


def test_peers_refuse_each_others_directories_with_one_line_and_start_again_on_their_own(session: Session) -> None:
    begin(session)
    write_all(session)
    (problem, *others) = play(session, "KILL 2\nKILL 3\nSWAP 2 3\nRESTART 2\n")
    assert others == []
    assert "belongs to peer 3, not to 2: give --data the directory of 2" in problem
    assert play(session, "SWAP 2 3\nRESTART 2\nRESTART 3\nJOIN\n") == []
    assert all_values(session, "2") == EXPECTED


SERVE = "from murmuration.client.commands.main import main; main()"


def test_peer_of_another_puppet_master_is_spoiled_copied_and_swapped_there(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVE, "puppet", "serve", "--listen", "tcp://127.0.0.1:*"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        master = served.stdout.readline().strip()
        with Session(SessionSettings(out=tmp_path / "out"), lambda _: None) as session:
            begin(session, f"{master}/PM")
            write_all(session)
            assert play(session, "KILL 2\nSNAPSHOT 2\nSPOIL 2 missing\nRESTART 2\nJOIN\n") == []
            assert all_values(session, "2") == EXPECTED
            assert play(session, "KILL 2\nKILL 3\nSWAP 2 3\nSWAP 3 2\nRESTART 2 old\nRESTART 3\nJOIN\n") == []
            assert all_values(session, "3") == EXPECTED
        served.terminate()
