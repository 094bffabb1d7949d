"""Knock at an address: see whether its machine takes a connection, refuses it, or says nothing."""

import asyncio
from typing import Final

from ...ring.errors import CallerError
from ...scheduling.status import Condition
from .addresses import parse_address

KNOCK_TIMEOUT_S: Final = 2.0


async def knock(url: str) -> Condition:
    """Connect, close at once, and tell what that says of a peer which answers nothing at this address."""
    try:
        address = parse_address(url)
        async with asyncio.timeout(KNOCK_TIMEOUT_S):
            _, writer = await asyncio.open_connection(address.host, address.port)
    except ConnectionRefusedError:
        return Condition.GONE
    except (OSError, TimeoutError, CallerError):
        return Condition.UNREACHABLE
    writer.transport.abort()
    return Condition.FROZEN
