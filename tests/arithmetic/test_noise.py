"""Errors that add up: jumps that go one way, products of errors, what is flushed, and errors as large as logits."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import arrays
from refnn.arithmetic import spread as module
from refnn.arithmetic.noise import Flips, Noise
from refnn.arithmetic.precision import Precision, precision_named
from refnn.arithmetic.spread import SpreadArray
from refnn.arrays import FloatArray
from tests.arithmetic.test_spread import HALF, ODDS, SINGLE, U64, Roundings, U, spread, variance_of

DOUBLE = precision_named("float64")


def often(off: FloatArray, bound: FloatArray, log_odds: float) -> bool:
    """Whether errors, of draws along the first axis, exceed their bound more often than is said, and than by chance.

    Of n draws, events of probability p are more than np + √(2pnx) + x/3·2 only with a probability of exp(−x), by
    Bernstein's inequality.
    """
    said = 2 * math.exp(-log_odds)
    seen = np.mean(np.abs(off) > bound, axis=0)
    return bool(np.max(seen) > said + math.sqrt(2 * said * ODDS / len(off)) + 2 * ODDS / (3 * len(off)))


# ------------------------------------------------------------------------------------------------ jumps that go one way

SAMPLES = 4096
DEVIATION = 1e-3


def at_their_kink(random: np.random.Generator, log_odds: float) -> SpreadArray:
    """One unit of many samples, none of which is on; half of them are computed to be."""
    z = -random.uniform(0.1, 1, (SAMPLES, 1)) * 1e-6
    return arrays.where_positive(spread(z, DEVIATION**2, log_odds=log_odds), 1, 0)


@pytest.mark.parametrize("log_odds", [1.5, 4.0])
@pytest.mark.parametrize(
    "add",
    [
        arrays.column_sums,
        arrays.total,
        lambda step: np.ones((1, SAMPLES)) @ step,
        lambda step: step.T @ np.ones((SAMPLES, 1)),
        lambda step: arrays.row_sums(step.T),
        lambda step: arrays.total(arrays.reshape(step, (SAMPLES,))),
    ],
)
def test_flips_of_many_samples_may_all_go_one_way(add: Any, log_odds: float) -> None:
    random = np.random.default_rng(4)
    added = add(at_their_kink(random, log_odds))
    crossed = 1.0 * random.binomial(SAMPLES, 0.5, 4000)  # an offset of 1e-6 shifts the probability by 4e-4 at most
    assert not often(crossed, added.bound.ravel(), log_odds)
    assert added.bound.item() < 0.6 * SAMPLES  # which is less than all of them
    assert added.flips is not None
    without = replace(added, flips=added.flips._replace(mean=0 * added.flips.mean))
    assert often(crossed, without.bound.ravel(), log_odds)


@pytest.mark.parametrize("log_odds", [4.0, 8.0])
def test_flips_of_the_units_of_a_sample_have_either_sign(log_odds: float) -> None:
    """Half of 300 units are crossed, upwards or downwards, and weighted with numbers of either sign."""
    random = np.random.default_rng(3)
    z, weight = random.choice([-1e-6, 1e-6], (1, 300)) * random.uniform(0.1, 1, (1, 300)), random.normal(0, 1, (300, 5))
    step = arrays.where_positive(spread(z, DEVIATION**2, log_odds=log_odds), 1, 0)
    jumps = (random.random((4000, 300)) < 0.5) * np.where(z > 0, -1, 1)
    added = step @ spread(weight, log_odds=log_odds)
    assert added.flips is not None
    assert not often(jumps @ weight, added.bound, log_odds)
    # the mean is at most ½√Σw², beside a deviation of the same size; all jumps together are 8 times more
    assert (added.bound[0] < (1 + math.sqrt(2 * log_odds) + log_odds) * np.sqrt(np.sum(weight**2, axis=0))).all()
    assert (added.flips.mean < added.flips.total / 4).all()
    one_way = replace(step, coherent=True) @ spread(weight, log_odds=log_odds)
    assert one_way.flips is not None
    assert (one_way.flips.mean >= np.abs(weight).sum(axis=0) / 2 * (1 - 1e-3)).all()


WIDTH = 1024


@pytest.mark.parametrize("transposed", [False, True])
def test_one_flip_that_is_spread_by_a_product_jumps_everywhere(transposed: bool) -> None:
    random = np.random.default_rng(5)
    out, back = random.uniform(0.5, 1.5, (1, WIDTH)), random.uniform(0.5, 1.5, (WIDTH, 1))
    whole = (out @ back).item()  # the one unit is crossed every other time
    for coherent in (False, True):
        step = arrays.where_positive(replace(spread([[1e-6]], DEVIATION**2), coherent=coherent), 1, 0)
        if transposed:
            sums = [back.T @ (step @ out).T, arrays.column_sums((step @ (out * back.T)).T)]
        else:
            sums = [(step @ out) @ back, arrays.row_sums(step @ (out * back.T)), arrays.total(step @ (out * back.T))]
        for added in sums:
            assert (added.bound.item() >= whole) is coherent
            assert added.bound.item() <= whole * (1 + 1e-4)  # and some roundings, of 2**-24 each, at most 1024 times


# ------------------------------------------------------------------------------------------------- products of errors


def chance_of_squares(count: int, limit: float) -> Any:
    """The probability that the sum of so many squares of normal numbers is more."""
    with mpmath.workdps(30):
        return mpmath.gammainc(mpmath.mpf(count) / 2, mpmath.mpf(limit) / 2, mpmath.inf, regularized=True)


@pytest.mark.parametrize("log_odds", [8.0, 30.0])
@pytest.mark.parametrize("shape", [(1, 1), (64, 1), (64, 11), (4096, 1), (4096, 10), (40_000, 1), (7, 900)])
def test_a_loss_at_an_exact_fit_is_as_large_as_the_squares_of_errors(shape: tuple[int, int], log_odds: float) -> None:
    size = 1e-4
    residual = spread(np.zeros(shape), size**2, log_odds=log_odds)
    loss = arrays.total(residual * residual / 2)
    count = math.prod(shape)
    assert chance_of_squares(count, 2 * loss.bound.item() / size**2) <= 2 * math.exp(-log_odds)
    # by Laurent and Massart's lemma, so much is enough; the largest of the squares may count as all of them
    enough = count + 2 * math.sqrt(count * log_odds) + 2 * log_odds
    assert loss.bound.item() <= 3 * enough * size**2 / 2


@pytest.mark.parametrize("log_odds", [8.0, 30.0])
@pytest.mark.parametrize("away", [0.0, 0.1, 0.5, 1.0, 3.0])
def test_a_square_keeps_its_bound_if_its_number_is_as_large_as_its_error(away: float, log_odds: float) -> None:
    """(a + e)² − a² is more than b for e > √(a² + b) − a, or for e < −√(a² + b) − a; e is a normal number."""
    number = away * math.sqrt(2 * log_odds)
    z = spread(number, 1.0, log_odds=log_odds)
    bound = (z * z).bound.item()
    ends = [math.sqrt(number**2 + bound) + side * number for side in (-1, 1)]
    assert sum(math.erfc(end / math.sqrt(2)) / 2 for end in ends) <= 2 * math.exp(-log_odds)
    reach = math.sqrt(2 * log_odds)
    assert bound <= 1.01 * (2 * number * reach + reach**2 + 1)  # the farthest error makes no more, nor does the mean


@pytest.mark.parametrize("log_odds", [3.0, 6.0])
@pytest.mark.parametrize("shape", [(1, 1), (50, 1), (50, 7)])
def test_products_of_independent_errors_keep_their_bound(shape: tuple[int, int], log_odds: float) -> None:
    random, v, w = np.random.default_rng(8), 1e-6, 1e-8
    a, b = random.normal(0, 1e-4, shape), random.normal(0, 1e-5, shape)
    product = spread(a, v, log_odds=log_odds) * spread(b, w, log_odds=log_odds)
    e, f = (random.normal(0, math.sqrt(size), (2000, *shape)) for size in (v, w))
    off = (a + e) * (b + f) - a * b
    assert not often(off, product.bound, log_odds)
    assert not often(off.sum(axis=1), arrays.column_sums(product).bound, log_odds)
    assert not often(off.sum(axis=2), arrays.row_sums(product).bound[:, 0], log_odds)
    assert not often(off.sum(axis=(1, 2)), arrays.total(product).bound, log_odds)


def test_products_of_matrices_keep_their_bound_where_all_is_error() -> None:
    random, log_odds = np.random.default_rng(9), 5.0
    a, b = spread(np.zeros((3, 40)), 1e-6, log_odds=log_odds), spread(np.zeros((40, 5)), 1e-8, log_odds=log_odds)
    off = random.normal(0, 1e-3, (2000, 3, 40)) @ random.normal(0, 1e-4, (2000, 40, 5))
    assert not often(off, (a @ b).bound, log_odds)
    assert not often(off.sum(axis=1), arrays.column_sums(a @ b).bound, log_odds)
    assert not often(off.sum(axis=2), arrays.row_sums(a @ b).bound[:, 0], log_odds)


def test_one_error_is_added_to_itself() -> None:
    z, other = spread([3.0], 1e-6), spread([3.0], 1e-6)
    for once, twice in ((z + z, z + other), (z * z / 3, z * other / 3)):
        # with the roundings, and as squares are steeper by 4e-3 than 6 where they are farthest
        assert abs(variance_of(once)[0] - 4e-6) <= 4e-6 * 2e-3
        assert abs(variance_of(twice)[0] - 2e-6) <= 2e-6 * 2e-3


# ------------------------------------------------------------------------------------------------- what is flushed

FLUSHES, KEEPS = (Precision("float32", flushes=flushes) for flushes in (True, False))
NORMAL, SUBNORMAL = 2.0**-126, 2.0**-149


@pytest.mark.parametrize("terms", [8, 512])
@pytest.mark.parametrize("rows", [1, 64])
def test_flushed_products_lose_all_of_themselves(terms: int, rows: int) -> None:
    a = np.random.default_rng(2).uniform(0.7, 0.99, (rows, terms))
    product = spread(a, precision=FLUSHES) @ spread(np.full((terms, 1), NORMAL), precision=FLUSHES)
    lost = product.value  # each product is below the smallest normal number
    assert (lost <= product.bound).all()
    assert (product.bound <= 1.01 * terms * NORMAL).all()  # and roundings, of 2**-24 times 512 at most, and one more
    for add in (arrays.column_sums, arrays.total):
        assert lost.sum() <= add(product).bound
    kept = spread(a, precision=KEEPS) @ spread(np.full((terms, 1), NORMAL), precision=KEEPS)
    rounding = math.sqrt((terms + 1) / 12) * SUBNORMAL  # and no more than u times 512 besides, of partial sums
    assert (kept.standard_deviation <= rounding + terms * SINGLE.format.unit * product.value).all()
    assert (kept.standard_deviation >= math.sqrt(terms / 12) * SUBNORMAL).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_many_that_are_flushed_lose_all_together(axis: int) -> None:
    """As where all gradients are scaled down; scaled up again, they are missing from a sum."""
    random, shape = np.random.default_rng(1), (37, 41)
    z = random.uniform(1.1, 1.9, shape)
    add = (arrays.column_sums, arrays.row_sums)[axis]
    for scale in (NORMAL / 2, -NORMAL / 2):
        tiny = (spread(z * scale / 0.75, precision=FLUSHES) * 0.75) * 2.0**60
        lost = np.abs(z * scale).sum(axis=axis) * 2.0**60
        assert (lost <= add(tiny).bound.ravel()).all()
        assert (add(tiny).bound.ravel() <= 1.01 * shape[axis] * NORMAL * 2.0**60).all()  # with some roundings
        independent = replace(tiny, noise=Noise(variance_of(tiny)))
        assert (lost > add(independent).bound.ravel()).all()
    large = add(spread(z / 0.75, precision=FLUSHES) * 0.75)
    assert (variance_of(large) <= variance_of(add(spread(z / 0.75, precision=KEEPS) * 0.75)) * (1 + 2.0**-50)).all()
    mixed = z.copy()
    mixed[5, 7] *= NORMAL / 2
    alone = (spread(mixed / 0.75, precision=FLUSHES) * 0.75).noise
    assert alone is not None
    counted = (alone.down / alone.itself, alone.across / alone.itself)[axis]
    assert counted[5, 7] == shape[axis]
    assert (np.delete(counted.ravel(), 5 * 41 + 7) == 1).all()


# -------------------------------------------------------------------------------------------------- bounds and ranges


def test_a_value_that_may_be_beyond_the_largest_number_has_no_bound() -> None:
    largest = 65504.0
    for value, deviation, known in (
        (60_000, 1000, True),
        (60_000, 2000, False),
        (-60_000, 2000, False),
        (7e4, 0, False),
    ):
        z = spread([float(value), 1.0], deviation**2, HALF)  # the bound is four deviations
        assert np.isfinite(z.bound).tolist() == [known, True]
        assert known is (abs(value) + 4 * deviation <= largest)
    crossed = SpreadArray(np.array([60_000.0]), HALF, 8.0, flips=Flips(*(np.array([f]) for f in (1e8, 1e16, 1e4, 1e4))))
    assert crossed.bound == np.inf
    moved = SpreadArray(np.array([65_500.0]), HALF, 8.0, moved={b"": np.array([65_500.0 * (1 + 2.0**-26)])})
    assert moved.bound == np.inf  # half a spacing of 32, which is more than 4


def test_a_sum_that_may_be_too_large_on_the_way_has_no_bound() -> None:
    """2·200² is beyond 65504, and 200² is not."""
    a = np.array([[200.0, 200.0, -200.0], [0.0, 200.0, -200.0]])
    for accumulate, known in (("float16", [False, False]), ("float32", [True, True])):
        product = spread(a, precision=Precision("float16", accumulate)) @ spread(np.full((3, 1), 200.0))
        assert np.isfinite(product.bound).ravel().tolist() == known
    halves = spread(a[:, :2], precision=Precision("float16", "float16")) @ spread(np.full((2, 1), 150.0))
    assert np.isfinite(halves.bound).ravel().tolist() == [True, True]


def test_zero_times_what_is_unknown_is_unknown() -> None:
    for zeros in (spread(np.zeros((2, 3))), spread(np.zeros((2, 3)), 1e-6)):
        product = zeros @ spread(np.ones((3, 1)), np.inf)
        assert np.isinf(product.bound).all()
    assert np.isinf((spread(np.ones((2, 3)), np.inf) @ spread(np.zeros((3, 1)))).bound).all()
    known = spread(np.ones((3, 1)), np.where(np.arange(3) == 1, np.inf, 0)[:, np.newaxis])
    assert np.isinf((spread(np.zeros((2, 3))) @ known).bound).all()
    assert not (spread(np.zeros((2, 3))) @ spread(np.ones((3, 1)))).bound.any()


# ----------------------------------------------------------------------------------------- exponentials of large errors


@given(at=st.floats(-5, 5), deviation=st.floats(1e-6, 3))
def test_an_exponential_is_off_by_the_chord_to_its_farthest_end(at: float, deviation: float) -> None:
    reach = 4 * deviation
    result = arrays.exp(spread([at], deviation**2))
    rise = float(mpmath.exp(at) * mpmath.expm1(reach))
    own = variance_of(arrays.exp(spread([at])))[0]
    bound = math.sqrt(rise**2 + 16 * own)
    # below 1e-3, a slope of 1.001; and a square, a sum and a root
    assert bound * (1 - 8 * U64) <= result.bound[0] <= 1.001 * bound


@given(below=st.floats(1e-6, 30), deviation=st.floats(1e-3, 30))
def test_an_exponential_of_what_has_a_ceiling_does_not_pass_it(below: float, deviation: float) -> None:
    log_p = replace(spread([-below], deviation**2), ceiling=0.0)
    p, reach = math.exp(-below), 4 * deviation
    bound = arrays.exp(log_p).bound[0]
    farthest = max(math.exp(min(reach - below, 0)) - p, p - math.exp(-below - reach))
    assert farthest * (1 - 2.0**-45) <= bound  # exponents of up to 150 are rounded
    chord = math.expm1(min(reach, below)) / min(reach, below) * p
    own = 4 * math.sqrt(variance_of(arrays.exp(spread([-below])))[0])
    # the error is no larger than √(2λ) times 1 either
    assert bound <= 1.001 * min(chord * reach, 4.0) + own


# ------------------------------------------------------------------------------------------ logarithms of probabilities


def slopes(z: list[float]) -> FloatArray:
    """∂ log p_j/∂z_c, from mpmath's differences."""
    with mpmath.workdps(60):

        def log_p(j: int, shifted: Any) -> Any:
            return shifted[j] - mpmath.log(mpmath.fsum(map(mpmath.exp, shifted)))

        return np.array(
            [
                [
                    float(mpmath.diff(lambda t, j=j, c=c: log_p(j, [v + t * (k == c) for k, v in enumerate(z)]), 0))
                    for c in range(len(z))
                ]
                for j in range(len(z))
            ]
        )


@pytest.mark.parametrize("z", [[0.3, -0.2, 0.9, 1.0], [18.0, 0.0, 1.0], [0.0, 15.0], [-1.0, 3.0, 2.5, 12.0, 12.5]])
def test_log_probabilities_pass_on_small_errors_exactly(z: list[float]) -> None:
    """Those of a confident class are small; in float64, so that there is little else."""
    variance = 1e-14 * np.arange(1, len(z) + 1)
    model, own = (
        variance_of(arrays.log_softmax(SpreadArray(np.array([z]), DOUBLE, 8.0, noise)))
        for noise in (Noise(variance[np.newaxis]), None)
    )
    expected = np.square(slopes(z)) @ variance
    # 1 − p is 5e-8 at least, and off by 2**-53; the bend is of the order of λ times the variance, relatively
    assert np.max(np.abs((model - own)[0] / expected - 1)) <= 1e-6


def test_log_probabilities_pass_on_small_jumps_exactly() -> None:
    """A jump of one logit shows with 1 − p in its own, and with p in the others."""
    z, jump = [18.0, 0.0, 1.0], 1e-4
    for c in range(3):
        flips = Flips(
            *(
                np.where(np.arange(3) == c, jump**k / often, 0)[np.newaxis]
                for k, often in ((2, 2), (4, 1), (1, 2), (1, 1))
            )
        )
        found = arrays.log_softmax(SpreadArray(np.array([z]), DOUBLE, 8.0, None, flips)).flips
        assert found is not None
        expected = np.abs(slopes(z)[:, c])
        for part, k, often_ in zip(found, (2, 4, 1, 1), (2, 1, 2, 1), strict=True):
            assert np.max(np.abs(part[0] / ((jump * expected) ** k / often_) - 1)) <= 4 * 4 * U64 / 5e-8  # 1 − p


@pytest.mark.parametrize("log_odds", [8.0, 20.0])
@pytest.mark.parametrize("deviation", [0.01, 0.1, 0.3, 1.0, 3.0])
def test_a_log_probability_of_two_keeps_its_bound(deviation: float, log_odds: float) -> None:
    """log p is −log(1 + exp(x)), where x = z₂ − z₁ is normal with twice the variance: exactly so often beyond it."""
    for apart in (-3.0, 0.0, 2.0):
        z = spread([[0.0, apart]], deviation**2, log_odds=log_odds)
        log_p = arrays.log_softmax(z)
        value, bound = log_p.value[0, 0], log_p.bound[0, 0]
        outside = 0.0
        for end, side in ((value + bound, -1), (value - bound, 1)):
            if end < 0:
                x = float(mpmath.log(mpmath.expm1(-end)))
                outside += math.erfc(side * (x - apart) / (2 * deviation)) / 2
        assert outside <= 2 * math.exp(-log_odds)
        assert bound <= 3 * math.sqrt(2 * log_odds) * deviation + 1e-5  # and is not much more than the error of x


@pytest.mark.parametrize("log_odds", [3.0, 8.0])
@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("deviation", [0.1, 1.0, 3.0])
def test_sums_of_log_probabilities_keep_their_bound(deviation: float, classes: int, log_odds: float) -> None:
    """Of 64 samples; a logarithm of a mean of exponentials goes one way."""
    random = np.random.default_rng(6)
    z = random.normal(0, 1, (64, classes))
    log_p = arrays.log_softmax(spread(z, deviation**2, log_odds=log_odds))
    off = arrays.log_softmax((z + random.normal(0, deviation, (1000, *z.shape))).reshape(-1, classes))
    off = off.reshape(1000, *z.shape) - log_p.value
    assert not often(off, log_p.bound, log_odds)
    assert not often(off.sum(axis=1), arrays.column_sums(log_p).bound, log_odds)
    assert not often(off.sum(axis=2), arrays.row_sums(log_p).bound[:, 0], log_odds)
    one = np.eye(classes)[random.integers(0, classes, 64)]
    assert not often((off * one).sum(axis=(1, 2)), arrays.total(log_p * spread(one, log_odds=log_odds)).bound, log_odds)


@pytest.mark.parametrize("row", [[3.0, 1e20, 2.0, 0.5], [1.0, 1.0, 1.0], [7.0]])
def test_the_sum_of_the_others_does_not_cancel(row: list[float]) -> None:
    others = [math.fsum(v for k, v in enumerate(row) if k != c) for c in range(len(row))]
    found = module._of_others(np.array([row, row[::-1]]))
    assert np.max(np.abs(found / np.array([others, others[::-1]]) - 1) if len(row) > 1 else found) <= 4 * U64


@pytest.mark.parametrize("scale", [0.1, 2.0])
def test_trials_of_all_classes_of_a_row_share_the_error_of_the_logarithm(scale: float) -> None:
    """Products of the errors of two classes, against those of simulated roundings; those of two rows are nothing."""
    z = np.random.default_rng(7).normal(0, scale, (61, 5))
    log_p = arrays.log_softmax(SpreadArray(z, SINGLE, 8.0, trials=(z,) * 64))
    drawn = Roundings(np.random.default_rng(3)).log_softmax(np.repeat(z[np.newaxis], 64, axis=0))
    pairs = ~np.eye(5, dtype=bool)

    def together(off: FloatArray) -> float:
        return float(np.mean(np.einsum("tnc,tnd->cd", off, off)[pairs]) / (64 * 61 * U**2))

    tried = np.stack(log_p.trials) - log_p.value
    # a sum of 5 terms is rounded 4 times, and 1 + 5/3 are counted; and 1 + log² more, for max z, which is not added
    # here, beside 12·Σp² + 12·log², which is 12/4 at least; 61·64 rows show a mean to a tenth
    assert 0.6 <= together(tried) / together(drawn - log_p.value) <= 1 + 1 / 3 + 0.2
    other_rows = np.stack([np.roll(tried[:, :, c], c, axis=1) for c in range(5)], axis=2)
    assert abs(together(other_rows)) <= 0.1 * together(tried)


# ------------------------------------------------------------------------------------------- means that are moved about


def test_means_go_where_their_numbers_go() -> None:
    """The square of an error is V on average, however it is joined, split, chosen, transposed or put elsewhere."""
    variance = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    error = spread(np.zeros((2, 3)), variance)
    square = error * error
    exact = SpreadArray.exact(np.ones((2, 3)), SINGLE, ODDS)

    def mean(z: SpreadArray) -> Any:
        assert z.noise is not None
        return None if z.noise.mean is None else z.noise.mean.tolist()

    assert mean(error) is None
    assert mean(square) == variance.tolist()
    assert mean(square.T) == variance.T.tolist()
    assert mean(arrays.reshape(square, (6,))) == variance.ravel().tolist()
    joined = arrays.join(square, exact)
    assert mean(joined) == [*variance.ravel(), *[0] * 6]
    places = ((slice(0, 6), (2, 3)), (slice(6, 12), (2, 3)))
    assert [mean(part) for part in arrays.split(joined, places)] == [variance.tolist(), [[0.0] * 3] * 2]
    assert mean(arrays.join(exact, error)) is None
    on = np.array([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]])
    chosen = arrays.where_positive(SpreadArray.exact(on, SINGLE, ODDS), square, exact)
    assert mean(chosen) == np.where(on > 0, variance, 0).tolist()
    assert mean(arrays.maximum(square, SpreadArray.exact(np.full((2, 3), -1e6), SINGLE, ODDS))) == variance.tolist()
