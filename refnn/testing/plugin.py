"""A plugin for pytest: where a test fails, the whole report of what refnn found in it.

Switch it on with ``pytest -p refnn.testing.plugin``, or in the ``conftest.py`` at the top with
``pytest_plugins = ["refnn.testing.plugin"]``. Then ``assert report.verdict == "agrees"`` shows the report when it
fails, and so does every other failure in whose frames a `refnn.Comparison`, a `refnn.Report` or an `Inspection` stands
that has something to say. The fixture `refnn_compare` compares and judges in one call.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from refnn.oracle.comparison import Comparison, compare
from refnn.search.report import Report
from refnn.testing.inspection import Inspection

__all__ = ["pytest_runtest_makereport", "refnn_compare"]


@pytest.fixture
def refnn_compare() -> Callable[..., Comparison]:
    """`refnn.compare`, which fails the test unless the verdict is ``"agrees"``, and else gives the report.

    Examples
    --------
    >>> def test_my_gradient(refnn_compare):
    ...     refnn_compare(network, w, x, y, gradient=mine, precision="float32")
    """

    def compared(*arguments: Any, **options: Any) -> Comparison:
        __tracebackhide__ = True
        report = compare(*arguments, **options)
        if report.verdict != "agrees":
            pytest.fail(str(report))
        return report

    return compared


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure the reports that stand in its frames, but not those that its message already holds."""
    report = yield
    if report.failed and call.excinfo is not None:
        said = str(call.excinfo.value)
        report.sections += [("refnn", text) for text in _told(call.excinfo) if text not in said]
    return report


def _told(failure: pytest.ExceptionInfo[BaseException]) -> list[str]:
    """What there is to say, in the order in which it was computed; an assertion keeps what it calls in its frame."""
    found = [value for entry in failure.traceback for value in entry.frame.f_locals.values()]
    texts = [str(value) for value in found if isinstance(value, Comparison | Report) and value.verdict != "agrees"]
    texts += [str(value) for value in found if isinstance(value, Inspection) and value.findings]
    return list(dict.fromkeys(texts))
