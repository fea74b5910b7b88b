"""The learning rate: on a quadratic when steps converge, how fast, and the best rate; beyond; and with noise."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from sympy import Derivative, Expr, Integer, KroneckerDelta, Limit, Rational
from sympy import Symbol as Letter

from proofs.execution import Execution
from proofs.execution import positive as positive_numbers
from proofs.kernel import Assumption, Bound, Definition, Induction, Statement, Step, Theorem
from proofs.page import Code, Fails, Page, Picture, Prose, Quantity, Symbol, Table, Worked
from proofs.sums import Index, array, size, total
from refnn.arithmetic.ball import BallArray
from refnn.arrays import join
from refnn.layers import Dense
from refnn.losses import SquaredError
from refnn.network import Network
from refnn.rules import GradientDescent

__all__ = ["PAGE"]

N, P, M = size("N"), size("P"), size("M")
s, p = Index("s", N), Index("p", M)
i, j, k, l = (Index(name, P) for name in "ijkl")
X = array(r"\tilde{x}")
w, y, v, c, g, d, e, a, xi = map(array, ("w", "y", "v", "c", "g", "d", "e", "a", "xi"))
r, A, best = array("r"), array("A"), array("w^{*}")
L, E, F = array("L"), array("E", nonnegative=True), array("F", nonnegative=True)
lambdas = array("lambda", positive=True)
t = Letter("t", integer=True, nonnegative=True)
eta, u, q, nu, sigma = (Letter(name, real=True) for name in ("eta", "u", "q", "nu", "sigma"))
lam, mu, kappa = (Letter(name, positive=True) for name in ("lambda", "mu", "kappa"))
lowest = Letter(r"L^{*}", real=True)
ZERO, ONE = Integer(0), Integer(1)

LAWS = "laws/test_learning_rate.py::test_"
STEP = "refnn.rules:GradientDescent.step"
GRADIENT = "refnn.network:Network.loss_and_gradient"


def _number(value: BallArray) -> float:
    """A number that is a float exactly."""
    return float(value.midpoint)


# ----------------------------------------------------------------------------------- linear regression is a quadratic


def _ones(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Rows (x, 1), as the bias asks."""
    rows = rng.integers(-12, 13, shape) / 4
    rows[:, -1] = 1
    return rows


def _regression(rows: BallArray, w_: BallArray, y_: BallArray) -> tuple[Network, BallArray, BallArray, Any]:
    """Refnn's linear regression on rows (0, x, 1): an input that is always 0 lets x be empty."""
    samples, parameters = rows.shape
    x = BallArray.exact(np.column_stack([np.zeros(samples), rows.midpoint[:, :-1]]))
    network = Network(Dense(parameters, 1), loss=SquaredError())
    return network, join(BallArray.exact(np.zeros(1)), w_), x, y_.midpoint


def _at(which: Any, of: BallArray) -> BallArray:
    return BallArray(of.elements[which])


def _slope(given: Mapping[str, BallArray]) -> Any:
    network, w_, x, y_ = _regression(given[r"\tilde{x}"], given["w"], given["y"])
    return _at(slice(1, None), network.loss_and_gradient(w_, x, y_)[1])


def _error_after(given: Mapping[str, BallArray]) -> Any:
    """Of targets y = X̃w*, whose best parameters are w*."""
    rows, goal = given[r"\tilde{x}"], given["w^{*}"]
    network, w_, x, y_ = _regression(rows, given["w"], rows @ goal)
    _, gradient = network.loss_and_gradient(w_, x, y_)
    _, after = GradientDescent().step(None, w_, gradient, _number(given["eta"]))
    return _at(slice(1, None), after) - goal


REGRESSION: dict[str, Any] = {r"\tilde{x}": (N, P), "w": (P,)}
SAMPLES = "all numbers N of samples and P of parameters"
SIZES = "all numbers P of parameters"

RESIDUAL = Definition(
    r[s],
    total(X[s, i] * best[i], i) - y[s],
    "(N,)",
    r"the residuals of the best parameters $`w^{*}`$",
)
HESSIAN = Definition(
    A[i, k],
    total(X[s, i] * X[s, k], s) / N,
    "(P, P)",
    "the second derivatives of the loss of linear regression, the same everywhere",
    source='Boyd, Vandenberghe, "Convex Optimization" (2004), section 9.1.1, for the sum of squares',
)
NORMAL = Assumption(total(X[s, k] * r[s], s), "=", ZERO, "that the gradient is 0 at the best parameters")
WEIGHTED, GOAL = total(X[s, i] * w[i], i), total(X[s, i] * best[i], i)
LOSS = total((WEIGHTED - y[s]) ** 2, s) / (2 * N)

REGRESSION_GRADIENT = Theorem(
    "regression-gradient",
    "The gradient of linear regression",
    Derivative(LOSS, w[k]),
    (
        Step(
            "=",
            total((WEIGHTED - y[s]) * total(X[s, i] * KroneckerDelta(i, k), i), s) / N,
            "term by term, by the chain rule for a square",
            "derivative",
        ),
        Step("=", total(X[s, k] * (WEIGHTED - y[s]), s) / N, "of the inner sum one term is left", "sums"),
    ),
    sizes=SAMPLES,
    matrix=r"\nabla L(w) = \frac{1}{N} \tilde{x}^{\top} (\tilde{x} w - y)",
    code=(GRADIENT,),
    run=Execution({**REGRESSION, "y": (N,)}, _slope, axes=(k,), draw={r"\tilde{x}": _ones}),
)
REGRESSION_CURVATURE = Theorem(
    "regression-curvature",
    "Its second derivatives do not depend on the parameters",
    Derivative(total(X[s, k] * (WEIGHTED - y[s]), s) / N, w[l]),
    (
        Step(
            "=",
            total(X[s, k] * X[s, i] * KroneckerDelta(i, l), s, i) / N,
            "the derivative of the gradient, term by term",
            "derivative",
        ),
        Step("=", total(X[s, k] * X[s, l], s) / N, "of the sum over i one term is left", "sums"),
        Step("=", A[k, l], "the name for it", "definition", (HESSIAN,)),
    ),
    sizes=SAMPLES,
    matrix=r"\nabla^{2} L(w) = A = \frac{1}{N} \tilde{x}^{\top} \tilde{x}",
)
SHIFTED = total(X[s, i] * (w[i] - best[i]), i)
REGRESSION_QUADRATIC = Theorem(
    "regression-quadratic",
    "Linear regression is a quadratic around its minimum",
    LOSS,
    (
        Step(
            "=",
            total((r[s] + SHIFTED) ** 2, s) / (2 * N),
            r"$`w = w^{*} + (w - w^{*})`$ in each residual",
            "definition",
            (RESIDUAL,),
        ),
        Step(
            "=",
            total(r[s] ** 2, s) / (2 * N)
            + total((w[i] - best[i]) * total(X[s, i] * r[s], s), i) / N
            + total(SHIFTED**2, s) / (2 * N),
            "the square multiplied out, and sums exchanged",
            "sums",
        ),
        Step(
            "=",
            total(r[s] ** 2, s) / (2 * N) + total(SHIFTED**2, s) / (2 * N),
            "the gradient at the best parameters is 0",
            "definition",
            (NORMAL,),
        ),
        Step(
            "=",
            total(r[s] ** 2, s) / (2 * N) + total(A[i, k] * (w[i] - best[i]) * (w[k] - best[k]), i, k) / 2,
            "the second square multiplied out: products of two inputs, summed over the samples",
            "definition",
            (HESSIAN,),
        ),
    ),
    assuming=(NORMAL,),
    sizes=SAMPLES,
    matrix=r"L(w) = L(w^{*}) + \tfrac12\, (w - w^{*})^{\top} A\, (w - w^{*})",
)
REGRESSION_STEP = Theorem(
    "regression-step",
    "What one step does to the error",
    w[k] - eta * total(X[s, k] * (WEIGHTED - y[s]), s) / N - best[k],
    (
        Step(
            "=",
            w[k] - best[k] - eta / N * (total(X[s, k] * SHIFTED, s) + total(X[s, k] * r[s], s)),
            r"the residual is that of $`w^{*}`$, and what $`w - w^{*}`$ adds",
            "definition",
            (RESIDUAL,),
        ),
        Step(
            "=",
            w[k] - best[k] - eta / N * total(X[s, k] * SHIFTED, s),
            "the gradient at the best parameters is 0",
            "definition",
            (NORMAL,),
        ),
        Step(
            "=",
            w[k] - best[k] - eta / N * total(X[s, k] * X[s, i] * (w[i] - best[i]), s, i),
            "one sum over both indices",
            "sums",
        ),
    ),
    assuming=(NORMAL,),
    sizes=SAMPLES,
    matrix=r"e' = (I - \eta A)\, e, \qquad e = w - w^{*}",
    code=(STEP, GRADIENT),
    run=Execution({**REGRESSION, "w^{*}": (P,), "eta": ()}, _error_after, axes=(k,), draw={r"\tilde{x}": _ones}),
    law=(
        "laws/test_learning_rate.py::test_below_one_over_lambda_every_coordinate_stays_on_its_side_and_the_loss_falls",
    ),
)

EIGEN = Assumption(
    total(A[i, k] * v[k, j], k),
    "=",
    lambdas[j] * v[i, j],
    r"that the columns of v are eigenvectors of A, with eigenvalues $`\lambda_{j}`$",
)
ORTHONORMAL = Assumption(
    total(v[i, j] * v[i, l], i), "=", KroneckerDelta(j, l), "that they have length 1 and are at right angles"
)
EIGENBASIS = Theorem(
    "eigenbasis",
    "In the eigenbasis the curvatures stand apart",
    total(A[i, k] * total(c[j] * v[i, j], j) * total(c[l] * v[k, l], l), i, k),
    (
        Step(
            "=",
            total(c[j] * c[l] * total(v[i, j] * total(A[i, k] * v[k, l], k), i), j, l),
            "sums exchanged",
            "sums",
        ),
        Step(
            "=",
            total(c[j] * c[l] * lambdas[l] * total(v[i, j] * v[i, l], i), j, l),
            "each column is an eigenvector",
            "definition",
            (EIGEN,),
        ),
        Step(
            "=",
            total(c[j] * c[l] * lambdas[l] * KroneckerDelta(j, l), j, l),
            "the columns are orthonormal",
            "definition",
            (ORTHONORMAL,),
        ),
        Step("=", total(lambdas[j] * c[j] ** 2, j), "of two sums one is left", "sums"),
    ),
    assuming=(EIGEN, ORTHONORMAL),
    sizes=SIZES,
    matrix=r"e^{\top} A\, e = \sum_{j} \lambda_{j} c_{j}^{2}, \qquad e = v c",
)

EIGEN_STEP = Theorem(
    "eigenbasis-step",
    "Along an eigenvector a step has one factor",
    total(v[i, j] * (e[i] - eta * total(A[i, k] * e[k], k)), i),
    (
        Step(
            "=",
            total(v[i, j] * e[i], i) - eta * total(e[k] * total(A[i, k] * v[i, j], i), k),
            "sums exchanged",
            "sums",
        ),
        Step(
            "=",
            total(v[i, j] * e[i], i) - eta * total(e[k] * total(A[k, i] * v[i, j], i), k),
            "A is symmetric, by its definition",
            "definition",
            (HESSIAN,),
        ),
        Step(
            "=",
            total(v[i, j] * e[i], i) - eta * total(e[k] * lambdas[j] * v[k, j], k),
            "the column is an eigenvector",
            "definition",
            (EIGEN,),
        ),
        Step("=", (1 - eta * lambdas[j]) * total(v[i, j] * e[i], i), "both sums are the coordinate", "sums"),
    ),
    assuming=(EIGEN,),
    sizes=SIZES + ", and every η",
    matrix=r"v^{\top} (I - \eta A)\, e = (I - \eta \Lambda)\, v^{\top} e",
    law=(
        "laws/test_learning_rate.py::test_below_one_over_lambda_every_coordinate_stays_on_its_side_and_the_loss_falls",
    ),
)

# ------------------------------------------------------------------------------------------------------- on a quadratic

QUADRATIC = lowest + total(lambdas[i] * e[i] ** 2, i) / 2

QUADRATIC_STEP = Theorem(
    "quadratic-step",
    "A step multiplies each coordinate by its own factor",
    e[k] - eta * Derivative(QUADRATIC, e[k]),
    (
        Step(
            "=",
            e[k] - eta * total(lambdas[i] * e[i] * KroneckerDelta(i, k), i),
            "term by term",
            "derivative",
        ),
        Step("=", (1 - eta * lambdas[k]) * e[k], "of the sum one term is left", "sums"),
    ),
    sizes=SIZES + ", and every η",
    matrix=r"e' = (I - \eta \Lambda)\, e",
    law=(
        "laws/test_learning_rate.py::test_below_one_over_lambda_every_coordinate_stays_on_its_side_and_the_loss_falls",
    ),
)
BEGIN = Definition(e[0, i], a[i], "(P,)", "the coordinates of the error before the first step")
GO_ON = Definition(
    e[t + 1, i],
    (1 - eta * lambdas[i]) * e[t, i],
    "(P,)",
    "and after one step more, by [[quadratic-step]]",
)
STEPS_CLAIM = Statement(e[t, i], "=", (1 - eta * lambdas[i]) ** t * a[i])


def _descended(given: Mapping[str, BallArray]) -> BallArray:
    """As many steps of refnn's rule as asked for, with the gradient of the quadratic."""
    at, curvatures = given["a"], given["lambda"]
    for _ in range(given["steps"].shape[0]):
        _, at = GradientDescent().step(None, at, curvatures * at, _number(given["eta"]))
    return at


QUADRATIC_ARRAYS: dict[str, Any] = {"a": (P,), "lambda": (P,), "eta": (), "steps": (t,)}
QUADRATIC_STEPS = Induction(
    "quadratic-steps",
    "After t steps",
    STEPS_CLAIM,
    over=t,
    first=ZERO,
    following=t + 1,
    base=(Step("=", a[i], "before the first step", "definition", (BEGIN,)),),
    step=(
        Step("=", (1 - eta * lambdas[i]) * e[t, i], "one step more", "definition", (GO_ON,)),
        Step(
            "=",
            (1 - eta * lambdas[i]) * (1 - eta * lambdas[i]) ** t * a[i],
            "what is claimed for t",
            "definition",
            (STEPS_CLAIM,),
        ),
        Step("=", (1 - eta * lambdas[i]) ** (t + 1) * a[i], "one power of the factor more", "sums"),
    ),
    sizes=SIZES + ", every η, and all numbers t of steps",
    matrix=r"e^{(t)} = (I - \eta \Lambda)^{t}\, e^{(0)}",
    code=(STEP,),
    law=(LAWS + "below_one_over_lambda_every_coordinate_stays_on_its_side_and_the_loss_falls",),
    run=Execution(QUADRATIC_ARRAYS, _descended, axes=(i,), draw={"lambda": positive_numbers}),
)
QUADRATIC_LOSS = Theorem(
    "quadratic-loss",
    "The loss after t steps",
    lowest + total(lambdas[i] * e[t, i] ** 2, i) / 2,
    (
        Step(
            "=",
            lowest + total(lambdas[i] * (1 - eta * lambdas[i]) ** (2 * t) * a[i] ** 2, i) / 2,
            "each coordinate after t steps, squared",
            "theorem",
            (QUADRATIC_STEPS,),
        ),
    ),
    sizes=SIZES + ", every η, and all numbers t of steps",
)

# ---------------------------------------------------------------------------------------------- when it converges

RISES = Assumption(eta, ">", ZERO, "a positive rate")
BELOW_ONE = Assumption(eta, "<", 1 / lam, "a low rate")
ABOVE_ONE = Assumption(eta, ">", 1 / lam, "a rate beyond the best for this coordinate")
BELOW_TWO = Assumption(eta, "<", 2 / lam, "a rate below the threshold")
AT_TWO = Assumption(eta, "=", 2 / lam, "a rate at the threshold")
ABOVE_TWO = Assumption(eta, ">", 2 / lam, "a rate above the threshold")
NO_RATE = Assumption(eta, "≤", ZERO, "no positive rate")
FACTOR = 1 - eta * lam
EVERY = "every curvature λ > 0"

CONVERGES_BY = Theorem(
    "factor-identity",
    "How far the square of the factor is from 1",
    1 - FACTOR**2,
    (Step("=", eta * lam * (2 - eta * lam), "a difference of two squares", "sums"),),
    sizes=EVERY + ", and every η",
)
NO_OVERSHOOT = Theorem(
    "no-overshoot",
    "Below 1/λ a step stays on its side of the minimum",
    FACTOR,
    (Step(">", ZERO, "it is λ times (1/λ − η)", "signs", bounds=(Bound(lam, (BELOW_ONE,)),)),),
    assuming=(BELOW_ONE,),
    sizes=EVERY,
    law=(LAWS + "below_one_over_lambda_every_coordinate_stays_on_its_side_and_the_loss_falls",),
)
OVERSHOOT = Theorem(
    "overshoot",
    "Above 1/λ every step overshoots the minimum",
    FACTOR,
    (Step("<", ZERO, "it is −λ times (η − 1/λ)", "signs", bounds=(Bound(lam, (ABOVE_ONE,)),)),),
    assuming=(ABOVE_ONE,),
    sizes=EVERY,
    law=(LAWS + "between_one_and_two_over_lambda_the_top_coordinate_overshoots_every_time_and_converges",),
)
CONVERGES = Theorem(
    "quadratic-converges",
    "Between 0 and 2/λ every step comes nearer",
    FACTOR**2,
    (
        Step(
            "<",
            ONE,
            r"$`1 - (1 - \eta\lambda)^{2} = \eta\lambda\,(2 - \eta\lambda)`$, a product of two positive numbers",
            "signs",
            bounds=(Bound(lam**2, (RISES, BELOW_TWO)),),
        ),
    ),
    assuming=(RISES, BELOW_TWO),
    sizes=EVERY,
    law=(LAWS + "between_one_and_two_over_lambda_the_top_coordinate_overshoots_every_time_and_converges",),
)
OSCILLATES = Theorem(
    "quadratic-oscillates",
    "At 2/λ it goes to and fro for ever",
    FACTOR**t,
    (Step("=", (-ONE) ** t, "with this rate the factor is 1 − 2", "definition", (AT_TWO,)),),
    assuming=(AT_TWO,),
    sizes=EVERY + ", and all numbers t of steps",
)
GROWS = Theorem(
    "quadratic-grows",
    "Above 2/λ every step leads away",
    FACTOR**2,
    (
        Step(
            ">",
            ONE,
            r"$`(1 - \eta\lambda)^{2} - 1 = \lambda^{2} h^{2} + 2\lambda h`$ with $`h = \eta - 2/\lambda`$",
            "signs",
            bounds=(Bound(lam**2, (ABOVE_TWO, ABOVE_TWO)), Bound(2 * lam, (ABOVE_TWO,))),
        ),
    ),
    assuming=(ABOVE_TWO,),
    sizes=EVERY,
    law=(LAWS + "above_two_over_lambda_it_grows",),
)
STANDS = Theorem(
    "no-rate-no-descent",
    "Without a positive rate nothing comes nearer",
    FACTOR**2,
    (
        Step(
            "≥",
            ONE,
            r"$`(1 - \eta\lambda)^{2} - 1 = \lambda^{2} \eta^{2} - 2\lambda\eta`$, and $`-\eta \ge 0`$",
            "signs",
            bounds=(Bound(lam**2 * eta**2), Bound(2 * lam, (NO_RATE,))),
        ),
    ),
    assuming=(NO_RATE,),
    sizes=EVERY,
)

# -------------------------------------------------------------------------------------------------------- how fast

NOT_NEGATIVE = Assumption(u, "≥", ZERO, "u is not negative")
BERNOULLI_CLAIM = Statement(u**t, "≥", 1 + t * (u - 1))
BERNOULLI = Induction(
    "bernoulli",
    "A power is at least its tangent: Bernoulli's inequality",
    BERNOULLI_CLAIM,
    over=t,
    first=ZERO,
    following=t + 1,
    base=(Step("=", ONE, "both are 1", "sums"),),
    step=(
        Step(
            "≥",
            u * (1 + t * (u - 1)),
            "u times what is claimed for t",
            "signs",
            bounds=(Bound(ONE, (NOT_NEGATIVE, BERNOULLI_CLAIM)),),
        ),
        Step(
            "≥",
            1 + (t + 1) * (u - 1),
            r"what is left is $`t (u - 1)^{2}`$",
            "signs",
            bounds=(Bound(t * (u - 1) ** 2),),
        ),
    ),
    assuming=(NOT_NEGATIVE,),
    sizes="all whole numbers t ≥ 0",
)
POWER_CLAIM = Statement(u**t, "≥", ZERO)
POWERS = Induction(
    "powers-not-negative",
    "Powers are not negative",
    POWER_CLAIM,
    over=t,
    first=ZERO,
    following=t + 1,
    base=(Step("≥", ZERO, "the empty product is 1", "signs"),),
    step=(
        Step("≥", ZERO, "u times what is claimed for t", "signs", bounds=(Bound(ONE, (NOT_NEGATIVE, POWER_CLAIM)),)),
    ),
    assuming=(NOT_NEGATIVE,),
    sizes="all whole numbers t ≥ 0",
)
ABOVE_CLAIM = Statement(u**t * (1 + t * (1 - u)), "≤", ONE)
BERNOULLI_ABOVE = Induction(
    "bernoulli-above",
    "And a bound from above",
    ABOVE_CLAIM,
    over=t,
    first=ZERO,
    following=t + 1,
    base=(Step("=", ONE, "both are 1", "sums"),),
    step=(
        Step(
            "≤",
            u**t * (1 + t * (1 - u)),
            r"$`1 + t\,(1 - u) - u\,(1 + (t + 1)(1 - u)) = (t + 1)(1 - u)^{2}`$, and powers are not negative",
            "signs",
            bounds=(Bound((t + 1) * (1 - u) ** 2, (POWERS,)),),
        ),
        Step("≤", ONE, "what is claimed for t", "signs", bounds=(Bound(ONE, (ABOVE_CLAIM,)),)),
    ),
    assuming=(NOT_NEGATIVE,),
    sizes="all whole numbers t ≥ 0",
)
SQUARE = Theorem(
    "factor-squared",
    "A square is not negative",
    FACTOR**2,
    (Step("≥", ZERO, "it is a square", "signs", bounds=(Bound(FACTOR**2),)),),
    sizes=EVERY + ", and every η",
)
DIVERGES = Theorem(
    "quadratic-diverges",
    "Above 2/λ the error grows beyond all bounds",
    FACTOR ** (2 * t),
    (
        Step(
            "≥",
            1 + t * (FACTOR**2 - 1),
            r"with $`u = (1 - \eta\lambda)^{2}`$, which is not negative",
            "signs",
            bounds=(Bound(ONE, (BERNOULLI.at({u: FACTOR**2}),)),),
        ),
        Step("=", 1 + t * eta * lam * (eta * lam - 2), "[[factor-identity]]", "sums"),
    ),
    sizes=EVERY + ", every η, and all numbers t of steps",
    law=(LAWS + "above_two_over_lambda_it_grows",),
)
VANISHES = Theorem(
    "quadratic-vanishes",
    "Between 0 and 2/λ the error goes to 0",
    FACTOR ** (2 * t) * (1 + t * eta * lam * (2 - eta * lam)),
    (
        Step(
            "≤",
            ONE,
            r"with $`u = (1 - \eta\lambda)^{2}`$, which is not negative, and $`1 - u`$ by [[factor-identity]]",
            "signs",
            bounds=(Bound(ONE, (BERNOULLI_ABOVE.at({u: FACTOR**2}),)),),
        ),
    ),
    sizes=EVERY + ", every η, and all numbers t of steps",
)
STAYS = Assumption(FACTOR, "≥", ZERO, "a rate of at most 1/λ")
SLOW = Theorem(
    "small-rates-are-slow",
    "A small rate needs many steps",
    FACTOR**t,
    (
        Step(
            "≥",
            1 - t * eta * lam,
            r"with $`u = 1 - \eta\lambda`$",
            "signs",
            bounds=(Bound(ONE, (BERNOULLI.at({u: FACTOR}),)),),
        ),
    ),
    assuming=(STAYS,),
    sizes=EVERY + ", and all numbers t of steps",
    law=(LAWS + "the_number_of_steps_grows_like_one_over_eta",),
)

FAST = Theorem(
    "small-rates-arrive",
    "But no more than in proportion to 1/η",
    FACTOR**t * (1 + t * eta * lam),
    (
        Step(
            "≤",
            ONE,
            r"with $`u = 1 - \eta\lambda`$",
            "signs",
            bounds=(Bound(ONE, (BERNOULLI_ABOVE.at({u: FACTOR}),)),),
        ),
    ),
    assuming=(STAYS,),
    sizes=EVERY + ", and all numbers t of steps",
    law=(LAWS + "the_number_of_steps_grows_like_one_over_eta",),
)

# ------------------------------------------------------------------------------------------------------ the best rate

WITHIN_LOW = Assumption(q, "≥", 1 - eta * mu, "the factor of the least curvature is at most q")
WITHIN_HIGH = Assumption(q, "≥", eta * lam - 1, "that of the largest is at least −q")
RATIO = (lam - mu) / (lam + mu)
ABOVE_LEAST = Assumption(nu, "≥", mu, "a curvature ν between the least")
BELOW_LARGEST = Assumption(nu, "≤", lam, "and the largest")
CURVATURES = "all curvatures λ, μ > 0"
BEST_LAW = LAWS + "the_best_rate_is_two_over_the_sum_of_the_extreme_curvatures"

NO_BETTER = Theorem(
    "no-better-rate",
    "No rate shrinks both ends by more than this",
    q,
    (
        Step(
            "≥",
            RATIO,
            r"η falls out of $`\lambda (1 - \eta\mu) + \mu (\eta\lambda - 1) = \lambda - \mu`$",
            "signs",
            bounds=(Bound(lam / (lam + mu), (WITHIN_LOW,)), Bound(mu / (lam + mu), (WITHIN_HIGH,))),
        ),
    ),
    assuming=(WITHIN_LOW, WITHIN_HIGH),
    sizes=CURVATURES + ", and every η",
    law=(BEST_LAW,),
)
BEST = Theorem(
    "best-rate",
    "The best rate reaches it, for all curvatures in between",
    (1 - 2 / (lam + mu) * nu) ** 2,
    (
        Step(
            "≤",
            RATIO**2,
            r"the difference is $`\eta^{2} (\nu - \mu)(\lambda - \nu)`$ with $`\eta = 2/(\lambda + \mu)`$",
            "signs",
            bounds=(Bound(4 / (lam + mu) ** 2, (ABOVE_LEAST, BELOW_LARGEST)),),
        ),
    ),
    assuming=(ABOVE_LEAST, BELOW_LARGEST),
    sizes=CURVATURES,
    matrix=r"\eta^{*} = \frac{2}{\mu + \lambda}",
    law=(BEST_LAW,),
)
WIDE = Assumption(kappa, "≥", ONE, r"the condition number $`\kappa = \lambda/\mu`$ is 1 at least")
CONDITION = Theorem(
    "condition-number",
    "The factor at the best rate depends on the condition number alone",
    (kappa * mu - mu) / (kappa * mu + mu),
    (Step("=", 1 - 2 / (kappa + 1), "divided by μ", "fractions"),),
    sizes="all μ > 0 and κ > 0",
)
CONDITION_SIGN = Theorem(
    "condition-number-sign",
    "This factor is not negative",
    (kappa - 1) / (kappa + 1),
    (Step("≥", ZERO, "neither is κ − 1", "signs", bounds=(Bound(1 / (kappa + 1), (WIDE,)),)),),
    assuming=(WIDE,),
)
CONDITION_SLOW = Theorem(
    "condition-number-steps",
    "At the best rate, so much of the error is left after t steps at least",
    ((kappa - 1) / (kappa + 1)) ** t,
    (
        Step(
            "≥",
            1 - 2 * t / (kappa + 1),
            r"with $`u = (\kappa - 1)/(\kappa + 1)`$, so that $`u - 1 = -2/(\kappa + 1)`$; it is not negative",
            "signs",
            bounds=(Bound(ONE, (BERNOULLI.at({u: (kappa - 1) / (kappa + 1)}),)),),
        ),
    ),
    assuming=(WIDE,),
    sizes="all numbers t of steps",
)

# ----------------------------------------------------------------------------------------------- beyond quadratics

STRONG = Assumption(
    lowest,
    "≥",
    L[t] + total(g[t, i] * (best[i] - w[t, i]), i) + mu / 2 * total((best[i] - w[t, i]) ** 2, i),
    r"that L is strongly convex with constant μ > 0, of which only this is used",
)
LEMMA = Assumption(
    L[t + 1],
    "≤",
    L[t] - eta * (1 - eta * lam / 2) * total(g[t, i] ** 2, i),
    "that each step obeys [[descent-lemma|the descent lemma]], as it does where L is smooth with constant λ",
)
MU_LAMBDA = Assumption(mu, "≤", lam, "that the least curvature is at most the largest")
CONTRACTION = 1 - 2 * mu * eta * (1 - eta * lam / 2)
DRAWS_LAW = LAWS + "over_all_draws_of_single_samples_the_mean_square_is_as_proved"
STRONG_LAW = LAWS + "the_gradient_dominates_the_gap"

QUADRATIC_STRONG = Theorem(
    "quadratic-is-strongly-convex",
    "A quadratic is strongly convex with its least curvature",
    lowest + total(lambdas[i] * (e[i] + d[i]) ** 2, i) / 2,
    (
        Step(
            "=",
            QUADRATIC + total(lambdas[i] * e[i] * d[i], i) + total(lambdas[i] * d[i] ** 2, i) / 2,
            "the squares multiplied out; the middle sum is the gradient times d",
            "sums",
        ),
        Step(
            "≥",
            QUADRATIC + total(lambdas[i] * e[i] * d[i], i) + mu / 2 * total(d[i] ** 2, i),
            "no curvature is below μ",
            "signs",
            bounds=(
                Bound(
                    d[i] ** 2 / 2,
                    (least := Assumption(lambdas[i], "≥", mu, "that no curvature is below μ"),),
                    over=(i,),
                ),
            ),
        ),
    ),
    assuming=(least,),
    sizes=SIZES,
)
DOMINATES = Theorem(
    "gradient-dominates",
    "The gradient dominates the gap",
    total(g[t, i] ** 2, i),
    (
        Step(
            "≥",
            2 * mu * (L[t] - lowest),
            r"the difference is $`2\mu`$ times what is assumed, and $`\lVert g + \mu (w^{*} - w) \rVert^{2}`$: "
            "the square is completed",
            "signs",
            bounds=(Bound(2 * mu, (STRONG,)), Bound((g[t, i] + mu * (best[i] - w[t, i])) ** 2, over=(i,))),
        ),
    ),
    assuming=(STRONG,),
    sizes=SIZES + ", and all steps t",
    matrix=r"\lVert \nabla L(w) \rVert^{2} \ge 2 \mu\, (L(w) - L^{*})",
    law=(STRONG_LAW,),
)
FACTOR_SIGN = Theorem(
    "contraction-not-negative",
    "The factor of the gap is not negative",
    CONTRACTION,
    (
        Step(
            "≥",
            ZERO,
            r"it is $`(1 - \mu\eta)^{2} + \mu\eta^{2} (\lambda - \mu)`$",
            "signs",
            bounds=(Bound((1 - mu * eta) ** 2), Bound(mu * eta**2, (MU_LAMBDA,))),
        ),
    ),
    assuming=(MU_LAMBDA,),
    sizes="every η",
)
STRONG_STEP = Theorem(
    "strongly-convex-step",
    "One step takes away a share of the gap",
    L[t + 1] - lowest,
    (
        Step(
            "≤",
            L[t] - eta * (1 - eta * lam / 2) * total(g[t, i] ** 2, i) - lowest,
            "the descent lemma",
            "signs",
            bounds=(Bound(ONE, (LEMMA,)),),
        ),
        Step(
            "≤",
            CONTRACTION * (L[t] - lowest),
            r"the square of the gradient is $`2\mu`$ times the gap at least, and its weight, "
            r"$`\eta (1 - \eta\lambda/2) = \frac{\lambda}{2}\, \eta\, (2/\lambda - \eta)`$, is positive",
            "signs",
            bounds=(Bound(lam / 2, (RISES, BELOW_TWO, DOMINATES)),),
        ),
    ),
    assuming=(LEMMA, STRONG, RISES, BELOW_TWO),
    sizes=SIZES + ", and all steps t",
)
STRONG_CLAIM = Statement(L[t] - lowest, "≤", CONTRACTION**t * (L[0] - lowest))
STRONG_RATE = Induction(
    "strongly-convex-rate",
    "To the global minimum at a linear rate",
    STRONG_CLAIM,
    over=t,
    first=ZERO,
    following=t + 1,
    base=(Step("=", L[0] - lowest, "both are the gap at the start", "sums"),),
    step=(
        Step(
            "≤",
            CONTRACTION * (L[t] - lowest),
            "one step",
            "signs",
            bounds=(Bound(ONE, (STRONG_STEP,)),),
        ),
        Step(
            "≤",
            CONTRACTION * CONTRACTION**t * (L[0] - lowest),
            "the factor, which is not negative, times what is claimed for t",
            "signs",
            bounds=(Bound(ONE, (FACTOR_SIGN, STRONG_CLAIM)),),
        ),
        Step("=", CONTRACTION ** (t + 1) * (L[0] - lowest), "one power of the factor more", "sums"),
    ),
    assuming=(LEMMA, STRONG, RISES, BELOW_TWO, MU_LAMBDA),
    sizes=SIZES + ", and all numbers t of steps",
    law=(LAWS + "full_batches_reach_the_global_minimum_of_logistic_regression",),
)
STRONG_BEST = Theorem(
    "one-over-lambda",
    "Of this bound 1/λ is the best rate",
    CONTRACTION,
    (
        Step(
            "=",
            1 - mu / lam + mu * lam * (eta - 1 / lam) ** 2,
            "the square is completed; at η = 1/λ it is 0",
            "fractions",
        ),
    ),
    sizes="all λ, μ > 0, and every η",
    law=(LAWS + "full_batches_reach_the_global_minimum_of_logistic_regression",),
)
DISTANCE_STRONG = Assumption(
    L[t],
    "≥",
    lowest + mu / 2 * total((w[t, i] - best[i]) ** 2, i),
    r"strong convexity once more, from $`w^{*}`$, where the gradient is 0",
)
DISTANCE = Theorem(
    "gap-bounds-distance",
    "With the gap the distance goes to 0",
    total((w[t, i] - best[i]) ** 2, i),
    (
        Step(
            "≤",
            2 / mu * (L[t] - lowest),
            r"it is $`2/\mu`$ times what is assumed",
            "signs",
            bounds=(Bound(2 / mu, (DISTANCE_STRONG,)),),
        ),
    ),
    assuming=(DISTANCE_STRONG,),
    sizes=SIZES + ", and all steps t",
    matrix=r"\lVert w - w^{*} \rVert^{2} \le \frac{2}{\mu}\, (L(w) - L^{*})",
)

# ------------------------------------------------------------------------------------------------------- single samples

BALANCED = Assumption(total(xi[s], s), "=", ZERO, "that the gradients of all samples sum to 0 at the minimum")
AFTER = e[p] - eta * (lam * e[p] + xi[s])


def _powers_of_two(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    return 2.0 ** rng.integers(-2, 3, shape)


def _balanced(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    found = rng.integers(-12, 13, shape) / 4
    found[-1] = -found[:-1].sum()
    return found


def _single_samples(given: Mapping[str, BallArray]) -> Any:
    """The mean square of the error after one step from each e on each sample: of a bias alone, as the input is 0."""
    curvature, eta_, noise = _number(given["lambda"]), _number(given["eta"]), given["xi"].midpoint
    network = Network(Dense(1, 1), loss=SquaredError(scale=curvature))
    sum_, x = BallArray.exact(np.zeros(())), BallArray.exact(np.zeros((1, 1)))
    for error in given["e"].midpoint:
        for one in noise:  # ½λ(b − y)² has the gradient λb + ξ if y = −ξ/λ; λ is a power of 2
            at = BallArray.exact(np.array([0.0, error]))
            _, gradient = network.loss_and_gradient(at, x, np.array([[-one / curvature]]))
            _, after = GradientDescent().step(None, at, gradient, eta_)
            last = _at(slice(1, None), after)
            sum_ = sum_ + last @ last
    return sum_ / (noise.size * given["e"].shape[0])


NOISE_STEP = Theorem(
    "noise-step",
    "What a step on a single sample does to the mean square of the error",
    total(AFTER**2, p, s) / (M * N),
    (
        Step(
            "=",
            FACTOR**2 * total(e[p] ** 2, p) / M
            - 2 * eta * FACTOR * total(e[p], p) * total(xi[s], s) / (M * N)
            + eta**2 * total(xi[s] ** 2, s) / N,
            "the square multiplied out: no sample depends on the error before",
            "sums",
        ),
        Step(
            "=",
            FACTOR**2 * total(e[p] ** 2, p) / M + eta**2 * total(xi[s] ** 2, s) / N,
            "on the mean the noise is 0",
            "definition",
            (BALANCED,),
        ),
    ),
    assuming=(BALANCED,),
    sizes="all numbers N of samples and M of errors from which the step may start, every λ and every η",
    law=(DRAWS_LAW,),
    matrix=(
        r"\mathbb{E}\, e'^{2} = (1 - \eta\lambda)^{2}\, \mathbb{E}\, e^{2} + \eta^{2} \sigma^{2}, \qquad "
        r"\sigma^{2} = \frac{1}{N} \sum_{s=1}^{N} \xi_{s}^{2}"
    ),
    code=(STEP, GRADIENT),
    run=Execution(
        {"e": (M,), "xi": (N,), "lambda": (), "eta": ()},
        _single_samples,
        draw={"lambda": _powers_of_two, "xi": _balanced},
    ),
)
RECURRENCE = Definition(
    E[t + 1],
    FACTOR**2 * E[t] + eta**2 * sigma**2,
    "",
    "so the mean square of the error, over all draws of samples, goes on, by [[noise-step]]",
)
LEVEL = eta * sigma**2 / (lam * (2 - eta * lam))
NOISE_CLAIM = Statement(E[t], "=", FACTOR ** (2 * t) * (E[0] - LEVEL) + LEVEL)
NOT_AT_TWO = "η ≠ 2/λ"
RADIUS_LAW = LAWS + "otherwise_every_variant_stays_within_a_radius_that_shrinks_with_eta"

NOISE_STEPS = Induction(
    "noise-steps",
    "A constant rate leaves a neighbourhood",
    NOISE_CLAIM,
    over=t,
    first=ZERO,
    following=t + 1,
    base=(Step("=", E[0] - LEVEL + LEVEL, "no step is done yet", "sums"),),
    step=(
        Step("=", FACTOR**2 * E[t] + eta**2 * sigma**2, "one step more", "definition", (RECURRENCE,)),
        Step(
            "=",
            FACTOR**2 * (FACTOR ** (2 * t) * (E[0] - LEVEL) + LEVEL) + eta**2 * sigma**2,
            "what is claimed for t",
            "definition",
            (NOISE_CLAIM,),
        ),
        Step(
            "=",
            FACTOR ** (2 * (t + 1)) * (E[0] - LEVEL) + LEVEL,
            "over one denominator: the level is what a step leaves as it is",
            "fractions",
        ),
    ),
    sizes=EVERY + ", and all numbers t of steps",
    holds=NOT_AT_TWO,
    law=(DRAWS_LAW, RADIUS_LAW),
)
NOISE_FLOOR = Theorem(
    "noise-floor",
    "No step arrives",
    E[t + 1],
    (
        Step("=", FACTOR**2 * E[t] + eta**2 * sigma**2, "one step", "definition", (RECURRENCE,)),
        Step("≥", eta**2 * sigma**2, "a square times a mean of squares", "signs", bounds=(Bound(FACTOR**2 * E[t]),)),
    ),
    sizes=EVERY + ", every η, and all steps t",
    law=(RADIUS_LAW,),
)
SHARE = 1 / (2 - eta * lam) ** 2
NOISE_ABOVE = Theorem(
    "noise-level-above",
    "The level is at least proportional to the rate",
    LEVEL,
    (
        Step(
            "≥",
            eta * sigma**2 / (2 * lam),
            r"the difference is $`\eta^{2}\sigma^{2} / (2\, (2 - \eta\lambda))`$",
            "signs",
            bounds=(Bound(eta**2 * sigma**2 * lam / 2 * SHARE, (BELOW_TWO,)),),
        ),
    ),
    assuming=(BELOW_TWO,),
    sizes=EVERY,
    law=(RADIUS_LAW,),
)
NOISE_BELOW = Theorem(
    "noise-level-below",
    "And at most twice that, for low rates",
    LEVEL,
    (
        Step(
            "≤",
            eta * sigma**2 / lam,
            r"the difference is $`\frac{\eta\sigma^{2}}{\lambda} \cdot \frac{1 - \eta\lambda}{2 - \eta\lambda}`$",
            "signs",
            bounds=(Bound(sigma**2 * lam * SHARE, (RISES, BELOW_ONE, BELOW_TWO)),),
        ),
    ),
    assuming=(RISES, BELOW_ONE, BELOW_TWO),
    sizes=EVERY,
    law=(RADIUS_LAW,),
)
NOISE_LIMIT = Theorem(
    "noise-level-limit",
    "The level goes to 0 with the rate",
    Limit(LEVEL, eta, 0),
    (Step("=", ZERO, "its numerator goes to 0, its denominator to 2λ", "limit"),),
    sizes=EVERY,
    law=(RADIUS_LAW,),
)
SILENT = Assumption(sigma, "=", ZERO, "that one minimum is that of every sample: no noise is left there")
INTERPOLATION = Theorem(
    "interpolation",
    "Without noise single samples reach the minimum",
    E[t],
    (
        Step("=", FACTOR ** (2 * t) * (E[0] - LEVEL) + LEVEL, "after t steps", "theorem", (NOISE_STEPS,)),
        Step("=", FACTOR ** (2 * t) * E[0], "the level is 0", "definition", (SILENT,)),
    ),
    assuming=(SILENT,),
    sizes=EVERY + ", and all numbers t of steps",
    holds=NOT_AT_TWO,
    law=(LAWS + "on_interpolating_data_every_variant_reaches_the_minimum",),
)
later = Letter("t", integer=True, positive=True)
FALLING = 1 / (lam * (later + 1))
FALL_FIRST = Definition(
    F[1],
    sigma**2 / lam**2,
    "",
    r"with the falling rate $`\eta_{t} = 1/(\lambda (t + 1))`$ the first step leaves the noise alone: its factor is 0",
)
FALL_ON = Definition(
    F[later + 1],
    (1 - FALLING * lam) ** 2 * F[later] + FALLING**2 * sigma**2,
    "",
    "and the mean square of the error goes on by [[noise-step]]",
    source='for such rates: Robbins, Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22 '
    "(1951), 400–407",
)
FALL_CLAIM = Statement(F[later], "=", sigma**2 / (lam**2 * later))
FALL = Induction(
    "falling-rate",
    "A rate that falls like 1/t arrives",
    FALL_CLAIM,
    over=later,
    first=ONE,
    following=later + 1,
    base=(Step("=", sigma**2 / lam**2, "after the first step", "definition", (FALL_FIRST,)),),
    step=(
        Step(
            "=",
            (1 - FALLING * lam) ** 2 * F[later] + FALLING**2 * sigma**2,
            "one step more",
            "definition",
            (FALL_ON,),
        ),
        Step(
            "=",
            (1 - FALLING * lam) ** 2 * sigma**2 / (lam**2 * later) + FALLING**2 * sigma**2,
            "what is claimed for t",
            "definition",
            (FALL_CLAIM,),
        ),
        Step(
            "=",
            sigma**2 / (lam**2 * (later + 1)),
            r"$`\left(\frac{t}{t+1}\right)^{2} \frac1t + \frac{1}{(t+1)^{2}} = \frac{1}{t+1}`$",
            "fractions",
        ),
    ),
    sizes=EVERY + ", and all numbers t ≥ 1 of steps",
    law=(LAWS + "with_a_rate_that_falls_like_one_over_t_the_mean_square_does_so_too",),
)

# ------------------------------------------------------------------------------------------------------------ example

n = Index("t", size("T"))
RATES = (("too low", Rational(1, 10)), ("the best", Rational(2, 5)), ("too high", Rational(3, 5)))


def _example(rate: Expr, seen: Callable[[Network, BallArray, BallArray, Any], BallArray]) -> Any:
    """What is seen after each of the steps of refnn."""

    def run(given: Mapping[str, BallArray]) -> Any:
        x, y_, at = _at(np.s_[:, :1], given[r"\tilde{x}"]), given["y"].midpoint, given["w"]
        network, eta_, found = Network(Dense(1, 1), loss=SquaredError()), Fraction(int(rate.p), int(rate.q)), []
        for _ in range(2):
            _, gradient = network.loss_and_gradient(at, x, y_)
            _, at = GradientDescent().step(None, at, gradient, eta_)  # type: ignore[arg-type] # exact
            found.append(seen(network, at, x, y_))
        return BallArray(np.stack([each.elements for each in found]))

    return run


def _example_errors(rate: Expr) -> Any:
    def run(given: Mapping[str, BallArray]) -> Any:
        return _example(rate, lambda _, at, x, y_: at - given["w^{*}"])(given)

    return run


def _example_losses(rate: Expr) -> Any:
    return _example(rate, lambda network, at, x, y_: network.loss(at, x, y_))


def _example_gradient(given: Mapping[str, BallArray]) -> Any:
    x, y_ = _at(np.s_[:, :1], given[r"\tilde{x}"]), given["y"].midpoint
    return Network(Dense(1, 1), loss=SquaredError()).loss_and_gradient(given["w^{*}"], x, y_)[1]


ERROR = w[i] - best[i]


def _quantities(name: str, rate: Expr, why: str) -> tuple[Quantity, ...]:
    after = (1 - rate * lambdas[i]) ** n * ERROR
    shown = rf"\frac{{{rate.p}}}{{{rate.q}}}"
    return (
        Quantity(
            rf"\left(e^{{(t)}}_{{i}}\right)_{{t = 1, 2}} \text{{ for }} \eta = {shown}",
            after,
            (n, i),
            f"{name}: {why}; each row is a step",
            _example_errors(rate),
        ),
        Quantity(
            rf"\left(L^{{(t)}}\right)_{{t = 1, 2}} \text{{ for }} \eta = {shown}",
            total(lambdas[i] * after**2, i) / 2,
            (n,),
            r"$`\frac12 (4 e_{1}^{2} + e_{2}^{2})`$ of each row",
            _example_losses(rate),
        ),
    )


EXAMPLE = Worked(
    "two samples, and three learning rates",
    "A line $`z = w_{1} x + w_{2}`$ through two points, (2, 3) and (−2, −1). It can pass through both, so that the "
    "minimum of the loss is 0. The curvatures 1 and 4 make 1/2 the threshold, and 2/5 the best rate.",
    {N: 2, P: 2, size("T"): 2},
    {
        r"\tilde{x}": [["2", "1"], ["-2", "1"]],
        "y": ["3", "-1"],
        "w": ["2", "2"],
        "w^{*}": ["1", "1"],
        "lambda": ["4", "1"],
    },
    (
        Quantity(
            "A",
            HESSIAN.expression,
            (i, k),
            r"$`\frac12 \tilde{x}^{\top} \tilde{x}`$: it is diagonal, so that λ stands on its diagonal",
        ),
        Quantity(
            r"\nabla L(w^{*})",
            total(X[s, k] * (GOAL - y[s]), s) / N,
            (k,),
            r"the line $`z = x + 1`$ passes through both points",
            _example_gradient,
        ),
        Quantity("e^{(0)}", ERROR, (i,), r"$`w - w^{*}`$"),
        *_quantities(*RATES[0], r"the factors are $`\frac35`$ and $`\frac{9}{10}`$, and nothing overshoots"),
        *_quantities(*RATES[1], r"the factors are $`-\frac35`$ and $`\frac35`$, of the same size"),
        *_quantities(*RATES[2], r"the factors are $`-\frac75`$ and $`\frac25`$, and the first grows"),
    ),
)

# ----------------------------------------------------------------------------------------------------------- pictures

SHOWN = ((0.05, "too low"), (0.4, "the best"), (0.52, "too high"))
CURVED, START, COUNT = (1.0, 4.0), (-2.0, 1.0), 30


def _path(rate: float) -> list[tuple[float, float]]:
    """The coordinates of the error, step by step."""
    path = [START]
    for _ in range(COUNT):
        first, second = path[-1]
        path.append((first - rate * CURVED[0] * first, second - rate * CURVED[1] * second))
    return path


def _loss(at: tuple[float, float]) -> float:
    return (CURVED[0] * at[0] * at[0] + CURVED[1] * at[1] * at[1]) / 2


def _rates_numbers() -> Sequence[float]:
    return [number for rate, _ in SHOWN for at in _path(rate) for number in (*at, _loss(at))]


def _draw_rates() -> Any:
    from matplotlib.figure import Figure

    from refnn.report import plots

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    curves, plane = figure.subplots(1, 2)
    across, up = np.linspace(-2.3, 2.3, 120), np.linspace(-2.2, 2.2, 120)
    height = (CURVED[0] * across[np.newaxis, :] ** 2 + CURVED[1] * up[:, np.newaxis] ** 2) / 2
    plane.contour(across, up, height, levels=[0.05, 0.25, 1, 2, 4, 6, 9], colors="#BBBBBB", linewidths=0.8)
    for (rate, name), (colour, marker, style) in zip(SHOWN, plots.RATES, strict=True):
        path = _path(rate)
        label = f"η = {rate:g}: {name}"
        curves.plot([_loss(at) for at in path], color=colour, marker=marker, ls=style, ms=4, label=label)
        plane.plot(*zip(*path[:16], strict=True), color=colour, marker=marker, ls=style, ms=4, lw=1.2)
    plane.plot(0, 0, "+", color="black", ms=10)
    curves.set_yscale("log")
    curves.set_xlabel("steps t")
    curves.set_ylabel("L − L*")
    curves.set_title("The loss above its minimum")
    plane.set_xlabel("e₁, of curvature 1")
    plane.set_ylabel("e₂, of curvature 4")
    plane.set_title("The first 15 steps, on the contours of the loss")
    figure.legend(*curves.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


CONSTANT, LONG = (0.5, 0.1, 0.02), 300


def _wander(rate: float) -> list[float]:
    """A path of single-sample steps with λ = 1 and noise ±1, by seeded random numbers."""
    rng, at = random.Random(3), [8.0]  # noqa: S311 - a picture
    for _ in range(LONG):
        at.append(at[-1] - rate * (at[-1] + (1.0 if rng.random() < 0.5 else -1.0)))
    return at


def _mean_squares(rate: Callable[[int], float]) -> list[float]:
    """E e² step by step, by the recurrence that is proved."""
    found = [64.0]
    for number in range(LONG):
        factor = 1 - rate(number)
        found.append(factor * factor * found[-1] + rate(number) * rate(number))
    return found


def _all_mean_squares() -> list[tuple[str, list[float]]]:
    curves = [(f"η = {rate:g}", _mean_squares(lambda _, rate=rate: rate)) for rate in CONSTANT]  # type: ignore[misc]
    return [*curves, ("η = 1/(λ(t + 1))", _mean_squares(lambda number: 1 / (number + 1)))]


def _noise_numbers() -> Sequence[float]:
    paths = [number for rate in CONSTANT[::2] for number in _wander(rate)]
    return [*paths, *(number for _, curve in _all_mean_squares() for number in curve)]


def _draw_noise() -> Any:
    from matplotlib.figure import Figure

    from refnn.report import plots

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    paths, means = figure.subplots(1, 2)
    colours = (*plots.COLOURS, "black")
    for rate, colour in zip(CONSTANT[::2], colours[::2], strict=False):
        paths.plot(_wander(rate), color=colour, lw=0.9 if rate == CONSTANT[0] else 1.8, ls=":" if rate < 0.1 else "-")
        level = (rate / (2 - rate)) ** 0.5
        for side in (level, -level):
            paths.axhline(side, color=colour, ls="--", lw=1)
    paths.set_xlabel("steps t")
    paths.set_ylabel("e, the distance from the minimum with its sign")
    paths.set_title("One path each; dashed: ± the root of the level")
    for (label, curve), colour, style in zip(_all_mean_squares(), colours, ("-", "--", ":", "-."), strict=True):
        means.plot(range(1, LONG + 1), curve[1:], color=colour, ls=style, label=label)
    means.set_xscale("log")
    means.set_yscale("log")
    means.set_xlabel("steps t")
    means.set_ylabel("E e²")
    means.set_title("The mean square, by the recurrence")
    figure.legend(*means.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


# --------------------------------------------------------------------------------------------------------------- page

GREW = """
from fractions import Fraction

def errors(rate, curvature=4, steps=4):
    found = [Fraction(1)]
    for _ in range(steps):
        found.append(found[-1] - rate * curvature * found[-1])
    return ", ".join(str(e) for e in found)

for rate in (Fraction(2, 5), Fraction(1, 2), Fraction(3, 5)):
    print(f"η = {rate}: {errors(rate)}")

import refnn

network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
x, y = [[2.0], [-2.0]], [3.0, -1.0]
steps = refnn.descend(network, [2.0, 2.0], x, y, batches=refnn.FullBatch(), learning_rate=0.6, epochs=10_000)
try:
    for step in steps:
        if step.number in (0, 10, 20):
            print(f"loss before step {step.number}: {step.loss:.3g}")
except refnn.DivergenceError as error:
    print(type(error).__name__)
"""


def _cases() -> Sequence[Sequence[str]]:
    return (
        (r"$`\eta \le 0`$", r"$`\ge 1`$", "nothing comes nearer", "[[no-rate-no-descent]]"),
        (
            r"$`0 < \eta < 1/\lambda`$",
            "between 0 and 1",
            "converges, on its side",
            "[[no-overshoot]], [[quadratic-converges]]",
        ),
        (r"$`\eta = 1/\lambda`$", "0", "arrives in one step", "[[quadratic-step]]"),
        (
            r"$`1/\lambda < \eta < 2/\lambda`$",
            "between −1 and 0",
            "converges, and overshoots every time",
            "[[overshoot]], [[quadratic-converges]]",
        ),
        (r"$`\eta = 2/\lambda`$", "−1", "goes to and fro for ever", "[[quadratic-oscillates]]"),
        (
            r"$`\eta > 2/\lambda`$",
            r"$`< -1`$",
            "grows beyond all bounds",
            "[[quadratic-grows]], [[quadratic-diverges]]",
        ),
    )


PAGE = Page(
    10,
    "learning-rate",
    "The learning rate",
    "On a quadratic every coordinate of the error has a factor of its own, so that all is known: exactly when steps "
    "converge, how fast, and the best rate. Beyond quadratics the gap falls at a linear rate where the loss is "
    "strongly convex; and single samples stay in a neighbourhood whose size goes to 0 with the rate.",
    ("dense", "losses", "descent", "batches"),
    (
        Symbol("N, P", "", "the numbers of samples and of parameters"),
        Symbol(r"\tilde{x}", "(N, P)", "the inputs, with a column of ones that the bias multiplies: its last"),
        Symbol("y", "(N,)", "the targets"),
        Symbol("w, w^{*}", "(P,)", "parameters, and the best ones"),
        Symbol("L, L^{*}", "", "the loss, and its minimum"),
        Symbol("e", "(P,)", r"the error $`w - w^{*}`$; later its coordinates in the eigenbasis"),
        Symbol("A", "(P, P)", "the Hessian, which on a quadratic is the same everywhere"),
        Symbol(r"\lambda_{i}", "(P,)", "its eigenvalues: the curvatures"),
        Symbol(r"\lambda, \mu", "", "one curvature; where there are several, the largest and the least"),
        Symbol("r", "(N,)", "the residuals of the best parameters"),
        Symbol("v, c", "(P, P), (P,)", "eigenvectors of A, as columns; coordinates along them"),
        Symbol("a", "(P,)", "the error before the first step, in the eigenbasis"),
        Symbol(r"\eta", "", "the learning rate"),
        Symbol("t", "", "the number of steps"),
        Symbol("q", "", "a bound on the size of the factors of all coordinates"),
        Symbol(r"\nu, \kappa", "", r"a curvature between μ and λ; the condition number $`\lambda/\mu`$"),
        Symbol("g", "(P,)", "the gradient; at step t, if it has a t"),
        Symbol("d", "(P,)", "any step away from e"),
        Symbol(r"\xi", "(N,)", "the gradients of single samples at the minimum"),
        Symbol(r"\sigma^{2}", "", "the mean of their squares"),
        Symbol("M", "", "the number of errors from which a step may start; p is one of them"),
        Symbol("u", "", "in Bernoulli's inequality, any number that is not negative"),
        Symbol(r"\Lambda", "(P, P)", "the curvatures on a diagonal, with zeros elsewhere"),
        Symbol("E, F", "", "the mean square of the error, at a constant and at a falling rate"),
    ),
    (
        Prose(
            "## Linear regression is a quadratic\n\n"
            "A dense layer with one output and half the squared error, on the mean over the samples, is linear "
            r"regression: $`L(w) = \frac{1}{2N} \sum_{s} (\tilde{x}_{s} w - y_{s})^{2}`$. All that follows on "
            "quadratics can be tried on it, and is, for floats, by "
            "[the laws of the learning rate](../tests/laws/test_learning_rate.py)."
        ),
        REGRESSION_GRADIENT,
        HESSIAN,
        REGRESSION_CURVATURE,
        Prose(
            r"The best parameters $`w^{*}`$ are those at which the gradient is 0; such there are always, though "
            "not always only one (a least-squares problem always has a solution). Measured from there, the loss is "
            "its minimum and a quadratic form."
        ),
        RESIDUAL,
        REGRESSION_QUADRATIC,
        REGRESSION_STEP,
        Code(STEP),
        Prose(
            "A is symmetric. So it has P eigenvectors of length 1 at right angles, the columns of a matrix v (the "
            'spectral theorem: Strang, "Introduction to Linear Algebra" (2016), section 6.4); and its eigenvalues are '
            r"not negative, for $`e^{\top} A e`$ is a mean of squares. In these axes the quadratic form has no mixed "
            "products, and no coordinate hears of another."
        ),
        EIGENBASIS,
        EIGEN_STEP,
        Prose(
            "## A quadratic in its eigenbasis\n\n"
            r"From here on e holds the coordinates in the eigenbasis: $`L = L^{*} + \frac12 \sum_{i} \lambda_{i} "
            r"e_{i}^{2}`$ with curvatures $`\lambda_{i} > 0`$. (A coordinate without curvature has no part in the loss "
            "and stays.)"
        ),
        QUADRATIC_STEP,
        BEGIN,
        GO_ON,
        QUADRATIC_STEPS,
        QUADRATIC_LOSS,
        Prose(
            "## Exactly when it converges\n\n"
            r"So all depends on the factor $`1 - \eta\lambda`$ of each coordinate. A power of it goes to 0 exactly if "
            r"its size is below 1, that is, exactly if $`0 < \eta < 2/\lambda`$. With several curvatures the largest "
            "sets the threshold."
        ),
        Table(("rate", "factor", "the error", "by"), _cases),
        CONVERGES_BY,
        NO_OVERSHOOT,
        OVERSHOOT,
        CONVERGES,
        OSCILLATES,
        GROWS,
        STANDS,
        Fails(
            "above 2/λ",
            "The curvature is 4, so that the threshold is 1/2. At 2/5 the error shrinks, although every step "
            "overshoots; at 1/2 it goes to and fro; at 3/5 it grows. refnn does the same, and stops when the numbers "
            "leave the range of floats.",
            GREW,
        ),
        Prose(
            "## How fast\n\n"
            "Coming nearer in every step is not yet arriving. That it does, and how soon, follows from Bernoulli's "
            "inequality, which compares a power with a straight line; it is proved from below and from above."
        ),
        POWERS,
        BERNOULLI,
        BERNOULLI_ABOVE,
        SQUARE,
        DIVERGES,
        Prose(
            "Above the threshold the term after 1 is positive, so that the right side exceeds any number for some t, "
            r"and so does the square of the error, $`(1 - \eta\lambda)^{2t} a^{2}`$. Below it the same number with the "
            "other sign is positive, and the next theorem says that the square of the error is at most "
            r"$`a^{2}/(1 + t\,\eta\lambda\,(2 - \eta\lambda))`$, which goes to 0."
        ),
        VANISHES,
        Prose(
            r"For rates up to 1/λ the two inequalities say how many steps it takes to bring the error down to a share "
            r"ε of what it was: at least $`(1 - \varepsilon)/(\eta\lambda)`$, and no more than "
            r"$`(1/\varepsilon - 1)/(\eta\lambda)`$, rounded up. Half the rate takes twice the steps."
        ),
        SLOW,
        FAST,
        Picture(
            "learning-rate",
            "Three learning rates on a quadratic with the curvatures 1 and 4. Left, the loss against steps: at 0.05 it "
            "falls slowly, at 0.4 fast, at 0.52 it falls first and then grows. Right, the paths on the contours: "
            "0.05 creeps along the valley, 0.4 overshoots the valley and converges, 0.52 overshoots further each time.",
            _draw_rates,
            _rates_numbers,
        ),
        Prose(
            "## The best rate\n\n"
            "One rate serves all curvatures, from the least, μ, to the largest, λ. A high one suits the flat "
            r"directions, and a low one the steep: the factors at the two ends are $`1 - \eta\mu`$ and "
            r"$`1 - \eta\lambda`$. Let q be such that both are at most q in size. Then q cannot be small:"
        ),
        NO_BETTER,
        BEST,
        Prose(
            r"At the best rate both ends have factors of one size, $`(\lambda - \mu)/(\lambda + \mu)`$, with opposite "
            "signs, and all curvatures between them have smaller ones. (Boyd and Vandenberghe (2004), section 9.3.2, "
            'and Nesterov, "Lectures on Convex Optimization" (2018), theorem 2.1.15, have the same factor.) '
            r"It depends on the condition number $`\kappa = \lambda/\mu`$ alone."
        ),
        CONDITION,
        CONDITION_SIGN,
        CONDITION_SLOW,
        Prose(
            r"To be sure to halve the error, wherever it begins, takes at least $`(\kappa + 1)/4`$ steps, whatever the "
            "rate: a valley that is a "
            "thousand times steeper across than along takes 250. That is one reason to standardise inputs."
        ),
        EXAMPLE,
        Prose(
            "## To the global minimum, beyond quadratics\n\n"
            "L is strongly convex with constant μ if, for all v and w, "
            r"$`L(v) \ge L(w) + \nabla L(w) \cdot (v - w) + \frac{\mu}{2} \lVert v - w \rVert^{2}`$ (Nesterov (2018), "
            "definition 2.1.3): above each of its tangent planes by a parabola at least. A quadratic is, if no "
            "curvature is below μ; "
            "logistic regression is, on every bounded set, if its inputs span the space. A network with hidden layers "
            "is not, and nothing here promises it the global minimum."
        ),
        QUADRATIC_STRONG,
        Prose(
            r"Of strong convexity the case $`v = w^{*}`$ is all that is needed. It says that where the gradient is "
            "small, so is the gap to the minimum: there is no flat place elsewhere. (The inequality is due to Polyak, "
            '"Gradient methods for the minimisation of functionals" (1963), and holds for more than convex functions.)'
        ),
        DOMINATES,
        Prose(
            "[[descent-lemma|The descent lemma]] says how much a step lowers the loss, in terms of the gradient; and "
            "now the gradient is known to be large where the gap is."
        ),
        STRONG_STEP,
        FACTOR_SIGN,
        STRONG_RATE,
        STRONG_BEST,
        Prose(
            r"So at $`\eta = 1/\lambda`$ the gap after t steps is at most $`(1 - \mu/\lambda)^{t}`$ times what it was. "
            "That this goes to 0 is [[bernoulli-above|Bernoulli's inequality]] once more. A gap that falls by a "
            "constant factor each step is said to fall at a linear rate. Of this bound no other rate is better; on "
            "quadratics the best rate is higher, and its factor smaller ([[best-rate]])."
        ),
        DISTANCE,
        Prose(
            "## Why a constant rate leaves single samples in a neighbourhood\n\n"
            "At the minimum of the mean loss the gradients of the samples sum to 0, but each alone need not be 0. Take "
            r"one coordinate, in which sample s has the gradient $`\lambda e + \xi_{s}`$: every sample pulls as hard, "
            "but towards a point of its own. A step sees one sample, drawn anew from all N, each as likely as another. "
            r"So after t steps there are $`N^{t}`$ equally likely errors, and after the next, each of them with each "
            "sample. The mean of the squares over all of them is a finite sum."
        ),
        NOISE_STEP,
        Prose(
            "The first term shrinks; the second does not depend on the error, and comes again every step. Where the "
            "two balance, the mean square stays: at the level of the next theorem. (In refnn an epoch sees each sample "
            "once, in a random order, so that draws of one epoch depend on each other; the law holds the radius for "
            "every order.)"
        ),
        RECURRENCE,
        NOISE_STEPS,
        Prose(
            "For rates below 2/λ the term with the start goes to 0, by [[quadratic-vanishes]], and the level is what "
            "is left. It is no accident of the mean: after every step the mean square is that of the noise at least."
        ),
        NOISE_FLOOR,
        NOISE_ABOVE,
        NOISE_BELOW,
        NOISE_LIMIT,
        Prose(
            "So the rate buys two things that conflict: a high one forgets the start soon, a low one leaves a small "
            "neighbourhood. A mini-batch of B samples drawn anew has a variance B times smaller ([[batches]]), and "
            "so a level B times lower. And where one point is the minimum of all samples at once, as for data that the "
            "model can fit exactly, there is no noise at the minimum, and no neighbourhood:"
        ),
        INTERPOLATION,
        Prose(
            "Otherwise the rate has to fall, but not too soon: the sum of all rates must be infinite, so that the "
            "start is forgotten, and that of their squares finite (Robbins and Monro (1951)). Rates like 1/t are of "
            "this kind. With just 1/λ, 1/(2λ), 1/(3λ), … the error after t steps is the mean of t noises:"
        ),
        FALL_FIRST,
        FALL_ON,
        FALL,
        Picture(
            "learning-rate-noise",
            "Steps on single samples. Left, two paths: at the rate 0.5 the error jumps about within ±0.6, at 0.02 it "
            "comes down slowly and stays within about ±0.1. Right, the mean square of the error against steps: at "
            "constant rates it falls and then stays at a level that is lower for lower rates; at the rate 1/t it goes "
            "on falling like 1/t.",
            _draw_noise,
            _noise_numbers,
        ),
    ),
    ("rounding", "certificates"),
)
