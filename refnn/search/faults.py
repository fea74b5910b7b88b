"""The catalogue: faults found in real code, and what numbers each of them gives.

A fault is a small transformation of the reference: what an implementation with exactly that fault would answer, in
float64 (`refnn.search.programs`). A disagreement is named by holding the observed numbers against each prediction
(`refnn.search.diagnosis`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np

from refnn.activations import ALL as ACTIVATIONS
from refnn.activations import ELU, GELU, Activation, GELUTanh, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from refnn.arrays import FloatArray, expit, expit_slope, log_softmax, softplus
from refnn.layers import Dense, Layer
from refnn.losses import BinaryCrossEntropy, Huber, InnerProduct, Loss, SoftmaxCrossEntropy, SquaredError
from refnn.network import Network
from refnn.oracle.budget import Question
from refnn.search.plain import PLAIN
from refnn.search.programs import (
    Changes,
    Prediction,
    Program,
    Unit,
    dense,
    first_of,
    layers,
    losses,
    only_gradient,
    only_loss,
    parts,
    predicting,
    reduced,
    reduction,
    run,
    settings,
    slope,
    times,
)
from refnn.search.rows import ROWS
from refnn.search.squashing import SQUASHING

__all__ = ["FAULTS", "PAGES", "Fault"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is done wrong, or otherwise.

    Attributes
    ----------
    id
        A word of the field, such as ``"L3"``; for a relation, what it says, such as ``"times N"``. One row of the field
        may show in several ways: ``"L3/loss"``. What is common, but in no row, begins with ``"loss/"``, ``"unit/"`` or
        ``"layer/"``.
    what
        One line.
    plain
        The same for a student: a sentence without formulas and numbers.
    source
        Where it happened.
    hint
        A question that leads to it, without saying it.
    page
        The derivation that it contradicts.
    convention
        For what other libraries do on purpose: who does, and how to ask refnn for it; else empty.
    predict
        The parts that it changes, for a question; None if it cannot show there.
    variants
        The same in other ways that have no name of their own: in one kind of activation alone, for one.
    """

    id: str
    what: str
    plain: str
    source: str
    hint: str
    page: str
    convention: str
    predict: Callable[[Question], Prediction | None]
    variants: tuple[Callable[[Question], Prediction | None], ...] = ()

    @property
    def title(self) -> str:
        """Its name and what it is, as a sentence."""
        return f"{self.what}." if self.id == self.what else f"{self.id}: {self.what}."


PAGES: Mapping[str, str] = {
    "rounding": "proofs/11-rounding.md, Rounding errors",
    "chain-rule": "proofs/02-chain-rule.md, The chain rule in several variables",
    "dense": "proofs/03-dense.md, The neuron and the affine layer",
    "activations": "proofs/04-activations.md, Activations and their slopes",
    "losses": "proofs/05-losses.md, Losses, and by what they are divided",
    "backpropagation": "proofs/06-backpropagation.md, Backpropagation through all layers",
    "descent": "proofs/08-descent.md, The descent lemma",
}
"""The derivations, by the word that a fault names them with: the file in refnn's source, and its title."""


# ------------------------------------------------------------------------------------------------------ some formulas


def _samples(q: Question) -> int:
    return len(q.x)


def _spread_over_others(f: Any, like: FloatArray, labels: FloatArray) -> Any:
    """The targets of a loss that spreads ε over all classes but the one that is meant, whose share is 1 − ε."""
    classes = labels.shape[1]
    smoothing = min(f.label_smoothing * classes / max(classes - 1, 1), 1)
    return replace(f, label_smoothing=smoothing).targets(like, labels)


def _more_than_spread(f: Any, like: FloatArray, labels: FloatArray) -> Any:
    """The targets of a loss whose ε/C is ε/(C − 1)."""
    more = f.label_smoothing / max(labels.shape[1] - 1, 1) - f.label_smoothing / labels.shape[1]
    weights = 1 if f.class_weights is None else np.array(f.class_weights)
    return f.targets(like, labels) + more * weights


def _beyond(f: Any, r: FloatArray, outer: Any, inner: Any) -> FloatArray:
    return np.asarray(np.where(np.abs(r) > f.delta, outer, inner))


def _log_likelihood(log_p: Callable[[FloatArray], Any]) -> Program:
    """Cross-entropies with another logarithm of a probability."""
    softmaxed: Callable[[Any, Any], Any] = lambda p, t: -t * log_p(np.exp(p))  # noqa: E731 - a formula
    two: Callable[[Any, Any], Any] = lambda p, t: -t * log_p(expit(p)) - (1 - t) * log_p(expit(-p))  # noqa: E731
    return first_of(
        losses(SoftmaxCrossEntropy, lambda q, f: {"terms": softmaxed}),
        losses(BinaryCrossEntropy, lambda q, f: {"terms": two}),
    )


def _clipped(little: float) -> tuple[Program, Program]:
    """On both sides, or from below alone."""
    return (
        _log_likelihood(lambda p: np.log(np.clip(p, little, 1 - little))),
        _log_likelihood(lambda p: np.log(np.maximum(p, little))),
    )


def _with_little(little: float) -> Program:
    return _log_likelihood(lambda p: np.log(p + little))


_LITTLE = (1e-7, 1e-8, 1e-10, 1e-12, 1e-15, 2.0**-52)
"""What is taken for a probability of 0: Keras has the first, scikit-learn had 1e-15 and has the last."""


def _stopped(p: FloatArray) -> Any:
    """Where a clipped probability lets its gradient through."""
    return (p > _LITTLE[0]) & (p < 1 - _LITTLE[0])


def _exp(q: Question, z: FloatArray) -> FloatArray:
    """exp(z), which leaves the range of the storage format where it would there."""
    e = np.exp(z)
    stored = q.precision.format.nearest(e)
    return np.where((stored == 0) | np.isinf(stored), stored, e)


def _sigmoid(q: Question, z: FloatArray) -> FloatArray:
    """σ(z), which is 1 where no other number of the storage format is nearer."""
    p = expit(z)
    return np.where(q.precision.format.nearest(p) == 1, 1, p)


def _naive_softmax(q: Question, z: FloatArray) -> Any:
    e = _exp(q, z)
    return np.log(e / e.sum(axis=1, keepdims=True))


def _naive_two(q: Question, z: FloatArray, t: FloatArray) -> Any:
    p = _sigmoid(q, z)
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def _in_storage(formula: Callable[[Question, FloatArray], Any], name: str, kind: type[Any]) -> Program:
    """With a formula that needs the storage format, for the value or the slope of an activation."""
    wrapped: Mapping[str, Callable[[Question], Callable[..., Any]]] = {
        "forward": lambda q: lambda p, z: formula(q, z),
        "backward": lambda q: lambda p, z, delta: delta * formula(q, z),
    }
    return layers(lambda q, k, f: {name: wrapped[name](q)} if isinstance(f, kind) else {})


def _half_used(f: Any, z: FloatArray) -> FloatArray:
    """g(z), for f(z) = z·g(z)."""
    return np.where(z == 0, 1 / 2, f.forward((), z) / np.where(z == 0, 1, z))


_QUICK = 1.702
"""Of the third form of GELU, z·σ(1.702 z) (Hendrycks, Gimpel, "Gaussian Error Linear Units (GELUs)", section 2)."""

_OTHER_FORM: Mapping[type[Layer], Any] = {GELU: GELUTanh(), GELUTanh: GELU()}
_GELUS = (GELU, GELUTanh)
_KINKED = (ReLU, LeakyReLU, ELU)


def _uncoupled(kind: type[Any]) -> Program:
    """Activations of a kind hand back their slope, whatever they get."""

    def change(_: Question, __: int, f: Any) -> Changes:
        return {"backward": lambda p, z, delta: f.derivative(z) * np.ones_like(z)} if isinstance(f, kind) else {}

    return layers(change)


def _positive(kind: type[Any]) -> Program:
    """Activations of a kind hand back no negative number that they get."""

    def change(_: Question, __: int, f: Any) -> Changes:
        return {"backward": lambda p, z, delta: f.derivative(z) * np.maximum(delta, 0)} if isinstance(f, kind) else {}

    return layers(change)


def _slopes(formula: Unit, *kinds: type[Any]) -> tuple[Program, ...]:
    """With another slope of activations of these kinds, by default of all, or of one kind alone."""
    return slope(formula, *kinds or (Activation,)), *(slope(formula, kind) for kind in kinds or ACTIVATIONS)


def _other_form(q: Question, k: int, layer: Layer) -> Changes:
    other = _OTHER_FORM.get(type(layer))
    return {} if other is None else {"forward": other.forward, "backward": other.backward}


def _usual(kind: type[Any]) -> Callable[[Question, int, Layer], Changes]:
    """Activations of a kind have their usual settings."""
    usual = kind()
    return lambda q, k, f: {"forward": usual.forward, "backward": usual.backward} if isinstance(f, kind) else {}


def _aliased(parameter: FloatArray, gradient: FloatArray) -> FloatArray:
    """Elements with equal numbers share the sum of their gradients."""
    group = np.unique(parameter.ravel(), return_inverse=True)[1]
    sums = np.bincount(group, weights=gradient.ravel())
    return np.asarray(sums[group].reshape(parameter.shape), dtype=np.float64)


def _alone(chosen: Callable[[int], slice]) -> Program:
    """The gradient of a dense layer is that of some samples."""

    def gradient(p: Any, x: FloatArray, delta: FloatArray) -> tuple[FloatArray, FloatArray]:
        some = chosen(len(x))
        return x[some].T @ delta[some], delta[some].sum(axis=0)

    return dense(gradient=gradient)


def _weight(gradient: Callable[[FloatArray, FloatArray], FloatArray]) -> Program:
    """Another gradient of the weight."""
    return dense(gradient=lambda p, x, delta: (gradient(x, delta), delta.sum(axis=0)))


def _bias(gradient: Callable[[FloatArray], Any]) -> Program:
    """Another gradient of the bias."""
    return dense(gradient=lambda p, x, delta: (x.T @ delta, gradient(delta) + np.zeros(delta.shape[1])))


def _hidden(q: Question, k: int) -> FloatArray:
    """The input of a layer."""
    return q.network.forward(q.network.parameters(q.w), q.x)[k]


def _before_activation(q: Question, k: int, layer: Layer) -> Changes:
    if k == 0 or not isinstance(q.network.layers[k - 1], Activation):
        return {}
    return {"gradient": lambda p, x, delta: layer.gradient(p, _hidden(q, k - 1), delta)}


def _at_previous(q: Question, k: int, layer: Layer) -> Changes:
    if k == 0 or not isinstance(layer, Activation) or _hidden(q, k - 1).shape != _hidden(q, k).shape:
        return {}
    return {"backward": lambda p, z, delta: delta * layer.derivative(_hidden(q, k - 1))}


def _without_last(q: Question, k: int, layer: Layer) -> Changes:
    if k < len(q.network.layers) - 1 or not isinstance(layer, Activation):
        return {}
    return {"forward": lambda p, z: z, "backward": lambda p, z, delta: delta}


def _square(q: Question, k: int, layer: Layer) -> Changes:
    if not isinstance(layer, Dense) or layer.inputs != layer.outputs:
        return {}
    return {"backward": lambda p, x, delta: delta @ p[0]}


def _other_order(way: str) -> tuple[Program, ...]:
    """On one way alone; or the same of one whose weights are (outputs, inputs), and read as (inputs, outputs)."""

    def program(order: Callable[[Question, int, Layer], Changes]) -> Program:
        def change(q: Question, k: int, layer: Layer) -> Changes:
            return {name: function for name, function in order(q, k, layer).items() if name == way}

        return layers(change)

    return program(_other_layout), program(_layout_here)


def _first_frozen(q: Question) -> Prediction | None:
    """Zeros, where another layer follows that has parameters."""
    found = run(q)
    first, *later = dict.fromkeys(name.split(".")[0] for name in q.network.names()) or [""]
    return {name: 0 * part for name, part in found.items() if name.startswith(f"{first}.")} if later else None


def _guessed(f: Any, z: FloatArray) -> FloatArray:
    """The targets, if the labels were the classes with the largest outputs."""
    classes = np.eye(z.shape[1])[z.argmax(axis=1)]
    return np.asarray(f.targets(z, classes))


def _other_layout(q: Question, k: int, layer: Layer) -> Changes:
    """A weight whose numbers are read, and whose gradient is written, in the order (outputs, inputs)."""
    if not isinstance(layer, Dense):
        return {}
    inputs, outputs = layer.inputs, layer.outputs
    return {
        "forward": lambda p, x: x @ p[0].reshape(outputs, inputs).T + p[1],
        "backward": lambda p, x, delta: delta @ p[0].reshape(outputs, inputs),
        "gradient": lambda p, x, delta: ((delta.T @ x).reshape(inputs, outputs), delta.sum(axis=0)),
    }


def _layout_here(q: Question, k: int, layer: Layer) -> Changes:
    """A weight that is kept as (outputs, inputs), whose numbers are read in the order (inputs, outputs)."""
    if not isinstance(layer, Dense):
        return {}
    inputs, outputs = layer.inputs, layer.outputs
    return {
        "forward": lambda p, x: x @ p[0].T.reshape(inputs, outputs) + p[1],
        "backward": lambda p, x, delta: delta @ p[0].T.reshape(inputs, outputs).T,
    }


def _squashed_twice(q: Question) -> Prediction | None:
    """With the function that the loss applies to logits as a last layer, too."""
    added = SQUASHING.get(type(q.network.loss_function))
    return None if added is None else run(q, Network(*q.network.layers, added, loss=q.network.loss_function))


def _all_pairs(factor: Callable[[int], int]) -> Program:
    """The mean over all pairs of an output and a target, times a factor of the number of samples."""

    def program(q: Question) -> Prediction | None:
        n = len(q.x)
        if q.labels.shape[1] != 1:
            return None
        found = run(q._replace(x=np.repeat(q.x, n, axis=0), labels=np.tile(q.labels, (n, 1))))
        back = found.pop("input_gradient").reshape(n, n, -1).sum(axis=1)
        return {name: factor(n) * part for name, part in {**found, "input_gradient": back}.items() if name != "outputs"}

    return program


def _squashed_inside(q: Question) -> Prediction | None:
    """The same, within the loss: the outputs are logits."""
    return {name: part for name, part in (_squashed_twice(q) or {}).items() if name != "outputs"}


# ------------------------------------------------------------------------------------------------------- the catalogue


class _Way(NamedTuple):
    """One way in which a row shows; of several programs, the first is the usual one."""

    word: str
    what: str
    programs: Program | tuple[Program, ...]
    convention: str = ""
    source: str = ""


def _row(id_: str, page: str, hint: str, *ways: _Way) -> Iterator[Fault]:
    source = ROWS[id_].source if id_ in ROWS else ""
    for word, what, programs, convention, own in ways:
        name = f"{id_}/{word}" if word else id_
        usual, *others = map(predicting, programs if isinstance(programs, tuple) else (programs,))
        plain = PLAIN[name if name in PLAIN else name.rsplit(maxsplit=1)[0]]  # without a number at its end
        yield Fault(name, what, plain, own or source, hint, page, convention, usual, tuple(others))


_UNDIVIDED = reduction("sum", "mean", "elements", "weights")
_OVER_SAMPLES = times(lambda q: 1 / _samples(q))
_TWICE, _HALF = times(lambda q: 2, SquaredError), times(lambda q: 1 / 2, SquaredError)

_UNSMOOTHED = settings(SoftmaxCrossEntropy, lambda q, f: {"label_smoothing": 0})
_UNWEIGHTED = settings(SoftmaxCrossEntropy, lambda q, f: None if f.class_weights is None else {"class_weights": None})


_OF_ONE = settings(Huber, lambda q, f: {"delta": 1})

_OVER_COLUMNS = losses(SoftmaxCrossEntropy, lambda q, f: {"prediction": lambda z: log_softmax(z.T).T})
_OVER_SHIFTED_COLUMNS = losses(  # the largest number of each row is subtracted before
    SoftmaxCrossEntropy, lambda q, f: {"prediction": lambda z: log_softmax((z - z.max(axis=1, keepdims=True)).T).T}
)
_GUESSED = losses(SoftmaxCrossEntropy, lambda q, f: {"targets": lambda z, labels: _guessed(f, z)})


def _smoothed(targets: Callable[[Any, FloatArray, FloatArray], Any]) -> Program:
    """With other targets, which are smoothed."""
    return losses(SoftmaxCrossEntropy, lambda q, f: {"targets": lambda z, labels: targets(f, z, labels)})


def _whole(program: Program) -> Program:
    return program


def _divided(program: Program) -> Program:
    """The program, where the loss is divided by something."""
    return lambda q: None if q.network.loss_function.reduction == "sum" else program(q)


def _in_parts(size: Callable[[int], int], *, two: bool = True) -> Program:
    """The mean of the means of parts."""
    return _divided(parts(size, two=two))


FAULTS: tuple[Fault, ...] = (
    # ------------------------------------------------------------------------------------------------------ losses
    *_row(
        "L1",
        "losses",
        "Is your gradient that of the very number which you return as the loss?",
        _Way(
            "", "the loss is averaged over the outputs, the gradient is not", only_loss(reduction("elements", "mean"))
        ),
    ),
    *_row(
        "L3",
        "losses",
        "By what do you divide, and do the loss and its gradient agree on it?",
        _Way("", "the gradient lacks its division by the number of samples", only_gradient(times(_samples))),
        _Way(
            "elements",
            "the gradient is a sum where a mean over elements or weights is asked for",
            only_gradient(reduction("sum", "elements", "weights")),
        ),
        _Way("loss", "the loss is a sum where a mean is asked for", only_loss(_UNDIVIDED)),
        _Way(
            "sum",
            "loss and gradient are sums where a mean is asked for",
            _UNDIVIDED,
            'PyTorch, reduction="sum": refnn.SquaredError(reduction="sum"), and likewise every loss',
        ),
    ),
    *_row(
        "L3c",
        "losses",
        "Which constant stands before the square, and what becomes of it in the derivative?",
        _Way(
            "",
            "without the ½ of the squared error",
            _TWICE,
            'PyTorch, MSELoss: refnn.SquaredError(reduction="elements", scale=2)',
        ),
        _Way("loss", "without the ½ in the loss alone", only_loss(_TWICE)),
        _Way("gradient", "without the ½ in the gradient alone", only_gradient(_TWICE)),
        _Way("half", "with a ½ too many in loss and gradient", _HALF),
        _Way("half the loss", "with a ½ too many in the loss alone", only_loss(_HALF)),
        _Way("half the gradient", "with a ½ too many in the gradient alone", only_gradient(_HALF)),
    ),
    *_row(
        "L4",
        "losses",
        "How often is the sum over the samples divided on its way to you?",
        _Way("", "the gradient is divided by the number of samples once too often", only_gradient(_OVER_SAMPLES)),
        _Way("both", "loss and gradient are divided by the number of samples once too often", _divided(_OVER_SAMPLES)),
        _Way(
            "mean",
            "loss and gradient are means where a sum is asked for",
            reduction("mean", "sum"),
            'PyTorch, reduction="mean": refnn.InnerProduct(reduction="mean"), and likewise every loss',
        ),
        _Way("workers", "the sums of two parts of the batch are averaged", reduced("sum", parts(lambda n: n // 2))),
    ),
    *_row(
        "L5",
        "losses",
        "If the batch is taken in parts, does each sample count alike?",
        _Way("", "mean of the means of two parts, the last being larger", _in_parts(lambda n: n // 2)),
        _Way(
            "last smaller", "mean of the means of two parts, the last being smaller", _in_parts(lambda n: (n + 1) // 2)
        ),
        _Way("last alone", "mean of the means of all samples but one and of that one", _in_parts(lambda n: n - 1)),
        _Way("pairs", "mean of the means of pairs, the last sample being alone", _in_parts(lambda n: 2, two=False)),
    ),
    *_row(
        "L7",
        "losses",
        "Over what is your mean, over samples or over all numbers?",
        _Way(
            "",
            "the mean divides by all elements instead of samples",
            reduction("elements", "mean"),
            'PyTorch, MSELoss: refnn.SquaredError(reduction="elements", scale=2)',
        ),
        _Way(
            "squares",
            "the mean of the squares of all elements, without the ½",
            settings(
                SquaredError,
                lambda q, loss: (
                    {"reduction": "elements", "scale": 2 * loss.scale} if loss.reduction == "mean" else None
                ),
            ),
            'PyTorch, MSELoss: refnn.SquaredError(reduction="elements", scale=2)',
        ),
        _Way(
            "samples",
            "the mean divides by the samples instead of all elements",
            reduction("mean", "elements"),
            'most textbooks: refnn.SquaredError(reduction="mean")',
        ),
    ),
    *_row(
        "L10",
        "losses",
        "Among how many classes is the share spread, and is the true one of them?",
        _Way("", "label smoothing spreads ε/(C − 1) over all classes", _smoothed(_more_than_spread)),
        _Way(
            "by hand",
            "label smoothing spreads ε/(C − 1) over all classes, and the gradient is p − q nevertheless",
            losses(
                SoftmaxCrossEntropy,
                lambda q, f: (
                    {
                        "targets": lambda z, labels: _more_than_spread(f, z, labels),
                        "derivative": lambda p, t: np.exp(p) - t,
                    }
                    if f.label_smoothing
                    else {}
                ),
            ),
        ),
        _Way("others", "label smoothing spreads ε over all classes but the true one", _smoothed(_spread_over_others)),
        _Way("ignored", "label smoothing is ignored", _UNSMOOTHED),
        _Way("gradient ignored", "label smoothing is ignored in the gradient", only_gradient(_UNSMOOTHED)),
    ),
    *_row(
        "L12",
        "losses",
        "Which terms of the loss depend on an output, and has each its derivative?",
        _Way(
            "",
            "of log p = z − log Σ exp(z), the gradient of the second term is dropped",
            losses(SoftmaxCrossEntropy, lambda q, f: {"derivative": lambda p, t: -t}),
        ),
        _Way(
            "two classes",
            "the term of the second class is dropped from loss and gradient",
            losses(
                BinaryCrossEntropy,
                lambda q, f: {"terms": lambda p, t: t * softplus(-p), "derivative": lambda p, t: -t * expit(-p)},
            ),
        ),
        _Way(
            "two classes, loss",
            "the term of the second class is dropped from the loss",
            only_loss(losses(BinaryCrossEntropy, lambda q, f: {"terms": lambda p, t: t * softplus(-p)})),
        ),
        _Way(
            "two classes, gradient",
            "the term of the second class is dropped from the gradient",
            losses(BinaryCrossEntropy, lambda q, f: {"derivative": lambda p, t: -t * expit(-p)}),
        ),
    ),
    *_row(
        "L13",
        "chain-rule",
        "What does your backward do with the number that it is handed?",
        _Way(
            "",
            "the backward of activations ignores the incoming cotangent",
            (_uncoupled(Activation), *map(_uncoupled, ACTIVATIONS)),
        ),
        _Way(
            "loss",
            "cotangents of the outputs are taken as ones",
            losses(InnerProduct, lambda q, f: {"derivative": lambda p, t: np.ones_like(t)}),
        ),
        _Way(
            "scale",
            "the scale of the loss is missing in its gradient",
            only_gradient(settings(Loss, lambda q, f: {"scale": 1})),
        ),
        _Way("scale everywhere", "the scale of the loss is ignored", settings(Loss, lambda q, f: {"scale": 1})),
    ),
    *_row(
        "L17",
        "losses",
        "Do the two pieces meet where one gives way to the other, in value and in slope?",
        _Way(
            "",
            "the outer piece without its factor δ",
            losses(
                Huber,
                lambda q, f: {
                    "terms": lambda p, t: _beyond(f, p - t, np.abs(p - t) - f.delta / 2, (p - t) * (p - t) / 2),
                    "derivative": lambda p, t: _beyond(f, p - t, np.sign(p - t), p - t),
                },
            ),
        ),
        _Way(
            "constant",
            "the outer piece without its constant",
            losses(
                Huber,
                lambda q, f: {"terms": lambda p, t: f.terms(p, t) + _beyond(f, p - t, f.delta * f.delta / 2, 0)},
            ),
        ),
        _Way(
            "one side",
            "the outer piece on one side alone: r ≤ δ is asked, not |r| ≤ δ",
            tuple(
                which(
                    losses(
                        Huber,
                        lambda q, f: {
                            "terms": lambda p, t: np.where(p - t > f.delta, f.terms(p, t), (p - t) * (p - t) / 2),
                            "derivative": lambda p, t: np.minimum(p - t, float(f.delta)),
                        },
                    )
                )
                for which in (_whole, only_loss, only_gradient)
            ),
        ),
        _Way(
            "uncut",
            "the gradient of the inner piece everywhere",
            losses(Huber, lambda q, f: {"derivative": lambda p, t: p - t}),
        ),
        _Way(
            "gradient",
            "the slope of the outer piece without its factor δ",
            losses(Huber, lambda q, f: {"derivative": lambda p, t: _beyond(f, p - t, np.sign(p - t), p - t)}),
        ),
        _Way("one", "δ is taken as 1", _OF_ONE),
        _Way("one, gradient", "δ is taken as 1 in the gradient", only_gradient(_OF_ONE)),
        _Way(
            "divided",
            "loss and gradient are divided by δ",
            times(lambda q: 1 / cast(Huber, q.network.loss_function).delta, Huber),
            "PyTorch, SmoothL1Loss(beta=b): refnn.Huber(delta=b, scale=Fraction(1) / b)",
        ),
    ),
    *_row(
        "L18",
        "rounding",
        "What does your loss say of a prediction that is sure and wrong?",
        *(
            _Way(f"clipped at {little:.0e}", f"probabilities are clipped at {little:.0e} in the loss", _clipped(little))
            for little in _LITTLE
        ),
        *(
            _Way(f"plus {little:.0e}", f"{little:.0e} is added to probabilities in the loss", _with_little(little))
            for little in _LITTLE
        ),
        _Way(
            "gradient clipped",
            "the gradient stops where a probability is clipped at 1e-07",
            first_of(
                losses(
                    SoftmaxCrossEntropy,
                    lambda q, f: {"derivative": lambda p, t: f.derivative(p, t * _stopped(np.exp(p)))},
                ),
                losses(
                    BinaryCrossEntropy,
                    lambda q, f: {"derivative": lambda p, t: (expit(p) - t) * _stopped(expit(p))},
                ),
            ),
        ),
        _Way(
            "overflow",
            "softmax without the largest subtracted first: NaN where exp overflows, log of zero where it underflows",
            losses(SoftmaxCrossEntropy, lambda q, f: {"prediction": lambda z: _naive_softmax(q, z)}),
        ),
        _Way(
            "log of zero",
            "the logarithm of a probability that has been rounded to zero",
            losses(BinaryCrossEntropy, lambda q, f: {"terms": lambda p, t: _naive_two(q, p, t)}),
        ),
    ),
    *_row(
        "loss",
        "losses",
        "What does the loss take as its input, and over which numbers does it normalise?",
        _Way("squashed twice", "the loss squashes probabilities that were squashed before", _squashed_twice),
        _Way("squashed inside", "the loss squashes its logits twice", _squashed_inside),
        _Way("over samples", "softmax over the samples instead of the classes", (_OVER_COLUMNS, _OVER_SHIFTED_COLUMNS)),
        _Way(
            "over samples, gradient",
            "in the gradient, softmax over the samples instead of the classes",
            (only_gradient(_OVER_COLUMNS), only_gradient(_OVER_SHIFTED_COLUMNS)),
        ),
        _Way(
            "no logarithm",
            "the logarithm of the probability is forgotten",
            losses(
                SoftmaxCrossEntropy,
                lambda q, f: {
                    "terms": lambda p, t: -t * np.exp(p),
                    "derivative": lambda p, t: np.exp(p) * ((t * np.exp(p)).sum(axis=1, keepdims=True) - t),
                },
            ),
        ),
        _Way(
            "no normalisation",
            "the loss takes logits for log-probabilities",
            losses(
                SoftmaxCrossEntropy,
                lambda q, f: {"prediction": lambda z: z, "terms": lambda z, t: -t * z, "derivative": lambda z, t: -t},
            ),
        ),
        _Way(
            "every target",
            "each sample is held against the targets of all: (N,) and (N, 1) broadcast to (N, N)",
            (_all_pairs(lambda n: 1), _all_pairs(lambda n: n)),
        ),
        _Way(
            "no target",
            "the target is not subtracted in the gradient",
            first_of(
                losses(SoftmaxCrossEntropy, lambda q, f: {"derivative": lambda p, t: np.exp(p)}),
                *(
                    losses(kind, lambda q, f: {"derivative": lambda p, t: f.derivative(p, 0 * t)})
                    for kind in (SquaredError, Huber, BinaryCrossEntropy)
                ),
            ),
        ),
        _Way("guess", "the class with the largest output in place of the label", _GUESSED),
        _Way(
            "guess, gradient",
            "in the gradient, the class with the largest output in place of the label",
            only_gradient(_GUESSED),
        ),
        _Way(
            "slope of the output",
            "the gradient in the logits times the slope of the output, once more",
            first_of(
                losses(
                    SoftmaxCrossEntropy,
                    lambda q, f: {"derivative": lambda p, t: f.derivative(p, t) * np.exp(p) * -np.expm1(p)},
                ),
                losses(
                    BinaryCrossEntropy, lambda q, f: {"derivative": lambda p, t: f.derivative(p, t) * expit_slope(p)}
                ),
            ),
        ),
    ),
    *_row(
        "loss",
        "losses",
        "What does a class count that is rarer than the others, and in which of your sums?",
        _Way(
            "over weights",
            "the mean is over the weights of the classes instead of samples",
            reduction("weights", "mean", kind=SoftmaxCrossEntropy),
            'PyTorch, CrossEntropyLoss with weights: refnn.SoftmaxCrossEntropy(reduction="weights", class_weights=…)',
            "pytorch #50528, #104776",
        ),
        _Way(
            "over samples, not weights",
            "the mean is over the samples instead of the weights of the classes",
            reduction("mean", "weights"),
            'others divide by n: refnn.SoftmaxCrossEntropy(reduction="mean", class_weights=…)',
            "pytorch #50528, #104776",
        ),
        _Way("unweighted", "class weights are ignored", _UNWEIGHTED),
        _Way("unweighted gradient", "class weights are ignored in the gradient", only_gradient(_UNWEIGHTED)),
    ),
    # ------------------------------------------------------------------------------------------------- activations
    *_row(
        "A1",
        "activations",
        "What do you take for the slope where the function has a corner?",
        _Way(
            "",
            "the slope at the kink is that of its right side",
            _slopes(lambda f, z: np.where(z == 0, 1, f.derivative(z)), *_KINKED),
            "PyTorch, clamp_min: refnn takes the left side, and a layer of your own (refnn.Layer) what it says",
        ),
        _Way(
            "half",
            "the slope at the kink is the mean of its sides",
            _slopes(lambda f, z: np.where(z == 0, (1 + f.derivative(z)) / 2, f.derivative(z)), *_KINKED),
            "autograd, maximum(x, 0): refnn takes the left side, and a layer of your own (refnn.Layer) what it says",
        ),
    ),
    *_row(
        "A2",
        "activations",
        "Where both candidates of a maximum are equal, how much of the gradient does each of them get?",
        _Way(
            "",
            "both sides count where they are equal",
            slope(lambda f, z: np.where(z == 0, 1 + f.slope, f.derivative(z)), LeakyReLU),
        ),
        _Way(
            "neither",
            "neither side counts where they are equal",
            slope(lambda f, z: np.where(z == 0, 0, f.derivative(z)), LeakyReLU),
            "MyGrad, maximum: refnn takes the left side, and a layer of your own (refnn.Layer) what it says",
        ),
    ),
    *_row(
        "A3",
        "activations",
        "Does a function without corners have a slope everywhere, and which one in the middle?",
        _Way("", "softplus′(0) = 0", slope(lambda f, z: np.where(z == 0, 0, expit(z)), Softplus)),
    ),
    *_row(
        "A5",
        "activations",
        "Of what is your formula for the slope: of the input of the function, or of its output?",
        _Way("", "tanh′ = 1 − tanh", slope(lambda f, z: 1 - np.tanh(z), Tanh)),
        _Way("plus", "tanh′ = 1 + tanh²", slope(lambda f, z: 1 + np.tanh(z) ** 2, Tanh)),
        _Way("of the input", "tanh′ = 1 − z²", slope(lambda f, z: 1 - z * z, Tanh)),
        _Way("unsquared", "tanh′ = sech", slope(lambda f, z: np.sqrt(f.derivative(z)), Tanh)),
        _Way("of sigmoid", "tanh′ = tanh·(1 − tanh)", slope(lambda f, z: np.tanh(z) * (1 - np.tanh(z)), Tanh)),
    ),
    *_row(
        "A7",
        "rounding",
        "Which numbers can the exponential return in your format?",
        _Way(
            "",
            "softplus′ = 0 where exp overflows",
            _in_storage(lambda q, z: np.where(np.isinf(_exp(q, z)), 0, expit(z)), "backward", Softplus),
        ),
        _Way(
            "NaN",
            "softplus′ = exp(z)/(1 + exp(z)), NaN where exp overflows",
            _in_storage(lambda q, z: _exp(q, z) / (1 + _exp(q, z)), "backward", Softplus),
        ),
        _Way(
            "value",
            "log(1 + exp(z)), infinite where exp overflows",
            _in_storage(lambda q, z: np.where(np.isinf(_exp(q, z)), np.inf, softplus(z)), "forward", Softplus),
        ),
        _Way(
            "sigmoid",
            "σ(z) = exp(z)/(1 + exp(z)), NaN where exp overflows",
            _in_storage(lambda q, z: _exp(q, z) / (1 + _exp(q, z)), "forward", Sigmoid),
        ),
        _Way(
            "threshold",
            "softplus is z beyond 20",
            slope(
                lambda f, z: np.where(z > 20, 1, expit(z)),
                Softplus,
                value=lambda f, z: np.where(z > 20, z, softplus(z)),
            ),
            "PyTorch, Softplus(threshold=20): refnn.Softplus() has none, a layer of your own (refnn.Layer) may",
        ),
    ),
    *_row(
        "A8",
        "activations",
        "Are your function and your derivative those of the same formula?",
        _Way(
            "",
            "one form of GELU with the gradient of the other",
            slope(lambda f, z: _OTHER_FORM[type(f)].derivative(z), *_GELUS),
        ),
        _Way(
            "value",
            "the value of another form of GELU, with the gradient of this one",
            tuple(
                slope(lambda f, z: f.derivative(z), *_GELUS, value=value)
                for value in (lambda f, z: _OTHER_FORM[type(f)].forward((), z), lambda f, z: z * expit(_QUICK * z))
            ),
        ),
        _Way(
            "form",
            "the other form of GELU",
            layers(_other_form),
            'PyTorch, GELU(approximate="tanh"): refnn.GELUTanh(); GELU(): refnn.GELU()',
        ),
        _Way(
            "sigmoid",
            "the form of GELU with σ",
            slope(
                lambda f, z: expit(_QUICK * z) + _QUICK * z * expit_slope(_QUICK * z),
                *_GELUS,
                value=lambda f, z: z * expit(_QUICK * z),
            ),
            "the form of some transformers: a layer of your own (refnn.Layer)",
        ),
    ),
    *_row(
        "A10",
        "losses",
        "How does an output change if the logit of another class does?",
        _Way(
            "",
            "softmax's Jacobian: its diagonal only",
            losses(SoftmaxCrossEntropy, lambda q, f: {"derivative": lambda p, t: t * np.expm1(p)}),
        ),
    ),
    *_row(
        "unit",
        "activations",
        "At which number is the slope taken, and is it the slope of this function?",
        _Way(
            "slope at the output",
            "the slope is taken at the output of the function",
            _slopes(lambda f, z: f.derivative(f.forward((), z))),
        ),
        _Way("slope elsewhere", "the slope is taken at the numbers of the layer before", layers(_at_previous)),
        _Way("slope twice", "the slope is multiplied twice", _slopes(lambda f, z: f.derivative(z) ** 2)),
        _Way("sigmoid of the input", "σ′ = z·(1 − z)", slope(lambda f, z: z * (1 - z), Sigmoid)),
        _Way("sigmoid alone", "σ′ = σ", slope(lambda f, z: expit(z), Sigmoid)),
        _Way(
            "slope of ReLU",
            "the slope of ReLU in place of its own",
            _slopes(lambda f, z: np.where(z > 0, 1, 0), LeakyReLU, ELU),
        ),
        _Way(
            "positive",
            "activations hand back what is positive of the gradient alone",
            (_positive(Activation), *map(_positive, ACTIVATIONS)),
        ),
        _Way(
            "α taken for 1",
            "the slope of ELU is its value and 1, not and α",
            slope(lambda f, z: np.where(z > 0, 1, f.forward((), z) + 1), ELU),
        ),
        _Way(
            "z for the value",
            "the slope of SiLU is σ + z(1 − σ), with z for its value",
            slope(lambda f, z: expit(z) + z * expit(-z), SiLU),
        ),
        _Way(
            "value for the slope",
            "the slope of ELU is its value, without α",
            slope(lambda f, z: np.where(z > 0, 1, f.forward((), z)), ELU),
        ),
        _Way(
            "without α",
            "the slope of ELU without its factor α",
            slope(lambda f, z: np.where(z > 0, 1, np.exp(np.minimum(z, 0))), ELU),
        ),
        _Way("α ignored", "α of ELU is taken as 1, in value and slope", layers(_usual(ELU))),
        _Way("leak ignored", "the slope of LeakyReLU is taken as 0.01", layers(_usual(LeakyReLU))),
        _Way(
            "leak ignored, gradient",
            "the slope of LeakyReLU is taken as 0.01 in the gradient",
            slope(lambda f, z: LeakyReLU().derivative(z), LeakyReLU),
        ),
        _Way("none at the end", "the last activation is not there", layers(_without_last)),
    ),
    # ------------------------------------------------------------------------------------------------------ layers
    *_row(
        "G1",
        "dense",
        "In how many samples does one bias take part, and what becomes of their gradients?",
        _Way("", "the bias has the cotangent of the last sample", _bias(lambda delta: delta[-1])),
        _Way("first", "the bias has the cotangent of the first sample", _bias(lambda delta: delta[0])),
        _Way("mean", "the gradient of the bias is a mean over the samples", _bias(lambda delta: delta.mean(axis=0))),
        _Way("total", "the gradient of the bias is summed over its elements, too", _bias(np.sum)),
    ),
    *_row(
        "G2",
        "chain-rule",
        "In how many places of the formula does the input stand?",
        _Way("", "z·g(z), whose z is counted once", slope(_half_used, SiLU, *_GELUS)),
        _Way(
            "other",
            "z·g(z), whose second z alone is counted",
            slope(lambda f, z: f.derivative(z) - _half_used(f, z), SiLU, *_GELUS),
        ),
        _Way(
            "twice over",
            "z·g(z), whose second z is counted twice over",
            slope(lambda f, z: 2 * f.derivative(z) - _half_used(f, z), SiLU, *_GELUS),
        ),
    ),
    *_row(
        "G4",
        "chain-rule",
        "What happens if two of the parameters are equal by chance?",
        _Way(
            "",
            "equal numbers are aliased, so that each has the gradients of all",
            layers(
                lambda q, k, f: (
                    {"gradient": lambda p, x, delta: tuple(map(_aliased, p, f.gradient(p, x, delta)))}
                    if isinstance(f, Dense)
                    else {}
                )
            ),
        ),
        _Way(
            "biases",
            "equal biases are aliased, so that each has the gradients of all",
            dense(gradient=lambda p, x, delta: (x.T @ delta, _aliased(p[1], delta.sum(axis=0)))),
        ),
    ),
    *_row(
        "G5",
        "backpropagation",
        "Does a gradient that comes later replace the earlier ones, or join them?",
        _Way("", "overwritten: the last sample alone counts", _alone(lambda n: slice(n - 1, n))),
        _Way("first", "the first sample alone counts", _alone(lambda n: slice(1))),
        _Way("pair", "overwritten: the last two samples alone count", _alone(lambda n: slice(max(n - 2, 0), n))),
        _Way("half", "overwritten: the last half of the batch alone counts", _alone(lambda n: slice(n // 2, n))),
        _Way("but last", "the last sample does not count", _alone(lambda n: slice(n - 1))),
        _Way("but first", "the first sample does not count", _alone(lambda n: slice(1, n))),
        _Way(
            "weight",
            "the gradient of a weight is that of the last sample",
            _weight(lambda x, delta: x[-1:].T @ delta[-1:]),
        ),
        _Way(
            "weight, but last",
            "the last sample does not count for the weights",
            _weight(lambda x, delta: x[:-1].T @ delta[:-1]),
        ),
        _Way(
            "outputs",
            "what a dense layer hands back is overwritten: its last output alone counts",
            dense(backward=lambda p, x, delta: delta[:, -1:] @ p[0][:, -1:].T),
        ),
    ),
    *_row(
        "G7",
        "backpropagation",
        "Follow the gradient from the loss to the first layer: what does each layer hand on?",
        _Way(
            "",
            "activations record no backward: what lies before is frozen",
            _slopes(lambda f, z: np.zeros_like(z)),
        ),
        _Way(
            "dense",
            "dense layers hand nothing back: only the last one learns",
            dense(backward=lambda p, x, delta: np.zeros_like(x)),
        ),
        _Way("first", "the first of several layers has no gradient", _first_frozen),
        _Way(
            "slope missing",
            "the slope of activations is missing: they hand on what they get",
            _slopes(lambda f, z: np.ones_like(z)),
        ),
    ),
    *_row(
        "G10",
        "losses",
        "A mean has a divisor; does its derivative have it, too?",
        _Way(
            "",
            "the mean over the outputs lacks its divisor in the gradient",
            only_gradient(reduction("mean", "elements")),
        ),
    ),
    *_row(
        "G11",
        "losses",
        "If an output is too large, in which direction should it go?",
        _Way("", "the gradient has the wrong sign", only_gradient(times(lambda q: -1))),
        _Way("loss", "the loss has the wrong sign", only_loss(times(lambda q: -1))),
        _Way("both", "loss and gradient have the wrong sign", times(lambda q: -1)),
    ),
    *_row(
        "layer",
        "dense",
        "Which numbers meet in each product, on the way forward and on the way back?",
        _Way("no bias", "the bias is not added", dense(forward=lambda p, x: x @ p[0])),
        _Way("square", "backward through a square weight without transposing it", layers(_square)),
        _Way(
            "other order forward",
            "on the way forward alone, weights are read in the order of their transposes",
            _other_order("forward"),
        ),
        _Way(
            "other order",
            "on the way back alone, weights are read in the order of their transposes",
            _other_order("backward"),
        ),
        _Way(
            "gradient layout",
            "the numbers of each weight's gradient are in the order (outputs, inputs)",
            _weight(lambda x, delta: (delta.T @ x).reshape(x.shape[1], delta.shape[1])),
            "PyTorch, Linear: transpose its gradients, as its weights",
        ),
        _Way(
            "layout",
            "weights are read and written in the order (outputs, inputs)",
            layers(_other_layout),
            'PyTorch, Linear: refnn.Layout(weights="outputs, inputs")',
        ),
        _Way(
            "before the activation",
            "the gradient of a weight is made of what stood before the activation",
            layers(_before_activation),
        ),
    ),
)
"""Every fault of an evaluation, in the order of the field; what no row has stands among its kin."""
