"""SymPy's derivatives of the textbook's text: against the core and by hand, their rounding, and what is refused."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn import activations
from refnn.errors import MissingExtraError
from refnn.witnesses import NotRunError, symbolic, textbook
from tests.witnesses.cases import (
    ACTIVATIONS,
    FIELDS,
    LOSSES,
    agrees,
    case,
    differences,
    to_the_last_bit,
)
from tests.witnesses.networks import forbid_backward

RUN = symbolic._running()
PRECISE = textbook.digits(1200)


@pytest.fixture
def fresh() -> Any:
    """No program that was made before, nor one that outlives the test."""
    symbolic._program.cache_clear()
    yield
    symbolic._program.cache_clear()


# ---------------------------------------------------------------------------------------------------------- testimony


@pytest.mark.parametrize("unit", ACTIVATIONS, ids=str)
def test_the_core_agrees_for_every_activation(unit: refnn.Activation) -> None:
    asked = case(unit, refnn.SquaredError(), seed=len(str(unit)), inputs=1, hidden=2)
    testimony = symbolic.testify(*asked)
    assert agrees(asked, testimony)
    assert to_the_last_bit(testimony)


@pytest.mark.parametrize("kind", LOSSES, ids=lambda kind: f"{type(kind).__name__}-{kind.reduction}")
def test_the_core_agrees_for_every_loss(kind: refnn.Loss) -> None:
    asked = case(refnn.Tanh(), kind, seed=5, inputs=1, hidden=2)
    testimony = symbolic.testify(*asked)
    assert agrees(asked, testimony)
    assert to_the_last_bit(testimony)


def test_the_textbook_agrees_to_the_last_bit() -> None:
    """Two derivatives of one text, a quotient of differences and SymPy's: each within its error of the same number."""
    asked = case(refnn.GELU(), refnn.SoftmaxCrossEntropy(), seed=8, inputs=1, hidden=2)
    one, other = symbolic.testify(*asked), textbook.testify(*asked)
    for field in FIELDS:
        distance = np.abs(np.asarray(getattr(one.values, field)) - np.asarray(getattr(other.values, field)))
        assert (distance <= np.asarray(getattr(one.errors, field)) + np.asarray(getattr(other.errors, field))).all()


def test_a_network_by_hand() -> None:
    """ŷ = σ(2·1 − 1·2 + 0) = ½ and L = ½(½ − 1)² = ⅛; dL/dz = −½·¼ = −⅛."""
    network = refnn.Network(refnn.Dense(2, 1), refnn.Sigmoid(), loss=refnn.SquaredError())
    values, errors = symbolic.testify(network, [1.0, 2.0, 0.0], [[2.0, -1.0]], [1])
    assert [np.asarray(v).tolist() for v in values] == [[[0.5]], 0.125, [-0.25, 0.125, -0.125], [[-0.125, -0.25]]]
    assert all((np.asarray(e) <= 1e-48).all() for e in errors)


def test_a_network_without_parameters() -> None:
    network = refnn.Network(refnn.Tanh(), loss=refnn.SoftmaxCrossEntropy())
    asked = (network, np.zeros(0), np.array([[0.3, -1.0, 0.2], [1.5, 0.1, 0.0]]), np.array([2, 0]))
    testimony = symbolic.testify(*asked)
    assert testimony.values.gradient is not None
    assert testimony.values.gradient.shape == (0,)
    assert agrees(asked, testimony)


def test_no_backward_pass_is_used(monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    asked = case(refnn.Tanh(), refnn.SoftmaxCrossEntropy(), seed=1, inputs=1, hidden=2)
    before = symbolic.testify(*asked)
    symbolic._program.cache_clear()
    forbid_backward(monkeypatch)
    with pytest.raises(AssertionError, match="backward"):  # the core cannot do without
        asked[0].evaluate(*asked[1:])
    after = symbolic.testify(*asked)
    assert all(np.array_equal(getattr(before.values, field), getattr(after.values, field)) for field in FIELDS)


def test_a_wrong_definition_disagrees(monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    asked = case(refnn.Tanh(), refnn.SquaredError(), seed=2, inputs=1, hidden=2)
    slightly = Fraction(10**12 + 1, 10**12)
    monkeypatch.setitem(textbook.ACTIVATIONS, "Tanh", lambda m, f, z: m.number(slightly) * m.tanh(z))
    ratios = differences(asked, symbolic.testify(*asked))
    assert all((ratio > 1).any() for ratio in ratios.values())


def test_a_wrong_derivative_of_the_core_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = case(refnn.Sigmoid(), refnn.SquaredError(), seed=2, inputs=1, hidden=2)
    right = activations.Sigmoid.derivative
    monkeypatch.setattr(activations.Sigmoid, "derivative", lambda self, z: right(self, z) * 3)
    ratios = differences(asked, symbolic.testify(*asked))
    assert (ratios["outputs"] <= 1).all()
    assert (ratios["loss"] <= 1).all()
    assert (ratios["gradient"][:4] > 1).all()  # the weights and biases before the activation
    assert (ratios["gradient"][4:] <= 1).all()


def test_one_program_serves_all_reductions_and_batches(fresh: None) -> None:
    for reduction, scale in (("mean", 1), ("sum", 2.5), ("elements", 3)):
        kind = refnn.SquaredError(reduction=reduction, scale=scale)  # type: ignore[arg-type]  # they are literals
        asked = case(refnn.Tanh(), kind, seed=int(scale), inputs=1, hidden=2)
        assert agrees(asked, symbolic.testify(*asked))
    assert symbolic._program.cache_info().misses == 1


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    asked = case(refnn.Tanh(), refnn.SquaredError(), seed=2, inputs=1, hidden=2)
    symbolic.testify(*asked, progress=lambda *numbers: told.append(numbers))
    assert told == [(k, 5) for k in range(1, 6)]


# --------------------------------------------------------------------------------------------------------------- kinks


def test_a_kink_is_differentiated_like_sympys_piecewise() -> None:
    m, z = symbolic._symbols(), sympy.Symbol("z", real=True)
    ours = sympy.diff(m.if_positive(z * z - 2, z**3, sympy.sin(z)), z)
    theirs = sympy.diff(sympy.Piecewise((z**3, z * z - 2 > 0), (sympy.sin(z), True)), z)
    for value in (-3, -1, 0, 1, 3):
        condition, a, b = ours.subs(z, value).args
        assert theirs.subs(z, value) == (a if condition > 0 else b)


@pytest.mark.parametrize(
    ("unit", "slope"), [(refnn.ReLU(), 0), (refnn.LeakyReLU(0.25), 0.25), (refnn.ELU(3), 3)], ids=str
)
def test_at_the_kink_itself_the_convention_is_stated(unit: refnn.Activation, slope: float) -> None:
    """z = 0 exactly, y = −1: dL/db = (0 + 1)·f′(0)."""
    network = refnn.Network(refnn.Dense(1, 1), unit, loss=refnn.SquaredError())
    testimony = symbolic.testify(network, [2.0, 0.0], [[0.0]], [[-1.0]])
    assert testimony.values.gradient is not None
    assert testimony.values.gradient.tolist() == [0, slope]
    assert testimony.errors.gradient is not None
    assert (testimony.errors.gradient <= 1e-48).all()


def test_where_rounding_hides_the_sign_the_bound_covers_both_pieces() -> None:
    """z = 0.1·3 − fl(0.1·3) is no more than a rounding; with y = −1 the derivative by b is 0 or about 1."""
    network = refnn.Network(refnn.Dense(2, 1), refnn.ReLU(), loss=refnn.SquaredError())
    testimony = symbolic.testify(network, [3.0, -3.0, 0.0], [[0.1, 0.1]], [[-1.0]])
    values, errors = testimony
    assert values.gradient is not None
    assert errors.gradient is not None
    assert errors.loss is not None
    assert abs(values.gradient[2] - 0) <= errors.gradient[2]
    assert abs(values.gradient[2] - 1) <= errors.gradient[2] <= 2
    assert errors.loss <= 1e-47  # the function itself has no jump


# ------------------------------------------------------------------------------------------------------------- rounding


def truth(value: float, parts: int) -> Any:
    """A number that 50 digits do not hold."""
    return PRECISE.number(value) + PRECISE.number(Fraction(value) / parts) / 2**150


def running(true: Any) -> Any:
    """The same number, kept to 50 digits."""
    kept = symbolic._context()[0].mpf(true)
    return symbolic._Running(kept, abs(true - kept), RUN.pi.unit)


def is_enclosed(true: Any, number: Any) -> bool:
    """Whether the error is a bound, up to its own few roundings, of which each is a part of 2^-169."""
    return bool(abs(true - number.value) <= number.error * (1 + PRECISE.number(2.0**-160)))


numbers = st.builds(truth, st.floats(-50, 50), st.integers(3, 9))


@given(a=numbers, b=numbers, power=st.sampled_from([-3, -2, -1, 1, 2, 3]))
def test_operations_enclose(a: Any, b: Any, power: int) -> None:
    p, q = running(a), running(b)
    assert is_enclosed(-a, -p)
    assert is_enclosed(a + b, p + q)
    assert is_enclosed(a - b, p - q)
    assert is_enclosed(a * b, p * q)
    assert is_enclosed(3 - a, 3 - p)
    assert is_enclosed(3 + a, 3 + p)
    assert is_enclosed(3 * a, 3 * p)
    if b != 0:
        assert is_enclosed(a / b, p / q)
        assert is_enclosed(3 / b, 3 / q)
    if a != 0:
        assert is_enclosed(a**power, p**power)
    assert is_enclosed(a - a + b * (a - b), p - p + q * (p - q))


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "erf", "sqrt"])
@given(a=numbers)
def test_functions_enclose(name: str, a: Any) -> None:
    if name in {"log", "sqrt"}:
        a = a * a + 1
    assert is_enclosed(getattr(PRECISE, name)(a), getattr(RUN, name)(running(a)))


def test_constants_enclose() -> None:
    assert is_enclosed(PRECISE.pi, RUN.pi)
    for value in (Fraction(1, 3), 0.1, 10**60 + 7, 5e-324):
        assert is_enclosed(PRECISE.number(value), RUN.number(value))
    assert RUN.number(0.1).error == 0  # a float is exact


def test_what_cancels_is_not_claimed() -> None:
    """1 + erf(−30/√2) is 9.8e-198; 50 digits do not show it, and the bound says so."""
    small = 1 + RUN.erf(RUN.number(-30) / RUN.sqrt(RUN.number(2)))
    true = 1 + PRECISE.erf(PRECISE.number(-30) / PRECISE.sqrt(PRECISE.number(2)))
    assert 0 < true < 1e-190
    assert is_enclosed(true, small)
    assert abs(small.value) <= small.error <= 1e-48


def test_what_is_too_uncertain_has_no_bound() -> None:
    vague = symbolic._Running(RUN.pi.value, 4 * RUN.pi.value, RUN.pi.unit)
    for number in (1 / vague, RUN.log(vague), RUN.exp(vague)):
        assert number.error == math.inf
    assert textbook.rounded(RUN.number(0).value * 1, (RUN.number(0) * (1 / vague)).error) == (0.0, math.inf)


@given(a=numbers, z=st.floats(-1, 1))
def test_choices_enclose(a: Any, z: float) -> None:
    chosen = RUN.if_positive(RUN.number(z), running(a), running(2 * a))
    assert is_enclosed(a if z > 0 else 2 * a, chosen)
    unknown = symbolic._Running(RUN.number(z).value, RUN.number(2).value, RUN.pi.unit)
    for either in (a, 2 * a):
        assert is_enclosed(either, RUN.if_positive(unknown, running(a), running(2 * a)))


def test_the_precision_of_everybody_else_is_left_alone() -> None:
    before = mpmath.mp.prec
    symbolic.testify(*case(refnn.Tanh(), refnn.SquaredError(), seed=2, inputs=1, hidden=2))
    assert mpmath.mp.prec == before


# ----------------------------------------------------------------------------------------------------- what it refuses


@pytest.mark.parametrize("missing", ["sympy", "mpmath"])
def test_a_missing_package(monkeypatch: pytest.MonkeyPatch, fresh: None, missing: str) -> None:
    for made in (symbolic._symbols, symbolic._context, symbolic._running):
        made.cache_clear()
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=rf"{missing} is not installed.*symbolic witness.*extra \[symbolic\]"):
        symbolic.testify(*case(refnn.Tanh(), refnn.SquaredError(), seed=2))


@pytest.mark.parametrize(("hidden", "samples"), [(60, 3), (8, 1500)])
def test_too_large(hidden: int, samples: int) -> None:
    network = refnn.Network(
        refnn.Dense(4, hidden), refnn.Tanh(), refnn.Dense(hidden, 3), loss=refnn.SoftmaxCrossEntropy()
    )
    with pytest.raises(NotRunError, match="too large"):
        symbolic.testify(network, np.zeros(network.size), np.zeros((samples, 4)), np.zeros(samples, int))


def test_iris_is_not_too_large() -> None:
    network = refnn.Network(refnn.Dense(4, 8), refnn.GELUTanh(), refnn.Dense(8, 3), loss=refnn.SoftmaxCrossEntropy())
    symbolic._refuse_large(network, 150, 4)


def test_an_unknown_loss() -> None:
    class Other(refnn.SquaredError):  # type: ignore[misc]  # final for type checkers, not at run time
        """A loss that the text does not know."""

    with pytest.raises(NotRunError, match="does not define it"):
        symbolic.testify(refnn.Network(refnn.Tanh(), loss=Other()), [], [[1.0]], [[1.0]])
