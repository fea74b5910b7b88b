"""The descent lemma: by how much a step against the gradient lowers the loss, for a batch and in expectation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sympy import Derivative, Function, Integer, Integral, KroneckerDelta, Rational
from sympy import Symbol as Letter

from proofs.execution import Execution
from proofs.kernel import Assumption, Bound, Definition, Induction, Statement, Step, Theorem
from proofs.page import Code, Display, Fails, Page, Picture, Prose, Quantity, Symbol, Worked
from proofs.sums import Expression, Index, array, size, total
from refnn import Dense, GradientDescent, Network, SquaredError
from refnn.arithmetic.ball import BallArray

__all__ = ["DESCENT", "PAGE"]

P, N, M = size("P"), size("N"), size("M")
i, j, k_ = Index("i", P), Index("j", P), Index("k", P)
s, beta = Index("s", N), Index("beta", M)
g, d, w, y, h, r = map(array, "gdwyhr")
after = array("w'")
G, x, b = array("G"), array(r"\tilde{x}"), array("b")
L = Function("L")
W, D, GRADIENT = (Letter(rf"\mathbf{{{name}}}", real=True) for name in "wdg")
SAMPLE, BATCH = array(r"\mathbf{h}"), array(r"\mathbf{b}")
t, lam, eta = (Letter(name, positive=True) for name in ("t", "lambda", "eta"))
ONE, HALF = Integer(1), Rational(1, 2)

SIZES = "any number P of parameters"
STEPS = ("laws/test_descent.py::test_some_gradient_of_many_steps_of_linear_regression_is_as_small_as_proved",)
BATCHES = ("laws/test_descent.py::test_small_steps_lower_the_loss_of_their_batch_as_promised",)


def squared(of: Any) -> Expression:
    """‖of‖²."""
    return total(of[i] ** 2, i)


# ------------------------------------------------------------------------------------------------- a step in general


def along(
    vector: Expression, step: Callable[[Index], Expression], gradient: Callable[[Index], Expression], where: str
) -> tuple[Assumption, Assumption]:
    """What is assumed of L along a step: its gradient there, and how fast that changes."""
    chain = Assumption(
        Derivative(L(W + t * vector), t),
        "=",
        total(gradient(i) * step(i), i),
        f"that $`G^{{(t)}}`$ is the gradient of L at $`{where}`$, so that by the [[chain-rule|chain rule]]",
    )
    smooth = Assumption(
        total((gradient(i) - g[i]) ** 2, i),
        "≤",
        lam**2 * t**2 * total(step(i) ** 2, i),
        "that L is λ-smooth along the step",
    )
    return chain, smooth


CHAIN, SMOOTH = along(D, lambda i: d[i], lambda i: G[t, i], r"\mathbf{w} + t \mathbf{d}")
SLOPE = Theorem(
    "slope-bound",
    "The slope along a step grows at most like λt",
    CHAIN.symbol,
    (
        Step("=", total(G[t, i] * d[i], i), "the chain rule", "definition", (CHAIN,)),
        Step(
            "≤",
            total(g[i] * d[i], i) + lam * t * squared(d),
            r"what the right side has more is $`\frac{1}{2 \lambda t}`$ times "
            r"$`\lambda^2 t^2 \lVert d \rVert^2 - \lVert G^{(t)} - g \rVert^2`$, and a sum of squares",
            "signs",
            (),
            (
                Bound(1 / (2 * lam * t), (SMOOTH,)),
                Bound((G[t, i] - g[i] - lam * t * d[i]) ** 2 / (2 * lam * t), over=(i,)),
            ),
        ),
    ),
    assuming=(CHAIN, SMOOTH),
    sizes=SIZES,
    holds=r"$`0 < t \le 1`$; where t is 0, both sides are the same",
    matrix=r"\varphi'(t) \le \varphi'(0) + \lambda t \lVert d \rVert^2 \quad \text{with} \quad "
    r"\varphi(t) = L(\mathbf{w} + t \mathbf{d})",
)
QUADRATIC = Theorem(
    "quadratic-bound",
    "A smooth loss stays below a parabola",
    L(W + D),
    (
        Step(
            "=",
            L(W) + Integral(CHAIN.symbol, (t, 0, 1)),
            "the fundamental theorem of calculus: L has a continuous gradient",
            "integral",
        ),
        Step(
            "≤",
            L(W) + Integral(SLOPE.expression, (t, 0, 1)),
            "the integral of what is larger everywhere is larger",
            "monotone",
            (),
            (Bound(ONE, (SLOPE,), along=(t, Integer(0), ONE)),),
        ),
        Step(
            "=",
            L(W) + total(g[i] * d[i], i) + lam / 2 * squared(d),
            r"$`\int_0^1 1 \, dt = 1`$ and $`\int_0^1 t \, dt = \frac12`$",
            "integral",
        ),
    ),
    assuming=(CHAIN, SMOOTH),
    sizes=SIZES,
    matrix=r"L(\mathbf{w} + \mathbf{d}) \le L(\mathbf{w}) + g^{\top} d + \frac{\lambda}{2} \lVert d \rVert^2",
)

# -------------------------------------------------------------------------------------------- against the gradient

NEXT = Definition(
    after[i],
    w[i] - eta * g[i],
    "(P,)",
    "a step of gradient descent with the learning rate η goes against the gradient g of the loss at w",
    source='Cauchy, "Méthode générale pour la résolution des systèmes d\'équations simultanées", '
    "Comptes Rendus 25 (1847)",
    code=("refnn.rules:GradientDescent.step",),
    run=Execution(
        {"w": (P,), "g": (P,), "eta": ()},
        lambda given: GradientDescent().step(None, given["w"], given["g"], float(given["eta"].midpoint))[1],
        axes=(i,),
        draw={"eta": lambda shape, rng: rng.integers(1, 13, shape) / 8},
    ),
)
STEP = QUADRATIC.at({D: -eta * GRADIENT, d: lambda i: -eta * g[i]})
STEP_ASSUMED = along(-eta * GRADIENT, lambda i: -eta * g[i], lambda i: G[t, i], r"\mathbf{w} - t \eta \mathbf{g}")
STEPPED = L(W - eta * GRADIENT)
LEMMA = L(W) - eta * (1 - eta * lam / 2) * squared(g)

DESCENT = Theorem(
    "descent-lemma",
    "The descent lemma",
    STEPPED,
    (
        Step(
            "≤",
            L(W) + total(g[i] * (-eta * g[i]), i) + lam / 2 * total((-eta * g[i]) ** 2, i),
            r"the parabola, for the step $`d = -\eta g`$",
            "signs",
            (),
            (Bound(ONE, (STEP,)),),
        ),
        Step("=", LEMMA, "the two sums have the common factor ‖g‖²", "sums"),
    ),
    assuming=STEP_ASSUMED,
    sizes=SIZES,
    holds="every η > 0",
    matrix=r"L(\mathbf{w} - \eta g) \le L(\mathbf{w}) - \eta \left(1 - \frac{\eta \lambda}{2}\right) \lVert g \rVert^2",
    law=BATCHES,
)
RATE = Assumption(eta * lam, "<", Integer(2), r"that the learning rate is below $`2/\lambda`$")
SLOPING = Assumption(squared(g), ">", Integer(0), "that the gradient is not zero")
DECREASES = Theorem(
    "descent-decreases",
    "Below 2/λ every step lowers the loss",
    STEPPED,
    (
        Step(
            "<",
            L(W),
            r"by the lemma it falls by at least $`\frac{\eta}{2} (2 - \eta \lambda) \lVert g \rVert^2`$, "
            "a product of what is positive",
            "signs",
            (),
            (Bound(ONE, (DESCENT,)), Bound(eta / 2, (RATE, SLOPING))),
        ),
    ),
    assuming=(*STEP_ASSUMED, RATE, SLOPING),
    sizes=SIZES,
    holds=r"$`0 < \eta < 2/\lambda`$",
    law=BATCHES,
)
LEAST = Theorem(
    "best-bound",
    "No rate makes the bound lower than 1/λ does",
    LEMMA,
    (
        Step(
            "≥",
            L(W) - squared(g) / (2 * lam),
            "the difference is a square, which is 0 where ηλ = 1, and only there unless g = 0",
            "signs",
            (),
            (Bound((1 - eta * lam) ** 2 * g[i] ** 2 / (2 * lam), over=(i,)),),
        ),
    ),
    sizes=SIZES,
    holds="every η > 0",
)
FASTEST = DESCENT.at({eta: 1 / lam})
FASTEST_ASSUMED = along(
    -GRADIENT / lam, lambda i: -g[i] / lam, lambda i: G[t, i], r"\mathbf{w} - \frac{t}{\lambda} \mathbf{g}"
)
BEST = Theorem(
    "descent-best",
    "With the rate 1/λ",
    L(W - GRADIENT / lam),
    (
        Step(
            "≤",
            L(W) - squared(g) / (2 * lam),
            r"the lemma with $`\eta = 1/\lambda`$, where $`\eta (1 - \eta \lambda/2)`$ is $`\frac{1}{2 \lambda}`$",
            "signs",
            (),
            (Bound(ONE, (FASTEST,)),),
        ),
    ),
    assuming=FASTEST_ASSUMED,
    sizes=SIZES,
)

# ------------------------------------------------------------------------------------------------------- many steps

k = Letter("k", integer=True, nonnegative=True)
losses, slopes = array("L"), array("g")
c = Letter("c", positive=True)
q, floor = Letter("q", real=True), Letter(r"L^{\ast}", real=True)

EACH = Assumption(
    losses[k + 1],
    "≤",
    losses[k] - c * total(slopes[k, i] ** 2, i),
    r"[[descent-lemma]] at each step, with $`c = \eta (1 - \eta \lambda/2)`$, which is positive for "
    r"$`0 < \eta < 2/\lambda`$",
)
NO_LESS = Assumption(q, "≤", total(slopes[k, i] ** 2, i), "that no squared gradient is below q")
FLOOR = Assumption(floor, "≤", losses[k], r"that no loss is below $`L^{\ast}`$")
FALLEN = Statement(losses[k], "≤", losses[0] - k * c * q)
TELESCOPE = Induction(
    "descent-steps",
    "What k steps lower the loss by",
    FALLEN,
    over=k,
    first=Integer(0),
    following=k + 1,
    base=(Step("=", losses[0], "no step is taken, and 0 · c q is 0", "sums"),),
    step=(
        Step(
            "≤",
            losses[k] - c * total(slopes[k, i] ** 2, i),
            "the descent lemma for step k",
            "signs",
            (),
            (Bound(ONE, (EACH,)),),
        ),
        Step(
            "≤",
            losses[0] - (k + 1) * c * q,
            "what is claimed for k; and q is no more than this squared gradient",
            "signs",
            (),
            (Bound(ONE, (FALLEN,)), Bound(c, (NO_LESS,))),
        ),
    ),
    assuming=(EACH, NO_LESS),
    sizes="any number k of steps, and of parameters",
    law=STEPS,
)
STATIONARY = Theorem(
    "descent-stationary",
    "Some gradient becomes small",
    k * c * q,
    (
        Step("≤", losses[0] - losses[k], "what k steps lower the loss by", "signs", (), (Bound(ONE, (TELESCOPE,)),)),
        Step("≤", losses[0] - floor, "no loss is lower", "signs", (), (Bound(ONE, (FLOOR,)),)),
    ),
    assuming=(EACH, NO_LESS, FLOOR),
    sizes="any number k of steps, and of parameters",
    law=STEPS,
    matrix=r"\min_{l < k} \lVert g^{(l)} \rVert^2 \le \frac{L^{(0)} - L^{\ast}}{k \, \eta (1 - \eta \lambda / 2)}, "
    r"\quad \text{which is} \quad \frac{2 \lambda (L^{(0)} - L^{\ast})}{k} \quad \text{for} \quad "
    r"\eta = \frac{1}{\lambda}",
)

# ---------------------------------------------------------------------------------------------- samples and batches

MEAN = Assumption(
    g[i],
    "=",
    total(h[s, i], s) / N,
    "that the gradient of all samples is the mean of those of the samples",
)
OF_SAMPLE = QUADRATIC.at({D: -eta * SAMPLE[s], d: lambda i: -eta * h[s, i], G: lambda t, i: G[t, s, i]})
OF_SAMPLE_ASSUMED = along(
    -eta * SAMPLE[s], lambda i: -eta * h[s, i], lambda i: G[t, s, i], r"\mathbf{w} - t \eta \mathbf{h}_s"
)
NOISE = total((h[s, i] - g[i]) ** 2, s, i) / N
AVERAGED = total(L(W - eta * SAMPLE[s]), s) / N

EXPECTED = Theorem(
    "descent-expected",
    "A step along the gradient of one sample, in expectation",
    AVERAGED,
    (
        Step(
            "≤",
            (total(L(W) + total(g[i] * (-eta * h[s, i]), i) + lam / 2 * total((-eta * h[s, i]) ** 2, i), s)) / N,
            "the parabola for each sample s; their mean",
            "signs",
            (),
            (Bound(1 / N, (OF_SAMPLE,), over=(s,)),),
        ),
        Step(
            "=",
            L(W) - eta * total(g[i] * (total(h[s, i], s) / N), i) + eta**2 * lam / 2 * total(h[s, i] ** 2, s, i) / N,
            "L(𝐰) does not depend on the sample; the sums are exchanged",
            "sums",
        ),
        Step(
            "=",
            L(W) - eta * squared(g) + eta**2 * lam / 2 * total(h[s, i] ** 2, s, i) / N,
            "the mean of the gradients is g",
            "definition",
            (MEAN,),
        ),
    ),
    assuming=(*OF_SAMPLE_ASSUMED, MEAN),
    sizes="any numbers P of parameters and N of samples",
    holds="every η > 0",
    matrix=r"\mathbb{E}\, L(\mathbf{w} - \eta h_s) \le L(\mathbf{w}) - \eta \lVert g \rVert^2 + "
    r"\frac{\eta^2 \lambda}{2} \, \mathbb{E} \lVert h_s \rVert^2",
)
MOMENT = Theorem(
    "second-moment",
    "The mean square is the square of the mean, and the variance",
    total(h[s, i] ** 2, s, i) / N,
    (
        Step(
            "=",
            squared(g) + NOISE + 2 * total(g[i] * (total(h[s, i], s) / N - g[i]), i),
            r"$`h_{s i} = g_i + (h_{s i} - g_i)`$, squared and summed",
            "sums",
        ),
        Step("=", squared(g) + NOISE, "in the sum with the factor 2, the mean less g is 0", "definition", (MEAN,)),
    ),
    assuming=(MEAN,),
    sizes="any numbers P of parameters and N of samples",
    matrix=r"\mathbb{E} \lVert h_s \rVert^2 = \lVert g \rVert^2 + \mathbb{E} \lVert h_s - g \rVert^2",
)
NOISY = Theorem(
    "descent-with-noise",
    "What the noise of single samples costs",
    AVERAGED,
    (
        Step("≤", EXPECTED.expression, "as above", "signs", (), (Bound(ONE, (EXPECTED,)),)),
        Step(
            "=",
            L(W) - eta * squared(g) + eta**2 * lam / 2 * (squared(g) + NOISE),
            "the mean square",
            "theorem",
            (MOMENT, MEAN),
        ),
        Step("=", LEMMA + eta**2 * lam / 2 * NOISE, "the terms with ‖g‖² together", "sums"),
    ),
    assuming=(*OF_SAMPLE_ASSUMED, MEAN),
    sizes="any numbers P of parameters and N of samples",
    law=("laws/test_descent.py::test_in_expectation_a_step_for_one_sample_costs_what_its_noise_does",),
    holds="every η > 0",
    matrix=r"\mathbb{E}\, L(\mathbf{w} - \eta h_s) \le L(\mathbf{w}) - \eta \left(1 - \frac{\eta \lambda}{2}\right) "
    r"\lVert g \rVert^2 + \frac{\eta^2 \lambda}{2} \, \mathbb{E} \lVert h_s - g \rVert^2",
)
n, B, sigma = Letter("n", positive=True), Letter("B", positive=True), Letter("sigma", positive=True)
VARIANCE = Assumption(NOISE, "≤", sigma**2, r"that the variance of the gradients is at most $`\sigma^2`$")
QUIET = Assumption(
    eta * lam * sigma**2 / 2,
    "<",
    (1 - eta * lam / 2) * squared(g),
    "that the noise costs less than the gradient gains",
)
FALLS = Theorem(
    "descent-in-expectation",
    "Where the noise is small, the loss of all samples falls in expectation",
    AVERAGED,
    (
        Step(
            "≤",
            LEMMA + eta**2 * lam / 2 * sigma**2,
            "what the noise costs",
            "signs",
            (),
            (Bound(ONE, (NOISY,)), Bound(eta**2 * lam / 2, (VARIANCE,))),
        ),
        Step("<", L(W), "η times what is assumed", "signs", (), (Bound(eta, (QUIET,)),)),
    ),
    assuming=(*OF_SAMPLE_ASSUMED, MEAN, VARIANCE, QUIET),
    sizes="any numbers P of parameters and N of samples",
)
FRACTION = sigma**2 / B * (n - B) / (n - 1)
OF_BATCH = NOISY.at({N: M, s: beta, SAMPLE: lambda s: BATCH[s], h: lambda s, i: b[s, i]})
OF_BATCH_ASSUMED = along(
    -eta * BATCH[beta], lambda i: -eta * b[beta, i], lambda i: G[t, beta, i], r"\mathbf{w} - t \eta \mathbf{b}_\beta"
)
MEAN_OF_BATCHES = Assumption(
    g[i],
    "=",
    total(b[beta, i], beta) / M,
    r"that the gradient of all n samples is the mean of those of all $`M = \binom{n}{B}`$ batches of B of them "
    "([[minibatch-unbiased|proved]])",
)
SPREAD = Assumption(
    total((b[beta, i] - g[i]) ** 2, beta, i) / M,
    "≤",
    FRACTION,
    r"that they vary as is [[minibatch-variance|proved]], with the variance $`\sigma^2`$ of single "
    "samples",
)
MINI_BATCH = Theorem(
    "descent-mini-batch",
    "What the noise of mini-batches costs",
    total(L(W - eta * BATCH[beta]), beta) / M,
    (
        Step(
            "≤",
            LEMMA + eta**2 * lam / 2 * total((b[beta, i] - g[i]) ** 2, beta, i) / M,
            "as for single samples, of which nothing was used but that they are drawn evenly, and that their mean is g",
            "signs",
            (),
            (Bound(ONE, (OF_BATCH,)),),
        ),
        Step(
            "≤",
            LEMMA + eta**2 * lam / 2 * FRACTION,
            "how much batches of B vary",
            "signs",
            (),
            (Bound(eta**2 * lam / 2, (SPREAD,)),),
        ),
    ),
    assuming=(*OF_BATCH_ASSUMED, MEAN_OF_BATCHES, SPREAD),
    sizes="any number P of parameters, n ≥ 2 of samples and B of samples in a batch",
)

# ------------------------------------------------------------------------------------------------- linear regression


def _network(given: Mapping[str, BallArray]) -> tuple[Network, BallArray, Any]:
    """A dense layer on the extended samples, whose own bias is 0; the samples; and the targets."""
    samples = given[r"\tilde{x}"]
    return (
        Network(Dense(samples.shape[1], 1), loss=SquaredError()),
        samples,
        BallArray(given["y"].elements.reshape(-1, 1)),
    )


def _without_bias(weights: BallArray) -> BallArray:
    return BallArray(np.append(weights.elements, BallArray.exact(np.zeros(1)).elements))


def _loss(given: Mapping[str, BallArray], moved: Any = 0) -> Any:
    network, samples, targets = _network(given)
    return network.value(_without_bias(given["w"] + moved), samples, targets)


def _slope(given: Mapping[str, BallArray]) -> Any:
    network, samples, targets = _network(given)
    return BallArray(network.differentiate(_without_bias(given["w"]), samples, targets)[2].elements[:-1])


def _stepped(rate: float) -> Any:
    def run(given: Mapping[str, BallArray]) -> Any:
        return GradientDescent().step(None, given["w"], _slope(given), rate)[1]

    return run


def _loss_after(rate: float) -> Any:
    return lambda given: _loss({**given, "w": _stepped(rate)(given)})


ARRAYS = {r"\tilde{x}": (N, P), "w": (P,), "y": (N,)}
RESIDUAL = Definition(
    r[s],
    total(x[s, i] * w[i], i) - y[s],
    "(N,)",
    r"the residuals of linear regression; each sample $`\tilde{x}_s = (x_s, 1)`$ is extended by a 1, whose weight is "
    "the bias",
)
REGRESSION = total((total(x[s, i] * w[i], i) - y[s]) ** 2, s) / (2 * N)
REGRESSION_GRADIENT = Theorem(
    "least-squares-gradient",
    "The gradient of linear regression",
    Derivative(REGRESSION, w[k_]),
    (
        Step(
            "=",
            total((total(x[s, i] * w[i], i) - y[s]) * total(x[s, j] * KroneckerDelta(j, k_), j), s) / N,
            r"the chain rule; $`\partial w_j/\partial w_k`$ is 1 for the very same element, and else 0",
            "derivative",
        ),
        Step(
            "=",
            total((total(x[s, i] * w[i], i) - y[s]) * x[s, k_], s) / N,
            "of the sum over j one term is left",
            "sums",
        ),
    ),
    sizes="any numbers N of samples and P of parameters",
    matrix=r"g = \frac{1}{N} \tilde{X}^{\top} r",
    code=("refnn.network:Network.differentiate",),
    run=Execution(ARRAYS, _slope, axes=(k_,)),
)
EXPANSION = Theorem(
    "least-squares-expansion",
    "The loss of linear regression is a parabola along every step",
    total((total(x[s, i] * (w[i] + d[i]), i) - y[s]) ** 2, s) / (2 * N),
    (
        Step(
            "=",
            total((total(x[s, i] * w[i], i) - y[s] + total(x[s, i] * d[i], i)) ** 2, s) / (2 * N),
            "sums are linear",
            "sums",
        ),
        Step(
            "=",
            REGRESSION
            + total(total((total(x[s, j] * w[j], j) - y[s]) * x[s, i], s) / N * d[i], i)
            + total(total(x[s, i] * d[i], i) ** 2, s) / (2 * N),
            "the square of a sum; in the middle term the sums over i and s are exchanged",
            "sums",
        ),
    ),
    sizes="any numbers N of samples and P of parameters",
    matrix=r"L(\mathbf{w} + \mathbf{d}) = L(\mathbf{w}) + g^{\top} d + \frac12 d^{\top} A d \quad \text{with} \quad "
    r"A = \frac{1}{N} \tilde{X}^{\top} \tilde{X}",
    code=("refnn.network:Network.value",),
    run=Execution({**ARRAYS, "d": (P,)}, lambda given: _loss(given, given["d"])),
)
BENT = total(total(x[s, i] * d[i], i) ** 2, s) / N
CURVATURE = Theorem(
    "least-squares-curvature",
    "No curvature exceeds the mean squared length of the samples",
    BENT,
    (
        Step(
            "≤",
            total(x[s, j] ** 2, s, j) / N * squared(d),
            "the difference is half a sum of squares, by the identity of Lagrange",
            "signs",
            (),
            (Bound((x[s, i] * d[j] - x[s, j] * d[i]) ** 2 / (2 * N), over=(s, i, j)),),
        ),
    ),
    sizes="any numbers N of samples and P of parameters",
    law=STEPS,
    matrix=r"d^{\top} A d \le \operatorname{tr}(A) \, \lVert d \rVert^2",
)
OF_BATCH_GRADIENT = Definition(
    g[i],
    total(r[s] * x[s, i], s) / N,
    "(P,)",
    "the gradient of linear regression, in its residuals",
)
CURVED = Assumption(
    total(total(x[s, i] * g[i], i) ** 2, s) / N,
    "≤",
    lam * squared(g),
    r"that λ is no less than the curvature along g, such as the largest eigenvalue of $`\tilde{X}^{\top} \tilde{X}/N`$",
)
AFTER = total((total(x[s, i] * (w[i] - eta * g[i]), i) - y[s]) ** 2, s) / (2 * N)
REGRESSION_STEP = Theorem(
    "least-squares-step",
    "A step of linear regression, exactly",
    AFTER,
    (
        Step(
            "=",
            total((r[s] - eta * total(x[s, i] * g[i], i)) ** 2, s) / (2 * N),
            "each residual changes by η times the weighted sum of the gradient",
            "definition",
            (RESIDUAL,),
        ),
        Step(
            "=",
            total(r[s] ** 2, s) / (2 * N)
            - eta * total(g[i] * (total(r[s] * x[s, i], s) / N), i)
            + eta**2 / 2 * (total(total(x[s, i] * g[i], i) ** 2, s) / N),
            "the square of a difference; the sums are exchanged",
            "sums",
        ),
        Step(
            "=",
            total(r[s] ** 2, s) / (2 * N)
            - eta * squared(g)
            + eta**2 / 2 * (total(total(x[s, i] * g[i], i) ** 2, s) / N),
            "the mean of the residuals times their samples is the gradient",
            "definition",
            (OF_BATCH_GRADIENT,),
        ),
    ),
    sizes="any numbers N of samples and P of parameters",
    law=STEPS,
    matrix=r"L(\mathbf{w} - \eta g) = L(\mathbf{w}) - \eta \lVert g \rVert^2 + \frac{\eta^2}{2} \, g^{\top} A g",
)
REGRESSION_DESCENT = Theorem(
    "least-squares-descent",
    "The descent lemma for linear regression",
    AFTER,
    (
        Step("=", REGRESSION_STEP.expression, "the step, exactly", "theorem", (REGRESSION_STEP,)),
        Step(
            "≤",
            total(r[s] ** 2, s) / (2 * N) - eta * (1 - eta * lam / 2) * squared(g),
            "the curvature along g is at most λ; where it is λ, both sides are equal",
            "signs",
            (),
            (Bound(eta**2 / 2, (CURVED,)),),
        ),
    ),
    assuming=(CURVED,),
    sizes="any numbers N of samples and P of parameters",
    law=(
        "laws/test_learning_rate.py::test_below_one_over_lambda_every_coordinate_stays_on_its_side_and_the_loss_falls",
    ),
)

# ------------------------------------------------------------------------------------------------------- the example

_G = REGRESSION_GRADIENT.expression
_NORM = total((total((total(x[s, i] * w[i], i) - y[s]) * x[s, k_], s) / N) ** 2, k_)


def _gradient_at(place: Index) -> Expression:
    return total((total(x[s, i] * w[i], i) - y[s]) * x[s, place], s) / N


def _after(rate: Expression) -> Expression:
    """The loss after a step with this rate."""
    moved = total(x[s, j] * (w[j] - rate * _gradient_at(j)), j)
    return total((moved - y[s]) ** 2, s) / (2 * N)


EXAMPLE = Worked(
    "a bowl that is four times as steep one way as the other",
    r"Two samples, $`x = 2`$ and $`x = -2`$, extended by a 1, with the targets 3 and −1. Then "
    r"$`\tilde{X}^{\top} \tilde{X}/2`$ is diagonal with 4 and 1, so that λ = 4; the minimum is at (1, 1), where the "
    r"loss is 0, and $`L = \frac12 \left(4 (w_1 - 1)^2 + (w_2 - 1)^2\right)`$.",
    {N: 2, P: 2},
    {r"\tilde{x}": [["2", "1"], ["-2", "1"]], "y": ["3", "-1"], "w": ["0", "0"]},
    (
        Quantity("r", RESIDUAL.expression, (s,), r"$`2 \cdot 0 + 1 \cdot 0 - 3`$, and likewise"),
        Quantity("L(w)", REGRESSION, (), r"$`\frac{1}{4} (9 + 1)`$", _loss),
        Quantity("g", _G, (k_,), r"$`\frac12 (-3 \cdot 2 + 1 \cdot (-2))`$ and $`\frac12 (-3 + 1)`$", _slope),
        Quantity(r"\lVert g \rVert^2", _NORM, (), r"$`16 + 1`$"),
        Quantity(
            r"w - \frac14 g",
            w[k_] - _G / 4,
            (k_,),
            r"the step with $`\eta = 1/\lambda`$: the steep way arrives at once",
            _stepped(0.25),
        ),
        Quantity(
            r"L(w - \tfrac14 g)",
            _after(Rational(1, 4)),
            (),
            r"$`\frac12 \left(4 \cdot 0^2 + (-\frac34)^2\right)`$",
            _loss_after(0.25),
        ),
        Quantity(
            r"L(w) - \tfrac{1}{2 \lambda} \lVert g \rVert^2",
            REGRESSION - _NORM / 8,
            (),
            r"what [[descent-best]] promises: $`\frac52 - \frac{17}{8}`$; it is a little more than what was reached, "
            "for the flat way bends less than λ",
        ),
        Quantity(
            r"L(w - \tfrac12 g)",
            _after(Rational(1, 2)),
            (),
            r"the step with $`\eta = 2/\lambda`$: $`\frac12 \left(4 \cdot 1^2 + (-\frac12)^2\right)`$; the steep way "
            "lands as high on the other side, and the lemma promises no more than $`L(w)`$",
            _loss_after(0.5),
        ),
        Quantity(
            r"L(w - g)",
            _after(Integer(1)),
            (),
            r"the step with $`\eta = 4/\lambda`$: $`\frac12 \left(4 \cdot 3^2 + 0^2\right)`$, far above $`L(w)`$",
            _loss_after(1.0),
        ),
    ),
)

# ------------------------------------------------------------------------------------------------------- the picture


def _curves() -> tuple[Any, Any, Any]:
    """L(w) = log(1 + exp(w)) + log(1 + exp(−w)) along a step from w = 2, where λ = ½; and the bound of the lemma."""
    rates, start = np.linspace(0, 5, 101), 2.0
    slope = np.tanh(start / 2)
    moved = start - rates * slope
    value = np.log(2 + np.exp(start) + np.exp(-start))
    return rates, np.log(2 + np.exp(moved) + np.exp(-moved)), value - rates * (1 - rates / 4) * slope**2


def _drawn() -> Any:
    from matplotlib.figure import Figure

    from refnn.report.plots import COLOURS, GREY

    rates, values, bound = _curves()
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(rates, values, color="black", label="L(w − ηg)")
    axes.plot(rates, bound, color=COLOURS[1], linestyle="-.", label="L(w) − η(1 − ηλ/2)‖g‖²")
    axes.axhline(values[0], color=GREY, linestyle="--", linewidth=1, label="L(w)")
    axes.set(xlabel="learning rate η", ylabel="loss", xlim=(0, 5))
    axes.set_xticks([0, 2, 4], ["0", "1/λ", "2/λ"])
    axes.legend(loc="upper center", ncols=3)
    axes.set_ylim(float(values.min()) - 0.05, float(values[0]) + 0.5)
    return figure


PICTURE = Picture(
    "descent-lemma",
    "Along a step the loss stays below a parabola: both begin at the same height with the same slope; the parabola is "
    "lowest at η = 1/λ and back at its start at η = 2/λ, where the loss is still lower",
    _drawn,
    lambda: np.concatenate(_curves())[::10].tolist(),
)

PAGE = Page(
    8,
    "descent",
    "The descent lemma",
    "If the gradient changes no faster than λ times the way, a step against it with a learning rate below 2/λ lowers "
    "the loss, and it can be said by how much: for a batch, and in expectation for single samples and mini-batches.",
    ("chain-rule", "steepest-ascent"),
    (
        Symbol("P, N", "", "the numbers of parameters and of samples"),
        Symbol(r"\mathbf{w}, \mathbf{d}, \mathbf{g}", "(P,)", "whole vectors, where they stand inside of L"),
        Symbol("w, d", "(P,)", "the parameters, and a step from there"),
        Symbol("g", "(P,)", r"the gradient of the loss at $`\mathbf{w}`$"),
        Symbol("G^{(t)}", "(P,)", r"the gradient at $`\mathbf{w} + t \mathbf{d}`$"),
        Symbol(r"\lambda", "", "how fast the gradient may change: its Lipschitz constant"),
        Symbol(r"\eta", "", "the learning rate, which is positive"),
        Symbol(r"\lVert g \rVert^2", "", r"$`\sum_i g_i^2`$"),
        Symbol("h", "(N, P)", "the gradient of the loss of each sample"),
        Symbol(r"\sigma^2", "", r"a bound for their variance, the mean of $`\lVert h_s - g \rVert^2`$"),
        Symbol(r"\mathbf{h}_s, \mathbf{b}_{\beta}", "(P,)", "that of sample s, and of batch β, inside of L"),
        Symbol("b", "(M, P)", "the gradients of all M batches of B of n samples, where batches are drawn"),
        Symbol("L^{(k)}, g^{(k)}", "", "the loss before step k, and its gradient"),
        Symbol("c, q", "", r"$`\eta (1 - \eta \lambda/2)`$, and a number that no $`\lVert g^{(k)} \rVert^2`$ is below"),
        Symbol(r"L^{\ast}", "", "a number that no loss is below"),
        Symbol(
            r"\tilde{x}, y", "(N, P), (N,)", "the samples of a linear regression with a 1 at the end; their targets"
        ),
        Symbol("r, A", "(N,), (P, P)", "its residuals, and its second derivatives"),
    ),
    (
        Prose(
            "The gradient says how the loss changes for a step that is infinitely small. For a real step, it must not "
            "change too fast on the way. A loss is called **λ-smooth** if between any two points its gradient changes "
            'by no more than λ times their distance (Nesterov, "Lectures on Convex Optimization", 2nd ed. 2018, '
            "section 1.2.2). Then its gradient is continuous. Of the rest it is enough here that it holds between the "
            "start of "
            "a step and the points on it:"
        ),
        Display(
            r"\lVert \nabla L(\mathbf{w} + t \mathbf{d}) - \nabla L(\mathbf{w}) \rVert \le "
            r"\lambda \, \lVert t \mathbf{d} \rVert \quad \text{for} \quad 0 \le t \le 1"
        ),
        Prose("In the theorems, both sides stand squared, so that no root is needed."),
        Prose(
            r"Along the step, the loss is a function of one number, $`\varphi(t) = L(\mathbf{w} + t \mathbf{d})`$. Its "
            "slope can be bounded by the [[cauchy-schwarz|inequality of Cauchy and Schwarz]]. The proof below "
            r"does it at once: for numbers $`a = G_i^{(t)} - g_i`$ and $`d = d_i`$ it uses that "
            r"$`(a - \lambda t d)^2 \ge 0`$."
        ),
        SLOPE,
        Prose(
            "What holds for the slope holds for the loss, which is the integral of its slope. This is lemma 1.2.3 of "
            "Nesterov."
        ),
        QUADRATIC,
        Prose(
            "A loss whose gradient is λ-Lipschitz thus lies below a parabola that touches it where the step begins. "
            "Now the step goes against the gradient."
        ),
        NEXT,
        Code("refnn.rules:GradientDescent.step"),
        DESCENT,
        DECREASES,
        Prose(
            "How large should the rate be? The bound is a parabola in η. It is lowest in the middle between 0 and "
            r"$`2/\lambda`$, where the loss comes down by $`\lVert g \rVert^2/(2 \lambda)`$ at least."
        ),
        LEAST,
        BEST,
        PICTURE,
        Prose(
            "The picture shows a loss of one parameter, $`L(w) = \\log(1 + e^{w}) + \\log(1 + e^{-w})`$, from w = 2 "
            "on. Its gradient tanh(w/2) changes by no more than λ = ½ times the way."
        ),
        Prose(
            "### Many steps\n\nIf every step lowers the loss by so much, and the loss cannot fall without end, the "
            "gradients cannot stay large. The claim below is for any number q that none of the squared gradients met "
            "so far falls below; the smallest of them is one. It does not say that a minimum is reached: where the "
            "gradient is zero, there may be a saddle, too."
        ),
        TELESCOPE,
        STATIONARY,
        Prose(
            "### Single samples and mini-batches\n\nAll of the above is about one loss and its own gradient. For "
            "gradient descent in batches, this is the loss of all samples; for single samples and mini-batches the "
            "lemma holds just as well for the loss of the samples in the step, of which it says that it falls. Yet "
            "what is wanted is that the loss L of *all* samples falls, and the step follows another gradient. That "
            "this happens in expectation is the best that can be said: the mean over all samples that may be drawn, "
            'each as likely as any other (Bottou, Curtis, Nocedal, "Optimization Methods for Large-Scale Machine '
            'Learning", SIAM Review 60 (2018), lemma 4.2).'
        ),
        EXPECTED,
        MOMENT,
        NOISY,
        FALLS,
        Prose(
            "So the noise matters half as much if η is half as large, beside what is gained: one is proportional to "
            "η², the other to η. And the closer to the minimum, the smaller g: with a constant rate there is a "
            "neighbourhood where nothing more is gained ([[learning-rate]])."
        ),
        MINI_BATCH,
        Prose(
            "### Where λ is known\n\nFor linear regression the loss is a parabola itself, and all can be computed. Its "
            r"gradient changes by $`A d`$ along d, with $`A = \tilde{X}^{\top} \tilde{X}/N`$; so the least λ is the "
            "largest eigenvalue of A. Who does not want to compute it takes the mean squared length of the samples, "
            "which is the sum of all eigenvalues."
        ),
        RESIDUAL,
        REGRESSION_GRADIENT,
        EXPANSION,
        CURVATURE,
        OF_BATCH_GRADIENT,
        REGRESSION_STEP,
        REGRESSION_DESCENT,
        Prose(
            "If a loss bends at most κ times as much in its prediction as ½(z − y)² does, then κ times that λ will do: "
            "for logistic regression κ = ¼, and for Huber's loss κ = 1 ([[losses]]). With a hidden layer there is no λ "
            "for all w, since the curvature grows with the weights; and where a ReLU has its kink, the gradient jumps. "
            "Then λ can only be known along a given step, or the step be proven without it ([[certificates]])."
        ),
        EXAMPLE,
        Fails(
            "η > 2/λ",
            r"The example above, begun where only the steep way is off: the gradient is an axis of the largest "
            r"curvature λ = 4, and the lemma holds with equality. At $`\eta = 2/\lambda = \frac12`$ the loss stays as "
            "it is, and above that it rises.",
            """
from fractions import Fraction
import refnn

network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
w, x, y = [0.0, 1.0], [[2.0], [-2.0]], [3.0, -1.0]
loss, g = network.loss_and_gradient(w, x, y)
print("before:", Fraction(loss), "gradient:", *map(Fraction, g))
for eta in (1/4, 1/2, 5/8, 1):
    after = Fraction(network.loss(w - eta * g, x, y))
    promised = Fraction(loss) - Fraction(eta) * (1 - Fraction(eta) * 4 / 2) * Fraction(g @ g)
    print("rate", Fraction(eta), "after:", after, "promised:", promised)
""",
        ),
        Fails(
            "a step for one sample may raise the loss of all",
            "Two samples that disagree, and a bias alone (x = 0). The gradient of the batch is 1, and those of its "
            "samples are −1 and 3, with the variance 4; here λ = 1. A step for the first sample lowers its own loss, "
            r"and raises that of both. In the mean over both samples it still rises for $`\eta = \frac12`$, for "
            r"$`\eta (1 - \eta/2) \cdot 1 = \frac38`$ is less than $`\frac{\eta^2}{2} \cdot 4 = \frac12`$; for "
            r"$`\eta = \frac14`$ it falls.",
            """
from fractions import Fraction
import refnn

network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
w, x, y = [0.0, 0.0], [[0.0], [0.0]], [1.0, -3.0]
print("before:", Fraction(network.loss(w, x, y)))
for eta in (1/2, 1/4):
    losses = []
    for s in range(2):
        _, h = network.loss_and_gradient(w, x[s:s+1], y[s:s+1])
        losses.append(Fraction(network.loss(w - eta * h, x, y)))
    print("rate", Fraction(eta), "after one of the samples:", *losses, "in the mean:", sum(losses) / 2)
""",
        ),
    ),
    ("batches", "learning-rate", "certificates"),
)
