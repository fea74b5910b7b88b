"""Activations: each is the formula, and its derivative directly below it.

Every activation acts on each element alone. Its derivative is written in terms of the input z, not of the output: the
output of a saturated unit has forgotten the tail that the derivative is made of (tanh(20) is 1 to all digits, and
1 − 1² is 0, where sech²(20) is 1.7e-17).

The docstrings write f for the function and f′ for the derivative, and state what happens at kinks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import final

from refnn.arrays import (
    A,
    Root,
    constant,
    erfc,
    exp,
    expit,
    expit_slope,
    expm1,
    maximum,
    minimum,
    sech_squared,
    softplus,
    tanh,
    tanh_step,
    where_positive,
    within,
)
from refnn.checks import number

_SQRT_HALF = Root(Fraction(1, 2))
_SQRT_2_OVER_PI = Root(Fraction(2), pi_power=-1)
_SQRT_1_OVER_2PI = Root(Fraction(1, 2), pi_power=-1)
_CUBIC = Fraction(44715, 1_000_000)
_FAR = 100  # beyond ±100 both forms of GELU are 0 or z to all digits of any float format


class Activation(ABC):
    """The base of all activations: a `refnn.layers.Layer` without parameters."""

    __slots__ = ()

    @property
    def inputs(self) -> None:
        """Any width will do."""
        return

    @property
    def outputs(self) -> None:
        """As many as inputs."""
        return

    @property
    def kinks(self) -> tuple[int, ...]:
        """Where f has no derivative, whatever its parameters; nowhere, unless an activation says otherwise."""
        return ()

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """No parameters."""
        return {}

    @abstractmethod
    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """f(z), element by element."""

    @abstractmethod
    def derivative(self, z: A) -> A:
        """f′(z), element by element."""

    @final
    def backward(self, parameters: tuple[A, ...], z: A, delta: A) -> A:
        """The cotangent of the input: δ ∘ f′(z)."""
        return delta * self.derivative(z)

    @final
    def gradient(self, parameters: tuple[A, ...], z: A, delta: A) -> tuple[A, ...]:
        """No parameters, no gradients."""
        return ()


@final
@dataclass(frozen=True, slots=True)
class Identity(Activation):
    """f(z) = z."""

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """Return z."""
        return z

    def derivative(self, z: A) -> A:
        """f′(z) = 1."""
        return where_positive(z, 1, 1)


@final
@dataclass(frozen=True, slots=True)
class Sigmoid(Activation):
    """f(z) = 1/(1 + exp(−z)), the logistic function."""

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """f(z) = σ(z)."""
        return expit(z)

    def derivative(self, z: A) -> A:
        """f′(z) = σ(z) σ(−z) = ¼ sech²(z/2)."""
        return expit_slope(z)


@final
@dataclass(frozen=True, slots=True)
class Tanh(Activation):
    """f(z) = tanh(z)."""

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """f(z) = tanh(z)."""
        return tanh(z)

    def derivative(self, z: A) -> A:
        """f′(z) = 1 − tanh²(z) = sech²(z)."""
        return sech_squared(z)


@final
@dataclass(frozen=True, slots=True)
class ReLU(Activation):
    """f(z) = max(z, 0); at the kink z = 0 the derivative is taken as 0."""

    @property
    def kinks(self) -> tuple[int, ...]:
        """The kink at 0."""
        return (0,)

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """f(z) = max(z, 0)."""
        return maximum(z, 0)

    def derivative(self, z: A) -> A:
        """f′(z) = 1 for z > 0, else 0."""
        return where_positive(z, 1, 0)


@final
@dataclass(frozen=True, slots=True)
class LeakyReLU(Activation):
    """f(z) = z for z > 0, else slope·z; at the kink z = 0 the derivative is taken as the slope."""

    slope: float = 0.01

    def __post_init__(self) -> None:
        number("slope", self.slope)

    @property
    def kinks(self) -> tuple[int, ...]:
        """The kink at 0."""
        return (0,)

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """f(z) = z for z > 0, else slope·z."""
        return where_positive(z, z, constant(z, self.slope) * minimum(z, 0))

    def derivative(self, z: A) -> A:
        """f′(z) = 1 for z > 0, else the slope."""
        return where_positive(z, 1, constant(z, self.slope))


@final
@dataclass(frozen=True, slots=True)
class ELU(Activation):
    """f(z) = z for z > 0, else alpha·(exp(z) − 1); at z = 0 the derivative is taken as alpha.

    References
    ----------
    Clevert, Unterthiner, Hochreiter, "Fast and Accurate Deep Network Learning by Exponential Linear Units (ELUs)",
    ICLR 2016, eq. (15).
    """

    alpha: float = 1

    def __post_init__(self) -> None:
        number("alpha", self.alpha)

    @property
    def kinks(self) -> tuple[int, ...]:
        """The kink at 0."""
        return (0,)

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """f(z) = z for z > 0, else alpha·(exp(z) − 1)."""
        return where_positive(z, z, constant(z, self.alpha) * expm1(minimum(z, 0)))

    def derivative(self, z: A) -> A:
        """f′(z) = 1 for z > 0, else alpha·exp(z)."""
        return where_positive(z, 1, constant(z, self.alpha) * exp(minimum(z, 0)))


@final
@dataclass(frozen=True, slots=True)
class Softplus(Activation):
    """f(z) = log(1 + exp(z))."""

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """f(z) = log(1 + exp(z))."""
        return softplus(z)

    def derivative(self, z: A) -> A:
        """f′(z) = σ(z)."""
        return expit(z)


@final
@dataclass(frozen=True, slots=True)
class SiLU(Activation):
    """f(z) = z σ(z), also called swish.

    References
    ----------
    Elfwing, Uchibe, Doya, "Sigmoid-weighted linear units for neural network function approximation in reinforcement
    learning", Neural Networks 107 (2018), eqs. (1) and (2).
    """

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """f(z) = z σ(z)."""
        return z * expit(z)

    def derivative(self, z: A) -> A:
        """f′(z) = σ(z) + z σ′(z)."""
        return expit(z) + z * expit_slope(z)


@final
@dataclass(frozen=True, slots=True)
class GELU(Activation):
    """f(z) = z Φ(z), where Φ is the distribution function of the standard normal: the exact form.

    Notes
    -----
    Φ(z) = ½ erfc(−z/√2) keeps relative accuracy in the left tail up to its condition number: one rounding of z/√2
    moves it by z² units in the last place.

    References
    ----------
    Hendrycks, Gimpel, "Gaussian Error Linear Units (GELUs)", arXiv:1606.08415, section 2.
    """

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """f(z) = z Φ(z) = ½ z erfc(−z/√2)."""
        return z * (erfc(-z * constant(z, _SQRT_HALF)) / 2)

    def derivative(self, z: A) -> A:
        """f′(z) = Φ(z) + z φ(z), with the density φ(z) = exp(−z²/2)/√(2π)."""
        v = within(z, _FAR)
        density = exp(-v * v / 2) * constant(z, _SQRT_1_OVER_2PI)
        return erfc(-z * constant(z, _SQRT_HALF)) / 2 + v * density


@final
@dataclass(frozen=True, slots=True)
class GELUTanh(Activation):
    """f(z) = ½ z (1 + tanh(u(z))) with u(z) = √(2/π) (z + 0.044715 z³): the approximation of GELU by tanh.

    Notes
    -----
    `tanh_step` is ½ (1 + tanh(u)) without its cancellation in the left tail.

    References
    ----------
    Hendrycks, Gimpel, "Gaussian Error Linear Units (GELUs)", arXiv:1606.08415, section 2.
    """

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """f(z) = ½ z (1 + tanh(u))."""
        v = within(z, _FAR)
        u = constant(z, _SQRT_2_OVER_PI) * v * (1 + constant(z, _CUBIC) * v * v)
        return z * tanh_step(u)

    def derivative(self, z: A) -> A:
        """f′(z) = ½ (1 + tanh(u)) + ½ z sech²(u) u′, with u′(z) = √(2/π) (1 + 3·0.044715 z²)."""
        v = within(z, _FAR)
        u = constant(z, _SQRT_2_OVER_PI) * v * (1 + constant(z, _CUBIC) * v * v)
        slope = constant(z, _SQRT_2_OVER_PI) * (1 + 3 * constant(z, _CUBIC) * v * v)
        return tanh_step(u) + v * sech_squared(u) * slope / 2


ALL: tuple[type[Activation], ...] = (Identity, Sigmoid, Tanh, ReLU, LeakyReLU, ELU, Softplus, SiLU, GELU, GELUTanh)
"""Every activation; tests, proofs and strategies iterate this registry, so that nothing is added unverified."""
