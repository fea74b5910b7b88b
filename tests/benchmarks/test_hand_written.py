"""The benchmark compares like with like: the code by hand computes what refnn does."""

from __future__ import annotations

import numpy as np

from refnn.arithmetic.rounded import RoundedArray
from tests.benchmarks.hand_written import hand_written, network


def test_the_code_by_hand_gives_the_same_loss_and_gradient() -> None:
    widths = (5, 11, 7, 3)
    rng = np.random.default_rng(0)
    subject = network(widths)
    w = subject.initial_parameters(rng=rng)
    x, y = rng.normal(size=(13, 5)), rng.integers(0, 3, size=13)
    bound = subject.evaluate(RoundedArray.exact(w), x, y)
    loss, gradient = hand_written(widths)(w, x, y)
    # both are within the bound of the real number: they round the same sums and products, and 1 − h² rounds no worse
    # than sech² where, as here, no unit is saturated
    assert abs(loss - bound.loss.value) <= 2 * bound.loss.error
    assert (abs(gradient - bound.gradient.value) <= 2 * bound.gradient.error).all()
