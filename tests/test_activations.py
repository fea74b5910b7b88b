"""Every activation at 0 and in its tails, in every arithmetic, against the textbook at 60 digits."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from refnn import activations
from refnn.activations import ELU, GELU, Activation, LeakyReLU
from refnn.arithmetic.complex import ComplexArray
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray
from refnn.errors import SettingError
from refnn.losses import InnerProduct
from refnn.network import Network
from tests.definitions import ACTIVATIONS, PARTS, M, Real, exact, outside, sigmoid

INSTANCES = [*(kind() for kind in activations.ALL), LeakyReLU(0.3), LeakyReLU(-0.5), ELU(1.7)]
MAGNITUDES = {
    np.float64: [1e-300, 1e-8, 0.3, 1.0, 2.7, 20.0, 30.0, 37.0, 40.0, 100.5, 700.0, 745.0, 800.0, 1e10, 1e300],
    np.float32: [1e-45, 1e-38, 1e-8, 0.3, 1.0, 2.7, 9.5, 20.0, 40.0, 87.0, 103.0, 110.0, 1e10, 1e30],
}
SHARP = 10_000
"""How many unit roundoffs a bound may be of the value, far from underflow.

The worst here is GELU at −37: it passes the rounding of z/√2 on times z² = 1369, and that of erfc's argument is made of
two roundings and a constant's; with the functions' few ulps that is less than 7 · 1369 unit roundoffs.
"""

every_activation = pytest.mark.parametrize("activation", INSTANCES, ids=repr)
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def along(z: FloatArray, h: FloatArray | float) -> ComplexArray:
    """z + ih."""
    return ComplexArray(np.asarray(z + 1j * np.asarray(h), dtype=np.complex128))


def points(dtype: type[np.floating[Any]]) -> FloatArray:
    magnitudes = np.array(MAGNITUDES[dtype], dtype)
    return np.concatenate([-magnitudes, np.zeros(1, dtype), magnitudes])


def truth(activation: Activation, z: FloatArray) -> tuple[list[Real], list[Real]]:
    f, slope = ACTIVATIONS[type(activation)](activation)
    return [f(exact(v)) for v in z], [slope(exact(v)) for v in z]


def blunt(true: list[Real], allowed: FloatArray, dtype: type[np.floating[Any]]) -> list[str]:
    """Where a bound says little: it is more than SHARP unit roundoffs of a value that is a normal float."""
    info = np.finfo(dtype)
    return [
        f"[{k}]: {e} of {M.nstr(t, 5)}"
        for k, (t, e) in enumerate(zip(true, allowed.tolist(), strict=True))
        if abs(t) >= float(info.smallest_normal) and e > SHARP * float(info.eps) / 2 * abs(t)
    ]


def bounds(activation: Activation, z: FloatArray) -> tuple[RoundedArray, RoundedArray, RoundedArray]:
    """f, f′ as it is written, and f′ as the dual numbers give it, each with the bound on its rounding error."""
    exactly = RoundedArray.exact(z)
    dual = activation.forward((), DualArray(exactly, RoundedArray.exact(np.ones_like(z))))
    return activation.forward((), exactly), activation.derivative(exactly), dual.tangent


def test_each_activation_has_a_definition() -> None:
    assert set(ACTIVATIONS) == set(activations.ALL)


@every_activation
@pytest.mark.parametrize("z", [-2.5, -1.0, -0.125, 0.25, 1.0, 3.5])
def test_the_definitions_of_the_slopes_are_the_slopes(activation: Activation, z: float) -> None:
    f, slope = ACTIVATIONS[type(activation)](activation)
    assert (
        abs(M.diff(f, M.mpf(z)) - slope(M.mpf(z))) < M.mpf(10) ** -50
    )  # mpmath's difference works at 3 times the digits


@every_activation
@every_dtype
def test_floats(activation: Activation, dtype: type[np.floating[Any]]) -> None:
    z = points(dtype)
    value, slope = truth(activation, z)
    f, derivative, _ = bounds(activation, z)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        given, given_slope = activation.forward((), z), activation.derivative(z)
    assert given.dtype == given_slope.dtype == dtype
    assert outside(given, value, f.error) == []
    assert outside(given_slope, slope, derivative.error) == []


@every_activation
@every_dtype
def test_rounding_bounds_hold_and_are_sharp(activation: Activation, dtype: type[np.floating[Any]]) -> None:
    z = points(dtype)
    value, slope = truth(activation, z)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        f, derivative, tangent = bounds(activation, z)
    for computed, true in ((f, value), (derivative, slope), (tangent, slope)):
        assert computed.value.dtype == dtype
        assert outside(computed.value, true, computed.error) == []
        assert blunt(true, computed.error, dtype) == []


@every_activation
@every_dtype
def test_dual_numbers(activation: Activation, dtype: type[np.floating[Any]]) -> None:
    z = points(dtype)
    value, slope = truth(activation, z)
    f, derivative, tangent = bounds(activation, z)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        dual = activation.forward((), DualArray(z, np.ones_like(z)))
        dual_slope = activation.derivative(DualArray(z, np.ones_like(z)))
    assert dual.value.dtype == dual.tangent.dtype == dual_slope.tangent.dtype == dtype
    assert outside(dual.value, value, f.error) == []
    assert outside(dual.tangent, slope, tangent.error) == []
    assert outside(dual_slope.value, slope, derivative.error) == []
    assert np.isfinite(dual_slope.tangent).all()


@every_activation
def test_dual_numbers_give_the_second_derivative(activation: Activation) -> None:
    z = np.array([-6.5, -2.5, -1.0, -0.125, 0.25, 1.0, 3.5, 6.5])
    _, slope = ACTIVATIONS[type(activation)](activation)
    second = [M.diff(slope, exact(v)) for v in z]
    tangent = activation.derivative(DualArray(RoundedArray.exact(z), RoundedArray.exact(np.ones_like(z)))).tangent
    assert outside(tangent.value, second, tangent.error + 1e-50) == []  # mpmath's difference has some 50 digits


@every_activation
def test_complex_numbers(activation: Activation) -> None:
    z = points(np.float64)
    value, slope = truth(activation, z)
    f, derivative, tangent = bounds(activation, z)
    h = np.where(np.abs(z) < 1e-8, 1e-200, 1e-30)  # so that h² is nothing beside z², nor beside 1
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        given = activation.forward((), along(z, h)).elements
        given_slope = activation.derivative(along(z, h)).elements
    least = 100 * np.finfo(np.float64).smallest_subnormal  # fewer operations than that underflow; relative to h
    assert outside(given.real, value, PARTS * f.error) == []
    assert outside(given_slope.real, slope, PARTS * derivative.error) == []
    assert outside(given.imag / h, slope, PARTS * tangent.error + least / h) == []


@every_activation
@every_dtype
def test_through_the_network(activation: Activation, dtype: type[np.floating[Any]]) -> None:
    z = points(dtype)[:, np.newaxis]
    network = Network(activation, loss=InnerProduct())
    value, slope = truth(activation, z[:, 0])
    f, derivative, _ = bounds(activation, z)
    e = network.evaluate(np.zeros(0, dtype), z, np.ones_like(z))
    assert e.outputs.dtype == e.gradient.dtype == e.input_gradient.dtype == dtype
    assert outside(e.outputs[:, 0], value, f.error[:, 0]) == []
    assert outside(e.input_gradient[:, 0], slope, derivative.error[:, 0]) == []


AT_ZERO: dict[type[Activation], tuple[Callable[[Any], Fraction | None], Callable[[Any], Fraction]]] = {
    activations.Identity: (lambda a: Fraction(0), lambda a: Fraction(1)),
    activations.Sigmoid: (lambda a: Fraction(1, 2), lambda a: Fraction(1, 4)),
    activations.Tanh: (lambda a: Fraction(0), lambda a: Fraction(1)),
    activations.ReLU: (lambda a: Fraction(0), lambda a: Fraction(0)),
    activations.LeakyReLU: (lambda a: Fraction(0), lambda a: Fraction(a.slope)),
    activations.ELU: (lambda a: Fraction(0), lambda a: Fraction(a.alpha)),
    activations.Softplus: (lambda a: None, lambda a: Fraction(1, 2)),  # log 2 is no fraction
    activations.SiLU: (lambda a: Fraction(0), lambda a: Fraction(1, 2)),
    activations.GELU: (lambda a: Fraction(0), lambda a: Fraction(1, 2)),
    activations.GELUTanh: (lambda a: Fraction(0), lambda a: Fraction(1, 2)),
}
"""f(0) and f′(0) by hand, as fractions; every one of them is a float, so the result is exact."""


@every_activation
def test_exactly_at_zero_in_every_arithmetic(activation: Activation) -> None:
    z, one = np.zeros((1, 1)), np.ones((1, 1))
    value, slope = (of(activation) for of in AT_ZERO[type(activation)])
    rounded = RoundedArray.exact(z)
    assert activation.derivative(z) == slope
    assert activation.derivative(-z) == slope
    assert activation.derivative(rounded).value == slope
    assert activation.derivative(DualArray(z, one)).value == slope
    assert activation.forward((), DualArray(z, one)).tangent == slope
    assert activation.forward((), DualArray(rounded, RoundedArray.exact(one))).tangent.value == slope
    assert activation.derivative(along(z, 1e-200)).elements.real == slope
    assert activation.forward((), along(z, 1e-200)).elements.imag / 1e-200 == slope
    if value is not None:
        assert activation.forward((), z) == value
        assert activation.forward((), rounded).value == value
        assert activation.forward((), along(z, 1e-200)).elements.real == value


def test_the_check_of_values_can_fail() -> None:
    z = np.array([20.0])
    naive = 1 - np.tanh(z) ** 2  # cancels to nothing, where sech²(20) is 1.7e-17
    value = [4 * sigmoid(M.mpf(40)) * sigmoid(M.mpf(-40))]
    assert outside(naive, value, activations.Tanh().derivative(RoundedArray.exact(z)).error) != []
    assert outside(np.array([np.nan]), value, np.array([1.0])) != []


def test_the_check_of_sharpness_can_fail() -> None:
    assert blunt([M.mpf(10) ** -17], np.array([1e-28]), np.float64) != []
    assert blunt([M.mpf(10) ** -310], np.array([1e-310]), np.float64) == []  # below the normal floats


def test_gelu_left_tail_is_as_accurate_as_its_docstring_says() -> None:
    # Every float within half an ulp of z/√2 changes erfc by z² half ulps, relatively: 900 u at z = −30. The bound is of
    # that size (three roundings before erfc, and those after it), not merely below a limit.
    rounded = GELU().forward((), RoundedArray.exact(np.array([-30.0])))
    ratio = rounded.error / np.abs(rounded.value) / 2.0**-53
    assert 900 < ratio < 4 * 900


def jumps(activation: Activation, z: float) -> bool:
    """Whether the slopes of the definition on the two sides of z differ."""
    _, slope = ACTIVATIONS[type(activation)](activation)
    aside = M.mpf(10) ** -40
    return bool(abs(slope(z + aside) - slope(z - aside)) > M.mpf(10) ** -30)


@pytest.mark.parametrize("kind", activations.ALL)
def test_kinks_are_where_the_slope_jumps(kind: type[Activation]) -> None:
    instances = [a for a in INSTANCES if type(a) is kind]
    found = {z for z in range(-3, 4) if any(jumps(a, z) for a in instances)}
    assert all(set(a.kinks) == found for a in instances)  # whatever the parameters: ELU(1) has none


@pytest.mark.parametrize("kind", [LeakyReLU, ELU])
@pytest.mark.parametrize("value", [np.nan, np.inf, "a", None, True, 10**400, 1j, np.zeros(2)])
def test_settings_are_finite_numbers(kind: Callable[[Any], Activation], value: Any) -> None:
    with pytest.raises(SettingError, match="a finite real number"):
        kind(value)


def test_an_activation_has_no_parameters_and_any_width() -> None:
    for activation in INSTANCES:
        assert activation.inputs is None
        assert activation.outputs is None
        assert activation.shapes == {}
        assert activation.gradient((), np.ones((3, 2)), np.ones((3, 2))) == ()


@every_activation
def test_backward_multiplies_by_the_slope(activation: Activation) -> None:
    z, delta = np.array([[-1.5, 0.5]]), np.array([[3.0, -2.0]])
    assert activation.backward((), z, delta).tolist() == (delta * activation.derivative(z)).tolist()


def test_the_figure_of_the_readme_for_the_tail_of_gelu() -> None:
    z = np.array([[-30.0]])
    true = ACTIVATIONS[GELU](GELU())[0](exact(-30.0))
    units = float(abs(exact(float(GELU().forward((), z)[0, 0])) - true) / abs(true) * 2**53)
    assert 295 <= units <= 305  # what the rounding of 30/√2 makes, and a few units of erfc
