"""Complex numbers: the complex-step derivative, which subtracts nothing and so cancels nothing.

For an analytic f and a tiny h, f(w + ihv) = f(w) + ih f′(w)v − …, so the derivative along v is Im f(w + ihv)/h, exact
to rounding once h² is below the unit roundoff (Squire, Trapp, "Using Complex Variables to Estimate Derivatives of Real
Functions", SIAM Review 40 (1998), 110–112). Every operation is the analytic function itself, on complex128; kinks are
decided by the real part. The exception is `erfc`, which neither NumPy nor the C library has for complex numbers: it is
its Taylor polynomial in the imaginary part, so the complex step does not test the derivative of erfc.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from refnn import arrays
from refnn.arrays import Arithmetic, Rules

__all__ = ["ComplexArray"]

_Complex: TypeAlias = NDArray[np.complex128]


@final
@dataclass(frozen=True, slots=True, eq=False)
class ComplexArray(Arithmetic):
    """An array of complex numbers whose imaginary parts carry a derivative.

    Parameters
    ----------
    elements
        A complex128 array; imaginary parts are meant to be tiny (1e-30, say).

    Examples
    --------
    >>> import numpy as np, refnn
    >>> from refnn.arithmetic.complex import ComplexArray
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> w = ComplexArray(np.array([2.0 + 1e-30j, 1.0]))
    >>> float(network.loss(w, [[3.0]], [[5.0]]).elements.imag / 1e-30)
    6.0
    """

    elements: _Complex
    rules: ClassVar[Rules] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.elements.shape

    def lift(self, value: Any) -> ComplexArray:
        """A constant: its imaginary part is zero."""
        return ComplexArray(np.asarray(value if isinstance(value, np.ndarray) else float(value), dtype=np.complex128))


def _on(function: Callable[..., Any]) -> Callable[..., ComplexArray]:
    """The rule that applies a function of complex arrays."""

    def rule(*arguments: Any) -> ComplexArray:
        return ComplexArray(
            np.asarray(function(*(a.elements if isinstance(a, ComplexArray) else a for a in arguments)))
        )

    return rule


def _folded(z: _Complex) -> tuple[NDArray[np.bool_], _Complex]:
    """Where Re z ≥ 0, and exp(∓z), which does not overflow there."""
    right = z.real >= 0
    return right, np.exp(np.where(right, -z, z))


def _expit(z: _Complex) -> _Complex:
    right, e = _folded(z)
    return np.where(right, 1, e) / (1 + e)


def _sech_squared(z: _Complex) -> _Complex:
    _, e = _folded(z)
    near = np.abs(z.real) < 1  # where a sum with e would drown the derivative, but cosh is small
    sech = np.where(near, 1 / np.cosh(np.where(near, z, 0)), 2 * e / (1 + e * e))
    return sech * sech


def _softplus(z: _Complex) -> _Complex:
    right, e = _folded(z)
    return np.where(right, z, 0) + _log1p(e)


def _log1p(e: _Complex) -> _Complex:
    """log(1 + e): NumPy's complex log1p loses the digits of a small real part, so that is taken apart."""
    return 0.5 * np.log1p(e.real * (2 + e.real) + e.imag**2) + 1j * np.arctan2(e.imag, 1 + e.real)


def _erfc(z: _Complex) -> _Complex:
    x = np.clip(z.real, -100, 100)
    slope = -2 / math.sqrt(math.pi) * np.exp(-(x * x))
    return arrays.erfc(z.real) + 1j * slope * z.imag


def _log_softmax(z: _Complex) -> _Complex:
    largest = np.arange(len(z)), np.argmax(z.real, axis=1)
    d: _Complex = z - z[largest][:, np.newaxis]
    e = np.exp(d)
    e[largest] = 0
    log_p: _Complex = d - _log1p(e.sum(axis=1, keepdims=True))
    return log_p


def _where_positive(z: _Complex, a: _Complex, b: _Complex) -> _Complex:
    return np.where(z.real > 0, a, b)


def _within(z: _Complex, limit: int) -> _Complex:
    return np.clip(z.real, -limit, limit) + 1j * z.imag


_MOVES = (arrays.total, arrays.row_sums, arrays.column_sums, arrays.transpose, arrays.reshape, arrays.join, arrays.rows)

ComplexArray.rules = {
    **{f: _on(f) for f in (np.negative, np.add, np.subtract, np.multiply, np.divide, np.matmul)},
    **{f: _on(f) for f in (np.exp, np.expm1, np.log, np.sqrt, np.tanh)},
    arrays.split: lambda z, places: list(map(ComplexArray, arrays.split(z.elements, places))),
    arrays.expit: _on(_expit),
    arrays.expit_slope: _on(lambda z: _sech_squared(z / 2) / 4),
    arrays.tanh_step: _on(lambda z: _expit(2 * z)),
    arrays.sech_squared: _on(_sech_squared),
    arrays.softplus: _on(_softplus),
    arrays.log_expit: _on(lambda z: -_softplus(-z)),
    arrays.erfc: _on(_erfc),
    arrays.log_softmax: _on(_log_softmax),
    np.maximum: _on(lambda a, b: _where_positive(a - b, a, b)),
    np.minimum: _on(lambda a, b: _where_positive(a - b, b, a)),
    arrays.where_positive: _on(_where_positive),
    arrays.within: _on(_within),
    **{f: _on(f) for f in _MOVES},
}
