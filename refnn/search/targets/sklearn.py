"""Multi-layer perceptrons of scikit-learn as targets: their own loss, and the backward pass inside them.

The network is the one that the estimator's loss is of. The loss of the regressor is divided by the number of outputs
too, its gradient is not: with several outputs it is not the gradient of that loss, and a check says so.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, final

import numpy as np

from refnn import activations, losses
from refnn.arrays import FloatArray, IntArray
from refnn.checks import count, shown
from refnn.errors import SettingError, Unsupported
from refnn.layers import Dense, Layer
from refnn.losses import Loss
from refnn.network import Network
from refnn.search.targets.libraries import library

__all__ = ["SklearnTarget", "from_sklearn"]

_ACTIVATIONS: Mapping[str, Callable[[], Layer]] = {
    "identity": activations.Identity,
    "logistic": activations.Sigmoid,
    "tanh": activations.Tanh,
    "relu": activations.ReLU,
}


@final
@dataclass(frozen=True, slots=True, eq=False)
class SklearnTarget:
    """A perceptron of scikit-learn as a target; made by `from_sklearn`.

    Parameters
    ----------
    network
        The network that its loss is of; it answers for no other.
    estimator
        The target's own.
    """

    network: Network
    estimator: Any = field(repr=False)

    @property
    def networks(self) -> Network:
        """The one network that it can be asked about, for `refnn.check`."""
        return self.network

    def __call__(self, network: Network, w: FloatArray, x: FloatArray, y: FloatArray | IntArray) -> dict[str, Any]:
        """Outputs, loss and gradient, in the dtype of w; it has no input gradient.

        Raises
        ------
        refnn.Unsupported
            If it is another network, or neither float64 nor float32, which are all that scikit-learn computes in.
        """
        if network != self.network:
            raise Unsupported("another network than the estimator's own")
        if w.dtype not in (np.float64, np.float32):
            raise Unsupported(w.dtype.name)
        estimator, parameters = copy.copy(self.estimator), list(network.unpack(w).values())
        estimator.coefs_, estimator.intercepts_ = parameters[::2], parameters[1::2]
        depth, outputs = len(estimator.coefs_), len(parameters[-1])
        estimator.n_layers_, estimator.n_outputs_ = depth + 1, outputs
        targets = np.eye(outputs, dtype=w.dtype)[y] if y.dtype.kind in "iu" else y.reshape(len(x), outputs)
        empty = [np.empty(0)] * depth  # what it fills, it replaces
        loss, weights, biases = estimator._backprop(  # noqa: SLF001 - where scikit-learn has its gradient
            x, targets, None, [x, *empty], [*empty], [*empty], [*empty]
        )
        estimator.out_activation_ = "identity"  # for its outputs are probabilities
        (*_, logits) = estimator._forward_pass([x, *empty])  # noqa: SLF001 - likewise
        gradients = (g for pair in zip(weights, biases, strict=True) for g in pair)
        return {"outputs": logits, "loss": loss, "gradient": dict(zip(network.names(), gradients, strict=True))}


def from_sklearn(estimator: Any, *, inputs: int, outputs: int) -> SklearnTarget:
    """A target from a multi-layer perceptron of scikit-learn.

    Parameters
    ----------
    estimator
        An ``MLPClassifier`` or an ``MLPRegressor``, with ``alpha=0``; fitted or not. It is copied.
    inputs, outputs
        The widths. A classifier has one output for two classes, which are told apart by a sigmoid; and one for each
        class, if there are more.

    Returns
    -------
    SklearnTarget

    Raises
    ------
    SettingError
        If it is another estimator, or one of its settings has no equal in refnn.
    MissingExtraError
        If scikit-learn is not installed, or older than 1.7, whose backward pass is called in another way.

    Examples
    --------
    Three classes, from four numbers::

        target = from_sklearn(MLPClassifier(hidden_layer_sizes=(8,), alpha=0), inputs=4, outputs=3)
    """
    library("sklearn", "scikit-learn", "1.7", "a target made of an estimator of scikit-learn")
    perceptrons = importlib.import_module("sklearn.neural_network")
    if not isinstance(estimator, (perceptrons.MLPClassifier, perceptrons.MLPRegressor)):
        raise SettingError(
            f"estimator is {shown(estimator)}",
            "of scikit-learn, only its perceptrons compute what refnn does",
            "Pass an MLPClassifier or an MLPRegressor",
        )
    inputs, outputs = count("inputs", inputs), count("outputs", outputs)
    if estimator.alpha != 0:
        raise SettingError(
            f"the estimator has alpha={shown(estimator.alpha)}",
            "it adds a penalty to its loss, which refnn has not",
            "Pass it with alpha=0: estimator.set_params(alpha=0)",
        )
    if estimator.activation not in _ACTIVATIONS:
        raise SettingError(
            f"the estimator has activation={shown(estimator.activation)}",
            "scikit-learn knows no such function",
            f"Choose one of {', '.join(map(repr, _ACTIVATIONS))}",
        )
    loss, last = _loss(estimator, isinstance(estimator, perceptrons.MLPRegressor), outputs)
    hidden = estimator.hidden_layer_sizes
    widths = [inputs, *(hidden if isinstance(hidden, Iterable) else (hidden,)), outputs]
    first, *others = (Dense(*pair) for pair in pairwise(widths))
    between = _ACTIVATIONS[estimator.activation]
    layers: list[Layer] = [first]
    for layer in others:
        layers += [between(), layer]
    own = copy.deepcopy(estimator)
    own.out_activation_ = last
    return SklearnTarget(Network(*layers, loss=loss), own)


def _loss(estimator: Any, regressor: bool, outputs: int) -> tuple[Loss, str]:
    """The loss, and what scikit-learn calls the activation of the last layer, which goes with it."""
    if regressor:
        if estimator.loss != "squared_error":
            raise SettingError(
                f"the estimator has loss={shown(estimator.loss)}",
                "refnn has no loss that equals it",
                "Pass it with loss='squared_error'",
            )
        return losses.SquaredError(reduction="elements"), "identity"
    if outputs == 2:
        raise SettingError(
            "outputs is 2",
            "an MLPClassifier has one output for two classes, and one for each class if there are more",
            "Pass outputs=1 for two classes",
        )
    return (losses.BinaryCrossEntropy(), "logistic") if outputs == 1 else (losses.SoftmaxCrossEntropy(), "softmax")
