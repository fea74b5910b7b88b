"""Tolerance: how far an honest implementation of a precision may be from the truth, for each element of this question.

The program runs on arrays that carry the variance of the rounding error and, for networks that are not large, on arrays
that carry its worst case. The bound of an element is the smaller of the two: so many standard deviations that all
elements together exceed theirs with at most the failure probability that is asked for, and what means, rounded
constants and crossed kinks add; or what no rounding can exceed.
What an honest implementation does is in `refnn.arithmetic.precision`; how errors are followed in
`refnn.arithmetic.spread` and `refnn.arithmetic.rounded`.

Variances of errors that pass through a product are added as if the weights of the next layer had nothing to do with
those of the last. Where they do (many layers of positive weights, say), errors reinforce each other. So the model is
tried: roundings are drawn, a few times, and if they go where the model does not expect them, many more are drawn, and
the variance is what they show.

What the model does not know, so that an honest implementation may exceed a bound more often than is asked for:

* A unit that crosses its kink brings one jump to all units below it. Unless the trials show that errors reinforce each
  other, these jumps are added up as if the weights below had nothing to do with each other.
* Two or three equal numbers in a column are taken for chance, and an error that comes by two ways (in z·σ(z), say) for
  two errors; either makes the variance up to two or three times as large as is said, and reaches of seven deviations
  and more have room for it.
* Numbers that are not equal, but are all added to a sum at the same side of its last place, are rounded to one side;
  that is known of numbers up to twice that place.
* Curved functions have means of their errors too, as z·σ(z) has; only those of squares and of log-softmax are counted.
* Trials cross no kinks, and gradients of weights are tried only if what they are sums of refutes the model.
* The probability that is asked for is that of the outcome; that hidden units stay within their errors is taken for
  granted at the same odds, and so is what a few trials show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnn.arithmetic.noise import Noise
from refnn.arithmetic.precision import Precision, PrecisionLike, precision_named
from refnn.arithmetic.rounded import RoundedArray
from refnn.arithmetic.spread import SpreadArray
from refnn.arrays import FloatArray
from refnn.checks import instance, number, positive, representable, shown
from refnn.errors import NonFiniteError, SettingError
from refnn.network import Evaluation, Network
from refnn.oracle.foreign import by_name, widened
from refnn.oracle.questions import answer, batch, blocks
from refnn.rules import GradientDescent, Rule

__all__ = [
    "FAILURE_PROBABILITY",
    "MODEL",
    "Block",
    "Question",
    "Tolerance",
    "Tolerances",
    "asked",
    "block",
    "checked_probability",
    "derive",
    "is_decided",
    "ratios",
    "says_something",
    "tolerance",
]

MODEL = 1
"""The number of the model by which bounds are derived; one is added whenever a bound may change."""

FAILURE_PROBABILITY = 1e-9
"""Unless another is asked for: one false alarm in a billion comparisons, if the model is right."""

_SMALL = 1_000_000
"""Samples times parameters, up to which the worst case is derived too. It is the smaller one where few roundings come
together: in networks of a few units, and in the outputs of one layer. Beyond, it costs time and is hardly ever."""

_FIRST_TRIALS, _MOST_FIRST, _ROWS = 2, 8, 64
"""A few trials show whether errors reinforce each other; of few samples more, up to so many rows. Where one sample has
errors ten times those of the model, each of them shows it with probability ½."""

_MORE_TRIALS = 64
"""Of so many, a variance is known to a sixth."""

_EXPECTED = 1e-2
"""A trial that the model expects less often than this refutes it; more trials are then drawn, which costs only time."""

T = TypeVar("T")


class Question(NamedTuple):
    """What an implementation of some precision is asked: its numbers are those of its storage format."""

    network: Network
    w: FloatArray
    x: FloatArray
    labels: FloatArray
    precision: Precision
    rounded: dict[str, int]
    """How many of the given numbers were not, by name."""


class Block(NamedTuple):
    """What the bounds say of a parameter's gradient, or of another field.

    Attributes
    ----------
    name
        ``"outputs"``, ``"loss"``, ``"input_gradient"``, or the name of a parameter.
    elements
        How many.
    decided
        How many of them are larger than their bound, or exactly zero where no rounding happens; of the others, nothing
        is known to the sign.
    says_something
        Whether zeros in place of the block would be noticed; or all is exactly zero, where no rounding happens.
    relative
        The median of bound over size.
    """

    name: str
    elements: int
    decided: int
    says_something: bool
    relative: float


class Tolerances(NamedTuple):
    """Tolerances for a test that must keep such: abs(actual − expected) ≤ atol + rtol·abs(expected).

    Attributes
    ----------
    rtol, atol
        The smallest that cover every bound: of all pairs that do, the one that allows the least on average.
    zeros
        The share of the elements for which zeros would pass. What it is where each has a bound of its own, say the
        blocks.
    """

    rtol: float
    atol: float
    zeros: float


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tolerance:
    """Bounds on how far an honest implementation may be from the truth.

    Attributes
    ----------
    outputs : (N, outputs)
    loss : float
    gradient : (P,)
    input_gradient : (N, inputs)
        For each element, the bound; infinite where nothing can be said, as where the format may overflow.
    precision
        The implementation that is meant.
    failure_probability
        With which an honest one exceeds any of the bounds, under the model.
    values
        The four fields as float64 computes them.
    deviations
        The standard deviation of the error of an honest implementation, under the model; the effects of rounded
        constants and the means of errors, which the bounds hold besides, are not in it.
    independent
        Whether the trials agreed with taking errors as independent; if not, the variance is what trials show.
    question
        The network and the batch, with numbers rounded to the storage format.
    """

    outputs: FloatArray
    loss: float
    gradient: FloatArray
    input_gradient: FloatArray
    precision: Precision
    failure_probability: float
    values: Evaluation[FloatArray, FloatArray]
    deviations: Evaluation[FloatArray, FloatArray]
    independent: bool
    question: Question

    @property
    def bounds(self) -> Evaluation[FloatArray, FloatArray]:
        """The four fields as one record."""
        return Evaluation(self.outputs, np.asarray(self.loss), self.gradient, self.input_gradient)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What the bounds say of each field, and of the gradient of each parameter."""
        network = self.question.network
        bounds, values = blocks(network, self.bounds), blocks(network, self.values)
        return tuple(block(name, bound, values[name]) for name, bound in bounds.items() if bound.size)

    @property
    def decided(self) -> float:
        """The share of elements of the gradient that are larger than their bound, or zero where nothing is rounded."""
        return float(np.mean(is_decided(self.gradient, self.values.gradient))) if self.gradient.size else 1.0

    def __repr__(self) -> str:
        """In short."""
        return f"<Tolerance: bounds for {self.precision}; {self.decided:.1%} of the gradient decided>"

    def __str__(self) -> str:
        """A table of the blocks."""
        lines = [
            f"bounds for {self.precision}, exceeded with probability {self.failure_probability:g} at most",
            f"{'':16}{'elements':>9}{'decided':>9}{'bound/size':>12}",
        ]
        for b in self.blocks:
            said = "" if b.says_something else "  zeros would pass"
            relative = ">1" if b.relative > 1 else f"{b.relative:.1e}"
            lines.append(f"{b.name:16}{b.elements:9}{b.decided / b.elements:9.1%}{relative:>12}{said}")
        lines.append(
            "decided: larger than its bound, so that zeros would be noticed, or exactly 0; bound/size: the median"
        )
        if not self.independent:
            lines.append("errors reinforce each other here: variances are those of trials")
        return "\n".join(lines)

    def parameters(self, *, learning_rate: float, rule: Rule[Any] | None = None) -> FloatArray:
        """Bounds for the parameters after one step, w − η∇L(w).

        Parameters
        ----------
        learning_rate
            η.
        rule
            The update rule; `GradientDescent()` if none is given. The step is its first.

        Returns
        -------
        (P,)

        Raises
        ------
        SettingError
            If the learning rate is not positive, or the rule is none.
        DivergenceError
            If a parameter leaves the range of float64.

        Examples
        --------
        >>> import refnn
        >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
        >>> budget = refnn.tolerance(network, [2.0, 1.0], [[3.0]], [[5.0]], precision="float32")
        >>> bool((budget.parameters(learning_rate=0.125) < 1e-6).all())
        True
        """
        positive("learning_rate", learning_rate)
        update = GradientDescent() if rule is None else rule
        instance("rule", update, ("initial_state", "step"), "Pass refnn.GradientDescent()")
        w = RoundedArray.exact(self.question.w, self.precision)
        gradient = RoundedArray(self.values.gradient, self.gradient, self.precision)

        def step() -> FloatArray:
            return update.step(update.initial_state(w), w, gradient, learning_rate)[1].error

        return representable("the step", step, remedy="Pass a smaller learning rate, or scale parameters or data")

    def as_tolerances(self, name: str = "gradient") -> Tolerances:
        """The smallest relative and absolute tolerance that cover every bound of a field.

        Parameters
        ----------
        name
            ``"outputs"``, ``"loss"``, ``"gradient"``, ``"input_gradient"``, or the name of a parameter.

        Returns
        -------
        Tolerances

        Raises
        ------
        SettingError
            If there is no such field, or one of its bounds is infinite.

        Notes
        -----
        The pairs that cover all bounds b of sizes s, b ≤ atol + rtol·s, are those of lines above all points (s, b); the
        one that allows the least on average is the side of the upper convex hull above the mean size.
        """
        network = self.question.network
        bounds = {**blocks(network, self.bounds), "gradient": self.gradient}
        values = {**blocks(network, self.values), "gradient": self.values.gradient}
        if not isinstance(name, str) or name not in bounds or not bounds[name].size:
            raise SettingError(f"name is {shown(name)}", "there are no such bounds", f"Pass one of {', '.join(bounds)}")
        bound, size = bounds[name].ravel(), np.abs(values[name]).ravel()
        if not np.isfinite(bound).all():
            raise SettingError(
                f"{np.count_nonzero(np.isinf(bound))} bounds of {name} are infinite",
                "no finite tolerance covers them",
                "Ask about a wider format or smaller numbers",
            )
        rtol, atol = _line_above(size, bound)
        return Tolerances(rtol, atol, float(np.mean(size * (1 - rtol) <= atol)))


def tolerance(
    network: Network,
    w: ArrayLike | Mapping[str, Any],
    x: ArrayLike,
    y: ArrayLike,
    *,
    precision: PrecisionLike,
    failure_probability: float = FAILURE_PROBABILITY,
) -> Tolerance:
    """How far an honest implementation may be from the truth, for each output, the loss and each gradient.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.Network.loss`; w by the names of parameters too. An implementation begins with these numbers
        rounded to its storage format, and so do the bounds, and the truth that they speak about.
    precision
        ``"float64"``, ``"float32"``, ``"bfloat16"``, ``"float16"``, a dtype of these, or a `refnn.Precision`.
    failure_probability
        With which an honest implementation may exceed any one of all these bounds, under the model.

    Returns
    -------
    Tolerance

    Raises
    ------
    ShapeError, DTypeError, NonFiniteError, TargetError
        If an argument does not fit, or leaves the range of the storage format.
    SettingError
        If the precision is not modelled, or the probability is none.
    DivergenceError
        If a number of the computation leaves the range of float64.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(2, 3), refnn.Tanh(), refnn.Dense(3, 1), loss=refnn.SquaredError())
    >>> w = network.initial_parameters(rng=0)
    >>> budget = refnn.tolerance(network, w, [[1.0, 2.0]], [[0.5]], precision="float32")
    >>> bool((budget.gradient < 1e-4 * abs(budget.values.gradient)).all())
    True
    """
    question = asked(network, w, x, y, precision_named(precision))
    return derive(question, checked_probability(failure_probability))


def checked_probability(failure_probability: float) -> float:
    """A probability, neither 0 nor 1; a `SettingError` if it is none."""
    if not 0 < number("failure_probability", failure_probability) < 1:
        raise SettingError(
            f"failure_probability is {shown(failure_probability)}",
            "it is a probability, and 0 would allow any error",
            "Pass a number between 0 and 1",
        )
    return float(failure_probability)


def asked(
    network: Network, w: ArrayLike | Mapping[str, Any], x: ArrayLike, y: ArrayLike, precision: Precision
) -> Question:
    """The question that an implementation of this precision is asked: all numbers rounded to its storage format.

    Parameters
    ----------
    network, w, x, y
        As for `tolerance`, in arrays of any library.
    precision
        The implementation.

    Returns
    -------
    Question

    Raises
    ------
    ShapeError, DTypeError, NonFiniteError, TargetError, SettingError
        If an argument does not fit, or leaves the range of the storage format.
    """
    instance("network", network, ("unpack", "differentiate"), "Pass a refnn.Network")
    named = by_name("w", w, network.names())
    if named is not None:
        w = network.pack({name: widened(f"w[{name!r}]", part).values for name, part in named.items()})
    given_y = widened("y", y)
    classes = given_y.format is None  # integers stay what they are
    batched = batch(network, widened("w", w).values, widened("x", x).values, y if classes else given_y.values)
    checked = dict(zip(("w", "x", "y"), batched, strict=True))
    stored = {name: precision.format.nearest(array.astype(np.float64)) for name, array in checked.items()}
    for name, array in stored.items():
        if not np.isfinite(array).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise NonFiniteError(
                f"{name}[{', '.join(map(str, place))}] is {checked[name][place]}",
                f"the largest number of {precision.storage} is {precision.format.largest:g}",
                "Scale the data, or ask about a wider format",
            )
    changed = {name: int(np.count_nonzero(array != checked[name])) for name, array in stored.items()}
    return Question(network, stored["w"], stored["x"], stored["y"], precision, changed)


def derive(question: Question, failure_probability: float) -> Tolerance:
    """The bounds."""
    network, w, x, labels, precision, _ = question
    elements = network.size + x.size + labels.size + 1
    # each bound is of roundings and of kinks; and what is taken of hidden units' errors on the way holds as often
    hidden = len(x) * sum(layer.outputs or 0 for layer in network.layers)
    log_odds = math.log(4 * (elements + hidden) / failure_probability)
    spread = _spread(question, log_odds, min(max(_ROWS // len(x), _FIRST_TRIALS), _MOST_FIRST))
    independent = not any(map(_refuted, spread))
    if not independent:
        spread = _spread(question, log_odds, _MORE_TRIALS, reinforced=True)
        spread = Evaluation(*(_as_tried(part, log_odds) for part in spread))
    bounds = Evaluation(*(part.bound for part in spread))
    if len(x) * network.size <= _SMALL:
        worst = answer(network, RoundedArray.exact(w, precision), RoundedArray.exact(x, precision), labels)
        bounds = Evaluation(*(np.fmin(bound, part.error) for bound, part in zip(bounds, worst, strict=True)))
    values = Evaluation(*(part.value for part in spread))
    return Tolerance(
        bounds.outputs,
        float(bounds.loss),
        bounds.gradient,
        bounds.input_gradient,
        precision,
        failure_probability,
        values,
        Evaluation(*(part.standard_deviation for part in spread)),
        independent,
        question,
    )


def _spread(
    question: Question, log_odds: float, trials: int, *, reinforced: bool = False
) -> Evaluation[SpreadArray, SpreadArray]:
    network, w, x, labels, precision, _ = question
    np.empty(_KEPT)  # and given back at once
    begun = SpreadArray.exact(x, precision, log_odds, (x,) * trials, reinforced)
    return answer(network, SpreadArray.exact(w, precision, log_odds, (w,) * trials, reinforced), begun, labels)


_KEPT = 31 * 2**17
"""How many floats are asked for and given back before, so that glibc keeps the memory of arrays up to that size, 31
MiB, for the next ones, and does not return it to the system each time: a sixth of the time (mallopt(3): the threshold
for mmap follows what is freed). Elsewhere it does nothing; the memory is never touched."""


def _refuted(part: SpreadArray) -> bool:
    """Whether a trial goes where the model does not expect it."""
    if part.noise is None or not part.trials:
        return False
    variance = part.noise.itself
    with np.errstate(over="ignore"):  # of a variance below the range of what is asked
        scale = np.divide(1, variance, where=(variance > 0) & np.isfinite(variance), out=np.zeros(part.shape))
    draws = len(part.trials) * np.count_nonzero(scale)
    if draws == 0:
        return False
    limit = 2 * math.log(2 * draws / _EXPECTED)
    with np.errstate(all="ignore"):
        squares = _deviations(part, part.noise)
        return not all(np.max(np.multiply(square, scale, out=square)) <= limit for square in squares)


def _deviations(part: SpreadArray, noise: Noise) -> Iterator[FloatArray]:
    """The square of how far each trial is off beyond the mean, without the magnification; the mean counts twice."""
    for trial in part.trials:
        off = np.asarray(trial - part.value)
        if noise.mean is not None:
            np.abs(off, out=off)
            off -= noise.mean * part.magnified
            np.maximum(off, 0, out=off)
        off *= 1 / part.magnified
        off *= off
        yield off


def _as_tried(part: SpreadArray, log_odds: float) -> SpreadArray:
    """With the variance that many trials show, where that is more than the model's.

    The mean square of T trials is the variance times χ²/T, which may be small by chance. For the square of a normal
    error to exceed 2λc times that with a probability of exp(−λ), as for a known variance, E exp(−λcχ²/T), which is
    (1 + 2λc/T)^(−T/2), has to be that small: c = T/(2λ)·(exp(2λ/T) − 1).
    """
    if part.noise is None or not part.trials:
        return part
    trials = len(part.trials)
    unsure = trials / (2 * log_odds) * math.expm1(2 * log_odds / trials)
    with np.errstate(all="ignore"):
        seen = sum(_deviations(part, part.noise)) / trials
        variance = np.maximum(unsure * seen, part.noise.itself)
    return SpreadArray(
        part.value, part.precision, part.log_odds, Noise(variance, mean=part.noise.mean), part.flips, part.moved
    )


# ----------------------------------------------------------------------------------------------------- what bounds say


def ratios(error: FloatArray, bound: FloatArray) -> FloatArray:
    """Each |error|/bound: infinite if the error is no number, but 0 where the bound is infinite, whatever is there."""
    with np.errstate(all="ignore"):
        found = np.where((error == 0) | (bound == np.inf), 0, np.abs(error) / bound)
    return np.where(np.isnan(found), np.inf, found)


def is_decided(bound: FloatArray, value: FloatArray, certain: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Of which elements something is known: they are larger than their bound, or exactly zero.

    Parameters
    ----------
    bound, value
        How far an honest implementation may be from the truth, and the truth; after a step, the truth less the old
        values, in whose place no step would be noticed.
    certain
        Where the truth is known without any error, so that a zero is one; where no rounding happens, if none is given.
    """
    return _larger(bound, value) | _zero(bound, value, certain)


def says_something(bound: FloatArray, value: FloatArray, certain: NDArray[np.bool_] | None = None) -> bool:
    """Whether zeros in place of all elements would be noticed, or are exactly right; arguments as for `is_decided`."""
    return bool(_larger(bound, value).any() or _zero(bound, value, certain).all())


def _larger(bound: FloatArray, value: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(np.abs(value) > bound)


def _zero(bound: FloatArray, value: FloatArray, certain: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    return np.asarray((value == 0) & (bound == 0 if certain is None else certain & (bound < np.inf)))


def block(name: str, bound: FloatArray, value: FloatArray) -> Block:
    """What the bounds of a block say."""
    decided = int(np.count_nonzero(is_decided(bound, value)))
    with np.errstate(all="ignore"):
        relative = float(np.median(np.where(bound == 0, 0, bound / np.abs(value))))
    return Block(name, bound.size, decided, says_something(bound, value), relative)


def _line_above(size: FloatArray, bound: FloatArray) -> tuple[float, float]:
    """The slope and the height at 0, neither below 0, of the line above all points that is lowest at the mean size."""
    middle = float(size.mean())
    hull: list[tuple[float, float]] = []
    for s, b in sorted(zip(size.tolist(), bound.tolist(), strict=True)):
        while len(hull) > 1 and _turns_left(hull[-2], hull[-1], (s, b)):
            hull.pop()
        hull.append((s, b))
    right = next(k for k, (s, _) in enumerate(hull) if s >= middle or k == len(hull) - 1)
    (s0, b0), (s1, b1) = hull[max(right - 1, 0)], hull[right]
    slope = max((b1 - b0) / (s1 - s0), 0.0) if s1 > s0 else 0.0
    height = float(np.max(bound - slope * size))
    if height < 0:
        height, slope = 0.0, float(np.max(bound / size))
    rtol, atol = (math.nextafter(v * (1 + 2.0**-40), math.inf) if v else 0.0 for v in (slope, height))
    return rtol, atol


def _turns_left(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) >= (b[1] - a[1]) * (c[0] - a[0])
