"""Serve as the puppet master of this machine: do for others what a script's own puppet master does for itself."""

import asyncio
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import assert_never

import msgspec

from ...node.transport.control import Arrivals, ControlTransport
from ...ring.errors import CallerError, MurmurationError, RemoteError
from .director import Director
from .messages import (
    Answered,
    Asked,
    CarriedOut,
    EndAll,
    EndPeer,
    FreezePeer,
    GateAnswered,
    NotDone,
    OrderGate,
    PeerSpoiled,
    PeersViewed,
    Question,
    Reply,
    SnapshotPeer,
    SpoilPeer,
    StartPeer,
    SwapPeers,
    ViewedPeer,
    ViewPeers,
)

REASON_CHARACTERS_MAX = 8192


class Servant:
    """Answers questions with the help of a director, one after the other."""

    def __init__(self, director: Director) -> None:
        """Take who has the peers."""
        self._director = director

    def answer(self, asked: Asked) -> Answered:
        """Do what is asked, or say why not."""
        try:
            return self._carry_out(asked)
        except MurmurationError as error:
            return NotDone(blame=_blame(error), reason=str(error)[:REASON_CHARACTERS_MAX])

    def _carry_out(self, asked: Asked) -> Answered:
        director = self._director
        match asked:
            case StartPeer(name=name, listen=listen, join=join, empty=empty, old=old):
                director.start(name, listen, join, empty=empty, old=old)
                director.await_start(name)
            case EndPeer(name=name, graceful=graceful):
                (director.leave if graceful else director.kill)(name)
            case FreezePeer(name=name, frozen=frozen):
                (director.freeze if frozen else director.thaw)(name)
            case SnapshotPeer(name=name):
                director.snapshot(name)
            case SpoilPeer(name=name, damage=damage, share=share):
                spoiled = director.spoil(name, damage, share)
                return PeerSpoiled(count=spoiled.count, names=spoiled.names)
            case SwapPeers(name=name, other=other):
                director.swap(name, other)
            case OrderGate(name=name, order=order):
                return GateAnswered(answer=director.order(name, order))
            case ViewPeers():
                return _viewed(director)
            case EndAll():
                director.close()
            case _:
                assert_never(asked)
        return CarriedOut()


def serve(listen: str, workers: int) -> None:
    """Serve at a loopback address until SIGTERM or Ctrl-C; then all peers end.

    Raises:
        CallerError: the address is none, or not a loopback one.
        WorldError: it is taken.
    """
    with TemporaryDirectory(prefix="murmur-puppets-") as directory:
        director = Director(Path(directory), workers)
        try:
            asyncio.run(_serve(listen, Servant(director)))
        finally:
            director.close()


async def _serve(listen: str, servant: Servant) -> None:
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    transport: ControlTransport

    def take(arrivals: Arrivals) -> None:
        for route, frame in arrivals:
            try:
                question = msgspec.msgpack.decode(frame, type=Question)
            except msgspec.MsgspecError:
                continue  # no puppet master sent this; whoever did hears nothing
            reply = Reply(number=question.number, answered=servant.answer(question.asked))
            transport.reply(route, msgspec.msgpack.encode(reply))

    transport = ControlTransport(listen, take, lambda _: None)
    sys.stdout.write(f"{transport.url}\n")
    sys.stdout.flush()
    await asked_to_stop.wait()
    transport.close()


def _viewed(director: Director) -> PeersViewed:
    return PeersViewed(
        peers=tuple(
            ViewedPeer(
                name=view.name,
                url=view.url,
                pid=view.pid,
                liveliness=view.liveliness.value,
                condition=view.condition,
            )
            for view in director.view()
        )
    )


def _blame(error: MurmurationError) -> str:
    match error:
        case CallerError():
            return "caller"
        case RemoteError():
            return "remote"
        case _:
            return "world"
