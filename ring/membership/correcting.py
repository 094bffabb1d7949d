"""Tell who still spreads an accusation that was refuted long ago, for that news is no longer on its way.

    straggler ── Gossip: X is suspect at 5 ──> member that holds X alive at 6
    straggler <── Gossip: X is alive at 6 ──── at once, and to the straggler alone

Gossip reaches all only with high probability, and after a cut half of it finds members that are taken for dead. Who has
missed a refutation says so itself, by what it spreads; so nobody has to wait for the next exchange of tables.
"""

from collections.abc import Mapping

from ..facts import Liveness, Update
from ..messages import Ack, Gossip, Ping, PingRequest, PushPull, RingMessage
from ..terms import PeerId
from .beliefs import clashes, subject


def news_in(message: RingMessage) -> tuple[Update, ...]:
    """Take out of a message what it says of members."""
    match message:
        case Ping(news=news) | PingRequest(news=news) | Ack(news=news) | Gossip(news=news):
            return news
        case PushPull(members=members):
            return members
        case _:
            return ()


def corrections(held: Mapping[PeerId, Update], message: RingMessage) -> list[Update]:
    """List what is known better than the sender knows it; a table is answered by a table, and needs none."""
    if isinstance(message, PushPull):
        return []
    known = ((heard, held.get(subject(heard))) for heard in news_in(message) if heard.liveness is not Liveness.ALIVE)
    return [of_it for heard, of_it in known if of_it is not None and _is_refuted(heard, of_it)]


def _is_refuted(heard: Update, held: Update) -> bool:
    is_later = held.liveness is Liveness.ALIVE and heard.incarnation < held.incarnation
    return is_later and not clashes(held, heard)
