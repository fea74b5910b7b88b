"""The tangent of every rule is the derivative that mpmath finds; dual numbers nest; what they give of a network.

What is asserted here for floats is proved in proofs: dual-sum, dual-product, dual-quotient; and for functions
in proofs: dual-polynomial, dual-exp, dual-tanh.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from refnn import arrays
from refnn.activations import GELU, SiLU, Softplus, Tanh
from refnn.arithmetic.dual import SLOPES, DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray, exp, tanh
from refnn.layers import Dense
from refnn.losses import SoftmaxCrossEntropy
from refnn.network import Network
from tests.arithmetic.operations import CASES, OPERATIONS, Case, Reals, arguments, name, parts, reals
from tests.definitions import M, outside

DIFFERENCE = 1e-50
"""What mpmath's differences of numbers near 1 may be off by: they keep some 50 digits of 60. A tangent that moves
without arithmetic has no error of its own."""

every_operation = pytest.mark.parametrize("operation", sorted(OPERATIONS, key=name), ids=name)


def derivative(case: Case, z: Sequence[FloatArray], v: Sequence[FloatArray], part: int) -> Reals:
    """The derivative of one part of the result along v, by mpmath's differences of the definition."""
    exact_z, exact_v = [reals(a) for a in z], [reals(a) for a in v]

    def along(t: Any) -> Reals:
        return np.asarray(
            parts(case.on_reals(*(a + t * b for a, b in zip(exact_z, exact_v, strict=True)), *case.rest))[part]
        )

    return np.array([M.diff(lambda t, k=k: along(t).ravel()[k], 0) for k in range(along(0).size)], dtype=object)


def test_every_operation_has_a_rule() -> None:
    assert set(DualArray.rules) == OPERATIONS
    assert set(SLOPES) < OPERATIONS


@every_operation
def test_the_tangent_is_the_derivative(operation: Any) -> None:
    case, random = CASES[operation], np.random.default_rng(19)
    z = arguments(case, random)
    v = [random.normal(0, 1, a.shape) for a in z]
    dual = operation(*map(DualArray, z, v), *case.rest)
    rounded = operation(
        *(DualArray(RoundedArray.exact(a), RoundedArray.exact(b)) for a, b in zip(z, v, strict=True)), *case.rest
    )
    for k, (of_floats, bound) in enumerate(zip(parts(dual), parts(rounded), strict=True)):
        true = derivative(case, z, v, k)
        assert outside(of_floats.tangent, true, bound.tangent.error + DIFFERENCE) == []
        assert outside(bound.tangent.value, true, bound.tangent.error + DIFFERENCE) == []
        values = parts(case.on_reals(*map(reals, z), *case.rest))[k]
        assert outside(of_floats.value, values, bound.value.error) == []


def test_the_comparison_can_fail() -> None:
    case, z, v = CASES[np.tanh], [np.array([[0.5]])], [np.array([[2.0]])]
    true = derivative(case, z, v, 0)
    wrong = 2.001 * (1 - np.tanh(0.5) ** 2)
    assert outside(np.array([wrong]), true, np.array([1e-12])) != []


@every_operation
def test_tangents_nest(operation: Any) -> None:
    """A dual number over dual numbers: the tangent's tangent is the second derivative along v, then u."""
    case, random = CASES[operation], np.random.default_rng(23)
    z = arguments(case, random)
    v, u = ([random.normal(0, 1, a.shape) for a in z] for _ in range(2))

    def nested(a: Any, b: Any, c: Any) -> Any:
        return DualArray(DualArray(a, b), DualArray(c, 0 * c))

    result = operation(*map(nested, z, v, u), *case.rest)
    rounded = operation(*(nested(*map(RoundedArray.exact, three)) for three in zip(z, v, u, strict=True)), *case.rest)
    exact = [(reals(a), reals(b), reals(c)) for a, b, c in zip(z, v, u, strict=True)]

    def along(s: Any, t: Any, part: int, k: int) -> Any:
        moved = [a + s * b + t * c for a, b, c in exact]
        return np.ravel(parts(case.on_reals(*moved, *case.rest))[part])[k]

    for part, (of_floats, bound) in enumerate(zip(parts(result), parts(rounded), strict=True)):
        size = np.size(of_floats.value.value)
        second = [
            M.diff(lambda s, t, part=part, k=k: along(s, t, part, k), (0, 0), (1, 1)) for k in range(min(size, 4))
        ]
        flat, allowed = np.ravel(of_floats.tangent.tangent)[:4], np.ravel(bound.tangent.tangent.error)[:4]
        # mpmath's second difference has 30 digits or more of its 60
        assert outside(flat, np.array(second, dtype=object), allowed + 1e-30) == []


def smooth_network() -> Network:
    return Network(
        Dense(3, 4), Tanh(), Dense(4, 5), GELU(), Dense(5, 2), SiLU(), Softplus(), loss=SoftmaxCrossEntropy()
    )


def test_the_hessian_is_symmetric() -> None:
    network, random = smooth_network(), np.random.default_rng(29)
    w, u, v = (random.normal(0, 1, network.size) for _ in range(3))
    x, y = random.normal(0, 1, (5, 3)), [0, 1, 1, 0, 1]

    def hessian_times(direction: FloatArray) -> RoundedArray:
        dual = DualArray(RoundedArray.exact(w), RoundedArray.exact(direction))
        gradient = network.loss_and_gradient(dual, x, y)[1]
        return gradient.tangent

    hu, hv = hessian_times(u), hessian_times(v)
    vhu, uhv = float(v @ hu.value), float(u @ hv.value)
    inner_product = network.size * 2.0**-53 * (abs(v) @ abs(hu.value) + abs(u) @ abs(hv.value))
    allowed = abs(v) @ hu.error + abs(u) @ hv.error + inner_product
    assert abs(vhu - uhv) <= allowed
    assert allowed < 1e-10 * abs(vhu)  # so the comparison says something
    plain = network.loss_and_gradient(DualArray(w, u), x, y)[1].tangent
    assert (abs(plain - hu.value) <= 2 * hu.error).all()


def test_the_tangent_of_the_loss_is_the_slope_along_the_gradient() -> None:
    network, random = smooth_network(), np.random.default_rng(31)
    w, v = random.normal(0, 1, network.size), random.normal(0, 1, network.size)
    x, y = random.normal(0, 1, (5, 3)), [0, 1, 1, 0, 1]
    bound = network.loss_and_gradient(DualArray(RoundedArray.exact(w), RoundedArray.exact(v)), x, y)
    gradient, slope = bound[1].value, bound[0].tangent
    allowed = abs(v) @ gradient.error + float(slope.error) + network.size * 2.0**-53 * (abs(v) @ abs(gradient.value))
    assert abs(v @ gradient.value - float(slope.value)) <= allowed
    assert allowed < 1e-11 * abs(float(slope.value))


def test_what_is_cut_off_keeps_its_tangent() -> None:
    cut = arrays.within(DualArray(np.array([1e300, 5.0]), np.array([2.0, 3.0])), 100)
    assert cut.value.tolist() == [100, 5]
    assert cut.tangent.tolist() == [2, 3]


def test_fields() -> None:
    z = DualArray(np.zeros((2, 3)), np.ones((2, 3)))
    assert z.shape == (2, 3)
    assert z.T.shape == (3, 2)
    assert z.lift(2.5).value == 2.5
    assert z.lift(2.5).tangent == 0
    assert exp(z).tangent.tolist() == np.ones((2, 3)).tolist()
    assert tanh(z).tangent.tolist() == np.ones((2, 3)).tolist()
    assert (3 - z).tangent.tolist() == (-np.ones((2, 3))).tolist()
