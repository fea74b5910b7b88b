"""Rational numbers, without any error: the last word on networks of rational pieces.

Dense layers, Identity, ReLU, LeakyReLU, squared error, Huber and the inner product add, multiply, divide and compare;
on floats, which are rational, every result is rational too. So a tie between two floats is a tie here, and a unit that
stands on its kink stands on it. An operation that leaves the rational numbers has no rule, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from refnn import arrays
from refnn.arithmetic.ball import BallArray, arb, as_fraction, fmpq, fmpq_mat, working_precision
from refnn.arrays import Arithmetic, FloatArray, Root, Rules
from refnn.errors import UnsupportedOperationError

__all__ = ["RationalArray"]

_Ratios: TypeAlias = NDArray[Any]
"""An array whose elements are `flint.fmpq`."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class RationalArray(Arithmetic):
    """An array of rational numbers.

    Parameters
    ----------
    elements
        A NumPy array of `flint.fmpq`.

    Examples
    --------
    >>> import numpy as np
    >>> from refnn.arithmetic.rational import RationalArray
    >>> (RationalArray.exact(np.array([0.5, 3.0])) / 7).elements.tolist()
    [1/14, 3/7]
    """

    elements: _Ratios
    rules: ClassVar[Rules] = {}

    @classmethod
    def exact(cls, value: FloatArray) -> RationalArray:
        """Floats as the rational numbers that they are."""
        ratios = (fmpq(*v.as_integer_ratio()) for v in value.ravel().tolist())
        return cls(np.fromiter(ratios, object, value.size).reshape(value.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.elements.shape

    def lift(self, value: Any) -> RationalArray:
        """A constant, unless it is a root."""
        if isinstance(value, np.ndarray) and value.dtype != object:
            return RationalArray.exact(value)
        return RationalArray(np.asarray(np.frompyfunc(_number, 1, 1)(value), dtype=object))

    def balls(self, bits: int) -> BallArray:
        """Balls around them, of so many bits."""
        with working_precision(bits):
            return BallArray(np.fromiter(map(arb, self.elements.flat), object, self.elements.size).reshape(self.shape))


def _number(value: Any) -> fmpq:
    if isinstance(value, Root):
        raise UnsupportedOperationError(
            f"the constant {value}", "it is no rational number", "Compute in BallArray, which encloses it"
        )
    return fmpq(*as_fraction(value).as_integer_ratio())


def _on(function: Callable[..., Any]) -> Callable[..., RationalArray]:
    """The rule that applies a function of arrays of rational numbers."""

    def rule(*arguments: Any) -> RationalArray:
        given = (a.elements if isinstance(a, RationalArray) else a for a in arguments)
        return RationalArray(np.asarray(function(*given), dtype=object))

    return rule


def _matrix(a: _Ratios) -> fmpq_mat:
    rows, columns = a.shape
    return fmpq_mat(rows, columns, a.ravel().tolist())


def _matmul(a: _Ratios, b: _Ratios) -> _Ratios:
    if a.ndim != 2 or b.ndim != 2:
        return np.asarray(np.matmul(a, b), dtype=object)
    product = _matrix(a) * _matrix(b)
    return np.array(product.entries(), object).reshape(a.shape[0], b.shape[1])


_MOVES = (arrays.transpose, arrays.reshape, arrays.join, arrays.rows)

RationalArray.rules = {
    **{f: _on(f) for f in (np.negative, np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum)},
    np.matmul: _on(_matmul),
    arrays.where_positive: _on(lambda z, a, b: np.where(z > 0, a, b)),
    arrays.total: _on(lambda z: np.add.reduce(z, axis=None)),
    arrays.row_sums: _on(lambda z: np.add.reduce(z, axis=1, keepdims=True)),
    arrays.column_sums: _on(lambda z: np.add.reduce(z, axis=0)),
    arrays.split: lambda z, places: list(map(RationalArray, arrays.split(z.elements, places))),
    **{f: _on(f) for f in _MOVES},
}
