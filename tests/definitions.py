"""The textbook's definitions at 60 digits, to hold the core against; no line is shared with it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeAlias

import mpmath
import numpy as np

from refnn.activations import (
    ELU,
    GELU,
    Activation,
    GELUTanh,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)

M = mpmath.mp.clone()
M.dps = 60

Real: TypeAlias = Any
"""A number of mpmath, which ships no types."""


def exact(value: float | Fraction | np.floating[Any]) -> Real:
    """A float as the real number that it is; a fraction to 60 digits."""
    if isinstance(value, Fraction):
        return M.mpf(value.numerator) / value.denominator
    return M.mpf(float(value))


def outside(values: Any, true: Any, allowed: Any) -> list[str]:
    """Where a value is further from the truth than allowed; the number of mpmath decides, not a float."""
    triples = zip(*(np.ravel(part).tolist() for part in (values, true, allowed)), strict=True)
    return [
        f"[{k}]: {v!r} for {M.nstr(t, 20)}, allowed {e}"
        for k, (v, t, e) in enumerate(triples)
        if not abs(M.mpf(v) - t) <= e
    ]


PARTS = 10
"""A complex operation errs at most by √2 γ₇ < 10 u (Higham 2002, lemma 3.5) where a real one errs by u; with a tiny
imaginary part each part errs like the value and the tangent of a dual number."""


# ----------------------------------------------------------------------------------------------------------- functions


def sigmoid(z: Real) -> Real:
    return 1 / (1 + M.exp(-z))


def sigmoid_slope(z: Real) -> Real:
    return sigmoid(z) * sigmoid(-z)


def softplus(z: Real) -> Real:
    """log(1 + exp z); beyond 0 as z + log(1 + exp(−z)), because 60 digits do not hold 1 + exp(−800)."""
    return z + M.log1p(M.exp(-z)) if z > 0 else M.log1p(M.exp(z))


def density(z: Real) -> Real:
    return M.exp(-z * z / 2) / M.sqrt(2 * M.pi)


def distribution(z: Real) -> Real:
    """Φ(z); far in the left tail its first asymptotic term, which is wrong by 1/z² of itself."""
    return density(z) / -z if z < -(M.mpf(10) ** 20) else M.erfc(-z / M.sqrt(2)) / 2


def cubic(z: Real) -> Real:
    return M.sqrt(2 / M.pi) * (z + M.mpf(44715) / 1000000 * z**3)


def cubic_slope(z: Real) -> Real:
    return M.sqrt(2 / M.pi) * (1 + 3 * M.mpf(44715) / 1000000 * z**2)


Pair: TypeAlias = tuple[Callable[[Real], Real], Callable[[Real], Real]]

ACTIVATIONS: dict[type[Activation], Callable[[Any], Pair]] = {
    Identity: lambda a: (lambda z: z, lambda z: M.mpf(1)),
    Sigmoid: lambda a: (sigmoid, sigmoid_slope),
    Tanh: lambda a: (M.tanh, lambda z: 4 * sigmoid_slope(2 * z)),
    ReLU: lambda a: (lambda z: max(z, M.mpf(0)), lambda z: M.mpf(z > 0)),
    LeakyReLU: lambda a: (
        lambda z: z if z > 0 else exact(a.slope) * z,
        lambda z: M.mpf(1) if z > 0 else exact(a.slope),
    ),
    ELU: lambda a: (
        lambda z: z if z > 0 else exact(a.alpha) * M.expm1(z),
        lambda z: M.mpf(1) if z > 0 else exact(a.alpha) * M.exp(z),
    ),
    Softplus: lambda a: (softplus, sigmoid),
    SiLU: lambda a: (lambda z: z * sigmoid(z), lambda z: sigmoid(z) + z * sigmoid_slope(z)),
    GELU: lambda a: (lambda z: z * distribution(z), lambda z: distribution(z) + z * density(z)),
    GELUTanh: lambda a: (  # ½ (1 + tanh u) is σ(2u)
        lambda z: z * sigmoid(2 * cubic(z)),
        lambda z: sigmoid(2 * cubic(z)) + 2 * z * sigmoid_slope(2 * cubic(z)) * cubic_slope(z),
    ),
}
"""For an instance of each activation: f and f′, at a kink as the activation's docstring says."""


# -------------------------------------------------------------------------------------------------------------- losses


def log_softmax(z: list[Real]) -> list[Real]:
    """log(exp(z_c)/Σ_k exp(z_k)); the largest term is taken out, so that log1p keeps what 60 digits would not."""
    top = max(range(len(z)), key=lambda c: z[c])
    rest = M.log1p(M.fsum(M.exp(z[c] - z[top]) for c in range(len(z)) if c != top))
    return [v - z[top] - rest for v in z]


def softmax(z: list[Real]) -> list[Real]:
    return [M.exp(v) for v in log_softmax(z)]


def huber(r: Real, delta: Real) -> Real:
    return r * r / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2)
