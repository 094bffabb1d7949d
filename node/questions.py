"""Turn clients' questions into events of the two machines, and the machines' answers into replies."""

from collections.abc import Mapping
from typing import assert_never

from ..ring.effects import Answer as RingAnswer
from ..ring.effects import (
    ChunkPlaced,
    Collected,
    Decided,
    Failed,
    GetDone,
    Joined,
    KeysDone,
    MoveBegun,
    MovePlanned,
    PutConflict,
    PutDone,
)
from ..ring.events import ChunkOffered, CollectRequested, GetRequested, KeysRequested, PutRequested
from ..ring.facts import Sibling, Update
from ..ring.terms import JOINED_BYTES_MAX, JOINED_MAX, PeerId
from ..scheduling.effects import (
    ElectorateChosen,
    JobAccepted,
    JobRefused,
    JobSeen,
    JobsSeen,
    JobUnknown,
    SchedulingAnswer,
)
from ..scheduling.events import DropRequested, JobsRequested, JobSubmitted, KillRequested, StatusRequested
from .wire.replies import (
    ChunkKept,
    ChunksCollected,
    ClientReply,
    JobPrepared,
    JobShown,
    JobsShown,
    JobTaken,
    KeyConflict,
    KeyGot,
    KeyPut,
    KeysFound,
    MoveForeseen,
    MoveStarted,
    Refused,
)
from .wire.requests import (
    CollectChunks,
    DropJob,
    FindKeys,
    GetKey,
    KillJob,
    ListJobs,
    OfferChunk,
    PutKey,
    SubmitJob,
    WatchJob,
)

StoreQuestion = PutKey | GetKey | FindKeys | OfferChunk | CollectChunks
StoreAsked = PutRequested | GetRequested | KeysRequested | ChunkOffered | CollectRequested
JobQuestion = SubmitJob | WatchJob | ListJobs | KillJob | DropJob
JobAsked = JobSubmitted | StatusRequested | JobsRequested | KillRequested | DropRequested


def store_event(request: str, question: StoreQuestion) -> StoreAsked:
    """Turn a question about stored things into the ring's event."""
    match question:
        case PutKey():
            return PutRequested(
                request=request,
                key=question.key,
                value=question.value,
                context=question.context,
                quorum=question.quorum,
                patience_s=question.patience_s,
                expires_at=question.expires_at,
                condition=question.condition,
            )
        case GetKey():
            return GetRequested(
                request=request, key=question.key, quorum=question.quorum, patience_s=question.patience_s
            )
        case FindKeys():
            return KeysRequested(
                request=request,
                prefix=question.prefix,
                after=question.after,
                limit=question.limit,
                patience_s=question.patience_s,
                quorum=question.quorum,
            )
        case OfferChunk():
            return ChunkOffered(
                request=request,
                digest=question.digest,
                size=question.size,
                source=question.source,
                quorum=question.quorum,
                patience_s=question.patience_s,
            )
        case CollectChunks():
            return CollectRequested(
                request=request,
                name=question.name,
                grace_s=question.grace_s,
                is_dry=question.is_dry,
                patience_s=question.patience_s,
            )
        case _:
            assert_never(question)


def store_reply(answer: RingAnswer, members: Mapping[PeerId, Update]) -> ClientReply:
    """Turn the ring's answer into what the client reads."""
    match answer:
        case PutDone():
            return KeyPut(
                context=answer.context,
                replicas=answer.replicas,
                primaries=answer.primaries,
                fallbacks=answer.fallbacks,
                siblings=answer.siblings,
                replaced_corrupt=answer.replaced_corrupt,
            )
        case PutConflict():
            shown = _shown(answer.siblings)
            left_out = _live(answer.siblings) - len(shown)
            return KeyConflict(values=_values(shown), context=answer.context, left_out=left_out)
        case GetDone():
            shown = _shown(answer.siblings)
            return KeyGot(
                values=_values(shown),
                context=answer.context,
                replicas=answer.replicas,
                answered=answer.answered,
                primaries=answer.primaries,
                ends=_ends(shown),
                left_out=_live(answer.siblings) - len(shown),
            )
        case KeysDone():
            return KeysFound(keys=answer.keys, more=answer.more)
        case ChunkPlaced():
            known = (members.get(holder) for holder in answer.holders)
            return ChunkKept(holders=tuple(update.member.name for update in known if update is not None))
        case MoveBegun() | MovePlanned():
            return _move_reply(answer)
        case Collected():
            return _collected(answer)
        case Failed():
            kind = "unknown" if answer.is_unknown else "corrupt" if answer.is_corrupt else "quorum"
            return Refused(kind=kind, reason=answer.reason)
        case Decided() | Joined():
            return Refused(kind="internal", reason="a register answered a question about stored things")
        case _:
            assert_never(answer)


def _move_reply(answer: MoveBegun | MovePlanned) -> MoveStarted | MoveForeseen:
    if isinstance(answer, MoveBegun):
        return MoveStarted()
    return MoveForeseen(
        vnodes=answer.vnodes,
        keys=answer.keys,
        bytes=answer.bytes,
        chunks=answer.chunks,
        zone_violations=answer.zone_violations,
    )


def _collected(answer: Collected) -> ChunksCollected:
    return ChunksCollected(
        is_over=answer.is_over,
        removed=answer.removed,
        removed_bytes=answer.removed_bytes,
        waiting=answer.waiting,
        waiting_bytes=answer.waiting_bytes,
        held=answer.held,
        failed=answer.failed,
        named=answer.named,
        named_bytes=answer.named_bytes,
        due_in_s=answer.due_in_s,
    )


def objection(question: StoreQuestion) -> Refused | None:
    """Refuse a question whose quorum can never be reached; None where all is well."""
    match question:
        case PutKey(quorum=quorum):
            wanted, word = quorum.writes_required, "W"
        case GetKey(quorum=quorum):
            wanted, word = quorum.reads_required, "R"
        case _:
            return None
    if wanted <= quorum.replicas:
        return None
    return Refused(kind="caller", reason=f"{word} = {wanted} copies are more than the N = {quorum.replicas} there are")


def _shown(siblings: tuple[Sibling, ...]) -> tuple[Sibling, ...]:
    """Take the live ones, as many as a reply carries."""
    shown: list[Sibling] = []
    room = JOINED_BYTES_MAX
    for sibling in siblings:
        room -= len(sibling.value or b"")
        if room < 0 or len(shown) == JOINED_MAX:
            break
        shown += [] if sibling.value is None else [sibling]
    return tuple(shown)


def _live(siblings: tuple[Sibling, ...]) -> int:
    return sum(sibling.value is not None for sibling in siblings)


def _values(siblings: tuple[Sibling, ...]) -> tuple[bytes, ...]:
    return tuple(sibling.value for sibling in siblings if sibling.value is not None)


def _ends(siblings: tuple[Sibling, ...]) -> tuple[int, ...]:
    ends = tuple(sibling.expires_at for sibling in siblings if sibling.value is not None)
    return ends if any(ends) else ()


def job_event(request: str, question: JobQuestion) -> JobAsked:
    """Turn a question about jobs into scheduling's event."""
    match question:
        case SubmitJob():
            return JobSubmitted(request=request, record=question.record)
        case WatchJob():
            return StatusRequested(
                request=request, job=question.job, seen=question.seen, patience_s=question.patience_s
            )
        case ListJobs():
            return JobsRequested(request=request)
        case KillJob():
            return KillRequested(request=request, job=question.job)
        case DropJob():
            return DropRequested(request=request, job=question.job)
        case _:
            assert_never(question)


def job_reply(answer: SchedulingAnswer) -> ClientReply:
    """Turn scheduling's answer into what the client reads."""
    match answer:
        case JobAccepted():
            return JobTaken(job=answer.job)
        case JobRefused():
            return Refused(kind="job", reason=answer.reason)
        case JobUnknown():
            return JobShown(status=None)
        case JobSeen():
            return JobShown(status=answer.status)
        case JobsSeen():
            return JobsShown(statuses=answer.statuses)
        case ElectorateChosen():
            return JobPrepared(electorate=answer.electorate)
        case _:
            assert_never(answer)
