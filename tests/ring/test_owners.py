"""Owners: a ticket tells whose it is, and no two parts draw the same."""

from itertools import islice

from murmuration.ring.owners import Owner, owner_of, tickets_of


def test_tickets_of_all_owners_differ_and_tell_their_owner() -> None:
    drawn = {owner: list(islice(tickets_of(owner), 100)) for owner in Owner}
    assert len(set().union(*drawn.values())) == 100 * len(Owner)
    assert all(owner_of(ticket) == owner and ticket > 0 for owner, tickets in drawn.items() for ticket in tickets)
