"""The variance of every rule against simulated roundings, and against those of real formats; each check can fail.

An implementation is simulated many times: its operands are off by random errors, and each elementary operation by a
random rounding, uniform on ±u times the result. The mean square of what comes out is held against the rule's variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import arrays
from refnn.arithmetic import spread as module
from refnn.arithmetic.noise import Noise
from refnn.arithmetic.precision import Precision, precision_named
from refnn.arithmetic.rounded import FUNCTIONS
from refnn.arithmetic.spread import SpreadArray
from refnn.arrays import FloatArray
from tests.arithmetic.operations import CASES, OPERATIONS, arguments, name, parts
from tests.oracle.rounding import SIZES

SINGLE = precision_named("float32")
HALF = precision_named("float16")
U = SINGLE.format.unit
LOG_ODDS = 8.0
"""Bounds are then four standard deviations."""

U64 = 2.0**-53

DRAWS = 20_000
ODDS = math.log(1e12)
"""A comparison that is right fails with a probability of 1e-12."""

MUCH = 1 + 2 * math.sqrt(ODDS / DRAWS) + 2 * ODDS / DRAWS
LITTLE = 1 - 2 * math.sqrt(ODDS / DRAWS)
"""The mean of the squares of so many normal numbers of variance 1 is more, or less, than this by chance (Laurent and
Massart, "Adaptive estimation of a quadratic functional", Ann. Statist. 28(5), 2000, lemma 1); of uniform ones, rather
less often."""


def wrong(model: Any, seen: Any, least: Any = 1.0, most: Any = 1.0) -> list[str]:
    """Where a variance is not between so many times what was seen, but for chance."""
    shown = zip(*(np.ravel(part).tolist() for part in np.broadcast_arrays(model, seen, least, most)), strict=True)
    return [
        f"[{k}]: {m:.3g} for {s:.3g}, {m / s if s else math.inf:.3f} times"
        for k, (m, s, low, high) in enumerate(shown)
        if not low * s / MUCH <= m <= high * s / LITTLE
    ]


def spread(value: Any, variance: Any = None, precision: Precision = SINGLE, log_odds: float = LOG_ODDS) -> SpreadArray:
    """Values with errors of this variance, or with none."""
    value = np.asarray(value, dtype=np.float64)
    noise = None if variance is None else Noise(np.broadcast_to(np.asarray(variance, np.float64), value.shape).copy())
    return SpreadArray(value, precision, log_odds, noise)


def variance_of(z: SpreadArray) -> FloatArray:
    """The variance of all of its errors, those of crossed kinks included."""
    return np.asarray(np.square(z.standard_deviation))


def mean_square(errors: FloatArray) -> FloatArray:
    """Over the draws, which are the first axis."""
    return np.asarray(np.mean(np.square(errors), axis=0))


# ------------------------------------------------------------------------------------------------ simulated roundings


@dataclass
class Roundings:
    """An implementation whose roundings are drawn; its arrays have an axis of draws in front."""

    random: np.random.Generator
    precision: Precision = SINGLE

    def __call__(self, v: Any, unit: float | None = None) -> FloatArray:
        """A rounding."""
        unit = self.precision.format.unit if unit is None else unit
        return np.asarray(v * (1 + unit * self.random.uniform(-1, 1, v.shape)))

    def function(self, v: Any) -> FloatArray:
        """An elementary function; a unit in the last place is 2u at most."""
        rms = 2 * self.precision.format.unit * self.precision.function_rms
        return self(v, math.sqrt(3) * rms)

    def added(self, terms: FloatArray) -> FloatArray:
        """The sum along the last axis, one term after the other."""
        partial = terms[..., 0]
        for k in range(1, terms.shape[-1]):
            partial = self(partial + terms[..., k])
        return partial

    def product(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """A product of matrices, whose terms are added in an order that has nothing to do with their values."""
        terms = self(a[:, :, np.newaxis, :] * np.swapaxes(b, 1, 2)[:, np.newaxis, :, :])
        return self.added(self.random.permuted(terms, axis=-1))

    def expit(self, z: FloatArray) -> FloatArray:
        return self(1 / self(1 + self.function(np.exp(-z))))

    def expit_slope(self, z: FloatArray) -> FloatArray:
        p = self.expit(z)
        return self(p * self(1 - p))

    def sech_squared(self, z: FloatArray) -> FloatArray:
        t = self.function(np.tanh(z))
        return self(1 - self(t * t))

    def softplus(self, z: FloatArray) -> FloatArray:
        return self.function(np.log1p(self.function(np.exp(z))))

    def log_expit(self, z: FloatArray) -> FloatArray:
        """As losses have it that form max(z, 0) + log1p(exp(−|z|)) first, and subtract it from z."""
        return self(z - self(np.maximum(z, 0) + self.softplus(-np.abs(z))))

    def log_sum(self, d: FloatArray) -> FloatArray:
        return self.function(np.log(self.added(self.function(np.exp(d)))))[..., np.newaxis]

    def log_softmax(self, z: FloatArray) -> FloatArray:
        d = self(z - z.max(axis=-1, keepdims=True))
        return self(d - self.log_sum(d))

    def minus_log_sum(self, z: FloatArray) -> FloatArray:
        """As losses have it that form log Σ exp(z) first."""
        largest = z.max(axis=-1, keepdims=True)
        return self(z - self(largest + self.log_sum(self(z - largest))))


erf = np.frompyfunc(math.erf, 1, 1)

Way = Callable[..., Any]


def keeping_tails(operation: Any) -> Way:
    """A way that keeps the tails, everywhere as far off as it is far out: no slope, relative to the result, is larger.

    In 1/(1 + exp(−z)) an error of exp counts with 1 − p, in log1p(e) with e/((1 + e)·log1p(e)), and so on.
    """
    far = np.array([FAR[operation]])
    return lambda r, z: operation(z) * (TAILS[operation](r, np.broadcast_to(far, z.shape)) / operation(far))


F2 = 12 * SINGLE.function_rms**2
"""The variance of a function's error, where that of a rounding is 1."""

TAILS: dict[Any, Way] = {
    arrays.expit: lambda r, z: r(1 / r(1 + r.function(np.exp(-z)))),
    arrays.tanh_step: lambda r, z: r(1 / r(1 + r.function(np.exp(-2 * z)))),
    arrays.expit_slope: lambda r, z: (lambda e: r(e / r(np.square(r(1 + e)))))(r.function(np.exp(-np.abs(z)))),
    arrays.sech_squared: lambda r, z: r(np.square(r(1 / r.function(np.cosh(z))))),
    arrays.softplus: lambda r, z: r(np.maximum(z, 0) + r.function(np.log1p(r.function(np.exp(-np.abs(z)))))),
    arrays.log_expit: lambda r, z: r(np.minimum(z, 0) - r.function(np.log1p(r.function(np.exp(-np.abs(z)))))),
    arrays.erfc: lambda r, z: r.function(np.vectorize(math.erfc)(z)),
}
"""Formulas without cancellation."""

FAR = {
    arrays.expit: -18.0,
    arrays.tanh_step: -9.0,
    arrays.expit_slope: 18.0,
    arrays.sech_squared: 9.0,
    arrays.softplus: -18.0,
    arrays.log_expit: 18.0,
}
"""Where results are less than 1e-7, and an error of exp or cosh is all theirs."""

SIMULATED: dict[Any, tuple[Way, ...]] = {
    np.negative: (lambda r, z: -z,),
    np.add: (lambda r, a, b: r(a + b),),
    np.subtract: (lambda r, a, b: r(a - b),),
    np.multiply: (lambda r, a, b: r(a * b),),
    np.divide: (lambda r, a, b: r(a / b),),
    np.matmul: (Roundings.product,),
    **{f: ((lambda r, z, f=f: r.function(f(z))),) for f in (np.exp, np.expm1, np.log, np.sqrt, np.tanh)},
    np.maximum: (lambda r, a, b: np.maximum(a, b),),
    np.minimum: (lambda r, a, b: np.minimum(a, b),),
    arrays.sech_squared: (Roundings.sech_squared, keeping_tails(arrays.sech_squared)),
    arrays.expit: (Roundings.expit, keeping_tails(arrays.expit)),
    arrays.expit_slope: (Roundings.expit_slope, keeping_tails(arrays.expit_slope)),
    arrays.tanh_step: (lambda r, z: r(1 + r.function(np.tanh(z))) / 2, keeping_tails(arrays.tanh_step)),
    arrays.softplus: (Roundings.softplus, keeping_tails(arrays.softplus)),
    arrays.log_expit: (lambda r, z: -r.softplus(-z), Roundings.log_expit, keeping_tails(arrays.log_expit)),
    arrays.erfc: (
        lambda r, z: r(1 - r.function(np.asarray(erf(z), np.float64))),
        lambda r, z: r.function(np.vectorize(math.erfc)(z)),
    ),
    arrays.log_softmax: (Roundings.log_softmax, Roundings.minus_log_sum),
    arrays.where_positive: (lambda r, z, a, b: np.where(z > 0, a, b),),
    arrays.within: (lambda r, z, limit: np.clip(z, -limit, limit),),
    arrays.total: (lambda r, z: r.added(z.reshape(len(z), -1)), lambda r, z: r.added(z.reshape(len(z), -1)[:, ::-1])),
    arrays.row_sums: (lambda r, z: r.added(z)[..., None], lambda r, z: r.added(z[..., ::-1])[..., None]),
    arrays.column_sums: (lambda r, z: r.added(z.swapaxes(1, 2)), lambda r, z: r.added(z[:, ::-1].swapaxes(1, 2))),
    arrays.transpose: (lambda r, z: z.swapaxes(1, 2),),
    arrays.reshape: (lambda r, z, shape: z.reshape(-1, *shape),),
    arrays.split: (lambda r, z, places: [z[:, at].reshape(-1, *shape) for at, shape in places],),
    arrays.join: (lambda r, *blocks: np.concatenate([b.reshape(len(b), -1) for b in blocks], axis=1),),
    arrays.rows: (lambda r, z, index: z[:, index],),
}
"""Every operation as others do it, by the formulas that `Precision` and `parts` state; some in several ways, of which
a rule has to cover the worst."""


def _of_log_softmax(z: FloatArray) -> FloatArray:
    """Each error is counted with 1 − p of its own, and again with p in the mean over the row."""
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    others = (1 - p) ** 2 / (z.shape[1] - 1)  # the least that the squares of the other p add up to
    factor: FloatArray = 1 + p * p / ((1 - p) ** 2 + others)
    return factor


ONE_MORE = dict.fromkeys((arrays.expit, arrays.tanh_step), (F2 + 3) / (F2 + 2))
"""Whoever forms 1/(1 + e) otherwise may round once more."""

MOST: dict[Any, Callable[..., Any]] = {
    **{f: lambda z, f=f: ONE_MORE[f] for f in ONE_MORE},
    arrays.expit_slope: lambda z: (F2 + 1) / 2,  # an error of exp counts as if 1 − p were 1, within p
    arrays.softplus: lambda z: 2,  # the slope of log1p(e), σ, is taken as log1p(e), which is more
    arrays.log_expit: lambda z: 4,  # likewise; besides, z is rounded twice; and one of the two ways has either error
    arrays.log_softmax: _of_log_softmax,
    arrays.where_positive: lambda z, a, b: 2,  # rare jumps say little about how often; see the tests of kinks
    np.matmul: lambda a, b: (14 + 7 / 12 + 1) / (8 / 6 - 1 / 7 + 1),  # the first half may have gone far: see LEAST
}
"""By how much a rule may exceed what is simulated, and why; else it may not."""

LEAST: dict[Any, float] = {
    # k = 7 terms with the sum S and the sum of squares Q: in random order the squares of the partial sums add up to
    # (k+1)/3·S² + ((k+1)/6 − 1/k)·Q on average, to which the products add Q; the rule has 3k/8·S² + (k/12 + 1)·Q if the
    # first half happens to be S/2, and at most k/2·(4Q + S²/2) + (k/12 + 1)·Q.
    np.matmul: (7 / 12 + 1) / (8 / 6 - 1 / 7 + 1),
    # its sum of 5 terms is rounded 4 times, all as if it were whole if the first term is nearly all of it; 1 + 5/3 are
    # counted, as for equal terms; functions are off by 12·Σp² ≥ 12/5 besides
    arrays.log_softmax: (1 + 5 / 3 + F2 / 5) / (4 + F2 / 5),
}
"""What part of the simulated variance a rule may have where it knows averages only."""


def simulated(operation: Any, given_: list[SpreadArray], kind: str) -> list[FloatArray]:
    """The mean squares of the errors of each result, in the worst way."""
    case, random = CASES[operation], np.random.default_rng(5)
    kinds: dict[str, Callable[[Any], FloatArray]] = {
        "normal": random.standard_normal,
        "uniform": lambda shape: random.uniform(-math.sqrt(3), math.sqrt(3), shape),
    }
    operands = []
    for z in given_:
        shape = z.shape if operation is arrays.split else (1, *z.shape)[-2:]
        operands.append(z.value.reshape(shape) + kinds[kind]((DRAWS, *shape)) * z.standard_deviation.reshape(shape))
    exact = parts(operation(*(z.value for z in given_), *case.rest))
    ways = [parts(way(Roundings(random), *operands, *case.rest)) for way in SIMULATED[operation]]
    return [
        np.maximum.reduce([mean_square(f.reshape(DRAWS, *e.shape) - e) for f in found])
        for e, *found in zip(exact, *ways, strict=True)
    ]


def complaints(operation: Any, deviation: Any, kind: str, planted: float = 1.0, most: Any = None) -> list[str]:
    """Where the rule, or so many times it, disagrees with the simulation."""
    case = CASES[operation]
    drawn = arguments(case, np.random.default_rng(11))
    given_ = [spread(v, None if deviation is None else np.square(deviation(v))) for v in drawn]
    rule = parts(operation(*given_, *case.rest))
    most = (MOST[operation](*drawn) if operation in MOST else 1) if most is None else most
    found: list[str] = []
    for r, s in zip(rule, simulated(operation, given_, kind), strict=True):
        found += wrong(planted * variance_of(r), s, LEAST.get(operation, 1), most)
    return found


every_operation = pytest.mark.parametrize("operation", sorted(OPERATIONS, key=name), ids=name)


def test_every_operation_has_a_rule_and_is_simulated() -> None:
    assert set(SpreadArray.rules) == set(SIMULATED) == OPERATIONS


@every_operation
def test_new_errors_are_those_of_roundings(operation: Any) -> None:
    assert complaints(operation, None, "normal") == []


@every_operation
def test_errors_of_operands_are_passed_on(operation: Any) -> None:
    assert complaints(operation, lambda v: 3 * U * np.abs(v), "uniform") == []


@every_operation
@pytest.mark.parametrize("planted", [0.4, 10])
def test_a_rule_that_says_too_little_or_too_much_is_seen(operation: Any, planted: float) -> None:
    assert complaints(operation, lambda v: 3 * U * np.abs(v), "normal", planted) != []


LARGE = 1 / 64
"""A standard deviation beside which roundings are nothing."""

REACH = math.sqrt(2 * LOG_ODDS) * LARGE
"""Slopes are the largest so far around."""

WIDER = {
    np.tanh: math.exp(4 * REACH),
    arrays.expit: math.exp(2 * REACH),
    arrays.sech_squared: math.exp(8 * REACH),
    arrays.expit_slope: math.exp(4 * REACH),
}
"""A slope within a small error is bounded by the one in the middle, and by how much its logarithm may change: by 2 per
unit for tanh, and by 1 for σ. For their slopes, one factor is taken at the near end and one at the far one, so that it
may be twice as much. And slopes are squared."""


@pytest.mark.parametrize("operation", sorted(OPERATIONS - {np.divide, *FUNCTIONS}, key=name), ids=name)
def test_errors_need_not_be_small(operation: Any) -> None:
    assert complaints(operation, lambda v: np.full(v.shape, LARGE), "normal") == []


@pytest.mark.parametrize("operation", FUNCTIONS, ids=name)
def test_slopes_are_the_largest_within_the_error(operation: Any) -> None:
    assert complaints(operation, lambda v: np.full(v.shape, LARGE), "normal", most=math.inf) == []
    (z,) = arguments(CASES[operation], np.random.default_rng(11))
    around = z + np.linspace(-REACH, REACH, 2001)[:, np.newaxis, np.newaxis]
    steepest = np.max(np.abs(np.diff(operation(around), axis=0)), axis=0) / (REACH / 1000)
    # between two points a slope is an average, which misses the largest by less than one step in a thousand
    most = np.square(steepest * LARGE * 1.001) * WIDER.get(operation, 1)
    assert (np.square(operation(spread(z, LARGE**2)).standard_deviation) <= most).all()


@pytest.mark.parametrize("operation", [np.tanh, arrays.sech_squared, arrays.expit, arrays.expit_slope], ids=name)
@pytest.mark.parametrize("reach", [2.0**-3, 2.0**-10, 2.0**-26])
def test_slopes_within_a_small_error_are_found_from_the_value(operation: Any, reach: float) -> None:
    """They are no smaller than the largest on a fine grid, and no larger than its logarithm may change, and 6e-8."""
    z = np.linspace(-30, 30, 601)
    around = z + reach * np.linspace(-1, 1, 201)[:, np.newaxis]
    slopes = {
        np.tanh: lambda t: np.cosh(t) ** -2.0,
        arrays.sech_squared: lambda t: 2 * np.tanh(np.abs(t)) * np.cosh(t) ** -2.0,
        arrays.expit: lambda t: np.cosh(t / 2) ** -2.0 / 4,
        arrays.expit_slope: lambda t: np.tanh(np.abs(t) / 2) * np.cosh(t / 2) ** -2.0 / 4,
    }
    largest = np.max(slopes[operation](around), axis=0)
    found = operation(spread(z[np.newaxis], reach**2 / (2 * LOG_ODDS))).standard_deviation[0]
    new = operation(spread(z[np.newaxis], 0.0)).standard_deviation[0]
    passed = np.sqrt(np.maximum(found**2 - new**2, 0)) * math.sqrt(2 * LOG_ODDS) / reach
    unsure = 2.0**-20 * new / reach * math.sqrt(2 * LOG_ODDS)  # as the square of new errors is subtracted
    assert (passed >= largest * (1 - 2.0**-20) - unsure).all()
    assert (passed <= largest * 1.01 * math.exp(4 * reach) + 2.0**-24 + unsure).all()


RANGES = {
    np.tanh: 2.0,
    arrays.sech_squared: 1.0,
    arrays.expit: 1.0,
    arrays.expit_slope: 0.25,
    arrays.tanh_step: 1.0,
    arrays.erfc: 2.0,
}


@pytest.mark.parametrize("operation", RANGES, ids=name)
@given(at=st.floats(-3, 3), deviation=st.floats(0.05, 100))
def test_values_of_a_bounded_function_are_no_further_apart_than_its_range(
    operation: Any, at: float, deviation: float
) -> None:
    z = np.array([at])
    result = operation(spread(z, deviation**2))
    ends = at + math.sqrt(2 * LOG_ODDS) * deviation * np.linspace(-1, 1, 101)
    assert (np.abs(operation(ends) - operation(z)) <= result.bound).all()
    assert result.standard_deviation <= RANGES[operation] * (1 + 2.0**-16)  # and some roundings


@given(apart=st.floats(-9, 9), deviation=st.floats(0.05, 100))
def test_a_probability_is_off_by_no_more_than_one(apart: float, deviation: float) -> None:
    z = np.array([[0.0, apart]])
    p = arrays.exp(arrays.log_softmax(spread(z, deviation**2)))
    log_p = arrays.log_softmax(z)
    off = arrays.log_softmax(spread(z, deviation**2)).bound
    for step in np.linspace(-1, 1, 101):
        assert (np.abs(np.exp(np.minimum(log_p + step * off, 0)) - np.exp(log_p)) <= p.bound).all()
    assert (p.standard_deviation <= 1 + 2.0**-16).all()


def test_a_divisor_is_the_least_within_the_error() -> None:
    assert complaints(np.divide, lambda v: np.full(v.shape, LARGE), "normal", most=math.inf) == []
    a, b = arguments(CASES[np.divide], np.random.default_rng(11))
    least = b - REACH
    most = np.square(LARGE / least) * (1 + np.square(a / b)) * (1 + U)
    assert (np.square((spread(a, LARGE**2) / spread(b, LARGE**2)).standard_deviation) <= most).all()
    assert (spread(1.0) / spread(REACH, LARGE**2)).bound == np.inf  # it may be 0


# ------------------------------------------------------------------------------------------------ tails that are kept

KEPT = Precision("float32", "float32", keeps_tails=True)


@pytest.mark.parametrize("operation", FAR, ids=name)
def test_far_out_ways_that_keep_the_tails_are_as_far_off_as_predicted(operation: Any) -> None:
    """There every error counts in full: the numbers of functions and of roundings are those of the formulas."""
    z = np.array([FAR[operation]])
    seen = mean_square(TAILS[operation](Roundings(np.random.default_rng(7)), np.full((DRAWS, 1), z)) - operation(z))
    model = variance_of(operation(spread(z, precision=KEPT)))
    assert wrong(model, seen, most=ONE_MORE.get(operation, 1)) == []
    for planted in (0.5, 1.5):
        assert wrong(planted * model, seen, most=ONE_MORE.get(operation, 1)) != []


@pytest.mark.parametrize("operation", TAILS, ids=name)
@pytest.mark.parametrize("at", [-3.0, 0.5, 4.0])
def test_where_tails_are_kept_errors_are_relative(operation: Any, at: float) -> None:
    z = np.array([at])
    exact, draws = operation(z), np.full((DRAWS, 1), at)
    seen = mean_square(TAILS[operation](Roundings(np.random.default_rng(7)), draws) / exact - 1)
    model = variance_of(operation(spread(z, precision=KEPT))) / exact**2
    assert wrong(model, seen, most=math.inf) == []
    assert model <= (4 * F2 + 5) * U**2 / 3 * (1 + U)  # a function squared, and what it is rounded
    assert model <= variance_of(operation(spread(z))) / exact**2 * (1 + U)
    if operation in (arrays.sech_squared, arrays.erfc) and at == 4:  # 1 − tanh² is 1e-3 there, and erfc 1e-8
        assert wrong(model, variance_of(operation(spread(z))) / exact**2, most=math.inf) != []
    stored_once = operation(spread(z, precision=replace(KEPT, accumulate="float64")))
    assert wrong(variance_of(stored_once), F2 * U**2 / 3 * exact**2) == []  # where the rest is finer


def test_where_tails_are_kept_the_largest_logit_is_not_added_again() -> None:
    """As max z + log Σ exp(z − max z), which loses relative accuracy if z is large."""
    z = np.array([[30.0, 31.0, 29.5, 31.5]])
    model, given_up = (variance_of(arrays.log_softmax(spread(z, precision=p))) for p in (KEPT, SINGLE))
    seen, largest_added = (
        mean_square(
            way(Roundings(np.random.default_rng(2)), np.repeat(z[np.newaxis], DRAWS, axis=0)) - arrays.log_softmax(z)
        )
        for way in SIMULATED[arrays.log_softmax]
    )
    assert wrong(model, seen, most=7 / 3) == []  # of its three additions 1 + 4/3 are counted, and the last one is made
    assert wrong(given_up, largest_added) == []
    assert wrong(model, largest_added) != []


# ------------------------------------------------------------------------------------------------ roundings of formats

KINDS = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}

ROUNDED: dict[Any, Callable[[FloatArray, FloatArray], FloatArray]] = {
    np.add: lambda a, b: a + b,
    np.subtract: lambda a, b: a - b,
    np.multiply: lambda a, b: a * b,
    np.divide: lambda a, b: a / b,
    np.sqrt: lambda a, b: np.sqrt(a),
}

BETWEEN = 0.3, 1.0
"""Where the root mean square of real roundings lies, in standard deviations. Those of a number with the significand m
in [1, 2) are 1/m of the worst, of which the mean square over a binade is 1/2 or more; and in a short format up to two
thirds of the results are exact."""


def in_format(kind: Any, random: np.random.Generator, size: int) -> FloatArray:
    return np.asarray(np.exp(random.normal(0, 1, size)).astype(kind).astype(np.float64))


@pytest.mark.parametrize("storage", KINDS)
@pytest.mark.parametrize("operation", ROUNDED, ids=name)
def test_single_roundings_are_as_large_as_predicted(operation: Any, storage: str) -> None:
    kind, random = KINDS[storage], np.random.default_rng(3)
    a, b = in_format(kind, random, 20_000), in_format(kind, random, 20_000)
    precision = Precision(storage, storage, function_rms=0.29, flushes=False)  # roots are rounded correctly
    on = (a, b)[: operation.nin]
    off = ROUNDED[operation](a.astype(kind), b.astype(kind)).astype(np.float64) - ROUNDED[operation](a, b)
    deviation = operation(*(spread(v, precision=precision) for v in on)).standard_deviation
    inexact = deviation > 0
    assert not off[~inexact].any()  # as for a quotient by a power of two
    in_deviations = np.abs(off[inexact]) / deviation[inexact]
    assert np.max(in_deviations) <= math.sqrt(3) < 1.5 * np.max(in_deviations)
    rms = float(np.sqrt(np.mean(np.square(in_deviations))))
    assert BETWEEN[0] <= rms <= BETWEEN[1]
    assert not BETWEEN[0] <= rms / 3 <= BETWEEN[1]


@pytest.mark.parametrize(
    "precision",
    [SINGLE, precision_named("bfloat16"), HALF, Precision("bfloat16", "float32", sums="bfloat16")],
    ids=str,
)
def test_products_and_sums_are_as_exact_as_predicted(precision: Precision) -> None:
    random, kind = np.random.default_rng(29), KINDS[precision.storage]
    a = random.normal(0, 1, (40, 60)).astype(kind)
    b = random.normal(0, 1, (60, 50)).astype(kind)
    terms = a.astype(np.float32)[:, :, np.newaxis] * b.astype(np.float32)
    exact = [part.astype(np.float64) for part in (a, b)]
    product = np.add.accumulate(terms, axis=1)[:, -1].astype(kind).astype(np.float64)  # one by one
    summed = np.add.accumulate(b.astype(precision.summed.name if precision.sums is None else kind))[-1]
    for off, model in (
        (product - exact[0] @ exact[1], spread(exact[0], precision=precision) @ spread(exact[1], precision=precision)),
        (
            summed.astype(kind).astype(np.float64) - exact[1].sum(axis=0),
            arrays.column_sums(spread(exact[1], precision=precision)),
        ),
    ):
        rms = float(np.sqrt(np.mean(np.square(off / model.standard_deviation))))
        assert BETWEEN[0] <= rms <= BETWEEN[1]
        assert not BETWEEN[0] <= rms / 4 <= BETWEEN[1]


# ------------------------------------------------------------------------------------- what is exact, and what is not


@pytest.mark.parametrize(
    "exact",
    [
        lambda z: z * 0,
        lambda z: z * 1,
        lambda z: -1 * z,
        lambda z: z * spread([0.125, -4.0]),
        lambda z: z / 8,
        lambda z: z / spread([0.5, 2.0]),
        lambda z: -z,
        lambda z: arrays.within(z, 100),
        lambda z: arrays.maximum(z, 0),
        lambda z: arrays.where_positive(z, z, 0),
        lambda z: arrays.reshape(z, (2, 1)),
    ],
)
def test_what_is_exact_makes_no_errors(exact: Any) -> None:
    assert exact(spread([0.1, 0.7])).noise is None
    assert exact(spread([0.1, 0.7])).bound.ravel().tolist() == [0, 0]
    assert exact(spread([0.1, 0.7], 1e-6)).noise is not None


NOTHING = 2.0**-500
"""The least standard deviation of what is rounded."""


def test_only_factors_that_are_exact_powers_of_two_are_exact() -> None:
    product = spread([0.1, 0.7, 0.3]) * spread([0.5, 3.0, -1.0])
    assert np.max(product.standard_deviation[[0, 2]]) <= NOTHING
    assert 2.1 * U / 2 < product.standard_deviation[1] < 2.1 * U
    assert (spread([0.7]) * spread([2.0], 1e-6)).standard_deviation > 0.7e-3
    assert (spread([3.0]) / spread([3.0])).standard_deviation > U / 2
    unsure = arrays.where_positive(spread([0.0], 1e-24), 3, 2) * spread([0.7])
    assert unsure.noise is not None  # it may be 3 times as much
    assert 2 * 0.7 * U / 2 < np.sqrt(unsure.noise.itself) < 2 * 0.7 * U
    # a constant that is nearly a power of two in float64 is rounded in the format
    assert (spread([0.7]) * spread([0.7]).lift(1 / 3)).standard_deviation > U / 10


def test_a_power_of_two_is_exact_only_in_the_normal_range() -> None:
    assert (spread([2.0**-13], precision=HALF) / 2).standard_deviation == 0
    assert (spread([2.0**-14], precision=HALF) / 2).standard_deviation >= 2.0**-24 / math.sqrt(12)
    assert (spread([2.0**-20], precision=HALF) / 1024).bound >= 2.0**-30  # which is rounded to 0
    assert (spread([30_000.0], precision=HALF) * 2).bound == 0
    assert (spread([60_000.0], precision=HALF) * 2).bound == np.inf


def test_given_numbers_may_be_flushed_or_out_of_range() -> None:
    tiny = SINGLE.format.smallest_normal / 4
    values = np.array([1.0, -tiny, 0.0, 1e39])
    assert SpreadArray.exact(values, SINGLE, LOG_ODDS).standard_deviation.tolist() == [0, tiny, 0, np.inf]
    assert SpreadArray.exact(values[:3], replace(SINGLE, flushes=False), LOG_ODDS).noise is None
    assert spread([1.0]).lift(tiny).standard_deviation == tiny


def test_a_square_has_the_error_of_its_operand_twice() -> None:
    z = spread([3.0], 1e-6)
    seen = mean_square(np.square(3 + 1e-3 * np.random.default_rng(17).standard_normal((DRAWS, 1))) - 9)
    assert wrong(variance_of(z * z), seen) == []
    assert wrong(variance_of(z * spread([3.0], 1e-6)), seen) != []


def test_a_sum_is_off_as_in_the_worse_of_its_two_orders() -> None:
    for terms in ([2.0**-10, 2.0**-10, 1.0], [1.0, 2.0**-10, 2.0**-10]):  # one rounds about 1 once, the other twice
        assert 2 <= variance_of(arrays.total(spread(terms))) * 3 / U**2 <= 2 * (1 + 2.0**-9) ** 2


def test_a_logarithm_of_many_classes_is_off_by_their_sum() -> None:
    """Of k equal terms, one by one, it is off by k/3 roundings of the whole, besides which all others are few."""
    z = np.random.default_rng(0).normal(0, 0.1, (1, 10_000))
    off = Roundings(np.random.default_rng(1)).log_softmax(np.repeat(z[np.newaxis], 200, axis=0)) - arrays.log_softmax(z)
    chance = 1 + 2 * math.sqrt(ODDS / 200) + 2 * ODDS / 200  # as all classes share that error
    share = np.mean(variance_of(arrays.log_softmax(spread(z)))) / np.mean(mean_square(off))
    assert 1 / chance <= share <= 1 / (1 - 2 * math.sqrt(ODDS / 200))
    assert not 1 / chance <= share / 5
    finer, coarse = (
        variance_of(arrays.log_softmax(spread(z, precision=Precision("bfloat16", sums, function_rms=0.3))))
        for sums in ("float32", "bfloat16")
    )
    assert (
        np.max(np.abs((coarse - finer) / (10_000 / 3 * 2.0**-16 / 3) - 1)) <= 2.0**-30
    )  # in variance, a rounding in float32 is 2**-32 of one in bfloat16


def test_the_sum_of_two_classes_is_rounded_once() -> None:
    precise, z = replace(KEPT, function_rms=0.29), np.array([[0.0, -5.0]])
    draws = Roundings(np.random.default_rng(2), precise).log_softmax(np.repeat(z[np.newaxis], DRAWS, axis=0))
    model = variance_of(arrays.log_softmax(spread(z, precision=precise)))
    assert wrong(model, mean_square(draws - arrays.log_softmax(z)), most=1 + 2 / 3) == []  # so much is counted


def test_sums_with_zero_and_of_one_term_are_exact() -> None:
    for z in (spread([0.1, 0.7]) + spread([0.0, 0.5]), spread([0.0, 0.5]) - spread([0.1, 0.7])):
        assert z.standard_deviation[0] <= NOTHING
        assert z.standard_deviation[1] > U / 10
    assert (spread([0.7]) + spread([0.0], 1e-24)).standard_deviation > U / 10
    one = np.array([[0.0, 0.3, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.9], [0.1, 0.0, 0.0]])
    product = spread(one) @ spread([[0.3, 0.0], [0.7, 0.0], [0.9, 0.0]])
    assert (product.standard_deviation > 0).tolist() == [[True, False], [False, False], [True, False], [True, False]]
    assert ((spread(one) @ spread(np.zeros((3, 1)), 1e-6)).standard_deviation > 0).ravel().tolist() == [1, 0, 1, 1]
    for operation in (arrays.row_sums, arrays.column_sums):
        assert not operation(spread(one)).standard_deviation.any()
        assert np.max(operation(spread(np.abs(one) + 0.1)).standard_deviation) > U / 10


@pytest.mark.parametrize("flushes", [True, False])
@pytest.mark.parametrize("storage", ["float16", "bfloat16", "float32"])
def test_what_underflows_is_off_by_what_is_lost(storage: str, flushes: bool) -> None:
    """Flushed, by up to the smallest normal number; else by a rounding, uniform within half of the smallest spacing."""
    precision = Precision(storage, storage, flushes=flushes)
    normal, subnormal = 2.0 ** (1 - SIZES[storage].highest), 2.0 ** SIZES[storage].lowest
    root = math.sqrt(normal) / 3
    z = spread([root], precision=precision)
    for product in (z * spread([root * 1.1], precision=precision), z / spread([3.1 / root], precision=precision)):
        lost = product.bound[0] if flushes else product.standard_deviation[0]
        least = normal if flushes else subnormal / math.sqrt(12)
        rounding = math.sqrt(2 * LOG_ODDS) * precision.format.unit * product.value[0]
        assert least * (1 - 4 * U64) <= lost <= least + rounding  # a square, a quotient and a root
        flushed, kept = 0.0, precision.format.nearest(product.value)[0]
        assert abs((flushed if flushes else kept) - product.value[0]) <= product.bound[0]
    # a sum does not underflow, but it may be flushed
    tiny = spread([subnormal], precision=precision) + spread([2 * subnormal], precision=precision)
    if flushes:
        assert normal * (1 - 4 * U64) <= tiny.bound[0] <= normal * (1 + 4 * precision.format.unit)
    else:
        assert tiny.standard_deviation[0] <= 3 * subnormal * precision.format.unit


def test_what_overflows_is_infinite_and_never_nan() -> None:
    big = spread([[300.0, 200.0]], precision=HALF)
    product = big * big
    assert product.bound.tolist()[0][0] == math.inf > product.bound[0][1]
    unknown = spread([[0.0, 1.0]], np.inf, precision=HALF)
    for z in (product, unknown):
        for result in (
            z + z,
            z * 0,
            z / (z + 1),
            z @ z.T,
            z.T @ z,
            arrays.exp(0 * z),
            arrays.log_softmax(z),
            arrays.row_sums(z),
            arrays.total(z),
            arrays.maximum(z, 0),
            arrays.where_positive(z, z, 0),
            arrays.sqrt(z + 1),
        ):
            assert np.isinf(result.bound).any()
            assert not np.isnan(result.bound).any()
    assert np.isinf((spread([[40_000.0]], precision=HALF) + 30_000).bound).all()
    assert np.isfinite((spread([[40_000.0]], precision=HALF) + 20_000).bound).all()
    assert np.isinf((spread([[65_000.0]], 1e6, HALF) * 1).bound).all()  # perhaps above 65504
    assert spread([0.0], 1e308).bound == np.inf  # and no warning
    times_zero = spread([0.0, 1.0], np.inf) * np.array([0.0, 1.0]) + 1e-9
    assert np.isinf(times_zero.bound).all()
    assert (arrays.where_positive(times_zero, 1, 0).bound >= 1).all()
    assert np.isinf(
        (spread(np.full((1, 3), 200.0), precision=HALF) @ spread(np.full((3, 1), 200.0), precision=HALF)).bound
    ).all()


@given(st.floats(1e-300, 1e-150))
def test_tiny_numbers_have_a_bound(value: float) -> None:
    third = spread([value], precision=precision_named("float64")) / 3
    assert third.bound[0] >= 2.0**-53 * value / 3
    assert third.standard_deviation[0] == NOTHING
    kept = spread([value], precision=replace(precision_named("float64"), flushes=False))
    assert (kept + spread([value / 3])).standard_deviation[0] == NOTHING


def test_an_empty_array_is_within_the_range() -> None:
    assert (spread(np.zeros((0, 3))) + 1).bound.shape == (0, 3)


@pytest.mark.parametrize("widest", [1.0, 2.0**100, 2.0**200])
@pytest.mark.parametrize("scale", [1.0, 2.0**-700, 2.0**700])
@pytest.mark.parametrize("some", [1.0, 0.0, np.inf])
def test_products_of_variances_are_as_exact_as_float32_whatever_their_range(
    widest: float, scale: float, some: float
) -> None:
    """A sum of k non-negative products in float32 is off by (k + 2)·2**-24 of itself at most (Higham, lemma 3.1)."""
    rng = np.random.default_rng(1)
    a, b = rng.exponential(size=(96, 128)), rng.exponential(size=(128, 80))
    a[3] /= widest  # a sample whose errors are far below those of others
    b[:, 5] /= widest
    a[7, 2] = some
    found, expected = module._roughly(a * scale, b / scale), a @ b
    with np.errstate(all="ignore"):
        off = np.abs(found - expected) / expected
    assert (off[expected < np.inf] <= 130 * 2.0**-24).all()
    assert np.array_equal(found == np.inf, expected == np.inf)


def test_where_nothing_is_known_nothing_is_tried() -> None:
    value, trial = np.array([[1.0, 2.0, 3.0]]), np.array([[1.5, 2.5, 3.5]])
    like = SpreadArray(value, precision_named("float32"), 40)
    (tried,) = module._tried(like, value, np.array([[np.inf, 0.0, 1.0]]), [trial], 1)
    assert tried[0, 0] == trial[0, 0]
    assert tried[0, 1] == trial[0, 1]
    assert 0 < abs(tried[0, 2] - trial[0, 2]) <= np.sqrt(3) * (1 + 2.0**-20)
    (tried,) = module._tried(like, value, np.full((1, 3), np.inf), [trial], 1)
    assert np.array_equal(tried, trial)
