"""The bound of every rule holds the true error, and says something; so does the bound of a whole network."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refnn import activations, arrays
from refnn.activations import Identity, ReLU, Tanh
from refnn.arithmetic import dual
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray, Root
from refnn.layers import Dense
from refnn.losses import InnerProduct, SquaredError
from refnn.network import Network
from tests.arithmetic.operations import CASES, OPERATIONS, Case, Reals, arguments, log_softmax, name, parts, reals
from tests.definitions import M, exact
from tests.rational import Rational

KINKED = (np.maximum, np.minimum, arrays.where_positive)

every_operation = pytest.mark.parametrize("operation", sorted(OPERATIONS, key=name), ids=name)
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def uncovered(computed: RoundedArray, true: Reals) -> list[str]:
    """Where the truth lies outside the bound."""
    flat, truth = computed.value.ravel().tolist(), np.asarray(true, dtype=object).ravel().tolist()
    return [
        f"[{k}]: {v!r} for {M.nstr(t, 20)}, allowed {e}"
        for k, (v, t, e) in enumerate(zip(flat, truth, computed.error.ravel().tolist(), strict=True))
        if not abs(M.mpf(v) - t) <= e
    ]


def disturbed(values: FloatArray, errors: FloatArray, random: np.random.Generator) -> Reals:
    """Real numbers as far from the values as the errors allow, in a direction of chance."""
    return reals(values) + reals(random.choice([-1.0, 1.0, 0.5], values.shape)) * reals(errors)


def operands(case: Case, random: np.random.Generator, scale: float, dtype: Any, units: float) -> list[RoundedArray]:
    drawn = [(a * scale).astype(dtype) for a in arguments(case, random)]
    return [RoundedArray(a, units * float(np.finfo(dtype).eps) / 2 * np.abs(a, dtype=np.float64)) for a in drawn]


def test_every_operation_has_a_case() -> None:
    assert set(CASES) == OPERATIONS


def test_every_operation_has_a_rule() -> None:
    assert set(RoundedArray.rules) == OPERATIONS


@every_operation
@every_dtype
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-12, 1e-3, 1.0, 8.0]),
    units=st.sampled_from([0, 1, 8, 1e5, 1e7, 1e15]),  # up to errors as large as the numbers, and larger
)
def test_the_bound_holds(operation: Any, dtype: Any, seed: int, scale: float, units: float) -> None:
    case, random = CASES[operation], np.random.default_rng(seed)
    given_ = operands(case, random, scale, dtype, units)
    moved = [disturbed(a.value, a.error, random) for a in given_]
    assume(all(np.all(moved[k] > 0) for k in case.positive))  # beyond, the function is not defined
    true = case.on_reals(*moved, *case.rest)
    with np.errstate(over="ignore"):  # float32 holds no exp(88); what overflows is bounded by nothing
        result = operation(*given_, *case.rest)
    for computed, truth in zip(parts(result), parts(true), strict=True):
        assert computed.value.dtype == dtype
        assert computed.error.dtype == np.float64
        assert uncovered(computed, truth) == []


@pytest.mark.parametrize("operation", KINKED, ids=name)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_bound_holds_across_kinks(operation: Any, seed: int) -> None:
    case, random = CASES[operation], np.random.default_rng(seed)
    drawn = [np.round(a) for a in arguments(case, random)]  # whole numbers: many zeros and ties
    given_ = [RoundedArray(a, random.choice([0.0, 1e-3, 0.75, 1.5], a.shape)) for a in drawn]
    true = case.on_reals(*(disturbed(a.value, a.error, random) for a in given_), *case.rest)
    assert uncovered(operation(*given_, *case.rest), true) == []


def test_the_bound_of_log_softmax_counts_the_rounding_of_the_differences() -> None:
    random = np.random.default_rng(67)
    z = np.stack([random.uniform(1, 2, 60), random.uniform(-400, -200, 60)], axis=1)  # their differences are rounded
    log_p = arrays.log_softmax(RoundedArray.exact(z))
    true = log_softmax(reals(z))
    assert uncovered(log_p, true) == []
    # exp moves by as much of itself as its argument does: by many times what the functions' ulps alone would allow
    functions = RoundedArray(log_p.value, 20 * 2.0**-53 * np.abs(log_p.value))
    assert uncovered(functions, true) != []


@every_operation
@every_dtype
def test_the_bound_says_something(operation: Any, dtype: Any) -> None:
    case = CASES[operation]
    given_ = [RoundedArray.exact(a.astype(dtype)) for a in arguments(case, np.random.default_rng(11))]
    size = case.on_reals(*(reals(np.abs(a.value)) for a in given_), *case.rest)
    if operation in (np.subtract, arrays.log_softmax, np.matmul):
        size = sum(float(np.abs(a.value).max()) for a in given_) * max(s for a in given_ for s in a.shape)
    for computed, scale in zip(parts(operation(*given_, *case.rest)), parts(size), strict=True):
        # at most 30 roundings of terms, or of functions' ulps, for each of which the sizes of the operands allow 1 u
        limit = 30 * np.maximum(np.abs(computed.value), np.asarray(scale, dtype=np.float64))
        assert (computed.error <= limit * float(np.finfo(dtype).eps) / 2 + 1e-40).all()  # or underflow


@every_operation
def test_an_error_of_an_argument_shows_in_the_bound(operation: Any) -> None:
    case = CASES[operation]
    drawn = arguments(case, np.random.default_rng(13))
    without = operation(*(RoundedArray.exact(a) for a in drawn), *case.rest)
    with_ = operation(*(RoundedArray(a, np.full(a.shape, 1e-3)) for a in drawn), *case.rest)
    for less, more in zip(parts(without), parts(with_), strict=True):
        assert (more.error > less.error).all()


def test_a_larger_error_is_not_covered() -> None:
    case, random = CASES[np.matmul], np.random.default_rng(17)
    given_ = operands(case, random, 1.0, np.float64, 0)
    true = case.on_reals(*(reals(a.value) for a in given_))
    result = np.matmul(*given_)  # type: ignore[call-overload]
    assert uncovered(result, true) == []
    in_float32 = given_[0].value.astype(np.float32) @ given_[1].value.astype(np.float32)
    assert uncovered(RoundedArray(in_float32.astype(np.float64), result.error), true) != []


# ------------------------------------------------------------------------------------------------ whole networks


def rational_network() -> Network:
    return Network(Dense(3, 4), ReLU(), Dense(4, 2), Identity(), loss=SquaredError(scale=Fraction(1, 3)))


@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from([np.float64, np.float32]))
def test_a_network_is_bounded_where_fractions_know_the_truth(seed: int, dtype: Any) -> None:
    network, random = rational_network(), np.random.default_rng(seed)
    w = random.normal(0, 1, network.size).astype(dtype)
    x, y = random.normal(0, 1, (5, 3)).astype(dtype), random.normal(0, 1, (5, 2)).astype(dtype)
    truth = network.evaluate(Rational.of(w), x, y)
    floats = network.evaluate(w, x, y)
    bound = network.evaluate(RoundedArray.exact(w), x, y)
    for field in ("outputs", "loss", "gradient", "input_gradient"):
        true = np.frompyfunc(exact, 1, 1)(getattr(truth, field).elements)
        of = getattr(bound, field)
        assert of.value.dtype == dtype
        assert uncovered(of, true) == []
        # matrix products may sum in another order where the operands' memory differs, but within the same bound
        assert uncovered(RoundedArray(np.asarray(getattr(floats, field)), of.error), true) == []


def test_a_planted_error_of_the_gradient_is_not_covered() -> None:
    network, random = rational_network(), np.random.default_rng(3)
    w, x, y = random.normal(0, 1, network.size), random.normal(0, 1, (5, 3)), random.normal(0, 1, (5, 2))
    true = np.frompyfunc(exact, 1, 1)(network.evaluate(Rational.of(w), x, y).gradient.elements)
    bound = network.evaluate(RoundedArray.exact(w), x, y).gradient
    assert uncovered(bound, true) == []
    wrong = RoundedArray(bound.value * (1 + 1e-11), bound.error)
    assert uncovered(wrong, true) != []
    assert (bound.error <= 1e-13 * np.abs(bound.value).max()).all()  # 1e3 u: 5 samples, 3 products, 30 roundings each


# ---------------------------------------------------------------------------------------------- constants and fields


def test_constants_are_exact_or_rounded_once() -> None:
    like = RoundedArray.exact(np.zeros(2))
    assert like.lift(3).error == 0
    assert like.lift(np.array([0.1, 0.2])).error.tolist() == [0, 0]
    assert like.lift(Fraction(1, 3)).error == 2.0**-53 * (1 / 3)
    root = like.lift(Root(Fraction(1, 2)))
    assert abs(M.mpf(float(root.value)) - M.sqrt(M.mpf(1) / 2)) <= float(root.error)
    single = RoundedArray.exact(np.zeros(2, np.float32))
    assert single.lift(np.array([0.1])).error[0] >= abs(Fraction(float(np.float32(0.1))) - Fraction(0.1))
    assert single.lift(np.array([0.5])).error == 0


ROOTS = {root for module in (activations, dual) for root in vars(module).values() if isinstance(root, Root)}


@pytest.mark.parametrize("root", sorted(ROOTS, key=repr), ids=repr)
@every_dtype
def test_roots_are_within_their_bound(root: Root, dtype: Any) -> None:
    lifted = RoundedArray.exact(np.zeros(1, dtype)).lift(root)
    true = M.sqrt(exact(root.ratio) * M.pi**root.pi_power)
    assert abs(M.mpf(float(lifted.value)) - true) <= float(lifted.error)


def test_shape_and_unit() -> None:
    z = RoundedArray.exact(np.zeros((2, 3), np.float32))
    assert z.shape == (2, 3)
    assert z.T.shape == (3, 2)
    assert z.unit == 2.0**-24
    assert RoundedArray.exact(np.zeros(1)).unit == 2.0**-53


def test_sums_and_differences_do_not_underflow() -> None:
    zero = RoundedArray.exact(np.zeros(3))
    assert (zero + zero).error.tolist() == [0, 0, 0]
    assert (zero - zero).error.tolist() == [0, 0, 0]


def test_a_product_that_underflows_says_so() -> None:
    tiny = RoundedArray.exact(np.array([1e-200]))
    product = tiny * tiny
    assert product.value == 0
    assert 1e-323 >= product.error >= 5e-324


def test_what_is_cut_off_is_off_by_no_more_than_the_range() -> None:
    z = RoundedArray(np.array([1e300, -1e300, 99.0, 5.0]), np.array([1e284, 1e299, 7.0, 0.5]))
    cut = arrays.within(z, 100)
    assert cut.value.tolist() == [100, -100, 99, 5]
    assert (cut.error >= [0, 0, 1, 0.5]).all()  # what lies within ±100 of the numbers that z may stand for
    assert (cut.error <= 200).all()


# ---------------------------------------------------------------- where the slope at the computed value says too little


@pytest.mark.parametrize("operation", [arrays.sech_squared, arrays.expit_slope], ids=name)
def test_a_slope_at_its_summit_is_not_taken_for_constant(operation: Any) -> None:
    """z = 0 is off by 1e-3, and sech² by its square: the slope at 0 itself, which is 0, would bound nothing."""
    slope = operation(RoundedArray(np.zeros(1), np.array([1e-3])))
    assert uncovered(slope, CASES[operation].on_reals(np.array([M.mpf("0.001")], dtype=object))) == []
    assert slope.error < 1e-5


def test_a_unit_that_cancels_to_zero_in_single_precision() -> None:
    """The pre-activation is a sum that cancels from 2e5 to 0 in float32, so that tanh′ is 1 to all digits, wrongly."""
    network = Network(Dense(3, 1), Tanh(), loss=InnerProduct())
    w = np.array([1.8607524633407593, -0.022671444341540337, -0.3091009557247162, -178638.296875], np.float32)
    x = np.array([[98942.5234375, 20169.673828125, 16214.693359375]], np.float32)
    z = sum((exact(a) * exact(b) for a, b in zip(w, x[0], strict=False)), exact(w[3]))
    bound = network.evaluate(RoundedArray.exact(w), x, np.ones((1, 1), np.float32))
    assert abs(bound.gradient.value[3] - M.sech(z) ** 2) > 1e-5  # many units in the last place
    assert uncovered(RoundedArray(bound.gradient.value[3:], bound.gradient.error[3:]), np.array([M.sech(z) ** 2])) == []


def test_errors_larger_than_the_numbers_leave_nothing_to_say() -> None:
    one, vague = RoundedArray.exact(np.ones(2)), RoundedArray(np.ones(2), np.array([1.5, 0.5]))
    assert (one / vague).error[0] == np.inf
    assert (one / vague).error[1] < 2  # 1 / [½, 1½] is within 1 of 1
    hidden = arrays.log(vague)
    assert hidden.error[0] == np.inf
    assert hidden.error[1] >= np.log(2)


def test_an_infinite_bound_stays_infinite_and_does_not_raise() -> None:
    unknown = RoundedArray(np.array([[0.0, 1.0]]), np.array([[np.inf, 0.0]]))
    for result in (unknown * unknown, unknown @ unknown.T, arrays.exp(unknown), arrays.log_softmax(unknown)):
        assert np.isinf(result.error).any()
        assert not np.isnan(result.error).any()
