"""Activations and their slopes: of each the derivative, the range, the largest slope and the largest curvature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, final

import numpy as np
from sympy import (
    Abs,
    Derivative,
    Function,
    Integer,
    KroneckerDelta,
    Limit,
    Max,
    Min,
    Rational,
    Subs,
    erf,
    erfc,
    exp,
    log,
    pi,
    sqrt,
)
from sympy import Symbol as Letter
from sympy import tanh as hyperbolic_tangent

from proofs.execution import Execution
from proofs.kernel import Assumption, Bound, Definition, Relation, Step, Theorem
from proofs.latex import latex
from proofs.markdown import equation_numbers
from proofs.page import Code, Fails, Page, Picture, Prose, Quantity, Symbol, Table, Worked
from proofs.sums import Between, Expression, Index, array, size, total
from refnn import activations
from refnn.arithmetic.ball import BallArray
from refnn.arrays import A

__all__ = ["PAGE"]

z = Letter("z", real=True)
right, left = Letter("z", positive=True), Letter("z", negative=True)
"""z where it is positive, and where it is negative; both are written z."""
t, u, p = (Letter(name, nonnegative=True) for name in "tup")
alpha, slope = Letter("alpha", positive=True), Letter("lambda", positive=True)

identity, sigma, tanh, relu, leaky, elu, zeta, silu, gelu, gelu_tanh = (
    Function(name, real=True)
    for name in ("id", "sigma", "tanh", "relu", "leaky", "elu", "zeta", "silu", "gelu", "gelu_tanh")
)
ONE, ZERO, HALF = Integer(1), Integer(0), Rational(1, 2)
GOODFELLOW = 'Goodfellow, Bengio, Courville, "Deep Learning" (2016)'


# ------------------------------------------------------------------------------------------------- what refnn computes


def _activation(kind: str, given: Mapping[str, BallArray]) -> activations.Activation:
    """With the parameters that are given."""
    names = {"LeakyReLU": ("slope", "lambda"), "ELU": ("alpha", "alpha")}
    of: Any = getattr(activations, kind)
    if kind in names and names[kind][1] in given:
        name, letter = names[kind]
        of_it: activations.Activation = of(**{name: float(given[letter].midpoint)})
        return of_it
    made: activations.Activation = of()
    return made


def _forward(kind: str, at: str = "z") -> Callable[[Mapping[str, BallArray]], Any]:
    return lambda given: _activation(kind, given).forward((), given[at])


def _derivative(kind: str, at: str = "z") -> Callable[[Mapping[str, BallArray]], Any]:
    return lambda given: _activation(kind, given).derivative(given[at])


def _positive(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    return rng.integers(1, 17, shape) / 4


def _negative(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    return -_positive(shape, rng)


def _zero(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    return np.zeros(shape)


def _run(run: Callable[[Mapping[str, BallArray]], Any], draw: Any = None, parameter: Letter | None = None) -> Execution:
    letters = ["z", *([parameter.name] if parameter else [])]
    drawn = {**({"z": draw} if draw else {}), **({parameter.name: _positive} if parameter else {})}
    return Execution(dict.fromkeys(letters, ()), run, draw=drawn)


def _defined(
    kind: str, symbol: Expression, expression: Expression, what: str, source: str, parameter: Letter | None = None
) -> Definition:
    return Definition(
        symbol,
        expression,
        "",
        what,
        source,
        code=(f"refnn.activations:{kind}.forward",),
        run=_run(_forward(kind), parameter=parameter),
    )


# --------------------------------------------------------------------------------------------------- forms of theorems


def _at(f: Any, where: Expression, order: int = 1) -> Expression:
    """The derivative at a point."""
    return Subs(Derivative(f(z), (z, order)), z, where)


def _by(f: Any, where: Expression, order: int = 1) -> Expression:
    """The derivative in a letter."""
    return Derivative(f(where), (where, order))


def _derived(
    kind: str,
    f: Any,
    definition: Definition,
    expression: Expression,
    why: str,
    *,
    where: Expression = z,
    holds: str = "",
    draw: Any = None,
    suffix: str = "",
    parameter: Letter | None = None,
    simpler: Sequence[Step] = (),
) -> Theorem:
    """What refnn's `derivative` computes."""
    at = {right: "right of the kink", left: "left of the kink"}.get(where, "")
    steps = (
        Step(
            "=",
            Derivative(definition.expression.xreplace({z: where}), where),
            "as defined",
            "definition",
            (definition,),
        ),
        Step("=", expression, why, "derivative"),
    )
    return Theorem(
        f"activation-{kind.lower()}{suffix}",
        f"The derivative of {NAMES[kind]}{', ' + at if at else ''}",
        _by(f, where),
        (*steps, *simpler),
        holds=holds,
        sizes="all real z" if not holds else "",
        code=(f"refnn.activations:{kind}.derivative",),
        run=_run(_derivative(kind), draw, parameter),
    )


NAMES = {
    "Identity": "the identity",
    "Sigmoid": "the sigmoid",
    "Tanh": "tanh",
    "ReLU": "ReLU",
    "LeakyReLU": "the leaky ReLU",
    "ELU": "ELU",
    "Softplus": "softplus",
    "SiLU": "SiLU",
    "GELU": "GELU",
    "GELUTanh": "GELU's approximation by tanh",
}


def _theorem(id_: str, title: str, start: Expression, *steps: Step, **more: Any) -> Theorem:
    return Theorem(id_, title, start, steps, **{"sizes": "all real z", **more})


def _value(id_: str, title: str, start: Expression, value: Expression, why: str, *using: Definition) -> Theorem:
    """A derivative at one point."""
    return Theorem(id_, title, start, (Step("=", value, why, "derivative", using),))


def _absolute(id_: str, title: str, above: Theorem, below: Theorem, **more: Any) -> Theorem:
    """From −c ≤ x and x ≤ c."""
    bound = Bound(ONE, (ABSOLUTE.at({x: above.symbol, c: above.expression}),))
    why = f"it is neither larger, by [[{above.id}]], nor less, by [[{below.id}]]"
    return _theorem(id_, title, Abs(above.symbol), Step("≤", above.expression, why, "signs", bounds=(bound,)), **more)


SYMMETRIES = "laws/test_symmetries.py::test_each_activation_has_its_symmetries_and_no_others"


def _gate(id_: str, name: str, g: Any, definition: Definition, why: str, where: Expression = z, **more: Any) -> Theorem:
    """f(z) − f(−z) = z."""
    return _theorem(
        id_,
        f"{name} at z and −z{', ' + more['holds'] if 'holds' in more else ''}",
        g(where) - g(-where),
        Step("=", where, why, "fractions", (definition,)),
        law=(SYMMETRIES,),
        **more,
    )


def _tends(id_: str, title: str, expression: Expression, to: str, value: Expression) -> Theorem:
    """A limit at infinity."""
    why = "the exponential vanishes" if value else "the exponential grows without bound"
    return Theorem(id_, title, Limit(expression, z, to), (Step("=", value, why, "limit"),))


# --------------------------------------------------------------------------------------------------------- six lemmas

x, c = Letter("x", real=True), Letter("c", positive=True)
NOT_ABOVE = Assumption(x, "≤", c, "that x is not above c")
NOT_BELOW = Assumption(x, "≥", -c, "that x is not below −c")
ABSOLUTE = Theorem(
    "absolute",
    "A number between −c and c",
    Abs(x),
    (
        Step(
            "≤",
            c,
            r"$`c^2 - x^2`$ is the product of $`c - x`$ and $`c + x`$; divide by $`c + \lvert x \rvert`$",
            "signs",
            bounds=(Bound(1 / (c + Abs(x)), (NOT_ABOVE, NOT_BELOW)),),
        ),
    ),
    assuming=(NOT_ABOVE, NOT_BELOW),
    sizes="all real x and all c > 0",
)
TANGENT = Theorem(
    "exp-tangent",
    "The exponential lies above its tangent",
    exp(x),
    (Step("≥", 1 + x, "both sides and their slopes are equal at 0, and exp is convex", "growth"),),
    sizes="all real x",
)
FALLING = Theorem(
    "exp-falling",
    "The exponential of what is negative",
    exp(-t),
    (Step("≤", ONE, r"equal at 0, and $`e^{-t}`$ falls", "growth"),),
    sizes="all t ≥ 0",
)
PARABOLA = Theorem(
    "exp-parabola",
    "The exponential lies above its parabola",
    exp(t),
    (Step("≥", 1 + t + t**2 / 2, "both sides, their slopes and their curvatures are equal at 0", "growth"),),
    sizes="all t ≥ 0",
)
TWICE = Theorem(
    "exp-twice",
    "The exponential lies above 2t",
    exp(t),
    (
        Step("≥", 1 + t + t**2 / 2, "above its parabola", "signs", bounds=(Bound(ONE, (PARABOLA,)),)),
        Step("≥", 2 * t, "what is left is a square and ½", "signs", bounds=(Bound((t - 1) ** 2 / 2),)),
    ),
    sizes="all t ≥ 0",
)
CUBE = Theorem(
    "exp-cube",
    "The exponential lies above a sixth of the cube",
    exp(t),
    (Step("≥", t**3 / 6, "at 0 it and its first three derivatives are 1 − 0, 1 − 0, 1 − 0 and 1 − 1", "growth"),),
    sizes="all t ≥ 0",
)

# -------------------------------------------------------------------------------------------------------- any of them

N, K = size("N"), size("n")
s, j, r, l = Index("s", N), Index("j", K), Index("r", N), Index("l", K)
delta, Z = array("delta"), array("z")
f = Function("f")


@final
class _Any(activations.Activation):
    """An activation that is none of refnn's: the cubic by which a second look replaces an f that may be any."""

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        return z * z * z / 3 - z * z + 5 * z

    def derivative(self, z: A) -> A:
        return z * z - 2 * z + 5


BACKWARD = Theorem(
    "activation-backward",
    "The vector-Jacobian product of an activation",
    total(delta[s, j] * Derivative(f(Z[s, j]), Z[r, l]), s, j),
    (
        Step(
            "=",
            total(delta[s, j] * Derivative(f(Z[s, j]), Z[s, j]) * KroneckerDelta(s, r) * KroneckerDelta(j, l), s, j),
            "each element depends on itself alone: the chain rule in one variable",
            "derivative",
        ),
        Step("=", delta[r, l] * Derivative(f(Z[r, l]), Z[r, l]), "of each sum one term is left", "sums"),
    ),
    sizes="all numbers N of samples and n of units, and any differentiable f",
    matrix=r"\frac{\partial L}{\partial z} = \delta \circ f'(z)",
    code=("refnn.activations:Activation.backward",),
    run=Execution(
        {"delta": (N, K), "z": (N, K)}, lambda given: _Any().backward((), given["z"], given["delta"]), axes=(r, l)
    ),
)

# -------------------------------------------------------------------------------------------------------- the identity

IDENTITY = _defined("Identity", identity(z), z, "the identity", f"{GOODFELLOW}, section 6.2.2.1, linear units")
IDENTITY_SLOPE = _derived("Identity", identity, IDENTITY, ONE, "a line of slope 1")
IDENTITY_THEOREMS = (
    IDENTITY_SLOPE,
    _theorem(
        "identity-range",
        "The range of the identity",
        identity(z),
        Step("=", z, "every real number is its own image", "definition", (IDENTITY,)),
    ),
    _theorem(
        "identity-slope",
        "The largest slope of the identity",
        _by(identity, z),
        Step("=", ONE, "it is the same everywhere", "theorem", (IDENTITY_SLOPE,)),
    ),
    _theorem(
        "identity-curvature",
        "The largest curvature of the identity",
        _by(identity, z, 2),
        Step("=", ZERO, "a line has none", "derivative", (IDENTITY,)),
    ),
)

# --------------------------------------------------------------------------------------------------------- the sigmoid

E = exp(-z)
S = sigma(z)
SIGMOID = _defined("Sigmoid", S, 1 / (1 + E), "the logistic function", f"{GOODFELLOW}, eq. (3.30)")
SIGMOID_SYMMETRY = _theorem(
    "sigmoid-symmetry",
    "The sigmoid of −z",
    sigma(-z),
    Step("=", 1 / (1 + exp(z)), "as defined", "definition", (SIGMOID,)),
    Step("=", 1 - S, r"multiply above and below by $`e^{-z}`$", "fractions", (SIGMOID,)),
)
SIGMOID_INPUT = _derived("Sigmoid", sigma, SIGMOID, E / (1 + E) ** 2, "the chain rule for 1/y")
SIGMOID_OUTPUT = _theorem(
    "sigmoid-output",
    "The derivative of the sigmoid, in terms of its output",
    _by(sigma, z),
    Step("=", E / (1 + E) ** 2, "the derivative in terms of z", "theorem", (SIGMOID_INPUT,)),
    Step("=", S * (1 - S), r"$`1 - \sigma = e^{-z}/(1 + e^{-z})`$", "fractions", (SIGMOID,)),
)
SIGMOID_BELOW = _theorem(
    "sigmoid-range",
    "The sigmoid is positive",
    S,
    Step("=", 1 / (1 + E), "as defined", "definition", (SIGMOID,)),
    Step(">", ZERO, "all of it is positive", "signs"),
)
SIGMOID_ABOVE = _theorem(
    "sigmoid-range-above",
    "The sigmoid is less than 1",
    S,
    Step("=", 1 - E / (1 + E), "as defined, and 1 taken out", "fractions", (SIGMOID,)),
    Step("<", ONE, "what is taken away is positive", "signs"),
)
SIGMOID_LIMITS = (
    _tends("sigmoid-limit", "The sigmoid far on the right", SIGMOID.expression, "oo", ONE),
    _tends("sigmoid-limit-left", "The sigmoid far on the left", SIGMOID.expression, "-oo", ZERO),
)
SIGMOID_RISES = _theorem(
    "sigmoid-rises",
    "The sigmoid rises everywhere",
    _by(sigma, z),
    Step("=", S * (1 - S), "in terms of the output", "theorem", (SIGMOID_OUTPUT,)),
    Step(">", ZERO, "both factors are positive", "signs", bounds=(Bound(ONE, (SIGMOID_BELOW, SIGMOID_ABOVE)),)),
)
SIGMOID_SLOPE = _theorem(
    "sigmoid-slope",
    "The largest slope of the sigmoid",
    _by(sigma, z),
    Step("=", S * (1 - S), "in terms of the output", "theorem", (SIGMOID_OUTPUT,)),
    Step("≤", Rational(1, 4), "what is missing is a square", "signs", bounds=(Bound((S - HALF) ** 2),)),
)
SIGMOID_STEEPEST = _value(
    "sigmoid-steepest",
    "Where the sigmoid is steepest",
    _at(sigma, 0),
    Rational(1, 4),
    "the derivative at z = 0",
    SIGMOID,
)
BEND = S * (1 - S) * (1 - 2 * S)
SIGMOID_SECOND = _theorem(
    "sigmoid-second",
    "The second derivative of the sigmoid",
    _by(sigma, z, 2),
    Step(
        "=", BEND, r"the product rule for $`\sigma (1 - \sigma)`$, and each σ′ once more so", "derivative", (SIGMOID,)
    ),
)
_low, _high = (1 - 1 / sqrt(3)) / 2, (1 + 1 / sqrt(3)) / 2
_rest = 1 / sqrt(3) - HALF
SIGMOID_BENDS_UP = _theorem(
    "sigmoid-curvature-above",
    "The second derivative of the sigmoid is not above √3/18",
    _by(sigma, z, 2),
    Step("=", BEND, "in terms of the output", "theorem", (SIGMOID_SECOND,)),
    Step(
        "≤",
        sqrt(3) / 18,
        r"the difference is a cubic in σ with a double root, $`2 (\sigma - \frac{1}{2} + \frac{1}{2\sqrt{3}})^2 "
        r"(\frac{1}{2} + \frac{1}{\sqrt{3}} - \sigma)`$",
        "signs",
        bounds=(Bound(2 * (S - _low) ** 2, (SIGMOID_ABOVE,)), Bound(2 * (S - _low) ** 2 * _rest)),
    ),
)
SIGMOID_BENDS_DOWN = _theorem(
    "sigmoid-curvature-below",
    "The second derivative of the sigmoid is not below −√3/18",
    _by(sigma, z, 2),
    Step("=", BEND, "in terms of the output", "theorem", (SIGMOID_SECOND,)),
    Step(
        "≥",
        -sqrt(3) / 18,
        "the same with 1 − σ for σ",
        "signs",
        bounds=(Bound(2 * (S - _high) ** 2, (SIGMOID_BELOW,)), Bound(2 * (S - _high) ** 2 * _rest)),
    ),
)
SIGMOID_CURVATURE = _absolute(
    "sigmoid-curvature", "The largest curvature of the sigmoid", SIGMOID_BENDS_UP, SIGMOID_BENDS_DOWN
)
SIGMOID_BENT = _value(
    "sigmoid-most-bent",
    "Where the sigmoid is most bent",
    _at(sigma, -log(2 + sqrt(3)), 2),
    sqrt(3) / 18,
    r"there $`e^{-z} = 2 + \sqrt{3}`$ and $`\sigma = \frac{1}{2} - \frac{1}{2\sqrt{3}}`$",
    SIGMOID,
)
SIGMOID_THEOREMS = (
    SIGMOID_INPUT,
    SIGMOID_OUTPUT,
    SIGMOID_SYMMETRY,
    SIGMOID_BELOW,
    SIGMOID_ABOVE,
    *SIGMOID_LIMITS,
    SIGMOID_RISES,
    SIGMOID_SLOPE,
    SIGMOID_STEEPEST,
    SIGMOID_SECOND,
    SIGMOID_BENDS_UP,
    SIGMOID_BENDS_DOWN,
    SIGMOID_CURVATURE,
    SIGMOID_BENT,
)

# --------------------------------------------------------------------------------------------------------------- tanh

T, EP = tanh(z), exp(z)
TANH = _defined("Tanh", T, (EP - E) / (EP + E), "the hyperbolic tangent", f"{GOODFELLOW}, section 6.3.2")
TANH_SIGMOID = _theorem(
    "tanh-sigmoid",
    "Tanh is a sigmoid, stretched and shifted",
    T,
    Step("=", 2 * sigma(2 * z) - 1, r"multiply above and below by $`e^{-z}`$", "fractions", (TANH, SIGMOID)),
)
TANH_ODD = _theorem(
    "tanh-odd",
    "Tanh is odd",
    tanh(-z),
    Step("=", -T, r"$`e^z`$ and $`e^{-z}`$ change places", "fractions", (TANH,)),
    law=(SYMMETRIES,),
)
TANH_INPUT = _derived("Tanh", tanh, TANH, 4 / (EP + E) ** 2, "the quotient rule: (a² − b²)/a² with a = cosh, b = sinh")
TANH_OUTPUT = _theorem(
    "tanh-output",
    "The derivative of tanh, in terms of its output",
    _by(tanh, z),
    Step("=", 4 / (EP + E) ** 2, "the derivative in terms of z", "theorem", (TANH_INPUT,)),
    Step("=", 1 - T**2, r"$`(e^z + e^{-z})^2 - (e^z - e^{-z})^2 = 4`$", "fractions", (TANH,)),
)
TANH_BELOW = _theorem(
    "tanh-range",
    "Tanh is above −1",
    T,
    Step("=", -1 + 2 * EP / (EP + E), "as defined, and −1 taken out", "fractions", (TANH,)),
    Step(">", Rational(-1), "what is added is positive", "signs"),
)
TANH_ABOVE = _theorem(
    "tanh-range-above",
    "Tanh is below 1",
    T,
    Step("=", 1 - 2 * E / (EP + E), "as defined, and 1 taken out", "fractions", (TANH,)),
    Step("<", ONE, "what is taken away is positive", "signs"),
)
TANH_RISES = _theorem(
    "tanh-rises",
    "Tanh rises everywhere",
    _by(tanh, z),
    Step("=", 4 / (EP + E) ** 2, "in terms of z", "theorem", (TANH_INPUT,)),
    Step(">", ZERO, "all of it is positive", "signs"),
)
TANH_SLOPE = _theorem(
    "tanh-slope",
    "The largest slope of tanh",
    _by(tanh, z),
    Step("=", 1 - T**2, "in terms of the output", "theorem", (TANH_OUTPUT,)),
    Step("≤", ONE, "what is missing is a square", "signs"),
)
TANH_STEEPEST = _value("tanh-steepest", "Where tanh is steepest", _at(tanh, 0), ONE, "the derivative at z = 0", TANH)
TANH_SECOND = _theorem(
    "tanh-second",
    "The second derivative of tanh",
    _by(tanh, z, 2),
    Step("=", -2 * T * (1 - T**2), r"the chain rule for $`1 - \tanh^2`$", "derivative", (TANH,)),
)
_third, _bend = 1 / sqrt(3), 4 / (3 * sqrt(3))
TANH_BENDS_DOWN = _theorem(
    "tanh-curvature-below",
    "The second derivative of tanh is not below −4/(3√3)",
    _by(tanh, z, 2),
    Step("=", -2 * T * (1 - T**2), "in terms of the output", "theorem", (TANH_SECOND,)),
    Step(
        "≥",
        -_bend,
        (
            r"with $`s = \tanh(z)`$, $`\frac{4}{3\sqrt{3}} - 2s(1 - s^2) = 2 (s - \frac{1}{\sqrt{3}})^2 "
            r"(s + \frac{2}{\sqrt{3}})`$"
        ),
        "signs",
        bounds=(Bound(2 * (T - _third) ** 2, (TANH_BELOW,)), Bound(2 * (T - _third) ** 2 * (2 * _third - 1))),
    ),
)
TANH_BENDS_UP = _theorem(
    "tanh-curvature-above",
    "The second derivative of tanh is not above 4/(3√3)",
    _by(tanh, z, 2),
    Step("=", -2 * T * (1 - T**2), "in terms of the output", "theorem", (TANH_SECOND,)),
    Step(
        "≤",
        _bend,
        "the same with −s for s",
        "signs",
        bounds=(Bound(2 * (T + _third) ** 2, (TANH_ABOVE,)), Bound(2 * (T + _third) ** 2 * (2 * _third - 1))),
    ),
)
TANH_CURVATURE = _absolute("tanh-curvature", "The largest curvature of tanh", TANH_BENDS_UP, TANH_BENDS_DOWN)
TANH_BENT = _value(
    "tanh-most-bent",
    "Where tanh is most bent",
    _at(tanh, -log(2 + sqrt(3)) / 2, 2),
    _bend,
    r"there $`e^{-2z} = 2 + \sqrt{3}`$ and $`s = -\frac{1}{\sqrt{3}}`$",
    TANH,
)
TANH_THEOREMS = (
    TANH_INPUT,
    TANH_OUTPUT,
    TANH_SIGMOID,
    TANH_ODD,
    TANH_BELOW,
    TANH_ABOVE,
    TANH_RISES,
    TANH_SLOPE,
    TANH_STEEPEST,
    TANH_SECOND,
    TANH_BENDS_DOWN,
    TANH_BENDS_UP,
    TANH_CURVATURE,
    TANH_BENT,
)

# ----------------------------------------------------------------------------------------------------------- softplus

SOFTPLUS = _defined("Softplus", zeta(z), log(1 + EP), "softplus", f"{GOODFELLOW}, eq. (3.31)")
SOFTPLUS_INPUT = _derived(
    "Softplus",
    zeta,
    SOFTPLUS,
    EP / (1 + EP),
    "the chain rule for log",
    simpler=(Step("=", 1 / (1 + E), r"multiply above and below by $`e^{-z}`$: it is σ(z)", "fractions"),),
)
SOFTPLUS_SIGMOID = _theorem(
    "softplus-sigmoid",
    "The derivative of softplus is the sigmoid",
    _by(zeta, z),
    Step("=", 1 / (1 + E), "the derivative in terms of z", "theorem", (SOFTPLUS_INPUT,)),
    Step("=", S, "which is what σ is", "definition", (SIGMOID,)),
)
SOFTPLUS_OUTPUT = _theorem(
    "softplus-output",
    "The derivative of softplus, in terms of its output",
    _by(zeta, z),
    Step("=", 1 / (1 + E), "the derivative in terms of z", "theorem", (SOFTPLUS_INPUT,)),
    Step("=", 1 - exp(-zeta(z)), r"$`e^{-\zeta} = 1/(1 + e^z)`$", "fractions", (SOFTPLUS,)),
)
SOFTPLUS_RANGE = _theorem(
    "softplus-range",
    "Softplus is positive",
    zeta(z),
    Step("=", log(1 + EP), "as defined", "definition", (SOFTPLUS,)),
    Step(">", ZERO, "the logarithm of more than 1", "signs"),
)
SOFTPLUS_SLOPE = _theorem(
    "softplus-slope",
    "The slope of softplus is less than 1",
    _by(zeta, z),
    Step("=", S, "the sigmoid", "theorem", (SOFTPLUS_SIGMOID,)),
    Step("<", ONE, "which is less than 1", "signs", bounds=(Bound(ONE, (SIGMOID_ABOVE,)),)),
)
SOFTPLUS_RISES = _theorem(
    "softplus-rises",
    "Softplus rises everywhere",
    _by(zeta, z),
    Step("=", S, "the sigmoid", "theorem", (SOFTPLUS_SIGMOID,)),
    Step(">", ZERO, "which is positive", "signs", bounds=(Bound(ONE, (SIGMOID_BELOW,)),)),
)
SOFTPLUS_CURVATURE = _theorem(
    "softplus-curvature",
    "The largest curvature of softplus",
    _by(zeta, z, 2),
    Step("=", _by(sigma, z), "the derivative of the sigmoid", "derivative", (SOFTPLUS, SIGMOID)),
    Step(
        "≤",
        Rational(1, 4),
        "the largest slope of the sigmoid, which is positive",
        "signs",
        bounds=(Bound(ONE, (SIGMOID_SLOPE,)),),
    ),
)
SOFTPLUS_THEOREMS = (
    SOFTPLUS_INPUT,
    SOFTPLUS_SIGMOID,
    SOFTPLUS_OUTPUT,
    SOFTPLUS_RANGE,
    SOFTPLUS_RISES,
    SOFTPLUS_SLOPE,
    SOFTPLUS_CURVATURE,
)

# --------------------------------------------------------------------------------- ReLU, the leaky ReLU, and ELU: kinks

GREATER, LESS = "z > 0", "z < 0"
RELU = _defined("ReLU", relu(z), Max(z, 0), "the rectified linear unit", f"{GOODFELLOW}, section 6.3.1")
LEAKY = _defined(
    "LeakyReLU",
    leaky(z),
    Max(z, 0) + slope * Min(z, 0),
    "the leaky ReLU, with a slope λ > 0 on the left",
    'Maas, Hannun, Ng, "Rectifier nonlinearities improve neural network acoustic models" (2013), section 2',
    slope,
)
ELU = _defined(
    "ELU",
    elu(z),
    Max(z, 0) + alpha * (exp(Min(z, 0)) - 1),
    "the exponential linear unit, with α > 0",
    'Clevert, Unterthiner, Hochreiter, "Fast and accurate deep network learning by exponential linear units" (2016), '
    "eq. (15)",
    alpha,
)


def _sides(
    kind: str, g: Any, definition: Definition, below: Expression, why: str, parameter: Letter | None = None
) -> Any:
    """The derivatives right and left of a kink."""
    return (
        _derived(
            kind,
            g,
            definition,
            ONE,
            "for positive z it is z",
            where=right,
            holds=GREATER,
            draw=_positive,
            parameter=parameter,
        ),
        _derived(
            kind, g, definition, below, why, where=left, holds=LESS, draw=_negative, suffix="-left", parameter=parameter
        ),
    )


RELU_RIGHT, RELU_LEFT = _sides("ReLU", relu, RELU, ZERO, "for negative z it is 0")
LEAKY_RIGHT, LEAKY_LEFT = _sides("LeakyReLU", leaky, LEAKY, slope, "for negative z it is λz", slope)
ELU_RIGHT, ELU_LEFT = _sides("ELU", elu, ELU, alpha * exp(left), r"for negative z it is $`\alpha (e^z - 1)`$", alpha)


def _convention(kind: str, g: Any, value: Expression, parameter: Letter | None = None, but: str = "") -> Definition:
    """What refnn takes for the derivative at 0."""
    return Definition(
        _at(g, 0),
        value,
        "",
        f"at its kink {NAMES[kind]} has no derivative{but}; refnn takes that of the left side, by convention",
        code=(f"refnn.activations:{kind}.derivative",),
        run=_run(_derivative(kind), _zero, parameter),
    )


RELU_KINK = _convention("ReLU", relu, ZERO)
LEAKY_KINK = _convention("LeakyReLU", leaky, slope, slope)
ELU_KINK = _convention("ELU", elu, alpha, alpha, ", unless α is 1")


def _quotients(id_: str, name: str, g: Any, definition: Definition, below: Expression) -> tuple[Theorem, Theorem]:
    """The limits of the difference quotients at 0, from both sides."""
    after, before = Letter("h", positive=True), Letter("h", negative=True)
    found = []
    for side, h, sign, value in (("right", after, "+", ONE), ("left", before, "-", below)):
        quotient = Limit((g(h) - g(ZERO)) / h, h, 0, sign)
        found.append(
            Theorem(
                f"{id_}-kink-{side}",
                f"The slope of {name} at 0, from the {side}",
                quotient,
                (Step("=", value, "as defined for such h", "limit", (definition,)),),
            )
        )
    return found[0], found[1]


RELU_QUOTIENTS = _quotients("relu", "ReLU", relu, RELU, ZERO)
LEAKY_QUOTIENTS = _quotients("leakyrelu", "the leaky ReLU", leaky, LEAKY, slope)
ELU_QUOTIENTS = _quotients("elu", "ELU", elu, ELU, alpha)

g = Letter("c", real=True)
AT_MOST_ONE = Assumption(g, "≤", ONE, "that c is at most the slope on the right")
AT_LEAST_ZERO = Assumption(g, "≥", ZERO, "that c is at least the slope on the left")
AT_LEAST_SLOPE = Assumption(g, "≥", slope, "that c is at least the slope on the left")
AT_LEAST_ALPHA = Assumption(g, "≥", alpha, "that c is at least the slope on the left")


def _subgradient(
    id_: str, name: str, h: Any, definition: Definition, side: str, least: Assumption, below: Expression
) -> Theorem:
    """That a line through the kink stays below, on one side."""
    where, holds = (right, GREATER) if side == "right" else (left, LESS)
    value = right if side == "right" else below
    bound = Bound(right, (AT_MOST_ONE,)) if side == "right" else Bound(-left, (least,))
    why = "c is at most 1, and z > 0" if side == "right" else "c is not less than that slope, and z < 0"
    return Theorem(
        f"{id_}-subgradient{'' if side == 'right' else '-left'}",
        f"Every slope between the two is a subgradient of {name} at 0: {'z > 0' if side == 'right' else 'z < 0'}",
        h(where),
        (
            Step("=", value, "as defined", "definition", (definition,)),
            Step("≥", h(ZERO) + g * where, f"{why}; and its value at 0 is 0", "signs", (definition,), (bound,)),
        ),
        assuming=(AT_MOST_ONE,) if side == "right" else (least,),
        holds=holds,
    )


RELU_SUBGRADIENT = tuple(
    _subgradient("relu", "ReLU", relu, RELU, side, AT_LEAST_ZERO, ZERO) for side in ("right", "left")
)
LEAKY_SUBGRADIENT = tuple(
    _subgradient("leakyrelu", "the leaky ReLU", leaky, LEAKY, side, AT_LEAST_SLOPE, slope * left)
    for side in ("right", "left")
)
ELU_CHORD = Theorem(
    "elu-subgradient-left",
    "Every slope between the two is a subgradient of ELU at 0: z < 0",
    elu(left),
    (
        Step("=", alpha * (exp(left) - 1), "as defined", "definition", (ELU,)),
        Step(
            "≥",
            alpha * left,
            "the exponential lies above its tangent",
            "signs",
            (),
            (Bound(alpha, (TANGENT.at({x: left}),)),),
        ),
        Step(
            "≥",
            elu(ZERO) + g * left,
            "c is not less than α, and z < 0; and its value at 0 is 0",
            "signs",
            (ELU,),
            (Bound(-left, (AT_LEAST_ALPHA,)),),
        ),
    ),
    assuming=(AT_LEAST_ALPHA,),
    holds=LESS,
)
ELU_SUBGRADIENT = (_subgradient("elu", "ELU", elu, ELU, "right", AT_LEAST_ALPHA, ZERO), ELU_CHORD)

SMALL_SLOPE = Assumption(slope, "≤", ONE, "that the slope on the left is not the larger one")
RELU_GATES = tuple(
    _gate(f"relu-gate{suffix}", "ReLU", relu, RELU, "one of the two is 0", where, holds=holds, sizes="")
    for suffix, where, holds in (("", right, GREATER), ("-left", left, LESS))
)
RELU_THEOREMS = (
    RELU_RIGHT,
    RELU_LEFT,
    *RELU_GATES,
    *RELU_QUOTIENTS,
    RELU_KINK,
    *RELU_SUBGRADIENT,
    _theorem(
        "relu-range",
        "ReLU is not negative",
        relu(z),
        Step("=", Max(z, 0), "as defined", "definition", (RELU,)),
        Step("≥", ZERO, "the larger of z and 0", "signs"),
    ),
    _theorem(
        "relu-slope",
        "The largest slope of ReLU is that on the right",
        _by(relu, left),
        Step("=", ZERO, "the derivative left of the kink", "theorem", (RELU_LEFT,)),
        Step("<", ONE, "and right of it, it is 1", "signs"),
        holds=LESS,
        sizes="",
    ),
    *(
        _theorem(
            f"relu-curvature{suffix}",
            f"ReLU is straight {name}",
            _by(relu, where, 2),
            Step("=", ZERO, "a line has no curvature", "derivative", (RELU,)),
            holds=holds,
            sizes="",
        )
        for suffix, name, where, holds in (
            ("", "right of its kink", right, GREATER),
            ("-left", "left of its kink", left, LESS),
        )
    ),
)
LEAKY_THEOREMS = (
    LEAKY_RIGHT,
    LEAKY_LEFT,
    *LEAKY_QUOTIENTS,
    LEAKY_KINK,
    *LEAKY_SUBGRADIENT,
    Theorem(
        "leakyrelu-range",
        "The leaky ReLU takes every value that is not negative",
        leaky(t),
        (Step("=", t, "as defined", "definition", (LEAKY,)),),
        sizes="all t ≥ 0",
    ),
    Theorem(
        "leakyrelu-range-left",
        "The leaky ReLU takes every value that is not positive",
        leaky(-t / slope),
        (Step("=", -t, "as defined: λ cancels", "definition", (LEAKY,)),),
        sizes="all t ≥ 0 and all λ > 0",
    ),
    Theorem(
        "leakyrelu-slope",
        "The largest slope of the leaky ReLU",
        _by(leaky, left),
        (
            Step("=", slope, "the derivative left of the kink", "theorem", (LEAKY_LEFT,)),
            Step("≤", ONE, "which is what it is right of the kink", "signs", (), (Bound(ONE, (SMALL_SLOPE,)),)),
        ),
        assuming=(SMALL_SLOPE,),
        holds=LESS,
    ),
    *(
        _theorem(
            f"leakyrelu-curvature{suffix}",
            f"The leaky ReLU is straight {name}",
            _by(leaky, where, 2),
            Step("=", ZERO, "a line has no curvature", "derivative", (LEAKY,)),
            holds=holds,
            sizes="",
        )
        for suffix, name, where, holds in (
            ("", "right of its kink", right, GREATER),
            ("-left", "left of its kink", left, LESS),
        )
    ),
)
NEGATIVE_EXP = FALLING.at({t: -left})
ELU_THEOREMS = (
    ELU_RIGHT,
    ELU_LEFT,
    Theorem(
        "elu-output",
        "The derivative of ELU, in terms of its output, left of the kink",
        _by(elu, left),
        (
            Step("=", alpha * exp(left), "the derivative in terms of z", "theorem", (ELU_LEFT,)),
            Step("=", elu(left) + alpha, r"its output is $`\alpha e^z - \alpha`$", "definition", (ELU,)),
        ),
        holds=LESS,
    ),
    *ELU_QUOTIENTS,
    ELU_KINK,
    *ELU_SUBGRADIENT,
    _theorem(
        "elu-range",
        "ELU is above −α",
        elu(z),
        Step("=", Max(z, 0) + alpha * (exp(Min(z, 0)) - 1), "as defined", "definition", (ELU,)),
        Step(">", -alpha, "the larger of z and 0 is not negative, and the exponential is positive", "signs"),
    ),
    Theorem(
        "elu-slope",
        "The largest slope of ELU, left of the kink",
        _by(elu, left),
        (
            Step("=", alpha * exp(left), "the derivative left of the kink", "theorem", (ELU_LEFT,)),
            Step("≤", alpha, "the exponential of what is negative", "signs", (), (Bound(alpha, (NEGATIVE_EXP,)),)),
        ),
        holds=LESS,
    ),
    Theorem(
        "elu-curvature",
        "The largest curvature of ELU, left of the kink",
        Abs(_by(elu, left, 2)),
        (
            Step("=", alpha * exp(left), "the second derivative, which is positive", "derivative", (ELU,)),
            Step("≤", alpha, "the exponential of what is negative", "signs", (), (Bound(alpha, (NEGATIVE_EXP,)),)),
        ),
        holds=LESS,
    ),
    _theorem(
        "elu-curvature-right",
        "ELU is straight right of its kink",
        _by(elu, right, 2),
        Step("=", ZERO, "a line has no curvature", "derivative", (ELU,)),
        holds=GREATER,
        sizes="",
    ),
)

# ---------------------------------------------------------------------------------------------------------------- SiLU

SILU = _defined(
    "SiLU",
    silu(z),
    z / (1 + E),
    "the sigmoid linear unit, or swish, z σ(z)",
    'Elfwing, Uchibe, Doya, "Sigmoid-weighted linear units for neural network function approximation in reinforcement '
    'learning" (2018), eq. (1)',
)
SILU_INPUT = _derived("SiLU", silu, SILU, 1 / (1 + E) + z * E / (1 + E) ** 2, "the product rule")
SILU_OUTPUT = _theorem(
    "silu-output",
    "The derivative of SiLU, in terms of the sigmoid and its own output",
    _by(silu, z),
    Step("=", 1 / (1 + E) + z * E / (1 + E) ** 2, "the derivative in terms of z", "theorem", (SILU_INPUT,)),
    Step(
        "=",
        S + silu(z) * (1 - S),
        r"$`\sigma' = \sigma (1 - \sigma)`$, and $`z \sigma`$ is the output",
        "fractions",
        (SILU, SIGMOID),
    ),
)
SILU_GATE = _gate("silu-gate", "SiLU", silu, SILU, r"$`z (\sigma(z) + \sigma(-z)) = z`$")
SILU_SYMMETRY = _theorem(
    "silu-symmetry",
    "The slopes of SiLU at z and −z",
    _at(silu, -z),
    Step(
        "=",
        1 - _by(silu, z),
        r"$`z \sigma(z) + z \sigma(-z) = z`$, of which the derivative is taken",
        "derivative",
        (SILU,),
    ),
)
b = Letter("b", positive=True)
SLOPE_NUMBER = Assumption(b * log(1 + b), "≤", 2 * (2 + b), "that b is not too large")


def _silu_bounds(y: Expression) -> tuple[Bound, ...]:
    """With y = e^a: the exponential above its tangents at a and at −a."""
    return (
        Bound(exp(-y) / (1 + exp(-y)) ** 2 * (1 + b) / b, (TANGENT.at({x: y - log(1 + b)}),)),
        Bound(exp(-y) / (1 + exp(-y)) ** 2 / b, (TANGENT.at({x: log(1 + b) - y}),)),
        Bound(exp(-y) / (1 + exp(-y)) ** 2 / b, (SLOPE_NUMBER,)),
    )


SILU_STEEP = _theorem(
    "silu-slope-any",
    "A bound of the slope of SiLU for each b",
    _by(silu, z),
    Step("=", 1 / (1 + E) + z * E / (1 + E) ** 2, "the derivative in terms of z", "theorem", (SILU_INPUT,)),
    Step(
        "≤",
        1 + 1 / b,
        r"with $`a = \ln(1 + b)`$: $`e^{z-a} \ge 1 + z - a`$ and $`e^{a-z} \ge 1 + a - z`$",
        "signs",
        bounds=_silu_bounds(z),
    ),
    assuming=(SLOPE_NUMBER,),
    sizes="all real z and all b > 0 that are not too large",
)
SILU_FLAT = _theorem(
    "silu-slope-any-below",
    "A bound of the slope of SiLU from below for each b",
    _by(silu, z),
    Step("=", 1 / (1 + E) + z * E / (1 + E) ** 2, "the derivative in terms of z", "theorem", (SILU_INPUT,)),
    Step("≥", -1 / b, "the same for −z, as the two slopes add up to 1", "signs", bounds=_silu_bounds(-z)),
    assuming=(SLOPE_NUMBER,),
    sizes="all real z and all b > 0 that are not too large",
)
SILU_NUMBER = Theorem(
    "silu-slope-number",
    "Ten is not too large",
    10 * log(Integer(11)),
    (Step("≤", Integer(24), "23.979 in balls: one number", "balls"),),
)
SILU_ABOVE = _theorem(
    "silu-slope-above",
    "The slope of SiLU is at most 1.1",
    _by(silu, z),
    Step("≤", Rational(11, 10), "with b = 10", "signs", bounds=(Bound(ONE, (SILU_STEEP.at({b: Integer(10)}),)),)),
)
SILU_BELOW = _theorem(
    "silu-slope-below",
    "The slope of SiLU is at least −1.1",
    _by(silu, z),
    Step("≥", Rational(-1, 10), "with b = 10", "signs", bounds=(Bound(ONE, (SILU_FLAT.at({b: Integer(10)}),)),)),
    Step("≥", Rational(-11, 10), "which is more than −1.1", "signs"),
)
SILU_SLOPE = _absolute("silu-slope", "The slope of SiLU is at most 1.1 in size", SILU_ABOVE, SILU_BELOW)

a = Letter("a", positive=True)
RANGE_NUMBER = Assumption(exp(-a), "≥", a - 1, "that a is not too large")
SILU_LOW = _theorem(
    "silu-range-any",
    "A bound of SiLU from below for each a",
    silu(z),
    Step("=", z / (1 + E), "as defined", "definition", (SILU,)),
    Step(
        "≥",
        -exp(-a),
        r"$`e^{-z-a} \ge 1 - z - a`$, and what is assumed of a",
        "signs",
        bounds=(Bound(1 / (1 + E), (TANGENT.at({x: -z - a}),)), Bound(1 / (1 + E), (RANGE_NUMBER,))),
    ),
    assuming=(RANGE_NUMBER,),
    sizes="all real z and all a > 0 that are not too large",
)
SILU_RANGE_NUMBER = Theorem(
    "silu-range-number",
    "1.277 is not too large",
    exp(Rational(-1277, 1000)),
    (Step("≥", Rational(277, 1000), "0.27887 in balls: one number", "balls"),),
)
SILU_RANGE = _theorem(
    "silu-range",
    "SiLU is at least −0.279",
    silu(z),
    Step(
        "≥",
        -exp(Rational(-1277, 1000)),
        "with a = 1.277",
        "signs",
        bounds=(Bound(ONE, (SILU_LOW.at({a: Rational(1277, 1000)}),)),),
    ),
    Step("≥", Rational(-279, 1000), "one number", "balls"),
)
_silu_second = E * (2 * (1 + E) - z * (1 - E)) / (1 + E) ** 3
SILU_SECOND = _theorem(
    "silu-second",
    "The second derivative of SiLU",
    _by(silu, z, 2),
    Step("=", _silu_second, r"the product rule: $`2 \sigma' + z \sigma''`$", "derivative", (SILU,)),
)
SILU_EVEN = _theorem(
    "silu-second-even",
    "The second derivative of SiLU is even",
    _at(silu, -z, 2),
    Step("=", _by(silu, z, 2), "the slopes at z and −z add up to 1, so theirs are equal", "derivative", (SILU,)),
)
ET = exp(-t)
_silu_second_t = _silu_second.xreplace({z: t})
NOT_NEGATIVE = "all t ≥ 0; for −t the second derivative is the same, for it is even"
SILU_BENDS_UP = _theorem(
    "silu-curvature-above",
    "The second derivative of SiLU is at most ½",
    _by(silu, t, 2),
    Step("=", _silu_second_t, "in terms of t", "theorem", (SILU_SECOND.at({z: t}),)),
    Step(
        "≤",
        HALF,
        r"of σ′ ≤ ¼ a square is left, and $`t (1 - e^{-t}) \ge 0`$: exp lies above its tangent",
        "signs",
        bounds=(
            Bound((1 - ET) ** 2 / (2 * (1 + ET) ** 2)),
            Bound(ET / (1 + ET) ** 3, (TANGENT.at({x: -t}),)),
            Bound(ET**2 / (1 + ET) ** 3, (TANGENT.at({x: t}),)),
        ),
    ),
    sizes=NOT_NEGATIVE,
)
SILU_BENDS_DOWN = _theorem(
    "silu-curvature-below",
    "The second derivative of SiLU is at least −½",
    _by(silu, t, 2),
    Step("=", _silu_second_t, "in terms of t", "theorem", (SILU_SECOND.at({z: t}),)),
    Step(
        "≥",
        -HALF,
        r"$`(e^t - 2t)(1 - e^{-t})`$ is not negative, and what else is left is a sum of what is positive",
        "signs",
        bounds=(Bound(ET / (1 + ET) ** 3 / 2, (TWICE, FALLING)),),
    ),
    sizes=NOT_NEGATIVE,
)
SILU_CURVATURE = _absolute(
    "silu-curvature", "The largest curvature of SiLU", SILU_BENDS_UP, SILU_BENDS_DOWN, sizes=NOT_NEGATIVE
)
SILU_BENT = _value("silu-most-bent", "Where SiLU is most bent", _at(silu, 0, 2), HALF, "it is 2σ′(0)", SILU)
SILU_THEOREMS = (
    SILU_INPUT,
    SILU_OUTPUT,
    SILU_GATE,
    SILU_SYMMETRY,
    SILU_STEEP,
    SILU_FLAT,
    SILU_NUMBER,
    SILU_ABOVE,
    SILU_BELOW,
    SILU_SLOPE,
    SILU_LOW,
    SILU_RANGE_NUMBER,
    SILU_RANGE,
    SILU_SECOND,
    SILU_EVEN,
    SILU_BENDS_UP,
    SILU_BENDS_DOWN,
    SILU_CURVATURE,
    SILU_BENT,
)

# ---------------------------------------------------------------------------------------------------------------- GELU

ROOT = sqrt(2)
GELU = _defined(
    "GELU",
    gelu(z),
    z * (1 + erf(z / ROOT)) / 2,
    r"the Gaussian error linear unit, $`z \Phi(z)`$ with the distribution function Φ of the standard normal",
    'Hendrycks, Gimpel, "Gaussian error linear units" (2016), section 2',
)


def _density(y: Expression) -> Expression:
    """φ, of the standard normal."""
    return exp(-(y**2) / 2) / sqrt(2 * pi)


def _gelu_slope(y: Expression) -> Expression:
    return (1 + erf(y / ROOT)) / 2 + y * _density(y)


GELU_INPUT = _derived("GELU", gelu, GELU, _gelu_slope(z), r"the product rule, and $`\Phi' = \varphi`$")
GELU_GATE = _gate("gelu-gate", "GELU", gelu, GELU, r"$`z (\Phi(z) + \Phi(-z)) = z`$, as erf is odd")
GELU_SYMMETRY = _theorem(
    "gelu-symmetry",
    "The slopes of GELU at z and −z",
    _at(gelu, -z),
    Step(
        "=",
        1 - _by(gelu, z),
        r"$`z \Phi(z) + z \Phi(-z) = z`$, of which the derivative is taken",
        "derivative",
        (GELU,),
    ),
)
GELU_SECOND = _theorem(
    "gelu-second",
    "The second derivative of GELU",
    _by(gelu, z, 2),
    Step(
        "=",
        _density(z) * (2 - z**2),
        r"$`2 \varphi + z \varphi'`$, and $`\varphi' = -z \varphi`$",
        "derivative",
        (GELU,),
    ),
)
GELU_THIRD = _theorem(
    "gelu-third",
    "The third derivative of GELU",
    _by(gelu, z, 3),
    Step("=", _density(z) * (z**3 - 4 * z), r"once more $`\varphi' = -z \varphi`$", "derivative", (GELU,)),
)
TOP = (1 + erf(ONE)) / 2 + exp(-1) / sqrt(pi)
GELU_STEEPEST = _value(
    "gelu-steepest", "Where GELU is steepest", _at(gelu, ROOT), TOP, "the derivative at z = √2", GELU
)
GELU_BEYOND = Theorem(
    "gelu-slope-beyond",
    "The slope of GELU beyond √2",
    _at(gelu, ROOT + t),
    (
        Step("=", _gelu_slope(ROOT + t), "the derivative at √2 + t", "derivative", (GELU,)),
        Step("≤", TOP, r"equal for t = 0; and then it falls, as $`f'' = \varphi(z) (2 - z^2) < 0`$", "growth"),
    ),
    sizes="all t ≥ 0, which is z ≥ √2",
)
_inside = ROOT * (1 - u) / (1 + u)
GELU_SLOPE = Theorem(
    "gelu-slope",
    "The largest slope of GELU",
    _at(gelu, _inside),
    (
        Step("=", _gelu_slope(_inside), "the derivative at √2 (1 − u)/(1 + u)", "derivative", (GELU,)),
        Step(
            "≤",
            TOP,
            r"equal for u = 0; and it falls with u, as $`f'' = \varphi(z) (2 - z^2) \ge 0`$ and z falls with u",
            "growth",
        ),
    ),
    sizes="all u ≥ 0, which is −√2 < z ≤ √2",
)
GELU_LEFT = Theorem(
    "gelu-slope-left",
    "The slope of GELU where z is negative",
    _at(gelu, -p),
    (
        Step("=", (1 - erf(p / ROOT)) / 2 - p * _density(p), "the derivative at −p", "derivative", (GELU,)),
        Step("≤", HALF, "what is taken away is not negative", "signs"),
        Step("<", TOP, "which is more than ½", "signs"),
    ),
    sizes="all p ≥ 0, which is z ≤ 0",
)
FLAT = 2 / sqrt(2 * pi)
GELU_BENDS_UP = _theorem(
    "gelu-curvature-above",
    "The second derivative of GELU is at most √(2/π)",
    _by(gelu, z, 2),
    Step("=", _density(z) * (2 - z**2), "in terms of z", "theorem", (GELU_SECOND,)),
    Step("≤", FLAT, r"$`e^{-z^2/2} \le 1`$", "signs", bounds=(Bound(FLAT, (FALLING.at({t: z**2 / 2}),)),)),
)
GELU_BENDS_DOWN = _theorem(
    "gelu-curvature-below",
    "The second derivative of GELU is at least −√(2/π)",
    _by(gelu, z, 2),
    Step("=", _density(z) * (2 - z**2), "in terms of z", "theorem", (GELU_SECOND,)),
    Step(
        "≥",
        -FLAT,
        r"$`e^{z^2/2} \ge 1 + z^2/2`$",
        "signs",
        bounds=(Bound(2 * _density(z), (TANGENT.at({x: z**2 / 2}),)),),
    ),
)
GELU_CURVATURE = _absolute("gelu-curvature", "The largest curvature of GELU", GELU_BENDS_UP, GELU_BENDS_DOWN)
GELU_BENT = _value("gelu-most-bent", "Where GELU is most bent", _at(gelu, 0, 2), FLAT, "it is 2φ(0)", GELU)

_far = 2 + t
NEAR = Between("z", -2, 0)
TAIL = Definition(
    erfc(_far / ROOT),
    1 - erf(_far / ROOT),
    "",
    "the complementary error function; half of it is Φ(−z)",
    "Abramowitz, Stegun, eq. (7.1.2)",
)
MILLS = Theorem(
    "normal-tail",
    "The tail of the normal distribution",
    z * erfc(z / ROOT) / 2,
    (
        Step(
            "≤",
            _density(z),
            "both vanish at infinity, and the difference has the slope −Φ(−z): it falls to 0",
            "decay",
        ),
    ),
    sizes="all real z",
)
LOWEST = Rational(-17, 100)
GELU_FAR = Theorem(
    "gelu-range-left",
    "GELU is at least −0.17 left of −2",
    gelu(-_far),
    (
        Step("=", -_far * (1 - erf(_far / ROOT)) / 2, "as defined", "definition", (GELU,)),
        Step("=", -_far * erfc(_far / ROOT) / 2, "half of erfc is Φ(−z)", "definition", (TAIL,)),
        Step(
            "≥",
            -_density(_far),
            "the tail of the normal distribution",
            "signs",
            bounds=(Bound(ONE, (MILLS.at({z: _far}),)),),
        ),
        Step("≥", LOWEST, "at z = −2 it is −0.054, and from there it rises", "growth"),
    ),
    sizes="all t ≥ 0, which is z ≤ −2",
)
GELU_RANGE = Theorem(
    "gelu-range",
    "GELU is at least −0.17 between −2 and 0",
    gelu(NEAR),
    (
        Step("=", NEAR * (1 + erf(NEAR / ROOT)) / 2, "as defined", "definition", (GELU,)),
        Step("≥", LOWEST, "in balls, tile by tile", "balls"),
    ),
    sizes="−2 ≤ z ≤ 0",
)
GELU_RIGHT = Theorem(
    "gelu-range-right",
    "GELU is at least −0.17 right of 0",
    gelu(p),
    (
        Step("=", p * (1 + erf(p / ROOT)) / 2, "as defined", "definition", (GELU,)),
        Step("≥", ZERO, "no factor is negative", "signs"),
        Step("≥", LOWEST, "so much the more", "signs"),
    ),
    sizes="all p ≥ 0",
)
GELU_THEOREMS = (
    GELU_INPUT,
    GELU_GATE,
    GELU_SYMMETRY,
    GELU_SECOND,
    GELU_THIRD,
    GELU_STEEPEST,
    GELU_BEYOND,
    GELU_SLOPE,
    GELU_LEFT,
    GELU_BENDS_UP,
    GELU_BENDS_DOWN,
    GELU_CURVATURE,
    GELU_BENT,
    TAIL,
    MILLS,
    GELU_FAR,
    GELU_RANGE,
    GELU_RIGHT,
)

# ------------------------------------------------------------------------------------- GELU's approximation by tanh

CUBIC = Rational(44715, 1_000_000)
SCALE = sqrt(2 / pi)
kappa, epsilon = Function("kappa", nonnegative=True), Function("epsilon", positive=True)


def _tanh(at: Expression) -> Expression:
    """Of the inner polynomial."""
    return hyperbolic_tangent(SCALE * (at + CUBIC * at**3))


def _inner(at: Expression) -> Expression:
    """The inner polynomial, by κ."""
    return SCALE * at * (1 + kappa(at) / 3)


def _tanh_slope(at: Expression) -> Expression:
    e = epsilon(at)
    return 1 / (1 + e) + 2 * SCALE * at * (1 + kappa(at)) * e / (1 + e) ** 2


def _tanh_second(at: Expression) -> Expression:
    return _form.subs(_of_form(at), simultaneous=True)


def _of_form(at: Expression) -> dict[Any, Expression]:
    """What stands in the form of the second derivative."""
    return {e: epsilon(at), w: SCALE * (1 + kappa(at)), d: 2 * SCALE * kappa(at), y: at}


GELU_TANH = _defined(
    "GELUTanh",
    gelu_tanh(z),
    z * (1 + _tanh(z)) / 2,
    "GELU's approximation by tanh, with the factor 0.044715 = 8943/200000",
    'Hendrycks, Gimpel, "Gaussian error linear units" (2016), section 2',
)
KAPPA = Definition(kappa(z), 3 * CUBIC * z**2, "", "the part of the inner slope that grows")
EPSILON = Definition(
    epsilon(z), exp(-2 * _inner(z)), "", "the exponential that ½ (1 + tanh) is made of, as in [[tanh-sigmoid]]"
)
NAMED = (EPSILON, KAPPA)
GELU_TANH_INPUT = _derived(
    "GELUTanh",
    gelu_tanh,
    GELU_TANH,
    (1 + _tanh(z)) / 2 + z * (1 - _tanh(z) ** 2) * SCALE * (1 + 3 * CUBIC * z**2) / 2,
    r"the product and the chain rule: the inner slope is $`\sqrt{2/\pi}\, (1 + 3 \cdot 0.044715\, z^2)`$",
)
GELU_TANH_STEP = _theorem(
    "gelutanh-step",
    "GELU's approximation is z times a sigmoid",
    gelu_tanh(z),
    Step("=", z * (1 + _tanh(z)) / 2, "as defined", "definition", (GELU_TANH,)),
    Step(
        "=", z / (1 + epsilon(z)), r"$`\frac{1}{2} (1 + \tanh u) = 1/(1 + e^{-2u})`$ for every u", "exponentials", NAMED
    ),
)
GELU_TANH_FIRST = _theorem(
    "gelutanh-first",
    "The derivative of GELU's approximation, in terms of ε",
    _by(gelu_tanh, z),
    Step("=", Derivative(z / (1 + epsilon(z)), z), "z times a sigmoid", "theorem", (GELU_TANH_STEP,)),
    Step(
        "=",
        _tanh_slope(z),
        r"the product and the chain rule: $`\epsilon' = -2 \sqrt{2/\pi}\, (1 + \kappa)\, \epsilon`$",
        "derivative",
        NAMED,
    ),
)
GELU_TANH_GATE = _gate(
    "gelutanh-gate", "GELU's approximation", gelu_tanh, GELU_TANH, "tanh is odd, and so is its argument u"
)
GELU_TANH_SYMMETRY = _theorem(
    "gelutanh-symmetry",
    "The slopes of GELU's approximation at z and −z",
    _at(gelu_tanh, -z),
    Step(
        "=",
        1 - _by(gelu_tanh, z),
        "the values at z and −z differ by z, of which the derivative is taken",
        "derivative",
        (GELU_TANH,),
    ),
)
e, w, d, y = (Letter(name, nonnegative=True) for name in "ewdy")
_form = 4 * w * e / (1 + e) ** 2 + 2 * d * e / (1 + e) ** 2 - 4 * y * w**2 * e * (1 - e) / (1 + e) ** 3
_form_bound = e * (4 * w + 2 * d + 4 * y * w**2)
GELU_TANH_SECOND = _theorem(
    "gelutanh-second",
    "The second derivative of GELU's approximation, in terms of ε",
    _by(gelu_tanh, z, 2),
    Step("=", Derivative(z / (1 + epsilon(z)), (z, 2)), "z times a sigmoid", "theorem", (GELU_TANH_STEP,)),
    Step(
        "=",
        _tanh_second(z),
        r"the product and the chain rule, twice; and $`z \kappa' = 2 \kappa`$",
        "derivative",
        NAMED,
    ),
)
GELU_TANH_EVEN = _theorem(
    "gelutanh-second-even",
    "The second derivative of GELU's approximation is even",
    _at(gelu_tanh, -z, 2),
    Step(
        "=",
        _by(gelu_tanh, z, 2),
        "the slopes at z and −z add up to 1, so theirs are equal",
        "derivative",
        (GELU_TANH,),
    ),
)
GELU_TANH_RISES = Theorem(
    "gelutanh-rises",
    "GELU's approximation rises right of 0",
    _by(gelu_tanh, p),
    (
        Step("=", _tanh_slope(p), "in terms of ε", "theorem", (GELU_TANH_FIRST.at({z: p}),)),
        Step(">", ZERO, "all of it is positive", "signs"),
    ),
    sizes="all p ≥ 0",
)
GELU_TANH_BENT = _value(
    "gelutanh-bend",
    "The curvature of GELU's approximation at 0",
    _at(gelu_tanh, 0, 2),
    SCALE,
    "twice the slope of the sigmoid at 0, which is ¼, times that of 2u",
    GELU_TANH,
)
GELU_TANH_SLOPES = Theorem(
    "gelutanh-slope-form",
    "A bound of the form that the slope has",
    1 / (1 + e) + 2 * w * e / (1 + e) ** 2,
    (Step("≤", 1 + 2 * w * e, "denominators that are 1 at least are left out", "signs"),),
    sizes="all e, w ≥ 0",
)
GELU_TANH_FORM_ABOVE = Theorem(
    "gelutanh-curvature-form",
    "A bound of the form that the second derivative has",
    _form,
    (Step("≤", _form_bound, "over one denominator, all terms of the difference are positive", "signs"),),
    sizes="all e, w, d, y ≥ 0",
)
GELU_TANH_FORM_BELOW = Theorem(
    "gelutanh-curvature-form-below",
    "A bound of the form that the second derivative has, from below",
    _form,
    (Step("≥", -_form_bound, "over one denominator, all terms of the difference are positive", "signs"),),
    sizes="all e, w, d, y ≥ 0",
)
LEAST = Rational(79, 100)
GELU_TANH_SCALE = Theorem(
    "gelutanh-scale", "The factor √(2/π)", SCALE, (Step("≥", LEAST, "0.79788 in balls: one number", "balls"),)
)

INNER = Between("z", 0, 8)
OUTER = Between("z", -8, 0)
TILES = "in balls, tile by tile"
_y = 8 + t
_e, _grown = epsilon(_y), _y * (1 + kappa(_y) / 3)
BEYOND = "all t ≥ 0, which is z ≥ 8"
LOWEST_TANH = Rational(-171, 1000)
GELU_TANH_RANGE = Theorem(
    "gelutanh-range",
    "GELU's approximation is at least −0.171 between −8 and 0",
    gelu_tanh(OUTER),
    (
        Step("=", OUTER / (1 + epsilon(OUTER)), "z times a sigmoid", "theorem", (GELU_TANH_STEP,)),
        Step("≥", LOWEST_TANH, TILES, "balls", NAMED),
    ),
    sizes="−8 ≤ z ≤ 0",
)
GELU_TANH_FAR = Theorem(
    "gelutanh-range-left",
    "GELU's approximation is at least −0.171 left of −8",
    gelu_tanh(-_y),
    (
        Step("=", -_y / (1 + epsilon(-_y)), "z times a sigmoid", "theorem", (GELU_TANH_STEP,)),
        Step(
            "≥",
            -_y / (2 + 2 * _inner(_y)),
            r"$`\epsilon(-z) = e^{2u} \ge 1 + 2u`$",
            "signs",
            NAMED,
            (Bound(_y / ((1 + epsilon(-_y)) * (2 + 2 * _inner(_y))), (TANGENT.at({x: 2 * _inner(_y)}),)),),
        ),
        Step(
            "≥",
            LOWEST_TANH,
            r"u grows like $`z^3`$; and polynomials are compared",
            "signs",
            NAMED,
            (Bound(-2 * LOWEST_TANH * _grown / (2 + 2 * _inner(_y)), (GELU_TANH_SCALE,)),),
        ),
    ),
    sizes="all t ≥ 0, which is z ≤ −8",
)
GELU_TANH_RIGHT = Theorem(
    "gelutanh-range-right",
    "GELU's approximation is at least −0.171 right of 0",
    gelu_tanh(p),
    (
        Step("=", p / (1 + epsilon(p)), "z times a sigmoid", "theorem", (GELU_TANH_STEP,)),
        Step("≥", ZERO, "no factor is negative", "signs"),
        Step("≥", LOWEST_TANH, "so much the more", "signs"),
    ),
    sizes="all p ≥ 0",
)
STEEP = Rational(113, 100)
_more = STEEP - 1


def _polynomials(id_: str, title: str, smaller: Expression, larger: Expression) -> Theorem:
    """Both in t, by κ."""
    why = "by what κ is, the difference is a polynomial in t with positive coefficients"
    return Theorem(id_, title, smaller, (Step("≤", larger, why, "signs", (KAPPA,)),), sizes="all t ≥ 0")


GELU_TANH_SQUARE = _polynomials(
    "gelutanh-square",
    "A cubic below a polynomial of degree six",
    2 * _y * (1 + kappa(_y)),
    2 * _more * LEAST * _grown**2,
)
GELU_TANH_POLYNOMIAL = _polynomials(
    "gelutanh-cube",
    "A polynomial of degree five below one of degree nine",
    4 * _y * (1 + kappa(_y)) ** 2 + 6 * (1 + 2 * kappa(_y)),
    Rational(16, 15) * LEAST * _grown**3,
)
GELU_TANH_SLOPE = Theorem(
    "gelutanh-slope",
    "The slope of GELU's approximation is at most 1.13 between 0 and 8",
    _by(gelu_tanh, INNER),
    (
        Step("=", _tanh_slope(INNER), "in terms of ε", "theorem", (GELU_TANH_FIRST.at({z: INNER}),)),
        Step("≤", STEEP, TILES, "balls", NAMED),
    ),
    sizes="0 ≤ z ≤ 8",
)
GELU_TANH_SLOPE_FAR = Theorem(
    "gelutanh-slope-right",
    "The slope of GELU's approximation is at most 1.13 right of 8",
    _at(gelu_tanh, _y),
    (
        Step("=", _tanh_slope(_y), "in terms of ε", "derivative", (GELU_TANH_FIRST,)),
        Step(
            "≤",
            1 + 2 * SCALE * _y * (1 + kappa(_y)) * _e,
            "denominators are left out",
            "signs",
            bounds=(Bound(ONE, (GELU_TANH_SLOPES.at({e: _e, w: SCALE * _y * (1 + kappa(_y))}),)),),
        ),
        Step(
            "≤",
            STEEP,
            (
                r"$`1/\epsilon = e^{2u} \ge 1 + 2u + 2u^2`$ outgrows $`2 z u'`$; the polynomials are compared "
                "above"
            ),
            "signs",
            (EPSILON,),
            (
                Bound(_more * _e, (PARABOLA.at({t: 2 * _inner(_y)}),)),
                Bound(2 * _more * SCALE * _e * _grown**2, (GELU_TANH_SCALE,)),
                Bound(SCALE * _e, (GELU_TANH_SQUARE,)),
            ),
        ),
    ),
    sizes=BEYOND,
)
BENT = Rational(8, 10)
_NEAR: tuple[tuple[str, str, Relation, Expression], ...] = (
    ("above", "at most 0.8", "≤", BENT),
    ("below", "at least −0.8", "≥", -BENT),
)
_FAR: tuple[tuple[str, str, Relation, int, Theorem], ...] = (
    ("above", "at most 0.8", "≤", 1, GELU_TANH_FORM_ABOVE),
    ("below", "at least −0.8", "≥", -1, GELU_TANH_FORM_BELOW),
)
GELU_TANH_BENDS_UP, GELU_TANH_BENDS_DOWN = (
    Theorem(
        f"gelutanh-curvature-{where}",
        f"The second derivative of GELU's approximation is {than} between 0 and 8",
        _by(gelu_tanh, INNER, 2),
        (
            Step("=", _tanh_second(INNER), "in terms of ε", "theorem", (GELU_TANH_SECOND.at({z: INNER}),)),
            Step(relation, value, TILES, "balls", NAMED),
        ),
        sizes="0 ≤ z ≤ 8",
    )
    for where, than, relation, value in _NEAR
)
GELU_TANH_CURVATURE = _absolute(
    "gelutanh-curvature",
    "The curvature of GELU's approximation is at most 0.8 between 0 and 8",
    GELU_TANH_BENDS_UP,
    GELU_TANH_BENDS_DOWN,
    sizes="0 ≤ z ≤ 8",
)
_far_bounds = (
    Bound(BENT * _e, (CUBE.at({t: 2 * _inner(_y)}),)),
    Bound(Rational(16, 15) * SCALE**2 * _e * _grown**3, (GELU_TANH_SCALE,)),
    Bound(SCALE * _e, (GELU_TANH_POLYNOMIAL, GELU_TANH_SCALE)),
    Bound(6 * SCALE * _e * (1 + 2 * kappa(_y)), (GELU_TANH_SCALE,)),
    Bound(LEAST * SCALE * _e, (GELU_TANH_POLYNOMIAL,)),
)
GELU_TANH_BENDS_FAR_UP, GELU_TANH_BENDS_FAR_DOWN = (
    Theorem(
        f"gelutanh-curvature-right-{where}",
        f"The second derivative of GELU's approximation is {than} right of 8",
        _at(gelu_tanh, _y, 2),
        (
            Step("=", _tanh_second(_y), "in terms of ε", "derivative", (GELU_TANH_SECOND,)),
            Step(
                relation,
                sign * _form_bound.subs(_of_form(_y), simultaneous=True),
                "denominators are left out",
                "signs",
                bounds=(Bound(ONE, (form.at(_of_form(_y)),)),),
            ),
            Step(
                relation,
                sign * BENT,
                r"$`1/\epsilon = e^{2u}`$ is above a sixth of $`(2u)^3`$; a polynomial with positive "
                r"coefficients is left",
                "signs",
                (EPSILON,),
                _far_bounds,
            ),
        ),
        sizes=BEYOND,
    )
    for where, than, relation, sign, form in _FAR
)
GELU_TANH_THEOREMS = (
    GELU_TANH_INPUT,
    KAPPA,
    EPSILON,
    GELU_TANH_STEP,
    GELU_TANH_FIRST,
    GELU_TANH_GATE,
    GELU_TANH_SYMMETRY,
    GELU_TANH_RISES,
    GELU_TANH_SECOND,
    GELU_TANH_EVEN,
    GELU_TANH_BENT,
    GELU_TANH_SCALE,
    GELU_TANH_RANGE,
    GELU_TANH_FAR,
    GELU_TANH_RIGHT,
    GELU_TANH_SLOPE,
    GELU_TANH_SLOPES,
    GELU_TANH_SQUARE,
    GELU_TANH_SLOPE_FAR,
    GELU_TANH_BENDS_UP,
    GELU_TANH_BENDS_DOWN,
    GELU_TANH_CURVATURE,
    GELU_TANH_FORM_ABOVE,
    GELU_TANH_FORM_BELOW,
    GELU_TANH_POLYNOMIAL,
    GELU_TANH_BENDS_FAR_UP,
    GELU_TANH_BENDS_FAR_DOWN,
)

# ------------------------------------------------------------------------------------------------------------ the table


_Said: TypeAlias = Theorem | tuple[Theorem, ...]
"""A theorem; or several, that say the same for parts of the real line."""


@final
class _Row:
    """What the table says of an activation: the theorems that say it."""

    def __init__(
        self,
        kind: str,
        derivative: Sequence[Theorem],
        values: Sequence[_Said],
        slopes: Sequence[_Said],
        curvatures: Sequence[_Said],
        every_value: str = "",
    ) -> None:
        self.kind = kind
        self.columns = (derivative, values, slopes, curvatures)
        self.every_value = every_value

    def cells(self) -> list[str]:
        """In Markdown."""
        derivative, values, slopes, curvatures = self.columns
        return [
            NAMES[self.kind],
            ", ".join(f"$`{latex(each.expression)}`${_for(each)} {_number(each)}" for each in derivative),
            (f"{self.every_value} " if self.every_value else "") + _bounds("f", values, bare=bool(self.every_value)),
            _bounds("f'", slopes),
            _bounds("f''", curvatures),
        ]


def _for(theorem: Theorem) -> str:
    given = "".join(
        f", if $`{latex(each.symbol)} {SIGNS[each.relation]} {latex(each.expression)}`$" for each in theorem.assuming
    )
    return (f" for {theorem.holds}" if theorem.holds else "") + given


def _number(theorem: Theorem) -> str:
    number = equation_numbers(PAGE)[id(theorem)]
    return f"[[{theorem.id}|({number})]]"


SIGNS = {"=": "=", "≤": r"\le", "≥": r"\ge", "<": "<", ">": ">"}


def _bounds(letter: str, theorems: Sequence[_Said], *, bare: bool = False) -> str:
    """Of theorems that say the same for parts of the real line, the first one, and the numbers of all."""
    said = []
    for each in theorems:
        first, *rest = each if isinstance(each, tuple) else (each,)
        numbers = ", ".join(map(_number, (first, *rest)))
        name = rf"\lvert {letter} \rvert" if isinstance(first.symbol, Abs) else letter
        what = f"$`{name} {SIGNS[first.relation]} {latex(first.expression)}`${_for(first)} "
        said.append(numbers if bare else what + numbers)
    return ", ".join(said)


def _named(theorems: Sequence[Any], *ids: str) -> list[Theorem]:
    found = {theorem.id: theorem for theorem in theorems if isinstance(theorem, Theorem)}
    return [found[each] for each in ids]


ROWS = (
    _Row(
        "Identity",
        [IDENTITY_SLOPE],
        _named(IDENTITY_THEOREMS, "identity-range"),
        _named(IDENTITY_THEOREMS, "identity-slope"),
        _named(IDENTITY_THEOREMS, "identity-curvature"),
        "every real number",
    ),
    _Row(
        "Sigmoid", [SIGMOID_OUTPUT], [SIGMOID_BELOW, SIGMOID_ABOVE], [SIGMOID_RISES, SIGMOID_SLOPE], [SIGMOID_CURVATURE]
    ),
    _Row("Tanh", [TANH_OUTPUT], [TANH_BELOW, TANH_ABOVE], [TANH_RISES, TANH_SLOPE], [TANH_CURVATURE]),
    _Row(
        "ReLU",
        [RELU_RIGHT, RELU_LEFT],
        _named(RELU_THEOREMS, "relu-range"),
        [RELU_RIGHT, *_named(RELU_THEOREMS, "relu-slope")],
        _named(RELU_THEOREMS, "relu-curvature", "relu-curvature-left"),
    ),
    _Row(
        "LeakyReLU",
        [LEAKY_RIGHT, LEAKY_LEFT],
        _named(LEAKY_THEOREMS, "leakyrelu-range", "leakyrelu-range-left"),
        [LEAKY_RIGHT, *_named(LEAKY_THEOREMS, "leakyrelu-slope")],
        _named(LEAKY_THEOREMS, "leakyrelu-curvature", "leakyrelu-curvature-left"),
        "every real number",
    ),
    _Row(
        "ELU",
        [ELU_RIGHT, ELU_LEFT],
        _named(ELU_THEOREMS, "elu-range"),
        [ELU_RIGHT, *_named(ELU_THEOREMS, "elu-slope")],
        _named(ELU_THEOREMS, "elu-curvature-right", "elu-curvature"),
    ),
    _Row("Softplus", [SOFTPLUS_OUTPUT], [SOFTPLUS_RANGE], [SOFTPLUS_RISES, SOFTPLUS_SLOPE], [SOFTPLUS_CURVATURE]),
    _Row("SiLU", [SILU_OUTPUT], [SILU_RANGE], [SILU_SLOPE], [SILU_CURVATURE]),
    _Row(
        "GELU",
        [GELU_INPUT],
        [(GELU_RANGE, GELU_FAR, GELU_RIGHT)],
        [(GELU_SLOPE, GELU_BEYOND, GELU_LEFT)],
        [GELU_CURVATURE],
    ),
    _Row(
        "GELUTanh",
        [GELU_TANH_FIRST],
        [(GELU_TANH_RANGE, GELU_TANH_FAR, GELU_TANH_RIGHT)],
        [(GELU_TANH_SLOPE, GELU_TANH_SLOPE_FAR)],
        [(GELU_TANH_CURVATURE, GELU_TANH_BENDS_FAR_UP, GELU_TANH_BENDS_FAR_DOWN)],
    ),
)

# ---------------------------------------------------------------------------------------------------------- the picture

PLACES = np.linspace(-4, 4, 161)
TOUCH = 20 * 5  # the tangent touches at z = 1


def _curves() -> list[tuple[str, Any, Any]]:
    """Name, values and derivatives of each, as refnn computes them with floats."""
    found = []
    for kind in activations.ALL:
        made: activations.Activation = kind(slope=0.2) if kind is activations.LeakyReLU else kind()
        found.append((kind.__name__, made.forward((), PLACES), made.derivative(PLACES)))
    return found


def _numbers() -> list[float]:
    """To three decimals, which is less than a pixel."""
    return [round(float(number), 3) + 0.0 for _, *curves in _curves() for curve in curves for number in curve]


def _draw() -> Any:
    from matplotlib.figure import Figure

    from refnn.report.plots import COLOURS, GREY

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots(2, 5, sharex=True, sharey=True)
    for ax, (name, value, derivative) in zip(axes.flat, _curves(), strict=True):
        ax.axhline(0, color=GREY, lw=0.6)
        ax.axvline(0, color=GREY, lw=0.6)
        tangent = value[TOUCH] + derivative[TOUCH] * (PLACES - PLACES[TOUCH])
        ax.plot(PLACES, tangent, ":", color=GREY, lw=1.4, label="its tangent at z = 1")
        ax.plot(PLACES, value, color=COLOURS[0], lw=2.2, label="f")
        jumps = np.abs(np.diff(derivative)) > 1 / 4
        shown = np.where(np.append(jumps, False), np.nan, derivative)
        ax.plot(PLACES, shown, "--", color=COLOURS[1], lw=1.6, label="f′")
        ax.plot(PLACES[TOUCH], value[TOUCH], "o", color=COLOURS[0], ms=5)
        ax.set_title(name)
        ax.set_xlim(-4, 4)
        ax.set_ylim(-1.3, 2.3)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


PICTURE = Picture(
    "activations",
    "Ten small graphs, one for each activation, from z = −4 to 4: the function, its derivative, and its tangent "
    "at z = 1. "
    "Where ReLU and the leaky ReLU have their kink at 0, the derivative jumps.",
    _draw,
    _numbers,
)

# ---------------------------------------------------------------------------------------------------------- the example

at_a, at_t = Letter("a", real=True), Letter("t", real=True)


def _zero_of(kind: str, what: str) -> Callable[[Mapping[str, BallArray]], Any]:
    """At 0, which is no letter."""

    def run(given: Mapping[str, BallArray]) -> Any:
        of, at = _activation(kind, {}), given["a"] - given["a"]
        return of.forward((), at) if what == "forward" else of.derivative(at)

    return run


def _minus(kind: str, what: str) -> Callable[[Mapping[str, BallArray]], Any]:
    """At −a."""

    def run(given: Mapping[str, BallArray]) -> Any:
        of = _activation(kind, {})
        return of.forward((), -given["a"]) if what == "forward" else of.derivative(-given["a"])

    return run


def _of(theorem: Theorem | Definition, where: Expression) -> Expression:
    """Its right side at a point."""
    return theorem.expression.subs(z, where)


_elu_left = ELU_LEFT.expression.subs({alpha: ONE, left: -at_a})
EXAMPLE = Worked(
    "where exponentials are fractions",
    r"At z = ln 3, $`e^z = 3`$; at z = ln 2, $`e^z = 2`$. So the activations that are made of exponentials have "
    r"fractions "
    "for values and slopes there. α is 1.",
    {},
    {"a": "log(3)", "t": "log(2)"},
    (
        Quantity(r"\sigma(0)", _of(SIGMOID, ZERO), (), r"$`1/(1 + 1)`$", _zero_of("Sigmoid", "forward")),
        Quantity(r"\sigma(a)", _of(SIGMOID, at_a), (), r"$`1/(1 + \frac13)`$", _forward("Sigmoid", "a")),
        Quantity(
            r"\sigma'(0)",
            _of(SIGMOID_INPUT, ZERO),
            (),
            r"$`\frac12 (1 - \frac12)`$, the largest slope",
            _zero_of("Sigmoid", "derivative"),
        ),
        Quantity(
            r"\sigma'(a)", _of(SIGMOID_INPUT, at_a), (), r"$`\frac34 (1 - \frac34)`$", _derivative("Sigmoid", "a")
        ),
        Quantity(r"\sigma(-a)", _of(SIGMOID, -at_a), (), r"$`1 - \sigma(a)`$", _minus("Sigmoid", "forward")),
        Quantity(
            r"\sigma''(a)",
            (SIGMOID.expression * (1 - SIGMOID.expression) * (1 - 2 * SIGMOID.expression)).subs(z, at_a),
            (),
            r"$`\frac{3}{16} (1 - \frac{3}{2})`$; no larger than $`\frac{\sqrt{3}}{18}`$, which is about 0.0962",
        ),
        Quantity(r"\mathrm{tanh}(t)", _of(TANH, at_t), (), r"$`(2 - \frac12)/(2 + \frac12)`$", _forward("Tanh", "t")),
        Quantity(r"\mathrm{tanh}'(t)", _of(TANH_INPUT, at_t), (), r"$`1 - (\frac35)^2`$", _derivative("Tanh", "t")),
        Quantity(
            r"\zeta'(a)",
            _of(SOFTPLUS_INPUT, at_a),
            (),
            r"it is σ(a); and $`\zeta(a) = \ln 4`$, so it is $`1 - \frac14`$ as well",
            _derivative("Softplus", "a"),
        ),
        Quantity(r"\mathrm{elu}(-a)", exp(-at_a) - 1, (), r"$`\frac13 - 1`$", _minus("ELU", "forward")),
        Quantity(r"\mathrm{elu}'(-a)", _elu_left, (), r"$`e^{-a}`$, or the output plus α", _minus("ELU", "derivative")),
        Quantity(r"\mathrm{silu}'(0)", _of(SILU_INPUT, ZERO), (), "σ(0)", _zero_of("SiLU", "derivative")),
        Quantity(r"\mathrm{gelu}'(0)", _of(GELU_INPUT, ZERO), (), "Φ(0)", _zero_of("GELU", "derivative")),
    ),
)

PAGE = Page(
    4,
    "activations",
    "Activations and their slopes",
    "An activation acts on each number alone. For each of refnn's: its derivative, from its input and from its output, "
    "its range, its largest slope and its largest curvature; and what holds at a kink.",
    ("derivatives", "dense"),
    (
        Symbol("z", "", "the input of an activation: any real number, of any sample and unit"),
        Symbol("f", "", "an activation; f′ and f″ are its first and second derivatives"),
        Symbol(r"\delta", "(N, n)", r"the cotangent of the outputs: $`\partial L/\partial f(z)`$"),
        Symbol(r"\lambda, \alpha", "", "the parameters of the leaky ReLU and of ELU; both are positive here"),
        Symbol(r"\Phi, \varphi", "", "the distribution function and the density of the standard normal"),
        Symbol(r"\sigma, \zeta", "", "the sigmoid and softplus; the other activations have their names"),
        Symbol(r"\kappa, \epsilon", "", "two functions of which the derivatives of GELU's approximation are made"),
        Symbol(r"\circ", "", "the product of two arrays of one shape, element by element"),
        Symbol("t, u, p", "", "numbers that are not negative, by which a part of the real line is written"),
        Symbol("e, w, d, y", "", "likewise, in three lemmas about forms, where e is not Euler's number"),
        Symbol("b, a, c, x", "", "numbers; what is assumed of them is said with each theorem"),
    ),
    (
        Prose(
            "## All of them at a glance\n\n"
            "f stands for the activation of the row, and the numbers lead to the proofs; several numbers, where "
            "the real line is taken in parts. Curvature is the "
            "absolute value "
            "of the second derivative. Backpropagation multiplies by one slope in each layer, so the largest "
            "slope says "
            "how far it can grow; the largest curvature says how fast the slope can change, which limits the learning "
            "rate ([[descent]]). Bounds of SiLU, GELU and its approximation that are round numbers, such as 1.1, "
            "are not reached: the extremes have no closed form, and are given there in decimals."
        ),
        Table(
            ("activation", "derivative", "range", "largest slope", "largest curvature"),
            lambda: [row.cells() for row in ROWS],
        ),
        PICTURE,
        Prose(
            "## Backward\n\n"
            "An activation acts on each element alone, whatever it is. So of the two sums of the vector-Jacobian "
            "product "
            "nothing is left but one product."
        ),
        BACKWARD,
        Code("refnn.activations:Activation.backward"),
        Prose(
            "## Lemmas\n\n"
            "What follows needs a few facts about the exponential. A function that is not negative at 0, and does not "
            "fall from there on, is nowhere negative on the right of 0; applied to derivatives of derivatives, this is "
            "the tactic `growth`. It is the mean value theorem."
        ),
        ABSOLUTE,
        TANGENT,
        FALLING,
        PARABOLA,
        TWICE,
        CUBE,
        Prose("## Identity"),
        IDENTITY,
        *IDENTITY_THEOREMS,
        Code("refnn.activations:Identity.derivative"),
        Prose("## Sigmoid"),
        SIGMOID,
        *SIGMOID_THEOREMS,
        Prose(
            "The sigmoid is continuous, and comes as near to its two limits as one likes, but reaches neither: "
            "its range "
            "is all of $`(0, 1)`$, by the intermediate value theorem. Largest slope and largest curvature are "
            "reached, at "
            r"$`z = 0`$ and at $`z = \pm \ln(2 + \sqrt{3})`$, so no smaller bounds hold. "
            "After four layers of sigmoids a slope is at most $`4^{-4} = 1/256`$ times the weights: gradients vanish."
        ),
        Code("refnn.activations:Sigmoid.derivative"),
        Prose("## Tanh"),
        TANH,
        *TANH_THEOREMS,
        Prose(
            r"As for the sigmoid, of which it is a copy, the range is all of $`(-1, 1)`$, and both bounds are "
            r"reached. Tanh "
            "has the largest slope 1, four times that of the sigmoid."
        ),
        Code("refnn.activations:Tanh.derivative"),
        Fails(
            "the derivative from the output, with floats",
            r"$`1 - \tanh^2`$ is true, and yet refnn does not compute it: the float nearest to tanh(20) is 1, "
            r"which has "
            "forgotten the tail of which the derivative is made. That is why `derivative` takes z, not the output.",
            """
import numpy as np
from refnn import Tanh

z = np.array([20.0])
print(float(1 - np.tanh(z[0]) ** 2))
print(f"{Tanh().derivative(z)[0]:.2g}")
""",
        ),
        Prose("## Softplus"),
        SOFTPLUS,
        *SOFTPLUS_THEOREMS,
        Prose(
            "Softplus rises, vanishes far on the left and grows without bound on the right, so every positive "
            "number is a "
            "value. Its slope is σ, so comes as near to 1 as one likes without reaching it "
            "([[sigmoid-limit]]); the largest curvature is that slope of σ which is reached at 0 "
            "([[sigmoid-steepest]])."
        ),
        Code("refnn.activations:Softplus.derivative"),
        Prose(
            "## ReLU\n\n"
            "A kink is a point at which the difference quotients have one limit from the left and another from "
            "the right. "
            "There is no derivative, and every statement about one says $`z \\ne 0`$. What there is, for a convex "
            "function, are subgradients: the slopes c of all lines through the point that stay below the function, "
            r"$`f(z) \ge f(0) + c z`$ for all z. They are the numbers between the two one-sided slopes, which is the "
            r"subdifferential: $`[0, 1]`$ for ReLU, $`[\lambda, 1]`$ for the leaky ReLU with $`\lambda \le 1`$, "
            r"$`[\alpha, 1]`$ for ELU with $`\alpha \le 1`$. For larger parameters these are not convex, and the "
            r"numbers "
            r"between the two slopes are Clarke's generalised gradient (Clarke, “Optimization and Nonsmooth Analysis” "
            "(1983), theorem 2.5.1). That no other c will do is seen from the two limits: a line that is steeper "
            "than the "
            "right slope, or less steep than the left one, is above the function next to 0."
        ),
        RELU,
        *RELU_THEOREMS,
        Code("refnn.activations:ReLU.derivative"),
        Fails(
            "ReLU at 0",
            "From the right all difference quotients are 1, from the left all are 0, however small the step; the "
            "central "
            "one is ½ for every step, and so agrees with neither, nor with refnn's 0. A gradient checker that differs "
            "there has found the kink, not a fault.",
            """
from fractions import Fraction

def relu(z):
    return max(z, Fraction(0))

for n in (1, 3, 6):
    h = Fraction(1, 10**n)
    right, left = (relu(h) - relu(0)) / h, (relu(-h) - relu(0)) / -h
    central = (relu(h) - relu(-h)) / (2 * h)
    print(f"h = {h}: right {right}, left {left}, central {central}")
""",
        ),
        Prose("## Leaky ReLU"),
        LEAKY,
        *LEAKY_THEOREMS,
        Prose("For λ > 1 the largest slope is λ, that of the left side."),
        Code("refnn.activations:LeakyReLU.derivative"),
        Prose("## ELU"),
        ELU,
        *ELU_THEOREMS,
        Prose(
            r"The largest slope is the larger of 1 and α. For α = 1 the two one-sided slopes agree, and there is "
            r"no kink: "
            "only the second derivative jumps, from 1 to 0."
        ),
        Code("refnn.activations:ELU.derivative"),
        Prose(
            "## SiLU\n\n"
            r"The largest slope of SiLU is where its second derivative vanishes, $`z \tanh(z/2) = 2`$, which has "
            r"no closed "
            "form. So the proof gives a bound for every b that satisfies an inequality between two numbers, "
            r"$`b \ln(1 + b) \le 2 (2 + b)`$. It is the same condition: with $`1 + b = e^z`$ it says "
            r"$`z \tanh(z/2) \le 2`$, so at the largest such b, about 10.016, the bound is the largest slope "
            r"itself, about "
            "1.09984. The round number b = 10 gives 1.1. Likewise for the smallest value, about −0.27846."
        ),
        SILU,
        *SILU_THEOREMS,
        Code("refnn.activations:SiLU.derivative"),
        Prose(
            "## GELU\n\n"
            r"The slope of GELU is largest at $`\sqrt{2}`$, where $`f'' = \varphi(z) (2 - z^2)`$ changes its "
            r"sign. To the "
            "right of it, and down to its left as far as −√2, the slope is followed from there; where z is "
            "negative it is "
            "less than ½ anyway. The three theorems together cover the real line; that the slope is no less than "
            "1 minus "
            "the largest one follows from [[gelu-symmetry]]. So its absolute value is at most about 1.12890.\n\n"
            "The smallest value has no closed form. That GELU is at least −0.17 is proved in balls between −2 and 0, "
            "and beyond by the tail of the normal distribution; the smallest value is about −0.16997."
        ),
        GELU,
        *GELU_THEOREMS,
        Code("refnn.activations:GELU.derivative"),
        Prose(
            "## GELU's approximation\n\n"
            "Of the approximation no extreme has a closed form but the curvature at 0. So bounds are proved: "
            "between 0 and "
            "8 in balls, which is a proof for every real number of that range, not for some; beyond 8, where all that "
            r"bends is $`\epsilon = e^{-2u}`$ times a polynomial, by hand; u is the argument of tanh. "
            "Both follow for negative z: the "
            r"slopes at z and "
            "−z add up to 1 ([[gelutanh-symmetry]]), so left of 0, where the one at −z is between 0 "
            "([[gelutanh-rises]]) and 1.13, the slope is between −0.13 and 1; and the second derivative is even "
            "([[gelutanh-second-even]]). The largest slope is about 1.12899, the largest curvature about "
            "0.79788, and the "
            "smallest value about −0.17004."
        ),
        GELU_TANH,
        *GELU_TANH_THEOREMS,
        Code("refnn.activations:GELUTanh.derivative"),
        EXAMPLE,
    ),
    ("losses", "backpropagation", "descent"),
)
