"""Decide whether a job's electorate is as safe as it could be; the letter is that of the documentation.

J3  a job outlives as many deaths as those in touch allow when its electorate is drawn up: who joins decides too
"""

from collections.abc import Mapping

from ...ring.facts import Liveness, Standing, Update
from ...ring.terms import PeerId

ELECTORATE = 5
_STAYING = (Standing.VALID, Standing.JOINING)


def electorate_violation(name: str, electorate: tuple[str, ...], members: Mapping[PeerId, Update]) -> str:
    """Accuse a peer that names an electorate which survives fewer deaths than the members alive would."""
    able = sum(each.liveness is Liveness.ALIVE and each.standing in _STAYING for each in members.values())
    if _deaths_survived(len(electorate)) >= _deaths_survived(min(able, ELECTORATE)):
        return ""
    return f"J3: {name} lets {len(electorate)} decide a job, and {able} are alive"


def has_newcomer(electorate: tuple[str, ...], members: Mapping[PeerId, Update]) -> bool:
    """Tell whether a peer votes that is still joining."""
    return any(members[PeerId(peer)].standing is Standing.JOINING for peer in electorate if PeerId(peer) in members)


def _deaths_survived(voters: int) -> int:
    return max(0, voters - 1) // 2
