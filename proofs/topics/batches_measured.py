"""The three variants on a small regression: what is measured for the page, the same on every machine.

Numbers are added, multiplied and divided one by one, as IEEE arithmetic rounds them; no library sums in an order of its
own. What is measured over all batches is found by refnn in rational numbers.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np

from refnn import Dense, Network, SquaredError
from refnn.arithmetic.rational import RationalArray

__all__ = [
    "CLOSE",
    "EARLY",
    "EPOCHS",
    "ORDERS",
    "SAMPLES",
    "Variant",
    "beginning",
    "noise_numbers",
    "noise_picture",
    "path_numbers",
    "path_picture",
    "speed",
    "stability",
]

X = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.125, 1.25, 1.375, 1.5)
Y = (1.25, 1.0, 1.625, 1.375, 1.875, 1.625, 1.875, 1.75, 2.25, 2.5, 2.125, 2.5)
SAMPLES = len(X)
START = (-1.0, 2.5)
RATE, ORDERS, EPOCHS = 0.25, 20, 300

EARLY = (1, 4, 10)
"""After these epochs it is looked how far each has come."""

CLOSE = 50
"""A run has come close if no more than this part of its excess is left."""

Point = tuple[float, float]


@final
@dataclass(frozen=True)
class Variant:
    """A variant of gradient descent.

    Attributes
    ----------
    name
        In words.
    size
        Samples in a batch.
    """

    name: str
    size: int


FULL, MINI, SINGLE = VARIANTS = (Variant("batch", SAMPLES), Variant("mini-batch", 3), Variant("single samples", 1))


def added(values: Iterable[float]) -> float:
    """Their sum, one after the other: Python's own sum of floats is another one from 3.12 on."""
    return functools.reduce(operator.add, values)


def loss(point: Point) -> float:
    """The mean of ½(w x + b − y)²."""
    w, b = point
    return added((w * x + b - y) * (w * x + b - y) for x, y in zip(X, Y, strict=True)) / 2 / SAMPLES


def gradient(point: Point, batch: Sequence[int]) -> Point:
    """The mean of the gradients of some samples."""
    w, b = point
    residuals = [w * X[n] + b - Y[n] for n in batch]
    slope = added(r * X[n] for r, n in zip(residuals, batch, strict=True))
    return slope / len(batch), added(residuals) / len(batch)


def best() -> tuple[Point, float]:
    """Where the loss is least, and how small it is: the normal equations in fractions."""
    x, y = ([Fraction(value) for value in values] for values in (X, Y))
    sx, sy, sxx = sum(x), sum(y), sum(a * a for a in x)
    sxy = sum(a * b for a, b in zip(x, y, strict=True))
    w = (SAMPLES * sxy - sx * sy) / (SAMPLES * sxx - sx * sx)
    b = (sy - w * sx) / SAMPLES
    least = sum((w * p + b - r) ** 2 for p, r in zip(x, y, strict=True)) / 2 / SAMPLES
    return (float(w), float(b)), float(least)


def path(size: int, rate: float, epochs: int, seed: int) -> Iterator[Point]:
    """The point before training, and after each step; every epoch in a new order."""
    rng, (w, b) = random.Random(seed), START  # noqa: S311 - its numbers are the same for all versions of Python
    yield w, b
    for _ in range(epochs):
        order = [n for _, n in sorted((rng.random(), n) for n in range(SAMPLES))]
        for start in range(0, SAMPLES, size):
            p, r = gradient((w, b), order[start : start + size])
            w, b = w - rate * p, b - rate * r
            yield w, b


def excess(size: int, rate: float, epochs: int) -> list[float]:
    """How far the loss is above its least value after each step; the mean over some orders."""
    least = best()[1]
    runs = [[loss(point) - least for point in path(size, rate, epochs, seed)] for seed in range(ORDERS)]
    return [added(values) / ORDERS for values in zip(*runs, strict=True)]


def beginning() -> str:
    """How far the loss is above its least value before training."""
    return f"{loss(START) - best()[1]:.3f}"


@functools.cache
def speed() -> list[list[str]]:
    """A row for each variant: at one learning rate, after as many gradients of samples; and in the end."""
    rows = []
    for variant in VARIANTS:
        after, steps = excess(variant.size, RATE, EPOCHS), SAMPLES // variant.size
        early = [f"{after[epochs * steps]:.3f}" for epochs in EARLY]
        end = after[-EPOCHS // 10 * steps :]
        rows.append([variant.name, str(variant.size), str(steps), *early, _small(added(end) / len(end))])
    return rows


def _small(value: float) -> str:
    return "less than 0.0001" if value < 1e-4 else f"{value:.4f}"


@functools.cache
def stability() -> list[list[str]]:
    """A row for each variant: up to which rate it stays below its start, and how soon it can come close."""
    start = loss(START) - best()[1]
    rates = [n / 16 for n in range(1, 24)]
    rows = []
    for variant in VARIANTS:
        steps = SAMPLES // variant.size
        stable, soonest = 0.0, (math.inf, 0.0)
        for rate in rates:
            after = excess(variant.size, rate, 60)
            if max(after[-steps:]) >= start:
                break
            stable = rate
            hits = [epoch for epoch in range(1, 61) if after[epoch * steps] <= start / CLOSE]
            soonest = min(soonest, (hits[0] if hits else math.inf, rate))
        rows.append(
            [
                variant.name,
                str(variant.size),
                str(Fraction(stable)),
                str(Fraction(soonest[1])),
                str(int(soonest[0]) * SAMPLES),
            ]
        )
    return rows


# ----------------------------------------------------------------------------------------------------------- pictures


def paths() -> list[tuple[Variant, list[Point]]]:
    """Ten epochs of each variant."""
    return [(variant, list(path(variant.size, RATE, 10, 3))) for variant in VARIANTS]


def path_numbers() -> list[float]:
    """All points of all paths, and the best one."""
    return [*best()[0], *(value for _, points in paths() for point in points for value in point)]


def path_picture() -> Any:
    """The loss over both parameters, with the three paths."""
    from matplotlib.figure import Figure

    from refnn.report.plots import COLOURS, MARKERS

    figure = Figure(figsize=(10, 3.9), layout="constrained")
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    across, up = np.linspace(-1.3, 2.1, 120), np.linspace(0.0, 2.8, 120)
    losses = np.array([[loss((w, b)) for w in across] for b in up])
    (w_best, b_best), least = best()
    levels = least + (loss(START) - least) * np.geomspace(0.002, 2, 12)
    for panel, (variant, points), colour, marker in zip(panels, paths(), COLOURS, MARKERS, strict=True):
        panel.contour(across, up, losses, levels, colors="#AAAAAA", linewidths=0.7)
        panel.plot(*zip(*points, strict=True), color=colour, lw=1.2, marker=marker, ms=3.5)
        panel.plot(*START, "o", color="black", ms=6)
        panel.plot(w_best, b_best, "*", color="black", ms=11, mec="white")
        count = len(points) - 1
        panel.set_title(f"{variant.name} (B = {variant.size}): {count} steps")
        panel.set_xlabel("weight w")
    panels[0].set_ylabel("bias b")
    return figure


@functools.cache
def noise() -> list[tuple[int, float, float, float]]:
    """For each batch size: the noise over all batches, as refnn finds it; the theorem's; and that with replacement.

    Each is the root of the mean squared length of G − ḡ. Before the root is taken, the first two are the same fraction.
    """
    network = Network(Dense(1, 1), loss=SquaredError())
    w, x, y = RationalArray.exact(np.array(START)), np.array(X)[:, None], np.array(Y)

    def squared(batches: Sequence[Sequence[int]]) -> Fraction:
        found = [network.loss_and_gradient(w, x[list(batch)], y[list(batch)])[1] - full for batch in batches]
        mean = sum((error * error).elements.sum() for error in found) / len(found)
        return Fraction(int(mean.p), int(mean.q))

    _, full = network.loss_and_gradient(w, x, y)
    sigma = squared([[n] for n in range(SAMPLES)])
    rows = []
    for size in range(1, SAMPLES + 1):
        measured = squared(list(itertools.combinations(range(SAMPLES), size)))
        stated = sigma / size * Fraction(SAMPLES - size, SAMPLES - 1)
        if measured != stated:
            raise ArithmeticError(f"batches of {size}: {measured} is measured, and {stated} is proved")
        rows.append((size, math.sqrt(measured), math.sqrt(stated), math.sqrt(sigma / size)))
    return rows


def noise_numbers() -> list[float]:
    """All that is drawn."""
    return [value for row in noise() for value in row]


def noise_picture() -> Any:
    """The noise against the batch size: measured, proved, and with replacement."""
    from matplotlib.figure import Figure

    from refnn.report.plots import COLOURS

    rows = noise()
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    panel = figure.subplots()
    sigma = rows[0][1]
    sizes = np.linspace(1, SAMPLES, 200)
    panel.plot(sizes, sigma / np.sqrt(sizes), color=COLOURS[1], ls="--", lw=1.3, label="with replacement, σ/√B")
    panel.plot(
        sizes,
        sigma * np.sqrt((SAMPLES - sizes) / (sizes * (SAMPLES - 1))),
        color=COLOURS[0],
        lw=1.8,
        label="without replacement, as proved",
    )
    panel.plot(
        [row[0] for row in rows], [row[1] for row in rows], "o", color="black", ms=6, label="measured over all batches"
    )
    panel.set_xlabel(f"batch size B, of N = {SAMPLES} samples")
    panel.set_ylabel("noise of the gradient")
    panel.set_ylim(bottom=0)
    panel.legend()
    return figure
