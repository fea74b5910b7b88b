"""The numbers behind the plots: training with the loss over all samples recorded, learning rates, the loss surface."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np

from refnn.arrays import FloatArray, IntArray
from refnn.checks import count, generator
from refnn.descent import Batches, FullBatch, Step, descend
from refnn.errors import DivergenceError
from refnn.network import Network

__all__ = [
    "Plane",
    "Progress",
    "Run",
    "Sweep",
    "accuracy",
    "choose_rates",
    "extent",
    "loss_surface",
    "main_plane",
    "no_progress",
    "record",
    "recorded_steps",
    "sweep_rates",
]

Progress: TypeAlias = Callable[[float], None]
"""A function that is told which part is done, from 0 to 1."""

Targets: TypeAlias = FloatArray | IntArray

POINTS = 300
"""How many points of a run are recorded, at most: half of them evenly spaced, half ever closer to its beginning."""


def no_progress(done: float) -> None:
    """Tell nobody."""


NUMBERS = 10**7
"""How many parameters the path of a run may hold in all; a large network is recorded at fewer points."""


# ----------------------------------------------------------------------------------------------------------- training


@final
@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One training run, recorded at K steps and at its end.

    Attributes
    ----------
    variant
        The name of the variant of gradient descent.
    steps
        How many updates were made.
    epochs : (K + 1,)
        At which time the losses were recorded, in passes over all samples.
    seconds : (K + 1,)
        The same in seconds of training alone: recording takes no time here.
    losses : (K + 1,)
        The loss over all samples.
    batch_losses : (K,)
        What the step that followed saw: the loss of its batch, at the same parameters.
    path : (K + 1, P)
        The parameters.
    diverged_at
        The number of the step at which a result left the range of its format, or None.
    """

    variant: str
    steps: int
    epochs: FloatArray
    seconds: FloatArray
    losses: FloatArray
    batch_losses: FloatArray
    path: FloatArray
    diverged_at: int | None

    @property
    def final_loss(self) -> float:
        """The loss over all samples at the end."""
        return float(self.losses[-1])

    @property
    def parameters(self) -> FloatArray:
        """The parameters at the end, (P,)."""
        last: FloatArray = self.path[-1]
        return last

    @property
    def noise(self) -> float:
        """The root mean square of batch loss minus loss over all samples, at the points in the last half of the run."""
        late = self.epochs[:-1] >= self.epochs[-1] / 2
        if not late.any():
            return math.nan
        return math.hypot(*(self.batch_losses - self.losses[:-1])[late]) / math.sqrt(np.count_nonzero(late))


def record(
    variant: str,
    network: Network,
    w: FloatArray,
    x: FloatArray,
    y: Targets,
    *,
    batches: Batches,
    learning_rate: float,
    epochs: int,
    rng: int,
    progress: Progress = no_progress,
) -> Run:
    """Train, and record the loss over all samples at no more than `POINTS` points and the end.

    Parameters
    ----------
    variant
        What the run is called.
    network, w, x, y, batches, learning_rate, epochs, rng
        As for `refnn.descend`.
    progress
        Is told the part that is done.

    Returns
    -------
    Run
        With what was reached, if training diverged.

    Raises
    ------
    RefnnError
        As `refnn.descend`, before training.
    """
    count("epochs", epochs)
    per_epoch = sum(1 for _ in batches.epoch(len(x), generator(rng)))
    total = per_epoch * epochs
    marks = recorded_steps(total, min(POINTS, max(2, NUMBERS // network.size)))
    points = [(0.0, 0.0, network.loss(w, x, y), w)]
    batch_losses: list[float] = []
    taken, seconds, diverged_at = 0, 0.0, None
    before, w_before = 0.0, w
    steps = descend(network, w, x, y, batches=batches, learning_rate=learning_rate, epochs=epochs, rng=rng)
    try:
        for step, spent in _timed(steps):
            if step.number in marks:
                batch_losses.append(step.loss)
            before, w_before = seconds, w
            taken, seconds, w = step.number + 1, seconds + spent, step.parameters
            if taken in marks or taken == total:
                points.append((taken / per_epoch, seconds, network.loss(w, x, y), w))
                progress(taken / total)
    except DivergenceError as error:
        diverged_at = taken if error.step is None else error.step
    if diverged_at is not None and (taken - 1) / per_epoch > points[-1][0]:
        with contextlib.suppress(DivergenceError):  # one step back, for the loss after the last may be what overflowed
            points.append(((taken - 1) / per_epoch, before, network.loss(w_before, x, y), w_before))
    at, clock, losses, path = zip(*points, strict=True)
    return Run(
        variant,
        taken,
        np.array(at),
        np.array(clock),
        np.array(losses),
        np.array(batch_losses[: len(points) - 1]),
        np.array(path),
        diverged_at,
    )


def recorded_steps(total: int, points: int) -> set[int]:
    """Numbers of steps from 0 to below `total`, at most so many `points`: half evenly spaced, half geometrically."""
    even = np.linspace(0, total, points // 2, endpoint=False)
    geometric = np.geomspace(1, total, points // 2, endpoint=False)
    return {min(int(k), total - 1) for k in np.concatenate([even, geometric])}


def _timed(steps: Iterator[Step]) -> Iterator[tuple[Step, float]]:
    """Each step with the seconds that it took."""
    while True:
        begin = time.perf_counter()
        step = next(steps, None)
        if step is None:
            return
        yield step, time.perf_counter() - begin


def accuracy(network: Network, w: FloatArray, x: FloatArray, y: Targets) -> float:
    """The share of samples whose largest output is that of their class."""
    return float(np.mean(network.predict(w, x).argmax(axis=1) == y))


# ----------------------------------------------------------------------------------------------------- learning rates


@final
@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """Full-batch training with several learning rates, from the same parameters.

    Attributes
    ----------
    rates : (R,)
        Ascending.
    curves
        For each rate, the loss before training and after each epoch; shorter where training diverged.
    diverged_at
        For each rate, the step at which training diverged, or None.
    low, right, high
        The positions of three rates: `low` is the smallest, `right` reached the smallest loss, and `high` is the
        smallest above it that diverged or ended above the loss at the start (or the largest of all).
    """

    rates: FloatArray
    curves: tuple[FloatArray, ...]
    diverged_at: tuple[int | None, ...]
    low: int
    right: int
    high: int

    @property
    def names(self) -> tuple[str, str, str]:
        """What to call the three rates: too low is what made less than half of the progress of the right one."""
        start, ends = float(self.curves[0][0]), self.final_losses
        progress = start - ends[self.right]
        too_low = progress > 0 and start - ends[self.low] < progress / 2
        return (
            "too low" if too_low else "lowest tried",
            "right" if progress > 0 else "best tried",
            "too high" if ends[self.high] > start else "highest tried",
        )

    @property
    def final_losses(self) -> FloatArray:
        """The loss at the end for each rate; infinite where training diverged."""
        ended = zip(self.curves, self.diverged_at, strict=True)
        return np.array([curve[-1] if at is None else math.inf for curve, at in ended])


def sweep_rates(
    network: Network,
    w: FloatArray,
    x: FloatArray,
    y: Targets,
    *,
    epochs: int,
    progress: Progress = no_progress,
) -> Sweep:
    """Try the learning rates 0.001 to 1000, two for each factor of 10, with full batches.

    Parameters
    ----------
    network, w, x, y, epochs
        As for `refnn.descend`.
    progress
        Is told the part that is done.
    """
    rates = 10.0 ** (np.arange(-6, 7) / 2)
    curves, diverged_at = [], []
    for k, rate in enumerate(rates):
        curve = [network.loss(w, x, y)]
        at = None
        try:
            steps = descend(network, w, x, y, batches=FullBatch(), learning_rate=float(rate), epochs=epochs)
            curve.extend(network.loss(step.parameters, x, y) for step in steps)
        except DivergenceError:
            at = len(curve) - 1
        curves.append(np.array(curve))
        diverged_at.append(at)
        progress((k + 1) / len(rates))
    low, right, high = choose_rates(curves, diverged_at)
    return Sweep(rates, tuple(curves), tuple(diverged_at), low, right, high)


def choose_rates(curves: Sequence[FloatArray], diverged_at: Sequence[int | None]) -> tuple[int, int, int]:
    """The positions of the lowest rate, of the right one and of one that is too high; see `Sweep`."""
    ends = [float(c[-1]) if at is None else math.inf for c, at in zip(curves, diverged_at, strict=True)]
    start = float(curves[0][0])
    right = int(np.argmin(ends))
    high = min((k for k in range(right + 1, len(ends)) if ends[k] > start), default=len(ends) - 1)
    return 0, right, high


# --------------------------------------------------------------------------------------------------- the loss surface


@final
@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A plane in the space of the parameters: origin + a·directions[0] + b·directions[1].

    Attributes
    ----------
    origin : (P,)
    directions : (2, P)
        Orthonormal.
    share
        The part of the paths' variance that lies in the plane, from 0 to 1.
    """

    origin: FloatArray
    directions: FloatArray
    share: float

    def coordinates(self, path: FloatArray) -> FloatArray:
        """The coordinates (a, b) of points (K, P), projected onto the plane: (K, 2)."""
        return (path - self.origin) @ self.directions.T


def main_plane(paths: Sequence[FloatArray]) -> Plane:
    """The plane that is closest to all points of the paths, each path counting alike: their two main directions.

    Parameters
    ----------
    paths
        Points (K, P) of any number, with P ≥ 2.

    Notes
    -----
    The principal components of Pearson, "On lines and planes of closest fit to systems of points in space",
    Philosophical Magazine 2 (1901), by the singular value decomposition.
    """
    weights = np.concatenate([np.full(len(path), 1 / len(path)) for path in paths])
    points = np.concatenate(paths)
    origin = np.average(points, axis=0, weights=weights)
    offsets = points - origin
    reach = float(np.abs(offsets).max()) or 1.0  # taken out, so that no square overflows
    _, s, directions = np.linalg.svd(np.sqrt(weights)[:, np.newaxis] * (offsets / reach), full_matrices=False)
    signs = np.sign(directions[[0, 1], np.abs(directions[:2]).argmax(axis=1)])  # the sign of a direction is free
    spread = float(np.sum(s**2))
    share = float(np.sum(s[:2] ** 2)) / spread if spread > 0 else 1.0
    return Plane(origin, signs[:, np.newaxis] * directions[:2], min(share, 1.0))


def loss_surface(
    network: Network,
    x: FloatArray,
    y: Targets,
    plane: Plane,
    a: FloatArray,
    b: FloatArray,
    progress: Progress = no_progress,
) -> FloatArray:
    """The loss over all samples on a grid of the plane.

    Parameters
    ----------
    network, x, y
        As for `refnn.Network.loss`.
    plane
        The plane.
    a : (A,), b : (B,)
        Coordinates along its two directions.
    progress
        Is told the part that is done.

    Returns
    -------
    (B, A)
        Rows for b, columns for a, as contour plots want it; NaN where the loss leaves the range of its format.
    """
    surface = np.full((len(b), len(a)), math.nan)
    for i, v in enumerate(b):
        for j, u in enumerate(a):
            try:
                surface[i, j] = network.loss(plane.origin + u * plane.directions[0] + v * plane.directions[1], x, y)
            except DivergenceError:
                continue
        progress((i + 1) / len(b))
    return surface


def extent(coordinates: Sequence[FloatArray], points: int = 41) -> tuple[FloatArray, FloatArray]:
    """Grid lines along both directions that hold all coordinates (K, 2), with a margin of 15 % on each side."""
    every = np.concatenate(coordinates)
    low, high = every.min(axis=0), every.max(axis=0)
    margin = np.maximum(0.15 * (high - low), 0.02 * np.max(high - low))
    margin = np.where(margin > 0, margin, 1.0)
    lines = np.linspace(low - margin, high + margin, points)
    return lines[:, 0], lines[:, 1]
