"""Name the ways in which a peer brings acknowledged writes to its disk, and say what each trades."""

from typing import Final

SYNC_MODES: Final = ("full", "relaxed")
SYNC_HELP: Final = (
    "full: what is acknowledged survives a power cut. relaxed: quicker writes, for which a power cut may take the last "
    "second of them, acknowledged or not, decisions of jobs included. A killed process loses nothing either way."
)
RELAXED_NOTICE: Final = "this peer syncs once a second: a power cut may take the last second of acknowledged writes"
