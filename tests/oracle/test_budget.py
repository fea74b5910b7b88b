"""Derived bounds against what implementations by hand really do, and against their own definition."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import refnn
from refnn import arrays
from refnn.arithmetic import spread
from refnn.arithmetic.noise import Noise
from refnn.arithmetic.precision import precision_named
from refnn.arithmetic.rounded import RoundedArray
from refnn.arithmetic.spread import SpreadArray
from refnn.arrays import FloatArray
from refnn.errors import DivergenceError, NonFiniteError, SettingError
from refnn.network import Evaluation
from refnn.oracle import budget as module
from refnn.oracle.budget import Tolerance
from refnn.oracle.formats import format_named
from refnn.oracle.truth import truth_of
from refnn.strategies import Case
from refnn.testing import cases, networks, ordinary_values
from tests.oracle.faults import FORMATS, HONEST, Stored
from tests.oracle.rounding import SIZES, dtype_of
from tests.peers import by_torch
from tests.witnesses.cases import FIELDS
from tests.witnesses.networks import Scale

every_format = pytest.mark.parametrize("kind", FORMATS)
formats = st.sampled_from(list(FORMATS))
U64 = 2.0**-53

Fields = dict[str, FloatArray]


def drawn(*, kinks: bool = False, like: SearchStrategy[refnn.Network] | None = None) -> SearchStrategy[Case]:
    """Numbers between −2 and 2, which every format has; at kinks, small whole ones."""
    return cases(like, samples=st.integers(1, 13), batch_values=ordinary_values(), kinks=kinks)


anything = st.booleans().flatmap(lambda kinks: drawn(kinks=kinks))


def an_example(seed: int = 0, unit: refnn.Activation | None = None, loss: refnn.Loss | None = None) -> Case:
    rng = np.random.default_rng(seed)
    network = refnn.Network(
        refnn.Dense(3, 7), unit or refnn.Tanh(), refnn.Dense(7, 2), loss=loss or refnn.SquaredError()
    )
    return Case(network, rng.normal(size=network.size), rng.normal(size=(5, 3)), rng.uniform(0, 1, size=(5, 2)))


def rounded(array: Any, kind: str) -> FloatArray:
    return np.asarray(array, np.float64).astype(dtype_of(kind)).astype(np.float64)


def asked(budget: Tolerance) -> Case:
    """The question of a budget, whose numbers are those of the format."""
    return Case(budget.question.network, budget.question.w, budget.question.x, budget.question.labels)


def by_hand(budget: Tolerance, kind: str) -> Fields:
    case = asked(budget)
    found = HONEST(case, FORMATS[kind])
    gradient = [np.zeros(0), *(part.astype(np.float64).ravel() for part in found.gradient.values())]
    fields = {"outputs": found.outputs, "loss": found.loss, "input_gradient": found.input_gradient}
    return {name: np.asarray(part, np.float64) for name, part in fields.items()} | {
        "gradient": np.concatenate(gradient)
    }


def has_room(budget: Tolerance) -> bool:
    """Whether the sum over the batch fits into the format: at most 10 times the number of targets times the loss."""
    return bool(10 * abs(budget.values.loss) * budget.question.labels.size <= budget.precision.format.largest)


def truth(budget: Tolerance) -> Fields:
    """Correctly rounded; of labels that may sum to 1 only nearly, once they are rounded."""
    question = budget.question
    found = truth_of(question.network, question.w, question.x, question.labels, format_named("float64"))
    return {name: np.asarray(getattr(found, name)) for name in FIELDS}


def beyond(budget: Tolerance, answer: Fields, true: Fields) -> list[str]:
    """Where an answer is further from the truth than its bound and the half place that the truth is off by."""
    found = []
    for name, values in answer.items():
        bound = np.asarray(getattr(budget, name))
        assert values.shape == bound.shape == true[name].shape
        limit = bound + U64 * abs(true[name]) + 2.0**-1074
        with np.errstate(invalid="ignore"):  # infinity − infinity, where nothing is said
            fits = (bound == np.inf) | (abs(values - true[name]) <= limit)
        found += [f"{name}{list(map(int, place))}" for place in np.argwhere(~fits)]
    return found


# ----------------------------------------------------------------------------------------------- honest implementations


@every_format
def test_bounds_have_the_shapes_of_the_fields(kind: str) -> None:
    budget = refnn.tolerance(*an_example(), precision=kind)
    assert budget.outputs.shape == (5, 2)
    assert isinstance(budget.loss, float)
    assert budget.gradient.shape == (44,)
    assert budget.input_gradient.shape == (5, 3)
    assert all(part.dtype == np.float64 and (part > 0).all() for part in budget.bounds)
    for part in (budget.values, budget.deviations):
        assert [np.shape(value) for value in part] == [(5, 2), (), (44,), (5, 3)]
    assert budget.precision == precision_named(kind)
    assert budget.failure_probability == 1e-9


@pytest.mark.unmeasured
@every_format
@given(case=anything)
def test_what_is_done_by_hand_is_within_the_bounds(kind: str, case: Case) -> None:
    budget = refnn.tolerance(*case, precision=kind)
    assume(has_room(budget))
    assert beyond(budget, by_hand(budget, kind), truth(budget)) == []


BUT_SOFTPLUS = networks(activations=[unit for unit in refnn.activations.ALL if unit is not refnn.Softplus])
"""Torch takes softplus(z) as z beyond 20, which is no rounding in float64."""


@given(kind=formats, case=drawn(like=BUT_SOFTPLUS))
def test_pytorch_is_within_the_bounds(kind: Any, case: Case) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    budget = refnn.tolerance(*case, precision=kind)
    assert beyond(budget, by_torch.PEERS[0].answer(*asked(budget), kind), truth(budget)) == []


@pytest.mark.parametrize(("kind", "coarser"), [("float64", "float32"), ("float32", "float16"), ("float32", "bfloat16")])
@pytest.mark.parametrize("field", FIELDS)
def test_a_coarser_format_is_not(kind: str, coarser: str, field: str) -> None:
    budget = refnn.tolerance(*an_example(), precision=kind)
    assert beyond(budget, {field: by_hand(budget, coarser)[field]}, truth(budget)) != []


@every_format
def test_the_question_is_rounded_first(kind: str) -> None:
    """By ml_dtypes and NumPy; probability rows no longer sum to 1 then."""
    network, w, x, _ = an_example(loss=refnn.SoftmaxCrossEntropy())
    y = np.array([[1 / 3, 2 / 3]] * 5)
    budget = refnn.tolerance(network, w, x, y, precision=kind)
    for name, array in (("w", w), ("x", x), ("labels", y)):
        assert np.array_equal(getattr(budget.question, name), rounded(array, kind))
    given_numbers = {"w": w, "x": x, "y": y}
    assert budget.question.rounded == {
        name: int(np.count_nonzero(rounded(array, kind) != array)) for name, array in given_numbers.items()
    }
    again = refnn.tolerance(network, rounded(w, kind), rounded(x, kind), y, precision=kind)
    assert all(map(np.array_equal, budget.bounds, again.bounds))


def test_the_same_question_has_the_same_bounds_and_is_left_alone() -> None:
    case = an_example(unit=refnn.GELU())
    before = [array.copy() for array in case[1:]]
    for array in case[1:]:
        array.flags.writeable = False
    first, again = (refnn.tolerance(*case, precision="bfloat16") for _ in range(2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first.bounds, again.bounds, strict=True))
    assert all(map(np.array_equal, before, case[1:]))
    assert not any(np.shares_memory(array, own) for array in case[1:] for own in first.bounds)


# -------------------------------------------------------------------------------------------------- what the bounds are


def a_wide_example() -> Case:
    """Smooth, and without constants that are rounded, so that there are deviations alone."""
    rng = np.random.default_rng(1)
    network = refnn.Network(
        refnn.Dense(61, 67),
        refnn.Tanh(),
        refnn.Dense(67, 59),
        refnn.Tanh(),
        refnn.Dense(59, 3),
        loss=refnn.SquaredError(),
    )
    return Case(network, network.initial_parameters(rng=rng), rng.normal(size=(31, 61)), rng.normal(size=(31, 3)))


WIDE_ELEMENTS = 62 * 67 + 68 * 59 + 60 * 3 + 31 * 61 + 31 * 3 + 1
"""Parameters, inputs, outputs and a loss."""

WIDE_HIDDEN = 31 * (67 + 59 + 3)
"""What dense layers compute, which has to be within its errors too."""


@pytest.mark.parametrize("probability", [1e-9, 0.5, 1e-30])
def test_a_bound_is_the_smaller_of_so_many_deviations_and_of_the_worst_case(probability: float) -> None:
    """P(|error| > √(2λ) deviations) ≤ 2 exp(−λ), for rounding and for kinks: λ = log(4·numbers/probability)."""
    case = a_wide_example()
    budget = refnn.tolerance(*case, precision="float32", failure_probability=probability)
    assert budget.independent
    times = math.sqrt(2 * math.log(4 * (WIDE_ELEMENTS + WIDE_HIDDEN) / probability))
    network, w, x, y = asked(budget)
    worst = network.evaluate(RoundedArray.exact(w, budget.precision), x, y)
    by_worst = by_deviations = 0
    for bound, deviation, case_ in zip(budget.bounds, budget.deviations, worst, strict=True):
        expected = np.minimum(times * deviation, case_.error)
        # a root, a logarithm and a product are rounded; and squares of errors have a mean, of the order of u² = 2⁻⁴⁸
        assert (abs(bound - expected) <= 2.0**-20 * expected).all()
        by_worst += int(np.count_nonzero(bound == case_.error))
        by_deviations += int(np.count_nonzero(bound < case_.error))
    assert by_deviations > WIDE_ELEMENTS / 2
    assert by_worst + by_deviations == WIDE_ELEMENTS


def test_one_rounding_has_a_worst_case() -> None:
    """z = w·x + b, after a rounding of each: u(|w·x| + |z|) to first order, and less than 6 deviations."""
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.InnerProduct())
    budget = refnn.tolerance(network, [0.5, 0.25], [[3.0]], [[1.0]], precision="float32")
    first = 2.0**-24 * (1.5 + 1.75)
    assert first <= budget.outputs.item() <= first * (1 + 2.0**-20)
    assert budget.outputs.item() < 6 * budget.deviations.outputs.item()


def test_the_worst_case_is_left_out_where_it_would_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """By samples times parameters; deviations alone allow more."""
    _, w, x, y = an_example()
    case = Case(refnn.Network(refnn.Dense(3, 2), loss=refnn.SquaredError()), w[:8], x, y)
    monkeypatch.setattr(module, "_SMALL", 5 * 8)
    small = refnn.tolerance(*case, precision="float32")
    monkeypatch.setattr(module, "_SMALL", 5 * 8 - 1)
    large = refnn.tolerance(*case, precision="float32")
    times = math.sqrt(2 * math.log(4 * (8 + 15 + 10 + 1 + 5 * 2) / 1e-9))
    for bound, deviation in zip(large.bounds, large.deviations, strict=True):
        assert (abs(bound - times * deviation) <= 2.0**-20 * bound).all()  # as above
    assert all((a <= b).all() for a, b in zip(small.bounds, large.bounds, strict=True))
    assert (small.outputs < large.outputs).any()


@given(case=drawn(), fewer=st.floats(1e-300, 0.9), more=st.floats(1e-300, 0.9))
def test_a_smaller_probability_allows_more(case: Case, fewer: float, more: float) -> None:
    """Or as much, of what is flushed; but for the rounding of a square, a quotient, a product and a root."""
    fewer, more = sorted((fewer, more))
    strict, loose = (refnn.tolerance(*case, precision="float32", failure_probability=p) for p in (more, fewer))
    assert all((a <= b * (1 + 4 * U64)).all() for a, b in zip(strict.bounds, loose.bounds, strict=True))


def test_parameters_have_names() -> None:
    network, w, x, y = an_example()
    expected = refnn.tolerance(network, w, x, y, precision="float32")
    parts = network.unpack(w.astype(np.float32))
    for given_w in (dict(reversed(parts.items())), list(parts.values())):
        found = refnn.tolerance(network, given_w, x, y, precision="float32")
        assert np.array_equal(found.question.w, expected.question.w)
        assert all(map(np.array_equal, found.bounds, expected.bounds))
    nothing: Any = "network"
    with pytest.raises(SettingError, match=r"^network is 'network': "):
        refnn.tolerance(nothing, parts, x, y, precision="float32")


def test_precision_has_several_names() -> None:
    case = an_example()
    first, *others = (
        refnn.tolerance(*case, precision=name)
        for name in ("float32", "fp32", np.float32, np.dtype("f4"), refnn.Precision("float32"))
    )
    assert all(np.array_equal(first.gradient, other.gradient) for other in others)


def test_where_a_format_overflows_nothing_is_said_and_the_rest_holds() -> None:
    """500² and 250·300 are beyond 65504, their sources are not."""
    network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    x = 2 * np.array([[1.0, 2.0], [300.0, 400.0], [500.0, 7.0]])
    budget = refnn.tolerance(network, [0.5, 0.25, 1.0], x, [[1.0], [1.0], [1.0]], precision="float16")
    answer = by_hand(budget, "float16")
    assert budget.loss == np.inf
    assert (budget.gradient == np.inf).tolist() == [True, True, False]
    assert np.isfinite(budget.outputs).all()
    assert np.isfinite(budget.input_gradient).all()
    assert answer["loss"] == np.inf
    assert beyond(budget, answer, truth(budget)) == []
    wider = refnn.tolerance(network, [0.5, 0.25, 1.0], x, [[1.0], [1.0], [1.0]], precision="bfloat16")
    assert all(np.isfinite(part).all() for part in wider.bounds)


def test_ratios_are_of_what_is_bounded() -> None:
    """Without an error, or a bound, there is no ratio; an error that is no number is beyond any."""
    error = np.array([1.0, -3.0, 0.0, 0.0, 1.0, math.nan, math.inf, math.nan, math.inf, 0.0])
    bound = np.array([2.0, 2.0, 2.0, 0.0, 0.0, 2.0, 2.0, math.inf, math.inf, math.inf])
    assert module.ratios(error, bound).tolist() == [0.5, 1.5, 0, 0, math.inf, math.inf, math.inf, 0, 0, 0]


DECIDED = [  # bound, value, whether the value is certain, and whether it is then decided; and if nothing is rounded
    (1.0, 2.0, False, True, True),
    (1.0, -2.0, False, True, True),
    (1.0, 1.0, True, False, False),
    (1.0, 0.0, False, False, False),
    (1.0, 0.0, True, True, False),
    (0.0, 0.0, True, True, True),
    (0.0, 0.0, False, False, True),
    (math.inf, 0.0, True, False, False),
    (math.inf, 5.0, True, False, False),
]


def test_an_element_is_decided_beyond_its_bound_or_where_zero_is_certain() -> None:
    bound, value, certain, decided, exactly = (np.array(column) for column in zip(*DECIDED, strict=True))
    assert module.is_decided(bound, value, certain).tolist() == decided.tolist()
    assert module.is_decided(bound, value).tolist() == exactly.tolist()


def test_something_is_said_by_one_element_or_by_zeros_alone() -> None:
    for bound, value, certain, decided, exactly in DECIDED:
        one = np.array([bound]), np.array([value])
        assert module.says_something(*one, np.array([certain])) is decided
        assert module.says_something(*one) is exactly
    vague, zero, known = (1.0, 0.5), (0.0, 0.0), (1.0, 2.0)
    for pairs, says in (([vague, zero], False), ([vague, known], True), ([zero, known], True), ([zero, zero], True)):
        bounds, values = (np.array(column) for column in zip(*pairs, strict=True))
        assert module.says_something(bounds, values) is says


# --------------------------------------------------------------------------------------------------------------- trials


def deep_and_positive(seed: int) -> Case:
    """100 layers that pass on the mean of their inputs, and what its errors have in common, without end."""
    rng = np.random.default_rng(seed)
    network = refnn.Network(*[refnn.Dense(2, 2) for _ in range(100)], loss=refnn.InnerProduct())
    parts = {
        name: rng.uniform(0.5, 1.5, shape) / 2 if len(shape) == 2 else np.zeros(shape)
        for name, shape in network.names().items()
    }
    return Case(network, network.pack(parts), rng.uniform(1, 2, (5, 2)), rng.uniform(1, 2, (5, 2)))


def test_errors_that_reinforce_each_other_are_found_and_allowed() -> None:
    """The errors are those of NumPy's float32; the model alone is asked for the probability of 1 in 100."""
    budget = refnn.tolerance(*deep_and_positive(3), precision="float32", failure_probability=0.01)
    assert not budget.independent
    assert str(budget).endswith("errors reinforce each other here: variances are those of trials")
    case = asked(budget)
    p = case.network.unpack(case.w.astype(np.float32))
    h, delta = [case.x.astype(np.float32)], case.y.astype(np.float32)
    for k in range(100):
        h.append(h[-1] @ p[f"{k}.weight"] + p[f"{k}.bias"])
    gradients: dict[str, FloatArray] = {}
    for k in reversed(range(100)):
        gradients |= {f"{k}.weight": h[k].T @ delta, f"{k}.bias": delta.sum(axis=0)}
        delta = delta @ p[f"{k}.weight"].T
    answer = {"outputs": h[-1], "gradient": case.network.pack(gradients), "input_gradient": delta}
    assert delta.dtype == np.float32
    true = truth(budget)
    assert beyond(budget, {name: part.astype(np.float64) for name, part in answer.items()}, true) == []
    assert beyond(alone(budget), {"input_gradient": delta.astype(np.float64)}, true) != []


def alone(budget: Tolerance) -> Any:
    """The bounds of the model, without trials."""
    question = budget.question
    hidden = len(question.x) * sum(layer.outputs or 0 for layer in question.network.layers)
    elements = sum(np.size(part) for part in budget.bounds)
    log_odds = math.log(4 * (elements + hidden) / budget.failure_probability)
    bounds = Evaluation(*(part.bound for part in module._spread(budget.question, log_odds, 0)))
    return dataclasses.replace(budget, **bounds._asdict())


def one_of_many(seed: int) -> Case:
    """A bottleneck that is off but for one sample, and positive weights behind it, which its error reaches."""
    rng, sizes = np.random.default_rng(seed), (32, 6, 2, 40, 46, 18)
    layers = [layer for pair in itertools.pairwise(sizes) for layer in (refnn.Dense(*pair), refnn.ReLU())]
    network = refnn.Network(*layers[:-1], loss=refnn.Huber())
    parts = {name: np.zeros(shape) for name, shape in network.names().items()}
    for k, rows in enumerate(sizes[:-1]):
        shape = parts[f"{2 * k}.weight"].shape
        random = rng.normal(0, 1, shape) / math.sqrt(rows) if k < 2 else rng.uniform(0.5, 1.5, shape) / rows
        parts[f"{2 * k}.weight"] = random
    x = rng.normal(size=(44, 32))
    z = np.maximum(x @ parts["0.weight"], 0) @ parts["2.weight"]
    order = np.argsort(z[:, 0])
    parts["2.bias"] = -np.array([z[order[-2:], 0].mean(), z[:, 1].max() + 1])
    order = np.concatenate([order[:30], order[-1:], order[30:-1]])
    return Case(network, network.pack(parts), x[order], rng.normal(size=(44, 18)))


def many_classes(seed: int) -> Case:
    """All classes of a sample share the error of a logarithm; two layers of weights that have a mean add it up."""
    rng = np.random.default_rng(seed)
    network = refnn.Network(
        refnn.Dense(20, 32),
        refnn.Tanh(),
        refnn.Dense(32, 48),
        refnn.Tanh(),
        refnn.Dense(48, 128),
        loss=refnn.SoftmaxCrossEntropy(),
    )
    parts = {
        name: rng.normal(1, 1, shape) / shape[0] if len(shape) == 2 else rng.normal(0, 0.1, shape)
        for name, shape in network.names().items()
    }
    return Case(network, network.pack(parts), rng.normal(size=(8, 20)), rng.integers(0, 128, 8))


@pytest.mark.parametrize(("case", "probability"), [(one_of_many(6), 1e-9), (many_classes(6), 0.01)])
def test_errors_that_few_samples_or_all_classes_share_are_found(case: Case, probability: float) -> None:
    budget = refnn.tolerance(*case, precision="float32", failure_probability=probability)
    assert not budget.independent
    answer, true = by_hand(budget, "float32"), truth(budget)
    assert beyond(budget, answer, true) == []
    assert beyond(alone(budget), answer, true) != []


def test_without_the_one_sample_nothing_is_found() -> None:
    network, w, x, y = one_of_many(6)
    assert refnn.tolerance(network, w, x[:30], y[:30], precision="float32").independent


def test_an_error_that_trials_draw_for_each_class_may_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[bool]:
        return [not refnn.tolerance(*many_classes(k), precision="float32").independent for k in range(6)]

    assert all(found())
    drawn_once = spread._tried
    monkeypatch.setattr(spread, "_tried", lambda *some: some[3] if some[4] < 0 else drawn_once(*some))
    assert not all(found()[:3])


@pytest.mark.parametrize("log_odds", [8.0, 25.0, 40.0])
@pytest.mark.parametrize("trials", [2, 64])
def test_a_variance_that_trials_show_is_taken_for_as_much_as_it_may_be(trials: int, log_odds: float) -> None:
    """A mean square of T normal errors is that of the next one times χ²/T: what is allowed keeps its probability."""
    value = np.zeros(trials)
    part = SpreadArray(
        value[:1], precision_named("float32"), log_odds, Noise(np.array([1e-9])), trials=(np.ones(1),) * trials
    )
    factor = mpmath.mpf(module._as_tried(part, log_odds).standard_deviation.item()) ** 2  # 1 is seen
    half = mpmath.mpf(trials) / 2

    def weighted(s: Any) -> Any:
        """The density of χ² with T degrees of freedom, times P(e² > 2λ·factor·s/T) ≤ exp(−λ·factor·s/T)."""
        density = (half - 1) * mpmath.log(s) - s / 2 - half * mpmath.log(2) - mpmath.loggamma(half)
        return mpmath.exp(density - log_odds * factor * s / trials)

    scale = trials / (1 + 2 * log_odds * factor / trials)  # about where it is largest
    with mpmath.workdps(40):
        chance = mpmath.quad(weighted, [0, scale / 4, scale / 2, scale, 2 * scale, 4 * scale, 16 * scale, 400 * scale])
    assert abs(mpmath.log(chance) + log_odds) <= 1e-6
    before = dataclasses.replace(part, noise=Noise(np.array([1e30])))
    assert abs(module._as_tried(before, log_odds).standard_deviation / 1e15 - 1) <= 4 * U64


@pytest.mark.parametrize(("samples", "trials"), [(1, 8), (8, 8), (9, 7), (13, 4), (67, 2)])
def test_few_samples_are_tried_more_often(samples: int, trials: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to 64 rows, or 8 trials, but 2 at least; and 64 of what is refuted, whose flips reinforce each other too."""
    network, w, x, y = an_example(unit=refnn.ReLU())
    seen: list[tuple[int, bool]] = []

    def refuted(part: SpreadArray) -> bool:
        seen.append((len(part.trials), part.coherent))
        return True

    def as_tried(part: SpreadArray, log_odds: float) -> SpreadArray:
        seen.append((len(part.trials), part.coherent))
        return part

    monkeypatch.setattr(module, "_refuted", refuted)
    monkeypatch.setattr(module, "_as_tried", as_tried)
    rows = np.arange(samples) % len(x)
    assert not refnn.tolerance(network, w, x[rows], y[rows], precision="float32").independent
    assert seen == [(trials, False), *[(64, True)] * 4]


@every_format
def test_an_ordinary_network_is_independent(kind: str) -> None:
    assert refnn.tolerance(*a_wide_example(), precision=kind).independent
    assert "reinforce" not in str(refnn.tolerance(*an_example(), precision=kind))


def test_trials_that_show_too_much_in_one_part_leave_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """If all were refuted: where trials show little, the variance of the model stays; elsewhere there is one of chance.

    Of 64 trials a mean square is 3.7 times the variance at most, but for a probability of 1e-12 times 8346 (Laurent and
    Massart, as in the tests of variances), and is then taken for 64/2λ·(exp(2λ/64) − 1) times that.
    """
    case = a_wide_example()
    before = refnn.tolerance(*case, precision="float32")
    monkeypatch.setattr(module, "_refuted", lambda part: True)
    after = refnn.tolerance(*case, precision="float32")
    assert not after.independent
    assert all((a >= b).all() for a, b in zip(after.bounds, before.bounds, strict=True))
    assert (after.gradient == before.gradient).any()
    twice = 2 * math.log(4 * (WIDE_ELEMENTS + WIDE_HIDDEN) / 1e-9) / 64
    assert (after.gradient <= before.gradient * math.sqrt(3.7 * math.expm1(twice) / twice)).all()


def test_what_does_not_depend_on_parameters_has_no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    network = refnn.Network(refnn.Dense(3, 2), loss=refnn.InnerProduct())
    rng = np.random.default_rng(0)
    monkeypatch.setattr(module, "_refuted", lambda part: True)
    budget = refnn.tolerance(
        network, rng.normal(size=8), rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), precision="float32"
    )
    assert not budget.independent


@pytest.mark.unmeasured
def test_depth_has_no_limit() -> None:
    network = refnn.Network(*[refnn.Dense(2, 2) for _ in range(400)], loss=refnn.SquaredError())
    w = np.where(np.arange(network.size) % 6 < 4, 0.4, 0.1)
    assert np.isfinite(refnn.tolerance(network, w, [[0.2, 0.4]], [[0.1, 0.3]], precision="float32").loss)


def test_a_few_samples_may_have_classes_without_weight() -> None:
    loss = refnn.SoftmaxCrossEntropy(class_weights=(0, 1), reduction="weights")
    y = np.zeros(1000, np.int64)
    y[1] = 1
    network, x = refnn.Network(refnn.Dense(1, 2), loss=loss), np.linspace(0, 1, 1000)
    assert refnn.tolerance(network, [0.5, 0.2, 0.1, 0.3], x, y, precision="float32").independent


@pytest.mark.parametrize(
    "refuted",
    [False, True],
)
def test_what_is_exact_stays_exact(refuted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if refuted:
        monkeypatch.setattr(module, "_refuted", lambda part: part.noise is None)
    network = refnn.Network(refnn.Identity(), loss=refnn.InnerProduct())
    budget = refnn.tolerance(network, [], [[1.0, 2.0]], [[2.0, 4.0]], precision="float32")
    assert budget.independent is not refuted
    assert not budget.outputs.any()
    assert budget.decided == 1
    assert [block.name for block in budget.blocks] == ["outputs", "loss", "input_gradient"]


# -------------------------------------------------------------------------------------------------- what the bounds say


def defined(name: str, bounds: FloatArray, values: FloatArray) -> tuple[Any, ...]:
    """A block by its definition, element by element."""
    pairs = list(zip(np.ravel(bounds).tolist(), np.abs(np.ravel(values)).tolist(), strict=True))
    decided = sum(size > bound or size == bound == 0 for bound, size in pairs)
    zeros_would_pass = all(size <= bound for bound, size in pairs) and any(size or bound for bound, size in pairs)
    relative = statistics.median(bound / size if size else math.inf if bound else 0.0 for bound, size in pairs)
    return name, len(pairs), decided, not zeros_would_pass, relative


@given(kind=formats, case=drawn(like=networks(losses=[refnn.SquaredError(), refnn.InnerProduct(), refnn.Huber()])))
def test_blocks_are_what_they_say(kind: str, case: Case) -> None:
    budget = refnn.tolerance(*case, precision=kind)
    gradients = zip(
        *(case.network.unpack(part.gradient).items() for part in (budget.bounds, budget.values)), strict=True
    )
    expected = [
        defined("outputs", budget.outputs, budget.values.outputs),
        defined("loss", np.array(budget.loss), budget.values.loss),
        *(defined(name, bound, value) for (name, bound), (_, value) in gradients),
        defined("input_gradient", budget.input_gradient, budget.values.input_gradient),
    ]
    assert [tuple(block) for block in budget.blocks] == expected
    of_gradient = sum(row[2] for row in expected if row[0] in case.network.names())
    assert budget.decided == of_gradient / case.network.size


def test_zeros_that_would_pass_are_told_from_zeros_that_are_right() -> None:
    """An output that misses its target by a thousandth, and bfloat16 by 1/256; and a unit that is off."""
    network = refnn.Network(refnn.Dense(1, 1), refnn.ReLU(), loss=refnn.SquaredError())
    vague = refnn.tolerance(network, [1.0, 0.0], [[1.0]], [[1 - 2.0**-8]], precision="bfloat16")
    said = {block.name: block.says_something for block in vague.blocks}
    assert said == {"outputs": True, "loss": False, "0.weight": False, "0.bias": False, "input_gradient": False}
    assert vague.decided == 0
    off = refnn.tolerance(network, [-1.0, 0.0], [[1.0]], [[1 - 2.0**-8]], precision="bfloat16")
    assert all(block.says_something for block in off.blocks)
    assert off.decided == 1
    assert str(off).splitlines()[4] == f"{'0.weight':16}{1:9}{'100.0%':>9}{'0.0e+00':>12}"


def test_a_value_that_float64_loses_is_not_exactly_zero() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.BinaryCrossEntropy())
    budget = refnn.tolerance(network, [40.0, 0.0], [[1.0]], [[1.0]], precision="float32")
    assert refnn.exact(network, [40.0, 0.0], [[1.0]], [[1.0]]).gradient.all()
    assert budget.decided == 0


def test_the_text() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    budget = refnn.tolerance(network, [1.0, 0.0], [[1.0]], [[1 - 2.0**-8]], precision="bfloat16")
    assert str(budget).splitlines() == [
        "bounds for bfloat16, sums in float32, functions within 2 ulps, exceeded with probability 1e-09 at most",
        "                 elements  decided  bound/size",
        f"outputs                 1   100.0%{budget.outputs.item():12.1e}",
        *(
            f"{name:16}        1     0.0%          >1  zeros would pass"
            for name in ("loss", "0.weight", "0.bias", "input_gradient")
        ),
        "decided: larger than its bound, so that zeros would be noticed, or exactly 0; bound/size: the median",
    ]
    assert repr(budget) == (
        "<Tolerance: bounds for bfloat16, sums in float32, functions within 2 ulps; 0.0% of the gradient decided>"
    )


# ------------------------------------------------------------------------------------------------------------ one step


@every_format
@pytest.mark.parametrize("rate", [0.1, 2, 1e-4])
def test_a_step_by_hand_is_within_the_bounds(kind: str, rate: float) -> None:
    """η as the library's user gives it, and rounded to the format before it is multiplied."""
    budget = refnn.tolerance(*an_example(4), precision=kind)
    case = asked(budget)
    w, gradient = (Stored(part, FORMATS[kind]) for part in (case.w, by_hand(budget, kind)["gradient"]))
    true = refnn.exact_update(*case, learning_rate=rate).value
    bound = budget.parameters(learning_rate=rate)
    assert bound.shape == (44,)
    limit = bound + U64 * abs(true)  # of the truth itself
    for factor in (rate, Stored(rate, FORMATS[kind])):
        stepped: Any = w - factor * gradient
        assert (abs(stepped.native.astype(np.float64) - true) <= limit).all()
    assert (abs(rate * 2 * budget.values.gradient) > bound).any()  # as a step the wrong way would be off by
    assert np.array_equal(bound, budget.parameters(learning_rate=rate, rule=refnn.GradientDescent()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0}, "learning_rate is 0: "),
        ({"learning_rate": math.nan}, "learning_rate is nan: "),
        ({"learning_rate": "0.1"}, "learning_rate is '0.1': "),
        ({"learning_rate": 0.1, "rule": "descent"}, "rule is 'descent': "),
    ],
)
def test_what_is_no_step(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=f"^{message}"):
        refnn.tolerance(*an_example(), precision="float32").parameters(**settings)


def test_a_step_out_of_the_range_of_float64_diverges() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    budget = refnn.tolerance(network, [2.0, 1.0], [[3.0]], [[5.0]], precision="float32")  # with the gradient (6, 2)
    assert budget.parameters(learning_rate=1e307).tolist() == [math.inf, math.inf]  # beyond float32
    with pytest.raises(DivergenceError, match=r"^the step: a result is too large .* Pass a smaller learning rate"):
        budget.parameters(learning_rate=1e308)


# ---------------------------------------------------------------------------------------------- tolerances for others


def with_bounds(sizes: list[float], bounds: list[float]) -> Tolerance:
    """A budget with these sizes and bounds of its gradient."""
    network = refnn.Network(refnn.Dense(len(sizes) - 1, 1), loss=refnn.SquaredError())
    budget = refnn.tolerance(network, np.ones(len(sizes)), np.ones((1, len(sizes) - 1)), [[0.0]], precision="float32")
    signs = np.resize([1, -1], len(sizes))
    values = Evaluation(*budget.values)._replace(gradient=signs * np.array(sizes))
    return dataclasses.replace(budget, gradient=np.array(bounds), values=values)


def least_on_average(sizes: list[float], bounds: list[float]) -> Fraction:
    """The least atol + rtol·(mean size) of pairs that cover all bounds: with rtol 0, or a line through two points or 0.

    For a given rtol the least atol is max(0, b − rtol·s); between these slopes the average is linear in rtol.
    """
    points = list(zip(map(Fraction, sizes), map(Fraction, bounds), strict=True))
    slopes = {Fraction(0), *(b / s for s, b in points if s)}
    slopes |= {(b - c) / (s - t) for s, b in points for t, c in points if s > t and b > c}
    mean = sum((s for s, _ in points), Fraction(0)) / len(points)
    return min(max(Fraction(0), max(b - slope * s for s, b in points)) + slope * mean for slope in slopes)


measures = st.one_of(st.integers(0, 8).map(float), st.floats(1e-100, 1e100), st.just(0.0))


@given(points=st.lists(st.tuples(measures, measures), min_size=2, max_size=9))
@example(points=[(1.0, 1.0), (1.0, 3.0), (1.0, 2.0)])
@example(points=[(0.0, 0.0), (0.0, 2.0), (5.0, 3.0), (5.0, 7.0)])
@example(points=[(1.0, 5.0), (2.0, 4.0), (3.0, 1.0)])
@example(points=[(1.0, 1.0), (2.0, 5.0), (3.0, 9.0)])
@example(points=[(0.0, 0.0), (0.0, 0.0)])
@example(points=[(1e-100, 1e100), (1e100, 1e-100), (1.0, 1.0)])
def test_tolerances_cover_every_bound_and_allow_the_least(points: list[tuple[float, float]]) -> None:
    sizes, bounds = (list(part) for part in zip(*points, strict=True))
    found = with_bounds(sizes, bounds).as_tolerances()
    assert found.rtol >= 0
    assert found.atol >= 0
    assert all(found.atol + found.rtol * size >= bound for size, bound in points)
    mean = sum(map(Fraction, sizes)) / len(sizes)
    allowed = Fraction(found.atol) + Fraction(found.rtol) * mean
    # both are a 2⁻⁴⁰ too large, so that floats cover too; and a 2⁻⁵⁰ times 9 for the rounding of slope and height
    assert allowed <= least_on_average(sizes, bounds) * (1 + Fraction(1, 2**39)) + Fraction(1, 2**1000)
    assert found.zeros == sum(size <= found.atol + found.rtol * size for size in sizes) / len(sizes)


def test_of_tolerances_by_hand() -> None:
    """b = ½ + ¼s goes through both ends, above the middle; zeros pass up to s = ⅔."""
    found = with_bounds([0.0, 0.5, 1.0, 2.0], [0.5, 0.1, 0.0, 1.0]).as_tolerances("gradient")
    assert 0.5 <= found.atol <= 0.5 * (1 + 2.0**-39)
    assert 0.25 <= found.rtol <= 0.25 * (1 + 2.0**-39)
    assert found.zeros == 0.5


@every_format
@pytest.mark.parametrize("name", [*FIELDS, "0.weight", "0.bias", "2.weight", "2.bias"])
def test_tolerances_of_every_part(kind: str, name: str) -> None:
    budget = refnn.tolerance(*an_example(2), precision=kind)
    network = budget.question.network
    bounds, values = (part._asdict() | network.unpack(part.gradient) for part in (budget.bounds, budget.values))
    found = budget.as_tolerances(name)
    assert (bounds[name] <= found.atol + found.rtol * abs(values[name])).all()
    for share, passes in ((0.5, True), (2, False)):  # of a bound, which is more than the rounding of the sum
        moved = values[name] + share * bounds[name]
        assert np.allclose(moved, values[name], rtol=found.rtol, atol=found.atol) is passes


def test_tolerances_that_there_are_not() -> None:
    budget = refnn.tolerance(*an_example(), precision="float32")
    with pytest.raises(
        SettingError, match=r"^name is 'weights': there are no such bounds\. Pass one of outputs, loss, 0"
    ):
        budget.as_tolerances("weights")
    nothing: Any = ["gradient"]
    with pytest.raises(SettingError, match=r"^name is \['gradient'\]: there are no such bounds"):
        budget.as_tolerances(nothing)
    infinite = dataclasses.replace(budget, gradient=np.where(np.arange(44) < 3, np.inf, 1.0))
    with pytest.raises(SettingError, match=r"^3 bounds of gradient are infinite: no finite tolerance covers them"):
        infinite.as_tolerances()
    assert infinite.as_tolerances("outputs") == budget.as_tolerances("outputs")


def test_a_network_without_parameters_has_no_tolerances_of_its_gradient() -> None:
    network = refnn.Network(refnn.Tanh(), loss=refnn.SquaredError())
    budget = refnn.tolerance(network, [], [[0.5, 0.25]], [[0.0, 0.0]], precision="float32")
    assert budget.gradient.shape == (0,)
    assert budget.decided == 1
    with pytest.raises(SettingError, match=r"^name is 'gradient': there are no such bounds"):
        budget.as_tolerances()
    assert budget.as_tolerances("outputs").rtol > 0


# -------------------------------------------------------------------------------------------------------- own layers


@dataclass(frozen=True)
class Bent(Scale):
    """x where it is positive, else x ∘ factor."""

    def forward(self, parameters: Any, x: Any) -> Any:
        return arrays.where_positive(x, x, x * parameters[0])

    def backward(self, parameters: Any, x: Any, delta: Any) -> Any:
        return arrays.where_positive(x, delta, delta * parameters[0])

    def gradient(self, parameters: Any, x: Any, delta: Any) -> Any:
        return (arrays.column_sums(arrays.where_positive(x, 0, delta * x)),)


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("bends", [False, True])
def test_a_layer_of_ones_own(kind: str, bends: bool) -> None:
    network = refnn.Network(
        refnn.Dense(4, 3), (Bent if bends else Scale)(3), refnn.Dense(3, 2), loss=refnn.SquaredError()
    )
    rng = np.random.default_rng(5)
    w, x, y = rng.normal(size=network.size), rng.normal(size=(7, 4)), rng.normal(size=(7, 2))
    budget = refnn.tolerance(network, w, x, y, precision=kind)
    w, x, y = (array.astype(kind) for array in asked(budget)[1:])
    p = network.unpack(w)
    z = x @ p["0.weight"] + p["0.bias"]
    slope = np.where(bends & (z > 0), np.ones((), kind), p["1.factor"])
    h = z * slope
    delta = (h @ p["2.weight"] + p["2.bias"] - y) / 7
    inner = delta @ p["2.weight"].T
    back = inner * slope
    mine = {
        "0.weight": x.T @ back,
        "0.bias": back.sum(axis=0),
        "1.factor": np.where(bends & (z > 0), 0, inner * z).sum(axis=0),
        "2.weight": h.T @ delta,
        "2.bias": delta.sum(axis=0),
    }
    answer: Fields = {
        "gradient": network.pack(mine).astype(np.float64),
        "input_gradient": (back @ p["0.weight"].T) * 1.0,
    }
    assert beyond(budget, answer, truth(budget)) == []
    assert refnn.compare(network, w, x, y, gradient=mine).verdict == "agrees"
    assert refnn.compare(network, w, x, y, gradient=mine | {"1.factor": mine["1.factor"] / 7}).worst.name == "1.factor"


# --------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("probability", [0, 1, -0.5, math.nan, math.inf, True, "0.1", None])
def test_what_is_no_probability(probability: Any) -> None:
    with pytest.raises(SettingError, match=r"^failure_probability is "):
        refnn.tolerance(*an_example(), precision="float32", failure_probability=probability)


@pytest.mark.parametrize("probability", [5e-324, 1e-300, 1 - 2.0**-53])
def test_extreme_probabilities_are_probabilities(probability: float) -> None:
    budget = refnn.tolerance(*an_example(), precision="float32", failure_probability=probability)
    assert all(np.isfinite(part).all() for part in budget.bounds)


def test_what_leaves_the_range_of_the_format_is_named() -> None:
    network, w, x, y = an_example()
    w[3], x[1, 2], y[4, 0] = 1e5, 1e39, -7e4
    with pytest.raises(NonFiniteError, match=r"^w\[3\] is 100000\.0: the largest number of float16 is 65504\. Scale "):
        refnn.tolerance(network, w, x, y, precision="float16")
    with pytest.raises(NonFiniteError, match=r"^x\[1, 2\] is 1e\+39: the largest number of float32 is 3\.40282e\+38"):
        refnn.tolerance(network, w, x, y, precision="float32")
    x[1, 2] = w[3] = 1
    with pytest.raises(NonFiniteError, match=r"^y\[4, 0\] is -70000\.0: "):
        refnn.tolerance(network, w, x, y, precision="float16")
    assert SIZES["float16"].largest == 65504


def test_what_leaves_the_range_of_float64_diverges() -> None:
    network = refnn.Network(refnn.Dense(1, 1), refnn.Dense(1, 1), loss=refnn.SquaredError())
    with pytest.raises(DivergenceError, match=r"^the answer: "):
        refnn.tolerance(network, [1e100, 0.0, 1e60, 0.0], [[1.0]], [[0.0]], precision="float64")
