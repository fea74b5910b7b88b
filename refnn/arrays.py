"""The operations that the core may use, the words for its arrays, and exact constants.

Each layer, activation and loss is written once, in these operations and in ``+ - * / @ .T``, and then runs on NumPy
arrays of floats and on every other arithmetic: dual numbers, complex numbers, rounding errors, balls. An arithmetic is
a subclass of `Arithmetic` with a table of rules, ``{operation: rule}``; the core never asks which one it runs on.

Three habits keep the program true in all of them:

* Smooth functions are operations of their own (`expit`, `softplus`, `erfc`, `sech_squared`, `log_softmax` and others),
  so that no ``abs``, ``max`` or ``where`` that only serves the floats breaks a derivative; `maximum`, `minimum` and
  `where_positive` are for genuine kinks.
* Constants are exact. Integers are; every other number enters through `constant`, which each arithmetic evaluates.
* What serves floats alone (`within` a range that cannot overflow) says so.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar, Protocol, Self, TypeAlias, TypeVar, cast, final

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from refnn.errors import SettingError, UnsupportedOperationError

FloatArray: TypeAlias = NDArray[np.floating[Any]]
IntArray: TypeAlias = NDArray[np.int64]


class Array(Protocol):
    """What every arithmetic's arrays can do by syntax; `numpy.ndarray` is one of them. Integers are exact operands."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""

    @property
    def T(self) -> Self:  # noqa: N802 - NumPy's name for the transpose
        """The transpose."""

    def __neg__(self) -> Self: ...
    def __add__(self, other: Self | int, /) -> Self: ...
    def __radd__(self, other: int, /) -> Self: ...
    def __sub__(self, other: Self | int, /) -> Self: ...
    def __rsub__(self, other: int, /) -> Self: ...
    def __mul__(self, other: Self | int, /) -> Self: ...
    def __rmul__(self, other: int, /) -> Self: ...
    def __truediv__(self, other: Self | int, /) -> Self: ...
    def __matmul__(self, other: Self, /) -> Self: ...


A = TypeVar("A", bound=Array)


# ---------------------------------------------------------------------------------------------------------- constants


@final
@dataclass(frozen=True, slots=True)
class Root:
    """The real number ``sqrt(ratio * pi**pi_power)``, which no float is; each arithmetic evaluates it itself."""

    ratio: Fraction
    pi_power: int = 0

    def __float__(self) -> float:
        return math.sqrt(float(self.ratio) * math.pi**self.pi_power)


Scalar: TypeAlias = int | float | Fraction | Root


def constant(like: A, value: Scalar | FloatArray) -> A:
    """`value` as a constant of the arithmetic (and, for NumPy arrays, of the dtype) of `like`, without error."""
    if isinstance(like, Arithmetic):
        return like.accept(value)
    dtype = cast(FloatArray, like).dtype
    return cast(A, np.asarray(value, dtype=dtype) if isinstance(value, np.ndarray) else _float(value, dtype))


@np.errstate(over="ignore")
def _float(value: Scalar, dtype: np.dtype[Any]) -> FloatArray:
    rounded = np.asarray(float(value), dtype=dtype)
    if value != 0 and not (rounded != 0 and np.isfinite(rounded)):
        raise SettingError(
            f"the constant {value!r}",
            f"it is {rounded} in {dtype}, which would change the question",
            "Compute in float64, or pass a number within the range of the format",
        )
    return rounded


# ------------------------------------------------------------------------------------ how an operation finds its rule


@final
class Operation:
    """An operation that is no NumPy ufunc: its implementation on NumPy arrays, and the door to all other rules.

    Parameters
    ----------
    implementation
        What it does on `numpy.ndarray`.
    nin
        How many of its leading arguments are arrays, as for a NumPy ufunc; the others (an axis, a shape) are not. None
        if all are.
    """

    def __init__(self, implementation: Callable[..., Any], nin: int | None = 1) -> None:
        self.implementation, self.nin = implementation, nin
        self.__name__, self.__doc__ = implementation.__name__.strip("_"), implementation.__doc__

    def __call__(self, first: Any, *others: Any) -> Any:
        """The result, by the rule of the arithmetic of the arguments; of the deepest, if one nests in another."""
        if self.nin == 1:
            return (
                first.apply(self, first, *others)
                if isinstance(first, Arithmetic)
                else self.implementation(first, *others)
            )
        given = (first, *others)[: self.nin]
        if not any(isinstance(argument, Arithmetic) for argument in given):
            return self.implementation(first, *others)
        return deepest(given).apply(self, first, *others)

    def __repr__(self) -> str:
        return f"<refnn operation {self.__name__}>"


Rules: TypeAlias = Mapping[Any, Callable[..., Any]]


class Arithmetic(NDArrayOperatorsMixin):
    """The base of every array whose elements are not plain floats.

    A subclass gives `shape`, `lift` and the table `rules`: for each operation (a NumPy ufunc, or an `Operation` of this
    module) a function of arguments that are already of that subclass. Python's operators arrive as NumPy's ufuncs.
    """

    __slots__ = ()
    rules: ClassVar[Rules]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape, as of a NumPy array."""

    @abstractmethod
    def lift(self, value: Any) -> Self:
        """`value`, a number or a NumPy array, as an exact constant of this arithmetic."""

    @property
    def T(self) -> Self:  # noqa: N802 - NumPy's name for the transpose
        """The transpose."""
        return cast(Self, self.apply(transpose, self))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the floats that it computes with, or takes as exact."""
        return np.dtype(np.float64)

    @property
    def depth(self) -> int:
        """How many arithmetics its elements are of, besides this one; 0 unless they nest."""
        return 0

    @final
    def accept(self, value: Any) -> Self:
        """`value` in this arithmetic: itself if it is, a constant if it is a number or of an arithmetic inside this."""
        if not isinstance(value, Arithmetic) or value.depth < self.depth:
            return self.lift(value)
        if isinstance(value, type(self)) and value.depth == self.depth:
            return value
        raise UnsupportedOperationError(
            f"a {type(value).__name__} meets a {type(self).__name__}",
            "neither can hold the other",
            "Compute in one arithmetic, or nest them: DualArray(value, tangent) holds arrays of any",
        )

    def apply(self, operation: Any, *arguments: Any) -> Any:
        """The result of `operation` by this arithmetic's rule; arguments that are constants are lifted."""
        rule = self.rules.get(operation)
        if rule is None:
            raise UnsupportedOperationError(
                f"{operation.__name__} was called on {type(self).__name__}",
                "its table of rules has no entry for this operation",
                f"Use the operations of refnn.arrays, or add a rule to {type(self).__name__}.rules",
            )
        nin = len(arguments) if operation.nin is None else operation.nin
        return rule(*map(self.accept, arguments[:nin]), *arguments[nin:])

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            raise UnsupportedOperationError(
                f"{ufunc.__name__}.{method} was called on {type(self).__name__} with {sorted(kwargs) or 'no'} keywords",
                "only the plain call of an operation has a rule",
                "Use the operations of refnn.arrays (for sums: total, row_sums, column_sums)",
            )
        return deepest(inputs).apply(ufunc, *inputs)


def deepest(arguments: tuple[Any, ...]) -> Arithmetic:
    """Of the arguments that are of an arithmetic, the one in which the others nest."""
    return max((a for a in arguments if isinstance(a, Arithmetic)), key=lambda a: a.depth)


class Unary(Protocol):
    """The type of an operation on one array."""

    def __call__(self, z: A, /) -> A:
        """f(z)."""


class Binary(Protocol):
    """The type of an operation on two arrays, or an array and an integer."""

    def __call__(self, a: A, b: A | int, /) -> A:
        """f(a, b)."""


# ------------------------------------------------------------------------------------------------- NumPy's own ufuncs

exp = cast(Unary, np.exp)
expm1 = cast(Unary, np.expm1)
log = cast(Unary, np.log)
sqrt = cast(Unary, np.sqrt)
tanh = cast(Unary, np.tanh)
maximum = cast(Binary, np.maximum)
minimum = cast(Binary, np.minimum)


# ----------------------------------------------------------- smooth functions, kept accurate in both tails for floats


@np.errstate(over="ignore")  # where cosh overflows to infinity, sech is 0 to all digits
def _sech_squared(z: FloatArray) -> FloatArray:
    """sech²(z) = 1 − tanh²(z), the slope of tanh, without the cancellation of that difference."""
    sech: FloatArray = np.reciprocal(np.cosh(z))
    return sech * sech


def _expit(z: FloatArray) -> FloatArray:
    """The logistic function 1/(1 + exp(−z))."""
    e = np.exp(-np.abs(z))
    p: FloatArray = np.where(z >= 0, np.ones_like(e), e) / (1 + e)
    return p


def _expit_slope(z: FloatArray) -> FloatArray:
    """σ(z) σ(−z) = ¼ sech²(z/2), the slope of the logistic function σ."""
    e: FloatArray = np.exp(-np.abs(z))
    return e / ((1 + e) * (1 + e))


@np.errstate(over="ignore")  # where 2z overflows to infinity, the step is 0 or 1 to all digits
def _tanh_step(z: FloatArray) -> FloatArray:
    """½ (1 + tanh(z)) = σ(2z), without the cancellation of that sum in the left tail."""
    return _expit(2 * z)


def _softplus(z: FloatArray) -> FloatArray:
    """log(1 + exp(z))."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _log_expit(z: FloatArray) -> FloatArray:
    """log σ(z) = −log(1 + exp(−z))."""
    return -_softplus(-z)


_erfc_of_each = np.frompyfunc(math.erfc, 1, 1)  # NumPy has no erfc; the C library's keeps relative accuracy


def _erfc(z: FloatArray) -> FloatArray:
    """The complementary error function."""
    return np.asarray(_erfc_of_each(z), dtype=z.dtype)


@lru_cache(maxsize=64)
def _starts(rows: int, columns: int) -> IntArray:
    """Where each row of a matrix begins, row-major."""
    return np.arange(0, rows * columns, columns)


def _log_softmax(z: FloatArray) -> FloatArray:
    """log(exp(z[i, c]) / Σ_k exp(z[i, k])) of each row, with relative accuracy in the differences of z."""
    largest = z.argmax(axis=1) + _starts(*z.shape)
    d: FloatArray = z - z.take(largest)[:, np.newaxis]
    e = np.exp(d)
    e.put(largest, 0)  # the largest term is exactly 1, and log1p adds it
    d -= np.log1p(_row_sums(e))
    return d


sech_squared = cast(Unary, Operation(_sech_squared))
expit = cast(Unary, Operation(_expit))
expit_slope = cast(Unary, Operation(_expit_slope))
tanh_step = cast(Unary, Operation(_tanh_step))
softplus = cast(Unary, Operation(_softplus))
log_expit = cast(Unary, Operation(_log_expit))
erfc = cast(Unary, Operation(_erfc))
log_softmax = cast(Unary, Operation(_log_softmax))


# ----------------------------------------------------------------------------------------- kinks, and floats' frailty


def _where_positive(z: FloatArray, a: Any, b: Any) -> FloatArray:
    """`a` where z > 0 and `b` elsewhere."""
    chosen: FloatArray = np.where(z > 0, a, b).astype(z.dtype, copy=False)
    return chosen


def _within(z: FloatArray, limit: int) -> FloatArray:
    """`z`, and for floats ±limit beyond it: where the caller's function has long been constant, but z³ may overflow.

    Arithmetics that do not overflow return `z`.
    """
    clipped: FloatArray = np.clip(z, -limit, limit)
    return clipped


class _WherePositive(Protocol):
    def __call__(self, z: A, a: A | int, b: A | int, /) -> A: ...


class _Within(Protocol):
    def __call__(self, z: A, limit: int, /) -> A: ...


where_positive = cast(_WherePositive, Operation(_where_positive, nin=3))
within = cast(_Within, Operation(_within))


# -------------------------------------------------------------------------------------------- sums, and moving things


def _total(z: FloatArray) -> FloatArray:
    """The sum of all elements."""
    return np.asarray(np.add.reduce(z, axis=None))


@lru_cache(maxsize=64)
def _ones(length: int, dtype: np.dtype[Any]) -> FloatArray:
    ones: FloatArray = np.ones(length, dtype)
    return ones


def _row_sums(z: FloatArray) -> FloatArray:
    """The sum of each row, as a column (N, 1)."""
    return (z @ _ones(z.shape[1], z.dtype))[:, np.newaxis]  # for short rows, quicker than a sum along the axis


def _column_sums(z: FloatArray) -> FloatArray:
    """The sum of each column, (m,)."""
    return _ones(z.shape[0], z.dtype) @ z


def _transpose(z: FloatArray) -> FloatArray:
    """The transpose of a matrix."""
    return z.T


def _reshape(z: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """The elements of `z`, row-major, in another shape."""
    return z.reshape(shape)


def _split(z: FloatArray, places: tuple[tuple[slice, tuple[int, ...]], ...]) -> list[FloatArray]:
    """The elements of the vector `z` at each place, in the shape that goes with it (row-major), as views."""
    return [z[place].reshape(shape) for place, shape in places]


def _join(*blocks: FloatArray) -> FloatArray:
    """One vector of all elements of all blocks, each row-major; the inverse of `split`."""
    return np.concatenate([block.ravel() for block in blocks])


def _rows(z: FloatArray, index: IntArray) -> FloatArray:
    """The rows of `z` that `index` names; of a vector, the elements."""
    return z[index]


class _Reshape(Protocol):
    def __call__(self, z: A, shape: tuple[int, ...], /) -> A: ...


class _Split(Protocol):
    def __call__(self, z: A, places: tuple[tuple[slice, tuple[int, ...]], ...], /) -> list[A]: ...


class _Join(Protocol):
    def __call__(self, *blocks: A) -> A: ...


class _Rows(Protocol):
    def __call__(self, z: A, index: IntArray, /) -> A: ...


total = cast(Unary, Operation(_total))
row_sums = cast(Unary, Operation(_row_sums))
column_sums = cast(Unary, Operation(_column_sums))
transpose = cast(Unary, Operation(_transpose))
reshape = cast(_Reshape, Operation(_reshape))
split = cast(_Split, Operation(_split))
join = cast(_Join, Operation(_join, nin=None))
rows = cast(_Rows, Operation(_rows))
