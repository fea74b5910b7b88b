"""Layers: what a layer is, the dense layer, and how its parameters begin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np

from refnn.arrays import A, FloatArray, column_sums
from refnn.checks import count


class Layer(Protocol):
    """What the network asks of a layer: a function of its parameters and of rows of samples, and its two derivatives.

    A layer acts on each sample (row) alone, and is written with the operations of `refnn.arrays`; then every arithmetic
    runs it. A frozen dataclass with these six members is a layer, with no base class and no registration:

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import refnn
    >>> @dataclass(frozen=True)
    ... class Scale:
    ...     '''z = x ∘ a, one factor for each input.'''
    ...     inputs: int
    ...     @property
    ...     def outputs(self):
    ...         return self.inputs
    ...     @property
    ...     def shapes(self):
    ...         return {"factor": (self.inputs,)}
    ...     def forward(self, parameters, x):
    ...         return x * parameters[0]
    ...     def backward(self, parameters, x, delta):
    ...         return delta * parameters[0]
    ...     def gradient(self, parameters, x, delta):
    ...         return (refnn.arrays.column_sums(delta * x),)
    >>> network = refnn.Network(Scale(2), loss=refnn.SquaredError())
    >>> network.loss_and_gradient([3.0, 1.0], [[2.0, 5.0]], [[1.0, 5.0]])
    (12.5, array([10.,  0.]))
    """

    @property
    def inputs(self) -> int | None:
        """The width of the rows it takes; None if any width will do."""

    @property
    def outputs(self) -> int | None:
        """The width of the rows it gives; None if that of its input."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The name and shape of each parameter, in the order in which they stand in the vector of all parameters."""

    def forward(self, parameters: tuple[A, ...], x: A, /) -> A:
        """The outputs (N, outputs) for inputs (N, inputs)."""

    def backward(self, parameters: tuple[A, ...], x: A, delta: A, /) -> A:
        """The cotangent of the inputs (N, inputs), from `delta`, the cotangent of the outputs (N, outputs)."""

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A, /) -> tuple[A, ...]:
        """The cotangent of each parameter, in its shape and summed over the samples."""


@final
@dataclass(frozen=True, slots=True)
class Dense:
    """The affine layer z = x w + b: every output is a weighted sum of every input, plus a bias.

    Parameters
    ----------
    inputs, outputs
        The widths. The weight is (inputs, outputs), the bias (outputs,).

    Raises
    ------
    SettingError
        If a width is not a whole number of at least 1.
    """

    inputs: int
    outputs: int

    def __post_init__(self) -> None:
        count("inputs", self.inputs)
        count("outputs", self.outputs)

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The weight (inputs, outputs) and the bias (outputs,)."""
        return {"weight": (self.inputs, self.outputs), "bias": (self.outputs,)}

    def forward(self, parameters: tuple[A, ...], x: A) -> A:
        """z = x w + b."""
        w, b = parameters
        return x @ w + b

    def backward(self, parameters: tuple[A, ...], x: A, delta: A) -> A:
        """∂L/∂x = δ wᵀ."""
        w, _ = parameters
        return delta @ w.T

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        """∂L/∂w = xᵀ δ and ∂L/∂b = Σᵢ δᵢ."""
        return x.T @ delta, column_sums(delta)


# ----------------------------------------------------------------------------------------------- how parameters begin


class Initializer(Protocol):
    """A function that draws one parameter; `shape` is (inputs, outputs) for a weight, (outputs,) for a bias."""

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, /) -> FloatArray:
        """Draw a parameter of this shape."""


def glorot(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Weights uniform in ±√(6/(inputs + outputs)), all else 0.

    References
    ----------
    Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010, eq. (16).
    """
    if len(shape) != 2:
        return np.zeros(shape)
    limit = math.sqrt(6 / sum(shape))
    return rng.uniform(-limit, limit, shape)


def he(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Weights normal with variance 2/inputs, all else 0; meant for ReLU.

    References
    ----------
    He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015, eqs. (10) and (12).
    """
    if len(shape) != 2:
        return np.zeros(shape)
    return rng.normal(0, math.sqrt(2 / shape[0]), shape)


def zeros(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """All parameters 0: hidden units then stay equal to each other, so this is for networks of one dense layer."""
    return np.zeros(shape)
