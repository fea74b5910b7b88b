"""What all tests share: the budgets of Hypothesis, and floating-point errors that raise."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings

# Choose one by HYPOTHESIS_PROFILE=thorough in the environment, or by pytest --hypothesis-profile=thorough.
settings.register_profile("default", max_examples=20, deadline=None, derandomize=False, print_blob=True)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def floating_point_errors() -> Iterator[None]:
    """Division by zero, overflow and invalid operations raise; underflow is legitimate."""
    with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
        yield
