"""Encode what is decided once and for all about a job, and take it apart again with its limits kept.

A register's value is at most 1 MiB. That holds the msgpack of all ordinary jobs; a seal of many thousand splits is
deflated (peers and start numbers repeat). The first byte tells: msgpack of a struct never begins like zlib's stream.
"""

import zlib
from typing import TypeVar

import msgspec

from ..jobs import JobEnding, JobRecord, Manifest
from ..messages import MapSeal

_PLAIN_BYTES_MAX = 256 << 10
_DECODED_BYTES_MAX = 8 << 20
_ZLIB_FIRST = b"\x78"
_ENCODER = msgspec.msgpack.Encoder(order="deterministic")

Decision = TypeVar("Decision", MapSeal, JobEnding)


def encode_decision(decision: MapSeal | JobEnding) -> bytes:
    """Encode the value of a register."""
    plain = _ENCODER.encode(decision)
    return plain if len(plain) <= _PLAIN_BYTES_MAX else zlib.compress(plain, 6)


def decode_decision(value: bytes, kind: type[Decision]) -> Decision:
    """Decode the value of a register.

    Raises:
        msgspec.DecodeError: the value is none of that kind.
    """
    try:
        return msgspec.msgpack.decode(_inflated(value), type=kind)
    except zlib.error as broken:
        raise msgspec.DecodeError(f"a register's value does not inflate: {broken}") from broken


def _inflated(value: bytes) -> bytes:
    if value[:1] != _ZLIB_FIRST:
        return value
    inflater = zlib.decompressobj()
    plain = inflater.decompress(value, _DECODED_BYTES_MAX)
    if inflater.unconsumed_tail or not inflater.eof:
        raise msgspec.DecodeError("a register's value is cut off or inflates beyond its limit")
    return plain


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode the value of an output's key."""
    return _ENCODER.encode(manifest)


def encode_record(record: JobRecord) -> bytes:
    """Encode the value of a job's key."""
    return _ENCODER.encode(record)


def decode_record(value: bytes) -> JobRecord:
    """Decode the value of a job's key.

    Raises:
        msgspec.DecodeError: the value is no job record.
    """
    return msgspec.msgpack.decode(value, type=JobRecord)
