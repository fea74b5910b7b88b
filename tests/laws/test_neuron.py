"""What a neuron, a network and a loss are, by their definitions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from refnn import Dense, Network, activations, losses
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray, expit, log
from refnn.testing import Case, cases, networks, ordinary_values
from tests.laws.measures import agree, examples, number

DIGITS = 400  # enough that the rounding of the definitions is nothing: sigmoid(-700) is 1e-304

TEXTBOOK: dict[type[activations.Activation], Callable[[Any, Any], Any]] = {
    activations.Identity: lambda _, z: z,
    activations.Sigmoid: lambda _, z: 1 / (1 + mp.exp(-z)),
    activations.Tanh: lambda _, z: (mp.exp(z) - mp.exp(-z)) / (mp.exp(z) + mp.exp(-z)),
    activations.ReLU: lambda _, z: z if z > 0 else mpf(0),
    activations.LeakyReLU: lambda f, z: z if z > 0 else mpf(f.slope) * z,
    activations.ELU: lambda f, z: z if z > 0 else mpf(f.alpha) * (mp.exp(z) - 1),
    activations.Softplus: lambda _, z: mp.log(1 + mp.exp(z)),
    activations.SiLU: lambda _, z: z / (1 + mp.exp(-z)),
    activations.GELU: lambda _, z: z * mp.ncdf(z),
    activations.GELUTanh: lambda _, z: z / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (z + mpf(44715) / 10**6 * z**3))),
}
"""Each activation by its definition, in numbers of many digits."""


def _sigma(layer: Any) -> Callable[[Any, Any], Any]:
    return TEXTBOOK[type(layer)]


def neurons(layer: Any, weights: list[list[Any]], biases: list[Any], x: list[Any]) -> list[Any]:
    """σ(Σᵢ wᵢⱼ xᵢ + bⱼ) for each neuron j; `layer` is σ."""
    sigma = _sigma(layer)
    return [
        sigma(layer, sum(row[j] * value for row, value in zip(weights, x, strict=True)) + bias)
        for j, bias in enumerate(biases)
    ]


def within(outputs: RoundedArray, expected: list[list[Any]]) -> bool:
    """Whether each output is as near to what is expected as the bound on its error says."""
    return all(
        abs(mpf(float(value)) - truth) <= mpf(float(error))
        for values, errors, truths in zip(outputs.value, outputs.error, expected, strict=True)
        for value, error, truth in zip(values, errors, truths, strict=True)
    )


def composed(network: Network, w: FloatArray, x: FloatArray) -> list[list[Any]]:
    """The network, neuron by neuron and layer by layer, in numbers of many digits."""
    p = {name: [_exact(v) for v in part] for name, part in network.unpack(w).items()}
    result = []
    for row in x:
        h = _exact(row)
        for k, layer in enumerate(network.layers):
            if isinstance(layer, Dense):
                h = neurons(activations.Identity(), p[f"{k}.weight"], p[f"{k}.bias"], h)
            else:
                h = [_sigma(layer)(layer, z) for z in h]
        result.append(h)
    return result


def _exact(array: Any) -> Any:
    return [mpf(float(v)) for v in array] if np.ndim(array) else mpf(float(array))


@pytest.mark.parametrize("activation", activations.ALL)
def test_a_neuron_is_sigma_of_a_weighted_sum_and_a_bias(activation: type[activations.Activation]) -> None:
    @examples(0.5)
    @given(cases(networks(depth=1, activations=[activation])))
    def law(case: Case) -> None:
        dense = case.network.layers[0]
        layers = [dense, activation()]
        network = Network(*layers, loss=case.network.loss_function)
        with mp.workdps(DIGITS):
            p = network.unpack(case.w)
            weights, biases = [_exact(row) for row in p["0.weight"]], _exact(p["0.bias"])
            expected = [neurons(layers[1], weights, biases, _exact(row)) for row in case.x]
            assert within(network.predict(RoundedArray.exact(case.w), case.x), expected)

    law()


@pytest.mark.parametrize("activation", activations.ALL)
def test_a_network_is_the_composition_of_its_layers(activation: type[activations.Activation]) -> None:
    @examples(0.5)
    @given(cases(networks(activations=[activation]), batch_values=ordinary_values()))
    def law(case: Case) -> None:
        network, w, x, _ = case
        outputs = network.predict(RoundedArray.exact(w), x)
        with mp.workdps(DIGITS):
            assert within(outputs, composed(network, w, x))
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
    with mp.workdps(DIGITS):
        assert within(right, composed(network, w, x))
        assert not within(right, composed(network, np.roll(w, 1), x))
        assert not within(RoundedArray(right.value * (1 + 1e-12), right.error), composed(network, w, x))


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
