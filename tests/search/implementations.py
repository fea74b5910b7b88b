"""Implementations to check: right ones, and wrong ones, by nobody's catalogue."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import refnn
from refnn import Dense, Network
from refnn.strategies import Case
from tests.oracle.faults import FORMATS, Fault


def right(network: Network, w: Any, x: Any, y: Any) -> object:
    return network.loss_and_gradient(w, x, y)


def everything(network: Network, w: Any, x: Any, y: Any) -> object:
    return network.evaluate(w, x, y)._asdict()


def summed(network: Network, w: Any, x: Any, y: Any) -> object:
    """The gradient of the sum, whatever the reduction."""
    loss, gradient = network.loss_and_gradient(w, x, y)
    return loss, len(x) * gradient


def upside_down(network: Network, w: Any, x: Any, y: Any) -> object:
    """The loss is right; its gradient points downhill."""
    loss, gradient = network.loss_and_gradient(w, x, y)
    return loss, -gradient


def without_biases(network: Network, w: Any, x: Any, y: Any) -> object:
    parts = network.unpack(network.loss_and_gradient(w, x, y)[1])
    return {"gradient": {name: part * (0 if "bias" in name else 1) for name, part in parts.items()}}


def in_columns(network: Network, w: Any, x: Any, y: Any) -> object:
    """The gradient's weights are flattened as (outputs, inputs), while w is read as (inputs, outputs)."""
    loss, gradient = network.loss_and_gradient(w, x, y)
    return loss, np.concatenate([part.T.ravel() for part in network.unpack(gradient).values()])


def columns_first(network: Network) -> Any:
    """Where each element of a vector, whose weights are (outputs, inputs), stands in w."""
    places = network.unpack(np.arange(float(network.size)))
    return np.concatenate([place.T.ravel() for place in places.values()]).astype(int)


def inwards(network: Network, w: Any) -> Any:
    """A vector whose weights are (outputs, inputs) as one whose weights are (inputs, outputs)."""
    here = np.empty_like(w)
    here[columns_first(network)] = w
    return here


def of_torch(network: Network, w: Any, x: Any, y: Any) -> object:
    """All weights are (outputs, inputs), in w too."""
    loss, gradient = network.loss_and_gradient(inwards(network, w), x, y)
    return loss, gradient[columns_first(network)]


def in_float32(network: Network, w: Any, x: Any, y: Any) -> object:
    y = y if y.dtype.kind == "i" else y.astype(np.float32)
    loss, gradient = network.loss_and_gradient(w.astype(np.float32), x.astype(np.float32), y)
    return float(loss), gradient.astype(np.float64)


def crashes(network: Network, w: Any, x: Any, y: Any) -> object:
    raise ZeroDivisionError("by no samples")


def hangs(network: Network, w: Any, x: Any, y: Any) -> object:
    time.sleep(60)
    return None


def talks(network: Network, w: Any, x: Any, y: Any) -> object:
    return "about 0.3"


def changes_w(network: Network, w: Any, x: Any, y: Any) -> object:
    answer = network.loss_and_gradient(w, x, y)
    w -= 1
    return answer


def knows_nothing(network: Network, w: Any, x: Any, y: Any) -> object:
    raise refnn.Unsupported("networks")


class Wavering:
    """The last place of the loss differs from one call to the next."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, network: Network, w: Any, x: Any, y: Any) -> object:
        self.calls += 1
        loss, gradient = network.loss_and_gradient(w, x, y)
        return float(np.nextafter(loss, np.inf)) if self.calls % 2 else float(loss), gradient


def cubed(network: Network, w: Any, x: Any, y: Any) -> object:
    """The gradient of the first layer, cubed: what nobody does."""
    parts = network.unpack(network.loss_and_gradient(w, x, y)[1])
    return {"gradient": {name: part**3 if name.startswith("0.") else part for name, part in parts.items()}}


def wrong_outputs(network: Network, w: Any, x: Any, y: Any) -> object:
    """Tanh is followed by a cube."""

    def cube(z: Any) -> Any:
        return z * z * z

    h = x
    for layer, parameters in zip(network.layers, network.parameters(w), strict=True):
        h = layer.forward(parameters, h)
        h = cube(h) if isinstance(layer, refnn.Tanh) else h
    return {"outputs": h}


def planted(fault: Fault) -> Callable[..., object]:
    """A program by hand with a fault of the field, in float64."""

    def answer(network: Network, w: Any, x: Any, y: Any) -> object:
        given = fault.answer(Case(network, w, x, y), FORMATS["float64"])
        return {**given._asdict(), "gradient": dict(given.gradient)}

    return answer


def dense_layers(network: Network) -> int:
    return sum(isinstance(layer, Dense) for layer in network.layers)
