"""What all tests share: the profiles, and that floating-point errors raise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings


def test_the_thorough_profile_has_a_hundred_times_the_examples() -> None:
    default, thorough = settings.get_profile("default"), settings.get_profile("thorough")
    assert thorough.max_examples == 100 * default.max_examples
    for profile in (default, thorough):
        assert profile.deadline is None
        assert not profile.derandomize
        assert profile.print_blob


@pytest.mark.parametrize(
    ("operation", "a", "b"), [(np.divide, 1.0, 0.0), (np.multiply, 1e308, 10.0), (np.subtract, np.inf, np.inf)]
)
def test_division_by_zero_overflow_and_invalid_operations_raise(operation: np.ufunc, a: float, b: float) -> None:
    with pytest.raises(FloatingPointError):
        operation(a, b)


def test_underflow_is_legitimate() -> None:
    assert np.multiply(1e-300, 1e-300) == 0
