"""Operations find their rules, constants are exact, and an arithmetic of one's own needs no change in the core."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import arrays
from refnn.activations import Identity, LeakyReLU, ReLU
from refnn.arithmetic.complex import ComplexArray
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import Arithmetic, FloatArray, Operation, Root, Rules, constant
from refnn.errors import UnsupportedOperationError
from refnn.layers import Dense
from refnn.losses import InnerProduct, SquaredError
from refnn.network import Network
from tests.arithmetic.operations import CASES, OPERATIONS, arguments, name, parts, reals
from tests.definitions import M, outside
from tests.rational import Rational

ONE = np.ones((1, 1))
INSTANCES: list[Arithmetic] = [
    DualArray(ONE, ONE),
    ComplexArray(ONE.astype(np.complex128)),
    RoundedArray.exact(ONE),
    Rational.of(ONE),
]
every_instance = pytest.mark.parametrize("one", INSTANCES, ids=lambda a: type(a).__name__)


class Bare(Arithmetic):
    """An arithmetic without rules."""

    rules: ClassVar[Rules] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, 1)

    def lift(self, value: Any) -> Bare:
        return self


# ------------------------------------------------------------------------------------------- operations on NumPy arrays


@pytest.mark.parametrize("operation", sorted(OPERATIONS, key=name), ids=name)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_floats_are_what_the_definition_says(operation: Any, dtype: Any) -> None:
    case = CASES[operation]
    z = [a.astype(dtype) for a in arguments(case, np.random.default_rng(43))]
    results = parts(operation(*z, *case.rest))
    bounds = parts(operation(*map(RoundedArray.exact, z), *case.rest))
    truths = parts(case.on_reals(*map(reals, z), *case.rest))
    for result, bound, truth in zip(results, bounds, truths, strict=True):
        assert result.dtype == dtype
        assert isinstance(result, np.ndarray) or result.shape == ()
        for v, t, e in zip(
            np.ravel(result).tolist(), np.ravel(truth).tolist(), bound.error.ravel().tolist(), strict=True
        ):
            assert abs(M.mpf(v) - t) <= e


@pytest.mark.parametrize(("operation", "naive"), [
    (arrays.expit_slope, lambda z: arrays.expit(z) * (1 - arrays.expit(z))),
    (arrays.tanh_step, lambda z: (1 + np.tanh(z)) / 2),
], ids=["expit_slope", "tanh_step"])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_tails_keep_their_digits(operation: Any, naive: Any, dtype: Any) -> None:
    z = np.array([-40, -30, -3, -0.25, 0.25, 3, 30, 40], dtype)
    true, size = CASES[operation].on_reals(reals(z)), np.asarray(operation(z), np.float64)
    allowed = 12 * np.finfo(dtype).eps / 2 * size  # an exponential within 4 ulps, which are 8 u, and four roundings
    assert outside(operation(z), true, allowed * (1 + 1e-5)) == []  # products of errors: 12 u < 1e-6
    assert len(outside(naive(z), true, allowed * (1 + 1e-5))) >= 2


def test_arguments_are_left_alone() -> None:
    for operation, case in CASES.items():
        z = arguments(case, np.random.default_rng(47))
        before = [a.copy() for a in z]
        operation(*z, *case.rest)
        assert all(np.array_equal(a, b) for a, b in zip(z, before, strict=True))


def test_split_gives_views_and_join_is_its_inverse() -> None:
    w = np.arange(11.0)
    pieces = arrays.split(w, ((slice(0, 6), (2, 3)), (slice(6, 11), (5,))))
    assert all(np.shares_memory(piece, w) for piece in pieces)
    assert arrays.join(*pieces).tolist() == w.tolist()
    assert not np.shares_memory(arrays.join(*pieces), w)


def test_where_positive_takes_the_second_at_zero_of_either_sign() -> None:
    assert arrays.where_positive(np.array([0.0, -0.0, 5e-324, -5e-324]), 1, 0).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_flag_is_raised_at_the_ends_of_the_range(dtype: Any) -> None:
    largest = np.finfo(dtype).max
    z = np.array([[-largest, -1.0, 0.0, 1.0, largest / 2]], dtype)
    smooth: list[Callable[[FloatArray], FloatArray]] = [
        arrays.expit, arrays.expit_slope, arrays.tanh_step, arrays.softplus, arrays.log_expit, arrays.sech_squared,
        arrays.erfc, arrays.tanh,
    ]  # fmt: skip
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        for function in smooth:
            assert np.isfinite(function(z)).all()
        assert np.isfinite(arrays.log_softmax(z / 4)).all()


# ------------------------------------------------------------------------------------------------------------ constants


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("value", [3, 0.1, Fraction(1, 3), Root(Fraction(1, 2)), np.array([0.1, 0.2])])
def test_a_constant_takes_the_dtype_of_its_like(dtype: Any, value: Any) -> None:
    assert constant(np.zeros(2, dtype), value).dtype == dtype


@every_instance
def test_a_constant_takes_the_arithmetic_of_its_like(one: Any) -> None:
    assert type(constant(one, 3)) is type(one)
    assert constant(one, one) is one


def test_a_root_is_a_float_within_two_roundings() -> None:
    for ratio, power in (
        (Fraction(1, 2), 0),
        (Fraction(2), -1),
        (Fraction(1, 2), -1),
        (Fraction(4), -1),
        (Fraction(7, 3), 1),
    ):
        true = M.sqrt(M.mpf(ratio.numerator) / ratio.denominator * M.pi**power)
        # a ratio, π's power and their product are rounded to 3½ u at most, of which the root keeps half, and adds u
        assert abs(M.mpf(float(Root(ratio, power))) - true) <= 2.75 * 2.0**-53 * true


# ----------------------------------------------------------------------------------------------- how rules are found


@every_instance
@pytest.mark.parametrize("function", [np.sin, np.floor, np.arctan2, np.isfinite])
def test_an_operation_without_a_rule_says_so(one: Any, function: Any) -> None:
    with pytest.raises(UnsupportedOperationError) as caught:
        function(*(one,) * function.nin)
    assert str(caught.value) == (
        f"{function.__name__} was called on {type(one).__name__}: its table of rules has no entry for this operation. "
        f"Use the operations of refnn.arrays, or add a rule to {type(one).__name__}.rules."
    )


@pytest.mark.parametrize("operation", sorted(OPERATIONS, key=name), ids=name)
def test_an_arithmetic_without_rules_refuses_every_operation(operation: Any) -> None:
    with pytest.raises(UnsupportedOperationError, match=f"{name(operation)} was called on Bare"):
        operation(*(Bare(),) * len(CASES[operation].shapes), *CASES[operation].rest)


@every_instance
@pytest.mark.parametrize(
    "call",
    [
        lambda z: np.add.reduce(z),
        lambda z: np.multiply.outer(z, z),
        lambda z: np.add(z, z, where=[[True]]),
        lambda z: np.exp(z, dtype=np.float32),
        lambda z: np.add(np.ones((1, 1)), z, out=np.ones((1, 1))),
    ],
)
def test_methods_and_keywords_of_ufuncs_are_refused(one: Any, call: Callable[[Any], Any]) -> None:
    with pytest.raises(UnsupportedOperationError, match="only the plain call of an operation has a rule"):
        call(one)


def test_a_refused_keyword_is_named() -> None:
    with pytest.raises(
        UnsupportedOperationError, match=r"add.__call__ was called on DualArray with \['where'\] keywords"
    ):
        np.add(INSTANCES[0], 1, where=[[True]])  # type: ignore[call-overload]


def test_an_operation_looks_at_each_of_its_arrays() -> None:
    dual = DualArray(np.array([2.0]), np.array([3.0]))
    one: Any = np.array([1.0])  # NumPy's stubs know of no other arithmetic
    chosen = arrays.where_positive(one, dual, 0)
    assert isinstance(chosen, DualArray)
    assert chosen.tangent.tolist() == [3]
    assert isinstance(arrays.where_positive(one, 0, dual), DualArray)
    assert isinstance(arrays.join(one, dual), DualArray)


def test_python_numbers_and_numpy_arrays_may_stand_on_either_side() -> None:
    dual = DualArray(np.array([2.0, 4.0]), np.array([1.0, 1.0]))
    for result in (3 - dual, np.array([3.0, 3.0]) - dual):
        assert result.value.tolist() == [1, -1]
        assert result.tangent.tolist() == [-1, -1]
    assert (8 / dual).tangent.tolist() == [-2, -0.5]


def test_operations_have_names_and_reasons() -> None:
    for operation in OPERATIONS:
        if isinstance(operation, Operation):
            assert repr(operation) == f"<refnn operation {operation.__name__}>"
            assert not operation.__name__.startswith("_")
            assert operation.__doc__


# ---------------------------------------------------------------------------------------- an arithmetic of one's own


def by_loops(w: list[Fraction], x: list[list[Fraction]], y: list[list[Fraction]], slope: Fraction) -> Fraction:
    """Mean squared error of a 3-4-2 network with a leaky ReLU, by scalar loops over fractions; w is the flat vector."""
    loss = Fraction(0)
    for row, target in zip(x, y, strict=True):
        hidden = [sum((row[i] * w[4 * i + j] for i in range(3)), w[12 + j]) for j in range(4)]
        hidden = [z if z > 0 else slope * z for z in hidden]
        outputs = [sum((hidden[j] * w[16 + 2 * j + k] for j in range(4)), w[24 + k]) for k in range(2)]
        loss += sum(((z - t) * (z - t) for z, t in zip(outputs, target, strict=True)), Fraction(0)) / 2
    return loss / len(x)


@pytest.mark.parametrize("activation", [ReLU(), LeakyReLU(0.25)], ids=repr)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_core_runs_on_fractions_unchanged(activation: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    network = Network(Dense(3, 4), activation, Dense(4, 2), Identity(), loss=SquaredError())
    w, x, y = random.normal(0, 1, 26), random.normal(0, 1, (5, 3)), random.normal(0, 1, (5, 2))
    slope = Fraction(getattr(activation, "slope", 0))
    exact_w, exact_x, exact_y = (
        [Fraction(v) for v in w.tolist()],
        *([[*map(Fraction, r)] for r in a.tolist()] for a in (x, y)),
    )
    e = network.evaluate(Rational.of(w), x, y)
    assert e.loss.elements == by_loops(exact_w, exact_x, exact_y, slope)
    # In one parameter the loss is piecewise quadratic, of which a central difference is the derivative, not nearly but
    # exactly, as long as no unit passes its kink; a step of 2⁻⁶⁰ passes none here.
    h = Fraction(1, 2**60)
    for k in random.choice(26, 4, replace=False):
        up, down = ([v + s * h * (j == k) for j, v in enumerate(exact_w)] for s in (1, -1))
        difference = by_loops(up, exact_x, exact_y, slope) - by_loops(down, exact_x, exact_y, slope)
        assert e.gradient.elements[k] == difference / (2 * h)


def test_fractions_meet_an_operation_that_is_not_rational() -> None:
    with pytest.raises(UnsupportedOperationError, match="tanh was called on Rational"):
        arrays.tanh(Rational.of(np.ones(2)))


def test_instances_of_arithmetics_travel() -> None:
    again = pickle.loads(pickle.dumps(DualArray(np.ones(2), np.zeros(2))))  # noqa: S301 - ours
    assert again.value.tolist() == [1, 1]


@every_instance
def test_a_network_gives_results_of_the_arithmetic_it_was_given(one: Any) -> None:
    network = Network(Dense(1, 1), loss=InnerProduct())
    x = constant(one, np.array([[2.0]]))
    for e in (network.evaluate(constant(one, np.ones(2)), [[2.0]], [[1.0]]), network.evaluate([1.0, 1.0], x, [[1.0]])):
        assert {type(e.outputs), type(e.loss), type(e.gradient), type(e.input_gradient)} == {type(one)}
