"""Silence the tracker role of a peer and nothing else of it: what that role says is kept, and said late.

A frozen tracker is a zombie once it is thawed: its old announcements, proposals and outputs come as if nothing had
happened meanwhile, in the order in which they were made, and that must do no harm. The freeze is latent: a role that
the peer takes later is silent from its first word. Claims, user code and the answers of an acceptor go on, and the
peer still hears everything.
"""

from collections import deque
from typing import Final

import msgspec

from ...ring.effects import Operate
from ...ring.messages import Accept, CoordinatePut, Prepare
from ...ring.operations import AcceptBallot, PromiseBallot
from ...ring.terms import PeerId
from ...scheduling.jobs import Manifest, manifest_key
from ...scheduling.messages import JobNews
from ..effects import NodeEffect, Post

HELD_MAX: Final = 10_000
"""Words kept back at most; the oldest are lost then. A role says a few a second."""

_MANIFEST = msgspec.msgpack.Decoder(Manifest)


class TrackerSilence:
    """What the tracker role of one peer would have said."""

    def __init__(self) -> None:
        self.frozen = False
        self._me = PeerId("")
        self._held: deque[NodeEffect] = deque(maxlen=HELD_MAX)

    def __len__(self) -> int:
        return len(self._held)

    def meet(self, me: PeerId) -> None:
        """Learn which peer this is."""
        self._me = me

    def let_out(self, effects: list[NodeEffect]) -> list[NodeEffect]:
        """Give what may be carried out, and keep the rest."""
        if not self.frozen:
            return effects
        out: list[NodeEffect] = []
        for effect in effects:
            (self._held if says_tracker(self._me, effect) else out).append(effect)
        return out

    def take_held(self) -> list[NodeEffect]:
        """Give what was kept, in order, and keep it no longer."""
        held = list(self._held)
        self._held.clear()
        return held


def says_tracker(me: PeerId, effect: NodeEffect) -> bool:
    """Tell whether an effect is a word of a tracker: the announcement of itself, a proposal, or a job's output.

    A proposal to oneself is a step of the own store, told by the name in its ballot. A ballot of round 0 proposes
    nothing: it asks what is decided, before the role is taken.
    """
    match effect:
        case Post(message=JobNews(tracker=tracker)):
            return tracker == me
        case Post(message=Prepare(ballot=ballot) | Accept(ballot=ballot)):
            return ballot.round > 0
        case Post(message=CoordinatePut(key=key, value=value)):
            return value is not None and _is_output(key, value)
        case Operate(operation=PromiseBallot(ballot=ballot) | AcceptBallot(ballot=ballot)):
            return ballot.round > 0 and ballot.proposer.startswith(me)
        case _:
            return False


def _is_output(key: bytes, value: bytes) -> bool:
    if not key.startswith(manifest_key("")):
        return False
    try:
        return bool(_MANIFEST.decode(value).job)
    except msgspec.MsgspecError:
        return False  # a client's own value under such a key
