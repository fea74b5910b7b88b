"""The proven law of descent: up to the certified learning rate, every step against the gradient lowers the loss.

What the certificate claims is asked anew at single learning rates: balls enclose L(w − η·g) − L(w) at the real point
w − η·g, with as many bits as it takes. No tile, no slope and no dual number is used.

What is asserted here at single learning rates is proved in proofs: certified-rate, mean-value-right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from flint import arb
from hypothesis import event, given
from hypothesis import strategies as st

from refnn import (
    Certified,
    Dense,
    Huber,
    Network,
    Tanh,
    activations,
    certified_learning_rate,
    descend,
    descent,
    losses,
)
from refnn.arithmetic.ball import BallArray, working_precision
from refnn.arrays import FloatArray
from refnn.descent import Batches
from refnn.oracle.certificate import Certificate
from refnn.testing import cases, networks
from tests.laws.measures import FRACTIONS, UndecidedError, examples, undecided_set_aside

SMALL = (1, 2, 3)
SLOW = 1e-6  # no case diverges within an epoch of it
BUDGET = 15  # a cheaper search stops earlier, and what it has proven by then is as true


def change(network: Network, w: FloatArray, g: FloatArray, eta: float, x: FloatArray, y: Any) -> int:
    """The sign of L(w − η·g) − L(w) in real numbers; `UndecidedError` if 4096 bits do not tell it."""
    labels, bits = network.check_targets(w, x, y), 128
    while bits <= 4096:
        with working_precision(bits):
            start, samples = BallArray.exact(w), BallArray.exact(x)
            moved = start - BallArray.exact(np.array(eta)) * BallArray.exact(g)
            after, before = (network.value(at, samples, labels).elements.item() for at in (moved, start))
            rise: arb = after - before
            if rise < 0 or rise > 0:
                return -1 if rise < 0 else 1
        bits *= 2
    raise UndecidedError("the change is not told from none")


def promise(network: Network, w: FloatArray, x: FloatArray, y: Any, found: Certificate, etas: Sequence[float]) -> None:
    """Assert that the loss is lower at each of these learning rates, as the certificate says."""
    if found.rate == 0:
        raise UndecidedError(f"no rate, {found.reason}")
    for eta in etas:
        assert 0 < eta <= found.rate
        assert change(network, w, found.gradient, eta, x, y) < 0


@pytest.mark.parametrize("variant", descent.ALL, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("loss", losses.ALL)
@pytest.mark.parametrize("activation", activations.ALL)
@examples(0.1)
@given(data=st.data())
def test_every_learning_rate_up_to_the_certified_one_lowers_the_loss_of_the_batch(
    activation: type[activations.Activation], loss: type[losses.Loss], variant: Batches, data: st.DataObject
) -> None:
    dtype, at, seed = data.draw(
        st.tuples(st.sampled_from([np.float64, np.float32]), st.integers(0, 10), st.integers(0, 10))
    )
    network, w, x, y = data.draw(
        cases(networks(depth=2, widths=SMALL, activations=[activation], losses=[loss]), dtype=dtype, **FRACTIONS)
    )
    steps = list(descend(network, w, x, y, batches=variant, learning_rate=SLOW, epochs=1, rng=seed))
    k = at % len(steps)
    start, batch = steps[k - 1].parameters if k else w, steps[k].indices
    found = certified_learning_rate(network, start, x[batch], y[batch], budget=BUDGET)
    assert found.gradient.dtype == dtype
    assert found.gradient.tolist() == steps[k].gradient.tolist()
    with undecided_set_aside():
        inside = [data.draw(st.floats(0, found.rate, exclude_min=True)) for _ in range(2)] if found.rate else []
        promise(network, start, x[batch], y[batch], found, [*inside, found.rate])
        event(f"up to {found.reason}")


@pytest.mark.parametrize("activation", [activation for activation in activations.ALL if activation().kinks])
@examples(0.5)
@given(data=st.data())
def test_every_such_learning_rate_lowers_the_loss_though_units_stand_on_their_kinks(
    activation: type[activations.Activation], data: st.DataObject
) -> None:
    network, w, x, y = data.draw(cases(networks(depth=2, widths=SMALL, activations=[activation]), kinks=True))
    found = certified_learning_rate(network, w, x, y, budget=BUDGET)
    with undecided_set_aside():
        promise(network, w, x, y, found, [found.rate * fraction for fraction in (1.0, 0.3, 1e-9)])


@pytest.mark.parametrize("variant", descent.ALL, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("activation", activations.ALL)
@examples(0.1)
@given(data=st.data())
def test_the_real_step_that_descend_takes_with_a_certified_rate_lowers_the_loss_of_its_batch(
    activation: type[activations.Activation], variant: Batches, data: st.DataObject
) -> None:
    (network, w, x, y), fraction, at = data.draw(
        st.tuples(
            cases(networks(depth=2, widths=(1, 2, 3), activations=[activation]), samples=st.just(5), **FRACTIONS),
            st.floats(0.01, 1),
            st.integers(0, 4),
        )
    )
    rate = Certified(fraction=fraction, budget=BUDGET)
    steps = list(islice(descend(network, w, x, y, batches=variant, learning_rate=rate, epochs=1, rng=7), at + 1))
    before, step = steps[-2].parameters if len(steps) > 1 else w, steps[-1]
    with undecided_set_aside():
        if step.learning_rate == 0:
            assert step.parameters.tolist() == before.tolist()
            raise UndecidedError("no rate")
        batch = x[step.indices], y[step.indices]
        assert change(network, before, step.gradient, step.learning_rate, *batch) < 0
        if step.outcome == "lowered":  # and so do the rounded parameters, with η = 1 and what they moved by as g
            moved = before - step.parameters
            if (before - moved).tolist() == step.parameters.tolist():
                assert change(network, before, moved, 1.0, *batch) < 0
        event(str(step.outcome))


@pytest.mark.parametrize("activation", activations.ALL)
@pytest.mark.parametrize("kind", losses.ALL)
def test_the_law_is_not_empty(kind: type[losses.Loss], activation: type[activations.Activation]) -> None:
    # Of parameters and samples drawn evenly, none stands on a kink or at a minimum.
    rng = np.random.default_rng(17)
    network = Network(Dense(2, 3), activation(), Dense(3, 2), loss=kind())
    w, x, y = rng.uniform(-2, 2, network.size), rng.uniform(-2, 2, (5, 2)), rng.uniform(0, 1, (5, 2))
    found = certified_learning_rate(network, w, x, y / y.sum(axis=1, keepdims=True), budget=BUDGET)
    assert found.rate > 0


# ------------------------------------------------------------------------------------------ the checker sees its faults


def _case() -> tuple[Network, FloatArray, FloatArray, FloatArray]:
    network = Network(Dense(2, 3), Tanh(), Dense(3, 2), loss=Huber())
    return (
        network,
        np.sin(np.arange(17.0)),
        np.cos(np.arange(10.0)).reshape(5, 2),
        np.sin(np.arange(10.0)).reshape(5, 2),
    )


def test_the_law_accepts_a_right_certificate_and_refuses_a_rate_beyond_it() -> None:
    network, w, x, y = _case()
    found = certified_learning_rate(network, w, x, y)
    promise(network, w, x, y, found, [5e-324, 1e-300, found.rate / 3, found.rate])
    assert change(network, w, found.gradient, found.beyond, x, y) > 0
    with pytest.raises(AssertionError):
        promise(network, w, x, y, replace(found, rate=found.beyond), [found.beyond])


def test_the_law_refuses_an_ascent() -> None:
    network, w, x, y = _case()
    _, g = network.loss_and_gradient(w, x, y)
    assert {change(network, w, -g, eta, x, y) for eta in (5e-324, 1e-9, 0.01)} == {1}


def test_a_step_that_changes_nothing_is_undecided() -> None:
    network, w, x, y = _case()
    with pytest.raises(UndecidedError, match="not told from none"):
        change(network, w, 0 * w, 0.1, x, y)
