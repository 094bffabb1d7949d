"""Tell a peer that was removed so, whatever it says and wherever it is now.

It may have been started again at another address than the one that it had as a member. A push-pull says where its
sender is, and each start begins with one: the answer to that goes to the address that it names.
"""

from ..effects import RingEffect, Send, SendTo
from ..facts import Update
from ..messages import Gossip, PushPull, RingMessage
from .beliefs import subject
from .doubles import claim_in


def word_to_removed(held: Update, message: RingMessage) -> RingEffect:
    """Answer a message of a member that was removed."""
    news, peer = Gossip(news=(held,)), subject(held)
    claim = claim_in(message, peer) if isinstance(message, PushPull) else None
    return Send(to=peer, message=news) if claim is None else SendTo(url=claim.member.url, message=news)
