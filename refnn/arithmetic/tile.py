"""Tiles: functions of one real variable on a segment, enclosed by their values at both ends and by their slope.

An element of a `TileArray` is a continuous function f of t on [0, h]: balls around f(0) and f(h), and a ball that holds
f′(t) for almost every t between. These say more than a ball around all values: where the slope has one sign, the range
of f is what lies between its ends, and elsewhere the lines of extreme slope through each end bound it to second order
in h (Moore, Kearfott, Cloud, "Introduction to Interval Analysis", SIAM 2009, chapter 6, on mean value forms). Running
the network on w − t·g gives the loss along a step, with a slope that is proven.

Kinks need no care: every composition of continuous and piecewise smooth layers is absolutely continuous, so that
f(t) = f(0) + ∫f′, and what f′ is on a set of measure zero does not count. Where a unit may stand on either side of its
kink, its slope is enclosed on both sides: that is Clarke's generalised gradient, and the mean value theorem of Lebourg
holds for it (Clarke, "Optimization and Nonsmooth Analysis", 1983, theorem 2.3.7). A layer that jumps is not for tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, final

import numpy as np

from refnn import arrays
from refnn.arithmetic.ball import BallArray, arb
from refnn.arithmetic.dual import SLOPES, log_softmax_slope
from refnn.arrays import Arithmetic, Rules, constant, exp, log_softmax, where_positive

__all__ = ["TileArray"]


@final
@dataclass(frozen=True, eq=False)
class TileArray(Arithmetic):
    """An array of functions of t on [0, length].

    Parameters
    ----------
    start, end
        Their values at 0 and at `length`.
    slope
        Their derivatives, at almost every t between; None if they are constants.
    length : ()
        The length of the segment.
    around
        Balls that are known to hold all their values; None if nothing is known but the above.

    Examples
    --------
    The slope of t(1 − t) on [0, 1] is 1 − 2t, within [−1, 1], which with 0 at both ends says that the values are within
    [−½, ½]:

    >>> import numpy as np
    >>> from refnn.arithmetic.ball import BallArray, working_precision
    >>> from refnn.arithmetic.tile import TileArray
    >>> zero, one = BallArray.exact(np.array(0.0)), BallArray.exact(np.array(1.0))
    >>> with working_precision(64):
    ...     t = TileArray(zero, one, one, one)
    ...     f = t * (1 - t)
    >>> print(f.start.text(), f.end.text(), f.slope.text(2), f.whole.text(2))
    0 0 [+/- 1.01] [+/- 0.501]
    """

    start: BallArray
    end: BallArray
    slope: BallArray | None
    length: BallArray
    around: BallArray | None = None
    rules: ClassVar[Rules] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.start.shape

    @property
    def depth(self) -> int:
        """Its elements are made of balls."""
        return 1

    def lift(self, value: Any) -> TileArray:
        """A constant."""
        number = constant(self.start, value)
        return TileArray(number, number, None, self.length)

    @cached_property
    def whole(self) -> BallArray:
        """For each function, a ball around all its values."""
        if self.around is not None:
            return self.around
        if self.slope is None:
            return self.start
        return _ball(_range, self.start, self.end, self.slope, self.length)

    @property
    def moving(self) -> BallArray:
        """The slope, with zeros for None."""
        return BallArray.exact(np.zeros(self.shape)) if self.slope is None else self.slope

    @cached_property
    def side(self) -> BallArray:
        """For each function, 1 if it is positive between the ends, 0 if it never is, and a ball of both if it may be.

        At one end it may be zero, for a point does not count: then its slope tells where it goes.
        """
        return _ball(_side, self.start, self.end, self.moving, self.whole)


def _ball(function: Callable[..., arb], *arguments: BallArray) -> BallArray:
    """A function of balls, element by element."""
    return BallArray(np.asarray(np.frompyfunc(function, len(arguments), 1)(*(a.elements for a in arguments)), object))


def _range(start: arb, end: arb, slope: arb, length: arb) -> arb:
    """All values of a function with these values at its ends, and this slope between.

    If the slope may have either sign, the line of its largest value upwards from the start and the line of its least
    value to the end meet above all values; and with the two exchanged, below.
    """
    least, largest = slope.lower(), slope.upper()
    if least >= 0 or largest <= 0:
        return start.union(end)
    drop, spread = least * largest * length, largest - least
    return ((largest * end - least * start - drop) / spread).union((largest * start - least * end + drop) / spread)


_BOTH = arb(0).union(1)


def _side(start: arb, end: arb, slope: arb, whole: arb) -> arb:
    if whole > 0 or (start >= 0 and slope > 0) or (end >= 0 and slope < 0):
        return arb(1)
    if whole <= 0 or (start <= 0 and slope <= 0) or (end <= 0 and slope >= 0):
        return arb(0)
    return _BOTH


# --------------------------------------------------------------------------------------------------------------- rules


def _sum(*slopes: BallArray | None) -> BallArray | None:
    """The sum of slopes, where that of a constant is None."""
    moving = [slope for slope in slopes if slope is not None]
    return sum(moving[1:], moving[0]) if moving else None


def _tile(operation: Any, slope: BallArray | None, *arguments: TileArray) -> TileArray:
    """The values of an operation at both ends, with the slope that its rule has found."""
    start, end = operation(*(a.start for a in arguments)), operation(*(a.end for a in arguments))
    if slope is not None and slope.shape != start.shape:  # of a function and a constant of more elements
        slope = BallArray(np.broadcast_to(slope.elements, start.shape))
    return TileArray(start, end, slope, arguments[0].length)


def _add(a: TileArray, b: TileArray) -> TileArray:
    return _tile(np.add, _sum(a.slope, b.slope), a, b)


def _subtract(a: TileArray, b: TileArray) -> TileArray:
    return _tile(np.subtract, _sum(a.slope, None if b.slope is None else -b.slope), a, b)


def _product(operation: Any) -> Callable[[TileArray, TileArray], TileArray]:
    """(f·g)′ = f′·g + f·g′."""

    def rule(a: TileArray, b: TileArray) -> TileArray:
        left = None if a.slope is None else operation(a.slope, b.whole)
        right = None if b.slope is None else operation(a.whole, b.slope)
        return _tile(operation, _sum(left, right), a, b)

    return rule


def _divide(a: TileArray, b: TileArray) -> TileArray:
    """(f/g)′ = (f′ − (f/g)·g′)/g."""
    turning = None if b.slope is None else -(a.whole / b.whole) * b.slope
    slope = _sum(a.slope, turning)
    return _tile(np.divide, None if slope is None else slope / b.whole, a, b)


def _smooth(function: Any, derivative: Callable[[Any, Any], Any]) -> Callable[[TileArray], TileArray]:
    """f(g)′ = f′(g)·g′; and f of the ball around g is one around f(g)."""

    def rule(z: TileArray) -> TileArray:
        around = function(z.whole)
        slope = None if z.slope is None else derivative(z.whole, around) * z.slope
        return TileArray(function(z.start), function(z.end), slope, z.length, around)

    return rule


def _linear(operation: Any) -> Callable[..., TileArray]:
    """An operation that sums or moves elements does the same to the slopes."""

    def rule(z: TileArray, *rest: Any) -> TileArray:
        slope = None if z.slope is None else operation(z.slope, *rest)
        return TileArray(operation(z.start, *rest), operation(z.end, *rest), slope, z.length)

    return rule


def _where_positive(z: TileArray, a: TileArray, b: TileArray) -> TileArray:
    return _tile(where_positive, where_positive(z.side, a.moving, b.moving), z, a, b)


def _maximum(a: TileArray, b: TileArray) -> TileArray:
    return _tile(arrays.maximum, where_positive(_subtract(a, b).side, a.moving, b.moving), a, b)


def _minimum(a: TileArray, b: TileArray) -> TileArray:
    return _tile(arrays.minimum, where_positive(_subtract(a, b).side, b.moving, a.moving), a, b)


def _log_softmax(z: TileArray) -> TileArray:
    slope = None if z.slope is None else log_softmax_slope(exp(log_softmax(z.whole)), z.slope)
    return _tile(log_softmax, slope, z)


def _split(z: TileArray, places: Any) -> list[TileArray]:
    starts, ends, slopes = (arrays.split(part, places) for part in (z.start, z.end, z.moving))
    return [TileArray(start, end, slope, z.length) for start, end, slope in zip(starts, ends, slopes, strict=True)]


def _join(*blocks: TileArray) -> TileArray:
    return _tile(arrays.join, arrays.join(*(block.moving for block in blocks)), *blocks)


_MOVES = (arrays.total, arrays.row_sums, arrays.column_sums, arrays.transpose, arrays.reshape, arrays.rows)

TileArray.rules = {
    np.negative: _linear(np.negative),
    np.add: _add,
    np.subtract: _subtract,
    np.multiply: _product(np.multiply),
    np.divide: _divide,
    np.matmul: _product(np.matmul),
    np.maximum: _maximum,
    np.minimum: _minimum,
    arrays.where_positive: _where_positive,
    arrays.log_softmax: _log_softmax,
    arrays.within: lambda z, limit: z,
    arrays.split: _split,
    arrays.join: _join,
    **{f: _smooth(f, derivative) for f, derivative in SLOPES.items()},
    **{f: _linear(f) for f in _MOVES},
}
