"""Probabilities: what a loss makes of the logits that it is given, as a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

from refnn.activations import Sigmoid
from refnn.arrays import A, exp, log_softmax, row_sums
from refnn.layers import Layer
from refnn.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy

__all__ = ["SQUASHING", "Softmax"]


@final
@dataclass(frozen=True, slots=True)
class Softmax:
    """p = exp(z)/Σ exp(z), row by row.

    Examples
    --------
    >>> import numpy as np
    >>> from refnn.search.squashing import Softmax
    >>> Softmax().forward((), np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """

    @property
    def inputs(self) -> None:
        """Any width will do."""

    @property
    def outputs(self) -> None:
        """As many as inputs."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """No parameters."""
        return {}

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """The probabilities."""
        return exp(log_softmax(z))

    def backward(self, parameters: tuple[A, ...], z: A, delta: A) -> A:
        """Of each row, p ∘ (δ − Σ p ∘ δ)."""
        p = exp(log_softmax(z))
        return p * (delta - row_sums(p * delta))

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        """None, for there are no parameters."""
        return ()


SQUASHING: Mapping[type[Loss], Layer] = MappingProxyType(
    {BinaryCrossEntropy: Sigmoid(), SoftmaxCrossEntropy: Softmax()}
)
"""What makes probabilities of logits, for the losses that take logits."""
