"""Every ball holds the real numbers that it should, and little more; precision, constants, views; whole networks."""

from __future__ import annotations

import copy
import math
import pickle
import runpy
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from typing import Any

import flint
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn import activations, arrays
from refnn.arithmetic import ball as module
from refnn.arithmetic import dual
from refnn.arithmetic.ball import BallArray, working_precision
from refnn.arrays import FloatArray, Root
from refnn.errors import MissingExtraError, UndecidedError, UnsupportedOperationError
from refnn.witnesses import textbook
from tests.arithmetic.operations import (
    CASES,
    DIGITS,
    OPERATIONS,
    Case,
    Reals,
    arguments,
    as_real,
    escapes,
    name,
    parts,
    reals,
)
from tests.definitions import M
from tests.laws.measures import examples
from tests.witnesses.cases import ACTIVATIONS, LOSSES
from tests.witnesses.cases import case as network_case

every_operation = pytest.mark.parametrize("operation", sorted(OPERATIONS, key=name), ids=name)

ORDINARY = (0.0, 1.0, -1.0, 0.3, -0.7, 2.5, -8.0, 1e-12, -1e-12)
FAR = (*ORDINARY, 40.0, -40.0, 700.0, -700.0, 1e100, -1e100, 1e-100, -1e-100)
NARROW = float(module._NARROW)
RADII = (0.0, 1e-30, 1e-9, NARROW * 0.75, NARROW, NARROW * 1.5, 0.1, 3.0)

LIMITED = {
    arrays.erfc: ((*ORDINARY, 30.0, -30.0), 120, 300),  # mpmath takes long at 500 digits; its condition is below 1e4
    arrays.within: (ORDINARY, DIGITS, 900),  # beyond ±100 it is not the function that floats compute: see below
}
"""For an operation its midpoints, mpmath's digits and the slack, where they are not those of the others."""


def domain(operation: Any) -> tuple[tuple[float, ...], int, int]:
    return LIMITED.get(operation, (FAR, DIGITS, 900))


def balls(midpoints: FloatArray, radii: FloatArray) -> BallArray:
    pairs = zip(midpoints.ravel().tolist(), radii.ravel().tolist(), strict=True)
    flat = [arb(m, r) for m, r in pairs]
    return BallArray(np.array([*flat, None], dtype=object)[:-1].reshape(midpoints.shape))


def drawn(case: Case, operation: Any, random: np.random.Generator, radius: float | None = None) -> list[BallArray]:
    """Balls for each argument, from the midpoints and radii above."""
    found = []
    for k, shape in enumerate(case.shapes):
        midpoints = random.choice(domain(operation)[0], shape)
        if k in case.positive:
            midpoints = np.where(midpoints == 0, 0.25, np.abs(midpoints))
        radii = random.choice(RADII, shape) if radius is None else np.full(shape, radius)
        found.append(balls(midpoints, radii))
    return found


def point(ball: arb, fraction: float, positive: bool) -> Any:
    """Of a ball, the point at a fraction of its radius from the middle; the middle, if that point is not positive."""
    middle, radius = as_real(ball.mid()), as_real(ball.rad())
    at = middle + M.mpf(fraction) * radius
    return at if at > 0 or not positive else middle


def points(given_: list[BallArray], case: Case, choose: Callable[[], float]) -> list[Reals]:
    return [
        np.array([*(point(b, choose(), k in case.positive) for b in a.elements.flat), None], dtype=object)[:-1].reshape(
            a.shape
        )
        for k, a in enumerate(given_)
    ]


def missed(operation: Any, given_: list[BallArray], random: np.random.Generator, bits: int) -> list[str]:
    """What an operation does to points of balls, and does not hold in its result: at both ends, and in between."""
    case, (_, digits, slack_bits) = CASES[operation], domain(operation)
    with working_precision(bits):
        results = parts(operation(*given_, *case.rest))
    chosen: tuple[Callable[[], float], ...] = (
        lambda: 1.0,
        lambda: -1.0,
        lambda: float(random.choice([-1, 1])),
        lambda: float(random.uniform(-1, 1)),
    )
    found = []
    with M.workdps(digits):
        for choose in chosen:
            true = parts(case.on_reals(*points(given_, case, choose), *case.rest))
            for result, truth in zip(results, true, strict=True):
                assert result.shape == np.shape(truth)
                found += escapes(result, truth, slack_bits)
    return found


# ------------------------------------------------------------------------------------------------------------ inclusion


def test_every_operation_has_a_rule() -> None:
    assert set(BallArray.rules) == OPERATIONS


@every_operation
@given(seed=st.integers(0, 2**32 - 1), bits=st.sampled_from([24, 53, 64, 128]))
@examples(0.5)
def test_the_result_holds_every_point(operation: Any, seed: int, bits: int) -> None:
    random = np.random.default_rng(seed)
    assert missed(operation, drawn(CASES[operation], operation, random), random, bits) == []


@pytest.mark.unmeasured
@every_operation
@pytest.mark.parametrize("radius", RADII)
def test_the_result_holds_every_point_at_each_radius(operation: Any, radius: float) -> None:
    random = np.random.default_rng(37)
    assert missed(operation, drawn(CASES[operation], operation, random, radius), random, 64) == []


@every_operation
def test_a_result_without_radius_is_caught(operation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = BallArray.rules[operation]

    def wrong(*given_: Any) -> Any:
        result = rule(*given_)
        thin = [BallArray(np.asarray(np.frompyfunc(arb.mid, 1, 1)(r.elements), object)) for r in parts(result)]
        return thin if isinstance(result, list) else thin[0]

    random = np.random.default_rng(41)
    given_ = [
        balls(np.asarray(a), np.full(a.shape, 0.1)) for a in arguments(CASES[operation], random)
    ]  # of ordinary size, so that each is far from where the function is flat
    assert missed(operation, given_, random, 64) == []
    monkeypatch.setattr(BallArray, "rules", {**BallArray.rules, operation: wrong})
    assert missed(operation, given_, random, 64) != []


@pytest.mark.parametrize("operation", [np.exp, np.tanh, np.matmul, arrays.softplus, arrays.total], ids=name)
def test_a_radius_that_is_a_thousandth_too_small_is_caught(operation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = BallArray.rules[operation]

    def smaller(ball: arb) -> arb:
        return arb(ball.mid(), ball.rad() * (1 - arb(2) ** -10))

    def wrong(*given_: Any) -> BallArray:
        return BallArray(np.asarray(np.frompyfunc(smaller, 1, 1)(rule(*given_).elements), dtype=object))

    random = np.random.default_rng(43)
    positive = [np.abs(a) for a in arguments(CASES[operation], random)]  # so that sums and products rise in each
    given_ = [balls(a, np.full(a.shape, 1e-6)) for a in positive]
    if operation is not np.matmul:  # its second-order part, 1e-6 of the radius, is far smaller too
        given_ = [balls(a, np.full(a.shape, 1.0)) for a in positive]
    monkeypatch.setattr(BallArray, "rules", {**BallArray.rules, operation: wrong})
    assert missed(operation, given_, random, 128) != []


@given(seed=st.integers(0, 2**32 - 1), bits=st.sampled_from([30, 64, 128]))
def test_products_of_large_and_small_numbers_hold_every_point(seed: int, bits: int) -> None:
    """Rows and columns whose terms are 200 decimals apart, and cancel: Arb cuts its matrices into blocks by size."""
    random = np.random.default_rng(seed)
    a, b = (random.normal(0, 1, s) * 10.0 ** random.integers(-50, 50, s) for s in ((3, 11), (11, 5)))
    b[10], a[:, 10] = -b[9], a[:, 9]  # two terms that cancel
    given_ = [balls(m, np.abs(m) * random.choice([0, 1e-30, 1e-3], m.shape)) for m in (a, b)]
    assert missed(np.matmul, given_, random, bits) == []


@pytest.mark.parametrize("shapes", [((5,), (5,)), ((5,), (5, 3)), ((2, 5), (5,)), ((7, 2, 5), (5, 3))])
def test_products_with_vectors_and_stacks(shapes: tuple[tuple[int, ...], ...]) -> None:
    a, b = (np.arange(1.0, 1 + np.prod(s)).reshape(s) for s in shapes)
    product: Any = BallArray.exact(a) @ BallArray.exact(b)
    assert product.shape == (a @ b).shape
    assert product.midpoint.tolist() == (a @ b).tolist()  # whole numbers
    assert not product.radius.any()


def test_what_floats_cut_off_balls_keep() -> None:
    far = balls(np.array([1e300, -5.0]), np.array([1.0, 0.5]))
    assert arrays.within(far, 100) is far


def test_log_softmax_of_rows_that_may_be_in_any_order() -> None:
    random = np.random.default_rng(47)
    wide = balls(random.normal(0, 1, (3, 5)), np.full((3, 5), 4.0))
    assert missed(arrays.log_softmax, [wide], random, 64) == []
    same = balls(np.zeros((2, 3)), np.zeros((2, 3)))
    assert missed(arrays.log_softmax, [same], random, 64) == []


# ------------------------------------------------------------------------------------------------------------ tightness


@every_operation
@pytest.mark.parametrize("bits", [53, 128, 1000])
def test_thin_arguments_give_thin_results(operation: Any, bits: int) -> None:
    """Radii of at most 30 roundings, for each of which the sizes of the operands allow 2^−bits."""
    case = CASES[operation]
    exact = [BallArray.exact(a) for a in arguments(case, np.random.default_rng(11))]
    size = case.on_reals(*(reals(np.abs(a.midpoint)) for a in exact), *case.rest)
    if operation in (np.subtract, arrays.log_softmax, np.matmul):
        size = sum(float(np.abs(a.midpoint).max()) for a in exact) * max(s for a in exact for s in a.shape)
    with working_precision(bits):
        results = parts(operation(*exact, *case.rest))
    for result, scale in zip(results, parts(size), strict=True):
        limit = 30 * np.maximum(np.abs(result.midpoint), np.asarray(scale, dtype=np.float64))
        radii = np.array([float(b.rad() * arb(2) ** bits) for b in result.elements.flat]).reshape(result.shape)
        assert (radii <= limit).all()


SMALL_RISE = M.mpf(2) ** -26
"""Arb keeps 30 bits of a radius, and rounds it up at each of at most four steps."""

RISING = (np.exp, np.expm1, np.log, np.sqrt, np.tanh, arrays.expit, arrays.tanh_step, arrays.softplus, arrays.log_expit)


@pytest.mark.parametrize("operation", [*RISING, arrays.erfc], ids=name)
@pytest.mark.parametrize("radius", [NARROW, 1e-3, 0.1, 3.0])
def test_the_range_of_a_wide_ball_is_that_between_its_ends(operation: Any, radius: float) -> None:
    midpoints = np.array([-7.0, -0.5, 0.0, 0.25, 2.0, 11.0])
    if CASES[operation].positive:
        midpoints = np.array([3.125, 5.0, 70.0])
    wide = balls(midpoints, np.full(midpoints.shape, radius))
    with working_precision(128):
        result = operation(wide)
    with M.workdps(100):
        low, high = (points([wide], CASES[operation], partial(float, end)) for end in (-1, 1))
        ends = CASES[operation].on_reals(*low), CASES[operation].on_reals(*high)
        for ball, a, b in zip(result.elements.flat, *ends, strict=True):
            width = as_real(ball.rad())
            assert width <= abs(b - a) / 2 * (1 + SMALL_RISE) + (abs(a) + abs(b)) * M.mpf(2) ** -120


@pytest.mark.parametrize(("operation", "root"), [
    (arrays.sech_squared, M.sech),
    (arrays.expit_slope, lambda z: M.sech(z / 2) / 2),
], ids=["sech_squared", "expit_slope"])  # fmt: skip
@pytest.mark.parametrize(("low", "high"), [(-3.0, 1.0), (0.0, 0.0625), (-1e-3, 1e-3), (2.0, 2.5), (-9.0, -1.0)])
def test_the_range_of_a_square_counts_its_summit(operation: Any, root: Any, low: float, high: float) -> None:
    wide = BallArray(np.array([arb(low).union(high)], dtype=object))
    result = operation(wide).elements[0]
    values = [root(z) for z in (low, high, *([0.0] if low <= 0 <= high else []))]
    middle, half = (max(values) + min(values)) / 2, (max(values) - min(values)) / 2
    # the square of the ball middle ± half is middle² ± (2·middle·half + half²)
    assert as_real(result.rad()) <= (2 * middle * half + half * half) * (1 + 4 * SMALL_RISE) + M.mpf(2) ** -45


@pytest.mark.parametrize("radius", [1.0, 8.0, 15.0, 50.0, 500.0])
def test_log_softmax_of_a_wide_row_is_finite(radius: float) -> None:
    """Of the row m ± r with differences of m up to 2, no difference is beyond ±(2 + 2r), which bounds both terms of
    log p = d − log1p(Σ exp(d)); the sum has two terms, and radii are rounded up by far less than 1."""
    row = balls(np.array([[0.0, 1.0, 2.0]]), np.full((1, 3), radius))
    result = arrays.log_softmax(row)
    assert (result.upper <= 2 + 2 * radius + 1).all()
    assert (result.lower >= -(2 + 2 * radius) - (2 + 2 * radius + math.log(3)) - 1).all()


def hull(low: float, high: float) -> BallArray:
    return BallArray(np.array([arb(low).union(high)], dtype=object))


def test_both_sides_of_a_kink_are_held_where_the_side_is_not_known() -> None:
    """The ends are exact binary fractions; radii below 4 are rounded up by 2^−28 at each of at most four steps."""
    up = 2.0**-26

    def near(ball: BallArray, low: float, high: float) -> bool:
        return bool(low - up <= ball.lower[0] <= low and high <= ball.upper[0] <= high + up)

    straddling, a, b = hull(-0.5, 1.0), hull(2.0, 3.0), hull(-4.0, 2.5)
    assert near(arrays.maximum(straddling, 0), 0.0, 1.0)
    assert near(arrays.minimum(straddling, 0), -0.5, 0.0)
    assert near(arrays.maximum(a, b), 2.0, 3.0)
    assert near(arrays.minimum(a, b), -4.0, 2.5)
    assert near(arrays.where_positive(straddling, a, b), -4.0, 3.0)
    assert arrays.where_positive(hull(0.5, 1.0), a, b).elements[0] is a.elements[0]
    assert arrays.where_positive(hull(-1.0, -0.5), a, b).elements[0] is b.elements[0]
    assert arrays.where_positive(BallArray.exact(np.zeros(1)), a, b).elements[0] is b.elements[0]  # 0 is not positive


# ------------------------------------------------------------------------------------------------------------ constants

ROOTS = {root for module_ in (activations, dual) for root in vars(module_).values() if isinstance(root, Root)}
CONSTANTS = [*sorted(ROOTS, key=repr), Root(Fraction(9, 4)), Fraction(1, 3), Fraction(-22, 7), Fraction(3, 8)]


@pytest.mark.parametrize("value", CONSTANTS, ids=repr)
@pytest.mark.parametrize("bits", [2, 53, 128, 1000])
def test_a_constant_is_enclosed_at_every_precision(value: Root | Fraction, bits: int) -> None:
    with working_precision(bits):
        constant = arrays.constant(BallArray.exact(np.zeros(2)), value)
    with M.workdps(500):
        ratio = value.ratio if isinstance(value, Root) else value
        true = M.mpf(ratio.numerator) / ratio.denominator
        if isinstance(value, Root):
            true = M.sqrt(true * M.pi**value.pi_power)
        assert constant.shape == ()
        assert escapes(constant, np.array(true, dtype=object), 1500) == []
        # a quotient, a power of π, a product and a root round once or twice each, by 2^(1−bits) at most
        assert as_real(constant.elements.item().rad()) <= abs(true) * M.mpf(2) ** (4 - bits)


@pytest.mark.parametrize("value", [0, 3, -(2**200) - 1, 0.1, -1e300, 5e-324, np.float64(0.3), np.array([[0.1, -7.3]])])
def test_floats_and_integers_are_exact_at_every_precision(value: Any) -> None:
    with working_precision(2):
        lifted = BallArray.exact(np.zeros(2)).lift(value)
    assert lifted.shape == np.shape(value)
    with M.workdps(100):
        assert [as_real(b) for b in lifted.elements.flat] == [
            M.mpf(v) for v in (value.ravel().tolist() if isinstance(value, np.ndarray) else [value])
        ]
    assert all(b.is_exact() for b in lifted.elements.flat)


@pytest.mark.parametrize(
    "value", [np.float32(0.1), np.float16(0.1), np.int64(3), np.int32(-7), np.float64(0.1)], ids=repr
)
def test_numbers_of_numpy_are_numbers(value: Any) -> None:
    """As settings of layers and losses may be: they are finite real numbers, and accepted as such."""
    lifted = arrays.constant(BallArray.exact(np.zeros(2)), value)
    assert lifted.midpoint == float(value)
    assert lifted.elements.item().is_exact()
    network = refnn.Network(
        refnn.Dense(1, 1), refnn.LeakyReLU(value), loss=refnn.Huber(delta=abs(value), scale=abs(value))
    )
    assert np.isfinite(refnn.exact(network, [2.0, 1.0], [[3.0]], [[5.0]]).loss)


def test_single_precision_is_exact_too() -> None:
    z = BallArray.exact(np.array([0.1, 3e38], np.float32))
    assert z.midpoint.tolist() == np.array([0.1, 3e38], np.float32).tolist()
    assert z.radius.tolist() == [0, 0]
    assert z.dtype == np.float64


# ---------------------------------------------------------------------------------------------------- working precision


@contextmanager
def own_precision(bits: int) -> Iterator[None]:
    """A user's precision, which must be what it was."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
        assert flint.ctx.prec == bits
    finally:
        flint.ctx.prec = before


def test_the_precision_is_set_and_restored() -> None:
    with own_precision(71):
        with working_precision(100):
            assert flint.ctx.prec == 100
            with working_precision(200):
                assert flint.ctx.prec == 200
            assert flint.ctx.prec == 100
            with pytest.raises(ZeroDivisionError), working_precision(300):
                raise ZeroDivisionError
            assert flint.ctx.prec == 100
        with pytest.raises(KeyboardInterrupt), working_precision(100):
            raise KeyboardInterrupt


def test_a_precision_that_there_is_not_leaves_the_lock_open() -> None:
    with own_precision(71):
        with pytest.raises(ValueError, match="prec"), working_precision(1):
            pass
        free = threading.Event()

        def enter() -> None:
            with working_precision(80):
                free.set()

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(10)
        assert free.is_set()


def test_a_thread_waits_until_another_has_left() -> None:
    entered = threading.Event()

    def enter() -> None:
        with working_precision(80):
            entered.set()

    with own_precision(71):
        with working_precision(100):
            thread = threading.Thread(target=enter)
            thread.start()
            assert not entered.wait(0.05)
            assert flint.ctx.prec == 100
        thread.join(10)
        assert entered.is_set()


def test_threads_do_not_disturb_one_another() -> None:
    """Each computes thirds at its own precision, again and again; a wrong one would show in the radius."""
    wrong: list[str] = []
    start = threading.Barrier(4)

    def compute(bits: int) -> None:
        start.wait()
        for _ in range(60):
            with working_precision(bits):
                for _ in range(40):
                    accuracy = (BallArray.exact(np.ones(3)) / 3).elements[0].rel_accuracy_bits()
                    if abs(accuracy - bits) > 3 or flint.ctx.prec != bits:
                        wrong.append(f"{accuracy} bits instead of {bits}")

    with own_precision(71):
        threads = [threading.Thread(target=compute, args=(bits,)) for bits in (64, 128, 333, 1000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def small() -> refnn.Network:
    return refnn.Network(refnn.Dense(1, 1), refnn.Sigmoid(), loss=refnn.SquaredError())


class Broken:
    """A layer that raises in the middle of the computation, except on floats."""

    inputs = outputs = None
    shapes: dict[str, tuple[int, ...]] = {}  # noqa: RUF012 - as a layer of somebody's may have it

    def forward(self, parameters: Any, x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            raise ArithmeticError("broken")  # noqa: TRY004 - any error will do
        return x

    def backward(self, parameters: Any, x: Any, delta: Any) -> Any:
        return delta

    def gradient(self, parameters: Any, x: Any, delta: Any) -> tuple[Any, ...]:
        return ()


def test_a_users_precision_is_left_alone() -> None:
    asked: tuple[Any, ...] = (small(), [0.5, 0.25], [[3.0]], [[1.0]])
    with own_precision(71):
        refnn.exact(*asked)
        certificate = refnn.certified_learning_rate(*asked)
        assert certificate.holds()
        certificate.outcome(np.array([0.6, 0.25]))
        next(
            iter(
                refnn.descend(
                    *asked,
                    batches=refnn.FullBatch(),
                    learning_rate=refnn.Certified(),
                    epochs=1,
                )
            )
        )


def test_a_users_precision_is_left_alone_by_what_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: tuple[Any, ...] = (small(), [0.5, 0.25], [[3.0]], [[1.0]])
    certificate = refnn.certified_learning_rate(*asked)
    broken = refnn.Network(refnn.Dense(1, 1), Broken(), loss=refnn.SquaredError())
    with own_precision(71):
        with pytest.raises(UndecidedError):
            refnn.exact(*asked, max_bits=4, require_decided=True)
        for of in (refnn.exact, refnn.certified_learning_rate):
            with pytest.raises(ArithmeticError, match="broken"):
                of(broken, *asked[1:])

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            refnn.exact(*asked, progress=stop)
        with pytest.raises(KeyboardInterrupt):
            refnn.certified_learning_rate(*asked, progress=stop)
        monkeypatch.setitem(BallArray.rules, arrays.expit, stop)
        with pytest.raises(KeyboardInterrupt):
            certificate.holds()
        with pytest.raises(KeyboardInterrupt):
            certificate.outcome(np.array([0.6, 0.25]))


# ---------------------------------------------------------------------------------------------------------------- views


def of(*texts: str) -> BallArray:
    with working_precision(200):
        return BallArray(np.array([arb(t) for t in texts], dtype=object))


ODD = of(
    "0", "1", "-0.1", "1 +/- 1e-30", "0.3 +/- 0.1", "0 +/- 5", "1e400", "-1e400 +/- 1e399", "1e308 +/- 1e308",
    "1e-400", "-1e-400", "1e-320 +/- 1e-322", "0 +/- 1e-400", "1.7976931348623157e308 +/- 1e291",
)  # fmt: skip
ENDLESS = of("inf", "-inf", "0 +/- inf", "nan")


@np.errstate(over="ignore", under="ignore")  # what is asked here is the result
def test_the_float_views_enclose_the_ball() -> None:
    floats = zip(ODD.elements, ODD.midpoint, ODD.radius, ODD.lower, ODD.upper, strict=True)
    with working_precision(4096):
        for ball, midpoint, radius, lower, upper in floats:
            assert ball.lower() >= lower
            assert ball.upper() <= upper
            if np.isfinite(midpoint):
                assert max(abs(ball.lower() - midpoint), abs(ball.upper() - midpoint), key=float) <= radius
                assert abs(arb(midpoint) - ball.mid()) <= arb(np.spacing(abs(midpoint)).item()) / 2
            else:
                assert radius == np.inf


@np.errstate(over="ignore", under="ignore")  # what is asked here is the result
def test_the_float_views_are_tight() -> None:
    """One float further in, each end is no bound any more."""
    with working_precision(4096):
        for ball, lower, upper in zip(ODD.elements, ODD.lower, ODD.upper, strict=True):
            assert not ball.lower() >= np.nextafter(lower, np.inf)
            assert not ball.upper() <= np.nextafter(upper, -np.inf)


@np.errstate(over="ignore", under="ignore")
def test_the_float_views_of_floats_are_those_floats() -> None:
    exact = BallArray.exact(np.array([0.1, -7.0, 0.0, 5e-324, 1.7976931348623157e308]))
    for view in (exact.midpoint, exact.lower, exact.upper):
        assert view.tolist() == [0.1, -7.0, 0.0, 5e-324, 1.7976931348623157e308]
    assert exact.radius.tolist() == [0] * 5


@pytest.mark.parametrize("text", ["1.7976931348623157e308", "1e-310 +/- 1e-320", "0 +/- 1e-400", "1e308 +/- 1e308"])
def test_the_float_views_raise_no_floating_point_error_at_the_ends_of_the_range(text: str) -> None:
    ball = of(text)
    for view in ("midpoint", "radius", "lower", "upper"):
        with working_precision(128):
            assert getattr(ball, view).shape == (1,)


def test_what_is_not_finite_is_bounded_by_nothing_that_is() -> None:
    assert ENDLESS.upper.tolist()[:3] == [np.inf, -np.inf, np.inf]
    assert ENDLESS.lower.tolist()[:3] == [np.inf, -np.inf, -np.inf]
    assert ENDLESS.radius[2] == np.inf
    for view in (ENDLESS.midpoint, ENDLESS.radius, ENDLESS.lower, ENDLESS.upper):
        assert np.isnan(view[3])  # and no comparison with it holds


def test_views_of_an_array_without_axes() -> None:
    z = BallArray(np.array(arb(1) / 3, dtype=object))
    for view in (z.midpoint, z.radius, z.lower, z.upper, z.text()):
        assert view.shape == ()
    assert z.lower < z.upper


@pytest.mark.parametrize("digits", [1, 3, 20, 50])
def test_the_text_holds_the_ball(digits: int) -> None:
    with working_precision(4096):  # that of reading the text back
        for z in (ODD, ENDLESS):
            texts = z.text(digits)
            assert texts.shape == z.shape
            for ball, text in zip(z.elements, texts, strict=True):
                assert arb(str(text)).contains(ball) or ball.is_nan()
    assert ENDLESS.text(5)[3] == "nan"


def bits_of(z: BallArray) -> list[Any]:
    """What a ball is: the exact midpoint and radius, or the name of what is not finite."""
    return [
        (b.mid().man_exp(), b.rad().man_exp()) if b.is_finite() else (b.str(), b > 0, b < 0, b.is_nan())
        for b in z.elements.flat
    ]


def copies(z: BallArray) -> list[BallArray]:
    return [pickle.loads(pickle.dumps(z)), copy.copy(z), copy.deepcopy(z)]  # noqa: S301 - of our own


def test_copies_are_exact() -> None:
    with working_precision(4000):
        third = BallArray.exact(np.array([[1.0], [-2.0]])) / 3
    for z in (third, BallArray(ODD.elements.reshape(2, 7)), BallArray(np.array(arb(1) / 3, dtype=object))):
        for other in copies(z):
            assert other.shape == z.shape
            assert bits_of(other) == bits_of(z)


def test_copies_of_what_is_not_finite_are_the_same() -> None:
    for other in copies(ENDLESS):
        assert bits_of(other) == bits_of(ENDLESS)


def test_copies_hold_what_they_copy() -> None:
    for z in (ODD, ENDLESS):
        for other in copies(z):
            for a, b in zip(other.elements, z.elements, strict=True):
                assert a.contains(b) or a.is_nan()


def test_the_comparison_of_copies_can_fail() -> None:
    assert bits_of(of("0.3 +/- 0.1")) != bits_of(of("0.3 +/- 0.1000001"))
    assert len({str(b) for b in bits_of(ENDLESS)}) == 4


# ------------------------------------------------------------------------------------------------------- whole networks

FIELDS = ("outputs", "loss", "gradient", "input_gradient")


class Text:
    """The textbook's outputs and loss, at numbers of 400 bits."""

    def __init__(self, network: refnn.Network, x: FloatArray, y: Any, w: FloatArray) -> None:
        self.m, self.network = textbook.digits(), network
        self.labels = textbook.table(self.m, textbook.read(network, w, x, y).labels)

    def __call__(self, w: list[Any], x: list[list[Any]]) -> tuple[list[list[Any]], Any]:
        m, network = self.m, self.network
        parameters = textbook.nested(network.layers, iter(w))
        z = [textbook.through(m, network.layers, parameters, row)[-1] for row in x]
        loss = textbook.LOSSES[type(network.loss_function).__name__]
        aims = [textbook.targets(m, network.loss_function, row) for row in self.labels]
        values = [loss(m, network.loss_function, row, t) for row, t in zip(z, aims, strict=True)]
        return z, textbook.reduced(m, network.loss_function, values, self.labels)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_a_network_is_enclosed(activation: Any, loss: Any) -> None:
    """The gradients along one direction of w and x, against the textbook's difference quotient with h = 2^−200.

    Its error is h times half a second derivative, which is far below 2^40 here, and 2^−400 times the numbers over h.
    """
    network, w, x, y = network_case(activation, loss, seed=53)
    random = np.random.default_rng(59)
    v, u = random.normal(0, 1, w.shape), random.normal(0, 1, x.shape)
    with working_precision(128):
        e = network.evaluate(BallArray.exact(w), x, y)
        along: BallArray = BallArray.exact(v) @ e.gradient + arrays.total(BallArray.exact(u) * e.input_gradient)
    text = Text(network, x, y, w)
    number = text.m.number
    h = number(Fraction(1, 2**200))
    at = [number(a) for a in w], textbook.table(text.m, x.tolist())
    moved = (
        [number(a) + h * number(b) for a, b in zip(w, v, strict=True)],
        [[number(a) + h * number(b) for a, b in zip(p, q, strict=True)] for p, q in zip(x, u, strict=True)],
    )
    outputs, value = text(*at)
    quotient = (text(*moved)[1] - value) / h
    assert escapes(e.outputs, np.array(outputs, dtype=object), 300) == []
    assert escapes(e.loss, np.array(value, dtype=object), 300) == []
    with working_precision(400):
        near = arb(as_exact(quotient), arb(2) ** -150)
        assert along.elements.item().overlaps(near)
    for field in FIELDS:
        # 2^−128 is 3e-39, the numbers are below 1e3, and each is a sum of at most 20 products of 4
        assert all(ball.rad() <= 1e-33 for ball in getattr(e, field).elements.flat)
    assert not e.loss.elements.item().overlaps(as_exact(value * (1 + number(Fraction(1, 10**25)))))  # it can fail


def as_exact(number: Any) -> arb:
    man, exponent = number.man_exp
    return arb(((-1 if number < 0 else 1) * int(man), int(exponent)))


def test_without_python_flint_balls_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)  # so that importing it fails
    with pytest.raises(MissingExtraError, match=r"python-flint is not installed.*extra \[exact\]"):
        runpy.run_path(str(module.__file__))


def test_an_operation_without_a_rule_says_so() -> None:
    with pytest.raises(UnsupportedOperationError, match="sin was called on BallArray"):
        np.sin(BallArray.exact(np.zeros(2)))


def test_what_is_seen_of_balls() -> None:
    with working_precision(64):
        balls = BallArray.exact(np.array([[1.0], [2.5]])) / 3
    assert repr(balls).startswith("BallArray([[[0.333333333333333333")
    assert "\n [[0.833333333333333333" in repr(balls)
    assert "'" not in repr(balls)
    with pytest.raises(refnn.SettingError, match="digits is 0"):
        balls.text(0)
