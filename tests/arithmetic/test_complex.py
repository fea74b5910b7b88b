"""The complex step of every operation is its derivative; where the parts of a number are tiny or large as well.

What is asserted here for floats is proved in proofs: complex-step.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from refnn import arrays
from refnn.activations import GELU, Tanh
from refnn.arithmetic.complex import ComplexArray
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import Root
from refnn.layers import Dense
from refnn.losses import SoftmaxCrossEntropy
from refnn.network import Network
from tests.arithmetic.operations import CASES, OPERATIONS, arguments, name, parts, reals
from tests.arithmetic.test_dual import DIFFERENCE, derivative
from tests.definitions import PARTS, M, outside

H = 1e-30

every_operation = pytest.mark.parametrize("operation", sorted(OPERATIONS, key=name), ids=name)


def stepped(z: Any, v: Any) -> ComplexArray:
    """z + i·h·v."""
    return ComplexArray(np.asarray(z + 1j * H * v, dtype=np.complex128))


def test_the_table_covers_what_the_dual_numbers_do() -> None:
    assert set(ComplexArray.rules) == OPERATIONS == set(DualArray.rules)


@every_operation
def test_the_step_is_the_derivative(operation: Any) -> None:
    case, random = CASES[operation], np.random.default_rng(37)
    z = arguments(case, random)
    v = [random.normal(0, 1, a.shape) for a in z]
    result = operation(*map(stepped, z, v), *case.rest)
    given = [RoundedArray(b, 2.0**-53 * np.abs(b)) for b in v]  # h·v is rounded once
    rounded = operation(*(DualArray(RoundedArray.exact(a), b) for a, b in zip(z, given, strict=True)), *case.rest)
    for k, (computed, bound) in enumerate(zip(parts(result), parts(rounded), strict=True)):
        values = parts(case.on_reals(*map(reals, z), *case.rest))[k]
        assert outside(computed.elements.real, values, PARTS * bound.value.error) == []
        divided = 2.0**-53 * np.abs(bound.tangent.value)  # by h, once more: of what is off by less than another error
        allowed = (PARTS + 1) * bound.tangent.error + divided + DIFFERENCE
        assert outside(computed.elements.imag / H, derivative(case, z, v, k), allowed) == []


@pytest.mark.parametrize("z", [-800.0, -40.0, -1e-8, -1e-300, 0.0, 1e-300, 1e-8, 40.0, 800.0, 1e300])
@pytest.mark.parametrize(
    "operation",
    [
        arrays.expit,
        arrays.expit_slope,
        arrays.tanh_step,
        arrays.softplus,
        arrays.log_expit,
        arrays.sech_squared,
        np.tanh,
        arrays.erfc,
    ],
    ids=name,
)
def test_smooth_functions_in_their_tails(operation: Any, z: float) -> None:
    real = np.array([[z]])
    bound = operation(DualArray(RoundedArray.exact(real), RoundedArray.exact(np.ones((1, 1)))))
    h = 1e-200 if abs(z) < 1e-8 else H
    computed = operation(ComplexArray(np.asarray(real + 1j * h, dtype=np.complex128))).elements
    least = 100 * float(np.finfo(np.float64).smallest_subnormal)  # an underflow of the imaginary part counts 1/h times
    true = CASES[operation].on_reals(reals(real))
    assert outside(computed.real, true, PARTS * bound.value.error) == []
    allowed = (PARTS + 1) * bound.tangent.error + least / h
    assert outside(computed.imag / h, reals(bound.tangent.value), allowed) == []


ANALYTIC: list[tuple[Any, Callable[[Any], Any]]] = [
    (np.exp, M.exp),
    (np.expm1, M.expm1),
    (np.log, M.log),
    (np.sqrt, M.sqrt),
    (np.tanh, M.tanh),
    (arrays.sech_squared, lambda z: M.sech(z) ** 2),
    (arrays.expit, lambda z: 1 / (1 + M.exp(-z))),
    (arrays.expit_slope, lambda z: M.sech(z / 2) ** 2 / 4),
    (arrays.tanh_step, lambda z: (1 + M.tanh(z)) / 2),
    (arrays.softplus, lambda z: M.log(1 + M.exp(z))),
    (arrays.log_expit, lambda z: -M.log(1 + M.exp(-z))),
]


@pytest.mark.parametrize(("operation", "function"), ANALYTIC, ids=lambda f: getattr(f, "__name__", None))
@pytest.mark.parametrize("z", [0.5 + 0.3j, -0.5 + 0.25j, 0.01 - 0.2j, -2.5 - 0.75j, 3.0 + 1.0j])
def test_smooth_functions_are_the_analytic_ones(operation: Any, function: Callable[[Any], Any], z: complex) -> None:
    if operation is np.log and z.real < 0:
        z = -z
    computed = complex(operation(ComplexArray(np.array([[z]]))).elements[0, 0])
    true = function(M.mpc(z))
    # fewer than 20 complex operations, each within PARTS u of its size, and none of them cancels here
    assert abs(M.mpc(computed) - true) <= 20 * PARTS * 2.0**-53 * abs(true)


def test_log_softmax_is_analytic() -> None:
    z = [0.5 + 0.3j, -1.0 - 0.2j, 2.0 + 0.1j]
    computed = arrays.log_softmax(ComplexArray(np.array([z]))).elements[0]
    total = M.log(M.fsum(M.exp(M.mpc(v)) for v in z))
    for v, log_p in zip(z, computed.tolist(), strict=True):
        assert abs(M.mpc(log_p) - (M.mpc(v) - total)) <= 20 * PARTS * 2.0**-53


def test_log_softmax_of_tied_and_distant_logits() -> None:
    z = np.array([[3.0, 3.0, -1e4], [1e300, 0.0, -1e300]])
    log_p = arrays.log_softmax(stepped(z, np.zeros_like(z))).elements
    assert abs(log_p[0, 0].real + float(M.log(2))) <= 2.0**-52
    assert log_p[1].real.tolist() == [0, -1e300, -2e300]
    assert (log_p.imag == 0).all()


def test_the_gradient_of_a_network() -> None:
    network, random = (
        Network(Dense(3, 4), Tanh(), Dense(4, 2), GELU(), loss=SoftmaxCrossEntropy()),
        np.random.default_rng(41),
    )
    w, v = random.normal(0, 1, network.size), random.normal(0, 1, network.size)
    x, y = random.normal(0, 1, (5, 3)), [0, 1, 1, 0, 1]
    step = network.loss(stepped(w, v), x, y).elements
    bound = network.loss(DualArray(RoundedArray.exact(w), RoundedArray.exact(v)), x, y)
    allowed = (PARTS + 2) * float(bound.tangent.error)
    assert abs(step.imag / H - float(bound.tangent.value)) <= allowed
    assert allowed < 1e-11 * abs(float(bound.tangent.value))


def test_constants_are_real() -> None:
    like = ComplexArray(np.zeros(2, np.complex128))
    assert like.shape == (2,)
    assert like.lift(2.5).elements == 2.5
    assert like.lift(np.array([1.5, 2.0])).elements.dtype == np.complex128
    assert like.lift(Root(Fraction(1, 4))).elements == 0.5
