"""Carry out the faults of links on the simulated network."""

from typing import assert_never

from ..faults import Cut, Delay, Heal, Loss, Weather
from .network import Network


def change(network: Network, fault: Cut | Heal | Delay | Loss | Weather) -> None:
    """Treat messages otherwise from now on."""
    match fault:
        case Cut():
            network.cuts += (fault,)
        case Heal():
            network.cuts = ()
            network.slow_links.clear()
            network.lossy_links.clear()
        case Delay(sender=sender, receiver=receiver, delay_s=delay_s):
            _set(network.slow_links, (sender, receiver), delay_s)
        case Loss(sender=sender, receiver=receiver, share=share):
            _set(network.lossy_links, (sender, receiver), share)
        case Weather():
            network.weather = fault
        case _:
            assert_never(fault)


def _set(links: dict[tuple[str, str], float], link: tuple[str, str], amount: float) -> None:
    if amount:
        links[link] = amount
    else:
        links.pop(link, None)
