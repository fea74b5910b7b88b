"""What the learning rate does, where all of it can be known: on quadratics, and on convex problems.

For z = x̃·w with x̃ = (x, 1) and the mean of ½(z − y)², the Hessian is A = X̃ᵀX̃/N everywhere, and a step takes the error
e = w − w* to (I − ηA) e: along an eigenvector with eigenvalue μ, to (1 − ημ) times itself.

What is asserted here for floats is proved in
proofs: quadratic-steps, no-overshoot, overshoot, quadratic-converges, quadratic-grows, quadratic-diverges,
proofs: small-rates-are-slow, small-rates-arrive, no-better-rate, best-rate, gradient-dominates, strongly-convex-rate,
proofs: one-over-lambda, noise-steps, noise-floor, noise-level-above, noise-level-below, noise-level-limit,
proofs: interpolation.
In rational numbers, over all draws of samples:
proofs: noise-step, noise-steps, falling-rate.
proofs: least-squares-descent.
proofs: quadratic-step, eigenbasis-step, regression-step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import reduce
from itertools import groupby, pairwise, permutations
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from refnn import BinaryCrossEntropy, Dense, FullBatch, Network, SquaredError, descend, descent
from refnn.arithmetic.rational import RationalArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray, IntArray, expit, join, sech_squared
from refnn.descent import Batches
from refnn.testing import ordinary_values
from tests.laws.measures import examples, number
from tests.laws.ranges import EPS

SAMPLES, INPUTS = 7, 2
REGRESSION = Network(Dense(INPUTS, 1), loss=SquaredError())
CLASSIFICATION = Network(Dense(INPUTS, 1), loss=BinaryCrossEntropy())


def norm(v: FloatArray) -> float:
    return float(np.sqrt(np.sum(v * v)))


def extended(x: FloatArray) -> FloatArray:
    """x̃ = (x, 1): the weights and the bias act alike."""
    return np.column_stack([x, np.ones(len(x))])


class Quadratic(NamedTuple):
    """The loss of linear regression: its minimum, by least squares, and its curvatures, in ascending order."""

    x: FloatArray
    y: FloatArray
    best: FloatArray
    curvatures: FloatArray
    axes: FloatArray
    slack: float
    """How far (A − μ)v may be from 0 for each computed eigenvector, the rounding of A included."""


def spectrum(rows: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """The eigenvalues μ of A = Σᵢ sᵢ x̃ᵢᵀx̃ᵢ/N, in ascending order; its axes v; how far (A − μ)v may be from 0.

    By Weyl's inequality that is also how far the eigenvalues may be off.
    """
    matrix = rows.T @ (weights * rows) / len(rows)
    curvatures, axes = np.linalg.eigh(matrix)
    residual = norm(matrix @ axes - axes * curvatures)
    # Of A: N + 1 products, sums and a quotient; of the residual: P + 2 = 5. Each costs half an EPS.
    rounding = (len(rows) + 7) * EPS * norm(abs(rows).T @ (weights * abs(rows)) / len(rows))
    return curvatures, axes, residual + rounding


def quadratic(x: FloatArray, y: FloatArray) -> Quadratic:
    rows = extended(x)
    return Quadratic(x, y, np.linalg.lstsq(rows, y, rcond=None)[0], *spectrum(rows, np.ones((len(x), 1))))


def array(rows: int, columns: int, values: Any) -> st.SearchStrategy[FloatArray]:
    return st.tuples(*[values] * (rows * columns)).map(lambda v: np.array(v, dtype=float).reshape(rows, columns))


QUADRATICS = st.tuples(
    array(SAMPLES, INPUTS, ordinary_values()), array(SAMPLES, 1, ordinary_values()).map(lambda y: y[:, 0])
).map(lambda xy: quadratic(*xy))


def step_error(network: Network, radius: float, x: FloatArray, y: FloatArray, eta: float) -> float:
    """A bound on the rounding error of any step of linear regression whose parameters are within `radius` of 0.

    All errors of such a step grow with the magnitudes in it, and this step has the largest: nothing in it cancels.
    """
    w = RoundedArray.exact(np.full(network.size, radius))
    _, gradient = network.loss_and_gradient(w, abs(x), -abs(y))
    return norm((w + number(eta) * gradient).error)


def slope_at(network: Network, w: FloatArray, x: FloatArray, y: FloatArray) -> float:
    """A bound on the length of the gradient."""
    _, gradient = network.loss_and_gradient(RoundedArray.exact(w), x, y)
    return norm(abs(gradient.value) + gradient.error)


def stationary(q: Quadratic) -> float:
    """A bound on the gradient at the computed minimum, which is not quite 0."""
    return slope_at(REGRESSION, q.best, q.x, q.y)


# -------------------------------------------------------------------------------------------------- on a quadratic


def follow(q: Quadratic, start: FloatArray, times: float, steps: int) -> tuple[FloatArray, FloatArray, list[float]]:
    """The coordinates of w − w* along all axes, step after step; how far they may be off; and the losses.

    η = times/λ. Each coordinate is asserted to become (1 − ημ) times what it was, but for rounding.
    """
    eta = times / float(q.curvatures[-1])
    path = [
        start,
        *(
            step.parameters
            for step in descend(REGRESSION, start, q.x, q.y, batches=FullBatch(), learning_rate=eta, epochs=steps)
        ),
    ]
    factors = 1 - eta * q.curvatures
    coordinates = np.array([(w - q.best) @ q.axes for w in path])
    tolerances = []
    for w, before, after in zip(path, coordinates, coordinates[1:], strict=False):
        size = norm(w - q.best)
        rounding = step_error(REGRESSION, float(np.max(abs(w))), q.x, q.y, eta)
        # The eigenvectors' residual, the gradient at the computed w*, the step, and two inner products with an axis:
        # each a difference, P products and P − 1 sums, so 6 roundings; with 1 − ημ and the product with it, 15.
        dot = 16 * EPS * (norm(w) + norm(q.best) + abs(eta) * size * float(q.curvatures[-1]))
        tolerances.append(eta * q.slack * size + eta * stationary(q) + rounding + dot)
        assert np.all(abs(after - factors * before) <= tolerances[-1])
    return coordinates, np.array(tolerances), [REGRESSION.loss(w, q.x, q.y) for w in path]


def loss_error(q: Quadratic, radius: float) -> float:
    """A bound on the rounding error of the loss, wherever the parameters are within `radius` of 0."""
    w = RoundedArray.exact(np.full(REGRESSION.size, radius))
    return float(REGRESSION.loss(w, abs(q.x), -abs(q.y)).error)


STARTS = array(1, INPUTS + 1, ordinary_values()).map(lambda w: w[0])


@examples(1)
@given(QUADRATICS, STARTS, st.sampled_from((0.1, 0.5, 0.9)))
def test_below_one_over_lambda_every_coordinate_stays_on_its_side_and_the_loss_falls(
    q: Quadratic, offset: FloatArray, times: float
) -> None:
    start = q.best + q.axes[:, -1] + 0.5 * offset
    coordinates, tolerances, path = follow(q, start, times, steps=6)
    for before, after, tolerance in zip(coordinates, coordinates[1:], tolerances, strict=False):
        sides = before * after
        assert np.all(sides[abs(after) > tolerance] > 0)
        assert np.all(abs(after) <= abs(before) + tolerance)
    slack = 2 * loss_error(q, norm(q.best) + norm(start - q.best))  # no step leads away from w*
    assert all(b <= a + slack for a, b in pairwise(path))


@examples(1)
@given(QUADRATICS, STARTS, st.sampled_from((1.1, 1.5, 1.9)))
def test_between_one_and_two_over_lambda_the_top_coordinate_overshoots_every_time_and_converges(
    q: Quadratic, offset: FloatArray, times: float
) -> None:
    assume(q.curvatures[-1] > 1.01 * q.curvatures[-2])  # so that there is one top axis
    # The coordinate along the top axis starts at no less than 1.
    start = q.best + q.axes[:, -1] * (1 + abs(offset[0])) + 0.5 * offset[1] * q.axes[:, 0]
    coordinates, tolerances, path = follow(q, start, times, steps=6)
    top = coordinates[:, -1]
    assert np.all(abs(top[1:]) > tolerances)  # 0.1⁶ is far from rounding, so each sign is certain
    assert np.all(top[1:] * top[:-1] < 0)
    assert np.all(abs(top[1:]) < abs(top[:-1]))
    assert path[-1] < path[0]


@examples(1)
@given(QUADRATICS, st.sampled_from((2.1, 3.0, 10.0)))
def test_above_two_over_lambda_it_grows(q: Quadratic, times: float) -> None:
    coordinates, _, path = follow(q, q.best + q.axes[:, -1], times, steps=6)
    top = abs(coordinates[:, -1])
    assert np.all(top[1:] > top[:-1])
    assert all(b > a for a, b in pairwise(path))


@examples(1)
@given(QUADRATICS, STARTS, st.sampled_from((0.5, 0.9, 1.1, 1.5)))
def test_the_best_rate_is_two_over_the_sum_of_the_extreme_curvatures(
    q: Quadratic, offset: FloatArray, other: float
) -> None:
    smallest, largest = float(q.curvatures[0]), float(q.curvatures[-1])
    assume(smallest > largest / 100)
    ratio, best = (largest - smallest) / (largest + smallest), 2 * largest / (largest + smallest)
    start, ends = q.best + q.axes[:, 0] + q.axes[:, -1], [0, -1]
    coordinates, tolerances, _ = follow(q, start + 0.5 * offset, best, steps=6)
    for before, after, tolerance in zip(coordinates, coordinates[1:], tolerances, strict=False):
        # ημ ≤ 2 has 4 roundings, 1 − ημ one more, the ratio 3, and its product with `before` one: 6½ EPS of it.
        shrunk, slack = ratio * abs(before), tolerance + 7 * EPS * abs(before)
        assert np.all(abs(after) <= shrunk + slack)
        assert np.all((abs(after) >= shrunk - slack)[ends])
    (before, after), (tolerance,), _ = follow(q, start, other * best, steps=1)
    assert np.any((abs(after) > ratio * abs(before) + tolerance + 7 * EPS * abs(before))[ends])


def test_following_a_wrong_curvature_fails() -> None:
    x = np.cos(np.arange(14.0)).reshape(SAMPLES, INPUTS)
    q = quadratic(x, np.sin(np.arange(7.0)))
    follow(q, q.best + q.axes[:, -1], 0.5, steps=3)
    with pytest.raises(AssertionError):
        follow(q._replace(curvatures=q.curvatures * 1.001), q.best + q.axes[:, -1], 0.5, steps=3)


def test_the_number_of_steps_grows_like_one_over_eta() -> None:
    # x = ±1: A is the identity, and each step takes w − w* to (1 − η) times itself. To come within 1/r of where it
    # began takes n = ⌈ln r / −ln(1 − η)⌉ steps; and η ≤ −ln(1 − η) ≤ η/(1 − η).
    network = Network(Dense(1, 1), loss=SquaredError())
    x, y = np.array([[1.0], [-1.0]]), np.array([3.0, -1.0])  # w* = (2, 1), and the minimum is 0
    ratio = 1000.0
    first = network.loss(np.zeros(2), x, y)
    for k in range(3, 9):
        eta = 2.0**-k
        steps = descend(network, np.zeros(2), x, y, batches=FullBatch(), learning_rate=eta, epochs=10**5)
        n = next(s.number + 1 for s in steps if network.loss(s.parameters, x, y) <= first / ratio**2)
        assert math.log(ratio) * (1 - eta) / eta <= n <= math.log(ratio) / eta + 1


# --------------------------------------------------------------------------------------------- the global minimum


def gap(network: Network, w: FloatArray, best: FloatArray, x: FloatArray, y: FloatArray) -> float:
    """A bound from below on L(w) − L*, which is no less than L(w) − L(best)."""
    here, there = (network.loss(RoundedArray.exact(at), x, y) for at in (w, best))
    high, low = float(here.value - here.error), float(there.value + there.error)
    return max(0.0, high - low - 2 * EPS * (abs(high) + low))  # 3 roundings of half an EPS, and those of this line


def dominates(network: Network, w: FloatArray, best: FloatArray, mu: float, x: FloatArray, y: FloatArray) -> bool:
    """Whether ‖g‖² ≥ 2μ(L − L*): a bound from above, one from below, and fewer than 8 roundings of half an EPS each."""
    return slope_at(network, w, x, y) ** 2 * (1 + 8 * EPS) >= 2 * mu * gap(network, w, best, x, y)


@examples(1)
@given(QUADRATICS, STARTS, array(4, INPUTS, ordinary_values()))
def test_the_gradient_dominates_the_gap(q: Quadratic, w: FloatArray, more: FloatArray) -> None:
    smallest, lowest = float(q.curvatures[0]), q.best + q.axes[:, 0]
    assert dominates(REGRESSION, w, q.best, smallest - q.slack, q.x, q.y)
    if smallest > float(q.curvatures[-1]) / 100:  # along the lowest axis the two are equal: more is not true
        assert not dominates(REGRESSION, lowest, q.best, 1.01 * smallest, q.x, q.y)
    x, y = np.concatenate([CORNERS, more]), np.concatenate([LABELS, [0.0, 1.0, 1.0, 0.0]])
    rows = extended(x)
    best = newton(rows, y)
    # The minimum is no further from `best` than this, as in the test of logistic regression below, as long as the
    # slope is small; so on all of the way from w to it the curvature is at least μ.
    slope, curvature = slope_at(CLASSIFICATION, best, x, y), least_curvature(rows, best, 0.0)
    assert slope * float(np.sqrt((rows * rows).sum(axis=1)).max()) <= curvature / 2
    away = norm(w - best) * (1 + 8 * EPS)
    mu = least_curvature(rows, best, away + 2 * slope / curvature)
    assume(mu > 0)
    assert dominates(CLASSIFICATION, w, best, mu, x, y)


@examples(0.5)
@given(QUADRATICS, STARTS)
def test_full_batches_reach_the_global_minimum_of_linear_regression(q: Quadratic, start: FloatArray) -> None:
    smallest, largest = float(q.curvatures[0]), float(q.curvatures[-1])
    assume(smallest > largest / 60)
    eta, contraction = 1 / largest, 1 - (smallest - q.slack) / largest  # the distance shrinks to at most that of itself
    steps = math.ceil(math.log(1e-6) / math.log(contraction))  # to a millionth of what it was
    w = start
    for step in descend(REGRESSION, start, q.x, q.y, batches=FullBatch(), learning_rate=eta, epochs=steps):
        w = step.parameters
    distance = norm(start - q.best)
    # Each step adds its rounding; w stays in this ball.
    radius = norm(q.best) + distance
    drift = (step_error(REGRESSION, radius, q.x, q.y, eta) + eta * stationary(q)) / (1 - contraction)
    reached = contraction**steps * distance + drift
    assert norm(w - q.best) <= reached
    above = REGRESSION.loss(w, q.x, q.y) - REGRESSION.loss(q.best, q.x, q.y)
    assert above <= largest / 2 * reached**2 + stationary(q) * reached + 2 * loss_error(q, radius)


def sigma(z: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-z))


def logistic_step_error(x: FloatArray, radius: float, eta: float) -> float:
    """As `step_error`, for logistic regression.

    The parts of such a step do not grow together, so each is taken at its largest: z for parameters of `radius`; σ as
    1, with the slope ¼ by which it passes on the error of z; and σ − y as 1.
    """
    dense, rows = CLASSIFICATION.layers[0], RoundedArray.exact(abs(x))
    w = RoundedArray.exact(np.full(CLASSIFICATION.size, radius))
    parameters = tuple(CLASSIFICATION.unpack(w).values())
    z = dense.forward(parameters, rows)
    one = expit(RoundedArray.exact(np.full(z.shape, 40.0)))  # exp(−40) is nothing beside 1
    difference = RoundedArray(one.value, one.error + z.error / 4) - RoundedArray.exact(np.zeros(z.shape))
    gradient = join(*dense.gradient(parameters, rows, difference / len(x)))
    return norm((w + number(eta) * gradient).error)


def least_curvature(rows: FloatArray, w: FloatArray, room: float) -> float:
    """A bound from below on the curvature of logistic regression, wherever parameters are within `room` of w.

    It is that of Σᵢ σ′(zᵢ) x̃ᵢᵀx̃ᵢ/N, and σ′ = ¼ sech²(z/2) falls with |z|.
    """
    z = RoundedArray.exact(rows) @ RoundedArray.exact(w[:, np.newaxis])
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    farthest = (1 + 8 * EPS) * (abs(z.value) + z.error + room * lengths)  # fewer than 16 roundings, the root's halved
    slopes = sech_squared(RoundedArray.exact(farthest / 2)) / 4
    curvatures, _, slack = spectrum(rows, slopes.value - slopes.error)
    return float(curvatures[0]) - slack


def newton(rows: FloatArray, y: FloatArray) -> FloatArray:
    """The minimum of logistic regression by Newton's method, halving steps that do not lower the loss."""

    def loss(w: FloatArray) -> float:
        return float(np.mean(np.logaddexp(0, rows @ w) - y * (rows @ w)))

    w = np.zeros(rows.shape[1])
    for _ in range(40):
        p = sigma(rows @ w)
        step = np.linalg.solve(rows.T @ (rows * (p * (1 - p))[:, None]), rows.T @ (p - y))
        while norm(step) > math.sqrt(EPS) and loss(w - step) > loss(w):  # below that, losses differ by rounding alone
            step = step / 2
        w = w - step
    return w


CORNERS = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
LABELS = np.array([0.0, 1.0] * 3)
"""Three points that span the plane, each with both labels: no line separates them, and −log σ(z) − log σ(−z) grows with
|z| at each, so that the loss has a minimum, and only one (Albert, Anderson, Biometrika 71 (1984), 1–10: overlap)."""


@examples(0.25)
@given(array(3, INPUTS, ordinary_values()), st.tuples(*[st.sampled_from((0.0, 1.0))] * 3), STARTS)
def test_full_batches_reach_the_global_minimum_of_logistic_regression(
    more: FloatArray, labels: tuple[float, ...], start: FloatArray
) -> None:
    x, y = np.concatenate([CORNERS, more]), np.concatenate([LABELS, labels])
    rows = extended(x)
    best = newton(rows, y)
    # How far Newton's w̃ is from w*: as |σ″| ≤ σ′, the curvature along a line from w̃ is at least μe^{−Rt}, with R the
    # longest x̃; so the slope, at least −g at w̃, is at least −g + μ(1 − e^{−Rt})/R. If gR/μ ≤ ½ that has risen to 0 at
    # t = −ln(1 − gR/μ)/R ≤ 2g/μ: the minimum of the loss on each line from w̃, and hence w*, is no further.
    slope, curvature = slope_at(CLASSIFICATION, best, x, y), least_curvature(rows, best, 0.0)
    assert slope * float(np.sqrt((rows * rows).sum(axis=1)).max()) <= curvature / 2
    newtons = 2 * slope / curvature
    curvatures, _, slack = spectrum(rows, np.ones((len(x), 1)))
    largest = (float(curvatures[-1]) + slack) / 4  # σ′ ≤ 1/4
    eta, distance = 1 / largest, norm(start - best) + newtons
    # A step rounds, and so do the two distances below: each a difference, P squares, P − 1 sums and a root, at most 8
    # roundings of half an EPS.
    error = logistic_step_error(x, norm(best) + distance, eta) + 8 * EPS * (norm(best) + distance)

    def height(w: FloatArray) -> tuple[float, float]:
        """L(w) − L(w̃), and how far rounding may have moved it."""
        here, there = (CLASSIFICATION.loss(RoundedArray.exact(at), x, y) for at in (w, best))
        return float(here.value - there.value), float(here.error + there.error)

    w, steps, n = start, descend(CLASSIFICATION, start, x, y, batches=FullBatch(), learning_rate=eta, epochs=10**6), 200
    for _, step in zip(range(n), steps, strict=False):
        assert norm(step.parameters - best) <= norm(w - best) + error + 2 * newtons
        w = step.parameters
    # Convex, and smooth with constant λ: L(w_n) − L* ≤ 2λ‖w₀ − w*‖²/(n + 4) (Nesterov, "Lectures on Convex
    # Optimization", 2nd ed. 2018, corollary 2.1.2); each rounding adds at most the slope λ‖w₀ − w*‖ times itself.
    gap, rounding = height(w)
    assert gap <= 2 * largest * distance**2 / (n + 4) + n * largest * distance * error + rounding

    # In the ball around w* that w no longer leaves, the curvature is at least μ, and the gap falls by 1 − μ/λ a step.
    radius = norm(w - best) + newtons
    smallest = least_curvature(rows, best, radius + newtons)
    assume(smallest > largest / 250)
    n = math.ceil(math.log(1e-4) / math.log1p(-smallest / largest))
    for _, step in zip(range(n), steps, strict=False):
        w = step.parameters
    remaining, again = height(w)
    above = gap + rounding + slope * newtons  # over L(w*), which is no more than that below L(w̃)
    assert remaining <= (1 - smallest / largest) ** n * above + n * largest * radius * error + again


# ------------------------------------------------------------------------------------- batches that see some samples


def update(q: Quadratic, batch: IntArray, eta: float) -> tuple[FloatArray, FloatArray]:
    """I − ηA_b and ηg_b(w*): a step on this batch takes the error e to (I − ηA_b)e − ηg_b(w*)."""
    rows = extended(q.x)[batch]
    noise = rows.T @ (rows @ q.best - q.y[batch]) / len(batch)
    return np.eye(rows.shape[1]) - eta * rows.T @ rows / len(batch), eta * noise


@pytest.mark.parametrize("variant", descent.ALL, ids=lambda v: type(v).__name__)
@examples(0.4)
@given(data=st.data())
def test_on_interpolating_data_every_variant_reaches_the_minimum(variant: Batches, data: st.DataObject) -> None:
    x, truth, start = data.draw(
        st.tuples(array(SAMPLES, INPUTS, st.integers(-2, 2)), array(1, INPUTS + 1, st.integers(-3, 3)), STARTS)
    )
    q = quadratic(x, extended(x) @ truth[0])._replace(best=truth[0])  # whole numbers: y is exact, and so is w*
    lengths = (extended(x) ** 2).sum(axis=1)
    eta = 1 / float(lengths.max())  # no batch has a larger curvature, so that no step leads away from w*
    w, expected, steps = start, start - q.best, 0
    for step in descend(REGRESSION, start, x, q.y, batches=variant, learning_rate=eta, epochs=150, rng=5):
        expected = update(q, step.indices, eta)[0] @ expected
        w, steps = step.parameters, step.number + 1
    radius = norm(q.best) + norm(start - q.best)
    # The errors of all steps add up; a step alone may weigh one sample as much as all, so N times its rounding. What is
    # expected has as many products with I − ηA_b: N products and sums, two quotients or products, a difference, and
    # P products and sums of the product, so 13 roundings of half an EPS, in numbers up to |I| + η|A_b| ≤ √3 + 1.
    rounding = steps * (SAMPLES * step_error(REGRESSION, radius, x, q.y, eta) + 18 * EPS * radius)
    assert norm(w - q.best - expected) <= rounding
    event("arrived" if norm(expected) <= 1e-3 * norm(start - q.best) else "on its way")
    assume(norm(expected) <= 1e-3 * norm(start - q.best))  # flat directions take longer, some for ever


class Noise(NamedTuple):
    """After any epoch, ‖w − w*‖ ≤ shrink·(what it was) + kick: in the end, within kick/(1 − shrink).

    And ‖w − w*‖ ≥ least − shrink·(what it was), where `least` is the smallest kick of any order.
    """

    shrink: float
    kick: float
    least: float

    @property
    def radius(self) -> float:
        return self.kick / (1 - self.shrink)


def noise(q: Quadratic, sizes: list[int], eta: float) -> Noise:
    """The worst of all orders in which an epoch can see the samples."""
    ends = np.cumsum([0, *sizes])
    shrinks, kicks = [], []
    for order in permutations(range(len(q.x))):
        batches = [np.sort(order[a:b]) for a, b in pairwise(ends)]
        matrix, kick = reduce(_then, (update(q, batch, eta) for batch in batches))
        shrinks.append(np.linalg.norm(matrix, 2))
        kicks.append(norm(kick))
    return Noise(float(max(shrinks)), max(kicks), min(kicks))


def _then(first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    return second[0] @ first[0], second[0] @ first[1] + second[1]


def ends_of_epochs(q: Quadratic, variant: Batches, eta: float, epochs: int) -> Iterable[FloatArray]:
    steps = descend(REGRESSION, np.zeros(3), q.x, q.y, batches=variant, learning_rate=eta, epochs=epochs, rng=3)
    for _, epoch in groupby(steps, key=lambda step: step.epoch):
        *_, last = epoch
        yield last.parameters


@pytest.mark.parametrize("variant", descent.ALL, ids=lambda v: type(v).__name__)
def test_otherwise_every_variant_stays_within_a_radius_that_shrinks_with_eta(variant: Batches) -> None:
    # Six samples, which batches of 1, 3 and 6 divide: the gradients of an epoch at w* sum to 0, so that its kick is of
    # order η², its pull of order η, and the radius of order η.
    x = np.array([[1.0, 0.5], [-1.0, 0.25], [0.5, -1.0], [0.25, 1.0], [-0.75, -0.5], [0.5, 0.75]])
    q = quadratic(x, np.array([1.0, -0.5, 2.0, 0.0, -1.0, 0.5]))
    sizes = [len(batch) for batch in variant.epoch(len(x), np.random.default_rng(0))]
    radii = []
    for eta in (0.1, 0.05, 0.025):
        n = noise(q, sizes, eta)
        assert n.shrink < 1
        # Every step of an epoch adds its rounding; one sample may weigh as much as all, so N times that of the mean.
        error = len(sizes) * (len(x) * step_error(REGRESSION, 2 * norm(q.best), x, q.y, eta) + eta * stationary(q))
        error /= 1 - n.shrink
        distance = bound = norm(q.best)
        for w in ends_of_epochs(q, variant, eta, epochs=math.ceil(math.log(1e-3) / math.log(n.shrink))):
            before, distance, bound = distance, norm(w - q.best), n.shrink * bound + n.kick
            assert distance <= bound + error
            if len(sizes) > 1:  # it never arrives: as shrink < 1, one of two distances in a row is half the least kick
                assert before + distance >= n.least - error > 0
        assert distance <= n.radius + 1e-3 * norm(q.best) + error  # shrink to so many epochs is a thousandth
        radii.append((n.radius, error))
    for (wider, _), (narrower, error) in pairwise(radii):
        assert narrower < wider + error


# ------------------------------------------------------------------------------- single samples, drawn anew every time


def mean_squares(y: FloatArray, start: float, rate: Callable[[int], Fraction], steps: int) -> list[Any]:
    """The mean of e² before each step and after the last, over all draws of one sample each, by refnn, without errors.

    All inputs are 0, so that only the bias is learned, with the curvature 1; its best value is the mean of the targets.
    """
    lift = RationalArray.exact(y).lift
    best = RationalArray.exact(y).elements.sum() / len(y)
    network, x = Network(Dense(1, 1), loss=SquaredError()), np.zeros((len(y), 1))
    reached = [RationalArray.exact(np.array([0.0, start]))]
    found = [(start_ - best) ** 2 for start_ in (reached[0].elements[1],)]
    for step in range(steps):
        eta = lift(rate(step)).elements.item()
        reached = [
            RationalArray(w.elements - eta * network.loss_and_gradient(w, x[s : s + 1], y[s : s + 1])[1].elements)
            for w in reached
            for s in range(len(y))
        ]
        found.append(sum((w.elements[1] - best) ** 2 for w in reached) / len(reached))
    return found


TARGETS = st.lists(st.integers(-16, 16), min_size=1, max_size=3).map(lambda v: np.array(v) / 4)


def spread(y: FloatArray) -> Any:
    """σ²: the mean square of the samples' gradients at the best bias."""
    exact = RationalArray.exact(y).elements
    return ((exact - exact.sum() / len(y)) ** 2).sum() / len(y)


@given(TARGETS, st.integers(-8, 8), st.sampled_from((Fraction(1, 3), Fraction(1), Fraction(7, 4), Fraction(5, 2))))
def test_over_all_draws_of_single_samples_the_mean_square_is_as_proved(
    y: FloatArray, start: int, eta: Fraction
) -> None:
    rate = RationalArray.exact(y).lift(eta).elements.item()
    found = mean_squares(y, start / 2, lambda _: eta, steps=4)
    level = rate * spread(y) / (2 - rate)
    for t, square in enumerate(found):
        assert square == level + (1 - rate) ** (2 * t) * (found[0] - level)
    for before, after in pairwise(found):
        assert after == (1 - rate) ** 2 * before + rate * rate * spread(y)


@given(TARGETS, st.integers(-8, 8))
def test_with_a_rate_that_falls_like_one_over_t_the_mean_square_does_so_too(y: FloatArray, start: int) -> None:
    found = mean_squares(y, start / 2, lambda step: Fraction(1, step + 1), steps=4)
    assert found[1:] == [spread(y) / t for t in range(1, 5)]
