"""Rounding errors: a value, and a bound on how far it may be from the real number that it stands for.

The bound is the running worst case (Wilkinson, "Rounding Errors in Algebraic Processes", 1963; Higham, "Accuracy and
Stability of Numerical Algorithms", 2nd ed. 2002, sections 3.1 and 3.3): an operation passes on the errors of its
arguments and adds the rounding of its own result. With u the unit roundoff and γₖ = ku/(1 − ku),

* a sum or a product is rounded once; a sum of k terms adds at most γₖ₋₁·Σ|terms|, in any order, and an inner product of
  length k at most γₖ·Σ|aᵢ bᵢ| (Higham, section 3.1);
* a function passes on its argument's error times its largest slope within that error (the mean value theorem), and is
  computed to within `FUNCTION_ULPS` units in the last place (NumPy states at most 4 for its vectorised functions);
* below the normal range, a result is off by at most the smallest subnormal.

No term is left out: products of errors count, and where an error is so large that nothing can be said, it is infinite.
Running the network on a `RoundedArray` bounds the error of refnn's own floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from refnn import arrays
from refnn.arrays import Arithmetic, FloatArray, Root, Rules

__all__ = ["FUNCTION_ULPS", "RoundedArray"]

FUNCTION_ULPS = 4
_COMPOSED = {
    arrays.expit: 3, arrays.tanh_step: 3, arrays.expit_slope: 4, arrays.sech_squared: 11, arrays.softplus: 9,
}  # fmt: skip
"""Roundings besides those of one function, for operations that are composed: 1 + e and the quotient; 1 + e twice, its
square and the quotient e/(1 + e)², whose condition number is at most 1; the square of 1/cosh, which doubles 9; and a
second function, log1p, whose condition number is at most 1."""

_WIDEN = 1 + 2.0**-30
"""For the rounding of the bounds themselves: sums of up to a million non-negative float64 numbers, and of γₖ."""


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
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        return self.value.dtype

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


# Each bound below is a function of the computed result and of the operation's arguments.
Bound = Callable[..., FloatArray]


def _rule(operation: Any, bound: Bound) -> Callable[..., RoundedArray]:
    """The operation on the values, with a bound; what is no number (∞ − ∞, 0·∞) bounds nothing."""

    def rule(*arguments: Any) -> RoundedArray:
        value = np.asarray(operation(*(a.value if isinstance(a, RoundedArray) else a for a in arguments)))
        with np.errstate(all="ignore"):  # a bound may be infinite, where the value may not
            error = np.asarray(_WIDEN * bound(value, *arguments))
        return RoundedArray(value, np.where(np.isnan(error), np.inf, error))

    return rule


def _magnitude(value: FloatArray) -> FloatArray:
    return np.abs(value, dtype=np.float64)


def _distance(a: RoundedArray, b: RoundedArray) -> FloatArray:
    return np.abs(a.value.astype(np.float64) - b.value)


def _gamma(roundings: float, value: FloatArray) -> float:
    """γₖ = ku/(1 − ku): what k roundings can do, relative to the result with them or without."""
    ku = roundings * float(np.finfo(value.dtype).eps) / 2
    return ku / (1 - ku) if ku < 1 else np.inf


def _own(value: FloatArray, roundings: float = 1) -> FloatArray:
    """What so many roundings do to a result, which may have underflowed in each."""
    own: FloatArray = _gamma(roundings, value) * _magnitude(value)
    return own + roundings * float(np.finfo(value.dtype).smallest_subnormal)


def _add(value: FloatArray, a: RoundedArray, b: RoundedArray) -> FloatArray:
    """One rounding; unlike a product, a sum or difference cannot underflow (Higham, problem 2.19)."""
    return a.error + b.error + _gamma(1, value) * _magnitude(value)


def _multiply(value: FloatArray, a: RoundedArray, b: RoundedArray) -> FloatArray:
    passed: FloatArray = _magnitude(a.value) * b.error + a.error * (_magnitude(b.value) + b.error)
    return passed + _own(value)


def _divide(value: FloatArray, a: RoundedArray, b: RoundedArray) -> FloatArray:
    passed: FloatArray = a.error + (1 + _gamma(1, value)) * _magnitude(value) * b.error
    least = np.maximum(_magnitude(b.value) - b.error, 0)
    return np.where(passed > 0, passed / least, 0) + _own(value)


def _matmul(value: FloatArray, a: RoundedArray, b: RoundedArray) -> FloatArray:
    terms, size_a, size_b = a.shape[1], _magnitude(a.value), _magnitude(b.value)
    passed = size_a @ b.error + a.error @ (size_b + b.error)
    underflow = terms * float(np.finfo(value.dtype).smallest_subnormal)
    bound: FloatArray = passed + _gamma(terms, value) * (size_a @ size_b) + underflow
    return bound


def _sum(operation: Any) -> Bound:
    def bound(value: FloatArray, z: RoundedArray) -> FloatArray:
        terms = max(1, z.value.size // max(1, value.size))
        bounded: FloatArray = operation(z.error) + _gamma(terms - 1, value) * operation(_magnitude(z.value))
        return bounded

    return bound


_STEEPEST: dict[Any, Callable[..., FloatArray]] = {
    np.exp: lambda low, high, near, far: np.exp(high),
    np.expm1: lambda low, high, near, far: np.exp(high),
    np.log: lambda low, high, near, far: 1 / np.maximum(low, 0),
    np.sqrt: lambda low, high, near, far: 1 / (2 * np.sqrt(np.maximum(low, 0))),
    np.tanh: lambda low, high, near, far: arrays.sech_squared(near),
    arrays.sech_squared: lambda low, high, near, far: 2 * np.tanh(far) * arrays.sech_squared(near),
    arrays.expit: lambda low, high, near, far: arrays.expit_slope(near),
    arrays.expit_slope: lambda low, high, near, far: np.tanh(far / 2) * arrays.expit_slope(near),
    arrays.tanh_step: lambda low, high, near, far: arrays.sech_squared(near) / 2,
    arrays.softplus: lambda low, high, near, far: arrays.expit(high),
    arrays.erfc: lambda low, high, near, far: 2 / np.sqrt(np.pi) * np.exp(-near * near),
}
"""The largest slope of each function between low and high, where near and far are the least and the largest |z|."""


def _function(operation: Any) -> Bound:
    roundings = 2 * FUNCTION_ULPS + _COMPOSED.get(operation, 0)

    def bound(value: FloatArray, z: RoundedArray) -> FloatArray:
        middle, size = z.value.astype(np.float64), _magnitude(z.value)
        reach = _WIDEN * z.error + 2.0**-52 * size  # the ends of the range are rounded too
        slope = _STEEPEST[operation](middle - reach, middle + reach, np.maximum(size - reach, 0), size + reach)
        passed: FloatArray = np.where(z.error > 0, slope * z.error, 0)
        return passed + _own(value, roundings)

    return bound


def _log_softmax(value: FloatArray, z: RoundedArray) -> FloatArray:
    """log p = d − log1p(Σ exp(d)) with d = z − max z, whose rounding moves each exponential by up to u·|d|.

    An error of z is passed on as itself plus its mean over the row, weighted by p; and the p within the errors are at
    most exp(2·the largest error) times those computed.
    """
    p = np.exp(value + _gamma(1 + 2 * FUNCTION_ULPS, value) * _magnitude(value))  # at least what the reals give
    d = _magnitude(z.value - np.max(z.value, axis=1, keepdims=True))
    largest = np.max(z.error, axis=1, keepdims=True)
    passed = z.error + np.fmin(largest, np.exp(2 * largest) * arrays.row_sums(p * z.error))
    roundings = d + arrays.row_sums(p * d) + (2 * FUNCTION_ULPS + z.shape[1]) * (1 - np.max(p, axis=1, keepdims=True))
    bound: FloatArray = passed + 2 * _gamma(1, value) * roundings + _own(value, 1 + 2 * FUNCTION_ULPS)
    return bound


def _where_positive(value: FloatArray, z: RoundedArray, a: RoundedArray, b: RoundedArray) -> FloatArray:
    """The error of the one that is chosen; of both and their distance, where the choice is uncertain."""
    chosen = np.where(z.value > 0, a.error, b.error)
    uncertain = (z.error > 0) & (_magnitude(z.value) <= z.error)
    return np.where(uncertain, np.maximum(a.error, b.error) + _distance(a, b), chosen)


def _larger(value: FloatArray, a: RoundedArray, b: RoundedArray) -> FloatArray:
    """Maximum and minimum bring no numbers further apart, and where it is certain which is chosen, its error counts."""
    apart = _distance(a, b) > _WIDEN * (a.error + b.error)
    return np.where(apart, np.where(value == a.value, a.error, b.error), np.maximum(a.error, b.error))


def _within(value: FloatArray, z: RoundedArray, limit: int) -> FloatArray:
    """Cutting off brings no two numbers further apart, and beyond the limit none is left between them."""
    return np.where(_magnitude(z.value) - z.error > limit, 0, np.minimum(z.error, 2 * limit))


def _moved(operation: Any) -> Bound:
    def bound(value: FloatArray, z: RoundedArray, *rest: Any) -> FloatArray:
        error: FloatArray = operation(z.error, *rest)
        return error

    return bound


BOUNDS: dict[Any, Bound] = {
    np.negative: lambda value, z: z.error,
    np.add: _add,
    np.subtract: _add,
    np.multiply: _multiply,
    np.divide: _divide,
    np.matmul: _matmul,
    np.maximum: _larger,
    np.minimum: _larger,
    arrays.where_positive: _where_positive,
    arrays.log_softmax: _log_softmax,
    arrays.within: _within,
    **{f: _function(f) for f in _STEEPEST},
    **{f: _sum(f) for f in (arrays.total, arrays.row_sums, arrays.column_sums)},
    **{f: _moved(f) for f in (arrays.transpose, arrays.reshape, arrays.rows)},
}
"""The bound of each operation that has one result."""


def _split(z: RoundedArray, places: Any) -> list[RoundedArray]:
    return list(map(RoundedArray, arrays.split(z.value, places), arrays.split(z.error, places)))


def _join(*blocks: RoundedArray) -> RoundedArray:
    return RoundedArray(arrays.join(*(b.value for b in blocks)), arrays.join(*(b.error for b in blocks)))


RoundedArray.rules = {
    **{operation: _rule(operation, bound) for operation, bound in BOUNDS.items()},
    arrays.split: _split,
    arrays.join: _join,
}
