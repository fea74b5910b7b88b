"""How the gradient of a batch is made of the gradients of its samples.

What is asserted here for floats, and in rational numbers, is proved in
proofs: batch-gradient, batch-gradient-dense, sample-unbiased, minibatch-unbiased, minibatch-variance,
proofs: full-batch-variance, single-sample-variance, replacement-variance, epoch-weights,
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import (
    Dense,
    FullBatch,
    Huber,
    Identity,
    InnerProduct,
    LeakyReLU,
    MiniBatch,
    Network,
    ReLU,
    SingleSample,
    SoftmaxCrossEntropy,
    SquaredError,
    activations,
    descend,
    losses,
)
from refnn.arithmetic.rational import RationalArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import total
from refnn.testing import Case, batch_sizes, cases, networks
from tests.laws.measures import FRACTIONS, agree, examples, number

ETA = 2.0**-20  # small networks do not diverge with it, nor is a step lost in rounding
NARROW: dict[str, Any] = {"depth": st.integers(1, 2), "widths": (1, 2, 3, 5)}
SEEDS = st.integers(0, 2**32 - 1)


def counts(network: Network, y: Any) -> tuple[list[RoundedArray], RoundedArray]:
    """How much each sample's own gradient counts in that of the batch, and by what the sum is divided; by definition.

    A sample alone is divided by 1 (mean, sum), by the number of outputs, or by its own weight.
    """
    reduction = network.loss_function.reduction
    if reduction == "weights":
        loss = cast("SoftmaxCrossEntropy", network.loss_function)
        weights = np.array(loss.class_weights if loss.class_weights is not None else np.ones(network.outputs or 1))
        own = [
            number(weights[t]) if np.ndim(t) == 0 else total(RoundedArray.exact(weights) * RoundedArray.exact(t))
            for t in y
        ]
        return own, sum(own, number(0.0))
    return [number(1.0)] * len(y), number(1.0 if reduction == "sum" else len(y))


def from_samples(network: Network, w: Any, x: Any, y: Any) -> RoundedArray:
    """(1/N) Σᵢ ∇Lᵢ(w), or what the reduction says instead, from one gradient for each sample."""
    own, divisor = counts(network, y)
    exact = RoundedArray.exact(w)
    gradient = RoundedArray.exact(np.zeros_like(w))
    for i, count in enumerate(own):
        gradient = gradient + count * network.loss_and_gradient(exact, x[i : i + 1], y[i : i + 1])[1]
    mean: RoundedArray = gradient / divisor
    return mean


@pytest.mark.parametrize("loss", losses.ALL)
@pytest.mark.parametrize("activation", activations.ALL)
def test_the_gradient_of_a_batch_is_the_mean_of_the_gradients_of_its_samples(
    activation: type[activations.Activation], loss: type[losses.Loss]
) -> None:
    @examples(0.15)
    @given(cases(networks(activations=[activation], losses=[loss])))
    def law(case: Case) -> None:
        network, w, x, y = case
        _, gradient = network.loss_and_gradient(RoundedArray.exact(w), x, y)
        assert agree(gradient, from_samples(network, w, x, y))

    law()


@pytest.mark.parametrize("loss", losses.ALL)
def test_a_full_batch_step_is_w_minus_eta_times_the_mean_of_the_gradients(loss: type[losses.Loss]) -> None:
    @examples(0.5)
    @given(cases(networks(losses=[loss])))
    def law(case: Case) -> None:
        network, w, x, y = case
        (step,) = descend(network, w, x, y, batches=FullBatch(), learning_rate=ETA, epochs=1)
        expected = RoundedArray.exact(w) - number(ETA) * from_samples(network, w, x, y)
        taken = RoundedArray.exact(w) - number(ETA) * network.loss_and_gradient(RoundedArray.exact(w), x, y)[1]
        assert agree(RoundedArray(step.parameters, taken.error), expected)

    law()


@pytest.mark.parametrize("loss", losses.ALL)
def test_single_sample_steps_take_each_sample_once_and_its_own_gradient(loss: type[losses.Loss]) -> None:
    @examples(0.5)
    @given(cases(networks(losses=[loss], **NARROW), batch_values=st.just(0.5)), SEEDS)
    def law(case: Case, seed: int) -> None:
        network, w, x, y = case
        seen = []
        for step in descend(network, w, x, y, batches=SingleSample(), learning_rate=ETA, epochs=1, rng=seed):
            (i,) = step.indices
            _, gradient = network.loss_and_gradient(RoundedArray.exact(w), x[i : i + 1], y[i : i + 1])
            assert agree(RoundedArray(step.gradient, gradient.error), gradient)
            stepped = RoundedArray.exact(w) - number(ETA) * RoundedArray.exact(step.gradient)
            assert agree(RoundedArray.exact(step.parameters), stepped)
            seen.append(int(i))
            w = step.parameters
        assert sorted(seen) == list(range(len(x)))

    law()


@pytest.mark.parametrize("loss", losses.ALL)
def test_mini_batches_of_all_samples_are_full_batches_and_of_one_are_single_samples(loss: type[losses.Loss]) -> None:
    @examples(0.5)
    @given(cases(networks(losses=[loss], **NARROW), batch_values=st.sampled_from((0.5, -1.0, 0.3))), SEEDS)
    def law(case: Case, seed: int) -> None:
        network, w, x, y = case
        for size, variant in ((len(x), FullBatch()), (1, SingleSample())):
            ours, theirs = (
                list(descend(network, w, x, y, batches=batches, learning_rate=ETA, epochs=2, rng=seed))
                for batches in (MiniBatch(size), variant)
            )
            assert len(ours) == len(theirs)
            for a, b in zip(ours, theirs, strict=True):  # the same operations on the same floats
                assert np.array_equal(a.indices, b.indices)
                assert np.array_equal(a.parameters, b.parameters)
                assert (a.number, a.epoch, a.loss) == (b.number, b.epoch, b.loss)

    law()


@given(st.sampled_from((3, 5, 6, 7, 9, 10)).flatmap(lambda n: st.tuples(st.just(n), batch_sizes(n))), SEEDS)
def test_mini_batches_take_each_sample_once_and_the_last_has_the_rest(sizes: tuple[int, int], seed: int) -> None:
    samples, size = sizes
    batches = [batch.tolist() for batch in MiniBatch(size).epoch(samples, np.random.default_rng(seed))]
    assert sorted(i for batch in batches for i in batch) == list(range(samples))
    assert [len(batch) for batch in batches] == [size] * (samples // size) + [samples % size]


# ----------------------------------------------------------------------------------- the noise of mini-batches, exactly


def mini_batch_gradients(network: Network, w: Any, x: Any, y: Any, size: int, *, replacement: bool = False) -> Any:
    """Of all batches of this size, by refnn in rational numbers; with the sum as reduction, divided by the size."""
    exact, divisor = RationalArray.exact(w), size if network.loss_function.reduction == "sum" else 1
    samples = range(len(x))
    drawn = product(samples, repeat=size) if replacement else combinations(samples, size)
    batches = [list(batch) for batch in drawn]
    return np.array([(network.loss_and_gradient(exact, x[b], y[b])[1] / divisor).elements for b in batches])


def moments(gradients: Any) -> tuple[Any, Any]:
    """The mean of the rows, and their mean squared deviation from it."""
    mean = gradients.sum(axis=0) / len(gradients)
    return mean, ((gradients - mean) ** 2).sum(axis=0) / len(gradients)


def spreads_as_proved(network: Network, w: Any, x: Any, y: Any, size: int) -> bool:
    """Whether, over all C(N, B) batches, the mean is ∇L and the variance is σ²/B·(N − B)/(N − 1), without any error."""
    samples = len(x)
    full, variance = moments(mini_batch_gradients(network, w, x, y, 1))
    (alone,) = mini_batch_gradients(network, w, x, y, samples)
    mean, found = moments(mini_batch_gradients(network, w, x, y, size))
    stated = variance / size * (samples - size) / (samples - 1)
    return bool(np.all(alone == full) and np.all(mean == full) and np.all(found == stated))


@given(
    cases(
        networks(
            depth=st.integers(1, 2),
            widths=(1, 2, 3),
            activations=[Identity, ReLU, LeakyReLU],
            losses=[SquaredError, Huber, InnerProduct],
        ),
        samples=st.integers(2, 6),
        **FRACTIONS,
    ).flatmap(lambda case: st.tuples(st.just(case), st.integers(1, len(case.x))))
)
def test_mini_batches_spread_as_a_draw_without_replacement(drawn: tuple[Case, int]) -> None:
    """Of one sample: with the variance of the samples; of all of them: not at all."""
    case, size = drawn
    assert spreads_as_proved(*case, size)


@given(
    cases(
        networks(
            depth=1,
            widths=(1, 2),
            activations=[Identity, ReLU, LeakyReLU],
            losses=[SquaredError, Huber, InnerProduct],
        ),
        samples=st.integers(1, 4),
        **FRACTIONS,
    ),
    st.integers(1, 3),
)
def test_draws_with_replacement_spread_as_independent_samples(case: Case, size: int) -> None:
    """Over all N^B draws the mean is ∇L and the variance is σ²/B, without any error: the finite population is gone."""
    full, variance = moments(mini_batch_gradients(*case, 1))
    mean, found = moments(mini_batch_gradients(*case, size, replacement=True))
    assert np.all(mean == full)
    assert np.all(found == variance / size)


@dataclass(frozen=True)
class Forgetful:
    """A dense layer that takes no notice of the last sample of a batch of several."""

    inputs: int
    outputs: int

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.inputs, self.outputs), "bias": (self.outputs,)}

    def forward(self, parameters: tuple[Any, ...], x: Any) -> Any:
        return Dense(self.inputs, self.outputs).forward(parameters, x)

    def backward(self, parameters: tuple[Any, ...], x: Any, delta: Any) -> Any:
        return Dense(self.inputs, self.outputs).backward(parameters, x, delta)

    def gradient(self, parameters: tuple[Any, ...], x: Any, delta: Any) -> Any:
        kept = max(1, delta.shape[0] - 1)
        seen = (RationalArray(array.elements[:kept]) for array in (x, delta))
        return Dense(self.inputs, self.outputs).gradient(parameters, *seen)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_law_of_the_spread_sees_a_sample_that_is_left_out(size: int) -> None:
    x, y = np.cos(np.arange(10.0)).reshape(5, 2), np.sin(np.arange(5.0))
    w = np.array([1.0, 2.0, 3.0])
    assert spreads_as_proved(Network(Dense(2, 1), loss=SquaredError()), w, x, y, size)
    assert not spreads_as_proved(Network(Forgetful(2, 1), loss=SquaredError()), w, x, y, size)


def test_the_law_sees_a_sum_taken_for_a_mean() -> None:
    network = Network(Dense(2, 1), loss=losses.SquaredError())
    summed = Network(Dense(2, 1), loss=losses.SquaredError(reduction="sum"))
    w, x, y = np.array([1.0, 2.0, 3.0]), np.array([[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]]), np.array([1.0, 0.0, 2.0])
    _, gradient = summed.loss_and_gradient(RoundedArray.exact(w), x, y)
    assert agree(gradient, from_samples(summed, w, x, y))
    assert not agree(gradient, from_samples(network, w, x, y))
