"""That `refnn.compare` finds planted faults, names the parts that are wrong, and accepts what has none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import refnn
from refnn.arithmetic.precision import Precision, precision_named
from refnn.arrays import FloatArray
from refnn.oracle.formats import format_named
from refnn.oracle.truth import truth_of
from refnn.strategies import Case, cases, networks, ordinary_values
from tests.laws.measures import examples
from tests.oracle.faults import (
    FAULTS,
    FORMATS,
    HONEST,
    LOSSES,
    NAIVE,
    UNITS,
    WIDE,
    Answer,
    Fault,
    Implementation,
    Stored,
    at,
    columns,
    long,
    ordinary,
    summed_in,
    truncated,
    unrounded,
    with_unit,
)
from tests.peers import by_torch
from tests.witnesses.cases import ACTIVATIONS, FIELDS

ROWS = "L1 L3 L3c L4 L5 L7 L10 L12 L13 L17 L18 A1 A2 A3 A5 A7 A8 A10 G1 G2 G4 G5 G7 G10 G11"  # losses, units, gradients
"""Of the faults found in real code, those of losses, activations and layers; the others are of update rules."""


def named(faults: tuple[Fault, ...]) -> list[Any]:
    return [pytest.param(fault, id=f"{fault.id}: {fault.what}") for fault in faults]


def wrong(report: refnn.Comparison) -> set[str]:
    """The parts that disagree."""
    return {part.name for part in report.parts if part.verdict == "disagrees"}


def judged(case: Case, answer: Answer, precision: Any = None) -> refnn.Comparison:
    return refnn.compare(*case, **answer._asdict(), precision=precision)


# ----------------------------------------------------------------------------------------- the one without a fault


SETTINGS = (
    *(ordinary(refnn.SquaredError(), unit) for unit in ACTIVATIONS),
    *(ordinary(kind(reduction=reduction, scale=0.75)) for kind in LOSSES for reduction in kind().reductions()),
    ordinary(refnn.SoftmaxCrossEntropy(label_smoothing=0.1, class_weights=(0.3, 2.0, 1.7), reduction="weights")),
    ordinary(refnn.Huber(delta=0.4)),
)


def test_every_activation_and_loss_is_among_them() -> None:
    assert set(UNITS) == set(refnn.activations.ALL)
    assert set(LOSSES) == set(refnn.losses.ALL)
    assert {type(layer) for case in SETTINGS for layer in case.network.layers} == {refnn.Dense, *UNITS}


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", FORMATS)
def test_without_a_fault_it_agrees(name: str) -> None:
    """With every activation and loss, and on every question on which a fault is planted.

    In a 16-bit format a part may be undecided, as an input gradient of 800 − 704.
    """
    for case in (*SETTINGS, *{id(fault.case): fault.case for fault in FAULTS}.values()):
        report = judged(case, HONEST(case, FORMATS[name]))
        assert report.verdict in (("agrees",) if name in WIDE else ("agrees", "undecided")), report


@pytest.mark.parametrize("name", FORMATS)
def test_it_stores_every_result_in_the_format(name: str) -> None:
    answer = HONEST(ordinary(refnn.SquaredError()), FORMATS[name])
    arrays = [answer.outputs, answer.loss, *answer.gradient.values(), answer.input_gradient]
    assert {array.dtype for array in arrays} == {FORMATS[name].stored}


@pytest.mark.parametrize("name", FORMATS)
def test_it_sums_in_float32_or_wider(name: str) -> None:
    """Above 256 the numbers of bfloat16 are 2 apart, so that one more, added to it, is rounded away."""
    ones = Stored(np.ones((1, 300)), FORMATS[name])
    assert (ones @ ones.T).native == columns(ones.T).native == 300
    assert summed_in(FORMATS["bfloat16"])(ones, ones.T).native == 256


def test_a_factor_is_truncated_to_10_bits_behind_its_first() -> None:
    factors = Stored([1 + 2.0**-10, -1 - 2.0**-10 - 2.0**-11 - 2.0**-23], FORMATS["float32"])
    assert truncated(factors).native.tolist() == [1 + 2.0**-10, -1 - 2.0**-10]


# ------------------------------------------------------------------------------------------------------- each fault


def test_every_row_is_planted() -> None:
    assert {fault.id for fault in FAULTS} == set(ROWS.split())


def rounded(case: Case, budget: refnn.Tolerance) -> Case:
    """What is asked of a format, with rows of targets."""
    return case._replace(w=budget.question.w, x=budget.question.x, y=budget.question.labels)


def effects(fault: Fault, name: str) -> tuple[set[str], set[str]]:
    """The parts in which the fault must be seen, and those in which it cannot, by what it does in float64.

    An element is within `own` of where the faulty program is in float64, and the truth within float64's own bound of
    where the other one is. Where that is more than the bound for this format, or NaN, the fault must be seen.
    """
    budget = refnn.tolerance(*fault.case, precision=name)
    question = rounded(fault.case, budget)
    right, faulty = (f(question, FORMATS["float64"]).parts for f in (HONEST, fault.answer))
    found = fault.answer(question, FORMATS[name]).parts
    fine = refnn.tolerance(*question, precision="float64")
    must, cannot = set[str](), set[str]()
    for part, allowed in parts_of(fault.case, budget.bounds).items():
        with np.errstate(invalid="ignore"):
            effect = np.abs(faulty[part] - right[part])
            own = np.abs(found[part] - faulty[part]) + parts_of(fault.case, fine.bounds)[part]
            if not (effect <= allowed + own).all():
                must.add(part)
            if (effect + own <= allowed).all():
                cannot.add(part)
    return must, cannot


def parts_of(case: Case, fields: Any) -> dict[str, Any]:
    others = {field: np.asarray(getattr(fields, field)) for field in FIELDS if field != "gradient"}
    return {**others, **case.network.unpack(fields.gradient)}


@pytest.mark.parametrize("name", FORMATS)
def test_where_there_is_no_fault_there_is_no_effect(name: str) -> None:
    case = ordinary(refnn.SquaredError())
    honest = Fault("none", "", case, HONEST, frozenset())
    assert effects(honest, name) == (set(), {"outputs", "loss", *case.network.names(), "input_gradient"})


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("fault", named(FAULTS))
def test_a_fault_is_reported_where_its_effect_exceeds_the_bound(fault: Fault, name: str) -> None:
    report = judged(fault.case, fault.answer(fault.case, FORMATS[name]))
    must, cannot = effects(fault, name)
    assert must <= wrong(report) <= fault.parts
    assert not cannot & wrong(report)
    assert (report.verdict == "disagrees") == bool(must) == (name in fault.caught)
    assert wrong(report) == fault.parts or name not in WIDE


def test_nearly_all_are_caught_in_16_bits() -> None:
    """All but the mixed GELU, whose effect is below the rounding; so a wider bound does not go unseen."""
    for name in ("bfloat16", "float16"):
        assert sum(name in fault.caught for fault in FAULTS) >= 26
        assert [fault.id for fault in FAULTS if name not in fault.caught] == ["A8"]
    assert all(set(WIDE) <= set(fault.caught) for fault in FAULTS)


def test_a_broadcast_that_is_not_summed_back_at_all_has_another_shape() -> None:
    case = ordinary(refnn.SquaredError())
    gradient = HONEST(case, FORMATS["float64"]).gradient
    with pytest.raises(refnn.ShapeError, match=r"0\.bias"):
        refnn.compare(*case, gradient=gradient | {"0.bias": np.tile(gradient["0.bias"], (7, 1))})


# --------------------------------------------------------------------------------------------------- naive formulas


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("fault", named(NAIVE))
def test_a_naive_formula_is_reported_where_it_matters(fault: Fault, name: str) -> None:
    """And only there: without it, nothing disagrees."""
    report = judged(fault.case, fault.answer(fault.case, FORMATS[name]))
    assert wrong(report) == (fault.parts if name in fault.caught else set())
    assert wrong(judged(fault.case, HONEST(fault.case, FORMATS[name]))) == set()


def keeping_tails(name: str) -> Precision:
    return replace(precision_named(name), keeps_tails=True)


@pytest.mark.parametrize("name", FORMATS)
def test_the_rounded_slope_of_tanh_is_accepted_unless_tails_are_kept(name: str) -> None:
    """1 − tanh²(5) is 1.8e-4, off by the rounding of a number next to 1; 1/cosh² is not."""
    case = unrounded(refnn.Tanh(), 5, 1, -1)
    from_tanh = HONEST(case, FORMATS[name])
    kept = with_unit(refnn.Tanh, slope=lambda f, z: 1 / np.cosh(z) * (1 / np.cosh(z)))(case, FORMATS[name])
    assert [judged(case, answer).verdict for answer in (from_tanh, kept)] == ["agrees", "agrees"]
    assert judged(case, kept, keeping_tails(name)).verdict == "agrees"
    assert wrong(judged(case, from_tanh, keeping_tails(name))) == {"input_gradient"}


@pytest.mark.parametrize(("z", "seen"), [(19.5, False), (20.5, True), (25.0, True), (29.0, True), (34.5, False)])
def test_the_threshold_of_pytorchs_softplus_is_seen(z: float, seen: bool) -> None:
    """Beyond 20 it is z itself, which lacks e⁻ᶻ; for z = 34.5 that is 1e-15, and z has roundings of 4e-15."""
    pytest.importorskip("torch")
    case = at(refnn.Softplus(), z)
    (peer,) = by_torch.PEERS
    answer = peer.answer(case.network, case.w, case.x, case.y, "float64")
    report = refnn.compare(*case, outputs=answer["outputs"], gradient=answer["gradient"])
    assert wrong(report) == ({"outputs", "0.weight", "0.bias"} if seen else set())


# --------------------------------------------------------------------------------- coarser arithmetic than was claimed


def test_factors_that_are_truncated_are_not_float32s() -> None:
    case, single = ordinary(refnn.SquaredError()), FORMATS["float32"]
    cut = Implementation(product=lambda a, b: truncated(a) @ truncated(b))
    assert judged(case, HONEST(case, single)).verdict == "agrees"
    assert {"outputs", "loss", "0.weight", "2.weight", "input_gradient"} <= wrong(judged(case, cut(case, single)))


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_sums_in_bfloat16_are_not_sums_in_float32(name: str) -> None:
    """257 positive terms: towards the end, each addition is off by up to 2⁻⁹ of the whole."""
    case, half = long(3, 257), FORMATS["bfloat16"]
    short = Implementation(product=summed_in(half))
    assert judged(case, HONEST(case, FORMATS[name])).verdict == "agrees"
    assert "outputs" in wrong(judged(case, short(case, FORMATS[name])))
    admitted = replace(precision_named("bfloat16"), accumulate="bfloat16")
    assert wrong(judged(case, short(case, half), admitted)) == set()


# ------------------------------------------------------------------------------------------------------ one element


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", FORMATS)
@examples(0.25)
@given(data=st.data())
def test_one_element_that_is_moved_by_twice_its_bound_is_named(name: str, field: str, data: st.DataObject) -> None:
    """By twice its bound and its own error, so that it is out by twice its bound, whichever way it was off."""
    small = networks(depth=st.integers(1, 2), widths=(1, 2, 3, 5))
    case = data.draw(cases(small, parameter_values=ordinary_values(), batch_values=ordinary_values()))
    budget = refnn.tolerance(*case, precision=name)
    network, asked = case.network, budget.question
    truth = truth_of(network, asked.w, asked.x, asked.labels, format_named("float64"))
    moved = whole(HONEST(rounded(case, budget), FORMATS[name]), field)
    index = data.draw(st.integers(0, moved.size - 1))
    bound, true = (float(np.ravel(getattr(of, field))[index]) for of in (budget.bounds, truth))
    assume(np.isfinite(bound))
    sign = data.draw(st.sampled_from((1, -1)))
    far = moved.flat[index] + sign * (2 * bound + abs(moved.flat[index] - true))
    moved.flat[index] = np.nextafter(far, sign * np.inf)  # where the bound is 0, too
    given_: dict[str, Any] = {field: moved.tolist()}  # numbers that say nothing of their format
    report = refnn.compare(*case, **given_, precision=name)
    assert report.verdict == report.worst.verdict == "disagrees"
    assert report.worst_ratio >= 2 * (1 - 4 * 2.0**-53)  # for errors are rounded, and their quotients
    assert report.worst.worst.actual == moved.flat[index]
    assert str(report).splitlines()[1] == f"  {report.worst.name}{report.worst.worst}"
    assert (report.worst.name, report.worst.worst.place) == place(network, field, moved.shape, index)


def whole(answer: Answer, field: str) -> FloatArray:
    """A field as one array of float64, the gradient in the order of w."""
    if field == "gradient":
        return np.concatenate([np.ravel(part).astype(np.float64) for part in answer.gradient.values()])
    return answer.parts[field].copy()


def place(network: refnn.Network, field: str, shape: tuple[int, ...], index: int) -> tuple[str, tuple[int, ...]]:
    """The part in which a report has an element, and where it is there."""
    parts = {field: np.arange(float(np.prod(shape))).reshape(shape)}
    if field == "gradient":
        parts = network.unpack(parts[field])
    ((name, (where,)),) = ((name, np.argwhere(part == index)) for name, part in parts.items() if (part == index).any())
    return name, tuple(int(k) for k in where)
