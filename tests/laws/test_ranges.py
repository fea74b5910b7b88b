"""The instruments of the laws: ranges enclose, and see kinks; differences and curvature say what calculus says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.errors import FailedHealthCheck, Unsatisfiable

from refnn import Dense, DivergenceError, Network, ReLU, SquaredError, activations, losses
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.testing import Case, cases, networks, ordinary_values
from tests.laws.measures import UndecidedError, agree, curvature, difference, examples, segment, undecided_set_aside
from tests.laws.ranges import EPS, KinkError, Range

PAIR = networks(depth=2, widths=(1, 2, 3, 5))


@pytest.mark.parametrize("member", [*activations.ALL, *losses.ALL])
def test_ranges_enclose_loss_gradient_and_curvature_at_their_points(member: type[Any]) -> None:
    kinds: dict[str, Any] = {"losses" if issubclass(member, losses.Loss) else "activations": [member]}
    narrow = networks(depth=2, widths=(1, 2, 3, 5), **kinds)

    @examples(0.4)
    @given(cases(narrow, batch_values=ordinary_values()), st.floats(0, 1e-3), st.integers(0, 4))
    def law(case: Case, radius: float, quarter: int) -> None:
        network, w, x, y = case
        box = Range(w, np.full_like(w, radius))
        point = w + (quarter - 2) / 2 * radius * np.cos(np.arange(w.size))
        v = np.ones_like(w)
        try:
            loss, gradient = network.loss_and_gradient(DualArray(box, Range.exact(v)), x, y)
        except KinkError:
            return
        # The point's own results have rounding errors; those of its curvature are taken as those of its gradient.
        exact = network.loss_and_gradient(RoundedArray.exact(point), x, y)
        moving = DualArray(RoundedArray.exact(point), RoundedArray.exact(v))
        dual_loss, dual_gradient = network.loss_and_gradient(moving, x, y)
        for inside, outside in [
            (exact[0], loss.value),
            (exact[1], gradient.value),
            (dual_loss.tangent, loss.tangent),
            (dual_gradient.tangent, gradient.tangent),
        ]:
            assert np.all(inside.value + inside.error >= outside.low)
            assert np.all(inside.value - inside.error <= outside.high)

    law()


def test_a_range_is_no_wider_than_it_must_be() -> None:
    z = Range.between(np.array([1.0, -2.0]), np.array([2.0, 1.0]))
    slack = 32 * EPS  # each rule widens by a few units in the last place, a function by 16
    for bound, least in (((z * 3).high, [6, 3]), (-np.tanh(z).low, -np.tanh([1, -2])), ((z - z).high, [1, 3])):
        assert np.all(bound >= least)  # z − z is as wide as that, for ranges forget what they have in common
        assert np.all(bound <= least + slack * np.abs(least))


def test_a_kink_inside_a_range_is_seen() -> None:
    network = Network(Dense(1, 1), ReLU(), loss=SquaredError())
    with pytest.raises(KinkError):
        curvature(network, np.array([1.0, -1.0]), np.array([0.0, 1.0]), 2.0, [[0.5]], [[0.0]])
    w = np.array([2.0, -1.0])  # 0.5·w₀ + w₁ is 0, and rises along (1, 1)
    with pytest.raises(UndecidedError, match="kink"):
        segment(lambda reach: curvature(network, w, np.ones(2), reach, [[0.5]], [[0.0]]), 1.0, 1.0)
    with pytest.raises(UndecidedError, match="kink"):
        difference(network, w, np.ones(2), [[0.5]], [[0.0]])


def test_dividing_by_a_range_around_zero_is_refused() -> None:
    with pytest.raises(ZeroDivisionError):
        Range.exact(np.array([1.0])) / Range.between(np.array([-1.0]), np.array([1.0]))


def test_the_curvature_of_a_parabola() -> None:
    # L(w + tu) = ½(3w₀ + w₁ − y + t(3u₀ + u₁))², so φ″ = (3u₀ + u₁)² = 25 everywhere.
    network = Network(Dense(1, 1), loss=SquaredError())
    bend = curvature(network, np.array([2.0, 1.0]), np.array([1.0, 2.0]), 7.0, [[3.0]], [[5.0]])
    assert 25 <= bend <= 25 * (1 + 1e-12)  # a few dozen roundings, each widening by 2e-16
    slope = difference(network, np.array([2.0, 1.0]), np.array([1.0, 2.0]), [[3.0]], [[5.0]])
    assert abs(slope.value - 2 * 5) <= slope.error < 1e-4  # the residual 2 times 3u₀ + u₁


def test_a_segment_ends_where_the_slope_may_vanish() -> None:
    assert segment(lambda reach: 4.0, 1.0, 1.0).reach == 1 / 4
    assert segment(lambda reach: 0.25, 1.0, 1.0).reach == 1  # and where the parameters have moved by a length of 1
    assert segment(lambda reach: 0.25, 1.0, 2.0).reach == 1 / 2
    with pytest.raises(UndecidedError, match="no slope"):
        segment(lambda reach: 1.0, 0.0, 1.0)


def test_an_enclosure_that_stays_too_wide_is_no_kink() -> None:
    def diverges(reach: float) -> float:
        raise DivergenceError("the loss", "it is too large", "Scale the data")

    for bend in (lambda reach: 2 / reach, diverges):
        with pytest.raises(UndecidedError, match="too wide"):
            segment(bend, 1.0, 1.0)


def test_a_law_that_never_says_anything_fails() -> None:
    @given(st.integers())
    def law(_: int) -> None:
        with undecided_set_aside():
            raise UndecidedError("it is too late")

    with pytest.raises((FailedHealthCheck, Unsatisfiable)):
        law()


def test_agreement_is_within_the_errors_and_no_more() -> None:
    a, b = RoundedArray(np.array([1.0]), np.array([0.1])), RoundedArray(np.array([1.3]), np.array([0.1]))
    assert not agree(a, b)
    assert agree(a, b + RoundedArray(np.zeros(1), np.array([0.11])))
    assert not agree(a, RoundedArray(np.ones((1, 1)), np.ones((1, 1))))
