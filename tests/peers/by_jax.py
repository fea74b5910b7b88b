"""JAX, op by op and compiled: `jax.nn`, and losses in the usual idiom, for it has none."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np

from refnn import Network, activations, losses
from refnn.arrays import FloatArray
from tests.peers.peer import (
    FORMATS,
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

LARGEST_OP_BY_OP = 10_000  # parameters
DEEPEST_OP_BY_OP = 3  # layers


def _nn() -> Any:
    return importlib.import_module("jax.nn")


def _numpy() -> Any:
    return importlib.import_module("jax.numpy")


ACTIVATIONS: ActivationRules = {
    activations.Identity: lambda f, z: z,
    activations.Sigmoid: lambda f, z: _nn().sigmoid(z),
    activations.Tanh: lambda f, z: _numpy().tanh(z),
    activations.ReLU: lambda f, z: _nn().relu(z),
    activations.LeakyReLU: lambda f, z: _nn().leaky_relu(z, f.slope),
    activations.ELU: lambda f, z: _nn().elu(z, f.alpha),
    activations.Softplus: lambda f, z: _nn().softplus(z),
    activations.SiLU: lambda f, z: _nn().silu(z),
    activations.GELU: lambda f, z: _nn().gelu(z, approximate=False),
    activations.GELUTanh: lambda f, z: _nn().gelu(z, approximate=True),
}


def _cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    rows = _nn().one_hot(y, z.shape[1], dtype=z.dtype) if y.ndim == 1 else y
    weights = _numpy().ones(z.shape[1], z.dtype)
    if loss.class_weights is not None:
        weights = _numpy().asarray(loss.class_weights, z.dtype)
    q = weights * ((1 - loss.label_smoothing) * rows + loss.label_smoothing / z.shape[1])
    terms = -q * _nn().log_softmax(z)
    return terms.sum() / (rows @ weights).sum() if loss.reduction == "weights" else reduced(loss, terms)


def _binary_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    return reduced(loss, -y * _nn().log_sigmoid(z) - (1 - y) * _nn().log_sigmoid(-z))


def _huber(loss: Any, z: Any, y: Any) -> Any:
    r = abs(z - y)
    return reduced(loss, _numpy().where(r <= loss.delta, r**2 / 2, loss.delta * (r - loss.delta / 2)))


LOSSES: LossRules = {
    losses.SquaredError: lambda f, z, y: reduced(f, (z - y) ** 2) / 2,
    losses.SoftmaxCrossEntropy: _cross_entropy,
    losses.BinaryCrossEntropy: _binary_cross_entropy,
    losses.Huber: _huber,
    losses.InnerProduct: lambda f, z, y: reduced(f, z * y),
}


@cache
def _function(network: Network, compiled: bool) -> Any:
    """One for each network, for a compilation takes longer than all else."""
    jax, loss = importlib.import_module("jax"), network.loss_function

    def value(parameters: Any, samples: Any, targets: Any) -> Any:
        z = forward(network, parameters, samples, ACTIVATIONS)
        return scaled(loss, LOSSES[type(loss)](loss, z, targets)), z

    differentiated = jax.value_and_grad(value, argnums=(0, 1), has_aux=True)
    return jax.jit(differentiated) if compiled else differentiated


def _compute(compiled: bool, network: Network, w: FloatArray, x: FloatArray, y: np.ndarray, dtype: Format) -> Raw:
    with importlib.import_module("jax").enable_x64(dtype == "float64"):
        parameters = [_numpy().asarray(p, dtype) for p in parameters_of(network, w)]
        samples, targets = _numpy().asarray(x, dtype), _numpy().asarray(y, None if y.dtype.kind in "iu" else dtype)
        (value, outputs), (gradients, of_x) = _function(network, compiled)(parameters, samples, targets)
        return Raw(np.asarray(outputs), np.asarray(value), [np.asarray(g) for g in gradients], np.asarray(of_x))


def _supports(network: Network) -> bool:
    return knows(network, ACTIVATIONS, LOSSES)


def _supports_op_by_op(network: Network) -> bool:
    """Large networks are compiled by everybody; op by op, each operation is compiled for each shape."""
    return network.size <= LARGEST_OP_BY_OP and len(network.layers) <= DEEPEST_OP_BY_OP and _supports(network)


PEERS = (
    Peer("jax", "jax", FORMATS, _supports_op_by_op, lambda *question: _compute(False, *question), compiles=True),
    Peer("jax.jit", "jax", FORMATS, _supports, lambda *question: _compute(True, *question), compiles=True),
)
