"""What all tests share: the budgets of Hypothesis, and floating-point errors that raise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from coverage import Coverage
from hypothesis import settings

# Choose one by HYPOTHESIS_PROFILE=thorough in the environment, or by pytest --hypothesis-profile=thorough.
settings.register_profile("default", max_examples=10, deadline=None, derandomize=False, print_blob=True)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def unmeasured(request: pytest.FixtureRequest) -> Iterator[None]:
    """Coverage does not count lines in some tests: others cover them all, and counting doubles the time."""
    path = request.path.relative_to(Path(__file__).parent)
    among = path.parts[0] in UNMEASURED or path.as_posix() in UNMEASURED
    running = Coverage.current() if among or request.node.get_closest_marker("unmeasured") else None
    if running is not None:
        running.stop()
    yield
    if running is not None:
        running.start()


UNMEASURED = {
    *("benchmarks", "laws", "peers", "arithmetic/test_rounded_precision.py", "oracle/test_misrounding.py"),
    "oracle/test_no_false_alarm.py",
    *("docs", "search/test_naming.py", "search/test_protocol.py"),
}
"""Besides the tests that are marked with ``unmeasured``."""


@pytest.fixture(autouse=True)
def floating_point_errors() -> Iterator[None]:
    """Division by zero, overflow and invalid operations raise; underflow is legitimate."""
    with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
        yield
