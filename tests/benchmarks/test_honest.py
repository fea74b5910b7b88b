"""The right programs are asked about what they know, and a wrong one would be seen."""

from __future__ import annotations

from typing import Any

import pytest

import refnn
from refnn import ELU, Dense, Network, SquaredError
from tests.benchmarks.honest import HONEST, Honest

BY_NAME = {program.what: program for program in HONEST}


def installed(what: str) -> Honest:
    program = BY_NAME[what]
    if program.missing:
        pytest.skip(program.missing)
    return program


@pytest.mark.parametrize("what", ["numpy", "scikit-learn", "refnn.targets.from_sklearn, of an MLPClassifier"])
def test_it_agrees_on_most_of_what_it_is_asked(what: str) -> None:
    program = installed(what)
    report = refnn.check(program.made(), examples=12, precision="float64", keep=None, **program.about())
    assert report.verdict == "agrees", report


def test_its_numbers_are_its_own() -> None:
    """With the sign of its gradient changed it does not."""
    made: Any = installed("numpy").made()

    def upside_down(*asked: Any) -> object:
        answer = made(*asked)
        return {**answer, "gradient": -answer["gradient"]}

    assert refnn.check(upside_down, examples=3, keep=None).verdict == "disagrees"


def test_what_it_does_not_know_is_not_asked_of_it() -> None:
    made: Any = installed("scikit-learn").made()
    network = Network(Dense(4, 5), ELU(), Dense(5, 3), loss=SquaredError())
    with pytest.raises(refnn.Unsupported, match="ELU"):
        made(network, None, None, None)


def test_all_libraries_are_there_by_name() -> None:
    assert {program.package for program in HONEST} == {"torch", "jax", "autograd", "mygrad", "sklearn", "numpy"}
    absent = HONEST[0]._replace(package="no_such_package")
    assert absent.missing == "no_such_package is not installed"
