"""The theorems of the affine layer hold, and the code does what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Rational

from proofs.affine import AFFINE, THEOREMS
from proofs.instances import evaluated
from proofs.kernel import verify
from proofs.sums import size
from refnn.arithmetic.rational import RationalArray
from refnn.layers import Dense

STATED = {theorem.id: theorem.expression for theorem in THEOREMS}

Way = Callable[..., dict[str, Any]]


def as_refnn_does(layer: Dense, x: Any, w: Any, b: Any, delta: Any) -> dict[str, Any]:
    weight, bias = layer.gradient((w, b), x, delta)
    return {"dense-weight": weight, "dense-bias": bias, "dense-input": layer.backward((w, b), x, delta)}


def differs(way: Way, samples: int, inputs: int, outputs: int, seed: int) -> list[str]:
    """What of the code is not what the theorems say, in rational numbers."""
    rng = np.random.default_rng(seed)
    shapes = {"x": (samples, inputs), "w": (inputs, outputs), "b": (outputs,), "delta": (samples, outputs)}
    arrays = {letter: rng.integers(-9, 10, shape) / 4 for letter, shape in shapes.items()}
    exact = {letter: RationalArray.exact(array) for letter, array in arrays.items()}
    layer = Dense(inputs, outputs)
    found = way(layer, **exact) | {"affine": layer.forward((exact["w"], exact["b"]), exact["x"])}
    sizes = {size("N"): samples, size("m"): inputs, size("n"): outputs}
    wrong = []
    for name, expression in (STATED | {"affine": AFFINE.expression}).items():
        for place, value in evaluated(expression, arrays, sizes).items():
            of_code = found[name].elements[_in_order(name, place)]
            if Rational(int(of_code.p), int(of_code.q)) != value:
                wrong.append(name)
    return sorted(set(wrong))


def _in_order(name: str, place: tuple[int, ...]) -> tuple[int, ...]:
    """Places are in the order of the letters of their indices: of the sample t and the input k, (k, t)."""
    return {"dense-input": place[::-1], "affine": place[::-1]}.get(name, place)


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: str(theorem.id))
def test_every_step_holds(theorem: Any) -> None:
    verify(theorem)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(0, 100))
def test_the_code_does_what_is_proved(samples: int, inputs: int, outputs: int, seed: int) -> None:
    assert differs(as_refnn_does, samples, inputs, outputs, seed) == []


def test_swapped_dimensions_are_seen() -> None:
    def swapped(layer: Dense, x: Any, w: Any, b: Any, delta: Any) -> dict[str, Any]:
        found = as_refnn_does(layer, x, w, b, delta)
        return found | {"dense-weight": (delta.T @ x), "dense-input": delta @ w}

    assert differs(swapped, 3, 2, 2, seed=1) == ["dense-input", "dense-weight"]
