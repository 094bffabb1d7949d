"""Draw lots that fall the same at every peer: stable hashes to rank peers, attempts and tasks by."""

from functools import lru_cache
from hashlib import blake2b

from ..jobs import Phase
from ..messages import Attempt

_MASK = (1 << 64) - 1


@lru_cache(maxsize=1 << 16)
def lot(text: str) -> int:
    """Draw 64 bits for a name."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def peer_lot(task: int, peer: str) -> int:
    """Draw a peer's lot for a task, given the task's own lot: rendezvous hashing (Thaler and Ravishankar 1998)."""
    mixed = ((task ^ lot(peer)) * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 32)) * 0xD6E8FEB86659FD93) & _MASK
    return mixed ^ (mixed >> 32)


def task_lot(job: str, phase: Phase, task: int) -> int:
    """Draw a task's lot."""
    return lot(f"{job}/{phase:d}/{task}")


def attempt_lot(job: str, phase: Phase, task: int, attempt: Attempt) -> int:
    """Draw an attempt's lot; of two attempts at a task the smaller one wins, at whatever peer they meet."""
    return lot(f"{job}/{phase:d}/{task}/{attempt.peer}-{attempt.incarnation}-{attempt.number}")
