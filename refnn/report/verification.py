"""The main job: train by all three variants of gradient descent, and hold the gradient against every witness."""

from __future__ import annotations

import importlib
import itertools
import math
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias, final

import numpy as np

import refnn
from refnn.activations import Activation, Tanh
from refnn.arrays import FloatArray, IntArray
from refnn.checks import count, generator, positive
from refnn.datasets import Dataset
from refnn.descent import Batches, FullBatch, MiniBatch, SingleSample
from refnn.errors import MissingExtraError
from refnn.layers import Dense
from refnn.losses import SoftmaxCrossEntropy, SquaredError
from refnn.network import Network
from refnn.report.allowed import Allowed, examine_allowed
from refnn.report.measure import Plane, Run, Sweep, accuracy, extent, loss_surface, main_plane, record, sweep_rates
from refnn.report.proven import Descent, Rounding, examine_descent, examine_rounding
from refnn.witnesses import ALL as WITNESSES
from refnn.witnesses import Row, examine

__all__ = ["Moment", "Settings", "Surface", "Verification", "jsonable", "network_for", "verify"]

Narrator: TypeAlias = Callable[[str, float], None]
"""A function that is told what is being done, and which part of it is done, from 0 to 1."""

EXAMINED = 700_000
"""The witnesses examine so many samples that samples · parameters², which they take time for, stays below this."""

EXACT = 10_000_000
"""The exact gradient is that of so many samples that samples · parameters stays below this: it takes seconds."""

CERTIFIED = 100_000
"""The learning rate is certified, and float32 examined, for so many samples that samples · parameters stays below this:
likewise."""

SWEEP_EPOCHS = 50
"""Each learning rate is tried for so many epochs, or for fewer if training is shorter."""


TANH = Tanh()


@final
@dataclass(frozen=True, slots=True)
class Settings:
    """How a network is built and trained.

    Parameters
    ----------
    hidden
        Units in the hidden layer.
    activation
        Its activation.
    epochs
        How often all samples are seen, for every variant.
    learning_rate
        η, the same for every variant.
    batch_size
        Samples in a mini-batch.
    seed
        For the initial parameters and for the order of the samples.

    Raises
    ------
    SettingError
        If a number is out of its range.
    """

    hidden: int = 8
    activation: Activation = TANH
    epochs: int = 100
    learning_rate: float = 0.1
    batch_size: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        count("hidden", self.hidden)
        count("epochs", self.epochs)
        positive("learning_rate", self.learning_rate)
        count("batch_size", self.batch_size)
        count("seed", self.seed, least=0)

    def variants(self) -> dict[str, Batches]:
        """The three variants of gradient descent, by name."""
        return {
            "full batch": FullBatch(),
            "single sample": SingleSample(),
            f"mini-batch of {self.batch_size}": MiniBatch(self.batch_size),
        }


@final
@dataclass(frozen=True, slots=True)
class Moment:
    """What the witnesses said of the gradient at some parameters.

    Attributes
    ----------
    when
        At which parameters.
    rows
        What each witness said.
    rounding
        How far the gradient is from the exact one; None without python-flint.
    allowed
        How far it is in float32, and may be; None where a number leaves that format's range.
    """

    when: str
    rows: tuple[Row, ...]
    rounding: Rounding | None = None
    allowed: Allowed | None = None

    @property
    def agrees(self) -> bool:
        """Whether a witness spoke, all that did agreed, and so did the exact gradient and float32, if there are any.

        That zeros would pass in float32 is so of the format; it is told, and no fault.
        """
        within = (self.rounding is None or self.rounding.ratio <= 1) and not self._out_in_float32
        return within and {row.verdict for row in self.rows} - {"not installed", "not run"} == {"agrees"}

    @property
    def disagrees(self) -> bool:
        """Whether a witness disagreed, or the exact gradient or float32 is out of its bound."""
        out = (self.rounding is not None and self.rounding.ratio > 1) or self._out_in_float32
        return out or any(row.verdict == "disagrees" for row in self.rows)

    @property
    def _out_in_float32(self) -> bool:
        return self.allowed is not None and self.allowed.verdict == "disagrees"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """The loss on a plane through the paths of the runs.

    Attributes
    ----------
    plane
        The plane, by its origin and directions.
    a : (A,), b : (B,)
        The grid.
    losses : (B, A)
        The loss over all samples.
    """

    plane: Plane
    a: FloatArray
    b: FloatArray
    losses: FloatArray


@final
@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """What `verify` found.

    Attributes
    ----------
    data
        The standardised data.
    network, settings
        What was trained, and how.
    examined
        The number of samples whose gradient the witnesses examined; all, if there are few.
    moments
        The witnesses' rows before training, and after it for each variant that did not diverge.
    runs
        One for each variant.
    sweep
        Learning rates on the same data.
    surface
        The loss around the paths; None if every run diverged.
    descent
        Which learning rates provably lower the loss in one step before training; None without python-flint.
    missing
        What to do about python-flint, if it is not installed.
    """

    data: Dataset
    network: Network
    settings: Settings
    examined: int
    moments: tuple[Moment, ...]
    runs: tuple[Run, ...]
    sweep: Sweep
    surface: Surface | None
    descent: Descent | None = None
    missing: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the witnesses, the exact gradient and float32 agree at every moment, and no run diverged."""
        return all(moment.agrees for moment in self.moments) and all(run.diverged_at is None for run in self.runs)

    @property
    def disagrees(self) -> bool:
        """Whether a moment disagrees, or a run diverged; if neither, and they do not agree, it is undecided."""
        return any(moment.disagrees for moment in self.moments) or any(run.diverged_at is not None for run in self.runs)

    def accuracy(self, run: Run) -> float | None:
        """The share of samples that a run classifies rightly at its end; None if the targets are numbers."""
        if self.data.kind == "numbers" or run.diverged_at is not None:
            return None
        return accuracy(self.network, run.parameters, self.data.x, self.data.y)

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON; numbers that are not finite are the strings ``"nan"``, ``"inf"`` and ``"-inf"``."""
        surface = self.surface
        document: dict[str, Any] = jsonable(
            {
                "format": "refnn report",
                "refnn": refnn.__version__,
                "semantics": refnn.SEMANTICS,
                "python": platform.python_version(),
                "numpy": np.__version__,
                "python_flint": None if self.missing else importlib.import_module("flint").__version__,
                "agrees": self.agrees,
                "data": {
                    "name": self.data.name,
                    "provenance": self.data.provenance,
                    "samples": len(self.data.x),
                    "features": self.data.feature_names,
                    "kind": self.data.kind,
                    "classes": self.data.class_names,
                    "standardised": True,
                    "examined": self.examined,
                    "remarks": self.data.remarks,
                },
                "network": self.network.describe().splitlines(),
                "settings": asdict(self.settings) | {"activation": str(self.settings.activation)},
                "witnesses": [{"when": m.when, **asdict(row)} for m in self.moments for row in m.rows],
                "exact": [{"when": m.when, **asdict(m.rounding)} for m in self.moments if m.rounding is not None],
                "float32": [{"when": m.when, **asdict(m.allowed)} for m in self.moments if m.allowed is not None],
                "certificate": None if self.descent is None else _certificate(self.descent),
                "training": [
                    {
                        "variant": run.variant,
                        "initial_loss": run.losses[0],
                        "final_loss": run.final_loss,
                        "accuracy": self.accuracy(run),
                        "seconds": run.seconds[-1],
                        "steps": run.steps,
                        "noise": run.noise,
                        "diverged_at": run.diverged_at,
                        "curve": {
                            "epochs": run.epochs,
                            "seconds": run.seconds,
                            "losses": run.losses,
                            "batch_losses": run.batch_losses,
                        },
                    }
                    for run in self.runs
                ],
                "learning_rates": [
                    {"rate": rate, "final_loss": loss, "diverged_at": at}
                    for rate, loss, at in zip(
                        self.sweep.rates, self.sweep.final_losses, self.sweep.diverged_at, strict=True
                    )
                ],
                "surface": None if surface is None else {"share": surface.plane.share},
            }
        )
        return document


def _certificate(descent: Descent) -> dict[str, Any]:
    return asdict(descent) | {"tiles": len(descent.boxes), "boxes": [box._asdict() for box in descent.boxes]}


def jsonable(value: Any) -> Any:
    """`value` in the types of JSON, with text for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    return value


def network_for(data: Dataset, settings: Settings) -> Network:
    """Dense, activation, dense: with softmax cross-entropy for classes, with squared error for numbers."""
    inputs = data.x.shape[1]
    if data.class_names is None:
        return Network(
            Dense(inputs, settings.hidden), settings.activation, Dense(settings.hidden, 1), loss=SquaredError()
        )
    outputs = len(data.class_names)
    return Network(
        Dense(inputs, settings.hidden),
        settings.activation,
        Dense(settings.hidden, outputs),
        loss=SoftmaxCrossEntropy(),
    )


def tell_nobody(what: str, done: float) -> None:
    """Say nothing."""


def verify(data: Dataset, settings: Settings | None = None, narrator: Narrator = tell_nobody) -> Verification:
    """Train a network on some data by all three variants, and examine its gradient before and after by every witness.

    Parameters
    ----------
    data
        The data; they are standardised first.
    settings
        How to build and train the network.
    narrator
        Is told what is being done.

    Returns
    -------
    Verification
        Look at ``agrees`` first.

    Examples
    --------
    Every fifteenth iris, to be quick:

    >>> from dataclasses import replace
    >>> from refnn import datasets
    >>> from refnn.report.verification import Settings, verify
    >>> iris = datasets.iris()
    >>> found = verify(replace(iris, x=iris.x[::15], y=iris.y[::15]), Settings(hidden=2, epochs=1))
    >>> found.agrees, [run.variant for run in found.runs]
    (True, ['full batch', 'single sample', 'mini-batch of 16'])
    """
    settings = settings or Settings()
    data = data.standardised()
    x, y = data.x, data.y
    network = network_for(data, settings)
    w = network.initial_parameters(rng=generator(settings.seed))

    chosen, few = examined_samples(len(x), network.size), evenly_spaced(len(x), CERTIFIED // network.size)
    missing = _what_is_missing()

    def examined(when: str, parameters: FloatArray) -> Moment:
        what = f"witnesses {when}"
        heard = itertools.count()

        def progress(name: str) -> None:
            narrator(what, next(heard) / len(WITNESSES))

        rows = examine(network, parameters, x[chosen], y[chosen], progress=progress)
        narrator(what, 1)
        return Moment(when, rows, None if missing else rounding(when, parameters), allowed(when, parameters))

    def rounding(when: str, parameters: FloatArray) -> Rounding:
        narrator(f"exact gradient {when}", 0)
        some = evenly_spaced(len(x), EXACT // network.size)
        found = examine_rounding(network, parameters, x[some], y[some])
        narrator(f"exact gradient {when}", 1)
        return found

    def allowed(when: str, parameters: FloatArray) -> Allowed | None:
        narrator(f"float32 {when}", 0)
        found = examine_allowed(network, parameters, x[few], y[few])
        narrator(f"float32 {when}", 1)
        return found

    def telling(what: str) -> Callable[[float], None]:
        return lambda done: narrator(what, done)

    moments, runs = [examined("before training", w)], []
    descent = None if missing else examine_descent(network, w, x[few], y[few], telling("certified learning rate"))
    for variant, batches in settings.variants().items():
        run = record(
            variant,
            network,
            w,
            x,
            y,
            batches=batches,
            learning_rate=settings.learning_rate,
            epochs=settings.epochs,
            rng=settings.seed,
            progress=telling(f"training, {variant}"),
        )
        runs.append(run)
        if run.diverged_at is None:
            moments.append(examined(f"after {variant}", run.parameters))
    epochs = min(settings.epochs, SWEEP_EPOCHS)
    sweep = sweep_rates(network, w, x, y, epochs=epochs, progress=telling("learning rates"))
    surface = _surface(network, data, runs, telling("loss surface"))
    found = tuple(moments), tuple(runs)
    return Verification(data, network, settings, len(chosen), *found, sweep, surface, descent, missing)


def _what_is_missing() -> str:
    """The remedy, if python-flint is not installed."""
    try:
        importlib.import_module("refnn.oracle.truth")
    except MissingExtraError as error:
        return f"{error.given}. {error.remedy.partition(';')[0]}"
    return ""


def examined_samples(samples: int, parameters: int) -> IntArray:
    """The samples whose gradient the witnesses examine: all, or so many, evenly spaced, that `EXAMINED` is kept."""
    return evenly_spaced(samples, EXAMINED // parameters**2)


def evenly_spaced(samples: int, most: int) -> IntArray:
    """All samples, or so many at most, but at least three."""
    several = min(samples, max(3, most))
    return np.arange(several) * samples // several


def _surface(network: Network, data: Dataset, runs: list[Run], progress: Callable[[float], None]) -> Surface | None:
    paths = [run.path for run in runs if run.diverged_at is None]
    if not paths:
        return None
    plane = main_plane(paths)
    a, b = extent([plane.coordinates(path) for path in paths])
    return Surface(plane, a, b, loss_surface(network, data.x, data.y, plane, a, b, progress))
