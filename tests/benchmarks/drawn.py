"""Problems for the benchmarks, drawn by NumPy from numbers that are fixed: the same in every run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import cycle, islice, pairwise, product
from typing import Any, NamedTuple

import numpy as np

from refnn import Dense, Layer, Network, activations, losses
from refnn.activations import ELU, Activation, LeakyReLU
from refnn.arrays import FloatArray, IntArray
from refnn.losses import BinaryCrossEntropy, Huber, Loss, SoftmaxCrossEntropy
from refnn.testing import Case

SMOOTH = tuple(kind for kind in activations.ALL if not kind().kinks)
KINKED = tuple(kind for kind in activations.ALL if kind().kinks)

_WIDTHS = (1, 2, 3, 5, 7, 11, 13, 17)
_BATCHES = (1, 3, 5, 6, 7, 11, 13, 23, 29)


class Classified(NamedTuple):
    """A `Case` whose targets are classes."""

    network: Network
    w: FloatArray
    x: FloatArray
    y: IntArray


def classified(network: Network, samples: int, rng: int = 0) -> Classified:
    """A network of known widths at its initial parameters, with normal samples and classes that have no pattern."""
    if network.inputs is None or network.outputs is None:
        raise TypeError(network)
    source = np.random.default_rng(rng)
    w = network.initial_parameters(rng=source)
    x = source.normal(size=(samples, network.inputs))
    return Classified(network, w, x, source.integers(0, network.outputs, size=samples))


def mixed(kinds: Sequence[type[Activation]], how_many: int) -> Iterator[Case]:
    """Small networks: each of these activations in turn with each loss; all else varies.

    One to three dense layers of different widths; the activation comes after each, or after each but the last. About
    half of the activations of a network are of the kind whose turn it is, the others of any of these kinds.
    """
    for seed, (kind, loss) in enumerate(islice(cycle(product(kinds, losses.ALL)), how_many)):
        rng = np.random.default_rng(seed)
        depth = int(rng.integers(1, 4))
        widths = [int(n) for n in rng.permutation(_WIDTHS)[: depth + 1]]
        if loss is SoftmaxCrossEntropy and widths[-1] == 1:  # the loss of a single class is 0
            widths = [1, *widths[:-1]]
        layers: list[Layer] = []
        for inputs, outputs in pairwise(widths):
            layers += [
                Dense(inputs, outputs),
                _activation(kind if rng.random() < 0.5 else kinds[int(rng.integers(len(kinds)))], rng),
            ]
        network = Network(*layers[: -1 if rng.random() < 0.6 else None], loss=_loss(loss, widths[-1], rng))
        w = network.initial_parameters(rng=rng)
        w += rng.choice((0, 0.1, 0.5)) * rng.normal(size=w.shape)
        samples = int(rng.choice(_BATCHES))
        x = rng.choice((0.3, 1, 3)) * rng.normal(size=(samples, widths[0]))
        yield Case(network, w, x, _targets(network.loss_function, samples, widths[-1], rng))


def _activation(kind: type[Activation], rng: np.random.Generator) -> Activation:
    if kind is LeakyReLU:
        return LeakyReLU(float(rng.choice((0.01, 0.25, -0.5))))
    if kind is ELU:
        return ELU(float(rng.choice((1, 0.5, 1.7))))
    return kind()


def _loss(kind: type[Loss], outputs: int, rng: np.random.Generator) -> Loss:
    options: dict[str, Any] = {
        "reduction": str(rng.choice(kind().reductions())),
        "scale": (1, 2, 0.3, Fraction(1, 3))[rng.integers(4)],
    }
    if kind is Huber:
        options["delta"] = float(rng.choice((1, 0.3, 2.5)))
    if kind is SoftmaxCrossEntropy:
        options["label_smoothing"] = float(rng.choice((0, 0.1)))
        options["class_weights"] = tuple(map(float, rng.choice((1, 0.5, 3), size=outputs)))
    return kind(**options)


def _targets(loss: Loss, samples: int, outputs: int, rng: np.random.Generator) -> FloatArray | IntArray:
    if isinstance(loss, SoftmaxCrossEntropy):
        return rng.integers(0, outputs, size=samples)
    if isinstance(loss, BinaryCrossEntropy):
        return rng.random((samples, outputs)) if rng.random() < 0.5 else rng.integers(0, 2, (samples, outputs)) * 1.0
    return rng.normal(size=(samples, outputs))
