"""The catalogue of faults is whole, and names tests that exist."""

import ast
from functools import cache
from pathlib import Path

import pytest
from fault_catalogue import CATALOGUE, Fault

TESTS = Path(__file__).parents[1]


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_catalogue_has_each_of_its_forty_rows_once() -> None:
    assert [fault.number for fault in CATALOGUE] == list(range(1, 41))
    assert len({fault.name for fault in CATALOGUE}) == 40


@pytest.mark.parametrize("fault", CATALOGUE, ids=lambda fault: f"{fault.number}-{fault.name}")
def test_fault_is_shown_by_tests_that_exist_or_says_why_not(fault: Fault) -> None:
    assert fault.tests or fault.gap
    missing = [test for test in fault.tests if test.split("::")[1] not in functions_of(test.split("::")[0])]
    assert not missing
