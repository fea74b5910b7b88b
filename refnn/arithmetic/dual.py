"""Dual numbers: a value and a tangent, over any arithmetic; forward-mode differentiation.

With w = value + ε·tangent and ε² = 0, every f(w) is f(value) + ε·f′(value)·tangent. Running the network on a
`DualArray` gives the directional derivative of its loss; running its backward pass gives the Hessian times the tangent.
The table below states the derivative of every operation; none of the formulas of the backward pass are used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Generic, cast, final

import numpy as np

from refnn import arrays
from refnn.arrays import (
    A,
    Arithmetic,
    Root,
    Rules,
    constant,
    exp,
    expit,
    expit_slope,
    sech_squared,
    tanh,
    where_positive,
)

__all__ = ["SLOPES", "DualArray", "log_softmax_slope"]

_TWO_OVER_SQRT_PI = Root(Fraction(4), pi_power=-1)

SLOPES: dict[Any, Callable[[Any, Any], Any]] = {
    np.exp: lambda z, f: f,
    np.expm1: lambda z, f: exp(z),
    np.log: lambda z, f: 1 / z,
    np.sqrt: lambda z, f: 1 / (2 * f),
    np.tanh: lambda z, f: sech_squared(z),
    arrays.sech_squared: lambda z, f: -2 * tanh(z) * f,
    arrays.expit: lambda z, f: expit_slope(z),
    arrays.expit_slope: lambda z, f: -tanh(z / 2) * f,
    arrays.tanh_step: lambda z, f: sech_squared(z) / 2,
    arrays.softplus: lambda z, f: expit(z),
    arrays.log_expit: lambda z, f: expit(-z),
    arrays.erfc: lambda z, f: -constant(z, _TWO_OVER_SQRT_PI) * exp(-arrays.within(z, 100) * arrays.within(z, 100)),
}
"""The derivative of each smooth function of one element, from z and f(z)."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class DualArray(Arithmetic, Generic[A]):
    """Values with tangents.

    Parameters
    ----------
    value, tangent
        Two arrays of one shape, of any arithmetic.

    Examples
    --------
    The derivative of L along v, and the Hessian times v:

    >>> import numpy as np, refnn
    >>> from refnn.arithmetic.dual import DualArray
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> w, v = np.array([2.0, 1.0]), np.array([1.0, 0.0])
    >>> loss, gradient = network.loss_and_gradient(DualArray(w, v), [[3.0]], [[5.0]])
    >>> float(loss.tangent), gradient.tangent
    (6.0, array([9., 3.]))
    """

    value: A
    tangent: A
    rules: ClassVar[Rules] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return self.value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the value."""
        return cast(np.dtype[Any], cast(Any, self.value).dtype)

    @property
    def depth(self) -> int:
        """One more than that of the value."""
        return 1 + self.value.depth if isinstance(self.value, Arithmetic) else 1

    def lift(self, value: Any) -> DualArray[A]:
        """A constant: its tangent is zero."""
        constant_value = constant(self.value, value)
        return DualArray(constant_value, 0 * constant_value)


def _unary(function: Any, slope: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def rule(z: DualArray[Any]) -> DualArray[Any]:
        f = function(z.value)
        return DualArray(f, slope(z.value, f) * z.tangent)

    return rule


def _linear(operation: Any) -> Callable[..., Any]:
    """An operation that sums or moves elements does the same to the tangents."""

    def rule(z: DualArray[Any], *rest: Any) -> DualArray[Any]:
        return DualArray(operation(z.value, *rest), operation(z.tangent, *rest))

    return rule


def _divide(a: DualArray[Any], b: DualArray[Any]) -> DualArray[Any]:
    quotient = a.value / b.value
    return DualArray(quotient, (a.tangent - quotient * b.tangent) / b.value)


def _where_positive(z: DualArray[Any], a: DualArray[Any], b: DualArray[Any]) -> DualArray[Any]:
    return DualArray(where_positive(z.value, a.value, b.value), where_positive(z.value, a.tangent, b.tangent))


def _maximum(a: DualArray[Any], b: DualArray[Any]) -> DualArray[Any]:
    return DualArray(arrays.maximum(a.value, b.value), where_positive(a.value - b.value, a.tangent, b.tangent))


def _minimum(a: DualArray[Any], b: DualArray[Any]) -> DualArray[Any]:
    return DualArray(arrays.minimum(a.value, b.value), where_positive(a.value - b.value, b.tangent, a.tangent))


def log_softmax_slope(p: A, tangent: A) -> A:
    """The derivative of log p for p = softmax(z) along a tangent of z: t_c − Σₖ pₖ tₖ = Σ_{k≠c} pₖ (t_c − tₖ).

    The second form says the same, for Σ p = 1, and does not cancel where one class has nearly all.
    """
    others = constant(p, 1 - np.eye(p.shape[1]))
    return tangent * (p @ others) - (p * tangent) @ others


def _log_softmax(z: DualArray[Any]) -> DualArray[Any]:
    f = arrays.log_softmax(z.value)
    return DualArray(f, log_softmax_slope(exp(f), z.tangent))


def _within(z: DualArray[Any], limit: int) -> DualArray[Any]:
    return DualArray(arrays.within(z.value, limit), z.tangent)


def _split(z: DualArray[Any], places: Any) -> list[DualArray[Any]]:
    return list(map(DualArray, arrays.split(z.value, places), arrays.split(z.tangent, places)))


def _join(*blocks: DualArray[Any]) -> DualArray[Any]:
    return DualArray(arrays.join(*(b.value for b in blocks)), arrays.join(*(b.tangent for b in blocks)))


DualArray.rules = {
    np.negative: lambda a: DualArray(-a.value, -a.tangent),
    np.add: lambda a, b: DualArray(a.value + b.value, a.tangent + b.tangent),
    np.subtract: lambda a, b: DualArray(a.value - b.value, a.tangent - b.tangent),
    np.multiply: lambda a, b: DualArray(a.value * b.value, a.tangent * b.value + a.value * b.tangent),
    np.divide: _divide,
    np.matmul: lambda a, b: DualArray(a.value @ b.value, a.tangent @ b.value + a.value @ b.tangent),
    np.maximum: _maximum,
    np.minimum: _minimum,
    arrays.where_positive: _where_positive,
    arrays.log_softmax: _log_softmax,
    arrays.within: _within,
    arrays.split: _split,
    arrays.join: _join,
    **{f: _unary(f, slope) for f, slope in SLOPES.items()},
    **{
        f: _linear(f)
        for f in (arrays.total, arrays.row_sums, arrays.column_sums, arrays.transpose, arrays.reshape, arrays.rows)
    },
}
