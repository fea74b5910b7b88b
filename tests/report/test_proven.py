"""What is proven of a gradient: against fractions, and against parabolas that are known."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, fmpq
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn.arithmetic.ball import BallArray, working_precision
from refnn.arithmetic.rounded import RoundedArray
from refnn.report import proven
from refnn.report.measure import no_progress
from refnn.report.proven import Descent, element_name, examine_descent, examine_rounding
from tests.bounds import misses
from tests.definitions import exact, outside
from tests.laws.measures import number

LINEAR = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
NUMBERS = st.floats(-100, 100).filter(lambda v: v == 0 or abs(v) > 1e-30)


def exactly(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[Fraction]:
    """The gradient of (1/N) Σ ½(x·w + b − y)² in fractions."""
    a, b, c = map(Fraction, w.tolist())
    rows = [[*map(Fraction, row)] for row in x.tolist()]
    residuals = [a * r[0] + b * r[1] + c - Fraction(t) for r, t in zip(rows, y.tolist(), strict=True)]
    ones = [[*row, Fraction(1)] for row in rows]
    return [sum((d * row[k] for d, row in zip(residuals, ones, strict=True)), Fraction(0)) / len(x) for k in range(3)]


# ------------------------------------------------------------------------------------------------- the exact gradient


@given(
    st.lists(NUMBERS, min_size=3, max_size=3), st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=5, max_size=7)
)
def test_the_error_of_a_linear_network_is_that_of_fractions(w: list[float], samples: list[tuple[float, ...]]) -> None:
    table = np.array(samples)
    arguments = np.array(w), table[:, :2].copy(), table[:, 2].copy()
    found = examine_rounding(LINEAR, *arguments)
    truth, floats = exactly(*arguments), LINEAR.evaluate(*arguments).gradient.tolist()
    nearest = [float(value) for value in truth]  # Python rounds a fraction correctly
    assert found.correct == sum(a == b for a, b in zip(nearest, floats, strict=True))
    assert (found.samples, found.elements, found.undecided) == (len(table), 3, 0)
    assert found.missed == sum(a == 0 != b for a, b in zip(nearest, floats, strict=True))
    errors = [
        abs(Fraction(f) - t) / Fraction(math.ulp(n)) if n else Fraction(-1)
        for f, t, n in zip(floats, truth, nearest, strict=True)
    ]
    if max(errors) < 0:
        assert found.ulps is None
        return
    k = [f"0.weight[{i}, 0]" for i in range(2)].index(found.place) if "weight" in found.place else 2
    assert found.place in {"0.weight[0, 0]", "0.weight[1, 0]", "0.bias[0]"}
    assert found.ulps is not None
    assert max(errors) <= Fraction(found.ulps) <= rounded_up(errors[k], nearest[k], arguments, k)
    assert found.computed == floats[k]
    assert is_nearest(found.exact, truth[k])
    assert found.ratio <= 1


def rounded_up(error: Fraction, nearest: float, arguments: tuple[Any, ...], k: int) -> Fraction:
    """The most that an error, in ulps, may be shown as: the difference of a float and a ball, as a float, upwards.

    Twice the radius of the ball, which Arb rounds up to 30 bits in the ball and in the difference (and 3 is more than 2
    with both); what the difference is rounded by at 128 bits, twice; and the spacing of floats, 2⁻⁵² of it.
    """
    radius = refnn.exact(LINEAR, *arguments).enclosures.gradient.elements[k].rad()
    mantissa, exponent = map(int, radius.man_exp())
    return error * (1 + Fraction(1, 2**51)) + 3 * mantissa * Fraction(2) ** exponent / Fraction(math.ulp(nearest))


def is_nearest(text: str, value: Fraction) -> bool:
    """Whether a decimal of 17 digits is nearest to a value, or next to nearest by the error of its ball.

    Only a ball of 68 bits is written in digits, and a number of 17 is less than 10¹⁷ of its last units.
    """
    unit = Fraction(10) ** (int(text.partition("e")[2]) - 16)
    return len(text.lstrip("-").partition("e")[0]) == 18 and abs(Fraction(text) - value) <= unit * (
        Fraction(1, 2) + Fraction(10**17, 2**68)
    )


def shifted(monkeypatch: pytest.MonkeyPatch, k: int, by: float) -> None:
    """The gradient in floats, and nowhere else, with one element moved."""
    evaluate = refnn.Network.evaluate

    def wrong(self: refnn.Network, w: Any, x: Any, y: Any) -> Any:
        right = evaluate(self, w, x, y)
        if isinstance(right.gradient, np.ndarray):
            right.gradient[k] += by
        return right

    monkeypatch.setattr(refnn.Network, "evaluate", wrong)


X, Y = np.array([[1.0, 2.0], [3.0, 5.0], [-2.0, 7.0]]), np.array([1.0, -1.0, 2.0])
W = np.array([0.5, 0.25, 1.0])


def test_an_error_of_one_element_is_measured_named_and_out_of_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    before = examine_rounding(LINEAR, W, X, Y)
    assert before.ratio <= 1
    exact = exactly(W, X, Y)[1]
    step = math.ulp(float(exact))
    shifted(monkeypatch, 1, 1000 * step)
    found = examine_rounding(LINEAR, W, X, Y)
    assert found.place == "0.weight[1, 0]"
    assert found.computed == float(exact) + 1000 * step
    error = (Fraction(found.computed) - exact) / Fraction(step)  # up to half an ulp from 1000
    assert found.ulps is not None
    assert error <= Fraction(found.ulps) <= rounded_up(error, float(exact), (W, X, Y), 1)
    assert is_nearest(found.exact, exact)
    assert found.ratio > 1  # of some ten roundings
    assert found.correct < 3


def test_a_zero_that_floats_miss_is_counted_and_has_no_ulps(monkeypatch: pytest.MonkeyPatch) -> None:
    network = refnn.Network(refnn.Dense(2, 1), loss=refnn.InnerProduct())
    x, y = np.array([[1.0, 0.0], [3.0, 0.0], [5.0, 0.0]]), np.array([1.0, 2.0, 4.0])
    assert examine_rounding(network, W, x, y).missed == 0
    shifted(monkeypatch, 1, 1e-20)
    found = examine_rounding(network, W, x, y)
    assert found.missed == 1
    assert found.ratio > 1e300  # below the normal range a product with 0 may be off by a smallest number, or three
    assert found.place != "0.weight[1, 0]"
    assert found.ulps is not None
    assert found.ulps <= 1


def test_a_gradient_of_zeros_has_no_ulps_and_agrees() -> None:
    found = examine_rounding(LINEAR, np.zeros(3), X, np.zeros(3))
    assert (found.ulps, found.missed, found.correct, found.ratio) == (None, 0, 3, 0)


def test_what_cannot_be_rounded_is_counted_and_left_out() -> None:
    """The gradient by the weight is (1 + 2⁻⁵³)·tanh(1e300): the border between two floats, less far too little."""
    network = refnn.Network(refnn.Tanh(), refnn.Dense(1, 1), loss=refnn.InnerProduct())
    x, y = np.array([[1e300], [1e300], [0.3]]), np.array([1.0, 2.0**-53, 0.0])
    found = examine_rounding(network, np.array([1.0, 2.0]), x, y)
    assert (found.undecided, found.correct, found.bits, found.place) == (1, 1, 4096, "1.bias[0]")
    assert found.ratio <= 1


def test_what_cancels_exactly_is_zero() -> None:
    """The gradient by the weight is tanh(½) − tanh(½) + 0·tanh(3/10); for floats, too."""
    network = refnn.Network(refnn.Tanh(), refnn.Dense(1, 1), loss=refnn.InnerProduct())
    found = examine_rounding(network, np.array([1.0, 2.0]), np.array([[0.5], [0.5], [0.3]]), np.array([1.0, -1.0, 0.0]))
    assert (found.undecided, found.correct, found.missed, found.ulps) == (0, 2, 0, None)


@pytest.mark.parametrize(
    ("ball", "text"),
    [
        ((fmpq(-12345678901234567, 10**21), 0), "-1.2345678901234567e-05"),
        ((fmpq(-1, 2), 0), "-5.0000000000000000e-01"),
        ((3 * 2**1000, 0), f"{3 * 2.0**1000:.16e}"),
        ((0, 0), "0"),
        ((0, 1e-300), "[+/- 1.01e-300]"),
        ((1, 1e-10), "[1.000000000 +/- 1.01e-10]"),
    ],
)
def test_exact_values_are_written_like_floats_and_unknown_ones_as_balls(ball: Any, text: str) -> None:
    with working_precision(128):
        assert proven._decimal(BallArray(np.array([arb(*ball)], object)), 0) == text


def test_elements_are_named_by_parameter_and_index() -> None:
    network = refnn.Network(refnn.Dense(2, 3), refnn.Tanh(), refnn.Dense(3, 5), loss=refnn.SquaredError())
    names = [element_name(network, k) for k in range(network.size)]
    assert len(set(names)) == network.size
    assert (names[0], names[4], names[8], names[9 + 5 * 1 + 3], names[-1]) == (
        "0.weight[0, 0]",
        "0.weight[1, 1]",
        "0.bias[2]",
        "2.weight[1, 3]",
        "2.bias[4]",
    )
    with pytest.raises(IndexError):
        element_name(network, network.size)


# --------------------------------------------------------------------------------------------------- along one step

LINE = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())


def test_the_boxes_hold_a_parabola_that_is_known() -> None:
    """L(w, b) = ½(3w + b − 6)² from 0, along its gradient: φ(η) = ½(6 − 60η)², at its start again where η = 1/5."""
    told: list[float] = []
    found = examine_descent(LINE, np.zeros(2), np.array([[3.0]]), np.array([6.0]), told.append)

    def phi(eta: float) -> Fraction:
        return (6 - 60 * Fraction(eta)) ** 2 / 2

    assert Fraction(found.rate) < Fraction(1, 5) <= Fraction(found.beyond)
    assert (found.samples, found.reason, found.holds, found.start, found.wide) == (1, "crossing", True, 18, False)
    assert found.sentence.startswith("every learning rate in (0, 0.1999")
    assert [found.boxes[0].low, *(box.high for box in found.boxes)] == [
        *(box.low for box in found.boxes),
        found.rate,
    ]
    for box in found.boxes:
        ends = phi(box.low), phi(box.high)
        assert Fraction(box.least) <= min(ends) <= max(ends) <= Fraction(box.largest)
        if box.falls:
            assert box.high < 0.1
        else:
            assert box.largest < 18
    assert found.boxes[0].falls
    assert any(not box.falls for box in found.boxes)
    assert found.rates[-1] == 1.3 * found.beyond  # the picture goes on a little past where the proof ends
    assert found.rates[0] > 0
    for rate, loss in zip(found.rates, found.losses, strict=True):
        w = RoundedArray.exact(np.zeros(2)) - number(rate) * RoundedArray.exact(np.array([-18.0, -6.0]))
        rounded = LINE.loss(w, np.array([[3.0]]), np.array([6.0]))
        assert loss == rounded.value
        assert misses(rounded, phi(rate)) == []
    assert told == sorted(told)
    assert told[0] > 0
    assert told[-1] == 1


def test_where_the_loss_falls_without_end_the_rates_are_spaced_by_size() -> None:
    """Two classes, one sample of each: a line separates them."""
    network = refnn.Network(refnn.Dense(1, 2), loss=refnn.SoftmaxCrossEntropy())
    found = examine_descent(network, np.zeros(4), np.array([[1.0], [-3.0]]), np.array([0, 1]), no_progress)
    assert (found.reason, found.rate, found.beyond) == ("limit", 1e6, math.inf)
    assert found.wide
    assert found.rates[0] < found.boxes[0].high
    assert found.rates[-1] == 1.3e6
    # The bound is of as many roundings as with NumPy's logarithms to the base 10, of the same numbers times log 10.
    low, high = (RoundedArray.exact(end) for end in (found.rates[:1], found.rates[-1:]))
    ratio, size = exact(found.rates[-1]) / exact(found.rates[0]), len(found.rates)
    shares = [Fraction(k, size - 1) for k in range(size)]
    bound = np.exp(np.log(low) + (np.log(high) - np.log(low)) * np.arange(size) / (size - 1)).error
    assert outside(found.rates, [exact(found.rates[0]) * ratio ** exact(share) for share in shares], bound) == []
    assert found.losses[-1] == 0


def test_without_a_gradient_nothing_is_proven_and_the_losses_stay() -> None:
    found = examine_descent(LINE, np.zeros(2), np.array([[3.0]]), np.array([0.0]), no_progress)
    assert (found.reason, found.rate, found.boxes, found.wide) == ("zero gradient", 0, (), False)
    assert found.rates[-1] == 1.3
    assert (found.losses == found.start).all()


def test_a_step_out_of_the_range_of_floats_has_no_loss() -> None:
    """L = 1e305·w is linear: it falls for ever, and at the rate 1e6 the weight would be −1e616."""
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.InnerProduct())
    found = examine_descent(network, np.zeros(2), np.array([[1e150]]), np.array([1e155]), no_progress)
    assert found.rate > 0
    assert isinstance(found, Descent)
    assert np.isfinite(found.losses).any() or np.isnan(found.losses).all()
    assert math.isnan(found.losses[-1])


def test_a_certificate_that_takes_too_long_to_prove_again_is_neither_right_nor_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proven, "SEGMENTS", 1)
    found = examine_descent(LINE, np.zeros(2), np.array([[3.0]]), np.array([6.0]), lambda _: None)
    assert found.holds is None
    assert found.rate > 0
