"""Have the report of a live test that failed hold the last words of its peers, and how its jobs stand."""

from collections.abc import Generator

import pytest
from last_words import last_words


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and call.when != "teardown":
        report.sections += last_words(item.funcargs)
    return report
