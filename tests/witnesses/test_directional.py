"""Finite differences, complex step and forward mode: their gradients, their own errors, and what stops them.

What is asserted here for floats is proved in proofs: central-difference, richardson.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import refnn
from refnn.arithmetic.rounded import RoundedArray
from refnn.witnesses import NotRunError, complex_step, finite_difference, forward_mode
from tests.witnesses.networks import ORDERS, batch, forbid_backward

WITNESSES = (finite_difference, complex_step, forward_mode)


def worst_ratio(witness: ModuleType, network: refnn.Network, factor: float = 1.0, of: Any = None) -> float:
    """The largest difference to backpropagation (times a factor), over the sum of both error bounds."""
    w, x, y = of or batch(network)
    ours, bounds = network.evaluate(w, x, y), network.evaluate(RoundedArray.exact(np.asarray(w)), x, y)
    testimony = witness.testify(network, w, x, y)
    ratios = [0.0]
    for field in ("gradient", "input_gradient"):
        difference = np.abs(factor * getattr(ours, field) - getattr(testimony.values, field))
        allowed = getattr(bounds, field).error + getattr(testimony.errors, field)
        assert np.all(difference[allowed == 0] == 0)
        ratios.append(float(np.max(difference[allowed > 0] / allowed[allowed > 0], initial=0)))
    return max(ratios)


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize("layers", ORDERS.values(), ids=ORDERS.keys())
def test_every_order_of_layers(witness: ModuleType, layers: tuple[refnn.Layer, ...]) -> None:
    assert worst_ratio(witness, refnn.Network(*layers, loss=refnn.SquaredError())) <= 1


@pytest.mark.unmeasured
@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize("activation", refnn.activations.ALL)
@pytest.mark.parametrize("loss", refnn.losses.ALL)
def test_every_activation_and_loss(
    witness: ModuleType, activation: type[refnn.Activation], loss: type[refnn.Loss]
) -> None:
    network = refnn.Network(refnn.Dense(5, 3), activation(), refnn.Dense(3, 2), loss=loss())
    assert worst_ratio(witness, network) <= 1


@pytest.mark.parametrize(
    ("witness", "fault"), [(finite_difference, 1e-6), (complex_step, 1e-11), (forward_mode, 1e-11)]
)
def test_a_gradient_that_is_off_by_little_is_seen(witness: ModuleType, fault: float) -> None:
    network = refnn.Network(*ORDERS["three dense layers"], loss=refnn.SoftmaxCrossEntropy())
    assert worst_ratio(witness, network, factor=1 + fault) > 1


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize("layers", ORDERS.values(), ids=ORDERS.keys())
def test_no_backward_pass_is_used(
    witness: ModuleType, layers: tuple[refnn.Layer, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_backward(monkeypatch)
    network = refnn.Network(*layers, loss=refnn.SoftmaxCrossEntropy())
    assert witness.testify(network, *batch(network)).values.gradient.shape == (network.size,)
    with pytest.raises(AssertionError, match="backward"):
        network.evaluate(*batch(network))


@pytest.mark.parametrize("kinked", [refnn.ReLU(), refnn.LeakyReLU(), refnn.ELU(alpha=0.5)])
def test_differences_are_not_taken_across_a_kink(kinked: refnn.Layer) -> None:
    network = refnn.Network(refnn.Dense(1, 1), kinked, loss=refnn.SquaredError())
    with pytest.raises(NotRunError, match=r"unit 0 of layer 1 is 0\.0e\+00 from its kink for sample 1"):
        finite_difference.testify(network, [2.0, 1.0], [[3.0], [-0.5]], [1.0, 1.0])
    # deeper in the network a step reaches further: it is magnified by the weights on its way
    deeper = refnn.Network(refnn.Dense(1, 1), refnn.Dense(1, 1), kinked, loss=refnn.SquaredError())
    near = 1e3 * 2.0**-41  # half the reach of the smallest step, which is 2⁻⁴⁰
    with pytest.raises(NotRunError, match="unit 0 of layer 2"):
        finite_difference.testify(deeper, [1.0, 0.0, 1e3, 0.0], [[near / 1e3]], [1.0])


def test_differences_recover_far_from_a_kink_only() -> None:
    """Without the check, the central difference at the kink of ReLU would be ½ with an estimated error near 0."""
    network = refnn.Network(refnn.Dense(1, 1), refnn.ReLU(), loss=refnn.InnerProduct())
    testimony = finite_difference.testify(network, [1.0, 0.0], [[0.01]], [1.0])
    assert testimony.values.gradient is not None
    assert testimony.errors.gradient is not None
    assert np.all(np.abs(testimony.values.gradient - [0.01, 1]) <= testimony.errors.gradient)
    assert np.all(testimony.errors.gradient < 1e-6)


def test_the_errors_of_finite_differences_are_small_and_cover() -> None:
    """L(w) = exp-like in w: the true derivative is known, the estimate covers the error and is no more than 1e-8."""
    network = refnn.Network(refnn.Dense(1, 1), refnn.Softplus(), loss=refnn.InnerProduct())
    testimony = finite_difference.testify(network, [1.0, 0.5], [[2.0]], [1.0])
    logistic = 1 / (1 + np.exp(-2.5))
    assert testimony.values.gradient is not None
    assert testimony.errors.gradient is not None
    assert np.all(np.abs(testimony.values.gradient - logistic * np.array([2, 1])) <= testimony.errors.gradient)
    assert np.all(testimony.errors.gradient < 1e-8)
    assert testimony.values.loss is None


@pytest.mark.parametrize("kinked", [refnn.ReLU(), refnn.LeakyReLU(), refnn.ELU(), refnn.ELU(alpha=0.5)])
@pytest.mark.parametrize("exponent", range(3, 38, 3))
@pytest.mark.parametrize("sign", [1, -1])
def test_differences_stay_on_their_side_of_a_kink(kinked: refnn.Layer, exponent: int, sign: int) -> None:
    network = refnn.Network(refnn.Dense(1, 1), kinked, loss=refnn.SquaredError())
    assert worst_ratio(finite_difference, network, of=([sign * 2.0**-exponent, 0.0], [[1.0]], [[5.0]])) <= 1


@pytest.mark.parametrize("exponent", range(3, 38, 3))
def test_differences_stay_on_their_side_of_the_joint_of_hubers_pieces(exponent: int) -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.Huber(delta=0.5))
    assert worst_ratio(finite_difference, network, of=([0.5 + 2.0**-exponent, 0.0], [[1.0]], [[0.0]])) <= 1
    with pytest.raises(NotRunError, match="joint of Huber"):
        finite_difference.testify(network, [0.5, 0.0], [[1.0]], [0.0])


@pytest.mark.unmeasured
@pytest.mark.parametrize("activation", refnn.activations.ALL)
@pytest.mark.parametrize("seed", range(5))
def test_differences_agree_on_real_data(activation: type[refnn.Activation], seed: int) -> None:
    data = refnn.datasets.iris().standardised()
    network = refnn.Network(refnn.Dense(4, 8), activation(), refnn.Dense(8, 3), loss=refnn.SoftmaxCrossEntropy())
    w = network.initial_parameters(rng=seed)
    assert worst_ratio(finite_difference, network, of=(w, data.x, data.y)) <= 1


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e9])
def test_a_smooth_unit_that_large_weights_make_steep(scale: float) -> None:
    network = refnn.Network(refnn.Dense(1, 1), refnn.Dense(1, 1), refnn.Softplus(), loss=refnn.InnerProduct())
    case = ([1.0 / scale, 0.0, scale, -1.0], [[1.0]], [[1.0]])
    assert worst_ratio(finite_difference, network, of=case) <= 1


def test_numbers_so_large_that_no_step_is_small() -> None:
    network = refnn.Network(refnn.Dense(1, 1), refnn.Tanh(), loss=refnn.SquaredError())
    with pytest.raises(NotRunError, match="w or x holds large numbers"):
        finite_difference.testify(network, [1e30, 0.0], [[1.0]], [1.0])


def test_scales_do_not_matter_to_the_complex_step() -> None:
    network = refnn.Network(refnn.Dense(1, 1), refnn.Softplus(), loss=refnn.SquaredError())
    assert worst_ratio(complex_step, network, of=([0.0, 1.0], [[1e25]], [[5.0]])) <= 1
