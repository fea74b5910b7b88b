"""Programs that do something otherwise: the same network, of which one formula is another.

A program answers a question, or only some parts of it. Where it overflows, its answer holds the infinities and the NaN
that the storage format of the question would give.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, TypeAlias, cast, final

import numpy as np

from refnn.arrays import FloatArray
from refnn.layers import Dense, Layer
from refnn.losses import ALL as LOSSES
from refnn.losses import Loss, Reduction
from refnn.network import Network
from refnn.oracle.budget import Question

__all__ = [
    "ROUNDING",
    "Changes",
    "Prediction",
    "Program",
    "Unit",
    "dense",
    "first_of",
    "layers",
    "losses",
    "only_gradient",
    "only_loss",
    "other_layer",
    "parts",
    "predicting",
    "reduced",
    "reduction",
    "run",
    "settings",
    "slope",
    "times",
]

Prediction: TypeAlias = Mapping[str, FloatArray]
"""The parts of an answer that a fault changes, as `blocks` names them: outputs, loss, a parameter, input_gradient."""

Program: TypeAlias = Callable[[Question], Prediction | None]
"""An implementation: some parts of its answer, changed or not; None for a question that it does not concern."""


Changes: TypeAlias = Mapping[str, Callable[..., Any]]
"""Other functions in place of those of a layer or of a loss, by their names there."""

_MEMBERS = ("inputs", "outputs", "shapes", "forward", "backward", "gradient")

ROUNDING = 2.0**-48
"""What differs by less than this share of the largest element, 16 units in its last place, is taken for unchanged. Sums
of many terms may differ by more without a fault; then a part is predicted that is right within its bounds."""


def run(question: Question, network: Network | None = None) -> dict[str, FloatArray]:
    """All parts of the answer of a network, by default the one in question; whatever overflows goes on as infinity."""
    _, w, x, labels, *_ = question
    network = network or question.network
    with np.errstate(all="ignore"):
        p = network.parameters(w)
        h = network.forward(p, x)
        loss, delta = network.loss_function.differentiate(h[-1], labels)
        gradients, delta = network.backward(p, h, delta)
        samples = network.layers[0].backward(p[0], x, delta)
    named = dict(zip(network.names(), gradients, strict=True))
    parts = {"outputs": h[-1], "loss": loss, **named, "input_gradient": samples}
    return {name: np.array(part, dtype=np.float64) for name, part in parts.items()}


def predicting(program: Program) -> Callable[[Question], Prediction | None]:
    """What a program predicts of a question: the parts in which it differs from the reference, or None."""

    def predict(question: Question) -> Prediction | None:
        with np.errstate(all="ignore"):
            found = program(question) or {}
            true = _right(question) if found else {}
            return {name: part for name, part in found.items() if _differ(part, true[name])} or None

    return predict


def _right(question: Question) -> dict[str, FloatArray]:
    """All parts of the right answer, which many programs are held against one after the other."""
    for last, answer in tuple(_LAST):
        if last is question:
            return answer
    answer = run(question)
    _LAST.append((question, answer))
    return answer


_LAST: deque[tuple[Question, dict[str, FloatArray]]] = deque(maxlen=1)


def _differ(part: FloatArray, true: FloatArray) -> bool:
    allowed = ROUNDING * np.abs(true).max()
    return not np.array_equal(part, true, equal_nan=True) and not bool((np.abs(part - true) <= allowed).all())


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed(Loss):
    """A loss, some of whose functions are others."""

    of: Loss
    changes: Changes

    def reductions(self) -> tuple[Reduction, ...]:
        return self.of.reductions()

    def divisor(self, t: Any, labels: FloatArray) -> Any:
        return self.of.divisor(t, labels)

    def targets(self, like: Any, labels: FloatArray) -> Any:
        return self._formula("targets")(like, labels)

    def prediction(self, z: Any) -> Any:
        return self._formula("prediction")(z)

    def terms(self, p: Any, t: Any) -> Any:
        return self._formula("terms")(p, t)

    def derivative(self, p: Any, t: Any) -> Any:
        return self._formula("derivative")(p, t)

    def _formula(self, name: str) -> Callable[..., Any]:
        return self.changes[name] if name in self.changes else cast("Callable[..., Any]", getattr(self.of, name))


def losses(kind: type[Any], change: Callable[[Question, Any], Changes]) -> Program:
    """With other functions of the loss, if it is one of that kind."""

    def program(q: Question) -> Prediction | None:
        loss = q.network.loss_function
        if not isinstance(loss, kind):
            return None
        changed = _Changed(of=loss, changes=change(q, loss), reduction=loss.reduction, scale=loss.scale)
        return run(q, Network(*q.network.layers, loss=changed))

    return program


def settings(kind: type[Any], change: Callable[[Question, Any], Mapping[str, Any] | None]) -> Program:
    """With other settings of the loss, unless there is no change; losses of one's own may have other ones."""

    def program(q: Question) -> Prediction | None:
        loss = q.network.loss_function
        changes = change(q, loss) if isinstance(loss, kind) and type(loss) in LOSSES else None
        return None if changes is None else run(q, Network(*q.network.layers, loss=replace(loss, **changes)))

    return program


def layers(change: Callable[[Question, int, Any], Changes]) -> Program:
    """With other functions of layers; each layer has its own changes, by the question, its number and itself."""

    def program(q: Question) -> Prediction:
        changed = (other_layer(layer, change(q, k, layer)) for k, layer in enumerate(q.network.layers))
        return run(q, Network(*changed, loss=q.network.loss_function))

    return program


def other_layer(layer: Layer, changes: Changes) -> Layer:
    """The layer, with other functions."""
    members = {name: getattr(layer, name) for name in _MEMBERS}
    return cast(Layer, SimpleNamespace(**members | dict(changes))) if changes else layer


Unit: TypeAlias = Callable[[Any, FloatArray], Any]
"""A function of an activation, for its settings, and of its input z."""


def slope(formula: Unit, *kinds: type[Any], value: Unit | None = None) -> Program:
    """With another slope of activations of these kinds, and another value if one is given."""

    def change(_: Question, __: int, f: Any) -> Changes:
        if not isinstance(f, kinds):
            return {}
        changes: dict[str, Any] = {"backward": lambda p, z, delta: delta * formula(f, z)}
        return changes if value is None else {**changes, "forward": lambda p, z: value(f, z)}

    return layers(change)


def dense(**changes: Callable[..., Any]) -> Program:
    """With other functions of dense layers."""
    return layers(lambda q, k, layer: changes if isinstance(layer, Dense) else {})


def only_loss(program: Program) -> Program:
    """The loss alone is that of the program."""
    return lambda q: {name: part for name, part in (program(q) or {}).items() if name == "loss"}


def only_gradient(program: Program) -> Program:
    """The gradient alone, of parameters and samples, is that of the program."""
    return lambda q: {name: part for name, part in (program(q) or {}).items() if name not in ("outputs", "loss")}


def times(factor: Callable[[Question], float], kind: type[Any] = Loss) -> Program:
    """Loss and gradient times a number."""

    def program(q: Question) -> Prediction | None:
        if not isinstance(q.network.loss_function, kind):
            return None
        return {name: part * factor(q) for name, part in run(q).items() if name != "outputs"}

    return program


def reduction(new: Reduction, *olds: Reduction, kind: type[Any] = Loss) -> Program:
    """With another reduction, where it is one of the old ones."""
    return settings(kind, lambda q, loss: {"reduction": new} if loss.reduction in olds else None)


def reduced(old: Reduction, program: Program) -> Program:
    """The program, where the reduction is this one."""
    return lambda q: program(q) if q.network.loss_function.reduction == old else None


def parts(size: Callable[[int], int], *, two: bool = True) -> Program:
    """The mean of the answers to two parts of the batch, the first of that size; or to all parts of that size."""

    def program(q: Question) -> Prediction:
        samples = len(q.x)
        cuts = range(max(size(samples), 1), samples, samples if two else size(samples))
        batches = zip(np.split(q.x, cuts), np.split(q.labels, cuts), strict=True)
        each = [run(q._replace(x=x, labels=y)) for x, y in batches]
        mean = {name: np.asarray(sum(part[name] for part in each) / len(each)) for name in ("loss", *q.network.names())}
        return {**mean, "input_gradient": np.concatenate([part["input_gradient"] for part in each]) / len(each)}

    return program


def first_of(*programs: Program) -> Program:
    """The first program that is about the question."""
    return lambda q: next(filter(None, (program(q) for program in programs)), None)
