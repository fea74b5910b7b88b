"""Losses: each is the formula of one sample, and its gradient directly below it.

A loss is L = scale/divisor · Σᵢ ℓ(zᵢ, tᵢ) over the samples i of a batch, with the divisor that `reduction` names:
``"mean"`` the number of samples N, ``"sum"`` 1, ``"elements"`` N·outputs, and ``"weights"`` (softmax cross-entropy with
class weights) the sum of the weights of the targets. The subclasses define ℓ and its gradient in z; both divide last,
by an exact number, because a product with the float 1/N would round twice.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, final

import numpy as np

from refnn.arrays import (
    A,
    FloatArray,
    constant,
    exp,
    expit,
    log_sum_exp,
    maximum,
    minimum,
    row_sums,
    shift_of,
    softplus,
    total,
)
from refnn.checks import finite, positive, real_array
from refnn.errors import DTypeError, SettingError, ShapeError, TargetError

__all__ = [
    "ALL",
    "BinaryCrossEntropy",
    "Huber",
    "InnerProduct",
    "Loss",
    "Reduction",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "softmax",
]

Reduction: TypeAlias = Literal["mean", "sum", "elements", "weights"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(ABC):
    """The base of all losses.

    Parameters
    ----------
    reduction
        By what the sum over the samples is divided: ``"mean"`` by N, ``"sum"`` by 1, ``"elements"`` by N·outputs.
    scale
        A positive factor, taken as the exact number it is: an `int`, a `float` or a `fractions.Fraction`.

    Raises
    ------
    SettingError
        If the reduction is unknown or the scale is not a positive finite number.
    """

    reduction: Reduction = "mean"
    scale: float | Fraction = 1

    def __post_init__(self) -> None:
        if self.reduction not in self.reductions():
            raise SettingError(
                f"reduction is {self.reduction!r}",
                f"{type(self).__name__} divides in one of {len(self.reductions())} ways",
                f"Choose one of {', '.join(map(repr, self.reductions()))}",
            )
        positive("scale", self.scale)

    def reductions(self) -> tuple[Reduction, ...]:
        """The reductions that this loss knows."""
        return ("mean", "sum", "elements")

    @abstractmethod
    def value(self, z: A, t: A) -> A:
        """ℓ(zᵢ, tᵢ) of each sample, as a column (N, 1)."""

    @abstractmethod
    def derivative(self, z: A, t: A) -> A:
        """∂ℓ(zᵢ, tᵢ)/∂z, (N, outputs)."""

    def divisor(self, t: A, labels: FloatArray) -> A | int:
        """By what the sum over the samples is divided; `labels` are the targets before weights and smoothing."""
        samples, outputs = t.shape
        return {"mean": samples, "sum": 1, "elements": samples * outputs}[self.reduction]

    def check(self, y: object, shape: tuple[int, int], dtype: np.dtype[np.floating]) -> FloatArray:
        """`y` as rows of real numbers of the given shape and dtype, or an error that says what is wrong with it.

        Parameters
        ----------
        y : (N, outputs) or, for one output, (N,)
            The targets as they were given.
        shape
            (N, outputs).
        dtype
            The dtype of the computation.
        """
        targets = real_array("y", y, dtype)
        if targets.shape == (shape[0],) and shape[1] == 1:
            targets = targets[:, np.newaxis]
        if targets.shape != shape:
            raise ShapeError(
                f"y has shape {targets.shape}, expected {shape}",
                f"x has {shape[0]} samples and the last layer has {shape[1]} outputs",
                f"Pass one row of {shape[1]} targets for each of the {shape[0]} samples",
            )
        return finite("y", targets)

    def targets(self, like: A, labels: FloatArray) -> A:
        """The checked targets in the arithmetic of `like`, as `value` and `derivative` take them."""
        return constant(like, labels)

    @final
    def mean_value(self, z: A, labels: FloatArray) -> A:
        """L, a single number (the mean, for the default reduction)."""
        t = self.targets(z, labels)
        return self.scaled(total(self.value(z, t)), t, labels)

    @final
    def gradient(self, z: A, labels: FloatArray) -> A:
        """∂L/∂z, (N, outputs): the cotangent with which the backward pass begins."""
        t = self.targets(z, labels)
        return self.scaled(self.derivative(z, t), t, labels)

    def scaled(self, value: A, t: A, labels: FloatArray) -> A:
        """`value` times scale/divisor."""
        if self.scale != 1:
            value = constant(value, self.scale) * value
        return value / self.divisor(t, labels)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SquaredError(Loss):
    """ℓ(z, y) = ½ Σⱼ (zⱼ − yⱼ)².

    Notes
    -----
    Both the loss and its gradient z − y are accurate relative to the rounded difference; where z and y agree in their
    leading digits, what was lost there is lost. PyTorch's ``MSELoss`` is
    ``SquaredError(reduction="elements", scale=2)``.
    """

    def value(self, z: A, t: A) -> A:
        """½ Σⱼ (zⱼ − yⱼ)²."""
        r = z - t
        return row_sums(r * r) / 2

    def derivative(self, z: A, t: A) -> A:
        """Z − y."""
        return z - t


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Huber(Loss):
    """ℓ(z, y) = Σⱼ h(zⱼ − yⱼ) with h(r) = ½r² for abs(r) ≤ delta, and delta·(abs(r) − ½·delta) beyond.

    Notes
    -----
    With c = r, cut off at ±delta, both pieces are h(r) = c·(r − ½c), and h′(r) = c: continuous, so it has no kink.
    Accuracy is that of the rounded difference r, as for `SquaredError`.

    References
    ----------
    Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35 (1964), section 4.
    """

    delta: float = 1

    def __post_init__(self) -> None:
        Loss.__post_init__(self)
        positive("delta", self.delta)

    def cut(self, z: A, t: A) -> A:
        """C, the difference z − y cut off at ±delta."""
        delta = constant(z, self.delta)
        return maximum(minimum(z - t, delta), -delta)

    def value(self, z: A, t: A) -> A:
        """Σⱼ c·(r − ½c)."""
        c = self.cut(z, t)
        return row_sums(c * (z - t - c / 2))

    def derivative(self, z: A, t: A) -> A:
        """C."""
        return self.cut(z, t)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryCrossEntropy(Loss):
    """ℓ(z, y) = −Σⱼ [yⱼ log σ(zⱼ) + (1 − yⱼ) log(1 − σ(zⱼ))] from logits z, for targets y in [0, 1].

    Notes
    -----
    The loss is computed as Σⱼ yⱼ softplus(−zⱼ) + (1 − yⱼ) softplus(zⱼ), a sum of non-negative terms: it keeps relative
    accuracy everywhere. The gradient σ(z) − y cancels where the prediction is right: it is accurate to a unit roundoff
    of 1, not of itself.
    """

    def check(self, y: object, shape: tuple[int, int], dtype: np.dtype[np.floating]) -> FloatArray:
        """As for every loss; and each target lies in [0, 1]."""
        targets = Loss.check(self, y, shape, dtype)
        outside = (targets < 0) | (targets > 1)
        if outside.any():
            index = tuple(int(k) for k in np.argwhere(outside)[0])
            raise TargetError(
                f"y[{index[0]}, {index[1]}] is {targets[index]}",
                "a binary cross-entropy target is a probability",
                "Pass targets between 0 and 1; for labels −1 and 1, pass (y + 1) / 2",
            )
        return targets

    def value(self, z: A, t: A) -> A:
        """Σⱼ yⱼ softplus(−zⱼ) + (1 − yⱼ) softplus(zⱼ)."""
        return row_sums(t * softplus(-z) + (1 - t) * softplus(z))

    def derivative(self, z: A, t: A) -> A:
        """σ(z) − y."""
        return expit(z) - t


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxCrossEntropy(Loss):
    """ℓ(z, y) = −Σ_c q_c log softmax(z)_c from logits z, with q_c = weight_c · ((1 − ε) y_c + ε/C).

    Parameters
    ----------
    label_smoothing
        ε in [0, 1]: the share of each target that is spread evenly over the C classes.
    class_weights
        One non-negative weight for each class, not all 0, or None for ones.
    reduction
        Besides the reductions of every loss, ``"weights"`` divides by Σᵢ Σ_c weight_c yᵢ_c.

    Notes
    -----
    Targets are classes 0 … C−1 as integers (N,), or probability rows (N, C). The loss is Σ_c q_c (lse(d) − d_c) with
    d = z − max z: a sum of non-negative terms in which the sum of exponentials keeps its small part (`log1p`), so it
    has relative accuracy in the differences of the logits. The gradient softmax(z) Σ_c q_c − q cancels where the
    prediction is right: it is accurate to a unit roundoff of q, not of itself.

    References
    ----------
    Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7 (smoothing).
    """

    label_smoothing: float = 0
    class_weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        Loss.__post_init__(self)
        if not 0 <= self.label_smoothing <= 1:
            raise SettingError(
                f"label_smoothing is {self.label_smoothing!r}",
                "it is the share of the target that is spread over the classes",
                "Pass a number between 0 and 1",
            )
        if self.class_weights is not None:
            weights = tuple(self.class_weights)
            object.__setattr__(self, "class_weights", weights)
            if not weights or not all(math.isfinite(v) and v >= 0 for v in weights) or not any(weights):
                raise SettingError(
                    f"class_weights are {weights!r}",
                    "a class weighs a non-negative finite number, and at least one class counts",
                    "Pass one such weight for each class",
                )

    def reductions(self) -> tuple[Reduction, ...]:
        """The reductions of every loss, and ``"weights"``."""
        return ("mean", "sum", "elements", "weights")

    def check(self, y: object, shape: tuple[int, int], dtype: np.dtype[np.floating]) -> FloatArray:
        """Probability rows for classes or probability rows."""
        samples, classes = shape
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise ShapeError(
                f"class_weights has {len(self.class_weights)} weights, expected {classes}",
                f"the last layer has {classes} outputs",
                "Pass one weight for each output",
            )
        given = np.asarray(y)
        if given.ndim == 1:
            return self._one_hot(given, samples, classes, dtype)
        labels = Loss.check(self, y, shape, dtype)
        slack = classes * float(np.finfo(dtype).eps)  # C probabilities, each correctly rounded, and C − 1 additions
        sums = labels.sum(axis=1)
        wrong = (labels < 0).any(axis=1) | (abs(sums - 1) > slack)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise TargetError(
                f"y[{row}] is {labels[row]}, with sum {sums[row]}",
                "a target row is a probability distribution over the classes",
                "Pass non-negative rows that sum to 1, or integer classes of shape (N,)",
            )
        return labels

    @staticmethod
    def _one_hot(y: np.ndarray, samples: int, classes: int, dtype: np.dtype[np.floating]) -> FloatArray:
        if y.dtype.kind not in "iu":
            raise DTypeError(
                f"y has shape {y.shape} and dtype {y.dtype}",
                "targets of one dimension are classes, and classes are integers",
                "Pass y.astype(int) if these are classes, or probability rows of shape (N, C)",
            )
        if len(y) != samples:
            raise ShapeError(
                f"y has shape {y.shape}, expected ({samples},)",
                f"x has {samples} samples",
                "Pass one class for each sample",
            )
        if y.min() < 0 or y.max() >= classes:
            row = int(np.argmax((y < 0) | (y >= classes)))
            raise TargetError(
                f"y[{row}] is {y[row]}",
                f"the last layer has {classes} outputs, so classes are 0 to {classes - 1}",
                "Number the classes from 0, or give the network as many outputs as there are classes",
            )
        labels = np.zeros((samples, classes), dtype)
        labels[np.arange(samples), y] = 1
        return labels

    def targets(self, like: A, labels: FloatArray) -> A:
        """q = weight · ((1 − ε) y + ε/C)."""
        q = constant(like, labels)
        if self.label_smoothing:
            smoothing = constant(like, self.label_smoothing)
            q = (1 - smoothing) * q + smoothing / labels.shape[1]
        if self.class_weights is not None:
            q = q * constant(like, np.array(self.class_weights))
        return q

    def divisor(self, t: A, labels: FloatArray) -> A | int:
        """For ``"weights"``, Σᵢ Σ_c weight_c yᵢ_c."""
        if self.reduction != "weights":
            return Loss.divisor(self, t, labels)
        if self.class_weights is None:
            return len(labels)
        weighted: A = total(constant(t, labels) * constant(t, np.array(self.class_weights)))
        return weighted

    def value(self, z: A, t: A) -> A:
        """Σ_c q_c (log Σ_k exp(d_k) − d_c), with d = z minus a row constant."""
        d = z - shift_of(z)
        return row_sums(t * (log_sum_exp(d) - d))

    def derivative(self, z: A, t: A) -> A:
        """softmax(z) Σ_c q_c − q."""
        return softmax(z) * row_sums(t) - t


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class InnerProduct(Loss):
    """ℓ(z, y) = Σⱼ zⱼ yⱼ, the linear functional: y is the cotangent of the outputs, and the default reduction the sum.

    The gradients are then the vector-Jacobian products, so that a layer can be asked about alone. The gradient in z is
    y itself, without error; the loss cancels as an inner product may.
    """

    reduction: Reduction = "sum"

    def value(self, z: A, t: A) -> A:
        """Σⱼ zⱼ yⱼ."""
        return row_sums(z * t)

    def derivative(self, z: A, t: A) -> A:
        """Y."""
        return t


def softmax(z: A) -> A:
    """exp(z_c) / Σ_k exp(z_k) of each row, without overflow and with relative accuracy in the differences of z."""
    e = exp(z - shift_of(z))
    return e / row_sums(e)


ALL: tuple[type[Loss], ...] = (SquaredError, SoftmaxCrossEntropy, BinaryCrossEntropy, Huber, InnerProduct)
"""Every loss; tests, proofs and strategies iterate this registry, so that nothing is added unverified."""
