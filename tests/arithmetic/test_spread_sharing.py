"""Errors that are not independent: of equal numbers, crossed kinks and rounded constants; trials; a whole network."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import arrays
from refnn.activations import Tanh
from refnn.arithmetic.noise import Flips, Noise
from refnn.arithmetic.precision import Precision, precision_named
from refnn.arithmetic.spread import SpreadArray
from refnn.arrays import FloatArray, Root
from refnn.layers import Dense
from refnn.losses import SoftmaxCrossEntropy
from refnn.network import Network
from tests.arithmetic.test_spread import (
    BETWEEN,
    DRAWS,
    HALF,
    KINDS,
    LEAST,
    ODDS,
    SIMULATED,
    SINGLE,
    Roundings,
    U,
    mean_square,
    spread,
    variance_of,
    wrong,
)

BRAIN = precision_named("bfloat16")


# ------------------------------------------------------------------------------------------------------- equal numbers


def rounded_alike(exact: FloatArray, random: np.random.Generator) -> FloatArray:
    """Draws of numbers that are rounded, equal ones equally."""
    different, which = np.unique(exact, return_inverse=True)
    return np.asarray(
        exact * (1 + U * random.uniform(-1, 1, (DRAWS // 4, different.size))[:, which.reshape(exact.shape)])
    )


RANDOM = np.random.default_rng(23)
SAMPLES = np.repeat(RANDOM.normal(0, 1, (3, 6)), (8, 5, 1), axis=0)
UNIT_ROWS = np.repeat(RANDOM.normal(0, 1, (14, 3)), (5, 1, 4), axis=1)
BLOCKS = np.repeat(np.repeat(RANDOM.normal(0, 1, (2, 3)), 5, axis=0), 4, axis=1)
LEFT, RIGHT = RANDOM.normal(0, 1, (4, 14)), RANDOM.normal(0, 1, (10, 4))


@pytest.mark.parametrize(
    ("numbers", "then", "exactly"),
    [
        (SAMPLES, arrays.column_sums, True),
        (SAMPLES, arrays.total, True),
        (SAMPLES, lambda z: arrays.row_sums(z.T), True),
        (SAMPLES, lambda z: arrays.column_sums(arrays.row_sums(z)), True),
        (SAMPLES, lambda z: z.T @ np.ones((14, 2)), True),
        (SAMPLES, lambda z: LEFT @ z, False),  # what is shared is weighted with different numbers
        (SAMPLES, lambda z: arrays.column_sums(z * 3), True),
        (SAMPLES, lambda z: arrays.column_sums(arrays.maximum(z, -9)), True),
        (SAMPLES, lambda z: arrays.column_sums(arrays.where_positive(np.ones((14, 6)) + 0 * z, z, 5)), True),
        (UNIT_ROWS, arrays.row_sums, True),
        (UNIT_ROWS, lambda z: z @ np.ones((10, 3)), True),
        (UNIT_ROWS, lambda z: z @ RIGHT, False),
        (UNIT_ROWS, lambda z: arrays.column_sums(z.T), True),
        (UNIT_ROWS, lambda z: arrays.row_sums(-z / 4), True),
        (UNIT_ROWS, lambda z: arrays.row_sums(arrays.minimum(z, 9)), True),
        (BLOCKS, arrays.total, True),
        (BLOCKS, lambda z: arrays.total(z.T), True),
        (BLOCKS, lambda z: arrays.column_sums(arrays.row_sums(z)), True),
    ],
)
def test_equal_numbers_share_their_roundings(numbers: FloatArray, then: Any, exactly: bool) -> None:
    one = 1.5 * np.ones(numbers.shape)
    z = spread(numbers / 1.5) * spread(one)
    passed = variance_of(then(z)) - variance_of(then(spread(z.value)))
    draws = rounded_alike(z.value, np.random.default_rng(2))
    seen = mean_square(np.stack([np.asarray(then(d)) for d in draws]) - then(z.value))
    most = 1 if exactly else math.inf
    assert wrong(passed, seen, most=most) == []
    independent = spread(z.value, np.square(z.standard_deviation))
    assert wrong(variance_of(then(independent)) - variance_of(then(spread(z.value))), seen, most=math.inf) != []


def test_a_product_of_equal_rows_has_equal_errors() -> None:
    """Rows that are equal go through a product of matrices, whose own roundings are then equal too."""
    weight = RANDOM.normal(0, 1, (6, 4))
    one = arrays.row_sums((spread(SAMPLES[8:9]) @ weight).T).T
    many = arrays.column_sums(spread(SAMPLES[8:13]) @ weight)
    fresh = variance_of(arrays.column_sums(spread(many.value / 5 * np.ones((5, 1)))))
    assert np.max(np.abs((variance_of(many) - fresh) / (25 * variance_of(one)) - 1)) <= 1e-3  # the sum of one is stored


# ------------------------------------------------------------------------------- the same in numbers of the formats

COPIES, COLUMNS = 512, 300


def rms(off: FloatArray, deviation: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(off / deviation))))


@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
@pytest.mark.parametrize("apart", [0.0, 0.02, 0.1])
def test_one_sample_many_times_is_rounded_alike(storage: str, apart: float) -> None:
    """Also if the samples differ by some hundredths of the spacing of numbers."""
    kind, random, precision = KINDS[storage], np.random.default_rng(8), Precision(storage, storage)
    spacing = 2 * precision.format.unit
    x = random.uniform(1, 2, COLUMNS) + apart * spacing * random.uniform(-1, 1, (COPIES, COLUMNS))
    weight = random.uniform(1.1, 1.9, COLUMNS).astype(kind).astype(np.float64)
    product = spread(x, precision=precision) * spread(weight, precision=precision)
    off = ((x * weight).astype(kind).astype(np.float64) - x * weight).sum(axis=0)
    assert product.noise is not None
    together = np.sqrt(product.noise.down.sum(axis=0))
    # numbers on either side of a border between groups are counted as two: by a half too little at most
    assert BETWEEN[0] <= rms(off, together) <= BETWEEN[1] * (1 if apart == 0 else math.sqrt(2))
    assert rms(off, np.sqrt(product.noise.itself.sum(axis=0))) > 5 * math.sqrt(3)


def test_equal_units_are_rounded_alike() -> None:
    random = np.random.default_rng(12)
    x = random.normal(0, 1, (COLUMNS, 9)).astype(np.float16).astype(np.float64)
    weight = np.repeat(random.normal(0, 1, (9, 1)).astype(np.float16).astype(np.float64), COPIES, axis=1)
    hidden = spread(x, precision=HALF) @ spread(weight, precision=HALF)
    off = ((x @ weight).astype(np.float16).astype(np.float64) - hidden.value).sum(axis=1)
    assert hidden.noise is not None
    for together in (hidden.noise.across.sum(axis=1), variance_of(hidden @ np.ones((COPIES, 2)))[:, 0]):
        assert BETWEEN[0] <= rms(off, np.sqrt(together)) <= BETWEEN[1]
    assert rms(off, np.sqrt(hidden.noise.itself.sum(axis=1))) > 5 * math.sqrt(3)


@pytest.mark.parametrize(
    "add", [arrays.column_sums, lambda z: np.ones((1, COPIES)) @ z, lambda z: arrays.row_sums(z.T).T]
)
def test_equal_terms_of_a_sum_are_rounded_alike(add: Any) -> None:
    """One by one: where a partial sum stays within a binade, each addition is off by the same."""
    terms = np.random.default_rng(4).uniform(1, 2, COLUMNS).astype(np.float32) * np.ones((COPIES, 1), np.float32)
    off = np.add.accumulate(terms)[-1].astype(np.float64) - terms.astype(np.float64).sum(axis=0)
    deviation = add(spread(terms)).standard_deviation
    assert BETWEEN[0] / 3 <= rms(off, deviation) <= BETWEEN[1]  # errors change their sign from binade to binade
    independent = deviation / math.sqrt(COPIES)
    assert rms(off, independent) > math.sqrt(3)
    assert np.max(np.abs(off) / independent) > 3 * math.sqrt(3)


def test_a_sum_in_bfloat16_that_comes_to_a_halt_is_within_its_bound() -> None:
    """256 + 1 is 256 in bfloat16: of 1 + 1 + … + 1, half is lost."""
    precision = Precision("bfloat16", "bfloat16")
    ones = np.ones((COPIES, 1)).astype(ml_dtypes.bfloat16)
    total = np.zeros(1, ml_dtypes.bfloat16)
    for row in ones:
        total = total + row
    assert float(total[0]) == COPIES / 2
    summed = arrays.column_sums(spread(ones.astype(np.float64), precision=precision))
    halted = COPIES / 2
    assert halted <= summed.bound[0] <= 4 * COPIES
    assert halted > summed.bound[0] / math.sqrt(COPIES)


# ------------------------------------------------------------------------------------------------------- broadcasting


@pytest.mark.parametrize("shape", [(5,), (1, 5), (7, 1), (), (7, 5)])
@pytest.mark.parametrize("operation", [arrays.total, arrays.row_sums, arrays.column_sums])
def test_what_is_broadcast_brings_one_error(shape: tuple[int, ...], operation: Any) -> None:
    random = np.random.default_rng(6)
    many = random.normal(0, 1, (7, 5))
    e = random.normal(0, 1, (DRAWS, *shape))
    stretched = e.reshape(DRAWS, *(1, 1, *shape)[-2:]) * np.ones((7, 5))
    axes: dict[Any, tuple[int, ...]] = {arrays.total: (1, 2), arrays.row_sums: (2,), arrays.column_sums: (1,)}
    axis = axes[operation]
    added = operation(spread(np.full(shape, 2.0), 1.0) + spread(many))
    seen = mean_square(stretched.sum(axis=axis, keepdims=operation is arrays.row_sums))
    assert wrong(variance_of(added), seen) == []
    if shape != (7, 5):
        lone = operation(spread(np.full((7, 5), 2.0), 1.0) + spread(many))
        assert (variance_of(lone) / seen != 1).any()
    scaled = operation(spread(np.full(shape, 2.0), 1.0) * spread(many))
    seen = mean_square((stretched * many).sum(axis=axis, keepdims=operation is arrays.row_sums))
    assert wrong(variance_of(scaled), seen, most=math.inf) == []  # the factors may cancel; equal ones do not:
    evenly = operation(spread(np.full(shape, 2.0), 1.0) * spread(np.full((7, 5), -3.0)))
    assert (
        wrong(variance_of(evenly), 9 * mean_square(stretched.sum(axis=axis, keepdims=operation is arrays.row_sums)))
        == []
    )


def test_errors_of_saturated_functions_may_all_have_one_sign() -> None:
    """Each error is about −2 with probability 1/2, for tanh(3 + 100e) is as often −1 as 1."""
    z = np.full((4, 25), 3.0)
    off = np.tanh(3 + np.random.default_rng(0).normal(0, 100, (2000, 4, 25))) - np.tanh(3)
    steep = arrays.tanh(spread(z, 1e4))
    assert steep.noise is not None
    counted = np.array([steep.noise.itself[0, 0], steep.noise.down[0, 0], steep.noise.across[0, 0]])
    expected = np.square([steep.standard_deviation[0, 0] * k for k in (1, 2, 5)])
    assert (np.abs(counted - expected) <= 2.0**-50 * expected).all()  # a root, a product and a square
    for added in (arrays.total, arrays.column_sums, arrays.row_sums):
        seen = np.stack([np.asarray(added(one)) for one in off])
        assert np.mean(np.abs(seen) > added(steep).bound) <= 2 * math.exp(-8)
    independent = arrays.total(spread(z, np.square(steep.standard_deviation)))
    assert np.mean(np.abs(off.sum(axis=(1, 2))) > independent.bound) > 2 * math.exp(-8)


def test_columns_of_a_product_share_the_right_operand_besides_their_own_roundings() -> None:
    random = np.random.default_rng(0)
    a, b, variance = 1 + random.random((50, 8)) / 8, 1 + random.random((8, 3)) / 8, U**2 * 8 / 50 * 4
    noise = (spread(a) @ spread(b, variance)).noise
    assert noise is not None
    fresh = noise.itself - a**2 @ np.full(b.shape, variance)
    shared = a.sum(axis=0) ** 2 @ np.full(b.shape, variance)
    assert (noise.down.sum(axis=0) >= fresh.sum(axis=0) + shared).all()


def test_numbers_that_may_be_too_large_leave_the_others_what_they_share() -> None:
    x = spread(np.tile([1.3, 300.0], (8, 1)), precision=HALF)
    noise = (x * x).noise
    assert noise is not None
    assert noise.down[0].tolist() == [8 * noise.itself[0, 0], np.inf]


def test_what_is_broadcast_is_shared_by_products() -> None:
    assert wrong(variance_of(arrays.total(spread(3.0, 1.0) * np.ones(100))), 100.0**2) == []
    bias = spread(np.zeros(5), 1.0) + spread(np.zeros((7, 5)))
    assert wrong(variance_of(np.ones((2, 7)) @ bias), 49.0 * np.ones((2, 5))) == []
    assert wrong(variance_of(arrays.transpose(bias) @ np.ones((7, 2))), 49.0 * np.ones((5, 2))) == []
    assert wrong(variance_of(bias @ np.ones((5, 2))), 5.0 * np.ones((7, 2))) == []
    assert wrong(variance_of(arrays.column_sums(bias @ np.ones((5, 2)))), 49 * 5.0 * np.ones(2)) == []
    weight = spread(np.ones((5, 2)), 1.0)  # all rows of a product share the errors of its right operand
    assert wrong(variance_of(arrays.column_sums(np.ones((7, 5)) @ weight)), 49 * 5.0 * np.ones(2)) == []


@pytest.mark.parametrize("noise", [Noise(np.ones((2, 3)), np.full((2, 3), 2.0)), Noise(np.ones((2, 3)))])
def test_what_is_shared_after_many_operations_is_known(noise: Noise) -> None:
    z = SpreadArray(np.ones((2, 3)), SINGLE, 8.0, noise)
    for _ in range(400):  # 800 operations; Python nests a thousand calls, of which each takes more than one
        z = (z + spread(np.zeros((2, 1)))) * -1
    assert z.noise is not None
    assert z.noise.down.tolist() == noise.down.tolist()
    assert z.noise.across.tolist() == [[1] * 3] * 2


def test_a_transpose_swaps_what_is_shared() -> None:
    noise = Noise(np.ones((2, 3)), np.full((2, 3), 2.0), np.full((2, 3), 3.0))
    z = SpreadArray(np.ones((2, 3)), SINGLE, 8.0, noise)
    assert z.T.noise is not None
    assert z.T.noise.down.tolist() == [[3, 3]] * 3
    assert z.T.noise.across.tolist() == [[2, 2]] * 3
    assert z.T.noise.both.tolist() == [[6, 6]] * 3
    assert spread(np.ones((2, 3))).T.noise is None
    plain = spread(np.ones((2, 3)), 4.0).T.noise
    assert plain is not None
    assert plain.more_down is plain.more_across is None
    assert plain.both.tolist() == [[4, 4]] * 3


def test_what_is_moved_takes_its_errors_with_it() -> None:
    variance = np.arange(1.0, 7)
    z = spread(10 * variance, variance)
    assert np.square(arrays.reshape(z, (2, 3)).standard_deviation[1]).round(9).tolist() == [4, 5, 6]
    assert np.square(arrays.rows(z, np.array([3, 0])).standard_deviation).round(9).tolist() == [4, 1]
    first, second = arrays.split(z, ((slice(0, 4), (2, 2)), (slice(4, 6), (2,))))
    assert np.square(first.standard_deviation).round(9).tolist() == [[1, 2], [3, 4]]
    joined = arrays.join(second, spread([7.0]), first)
    assert np.square(joined.standard_deviation).round(9).tolist() == [5, 6, 0, 1, 2, 3, 4]
    assert joined.value.tolist() == [50, 60, 7, 10, 20, 30, 40]
    assert arrays.join(spread([1.0]), spread([2.0])).noise is None


@pytest.mark.parametrize("scale", [2.0, 0.1])
@pytest.mark.parametrize("deviation", [0.0, 1e-3])
def test_all_classes_of_a_sample_share_the_error_of_the_logarithm(scale: float, deviation: float) -> None:
    """Sums over the classes, against simulated logarithms of sums."""
    z = np.random.default_rng(9).normal(0, scale, (1, 6))
    exact = arrays.log_softmax(z)
    draws = z + np.random.default_rng(1).normal(0, deviation, (DRAWS, 1, 6))
    log_p = arrays.log_softmax(spread(z, deviation**2 if deviation else None))
    ways = [way(Roundings(np.random.default_rng(3)), draws) - exact for way in SIMULATED[arrays.log_softmax]]
    for weight in (np.exp(exact), np.ones((1, 6))):
        seen = np.maximum.reduce([mean_square((way * weight).sum(axis=-1)) for way in ways])
        # the weights 1/max(p, 1/C) of what is shared add up to 2 where they should not exceed 1
        found = variance_of(arrays.row_sums(log_p * spread(weight)))
        assert wrong(found, seen, least=0.5, most=math.inf) == []
    if scale < 1 and not deviation:  # where the probabilities are about equal, all errors but those of log p are shared
        lone = arrays.row_sums(spread(log_p.value, np.square(log_p.standard_deviation)))
        assert wrong(variance_of(lone), seen, least=0.5, most=math.inf) != []


# -------------------------------------------------------------------------------------------------------------- kinks


@pytest.mark.parametrize("away", [0.0, 0.5, -1.0, 2.0, -3.0])
def test_a_kink_is_crossed_as_often_as_predicted(away: float) -> None:
    """A jump from 3 to 1 and back, of a unit that lies so many standard deviations from its kink."""
    z = spread([away * 1e-3], 1e-6)
    flips = arrays.where_positive(z, 3, 1).flips
    drawn = np.random.default_rng(1).normal(away, 1, 4 * DRAWS)
    seen = 4 * float(np.mean((drawn > 0) != (away > 0)))
    # of n draws, a share that has the variance v is off by √(2vx/n) + x/3n at most (Bernstein, as in the module)
    chance = 4 * (math.sqrt(2 * seen / 4 * ODDS / drawn.size) + ODDS / drawn.size)
    assert isinstance(flips, Flips)
    assert abs(flips.variance[0] - seen) <= chance
    assert not abs(flips.variance[0] / 2 - seen) <= chance or abs(away) == 3  # there, crossings are too few to tell
    assert (flips.fourths[0], flips.total[0]) == (16, 2)
    assert arrays.where_positive(z, 3, 1).bound <= 2  # of one unit, no more than the jump


def test_certain_signs_and_equal_branches_flip_nothing() -> None:
    branches = spread([3.0, 1.0]), spread([1.0, 3.0])
    assert arrays.where_positive(spread([0.0]), 1, 0).flips is None
    for z in (spread([1.0, -1.0]), spread([5e-3, -5e-3], 1e-6)):
        assert arrays.where_positive(z, *branches).flips is None
        assert arrays.where_positive(z, *branches).bound.tolist() == [0, 0]
    assert arrays.where_positive(spread([0.0], 1.0), spread([3.0]), 3).flips is None
    mixed = arrays.where_positive(spread([5e-3, 1e-3], 1e-6), 3, 1).flips
    assert mixed is not None
    assert [mixed.variance[0], mixed.fourths[0], mixed.total[0]] == [0, 0, 0]
    assert mixed.variance[1] > 0


def test_an_unknown_sign_is_as_likely_wrong_as_right() -> None:
    step = arrays.where_positive(spread([1.0, -2.0], np.inf), 1, 0)
    assert step.flips is not None
    assert step.flips.variance.tolist() == [0.5, 0.5]
    assert step.bound.tolist() == [1, 1]


UNITS, OUTPUTS = 300, 40


def exceeded(planted: float, log_odds: float, times: bool) -> tuple[float, float]:
    """How often sums of flips are beyond their bound, which is so many times what it is; and the bound to the total."""
    random, sd = np.random.default_rng(41), 1e-3
    z, weight = random.normal(0, 10 * sd, UNITS), random.normal(0, 1, (UNITS, OUTPUTS))
    mask = arrays.where_positive(spread(z[np.newaxis], sd**2, log_odds=log_odds), 1, 0)
    if times:
        result = arrays.join(*(arrays.total(mask * column[np.newaxis]) for column in weight.T))
    else:
        result = mask @ spread(weight, log_odds=log_odds)
    flips = result.flips
    assert flips is not None
    bound = SpreadArray(
        result.value, SINGLE, log_odds, None, Flips(*(planted**k * f for k, f in zip((2, 4, 1, 1), flips, strict=True)))
    ).bound
    crossed = (z + random.normal(0, sd, (4000, UNITS)) > 0).astype(np.float64) - (z > 0)
    return float(np.mean(np.abs(crossed @ weight) > bound)), float(np.max(bound / flips.total))


@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("log_odds", [1.5, 3.0, 6.0])
def test_sums_of_flips_keep_their_bound(log_odds: float, times: bool) -> None:
    often, share = exceeded(1.0, log_odds, times)
    assert often <= 2 * math.exp(-log_odds)
    assert share < 1 or log_odds == 6  # it says more than the sum of all jumps
    assert exceeded(0.1, log_odds, times)[0] > 2 * math.exp(-log_odds)


def test_the_bound_for_flips_is_that_of_bernstein() -> None:
    """A sum is t off its mean with a probability of 2·exp(−t²/(2(v + bt/3))), for jumps of b at most, of variance v."""
    variance, largest, mean = np.array([4.0, 0.1, 9.0]), np.array([3.0, 5.0, 0.1]), np.array([0.5, 0.0, 2.0])
    t = SpreadArray(variance, SINGLE, 8.0, None, Flips(variance, largest**4, mean, np.full(3, 1e9))).bound - mean
    backwards = np.square(t) / (2 * (variance + largest * t / 3))
    assert (np.abs(backwards - 8) <= 8 * 2.0**-45).all()  # some twenty roundings; none of them cancels


def test_a_jump_of_a_logit_shows_in_all_log_probabilities() -> None:
    jump = 0.01
    log_p = arrays.log_softmax(arrays.where_positive(spread([[0.0, 5.0]], 1e-8), spread(jump), 0)).flips
    off = abs(arrays.log_softmax(np.full((1, 2), jump)) - arrays.log_softmax(np.array([[0.0, jump]])))[0, 1]
    assert log_p is not None
    for part, power, often in zip(log_p, (2, 4, 1, 1), (0.5, 1, 0.5, 1), strict=True):
        expected = often * off**power
        assert abs(part[0, 1] - expected) <= 4 * jump * expected  # p changes by a quarter of that


def test_a_unit_that_is_broadcast_flips_everywhere_at_once() -> None:
    """In 7 columns, where it is crossed with probability 1/2."""
    step = arrays.where_positive(spread([[0.0]], 1e-8), 1, 0)
    sums: tuple[Any, ...] = (
        arrays.row_sums(step * np.ones((1, 7))),
        arrays.column_sums(step + np.zeros((7, 1))),
        arrays.total(np.ones(7) / (step + 1)) * 2,  # as slopes are the largest, which is 1
        arrays.total(arrays.maximum(arrays.reshape(step, ()), np.zeros(7))),
        arrays.total(arrays.where_positive(np.ones((1, 7)), step, 0)),
        arrays.column_sums(arrays.where_positive(spread([[0.0]], 1e-8), np.ones((7, 1)), 0)),
    )
    for added in sums:
        assert added.flips is not None
        assert (added.flips.variance >= 0.5 * 7**2).all()
        assert (added.flips.fourths >= 7**4).all()
        assert (added.bound >= 7).all()


def test_a_jump_is_multiplied_by_what_the_other_factor_may_be() -> None:
    noisy = (arrays.where_positive(spread([[0.0]], 1e-8), 1, 0) * spread([[3.0]], 4.0)).flips
    assert noisy is not None
    assert noisy.variance == 0.5 * (9 + 4)
    # both cross with a probability of 1e-3, and together with 1e-6: more often than 2·exp(−20)
    z = spread([[-3.09e-3]], 1e-6, log_odds=20.0)
    m, n = (arrays.where_positive(x, 1, 0) for x in (z, z * 1))
    for product in (m * n, m @ n):
        assert product.flips is not None
        assert product.flips.variance >= 1e-6
        assert product.bound >= 1


def test_a_kink_behind_a_kink_is_crossed_by_its_jump() -> None:
    step = arrays.where_positive(spread([1e-9], 1e-14), 1, 0)  # crossed with a probability of 1/2
    again = arrays.where_positive(step - 0.5, 1, 0).flips
    assert again is not None
    assert 0.5 - 0.01 <= again.variance <= 1
    assert arrays.where_positive(step + 1, 1, 0).flips is None  # which is further away than the jump


def test_the_branch_that_may_be_taken_brings_its_noise() -> None:
    for sign in (-1, 1):
        unsure = arrays.where_positive(spread([sign * 1e-9], 1e-8), spread([1.0], 100.0), spread([1.0], 49.0))
        assert variance_of(unsure) == 100
    sure = arrays.where_positive(spread([-1.0], 1e-8), spread([1.0], 100.0), spread([1.0], 49.0))
    assert variance_of(sure) == 49


def test_flips_pass_through_all_that_follows() -> None:
    """Against a jump of 1 on the units, done exactly."""
    step = arrays.where_positive(spread([[1e-4, -1e-4, 9.0]], 1e-8), 1, 0)
    followed: tuple[tuple[Any, float], ...] = (
        (lambda m: m * 3, 3),
        (lambda m: 5 * m + 1, 5),
        (lambda m: 2 - m, 1),
        (lambda m: m / 4, 0.25),
        (lambda m: spread([[8.0, 8.0, 8.0]]) / (m + 1), 4),  # 8/1 − 8/2
        (lambda m: m.T, 1),
        (lambda m: arrays.reshape(m, (3, 1)), 1),
        (lambda m: arrays.maximum(m, spread([[-1.0, 7.0, 7.0]])), 1),
        (lambda m: arrays.maximum(spread([[-1.0, 7.0, 7.0]]), m), 1),
        (lambda m: arrays.where_positive(spread([[1.0, 1.0, -1.0]]), m, 9), 1),
        (lambda m: arrays.where_positive(spread([[-1.0, 1.0, 1.0]]), 9, m), 1),
        (lambda m: arrays.rows(m.T, np.array([2, 0])), 1),
        (lambda m: arrays.split(arrays.reshape(m, (3,)), ((slice(0, 3), (3, 1)),))[0], 1),
        (lambda m: arrays.join(spread([1.0]), m), 1),
        (lambda m: arrays.expm1(m), math.e - 1),
        (lambda m: arrays.total(m), 2),
        (lambda m: m @ m.T, 2),
        (lambda m: spread([[2.0], [1.0]]) @ m, 2),
        (lambda m: arrays.log_softmax(m), math.log((1 + math.e) / 2)),
    )
    for f, jump in followed:
        result = f(step)
        assert result.flips is not None
        assert np.max(result.flips.total) >= jump
        assert np.max(result.flips.fourths) >= (jump / 2) ** 4  # of two units at most, or two errors of one
        assert (result.flips.fourths <= result.flips.total**4).all()


def test_the_larger_of_two_has_the_noise_of_its_own() -> None:
    a, b = (
        spread([5.0, 1.0, 3.0, 3.0], [4e-6, 4e-6, 4e-6, 1e-6]),
        spread([1.0, 5.0, 3.0, 3.0], [1e-6, 1e-6, 1e-6, 4e-6]),
    )
    assert np.square(arrays.maximum(a, b).standard_deviation).tolist() == [4e-6, 1e-6, 4e-6, 4e-6]
    assert np.square(arrays.minimum(a, b).standard_deviation).tolist() == [1e-6, 4e-6, 4e-6, 4e-6]
    assert np.square(arrays.maximum(a, 2).standard_deviation).tolist() == [4e-6, 0, 4e-6, 1e-6]
    assert arrays.minimum(spread([1.0]), 2).noise is None


@given(st.floats(-4, 4), st.floats(0.1, 1))
def test_a_maximum_has_no_more_noise_than_either(apart: float, smaller: float) -> None:
    """E max(e, f − d)² over normal errors, by quadrature: no more than the larger variance, and not half of it."""
    grid = np.linspace(-8, 8, 321)
    weight = np.exp(-grid * grid / 2)
    weight /= weight.sum()
    value = max(0.0, apart)
    seen = weight @ np.square(np.maximum(grid[:, np.newaxis], smaller * grid + apart) - value) @ weight
    model = np.square(arrays.maximum(spread(0.0, 1.0), spread(apart, smaller**2)).standard_deviation)
    assert seen <= model * (1 + 2.0**-20)  # the quadrature of a normal density is off by far less


# ---------------------------------------------------------------------------------------------------------- constants

CONSTANTS = (0.01, Fraction(1, 3), Root(Fraction(2), -1), 0.044715)


def effect(z: SpreadArray) -> FloatArray:
    """The part of a bound that rounded constants have."""
    return SpreadArray(z.value, z.precision, z.log_odds, None, None, z.moved).bound


def curve(x: Any, c: Any) -> Any:
    return arrays.tanh(c * x * x + x) / (3 + c) - c


@pytest.mark.parametrize("precision", [SINGLE, HALF, BRAIN], ids=str)
@pytest.mark.parametrize("constant", CONSTANTS, ids=str)
def test_the_effect_of_a_rounded_constant_is_within_the_bound(constant: Any, precision: Precision) -> None:
    x = np.linspace(-2, 2, 41)
    bound = effect(curve(spread(x, precision=precision), arrays.constant(spread(x, precision=precision), constant)))
    stored = precision.format.nearest(np.asarray(float(constant)))
    changed = np.abs(curve(x, stored) - curve(x, float(constant)))
    assert changed.any()
    second = (precision.format.unit * float(constant)) ** 2 * 4  # the bound is linear in the constant's error
    assert (changed <= bound + second).all()
    assert (bound <= 1.1 * np.max(np.abs(np.gradient(x))) * 40 * precision.format.unit * float(constant)).all()


def test_the_worst_rounding_of_a_constant_is_met() -> None:
    x, worst = np.linspace(-2, 2, 40), 1 + 0.999 * U
    bound = effect(curve(spread(x), arrays.constant(spread(x), worst)))
    changed = np.abs(curve(x, 1.0) - curve(x, worst))
    assert (0.99 * bound <= changed).all()
    assert (changed <= bound * (1 + 1e-6)).all()  # float64's rounding of the quotient of differences, 2**-53 / 2**-26
    assert not (changed <= bound / 2).any()


@pytest.mark.parametrize("exact", [3, -7, 0, 0.5, Fraction(3, 4), np.array([1.0, 0.25])], ids=repr)
def test_a_constant_that_the_format_holds_moves_nothing(exact: Any) -> None:
    for precision in (SINGLE, HALF, BRAIN):
        assert not spread([1.0], precision=precision).lift(exact).moved
        assert not (spread([1.3], precision=precision) * exact).moved


def test_what_a_format_holds_depends_on_it() -> None:
    assert spread([1.0], precision=BRAIN).lift(0.1).moved
    assert not spread([1.0], precision=precision_named("float64")).lift(0.1).moved  # a float is meant as it is
    for inexact in (Fraction(1, 3), Root(Fraction(2))):
        assert spread([1.0], precision=precision_named("float64")).lift(inexact).moved
    (some,) = spread([1.0], precision=HALF).lift(np.array([0.1, 0.5])).moved.values()
    assert (some != [0.1, 0.5]).tolist() == [True, False]


def test_effects_of_two_constants_do_not_cancel() -> None:
    """Of 0.7·3 − 2.1: each is rounded by itself, and off by as much as u times itself."""
    both = spread([3.0]) * arrays.constant(spread([3.0]), 0.7) - arrays.constant(spread([3.0]), 2.1)
    most = U * (0.7 * 3 + 2.1)
    # of a difference of two float64 numbers of size 2, over 2⁻²⁶: each is off by 2⁻⁵³ times 2
    assert abs(effect(both)[0] - most) <= most * 2.0**-25
    joined = arrays.join(both, spread([3.0]) * 0.7)
    assert np.max(np.abs(effect(joined) - [most, most / 2])) <= most * 2.0**-25
    assert np.max(np.abs(effect(arrays.split(joined, ((slice(1, 2), (1,)),))[0]) - most / 2)) <= most * 2.0**-25


def test_one_constant_that_comes_twice_is_rounded_once() -> None:
    tenth = spread([3.0]) * 0.1
    assert effect(tenth - spread([2.0]) * 0.1) <= 1.01 * U * 0.1
    assert effect(tenth - tenth * 1) == 0


def test_kinks_are_not_moved_and_branches_are() -> None:
    z = spread([3.0]) * arrays.constant(spread([3.0]), Fraction(1, 3)) - 1
    assert z.value.tolist() == [0]
    (moved,) = z.moved.values()
    assert (moved > 0).all()
    step = arrays.where_positive(z, 1, 0)
    assert [part.tolist() for part in step.moved.values()] == [step.value.tolist()] == [[0]]
    leaky = arrays.where_positive(spread([2.0, -2.0]), 1, spread([1.0]).lift(0.01))
    assert effect(leaky)[0] == 0
    assert 0 < effect(leaky)[1] <= 0.01 * U * (1 + 1e-6)
    joined = arrays.join(leaky, spread([5.0]))
    assert effect(joined).tolist() == [*effect(leaky), 0]
    assert effect(arrays.split(joined, ((slice(1, 3), (2,)),))[0]).tolist() == effect(joined)[1:].tolist()


# ------------------------------------------------------------------------------------------------------------- trials

TRIALS = 8


def tried(value: FloatArray, precision: Precision = SINGLE) -> SpreadArray:
    return SpreadArray(value, precision, 8.0, trials=(value,) * TRIALS)


def ratio(z: SpreadArray) -> float:
    """The mean square of the errors of trials, in variances."""
    squares = [np.square((trial - z.value) / z.magnified) / np.square(z.standard_deviation) for trial in z.trials]
    return float(np.mean(squares))


@pytest.mark.parametrize("storage", ["float64", "float32", "bfloat16"])
def test_trials_have_the_predicted_variance(storage: str) -> None:
    precision, random = precision_named(storage), np.random.default_rng(31)
    a, b = (tried(random.normal(0, 1, shape), precision) for shape in ((60, 50), (50, 60)))
    elements = TRIALS * a.value.size
    for z in (a + b.T, a * b.T, a / (b.T + 9), arrays.tanh(a), arrays.exp(a * b.T), arrays.softplus(a * b.T + a)):
        # uniform or nearly normal: the variance of a square is at most 2, and 6 standard deviations are allowed for;
        # a hash is less even than chance, and numbers in bfloat16 that are alike by chance count once
        shared = 1 if storage != "bfloat16" else 8
        assert abs(ratio(z) - 1) <= 6 * math.sqrt(2 * shared / elements) + 0.02
        halved = SpreadArray(z.value, precision, 8.0, Noise(np.square(z.standard_deviation) / 2), trials=z.trials)
        assert not abs(ratio(halved) - 1) <= 6 * math.sqrt(2 * shared / elements) + 0.02
    assert 0.2 <= ratio(a @ b) <= 1.1  # products are tried with what is left of their variance on average


def test_trials_of_equal_numbers_are_equal_and_of_others_are_not() -> None:
    z = tried(np.array([0.3, 0.7, 0.3, 0.0, -0.3])) * 1.1
    for trial in z.trials:
        off = trial - z.value
        assert off[0] == off[2] != 0
        assert len({*off.tolist()}) == 4
        assert off[3] == 0
    assert len({float(trial[0]) for trial in z.trials}) == TRIALS
    again = tried(np.array([0.3, 0.7, 0.3, 0.0, -0.3])) * 1.1
    assert np.array_equal(np.stack(z.trials), np.stack(again.trials))
    assert (
        len({*(float(t[0]) for t in (arrays.tanh(z)).trials), *(float(t[0]) for t in arrays.exp(z).trials)})
        == 2 * TRIALS
    )


def test_trials_go_where_elements_go() -> None:
    z = tried(np.linspace(1, 2, 6)) / 3
    first, second = arrays.split(z, ((slice(0, 4), (2, 2)), (slice(4, 6), (2,))))
    joined = arrays.join(first, second, spread([7.0]))
    for k, trial in enumerate(z.trials):
        assert joined.trials[k].tolist() == [*trial, 7.0]
        assert arrays.reshape(z, (2, 3)).trials[k].ravel().tolist() == trial.tolist()
        assert arrays.rows(z, np.array([4, 1])).trials[k].tolist() == trial[[4, 1]].tolist()
        assert arrays.within(z, 9).trials[k].tolist() == trial.tolist()
    assert arrays.split(spread([1.0]), ((slice(0, 1), (1,)),))[0].trials == ()


# ------------------------------------------------------------------------------------------------------ a whole network

NETWORK = Network(Dense(5, 7), Tanh(), Dense(7, 4), loss=SoftmaxCrossEntropy())
SIMULATIONS = 1000


def by_hand(r: Roundings, w: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """The gradient, written out, with a rounding after each operation; for each draw."""
    w1, b1, w2, b2 = (part[np.newaxis] for part in (w[:35].reshape(5, 7), w[35:42], w[42:70].reshape(7, 4), w[70:]))
    x = np.broadcast_to(x, (SIMULATIONS, *x.shape))
    h = r.function(np.tanh(r(r.product(x, w1) + b1)))
    p = r.function(np.exp(r.log_softmax(r(r.product(h, w2) + b2))))
    delta = r(r(p - y) / len(y))
    back = r(r.product(delta, w2.swapaxes(1, 2)) * r(1 - r(h * h)))
    gradient = [r.product(x.swapaxes(1, 2), back), r.added(back.swapaxes(1, 2))]
    gradient += [r.product(h.swapaxes(1, 2), delta), r.added(delta.swapaxes(1, 2))]
    return np.concatenate([part.reshape(SIMULATIONS, -1) for part in gradient], axis=1)


def ratios(seed: int) -> FloatArray:
    """The predicted variance of each element of the gradient, over the simulated one."""
    random = np.random.default_rng(seed)
    w, x = (SINGLE.format.nearest(random.normal(0, 0.7, shape)) for shape in ((NETWORK.size,), (11, 5)))
    y = np.eye(4)[random.integers(0, 4, 11)]
    model = NETWORK.evaluate(spread(w), x, y).gradient
    off = by_hand(Roundings(random), w, x, y) - NETWORK.evaluate(w, x, y).gradient
    return variance_of(model) / mean_square(off)


def disagreements(found: FloatArray) -> list[str]:
    """Why predictions are wrong, if they are.

    The rule for products is right for the average sum, and has 0.72 of what it should at least; and of so few draws the
    mean square may be 2√(x/n) + 2x/n too large. On average a product has about 1.5 times what it should, and the errors
    of a probability count twice, in itself and in the mean: together, no more than twice.
    """
    chance = 1 + 2 * math.sqrt(ODDS / SIMULATIONS) + 2 * ODDS / SIMULATIONS
    average = math.exp(np.mean(np.log(found)))
    return [
        *(f"[{k}]: {v:.2f} of what is simulated" for k, v in enumerate(found) if v < LEAST[np.matmul] / chance),
        *([f"{average:.2f} times what is simulated"] if not 1 <= average <= 2 else []),
    ]


@pytest.mark.parametrize("seed", [77, 5])
def test_the_gradient_of_a_network_has_the_predicted_variance(seed: int) -> None:
    found = ratios(seed)
    assert disagreements(found) == []
    assert disagreements(found / 2) != []
    assert disagreements(found * 2) != []
    one = found.copy()
    one[np.argmin(found)] /= 4
    assert len(disagreements(one)) == 1
