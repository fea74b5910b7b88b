"""What a peer is: an implementation that refnn did not write, or one that sums in another order, and how it is asked.

A peer is asked in the format of its own arithmetic. Parameters, samples and real targets come as float64 arrays whose
numbers are numbers of that format, so it begins with exactly what was asked; what it gives is widened, exactly.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, final

import numpy as np

from refnn import Dense, Layer, Network
from refnn.arrays import FloatArray
from refnn.losses import Loss

Format: TypeAlias = Literal["float64", "float32", "bfloat16", "float16"]
FORMATS: tuple[Format, ...] = ("float64", "float32", "bfloat16", "float16")

ActivationRules: TypeAlias = Mapping[type[Layer], Callable[[Any, Any], Any]]
"""For each kind of activation a function of an instance, for its settings, and of the array z."""

LossRules: TypeAlias = Mapping[type[Loss], Callable[[Any, Any, Any], Any]]
"""For each kind of loss a function of an instance, the outputs z and the targets y."""


class Raw(NamedTuple):
    """An answer in a peer's own numbers; the gradients are one array for each parameter, in its shape."""

    outputs: Any
    loss: Any
    gradients: Iterable[Any]
    input_gradient: Any


@final
@dataclass(frozen=True, slots=True)
class Peer:
    """An implementation: `package` is what it imports, `compute` what it says of (network, w, x, y, dtype).

    One that `compiles` takes about a second for each new network, and none for one that it has seen.
    """

    name: str
    package: str
    formats: tuple[Format, ...]
    supports: Callable[[Network], bool]
    compute: Callable[[Network, FloatArray, FloatArray, np.ndarray, Format], Raw]
    compiles: bool = False

    @property
    def missing(self) -> str | None:
        """Why it cannot be asked, or None if it can."""
        return None if importlib.util.find_spec(self.package) else f"{self.package} is not installed"

    def answer(self, network: Network, w: FloatArray, x: FloatArray, y: np.ndarray, dtype: Format) -> dict[str, Any]:
        """``outputs``, ``loss``, ``gradient`` and ``input_gradient`` as float64, ordered as those of refnn.

        Others may pass by infinity, as in 1/(1 + exp(800)), so floating-point errors are not raised.
        """
        with np.errstate(all="ignore"):
            outputs, loss, gradients, input_gradient = self.compute(network, w, x, y, dtype)
        return {
            "outputs": _widened(outputs),
            "loss": _widened(loss),
            "gradient": np.concatenate([np.zeros(0), *(_widened(g).ravel() for g in gradients)]),
            "input_gradient": _widened(input_gradient),
        }


def _widened(array: Any) -> FloatArray:
    return np.asarray(array).astype(np.float64)


def parameters_of(network: Network, w: FloatArray) -> list[FloatArray]:
    """Weight (inputs, outputs) and bias (outputs,) of each dense layer in turn."""
    return list(network.unpack(w).values())


def knows(network: Network, activations: ActivationRules, losses: LossRules) -> bool:
    """Whether a peer with these rules can compute a network; every peer has dense layers."""
    known = all(type(layer) is Dense or type(layer) in activations for layer in network.layers)
    return known and type(network.loss_function) in losses


def affine(h: Any, weight: Any, bias: Any) -> Any:
    """As most users write it."""
    return h @ weight + bias


def forward(
    network: Network,
    parameters: Sequence[Any],
    x: Any,
    activations: ActivationRules,
    dense: Callable[[Any, Any, Any], Any] = affine,
) -> Any:
    """The outputs of a network, by a peer's rules."""
    rest = iter(parameters)
    for layer in network.layers:
        x = dense(x, next(rest), next(rest)) if isinstance(layer, Dense) else activations[type(layer)](layer, x)
    return x


def reduced(loss: Loss, terms: Any) -> Any:
    """The terms of the samples, (N, outputs), summed and divided by a library's own `sum` and `mean`."""
    if loss.reduction == "mean":
        return terms.sum(axis=1).mean()
    return terms.mean() if loss.reduction == "elements" else terms.sum()


def scaled(loss: Loss, value: Any) -> Any:
    """Nobody writes a factor of 1."""
    return value if loss.scale == 1 else float(loss.scale) * value


def distributions(loss: Any, y: np.ndarray, outputs: int) -> tuple[FloatArray, FloatArray]:
    """Target rows y, and the class weights, for a library whose cross-entropy is written by its user."""
    rows = np.eye(outputs)[y] if y.ndim == 1 else y
    return rows, np.ones(outputs) if loss.class_weights is None else np.array(loss.class_weights)
