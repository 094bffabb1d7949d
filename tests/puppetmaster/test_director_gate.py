"""The puppet master's end of the gate's socket: answers belong to their orders, and a dead peer is an error."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from murmuration.node.executor.frames import FrameReader, frame
from murmuration.node.gate.orders import Answer, Describe, Done, Order, Refused, SetTracker, SlowWork
from murmuration.puppetmaster.masters.gate_link import GateLink
from murmuration.puppetmaster.masters.processes import (
    freeze_tree,
    groups_of_children,
    is_stopped,
    kill_stopped,
    thaw_tree,
)
from murmuration.ring.errors import RemoteError, WorldError


@pytest.fixture
def link() -> Iterator[GateLink]:
    opened = GateLink()
    yield opened
    opened.close()


def peer_end(link: GateLink) -> socket.socket:
    theirs = socket.socket(fileno=os.dup(link.descriptor))
    link.handed_over()
    return theirs


def answer(theirs: socket.socket, *answers: Answer) -> None:
    theirs.sendall(b"".join(frame(msgspec.msgpack.encode(one)) for one in answers))


def heard(theirs: socket.socket) -> list[Order]:
    documents = FrameReader().feed(theirs.recv(1 << 16))
    return [msgspec.msgpack.decode(document, type=Order) for document in documents]


def test_answer_to_an_order_told_earlier_is_not_taken_for_that_of_the_next_one(link: GateLink) -> None:
    with peer_end(link) as theirs:
        link.tell(SetTracker(frozen=True))
        answer(theirs, Done(), Done())
        assert link.ask(SlowWork(seconds=1.0)) == Done()
        assert heard(theirs) == [SetTracker(frozen=True), SlowWork(seconds=1.0)]


def test_refusal_of_an_order_told_earlier_is_raised_by_the_next_one(link: GateLink) -> None:
    with peer_end(link) as theirs:
        link.tell(SetTracker(frozen=True))
        answer(theirs, Refused(reason="no such role"), Done())
        with pytest.raises(RemoteError, match="no such role"):
            link.ask(SlowWork(seconds=1.0))


def test_peer_that_is_silent_is_an_error_and_its_late_answer_is_taken_by_the_next_order(link: GateLink) -> None:
    with peer_end(link) as theirs:
        with pytest.raises(WorldError, match="in time"):
            link.ask(Describe(), patience_s=0.01)
        answer(theirs, Refused(reason="late"), Done())
        with pytest.raises(RemoteError, match="late"):
            link.ask(Describe())


def test_peer_that_has_ended_is_an_error(link: GateLink) -> None:
    peer_end(link).close()
    with pytest.raises(WorldError, match="gone"):
        link.ask(Describe())


def test_answer_that_is_none_is_a_fault_of_the_peer(link: GateLink) -> None:
    with peer_end(link) as theirs:
        theirs.sendall(frame(b"\xc1"))
        with pytest.raises(RemoteError, match="something else"):
            link.ask(Describe())


PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"], start_new_session=True)
input()
"""


def test_freeze_stops_a_peer_and_its_executors_and_thaw_continues_both() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        (executor,) = groups_of_children(parent.pid)
        groups = freeze_tree(parent.pid)
        assert groups == (executor,)
        assert is_stopped(parent.pid)
        assert all(map(eventually_stopped, groups))
        thaw_tree(parent.pid, groups)
        assert not is_stopped(parent.pid)
        os.killpg(executor, signal.SIGKILL)
        parent.kill()


def test_executor_that_the_gate_has_slowed_is_left_to_the_gate_and_ends_when_its_peer_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        (executor,) = groups_of_children(parent.pid)
        os.killpg(executor, signal.SIGSTOP)
        assert eventually_stopped(executor)
        assert freeze_tree(parent.pid) == ()
        parent.kill()
        parent.wait()
        kill_stopped((executor,))
        assert any(not is_stopped(executor) for _ in range(100_000))


def eventually_stopped(process: int) -> bool:
    """A signal to another's child is taken when that next runs: at once, but not before `kill` returns."""
    return any(is_stopped(process) for _ in range(100_000))
