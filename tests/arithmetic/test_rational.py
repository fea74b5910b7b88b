"""Rational numbers are exact, against Python's fractions; what leaves them is refused by name; whole networks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, fmpq
from hypothesis import given
from hypothesis import strategies as st

from refnn import activations, arrays, losses
from refnn.activations import Activation, Identity, LeakyReLU, ReLU
from refnn.arithmetic.ball import working_precision
from refnn.arithmetic.rational import RationalArray
from refnn.arrays import Root
from refnn.errors import UnsupportedOperationError
from refnn.layers import Dense
from refnn.losses import Huber, InnerProduct, Loss, SquaredError
from refnn.network import Network
from refnn.strategies import Case, cases, networks
from tests.arithmetic.operations import CASES, OPERATIONS, arguments, name, parts
from tests.laws.measures import examples
from tests.rational import Rational
from tests.witnesses.cases import ACTIVATIONS, LOSSES
from tests.witnesses.cases import case as network_case

RATIONAL = set(Rational.rules)
"""What fractions can do; the operations of those activations and losses that are made of rational pieces."""

FIELDS = ("outputs", "loss", "gradient", "input_gradient")


def fractions(z: RationalArray) -> list[Fraction]:
    return [Fraction(int(q.p), int(q.q)) for q in z.elements.ravel().tolist()]


def differences(z: RationalArray, true: Rational) -> list[str]:
    """Where a rational number is not the fraction."""
    assert z.shape == true.shape
    assert all(isinstance(q, fmpq) for q in z.elements.flat)
    expected = np.asarray(true.elements, dtype=object).ravel().tolist()
    return [f"[{k}]: {a} for {b}" for k, (a, b) in enumerate(zip(fractions(z), expected, strict=True)) if a != b]


def test_every_rational_operation_has_a_rule() -> None:
    assert set(RationalArray.rules) == RATIONAL
    assert RATIONAL < OPERATIONS


@pytest.mark.parametrize("operation", sorted(RATIONAL, key=name), ids=name)
@given(seed=st.integers(0, 2**32 - 1), rounded=st.booleans())
def test_the_result_is_exact(operation: Any, seed: int, rounded: bool) -> None:
    case, random = CASES[operation], np.random.default_rng(seed)
    drawn = [a * random.choice([1e-300, 1e-3, 1.0, 1e300]) for a in arguments(case, random)]
    if rounded:  # whole numbers: many zeros and ties
        drawn = [np.rint(a) + (k in case.positive) for k, a in enumerate(arguments(case, random))]
    result = operation(*map(RationalArray.exact, drawn), *case.rest)
    true = operation(*map(Rational.of, drawn), *case.rest)
    for a, b in zip(parts(result), parts(true), strict=True):
        assert differences(a, b) == []


def test_the_comparison_can_fail() -> None:
    third = RationalArray.exact(np.ones(2)) / 3
    assert differences(third, Rational.of(Fraction(1, 3)) * Rational.of(np.ones(2))) == []
    assert differences(third, Rational.of(np.array([1 / 3, 1 / 3]))) != []


@pytest.mark.parametrize("operation", sorted(OPERATIONS - RATIONAL, key=name), ids=name)
def test_an_operation_that_leaves_the_rational_numbers_is_refused_by_name(operation: Any) -> None:
    case = CASES[operation]
    given_ = map(RationalArray.exact, arguments(case, np.random.default_rng(3)))
    with pytest.raises(UnsupportedOperationError, match=f"{name(operation)} was called on RationalArray"):
        operation(*given_, *case.rest)


# ----------------------------------------------------------------------------------------------- constants and fields


@pytest.mark.parametrize("value", [0, -3, 2**200 + 1, 0.1, 5e-324, -1e300, Fraction(22, 7), np.float64(0.3)])
def test_constants_are_exact(value: Any) -> None:
    lifted = arrays.constant(RationalArray.exact(np.zeros(2)), value)
    assert lifted.shape == ()
    assert fractions(lifted) == [Fraction(value)]


@pytest.mark.parametrize("value", [np.float32(0.1), np.float16(0.1), np.int64(3), np.int32(-7)], ids=repr)
def test_numbers_of_numpy_are_numbers(value: Any) -> None:
    assert fractions(arrays.constant(RationalArray.exact(np.zeros(2)), value)) == [Fraction(float(value))]


def test_arrays_are_exact_in_both_formats() -> None:
    single = np.array([[0.1, 3e38, -7.0]], np.float32)
    for values in (single, single.astype(np.float64), np.array([[0.1, 1e-300, -0.0]])):
        for z in (RationalArray.exact(values), RationalArray.exact(np.zeros(2)).lift(values)):
            assert fractions(z) == [Fraction(v) for v in values.ravel().tolist()]
            assert z.shape == values.shape


def test_a_root_is_refused_even_if_it_is_rational() -> None:
    like = RationalArray.exact(np.zeros(2))
    for root in (Root(Fraction(1, 2)), Root(Fraction(4)), Root(Fraction(2), pi_power=-1)):
        with pytest.raises(UnsupportedOperationError, match="it is no rational number"):
            arrays.constant(like, root)


@pytest.mark.parametrize("bits", [2, 53, 128])
def test_balls_hold_the_rational_numbers(bits: int) -> None:
    z = RationalArray.exact(np.array([[1.0, -2.0, 0.0], [3.0, 0.1, 1e300]])) / 7
    balls = z.balls(bits)
    assert balls.shape == z.shape
    for q, ball in zip(z.elements.flat, balls.elements.flat, strict=True):
        with working_precision(4096):  # so that multiplying by the denominator rounds nothing
            assert arb(q.p) in q.q * ball
        assert ball.rad() <= abs(arb(q)) * arb(2) ** (1 - bits)  # a quotient, rounded once
    assert RationalArray.exact(np.array(0.5)).balls(bits).midpoint.tolist() == 0.5


# ------------------------------------------------------------------------------------------------------- whole networks

PIECES: tuple[type[Activation], ...] = (Identity, ReLU, LeakyReLU)
SUMS: tuple[type[Loss], ...] = (SquaredError, Huber, InnerProduct)


def unequal(case: Case) -> list[str]:
    """What rational numbers say of a network, where fractions say something else."""
    z = case.network.evaluate(RationalArray.exact(case.w), case.x, case.y)
    true = case.network.evaluate(Rational.of(case.w), case.x, case.y)
    return [f"{field}{text}" for field in FIELDS for text in differences(getattr(z, field), getattr(true, field))]


@given(cases(networks(activations=PIECES, losses=SUMS)))
def test_a_network_is_exact(case: Case) -> None:
    assert unequal(case) == []


@given(cases(networks(activations=PIECES, losses=SUMS), kinks=True))
def test_a_network_is_exact_on_its_kinks(case: Case) -> None:
    assert unequal(case) == []


@pytest.mark.parametrize("reduction", ["mean", "sum", "elements"])
@pytest.mark.parametrize("loss", SUMS)
@pytest.mark.parametrize("activation", PIECES)
@given(data=st.data())
@examples(0.2)
def test_every_pair_and_every_reduction_is_exact(activation: Any, loss: Any, reduction: Any, data: Any) -> None:
    network = Network(
        Dense(2, 3),
        activation(),
        Dense(3, 5),
        loss=loss(reduction=reduction, scale=data.draw(st.sampled_from([1, 0.3]))),
    )
    case = data.draw(cases(network))
    assert unequal(case) == []


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_a_network_of_other_pieces_is_refused_by_the_name_of_the_operation(activation: Any, loss: Any) -> None:
    network, w, x, y = network_case(activation, loss, seed=61)
    if isinstance(activation, PIECES) and isinstance(loss, SUMS):
        assert unequal(Case(network, w, x, y)) == []
        return
    with pytest.raises(UnsupportedOperationError) as caught:
        network.evaluate(RationalArray.exact(w), x, y)
    message = str(caught.value)
    assert "Root(" in message or any(f"{name(f)} was called on RationalArray" in message for f in OPERATIONS - RATIONAL)


def test_the_pieces_are_of_the_registries() -> None:
    assert set(PIECES) < set(activations.ALL)
    assert set(SUMS) < set(losses.ALL)


def test_a_planted_rule_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(*network_case(ReLU(), SquaredError(), seed=67))
    assert unequal(case) == []
    wrong = {**RationalArray.rules, arrays.where_positive: lambda z, a, b: 0 * z + b}
    monkeypatch.setattr(RationalArray, "rules", wrong)
    assert unequal(case) != []


def test_a_matrix_times_a_vector() -> None:
    a, v = np.array([[1.0, 0.5, 3.0], [0.25, 2.0, 0.0]]), np.array([4.0, 0.1, -1.0])
    product = RationalArray.exact(a) @ RationalArray.exact(v)
    tenth = Fraction(0.1)
    assert [Fraction(int(q.p), int(q.q)) for q in product.elements] == [1 + tenth / 2, 1 + 2 * tenth]
