"""Balls: real numbers enclosed as midpoint ± radius, at any precision, by Arb.

A `BallArray` holds, for each element, an interval that is proven to contain the real number: every rule rounds its
radius outwards, and widens it by its own rounding (Johansson, "Arb: Efficient Arbitrary-Precision Midpoint-Radius
Interval Arithmetic", IEEE Transactions on Computers 66(8), 2017). Running the network on thin balls encloses its loss
and its gradient; running it on wide ones encloses them over all points of a box.

The working precision is python-flint's, one for all threads: `working_precision` sets it, holds a lock meanwhile, and
restores it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from threading import RLock
from typing import Any, ClassVar, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from refnn import arrays
from refnn.arrays import Arithmetic, FloatArray, Root, Rules
from refnn.checks import count
from refnn.errors import MissingExtraError

try:
    import flint
    from flint import arb, arb_mat, fmpq, fmpq_mat
except ImportError as error:
    raise MissingExtraError(
        "python-flint is not installed",
        "exact values and proofs are computed with its balls",
        "Run: pip install python-flint; all that refnn may need is in its extra [exact]",
    ) from error

__all__ = ["BallArray", "arb", "fmpq", "fmpq_mat", "working_precision"]  # Arb's, from here, where they are guarded

_Balls: TypeAlias = NDArray[Any]
"""An array whose elements are `flint.arb`."""

_lock = RLock()


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Compute balls with so many bits, and restore what was before, whatever happens.

    The precision is that of all threads; those that set it by this function wait for each other.
    """
    with _lock:
        before = flint.ctx.prec
        flint.ctx.prec = bits
        try:
            yield
        finally:
            flint.ctx.prec = before


@final
@dataclass(frozen=True, slots=True, eq=False)
class BallArray(Arithmetic):
    """An array of balls.

    Parameters
    ----------
    elements
        A NumPy array of `flint.arb`.

    Examples
    --------
    >>> import numpy as np
    >>> from refnn.arithmetic.ball import BallArray, working_precision
    >>> with working_precision(128):
    ...     third = BallArray.exact(np.array([1.0])) / 3
    >>> print(third.text(12))
    ['[0.333333333333 +/- 3.34e-13]']
    """

    elements: _Balls
    rules: ClassVar[Rules] = {}

    @classmethod
    def exact(cls, value: FloatArray) -> BallArray:
        """Floats as the real numbers that they are."""
        return cls(np.fromiter(map(arb, value.ravel().tolist()), object, value.size).reshape(value.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.elements.shape

    def lift(self, value: Any) -> BallArray:
        """A constant: itself if it is a float or an integer, else a ball around it."""
        if isinstance(value, np.ndarray) and value.dtype != object:
            return BallArray.exact(value)
        return BallArray(_array(_numbers(value)))

    @property
    def midpoint(self) -> FloatArray:
        """The float64 nearest to the midpoint of each ball."""
        return self.elements.astype(np.float64)

    @property
    def radius(self) -> FloatArray:
        """For each ball, a float64 no less than the distance of any of its points from `midpoint`."""
        return BallArray(abs(self.elements - BallArray.exact(self.midpoint).elements)).upper

    @property
    def lower(self) -> FloatArray:
        """For each ball, a float64 no greater than any of its points."""
        return -BallArray(-self.elements).upper

    @property
    def upper(self) -> FloatArray:
        """For each ball, a float64 no less than any of its points."""
        ends = _array(_upper(self.elements))
        nearest = ends.astype(np.float64)
        with np.errstate(over="ignore", under="ignore"):
            return np.where(ends <= nearest, nearest, np.nextafter(nearest, np.inf))

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle and copy, which know nothing of Arb: each midpoint and radius as an integer times a power of 2."""
        return _restored, (self.shape, [_stored(ball) for ball in self.elements.flat])

    def __repr__(self) -> str:
        """The balls in decimal."""
        return f"BallArray({np.array2string(self.text(), separator=', ', formatter={'str_kind': str})})"

    def text(self, digits: int = 20) -> NDArray[np.str_]:
        """Each ball in decimal, its midpoint to so many digits at most; what is written contains the whole ball."""
        count("digits", digits)
        return np.array([ball.str(digits) for ball in self.elements.flat], np.str_).reshape(self.shape)


_Stored: TypeAlias = tuple[tuple[int, int], tuple[int, int]] | str


def _stored(ball: arb) -> _Stored:
    if not ball.is_finite():
        return "nan" if ball.is_nan() else "inf" if ball > 0 else "-inf" if ball < 0 else "0 +/- inf"
    (middle, exponent), (radius, scale) = ball.mid().man_exp(), ball.rad().man_exp()
    return (int(middle), int(exponent)), (int(radius), int(scale))


def _restored(shape: tuple[int, ...], stored: list[_Stored]) -> BallArray:
    return BallArray(np.fromiter(map(_ball, stored), object, len(stored)).reshape(shape))


def _ball(stored: _Stored) -> arb:
    if isinstance(stored, str):
        return arb(stored)
    middle, (radius, scale) = stored
    if not radius:
        return arb(middle)
    return arb(
        middle, (2**31 * radius - 1, scale - 31)
    )  # Arb rounds a radius upwards, even one of its own, to the next


def as_fraction(value: Any) -> Fraction:
    """A number of Python or NumPy as the rational number that it is."""
    plain = value.item() if isinstance(value, np.generic) else value
    return Fraction(*plain.as_integer_ratio())


def _number(value: Any) -> arb:
    """A number as a ball around it, of radius 0 if it is a float or an integer."""
    if isinstance(value, Root):
        return (_number(value.ratio) * arb.pi() ** value.pi_power).sqrt()
    if isinstance(value, (int, float)):
        return arb(value)
    ratio = as_fraction(value)
    return arb(fmpq(ratio.numerator, ratio.denominator))


def _array(result: Any) -> _Balls:
    """NumPy gives an element, not an array, where the result has no axes."""
    return np.asarray(result, dtype=object)


def _each(function: Callable[..., arb], arguments: int = 1) -> Callable[..., _Balls]:
    elementwise: Callable[..., _Balls] = np.frompyfunc(function, arguments, 1)
    return elementwise


_upper, _numbers = _each(arb.upper), _each(_number)


# --------------------------------------------------------------------------------------------------------------- rules

_NARROW = arb(2) ** -24
"""Up to this radius Arb's own value of a function is as good as its two ends: what they differ by is of second order,
except that some formulas use their argument twice, and then forget that both are the same number."""


def _rising(function: Callable[[arb], arb]) -> Callable[[arb], arb]:
    """The range of a function that rises everywhere: of a wide ball, from one end to the other."""

    def of(z: arb) -> arb:
        return function(z) if z.rad() < _NARROW else function(z.lower()).union(function(z.upper()))

    return of


def _expit(z: arb) -> arb:
    """1/(1 + exp(−z)), on the side of zero where the exponential does not overflow."""
    if z.mid() > 0:
        return 1 / (1 + (-z).exp())
    e = z.exp()
    return e / (1 + e)


def _softplus(z: arb) -> arb:
    """max(z, 0) + log1p(exp(−|z|)), on the side of zero where the midpoint is."""
    return z + (-z).exp().log1p() if z.mid() > 0 else z.exp().log1p()


def _summit(function: Callable[[arb], arb]) -> Callable[[arb], arb]:
    """The range of an even function that falls with |z|: of a wide ball, from its point next to 0 to the farthest."""

    def of(z: arb) -> arb:
        return function(z) if z.rad() < _NARROW else function(z.abs_lower()).union(function(z.abs_upper()))

    return of


def _falling(function: Callable[[arb], arb]) -> Callable[[arb], arb]:
    rising = _rising(lambda z: -function(z))
    return lambda z: -rising(z)


def _where_positive(z: arb, a: arb, b: arb) -> arb:
    """What is chosen; where the sign is not known, the least ball that holds both."""
    if z > 0:
        return a
    return b if z <= 0 else a.union(b)


def _log_softmax(z: _Balls) -> _Balls:
    """log p = d − log1p(Σ exp(d)), where d is z less the largest of its row, whose own term log1p adds."""
    largest = np.arange(len(z)), np.argmax(z.astype(np.float64), axis=1)
    d = z - z[largest][:, np.newaxis]
    d[largest] = arb(0)
    e = _exp(d)
    e[largest] = arb(0)
    return _array(d - _log1p(np.add.reduce(e, axis=1, keepdims=True)))


def _log1p_of_sum(z: arb) -> arb:
    """log(1 + z) for a sum of exponentials, which is never negative, though a wide ball around it may reach below 0."""
    if z.rad() < _NARROW:
        return z.log1p()
    return (z.lower().log1p() if z > 0 else arb(0)).union(z.upper().log1p())


_exp, _log1p = _each(_rising(arb.exp)), _each(_log1p_of_sum)


def _matrix(a: _Balls) -> arb_mat:
    rows, columns = a.shape
    return arb_mat(rows, columns, a.ravel().tolist())


def _matmul(a: _Balls, b: _Balls) -> _Balls:
    if a.ndim != 2 or b.ndim != 2:
        return _array(np.matmul(a, b))
    product = _matrix(a) * _matrix(b)
    return np.fromiter(product.entries(), object, a.shape[0] * b.shape[1]).reshape(a.shape[0], b.shape[1])


def _on(function: Callable[..., Any]) -> Callable[..., BallArray]:
    """The rule that applies a function of arrays of balls."""

    def rule(*arguments: Any) -> BallArray:
        return BallArray(_array(function(*(a.elements if isinstance(a, BallArray) else a for a in arguments))))

    return rule


_FUNCTIONS = {
    np.exp: _rising(arb.exp),
    np.expm1: _rising(arb.expm1),
    np.log: _rising(arb.log),
    np.sqrt: _rising(arb.sqrt),
    np.tanh: _rising(arb.tanh),
    arrays.expit: _rising(_expit),
    arrays.softplus: _rising(_softplus),
    arrays.log_expit: _rising(lambda z: -_softplus(-z)),
    arrays.erfc: _falling(arb.erfc),
    arrays.sech_squared: _summit(lambda z: z.sech() ** 2),
    arrays.expit_slope: _summit(lambda z: (z / 2).sech() ** 2 / 4),
    arrays.tanh_step: _rising(lambda z: _expit(2 * z)),
}

_MOVES = (arrays.transpose, arrays.reshape, arrays.join, arrays.rows)

BallArray.rules = {
    **{f: _on(f) for f in (np.negative, np.add, np.subtract, np.multiply, np.divide)},
    np.matmul: _on(_matmul),
    **{f: _on(_each(of_ball)) for f, of_ball in _FUNCTIONS.items()},
    np.maximum: _on(_each(arb.max, 2)),
    np.minimum: _on(_each(arb.min, 2)),
    arrays.log_softmax: _on(_log_softmax),
    arrays.where_positive: _on(_each(_where_positive, 3)),
    arrays.within: lambda z, limit: z,
    arrays.total: _on(lambda z: np.add.reduce(z, axis=None)),
    arrays.row_sums: _on(lambda z: np.add.reduce(z, axis=1, keepdims=True)),
    arrays.column_sums: _on(lambda z: np.add.reduce(z, axis=0)),
    arrays.split: lambda z, places: list(map(BallArray, arrays.split(z.elements, places))),
    **{f: _on(f) for f in _MOVES},
}
