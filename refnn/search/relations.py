"""Relations: the numbers are wrong, and stand in a simple relation to the right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, combinations, groupby
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from refnn.activations import Activation
from refnn.arrays import FloatArray
from refnn.layers import Layer
from refnn.losses import SoftmaxCrossEntropy
from refnn.oracle.budget import Question
from refnn.search.faults import Fault
from refnn.search.programs import Prediction, Program, layers, predicting, run

__all__ = ["RELATIONS", "fitted", "relations_of"]

_FACTORS: Mapping[str, Callable[[Question], float]] = MappingProxyType(
    {
        "times N": lambda q: len(q.x),
        "divided by N": lambda q: 1 / len(q.x),
        "times outputs": lambda q: q.labels.shape[1],
        "divided by outputs": lambda q: 1 / q.labels.shape[1],
        "times 2": lambda q: 2,
        "halved": lambda q: 1 / 2,
        "with the wrong sign": lambda q: -1,
        "zero": lambda q: 0,
    }
)

_OTHERS: Mapping[str, Callable[[FloatArray], FloatArray]] = MappingProxyType(
    {
        "transposed": lambda part: part.T.reshape(part.shape),  # one that is not square: its order is by columns
        "without its last row": lambda part: _without(part, np.s_[-1:]),
        "without its last column": lambda part: _without(part, np.s_[..., -1:]),
        "with its rows in reverse": lambda part: part[::-1],
        "with its columns in reverse": lambda part: part[..., ::-1],
    }
)
"""Of arrays that are no single number."""

_GROUPS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "loss": lambda name: name == "loss",
        "gradient": lambda name: name not in ("outputs", "loss"),
        "gradient of parameters": lambda name: name not in ("outputs", "loss", "input_gradient"),
        "loss and gradient": lambda name: name != "outputs",
        "gradient of weights": lambda name: name.endswith(".weight"),
        "gradient of biases": lambda name: name.endswith(".bias"),
    }
)


_SAID: Mapping[str, str] = MappingProxyType(
    {
        "loss": "the loss",
        "gradient": "the gradient",
        "gradient of parameters": "the gradient of all parameters",
        "loss and gradient": "loss and gradient",
        "gradient of weights": "the gradient of all weights",
        "gradient of biases": "the gradient of all biases",
        "times N": "multiplied by the number of samples",
        "divided by N": "divided by the number of samples",
        "times outputs": "multiplied by the number of outputs",
        "divided by outputs": "divided by the number of outputs",
        "times 2": "doubled",
        "halved": "halved",
        "with the wrong sign": "with the wrong sign",
        "zero": "as zero",
        "transposed": "with the numbers in the order of the transpose",
        "without its last row": "with zeros at the end of the first axis",
        "without its last column": "with zeros in the last column",
        "with its rows in reverse": "in reverse order along the first axis",
        "with its columns in reverse": "with the columns in reverse order",
        "bias before weight": "the gradients of each layer stand in reverse order, that of the bias first",
        "all weights before all biases": "the gradients of all weights stand before those of all biases",
        "the last layer first": "the gradients stand in the order of the layers, the last one first",
        "everything in reverse": "the gradients of all parameters stand in reverse order, the last one first",
        "outputs": "the outputs",
        "input_gradient": "the gradient of the samples",
    }
)
"""In words for a student: what a relation is about, how that came out, or all of it."""

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def _layer(number: int) -> str:
    return f"the {_ORDINALS[number]} layer" if number < len(_ORDINALS) else "a layer after the tenth"


def _subject(part: str) -> str:
    """A part of the answer; parameters of layers of one's own may have any name."""
    number, _, name = part.partition(".")
    if not name:
        return _SAID[part]
    return f"the gradient of {f'the {name}' if name in ('weight', 'bias') else 'a parameter'} of {_layer(int(number))}"


def _came_out(subject: str, how: str) -> str:
    return f"{subject} came out {_SAID[how]}"


def _relation(what: str, plain: str, hint: str, page: str, program: Program) -> Fault:
    return Fault(what, what, f"{plain[0].upper()}{plain[1:]}.", "", hint, page, "", predicting(program))


def _scaled(factor: Callable[[Question], float], concerned: Callable[[str], bool]) -> Program:
    return lambda q: {name: part * factor(q) for name, part in run(q).items() if concerned(name)}


def _made_of(name: str, other: Callable[[FloatArray], FloatArray]) -> Program:
    return lambda q: {name: other(run(q)[name])}


def _without(part: FloatArray, place: Any) -> FloatArray:
    """With zeros there."""
    changed = part.copy()
    changed[place] = 0
    return changed


# ---------------------------------------------------------------------------------------------------- of every network


def _in_order(order: Callable[[list[str]], list[str]]) -> Program:
    """The gradients of all parameters in another order, each as long as it is, in the place of the others."""

    def program(q: Question) -> Prediction:
        found, names = run(q), list(q.network.names())
        vector = np.concatenate([np.zeros(0), *(found[name].ravel() for name in order(names))])
        return dict(zip(names, chain(*q.network.parameters(vector)), strict=True))

    return program


def _layers_of(names: list[str]) -> list[list[str]]:
    return [list(group) for _, group in groupby(names, key=lambda name: name.split(".")[0])]


_ORDERS: Mapping[str, Callable[[list[str]], list[str]]] = MappingProxyType(
    {
        "bias before weight": lambda names: [name for layer in _layers_of(names) for name in reversed(layer)],
        "all weights before all biases": lambda names: sorted(names, key=lambda name: name.endswith(".bias")),
        "the last layer first": lambda names: [name for layer in reversed(_layers_of(names)) for name in layer],
        "everything in reverse": lambda names: names[::-1],
    }
)


def _less_largest(q: Question) -> Prediction | None:
    if not isinstance(q.network.loss_function, SoftmaxCrossEntropy):
        return None
    outputs = run(q)["outputs"]
    return {"outputs": outputs - outputs.max(axis=1, keepdims=True)}


def _before_activation(q: Question) -> Prediction | None:
    if not isinstance(q.network.layers[-1], Activation):
        return None
    return {"outputs": q.network.forward(q.network.parameters(q.w), q.x)[-2]}


_SAME_FACTOR = "Is there one number by which all of yours differ from the right ones?"
_ARRANGED = "Are the right numbers there, in another order, or in another place?"
_HANDED_ON = "What does this layer hand back to the one before it?"

RELATIONS: tuple[Fault, ...] = (
    *(
        _relation(
            f"{group} {words}", _came_out(_SAID[group], words), _SAME_FACTOR, "losses", _scaled(factor, concerned)
        )
        for group, concerned in _GROUPS.items()
        for words, factor in _FACTORS.items()
    ),
    _relation(
        "outputs before the last activation",
        "the outputs are those before the last activation",
        "What does the last layer return?",
        "activations",
        _before_activation,
    ),
    _relation(
        "outputs less the largest of their row",
        "the largest output of each sample is subtracted from all its outputs",
        "What does the loss do to the logits that it is given?",
        "losses",
        _less_largest,
    ),
    *(_relation(words, _SAID[words], _ARRANGED, "dense", _in_order(order)) for words, order in _ORDERS.items()),
)
"""Those that need no network to be named."""


# ------------------------------------------------------------------------------------------------------ of one network


def relations_of(question: Question) -> Iterable[Fault]:
    """All relations for a question: `RELATIONS`, those of single layers, and those of single parts of the answer."""
    yield from RELATIONS
    network = question.network
    for k, layer in enumerate(network.layers):
        yield from _of_layer(k, layer)
    for name, part in run(question).items():
        if name != "loss":
            yield from _of_part(name, part.ndim)
    for (one, shape), (other, other_shape) in combinations(network.names().items(), 2):
        if shape == other_shape:
            what, plain = f"{one} and {other} exchanged", "the gradients of two parameters of one shape are exchanged"
            yield _relation(what, plain, _ARRANGED, "dense", _exchanged(one, other))


def _of_layer(number: int, layer: Layer) -> Iterator[Fault]:
    that = _layer(number)
    if isinstance(layer, Activation):
        handed = layers(lambda q, k, f: {"backward": lambda p, z, delta: delta} if k == number else {})
        plain = f"{that} hands back what it is handed, without its slope"
        yield _relation(f"the slope of layer {number} missing", plain, _HANDED_ON, "backpropagation", handed)
    if layer.shapes:
        none = _scaled(lambda q: 0, lambda name: name.startswith(f"{number}."))
        plain = f"the gradient of {that} is zero"
        yield _relation(f"gradient of layer {number} zero", plain, _HANDED_ON, "backpropagation", none)
    if number:
        stopped = layers(lambda q, k, f: {"backward": lambda p, z, delta: np.zeros_like(z)} if k == number else {})
        plain = f"{that} hands nothing back"
        yield _relation(f"layer {number} hands nothing back", plain, _HANDED_ON, "backpropagation", stopped)


def _of_part(name: str, dimensions: int) -> Iterator[Fault]:
    subject = _subject(name)
    for words, factor in _FACTORS.items():
        plain, program = _came_out(subject, words), _scaled(factor, name.__eq__)
        yield _relation(f"{name} {words}", plain, _SAME_FACTOR, "backpropagation", program)
    for words, other in _OTHERS.items():
        if dimensions > 1 or "column" not in words:
            plain, program = _came_out(subject, words), _made_of(name, other)
            yield _relation(f"{name} {words}", plain, _ARRANGED, "backpropagation", program)


def _exchanged(one: str, other: str) -> Program:
    def program(q: Question) -> Prediction:
        found = run(q)
        return {one: found[other], other: found[one]}

    return program


# ----------------------------------------------------------------------------------------- with a number of their own


def fitted(question: Question, answer: Prediction) -> list[Fault]:
    """Relations that have a number, taken from one answer: a factor, a decay, a limit of the gradient."""
    with np.errstate(all="ignore"):  # what overflows has no ratio
        return list(_fitted(question, answer))


def _fitted(question: Question, answer: Prediction) -> Iterator[Fault]:
    true, w = run(question), question.network.unpack(question.w)
    for group, concerned in _GROUPS.items():
        names = [name for name in answer if concerned(name)]
        for factor in _ratio(_joined(answer, names), _joined(true, names), _digits(question)):
            plain, program = f"{_SAID[group]} came out multiplied by a number", _scaled(_always(factor), concerned)
            yield _relation(f"{group} times {factor:.12g}", plain, _SAME_FACTOR, "losses", program)
    for words, concerned in _DECAYING.items():
        names = [name for name in w if concerned(name)]
        given = [name for name in names if name in answer]
        for decay in _ratio(_joined(answer, given) - _joined(true, given), _joined(w, given)):
            for where in "gradient", "loss and gradient":
                yield _decay(where, words, decay)
        if "loss" in answer:
            for decay in _ratio(np.atleast_1d(answer["loss"] - true["loss"]), np.array([_half_square(w, names)])):
                yield _decay("loss", words, decay)
    given = [name for name in w if name in answer]
    for what, plain, size, clipped in _CLIPPED:
        for limit in _ratio(np.array([size([answer[name] for name in given])]), np.ones(1)):
            program = _changed(clipped, limit)
            yield _relation(f"gradient clipped to {what} {limit:g}", plain, _LIMITED, "descent", program)


def _ratio(these: FloatArray, those: FloatArray, most: int = 2) -> Iterator[float]:
    """The number that makes these of those, if there is one, and it is not zero: to two digits, and to so many."""
    ratio = np.dot(these, those) / np.dot(those, those)
    for found in dict.fromkeys(float(f"{ratio:.{digits}g}") for digits in (2, most)):
        if np.isfinite(found) and found != 0:
            yield found


def _digits(question: Question) -> int:
    """How many digits of a factor are known, and cannot be there by chance: 12 in float64, 3 in float32, or else 2."""
    return max(2, math.floor(-math.log10(2**13 * question.precision.format.unit)))


def _joined(named: Prediction, names: Iterable[str]) -> FloatArray:
    return np.concatenate([np.zeros(0), *(np.ravel(named[name]) for name in names)])


def _always(factor: float) -> Callable[[Question], float]:
    return lambda q: factor


def _half_square(w: Prediction, names: Iterable[str]) -> float:
    return float(np.sum(_joined(w, names) ** 2) / 2)


def _decay(where: str, words: str, decay: float) -> Fault:
    def program(q: Question) -> Prediction:
        found, w = run(q), q.network.unpack(q.w)
        names = [name for name in w if _DECAYING[words](name)]
        changed = {name: found[name] + decay * w[name] for name in names if "gradient" in where}
        return {**changed, "loss": found["loss"] + decay * _half_square(w, names)} if "loss" in where else changed

    plain = f"a decay of the {words} is added to {_SAID[where]}"
    return _relation(f"{where} with a decay of the {words}, {decay:g}", plain, _SHRINKS, "descent", program)


_DECAYING: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {"weights": lambda name: name.endswith(".weight"), "parameters": lambda name: True}
)

_Arrays: TypeAlias = list[FloatArray]


def _changed(clipped: Callable[[_Arrays, float], _Arrays], limit: float) -> Program:
    def program(q: Question) -> Prediction:
        found, names = run(q), q.network.names()
        return dict(zip(names, clipped([found[name] for name in names], limit), strict=True))

    return program


def _norm(arrays: _Arrays) -> float:
    return math.hypot(*(float(np.linalg.norm(array)) for array in arrays))


def _to_norm(arrays: _Arrays, limit: float, little: float = 0.0) -> _Arrays:
    size = _norm(arrays) + little
    return [array * (limit / size) if size > limit else array for array in arrays]


_CLIPPED: tuple[tuple[str, str, Callable[[_Arrays], float], Callable[[_Arrays, float], _Arrays]], ...] = (
    ("norm", "the gradient of all parameters is clipped by its norm", _norm, _to_norm),
    (
        "norm (as PyTorch does, which adds 1e-6 to it)",
        "the gradient of all parameters is clipped by its norm, to which a small number is added",
        _norm,
        lambda arrays, limit: _to_norm(arrays, limit, 1e-6),
    ),
    (
        "norm, each parameter for itself,",
        "the gradient of each parameter is clipped by its own norm",
        lambda arrays: max((_norm([array]) for array in arrays), default=0),
        lambda arrays, limit: [part for array in arrays for part in _to_norm([array], limit)],
    ),
    (
        "elements up to",
        "each element of the gradient is clipped",
        lambda arrays: max((float(np.max(np.abs(array), initial=0)) for array in arrays), default=0),
        lambda arrays, limit: [np.clip(array, -limit, limit) for array in arrays],
    ),
)
"""What is limited: its words, those for a student, how large that is, and the gradient with a limit."""

_SHRINKS = "What is added to the gradient that is not the gradient of the loss?"
_LIMITED = "Are small gradients right, and large ones not?"
