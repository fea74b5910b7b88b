"""What a gradient is: the slopes along the axes, and the steepest of all slopes.

What is asserted here for floats is proved in proofs: dense-weight, dense-bias, backprop-network, backprop-network-last;
and in proofs: slope-along-an-axis, slope-along-the-gradient, steepest-ascent, steepest-descent.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import Dense, Network, SquaredError, Tanh, activations, losses
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray
from refnn.testing import cases, networks
from tests.laws.measures import FRACTIONS, UndecidedError, difference, examples, undecided_set_aside
from tests.laws.ranges import EPS

SEEDS = st.integers(0, 2**32 - 1)


def narrow(activation: type[activations.Activation], loss: type[losses.Loss]) -> Any:
    """Small cases of an activation and a loss."""
    return cases(networks(depth=2, widths=(1, 2, 3, 5), activations=[activation], losses=[loss]), **FRACTIONS)


def isolates(network: Network, w: FloatArray, j: int, partial: float, error: float, x: Any, y: Any) -> None:
    """Assert that `partial` is the slope of L as a function of w[j] alone."""
    slope = difference(network, w, np.eye(len(w))[j], x, y)
    assert abs(slope.value - partial) <= slope.error + error


def steepest(network: Network, w: FloatArray, g: FloatArray, error: FloatArray, u: FloatArray, x: Any, y: Any) -> None:
    """Assert that the slope along u, of length 1, is at most ‖g‖, and along g/‖g‖ is ‖g‖.

    A computed unit vector is as long as 1 to within P + 3 roundings: P products and sums, a root and a quotient.
    """
    norm = float(np.sqrt(g @ g))
    if norm == 0:
        raise UndecidedError("there is no slope")
    along_u, along_g = (difference(network, w, v / np.sqrt(v @ v), x, y) for v in (u, g))
    slack = (len(w) + 3) * EPS * norm + float(np.sqrt(error @ error))
    assert abs(along_u.value) <= norm + slack + along_u.error
    assert abs(along_g.value - norm) <= slack + along_g.error


@pytest.mark.parametrize("loss", losses.ALL)
@pytest.mark.parametrize("activation", activations.ALL)
@examples(0.15)
@given(data=st.data())
def test_each_partial_derivative_isolates_one_variable(
    activation: type[activations.Activation], loss: type[losses.Loss], data: st.DataObject
) -> None:
    (network, w, x, y), seed = data.draw(st.tuples(narrow(activation, loss), SEEDS))
    _, gradient = network.loss_and_gradient(RoundedArray.exact(w), x, y)
    with undecided_set_aside():
        for j in np.random.default_rng(seed).permutation(network.size)[:3]:
            isolates(network, w, j, float(gradient.value[j]), float(gradient.error[j]), x, y)


@pytest.mark.parametrize("loss", losses.ALL)
@pytest.mark.parametrize("activation", activations.ALL)
@examples(0.15)
@given(data=st.data())
def test_no_slope_exceeds_the_length_of_the_gradient_and_along_it_is_that(
    activation: type[activations.Activation], loss: type[losses.Loss], data: st.DataObject
) -> None:
    (network, w, x, y), seed = data.draw(st.tuples(narrow(activation, loss), SEEDS))
    _, gradient = network.loss_and_gradient(RoundedArray.exact(w), x, y)
    u = np.random.default_rng(seed).normal(size=w.shape)
    with undecided_set_aside():
        steepest(network, w, gradient.value, gradient.error, u, x, y)


# ------------------------------------------------------------------------------------------ the checker sees its faults

NETWORK = Network(Dense(3, 3), Tanh(), Dense(3, 2), loss=SquaredError())
W = np.sin(np.arange(1.0, NETWORK.size + 1))
X, Y = np.cos(np.arange(15.0)).reshape(5, 3), np.sin(np.arange(10.0)).reshape(5, 2)
G = NETWORK.loss_and_gradient(W, X, Y)[1]
NO_ERROR = np.zeros_like(W)


def faulty_gradients() -> dict[str, FloatArray]:
    transposed = G.copy()
    NETWORK.unpack(transposed)["0.weight"][:] = NETWORK.unpack(G)["0.weight"].T
    without_bias = G.copy()
    NETWORK.unpack(without_bias)["2.bias"][:] = 0
    return {
        "scale": 5 * G,
        "a thousandth": 1.001 * G,
        "sign": -G,
        "transposed": transposed,
        "no bias": without_bias,
    }


@pytest.mark.parametrize("fault", faulty_gradients())
def test_a_faulty_gradient_is_not_the_steepest_slope(fault: str) -> None:
    steepest(NETWORK, W, G, NO_ERROR + EPS, W, X, Y)
    with pytest.raises(AssertionError):
        steepest(NETWORK, W, faulty_gradients()[fault], NO_ERROR + EPS, G, X, Y)


@pytest.mark.parametrize("fault", faulty_gradients())
def test_a_faulty_partial_derivative_is_seen(fault: str) -> None:
    wrong = faulty_gradients()[fault]
    j = int(np.argmax(abs(wrong - G)))
    isolates(NETWORK, W, j, float(G[j]), EPS, X, Y)
    with pytest.raises(AssertionError):
        isolates(NETWORK, W, j, float(wrong[j]), EPS, X, Y)


def test_the_slope_along_any_unit_vector_by_hand() -> None:
    # L = ½(3w₀ + w₁ − 5)² at (2, 1): the residual is 2, the gradient (6, 2), its length √40.
    network = Network(Dense(1, 1), loss=SquaredError())
    slope = difference(network, np.array([2.0, 1.0]), np.array([0.6, 0.8]), [[3.0]], [[5.0]])
    assert abs(slope.value - (6 * 0.6 + 2 * 0.8)) <= slope.error + EPS * 8
    assert slope.value < math.sqrt(40)
