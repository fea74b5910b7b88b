"""What is asked of the oracle: floats, in copies, and all that a network says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refnn
from refnn.arithmetic.rounded import RoundedArray
from refnn.errors import DTypeError, RefnnError, SettingError, ShapeError
from refnn.network import Evaluation
from refnn.oracle.questions import answer, batch, blocks, direction

NETWORK = refnn.Network(refnn.Dense(3, 2), refnn.Tanh(), loss=refnn.SoftmaxCrossEntropy())
W, X = np.linspace(-1, 1, 8), np.linspace(0, 2, 15).reshape(5, 3)
CLASSES = np.array([0, 1, 1, 0, 1])


def test_a_batch_is_copied_and_its_classes_are_rows() -> None:
    w, x, labels = batch(NETWORK, W, X, CLASSES)
    assert np.array_equal(w, W)
    assert np.array_equal(x, X)
    assert np.array_equal(labels, np.eye(2)[CLASSES])
    assert not any(np.shares_memory(own, given) for own, given in ((w, W), (x, X)))


@pytest.mark.parametrize("name", ["w", "x"])
def test_the_question_is_about_floats(name: str) -> None:
    question: dict[str, Any] = {"w": W, "x": X}
    question[name] = RoundedArray.exact(question[name])
    with pytest.raises(DTypeError, match=f"^{name} is a RoundedArray: the question is about floats, and "):
        batch(NETWORK, **question, y=CLASSES)


def test_what_is_no_network() -> None:
    nothing: Any = refnn.Dense(3, 2)
    with pytest.raises(SettingError, match=r"^network is Dense\(inputs=3, outputs=2\): "):
        batch(nothing, W, X, CLASSES)


def test_a_direction_is_a_copy() -> None:
    given = np.arange(4.0)
    found = direction("direction", given, 4)
    given[0] = 7
    assert found.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([1.0, 2.0, 3.0], ShapeError, r"way has shape \(3,\), expected \(4,\): "),
        ([[1.0, 2.0, 3.0, 4.0]], ShapeError, r"way has shape \(1, 4\), expected \(4,\): "),
        ([1.0, np.nan, 3.0, 4.0], RefnnError, r"way\[1\] is nan"),
    ],
)
def test_what_is_no_direction(given: Any, error: type[RefnnError], message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        direction("way", given, 4)


def test_an_answer_is_what_the_network_says() -> None:
    found, said = answer(NETWORK, *batch(NETWORK, W, X, CLASSES)), NETWORK.evaluate(W, X, CLASSES)
    assert all(np.array_equal(np.asarray(mine), np.asarray(its)) for mine, its in zip(found, said, strict=True))


def test_blocks_have_names_in_order() -> None:
    said = NETWORK.evaluate(W, X, CLASSES)
    fields = Evaluation(said.outputs, np.array(said.loss), said.gradient, said.input_gradient)
    found = blocks(NETWORK, fields)
    assert {name: array.shape for name, array in found.items()} == {
        "outputs": (5, 2),
        "loss": (),
        "0.weight": (3, 2),
        "0.bias": (2,),
        "input_gradient": (5, 3),
    }
    assert list(found) == ["outputs", "loss", "0.weight", "0.bias", "input_gradient"]
    assert np.array_equal(np.concatenate([found["0.weight"].ravel(), found["0.bias"]]), said.gradient)
