"""A message that is larger than a frame arrives whole, or not at all, within bounds."""

import pytest

from murmuration.node.wire.codec import (
    PIECES_MAX,
    PieceFrame,
    decode_incoming,
    decode_peer,
    encode_peer,
    pieces_of,
)
from murmuration.node.wire.limits import CONTROL_FRAME_BYTES_MAX
from murmuration.node.wire.pieces import OPEN_MAX, Pieces
from murmuration.ring.errors import CallerError
from murmuration.ring.facts import Dot, Sibling, Versions
from murmuration.ring.messages import StoreVersions
from murmuration.ring.terms import JOINED_BYTES_MAX, VALUE_BYTES_MAX, PeerId

ME, OTHER = PeerId("1" * 32), PeerId("2" * 32)


def store(values: int) -> StoreVersions:
    siblings = tuple(
        Sibling(dot=Dot(actor=f"{number:050}", counter=1), value=bytes(VALUE_BYTES_MAX)) for number in range(values)
    )
    return StoreVersions(request="r", key=b"k", versions=Versions(seen={}, siblings=siblings))


def cut(values: int, number: int = 7, sender: PeerId = ME) -> list[PieceFrame]:
    pieces = []
    for frame in pieces_of(sender, OTHER, encode_peer(sender, OTHER, store(values)), number):
        assert len(frame) <= CONTROL_FRAME_BYTES_MAX
        piece = decode_incoming(frame)
        assert isinstance(piece, PieceFrame)
        pieces.append(piece)
    return pieces


@pytest.mark.parametrize("values", [2, 5, JOINED_BYTES_MAX // VALUE_BYTES_MAX])
def test_message_beyond_a_frame_arrives_whole(values):
    pieces = Pieces()
    *first, last = cut(values)
    assert [pieces.take(piece) for piece in first] == [None] * len(first)
    whole = pieces.take(last)
    assert whole is not None
    assert decode_peer(whole) == (ME, store(values))


def test_message_within_a_frame_is_not_cut():
    frame = encode_peer(ME, OTHER, store(1))
    assert pieces_of(ME, OTHER, frame, 0) == [frame]


def test_message_beyond_all_that_a_key_may_hold_is_refused():
    with pytest.raises(CallerError, match="over the limit"):
        encode_peer(ME, OTHER, store(PIECES_MAX + 1))


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_message_of_which_a_piece_is_lost_never_arrives_and_the_next_one_does(lost):
    pieces = Pieces()
    some = cut(2)
    assert [pieces.take(piece) for piece in some if piece.place != lost] == [None] * (len(some) - 1)
    assert [pieces.take(piece) is None for piece in cut(2, number=8)] == [True] * (len(some) - 1) + [False]


def test_messages_that_never_end_take_bounded_room():
    pieces = Pieces()
    for number in range(3 * OPEN_MAX):
        for piece in cut(2, sender=PeerId(f"{number:032x}"))[:-1]:
            pieces.take(piece)
    assert len(pieces._open) == OPEN_MAX
