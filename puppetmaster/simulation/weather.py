"""Carry out the faults of links on the simulated network."""

from dataclasses import replace
from typing import Any, assert_never

from ..faults import Cut, Delay, Duplicate, Heal, Limit, LinkFault, Loss, Reorder, Weather
from .network import Link, Network


def change(network: Network, fault: LinkFault) -> None:
    """Treat messages otherwise from now on."""
    match fault:
        case Cut():
            network.cuts += (fault,)
        case Heal():
            network.cuts = ()
            network.links.clear()
        case Delay(sender=sender, receiver=receiver, delay_s=delay_s):
            _treat(network, sender, receiver, delay_s=delay_s)
        case Loss(sender=sender, receiver=receiver, share=share):
            _treat(network, sender, receiver, loss=share)
        case Duplicate(sender=sender, receiver=receiver, share=share):
            _treat(network, sender, receiver, duplication=share)
        case Reorder(sender=sender, receiver=receiver, jitter_s=jitter_s):
            _treat(network, sender, receiver, jitter_s=jitter_s)
        case Limit(sender=sender, receiver=receiver, bytes_per_s=bytes_per_s):
            _treat(network, sender, receiver, bytes_per_s=bytes_per_s)
        case Weather():
            network.weather = fault
        case _:
            assert_never(fault)


def _treat(network: Network, sender: str, receiver: str, **how: Any) -> None:
    """Change one thing about a link, and forget the link when nothing is done to it any more."""
    link = replace(network.links.pop((sender, receiver), Link()), **how)
    if replace(link, free_at=0.0) != Link():
        network.links[sender, receiver] = link
