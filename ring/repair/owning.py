"""Say which peers are to hold what a tree sums up: its homes of now, and those that it is about to have."""

from ..copies.trees import Tree
from ..placement.rendezvous import Placement
from ..placement.roster import Roster
from ..terms import RECORD_QUORUM, PeerId


def owners(roster: Roster, tree: Tree) -> tuple[PeerId, ...]:
    """List the homes of a tree, best first; while members join or leave, the next ones as well."""
    current = _homes(roster.placement, tree)
    if not roster.moves:
        return current
    return tuple(dict.fromkeys((*current, *_homes(roster.target, tree))))


def partners(roster: Roster) -> frozenset[PeerId]:
    """Collect the peers that share a vnode with this one."""
    vnodes = range(roster.placement.vnodes)
    shared = (owners(roster, vnode) for vnode in vnodes)
    return frozenset(peer for peers in shared if roster.me in peers for peer in peers) - {roster.me}


def _homes(placement: Placement, tree: Tree) -> tuple[PeerId, ...]:
    if tree < placement.vnodes:
        return placement.primaries(tree)
    return placement.primaries(tree - placement.vnodes, RECORD_QUORUM.replicas)
