"""The golden answers are what they were, each to the last bit; they are the same on every machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refnn
import refnn.oracle
from refnn import activations, losses
from tests.golden import __main__ as golden
from tests.golden.__main__ import ANSWERS, FILE, Question, answers, load, network_of, read, written
from tests.oracle.rounding import FORMATS, dtype_of

SEMANTICS, CASES = load()
QUESTION = ("layers", "of_loss", "dtype", "w", "x", "y")


def label(case: Question) -> str:
    layers = "-".join(name + "".join(map(str, rest)) for name, *rest in case["layers"])
    return f"{layers}-{case['of_loss'][0]}-{case['of_loss'][1]['reduction']}-{case['dtype']}"


every_case = pytest.mark.parametrize("case", CASES, ids=label)


def changed(case: Question) -> list[str]:
    """The answers that are not what the file says."""
    now = answers(case)
    return [name for name in ANSWERS if now[name] != case[name]]


def count(values: Any) -> int:
    return sum(map(count, values)) if isinstance(values, list) else 1


@every_case
def test_the_answers_are_what_they_were(case: Question) -> None:
    assert changed(case) == []


def test_the_file_answers_by_the_conventions_of_today() -> None:
    assert SEMANTICS == refnn.SEMANTICS


def semantics_told(text: str | None) -> list[int]:
    """The numbers of the list in a docstring."""
    return [int(n) for n in re.findall(r"^(\d+)\. \S", text or "", re.MULTILINE)]


def test_every_number_of_the_semantics_is_told() -> None:
    assert semantics_told(refnn.oracle.__doc__) == list(range(1, refnn.SEMANTICS + 1))
    assert semantics_told("1. The first.\n2. A kink.\n") == [1, 2]
    assert semantics_told(None) == []


def test_several_hundred_numbers_of_every_kind_are_kept() -> None:
    assert sum(count(case[name]) for case in CASES for name in ANSWERS) > 500
    kinds = {name for case in CASES for name, *_ in case["layers"]}
    assert {kind.__name__ for kind in activations.ALL} <= kinds
    reductions = {(case["of_loss"][0], case["of_loss"][1]["reduction"]) for case in CASES}
    assert reductions == {(kind.__name__, reduction) for kind in losses.ALL for reduction in kind().reductions()}
    assert {case["dtype"] for case in CASES} == set(FORMATS)


@every_case
def test_every_answer_is_a_number_of_its_format_written_in_full(case: Question) -> None:
    for name in ANSWERS:
        values = np.array(read(case[name]))
        assert np.array_equal(values.astype(dtype_of(case["dtype"])).astype(np.float64), values)
        assert written(read(case[name])) == case[name]
    for name in ("w", "x", "y"):
        assert written(read(case[name])) == case[name]


def test_an_answer_one_unit_in_the_last_place_off_is_noticed() -> None:
    for name in ANSWERS:
        case = json.loads(json.dumps(CASES[2]))
        values = np.array(read(case[name]))
        last = values.reshape(-1)[-1:]
        last[:] = np.nextafter(last, np.inf)
        case[name] = written(values.tolist())
        assert changed(case) == [name]


@pytest.mark.parametrize("name", ["w", "x", "y"])
def test_the_file_alone_says_what_is_asked(name: str, tmp_path: Path) -> None:
    """Another number in the file is another question, with other answers."""
    other = FILE.read_text(encoding="utf-8")
    first = read(CASES[2][name])
    while isinstance(first, list):
        first = first[0]
    place = other.index(f'"{name}": ', other.index('["Tanh"]'))
    start = other.index(first.hex(), place)
    other = other[:start] + (first + 0.125).hex() + other[start + len(first.hex()) :]
    (tmp_path / "exact.json").write_text(other, encoding="utf-8")
    semantics, cases = load(tmp_path / "exact.json")
    assert semantics == SEMANTICS
    assert [case for case in cases if case not in CASES] == [cases[2]]
    assert "gradient" in changed(cases[2])
    assert "loss" in changed(cases[2])


def test_the_network_is_the_one_that_is_described() -> None:
    network = network_of({"layers": [["Dense", 2, 3], ["ELU", 1.7]], "of_loss": ["Huber", {"scale": "7/10"}]})
    assert network.layers == (refnn.Dense(2, 3), refnn.ELU(1.7))
    assert repr(network.loss_function) == "Huber(reduction='mean', scale=Fraction(7, 10), delta=1)"


def test_writing_the_file_anew_changes_nothing(tmp_path: Path) -> None:
    golden.main(tmp_path / "exact.json")
    assert (tmp_path / "exact.json").read_text(encoding="utf-8") == FILE.read_text(encoding="utf-8")
