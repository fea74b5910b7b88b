"""The textbook's text with a symbol for every weight, bias, input and target, differentiated by SymPy.

The loss of one sample is built once for an architecture, as one expression; `sympy.diff` gives its derivative by each
parameter and each input, and `sympy.lambdify`, with common subexpressions taken out, a program for them. That program
runs at the exact values of the floats with 50 digits, on numbers that know a bound on their own rounding error. The
loss of the batch is linear in those of its samples, so the text's reduction turns their derivatives into its own.

Notes
-----
*Rounding.* The bound is Wilkinson's running one: with unit roundoff u, an operation passes on the errors of its
arguments and adds u times its result. mpmath's functions are taken to be within 4 u of theirs. Nothing is left out: the
products of errors are kept, and a function whose argument is too uncertain for its bound gives an infinite one. (The
bounds are rounded themselves, by parts of 1e-50; that the result is at last rounded up to a float covers it.)

*Kinks.* ``if_positive(z, a, b)`` is a function of SymPy that is differentiated piece by piece, like its ``Piecewise``
(which would take minutes to look for simpler conditions where kinks are nested). At the kink itself the second piece
counts: a slope of 0 for ReLU, of `slope` for LeakyReLU, of alpha for ELU, which is refnn's convention. Where the
argument is not exactly 0, but rounding hides its sign, the bound covers both pieces.

References
----------
Wilkinson, "Rounding Errors in Algebraic Processes" (1963); Higham, "Accuracy and Stability of Numerical Algorithms",
2nd ed. (2002), section 3.3.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import operator
from collections.abc import Callable
from typing import Any, final

from numpy.typing import ArrayLike

from refnn.checks import extra
from refnn.layers import Layer
from refnn.losses import Loss
from refnn.network import Network
from refnn.witnesses import NotRunError, Testimony
from refnn.witnesses.textbook import (
    LOSSES,
    Namespace,
    Number,
    exact,
    nested,
    read,
    reduced,
    rounded,
    table,
    targets,
    testimony,
    through,
)

__all__ = ["BLIND_TO", "DIGITS", "LARGEST", "LONGEST", "testify"]

BLIND_TO = (
    "rounding, for it works with 50 digits; and what is smaller than about 1e-48 of the numbers that it is a "
    "difference of; at a kink it states refnn's convention"
)

DIGITS = 50
LARGEST = 600_000
"""Operations in the loss of a sample, written out, times derivatives, above which SymPy may take 20 seconds."""
LONGEST = 100_000
"""Derivatives times samples, above which their evaluation may take 20 seconds."""


def testify(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    progress: Callable[[int, int], object] | None = None,  # noqa: PT028 - testify is no test, for all its name
) -> Testimony:
    """Outputs, loss and gradients by SymPy's differentiation of the textbook's text, with 50 digits.

    Parameters
    ----------
    network
        Of dense layers and of the activations and losses of refnn.
    w : (P,)
    x : (N, inputs)
    y : (N, outputs) or (N,)
        As for `refnn.Network.evaluate`.
    progress
        Is told how many of the N samples have been evaluated, and N.

    Returns
    -------
    Testimony

    Raises
    ------
    NotRunError
        If a layer or the loss has no definition in the text, or the case is larger than `LARGEST` or `LONGEST`.
    MissingExtraError
        If SymPy is not installed.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(2, 1), refnn.Sigmoid(), loss=refnn.SquaredError())
    >>> testify(network, [1.0, 2.0, 0.0], [[2.0, -1.0]], [[1.0]]).values.gradient
    array([-0.25 ,  0.125, -0.125])
    """
    case, loss = read(network, w, x, y), network.loss_function
    _refuse_large(network, len(case.x), len(case.x[0]))
    bare = dataclasses.replace(loss, reduction="sum", scale=1)  # so that all reductions share one program
    program = _program(network.layers, bare, network.size, len(case.x[0]), len(case.labels[0]))
    m = _running()
    weights, labels = [m.number(v) for v in case.w], table(m, case.labels)
    samples = []
    for done, (row, label) in enumerate(zip(table(m, case.x), labels, strict=True), 1):
        samples.append([m.number(v) for v in program(*weights, *row, *label)])
        if progress is not None:
            progress(done, len(labels))
    c = len(labels[0])
    losses, *slopes = [list(column) for column in zip(*(sample[c:] for sample in samples), strict=True)]
    by_input = zip(*slopes[network.size :], strict=True)
    return testimony(
        [[_float(z) for z in sample[:c]] for sample in samples],
        _float(reduced(m, loss, losses, labels)),
        [_float(reduced(m, loss, slope, labels)) for slope in slopes[: network.size]],
        [_float(reduced(m, loss, [slope], labels)) for row in by_input for slope in row],
    )


def _float(number: Number) -> tuple[float, float]:
    return rounded(number.value, number.error)


# ------------------------------------------------------------------------------------- symbols, and the program of them


@functools.cache
def _symbols() -> Namespace:
    """The namespace of SymPy's expressions."""
    sympy = extra("sympy", "symbolic", "the symbolic witness")

    def number(value: Any) -> Number:
        return sympy.Rational(exact(value).numerator, exact(value).denominator)

    def simplified(cls: Any, z: Number, a: Number, b: Number) -> Number:
        return a if a == b else None

    def derivative(self: Any, symbol: Number) -> Number:
        z, a, b = self.args
        return self.func(z, sympy.diff(a, symbol), sympy.diff(b, symbol))

    members = {"eval": classmethod(simplified), "_eval_derivative": derivative}
    if_positive = type("if_positive", (sympy.Function,), members)
    return Namespace(number, sympy.exp, sympy.log, sympy.tanh, sympy.erf, sympy.sqrt, sympy.pi, if_positive)


@functools.lru_cache(maxsize=16)
def _program(
    layers: tuple[Layer, ...], loss: Loss, size: int, inputs: int, outputs: int
) -> Callable[..., list[Number]]:
    """A program from parameters, inputs and labels of a sample to outputs, loss, and derivatives by the first two."""
    sympy, m = extra("sympy", "symbolic", "the symbolic witness"), _symbols()
    w, x, y = (
        [sympy.Symbol(f"{letter}{k}", real=True) for k in range(many)]
        for letter, many in (("w", size), ("x", inputs), ("y", outputs))
    )
    z = through(m, layers, nested(layers, iter(w)), x)[-1]
    value = LOSSES[type(loss).__name__](m, loss, z, targets(m, loss, y))
    slopes = [sympy.diff(value, symbol) for symbol in [*w, *x]]
    run = _running()
    names = {name: getattr(run, name) for name in ("exp", "log", "tanh", "erf", "sqrt", "pi", "if_positive")}
    program: Callable[..., list[Number]] = sympy.lambdify(
        [*w, *x, *y], [*z, value, *slopes], modules=[{**names, "mpf": run.number}, "mpmath"], cse=True
    )
    return program


@final
class _Count:
    """A number that only knows how many operations made it: the size of its expression, written out."""

    def __init__(self, operations: int = 0) -> None:
        self.operations = operations

    def after(self, *others: object) -> _Count:
        """The result of one more operation, on this number and others."""
        return _Count(1 + self.operations + sum(z.operations for z in others if isinstance(z, _Count)))

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = after


def _refuse_large(network: Network, samples: int, inputs: int) -> None:
    """Refuse what takes too long; the size of the expression is found by running the text on `_Count`."""
    derivatives, loss, n, f = network.size + inputs, network.loss_function, _Count(), _Count.after
    if derivatives * samples <= LONGEST:
        m = Namespace(lambda _: n, exp=f, log=f, tanh=f, erf=f, sqrt=f, pi=n, if_positive=f)
        z = through(m, network.layers, nested(network.layers, itertools.repeat(n)), [n] * inputs)[-1]
        operations = LOSSES[type(loss).__name__](m, loss, z, targets(m, loss, z)).operations
        if operations * derivatives <= LARGEST:
            return
    raise NotRunError(
        f"there are {derivatives:,} derivatives for each of {samples:,} samples",
        f"it is too large: SymPy copes with {LARGEST:,} operations in all derivatives, mpmath with {LONGEST:,} values",
        "Use fewer samples, a smaller network, or another witness",
    )


# ------------------------------------------------------------------------------- numbers that know their rounding error


@final
class _Running:
    """An mpmath number with a bound on its distance from the real number that it stands for, and the unit roundoff."""

    __slots__ = ("error", "unit", "value")

    def __init__(self, value: Number, error: Number, unit: Number) -> None:
        self.value, self.error, self.unit = value, error, unit

    def rounded(self, value: Number, error: Number) -> _Running:
        """A result with the error passed on to it, and its own rounding."""
        return _Running(value, error + self.unit * abs(value), self.unit)

    def __neg__(self) -> _Running:
        return _Running(-self.value, self.error, self.unit)

    def __add__(self, other: Any) -> _Running:
        other = _number(other)
        return self.rounded(self.value + other.value, self.error + other.error)

    def __sub__(self, other: Any) -> _Running:
        other = _number(other)
        return self.rounded(self.value - other.value, self.error + other.error)

    def __mul__(self, other: Any) -> _Running:
        other = _number(other)
        error = abs(self.value) * other.error + self.error * (abs(other.value) + other.error)
        return self.rounded(self.value * other.value, error)

    def __truediv__(self, other: Any) -> _Running:
        other = _number(other)
        quotient, least = self.value / other.value, abs(other.value) - other.error
        error = (self.error + abs(quotient) * other.error) / least if least > 0 else math.inf
        return self.rounded(quotient, error)

    def __rsub__(self, other: Any) -> _Running:
        return _number(other) - self

    def __rtruediv__(self, other: Any) -> _Running:
        return _number(other) / self

    def __pow__(self, power: int) -> _Running:
        product: _Running = functools.reduce(operator.mul, [self] * abs(power))
        return product if power > 0 else 1 / product

    __radd__ = __add__
    __rmul__ = __mul__


def _number(value: Any) -> _Running:
    """`value` as such a number: exact, unless it may have more digits than are kept."""
    if isinstance(value, _Running):
        return value
    context, unit = _context()
    ratio = exact(value)
    digits = context.mpf(ratio.numerator) / ratio.denominator
    kept = ratio.denominator.bit_count() == 1 and abs(ratio.numerator) < 10**DIGITS
    return _Running(digits, 0 * unit if kept else 2 * unit * abs(digits), unit)


@functools.cache
def _context() -> tuple[Any, Number]:
    """mpmath with `DIGITS` digits, apart from everybody else's, and its unit roundoff."""
    context = extra("mpmath", "symbolic", "the symbolic witness").mp.clone()
    context.dps = DIGITS
    return context, context.mpf(2) ** -context.prec


@functools.cache
def _running() -> Namespace:
    """The namespace of `_Running`: each function, with a bound on what it makes of an error."""
    context, unit = _context()

    def function(f: Callable[[Number], Number], passed_on: Callable[[Number, Number, Number], Number]) -> Any:
        def on_running(z: Any) -> _Running:
            z = _number(z)
            value = f(z.value)
            return _Running(value, passed_on(z.value, z.error, value) + 4 * unit * abs(value), unit)

        return on_running

    def if_positive(z: _Running, a: Any, b: Any) -> _Running:
        a, b = _number(a), _number(b)
        chosen: _Running = a if z.value > 0 else b
        if z.error == 0 or abs(z.value) > z.error:
            return chosen
        return _Running(chosen.value, abs(a.value - b.value) + a.error + b.error, unit)

    return Namespace(
        _number,
        exp=function(context.exp, lambda z, e, f: 2 * e * f if e <= 1 else math.inf),  # exp(e) − 1 ≤ 2e
        log=function(context.log, lambda z, e, f: 2 * e / z if 2 * e <= z else math.inf),  # −log(1 − q) ≤ 2q
        tanh=function(context.tanh, lambda z, e, f: e),  # slopes of at most 1,
        erf=function(context.erf, lambda z, e, f: 2 * e),  # and of at most 2/√π
        sqrt=function(context.sqrt, lambda z, e, f: e / f),  # abs(√a − √z) = abs(a − z)/(√a + √z)
        pi=_Running(+context.pi, 4 * unit, unit),
        if_positive=if_positive,
    )
