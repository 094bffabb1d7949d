"""What a run reports: `STATUS` in words, the traffic of all processes, and the figures that the assignment asks for."""

from socket import create_server

import pytest

from murmuration.node.gate.orders import Condition
from murmuration.node.wire.replies import PeerView
from murmuration.puppetmaster.language.places import Place
from murmuration.puppetmaster.live.figures import figures_table
from murmuration.puppetmaster.live.ratios import CASES, GOOGLE_RATIO, noise_notes, ratio_table
from murmuration.puppetmaster.live.reports import status_document
from murmuration.puppetmaster.live.screens import presence, ranges, status_lines
from murmuration.puppetmaster.live.seats import free_ports, seats_of
from murmuration.puppetmaster.live.sightings import Sighting
from murmuration.puppetmaster.live.traffic import Ledger, Traffic
from murmuration.puppetmaster.masters.master import PuppetView
from murmuration.puppetmaster.masters.puppet import Liveliness
from murmuration.ring.errors import CallerError
from murmuration.ring.facts import Liveness
from murmuration.ring.terms import Member
from murmuration.scheduling.jobs import JobState, Phase
from murmuration.scheduling.status import JobStatus, Lane, RunningAttempt, TaskState


def condition(name: str, sent: int = 0, *, tracker_frozen: bool = False) -> Condition:
    return Condition(
        name=name,
        executors=(),
        tracker_frozen=tracker_frozen,
        messages_out=sent,
        bytes_out=100 * sent,
        messages_in=0,
        bytes_in=0,
        bulk_bytes_out=7 * sent,
        dropped=0,
    )


def view(name: str, process: Liveliness, sent: int = 0, *, pid: int = 1, tracker_frozen: bool = False) -> PuppetView:
    gate = condition(name, sent, tracker_frozen=tracker_frozen)
    return PuppetView(name=name, url=f"tcp://{name}", pid=pid, liveliness=process, condition=gate)


def seen(**states: Liveness) -> tuple[PeerView, ...]:
    return tuple(PeerView(member=member(name), liveness=state, incarnation=0) for name, state in states.items())


def member(name: str) -> Member:
    return Member(id=name, name=name, url=f"tcp://{name}", bulk_url=f"bulk://{name}", host=name, directory="/")


def job(cells: bytes, lanes: dict[str, tuple[RunningAttempt, ...]]) -> JobStatus:
    return JobStatus(
        id="f00",
        name="job",
        state=JobState.RUNNING_MAP,
        tracker="b",
        epoch=3,
        version=1,
        elapsed_s=1.0,
        map_states=cells,
        reduce_states=b"",
        attempts=5,
        duplicates=0,
        speculative=0,
        records=0,
        bytes=0,
        local_bytes=0,
        bytes_total=0,
        lanes=tuple(Lane(name, Liveness.ALIVE, running, 0) for name, running in lanes.items()),
    )


CELLS = bytes([TaskState.DONE, TaskState.CLAIMED, TaskState.RUNNING, TaskState.RUNNING, TaskState.WAITING])


def test_status_tells_of_every_peer_presence_role_and_what_it_is_at() -> None:
    stale = {"a": (RunningAttempt(Phase.MAP, 2, 0.1),), "c": (RunningAttempt(Phase.MAP, 1, 0.0),)}
    fresh = {"a": (RunningAttempt(Phase.MAP, 2, 0.45), RunningAttempt(Phase.MAP, 3, 1.0))}
    fresh["c"] = stale["c"]
    sightings = [
        Sighting(
            peer="a", members=seen(a=Liveness.ALIVE, b=Liveness.ALIVE, c=Liveness.DEAD), jobs=(job(CELLS, fresh),)
        ),
        Sighting(
            peer="b", members=seen(a=Liveness.ALIVE, b=Liveness.ALIVE, c=Liveness.SUSPECT), jobs=(job(CELLS, stale),)
        ),
        Sighting(peer="d", error="says nothing within 1 s"),
    ]
    views = [
        view("a", Liveliness.RUNNING),
        view("b", Liveliness.RUNNING, tracker_frozen=True),
        view("c", Liveliness.FROZEN),
        view("d", Liveliness.RUNNING),
    ]
    document = status_document(1.0, views, sightings, [])
    a, b, c, d = status_lines(document).splitlines()[1:]
    assert a.split("  ")[0] == "a"
    assert "job f00 split 3: mapping 45%, job f00 split 4: output transfer" in a, "as it says itself"
    assert "tracker role frozen" in b
    assert "job f00 at epoch 3" in b
    assert "frozen" in c
    assert "presumed failed" in c
    assert "suspected" in c
    assert "job f00 split 2: input transfer" in c, "as the others have it"
    assert "says nothing within 1 s" in d


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ({"alive": ["b", "c"]}, "present"),
        ({"dead": ["b", "c"]}, "presumed failed"),
        ({"left": ["b"]}, "left"),
        ({"alive": ["b", "c"], "dead": ["d"]}, "present; presumed failed by d"),
        ({"alive": ["b"], "suspect": ["c", "d"]}, "present by b; suspected"),
        ({}, "nobody says"),
    ],
)
def test_presence_is_what_the_others_hold_a_peer_for(held: dict[str, list[str]], told: str) -> None:
    assert presence(held) == told


def test_splits_are_named_in_ranges() -> None:
    assert ranges([]) == ""
    assert ranges([1, 2, 3, 5, 7, 8]) == "1-3, 5, 7-8"
    assert ranges(range(1, 20_000, 2)).endswith(", ...")


def test_traffic_counts_processes_that_have_ended_and_those_that_came_in_their_place() -> None:
    ledger = Ledger()
    before = ledger.note([view("a", Liveliness.RUNNING, 10), view("b", Liveliness.RUNNING, 1)])
    ledger.note([view("a", Liveliness.ENDED, 15), view("b", Liveliness.RUNNING, 2)])
    after = ledger.note([view("a", Liveliness.RUNNING, 3, pid=2), view("b", Liveliness.RUNNING, 2)])
    assert before == Traffic(messages=11, message_bytes=1100, bulk_bytes=77)
    assert after.since(before) == Traffic(messages=9, message_bytes=900, bulk_bytes=63)


def figures(**changes: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "number": 1,
        "mapper": "M",
        "state": "done",
        "seconds": 2.5,
        "seconds_without_faults": None,
        "ratio": None,
        "messages": 160,
        "message_bytes": 2048,
        "bulk_bytes": 0,
        "files": 3,
        "pairs": 30,
        "bytes": 300,
        "redone": 0,
    }
    return plain | changes


def test_figures_hold_time_messages_and_pairs_with_their_sizes() -> None:
    heading, row, _ = figures_table({"jobs": [figures()]}).splitlines()
    assert "WITHOUT FAULTS" not in heading
    assert row.split() == ["1", "M", "done", "2.50", "160", "2.00", "KiB", "0", "B", "3", "30", "300", "B", "0"]


def test_figures_compare_with_the_run_without_faults_where_there_was_one() -> None:
    compared = figures(seconds_without_faults=2.0, ratio=1.25)
    heading, row, *_ = figures_table({"jobs": [compared, figures(number=2)]}).splitlines()
    assert "WITHOUT FAULTS" in heading
    assert row.split()[3:6] == ["2.50", "2.00", "1.250"]


def test_peers_of_a_measurement_listen_at_distinct_addresses() -> None:
    assert len({seat.service for seat in seats_of(5)}) == 5


def test_puppet_master_that_is_not_there_is_refused_before_anything_is_measured() -> None:
    (port,) = free_ports(1)
    with pytest.raises(CallerError, match="murmur puppet serve"):
        seats_of(3, [Place(host="127.0.0.1", port=port)])


def test_puppet_masters_take_the_peers_in_turn_each_on_its_own_host() -> None:
    with create_server(("127.0.0.1", 0)) as one, create_server(("127.0.0.2", 0)) as other:
        masters = [Place(host=host, port=port) for host, port in (one.getsockname(), other.getsockname())]
        seats = seats_of(3, masters)
    assert [seat.master for seat in seats] == [masters[0], masters[1], masters[0]]
    assert [seat.service.split(":")[1] for seat in seats] == ["//127.0.0.1", "//127.0.0.2", "//127.0.0.1"]
    assert seats[1].spelt.split()[0] == f"tcp://127.0.0.2:{masters[1].port}/PM"


def measured(case: str, **changes: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "case": case,
        "available": True,
        "ok": True,
        "google": None,
        "seconds": 10.0,
        "seconds_min": 9.0,
        "seconds_max": 12.0,
        "seconds_more": 1.0,
        "ratio": 1.1,
        "epoch": 1,
        "attempts": 90,
        "messages": 5000,
        "bytes": 1024,
        "bulk_bytes": 0,
        "pairs": 4500,
        "output_bytes": 2048,
        "rounds": [{}],
    }
    return plain | changes


def test_table_of_the_report_says_what_is_wrong_and_what_is_missing() -> None:
    cases = [
        measured("clean"),
        measured("one killed", ok=False, rounds=[{}, {}, {}]),
        {"case": "speculation", "available": False, "missing": "not available yet"},
    ]
    _, clean, killed, missing, *notes = ratio_table(
        {"cases": cases, "notes": ["said before", "said after"]}
    ).splitlines()
    assert clean.split()[:4] == ["clean", "10.00", "-", "1.00"]
    assert killed.split()[:5] == ["one", "killed", "(WRONG)", "10.00", "9.00-12.00"]
    assert set(missing.split()) == {"speculation", "-"}
    assert notes == ["", "speculation: not available yet.", "said after"]


@pytest.mark.parametrize(("ratio", "slowest", "noise"), [(1.05, 10.1, ""), (0.9, 10.1, "10%"), (1.05, 11.5, "15%")])
def test_report_says_when_chance_is_greater_than_what_it_measures(ratio: float, slowest: float, noise: str) -> None:
    clean = measured("clean", seconds_min=10.0, seconds_max=slowest, ratio=1.0)
    notes = noise_notes([clean, measured("one killed", ratio=ratio), {"case": "speculation", "available": False}])
    assert [noise in note for note in notes] == ([True] if noise else [])


def test_only_the_case_that_is_like_googles_is_compared_with_it() -> None:
    assert [case.name for case in CASES if case.google == GOOGLE_RATIO] == ["one killed, restarted"]
