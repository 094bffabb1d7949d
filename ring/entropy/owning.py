"""Say which peers are to hold what a tree sums up: its homes of now, and those that it is about to have."""

from ..copies.trees import Tree
from ..placement.roster import Roster
from ..terms import RECORD_QUORUM, PeerId


def owners(roster: Roster, tree: Tree) -> tuple[PeerId, ...]:
    """List the homes of a tree, best first; while members join or leave, all that it may have on the way as well."""
    vnodes, replicas = roster.placement.vnodes, roster.placement.replicas
    return roster.keepers(tree % vnodes, replicas if tree < vnodes else RECORD_QUORUM.replicas)


def partners(roster: Roster) -> frozenset[PeerId]:
    """Collect the peers that share a vnode with this one."""
    vnodes = range(roster.placement.vnodes)
    shared = (owners(roster, vnode) for vnode in vnodes)
    return frozenset(peer for peers in shared if roster.me in peers for peer in peers) - {roster.me}
