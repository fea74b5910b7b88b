"""Inspection: whether a gradient test can find anything, and whether it would let honest code alone.

A test is judged by its question (network, parameters, batch) and by how it compares. No code is under test here: the
truth about the question, and what rounding does to it, say which wrong answers the test would let pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Context
from itertools import groupby
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike

from refnn.activations import Activation, Identity
from refnn.arithmetic.precision import Precision, PrecisionLike, precision_named
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import A, FloatArray
from refnn.checks import finite, number, representable, shown
from refnn.errors import DivergenceError, SettingError, ShapeError
from refnn.layers import Layer
from refnn.losses import InnerProduct
from refnn.network import Evaluation, Network
from refnn.oracle.budget import FAILURE_PROBABILITY, Question, Tolerance, Tolerances, asked, derive, says_something
from refnn.oracle.foreign import widened
from refnn.oracle.questions import answer, blocks

__all__ = ["Finding", "Inspected", "Inspection", "Kind", "inspect_test"]

Kind: TypeAlias = Literal[
    "vanishing",
    "loose",
    "tight",
    "unbounded",
    "projection",
    "inert layer",
    "equal dimensions",
    "one sample",
    "equal numbers",
    "cotangent",
    "kink",
]


class Finding(NamedTuple):
    """Something that is wrong with a test.

    Attributes
    ----------
    kind
        A word for it.
    what
        What is wrong.
    remedy
        What to do.
    """

    kind: Kind
    what: str
    remedy: str

    def __str__(self) -> str:
        """All on one line."""
        return f"{self.kind}: {self.what}. {self.remedy}."


class Inspected(NamedTuple):
    """What the comparison does with a part of the answer, each element taken alone.

    Attributes
    ----------
    name
        ``"outputs"``, ``"loss"``, ``"input_gradient"``, or the name of a parameter for its gradient.
    elements
        How many.
    zeros
        For how many of them zero would pass, and then twice the truth as well.
    false_alarms
        How many an honest implementation may fail: their bounds are larger than what the test allows.
    ratio
        What the test allows over what honest rounding needs: the median of those elements that are rounded at all.
    """

    name: str
    elements: int
    zeros: int
    false_alarms: int
    ratio: float


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Inspection:
    """What `inspect_test` found.

    Attributes
    ----------
    findings
        What is wrong with the test; nothing, for a good one.
    parts
        What the comparison does with each part that the test looks at.
    tolerances
        For each field that has bounds, the smallest tolerances that cover the rounding errors of the precision; unless
        with these all its numbers could be zeros.
    precision
        The implementation that is meant.
    """

    findings: tuple[Finding, ...]
    parts: tuple[Inspected, ...]
    tolerances: dict[str, Tolerances]
    precision: Precision

    def __bool__(self) -> NoReturn:
        raise SettingError(
            "an inspection was used as true or false",
            "it is a list of findings, and true would sound like a good test",
            "Ask whether inspection.findings is empty, or call inspection.require()",
        )

    def require(self) -> None:
        """Do nothing if there is no finding.

        Raises
        ------
        AssertionError
            With all findings, if there are some.
        """
        if self.findings:
            raise AssertionError(str(self))

    def __repr__(self) -> str:
        """The number of findings and their kinds."""
        return f"<Inspection: {self._count()}{': ' if self.findings else ''}{', '.join(self._kinds())}>"

    def __str__(self) -> str:
        """The findings, a table of the parts, and the tolerances that would do."""
        width = max(len(part.name) for part in self.parts)
        lines = [self._count()]
        for remedy, alike in groupby(self.findings, lambda finding: finding.remedy):
            *others, last = alike
            lines += [f"  {finding.kind}: {finding.what}." for finding in others]
            lines += [f"  {last.kind}: {last.what}.", f"  All of these: {remedy}."] if others else [f"  {last}"]
        lines.append("")
        lines.append(f"  {'':{width}}  numbers  zeros pass  false alarms  allowed/needed")
        for part in self.parts:
            counts = f"{part.elements:>7}  {part.zeros:>10}  {part.false_alarms:>12}"
            lines.append(f"  {part.name:{width}}  {counts}  {part.ratio:>14.2g}")
        lines += ["  zeros pass: and twice the truth; needed: the bounds of an honest implementation, the median", ""]
        lines += [f"{name}: {_pair(pair)} would do" for name, pair in self.tolerances.items()]
        return "\n".join([*lines, f"bounds for {self.precision}"])

    def _count(self) -> str:
        count = len(self.findings)
        return "no findings" if not count else "1 finding" if count == 1 else f"{count} findings"

    def _kinds(self) -> list[str]:
        return list(dict.fromkeys(finding.kind for finding in self.findings))


def inspect_test(
    network: Network,
    w: ArrayLike | Mapping[str, Any],
    x: ArrayLike,
    y: ArrayLike,
    *,
    precision: PrecisionLike,
    rtol: float | None = None,
    atol: float | None = None,
    fields: Sequence[str] = ("gradient",),
    directions: ArrayLike | None = None,
) -> Inspection:
    """Judge a gradient test: what it cannot see, and where it fails honest code.

    Parameters
    ----------
    network, w, x, y
        What the test computes, as for `refnn.compare`; a test of one layer, or of a vector-Jacobian product, has the
        loss `refnn.InnerProduct`, and y is its cotangent.
    precision
        That of the implementation which the test is for.
    rtol, atol
        With which it compares, abs(actual − expected) ≤ atol + rtol·abs(expected); one alone makes the other 0. If
        neither is given, it compares within refnn's bounds, as `refnn.compare` does.
    fields
        What it looks at, of ``"outputs"``, ``"loss"``, ``"gradient"`` and ``"input_gradient"``.
    directions : (P,) or (k, P)
        If it does not look at the gradient itself, but at its inner products with fixed vectors: these.

    Returns
    -------
    Inspection

    Raises
    ------
    SettingError
        If a tolerance is negative, a field is none, there is no number to look at, or directions are given for other
        fields than the gradient.
    ShapeError, DTypeError, NonFiniteError, TargetError
        If an argument does not fit the network.
    DivergenceError
        If a number of the computation leaves the range of float64.

    Notes
    -----
    What the test expects is taken to be right. Against finite differences, or another library, the errors of both
    count.

    Examples
    --------
    Two units, two inputs, two samples, one of them twice, and PyTorch's defaults for float64:

    >>> import refnn
    >>> from refnn.testing import inspect_test
    >>> network = refnn.Network(refnn.Dense(2, 2), loss=refnn.SquaredError())
    >>> w, x, y = [0.5, -0.25, 0.75, 0.125, 0.5, 0.25], [[0.001, 0.002]] * 2, [[0.501, 0.25], [0.502, 0.251]]
    >>> inspection = inspect_test(network, w, x, y, precision="float64", rtol=1e-3, atol=1e-5)
    >>> inspection
    <Inspection: 3 findings: loose, equal dimensions, equal numbers>
    >>> inspection.findings[1].what
    'samples, inputs, outputs of layer 0 are all 2, which hides a transpose or a wrong axis'
    >>> [(part.name, part.zeros, part.elements) for part in inspection.parts]
    [('0.weight', 4, 4), ('0.bias', 0, 2)]
    """
    chosen = _fields(fields, directions)
    pair = None if rtol is None and atol is None else (_not_negative("rtol", rtol), _not_negative("atol", atol))
    question = asked(network, w, x, y, precision_named(precision))
    parameters = [name for name, shape in network.names().items() if math.prod(shape)]
    looked_at = {part: field for field in chosen for part in (parameters if field == "gradient" else (field,))}
    if not looked_at:
        raise SettingError(
            f"fields are {shown(fields)}",
            "the network has no parameters, so there is no number to look at",
            "Pass fields=('input_gradient',), say",
        )
    along = None if directions is None else _matrix(directions, network.size)
    budget = derive(question, FAILURE_PROBABILITY)
    with np.errstate(all="ignore"):  # what leaves the range is beyond every tolerance, or allows everything
        return _inspected(budget, looked_at, pair, along)


# ----------------------------------------------------------------------------------------------------------- arguments


def _fields(fields: Sequence[str], directions: ArrayLike | None) -> tuple[str, ...]:
    given = () if isinstance(fields, str) or not isinstance(fields, Sequence) else tuple(fields)
    if not given or any(field not in Evaluation._fields for field in given):
        raise SettingError(
            f"fields are {shown(fields)}",
            "they are what the test looks at",
            f"Pass a tuple of some of {', '.join(map(repr, Evaluation._fields))}",
        )
    if directions is not None and set(given) != {"gradient"}:
        raise SettingError(
            f"directions are given and fields are {shown(fields)}",
            "directions are those along which the gradient is compared",
            "Pass fields=('gradient',), and inspect the others apart",
        )
    return given


def _not_negative(name: str, value: float | None) -> float:
    if value is not None and number(name, value) < 0:
        raise SettingError(f"{name} is {shown(value)}", "a tolerance is no less than 0", "Pass 0 or more")
    return float(value or 0)


def _matrix(directions: ArrayLike, size: int) -> FloatArray:
    given = finite("directions", widened("directions", directions).values)
    if given.ndim not in {1, 2} or given.shape[-1] != size or not given.size:
        raise ShapeError(
            f"directions have shape {given.shape}, expected ({size},) or (k, {size})",
            "each has one number for each parameter",
            "Pass vectors in the order of w, as rows",
        )
    return given.reshape(-1, size)


# ------------------------------------------------------------------------------------------------------- the comparison


@final
@dataclass(frozen=True, slots=True)
class _Test:
    """The truth and the bounds of the parts that a test looks at, and how it compares them."""

    values: dict[str, FloatArray]
    bounds: dict[str, FloatArray]
    pair: tuple[float, float] | None
    directions: FloatArray | None

    def flat(self, parts: Mapping[str, FloatArray]) -> FloatArray:
        """All elements that are looked at, as one vector."""
        return np.concatenate([parts[name].ravel() for name in self.values])

    def allowed(self) -> FloatArray:
        """How far each number that is compared may be off: each element, or its inner product with each direction."""
        truth, bound = self.flat(self.values), self.flat(self.bounds)
        if self.directions is not None:
            truth, bound = self.directions @ truth, np.abs(self.directions) @ bound
        return bound if self.pair is None else self.pair[1] + self.pair[0] * np.abs(truth)

    def room(self) -> dict[str, FloatArray]:
        """How far each element may be off unnoticed, if all others are right."""
        room = self.allowed()
        if self.directions is not None:
            weight = np.abs(self.directions)
            room = np.where(weight > 0, room[:, np.newaxis] / weight, np.inf).min(axis=0)
        ends = np.cumsum([value.size for value in self.values.values()])[:-1]
        pieces = zip(self.values.items(), np.split(room, ends), strict=True)
        return {name: piece.reshape(value.shape) for (name, value), piece in pieces}

    def passes(self, wrong: Mapping[str, FloatArray]) -> bool:
        """Whether a wrong answer passes."""
        off = self.flat(wrong) - self.flat(self.values)
        if self.directions is not None:
            off = self.directions @ off
        return bool((np.abs(off) <= self.allowed()).all())


def _inspected(
    budget: Tolerance, looked_at: Mapping[str, str], pair: tuple[float, float] | None, directions: FloatArray | None
) -> Inspection:
    network, question = budget.question.network, budget.question
    values, bounds = blocks(network, budget.values), blocks(network, budget.bounds)
    test = _Test(
        {name: values[name] for name in looked_at}, {name: bounds[name] for name in looked_at}, pair, directions
    )
    pairs = {field: budget.as_tolerances(field) for field in looked_at.values() if _is_bounded(budget, field)}
    tolerances = {field: pair for field, pair in pairs.items() if _sees_zeros(pair, getattr(budget.values, field))}
    parts = test.values.items()
    vanishing = [name for name, value in parts if not (value.any() and says_something(test.bounds[name], value))]
    findings = [
        *(_vanishes(name, test.values[name], question.precision) for name in vanishing),
        *(_loose(test, looked_at, tolerances, set(vanishing)) if directions is None else _projected(test, directions)),
        *_tight(test, looked_at, tolerances, question.precision),
        *(_left_out(test, question) if len(vanishing) < len(test.values) else ()),
        *_equal_dimensions(question),
        *_equal_numbers(question),
        *_on_kinks(question),
    ]
    return Inspection(tuple(findings), tuple(_parts(test)), tolerances, question.precision)


def _is_bounded(budget: Tolerance, field: str) -> bool:
    return bool(np.isfinite(getattr(budget, field)).all())


def _sees_zeros(pair: Tolerances, truth: FloatArray) -> bool:
    return bool((np.abs(truth) > pair.atol + pair.rtol * np.abs(truth)).any())


def _parts(test: _Test) -> Iterator[Inspected]:
    for name, room in test.room().items():
        value, bound = np.abs(test.values[name]), test.bounds[name]
        rounded = bound > 0
        ratio = float(np.median(room[rounded] / bound[rounded])) if rounded.any() else math.inf
        alarms = np.count_nonzero((bound > room) & np.isfinite(bound))
        yield Inspected(name, value.size, int(np.count_nonzero(value <= room)), int(alarms), ratio)


def _called(name: str) -> str:
    return {field: f"the {field.replace('_', ' ')}" for field in Evaluation._fields}.get(
        name, f"the gradient of {name}"
    )


def _pair(pair: Tolerances) -> str:
    up = Context(prec=2, rounding=ROUND_CEILING)
    return f"rtol={float(up.create_decimal(pair.rtol)):g}, atol={float(up.create_decimal(pair.atol)):g}"


def _instead(pair: Tolerances | None) -> str:
    own = "refnn.compare, whose bounds are those of each element"
    return f"Use {own}" if pair is None else f"Use {_pair(pair)}, or {own}"


# ------------------------------------------------------------------------------------------------ tolerance and signal


def _vanishes(name: str, value: FloatArray, precision: Precision) -> Finding:
    if not value.any():
        what = f"{_called(name)} is exactly zero, as that of code that computes nothing"
    else:
        what = f"{_called(name)} is not above its rounding errors in {precision.storage}, so that zeros are honest"
    return Finding("vanishing", what, "Choose a cotangent, targets, inputs and parameters at random")


def _loose(
    test: _Test, looked_at: Mapping[str, str], tolerances: Mapping[str, Tolerances], besides: set[str]
) -> Iterator[Finding]:
    """Parts with more elements for which zeros pass than the smallest tolerances let pass."""
    for name, room in test.room().items():
        value, best = np.abs(test.values[name]), tolerances.get(looked_at[name])
        needed = test.bounds[name] if best is None else best.atol + best.rtol * value
        unseen = value <= room
        if name not in besides and (unseen & (value > needed)).any():
            share = f"{np.count_nonzero(unseen)} of {value.size}"
            what = f"the tolerance lets zeros, and twice the truth, pass for {share} elements of {_called(name)}"
            yield Finding("loose", what, _instead(best))


def _tight(
    test: _Test, looked_at: Mapping[str, str], tolerances: Mapping[str, Tolerances], precision: Precision
) -> Iterator[Finding]:
    for name, room in test.room().items():
        bound, best = test.bounds[name], None if test.directions is not None else tolerances.get(looked_at[name])
        bounded = np.isfinite(bound)
        alarms = bounded & (bound > room)
        if alarms.any():
            share = f"{np.count_nonzero(alarms)} of {bound.size} elements of {_called(name)}"
            factor = np.max(bound[alarms] / room[alarms])
            what = f"honest {precision.storage} may fail for {share}, by up to {factor:.2g} times what is allowed"
            yield Finding("tight", what, _instead(best))
        if not bounded.all():
            share = f"{np.count_nonzero(~bounded)} of {bound.size} elements of {_called(name)}"
            yield Finding("unbounded", f"{share} may overflow {precision.storage}", "Use smaller numbers")


def _projected(test: _Test, directions: FloatArray) -> Iterator[Finding]:
    value, room = np.abs(test.flat(test.values)), test.flat(test.room())
    some = value > 0
    if some.any() and test.passes({name: np.zeros(part.shape) for name, part in test.values.items()}):
        yield Finding("loose", "the tolerance lets zeros pass in place of the whole gradient", _instead(None))
    unseen = value.size - int(np.linalg.matrix_rank(directions))
    if unseen and some.any():
        alone = np.count_nonzero(some & (value <= room))
        typical = np.median(room[some] / value[some])
        what = (
            f"errors in {unseen} of {value.size} dimensions are not seen at all; of one element alone, zero or twice "
        )
        what += f"the truth passes for {alone} of {value.size}, and {typical:.2g} of itself too much in the median"
        yield Finding("projection", what, _instead(None))


@final
@dataclass(frozen=True, slots=True)
class _Unchained:
    """A layer whose backward pass leaves its derivative out, and hands on the cotangent as it came."""

    layer: Layer

    @property
    def inputs(self) -> int | None:
        return self.layer.inputs

    @property
    def outputs(self) -> int | None:
        return self.layer.outputs

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return self.layer.shapes

    def forward(self, parameters: tuple[A, ...], x: A) -> A:
        return self.layer.forward(parameters, x)

    def backward(self, parameters: tuple[A, ...], x: A, delta: A) -> A:
        return delta

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        return self.layer.gradient(parameters, x, delta)


def _left_out(test: _Test, question: Question) -> Iterator[Finding]:
    """Layers without whose derivative the gradients that the test looks at would pass."""
    network = question.network
    layers = network.layers
    h = network.forward(network.parameters(question.w), question.x)
    any_test = replace(test, pair=None, directions=None)
    for k, layer in enumerate(layers):
        below = {f"{j}.{name}" for j in range(k) for name in layers[j].shapes} | {"input_gradient"}
        if isinstance(layer, Identity) or h[k].shape != h[k + 1].shape or not below & test.values.keys():
            continue
        wrong = Network(*layers[:k], _Unchained(layer), *layers[k + 1 :], loss=network.loss_function)
        try:
            numbers = blocks(network, answer(wrong, question.w, question.x, question.labels))
        except DivergenceError:
            continue
        if any_test.passes(numbers):
            what = f"leaving the derivative of layer {k} ({shown(layer)}) out changes nothing on this batch"
            yield Finding("inert layer", what, "Draw inputs and parameters so that it matters")
        elif test.passes(numbers):
            what = (
                f"the tolerance lets a gradient pass from which the derivative of layer {k} ({shown(layer)}) is missing"
            )
            yield Finding("loose", what, _instead(None))


# -------------------------------------------------------------------------------------------------------- the question


def _equal_dimensions(question: Question) -> Iterator[Finding]:
    sizes = {"samples": len(question.x), "inputs": question.x.shape[1]}
    width = question.x.shape[1]
    for k, layer in enumerate(question.network.layers):
        outputs = layer.outputs or width
        if outputs != width or any(len(shape) > 1 for shape in layer.shapes.values()):  # else equal by its nature
            sizes[f"outputs of layer {k}"] = outputs
        width = outputs
    for size in dict.fromkeys(sizes.values()):
        names = [name for name, other in sizes.items() if other == size]
        if len(names) > 1:
            what = f"{', '.join(names)} are all {size}, which hides a transpose or a wrong axis"
            yield Finding("equal dimensions", what, "Make them different, primes best")


def _equal_numbers(question: Question) -> Iterator[Finding]:
    network, w, x, labels, _, _ = question
    if len(x) == 1:
        what = "a sum over the samples and their mean are the same, and so are all mistakes of 1/N"
        yield Finding("one sample", what, "Use several, best a prime number")
    remedy = "Draw them at random"
    same = [name for name, part in network.unpack(w).items() if part.size and _all_equal(part)]
    if same:
        what = f"all numbers of {', '.join(same)} are equal, which hides one that is left out, or in another's place"
        yield Finding("equal numbers", what, remedy)
    if _all_equal(x):
        yield Finding("equal numbers", f"all numbers of x are {x.flat[0]:g}, which hides their places", remedy)
    elif _rows_equal(x):
        yield Finding("equal numbers", "all samples are equal, which hides one in the place of another", remedy)
    elif _rows_equal(x.T):
        yield Finding("equal numbers", "all inputs of a sample are equal, which hides their places", remedy)
    linear = isinstance(network.loss_function, InnerProduct)
    if linear and (_all_equal(labels) or (labels == 1).all()):
        what = f"all numbers of the cotangent y are {labels.flat[0]:g}, which hides one that is ignored or misplaced"
        yield Finding("cotangent", f"{what}; a softmax makes zeros of it", "Draw it at random")
    elif _all_equal(labels) or _rows_equal(labels):
        yield Finding("equal numbers", "all samples have the same target, which hides one in another's place", remedy)


def _all_equal(part: FloatArray) -> bool:
    return bool((part == part.flat[0]).all() and (part.size > 1 or part.flat[0] == 0))


def _rows_equal(x: FloatArray) -> bool:
    return len(x) > 1 and bool((x == x[0]).all())


def _on_kinks(question: Question) -> Iterator[Finding]:
    """Units that float64 cannot tell from their kinks; those that stand there are among them."""
    network, exact = question.network, RoundedArray.exact
    inputs = representable(
        "the forward pass", network.forward, network.parameters(exact(question.w)), exact(question.x)
    )
    for k, layer in enumerate(network.layers):
        for kink in layer.kinks if isinstance(layer, Activation) else ():
            on = np.abs(inputs[k].value - kink) <= inputs[k].error
            if on.any():
                sample, unit = np.argwhere(on)[0]
                what = f"{np.count_nonzero(on)} of {on.size} inputs of layer {k} ({shown(layer)}) cannot be told from "
                what += f"its kink at {kink}, where the derivative is a convention, the first at [{sample}, {unit}]"
                yield Finding("kink", what, "Draw inputs and parameters at random, and test conventions apart")
