"""The textbook's text: scalars, lists and loops, written from the definitions, with 400 bits.

Nothing here is taken from the core: not a formula, not a trick for floats, not a derivative. The text is written over a
`Namespace` ``m``, so that one text is a program for floats (`FLOATS`), for numbers of any precision (`digits`), and for
symbols (`refnn.witnesses.symbolic`). Each definition is in the form that is most obviously right. With floats such
forms overflow and cancel, as a reader may try; the witness uses 400 bits and an unbounded exponent, where nothing
overflows and what cancels is far below a float's precision.

A derivative is what the textbook says it is, the limit of (f(w + h) − f(w))/h, taken at h = 2⁻²⁰⁰.

Notes
-----
*The error of the quotient.* If f has a continuous slope that changes by at most M₂ per unit on [w, w + h], then
abs((f(w + h) − f(w))/h − f′(w)) ≤ h·M₂/2, by f(w + h) − f(w) = ∫ f′. With f evaluated to within e, rounding adds at
most 2e/h. At 400 bits both are near 2⁻²⁰⁰, and the sizes of M₂ and e are bounded for the batch at hand, layer by layer:
moving one number by t moves a sum by at most d₁·t, with a slope that changes by at most d₂ per unit.

* A dense layer with input at most A and largest column sum G = max_j Σᵢ abs(w_ij) passes d₁, d₂ on times G; its own
  parameters move its output by at most max(A, 1)·t.
* An activation with abs(σ′) and abs(σ″) at most B gives B·d₁ and B·(d₂ + d₁²). B = 2 max(1, its own parameters) holds
  for each of the table: the largest are abs(σ′) = 1.13 for GELU and abs(σ″) = 0.80 for GELU and 0.77 for tanh.
* A loss with Σ_c abs(∂ℓ/∂z_c) ≤ R and abs(Σ_cd vᵢ vⱼ ∂²ℓ/∂z_c∂z_d) ≤ S for abs(v_c) ≤ 1 gives M₂ = R·d₂ + S·d₁².
  R = 2C(1 + Z + T) and S = 2C(1 + T) hold for each of the table, with C outputs, abs(z) ≤ Z, Σ_c abs(t_c) ≤ T.

*Kinks.* Where σ′ jumps, no quotient near the jump tells a derivative. An element that moves the argument of such an
activation, where that argument lies within h·d₁ of the jump, has an infinite error. A joint of two pieces with a common
slope (Huber; ELU with alpha = 1) is no kink: the bound above asks for no more than a continuous slope.

References
----------
Bishop, "Pattern Recognition and Machine Learning" (2006); Goodfellow, Bengio, Courville, "Deep Learning" (2016);
Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning", 2nd ed. (2009).
"""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike

from refnn.arrays import Arithmetic
from refnn.checks import extra
from refnn.layers import Layer
from refnn.losses import Loss
from refnn.network import Evaluation, Network
from refnn.witnesses import NotRunError, Testimony

__all__ = [
    "ACTIVATIONS",
    "BITS",
    "BLIND_TO",
    "FLOATS",
    "LARGEST",
    "LOSSES",
    "Namespace",
    "Number",
    "digits",
    "testify",
]

BLIND_TO = (
    "rounding, for it works with 400 bits; the convention at a kink; and what is smaller than about 1e-60, "
    "the error of its difference quotients"
)

BITS = 400
LARGEST = 3_000_000
"""The scalar multiplications above which the witness does not run: about 10 seconds (a function counts as 10)."""

Number: TypeAlias = Any
"""A float, an mpmath number, a SymPy expression: whatever the namespace's functions take."""


@final
@dataclass(frozen=True, slots=True)
class Namespace:
    """The functions that the text is written in.

    Parameters
    ----------
    number
        A rational number (`int`, `float` or `fractions.Fraction`) as a number of this kind.
    exp, log, tanh, erf, sqrt
        The functions.
    pi
        The number π.
    if_positive
        ``if_positive(z, a, b)`` is a where z > 0, and b elsewhere.
    """

    number: Callable[[Any], Number]
    exp: Callable[[Number], Number]
    log: Callable[[Number], Number]
    tanh: Callable[[Number], Number]
    erf: Callable[[Number], Number]
    sqrt: Callable[[Number], Number]
    pi: Number
    if_positive: Callable[[Number, Number, Number], Number]


def if_positive(z: Number, a: Number, b: Number) -> Number:
    """`a` where z > 0, else `b`, for numbers that know their sign."""
    return a if z > 0 else b


FLOATS = Namespace(float, math.exp, math.log, math.tanh, math.erf, math.sqrt, math.pi, if_positive)
"""Python's floats: to read and to try; beyond abs(z) of about 700 the definitions overflow."""


@functools.cache
def digits(bits: int = BITS) -> Namespace:
    """Numbers of so many bits, by mpmath, in a context of their own.

    Raises
    ------
    MissingExtraError
        If mpmath is not installed.

    Examples
    --------
    >>> m = digits(400)
    >>> float(ACTIVATIONS["Sigmoid"](m, None, m.log(m.number(3))))
    0.75
    """
    context = extra("mpmath", "symbolic", "the textbook witness").mp.clone()
    context.prec = bits

    def number(value: Any) -> Number:
        ratio = exact(value)
        return context.mpf(ratio.numerator) / ratio.denominator

    functions = (context.exp, context.log, context.tanh, context.erf, context.sqrt)
    return Namespace(number, *functions, +context.pi, if_positive)


def exact(value: Any) -> Fraction:
    """The rational number that an `int`, a `float`, a `Fraction` or a NumPy scalar is."""
    return Fraction(int(value)) if isinstance(value, numbers.Integral) else Fraction(*value.as_integer_ratio())


# ----------------------------------------------------------------------------------------------------------- the text

Activation: TypeAlias = Callable[[Namespace, Any, Number], Number]
SampleLoss: TypeAlias = Callable[[Namespace, Any, Sequence[Number], Sequence[Number]], Number]

_CUBIC = Fraction("0.044715")

ACTIVATIONS: dict[str, Activation] = {
    "Identity": lambda m, f, z: z,
    # Goodfellow et al., eq. (3.30)
    "Sigmoid": lambda m, f, z: 1 / (1 + m.exp(-z)),
    "Tanh": lambda m, f, z: m.tanh(z),
    # Goodfellow et al., section 6.3.1: max(0, z), and the leaky form after Maas, Hannun, Ng (2013)
    "ReLU": lambda m, f, z: m.if_positive(z, z, m.number(0)),
    "LeakyReLU": lambda m, f, z: m.if_positive(z, z, m.number(f.slope) * z),
    # Clevert, Unterthiner, Hochreiter (2016), eq. (15)
    "ELU": lambda m, f, z: m.if_positive(z, z, m.number(f.alpha) * (m.exp(z) - 1)),
    # Goodfellow et al., eq. (3.31)
    "Softplus": lambda m, f, z: m.log(1 + m.exp(z)),
    # Elfwing, Uchibe, Doya (2018), eq. (1): z times the logistic sigmoid of z
    "SiLU": lambda m, f, z: z * (1 / (1 + m.exp(-z))),
    # Hendrycks, Gimpel (2016), section 2: z times the normal distribution function of z, and its approximation
    "GELU": lambda m, f, z: z * (1 + m.erf(z / m.sqrt(m.number(2)))) / 2,
    "GELUTanh": lambda m, f, z: z * (1 + m.tanh(m.sqrt(2 / m.pi) * (z + m.number(_CUBIC) * z * z * z))) / 2,
}
"""The definition of each activation, by the name of its class: σ(z), with the layer f for its parameters."""


def _squared_error(m: Namespace, loss: Any, z: Sequence[Number], t: Sequence[Number]) -> Number:
    """½ Σ (z − t)²: Bishop, eq. (5.11)."""
    return sum((a - b) * (a - b) for a, b in zip(z, t, strict=True)) / 2


def _huber(m: Namespace, loss: Any, z: Sequence[Number], t: Sequence[Number]) -> Number:
    """Σ ρ(z − t), with ρ(r) = ½r² for abs(r) ≤ δ and δ·abs(r) − ½δ² beyond: Huber (1964), section 4."""
    delta = m.number(loss.delta)

    def rho(r: Number) -> Number:
        left = m.if_positive(-r - delta, -delta * r - delta * delta / 2, r * r / 2)
        return m.if_positive(r - delta, delta * r - delta * delta / 2, left)

    return sum(rho(a - b) for a, b in zip(z, t, strict=True))


def _binary_cross_entropy(m: Namespace, loss: Any, z: Sequence[Number], t: Sequence[Number]) -> Number:
    """−Σ [t log p₁ + (1 − t) log p₀]: Bishop, eq. (5.23), with the probabilities of Hastie et al., eq. (4.18)."""
    yes, no = [m.exp(a) / (1 + m.exp(a)) for a in z], [1 / (1 + m.exp(a)) for a in z]
    return -sum(b * m.log(p) + (1 - b) * m.log(q) for p, q, b in zip(yes, no, t, strict=True))


def softmax(m: Namespace, z: Sequence[Number]) -> list[Number]:
    """exp(z_c)/Σ_k exp(z_k): Bishop, eq. (5.25); Goodfellow et al., eq. (6.29)."""
    total = sum(m.exp(k) for k in z)
    return [m.exp(c) / total for c in z]


def _softmax_cross_entropy(m: Namespace, loss: Any, z: Sequence[Number], t: Sequence[Number]) -> Number:
    """−Σ_c q_c log softmax(z)_c: Bishop, eq. (5.24)."""
    return -sum(q * m.log(p) for q, p in zip(t, softmax(m, z), strict=True))


def _inner_product(m: Namespace, loss: Any, z: Sequence[Number], t: Sequence[Number]) -> Number:
    """Σ z t."""
    return sum(a * b for a, b in zip(z, t, strict=True))


LOSSES: dict[str, SampleLoss] = {
    "SquaredError": _squared_error,
    "SoftmaxCrossEntropy": _softmax_cross_entropy,
    "BinaryCrossEntropy": _binary_cross_entropy,
    "Huber": _huber,
    "InnerProduct": _inner_product,
}
"""The definition of each loss of one sample, by the name of its class, for outputs z and targets t."""


def targets(m: Namespace, loss: Loss, y: Sequence[Number]) -> list[Number]:
    """The targets t of one sample: those given, or smoothed (Szegedy et al. (2016), section 7), times class weights."""
    if type(loss).__name__ != "SoftmaxCrossEntropy":
        return list(y)
    smoothing = m.number(loss.label_smoothing)  # type: ignore[attr-defined]  # by its name it is that loss
    return [v * ((1 - smoothing) * c + smoothing / len(y)) for v, c in zip(_weights(m, loss, y), y, strict=True)]


def _weights(m: Namespace, loss: Any, y: Sequence[Number]) -> list[Number]:
    return [m.number(v) for v in loss.class_weights or [1] * len(y)]


def apply(m: Namespace, layer: Layer, parameters: Sequence[Any], x: Sequence[Number]) -> list[Number]:
    """What a layer gives for one sample: weighted sums, Σᵢ wᵢⱼ xᵢ + bⱼ (Bishop, eq. (5.2)), or σ of each number."""
    name = type(layer).__name__
    if name == "Dense":
        weight, bias = parameters
        return [sum(w[j] * a for w, a in zip(weight, x, strict=True)) + b for j, b in enumerate(bias)]
    return [ACTIVATIONS[name](m, layer, z) for z in x]


def through(m: Namespace, layers: Sequence[Layer], parameters: Sequence[Any], x: list[Number]) -> list[list[Number]]:
    """The numbers that enter each of the layers, one layer applied to what the last one gave; and last the outputs."""
    h = [x]
    for layer, p in zip(layers, parameters, strict=True):
        h.append(apply(m, layer, p, h[-1]))
    return h


def divisor(m: Namespace, loss: Loss, labels: Sequence[Sequence[Number]]) -> Number:
    """By what the sum over the samples is divided: what the name of the reduction says."""
    if loss.reduction == "weights":
        return sum(v * c for y in labels for v, c in zip(_weights(m, loss, y), y, strict=True))
    return m.number({"mean": len(labels), "sum": 1, "elements": len(labels) * len(labels[0])}[loss.reduction])


def reduced(m: Namespace, loss: Loss, values: Sequence[Number], labels: Sequence[Sequence[Number]]) -> Number:
    """L from the losses of the samples (or, for it is linear, a derivative of L from theirs): scale·Σ/divisor."""
    return m.number(loss.scale) * sum(values) / divisor(m, loss, labels)


# ------------------------------------------------------------------------------------------- reading what is asked for


class Case(NamedTuple):
    """What is asked, checked and as lists of floats.

    Attributes
    ----------
    w : (P,)
    x : (N, inputs)
    labels : (N, outputs)
        The targets as they were given; a class is a row of zeros with a one.
    """

    w: list[float]
    x: list[list[float]]
    labels: list[list[float]]


def read(network: Network, w: ArrayLike, x: ArrayLike, y: ArrayLike) -> Case:
    """What is asked, or an error if it does not fit, or the text lacks a definition."""
    loss = network.loss_function
    homes = {"refnn.layers", "refnn.activations", "refnn.losses"}
    for part in (*network.layers, loss):
        kind = type(part)  # a class of somebody else's may have the same name and mean something else
        if kind.__module__ not in homes or kind.__name__ not in {"Dense", *ACTIVATIONS, *LOSSES}:
            raise NotRunError(
                f"the network has {part}", "the textbook's text does not define it", "Use another witness"
            )
    if isinstance(w, Arithmetic) or isinstance(x, Arithmetic):
        raise NotRunError("w or x is of another arithmetic", "a witness is asked about floats", "Pass NumPy arrays")
    checked_w, checked_x = network.check(w, x)
    labels = network.check_targets(checked_w, checked_x, y).tolist()
    if type(loss).__name__ == "SoftmaxCrossEntropy" and np.ndim(y) == 1:
        labels = [[float(c == k) for c in range(len(labels[0]))] for k in np.asarray(y)]
    return Case(checked_w.tolist(), checked_x.tolist(), labels)


def table(m: Namespace, rows: Sequence[Sequence[float]]) -> list[list[Number]]:
    """Rows of floats as rows of the namespace's numbers."""
    return [[m.number(v) for v in row] for row in rows]


def nested(layers: Sequence[Any], w: Iterator[Number]) -> list[list[Any]]:
    """The parameters of each layer: for a dense layer, [weight, bias], with one row of the weight for each input."""
    return [
        [
            [[next(w) for _ in range(layer.outputs)] for _ in range(layer.inputs)],
            [next(w) for _ in range(layer.outputs)],
        ]
        if type(layer).__name__ == "Dense"
        else []
        for layer in layers
    ]


# ---------------------------------------------------------------------------------------------------------- testimony


def testify(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    progress: Callable[[int, int], object] | None = None,  # noqa: PT028 - testify is no test, for all its name
) -> Testimony:
    """Outputs, loss and gradients from the definitions, with 400 bits.

    Parameters
    ----------
    network
        Of dense layers and of the activations and losses of refnn.
    w : (P,)
    x : (N, inputs)
    y : (N, outputs) or (N,)
        As for `refnn.Network.evaluate`.
    progress
        Is told how many of the P + N·inputs numbers have been moved, and how many there are.

    Returns
    -------
    Testimony
        The floats next to numbers that are known to about 60 digits; at kinks (see above) the errors are infinite.

    Raises
    ------
    NotRunError
        If a layer or the loss has no definition here, if the case is larger than `LARGEST`, or if its numbers are so
        large that the step is no small one.
    MissingExtraError
        If mpmath is not installed.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(2, 1), refnn.Sigmoid(), loss=refnn.SquaredError())
    >>> testify(network, [1.0, 2.0, 0.0], [[2.0, -1.0]], [[1.0]]).values.gradient
    array([-0.25 ,  0.125, -0.125])
    """
    m = digits()
    layers, loss = network.layers, network.loss_function
    case = read(network, w, x, y)
    _refuse_large(network, len(case.x), len(case.x[0]))
    parameters = nested(layers, map(m.number, case.w))
    x_rows, labels = table(m, case.x), table(m, case.labels)
    sample_loss = functools.partial(LOSSES[type(loss).__name__], m, loss)
    aims = [targets(m, loss, row) for row in labels]
    h = [through(m, layers, parameters, list(row)) for row in x_rows]
    losses = [sample_loss(sample[-1], t) for sample, t in zip(h, aims, strict=True)]
    bounds = _bounds(m, network, parameters, h, aims)
    whole = reduced(m, loss, [m.number(1)] * len(h), labels)  # what one unit of error in each sample makes of L
    step = m.number(_STEP)

    def quotient(n: int, k: int) -> tuple[Number, bool]:
        """(ℓ(moved) − ℓ)/step of sample n, moved in layer k's parameters or inputs; and whether a kink is near."""
        moved = through(m, layers[k:], parameters[k:], x_rows[n] if k == 0 else h[n][k])
        kinked = any(moved[j - k][i] != h[n][j][i] for j, i in bounds.kinks[n] if j >= k)
        return (sample_loss(moved[-1], aims[n]) - losses[n]) / step, kinked

    everyone = range(len(h))
    moves = [(row, j, k, everyone) for k, p in enumerate(parameters) for row, j in _places(p)]
    moves += [(row, j, 0, range(n, n + 1)) for n, row in enumerate(x_rows) for j in range(len(row))]
    slopes = []
    for done, (row, j, k, samples) in enumerate(moves, 1):
        kept = row[j]
        row[j] = kept + step
        quotients = [quotient(n, k) for n in samples]
        row[j] = kept
        error = math.inf if any(kinked for _, kinked in quotients) else whole * bounds.quotient
        slopes.append(rounded(reduced(m, loss, [q for q, _ in quotients], labels), error))
        if progress is not None:
            progress(done, len(moves))

    return testimony(
        [[rounded(z, bounds.outputs) for z in sample[-1]] for sample in h],
        rounded(reduced(m, loss, losses, labels), whole * bounds.loss),
        slopes[: network.size],
        slopes[network.size :],
    )


def rounded(value: Number, error: Number) -> tuple[float, float]:
    """The float64 next to an mpmath number that is known up to `error`, and a bound on its distance from the truth."""
    nearest = float(value)
    distance = abs(value - nearest) + error
    if not distance < math.inf:  # an unknown error (NaN) is none that is bounded
        return nearest, math.inf
    return nearest, math.nextafter(float(distance), math.inf) if distance else 0.0


def testimony(outputs: Any, loss: Any, gradient: Any, input_gradient: Any) -> Testimony:
    """The record, from (value, error) in place of each number; input gradients may come in one row."""
    z, g = np.array(outputs), np.array(gradient).reshape(-1, 2)
    dx = np.array(input_gradient).reshape(len(z), -1, 2)
    return Testimony(
        Evaluation(z[..., 0], loss[0], g[..., 0], dx[..., 0]), Evaluation(z[..., 1], loss[1], g[..., 1], dx[..., 1])
    )


def _places(parameters: list[Any]) -> Iterator[tuple[list[Number], int]]:
    """Where each parameter of a layer stands: a list, and the index in it."""
    for weight, bias in [parameters] if parameters else []:
        for row in [*weight, bias]:
            yield from ((row, j) for j in range(len(row)))


_STEP = Fraction(1, 2**200)


class _Bounds(NamedTuple):
    """What is derived in the module's notes: bounds for every sample of the batch.

    Attributes
    ----------
    outputs, loss
        The rounding of an output, and of the loss of a sample.
    quotient
        The distance of a difference quotient of that loss from its derivative.
    kinks
        For each sample the places (layer, unit) whose input is so near a kink that a step may cross it.
    """

    outputs: Number
    loss: Number
    quotient: Number
    kinks: list[list[tuple[int, int]]]


def _bounds(
    m: Namespace, network: Network, parameters: list[Any], h: list[list[list[Number]]], aims: list[list[Number]]
) -> _Bounds:
    unit, step = m.number(Fraction(1, 2**BITS)), m.number(_STEP)
    kinks: list[list[tuple[int, int]]] = [[] for _ in h]
    e, d1, d2 = unit * _largest(h, 0), m.number(1), m.number(0)  # the inputs themselves move by one step
    for k, (layer, p) in enumerate(zip(network.layers, parameters, strict=True)):
        a = 1 + _largest(h, k)  # 1 more than it is, for a step moves no number by more than 1 (see below)
        if p:
            g = 1 + max(sum(abs(row[j]) for row in p[0]) for j in range(len(p[1])))
            e = g * e + (len(p[0]) + 3) * unit * (g * a + 1 + max(map(abs, p[1])))  # one rounding for each operation
            d1, d2 = max(g * d1, a), g * d2
        else:
            steepest = _steepest(m, layer)
            if _has_kink(m, layer, steepest):
                reach = step * d1 + 2 * e
                for n, sample in enumerate(h):
                    kinks[n] += [(k, i) for i, z in enumerate(sample[k]) if abs(z) <= reach]
            e = steepest * e + 32 * steepest * unit * a  # no definition has more than 10 operations
            d1, d2 = steepest * d1, steepest * (d2 + d1 * d1)
        if step * d1 > 1:
            raise NotRunError(
                "w or x holds large numbers",
                f"a step of 2^-200 in one of them may move the input of layer {k + 1} by more than 1",
                "Scale parameters or data",
            )
    outputs, t = len(h[0][-1]), max(sum(map(abs, row)) for row in aims)
    z = 1 + _largest(h, len(network.layers))
    r, s = _loss_slopes(outputs, z, t)
    e_loss = r * e + (64 + len(h)) * outputs**2 * unit * (z + t) * (z + t)  # the sum over the samples included
    quotient = step / 2 * (r * d2 + s * d1 * d1) + 3 * e_loss / step + len(h) * unit * r * d1
    return _Bounds(e, e_loss, quotient, kinks)


def _largest(h: list[list[list[Number]]], k: int) -> Number:
    return max(abs(z) for sample in h for z in sample[k])


def _steepest(m: Namespace, layer: Any) -> Number:
    """A bound B on abs(σ′) and abs(σ″) wherever they exist."""
    settings = [m.number(getattr(layer, field.name)) for field in dataclasses.fields(layer)]
    return 2 * max([m.number(1), *map(abs, settings)])


def _loss_slopes(outputs: int, z: Number, t: Number) -> tuple[Number, Number]:
    """The bounds R and S on the slopes of every loss, for abs(z_c) of at most z and Σ_c abs(t_c) of at most t."""
    return 2 * outputs * (1 + z + t), 2 * outputs * (1 + t)


def _has_kink(m: Namespace, layer: Layer, steepest: Number) -> bool:
    """Whether σ′ jumps at 0: σ(η) − 2σ(0) + σ(−η) is at most B·η² if it does not, and about the jump times η if so."""
    sigma, eta = functools.partial(ACTIVATIONS[type(layer).__name__], m, layer), m.number(Fraction(1, 2**100))
    return bool(abs(sigma(eta) - 2 * sigma(m.number(0)) + sigma(-eta)) > 2 * steepest * eta * eta)


def _refuse_large(network: Network, samples: int, inputs: int) -> None:
    """Refuse what takes too long: each parameter moves all samples, each input its own, through the layers after it."""
    width, moved, multiplications = inputs, inputs, 0
    for layer in network.layers:
        moved += sum(math.prod(shape) for shape in layer.shapes.values())
        work = width * layer.outputs if layer.outputs else 10 * width
        multiplications += samples * moved * work
        width = layer.outputs or width
    multiplications += samples * moved * 10 * width
    if multiplications > LARGEST:
        raise NotRunError(
            f"the text would take {multiplications:,} multiplications of {BITS} bits",
            f"it is too large: the limit is {LARGEST:,}, about ten seconds",
            "Use fewer samples, a smaller network, or another witness",
        )
