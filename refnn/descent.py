"""Gradient descent: which samples each step sees, and the step itself: forward, loss, backward, update."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, final, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnn.arrays import FloatArray, IntArray
from refnn.checks import (
    RandomState,
    as_array,
    count,
    finite_result,
    generator,
    instance,
    positive,
    representable,
    shown,
)
from refnn.errors import SettingError
from refnn.network import Network
from refnn.rules import GradientDescent, Rule

LOWER = "Lower the learning rate, or scale the data"
"""What to do if training diverges."""

N = TypeVar("N", bound=np.generic)
Schedule: TypeAlias = Callable[[int], float]
"""A learning rate for each step, counted from 0."""

Outcome: TypeAlias = Literal["lowered", "swallowed", "not proven"]


class Certificate(Protocol):
    """What is proven of a step."""

    def outcome(self, w: FloatArray, /) -> Outcome:
        """What is proven of the rounded parameters at which it arrived."""


@runtime_checkable
class ProvenRate(Protocol):
    """A learning rate that comes with a proof for each step; `refnn.Certified` is one."""

    def propose(
        self, network: Network, w: FloatArray, x: FloatArray, labels: FloatArray, gradient: FloatArray, /
    ) -> tuple[float, Certificate]:
        """The learning rate of a step on this batch, 0 if none can be proven; and the proof."""


# --------------------------------------------------------------------------------------- which samples each step sees


class Batches(Protocol):
    """One epoch as a stream of batches; each sample stands in exactly one of them."""

    @property
    def shuffles(self) -> bool:
        """Whether an epoch depends on random numbers."""

    def epoch(self, samples: int, rng: np.random.Generator | None, /) -> Iterator[IntArray]:
        """The indices of each batch of one epoch over so many samples."""


@final
@dataclass(frozen=True, slots=True)
class FullBatch:
    """Batch gradient descent: every step sees all samples."""

    @property
    def shuffles(self) -> bool:
        """Nothing to shuffle."""
        return False

    def epoch(self, samples: int, rng: np.random.Generator | None) -> Iterator[IntArray]:
        """All samples, once."""
        yield np.arange(samples)


@final
@dataclass(frozen=True, slots=True)
class MiniBatch:
    """Mini-batch gradient descent: the samples are shuffled every epoch and cut into batches of one size.

    Parameters
    ----------
    size
        Samples in a batch. What remains at the end of an epoch is a smaller batch; with the default reduction its
        gradient is its own mean, so that its samples count for more (``fit`` and `descend` do not hide this).

    Raises
    ------
    SettingError
        If size is not a whole number of at least 1.

    Notes
    -----
    Within a batch the indices ascend, for their order is of no consequence: a batch of all samples is then `FullBatch`,
    step for step.

    Examples
    --------
    >>> import numpy as np
    >>> batches = list(MiniBatch(2).epoch(5, np.random.default_rng(1)))
    >>> [len(indices) for indices in batches], sorted(int(i) for indices in batches for i in indices)
    ([2, 2, 1], [0, 1, 2, 3, 4])
    """

    size: int

    def __post_init__(self) -> None:
        count("size", self.size)

    @property
    def shuffles(self) -> bool:
        """Every epoch anew."""
        return True

    def epoch(self, samples: int, rng: np.random.Generator | None) -> Iterator[IntArray]:
        """Batches of `size` in a new random order."""
        order = generator(rng).permutation(samples)
        for start in range(0, samples, self.size):
            yield np.sort(order[start : start + self.size])


@final
@dataclass(frozen=True, slots=True)
class SingleSample:
    """Stochastic gradient descent: every step sees one sample; the same as ``MiniBatch(1)``."""

    @property
    def shuffles(self) -> bool:
        """Every epoch anew."""
        return True

    def epoch(self, samples: int, rng: np.random.Generator | None) -> Iterator[IntArray]:
        """One sample after the other, in a new random order."""
        return MiniBatch(1).epoch(samples, rng)


ALL = (FullBatch(), SingleSample(), MiniBatch(3))
"""One of each variant of gradient descent, for tests and strategies to iterate."""


# ----------------------------------------------------------------------------------------------------------- the step


@final
@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step of gradient descent, after it was taken.

    Attributes
    ----------
    number, epoch
        Counted from 0.
    indices
        The samples of the batch.
    learning_rate
        η.
    loss
        The loss of this batch before the update.
    gradient : (P,)
        Its gradient before the update; read-only.
    parameters : (P,)
        The parameters after the update; read-only.
    certificate
        With `refnn.Certified`, the certificate of this step: its learning rate is a fraction of what is certified, or 0
        where nothing is, and then the parameters stay.
    outcome
        With a certificate, what is proven of the loss of this batch at the rounded `parameters`: ``"lowered"``;
        ``"swallowed"``, if the real step lowers it, but rounding has left every parameter as it was; ``"not proven"``.
    """

    number: int
    epoch: int
    indices: IntArray
    learning_rate: float
    loss: float
    gradient: FloatArray
    parameters: FloatArray
    certificate: Certificate | None = None
    outcome: Outcome | None = None


def descend(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    batches: Batches,
    learning_rate: float | Schedule | ProvenRate,
    epochs: int,
    rule: Rule[Any] | None = None,
    rng: RandomState | None = None,
) -> Iterator[Step]:
    """Train a network, one step at a time.

    Parameters
    ----------
    network
        The network, with its loss.
    w : (P,)
        The parameters to begin with; they are not changed.
    x : (N, inputs)
        The samples, as rows.
    y : (N, outputs) or (N,)
        The targets.
    batches
        `FullBatch()`, `SingleSample()`, `MiniBatch(size)`, or an object like them.
    learning_rate
        η, a positive number; a function that gives one for each step, counted from 0; or `refnn.Certified()`, with
        which no step overshoots in real numbers.
    epochs
        How often all samples are seen.
    rule
        The update rule; `GradientDescent()` if none is given.
    rng
        A seed or a `numpy.random.Generator`, needed if the batches are shuffled.

    Yields
    ------
    Step
        What was done, after each update. Stop when you like.

    Raises
    ------
    ShapeError, DTypeError, NonFiniteError, TargetError
        If an argument does not fit; when `descend` is called, not at the first step.
    SettingError
        If the learning rate, the epochs or the batches are out of range, or an rng is needed and missing.
    DivergenceError
        If the loss, the gradient or the parameters leave the range of their format; it names the step.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> x, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> for step in refnn.descend(network, [0.0, 0.0], x, y, batches=refnn.FullBatch(), learning_rate=0.5, epochs=100):
    ...     pass
    >>> step.parameters.round(3)
    array([2., 1.])
    """
    instance("network", network, ("unpack", "differentiate"), "Pass a refnn.Network")
    checked_w, checked_x = network.check(w, x)
    labels = network.check_targets(checked_w, checked_x, y)
    batch = checked_w.copy(), checked_x.copy(), labels.copy()  # what the caller writes into them later is not seen
    count("epochs", epochs, least=0)
    if isinstance(learning_rate, ProvenRate):
        instance("learning_rate", learning_rate, ("propose",), "Pass refnn.Certified(), or another object")
    elif not callable(learning_rate):
        positive("learning_rate", learning_rate)
    instance("batches", batches, ("epoch", "shuffles"), "Pass refnn.FullBatch() or refnn.MiniBatch(32)")
    rule = GradientDescent() if rule is None else rule
    instance("rule", rule, ("initial_state", "step"), "Pass refnn.GradientDescent()")
    if isinstance(learning_rate, ProvenRate) and not isinstance(rule, GradientDescent):
        raise SettingError(
            f"learning_rate is {shown(learning_rate)} and rule is {shown(rule)}",
            "what is certified is the step w − η·g of gradient descent",
            "Pass a number as the learning rate, or leave out the rule",
        )
    random = generator(rng) if batches.shuffles or rng is not None else None
    return _steps(network, *batch, batches, learning_rate, epochs, rule, random)


def _steps(
    network: Network,
    w: FloatArray,
    x: FloatArray,
    labels: FloatArray,
    batches: Batches,
    learning_rate: float | Schedule | ProvenRate,
    epochs: int,
    rule: Rule[Any],
    rng: np.random.Generator | None,
) -> Iterator[Step]:
    state, k = rule.initial_state(w), 0
    for epoch in range(epochs):
        for indices in batches.epoch(len(x), rng):
            name, batch = f"step {k} (epoch {epoch})", _samples(x, labels, indices, k)
            loss, gradient = representable(name, _gradient, network, w, *batch, remedy=LOWER, step=k)
            eta, certificate = _rate(learning_rate, k, network, w, *batch, gradient)
            state, w = representable(name, _update, rule, state, w, gradient, eta, remedy=LOWER, step=k)
            outcome = None if certificate is None else certificate.outcome(w) if eta > 0 else "not proven"
            seen = read_only(np.asarray(indices)), eta, float(loss), read_only(gradient), read_only(w)
            yield Step(k, epoch, *seen, certificate, outcome)
            k += 1


def _gradient(network: Network, w: FloatArray, x: FloatArray, labels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Forward, loss and backward."""
    _, loss, gradient, _ = network.differentiate(w, x, labels)
    return loss, gradient


def _update(rule: Rule[Any], state: Any, w: FloatArray, gradient: FloatArray, eta: float) -> tuple[Any, FloatArray]:
    """The update, which for gradient descent is w := w − η ∇L(w)."""
    state, w = rule.step(state, w, gradient, eta)
    return state, finite_result(w)


def _rate(
    learning_rate: float | Schedule | ProvenRate, k: int, network: Network, *batch_and_gradient: FloatArray
) -> tuple[float, Certificate | None]:
    """The learning rate of step k; and its certificate, if it has one."""
    if isinstance(learning_rate, ProvenRate):
        return learning_rate.propose(network, *batch_and_gradient)
    rate = learning_rate(k) if callable(learning_rate) else learning_rate
    return float(positive(f"the learning rate of step {k}", rate)), None


def _samples(x: FloatArray, labels: FloatArray, indices: IntArray, step: int) -> tuple[FloatArray, FloatArray]:
    """The samples of a batch, if its indices are what `Batches` promises."""
    index = as_array(f"the batch of step {step}", indices)
    if index.ndim == 1 and index.dtype.kind in "iu" and index.size and index.min() >= 0 and index.max() < len(x):
        return x[index], labels[index]
    raise SettingError(
        f"the batch of step {step} is {shown(indices)}",
        f"it names no samples out of {len(x)}",
        f"Let `epoch` give vectors of integers from 0 to {len(x) - 1}, with at least one element",
    )


def read_only(array: NDArray[N]) -> NDArray[N]:
    """A view through which nothing can be written."""
    view = array.view()
    view.flags.writeable = False
    return view
