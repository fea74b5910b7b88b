"""The dense layer by hand, in fractions; what it refuses; how parameters begin."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from refnn.errors import RefnnError, SettingError
from refnn.layers import Dense, Initializer, glorot, he, zeros
from tests.rational import Rational

W = [[1, 2, 3], [4, 5, 6]]
B = [Fraction(1, 2), -1, 0]
X = [[1, 0], [0, 1], [2, -1], [Fraction(1, 3), Fraction(2, 3)], [0, 0]]
DELTA = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [3, -3, 6], [1, 1, 1]]


def rational(rows: Any) -> Rational:
    return Rational(
        np.array([[Fraction(v) for v in row] for row in rows] if isinstance(rows[0], list) else rows, object)
    )


def test_forward_by_hand() -> None:
    z = Dense(2, 3).forward((rational(W), rational(B)), rational(X))
    assert z.elements.tolist() == [
        [Fraction(3, 2), 1, 3],
        [Fraction(9, 2), 4, 6],
        [Fraction(-3, 2), -2, 0],
        [Fraction(7, 2), 3, 5],
        [Fraction(1, 2), -1, 0],
    ]


def test_backward_by_hand() -> None:
    dx = Dense(2, 3).backward((rational(W), rational(B)), rational(X), rational(DELTA))
    # a row of δ times Wᵀ: (3, −3, 6)·(1, 2, 3) = 15 and (3, −3, 6)·(4, 5, 6) = 33
    assert dx.elements.tolist() == [[1, 4], [2, 5], [3, 6], [15, 33], [6, 15]]


def test_gradient_by_hand() -> None:
    dw, db = Dense(2, 3).gradient((rational(W), rational(B)), rational(X), rational(DELTA))
    # ∂L/∂w[0, k] = δ[0, k] + 2 δ[2, k] + δ[3, k]/3, and ∂L/∂w[1, k] = δ[1, k] − δ[2, k] + 2 δ[3, k]/3
    assert dw.elements.tolist() == [[2, -1, 4], [2, -1, 3]]
    assert db.elements.tolist() == [5, -1, 8]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_floats_keep_their_dtype_and_their_arguments(dtype: Any) -> None:
    w, b, x, delta = (np.array(a, dtype) for a in (W, [0.5, -1, 0], [[1, 0], [2, -1]], [[1, 0, 0], [3, -3, 6]]))
    before = [a.copy() for a in (w, b, x, delta)]
    layer = Dense(2, 3)
    results = [layer.forward((w, b), x), layer.backward((w, b), x, delta), *layer.gradient((w, b), x, delta)]
    assert [r.dtype for r in results] == [dtype] * 4
    assert [r.shape for r in results] == [(2, 3), (2, 2), (2, 3), (3,)]
    assert all(np.array_equal(a, c) for a, c in zip((w, b, x, delta), before, strict=True))
    assert not any(np.shares_memory(r, a) for r in results for a in (w, b, x, delta))


def test_shapes_stand_in_the_order_of_the_vector() -> None:
    assert list(Dense(4, 3).shapes.items()) == [("weight", (4, 3)), ("bias", (3,))]
    assert Dense(4, 3) == Dense(inputs=4, outputs=3)
    assert repr(Dense(4, 3)) == "Dense(inputs=4, outputs=3)"


@pytest.mark.parametrize("width", [0, -1, 2.0, "3", None, True, np.nan, [2], 1j, np.timedelta64(3)])
def test_a_width_is_a_whole_number_above_zero(width: Any) -> None:
    for name, widths in (("inputs", (width, 3)), ("outputs", (3, width))):
        with pytest.raises(SettingError, match=rf"^{name} is .* whole number of at least 1\. Pass 1 or more\.$"):
            Dense(*widths)


def test_the_text_of_a_refusal() -> None:
    with pytest.raises(RefnnError) as caught:
        Dense(0, 3)
    assert str(caught.value) == "inputs is 0: inputs is a whole number of at least 1. Pass 1 or more."


@pytest.mark.parametrize("initializer", [glorot, he, zeros])
@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), ()])
def test_what_is_no_weight_begins_at_zero(initializer: Initializer, shape: tuple[int, ...]) -> None:
    drawn = initializer(shape, np.random.default_rng(0))
    assert drawn.shape == shape
    assert not drawn.any()


@pytest.mark.parametrize("initializer", [glorot, he])
def test_weights_have_the_variance_of_the_paper(initializer: Initializer) -> None:
    inputs, outputs = 300, 700
    weights = initializer((inputs, outputs), np.random.default_rng(1)).ravel()
    variance, fourth = (2 / (inputs + outputs), 9 / 5) if initializer is glorot else (2 / inputs, 3.0)
    # the mean square of n draws has the relative standard deviation √((κ − 1)/n), with the kurtosis κ of the uniform
    # or of the normal distribution; the mean has σ/√n; six of them
    assert abs(np.mean(weights**2) / variance - 1) <= 6 * math.sqrt((fourth - 1) / weights.size)
    assert abs(np.mean(weights)) <= 6 * math.sqrt(variance / weights.size)
    if initializer is glorot:
        assert np.abs(weights).max() <= math.sqrt(6 / (inputs + outputs))


def test_zeros_are_zeros() -> None:
    assert not zeros((3, 4), np.random.default_rng(0)).any()
