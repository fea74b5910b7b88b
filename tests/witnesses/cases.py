"""Cases that the witnesses' tests share."""

from __future__ import annotations

from typing import Any

import numpy as np

import refnn
from refnn import activations, losses
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray

FIELDS = ("outputs", "loss", "gradient", "input_gradient")

SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "SoftmaxCrossEntropy": (
        {},
        {"label_smoothing": 0.1, "class_weights": (0.3, 2.0, 1.7, 0.0), "reduction": "weights", "scale": 1.3},
    ),
    "Huber": ({}, {"delta": 0.4, "reduction": "elements"}),
}
LOSSES = [kind(**settings) for kind in losses.ALL for settings in SETTINGS.get(kind.__name__, ({"scale": 2.5},))]
ACTIVATIONS = [kind() for kind in activations.ALL] + [activations.LeakyReLU(-0.3), activations.ELU(1.7)]

Case = tuple[refnn.Network, FloatArray, FloatArray, np.ndarray]


def case(activation: Any, loss: refnn.Loss, seed: int, inputs: int = 2, hidden: int = 3) -> Case:
    """A small network with 4 outputs, and 5 samples."""
    rng = np.random.default_rng(seed)
    network = refnn.Network(refnn.Dense(inputs, hidden), activation, refnn.Dense(hidden, 4), loss=loss)
    w, x = rng.normal(size=network.size), rng.normal(size=(5, inputs))
    y: np.ndarray = rng.uniform(0, 1, (5, 4))
    if isinstance(loss, refnn.SoftmaxCrossEntropy):
        y = rng.integers(0, 3, 5) if loss.class_weights is None else y / y.sum(axis=1, keepdims=True)
    return network, w, x, y


def differences(asked: Case, testimony: Any) -> dict[str, np.ndarray]:
    """For each field, how far the core is from the testimony, in units of what both admit to.

    The core's own error is bounded by running it on `RoundedArray`, and the witness states its own: 1 is agreement.
    """
    network, w, x, y = asked
    core = network.evaluate(RoundedArray.exact(w), x, y)
    ratios = {}
    for field in FIELDS:
        value, witness = getattr(core, field), np.asarray(getattr(testimony.values, field))
        admitted = value.error + np.asarray(getattr(testimony.errors, field))
        assert value.shape == witness.shape == admitted.shape
        distance = np.abs(value.value - witness)
        ratios[field] = np.divide(distance, admitted, out=np.where(distance > 0, np.inf, 0.0), where=admitted > 0)
    return ratios


def agrees(asked: Case, testimony: Any) -> bool:
    """Whether each number of the core is where the witness says that it is."""
    return all((ratio <= 1).all() for ratio in differences(asked, testimony).values())


def to_the_last_bit(testimony: Any) -> bool:
    """Whether each error is half a unit in the last place, rounded up once, and no more than 1e-48 besides."""
    for field in FIELDS:
        value, error = (np.abs(np.asarray(getattr(part, field))) for part in testimony)
        if not (error <= 0.5 * np.spacing(value) * (1 + 2.0**-52) + 1e-48).all():
            return False
    return True
