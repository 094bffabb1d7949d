"""Whatever dies, stalls or gets lost, a job ends with the exact answer, and nothing done is redone."""

import msgspec
import pytest
from scheduling_cluster import JOB, Cluster, job_record, peer_id

from murmuration.ring.facts import Liveness
from murmuration.ring.terms import REFUTATION_BITS, Instant, PeerId
from murmuration.scheduling import effects as out
from murmuration.scheduling import events as ev
from murmuration.scheduling.jobs import (
    JobState,
    Manifest,
    Phase,
    TaskReport,
    UserError,
    job_key,
)
from murmuration.scheduling.messages import Account, Attempt, Claim, ClaimNews, JobNews, Stage


@pytest.mark.parametrize("seed", range(4))
def test_tracker_killed_half_way_is_succeeded_at_epoch_two_and_nothing_done_is_redone(seed: int) -> None:
    cluster = Cluster(5, seed)
    record = job_record(40, 4)
    cluster.submit(record)
    cluster.run_until(lambda: cluster.tasks_done() >= 20)
    cluster.run_for(0.02)
    tracker = cluster.peers[0]
    witness = cluster.job(cluster.peers[1])
    done = {split for split in range(40) if split in witness.boards[Phase.MAP].results}
    killed_at = cluster.now
    cluster.kill(tracker)
    cluster.run_until(cluster.done)
    assert {cluster.job(peer).epoch for peer in cluster.machines} == {2}
    assert not {task for at, _, phase, task, _ in cluster.begun if at > killed_at and phase is Phase.MAP} & done
    new = cluster.names[cluster.job(cluster.peers[1]).tracker]
    texts = [event.text for event in cluster.job(cluster.peers[1]).events]
    assert f"tracker moved from p0 to {new} (epoch 2)" in texts
    cluster.assert_exact(record)
    assert cluster.now < killed_at + 5.0


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.6, 0.8, 0.95])
def test_death_of_the_tracker_at_any_moment_costs_five_seconds_at_most_and_redoes_nothing_done(share: float) -> None:
    clean = Cluster(5, 7)
    clean.submit(job_record(40, 4))
    clean.run_until(clean.done)
    cluster = Cluster(5, 7)
    record = job_record(40, 4)
    cluster.submit(record)
    cluster.run_for(0.05 + share * clean.now)
    known = cluster.job(cluster.peers[1])
    done = {
        split for split, result in known.boards[Phase.MAP].results.items() if result.attempt.peer != cluster.peers[0]
    }
    killed_at = cluster.now
    cluster.kill(cluster.peers[0])
    cluster.run_until(cluster.done)
    assert cluster.now <= clean.now + 5.0
    assert not {task for at, _, phase, task, _ in cluster.begun if at > killed_at and phase is Phase.MAP} & done
    cluster.assert_exact(record)


@pytest.mark.parametrize("seed", range(3))
def test_two_peers_killed_one_after_the_other_the_job_still_ends_exactly(seed: int) -> None:
    cluster = Cluster(5, seed)
    record = job_record(60, 4)
    cluster.submit(record)
    cluster.run_until(lambda: cluster.tasks_done() >= 20)
    cluster.kill(cluster.peers[0])
    cluster.run_until(lambda: cluster.job(cluster.peers[3]).epoch == 2)
    tracker = PeerId(cluster.job(cluster.peers[3]).tracker)
    cluster.kill(tracker)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert {cluster.job(peer).epoch for peer in cluster.machines} == {3}


def test_tracker_killed_before_it_announces_is_succeeded_by_who_saw_the_record() -> None:
    cluster = Cluster(5)
    record = job_record(5, 1)
    cluster.submit(record)
    cluster.run_until(lambda: job_key(JOB) in cluster.records)
    cluster.kill(cluster.peers[0])
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


def test_tracker_that_restarts_at_once_without_memory_is_succeeded() -> None:
    cluster = Cluster(3)
    record = job_record(30, 2)
    cluster.submit(record)
    cluster.run_until(lambda: cluster.tasks_done() >= 10)
    cluster.start(cluster.peers[0])
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert cluster.job(cluster.peers[1]).epoch >= 2


def test_wrongly_suspected_peer_comes_back_and_the_job_ends_exactly() -> None:
    cluster = Cluster(3, task_s=0.5)
    record = job_record(12, 2)
    cluster.submit(record)
    cluster.run_for(0.2)
    cluster.believe(cluster.peers[1], Liveness.SUSPECT)
    cluster.run_for(0.2)
    cluster.believe(cluster.peers[1], Liveness.ALIVE, refutations=1)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    texts = [event.text for event in cluster.job(cluster.peers[0]).events]
    assert any(text.startswith("p1 is suspected with split") for text in texts)
    assert any(text.startswith("p1 is back with split") for text in texts)


@pytest.mark.parametrize("peers", [1, 4])
def test_user_error_fails_the_job_after_its_budget(peers: int) -> None:
    cluster = Cluster(peers)
    error = UserError("ValueError", "bad line", "Traceback", line=17, record="x,y")
    cluster.broken[Phase.MAP, 3] = error
    cluster.submit(job_record(8))
    cluster.run_until(lambda: cluster.all_in(JobState.FAILED))
    assert cluster.ending().error == error
    assert cluster.ending().split == 3
    failed = [peer for _, peer, phase, task, _ in cluster.begun if (phase, task) == (Phase.MAP, 3)]
    assert len(failed) == 4
    assert len(set(failed)) == min(peers, 4), "each failure is followed by a try elsewhere"


def test_two_attempts_that_come_out_differently_are_told_of_once_by_all_who_know_both() -> None:
    cluster = Cluster(3, task_s=5.0)
    cluster.submit(job_record(3, 1))
    cluster.run_for(0.5)
    attempts = [Attempt(peer, 1 << REFUTATION_BITS, 90) for peer in cluster.peers[:2]]
    reports = [TaskReport(bytes([at]) * 32, 5, 5, 100, 10, 0.1) for at in range(2)]
    for split in (0, 1):
        for attempt, report in zip(attempts, reports, strict=True):
            claim = Claim(Phase.MAP, split, attempt, Account(Stage.DONE, 1.0, report))
            for peer in cluster.peers:
                received = ev.SchedulingMessageReceived(sender=attempt.peer, message=ClaimNews(JOB, (claim,)))
                cluster.do(peer, received)
    cluster.run_for(0.1)
    for peer in cluster.peers:
        job = cluster.job(peer)
        told = [event.text for event in job.events if "came out differently" in event.text]
        assert job.goes_by_chance
        assert len(told) == 1
        assert told[0].startswith("split 0 came out differently at p")
        assert job.fault is None


def test_program_that_does_not_load_fails_the_job_at_once() -> None:
    cluster = Cluster(3)
    cluster.broken = {(Phase.MAP, split): UserError("SyntaxError", "invalid syntax", line=3) for split in range(20)}
    cluster.submit(job_record(20))
    cluster.run_until(lambda: cluster.all_in(JobState.FAILED))
    assert len(cluster.begun) <= 12


def test_death_of_peers_never_uses_the_budget_of_user_errors() -> None:
    cluster = Cluster(6, task_s=2.0, slots=1)
    record = job_record(1, 1, max_attempts=1)
    cluster.submit(record, at=5)
    for _ in range(3):
        begun = len(cluster.begun)
        cluster.run_until(lambda begun=begun: len(cluster.begun) > begun)
        cluster.run_for(0.1)
        runner = cluster.begun[-1][1]
        cluster.kill(runner)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


def test_lost_run_is_made_again_and_only_that() -> None:
    cluster = Cluster(4)
    record = job_record(12, 3)
    cluster.submit(record)
    cluster.run_until(lambda: (JOB, "map") in cluster.registers)
    winner = next(attempt for _, _, phase, task, attempt in cluster.begun if (phase, task) == (Phase.MAP, 4))
    cluster.lost_runs.add(winner)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert cluster.finished[Phase.MAP, 4] == 2
    assert sum(done for (phase, _), done in cluster.finished.items() if phase is Phase.MAP) == 13
    assert any("run of split 4" in event.text for event in cluster.job(cluster.peers[1]).events)


def test_run_that_comes_out_different_when_made_again_fails_the_job() -> None:
    cluster = Cluster(4)
    cluster.nondeterministic = True
    cluster.submit(job_record(6, 2))
    cluster.run_until(lambda: (JOB, "map") in cluster.registers)
    cluster.lost_runs.add(cluster.begun[0][-1])
    cluster.run_until(lambda: cluster.all_in(JobState.FAILED))
    error = cluster.ending().error
    assert error is not None
    assert error.kind == "NonDeterministicProgram"
    assert error.hint


@pytest.mark.parametrize("seed", range(4))
def test_fifth_of_all_messages_lost_or_doubled_the_job_still_ends_exactly(seed: int) -> None:
    cluster = Cluster(5, seed, loss=0.2)
    record = job_record(30, 3)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


@pytest.mark.parametrize("seed", range(3))
def test_messages_lost_and_peers_killed_and_restarted_the_job_still_ends_exactly(seed: int) -> None:
    cluster = Cluster(6, seed, loss=0.1, task_s=0.3)
    record = job_record(120, 3)
    cluster.submit(record)
    cluster.run_until(lambda: cluster.tasks_done() >= 10)
    cluster.kill(cluster.peers[0])
    cluster.kill(cluster.peers[1])
    cluster.run_for(1.0)
    cluster.start(cluster.peers[1])
    cluster.run_for(0.3)
    cluster.start(cluster.peers[2])
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


def test_output_in_the_ring_is_stored_before_anybody_hears_that_the_job_is_done() -> None:
    cluster = Cluster(3)
    cluster.storing_fails[b"fs/counts"] = 2
    record = job_record(4, 2, output="ring:/counts/")
    cluster.submit(record)
    cluster.run_until(lambda: cluster.all_in(JobState.COMMITTING))
    cluster.run_until(lambda: any(cluster.job(peer).state is JobState.DONE for peer in cluster.peers))
    manifest = msgspec.msgpack.decode(cluster.records[b"fs/counts"], type=Manifest)
    parts = cluster.job(cluster.peers[0]).ending.parts
    assert manifest == Manifest(files=parts, directory=True, made_at=1.5, job=JOB)
    cluster.run_until(cluster.done)


def test_tracker_killed_between_decision_and_manifest_its_successor_commits_the_same() -> None:
    cluster = Cluster(5)
    cluster.storing_fails[b"fs/counts"] = 1
    record = job_record(4, 2, output="ring:/counts")
    cluster.submit(record)
    cluster.run_until(lambda: (JOB, "end") in cluster.registers)
    cluster.kill(cluster.peers[0])
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert msgspec.msgpack.decode(cluster.records[b"fs/counts"], type=Manifest).files == cluster.ending().parts


def test_output_that_cannot_be_placed_at_first_is_tried_again() -> None:
    cluster = Cluster(2)
    cluster.placing_fails = 3
    record = job_record(3, 1)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    assert cluster.finished[Phase.REDUCE, 0] == 1


def test_input_out_of_reach_is_waited_for_with_a_reason_and_growing_pauses() -> None:
    cluster = Cluster(1)
    cluster.unreachable = {0, 1}
    record = job_record(2, 1)
    cluster.submit(record)
    cluster.run_for(10.0)
    assert 8 <= len(cluster.begun) <= 16
    cluster.do(cluster.peers[0], ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_for(0.1)
    answer = cluster.answers["s"]
    assert isinstance(answer, out.JobSeen)
    assert answer.status.waiting_for == "split 0: the client does not answer"
    cluster.unreachable = set()
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


def test_minority_waits_for_the_electorate_and_says_so() -> None:
    cluster = Cluster(5)
    cluster.submit(job_record(10, 2))
    cluster.run_until(lambda: cluster.tasks_done() >= 3)
    for peer in cluster.peers[2:]:
        cluster.kill(peer)
    cluster.run_for(6.0)
    cluster.do(cluster.peers[1], ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_for(0.1)
    answer = cluster.answers["s"]
    assert isinstance(answer, out.JobSeen)
    assert answer.status.waiting_for == "a majority of the electorate (2 of 5 reachable)"
    cluster.start(cluster.peers[3])
    cluster.run_until(cluster.done)


def test_peer_that_missed_the_end_learns_it_from_any_other() -> None:
    cluster = Cluster(3)
    record = job_record(6, 1)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    late = peer_id(77)
    cluster.names[late], cluster.starts[late] = "late", 0
    cluster.start(late)
    cluster.do(late, ev.RecordFound(job=JOB, value=cluster.records[job_key(JOB)]))
    cluster.run_until(cluster.done)
    assert cluster.job(late).epoch <= 1
    assert len(cluster.begun) == 7


def test_news_of_an_older_epoch_is_answered_and_changes_nothing() -> None:
    cluster = Cluster(3, task_s=5.0)
    cluster.submit(job_record(3, 1))
    cluster.run_for(0.5)
    cluster.kill(cluster.peers[0])
    cluster.run_until(lambda: all(cluster.job(peer).epoch == 2 for peer in cluster.machines))
    tracker = cluster.job(cluster.peers[1]).tracker
    machine = cluster.machines[cluster.peers[1]]
    stale = JobNews(JOB, 1, cluster.peers[0])
    effects = machine.handle(Instant(cluster.now), ev.SchedulingMessageReceived(sender=cluster.peers[2], message=stale))
    answer = cluster.job(cluster.peers[1]).news()
    assert (answer.epoch, answer.tracker) == (2, tracker)
    assert effects == [out.Tell(to=cluster.peers[2], message=answer)]


def test_attempt_at_a_task_that_another_has_done_is_stopped_however_far_it_is() -> None:
    cluster = Cluster(2, task_s=5.0, slots=1)
    cluster.submit(job_record(2, 1))
    cluster.run_until(lambda: len(cluster.begun) == 2)
    _, peer, phase, task, attempt = cluster.begun[0]
    machine = cluster.machines[peer]
    machine.handle(Instant(cluster.now), ev.AttemptProgressed(attempt=attempt, fraction=0.9))
    other = next(each for each in cluster.peers if each != peer)
    report = TaskReport(b"d" * 32, 5, 5, 100, 10, 0.1)
    claim = Claim(phase, task, Attempt(other, 1 << REFUTATION_BITS, 9), Account(Stage.DONE, 1.0, report))
    effects = machine.handle(
        Instant(cluster.now), ev.SchedulingMessageReceived(sender=other, message=ClaimNews(JOB, (claim,)))
    )
    assert out.StopAttempt(attempt=attempt) in effects
    assert machine.jobs[JOB].table.row(phase, task)[attempt].stage is Stage.RELEASED


def test_done_accounts_of_all_peers_end_equal() -> None:
    cluster = Cluster(4, loss=0.3)
    cluster.task_s = 0.4
    cluster.submit(job_record(60, 2))
    cluster.run_until(lambda: cluster.tasks_done() >= 20)
    cluster.do(cluster.peers[0], ev.SyncDue())
    cluster.run_until(cluster.done)
    stages = [
        account.stage
        for split in range(60)
        for account in cluster.job(cluster.peers[0]).table.row(Phase.MAP, split).values()
    ]
    assert stages.count(Stage.DONE) >= 60


class DiesProposing(Cluster):
    """A cluster whose first tracker dies at the moment of its first proposal: of what it says later nothing is said."""

    def _perform(self, peer: PeerId, effect: out.SchedulingEffect) -> None:
        if peer not in self.machines:
            return
        super()._perform(peer, effect)
        if peer == self.peers[0] and isinstance(effect, out.Decide) and effect.value is not None:
            self.registers[effect.job, effect.which] = effect.value
            self.kill(peer)


@pytest.mark.parametrize("seed", range(8))
def test_claims_behind_a_proposal_do_not_die_with_the_proposer(seed: int) -> None:
    cluster = DiesProposing(3, seed, slots=4, task_s=0.01)
    record = job_record(40, 2)
    cluster.submit(record)
    cluster.run_until(lambda: cluster.peers[0] not in cluster.machines)
    died_at = cluster.now
    assert (JOB, "map") in cluster.registers
    cluster.run_until(cluster.done)
    assert [task for at, _, phase, task, _ in cluster.begun if at > died_at and phase is Phase.MAP] == []
    cluster.assert_exact(record)
