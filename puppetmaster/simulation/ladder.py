"""Draw a history as a ladder: one column for each peer, one line for each thing that happened, time going down.

     A           B           C
1.503 |           |-----------x   ClaimNews m3 done      a message that was lost on its way
1.512 X           |           |   KILL A                 a fault
1.733 :           |<----------|   JobNews epoch 2        a message, drawn as it arrives
"""

from collections.abc import Iterable

from .history import Kind, Line

COLUMN = 8
FRAGMENT = {"KILL": "X", "RESTART": "O", "FREEZEW": "*", "UNFREEZEW": "o"}
DOWN, FROZEN, UP = ":", "*", "|"
_STATE_AFTER = {"KILL": DOWN, "RESTART": UP, "FREEZEW": FROZEN, "UNFREEZEW": UP}


def ladder(lines: Iterable[Line], peers: list[str]) -> str:
    """Draw lines in order of time."""
    columns = {peer: at for at, peer in enumerate(peers)}
    rails = [UP] * len(peers)
    drawn = ["          " + "".join(peer.ljust(COLUMN) for peer in peers).rstrip()]
    for line in lines:
        row = _row(rails)
        if line.kind in (Kind.MESSAGE, Kind.LOST) and line.other in columns and line.peer in columns:
            _arrow(row, columns[line.peer], columns[line.other], is_lost=line.kind is Kind.LOST)
        elif line.peer in columns:
            at = columns[line.peer]
            word = line.text.split()[0]
            row[at * COLUMN] = FRAGMENT.get(word, "!") if line.kind is Kind.FAULT else "+"
            rails[at] = _STATE_AFTER.get(word, rails[at])
        drawn.append(f"{line.at:9.3f} {''.join(row).rstrip():{len(peers) * COLUMN}} {line.text}".rstrip())
    return "\n".join(drawn)


def _row(rails: list[str]) -> list[str]:
    row: list[str] = []
    for rail in rails:
        row.extend([rail, *" " * (COLUMN - 1)])
    return row


def _arrow(row: list[str], sender: int, receiver: int, *, is_lost: bool) -> None:
    left, right = sorted((sender * COLUMN, receiver * COLUMN))
    for at in range(left + 1, right):
        row[at] = "-" if row[at] == " " else row[at]
    if sender < receiver:
        row[right - 1] = "x" if is_lost else ">"
    else:
        row[left + 1] = "x" if is_lost else "<"
