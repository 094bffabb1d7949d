"""A peer that starts again knows whose cluster it belongs to, and does not speak for it before it does."""

from member_net import member, peer
from ring_cluster import RingCluster

from murmuration.ring.effects import Failed, GetDone, KeysDone, PutDone
from murmuration.ring.events import ExchangeDue, LeaveRequested, OperationDone
from murmuration.ring.facts import Liveness
from murmuration.ring.membership.joining import PATIENCE_S
from murmuration.ring.messages import CoordinatePut, PutCoordinated
from murmuration.ring.operations import ForgetMember, ListMembers, NoteMember
from murmuration.ring.outcomes import StoreFailed


def noted(cluster: RingCluster, at: int) -> list[tuple[str, Liveness, int]]:
    """List what a peer has set down of members: name, liveness, start number."""
    return [
        (operation.update.member.name, operation.update.liveness, operation.update.incarnation >> 20)
        for _, number, operation in cluster.operated
        if number == at and isinstance(operation, NoteMember) and operation.update.member.id != peer(at)
    ]


def all_die(cluster: RingCluster) -> None:
    for number in list(cluster.rings):
        cluster.crash(number)
    cluster.run(10.0)


# --- the table ---


def test_members_are_set_down_when_they_join_and_start_anew_and_never_for_liveness() -> None:
    cluster = RingCluster(3)
    assert set(noted(cluster, 0)) == {("p1", Liveness.ALIVE, 1), ("p2", Liveness.ALIVE, 1)}
    cluster.operated.clear()
    cluster.crash(2)
    assert cluster.run(60.0, lambda: cluster.rings[0].members[peer(2)].liveness is Liveness.DEAD)
    assert noted(cluster, 0) == noted(cluster, 1) == []
    cluster.restart(2)
    cluster.run(5.0)
    assert noted(cluster, 0) == noted(cluster, 1) == [("p2", Liveness.ALIVE, 2)]
    assert noted(cluster, 2) == []


def test_placement_after_a_restart_is_that_of_the_cluster_before_anybody_is_heard() -> None:
    cluster = RingCluster(5)
    before = cluster.rings[0].preference(b"key")
    all_die(cluster)
    cluster.start(2, seeds=(0,))
    cluster.run(0.1)
    assert cluster.rings[2].preference(b"key") == before
    assert not any(cluster.rings[2].alive(peer(number)) for number in (0, 1, 3, 4))


def test_peers_find_each_other_by_their_old_addresses_without_any_seed() -> None:
    cluster = RingCluster(5)
    all_die(cluster)
    for number in range(5):
        cluster.start(number, seeds=())
    assert cluster.run(1.0, cluster.all_alive)


def test_restarted_peer_knows_the_truth_about_the_living_within_a_second() -> None:
    cluster = RingCluster(9)
    cluster.crash(4)
    cluster.run(60.0)
    cluster.start(4, seeds=())
    assert cluster.run(1.0, cluster.all_alive)


def test_restarted_peer_finds_the_few_that_live_among_many_that_do_not() -> None:
    cluster = RingCluster(9)
    all_die(cluster)
    cluster.start(1, seeds=())
    cluster.start(0, seeds=())
    assert cluster.run(0.2, lambda: cluster.rings[0].alive(peer(1)) and cluster.rings[1].alive(peer(0)))


def test_restart_leads_nobody_to_suspect_the_living() -> None:
    cluster = RingCluster(5)
    cluster.crash(4)
    cluster.run(30.0)
    incarnations = {number: ring.incarnation for number, ring in cluster.rings.items()}
    cluster.start(4, seeds=())
    cluster.run(10.0)
    assert {number: ring.incarnation for number, ring in cluster.rings.items() if number != 4} == incarnations


def test_suspect_of_before_the_start_that_no_table_tells_of_is_heard_by_its_answer_to_a_probe() -> None:
    cluster = RingCluster(2)
    all_die(cluster)
    cluster.start(1, seeds=())
    cluster.run(1.0)
    cluster.start(0, seeds=())
    cluster.is_lost = lambda source, to, message: type(message).__name__ == "PushPull"
    cluster.happen(0, ExchangeDue())
    assert cluster.run(4.0, cluster.all_alive)


def test_member_that_has_left_stays_gone_after_a_restart() -> None:
    cluster = RingCluster(4)
    cluster.happen(3, LeaveRequested())
    assert cluster.run(5.0, lambda: 3 in cluster.parted)
    cluster.run(1.0)
    assert ("p3", Liveness.LEFT, 1) in noted(cluster, 0)
    all_die(cluster)
    cluster.start(0, seeds=())
    cluster.run(0.1)
    assert cluster.rings[0].members[peer(3)].liveness is Liveness.LEFT
    assert peer(3) not in cluster.rings[0].preference(b"key")


def test_table_that_cannot_be_read_is_read_again() -> None:
    cluster = RingCluster(3)
    cluster.crash(1)
    cluster.disks[1].refuses = lambda operation: isinstance(operation, ListMembers)
    cluster.restart(1)
    cluster.run(3.0)
    assert len(cluster.rings[1].members) == 1
    cluster.disks[1].refuses = lambda operation: False
    assert cluster.run(3.0, cluster.all_alive)


def test_member_that_could_not_be_set_down_is_set_down_later() -> None:
    cluster = RingCluster(2)
    cluster.disks[0].refuses = lambda operation: isinstance(operation, NoteMember)
    cluster.start(2)
    cluster.run(5.0)
    assert b"m/" + peer(2).encode() not in cluster.disks[0].rows
    cluster.disks[0].refuses = lambda operation: False
    cluster.run(3.0)
    assert b"m/" + peer(2).encode() in cluster.disks[0].rows


def test_damaged_row_of_the_table_hides_no_other() -> None:
    cluster = RingCluster(4)
    all_die(cluster)
    cluster.disks[0].rows[b"m/" + peer(1).encode()] = b"\xc1"
    cluster.start(0, seeds=())
    cluster.run(0.1)
    assert set(cluster.rings[0].members) == {peer(0), peer(2), peer(3)}


# --- no act before the cluster is known ---


def test_first_peer_back_does_not_take_itself_for_the_cluster() -> None:
    """Finding of the simulator: a delete acknowledged by one lonely peer, which is no home, was never seen again."""
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.must_put(1, key, b"value")
    context = cluster.must_get(1, key).context
    all_die(cluster)
    cluster.start(0, seeds=(1, 2))
    cluster.run(1.0)
    deleted = cluster.answer(cluster.put(0, key, None, context))
    assert isinstance(deleted, Failed)
    for number in range(1, 5):
        cluster.start(number, seeds=(0,))
    assert cluster.run(10.0, cluster.all_alive)
    cluster.run(40.0)
    assert len({str(cluster.disks[home].copy_of(key)) for home in cluster.order(key)[:3]}) == 1


def test_peer_with_seeds_that_knows_nobody_refuses_requests_and_says_what_it_waits_for() -> None:
    cluster = RingCluster()
    cluster.start(1, seeds=(7,))
    cluster.run(1.0)
    requests = [
        cluster.put(1, b"key", b"value"),
        cluster.get(1, b"key"),
        cluster.keys(1, b""),
        cluster.offer(1, b"d" * 32),
    ]
    for request in requests:
        answer = cluster.answer(request, within_s=PATIENCE_S + 0.1)
        assert isinstance(answer, Failed)
        assert answer.reason.startswith("this peer has not joined yet")
        assert member(7).url in answer.reason
        assert "\n" not in answer.reason
    assert cluster.disks[1].copy_of(b"key") is None


def test_request_during_the_start_waits_for_the_join() -> None:
    cluster = RingCluster(3)
    cluster.start(3)
    put, keys = cluster.put(3, b"key", b"value"), cluster.keys(3, b"")
    done = cluster.answer(put)
    assert isinstance(done, PutDone)
    assert done.replicas == 3
    assert isinstance(cluster.answer(keys), KeysDone)


def test_peer_whose_only_seed_is_itself_is_a_cluster_of_one_and_serves_at_once() -> None:
    cluster = RingCluster()
    cluster.start(0, seeds=())
    assert isinstance(cluster.answer(cluster.put(0, b"key", b"value")), PutDone)
    cluster = RingCluster()
    cluster.start_with(1, (member(1).url,))
    assert isinstance(cluster.answer(cluster.put(1, b"key", b"value")), PutDone)
    assert isinstance(cluster.answer(cluster.get(1, b"key")), GetDone)


def test_peer_that_has_not_joined_coordinates_no_write_of_others() -> None:
    cluster = RingCluster(5)
    keys = (b"key%d" % number for number in range(1000))
    key = next(key for key in keys if cluster.order(key)[0] == 2 and 0 in cluster.order(key)[3:])
    cluster.crash(2)
    cluster.disks[2].rows.clear()
    cluster.is_lost = lambda source, to, message: (
        2 in (source, to) and not isinstance(message, CoordinatePut | PutCoordinated)
    )
    cluster.start(2)
    done = cluster.must_put(0, key, b"value")
    assert any(isinstance(message, CoordinatePut) and to == 2 for _, _, to, message in cluster.sent)
    assert done.primaries + done.fallbacks >= 2
    assert cluster.disks[2].copy_of(key) is None


def test_operations_of_others_on_the_table_are_no_business_of_a_peer_that_has_read_it() -> None:
    cluster = RingCluster(2)
    cluster.happen(0, OperationDone(ticket=10**9, outcome=StoreFailed(reason="full")))
    assert not any(isinstance(operation, ForgetMember) for _, _, operation in cluster.operated)
