"""Notice two processes that use one identity, as after a directory was copied, and tell the older that it must end.

    copy (start 6)      ── PushPull ──> peer ── Gossip of the copy ──> the address that the original had
    original (start 5)  ── PushPull ──> peer that knows the copy ── Gossip of the copy ──> original, which ends

Only a push-pull says where its sender is, so only then can it be told apart from the other. What the one that is told
makes of it, `learning` decides.
"""

from ..effects import RingEffect, SendTo
from ..facts import Liveness, Update
from ..messages import Gossip, PushPull
from ..terms import PeerId, start_of
from .beliefs import subject


def claim_in(message: PushPull, sender: PeerId) -> Update | None:
    """Find what the sender of a table says of itself."""
    return next((update for update in message.members if subject(update) == sender), None)


def is_elsewhere(claim: Update | None, held: Update) -> bool:
    """Tell whether who claims an identity is not where the holder of that identity is believed to be."""
    return claim is not None and claim.member.url != held.member.url


def word_to_older(known: Update | None, held: Update, claim: Update | None) -> list[RingEffect]:
    """Tell the older of two processes of the other: the sender itself, or whoever was `known` before it spoke.

    An equal start counts as older where another process was known first.
    """
    if claim is not None and is_elsewhere(claim, held) and start_of(claim.incarnation) <= start_of(held.incarnation):
        return [SendTo(url=claim.member.url, message=Gossip(news=(held,)))]
    if known is not None and known.liveness is Liveness.ALIVE and is_elsewhere(known, held):
        return [SendTo(url=known.member.url, message=Gossip(news=(held,)))]
    return []
