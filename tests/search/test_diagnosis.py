"""The diagnosis: layouts, coarser formats, faults on several questions, and where an implementation departs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

import refnn
from refnn.arithmetic.precision import precision_named
from refnn.layers import Layer
from refnn.network import Network
from refnn.search.checking import _diagnosed
from refnn.search.diagnosis import Diagnosis, diagnose, layout_of
from refnn.search.drawing import Drawn, drawn, seeded_case
from refnn.search.examining import Kind, Outcome, Terms
from refnn.search.search import Failure
from refnn.search.target import Layout
from refnn.strategies import Case, networks
from tests.oracle.faults import FORMATS, with_unit
from tests.search import implementations as of
from tests.witnesses.networks import Scale

TERMS = Terms(
    precision=precision_named("float64"),
    layout=Layout(),
    failure_probability=1e-12,
    time_limit=None,
    deterministic=False,
)
NETWORK = refnn.Network(
    refnn.Dense(2, 3),
    refnn.Tanh(),
    refnn.Dense(3, 4),
    refnn.Tanh(),
    refnn.Dense(4, 1),
    loss=refnn.SquaredError(),
)


def others(network: Network) -> Iterator[Case]:
    """The same layers, of other widths and numbers of samples."""
    for number, samples in enumerate((5, 4, 7, 3, 6)):
        widths = iter(np.roll((3, 4, 2, 5, 6), number).tolist())
        before, layers = next(widths), list[Layer]()
        for layer in network.layers:
            layers.append(layer)
            if isinstance(layer, refnn.Dense):
                after = next(widths)
                layers[-1], before = refnn.Dense(before, after), after
        other = Network(*layers, loss=network.loss_function)
        yield seeded_case(other, (samples, other.inputs or 3), seed=number)


def found(
    target: Any, network: Network = NETWORK, *, fixed: bool = False, terms: Terms = TERMS, samples: int = 3
) -> Diagnosis:
    case = seeded_case(network, (samples, network.inputs or 2), seed=1)
    same = (seeded_case(network, (k, network.inputs or 2), seed=k) for k in (5, 4, 7, 3, 6))
    return diagnose(target, [case], same if fixed else others(network), terms)


def test_another_layout_is_asked_about_first() -> None:
    diagnosis = found(of.of_torch)
    assert diagnosis.layout == Layout(weights="outputs, inputs")
    assert "layout=refnn.Layout(weights='outputs, inputs')" in str(diagnosis)
    assert diagnosis.fault is None


def test_so_is_another_order_of_the_gradient_alone() -> None:
    assert str(found(of.in_columns)).startswith("layer/gradient layout: ")


def test_one_who_has_said_their_layout_is_not_asked() -> None:
    terms = Terms(
        precision=TERMS.precision,
        layout=Layout(samples="columns"),
        failure_probability=1e-12,
        time_limit=None,
        deterministic=False,
    )

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        return of.upside_down(network, w, x.T, y.T)

    diagnosis = found(mine, terms=terms)
    assert diagnosis.fault is not None
    assert diagnosis.fault.id == "G11"


def test_numbers_of_a_coarser_format_are_known() -> None:
    assert str(found(of.in_float32)).startswith("Its numbers are those of float32")


def test_a_convention_says_how_to_ask_for_it() -> None:
    """PyTorch's mean of the squares of all elements."""
    torch_has = refnn.Network(*NETWORK.layers, loss=refnn.SquaredError(reduction="elements", scale=2))

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        loss = refnn.SquaredError(reduction="elements", scale=2)
        return of.right(Network(*network.layers, loss=loss), w, x, y)

    assert found(of.right, torch_has).departs == "It answers much the same questions rightly."
    two = refnn.Network(refnn.Dense(2, 3), refnn.Tanh(), refnn.Dense(3, 2), loss=refnn.SquaredError())
    diagnosis = found(mine, two)
    assert diagnosis.fault is not None
    assert diagnosis.fault.convention
    assert f"That is a convention: {diagnosis.fault.convention}." in str(diagnosis)


def test_it_is_named_by_several_questions() -> None:
    diagnosis = found(of.summed)
    assert diagnosis.fault is not None
    assert diagnosis.fault.id == "L3"
    assert diagnosis.questions == 6
    assert "It happened before: ML-From-Scratch #38" in str(diagnosis)
    assert "on 6 questions where it shows" in str(diagnosis)


def test_a_coincidence_on_one_question_does_not_name_it() -> None:
    """A factor of 3 is that of the samples of the first question only."""

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        return loss, 3 * gradient

    diagnosis = found(mine)
    assert diagnosis.fault is None or "N" not in diagnosis.fault.id


def test_a_factor_of_two_of_all_losses_is_not_the_half_of_one() -> None:
    """Of the squared error it would be; not of others."""

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        return loss, 2 * gradient

    case = seeded_case(NETWORK, (3, 2), seed=1)
    another = Network(*NETWORK.layers, loss=refnn.Huber())
    alone = diagnose(mine, [case], others(NETWORK), TERMS)
    both = diagnose(mine, [case], [*others(NETWORK), *others(another)], TERMS)
    assert alone.fault is not None
    assert both.fault is not None
    assert (alone.fault.id, both.fault.id) == ("L3c/gradient", "gradient times 2")


def test_gradients_that_add_up_are_told_before_anything_else() -> None:
    """The first of them is right."""
    sums = dict[str, Any]()

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        sums["all"] = sums.get("all", 0) + gradient
        return loss, sums["all"].copy()

    diagnosis = diagnose(mine, [seeded_case(NETWORK, (3, 2), seed=1)], [], TERMS)
    assert diagnosis.fault is None
    assert str(diagnosis).startswith("The gradients of successive calls add up")


FEW = (seeded_case(NETWORK, (5, 2), seed=2), seeded_case(NETWORK, (4, 2), seed=3))


def test_one_kind_of_activation_alone_may_have_a_fault() -> None:
    """The slope of tanh is missing, and not that of σ."""
    network = Network(refnn.Dense(2, 3), refnn.Tanh(), refnn.Dense(3, 4), refnn.Sigmoid(), loss=refnn.SquaredError())
    cases = [seeded_case(network, (samples, 2), seed=samples) for samples in (3, 5)]
    program = with_unit(refnn.Tanh, slope=lambda f, z: 1 + 0 * z)

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        return {"gradient": program(Case(network, w, x, y), FORMATS["float64"]).gradient}

    other = Case(Network(*network.layers, refnn.Tanh(), loss=network.loss_function), cases[1].w, *cases[1][2:])
    diagnosis = diagnose(mine, cases, [other], TERMS)
    assert diagnosis.fault is not None
    assert (diagnosis.fault.id, diagnosis.questions) == ("G7/slope missing", 3)


def test_what_is_right_of_another_kind_does_not_contradict_a_fault() -> None:
    """The slope of tanh is missing; that of ReLU is not, in a network that has no tanh."""
    program = with_unit(refnn.Tanh, slope=lambda f, z: 1 + 0 * z)

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        return {"gradient": program(Case(network, w, x, y), FORMATS["float64"]).gradient}

    layers = (refnn.ReLU() if isinstance(layer, refnn.Tanh) else layer for layer in NETWORK.layers)
    other = seeded_case(Network(*layers, loss=NETWORK.loss_function), (5, 2), seed=2)
    diagnosis = diagnose(mine, FEW, [other], TERMS)
    assert diagnosis.fault is not None
    assert (diagnosis.fault.id, diagnosis.questions) == ("G7/slope missing", 2)


def test_at_its_end_nothing_else_is_asked() -> None:
    """But what failed, which was answered in time."""
    asked = list[int]()

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        asked.append(len(x))
        loss, gradient = network.loss_and_gradient(w, x, y)
        return loss, len(x) * gradient

    diagnosis = diagnose(mine, FEW[:1], FEW, TERMS, deadline=-math.inf)
    assert diagnosis.fault is not None
    assert (diagnosis.fault.id, diagnosis.questions) == ("L3", 1)
    assert 4 not in asked


def test_what_answers_no_more_is_told_so() -> None:
    assert str(diagnose(of.crashes, FEW, [], TERMS)) == "Asked once more, it does not answer."


def decays(network: Network, w: Any, x: Any, y: Any) -> object:
    loss, gradient = network.loss_and_gradient(w, x, y)
    return loss, gradient + 0.02 * w


def clips(network: Network, w: Any, x: Any, y: Any) -> object:
    loss, gradient = network.loss_and_gradient(w, x, y)
    return loss, gradient * min(1, 0.25 / np.linalg.norm(gradient))


@pytest.mark.parametrize(
    ("mine", "id_"),
    [(decays, "gradient with a decay of the parameters, 0.02"), (clips, "gradient clipped to norm 0.25")],
)
def test_a_relation_may_have_a_number_of_its_own(mine: Any, id_: str) -> None:
    diagnosis = diagnose(mine, FEW, [], TERMS)
    assert diagnosis.fault is not None
    assert diagnosis.fault.id == id_


def test_an_error_far_below_a_format_is_not_of_it() -> None:
    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        return loss, gradient * (1 + 1e-12)

    assert "Its numbers are those of" not in str(found(mine))


def test_an_infinite_answer_is_of_no_format() -> None:
    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        return {"loss": np.inf}

    assert "Its numbers are those of" not in str(found(mine))


def test_a_fault_that_shows_once_says_so() -> None:
    """The second of two samples counts alone; other questions have more samples, and are answered rightly."""

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        return loss, gradient * (2 if len(x) == 2 else 1)

    diagnosis = found(mine, samples=2)
    assert diagnosis.fault is None  # for other questions contradict it
    assert "No fault of the catalogue" in str(diagnosis)


# ---------------------------------------------------------------------------------------------------------- departures


def test_where_outputs_depart_first() -> None:
    assert str(found(of.wrong_outputs)).endswith("Its outputs are wrong from layer 1 on, Tanh().")


def test_outputs_that_are_wrong_in_no_shorter_network() -> None:
    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        return {
            "outputs": network.predict(w, x) + (0.125 if isinstance(network.loss_function, refnn.SquaredError) else 0)
        }

    assert str(found(mine)).endswith("Its outputs are wrong.")


def test_from_where_backward_gradients_depart() -> None:
    text = str(found(of.cubed))
    assert "right down to layer 2, and wrong from layer 0 on: look between them, at 0 Dense(" in text
    assert "1 Tanh(), 2 Dense(" in text


def departing(change: Any) -> str:
    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        answer = network.evaluate(w, x, y)._asdict()
        return change(answer, network)

    return str(found(mine))


def test_gradients_that_are_wrong_from_the_last_layer_on() -> None:
    def change(answer: dict[str, Any], network: Network) -> object:
        return {"gradient": answer["gradient"] ** 3}

    assert "wrong from layer 4, Dense(inputs=4, outputs=5)" in departing(change).replace("outputs=1)", "outputs=5)")


def test_a_loss_alone_that_is_wrong() -> None:
    def change(answer: dict[str, Any], network: Network) -> object:
        return answer | {"loss": answer["loss"] ** 2}

    assert "Its outputs are right and its loss is not: look at SquaredError" in departing(change)


def test_an_input_gradient_alone_that_is_wrong() -> None:
    def change(answer: dict[str, Any], network: Network) -> object:
        return {"input_gradient": answer["input_gradient"] ** 2, "loss": answer["loss"]}

    assert departing(change).endswith("Only input_gradient is wrong.")


def test_several_fields_that_are_wrong() -> None:
    def change(answer: dict[str, Any], network: Network) -> object:
        return {"input_gradient": answer["input_gradient"] ** 2, "loss": answer["loss"] ** 2}

    assert departing(change).endswith("Only input_gradient, loss are wrong.")


# ------------------------------------------------------------------------------------------------------ other questions


def test_a_fixed_network_is_asked_with_other_numbers() -> None:
    asked = set[str]()

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        asked.add(repr(network))
        return of.upside_down(network, w, x, y)

    diagnosis = found(mine, fixed=True)
    assert asked == {repr(NETWORK)}
    assert diagnosis.fault is not None
    assert diagnosis.fault.id == "G11"


def test_layers_of_ones_own_are_no_hindrance() -> None:
    mine = refnn.Network(refnn.Dense(2, 3), Scale(3), loss=refnn.SquaredError())
    diagnosis = found(of.upside_down, mine, fixed=True)
    assert diagnosis.fault is not None
    assert diagnosis.fault.id == "G11"


def test_questions_that_are_not_supported_are_left_out() -> None:
    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        if len(x) > 5:
            raise refnn.Unsupported("so many samples")
        return of.upside_down(network, w, x, y)

    diagnosis = found(mine)
    assert diagnosis.fault is not None
    assert 0 < diagnosis.questions < 6


@pytest.mark.parametrize("size", [np.nan, np.inf])
def test_what_is_not_finite_is_held_against_what_a_fault_predicts(size: float) -> None:
    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        return loss, np.full_like(gradient, size)

    assert found(mine).fault is None


def test_others_that_fit_as_well_are_named() -> None:
    """Without a hidden layer's gradient, nothing before it moves: whether the activation is to blame or the layer."""

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        parts = network.unpack(network.loss_and_gradient(w, x, y)[1])
        return {"gradient": {name: part * (1 if name.startswith("4.") else 0) for name, part in parts.items()}}

    text = str(found(mine))
    assert "So do: " in text
    assert "G7/dense" in text


def test_what_nobody_was_seen_to_do_has_no_source() -> None:
    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        return {"gradient": 7 * gradient, "loss": 0 * loss}

    def without_biases(network: Network, w: Any, x: Any, y: Any) -> object:
        return of.without_biases(network, w, x, y)

    text = str(found(without_biases, refnn.Network(refnn.Dense(2, 3), loss=refnn.SquaredError())))
    assert text.startswith("gradient of biases zero")
    assert "It happened before" not in text


def test_numbers_beyond_a_coarser_format_are_not_of_it() -> None:
    """A target of 1e300 has no float32, and 1e5 no float16."""

    def mine(network: Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        return loss, gradient**3

    case = seeded_case(NETWORK, (3, 2), seed=1)
    large = case._replace(x=case.x * 1e100)
    assert diagnose(mine, [large], [], TERMS).fault is None


# ----------------------------------------------------------------------------------------- what is asked beside a check


def diagnosed(target: Any, kind: Kind, case: Case, strategy: st.SearchStrategy[Drawn]) -> Diagnosis | None:
    """Of the smallest question, which failed so."""
    failure = Failure(Drawn(case, "given"), Outcome(kind))
    return _diagnosed(target, failure, failure, strategy, 0, TERMS, lambda *_: None)


THREE_WAYS = Layout(weights="outputs, inputs", samples="columns", parameters="named")
DRAWN = drawn(networks(activations=[refnn.Tanh()], losses=[refnn.SquaredError()]), None, None, TERMS.precision)


def in_three_ways(network: Network, w: Any, x: Any, y: Any) -> object:
    """Samples are columns of as many, z = W x + b, and W and b have names."""
    named = {name: part.T for name, part in w.items()}
    loss, gradient = network.loss_and_gradient(network.pack(named), x.T, y.T)
    return {"loss": loss, "gradient": {name: part.T for name, part in network.unpack(gradient).items()}}


def test_a_layout_may_differ_in_several_ways() -> None:
    diagnosis = diagnosed(in_three_ways, "crashed", seeded_case(NETWORK, (5, 2), seed=1), DRAWN)
    assert diagnosis == Diagnosis(layout=THREE_WAYS)


def test_at_its_end_only_layouts_are_tried_that_differ_in_one_way() -> None:
    case = seeded_case(NETWORK, (5, 2), seed=1)
    assert layout_of(in_three_ways, [case], TERMS) == THREE_WAYS
    assert layout_of(in_three_ways, [case], TERMS, -math.inf) is None
    assert layout_of(of.of_torch, [case], TERMS, -math.inf) == Layout(weights="outputs, inputs")


def every(count: int, target: Any, otherwise: Any = of.crashes) -> Any:
    """One of so many calls is answered so, the others otherwise."""
    calls = itertools.count(1)
    return lambda *given: (otherwise if next(calls) % count else target)(*given)


def test_what_answers_when_it_is_asked_once_more_has_no_other_layout() -> None:
    """Whether at the first attempt to ask once more, or at a later one."""
    for count in (1, 2, 3):
        diagnosis = diagnosed(every(count, of.right), "crashed", FEW[0], DRAWN)
        assert diagnosis is not None
        assert str(diagnosis).startswith("Asked once more, it answers:")


def test_an_answer_at_a_later_attempt_is_no_sign_of_a_layout() -> None:
    """It has three in each layout; the rows of classes, of which there are none here, are the fourth that is tried."""
    assert layout_of(every(10, of.right), [FEW[0]], TERMS) == Layout(classes="rows")
    assert layout_of(every(11, of.right), [FEW[0]], TERMS) != Layout(classes="rows")


@pytest.mark.parametrize(("width", "questions"), [(40, 5), (5000, 1)])
def test_of_large_networks_a_few_more_are_asked(width: int, questions: int) -> None:
    """Their parameters are 40·2 + 40 + 40·13 + 13 = 653, and 80013; what has more than 20000 is not asked about."""
    large = Network(refnn.Dense(2, width), refnn.Tanh(), refnn.Dense(width, 13), loss=refnn.SquaredError())
    strategy = drawn(large, 3, None, TERMS.precision)
    small = Network(refnn.Dense(2, 40), refnn.Tanh(), refnn.Dense(40, 13), loss=refnn.SquaredError())
    diagnosis = diagnosed(of.summed, "disagrees", seeded_case(small, (3, 2), seed=1), strategy)
    assert diagnosis is not None
    assert diagnosis.fault is not None
    assert (diagnosis.fault.id, diagnosis.questions) == ("L3", questions)
    assert ("that may be chance" in str(diagnosis)) == (questions == 1)
