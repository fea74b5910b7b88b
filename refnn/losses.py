"""Losses: each is the formula of one sample, and its gradient directly below it.

A loss is L = scale/divisor · Σᵢ ℓ(zᵢ, tᵢ) over the samples i of a batch, with the divisor that `reduction` names:
``"mean"`` the number of samples N, ``"sum"`` 1, ``"elements"`` N·outputs, and ``"weights"`` (softmax cross-entropy with
class weights) the sum of the weights of the targets. Each ℓ is a sum over the outputs j; the subclasses define its
terms and its gradient in z. Both divide last, by an exact number, for a product with the float 1/N would round twice.

What a loss computes it keeps within range; what may overflow is what is asked for, and the sum over the samples, which
is formed before it is divided or scaled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias, final

import numpy as np

from refnn.arguments import distributions, probabilities, real_rows
from refnn.arrays import (
    A,
    FloatArray,
    constant,
    exp,
    expit,
    log_expit,
    log_softmax,
    maximum,
    minimum,
    row_sums,
    total,
)
from refnn.checks import number, positive, shown
from refnn.errors import SettingError, ShapeError, TargetError

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
        if not isinstance(self.reduction, str) or self.reduction not in self.reductions():
            raise SettingError(
                f"reduction is {shown(self.reduction)}",
                f"{type(self).__name__} divides in one of {len(self.reductions())} ways",
                f"Choose one of {', '.join(map(repr, self.reductions()))}",
            )
        positive("scale", self.scale)

    def reductions(self) -> tuple[Reduction, ...]:
        """The reductions that this loss knows."""
        return ("mean", "sum", "elements")

    def prediction(self, z: A) -> A:
        """What the formulas are written in, (N, outputs): z itself, or log-probabilities."""
        return z

    @abstractmethod
    def terms(self, p: A, t: A) -> A:
        """The terms of ℓ, (N, outputs), for the prediction p; their sum over a row is the loss of that sample."""

    @abstractmethod
    def derivative(self, p: A, t: A) -> A:
        """∂ℓ/∂z, (N, outputs), for the prediction p."""

    def divisor(self, t: A, labels: FloatArray) -> A | int:
        """By what the sum over the samples is divided; `labels` are the targets before weights and smoothing."""
        if self.reduction == "sum":
            return 1
        samples, outputs = t.shape
        return samples if self.reduction == "mean" else samples * outputs

    def check(self, y: object, shape: tuple[int, int], dtype: np.dtype[Any]) -> FloatArray:
        """`y` as rows of numbers of the given shape (N, outputs) and dtype, or an error that says what is wrong."""
        return real_rows(y, shape, dtype)

    def targets(self, like: A, labels: FloatArray) -> A:
        """The checked targets in the arithmetic of `like`, as `terms` and `derivative` take them."""
        return constant(like, labels)

    @final
    def value(self, z: A, labels: FloatArray) -> A:
        """L, a single number."""
        p, t = self.prediction(z), self.targets(z, labels)
        return self.scaled(total(self.terms(p, t)), self.divisor(t, labels))

    @final
    def differentiate(self, z: A, labels: FloatArray) -> tuple[A, A]:
        """L, and ∂L/∂z (N, outputs): the cotangent with which the backward pass begins."""
        p, t = self.prediction(z), self.targets(z, labels)
        divisor = self.divisor(t, labels)
        return self.scaled(total(self.terms(p, t)), divisor), self.scaled(self.derivative(p, t), divisor)

    @final
    def scaled(self, value: A, divisor: A | int) -> A:
        """`value` times scale/divisor."""
        return (value if self.scale == 1 else constant(value, self.scale) * value) / divisor


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

    def terms(self, p: A, t: A) -> A:
        """½ (zⱼ − yⱼ)²."""
        half = (p - t) / 2
        return half * half * 2  # no sooner than ½r² is too large; and a square of one number, whose errors are one

    def derivative(self, p: A, t: A) -> A:
        """z − y."""
        return p - t


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

    def cut(self, r: A) -> A:
        """c, the difference r cut off at ±delta."""
        delta = constant(r, self.delta)
        return maximum(minimum(r, delta), -delta)

    def terms(self, p: A, t: A) -> A:
        """c·(r − ½c)."""
        r = p - t
        c = self.cut(r)
        return c * (r - c / 2)

    def derivative(self, p: A, t: A) -> A:
        """c."""
        return self.cut(p - t)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryCrossEntropy(Loss):
    """ℓ(z, y) = −Σⱼ [yⱼ log σ(zⱼ) + (1 − yⱼ) log(1 − σ(zⱼ))] from logits z, for targets y in [0, 1].

    Notes
    -----
    As 1 − σ(z) is σ(−z), the loss is −Σⱼ yⱼ log σ(zⱼ) + (1 − yⱼ) log σ(−zⱼ), a sum of non-negative terms: it keeps
    relative accuracy everywhere. The gradient σ(z) − y cancels where the prediction is right: it is accurate to a unit
    roundoff of 1, not of itself.
    """

    def check(self, y: object, shape: tuple[int, int], dtype: np.dtype[Any]) -> FloatArray:
        """As for every loss; and each target lies in [0, 1]."""
        return probabilities(y, shape, dtype)

    def terms(self, p: A, t: A) -> A:
        """−yⱼ log σ(zⱼ) − (1 − yⱼ) log σ(−zⱼ)."""
        return (t - 1) * log_expit(-p) - t * log_expit(p)

    def derivative(self, p: A, t: A) -> A:
        """σ(z) − y."""
        return expit(p) - t


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
    Targets are classes 0 … C−1 as integers (N,), or probability rows (N, C). The loss is a sum of non-negative terms,
    and `refnn.arrays.log_softmax` keeps the small part of its sum of exponentials, so the loss has relative accuracy in
    the differences of the logits; these overflow if logits are more than the largest float apart. The gradient
    softmax(z) Σ_c q_c − q cancels where the prediction is right: it is accurate to a unit roundoff of q, not of itself.

    References
    ----------
    Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7 (smoothing).
    """

    label_smoothing: float = 0
    class_weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        Loss.__post_init__(self)
        if not 0 <= number("label_smoothing", self.label_smoothing) <= 1:
            raise SettingError(
                f"label_smoothing is {shown(self.label_smoothing)}",
                "it is the share of the target that is spread over the classes",
                "Pass a number between 0 and 1",
            )
        if self.class_weights is not None:
            given = self.class_weights
            ordered = given.ndim == 1 if isinstance(given, np.ndarray) else isinstance(given, Sequence)
            weights = tuple(number(f"class_weights[{c}]", v) for c, v in enumerate(given)) if ordered else ()
            if min(weights, default=-1) < 0 or not any(weights):
                raise SettingError(
                    f"class_weights are {shown(given)}",
                    "they are a sequence with a weight of 0 or more for each class, and at least one class counts",
                    "Pass one such weight for each class, in their order",
                )
            object.__setattr__(self, "class_weights", weights)

    def reductions(self) -> tuple[Reduction, ...]:
        """The reductions of every loss, and ``"weights"``."""
        return ("mean", "sum", "elements", "weights")

    def check(self, y: object, shape: tuple[int, int], dtype: np.dtype[Any]) -> FloatArray:
        """Probability rows, for classes or probability rows."""
        if self.class_weights is not None and len(self.class_weights) != shape[1]:
            raise ShapeError(
                f"class_weights has {len(self.class_weights)} weights, expected {shape[1]}",
                f"the last layer has {shape[1]} outputs",
                "Pass one weight for each output",
            )
        labels = distributions(y, shape, dtype)
        if self.reduction == "weights" and not self.divisor(labels, labels):
            raise TargetError(
                "y has only classes of weight 0",
                "the reduction divides by the sum of the targets' weights",
                "Pass a batch with a target that counts, or another reduction",
            )
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
        weights: A = constant(t, labels)
        if self.class_weights is not None:
            weights = weights * constant(t, np.array(self.class_weights))
        return total(weights)

    def prediction(self, z: A) -> A:
        """log softmax(z)."""
        return log_softmax(z)

    def terms(self, p: A, t: A) -> A:
        """−q_c log softmax(z)_c."""
        return -t * p

    def derivative(self, p: A, t: A) -> A:
        """softmax(z) Σ_c q_c − q."""
        return exp(p) * row_sums(t) - t


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class InnerProduct(Loss):
    """ℓ(z, y) = Σⱼ zⱼ yⱼ, the linear functional: y is the cotangent of the outputs, and the default reduction the sum.

    The gradients are then the vector-Jacobian products, so that a layer can be asked about alone. The gradient in z is
    y itself, without error; the loss cancels as an inner product may.
    """

    reduction: Reduction = "sum"

    def terms(self, p: A, t: A) -> A:
        """zⱼ yⱼ."""
        return p * t

    def derivative(self, p: A, t: A) -> A:
        """y."""
        return t


def softmax(z: A) -> A:
    """exp(z_c) / Σ_k exp(z_k) of each row, without overflow and with relative accuracy in the differences of z."""
    return exp(log_softmax(z))


ALL: tuple[type[Loss], ...] = (SquaredError, SoftmaxCrossEntropy, BinaryCrossEntropy, Huber, InnerProduct)
"""Every loss; tests, proofs and strategies iterate this registry, so that nothing is added unverified."""
