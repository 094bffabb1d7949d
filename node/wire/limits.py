"""Bound what one frame may weigh; a socket closes on whoever sends more."""

from typing import Final

from ...ring.terms import JOINED_BYTES_MAX
from .bulk import RANGE_BYTES_MAX

CONTROL_FRAME_BYTES_MAX: Final = 2 << 20
"""Largest frame that a peer takes: a value of 1 MiB with its versions and its envelope fits."""

MESSAGE_BYTES_MAX: Final = JOINED_BYTES_MAX + (1 << 20)
"""Largest message of a peer: all values that a key may hold, with its versions and its envelope.

To another peer it goes in pieces where it is larger than a frame; to a client, who trusts the peer, in one frame.
"""

BULK_FRAME_BYTES_MAX: Final = max(CONTROL_FRAME_BYTES_MAX, RANGE_BYTES_MAX)
"""Largest frame of the bulk transport: a header, or the bytes of one range."""

BULK_REQUEST_BYTES_MAX: Final = 32 << 10
"""Largest question to a bulk server: a reference of 4,096 characters and its envelope fit."""
