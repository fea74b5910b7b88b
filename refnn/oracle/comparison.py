"""Comparison: whether somebody's answer to a question agrees with the truth, as far as its precision allows.

Each given number is held against the truth within its own bound (`refnn.oracle.budget`). A part of the answer (the
outputs, the loss, the gradient of a parameter) for which zeros would pass too says nothing, and is called undecided.
Where a bound is infinite, as where the format may overflow, any number is let through, and is counted.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnn.arithmetic.precision import Precision, PrecisionLike, precision_named
from refnn.arrays import FloatArray
from refnn.checks import instance, representable, shown
from refnn.errors import DTypeError, SettingError, ShapeError
from refnn.network import Evaluation, Network
from refnn.oracle.budget import (
    FAILURE_PROBABILITY,
    MODEL,
    Question,
    Tolerance,
    asked,
    checked_probability,
    derive,
    is_decided,
    ratios,
    says_something,
)
from refnn.oracle.foreign import by_name, common_format, widened
from refnn.rules import GradientDescent, Rule

__all__ = [
    "Compared",
    "Comparison",
    "Element",
    "Expectation",
    "Judged",
    "Part",
    "Reference",
    "Verdict",
    "compare",
    "expect",
    "fitted",
    "parts_of",
]

Verdict: TypeAlias = Literal["agrees", "disagrees", "undecided"]

Reference: TypeAlias = Literal["exact", "float64"]

_CHEAP = 20_000_000
"""Samples times parameters, up to which the truth is exact: some seconds."""

_BITS = 256
"""So many bits the truth may take. What they leave unknown is added to its bound, and is far below it, but for a unit
that may stand on its kink, where more bits hardly ever help: the 4096 of `refnn.exact` take six times as long there,
which for a large network is minutes."""

_NOTHING = 2.0**-60
"""Of a bound, less than this is below what an implementation can hold beside it, whatever its format: float64 has 53
bits. Cancelling to 0 with 256 bits, balls are 2**-200 of it; at a kink they are as large as the jump."""


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
    elements, decided, unbounded
        How many numbers there are; of how many something is known: they are larger than their bounds (after a step, by
        more than their bounds from the old values), or the truth is exactly zero; and how many have an infinite bound,
        so that anything passes.
    ratio
        The largest |error|/bound.
    worst
        The number that has it.
    transposed
        Whether it disagrees, and its transpose would be within all bounds.
    """

    name: str
    verdict: Verdict
    elements: int
    decided: int
    unbounded: int
    ratio: float
    worst: Element
    transposed: bool


class Judged:
    """What has a verdict, ``"agrees"`` or another: a base of what comparisons and searches find."""

    __slots__ = ()
    verdict: str

    def __bool__(self) -> NoReturn:
        raise SettingError(
            f"a {type(self).__name__.lower()} was used as true or false",
            "there are more than two verdicts, and undecided is neither",
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


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison(Judged):
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
    parts: tuple[Compared, ...]
    precision: Precision
    failure_probability: float
    reference: Reference
    rounded: dict[str, int]

    @property
    def worst_ratio(self) -> float:
        """The largest |error|/bound of all."""
        return self.worst.ratio

    @property
    def worst(self) -> Compared:
        """The part that has it."""
        return max(self.parts, key=lambda part: part.ratio)

    def __repr__(self) -> str:
        """The verdict and the worst part."""
        return f"<Comparison: {self._head()[0]}>"

    def __str__(self) -> str:
        """The verdict, the worst number, and a table of the parts."""
        return "\n".join([*self._head(), "", *self._table(), "", *self._foot()])

    def _head(self) -> list[str]:
        return [*self._verdict(), *self._remarks()]

    def _verdict(self) -> list[str]:
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
        where = " where there are bounds" if any(part.unbounded for part in self.parts) else ""
        return [f"agrees{where}: the largest error is {worst.ratio:.2g} of its bound, in {worst.name}"]

    def _remarks(self) -> list[str]:
        lines = [
            f"  the transpose of {part.name} would agree: is yours stored as (outputs, inputs)?"
            for part in self.parts
            if part.transposed
        ]
        unbounded = sum(part.unbounded for part in self.parts)
        if unbounded:
            of_all = f"{unbounded} of {sum(part.elements for part in self.parts)}"
            lines.append(f"  {of_all} {'has' if unbounded == 1 else 'have'} no bound: the format may overflow there")
        return lines

    def _table(self) -> list[str]:
        width = max(len(part.name) for part in self.parts)
        lines = [f"  {'':{width}}  numbers  decided  error/bound"]
        for part in self.parts:
            numbers = f"{part.elements:>7}  {part.decided / part.elements:>7.1%}  {part.ratio:>11.3g}"
            unbounded = f", {part.unbounded} without a bound" if part.unbounded else ""
            lines.append(f"  {part.name:{width}}  {numbers}  {part.verdict}{unbounded}")
        return [
            *lines,
            "  decided: zeros (or no step) would be noticed, or are right; error/bound: the largest, above 1 disagrees",
        ]

    def _foot(self) -> list[str]:
        truth = "the truth is exact" if self.reference == "exact" else "the truth is float64, whose own bound is added"
        changed = ", ".join(f"{count} of {name}" for name, count in self.rounded.items() if count)
        first = f"rounded to {self.precision.storage} first: {changed}; if yours were rounded otherwise, pass those"
        probability = self.failure_probability
        return [
            f"bounds for {self.precision}; {truth}",
            f"an honest implementation disagrees with probability {probability:g} at most, under model {MODEL}",
            *([first] if changed else []),
        ]


def compare(
    network: Network,
    w: ArrayLike | Mapping[str, Any],
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
    reference: Reference | Literal["auto"] = "auto",
) -> Comparison:
    """Hold an answer, or a part of one, against the truth, each number within its own bound.

    Parameters
    ----------
    network, w, x, y
        The question, as for `refnn.Network.loss`; w by the names of parameters too. Implementations begin with numbers
        in their storage format, so w, x and y are rounded to it first; the report says of how many that is true. Pass
        the very numbers where they were rounded otherwise: PyTorch takes float64 to 16 bits by way of float32.
    outputs : (N, outputs)
    loss
    gradient : (P,)
        As a vector in the order of w; as a list of arrays, one for each parameter in that order; or as a mapping of
        parameters' names to arrays in their shapes, of which some will do.
    input_gradient : (N, inputs)
        What was computed; any of these. Arrays of NumPy, PyTorch, JAX, CuPy or nested lists, on any device.
    parameters : (P,)
        The parameters after one step, as those of `gradient`; with a learning rate.
    learning_rate, rule
        Those of the step; w − η∇L(w) unless another rule is given.
    precision
        ``"float64"``, ``"float32"``, ``"bfloat16"``, ``"float16"``, a dtype of these, or a `refnn.Precision`. If none
        is given, it is that of the arrays.
    failure_probability
        With which an honest implementation may be found to disagree, under the model.
    reference
        What the truth is: ``"exact"``, to 128 bits or 256; or ``"float64"``, whose own bound is added to the others, so
        that float64 may be off twice as far, and other formats hardly farther. With ``"auto"`` it is exact while that
        takes some seconds at most, and if python-flint is installed; the report says which it was. For networks of
        thousands of parameters, the bounds take the time of about ten gradients, a truth of float64 hardly any, and an
        exact one that of a hundred to four hundred; for a few units, all takes a hundredth of a second.

    Returns
    -------
    Comparison

    Raises
    ------
    SettingError
        If nothing is given to compare, a name is no parameter's, no precision is known, a learning rate is missing, or
        a setting is of another kind.
    DTypeError
        If the arrays are of a precision that is not modelled, of several, or of another than is said.
    ShapeError, NonFiniteError, TargetError
        If an argument does not fit the network.
    DivergenceError
        If a number of the computation leaves the range of float64.
    MissingExtraError
        If an exact reference is asked for, and python-flint is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    >>> w, x, y = [0.1, 0.2, 0.3], [[1.0, 2.0]], [[0.5]]
    >>> mine = np.array([0.3, 0.6, 0.3], np.float32)
    >>> refnn.compare(network, w, x, y, gradient=mine).verdict
    'agrees'
    >>> refnn.compare(network, w, x, y, gradient={"0.bias": 3 * mine[2:]}).verdict
    'disagrees'
    """
    instance("network", network, ("unpack", "differentiate"), "Pass a refnn.Network")
    answer = {
        "outputs": outputs,
        "loss": loss,
        "gradient": gradient,
        "input_gradient": input_gradient,
        "parameters": parameters,
    }
    answer = {name: value for name, value in answer.items() if value is not None}
    if not answer:
        raise SettingError(
            "there is nothing to compare",
            "outputs, loss, gradient, input_gradient and parameters are all None",
            "Pass at least one of them",
        )
    if parameters is None and rule is not None:
        raise SettingError(
            f"rule is {shown(rule)}, and parameters are None",
            "a rule makes a step, and only parameters are compared after one",
            "Pass the parameters after the step and its learning rate, or leave out the rule",
        )
    if (parameters is None) != (learning_rate is None):
        raise SettingError(
            f"learning_rate is {shown(learning_rate)}, parameters are {'None' if parameters is None else 'given'}",
            "parameters are compared after a step, which has a learning rate",
            "Pass both, or neither",
        )
    given = parts_of(network, answer)
    chosen = _precision(precision, {part.said: part.format for part in given.values()})
    question = asked(network, w, x, y, chosen)
    found = fitted(question, given)
    if not any(values.size for values in found.values()):
        raise _no_number(answer)
    chosen_reference = _chosen(question, reference)
    probability = checked_probability(failure_probability)
    if chosen_reference == "float64":
        probability = probability / 2 or probability  # the other half is for the truth
    update = GradientDescent() if rule is None else rule
    truth = expect(derive(question, probability), rule=update, learning_rate=learning_rate, reference=chosen_reference)
    return truth.judge(found)


# ------------------------------------------------------------------------------------------------------ what was given


class Part(NamedTuple):
    """A part of what was given: what it is called there, its numbers, and the format that they were given in."""

    said: str
    values: FloatArray
    format: str | None


def parts_of(network: Network, answer: Mapping[str, object]) -> dict[str, Part]:
    """What was given, whole fields by their names and others by those of their parts.

    Parameters
    ----------
    network
        That of the question.
    answer
        Any of outputs, loss, gradient, input_gradient and parameters, as `compare` takes them.

    Raises
    ------
    SettingError
        If there is no array at all, or a name is no parameter's.
    DTypeError
        If an array is of a precision that is not modelled.
    """
    given = {}
    for field, value in answer.items():
        parts = by_name(field, value, network.names()) if field in _OF_PARAMETERS else None
        if parts is None:
            given[field] = Part(field, *widened(field, value))
        else:
            for name, array in parts.items():
                said = f"{field}[{name!r}]"
                given[_OF_PARAMETERS[field] + name] = Part(said, *widened(said, array))
    if not given:
        raise _no_number(answer)
    return given


def fitted(question: Question, given: Mapping[str, Part]) -> dict[str, FloatArray]:
    """The numbers of an answer in the shapes that its question gives them.

    Raises
    ------
    ShapeError
        If an array has another shape.
    """
    shapes = _shapes(question)
    return {name: _fitting(part, name, shapes[name]) for name, part in given.items()}


def _no_number(answer: Mapping[str, object]) -> SettingError:
    return SettingError(
        f"{', '.join(answer)} {'is' if len(answer) == 1 else 'are'} empty",
        "there is no number to compare",
        "Pass outputs, loss or input_gradient, or the gradient of a network with parameters",
    )


_OF_PARAMETERS = {"gradient": "", "parameters": "new "}
"""The fields whose parts are those of the parameters, and what their names begin with."""


def _precision(precision: PrecisionLike | None, formats: Mapping[str, str | None]) -> Precision:
    """The precision that is asked for, unless it contradicts the arrays; theirs, if none is."""
    found = common_format(formats)
    if precision is None:
        if found is None:
            raise SettingError(
                "precision is None",
                f"{', '.join(formats)} {'carries' if len(formats) == 1 else 'carry'} none: Python's numbers and "
                "integers do not say how they were computed",
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


def _shapes(question: Question) -> dict[str, tuple[int, ...]]:
    """The shapes of the fields of an answer, and of their parts."""
    names, size = question.network.names(), (question.network.size,)
    return {
        "outputs": question.labels.shape,
        "loss": (),
        "gradient": size,
        "input_gradient": question.x.shape,
        "parameters": size,
        **{begin + name: shape for begin in _OF_PARAMETERS.values() for name, shape in names.items()},
    }


def _fitting(part: Part, name: str, shape: tuple[int, ...]) -> FloatArray:
    """The values in the shape of the answer; a single number or column may have fewer axes."""
    said, values, _ = part
    if values.shape == shape or (values.size == 1 and shape == ()) or (*values.shape, 1) == shape:
        return values.reshape(shape)
    given = f"{said} has shape {values.shape}, expected {shape}"
    if values.ndim == 2 and values.shape[::-1] == shape:
        rows = "samples are rows" if name in Evaluation._fields else "a weight is (inputs, outputs)"
        raise ShapeError(given, f"that is its transpose: here, {rows}", f"Pass {said}.T")
    names = " or a mapping of parameters' names to arrays" if name in _OF_PARAMETERS else ""
    raise ShapeError(given, "that is the shape of the answer to this question", f"Pass an array of that shape{names}")


# ----------------------------------------------------------------------------------------------------- what is expected


@final
@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """The truth about a question and how far an answer may be from it, to judge any number of answers.

    Attributes
    ----------
    budget
        The bounds that were derived, and the question.
    values, rest
        For each part of an answer the truth, as the sum of two floats: what was rounded off is known if it is exact.
    slack
        How far the truth may be from these.
    bounds
        How far an answer may be from them: the bounds of the budget, and the slack.
    reference
        What the truth is.
    """

    budget: Tolerance
    values: Mapping[str, FloatArray]
    rest: Mapping[str, FloatArray]
    slack: Mapping[str, FloatArray]
    bounds: Mapping[str, FloatArray]
    reference: Reference

    @property
    def failure_probability(self) -> float:
        """With which an honest answer is found to disagree: its own, and as much for a truth that has bounds too."""
        own = self.budget.failure_probability
        return own if self.reference == "exact" else 2 * own

    def judge(self, found: Mapping[str, FloatArray]) -> Comparison:
        """Hold an answer against the truth.

        Parameters
        ----------
        found
            Fields of an answer, or parts of them (the gradients of some parameters by their names, and new values by
            ``"new "`` and the name), in their shapes.

        Returns
        -------
        Comparison

        Examples
        --------
        >>> import numpy as np
        >>> import refnn
        >>> from refnn.oracle.comparison import expect
        >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
        >>> budget = refnn.tolerance(network, [2.0, 1.0], [[3.0]], [[5.0]], precision="float32")
        >>> truth = expect(budget, rule=refnn.GradientDescent(), learning_rate=None)
        >>> [truth.judge({"gradient": np.array(g)}).verdict for g in ([6.0, 2.0], [3.0, 1.0])]
        ['agrees', 'disagrees']
        """
        question = self.budget.question
        parts = tuple(self._compared(*part) for part in self.parts(found).items() if part[1].size)
        return Comparison(
            _verdict(parts), parts, question.precision, self.failure_probability, self.reference, question.rounded
        )

    def parts(self, found: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """An answer by the parts of which something is said: the gradient by the names of parameters."""
        return _by_part(self.budget.question.network, found)

    def apart(self, one: Mapping[str, FloatArray], other: Mapping[str, FloatArray]) -> float:
        """How far two answers are apart, in bounds, at most; infinite, if they are answers to different things."""
        if one.keys() != other.keys():
            return math.inf
        mine, theirs, largest = self.parts(one), self.parts(other), 0.0
        for name, values in mine.items():
            with np.errstate(all="ignore"):
                same = (values == theirs[name]) | (np.isnan(values) & np.isnan(theirs[name]))
                off = np.where(same, 0, ratios(values - theirs[name], self.bounds[name]))
            largest = max(largest, float(np.max(off, initial=0)))
        return largest

    def signal(self, name: str) -> tuple[FloatArray, NDArray[np.bool_]]:
        """How far a part of the truth is from the trivial answer, zero or no step; and where that is known for certain.

        Where terms cancel, a truth of 0 shows as a ball around 0 that no number of bits makes a point. It counts as 0
        if the ball is so small beside the bound that no implementation comes near it.
        """
        network, w = self.budget.question.network, self.budget.question.w
        old = network.unpack(w)[name.removeprefix("new ")] if name.startswith("new ") else 0
        distance, slack = self.values[name] - old + self.rest[name], self.slack[name]
        nothing = (np.abs(distance) <= slack) & (slack <= _NOTHING * self.bounds[name])
        return np.where(nothing, 0, distance), (slack == 0) | nothing

    def _compared(self, name: str, actual: FloatArray) -> Compared:
        """What is said of a part, whose trivial answer is zero, or after a step the old values."""
        expected, bound = self.values[name], self.bounds[name]
        off = self._ratios(name, actual)
        distance, certain = self.signal(name)
        place = tuple(int(i) for i in np.unravel_index(int(np.argmax(off)), off.shape))
        ratio = float(off[place])
        says = says_something(bound, distance, certain)
        verdict: Verdict = "disagrees" if ratio > 1 else "agrees" if says else "undecided"
        return Compared(
            name,
            verdict,
            actual.size,
            int(np.count_nonzero(is_decided(bound, distance, certain))),
            int(np.count_nonzero(bound == np.inf)),
            ratio,
            Element(place, float(actual[place]), float(expected[place]), float(bound[place])),
            ratio > 1 and name not in Evaluation._fields and self._fits(name, actual.reshape(actual.shape[::-1]).T),
        )

    def _fits(self, name: str, actual: FloatArray) -> bool:
        return bool((self._ratios(name, actual) <= 1).all())

    def _ratios(self, name: str, actual: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            return ratios(actual - self.values[name] - self.rest[name], self.bounds[name])


def expect(
    budget: Tolerance,
    *,
    rule: Rule[Any],
    learning_rate: float | None,
    reference: Reference | Literal["auto"] = "auto",
) -> Expectation:
    """The truth about the question of a budget.

    Parameters
    ----------
    budget
        The bounds, and their question.
    rule, learning_rate
        Those of a step, if new parameters are to be judged; else None for the learning rate.
    reference
        As for `compare`.

    Returns
    -------
    Expectation

    Raises
    ------
    SettingError
        If the learning rate is not positive, the rule is none, or there is no such reference.
    DivergenceError
        If a number leaves the range of float64.
    MissingExtraError
        If an exact reference is asked for, and python-flint is not installed.

    Examples
    --------
    See `Expectation.judge`.
    """
    network = budget.question.network
    bounds = budget.bounds._asdict()
    if learning_rate is not None:
        bounds["parameters"] = budget.parameters(learning_rate=learning_rate, rule=rule)
    chosen = _chosen(budget.question, reference)
    of = _exactly if chosen == "exact" else _in_floats
    values, rest, slack, allowed = (_by_part(network, fields) for fields in (*of(budget, rule, learning_rate), bounds))
    allowed = {name: bound + slack[name] for name, bound in allowed.items()}
    return Expectation(budget, values, rest, slack, allowed, chosen)


def _chosen(question: Question, reference: Reference | Literal["auto"]) -> Reference:
    """What the truth is to be: exact, if nothing is said, where that is cheap."""
    if reference == "exact" or reference == "float64":
        return reference
    if reference != "auto":
        raise SettingError(
            f"reference is {shown(reference)}",
            "the truth is exact, or that of float64 with a bound of its own",
            "Pass 'exact', 'float64' or 'auto'",
        )
    work = len(question.x) * max(question.network.size, question.x.shape[1])
    return "exact" if work <= _CHEAP and importlib.util.find_spec("flint") is not None else "float64"


_Fields: TypeAlias = dict[str, FloatArray]


def _exactly(budget: Tolerance, rule: Rule[Any], learning_rate: float | None) -> tuple[_Fields, _Fields, _Fields]:
    """The truth as two floats each, and how far real numbers may be from these; by balls."""
    from refnn.oracle.formats import format_named
    from refnn.oracle.truth import truth_of, update_of

    network, w, x, labels, _, _ = budget.question
    to = format_named("float64")
    truth = truth_of(network, w, x, labels, to, max_bits=_BITS)
    values = {name: np.asarray(getattr(truth, name)) for name in Evaluation._fields}
    balls = truth.enclosures._asdict()
    if learning_rate is not None:
        update = update_of(network, w, x, labels, rule, learning_rate, to, _BITS)
        values["parameters"], balls["parameters"] = update.value, update.enclosure
    off = {name: _rounded_off(ball, values[name]) for name, ball in balls.items()}
    return values, {name: rest for name, (rest, _) in off.items()}, {name: slack for name, (_, slack) in off.items()}


def _rounded_off(balls: Any, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What real numbers in balls are more than floats, and how wrong that may be; infinite, where it is unknown."""
    off = balls - balls.exact(np.where(np.isfinite(values), values, 0))
    rest, slack = off.midpoint, off.radius
    known = np.isfinite(values) & np.isfinite(rest) & np.isfinite(slack)
    return np.where(known, rest, 0), np.where(known, slack, np.inf)


def _in_floats(budget: Tolerance, rule: Rule[Any], learning_rate: float | None) -> tuple[_Fields, _Fields, _Fields]:
    """The truth by refnn's own float64, which is an honest implementation, and may be off as much as any other."""
    usual = precision_named("float64")
    if budget.precision == usual:
        own = budget
    else:
        own = derive(budget.question._replace(precision=usual), budget.failure_probability)
    values, slack = own.values._asdict(), own.bounds._asdict()
    if learning_rate is not None:
        slack["parameters"] = own.parameters(learning_rate=learning_rate, rule=rule)
        w = budget.question.w
        step = representable("the step", rule.step, rule.initial_state(w), w, own.values.gradient, learning_rate)
        values["parameters"] = step[1]
    return values, {name: np.zeros(np.shape(value)) for name, value in values.items()}, slack


def _by_part(network: Network, fields: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Fields by the parts of which something is said: the gradient, and new parameters, by the names of parameters."""
    parts: dict[str, FloatArray] = {}
    for name, array in fields.items():
        if name in _OF_PARAMETERS:
            parts |= {_OF_PARAMETERS[name] + key: part for key, part in network.unpack(array).items()}
        else:
            parts[name] = array
    return parts


def _verdict(parts: tuple[Compared, ...]) -> Verdict:
    verdicts = {part.verdict for part in parts}
    return "disagrees" if "disagrees" in verdicts else "undecided" if "undecided" in verdicts else "agrees"
