"""Backpropagation by hand in NumPy: as textbooks have it, and with every sum in an order of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from refnn import Dense, Layer, Network, activations, losses
from refnn.arrays import FloatArray
from tests.peers.peer import Format, Peer, Raw, distributions, parameters_of, scaled

BLOCK = 16


class Sums(NamedTuple):
    """How the products of two matrices, and the columns of one, are summed."""

    product: Callable[[FloatArray, FloatArray], FloatArray]
    columns: Callable[[FloatArray], FloatArray]


# ------------------------------------------------------------------------------------------------------ orders of sums

Terms = Callable[[int], Any]
"""The k-th term of a sum, an array or a number."""


def sequential(term: Terms, start: int, end: int) -> Any:
    total = term(start)
    for k in range(start + 1, end):
        total = total + term(k)
    return total


def backwards(term: Terms, start: int, end: int) -> Any:
    return sequential(lambda k: term(start + end - 1 - k), start, end)


def pairwise(term: Terms, start: int, end: int) -> Any:
    if end - start == 1:
        return term(start)
    middle = (start + end) // 2
    return pairwise(term, start, middle) + pairwise(term, middle, end)


def blocked(term: Terms, start: int, end: int) -> Any:
    """Blocks are summed, then their sums."""
    starts = range(start, end, BLOCK)
    return sequential(lambda k: sequential(term, starts[k], min(starts[k] + BLOCK, end)), 0, len(starts))


ORDERS: tuple[Callable[[Terms, int, int], Any], ...] = (sequential, backwards, pairwise, blocked)


def summed(order: Callable[[Terms, int, int], Any]) -> Sums:
    """Every product is rounded, then every sum, in this order."""
    return Sums(
        lambda a, b: order(lambda k: np.multiply.outer(a[:, k], b[k]), 0, len(b)),
        lambda z: order(lambda k: z[k], 0, len(z)),
    )


# ------------------------------------------------------------------------------- activations, with their value at hand


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def _normal(z: Any) -> Any:
    """Φ(z), whose function is that of the C library, in float64."""
    erfc = np.vectorize(math.erfc, otypes=[np.float64])
    return erfc(-z / math.sqrt(2)).astype(z.dtype) / 2


def _inner(z: Any) -> Any:
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


def _gelu_tanh_slope(z: Any) -> Any:
    t = np.tanh(_inner(z))
    return (1 + t) / 2 + z / 2 * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)


def _silu_slope(z: Any) -> Any:
    s = sigmoid(z)
    return s + z * s * (1 - s)


ACTIVATIONS: dict[type[Layer], tuple[Callable[[Any, Any], Any], Callable[[Any, Any, Any], Any]]] = {
    activations.Identity: (lambda f, z: z, lambda f, z, h: 1),
    activations.Sigmoid: (lambda f, z: sigmoid(z), lambda f, z, h: h * (1 - h)),
    activations.Tanh: (lambda f, z: np.tanh(z), lambda f, z, h: 1 - h**2),
    activations.ReLU: (lambda f, z: np.maximum(z, 0), lambda f, z, h: z > 0),
    activations.LeakyReLU: (
        lambda f, z: np.where(z > 0, z, f.slope * z),
        lambda f, z, h: np.where(z > 0, z.dtype.type(1), z.dtype.type(f.slope)),
    ),
    activations.ELU: (
        lambda f, z: np.where(z > 0, z, f.alpha * np.expm1(z)),
        lambda f, z, h: np.where(z > 0, z.dtype.type(1), f.alpha * np.exp(z)),
    ),
    activations.Softplus: (lambda f, z: np.logaddexp(0, z), lambda f, z, h: sigmoid(z)),
    activations.SiLU: (lambda f, z: z * sigmoid(z), lambda f, z, h: _silu_slope(z)),
    activations.GELU: (
        lambda f, z: z * _normal(z),
        lambda f, z, h: _normal(z) + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi),
    ),
    activations.GELUTanh: (lambda f, z: z / 2 * (1 + np.tanh(_inner(z))), lambda f, z, h: _gelu_tanh_slope(z)),
}
"""For each kind the function, and its derivative from z and its value h."""


# -------------------------------------------------- losses: the terms, their derivative, and what the sum is divided by


def _squared(sums: Sums, loss: Any, z: Any, y: Any) -> Any:
    return (z - y) ** 2 / 2, z - y


def _huber(sums: Sums, loss: Any, z: Any, y: Any) -> Any:
    r, near = abs(z - y), abs(z - y) <= loss.delta
    return np.where(near, r**2 / 2, loss.delta * (r - loss.delta / 2)), np.where(
        near, z - y, loss.delta * np.sign(z - y)
    )


def _binary(sums: Sums, loss: Any, z: Any, y: Any) -> Any:
    return y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z), sigmoid(z) - y


def _inner_product(sums: Sums, loss: Any, z: Any, y: Any) -> Any:
    return z * y, y


def _softmax(sums: Sums, loss: Any, z: Any, q: Any) -> Any:
    d = z - z.max(axis=1, keepdims=True)
    e = np.exp(d)
    total = sums.columns(e.T)[:, np.newaxis]
    return -q * (d - np.log(total)), e / total * sums.columns(q.T)[:, np.newaxis] - q


LOSSES: dict[type[losses.Loss], Callable[[Sums, Any, Any, Any], Any]] = {
    losses.SquaredError: _squared,
    losses.SoftmaxCrossEntropy: _softmax,
    losses.BinaryCrossEntropy: _binary,
    losses.Huber: _huber,
    losses.InnerProduct: _inner_product,
}


def _targets(sums: Sums, loss: Any, y: np.ndarray, z: Any) -> tuple[Any, Any]:
    """The targets as the loss takes them, and by what it divides."""
    samples, outputs = z.shape
    divisor = {"sum": 1, "mean": samples, "elements": samples * outputs}.get(loss.reduction)
    if not isinstance(loss, losses.SoftmaxCrossEntropy):
        return y.astype(z.dtype), divisor
    rows, weights = (a.astype(z.dtype) for a in distributions(loss, y, outputs))
    q = weights * ((1 - loss.label_smoothing) * rows + loss.label_smoothing / outputs)
    return q, divisor or sums.columns(sums.columns((weights * rows).T))


def _compute(sums: Sums, network: Network, w: FloatArray, x: FloatArray, y: np.ndarray, dtype: Format) -> Raw:
    parameters = [p.astype(dtype) for p in parameters_of(network, w)]
    weights, biases = iter(parameters[::2]), iter(parameters[1::2])
    h: list[Any] = [x.astype(dtype)]
    for layer in network.layers:
        if isinstance(layer, Dense):
            h.append(sums.product(h[-1], next(weights)) + next(biases))
        else:
            h.append(ACTIVATIONS[type(layer)][0](layer, h[-1]))

    loss = network.loss_function
    targets, divisor = _targets(sums, loss, y, h[-1])
    terms, delta = LOSSES[type(loss)](sums, loss, h[-1], targets)
    value = scaled(loss, sums.columns(sums.columns(terms.T)) / divisor)
    delta = scaled(loss, delta / divisor)

    gradients: list[Any] = []
    left = parameters[::2]
    for layer, before, after in reversed(list(zip(network.layers, h, h[1:], strict=False))):
        if isinstance(layer, Dense):
            gradients[:0] = [sums.product(before.T, delta), sums.columns(delta)]
            delta = sums.product(delta, left.pop().T)
        else:
            delta = delta * ACTIVATIONS[type(layer)][1](layer, before, after)
    return Raw(h[-1], value, gradients, delta)


def _peer(name: str, sums: Sums) -> Peer:
    return Peer(
        name,
        "numpy",
        ("float64", "float32"),
        lambda network: all(isinstance(layer, Dense) or type(layer) in ACTIVATIONS for layer in network.layers),
        lambda *question: _compute(sums, *question),
    )


TEXTBOOK = Sums(np.matmul, lambda z: z.sum(axis=0))

PEERS = (_peer("numpy", TEXTBOOK), *(_peer(f"numpy {order.__name__}", summed(order)) for order in ORDERS))
