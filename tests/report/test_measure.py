"""The numbers behind the plots."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn import SettingError
from refnn.arithmetic.rounded import FUNCTION_ULPS, RoundedArray
from refnn.report import measure
from refnn.report.measure import (
    POINTS,
    Sweep,
    accuracy,
    choose_rates,
    extent,
    loss_surface,
    main_plane,
    record,
    recorded_steps,
    sweep_rates,
)
from tests.bounds import U, misses, svd_error
from tests.definitions import M, outside
from tests.laws.measures import number
from tests.rational import Rational

X = np.array([[0.0, 1.0], [2.0, -1.0], [1.0, 3.0], [-2.0, 0.5], [0.5, -1.5], [1.5, 0.0], [-1.0, 2.0]])
Y = np.array([1.0, -2.0, 0.5, 3.0, 0.0, -1.0, 2.0])
NETWORK = refnn.Network(refnn.Dense(2, 3), refnn.Tanh(), refnn.Dense(3, 1), loss=refnn.SquaredError())
W = np.linspace(-0.9, 1.1, 13)


# ------------------------------------------------------------------------------------------------------------- training


@given(st.integers(1, 10**7))
def test_recorded_steps_lie_in_the_run_and_are_not_too_many(total: int) -> None:
    steps = recorded_steps(total, POINTS)
    assert min(steps) == 0
    assert max(steps) < total
    assert len(steps) <= POINTS
    gaps = np.diff([*sorted(steps), total])
    assert gaps.max() <= math.ceil(total / (POINTS // 2))


def test_every_step_of_a_short_run_is_recorded() -> None:
    assert recorded_steps(POINTS // 2, POINTS) == set(range(POINTS // 2))


@pytest.mark.parametrize("batches", [refnn.FullBatch(), refnn.SingleSample(), refnn.MiniBatch(3)])
@pytest.mark.parametrize("epochs", [1, 5, 130])
def test_a_run_is_that_of_descend_with_the_losses_at_its_parameters(batches: refnn.Batches, epochs: int) -> None:
    told: list[float] = []
    run = record(
        "name", NETWORK, W, X, Y, batches=batches, learning_rate=0.05, epochs=epochs, rng=3, progress=told.append
    )
    steps = list(refnn.descend(NETWORK, W, X, Y, batches=batches, learning_rate=0.05, epochs=epochs, rng=3))
    per_epoch = len(steps) // epochs
    points = sorted(recorded_steps(len(steps), POINTS) | {len(steps)})
    parameters = [W, *(step.parameters for step in steps)]
    assert run.variant == "name"
    assert run.steps == len(steps)
    assert run.diverged_at is None
    assert run.path.tolist() == [parameters[k].tolist() for k in points]
    assert run.losses.tolist() == [NETWORK.loss(parameters[k], X, Y) for k in points]
    assert run.batch_losses.tolist() == [steps[k].loss for k in points[:-1]]
    assert run.epochs.tolist() == [k / per_epoch for k in points]
    assert run.parameters.tolist() == steps[-1].parameters.tolist()
    assert run.final_loss == NETWORK.loss(steps[-1].parameters, X, Y)
    assert (np.diff(run.seconds) > 0).all()
    assert run.seconds[0] == 0
    assert told[-1] == 1
    assert told == sorted(told)


def test_a_large_network_is_recorded_at_fewer_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "NUMBERS", 13 * 10)
    run = record("r", NETWORK, W, X, Y, batches=refnn.FullBatch(), learning_rate=0.05, epochs=90, rng=0)
    assert len(run.path) <= 10 + 1
    assert run.path[-1].tolist() != W.tolist()


def test_noise_is_the_distance_of_batch_losses_in_the_last_half() -> None:
    run = measure.Run(
        "r",
        steps=8,
        epochs=np.arange(9.0),
        seconds=np.arange(9.0),
        losses=np.array([9.0, 9, 9, 9, 7, 7, 8, 8, 9]),
        batch_losses=np.array([100.0, 100, 100, 100, 9, 11, 3, 2]),  # 2, 4, 5 and 6 away, in the last half: √(81/4)
        path=np.zeros((9, 2)),
        diverged_at=None,
    )
    assert run.noise == 4.5


def test_the_full_batch_has_no_noise_and_the_single_sample_has() -> None:
    full = record("f", NETWORK, W, X, Y, batches=refnn.FullBatch(), learning_rate=0.05, epochs=9, rng=0)
    bound = max(2 * float(NETWORK.loss(RoundedArray.exact(w), X, Y).error) for w in full.path)  # twice the same loss
    assert full.noise <= bound
    single = record("s", NETWORK, W, X, Y, batches=refnn.SingleSample(), learning_rate=0.05, epochs=9, rng=0)
    assert single.noise > 0.01  # the targets of the samples differ by 5: their losses differ by more than a percent


def test_divergence_ends_a_run_with_its_step_and_finite_numbers() -> None:
    options = {"batches": refnn.FullBatch(), "learning_rate": 1e30, "epochs": 50}
    with pytest.raises(refnn.DivergenceError) as caught:
        list(refnn.descend(NETWORK, W, X, Y, **options))  # type: ignore[arg-type] # options by name
    run = record("r", NETWORK, W, X, Y, rng=0, **options)  # type: ignore[arg-type] # likewise
    assert run.diverged_at == caught.value.step
    assert run.diverged_at is not None
    assert run.diverged_at > 0
    assert len(run.losses) == len(run.epochs) == len(run.seconds) == len(run.path) == len(run.batch_losses) + 1
    for numbers in (run.losses, run.path, run.batch_losses):
        assert np.isfinite(numbers).all()


LINEAR = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())


def test_divergence_at_the_first_step_leaves_no_noise() -> None:
    x, y = np.array([[1e100], [0.0], [1e100]]), np.array([-1e100, 0.0, 0.0])
    run = record("r", LINEAR, np.zeros(2), x, y, batches=refnn.FullBatch(), learning_rate=1e200, epochs=2, rng=0)
    assert run.diverged_at == 0
    assert math.isnan(run.noise)


def test_a_loss_over_all_samples_that_overflows_is_divergence_too() -> None:
    """Each step sees one sample and stays finite; the other sample's loss is then beyond the range of floats."""
    x, y = np.array([[1.0], [1e150]]), np.array([-(2.0**500), 0.0])
    run = record("r", LINEAR, np.zeros(2), x, y, batches=refnn.SingleSample(), learning_rate=0.5, epochs=1, rng=0)
    assert run.diverged_at in {1, 2}
    assert run.losses[0] == 2.0**998


def test_bad_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="epochs is 0"):
        record("r", NETWORK, W, X, Y, batches=refnn.FullBatch(), learning_rate=0.1, epochs=0, rng=0)


def test_accuracy_is_the_share_of_right_classes() -> None:
    network = refnn.Network(refnn.Identity(), loss=refnn.SoftmaxCrossEntropy())
    outputs = np.array([[1.0, 0, 0], [0, 2, 0], [0, 0, 3], [5, 0, 0], [0, 7, 0]])
    assert accuracy(network, np.zeros(0), outputs, np.array([0, 1, 2, 1, 0])) == 3 / 5


# ------------------------------------------------------------------------------------------------------- learning rates


def test_on_a_quadratic_with_curvature_one_the_rates_fall_as_theory_says() -> None:
    """x has mean 0 and variance 1, so the Hessian is the identity, and T steps multiply L by (1 − η)^2T.

    With T = 7: η = 0.001 gains 1.4 %; η = 1 arrives at once;
    3.16 multiplies the distance by −2.16 each step.
    """
    x, y = np.array([[-1.0], [1.0], [-1.0], [1.0], [-1.0], [1.0]]), np.array([-2.0, 4.0, -2.0, 4.0, -2.0, 4.0])
    told: list[float] = []
    found = sweep_rates(LINEAR, np.zeros(2), x, y, epochs=7, progress=told.append)
    powers = [M.sqrt(M.mpf(10) ** k) for k in range(-6, 7)]
    assert outside(found.rates, powers, FUNCTION_ULPS * np.spacing(found.rates)) == []  # as NumPy states
    assert (found.low, found.right, found.high) == (0, 6, 7)
    assert found.names == ("too low", "right", "too high")
    assert told[-1] == 1
    for rate, loss in zip(found.rates, found.final_losses, strict=True):
        w = RoundedArray.exact(np.zeros(2))
        for _ in range(7):
            w = w - number(rate) * LINEAR.loss_and_gradient(w, x, y)[1]
        rounded = LINEAR.loss(w, x, y)
        assert loss == rounded.value
        assert misses(rounded, 5 * (1 - Fraction(rate)) ** 14) == []  # L = ½(d₀² + d₁²), d₀ = 1 and d₁ = 3 at the start


def test_a_rate_that_diverges_ends_at_infinity() -> None:
    found = sweep_rates(LINEAR, np.zeros(2), np.array([[3.0], [5.0], [9.0]]), np.array([1.0, 0.0, 4.0]), epochs=60)
    assert math.isinf(found.final_losses[-1])
    at = found.diverged_at[-1]
    assert at == len(found.curves[-1]) - 1
    assert at == finite_steps(float(found.rates[-1]))


def finite_steps(rate: float) -> int:
    """After how many steps the loss is still finite."""
    x, y, done = [[3.0], [5.0], [9.0]], [1.0, 0.0, 4.0], 0
    steps = refnn.descend(LINEAR, np.zeros(2), x, y, batches=refnn.FullBatch(), learning_rate=rate, epochs=60)
    try:
        for step in steps:
            LINEAR.loss(step.parameters, x, y)
            done += 1
    except refnn.DivergenceError:
        return done
    raise AssertionError("the rate is not too high")


def test_without_a_rate_that_is_too_low_or_too_high_the_ends_are_taken() -> None:
    curves = [np.array([1.0, end]) for end in (0.5, 0.25, 0.75)]
    assert choose_rates(curves, [None] * 3) == (0, 1, 2)


def test_a_rate_that_diverged_is_too_high_and_never_right() -> None:
    curves = [np.array([1.0, end]) for end in (0.99, 0.95, 0.25, 0.5, 0.01, 2.0)]
    assert choose_rates(curves, [None, None, None, None, 1, None]) == (0, 2, 4)


@pytest.mark.parametrize(
    ("ends", "names"),
    [
        ((0.99, 0.25, 2.0), ("too low", "right", "too high")),
        ((0.75, 0.5, 0.75), ("lowest tried", "right", "highest tried")),  # the lowest made half of the progress
        ((0.25, 0.5, 2.0), ("lowest tried", "right", "too high")),
        ((2.0, 1.5, 3.0), ("lowest tried", "best tried", "too high")),
    ],
)
def test_rates_are_called_too_low_right_and_too_high_only_if_they_are(
    ends: tuple[float, ...], names: tuple[str, ...]
) -> None:
    curves, ended = tuple(np.array([1.0, end]) for end in ends), (None, None, None)
    assert Sweep(np.array([0.1, 1.0, 10.0]), curves, ended, *choose_rates(curves, ended)).names == names


def test_a_run_that_diverges_between_two_recorded_steps_ends_with_its_last_finite_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For x = 1, y = 0 each step multiplies the output by 1 − 2η = −199: half its square overflows in 67 steps."""
    monkeypatch.setattr(measure, "POINTS", 4)
    x, y, w = np.array([[1.0]]), np.array([0.0]), np.array([1.0, 0.0])
    run = record("r", LINEAR, w, x, y, batches=refnn.FullBatch(), learning_rate=100.0, epochs=500, rng=0)
    assert run.diverged_at is not None
    assert run.steps - 1 <= run.diverged_at <= run.steps
    assert run.epochs[-1] >= run.steps - 1
    assert run.final_loss > 1e300
    assert len(run.losses) == len(run.batch_losses) + 1


# ----------------------------------------------------------------------------------------------------- the loss surface


def exactly(values: np.ndarray) -> Any:
    """An array of fractions."""
    return Rational.of(values).elements


def test_the_main_plane_holds_the_two_directions_of_largest_variance() -> None:
    """With eight points and powers of two, all is exact but the decomposition, of a matrix A in proportion to offsets.

    Its singular values are to each other as √64, √8 and √2, and ‖A‖ to them as √74; in these units the decomposition is
    that of A + E with ‖E‖ ≤ e√74. A singular vector moves by at most 2‖E‖/(gap − ‖E‖), where the gap is that of its own
    singular value to all others and to 0 (Wedin, "Perturbation bounds in connection with singular value
    decomposition", BIT 12 (1972)): here √8 − √2, for both. The root of the share is the quotient of the lengths of two
    vectors of singular values, which ‖E‖ at most makes longer or shorter (Mirsky): it is off by 2e/(1 − e).
    """
    offsets = np.array(
        [[0, 4, 0], [0, -4, 0], [0, 4, 0], [0, -4, 0], [0, 0, 1], [0, 0, -1], [2, 0, 0], [-2, 0, 0]], dtype=float
    )
    plane = main_plane([np.array([10, 20, 30]) + offsets])
    e = svd_error(8, 3)
    moved = 2 * e * math.sqrt(74) / (math.sqrt(8) - math.sqrt(2) - e * math.sqrt(74)) + e * math.sqrt(3)
    assert (np.abs(plane.directions - [[0, 1, 0], [1, 0, 0]]) <= moved).all()
    assert plane.origin.tolist() == [10, 20, 30]
    assert abs(Fraction(plane.share) - Fraction(72, 74)) <= 5 * e  # 4e/(1 − e), and some ten roundings


@given(st.integers(0, 10**6))
def test_no_other_plane_holds_more(seed: int) -> None:
    rng = np.random.default_rng(seed)
    paths = [rng.normal(size=(k, 5)) @ np.diag([1, 2, 3, 4, 5]) for k in (7, 11)]
    plane = main_plane(paths)
    offsets = [exactly(p) - exactly(plane.origin) for p in paths]

    def held(directions: np.ndarray) -> Fraction:
        """The variance in these directions, in fractions."""
        parts: list[Fraction] = [np.sum((part @ exactly(directions.T)) ** 2) / len(part) for part in offsets]
        return parts[0] + parts[1]

    other, _ = np.linalg.qr(rng.normal(size=(5, 2)))
    assert held(other.T) <= held(plane.directions)
    # The decomposition is that of A + E, where five roundings of each element of A count as well. The root of the share
    # is ‖(A + E)V‖/‖A + E‖: E moves both lengths by e‖A‖ at most, and directions that are not quite V, ‖AV‖ by e√5·‖A‖.
    # Together that is less than 5e, also with the ten roundings of the share itself.
    e = svd_error(18, 5) + 5 * U
    assert abs(Fraction(plane.share) - held(plane.directions) / held(np.eye(5))) <= 2 * 5 * e


def test_each_path_counts_alike_however_many_points_it_has() -> None:
    short, long = np.array([[0.0, 0], [4, 0]]), np.full((512, 2), [2.0, 6.0])  # weights ½ and 2⁻⁹: every sum is exact
    assert main_plane([short, long]).origin.tolist() == [2, 3]


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_planes_of_any_scale_have_unit_directions(scale: float) -> None:
    plane = main_plane([scale * np.array([[0.0, 0, 1], [1, 0, 0], [0, 2, 0], [3, 0, 1]])])
    assert is_orthonormal(plane.directions, rows=4)
    assert 0 < plane.share <= 1


def test_paths_that_do_not_move_still_have_a_plane() -> None:
    plane = main_plane([np.ones((4, 3))])
    assert plane.share == 1
    assert is_orthonormal(plane.directions, rows=4)
    assert plane.coordinates(np.ones((4, 3))).tolist() == [[0, 0]] * 4


def is_orthonormal(directions: np.ndarray, rows: int) -> bool:
    """Whether they are, as far as a decomposition of so many rows can tell: V + F with ‖F‖ ≤ e√columns.

    (V + F)(V + F)ᵀ is off by 2‖F‖ + ‖F‖².
    """
    apart = svd_error(rows, directions.shape[1]) * math.sqrt(directions.shape[1])
    product = exactly(directions) @ exactly(directions).T
    return bool((abs(product - np.eye(2, dtype=int)) <= 2 * apart + apart**2).all())


def test_directions_that_are_not_orthonormal_are_seen() -> None:
    assert is_orthonormal(np.eye(2, 3), rows=4)
    assert not is_orthonormal((1 + 2.0**-36) * np.eye(2, 3), rows=4)
    assert not is_orthonormal(np.array([[1, 2.0**-36, 0], [0, 1, 0]]), rows=4)


def test_coordinates_are_those_that_made_the_points() -> None:
    plane = measure.Plane(np.array([1.0, 2.0, 3.0]), np.array([[0.0, 0, 1], [0, 1, 0]]), 1.0)
    assert plane.coordinates(np.array([[1.0, 7, 3], [9, 2, 5]])).tolist() == [[0, 5], [2, 0]]


def test_the_surface_has_rows_for_the_second_direction() -> None:
    """L(w) = ½(w·1 + b)² for one sample x = 1, y = 0; directions w and b: ½(a + b)², exact for these numbers."""
    plane = measure.Plane(np.zeros(2), np.array([[1.0, 0], [0, 1.0]]), 1.0)
    a, b = np.array([0.0, 1, 2]), np.array([0.0, 0.5])
    told: list[float] = []
    surface = loss_surface(LINEAR, np.array([[1.0]]), np.array([0.0]), plane, 2 * a, b, told.append)
    assert surface.tolist() == [[0.5 * (2 * u + v) ** 2 for u in a] for v in b]
    assert told == [0.5, 1]


def test_the_surface_is_not_a_number_where_the_loss_overflows() -> None:
    plane = measure.Plane(np.zeros(2), np.eye(2), 1.0)
    surface = loss_surface(LINEAR, np.array([[1.0]]), np.array([0.0]), plane, np.array([0.0, 1e200]), np.array([0.0]))
    assert surface[0, 0] == 0
    assert math.isnan(surface[0, 1])


def test_the_grid_holds_all_coordinates_with_a_margin() -> None:
    a, b = extent([np.array([[0.0, 0.0], [50.0, 1.0]]), np.array([[10.0, 2.0]])], points=5)
    assert a.tolist() == [-7.5, 8.75, 25, 41.25, 57.5]
    assert b.tolist() == [-1, 0, 1, 2, 3]  # at least 2 % of the larger side
    a, b = extent([np.zeros((2, 2))], points=3)
    assert a.tolist() == b.tolist() == [-1, 0, 1]
