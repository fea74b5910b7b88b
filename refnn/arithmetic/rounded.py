"""Rounding errors: a value, and a bound on how far it may be from the real number that it stands for.

The bound is the running worst case to first order (Wilkinson, "Rounding Errors in Algebraic Processes", 1963; Higham,
"Accuracy and Stability of Numerical Algorithms", 2nd ed. 2002, sections 3.1 and 3.3): an operation passes on the errors
of its arguments, times its slopes, and adds the rounding of its own result. With u the unit roundoff,

* a sum or a product is rounded once, |error| ≤ u·|result|; a sum of k terms adds at most (k − 1)·u·Σ|terms|, in any
  order; an inner product of length k at most k·u·Σ|aᵢ bᵢ| (Higham, eq. (3.5), first order);
* a function is within `FUNCTION_ULPS` units in the last place (NumPy states at most 4 for its vectorised functions);
* below the normal range, a result is off by at most the smallest subnormal.

First order means that the product of two errors counts where the rule is a product, and that a function's slope is
taken at the computed value. Running the network on a `RoundedArray` bounds the error of refnn's own floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from refnn import arrays
from refnn.arithmetic.dual import SLOPES
from refnn.arrays import Arithmetic, FloatArray, Root, Rules

__all__ = ["FUNCTION_ULPS", "RoundedArray"]

FUNCTION_ULPS = 4
_COMPOSED = {arrays.expit: 3, arrays.sech_squared: 11, arrays.softplus: 9}
"""Roundings besides those of one function, for operations that are composed: 1 + e and the quotient; the square of
1/cosh, which doubles 9; and a second function, log1p, whose condition number is at most 1."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class RoundedArray(Arithmetic):
    """Computed values with a bound on their error.

    Parameters
    ----------
    value
        Floats, float64 or float32; the unit roundoff is that of their dtype.
    error
        For each, a bound on its distance from the real number that it stands for, as float64.

    Examples
    --------
    >>> import numpy as np
    >>> from refnn.arithmetic.rounded import RoundedArray
    >>> third = RoundedArray.exact(np.array([1.0])) / 3
    >>> third.value, third.error <= 2.0**-53
    (array([0.33333333]), array([ True]))
    """

    value: FloatArray
    error: FloatArray
    rules: ClassVar[Rules] = {}

    @classmethod
    def exact(cls, value: FloatArray) -> RoundedArray:
        """Floats that are meant exactly."""
        return cls(value, np.zeros(value.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values."""
        return self.value.shape

    @property
    def unit(self) -> float:
        """The unit roundoff u of the values' dtype."""
        return float(np.finfo(self.value.dtype).eps) / 2

    def lift(self, value: Any) -> RoundedArray:
        """A constant; exact if it is an integer or an array of this dtype, else rounded."""
        array = arrays.constant(self.value, value)
        if isinstance(value, (int, np.ndarray)) and np.array_equal(array, np.asarray(value)):
            return RoundedArray.exact(array)
        roundings = 2 if isinstance(value, Root) else 1  # the power of π is a rounded one
        return RoundedArray(array, roundings * self.unit * np.abs(array, dtype=np.float64))


def _rounded(value: FloatArray, error: FloatArray, roundings: float = 1) -> RoundedArray:
    """A result with the errors passed on to it, and `roundings` of its own."""
    info = np.finfo(value.dtype)
    own = roundings * (float(info.eps) / 2 * np.abs(value, dtype=np.float64) + float(info.smallest_subnormal))
    return RoundedArray(np.asarray(value), np.asarray(error + own))


def _added(value: FloatArray, error: FloatArray) -> RoundedArray:
    """A sum or difference, rounded once; unlike a product, it cannot underflow (Higham, problem 2.19)."""
    return RoundedArray(value, error + float(np.finfo(value.dtype).eps) / 2 * np.abs(value, dtype=np.float64))


def _magnitude(z: RoundedArray) -> FloatArray:
    return np.abs(z.value, dtype=np.float64)


def _multiply(a: RoundedArray, b: RoundedArray) -> RoundedArray:
    return _rounded(a.value * b.value, _magnitude(a) * b.error + a.error * _magnitude(b) + a.error * b.error)


def _divide(a: RoundedArray, b: RoundedArray) -> RoundedArray:
    quotient = a.value / b.value
    return _rounded(quotient, (a.error + np.abs(quotient) * b.error) / _magnitude(b))


def _matmul(a: RoundedArray, b: RoundedArray) -> RoundedArray:
    terms = a.shape[1]
    underflow = terms * float(np.finfo(a.value.dtype).smallest_subnormal)
    passed = _magnitude(a) @ b.error + a.error @ (_magnitude(b) + b.error)
    return _rounded(a.value @ b.value, passed + terms * a.unit * (_magnitude(a) @ _magnitude(b)) + underflow)


def _sum(operation: Any, z: RoundedArray) -> RoundedArray:
    value = operation(z.value)
    terms = max(1, z.value.size // max(1, value.size))
    return _rounded(value, operation(z.error) + (terms - 1) * z.unit * operation(_magnitude(z)), roundings=0)


def _function(operation: Any, slope: Callable[[Any, Any], Any], z: RoundedArray) -> RoundedArray:
    value = operation(z.value)
    return _rounded(value, np.abs(slope(z.value, value)) * z.error, 2 * FUNCTION_ULPS + _COMPOSED.get(operation, 0))


def _log_softmax(z: RoundedArray) -> RoundedArray:
    """log p = d − log1p(Σ exp(d)) with d = z − max z, whose rounding moves each exponential by up to u·|d|."""
    log_p = arrays.log_softmax(z.value)
    p = np.exp(log_p)
    d = np.abs(z.value - np.max(z.value, axis=1, keepdims=True), dtype=np.float64)
    passed = z.error + arrays.row_sums(p * z.error)
    inside = d + arrays.row_sums(p * d) + (2 * FUNCTION_ULPS + z.shape[1]) * (1 - np.max(p, axis=1, keepdims=True))
    return _rounded(log_p, passed + z.unit * inside, 1 + 2 * FUNCTION_ULPS)


def _where_positive(z: RoundedArray, a: RoundedArray, b: RoundedArray) -> RoundedArray:
    either = np.maximum(a.error, b.error) + np.abs(a.value - b.value, dtype=np.float64)
    certain = np.where(z.value > 0, a.error, b.error)
    error = np.where(np.abs(z.value) <= z.error, np.where(z.error == 0, certain, either), certain)
    return RoundedArray(arrays.where_positive(z.value, a.value, b.value), error)


def _larger(operation: Any, a: RoundedArray, b: RoundedArray) -> RoundedArray:
    value = operation(a.value, b.value)
    apart = np.abs(a.value - b.value, dtype=np.float64) > a.error + b.error
    return RoundedArray(
        value, np.where(apart, np.where(value == a.value, a.error, b.error), np.maximum(a.error, b.error))
    )


def _within(z: RoundedArray, limit: int) -> RoundedArray:
    """Cutting off brings no two numbers further apart, and beyond the limit none is left between them."""
    error = np.where(np.abs(z.value) - z.error > limit, 0, np.minimum(z.error, 2 * limit))
    return RoundedArray(arrays.within(z.value, limit), error)


def _moves(operation: Any) -> Callable[..., RoundedArray]:
    return lambda z, *rest: RoundedArray(operation(z.value, *rest), operation(z.error, *rest))


def _bind(rule: Callable[..., RoundedArray], *first: Any) -> Callable[..., RoundedArray]:
    return lambda *arguments: rule(*first, *arguments)


RoundedArray.rules = {
    np.negative: lambda a: RoundedArray(-a.value, a.error),
    np.add: lambda a, b: _added(a.value + b.value, a.error + b.error),
    np.subtract: lambda a, b: _added(a.value - b.value, a.error + b.error),
    np.multiply: _multiply,
    np.divide: _divide,
    np.matmul: _matmul,
    np.maximum: _bind(_larger, np.maximum),
    np.minimum: _bind(_larger, np.minimum),
    arrays.where_positive: _where_positive,
    arrays.log_softmax: _log_softmax,
    arrays.within: _within,
    arrays.split: lambda z, places: list(
        map(RoundedArray, arrays.split(z.value, places), arrays.split(z.error, places))
    ),
    arrays.join: lambda *blocks: RoundedArray(
        arrays.join(*(b.value for b in blocks)), arrays.join(*(b.error for b in blocks))
    ),
    **{f: _bind(_function, f, slope) for f, slope in SLOPES.items()},
    **{f: _bind(_sum, f) for f in (arrays.total, arrays.row_sums, arrays.column_sums)},
    **{f: _moves(f) for f in (arrays.transpose, arrays.rows)},
}
