"""The shape of the code: what no other tool counts."""

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("ring", "scheduling", "node", "client", "puppetmaster", "examples")
PRODUCT = sorted([ROOT / "__init__.py", *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))])
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
BANNED_FILE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|for " r"now)\b")
"""Written in pieces, so that this file does not find itself."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_module = pytest.mark.parametrize("path", PRODUCT, ids=_named)
every_file = pytest.mark.parametrize("path", [*PRODUCT, *TESTS], ids=_named)


def _functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def _lines(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


@every_module
def test_module_is_one_room_and_no_function_fills_a_screen(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MODULE_LINES_MAX, f"{lines} lines: two concepts share this file"
    long = {function.name: _lines(function) for function in _functions(path) if _lines(function) > FUNCTION_LINES_MAX}
    assert not long, f"longer than {FUNCTION_LINES_MAX} lines: {long}"


@every_file
def test_file_begins_with_one_sentence_that_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, "no docstring at the head of the file"
    sentence = docstring.split("\n\n")[0].strip()
    assert sentence.endswith((".", ":")), f"the first paragraph is no sentence: {sentence!r}"
    assert len(sentence.splitlines()) <= 2, f"the first sentence runs over more than two lines: {sentence!r}"


@every_file
def test_file_is_named_for_one_concept(path: Path) -> None:
    assert path.stem not in BANNED_FILE_NAMES, "name the file for the one concept that it holds"


@every_file
def test_file_has_nothing_unfinished(path: Path) -> None:
    numbered = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    assert [f"line {number}: {line}" for number, line in numbered if UNFINISHED.search(line)] == []


@pytest.mark.parametrize("folder", ["ring", "scheduling", "node"])
def test_product_never_asks_whether_it_runs_in_the_stage_of_the_puppet_master(folder: str) -> None:
    """A machine that knows where it runs is not the machine that was tested."""
    told = [_named(path) for path in (ROOT / folder).rglob("*.py") if "simulat" in path.read_text("utf-8").lower()]
    assert told == []


def test_setup_lists_every_package_and_only_those() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = setup["options"]["packages"].split()
    folders = {path.parent.relative_to(ROOT) for path in PRODUCT}
    assert sorted(listed) == sorted(".".join(("murmuration", *folder.parts)) for folder in folders)


def test_every_folder_of_the_product_is_a_package() -> None:
    bare = {_named(path.parent) for path in PRODUCT if not (path.parent / "__init__.py").exists()}
    assert bare == set()


def test_test_files_have_names_of_their_own() -> None:
    """Pytest's importlib mode tells modules apart by their names alone."""
    names = [path.name for path in TESTS if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", TESTS, ids=_named)
def test_cases_of_a_test_have_an_order(path: Path) -> None:
    """Each worker of a parallel run collects for itself: cases from a set would differ from one to the next."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    tables = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "parametrize"]
    cases = [call.args[1] for call in tables if len(call.args) > 1]
    assert [case.lineno for case in cases if isinstance(case, ast.Set | ast.SetComp)] == []
