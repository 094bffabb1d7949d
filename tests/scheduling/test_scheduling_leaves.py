"""Leaving for good while jobs run: nothing new is taken up, and who may still have to vote is known."""

from scheduling_cluster import JOB, Cluster, job_record

from murmuration.scheduling import events as ev
from murmuration.scheduling.jobs import JobState, Phase


def test_peer_that_leaves_finishes_what_it_has_and_claims_nothing_new() -> None:
    cluster = Cluster(4)
    cluster.submit(job_record(60))
    cluster.run_until(lambda: cluster.tasks_done() > 5)
    leaver = cluster.peers[2]
    cluster.announce_leave(leaver)
    cluster.run_for(0.005)
    since = cluster.now
    cluster.run_until(cluster.done)
    assert not [at for at, peer, *_ in cluster.begun if peer == leaver and at > since]
    assert len({(phase, task) for _, _, phase, task, _ in cluster.begun}) == 62


def test_last_worker_that_leaves_still_ends_the_jobs_that_wait() -> None:
    cluster = Cluster(3)
    cluster.submit(job_record(20))
    cluster.run_until(lambda: cluster.tasks_done() > 2)
    for peer in cluster.peers:
        cluster.announce_leave(peer)
    cluster.run_until(cluster.done)


def test_electors_owe_a_vote_until_the_job_has_ended() -> None:
    cluster = Cluster(7)
    cluster.submit(job_record(10))
    cluster.run_until(lambda: cluster.tasks_done() > 2)
    electorate = cluster.job(cluster.peers[0]).record.electorate
    assert {peer for peer, jobs in cluster.votes_owed.items() if jobs} == set(electorate)
    cluster.run_until(cluster.done)
    assert not any(cluster.votes_owed.values())


def test_electorate_prefers_those_who_stay() -> None:
    cluster = Cluster(7)
    cluster.run_for(0.1)
    leaver = cluster.machines[cluster.peers[0]].electorate(JOB)[0]
    cluster.announce_leave(leaver)
    cluster.run_for(0.1)
    assert leaver not in cluster.machines[cluster.peers[0]].electorate(JOB)
    cluster.submit(job_record(3))
    cluster.run_until(lambda: cluster.all_in(JobState.DONE))


def test_peer_that_stops_releases_its_claims_at_once_and_takes_up_nothing_more() -> None:
    cluster = Cluster(4, task_s=5.0)
    cluster.submit(job_record(8, 0))
    cluster.run_for(0.2)
    stopping = cluster.peers[2]
    theirs = {task for _, peer, _, task, _ in cluster.begun if peer == stopping}
    assert len(theirs) == 2
    cluster.do(stopping, ev.SchedulingStopped())
    cluster.run_for(0.1)
    assert not cluster.machines[stopping]._desk.slots.running
    assert {attempt.peer for attempt in cluster.stopped} == {stopping}
    board = cluster.job(cluster.peers[0]).boards[Phase.MAP]
    assert board.openings == theirs, "others know although they hold the peer for alive"
    cluster.run_until(cluster.done)
    assert not [at for at, peer, *_ in cluster.begun if peer == stopping and at > 0.2]
