"""Comparison: whether somebody's answer to a question agrees with the truth, as far as its precision allows.

Each given number is held against the truth within its own bound (`refnn.oracle.budget`). A part of the answer (the
outputs, the loss, the gradient of a parameter) for which zeros would pass too says nothing, and is called undecided.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike

from refnn.arithmetic.precision import Precision, PrecisionLike, precision_named
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray
from refnn.checks import instance, shown
from refnn.errors import DTypeError, SettingError, ShapeError
from refnn.network import Evaluation, Network
from refnn.oracle.budget import FAILURE_PROBABILITY, MODEL, Question, Tolerance, asked, checked_probability, derive
from refnn.oracle.foreign import Foreign, common_format, widened
from refnn.oracle.questions import answer
from refnn.rules import GradientDescent, Rule

__all__ = ["Compared", "Comparison", "Element", "Verdict", "compare"]

Verdict: TypeAlias = Literal["agrees", "disagrees", "undecided"]

_CHEAP = 20_000_000
"""Samples times parameters, up to which the truth is exact: about a second."""


class Element(NamedTuple):
    """One number of an answer.

    Attributes
    ----------
    place
        Where it is in its part.
    actual, expected
        What was given, and the truth.
    bound
        How far an honest implementation may be from it.
    """

    place: tuple[int, ...]
    actual: float
    expected: float
    bound: float

    def __str__(self) -> str:
        """The number, the truth, and how far apart they may be."""
        where = f"[{', '.join(map(str, self.place))}]" if self.place else ""
        said = f"{where} is {self.actual!r}, expected {self.expected!r}"
        error = abs(self.actual - self.expected)
        if not math.isfinite(error):
            return f"{said}, give or take {self.bound:.3g}"
        return f"{said}: off by {error:.3g}, where {self.bound:.3g} is allowed"


class Compared(NamedTuple):
    """What is said of a part of the answer.

    Attributes
    ----------
    name
        ``"outputs"``, ``"loss"``, ``"input_gradient"``, the name of a parameter for its gradient, or ``"new "`` and
        that name for its value after a step.
    verdict
        ``"disagrees"`` if a number is out of its bound; ``"undecided"`` if zeros would pass in place of the part (or,
        after a step, the old values), and they are not exactly right; else ``"agrees"``.
    elements, decided
        How many numbers there are, and of how many something is known: they are larger than their bounds, or exactly
        zero.
    ratio
        The largest |error|/bound.
    worst
        The number that has it.
    """

    name: str
    verdict: Verdict
    elements: int
    decided: int
    ratio: float
    worst: Element


@final
@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What `refnn.compare` found.

    Attributes
    ----------
    verdict
        ``"disagrees"`` if a part of the answer does, else ``"undecided"`` if a part is, else ``"agrees"``.
    parts
        What is said of each part.
    precision
        The implementation that is allowed for.
    failure_probability
        With which an honest one is found to disagree.
    reference
        What the truth is: ``"exact"``, or ``"float64"`` with a bound of its own, added to the others.
    rounded
        How many of the numbers of w, x and y were rounded to the storage format, by name.
    """

    verdict: Verdict
    parts: tuple[Compared, ...] = field(repr=False)
    precision: Precision
    failure_probability: float
    reference: Literal["exact", "float64"]
    rounded: dict[str, int] = field(repr=False)

    @property
    def worst_ratio(self) -> float:
        """The largest |error|/bound of all."""
        return self.worst.ratio

    @property
    def worst(self) -> Compared:
        """The part that has it."""
        return max(self.parts, key=lambda part: part.ratio)

    def __bool__(self) -> NoReturn:
        raise SettingError(
            "a comparison was used as true or false",
            "there are three verdicts, and undecided is neither",
            'Ask whether report.verdict == "agrees", or call report.require()',
        )

    def require(self) -> None:
        """Do nothing if the verdict is ``"agrees"``.

        Raises
        ------
        AssertionError
            With the whole report, if it is another.
        """
        if self.verdict != "agrees":
            raise AssertionError(str(self))

    def __str__(self) -> str:
        """The verdict, the worst number, and a table of the parts."""
        return "\n".join([*self._head(), "", *self._table(), "", *self._foot()])

    def _head(self) -> list[str]:
        worst = self.worst
        if self.verdict == "disagrees":
            if math.isfinite(worst.ratio):
                how = f"is off by {worst.ratio:.3g} times its bound"
            else:
                how = "is off where no rounding happens" if math.isfinite(worst.worst.actual) else "is not finite"
            return [f"disagrees: {worst.name} {how}", f"  {worst.name}{worst.worst}"]
        if self.verdict == "undecided":
            unknown = ", ".join(part.name for part in self.parts if part.verdict == "undecided")
            return [f"undecided: nothing is said of {unknown}, where zeros (or no step) would pass too"]
        return [f"agrees: the largest error is {worst.ratio:.2g} of its bound, in {worst.name}"]

    def _table(self) -> list[str]:
        width = max(len(part.name) for part in self.parts)
        lines = [f"  {'':{width}}  numbers  decided  error/bound"]
        for part in self.parts:
            numbers = f"{part.elements:>7}  {part.decided / part.elements:>7.1%}  {part.ratio:>11.3g}"
            lines.append(f"  {part.name:{width}}  {numbers}  {part.verdict}")
        return lines

    def _foot(self) -> list[str]:
        truth = "the truth is exact" if self.reference == "exact" else "the truth is float64, whose own bound is added"
        changed = ", ".join(f"{count} of {name}" for name, count in self.rounded.items() if count)
        return [
            f"bounds for {self.precision}; {truth}",
            f"an honest implementation disagrees with probability {self.failure_probability:g} at most (model {MODEL})",
            *([f"numbers rounded to {self.precision.storage} first: {changed}"] if changed else []),
        ]


def compare(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    outputs: object = None,
    loss: object = None,
    gradient: object = None,
    input_gradient: object = None,
    parameters: object = None,
    learning_rate: float | None = None,
    rule: Rule[Any] | None = None,
    precision: PrecisionLike | None = None,
    failure_probability: float = FAILURE_PROBABILITY,
) -> Comparison:
    """Hold an answer, or a part of one, against the truth, each number within its own bound.

    Parameters
    ----------
    network, w, x, y
        The question, as for `refnn.Network.loss`. Implementations begin with numbers in their storage format, so w, x
        and y are rounded to it first; the report says of how many that is true.
    outputs : (N, outputs)
    loss
    gradient : (P,)
        As a vector in the order of w, or a mapping of parameters' names to arrays in their shapes.
    input_gradient : (N, inputs)
        What was computed; any of these. Arrays of NumPy, PyTorch, JAX, CuPy or nested lists, on any device.
    parameters : (P,)
        The parameters after one step, as a vector or by name; with a learning rate.
    learning_rate, rule
        Those of the step; w − η∇L(w) unless another rule is given.
    precision
        ``"float64"``, ``"float32"``, ``"bfloat16"``, ``"float16"``, a dtype of these, or a `refnn.Precision`. If none
        is given, it is that of the arrays.
    failure_probability
        With which an honest implementation may be found to disagree, under the model.

    Returns
    -------
    Comparison

    Raises
    ------
    SettingError
        If nothing is given to compare, no precision is known, or a learning rate is missing.
    DTypeError
        If the arrays are of a precision that is not modelled, of several, or of another than is said.
    ShapeError, NonFiniteError, TargetError
        If an argument does not fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    >>> w, x, y = [0.1, 0.2, 0.3], [[1.0, 2.0]], [[0.5]]
    >>> mine = np.array([0.3, 0.6, 0.3], np.float32)
    >>> refnn.compare(network, w, x, y, gradient=mine).verdict
    'agrees'
    """
    instance("network", network, ("unpack", "differentiate"), "Pass a refnn.Network")
    given = _given(network, outputs, loss, gradient, input_gradient, parameters)
    if not given:
        raise SettingError(
            "there is nothing to compare",
            "outputs, loss, gradient, input_gradient and parameters are all None",
            "Pass at least one of them",
        )
    if "parameters" not in given and rule is not None:
        raise SettingError(
            f"rule is {shown(rule)}, and parameters are None",
            "a rule makes a step, and only parameters are compared after one",
            "Pass the parameters after the step and its learning rate, or leave out the rule",
        )
    if ("parameters" in given) != (learning_rate is not None):
        raise SettingError(
            f"learning_rate is {shown(learning_rate)}, parameters are {'given' if 'parameters' in given else 'None'}",
            "parameters are compared after a step, which has a learning rate",
            "Pass both, or neither",
        )
    chosen = _precision(precision, {name: array.format for name, array in given.items()})
    question = asked(network, w, x, y, chosen)
    _fit(question, given)
    if not any(array.values.size for array in given.values()):
        raise SettingError(
            f"{', '.join(given)} {'is' if len(given) == 1 else 'are'} empty",
            "the network has no parameters, so there is nothing to compare",
            "Pass outputs, loss or input_gradient",
        )
    budget = derive(question, checked_probability(failure_probability))
    truth = expect(budget, rule=GradientDescent() if rule is None else rule, learning_rate=learning_rate)
    return truth.judge({name: array.values for name, array in given.items()})


# ------------------------------------------------------------------------------------------------------ what was given


def _given(
    network: Network, outputs: object, loss: object, gradient: object, input_gradient: object, parameters: object
) -> dict[str, Foreign]:
    """What was given, as exact numbers and with the formats that it was given in."""
    plain = {"outputs": outputs, "loss": loss, "input_gradient": input_gradient}
    given = {name: widened(name, value) for name, value in plain.items() if value is not None}
    for name, value in (("gradient", gradient), ("parameters", parameters)):
        if isinstance(value, Mapping):
            given[name] = _packed(network, name, value)
        elif value is not None:
            given[name] = widened(name, value)
    return given


def _packed(network: Network, name: str, by_name: Mapping[Any, object]) -> Foreign:
    """A vector, from arrays by the names of parameters."""
    expected = network.names()
    if by_name.keys() != expected.keys():
        missing = ", ".join(key for key in expected if key not in by_name) or "nothing"
        unknown = ", ".join(map(shown, by_name.keys() - expected.keys())) or "nothing"
        raise SettingError(
            f"{name} lacks {missing} and has {unknown} besides",
            f"the parameters of this network are {', '.join(expected) or 'none'}",
            "Pass exactly one array for each, or a vector",
        )
    arrays = {str(key): widened(f"{name}[{key!r}]", value) for key, value in by_name.items()}
    kind = common_format({f"{name}[{key!r}]": array.format for key, array in arrays.items()})
    return Foreign(network.pack({key: array.values for key, array in arrays.items()}), kind)


def _precision(precision: PrecisionLike | None, formats: Mapping[str, str | None]) -> Precision:
    """The precision that is asked for, unless it contradicts the arrays; theirs, if none is."""
    found = common_format(formats)
    if precision is None:
        if found is None:
            raise SettingError(
                "precision is None",
                f"{', '.join(formats)} carry none: Python's numbers and integers do not say how they were computed",
                "Pass precision='float32', say",
            )
        return precision_named(found)
    chosen = precision_named(precision)
    if found is not None and found != chosen.storage:
        name = next(name for name, kind in formats.items() if kind is not None)
        raise DTypeError(
            f"{name} is {found} and precision is {chosen.storage}",
            "an implementation answers in its storage format",
            f"Leave out the precision, or pass {name} as it was computed (or .tolist(), which carries no format)",
        )
    return chosen


def _fit(question: Question, given: dict[str, Foreign]) -> None:
    """Refuse what has another shape than the answer; a single number or column may have fewer axes."""
    size = (question.network.size,)
    shapes = {
        "outputs": question.labels.shape,
        "loss": (),
        "gradient": size,
        "input_gradient": question.x.shape,
        "parameters": size,
    }
    for name, (values, kind) in given.items():
        shape = shapes[name]
        fits = values.shape == shape or (values.size == 1 and shape == ()) or (*values.shape, 1) == shape
        if not fits:
            raise ShapeError(
                f"{name} has shape {values.shape}, expected {shape}",
                "that is the shape of the answer to this question"
                + ("; PyTorch's weights are transposed" if shape == size else ""),
                f"Pass {name} as an array of that shape"
                + (", or a mapping of parameters' names to arrays" if shape == size else ""),
            )
        given[name] = Foreign(values.reshape(shape), kind)


# ----------------------------------------------------------------------------------------------------- what is expected


@final
@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """The truth about a question and how far an answer may be from it, to judge any number of answers.

    Attributes
    ----------
    budget
        The bounds that were derived, and the question.
    values, bounds
        For each part of an answer the truth, and the bounds with what the truth itself may be off by.
    rest
        What was rounded off of the truth, if it is exact.
    reference
        What the truth is.
    """

    budget: Tolerance
    values: Mapping[str, FloatArray]
    bounds: Mapping[str, FloatArray]
    rest: Mapping[str, FloatArray]
    reference: Literal["exact", "float64"]

    def judge(self, found: Mapping[str, FloatArray]) -> Comparison:
        """Hold fields of an answer, in their shapes, against the truth."""
        question = self.budget.question
        old = {f"new {name}": array for name, array in question.network.unpack(question.w).items()}
        parts = [
            _compared(name, actual, self.values[name], self.rest.get(name), self.bounds[name], old.get(name))
            for name, actual in _by_part(question.network, found).items()
            if actual.size
        ]
        probability = self.budget.failure_probability
        return Comparison(
            _verdict(parts), tuple(parts), question.precision, probability, self.reference, question.rounded
        )


def expect(budget: Tolerance, *, rule: Rule[Any], learning_rate: float | None) -> Expectation:
    """The truth about the question of a budget; exact, where that is cheap."""
    network, w, x, labels, precision, _ = budget.question
    bounds = _by_part(network, budget.bounds._asdict())
    if learning_rate is not None:
        after = budget.parameters(learning_rate=learning_rate, rule=rule)
        bounds |= _by_part(network, {"parameters": after})
    if len(x) * max(network.size, x.shape[1]) <= _CHEAP and importlib.util.find_spec("flint") is not None:
        from refnn.oracle.formats import format_named
        from refnn.oracle.truth import truth_of, update_of

        to = format_named("float64")
        truth = truth_of(network, w, x, labels, to)
        values = {name: np.asarray(getattr(truth, name)) for name in Evaluation._fields}
        rest = {name: _rounded_off(ball, values[name]) for name, ball in truth.enclosures._asdict().items()}
        if learning_rate is not None:
            update = update_of(network, w, x, labels, rule, learning_rate, to)
            values["parameters"], rest["parameters"] = update.value, _rounded_off(update.enclosure, update.value)
        return Expectation(budget, _by_part(network, values), bounds, _by_part(network, rest), "exact")
    own = answer(network, RoundedArray.exact(w), RoundedArray.exact(x), labels)
    values, errors = (
        {name: getattr(part, kind) for name, part in own._asdict().items()} for kind in ("value", "error")
    )
    if learning_rate is not None:
        start = RoundedArray.exact(w)
        stepped = rule.step(rule.initial_state(start), start, own.gradient, learning_rate)[1]
        values["parameters"], errors["parameters"] = stepped.value, stepped.error
    # refnn's own floats are an honest implementation of float64 too
    own_bounds = bounds if precision.storage == "float64" else _by_part(network, errors)
    bounds = {name: bound + own_bounds[name] for name, bound in bounds.items()}
    return Expectation(budget, _by_part(network, values), bounds, {}, "float64")


def _rounded_off(balls: Any, values: FloatArray) -> FloatArray:
    """What is between real numbers and the floats that they round to, as floats; 0 where these are infinite."""
    finite = np.where(np.isfinite(values), values, 0)
    rest: FloatArray = (balls - balls.exact(finite)).midpoint
    return np.where(np.isfinite(values) & np.isfinite(rest), rest, 0)


def _by_part(network: Network, fields: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Fields by the parts of which something is said: the gradient, and new parameters, by the names of parameters."""
    parts: dict[str, FloatArray] = {}
    for name, array in fields.items():
        if name == "gradient":
            parts |= network.unpack(array)
        elif name == "parameters":
            parts |= {f"new {key}": part for key, part in network.unpack(array).items()}
        else:
            parts[name] = array
    return parts


# ------------------------------------------------------------------------------------------------------- what is found


def _compared(
    name: str,
    actual: FloatArray,
    expected: FloatArray,
    rest: FloatArray | None,
    bound: FloatArray,
    old: FloatArray | None,
) -> Compared:
    """What is said of a part, whose trivial answer is zero, or after a step the old values.

    Without `rest`, the truth is float64, and what is zero there is known to be zero only where no rounding happens.
    """
    certain = np.asarray(bound == 0 if rest is None else np.True_)
    rest = np.zeros(()) if rest is None else rest
    with np.errstate(all="ignore"):
        error = np.abs(actual - expected - rest)
        ratios = np.where(error == 0, 0, error / bound)
        ratios = np.where(np.isnan(ratios), np.inf, ratios)
    ratios = np.where(bound == np.inf, 0, ratios)  # where nothing can be said, nothing is
    distance = np.abs((expected if old is None else expected - old) + rest)
    place = tuple(int(i) for i in np.unravel_index(int(np.argmax(ratios)), ratios.shape))
    ratio = float(ratios[place])
    right = (distance == 0) & certain
    decided = (distance > bound) | right
    trivial = not (distance > bound).any() and not right.all()
    verdict: Verdict = "disagrees" if ratio > 1 else "undecided" if trivial else "agrees"
    worst = Element(place, float(actual[place]), float(expected[place]), float(bound[place]))
    return Compared(name, verdict, actual.size, int(np.count_nonzero(decided)), ratio, worst)


def _verdict(parts: list[Compared]) -> Verdict:
    verdicts = {part.verdict for part in parts}
    return "disagrees" if "disagrees" in verdicts else "undecided" if "undecided" in verdicts else "agrees"
