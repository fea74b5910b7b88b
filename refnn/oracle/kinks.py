"""Units that stand on a kink, or that cannot be told from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refnn.activations import Activation
from refnn.arithmetic.ball import BallArray
from refnn.network import Network

__all__ = ["NearKink", "near_kinks"]


class NearKink(NamedTuple):
    """A pre-activation whose ball holds a kink of its activation.

    Attributes
    ----------
    layer
        The number of the layer of activations.
    place
        The sample and the unit.
    ball : ()
        The pre-activation.
    """

    layer: int
    place: tuple[int, ...]
    ball: BallArray


def near_kinks(network: Network, w: BallArray, x: BallArray) -> list[NearKink]:
    """Every pre-activation whose ball holds a kink, at the working precision."""
    found = []
    inputs = network.forward(network.parameters(w), x)
    for k, layer in enumerate(network.layers):
        for kink in layer.kinks if isinstance(layer, Activation) else ():
            for index in np.argwhere(np.frompyfunc(lambda z, at=kink: at in z, 1, 1)(inputs[k].elements)):
                place = tuple(int(i) for i in index)
                found.append(NearKink(k, place, BallArray(np.asarray(inputs[k].elements[place], object))))
    return found
