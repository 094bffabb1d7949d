"""The player carries out a script on whatever masters there are: here one that only writes down what it is told."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from murmuration.node.gate.orders import (
    Answer,
    DiskState,
    Done,
    Order,
    SetClock,
    SetDisk,
    SetLinks,
    SetTracker,
    SlowWork,
)
from murmuration.puppetmaster.faults import Damage
from murmuration.puppetmaster.language.places import Place
from murmuration.puppetmaster.language.script import parse_script, without_faults
from murmuration.puppetmaster.live.journal import Journal
from murmuration.puppetmaster.live.library import Library, check_replaceable, find_script, scenario_names
from murmuration.puppetmaster.live.player import Player, Typed
from murmuration.puppetmaster.live.ratios import CASES, case_script
from murmuration.puppetmaster.live.seats import Seat
from murmuration.puppetmaster.live.stage import Stage
from murmuration.puppetmaster.masters.master import PuppetView
from murmuration.puppetmaster.masters.puppet import Liveliness
from murmuration.puppetmaster.masters.spoiling import Spoiled
from murmuration.ring.errors import CallerError

MASTER = Place(host="127.0.0.2", port=35001)
ONE = "WORKER 1 tcp://localhost:20001/PM tcp://localhost:30001/W tcp://localhost:30001/W\n"
TWO = "WORKER 2 tcp://localhost:20001/PM tcp://localhost:30002/W tcp://localhost:30001/W\n"
THREE = "WORKER 3 tcp://localhost:20001/PM tcp://localhost:30003/W tcp://localhost:30002/W\n"


class Scribe:
    """A master whose peers are words on paper."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.processes: dict[str, Liveliness] = {}
        self.failing: list[tuple[str, str]] = []

    def start(self, name: str, listen: str, join: tuple[str, ...], *, empty: bool = False, old: bool = False) -> None:
        if self.processes.get(name, Liveliness.ENDED) is not Liveliness.ENDED:
            raise CallerError(f"peer {name} lives already")
        self.processes[name] = Liveliness.RUNNING
        disk = "empty" if empty else "old" if old else "same"
        self.told.append(("start", name, listen[-5:], [url[-5:] for url in join], disk))

    def failed_starts(self) -> tuple[tuple[str, str], ...]:
        failed, self.failing = tuple(self.failing), []
        return failed

    def kill(self, name: str) -> None:
        self._set(name, Liveliness.ENDED)

    def leave(self, name: str) -> None:
        self._set(name, Liveliness.ENDED)

    def freeze(self, name: str) -> None:
        self._set(name, Liveliness.FROZEN)

    def thaw(self, name: str) -> None:
        self._set(name, Liveliness.RUNNING)

    def snapshot(self, name: str) -> None:
        self.told.append(("snapshot", name))

    def spoil(self, name: str, damage: Damage, share: float) -> Spoiled:
        self.told.append(("spoil", name, damage, share))
        return Spoiled(count=1, names=("runs/j/0",))

    def swap(self, name: str, other: str) -> None:
        self.told.append(("swap", name, other))

    def order(self, name: str, order: Order) -> Answer:
        self.told.append(("order", name, order))
        return Done()

    def states(self) -> dict[str, Liveliness]:
        return dict(self.processes)

    def view(self) -> tuple[PuppetView, ...]:
        return tuple(PuppetView(name=name, url="", pid=0, liveliness=state) for name, state in self.processes.items())

    def close(self) -> None:
        self.processes.clear()

    def _set(self, name: str, state: Liveliness) -> None:
        self.processes[name] = state
        self.told.append((state.value, name))


@pytest.fixture
def scribe() -> Scribe:
    return Scribe()


@pytest.fixture
def player(scribe: Scribe, tmp_path: Path) -> Iterator[Player]:
    with Journal(tmp_path / "out", lambda _: None) as journal:
        yield Player(Stage(lambda _: scribe), Library((), (), (), tmp_path / "outputs"), journal)


def play(player: Player, text: str) -> None:
    player.play(parse_script(text.encode()))


def test_entry_that_is_the_own_address_means_the_first_peer(player: Player, scribe: Scribe) -> None:
    play(player, ONE + TWO)
    assert scribe.told == [("start", "1", "30001", [], "same"), ("start", "2", "30002", ["30001"], "same")]
    assert player.problems == player.failures == []


def test_second_worker_with_a_live_id_is_an_error_line_and_with_a_dead_one_a_restart(
    player: Player, scribe: Scribe
) -> None:
    play(player, ONE + TWO + TWO + "KILL 2\n" + TWO)
    assert [told[:2] for told in scribe.told] == [("start", "1"), ("start", "2"), ("ended", "2"), ("start", "2")]
    (problem,) = player.problems
    assert "line 3" in problem
    assert "lives already" in problem


def test_restarted_peer_may_join_through_any_peer_of_its_cluster_that_is_awake(player: Player, scribe: Scribe) -> None:
    other = "WORKER 9 tcp://localhost:20001/PM tcp://localhost:30009/W\n"
    play(player, ONE + TWO + THREE + other + "KILL 1\nRESTART 1\nKILL 3\nFREEZEW 1\nRESTART 3 empty\n")
    restarts = [told for told in scribe.told if told[0] == "start"][4:]
    assert restarts == [
        ("start", "1", "30001", ["30002", "30003"], "same"),
        ("start", "3", "30003", ["30002"], "empty"),
    ]


def test_address_of_another_peer_cannot_be_taken(player: Player) -> None:
    play(player, ONE + ONE.replace("WORKER 1", "WORKER 7"))
    assert "is the address of 1 already" in player.problems[0]


def test_faults_reach_the_process_or_the_gate_that_they_are_of(player: Player, scribe: Scribe) -> None:
    play(player, ONE + "FREEZEW 1\nUNFREEZEW 1\nFREEZEC 1\nUNFREEZEC 1\nSLOWW 1 3\nDISK 1 full\nDISK 1 slow 20ms\n")
    play(player, "DISK 1 broken\nCLOCK 1 -90s\n")
    assert scribe.told[1:] == [
        ("frozen", "1"),
        ("running", "1"),
        ("order", "1", SetTracker(frozen=True)),
        ("order", "1", SetTracker(frozen=False)),
        ("order", "1", SlowWork(seconds=3.0)),
        ("order", "1", SetDisk(state=DiskState.FULL)),
        ("order", "1", SetDisk(delay_s=0.02)),
        ("order", "1", SetDisk(state=DiskState.BROKEN)),
        ("order", "1", SetClock(offset_s=-90.0)),
    ]


def test_faults_of_directories_reach_the_master_that_has_them_and_what_was_spoiled_is_logged(
    player: Player, scribe: Scribe, tmp_path: Path
) -> None:
    play(player, ONE + TWO + "KILL 1\nKILL 2\nSNAPSHOT 1\nSPOIL 1 torn 25%\nSWAP 1 2\nRESTART 1 old\n")
    assert scribe.told[4:] == [
        ("snapshot", "1"),
        ("spoil", "1", Damage.TORN, 0.25),
        ("swap", "1", "2"),
        ("start", "1", "30001", [], "old"),
    ]
    events = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    (spoiled,) = [event for event in events if event["what"] == "spoiled"]
    assert (spoiled["peer"], spoiled["damage"], spoiled["hit"]) == ("1", "torn", ["runs/j/0"])


def test_disk_stays_as_bad_as_it_is_over_a_restart_and_an_empty_one_is_sound(player: Player, scribe: Scribe) -> None:
    play(player, ONE + "DISK 1 full\nKILL 1\nRESTART 1\nKILL 1\nRESTART 1 empty\nKILL 1\nRESTART 1\n")
    full = ("order", "1", SetDisk(state=DiskState.FULL))
    assert [told for told in scribe.told if told[0] != "ended"] == [
        ("start", "1", "30001", [], "same"),
        full,
        ("start", "1", "30001", [], "same"),
        full,
        ("start", "1", "30001", [], "empty"),
        ("start", "1", "30001", [], "same"),
    ]


def test_directories_of_peers_on_two_machines_are_not_exchanged(tmp_path: Path) -> None:
    scribes = {20001: Scribe(), 20002: Scribe()}
    with Journal(tmp_path / "out", lambda _: None) as journal:
        stage = Stage(lambda place: scribes[place.port if place else 0])
        player = Player(stage, Library((), (), (), tmp_path / "outputs"), journal)
        play(player, ONE + TWO.replace("20001", "20002") + "SWAP 1 2\n")
    assert "1 and 2 have two puppet masters" in player.problems[0]


def test_every_fault_of_links_reaches_the_gates_and_heal_undoes_all(player: Player, scribe: Scribe) -> None:
    words = ("DELAY 1>2 20ms", "LOSS 1>2 5%", "DUPLICATE 1>2 10%", "REORDER 1>2 50ms", "BANDWIDTH 1>2 200KB")
    play(player, ONE + TWO + "\n".join(words) + "\n")
    orders = {name: order for _, name, order in scribe.told[-2:]}
    (sent,), (received,) = orders["1"].rules, orders["2"].rules
    assert (sent.delay_s, sent.loss, sent.duplication) == (0.02, 0.05, 0.1)
    assert (sent.jitter_s, sent.bytes_per_s) == (0.05, 200_000)
    assert (received.delay_s, received.bytes_per_s, received.bulk_only) == (0.02, 200_000, True)
    play(player, "HEAL\n")
    assert [order for _, _, order in scribe.told[-2:]] == [SetLinks(rules=())] * 2


def test_peer_that_comes_later_is_cut_off_from_a_peer_that_is_cut_off_from_all(player: Player, scribe: Scribe) -> None:
    play(player, ONE + TWO + "CUT 1|*\n" + THREE + "HEAL\n")
    rules = {name: len(order.rules) for kind, name, order in scribe.told[-6:-3] if isinstance(order, SetLinks)}
    assert rules == {"1": 4, "2": 2, "3": 2}
    assert [order for _, _, order in scribe.told[-3:]] == [SetLinks(rules=())] * 3


def test_fault_on_a_peer_that_is_not_there_is_reported_and_the_script_goes_on(player: Player, scribe: Scribe) -> None:
    play(player, "KILL 5\nCUT 1|2\nnonsense\n" + ONE)
    assert len(player.problems) == 3
    assert scribe.told == [("start", "1", "30001", [], "same")]


def test_command_put_off_comes_after_its_time_while_the_script_goes_on(player: Player, scribe: Scribe) -> None:
    play(player, ONE + "AT 30ms KILL 1\nAT 10ms FREEZEW 1\nSLOWW 1 1\n")
    assert [told[0] for told in scribe.told] == ["start", "order", "frozen", "ended"]


def test_moment_of_a_job_that_was_never_submitted_is_a_problem(player: Player) -> None:
    play(player, ONE + "AT 50% of JOB 1 KILL 1\n")
    assert "before that moment" in player.problems[0]


def test_peer_that_does_not_start_is_a_problem_of_the_line_that_started_it(player: Player, scribe: Scribe) -> None:
    scribe.failing = [("1", "its port is taken")]
    play(player, "% a comment\n" + ONE)
    (problem,) = player.problems
    assert problem.startswith("line 2")
    assert "its port is taken" in problem


@pytest.mark.parametrize(("line", "kept"), [("", True), ("ASSERT JOB 1 failed\n", False)])
def test_job_without_an_input_fails_and_the_script_goes_on(player: Player, line: str, kept: bool) -> None:  # noqa: FBT001
    submit = "SUBMIT tcp://localhost:30001/W missing.txt out 2 CharCountMapper x.dll\n"
    play(player, ONE + submit + "JOIN-JOBS\n" + line)
    assert player.problems == []
    assert bool(player.failures) is kept
    assert "no file missing.txt" in player.applications[0].error


def test_assertion_that_does_not_hold_says_what_was_found(player: Player) -> None:
    play(player, "ASSERT TIME > 1h\nASSERT TIME < 1h\n")
    assert player.problems == []
    (failure,) = player.failures
    assert failure.startswith("line 1: ASSERT TIME > 1h: TIME is 0")


def test_problems_are_in_the_event_log_with_line_and_time(player: Player, tmp_path: Path) -> None:
    play(player, "WAIT soon\nKILL 3\n")
    events = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    problems = [event for event in events if event["what"] == "problem"]
    assert [event["line"] for event in problems] == [1, 2]
    assert all(event["at"] >= 0 and event["reason"] for event in problems)


def test_each_command_waits_for_enter_step_by_step_and_not_after_the_end_of_input(player: Player) -> None:
    for text in ("\n", None):
        player.inbox.put(Typed(text=text))
    asked = []
    player.play(
        parse_script(b"WAIT 0\nWAIT 0\nWAIT 0\n"), lambda line: asked.append((line.number, player.await_typed()))
    )
    assert asked == [(1, "\n"), (2, None), (3, None)]


@pytest.mark.parametrize("name", scenario_names())
def test_shipped_scenario_reads_without_a_problem_and_asserts_its_outputs(name: str) -> None:
    script = parse_script(find_script(name).read_bytes())
    assert script.problems == ()
    assert any("OUTPUTS" in line.text for line in script.lines)


def test_example_script_reads_without_a_problem() -> None:
    script = parse_script((Path(__file__).parents[2] / "examples" / "puppet.txt").read_bytes())
    assert script.problems == ()
    assert len(script.lines) > 10


def test_script_without_its_faults_keeps_peers_jobs_and_waiting() -> None:
    faults = "KILL 1\nWAIT 1\nAT 1s FREEZEW 2\nAT 2s SUBMIT localhost:30001 a b 1 m\nCUT 1|2\nHEAL\nASSERT ALIVE = 1\n"
    script = parse_script((ONE + TWO + faults + ONE + "JOIN-JOBS\nNONSENSE").encode())
    plain = without_faults(script)
    assert [line.text.split()[0] for line in plain.lines] == ["WORKER", "WORKER", "WAIT", "AT", "JOIN-JOBS"]
    assert plain.problems == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_of_the_report_is_a_script_without_a_problem(case) -> None:
    seats = [Seat(service="tcp://127.0.0.1:31001/W"), Seat(service="tcp://127.0.0.2:45001/W", master=MASTER)]
    script = parse_script(case_script(case, seats, 20).encode())
    assert script.problems == ()
    assert [str(place) for place in script.puppet_masters] == ["tcp://127.0.0.2:35001/PM"]


def test_directory_with_other_things_than_an_output_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "1.out").touch()
    (tmp_path / "12.out").touch()
    check_replaceable(str(tmp_path))
    (tmp_path / "letter.txt").touch()
    with pytest.raises(CallerError, match="holds other things"):
        check_replaceable(str(tmp_path))


def test_input_is_found_by_its_base_name_whatever_its_folders_were(tmp_path: Path) -> None:
    (tmp_path / "Data").mkdir()
    found = tmp_path / "Data" / "PL.txt"
    found.touch()
    library = Library((tmp_path,), (), (), tmp_path)
    assert library.input("..\\..\\Resources\\pl.txt") == str(found)
    assert library.input("ring:/pl.txt") == "ring:/pl.txt"
    with pytest.raises(CallerError, match="--files"):
        library.input("other.txt")


@pytest.mark.parametrize(
    ("mapper", "file"),
    [("Course.Special,Lib", "own.py"), ("PADI.CharCountMapper", "mappers.py")],
    ids=["own", "shipped"],
)
def test_mapper_is_found_in_the_users_file_before_the_shipped_ones(tmp_path: Path, mapper: str, file: str) -> None:
    own = tmp_path / "own.py"
    own.write_text("from murmuration import Mapper\nclass Special(Mapper):\n    def map(self, line): ...\n")
    program = Library((), (), (own,), tmp_path).program(mapper, "Lib.dll")
    assert Path(program.name.partition("::")[0]).name == file
