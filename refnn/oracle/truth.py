"""Truth: outputs, loss and gradients, each element the correct rounding of the real number.

The program runs on balls, which hold the real numbers; the precision doubles until every point of every ball rounds to
one float (Ziv, "Fast Evaluation of Elementary Mathematical Functions with Correctly Rounded Last Bit", ACM TOMS 17(3),
1991). Where that leads nowhere because the real number lies on the border between two floats, or a unit on its kink,
networks of rational pieces are computed once more in rational numbers, which know. For the others, what is undecided
at the last precision is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from refnn.arithmetic.ball import BallArray, working_precision
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rational import RationalArray
from refnn.arrays import FloatArray, constant
from refnn.checks import callback, count, instance, number, positive, shown
from refnn.errors import SettingError, UndecidedError, UnsupportedOperationError
from refnn.network import Evaluation, Network
from refnn.oracle.formats import Format, format_named
from refnn.oracle.kinks import near_kinks
from refnn.oracle.questions import answer, batch
from refnn.oracle.questions import direction as direction_of
from refnn.rules import GradientDescent, Rule

__all__ = [
    "Exact",
    "Truth",
    "Undecided",
    "exact",
    "exact_derivative",
    "exact_hessian_vector_product",
    "exact_loss",
    "exact_update",
]

_FIRST_BITS, _MOST_BITS = 128, 4096

Lift: TypeAlias = Callable[[FloatArray], Any]
"""Floats as exact numbers of an arithmetic."""

Progress: TypeAlias = Callable[[int, int], None]
"""A function that is told, after each precision, its bits and the number of elements that it left undecided."""


class Undecided(NamedTuple):
    """An element whose rounding, or a pre-activation whose side of a kink, the last precision could not tell.

    Attributes
    ----------
    field
        ``"gradient"``, say; or ``"input of layer 1"``, for a pre-activation that may be on its kink.
    place
        Where it is.
    enclosure : ()
        The ball that holds it.
    """

    field: str
    place: tuple[int, ...]
    enclosure: BallArray

    def __str__(self) -> str:
        """The element and its ball."""
        where = f"[{', '.join(map(str, self.place))}]" if self.place else ""
        return f"{self.field}{where} in {self.enclosure.text(20)}"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Outputs, loss and gradients of a batch, correctly rounded.

    Attributes
    ----------
    outputs : (N, outputs)
    loss : float
    gradient : (P,)
    input_gradient : (N, inputs)
        Each element the float nearest to the real number, in `dtype`; ties to even. What is beyond the largest float
        by half a spacing or more is infinite, as in IEEE 754. Zero is +0.
    enclosures
        The same four fields as balls that hold the real numbers.
    undecided
        The elements whose rounding is not proven, and the pre-activations that may be on a kink. Where the ball of an
        element holds the border between two floats, the one with the even significand stands in its place; where it is
        wider (a kink, or too few bits), one from its middle, which says nothing. Empty, unless a real number is on the
        border between two floats, or so near to it that no precision tells, as beside a tanh that saturates.
    dtype
        The format.
    bits
        The precision at which the last element was decided.
    """

    outputs: FloatArray
    loss: float
    gradient: FloatArray
    input_gradient: FloatArray
    enclosures: Evaluation[BallArray, BallArray] = field(repr=False)
    undecided: tuple[Undecided, ...]
    dtype: np.dtype[Any]
    bits: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """A number or an array, correctly rounded.

    Attributes
    ----------
    value
        A float, or an array in `dtype`; each element the float nearest to the real number.
    enclosure
        Balls that hold the real numbers.
    undecided, dtype, bits
        As in `Truth`.
    """

    value: Any
    enclosure: BallArray = field(repr=False)
    undecided: tuple[Undecided, ...]
    dtype: np.dtype[Any]
    bits: int


# -------------------------------------------------------------------------------------------------------------- asking


def exact(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    dtype: DTypeLike = "float64",
    require_decided: bool = False,
    max_bits: int = _MOST_BITS,
    progress: Progress | None = None,
) -> Truth:
    """Outputs, loss, gradient and input gradient of a batch, each element correctly rounded.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.Network.loss`; every float stands for exactly the number that it is.
    dtype
        The format to round to, in one step: float64, float32, float16 or bfloat16.
    require_decided
        Whether to raise `UndecidedError` if an element is undecided.
    max_bits
        The precision at which to give up.
    progress
        Is told of each precision that was tried.

    Returns
    -------
    Truth

    Raises
    ------
    ShapeError, DTypeError, NonFiniteError, TargetError, SettingError
        If an argument does not fit.
    UndecidedError
        If `require_decided` is asked for and something is undecided.
    MissingExtraError
        If python-flint, or for bfloat16 ml_dtypes, is not installed.

    Examples
    --------
    Ten times the float 0.1, added one by one, is 0.9999999999999999 in floats. In real numbers it is nearer to 1:

    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(10, 1), loss=refnn.InnerProduct())
    >>> truth = refnn.exact(network, [1.0] * 10 + [0.0], [[0.1] * 10], [[1.0]])
    >>> truth.loss, truth.enclosures.loss.text(20).item(), truth.undecided
    (1.0, '[1.0000000000000000555 +/- 1.12e-20]', ())
    """
    callback("progress", progress, "it is told of each precision")
    format_, labelled = format_named(dtype), batch(network, w, x, y)
    return truth_of(network, *labelled, format_, max_bits=max_bits, require_decided=require_decided, progress=progress)


def truth_of(
    network: Network,
    w: FloatArray,
    x: FloatArray,
    labels: FloatArray,
    format_: Format,
    *,
    max_bits: int = _MOST_BITS,
    require_decided: bool = False,
    progress: Progress | None = None,
) -> Truth:
    """`exact`, of a batch that has been checked."""

    def compute(lift: Lift) -> dict[str, Any]:
        return answer(network, lift(w), lift(x), labels)._asdict()

    found = _settle(_Question(network, w, x, compute), format_, max_bits, require_decided, progress)
    values, balls = (Evaluation(**part) for part in (found.values, found.balls))
    return Truth(
        values.outputs,
        float(values.loss),
        values.gradient,
        values.input_gradient,
        balls,
        found.undecided,
        found.format.dtype,
        found.bits,
    )


def exact_loss(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    direction: ArrayLike | None = None,
    distance: float | Fraction | None = None,
    dtype: DTypeLike = "float64",
    require_decided: bool = False,
    max_bits: int = _MOST_BITS,
) -> Exact:
    """The loss L(w + distance·direction), correctly rounded, at a point that need not be made of floats.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.Network.loss`.
    direction : (P,)
        Where to go from w; if none is given, the point is w.
    distance
        How far, as the exact number that it is; 1 if a direction is given alone.
    dtype, require_decided, max_bits
        As for `exact`, and so are the errors.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> refnn.exact_loss(network, [2.0, 1.0], [[3.0]], [[5.0]], direction=[1.0, 0.0], distance=-0.5).value
    0.125
    """
    w, x, y = batch(network, w, x, y)
    v = None if direction is None else direction_of("direction", direction, network.size)
    way = number("distance", 1 if distance is None else distance)
    if v is None and distance is not None:
        raise SettingError(
            f"distance is {shown(distance)} and direction None", "there is no way to go it", "Pass a direction as well"
        )

    def compute(lift: Lift) -> dict[str, Any]:
        point = lift(w)
        if v is not None:
            point = point + constant(point, way) * lift(v)
        return {"loss": network.loss(point, x, y)}

    return _single(_Question(network, w, x, compute), format_named(dtype), max_bits, require_decided)


def exact_derivative(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    direction: ArrayLike,
    dtype: DTypeLike = "float64",
    require_decided: bool = False,
    max_bits: int = _MOST_BITS,
) -> Exact:
    """The derivative of the loss along a direction, ∇L(w)·v, correctly rounded; by dual numbers.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.Network.loss`.
    direction : (P,)
        v, of any length.
    dtype, require_decided, max_bits
        As for `exact`, and so are the errors.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> refnn.exact_derivative(network, [2.0, 1.0], [[3.0]], [[5.0]], direction=[1.0, 0.0]).value
    6.0
    """
    w, x, y = batch(network, w, x, y)
    v = direction_of("direction", direction, network.size)
    question = _Question(
        network, w, x, lambda lift: {"derivative": network.loss(DualArray(lift(w), lift(v)), x, y).tangent}
    )
    return _single(question, format_named(dtype), max_bits, require_decided)


def exact_hessian_vector_product(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    direction: ArrayLike,
    dtype: DTypeLike = "float64",
    require_decided: bool = False,
    max_bits: int = _MOST_BITS,
) -> Exact:
    """The Hessian of the loss times a vector, ∇²L(w)·v, correctly rounded; by the backward pass over dual numbers.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.Network.loss`.
    direction : (P,)
        v.
    dtype, require_decided, max_bits
        As for `exact`, and so are the errors.

    References
    ----------
    Pearlmutter, "Fast Exact Multiplication by the Hessian", Neural Computation 6(1), 1994.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> refnn.exact_hessian_vector_product(network, [2.0, 1.0], [[3.0]], [[5.0]], direction=[1.0, 0.0]).value
    array([9., 3.])
    """
    w, x, y = batch(network, w, x, y)
    v = direction_of("direction", direction, network.size)

    def compute(lift: Lift) -> dict[str, Any]:
        _, gradient = network.loss_and_gradient(DualArray(lift(w), lift(v)), x, y)
        return {"product": gradient.tangent}

    return _single(_Question(network, w, x, compute), format_named(dtype), max_bits, require_decided)


def exact_update(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    learning_rate: float,
    rule: Rule[Any] | None = None,
    dtype: DTypeLike = "float64",
    require_decided: bool = False,
    max_bits: int = _MOST_BITS,
) -> Exact:
    """The parameters after one step, w − η∇L(w), correctly rounded once: neither the gradient nor the product before.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.Network.loss`.
    learning_rate
        η, as the exact number that it is.
    rule
        The update rule; `GradientDescent()` if none is given. The step is its first.
    dtype, require_decided, max_bits
        As for `exact`, and so are the errors.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> refnn.exact_update(network, [2.0, 1.0], [[3.0]], [[5.0]], learning_rate=0.125).value
    array([1.25, 0.75])
    """
    w, x, y = batch(network, w, x, y)
    positive("learning_rate", learning_rate)
    update = GradientDescent() if rule is None else rule
    instance("rule", update, ("initial_state", "step"), "Pass refnn.GradientDescent()")

    return update_of(network, w, x, y, update, learning_rate, format_named(dtype), max_bits, require_decided)


def update_of(
    network: Network,
    w: FloatArray,
    x: FloatArray,
    labels: FloatArray,
    rule: Rule[Any],
    learning_rate: float,
    format_: Format,
    max_bits: int = _MOST_BITS,
    require_decided: bool = False,
) -> Exact:
    """`exact_update`, of a batch that has been checked.

    Parameters
    ----------
    network, w, x, labels
        As `refnn.oracle.questions.batch` gives them.
    rule, learning_rate, max_bits, require_decided
        As for `exact_update`, and so are the errors.
    format_
        The format to round to.

    Returns
    -------
    Exact
        The new parameters, of shape (P,).
    """

    def compute(lift: Lift) -> dict[str, Any]:
        point = lift(w)
        gradient = answer(network, point, lift(x), labels).gradient
        return {"parameters": rule.step(rule.initial_state(point), point, gradient, learning_rate)[1]}

    return _single(_Question(network, w, x, compute), format_, max_bits, require_decided)


# ------------------------------------------------------------------------------------------------------------ settling


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """What is asked at a point: named arrays, in whatever arithmetic `lift` makes of floats."""

    network: Network
    w: FloatArray
    x: FloatArray
    compute: Callable[[Lift], Mapping[str, Any]]


class _Answer(NamedTuple):
    """For each name, values in the format and the balls that they are rounded from."""

    values: dict[str, Any]
    balls: dict[str, BallArray]
    undecided: tuple[Undecided, ...]
    format: Format
    bits: int


def _single(question: _Question, format_: Format, max_bits: int, require_decided: bool) -> Exact:
    found = _settle(question, format_, max_bits, require_decided, None)
    ((name, value),) = found.values.items()
    plain = float(value) if value.ndim == 0 else value
    return Exact(plain, found.balls[name], found.undecided, found.format.dtype, found.bits)


def _settle(
    question: _Question, format_: Format, max_bits: int, require_decided: bool, progress: Progress | None
) -> _Answer:
    """Double the precision until all is decided; after the first, ask rational numbers, if they can answer."""
    most = count("max_bits", max_bits, least=2)
    bits = first = min(_FIRST_BITS, most)
    values: dict[str, FloatArray] = {}
    decided: dict[str, NDArray[np.bool_]] = {}
    balls: dict[str, BallArray] = {}
    while True:
        with working_precision(bits):
            for name, array in question.compute(BallArray.exact).items():
                if name not in decided or not decided[name].all():
                    balls[name] = array
                    values[name], decided[name] = format_.round_balls(array)
        left = sum(int(np.count_nonzero(~each)) for each in decided.values())
        if progress is not None:
            progress(bits, left)
        ratios = _rationals(question) if left and bits == first else None
        if ratios is not None:
            values = {name: format_.round_rationals(array) for name, array in ratios.items()}
            balls, left = {name: array.balls(bits) for name, array in ratios.items()}, 0
        if not left or bits == most:
            break
        bits = min(2 * bits, most)
    undecided = _undecided(question, balls, decided, bits) if left else ()
    if undecided and require_decided:
        raise UndecidedError(
            f"{len(undecided)} numbers are undecided, the first of them {undecided[0]}",
            f"with {bits} bits their balls still hold a border between two floats, or a kink",
            "Raise max_bits, or leave out require_decided and look at .undecided",
        )
    rounded = {name: value.astype(format_.dtype) for name, value in values.items()}
    return _Answer(rounded, balls, undecided, format_, bits)


def _rationals(question: _Question) -> Mapping[str, RationalArray] | None:
    """The answer in rational numbers, or None if it needs others."""
    try:
        return question.compute(RationalArray.exact)
    except UnsupportedOperationError:
        return None


def _undecided(
    question: _Question, balls: dict[str, BallArray], decided: dict[str, NDArray[np.bool_]], bits: int
) -> tuple[Undecided, ...]:
    """Every element that is undecided, and every unit that may be on its kink."""
    found = []
    for name, each in decided.items():
        for index in np.argwhere(~each):
            place = tuple(int(i) for i in index)
            found.append(Undecided(name, place, BallArray(np.array(balls[name].elements[place], object))))
    with working_precision(bits):
        kinks = near_kinks(question.network, BallArray.exact(question.w), BallArray.exact(question.x))
    untold = (kink for kink in kinks if not kink.ball.elements.item().is_exact())  # one that stands there is decided
    return (*found, *(Undecided(f"input of layer {kink.layer}", kink.place, kink.ball) for kink in untold))
