"""The page of losses: no loss and no reduction of refnn is without its theorem."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from sympy import log

from proofs.latex import latex
from proofs.page import theorems
from proofs.sums import Index, array, size, total
from proofs.topics.losses import PAGE, shares
from refnn import losses
from refnn.arithmetic.ball import BallArray, working_precision

IDS = {theorem.id for theorem in theorems(PAGE)}
REDUCED = [(loss, reduction) for loss in losses.ALL for reduction in loss().reductions()]
N, C = 3, 2


def test_products_and_differences_are_written_as_one_reads_them() -> None:
    i = Index("i", size("n"))
    x, y = array("x"), array("y")
    assert latex(x[i] - y[i]) == "x_{i} - y_{i}"
    assert latex((1 - y[i]) * x[i]) == r"x_{i} \left(1 - y_{i}\right)"
    assert latex(y[i] * log(x[i]) / 2).endswith(r"\ln{\left(x_{i} \right)}}{2}")
    assert latex(total(x[i], i) / 2) == r"\frac{1}{2} \sum_{i=1}^{n} x_{i}"


def missing(every: tuple[Any, ...], ids: set[str]) -> list[str]:
    """The theorems that the losses ask for and that are not there."""
    asked = [f"loss-{loss.__name__.lower()}" for loss in every]
    asked += [f"reduction-{reduction}" for loss in every for reduction in loss().reductions()]
    return sorted(set(asked) - ids)


def test_every_loss_and_every_reduction_has_its_theorem() -> None:
    assert missing(losses.ALL, IDS) == []


def test_a_loss_or_a_reduction_without_a_theorem_is_seen() -> None:
    class Hinge(losses.Loss):
        def reductions(self) -> Any:
            return (*super().reductions(), "median")

        terms = derivative = lambda self, p, t: p

    assert missing((*losses.ALL, Hinge), IDS) == ["loss-hinge", "reduction-median"]
    assert missing(losses.ALL, IDS - {"loss-huber", "reduction-weights"}) == ["loss-huber", "reduction-weights"]


def test_every_theorem_of_a_loss_is_tried_on_its_code() -> None:
    for theorem in theorems(PAGE):
        if theorem.id.startswith(("loss-", "reduction-")):
            assert theorem.run is not None
            assert theorem.code


def batch() -> tuple[BallArray, Any]:
    rng = np.random.default_rng(3)
    return BallArray.exact(rng.integers(-8, 9, (N, C)) / 4), shares((N, C), rng)


def weights_of(loss: type[losses.Loss]) -> dict[str, Any]:
    return {"class_weights": (2.0, 0.5)} if loss is losses.SoftmaxCrossEntropy else {}


@pytest.mark.parametrize(("loss", "reduction"), REDUCED)
def test_every_loss_is_reduced_as_the_theorem_says(loss: type[losses.Loss], reduction: losses.Reduction) -> None:
    """L and its gradient are scale/divisor times those of the samples, each a batch of its own."""
    scale = 3
    with working_precision(160):
        z, y = batch()
        one = loss(reduction="sum", **weights_of(loss))
        whole = dataclasses.replace(one, reduction=reduction, scale=scale)
        values, gradients = [], []
        for n in range(N):
            value, gradient = one.differentiate(BallArray(z.elements[n : n + 1]), y[n : n + 1])
            values.append(value.elements.item())
            gradients.append(gradient.elements[0])
        divisor = {"mean": N, "sum": 1, "elements": N * C, "weights": float((y * (2, 0.5)).sum())}[reduction]
        value, gradient = whole.differentiate(z, y)
        assert (value.elements.item() - scale * sum(values) / divisor).contains(0)
        assert whole.value(z, y).elements.item().overlaps(value.elements.item())
        for ours, theirs in zip(np.array(gradients).flat, gradient.elements.flat, strict=True):
            assert (scale * ours / divisor - theirs).contains(0)
            assert theirs.rad() < 2.0**-80
