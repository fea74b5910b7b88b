"""The update rule by hand, in fractions, and without touching its arguments."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import rules
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.rules import GradientDescent
from tests.rational import Rational

ORDINARY = st.floats(-1e3, 1e3, allow_subnormal=False)


@given(w=ORDINARY, g=ORDINARY, eta=st.floats(1e-6, 10))
def test_gradient_descent_is_w_minus_eta_g(w: float, g: float, eta: float) -> None:
    truth = Fraction(w) - Fraction(eta) * Fraction(g)
    _, exactly = GradientDescent().step(None, Rational.of(np.array([w])), Rational.of(np.array([g])), eta)
    assert exactly.elements.tolist() == [truth]
    _, bound = GradientDescent().step(None, RoundedArray.exact(np.array([w])), RoundedArray.exact(np.array([g])), eta)
    _, after = GradientDescent().step(None, np.array([w]), np.array([g]), eta)
    assert abs(Fraction(float(after[0])) - truth) <= Fraction(float(bound.error[0]))
    # the rate may be taken as rounded once more than it is: 2 u of the product, u of the difference
    largest = 3 * abs(Fraction(eta) * Fraction(g)) + abs(truth)
    assert bound.error[0] <= float(largest) * 2.0**-52 + 1e-320  # or underflow


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_dtype_stays(dtype: Any) -> None:
    w, g = np.ones(3, dtype), np.full(3, 2, dtype)
    GradientDescent().initial_state(w)
    state, after = GradientDescent().step(None, w, g, 0.25)
    assert state is None
    assert after.dtype == dtype
    assert after.tolist() == [0.5, 0.5, 0.5]
    assert w.tolist() == [1, 1, 1]
    assert not np.shares_memory(after, w)


def test_a_step_has_a_derivative() -> None:
    _, after = GradientDescent().step(
        None, DualArray(np.array([1.0]), np.array([1.0])), DualArray(np.array([2.0]), np.array([6.0])), 0.25
    )
    assert after.tangent.tolist() == [1 - 0.25 * 6]


def test_the_registry() -> None:
    assert list(rules.ALL) == [GradientDescent]
