"""MyGrad: its own activations and cross-entropy, and losses in its NumPy-like operations."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from refnn import Network, activations, losses
from refnn.arrays import FloatArray
from tests.peers.peer import (
    ActivationRules,
    Format,
    LossRules,
    Peer,
    Raw,
    forward,
    knows,
    parameters_of,
    reduced,
    scaled,
)


def _mygrad() -> Any:
    return importlib.import_module("mygrad")


def _nnet() -> Any:
    return importlib.import_module("mygrad.nnet")


ACTIVATIONS: ActivationRules = {
    activations.Identity: lambda f, z: z,
    activations.Sigmoid: lambda f, z: _nnet().sigmoid(z),
    activations.Tanh: lambda f, z: _mygrad().tanh(z),
    activations.ReLU: lambda f, z: _nnet().relu(z),
    activations.LeakyReLU: lambda f, z: _nnet().leaky_relu(z, f.slope),
    activations.ELU: lambda f, z: _nnet().elu(z, f.alpha),
    activations.Softplus: lambda f, z: _mygrad().logaddexp(z, 0),
    activations.SiLU: lambda f, z: z * _nnet().sigmoid(z),
}


def _binary_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    return reduced(loss, y * _mygrad().logaddexp(-z, 0) + (1 - y) * _mygrad().logaddexp(z, 0))


LOSSES: LossRules = {
    losses.SquaredError: lambda f, z, y: reduced(f, (z - y) ** 2) / 2,
    losses.SoftmaxCrossEntropy: lambda f, z, y: _nnet().softmax_crossentropy(z, y),
    losses.BinaryCrossEntropy: _binary_cross_entropy,
    losses.InnerProduct: lambda f, z, y: reduced(f, z * y),
}


def _supports(network: Network) -> bool:
    """Its cross-entropy knows no settings."""
    loss = network.loss_function
    plain = not isinstance(loss, losses.SoftmaxCrossEntropy) or loss == losses.SoftmaxCrossEntropy(scale=loss.scale)
    return plain and knows(network, ACTIVATIONS, LOSSES)


def _compute(network: Network, w: FloatArray, x: FloatArray, y: np.ndarray, dtype: Format) -> Raw:
    loss = network.loss_function
    parameters = [_mygrad().tensor(p.astype(dtype)) for p in parameters_of(network, w)]
    samples = _mygrad().tensor(x.astype(dtype))
    z = forward(network, parameters, samples, ACTIVATIONS)
    value = scaled(loss, LOSSES[type(loss)](loss, z, y if y.dtype.kind in "iu" else y.astype(dtype)))
    value.backward()
    return Raw(z.data, value.data, [p.grad for p in parameters], samples.grad)


PEERS = (Peer("mygrad", "mygrad", ("float64", "float32"), _supports, _compute),)
