"""Honest computations that a simpler model of rounding would call wrong, each with that simpler model beside it.

Every operation is rounded to nearest, in NumPy's float32 and float16 or in bfloat16, functions too, and sums are formed
one term after the other. No error comes from a mistake; but errors have one sign, or arrive together, or cross a kink,
and a model in which roundings are independent and relative promises less. So each bound covers what was computed, is
not much more, and does not cover it once that part of the model is taken out.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import refnn
from refnn import arrays
from refnn.arithmetic import spread as module
from refnn.arithmetic.noise import Noise
from refnn.arithmetic.precision import BinaryFormat, Precision, precision_named
from refnn.arithmetic.spread import SpreadArray
from refnn.arrays import FloatArray
from refnn.oracle.budget import Tolerance
from refnn.strategies import Case

U = 2.0**-24
"""The unit roundoff of float32."""

SINGLE = precision_named("float32")
BRAIN = precision_named("bfloat16")


def rounded(array: Any, kind: Any = np.float32) -> FloatArray:
    """To a format and back."""
    return np.asarray(array).astype(kind).astype(np.float64)


def one_by_one(terms: Any, kind: Any = np.float32) -> FloatArray:
    """Sums over the first axis: terms are rounded, and then each sum with one more; float64 holds products."""
    return np.asarray(np.cumsum(np.asarray(terms).astype(kind), axis=0, dtype=kind)[-1].astype(np.float64))


def exact_sums(terms: Any) -> FloatArray:
    """Sums of columns, rounded once, to float64."""
    return np.array([math.fsum(column) for column in np.asarray(terms).T])


def bounds(case: Case, kind: Any = "float32") -> Tolerance:
    """Those of a case whose numbers the format holds."""
    budget = refnn.tolerance(*case, precision=kind)
    assert not any(budget.question.rounded.values())
    return budget


def without(part: str, instead: Any, case: Case, kind: Any = "float32") -> Tolerance:
    """The bounds of a model that does something else in place of one of its parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, part, instead)
        return bounds(case, kind)


def nothing(*_: Any) -> Any:
    return None


def in_proportion(exact: FloatArray, precision: Precision) -> FloatArray:
    """All numbers of a constant moved by the same share, be it ever so small."""
    return np.asarray(exact * (1 + module._NUDGE))


def meanless(z: SpreadArray) -> SpreadArray:
    """With the variance of its errors alone."""
    assert z.noise is not None
    return replace(z, noise=Noise(z.noise.itself))


# --------------------------------------------------------------------------------------------------------------- kinks


def test_units_that_share_an_error_cross_a_kink_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """z = v·tanh(a) + 2⁻¹²·tanh(¾x) + b, where x goes from 1 to 1 + 2⁻¹³ and z is positive, but less than u.

    In float32 it is 0 in all rows: the sum of the two is rounded to −b. So the gradient of b, Σ y, is 0 instead.
    """
    rng, samples = np.random.default_rng(0), 1000
    a, v = rounded([rng.uniform(0.3, 1), rng.uniform(0.5, 2)])
    x = np.stack([np.ones(samples), 1 + np.arange(samples) * 2.0**-23], axis=1)
    y = rounded(rng.uniform(0.5, 1, (samples, 1)))
    h = np.tanh(x * [a, 0.75])
    b = -rounded((h @ [v, 2.0**-12]).mean())
    true = h @ [v, 2.0**-12] + b  # to 2⁻⁵², while z is about 2⁻²⁸
    z = one_by_one([*(rounded(h) * [v, 2.0**-12]).T, np.full(samples, b)])
    assert (z == 0).all()
    assert (true > 0).all()

    network = refnn.Network(refnn.Dense(2, 2), refnn.Tanh(), refnn.Dense(2, 1), refnn.ReLU(), loss=refnn.InnerProduct())
    w = [a, 0, 0, 0.75, 0, 0, v, 2.0**-12, b]
    case = Case(network, np.array(w), x, y)
    bound = bounds(case).gradient[-1]
    assert y.sum() <= bound <= y.sum() * (1 + 2.0**-10)  # all jumps, and roundings of about u
    monkeypatch.setattr(Noise, "down", property(lambda noise: noise.itself))
    assert bounds(case).gradient[-1] < y.sum()


def test_a_rounded_constant_crosses_a_kink() -> None:
    """The slope is 1 + 0.99u times a power of 2, which it is rounded to, and half of the terms are in proportion to it.

    As the other half is the negative of that but for 0.9u, only the slope's own rounding makes the sum negative.
    """
    brain, units = ml_dtypes.bfloat16, 1024
    half, unit, slope = units // 2, 2.0**-8, 2.0**-7 * (1 + 0.99 * 2.0**-8)
    rng = np.random.default_rng(0)
    w = rounded(rng.uniform(1, 2, units), brain)
    w[:half] *= -1
    slopes = np.where(w < 0, slope, 1)
    v = rounded(-rng.uniform(1, 2, units) * np.where(w < 0, 1, slope), brain)
    positive = float((slopes * w * v)[:half].sum())
    for j in range(half, half + 8):  # each in its last place, which is finer every time
        v[j] = rounded(v[j] - ((slopes * w * v).sum() - 0.9 * unit * positive) / w[j], brain)
    true = float((slopes * w * v).sum())
    h = rounded(np.where(w < 0, rounded(slope, brain), 1) * w, brain)
    z = one_by_one(h * v)
    assert z < 0 < true

    network = refnn.Network(
        refnn.Dense(1, units), refnn.LeakyReLU(slope), refnn.Dense(units, 1), refnn.ReLU(), loss=refnn.InnerProduct()
    )
    one = np.ones((1, 1))
    case = Case(network, np.concatenate([w, np.zeros(units), v, np.zeros(1)]), one, one)
    found, sure = bounds(case, "bfloat16"), without("_displaced", lambda z: np.zeros(()), case, "bfloat16")
    of_bias, of_v = found.gradient[-1], found.gradient[2 * units : 3 * units]
    assert of_bias == 1  # ReLU′ is 1, or 0 here
    assert (abs(slopes * w) <= of_v).all()
    assert sure.gradient[-1] == 0
    assert (abs(slopes * w) > sure.gradient[2 * units : 3 * units]).all()


def test_the_mean_of_errors_crosses_a_kink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 1 + Σ terms − 1 − 230u, the terms do not change the sum; without them, it is negative in all rows."""
    features, samples = 511, 257
    x = rounded(np.random.default_rng(0).uniform(0.8, 1, (samples, features)))
    w = np.full(features, U)
    x[:, 0] = w[0] = 1
    b = -(1 + 230 * U)
    true = exact_sums(np.vstack([(x * w).T, np.full(samples, b)]))
    z = one_by_one((x * w).T) + b  # to −230u, without a rounding
    assert (true > 0).all()
    assert (z == -230 * U).all()

    network = refnn.Network(refnn.Dense(features, 1), refnn.ReLU(), loss=refnn.InnerProduct())
    case = Case(network, np.append(w, b), x, np.ones((samples, 1)))
    assert samples <= bounds(case).gradient[-1] <= samples * (1 + 2.0**-10)  # all jumps, and roundings of about u
    monkeypatch.setattr(Noise, "down", property(lambda noise: noise.itself))  # that they share errors is not the reason
    assert bounds(case).gradient[-1] >= samples
    crossing = module._crossing
    assert without("_crossing", lambda z: crossing(meanless(z)), case).gradient[-1] < samples


# ----------------------------------------------------------------------------------------------------------- constants


def test_class_weights_are_rounded_each_its_own_way() -> None:
    """1.003822 to 1 and 1.003978 to 1 + 2⁻⁷: what weighs as much in both classes then does not cancel."""
    brain, samples, given = ml_dtypes.bfloat16, 2048, (1.003822, 1.003978)
    x, classes = rounded(np.random.default_rng(0).normal(size=(samples, 1)), brain), np.arange(samples) % 2
    z = x * [[0.5, -0.5]]
    e = np.exp(rounded(z - z.max(axis=1, keepdims=True), brain))
    p = rounded(e / e.sum(axis=1, keepdims=True), brain)

    def cotangent(p: FloatArray, weights: FloatArray) -> FloatArray:
        of_samples = weights[classes][:, None]
        return p * of_samples - of_samples * np.eye(2)[classes]

    weights = rounded(given, brain)
    assert weights.tolist() == [1, 1 + 2.0**-7]
    product = rounded(p * weights[classes][:, None], brain)
    terms = rounded(product - weights[classes][:, None] * np.eye(2)[classes], brain)
    # float64's own roundings, of up to 2⁻⁵³ in so many terms, are nothing to 2⁻⁸
    true = exact_sums(cotangent(1 / (1 + np.exp(-2 * z)), np.array(given)))
    error = abs(rounded(one_by_one(terms), brain) - true)

    loss = refnn.SoftmaxCrossEntropy(class_weights=given, reduction="sum")
    case = Case(refnn.Network(refnn.Dense(1, 2), loss=loss), np.array([0.5, -0.5, 0, 0]), x, classes)
    found = bounds(case, "bfloat16").gradient[2:]
    assert (error <= found).all()
    assert (found < 2 * error).all()
    assert (without("_nudged", in_proportion, case, "bfloat16").gradient[2:] < error).all()


@pytest.mark.parametrize(
    ("weights", "factors", "rounding"),
    [
        ((1.003822, 1.003978), (1.0, -1.0), 0.0),  # 2⁻⁷ − 0.000156: of numbers in that place, the difference is exact
        ((1 / 3, 0.7), (16.0, -8.0), 2.0**-8 * 0.3),  # u times 16/3 − 8·0.7
    ],
)
def test_numbers_of_an_array_constant_are_rounded_each_its_own_way(
    weights: tuple[float, float], factors: tuple[float, float], rounding: float
) -> None:
    """Products with powers of 2 are exact, and so only constants are off, but for a rounding of the sum."""
    z, constant = SpreadArray(np.array([factors]), BRAIN, 8.0), np.array(weights)
    off = [
        Fraction(float(r)) - Fraction(c) for r, c in zip(rounded(constant, ml_dtypes.bfloat16), weights, strict=True)
    ]
    error = abs(float(sum(Fraction(f) * o for f, o in zip(factors, off, strict=True))))
    bound = arrays.row_sums(z * z.lift(constant)).bound.item()
    assert error <= bound <= (1 + 2.0**-10) * error + 4 * rounding  # four deviations, of which each is less
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_nudged", in_proportion)
        assert arrays.row_sums(z * z.lift(constant)).bound.item() < error


@pytest.mark.parametrize("slope", [1e-7, 2e-6])
def test_constants_below_the_normal_range_are_off_by_half_the_smallest_number(slope: float) -> None:
    """However small they are."""
    case = Case(
        refnn.Network(refnn.Dense(1, 1), refnn.LeakyReLU(slope), loss=refnn.InnerProduct()),
        np.array([1.0, 0]),
        np.array([[-30000.0]]),
        np.ones((1, 1)),
    )
    error = abs(float(np.float16(-30000) * np.float16(slope)) + 30000 * slope)
    bound = bounds(case, "float16").outputs.item()
    assert error <= bound < 2 * error
    assert without("_nudged", in_proportion, case, "float16").outputs.item() < error


@pytest.mark.parametrize("constant", [2, 0.1])
def test_a_constant_takes_the_side_of_what_it_meets(constant: float) -> None:
    """In either order, and in what is transposed too: along which axis units are does not depend on it."""
    z = SpreadArray(np.ones((3, 2)), SINGLE, 8.0)
    for turned, along in ((z, 1), (z.T, 0)):
        assert (constant * turned).along == (turned * constant).along == (constant - turned).along == along
        assert turned.lift(constant).along == along


# --------------------------------------------------------------------------------------- terms that do not change a sum

TERMS = 4096
"""Independent roundings of so many partial sums, all about 1, reach √(2λ·4096/3)·u: less than 400u."""


def small(rng: np.random.Generator, size: Any) -> FloatArray:
    """A little less than u, which is half a unit in the last place of 1: 1 plus any of them is 1."""
    return rounded(rng.uniform(0.8, 1, size) * U)


def test_an_intercept_outweighs_the_features() -> None:
    rng, samples = np.random.default_rng(0), 3
    x, w = rounded(rng.uniform(0.8, 1, (samples, TERMS))), small(rng, TERMS)
    x[:, 0] = w[0] = 1
    found = one_by_one((x * w).T)
    assert (found == 1).all()
    error = abs(found - exact_sums((x * w).T))
    case = Case(
        refnn.Network(refnn.Dense(TERMS, 1), loss=refnn.InnerProduct()), np.append(w, 0), x, np.ones((samples, 1))
    )
    bound = bounds(case).outputs.ravel()
    assert (error <= bound).all()
    assert (bound < 2 * error).all()
    assert (without("_stagnant", nothing, case).outputs.ravel() < error).all()


def test_a_bias_that_comes_first_outweighs_the_features() -> None:
    rng, samples = np.random.default_rng(0), 3
    x, w = rounded(rng.uniform(0.8, 1, (samples, TERMS))), small(rng, (TERMS, 1))
    terms = np.vstack([np.ones((1, samples)), x.T * w])
    found = one_by_one(terms)
    assert (found == 1).all()
    error = abs(found - exact_sums(terms))
    product = SpreadArray(x, SINGLE, 30.0) @ SpreadArray(w, SINGLE, 30.0)
    added = product + SpreadArray(np.ones((1, 1)), SINGLE, 30.0)
    bound = added.bound.ravel()
    assert (error <= bound).all()
    assert (bound < 2 * error).all()
    assert (meanless(added).bound.ravel() < error).all()
    case = Case(
        refnn.Network(refnn.Dense(TERMS, 1), loss=refnn.InnerProduct()), np.append(w, 1), x, np.ones((samples, 1))
    )
    assert (error <= bounds(case).outputs.ravel()).all()


def test_a_sample_outweighs_the_batch() -> None:
    """In the gradient of the bias, which is a sum over a column, and of the weight, which is a product of matrices."""
    rng = np.random.default_rng(0)
    x, y = rounded(rng.uniform(0.8, 1, (TERMS, 1))), small(rng, (TERMS, 1))
    x[0] = y[0] = 1
    terms = np.hstack([x * y, y])
    found = one_by_one(terms)
    assert (found == 1).all()
    error = abs(found - exact_sums(terms))
    case = Case(refnn.Network(refnn.Dense(1, 1), loss=refnn.InnerProduct()), np.array([1.0, 0]), x, y)
    bound = bounds(case).gradient
    assert (error <= bound).all()
    assert (bound < 2 * error).all()
    for part, index in (("_stagnant", 0), ("_lost_terms", 1)):
        assert (without(part, nothing, case).gradient < error).tolist() == [index == 0, index == 1]


@pytest.mark.parametrize(("weight", "cotangent"), [(0.1, 2.9e-7), (0.04, 5e-7)])
def test_equal_products_are_lost_together(weight: float, cotangent: float) -> None:
    """Each is less than half the smallest number of float16, so that 0 is what honest sums in float16 are."""
    units, half = 64, Precision("float16", accumulate="float16")
    given, cotangents = rounded(np.full(units, weight), np.float16), rounded(np.full((1, units), cotangent), np.float16)
    assert not (given.astype(np.float16) * cotangents.astype(np.float16)).any()
    error = math.fsum((given * cotangents).ravel())
    case = Case(
        refnn.Network(refnn.Dense(1, units), loss=refnn.InnerProduct()),
        np.concatenate([given, np.zeros(units)]),
        np.ones((1, 1)),
        cotangents,
    )
    bound = bounds(case, half).input_gradient.item()
    assert error <= bound < 2 * error
    loss = module._loss

    def apart(precision: Precision, formed: BinaryFormat, terms: int, log_odds: float) -> float:
        return terms * loss(precision, formed, 1, log_odds)

    assert without("_loss", apart, case, half).input_gradient.item() < error


# ------------------------------------------------------------------------------------------------------ large and small

drawn = module._tried


def in_float32(
    like: SpreadArray, value: FloatArray, variance: FloatArray, trials: list[FloatArray], number: int
) -> list[FloatArray]:
    """Trials with errors whose variances, in units of u²/12, are squares that overflow and underflow float32."""
    units = 12 / like.precision.format.unit**2
    held = (variance * units).astype(np.float32) / units
    return [np.where(np.isinf(held), np.inf, trial) for trial in drawn(like, value, held, trials, number)]


def test_trials_do_not_overflow() -> None:
    """The loss is half the square of about 1e20, all of whose gradients float64 holds; trials are as at 1."""
    rng = np.random.default_rng(0)
    network = refnn.Network(refnn.Dense(5, 3), refnn.Tanh(), refnn.Dense(3, 2), loss=refnn.SquaredError())
    x, y = rng.normal(size=(200, 5)), rng.normal(size=(200, 2))
    case = Case(network, network.initial_parameters(rng=0), x, y * 1e20)
    found = bounds(case, "float64")
    assert found.independent
    assert all(np.isfinite(part).all() for part in found.bounds)
    assert not without("_tried", in_float32, case, "float64").independent


@pytest.mark.parametrize("scale", [1, 2.0**-80])
def test_trials_do_not_underflow(scale: float) -> None:
    """Roundings reinforce each other in a chain of positive weights, and no less where all numbers are 2⁻⁸⁰ times."""
    layers, rng = 16, np.random.default_rng(0)
    network = refnn.Network(*[refnn.Dense(2, 2) for _ in range(layers)], loss=refnn.InnerProduct())
    positive = rng.uniform(0.5, 1.5, (layers, 2, 2))
    weights = rounded(2 * positive / positive.sum(axis=(1, 2), keepdims=True))
    x, y = (rounded(part) * scale for part in rng.uniform(1, 2, (2, 5, 2)))
    case = Case(network, np.hstack([weights.reshape(layers, 4), np.zeros((layers, 2))]).ravel(), x, y)
    found = bounds(case)
    assert not found.independent
    h, true = x, x
    for weight in weights:
        true = true @ weight
        h = one_by_one([h[:, [j]] * weight[j] for j in range(2)])
    assert (abs(h - true) <= found.outputs).all()
    assert without("_tried", in_float32, case).independent == (scale < 1)


@pytest.mark.parametrize("weight", [370.0, 400.0])
def test_a_table_of_what_is_lost_in_a_tail(weight: float) -> None:
    """tanh′(370) is 4/exp(740), below the normal range of float64, and tanh′(400) is 0; the bounds are of float32."""
    network = refnn.Network(refnn.Dense(1, 1), refnn.Tanh(), refnn.Dense(1, 1), loss=refnn.SquaredError())
    table = str(refnn.tolerance(network, [weight, 0, 1, 0], [[1.0]], [[0.5]], precision="float32"))
    rows = {name: rest for name, *rest in map(str.split, table.splitlines()[2:9])}
    for name in ("0.weight", "0.bias", "input_gradient"):
        assert rows[name] == ["1", "0.0%", ">1", "zeros", "would", "pass"]
    for name in ("outputs", "loss", "2.weight", "2.bias"):
        assert rows[name][:2] == ["1", "100.0%"]
        assert float(rows[name][2]) < 1e-5


def test_two_large_weights_hide_small_ones() -> None:
    """w = (1, u, …, u, −1): all but two products of 256 are below half a unit of the sum on the way, and are lost."""
    k = 256
    w = np.full(k + 1, U)
    w[0], w[k - 1], w[k] = 1, -1, 0
    x = np.random.default_rng(2).uniform(0.8, 1, (1, k))
    x[0, 0] = x[0, -1] = 1
    case = Case(refnn.Network(refnn.Dense(k, 1), loss=refnn.InnerProduct()), w, rounded(x), np.ones((1, 1)))
    terms = (case.x * w[:k]).T
    error = abs(one_by_one(terms) - exact_sums(terms)).item()
    assert error > 100 * U
    assert error <= bounds(case).outputs.item() < 2 * error
    assert without("_stagnant", lambda *_: None, case).outputs.item() < error


def test_one_moderate_term_does_not_hide_that_others_do_not_change_a_bias() -> None:
    """1 + (a hundredth + 255 terms of u): added to 1 one by one, these are lost, and as much as the hundredth."""
    k = 256
    w = np.full(k + 1, U)
    w[0], w[k] = rounded(0.01), 1
    x = np.random.default_rng(3).uniform(0.8, 1, (1, k))
    x[0, 0] = 1
    case = Case(refnn.Network(refnn.Dense(k, 1), loss=refnn.InnerProduct()), w, rounded(x), np.ones((1, 1)))
    terms = np.concatenate([[[1.0]], (case.x * w[:k]).T])
    error = abs(one_by_one(terms) - exact_sums(terms)).item()
    assert error > 100 * U
    assert error <= bounds(case).outputs.item() < 2 * error
    assert without("_typical", lambda z, axis: np.ones(z.shape[1 - axis]), case).outputs.item() < error


def test_terms_that_are_rounded_alike_when_they_are_added_to_a_large_one() -> None:
    """Between 2.1 and 2.9 half units of the sum: each is rounded down to two of them, or up to four at once."""
    n = 1024
    terms = np.full((n, 1), 1.0)
    terms[1:, 0] = rounded(np.random.default_rng(4).uniform(2.1, 2.9, n - 1) * U)
    added = arrays.column_sums(SpreadArray.exact(terms, SINGLE, 40.0))
    error = abs(one_by_one(terms) - exact_sums(terms)).item()
    assert error > 100 * U
    assert error <= added.bound.item() < 3 * error


def test_a_kink_may_be_crossed_by_a_rounded_constant_alone() -> None:
    """0.1·1 − 0.1, with a tenth that is rounded once to float32 and once not at all, is 1.5e-9 and not 0."""
    one = SpreadArray.exact(np.ones((1, 1)), SINGLE, 40.0)
    tenth = replace(one.lift(0.1), value=np.full((1, 1), 0.1), moved={b"0.1": np.full((1, 1), 0.1 * (1 + 2.0**-26))})
    z = replace(tenth, value=tenth.value - 0.1, moved={b"0.1": tenth.moved[b"0.1"] - 0.1})
    assert z.noise is None
    assert abs(float(np.float32(0.1)) - 0.1) <= z.bound.item() <= 0.1 * U * (1 + 2.0**-20)
    assert arrays.where_positive(z, 1, 0).bound.item() == 1
