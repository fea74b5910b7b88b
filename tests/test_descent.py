"""Batches and steps: which samples a step sees, what it gives, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import descent
from refnn.activations import Identity
from refnn.arrays import IntArray
from refnn.descent import FullBatch, MiniBatch, SingleSample, Step, descend
from refnn.errors import DivergenceError, DTypeError, NonFiniteError, RefnnError, SettingError, ShapeError, TargetError
from refnn.layers import Dense
from refnn.losses import SoftmaxCrossEntropy, SquaredError
from refnn.network import Network
from refnn.rules import GradientDescent
from refnn.training import fit

LINE = Network(Dense(1, 1), loss=SquaredError())
X, Y = [[0.0], [1.0], [2.0], [3.0], [4.0]], [1.0, 3.0, 5.0, 7.0, 9.0]  # on the line 2 x + 1


def steps(**settings: Any) -> list[Step]:
    defaults: dict[str, Any] = {"batches": FullBatch(), "learning_rate": 0.1, "epochs": 1}
    return list(descend(LINE, settings.pop("w", [0.0, 0.0]), X, Y, **{**defaults, **settings}))


# ---------------------------------------------------------------------------------------------------- the batches


@given(samples=st.integers(1, 40), size=st.integers(1, 45), seed=st.integers(0, 2**32 - 1))
def test_each_sample_once_per_epoch_and_the_last_batch_is_what_remains(samples: int, size: int, seed: int) -> None:
    batches = list(MiniBatch(size).epoch(samples, np.random.default_rng(seed)))
    assert sorted(np.concatenate(batches).tolist()) == list(range(samples))
    assert [len(b) for b in batches[:-1]] == [size] * (len(batches) - 1)
    assert len(batches[-1]) == samples - size * (len(batches) - 1)
    assert all((np.diff(b) > 0).all() for b in batches)  # ascending within a batch


def test_one_sample_at_a_time_is_a_batch_of_one() -> None:
    single = list(SingleSample().epoch(7, np.random.default_rng(3)))
    mini = list(MiniBatch(1).epoch(7, np.random.default_rng(3)))
    assert [b.tolist() for b in single] == [b.tolist() for b in mini]


def test_all_samples_are_one_batch() -> None:
    assert [b.tolist() for b in FullBatch().epoch(5, None)] == [[0, 1, 2, 3, 4]]


def test_samples_are_shuffled_anew_every_epoch() -> None:
    taken = steps(batches=MiniBatch(2), epochs=20, rng=0)
    orders = {tuple(np.concatenate([s.indices for s in taken if s.epoch == e]).tolist()) for e in range(20)}
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len(orders) > 10  # of the 30 ways to cut five samples into 2 + 2 + 1


def test_only_shuffled_batches_need_random_numbers() -> None:
    assert [batches.shuffles for batches in descent.ALL] == [False, True, True]
    assert len(steps()) == 1
    for batches in (SingleSample(), MiniBatch(2)):
        with pytest.raises(SettingError, match="rng is None"):
            descend(LINE, [0.0, 0.0], X, Y, batches=batches, learning_rate=0.1, epochs=1)
        with pytest.raises(SettingError, match="rng is None"):
            list(batches.epoch(5, None))


def test_the_seed_decides() -> None:
    first, again, other = (steps(batches=MiniBatch(2), epochs=3, rng=rng) for rng in (1, 1, 2))
    assert [s.parameters.tolist() for s in first] == [s.parameters.tolist() for s in again]
    assert [s.parameters.tolist() for s in first] != [s.parameters.tolist() for s in other]
    by_generator = steps(batches=MiniBatch(2), epochs=3, rng=np.random.default_rng(1))
    assert [s.indices.tolist() for s in first] == [s.indices.tolist() for s in by_generator]


@pytest.mark.parametrize("size", [0, -1, 2.0, None, "2", True, np.nan])
def test_a_batch_has_a_size(size: Any) -> None:
    with pytest.raises(SettingError, match=r"^size is"):
        MiniBatch(size)


# ------------------------------------------------------------------------------------------------------- the steps


def test_two_steps_by_hand() -> None:
    # L = ½ mean (w x + b − y)²; at (0, 0): mean(−y x) = −70/5 = −14, mean(−y) = −5, L = ½ · 165/5 = 33/2
    one, two = steps(epochs=2, learning_rate=0.125)
    assert (one.number, one.epoch, two.number, two.epoch) == (0, 0, 1, 1)
    assert one.indices.tolist() == [0, 1, 2, 3, 4]
    assert (one.loss, one.gradient.tolist(), one.learning_rate) == (16.5, [-14, -5], 0.125)
    assert one.parameters.tolist() == [1.75, 0.625]
    # at (7/4, 5/8) the residuals are −¼ x − 3/8: Σ r x = −¼·30 − 3/8·10 = −45/4, Σ r = −¼·10 − 3/8·5 = −35/8
    assert two.gradient.tolist() == [-2.25, -0.875]
    assert two.parameters.tolist() == [1.75 + 0.28125, 0.625 + 0.109375]


def test_the_last_batch_has_its_own_mean() -> None:
    class Cut:
        shuffles = False

        def epoch(self, samples: int, rng: np.random.Generator | None) -> Iterator[IntArray]:
            yield np.array([1, 2, 3])
            yield np.array([0, 4])

    first, last = steps(batches=Cut(), learning_rate=1e-300)  # so small that w stays (0, 0)
    assert first.gradient.tolist() == [-(3 + 10 + 21) / 3, -5]
    assert last.gradient.tolist() == [-36 / 2, -10 / 2]


def test_steps_are_frozen_and_read_only() -> None:
    (step,) = steps()
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.loss = 0.0  # type: ignore[misc]
    for array in (step.parameters, step.gradient):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_steps_keep_what_they_had() -> None:
    taken = steps(epochs=5)
    kept = [s.parameters.tolist() for s in taken]
    assert len({tuple(k) for k in kept}) == 5
    for before, after in pairwise(taken):
        expected = before.parameters - 0.1 * after.gradient
        assert after.parameters.tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arguments_are_left_alone_and_the_dtype_stays(dtype: Any) -> None:
    w, x, y = np.zeros(2, dtype), np.array(X, dtype), np.array(Y, dtype)
    for a in (w, x, y):
        a.flags.writeable = False
    taken = list(descend(LINE, w, x, y, batches=MiniBatch(2), learning_rate=0.1, epochs=2, rng=0))
    assert all(s.parameters.dtype == s.gradient.dtype == dtype for s in taken)
    assert not any(np.shares_memory(s.parameters, w) for s in taken)
    history = fit(LINE, w, x, y, batches=FullBatch(), learning_rate=0.1, epochs=2, progress=None)
    assert history.parameters.dtype == dtype


def test_a_schedule_is_asked_at_every_step() -> None:
    asked: list[int] = []

    def schedule(k: int) -> float:
        asked.append(k)
        return 0.5 ** (k + 1)

    taken = steps(batches=MiniBatch(2), epochs=2, rng=0, learning_rate=schedule)
    assert asked == [0, 1, 2, 3, 4, 5]
    assert [s.learning_rate for s in taken] == [0.5 ** (k + 1) for k in range(6)]


def test_a_rate_may_be_a_fraction_or_of_numpy() -> None:
    assert (
        steps(learning_rate=Fraction(1, 8))[0].parameters.tolist() == steps(learning_rate=0.125)[0].parameters.tolist()
    )
    assert steps(learning_rate=np.float32(0.125))[0].learning_rate == 0.125


def test_no_epochs_are_no_steps() -> None:
    assert steps(epochs=0) == []


def test_a_rule_may_be_ones_own() -> None:
    class Momentum:
        """v := ½ v + g, w := w − η v."""

        def initial_state(self, w: Any) -> Any:
            return 0 * w

        def step(self, state: Any, w: Any, gradient: Any, learning_rate: float) -> tuple[Any, Any]:
            state = state / 2 + gradient
            return state, w - learning_rate * state

    one, two = steps(epochs=2, rule=Momentum())
    assert one.parameters.tolist() == steps(epochs=1)[0].parameters.tolist()
    velocity = one.gradient / 2 + two.gradient
    assert two.parameters.tolist() == (one.parameters - 0.1 * velocity).tolist()


def test_the_default_rule_is_gradient_descent() -> None:
    assert steps()[0].parameters.tolist() == steps(rule=GradientDescent())[0].parameters.tolist()


# --------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("change", "kind", "start"),
    [
        ({"w": [0.0]}, ShapeError, "w has shape (1,), expected (2,)"),
        ({"w": [0.0, np.nan]}, NonFiniteError, "w[1] is nan"),
        ({"x": [[1.0, 2.0]]}, ShapeError, "x has shape (1, 2), expected (N, 1)"),
        ({"y": [1.0, 2.0]}, ShapeError, "y has shape (2,), expected (5, 1)"),
        ({"y": ["a"] * 5}, DTypeError, "y has dtype <U1"),
        ({"learning_rate": 0}, SettingError, "learning_rate is 0: learning_rate is a positive number"),
        ({"learning_rate": -0.1}, SettingError, "learning_rate is -0.1"),
        ({"learning_rate": np.inf}, SettingError, "learning_rate is inf: learning_rate is a finite real number"),
        ({"learning_rate": "fast"}, SettingError, "learning_rate is 'fast'"),
        ({"learning_rate": None}, SettingError, "learning_rate is None"),
        ({"epochs": -1}, SettingError, "epochs is -1: epochs is a whole number of at least 0"),
        ({"epochs": 1.5}, SettingError, "epochs is 1.5"),
        ({"batches": 32}, SettingError, "batches is 32"),
        ({"batches": FullBatch}, SettingError, "batches is <class"),
        ({"rule": GradientDescent}, SettingError, "rule is <class"),
        ({"rule": {}}, SettingError, "rule is {}"),
        ({"network": None}, SettingError, "network is None"),
        ({"batches": MiniBatch(2), "rng": "seed"}, SettingError, "rng is 'seed'"),
        ({"batches": MiniBatch(2), "rng": -1}, SettingError, "rng is -1"),
    ],
)
def test_arguments_are_checked_at_the_call(change: dict[str, Any], kind: type[RefnnError], start: str) -> None:
    arguments = {
        "network": LINE,
        "w": [0.0, 0.0],
        "x": X,
        "y": Y,
        "batches": FullBatch(),
        "learning_rate": 0.1,
        "epochs": 1,
    }
    for train in (descend, fit):
        with pytest.raises(kind) as caught:
            train(**{**arguments, **change})
        assert str(caught.value).startswith(start)


def test_targets_are_checked_at_the_call() -> None:
    network = Network(Dense(1, 3), loss=SoftmaxCrossEntropy())
    with pytest.raises(TargetError, match=r"y\[4\] is 3"):
        descend(network, np.zeros(6), X, [0, 1, 2, 0, 3], batches=FullBatch(), learning_rate=1, epochs=1)


@pytest.mark.parametrize("rate", [0.0, np.nan, "x", None])
def test_a_schedule_that_gives_no_rate_names_the_step(rate: Any) -> None:
    stream = descend(
        LINE, [0.0, 0.0], X, Y, batches=FullBatch(), learning_rate=lambda k: 0.1 if k < 2 else rate, epochs=5
    )
    assert [next(stream).number, next(stream).number] == [0, 1]
    with pytest.raises(SettingError, match=r"^the learning rate of step 2 is"):
        next(stream)


@pytest.mark.parametrize("indices", [[7], [-6], [0.5], "ab", None, [[0, 1]], [], [True] * 3, np.zeros(0, int)])
def test_batches_that_do_not_index_the_samples_are_refused(indices: Any) -> None:
    class Wrong:
        shuffles = False

        def epoch(self, samples: int, rng: np.random.Generator | None) -> Iterator[Any]:
            yield np.array(indices) if isinstance(indices, list) else indices

    with pytest.raises(RefnnError, match=r"^the batch of step 0 is"):
        steps(batches=Wrong())


# ---------------------------------------------------------------------------------------------------- divergence


@pytest.mark.parametrize("setting", ["ignore", "warn", "raise"])
def test_divergence_names_its_step(setting: Any) -> None:
    with np.errstate(all=setting):
        stream = descend(LINE, [0.0, 0.0], X, Y, batches=FullBatch(), learning_rate=1e150, epochs=9)
        taken: list[int] = []
        with pytest.raises(DivergenceError) as caught:
            taken.extend(step.number for step in stream)
    assert taken
    assert caught.value.step == taken[-1] + 1
    assert caught.value.given == f"step {caught.value.step} (epoch {caught.value.step})"
    assert caught.value.remedy == "Lower the learning rate, or scale the data"


def test_a_loss_beyond_the_range_is_a_divergence_though_the_gradient_is_not() -> None:
    # five squares of 1e154, halved, are 2.5e308; the gradient is 1e154
    network = Network(Dense(1, 1), Identity(), loss=SquaredError(reduction="sum"))
    stream = descend(
        network, [0.0, 1e154], np.zeros((5, 1)), np.zeros(5), batches=FullBatch(), learning_rate=0.1, epochs=1
    )
    with pytest.raises(DivergenceError, match=r"^step 0 \(epoch 0\)"):
        next(stream)


def test_batches_may_give_any_sequence_of_whole_numbers() -> None:
    class Ranges:
        shuffles = False

        def epoch(self, samples: int, rng: np.random.Generator | None) -> Iterator[Any]:
            yield range(samples)

    (step,) = steps(batches=Ranges())
    assert step.indices.tolist() == [0, 1, 2, 3, 4]


# -------------------------------------------------------------------------------------------------- rates with a proof


class Proposes:
    """A rate with a proof, which writes down what it is asked."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.asked: list[tuple[Any, ...]] = []
        self.reached: list[list[float]] = []

    def propose(self, network: Network, *arguments: Any) -> tuple[float, Proposes]:
        self.asked.append((network, *(a.tolist() for a in arguments)))
        return self.rate, self

    def outcome(self, w: Any) -> descent.Outcome:
        self.reached.append(w.tolist())
        return "not proven"


def test_a_rate_with_a_proof_is_asked_at_every_step_about_its_batch() -> None:
    rate = Proposes(0.125)
    taken = steps(batches=MiniBatch(2), epochs=2, rng=0, learning_rate=rate)
    w = [0.0, 0.0]
    assert len(taken) == len(rate.asked) == len(rate.reached) == 6
    for step, asked, reached in zip(taken, rate.asked, rate.reached, strict=True):
        x, y = [X[i] for i in step.indices], [[Y[i]] for i in step.indices]
        assert asked == (LINE, w, x, y, step.gradient.tolist())
        assert (step.certificate, step.outcome, step.learning_rate) == (rate, "not proven", 0.125)
        w = reached
        assert w == step.parameters.tolist()
    plain = steps(batches=MiniBatch(2), epochs=2, rng=0, learning_rate=0.125)
    assert [s.parameters.tolist() for s in taken] == [s.parameters.tolist() for s in plain]
    assert {(s.certificate, s.outcome) for s in plain} == {(None, None)}


def test_where_nothing_can_be_proven_the_rate_is_0_and_the_parameters_stay() -> None:
    for step in steps(w=[0.5, 0.25], epochs=2, learning_rate=Proposes(0.0)):
        assert (step.learning_rate, step.parameters.tolist()) == (0, [0.5, 0.25])


def test_a_proof_is_of_gradient_descent_alone() -> None:
    class Own:
        initial_state = step = GradientDescent.step

    assert len(steps(learning_rate=Proposes(0.1), rule=GradientDescent())) == 1
    with pytest.raises(SettingError, match=r"^learning_rate is <.*> and rule is <.*: what is certified is the step"):
        steps(learning_rate=Proposes(0.1), rule=Own())
