"""Probabilities as a layer: the values of mpmath, their derivatives, and what they are to the losses."""

from __future__ import annotations

from itertools import chain
from typing import Any

import mpmath
import numpy as np
import pytest

import refnn
from refnn import losses
from refnn.layers import Layer
from refnn.losses import Loss
from refnn.network import Network
from refnn.search.squashing import SQUASHING, Softmax

Z = np.array([[0.5, -1.25, 3.0, 0.0], [-700.0, 2.0, 1.0, 1.5]])
DELTA = np.array([[1.0, -2.0, 0.25, 7.0], [3.0, 0.5, -1.0, 0.125]])

P: Any = [[mpmath.exp(v) / mpmath.fsum(map(mpmath.exp, row)) for v in row] for row in Z.tolist()]
"""The probabilities, row by row, to more digits than a float has."""


def test_probabilities_are_those_of_mpmath() -> None:
    """Of log p, three numbers of its size or less are rounded: that error is the relative one of p, with one of exp."""
    p = Softmax().forward((), Z)
    for value, true in zip(p.ravel(), chain(*P), strict=True):
        assert abs(value - true) <= 2.0**-53 * (4 * abs(mpmath.log(true)) + 4) * true


def test_each_row_is_one_distribution() -> None:
    p = Softmax().forward((), Z)
    assert np.abs(p.sum(1) - 1).max() < 16 * 2.0**-53
    assert (Softmax().forward((), Z[1:]) == p[1:]).all()


def test_large_logits_do_not_overflow() -> None:
    assert Softmax().forward((), np.array([[1e300, -1e300, 0.0]])).tolist() == [[1, 0, 0]]
    assert Softmax().backward((), np.array([[1e300, -1e300, 0.0]]), np.ones((1, 3))).tolist() == [[0, 0, 0]]


def test_what_is_handed_back_is_the_product_with_the_jacobian() -> None:
    """∂pᵢ/∂zⱼ = pᵢ(δᵢⱼ − pⱼ): so J of a row is diag(p) − ppᵀ, and ten roundings of numbers up to 8 are few."""
    found = Softmax().backward((), Z, DELTA)
    for row, p, delta in zip(found, P, DELTA.tolist(), strict=True):
        for j, value in enumerate(row):
            true = mpmath.fsum(delta[i] * p[i] * ((i == j) - p[j]) for i in range(4))
            assert abs(value - true) <= 10 * 8 * 2.0**-53


def test_it_is_a_layer_of_any_width_without_parameters() -> None:
    network = Network(refnn.Dense(2, 3), Softmax(), loss=refnn.SquaredError())
    assert (Softmax().inputs, Softmax().outputs, dict(Softmax().shapes)) == (None, None, {})
    assert (network.outputs, network.size) == (3, 9)
    assert Softmax().gradient((), Z, DELTA) == ()


@pytest.mark.parametrize("kind", losses.ALL)
def test_losses_of_logits_are_those_whose_derivative_is_a_probability_less_the_target(kind: type[Loss]) -> None:
    """All numbers are up to 3, and a dozen roundings are less than 64 units of 1."""
    z, labels = np.array([[0.5, -1.25, 3.0]]), np.array([[0.0, 1.0, 0.0]])
    derivative = kind(reduction="sum").differentiate(z, labels)[1]
    layers: tuple[Layer, ...] = (refnn.Sigmoid(), Softmax())
    fitting = [layer for layer in layers if np.abs(layer.forward((), z) - labels - derivative).max() < 64 * 2.0**-53]
    assert fitting == ([SQUASHING[kind]] if kind in SQUASHING else [])
