"""What is done to a batch of normal numbers, so that rounding errors differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from refnn import Dense, Network, datasets
from refnn.arrays import FloatArray


class Batch(NamedTuple):
    """Parameters, samples and targets."""

    w: FloatArray
    x: FloatArray
    y: np.ndarray


Change = Callable[[Network, Batch, np.random.Generator], Batch]
"""What makes a batch unkind."""


def outputs_of(network: Network) -> int:
    return next(layer.outputs for layer in reversed(network.layers) if isinstance(layer, Dense))


def samples_times(*factors: float) -> Change:
    """Column j by 10 to a power that goes evenly from the first to the last."""
    return lambda network, b, rng: b._replace(x=b.x * np.geomspace(factors[0], factors[-1], b.x.shape[1]))


def shifted(by: float) -> Change:
    return lambda network, b, rng: b._replace(x=b.x + by)


def weights_times(factor: float) -> Change:
    return lambda network, b, rng: b._replace(w=b.w * factor)


def targets_times(factor: float) -> Change:
    return lambda network, b, rng: b._replace(y=b.y * factor)


def positive_weights(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    return b._replace(w=abs(b.w))


def positive_samples(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    return b._replace(x=abs(b.x))


def collinear(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    """All columns are the first one, but for a thousandth."""
    return b._replace(x=b.x[:, :1] + b.x / 1000)


def distinct_rows(count: int) -> Change:
    """So many different samples with their targets, again and again."""

    def change(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
        chosen = np.arange(len(b.x)) % count
        return b._replace(x=b.x[chosen], y=b.y[chosen])

    return change


def balanced(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    """Equally many of each class, as far as possible, so that the gradient of the bias cancels."""
    return b._replace(y=np.arange(len(b.x)) % outputs_of(network))


def sorted_by_class(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    """Far apart, one class after another: long runs of one sign in every sum over the samples."""
    y = np.sort(b.y)
    return b._replace(x=b.x + y[:, np.newaxis], y=y)


def repeated_units(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    """In every layer all units are the first one, so that the softmax of their outputs is uniform."""
    w = b.w.copy()
    for parameter in network.unpack(w).values():
        parameter[...] = parameter[..., :1]
    return b._replace(w=w)


def few_levels(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    return b._replace(x=rng.choice([0, 0.25, 0.75, 1], size=b.x.shape))


def constant_column(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    x = b.x.copy()
    x[:, -1] = 2.7
    return b._replace(x=x)


def whole_numbers(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    """Small ones, so that many a sum is exactly 0: the kink of ReLU, and exact ties."""
    w, x = (rng.integers(-2, 3, size=a.shape).astype(np.float64) for a in (b.w, b.x))
    return Batch(w, x, np.round(b.y))


def nearly_at_kinks(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    """The first layer's sums are 0 but for rounding: unit j of sample j, by the choice of its bias."""
    w = b.w.copy()
    weight, bias, *_ = network.unpack(w).values()
    bias[:] = [-(b.x[j % len(b.x)] @ weight[:, j]) for j in range(len(bias))]
    return b._replace(w=w)


def pixels(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    """Four in five are black, the others one of 255 greys."""
    grey = rng.integers(1, 256, size=b.x.shape) / 256
    return b._replace(x=np.where(rng.random(b.x.shape) < 0.8, 0, grey))


def irises(*, standardised: bool) -> Change:
    def change(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
        data = datasets.iris().standardised() if standardised else datasets.iris()
        return b._replace(x=np.array(data.x), y=np.array(data.y))

    return change


def probability_rows(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    """Quarters, which every format has."""
    row = np.array([0.5, 0.25, 0.25] + [0] * (outputs_of(network) - 3))
    return b._replace(y=rng.permuted(np.tile(row, (len(b.x), 1)), axis=1))


def fractions_as_targets(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    return b._replace(y=rng.random(b.y.shape))


def same_samples(network: Network, b: Batch, rng: np.random.Generator) -> Batch:
    return b._replace(x=np.tile(b.x[:1], (len(b.x), 1)))


def given(w: Sequence[float], x: Sequence[float], y: np.ndarray) -> Change:
    """One sample that is known beforehand."""
    return lambda network, b, rng: Batch(np.array(w, np.float64), np.array([x], np.float64), y)
