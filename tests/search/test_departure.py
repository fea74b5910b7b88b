"""What is said of wrong answers that no fault predicts: what they have in common, and where they depart first."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

import refnn
from refnn.arithmetic.precision import precision_named
from refnn.arrays import A, column_sums, row_sums
from refnn.network import Network
from refnn.search.checking import _diagnosed
from refnn.search.departure import departure, unsteady
from refnn.search.drawing import Drawn, seeded_case
from refnn.search.examining import Outcome, Terms
from refnn.search.probing import Probe, probes_of
from refnn.search.search import Failure
from refnn.search.target import Layout
from refnn.strategies import Case
from tests.oracle import faults as planted
from tests.oracle.faults import FORMATS
from tests.search import implementations as of
from tests.witnesses.networks import Scale

NETWORK = Network(refnn.Dense(2, 3), refnn.ReLU(), refnn.Dense(3, 5), loss=refnn.SquaredError())
CASE = seeded_case(NETWORK, (4, 2), seed=1)


@dataclass(frozen=True)
class Factor:
    """A user's layer for any width: z = a x."""

    inputs = outputs = None

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"factor": (1,)}

    def forward(self, parameters: tuple[A, ...], x: A) -> A:
        return x * parameters[0]

    def backward(self, parameters: tuple[A, ...], x: A, delta: A) -> A:
        return delta * parameters[0]

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        return (column_sums(row_sums(delta * x)),)


def terms(name: str = "float64") -> Terms:
    return Terms(
        precision=precision_named(name),
        layout=Layout(),
        failure_probability=1e-12,
        time_limit=None,
        deterministic=False,
    )


# ------------------------------------------------------------------------------------------------ gradients that add up


class Accumulating:
    """What PyTorch does without zero_grad; answers may be changed before they are given."""

    def __init__(self, change: Callable[[int, Any], Any] = lambda call, gradient: gradient) -> None:
        self.change = change
        self.calls = 0
        self.gradient: Any = 0

    def __call__(self, network: Network, w: Any, x: Any, y: Any) -> object:
        self.calls += 1
        self.gradient = self.gradient + network.loss_and_gradient(w, x, y)[1]
        return {"gradient": self.change(self.calls, self.gradient.copy())}


@pytest.mark.parametrize("before", [0, 50])
def test_gradients_of_successive_calls_that_add_up(before: int) -> None:
    """After others, which were asked before."""
    target = Accumulating()
    for _ in range(before):
        target(*CASE)
    assert "add up" in unsteady(target, [CASE], terms())
    assert "zero_grad" in unsteady(target, [CASE], terms())


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_sums_are_rounded_in_shorter_formats_too(name: str) -> None:
    sums = dict[str, Any]()

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        gradient = planted.HONEST(Case(network, w, x, y), FORMATS[name]).gradient
        sums.update({part: sums.get(part, 0) + gradient[part] for part in gradient})
        return {"gradient": sums}

    assert "add up" in unsteady(target, [CASE], terms(name))
    assert {part.dtype.name for part in sums.values()} == {name}


def test_parts_whose_gradient_is_zero_are_no_hindrance() -> None:
    """As it is of the first weight, if the samples are."""
    assert "add up" in unsteady(Accumulating(), [CASE._replace(x=0 * CASE.x)], terms())


def test_any_of_the_questions_may_show_it() -> None:
    accumulating = Accumulating()

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        return (of.right if len(x) == 4 else accumulating)(network, w, x, y)

    assert "add up" in unsteady(target, [CASE, seeded_case(NETWORK, (7, 2), seed=2)], terms())


def test_nothing_adds_up_where_all_gradients_are_zero() -> None:
    case = Case(Network(refnn.Dense(1, 1), loss=refnn.SquaredError()), np.zeros(2), np.ones((1, 1)), np.zeros((1, 1)))
    assert unsteady(Accumulating(), [case], terms()) == ""


def once(target: Callable[..., object], later: Callable[..., object]) -> Callable[..., object]:
    calls = iter((target,))
    return lambda network, w, x, y: next(calls, later)(network, w, x, y)


STEADY: dict[str, Callable[..., object]] = {
    "the right gradient each time": of.right,
    "a wrong one each time": of.upside_down,
    "no gradient": lambda network, w, x, y: {"outputs": network.predict(w, x)},
    "no answer": of.crashes,
    "what is not supported": of.knows_nothing,
    "one answer, and then none": once(of.right, of.crashes),
    "all infinite": Accumulating(lambda call, gradient: np.full_like(gradient, np.inf)),
    "no numbers": Accumulating(lambda call, gradient: np.full_like(gradient, np.nan)),
}
UNSTEADY: dict[str, Callable[..., object]] = {
    "no gradient in the end": once(Accumulating(), lambda network, w, x, y: {"loss": 1.0}),
    "more and more": Accumulating(lambda call, gradient: gradient * call),
    "a part alone": Accumulating(lambda call, gradient: np.where(np.arange(len(gradient)) == 3, 1, gradient)),
    "one infinite number": Accumulating(
        lambda call, gradient: np.where(np.arange(len(gradient)) == 3, np.inf, gradient)
    ),
}


@pytest.mark.parametrize("what", STEADY)
def test_of_what_is_steady_nothing_is_said(what: str) -> None:
    assert unsteady(STEADY[what], [CASE], terms()) == ""


@pytest.mark.parametrize("what", UNSTEADY)
def test_others_differ_and_do_not_add_up(what: str) -> None:
    assert unsteady(UNSTEADY[what], [CASE], terms()).startswith("It answers one question otherwise from call to call")


def test_an_answer_may_come_one_call_late() -> None:
    """The gradient of the parameters that were given the time before."""
    last: list[Any] = [np.zeros(NETWORK.size)]

    def late(network: Network, w: Any, x: Any, y: Any) -> object:
        last.append(w.copy())
        return network.loss(w, x, y), network.loss_and_gradient(last[-2], x, y)[1]

    assert unsteady(late, [CASE], terms()).startswith("Asked again, it answers rightly: it is one call late")


def said_of_wavering(target: Any) -> str | None:
    failure = Failure(Drawn(CASE, "given"), Outcome("nondeterministic"))
    diagnosis = _diagnosed(target, failure, failure, st.nothing(), 0, terms(), lambda *_: None)
    return None if diagnosis is None else str(diagnosis)


def test_answers_that_waver_may_add_up() -> None:
    said = said_of_wavering(Accumulating())
    assert said is not None
    assert "add up" in said


def test_of_answers_at_random_that_is_said() -> None:
    rng = np.random.default_rng(7)
    said = said_of_wavering(Accumulating(lambda call, gradient: rng.normal(size=len(gradient))))
    assert said is not None
    assert "something random" in said


def test_of_answers_that_differ_by_a_rounding_nothing_is() -> None:
    assert said_of_wavering(of.Wavering()) is None


# ------------------------------------------------------------------------------------------------------ coarser formats


def said(target: Any, *cases: Case, name: str = "float64") -> str:
    """Without the catalogue."""
    return departure(target, [probe for case in cases for probe in probes_of(target, case, terms(name))], terms(name))


SAMPLES = tuple(seeded_case(NETWORK, (count, 2), seed=count) for count in (7, 6, 5, 4))


def in_float32_up_to(samples: int) -> Callable[..., object]:
    """Another implementation answers about more samples."""

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        return (of.in_float32 if len(x) <= samples else of.right)(network, w, x, y)

    return target


@pytest.mark.parametrize(("wrong", "named"), [(1, False), (2, True), (3, True), (4, True)])
def test_a_format_is_named_if_it_shows_in_half_of_the_answers(wrong: int, named: bool) -> None:
    assert said(in_float32_up_to(3 + wrong), *SAMPLES).startswith("Its numbers are those of float32") == named


def summed_in(short: str, name: str) -> Callable[..., object]:
    """Each partial sum is stored in a shorter format; the numbers of the question are not."""
    implementation = planted.Implementation(product=planted.summed_in(FORMATS[short]))

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        return dict(implementation(Case(network, w, x, y), FORMATS[name])._asdict())

    return target


@pytest.mark.parametrize(
    ("short", "name"),
    [("float32", "float64"), ("bfloat16", "float64"), ("bfloat16", "float32"), ("float16", "float32")],
)
def test_sums_in_a_shorter_format_are_named_by_it(short: str, name: str) -> None:
    assert said(summed_in(short, name), *SAMPLES, name=name).startswith(f"Its numbers are those of {short}:")


def test_what_is_beyond_a_shorter_format_is_not_of_it() -> None:
    """1e39 is a number of float64, and none of float32 or of 16 bits."""
    large = CASE._replace(y=CASE.y * 1e39)
    assert not said(of.upside_down, large).startswith("Its numbers are")


def test_errors_far_below_those_of_a_format_are_not_of_it() -> None:
    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        return loss * (1 + 1e-11), gradient

    assert not said(target, *SAMPLES).startswith("Its numbers are")


@pytest.mark.parametrize("factor", [1 + 2e-4, 1 + 2e-8])
def test_a_single_number_that_is_off_is_of_no_format(factor: float) -> None:
    """Though by an eighth of what roundings of float16, or of float32, do; all others are those of float64."""

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        gradient[3] *= factor
        return loss, gradient

    one = Network(refnn.Dense(2, 3), loss=refnn.SquaredError())
    text = said(target, *(seeded_case(one, (1, 2), seed=seed) for seed in range(4)))
    assert not text.startswith("Its numbers are")


def test_a_loss_that_alone_is_rounded_is_of_its_format() -> None:
    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        return float(np.float32(loss)), gradient

    assert said(target, *SAMPLES).startswith("Its numbers are those of float32")


# ---------------------------------------------------------------------------------------------------------- lost digits


def off_by(*shares: float) -> Callable[..., object]:
    """The first number of the loss, and of the gradient, is off by a share of the part's largest."""

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        answer: dict[str, Any] = dict(network.evaluate(w, x, y)._asdict())
        if len(x) != 7:
            return answer
        parts = network.unpack(answer.pop("gradient"))
        parts["0.weight"][0, 0] += shares[1] * np.abs(parts["0.weight"]).max()
        return {"loss": answer["loss"] * (1 + shares[0]), "gradient": parts}

    return target


def digits(*shares: float) -> int:
    """What is said of them; one of three answers is wrong, so that no format is."""
    text = said(off_by(*shares), *SAMPLES[:3])
    assert text.startswith("No fault of the catalogue gives these numbers. ")
    return int(text.split(" About ")[1].split()[0]) if " About " in text else 0


@pytest.mark.parametrize(
    ("shares", "right"),
    [
        ((3e-7, 0), 6),
        ((0, 3e-7), 6),
        ((3e-7, 3e-5), 4),
        ((3e-5, 3e-9), 4),
        ((0.9e-4, 0), 4),
        ((1.1e-4, 0), 0),
        ((3.0, 0), 0),
        ((3e-7, np.inf), 0),
        ((np.nan, 0), 0),
    ],
)
def test_digits_that_are_right_are_counted_in_the_worst_part(shares: tuple[float, float], right: int) -> None:
    """Fewer than four are not worth a word."""
    assert digits(*shares) == right


def test_in_the_worst_answer() -> None:
    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        return {"loss": network.loss(w, x, y) * (1 + {7: 3e-9, 6: 3e-6}.get(len(x), 0))}

    assert "About 5 digits are right" in said(target, *SAMPLES, CASE)


def test_nothing_is_right_of_what_is_not_zero() -> None:
    """The gradient of the first weight is zero, if the samples are."""
    zero = CASE._replace(x=0 * CASE.x)

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        return {"gradient": network.loss_and_gradient(w, x, y)[1] + (0 if x.any() else 1e-9)}

    assert "digits" not in said(target, zero, *SAMPLES)


def test_of_numbers_that_are_too_far_apart_to_subtract_no_digit_is_right() -> None:
    """½·1e154² is 5e307; less −1.7e308 it is beyond all numbers."""
    identity = Network(refnn.Identity(), loss=refnn.SquaredError())
    case = Case(identity, np.zeros(0), np.zeros((1, 1)), np.array([[1e154]]))
    assert "digits" not in said(lambda network, w, x, y: {"loss": -1.7e308}, case)


# ---------------------------------------------------------------------------------------------------- the first of them


def test_where_loss_and_gradient_are_wrong_the_loss_is_named() -> None:
    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        answer = network.evaluate(w, x, y)
        return {**answer._asdict(), "loss": answer.loss**2, "gradient": answer.gradient**3}

    text = said(target, CASE)
    assert f"Its outputs are right and its loss is not: look at {NETWORK.loss_function}." in text


def test_without_outputs_the_gradient_is() -> None:
    """Which layer is to blame is seen of it, and of the loss alone it is not."""

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        return loss**2, gradient**3

    assert "Its gradient is wrong from layer 2, Dense(" in said(target, CASE)


def test_where_is_told_of_the_first_wrong_answer_that_tells_it() -> None:
    """About five samples the loss alone is wrong, and about others something else."""

    def target(field: str) -> Callable[..., object]:
        def answer(network: Network, w: Any, x: Any, y: Any) -> object:
            answer = network.evaluate(w, x, y)._asdict()
            wrong = "loss" if len(x) == 5 else field
            return {**answer, wrong: 2 * answer[wrong] + 1}

        return answer

    five, six = SAMPLES[2], SAMPLES[1]
    assert "Its outputs are wrong from layer" in said(target("outputs"), six, five)
    assert "its loss is not: look at" in said(target("outputs"), five, six)
    assert "its loss is not: look at" in said(target("input_gradient"), six, five)


def test_gradients_of_parameters_are_told_of_though_a_deeper_network_has_other_faults() -> None:
    shallow = seeded_case(Network(refnn.Dense(2, 3), loss=refnn.SquaredError()), (4, 2), seed=1)

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        e = network.evaluate(w, x, y)
        return (
            {"gradient": e.gradient**3}
            if len(network.layers) == 1
            else {"gradient": e.gradient, "input_gradient": e.input_gradient**3}
        )

    where = "Its gradient is wrong from layer 0, Dense(inputs=2, outputs=3)"
    assert f"numbers. {where}" in said(target, shallow, CASE)
    assert f"numbers. Asked about {shallow.network}: {where}" in said(target, CASE, shallow)


def test_where_is_told_of_the_question_that_is_shown() -> None:
    """Of three layers, whatever there is to say of five; and their numbers are those of the layers that are named."""

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        parts = network.unpack(network.loss_and_gradient(w, x, y)[1])
        return {"gradient": {name: part**3 if name < "2" else part for name, part in parts.items()}}

    deep = Network(*DEEP.layers, refnn.ELU(), refnn.Dense(3, 5), loss=refnn.SquaredError())
    cases = [seeded_case(network, (4, 2), seed=1) for network in (DEEP, deep)]
    text = said(target, *cases)
    assert f"look between them, at 0 {DEEP.layers[0]}, 1 {DEEP.layers[1]}, 2 {DEEP.layers[2]}." in text
    assert "Asked about" not in text
    assert f"Asked about {NETWORK}: " in said(where_wide(DEEP), seeded_case(DEEP, (4, 2), seed=1), CASE)


def where_wide(network: Network) -> Callable[..., object]:
    """Of a network, the gradient in the samples alone is wrong; of others, all of it."""

    def target(other: Network, w: Any, x: Any, y: Any) -> object:
        e = other.evaluate(w, x, y)
        name = "input_gradient" if repr(other) == repr(network) else "gradient"
        return {**e._asdict(), name: getattr(e, name) ** 3}

    return target


def test_all_fields_that_are_wrong_are_named_whichever_answer_shows_it() -> None:
    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        e = network.evaluate(w, x, y)
        if len(x) == 5:
            return {"loss": e.loss**2, "input_gradient": e.input_gradient}
        return {"loss": e.loss, "input_gradient": e.input_gradient**3}

    assert "Only input_gradient, loss are wrong." in said(target, *SAMPLES)


# ------------------------------------------------------------------------------------------- what is handed back there


def evaluating(change: Callable[[Any, Network, Any], object]) -> Callable[..., object]:
    """A right answer that is changed, by its fields, of which the gradient is by parts."""

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        answer: dict[str, Any] = network.evaluate(w, x, y)._asdict()
        return change({**answer, "gradient": network.unpack(answer["gradient"])}, network, x)

    return target


def gradient_of(implementation: planted.Implementation) -> Callable[..., object]:
    return lambda network, w, x, y: {"gradient": implementation(Case(network, w, x, y), FORMATS["float64"]).gradient}


SOME = r"(\S+(?:, \S+)*)"
DERIVATIVE = rf"With the output {SOME} and the target {SOME} it has the derivative {SOME}, not {SOME}\.(?: |$)"
SLOPE = rf"At z = {SOME} its slope of \S+ is {SOME}, not {SOME}\.(?: |$)"


def numbers(pattern: str, text: str) -> list[list[float]]:
    found = re.search(pattern, text)
    assert found is not None, text
    return [[float(number) for number in group.removesuffix(", …").split(", ")] for group in found.groups()]


def alike(found: list[float], true: list[float], steep: float, *given: list[float]) -> bool:
    """Numbers that are told with four digits, and functions of such, which are no steeper than that in any of them."""
    return all(
        abs(a - b) <= 5e-4 * (abs(a) + steep * math.fsum(map(abs, numbers)))
        for a, b, *numbers in zip(found, true, *given, strict=True)
    )


DEEP = Network(refnn.Dense(2, 6), refnn.Tanh(), refnn.Dense(6, 3), loss=refnn.SquaredError())
DEEPER = tuple(seeded_case(DEEP, (samples, 2), seed=samples) for samples in (7, 5))


def test_the_derivative_of_the_loss_is_told_for_an_output_and_a_target() -> None:
    """(z − t)³ in place of z − t."""
    text = said(gradient_of(planted.with_terms(refnn.SquaredError, slope=lambda f, z, t: (z - t) ** 3)), *DEEPER)
    z, t, mine, true = numbers(DERIVATIVE, text)
    assert len(z) == len(t) == 3
    off = [a - b for a, b in zip(z, t, strict=True)]
    assert alike(mine, [a**3 for a in off], 3 * max(abs(a) + 1e-3 for a in off) ** 2, z, t)
    assert alike(true, off, 1, z, t)


def test_of_many_outputs_the_wrong_ones_are_told() -> None:
    """The sixth of seven, whose derivative is 1 too large; four numbers are told."""
    wide = Network(refnn.Dense(2, 7), loss=refnn.SquaredError())

    def change(answer: Any, network: Network, x: Any) -> object:
        answer["gradient"]["0.bias"][5] += 1
        return {"gradient": answer["gradient"]}

    z, t, mine, true = numbers(DERIVATIVE, said(evaluating(change), seeded_case(wide, (5, 2), seed=3)))
    assert alike(true, [a - b for a, b in zip(z, t, strict=True)], 1, z, t)
    assert alike(mine, [true[0] + 1, *true[1:]], 1, true)
    assert len(mine) == 4


@pytest.mark.parametrize(("outputs", "more"), [(4, 0), (5, 4)])
def test_numbers_are_told_with_as_many_digits_as_tell_them_apart(outputs: int, more: int) -> None:
    """Off by a billionth; and that there are more than four of them."""
    wide = Network(refnn.Dense(2, outputs), loss=refnn.SquaredError())

    def change(answer: Any, network: Network, x: Any) -> object:
        answer["gradient"]["0.bias"][2] *= 1 + 1e-9
        return {"gradient": answer["gradient"]}

    text = said(evaluating(change), seeded_case(wide, (5, 2), seed=3))
    _, _, mine, true = numbers(DERIVATIVE, text)
    assert 0 < abs(mine[0] / true[0] - 1) < 1e-8  # the last digit that is told is at most nine off
    assert mine[1:] == true[1:]
    assert len(mine) == 4
    assert text.count("…") == more


SLOPES: dict[str, tuple[Callable[[Any], Any], Callable[[float], float], Callable[[float], bool]]] = {
    "everywhere": (np.cos, math.cos, lambda z: True),
    "where z is positive": (
        lambda z: planted.where(z > 0, 0.25 + 0 * z, 1 - np.tanh(z) * np.tanh(z)),
        lambda z: 0.25,
        lambda z: z > 0,
    ),
    "no number": (lambda z: z * math.nan, lambda z: math.nan, lambda z: True),
}


@pytest.mark.parametrize("where", SLOPES)
def test_the_slope_of_an_activation_is_told_where_it_is_wrong(where: str) -> None:
    program, own, at = SLOPES[where]
    text = said(gradient_of(planted.with_unit(refnn.Tanh, slope=lambda f, z: program(z))), *DEEPER)
    z, mine, true = numbers(SLOPE, text)
    assert 0 < len(z) <= 4
    assert all(map(at, z))
    assert "its slope of Tanh() is" in text
    assert all(map(math.isnan, mine)) if where == "no number" else alike(mine, [own(v) for v in z], 1, z)
    assert alike(true, [1 / math.cosh(v) ** 2 for v in z], 1, z)


def test_a_slope_that_should_be_zero_is_told() -> None:
    """A leak of 1/8, where ReLU has none."""
    network = Network(refnn.Dense(2, 6), refnn.ReLU(), refnn.Dense(6, 3), loss=refnn.SquaredError())
    leaks = planted.with_unit(refnn.ReLU, slope=lambda f, z: planted.where(z > 0, 1 + 0 * z, 0.125))
    z, mine, true = numbers(SLOPE, said(gradient_of(leaks), seeded_case(network, (5, 2), seed=3)))
    assert max(z) < 0
    assert set(mine) == {0.125}
    assert set(true) == {0}


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_slopes_are_told_in_formats_of_16_bits(name: str) -> None:
    """Two and a half in place of 1."""
    network = Network(refnn.Dense(2, 6), refnn.ReLU(), refnn.Dense(6, 3), loss=refnn.SquaredError())
    steep = planted.with_unit(refnn.ReLU, slope=lambda f, z: planted.where(z > 0, 2.5 + 0 * z, 0))

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        return {"gradient": steep(Case(network, w, x, y), FORMATS[name]).gradient}

    z, mine, true = numbers(SLOPE, said(target, seeded_case(network, (5, 2), seed=3), name=name))
    assert min(z) > 0
    assert all(abs(value - 2.5) < 16 * 2.0**-9 * 2.5 for value in mine)  # a dozen roundings, where little cancels
    assert set(true) == {1}


def handed_back(change: Callable[[Any], Any]) -> Callable[..., object]:
    """The cotangent that the last layer hands back is made of another matrix."""

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        p = network.parameters(w)
        h = network.forward(p, x)
        delta = (h[-1] - y) / len(x)
        before = delta @ change(p[2][0]).T * (1 - h[2] ** 2)
        first = {"0.weight": x.T @ before, "0.bias": before.sum(0)}
        return {"gradient": {**first, "2.weight": h[2].T @ delta, "2.bias": delta.sum(0)}}

    return target


@pytest.mark.parametrize(
    "change",
    [
        lambda weight: weight[::-1],
        lambda weight: weight + 0.25,
        lambda weight: weight**2,
        lambda weight: weight + np.inf,
    ],
    ids=["reversed", "shifted", "squared", "infinite"],
)
def test_what_a_layer_hands_back_is_no_slope(change: Callable[[Any], Any]) -> None:
    text = said(handed_back(change), *DEEPER)
    assert "right down to layer 2, and wrong from layer 0 on: look between them" in text
    assert "slope" not in text


def test_a_factor_of_what_is_handed_back_looks_like_one_of_the_slope() -> None:
    z, mine, true = numbers(SLOPE, said(handed_back(lambda weight: 3 * weight), *DEEPER))
    assert alike(mine, [3 * v for v in true], 3, true)
    assert alike(true, [1 / math.cosh(v) ** 2 for v in z], 1, z)


def only_about(samples: Callable[[int], bool], target: Callable[..., object]) -> Callable[..., object]:
    return lambda network, w, x, y: (target if samples(len(x)) else of.right)(network, w, x, y)


def answering_once(network: Network, w: Any, x: Any, y: Any) -> object:
    """Of a single sample, about the first parameters alone."""
    first = seeded_case(network, (1, 2), seed=1)
    if len(x) == 1 and not np.array_equal(w, first.w):
        raise refnn.Unsupported("these")
    return gradient_of(planted.with_unit(refnn.Tanh, slope=lambda f, z: np.cos(z)))(network, w, x, y)


def in_weights(answer: Any, network: Network, x: Any) -> object:
    return {"gradient": {k: v**3 if "weight" in k else v for k, v in answer["gradient"].items()}}


def in_first_biases(answer: Any, network: Network, x: Any) -> object:
    return {"gradient": {k: v**3 if k == "0.bias" else v for k, v in answer["gradient"].items() if k != "2.bias"}}


def cubed(network: Network, w: Any, x: Any, y: Any) -> object:
    loss, gradient = network.loss_and_gradient(w, x, y)
    return loss, gradient**3


UNTOLD: dict[str, tuple[Callable[..., object], Network]] = {
    "one sample is right": (only_about(lambda n: n > 1, cubed), DEEP),
    "one sample is not answered": (
        lambda network, w, x, y: of.crashes(network, w, x, y) if len(x) == 1 else cubed(network, w, x, y),
        DEEP,
    ),
    "one question alone is answered": (answering_once, DEEP),
    "weights alone": (evaluating(in_weights), DEEP),
    "nothing is said of the next layer": (evaluating(in_first_biases), DEEP),
    "an activation is last": (cubed, Network(refnn.Dense(2, 3), refnn.Tanh(), loss=refnn.SquaredError())),
    "no activation follows": (
        evaluating(in_first_biases),
        Network(refnn.Dense(2, 3), Scale(3), refnn.Dense(3, 4), loss=refnn.SquaredError()),
    ),
    "the first layer is one's own": (cubed, Network(Factor(), loss=refnn.SquaredError())),
}


@pytest.mark.parametrize("what", UNTOLD)
def test_otherwise_no_numbers_are_told(what: str) -> None:
    target, network = UNTOLD[what]
    text = said(target, *(seeded_case(network, (samples, 2), seed=samples) for samples in (7, 5)))
    assert "Its gradient is wrong from layer" in text or "wrong from layer 0 on: look between them" in text
    assert "it has the derivative" not in text
    assert "its slope of" not in text


# --------------------------------------------------------------------------------------------- numbers that are no such

LARGE = Case(
    Network(refnn.Dense(2, 3), loss=refnn.SoftmaxCrossEntropy()),
    np.array([[1000.0, 0, -1000], [0, 0.5, 0.25], [0.125, 0.25, 0.5]]).ravel(),
    np.array([[1.0, 2], [-1, 0.5]]),
    np.array([1, 2]),
)
"""Logits of ±1000, whose exponentials are beyond all numbers."""


def naively(network: Network, w: Any, x: Any, y: Any) -> object:
    outputs = network.predict(w, x)
    e = np.exp(outputs)
    return {"outputs": outputs, "loss": -np.log((e / e.sum(1, keepdims=True))[np.arange(len(y)), y]).mean()}


def test_what_overflows_is_told() -> None:
    text = said(naively, LARGE)
    assert "Some of its numbers are not finite, and the truth is: does an exponential overflow" in text


def test_of_numbers_that_are_finite_it_is_not() -> None:
    assert "finite" not in said(cubed, *SAMPLES)


def test_nor_of_those_that_may_overflow_in_their_format() -> None:
    """300·300 is beyond 65504, the largest number of float16; and a loss of 300 is not ½·300²."""
    network = Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    case = Case(network, np.array([300.0, 0.0]), np.ones((1, 1)), np.zeros((1, 1)))
    text = said(lambda *_: {"loss": 300.0, "input_gradient": [[np.inf]]}, case, name="float16")
    assert "Only loss is wrong." in text
    assert "finite" not in text
    assert "finite" in said(lambda *_: {"loss": np.inf, "input_gradient": [[np.inf]]}, case, name="float16")


# ------------------------------------------------------------------------------------------------------- another order

ORDER = "Its gradient has the right numbers, in another order."


def turned(network: Network, w: Any, x: Any, y: Any) -> object:
    loss, gradient = network.loss_and_gradient(w, x, y)
    return loss, gradient[::-1]


@pytest.mark.parametrize("target", [turned, of.in_columns])
def test_another_order_is_told_alone(target: Callable[..., object]) -> None:
    assert said(target, *SAMPLES) == ORDER


def ordered(answer: Any, network: Network, x: Any) -> Any:
    gradient = network.pack(answer["gradient"])
    return {**answer, "gradient": np.sort(gradient)}


NO_ORDER: dict[str, Callable[..., object]] = {
    "the loss alone": evaluating(lambda answer, network, x: {**answer, "loss": answer["loss"] ** 2}),
    "the loss, too": evaluating(lambda answer, network, x: {**ordered(answer, network, x), "loss": 1 + answer["loss"]}),
    "the input's, too": evaluating(
        lambda answer, network, x: {**ordered(answer, network, x), "input_gradient": answer["input_gradient"] ** 2}
    ),
    "a part alone": evaluating(
        lambda answer, network, x: {"gradient": {"2.weight": answer["gradient"]["2.weight"][::-1]}}
    ),
    "other numbers": cubed,
    "other numbers about seven samples": lambda network, w, x, y: (cubed if len(x) == 7 else turned)(network, w, x, y),
    "no numbers": evaluating(
        lambda answer, network, x: {"gradient": network.pack(answer["gradient"]) * np.nan},
    ),
    "numbers too far apart to subtract": evaluating(
        lambda answer, network, x: {"gradient": np.where(network.pack(answer["gradient"]) > 0, -1.7e308, 1.7e308)}
    ),
}


@pytest.mark.parametrize("what", NO_ORDER)
def test_otherwise_it_is_no_order(what: str) -> None:
    assert ORDER not in said(NO_ORDER[what], *SAMPLES)


@pytest.mark.parametrize(
    "network",
    [Network(refnn.Tanh(), loss=refnn.SquaredError()), Network(Factor(), loss=refnn.SquaredError())],
    ids=["no parameters", "one"],
)
def test_less_than_two_parameters_have_no_order(network: Network) -> None:
    target = evaluating(lambda answer, network, x: {**answer, "input_gradient": 2 * answer["input_gradient"]})
    assert ORDER not in said(target, seeded_case(network, (4, 2), seed=1))


# ------------------------------------------------------------------------------------- outputs, and what they depend on


def without(*names: str) -> Callable[..., object]:
    """Outputs, as if some parameters were zero."""

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        named = {name: part * (name not in names) for name, part in network.unpack(w).items()}
        return {"outputs": network.predict(network.pack(named), x)}

    return target


@pytest.mark.parametrize("names", [("0.bias",), ("0.bias", "2.bias"), ("0.weight", "0.bias", "2.weight")])
def test_parameters_that_are_not_used_are_told(names: tuple[str, ...]) -> None:
    assert f"Its outputs do not depend on {', '.join(names)}." in said(without(*names), *SAMPLES)


def outputs_of(function: Callable[[Any], Any]) -> Callable[..., object]:
    return lambda network, w, x, y: {"outputs": function(network.predict(w, x))}


def softmax(z: Any) -> Any:
    """Without the largest, so that what all have in common cancels exactly, if it is a sum of few binary digits."""
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


DEPENDENT: dict[str, Callable[..., object]] = {
    "the bias is added twice": lambda network, w, x, y: {
        "outputs": network.predict(w, x) + network.unpack(w)["2.bias"]
    },
    "probabilities": outputs_of(lambda z: softmax(np.round(z * 2**20) / 2**20)),
    "no outputs": evaluating(lambda answer, network, x: {"loss": answer["loss"] ** 2}),
    "right outputs": evaluating(lambda answer, network, x: {"outputs": answer["outputs"], "loss": answer["loss"] ** 2}),
    "no numbers": outputs_of(lambda z: z * np.nan),
    "no outputs of other parameters": lambda network, w, x, y: (
        outputs_of(np.square)(network, w, x, y) if w[0] == SAMPLES[0].w[0] else {"loss": network.loss(w, x, y)}
    ),
}


@pytest.mark.parametrize("what", DEPENDENT)
def test_otherwise_outputs_depend_on_all(what: str) -> None:
    assert "do not depend" not in said(DEPENDENT[what], *SAMPLES[:1])


def test_what_would_not_change_them_is_used() -> None:
    """The first weight is multiplied with zeros; without biases, nothing is left."""
    zero = CASE._replace(x=0 * CASE.x)
    assert "Its outputs do not depend on 0.bias, 2.weight, 2.bias." in said(outputs_of(lambda z: 0 * z), zero)


def test_nor_is_what_changes_them_by_less_than_a_rounding_unused() -> None:
    """In float16, tanh is 1 from 4.5 on, and here of 6 and more; the outputs are wrong, as they are twice that."""
    network = Network(refnn.Dense(2, 3), refnn.Tanh(), loss=refnn.SquaredError())
    case = Case(network, np.full(9, 2.0), np.ones((4, 2)), np.zeros((4, 3)))

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        z = network.forward(network.parameters(w.astype(float)), x.astype(float))[-1]
        return {"outputs": (2 * z).astype(np.float16)}

    text = said(target, case, name="float16")
    assert "Its outputs are wrong from layer" in text
    assert "do not depend" not in text


MIXED = "The outputs of one sample depend on another sample"


@pytest.mark.parametrize(
    "function",
    [lambda z: z - z.mean(0), lambda z: softmax(z.T).T, lambda z: np.vstack([z[1:], z[:1]]), lambda z: z + z[::-1]],
    ids=["centred", "softmax over samples", "shifted", "of its mirror"],
)
def test_samples_that_depend_on_others_are_told(function: Callable[[Any], Any]) -> None:
    assert MIXED in said(outputs_of(function), *SAMPLES)


def almost(last: dict[int, int]) -> Callable[..., object]:
    """Twice the outputs, whose last bits differ from call to call."""

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        last[0] = last.get(0, 0) + 1
        return {"outputs": 2 * network.predict(w, x) * (1 + 2.0**-52 * (last[0] % 2))}

    return target


SINGLE: dict[str, Callable[..., object]] = {
    "each for itself": outputs_of(np.square),
    "no numbers": outputs_of(lambda z: z * np.nan),
    "by a rounding": almost({}),
    "no outputs": evaluating(lambda answer, network, x: {"loss": answer["loss"] ** 2}),
    "right outputs": evaluating(lambda answer, network, x: {"outputs": answer["outputs"], "loss": answer["loss"] ** 2}),
    "no outputs of other samples": lambda network, w, x, y: (
        outputs_of(np.square)(network, w, x, y) if x[-1, 0] == SAMPLES[0].x[-1, 0] else {"loss": 1.0}
    ),
    "no answer about other samples": lambda network, w, x, y: (
        outputs_of(np.square) if x[-1, 0] == SAMPLES[0].x[-1, 0] else of.crashes
    )(network, w, x, y),
}


@pytest.mark.parametrize("what", SINGLE)
def test_otherwise_each_depends_on_itself(what: str) -> None:
    assert MIXED not in said(SINGLE[what], SAMPLES[0])


def test_a_single_sample_depends_on_no_other() -> None:
    assert MIXED not in said(outputs_of(lambda z: z - z.mean(0) + 1), seeded_case(NETWORK, (1, 2), seed=3))


# ------------------------------------------------------------------------------------------------ right if it is square

SQUARE = "It is right where all layers have as many inputs as outputs: look at its indices and transposes."


def rows_as_long_as_columns(network: Network, w: Any, x: Any, y: Any) -> object:
    """Weights are read from a buffer in rows of so many numbers as there are inputs."""
    named = {
        name: part.ravel()[np.add.outer(part.shape[0] * np.arange(part.shape[0]), np.arange(part.shape[1])) % part.size]
        if part.ndim == 2
        else part
        for name, part in network.unpack(w).items()
    }
    return network.loss_and_gradient(network.pack(named), x, y)


def where(condition: Callable[[Any], bool]) -> Callable[..., object]:
    """Wrong about some networks, by the widths of their layers."""

    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        widths = [(layer.inputs, layer.outputs) for layer in network.layers if isinstance(layer, refnn.Dense)]
        return (cubed if condition(widths) else of.right)(network, w, x, y)

    return target


def is_square(widths: Any) -> bool:
    return all(inputs == outputs for inputs, outputs in widths)


@pytest.mark.parametrize(
    "target",
    [
        rows_as_long_as_columns,
        where(lambda widths: not is_square(widths)),
        where(lambda widths: any(inputs < outputs for inputs, outputs in widths)),
        where(lambda widths: widths[0][0] < widths[0][1]),
    ],
    ids=["rows as long as columns", "not square", "wider", "wider first"],
)
def test_what_shows_in_layers_that_are_not_square_alone_is_told(target: Callable[..., object]) -> None:
    assert SQUARE in said(target, *SAMPLES[:2])


def about_five_and_three_nothing(network: Network, w: Any, x: Any, y: Any) -> object:
    if not is_square([(p.shape[0], p.shape[-1]) for p in network.unpack(w).values() if p.ndim == 2]) and len(x) == 4:
        raise refnn.Unsupported("these")
    return cubed(network, w, x, y) if len(x) > 4 else of.right(network, w, x, y)


NOT_SQUARE: dict[str, Callable[..., object]] = {
    "everywhere": cubed,
    "where it is square, too": where(lambda widths: widths[0][1] < 6),
    "with one output": where(lambda widths: widths[-1][1] == 1),
    "of a width": where(lambda widths: any(2 in pair for pair in widths)),
    "of another width": where(lambda widths: any(5 in pair for pair in widths)),
    "where others are not answered": about_five_and_three_nothing,
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("what", NOT_SQUARE)
def test_what_shows_elsewhere_is_not_right_where_layers_are_square(what: str) -> None:
    one = Network(refnn.Dense(2, 3), refnn.ReLU(), refnn.Dense(3, 1), loss=refnn.SquaredError())
    case = seeded_case(one if what == "with one output" else NETWORK, (7, 2), seed=7)
    assert SQUARE not in said(NOT_SQUARE[what], case)


@pytest.mark.parametrize(
    "network",
    [
        Network(refnn.Dense(2, 4), Scale(4), refnn.Dense(4, 5), loss=refnn.SquaredError()),
        Network(refnn.Dense(2, 4), loss=refnn.SoftmaxCrossEntropy(class_weights=(1, 2, 3, 0.5))),
        Network(refnn.Tanh(), loss=refnn.SquaredError()),
    ],
    ids=["a layer of one's own", "weights of classes", "no dense layers"],
)
def test_networks_that_cannot_be_made_square_are_not(network: Network) -> None:
    def target(network: Network, w: Any, x: Any, y: Any) -> object:
        return {"loss": network.loss(w, x, y) ** (1 if x.shape[1] > 2 else 3)}

    assert SQUARE not in said(target, seeded_case(network, (7, 2), seed=7))


# ----------------------------------------------------------------------------------------------------- predictions

CLASSES = Network(refnn.Dense(2, 3), loss=refnn.SoftmaxCrossEntropy())
PROBABILITIES = Layout(outputs="probabilities")


def probe(network: Network, layout: Layout) -> Probe:
    told = replace(terms(), layout=layout)
    (one,) = probes_of(lambda *a: {"loss": a[0].loss(*a[1:])}, seeded_case(network, (2, 2), seed=1), told)
    return one


def test_a_prediction_is_laid_out_as_the_answer_is() -> None:
    """Of logits 0, log 2 and log 5 the probabilities are 1/8, 1/4 and 5/8; of large ones, 0 and 1."""
    predicted = {"outputs": np.array([[0, math.log(2), math.log(5)], [-1e4, 1e4, 0]]), "loss": np.array(2.0)}
    found = probe(CLASSES, PROBABILITIES).laid_out(predicted)
    true = np.array([[1 / 8, 1 / 4, 5 / 8], [0, 1, 0]])
    assert (np.abs(found["outputs"] - true) <= 16 * 2.0**-53 * true).all()  # of logarithms up to 2.1, their sum and exp
    assert found["loss"] == 2
    assert set(found) == {"outputs", "loss"}


@pytest.mark.parametrize(
    ("network", "layout", "name"),
    [(CLASSES, Layout(), "outputs"), (CLASSES, PROBABILITIES, "loss"), (NETWORK, PROBABILITIES, "outputs")],
)
def test_otherwise_it_is_as_it_is(network: Network, layout: Layout, name: str) -> None:
    predicted = {name: np.array([[3.0, 4.0]])}
    assert probe(network, layout).laid_out(predicted) is predicted
