"""Rounding errors: a value, and a bound on how far it may be from the real number that it stands for.

The bound is the running worst case (Wilkinson, "Rounding Errors in Algebraic Processes", 1963; Higham, "Accuracy and
Stability of Numerical Algorithms", 2nd ed. 2002, sections 3.1 and 3.3): an operation passes on the errors of its
arguments and adds the rounding of its own result. With u the unit roundoff and γₖ = ku/(1 − ku),

* a sum or a product is rounded once; a sum of k terms adds at most γₖ₋₁·Σ|terms|, in any order, and an inner product of
  length k at most γₖ·Σ|aᵢ bᵢ| (Higham, section 3.1);
* a function passes on its argument's error times its largest slope within that error (the mean value theorem), and is
  computed to within so many units in the last place;
* below the normal range, a result is off by at most the smallest subnormal.

No term is left out: products of errors count, and where an error is so large that nothing can be said, it is infinite.

Running the network on a `RoundedArray` bounds the error of refnn's own floats, whose functions are within
`FUNCTION_ULPS` (NumPy states at most 4 for its vectorised ones). With a `Precision` it bounds instead how far what an
honest implementation of that precision computes may be from the values, which then stand for the real numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from refnn import arrays
from refnn.arithmetic.precision import Precision
from refnn.arrays import Arithmetic, FloatArray, Root, Rules

__all__ = ["COMPOSED", "FUNCTIONS", "FUNCTION_ULPS", "RoundedArray", "held", "parts", "steepest"]

FUNCTION_ULPS = 4
COMPOSED = {
    arrays.expit: 3, arrays.tanh_step: 3, arrays.expit_slope: 4, arrays.sech_squared: 11, arrays.softplus: 9,
    arrays.log_expit: 9,
}  # fmt: skip
"""Roundings besides those of one function, for operations that are composed: 1 + e and the quotient; 1 + e twice, their
product and the quotient e/(1 + e)², whose condition number in e is at most 1; the square of 1/cosh, which doubles 9;
and a second function, log1p, whose condition number is at most 1."""

_WIDEN = 1 + 2.0**-30
"""For the rounding of the bounds themselves: sums of up to a million non-negative float64 numbers, and of γₖ."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class RoundedArray(Arithmetic):
    """Values with a bound on an error: of refnn's own floats, or of an honest implementation.

    Parameters
    ----------
    value
        Floats. Without a precision they are computed ones, float64 or float32, and the unit roundoff is that of their
        dtype. With one they are float64, and stand for the real numbers.
    error
        For each, a bound on its distance from the real number, or from what is computed; as float64.
    precision
        The implementation; None if it is refnn's own, in floats of the values' dtype.
    terms
        Of how many products this is a sum; others may begin such a sum with what is added to it next.

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
    precision: Precision | None = None
    terms: int = 0
    rules: ClassVar[Rules] = {}

    @classmethod
    def exact(cls, value: FloatArray, precision: Precision | None = None) -> RoundedArray:
        """Floats that are meant exactly."""
        return cls(value, np.zeros(value.shape) if precision is None else precision.flushed(value), precision)

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
        """The unit roundoff u of the values' dtype, or of the precision's storage format."""
        return _habits(self).unit

    def lift(self, value: Any) -> RoundedArray:
        """A constant; exact if it is an integer or an array of this dtype, else rounded."""
        array = arrays.constant(self.value, value)
        if self.precision is not None:
            size, storage = np.abs(array), self.precision.format
            off = np.where(held(array, value, self.precision), 0.0, self.unit * size + storage.smallest)
            off = np.maximum(off, self.precision.flushed(array))
            return RoundedArray(array, np.where(size > storage.largest, np.inf, off), self.precision)
        if isinstance(value, (int, np.ndarray)) and np.array_equal(array, np.asarray(value)):
            return RoundedArray.exact(array)
        roundings = 2 if isinstance(value, Root) else 1  # the power of π is a rounded one
        return RoundedArray(array, roundings * self.unit * np.abs(array, dtype=np.float64))


def held(array: FloatArray, value: Any, precision: Precision) -> Any:
    """Where the storage format holds a constant exactly; `array` is its value in float64."""
    if isinstance(value, Root) or (isinstance(value, Fraction) and value != Fraction(float(value))):
        return False
    return precision.format.nearest(array) == array


class _Habits(NamedTuple):
    """What the bounds ask of an implementation.

    Attributes
    ----------
    unit, products, sums
        The unit roundoff of what is stored, of what is added up in products of matrices, and in other sums.
    lost, flushed
        What is lost below the normal range in products, and in sums.
    largest
        The largest number that a sum may hold on the way; infinite, if a larger one is infinite here too.
    functions
        The roundings, of u each, that a function amounts to.
    """

    unit: float
    products: float
    sums: float
    lost: float
    flushed: float
    largest: float
    functions: float


def _habits(z: RoundedArray) -> _Habits:
    if z.precision is not None:
        return _foreign_habits(z.precision)
    return _own_habits(z.value.dtype if z.value.dtype.kind == "f" else np.dtype(np.float64))


@lru_cache(maxsize=8)
def _own_habits(dtype: np.dtype[Any]) -> _Habits:
    unit = float(np.finfo(dtype).eps) / 2
    return _Habits(unit, unit, unit, float(np.finfo(dtype).smallest_subnormal), 0, np.inf, 2 * FUNCTION_ULPS)


@lru_cache(maxsize=64)
def _foreign_habits(precision: Precision) -> _Habits:
    storage, products, sums = precision.format, precision.accumulated.unit, precision.summed.unit
    flushed = storage.smallest_normal if precision.flushes else 0
    lost, most = max(storage.smallest, flushed), min(precision.accumulated.largest, precision.summed.largest)
    return _Habits(storage.unit, products, sums, lost, flushed, most, 2 * precision.function_ulps)


# Each bound below is a function of the result on the values and of the operation's arguments.
Bound = Callable[..., FloatArray]


def _rule(operation: Any, bound: Bound) -> Callable[..., RoundedArray]:
    """The operation on the values, with a bound; what is no number (∞ − ∞, 0·∞) bounds nothing."""

    def rule(*arguments: Any) -> RoundedArray:
        precision = arguments[0].precision
        value = np.asarray(operation(*(a.value if isinstance(a, RoundedArray) else a for a in arguments)))
        with np.errstate(all="ignore"):  # a bound may be infinite, where the value may not
            error = np.asarray(_WIDEN * bound(value, *arguments))
            if precision is not None:
                error = np.where(np.abs(value) + error > precision.format.largest, np.inf, error)
        terms = arguments[0].shape[1] if operation is np.matmul else 0
        return RoundedArray(value, np.where(np.isnan(error), np.inf, error), precision, terms)

    return rule


def _magnitude(value: FloatArray) -> FloatArray:
    return np.abs(value, dtype=np.float64)


def _distance(a: RoundedArray, b: RoundedArray) -> FloatArray:
    return np.abs(a.value.astype(np.float64) - b.value)


def _gamma(roundings: float, unit: float) -> float:
    """γₖ = ku/(1 − ku): what k roundings can do, relative to the result with them or without."""
    ku = roundings * unit
    return ku / (1 - ku) if ku < 1 else np.inf


def _rounded(value: FloatArray, passed: FloatArray, z: RoundedArray) -> FloatArray:
    """What is passed on, and one rounding of a result that is as large as that allows."""
    error: FloatArray = passed + _gamma(1, _habits(z).unit) * (_magnitude(value) + passed)
    return error


def _add(value: FloatArray, a: RoundedArray, b: RoundedArray) -> FloatArray:
    """One rounding; unlike a product, a sum cannot underflow (Higham, problem 2.19), but it may be flushed."""
    passed = a.error + b.error
    if a.precision is not None:
        for z, other in ((a, b), (b, a)):
            passed = passed + _gamma(max(z.terms - 1, 0), _habits(a).products) * (_magnitude(other.value) + other.error)
    return np.asarray(_rounded(value, passed, a) + _habits(a).flushed * ((value != 0) | (passed > 0)))


def _multiply(value: FloatArray, a: RoundedArray, b: RoundedArray) -> FloatArray:
    passed: FloatArray = _magnitude(a.value) * b.error + a.error * (_magnitude(b.value) + b.error)
    return _rounded(value, passed, a) + _habits(a).lost


def _divide(value: FloatArray, a: RoundedArray, b: RoundedArray) -> FloatArray:
    passed: FloatArray = a.error + (1 + _gamma(1, _habits(a).unit)) * _magnitude(value) * b.error
    least = np.maximum(_magnitude(b.value) - b.error, 0)
    own = np.where(passed > 0, passed / least, 0)
    if a.precision is not None:  # others multiply by a rounded reciprocal
        own = own + _habits(a).unit * (_magnitude(value) + own)
    return _rounded(value, own, a) + _habits(a).lost


def _stored(value: FloatArray, summed: FloatArray, unit: float, z: RoundedArray) -> FloatArray:
    """The error of a sum, after it is stored; that is one more rounding, unless it was formed in the storage format."""
    habits = _habits(z)
    return summed if habits.unit == unit else _rounded(value, summed, z) + habits.lost * (summed > 0)


def _matmul(value: FloatArray, a: RoundedArray, b: RoundedArray) -> FloatArray:
    habits, terms, size_a, size_b = _habits(a), a.shape[1], _magnitude(a.value), _magnitude(b.value)
    gamma = _gamma(terms, habits.products)
    grown = 1 if a.precision is None else 1 + gamma  # what is summed is then as large as its errors allow
    bound = (grown * a.error + gamma * size_a) @ size_b
    if b.error.any():
        bound = bound + grown * ((size_a + a.error) @ b.error)
    some = np.logical_and.outer(a.value.any(axis=1), b.value.any(axis=0))  # a sum of zeros is exact
    bound = np.where(some | (bound != 0), bound + terms * habits.lost, 0)  # 0·∞ is no number, and not 0
    if habits.largest < np.inf:
        bound = np.where(size_a @ size_b + bound > habits.largest, np.inf, bound)
    return _stored(value, bound, habits.products, a)


def _sum(operation: Any) -> Bound:
    def bound(value: FloatArray, z: RoundedArray) -> FloatArray:
        terms = max(1, z.value.size // max(1, value.size))
        size = _magnitude(z.value) if z.precision is None else _magnitude(z.value) + z.error
        habits, sizes = _habits(z), operation(size)
        summed = operation(z.error) + _gamma(terms - 1, habits.sums) * sizes
        summed = summed + (terms - 1) * habits.flushed * (sizes > 0)
        return _stored(value, np.where(sizes + summed > habits.largest, np.inf, summed), habits.sums, z)

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
    arrays.log_expit: lambda low, high, near, far: arrays.expit(-low),
    arrays.erfc: lambda low, high, near, far: 2 / np.sqrt(np.pi) * np.exp(-near * near),
}
"""The largest slope of each function between low and high, where near and far are the least and the largest |z|."""

FUNCTIONS = tuple(_STEEPEST)
"""The operations that are functions of each element."""


def steepest(operation: Any, z: FloatArray, reach: FloatArray) -> FloatArray:
    """The largest |slope| of a function within a distance of z."""
    size = np.abs(z)
    return _STEEPEST[operation](z - reach, z + reach, np.maximum(size - reach, 0), size + reach)


_PARTS: dict[Any, Callable[[FloatArray, FloatArray, float], tuple[FloatArray, ...]]] = {
    arrays.expit: lambda p, z, f: (f * p, p, p),
    arrays.softplus: lambda p, z, f: (f * p, f * p),
    arrays.log_expit: lambda p, z, f: (f * p, f * p, np.maximum(z, 0), np.maximum(z, 0)),
    arrays.sech_squared: lambda s, z, f: (2 * f * (1 - s), 1 - s, s),
    arrays.expit_slope: lambda s, z, f: (f * (arrays.expit(z) ** 2 - s), arrays.expit(z) ** 2 - s, s, s, s),
    arrays.erfc: lambda p, z, f: (f * (1 - p), p),
    arrays.tanh_step: lambda p, z, f: (f * (p - 0.5), p),
}


def parts(operation: Any, value: FloatArray, z: FloatArray, function: float) -> tuple[FloatArray, ...]:
    """The errors of the usual way to compute a function, in units of u, from functions that are off by so many.

    They are those of 1/(1 + exp(−z)); log1p(exp(z)), for log σ also with z added before and after; 1 − t² with
    t = tanh z, where an error of t counts 2t-fold; p(1 − p) with p = σ(z), where an error of p counts (1 − 2p)-fold;
    1 − erf(z); ½(1 + tanh z). Ways that keep the tails are off by so much of the result, and by `COMPOSED`.
    """
    return _PARTS[operation](value, z, function) if operation in _PARTS else (function * value,)


def _function(operation: Any) -> Bound:
    def bound(value: FloatArray, z: RoundedArray) -> FloatArray:
        habits, middle = _habits(z), z.value.astype(np.float64)
        reach = _WIDEN * z.error + 2.0**-52 * np.abs(middle)  # the ends of the range are rounded too
        passed: FloatArray = np.where(z.error > 0, steepest(operation, middle, reach) * z.error, 0)
        if z.precision is None:
            roundings = habits.functions + COMPOSED.get(operation, 0)
            return passed + _gamma(roundings, habits.unit) * _magnitude(value) + roundings * habits.lost
        size = np.abs(habits.functions + COMPOSED.get(operation, 0)) * _magnitude(value)
        if not z.precision.keeps_tails:
            size = np.maximum(size, sum(map(np.abs, parts(operation, value, middle, habits.functions))))
        size = size + habits.functions * passed
        error: FloatArray = passed + _gamma(1, 2 * habits.unit) * size + habits.functions * habits.lost
        return error

    return bound


def _log_softmax(value: FloatArray, z: RoundedArray) -> FloatArray:
    """log p = d − log1p(Σ exp(d)) with d = z − max z, whose rounding moves each exponential by up to u·|d|.

    An error of z is passed on as itself plus its mean over the row, weighted by p; and the p within the errors are at
    most exp(2·the largest error) times those computed. Others take log(Σ exp(d)), a sum of 1 and more, and store it, or
    even max z more.
    """
    habits, columns = _habits(z), z.shape[1]
    p = np.exp(value + _gamma(1 + habits.functions, habits.unit) * _magnitude(value))  # at least what the reals give
    d = _magnitude(z.value - np.max(z.value, axis=1, keepdims=True))
    largest = np.max(z.error, axis=1, keepdims=True)
    passed = z.error + np.fmin(largest, np.exp(2 * largest) * arrays.row_sums(p * z.error))
    if z.precision is None:
        tail = (habits.functions + columns) * (1 - np.max(p, axis=1, keepdims=True))
    else:
        tail = habits.functions + 1 + columns * habits.sums / habits.unit
        tail = tail + (0 if z.precision.keeps_tails else _magnitude(np.max(z.value, axis=1, keepdims=True)))
    roundings = d + arrays.row_sums(p * d) + tail
    own = _gamma(1 + habits.functions, habits.unit) * (_magnitude(value) + (passed if z.precision else 0))
    bound: FloatArray = passed + 2 * _gamma(1, habits.unit) * roundings + own + (1 + habits.functions) * habits.lost
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
    **{f: _function(f) for f in FUNCTIONS},
    **{f: _sum(f) for f in (arrays.total, arrays.row_sums, arrays.column_sums)},
    **{f: _moved(f) for f in (arrays.transpose, arrays.reshape, arrays.rows)},
}
"""The bound of each operation that has one result."""


def _split(z: RoundedArray, places: Any) -> list[RoundedArray]:
    blocks = zip(arrays.split(z.value, places), arrays.split(z.error, places), strict=True)
    return [RoundedArray(value, error, z.precision) for value, error in blocks]


def _join(*blocks: RoundedArray) -> RoundedArray:
    value, error = arrays.join(*(b.value for b in blocks)), arrays.join(*(b.error for b in blocks))
    return RoundedArray(value, error, blocks[0].precision)


RoundedArray.rules = {
    **{operation: _rule(operation, bound) for operation, bound in BOUNDS.items()},
    arrays.split: _split,
    arrays.join: _join,
}
