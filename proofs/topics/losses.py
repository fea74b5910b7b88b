"""Every loss, its gradient and its convexity; and by what the sum over the samples is divided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from sympy import (
    Abs,
    Derivative,
    Function,
    Integer,
    KroneckerDelta,
    Max,
    Min,
    Piecewise,
    Rational,
    Subs,
    exp,
    log,
    sign,
)
from sympy import Symbol as Letter

from proofs.execution import Execution
from proofs.kernel import Assumption, Bound, Definition, Step, Theorem
from proofs.page import Code, Display, Fails, Page, Prose, Quantity, Symbol, Table, Worked
from proofs.sums import Expression, Index, array, rewritten, size, total
from refnn import losses
from refnn.arithmetic.ball import BallArray
from refnn.arrays import expit

__all__ = ["PAGE"]

N, C = size("N"), size("C")
s, t = Index("s", N), Index("t", N)
c, e, k, d = (Index(name, C) for name in "cekd")
z, y, g, v = map(array, "zygv")
other = array("z'")
q = array("q", nonnegative=True)
p, pi, other_p = (array(name, positive=True) for name in ("p", "pi", "p'"))
alpha = array("alpha", nonnegative=True)
E, H, B, R, I = map(array, "EHBRI")
u = Letter("u", real=True)
r, c_r, c_w, w = (Letter(name, real=True) for name in ("r", "c_r", "c_w", "w"))
delta, scale = Letter("delta", positive=True), Letter("lambda", positive=True)
epsilon, tau = Letter("epsilon", real=True), Letter("tau", real=True)
sigma, h, ell = Function("sigma"), Function("h"), Function("ell")
half = Rational(1, 2)

SIZES = "all numbers N of samples and C of outputs"
ONE = "any number C of outputs, and each sample s"
ROWS = {"z": (N, C), "y": (N, C)}
_GROWS = ("laws/test_neuron.py::test_the_loss_grows_as_the_prediction_moves_away_from_the_target",)


# ------------------------------------------------------------------------------------------------------- what is run

Given = Mapping[str, BallArray]


def _floats(array_: BallArray) -> Any:
    """As floats, which the arrays that are drawn are."""
    return np.vectorize(lambda ball: float(ball.mid()), otypes=[float])(array_.elements)


def _number(given: Given, letter: str) -> Fraction:
    return Fraction(float(_floats(given[letter])))


def _squared(given: Given) -> losses.Loss:
    return losses.SquaredError(reduction="sum")


def _binary(given: Given) -> losses.Loss:
    return losses.BinaryCrossEntropy(reduction="sum")


def _inner(given: Given) -> losses.Loss:
    return losses.InnerProduct(reduction="sum")


def _huber(given: Given) -> losses.Loss:
    return losses.Huber(reduction="sum", delta=float(_number(given, "delta")))


def _softmax(given: Given, reduction: losses.Reduction = "sum", scale_: Fraction = Fraction(1)) -> losses.Loss:
    """Softmax cross-entropy with what there is of smoothing and of class weights."""
    return losses.SoftmaxCrossEntropy(
        reduction=reduction,
        scale=scale_,
        label_smoothing=float(_number(given, "epsilon")) if "epsilon" in given else 0,
        class_weights=_floats(given["alpha"]).tolist() if "alpha" in given else None,
    )


Make = Callable[[Given], losses.Loss]


def _of_each_sample(make: Make) -> Any:
    """The loss of each sample, as a batch of its own."""

    def run(given: Given) -> Any:
        loss = make(given)
        z, y = given["z"].elements, _floats(given["y"])
        found = np.empty(len(y), dtype=object)
        for n in range(len(y)):
            found[n] = loss.value(BallArray(z[n : n + 1]), y[n : n + 1]).elements.item()
        return BallArray(found)

    return run


def _gradient(make: Make) -> Any:
    def run(given: Given) -> Any:
        return make(given).differentiate(given["z"], _floats(given["y"]))[1]

    return run


def _targets(given: Given) -> Any:
    loss = _softmax(given)
    return loss.targets(given["y"], _floats(given["y"]))


def shares(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Probability rows, of quarters."""
    return rng.multinomial(4, [1 / shape[-1]] * shape[-1], shape[:-1]) / 4


def between(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Quarters from 0 to 1."""
    return rng.integers(0, 5, shape) / 4


def positive(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Quarters from ¼ to 3."""
    return rng.integers(1, 13, shape) / 4


DRAW: Any = {"epsilon": between, "alpha": positive, "delta": positive, "lambda": positive}


def _unfolded(expression: Expression, *definitions: Any) -> Expression:
    for definition in definitions:
        expression = rewritten(expression, definition.symbol, definition.expression)
    return expression


def _in_logits(of: Expression) -> Expression:
    """∂/∂z of the output e of sample s."""
    return Derivative(of, z[s, e])


# ----------------------------------------------------------------------------------------------------- squared error

SQUARED = Definition(
    E[s],
    half * total((z[s, c] - y[s, c]) ** 2, c),
    "(N,)",
    "the squared error of sample s, halved",
    source='Bishop, "Pattern Recognition and Machine Learning" (2006), eq. (5.11)',
    code=("refnn.losses:SquaredError.terms",),
    run=Execution(ROWS, _of_each_sample(_squared), axes=(s,)),
)
SQUARED_GRADIENT = Theorem(
    "loss-squarederror",
    "The gradient of the squared error",
    _in_logits(E[s]),
    (
        Step("=", _in_logits(SQUARED.expression), "the squared error", "definition", (SQUARED,)),
        Step(
            "=",
            total((z[s, c] - y[s, c]) * KroneckerDelta(c, e), c),
            "term by term; the factor 2 of the square cancels the ½",
            "derivative",
        ),
        Step("=", z[s, e] - y[s, e], "of the sum one term is left", "sums"),
    ),
    sizes=ONE,
    matrix=r"\frac{\partial E}{\partial z} = z - y",
    code=("refnn.losses:SquaredError.derivative",),
    run=Execution(ROWS, _gradient(_squared), axes=(s, e)),
)
SQUARED_NONNEGATIVE = Theorem(
    "squared-nonnegative",
    "The squared error is not negative",
    E[s],
    (
        Step("=", SQUARED.expression, "the squared error", "definition", (SQUARED,)),
        Step("≥", Integer(0), "a sum of squares", "signs", bounds=(Bound(half * (z[s, c] - y[s, c]) ** 2, over=(c,)),)),
    ),
    sizes=ONE,
)
RAY = Assumption(z[s, c], "=", y[s, c] + tau * v[s, c], "that the prediction lies on a ray from the target")
SQUARED_RAY = Theorem(
    "squared-ray",
    "Along a ray from the target the squared error is a parabola",
    E[s],
    (
        Step("=", SQUARED.expression, "the squared error", "definition", (SQUARED,)),
        Step("=", half * total((tau * v[s, c]) ** 2, c), "y cancels", "definition", (RAY,)),
        Step("=", half * tau**2 * total(v[s, c] ** 2, c), "τ depends on no output", "sums"),
    ),
    assuming=(RAY,),
    sizes=ONE,
    law=_GROWS,
)
ABOVE_0 = Assumption(tau, "≥", Integer(0), "that the weight τ is not negative")
BELOW_1 = Assumption(tau, "≤", Integer(1), "and at most one")
_MIXED = tau * other[s, c] + (1 - tau) * z[s, c]
SQUARED_CONVEX = Theorem(
    "squared-convex",
    "The squared error is convex in the prediction",
    half * tau * total((other[s, c] - y[s, c]) ** 2, c) + (1 - tau) * total((z[s, c] - y[s, c]) ** 2, c) * half,
    (
        Step(
            "=",
            half * total((_MIXED - y[s, c]) ** 2, c) + half * tau * (1 - tau) * total((other[s, c] - z[s, c]) ** 2, c),
            "multiplied out, both are the same polynomial",
            "sums",
        ),
        Step(
            "≥",
            half * total((_MIXED - y[s, c]) ** 2, c),
            "what is left out is not negative",
            "signs",
            bounds=(Bound(half * (other[s, c] - z[s, c]) ** 2, (ABOVE_0, BELOW_1), over=(c,)),),
        ),
    ),
    assuming=(ABOVE_0, BELOW_1),
    sizes=ONE + ", and any two predictions z and z′ of it",
)

# ------------------------------------------------------------------------------------------------------------- Huber

_DIFFERENCE = z[s, e] - y[s, e]
PIECES = Definition(
    h(u),
    Piecewise((u**2 / 2, Abs(u) <= delta), (delta * (Abs(u) - delta / 2), True)),
    "",
    "Huber's function of one difference u, with its width δ > 0",
    source='Huber, "Robust Estimation of a Location Parameter" (1964), section 4',
)
HUBER = Definition(R[s], total(h(z[s, c] - y[s, c]), c), "(N,)", "the Huber loss of sample s")
_HUBER_ARRAYS: Any = {**ROWS, "delta": ()}
HUBER_INSIDE = Theorem(
    "huber-inside",
    "The slope of Huber's function inside",
    Derivative(u**2 / 2, u),
    (Step("=", u, "the derivative of a square", "derivative"),),
    holds=r"$`\lvert u \rvert \le \delta`$",
)
HUBER_OUTSIDE = Theorem(
    "huber-outside",
    "The slope of Huber's function outside",
    Derivative(delta * (Abs(u) - delta / 2), u),
    (Step("=", delta * sign(u), r"the slope of $`\lvert u \rvert`$ is the sign of u, as u is not 0", "derivative"),),
    holds=r"$`\lvert u \rvert \ge \delta`$",
)
CUT = Assumption(
    Derivative(h(u), u),
    "=",
    Max(Min(u, delta), -delta),
    "that the slope is u, cut off at ±δ, as [[huber-inside]] and [[huber-outside]] say",
)
HUBER_GRADIENT = Theorem(
    "loss-huber",
    "The gradient of the Huber loss",
    _in_logits(R[s]),
    (
        Step("=", _in_logits(HUBER.expression), "the Huber loss", "definition", (HUBER,)),
        Step(
            "=",
            Subs(Derivative(h(u), u), u, _DIFFERENCE),
            "the chain rule in one variable; of the sum one term is left",
            "derivative",
        ),
        Step("=", Max(Min(_DIFFERENCE, delta), -delta), "the slope of h", "definition", (CUT,)),
    ),
    assuming=(CUT,),
    sizes=ONE,
    matrix=r"\frac{\partial R}{\partial z} = \max(\min(z - y, \delta), -\delta)",
    code=("refnn.losses:Huber.derivative",),
    run=Execution(_HUBER_ARRAYS, _gradient(_huber), axes=(s, e), draw=DRAW),
)
_PIECES = total(PIECES.expression.xreplace({u: z[s, c] - y[s, c]}), c)
HUBER_CODE = Theorem(
    "huber-pieces",
    "The Huber loss, with both of its pieces",
    R[s],
    (
        Step(
            "=",
            _PIECES,
            "h by its two pieces",
            "definition",
            (HUBER, PIECES),
        ),
    ),
    sizes=ONE,
    code=("refnn.losses:Huber.terms",),
    run=Execution(_HUBER_ARRAYS, _of_each_sample(_huber), axes=(s,), draw=DRAW),
)
PROJECTION = Assumption(
    (c_w - c_r) * (w - c_w),
    "≥",
    Integer(0),
    (
        "that w is cut off to the nearest number within ±δ, [[huber-cut-above|from above]] or "
        "[[huber-cut-below|from below]]"
    ),
)
HUBER_TANGENT = Theorem(
    "huber-tangent",
    "Huber's function lies above all of its tangents",
    c_w * (w - c_w / 2),
    (
        Step(
            "≥",
            c_r * (r - c_r / 2) + c_r * (w - r),
            "the difference is a square, and a product that is not negative",
            "signs",
            bounds=(Bound(half * (c_w - c_r) ** 2), Bound(Integer(1), (PROJECTION,))),
        ),
    ),
    assuming=(PROJECTION,),
    sizes="any two differences r and w, cut off at ±δ to $`c_{r}`$ and $`c_{w}`$",
    law=_GROWS,
)
NEAREST_TO_0 = Assumption(c_w * (w - c_w), "≥", Integer(0), "the same with 0 for $`c_{r}`$")
HUBER_NONNEGATIVE = Theorem(
    "huber-nonnegative",
    "Huber's function is not negative",
    c_w * (w - c_w / 2),
    (
        Step("=", half * c_w**2 + c_w * (w - c_w), "the same", "sums"),
        Step(
            "≥",
            Integer(0),
            "a square, and a product that is not negative",
            "signs",
            bounds=(Bound(half * c_w**2), Bound(Integer(1), (NEAREST_TO_0,))),
        ),
    ),
    assuming=(NEAREST_TO_0,),
    sizes="any difference w, cut off at ±δ to $`c_{w}`$",
)
_K, _EXCESS = Letter("k", real=True), Letter("x", nonnegative=True)
WITHIN_ABOVE = Assumption(_K, "≤", delta, "that k is within ±δ")
WITHIN_BELOW = Assumption(_K, "≥", -delta, "that k is within ±δ")
CUT_TO_ABOVE = Assumption(c_w, "=", delta, "that w is cut off to δ")
FROM_ABOVE = Assumption(w, "=", delta + _EXCESS, "for it exceeds δ by x")
CUT_TO_BELOW = Assumption(c_w, "=", -delta, "that w is cut off to −δ")
FROM_BELOW = Assumption(w, "=", -delta - _EXCESS, "for it is below −δ by x")
CUT_ABOVE = Theorem(
    "huber-cut-above",
    "The nearest number, for differences above δ",
    (c_w - _K) * (w - c_w),
    (
        Step("=", _EXCESS * (delta - _K), "as w is above δ", "definition", (CUT_TO_ABOVE, FROM_ABOVE)),
        Step("≥", Integer(0), "both factors are not negative", "signs", bounds=(Bound(_EXCESS, (WITHIN_ABOVE,)),)),
    ),
    assuming=(CUT_TO_ABOVE, FROM_ABOVE, WITHIN_ABOVE),
    holds=r"$`x \ge 0`$",
)
CUT_BELOW = Theorem(
    "huber-cut-below",
    "The nearest number, for differences below −δ",
    (c_w - _K) * (w - c_w),
    (
        Step("=", _EXCESS * (delta + _K), "as w is below −δ", "definition", (CUT_TO_BELOW, FROM_BELOW)),
        Step("≥", Integer(0), "both factors are not negative", "signs", bounds=(Bound(_EXCESS, (WITHIN_BELOW,)),)),
    ),
    assuming=(CUT_TO_BELOW, FROM_BELOW, WITHIN_BELOW),
    holds=r"$`x \ge 0`$",
)

# ---------------------------------------------------------------------------------------------- binary cross-entropy

SIGMOID = Definition(
    sigma(u),
    1 / (1 + exp(-u)),
    "",
    "the probability of “yes” for a logit u",
    source='Goodfellow, Bengio, Courville, "Deep Learning" (2016), eq. (3.30)',
)
_YES, _NO = log(sigma(z[s, c])), log(1 - sigma(z[s, c]))
BINARY = Definition(
    B[s],
    -total(y[s, c] * _YES + (1 - y[s, c]) * _NO, c),
    "(N,)",
    "the binary cross-entropy of sample s, for targets between 0 and 1; each output is a question of its own",
    source="Bishop (2006), eq. (5.23)",
    code=("refnn.losses:BinaryCrossEntropy.terms",),
    run=Execution(ROWS, _of_each_sample(_binary), axes=(s,), draw={"y": between}, where=(SIGMOID,)),
)
_PROBABILITY = 1 / (1 + exp(-z[s, c]))
_PLAIN = -total(y[s, c] * log(_PROBABILITY) + (1 - y[s, c]) * log(1 - _PROBABILITY), c)
BINARY_GRADIENT = Theorem(
    "loss-binarycrossentropy",
    "The gradient of the binary cross-entropy",
    _in_logits(B[s]),
    (
        Step("=", _in_logits(_PLAIN), "the binary cross-entropy, in exponentials", "definition", (BINARY, SIGMOID)),
        Step(
            "=",
            -total((y[s, c] / (1 + exp(z[s, c])) - (1 - y[s, c]) / (1 + exp(-z[s, c]))) * KroneckerDelta(c, e), c),
            "the slopes of the two logarithms, term by term",
            "derivative",
        ),
        Step(
            "=",
            (1 - y[s, e]) / (1 + exp(-z[s, e])) - y[s, e] / (1 + exp(z[s, e])),
            "of the sum one term is left",
            "sums",
        ),
        Step("=", 1 / (1 + exp(-z[s, e])) - y[s, e], "over one denominator", "fractions"),
        Step("=", sigma(z[s, e]) - y[s, e], "the sigmoid", "definition", (SIGMOID,)),
    ),
    sizes=ONE,
    matrix=r"\frac{\partial B}{\partial z} = \sigma(z) - y",
    code=("refnn.losses:BinaryCrossEntropy.derivative",),
    run=Execution(ROWS, _gradient(_binary), axes=(s, e), draw={"y": between}, where=(SIGMOID,)),
)
SIGMOID_POSITIVE = Theorem(
    "bce-above-zero",
    "The probability of “yes” is positive",
    sigma(u),
    (
        Step("=", 1 / (1 + exp(-u)), "the sigmoid", "definition", (SIGMOID,)),
        Step(">", Integer(0), "an exponential is positive", "signs"),
    ),
)
SIGMOID_BELOW_1 = Theorem(
    "bce-below-one",
    "The probability of “yes” is less than one",
    sigma(u),
    (
        Step("=", 1 - exp(-u) / (1 + exp(-u)), "the sigmoid, and 1 subtracted and added", "fractions", (SIGMOID,)),
        Step("<", Integer(1), "an exponential is positive", "signs"),
    ),
)
BINARY_CONVEX = Theorem(
    "bce-convex",
    "The binary cross-entropy is strictly convex in each logit",
    Derivative(sigma(u) - r, u),
    (
        Step("=", Derivative(1 / (1 + exp(-u)) - r, u), "the sigmoid", "definition", (SIGMOID,)),
        Step("=", exp(-u) / (1 + exp(-u)) ** 2, "the slope of a reciprocal", "derivative"),
        Step("=", sigma(u) * (1 - sigma(u)), "over one denominator", "fractions", (SIGMOID,)),
        Step(
            ">",
            Integer(0),
            "both factors are positive",
            "signs",
            bounds=(Bound(Integer(1), (SIGMOID_POSITIVE, SIGMOID_BELOW_1)),),
        ),
    ),
    sizes="any logit u, and any target r",
)
SIGMOID_MIRROR = Theorem(
    "bce-mirror",
    "The probability of “no” is that of “yes” for the opposite logit",
    sigma(-u),
    (
        Step("=", 1 / (1 + exp(u)), "the sigmoid of −u", "definition", (SIGMOID,)),
        Step("=", 1 - 1 / (1 + exp(-u)), "over one denominator", "fractions"),
        Step("=", 1 - sigma(u), "the sigmoid", "definition", (SIGMOID,)),
    ),
)
TARGET_ABOVE_0 = Assumption(y[s, c], "≥", Integer(0), "that the targets are not negative")
TARGET_BELOW_1 = Assumption(y[s, c], "≤", Integer(1), "and at most one")


def _tangent(of: Expression, above: Expression) -> Assumption:
    return Assumption(
        log(of), "≤", above, "that the logarithm lies below its tangent at 1, as [[log-tangent|its slope]] says"
    )


TANGENT = Theorem(
    "log-tangent",
    "The slope of u − 1 − ln u",
    Derivative(u - 1 - log(u), u),
    (
        Step("=", 1 - 1 / u, "the slope of the logarithm", "derivative"),
        Step("=", (u - 1) / u, "over one denominator", "fractions"),
    ),
    holds="$`u > 0`$",
)
TANGENT_YES = _tangent(sigma(z[s, c]), sigma(z[s, c]) - 1)
TANGENT_NO = _tangent(1 - sigma(z[s, c]), -sigma(z[s, c]))
BINARY_NONNEGATIVE = Theorem(
    "bce-nonnegative",
    "The binary cross-entropy is not negative",
    B[s],
    (
        Step("=", BINARY.expression, "the binary cross-entropy", "definition", (BINARY, SIGMOID)),
        Step(
            "≥",
            total(y[s, c] * (1 - sigma(z[s, c])) + (1 - y[s, c]) * sigma(z[s, c]), c),
            "each logarithm is at most its tangent",
            "signs",
            (SIGMOID,),
            bounds=(
                Bound(Integer(1), (TARGET_ABOVE_0, TANGENT_YES), over=(c,)),
                Bound(Integer(1), (TARGET_BELOW_1, TANGENT_NO), over=(c,)),
            ),
        ),
        Step(
            "≥",
            Integer(0),
            "all factors are not negative",
            "signs",
            (SIGMOID,),
            bounds=(
                Bound(Integer(1), (TARGET_ABOVE_0, SIGMOID_BELOW_1.at({u: z[s, c]})), over=(c,)),
                Bound(Integer(1), (TARGET_BELOW_1, SIGMOID_POSITIVE.at({u: z[s, c]})), over=(c,)),
            ),
        ),
    ),
    assuming=(TARGET_ABOVE_0, TARGET_BELOW_1, TANGENT_YES, TANGENT_NO),
    sizes=ONE,
)

BINARY_LOGITS = Theorem(
    "bce-logits",
    "The binary cross-entropy of one output, in its logit",
    -(r * log(sigma(u)) + (1 - r) * log(1 - sigma(u))),
    (
        Step(
            "=",
            log(1 + exp(u)) - r * u,
            "the two probabilities are exp(u) and 1, over their sum 1 + exp(u)",
            "logarithms",
            (SIGMOID,),
        ),
    ),
    sizes="any logit u, and any target r",
)
_ONE, _ANOTHER = 1 + exp(u), 1 + exp(w)
_YES_RATIO, _NO_RATIO = exp(w - u) * _ONE / _ANOTHER, _ONE / _ANOTHER
TANGENT_YES_RATIO = _tangent(_YES_RATIO, _YES_RATIO - 1)
TANGENT_NO_RATIO = _tangent(_NO_RATIO, _NO_RATIO - 1)
_BINARY_LINEAR = log(_ONE) - r * u + (sigma(u) - r) * (w - u)
BINARY_TANGENT = Theorem(
    "bce-tangent",
    "The binary cross-entropy lies above all of its tangents",
    log(_ANOTHER) - r * w,
    (
        Step(
            "=",
            _BINARY_LINEAR - sigma(u) * log(_YES_RATIO) - (1 - sigma(u)) * log(_NO_RATIO),
            "the logarithms of what the probabilities of “yes” and of “no” change by",
            "logarithms",
            (SIGMOID,),
        ),
        Step(
            "≥",
            _BINARY_LINEAR - sigma(u) * (_YES_RATIO - 1) - (1 - sigma(u)) * (_NO_RATIO - 1),
            "each logarithm is at most its tangent",
            "signs",
            (SIGMOID,),
            bounds=(
                Bound(1 / (1 + exp(-u)), (TANGENT_YES_RATIO,)),
                Bound(1 / (1 + exp(u)), (TANGENT_NO_RATIO,)),
            ),
        ),
        Step("=", _BINARY_LINEAR, "both probabilities sum to one, before and after", "fractions", (SIGMOID,)),
    ),
    assuming=(TANGENT_YES_RATIO, TANGENT_NO_RATIO),
    sizes="any two logits u and w, and any target r",
    law=_GROWS,
)

# --------------------------------------------------------------------------------------------- softmax cross-entropy

SUM_OF_EXP = total(exp(z[s, k]), k)
SOFTMAX = Definition(
    p[s, c],
    exp(z[s, c]) / SUM_OF_EXP,
    "(N, C)",
    "the probabilities of the classes, softmax(z) of each row",
    source="Bishop (2006), eq. (5.25)",
    code=("refnn.losses:softmax",),
    run=Execution({"z": (N, C)}, lambda given: losses.softmax(given["z"]), axes=(s, c)),
)
AIM = Definition(
    q[s, c],
    alpha[c] * ((1 - epsilon) * y[s, c] + epsilon / C),
    "(N, C)",
    "the targets, smoothed with the share ε, and weighted with a number α for each class; q = y if ε = 0 and α = 1",
    source='Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (2016), section 7',
    code=("refnn.losses:SoftmaxCrossEntropy.targets",),
    run=Execution({"y": (N, C), "alpha": (C,), "epsilon": ()}, _targets, axes=(s, c), draw={"y": shares, **DRAW}),
)
_ALL_ARRAYS: Any = {**ROWS, "alpha": (C,), "epsilon": ()}
_ALL_DRAWN: Any = {"y": shares, **DRAW}
CROSS = Definition(
    H[s],
    -total(q[s, c] * log(p[s, c]), c),
    "(N,)",
    "the cross-entropy of sample s",
    source="Bishop (2006), eq. (5.24)",
    code=("refnn.losses:SoftmaxCrossEntropy.terms",),
    run=Execution(_ALL_ARRAYS, _of_each_sample(_softmax), axes=(s,), draw=_ALL_DRAWN, where=(AIM, SOFTMAX)),
)
SOFTMAX_SUM = Theorem(
    "softmax-sum",
    "The probabilities sum to one",
    total(p[s, c], c),
    (
        Step("=", total(SOFTMAX.expression, c), "the softmax", "definition", (SOFTMAX,)),
        Step("=", Integer(1), "all have one denominator, which is the sum of the numerators", "fractions"),
    ),
    sizes=ONE,
)
_SHIFT = array("b")
SOFTMAX_SHIFT = Theorem(
    "softmax-shift",
    "A number added to all logits of a sample changes nothing",
    exp(z[s, c] + _SHIFT[s]) / total(exp(z[s, k] + _SHIFT[s]), k),
    (
        Step("=", SOFTMAX.expression, "the factor exp(b) is in all of them, and cancels", "fractions"),
        Step("=", p[s, c], "the softmax", "definition", (SOFTMAX,)),
    ),
    sizes=ONE,
    law=("laws/test_symmetries.py::test_shifting_all_logits_changes_nothing",),
)
SOFTMAX_BELOW_1 = Theorem(
    "softmax-below-one",
    "No probability exceeds one",
    p[s, c],
    (
        Step("=", total(p[s, k] * KroneckerDelta(k, c), k), "one term of the sum", "sums"),
        Step(
            "≤",
            total(p[s, k], k),
            "the others are positive",
            "signs",
            bounds=(Bound(p[s, k] * (1 - KroneckerDelta(k, c)) ** 2, over=(k,)),),
        ),
        Step("=", Integer(1), "they sum to one", "theorem", (SOFTMAX_SUM,)),
    ),
    sizes=ONE,
)
LOG_SOFTMAX = Theorem(
    "softmax-log",
    "The logarithm of a probability",
    log(p[s, c]),
    (
        Step("=", log(SOFTMAX.expression), "the softmax", "definition", (SOFTMAX,)),
        Step("=", z[s, c] - log(SUM_OF_EXP), "of a quotient of positive numbers", "logarithms"),
    ),
    sizes=ONE,
)
_LOGITS = -total(q[s, c] * (z[s, c] - log(SUM_OF_EXP)), c)
CROSS_GRADIENT = Theorem(
    "loss-softmaxcrossentropy",
    "The gradient of the softmax cross-entropy",
    _in_logits(H[s]),
    (
        Step("=", _in_logits(_LOGITS), "the cross-entropy, in logits", "theorem", (CROSS, LOG_SOFTMAX)),
        Step(
            "=",
            -total(q[s, c] * (KroneckerDelta(c, e) - exp(z[s, e]) / SUM_OF_EXP), c),
            "the chain rule for the logarithm; of the sum of exponentials one term depends on output e",
            "derivative",
        ),
        Step(
            "=",
            -total(q[s, c] * (KroneckerDelta(c, e) - p[s, e]), c),
            "the softmax once more",
            "definition",
            (SOFTMAX,),
        ),
        Step("=", p[s, e] * total(q[s, c], c) - q[s, e], "of the delta's sum one term is left", "sums"),
    ),
    sizes=ONE + "; the targets may be any numbers",
    matrix=r"\frac{\partial H}{\partial z} = p \circ (q \mathbf{1} \mathbf{1}^{\top}) - q",
    code=("refnn.losses:SoftmaxCrossEntropy.derivative",),
    run=Execution(_ALL_ARRAYS, _gradient(_softmax), axes=(s, e), draw=_ALL_DRAWN, where=(AIM, SOFTMAX)),
)
CROSS_ZERO = Theorem(
    "softmax-zero-sum",
    "The gradient of a sample sums to zero",
    total(p[s, e] * total(q[s, c], c) - q[s, e], e),
    (
        Step("=", total(p[s, e], e) * total(q[s, c], c) - total(q[s, e], e), "the sum is linear", "sums"),
        Step("=", total(q[s, c], c) - total(q[s, e], e), "the probabilities sum to one", "theorem", (SOFTMAX_SUM,)),
        Step("=", Integer(0), "it is the same sum", "sums"),
    ),
    sizes=ONE,
    law=("laws/test_symmetries.py::test_shifting_all_logits_changes_nothing",),
)
CROSS_HESSIAN = Theorem(
    "softmax-hessian",
    "The second derivatives of the softmax cross-entropy",
    Derivative(H[s], z[s, e], z[s, d]),
    (
        Step(
            "=",
            Derivative(_LOGITS, z[s, e], z[s, d]),
            "the cross-entropy, in logits",
            "theorem",
            (CROSS, LOG_SOFTMAX),
        ),
        Step(
            "=",
            total(q[s, c], c)
            * (exp(z[s, e]) / SUM_OF_EXP * KroneckerDelta(e, d) - exp(z[s, e]) * exp(z[s, d]) / SUM_OF_EXP**2),
            "z itself has no second derivative; that of the logarithm is the rule for quotients",
            "derivative",
        ),
        Step(
            "=",
            total(q[s, c], c) * p[s, e] * (KroneckerDelta(e, d) - p[s, d]),
            "the softmax once more",
            "fractions",
            (SOFTMAX,),
        ),
    ),
    sizes=ONE,
    matrix=(
        r"\frac{\partial^{2} H}{\partial z^{2}} = "
        r"(\mathbf{1}^{\top} q) \left(\operatorname{diag}(p) - p p^{\top}\right)"
    ),
)
_Q = total(q[s, c], c)
_MEAN = total(p[s, e] * v[s, e], e)
_SQUARES = total(p[s, e] * v[s, e] ** 2, e)
CROSS_CONVEX = Theorem(
    "softmax-convex",
    "The softmax cross-entropy is convex in the prediction",
    total(v[s, e] * (_Q * p[s, e] * (KroneckerDelta(e, d) - p[s, d])) * v[s, d], e, d),
    (
        Step("=", _Q * (_SQUARES - _MEAN**2), "the delta leaves one term of each inner sum", "sums"),
        Step(
            "=",
            _Q * (_SQUARES * total(p[s, d], d) - _MEAN**2),
            "times 1, which is the sum of the probabilities",
            "theorem",
            (SOFTMAX_SUM,),
        ),
        Step(
            "=",
            half * _Q * total(p[s, e] * p[s, d] * (v[s, e] - v[s, d]) ** 2, e, d),
            "the square multiplied out gives the first twice, and the second twice",
            "sums",
        ),
        Step(
            "≥",
            Integer(0),
            "a sum of squares, with weights that are not negative",
            "signs",
            bounds=(Bound(half * q[s, c] * p[s, e] * p[s, d] * (v[s, e] - v[s, d]) ** 2, over=(c, e, d)),),
        ),
    ),
    sizes=ONE + r"; the targets $`q \ge 0`$, and any direction v",
)
TANGENT_P = _tangent(p[s, c], p[s, c] - 1)
CROSS_NONNEGATIVE = Theorem(
    "softmax-nonnegative",
    "The softmax cross-entropy is not negative",
    H[s],
    (
        Step("=", CROSS.expression, "the cross-entropy", "definition", (CROSS,)),
        Step(
            "≥",
            total(q[s, c] * (1 - p[s, c]), c),
            "the logarithm is at most its tangent",
            "signs",
            bounds=(Bound(q[s, c], (TANGENT_P,), over=(c,)),),
        ),
        Step(
            "≥",
            Integer(0),
            "no probability exceeds one",
            "signs",
            bounds=(Bound(q[s, c], (SOFTMAX_BELOW_1,), over=(c,)),),
        ),
    ),
    assuming=(TANGENT_P,),
    sizes=ONE + r"; the targets $`q \ge 0`$",
)
PI_SUM = Assumption(total(pi[s, c], c), "=", Integer(1), "that the targets π are probabilities, all positive")
TANGENT_RATIO = _tangent(p[s, c] / pi[s, c], p[s, c] / pi[s, c] - 1)
_ENTROPY = -total(pi[s, c] * log(pi[s, c]), c)
GIBBS = Theorem(
    "softmax-gibbs",
    "No prediction is better than the target itself: Gibbs' inequality",
    -total(pi[s, c] * log(p[s, c]), c),
    (
        Step(
            "=",
            _ENTROPY - total(pi[s, c] * log(p[s, c] / pi[s, c]), c),
            "the logarithm of a quotient of positive numbers",
            "logarithms",
        ),
        Step(
            "≥",
            _ENTROPY - total(pi[s, c] * (p[s, c] / pi[s, c] - 1), c),
            "the logarithm is at most its tangent",
            "signs",
            bounds=(Bound(pi[s, c], (TANGENT_RATIO,), over=(c,)),),
        ),
        Step("=", _ENTROPY - total(p[s, c], c) + total(pi[s, c], c), "π cancels", "sums"),
        Step("=", _ENTROPY - 1 + total(pi[s, c], c), "the probabilities sum to one", "theorem", (SOFTMAX_SUM,)),
        Step("=", _ENTROPY, "and so do the targets", "definition", (PI_SUM,)),
    ),
    assuming=(PI_SUM, TANGENT_RATIO),
    sizes=ONE,
    law=_GROWS,
)
_OTHER: Any = {z: lambda *at: other[at], p: lambda *at: other_p[at]}
_OTHER_GIBBS: Any = {**_OTHER, pi: lambda *at: p[at]}
OTHER_LOG, OTHER_GIBBS = LOG_SOFTMAX.at(_OTHER), GIBBS.at(_OTHER_GIBBS)
TANGENT_OTHER = next(each for each in OTHER_GIBBS.assuming if each.relation == "≤")
_LINEAR = -total(q[s, c] * log(p[s, c]), c) + total(
    (p[s, e] * total(q[s, c], c) - q[s, e]) * (other[s, e] - z[s, e]), e
)
_RISE = log(total(exp(other[s, k]), k)) - log(SUM_OF_EXP)
_ACROSS = total(p[s, e] * (other[s, e] - z[s, e]), e)
OTHER_SOFTMAX = Assumption(
    other_p[s, c], "=", exp(other[s, c]) / total(exp(other[s, k]), k), "that p′ is the softmax of another prediction z′"
)
CROSS_TANGENT = Theorem(
    "softmax-tangent",
    "The softmax cross-entropy lies above all of its tangents",
    -total(q[s, c] * log(other_p[s, c]), c),
    (
        Step(
            "=",
            _LINEAR + _Q * (_RISE - _ACROSS),
            "both cross-entropies in logits; the terms with q cancel",
            "sums",
            (LOG_SOFTMAX, OTHER_LOG),
        ),
        Step(
            "=",
            _LINEAR + _Q * (_RISE * total(p[s, e], e) - _ACROSS),
            "times 1, which is the sum of the probabilities",
            "theorem",
            (SOFTMAX_SUM,),
        ),
        Step(
            "=",
            _LINEAR + _Q * total(p[s, e] * (log(p[s, e]) - log(other_p[s, e])), e),
            "the logits in logarithms of probabilities",
            "theorem",
            (LOG_SOFTMAX, OTHER_LOG),
        ),
        Step(
            "≥",
            _LINEAR,
            "by Gibbs' inequality, with p for the targets and p′ for the prediction",
            "signs",
            bounds=(Bound(q[s, c], (OTHER_GIBBS,), over=(c,)),),
        ),
    ),
    assuming=(OTHER_SOFTMAX, TANGENT_OTHER),
    sizes=ONE + r"; the targets $`q \ge 0`$, and any two predictions z and z′ of it",
)
Y_SUM = Assumption(total(y[s, c], c), "=", Integer(1), "that the targets of a sample are probabilities")
UNWEIGHTED = Assumption(alpha[c], "=", Integer(1), "that all classes count alike")
SMOOTHED_SUM = Theorem(
    "smoothing-sum",
    "Smoothed targets are probabilities again",
    total((1 - epsilon) * y[s, c] + epsilon / C, c),
    (
        Step("=", (1 - epsilon) * total(y[s, c], c) + epsilon, "C terms of ε/C are ε", "sums"),
        Step("=", Integer(1), "the targets sum to one, and ε cancels", "definition", (Y_SUM,)),
    ),
    assuming=(Y_SUM,),
    sizes=ONE,
)
_UNWEIGHTED_ARRAYS: Any = {**ROWS, "epsilon": ()}
SMOOTHED_GRADIENT = Theorem(
    "smoothing-gradient",
    "The gradient with smoothed targets",
    _in_logits(H[s]),
    (
        Step("=", CROSS_GRADIENT.expression, "for any targets q", "theorem", (CROSS_GRADIENT,)),
        Step(
            "=",
            p[s, e] * total((1 - epsilon) * y[s, c] + epsilon / C, c) - ((1 - epsilon) * y[s, e] + epsilon / C),
            "the smoothed targets, with weights of 1",
            "definition",
            (AIM, UNWEIGHTED),
        ),
        Step("=", p[s, e] - (1 - epsilon) * y[s, e] - epsilon / C, "they sum to one", "theorem", (SMOOTHED_SUM,)),
    ),
    assuming=(UNWEIGHTED, Y_SUM),
    sizes=ONE,
    matrix=r"\frac{\partial H}{\partial z} = p - (1 - \epsilon)\, y - \frac{\epsilon}{C}",
    code=("refnn.losses:SoftmaxCrossEntropy.derivative",),
    run=Execution(_UNWEIGHTED_ARRAYS, _gradient(_softmax), axes=(s, e), draw=_ALL_DRAWN, where=(SOFTMAX,)),
)
UNSMOOTHED = Assumption(epsilon, "=", Integer(0), "that there is no smoothing")
WEIGHTED_GRADIENT = Theorem(
    "class-weights",
    "The gradient with class weights",
    _in_logits(H[s]),
    (
        Step("=", CROSS_GRADIENT.expression, "for any targets q", "theorem", (CROSS_GRADIENT,)),
        Step(
            "=",
            p[s, e] * total(alpha[c] * y[s, c], c) - alpha[e] * y[s, e],
            "the weighted targets, without smoothing",
            "definition",
            (AIM, UNSMOOTHED),
        ),
    ),
    assuming=(UNSMOOTHED,),
    sizes=ONE,
    code=("refnn.losses:SoftmaxCrossEntropy.derivative",),
    run=Execution({**ROWS, "alpha": (C,)}, _gradient(_softmax), axes=(s, e), draw=_ALL_DRAWN, where=(SOFTMAX,)),
)

# ----------------------------------------------------------------------------------------------------- inner product

INNER = Definition(
    I[s],
    total(z[s, c] * y[s, c], c),
    "(N,)",
    "the inner product of the outputs of sample s with any numbers y, a linear functional",
    code=("refnn.losses:InnerProduct.terms",),
    run=Execution(ROWS, _of_each_sample(_inner), axes=(s,)),
)
INNER_GRADIENT = Theorem(
    "loss-innerproduct",
    "The gradient of the inner product",
    _in_logits(I[s]),
    (
        Step("=", _in_logits(INNER.expression), "the inner product", "definition", (INNER,)),
        Step("=", total(y[s, c] * KroneckerDelta(c, e), c), "term by term", "derivative"),
        Step("=", y[s, e], "of the sum one term is left", "sums"),
    ),
    sizes=ONE,
    matrix=r"\frac{\partial I}{\partial z} = y",
    code=("refnn.losses:InnerProduct.derivative",),
    run=Execution(ROWS, _gradient(_inner), axes=(s, e)),
)
INNER_LINEAR = Theorem(
    "inner-linear",
    "The inner product is linear in the prediction, so convex",
    total((tau * other[s, c] + (1 - tau) * z[s, c]) * y[s, c], c),
    (
        Step(
            "=",
            tau * total(other[s, c] * y[s, c], c) + (1 - tau) * total(z[s, c] * y[s, c], c),
            "the sum is linear",
            "sums",
        ),
    ),
    sizes=ONE + ", and any two predictions z and z′ of it",
)

# -------------------------------------------------------------------------------------------------------- reductions

MOVED = Assumption(
    Derivative(ell(s, u), u),
    "=",
    g[s, c] * KroneckerDelta(s, t),
    "that output c of sample t is moved: its own loss has the slope g, and no other loss depends on it",
)
_DIVISORS: dict[str, tuple[Expression, str]] = {
    "mean": (N, "the number of samples"),
    "sum": (Integer(1), "one"),
    "elements": (N * C, "the number of all outputs of all samples"),
    "weights": (total(alpha[d] * y[s, d], s, d), "the sum of the weights of the targets"),
}
"""By what each reduction divides; and in words."""

_REDUCTION_LAWS = {
    "mean": (
        "laws/test_symmetries.py::test_scaling_the_loss_scales_its_gradient",
        "laws/test_symmetries.py::test_a_batch_twice_is_the_same_mean_and_twice_the_sum",
    ),
    "sum": ("laws/test_symmetries.py::test_a_batch_twice_is_the_same_mean_and_twice_the_sum",),
}

OF_CROSS = Definition(
    g[s, c], p[s, c] * total(q[s, k], k) - q[s, c], "(N, C)", "the gradient of the softmax cross-entropy of sample s"
)


def _reduced(reduction: losses.Reduction) -> Theorem:
    """The gradient of the batch, from those of the samples."""
    divisor, words = _DIVISORS[reduction]

    def by_inner_product(given: Given) -> Any:
        """With y = g: of any gradients of the samples."""
        loss = losses.InnerProduct(reduction=reduction, scale=_number(given, "lambda"))
        return loss.differentiate(given["g"], _floats(given["g"]))[1]

    def by_softmax(given: Given) -> Any:
        return _gradient(lambda given: _softmax(given, "weights", _number(given, "lambda")))(given)

    run = (
        Execution(
            {**_ALL_ARRAYS, "lambda": ()}, by_softmax, axes=(t, c), draw=_ALL_DRAWN, where=(OF_CROSS, AIM, SOFTMAX)
        )
        if reduction == "weights"
        else Execution({"g": (N, C), "lambda": ()}, by_inner_product, axes=(t, c), draw=DRAW)
    )
    factor = scale / divisor
    return Theorem(
        f"reduction-{reduction}",
        f"The reduction “{reduction}” divides by {words}",
        Derivative(factor * total(ell(s, u), s), u),
        (
            Step(
                "=",
                factor * total(Derivative(ell(s, u), u), s),
                "scale and divisor do not depend on the outputs; the derivative of a sum is that of its terms",
                "derivative",
            ),
            Step("=", factor * total(g[s, c] * KroneckerDelta(s, t), s), "the slopes", "definition", (MOVED,)),
            Step("=", factor * g[t, c], "of the sum over the samples one term is left", "sums"),
        ),
        assuming=(MOVED,),
        sizes=SIZES + ", any scale λ > 0, and any loss ℓ of one sample that is differentiable",
        code=("refnn.losses:Loss.differentiate", "refnn.losses:Loss.scaled", f"refnn.losses:{_divisor_of(reduction)}"),
        law=_REDUCTION_LAWS.get(reduction, ()),
        run=run,
    )


def _divisor_of(reduction: str) -> str:
    return "SoftmaxCrossEntropy.divisor" if reduction == "weights" else "Loss.divisor"


REDUCTIONS = (_reduced("mean"), _reduced("sum"), _reduced("elements"), _reduced("weights"))


def _mse(given: Given) -> losses.Loss:
    return losses.SquaredError(reduction="elements", scale=2)


MSE = Theorem(
    "mse-value",
    "The mean squared error of PyTorch",
    2 / (N * C) * total(E[s], s),
    (
        Step("=", 2 / (N * C) * total(SQUARED.expression, s), "the squared error", "definition", (SQUARED,)),
        Step("=", total((z[s, c] - y[s, c]) ** 2, s, c) / (N * C), "the scale 2 cancels the ½", "sums"),
    ),
    sizes=SIZES,
    code=("refnn.losses:Loss.value",),
    run=Execution(ROWS, lambda given: _mse(given).value(given["z"], _floats(given["y"]))),
)
MSE_GRADIENT = Theorem(
    "mse-gradient",
    "The gradient of the mean squared error of PyTorch",
    Derivative(2 / (N * C) * total(E[s], s), z[t, e]),
    (
        Step(
            "=",
            Derivative(total((z[s, c] - y[s, c]) ** 2, s, c) / (N * C), z[t, e]),
            "as before",
            "theorem",
            (MSE,),
        ),
        Step(
            "=",
            2 / (N * C) * total((z[s, c] - y[s, c]) * KroneckerDelta(s, t) * KroneckerDelta(c, e), s, c),
            "term by term",
            "derivative",
        ),
        Step("=", 2 / (N * C) * (z[t, e] - y[t, e]), "of each sum one term is left", "sums"),
    ),
    sizes=SIZES,
    matrix=r"\frac{\partial L}{\partial z} = \frac{2}{N C} (z - y)",
    code=("refnn.losses:Loss.differentiate",),
    run=Execution(ROWS, _gradient(_mse), axes=(t, e)),
)


# ---------------------------------------------------------------------------------------------------------- examples


def _plain(given: Given) -> losses.Loss:
    return losses.SoftmaxCrossEntropy(reduction="sum")


def _mean(given: Given) -> losses.Loss:
    return losses.SoftmaxCrossEntropy()


def _smooth(given: Given) -> losses.Loss:
    return losses.SoftmaxCrossEntropy(reduction="sum", label_smoothing=0.25)


def _weighted(given: Given) -> losses.Loss:
    return losses.SoftmaxCrossEntropy(reduction="sum", class_weights=_floats(given["alpha"]).tolist())


def _by_weights(given: Given) -> losses.Loss:
    return losses.SoftmaxCrossEntropy(reduction="weights", class_weights=_floats(given["alpha"]).tolist())


def _aims(make: Make) -> Any:
    def run(given: Given) -> Any:
        return make(given).targets(given["y"], _floats(given["y"]))

    return run


_PLAIN_GRADIENT = exp(z[s, e]) / SUM_OF_EXP - y[s, e]
_SMOOTHED = (1 - epsilon) * y[s, e] + epsilon / C
_FIRST = exp(z[Integer(1), e]) / total(exp(z[Integer(1), k]), k)
_CURVATURE = _FIRST * (KroneckerDelta(e, d) - _FIRST.xreplace({e: d}))
_WEIGHTED = _unfolded(WEIGHTED_GRADIENT.expression, SOFTMAX)
CLASSES = Worked(
    "softmax cross-entropy of two samples in three classes",
    "The first sample is of the last class, the second of the first. Exponentials of logarithms are fractions. The "
    "loss is a logarithm; what can be written down is $`\\exp(-H)`$, the probability that the prediction gives to the "
    "class of the sample.",
    {N: 2, C: 3},
    {
        "z": [["0", "log(2)", "log(5)"], ["log(3)", "0", "0"]],
        "y": [["0", "0", "1"], ["1", "0", "0"]],
        "epsilon": "1/4",
        "alpha": ["1", "2", "4"],
    },
    (
        Quantity(
            "p",
            SOFTMAX.expression,
            (s, c),
            "the exponentials 1, 2, 5 over their sum 8; and 3, 1, 1 over 5 ([[softmax-sum]])",
            lambda given: losses.softmax(given["z"]),
        ),
        Quantity(
            r"\exp(-H)",
            exp(total(y[s, c] * log(SOFTMAX.expression), c)),
            (s,),
            "without smoothing and weights: the probability of the class",
            lambda given: np.exp(-_of_each_sample(_plain)(given)),
        ),
        Quantity(
            r"\frac{\partial H}{\partial z}",
            _PLAIN_GRADIENT,
            (s, e),
            "p, less 1 at the class; each row sums to 0 ([[softmax-zero-sum]])",
            _gradient(_plain),
        ),
        Quantity(
            r"\frac{\partial L}{\partial z}",
            _PLAIN_GRADIENT / N,
            (s, e),
            "the loss L of the batch is the mean of two: half of that ([[reduction-mean]])",
            _gradient(_mean),
        ),
        Quantity(
            r"\frac{\partial^{2} H_{1}}{\partial z^{2}}",
            _CURVATURE,
            (e, d),
            r"of the first sample: such as $`\frac18 \left(1 - \frac18\right)`$ and $`-\frac18 \cdot \frac14`$; rows "
            "and columns sum to 0 ([[softmax-hessian]])",
        ),
        Quantity(
            "q",
            _SMOOTHED,
            (s, e),
            r"smoothed: $`\frac34 \cdot 1 + \frac14 \cdot \frac13`$ at the class, $`\frac1{12}`$ elsewhere "
            "([[smoothing-sum]])",
            _aims(_smooth),
        ),
        Quantity(
            "p - q",
            exp(z[s, e]) / SUM_OF_EXP - _SMOOTHED,
            (s, e),
            "the gradient with smoothing ([[smoothing-gradient]])",
            _gradient(_smooth),
        ),
        Quantity("q", alpha[e] * y[s, e], (s, e), "not smoothed, but with class weights", _aims(_weighted)),
        Quantity(
            r"\frac{\partial H}{\partial z}",
            _WEIGHTED,
            (s, e),
            "with class weights: the first sample counts four times ([[class-weights]])",
            _gradient(_weighted),
        ),
        Quantity(
            r"\frac{\partial L}{\partial z}",
            _WEIGHTED / total(alpha[d] * y[t, d], t, d),
            (s, e),
            "the reduction divides by the weights of the two targets, $`4 + 1`$ ([[reduction-weights]])",
            _gradient(_by_weights),
        ),
    ),
)
DISTANCES = Worked(
    "squared error and Huber loss of two samples with three outputs",
    r"Both losses look at $`z - y`$ only. The Huber loss, here with $`\delta = 1`$, goes on as a straight line where "
    "the difference exceeds δ: a target that is far off pulls no harder than one at the distance δ. One difference is "
    "δ itself, where both pieces agree.",
    {N: 2, C: 3},
    {"z": [["1/2", "3", "1"], ["-1", "0", "2"]], "y": [["0", "0", "0"], ["1", "-1/2", "2"]], "delta": "1"},
    (
        Quantity(
            r"\frac{\partial E}{\partial z}",
            SQUARED_GRADIENT.expression,
            (s, e),
            "$`z - y`$ ([[loss-squarederror]])",
            _gradient(_squared),
        ),
        Quantity(
            "E",
            SQUARED.expression,
            (s,),
            r"half of the sums of squares: $`\frac12 \left(\frac14 + 9 + 1\right)`$ is the first",
            _of_each_sample(_squared),
        ),
        Quantity(
            "L",
            MSE.expression,
            (),
            r"as in PyTorch: the mean of the six squares ([[mse-value]])",
            lambda given: _mse(given).value(given["z"], _floats(given["y"])),
        ),
        Quantity(
            r"\frac{\partial L}{\partial z}",
            MSE_GRADIENT.expression,
            (t, e),
            r"$`\frac{2}{6}`$ of the differences ([[mse-gradient]])",
            _gradient(_mse),
        ),
        Quantity(
            "R",
            _PIECES,
            (s,),
            r"$`\frac12 \cdot \frac14 + 1 \cdot \left(3 - \frac12\right) + \frac12`$ is the first ([[huber-pieces]])",
            _of_each_sample(_huber),
        ),
        Quantity(
            r"\frac{\partial R}{\partial z}",
            HUBER_GRADIENT.expression,
            (s, e),
            "the differences, cut off at ±1 ([[loss-huber]])",
            _gradient(_huber),
        ),
    ),
)
QUESTIONS = Worked(
    "binary cross-entropy of three questions",
    "One sample with three outputs, each the logit of a yes or no. The targets say: yes; yes in one case of four; no.",
    {N: 1, C: 3},
    {"z": [["log(3)", "0", "-log(3)"]], "y": [["1", "1/4", "0"]]},
    (
        Quantity(
            r"\sigma(z)",
            1 / (1 + exp(-z[s, e])),
            (s, e),
            r"such as $`1 / \left(1 + \frac13\right)`$; for opposite logits the two sum to 1 ([[bce-mirror]])",
            lambda given: expit(given["z"]),
        ),
        Quantity(
            r"\frac{\partial B}{\partial z}",
            1 / (1 + exp(-z[s, e])) - y[s, e],
            (s, e),
            "$`\\sigma(z) - y`$ ([[loss-binarycrossentropy]])",
            _gradient(_binary),
        ),
        Quantity(
            r"\sigma(z) \left(1 - \sigma(z)\right)",
            exp(-z[s, e]) / (1 + exp(-z[s, e])) ** 2,
            (s, e),
            "the second derivatives, which are positive ([[bce-convex]])",
        ),
    ),
)

# -------------------------------------------------------------------------------------------------------------- page

_SUMMARY: dict[type[losses.Loss], tuple[str, str, str, str]] = {
    losses.SquaredError: ("$`z - y`$", "[[squared-convex|yes]]", "[[squared-nonnegative|0]]", "at $`z = y`$ only"),
    losses.SoftmaxCrossEntropy: (
        r"$`p \sum_{c} q_{c} - q`$",
        "[[softmax-convex|yes]], and flat where all logits move alike",
        "[[softmax-nonnegative|0]]",
        r"[[softmax-tangent|where]] $`p \sum_{c} q_{c} = q`$",
    ),
    losses.BinaryCrossEntropy: (
        r"$`\sigma(z) - y`$",
        "[[bce-convex|yes]], strictly",
        "[[bce-nonnegative|0]]",
        r"[[bce-tangent|where]] $`\sigma(z) = y`$",
    ),
    losses.Huber: (
        r"$`z - y`$, cut off at ±δ",
        "[[huber-tangent|yes]]",
        "[[huber-nonnegative|0]]",
        "at $`z = y`$ only",
    ),
    losses.InnerProduct: ("$`y`$", "[[inner-linear|yes]], linear", "no bound", "nowhere"),
}


def _summary() -> list[list[str]]:
    return [
        [
            f"[[loss-{loss.__name__.lower()}|{loss.__name__}]]",
            *_SUMMARY[loss],
            ", ".join(f"[[reduction-{reduction}|{reduction}]]" for reduction in loss().reductions()),
        ]
        for loss in losses.ALL
    ]


PAGE = Page(
    5,
    "losses",
    "Losses, and by what they are divided",
    "A loss says how far a prediction is from its target. For each loss of refnn: its gradient in the prediction, that "
    "it is convex there, its least value, and where it is taken; and what the reduction over the samples does to it.",
    ("derivatives", "dense"),
    (
        Symbol("N, C", "", "the numbers of samples and of outputs, or classes"),
        Symbol("z, z'", "(N, C)", "predictions: the outputs of the network; for the cross-entropies they are logits"),
        Symbol("y", "(N, C)", "the targets"),
        Symbol("E, R, B, H, I", "(N,)", "the five losses of each sample"),
        Symbol(r"h, \delta", "", "Huber's function of one number, and its width, positive"),
        Symbol(
            "r, w, c_{r}, c_{w}",
            "",
            "differences between a prediction and a target, and what they are cut off to",
        ),
        Symbol(r"\sigma", "", "the sigmoid, a function of one number u"),
        Symbol("p, p'", "(N, C)", "softmax(z) and softmax(z′): the probabilities of the classes"),
        Symbol("q", "(N, C)", "the targets of the cross-entropy, smoothed and weighted; not negative"),
        Symbol(r"\epsilon, \alpha", "(), (C,)", "the share of smoothing, and the class weights"),
        Symbol(
            r"\pi, v, b", "(N, C), (N, C), (N,)", "any positive probabilities, any direction, any shift of the logits"
        ),
        Symbol(r"\tau", "", "how far along a way: a number"),
        Symbol(r"\ell, g", "(N,), (N, C)", "any loss of each sample, and its gradient in its outputs"),
        Symbol("L", "", "the loss of the batch"),
        Symbol(r"\circ, \mathbf{1}", "(), (C,)", "the product element by element, and a column of ones"),
        Symbol(r"\lambda", "", "the scale of L, positive"),
        Symbol("[c = e]", "", "1 where the indices are equal, and else 0: Kronecker's delta"),
    ),
    (
        Prose(
            "A loss of refnn is a function of one sample's outputs, a row of z. The row has any number C of outputs, "
            "and no sample depends on another one. What follows is therefore about one sample s; the last part is "
            "about the sum over the samples. Convex means: in the prediction z. In the weights of a network with "
            "hidden layers they are not, in general."
        ),
        Table(("loss", "gradient", "convex", "never below", "least", "reductions"), _summary),
        Prose("## Squared error"),
        SQUARED,
        SQUARED_GRADIENT,
        Code("refnn.losses:SquaredError.derivative"),
        SQUARED_NONNEGATIVE,
        SQUARED_RAY,
        Prose(
            "So the loss is 0 at the target, where τ is 0, and grows along every way from it; twice as far away it is "
            "four times as large. Between any two predictions it lies below the straight line that joins them, and by "
            "how much can be said exactly:"
        ),
        SQUARED_CONVEX,
        Prose("## Huber loss"),
        Prose(
            "Near the target it is the squared error; far from it, a straight line. At the joints both pieces have "
            r"the value $`\frac12 \delta^{2}`$."
        ),
        PIECES,
        HUBER,
        HUBER_CODE,
        Prose(
            "The code needs no cases. It cuts the difference r off to the nearest number c within ±δ, and both pieces "
            r"are $`c \left(r - \frac{c}{2}\right)`$: inside, c is r, which gives $`\frac12 r^{2}`$; outside, c is ±δ "
            r"with the sign of r, which gives $`\delta \left(\lvert r \rvert - \frac{\delta}{2}\right)`$."
        ),
        Code("refnn.losses:Huber.terms"),
        HUBER_INSIDE,
        HUBER_OUTSIDE,
        Prose(
            r"At $`u = \pm\delta`$ the slopes from the left and from the right are the same, $`\pm\delta`$. So h has a "
            "derivative there too, and no kink; what jumps is the second derivative."
        ),
        HUBER_GRADIENT,
        Prose(
            "Convexity follows without second derivatives. Cutting off to the nearest number within ±δ has a property "
            r"that needs two cases: if w is within ±δ, then $`c_{w} = w`$ and $`(c_{w} - k)(w - c_{w})`$ is 0; if it "
            "is above or below, then for every number k within ±δ, such as another difference that is cut off, or 0, "
            "it is not negative:"
        ),
        CUT_ABOVE,
        CUT_BELOW,
        HUBER_TANGENT,
        Prose(
            "A function that lies above all of its tangents is convex, and so is a sum of such functions. "
            r"With $`r = 0`$ the tangent is 0, and touches at the target. Elsewhere the "
            r"loss is at least $`\frac12 c_{w}^{2}`$, which is 0 for $`w = 0`$ only:"
        ),
        HUBER_NONNEGATIVE,
        Prose("## Binary cross-entropy"),
        SIGMOID,
        BINARY,
        SIGMOID_MIRROR,
        Prose(
            r"The code takes $`\ln \sigma(-z)`$ in place of $`\ln(1 - \sigma(z))`$, so that nothing cancels where "
            "σ is near 1."
        ),
        BINARY_GRADIENT,
        Code("refnn.losses:BinaryCrossEntropy.derivative"),
        SIGMOID_POSITIVE,
        SIGMOID_BELOW_1,
        BINARY_CONVEX,
        Prose(
            r"As the slope $`\sigma(u) - y`$ rises, the loss is convex, and least where the slope is 0: where "
            r"$`\sigma(z) = y`$. For a target of 0 or 1 no finite logit is there; the loss then falls forever towards "
            "0, and logits that are trained without an end grow without an end."
        ),
        TANGENT,
        Prose(
            r"So $`u - 1 - \ln u`$ falls up to $`u = 1`$, and rises from there on; at 1 it is 0, and nowhere "
            r"less: $`\ln u \le u - 1`$ for all $`u > 0`$. The bounds of both cross-entropies come from this "
            "one inequality."
        ),
        BINARY_NONNEGATIVE,
        BINARY_LOGITS,
        BINARY_TANGENT,
        Prose(
            r"So a logit u with $`\sigma(u) = r`$ has the smallest loss of all: there the tangent is level. This says "
            "once more, and without second derivatives, that the loss is convex."
        ),
        Prose("## Softmax cross-entropy"),
        SOFTMAX,
        SOFTMAX_SUM,
        SOFTMAX_SHIFT,
        SOFTMAX_BELOW_1,
        Prose(
            "With two classes, of which the second has the logit 0, the first has the probability "
            r"$`\exp(z) / (\exp(z) + 1) = \sigma(z)`$: the binary cross-entropy is that of two classes."
        ),
        AIM,
        CROSS,
        LOG_SOFTMAX,
        CROSS_GRADIENT,
        Code("refnn.losses:SoftmaxCrossEntropy.derivative"),
        CROSS_ZERO,
        Prose(
            "This is what [[softmax-shift]] says, differentiated: along a shift of all logits the loss is level. It "
            "holds whatever the sum of the targets is."
        ),
        CROSS_HESSIAN,
        Prose(
            "Is this matrix positive semidefinite? For any direction v, the second derivative along it is "
            r"$`\sum_{e} \sum_{d} v_{e}\, \frac{\partial^{2} H}{\partial z_{e}\, \partial z_{d}}\, v_{d}`$. It is the "
            "variance of v when classes are drawn with the probabilities p, times the sum of the targets:"
        ),
        CROSS_CONVEX,
        Prose(
            "It is 0 exactly for a shift, where all $`v_{e}`$ are equal, as no p is 0; "
            "unless all q are 0, for then it is 0 for every v."
        ),
        CROSS_NONNEGATIVE,
        GIBBS,
        Prose(
            "The right side is the entropy of the targets; it is reached for $`p = \\pi`$. Targets of 0, such as those "
            "of a class, are a limit of this: the terms of such classes vanish on both sides, and what is left of p "
            "sums to less than one, which helps. For a class the entropy is 0, and no finite logits reach it."
        ),
        CROSS_TANGENT,
        Prose(
            "So convexity holds without second derivatives as well. And wherever the gradient "
            r"$`p_{e} \sum_{c} q_{c} - q_{e}`$ is 0, no other prediction has a smaller loss: with smoothing this is at "
            "finite logits, which is what smoothing is for."
        ),
        Prose("### Label smoothing and class weights"),
        SMOOTHED_SUM,
        SMOOTHED_GRADIENT,
        WEIGHTED_GRADIENT,
        Code("refnn.losses:SoftmaxCrossEntropy.targets"),
        Prose("## Inner product"),
        Prose(
            "A loss that is a tool: its gradient is whatever one wants it to be. With y for δ, the gradient of a layer "
            "behind it is the vector-Jacobian product of [[dense]]. It has no least value, and no target."
        ),
        INNER,
        INNER_GRADIENT,
        INNER_LINEAR,
        Prose("## Reductions"),
        Prose(
            "The loss of a batch is the sum over its samples, times the scale λ, over a divisor that the reduction "
            "names:"
        ),
        Display(
            r"L = \frac{\lambda}{D} \sum_{s=1}^{N} \ell_{s}, \qquad D = N \text{ (mean)}, \quad 1 \text{ (sum)}, \quad "
            r"N C \text{ (elements)}, \quad \sum_{s=1}^{N} \sum_{d=1}^{C} \alpha_{d} y_{s d} \text{ (weights)}"
        ),
        Prose(
            "Let u be the output c of sample t, and ℓ(s, u) the loss of sample s as a function of it. Then only "
            "sample t has a slope, and the divisor has none, for it is made of sizes and of targets."
        ),
        *REDUCTIONS,
        Code("refnn.losses:Loss.differentiate"),
        Code("refnn.losses:Loss.scaled"),
        Prose(
            "The loss of a batch is a sum of convex functions with positive factors; so it is convex in z, for all "
            "samples together, and not negative where its parts are not. A batch twice has the same mean, and twice "
            "the sum. A learning rate belongs to a reduction: what is 0.1 for the mean is 0.1/N for the sum. What "
            'PyTorch calls MSELoss is `SquaredError(reduction="elements", scale=2)`:'
        ),
        MSE,
        MSE_GRADIENT,
        Fails(
            "the definition, in floats",
            r"The exponential of a large logit overflows, and that of a small one is 0, whose logarithm is "
            r"$`-\infty`$. refnn subtracts the largest logit first, for "
            "[[softmax-shift]]; and it never takes the logarithm of p, for [[softmax-log]] needs no p.",
            """
import math
import numpy as np
from refnn.arrays import log_softmax

def naive(z):
    exponentials = [math.exp(v) for v in z]
    return [math.log(v / sum(exponentials)) for v in exponentials]

for z in ([0.0, 0.0], [0.0, -800.0], [800.0, 0.0]):
    try:
        print([round(v, 3) for v in naive(z)])
    except (OverflowError, ValueError) as error:
        print(type(error).__name__)                  # exp(800) is too large; log(0) is no number
    print([round(v, 3) for v in log_softmax(np.array([z]))[0].tolist()])
""",
        ),
        CLASSES,
        DISTANCES,
        QUESTIONS,
    ),
    ("backpropagation", "descent", "batches"),
)
