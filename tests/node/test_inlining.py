"""Mappers whose yields are set in place collect what their generators would, and only certain ones are touched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segments import read_segment

from murmuration.node.executor import mapping
from murmuration.node.executor.faults.wording import UserFault
from murmuration.node.executor.programs.inlining import inlining_of
from murmuration.node.executor.programs.program import load_program
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


FAULTS = [
    "yield value, 1 // 0",
    "yield [value], 1",
    "yield value, 'x'",
    "yield 1 // 0, missing",
    "yield value, next(iter(()))",
    "yield helper(value), 1",
    "yield Odd(), 1",
    "if key == 2:\n        yield key, 1\n        raise SystemExit(3)",
]
HELPERS = "def helper(value):\n    return int(value)\nclass Odd:\n    def __hash__(self):\n        return 1 // 0\n"


@pytest.mark.parametrize("tail", ["sum", "list", "class"])
@pytest.mark.parametrize("body", FAULTS)
def test_error_of_a_mapper_that_collects_is_told_as_that_of_its_generator(tmp_path, body, tail):
    code = program(body, HELPERS + TAILS[tail])
    inlined = outcome(tmp_path, code, b"one\ntwo\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapping, "inlining_of", lambda *_: None)
        assert outcome(tmp_path, code, b"one\ntwo\n") == inlined


METHOD = """
from murmuration import Mapper
{before}
class Words(Mapper):
    __hidden = 3
    def setup(self):
        self.seen = 0
    {decorator}
    def map(self, key, value, *, more=5):
        self.seen += 1
        {body}
    def cleanup(self):
        yield "seen", self.seen
reducer = "list"
"""
METHODS = {
    "mangled name": ("yield value, self.__hidden", "", "", True),
    "keyword default": ("yield value, more", "", "", True),
    "builtin of its own name": ("yield value, list(map(len, [value]))", "", "", True),
    "names like those of the step": ("groups, get, k, v = 1, 2, 3, 4\n        yield get, groups", "", "", True),
    "annotations of the future": (
        "count: Missing = 1\n        yield value, count",
        "from __future__ import annotations",
        "",
        True,
    ),
    "one literal": ("yield value, 2\n        yield value, 2", "", "", True),
    "literals that are only equal": ("yield value, 1\n        yield value, True", "", "", True),
    "in match and while": (
        "match value:\n            case 'a':\n                yield 1, 2\n        while self.seen < 9:\n"
        "            self.seen += 1\n            yield 2, self.seen",
        "",
        "",
        True,
    ),
    "super": ("super().setup()\n        yield value, self.seen", "", "", False),
    "decorated": ("yield value, 1", "def same(function):\n    return function", "@same", False),
    "pries": ("yield value, len(locals())", "", "", False),
    "starred": ("yield (*[value], 1)", "", "", False),
    "inner generator": ("def inner():\n            yield 1, 2\n        yield value, list(inner())", "", "", False),
    "within with": (
        "with suppress(TypeError):\n            yield [value], 1",
        "from contextlib import suppress",
        "",
        False,
    ),
    "within except": (
        "try:\n            value[7]\n        except IndexError:\n            yield value, 1",
        "",
        "",
        False,
    ),
    "list": ("return [(value, 1)]", "", "", False),
}


@pytest.mark.parametrize("tail", ["", "combiner = 'sum'", "def reduce(key, values):\n    yield key, list(values)\n"])
@pytest.mark.parametrize("case", METHODS)
def test_method_collects_what_it_would_yield_or_keeps_its_generator(tmp_path, monkeypatch, case, tail):
    body, before, decorator, is_inlined = METHODS[case]
    head = before + "\n" if "__future__" in before else ""
    source = head + METHOD.format(before="" if head else before, decorator=decorator, body=body)
    if tail:
        source = source.replace('reducer = "list"', tail)
    code = Program(kind="source", name="user.py", body=source.encode())
    found = []
    monkeypatch.setattr(mapping, "inlining_of", lambda *words: found.append(inlining_of(*words)) or found[-1])
    inlined = outcome(tmp_path, code, b"a\nb\na\n")
    monkeypatch.setattr(mapping, "inlining_of", lambda *_: None)
    assert repr(outcome(tmp_path, code, b"a\nb\na\n")) == repr(inlined)
    assert (found[0] is not None) == is_inlined


@pytest.mark.parametrize(
    ("body", "is_inlined"),
    [(body, body not in ("within try", "from", "yields used", "pair made before")) for body in BODIES],
)
def test_only_mappers_for_which_it_is_certain_lose_their_generator(tmp_path, monkeypatch, body, is_inlined):
    asked = []
    monkeypatch.setattr(mapping, "inlining_of", lambda *words: asked.append(inlining_of(*words)) or asked[-1])
    outcome(tmp_path, program(BODIES[body], TAILS["sum"]), b"a\n")
    assert [found is not None for found in asked] == [is_inlined]
