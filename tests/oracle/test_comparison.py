"""`compare` on honest answers, on wrong ones and on what is no answer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import refnn
from refnn.arithmetic.ball import BallArray, arb, working_precision
from refnn.arithmetic.rounded import RoundedArray
from refnn.errors import DivergenceError, DTypeError, MissingExtraError, RefnnError, SettingError, ShapeError
from refnn.oracle import comparison as module
from refnn.oracle.comparison import Compared, Comparison
from refnn.strategies import Case
from tests.oracle.faults import FORMATS, HONEST, Stored
from tests.oracle.rounding import dtype_of
from tests.oracle.test_budget import an_example, asked, drawn, has_room
from tests.report.cases import hide_flint
from tests.witnesses.cases import FIELDS

every_format = pytest.mark.parametrize("kind", FORMATS)
formats = st.sampled_from(list(FORMATS))
every_field = pytest.mark.parametrize("field", FIELDS)
U64 = 2.0**-53

PARTS = {
    "outputs": ["outputs"],
    "loss": ["loss"],
    "gradient": ["0.weight", "0.bias", "2.weight", "2.bias"],
    "input_gradient": ["input_gradient"],
}


def by_hand(case: Case, kind: str) -> dict[str, Any]:
    """The four fields in their own format, the gradient by name."""
    budget = refnn.tolerance(*case, precision=kind)
    return HONEST(asked(budget), FORMATS[kind])._asdict()


def part(report: Comparison, name: str) -> Compared:
    (found,) = (part for part in report.parts if part.name == name)
    return found


def flat(case: Case, by_name: Any) -> np.ndarray:
    return np.concatenate([np.ravel(by_name[name]) for name in case.network.names()])


# ------------------------------------------------------------------------------------------------------ honest answers


@every_format
@every_field
def test_each_field_alone(kind: str, field: str) -> None:
    case = an_example()
    report = refnn.compare(*case, **{field: by_hand(case, kind)[field]})
    assert [part.name for part in report.parts] == PARTS[field]
    assert report.verdict == "agrees"
    assert all(part.verdict == "agrees" and part.ratio <= 1 for part in report.parts)
    assert report.precision.storage == kind
    report.require()


@given(kind=formats, case=drawn())
def test_all_fields_together(kind: str, case: Case) -> None:
    """Nothing honest disagrees; some of it may be undecided."""
    assume(has_room(refnn.tolerance(*case, precision=kind)))
    report = refnn.compare(*case, **by_hand(case, kind))
    assert report.verdict in {"agrees", "undecided"}
    assert len(report.parts) == 3 + len(case.network.names())
    assert report.worst_ratio == max(part.ratio for part in report.parts) == report.worst.ratio <= 1


def test_float64_is_held_against_real_numbers() -> None:
    """0.1·x + 1 in floats misses the rounded truth by a whole place wherever the first rounding decides the second."""
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    x = np.random.default_rng(0).uniform(0, 1, (997, 1))
    outputs = x * 0.1 + 1
    assert (outputs != refnn.exact(network, [0.1, 1.0], x, np.zeros_like(x)).outputs).any()
    assert refnn.compare(network, [0.1, 1.0], x, np.zeros_like(x), outputs=outputs).verdict == "agrees"


def as_torch(array: np.ndarray) -> Any:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    wide = torch.tensor(array.astype(np.float64), requires_grad=True)
    return wide.to(getattr(torch, array.dtype.name))


def as_jax(array: np.ndarray) -> Any:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    return jax.numpy.asarray(array)


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("library", [np.asarray, as_torch, as_jax])
@pytest.mark.parametrize("by_name", [True, False])
def test_arrays_of_other_libraries(kind: str, library: Callable[[Any], Any], by_name: bool) -> None:
    case = an_example()
    answer = by_hand(case, kind)
    gradient = {name: library(g) for name, g in answer["gradient"].items()}
    if not by_name:
        gradient = library(flat(case, answer["gradient"]))
    others = {field: library(np.asarray(answer[field])) for field in FIELDS if field != "gradient"}
    report = refnn.compare(*case, gradient=gradient, **others)
    expected = refnn.compare(*case, **answer)
    assert str(report) == str(expected)
    assert report.verdict == "agrees"


@pytest.mark.parametrize("field", ["gradient", "parameters"])
def test_parameters_may_be_given_in_part_by_name_or_in_a_list(field: str) -> None:
    case = an_example()
    answer = by_hand(case, "float32")["gradient"]
    begin, settings = "", dict[str, Any]()
    if field == "parameters":
        begin, settings = "new ", dict[str, Any](learning_rate=1e-3)
        old = case.network.unpack(case.w.astype(np.float32))
        answer = {name: old[name] - np.float32(1e-3) * g for name, g in answer.items()}
    whole = refnn.compare(*case, **settings | {field: answer})
    assert whole.verdict == "agrees"
    backwards = dict(reversed(answer.items()))
    for given_ in (backwards, list(answer.values()), tuple(map(as_torch, answer.values()))):
        assert str(refnn.compare(*case, **settings | {field: given_})) == str(whole)
    some = {name: answer[name] for name in ("2.bias", "0.weight")}
    found = refnn.compare(*case, **settings | {field: some})
    assert [one.name for one in found.parts] == [begin + "0.weight", begin + "2.bias"]
    assert list(found.parts) == [one for one in whole.parts if one.name.removeprefix("new ") in some]
    some["2.bias"] = some["2.bias"] + np.float32(1)
    assert refnn.compare(*case, **settings | {field: some}).worst.name == begin + "2.bias"


def test_the_question_may_have_parameters_by_name() -> None:
    case = an_example()
    w = {name: as_torch(part) for name, part in case.network.unpack(case.w.astype(np.float32)).items()}
    answer = by_hand(case, "float32")
    expected = refnn.compare(case.network, case.w.astype(np.float32), *case[2:], **answer)
    for given_w in (w, dict(reversed(w.items())), list(w.values())):
        assert str(refnn.compare(case.network, given_w, *case[2:], **answer)) == str(expected)
    del w["2.bias"]
    with pytest.raises(SettingError, match=r"^parameters are missing 2\.bias"):
        refnn.compare(case.network, w, *case[2:], **answer)


def test_lists_have_the_precision_that_is_given() -> None:
    case = an_example()
    answer = by_hand(case, "bfloat16")
    lists = {name: np.asarray(value).astype(float).tolist() for name, value in answer.items() if name != "gradient"}
    lists["gradient"] = flat(case, answer["gradient"]).astype(float).tolist()
    for name in ("bfloat16", refnn.Precision("bfloat16")):
        assert str(refnn.compare(*case, **lists, precision=name)) == str(refnn.compare(*case, **answer))
    assert refnn.compare(*case, **lists, precision="float32").verdict == "disagrees"


@pytest.mark.parametrize("loss", [0.5, [0.5], [[0.5]], np.float32(0.5), np.full((1, 1), 0.5, np.float32)])
def test_a_loss_may_have_axes(loss: Any) -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    report = refnn.compare(network, [1.0, 0.0], [[2.0]], [[1.0]], loss=loss, precision="float32")
    assert report.worst.worst == ((), 0.5, 0.5, report.worst.worst.bound)
    assert report.verdict == "agrees"


def test_one_output_needs_no_column() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    case = Case(network, np.array([1.0, 0.5]), np.array([[2.0], [1.0], [3.0]]), np.zeros((3, 1)))
    outputs = np.array([2.5, 1.5, 3.5], np.float32)
    for given_outputs in (outputs, outputs[:, np.newaxis]):
        assert refnn.compare(*case, outputs=given_outputs, input_gradient=outputs / 3).verdict == "agrees"


def test_a_target_row_that_is_rounded() -> None:
    """Thirds in bfloat16 sum to 1.001953125, and the truth is of these."""
    case = an_example(loss=refnn.SoftmaxCrossEntropy())._replace(y=np.array([[1 / 3, 2 / 3]] * 5))
    report = refnn.compare(*case, **by_hand(case, "bfloat16"))
    assert report.verdict == "agrees"
    assert report.rounded == {"w": 44, "x": 15, "y": 10}
    third = np.array([1 / 3, 2 / 3]).astype(dtype_of("bfloat16")).astype(float)
    assert third.sum() == 1.001953125


# ------------------------------------------------------------------------------------------------------- wrong answers


@pytest.mark.unmeasured
@every_format
@every_field
def test_a_number_that_is_moved_out_of_its_bound_is_found(kind: str, field: str) -> None:
    """By two bounds and its own error; as Python floats, for the place between two of the format."""
    case = an_example(seed=3)
    budget = refnn.tolerance(*case, precision=kind)
    answer = by_hand(case, kind)[field]
    values = flat(case, answer) if field == "gradient" else np.asarray(answer)
    values = values.astype(np.float64)
    true = np.asarray(getattr(refnn.exact(*asked(budget)), field))
    bounds = np.asarray(getattr(budget, field))
    for k in range(0, values.size, 3):
        moved, away = values.ravel().copy(), 1 if k % 2 else -1
        moved[k] += away * (2 * bounds.flat[k] + abs(values - true).flat[k])
        report = refnn.compare(*case, **{field: moved.reshape(values.shape).tolist()}, precision=kind)
        assert report.verdict == "disagrees"
        assert report.worst.worst.actual == moved[k]
        assert report.worst.worst.expected == true.flat[k]
        assert report.worst.worst.bound == bounds.flat[k]
        with pytest.raises(AssertionError) as caught:
            report.require()
        assert str(caught.value) == str(report)


@given(kind=formats, case=drawn(), seed=st.integers(0, 2**32 - 1))
def test_ratios_are_errors_in_units_of_the_bound(kind: str, case: Case, seed: int) -> None:
    """For any numbers; the truth that is at hand here is rounded to float64."""
    network = case.network
    budget = refnn.tolerance(*case, precision=kind)
    truth = module.expect(budget, rule=refnn.GradientDescent(), learning_rate=None).values
    true = {name: truth[name] for name in network.names()}
    bounds = network.unpack(budget.gradient)
    rng = np.random.default_rng(seed)
    found = {
        name: t + rng.normal(size=t.shape) * np.where(np.isfinite(bounds[name]), bounds[name], 1)
        for name, t in true.items()
    }
    report = refnn.compare(*case, gradient={name: f.tolist() for name, f in found.items()}, precision=kind)
    for name, t in true.items():
        one, bound = part(report, name), bounds[name]
        error = abs(found[name] - t)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where((error == 0) | np.isinf(bound), 0, error / bound)
            slack = np.where(np.isfinite(bound) & (bound > 0), 2 * U64 * abs(t) / bound, 0) + 4 * U64 * ratios
        assert abs(one.ratio - ratios.max()) <= slack.max()
        assert ratios[one.worst.place] + slack[one.worst.place] >= one.ratio
        assert one.worst.actual == found[name][one.worst.place]
        assert (one.verdict == "disagrees") == (one.ratio > 1)
        assert one.elements == t.size
        larger, nothing = abs(t) > bound, abs(t) <= 2.0**-60 * bound  # which no ball of 256 bits may tell from 0
        assert np.count_nonzero(larger | (t == 0)) <= one.decided <= np.count_nonzero(larger | nothing)


@given(kind=formats, case=drawn())
def test_zeros_never_pass(kind: str, case: Case) -> None:
    """Unless the gradient is exactly zero."""
    budget = refnn.tolerance(*case, precision=kind)
    report = refnn.compare(*case, gradient=np.zeros(case.network.size, dtype_of(kind)))
    truth = module.expect(budget, rule=refnn.GradientDescent(), learning_rate=None).values
    for one in report.parts:
        assert (one.verdict == "agrees") == (not truth[one.name].any())


def test_the_three_verdicts() -> None:
    """An output that misses its target by 1/256, in a format that knows no less of it."""
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    question = (network, [1.0, 0.0], [[1.0]], [[1 - 2.0**-8]])
    verdicts = {
        refnn.compare(*question, gradient=gradient, precision=kind).verdict: kind
        for kind, gradient in (
            ("float32", [2.0**-8] * 2),
            ("bfloat16", [2.0**-8] * 2),
            ("bfloat16", [1.0, 2.0**-8]),
        )
    }
    assert verdicts == {"agrees": "float32", "undecided": "bfloat16", "disagrees": "bfloat16"}
    both = refnn.compare(*question, outputs=[[1.0]], gradient=[0, 0], precision="bfloat16")
    assert both.verdict == "undecided"
    with pytest.raises(AssertionError, match=r"^undecided: nothing is said of 0\.weight, 0\.bias, where zeros "):
        both.require()


def test_a_gradient_that_is_exactly_zero() -> None:
    network = refnn.Network(refnn.Dense(1, 1), refnn.ReLU(), loss=refnn.SquaredError())
    question = (network, [-1.0, 0.0], [[1.0]], [[1.0]])
    assert refnn.compare(*question, gradient=np.zeros(2, np.float32)).verdict == "agrees"
    assert refnn.compare(*question, gradient=np.array([0, 1e-3], np.float32)).verdict == "disagrees"


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_disagrees(wrong: float) -> None:
    case = an_example()
    answer = {name: value.copy() for name, value in by_hand(case, "float32")["gradient"].items()}
    answer["2.weight"][4, 1] = wrong
    report = refnn.compare(*case, gradient=answer)
    assert report.verdict == "disagrees"
    assert report.worst_ratio == math.inf
    assert report.worst.name == "2.weight"
    assert report.worst.worst.place == (4, 1)
    assert str(report).splitlines()[1].startswith(f"  2.weight[4, 1] is {wrong}, expected ")


def test_nothing_is_said_where_a_format_overflows() -> None:
    """NaN and infinity are what honest implementations give there; beside them a finite bound still counts."""
    network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    question = (network, [0.5, 0.25, 1.0], [[2.0, 4.0], [600.0, 800.0], [1000.0, 14.0]], [[1.0]] * 3)
    bias = np.array(refnn.exact(*question).gradient[2]).astype(np.float16)
    right = np.array([math.nan, -math.inf, bias], np.float16)
    report = refnn.compare(*question, gradient=right, loss=np.float16(math.nan))
    assert [(one.name, one.verdict, one.ratio <= 1) for one in report.parts] == [
        ("loss", "undecided", True),
        ("0.weight", "undecided", True),
        ("0.bias", "agrees", True),
    ]
    assert [one.unbounded for one in report.parts] == [1, 2, 0]
    assert str(report).splitlines()[:2] == [
        "undecided: nothing is said of loss, 0.weight, where zeros (or no step) would pass too",
        "  3 of 4 have no bound: the format may overflow there",
    ]
    wrong = refnn.compare(*question, gradient=np.array([0, 0, math.inf], np.float16))
    assert wrong.worst.name == "0.bias"
    assert wrong.verdict == "disagrees"


def overflowing(*x: float) -> tuple[Any, ...]:
    """h = (60000x, 60000x) and h₀ − h₁: in float16, infinity less infinity for an x above 1.09, in real numbers 0."""
    network = refnn.Network(refnn.Dense(1, 2), refnn.Dense(2, 1), loss=refnn.SquaredError())
    parts = {"0.weight": [[6e4, 6e4]], "0.bias": [0, 0], "1.weight": [[1], [-1]], "1.bias": [0.5]}
    return network, parts, [[v] for v in x], [[0.0]] * len(x)


@pytest.mark.parametrize("given_output", [0.5, 5.0, math.nan, math.inf])
def test_where_all_may_overflow_nothing_agrees(given_output: float) -> None:
    for bias, output in ((0.5, given_output), (0, 0.0), (0, given_output)):
        network, parts, x, y = overflowing(2.0)
        report = refnn.compare(network, parts | {"1.bias": [bias]}, x, y, outputs=np.array([[output]], np.float16))
        assert report.worst.worst.expected == bias
        assert (report.verdict, report.worst.unbounded, report.worst.decided) == ("undecided", 1, 0)
        assert str(report).splitlines()[1] == "  1 of 1 has no bound: the format may overflow there"


def test_agreement_says_where_there_are_no_bounds() -> None:
    """The second of the samples is 0, so that its output is the bias."""
    outputs = np.array([[math.nan], [0.5], [-3.0]], np.float16)
    report = refnn.compare(*overflowing(2.0, 0.0, 4.0), outputs=outputs)
    assert (report.verdict, report.worst.elements, report.worst.decided, report.worst.unbounded) == ("agrees", 3, 1, 2)
    text = str(report).splitlines()
    assert text[:2] == [
        "agrees where there are bounds: the largest error is 0 of its bound, in outputs",
        "  2 of 3 have no bound: the format may overflow there",
    ]
    assert text[4].endswith("  agrees, 2 without a bound")
    outputs[1] = 0.25
    assert refnn.compare(*overflowing(2.0, 0.0, 4.0), outputs=outputs).verdict == "disagrees"


# ------------------------------------------------------------------------------------------------ what is the transpose


def test_a_transposed_weight_is_recognised() -> None:
    """A square one by its numbers; in a vector, one of any shape."""
    network = refnn.Network(refnn.Dense(3, 3), refnn.Tanh(), refnn.Dense(3, 2), loss=refnn.SquaredError())
    rng = np.random.default_rng(0)
    case = Case(network, rng.normal(size=network.size), rng.normal(size=(5, 3)), rng.normal(size=(5, 2)))
    right = by_hand(case, "float32")["gradient"]
    wrong = right | {"0.weight": right["0.weight"].T}
    hint = "  the transpose of 0.weight would agree: is yours stored as (outputs, inputs)?"
    report = refnn.compare(*case, gradient=wrong)
    assert [one.transposed for one in report.parts] == [True, False, False, False]
    assert str(report).splitlines()[2] == hint
    vector = np.concatenate([right[name].T.ravel() for name in network.names()])
    lines = str(refnn.compare(*case, gradient=vector)).splitlines()
    assert lines[2:4] == [hint, hint.replace("0.weight", "2.weight")]
    stepped = network.unpack(case.w.astype(np.float32))["0.weight"] - np.float32(0.1) * right["0.weight"]
    report = refnn.compare(*case, parameters={"0.weight": stepped.T}, learning_rate=0.1)
    assert hint.replace("0.weight", "new 0.weight") in str(report)
    for other in (2 * right["0.weight"], 2 * right["0.weight"].T):
        assert not refnn.compare(*case, gradient={"0.weight": other}).worst.transposed
    assert not refnn.compare(*case, input_gradient=2 * by_hand(case, "float32")["input_gradient"]).worst.transposed


# ------------------------------------------------------------------------------------------------------------ one step


@every_format
@pytest.mark.parametrize("by_name", [True, False])
def test_parameters_after_a_step(kind: str, by_name: bool) -> None:
    case = an_example(seed=4)
    w, gradient = (
        Stored(v, FORMATS[kind]) for v in (case.w, flat(case, by_hand(case, kind)["gradient"]).astype(float))
    )
    stepped: Any = w - 0.1 * gradient
    right = stepped.native
    if by_name:
        places = case.network.unpack(np.arange(44.0))
        right = {name: right[place.astype(int)] for name, place in places.items()}
    report = refnn.compare(*case, parameters=right, learning_rate=0.1)
    assert [one.name for one in report.parts] == ["new 0.weight", "new 0.bias", "new 2.weight", "new 2.bias"]
    assert report.verdict == "agrees"
    other_way: Any = w + 0.1 * gradient
    assert refnn.compare(*case, parameters=other_way.native, learning_rate=0.1).verdict == "disagrees"
    explicitly = refnn.compare(*case, parameters=right, learning_rate=0.1, rule=refnn.GradientDescent())
    assert str(explicitly) == str(report)


@every_format
@pytest.mark.parametrize(
    "rate",
    [
        0.1,
        1e-4,
        1e-9,
        1e-30,
    ],
)
def test_no_step_never_agrees(kind: str, rate: float) -> None:
    case = an_example(seed=4)
    w = case.w.astype(dtype_of(kind))
    assert refnn.compare(*case, parameters=w, learning_rate=rate).verdict in {"disagrees", "undecided"}


def test_a_step_that_the_format_does_not_see_is_undecided() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    question = (network, [1.0, 0.5], [[1.0]], [[1.0]])
    report = refnn.compare(*question, parameters=np.array([1.0, 0.5], np.float32), learning_rate=1e-9)
    assert [one.verdict for one in report.parts] == ["undecided", "undecided"]
    assert [one.decided for one in report.parts] == [0, 0]
    assert (
        refnn.compare(
            network, [1.0, 0.0], [[1.0]], [[1.0]], parameters=[1, 0], learning_rate=0.1, precision="float32"
        ).verdict
        == "agrees"
    )


# ---------------------------------------------------------------------------------------------------- what is the truth


@pytest.mark.unmeasured
@every_format
@pytest.mark.parametrize("flint", [True, False])
def test_where_the_truth_is_float64_its_own_bound_is_added(
    kind: str, flint: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = an_example(seed=2)
    answer = by_hand(case, kind)
    w, gradient = (Stored(v, FORMATS[kind]) for v in (case.w, flat(case, answer["gradient"]).astype(float)))
    stepped: Any = w - 0.1 * gradient
    wrong = flat(case, answer["gradient"]) * 2
    questions: tuple[dict[str, Any], ...] = (
        {**answer, "parameters": stepped.native, "learning_rate": 0.1},
        {"gradient": wrong},
        {"parameters": case.w.astype(dtype_of(kind)), "learning_rate": 1e-9},
    )
    exact = [refnn.compare(*case, **question) for question in questions]
    if flint:
        monkeypatch.setattr(module, "_CHEAP", 0)
    else:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    plain = [refnn.compare(*case, **question) for question in questions]
    for a, b in zip(exact, plain, strict=True):
        assert (a.reference, b.reference) == ("exact", "float64")
        assert "; the truth is float64, whose own bound is added\n" in str(b)
        assert [one.verdict for one in a.parts] == [one.verdict for one in b.parts]
    monkeypatch.undo()
    budget, rule = refnn.tolerance(*case, precision=kind), refnn.GradientDescent()
    bounds = module.expect(budget, rule=rule, learning_rate=0.1).bounds
    monkeypatch.setattr(module, "_CHEAP", 0)
    wider = module.expect(budget, rule=rule, learning_rate=0.1).bounds
    assert bounds.keys() == wider.keys()
    assert all((wider[name] >= bounds[name]).all() and (wider[name] > bounds[name]).any() for name in bounds)


@every_format
def test_one_chooses_what_the_truth_is(kind: str) -> None:
    """Half of the probability is then for the truth; what it is off by counts in its own format."""
    case = an_example(seed=2)
    wrong = (2 * flat(case, by_hand(case, kind)["gradient"]).astype(float)).tolist()
    settings: Any = {"gradient": wrong, "precision": kind, "failure_probability": 0.01}
    exact, floats = (refnn.compare(*case, **settings, reference=choice) for choice in ("exact", "float64"))
    assert (exact.reference, floats.reference) == ("exact", "float64")
    assert exact.failure_probability == floats.failure_probability == 0.01
    assert str(refnn.compare(*case, **settings, reference="auto")) == str(exact)
    whole, half, own = (
        refnn.tolerance(*question, precision=precision, failure_probability=p)
        for question, precision, p in (
            (case, kind, 0.01),
            (case, kind, 0.005),
            (asked(refnn.tolerance(*case, precision=kind)), "float64", 0.005),
        )
    )
    names = case.network.unpack(np.arange(44.0))
    for report, bounds in ((exact, whole.gradient), (floats, half.gradient + own.gradient)):
        for one in report.parts:
            assert one.worst.bound == bounds[int(names[one.name][one.worst.place])]


def test_the_smallest_probability_has_a_half_too() -> None:
    report = refnn.compare(*an_example(), loss=np.float32(1), failure_probability=5e-324, reference="float64")
    assert report.failure_probability == 1e-323


def test_a_deep_truth_of_float64_is_off_by_little() -> None:
    """By 2⁻²⁹ of the bounds for float32, as the unit is, and a little; the worst case would be far above these."""
    rng = np.random.default_rng(0)
    layers = [layer for _ in range(16) for layer in (refnn.Dense(24, 24), refnn.Tanh())]
    network = refnn.Network(*layers, loss=refnn.SquaredError())
    w, x, y = network.initial_parameters(rng=rng), rng.normal(size=(5, 24)), rng.normal(size=(5, 24))
    budget = refnn.tolerance(network, w, x, y, precision="float32")
    truth = module.expect(budget, rule=refnn.GradientDescent(), learning_rate=None, reference="float64")
    assert truth.failure_probability == 2e-9
    for name, slack in truth.slack.items():
        assert (slack <= 2.0**-28 * truth.bounds[name]).all()
    worst = network.evaluate(RoundedArray.exact(budget.question.w), x, y)
    assert np.median(worst.gradient.error / budget.gradient) > 1000


@given(kind=formats, case=drawn())
def test_a_truth_of_float64_is_as_near_to_the_exact_one_as_it_says(kind: str, case: Case) -> None:
    budget = refnn.tolerance(*case, precision=kind)
    rule = refnn.GradientDescent()
    exact, floats = (
        module.expect(budget, rule=rule, learning_rate=0.1, reference=choice) for choice in ("exact", "float64")
    )
    assert exact.values.keys() == floats.values.keys() == floats.slack.keys()
    for name, value in floats.values.items():
        error = abs(value - exact.values[name] - exact.rest[name])
        assert (error <= floats.slack[name] + exact.slack[name]).all()
        assert (floats.rest[name] == 0).all()


def on_a_kink() -> Case:
    """tanh(z) − tanh(z) for a unit with a kink: balls do not know that it is 0, however many bits they have."""
    network = refnn.Network(refnn.Dense(1, 2), refnn.Tanh(), refnn.Dense(2, 1), refnn.ReLU(), loss=refnn.InnerProduct())
    parts: dict[str, Any] = {"0.weight": [[0.3, 0.3]], "0.bias": [0, 0], "2.weight": [[1], [-1]], "2.bias": [0]}
    return Case(network, network.pack(parts), np.array([[1.5]]), np.array([[2.0]]))


def test_what_the_truth_does_not_tell_is_added_to_the_bounds() -> None:
    """The gradient of the last bias is 0 on one side and 2 on the other: no number between is wrong, and none right."""
    case = on_a_kink()
    budget = refnn.tolerance(*case, precision="float64")
    budget = dataclasses.replace(budget, gradient=np.zeros(7))  # as if the bounds did not know of the kink
    truth = module.expect(budget, rule=refnn.GradientDescent(), learning_rate=None)
    assert truth.reference == "exact"
    for slope in (0.0, 0.5, 2.0):
        one = part(truth.judge({"2.bias": np.array([slope])}), "2.bias")
        assert (one.verdict, one.decided) == ("undecided", 0)
    assert truth.judge({"2.bias": np.array([2.1])}).verdict == "disagrees"
    assert truth.judge({"2.bias": np.array([-0.1])}).verdict == "disagrees"


def test_a_truth_that_cancels_to_zero_is_zero() -> None:
    """tanh(z) − tanh(z), without a kink behind it: a ball of 256 bits does not prove it, but nearly so."""
    case = on_a_kink()
    plain = refnn.Network(*case.network.layers[:3], loss=refnn.InnerProduct())
    report = refnn.compare(plain, *case[1:], outputs=[[0.0]], precision="float32")
    assert (report.verdict, report.reference, report.worst.decided) == ("agrees", "exact", 1)
    truth = module.expect(
        refnn.tolerance(plain, *case[1:], precision="float32"), rule=refnn.GradientDescent(), learning_rate=None
    )
    assert truth.slack["outputs"].item() > 0
    assert [part.item() for part in truth.signal("outputs")] == [0, True]
    wide = dataclasses.replace(truth, slack={**truth.slack, "outputs": truth.bounds["outputs"] / 1e9})
    assert not wide.signal("outputs")[1].any()


def test_the_truth_does_not_take_ever_more_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def recorded(bits: int) -> Any:
        taken.append(bits)
        return working_precision(bits)

    monkeypatch.setattr("refnn.oracle.truth.working_precision", recorded)
    refnn.compare(*on_a_kink(), parameters=[0.0] * 7, learning_rate=0.1, precision="float32")
    assert taken
    assert max(taken) == 256


@pytest.mark.parametrize("unknown", ["nan", "1 +/- inf", "[1e400 +/- 1]"])
def test_balls_that_say_nothing_bound_nothing(unknown: str) -> None:
    balls = BallArray(np.array([arb(unknown), arb("0.5 +/- 0.25"), arb(0)], object))
    with np.errstate(over="ignore"):
        values = np.array([float(arb(unknown)), 0.25, 0.0])
    rest, slack = module._rounded_off(balls, values)
    assert rest.tolist() == [0, 0.25, 0]
    assert slack[0] == np.inf
    assert 0.25 <= slack[1] <= 0.25 * (1 + 2.0**-20)  # Arb's radius has 30 bits
    assert slack[2] == 0


def test_an_exact_truth_needs_python_flint(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_flint(monkeypatch)
    with pytest.raises(MissingExtraError, match="python-flint is not installed"):
        refnn.compare(*an_example(), loss=np.float32(1), reference="exact")


@pytest.mark.parametrize("reference", ["exact", "float64"])
def test_a_step_out_of_the_range_of_float64_diverges(reference: Any) -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    question = (network, [2.0, 1.0], [[3.0]], [[5.0]])  # with the gradient (6, 2)
    with pytest.raises(DivergenceError, match=r"^the step: .* Pass a smaller learning rate"):
        refnn.compare(*question, parameters=np.zeros(2, np.float32), learning_rate=1e308, reference=reference)


@pytest.mark.parametrize(("inputs", "work"), [(3, 5 * 44), (50, 5 * 50)])
def test_a_large_question_is_held_against_float64(inputs: int, work: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples times parameters, or times inputs if these are more."""
    network = an_example().network if inputs == 3 else refnn.Network(refnn.Identity(), loss=refnn.InnerProduct())
    x = np.ones((5, inputs))
    for cheap, reference in ((work, "exact"), (work - 1, "float64")):
        monkeypatch.setattr(module, "_CHEAP", cheap)
        report = refnn.compare(
            network, np.ones(network.size), x, x[:, : network.outputs], loss=1.0, precision="float32"
        )
        assert report.reference == reference


# ------------------------------------------------------------------------------------------------------------- the text


LEGEND = "  decided: zeros (or no step) would be noticed, or are right; error/bound: the largest, above 1 disagrees"


def test_the_text_of_a_disagreement() -> None:
    network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    gradient = {"0.weight": np.array([[1.5], [3.25]], np.float32), "0.bias": np.array([1.5], np.float32)}
    report = refnn.compare(
        network, [0.1, 0.5, 0.25], [[1.0, 2.0]], [[-0.15]], loss=np.float32(1.125), gradient=gradient
    )
    worst = report.worst.worst
    assert worst.place == (1, 0)
    assert worst.actual == 3.25
    times = report.worst.ratio
    ratios = [f"{one.ratio:>11.3g}" for one in report.parts]
    assert str(report) == "\n".join(
        [
            f"disagrees: 0.weight is off by {times:.3g} times its bound",
            f"  0.weight[1, 0] is 3.25, expected {worst.expected!r}: off by 0.25, where {worst.bound:.3g} is allowed",
            "",
            "            numbers  decided  error/bound",
            f"  loss            1   100.0%  {ratios[0]}  agrees",
            f"  0.weight        2   100.0%  {ratios[1]}  disagrees",
            f"  0.bias          1   100.0%  {ratios[2]}  agrees",
            LEGEND,
            "",
            "bounds for float32, sums in float32, functions within 8 ulps; the truth is exact",
            "an honest implementation disagrees with probability 1e-09 at most, under model 1",
            "rounded to float32 first: 1 of w, 1 of y; if yours were rounded otherwise, pass those",
        ]
    )
    assert repr(report) == f"<Comparison: disagrees: 0.weight is off by {times:.3g} times its bound>"


def test_the_text_of_the_other_verdicts() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    question = (network, [1.0, 0.0], [[1.0]], [[1 - 2.0**-8]])
    agreed = refnn.compare(*question, outputs=np.array([[1.0]], np.float32), failure_probability=0.25)
    assert str(agreed).splitlines() == [
        "agrees: the largest error is 0 of its bound, in outputs",
        "",
        "           numbers  decided  error/bound",
        "  outputs        1   100.0%            0  agrees",
        LEGEND,
        "",
        "bounds for float32, sums in float32, functions within 8 ulps; the truth is exact",
        "an honest implementation disagrees with probability 0.25 at most, under model 1",
    ]
    unknown = refnn.compare(*question, loss=2.0**-17, gradient=[2.0**-8] * 2, precision="bfloat16")
    assert str(unknown).splitlines()[:6] == [
        "undecided: nothing is said of loss, 0.weight, 0.bias, where zeros (or no step) would pass too",
        "",
        "            numbers  decided  error/bound",
        "  loss            1     0.0%            0  undecided",
        "  0.weight        1     0.0%            0  undecided",
        "  0.bias          1     0.0%            0  undecided",
    ]
    nowhere = refnn.compare(*question, loss=np.float32(math.inf))
    assert str(nowhere).splitlines()[0] == "disagrees: loss is not finite"
    assert str(nowhere).splitlines()[1].startswith("  loss is inf, expected 7.62939453125e-06, give or take ")


def test_a_comparison_is_neither_true_nor_false() -> None:
    case = an_example()
    report = refnn.compare(*case, loss=by_hand(case, "float32")["loss"])
    with pytest.raises(
        SettingError, match=r"^a comparison was used as true or false: there are more than two verdicts"
    ):
        bool(report)
    with pytest.raises(SettingError):
        assert report


def test_an_answer_without_numbers_is_refused() -> None:
    network = refnn.Network(refnn.Tanh(), loss=refnn.SquaredError())
    with pytest.raises(SettingError, match=r"^gradient is empty: "):
        refnn.compare(network, [], [[0.5, 0.25]], [[0.0, 0.0]], gradient=np.zeros(0))


# ----------------------------------------------------------------------------------------------------------- bad input

BY_NAME = {"0.weight": np.zeros((3, 7)), "0.bias": np.zeros(7), "2.weight": np.zeros((7, 2)), "2.bias": np.zeros(2)}


@pytest.mark.parametrize(
    ("error", "message", "given"),
    [
        (SettingError, r"there is nothing to compare: outputs, loss, gradient, input_gradient and parameters", {}),
        (SettingError, r"precision is None: loss, gradient carry none: ", {"loss": 1.0, "gradient": [0] * 44}),
        (SettingError, r"precision is None: loss carries none: ", {"loss": 1.0}),
        (SettingError, r"gradient is empty: there is no number to compare", {"gradient": {}}),
        (SettingError, r"precision is 'tf32': ", {"loss": 1.0, "precision": "tf32"}),
        (SettingError, r"learning_rate is None, parameters are given: ", {"parameters": np.zeros(44)}),
        (SettingError, r"learning_rate is 0\.1, parameters are None: ", {"loss": np.float32(1), "learning_rate": 0.1}),
        (SettingError, r"learning_rate is -1: ", {"parameters": np.zeros(44), "learning_rate": -1}),
        (SettingError, r"rule is 5: ", {"parameters": np.zeros(44), "learning_rate": 1, "rule": 5}),
        (SettingError, r"failure_probability is 0: ", {"loss": np.float32(1), "failure_probability": 0}),
        (
            SettingError,
            r"gradient has the name '2\.bais': .* are 0\.weight, 0\.bias, 2\.weight, 2\.bias\. Pass it as '2\.bias', ",
            {"gradient": BY_NAME | {"2.bais": np.zeros(7)}},
        ),
        (
            SettingError,
            r"parameters has the name 7: .*\. Pass some of these\.$",
            {"parameters": {7: np.zeros(7)}, "learning_rate": 1},
        ),
        (
            SettingError,
            r"gradient is a list of 3 arrays: the parameters .*\. Pass one array for each in this order, or a mapping",
            {"gradient": list(BY_NAME.values())[:3]},
        ),
        (SettingError, r"gradient is empty: there is no number", {"gradient": {}, "precision": "float32"}),
        (SettingError, r"reference is 'float32': ", {"loss": np.float32(1), "reference": "float32"}),
        (SettingError, r"reference is None: ", {"loss": np.float32(1), "reference": None}),
        (
            DTypeError,
            r"loss is float64 and gradient is float32: ",
            {"loss": np.float64(1), "gradient": np.zeros(44, np.float32)},
        ),
        (
            DTypeError,
            r"gradient\['0\.weight'\] is float64 and gradient\['0\.bias'\] is float32: ",
            {"gradient": BY_NAME | {"0.bias": np.zeros(7, np.float32)}},
        ),
        (
            DTypeError,
            r"gradient is float32 and precision is float64: ",
            {"gradient": np.zeros(44, np.float32), "loss": 1.0, "precision": "float64"},
        ),
        (DTypeError, r"outputs has dtype complex128: ", {"outputs": np.zeros((5, 2), complex)}),
        (ShapeError, r"outputs has shape \(2, 5\), expected \(5, 2\): ", {"outputs": np.zeros((2, 5))}),
        (ShapeError, r"outputs has shape \(5,\), expected \(5, 2\): ", {"outputs": np.zeros(5)}),
        (ShapeError, r"loss has shape \(2,\), expected \(\): ", {"loss": np.zeros(2)}),
        (
            ShapeError,
            r"gradient has shape \(7, 3\), expected \(44,\): .* a mapping of parameters' names",
            {"gradient": np.zeros((7, 3))},
        ),
        (
            ShapeError,
            r"gradient\['0\.weight'\] has shape \(7, 3\), .* \(inputs, outputs\)\. Pass gradient\['0\.weight'\]\.T\.$",
            {"gradient": BY_NAME | {"0.weight": np.zeros((7, 3))}},
        ),
        (
            ShapeError,
            r"parameters\['2\.weight'\] has shape \(14,\), expected \(7, 2\): that is the shape .* of that shape\.$",
            {"parameters": {"2.weight": np.zeros(14)}, "learning_rate": 1},
        ),
        (
            ShapeError,
            r"input_gradient has shape \(3, 5\), .* samples are rows\. Pass input_gradient\.T\.$",
            {"input_gradient": np.zeros((3, 5))},
        ),
        (ShapeError, r"parameters has shape \(43,\), ", {"parameters": np.zeros(43), "learning_rate": 1}),
    ],
)
def test_what_is_no_answer(error: type[RefnnError], message: str, given: dict[str, Any]) -> None:
    with pytest.raises(error, match=f"^{message}"):
        refnn.compare(*an_example(), **given)


def test_what_is_no_network() -> None:
    nothing: Any = "network"
    with pytest.raises(SettingError, match=r"^network is 'network': "):
        refnn.compare(nothing, [1.0], [[1.0]], [[1.0]], loss=1.0)


def test_a_rule_without_a_step_is_refused() -> None:
    with pytest.raises(SettingError):
        refnn.compare(*an_example(), loss=np.float32(1), rule=refnn.GradientDescent())


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_the_question_may_be_in_the_format_of_the_answer(kind: str) -> None:
    case = an_example()
    w, x, y = (array.astype(dtype_of(kind)) for array in case[1:])
    assert refnn.compare(case.network, w, x, y, **by_hand(case, kind)).verdict == "agrees"


def test_what_is_given_is_left_alone() -> None:
    case = an_example()
    answer = by_hand(case, "float32")
    arrays = [*case[1:], *answer["gradient"].values(), answer["outputs"], answer["input_gradient"]]
    before = [array.copy() for array in arrays]
    refnn.compare(*case, **answer)
    assert all(map(np.array_equal, before, arrays))
