"""Networks and batches for the witnesses: every kind of layer order, dimensions that differ, targets of every kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pytest

import refnn
from refnn.arrays import A, FloatArray, column_sums
from refnn.losses import Loss

Batch: TypeAlias = tuple[FloatArray, FloatArray, Any]
SAMPLES = 7


@dataclass(frozen=True)
class Scale:
    """A user's layer: z = x ∘ a."""

    inputs: int

    @property
    def outputs(self) -> int:
        return self.inputs

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"factor": (self.inputs,)}

    def forward(self, parameters: tuple[A, ...], x: A) -> A:
        return x * parameters[0]

    def backward(self, parameters: tuple[A, ...], x: A, delta: A) -> A:
        return delta * parameters[0]

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        return (column_sums(delta * x),)


ORDERS: dict[str, tuple[refnn.Layer, ...]] = {
    "one dense layer": (refnn.Dense(5, 2),),
    "an activation last": (refnn.Dense(5, 2), refnn.Tanh()),
    "an activation first": (refnn.Sigmoid(), refnn.Dense(5, 2)),
    "two dense layers in a row": (refnn.Dense(5, 3), refnn.Dense(3, 2)),
    "two activations in a row": (refnn.Dense(5, 3), refnn.Softplus(), refnn.Tanh(), refnn.Dense(3, 2)),
    "three dense layers": (refnn.Dense(5, 3), refnn.SiLU(), refnn.Dense(3, 4), refnn.GELU(), refnn.Dense(4, 2)),
    "a layer of one's own": (refnn.Dense(5, 3), Scale(3), refnn.Tanh(), refnn.Dense(3, 2), Scale(2)),
    "no parameters": (refnn.Tanh(), refnn.Softplus()),
}


def batch(network: refnn.Network, seed: int = 0) -> Batch:
    """Parameters, samples and targets of ordinary size for a network."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=network.size)
    x = rng.normal(size=(SAMPLES, network.inputs or 5))
    shape = (SAMPLES, network.outputs or 5)
    targets: dict[type[Loss], Any] = {
        refnn.SoftmaxCrossEntropy: rng.integers(0, shape[1], SAMPLES),
        refnn.BinaryCrossEntropy: rng.random(shape),
    }
    return w, x, targets.get(type(network.loss_function), rng.normal(size=shape))


def forbid_backward(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything that a backward pass is made of raise."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a witness used the backward pass")

    for activation in refnn.activations.ALL:
        monkeypatch.setattr(activation, "derivative", refuse)
    for loss in refnn.losses.ALL:
        monkeypatch.setattr(loss, "derivative", refuse)
    for owner in (refnn.activations.Activation, refnn.Dense, Scale):
        monkeypatch.setattr(owner, "backward", refuse)
        monkeypatch.setattr(owner, "gradient", refuse)
    monkeypatch.setattr(Loss, "differentiate", refuse)
    monkeypatch.setattr(refnn.Network, "backward", refuse)
    monkeypatch.setattr(refnn.Network, "differentiate", refuse)
