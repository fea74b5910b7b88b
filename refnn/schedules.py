"""Schedules: a learning rate for each step, counted from 0, for `refnn.descend` and `refnn.fit`.

A schedule is any function of the step's number; these are the usual ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from refnn.checks import count, number, positive, shown
from refnn.errors import SettingError

__all__ = ["ALL", "Constant", "Cosine", "Exponential", "Inverse", "Stepwise", "WarmUp"]


def _factor(name: str, value: float) -> None:
    """Refuse `value` unless it is above 0 and at most 1."""
    if not 0 < number(name, value) <= 1:
        raise SettingError(f"{name} is {shown(value)}", f"{name} is above 0 and at most 1", "Pass such a number")


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """η(k) = η.

    Parameters
    ----------
    rate
        η, positive.

    Raises
    ------
    SettingError
        If it is not positive.

    Examples
    --------
    >>> Constant(0.1)(7)
    0.1
    """

    rate: float

    def __post_init__(self) -> None:
        positive("rate", self.rate)

    def __call__(self, k: int) -> float:
        """The rate of step k."""
        return self.rate


@final
@dataclass(frozen=True, slots=True)
class Stepwise:
    """η(k) = η γ^⌊k/n⌋; torch's `StepLR`.

    Parameters
    ----------
    rate
        η, positive.
    factor
        γ, above 0 and at most 1.
    every
        n, a whole number of steps.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Goodfellow, Bengio and Courville, "Deep Learning" (2016), section 8.3.1, on why the rate has to fall at all.

    Examples
    --------
    >>> [Stepwise(1.0, 0.5, 2)(k) for k in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    rate: float
    factor: float
    every: int

    def __post_init__(self) -> None:
        positive("rate", self.rate)
        _factor("factor", self.factor)
        count("every", self.every)

    def __call__(self, k: int) -> float:
        """The rate of step k."""
        return self.rate * self.factor ** (k // self.every)


@final
@dataclass(frozen=True, slots=True)
class Exponential:
    """η(k) = η γᵏ; torch's `ExponentialLR`.

    Parameters
    ----------
    rate
        η, positive.
    factor
        γ, above 0 and at most 1.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Li and Arora, "An exponential learning rate schedule for deep learning", ICLR (2020), where γ may also exceed 1.

    Examples
    --------
    >>> [Exponential(1.0, 0.5)(k) for k in range(3)]
    [1.0, 0.5, 0.25]
    """

    rate: float
    factor: float

    def __post_init__(self) -> None:
        positive("rate", self.rate)
        _factor("factor", self.factor)

    def __call__(self, k: int) -> float:
        """The rate of step k."""
        return self.rate * self.factor**k


@final
@dataclass(frozen=True, slots=True)
class Cosine:
    """η(k) = η₀ + ½(η − η₀)(1 + cos(πk/n)), and η₀ from step n on; until then torch's `CosineAnnealingLR`.

    Parameters
    ----------
    rate
        η, positive.
    steps
        n, a whole number of steps.
    least
        η₀, positive (for `descend` takes no step of length 0) and at most η.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR (2017), equation 5, one period.

    Examples
    --------
    >>> [Cosine(1.0, 2, least=0.5)(k) for k in range(4)]
    [1.0, 0.75, 0.5, 0.5]
    """

    rate: float
    steps: int
    least: float

    def __post_init__(self) -> None:
        positive("rate", self.rate)
        count("steps", self.steps)
        if positive("least", self.least) > self.rate:
            raise SettingError(
                f"least is {shown(self.least)}", f"the rate falls from {self.rate}", "Pass less than that"
            )

    def __call__(self, k: int) -> float:
        """The rate of step k."""
        if k >= self.steps:
            return self.least
        return self.least + (self.rate - self.least) * (1 + math.cos(math.pi * k / self.steps)) / 2


@final
@dataclass(frozen=True, slots=True)
class Inverse:
    """η(k) = η/(1 + κk), the form that Robbins and Monro ask for: Σ η(k) = ∞ and Σ η(k)² < ∞.

    Parameters
    ----------
    rate
        η, positive.
    decay
        κ, positive; with 1, η(k) = η/t for t = 1, 2, ….

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Robbins and Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22 (1951), 400–407.

    Examples
    --------
    >>> [Inverse(1.0)(k) for k in (0, 1, 3)]
    [1.0, 0.5, 0.25]
    """

    rate: float
    decay: float = 1.0

    def __post_init__(self) -> None:
        positive("rate", self.rate)
        positive("decay", self.decay)

    def __call__(self, k: int) -> float:
        """The rate of step k."""
        return self.rate / (1 + self.decay * k)


@final
@dataclass(frozen=True, slots=True)
class WarmUp:
    """η(k) = (k + 1)/n · s(0) for k < n, then s(k − n): a linear warm-up before another schedule s.

    Parameters
    ----------
    steps
        n, a whole number of steps.
    then
        s, a function of the step's number.

    Raises
    ------
    SettingError
        If a setting is out of its range.

    References
    ----------
    Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", arXiv:1706.02677 (2017), section 2.2.

    Examples
    --------
    >>> [WarmUp(2, Exponential(1.0, 0.5))(k) for k in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """

    steps: int
    then: Callable[[int], float]

    def __post_init__(self) -> None:
        count("steps", self.steps)
        if not callable(self.then):
            raise SettingError(
                f"then is {shown(self.then)}",
                "what follows the warm-up is a function of the step's number",
                "Pass refnn.schedules.Constant(0.1), or another schedule",
            )

    def __call__(self, k: int) -> float:
        """The rate of step k."""
        return (k + 1) / self.steps * self.then(0) if k < self.steps else self.then(k - self.steps)


ALL = (Constant, Stepwise, Exponential, Cosine, Inverse, WarmUp)
"""Every schedule."""
