"""Units on a kink, and units that only a wider ball puts there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import pytest

import refnn
from refnn import activations
from refnn.arithmetic.ball import BallArray, arb, working_precision
from refnn.arrays import A, maximum, where_positive
from refnn.oracle.kinks import NearKink, near_kinks


def kinks_of(network: refnn.Network, w: list[float], x: list[list[float]]) -> list[NearKink]:
    with working_precision(128):
        return near_kinks(network, BallArray.exact(np.array(w)), BallArray.exact(np.array(x)))


def places(found: list[NearKink]) -> list[tuple[int, tuple[int, ...]]]:
    return [(kink.layer, kink.place) for kink in found]


@final
@dataclass(frozen=True, slots=True)
class Clipped(refnn.Activation):
    """min(max(z, −1), 1), with two kinks and none at 0."""

    @property
    def kinks(self) -> tuple[int, ...]:
        return (-1, 1)

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        return maximum(-maximum(-z, -1), -1)

    def derivative(self, z: A) -> A:
        return where_positive(z + 1, where_positive(1 - z, 1, 0), 0)


@pytest.mark.parametrize("kind", activations.ALL)
def test_the_kinked_activations_are_kinked_at_zero(kind: type[refnn.Activation]) -> None:
    network = refnn.Network(kind(), loss=refnn.InnerProduct())
    found = kinks_of(network, [], [[0.0, 1.0, -1.0], [5e-324, -0.0, -5e-324]])
    assert places(found) == ([(0, (0, 0)), (0, (1, 1))] if kind().kinks else [])


def test_the_layer_the_sample_and_the_unit_are_named() -> None:
    """z = (x₀ − x₁, x₀ + x₁): the first unit stands at 0 for the second sample, the second one for the third."""
    network = refnn.Network(refnn.Dense(2, 2), refnn.ReLU(), refnn.Dense(2, 1), refnn.Tanh(), loss=refnn.InnerProduct())
    w = [1.0, 1.0, -1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]
    found = kinks_of(network, w, [[2.0, 1.0], [3.0, 3.0], [0.5, -0.5]])
    assert places(found) == [(1, (1, 0)), (1, (2, 1))]
    assert all(kink.ball.shape == () and kink.ball.elements.item().is_zero() for kink in found)


def test_kinks_elsewhere() -> None:
    network = refnn.Network(Clipped(), loss=refnn.InnerProduct())
    found = kinks_of(network, [], [[0.0, 1.0, -1.0], [1 + 2.0**-52, -2.0, 1.0]])
    assert places(found) == [(0, (0, 2)), (0, (0, 1)), (0, (1, 2))]


def test_a_ball_that_holds_the_kink_is_near_it_and_one_that_does_not_is_not() -> None:
    network = refnn.Network(refnn.ReLU(), loss=refnn.InnerProduct())
    balls = [arb(1, 1), arb(1, 0.5), arb(0, 2.0**-200), arb((1, -(10**9)), (1, -(10**9))), arb((1, -(10**9)))]
    found = near_kinks(network, BallArray.exact(np.zeros(0)), BallArray(np.array([balls], object)))
    assert places(found) == [(0, (0, 0)), (0, (0, 2)), (0, (0, 3))]
    assert found[0].ball.elements.item().contains(arb(2))
