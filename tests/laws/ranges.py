"""Ranges of values, for bounds that hold over a whole segment: one more arithmetic, which the laws need.

A `Range` stands for every number from middle − radius to middle + radius. Running the network on it encloses the loss
at every point of a box of parameters; on dual numbers of dual numbers of ranges, the second derivative along a line at
every point of a segment (Moore, Kearfott, Cloud, "Introduction to Interval Analysis", SIAM 2009, chapters 2 and 6).
Every rule widens its result by what its own rounding may be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from refnn import arrays
from refnn.arrays import Arithmetic, FloatArray, Rules

EPS = float(np.finfo(np.float64).eps)
FUNCTION_ULPS = 16  # NumPy states at most 4 for its functions; softplus and log_softmax are made of a few of them


class KinkError(ArithmeticError):
    """A range has a kink inside, where the function has no derivative."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Range(Arithmetic):
    """All arrays whose elements are within `radius` of `middle`."""

    middle: FloatArray
    radius: FloatArray
    rules: ClassVar[Rules] = {}

    @classmethod
    def exact(cls, value: FloatArray) -> Range:
        return cls(value, np.zeros(np.shape(value)))

    @classmethod
    def between(cls, low: FloatArray, high: FloatArray, ulps: float = 1) -> Range:
        """All numbers from `low` to `high`, which were computed to within so many units in the last place."""
        own = ulps * EPS * np.maximum(np.abs(low), np.abs(high))
        return cls(np.asarray(low / 2 + high / 2), np.asarray((high / 2 - low / 2) + own))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.middle.shape

    @property
    def low(self) -> FloatArray:
        return self.middle - self.radius

    @property
    def high(self) -> FloatArray:
        return self.middle + self.radius

    @property
    def largest(self) -> float:
        """The largest magnitude of any element."""
        return float(np.max(np.abs(self.middle) + self.radius))

    def lift(self, value: Any) -> Range:
        array = np.asarray(value if isinstance(value, np.ndarray) else float(value), dtype=np.float64)
        rounded = not isinstance(value, (int, float, np.ndarray))
        return Range(array, rounded * EPS * np.abs(array))


def _outward(middle: FloatArray, radius: FloatArray, magnitude: FloatArray, roundings: float = 1) -> Range:
    """A result that was rounded so often in numbers up to `magnitude`; the radius is rounded too."""
    return Range(np.asarray(middle), np.asarray((1 + 8 * EPS) * (radius + roundings * EPS * magnitude)))


def _add(a: Range, b: Range) -> Range:
    middle = a.middle + b.middle
    return _outward(middle, a.radius + b.radius, np.abs(middle))


def _product(operation: Callable[[Any, Any], Any], a: Range, b: Range, roundings: float) -> Range:
    """|(m + δ)(n + ε) − mn| ≤ |m||ε| + |δ|(|n| + |ε|)."""
    size_a, size_b = np.abs(a.middle), np.abs(b.middle)
    radius = operation(size_a, b.radius) + operation(a.radius, size_b + b.radius)
    return _outward(operation(a.middle, b.middle), radius, operation(size_a, size_b) + radius, roundings)


def _multiply(a: Range, b: Range) -> Range:
    return _product(np.multiply, a, b, 1)


def _divide(a: Range, b: Range) -> Range:
    if np.any((b.low <= 0) & (b.high >= 0)):
        raise ZeroDivisionError
    return _multiply(a, Range.between(1 / b.high, 1 / b.low))


def _rising(function: Callable[[Any], Any]) -> Callable[[Range], Range]:
    """The rule of a function that rises everywhere: its range is from one end to the other."""
    return lambda z: Range.between(function(z.low), function(z.high), FUNCTION_ULPS)


def _erfc(z: Range) -> Range:
    return Range.between(arrays.erfc(z.high), arrays.erfc(z.low), FUNCTION_ULPS)


def _summit(function: Callable[[Any], Any]) -> Callable[[Range], Range]:
    """The rule of an even function that falls with |z|: its range is from the farthest point to that next to 0."""

    def rule(z: Range) -> Range:
        nearest = np.maximum(np.maximum(z.low, -z.high), 0)
        farthest = np.maximum(np.abs(z.low), np.abs(z.high))
        return Range.between(function(farthest), function(nearest), FUNCTION_ULPS)

    return rule


def _log_softmax(z: Range) -> Range:
    """log p of a class rises with its own logit and falls with every other."""
    classes = range(z.shape[1])

    def extreme(own: FloatArray, others: FloatArray) -> FloatArray:
        columns = [arrays.log_softmax(np.where(np.arange(len(classes)) == c, own, others))[:, c] for c in classes]
        return np.stack(columns, axis=1)

    low, high = extreme(z.low, z.high), extreme(z.high, z.low)
    spread = np.max(np.abs(z.middle) + z.radius, axis=1, keepdims=True)  # the rounding of the differences of logits
    return Range(low / 2 + high / 2, (high / 2 - low / 2) + FUNCTION_ULPS * EPS * (spread + np.abs(low)))


def _where_positive(z: Range, a: Range, b: Range) -> Range:
    differ = (a.middle != b.middle) | (a.radius != 0) | (b.radius != 0)
    if np.any((z.low <= 0) & (z.high > 0) & differ):
        raise KinkError
    positive = z.low > 0
    return Range(np.where(positive, a.middle, b.middle), np.where(positive, a.radius, b.radius))


def _larger(operation: Any) -> Callable[[Range, Range], Range]:
    """Maximum and minimum rise with both arguments."""
    return lambda a, b: Range.between(operation(a.low, b.low), operation(a.high, b.high))


def _within(z: Range, limit: int) -> Range:
    return Range.between(arrays.within(z.low, limit), arrays.within(z.high, limit))


def _sum(operation: Any) -> Callable[[Range], Range]:
    def rule(z: Range) -> Range:
        magnitude = operation(np.abs(z.middle) + z.radius)
        return _outward(operation(z.middle), operation(z.radius), magnitude, z.middle.size)

    return rule


def _moves(operation: Any) -> Callable[..., Range]:
    return lambda z, *rest: Range(operation(z.middle, *rest), operation(z.radius, *rest))


def _join(*blocks: Range) -> Range:
    return Range(arrays.join(*(b.middle for b in blocks)), arrays.join(*(b.radius for b in blocks)))


def _split(z: Range, places: Any) -> list[Range]:
    return list(map(Range, arrays.split(z.middle, places), arrays.split(z.radius, places)))


Range.rules = {
    np.negative: lambda a: Range(-a.middle, a.radius),
    np.add: _add,
    np.subtract: lambda a, b: _add(a, Range(-b.middle, b.radius)),
    np.multiply: _multiply,
    np.divide: _divide,
    np.matmul: lambda a, b: _product(np.matmul, a, b, a.shape[1]),
    np.maximum: _larger(np.maximum),
    np.minimum: _larger(np.minimum),
    arrays.where_positive: _where_positive,
    arrays.erfc: _erfc,
    arrays.log_softmax: _log_softmax,
    arrays.within: _within,
    arrays.join: _join,
    arrays.split: _split,
    **{f: _rising(f) for f in (np.exp, np.expm1, np.log, np.sqrt, np.tanh)},
    **{f: _rising(f) for f in (arrays.expit, arrays.tanh_step, arrays.softplus, arrays.log_expit)},
    **{f: _summit(f) for f in (arrays.sech_squared, arrays.expit_slope)},
    **{f: _sum(f) for f in (arrays.total, arrays.row_sums, arrays.column_sums)},
    **{f: _moves(f) for f in (arrays.transpose, arrays.reshape)},
}
