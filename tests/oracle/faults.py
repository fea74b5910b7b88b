"""Faults that were found in real code, planted in a little implementation of the network, one each.

The implementation is NumPy by hand. It stores each result in its format, sums in float32 or wider, and its parts can be
exchanged: an activation, a loss, what a dense layer's gradient is. A fault is such a part, or a wrong use of the whole,
with a question on which it shows and the parts of the answer that are wrong then.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple, TypeAlias, final

import ml_dtypes
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from refnn import Dense, Layer, Network
from refnn.activations import ELU, GELU, GELUTanh, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from refnn.arrays import FloatArray
from refnn.losses import BinaryCrossEntropy, Huber, InnerProduct, Loss, SoftmaxCrossEntropy, SquaredError
from refnn.strategies import Case

# ------------------------------------------------------------------------------------------------ numbers of a format


class Format(NamedTuple):
    """What numbers are stored in, and in what they are summed; a 16-bit operation is one of float32, rounded again.

    Rounding twice is rounding once for + − × ÷, as float32 has 2p + 2 digits or more: 24, with p = 8 and 11 (Figueroa,
    "When is double rounding innocuous?", SIGNUM Newsletter 30(3), 1995).
    """

    stored: np.dtype[Any]
    sums: np.dtype[Any]


FORMATS = {
    "float64": Format(np.dtype(np.float64), np.dtype(np.float64)),
    "float32": Format(np.dtype(np.float32), np.dtype(np.float32)),
    "bfloat16": Format(np.dtype(ml_dtypes.bfloat16), np.dtype(np.float32)),
    "float16": Format(np.dtype(np.float16), np.dtype(np.float32)),
}
WIDE = ("float64", "float32")


@final
class Stored(NDArrayOperatorsMixin):
    """An array, each of whose operations is rounded to its format. Where one overflows, it goes on with infinities."""

    def __init__(self, values: Any, format_: Format) -> None:
        with np.errstate(all="ignore"):
            self.native = np.asarray(values, dtype=np.float64).astype(format_.stored)
        self.format = format_

    @property
    def T(self) -> Stored:  # noqa: N802 - NumPy's name for the transpose
        return Stored(self.native.T, self.format)

    def __getitem__(self, place: Any) -> Stored:
        return Stored(self.native[place], self.format)

    def __len__(self) -> int:
        return len(self.native)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **settings: Any) -> Any:
        wide = [a.native.astype(self.format.sums) if isinstance(a, Stored) else a for a in inputs]
        with np.errstate(all="ignore"):
            result = getattr(ufunc, method)(*wide, **settings)
        return result if np.asarray(result).dtype == np.bool_ else Stored(result, self.format)


def where(condition: Any, a: Any, b: Any) -> Stored:
    """`a` or `b`, at least one of which is an array of the format of the result."""
    like = a if isinstance(a, Stored) else b
    return Stored(np.where(condition, *(v.native if isinstance(v, Stored) else v for v in (a, b))), like.format)


def rows(z: Any) -> Any:
    """The sum of each row, as a column."""
    return np.add.reduce(z, axis=1, keepdims=True)


def columns(z: Any) -> Any:
    """The sum of each column."""
    return np.add.reduce(z, axis=0)


# ------------------------------------------------------------------------ activations: the function, and its derivative


def sigmoid(z: Any) -> Any:
    e = np.exp(-abs(z))
    return where(z > 0, 1 / (1 + e), e / (1 + e))


def softplus(z: Any) -> Any:
    return np.maximum(z, 0) + np.log1p(np.exp(-abs(z)))


_erfc = np.frompyfunc(math.erfc, 1, 1)


def normal(z: Any) -> Any:
    """Φ(z)."""
    return _erfc(-z * math.sqrt(0.5)) / 2


def _gelu_slope(z: Any) -> Any:
    return normal(z) + z * (np.exp(-(z * z) / 2) * math.sqrt(0.5 / math.pi))


def _inner(z: Any) -> Any:
    return math.sqrt(2 / math.pi) * (z + 0.044715 * (z * z * z))


def _gelu_tanh_slope(z: Any) -> Any:
    """In float16 z·z is infinite beyond 255 and the product not a number; beyond 10 the slope is 0 or 1 in float64."""
    z = np.minimum(np.maximum(z, -10), 10)
    t = np.tanh(_inner(z))
    return (1 + t) / 2 + z / 2 * (1 - t * t) * (math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * (z * z)))


class Unit(NamedTuple):
    """Both take the activation, for its settings, and z."""

    value: Callable[[Any, Any], Any]
    slope: Callable[[Any, Any], Any]


UNITS: Mapping[type[Layer], Unit] = {
    Identity: Unit(lambda f, z: z, lambda f, z: 1),
    Sigmoid: Unit(lambda f, z: sigmoid(z), lambda f, z: sigmoid(z) * (1 - sigmoid(z))),
    Tanh: Unit(lambda f, z: np.tanh(z), lambda f, z: 1 - np.tanh(z) * np.tanh(z)),
    ReLU: Unit(lambda f, z: np.maximum(z, 0), lambda f, z: z > 0),
    LeakyReLU: Unit(lambda f, z: where(z > 0, z, f.slope * z), lambda f, z: where(z > 0, 1 + 0 * z, f.slope)),
    ELU: Unit(
        lambda f, z: where(z > 0, z, f.alpha * np.expm1(np.minimum(z, 0))),
        lambda f, z: where(z > 0, 1, f.alpha * np.exp(np.minimum(z, 0))),
    ),
    Softplus: Unit(lambda f, z: softplus(z), lambda f, z: sigmoid(z)),
    SiLU: Unit(lambda f, z: z * sigmoid(z), lambda f, z: sigmoid(z) + z * (sigmoid(z) * (1 - sigmoid(z)))),
    GELU: Unit(lambda f, z: z * normal(z), lambda f, z: _gelu_slope(z)),
    GELUTanh: Unit(lambda f, z: z / 2 * (1 + np.tanh(_inner(z))), lambda f, z: _gelu_tanh_slope(z)),
}


# ------------------------------------------------------------------ losses: the terms of a sample, and their derivative


def log_softmax(z: Any) -> Any:
    d = z - np.maximum.reduce(z, axis=1, keepdims=True)
    return d - np.log(rows(np.exp(d)))


class Terms(NamedTuple):
    """Both take the loss, for its settings, the outputs z and the targets t."""

    value: Callable[[Any, Any, Any], Any]
    slope: Callable[[Any, Any, Any], Any]


def _cut(f: Any, r: Any) -> Any:
    return np.maximum(np.minimum(r, f.delta), -f.delta)


LOSSES: Mapping[type[Loss], Terms] = {
    SquaredError: Terms(lambda f, z, t: (z - t) * (z - t) / 2, lambda f, z, t: z - t),
    Huber: Terms(lambda f, z, t: _cut(f, z - t) * ((z - t) - _cut(f, z - t) / 2), lambda f, z, t: _cut(f, z - t)),
    BinaryCrossEntropy: Terms(lambda f, z, t: t * softplus(-z) + (1 - t) * softplus(z), lambda f, z, t: sigmoid(z) - t),
    InnerProduct: Terms(lambda f, z, t: z * t, lambda f, z, t: t),
    SoftmaxCrossEntropy: Terms(
        lambda f, z, t: -(t * log_softmax(z)), lambda f, z, t: np.exp(log_softmax(z)) * rows(t) - t
    ),
}


def targets(loss: Any, y: Stored) -> Any:
    """Rows of targets, smoothed and weighted."""
    if not isinstance(loss, SoftmaxCrossEntropy):
        return y
    q: Any = y
    if loss.label_smoothing:
        q = (1 - loss.label_smoothing) * y + loss.label_smoothing / y.native.shape[1]
    return q if loss.class_weights is None else q * Stored(loss.class_weights, y.format)


class Divisors(NamedTuple):
    """By what the sum over the samples is divided, and by what the cotangents are."""

    loss: Any
    gradient: Any


def divisors(loss: Any, y: Any) -> Divisors:
    samples, outputs = y.native.shape
    if loss.reduction == "weights":
        weights = 1 if loss.class_weights is None else Stored(loss.class_weights, y.format)
        return Divisors(*[columns(columns((weights * y).T))] * 2)
    return Divisors(*[{"sum": 1, "mean": samples, "elements": samples * outputs}[loss.reduction]] * 2)


# ----------------------------------------------------------------------------------------------------- the whole of it


class Answer(NamedTuple):
    """Arrays of the format; the gradient by the names of parameters, in their order."""

    outputs: Any
    loss: Any
    gradient: dict[str, Any]
    input_gradient: Any

    @property
    def parts(self) -> dict[str, FloatArray]:
        """All of it by name, in float64."""
        others = {"outputs": self.outputs, "loss": self.loss, "input_gradient": self.input_gradient}
        return {name: np.asarray(part, dtype=np.float64) for name, part in {**others, **self.gradient}.items()}


Product: TypeAlias = Callable[[Any, Any], Any]


def dense_gradient(product: Product, parameters: tuple[Any, Any], x: Any, delta: Any) -> tuple[Any, Any]:
    return product(x.T, delta), columns(delta)


@final
@dataclass(frozen=True, slots=True)
class Implementation:
    """Forward and backward, of these parts."""

    units: Mapping[type[Layer], Unit] = field(default_factory=lambda: UNITS)
    losses: Mapping[type[Loss], Terms] = field(default_factory=lambda: LOSSES)
    targets: Callable[[Any, Any], Any] = targets
    divisors: Callable[[Any, Any], Divisors] = divisors
    chain: Product = operator.mul
    product: Product = operator.matmul
    dense_gradient: Callable[[Product, tuple[Any, Any], Any, Any], tuple[Any, Any]] = dense_gradient

    def __call__(self, case: Case, format_: Format) -> Answer:
        """The targets are rows here."""
        network, w, x, y = case
        loss: Any = network.loss_function
        rest = [Stored(p, format_) for p in network.unpack(np.asarray(w, dtype=np.float64)).values()]
        h: list[Any] = [Stored(x, format_)]
        layers: list[tuple[Layer, Any]] = []
        for layer in network.layers:
            own = (rest.pop(0), rest.pop(0)) if isinstance(layer, Dense) else ()
            layers.append((layer, own))
            h.append(self.product(h[-1], own[0]) + own[1] if own else self.units[type(layer)].value(layer, h[-1]))
        labels = Stored(y, format_)
        t, terms, divided = self.targets(loss, labels), self.losses[type(loss)], self.divisors(loss, labels)
        scale = float(loss.scale)  # a product with 1 rounds nothing
        value = scale * columns(rows(terms.value(loss, h[-1], t)))[0] / divided.loss
        delta = scale * terms.slope(loss, h[-1], t) / divided.gradient
        gradients: list[Any] = []
        for (layer, own), z in zip(reversed(layers), reversed(h[:-1]), strict=True):
            if own:
                gradients[:0] = self.dense_gradient(self.product, own, z, delta)
                delta = self.product(delta, own[0].T)
            else:
                delta = self.chain(self.units[type(layer)].slope(layer, z), delta)
        by_name = dict(zip(network.names(), (g.native for g in gradients), strict=True))
        return Answer(h[-1].native, value.native, by_name, delta.native)


HONEST = Implementation()


# ---------------------------------------------------------------------------------------------------------- questions


def net(loss: Loss, unit: Layer | None = None) -> Network:
    return Network(Dense(2, 5), unit or Tanh(), Dense(5, 3), loss=loss)


def ordinary(loss: Loss, unit: Layer | None = None) -> Case:
    """Normal numbers, one after the other from the same stream, so that no two are equal; 7 samples."""
    network, rng = net(loss, unit), np.random.default_rng(7)
    w, x, y = rng.normal(size=network.size), rng.normal(size=(7, 2)), rng.normal(size=(7, 3))
    if isinstance(loss, SoftmaxCrossEntropy):
        y = np.eye(3)[[0, 2, 1, 1, 0, 2, 2]]
    if isinstance(loss, BinaryCrossEntropy):
        y = rng.random((7, 3))
    return Case(network, w, x, y)


def at(unit: Layer, *z: float) -> Case:
    """A function and its slope at these numbers, which come from a dense layer without rounding."""
    network = Network(Dense(1, len(z)), unit, loss=InnerProduct())
    return Case(network, np.array([*z, *[0.0] * len(z)]), np.ones((1, 1)), np.arange(1.0, len(z) + 1)[np.newaxis] / 4)


def unrounded(unit: Layer, *z: float) -> Case:
    """The same with the numbers as the sample, so that nothing was computed of which they might be a rounding."""
    cotangents = np.arange(1.0, len(z) + 1)[np.newaxis] / 4
    return Case(Network(unit, loss=InnerProduct()), np.zeros(0), np.array([z]), cotangents)


def logits(loss: Loss, z: Any, y: Any) -> Case:
    """These outputs, for one sample: its number is 1, and the bias is 0."""
    network = Network(Dense(1, len(z)), loss=loss)
    return Case(network, np.array([*z, *[0.0] * len(z)]), np.ones((1, 1)), np.array([y], dtype=np.float64))


PARAMETERS = frozenset({"0.weight", "0.bias", "2.weight", "2.bias"})
GRADIENT = PARAMETERS | {"input_gradient"}
LOSS = frozenset({"loss"})
SAMPLES = frozenset({"input_gradient"})
FIRST = frozenset({"0.weight", "0.bias", "input_gradient"})
"""What lies before an activation, if there is one dense layer before it."""


# -------------------------------------------------------------------------------------------------------------- faults


class Fault(NamedTuple):
    """A fault, planted.

    Attributes
    ----------
    id, what
        Of the table of faults that were found; one may be planted in several ways.
    case
        A question on which it shows.
    answer
        The faulty implementation.
    parts
        Those of the answer that it gets wrong.
    caught
        The formats whose rounding does not hide it there.
    """

    id: str
    what: str
    case: Case
    answer: Callable[[Case, Format], Answer]
    parts: frozenset[str]
    caught: tuple[str, ...] = tuple(FORMATS)


def with_unit(kind: type[Layer], **changes: Callable[[Any, Any], Any]) -> Implementation:
    return Implementation(units={**UNITS, kind: UNITS[kind]._replace(**changes)})


def with_terms(kind: type[Loss], **changes: Callable[[Any, Any, Any], Any]) -> Implementation:
    return Implementation(losses={**LOSSES, kind: LOSSES[kind]._replace(**changes)})


def divided_by(loss: Callable[[int, int], int], gradient: Callable[[int, int], int]) -> Implementation:
    """Both of the numbers of samples and of outputs."""
    return Implementation(divisors=lambda f, y: Divisors(loss(*y.native.shape), gradient(*y.native.shape)))


def with_dense(gradient: Callable[[tuple[Any, Any], Any, Any], tuple[Any, Any]]) -> Implementation:
    return Implementation(dense_gradient=lambda product, parameters, x, delta: gradient(parameters, x, delta))


def mean_of_parts(*slices: slice) -> Callable[[Case, Format], Answer]:
    """The answers to parts of the batch, averaged as if these were equally large."""

    def answer(case: Case, format_: Format) -> Answer:
        parts = [HONEST(case._replace(x=case.x[k], y=case.y[k]), format_) for k in slices]

        def mean(*arrays: Any) -> Any:
            return (sum((Stored(a, format_) for a in arrays[1:]), Stored(arrays[0], format_)) / len(arrays)).native

        gradient = {name: mean(*(part.gradient[name] for part in parts)) for name in parts[0].gradient}
        of_rows = (
            np.concatenate([part.outputs for part in parts]),
            np.concatenate([(Stored(part.input_gradient, format_) / len(parts)).native for part in parts]),
        )
        return Answer(of_rows[0], mean(*(part.loss for part in parts)), gradient, of_rows[1])

    return answer


def _smoothed_over_the_others(f: Any, y: Any) -> Any:
    return (1 - f.label_smoothing) * y + f.label_smoothing / (y.native.shape[1] - 1)


def _softmax_without_maximum(z: Any) -> Any:
    return np.exp(z) / rows(np.exp(z))


def aliased(parameter: Any, gradient: Any) -> Any:
    """Elements with equal numbers share their gradients' sum."""
    equal = parameter.native.ravel()[:, np.newaxis] == parameter.native.ravel()
    return Stored((equal @ gradient.native.ravel().astype(np.float64)).reshape(gradient.native.shape), gradient.format)


def _with_equal_biases(case: Case) -> Case:
    w = case.w.copy()
    case.network.unpack(w)["2.bias"][:2] = 0.25
    return case._replace(w=w)


_SQUARED, _CLASSES = SquaredError(), SoftmaxCrossEntropy()
_BATCH = ordinary(_SQUARED)
_ELEMENTS = ordinary(SquaredError(reduction="elements"))
_SUM = ordinary(SquaredError(reduction="sum"))
_SURE_AND_WRONG = logits(_CLASSES, (20.0, 0.0, 1.0), (0.0, 1.0, 0.0))

FAULTS: tuple[Fault, ...] = (
    Fault(
        "L1",
        "loss averaged over outputs, gradient not",
        _BATCH,
        divided_by(lambda n, m: n * m, lambda n, m: n),
        LOSS,
    ),
    Fault("L3", "1/n missing in the gradient", _BATCH, divided_by(lambda n, m: n, lambda n, m: 1), GRADIENT),
    Fault(
        "L3c",
        "without the ½ of the squared error",
        _BATCH,
        with_terms(SquaredError, value=lambda f, z, t: (z - t) * (z - t), slope=lambda f, z, t: 2 * (z - t)),
        LOSS | GRADIENT,
    ),
    Fault("L4", "sum averaged over two workers", _SUM, mean_of_parts(slice(3), slice(3, 7)), LOSS | GRADIENT),
    Fault("L5", "mean of means of 3 and of 4 samples", _BATCH, mean_of_parts(slice(3), slice(3, 7)), LOSS | GRADIENT),
    Fault(
        "L7",
        "mean over all elements instead of samples",
        _BATCH,
        divided_by(lambda n, m: n * m, lambda n, m: n * m),
        LOSS | GRADIENT,
    ),
    Fault(
        "L10",
        "label smoothing ε/(C − 1)",
        ordinary(SoftmaxCrossEntropy(label_smoothing=0.125)),
        Implementation(targets=_smoothed_over_the_others),
        LOSS | GRADIENT,
    ),
    Fault(
        "L12",
        "of log p = z − log Σ exp(z), the gradient of the second term dropped",
        ordinary(_CLASSES),
        with_terms(SoftmaxCrossEntropy, slope=lambda f, z, t: -t),
        GRADIENT,
    ),
    Fault(
        "L13",
        "backward ignores the incoming cotangent",
        _BATCH,
        Implementation(chain=lambda slope, delta: slope),
        FIRST,
    ),
    Fault(
        "L17",
        "Huber's outer piece without its factor δ: discontinuous",
        ordinary(Huber(delta=0.5)),
        with_terms(
            Huber,
            value=lambda f, z, t: where(abs(z - t) > f.delta, abs(z - t) - f.delta / 2, (z - t) * (z - t) / 2),
            slope=lambda f, z, t: where(abs(z - t) > f.delta, np.sign(z - t), z - t),
        ),
        LOSS | GRADIENT,
    ),
    Fault(
        "L18",
        "probabilities clipped in the loss, not in its gradient",
        _SURE_AND_WRONG,
        with_terms(SoftmaxCrossEntropy, value=lambda f, z, t: -(t * np.log(np.maximum(np.exp(log_softmax(z)), 1e-7)))),
        LOSS,
    ),
    Fault(
        "L18",
        "softmax overflows: NaN",
        logits(_CLASSES, (800.0, 704.0, 1.0), (0.0, 1.0, 0.0)),
        with_terms(
            SoftmaxCrossEntropy,
            value=lambda f, z, t: -(t * np.log(_softmax_without_maximum(z))),
            slope=lambda f, z, t: _softmax_without_maximum(z) * rows(t) - t,
        ),
        LOSS | FIRST,
    ),
    Fault("A1", "relu′(0) = 1", unrounded(ReLU(), 0, 1, -1), with_unit(ReLU, slope=lambda f, z: ~(z < 0)), SAMPLES),
    Fault(
        "A2",
        "max(z, slope·z) with both counted where they are equal",
        unrounded(LeakyReLU(0.25), 0, 1, -1),
        with_unit(LeakyReLU, slope=lambda f, z: 1.0 * ~(f.slope * z > z) + f.slope * ~(z > f.slope * z)),
        SAMPLES,
    ),
    Fault(
        "A3",
        "softplus′(0) = 0",
        at(Softplus(), 0, 1, -1),
        with_unit(Softplus, slope=lambda f, z: where(abs(z) > 0, sigmoid(z), 0)),
        FIRST - SAMPLES,  # there the cotangent is times the weight, which is 0
    ),
    Fault("A5", "tanh′ = 1 − tanh", _BATCH, with_unit(Tanh, slope=lambda f, z: 1 - np.tanh(z)), FIRST),
    Fault(
        "A7",
        "softplus′ = 0 where exp overflows",
        at(Softplus(), 1000, 1, -1),
        with_unit(Softplus, slope=lambda f, z: where(np.isinf(np.exp(z)), 0, sigmoid(z))),
        FIRST,
    ),
    Fault(
        "A8",
        "GELU by tanh with the gradient of the exact one",
        ordinary(_SQUARED, GELUTanh()),
        with_unit(GELUTanh, slope=UNITS[GELU].slope),
        FIRST,
        WIDE,  # the two slopes are 1e-3 apart at most, which at any z is a quarter of float16's bound and less
    ),
    Fault(
        "A10",
        "softmax's Jacobian: its diagonal only",
        ordinary(_CLASSES),
        with_terms(SoftmaxCrossEntropy, slope=lambda f, z, t: t * (np.exp(log_softmax(z)) - 1)),
        GRADIENT,
    ),
    Fault(
        "G1",
        "broadcast not summed back: the bias has the cotangent of the last sample",
        _BATCH,
        with_dense(lambda parameters, x, delta: (x.T @ delta, delta[-1])),
        frozenset({"0.bias", "2.bias"}),
    ),
    Fault(
        "G2",
        "z σ(z), whose z is counted once",
        ordinary(_SQUARED, SiLU()),
        with_unit(SiLU, slope=lambda f, z: sigmoid(z)),
        FIRST,
    ),
    Fault(
        "G2",
        "z σ(z), whose second z is counted twice over",
        ordinary(_SQUARED, SiLU()),
        with_unit(SiLU, slope=lambda f, z: sigmoid(z) + 2 * (z * (sigmoid(z) * (1 - sigmoid(z))))),
        FIRST,
    ),
    Fault(
        "G4",
        "equal constants aliased, so that each has the gradients of both",
        _with_equal_biases(_BATCH),
        with_dense(lambda parameters, x, delta: (x.T @ delta, aliased(parameters[1], columns(delta)))),
        frozenset({"2.bias"}),
    ),
    Fault(
        "G5",
        "overwritten by the last two samples instead of accumulated",
        _BATCH,
        with_dense(lambda parameters, x, delta: (x[-2:].T @ delta[-2:], columns(delta[-2:]))),
        PARAMETERS,
    ),
    Fault(
        "G7",
        "the activation records no backward: what lies before it is frozen",
        _BATCH,
        Implementation(chain=lambda slope, delta: 0 * delta),
        FIRST,
    ),
    Fault(
        "G10",
        "mean over the outputs whose backward lacks the 1/m",
        _ELEMENTS,
        divided_by(lambda n, m: n * m, lambda n, m: n),
        GRADIENT,
    ),
    Fault("G11", "the sign of a difference", _BATCH, with_terms(SquaredError, slope=lambda f, z, t: t - z), GRADIENT),
)


# ------------------------------------------------------------------------------------------------------ naive formulas


def truncated(a: Stored) -> Stored:
    """Without the last 13 of float32's 23 bits, as hardware reads the factors of a product for speed."""
    bits = a.native.view(np.uint32) & np.uint32(0xFFFFE000)
    return Stored(bits.view(np.float32), a.format)


def summed_in(short: Format) -> Product:
    """The product of two matrices, term after term, each partial sum of which is stored in a shorter format."""

    def product(a: Any, b: Any) -> Any:
        terms = (Stored((a[:, k : k + 1] * b[k : k + 1]).native, short) for k in range(len(b)))
        total = reduce(operator.add, terms)
        return Stored(total.native, a.format)

    return product


def in_float32(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda z: Stored(f(Stored(z.native, FORMATS["float32"])).native, z.format)


def _softmax(z: Any) -> Any:
    e = np.exp(z - np.maximum.reduce(z, axis=1, keepdims=True))
    return e / rows(e)


def _of_probabilities(log: Callable[[Any], Any], of: Callable[[Any], Any] = lambda p: p) -> Implementation:
    """The cross-entropy of two classes, from probabilities."""
    return with_terms(
        BinaryCrossEntropy,
        value=lambda f, z, t: -(t * log(of(sigmoid(z)))) - (1 - t) * log(1 - of(sigmoid(z))),
    )


def _clipped(p: Any) -> Any:
    return np.minimum(np.maximum(p, 1e-7), 1 - 1e-7)


def long(samples: int, terms: int) -> Case:
    """Sums of many terms of one sign."""
    network, rng = Network(Dense(terms, 3), loss=SquaredError()), np.random.default_rng(7)
    w, x = rng.random(network.size) / terms, rng.random((samples, terms))
    return Case(network, w, x, np.zeros((samples, 3)))


_TWO = BinaryCrossEntropy()
_LOG_OF_SOFTMAX = with_terms(SoftmaxCrossEntropy, value=lambda f, z, t: -(t * np.log(_softmax(z))))
_WITH_A_LITTLE = _of_probabilities(lambda p: np.log(p + 1e-7))
_CLIPPED = _of_probabilities(np.log, _clipped)
_WRONG, _RIGHT, _UNSURE = (
    logits(_TWO, z, (1.0, 0.0)) for z in ((-20.0, 20.0), (20.0, -20.0), (-0.5, 0.75))
)  # 1 − σ(20) is 2e-9

NAIVE: tuple[Fault, ...] = (
    Fault(
        "log(softmax(z))",
        "the probability is 1e-44, a number of float32 with 5 bits, and none of 16-bit formats",
        logits(_CLASSES, (100.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
        _LOG_OF_SOFTMAX,
        LOSS,
        ("float32", "bfloat16", "float16"),
    ),
    Fault(
        "log(softmax(z))",
        "the probability is 5e-322",
        logits(_CLASSES, (740.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
        _LOG_OF_SOFTMAX,
        LOSS,
    ),
    Fault(
        "log(softmax(z))",
        "right and sure: p is 1 but for a rounding, and so is the sum of which others take the logarithm",
        logits(_CLASSES, (12.0, 0.0, 1.0), (1.0, 0.0, 0.0)),
        _LOG_OF_SOFTMAX,
        LOSS,
        (),
    ),
    Fault(
        "log(1 − σ(z))",
        "of 6e-6, a difference of 1 and nearly 1",
        logits(_TWO, (12.0, 0.5), (0.0, 1.0)),
        _of_probabilities(np.log),
        LOSS,
    ),
    Fault("log(1 − σ(z))", "of a half", _UNSURE, _of_probabilities(np.log), LOSS, ()),
    Fault("log(p + 1e-7)", "sure and wrong: 16 for 20", _WRONG, _WITH_A_LITTLE, LOSS),
    Fault("log(p + 1e-7)", "unsure: 1e-7 of the loss", _UNSURE, _WITH_A_LITTLE, LOSS, ("float64",)),
    Fault("log(clip(p, 1e-7))", "sure and wrong: 16 for 20", _WRONG, _CLIPPED, LOSS),
    Fault(
        "log(clip(p, 1e-7))",
        "sure and right: 1e-7 for 2e-9; and NaN in 16 bits, which hold no 1 − 1e-7",
        _RIGHT,
        _CLIPPED,
        LOSS,
        ("float64", "bfloat16", "float16"),
    ),
    Fault("log(clip(p, 1e-7))", "unsure, where nothing is clipped", _UNSURE, _CLIPPED, LOSS, ()),
    Fault(
        "(z² − 2zt + t²)/2",
        "a difference of squares is 4e-4 of them",
        logits(_SQUARED, (100.3, 1.0), (97.3, 3.0)),
        with_terms(SquaredError, value=lambda f, z, t: (z * z - 2 * (z * t) + t * t) / 2),
        LOSS,
    ),
    Fault(
        "tanh in float32",
        "inside an implementation in float64",
        _BATCH,
        with_unit(Tanh, value=lambda f, z: in_float32(np.tanh)(z)),
        frozenset({"outputs", "loss", "input_gradient"}) | PARAMETERS,
        ("float64",),
    ),
)
