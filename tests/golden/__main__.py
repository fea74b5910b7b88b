"""The golden answers: ``python -m tests.golden`` writes the questions below and what `refnn.exact` says to exact.json.

Each number is a float in hexadecimal, each question complete: layers, loss, format and arguments. The test asks what is
in the file, and nothing of this module's `questions`. An answer that changes is another meaning of a question, or an
error; if it is meant, `refnn.SEMANTICS` grows by 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import refnn
from refnn import activations, losses
from refnn.storage import replacing

FILE = Path(__file__).parent / "exact.json"
ANSWERS = ("outputs", "loss", "gradient", "input_gradient")

Question: TypeAlias = dict[str, Any]
"""What JSON holds: "layers", "of_loss", "dtype", "w", "x" and "y", and after it the answers."""

# ------------------------------------------------------------------------------------------- numbers and their writing


def written(values: Any) -> Any:
    """A number, or lists of them, with each float in hexadecimal; integers are classes, and stay."""
    if isinstance(values, list):
        return [written(value) for value in values]
    return values if isinstance(values, int) else values.hex()


def read(values: Any) -> Any:
    """The inverse of `written`."""
    if isinstance(values, list):
        return [read(value) for value in values]
    return values if isinstance(values, int) else float.fromhex(values)


def network_of(question: Question) -> refnn.Network:
    """The network that a question describes, as lists of names and arguments."""
    layers = [getattr(refnn, name)(*arguments) for name, *arguments in question["layers"]]
    name, settings = question["of_loss"]
    if "scale" in settings:
        settings = {**settings, "scale": Fraction(settings["scale"])}
    return refnn.Network(*layers, loss=getattr(refnn, name)(**settings))


def answers(question: Question) -> Question:
    """What `refnn.exact` says, as it is written."""
    w, x, y = (np.array(read(question[name])) for name in ("w", "x", "y"))
    truth = refnn.exact(network_of(question), w, x, y, dtype=question["dtype"], require_decided=True)
    return {name: written(np.asarray(getattr(truth, name)).astype(np.float64).tolist()) for name in ANSWERS}


def text(questions: list[Question]) -> str:
    """The file: a line for each part of a question and each answer."""
    cases = [
        "  {\n" + ",\n".join(f'   "{key}": {json.dumps(value)}' for key, value in (q | answers(q)).items()) + "\n  }"
        for q in questions
    ]
    return f'{{\n "semantics": {refnn.SEMANTICS},\n "cases": [\n' + ",\n".join(cases) + "\n ]\n}\n"


def load(path: Path = FILE) -> tuple[int, list[Question]]:
    """The semantics and the cases that a file holds."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return content["semantics"], content["cases"]


# ------------------------------------------------------------------------------------------------------- the questions


def _numbers() -> Iterator[float]:
    """Multiples of 1/252 between −2 and 2, which seem to follow no rule."""
    return ((k * k * 7919 % 1009 - 504) / 252 for k in count(1))


def _question(layers: list[list[Any]], loss: list[Any], dtype: str) -> Question:
    drawn = _numbers()
    question: Question = {"layers": layers, "of_loss": loss, "dtype": dtype}
    network = network_of(question)
    outputs = network.outputs or 3
    x = [[next(drawn) for _ in range(network.inputs or 2)] for _ in range(5)]
    x[1] = [-20 * v for v in x[1]]  # where units saturate,
    x[2] = [v * 2.0**-300 for v in x[2]]  # and where they are as good as linear
    y: Any = [[abs(next(drawn)) for _ in range(outputs)] for _ in x]
    if loss[0] == "SoftmaxCrossEntropy":
        y = [k * k % outputs for k in range(5)] if len(loss[1]) < 2 else [[v / sum(row) for v in row] for row in y]
    if loss[0] == "BinaryCrossEntropy":
        y = [[v / 2 for v in row] for row in y]
    w = [next(drawn) for _ in range(network.size)]
    return question | {"w": written(w), "x": written(x), "y": written(y)}


_SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "SoftmaxCrossEntropy": (
        {},
        {"label_smoothing": 0.1, "scale": "1/3"},
        {"class_weights": [0.3, 2.0, 1.7]},
        {"class_weights": [0.3, 2.0, 0.0], "label_smoothing": 0.25},
    ),
    "Huber": ({}, {"delta": 0.3}, {"delta": 2.5, "scale": "7/10"}),
    "InnerProduct": ({}, {"scale": "5/2"}, {}),
}


def questions() -> list[Question]:
    """Every activation, every loss with every reduction, every format."""
    units: list[list[Any]] = [[kind.__name__] for kind in activations.ALL]
    units += [["LeakyReLU", -0.3], ["ELU", 1.7]]
    squared = ["SquaredError", {"reduction": "elements", "scale": "2"}]
    asked = [_question([["Dense", 2, 1], unit, ["Dense", 1, 3]], squared, "float64") for unit in units]
    for kind in losses.ALL:
        of_kind = _SETTINGS.get(kind.__name__, ({}, {"scale": "1/3"}, {}))
        for reduction, settings in zip(kind().reductions(), of_kind, strict=True):
            loss = [kind.__name__, {"reduction": reduction, **settings}]
            asked.append(_question([["Dense", 2, 1], ["Tanh"], ["Dense", 1, 3]], loss, "float64"))
    cross_entropy = ["SoftmaxCrossEntropy", {"reduction": "mean"}]
    for dtype in ("float32", "float16", "bfloat16"):
        asked.append(_question([["Dense", 2, 1], ["SiLU"], ["Dense", 1, 3]], squared, dtype))
        asked.append(_question([["GELU"], ["Dense", 2, 3], ["Sigmoid"]], cross_entropy, dtype))
    return asked


def main(path: Path = FILE) -> None:
    """Write the file."""
    with replacing(path) as file:
        file.write(text(questions()).encode())


if __name__ == "__main__":
    main()
