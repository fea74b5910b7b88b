"""What the page about rounding errors proves, and what refnn's bounds and variances are for the same numbers.

proofs: sum-above, inner-product-above, product-passed-on, rounded-once, rounding-variance, independent-errors
proofs: equal-terms, sum-variance, product-variance, square-mean, function-variance, flip-variance, bernstein-solved
proofs: failure-probability, quotient-bound, tried-variance

The right side of each theorem is evaluated in balls. What refnn computes in float64 differs from it by the rounding of
so many operations, by what may be lost below the normal range, and bounds are widened by 2**-30.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.instances import evaluated
from proofs.kernel import NotProvedError, verify
from proofs.sums import Expression, replaced, total
from proofs.topics import rounding as page
from refnn import arrays
from refnn.arithmetic.ball import working_precision
from refnn.arithmetic.noise import Flips, Noise
from refnn.arithmetic.precision import Precision
from refnn.arithmetic.rounded import RoundedArray
from refnn.arithmetic.spread import SpreadArray
from refnn.arrays import FloatArray
from refnn.oracle import budget

PRECISION = Precision("float32", flushes=False)
UNIT, LOST = PRECISION.format.unit, PRECISION.format.smallest
WIDER = 1 + 2.0**-29
"""The bounds are widened by 2**-30; what they are rounded by in up to 2**20 operations is less."""

OPERATIONS = 100
ROUNDED = OPERATIONS * 2.0**-53 / (1 - OPERATIONS * 2.0**-53)
"""γ(100) in float64: no variance here takes more operations, all of numbers that are not negative."""

SIZES, SEEDS, ODDS = st.integers(1, 6), st.integers(0, 2**32 - 1), st.sampled_from((10.0, 40.0))


def ball(expression: Expression, letters: Mapping[str, Any], sizes: Mapping[Any, int] | None = None) -> Any:
    """The value of a side of a theorem, with what γ is."""
    plain = replaced(expression, {page.gamma: lambda k: k * page.u / (1 - k * page.u)})
    given_ = {letter: np.asarray(value, np.float64) for letter, value in letters.items()}
    with working_precision(200):
        (found,) = evaluated(plain, given_, sizes or {}, ()).values()
    return found


def stated(expression: Expression, letters: Mapping[str, Any], sizes: Mapping[Any, int] | None = None) -> float:
    """That value in float64."""
    return float(ball(expression, letters, sizes))


def numbers(rng: np.random.Generator, *shape: int) -> FloatArray:
    """Multiples of ¼ between −3 and 3, none of which is 0."""
    return np.asarray(rng.integers(1, 13, shape) * rng.choice([-1, 1], shape) / 4)


def inexact(rng: np.random.Generator, *shape: int) -> FloatArray:
    """Different odd numbers of either sign: none is a power of 2, and no two are alike."""
    count = math.prod(shape)
    return np.asarray((2 * rng.permutation(8 * count)[:count] + 3).reshape(shape) * rng.choice([-1, 1], shape) / 4)


def spread(value: FloatArray, log_odds: float, variance: FloatArray | None = None) -> SpreadArray:
    return SpreadArray(value, PRECISION, log_odds, None if variance is None else Noise(variance))


def noise(z: Any) -> FloatArray:
    assert z.noise is not None
    found: FloatArray = z.noise.itself
    return found


def same(found: Any, expected: Any, scale: Any = None) -> None:
    """Equal but for the rounding of both in float64, and for what is lost below the normal range."""
    scale = np.abs(expected) if scale is None else scale
    assert (np.abs(np.asarray(found) - expected) <= ROUNDED * scale + LOST**2).all()


# ------------------------------------------------------------------------------------------------------------ at worst


@given(SIZES, SEEDS)
def test_a_sum_has_the_bound_of_the_theorem(n: int, seed: int) -> None:
    x = numbers(np.random.default_rng(seed), n)
    error = arrays.total(RoundedArray.exact(x, PRECISION)).error
    expected = stated(
        page.SUM_ABOVE.expression - total(page.x[page.i], page.i), {"x": x, "u": UNIT}, {page.n: n, page.k: n - 1}
    )
    assert expected <= error <= expected * WIDER


@given(st.integers(1, 40), SEEDS)
def test_a_sum_in_any_order_is_within_the_theorem(n: int, seed: int) -> None:
    """Any two sums that are there are added; k is the largest number of additions that a term goes through."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n).astype(np.float32)
    there = [(value, 0) for value in x]
    while len(there) > 1:
        a, k = there.pop(int(rng.integers(len(there))))
        b, l = there.pop(int(rng.integers(len(there))))  # noqa: E741 - as k
        there.append((a + b, 1 + max(k, l)))
    ((found, k),) = there
    assert k <= n - 1
    above, below = (
        ball(theorem.expression, {"x": x, "u": UNIT}, {page.n: n, page.k: k})
        for theorem in (page.SUM_ABOVE, page.SUM_BELOW)
    )
    assert not above < float(found)
    assert not below > float(found)


@given(SIZES, SIZES, SIZES, SEEDS)
def test_a_product_of_matrices_has_the_bound_of_the_theorem(rows: int, n: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = numbers(rng, rows, n), numbers(rng, n, columns)
    error = (RoundedArray.exact(a, PRECISION) @ RoundedArray.exact(b, PRECISION)).error
    bound = page.INNER.expression - total(page.a[page.i] * page.b[page.i], page.i)
    for s, t in np.ndindex(rows, columns):
        expected = stated(bound, {"a": a[s], "b": b[:, t], "u": UNIT}, {page.n: n, page.k: n})
        assert expected <= error[s, t] <= (expected + n * LOST) * WIDER


@given(SEEDS)
def test_a_product_has_the_bound_of_the_theorem(seed: int) -> None:
    """What is passed on, and one rounding: seen from either side, γ(1) in place of u."""
    rng = np.random.default_rng(seed)
    a, b, E, F = numbers(rng, 1), numbers(rng, 1), rng.random(1), rng.random(1)
    error = (RoundedArray(a, E, PRECISION) * RoundedArray(b, F, PRECISION)).error
    passed = stated(page.PASSED.expression, {"a": a[0], "b": b[0], "E": E[0], "F": F[0]})
    seen = UNIT / (1 - UNIT)
    expected = stated(page.ROUNDED.expression, {"T": passed, "t": a[0] * b[0], "u": seen})
    assert expected * (1 - ROUNDED) <= error[0] <= (expected + LOST) * WIDER


@given(SEEDS)
def test_a_quotient_has_the_bound_of_the_theorem(seed: int) -> None:
    """Seen from the computed quotient; then rounded twice, as others multiply by a rounded reciprocal."""
    rng = np.random.default_rng(seed)
    a, b, E, F = numbers(rng, 1), numbers(rng, 1), rng.random(1), rng.random(1)
    error = (RoundedArray(a, E, PRECISION) / RoundedArray(b, F, PRECISION)).error
    if abs(b[0]) <= F[0]:
        assert error[0] == np.inf
        return
    seen, t = UNIT / (1 - UNIT), a[0] / b[0]
    letters = {"E": E[0], "t": t * (1 + seen), "F": F[0], "g": abs(b[0]) - F[0]}
    expected = stated(page.QUOTIENT_BOUND.expression, letters)
    for unit in (UNIT, seen):
        expected = stated(page.ROUNDED.expression, {"T": expected, "t": t, "u": unit})
    assert expected * (1 - ROUNDED) <= error[0] <= (expected + LOST) * WIDER


# ----------------------------------------------------------------------------------------------------------- as a rule


@given(SIZES, SIZES, SEEDS, ODDS)
def test_a_rounding_has_the_variance_of_the_theorem(rows: int, columns: int, seed: int, log_odds: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = inexact(rng, rows, columns), inexact(rng, rows, columns)
    found = noise(spread(a, log_odds) * spread(b, log_odds))
    for place in np.ndindex(rows, columns):
        same(found[place], stated(page.TAKEN.expression, {"M": abs(a[place] * b[place]), "u": UNIT}))


@pytest.mark.parametrize("size", [1.0, 1.25, 1.5, 1.999])
def test_a_uniform_rounding_has_no_larger_variance(size: float) -> None:
    """The spacing between 1 and 2 is 2u; where it is largest beside the number, at 1, the two agree."""
    uniform = stated(page.UNIFORM.expression, {"h": 2 * UNIT})
    taken = stated(page.TAKEN.expression, {"M": size, "u": UNIT})
    assert uniform == taken if size == 1 else uniform < taken


@given(SIZES, SIZES, SIZES, SEEDS, ODDS)
def test_variances_pass_through_a_product_of_matrices(
    rows: int, n: int, columns: int, seed: int, log_odds: float
) -> None:
    """Besides those of its own roundings."""
    rng = np.random.default_rng(seed)
    a, b, v = numbers(rng, rows, n), numbers(rng, n, columns), rng.random((n, columns))
    own = noise(spread(a, log_odds) @ spread(b, log_odds))
    of_b = noise(spread(a, log_odds) @ spread(b, log_odds, v))
    of_a = noise(spread(b.T, log_odds, v.T) @ spread(a.T, log_odds))
    for s, t in np.ndindex(rows, columns):
        expected = stated(page.QUADRATURE.expression, {"c": a[s], "v": v[:, t]}, {page.n: n})
        same(of_b[s, t], expected + own[s, t])
        same(of_a[t, s], expected + noise(spread(b.T, log_odds) @ spread(a.T, log_odds))[t, s])


@given(st.lists(st.integers(4, 6), min_size=1, max_size=3), st.integers(1, 3), SEEDS, ODDS)
def test_numbers_that_are_rounded_alike_count_for_as_many_as_they_are(
    repeats: list[int], columns: int, seed: int, log_odds: float
) -> None:
    """Of a few samples, each comes several times; the roundings of a product are summed over the samples."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(len(repeats)), repeats))
    x = inexact(rng, len(repeats), columns)[group]
    product = spread(x, log_odds) * spread(np.full((1, 1), 3.0), log_odds)
    found = noise(arrays.column_sums(product))
    own = noise(arrays.column_sums(spread(product.value, log_odds)))
    belongs = np.equal.outer(group, np.arange(len(repeats)))
    sizes = {page.M: len(group), page.n: len(repeats)}
    for column in range(columns):
        v = [noise(product)[group == g, column][0] for g in range(len(repeats))]
        same(found[column], own[column] + stated(page.EQUAL.expression, {"beta": belongs, "v": v}, sizes))


@given(SIZES, SIZES, SEEDS, ODDS)
def test_an_error_that_is_broadcast_counts_for_as_many_as_it_meets(
    n: int, columns: int, seed: int, log_odds: float
) -> None:
    """A bias is added to n samples."""
    rng = np.random.default_rng(seed)
    b, v = numbers(rng, columns), rng.random(columns)
    x = inexact(rng, n, columns)
    found = noise(arrays.column_sums(spread(x, log_odds) + spread(b, log_odds, v)))
    own = noise(arrays.column_sums(spread(x, log_odds) + spread(b, log_odds)))
    for column in range(columns):
        expected = stated(
            page.EQUAL.expression, {"beta": np.ones((n, 1)), "v": v[column : column + 1]}, {page.M: n, page.n: 1}
        )
        same(found[column], own[column] + expected)


@given(st.integers(2, 7), SEEDS, ODDS)
def test_a_sum_has_the_variance_of_its_partial_sums(n: int, seed: int, log_odds: float) -> None:
    """Forwards or backwards, whichever is more."""
    x = inexact(np.random.default_rng(seed), n)
    exact = page.ROOT.steps[2].expression
    both = [stated(exact, {"s": np.cumsum(order)[1:], "u": UNIT}, {page.n: n - 1}) for order in (x, x[::-1])]
    same(noise(arrays.total(spread(x, log_odds))), max(both))
    largest = max(np.abs(np.cumsum(x)).max(), np.abs(np.cumsum(x[::-1])).max())
    assert max(both) <= stated(page.ROOT.expression, {"S": largest, "u": UNIT}, {page.n: n - 1})


@given(SIZES, SIZES, SEEDS, ODDS)
def test_a_product_has_the_variance_of_the_theorem(rows: int, columns: int, seed: int, log_odds: float) -> None:
    """With the product of the errors 2λ-fold, and one rounding."""
    rng = np.random.default_rng(seed)
    a, b = inexact(rng, rows, columns), inexact(rng, rows, columns)
    v, w = rng.random((rows, columns)), rng.random((rows, columns))
    found = noise(spread(a, log_odds, v) * spread(b, log_odds, w))
    for place in np.ndindex(rows, columns):
        letters = {name: values[place].reshape(1) for name, values in {"a": a, "b": b, "v": v, "w": w}.items()}
        theorem = stated(page.PRODUCT.expression, letters, {page.n: 1})
        rounding = stated(page.TAKEN.expression, {"M": abs(a[place] * b[place]), "u": UNIT})
        assert found[place] >= theorem
        same(found[place], theorem + (2 * log_odds - 1) * v[place] * w[place] + rounding)


@given(SIZES, SIZES, SEEDS, ODDS)
def test_the_error_of_a_square_has_the_mean_of_the_theorem(rows: int, columns: int, seed: int, log_odds: float) -> None:
    rng = np.random.default_rng(seed)
    v = rng.random((rows, columns))
    z = spread(numbers(rng, rows, columns), log_odds, v)
    mean = (z * z).noise.mean
    for place in np.ndindex(rows, columns):
        same(mean[place], stated(page.SQUARE.expression, {"V": v[place]}))


@given(SIZES, SIZES, SEEDS, ODDS)
def test_a_function_has_the_variance_of_the_theorem(rows: int, columns: int, seed: int, log_odds: float) -> None:
    """The logistic function, whose slope is ¼ at most, and so within any error."""
    rng = np.random.default_rng(seed)
    z, v = numbers(rng, rows, columns), rng.random((rows, columns)) / 64
    found, own = (noise(arrays.expit(spread(z, log_odds, variance))) for variance in (v, 0 * v))
    at_z = arrays.expit(z) * (1 - arrays.expit(z))
    for place in np.ndindex(rows, columns):
        letters = {"p": np.ones(1), "e": np.sqrt(v[place]).reshape(1)}
        least, most = (stated(page.SLOPE.expression, {**letters, "L": L}, {page.OMEGA: 1}) for L in (at_z[place], 0.25))
        passed = found[place] - own[place]
        assert least - ROUNDED * found[place] <= passed <= most + ROUNDED * found[place]


@given(SIZES, SIZES, SEEDS, ODDS)
def test_a_crossed_kink_has_the_variance_of_the_theorem(rows: int, columns: int, seed: int, log_odds: float) -> None:
    rng = np.random.default_rng(seed)
    z, v = rng.uniform(-4, 4, (rows, columns)), rng.random((rows, columns))
    a, b = inexact(rng, rows, columns), inexact(rng, rows, columns)
    chosen = arrays.where_positive(spread(z, log_odds, v), spread(a, log_odds), spread(b, log_odds))
    flips = chosen.flips or Flips.none(z.shape)
    for place in np.ndindex(rows, columns):
        q = math.erfc(abs(z[place]) / math.sqrt(2 * v[place])) / 2
        expected = stated(page.FLIP.expression, {"q": q, "J": a[place] - b[place]})
        certain = abs(z[place]) > math.sqrt(2 * log_odds * v[place])
        # an argument that is off by ROUNDED moves log erfc by 2·argument² + 1 times that, argument² ≤ λ
        same(flips.variance[place], 0 if certain else expected, (2 * log_odds + 2) * expected)


@given(SEEDS, ODDS)
def test_crossed_kinks_reach_as_far_as_bernstein_lets_them(seed: int, log_odds: float) -> None:
    variance, jump, mean = np.random.default_rng(seed).uniform(0.1, 3, 3)
    flips = Flips(*map(np.asarray, (variance, jump**4, mean, math.inf)))
    reach = float(flips.reach(log_odds)) - mean
    letters = {"lambda": log_odds, "b": jump, "rho": reach - log_odds * jump / 3, "V": variance}
    square = stated(page.BERNSTEIN.expression, letters)
    same(square, stated(page.BERNSTEIN.start, letters), square * (1 + mean / reach) * 2)


@given(SIZES, SIZES, SEEDS, st.sampled_from((1e-3, 1e-9)))
def test_a_bound_is_so_many_standard_deviations(rows: int, columns: int, seed: int, probability: float) -> None:
    """For n elements, λ = ln(2n/α): all together fail with probability α at most."""
    rng = np.random.default_rng(seed)
    v, n = rng.random((rows, columns)), rows * columns
    log_odds = stated(page.ODDS.expression, {"alpha": probability}, {page.n: n})
    same(spread(numbers(rng, rows, columns), log_odds, v).bound, np.sqrt(2 * log_odds * v))
    tails = stated(page.FAILURE.steps[2].expression, {"lambda": log_odds}, {page.n: n})
    same(tails, probability, probability * log_odds)  # exp(−λ) is moved by λ times the rounding of λ


@given(st.sampled_from((8, 64)), SEEDS, ODDS)
def test_a_variance_of_trials_counts_as_the_theorem_says(trials: int, seed: int, log_odds: float) -> None:
    """Where they show more than the model, whose variance is 0 here."""
    rng = np.random.default_rng(seed)
    value = numbers(rng, 3, 2)
    tried = tuple(value + rng.standard_normal(value.shape) for _ in range(trials))
    part = SpreadArray(value, PRECISION, log_odds, Noise(np.zeros(value.shape)), trials=tried)
    found = noise(budget._as_tried(part, log_odds))
    times = stated(page.TIMES.expression, {"lambda": log_odds, "T": trials})
    # the differences of trials and values are rounded once more
    same(found, times * np.mean([(one - value) ** 2 for one in tried], axis=0))


# ---------------------------------------------------------------------------------------------------------- the example


def test_the_example_is_what_a_format_of_three_digits_does() -> None:
    def nearest(value: Fraction) -> Fraction:
        """Three binary digits, ties to even."""
        spacing = Fraction(1, 4)
        while value >= 8 * spacing:
            spacing *= 2
        while value < 4 * spacing:
            spacing /= 2
        return round(value / spacing) * spacing

    terms = [Fraction(term) for term in page.EXAMPLE.given["x"]]
    factors = [Fraction(1)] * len(terms)
    computed = terms[0]
    for k, term in enumerate(terms[1:], 1):
        real, computed = computed + term, nearest(computed + term)
        for i in range(k + 1):
            factors[i] *= computed / real
    assert computed == 1
    assert factors == [Fraction(factor) for factor in page.EXAMPLE.given["Phi"]]
    backwards = Fraction(0)
    for term in reversed(terms):
        backwards = nearest(backwards + term) if backwards else term
    assert backwards == sum(terms)


def test_planted_errors_are_not_proved() -> None:
    """A wrong constant in a certificate, and in a variance."""
    last = page.TAKEN.steps[-1]
    with pytest.raises(NotProvedError):
        verify(replace(page.TAKEN, steps=(replace(last, expression=(page.u * page.magnitude) ** 2 / 4),)))
    *first, last = page.PRODUCT.steps
    wrong = total(page.b[page.i] ** 2 * page.v[page.i] + page.a[page.i] ** 2 * page.w[page.i], page.i)
    with pytest.raises(NotProvedError):
        verify(replace(page.PRODUCT, steps=(*first, replace(last, expression=wrong))))
