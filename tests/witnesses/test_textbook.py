"""The textbook's text against numbers by hand and in print, its bounds against closed forms, the core against it."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from typing import Any, final

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn import activations, losses
from refnn.arithmetic.dual import DualArray
from refnn.errors import MissingExtraError
from refnn.witnesses import NotRunError, textbook
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

M = textbook.digits()
LN = {k: M.log(M.number(k)) for k in (2, 3, 5)}

# 400 bits, less the few roundings of a definition: what equality by hand may be off by
HAND = M.number(Fraction(1, 2**390))


def activation(kind: Any, z: Any) -> Any:
    return textbook.ACTIVATIONS[type(kind).__name__](M, kind, z)


def loss(kind: Any, z: Any, t: Any) -> Any:
    return textbook.LOSSES[type(kind).__name__](M, kind, z, textbook.targets(M, kind, t))


# ----------------------------------------------------------------------------------------------------------- the text


def test_every_activation_and_loss_has_a_definition() -> None:
    assert {kind.__name__ for kind in activations.ALL} == set(textbook.ACTIVATIONS)
    assert {kind.__name__ for kind in losses.ALL} == set(textbook.LOSSES)


@pytest.mark.parametrize(
    ("kind", "z", "expected"),
    [
        (refnn.Identity(), M.number(-7), M.number(-7)),
        (refnn.Sigmoid(), M.number(0), M.number(Fraction(1, 2))),
        (refnn.Sigmoid(), LN[3], M.number(Fraction(3, 4))),
        (refnn.Sigmoid(), -LN[3], M.number(Fraction(1, 4))),
        (refnn.Tanh(), LN[2], M.number(Fraction(3, 5))),  # (2 − 1/2)/(2 + 1/2)
        (refnn.ReLU(), M.number(3), M.number(3)),
        (refnn.ReLU(), M.number(-3), M.number(0)),
        (refnn.LeakyReLU(0.25), M.number(-3), M.number(Fraction(-3, 4))),
        (refnn.LeakyReLU(0.25), M.number(3), M.number(3)),
        (refnn.ELU(3), -LN[2], M.number(Fraction(-3, 2))),  # 3·(1/2 − 1)
        (refnn.ELU(3), M.number(2), M.number(2)),
        (refnn.Softplus(), M.number(0), LN[2]),
        (refnn.Softplus(), LN[2], LN[3]),
        (refnn.SiLU(), LN[3], 3 * LN[3] / 4),
        (refnn.GELU(), M.number(0), M.number(0)),
        (refnn.GELUTanh(), M.number(0), M.number(0)),
    ],
)
def test_activations_by_hand(kind: refnn.Activation, z: Any, expected: Any) -> None:
    assert abs(activation(kind, z) - expected) <= HAND


@pytest.mark.parametrize(
    ("kind", "z", "printed"),
    [
        # e^(-1) and its kin: Abramowitz, Stegun, "Handbook of Mathematical Functions", tables 1.1, 4.4 and 4.15
        (refnn.Sigmoid(), 1, "0.731058578630004879"),
        (refnn.Tanh(), 1, "0.761594155955764888"),
        (refnn.ELU(), -1, "-0.632120558828557678"),
        (refnn.Softplus(), 1, "1.313261687518222834"),
        # the normal distribution function, ibid., table 26.1: P(1), and 2·P(2), and −Q(1)
        (refnn.GELU(), 1, "0.841344746068542"),
        (refnn.GELU(), 2, "1.954499736103641"),
        (refnn.GELU(), -1, "-0.158655253931457"),
    ],
)
def test_activations_as_printed(kind: refnn.Activation, z: int, printed: str) -> None:
    digits = len(printed.partition(".")[2])
    assert abs(activation(kind, M.number(z)) - M.number(Fraction(printed))) <= M.number(Fraction(1, 10**digits))


def test_gelu_by_tanh_is_near_gelu_and_not_equal() -> None:
    """Hendrycks and Gimpel offer it as an approximation; the largest distance is 4.7e-4 (at abs(z) = 2.3)."""
    z = [M.number(Fraction(k, 10)) for k in range(-60, 61)]
    distances = [abs(activation(refnn.GELU(), v) - activation(refnn.GELUTanh(), v)) for v in z]
    assert M.number(4.6e-4) < max(distances) < M.number(4.8e-4)


def test_softmax_by_hand() -> None:
    for p, expected in zip(textbook.softmax(M, [M.number(0), LN[2], LN[5]]), (1, 2, 5), strict=True):
        assert abs(p - M.number(Fraction(expected, 8))) <= HAND


@pytest.mark.parametrize(
    ("kind", "z", "t", "expected"),
    [
        (refnn.SquaredError(), [1, 2], [0, 4], M.number(Fraction(5, 2))),
        (refnn.Huber(), [Fraction(1, 2)], [0], M.number(Fraction(1, 8))),
        (refnn.Huber(delta=2), [3, -4, 1], [0, 1, 0], M.number(4 + 8) + M.number(Fraction(1, 2))),
        (refnn.InnerProduct(), [2, 3], [5, -7], M.number(-11)),
        (refnn.BinaryCrossEntropy(), [LN[3]], [1], 2 * LN[2] - LN[3]),
        (refnn.BinaryCrossEntropy(), [LN[3]], [0], 2 * LN[2]),
        (refnn.BinaryCrossEntropy(), [LN[3], 0], [Fraction(1, 4), 1], 2 * LN[2] - LN[3] / 4 + LN[2]),
        (refnn.SoftmaxCrossEntropy(), [0, LN[2], LN[5]], [0, 0, 1], 3 * LN[2] - LN[5]),
        (refnn.SoftmaxCrossEntropy(), [0, LN[2], LN[5]], [Fraction(1, 2), Fraction(1, 2), 0], Fraction(5, 2) * 1),
        (
            refnn.SoftmaxCrossEntropy(label_smoothing=0.75),  # q = (¼, ¼, ½)
            [0, LN[2], LN[5]],
            [0, 0, 1],
            3 * LN[2] - LN[2] / 4 - LN[5] / 2,
        ),
        (
            refnn.SoftmaxCrossEntropy(label_smoothing=0.75, class_weights=(4, 0, 6)),  # q = (1, 0, 3)
            [0, LN[2], LN[5]],
            [0, 0, 1],
            4 * 3 * LN[2] - 3 * LN[5],
        ),
    ],
)
def test_losses_by_hand(kind: refnn.Loss, z: list[Any], t: list[Any], expected: Any) -> None:
    if isinstance(expected, Fraction):  # both classes have −log p: 3 ln 2 and 2 ln 2
        expected = M.number(expected) * LN[2]
    logits = [v if isinstance(v, type(LN[2])) else M.number(v) for v in z]
    assert abs(loss(kind, logits, [M.number(v) for v in t]) - expected) <= 16 * HAND


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (refnn.SquaredError(), Fraction(10, 2)),
        (refnn.SquaredError(reduction="sum", scale=Fraction(1, 3)), Fraction(10, 3)),
        (refnn.SquaredError(reduction="elements", scale=1.5), Fraction(15, 6)),
        (refnn.SoftmaxCrossEntropy(reduction="weights"), Fraction(10, 2)),
        (refnn.SoftmaxCrossEntropy(reduction="weights", class_weights=(3, 0, 5)), Fraction(10, 8)),
    ],
)
def test_reductions_by_hand(kind: refnn.Loss, expected: Fraction) -> None:
    labels = textbook.table(M, [[1, 0, 0], [0, 0, 1]])
    assert abs(textbook.reduced(M, kind, [M.number(3), M.number(7)], labels) - M.number(expected)) <= HAND


def test_the_text_on_floats_is_the_naive_program() -> None:
    """What the docstring says of floats: the same text, right where nothing overflows or cancels."""
    text, m = textbook.ACTIVATIONS, textbook.FLOATS
    assert text["Sigmoid"](m, None, 0.0) == 0.5
    assert text["ReLU"](m, None, -2.0) == 0
    assert text["GELU"](m, None, -30.0) == 0  # 1 + erf cancels: the number is −1.5e-196
    with pytest.raises(OverflowError):
        text["Sigmoid"](m, None, -800.0)


@pytest.mark.parametrize(
    ("value", "ratio"),
    [
        (3, Fraction(3)),
        (np.int64(3), Fraction(3)),
        (0.1, Fraction(3602879701896397, 2**55)),
        (np.float32(0.1), Fraction(13421773, 2**27)),
        (Fraction(1, 3), Fraction(1, 3)),
        (5e-324, Fraction(1, 2**1074)),
    ],
)
def test_numbers_are_exact(value: Any, ratio: Fraction) -> None:
    assert textbook.exact(value) == ratio


# ---------------------------------------------------------------------------------------------------------- testimony


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", LOSSES, ids=lambda kind: f"{type(kind).__name__}-{kind.reduction}")
@pytest.mark.parametrize("unit", ACTIVATIONS, ids=str)
def test_the_core_agrees(unit: refnn.Activation, kind: refnn.Loss) -> None:
    asked = case(unit, kind, seed=len(str(unit)))
    testimony = textbook.testify(*asked)
    assert agrees(asked, testimony)
    assert to_the_last_bit(testimony)


def test_a_network_by_hand() -> None:
    """ŷ = σ(2·1 − 1·2 + 0) = ½ and L = ½(½ − 1)² = ⅛; dL/dz = −½·¼ = −⅛."""
    network = refnn.Network(refnn.Dense(2, 1), refnn.Sigmoid(), loss=refnn.SquaredError())
    values = textbook.testify(network, [1.0, 2.0, 0.0], [[2.0, -1.0]], [1]).values
    assert values.loss == 0.125
    assert values.outputs is not None
    assert values.outputs.tolist() == [[0.5]]
    assert values.gradient is not None
    assert values.gradient.tolist() == [-0.25, 0.125, -0.125]
    assert values.input_gradient is not None
    assert values.input_gradient.tolist() == [[-0.125, -0.25]]


def test_the_order_of_the_parameters() -> None:
    """z = x w + b with w row by row: L = Σ y z has ∂L/∂w_ij = x_i y_j and ∂L/∂b_j = y_j."""
    network = refnn.Network(refnn.Dense(2, 3), loss=refnn.InnerProduct())
    values = textbook.testify(network, np.arange(9.0), [[2.0, 3.0]], [[5.0, 7.0, 11.0]]).values
    assert values.gradient is not None
    assert values.gradient.tolist() == [10, 14, 22, 15, 21, 33, 5, 7, 11]
    assert values.input_gradient is not None
    assert values.input_gradient.tolist() == [[0 * 5 + 1 * 7 + 2 * 11, 3 * 5 + 4 * 7 + 5 * 11]]


def test_a_network_without_parameters() -> None:
    network = refnn.Network(refnn.Tanh(), loss=refnn.SoftmaxCrossEntropy())
    asked = (network, np.zeros(0), np.array([[0.3, -1.0, 0.2], [1.5, 0.1, 0.0]]), np.array([2, 0]))
    testimony = textbook.testify(*asked)
    assert testimony.values.gradient is not None
    assert testimony.values.gradient.shape == (0,)
    assert agrees(asked, testimony)


def test_float32_numbers_are_meant_exactly() -> None:
    network, w, x, y = case(refnn.SiLU(), refnn.SquaredError(), seed=3)
    w, x, y = (a.astype(np.float32) for a in (w, x, y))
    single, double = textbook.testify(network, w, x, y), textbook.testify(network, *(np.float64(a) for a in (w, x, y)))
    for field in FIELDS:
        assert np.array_equal(getattr(single.values, field), getattr(double.values, field))


def test_no_backward_pass_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = case(refnn.Tanh(), refnn.SoftmaxCrossEntropy(), seed=1)
    before = textbook.testify(*asked)
    forbid_backward(monkeypatch)
    with pytest.raises(AssertionError, match="backward"):  # the core cannot do without
        asked[0].evaluate(*asked[1:])
    after = textbook.testify(*asked)
    assert all(np.array_equal(getattr(before.values, field), getattr(after.values, field)) for field in FIELDS)


def test_a_wrong_definition_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = case(refnn.Tanh(), refnn.SquaredError(), seed=2)
    slightly = M.number(1 + 1e-12)
    monkeypatch.setitem(textbook.ACTIVATIONS, "Tanh", lambda m, f, z: slightly * m.tanh(z))
    ratios = differences(asked, textbook.testify(*asked))
    assert all((ratio > 1).any() for ratio in ratios.values())


def test_a_wrong_derivative_of_the_core_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = case(refnn.Tanh(), refnn.SquaredError(), seed=2)
    right = activations.Tanh.derivative
    monkeypatch.setattr(activations.Tanh, "derivative", lambda self, z: right(self, z) * (1000001 * right(self, 0 * z)))
    ratios = differences(asked, textbook.testify(*asked))
    assert (ratios["outputs"] <= 1).all()
    assert (ratios["loss"] <= 1).all()
    assert (ratios["gradient"][:9] > 1).all()  # the weights and biases before the activation
    assert (ratios["gradient"][9:] <= 1).all()
    assert (ratios["input_gradient"] > 1).all()


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    textbook.testify(*case(refnn.Tanh(), refnn.SquaredError(), seed=2), progress=lambda *numbers: told.append(numbers))
    assert told == [(k, 25 + 5 * 2) for k in range(1, 36)]


# -------------------------------------------------------------------------------------------------------------- bounds


@pytest.mark.parametrize("unit", [*ACTIVATIONS, activations.ELU(0.2)], ids=str)
def test_no_activation_is_steeper_than_its_bound(unit: refnn.Activation) -> None:
    """σ′ and σ″ by mpmath's own differences, on a grid that the kinks are not on."""
    bound = textbook._steepest(M, unit)
    for k in range(-80, 80):
        z = M.number(Fraction(2 * k + 1, 20))
        for order in (1, 2):
            assert abs(mpmath.diff(lambda v: activation(unit, v), z, order)) <= bound


@pytest.mark.parametrize("kind", LOSSES, ids=lambda kind: f"{type(kind).__name__}-{kind.reduction}")
@given(data=st.data())
def test_no_loss_is_steeper_than_its_bound(kind: refnn.Loss, data: st.DataObject) -> None:
    """dℓ and d²ℓ along directions in the unit cube, by mpmath's own differences."""
    number = st.floats(-9, 9).map(M.number)
    z = [data.draw(number) for _ in range(4)]
    direction = [data.draw(st.sampled_from([-1, 0, 1])) for _ in range(4)]
    share = [data.draw(st.integers(1, 9)) for _ in range(4)]
    t = textbook.targets(M, kind, [M.number(Fraction(s, sum(share))) for s in share])
    along = lambda a: textbook.LOSSES[type(kind).__name__](M, kind, [v + a * d for v, d in zip(z, direction)], t)  # noqa: E731, B905
    first, second = textbook._loss_slopes(4, max(map(abs, z)), sum(t))
    a = M.number(0)
    assert abs(mpmath.diff(along, a, 1)) <= first
    assert abs(mpmath.diff(along, a, 2)) <= second


@given(w=st.floats(-20, 20), x=st.floats(-20, 20), b=st.floats(-20, 20), y=st.floats(-3, 3))
def test_one_neuron_in_closed_form(w: float, x: float, b: float, y: float) -> None:
    """L = ½(tanh(wx + b) − y)² has ∂L/∂b = (t − y)(1 − t²), with t = tanh(wx + b) to 1200 bits; and ∂L/∂w = x ∂L/∂b."""
    network = refnn.Network(refnn.Dense(1, 1), refnn.Tanh(), loss=refnn.SquaredError())
    testimony = textbook.testify(network, [w, b], [[x]], [[y]])
    m = textbook.digits(1200)
    w_, x_, b_, y_ = map(m.number, (w, x, b, y))
    t = m.tanh(w_ * x_ + b_)
    slope = (t - y_) * (1 - t * t)
    truths = ([[t]], (t - y_) * (t - y_) / 2, [x_ * slope, slope], [[w_ * slope]])
    for field, truth in zip(FIELDS, truths, strict=True):
        value, error = (np.asarray(getattr(part, field)) for part in testimony)
        for index, number in np.ndenumerate(np.array(truth, dtype=object)):
            assert abs(number - float(value[index])) <= float(error[index])
    assert to_the_last_bit(testimony)


def test_rounding_up() -> None:
    third = M.number(Fraction(1, 3))
    value, error = textbook.rounded(third, 0)
    assert value == 1 / 3
    assert abs(third - value) <= error <= math.ulp(value) / 2
    assert textbook.rounded(M.number(0.5), 0) == (0.5, 0.0)
    assert textbook.rounded(M.number(0.5), M.exp(M.number(0)) * mpmath.mpf("nan")) == (0.5, math.inf)
    assert textbook.rounded(M.number(10**400), 0) == (math.inf, math.inf)


# --------------------------------------------------------------------------------------------------------------- kinks


def kinked(unit: refnn.Activation) -> Any:
    """Two units, of which the first stands at exactly 0 for the second sample: z = (x₀ − x₁, x₀ + x₁)."""
    network = refnn.Network(refnn.Dense(2, 2), unit, refnn.Dense(2, 1), loss=refnn.SquaredError())
    w = np.array([1.0, 1.0, -1.0, 1.0, 0.0, 0.0, 2.0, 3.0, 0.5])
    return (network, w, np.array([[3.0, 1.0], [2.0, 2.0], [0.5, 0.25]]), np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("unit", [refnn.ReLU(), refnn.LeakyReLU(), refnn.ELU(2), refnn.LeakyReLU(1 - 2**-53)], ids=str)
def test_what_crosses_a_kink_has_an_infinite_error(unit: refnn.Activation) -> None:
    errors = textbook.testify(*kinked(unit)).errors
    assert errors.gradient is not None
    assert errors.input_gradient is not None
    moves_first_unit = [True, False, True, False, True, False, False, False, False]
    assert np.isinf(errors.gradient).tolist() == moves_first_unit
    assert np.isinf(errors.input_gradient).tolist() == [[False] * 2, [True] * 2, [False] * 2]


@pytest.mark.parametrize("unit", [refnn.ELU(1), refnn.LeakyReLU(1.0), refnn.Tanh(), refnn.GELU()], ids=str)
def test_a_smooth_joint_is_no_kink(unit: refnn.Activation) -> None:
    asked = kinked(unit)
    testimony = textbook.testify(*asked)
    assert np.isfinite(testimony.errors.gradient).all()  # type: ignore[arg-type]
    assert agrees(asked, testimony)


def test_what_does_not_move_a_kinked_unit_has_a_derivative() -> None:
    """At x = 0 and b = 0 all units stand at their kink, but no weight moves them: its derivative is 0."""
    network = refnn.Network(refnn.Dense(2, 3), refnn.ReLU(), loss=refnn.SquaredError())
    errors = textbook.testify(network, np.r_[np.ones(6), np.zeros(3)], [[0.0, 0.0]], [[1.0, 2.0, 3.0]]).errors
    assert errors.gradient is not None
    assert np.isinf(errors.gradient).tolist() == [False] * 6 + [True] * 3


def test_a_kink_before_any_parameter() -> None:
    network = refnn.Network(refnn.ReLU(), refnn.Dense(2, 1), loss=refnn.SquaredError())
    errors = textbook.testify(network, np.ones(3), [[0.0, 1.0]], [[1.0]]).errors
    assert errors.gradient is not None
    assert errors.input_gradient is not None
    assert not np.isinf(errors.gradient).any()
    assert np.isinf(errors.input_gradient).tolist() == [[True, False]]


def test_the_joint_of_huber_is_no_kink() -> None:
    """r = z − y = 1 = δ: h′ is δ on both sides, and dL/dw = x·δ."""
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.Huber())
    testimony = textbook.testify(network, [1.0, 1.0], [[3.0]], [[3.0]])
    assert testimony.values.gradient is not None
    assert testimony.values.gradient.tolist() == [3, 1]
    assert testimony.errors.gradient is not None
    assert (testimony.errors.gradient <= 1e-50).all()


# ----------------------------------------------------------------------------------------------------- what it refuses


def test_missing_mpmath(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpmath", None)
    textbook.digits.cache_clear()
    with pytest.raises(MissingExtraError, match=r"mpmath is not installed.*textbook witness.*extra \[symbolic\]"):
        textbook.testify(*case(refnn.Tanh(), refnn.SquaredError(), seed=2))


def test_too_large() -> None:
    network = refnn.Network(refnn.Dense(20, 31), refnn.Tanh(), refnn.Dense(31, 7), loss=refnn.SquaredError())
    with pytest.raises(NotRunError, match=r"multiplications.*too large"):
        textbook.testify(network, np.zeros(network.size), np.zeros((30, 20)), np.zeros((30, 7)))


def test_numbers_too_large_for_the_step() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    with pytest.raises(NotRunError, match="holds large numbers"):
        textbook.testify(network, [1.0, 0.0], [[1e70]], [[0.0]])


@final
class Dense:
    """A layer that is called like one of refnn's, and is something else."""

    inputs = outputs = None
    shapes: dict[str, tuple[int, ...]] = {}  # noqa: RUF012 - a constant
    forward = backward = gradient = None


class Other(losses.SquaredError):  # type: ignore[misc]  # a user may; refnn's classes are final for type checkers
    """A loss that the text does not know."""


@pytest.mark.parametrize(
    "network",
    [
        refnn.Network(Dense(), loss=refnn.SquaredError()),  # type: ignore[arg-type]  # on purpose
        refnn.Network(refnn.Tanh(), loss=Other()),
    ],
)
def test_an_unknown_layer_or_loss(network: refnn.Network) -> None:
    with pytest.raises(NotRunError, match="does not define it"):
        textbook.testify(network, [], [[1.0]], [[1.0]])


def test_other_arithmetics_are_refused() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    dual: Any = DualArray(np.zeros(2), np.ones(2))
    with pytest.raises(NotRunError, match="another arithmetic"):
        textbook.testify(network, dual, [[1.0]], [[1.0]])
    with pytest.raises(NotRunError, match="another arithmetic"):
        textbook.testify(network, [1.0, 2.0], DualArray(np.zeros((1, 1)), np.ones((1, 1))), [[1.0]])  # type: ignore[arg-type]


def test_what_does_not_fit_is_refused_as_by_the_network() -> None:
    network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    with pytest.raises(refnn.ShapeError):
        textbook.testify(network, [1.0, 2.0, 3.0], [[1.0]], [[1.0]])
