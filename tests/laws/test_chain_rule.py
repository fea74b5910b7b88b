"""Forward and reverse mode are adjoint: the gradient times a direction is the derivative along that direction.

What is asserted here for floats is proved in proofs: vjp-adjoint, forward-reverse, layer-question.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import Dense, Network, SquaredError, Tanh, activations, losses
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray, total
from refnn.testing import cases, networks
from tests.laws.measures import FRACTIONS, agree, examples

SEEDS = st.integers(0, 2**32 - 1)


def forward(network: Network, w: FloatArray, v: FloatArray, x: Any, y: Any) -> RoundedArray:
    """The derivative of the loss along v, by dual numbers; no backward pass is used."""
    slope: RoundedArray = network.loss(DualArray(RoundedArray.exact(w), RoundedArray.exact(v)), x, y).tangent
    return slope


def reverse(gradient: RoundedArray, v: FloatArray) -> RoundedArray:
    """The gradient times v."""
    product: RoundedArray = total(gradient * RoundedArray.exact(v))
    return product


@pytest.mark.parametrize("loss", losses.ALL)
@pytest.mark.parametrize("activation", activations.ALL)
@examples(0.15)
@given(data=st.data())
def test_reverse_and_forward_mode_are_adjoint(
    activation: type[activations.Activation], loss: type[losses.Loss], data: st.DataObject
) -> None:
    """For `InnerProduct` that is the dot-product test, of a layer or of a whole network."""
    network, w, x, y = data.draw(
        cases(networks(depth=2, widths=(1, 2, 3, 5), activations=[activation], losses=[loss]), **FRACTIONS)
    )
    v = np.random.default_rng(data.draw(SEEDS)).normal(size=w.shape)
    _, gradient = network.loss_and_gradient(RoundedArray.exact(w), x, y)
    assert agree(reverse(gradient, v), forward(network, w, v, x, y))


@pytest.mark.parametrize("factor", [0.999, 1.001, -1, 0])
def test_the_law_sees_a_wrong_gradient(factor: float) -> None:
    network = Network(Dense(3, 2), Tanh(), Dense(2, 5), loss=SquaredError())
    w = np.sin(np.arange(1.0, network.size + 1))
    x, y = np.cos(np.arange(12.0)).reshape(4, 3), np.sin(np.arange(20.0)).reshape(4, 5)
    v = np.cos(np.arange(1.0, network.size + 1))
    _, gradient = network.loss_and_gradient(RoundedArray.exact(w), x, y)
    assert agree(reverse(gradient, v), forward(network, w, v, x, y))
    wrong = gradient.value.copy()
    wrong[0] *= factor
    assert not agree(reverse(RoundedArray(wrong, gradient.error), v), forward(network, w, v, x, y))
