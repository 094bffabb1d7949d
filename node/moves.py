"""Turn clients' questions about joining, leaving and removing into events of the ring, and its answers into replies."""

from collections.abc import Mapping
from typing import assert_never

from ..ring.events import LeaveRequested, PlanRequested, RemoveRequested
from ..ring.facts import Liveness, Standing, Update
from ..ring.placement.rendezvous import Home
from ..ring.terms import PeerId
from ..ring.transfer.walk import Progress
from ..scheduling.status import Condition
from .wire.replies import Moving, PeerView, Refused
from .wire.requests import LeaveRing, PlanJoin, PlanMove, RemovePeer

MoveQuestion = LeaveRing | RemovePeer | PlanMove | PlanJoin


def move_objection(question: MoveQuestion, me: PeerId, members: Mapping[PeerId, Update]) -> Refused | None:
    """Refuse what would be silly; None where all is well."""
    if isinstance(question, LeaveRing):
        return None if question.peer == me else Refused(kind="caller", reason="only the peer itself can leave")
    if isinstance(question, PlanJoin):
        return None
    gone = PeerId(question.gone if isinstance(question, PlanMove) else question.peer)
    held = members.get(gone)
    if held is None or held.standing is Standing.REMOVED:
        return Refused(kind="caller", reason="there is no such member any more")
    if isinstance(question, PlanMove):
        return None
    if gone == me:
        return Refused(kind="caller", reason="a peer does not remove itself: ask another one, or have it leave")
    name = held.member.name
    if held.liveness is Liveness.SUSPECT and not question.force:
        return Refused(kind="caller", reason=f"peer {name} is only suspected: wait until it is dead, or use --force")
    if held.liveness is Liveness.ALIVE and not question.force:
        return Refused(
            kind="caller", reason=f"peer {name} lives: have it leave by `murmur leave {name}`, or use --force"
        )
    return None


def move_event(request: str, question: MoveQuestion) -> LeaveRequested | RemoveRequested | PlanRequested:
    """Turn a question about a member that goes or comes into the ring's event."""
    match question:
        case LeaveRing():
            return LeaveRequested(request=request)
        case RemovePeer(peer=peer):
            return RemoveRequested(request=request, peer=PeerId(peer))
        case PlanMove(gone=gone, by_removal=by_removal):
            return PlanRequested(request=request, gone=PeerId(gone), by_removal=by_removal)
        case PlanJoin(comer=comer, weight=weight, zone=zone):
            return PlanRequested(request=request, comer=Home(PeerId(comer), weight, zone))
        case _:
            assert_never(question)


def peer_view(update: Update, condition: Condition) -> PeerView:
    """Show one member."""
    return PeerView(
        member=update.member,
        liveness=update.liveness,
        incarnation=update.incarnation,
        standing=update.standing,
        epoch=update.epoch,
        condition=condition,
    )


def moving(progress: Progress, votes_owed: int) -> Moving:
    """Show how far this peer is with what it passes on."""
    return Moving(
        is_under_way=progress.is_under_way,
        keys_looked_at=progress.keys_looked_at,
        keys_sent=progress.keys_sent,
        bytes_sent=progress.bytes_sent,
        votes_owed=votes_owed,
    )
