"""Functions as programs: they travel with all they hold on to, or are refused in one line."""

import pickle
import threading

import pytest

from murmuration.client.jobs.functions import pack_functions
from murmuration.ring.errors import CallerError


def words(key: int, line: str) -> list[tuple[str, int]]:
    return [(word, 1) for word in line.split()]


def test_function_of_a_module_that_peers_lack_travels_by_value() -> None:
    program = pack_functions(words, "sum")
    parts = pickle.loads(program.body)
    assert parts["map"] is not words
    assert parts["map"](1, "a b") == [("a", 1), ("b", 1)]
    assert parts["reduce"] == "sum"
    assert program.name == "words"


def test_closure_travels_with_what_it_closes_over() -> None:
    wanted = {"a"}
    parts = pickle.loads(pack_functions(lambda key, line: [(line, 1)] if line in wanted else []).body)
    assert parts["map"](1, "a") == [("a", 1)]
    assert parts["map"](1, "b") == []


def test_function_that_holds_on_to_a_lock_is_refused() -> None:
    lock = threading.Lock()
    with pytest.raises(CallerError, match=r"cannot be sent.*lock"):
        pack_functions(lambda key, line: lock.locked())


def test_function_that_holds_on_to_too_much_is_refused() -> None:
    table = bytes(range(256)) * 4096
    with pytest.raises(CallerError, match="file that is input"):
        pack_functions(lambda key, line: table[0])
