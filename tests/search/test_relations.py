"""Relations: each predicts numbers that stand in it to those of a little implementation, or of PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from refnn import Dense, InnerProduct, Network
from refnn.activations import Identity, Sigmoid, Tanh
from refnn.arrays import FloatArray
from refnn.losses import BinaryCrossEntropy
from refnn.oracle.budget import Question
from refnn.search.faults import Fault
from refnn.search.programs import run
from refnn.search.relations import RELATIONS, fitted, relations_of
from refnn.strategies import Case, cases
from tests.oracle import faults as planted
from tests.oracle.faults import FORMATS, HONEST
from tests.search.test_faults import IN_WORDS, MEAN, PLAIN, Known, asked_in, check, known, near
from tests.witnesses.networks import Scale

DEEP = Network(Dense(2, 3), Tanh(), Dense(3, 3), Sigmoid(), loss=BinaryCrossEntropy())


def _deep(samples: int = 7) -> Case:
    rng = np.random.default_rng(samples)
    return Case(DEEP, rng.normal(size=DEEP.size), rng.normal(size=(samples, 2)), rng.random((samples, 3)))


FIRST = ("0.weight", "0.bias", "input_gradient")
GRADIENT = ("0.weight", "0.bias", "2.weight", "2.bias", "input_gradient")
WEIGHTS, BIASES = ("0.weight", "2.weight"), ("0.bias", "2.bias")
RELATED: Mapping[str, Callable[[dict[str, FloatArray]], dict[str, Any]]] = {
    "loss times N": lambda true: {"loss": 7 * true["loss"]},
    "loss divided by outputs": lambda true: {"loss": true["loss"] / 3},
    "gradient divided by N": lambda true: {name: true[name] / 7 for name in GRADIENT},
    "gradient of parameters times outputs": lambda true: {name: 3 * true[name] for name in GRADIENT[:-1]},
    "loss and gradient halved": lambda true: {name: true[name] / 2 for name in ("loss", *GRADIENT)},
    "gradient times 2": lambda true: {name: 2 * true[name] for name in GRADIENT},
    "gradient of weights times N": lambda true: {name: 7 * true[name] for name in WEIGHTS},
    "gradient of weights zero": lambda true: {name: 0 * true[name] for name in WEIGHTS},
    "gradient of biases divided by outputs": lambda true: {name: true[name] / 3 for name in BIASES},
    "gradient of biases zero": lambda true: {name: 0 * true[name] for name in BIASES},
    "gradient of layer 0 zero": lambda true: {name: 0 * true[name] for name in ("0.weight", "0.bias")},
    "gradient of layer 2 zero": lambda true: {name: 0 * true[name] for name in ("2.weight", "2.bias")},
    "0.bias with the wrong sign": lambda true: {"0.bias": -true["0.bias"]},
    "2.weight transposed": lambda true: {"2.weight": true["2.weight"].T},
    "0.weight transposed": lambda true: {"0.weight": true["0.weight"].ravel(order="F").reshape(2, 3)},
    "0.weight zero": lambda true: {"0.weight": np.zeros((2, 3))},
    "input_gradient zero": lambda true: {"input_gradient": np.zeros((7, 2))},
    "outputs with its rows in reverse": lambda true: {"outputs": np.flipud(true["outputs"])},
    "outputs with its columns in reverse": lambda true: {"outputs": np.fliplr(true["outputs"])},
    "2.weight without its last row": lambda true: {"2.weight": true["2.weight"] * [[1], [1], [0]]},
    "2.weight without its last column": lambda true: {"2.weight": true["2.weight"] * [1, 1, 0]},
    "0.bias without its last row": lambda true: {"0.bias": true["0.bias"] * [1, 1, 0]},
    "outputs before the last activation": lambda true: {"outputs": np.log(true["outputs"] / (1 - true["outputs"]))},
    "bias before weight": lambda true: {
        name: np.roll(np.concatenate([true[f"{k}.weight"].ravel(), true[f"{k}.bias"]]), 3)[part].reshape(shape)
        for k, size in ((0, 6), (2, 9))
        for name, part, shape in (
            (f"{k}.weight", slice(size), (-1, 3)),
            (f"{k}.bias", slice(size, None), (3,)),
        )
    },
    "0.bias and 2.bias exchanged": lambda true: {"0.bias": true["2.bias"], "2.bias": true["0.bias"]},
    "layer 2 hands nothing back": lambda true: {name: 0 * true[name] for name in FIRST},
    "layer 3 hands nothing back": lambda true: {name: 0 * true[name] for name in GRADIENT},
    "the slope of layer 1 missing": lambda true: {
        name: planted.with_unit(Tanh, slope=lambda f, z: 1 + 0 * z)(_deep(), FORMATS["float64"]).parts[name]
        for name in FIRST
    },
}


@pytest.mark.parametrize("id_", RELATED)
def test_a_relation_is_to_the_right_numbers(id_: str) -> None:
    case = _deep()
    (relation,) = (fault for fault in relations_of(asked_in(case)) if fault.id == id_)
    check(Known(id_, case, RELATED[id_](HONEST(case, FORMATS["float64"]).parts)), relation)


def test_outputs_may_be_less_the_largest_of_their_row() -> None:
    (relation,) = (fault for fault in RELATIONS if fault.id == "outputs less the largest of their row")
    check(known(relation.id, PLAIN, outputs=np.log([[1 / 5, 2 / 5, 1], [1, 1, 2 / 3]])), relation)
    assert relation.predict(asked_in(MEAN)) is None


@given(cases())
def test_relations_have_names_of_their_own(case: Case) -> None:
    ids = [fault.id for fault in relations_of(asked_in(case))]
    assert len(ids) == len(set(ids))
    assert ids[: len(RELATIONS)] == [fault.id for fault in RELATIONS]
    assert any(id_.startswith("2.") for id_ in ids) == ("2.weight" in case.network.names())


# ---------------------------------------------------------------------------------------------- what a student is told

LONG = Network(*[Identity()] * 10, Dense(2, 3), loss=BinaryCrossEntropy())
OWN = Network(Scale(2), loss=InnerProduct())
TOLD = (
    (DEEP, "loss times N", "The loss came out multiplied by the number of samples."),
    (
        DEEP,
        "gradient of biases divided by outputs",
        "The gradient of all biases came out divided by the number of outputs.",
    ),
    (DEEP, "2.weight halved", "The gradient of the weight of the third layer came out halved."),
    (DEEP, "input_gradient zero", "The gradient of the samples came out as zero."),
    (DEEP, "outputs with its columns in reverse", "The outputs came out with the columns in reverse order."),
    (DEEP, "gradient of layer 0 zero", "The gradient of the first layer is zero."),
    (DEEP, "the slope of layer 3 missing", "The fourth layer hands back what it is handed, without its slope."),
    (LONG, "layer 9 hands nothing back", "The tenth layer hands nothing back."),
    (LONG, "10.bias times 2", "The gradient of the bias of a layer after the tenth came out doubled."),
    (
        OWN,
        "0.factor times N",
        "The gradient of a parameter of the first layer came out multiplied by the number of samples.",
    ),
)


def question_about(network: Network) -> Question:
    w, x = np.arange(network.size) / 4, np.full((5, 2), 0.5)
    outputs = network.forward(network.parameters(w), x)[-1]
    return asked_in(Case(network, w, x, np.full(outputs.shape, 0.25)))


@pytest.mark.parametrize(("network", "id_", "plain"), TOLD)
def test_a_student_is_told_the_relation_in_words(network: Network, id_: str, plain: str) -> None:
    assert one_of(list(relations_of(question_about(network))), id_).plain == plain


@pytest.mark.parametrize("network", [DEEP, LONG, OWN])
def test_each_relation_has_a_sentence_of_its_own(network: Network) -> None:
    """But for those of two parameters that are exchanged: which two, the report says of each wrong answer."""
    told = [fault.plain for fault in relations_of(question_about(network)) if "exchanged" not in fault.id]
    assert all(map(IN_WORDS.fullmatch, told))
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("which", ["exchanged", "times", "decay", "clipped"])
def test_numbers_and_names_of_a_relation_are_not_told(which: str) -> None:
    question = _deep()
    there = asked_in(question)
    answer = {name: 0.37 * part for name, part in HONEST(question, FORMATS["float64"]).parts.items()}
    faults = [fault for fault in (*relations_of(there), *fitted(there, answer)) if which in fault.id]
    assert faults
    assert any(set(fault.id) & set("0123456789") for fault in faults)
    assert all(IN_WORDS.fullmatch(fault.plain) for fault in faults)


# ----------------------------------------------------------------------------------------- with a number of their own

Parts = dict[str, FloatArray]
PARAMETERS = GRADIENT[:-1]


def scaled(*names: str) -> Callable[[Parts, Parts], Parts]:
    return lambda true, w: {name: 0.37 * true[name] for name in names}


def decayed(*names: str, loss: bool = False, gradient: bool = True) -> Callable[[Parts, Parts], Parts]:
    """0.01 w in the gradient, which is that of 0.005 Σ w² in the loss."""

    def answer(true: Parts, w: Parts) -> Parts:
        of_loss = {"loss": true["loss"] + 0.005 * math.fsum(float(v) ** 2 for name in names for v in w[name].ravel())}
        of_gradient = {name: true[name] + 0.01 * w[name] for name in names}
        return {**(of_loss if loss else {}), **(of_gradient if gradient else {})}

    return answer


def length(*arrays: FloatArray) -> float:
    return math.sqrt(math.fsum(float(v) ** 2 for array in arrays for v in array.ravel()))


def clipped(limit: Callable[[float], float], *, each: bool = False) -> Callable[[Parts, Parts], Parts]:
    """The gradient times a factor of its length, or each part times one of its own."""

    def answer(true: Parts, w: Parts) -> Parts:
        lengths = {name: length(*(true[k] for k in ([name] if each else PARAMETERS))) for name in PARAMETERS}
        return {name: true[name] * min(1, limit(lengths[name])) for name in PARAMETERS if limit(lengths[name]) < 1}

    return answer


FITTED: Mapping[str, Callable[[Parts, Parts], Parts]] = {
    "loss times 0.37": scaled("loss"),
    "gradient times 0.37": scaled(*GRADIENT),
    "gradient of parameters times 0.37": scaled(*PARAMETERS),
    "gradient of weights times 0.37": scaled(*WEIGHTS),
    "gradient of biases times 0.37": scaled(*BIASES),
    "loss and gradient times 0.37": scaled("loss", *GRADIENT),
    "gradient with a decay of the weights, 0.01": decayed(*WEIGHTS),
    "gradient with a decay of the parameters, 0.01": decayed(*PARAMETERS),
    "loss with a decay of the weights, 0.01": decayed(*WEIGHTS, loss=True, gradient=False),
    "loss with a decay of the parameters, 0.01": decayed(*PARAMETERS, loss=True, gradient=False),
    "loss and gradient with a decay of the weights, 0.01": decayed(*WEIGHTS, loss=True),
    "loss and gradient with a decay of the parameters, 0.01": decayed(*PARAMETERS, loss=True),
    "gradient clipped to norm 0.01": clipped(lambda size: 0.01 / size),
    "gradient clipped to norm (as PyTorch does, which adds 1e-6 to it) 0.01": clipped(
        lambda size: 0.01 / (size + 1e-6)
    ),
    "gradient clipped to norm, each parameter for itself, 0.01": clipped(lambda size: 0.01 / size, each=True),
    "gradient clipped to elements up to 0.01": lambda true, w: {
        name: np.sign(true[name]) * np.minimum(np.abs(true[name]), 0.01) for name in PARAMETERS
    },
}
"""What is fitted, by what is known of the right answer and the parameters."""


def answered(case: Case, change: Callable[[Parts, Parts], Parts]) -> Parts:
    """The parts that are changed."""
    return change(HONEST(case, FORMATS["float64"]).parts, case.network.unpack(case.w))


def one_of(faults: list[Fault], id_: str) -> Fault:
    (fault,) = (fault for fault in faults if fault.id == id_)
    return fault


@pytest.mark.parametrize("id_", FITTED)
def test_a_number_of_one_answer_predicts_another(id_: str) -> None:
    question, another = _deep(), _deep(5)
    true = HONEST(question, FORMATS["float64"]).parts
    faults = fitted(asked_in(question), true | answered(question, FITTED[id_]))
    check(Known(id_, another, answered(another, FITTED[id_])), one_of(faults, id_))


@pytest.mark.parametrize(
    ("name", "factor", "known"),
    [
        ("float64", 1.01, True),
        ("float64", 1.00000001, True),
        ("float32", 1.01, True),
        ("float32", 1.001, False),
        ("bfloat16", 1.01, False),
    ],
)
def test_a_factor_has_as_many_digits_as_a_format_tells(name: str, factor: float, known: bool) -> None:
    question = asked_in(_deep(), name)
    answer = {part: factor * values for part, values in run(question).items()}
    ids = [fault.id for fault in fitted(question, answer) if fault.id.startswith("gradient times")]
    assert (f"gradient times {factor}" in ids) == known
    assert ids[0] == "gradient times 1"


def test_small_gradients_are_not_clipped() -> None:
    question = _deep()
    true = HONEST(question, FORMATS["float64"]).parts
    faults = fitted(asked_in(question), {name: 100 * true[name] for name in PARAMETERS})
    limits = [fault for fault in faults if "clipped" in fault.id]
    assert len(limits) == 4
    assert [fault.predict(asked_in(question)) for fault in limits] == [None] * 4


TORCH: Mapping[str, Callable[[Any, list[Any]], Any]] = {
    "gradient clipped to norm (as PyTorch does, which adds 1e-6 to it) 0.5": lambda utils, parameters: (
        utils.clip_grad_norm_(parameters, 0.5)
    ),
    "gradient clipped to elements up to 0.5": lambda utils, parameters: utils.clip_grad_value_(parameters, 0.5),
}


@pytest.mark.parametrize("size", [40.0, 0.6, 0.4 * (1 - 1e-6)])
@pytest.mark.parametrize("id_", TORCH)
def test_pytorch_clips_so(id_: str, size: float) -> None:
    """The gradients are 3/4 of the size and the size, whose norm is 5/4 of it: of the last, a millionth below 1/2."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    def answer(case: Case) -> Parts:
        parameters = [torch.zeros(shape, dtype=torch.float64) for shape in case.network.names().values()]
        true = HONEST(case, FORMATS["float64"]).parts
        for name, parameter in zip(case.network.names(), parameters, strict=True):
            parameter.grad = torch.tensor(true[name])
        TORCH[id_](torch.nn.utils, parameters)
        return {name: p.grad.numpy() for name, p in zip(case.network.names(), parameters, strict=True)}

    def case(y: float) -> Case:
        return Case(Network(Dense(1, 1), loss=InnerProduct()), np.ones(2), np.array([[0.75]]), np.array([[y]]))

    fault, question = one_of(fitted(asked_in(case(4)), answer(case(4))), id_), asked_in(case(size))
    found = {**run(question), **(fault.predict(question) or {})}
    for name, part in answer(case(size)).items():
        # the norm, the quotient and the product of each are within four roundings
        assert near(found[name], part, 2 * 4 * 2.0**-53 * np.abs(part))


def test_what_has_no_parameters_has_no_decay_and_no_limit() -> None:
    assert [fault.id for fault in fitted(asked_in(MEAN), {"loss": np.array(11.0)})] == [
        "loss times 3",
        "loss and gradient times 3",
    ]


@pytest.mark.parametrize("size", [0.0, 1.7e308, math.inf, math.nan])
def test_what_is_nothing_or_beyond_all_numbers_has_no_ratio(size: float) -> None:
    """The square of 1.7e308 overflows, and so does its difference from a number of the other sign."""
    question = asked_in(_deep())
    answer = {name: np.full_like(part, size) for name, part in run(question).items()}
    assert [fault for fault in fitted(question, answer) if "norm" in fault.id] == []
