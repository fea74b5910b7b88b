"""What changes nothing, or changes everything alike.

What is asserted here for floats is proved in
proofs: softmax-shift, softmax-zero-sum, reduction-mean, reduction-sum, tanh-odd, relu-gate, relu-gate-left, silu-gate,
proofs: gelu-gate, gelutanh-gate.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from refnn import Dense, Network, SoftmaxCrossEntropy, activations, losses
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray, IntArray, constant, join, total
from refnn.testing import Case, cases, networks, ordinary_values
from tests.laws.measures import agree, examples

ODD = {activations.Identity, activations.Tanh}
HOMOGENEOUS = {activations.Identity, activations.ReLU, activations.LeakyReLU}
GATED = {activations.ReLU, activations.SiLU, activations.GELU, activations.GELUTanh, activations.Softplus}
"""f(z) − f(−z) = z, for f(z) = z·p(z) with p(z) + p(−z) = 1, and for softplus, of which ReLU is the limit."""


def both(case: Case) -> tuple[RoundedArray, RoundedArray]:
    """Loss and gradient with bounds on their errors."""
    network, w, x, y = case
    return network.loss_and_gradient(RoundedArray.exact(w), x, y)


def orders(n: int, seed: int) -> IntArray:
    return np.random.default_rng(seed).permutation(n)


SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("loss", losses.ALL)
@pytest.mark.parametrize("activation", activations.ALL)
def test_the_order_of_the_samples_is_of_no_consequence(
    activation: type[activations.Activation], loss: type[losses.Loss]
) -> None:
    @examples(0.2)
    @given(cases(networks(activations=[activation], losses=[loss])), SEEDS)
    def law(case: Case, seed: int) -> None:
        order = orders(len(case.x), seed)
        permuted = case._replace(x=case.x[order], y=case.y[order])
        for a, b in zip(both(case), both(permuted), strict=True):
            assert agree(a, b)
        network, w = case.network, RoundedArray.exact(case.w)
        outputs, moved = network.predict(w, case.x), network.predict(w, permuted.x)
        assert agree(RoundedArray(outputs.value[order], outputs.error[order]), moved)

    law()


@pytest.mark.parametrize("loss", losses.ALL)
@pytest.mark.parametrize("activation", activations.ALL)
def test_the_order_of_hidden_units_is_of_no_consequence(
    activation: type[activations.Activation], loss: type[losses.Loss]
) -> None:
    @examples(0.2)
    @given(cases(networks(depth=2, activations=[activation], losses=[loss])), SEEDS)
    def law(case: Case, seed: int) -> None:
        network, w = case.network, case.w
        order = orders(network.unpack(w)["0.bias"].size, seed)
        permuted = case._replace(w=hidden_reordered(network, w, order))
        (loss_a, gradient_a), (loss_b, gradient_b) = both(case), both(permuted)
        assert agree(loss_a, loss_b)
        moved = (hidden_reordered(network, part, order) for part in (gradient_a.value, gradient_a.error))
        assert agree(RoundedArray(next(moved), next(moved)), gradient_b)

    law()


def hidden_reordered(network: Network, w: FloatArray, order: IntArray) -> FloatArray:
    """The same vector with the hidden units of a network Dense, activation, Dense in another order."""
    p = network.unpack(w)
    names = ("0.weight", "0.bias", "2.weight", "2.bias")
    return network.pack(
        dict(zip(names, (p[names[0]][:, order], p[names[1]][order], p[names[2]][order], p[names[3]]), strict=True))
    )


@pytest.mark.parametrize("loss", losses.ALL)
def test_a_batch_twice_is_the_same_mean_and_twice_the_sum(loss: type[losses.Loss]) -> None:
    @examples(1)
    @given(cases(networks(losses=[loss])))
    def law(case: Case) -> None:
        twice = case._replace(x=np.concatenate([case.x, case.x]), y=np.concatenate([case.y, case.y]))
        factor = 2 if case.network.loss_function.reduction == "sum" else 1
        for a, b in zip(both(case), both(twice), strict=True):
            assert agree(factor * a, b)

    law()


@pytest.mark.parametrize("loss", losses.ALL)
def test_scaling_the_loss_scales_its_gradient(loss: type[losses.Loss]) -> None:
    @examples(1)
    @given(cases(networks(losses=[loss()])), st.sampled_from((2, 3, Fraction(1, 3), 0.1)))
    def law(case: Case, scale: float | Fraction) -> None:
        scaled = case._replace(network=Network(*case.network.layers, loss=loss(scale=scale)))
        for a, b in zip(both(case), both(scaled), strict=True):
            assert agree(a * constant(a, scale), b)

    law()


@given(cases(networks(depth=2, losses=[SoftmaxCrossEntropy])), ordinary_values())
def test_shifting_all_logits_changes_nothing(case: Case, shift: float) -> None:
    network, w, x, y = case
    network = Network(*network.layers[:3], loss=network.loss_function)  # the last dense layer gives the logits
    by = network.unpack(np.zeros_like(w))
    by["2.bias"][:] = shift
    loss_a, gradient_a = network.loss_and_gradient(RoundedArray.exact(w), x, y)
    loss_b, gradient_b = network.loss_and_gradient(RoundedArray.exact(w) + RoundedArray.exact(network.pack(by)), x, y)
    assert agree(loss_a, loss_b)
    assert agree(gradient_a, gradient_b)
    sum_over_classes = total(network.unpack(gradient_a)["2.bias"])  # the slope of L along that shift
    assert agree(sum_over_classes, RoundedArray.exact(np.zeros(())))


# ------------------------------------------------------------------------------------------------- of each activation


def applied(activation: activations.Activation, z: FloatArray) -> RoundedArray:
    return activation.forward((), RoundedArray.exact(z))


def odd(activation: activations.Activation, z: FloatArray) -> bool:
    """f(−z) = −f(z)."""
    return agree(applied(activation, -z), -applied(activation, z))


def homogeneous(activation: activations.Activation, z: FloatArray) -> bool:
    """f(az) = a f(z) for a = 3, and what follows by differentiating in a: f(z) = z f′(z)."""
    tripled = activation.forward((), 3 * RoundedArray.exact(z))
    slope = activation.derivative(RoundedArray.exact(z))
    value = applied(activation, z)
    return agree(tripled, 3 * value) and agree(RoundedArray.exact(z) * slope, value)


def gated(activation: activations.Activation, z: FloatArray) -> bool:
    """f(z) − f(−z) = z."""
    return agree(applied(activation, z) - applied(activation, -z), RoundedArray.exact(z))


SYMMETRIES: list[Any] = [(odd, ODD), (homogeneous, HOMOGENEOUS), (gated, GATED)]
ROWS = st.tuples(*[st.floats(-30, 30)] * 3).map(lambda z: np.array([z]))


@pytest.mark.parametrize(("symmetry", "members"), SYMMETRIES, ids=["odd", "homogeneous", "gated"])
@pytest.mark.parametrize("activation", activations.ALL)
def test_each_activation_has_its_symmetries_and_no_others(
    activation: type[activations.Activation], symmetry: Any, members: set[type[activations.Activation]]
) -> None:
    if activation in members:

        @given(ROWS)
        def law(z: FloatArray) -> None:
            assert symmetry(activation(), z)

        law()
    else:  # which also shows that the law can fail
        find(
            ROWS, lambda z: not symmetry(activation(), z), settings=settings(max_examples=1000, phases=[Phase.generate])
        )


@pytest.mark.parametrize("activation", [kind for kind in activations.ALL if kind in HOMOGENEOUS])
def test_a_scale_can_move_from_one_layer_to_the_next(activation: type[activations.Activation]) -> None:
    @given(cases(networks(depth=2, activations=[activation])))
    def law(case: Case) -> None:
        network, w, x, _ = case
        network = Network(*network.layers[:3], loss=network.loss_function)
        p = network.unpack(RoundedArray.exact(w))
        moved = [p["0.weight"] * 3, p["0.bias"] * 3, p["2.weight"] / 3, p["2.bias"]]
        assert agree(network.predict(RoundedArray.exact(w), x), network.predict(join(*moved), x))

    law()


@pytest.mark.parametrize("activation", [kind for kind in activations.ALL if kind in ODD])
def test_the_sign_of_a_hidden_unit_is_of_no_consequence(activation: type[activations.Activation]) -> None:
    @given(cases(networks(depth=2, activations=[activation])))
    def law(case: Case) -> None:
        network, w, x, _ = case
        network = Network(*network.layers[:3], loss=network.loss_function)
        p = network.unpack(RoundedArray.exact(w))
        moved = [-p["0.weight"], -p["0.bias"], -p["2.weight"], p["2.bias"]]
        assert agree(network.predict(RoundedArray.exact(w), x), network.predict(join(*moved), x))

    law()


def test_the_laws_see_a_sample_and_a_unit_that_count_twice() -> None:
    network = Network(Dense(2, 3), activations.Tanh(), Dense(3, 1), loss=losses.SquaredError())
    w = np.sin(np.arange(1.0, network.size + 1))
    case = Case(network, w, np.array([[1.0, 2.0], [0.0, 1.0], [3.0, 1.0]]), np.array([1.0, 2.0, 0.0]))
    repeated = case._replace(x=case.x[[0, 0, 2]], y=case.y[[0, 0, 2]])
    assert not any(agree(a, b) for a, b in zip(both(case), both(repeated), strict=True))
    same = case._replace(w=hidden_reordered(network, w, np.array([0, 0, 2])))
    assert not agree(both(case)[0], both(same)[0])
