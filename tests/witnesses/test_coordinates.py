from __future__ import annotations

import numpy as np
import pytest

import refnn
from refnn.arithmetic.rounded import RoundedArray
from refnn.witnesses.coordinates import along_each, in_double
from tests.witnesses.networks import ORDERS, batch


@pytest.mark.parametrize("layers", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("loss", [refnn.SquaredError(reduction="elements", scale=2), refnn.SoftmaxCrossEntropy()])
def test_it_is_the_loss_with_one_number_moved(layers: tuple[refnn.Layer, ...], loss: refnn.Loss) -> None:
    network = refnn.Network(*layers, loss=loss)
    w, x, y = batch(network)
    labels = network.check_targets(w, x, y)
    step = 0.125

    moved = along_each(network, w, x, labels, np.array(step))

    error = float(network.value(RoundedArray.exact(w), RoundedArray.exact(x), labels).error)
    slack = (
        8 * error
    )  # both losses are rounded; moving a column adds at most as much again; a move changes sizes little
    by_hand = [network.loss(w + step * unit, x, y) for unit in np.eye(network.size)]
    assert np.all(np.abs(moved.gradient - np.array(by_hand)) <= slack)
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            other = x.copy()
            other[n, i] += step
            change = moved.input_gradient[n, i] - along_each(network, w, x, labels, np.array(0.0)).input_gradient[n, i]
            assert abs(change - (network.loss(w, other, y) - network.loss(w, x, y))) <= 2 * slack


def test_a_move_matters() -> None:
    """The test above would pass on a function that moves nothing, if nothing mattered."""
    network = refnn.Network(*ORDERS["three dense layers"], loss=refnn.SquaredError())
    w, x, y = batch(network)
    moved = along_each(network, w, x, network.check_targets(w, x, y), np.array(0.125))
    assert np.all(np.abs(moved.gradient - network.loss(w, x, y)) > 1e-6)


def test_shapes_and_what_is_unmoved() -> None:
    network = refnn.Network(*ORDERS["three dense layers"], loss=refnn.SquaredError())
    w, x, y = batch(network)
    moved = along_each(network, w, x, network.check_targets(w, x, y), np.array(0.125))
    assert moved.gradient.shape == w.shape
    assert moved.input_gradient.shape == x.shape
    assert np.array_equal(moved.outputs, network.predict(w, x))


def test_single_precision_is_widened_exactly() -> None:
    network = refnn.Network(refnn.Dense(5, 2), loss=refnn.SquaredError())
    w, x, y = batch(network)
    narrow = [array.astype(np.float32) for array in (w, x, y)]
    for given, wide in zip(narrow, in_double(network, *narrow), strict=True):
        assert wide.dtype == np.float64
        assert np.array_equal(given, wide)
