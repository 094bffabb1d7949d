"""Faults of peers on the simulated cluster: what each does, and what it leaves alone."""

import random

import pytest

from murmuration.node.wire.replies import KeyGot, KeyPut
from murmuration.node.wire.requests import GetKey, PutKey
from murmuration.puppetmaster.faults import (
    Crash,
    Damage,
    DiskState,
    Freeze,
    FreezeTracker,
    Leave,
    Remove,
    Restart,
    SetClock,
    SetDisk,
    SlowDisk,
    Snapshot,
    Spoil,
    Swap,
    Thaw,
    ThawTracker,
)
from murmuration.puppetmaster.simulation.cluster import Cluster, Letter
from murmuration.puppetmaster.simulation.injuries import inject
from murmuration.puppetmaster.simulation.job_workload import SHARE, JobWorkload, some_job, some_text
from murmuration.puppetmaster.simulation.nemesis import Planned
from murmuration.puppetmaster.simulation.peer_troubles import restored
from murmuration.puppetmaster.simulation.plan import Plan
from murmuration.puppetmaster.simulation.schedule import SETTINGS, perform
from murmuration.puppetmaster.simulation.troubles import Trouble
from murmuration.ring.facts import Liveness

NAMES = ("A", "B", "C", "D", "E")


@pytest.fixture
def cluster():
    cluster = Cluster(NAMES, SETTINGS, seed=1)
    cluster.start()
    assert cluster.run_until(cluster.agreed, 10.0)
    return cluster


def ask(cluster, peer, question):
    request = cluster.ask(peer, question)
    cluster.run_until(lambda: request in cluster.replies, cluster.timeline.now + 10.0)
    return cluster.replies.get(request)


def pass_time(cluster, seconds):
    cluster.run_until(lambda: False, cluster.timeline.now + seconds)


def submitted(cluster, entry="A"):
    rng = random.Random(5)
    text = some_text(rng, 60)
    cluster.texts[SHARE] = text
    client = JobWorkload(cluster, some_job(rng, text, 30, 2, "out"), rng, entry=entry)
    cluster.repeat(client.step, cluster.timeline.now, 0.05, until=lambda: client.ended)
    assert cluster.run_until(lambda: client.accepted, cluster.timeline.now + 10.0)
    return client


def epochs(cluster, client):
    return {name: process.node.scheduling.jobs[client.record.id].epoch for name, process in cluster.running.items()}


def test_silenced_tracker_is_succeeded_while_its_peer_lives_and_does_no_harm_when_it_speaks(cluster):
    client = submitted(cluster)
    inject(cluster, FreezeTracker(peer="A"))
    assert cluster.run_until(lambda: client.ended, 60.0)
    assert client.status.epoch == 2
    assert all(update.liveness is Liveness.ALIVE for update in cluster.running["B"].node.ring.members.values())
    assert len(cluster.running["A"].silence)
    inject(cluster, ThawTracker(peer="A"))
    pass_time(cluster, 2.0)
    assert not len(cluster.running["A"].silence)
    assert "tracker spoke late" in cluster.witness.reached
    assert not cluster.witness.violations


def test_silence_is_latent_until_the_role_comes_to_the_peer(cluster):
    for name in NAMES[1:]:
        inject(cluster, FreezeTracker(peer=name))
    client = submitted(cluster)
    assert not any(len(cluster.running[name].silence) for name in NAMES[1:])
    inject(cluster, Crash(peer="A"))
    pass_time(cluster, 20.0)
    assert any(len(cluster.running[name].silence) for name in NAMES[1:])
    assert not client.ended


@pytest.mark.parametrize("offset_s", [3600.0, -3600.0, -0.002])
def test_peer_whose_clock_is_set_goes_on_probing_and_delivering(cluster, offset_s):
    inject(cluster, SetClock(peer="A", offset_s=offset_s))
    events = cluster.running["A"].events
    pass_time(cluster, 15.0)
    inject(cluster, SetClock(peer="A", offset_s=0.0))
    pass_time(cluster, 15.0)
    assert cluster.running["A"].events > events + 200
    assert cluster.agreed()
    assert isinstance(ask(cluster, "A", PutKey(key=b"k", value=b"v", context={})), KeyPut)


def test_clock_that_is_set_forward_is_what_the_machine_sees(cluster):
    inject(cluster, SetClock(peer="A", offset_s=3600.0))
    assert cluster.running["A"].time_at(cluster.timeline.now) == cluster.timeline.now + 3600.0


def test_spoiled_copy_is_not_served_and_is_replaced_by_a_read(cluster):
    assert isinstance(ask(cluster, "A", PutKey(key=b"k", value=b"v", context={})), KeyPut)
    pass_time(cluster, 1.0)
    holder = next(name for name in NAMES if b"v/k" in cluster.disks[name].rows)
    for fault in (Crash(peer=holder), Spoil(peer=holder, damage=Damage.FLIPPED), Restart(peer=holder)):
        inject(cluster, fault)
    assert b"v/k" in cluster.disks[holder].damaged
    assert cluster.run_until(cluster.agreed, cluster.timeline.now + 30.0)
    got = ask(cluster, holder, GetKey(key=b"k"))
    assert isinstance(got, KeyGot)
    assert got.values == (b"v",)
    pass_time(cluster, 2.0)
    assert b"v/k" not in cluster.disks[holder].damaged
    assert not cluster.witness.violations


def test_running_peer_is_not_spoiled(cluster):
    inject(cluster, Spoil(peer="A", damage=Damage.TORN))
    assert not cluster.disks["A"].damaged


def test_old_disk_holds_what_was_there_at_the_snapshot_and_nothing_later(cluster):
    for fault in (Crash(peer="A"), Snapshot(peer="A"), Restart(peer="A")):
        inject(cluster, fault)
    rows = dict(cluster.backups["A"].rows)
    ask(cluster, "A", PutKey(key=b"later", value=b"v", context={}))
    pass_time(cluster, 1.0)
    inject(cluster, Crash(peer="A"))
    inject(cluster, Restart(peer="A", old=True))
    assert cluster.disks["A"].rows == rows
    assert cluster.running["A"].start > cluster.backups["A"].starts


@pytest.mark.parametrize("seed", range(6))
def test_peer_on_an_old_disk_uses_no_dot_twice_and_learns_what_it_has_forgotten(seed):
    rng = random.Random(seed)
    victim = rng.choice(NAMES)
    trouble = Trouble(victim, frozenset(NAMES) - {victim}, rng.uniform(2.0, 8.0), rng.uniform(12.0, 19.0))
    faults = tuple(Planned(at, fault, 1) for at, fault in restored(rng, trouble))
    assert not perform(Plan(seed=seed, puts=60, faults=faults)).violations


def test_message_for_the_peer_that_had_an_address_before_is_not_taken_by_the_next(cluster):
    before = cluster.running["A"].id
    inject(cluster, Crash(peer="A"))
    inject(cluster, Restart(peer="A", empty=True))
    events = cluster.running["A"].events
    letter = Letter("B", "tcp://A", object(), before)
    cluster.let_go(letter)
    cluster.run_until(lambda: "address used again" in cluster.witness.reached, cluster.timeline.now + 1.0)
    assert "address used again" in cluster.witness.reached
    assert cluster.running["A"].id != before
    assert cluster.running["A"].events >= events


def test_slow_disk_delays_user_code_too(cluster):
    inject(cluster, SlowDisk(peer="E", delay_s=30.0))
    submitted(cluster)
    pass_time(cluster, 10.0)
    makers = {mapped.peer for mapped in cluster.witness.mapped_by.values()}
    assert makers == set(NAMES) - {"E"}
    assert "attempt stopped" in cluster.witness.reached, "what E was at has been done elsewhere"


def test_faults_that_do_not_fit_a_peer_do_nothing(cluster):
    inject(cluster, Crash(peer="A"))
    for fault in (
        Crash(peer="A"),
        Freeze(peer="A"),
        Thaw(peer="A"),
        Leave(peer="A"),
        FreezeTracker(peer="A"),
        SetClock(peer="A", offset_s=1.0),
    ):
        inject(cluster, fault)
    assert "A" not in cluster.running


def test_peer_that_is_told_to_leave_and_cannot_stops_and_is_back_after_a_restart(cluster):
    for name in NAMES[1:]:
        inject(cluster, Crash(peer=name))
    pass_time(cluster, 30.0)
    before = cluster.running["A"]
    inject(cluster, Leave(peer="A"))
    inject(cluster, Restart(peer="A"))
    assert cluster.running["A"] is not before
    pass_time(cluster, 10.0)
    assert "A" in cluster.running


def test_removed_peer_ends_when_it_is_started_again_and_joins_as_a_new_one_after_that(cluster):
    removed = cluster.member("E").id
    inject(cluster, Crash(peer="E"))
    inject(cluster, Remove(peer="E"))
    pass_time(cluster, 2.0)
    inject(cluster, Restart(peer="E"))
    pass_time(cluster, 6.0)
    assert "E" not in cluster.running
    inject(cluster, Restart(peer="E"))
    assert cluster.run_until(lambda: cluster.agreed() and cluster.at_rest(), cluster.timeline.now + 20.0)
    assert cluster.running["E"].id != removed
    assert {"dead peer removed", "peer removed"} <= cluster.witness.reached


def test_peer_does_not_start_on_the_disk_of_another_one(cluster):
    for name in ("D", "E"):
        inject(cluster, Crash(peer=name))
    inject(cluster, Swap(peer="D", other="E"))
    inject(cluster, Restart(peer="D"))
    assert "D" not in cluster.running
    assert "another's disk refused" in cluster.witness.reached
    inject(cluster, Swap(peer="D", other="E"))
    inject(cluster, Restart(peer="D"))
    assert "D" in cluster.running


def conditions(cluster):
    return {name: (disk.state, disk.delay_s) for name, disk in cluster.disks.items()}


def test_drive_that_is_slow_or_full_stays_so_whatever_directory_is_put_there(cluster):
    for fault in (Crash(peer="D"), Crash(peer="E"), Snapshot(peer="E")):
        inject(cluster, fault)
    inject(cluster, SlowDisk(peer="D", delay_s=0.5))
    inject(cluster, SetDisk(peer="E", state=DiskState.FULL))
    before = conditions(cluster)
    inject(cluster, Swap(peer="D", other="E"))
    assert conditions(cluster) == before
    inject(cluster, Swap(peer="D", other="E"))
    inject(cluster, Restart(peer="E", old=True))
    assert conditions(cluster) == before
    assert cluster.disks["E"].owner == "E"
