"""Certificates of descent: why a chain of tiles proves that every learning rate up to the last one lowers the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sympy import Derivative, Function, Integer, Integral, Rational
from sympy import Symbol as Letter

from proofs.execution import Execution
from proofs.kernel import Assumption, Bound, Definition, Induction, Statement, Step, Theorem
from proofs.page import Code, Display, Fails, Page, Picture, Prose, Quantity, Symbol, Worked
from proofs.sums import Expression, Index, array, size, total
from refnn import Dense, Network, SquaredError
from refnn.arithmetic.ball import BallArray, arb, fmpq
from refnn.oracle.certificate import _Line

__all__ = ["PAGE", "ROOF"]

phi = Function("varphi")
u, a, c, m, M, F = (Letter(name, real=True) for name in ("u", "a", "c", "m", "M", "F"))
tau, rho, K = (Letter(name, nonnegative=True) for name in ("tau", "rho", "K"))
ahead = Letter("tau", positive=True)
"""τ, where it is not 0."""
highest, steepest = Letter("M", positive=True), Letter("mu", positive=True)
"""M and −m, where the slope may have either sign."""
SLOPE = Derivative(phi(u), u)
START = phi(Integer(0))
ONE = Integer(1)

# ---------------------------------------------------------------------------------------------- from slopes to values


ABOVE = Assumption(SLOPE, "≤", M, "that the slope is at most M for almost every rate u of the tile")
BELOW = Assumption(SLOPE, "≥", m, "that the slope is at least m for almost every rate u of the tile")

RIGHT = Theorem(
    "mean-value-right",
    "To the right, a function climbs no faster than by its largest slope",
    phi(a + tau),
    (
        Step(
            "=",
            phi(a) + Integral(SLOPE, (u, a, a + tau)),
            "φ is the integral of its slope: it is continuous and piecewise smooth",
            "integral",
        ),
        Step(
            "≤",
            phi(a) + Integral(M, (u, a, a + tau)),
            "the integral of what is larger almost everywhere is larger",
            "monotone",
            (),
            (Bound(ONE, (ABOVE,), along=(u, a, a + tau)),),
        ),
        Step("=", phi(a) + M * tau, "the integral of a constant", "integral"),
    ),
    assuming=(ABOVE,),
    holds="τ ≥ 0, as long as a and a + τ are in the tile",
    law=("laws/test_certified.py::test_every_such_learning_rate_lowers_the_loss_though_units_stand_on_their_kinks",),
)
LEFT = Theorem(
    "mean-value-left",
    "To the left, it climbs no faster than by its least slope",
    phi(c - tau),
    (
        Step(
            "=",
            phi(c) - Integral(SLOPE, (u, c - tau, c)),
            "φ is the integral of its slope",
            "integral",
        ),
        Step(
            "≤",
            phi(c) - Integral(m, (u, c - tau, c)),
            "the integral of what is smaller almost everywhere is smaller",
            "monotone",
            (),
            (Bound(ONE, (BELOW,), along=(u, c - tau, c)),),
        ),
        Step("=", phi(c) - m * tau, "the integral of a constant", "integral"),
    ),
    assuming=(BELOW,),
    holds="τ ≥ 0, as long as c − τ and c are in the tile",
)

# ------------------------------------------------------------------------------------------------ what a tile proves

FALLING = Assumption(M, "<", Integer(0), "that M is negative")
FALLS = Theorem(
    "tile-falls",
    "Where the slope is negative, the loss falls all the way",
    phi(a + ahead),
    (
        Step(
            "<",
            phi(a),
            "it climbs no faster than M < 0 says, over a way τ > 0",
            "signs",
            (),
            (Bound(ONE, (RIGHT.at({tau: ahead}),)), Bound(ahead, (FALLING,))),
        ),
    ),
    assuming=(ABOVE, FALLING),
    holds="any a and a + τ of the tile with τ > 0",
)

MIDDLE = Assumption(phi(c), "≤", F, "that F is the upper end of a ball around φ at the middle c")
UP = Assumption(M, "≤", K, "that no slope is larger than K")
DOWN = Assumption(-K, "≤", m, "that no slope is less than −K")
ROOM = Assumption(F + K * (tau + rho), "<", START, "that on the whole half of the tile there is room below φ(0)")
LOWER_RIGHT = Theorem(
    "tile-below-right",
    "Right of the middle, a tile lies below the start",
    phi(c + tau),
    (
        Step("≤", phi(c) + M * tau, "from the middle to the right", "signs", (), (Bound(ONE, (RIGHT.at({a: c}),)),)),
        Step(
            "≤",
            F + K * (tau + rho),
            "at its middle φ is at most F; M is at most K; and τ is not longer than half of the tile, τ + ρ",
            "signs",
            (),
            (Bound(ONE, (MIDDLE,)), Bound(tau, (UP,)), Bound(K * rho)),
        ),
        Step("<", START, "what was proven of the tile", "signs", (), (Bound(ONE, (ROOM,)),)),
    ),
    assuming=(ABOVE, MIDDLE, UP, ROOM),
    holds="all rates c + τ up to the right end, c + τ + ρ",
)
LOWER_LEFT = Theorem(
    "tile-below-left",
    "Left of the middle, likewise",
    phi(c - tau),
    (
        Step("≤", phi(c) - m * tau, "from the middle to the left", "signs", (), (Bound(ONE, (LEFT,)),)),
        Step(
            "≤",
            F + K * (tau + rho),
            "likewise, as −m is at most K",
            "signs",
            (),
            (Bound(ONE, (MIDDLE,)), Bound(tau, (DOWN,)), Bound(K * rho)),
        ),
        Step("<", START, "what was proven of the tile", "signs", (), (Bound(ONE, (ROOM,)),)),
    ),
    assuming=(BELOW, MIDDLE, DOWN, ROOM),
    holds="all rates c − τ down to the left end, c − τ − ρ",
)

EITHER = {M: highest, m: -steepest}
CLIMB = RIGHT.at({M: highest})
FALL = LEFT.at({m: -steepest, c: a + tau + rho, tau: rho})
STEEP = Assumption(SLOPE, "≤", highest, "that the slope is at most M > 0 for almost every rate u of the tile")
SHALLOW = Assumption(SLOPE, "≥", -steepest, "and at least −μ < 0")
ROOF = Theorem(
    "tile-roof",
    "Two lines make a roof over a tile",
    phi(a + tau),
    (
        Step(
            "≤",
            steepest / (highest + steepest) * (phi(a) + highest * tau)
            + highest / (highest + steepest) * (phi(a + tau + rho) + steepest * rho),
            "φ is below the line of the slope M from the left end, and below that of the slope −μ to the right end; "
            "so it is below their weighted mean",
            "signs",
            (),
            (
                Bound(steepest / (highest + steepest), (CLIMB,)),
                Bound(highest / (highest + steepest), (FALL,)),
            ),
        ),
        Step(
            "=",
            (steepest * phi(a) + highest * phi(a + tau + rho) + steepest * highest * (tau + rho))
            / (highest + steepest),
            "with these weights τ and ρ only occur as τ + ρ, which is the length of the tile",
            "fractions",
        ),
    ),
    assuming=(STEEP, SHALLOW),
    holds="all rates a + τ of the tile from a to a + τ + ρ",
)

# ------------------------------------------------------------------------------------------------ the chain of tiles

k = Letter("k", integer=True, nonnegative=True)
e, bar, theta = array("e"), array("B"), array("theta", nonnegative=True)
KIND = theta[k] * phi(e[k]) + (1 - theta[k]) * START

BEGIN = Assumption(e[0], "=", Integer(0), "that the first tile begins at 0")
BAR = Definition(
    bar[k],
    KIND,
    "",
    r"a tile from $`e^{(k)}`$ to $`e^{(k + 1)}`$ is held against the value at its left end, if it is of the first kind "
    r"($`\theta^{(k)} = 1`$), and else against φ(0) ($`\theta^{(k)} = 0`$)",
)
END = Assumption(phi(e[k + 1]), "<", bar[k], "of each tile, that φ is below this at its right end")
INSIDE = Assumption(phi(e[k] + ahead), "<", bar[k], "and likewise at each rate inside")
LOW = Statement(phi(e[k]), "≤", START)
ENDS = Induction(
    "certificate-ends",
    "No tile begins above the start",
    LOW,
    over=k,
    first=Integer(0),
    following=k + 1,
    base=(Step("=", START, "the first tile begins at 0", "definition", (BEGIN,)),),
    step=(
        Step("≤", bar[k], "what is proven of tile k, at its right end", "signs", (), (Bound(ONE, (END,)),)),
        Step("=", KIND, "against what it is held", "definition", (BAR,)),
        Step(
            "≤",
            START,
            r"what is claimed for k, times $`\theta^{(k)}`$",
            "signs",
            (),
            (Bound(theta[k], (LOW,)),),
        ),
    ),
    assuming=(BEGIN, END),
    sizes="any number of tiles",
)
RATE = Theorem(
    "certified-rate",
    "Every learning rate in a chain of tiles lowers the loss",
    phi(e[k] + ahead),
    (
        Step("<", bar[k], "what is proven of tile k, inside", "signs", (), (Bound(ONE, (INSIDE,)),)),
        Step("=", KIND, "against what it is held", "definition", (BAR,)),
        Step("≤", START, "no tile begins above the start", "signs", (), (Bound(theta[k], (ENDS,)),)),
    ),
    assuming=(BEGIN, END, INSIDE),
    sizes="any number of tiles",
    holds=r"every rate $`e^{(k)} + \tau`$ in the tile k, with τ > 0, its right end included",
    law=("laws/test_certified.py::test_every_learning_rate_up_to_the_certified_one_lowers_the_loss_of_the_batch",),
)

# --------------------------------------------------------------------------- a loss whose slope is known along a step

P, N = size("P"), size("N")
i, j, s = Index("i", P), Index("j", P), Index("s", N)
x, w, g, y = array(r"\tilde{x}"), array("w"), array("g"), array("y")
eta = Letter("eta", real=True)


def _residual(rate: Expression) -> Expression:
    return total(x[s, i] * (w[i] - rate * g[i]), i) - y[s]


def _loss(rate: Expression) -> Expression:
    return total(_residual(rate) ** 2, s) / (2 * N)


def _slope(rate: Expression) -> Expression:
    return -total(_residual(rate) * total(x[s, j] * g[j], j), s) / N


def _line(given: Mapping[str, BallArray]) -> _Line:
    """A dense layer on the extended samples, whose own bias is 0 and stays so."""
    samples, weights, direction = (given[name].midpoint for name in (r"\tilde{x}", "w", "g"))
    network = Network(Dense(samples.shape[1], 1), loss=SquaredError())
    targets = given["y"].midpoint.reshape(-1, 1)
    return _Line(network, np.append(weights, 0.0), samples, targets, np.append(direction, 0.0))


def _number(value: arb) -> BallArray:
    return BallArray(np.array(value, object))


def _rate(rate: Expression) -> arb:
    return arb(fmpq(int(rate.p), int(rate.q)))


def _losses(rate: Expression) -> Any:
    return lambda given: _number(_line(given).loss(_rate(rate)))


def _slopes(rate: Expression) -> Any:
    return lambda given: _number(_line(given).slope(_rate(rate)))


STEP_SLOPE = Theorem(
    "step-slope",
    "The slope along a step of linear regression",
    Derivative(_loss(eta), eta),
    (Step("=", _slope(eta), "the chain rule: each residual changes by the weighted sum of −g", "derivative"),),
    sizes="any numbers N of samples and P of parameters",
    matrix=r"\varphi'(\eta) = -g^{\top} \, \nabla L(w - \eta g)",
    code=("refnn.oracle.certificate:_Line.slope",),
    run=Execution(
        {r"\tilde{x}": (N, P), "w": (P,), "y": (N,), "g": (P,), "eta": ()},
        lambda given: _number(_line(given).slope(given["eta"].elements.item())),
    ),
)
STEP_LOSS = Definition(
    phi(eta),
    _loss(eta),
    "",
    "of linear regression, φ is a parabola",
    code=("refnn.oracle.certificate:_Line.loss",),
    run=Execution(
        {r"\tilde{x}": (N, P), "w": (P,), "y": (N,), "g": (P,), "eta": ()},
        lambda given: _number(_line(given).loss(given["eta"].elements.item())),
    ),
)


def _fraction(text: str) -> Expression:
    return Rational(*map(int, text.split("/")))


def _at(name: str, of: Any, rate: str, why: str) -> Quantity:
    value = _fraction(rate)
    code = (_losses if of is _loss else _slopes)(value)
    return Quantity(rf"{name}\left(\tfrac{{{value.p}}}{{{value.q}}}\right)", of(value), (), why, code)


EXAMPLE = Worked(
    "a parabola in three tiles",
    "One sample, x = 3, extended by a 1, with the target 6; the weight and the bias are 0, and g is the gradient "
    r"there. Then $`w - \eta g = (18 \eta, 6 \eta)`$, and $`\varphi(\eta) = \frac12 (60 \eta - 6)^2`$, which comes "
    r"back to its start at $`\eta = \frac15`$. Its slope $`60 (60 \eta - 6)`$ rises, so that on a tile its least and "
    "largest values are those at the ends.",
    {N: 1, P: 2},
    {r"\tilde{x}": [["3", "1"]], "y": ["6"], "w": ["0", "0"], "g": ["-18", "-6"]},
    (
        Quantity(r"\varphi(0)", _loss(Integer(0)), (), r"$`\frac12 \cdot 36`$", _losses(Integer(0))),
        Quantity(
            r"\varphi'(0)",
            _slope(Integer(0)),
            (),
            r"$`60 \cdot (-6)`$, which is $`-\lVert g \rVert^2`$",
            _slopes(Integer(0)),
        ),
        _at(
            r"\varphi'",
            _slope,
            "1/20",
            r"the slope is negative on the whole first tile, from 0 to $`\frac{1}{20}`$, where φ falls"
            " ([[tile-falls]])",
        ),
        _at(
            r"\varphi'",
            _slope,
            "3/20",
            r"on the second tile, from $`\frac{1}{20}`$ to $`\frac{3}{20}`$, it changes its sign",
        ),
        _at(r"\varphi", _loss, "1/10", "but in the middle there is room"),
        Quantity(
            r"\varphi\left(\tfrac{1}{10}\right) + 180 \cdot \tfrac{1}{20}",
            _loss(Rational(1, 10)) + _slope(Rational(3, 20)) / 20,
            (),
            "less than φ(0) = 18, and so is φ on all of this tile ([[tile-below-right]], [[tile-below-left]])",
        ),
        _at(r"\varphi", _loss, "1/20", "its left end"),
        _at(r"\varphi", _loss, "3/20", "and its right end"),
        Quantity(
            r"\text{roof}",
            (
                -_slope(Rational(1, 20)) * _loss(Rational(1, 20))
                + _slope(Rational(3, 20)) * _loss(Rational(3, 20))
                - _slope(Rational(1, 20)) * _slope(Rational(3, 20)) / 10
            )
            / (_slope(Rational(3, 20)) - _slope(Rational(1, 20))),
            (),
            r"what [[tile-roof]] says from both ends: $`\frac{180 \cdot \frac92 + 180 \cdot \frac92 + 180^2 \cdot "
            r"\frac{1}{10}}{360}`$; it is below 18 as well",
        ),
        _at(
            r"\varphi'", _slope, "7/40", r"the third tile goes from $`\frac{3}{20}`$ to $`\frac{7}{40}`$, where φ rises"
        ),
        _at(r"\varphi", _loss, "13/80", "its middle"),
        Quantity(
            r"\varphi\left(\tfrac{13}{80}\right) + 270 \cdot \tfrac{1}{80}",
            _loss(Rational(13, 80)) + _slope(Rational(7, 40)) / 80,
            (),
            r"still less than 18: every η in $`(0, \frac{7}{40}]`$ is certified",
        ),
        _at(r"\varphi", _loss, "1/5", r"no tile can reach this rate, where φ is as large as at 0"),
    ),
)

# ------------------------------------------------------------------------------------------------------- the picture

TILES = ((0.0, 0.05), (0.05, 0.15), (0.15, 0.175))
"""Those of the example."""


def _parabola(rate: Any) -> Any:
    return (60 * rate - 6) ** 2 / 2


def _roof_of(low: float, high: float) -> list[tuple[float, float]]:
    """The corners of the roof of a tile: level if the slope has one sign, else the two lines and where they meet."""
    (left, right), (least, largest) = map(_parabola, (low, high)), (60 * (60 * rate - 6) for rate in (low, high))
    if least >= 0 or largest <= 0:
        top = max(left, right)
        return [(low, top), (high, top)]
    meet = low + (right - left - least * (high - low)) / (largest - least)
    return [(low, left), (meet, left + largest * (meet - low)), (high, right)]


def _numbers() -> list[float]:
    roofs = [number for tile in TILES for corner in _roof_of(*tile) for number in corner]
    return [*np.ravel(TILES).tolist(), *roofs, *_parabola(np.linspace(0, 0.21, 9)).tolist()]


def _drawn() -> Any:
    from matplotlib.figure import Figure

    from refnn.report.plots import BOX_NAMES, BOXES, GREY

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    rates = np.linspace(0, 0.21, 200)
    for number, tile in enumerate(TILES):
        corners = _roof_of(*tile)
        box = [(tile[0], 0.0), *corners, (tile[1], 0.0)]
        axes.fill(*zip(*box, strict=True), **BOXES[number == 0], label=BOX_NAMES[number] if number < 2 else None)
    axes.plot(rates, _parabola(rates), color="black", label="φ(η)")
    axes.axhline(18, color=GREY, linestyle="--", linewidth=1, label="φ(0)")
    axes.set(xlabel="learning rate η", ylabel="loss", xlim=(0, 0.21), ylim=(0, 27), xticks=[0, 0.05, 0.1, 0.15, 0.2])
    axes.legend(loc="upper center", ncols=2)
    return figure


PICTURE = Picture(
    "certificate-tiles",
    "A parabola that falls from 18 to 0 and comes back to 18 at η = 0.2; three tiles from 0 to 0.175 stand under it: "
    "each has a roof above the parabola, and those of the second and the third are below 18",
    _drawn,
    _numbers,
)

BUMP = """
import numpy as np
import refnn

network = refnn.Network(refnn.Dense(1, 3), refnn.ReLU(), refnn.Dense(3, 1), loss=refnn.InnerProduct())
w = network.pack({
    "0.weight": np.zeros((1, 3)), "0.bias": np.array([-33, -35, -37]) / 64,
    "2.weight": np.array([[64.0], [-128.0], [64.0]]), "2.bias": np.zeros(1),
})
g = network.pack({
    "0.weight": np.zeros((1, 3)), "0.bias": -np.ones(3),
    "2.weight": np.zeros((3, 1)), "2.bias": np.ones(1),
})
x, y = [[0.0]], [[1.0]]
change = [network.loss(w - eta / 8 * g, x, y) - network.loss(w, x, y) for eta in range(1, 9)]
print("sampled:", *change)
certificate = refnn.certified_learning_rate(network, w, x, y, gradient=g, limit=1.0)
print(f"certified: {certificate.rate:.2f}, because of: {certificate.reason}")
print("between two samples, at 35/64:", network.loss(w - 35 / 64 * g, x, y))
"""

PAGE = Page(
    12,
    "certificates",
    "Certificates of descent",
    "How a computer proves, for one batch and one step of a network, that every learning rate up to some number lowers "
    "the loss: it covers the rates by tiles, encloses the slope on each, and a chain of tiles leaves no rate out.",
    ("descent", "learning-rate", "rounding"),
    (
        Symbol(r"\varphi(\eta)", "", r"the loss of the batch along the step, $`L(w - \eta g)`$"),
        Symbol(r"\eta, u", "", "learning rates, from 0 on"),
        Symbol("a, c", "", "a rate in a tile; the middle of a tile"),
        Symbol(r"\tau, \rho", "", "ways from one rate to another, which are not negative"),
        Symbol("m, M", "", "numbers that enclose the slope of φ on a tile"),
        Symbol(r"K, \mu", "", r"a bound for both signs, $`\lvert \varphi' \rvert \le K`$; and −m, where m is negative"),
        Symbol("F", "", "a number that φ(c) does not exceed"),
        Symbol(r"\bar\eta, n", "", "the rate that is certified, and the number of tiles up to it"),
        Symbol("e^{(k)}", "", "the left end of tile k, and the right end of the one before"),
        Symbol("B^{(k)}", "", "what φ is below on tile k"),
        Symbol(r"\theta^{(k)}", "", "1 if tile k is proven by its slope, 0 if by its values"),
        Symbol("w, g", "(P,)", "the parameters, and what the step goes against: as a rule the gradient"),
        Symbol(
            r"\tilde{x}, y", "(N, P), (N,)", "the samples of a linear regression with a 1 at the end; their targets"
        ),
    ),
    (
        Prose(
            "[[descent]] says that a step lowers the loss if its rate is below 2/λ. For a network with a hidden layer "
            "there is no such λ for all w, and where there is one along a step, it tells too little: the rates that do "
            "lower the loss may reach much further. So `refnn.certified_learning_rate` asks about one step only: "
            "for given weights w, a given batch and a given g, up to which rate is"
        ),
        Display(r"\varphi(\eta) < \varphi(0), \qquad \varphi(\eta) = L(w - \eta g) \quad ?"),
        Prose(
            "Trying some rates proves nothing of those between. So it computes with sets: the network is run on balls, "
            "which hold all rates of a segment, a **tile**, and what comes out holds the loss, or its slope, at each "
            'of them (Moore, Kearfott, Cloud, "Introduction to Interval Analysis", SIAM 2009). Rounding only makes '
            "them wider. That these sets hold what they should is the business of interval arithmetic, and is taken "
            "for granted here; what is proved is what follows from them.\n\n"
            "### From slopes to values\n\n"
            "For a network of smooth layers, the mean value theorem says that φ(a + τ) − φ(a) = φ′(ξ) τ for some ξ "
            "between. With a ReLU, φ has kinks, and there may be no such ξ. But all that is needed of it is an "
            "inequality, and that holds for each φ that is the integral of its slope. Continuous, piecewise smooth "
            "functions are (they are absolutely continuous), whatever the slope is said to be at the kinks; it is "
            "enough that it is enclosed for almost every rate."
        ),
        RIGHT,
        LEFT,
        Prose(
            "Where a ball of rates holds a kink of a unit, refnn encloses its slope on both sides: for ReLU this is "
            "the whole of [0, 1]. So M and m bound the slopes of all pieces that may lie in the tile, and nothing "
            'need be known of which (Clarke, "Optimization and Nonsmooth Analysis", 1983, theorem 2.3.7).\n\n'
            "### Two kinds of tiles\n\n"
            "A tile of the first kind has a slope that is proven to be negative. This is the only kind that there can "
            "be next to 0, for there is no room below φ(0) at 0 itself. There a unit may stand on its very kink; one "
            "rate alone does not count, and to which side the unit goes is told by the slope of what goes into it."
        ),
        FALLS,
        Prose(
            "Farther out the slope may have any sign, as long as φ stays below its start. One value in the middle and "
            "the enclosure of the slope show it. So `Certificate.holds` does it, which proves a certificate again, "
            "with nothing but balls: there K is the largest absolute value of the ball of the slope, and "
            "F + K (τ + ρ) the upper end of the ball φ(c) + φ′(tile) · (tile − c)."
        ),
        LOWER_RIGHT,
        LOWER_LEFT,
        Prose(
            "The search itself uses the values at both ends instead, which says more. Where the slope has one sign, "
            "all values lie between those at the ends, by [[tile-falls]]. Elsewhere two lines bound them."
        ),
        ROOF,
        Prose(
            "The same with −φ bounds φ from below. A tile of the second kind is one whose roof is below φ(0). These "
            "are the lines of refnn that find both, and those that judge what a tile proves:"
        ),
        Code("refnn.arithmetic.tile:_range"),
        Code("refnn.oracle.certificate:Certificate._tile_states"),
        Prose(
            "### The chain\n\n"
            "The tiles follow one another, $`0 = e^{(0)} < e^{(1)} < \\dots < e^{(n)} = \\bar\\eta`$. A tile of the "
            "first kind proves that φ is below its value *at the left end of the tile*; so something must be known of "
            "that value. It is, for it is the right end of the tile before: this is an induction. Both kinds are "
            "written as one, by a number θ that is 1 for the first and 0 for the second."
        ),
        BAR,
        Prose(
            "What the next two theorems assume of each tile is what those above conclude: [[tile-falls]] for the first "
            "kind, from the left end on; [[tile-below-right]] and [[tile-below-left]], or [[tile-roof]], for the "
            "second. `tests/proofs/test_certificates_page.py` sees that the tiles of certificates of refnn satisfy it."
        ),
        ENDS,
        RATE,
        Prose(
            r"Each η in $`(0, \bar\eta]`$ is in one of the tiles, namely in the last one that begins below η, for "
            "the next begins where this one ends. So φ(η) < φ(0) for every η in $`(0, \\bar\\eta]`$. That the tiles do "
            "follow one another, and that each is of one of the two kinds, `Certificate.holds` looks up before it "
            "does anything else."
        ),
        Prose(
            "### What is not proven\n\n"
            "* The step is the real one, $`w - \\eta g`$ without rounding. Rounded weights are another point, and of "
            "that speaks `Certificate.outcome`, which compares the loss there with the loss before.\n"
            "* It is about this batch. What the step does to the loss of other samples is another question "
            "([[descent]], [[batches]]).\n"
            "* It is not the largest such rate, nor the best one. If the search ended because of a *crossing*, "
            "where φ comes back to φ(0), then a little further the loss is proven not to be lower; yet beyond that it "
            "may "
            "be lower again.\n"
            "* Layers that jump are not covered: φ must be the integral of its slope.\n\n"
            "### A loss where all can be checked by hand\n\n"
            "For linear regression φ is a parabola, with samples extended by a 1 as on [[descent]]."
        ),
        STEP_LOSS,
        STEP_SLOPE,
        Code("refnn.oracle.certificate:_Line.slope"),
        EXAMPLE,
        PICTURE,
        Prose(
            "refnn needs other tiles for the same step, which it finds by trying, and comes to "
            r"$`\bar\eta = 0.19992`$: the example of `refnn.certified_learning_rate`."
        ),
        Fails(
            "samples see no bump between them",
            "The loss of this network falls along the step like −η, but for a bump of three ReLUs between "
            r"$`\frac{33}{64}`$ and $`\frac{37}{64}`$. Eight rates, $`\frac18`$ apart, see nothing of it. The tiles "
            "stop before it.",
            BUMP,
        ),
    ),
)
