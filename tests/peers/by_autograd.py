"""HIPS autograd, which differentiates NumPy and SciPy; in float64."""

from __future__ import annotations

import importlib
import math
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
    distributions,
    forward,
    knows,
    parameters_of,
    reduced,
    scaled,
)


def _numpy() -> Any:
    return importlib.import_module("autograd.numpy")


def _special() -> Any:
    return importlib.import_module("autograd.scipy.special")


def _gelu_tanh(f: Any, z: Any) -> Any:
    return z / 2 * (1 + _numpy().tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


ACTIVATIONS: ActivationRules = {
    activations.Identity: lambda f, z: z,
    activations.Sigmoid: lambda f, z: _special().expit(z),
    activations.Tanh: lambda f, z: _numpy().tanh(z),
    activations.ReLU: lambda f, z: z * (z > 0),  # the derivative of its maximum is 1/2 at 0
    activations.LeakyReLU: lambda f, z: _numpy().where(z > 0, z, f.slope * z),
    activations.ELU: lambda f, z: _numpy().where(z > 0, z, f.alpha * _numpy().expm1(z)),
    activations.Softplus: lambda f, z: _numpy().logaddexp(0, z),
    activations.SiLU: lambda f, z: z * _special().expit(z),
    activations.GELU: lambda f, z: z / 2 * _special().erfc(-z / math.sqrt(2)),
    activations.GELUTanh: _gelu_tanh,
}


def _cross_entropy(loss: Any, z: Any, y: np.ndarray) -> Any:
    rows, weights = distributions(loss, y, z.shape[1])
    q = weights * ((1 - loss.label_smoothing) * rows + loss.label_smoothing / z.shape[1])
    terms = -q * (z - _special().logsumexp(z, axis=1, keepdims=True))
    return _numpy().sum(terms) / np.sum(rows @ weights) if loss.reduction == "weights" else reduced(loss, terms)


def _binary_cross_entropy(loss: Any, z: Any, y: np.ndarray) -> Any:
    return reduced(loss, y * _numpy().logaddexp(0, -z) + (1 - y) * _numpy().logaddexp(0, z))


def _huber(loss: Any, z: Any, y: np.ndarray) -> Any:
    r = _numpy().abs(z - y)
    return reduced(loss, _numpy().where(r <= loss.delta, r**2 / 2, loss.delta * (r - loss.delta / 2)))


LOSSES: LossRules = {
    losses.SquaredError: lambda f, z, y: reduced(f, (z - y) ** 2) / 2,
    losses.SoftmaxCrossEntropy: _cross_entropy,
    losses.BinaryCrossEntropy: _binary_cross_entropy,
    losses.Huber: _huber,
    losses.InnerProduct: lambda f, z, y: reduced(f, z * y),
}


def _compute(network: Network, w: FloatArray, x: FloatArray, y: np.ndarray, dtype: Format) -> Raw:
    autograd, loss = importlib.import_module("autograd"), network.loss_function

    def value(everything: Any) -> Any:
        *parameters, samples = everything
        return scaled(loss, LOSSES[type(loss)](loss, forward(network, parameters, samples, ACTIVATIONS), y))

    parameters = parameters_of(network, w)
    of_batch, (*gradients, input_gradient) = autograd.value_and_grad(value)([*parameters, x])
    return Raw(forward(network, parameters, x, ACTIVATIONS), of_batch, gradients, input_gradient)


PEERS = (Peer("autograd", "autograd", ("float64",), lambda network: knows(network, ACTIVATIONS, LOSSES), _compute),)
