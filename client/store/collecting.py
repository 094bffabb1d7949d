"""Have every peer remove the chunks that nobody names any more.

Each peer judges its own chunks by what all members together name, and counts the grace by the time that itself has run;
a client only asks them, and adds up what they say.
"""

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from ...node.wire.replies import ChunksCollected, PeersShown
from ...node.wire.requests import CollectChunks, ListPeers
from ...ring.errors import MurmurationError, WorldError
from ...ring.facts import Liveness
from ...ring.terms import Member
from ..connection import Connection
from ..progress import Progress

GRACE_S = 24 * 3600.0
"""Longer than anybody takes from storing a chunk to naming it."""
LOOK_EVERY_S = 0.1
ASKED_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCollection:
    """What one peer did, or in a dry run would do; `refused` says why it did nothing.

    Chunks that are `waiting` are unnamed too, and not for long enough; the first of them is due in `due_in_s` if that
    is known. `held` of them may be of a job that has not ended. `failed` could not be removed, `named` ones stay.
    """

    peer: str
    removed: int = 0
    removed_bytes: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    held: int = 0
    failed: int = 0
    named: int = 0
    named_bytes: int = 0
    due_in_s: float | None = None
    refused: str = ""


def collect_chunks(
    connection: Connection, *, grace_s: float, dry_run: bool, progress: Progress
) -> list[PeerCollection]:
    """Have all peers go through their chunks, and tell what each of them has removed.

    Raises:
        WorldError: none of them could tell what is named; the message is that of the first.
    """
    views = connection.ask(ListPeers(), PeersShown).peers
    members = [view.member for view in views if view.liveness is Liveness.ALIVE]
    looked_at = dict.fromkeys((member.name for member in members), 0)
    with ThreadPoolExecutor(len(members)) as threads:
        passes = [threads.submit(_pass, member, grace_s, dry_run, looked_at) for member in members]
        while wait(passes, timeout=LOOK_EVERY_S).not_done:
            progress.advance("chunks looked at", sum(looked_at.values()), 0)
    found = [each.result() for each in passes]
    if found and all(each.refused for each in found):
        raise WorldError(f"nothing was removed: {found[0].refused}")
    return found


def _pass(member: Member, grace_s: float, dry_run: bool, looked_at: dict[str, int]) -> PeerCollection:  # noqa: FBT001
    """Ask one peer, again and again by the same name, until its pass is over."""
    name = secrets.token_hex(8)
    ask = CollectChunks(name=name, grace_s=grace_s, is_dry=dry_run, patience_s=ASKED_PATIENCE_S)
    try:
        with Connection((member.url,)) as connection:
            while not (reply := connection.ask(ask, ChunksCollected)).is_over:
                looked_at[member.name] = reply.named + reply.waiting + reply.removed
    except MurmurationError as error:
        return PeerCollection(peer=member.name, refused=str(error))
    return _collection(member.name, reply)


def _collection(peer: str, reply: ChunksCollected) -> PeerCollection:
    return PeerCollection(
        peer=peer,
        removed=reply.removed,
        removed_bytes=reply.removed_bytes,
        waiting=reply.waiting,
        waiting_bytes=reply.waiting_bytes,
        held=reply.held,
        failed=reply.failed,
        named=reply.named,
        named_bytes=reply.named_bytes,
        due_in_s=reply.due_in_s,
    )


def first_due_s(found: Sequence[PeerCollection]) -> float | None:
    """Tell when the first of the chunks that wait is due, None where none is or it cannot be told."""
    return min((each.due_in_s for each in found if each.due_in_s is not None), default=None)
