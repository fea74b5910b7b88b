"""Each fault of the catalogue in a program that has it and nothing else: what `refnn.check` and other tools say of it.

The program answers rightly but for what the fault predicts. It is asked what everybody's is; and, where its fault does
not come up, about networks of a kind on which it does. Other tools are given ordinary networks of all kinds on which
the fault shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import refnn
from refnn import (
    ELU,
    Activation,
    Dense,
    Huber,
    LeakyReLU,
    Loss,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    Softplus,
    SquaredError,
    Tanh,
)
from refnn.activations import ALL as ACTIVATIONS
from refnn.arrays import FloatArray
from refnn.losses import ALL as LOSSES
from refnn.oracle.budget import Question
from refnn.search.faults import FAULTS, Fault
from refnn.search.programs import run
from refnn.search.rows import ROWS
from refnn.strategies import Case, networks
from tests.benchmarks.others import TOOLS, Answers, ordinary, question, refused_by
from tests.benchmarks.table import Line, Row
from tests.benchmarks.told import SHRUNK, Told, told
from tests.peers import by_hand

# --------------------------------------------------------------------------------------------------- kinds of networks


class Kind(NamedTuple):
    """Networks to be asked about, of which `refnn.check` chooses, and ordinary questions."""

    word: str
    chosen: Network | SearchStrategy[Network] | None
    ordinary: tuple[Case, ...]


def _kind(
    word: str,
    *losses: Loss,
    units: Sequence[Activation] = (Tanh(),),
    last: bool = False,
    chosen: Mapping[str, Any] | None = None,
) -> Kind:
    some = [
        Network(Dense(4, 5), unit, Dense(5, 3), *([unit] if last else []), loss=loss)
        for unit, loss, _ in zip(cycle(units), cycle(losses), range(max(len(units), len(losses))), strict=False)
    ]
    settings = {"widths": range(1, 8), "last": st.just(last), **(chosen or {})}
    return Kind(word, networks(activations=units, losses=losses, **settings), tuple(map(ordinary, some)))


_LOSSES = [kind() for kind in LOSSES]
USUAL = _kind("usual", *_LOSSES, units=[kind() for kind in ACTIVATIONS])._replace(chosen=None)

_WEIGHTS = (0.5, 1, 2.5)
_ELEMENTS = _kind("elements", SquaredError(reduction="elements"))
_SMOOTHED = _kind("smoothing", SoftmaxCrossEntropy(label_smoothing=0.1))
_SCALED = _kind("scale", SquaredError(scale=Fraction(1, 3)))
_HUBER = _kind("Huber δ", Huber(delta=0.3))
_WEIGHTED = _kind("weights", SoftmaxCrossEntropy(class_weights=_WEIGHTS), chosen={"outputs": 3})
_BY_WEIGHT = _kind("by weight", SoftmaxCrossEntropy(class_weights=_WEIGHTS, reduction="weights"), chosen={"outputs": 3})
_EQUAL = Kind(
    "equal widths", _SAME := Network(Dense(3, 3), Tanh(), Dense(3, 2), loss=SquaredError()), (ordinary(_SAME),)
)

OWN: Mapping[str, Kind] = {
    **dict.fromkeys(("L3/elements", "L7/samples", "G10"), _ELEMENTS),
    **dict.fromkeys(("L10", "L10/by hand", "L10/others", "L10/ignored", "L10/gradient ignored"), _SMOOTHED),
    **dict.fromkeys(("L13/scale", "L13/scale everywhere"), _SCALED),
    **dict.fromkeys(("L17", "L17/one", "L17/divided", "L17/gradient", "L17/one, gradient"), _HUBER),
    **dict.fromkeys(("loss/over weights", "loss/unweighted", "loss/unweighted gradient"), _WEIGHTED),
    "loss/over samples, not weights": _BY_WEIGHT,
    "L18/overflow": _kind("softmax", SoftmaxCrossEntropy()),
    **dict.fromkeys(("A1", "A1/half"), _kind("ReLU", *_LOSSES, units=(ReLU(), LeakyReLU(), ELU()))),
    "A2": _kind("LeakyReLU", *_LOSSES, units=[LeakyReLU()]),
    **dict.fromkeys(
        ("A3", "A7", "A7/NaN", "A7/value", "A7/threshold"), _kind("Softplus", *_LOSSES, units=[Softplus()])
    ),
    "A7/sigmoid": _kind("Sigmoid", *_LOSSES, units=[Sigmoid()]),
    **dict.fromkeys(("layer/square", "unit/slope elsewhere"), _EQUAL),
    **dict.fromkeys(("unit/without α", "unit/α ignored"), _kind("ELU α", *_LOSSES, units=[ELU(0.5)])),
    **dict.fromkeys(
        ("unit/leak ignored", "unit/leak ignored, gradient"), _kind("leak", *_LOSSES, units=[LeakyReLU(0.25)])
    ),
    "unit/none at the end": _kind("unit at end", *_LOSSES, units=(Tanh(), Sigmoid()), last=True),
}
"""For a fault that needs a setting, a number or a shape that is seldom drawn, networks of a kind that has it."""


QUESTIONS = tuple(
    case for kind in {kind.word: kind for kind in (USUAL, *OWN.values())}.values() for case in kind.ordinary
)
"""All ordinary questions."""


# ------------------------------------------------------------------------------------------------------------- programs


def faulty(fault: Fault) -> Answers:
    """A program that answers as the fault predicts, and else rightly."""
    return lambda posed: {**run(posed), **(fault.predict(posed) or {})}


def right(posed: Question) -> dict[str, FloatArray]:
    """Another program than refnn's, without a fault; it computes in the format that is asked for."""
    (peer,) = (peer for peer in by_hand.PEERS if peer.name == "numpy")
    dtype: Any = posed.precision.storage
    parts = peer.answer(posed.network, posed.w, posed.x, posed.labels, dtype)
    return {**posed.network.unpack(parts.pop("gradient")), **parts}


def target(answers: Answers) -> Any:
    """The same as `refnn.check` asks it."""

    def answer(network: Network, w: Any, x: Any, y: Any) -> object:
        parts = answers(question(Case(network, w, x, y), "float64"))
        return {"gradient": {name: parts.pop(name) for name in network.names()}, **parts}

    return answer


# --------------------------------------------------------------------------------------------------- what is said of it


class Caught(NamedTuple):
    """What came of a fault: about what networks it was asked, and what each tool says if it shows on ordinary ones."""

    about: str
    told: Told
    own: bool
    shows: bool
    refused: tuple[bool | None, ...]

    def __str__(self) -> str:
        said = {True: "yes", False: "no", None: "absent"}
        tools = "".join(f"{said[refused] if self.shows else '-':>7}" for refused in self.refused)
        named = "itself" if self.own else self.told.named if self.told.right else f"({self.told.named})"
        return f"  {self.told.what:31}{self.about:13}{self.told.questions:>5}{self.told.size:>6}{tools}  {named:.38}"


def of_fault(number: int) -> Caught:
    """What is said of a fault, by its number in the catalogue."""
    fault = FAULTS[number]
    kinds = USUAL, *([OWN[fault.id]] if fault.id in OWN else [])
    for kind in kinds:
        report = refnn.check(target(faulty(fault)), precision="float64", networks=kind.chosen, keep=None)
        if report.failure is not None:
            break
    named = None if report.diagnosis is None else report.diagnosis.fault
    came = told(fault.id, report, right=named is not None and alike(named.id, fault.id))
    cases = next(filter(None, ([case for case in kind.ordinary if _shows(fault, case)] for kind in kinds)), [])
    return Caught(
        kind.word,
        came if named is None else came._replace(named=named.id),
        named is not None and named.id == fault.id,
        bool(cases),
        tuple(refused_by(faulty(fault), cases)),
    )


def alike(one: str, other: str) -> bool:
    """Whether two names are the same, or are of one row of the field."""
    row = one.split("/")[0]
    return one == other or (row in ROWS and row == other.split("/")[0])


def _shows(fault: Fault, case: Case) -> bool:
    """Whether the fault makes a difference that no right program makes."""
    predicted = fault.predict(question(case, "float64"))
    return predicted is not None and _compared(case, faulty(fault)).verdict == "disagrees"


def _compared(case: Case, answers: Answers) -> refnn.Comparison:
    answer: Any = target(answers)(*case)
    return refnn.compare(*case, **answer, precision="float64")


def refusals(number: int) -> int | None:
    """How many right answers a tool refuses, by its number; None if it is not installed."""
    tool = TOOLS[number]
    return None if tool.missing else sum(not tool.accepts(right, case) for case in QUESTIONS)


def lines(found: Sequence[Caught], refusals: Sequence[int | None]) -> Iterator[Line]:
    """The table, and what it sums up to."""
    yield "beside refnn.check: what others refuse of ordinary networks, 4-5-3, on which the fault shows ('-': on none)"
    yield from (f"  {tool}" for tool in TOOLS)
    yield f"  {'':31}{'asked about':13}{'after':>5}{'size':>6}{''.join(f'{tool.word:>7}' for tool in TOOLS)}  named as"
    yield from map(str, found)
    of = f"catalogue, of {len(found)}: share"
    for what, shares, goal in (
        ("caught", [each.told.caught for each in found], 1),
        ("named rightly", [each.told.right for each in found], 0.95),
        (SHRUNK, [each.told.small for each in found], 0.9),
    ):
        yield Row(f"{of} {what}", float(np.mean(shares)), goal, goal_is="at least")
    yield Row(f"{of} named by the very id", float(np.mean([each.own for each in found])))
    for tool, refused in zip(TOOLS, zip(*(each.refused for each in found), strict=True), strict=True):
        if not tool.missing:
            yield Row(f"{of} caught by {tool.word}", sum(map(bool, refused)) / len(found))
    for tool, count in zip(TOOLS, refusals, strict=True):
        if count is not None:
            yield Row(f"right answers to {len(QUESTIONS)} questions, refused by {tool.word}", count)
