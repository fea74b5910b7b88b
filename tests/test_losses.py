"""Every loss, reduction and setting against its definition at 60 digits, in every arithmetic; and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from refnn.activations import Identity
from refnn.arithmetic.complex import ComplexArray
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray
from refnn.errors import DTypeError, RefnnError, SettingError, ShapeError, TargetError
from refnn.layers import Dense
from refnn.losses import (
    ALL,
    BinaryCrossEntropy,
    Huber,
    InnerProduct,
    Loss,
    Reduction,
    SoftmaxCrossEntropy,
    SquaredError,
    softmax,
)
from refnn.network import Network
from tests import definitions
from tests.definitions import M, Real, exact

NONE = np.zeros(0)
"""The parameters of a network without any."""

Rows = Sequence[Sequence[Real]]


# ---------------------------------------------------------------------------------------------------- the definitions


def smoothed(loss: SoftmaxCrossEntropy, y: Sequence[Real]) -> list[Real]:
    """q_c = weight_c ((1 − ε) y_c + ε/C)."""
    epsilon = exact(loss.label_smoothing)
    weights = loss.class_weights or (1,) * len(y)
    return [exact(weight) * ((1 - epsilon) * t + epsilon / len(y)) for weight, t in zip(weights, y, strict=True)]


def of_sample(loss: Loss, z: Sequence[Real], y: Sequence[Real]) -> Real:
    """ℓ(z, y)."""
    pairs = list(zip(z, y, strict=True))
    match loss:
        case SquaredError():
            return M.fsum((a - t) ** 2 for a, t in pairs) / 2
        case Huber():
            return M.fsum(definitions.huber(a - t, exact(loss.delta)) for a, t in pairs)
        case BinaryCrossEntropy():  # −log σ(z) is softplus(−z), and −log(1 − σ(z)) is softplus(z)
            return M.fsum(t * definitions.softplus(-a) + (1 - t) * definitions.softplus(a) for a, t in pairs)
        case SoftmaxCrossEntropy():
            return -M.fsum(
                q * log_p for q, log_p in zip(smoothed(loss, y), definitions.log_softmax(list(z)), strict=True)
            )
        case InnerProduct():
            return M.fsum(a * t for a, t in pairs)
        case _:
            raise AssertionError(f"{loss} has no definition")


def slope_of_sample(loss: Loss, z: Sequence[Real], y: Sequence[Real]) -> list[Real]:
    """∂ℓ/∂z."""
    pairs = list(zip(z, y, strict=True))
    match loss:
        case SquaredError():
            return [a - t for a, t in pairs]
        case Huber():
            delta = exact(loss.delta)
            return [a - t if abs(a - t) <= delta else delta * M.sign(a - t) for a, t in pairs]
        case BinaryCrossEntropy():
            return [definitions.sigmoid(a) - t for a, t in pairs]
        case SoftmaxCrossEntropy():
            q = smoothed(loss, y)
            return [p * M.fsum(q) - v for p, v in zip(definitions.softmax(list(z)), q, strict=True)]
        case InnerProduct():
            return list(y)
        case _:
            raise AssertionError(f"{loss} has no definition")


def factor(loss: Loss, y: Rows) -> Real:
    """scale/divisor."""
    samples, outputs = len(y), len(y[0])
    weights = (loss.class_weights if isinstance(loss, SoftmaxCrossEntropy) else None) or (1,) * outputs
    divisors = {
        "mean": samples,
        "sum": 1,
        "elements": samples * outputs,
        "weights": M.fsum(exact(weight) * t for row in y for weight, t in zip(weights, row, strict=True)),
    }
    return exact(loss.scale) / divisors[loss.reduction]


def defined(loss: Loss, z: FloatArray, y: FloatArray) -> tuple[Real, list[list[Real]]]:
    """L and ∂L/∂z, for targets as rows."""
    z_rows = [[exact(v) for v in row] for row in z]
    y_rows = [[exact(v) for v in row] for row in y]
    scaled = factor(loss, y_rows)
    value = scaled * M.fsum(of_sample(loss, a, t) for a, t in zip(z_rows, y_rows, strict=True))
    return value, [[scaled * v for v in slope_of_sample(loss, a, t)] for a, t in zip(z_rows, y_rows, strict=True)]


# ----------------------------------------------------------------------------------------------------------- the cases


def evaluate(loss: Loss, z: Any, y: Any) -> Any:
    """Through the network whose outputs are its inputs."""
    dtype = z.dtype if isinstance(z, np.ndarray) else np.float64
    return Network(Identity(), loss=loss).evaluate(NONE.astype(dtype), z, y)


def targets_for(kind: type[Loss], shape: tuple[int, int], random: np.random.Generator) -> FloatArray:
    if kind is SoftmaxCrossEntropy:
        return np.eye(shape[1])[random.integers(shape[1], size=shape[0])]
    if kind is BinaryCrossEntropy:
        return random.choice([0.0, 0.3, 1.0], shape)
    return random.normal(0, 2, shape)


def variants(kind: type[Loss]) -> list[Loss]:
    reductions: tuple[Reduction, ...] = kind().reductions()
    plain = [kind(reduction=r, scale=s) for r in reductions for s in (1, 2, 0.3, Fraction(1, 3), Fraction(1, 7))]
    if kind is Huber:
        plain += [Huber(delta=d, reduction=r) for d in (0.3, 2) for r in reductions]
    if kind is SoftmaxCrossEntropy:
        plain += [
            SoftmaxCrossEntropy(label_smoothing=e, class_weights=w, reduction=r)
            for e in (0, 0.1, 1)
            for w in (None, (0.5, 0.0, 3.0, 1.0, 2.5))
            for r in reductions
        ]
    return plain


VARIANTS = [pytest.param(loss, id=repr(loss)) for kind in ALL for loss in variants(kind)]
TAILS = [0.0, 1e-300, 1e-8, 1.0, 20.0, 40.0, 700.0, 800.0, 1e10]


def assert_within(given: Any, true: Real, allowed: float) -> None:
    assert abs(M.mpf(float(given)) - true) <= allowed, f"{given!r} for {M.nstr(true, 20)}, allowed {allowed}"


def assert_evaluation(loss: Loss, z: FloatArray, y: FloatArray, labels: Any) -> None:
    """Floats and their bounds agree with the definition; `labels` are the targets in whatever form."""
    value, slope = defined(loss, z, y)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        e = evaluate(loss, z, labels)
        bound = evaluate(loss, RoundedArray.exact(z), labels)
    assert e.outputs.dtype == e.input_gradient.dtype == z.dtype
    assert_within(e.loss, value, float(bound.loss.error))
    assert_within(bound.loss.value, value, float(bound.loss.error))
    for index in np.ndindex(z.shape):
        true = slope[index[0]][index[1]]
        assert_within(e.input_gradient[index], true, bound.input_gradient.error[index])
        assert_within(bound.input_gradient.value[index], true, bound.input_gradient.error[index])


@pytest.mark.unmeasured
@pytest.mark.parametrize("loss", VARIANTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_variant_against_its_definition(loss: Loss, dtype: type[np.floating[Any]]) -> None:
    random = np.random.default_rng(7)
    z = random.normal(0, 3, (3, 5)).astype(dtype)
    y = targets_for(type(loss), (3, 5), random).astype(dtype)
    assert_evaluation(loss, z, y, y)


@pytest.mark.unmeasured
@pytest.mark.parametrize("loss", [kind() for kind in ALL], ids=repr)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("z", [s * v for v in TAILS for s in (1, -1)])
def test_tails(loss: Loss, dtype: type[np.floating[Any]], z: float) -> None:
    logits = np.array([[z, 0.0, -z], [z, z, z]], dtype)
    for y in ([[0, 0, 1], [1, 0, 0]], [[1, 0, 0], [0, 1, 0]]):
        assert_evaluation(loss, logits, np.array(y, dtype), np.array(y, dtype))


def test_the_comparison_can_fail() -> None:
    z, y = np.array([[0.1, 0.7]]), np.array([[0.3, 0.2]])
    with pytest.raises(AssertionError, match="allowed"):
        assert_evaluation(SquaredError(scale=2), z, y, y + 1e-15)
    bound = evaluate(SquaredError(), RoundedArray.exact(z), y).loss
    with pytest.raises(AssertionError, match="allowed"):
        assert_within(bound.value, defined(SquaredError(), z, y)[0] * (1 + M.mpf(10) ** -14), float(bound.error))


@pytest.mark.parametrize("loss", VARIANTS[::3])
def test_the_slope_of_the_definition_is_its_slope(loss: Loss) -> None:
    random = np.random.default_rng(3)
    y = [exact(v) for v in targets_for(type(loss), (1, 5), random)[0].tolist()]
    z = [exact(v) for v in random.normal(0, 1, 5).tolist()]
    for j, slope in enumerate(slope_of_sample(loss, z, y)):
        along = M.diff(lambda v, j=j: of_sample(loss, [*z[:j], v, *z[j + 1 :]], y), z[j])
        assert abs(along - slope) < M.mpf(10) ** -45  # the difference is taken at three times the 60 digits


@pytest.mark.parametrize("loss", VARIANTS[::2])
def test_dual_numbers_give_the_gradient(loss: Loss) -> None:
    random = np.random.default_rng(5)
    z, v = random.normal(0, 3, (3, 5)), random.normal(0, 1, (3, 5))
    u = v.tolist()
    y = targets_for(type(loss), (3, 5), random)
    _, slope = defined(loss, z, y)
    true = M.fsum(slope[i][j] * exact(u[i][j]) for i, j in np.ndindex(3, 5))
    bound = evaluate(loss, DualArray(RoundedArray.exact(z), RoundedArray.exact(v)), y).loss.tangent
    assert_within(bound.value, true, float(bound.error))
    assert_within(evaluate(loss, DualArray(z, v), y).loss.tangent, true, float(bound.error))


@pytest.mark.parametrize("loss", VARIANTS[::2])
def test_complex_numbers_give_the_gradient(loss: Loss) -> None:
    random = np.random.default_rng(5)
    z, v = random.normal(0, 3, (3, 5)), random.normal(0, 1, (3, 5))
    u = v.tolist()
    y = targets_for(type(loss), (3, 5), random)
    value, slope = defined(loss, z, y)
    true = M.fsum(slope[i][j] * exact(u[i][j]) for i, j in np.ndindex(3, 5))
    dual = evaluate(loss, DualArray(RoundedArray.exact(z), RoundedArray.exact(v)), y).loss
    step = evaluate(loss, ComplexArray(z + 1e-30j * v), y).loss.elements
    # a complex operation errs at most by √2 γ₇ < 10 u (Higham 2002, lemma 3.5) where a real one errs by u
    assert_within(step.real, value, 10 * float(dual.value.error))
    assert_within(step.imag / 1e-30, true, 10 * float(dual.tangent.error))


@pytest.mark.parametrize("loss", [kind() for kind in ALL], ids=repr)
@pytest.mark.parametrize("z", [s * v for v in TAILS for s in (1, -1)])
def test_tails_in_dual_and_complex_numbers(loss: Loss, z: float) -> None:
    logits, v, y = np.array([[z, 0.0, -z]]), np.array([[1.0, -2.0, 0.5]]), np.array([[0.0, 1.0, 0.0]])
    value, slope = defined(loss, logits, y)
    true = M.fsum(slope[0][j] * exact(v[0, j]) for j in range(3))
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        bound = evaluate(loss, DualArray(RoundedArray.exact(logits), RoundedArray.exact(v)), y)
        dual = evaluate(loss, DualArray(logits, v), y)
        step = evaluate(loss, ComplexArray(logits + 1e-200j * v), y).loss.elements
    assert_within(dual.loss.value, value, float(bound.loss.value.error))
    assert_within(dual.loss.tangent, true, float(bound.loss.tangent.error))
    assert_within(step.real, value, 10 * float(bound.loss.value.error))
    least = 100 * float(np.finfo(np.float64).smallest_subnormal)  # underflow, relative to the step
    assert_within(step.imag / 1e-200, true, 10 * float(bound.loss.tangent.error) + least / 1e-200)


# ------------------------------------------------------------------------- what the docstrings say is kept or cancels


@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("z", [-700.0, -40.0, -20.0, -1e-8, 0.0, 1e-8, 20.0, 40.0, 700.0])
def test_binary_cross_entropy_keeps_relative_accuracy(y: float, z: float) -> None:
    bound = evaluate(BinaryCrossEntropy(), RoundedArray.exact(np.array([[z]])), [y])
    value, _ = defined(BinaryCrossEntropy(), np.array([[z]]), np.array([[y]]))
    assert_within(bound.loss.value, value, float(bound.loss.error))
    # two functions of 4 ulps (8 u) each, and fewer than a dozen roundings; each may underflow as well
    least = float(np.finfo(np.float64).smallest_subnormal)
    assert bound.loss.error <= 28 * (2.0**-53 * value + least)
    assert bound.input_gradient.error[0, 0] <= 28 * 2.0**-53


def test_binary_cross_entropy_gradient_cancels_where_the_prediction_is_right() -> None:
    e = evaluate(BinaryCrossEntropy(), np.array([[40.0]]), [1.0])
    _, slope = defined(BinaryCrossEntropy(), np.array([[40.0]]), np.array([[1.0]]))
    assert e.input_gradient[0, 0] == 0  # for −4.2e-18, less than a unit roundoff of 1
    assert -slope[0][0] < 2.0**-53


@pytest.mark.parametrize("gap", [1e-8, 1.0, 20.0, 40.0, 300.0, 700.0])
def test_softmax_cross_entropy_keeps_the_differences_of_the_logits(gap: float) -> None:
    z = np.array([[0.0, -gap, -gap]])
    bound = evaluate(SoftmaxCrossEntropy(), RoundedArray.exact(z), [0])
    value, _ = defined(SoftmaxCrossEntropy(), z, np.array([[1.0, 0.0, 0.0]]))
    assert_within(bound.loss.value, value, float(bound.loss.error))
    # log1p(2 exp(−gap)): the functions' ulps and a few roundings, besides the rounding of the gap itself
    assert bound.loss.error <= (40 + 2 * gap) * 2.0**-53 * value
    assert (bound.input_gradient.error <= (40 + 2 * gap) * 2.0**-53).all()


def test_softmax_cross_entropy_gradient_cancels_where_the_prediction_is_right() -> None:
    z = np.array([[0.0, -40.0, -40.0]])
    e = evaluate(SoftmaxCrossEntropy(), z, [0])
    _, slope = defined(SoftmaxCrossEntropy(), z, np.array([[1.0, 0.0, 0.0]]))
    assert e.input_gradient[0, 0] == 0  # for −8.5e-18
    assert -slope[0][0] < 2.0**-53
    assert e.input_gradient[0, 1] > 0  # the other two do not cancel


@pytest.mark.parametrize("loss", [SquaredError(), Huber(delta=1)])
def test_squared_error_is_accurate_relative_to_the_rounded_difference(loss: Loss) -> None:
    z, y = np.array([[1e10 + 1e-6]]), np.array([[1e10]])
    bound = evaluate(loss, RoundedArray.exact(z), y)
    r = float(z[0, 0] - y[0, 0])  # exact: the two agree in their leading digits (Sterbenz's lemma)
    assert bound.input_gradient.value == r
    assert bound.loss.error <= 10 * 2.0**-53 * r * r / 2  # r (twice), ½r, r − ½r (which halves), product, sum, division


def test_inner_product_gradient_is_y_without_error() -> None:
    z, y = np.array([[0.1, 0.2, 0.3]]), np.array([[0.7, -1e-300, 1e300]])
    bound = evaluate(InnerProduct(), RoundedArray.exact(z), y).input_gradient
    assert bound.value.tolist() == y.tolist()
    # a division and a product by 1, which the arithmetic of rounding errors does not know to be exact
    assert (bound.error <= (1 + 2.0**-29) * 2.0**-52 * np.abs(y) + 4 * np.finfo(np.float64).smallest_subnormal).all()


def test_inner_product_value_cancels_as_an_inner_product_may() -> None:
    z, y = np.array([[1.0, 1e17, -1e17]]), np.array([[1.0, 1.0, 1.0]])
    bound = evaluate(InnerProduct(), RoundedArray.exact(z), y).loss
    assert bound.error > 1


# ------------------------------------------------------------------------------------------------ numbers by hand


def test_conventions_of_pytorch() -> None:
    z, y = [[1.0, 2.0, 4.0], [0.0, -2.0, 3.0]], [[0.0, 2.0, 1.0], [1.0, 0.0, 3.0]]
    # squares of the differences: 1 + 0 + 9 + 1 + 4 + 0 = 15; MSELoss divides by 6, with "sum" by 1
    assert evaluate(SquaredError(reduction="elements", scale=2), np.array(z), y).loss == Fraction(15, 6)
    assert evaluate(SquaredError(reduction="sum", scale=2), np.array(z), y).loss == 15
    assert evaluate(SquaredError(), np.array(z), y).loss == Fraction(15, 4)
    # smooth L1 with beta = 1, summed: ½ + 0 + 2½ + ½ + 1½ + 0
    assert evaluate(Huber(reduction="sum"), np.array(z), y).loss == 5


@pytest.mark.parametrize("delta", [0.5, 1, 2])
def test_huber_on_both_sides_of_and_at_delta(delta: float) -> None:
    z = np.array([[delta / 2, -delta / 2], [delta, -delta], [2 * delta, -2 * delta]])
    e = evaluate(Huber(delta=delta, reduction="sum"), z, np.zeros_like(z))
    # twice each of ½(δ/2)² = δ²/8, ½δ² and δ(2δ − ½δ) = 3δ²/2
    assert e.loss == 2 * delta**2 * Fraction(17, 8)
    assert e.input_gradient.tolist() == [[delta / 2, -delta / 2], [delta, -delta], [delta, -delta]]


def test_softmax_by_hand() -> None:
    z = np.log(np.array([[1.0, 2.0, 5.0]]))
    p = softmax(RoundedArray.exact(z))
    rounded_logits = 2.0**-53 * np.log(5)  # log 2 and log 5 are rounded, which moves each p by so much of itself
    for j, true in enumerate((Fraction(1, 8), Fraction(2, 8), Fraction(5, 8))):
        assert_within(p.value[0, j], exact(true), p.error[0, j] + 2 * rounded_logits)
    e = evaluate(SoftmaxCrossEntropy(), z, [2])
    for j, true in enumerate((Fraction(1, 8), Fraction(2, 8), Fraction(-3, 8))):
        assert_within(e.input_gradient[0, j], exact(true), p.error[0, j] + 2 * rounded_logits + 2.0**-53)


def test_binary_cross_entropy_by_hand() -> None:
    e = evaluate(BinaryCrossEntropy(), np.array([[0.0]]), [0.25])
    assert e.input_gradient.tolist() == [[0.25]]  # σ(0) − ¼
    assert_within(e.loss, M.log(2), 2.0**-52)  # ¼ log 2 + ¾ log 2: two products and a sum below 1, each within u


def test_reductions_divide_by_what_they_say() -> None:
    z, y = np.full((3, 5), 2.0), np.zeros((3, 5))
    assert evaluate(SquaredError(reduction="sum"), z, y).loss == 30
    assert evaluate(SquaredError(reduction="mean"), z, y).loss == 10
    assert evaluate(SquaredError(reduction="elements"), z, y).loss == 2
    assert evaluate(InnerProduct(), z, z).loss == 60  # its default is the sum
    # 3 log 5 weighs 1 + 4 + 4 = 9: (1·log 5 + 4·log 5 + 4·log 5)/9
    weighted = SoftmaxCrossEntropy(class_weights=(1, 4, 0, 0, 7), reduction="weights")
    assert_within(evaluate(weighted, z, [0, 1, 1]).loss, M.log(5), 1e-15)  # eight roundings of numbers below 15


def test_classes_and_rows_are_the_same_targets() -> None:
    z = np.array([[0.3, -1.0, 2.0], [1.5, 0.0, -0.5]])
    for loss in (SoftmaxCrossEntropy(), SoftmaxCrossEntropy(label_smoothing=0.2, class_weights=(1, 2, 3))):
        by_class, by_row = evaluate(loss, z, [2, 0]), evaluate(loss, z, [[0, 0, 1], [1, 0, 0]])
        assert by_class.loss == by_row.loss
        assert by_class.input_gradient.tolist() == by_row.input_gradient.tolist()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, np.int64])
def test_classes_may_be_any_integers(dtype: type[np.integer[Any]]) -> None:
    assert evaluate(SoftmaxCrossEntropy(), np.zeros((1, 3)), np.array([2], dtype)).input_gradient[0, 2] < 0


def test_class_weights_may_come_as_an_array() -> None:
    loss = SoftmaxCrossEntropy(class_weights=np.array([1.0, 2.0]))  # type: ignore[arg-type]
    assert loss == SoftmaxCrossEntropy(class_weights=(1.0, 2.0))
    assert hash(loss) == hash(SoftmaxCrossEntropy(class_weights=[1.0, 2.0]))


def test_one_output_may_come_without_a_column() -> None:
    z = np.array([[1.0], [2.0], [4.0]])
    assert evaluate(SquaredError(), z, [0.0, 2.0, 2.0]).loss == 5 / 6


# ---------------------------------------------------------------------------------------------------- what is refused

WEIGHTED = SoftmaxCrossEntropy(class_weights=(0, 1), reduction="weights")

REFUSED: list[tuple[type[RefnnError], str, Loss, Any]] = [
    (ShapeError, ("y has shape (3, 2), expected (2, 2): x has 2 samples and the last layer has 2 outputs. "
     "Pass one row of 2 targets for each of the 2 samples."), SquaredError(), np.zeros((3, 2))),
    (ShapeError, ("y has shape (2,), expected (2, 2): x has 2 samples and the last layer has 2 outputs. "
     "Pass one row of 2 targets for each of the 2 samples."), Huber(), [1.0, 2.0]),
    (TargetError, ("y[0, 1] is 1.5: a binary cross-entropy target is a probability. "
     "Pass targets between 0 and 1; for labels −1 and 1, pass (y + 1) / 2."),
     BinaryCrossEntropy(), [[0.0, 1.5], [1.0, 0.0]]),
    (TargetError, ("y[1, 0] is -1.0: a binary cross-entropy target is a probability. "
     "Pass targets between 0 and 1; for labels −1 and 1, pass (y + 1) / 2."),
     BinaryCrossEntropy(), [[0.0, 1.0], [-1.0, 0.0]]),
    (ShapeError, ("class_weights has 3 weights, expected 2: the last layer has 2 outputs. "
     "Pass one weight for each output."), SoftmaxCrossEntropy(class_weights=(1, 2, 3)), [0, 1]),
    (TargetError, ("y[1] is [0.5 0.6], with sum 1.1: a target row is a probability distribution over the classes. "
     "Pass non-negative rows that sum to 1, or integer classes of shape (N,)."),
     SoftmaxCrossEntropy(), [[0.0, 1.0], [0.5, 0.6]]),
    (TargetError, ("y[0] is [-1.  2.], with sum 1.0: a target row is a probability distribution over the classes. "
     "Pass non-negative rows that sum to 1, or integer classes of shape (N,)."),
     SoftmaxCrossEntropy(), [[-1.0, 2.0], [0.5, 0.5]]),
    (DTypeError, ("y has shape (2,) and dtype float64: targets of one dimension are classes, and classes are integers. "
     "Pass y.astype(int) if these are classes, or probability rows of shape (N, C)."),
     SoftmaxCrossEntropy(), [0.0, 1.0]),
    (ShapeError, "y has shape (3,), expected (2,): x has 2 samples. Pass one class for each sample.",
     SoftmaxCrossEntropy(), [0, 1, 1]),
    (TargetError, ("y[1] is 2: the last layer has 2 outputs, so classes are 0 to 1. "
     "Number the classes from 0, or give the network as many outputs as there are classes."),
     SoftmaxCrossEntropy(), [0, 2]),
    (TargetError, ("y[0] is -1: the last layer has 2 outputs, so classes are 0 to 1. "
     "Number the classes from 0, or give the network as many outputs as there are classes."),
     SoftmaxCrossEntropy(), [-1, 0]),
    (TargetError, ("y has only classes of weight 0: the reduction divides by the sum of the targets' weights. "
     "Pass a batch with a target that counts, or another reduction."), WEIGHTED, [0, 0]),
    (ShapeError, "y is ragged: its rows have different lengths. Pass rows of equal length.",
     SoftmaxCrossEntropy(), [[1.0], [0.5, 0.5]]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "message", "loss", "y"), REFUSED)
def test_targets_that_mean_nothing_are_refused(kind: type[RefnnError], message: str, loss: Loss, y: Any) -> None:
    with pytest.raises(kind) as caught:
        evaluate(loss, np.zeros((2, 2)), y)
    assert str(caught.value) == message


def test_rows_may_sum_to_one_up_to_rounding_and_no_further() -> None:
    parts = np.full((1, 49), 1 / 49)
    assert parts.sum(axis=1) != 1
    assert evaluate(SoftmaxCrossEntropy(), np.zeros((1, 49)), parts).loss > 0
    with pytest.raises(TargetError):
        evaluate(SoftmaxCrossEntropy(), np.zeros((1, 49)), parts * (1 + 49 * 2.0**-51))


def test_a_batch_with_one_target_that_counts_is_enough() -> None:
    assert evaluate(WEIGHTED, np.zeros((2, 2)), [0, 1]).loss > 0
    assert evaluate(SoftmaxCrossEntropy(reduction="weights"), np.zeros((2, 2)), [0, 0]).loss > 0


@pytest.mark.parametrize("scale", [0, -1, np.inf, np.nan, "2", None, True, 1j, Fraction(1, 10**400)])
@pytest.mark.parametrize("kind", ALL)
def test_a_scale_is_positive_and_finite(kind: type[Loss], scale: Any) -> None:
    with pytest.raises(SettingError, match="scale is"):
        kind(scale=scale)


@pytest.mark.parametrize("reduction", ["none", "weights", "", None, 3, np.zeros(2)])
def test_a_reduction_is_one_that_the_loss_knows(reduction: Any) -> None:
    with pytest.raises(SettingError) as caught:
        SquaredError(reduction=reduction)
    assert caught.value.why == "SquaredError divides in one of 3 ways"
    assert caught.value.remedy == "Choose one of 'mean', 'sum', 'elements'"


@pytest.mark.parametrize("delta", [0, -1.0, np.nan, "1"])
def test_delta_is_positive(delta: Any) -> None:
    with pytest.raises(SettingError, match="delta is"):
        Huber(delta=delta)


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, np.nan, "0.1", None])
def test_label_smoothing_is_a_share(smoothing: Any) -> None:
    with pytest.raises(SettingError, match="label_smoothing is"):
        SoftmaxCrossEntropy(label_smoothing=smoothing)


@pytest.mark.parametrize(
    "weights",
    [(), (0, 0), (1, -1), (1, np.nan), (1, np.inf), "12", {0: 1.0, 1: 2.0}, {1.0, 2.0}, 3, np.array(2.0), np.eye(2)],
)
def test_class_weights_are_a_sequence_of_numbers(weights: Any) -> None:
    with pytest.raises(SettingError, match="class_weights"):
        SoftmaxCrossEntropy(class_weights=weights)


@pytest.mark.parametrize("kind", ALL)
def test_reprs_make_the_loss_again(kind: type[Loss]) -> None:
    loss = kind(scale=Fraction(1, 3))
    assert eval(repr(loss), {kind.__name__: kind, "Fraction": Fraction}) == loss  # noqa: S307 - the text is ours


def test_probability_rows_are_as_precise_as_their_own_format() -> None:
    """Three times the float32 next to 1/3 is 1 to the digits of float32, though not to those of the computation."""
    network = Network(Dense(2, 3), loss=SoftmaxCrossEntropy())
    thirds = np.full((1, 3), 1 / 3, dtype=np.float32)
    assert network.loss(np.zeros(9), [[1.0, 2.0]], thirds) > 1
    with pytest.raises(TargetError, match="with sum 1"):
        network.loss(np.zeros(9), [[1.0, 2.0]], thirds.astype(np.float64))
