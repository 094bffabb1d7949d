"""Spell the answers of peers as JSON documents for scripts: the keys are a promise."""

import base64
import binascii
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from ...node.wire.replies import PeerView, RingShown
from ...ring.errors import CallerError
from ...ring.facts import Context, Liveness
from ...scheduling.jobs import UserError
from ...scheduling.status import Condition, JobStatus, Lane, TaskState
from ..measuring import metrics_of_all

if TYPE_CHECKING:
    from ..moves import MovePlan


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def job_document(status: JobStatus) -> dict[str, Any]:
    """Spell a job's status."""
    return {
        "id": status.id,
        "name": status.name,
        "state": status.state.title,
        "tracker": status.tracker,
        "epoch": status.epoch,
        "splits": _by_state(status.map_states),
        "partitions": _by_state(status.reduce_states),
        "attempts": status.attempts,
        "duplicates": status.duplicates,
        "races_lost": status.races_lost,
        "wasted_s": status.wasted_s,
        "speculative": status.speculative,
        "speculation_won": status.speculation_won,
        "speculation_saved_s": status.saved_s,
        "records": status.records,
        "bytes": status.bytes,
        "local_bytes": status.local_bytes,
        "bytes_total": status.bytes_total,
        "counters": dict(status.counters),
        "error": None if status.error is None else _error_document(status.error, status.error_split),
        "waiting_for": status.waiting_for or None,
        "elapsed_s": status.elapsed_s,
        "submitted_at": status.submitted_at,
        "output": status.output,
        "priority": status.priority,
        "peers": [_lane_document(lane) for lane in status.lanes],
    }


def _lane_document(lane: Lane) -> dict[str, Any]:
    """Spell one peer's part in a job; its `condition` is as in `peer_document`."""
    return {
        "name": lane.peer,
        "state": lane.liveness.name.lower(),
        "condition": condition_word(lane.liveness, lane.condition),
        "running": len(lane.running),
        "done": lane.tasks_done,
    }


def condition_word(liveness: Liveness, condition: Condition) -> str | None:
    """Spell how a peer is; None where it does not answer and no more is known."""
    return None if condition is Condition.WELL and liveness is not Liveness.ALIVE else condition.name.lower()


def _by_state(states: bytes) -> dict[str, int]:
    return {state.name.lower(): states.count(state) for state in TaskState}


def _error_document(error: UserError, split: int) -> dict[str, Any]:
    return {**msgspec.structs.asdict(error), "split": split if split >= 0 else None}


def peer_document(view: PeerView) -> dict[str, Any]:
    """Spell one peer.

    `state` is alive, suspect, dead or left. `condition` is well or slow of one that answers, and of one that does not
    frozen (its machine takes connections), gone (it refuses), unreachable or null. `standing` is joining, valid,
    leaving or removed. `load` (share of slots in use), `disk` (bytes) and `sync` (full or relaxed) are null if unknown.
    """
    return {
        "name": view.member.name,
        "id": view.member.id,
        "url": view.member.url,
        "zone": view.member.zone,
        "state": view.liveness.name.lower(),
        "standing": view.standing.name.lower(),
        "epoch": view.epoch,
        "incarnation": view.incarnation,
        "load": view.load if view.load >= 0 else None,
        "disk": view.disk_bytes if view.disk_bytes >= 0 else None,
        "condition": condition_word(view.liveness, view.condition),
        "sync": view.sync or None,
        "workers": view.member.workers,
        "weight": view.member.weight,
    }


def titles_of(views: Iterable[PeerView]) -> dict[str, str]:
    """Give each peer id its name, with the beginning of the id where two peers have one name."""
    members = [view.member for view in views]
    used = Counter(member.name for member in members)
    return {
        member.id: member.name if used[member.name] == 1 else f"{member.name} ({member.id[:8]})" for member in members
    }


def ring_document(ring: RingShown, moving: dict[str, Any]) -> dict[str, Any]:
    """Spell the placement and what is moving, with the homes of the key that was asked for."""
    document: dict[str, Any] = {
        "vnodes": ring.vnodes,
        "replicas": ring.replicas,
        "copies": dict(ring.copies),
        "balance": balance(ring.copies),
        "moving": moving,
    }
    if ring.vnode >= 0:
        document |= {"vnode": ring.vnode, "primaries": list(ring.primaries), "fallbacks": list(ring.fallbacks)}
    return document


def moving_document(views: Sequence[PeerView], movers: "Sequence[tuple[PeerView, MovePlan]]") -> dict[str, Any]:
    """Spell who joins or leaves, with what that moves in all, and what each peer has sent in its walk of now."""
    titles = titles_of(views)
    found = {titles[peer]: values for peer, values in metrics_of_all(views).items()}
    return {
        "members": [
            {"name": view.member.name, "id": view.member.id, "standing": view.standing.name.lower(), **asdict(plan)}
            for view, plan in movers
        ],
        "senders": {
            title: {"keys_sent": values["transfer.keys_sent"], "bytes_sent": values["transfer.sent_bytes"]}
            for title, values in sorted(found.items())
            if values["transfer.is_under_way"]
        },
    }


def balance(copies: Mapping[str, int]) -> float | None:
    """Divide the mean number of copies by the largest: 1 is even, and no peer holds more than its share / balance."""
    largest = max(copies.values(), default=0)
    return sum(copies.values()) / len(copies) / largest if largest else None


def value_document(value: bytes) -> str | dict[str, str]:
    """Spell a value as text, or as `{"base64": ...}` where it is none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def context_token(context: Context) -> str:
    """Spell a context as one word for `kv put --context`."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(context, order="deterministic")).decode().rstrip("=")


def context_from(token: str) -> Context:
    """Read a context that `context_token` spelt, in the quotation marks of JSON or without.

    Raises:
        CallerError: it is none.
    """
    word = token.strip('"')
    try:
        return msgspec.msgpack.decode(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)), type=Context)
    except (binascii.Error, ValueError) as error:
        raise CallerError("that is no context; take it from `murmur kv get KEY --json`") from error
