"""Update rules: from a state, the parameters, their gradient and a learning rate to the next state and parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, final

from refnn.arrays import A, constant

S = TypeVar("S")


class Rule(Protocol, Generic[S]):
    """What `refnn.descend` asks of an update rule: pure functions, and a state that they hand on."""

    def initial_state(self, w: A, /) -> S:
        """The state before the first step."""

    def step(self, state: S, w: A, gradient: A, learning_rate: float, /) -> tuple[S, A]:
        """The state and the parameters after one step."""


@final
@dataclass(frozen=True, slots=True)
class GradientDescent:
    """w := w − η ∇L(w).

    References
    ----------
    Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", Comptes Rendus 25 (1847).

    Examples
    --------
    >>> import numpy as np
    >>> GradientDescent().step(None, np.array([1.0, 2.0]), np.array([4.0, -2.0]), 0.5)
    (None, array([-1.,  3.]))
    """

    def initial_state(self, w: A) -> None:
        """Nothing to remember."""
        return

    def step(self, state: None, w: A, gradient: A, learning_rate: float) -> tuple[None, A]:
        """w − η g."""
        return None, w - constant(w, learning_rate) * gradient


ALL = (GradientDescent,)
"""Every update rule."""
