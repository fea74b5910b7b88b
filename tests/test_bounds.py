"""The bounds hold, and what is beyond them is seen."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from refnn.arithmetic.rounded import RoundedArray
from tests.bounds import misses, svd_error
from tests.rational import Rational

THIRDS = RoundedArray.exact(np.array([1.0, 2.0])) / 3
TRUE = [Fraction(1, 3), Fraction(2, 3)]


def test_what_is_rounded_is_within_its_bound() -> None:
    assert misses(THIRDS, TRUE) == []


@pytest.mark.parametrize("k", [0, 1])
def test_what_is_a_few_roundings_off_is_seen(k: int) -> None:
    wrong = list(TRUE)
    wrong[k] *= 1 + Fraction(1, 2**51)  # four roundings
    (found,) = misses(THIRDS, wrong)
    assert found.startswith(f"[{k}]")


def test_a_bound_that_allows_everything_is_seen() -> None:
    perhaps_zero = 3 * THIRDS - np.array([1 - 2.0**-53, 1.0])
    assert [text.partition(":")[0] for text in misses(1 / perhaps_zero, [2**53, 1])] == ["[0]"]


def test_more_numbers_than_were_computed_are_seen() -> None:
    with pytest.raises(ValueError, match="zip"):
        misses(THIRDS, [*TRUE, 1])


def residual(a: np.ndarray, dtype: Any) -> float:
    """‖A − UΣVᵀ‖/‖A‖, computed in fractions of a decomposition in floats."""
    u, s, v = (part.astype(np.float64) for part in np.linalg.svd(a.astype(dtype), full_matrices=False))
    exact, product = Rational.of(a), Rational.of(u) * Rational.of(s) @ Rational.of(v)
    off, whole = (np.sum(each.elements**2) for each in (exact - product, exact))
    return math.sqrt(off / whole)


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (8, 3), (60, 2), (23, 11)])
def test_lapack_keeps_its_bound_and_single_precision_does_not(rows: int, columns: int) -> None:
    e = svd_error(rows, columns)
    apart = e * columns**0.5  # of U and of V
    allowed = e + (1 + e) * (2 * apart + apart**2)
    for seed in range(3):
        a = np.random.default_rng(seed).normal(size=(rows, columns)) * 8.0 ** np.arange(columns)
        assert residual(a, np.float64) <= allowed < residual(a, np.float32)
