"""The programs have the fault that they should, and the table says what came of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refnn
from refnn import Dense, Network, SquaredError, Tanh
from refnn.search.faults import FAULTS
from refnn.search.programs import run
from tests.benchmarks.catalogued import (
    OWN,
    QUESTIONS,
    USUAL,
    Caught,
    alike,
    faulty,
    lines,
    of_fault,
    refusals,
    right,
    target,
)
from tests.benchmarks.others import TOOLS, ordinary, question
from tests.benchmarks.table import Row
from tests.benchmarks.told import Told

NUMBERS = {fault.id: number for number, fault in enumerate(FAULTS)}
CASE = ordinary(Network(Dense(4, 5), Tanh(), Dense(5, 3), loss=SquaredError()))


def test_a_faulty_program_differs_where_the_fault_does() -> None:
    """With the wrong sign, in the gradient alone."""
    posed = question(CASE, "float64")
    found, true = faulty(FAULTS[NUMBERS["G11"]])(posed), run(posed)
    same = {name for name in true if np.array_equal(found[name], true[name])}
    assert same == {"outputs", "loss"}
    assert all(np.array_equal(found[name], -true[name]) for name in true.keys() - same)


def test_it_is_right_where_the_fault_does_not_show() -> None:
    found, true = (answers(question(CASE, "float64")) for answers in (faulty(FAULTS[NUMBERS["A3"]]), run))
    assert all(np.array_equal(found[name], true[name]) for name in true)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_right_program_is_right(precision: Any) -> None:
    for case in QUESTIONS:
        parts: dict[str, Any] = {name: part.tolist() for name, part in right(question(case, precision)).items()}
        gradient = {name: parts.pop(name) for name in case.network.names()}
        assert refnn.compare(*case, **parts, gradient=gradient, precision=precision).verdict == "agrees"


def test_a_target_is_the_program() -> None:
    answer = target(run)(*CASE)
    loss, gradient = CASE.network.loss_and_gradient(*CASE[1:])
    assert answer["loss"] == loss
    assert np.array_equal(CASE.network.pack(answer["gradient"]), gradient)


def test_kinds_are_of_faults_that_there_are() -> None:
    assert OWN.keys() <= NUMBERS.keys()
    assert USUAL.chosen is None


def test_names_are_alike_in_a_row_of_the_field_alone() -> None:
    assert alike("L3/loss", "L3/sum")
    assert alike("loss/unweighted", "loss/unweighted")
    assert not alike("L3", "L3c")
    assert not alike("loss/unweighted", "loss/squashed twice")


def test_a_fault_is_put_to_all() -> None:
    """A wrong sign is found by everybody; a factor that is missing throughout, by nobody without the right answer."""
    sign, factor = (of_fault(NUMBERS[id_]) for id_ in ("G11", "L10/ignored"))
    assert (sign.about, sign.told.caught, sign.own, sign.shows) == ("usual", True, True, True)
    assert (factor.about, factor.told.caught, factor.told.right, factor.shows) == ("usual", True, True, True)
    there = [tool.missing is None for tool in TOOLS]
    assert [bool(refused) for refused in sign.refused] == there
    assert [bool(refused) for refused in factor.refused] == [False] * 5 + there[5:]


def test_a_tool_that_is_there_refuses_nothing_right() -> None:
    last = len(TOOLS) - 1
    assert refusals(last) == (None if TOOLS[last].missing else 0)


def _caught(id_: str, named: str, *, right: bool, layers: int = 1) -> Caught:
    told = Told(id_, True, 3, layers, 2, named, right)
    return Caught("usual", told, named == id_, right, (True, False, *[None] * (len(TOOLS) - 2)))


def test_the_table_sums_up_what_was_found() -> None:
    found = [
        _caught("L3", "L3", right=True),
        _caught("G7", "G7/dense", right=True),
        _caught("A1", "G1", right=False, layers=3),
    ]
    told = list(lines(found, [0, 2, *[None] * (len(TOOLS) - 2)]))
    rows = {row.what: (row.measured, row.verdict) for row in told if isinstance(row, Row)}
    assert rows["catalogue, of 3: share caught"] == (1, "met")
    assert rows["catalogue, of 3: share named rightly"] == (2 / 3, "MISSED")
    assert rows["catalogue, of 3: share named by the very id"] == (1 / 3, "-")
    assert rows["catalogue, of 3: share shrunk to 2 dense layers and dimensions of 3"] == (2 / 3, "MISSED")
    assert rows[f"right answers to {len(QUESTIONS)} questions, refused by fast"] == (2, "-")
    texts = [str(each).split() for each in found]
    assert texts[0][-1] == "itself"
    assert texts[1][-1] == "G7/dense"
    assert texts[2][-1] == "(G1)"
    assert texts[0][5:8] == ["yes", "no", "absent"]
    assert texts[2][5:8] == ["-", "-", "-"]
    assert max(len(str(_caught(fault.id, f"x{fault.id}", right=False))) for fault in FAULTS) <= 150
