"""What is asked of the oracle: a network and a batch of floats, and a direction in the space of its parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from refnn.arrays import A, Arithmetic, FloatArray
from refnn.checks import finite, instance, real_array, representable
from refnn.errors import DTypeError, ShapeError
from refnn.network import Evaluation, Network

__all__ = ["answer", "batch", "blocks", "direction"]


def batch(network: Network, w: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Copies of w, x and the targets as the network takes them, all of floats."""
    instance("network", network, ("unpack", "differentiate"), "Pass a refnn.Network")
    for name, given in {"w": w, "x": x}.items():
        if isinstance(given, Arithmetic):
            raise DTypeError(
                f"{name} is a {type(given).__name__}",
                "the question is about floats, and the oracle chooses the arithmetic",
                f"Pass {name} as an array of floats, or call network.evaluate on the {type(given).__name__}",
            )
    checked_w, checked_x = network.check(w, x)
    return checked_w.copy(), checked_x.copy(), network.check_targets(checked_w, checked_x, y).copy()


def direction(name: str, given: ArrayLike, size: int) -> FloatArray:
    """A copy of a vector with one number for each parameter."""
    v = finite(name, real_array(name, given, np.dtype(np.float64)))
    if v.shape != (size,):
        raise ShapeError(
            f"{name} has shape {v.shape}, expected ({size},)",
            "it has one number for each parameter",
            "Pass a vector in the order of w; network.pack makes one from parameters by name",
        )
    return v.copy()


def answer(network: Network, w: A, x: A, labels: FloatArray) -> Evaluation[A, A]:
    """The four fields for a batch that has been checked, in any arithmetic."""
    outputs, loss, gradient, delta = representable("the answer", network.differentiate, w, x, labels)
    backward = network.layers[0].backward
    return Evaluation(
        outputs, loss, gradient, representable("the answer", backward, network.parameters(w)[0], x, delta)
    )


def blocks(network: Network, fields: Evaluation[FloatArray, FloatArray]) -> dict[str, FloatArray]:
    """The parts of which something is said as a whole: outputs, loss, each parameter's gradient, the input gradient."""
    parts = {"outputs": fields.outputs, "loss": fields.loss, **network.unpack(fields.gradient)}
    return {**parts, "input_gradient": fields.input_gradient}
