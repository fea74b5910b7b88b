"""What an honest implementation computes stays within the bound, however it errs; and the bound says something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refnn import activations, arrays
from refnn.activations import GELU, Activation, ReLU, Sigmoid, SiLU, Tanh
from refnn.arithmetic import dual
from refnn.arithmetic.precision import BinaryFormat, Precision, precision_named
from refnn.arithmetic.rounded import FUNCTIONS, RoundedArray
from refnn.arrays import FloatArray, Root
from refnn.layers import Dense
from refnn.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy, SquaredError
from refnn.network import Network
from tests.arithmetic.operations import CASES, OPERATIONS, Case, Reals, arguments, name, parts, reals
from tests.definitions import M, Real, exact
from tests.laws.measures import examples
from tests.oracle.rounding import SIZES, dtype_of, nearest

PRECISIONS = {
    **{storage: precision_named(storage) for storage in ("float64", "float32", "bfloat16", "float16")},
    "bfloat16 alone": Precision("bfloat16", "bfloat16"),
    "bfloat16 with sums of its own": Precision("bfloat16", "float32", sums="bfloat16"),
    "float16 alone": Precision("float16", "float16", flushes=False),
    "float32 that flushes nothing": Precision("float32", "float32", flushes=False),
    "float32 with tails": Precision("float32", "float32", keeps_tails=True),
    "bfloat16 with tails": Precision("bfloat16", "float32", function_ulps=0.5, keeps_tails=True),
}
SHORTHAND = ("float64", "float32", "bfloat16", "float16")

matmul: Any = np.matmul  # whose stubs know no other arrays

every_operation = pytest.mark.parametrize("operation", sorted(OPERATIONS, key=name), ids=name)
every_function = pytest.mark.parametrize("operation", sorted(FUNCTIONS, key=name), ids=name)
every_precision = pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
every_shorthand = pytest.mark.parametrize("precision", [PRECISIONS[s] for s in SHORTHAND], ids=SHORTHAND)


def uncovered(honest: Any, true: Any, bound: FloatArray) -> list[str]:
    """Where an implementation is further from the truth than its bound allows; an infinite bound allows everything."""
    triples = zip(*(np.ravel(np.asarray(part, object)).tolist() for part in (honest, true, bound)), strict=True)
    return [
        f"[{k}]: {M.nstr(h, 20)} for {M.nstr(t, 20)}, allowed {e}"
        for k, (h, t, e) in enumerate(triples)
        if not (e == np.inf or abs(h - t) <= e)
    ]


def of_format(values: FloatArray, precision: Precision) -> FloatArray:
    """Numbers of the storage format, as float64."""
    return values.astype(dtype_of(precision.storage)).astype(np.float64)


# ------------------------------------------------------------------------------------------- an honest implementation


class Honest:
    """An implementation in mpmath's numbers, which are rounded where an implementation of that precision rounds.

    Parameters
    ----------
    precision
        Whose roundings they are.
    way
        ``"nearest"`` rounds into the format itself. Others err as far as the format allows, in a direction of chance
        or not at all (``"worst"``), or always upwards (``"up"``), or by any part of that (``"uniform"``): the rounding
        errors of other numbers.
    random
        Chance; it also chooses the order of sums, and what is flushed.
    """

    def __init__(self, precision: Precision, way: str, random: np.random.Generator) -> None:
        self.precision, self.way, self.random = precision, way, random

    def _part(self) -> float:
        if self.way == "up":
            return 1.0
        return float(self.random.uniform(-1, 1) if self.way == "uniform" else self.random.choice([-1.0, 0.0, 1.0]))

    def _placed(self, x: Real, form: BinaryFormat, error: float, least: float) -> Real:
        """x, wrong by `error` of itself, or by `least` below the normal range; and in the range of the format."""
        if x == 0 or not M.isfinite(x):
            return x
        if abs(x) < form.smallest_normal and self.precision.flushes and self.random.random() < 0.5:
            return M.mpf(0)
        off = error * abs(x) if abs(x) >= form.smallest_normal else M.mpf(least)
        placed = x + self._part() * off if self.way != "nearest" or off == 0 else cast(x, form)
        return M.sign(x) * M.inf if abs(placed) > form.largest * (1 + form.unit) else placed

    def stored(self, x: Real) -> Real:
        """The result of a product, a quotient or the like."""
        form = self.precision.format
        return self._placed(x, form, form.unit, form.smallest / 2)

    def added(self, x: Real) -> Real:
        """A sum of two stored numbers, which has no digits below the last place of the smallest normal number."""
        return self._placed(x, self.precision.format, self.precision.format.unit, 0)

    def evaluated(self, x: Real) -> Real:
        """The result of a function, within so many units in the last place."""
        form, ulps = self.precision.format, self.precision.function_ulps
        if x == 0:
            return x
        place = max(M.ldexp(1, M.mag(x) - form.digits), M.mpf(form.smallest))  # |x| is below the power of 2 of mag
        return self._placed(x, form, ulps * place / abs(x), ulps * form.smallest)

    def summed(self, terms: list[Real], form: BinaryFormat | None = None) -> Real:
        """A sum in any order, with every partial sum rounded; then stored."""
        form, left = form or self.precision.summed, list(terms)
        while len(left) > 1:
            a, b = (left.pop(self.random.integers(len(left))) for _ in range(2))
            left.append(self._placed(a + b, form, form.unit, 0))
        return left[0] if form == self.precision.format else self.stored(left[0])

    def multiplied(self, a: Reals, b: Reals) -> Reals:
        """A matrix product, whose products are rounded unless the format of the sums has their digits."""
        form = self.precision.accumulated
        unit = 0 if 2 * self.precision.format.digits <= form.digits else form.unit
        place = form.smallest / 2
        dots = [
            [self.summed([self._placed(t, form, unit, place) for t in row * column], form) for column in b.T]
            for row in a
        ]
        return np.array(dots, object)


def cast(x: Real, form: BinaryFormat) -> Real:
    """x, rounded into the format itself; out of its range, infinite."""
    with np.errstate(over="ignore"):
        return M.mpf(float(np.asarray(float(x)).astype(dtype_of(form.name))))


def each(function: Callable[[Real], Real], values: Reals) -> Reals:
    """The function of each element; an array even for one."""
    return np.array([function(v) for v in np.ravel(values)] + [None], object)[:-1].reshape(np.shape(values))


def log_softmax_by_log1p(h: Honest, row: list[Real]) -> list[Real]:
    """d − log1p(Σ exp(d)), without the largest term in the sum."""
    top = max(range(len(row)), key=lambda k: row[k])
    d = [h.added(v - row[top]) for v in row]
    others = h.summed([h.evaluated(M.exp(v)) for k, v in enumerate(d) if k != top])
    return [h.added(v - h.evaluated(M.log1p(others))) for v in d]


def log_softmax_by_log(h: Honest, row: list[Real]) -> list[Real]:
    """d − log(Σ exp(d)), as most libraries have it."""
    d = [h.added(v - max(row)) for v in row]
    logarithm = h.evaluated(M.log(h.summed([h.evaluated(M.exp(v)) for v in d])))
    return [h.added(v - logarithm) for v in d]


def log_softmax_by_logsumexp(h: Honest, row: list[Real]) -> list[Real]:
    """z − (max z + log(Σ exp(d))), which loses what max z has before the point."""
    d = [h.added(v - max(row)) for v in row]
    largest = h.added(max(row) + h.evaluated(M.log(h.summed([h.evaluated(M.exp(v)) for v in d]))))
    return [h.added(v - largest) for v in row]


def rows_of(h: Honest, z: Reals) -> Reals:
    known = [log_softmax_by_log1p, log_softmax_by_log, log_softmax_by_logsumexp]
    way = known[h.random.integers(2 if h.precision.keeps_tails else 3)]
    return np.array([way(h, list(row)) for row in z], object)


IMPLEMENTED: dict[Any, Callable[..., Any]] = {
    np.add: lambda h, a, b: each(h.added, a + b),
    np.subtract: lambda h, a, b: each(h.added, a - b),
    np.multiply: lambda h, a, b: each(h.stored, a * b),
    np.divide: lambda h, a, b: each(h.stored, a / b),
    np.matmul: lambda h, a, b: h.multiplied(a, b),
    arrays.total: lambda h, z: h.summed(list(z.ravel())),
    arrays.row_sums: lambda h, z: np.array([[h.summed(list(row))] for row in z], object),
    arrays.column_sums: lambda h, z: np.array([h.summed(list(column)) for column in z.T], object),
    arrays.log_softmax: rows_of,
}
"""How the operations that round are carried out, besides functions of each element; all others move or choose."""


def implement(operation: Any, h: Honest, *moved: Any) -> Any:
    """What an honest implementation gives."""
    if operation in IMPLEMENTED:
        return IMPLEMENTED[operation](h, *moved)
    result = CASES[operation].on_reals(*moved)
    return each(h.evaluated, result) if operation in FUNCTIONS else result


ways = st.sampled_from(["worst", "up", "uniform", "nearest"])
seeds = st.integers(0, 2**32 - 1)


def scale_of(size: str, precision: Precision) -> float:
    """What ordinary numbers are multiplied by; the ends leave the range of the format in many operations."""
    form = precision.format
    tiny = max(8 * form.smallest_normal, 2.0**-960)  # errors of such numbers are still normal ones of float64
    return {"tiny": tiny, "small": 1e-3, "one": 1.0, "eight": 8.0, "huge": form.largest / 8}[size]


def operands(case: Case, random: np.random.Generator, precision: Precision, scale: float, units: float) -> Any:
    """Numbers of the format with their errors, and what an implementation may have in their place."""
    with np.errstate(over="ignore"):
        drawn = [of_format(a * scale, precision) for a in arguments(case, random)]
    assume(all(np.isfinite(a).all() for a in drawn))
    errors = [units * precision.format.unit * np.abs(a) for a in drawn]
    given_ = [RoundedArray(a, e, precision) for a, e in zip(drawn, errors, strict=True)]
    moved = [reals(a) + reals(random.choice([-1.0, 1.0, 0.5], a.shape) * e) for a, e in zip(drawn, errors, strict=True)]
    assume(all(np.all(moved[k] > 0) for k in case.positive))  # beyond, the function is not defined
    return given_, moved


@every_operation
@every_precision
@given(
    seed=seeds,
    way=ways,
    size=st.sampled_from(["tiny", "small", "one", "eight", "huge"]),
    units=st.sampled_from([0, 0, 1, 8, 2.0**6, 2.0**11, 2.0**23]),  # up to errors as large as the numbers, and larger
)
@examples(0.15)
def test_an_honest_implementation_is_within(
    operation: Any, precision: Precision, seed: int, way: str, size: str, units: float
) -> None:
    assume(size != "huge" or precision.storage != "float64")  # the values themselves are float64
    case, random = CASES[operation], np.random.default_rng(seed)
    given_, moved = operands(case, random, precision, scale_of(size, precision), units)
    true = case.on_reals(*(reals(a.value) for a in given_), *case.rest)
    honest = implement(operation, Honest(precision, way, random), *moved, *case.rest)
    with np.errstate(over="ignore", invalid="ignore"):  # of exp(1e37), say; that is bounded by nothing
        bounds = operation(*given_, *case.rest)
    for bound, truth, found in zip(parts(bounds), parts(true), parts(honest), strict=True):
        assert bound.precision is precision
        assert bound.error.dtype == np.float64
        assert uncovered(found, truth, bound.error) == []


@every_precision
def test_a_term_may_be_rounded_at_every_step(precision: Precision) -> None:
    """The first of 7 terms is nearly the whole sum, and every partial sum holds it: 6 roundings of sums at least."""
    terms = np.array([[1.0] + 6 * [4 * precision.format.smallest_normal]])
    row, ones = RoundedArray.exact(terms, precision), RoundedArray.exact(np.ones((7, 1)), precision)
    for result, form in (
        (matmul(row, ones), precision.accumulated),
        (arrays.total(row), precision.summed),
        (arrays.row_sums(row), precision.summed),
        (arrays.column_sums(row.T), precision.summed),
    ):
        stored = 1 + (Fraction(precision.format.unit) if form != precision.format else 0)
        assert Fraction(float(result.error.item())) >= (1 + Fraction(form.unit)) ** 6 * stored - 1


@every_precision
def test_equal_logits_are_within_when_every_step_errs_upwards(precision: Precision) -> None:
    """The exponentials are 1, and their errors are those of the sum, however small the logits are."""
    z = RoundedArray.exact(np.zeros((1, 5)), precision)
    for way in (log_softmax_by_log1p, log_softmax_by_log):
        found = way(Honest(precision, "up", np.random.default_rng(0)), [M.mpf(0)] * 5)
        assert uncovered(found, [-M.log(5)] * 5, arrays.log_softmax(z).error) == []


# ------------------------------------------------------------------------------------------- ways to compute a function


class Steps:
    """The steps of a formula on one number, each as good as an honest implementation makes it."""

    def __init__(self, honest: Honest) -> None:
        self.f, self.add, self.store = honest.evaluated, honest.added, honest.stored

    def logistic(self, z: Real) -> Real:
        """1/(1 + exp(−z))."""
        return self.store(1 / self.add(1 + self.f(M.exp(-z))))

    def logistic_by_halves(self, z: Real) -> Real:
        """e/(1 + e) or 1/(1 + e), with e = exp(−|z|)."""
        e = self.f(M.exp(-abs(z)))
        return self.store((1 if z > 0 else e) / self.add(1 + e))

    def slope_of_logistic(self, z: Real) -> Real:
        """e/(1 + e)²."""
        e = self.f(M.exp(-abs(z)))
        return self.store(e / self.store(self.add(1 + e) ** 2))

    def p_times_1_minus_p(self, z: Real) -> Real:
        p = self.logistic(z)
        return self.store(p * self.add(1 - p))

    def softplus(self, z: Real) -> Real:
        """log(1 + exp(z))."""
        return self.f(M.log1p(self.f(M.exp(z))))

    def softplus_by_halves(self, z: Real) -> Real:
        """max(z, 0) + log(1 + exp(−|z|))."""
        return self.add(max(z, 0) + self.softplus(-abs(z)))

    def z_minus_softplus(self, z: Real) -> Real:
        return self.add(z - self.softplus_by_halves(z))

    def sech_squared(self, z: Real) -> Real:
        """(1/cosh)²."""
        return self.store(self.store(1 / self.f(M.cosh(z))) ** 2)

    def one_minus_tanh_squared(self, z: Real) -> Real:
        return self.add(1 - self.store(self.f(M.tanh(z)) ** 2))

    def one_minus_erf(self, z: Real) -> Real:
        return self.add(1 - self.f(M.erf(z)))

    def half_of_1_plus_tanh(self, z: Real) -> Real:
        return self.add(1 + self.f(M.tanh(z))) / 2


CAREFUL: list[tuple[Any, Callable[[Steps, Real], Real]]] = [
    (arrays.expit, Steps.logistic),
    (arrays.expit, Steps.logistic_by_halves),
    (arrays.expit_slope, Steps.slope_of_logistic),
    (arrays.softplus, Steps.softplus),
    (arrays.softplus, Steps.softplus_by_halves),
    (arrays.log_expit, lambda steps, z: -steps.softplus(-z)),
    (arrays.sech_squared, Steps.sech_squared),
    (arrays.tanh_step, lambda steps, z: steps.logistic(2 * z)),
    (arrays.erfc, lambda steps, z: steps.f(M.erfc(z))),
]
"""Formulas that are accurate wherever their steps are."""

NAIVE: list[tuple[Any, Callable[[Steps, Real], Real], int]] = [
    (arrays.sech_squared, Steps.one_minus_tanh_squared, 1),
    (arrays.expit_slope, Steps.p_times_1_minus_p, 2),
    (arrays.erfc, Steps.one_minus_erf, 1),
    (arrays.tanh_step, Steps.half_of_1_plus_tanh, -1),
    (arrays.log_expit, Steps.z_minus_softplus, 2),
]
"""Formulas that forget a tail, and on which side; the logistic function saturates half as fast as tanh."""

CAREFUL_WAYS = pytest.mark.parametrize(
    ("operation", "formula"), CAREFUL, ids=[f"{name(o)} {k}" for k, (o, _) in enumerate(CAREFUL)]
)
NAIVE_WAYS = pytest.mark.parametrize(("operation", "formula", "side"), NAIVE, ids=[name(o) for o, _, _ in NAIVE])


def honestly(
    operation: Any, formula: Any, precision: Precision, seed: int, way: str, units: float
) -> tuple[Reals, Reals, RoundedArray]:
    """What a formula gives of numbers within ±10, where no step overflows; the truth; and the bound."""
    random = np.random.default_rng(seed)
    z = of_format(random.uniform(-10, 10, 8) * random.choice([1.0, 1e-3], 8), precision)
    error = units * precision.format.unit * np.abs(z)
    moved = reals(z) + reals(random.choice([-1.0, 1.0, 0.5], 8) * error)
    steps = Steps(Honest(precision, way, random))
    found = each(lambda v: formula(steps, v), moved)
    return found, CASES[operation].on_reals(reals(z)), operation(RoundedArray(z, error, precision))


@CAREFUL_WAYS
@every_precision
@given(seed=seeds, way=ways, units=st.sampled_from([0, 0, 8]))
@examples(0.1)
def test_careful_formulas_are_within(
    operation: Any, formula: Any, precision: Precision, seed: int, way: str, units: float
) -> None:
    found, true, bound = honestly(operation, formula, precision, seed, way, units)
    assert uncovered(found, true, bound.error) == []


@NAIVE_WAYS
@every_shorthand
@given(seed=seeds, way=ways, units=st.sampled_from([0, 0, 8]))
@examples(0.2)
def test_naive_formulas_are_within_unless_tails_are_kept(
    operation: Any, formula: Any, side: int, precision: Precision, seed: int, way: str, units: float
) -> None:
    found, true, bound = honestly(operation, formula, precision, seed, way, units)
    assert uncovered(found, true, bound.error) == []


SATURATED = {"float64": (20, 6), "float32": (10, 4), "bfloat16": (5, 3), "float16": (5, 3)}
"""Where tanh and erf are 1 to all digits, for 1 − tanh z < 2 exp(−2z) and 1 − erf z < exp(−z²) are below u/2 there."""


@NAIVE_WAYS
@every_shorthand
def test_a_naive_formula_is_outside_where_its_function_has_saturated(
    operation: Any, formula: Any, side: int, precision: Precision
) -> None:
    by_tanh, by_erf = SATURATED[precision.storage]
    z = np.array([float(by_erf if operation is arrays.erfc else side * by_tanh)])
    for keeps_tails in (False, True):
        asked = replace(precision, keeps_tails=keeps_tails)
        found = formula(Steps(Honest(asked, "nearest", np.random.default_rng(0))), M.mpf(float(z[0])))
        bound = operation(RoundedArray.exact(z, asked))
        assert (uncovered(found, CASES[operation].on_reals(reals(z)), bound.error) != []) == keeps_tails


FORGOTTEN = {"float64": -750.0, "float32": -105.0, "bfloat16": -105.0, "float16": -17.0}
"""Logits whose probability is less than the smallest number, or not far from it, where numbers have few digits."""


@every_shorthand
def test_the_logarithm_of_softmax_is_outside(precision: Precision) -> None:
    z = np.array([[0.0, FORGOTTEN[precision.storage]]])
    e = np.exp(z.astype(dtype_of(precision.storage)))
    with np.errstate(divide="ignore"):
        naive = np.log(e / e.sum(axis=1, keepdims=True)).astype(np.float64)
    bound = arrays.log_softmax(RoundedArray.exact(z, precision))
    assert len(uncovered(each(M.mpf, naive), bound.value, bound.error)) == 1


# -------------------------------------------------------------------------------------- what real arithmetics compute

REAL: dict[str, tuple[Any, Callable[..., Any]]] = {
    **{name(f): (f, f) for f in (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum)},
    **{name(f): (f, f) for f in (np.exp, np.expm1, np.log, np.sqrt, np.tanh)},
    "1 − tanh²": (arrays.sech_squared, lambda z: 1 - np.tanh(z) ** 2),
    "½ (1 + tanh)": (arrays.tanh_step, lambda z: (1 + np.tanh(z)) / 2),
    "1/(1 + exp(−z))": (arrays.expit, lambda z: 1 / (1 + np.exp(-z))),
    "log1p(exp z)": (arrays.softplus, lambda z: np.log1p(np.exp(z))),
    "sum": (arrays.total, np.sum),
    "sums of rows": (arrays.row_sums, lambda z: z.sum(axis=1, keepdims=True)),
}
"""For what refnn calls an operation, what users of NumPy write, on arrays of the storage format."""


@every_shorthand
@pytest.mark.parametrize(("operation", "code"), REAL.values(), ids=REAL)
def test_numpy_and_ml_dtypes_are_within(operation: Any, code: Any, precision: Precision) -> None:
    case, random, dtype = CASES[operation], np.random.default_rng(29), dtype_of(precision.storage)
    precision = replace(precision, sums=precision.storage)  # ml_dtypes adds in the format itself
    for _ in range(5):
        z = [of_format(a, precision) for a in arguments(case, random)]
        found = np.asarray(code(*(a.astype(dtype) for a in z)))
        assert found.dtype == dtype
        bound = operation(*(RoundedArray.exact(a, precision) for a in z))
        true = case.on_reals(*map(reals, z))
        assert uncovered(each(M.mpf, found.astype(np.float64)), true, bound.error) == []


@every_function
@pytest.mark.parametrize("storage", ["float64", "float32"])
def test_own_floats_are_within(operation: Any, storage: str) -> None:
    """They keep the tails; that is better than what is asked for, and so it is within, near 0 too."""
    precision, random = PRECISIONS[storage], np.random.default_rng(47)
    z = of_format(np.concatenate([random.normal(0, scale, 100) for scale in (0.01, 0.3, 3.0)]), precision)
    z = np.abs(z) if CASES[operation].positive else z
    found = operation(z.astype(storage)).astype(np.float64)
    for asked in (precision, replace(precision, keeps_tails=True)):
        bound = operation(RoundedArray.exact(z, asked))
        assert uncovered(each(M.mpf, found), CASES[operation].on_reals(reals(z)), bound.error) == []


@pytest.mark.parametrize("storage", SHORTHAND)
def test_matrix_products_of_a_blas_are_within(storage: str) -> None:
    precision, random = PRECISIONS[storage], np.random.default_rng(31)
    a, b = (of_format(random.normal(0, 1, shape), precision) for shape in ((5, 31), (31, 7)))
    form = dtype_of(precision.accumulate)
    found = of_format((a.astype(form) @ b.astype(form)).astype(np.float64), precision)
    bound = matmul(RoundedArray.exact(a, precision), RoundedArray.exact(b, precision))
    assert uncovered(each(M.mpf, found), reals(a) @ reals(b), bound.error) == []
    coarser = PRECISIONS[{"float64": "float32", "float32": "bfloat16"}.get(storage, "bfloat16 alone")].format
    wrong = coarser.nearest(coarser.nearest(a[:, :30]) @ coarser.nearest(b[:30]))  # and a term is forgotten
    assert uncovered(each(M.mpf, wrong), reals(a) @ reals(b), bound.error) != []


def forward(torch: Any, activation: Any, z: Any) -> Any:
    functions = torch.nn.functional
    return {
        Tanh(): torch.tanh,
        Sigmoid(): torch.sigmoid,
        ReLU(): torch.relu,
        GELU(): functions.gelu,
        SiLU(): functions.silu,
    }[activation](z)


def loss_of(torch: Any, loss: Loss, z: Any, y: Any) -> Any:
    functions = torch.nn.functional
    if isinstance(loss, SquaredError):
        return functions.mse_loss(z, y, reduction="sum") / 2 / len(z)
    if isinstance(loss, BinaryCrossEntropy):
        return functions.binary_cross_entropy_with_logits(z, y, reduction="sum") / len(z)
    return functions.cross_entropy(z, y)


NETWORKS: list[tuple[Activation, Activation, Loss]] = [
    (Tanh(), Sigmoid(), SquaredError()),
    (GELU(), ReLU(), SoftmaxCrossEntropy()),
    (SiLU(), Tanh(), BinaryCrossEntropy()),
]


@pytest.mark.parametrize("storage", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize(("first", "second", "loss"), NETWORKS, ids=["squared", "softmax", "binary"])
def test_a_network_computed_by_pytorch_is_within(
    first: Activation, second: Activation, loss: Loss, storage: str
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    precision, random = PRECISIONS[storage], np.random.default_rng(37)
    network = Network(Dense(5, 4), first, Dense(4, 7), second, Dense(7, 3), loss=loss)
    w = of_format(random.normal(0, 0.5, network.size), precision)
    x = of_format(random.normal(0, 1, (11, 5)), precision)
    y = np.eye(3)[random.integers(0, 3, 11)]

    def tensor(values: FloatArray) -> Any:
        return torch.tensor(values, dtype=getattr(torch, storage))

    weights = {key: tensor(part).requires_grad_() for key, part in network.unpack(w).items()}
    z = inputs = tensor(x).requires_grad_()
    for k, layer in enumerate(network.layers):
        dense = f"{k}.weight" in weights
        z = z @ weights[f"{k}.weight"] + weights[f"{k}.bias"] if dense else forward(torch, layer, z)
    value = loss_of(torch, loss, z, tensor(y))
    value.backward()
    gradients = network.pack({key: part.grad.double().numpy() for key, part in weights.items()})
    found = (z.detach(), value.detach(), gradients, inputs.grad)

    own = network.evaluate(RoundedArray.exact(w), RoundedArray.exact(x), y)  # float64, with bounds of its own
    bounds = network.evaluate(RoundedArray.exact(w, precision), RoundedArray.exact(x, precision), y)
    for what, truth, bound in zip(found, own, bounds, strict=True):
        values = what if isinstance(what, np.ndarray) else what.double().numpy()
        assert (np.abs(values - truth.value) <= bound.error + truth.error).all()
        assert np.isfinite(bound.error).all()
        wrong = values + 2 * (bound.error + truth.error)
        assert ((np.abs(wrong - truth.value) > bound.error) | (bound.error + truth.error == 0)).all()  # or exactly 0


# ------------------------------------------------------------------------------------------- the bound says something


def roundings(operation: Any, precision: Precision, case: Case) -> float:
    """How many roundings of the storage format an operation amounts to, of numbers as large as its operands allow."""
    unit, exact_ones = (
        precision.format.unit,
        (np.negative, np.maximum, np.minimum, arrays.where_positive, arrays.within),
    )
    if operation in exact_ones or operation in (
        arrays.transpose,
        arrays.reshape,
        arrays.split,
        arrays.join,
        arrays.rows,
    ):
        return 0
    if operation in (np.add, np.subtract, np.multiply):
        return 1
    if operation is np.divide:
        return 2 * (1 + unit)  # others multiply by a rounded reciprocal
    if operation is np.matmul:
        return 1 + 7 * precision.accumulated.unit / unit
    sums = precision.summed.unit / unit
    if operation in (arrays.total, arrays.row_sums, arrays.column_sums):
        return 1 + 14 * sums  # 15 terms at most
    # a unit in the last place is two roundings, and a formula takes two functions; all doubled, for the second order
    functions = 2 * 2 * precision.function_ulps
    return 2 * (functions + 11) + (2 * 5 * sums if operation is arrays.log_softmax else 0)


@every_operation
@every_precision
def test_the_bound_is_so_many_roundings(operation: Any, precision: Precision) -> None:
    case = CASES[operation]
    drawn = [of_format(a, precision) for a in arguments(case, np.random.default_rng(41))]
    results = parts(operation(*(RoundedArray.exact(a, precision) for a in drawn), *case.rest))
    count = roundings(operation, precision, case)
    ku = count * precision.format.unit
    for result in results:
        size: Any = np.abs(result.value)
        if operation is np.matmul:
            size = np.abs(drawn[0]) @ np.abs(drawn[1])
        elif operation in (arrays.total, arrays.row_sums, arrays.column_sums):
            size = operation(np.abs(drawn[0]))
        elif operation in FUNCTIONS and not precision.keeps_tails:
            size = np.maximum(size, np.maximum(1, np.abs(drawn[0])))  # of 1 − tanh², say, the 1; of log σ, the number
        elif operation is arrays.log_softmax:
            size = 1 + 4 * np.max(np.abs(drawn[0]))  # twice d, which is a difference, and its mean
        # γ of so many roundings, twice the widening of bounds, and what underflow may lose in fewer than 32 steps
        lost = 32 * precision.format.smallest_normal * (count > 0)
        assert (result.error <= (1 + 2.0**-29) * ku / (1 - ku) * size + lost).all()


@every_operation
@every_precision
def test_what_is_twice_as_far_as_the_bound_is_reported(operation: Any, precision: Precision) -> None:
    case = CASES[operation]
    drawn = [of_format(a, precision) for a in arguments(case, np.random.default_rng(43))]
    vague = [RoundedArray(a, 2.0**-10 * np.abs(a), precision) for a in drawn]
    for bound in parts(operation(*vague, *case.rest)):
        wrong = reals(bound.value) + 2 * reals(bound.error)
        assert len(uncovered(wrong, reals(bound.value), bound.error)) == np.count_nonzero(bound.error) > 0
        assert uncovered(wrong, reals(bound.value), 2 * bound.error) == []


# ---------------------------------------------------------------------------------------------- the ends of the range

LARGEST = {"float32": 3.0e38, "bfloat16": 3.0e38, "float16": 6.0e4}
"""Less than the largest number, of which twice as much is more."""


@pytest.mark.parametrize("storage", LARGEST)
def test_what_may_overflow_is_not_bounded(storage: str) -> None:
    precision = PRECISIONS[storage]
    z = RoundedArray.exact(of_format(np.array([[LARGEST[storage]] * 2]), precision), precision)
    half = RoundedArray.exact(np.array([[0.5]]), precision)
    column = RoundedArray.exact(np.ones((2, 1)), precision)
    for result in (z + z, z - (-z), z * z, z / half, z @ column, arrays.total(z), arrays.row_sums(z)):
        assert np.isinf(result.error).all()
    assert np.isinf(arrays.column_sums(z.T).error).all()
    for result in (z + half, z * half, z / z, z @ (column / 4), np.sqrt(z)):
        assert np.isfinite(result.error).all()


@pytest.mark.parametrize("storage", LARGEST)
def test_a_result_that_its_error_may_take_out_of_the_range_is_not_bounded(storage: str) -> None:
    precision, big = PRECISIONS[storage], LARGEST[storage]
    z = RoundedArray(np.array([big / 2]), np.array([big / 4]), precision)
    assert np.isinf((z + z).error).all()
    assert np.isfinite((z + 0).error).all()


@pytest.mark.parametrize(("function", "z"), [(np.exp, 12.0), (np.expm1, 12.0)], ids=["exp", "expm1"])
def test_a_function_that_overflows_is_not_bounded(function: Any, z: float) -> None:
    found = function(np.array([z], np.float64).astype(np.float32)).astype(np.float64)
    assert found > PRECISIONS["float16"].format.largest
    assert np.isinf(function(RoundedArray.exact(np.array([z]), PRECISIONS["float16"])).error)
    assert np.isfinite(function(RoundedArray.exact(np.array([z]), PRECISIONS["bfloat16"])).error)


def test_logits_too_far_apart_are_not_bounded() -> None:
    z = RoundedArray.exact(np.array([[60000.0, -60000.0]]), PRECISIONS["float16"])
    assert np.isfinite(arrays.log_softmax(z).error).tolist() == [[True, False]]


@pytest.mark.parametrize("storage", SIZES)
def test_zero_times_what_is_not_bounded_is_not_bounded(storage: str) -> None:
    """In a sum, too, whose other terms are known; a sum of zeros that are exact is."""
    zeros = RoundedArray.exact(np.zeros((2, 3)), PRECISIONS[storage])
    unknown = replace(RoundedArray.exact(np.ones((3, 1)), PRECISIONS[storage]), error=np.array([[0], [np.inf], [0]]))
    for product in (zeros @ unknown, (unknown.T @ zeros.T).T, (zeros + 1) @ unknown):
        assert np.isinf(product.error).all()
    assert not (zeros @ RoundedArray.exact(np.ones((3, 1)), PRECISIONS[storage])).error.any()


def test_a_partial_sum_overflows_in_the_format_that_sums_are_formed_in() -> None:
    """60000 + 60000 − 60000 is 60000, but not in any order."""
    for storage, bounded in (("float16", True), ("float16 alone", False)):
        z = RoundedArray.exact(np.array([[60000.0, 60000.0, -60000.0]]), PRECISIONS[storage])
        column = RoundedArray.exact(np.ones((3, 1)), PRECISIONS[storage])
        for result in (arrays.total(z), arrays.row_sums(z), z @ column):
            assert np.isfinite(result.error).all() == bounded


@pytest.mark.parametrize("storage", ["float64", "float32", "bfloat16"])
def test_what_is_flushed_is_bounded(storage: str) -> None:
    """With flushes and without, for a product and for a difference, which alone has no other way to underflow."""
    smallest = PRECISIONS[storage].format.smallest_normal
    for flushes in (True, False):
        precision = replace(PRECISIONS[storage], flushes=flushes, sums=storage)
        a = RoundedArray.exact(np.array([[1.5 * smallest, -smallest]]), precision)
        product = a * RoundedArray.exact(np.array([[0.5, 0.5]]), precision)
        assert (product.error >= np.abs(product.value)).all() == flushes
        assert (product.error >= precision.format.smallest / 2).all()
        difference = arrays.total(a)  # half the smallest normal number
        assert (difference.error >= difference.value) == flushes
        left, right = RoundedArray.exact(a.value[:, :1], precision), RoundedArray.exact(-a.value[:, 1:], precision)
        assert ((left - right).error >= 0.5 * smallest).all() == flushes


@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
def test_operands_may_be_flushed_too(storage: str) -> None:
    """A compiler's switch for speed mostly flushes what goes into an operation, too."""
    for flushes in (True, False):
        precision = replace(PRECISIONS[storage], flushes=flushes)
        tiny = RoundedArray.exact(np.array([2.0**-130]), precision)
        assert ((tiny * 2**20).error >= 2.0**-110) == flushes


def test_jax_flushes() -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    precision, normal = PRECISIONS["float32"], 2.0**-126
    tiny = np.array([2.0**-130])
    found = np.asarray(jax.numpy.asarray(tiny, "float32") * jax.numpy.float32(2**20), np.float64)
    bound = RoundedArray.exact(tiny, precision) * 2**20
    assert uncovered(each(M.mpf, found), reals(bound.value), bound.error) == []
    z = np.array([1.5 * normal, -normal])
    found = np.asarray(jax.numpy.sum(jax.numpy.asarray(z, "float32")), np.float64)
    bound = arrays.total(RoundedArray.exact(z, precision))
    assert uncovered([M.mpf(float(found))], [M.mpf(0.5 * normal)], bound.error) == []


# ----------------------------------------------------------------------------------------------------------- constants


@every_precision
@pytest.mark.parametrize(
    "value", [0, 1, 100, 257, 0.5, 0.1, Fraction(1, 4), Fraction(1, 3), Fraction(1, 10), 1e-5, 4097, -0.3], ids=repr
)
def test_constants_are_held_or_rounded_once(precision: Precision, value: Any) -> None:
    lifted = RoundedArray.exact(np.zeros(2), precision).lift(value)
    assert lifted.precision is precision
    rounded = Fraction(nearest(Fraction(value), precision.storage))
    off = abs(rounded - Fraction(value))
    assert off <= Fraction(float(lifted.error))
    assert (off == 0) == (lifted.error == 0)
    # one rounding is all; the constant itself is one of float64, and may be below the normal range
    assert lifted.error <= (1 + 2.0**-52) * precision.format.unit * abs(value) + precision.format.smallest


@every_precision
def test_arrays_of_constants_are_held_one_by_one(precision: Precision) -> None:
    lifted = RoundedArray.exact(np.zeros(1), precision).lift(np.array([[0.5, 2.0**-60], [3.0, 1 + 2.0**-20]]))
    held_ = [[True, precision.storage != "float16"], [True, precision.storage in ("float64", "float32")]]
    assert (lifted.error == 0).tolist() == held_


@pytest.mark.parametrize(("storage", "value"), [("float16", 1e5), ("float16", 70000), ("bfloat16", 1e39)])
def test_a_constant_beyond_the_range_is_not_bounded(storage: str, value: float) -> None:
    assert RoundedArray.exact(np.zeros(2), PRECISIONS[storage]).lift(value).error == np.inf


@pytest.mark.parametrize(
    ("storage", "value"), [("float16", 1e-9), ("float16", 1e-6), ("float32 that flushes nothing", 1e-43)]
)
def test_a_constant_below_the_normal_range_is_off_by_more(storage: str, value: float) -> None:
    precision = PRECISIONS[storage]
    off = abs(Fraction(nearest(Fraction(value), precision.storage)) - Fraction(value))
    assert off > precision.format.unit * value
    assert Fraction(float(RoundedArray.exact(np.zeros(2), precision).lift(value).error)) >= off


ROOTS = {root for module in (activations, dual) for root in vars(module).values() if isinstance(root, Root)}


@every_precision
@pytest.mark.parametrize("root", sorted(ROOTS, key=repr), ids=repr)
def test_roots_are_rounded_once(root: Root, precision: Precision) -> None:
    lifted = RoundedArray.exact(np.zeros(1), precision).lift(root)
    true = M.sqrt(exact(root.ratio) * M.pi**root.pi_power)
    assert uncovered([cast(M.mpf(float(root)), precision.format)], [true], lifted.error) == []
    assert lifted.error <= precision.format.unit * float(root) + precision.format.smallest


# ------------------------------------------------------------------------------------------------------ what goes along


@every_precision
def test_the_unit_is_that_of_what_is_stored(precision: Precision) -> None:
    assert RoundedArray.exact(np.zeros(2), precision).unit == 2.0 ** -SIZES[precision.storage].digits


@every_precision
def test_the_precision_goes_along(precision: Precision) -> None:
    z = RoundedArray.exact(np.arange(6.0).reshape(2, 3), precision)
    blocks = arrays.split(arrays.reshape(z, (6,)), ((slice(0, 2), (2,)), (slice(2, 6), (2, 2))))
    for moved in (*blocks, arrays.join(*blocks), z.T, arrays.rows(z, np.array([1])), -z, 3 * z, 1 - z, z / 3):
        assert moved.precision is precision
        assert moved.error.shape == moved.shape
    for moved in (*blocks, arrays.join(*blocks), z.T, -z):
        assert not moved.error.any()


# ------------------------------------------------------------------------- refnn's own floats, which have no precision

WORKED: list[tuple[Any, tuple[Any, ...], list[Any], Callable[[float], Any]]] = [
    # operation, values, errors, and the bound for u
    (np.add, ([1.5], [0.25]), [0, 0], lambda u: 1.75 * u),
    (np.subtract, ([1.5], [0.25]), [2.0**-10, 2.0**-11], lambda u: 1.25 * u + 3 * 2.0**-11),
    (np.multiply, ([3.0], [5.0]), [0, 0], lambda u: 15 * u),
    (np.multiply, ([3.0], [5.0]), [0.25, 0.5], lambda u: 15 * u + 3 * 0.5 + 0.25 * 5.5),
    (np.divide, ([3.0], [4.0]), [0, 0], lambda u: 0.75 * u),
    (np.divide, ([3.0], [4.0]), [0.5, 1.0], lambda u: (0.5 + 0.75) / 3 + 0.75 * u),
    (np.matmul, ([[1.0, 2.0]], [[3.0], [-4.0]]), [0, 0], lambda u: 2 * 11 * u),
    (np.matmul, ([[1.0, 2.0]], [[3.0], [-4.0]]), [0.5, 0.25], lambda u: 22 * u + 0.5 * 7.5 + 0.25 * 3),
    (arrays.total, ([1.0, -2.0, 4.0],), [0], lambda u: 2 * 7 * u),
    (arrays.total, ([1.0, -2.0, 4.0],), [0.5], lambda u: 14 * u + 1.5),
    (np.exp, ([1.0],), [0], lambda u: 8 * np.e * u),
    (np.tanh, ([0.0],), [0.125], lambda u: 0.125),
    (arrays.expit, ([0.0],), [0], lambda u: 11 * 0.5 * u),
    (arrays.expit_slope, ([0.0],), [0], lambda u: 12 * 0.25 * u),
    (arrays.sech_squared, ([0.0],), [0], lambda u: 19 * u),
    (arrays.softplus, ([0.0],), [0], lambda u: 17 * np.log(2) * u),
    (arrays.log_softmax, ([[0.0, 0.0]],), [0], lambda u: 2 * (8 + 2) * 0.5 * u + 9 * np.log(2) * u),
]


@pytest.mark.parametrize(("operation", "values", "errors", "worked"), WORKED, ids=[name(w[0]) for w in WORKED])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_bounds_of_own_floats_are_what_they_were(
    operation: Any, values: Any, errors: Any, worked: Callable[[float], float], dtype: Any
) -> None:
    """Worked by hand, to a first order: γₖ is ku(1 + ku + …) with k < 20, and bounds are widened by 2⁻³⁰."""
    u = float(np.finfo(dtype).eps) / 2
    given_ = [
        RoundedArray(np.array(v, dtype), np.full(np.shape(v), float(e))) for v, e in zip(values, errors, strict=True)
    ]
    result = operation(*given_)
    assert result.precision is None
    assert result.value.dtype == dtype
    slack = (2.0**-29 + 40 * u) * worked(u) + 1e-40  # and underflow
    assert (np.abs(result.error - worked(u)) <= slack).all()


def test_own_floats_of_any_size_are_bounded() -> None:
    big = RoundedArray.exact(np.array([[2.0**1000, 2.0**1000]]))
    assert np.isfinite((big + big).error).all()
    assert np.isfinite(arrays.total(big).error)
