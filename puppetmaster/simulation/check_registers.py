"""Decide whether strict quorums kept their promise; the letter is that of the invariants in the documentation.

S7  where quorums are strict and members static, a read that began after a write was acknowledged covers that write
"""

from collections.abc import Iterator

from ...ring.facts import Context, Dot
from .register_workload import RegisterWorkload, Saw
from .witness import Witness


def register_violations(witness: Witness, workload: RegisterWorkload) -> list[str]:
    """Check S7."""
    dots: dict[tuple[bytes, bytes | None], list[Dot]] = {}
    for mint in witness.mints:
        dots.setdefault((mint.key, mint.value), []).append(mint.dot)
    return [violation for read in workload.reads for violation in _missed(dots, workload, read)]


def _missed(dots: dict[tuple[bytes, bytes | None], list[Dot]], workload: RegisterWorkload, read: Saw) -> Iterator[str]:
    for written in workload.writes:
        if written.key != read.key or written.acknowledged_at > read.asked_at:
            continue
        if not any(_covers(read.context, dot) for dot in dots.get((written.key, written.value), [])):
            yield (
                f"S7: {written.value!r} at {written.key!r} was acknowledged at {written.acknowledged_at:.3f}, "
                f"and a strict read that began at {read.asked_at:.3f} did not see it"
            )


def _covers(context: Context, dot: Dot) -> bool:
    return context.get(dot.actor, 0) >= dot.counter
