"""Not one misrounding: `refnn.exact` against the textbook's text, forward mode over balls, and fractions.

The textbook works with 400 bits and states its error. Where both ends of what it leaves open round alike, by the search
of `tests.oracle.rounding`, that is the correct rounding. Where they do not, it says nothing, and that is counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import refnn
from refnn import activations, losses
from refnn.arithmetic.ball import BallArray, working_precision
from refnn.arithmetic.dual import DualArray
from refnn.oracle.formats import format_named
from refnn.oracle.kinks import near_kinks
from refnn.strategies import Case, cases, networks
from refnn.witnesses import textbook
from refnn.witnesses.coordinates import along_each, in_double
from tests.laws.measures import examples
from tests.oracle.rounding import FORMATS, SIZES, nearest
from tests.rational import Rational
from tests.witnesses.cases import FIELDS

ACTIVATIONS = [kind() for kind in activations.ALL] + [activations.LeakyReLU(-0.3), activations.ELU(1.7)]

_WEIGHTS = (0.3, 2.0, 1.7, 0.0, 0.9)
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "SoftmaxCrossEntropy": (
        {},
        {"class_weights": _WEIGHTS, "scale": 1.3},
        {"label_smoothing": 1},
        {"label_smoothing": 0.1, "class_weights": _WEIGHTS, "scale": Fraction(1, 3)},
    ),
    "Huber": ({}, {"delta": 0.3, "scale": 0.7}, {"delta": 2.5}),
}
LOSSES = [
    kind(reduction=reduction, **settings)
    for kind in losses.ALL
    for reduction, settings in zip(
        kind().reductions(), SETTINGS.get(kind.__name__, ({}, {"scale": Fraction(1, 3)}, {"scale": 2.5})), strict=True
    )
]
"""Every loss in each of its reductions, and among them each of its settings."""

RATIONAL_ACTIVATIONS = (activations.Identity, activations.ReLU, activations.LeakyReLU)
RATIONAL_LOSSES = (losses.SquaredError, losses.Huber, losses.InnerProduct)

PAIRS = 20_000
"""How many gradient elements, each in each format, are to be compared at the least."""


class Known(NamedTuple):
    """The four fields as (value, error), numbers of mpmath."""

    outputs: Any
    loss: Any
    gradient: Any
    input_gradient: Any


@contextmanager
def unrounded(bits: int, step: Fraction) -> Iterator[Callable[..., Any]]:
    """`textbook.testify` with so many bits and such a step, which gives its numbers and their errors as they are."""
    digits = textbook.digits
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textbook, "digits", lambda: digits(bits))
        patch.setattr(textbook, "BITS", bits)
        patch.setattr(textbook, "_STEP", step)
        patch.setattr(textbook, "rounded", lambda value, error: (value, error))
        patch.setattr(textbook, "testimony", lambda *fields: Known(*fields))
        yield textbook.testify


def by_the_textbook(case: Case, bits: int = 400, step: Fraction = Fraction(1, 2**200)) -> Known:
    with unrounded(bits, step) as testify:
        known: Known = testify(*case)
    return known


def fraction(value: Any) -> Fraction:
    sign, significand, exponent, _ = value._mpf_
    size: Fraction = int(significand) * Fraction(2) ** exponent
    return -size if sign else size


class Count(NamedTuple):
    """Of the elements of a case: how many were compared, how many of them of the gradient, and what was found.

    Attributes
    ----------
    compared, gradient
        The elements about which the witness knows enough, each in each format.
    wrong
        What `exact` says otherwise.
    open
        What `exact` says of those about which the witness does not know enough, with its enclosure.
    """

    compared: int
    gradient: int
    wrong: list[str]
    open: list[tuple[float, Any]]

    def __add__(self, other: tuple[Any, ...]) -> Count:
        return Count(*(a + b for a, b in zip(self, other, strict=True)))


NONE = Count(0, 0, [], [])


def compare(truths: dict[str, Any], known: Known) -> Count:
    """What `exact` says in each format, with what the textbook knows."""
    count = NONE
    for field in FIELDS:
        numbers = np.array(getattr(known, field), object).reshape(-1, 2)
        ends = [(fraction(v - e), fraction(v + e)) for v, e in numbers]
        for name, truth in truths.items():
            values = np.ravel(np.asarray(getattr(truth, field))).astype(np.float64).tolist()
            balls = getattr(truth.enclosures, field).elements.flat
            for k, (value, ball, (low, high)) in enumerate(zip(values, balls, ends, strict=True)):
                below, above = nearest(low, name), nearest(high, name)
                decided = below == above
                wrong = [] if below <= value <= above else [f"{name} {field}[{k}] is {value!r}, not {below!r}"]
                count += (decided, decided and field == "gradient", wrong, [] if decided else [(value, ball)])
    return count


def all_formats(case: Case, **settings: Any) -> dict[str, Any]:
    return {name: refnn.exact(*case, dtype=name, **settings) for name in FORMATS}


def targets(rng: np.random.Generator, loss: refnn.Loss, samples: int, outputs: int) -> Any:
    """Classes for one loss of softmax; for the others rows in [0, 1] of 40 bits, whose sums are 1 without rounding."""
    if isinstance(loss, refnn.SoftmaxCrossEntropy) and loss.label_smoothing == 1:
        return rng.integers(outputs, size=samples)
    y = np.floor(rng.dirichlet(np.ones(outputs), samples) * 2.0**40) / 2.0**40
    y[:, 0] = 1 - y[:, 1:].sum(axis=1)
    return y


def drawn(rng: np.random.Generator, unit: refnn.Activation, loss: refnn.Loss) -> Case:
    network = refnn.Network(refnn.Dense(7, 2), unit, refnn.Dense(2, 5), loss=loss)
    return Case(network, rng.normal(size=network.size), rng.normal(size=(3, 7)), targets(rng, loss, 3, 5))


# ------------------------------------------------------------------------------------------------------- the textbook


def test_every_reduction_and_setting_is_among_them() -> None:
    assert {(type(loss), loss.reduction) for loss in LOSSES} == {(k, r) for k in losses.ALL for r in k().reductions()}
    assert {type(unit) for unit in ACTIVATIONS} == set(activations.ALL)


@pytest.mark.parametrize("unit", ACTIVATIONS, ids=str)
def test_not_one_of_the_textbooks_numbers_is_misrounded(
    unit: refnn.Activation, record_property: Callable[[str, object], None]
) -> None:
    rng, count = np.random.default_rng(len(str(unit))), NONE
    for loss in LOSSES:
        case = drawn(rng, unit, loss)
        truths = all_formats(case)
        assert all(truth.undecided == () for truth in truths.values())
        count += compare(truths, by_the_textbook(case))
    record_property("gradient elements in formats compared", count.gradient)
    record_property("elements in formats compared", count.compared)
    record_property("elements about which the textbook says nothing", len(count.open))
    assert count.wrong == []
    assert count.gradient >= math.ceil(PAIRS / len(ACTIVATIONS))
    # A unit that is dead for a sample has gradients of 0, which a number with an error is not; the ball has none.
    assert all(value == 0 and ball.is_zero() for value, ball in count.open)


def extreme(rng: np.random.Generator, unit: refnn.Activation, loss: refnn.Loss) -> Case:
    """Pre-activations that saturate, cancel, are tiny and are huge, of both signs."""
    network = refnn.Network(refnn.Dense(2, 1), unit, refnn.Dense(1, 5), loss=loss)
    x = np.array([[2.0**-500, 3e-300], [30.0, -1 - 2.0**-52], [-25.0, 1.5], [700.0, -1e-8], [-1e8, 1e8 / 3], [2, 2]])
    w = rng.normal(size=network.size)
    w[:3] = (1 + 2.0**-52, -1, 1e-290)
    return Case(network, w, x, targets(rng, loss, 6, 5))


@pytest.mark.parametrize("unit", ACTIVATIONS, ids=str)
def test_not_one_is_misrounded_where_numbers_hurt(
    unit: refnn.Activation, record_property: Callable[[str, object], None]
) -> None:
    """An error below half the smallest float64, 2**-1075, lets the textbook know the tiniest numbers too."""
    place = ACTIVATIONS.index(unit)
    rng = np.random.default_rng(place)
    loss = LOSSES[5 * place % len(LOSSES)]
    case = extreme(rng, unit, loss)
    truths = all_formats(case)
    count = compare(truths, by_the_textbook(case, 2400, Fraction(1, 2**1200)))
    record_property("elements in formats compared", count.compared)
    record_property("elements about which the textbook says nothing", len(count.open))
    assert count.wrong == []
    assert count.gradient == case.network.size * len(FORMATS)
    # A saturated cross-entropy may miss a border by exp(−10⁷); then `exact` says that it does not know either.
    assert len(count.open) == sum(len(truth.undecided) for truth in truths.values())


# ------------------------------------------------------------------------------------------ that a misrounding is seen


def an_example(unit: refnn.Activation, loss: refnn.Loss) -> Case:
    return drawn(np.random.default_rng(3), unit, loss)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", FORMATS)
def test_one_element_that_is_one_unit_in_the_last_place_off_is_seen(field: str, name: str) -> None:
    case = an_example(refnn.Tanh(), refnn.SoftmaxCrossEntropy())
    truth, known = refnn.exact(*case, dtype=name), by_the_textbook(case)
    assert compare({name: truth}, known).wrong == []
    values = np.array(getattr(truth, field))  # a copy
    last = values.reshape(-1)[-1:]
    last[:] = np.nextafter(last, np.array(np.inf, last.dtype))
    planted: dict[str, Any] = {field: float(values) if field == "loss" else values}
    (wrong,) = compare({name: replace(truth, **planted)}, known).wrong
    assert wrong.startswith(f"{name} {field}[{values.size - 1}] is ")


def test_floats_are_seen_to_misround() -> None:
    """The network in float64, without any change: about every second element is not the nearest number."""
    case = an_example(refnn.Tanh(), refnn.SoftmaxCrossEntropy())
    truth = refnn.exact(*case)
    in_floats = replace(truth, **case.network.evaluate(*case[1:])._asdict())
    count = compare({"float64": in_floats}, by_the_textbook(case))
    assert len(count.wrong) > 10
    assert any("gradient" in wrong for wrong in count.wrong)


def test_rounding_twice_is_seen() -> None:
    """float32 rounded again to bfloat16: the border is 1 + 2⁻⁸, and the real number 1 + 2⁻⁸ + 2⁻⁴⁰."""
    network = refnn.Network(refnn.Dense(2, 1), loss=refnn.InnerProduct())
    case = Case(network, np.array([1.0, 1.0, 0.0]), np.array([[1 + 2.0**-8, 2.0**-40]]), np.array([[1.0]]))
    single, short = refnn.exact(*case, dtype="float32"), refnn.exact(*case, dtype="bfloat16")
    twice = replace(short, outputs=single.outputs.astype(short.dtype))
    known = by_the_textbook(case)
    assert compare({"bfloat16": short}, known).wrong == []
    assert compare({"bfloat16": twice}, known).wrong == ["bfloat16 outputs[0] is 1.0, not 1.0078125"]


# ----------------------------------------------------------------------------------------- forward mode, on balls too


def along_every_coordinate(case: Case, bits: int) -> dict[str, BallArray]:
    """Outputs, loss and gradients by dual numbers over balls: the backward pass has no part in it."""
    with working_precision(bits):
        step = DualArray(BallArray.exact(np.zeros(())), BallArray.exact(np.ones(())))
        e = along_each(case.network, *in_double(*case), step)
        gradients = {"gradient": e.gradient.tangent, "input_gradient": e.input_gradient.tangent}
        return {"outputs": e.outputs.value, "loss": e.loss.value, **gradients}


def on_a_kink(case: Case) -> bool:
    """Whether a unit may stand on its kink, where the two conventions need not be the same."""
    w, x, _ = in_double(*case)
    with working_precision(256):
        return bool(near_kinks(case.network, BallArray.exact(w), BallArray.exact(x)))


@pytest.mark.parametrize("loss", losses.ALL)
@pytest.mark.parametrize("unit", activations.ALL)
@examples(0.1)
@given(data=st.data())
def test_forward_mode_encloses_the_same_numbers_and_rounds_to_the_same_floats(
    unit: type[refnn.Activation], loss: type[refnn.Loss], data: st.DataObject
) -> None:
    case = data.draw(cases(networks(depth=2, widths=(1, 2, 3, 5), activations=[unit], losses=[loss])))
    assume(not on_a_kink(case))
    truth, forward = refnn.exact(*case), along_every_coordinate(case, 256)
    undecided = {(element.field, element.place) for element in truth.undecided}
    for field in FIELDS:
        mine, ball = getattr(truth.enclosures, field), forward[field]
        assert all(a.overlaps(b) for a, b in zip(mine.elements.flat, ball.elements.flat, strict=True))
        with working_precision(256):
            values, decided = format_named("float64").round_balls(ball)
        for place in map(tuple, np.argwhere(decided)):
            if (field, tuple(map(int, place))) not in undecided:
                assert values[place] == np.asarray(getattr(truth, field))[place]


def test_forward_mode_is_elsewhere_if_a_derivative_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    case = an_example(refnn.Tanh(), refnn.SquaredError())
    forward = along_every_coordinate(case, 256)
    right = activations.Tanh.derivative
    monkeypatch.setattr(
        activations.Tanh, "derivative", lambda self, z: right(self, z) * (1 + right(self, 0 * z) / 2**90)
    )
    ball, other = refnn.exact(*case).enclosures.gradient, forward["gradient"]
    overlap = [a.overlaps(b) for a, b in zip(ball.elements, other.elements, strict=True)]
    assert overlap == [False] * 16 + [True] * 15


# ----------------------------------------------------------------------------------- networks of rational pieces


def in_fractions(case: Case) -> dict[str, list[Fraction]]:
    e = case.network.evaluate(Rational.of(case.w), case.x, case.y)
    return {field: np.ravel(getattr(e, field).elements).tolist() for field in FIELDS}


def assert_rounded(case: Case) -> None:
    """`exact` gives the roundings of the fractions, ties included, in every format."""
    fractions = in_fractions(case)
    for name, truth in all_formats(case).items():
        assert truth.undecided == ()
        for field, expected in fractions.items():
            got = np.ravel(np.asarray(getattr(truth, field))).astype(np.float64).tolist()
            assert got == [nearest(v, name) for v in expected]


@pytest.mark.parametrize("loss", RATIONAL_LOSSES)
@pytest.mark.parametrize("unit", RATIONAL_ACTIVATIONS)
@pytest.mark.parametrize("kinks", [False, True])
@examples(0.5)
@given(data=st.data())
def test_networks_of_rational_pieces_are_rounded_fractions(
    unit: type[refnn.Activation], loss: type[refnn.Loss], kinks: bool, data: st.DataObject
) -> None:
    network = networks(widths=(1, 2, 3, 5), activations=[unit], losses=[loss])
    assert_rounded(data.draw(cases(network, kinks=kinks, samples=st.sampled_from((1, 3, 6)))))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("even", [True, False])
def test_sums_exactly_between_two_numbers_go_to_even(name: str, even: bool) -> None:
    """w·x is 1 + ½ or 1 + 1½ units in the last place; so is a third of the sum of the cotangents."""
    unit = 2.0 ** (1 - SIZES[name].digits)
    size, half, expected = (1, unit / 2, 1.0) if even else (1 + unit, unit / 2, 1 + 2 * unit)
    network = refnn.Network(refnn.Dense(2, 1), loss=refnn.InnerProduct(scale=Fraction(1, 3)))
    x = np.array([[size, half], [-half, -size], [0.0, 0.0]])
    case = Case(network, np.array([1.0, 1.0, 0.0]), x, np.array([2 * size, size, 3 * half]))
    fractions = in_fractions(case)
    assert fractions["outputs"][0] == Fraction(size) + Fraction(half) == -fractions["outputs"][1]
    assert fractions["gradient"][2] == Fraction(size) + Fraction(half)
    told: list[tuple[int, int]] = []
    truth = refnn.exact(*case, dtype=name, progress=lambda *numbers: told.append(numbers))
    assert truth.outputs.astype(np.float64).ravel().tolist() == [expected, -expected, 0.0]
    assert float(truth.gradient[2]) == expected
    assert truth.undecided == ()
    assert told == [(128, 1)]  # a third is no binary fraction, so that its ball leaves it open
    assert_rounded(case)
