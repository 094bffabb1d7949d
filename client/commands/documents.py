"""Spell the answers of peers as JSON documents for scripts: the keys are a promise."""

import base64
import binascii
import json
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from ...node.wire.requests import PeerView, RingShown
from ...ring.errors import CallerError
from ...ring.facts import Context, Liveness, Standing
from ...scheduling.jobs import UserError
from ...scheduling.status import JobStatus, TaskState


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
        "speculative": status.speculative,
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
    }


def _by_state(states: bytes) -> dict[str, int]:
    return {state.name.lower(): states.count(state) for state in TaskState}


def _error_document(error: UserError, split: int) -> dict[str, Any]:
    return {**msgspec.structs.asdict(error), "split": split if split >= 0 else None}


def peer_document(view: PeerView) -> dict[str, Any]:
    """Spell one peer; load (share of slots in use) and disk (bytes) are null where they are not known."""
    return {
        "name": view.member.name,
        "id": view.member.id,
        "url": view.member.url,
        "zone": view.member.zone,
        "state": state_of(view),
        "standing": view.standing.name.lower(),
        "epoch": view.epoch,
        "incarnation": view.incarnation,
        "load": view.load if view.load >= 0 else None,
        "disk": view.disk_bytes if view.disk_bytes >= 0 else None,
        "workers": view.member.workers,
        "weight": view.member.weight,
    }


def state_of(view: PeerView) -> str:
    """Name a peer's state in one word: that it joins, leaves or was removed, else whether it lives."""
    if view.standing is Standing.REMOVED:
        return "removed"
    if view.liveness is Liveness.LEFT:
        return "stopped"
    if view.liveness is Liveness.ALIVE and view.standing is not Standing.VALID:
        return view.standing.name.lower()
    return view.liveness.name.lower()


def ring_document(ring: RingShown) -> dict[str, Any]:
    """Spell the placement, with the homes of the key that was asked for."""
    document: dict[str, Any] = {
        "vnodes": ring.vnodes,
        "replicas": ring.replicas,
        "copies": dict(ring.copies),
        "balance": balance(ring.copies),
        "moving": msgspec.structs.asdict(ring.moving),
    }
    if ring.vnode >= 0:
        document |= {"vnode": ring.vnode, "primaries": list(ring.primaries), "fallbacks": list(ring.fallbacks)}
    return document


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
