"""Decide whether a reducer reads what it should; the letter is that of the documentation.

J2  an attempt at a partition reads one run of each split, of the content that the seal names
"""

from ...node.effects import RunAttempt


def reads_violation(name: str, work: RunAttempt) -> str:
    """Accuse a peer whose attempt at a partition is about to read too much, too little or something else."""
    seal = work.start.seal
    if seal is None:
        return f"J2: {name} reduces partition {work.start.task} before the map phase is sealed"
    sealed = [(split, winner.digest) for split, winner in enumerate(seal.winners)]
    if sorted((place.split, place.digest) for place in work.runs) == sealed:
        return ""
    return f"J2: {name} reads other runs for partition {work.start.task} than those that are sealed"
