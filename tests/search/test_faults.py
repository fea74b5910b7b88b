"""The catalogue of faults: each predicts what an implementation with it answers, and nothing else predicts that.

The expectation of each fault is a little implementation in which it is planted (`tests.oracle.faults`), a number worked
out by hand on a network of the identity, whose outputs are its samples, or what PyTorch or autograd does on purpose.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn import Dense, Huber, InnerProduct, Layer, Network, SoftmaxCrossEntropy, SquaredError
from refnn.activations import ALL as ACTIVATIONS
from refnn.activations import ELU, GELU, GELUTanh, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from refnn.arithmetic.precision import precision_named
from refnn.arrays import FloatArray
from refnn.losses import ALL as LOSSES
from refnn.losses import BinaryCrossEntropy, Loss, Reduction
from refnn.oracle.budget import FAILURE_PROBABILITY, Question, asked, derive
from refnn.oracle.questions import blocks
from refnn.search.faults import FAULTS, PAGES, Fault
from refnn.search.plain import PLAIN as IN_PLAIN_WORDS
from refnn.search.programs import Prediction, run
from refnn.search.relations import RELATIONS, relations_of
from refnn.search.rows import ROWS, Row
from refnn.strategies import Case, cases
from tests import definitions
from tests.definitions import M
from tests.laws.measures import examples
from tests.oracle import faults as planted
from tests.oracle.faults import FORMATS, HONEST, at, columns, ordinary, with_dense
from tests.project import ROOT
from tests.witnesses.networks import Scale

FIELD = [
    *("L1", "L3", "L3c", "L4", "L5", "L7", "L10", "L12", "L13", "L17", "L18"),
    *("A1", "A2", "A3", "A5", "A7", "A8", "A10", "G1", "G2", "G4", "G5", "G7", "G10", "G11"),
    *("O1", "O2", "O3", "O4", "O6", "O8", "O9", "O10", "O11", "O12", "O14", "O16", "O17", "O18", "O19", "O24"),
]
"""The rows of the table of faults that were found in real code."""

BY_ID = {fault.id: fault for fault in FAULTS}


class Known(NamedTuple):
    """What a fault is known to answer: the parts that it changes."""

    id: str
    case: Case
    parts: Mapping[str, Any]


def asked_in(case: Case, name: str = "float64") -> Question:
    return asked(*case, precision_named(name))


def bounds_of(question: Question) -> dict[str, FloatArray]:
    """How far an honest float64 implementation may be off, part by part."""
    return blocks(question.network, derive(question, FAILURE_PROBABILITY).bounds)


def near(a: Any, b: Any, allowed: FloatArray) -> bool:
    """Where both are no finite numbers, they are the same."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return bool(((np.abs(a - b) <= allowed) | (a == b) | (np.isnan(a) & np.isnan(b))).all())


def check(known: Known, fault: Fault) -> None:
    """Two honest implementations, this and the other, may each be off by the bound.

    A part that the reference copies has the bound 0; where the fault computes functions of it (squashed outputs: exp,
    log1p and exp again), each may be off by 8 units in the last place, as the bounds have it.
    """
    question = asked_in(known.case)
    found = fault.predict(question)
    assert found is not None
    assert set(found) == set(known.parts)
    bounds, true = bounds_of(question), run(question)
    for name, part in known.parts.items():
        assert found[name].shape == true[name].shape
        allowed = 2 * np.where(bounds[name] == 0, 3 * 8 * 2.0**-52 * np.abs(found[name]), bounds[name])
        assert near(found[name], part, allowed), f"{name} is {found[name]}, expected {part}"


# ----------------------------------------------------------------------------------------------------- as it is planted

PLANTED = (
    *("L1", "L3", "L3c", "L4/workers", "L5", "L7", "L10", "L12", "L13", "L17", "L18/clipped at 1e-07", "L18/overflow"),
    *("A1", "A2", "A3", "A5", "A7", "A8", "A10", "G1", "G2", "G2/twice over", "G4/biases", "G5/pair"),
    *("G7", "G10", "G11"),
)
"""The faults as the catalogue has those that are planted, in their order."""


def of_some(*samples: int) -> Callable[[Case, Any], Any]:
    """The gradient of dense layers is that of some samples."""
    chosen = list(samples)
    return with_dense(lambda p, x, delta: (x[chosen].T @ delta[chosen], columns(delta[chosen])))


def of_bias(gradient: Callable[[Any], Any]) -> Callable[[Case, Any], Any]:
    return with_dense(lambda p, x, delta: (x.T @ delta, gradient(delta)))


def of_weight(gradient: Callable[[Any, Any], Any]) -> Callable[[Case, Any], Any]:
    return with_dense(lambda p, x, delta: (gradient(x, delta), columns(delta)))


def without_biases(case: Case, format_: Any) -> Any:
    named = {name: 0 * p if name.endswith("bias") else p for name, p in case.network.unpack(case.w).items()}
    return HONEST(case._replace(w=case.network.pack(named)), format_)


_BATCH = ordinary(SquaredError())
WEIGHTS = frozenset({"0.weight", "2.weight"})
ALIKE: tuple[tuple[str, Callable[[Case, Any], Any], frozenset[str]], ...] = (
    ("G1/first", of_bias(lambda delta: delta[0]), frozenset({"0.bias", "2.bias"})),
    ("G1/mean", of_bias(lambda delta: columns(delta) / 7), frozenset({"0.bias", "2.bias"})),
    (
        "G1/total",
        of_bias(lambda delta: columns(columns(delta)) + 0 * columns(delta)),
        frozenset({"0.bias", "2.bias"}),
    ),
    ("G5", of_some(6), planted.PARAMETERS),
    ("G5/first", of_some(0), planted.PARAMETERS),
    ("G5/half", of_some(3, 4, 5, 6), planted.PARAMETERS),
    ("G5/but last", of_some(0, 1, 2, 3, 4, 5), planted.PARAMETERS),
    ("G5/but first", of_some(1, 2, 3, 4, 5, 6), planted.PARAMETERS),
    ("G5/weight", of_weight(lambda x, delta: x[6:].T @ delta[6:]), WEIGHTS),
    ("G5/weight, but last", of_weight(lambda x, delta: x[:6].T @ delta[:6]), WEIGHTS),
    ("layer/no bias", without_biases, planted.GRADIENT | {"outputs", "loss"}),
)
"""More of them, of the ordinary batch of seven samples, and what they change."""


def with_equal_weights(case: Case) -> Case:
    named = {name: p.copy() for name, p in case.network.unpack(case.w).items()}
    named["0.weight"][0, 1] = named["0.weight"][0, 0]
    return case._replace(w=case.network.pack(named))


ALIASED = with_dense(lambda p, x, delta: (planted.aliased(p[0], x.T @ delta), planted.aliased(p[1], columns(delta))))

AS_PLANTED = (
    *((id_, fault.case, fault.answer, fault.parts) for id_, fault in zip(PLANTED, planted.FAULTS, strict=True)),
    *((id_, _BATCH, answer, parts) for id_, answer, parts in ALIKE),
    ("G4", with_equal_weights(_BATCH), ALIASED, frozenset({"0.weight"})),
)


@pytest.mark.parametrize(("id_", "case", "answer", "parts"), [pytest.param(*p, id=p[0]) for p in AS_PLANTED])
def test_it_predicts_what_an_implementation_with_it_answers(
    id_: str, case: Case, answer: Callable[[Case, Any], Any], parts: frozenset[str]
) -> None:
    found = answer(case, FORMATS["float64"]).parts
    check(Known(id_, case, {name: found[name] for name in parts}), BY_ID[id_])


def test_each_row_stands_for_what_is_planted() -> None:
    assert [id_.split("/")[0] for id_ in PLANTED] == [fault.id for fault in planted.FAULTS]


# ------------------------------------------------------------------------------------------------------- losses by hand


def samples(loss: Loss, z: Any, y: Any) -> Case:
    """A network without parameters, whose outputs are its samples."""
    return Case(Network(Identity(), loss=loss), np.zeros(0), np.array(z, dtype=np.float64), np.array(y))


def known(id_: str, case: Case, *, loss: Any = None, z: Any = None, outputs: Any = None) -> Known:
    """By the parts of a network without parameters; z for the gradient in its samples."""
    parts = {"outputs": outputs, "loss": loss, "input_gradient": z}
    return Known(id_, case, {name: part for name, part in parts.items() if part is not None})


R = np.array([[2.0, -1.0], [-4.0, 0.0], [0.0, 1.0]])
"""The differences of outputs and targets of three samples; ½ of their squares are 5/2, 8 and 1/2, in all 11."""


def squared(**settings: Any) -> Case:
    y = np.array([[1.0, 2.0], [4.0, 5.0], [2.0, 1.0]])
    return samples(SquaredError(**settings), y + R, y)


MEAN, SUM, ELEMENTS = (squared(reduction=name) for name in ("mean", "sum", "elements"))
THREE = samples(SquaredError(), [[1, 2, 3]], [[0, 0, 0]])
FIVE = samples(SquaredError(), [[1], [2], [3], [4], [6]], np.zeros((5, 1)))
SQUARES = (
    known("L1", MEAN, loss=11 / 6),
    known("L3", MEAN, z=R),
    known("L3", ELEMENTS, z=R / 2),
    known("L3", SUM, z=3 * R),
    known("L3/elements", ELEMENTS, z=R),
    known("L3/loss", MEAN, loss=11),
    known("L3/sum", ELEMENTS, loss=11, z=R),
    known("L3c", MEAN, loss=22 / 3, z=2 * R / 3),
    known("L3c/loss", MEAN, loss=22 / 3),
    known("L3c/gradient", MEAN, z=2 * R / 3),
    known("L3c/half", MEAN, loss=11 / 6, z=R / 6),
    known("L3c/half the loss", MEAN, loss=11 / 6),
    known("L3c/half the gradient", MEAN, z=R / 6),
    known("L4", MEAN, z=R / 9),
    known("L4/both", ELEMENTS, loss=11 / 18, z=R / 18),
    known("L4/mean", SUM, loss=11 / 3, z=R / 3),
    known("L4/workers", SUM, loss=11 / 2, z=R / 2),
    known("L5", MEAN, loss=27 / 8, z=R / [[2], [4], [4]]),
    known("L5/last smaller", MEAN, loss=23 / 8, z=R / [[4], [4], [2]]),
    known("L5/last alone", FIVE, loss=87 / 8, z=np.array([[1], [2], [3], [4], [24]]) / 8),
    known("L5/pairs", FIVE, loss=17 / 2, z=np.array([[1], [2], [3], [4], [12]]) / 6),
    known("L7", MEAN, loss=11 / 6, z=R / 6),
    known("L7/squares", THREE, loss=14 / 3, z=np.array([[2, 4, 6]]) / 3),
    known("L7/samples", ELEMENTS, loss=11 / 3, z=R / 3),
    known("L13/scale", squared(scale=2), z=R / 3),
    known("L13/scale everywhere", squared(scale=2), loss=11 / 3, z=R / 3),
    known("L13/loss", samples(InnerProduct(), [[1, 2, 3]], [[2, 5, 3]]), z=[[1, 1, 1]]),
    known("G10", ELEMENTS, z=R / 3),
    known("G11", MEAN, z=-R / 3),
    known("G11/loss", MEAN, loss=-11 / 3),
    known("G11/both", MEAN, loss=-11 / 3, z=-R / 3),
)

HUBER = MEAN._replace(network=Network(Identity(), loss=Huber(delta=2)))
"""Its terms are 2 + ½, 6 and ½; the slopes those of R, but −2 for −4."""
CUT = np.array([[2.0, -1.0], [-2.0, 0.0], [0.0, 1.0]])
HUBERS = (
    known("L17", HUBER, loss=2, z=[[2 / 3, -1 / 3], [-1 / 3, 0], [0, 1 / 3]]),
    known("L17/constant", HUBER, loss=11 / 3),
    known("L17/one side", HUBER, loss=11 / 3, z=R / 3),
    known("L17/uncut", HUBER, z=R / 3),
    known("L17/gradient", HUBER, z=[[2 / 3, -1 / 3], [-1 / 3, 0], [0, 1 / 3]]),
    known("L17/one", HUBER, loss=2, z=np.sign(R) / 3),
    known("L17/one, gradient", HUBER, z=np.sign(R) / 3),
    known("L17/divided", HUBER, loss=3 / 2, z=CUT / 6),
)

P = np.array([[1, 2, 5], [3, 3, 2]]) / 8
"""The probabilities of three classes, for two samples."""
T = np.array([[0, 0, 1], [1, 0, 0]])


def classes(**settings: Any) -> Case:
    return samples(SoftmaxCrossEntropy(**settings), np.log(P), T.astype(float))


def entropy(q: FloatArray) -> float:
    return -math.fsum((q * np.log(P)).ravel()) / 2


SMOOTHED = classes(label_smoothing=0.25)
MORE, OTHERS = np.where(T == 1, 0.875, 0.125), np.where(T == 1, 0.75, 0.125)
PLAIN = classes()
BOTH = samples(BinaryCrossEntropy(), [[math.log(3)], [-math.log(3)]], [[1.0], [0.5]])
"""σ is 3/4 and 1/4."""
WEIGHTED = samples(SoftmaxCrossEntropy(class_weights=(1, 3)), np.zeros((3, 2)), np.array([1, 1, 0]))
BY_WEIGHT = samples(
    SoftmaxCrossEntropy(class_weights=(1, 3), reduction="weights"), np.zeros((3, 2)), np.array([1, 1, 0])
)
"""All probabilities are ½; the weights of the three samples are 3, 3 and 1."""
PULL = np.array([[3.0, -3.0], [3.0, -3.0], [-1.0, 1.0]]) / 2
SQUASHED = 1 / (1 + math.exp(-0.5))
"""σ(½)."""
PRESSED = [[(SQUASHED - 1) / 4]]
SIDEWAYS = samples(SoftmaxCrossEntropy(), np.log([[1, 2], [3, 2]]), [[0.0, 1.0], [1.0, 0.0]])
SURE = samples(SoftmaxCrossEntropy(), [[40, 0]], [[0.0, 1.0]])
SURE_OF_TWO = samples(BinaryCrossEntropy(), [[40], [40]], [[0.0], [1.0]])
LITTLE = (1e-7, 1e-8, 1e-10, 1e-12, 1e-15, 2.0**-52)
RAW = samples(SoftmaxCrossEntropy(), [[1, 2, 4], [3, 0, 1]], T.astype(float))
PAIRS = samples(SquaredError(), [[2], [4]], [[1], [5]])
"""The differences of all outputs and all targets are 1 and −3, 3 and −1."""
CERTAIN = samples(SoftmaxCrossEntropy(), np.log([[1, 2, 5], [2, 5, 1]]), [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
"""The largest output is that of another class; its probability is 5/8."""
GUESS = [[1 / 16, 2 / 16, -3 / 16], [2 / 16, -3 / 16, 1 / 16]]
CROSS_ENTROPIES = (
    known("L10", SMOOTHED, loss=entropy(MORE), z=(P * 1.125 - MORE) / 2),
    known("L10/by hand", SMOOTHED, loss=entropy(MORE), z=(P - MORE) / 2),
    known("L10/others", SMOOTHED, loss=entropy(OTHERS), z=(P - OTHERS) / 2),
    known("L10/ignored", SMOOTHED, loss=entropy(T), z=(P - T) / 2),
    known("L10/gradient ignored", SMOOTHED, z=(P - T) / 2),
    known("L12", PLAIN, z=-T / 2),
    known("L12/two classes", BOTH, loss=(-math.log(3 / 4) - math.log(1 / 4) / 2) / 2, z=[[-1 / 8], [-3 / 16]]),
    known("L12/two classes, loss", BOTH, loss=(-math.log(3 / 4) - math.log(1 / 4) / 2) / 2),
    known("L12/two classes, gradient", BOTH, z=[[-1 / 8], [-3 / 16]]),
    known("A10", PLAIN, z=[[0, 0, -3 / 16], [-5 / 16, 0, 0]]),
    *(known(f"L18/clipped at {e:.0e}", SURE, loss=-math.log(e)) for e in LITTLE),
    *(known(f"L18/clipped at {e:.0e}", SURE_OF_TWO, loss=-(math.log(e) + math.log1p(-e)) / 2) for e in LITTLE),
    *(known(f"L18/plus {e:.0e}", SURE, loss=-math.log(math.exp(-40) + e)) for e in LITTLE),
    known("L18/gradient clipped", SURE, z=[[0, 0]]),
    known("L18/gradient clipped", SURE_OF_TWO, z=[[0], [0]]),
    known("L18/log of zero", SURE_OF_TWO, loss=math.nan),
    known(
        "loss/squashed twice",
        samples(BinaryCrossEntropy(), [[0]], [[1.0]]),
        outputs=[[0.5]],
        loss=-math.log(SQUASHED),
        z=PRESSED,
    ),
    known(
        "loss/squashed twice",
        samples(SoftmaxCrossEntropy(), [[math.log(3), 0]], [[1.0, 0.0]]),
        outputs=[[3 / 4, 1 / 4]],
        loss=-math.log(SQUASHED),
        z=[[3 / 8 * (SQUASHED - 1), 3 / 8 * (1 - SQUASHED)]],
    ),
    known("loss/squashed inside", samples(BinaryCrossEntropy(), [[0]], [[1.0]]), loss=-math.log(SQUASHED), z=PRESSED),
    known("loss/over samples", SIDEWAYS, loss=-math.log(3 / 8) / 2, z=[[1 / 8, -1 / 4], [-1 / 8, 1 / 4]]),
    known("loss/over samples, gradient", SIDEWAYS, z=[[1 / 8, -1 / 4], [-1 / 8, 1 / 4]]),
    known("loss/no logarithm", PLAIN, loss=-1 / 2, z=np.array([[5, 10, -15], [-15, 9, 6]]) / 128),
    known("loss/no normalisation", RAW, loss=-7 / 2, z=-T / 2),
    known("loss/every target", PAIRS, loss=5 / 2, z=[[-1 / 2], [1 / 2]]),
    known("loss/no target", PAIRS, z=[[1], [2]]),
    known("loss/no target", PLAIN, z=P / 2),
    known("loss/no target", BOTH, z=[[3 / 8], [1 / 8]]),
    known("loss/guess", CERTAIN, loss=-math.log(5 / 8), z=GUESS),
    known("loss/guess, gradient", CERTAIN, z=GUESS),
    known("loss/slope of the output", PLAIN, z=(P - T) * P * (1 - P) / 2),
    known("loss/slope of the output", BOTH, z=[[-3 / 128], [-3 / 128]]),
    known("loss/over weights", WEIGHTED, loss=math.log(2), z=PULL / 7),
    known("loss/over samples, not weights", BY_WEIGHT, loss=math.log(2) * 7 / 3, z=PULL / 3),
    known("loss/unweighted", WEIGHTED, loss=math.log(2), z=np.sign(PULL) / 6),
    known("loss/unweighted gradient", WEIGHTED, z=np.sign(PULL) / 6),
)


# -------------------------------------------------------------------------------------------------- activations by hand


def unit(f: Layer, z: float) -> Case:
    return Case(Network(f, loss=InnerProduct()), np.zeros(0), np.array([[z]]), np.ones((1, 1)))


def sloped(id_: str, f: Layer, z: float, slope: float) -> Known:
    return known(id_, unit(f, z), z=[[slope]])


def valued(id_: str, f: Layer, z: float, value: float, slope: float | None) -> Known:
    return known(id_, unit(f, z), outputs=[[value]], loss=value, z=None if slope is None else [[slope]])


def gelu(form: type[Layer], z: float) -> tuple[float, float]:
    """A form of GELU and its slope, by the textbook."""
    value, slope = definitions.ACTIVATIONS[form](form())  # type: ignore[index]
    return float(value(M.mpf(z))), float(slope(M.mpf(z)))


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


PHI, DENSITY = math.erfc(-math.sqrt(0.5)) / 2, math.exp(-0.5) / math.sqrt(2 * math.pi)
"""Of the standard normal, at 1."""
TWO = Network(Dense(1, 1), Tanh(), Dense(1, 1), loss=InnerProduct())
TANH = Case(TWO, np.array([2.0, 0.0, 1.0, 0.0]), np.array([[0.5]]), np.ones((1, 1)))
"""The numbers before and after the activation are 1 and tanh(1)."""
DOWN = Case(Network(Tanh(), loss=InnerProduct()), np.zeros(0), np.array([[0.5, 0.5]]), np.array([[3.0, -3.0]]))
UNITS = (
    sloped("A1", LeakyReLU(0.25), 0, 1),
    sloped("A1", ELU(0.5), 0, 1),
    sloped("A1/half", ReLU(), 0, 0.5),
    sloped("A1/half", LeakyReLU(0.25), 0, 0.625),
    sloped("A1/half", ELU(0.5), 0, 0.75),
    sloped("A2/neither", LeakyReLU(0.25), 0, 0),
    sloped("A5/plus", Tanh(), 0.5, 1 + math.tanh(0.5) ** 2),
    sloped("A5/of the input", Tanh(), 0.5, 0.75),
    sloped("A5/unsquared", Tanh(), 0.5, 1 / math.cosh(0.5)),
    sloped("A5/of sigmoid", Tanh(), 0.5, math.tanh(0.5) * (1 - math.tanh(0.5))),
    sloped("A7/NaN", Softplus(), 1000, math.nan),
    valued("A7/value", Softplus(), 1000, math.inf, None),
    valued("A7/sigmoid", Sigmoid(), 1000, math.nan, None),
    valued("A7/threshold", Softplus(), 25, 25, 1),
    sloped("A8", GELU(), 1, gelu(GELUTanh, 1)[1]),
    valued("A8/value", GELU(), 1, gelu(GELUTanh, 1)[0], None),
    valued("A8/value", GELUTanh(), 1, gelu(GELU, 1)[0], None),
    valued("A8/form", GELU(), 1, *gelu(GELUTanh, 1)),
    valued("A8/form", GELUTanh(), 1, *gelu(GELU, 1)),
    valued("A8/sigmoid", GELU(), 1, sigmoid(1.702), sigmoid(1.702) * (1 + 1.702 * sigmoid(-1.702))),
    sloped("unit/slope at the output", Tanh(), 0.5, 1 - math.tanh(math.tanh(0.5)) ** 2),
    sloped("unit/slope at the output", Sigmoid(), 0.5, sigmoid(sigmoid(0.5)) * sigmoid(-sigmoid(0.5))),
    sloped("unit/slope twice", Tanh(), 0.5, 1 / math.cosh(0.5) ** 4),
    sloped("unit/sigmoid of the input", Sigmoid(), 0.5, 0.25),
    sloped("unit/sigmoid alone", Sigmoid(), 0.5, sigmoid(0.5)),
    sloped("unit/slope of ReLU", LeakyReLU(0.25), -1, 0),
    sloped("unit/slope of ReLU", ELU(0.5), -1, 0),
    known("unit/positive", DOWN, z=[[3 / math.cosh(0.5) ** 2, 0]]),
    sloped("unit/α taken for 1", ELU(0.5), -1, 0.5 * math.expm1(-1) + 1),
    sloped("unit/z for the value", SiLU(), 0.5, sigmoid(0.5) + 0.5 * sigmoid(-0.5)),
    sloped("unit/value for the slope", ELU(0.5), -1, 0.5 * math.expm1(-1)),
    sloped("unit/without α", ELU(0.5), -1, math.exp(-1)),
    valued("unit/α ignored", ELU(0.5), -1, math.expm1(-1), math.exp(-1)),
    valued("unit/leak ignored", LeakyReLU(0.25), -2, -0.02, 0.01),
    sloped("unit/leak ignored, gradient", LeakyReLU(0.25), -2, 0.01),
    valued("unit/none at the end", Tanh(), 0.5, 0.5, 1),
    sloped("G2", GELU(), 1, PHI),
    sloped("G2/other", GELU(), 1, DENSITY),
    sloped("G2/other", SiLU(), 0.5, 0.5 * sigmoid(0.5) * sigmoid(-0.5)),
    sloped("G2/twice over", GELU(), 1, PHI + 2 * DENSITY),
    sloped("G7", Tanh(), 0.5, 0),
    sloped("G7/slope missing", Tanh(), 0.5, 1),
    Known(
        "unit/slope elsewhere",
        TANH,
        {
            "0.weight": [[0.5 / math.cosh(0.5) ** 2]],
            "0.bias": [1 / math.cosh(0.5) ** 2],
            "input_gradient": [[2 / math.cosh(0.5) ** 2]],
        },
    ),
)

LINE = Network(Dense(2, 3), loss=InnerProduct())
SIX = Case(LINE, np.array([0.0, 1, 2, 3, 4, 5, 7, 8, 9]), np.array([[1.0, 2.0]]), np.array([[1.0, 0.0, 3.0]]))
"""The numbers of the weight are 0 to 5: [[0, 1, 2], [3, 4, 5]]."""
DENSES = (
    Known("G7/dense", TANH, {"0.weight": [[0]], "0.bias": [0], "input_gradient": [[0]]}),
    Known(
        "layer/square",
        Case(
            Network(Dense(2, 2), loss=InnerProduct()), np.array([1.0, 2, 3, 4, 5, 6]), np.ones((1, 2)), np.ones((1, 2))
        ),
        {"input_gradient": [[4, 6]]},
    ),
    Known("G5/outputs", SIX, {"input_gradient": [[6, 15]]}),
    Known("G7/first", TANH, {"0.weight": [[0]], "0.bias": [0]}),
    Known("layer/other order forward", SIX, {"outputs": [[9, 16, 23]], "loss": 78}),
    Known("layer/other order", SIX, {"input_gradient": [[12, 16]]}),
    Known("layer/gradient layout", SIX, {"0.weight": [[1, 2, 0], [0, 3, 6]]}),
    Known(
        "layer/layout",
        SIX,
        {
            "outputs": [[9, 16, 23]],
            "loss": 78,
            "0.weight": [[1, 2, 0], [0, 3, 6]],
            "input_gradient": [[12, 16]],
        },
    ),
    Known("layer/before the activation", TANH, {"2.weight": [[1]]}),
)

BY_HAND = (*SQUARES, *HUBERS, *CROSS_ENTROPIES, *UNITS, *DENSES)


@pytest.mark.unmeasured
@pytest.mark.parametrize("known_", [pytest.param(known_, id=known_.id) for known_ in BY_HAND])
def test_it_predicts_what_is_worked_out_by_hand(known_: Known) -> None:
    check(known_, BY_ID[known_.id])


def test_without_smoothing_nothing_is_said_of_it() -> None:
    """Not even with class weights, where p − q is wrong."""
    smoothing = (fault for fault in FAULTS if fault.id.split("/")[0] == "L10")
    assert [fault.id for fault in smoothing if fault.predict(asked_in(WEIGHTED))] == []


# -------------------------------------------------------------------------------------- in one kind of activation alone

KINKED = (ReLU, LeakyReLU, ELU)
ALONE: tuple[tuple[str, Sequence[type[Layer]], Callable[[Any, Any, Any], Any]], ...] = (
    ("G7", ACTIVATIONS, lambda own, f, z: 0 * z),
    ("G7/slope missing", ACTIVATIONS, lambda own, f, z: 1 + 0 * z),
    ("unit/slope at the output", ACTIVATIONS, lambda own, f, z: own.slope(f, own.value(f, z))),
    ("unit/slope twice", ACTIVATIONS, lambda own, f, z: own.slope(f, z) * own.slope(f, z)),
    ("unit/slope of ReLU", (LeakyReLU, ELU), lambda own, f, z: z > 0),
)
"""A fault, the kinds in the order of its variants, and the slope of one, by the planted function and its slope."""
OF_ONE_KIND = [(id_, number, kind, slope) for id_, kinds, slope in ALONE for number, kind in enumerate(kinds)]


def variant(id_: str, number: int) -> Fault:
    return replace(BY_ID[id_], predict=BY_ID[id_].variants[number])


def other_than(kind: type[Any]) -> Layer:
    return Sigmoid() if kind is Tanh else Tanh()


@pytest.mark.parametrize(("id_", "number", "kind", "slope"), OF_ONE_KIND)
def test_a_fault_may_be_in_one_kind_of_activation_alone(id_: str, number: int, kind: Any, slope: Any) -> None:
    """Another kind follows that is right; where nothing is changed, nothing is predicted."""
    case = ordinary(SquaredError())
    network = Network(Dense(2, 5), kind(), Dense(5, 3), other_than(kind), loss=SquaredError())
    case = case._replace(network=network)
    wrong = planted.with_unit(kind, slope=lambda f, z: slope(planted.UNITS[kind], f, z))
    found, true = (program(case, FORMATS["float64"]).parts for program in (wrong, HONEST))
    changed = {name: part for name, part in found.items() if not np.array_equal(part, true[name])}
    if changed:
        check(Known(id_, case, changed), variant(id_, number))
    else:
        assert variant(id_, number).predict(asked_in(case)) is None


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_one_kind_alone_may_ignore_the_cotangent(kind: Any) -> None:
    """The cotangent of both is 3; the other kind before, which is right, goes on with what it gets."""
    before = other_than(kind)
    value, slope = definitions.ACTIVATIONS[type(before)](before)  # type: ignore[index]
    own = definitions.ACTIVATIONS[kind](kind())
    z = M.mpf(1) / 2
    case = Case(Network(before, kind(), loss=InnerProduct()), np.zeros(0), np.array([[0.5]]), np.array([[3.0]]))
    expected = float(slope(z) * own[1](value(z)))
    check(known("L13", case, z=[[expected]]), variant("L13", ACTIVATIONS.index(kind)))


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_one_kind_alone_may_hand_back_what_is_positive(kind: Any) -> None:
    case = Case(Network(kind(), loss=InnerProduct()), np.zeros(0), np.array([[0.5]]), np.array([[-3.0]]))
    for number, other in enumerate(ACTIVATIONS):
        if other is kind:
            check(known("unit/positive", case, z=[[0]]), variant("unit/positive", number))
        else:
            assert variant("unit/positive", number).predict(asked_in(case)) is None


@pytest.mark.parametrize(
    ("known_", "number"),
    [
        (known("L17/one side", HUBER, loss=11 / 3), 0),
        (known("L17/one side", HUBER, z=R / 3), 1),
        (known("loss/every target", PAIRS, loss=5, z=[[-1], [1]]), 0),
        (valued("A8/value", GELU(), 1, sigmoid(1.702), None), 0),
        (Known("layer/other order forward", SIX, {"outputs": [[15, 15, 20]], "loss": 75}), 0),
        (Known("layer/other order", SIX, {"input_gradient": [[3, 19]]}), 0),
    ],
)
def test_a_loss_a_form_or_an_order_has_variants(known_: Known, number: int) -> None:
    """The transpose of the six numbers is 0 3, 1 4, 2 5: in rows of three, 0 3 1 and 4 2 5."""
    check(known_, variant(known_.id, number))


@pytest.mark.parametrize("little", LITTLE)
@pytest.mark.parametrize(("case", "share"), [(SURE, 1), (SURE_OF_TWO, 1 / 2)])
def test_probabilities_may_be_clipped_from_below_alone(little: float, case: Case, share: float) -> None:
    """Of two samples, one is right, and its loss is log(1 + exp(−40)), less than 1e-17."""
    id_ = f"L18/clipped at {little:.0e}"
    check(known(id_, case, loss=-math.log(little) * share), variant(id_, 0))


@pytest.mark.parametrize(
    ("id_", "kind", "slope"),
    [
        ("A1", ReLU, 0.25),
        ("A1", LeakyReLU, 0.5),
        ("A1", ELU, 0.25),
        ("A1/half", ReLU, 0.125),
        ("A1/half", LeakyReLU, 0.3125),
        ("A1/half", ELU, 0.1875),
    ],
)
def test_one_kind_alone_may_have_another_slope_at_its_kink(id_: str, kind: Any, slope: float) -> None:
    """Of the others there, the slope is that of the left side: 1/4 and 1/2."""
    units = (ReLU(), LeakyReLU(0.25)) if kind is ReLU else (LeakyReLU(0.25), ELU(0.5))
    case = Case(Network(*units, loss=InnerProduct()), np.zeros(0), np.array([[0.0]]), np.ones((1, 1)))
    check(known(id_, case, z=[[slope]]), variant(id_, KINKED.index(kind)))


@pytest.mark.parametrize(
    ("id_", "loss"), [("loss/over samples", -math.log(2 / 9) / 2), ("loss/over samples, gradient", None)]
)
def test_the_largest_of_each_row_may_be_subtracted_before_the_softmax_over_samples(id_: str, loss: Any) -> None:
    """Of log (1 2; 3 2) that leaves log (½ 1; 1 ⅔), and of the columns 1/3, 2/3 and 3/5, 2/5."""
    case = SIDEWAYS._replace(y=np.array([[1.0, 0.0], [1.0, 0.0]]))
    check(known(id_, case, loss=loss, z=[[-1 / 3, 3 / 10], [-1 / 6, 1 / 5]]), variant(id_, 0))


def test_every_variant_has_an_expectation() -> None:
    counts = {id_: len(kinds) for id_, kinds, _ in ALONE} | {"L13": len(ACTIVATIONS), "A1": 3, "A1/half": 3}
    assert {fault.id: len(fault.variants) for fault in FAULTS if fault.variants} == {
        **counts,
        "unit/positive": len(ACTIVATIONS),
        "L17/one side": 2,
        "A8/value": 1,
        "layer/other order forward": 1,
        "layer/other order": 1,
        **{f"L18/clipped at {little:.0e}": 1 for little in LITTLE},
        "loss/every target": 1,
        "loss/over samples": 1,
        "loss/over samples, gradient": 1,
    }


def test_every_fault_has_an_expectation() -> None:
    assert {known_.id for known_ in BY_HAND} | {p[0] for p in AS_PLANTED} == set(BY_ID)


def test_another_expectation_is_refused() -> None:
    with pytest.raises(AssertionError):
        check(known("L3", MEAN, z=R * (1 + 1e-12)), BY_ID["L3"])
    with pytest.raises(AssertionError):
        check(known("L3", MEAN, loss=11 / 3, z=R), BY_ID["L3"])
    with pytest.raises(AssertionError):
        check(sloped("A7/NaN", Softplus(), 1000, 1), BY_ID["A7/NaN"])


# ------------------------------------------------------------------------------------------- one fault and no other one

QUESTIONS: tuple[Case, ...] = (
    *{id(case): case for case in (*(p[1] for p in AS_PLANTED), *(known_.case for known_ in BY_HAND))}.values(),
    *(ordinary(kind(reduction=reduction)) for kind in LOSSES for reduction in kind().reductions()),
)


@cache
def posed() -> tuple[tuple[Question, dict[str, FloatArray], dict[str, FloatArray]], ...]:
    """The questions with the truth and its bounds."""
    questions = [asked_in(case) for case in QUESTIONS]
    return tuple((q, run(q), bounds_of(q)) for q in questions)


@cache
def predictions(id_: str) -> tuple[Prediction | None, ...]:
    return tuple(BY_ID[id_].predict(q) for q, _, _ in posed())


@pytest.mark.unmeasured
@pytest.mark.parametrize("id_", BY_ID)
def test_it_is_far_from_the_truth_somewhere(id_: str) -> None:
    """By a thousand bounds."""
    assert any(
        found is not None and any(not near(found[name], true[name], 1000 * bounds[name]) for name in found)
        for found, (_, true, bounds) in zip(predictions(id_), posed(), strict=True)
    )


def alike(one: str, other: str) -> bool:
    """Whether two faults predict the same of all questions."""
    return all(
        (a is None) == (b is None)
        and (a is None or b is None or (set(a) == set(b) and all(near(a[n], b[n], 2 * bounds[n]) for n in a)))
        for a, b, (_, _, bounds) in zip(predictions(one), predictions(other), posed(), strict=True)
    )


def test_no_two_predict_the_same() -> None:
    assert [pair for pair in combinations(BY_ID, 2) if alike(*pair)] == []
    assert alike("G11", "G11")


def test_each_has_a_name_of_its_own() -> None:
    assert len(BY_ID) == len(FAULTS)
    assert {fault.id.split("/")[0] for fault in FAULTS} - {"loss", "unit", "layer"} == {
        row for row in FIELD if not row.startswith("O")
    }


# -------------------------------------------------------------------------------------------------- where none can show


def showing(case: Case) -> set[str]:
    return {fault.id for fault in FAULTS if fault.predict(asked_in(case)) is not None}


SIGNS = {"G11", "G11/loss", "G11/both"}
OF_UNITS = {"L13", "G7"}
"""The identity is an activation, whose backward may do nothing with what it gets, or nothing at all."""


def test_nothing_else_shows_without_layers_that_compute() -> None:
    """The derivative of a product with the target is the target, and nothing without it."""
    assert showing(samples(InnerProduct(), [[2]], [[3]])) == {"L13/loss", *OF_UNITS, *SIGNS}


def test_what_shows_of_one_sample() -> None:
    """Nothing that is about the number of samples, and of one output nothing that is about theirs."""
    factors = {f"L3c{way}" for way in ("", "/loss", "/gradient", "/half", "/half the loss", "/half the gradient")}
    of_output = {"L7/squares"}  # without the ½, as there is one
    negative = {"unit/positive"}  # the output is too small
    others = {"loss/no target", *OF_UNITS, *SIGNS}
    assert showing(samples(SquaredError(), [[2]], [[3]])) == factors | of_output | negative | others


@examples(1 / 4)
@given(cases())
def test_an_answer_has_the_shapes_of_the_parts_or_is_none(case: Case) -> None:
    question = asked_in(case)
    true = run(question)
    for fault in (*FAULTS, *relations_of(question)):
        found = fault.predict(question)
        assert found is None or found
        for name, part in (found or {}).items():
            assert part.shape == true[name].shape, f"{fault.id}: {name}"
            assert part.dtype == np.float64


@examples(1 / 4)
@given(cases(kinks=True), st.sampled_from(ACTIVATIONS), st.sampled_from(("float64", "float32", "bfloat16")))
def test_kinks_are_no_exception(case: Case, kind: type[Any], name: str) -> None:
    """Nor are other formats; the targets may be 1e8, which float16 does not hold."""
    network = Network(*case.network.layers, kind(), loss=case.network.loss_function)
    question = asked_in(case._replace(network=network), name)
    assert [fault.id for fault in FAULTS if fault.predict(question) == {}] == []


class Whole(Loss):
    """A loss of one's own that knows one reduction, and takes no settings."""

    def __init__(self) -> None:
        super().__init__(reduction="sum")

    def reductions(self) -> tuple[Reduction, ...]:
        return ("sum",)

    def terms(self, p: Any, t: Any) -> Any:
        return p * p * t

    def derivative(self, p: Any, t: Any) -> Any:
        return 2 * p * t


def test_layers_and_losses_of_ones_own_are_no_exception() -> None:
    """What speaks of sums, signs, samples and targets shows; as no fault is about the layer, nothing else."""
    network = Network(Scale(2), loss=Whole())
    question = asked_in(Case(network, np.array([3.0, 5.0]), np.array([[1.0, 2.0], [4.0, 7.0]]), np.ones((2, 2))))
    expected = {"L3", "L4", "L4/workers", *SIGNS}
    assert {fault.id for fault in FAULTS if fault.predict(question) is not None} == expected
    shown = {fault.id for fault in relations_of(question) if fault.predict(question) is not None}
    assert {"0.factor zero", "0.factor times N", "input_gradient zero"} <= shown


@pytest.mark.parametrize(
    ("name", "z", "shows"),
    [("float64", 100, False), ("float32", 100, True), ("bfloat16", 100, True), ("float16", 20, True)],
)
def test_what_overflows_depends_on_the_format(name: str, z: float, shows: bool) -> None:
    """exp(100) is 3e43; float32 and bfloat16 end at 3e38, float16 at 65504."""
    question = asked_in(at(Softplus(), z, 1), name)
    assert (BY_ID["A7"].predict(question) is not None) == shows


def test_equal_numbers_of_a_wide_layer_are_found_without_comparing_each_with_each() -> None:
    """Of a million elements, a table of pairs would hold 1e12."""
    network = Network(Dense(1000, 1000), loss=SquaredError())
    question = asked_in(Case(network, np.arange(network.size, dtype=float), np.ones((1, 1000)), np.zeros((1, 1000))))
    assert BY_ID["G4"].predict(question) is None


# ---------------------------------------------------------------------------------------------------------- conventions


def test_where_nothing_is_equal_it_is_a_convention() -> None:
    """The rows that the table marks so, but for update rules: each has a way that others go on purpose."""
    conventions = {fault.id.split("/")[0] for fault in FAULTS if fault.convention}
    assert conventions >= {"L3c", "L7", "A1"}


OTHERWISE: tuple[tuple[str, Case, Layer, Loss], ...] = (
    ("L3/sum", MEAN, Identity(), SquaredError(reduction="sum")),
    ("L3c", ELEMENTS, Identity(), SquaredError(reduction="elements", scale=2)),
    ("L4/mean", samples(InnerProduct(), [[1], [2], [3]], [[2], [5], [3]]), Identity(), InnerProduct(reduction="mean")),
    ("L7", squared(scale=2), Identity(), SquaredError(reduction="elements", scale=2)),
    ("L7/squares", THREE, Identity(), SquaredError(reduction="elements", scale=2)),
    ("L7/samples", ELEMENTS, Identity(), SquaredError(reduction="mean")),
    ("L17/divided", HUBER, Identity(), Huber(delta=2, scale=1 / 2)),
    ("A8/form", unit(GELU(), 1), GELUTanh(), InnerProduct()),
    ("A8/form", unit(GELUTanh(), 1), GELU(), InnerProduct()),
    ("loss/over weights", WEIGHTED, Identity(), SoftmaxCrossEntropy(reduction="weights", class_weights=(1, 3))),
    ("loss/over samples, not weights", BY_WEIGHT, Identity(), SoftmaxCrossEntropy(class_weights=(1, 3))),
)
"""A convention, a question, and what to ask refnn instead."""


@pytest.mark.parametrize(("id_", "case", "layer", "loss"), [pytest.param(*p, id=p[0]) for p in OTHERWISE])
def test_what_refnn_is_asked_for_instead_is_the_convention(id_: str, case: Case, layer: Layer, loss: Loss) -> None:
    assert (
        type(layer).__name__ in BY_ID[id_].convention
        or type(loss).__name__ in BY_ID[id_].convention
        or id_
        in (
            "L3/sum",
            "L4/mean",
        )
    )
    instead = run(asked_in(case._replace(network=Network(layer, loss=loss))))
    check(Known(id_, case, {name: instead[name] for name in BY_ID[id_].predict(asked_in(case)) or {}}), BY_ID[id_])


PYTORCH: tuple[tuple[str, Case, Callable[[Any, Any, Any], Any]], ...] = (
    ("L3/sum", squared(scale=2), lambda f, z, y: f.mse_loss(z, y, reduction="sum")),
    ("L3c", ELEMENTS, lambda f, z, y: f.mse_loss(z, y)),
    ("L7", squared(scale=2), lambda f, z, y: f.mse_loss(z, y)),
    ("L7/squares", THREE, lambda f, z, y: f.mse_loss(z, y)),
    (
        "L17/divided",
        HUBER._replace(network=Network(Identity(), loss=Huber(delta=2, reduction="elements"))),
        lambda f, z, y: f.smooth_l1_loss(z, y, beta=2.0),
    ),
    ("A1", unit(ReLU(), 0), lambda f, z, y: (y * z.clamp_min(0)).sum()),
    ("A7/threshold", unit(Softplus(), 21), lambda f, z, y: (y * f.softplus(z, threshold=20)).sum()),
    ("A8/form", unit(GELU(), 1), lambda f, z, y: (y * f.gelu(z, approximate="tanh")).sum()),
    ("loss/over weights", WEIGHTED, lambda f, z, y: f.cross_entropy(z, y, weight=z.new_tensor([1, 3]))),
    (
        "layer/layout",
        SIX,
        lambda f, z, y: (y * f.linear(z, z.new_tensor([[0, 1], [2, 3], [4, 5]]), z.new_tensor([7, 8, 9]))).sum(),
    ),
)
"""A convention, a question, and the loss by PyTorch's functions of its samples and targets."""


@pytest.mark.parametrize(("id_", "case", "loss"), [pytest.param(*p, id=p[0]) for p in PYTORCH])
def test_pytorch_does_so(id_: str, case: Case, loss: Callable[[Any, Any, Any], Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    assert "PyTorch" in BY_ID[id_].convention
    question = asked_in(case)
    z = torch.tensor(case.x, dtype=torch.float64, requires_grad=True)
    value = loss(torch.nn.functional, z, torch.tensor(case.y))
    value.backward()
    found, bounds = {**run(question), **(BY_ID[id_].predict(question) or {})}, bounds_of(question)
    assert near(found["loss"], value.item(), 2 * bounds["loss"])
    assert near(found["input_gradient"], z.grad.numpy(), 2 * bounds["input_gradient"])


def test_pytorch_writes_gradients_in_the_order_of_its_weights() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    assert "PyTorch, Linear" in BY_ID["layer/gradient layout"].convention
    layer = torch.nn.Linear(2, 3, dtype=torch.float64)
    (torch.tensor(SIX.y) * layer(torch.tensor(SIX.x))).sum().backward()
    there = layer.weight.grad.numpy().ravel().reshape(2, 3)
    check(Known("layer/gradient layout", SIX, {"0.weight": there}), BY_ID["layer/gradient layout"])


def test_autograd_takes_the_mean_of_both_sides() -> None:
    autograd = pytest.importorskip("autograd", reason="autograd is not installed")
    assert "autograd" in BY_ID["A1/half"].convention
    (known_,) = (known_ for known_ in UNITS if known_.id == "A1/half" and known_.case.network.layers == (ReLU(),))
    assert autograd.grad(lambda z: autograd.numpy.maximum(z, 0))(0.0) == known_.parts["input_gradient"][0][0] == 1 / 2


# ---------------------------------------------------------------------------------------------- what is said of a fault


def test_every_row_of_the_field_is_there_in_its_order() -> None:
    assert list(ROWS) == FIELD == [row.id for row in ROWS.values()]


EVALUATED = [row for row in ROWS.values() if not row.id.startswith("O")]
SHOWN_BY: Mapping[str, Loss] = {
    "L10": SoftmaxCrossEntropy(label_smoothing=0.25),
    "L12": SoftmaxCrossEntropy(),
    "L17": Huber(delta=0.125),
    "L18": SoftmaxCrossEntropy(),
    "A10": SoftmaxCrossEntropy(),
    "G10": SquaredError(reduction="elements"),
}
"""The losses of rows that are about one; of the others, it is the squared error."""


def as_it_says(row: Row) -> tuple[list[str], Case]:
    """Where a row shows, and the question that it names; its numbers are of no importance where it names none."""
    fields, network, condition = re.fullmatch(r"(.*?): (.*\))(.*)", row.shows).groups()  # type: ignore[union-attr]
    layers = [
        getattr(refnn, name)(*map(int, re.findall("[0-9]+", sizes)))
        for name, sizes in re.findall(r"(\w+)\((.*?)\)", network)
    ]
    net = Network(*layers, loss=SHOWN_BY.get(row.id, SquaredError()))
    n = {", two samples": 2, ", three samples": 3}.get(condition, 1)
    numbers = np.array([0.25, -0.5, 0.75, 1.0])
    w, x, y = numbers[: net.size], numbers[:n, np.newaxis], np.eye(n, layers[0].outputs or 1)
    if condition.startswith(" at "):
        x = np.array([[float(condition.removeprefix(" at "))]])
    elif condition == ", large w":
        w = 1000 * w
    elif condition == " with equal biases":
        w = np.array([0.25, -0.5, 1, 1])
    else:
        assert condition in ("", ", two samples", ", three samples", ', reduction="elements"')
    return fields.split(", "), Case(net, w, x, y)


def shown(row: Row, case: Case) -> set[str]:
    """The parts that the first fault of a row changes by more than their bounds; all of the gradient in one word."""
    question = asked_in(case)
    fault = next(fault for fault in FAULTS if fault.id.split("/")[0] == row.id)
    true, bounds = run(question), bounds_of(question)
    found = fault.predict(question) or {}
    parts = {name for name, part in found.items() if not near(part, true[name], bounds[name])}
    gradient = {*case.network.names(), "input_gradient"}
    return parts - gradient | {"gradient"} if case.w.size and parts >= gradient else parts


@pytest.mark.parametrize("row", EVALUATED, ids=lambda row: row.id)
def test_a_row_shows_where_it_says(row: Row) -> None:
    fields, case = as_it_says(row)
    assert all(row[:4])
    assert row.reason == ""
    assert shown(row, case) == set(fields)


@pytest.mark.parametrize("row", [row for row in EVALUATED if "samples" in row.shows], ids=lambda row: row.id)
def test_fewer_samples_do_not_show_it(row: Row) -> None:
    _, case = as_it_says(row)
    assert shown(row, case._replace(x=case.x[1:], y=case.y[1:])) == set()


def test_a_row_that_says_something_else_is_caught() -> None:
    fields, case = as_it_says(ROWS["G1"]._replace(shows="0.bias: Dense(1, 1)"))
    assert shown(ROWS["G1"], case) != set(fields)


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row not in EVALUATED], ids=lambda row: row.id)
def test_a_row_of_update_rules_says_after_how_many_steps_it_shows(row: Row) -> None:
    assert all(row[:4])
    assert re.fullmatch(r"parameters: Dense\(1, 1\), steps: [12]", row.shows)
    assert row.reason == "a check of steps"


@pytest.mark.parametrize("fault", [*FAULTS, *RELATIONS], ids=lambda fault: fault.id)
def test_a_hint_is_a_question_that_gives_nothing_away(fault: Fault) -> None:
    assert fault.hint.endswith("?")
    assert fault.hint.count("?") == 1
    assert not set(fault.hint) & set("0123456789=+*/·²½′()σδε")
    assert fault.page in PAGES
    assert fault.what
    assert "\n" not in fault.what


IN_WORDS = re.compile("[A-Z][A-Za-z ,:;'-]*[.]")
"""A sentence without formulas, numbers, names of rows and Greek letters."""

SHARED = {f"L18/{way} {little:.0e}" for way in ("clipped at", "plus") for little in LITTLE}


@pytest.mark.parametrize("fault", [*FAULTS, *RELATIONS], ids=lambda fault: fault.id)
def test_a_student_is_told_in_words_what_it_is(fault: Fault) -> None:
    assert IN_WORDS.fullmatch(fault.plain)


def test_each_has_a_sentence_of_its_own() -> None:
    """But for a number: six of each kind share one. No sentence is about a fault that is not there."""
    told = [fault.plain for fault in (*FAULTS, *RELATIONS) if fault.id not in SHARED]
    assert len(set(told)) == len(told)
    shared = Counter(fault.plain for fault in FAULTS if fault.id in SHARED)
    assert list(shared.values()) == [6, 6]
    assert not shared.keys() & set(told)
    assert set(IN_PLAIN_WORDS) == {fault.id for fault in FAULTS} - SHARED | {"L18/clipped at", "L18/plus"}


CLAIMS: Mapping[str, Callable[[set[str]], bool]] = {
    "the loss is right": lambda parts: not parts & {"outputs", "loss"},
    "the loss has it": lambda parts: not parts & {"outputs", "loss"},
    "in the gradient alone": lambda parts: not parts & {"outputs", "loss"},
    "on the way back alone": lambda parts: not parts & {"outputs", "loss"},
    "in the loss alone": lambda parts: parts == {"loss"},
    "its gradient is right": lambda parts: parts == {"loss"},
    "its gradient is not": lambda parts: parts == {"loss"},  # done to the loss, which is wrong, and not to its gradient
    "loss and gradient": lambda parts: "loss" in parts and bool(parts - {"outputs", "loss"}),
    "that of the biases is right": lambda parts: bool(parts) and all(name.endswith(".weight") for name in parts),
    "the gradient of a bias": lambda parts: bool(parts) and all(name.endswith(".bias") for name in parts),
}
"""What a sentence may claim, and what is changed then."""


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_told_to_be_right_or_wrong_is_so(claim: str) -> None:
    """In all ways of a fault, with all questions together."""
    claiming = [fault for fault in FAULTS if claim in fault.plain.lower()]
    assert claiming
    for fault in claiming:
        for predict in (fault.predict, *fault.variants):
            changed = {name for q, _, _ in posed() for name in predict(q) or {}}
            assert CLAIMS[claim](changed), f"{fault.id}: {fault.plain}, but {changed}"


OF_WEIGHTS = dict.fromkeys(("loss/over weights", "loss/over samples, not weights"), "pytorch #50528, #104776")
"""Where faults happened that are in no row; nobody has said where the others did."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_it_happened_where_its_row_says(fault: Fault) -> None:
    row = ROWS.get(fault.id.split("/")[0])
    assert fault.source == (row.source if row else OF_WEIGHTS.get(fault.id, ""))


def test_pages_are_there() -> None:
    for slug, page in PAGES.items():
        path, title = page.split(", ", 1)
        assert path.endswith(f"-{slug}.md")
        heading = next(line for line in (ROOT / path).read_text(encoding="utf-8").splitlines() if line.startswith("# "))
        assert heading.partition(". ")[2] == title
