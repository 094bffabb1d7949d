"""Bound what one frame may weigh; a socket closes on whoever sends more."""

from typing import Final

from .bulk import RANGE_BYTES_MAX

CONTROL_FRAME_BYTES_MAX: Final = 2 << 20
"""Largest control frame: a value of 1 MiB with its versions and its envelope fits."""

BULK_FRAME_BYTES_MAX: Final = max(CONTROL_FRAME_BYTES_MAX, RANGE_BYTES_MAX)
"""Largest frame of the bulk transport: a header, or the bytes of one range."""

BULK_REQUEST_BYTES_MAX: Final = 32 << 10
"""Largest question to a bulk server: a reference of 4,096 characters and its envelope fit."""
