"""The central law: a small step against the gradient lowers the loss, and by the amount that the gradient promises.

Of what is asserted here for floats, this is proved in
proofs: last-batch-change, last-batch-rises, last-batch-nominal.
proofs: descent-lemma, descent-decreases, descent-with-noise.
In rational numbers, for linear regression:
proofs: descent-steps, descent-stationary, least-squares-curvature, least-squares-step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from refnn import Dense, MiniBatch, Network, SquaredError, Tanh, activations, descend, descent, losses
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rational import RationalArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import A, FloatArray, IntArray, total
from refnn.descent import Batches
from refnn.testing import cases, networks
from tests.bounds import misses
from tests.laws.measures import (
    FRACTIONS,
    UndecidedError,
    curvature,
    examples,
    number,
    segment,
    undecided_set_aside,
)
from tests.laws.ranges import Range

SMALL = (1, 2, 3, 5)
SLOW = 1e-6  # no case diverges within an epoch of it


def promise(network: Network, w: FloatArray, g: FloatArray, x: Any, y: Any, step: Callable[[float], FloatArray]) -> int:
    """Assert that steps against g lower the loss as promised; return for how many learning rates it shows.

    With φ(η) = L(w − ηg), Taylor's theorem gives |φ(0) − φ(η) + ηφ′(0)| ≤ ½η²κ if |φ″| ≤ κ on [0, η], and a true
    gradient has φ′(0) = −‖g‖². With λ = κ/‖g‖², this is |1 − (φ(0) − φ(η))/(η‖g‖²)| ≤ ηλ/2: for every η below 2/λ,
    the loss falls. Roundings of g, of the step and of both losses are added to the bound.
    """
    norm = float(g @ g)
    found = segment(lambda reach: curvature(network, w, -g, reach, x, y), norm, speed=math.sqrt(norm))
    exact = RoundedArray.exact(w)
    before, gradient = network.loss_and_gradient(exact, x, y)
    decided = 0
    for fraction in (1.0, 0.3, 1e-5):
        eta = fraction * found.reach
        stepped = exact - number(eta) * RoundedArray.exact(g)
        assert np.all(np.abs(step(eta) - stepped.value) <= stepped.error)  # w := w − ηg
        after = network.loss(stepped, x, y)
        fall = float(before.value - after.value)
        rounding = float(before.error + after.error) + eta * float(gradient.error @ np.abs(g))
        assert abs(fall - eta * norm) <= eta**2 * found.bend / 2 + rounding
        if rounding < eta * norm / 4:  # as η λ/2 ≤ 1/2, the assertion above then leaves a fall of η‖g‖²/4 at least
            assert fall > 0
            decided += 1
    if not decided:
        raise UndecidedError("the fall is smaller than the rounding of the loss")
    return decided


@pytest.mark.parametrize("variant", descent.ALL, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("loss", losses.ALL)
@pytest.mark.parametrize("activation", activations.ALL)
@examples(0.25)
@given(data=st.data())
def test_small_steps_lower_the_loss_of_their_batch_as_promised(
    activation: type[activations.Activation], loss: type[losses.Loss], variant: Batches, data: st.DataObject
) -> None:
    (network, w, x, y), at = data.draw(
        st.tuples(
            cases(networks(depth=2, widths=SMALL, activations=[activation], losses=[loss]), **FRACTIONS),
            st.integers(0, 10),
        )
    )
    steps = list(descend(network, w, x, y, batches=variant, learning_rate=SLOW, epochs=1, rng=7))
    k = at % len(steps)
    start = steps[k - 1].parameters if k else w
    batch = steps[k].indices

    def step(eta: float) -> FloatArray:
        rates = [eta if n == k else SLOW for n in range(len(steps))]
        again = descend(network, w, x, y, batches=variant, learning_rate=rates.__getitem__, epochs=1, rng=7)
        return next(islice(again, k, None)).parameters

    with undecided_set_aside():
        found = promise(network, start, steps[k].gradient, x[batch], y[batch], step)
        event(f"it falls for {found} of 3 learning rates")


# ------------------------------------------------------------------------------------ linear regression, without errors


EIGHTHS = st.integers(-16, 16).map(lambda v: v / 8)


def regression(samples: int, inputs: int) -> st.SearchStrategy[tuple[FloatArray, FloatArray, FloatArray]]:
    def drawn(*shape: int) -> st.SearchStrategy[FloatArray]:
        size = math.prod(shape)
        return st.lists(EIGHTHS, min_size=size, max_size=size).map(lambda v: np.array(v).reshape(shape))

    return st.tuples(drawn(inputs + 1), drawn(samples, inputs), drawn(samples))


@given(
    st.tuples(st.integers(1, 4), st.integers(1, 2)).flatmap(lambda sizes: regression(*sizes)),
    st.sampled_from((Fraction(1, 8), Fraction(1), Fraction(15, 8))),
)
def test_some_gradient_of_many_steps_of_linear_regression_is_as_small_as_proved(
    case: tuple[FloatArray, FloatArray, FloatArray], times: Fraction
) -> None:
    """With η = times/λ, where λ is the mean squared length of the samples; no loss is below L* = 0."""
    start, x, y = case
    network = Network(Dense(x.shape[1], 1), loss=SquaredError())
    rows = RationalArray.exact(np.column_stack([x, np.ones(len(x))])).elements
    lam = (rows * rows).sum() / len(x)
    eta = RationalArray.exact(np.array(0.0)).lift(times).elements.item() / lam
    w = RationalArray.exact(start)
    found = [network.loss_and_gradient(w, x, y)]
    for _ in range(4):
        w = RationalArray(w.elements - eta * found[-1][1].elements)
        found.append(network.loss_and_gradient(w, x, y))
    losses_, squares = [], []
    for loss, gradient in found:
        g = gradient.elements
        along = rows @ g
        losses_.append(loss.elements.item())
        squares.append((g * g).sum())
        assert (along * along).sum() / len(x) <= lam * squares[-1]
    share = eta * (1 - eta * lam / 2)
    for k, (loss, gradient) in enumerate(found[:-1]):
        along = rows @ gradient.elements
        curved = (along * along).sum() / len(x)
        assert losses_[k + 1] == loss.elements.item() - eta * squares[k] + eta * eta * curved / 2
        least = min(squares[: k + 1])
        assert losses_[k + 1] <= losses_[0] - share * (k + 1) * least
        assert share * (k + 1) * least <= losses_[0]


# ------------------------------------------------------------------------------------------ the checker sees its faults


Gradients = tuple[Any, Any]


@dataclass(frozen=True)
class Faulty:
    """A square dense layer whose derivatives have something wrong with them."""

    fault: Callable[[Any, Any], Gradients]
    transposed: bool = True
    inputs: int = 3
    outputs: int = 3

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (3, 3), "bias": (3,)}

    def forward(self, parameters: tuple[A, ...], x: A) -> A:
        return x @ parameters[0] + parameters[1]

    def backward(self, parameters: tuple[A, ...], x: A, delta: A) -> A:
        return delta @ (parameters[0].T if self.transposed else parameters[0])

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        return self.fault(*Dense(3, 3).gradient(parameters, x, delta))


FAULTS: dict[str, Faulty] = {
    "twice too large": Faulty(lambda w, b: (2 * w, 2 * b)),
    "a thousandth too small": Faulty(lambda w, b: (999 * w / 1000, b)),
    "sign": Faulty(lambda w, b: (-w, b)),
    "transposed": Faulty(lambda w, b: (w.T, b)),
    "backward without transpose": Faulty(lambda w, b: (w, b), transposed=False),
}


def _judge(layer: Any, times: float = 1) -> int:
    network = Network(Faulty(lambda w, b: (w, b)), Tanh(), layer, Tanh(), Dense(3, 2), loss=SquaredError())
    w = np.sin(np.arange(1.0, network.size + 1))
    x, y = np.cos(np.arange(15.0)).reshape(5, 3), np.sin(np.arange(10.0)).reshape(5, 2)
    g = times * network.loss_and_gradient(w, x, y)[1]
    return promise(network, w, g, x, y, lambda eta: w - eta * g)


def test_the_law_accepts_a_right_gradient() -> None:
    assert _judge(Dense(3, 3)) == _judge(Faulty(lambda w, b: (w, b))) == 3


@pytest.mark.parametrize("fault", FAULTS)
def test_the_law_fails_with_a_faulty_layer(fault: str) -> None:
    with pytest.raises(AssertionError):
        _judge(FAULTS[fault])


@pytest.mark.parametrize("times", [-1, 5, 1 / 5, 2, 1.01])  # 5 samples: a batch size forgotten, or divided by twice
def test_the_law_fails_with_a_scaled_gradient(times: float) -> None:
    with pytest.raises(AssertionError):
        _judge(Dense(3, 3), times)


def test_the_law_is_blind_to_a_missing_part() -> None:
    # A gradient without its bias part is a projection of the true one: ∇L·d = ‖d‖² still, and it still descends. That
    # no slope exceeds ‖g‖ (`test_gradient`) is the law that such a gradient breaks.
    assert _judge(Faulty(lambda w, b: (w, 0 * b))) == 3


def test_the_law_fails_with_a_step_that_is_none() -> None:
    network = Network(Dense(2, 1), loss=SquaredError())
    w, x, y = np.array([1.0, 2.0, 3.0]), np.array([[1.0, 2.0]]), np.array([[1.0]])
    _, g = network.loss_and_gradient(w, x, y)
    with pytest.raises(AssertionError):
        promise(network, w, g, x, y, lambda eta: w + eta * g)


# -------------------------------------------------------------------------------- a step for one sample, in expectation


REGRESSION = Network(Dense(2, 1), loss=SquaredError())


def expected(w: FloatArray, x: FloatArray, y: FloatArray, times: float, curvature: float = 1) -> None:
    """Assert what a step for a sample drawn evenly does to the loss of all, in the mean over the samples.

    For linear regression λ = (1/N) Σ‖x̃‖² is no less than any curvature; then the mean of L(w − ηh_s) is no more than
    L(w) − η(1 − ηλ/2)‖g‖² + (η²λ/2)·V, where V is the mean of ‖h_s − g‖². Both sides carry their rounding errors.
    """
    exact, samples = RoundedArray.exact(w), len(x)
    before, g = REGRESSION.loss_and_gradient(exact, x, y)
    rows = RoundedArray.exact(np.column_stack([x, np.ones(samples)]))
    lam = number(curvature) * total(rows * rows) / samples
    eta = number(times / float(lam.value))
    single = [REGRESSION.loss_and_gradient(exact, x[s : s + 1], y[s : s + 1])[1] for s in range(samples)]
    after = sum((REGRESSION.loss(exact - eta * h, x, y) for h in single), 0 * before) / samples
    noise = sum((total((h - g) * (h - g)) for h in single), 0 * before) / samples
    bound = before - eta * (1 - eta * lam / 2) * total(g * g) + eta * eta * lam / 2 * noise
    above = after - bound
    assert above.value <= above.error


@examples(1)
@given(
    st.lists(st.tuples(*[st.integers(-8, 8)] * 3), min_size=1, max_size=7),
    st.tuples(*[st.integers(-8, 8)] * 3),
    st.sampled_from((0.01, 0.5, 1.0, 2.0, 5.0)),
)
def test_in_expectation_a_step_for_one_sample_costs_what_its_noise_does(
    rows: list[tuple[int, int, int]], w: tuple[int, int, int], times: float
) -> None:
    table = np.array(rows) / 4
    expected(np.array(w) / 4, table[:, :2], table[:, 2], times)


def test_the_law_of_expectations_fails_with_a_curvature_that_is_too_small() -> None:
    x, y, w = np.cos(np.arange(10.0)).reshape(5, 2), np.sin(np.arange(5.0)), np.array([1.0, -2.0, 0.5])
    expected(w, x, y, 1.0)
    with pytest.raises(AssertionError):
        expected(w, x, y, 1.0, curvature=0.1)


# --------------------------------------------------------------------------------------------------- over a whole epoch


def _run(network: Network, w: Any, eta: Any, batches: Sequence[IntArray], x: Any, y: Any) -> Any:
    """The loss over all samples after one step for each batch, in any arithmetic."""
    for batch in batches:
        w = w - eta * network.loss_and_gradient(w, x[batch], y[batch])[1]
    return network.loss(w, x, y)


def _bend(network: Network, w: FloatArray, reach: float, batches: Sequence[IntArray], x: Any, y: Any) -> float:
    """A bound on Φ″ over [0, reach], where Φ(η) is the loss after an epoch with learning rate η: forward mode twice."""
    t, one, zero = Range.between(np.zeros(()), np.full((), reach)), Range.exact(np.ones(())), Range.exact(np.zeros(()))
    eta = DualArray(DualArray(t, one), DualArray(one, zero))
    return float(_run(network, eta.lift(w), eta, batches, x, y).tangent.tangent.largest)


def first_order(network: Network, w: FloatArray, batches: Sequence[IntArray], x: Any, y: Any) -> int:
    """Assert what an epoch does to the loss over all samples; return 1 if it fell, −1 if it rose.

    Φ(0) = L(w₀) and Φ′(0) = −∇L·Σ_b g_b(w₀), for to first order each batch sees w₀; by Taylor's theorem the rest is at
    most Cη², with C half a bound on Φ″. Roundings of the slope and of both losses are added.
    """
    exact = RoundedArray.exact(w)
    before, gradient = network.loss_and_gradient(exact, x, y)
    steps = sum((network.loss_and_gradient(exact, x[batch], y[batch])[1] for batch in batches), 0 * exact)
    promised = total(gradient * steps)
    slope, speed = float(promised.value), float(np.sqrt(steps.value @ steps.value))
    found = segment(lambda reach: _bend(network, w, reach, batches, x, y), abs(slope), speed)
    after = _run(network, exact, number(found.reach), batches, x, y)
    fall = float(before.value - after.value)
    rounding = float(before.error + after.error) + found.reach * float(promised.error)
    assert abs(fall - found.reach * slope) <= found.reach**2 * found.bend / 2 + rounding
    if rounding >= found.reach * abs(slope) / 4:  # else the assertion above leaves a quarter of the promise at least
        raise UndecidedError("the change is smaller than the rounding of the loss")
    assert fall * slope > 0
    return 1 if fall > 0 else -1


@pytest.mark.parametrize("variant", descent.ALL, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("member", [*activations.ALL, *losses.ALL])
@examples(0.15)
@given(data=st.data())
def test_over_an_epoch_the_loss_changes_to_first_order_as_the_gradients_say(
    member: type[Any], variant: Batches, data: st.DataObject
) -> None:
    kinds: dict[str, Any] = {"losses" if issubclass(member, losses.Loss) else "activations": [member]}
    (network, w, x, y), seed = data.draw(
        st.tuples(
            cases(networks(depth=2, widths=(1, 2, 3), **kinds), samples=st.sampled_from((5, 6)), **FRACTIONS),
            st.integers(0, 10),
        )
    )
    batches = [s.indices for s in descend(network, w, x, y, batches=variant, learning_rate=1e-9, epochs=1, rng=seed)]
    with undecided_set_aside():
        sign = first_order(network, w, batches, x, y)
        event("the loss falls" if sign > 0 else "the loss rises")
        if len({len(batch) for batch in batches}) == 1:  # every batch counts its samples alike: Σ_b g_b = B·∇L
            assert sign == 1


class InOrder:
    """Batches of two, not shuffled."""

    shuffles = False

    def epoch(self, samples: int, rng: np.random.Generator | None) -> Iterator[IntArray]:
        for start in range(0, samples, 2):
            yield np.arange(start, min(start + 2, samples))


def test_with_a_smaller_last_batch_of_its_own_mean_the_loss_can_rise() -> None:
    # One bias b, since x = 0: L = (1/3) Σ ½(b − yᵢ)², and at b = 0 its gradient is −ȳ = 1/3. The two batches have the
    # gradients 3/2 (the mean of 3/2 and 3/2) and −2, which sum to −1/2: to first order, L changes by +η/6.
    network = Network(Dense(1, 1), loss=SquaredError())
    w, x, y = np.zeros(2), np.zeros((3, 1)), np.array([-1.5, -1.5, 2.0])
    for eta in (0.1, 0.01, 0.001):
        *_, last = descend(network, w, x, y, batches=InOrder(), learning_rate=eta, epochs=1)
        exact = Fraction(eta)
        b = Fraction(-3, 2) * exact + exact * (2 + Fraction(3, 2) * exact)  # the two steps by hand
        rise = sum((b - Fraction(t)) ** 2 - Fraction(t) ** 2 for t in y) / 6
        stepped = start = RoundedArray.exact(w)
        for batch in InOrder().epoch(3, None):
            stepped = stepped - number(eta) * network.loss_and_gradient(stepped, x[batch], y[batch])[1]
        assert last.parameters.tolist() == stepped.value.tolist()
        assert misses(stepped, [0, b]) == []
        change = network.loss(stepped, x, y) - network.loss(start, x, y)
        assert misses(change, rise) == []
        assert change.value > change.error
    assert first_order(network, w, [np.array([0, 1]), np.array([2])], x, y) == -1


def test_it_rises_when_the_sample_that_disagrees_is_left_over() -> None:
    # As above; with sample 0 or 1 left over, the gradients are −1/4 and 3/2, which sum to 5/4: the loss falls.
    network = Network(Dense(1, 1), loss=SquaredError())
    w, x, y = np.zeros(2), np.zeros((3, 1)), np.array([-1.5, -1.5, 2.0])
    seen = set()
    for seed in range(30):
        *_, last = descend(network, w, x, y, batches=MiniBatch(2), learning_rate=0.01, epochs=1, rng=seed)
        rises = network.loss(last.parameters, x, y) > network.loss(w, x, y)
        assert rises == (last.indices.tolist() == [2])
        seen.add(rises)
    assert seen == {True, False}


def test_with_the_sum_every_batch_counts_its_samples_alike_and_the_loss_falls() -> None:
    network = Network(Dense(1, 1), loss=SquaredError(reduction="sum"))
    x, y = np.zeros((3, 1)), np.array([-1.5, -1.5, 2.0])
    assert first_order(network, np.zeros(2), [np.array([0, 1]), np.array([2])], x, y) == 1


def test_the_law_of_an_epoch_fails_with_a_faulty_layer() -> None:
    # Every arithmetic sees the same faulty gradient inside the epoch; the forward pass, which gives L, shows its sign.
    network = Network(Faulty(lambda w, b: (-w, -b)), loss=SquaredError())
    w, x, y = np.sin(np.arange(12.0)), np.cos(np.arange(15.0)).reshape(5, 3), np.zeros((5, 3))
    with pytest.raises(AssertionError):
        first_order(network, w, [np.arange(3), np.arange(3, 5)], x, y)
