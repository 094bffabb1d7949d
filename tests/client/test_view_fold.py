"""The fold keeps rates, time left and events honest, whichever peers the statuses come from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.client.view.fold import EVENTS_MAX, SAMPLES_MAX, WINDOW_S, View, age, fold, progress_of
from murmuration.ring.facts import Liveness
from murmuration.scheduling.jobs import JobState, Phase
from murmuration.scheduling.status import JobEvent, JobStatus, Lane, RunningAttempt, TaskState


def status_of(**changes):
    fields = {
        "id": "00112233445566ff",
        "name": "wordcount",
        "state": JobState.RUNNING_MAP,
        "tracker": "B",
        "epoch": 1,
        "version": 1,
        "elapsed_s": 0.0,
        "map_states": bytes([TaskState.WAITING] * 4),
        "reduce_states": bytes([TaskState.WAITING]),
        "attempts": 0,
        "duplicates": 0,
        "speculative": 0,
        "records": 0,
        "bytes": 0,
        "local_bytes": 0,
        "bytes_total": 4_000_000,
    }
    return JobStatus(**(fields | changes))


def folded(*statuses):
    view = View()
    for status in statuses:
        view = fold(view, status)
    return view


def test_rate_is_the_average_over_the_window_only():
    seconds = [status_of(elapsed_s=float(s), records=1000 * min(s, 10), bytes=10 * s) for s in range(30)]
    assert folded(*seconds[:11]).records_per_s == pytest.approx(1000)
    assert folded(*seconds).records_per_s == 0.0
    assert folded(*seconds).records_per_s_peak == pytest.approx(1000)
    assert folded(*seconds).bytes_per_s == pytest.approx(10)


def test_rate_after_a_move_to_a_peer_with_older_counts_is_not_negative():
    view = folded(status_of(elapsed_s=5.0, records=900), status_of(elapsed_s=6.0, records=400))
    assert view.records_per_s == 0.0


def test_time_shown_never_runs_backwards():
    view = folded(status_of(elapsed_s=5.0), status_of(elapsed_s=4.2))
    assert view.elapsed_s == 5.0


def test_time_left_follows_the_pace_of_tasks():
    states = [bytes([TaskState.DONE] * done + [TaskState.WAITING] * (9 - done)) for done in range(4)]
    view = folded(*(status_of(elapsed_s=2.0 * i, map_states=s) for i, s in enumerate(states)))
    assert view.progress == pytest.approx(0.3)
    assert view.eta_s == pytest.approx(14.0)


def test_time_left_is_unknown_while_nothing_moves_and_after_the_end():
    still = status_of(elapsed_s=3.0)
    assert folded(status_of(), still).eta_s is None
    assert folded(status_of(), status_of(elapsed_s=3.0, state=JobState.FAILED)).eta_s is None


def test_progress_counts_the_farther_of_two_attempts_at_one_task_once():
    lanes = tuple(
        Lane(
            peer=peer,
            liveness=Liveness.ALIVE,
            running=(RunningAttempt(phase=Phase.MAP, task=0, fraction=fraction),),
            tasks_done=0,
        )
        for peer, fraction in (("A", 0.25), ("B", 0.5))
    )
    assert progress_of(status_of(lanes=lanes)) == pytest.approx(0.1)


def test_progress_ignores_an_attempt_at_a_task_that_is_done():
    attempt = RunningAttempt(phase=Phase.MAP, task=0, fraction=0.5)
    lane = Lane(peer="A", liveness=Liveness.ALIVE, running=(attempt,), tasks_done=1)
    done = bytes([TaskState.DONE]) + bytes([TaskState.WAITING] * 3)
    assert progress_of(status_of(lanes=(lane,), map_states=done)) == pytest.approx(0.2)


def test_takeover_becomes_an_event_with_both_names_and_the_epoch():
    view = folded(status_of(), status_of(elapsed_s=4.0, tracker="D", epoch=2))
    assert [event.text for event in view.events] == ["tracker moved from B to D (epoch 2)"]


def test_takeover_that_the_peer_tells_itself_is_not_told_twice():
    told = JobEvent(at=3.9, text="tracker moved from B to D (epoch 2)")
    view = folded(status_of(), status_of(elapsed_s=4.0, tracker="D", epoch=2, events=(told,)))
    assert view.events == (told,)


def test_older_epoch_told_by_a_peer_that_lags_is_no_takeover():
    view = folded(status_of(tracker="D", epoch=2), status_of(elapsed_s=1.0, tracker="B", epoch=1))
    assert view.events == ()


def test_ended_job_does_not_age():
    assert age(folded(status_of(elapsed_s=2.0)), 3.0).elapsed_s == 5.0
    assert age(folded(status_of(elapsed_s=2.0, state=JobState.DONE)), 3.0).elapsed_s == 2.0


def test_event_told_by_two_peers_with_different_clocks_is_shown_once():
    by_a = JobEvent(at=3.0, text="split 4 is tried again")
    by_b = JobEvent(at=4.5, text="split 4 is tried again")
    much_later = JobEvent(at=60.0, text="split 4 is tried again")
    view = folded(status_of(events=(by_a,)), status_of(events=(by_b,)), status_of(events=(by_b, much_later)))
    assert view.events == (by_a, much_later)


def test_events_and_samples_are_bounded_however_many_statuses_come():
    view = View()
    for number in range(1000):
        event = JobEvent(at=number / 50, text=f"event {number}")
        view = fold(view, status_of(elapsed_s=number / 50, events=(event,)))
    assert len(view.events) == EVENTS_MAX
    assert view.events[-1].text == "event 999"
    assert len(view.samples) <= SAMPLES_MAX + 2
    assert view.samples[-1].at_s - view.samples[0].at_s >= WINDOW_S * 0.95


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e6), st.integers(0, 1 << 40), st.binary(max_size=8).map(lambda b: bytes(x % 6 for x in b))
        ),
        min_size=1,
        max_size=40,
    )
)
def test_any_history_gives_sane_figures(history):
    view = View()
    for elapsed_s, count, states in history:
        view = fold(view, status_of(elapsed_s=elapsed_s, records=count, bytes=count, map_states=states))
        assert 0.0 <= view.progress <= 1.0
        assert 0.0 <= view.records_per_s <= view.records_per_s_peak
        assert view.eta_s is None or view.eta_s >= 0.0
