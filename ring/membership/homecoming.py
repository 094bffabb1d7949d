"""Decide with which standing a peer comes back: the one that most of the others know it to have.

A change of its standing is told to others and set down here at about the same time, and a kill may come in between:

    own row    others    killed between                        it comes back
    JOINING    VALID     telling that and setting it down      VALID: they have kept hints for it, as for any home
    VALID      JOINING   setting that down and telling it      JOINING anew: nobody has kept a hint for it

Where homes are is what they believe. If it came back otherwise than they know it, the homes would change at once: keys
would be owned by a peer that nobody has passed them on to.
"""

from collections import Counter
from collections.abc import Collection

from msgspec.structs import replace

from ..facts import Standing, Update

Known = tuple[int, Standing]
"""What one of the others knows of this peer: its epoch, and its standing."""


def standing_to_resume(noted: Update | None, known: Collection[Known]) -> Update | None:
    """Give the standing to take up again: the one noted here, unless most others know another one, and none older."""
    if noted is None or noted.standing is Standing.REMOVED or not known:
        return noted
    (epoch, standing), count = Counter(known).most_common(1)[0]
    is_older, is_disputed = epoch < noted.epoch, 2 * count <= len(known)
    return noted if is_older or is_disputed else replace(noted, standing=standing, epoch=epoch)
