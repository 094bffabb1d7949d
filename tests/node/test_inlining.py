"""Mappers whose yields are set in place collect what their generators would, and only certain ones are touched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmuration.node.executor import mapping
from murmuration.node.executor.faults import UserFault
from murmuration.node.executor.program import load_program
from murmuration.node.executor.runs import read_segment
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask
from murmuration.scheduling.jobs import Program

BODIES = {
    "words": "for w in value.split():\n        yield w, 1",
    "values": "for i, w in enumerate(value.split()):\n        yield w, i * key",
    "branches": "if value:\n        yield value[0], len(value)\n    else:\n        yield 'empty', 1",
    "returns early": "if not value:\n        return\n    yield value[-1], 2\n    yield value[0], 3",
    "while": "n = len(value)\n    while n:\n        n -= 1\n        yield value[n], n",
    "within try": "try:\n        yield value[0], 1\n    except IndexError:\n        yield 'none', 1",
    "from": "yield from [(w, 1) for w in value.split()]",
    "yields used": "got = yield value, 1\n    yield str(got), 1",
    "pair made before": "pair = (value, 1)\n    yield pair",
    "default": "yield value, extra",
}
TAILS = {
    "sum": 'reducer = "sum"',
    "count": 'reducer = "count"',
    "max": 'reducer = "max"',
    "list": "",
    "class": "from murmuration import Reducer\nclass Total(Reducer):\n    def reduce(self, key, values):\n"
    "        yield key, sum(values)\ncombiner = Total",
}


def program(body: str, tail: str) -> Program:
    source = f"def map(key, value, extra=7):\n    {body}\n\n{tail}\n"
    return Program(kind="source", name="user.py", body=source.encode())


def outcome(folder, code: Program, text: bytes):
    """Run one map attempt and give all that its run holds, or the user's error."""
    path, output = folder / "text", folder / "run"
    path.write_bytes(text)
    load = LoadProgram("0" * 16, "p", code, {}, "text", "text", 2)
    loaded = load_program(code, input_format="text", output_format="text")
    task = MapTask("a", 0, "text", 1, 0, (Extent(str(path), 0, len(text)),), str(output))
    try:
        finished = mapping.MapAttempt(loaded, load, task).carry_out()
    except UserFault as fault:
        return fault.error
    return finished.records_in, [read_segment(str(output), part, finished.digest) for part in range(2)]


@pytest.mark.parametrize("tail", TAILS, ids=str)
@pytest.mark.parametrize("body", BODIES, ids=str)
@settings(max_examples=8, deadline=None)
@given(lines=st.lists(st.text("ab cé", max_size=12), max_size=8))
def test_mapper_collects_the_same_whether_its_yields_are_set_in_place_or_not(tmp_path_factory, body, tail, lines):
    folder = tmp_path_factory.mktemp("inlining")
    code, text = program(BODIES[body], TAILS[tail]), "".join(f"{line}\n" for line in lines).encode()
    inlined = outcome(folder, code, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapping, "inlining_of", lambda *_: None)
        assert outcome(folder, code, text) == inlined


@pytest.mark.parametrize("body", ["yield value, 1 // 0", "yield [value], 1", "yield value, 'x'"])
def test_error_at_a_yield_set_in_place_is_told_as_that_of_the_generator(tmp_path, body):
    code = program(body, TAILS["sum"])
    inlined = outcome(tmp_path, code, b"one\ntwo\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapping, "inlining_of", lambda *_: None)
        plain = outcome(tmp_path, code, b"one\ntwo\n")
    assert (inlined.kind, inlined.line, inlined.record) == (plain.kind, plain.line, plain.record)
    assert ".k" not in inlined.traceback


@pytest.mark.parametrize(
    ("body", "is_inlined"),
    [(body, body not in ("within try", "from", "yields used", "pair made before")) for body in BODIES],
)
def test_only_mappers_for_which_it_is_certain_lose_their_generator(tmp_path, monkeypatch, body, is_inlined):
    asked = []
    original = mapping.inlining_of
    monkeypatch.setattr(mapping, "inlining_of", lambda *words: asked.append(original(*words)) or asked[-1])
    outcome(tmp_path, program(BODIES[body], TAILS["sum"]), b"a\n")
    assert [found is not None for found in asked] == [is_inlined]
