"""scikit-learn: the backward pass inside its multi-layer perceptrons, which differentiates by hand.

Its classifier divides by the number of samples and gives the gradient of that, which is refnn's ``"mean"``. So does the
gradient of its regressor, whose loss, however, divides by the number of outputs too.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from refnn import Dense, Layer, Network, activations, losses
from refnn.arrays import FloatArray
from tests.peers.peer import Format, Peer, Raw, parameters_of

ACTIVATIONS: dict[type[Layer], str] = {
    activations.Identity: "identity",
    activations.Sigmoid: "logistic",
    activations.Tanh: "tanh",
    activations.ReLU: "relu",
}
OUTPUTS: dict[type[losses.Loss], str] = {
    losses.SquaredError: "identity",
    losses.SoftmaxCrossEntropy: "softmax",
    losses.BinaryCrossEntropy: "logistic",
}
"""The activation of its last layer, which it takes together with the loss."""


def _supports(network: Network) -> bool:
    """Dense layers with the same activation between them all, a loss without settings, one output of a regressor."""
    dense, between = network.layers[::2], network.layers[1::2]
    alternating = all(isinstance(layer, Dense) for layer in dense) and len(dense) == len(between) + 1
    kinds = {type(layer) for layer in between}
    loss = network.loss_function
    return (
        alternating
        and len(kinds) <= 1
        and all(kind in ACTIVATIONS for kind in kinds)
        and type(loss) in OUTPUTS
        and loss == type(loss)()
        and (not isinstance(loss, losses.SquaredError) or network.outputs == 1)
    )


def _compute(network: Network, w: FloatArray, x: FloatArray, y: np.ndarray, dtype: Format) -> Raw:
    library: Any = importlib.import_module("sklearn.neural_network")
    loss, parameters = network.loss_function, [p.astype(dtype) for p in parameters_of(network, w)]
    between = {ACTIVATIONS[type(layer)] for layer in network.layers if not isinstance(layer, Dense)} or {"identity"}
    kind = library.MLPRegressor if isinstance(loss, losses.SquaredError) else library.MLPClassifier
    estimator = kind(activation=between.pop(), alpha=0)
    estimator.coefs_, estimator.intercepts_ = parameters[::2], parameters[1::2]
    depth = len(estimator.coefs_)
    estimator.n_layers_, estimator.n_outputs_ = depth + 1, len(parameters[-1])
    estimator.out_activation_ = OUTPUTS[type(loss)]
    samples = x.astype(dtype)
    targets = np.eye(len(parameters[-1]))[y] if y.dtype.kind in "iu" else y.reshape(len(x), -1)
    deltas = [np.empty(0)] * depth
    value, weights, biases = estimator._backprop(
        samples, targets.astype(dtype), None, [samples, *deltas], deltas, [*deltas], [*deltas]
    )
    estimator.out_activation_ = "identity"
    z = estimator._forward_pass([samples, *[np.empty(0)] * depth])[-1]
    gradients = [g for pair in zip(weights, biases, strict=True) for g in pair]
    return Raw(z, value, gradients, deltas[0] @ estimator.coefs_[0].T / np.asarray(len(x), dtype))


PEERS = (Peer("scikit-learn", "sklearn", ("float64", "float32"), _supports, _compute),)
