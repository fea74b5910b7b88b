"""Small reports made by hand, and a quick `examine` in place of the witnesses, which have tests of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import refnn
from refnn.datasets import Dataset
from refnn.report.allowed import Allowed
from refnn.report.measure import Plane, Run, Sweep
from refnn.report.proven import Box, Descent, Rounding
from refnn.report.verification import Moment, Settings, Surface, Verification
from refnn.witnesses import Row

ROW = Row("slow_witness", "agrees", 1234.5, 0.25, 0.125, "loss, gradient", "rounding; <kinks>", "")


def row(**changes: object) -> Row:
    return replace(ROW, **changes)  # type: ignore[arg-type] # the names are Row's


ROUNDING = Rounding(7, 8, 5, 0, 0, 123.45, "0.weight[1, 0]", 0.1, "1.0000000000000001e-01", 0.125, 128, 0.5)


def rounding(**changes: object) -> Rounding:
    return replace(ROUNDING, **changes)  # type: ignore[arg-type] # the names are Rounding's


ALLOWED = Allowed(
    samples=7,
    elements=8,
    verdict="agrees",
    ratio=0.5,
    place="0.weight[2, 1]",
    decided=7,
    relative=2.5e-06,
    unnoticed=6,
    bfloat16_decided=3,
    bfloat16_relative=0.75,
    sizes=np.array([0.25, 0.0, 4.0, 1.0]),
    errors=np.array([1e-8, 0.0, 0.0, 2e-7]),
    bounds=np.array([2e-8, 0.0, np.inf, 5e-7]),
    reference="exact",
    seconds=0.25,
)


def allowed(**changes: object) -> Allowed:
    return replace(ALLOWED, **changes)  # type: ignore[arg-type] # the names are Allowed's


def descent(**changes: object) -> Descent:
    """φ(η) = (1 − η)², which is below φ(0) until η = 2; three tiles reach 1.96875."""
    boxes = (Box(0.0, 0.5, 0.25, 1.0, True), Box(0.5, 1.5, 0.0, 0.5, False), Box(1.5, 1.96875, 0.125, 0.9375, False))
    rates = np.array([0.5, 1.0, 2.5])
    whole = Descent(
        7, 1.96875, 2.0, "crossing", 128, "up to 1.96875 it falls", True, boxes, 1.0, rates, (1 - rates) ** 2, 0.25
    )
    return replace(whole, **changes)  # type: ignore[arg-type] # the names are Descent's


def run(variant: str = "full batch", *, diverged_at: int | None = None, end: float = 0.25) -> Run:
    """Three points: losses 1, ½ and `end`; the batches saw ¾ and 1."""
    return Run(
        variant=variant,
        steps=7,
        epochs=np.array([0.0, 0.5, 3.5]),
        seconds=np.array([0.0, 0.01, 0.03]),
        losses=np.array([1.0, 0.5, end]),
        batch_losses=np.array([0.75, 1.0]),
        path=np.array([[0.0, 0.0], [1.0, 0.5], [2.0, -1.0]]),
        diverged_at=diverged_at,
    )


def sweep() -> Sweep:
    """Rates 0.1, 1 and 10 of which the last diverges."""
    curves = (np.array([1.0, 0.95, 0.9]), np.array([1.0, 0.5, 0.25]), np.array([1.0, 1e6]))
    return Sweep(np.array([0.1, 1.0, 10.0]), curves, (None, None, 1), 0, 1, 2)


def surface() -> Surface:
    """L = 1 + a² + b² on a grid of 3 by 5."""
    a, b = np.linspace(-1, 3, 5), np.linspace(-2, 2, 3)
    plane = Plane(np.zeros(2), np.eye(2), 0.5)
    return Surface(plane, a, b, 1 + a[np.newaxis, :] ** 2 + b[:, np.newaxis] ** 2)


def small_data(kind: str = "classes") -> Dataset:
    """Seven samples of three features."""
    x = np.array([[1, 0, 5], [2, 1, 5], [4, 0, 5], [3, 3, 5], [0, 2, 5], [5, 5, 5], [2, 4, 5]], dtype=float)
    if kind == "numbers":
        return Dataset("small", x, x @ [1.0, -2.0, 0.5], ("a", "b", "c"), None, "made up")
    return Dataset("small", x, np.array([0, 0, 1, 1, 0, 1, 1]), ("a", "b", "c"), ("<no>", "yes"), "made up")


def verification(
    *,
    moments: tuple[Moment, ...] | None = None,
    runs: tuple[Run, ...] | None = None,
    around: Surface | None = None,
    kind: str = "classes",
) -> Verification:
    data = small_data(kind).standardised()
    network = refnn.Network(refnn.Dense(3, 2 if kind == "classes" else 1), loss=refnn.SquaredError())
    if runs is None:
        size = network.size
        runs = tuple(
            replace(run(name), path=np.arange(3.0 * size).reshape(3, size) / 7)
            for name in ("full batch", "single sample", "mini-batch of 5")
        )
    if moments is None:
        moments = (
            Moment(
                "before training",
                (ROW, row(witness="other", verdict="not installed", ulps=None, ratio=None)),
                ROUNDING,
                ALLOWED,
            ),
        )
    return Verification(data, network, Settings(batch_size=5), 7, moments, runs, sweep(), around, descent())


def hide_flint(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if python-flint were not installed, and nothing that needs it were loaded."""
    for module in [name for name in sys.modules if name.partition(".")[0] == "flint"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "flint", None)
    for module in ("arithmetic.ball", "arithmetic.rational", "arithmetic.tile"):
        monkeypatch.delitem(sys.modules, f"refnn.{module}", raising=False)
    for module in ("formats", "kinks", "truth", "certificate"):
        monkeypatch.delitem(sys.modules, f"refnn.oracle.{module}", raising=False)


Examine = Callable[..., tuple[Row, ...]]


def quick_examine(
    network: refnn.Network,
    w: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    *,
    progress: Callable[[str], None] | None = None,
) -> tuple[Row, ...]:
    """Two witnesses who agree at once."""
    assert progress is not None
    assert w.shape == (network.size,)
    for name in ("slow_witness", "other"):
        progress(name)
    return ROW, row(witness="other")


def quick_descent(
    network: refnn.Network, w: np.ndarray, x: np.ndarray, y: np.ndarray, progress: Callable[[float], None]
) -> Descent:
    """A certificate that is there at once."""
    progress(1)
    return descent(samples=len(x))
