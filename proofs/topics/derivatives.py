"""Derivatives as limits, by differences, by a complex step and by dual numbers; and how far each of them is off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from sympy import Derivative, Function, I, Limit, Rational, S, cosh, exp, tanh
from sympy import Symbol as Letter

from proofs.execution import Execution, positive
from proofs.kernel import Assumption, Bound, Definition, Induction, Statement, Step, Theorem
from proofs.page import Code, Display, Fails, Page, Picture, Prose, Quantity, Symbol, Table, Worked
from proofs.sums import Expression, Index, array, size, total
from refnn import arrays
from refnn.arithmetic.ball import BallArray
from refnn.arithmetic.dual import DualArray
from refnn.witnesses import finite_difference

__all__ = ["CENTRAL", "PAGE"]

# ----------------------------------------------------------------------------------------------------------- the limit

x, y, t, u, v = (Letter(name, real=True) for name in "xytuv")
h = Letter("h")  # any number, real or not
f, g, F, G, phi = map(Function, ("f", "g", "F", "G", "phi"))


def _limit(quotient: Expression) -> Expression:
    """For a step of either sign."""
    return Limit(quotient, h, 0, "+-")


DERIVATIVE = Definition(
    Derivative(f(x), x),
    _limit((f(x + h) - f(x)) / h),
    "",
    "the derivative of f at x is the limit of the difference quotients, where there is one",
    source='Rudin, "Principles of Mathematical Analysis" (3rd ed. 1976), definition 5.1',
)
PARTIAL = Definition(
    Derivative(phi(x, y), x),
    _limit((phi(x + h, y) - phi(x, y)) / h),
    "",
    "the partial derivative of φ in x is the derivative of φ as a function of x alone; y stands for all other "
    "variables, which do not move",
    source='Rudin, "Principles of Mathematical Analysis" (3rd ed. 1976), definition 9.16, eq. (25)',
)
SQUARE = Theorem(
    "limit-square",
    "The derivative of a square",
    _limit(((t + h) ** 2 - t**2) / h),
    (
        Step(
            "=", _limit(2 * t + h), "the square is multiplied out; t² cancels, and then h, which is not 0 yet", "sums"
        ),
        Step("=", 2 * t, "what is left is continuous in h: now h may be 0", "limit"),
    ),
    sizes="all real t",
)
QUOTIENT_OF_RECIPROCAL = Theorem(
    "quotient-reciprocal",
    "The difference quotient of a reciprocal",
    (1 / (t + h) - 1 / t) / h,
    (Step("=", -1 / (t * (t + h)), "over one denominator the numerator is −h", "fractions"),),
    sizes="all t and h",
    holds="t, h and t + h other than 0",
)
RECIPROCAL = Theorem(
    "limit-reciprocal",
    "The derivative of a reciprocal",
    _limit(QUOTIENT_OF_RECIPROCAL.start),
    (
        Step(
            "=",
            _limit(-1 / (t * (t + h))),
            "the difference quotient, before its limit",
            "theorem",
            (QUOTIENT_OF_RECIPROCAL,),
        ),
        Step("=", -1 / t**2, "again continuous in h", "limit"),
    ),
    sizes="all real t",
    holds="t ≠ 0",
)
PARTIAL_SQUARE = Theorem(
    "limit-partial",
    "A partial derivative",
    _limit(((x + h) ** 2 * y - x**2 * y) / h),
    (
        Step("=", _limit(2 * x * y + h * y), "y is a factor like any other number", "sums"),
        Step("=", 2 * x * y, "continuous in h", "limit"),
    ),
    sizes="all real x and y",
)

# -------------------------------------------------------------------------------------------------------- slopes: rules

OF_F = Assumption(f(u), "=", f(x) + F(u) * (u - x), "F is a slope of f at x")
OF_G = Assumption(g(u), "=", g(x) + G(u) * (u - x), "G is a slope of g at x")
OUTER = Assumption(f(v), "=", f(g(x)) + F(v) * (v - g(x)), "F is a slope of f at g(x)")
alpha, beta = (Letter(name, real=True) for name in ("alpha", "beta"))
ANY = "all u and x"

SUM = Theorem(
    "slope-sum",
    "Linearity",
    (alpha * f(u) + beta * g(u)) - (alpha * f(x) + beta * g(x)),
    (
        Step("=", alpha * (f(u) - f(x)) + beta * (g(u) - g(x)), "the terms in another order", "sums"),
        Step("=", (alpha * F(u) + beta * G(u)) * (u - x), "what slopes are", "definition", (OF_F, OF_G)),
    ),
    assuming=(OF_F, OF_G),
    sizes=ANY + ", and all numbers α and β",
)
PRODUCT = Theorem(
    "slope-product",
    "The product rule",
    f(u) * g(u) - f(x) * g(x),
    (
        Step(
            "=",
            (f(u) - f(x)) * g(u) + f(x) * (g(u) - g(x)),
            "f(x) g(u) is subtracted and added: one factor moves at a time",
            "sums",
        ),
        Step("=", (F(u) * g(u) + f(x) * G(u)) * (u - x), "what slopes are", "definition", (OF_F, OF_G)),
    ),
    assuming=(OF_F, OF_G),
    sizes=ANY,
)
QUOTIENT = Theorem(
    "slope-quotient",
    "The quotient rule",
    f(u) / g(u) - f(x) / g(x),
    (
        Step(
            "=",
            ((f(u) - f(x)) * g(x) - f(x) * (g(u) - g(x))) / (g(u) * g(x)),
            "over one denominator, with f(x) g(x) subtracted and added",
            "fractions",
        ),
        Step("=", (F(u) * g(x) - f(x) * G(u)) / (g(u) * g(x)) * (u - x), "what slopes are", "definition", (OF_F, OF_G)),
    ),
    assuming=(OF_F, OF_G),
    sizes=ANY,
    holds="g(u) and g(x) other than 0",
)
CHAIN = Theorem(
    "slope-chain",
    "The chain rule in one variable",
    f(g(u)) - f(g(x)),
    (
        Step("=", F(g(u)) * (g(u) - g(x)), "the slope of f, from g(x) to g(u)", "definition", (OUTER,)),
        Step("=", F(g(u)) * G(u) * (u - x), "the slope of g", "definition", (OF_G,)),
    ),
    assuming=(OUTER, OF_G),
    sizes=ANY,
)

whole = Letter("k", integer=True, positive=True)
S_, R = array("S"), array("R")
FIRST_SLOPE = Definition(S_[1], S.One, "", "a slope of t itself is 1")
NEXT_SLOPE = Definition(S_[whole + 1], S_[whole] * u + x**whole, "", "that of the next power is by the product rule")
POWER_SLOPE = Induction(
    "power-slope",
    "A slope of any power",
    (_POWER := Statement(u**whole, "=", x**whole + S_[whole] * (u - x))),
    over=whole,
    first=S.One,
    following=whole + 1,
    base=(Step("=", x + S_[1] * (u - x), "u = x + 1 · (u − x)", "definition", (FIRST_SLOPE,)),),
    step=(
        Step("=", u * u**whole, "one factor more", "sums"),
        Step("=", u * (x**whole + S_[whole] * (u - x)), "what is claimed for k", "definition", (_POWER,)),
        Step(
            "=",
            x ** (whole + 1) + (S_[whole] * u + x**whole) * (u - x),
            "u xᵏ = x xᵏ + xᵏ (u − x)",
            "sums",
        ),
        Step("=", x ** (whole + 1) + S_[whole + 1] * (u - x), "so slopes go on", "definition", (NEXT_SLOPE,)),
    ),
    sizes="all whole numbers k from 1 on, and all u and x",
    holds="u and x other than 0, and so everywhere, as both sides are polynomials",
)
FIRST_AT = Definition(R[1], S.One, "", "the same slopes for u = x: for t itself")
NEXT_AT = Definition(R[whole + 1], R[whole] * x + x**whole, "", "and for the next power")
POWER_DERIVATIVE = Induction(
    "power-derivative",
    "The derivative of any power",
    (_AT_X := Statement(R[whole], "=", whole * x ** (whole - 1))),
    over=whole,
    first=S.One,
    following=whole + 1,
    base=(Step("=", S.One, "1 = 1 · x⁰", "definition", (FIRST_AT,)),),
    step=(
        Step("=", R[whole] * x + x**whole, "for the next power", "definition", (NEXT_AT,)),
        Step("=", whole * x ** (whole - 1) * x + x**whole, "what is claimed for k", "definition", (_AT_X,)),
        Step("=", (whole + 1) * x**whole, "k times the same, and once more", "sums"),
    ),
    sizes="all whole numbers k from 1 on, and all x",
    holds="x other than 0, and so everywhere, as both sides are polynomials",
)

# --------------------------------------------------------------------------------------------------------- differences

c0, c1, c2, c3, c4, c5 = (Letter(f"c_{k}", real=True) for k in range(6))
p = Function("p")

POLYNOMIAL = Definition(
    p(t),
    c0 + c1 * t + c2 * t**2 + c3 * t**3 + c4 * t**4 + c5 * t**5,
    "",
    "a polynomial of degree 5 at most, with any coefficients",
)


def _d(order: int) -> Expression:
    return Derivative(p(x), (x, order)) if order > 1 else Derivative(p(x), x)


EVEN = Theorem(
    "central-even",
    "A central difference does not depend on the sign of its step",
    (f(x - h) - f(x + h)) / (-2 * h),
    (Step("=", (f(x + h) - f(x - h)) / (2 * h), "numerator and denominator change their sign", "sums"),),
    sizes="any function f, all x and all h",
    holds="h ≠ 0",
)
FORWARD = Theorem(
    "forward-difference",
    "A one-sided difference errs like h",
    (p(x + h) - p(x)) / h,
    (
        Step(
            "=",
            c1
            + c2 * (2 * x + h)
            + c3 * (3 * x**2 + 3 * x * h + h**2)
            + c4 * (4 * x**3 + 6 * x**2 * h + 4 * x * h**2 + h**3)
            + c5 * (5 * x**4 + 10 * x**3 * h + 10 * x**2 * h**2 + 5 * x * h**3 + h**4),
            "the powers of x + h are multiplied out; what is without h cancels",
            "definition",
            (POLYNOMIAL,),
        ),
        Step(
            "=",
            _d(1) + h / 2 * _d(2) + h**2 / 6 * _d(3) + h**3 / 24 * _d(4) + h**4 / 120 * _d(5),
            "the coefficients of the powers of h are derivatives at x",
            "derivative",
            (POLYNOMIAL,),
        ),
    ),
    sizes="all coefficients, all x and all h",
    holds="h ≠ 0",
)
CENTRAL = Theorem(
    "central-difference",
    "A central difference errs like h²",
    (p(x + h) - p(x - h)) / (2 * h),
    (
        Step(
            "=",
            c1
            + 2 * c2 * x
            + c3 * (3 * x**2 + h**2)
            + c4 * (4 * x**3 + 4 * x * h**2)
            + c5 * (5 * x**4 + 10 * x**2 * h**2 + h**4),
            "all even powers of h stand in both values, and cancel",
            "definition",
            (POLYNOMIAL,),
        ),
        Step(
            "=",
            _d(1) + h**2 / 6 * _d(3) + h**4 / 120 * _d(5),
            "the coefficients of the powers of h are derivatives at x",
            "derivative",
            (POLYNOMIAL,),
        ),
    ),
    sizes="all coefficients, all x and all h, real or complex",
    holds="h ≠ 0",
    law=("witnesses/test_directional.py::test_the_errors_of_finite_differences_are_small_and_cover",),
)

# ----------------------------------------------------------------------------------------------- bounds, and the best h

k, r, M, M2, e = (Letter(name, positive=True) for name in ("h", "r", "M", "M_2", "e"))
value, slope, bend = (Letter(name, real=True) for name in ("f_0", "f'", "f''"))
ahead, behind = Letter(r"f_{+}", real=True), Letter(r"f_{-}", real=True)
third_ahead, third_behind = Letter(r"f'''_{+}", real=True), Letter(r"f'''_{-}", real=True)
off_ahead, off_behind = Letter(r"e_{+}", real=True), Letter(r"e_{-}", real=True)

TAYLOR = (
    Assumption(
        ahead,
        "=",
        value + k * slope + k**2 / 2 * bend + k**3 / 6 * third_ahead,
        "the values are those of Taylor's theorem, with third derivatives at some points between x − h and x + h",
    ),
    Assumption(behind, "=", value - k * slope + k**2 / 2 * bend - k**3 / 6 * third_behind, "and likewise"),
)
LARGEST = (
    Assumption(third_ahead, "≤", M, r"no third derivative there exceeds M in size"),
    Assumption(third_behind, "≤", M, "nor there"),
)
SMALLEST = (
    Assumption(third_ahead, "≥", -M, r"no third derivative there exceeds M in size"),
    Assumption(third_behind, "≥", -M, "nor there"),
)
ROUNDED = (
    Assumption(off_ahead, "≤", e, "each value is off by e at most"),
    Assumption(off_behind, "≥", -e, "and"),
)
ROUNDED_DOWN = (
    Assumption(off_ahead, "≥", -e, "each value is off by e at most"),
    Assumption(off_behind, "≤", e, "and"),
)
COMPUTED = ((ahead + off_ahead) - (behind + off_behind)) / (2 * k) - slope
PARTS = k**2 / 12 * (third_ahead + third_behind) + (off_ahead - off_behind) / (2 * k)
B, B2 = Function("B"), Function("B_1")

BOUND = Definition(
    B(k), M * k**2 / 6 + e / k, "", "what a central difference of values that are off by e can be off by"
)
BOUND_ONE_SIDED = Definition(
    B2(k),
    M2 * k / 2 + 2 * e / k,
    "",
    r"what a one-sided difference of such values can be off by, if $`\lvert f'' \rvert \le M_2`$",
)


def _apart(relation: Any, bounds: tuple[Bound, ...], end: Expression) -> tuple[Step, ...]:
    return (
        Step("=", PARTS, "of Taylor's terms f₀ and f″ cancel, and f′ is subtracted", "definition", TAYLOR),
        Step(relation, end, "each is as large in size as it may be", "signs", bounds=bounds),
    )


ABOVE = Theorem(
    "central-above",
    "How far a computed central difference is off, upwards",
    COMPUTED,
    _apart(
        "≤",
        (
            Bound(k**2 / 12, (LARGEST[0],)),
            Bound(k**2 / 12, (LARGEST[1],)),
            Bound(1 / (2 * k), (ROUNDED[0],)),
            Bound(1 / (2 * k), (ROUNDED[1],)),
        ),
        M * k**2 / 6 + e / k,
    ),
    assuming=(*TAYLOR, *LARGEST, *ROUNDED),
    sizes="all h > 0, e > 0 and M > 0",
)
BELOW = Theorem(
    "central-below",
    "How far a computed central difference is off, downwards",
    COMPUTED,
    _apart(
        "≥",
        (
            Bound(k**2 / 12, (SMALLEST[0],)),
            Bound(k**2 / 12, (SMALLEST[1],)),
            Bound(1 / (2 * k), (ROUNDED_DOWN[0],)),
            Bound(1 / (2 * k), (ROUNDED_DOWN[1],)),
        ),
        -(M * k**2 / 6 + e / k),
    ),
    assuming=(*TAYLOR, *SMALLEST, *ROUNDED_DOWN),
    sizes="all h > 0, e > 0 and M > 0",
)
q = Function("q")
CUBIC = Definition(q(t), M * t**3 / 6, "", "the cubic whose third derivative is M everywhere")
SHARP = Theorem(
    "central-sharp",
    "The bound is reached",
    ((q(x + k) + e) - (q(x - k) - e)) / (2 * k) - Derivative(q(x), x),
    (
        Step("=", M * k**2 / 6 + e / k, "by a cubic whose values are rounded apart", "derivative", (CUBIC,)),
        Step("=", B(k), "the bound", "definition", (BOUND,)),
    ),
    sizes="all x, h > 0, e > 0 and M > 0",
)
second_between, off_here = Letter(r"f''_{\xi}", real=True), Letter("e_0", real=True)
ONE_TAYLOR = Assumption(
    ahead,
    "=",
    value + k * slope + k**2 / 2 * second_between,
    "f(x + h) is that of Taylor's theorem, with the second derivative at some point between x and x + h",
)
ONE_LARGEST = Assumption(second_between, "≤", M2, "which is M₂ at most")
ONE_ROUNDED = (
    Assumption(off_ahead, "≤", e, "each value is off by e at most"),
    Assumption(off_here, "≥", -e, "and"),
)
ONE_SIDED = Theorem(
    "forward-above",
    "How far a computed one-sided difference is off",
    ((ahead + off_ahead) - (value + off_here)) / k - slope,
    (
        Step(
            "=",
            k / 2 * second_between + (off_ahead - off_here) / k,
            "f₀ cancels, and f′ is subtracted",
            "definition",
            (ONE_TAYLOR,),
        ),
        Step(
            "≤",
            M2 * k / 2 + 2 * e / k,
            "each is as large as it may be",
            "signs",
            bounds=(Bound(k / 2, (ONE_LARGEST,)), Bound(1 / k, (ONE_ROUNDED[0],)), Bound(1 / k, (ONE_ROUNDED[1],))),
        ),
        Step("=", B2(k), "the bound", "definition", (BOUND_ONE_SIDED,)),
    ),
    assuming=(ONE_TAYLOR, ONE_LARGEST, *ONE_ROUNDED),
    sizes="all h > 0, e > 0 and M₂ > 0; and for −f it is the same bound downwards",
)
CHOSEN = Assumption(e, "=", M * r**3 / 3, r"r is $`\sqrt[3]{3 e / M}`$")
CHOSEN_ONE_SIDED = Assumption(e, "=", M2 * r**2 / 4, r"r is $`2 \sqrt{e / M_2}`$")

BEST_SLOPE = Theorem(
    "best-step-slope",
    "The bound falls up to one step size, and rises from there on",
    Derivative(B(k), k),
    (
        Step("=", Derivative(M * k**2 / 6 + e / k, k), "the bound", "definition", (BOUND,)),
        Step("=", M * k / 3 - e / k**2, "the derivatives of a square and of a reciprocal", "derivative"),
        Step(
            "=",
            M * (k**3 - r**3) / (3 * k**2),
            "it has the sign of h − r, and is 0 for h = r only",
            "definition",
            (CHOSEN,),
        ),
    ),
    assuming=(CHOSEN,),
    sizes="all h > 0 and M > 0",
)
BEST = Theorem(
    "best-step",
    "The best step of a central difference",
    B(k),
    (
        Step(
            "=",
            M * r**2 / 2 + M * (k - r) ** 2 * (k + 2 * r) / (6 * k),
            "which is seen by multiplying it out",
            "definition",
            (BOUND, CHOSEN),
        ),
        Step(
            "≥",
            M * r**2 / 2,
            "what is left out is not negative, and 0 for h = r only",
            "signs",
            bounds=(Bound(M * (k - r) ** 2 * (k + 2 * r) / (6 * k)),),
        ),
        Step("=", B(r), "the bound for h = r", "definition", (BOUND, CHOSEN)),
    ),
    assuming=(CHOSEN,),
    sizes="all h > 0 and M > 0",
)
BEST_ONE_SIDED = Theorem(
    "best-forward-step",
    "The best step of a one-sided difference",
    B2(k),
    (
        Step(
            "=",
            M2 * r + M2 * (k - r) ** 2 / (2 * k),
            "which is seen by multiplying it out",
            "definition",
            (BOUND_ONE_SIDED, CHOSEN_ONE_SIDED),
        ),
        Step(
            "≥",
            M2 * r,
            "what is left out is not negative, and 0 for h = r only",
            "signs",
            bounds=(Bound(M2 * (k - r) ** 2 / (2 * k)),),
        ),
        Step("=", B2(r), "the bound for h = r", "definition", (BOUND_ONE_SIDED, CHOSEN_ONE_SIDED)),
    ),
    assuming=(CHOSEN_ONE_SIDED,),
    sizes="all h > 0 and all M₂ > 0",
)

# ---------------------------------------------------------------------------------------------------------- Richardson

d = Function("d")
D, a2, a4 = (Letter(name, real=True) for name in ("D", "a", "b"))
SERIES = Definition(
    d(h), D + a2 * h**2 + a4 * h**4, "", "a central difference with step h: the derivative D, and errors in h² and h⁴"
)


def _extrapolated(given: Mapping[str, BallArray]) -> BallArray:
    def difference(step: BallArray) -> Any:
        square = step * step
        return (given["D"] + given["a"] * square + given["b"] * square * square).elements

    step = given["h"]
    last, _ = finite_difference._extrapolated(difference(step), difference(step / 2), difference(step / 4))  # noqa: SLF001
    return BallArray(np.array(last, dtype=object))


ONCE = Theorem(
    "richardson-once",
    "Two steps, without the term in h²",
    d(h / 2) + (d(h / 2) - d(h)) / 3,
    (Step("=", D - a4 * h**4 / 4, "halving h makes the first error a quarter", "definition", (SERIES,)),),
    sizes="all h",
)
TWICE = Theorem(
    "richardson",
    "Three steps, without the term in h⁴",
    (64 * d(h / 4) - 20 * d(h / 2) + d(h)) / 45,
    (
        Step(
            "=",
            D,
            r"64 − 20 + 1 = 45, $`\frac{64}{16} - \frac{20}{4} + 1 = 0`$, "
            r"$`\frac{64}{256} - \frac{20}{16} + 1 = 0`$",
            "definition",
            (SERIES,),
        ),
    ),
    sizes="all h",
    code=("refnn.witnesses.finite_difference:_extrapolated",),
    law=("witnesses/test_directional.py::test_the_errors_of_finite_differences_are_small_and_cover",),
    run=Execution({"D": (), "a": (), "b": (), "h": ()}, _extrapolated),
)

# --------------------------------------------------------------------------------------------------------- complex step

COMPLEX = Theorem(
    "complex-step",
    "The complex step is a central difference with an imaginary step",
    (p(x + I * h) - p(x - I * h)) / (2 * I * h),
    (
        Step(
            "=",
            _d(1) - h**2 / 6 * _d(3) + h**4 / 120 * _d(5),
            "with ih in place of h: (ih)² = −h², (ih)⁴ = h⁴",
            "theorem",
            (CENTRAL.at({h: I * h}),),
        ),
    ),
    sizes="all real coefficients, all x and all h",
    holds="h ≠ 0",
    law=("arithmetic/test_complex.py::test_the_step_is_the_derivative",),
)

imaginary, third_between = Letter("v", real=True), Letter("rho", real=True)
IMAGINARY = Assumption(
    imaginary,
    "=",
    k * slope - k**3 / 6 * third_between,
    r"$`v = \operatorname{Im} f(x + i h)`$ is that of Taylor's theorem as a function of h, where ρ is the real part of "
    "f‴ at some point between x and x + ih",
)
COMPLEX_LARGEST = Assumption(third_between, "≥", -M, "ρ is −M at least")
COMPLEX_BOUND = Theorem(
    "complex-step-bound",
    "How far the complex step is off",
    imaginary / k - slope,
    (
        Step("=", -(k**2) / 6 * third_between, "h f′ is divided by h", "definition", (IMAGINARY,)),
        Step("≤", M * k**2 / 6, "ρ is as small as it may be", "signs", bounds=(Bound(k**2 / 6, (COMPLEX_LARGEST,)),)),
    ),
    assuming=(IMAGINARY, COMPLEX_LARGEST),
    sizes="all h > 0 and M > 0; and for −f it is the same bound downwards, if ρ is M at most",
)

# --------------------------------------------------------------------------------------------------------- dual numbers

a, b, c, s = (Letter(name, real=True) for name in "abcd")
varepsilon = Letter("varepsilon")
NILPOTENT = Assumption(varepsilon**2, "=", S.Zero, "ε is a new number, not 0, whose square is 0")
EACH = "all numbers a, b, c and d, and so for each element of arrays of any shape"
ONE = "all numbers a and b, and so for each element of arrays of any shape"
PAIRS: dict[str, tuple[Expression, ...]] = dict.fromkeys(("a", "b", "c", "d", "varepsilon"), ())


def _duals(operation: Callable[..., Any], letters: Sequence[str] = ("ab", "cd")) -> Callable[..., Any]:
    """What an operation of dual numbers gives, value + ε·tangent."""

    def run(given: Mapping[str, BallArray]) -> Any:
        found = operation(*(DualArray(given[pair[0]], given[pair[1]]) for pair in letters))
        return found.value + given["varepsilon"] * found.tangent

    return run


DUAL_SUM = Theorem(
    "dual-sum",
    "The sum of dual numbers",
    (a + b * varepsilon) + (c + s * varepsilon),
    (Step("=", (a + c) + (b + s) * varepsilon, "collected", "sums"),),
    sizes=EACH,
    code=("refnn.arithmetic.dual:DualArray",),
    law=("arithmetic/test_dual.py::test_the_tangent_is_the_derivative",),
    run=Execution(PAIRS, _duals(lambda z, w: z + w)),
)
DUAL_PRODUCT = Theorem(
    "dual-product",
    "The product of dual numbers",
    (a + b * varepsilon) * (c + s * varepsilon),
    (
        Step(
            "=",
            a * c + (b * c + a * s) * varepsilon + b * s * varepsilon**2,
            "multiplied out",
            "sums",
        ),
        Step("=", a * c + (b * c + a * s) * varepsilon, "ε² = 0", "definition", (NILPOTENT,)),
    ),
    assuming=(NILPOTENT,),
    sizes=EACH,
    code=("refnn.arithmetic.dual:DualArray",),
    law=("arithmetic/test_dual.py::test_the_tangent_is_the_derivative",),
    run=Execution(PAIRS, _duals(lambda z, w: z * w)),
)
DUAL_QUOTIENT = Theorem(
    "dual-quotient",
    "The quotient of dual numbers",
    (a + b * varepsilon) / (c + s * varepsilon),
    (
        Step(
            "=",
            (a + b * varepsilon) * (c - s * varepsilon) / (c**2 - s**2 * varepsilon**2),
            "numerator and denominator times c − dε",
            "fractions",
        ),
        Step("=", (a + b * varepsilon) * (c - s * varepsilon) / c**2, "ε² = 0", "definition", (NILPOTENT,)),
        Step(
            "=",
            a / c + (b * c - a * s) / c**2 * varepsilon - b * s / c**2 * varepsilon**2,
            "multiplied out",
            "sums",
        ),
        Step(
            "=",
            a / c + (b - a / c * s) / c * varepsilon,
            "ε² = 0, once more",
            "definition",
            (NILPOTENT,),
        ),
    ),
    assuming=(NILPOTENT,),
    sizes=EACH,
    holds="c ≠ 0",
    code=("refnn.arithmetic.dual:_divide",),
    law=("arithmetic/test_dual.py::test_the_tangent_is_the_derivative",),
    run=Execution(PAIRS, _duals(lambda z, w: z / w), draw={"c": positive}),
)

m = Letter("k", integer=True, positive=True)
n = size("n")
j = Index("k", n)
P, coefficient = map(array, ("P", "c"))
at, along = a, b

FIRST_POWER = Definition(P[1], at + along * varepsilon, "", "the first power of a dual number")
NEXT_POWER = Definition(P[m + 1], P[m] * (at + along * varepsilon), "", "the next one is one factor more")
POWER_CLAIM = Statement(P[m], "=", at**m + m * at ** (m - 1) * along * varepsilon)
DUAL_POWER = Induction(
    "dual-power",
    "The powers of a dual number",
    POWER_CLAIM,
    over=m,
    first=Rational(1),
    following=m + 1,
    base=(Step("=", at + along * varepsilon, "the first power", "definition", (FIRST_POWER,)),),
    step=(
        Step("=", P[m] * (at + along * varepsilon), "one factor more", "definition", (NEXT_POWER,)),
        Step(
            "=",
            (at**m + m * at ** (m - 1) * along * varepsilon) * (at + along * varepsilon),
            "what is claimed for k",
            "definition",
            (POWER_CLAIM,),
        ),
        Step(
            "=",
            at ** (m + 1) + (m + 1) * at**m * along * varepsilon + m * at ** (m - 1) * along**2 * varepsilon**2,
            "multiplied out: one more of the middle term",
            "sums",
        ),
        Step("=", at ** (m + 1) + (m + 1) * at**m * along * varepsilon, "ε² = 0", "definition", (NILPOTENT,)),
    ),
    assuming=(NILPOTENT,),
    sizes="all whole numbers k from 1 on",
    holds="a ≠ 0, and so for a = 0 as well, as both sides are polynomials in a",
)


def _polynomial(given: Mapping[str, BallArray]) -> Any:
    """c₀ + c₁z + c₂z² + …, by multiplications and additions of dual numbers."""
    z = DualArray(given["a"], given["b"])
    found: Any = 0 * z
    for value in reversed(given["c"].elements):
        found = (found + DualArray(BallArray(np.array(value, dtype=object)), 0 * given["a"])) * z
    found = found + DualArray(given["c_0"], 0 * given["a"])
    return found.value + given["varepsilon"] * found.tangent


DUAL_POLYNOMIAL = Theorem(
    "dual-polynomial",
    "A polynomial of a dual number",
    c0 + total(coefficient[j] * P[j], j),
    (
        Step(
            "=",
            c0 + total(coefficient[j] * (at**j + j * at ** (j - 1) * along * varepsilon), j),
            "the powers, for each k",
            "theorem",
            (DUAL_POWER,),
        ),
        Step(
            "=",
            c0 + total(coefficient[j] * at**j, j) + along * varepsilon * total(j * coefficient[j] * at ** (j - 1), j),
            "the sum is taken apart",
            "sums",
        ),
        Step(
            "=",
            c0
            + total(coefficient[j] * at**j, j)
            + along * varepsilon * Derivative(c0 + total(coefficient[j] * at**j, j), at),
            "the derivative, term by term",
            "derivative",
        ),
    ),
    assuming=(NILPOTENT,),
    sizes="all degrees n and all coefficients",
    holds="all a, as [[dual-power]] does",
    code=("refnn.arithmetic.dual:DualArray",),
    law=("arithmetic/test_dual.py::test_the_tangent_is_the_derivative",),
    run=Execution({"a": (), "b": (), "c_0": (), "c": (n,), "varepsilon": ()}, _polynomial),
)
DUAL_EXP = Theorem(
    "dual-exp",
    "The exponential of a dual number",
    exp(a) + varepsilon * b * Derivative(exp(a), a),
    (Step("=", exp(a) + varepsilon * b * exp(a), "exp is its own derivative", "derivative"),),
    sizes=ONE,
    code=("refnn.arithmetic.dual:_unary",),
    law=("arithmetic/test_dual.py::test_the_tangent_is_the_derivative",),
    run=Execution({"a": (), "b": (), "varepsilon": ()}, _duals(arrays.exp, ("ab",))),
)
DUAL_TANH = Theorem(
    "dual-tanh",
    "The hyperbolic tangent of a dual number",
    tanh(a) + varepsilon * b * Derivative(tanh(a), a),
    (
        Step("=", tanh(a) + varepsilon * b * (1 - tanh(a) ** 2), "SymPy's derivative of tanh", "derivative"),
        Step("=", tanh(a) + varepsilon * b / cosh(a) ** 2, "cosh² − sinh² = 1", "exponentials"),
    ),
    sizes=ONE,
    code=("refnn.arithmetic.dual:_unary",),
    law=("arithmetic/test_dual.py::test_the_tangent_is_the_derivative",),
    run=Execution({"a": (), "b": (), "varepsilon": ()}, _duals(arrays.tanh, ("ab",))),
)
# ------------------------------------------------------------------------------------------------ an example by hand

STEP, PLACE = Letter("h", real=True), Letter("x", real=True)


def _quotient(at: Expression) -> Expression:
    return at**2 / (1 + at)


def _example(given: Mapping[str, BallArray]) -> Any:
    z = DualArray(given["x"], 1 + 0 * given["x"])
    return z * z / (z + 1)


_EVEN, _ODD = PLACE**2 - STEP**2, 2 * PLACE * STEP  # (x + ih)²
_IMAGINARY = (_ODD * (1 + PLACE) - _EVEN * STEP) / ((1 + PLACE) ** 2 + STEP**2)
_SLOPE = (PLACE**2 + 2 * PLACE) / (1 + PLACE) ** 2

EXAMPLE = Worked(
    "one derivative in five ways",
    r"The derivative of $`f(t) = \frac{t^2}{1 + t}`$ at $`x = 1`$ is asked for; differences and the complex step take "
    r"$`h = \frac12`$, which is far too large, so that their errors can be seen.",
    {},
    {"x": "1", "h": "1/2"},
    (
        Quantity("f(x)", _quotient(PLACE), (), r"$`1^2 \big/ 2`$", lambda given: _example(given).value),
        Quantity(
            "f'(x)",
            _SLOPE,
            (),
            r"by the quotient rule, $`\frac{2x (1 + x) - x^2}{(1 + x)^2}`$: the truth",
        ),
        Quantity("f(x + h)", _quotient(PLACE + STEP), (), r"$`\frac94 \big/ \frac52`$"),
        Quantity("f(x - h)", _quotient(PLACE - STEP), (), r"$`\frac14 \big/ \frac32`$"),
        Quantity(
            r"\frac{f(x + h) - f(x)}{h}",
            (_quotient(PLACE + STEP) - _quotient(PLACE)) / STEP,
            (),
            r"one-sided: too large by $`\frac1{20}`$",
        ),
        Quantity(
            r"\frac{f(x + h) - f(x - h)}{2 h}",
            (_quotient(PLACE + STEP) - _quotient(PLACE - STEP)) / (2 * STEP),
            (),
            r"central: too small by $`\frac1{60}`$, as the third derivative, $`-6/(1 + t)^4`$, is negative",
        ),
        Quantity(r"\operatorname{Re} (x + i h)^2", _EVEN, (), r"$`1 - \frac14`$"),
        Quantity(r"\operatorname{Im} (x + i h)^2", _ODD, (), r"$`2 \cdot 1 \cdot \frac12`$"),
        Quantity(
            r"\operatorname{Im} f(x + i h)",
            _IMAGINARY,
            (),
            r"of $`(\frac34 + i) \big/ (2 + \frac{i}2)`$, both times $`2 - \frac{i}2`$",
        ),
        Quantity(
            r"\frac{1}{h} \operatorname{Im} f(x + i h)",
            _IMAGINARY / STEP,
            (),
            r"the complex step: too large by $`\frac1{68}`$, nearly what the central difference is too small by",
        ),
        Quantity(
            "2 x",
            2 * PLACE,
            (),
            r"dual numbers: $`(1 + \varepsilon)^2 = 1 + 2 \varepsilon`$",
            lambda given: (lambda z: (z * z).tangent)(DualArray(given["x"], 1 + 0 * given["x"])),
        ),
        Quantity(
            "f'(x)",
            _SLOPE,
            (),
            r"and $`\frac{1 + 2 \varepsilon}{2 + \varepsilon}`$ has the tangent "
            r"$`(2 - \frac12 \cdot 1) \big/ 2`$: no h, and no error",
            lambda given: _example(given).tangent,
        ),
    ),
)

# ------------------------------------------------------------------------------------------------------------ a picture

_AT, _STEPS = Fraction(3, 2), [2.0**-exponent for exponent in range(3, 51)]
_UNIT = Fraction(1, 2**53)


def _reciprocal(at: float) -> float:
    return 1 / at


def _off(found: float) -> float:
    """How far it is from the derivative of 1/t, in fractions, so that nothing is rounded."""
    return float(abs(Fraction(found) + 1 / _AT**2))


def _errors() -> dict[str, list[float]]:
    """Of each way and each step, the error that was made; divisions by a power of 2 are not rounded."""
    at = float(_AT)
    return {
        "one-sided": [_off((_reciprocal(at + step) - _reciprocal(at)) / step) for step in _STEPS],
        "central": [_off((_reciprocal(at + step) - _reciprocal(at - step)) / (2 * step)) for step in _STEPS],
        "complex": [_off(-step / (at * at + step * step) / step) for step in _STEPS],
    }


def _largest() -> tuple[float, float, float]:
    """Bounds on the rounding of 1/t, on |f″| and on |f‴|, for |t − x| ≤ 1/8, the largest of the steps."""
    nearest = _AT - Fraction(1, 8)
    return float(_UNIT / nearest), float(2 / nearest**3), float(6 / nearest**4)


def _bounds() -> dict[str, list[float]]:
    rounding, second, third = _largest()
    return {
        "one-sided": [second * step / 2 + 2 * rounding / step for step in _STEPS],
        "central": [third * step**2 / 6 + rounding / step for step in _STEPS],
    }


def _best() -> dict[str, float]:
    rounding, second, third = _largest()
    return {"one-sided": 2 * (rounding / second) ** (1 / 2), "central": (3 * rounding / third) ** (1 / 3)}


def _draw() -> Any:
    from matplotlib.figure import Figure

    from refnn.report.plots import COLOURS, GREY, MARKERS

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for (name, errors), colour, marker in zip(_errors().items(), COLOURS, MARKERS, strict=True):
        seen = [(step, error) for step, error in zip(_STEPS, errors, strict=True) if error > 0]
        axes.plot(*zip(*seen, strict=True), marker, color=colour, ms=4, label=f"{name}: error in float64")
        if name in _bounds():
            axes.plot(_STEPS, _bounds()[name], color=colour, lw=1.2, label=f"{name}: bound")
            axes.axvline(_best()[name], color=GREY, lw=0.8, ls=":")
            axes.annotate(f"best h\n{_best()[name]:.1e}", (_best()[name], 0.3), color=GREY, fontsize=8, ha="center")
    axes.set(xscale="log", yscale="log", xlabel="step h", ylabel="error of the derivative", ylim=(1e-17, 10))
    axes.set_title("The derivative of 1/t at 3/2 by differences and by a complex step")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


PICTURE = Picture(
    "steps",
    "The error of three ways to compute a derivative, against the step h, both on logarithmic axes. That of a "
    "one-sided difference falls like h down to h = 1e-8 and then rises like 1/h; that of a central difference falls "
    "like h² down to h = 1e-5 and then rises like 1/h; that of the complex step falls like h² to the rounding of the "
    "result and stays there.",
    _draw,
    lambda: [number for way in (*_errors().values(), *_bounds().values(), _best().values()) for number in way],
)


def _steps_table() -> list[list[str]]:
    """For a function whose values are about 1, and whose derivatives are."""
    rows = []
    for name, digits in (("float64", 53), ("float32", 24), ("bfloat16", 8)):
        rounding = 2.0**-digits
        one, two = 2 * rounding ** (1 / 2), (3 * rounding) ** (1 / 3)
        rows.append([name, f"{rounding:.0e}", f"{one:.0e}", f"{one:.0e}", f"{two:.0e}", f"{two**2 / 2:.0e}"])
    return rows


PAGE = Page(
    1,
    "derivatives",
    "Derivatives, and how to compute them",
    "What a derivative is, and four ways to compute one without a formula: one-sided and central differences, whose "
    "step is best neither large nor small; the complex step, which subtracts nothing; and dual numbers, which have no "
    "step at all. How far each is off, and why.",
    (),
    (
        Symbol("f, g", "", "functions of a real number"),
        Symbol(r"f'(x)", "", "the derivative of f at x; f″ and f‴ are the second and the third"),
        Symbol("h", "", "the step, other than 0"),
        Symbol("F, G", "", "slopes of f and g at x: f(u) − f(x) = F(u) (u − x)"),
        Symbol("M, M_2", "", "bounds on the sizes of f‴ and of f″ near x"),
        Symbol("e", "", "a bound on the rounding error of a computed value of f"),
        Symbol("B(h)", "", "the bound on the error of a computed central difference with step h"),
        Symbol("S^{(k)}, R^{(k)}", "", "a slope of the power $`t^k`$ from x to u, and its value for u = x"),
        Symbol("p, c", "", "a polynomial of degree 5 at most, or n, and its coefficients"),
        Symbol("q, r", "", "the cubic that reaches the bound, and the step for which a bound is least"),
        Symbol("B_1(h)", "", "the bound on the error of a computed one-sided difference with step h"),
        Symbol("d(h), D", "", "a central difference as a series in h², and the derivative, with which it begins"),
        Symbol(r"v, \rho", "", "of a complex step: the imaginary part of f(x + ih), and a real part of f‴"),
        Symbol(r"\varepsilon", "", "the unit of dual numbers: ε² = 0, ε ≠ 0"),
        Symbol(r"a + b \varepsilon", "", "a dual number: a is its value, b its tangent"),
        Symbol("P^{(k)}, P_k", "", r"the k-th power of $`a + b \varepsilon`$"),
    ),
    (
        Prose("## What a derivative is"),
        DERIVATIVE,
        Prose(
            "The limit is needed because the quotient means nothing for h = 0. For a function that is given by a "
            "formula, the h in the denominator can be cancelled first; what is left is continuous in h, and its limit "
            "is its value for h = 0."
        ),
        SQUARE,
        QUOTIENT_OF_RECIPROCAL,
        RECIPROCAL,
        PARTIAL,
        PARTIAL_SQUARE,
        Prose(
            "## Rules\n\n"
            "To derive the rules, it is easiest to speak of slopes. A function F is a slope of f at x if "
            r"$`f(u) - f(x) = F(u)\,(u - x)`$ for all u, and F is continuous at x. For u ≠ x that is no more than the "
            "difference quotient from x to u; that F is continuous at x says that the quotients have a limit, and that "
            r"it is $`F(x)`$. So f has a derivative at x exactly if it has a slope there, and "
            r"$`f'(x) = F(x)`$ (Carathéodory's definition; S. Kuhn, "
            '"The derivative à la Carathéodory", American Mathematical Monthly 98 (1991), 40–44).\n\n'
            "With slopes, a rule is a line of algebra without any limit. In each of the following, the factor of "
            "u − x is a slope: it is made of functions that are continuous at x, by sums, products, quotients and "
            "composition, so it is continuous at x too, and its value there is the derivative."
        ),
        SUM,
        Prose("As u tends to x, the factor of u − x tends to the derivative:"),
        Display(r"(\alpha f + \beta g)'(x) = \alpha f'(x) + \beta g'(x)"),
        PRODUCT,
        Prose("As u tends to x, the factor of u − x tends to the derivative:"),
        Display(r"(f g)'(x) = f'(x)\, g(x) + f(x)\, g'(x)"),
        QUOTIENT,
        Prose("As u tends to x, the factor of u − x tends to the derivative:"),
        Display(r"\left(\frac{f}{g}\right)'(x) = \frac{f'(x)\, g(x) - f(x)\, g'(x)}{g(x)^2}"),
        CHAIN,
        Prose("As u tends to x, the factor of u − x tends to the derivative:"),
        Display(r"(f \circ g)'(x) = f'(g(x))\, g'(x)"),
        Prose(
            "With the product rule, a factor more at a time gives the powers, and with linearity every polynomial. A "
            "slope S of a power is a polynomial in u, so it is continuous; its value R for u = x is the derivative."
        ),
        FIRST_SLOPE,
        NEXT_SLOPE,
        POWER_SLOPE,
        FIRST_AT,
        NEXT_AT,
        POWER_DERIVATIVE,
        Prose(
            "[[chain-rule|The same with several variables]] is the next page.\n\n"
            "## Differences\n\n"
            "Where there is no formula, or where the formula is what is in doubt, the quotient can be computed with a "
            "small h. How wrong it is can be said exactly for a polynomial. What holds for those of degree 5 shows "
            "how the error begins for every function that has five derivatives, which is such a polynomial up to terms "
            "that are smaller still for small h (Taylor's theorem)."
        ),
        POLYNOMIAL,
        FORWARD,
        CENTRAL,
        Prose(
            "That no odd power of h is left is no accident of the degree. If a central difference is a series in h at "
            "all, it has even powers only, as it is the same for −h:"
        ),
        EVEN,
        Prose(
            "With a tenth of the step, a one-sided difference has a tenth of its error, and a central one a "
            "hundredth. So the step should be tiny — if values of f were exact. They are rounded: let each be off by e "
            "at most. The difference of two values is then off by 2e at most, and its quotient by 2h is off by "
            r"$`e/h`$, which grows as h shrinks. The next two theorems say what both errors come to, for any "
            r"function with $`\lvert f''' \rvert \le M`$ near x."
        ),
        ABOVE,
        BELOW,
        Prose("Both in one line, with the computed values $`\\tilde f_{\\pm} = f_{\\pm} + e_{\\pm}`$:"),
        Display(
            r"\left\lvert \frac{\tilde f_{+} - \tilde f_{-}}{2 h} - f' \right\rvert \le \frac{M h^2}{6} + \frac{e}{h}"
        ),
        Prose(
            "The subtraction and the division themselves are rounded as well, but relative to their results, "
            "which is little: two floats within a factor of two of each other even subtract exactly (Sterbenz, "
            '"Floating-Point Computation", 1974, theorem 4.3.1). What is assumed silently is that x + h and x − h are '
            "floats; so h is best a power of 2, and not so small that it is lost in x.\n\n"
            "The bound is no exaggeration. It is reached:"
        ),
        CUBIC,
        BOUND,
        SHARP,
        Prose(
            "One part of the bound grows with h and one falls, so there is a best h between. The derivative of the "
            "bound tells where; that it is the smallest value of all is proved without it, by writing what "
            "the bound is above its value there as a product of what is not negative."
        ),
        BEST_SLOPE,
        BEST,
        Prose("In terms of e and M, with r as it is assumed to be:"),
        Display(
            r"h_{\text{best}} = \sqrt[3]{\frac{3 e}{M}}, \qquad "
            r"B(h_{\text{best}}) = \frac{M}{2} \left(\frac{3 e}{M}\right)^{2/3}"
        ),
        BOUND_ONE_SIDED,
        ONE_SIDED,
        BEST_ONE_SIDED,
        Display(r"h_{\text{best}} = 2 \sqrt{\frac{e}{M_2}}, \qquad B_1(h_{\text{best}}) = 2 \sqrt{e M_2}"),
        Prose(
            "So of the digits of f, a central difference keeps about two thirds at its best, and a one-sided one half. "
            "If f and its derivatives are about 1, and its values are rounded to the unit roundoff u of the format:"
        ),
        Table(
            ("format", "e = u", "one-sided: best h", "error", "central: best h", "error"),
            _steps_table,
        ),
        PICTURE,
        Prose(
            r"The picture shows it for $`f(t) = 1/t`$ at $`x = \frac32`$: the errors that are made in float64, which "
            "were computed with fractions, and the bounds, with the largest M and e for all the steps shown. No error "
            "is above its bound.\n\n"
            "The error of a central difference is a series in h², so differences with two steps can be combined so "
            "that its first term cancels, and with three steps so that the second does (Richardson, Philosophical "
            "Transactions of the Royal Society A 210 (1911), 307–357). That allows a step that is large enough for the "
            "rounding to matter little. It is how refnn's witness of [finite "
            "differences](../refnn/witnesses/finite_difference.py) computes."
        ),
        SERIES,
        ONCE,
        TWICE,
        Code("refnn.witnesses.finite_difference:_extrapolated"),
        Prose(
            "## The complex step\n\n"
            "Nothing in the theorem on [[central-difference|central differences]] asks h to be real. For an imaginary "
            "step ih, the error changes its sign:"
        ),
        COMPLEX,
        Prose(
            "The coefficients are real, so p(x − ih) is the complex conjugate of p(x + ih), and half of their "
            "difference is i times the imaginary part. The left side is therefore"
        ),
        Display(r"\frac{p(x + i h) - p(x - i h)}{2 i h} = \frac{\operatorname{Im} p(x + i h)}{h}"),
        Prose(
            "of which one value is enough, and nothing is subtracted. So nothing cancels: the imaginary part is "
            "computed to a relative error of a few roundings however small h is, and there is no term e/h. The step "
            r"can be so small that $`h^2`$ is below every rounding; refnn takes "
            r"$`h = 2^{-200}`$ (Squire, Trapp, "
            '"Using Complex Variables to Estimate Derivatives of Real Functions", SIAM Review 40 (1998), 110–112). '
            "The bound for a function that is no polynomial:"
        ),
        COMPLEX_BOUND,
        Prose(
            "It takes a program whose every operation is analytic: a power series with real coefficients. That is so "
            "of sums, products, quotients, exp, log and tanh. It is not so of the absolute value, of a complex "
            "conjugate, or of a comparison, which has to be made by the real part alone; a stable sigmoid that is "
            r"written with $`\lvert z \rvert`$ would come out wrong. So "
            "[ComplexArray](../refnn/arithmetic/complex.py) has a rule for each operation of refnn, and the witness is "
            "[complex_step](../refnn/witnesses/complex_step.py).\n\n"
            "## Dual numbers\n\n"
            r"A central difference has $`+h^2`$ in its error, the complex step has $`-h^2`$. A step ε with ε² = 0 "
            "would have no error. There is no such real or complex number but 0; so one is invented, as i was, "
            "and numbers a + bε are computed with by the usual rules and ε² = 0 (Clifford, "
            '"Preliminary Sketch of Biquaternions", Proceedings of the London Mathematical Society 4 (1871), 381–395; '
            'as a way to differentiate: Griewank, Walther, "Evaluating Derivatives", 2nd ed. 2008, section 3.1). The '
            "product rule and the quotient rule then come out by themselves, as the factor of ε."
        ),
        DUAL_SUM,
        DUAL_PRODUCT,
        DUAL_QUOTIENT,
        Code("refnn.arithmetic.dual:_divide"),
        FIRST_POWER,
        NEXT_POWER,
        DUAL_POWER,
        DUAL_POLYNOMIAL,
        Prose(
            "For a polynomial of any degree, f(a + bε) holds the derivative of f at a, times b, exactly: there is no "
            "remainder, as every further term has the factor ε². A function that is the sum of a power "
            "series is extended by the same formula, and so is every other differentiable function, by definition:"
        ),
        Display(r"f(a + b \varepsilon) := f(a) + f'(a)\, b\, \varepsilon"),
        Prose(
            "The [[slope-chain|chain rule]] is what makes that consistent: f(g(a + bε)) is the same whether g is "
            "applied first and then f, or f(g(t)) is taken for one function. So a program that is made of such "
            "operations computes its own derivative, if it is run on dual numbers; each operation has to know its own "
            "derivative only. [DualArray](../refnn/arithmetic/dual.py) has a table of them; two of its lines are the "
            "following, where b is any tangent."
        ),
        DUAL_EXP,
        DUAL_TANH,
        Code("refnn.arithmetic.dual:_unary"),
        Prose(
            "With b = 1 for one of the inputs, and 0 for all others, the result is the partial derivative in that one; "
            "with any b it is the derivative along b, which is [[chain-rule|a Jacobian-vector product]]. The "
            "witness [forward_mode](../refnn/witnesses/forward_mode.py) asks for every partial derivative of a network "
            "so."
        ),
        Fails(
            "a smaller step, a kink, and an operation that is not analytic",
            "A step that is lost in the rounding gives nothing; at a kink each way gives an answer, and "
            "they differ, as there is no derivative; and the absolute value of a complex number has no "
            "imaginary part, so that its derivative comes out as 0. All three are silent.",
            """
import numpy as np
from refnn import ReLU
from refnn.arithmetic.dual import DualArray

for exponent in (1, 9, 17, 25, 33, 41, 49, 57):        # the derivative of t·t·t at 0.7 is 1.47
    h = 2.0**-exponent
    ahead, behind = 0.7 + h, 0.7 - h
    central = (ahead * ahead * ahead - behind * behind * behind) / (2 * h)
    print(f"h = 2^-{exponent:<2}  central {central:.12f}")
z = complex(0.7, 2.0**-200)
print(f"h = 2^-200 complex {(z * z * z).imag / 2.0**-200:.12f}")

relu, zero, h = ReLU(), np.zeros((1, 1)), 0.5          # max(t, 0) at its kink
ahead, behind = relu.forward((), zero + h), relu.forward((), zero - h)
print("central       ", ((ahead - behind) / (2 * h)).item())
print("one-sided     ", ((ahead - relu.forward((), zero)) / h).item())
print("dual numbers  ", relu.forward((), DualArray(zero, zero + 1)).tangent.item())

z = complex(-2, 2.0**-200)                             # the derivative of abs at -2 is -1
print("complex abs   ", complex(abs(z)).imag / 2.0**-200)
""",
        ),
        EXAMPLE,
    ),
    ("chain-rule", "activations", "rounding"),
)
