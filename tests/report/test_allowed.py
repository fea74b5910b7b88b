"""How far float32 may be off: against fractions, and against gradients in float32 that are made wrong."""

from __future__ import annotations

import statistics
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn.report import allowed as module
from refnn.report.allowed import Allowed, examine_allowed
from tests.report.cases import hide_flint

INNER = refnn.Network(refnn.Dense(2, 1), loss=refnn.InnerProduct())
NAMES = ["0.weight[0, 0]", "0.weight[1, 0]", "0.bias[0]"]
NUMBERS = st.floats(-100, 100).filter(lambda v: v == 0 or abs(v) > 1e-9)


def in_fractions(x: np.ndarray, y: np.ndarray) -> list[Fraction]:
    """The gradient of Σ y·(x·w + b) for numbers rounded to float32, which does not depend on w."""
    columns = [*x.T, np.ones(len(x))]
    small = [[Fraction(float(np.float32(v))) for v in column] for column in (*columns, y)]
    return [sum((a * b for a, b in zip(column, small[-1], strict=True)), Fraction(0)) for column in small[:-1]]


def found(network: refnn.Network, *arguments: np.ndarray) -> Allowed:
    record = examine_allowed(network, *arguments)
    assert record is not None
    return record


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=5, max_size=7))
def test_sizes_and_errors_are_those_of_fractions(samples: list[tuple[float, ...]]) -> None:
    table = np.array(samples)
    x, y = table[:, :2].copy(), table[:, 2].copy()
    w = np.array([0.1, 0.2, 0.3])
    record = found(INNER, w, x, y)
    truth = in_fractions(x, y)
    floats = INNER.loss_and_gradient(*(a.astype(np.float32) for a in (w, x, y)))[1].tolist()
    assert record.sizes.tolist() == [abs(float(value)) for value in truth]  # Python rounds a fraction correctly
    errors = [abs(Fraction(a) - t) for a, t in zip(floats, truth, strict=True)]
    for error, exact, t in zip(record.errors.tolist(), errors, truth, strict=True):
        # the exact value is rounded to float64, and so is the difference
        assert abs(Fraction(error) - exact) <= abs(t) / 2**53 + exact / 2**52 + Fraction(1, 2**1074)
    assert (record.samples, record.elements, record.reference) == (len(table), 3, "exact")
    assert record.verdict != "disagrees"
    assert record.ratio <= 1
    assert all(e <= b for e, b in zip(errors, map(Fraction, record.bounds.tolist()), strict=True))
    k = NAMES.index(record.place)
    bound = Fraction(record.bounds.tolist()[k])
    assert abs(Fraction(record.ratio) * bound - errors[k]) <= errors[k] / 2**50 + bound / 2**1074  # four roundings
    assert record.decided == sum(abs(t) > b or t == b == 0 for t, b in zip(truth, record.bounds.tolist(), strict=True))


X, Y = np.array([[1.0, 2.0], [3.0, 5.0], [-2.0, 7.0]]), np.array([1.0, -1.0, 2.0])
W = np.array([0.5, 0.25, 1.0])


def shifted(monkeypatch: pytest.MonkeyPatch, k: int, by: float) -> None:
    """The gradient in float32, and nowhere else, with one element moved."""
    right = refnn.Network.loss_and_gradient

    def wrong(self: refnn.Network, w: Any, x: Any, y: Any) -> Any:
        loss, gradient = right(self, w, x, y)
        assert gradient.dtype == np.float32
        gradient[k] += np.float32(by)
        return loss, gradient

    monkeypatch.setattr(refnn.Network, "loss_and_gradient", wrong)


@pytest.mark.parametrize(("bounds", "verdict"), [(0.75, "agrees"), (1.5, "disagrees"), (1e9, "disagrees")])
def test_an_element_beyond_its_bound_disagrees_and_is_named(
    monkeypatch: pytest.MonkeyPatch, bounds: float, verdict: str
) -> None:
    """The gradient is (−6, 11, 2), without rounding, so that the shift is the error, but for its own rounding."""
    before = found(INNER, W, X, Y)
    assert (before.verdict, before.sizes.tolist(), before.ratio) == ("agrees", [6, 11, 2], 0)
    shifted(monkeypatch, 1, bounds * before.bounds[1])
    after = found(INNER, W, X, Y)
    assert (after.verdict, after.place) == (verdict, "0.weight[1, 0]")
    assert (after.ratio > 1) == (bounds > 1)
    assert after.errors[1] > 0
    assert after.errors[[0, 2]].tolist() == [0, 0]


def test_where_zeros_would_pass_nothing_is_known() -> None:
    """0.1 − 0.1 + 1e-13 and 1 − 1 + 1e-12: what is left is far below the spacing of float32 at 0.1, about 7e-9."""
    x, y = np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 5.0]]), np.array([1.0, -1.0, 1e-12])
    record = found(INNER, W, x, y)
    assert record.verdict == "undecided"
    assert record.ratio <= 1
    assert (record.sizes < record.bounds).tolist() == [True, False, True]
    assert record.decided == 1


def test_errors_that_constants_would_not_notice_are_counted() -> None:
    """A sum of 100·100 − 100·100 is off by about 1e-3; the constants allow 1e-5 and some millionths of its size."""
    x, y = np.array([[100.1, 1.0], [99.9, 2.0], [3.7, 5.0]]), np.array([100.1, -100.2, 0.3])
    record = found(INNER, W, x, y)
    constants = [Fraction("1e-5") + Fraction("1.3e-6") * Fraction(size) for size in record.sizes.tolist()]
    pass_twice = [2 * Fraction(b) <= c for b, c in zip(record.bounds.tolist(), constants, strict=True)]
    assert record.unnoticed == sum(pass_twice)
    assert pass_twice[0] is False
    small = found(INNER, W, x / 1000, y / 1000)
    assert small.unnoticed == 3
    assert max(small.bounds.tolist()) < 5e-6


def test_medians_are_of_bound_over_size_and_bfloat16_has_bounds_of_its_own() -> None:
    record = found(INNER, W, X, Y)
    coarse = refnn.tolerance(INNER, W, X, Y, precision="bfloat16").gradient.tolist()
    sizes = [6.0, 11.0, 2.0]
    assert record.relative == statistics.median(b / s for b, s in zip(record.bounds.tolist(), sizes, strict=True))
    assert record.bfloat16_relative == statistics.median(b / s for b, s in zip(coarse, sizes, strict=True))
    assert record.bfloat16_decided == sum(s > b for s, b in zip(sizes, coarse, strict=True))
    assert record.bfloat16_relative > 1000 * record.relative  # 2¹⁶ times the unit, less what float32 sums save


@pytest.mark.parametrize(
    ("w", "x", "y"),
    [([1e39, 0, 0], X, Y), (W, 1e39 * X, Y), (W, X, 1e39 * Y), (W, 1e30 * X, 1e30 * Y), (W, 1e200 * X, 1e200 * Y)],
)
def test_out_of_the_range_of_float32_there_is_nothing_to_say(w: Any, x: np.ndarray, y: np.ndarray) -> None:
    assert examine_allowed(INNER, np.array(w), x, y) is None


def test_of_many_elements_some_are_kept_and_the_worst_is_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    network = refnn.Network(refnn.Dense(3, 5), refnn.Tanh(), refnn.Dense(5, 2), loss=refnn.SoftmaxCrossEntropy())
    rng = np.random.default_rng(0)
    arguments = network.initial_parameters(rng=rng), rng.normal(size=(7, 3)), rng.integers(0, 2, size=7)
    whole = found(network, *arguments)
    assert len(whole.sizes) == whole.elements == network.size == 32
    monkeypatch.setattr(module, "ELEMENTS", 10)
    part = found(network, *arguments)
    assert (part.elements, part.decided, part.unnoticed) == (32, whole.decided, whole.unnoticed)
    ratios = (whole.errors / whole.bounds).tolist()
    kept = sorted(sorted(range(32), key=lambda k: -ratios[k])[::4])  # 32 elements in tens: every fourth
    assert part.sizes.tolist() == whole.sizes[kept].tolist()
    assert part.errors.tolist() == whole.errors[kept].tolist()
    assert part.bounds.tolist() == whole.bounds[kept].tolist()
    assert max(ratios) in [ratios[k] for k in kept]


def test_without_flint_the_truth_is_that_of_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = found(INNER, W, X, Y)
    hide_flint(monkeypatch)
    record = found(INNER, W, X, Y)
    assert (record.reference, record.verdict) == ("float64", "agrees")
    assert record.sizes.tolist() == exact.sizes.tolist()
    assert (record.bounds > exact.bounds).all()
