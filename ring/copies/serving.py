"""Serve this peer's own copies to whoever asks, itself included, and acknowledge nothing before it is durable.

StoreVersions ──> MergeVersions ──> VersionsStored        a failed disk stays silent: the asker turns to a fallback
OfferVersions ──> CompareVersions ──> VersionsWanted
FetchVersions ──> ReadVersions ──> VersionsFetched        an unreadable copy is said to be so, never to be absent
ListKeys ──> ListVersions ──> KeysListed
StoreChunk ──> PullChunk ──> NoteChunk ──> ChunkStored          a mere copy asks first: WeighCopy ──> CopyWeighed

A chunk whose file is about to be removed is *held*: who asks for it to be kept waits until it is gone, so no chunk is
acknowledged whose file goes. Who has asked since `watch` is remembered, for such a chunk must not be removed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from msgspec.structs import replace

from ..effects import Operate, PullChunk, RingEffect, Send
from ..errors import InvariantBroken
from ..events import ChunkPulled, MessageReceived, OperationDone, RingEvent
from ..messages import (
    ChunkStored,
    FetchVersions,
    KeysListed,
    ListKeys,
    OfferVersions,
    StoreChunk,
    StoreVersions,
    VersionsFetched,
    VersionsStored,
    VersionsWanted,
)
from ..operations import CompareVersions, ListVersions, MergeVersions, NoteChunk, Operation, ReadVersions, WeighCopy
from ..outcomes import (
    CopyWeighed,
    Noted,
    StoreFailed,
    StoreOutcome,
    VersionsCompared,
    VersionsListed,
    VersionsMerged,
    VersionsRead,
)
from ..terms import PeerId
from .records import record_seen

_ERROR_MAX = 1024
COLLECTED = "nobody named that chunk here for so long that it was removed; the others will do so as well"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A message that waits for the disk, and who wants to know."""

    asker: PeerId
    message: StoreVersions | OfferVersions | FetchVersions | ListKeys | StoreChunk


class Serving:
    """Holds what others have asked of this peer until the store or the bulk transport is done with it."""

    def __init__(self, *, me: PeerId, tickets: Iterator[int], asked_max: int) -> None:
        self._me = me
        self._tickets = tickets
        self._asked_max = asked_max
        self._asked: dict[int, _Asked] = {}
        self._pulls: dict[int, bytes] = {}
        self._waiting: dict[bytes, list[tuple[PeerId, StoreChunk]]] = {}
        self._wanted: set[bytes] | None = None
        """Chunks that somebody has asked to be kept since `watch`; None while nobody watches."""
        self._held: dict[bytes, list[tuple[PeerId, StoreChunk]]] = {}

    def handle(self, event: RingEvent) -> list[RingEffect]:
        """Take a message that asks for this peer's copies, or what came of one; all else is not this part's."""
        match event:
            case MessageReceived(sender=sender, message=StoreVersions() | StoreChunk() as message) if (
                message.hint_for == self._me
            ):  # the sender takes this peer's address for another's; a hint to oneself would never be delivered
                return self.handle(MessageReceived(sender=sender, message=replace(message, hint_for=None)))
            case MessageReceived(sender=sender, message=StoreChunk() as message):
                return self._keep(sender, message)
            case MessageReceived(sender=sender, message=StoreVersions() | OfferVersions() as message):
                return self._operate(_Asked(asker=sender, message=message), _operation_of(message))
            case MessageReceived(sender=sender, message=FetchVersions() | ListKeys() as message):
                return self._operate(_Asked(asker=sender, message=message), _operation_of(message))
            case OperationDone(ticket=ticket, outcome=outcome) if ticket in self._asked:
                return self._done(self._asked.pop(ticket), outcome)
            case ChunkPulled(ticket=ticket, error=error) if ticket in self._pulls:
                waiting = self._waiting.pop(self._pulls.pop(ticket))
                return [effect for asker, message in waiting for effect in self._pulled(asker, message, error)]
            case _:
                return []

    def check(self) -> None:
        """Assert what must always hold.

        Raises:
            InvariantBroken: chunks that are being pulled and askers that wait for chunks do not match.
        """
        if sorted(self._pulls.values()) != sorted(self._waiting):
            raise InvariantBroken(f"chunks being pulled {self._pulls} are not those waited for {self._waiting}")

    # --- chunks whose files are to be removed ---

    def watch(self) -> None:
        """Remember from now on which chunks are asked to be kept, those on their way included."""
        asked = (asked.message for asked in self._asked.values())
        self._wanted = {*self._waiting, *(message.digest for message in asked if isinstance(message, StoreChunk))}

    def unwatch(self) -> None:
        """Remember it no longer."""
        self._wanted = None

    def is_wanted(self, digest: bytes) -> bool:
        """Tell whether a chunk was asked to be kept since; True for all while nobody watches."""
        return self._wanted is None or digest in self._wanted

    def hold(self, digest: bytes) -> None:
        """Have whoever asks for a chunk to be kept wait; only what nobody has asked for may be held."""
        self._held[digest] = []

    def release(self, digest: bytes) -> list[RingEffect]:
        """Go on with those who have waited for a chunk to be gone."""
        return [effect for asker, message in self._held.pop(digest) for effect in self._keep(asker, message)]

    def _keep(self, asker: PeerId, message: StoreChunk) -> list[RingEffect]:
        if message.digest in self._held:
            waiting = self._held[message.digest]
            waiting += [] if len(waiting) >= self._asked_max else [(asker, message)]
            return []
        if self._wanted is not None:
            self._wanted.add(message.digest)
        if message.is_copy:
            return self._operate(_Asked(asker=asker, message=message), WeighCopy(digest=message.digest))
        return self._pull(asker, message)

    def _done(self, asked: _Asked, outcome: StoreOutcome) -> list[RingEffect]:
        match asked.message, outcome:
            case StoreChunk() as message, CopyWeighed(is_refused=False):
                return self._pull(asked.asker, message)
            case _:
                return _reply(asked, outcome)

    def _operate(self, asked: _Asked, operation: Operation) -> list[RingEffect]:
        if len(self._asked) >= self._asked_max:
            return []
        ticket = next(self._tickets)
        self._asked[ticket] = asked
        return [Operate(ticket=ticket, operation=operation)]

    def _pull(self, asker: PeerId, message: StoreChunk) -> list[RingEffect]:
        """Pull a chunk once, however many ask for it meanwhile."""
        waiting = self._waiting.get(message.digest)
        if waiting is not None:
            waiting += [] if (asker, message) in waiting else [(asker, message)]
            return []
        if len(self._waiting) >= self._asked_max:
            return []
        ticket = next(self._tickets)
        self._pulls[ticket], self._waiting[message.digest] = message.digest, [(asker, message)]
        return [PullChunk(ticket=ticket, digest=message.digest, size=message.size, sources=(message.source,))]

    def _pulled(self, asker: PeerId, message: StoreChunk, error: str) -> list[RingEffect]:
        if error:
            return [Send(to=asker, message=ChunkStored(request=message.request, error=error[:_ERROR_MAX]))]
        target = None if message.hint_for is None else PeerId(message.hint_for)
        note = NoteChunk(digest=message.digest, size=message.size, hint_for=target, is_copy=message.is_copy)
        return self._operate(_Asked(asker=asker, message=message), note)


def _operation_of(message: StoreVersions | OfferVersions | FetchVersions | ListKeys) -> Operation:
    match message:
        case OfferVersions(entries=entries):
            return CompareVersions(entries=entries)
        case StoreVersions(key=key, versions=versions, hint_for=target):
            return MergeVersions(key=key, versions=versions, hint_for=None if target is None else PeerId(target))
        case FetchVersions(key=key):
            return ReadVersions(key=key)
        case ListKeys(prefix=prefix, after=after, limit=limit):
            return ListVersions(prefix=prefix, after=after, limit=limit)
        case _:
            assert_never(message)


def _reply(asked: _Asked, outcome: StoreOutcome) -> list[RingEffect]:
    """Answer with what came of the operation; an outcome that is none of these leaves the asker to its patience."""
    to, request = asked.asker, asked.message.request
    match asked.message, outcome:
        case StoreVersions(key=key), VersionsMerged(versions=versions):
            return [Send(to=to, message=VersionsStored(request=request)), *record_seen(key, versions)]
        case OfferVersions(), VersionsCompared(wanted=keys):
            return [Send(to=to, message=VersionsWanted(request=request, keys=keys))]
        case FetchVersions(), VersionsRead(versions=copy):
            return [Send(to=to, message=VersionsFetched(request=request, versions=copy))]
        case FetchVersions(), StoreFailed(reason=reason):
            error = reason[:_ERROR_MAX] or "unreadable"
            return [Send(to=to, message=VersionsFetched(request=request, versions=None, error=error))]
        case ListKeys(), VersionsListed(entries=entries, more=more):
            return [Send(to=to, message=KeysListed(request=request, entries=entries, more=more))]
        case StoreChunk(), CopyWeighed():
            return [Send(to=to, message=ChunkStored(request=request, error=COLLECTED))]
        case StoreChunk(), Noted():
            return [Send(to=to, message=ChunkStored(request=request, error=""))]
        case StoreChunk(), StoreFailed(reason=reason):
            return [Send(to=to, message=ChunkStored(request=request, error=reason[:_ERROR_MAX] or "disk failed"))]
        case _:
            return []
