"""Each tool accepts what is right and refuses what it can see, so that its verdict on a fault means something."""

from __future__ import annotations

import numpy as np
import pytest

from refnn import BinaryCrossEntropy, Dense, Network, SoftmaxCrossEntropy, SquaredError, Tanh, losses
from refnn.arrays import FloatArray
from refnn.oracle.budget import Question
from refnn.search.programs import run
from tests.benchmarks import others
from tests.benchmarks.others import TOOLS, Tool, gradients, ordinary, question, refused_by

NETWORK = Network(Dense(4, 5), Tanh(), Dense(5, 3), loss=SquaredError())
CASE = ordinary(NETWORK)
DIFFERENCES, TOLERANCES = TOOLS[:5], TOOLS[5:]


def doubled(posed: Question) -> dict[str, FloatArray]:
    """Loss and gradient: each is that of the other."""
    return {name: part if name == "outputs" else 2 * part for name, part in run(posed).items()}


def upside_down(posed: Question) -> dict[str, FloatArray]:
    return {name: part if name in ("outputs", "loss") else -part for name, part in run(posed).items()}


def nearly(posed: Question) -> dict[str, FloatArray]:
    """Off by a hundredth of the relative tolerance of float64, 1e-7, and less of that of the others."""
    return {name: part * (1 + 1e-9) for name, part in run(posed).items()}


def nowhere(posed: Question) -> dict[str, FloatArray]:
    return {name: part * np.nan for name, part in run(posed).items()}


def installed(tool: Tool) -> Tool:
    if tool.missing:
        pytest.skip(tool.missing)
    return tool


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.word)
def test_it_accepts_what_is_right_and_nearly_right(tool: Tool) -> None:
    assert installed(tool).accepts(run, CASE)
    assert tool.accepts(nearly, CASE)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.word)
def test_it_refuses_a_wrong_sign(tool: Tool) -> None:
    assert not installed(tool).accepts(upside_down, CASE)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.word)
def test_what_is_no_number_is_accepted_by_jax_alone(tool: Tool) -> None:
    """Whose own comparison takes one NaN for equal to another."""
    assert installed(tool).accepts(nowhere, CASE) == (tool.path == "jax.test_util.check_grads")


@pytest.mark.parametrize("tool", DIFFERENCES, ids=lambda tool: tool.word)
def test_differences_do_not_see_what_is_wrong_throughout(tool: Tool) -> None:
    assert installed(tool).accepts(doubled, CASE)


@pytest.mark.parametrize("tool", TOLERANCES, ids=lambda tool: tool.word)
def test_who_knows_the_right_answer_does(tool: Tool) -> None:
    assert not installed(tool).accepts(doubled, CASE)


def test_the_default_of_jax_is_float32() -> None:
    jax = pytest.importorskip("jax", reason="jax is not installed")
    assert not jax.config.jax_enable_x64


def test_one_refusal_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Tool("none", "no_such_package.check", "", lambda answers, case: True)
    some = Tool("some", "numpy.testing", "", lambda answers, case: case.w.size != NETWORK.size)
    monkeypatch.setattr(others, "TOOLS", (absent, some))
    other = ordinary(Network(Dense(2, 3), loss=SquaredError()))
    assert list(refused_by(run, [other, CASE])) == [None, True]
    assert list(refused_by(run, [other])) == [None, False]
    assert str(absent) == "none: no_such_package.check, no_such_package is not installed"
    assert str(some) == "some: numpy.testing"


@pytest.mark.parametrize("loss", [kind() for kind in losses.ALL], ids=lambda loss: type(loss).__name__)
def test_an_ordinary_question_is_one_that_the_loss_takes(loss: losses.Loss) -> None:
    network = Network(Dense(4, 5), Tanh(), Dense(5, 3), loss=loss)
    case = ordinary(network)
    assert (case.w.shape, case.x.shape) == ((43,), (7, 4))
    assert case.y.shape == ((7,) if isinstance(loss, SoftmaxCrossEntropy) else (7, 3))
    assert not isinstance(loss, BinaryCrossEntropy) or ((case.y >= 0) & (case.y <= 1)).all()
    _, gradient = network.loss_and_gradient(*case[1:])
    assert np.array_equal(gradients(network, run(question(case, "float64")))[0], gradient)
