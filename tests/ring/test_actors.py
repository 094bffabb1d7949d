"""Names of who mints: whatever becomes of the coordinator's own copy, no write covers one that it has forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from murmuration.ring.copies.versions import EMPTY, join, mint
from murmuration.ring.requests.actors import KEYS_MAX, Actors

KEY = b"key"
STEPS = st.lists(st.sampled_from(("write", "give up", "hear an old copy")), max_size=30)


@given(STEPS, st.randoms(use_true_random=False))
def test_concurrent_writes_are_all_kept_whatever_the_coordinator_has_given_up_between(steps, rng):
    actors = Actors("p.1.aa")
    here, elsewhere, earlier, written = EMPTY, EMPTY, [EMPTY], set()
    for number, step in enumerate(steps):
        if step == "write":
            here = mint(here, {}, b"%d" % number, actors.of(KEY))
            written.add(b"%d" % number)
            elsewhere = join(elsewhere, here)
            earlier.append(elsewhere)
        elif step == "give up":
            if actors.have_minted(here):
                actors.part_from(KEY)
            here = EMPTY
        else:
            here = join(here, rng.choice(earlier))
    assert {sibling.value for sibling in elsewhere.siblings} == written


def test_name_stays_for_keys_whose_copies_are_all_here():
    actors = Actors("p.1.aa")
    actors.part_from(b"other")
    assert actors.of(KEY) == "p.1.aa"
    assert actors.of(b"other") != "p.1.aa"


def test_no_name_comes_twice_for_a_key_and_memory_stays_bounded():
    actors = Actors("p.1.aa")
    names = [actors.of(KEY)]
    for number in range(3 * KEYS_MAX):
        actors.part_from(b"%d" % number)
        if number % KEYS_MAX == 0:
            actors.part_from(KEY)
            names.append(actors.of(KEY))
    assert len(set(names)) == len(names)
    assert len(actors._parted) <= KEYS_MAX


def test_only_versions_with_own_dots_make_a_new_name_needful():
    actors = Actors("p.1.aa")
    assert not actors.have_minted(mint(EMPTY, {}, b"v", "q.1.bb"))
    assert actors.have_minted(mint(EMPTY, {}, b"v", actors.of(KEY)))
