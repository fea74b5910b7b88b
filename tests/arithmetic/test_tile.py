"""The ball of a tile holds every value, the ball of its slope every difference quotient; and both say something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from refnn import arrays
from refnn.activations import ReLU
from refnn.arithmetic import tile as module
from refnn.arithmetic.ball import BallArray, working_precision
from refnn.arithmetic.dual import SLOPES
from refnn.arithmetic.tile import TileArray
from refnn.arrays import FloatArray, Root, where_positive
from refnn.errors import UnsupportedOperationError
from refnn.layers import Dense
from refnn.losses import InnerProduct
from refnn.network import Network
from refnn.oracle.certificate import certified_learning_rate
from tests.arithmetic.operations import CASES, OPERATIONS, Reals, arguments, escapes, name, parts, reals
from tests.arithmetic.test_ball import Text
from tests.definitions import M
from tests.laws.measures import examples
from tests.witnesses.cases import ACTIVATIONS, LOSSES
from tests.witnesses.cases import case as network_case

BITS = 128
DIGITS = 100
SLACK_BITS = 200
"""mpmath keeps 100 digits, some 332 bits; a difference quotient of numbers below 1e6 over 1e-12 keeps 260 of them."""

every_operation = pytest.mark.parametrize("operation", sorted(OPERATIONS, key=name), ids=name)


def ball(value: Any) -> BallArray:
    return BallArray.exact(np.asarray(value, dtype=np.float64))


def variable(length: float) -> TileArray:
    """t itself, on [0, length]."""
    return TileArray(ball(0), ball(length), ball(1), ball(length))


class Parabola(NamedTuple):
    """a + bt + ct², element by element: as a tile, and at real numbers t."""

    a: FloatArray
    b: FloatArray
    c: FloatArray

    @property
    def moves(self) -> bool:
        return bool(self.b.any() or self.c.any())

    def tile(self, t: TileArray) -> TileArray:
        """In tile arithmetic; a constant if nothing moves."""
        if not self.moves:
            return t.lift(self.a)
        curve: TileArray = t.lift(self.a) + t.lift(self.b) * t + t.lift(self.c) * t * t
        return curve

    def at(self, t: Any) -> Reals:
        return reals(self.a) + reals(self.b) * t + reals(self.c) * t * t


Program = Callable[..., Any]
"""Of arrays of any arithmetic, or of mpmath's numbers."""


def violations(
    program: Program, of_reals: Program, given_: list[Parabola], length: float, times: list[float]
) -> list[str]:
    """What the tile does not hold: its ends, values in between, difference quotients between any two of the times."""
    with working_precision(BITS):
        t = variable(length)
        results: list[TileArray] = parts(program(*(p.tile(t) for p in given_)))
        wholes, slopes = [r.whole for r in results], [r.moving for r in results]
    found: list[str] = []
    with M.workdps(DIGITS):
        moments = [M.mpf(0), *map(M.mpf, sorted(set(times))), M.mpf(length)]
        true = [parts(of_reals(*(p.at(s) for p in given_))) for s in moments]
        for k, (result, whole, slope) in enumerate(zip(results, wholes, slopes, strict=True)):
            values = [np.asarray(part[k], dtype=object) for part in true]
            assert result.shape == slope.shape == whole.shape == values[0].shape
            found += [f"start{e}" for e in escapes(result.start, values[0], SLACK_BITS)]
            found += [f"end{e}" for e in escapes(result.end, values[-1], SLACK_BITS)]
            found += [f"whole{e}" for value in values for e in escapes(whole, value, SLACK_BITS)]
            for i, before in enumerate(moments):
                for j in range(i):
                    quotient = np.asarray((values[i] - values[j]) / (before - moments[j]), dtype=object)
                    found += [f"slope{e}" for e in escapes(slope, quotient, SLACK_BITS)]
    return found


def curves(operation: Any, random: np.random.Generator, rounded: bool = False) -> list[Parabola]:
    """For each argument a constant, lines or parabolas; on [0, 1] none moves by as much as 0.25."""
    case = CASES[operation]
    found = []
    for k, a in enumerate(arguments(case, random)):
        kind = random.integers(0, 3)  # constant, line, parabola
        small = 0.12 if k in case.positive else float(random.choice([0.12, 2.0]))
        b, c = (random.uniform(-small, small, a.shape) for _ in range(2))
        if rounded and k not in case.positive:
            a, b = np.rint(a), np.rint(b)
        found.append(Parabola(a, b if kind else 0 * a, c if kind == 2 else 0 * a))
    return found


def continuous(operation: Any) -> tuple[Program, Program, int]:
    """The operation on tiles and on real numbers, and how many arguments it has; `where_positive` so that it joins."""
    case = CASES[operation]
    if operation is arrays.where_positive:

        def joined(z: Any, a: Any, b: Any) -> Any:
            return operation(z, a, a + b * z)

        return joined, lambda z, a, b: case.on_reals(z, a, a + b * z), 3
    return lambda *a: operation(*a, *case.rest), lambda *a: case.on_reals(*a, *case.rest), len(case.shapes)


lengths = st.sampled_from([1.0, 0.3, 2.0**-10, 1e-6])
fractions_of = st.lists(st.sampled_from([0.001, 0.1, 0.25, 0.5, 0.618, 0.9, 0.999]), min_size=2, max_size=3)


# ------------------------------------------------------------------------------------------------------------ inclusion


def test_every_operation_has_a_rule() -> None:
    assert set(TileArray.rules) == OPERATIONS


@every_operation
@given(seed=st.integers(0, 2**32 - 1), length=lengths, among=fractions_of)
@examples(0.6)
def test_values_and_difference_quotients_are_held(operation: Any, seed: int, length: float, among: list[float]) -> None:
    random = np.random.default_rng(seed)
    program, of_reals, _ = continuous(operation)
    given_ = curves(operation, random)
    assert violations(program, of_reals, given_, length, [f * length for f in among]) == []


KINKED = (np.maximum, np.minimum, arrays.where_positive)


@pytest.mark.parametrize("operation", KINKED, ids=name)
@given(seed=st.integers(0, 2**32 - 1), length=lengths, among=fractions_of)
def test_values_and_difference_quotients_are_held_at_kinks(
    operation: Any, seed: int, length: float, among: list[float]
) -> None:
    """Lines and parabolas from whole numbers, with whole slopes: many start on the kink, and some stay there."""
    random = np.random.default_rng(seed)
    program, of_reals, _ = continuous(operation)
    given_ = curves(operation, random, rounded=True)
    assert violations(program, of_reals, given_, length, [f * length for f in among]) == []


@every_operation
def test_whatever_is_wrong_by_one_is_caught(operation: Any) -> None:
    """On a tile so short that no ball is as wide as 1."""
    program, of_reals, _ = continuous(operation)
    given_ = curves(operation, np.random.default_rng(83))
    given_ = [Parabola(p.a, p.b + 0.0625, p.c) for p in given_]  # nothing is constant

    length, times = 2.0**-10, [2.0**-11]
    assert violations(program, of_reals, given_, length, times) == []
    for part, shows in PARTS.items():

        def wrong(*of: TileArray, part: str = part) -> list[TileArray]:
            return [
                replace(r, **{part: (r.whole if part == "around" else getattr(r, part)) + 1})
                for r in parts(program(*of))
            ]

        assert any(found.startswith(shows) for found in violations(wrong, of_reals, given_, length, times))


PARTS = {"start": "start", "end": "end", "around": "whole", "slope": "slope"}
"""Where a fault of a tile's part shows."""

FORGETS: dict[Any, Callable[[TileArray, TileArray], BallArray]] = {
    np.add: lambda a, b: a.moving,
    np.subtract: lambda a, b: a.moving + b.moving,
    np.multiply: lambda a, b: a.moving * b.whole,
    np.divide: lambda a, b: a.moving / b.whole,
    np.matmul: lambda a, b: a.whole @ b.moving,
    np.maximum: lambda a, b: a.moving,
    np.minimum: lambda a, b: b.moving,
}
"""Slopes with a term forgotten, or a sign, or a side."""


@pytest.mark.parametrize("operation", sorted(FORGETS, key=name), ids=name)
def test_a_forgotten_term_is_caught(operation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    program, of_reals, _ = continuous(operation)
    case, random = CASES[operation], np.random.default_rng(71)
    given_ = [Parabola(a, random.uniform(0.25, 0.5, a.shape) / 4, 0 * a) for a in arguments(case, random)]
    assert violations(program, of_reals, given_, 0.125, [0.0625]) == []
    rule = TileArray.rules[operation]

    def wrong(a: TileArray, b: TileArray) -> TileArray:
        r = rule(a, b)
        slope = BallArray(np.broadcast_to(FORGETS[operation](a, b).elements, r.shape))
        return TileArray(r.start, r.end, slope, r.length)

    monkeypatch.setattr(TileArray, "rules", {**TileArray.rules, operation: wrong})
    assert violations(program, of_reals, given_, 0.125, [0.0625]) != []


def test_a_range_that_is_that_of_its_ends_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    bump = Parabola(np.zeros(1), np.ones(1), -np.ones(1))

    def same(z: Any) -> Any:
        return z

    assert violations(same, same, [bump], 1.0, [0.5]) == []
    monkeypatch.setattr(module, "_range", lambda start, end, slope, length: start.union(end))
    assert violations(same, same, [bump], 1.0, [0.5]) != []


# ---------------------------------------------------------------------------------------------------------------- kinks


def line(start: float, slope: float, length: float = 1.0) -> TileArray:
    """start + slope·t."""
    with working_precision(BITS):
        at = ball(start) + ball(slope) * ball(length)
        return TileArray(ball(start), at, ball(slope), ball(length))


def side(z: TileArray) -> str:
    with working_precision(BITS):
        element = z.side.elements.item()
    return "positive" if element == 1 else "not positive" if element == 0 else "either"


SLOPED = (0.75, 1 / 3, 0.1, 7.0, 1e-200, 1e200)


@pytest.mark.parametrize("slope", SLOPED)
def test_a_line_that_starts_at_zero_goes_where_its_slope_says(slope: float) -> None:
    assert side(line(0.0, slope)) == "positive"
    assert side(line(0.0, -slope)) == "not positive"


@pytest.mark.parametrize("slope", SLOPED)
def test_a_line_that_ends_at_zero_comes_from_where_its_slope_says(slope: float) -> None:
    assert side(line(slope, -slope)) == "positive"
    assert side(line(-slope, slope)) == "not positive"


def test_the_side_of_other_functions() -> None:
    assert side(line(1.0, 1.0)) == "positive"
    assert side(line(-1.0, 0.5)) == "not positive"
    assert side(line(-1.0, 2.0)) == "either"
    assert side(line(1.0, -2.0)) == "either"
    assert side(line(0.0, 0.0)) == "not positive"
    t = variable(1.0)
    assert side(t.lift(0)) == "not positive"  # constants
    assert side(t.lift(2)) == "positive"
    assert side(t.lift(-2)) == "not positive"
    with working_precision(BITS):
        bump = t * (1 - t)
    assert side(bump) == "either"  # it is positive, but its slope has both signs and its ends are zero


@pytest.mark.parametrize(("start", "slope"), [(0.0, -1 / 3), (0.0, 1 / 3), (-0.7, 0.7), (0.7, -0.7)])
def test_a_unit_that_leaves_its_kink_has_one_slope(start: float, slope: float) -> None:
    with working_precision(BITS):
        z = line(start, slope)
        up, cut = arrays.maximum(z, 0).slope, arrays.minimum(z, 0).slope
        chosen = where_positive(z, 3 * z, 5 * z).slope
    assert up is not None
    assert cut is not None
    assert chosen is not None
    positive = start > 0 or (start == 0 and slope > 0)
    exact = [slope, 0.0, 3 * slope] if positive else [0.0, slope, 5 * slope]
    # a product by a small integer rounds once, by 2^−53 in floats and 2^−128 in balls
    for found, expected in zip((up, cut, chosen), exact, strict=True):
        assert abs(found.midpoint - expected) <= abs(expected) * 2.0**-52
        assert found.radius <= abs(expected) * 2.0**-52


def test_a_unit_that_crosses_its_kink_has_the_slopes_of_both_sides() -> None:
    up = 2.0**-28  # what a radius below 1 may be rounded up by, twice
    with working_precision(BITS):
        slope = arrays.maximum(line(-0.5, 1.0), 0).moving
    assert -up <= slope.lower <= 0
    assert 1 <= slope.upper <= 1 + up


# ------------------------------------------------------------------------------------------------------------ constants


def test_constants_do_not_move() -> None:
    t = variable(0.5)
    for value in (2, 0.1, Fraction(1, 3), np.array([[0.5, 7.0]]), Root(Fraction(1, 2)), ball([1.0, 2.0])):
        constant = t.lift(value)
        assert constant.slope is None
        assert constant.start is constant.end
        assert constant.whole is constant.start
        assert constant.length is t.length
        assert constant.depth == 1
        assert not constant.moving.midpoint.any()
        assert constant.moving.shape == constant.shape == constant.start.shape


CONSTANT = OPERATIONS - {np.maximum, np.minimum, arrays.where_positive, arrays.split, arrays.join}
"""The operations whose result of constants says that it is one; those of the others have slopes that are 0."""


@every_operation
def test_of_constants_comes_what_does_not_move(operation: Any) -> None:
    case, t = CASES[operation], variable(0.5)
    drawn = arguments(case, np.random.default_rng(73))
    with working_precision(BITS):
        results = parts(operation(*map(t.lift, drawn), *case.rest))
        true = parts(operation(*map(BallArray.exact, drawn), *case.rest))
    for result, expected in zip(results, true, strict=True):
        assert result.start.text().tolist() == result.end.text().tolist() == expected.text().tolist()
        assert (result.slope is None) == (operation in CONSTANT)
        assert not result.moving.midpoint.any()
        assert not result.moving.radius.any()
        assert result.moving.shape == result.shape


def test_a_tile_meets_numbers_floats_and_balls() -> None:
    t = variable(0.5)
    with working_precision(BITS):
        for sum_ in (t + 2, 2 + t, t + np.array(2.0), np.array(2.0) + t, t + ball(2), ball(2) + t):
            assert isinstance(sum_, TileArray)
            assert (float(sum_.start.midpoint), float(sum_.end.midpoint)) == (2.0, 2.5)
            assert sum_.slope is not None
            assert float(sum_.slope.midpoint) == 1
        wide = t + np.array([[1.0, 2.0]])  # a constant of more elements
    assert wide.shape == (1, 2)
    assert wide.slope is not None
    assert wide.slope.shape == (1, 2)


def test_an_operation_without_a_rule_says_so() -> None:
    with pytest.raises(UnsupportedOperationError, match="sin was called on TileArray"):
        np.sin(variable(1.0))


def test_fields() -> None:
    z = TileArray(ball(np.zeros((2, 3))), ball(np.ones((2, 3))), ball(np.ones((2, 3))), ball(1))
    assert z.shape == (2, 3)
    assert z.T.shape == (3, 2)
    assert z.depth == 1
    assert z.dtype == np.float64
    assert z.whole is z.whole
    assert arrays.within(z, 100) is z


# ------------------------------------------------------------------------------------------------------ range and order


def extremes(start: Fraction, end: Fraction, least: Fraction, largest: Fraction, length: Fraction) -> list[Fraction]:
    """The least and the largest value of any function with these ends and slopes between these, by its definition.

    No such function is above start + largest·t, nor above end + least·(t − length), and the lesser of the two is such a
    function. It is concave and made of two lines, so that it is largest at an end or where they meet.
    """

    def top(start: Fraction, end: Fraction, least: Fraction, largest: Fraction) -> Fraction:
        meeting = (end - start - least * length) / (largest - least) if largest != least else Fraction(0)
        return max(min(start + largest * t, end + least * (t - length)) for t in (Fraction(0), meeting, length))

    return [-top(-start, -end, -largest, -least), top(start, end, least, largest)]


HALF = Fraction(1, 2)
RANGES = [  # start, end, least and largest slope, length; and what a drawing shows
    ((0, 0, -1, 1, 1), (-HALF, HALF)),
    ((0, 1, 1, 1, 1), (0, 1)),
    ((0, 1, 0, 2, 1), (0, 1)),
    ((1, 0, -3, 0, 1), (0, 1)),
    ((0, 1, -1, 3, 1), (Fraction(-1, 2), Fraction(3, 2))),
    ((0, 1, -1, 1, 1), (0, 1)),
    ((2, 2, -1, 3, 4), (-1, 5)),
    ((-1, 1, -2, 4, 1), (Fraction(-5, 3), Fraction(5, 3))),
    ((5, 5, 0, 0, 3), (5, 5)),
    ((0, 0, Fraction(-1, 1024), 1, 1), (Fraction(-1, 1025), Fraction(1, 1025))),
]


@pytest.mark.parametrize(("asked", "drawing"), RANGES)
def test_the_range_is_that_of_all_functions_with_these_ends_and_slopes(asked: Any, drawing: Any) -> None:
    start, end, least, largest, length = map(Fraction, asked)
    assert extremes(start, end, least, largest, length) == list(drawing)
    with working_precision(BITS):
        slope = BallArray(np.array(arb(float(least)).union(arb(float(largest))), dtype=object))
        whole = TileArray(ball(float(start)), ball(float(end)), slope, ball(float(length))).whole
    for bound, true, sign in ((whole.lower, drawing[0], -1), (whole.upper, drawing[1], 1)):
        excess = sign * (Fraction(float(bound)) - true)
        # Radii below 8 are rounded up by 2^−27 at each of four steps. Where a slope is 0 at most, the ball around the
        # slopes may pass 0 by 2^−28, and the lines with it.
        assert 0 <= excess <= Fraction(1, 2**24)


def test_what_a_range_of_wide_ends_holds() -> None:
    with working_precision(BITS):
        wide = BallArray(np.array(arb(0).union(arb(1)), dtype=object))
        slope = BallArray(np.array(arb(-1).union(arb(1)), dtype=object))
        whole = TileArray(wide, wide, slope, ball(1)).whole
    assert whole.lower <= -0.5
    assert whole.upper >= 1.5
    assert whole.radius <= 1 + 2.0**-24  # radii below 2 are rounded up by 2^−29, at less than sixteen steps


def excess(program: Program, center: float, length: float, summit: Any) -> float:
    """By how much the ball of values passes the summit, over a tile with the summit in its middle."""
    with working_precision(BITS):
        t = line(center - length / 2, 1.0, length)
        whole = program(t).whole
        return float(whole.elements.item().upper() - summit)


def test_a_parabola_is_passed_by_a_quarter_of_its_bend() -> None:
    """The slope of t(1 − t) over ½ ± h/2 is within ±h, and the values at the ends are ¼ − h²/4: lines of slope h rise
    by h²/2 from there, so that the summit ¼ is passed by h²/4."""
    for length in (0.5, 0.25, 0.125, 2.0**-10):
        with working_precision(BITS):
            passed = excess(lambda t: t * (1 - t), 0.5, length, arb(0.25))
        assert abs(passed - length**2 / 4) <= 2.0**-28  # radii below ½ are rounded up by 2^−31, eight times at most


@pytest.mark.parametrize("operation", sorted(SLOPES, key=name), ids=name)
def test_half_the_tile_has_a_quarter_of_the_excess(operation: Any) -> None:
    """f(½ + t − t²) has its summit (where it falls, the floor) at t = ½. Its slope is f′(z)(1 − 2t), where f′ changes
    by O(h²) over the tile, so that the excess is |f′|h²/4·(1 + ch² + O(h⁴)): a quarter for half the length, but for
    what is of second order, too. So the quotient of two excesses is 4 but for a rest that a quarter is left of when the
    length is halved, and that less than half is left of tells it from a quotient that goes elsewhere, or slower."""
    sign = -1 if operation in (arrays.erfc, arrays.sech_squared, arrays.expit_slope) else 1
    with working_precision(BITS):
        summit = sign * operation(ball(0.75)).elements.item()
        found = [
            excess(lambda t: sign * operation(t * (1 - t) + t.lift(0.5)), 0.5, length, summit)
            for length in (2.0**-4, 2.0**-5, 2.0**-6, 2.0**-7)
        ]
    assert found[-1] > 0
    rests = [abs(long / short - 4) for long, short in pairwise(found)]
    assert all(short < long / 2 for long, short in pairwise(rests))


# ------------------------------------------------------------------------------------------------------- whole networks


@pytest.mark.unmeasured
@pytest.mark.parametrize("length", [0.25, 2.0**-10])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_the_loss_along_a_line_is_held(activation: Any, loss: Any, length: float) -> None:
    assert _line_violations(activation, loss, length) == []


def _line_violations(activation: Any, loss: Any, length: float) -> list[str]:
    network, w, x, y = network_case(activation, loss, seed=79)
    g = network.loss_and_gradient(w, x, y)[1]
    g = g / float(np.abs(g).max())
    low = 0.125
    with working_precision(BITS):
        first, last = (ball(w) - ball(t) * ball(g) for t in (low, low + length))
        phi: TileArray = network.loss(TileArray(first, last, -ball(g), ball(length)), x, y)
        whole, slope = phi.whole, phi.moving
    text = Text(network, x, y, w)
    number = text.m.number
    moments = [number(low + f * length) for f in (0, 0.125, 0.5, 0.875, 1)]
    rows = [[number(v) for v in row] for row in x.tolist()]
    values = [
        np.array(text([number(a) - t * number(b) for a, b in zip(w, g, strict=True)], rows)[1], object) for t in moments
    ]
    found = [f"start{e}" for e in escapes(phi.start, values[0], SLACK_BITS)]
    found += [f"end{e}" for e in escapes(phi.end, values[-1], SLACK_BITS)]
    found += [f"whole{e}" for value in values for e in escapes(whole, value, SLACK_BITS)]
    for i, t in enumerate(moments):
        for j in range(i):
            quotient = np.asarray((values[i] - values[j]) / (t - moments[j]), dtype=object)
            found += [f"slope{e}" for e in escapes(slope, quotient, SLACK_BITS)]
    assert np.isfinite(float(whole.radius))
    assert np.isfinite(float(slope.radius))
    return found


def test_a_slope_that_takes_every_unit_for_positive_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = LOSSES[0]
    assert _line_violations(ReLU(), loss, 0.25) == []
    rule = TileArray.rules[np.maximum]

    def wrong(a: TileArray, b: TileArray) -> TileArray:
        r = rule(a, b)
        return TileArray(r.start, r.end, a.moving, r.length)

    monkeypatch.setattr(TileArray, "rules", {**TileArray.rules, np.maximum: wrong})
    assert _line_violations(ReLU(), loss, 0.25) != []


def test_the_loss_of_a_network_with_a_unit_on_its_kink() -> None:
    """L = relu(0 − t·g)·2 by hand: for g = −1 it rises by 2 at once, for g = 1 it stays 0."""
    network = Network(Dense(1, 1), ReLU(), Dense(1, 1), loss=InnerProduct())
    w = np.array([0.0, 0.0, 2.0, 0.0])
    for sign, slope in ((1.0, 2.0), (-1.0, 0.0)):
        direction = np.array([sign / 4, 0.0, 0.0, 0.0])
        with working_precision(BITS):
            moving = TileArray(ball(w), ball(w) + ball(direction), ball(direction), ball(1))
            phi: TileArray = network.loss(moving, [[4.0]], [[1.0]])
        assert phi.slope is not None
        assert phi.slope.midpoint == slope
        assert phi.slope.radius == 0


RELU = Network(Dense(1, 1), ReLU(), loss=InnerProduct())
STANDS = ([1.0, 0.0], [[0.0], [1.0]], [[-5.0], [1.0]])
"""L(w, b) = −5 relu(b) + relu(w + b) at (1, 0): the unit stands on its kink for the first sample."""


def test_a_loss_that_falls_from_a_kink_is_certified() -> None:
    """The gradient is (1, 1), for relu′(0) = 0; and b falls, so that L is relu(1 − 2η), below 1 from there on."""
    assert certified_learning_rate(RELU, *STANDS, limit=10.0).rate == 10


def test_a_certificate_from_a_kink_holds() -> None:
    """With relu′(0) = 1 the gradient is (1, −4); b rises, and L is 1 + 3η − 20η."""
    certificate = certified_learning_rate(RELU, *STANDS, gradient=[1.0, -4.0], limit=10.0)
    assert certificate.rate == 10
    assert certificate.holds()
