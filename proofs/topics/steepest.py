"""The gradient is the direction of steepest ascent, by Lagrange's identity and the inequality of Cauchy and Schwarz."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from sympy import Derivative, Function, Integer, KroneckerDelta, Rational
from sympy import Symbol as Letter

from proofs.execution import Execution
from proofs.kernel import Assumption, Bound, Definition, Step, Theorem
from proofs.page import Code, Fails, Page, Picture, Prose, Quantity, Symbol, Worked
from proofs.sums import Index, array, size, total
from refnn import Dense, Network, SquaredError, arrays
from refnn.arithmetic.ball import BallArray
from refnn.arithmetic.dual import DualArray

__all__ = ["PAGE"]

P = size("P")
i, j, k = Index("i", P), Index("j", P), Index("k", P)
a, b, g, v, w = map(array, ("a", "b", "g", "v", "w"))
c = array("c", positive=True)
r = Letter("r", positive=True)
epsilon = Letter("epsilon", real=True)
phi = Function("varphi")

SIZES = "every number P of parameters"
STEEPEST_LAW = "laws/test_gradient.py::test_no_slope_exceeds_the_length_of_the_gradient_and_along_it_is_that"
AXES_LAW = "laws/test_gradient.py::test_each_partial_derivative_isolates_one_variable"

# --------------------------------------------------------------------------------------------- the slope along a vector

PATH = Assumption(
    Derivative(phi(epsilon), epsilon),
    "=",
    total(g[j] * Derivative(w[j] + epsilon * v[j], epsilon), j),
    "[[chain-rule-partial|the chain rule]], where g is the gradient of L at w + εv",
)
SLOPE = total(g[j] * v[j], j)


def _along(given: Mapping[str, BallArray]) -> Any:
    """The slope along v by dual numbers, of a network whose gradient in its weight is g: ½ Σ w² at w = g."""
    parameters = len(given["g"].elements)
    network = Network(Dense(1, parameters), loss=SquaredError())
    nothing = BallArray.exact(np.zeros(parameters))
    at, along = (arrays.join(given[letter], nothing) for letter in ("g", "v"))
    return network.loss(DualArray(at, along), np.ones((1, 1)), np.zeros((1, parameters))).tangent


DIRECTIONAL = Theorem(
    "directional-derivative",
    "The slope along a vector",
    Derivative(phi(epsilon), epsilon),
    (
        Step(
            "=",
            total(g[j] * Derivative(w[j] + epsilon * v[j], epsilon), j),
            "L depends on ε through every parameter",
            "definition",
            (PATH,),
        ),
        Step("=", SLOPE, "parameter j changes by ε times its part of v", "derivative"),
    ),
    assuming=(PATH,),
    sizes=SIZES + ", any vector v, and any L that has a derivative",
    holds="every ε at which g is the gradient; at ε = 0 it is that of L at w",
    matrix=r"\varphi'(0) = g^{\top} v",
    code=("refnn.network:Network.loss", "refnn.arithmetic.dual:DualArray"),
    run=Execution({"g": (P,), "v": (P,)}, _along),
)
AXIS = Theorem(
    "slope-along-an-axis",
    "Along one axis the slope is one partial derivative",
    total(g[j] * KroneckerDelta(j, k), j),
    (Step("=", g[k], "of the sum one term is left", "sums"),),
    sizes=SIZES,
    law=(AXES_LAW,),
)

# -------------------------------------------------------------------------------------------------- how large it can be

LAGRANGE = Theorem(
    "lagrange-identity",
    "Lagrange's identity",
    total(a[i] ** 2, i) * total(b[j] ** 2, j) - total(a[j] * b[j], j) ** 2,
    (
        Step(
            "=",
            total(a[i] ** 2 * b[j] ** 2, i, j) - total(a[i] * b[i] * a[j] * b[j], i, j),
            "products of sums are sums over pairs",
            "sums",
        ),
        Step(
            "=",
            (
                total(a[i] ** 2 * b[j] ** 2, i, j)
                + total(a[j] ** 2 * b[i] ** 2, i, j)
                - 2 * total(a[i] * b[j] * a[j] * b[i], i, j)
            )
            / 2,
            "in the first sum i and j may change their names; half of each is taken",
            "sums",
        ),
        Step(
            "=",
            total((a[i] * b[j] - a[j] * b[i]) ** 2, i, j) / 2,
            "the three are one square, multiplied out",
            "sums",
        ),
    ),
    sizes="all vectors a and b of any one length P",
)
CAUCHY_SCHWARZ = Theorem(
    "cauchy-schwarz",
    "The inequality of Cauchy and Schwarz",
    total(a[j] * b[j], j) ** 2,
    (
        Step(
            "=",
            total(a[i] ** 2, i) * total(b[j] ** 2, j) - total((a[i] * b[j] - a[j] * b[i]) ** 2, i, j) / 2,
            "[[lagrange-identity|Lagrange's identity]], whose terms have changed sides",
            "sums",
        ),
        Step(
            "≤",
            total(a[i] ** 2, i) * total(b[j] ** 2, j),
            "what is left out is a sum of squares",
            "signs",
            bounds=(Bound((a[i] * b[j] - a[j] * b[i]) ** 2 / 2, over=(i, j)),),
        ),
    ),
    sizes="all vectors a and b of any one length P",
    matrix=r"(a^{\top} b)^2 \le \lVert a \rVert^2\, \lVert b \rVert^2",
)
NORM = Assumption(total(g[j] ** 2, j), "=", r**2, "that the gradient is not 0, and r > 0 is its length")
UNIT = Assumption(total(v[j] ** 2, j), "=", Integer(1), "that v has the length 1")
GRAM = CAUCHY_SCHWARZ.at({a: lambda index: g[index], b: lambda index: v[index]})
LACKS = total(g[i] ** 2, i) * total(v[j] ** 2, j) - SLOPE**2
"""What the square of a slope lacks to what it could be."""


STEEPEST = Theorem(
    "steepest-ascent",
    "No slope is larger than the length of the gradient",
    SLOPE,
    (
        Step(
            "=",
            r - (r**2 - SLOPE**2) / (2 * r) - (r - SLOPE) ** 2 / (2 * r),
            r"so it is for any numbers r > 0 and p: $`p = r - \frac{1}{2r} (r^2 - p^2) - \frac{1}{2r} (r - p)^2`$; "
            "here "
            "p is the slope",
            "sums",
        ),
        Step(
            "=",
            r - LACKS / (2 * r) - (r - SLOPE) ** 2 / (2 * r),
            "one r² is the sum of the squares of g, times that of v, which is 1",
            "definition",
            (NORM, UNIT),
        ),
        Step(
            "≤",
            r - (r - SLOPE) ** 2 / (2 * r),
            "what was subtracted is not negative",
            "signs",
            bounds=(Bound(1 / (2 * r), (GRAM,)),),
        ),
        Step("≤", r, "nor is the square", "signs", bounds=(Bound((r - SLOPE) ** 2 / (2 * r)),)),
    ),
    assuming=(NORM, UNIT),
    sizes=SIZES,
    matrix=r"g^{\top} v \le \lVert g \rVert \quad \text{for} \quad \lVert v \rVert = 1",
    law=(STEEPEST_LAW,),
)
DESCENT = Theorem(
    "steepest-descent",
    "And none is less than minus that",
    SLOPE,
    (
        Step(
            "≥",
            -r,
            "the slope along −v, which has the length 1 too, is minus the slope along v, and is no larger than r",
            "signs",
            bounds=(Bound(Integer(1), (STEEPEST.at({v: lambda index: -v[index]}),)),),
        ),
    ),
    assuming=(NORM, UNIT),
    sizes=SIZES,
    matrix=r"g^{\top} v \ge -\lVert g \rVert \quad \text{for} \quad \lVert v \rVert = 1",
    law=(STEEPEST_LAW,),
)
ATTAINED = Theorem(
    "slope-along-the-gradient",
    "Along the gradient the slope is its length",
    total(g[j] * (g[j] / r), j),
    (
        Step("=", total(g[j] ** 2, j) / r, "r is the same in every term", "sums"),
        Step("=", r, "the sum is r²", "definition", (NORM,)),
    ),
    assuming=(NORM,),
    sizes=SIZES,
    matrix=r"g^{\top} \frac{g}{\lVert g \rVert} = \lVert g \rVert",
    law=(STEEPEST_LAW,),
)
LENGTH = Theorem(
    "gradient-over-its-length",
    "The gradient over its length has the length 1",
    total((g[j] / r) ** 2, j),
    (
        Step("=", total(g[j] ** 2, j) / r**2, "r is the same in every term", "sums"),
        Step("=", UNIT.expression, "the sum is r²", "definition", (NORM,)),
    ),
    assuming=(NORM,),
    sizes=SIZES,
)
ONLY = Theorem(
    "steepest-direction",
    "How far a direction is from the steepest one",
    total((v[j] - g[j] / r) ** 2, j),
    (
        Step(
            "=",
            total(v[j] ** 2, j) - 2 * SLOPE / r + total(g[j] ** 2, j) / r**2,
            "the squares, multiplied out",
            "sums",
        ),
        Step("=", 2 - 2 * SLOPE / r, "v has the length 1, and the last sum is r²", "definition", (NORM, UNIT)),
        Step("=", 2 * (r - SLOPE) / r, "over one denominator", "fractions"),
    ),
    assuming=(NORM, UNIT),
    sizes=SIZES,
    matrix=(
        r"\left\lVert v - \frac{g}{\lVert g \rVert} \right\rVert^2 = "
        r"\frac{2\, (\lVert g \rVert - g^{\top} v)}{\lVert g \rVert}"
    ),
)

# ------------------------------------------------------------------------------------------------------- other lengths

u, other_g, other_v = map(array, ("u", "g'", "v'"))
OTHER_GRADIENT = Definition(
    other_g[j],
    c[j] * g[j],
    "(P,)",
    "the gradient in the other units, by [[gradient-in-other-units]]",
)
OTHER_DIRECTION = Definition(
    other_v[j],
    v[j] / c[j],
    "(P,)",
    "a direction v of w in the other units, for w changes by c times what u changes by",
    source='Boyd, Vandenberghe, "Convex Optimization" (2004), section 9.4, has steepest descent for any norm',
)
SCALED = Theorem(
    "gradient-in-other-units",
    "A gradient in other units",
    total(g[j] * Derivative(c[j] * u[j], u[k]), j),
    (
        Step(
            "=",
            total(g[j] * c[j] * KroneckerDelta(j, k), j),
            "term by term: of the parameters $`w_j = c_j u_j`$ only one depends on $`u_k`$",
            "derivative",
        ),
        Step("=", c[k] * g[k], "of the sum one term is left", "sums"),
    ),
    sizes=SIZES + " and any positive units c",
)
IN_OTHER_UNITS = STEEPEST.at({g: lambda index: other_g[index], v: lambda index: other_v[index]})
OTHER = Theorem(
    "steepest-in-other-units",
    "Another length has another steepest direction",
    SLOPE,
    (
        Step(
            "=",
            total(other_g[j] * other_v[j], j),
            "each factor times and over $`c_j > 0`$: a slope is the same in all units",
            "definition",
            (OTHER_GRADIENT, OTHER_DIRECTION),
        ),
        Step(
            "≤",
            r,
            "no slope is larger than the length of the gradient, whose units are now the other ones",
            "signs",
            bounds=(Bound(Integer(1), (IN_OTHER_UNITS,)),),
        ),
    ),
    assuming=(
        Assumption(
            total(other_g[j] ** 2, j),
            "=",
            r**2,
            "that the gradient in the other units is not 0 and has the length r > 0",
        ),
        Assumption(
            total(other_v[j] ** 2, j), "=", Integer(1), "that the direction in the other units has the length 1"
        ),
    ),
    sizes=SIZES + " and any positive units c",
)

# ---------------------------------------------------------------------------------------------- with pencil and paper

DIRECTIONS = size("D")
d = Index("d", DIRECTIONS)
X, W, B, Y = (Letter(name, real=True) for name in "xwby")
RESIDUAL = W * X + B - Y
TINY = Rational(1, 10)


def _gradient_at(place: Any) -> Any:
    return RESIDUAL * (X * KroneckerDelta(place, 1) + KroneckerDelta(place, 2))


def _loss_moved(by: Any) -> Any:
    """The loss after a step by so much along each direction."""
    return (RESIDUAL + by * (X * v[d, 1] + v[d, 2])) ** 2 / 2


def _neuron(given: Mapping[str, BallArray]) -> tuple[Network, BallArray, BallArray, BallArray]:
    one = {letter: arrays.reshape(given[letter], (1, 1)) for letter in ("x", "w", "b", "y")}
    return Network(Dense(1, 1), loss=SquaredError()), arrays.join(one["w"], one["b"]), one["x"], one["y"]


def _neuron_gradient(given: Mapping[str, BallArray]) -> Any:
    network, parameters, inputs, targets = _neuron(given)
    return network.differentiate(parameters, inputs, targets)[2]  # type: ignore[arg-type]


def _neuron_slopes(given: Mapping[str, BallArray]) -> Any:
    network, parameters, inputs, targets = _neuron(given)
    directions = given["v"].elements
    slopes = [
        network.value(DualArray(parameters, BallArray(row)), DualArray(inputs, 0 * inputs), targets).tangent  # type: ignore[arg-type]
        for row in directions
    ]
    return arrays.join(*slopes)


GRADIENT = _gradient_at(j)
ALONG = total(GRADIENT * v[d, j], j)
EXAMPLE = Worked(
    "a neuron whose gradient is 5 long",
    "One input, one weight, one bias, one sample, and $`L = \\frac12 (w x + b - y)^2`$. The rows of v are five "
    "directions in the plane of w and b.",
    {P: 2, DIRECTIONS: 5},
    {
        "x": "3/4",
        "w": "4",
        "b": "2",
        "y": "1",
        "v": [["3/5", "4/5"], ["1", "0"], ["0", "1"], ["4/5", "-3/5"], ["-3/5", "-4/5"]],
    },
    (
        Quantity(
            "g",
            GRADIENT,
            (j,),
            r"the residual is $`4 \cdot \frac34 + 2 - 1 = 4`$; times x for the weight, times 1 for the bias",
            _neuron_gradient,
        ),
        Quantity(
            r"\lVert g \rVert^2", total(GRADIENT**2, j), (), r"$`3^2 + 4^2 = 5^2`$, so the gradient has the length 5"
        ),
        Quantity(r"\sum_j v_{d j}^2", total(v[d, j] ** 2, j), (d,), "all directions have the length 1"),
        Quantity(
            r"\sum_j g_j v_{d j}",
            ALONG,
            (d,),
            (
                "the slopes: 5 along g/5, the partial derivatives along the axes, 0 at a right angle to the gradient, "
                "and "
                "−5 against it; no slope is outside of −5 and 5"
            ),
            _neuron_slopes,
        ),
        Quantity(
            r"(g_1 v_{d 2} - g_2 v_{d 1})^2",
            (_gradient_at(1) * v[d, 2] - _gradient_at(2) * v[d, 1]) ** 2,
            (d,),
            (
                "what the square of the slope lacks to 25, by [[lagrange-identity|Lagrange's identity]]; half of the "
                "sum over all i and j, "
                "where each pair of different ones occurs twice"
            ),
        ),
        Quantity(
            r"\sum_j (v_{d j} - \tfrac15 g_j)^2",
            total((v[d, j] - GRADIENT / 5) ** 2, j),
            (d,),
            r"$`\frac25 (5 - p)`$ for the slope p, by [[steepest-direction]]: 0 for the steepest one only",
        ),
        Quantity(
            r"\frac{L(+\frac{1}{10} v_d) - L(-\frac{1}{10} v_d)}{2/10}",
            (_loss_moved(TINY) - _loss_moved(-TINY)) / (2 * TINY),
            (d,),
            (
                "the slopes once more, from L alone, a tenth of v forth and back: L is quadratic, and for a quadratic "
                "function this quotient is the derivative"
            ),
        ),
    ),
)

# ---------------------------------------------------------------------------------------------------------- a picture

_G = (3.0, 4.0)
_RAYS = 48


def _slopes() -> list[tuple[float, float, float]]:
    """Directions all around, and the slope along each."""
    angles = [2 * math.pi * n / _RAYS for n in range(_RAYS)]
    return [(math.cos(t), math.sin(t), _G[0] * math.cos(t) + _G[1] * math.sin(t)) for t in angles]


def _draw() -> Any:
    from matplotlib.figure import Figure

    from refnn.report.plots import COLOURS, GREY

    figure = Figure(figsize=(5.2, 5.2), layout="constrained")
    axes = figure.subplots()
    for x, y, slope in _slopes():
        rising = slope > 0
        style: Any = {"color": COLOURS[0] if rising else COLOURS[1], "lw": 1.4, "ls": "-" if rising else ":"}
        axes.plot((0, abs(slope) * x), (0, abs(slope) * y), marker="o", markevery=[1], ms=3, **style)
    axes.plot((-4.4, 4.4), (3.3, -3.3), color=GREY, lw=1, ls="--")
    axes.annotate("", _G, (0, 0), arrowprops={"arrowstyle": "-|>", "lw": 2.2, "color": "black"})
    axes.text(3.2, 4.9, "g = (3, 4): slope 5", ha="center")
    axes.text(-3.4, -5.0, "−g: slope −5", ha="center")
    axes.text(4.45, -3.5, "slope 0", color=GREY, ha="right", va="top")
    axes.set(xlim=(-5.6, 5.6), ylim=(-5.6, 5.6), aspect="equal", xlabel="along w", ylabel="along b")
    return figure


PICTURE = Picture(
    "steepest",
    "For each of 48 directions a ray that is as long as the slope of L along it. The ends of the rays with a rising L "
    "lie on the circle through the origin whose diameter is the gradient, (3, 4), so that none is longer than 5; those "
    "with a falling L lie on the opposite circle. At a right angle to the gradient the slope is 0.",
    _draw,
    lambda: [round(number, 6) + 0.0 for ray in _slopes() for number in ray],
)

PAGE = Page(
    7,
    "steepest-ascent",
    "The gradient is the direction of steepest ascent",
    "Of all directions the loss rises fastest along its gradient, with the length of the gradient as the slope, and "
    "falls fastest against it. What is fastest depends on how steps are measured.",
    ("derivatives", "chain-rule"),
    (
        Symbol("P", "", "the number of parameters"),
        Symbol("w", "(P,)", "all parameters in one row"),
        Symbol("L", "", "the loss, a function of w"),
        Symbol("g", "(P,)", r"its gradient: $`g_j = \partial L/\partial w_j`$"),
        Symbol("v", "(P,)", "a direction; a unit vector has the length 1"),
        Symbol(r"\varphi(\epsilon)", "", r"$`L(w + \epsilon v)`$: the loss along a straight line through w"),
        Symbol(r"\lVert v \rVert", "", r"the Euclidean length, $`\sqrt{\sum_j v_j^2}`$"),
        Symbol("r", "", r"$`\lVert g \rVert`$, where it is not 0"),
        Symbol("c", "(P,)", "positive units: $`w_j = c_j u_j`$, where u are the same parameters in other units"),
    ),
    (
        Prose(
            "## Along a straight line\n\n"
            "A partial derivative says how fast L changes if one parameter moves. If all of them move at once, along a "
            r"vector v, L becomes a function of one number, $`\varphi(\epsilon) = L(w + \epsilon v)`$, and its "
            "derivative is the slope of L along v."
        ),
        DIRECTIONAL,
        Prose(
            "refnn computes such a slope without a pass backward, with numbers that carry a tangent. It is tried on a "
            "network whose loss is half a sum of squares, $`\\frac12 \\sum_j w_j^2`$, at w = g, where g is the "
            "gradient.\n\n"
            "Along an axis, v is 1 in one place and else 0."
        ),
        AXIS,
        Prose(
            "## How large it can be\n\n"
            "Twice as long a vector has twice the slope, so directions are compared at one length. The question is how "
            "large $`\\sum_j g_j v_j`$ can be for a v of the length 1. An identity answers it, which needs nothing but "
            "sums."
        ),
        LAGRANGE,
        CAUCHY_SCHWARZ,
        Prose(
            r"The two sides are equal just where the sum of squares is 0, so where $`a_i b_j = a_j b_i`$ for all i "
            "and j: "
            "where one vector is a multiple of the other. Put the gradient for a, and for b a vector of the length 1:"
        ),
        STEEPEST,
        DESCENT,
        Prose(
            "Both are reached: along the gradient itself, and against it. Where the gradient is 0, all slopes are 0."
        ),
        LENGTH,
        ATTAINED,
        Prose(
            "And nowhere else. How much a slope p lacks to the largest says how far its direction is from that of g:"
        ),
        ONLY,
        Prose(
            "If the slope is r, the right side is 0; then so is each square on the left, and v is g/r. So the "
            "direction "
            "of steepest ascent is that of the gradient, and no other; that of steepest descent is the opposite one. "
            "That is the direction in which gradient descent goes. A slope is about a step that is as short as one "
            "likes: how far L falls for a step of some length is what [[descent]] is about."
        ),
        Code("refnn.rules:GradientDescent.step"),
        PICTURE,
        Prose(
            "## What it depends on\n\n"
            "Of all directions, the gradient is the steepest *for a step of the same Euclidean length*. That length "
            "takes one unit of each parameter for as long as one unit of any other. Let the same parameters be "
            "measured "
            "in other units, $`w_j = c_j u_j`$ with $`c_j > 0`$. By [[chain-rule-partial|the chain rule]] the gradient "
            "in u is another one."
        ),
        SCALED,
        Prose(
            "A step along that gradient changes $`u_k`$ by a multiple of $`c_k g_k`$, and so $`w_k`$ by the same "
            "multiple of $`c_k^2 g_k`$. That is no multiple of g where two parameters that g changes have different "
            "units. It is the steepest direction for steps whose length is measured in u:"
        ),
        OTHER_GRADIENT,
        OTHER_DIRECTION,
        OTHER,
        Prose(
            "So scaling the features or the parameters changes the way that gradient descent takes, though the network "
            "is the same, and so is what it can learn."
        ),
        Fails(
            "the same parameters in other units",
            (
                "The gradient in w and b is (3, 4). If b is written as 10 u, the gradient in w and u is (3, 40), and a "
                "step along it goes in the plane of w and b towards (3, 400). Each of the two directions is the "
                "steeper "
                "one where lengths are measured in its own units. Neither is wrong."
            ),
            """
g, c = (3, 4), (1, 10)                           # b = 10 u
in_u = [c[k] * g[k] for k in range(2)]           # the gradient in w and u
other = [c[k] * in_u[k] for k in range(2)]       # its direction, in w and b again

def slope(v, unit):
    length = sum((v[k] / unit[k]) ** 2 for k in range(2)) ** 0.5
    return sum(g[k] * v[k] for k in range(2)) / length

print("directions", g, "and", tuple(other))
print(f"a step of length 1 in w and b: slope {slope(g, (1, 1)):5.2f} and {slope(other, (1, 1)):5.2f}")
print(f"a step of length 1 in w and u: slope {slope(g, c):5.2f} and {slope(other, c):5.2f}")
""",
        ),
        EXAMPLE,
    ),
    ("descent", "learning-rate"),
)
