"""What a neuron, a network and a loss are, by their definitions.

What is asserted here for floats is proved in proofs: squared-ray, huber-tangent, bce-tangent, softmax-gibbs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import Dense, Network, activations, losses
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray, expit, log
from refnn.testing import Case, cases, networks, ordinary_values
from tests.definitions import ACTIVATIONS, Real, exact, outside
from tests.laws.measures import agree, examples, number


def sigma(activation: Any) -> Callable[[Real], Real]:
    """The activation by its definition."""
    value, _ = ACTIVATIONS[type(activation)](activation)
    return value


def sums(weight: FloatArray, bias: FloatArray, x: list[Real]) -> list[Real]:
    """Σᵢ wᵢⱼ xᵢ + bⱼ for each neuron j."""
    return [
        sum(exact(row[j]) * value for row, value in zip(weight, x, strict=True)) + exact(b) for j, b in enumerate(bias)
    ]


def composed(network: Network, w: FloatArray, x: FloatArray) -> list[list[Real]]:
    """The network, neuron by neuron and layer by layer."""
    p = network.unpack(w)
    result = []
    for row in x:
        h = [exact(v) for v in row]
        for k, layer in enumerate(network.layers):
            dense = isinstance(layer, Dense)
            h = sums(p[f"{k}.weight"], p[f"{k}.bias"], h) if dense else [sigma(layer)(z) for z in h]
        result.append(h)
    return result


@pytest.mark.parametrize("activation", activations.ALL)
def test_a_neuron_is_sigma_of_a_weighted_sum_and_a_bias(activation: type[activations.Activation]) -> None:
    @examples(0.5)
    @given(cases(networks(depth=1, activations=[activation])))
    def law(case: Case) -> None:
        dense = case.network.layers[0]
        network = Network(dense, activation(), loss=case.network.loss_function)
        weight, bias = network.unpack(case.w).values()
        rows_of_sums = [sums(weight, bias, [exact(v) for v in row]) for row in case.x]
        expected = [[sigma(activation())(z) for z in row] for row in rows_of_sums]
        outputs = network.predict(RoundedArray.exact(case.w), case.x)
        assert outside(outputs.value, expected, outputs.error) == []

    law()


@pytest.mark.parametrize("activation", activations.ALL)
def test_a_network_is_the_composition_of_its_layers(activation: type[activations.Activation]) -> None:
    @examples(0.5)
    @given(cases(networks(activations=[activation]), batch_values=ordinary_values()))
    def law(case: Case) -> None:
        network, w, x, _ = case
        outputs = network.predict(RoundedArray.exact(w), x)
        assert outside(outputs.value, composed(network, w, x), outputs.error) == []
        h: Any = RoundedArray.exact(x)  # and layer by layer, each as a network of its own
        start = 0
        for layer in network.layers:
            alone = Network(layer, loss=network.loss_function)
            h = alone.predict(RoundedArray.exact(w[start : start + alone.size]), h)
            start += alone.size
        assert agree(outputs, h)

    law()


def test_the_law_sees_a_wrong_neuron() -> None:
    network = Network(Dense(2, 3), activations.Tanh(), loss=losses.SquaredError())
    w, x = np.sin(np.arange(1.0, 10.0)), np.array([[1.0, 2.0]])
    right = network.predict(RoundedArray.exact(w), x)
    assert outside(right.value, composed(network, w, x), right.error) == []
    assert outside(right.value, composed(network, np.roll(w, 1), x), right.error) != []
    assert outside(right.value * (1 + 1e-12), composed(network, w, x), right.error) != []


# ------------------------------------------------------------------------- the loss grows away from the target

TIMES = (0.0, 0.125, 0.5, 0.75)
VALUES = st.one_of(ordinary_values(), st.floats(-100, 100))


def along_a_ray(loss: losses.Loss, target: FloatArray, direction: FloatArray) -> list[RoundedArray]:
    """L at points ever farther from the target, from t = 0 on: z = y + t·v."""
    return [_loss(loss, RoundedArray.exact(target) + number(t) * RoundedArray.exact(direction), target) for t in TIMES]


def along_a_segment(loss: losses.Loss, target: FloatArray, other: FloatArray) -> list[RoundedArray]:
    """L at the logits of the probabilities p = (1 − t) y + t p₁, from t > 0 on: at t = 0 a logit may be infinite."""
    result = []
    for t in TIMES[1:]:
        p = number(1 - t) * RoundedArray.exact(target) + number(t) * RoundedArray.exact(other)
        binary = isinstance(loss, losses.BinaryCrossEntropy)
        result.append(_loss(loss, log(p) - log(1 - p) if binary else log(p), target))
    return result


def _loss(loss: losses.Loss, z: RoundedArray, target: FloatArray) -> RoundedArray:
    """The loss of a prediction: of the network that gives its input back."""
    return Network(activations.Identity(), loss=loss).loss(RoundedArray.exact(np.zeros(0)), z, target)


def grows(path: list[RoundedArray]) -> bool:
    """Whether each loss exceeds the one before, or could, given its rounding error."""
    return all(b.value - a.value > -(a.error + b.error) for a, b in itertools.pairwise(path))


def grows_visibly(path: list[RoundedArray]) -> bool:
    """Whether each loss exceeds the one before beyond any rounding."""
    return all(b.value - a.value > a.error + b.error for a, b in itertools.pairwise(path))


def rows(outputs: int, values: Any) -> st.SearchStrategy[FloatArray]:
    return st.tuples(*[st.tuples(*[values] * outputs)] * 3).map(np.array)


def probabilities(outputs: int, least: float) -> st.SearchStrategy[FloatArray]:
    shares = rows(outputs, st.floats(least, 1)).filter(lambda p: p.sum(axis=1).all())
    return shares.map(lambda p: p / p.sum(axis=1, keepdims=True))


POSITIVE = st.floats(0.01, 0.99)
WAYS: dict[type[losses.Loss], Any] = {
    losses.SquaredError: (along_a_ray, rows(2, VALUES), rows(2, VALUES)),
    losses.Huber: (along_a_ray, rows(2, VALUES), rows(2, VALUES)),
    losses.BinaryCrossEntropy: (along_a_segment, rows(2, st.sampled_from((0.0, 1.0, 0.3))), rows(2, POSITIVE)),
    losses.SoftmaxCrossEntropy: (along_a_segment, probabilities(3, 0), probabilities(3, 0.01)),
    # A linear functional has no target: it grows along its cotangent, from 0 on.
    losses.InnerProduct: (lambda loss, y, _: [_loss(loss, number(t) * RoundedArray.exact(y), y) for t in TIMES],)
    + (rows(2, VALUES),) * 2,
}
"""How a prediction moves away from a target, for each loss: the path, the targets, and where the path leads."""


@pytest.mark.parametrize("loss", losses.ALL)
def test_the_loss_grows_as_the_prediction_moves_away_from_the_target(loss: type[losses.Loss]) -> None:
    path, targets, others = WAYS[loss]
    visible = []

    @examples(1.5)
    @given(targets, others)
    def law(target: FloatArray, other: FloatArray) -> None:
        losses_on_the_way = path(loss(), target, other)
        assert grows(losses_on_the_way)
        visible.append(grows_visibly(losses_on_the_way))

    law()
    assert any(visible)


def test_the_law_sees_a_loss_that_falls() -> None:
    path = along_a_ray(losses.SquaredError(), np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]]))
    assert grows(path)
    assert grows_visibly(path)
    assert not grows(path[::-1])
    assert not grows_visibly([path[0], path[0]])


def test_probabilities_of_logits_are_those_of_the_segment() -> None:
    p = RoundedArray.exact(np.array([[0.25, 0.5]]))
    assert agree(expit(log(p) - log(1 - p)), p)
