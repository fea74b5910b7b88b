"""Standardising: zero mean and unit variance, at any scale, and constant columns become 0."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from refnn import datasets
from refnn.datasets import Dataset, standardise

U = Fraction(1, 2**53)


def exact_moments(column: list[float]) -> tuple[Fraction, Fraction]:
    """The mean and the variance, in rational numbers."""
    mean = sum(map(Fraction, column), Fraction(0)) / len(column)
    return mean, sum(((Fraction(v) - mean) ** 2 for v in column), Fraction(0)) / len(column)


columns = st.lists(st.floats(-1e300, 1e300, allow_subnormal=False), min_size=2, max_size=11)


@given(columns)
@example([0.1, 0.1, 0.1])
@example([1e308, -1e308, 1.7e308])
@example([5e-324, 0.0, 1e-323])
@example([1.0, 1.0 + 2.0**-52])
@example([0.0, -0.0])
def test_a_column_has_zero_mean_and_unit_variance(column: list[float]) -> None:
    n = len(column)
    standard, mean, scale = standardise(np.array(column)[:, np.newaxis])
    true_mean, variance = exact_moments(column)
    if variance == 0:
        assert standard.tolist() == [[0.0]] * n
        assert mean.tolist() == [column[0]]
        assert scale.tolist() == [1.0]
        return
    z_mean, z_variance = exact_moments(standard[:, 0].tolist())
    # Let m be the largest |value|. The computed mean is off by at most n·u·m (n − 1 additions and a division, terms of
    # at most m; Higham 2002, section 4.2), the differences by as much and one rounding. With deviation s, everything is
    # relative to s: e = (n + 2)·u·m/s. The mean of z is off by e; its variance by 2e from the differences and 2(n + 3)u
    # from s itself (half of n additions of squares, a square root, a quotient), to first order; twice that covers the
    # second as long as e is small. Taking out a power of two is exact down to the subnormal numbers.
    largest = max(map(abs, column))
    ratio = Fraction(largest) ** 2 / variance
    if ratio > 10**20:  # e is no longer small, and the spread is lost in roundings; only size remains
        assert all(abs(v) <= n for v in standard[:, 0])
        return
    e = (n + 2) * U * Fraction(float(ratio) ** 0.5) * 2
    assert abs(z_mean) <= e
    assert abs(z_variance - 1) <= 4 * e + 4 * (n + 3) * U
    if largest >= sys.float_info.min:  # one u·m more is for the rounding of the mean itself, if it is subnormal
        assert abs(Fraction(mean.item()) - true_mean) <= (n + 1) * U * Fraction(largest)


def test_two_known_columns() -> None:
    standard, mean, scale = standardise(np.array([[1.0, 7.0, -2.0], [3.0, 7.0, 4.0]]))
    assert standard.tolist() == [[-1, 0, -1], [1, 0, 1]]
    assert mean.tolist() == [2, 7, 1]
    assert scale.tolist() == [1, 1, 3]


def test_the_irises_agree_with_the_means_that_fisher_printed() -> None:
    _, mean, _ = standardise(datasets.iris().x)
    # the mean of the three means of tables II and VIII, 50 plants each; 150 sums of numbers below 8, times u
    expected = np.array([5.006 + 5.936 + 6.588, 3.428 + 2.77 + 2.974, 1.462 + 4.26 + 5.552, 0.246 + 1.326 + 2.026]) / 3
    assert (abs(mean - expected) <= 151 * 8 * 2.0**-53).all()


def test_the_arrays_of_the_caller_stay_writable() -> None:
    x, y = np.array([[0.0], [2.0]]), np.array([1.0, 4.0])
    data = Dataset("n", x, y, ("a",), None, "here")
    x[0, 0] = 7
    assert not data.x.flags.writeable
    assert not data.y.flags.writeable
    assert y.flags.writeable


def test_numbers_as_targets_are_standardised_and_classes_are_not() -> None:
    x, y = np.array([[0.0], [2.0], [4.0], [5.0]]), np.array([1.0, 7.0, 7.0, 9.0])
    numbers = Dataset("n", x, y, ("a",), None, "here").standardised()
    assert numbers.y.tolist() == [-5 / 3, 1 / 3, 1 / 3, 1]  # less 6 and over √((25 + 1 + 1 + 9)/4), which are exact
    classes = Dataset("c", x, np.array([0, 1, 1, 0]), ("a",), ("p", "q"), "here").standardised()
    assert classes.y.tolist() == [0, 1, 1, 0]
    assert classes.provenance == "here"
    assert datasets.iris().standardised().x.shape == (150, 4)
