"""Many steps: `fit`, which is `descend` with the usual conveniences."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, final

import numpy as np
from numpy.typing import ArrayLike

from refnn.arrays import FloatArray
from refnn.checks import RandomState, callback, count, number
from refnn.descent import LOWER, Batches, ProvenRate, Schedule, descend, read_only
from refnn.errors import DivergenceError
from refnn.network import Network
from refnn.rules import Rule


@final
@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What `fit` did.

    Attributes
    ----------
    parameters : (P,)
        The parameters after the last step.
    losses
        The loss over all samples: before training, and after each epoch that was finished.
    steps
        How many updates were made.
    stopped
        Why training ended: ``"epochs"`` all were done, ``"target"`` the loss fell below `stop_below`, ``"patience"``
        it no longer fell, ``"interrupted"`` by Ctrl-C, ``"diverged"`` it left the range of its format.
    """

    parameters: FloatArray
    losses: tuple[float, ...]
    steps: int
    stopped: Literal["epochs", "target", "patience", "interrupted", "diverged"]


def print_progress(epoch: int, epochs: int, loss: float) -> None:
    """Show the loss on standard error, in place, if that is a terminal."""
    if sys.stderr.isatty():
        end = "\n" if epoch == epochs else ""
        print(f"\repoch {epoch}/{epochs}  loss {loss:.6g}   ", end=end, file=sys.stderr, flush=True)  # noqa: T201


def _reason_to_stop(
    losses: list[float], target: float | Fraction, wait: int
) -> Literal["epochs", "target", "patience"]:
    """Why training ends after the epochs with these losses; ``"epochs"`` if only when all are done."""
    if losses[-1] < target:
        return "target"
    return "patience" if len(losses) - 1 - int(np.argmin(losses)) >= wait else "epochs"


def _after(step: int, error: DivergenceError) -> DivergenceError:
    """The loss over all samples left its range after a step: the error that names it."""
    named = DivergenceError(f"{error.given} over all samples, after step {step}", error.why, LOWER)
    named.step = step
    return named


def fit(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    batches: Batches,
    learning_rate: float | Schedule | ProvenRate,
    epochs: int,
    rule: Rule[Any] | None = None,
    rng: RandomState | None = None,
    stop_below: float | None = None,
    patience: int | None = None,
    progress: Callable[[int, int, float], None] | None = print_progress,
) -> History:
    """Train a network and keep the losses; `descend` with the usual conveniences.

    Parameters
    ----------
    network, w, x, y, batches, learning_rate, epochs, rule, rng
        As for `descend`.
    stop_below
        Stop once the loss over all samples is below this.
    patience
        Stop once that loss has not reached a new minimum for so many epochs.
    progress
        A function of the epoch just done, the number of epochs (if training stops here, that epoch) and the loss, or
        None. The default shows them on standard error if that is a terminal.

    Returns
    -------
    History
        With what was reached; also after Ctrl-C.

    Raises
    ------
    DivergenceError
        If the loss, the gradient or the parameters leave the range of their format; its `history` has what was reached.
    RefnnError
        As for `descend`.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> x, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> history = refnn.fit(network, [0.0, 0.0], x, y, batches=refnn.MiniBatch(2), learning_rate=0.3, epochs=200, rng=0)
    >>> history.stopped, history.parameters.round(3)
    ('epochs', array([2., 1.]))
    """
    target = -math.inf if stop_below is None else number("stop_below", stop_below)
    wait = sys.maxsize if patience is None else count("patience", patience)
    steps = descend(network, w, x, y, batches=batches, learning_rate=learning_rate, epochs=epochs, rule=rule, rng=rng)
    callback("progress", progress, "it is called after each epoch")
    reached, samples = network.check(w, x)
    reached = read_only(reached.copy())
    losses, done, left = [network.loss(reached, x, y)], 0, len(samples)
    try:
        for step in steps:
            reached, done, left = step.parameters, step.number + 1, left - len(step.indices)
            if left > 0:
                continue
            left = len(samples)
            losses.append(network.loss(reached, x, y))
            stopped = _reason_to_stop(losses, target, wait)
            if progress is not None:
                progress(step.epoch + 1, epochs if stopped == "epochs" else step.epoch + 1, losses[-1])
            if stopped != "epochs":
                return History(reached, tuple(losses), done, stopped)
    except KeyboardInterrupt:
        return History(reached, tuple(losses), done, "interrupted")
    except DivergenceError as error:
        diverged = error if error.step is not None else _after(done - 1, error)
        diverged.history = History(reached, tuple(losses), done, "diverged")
        raise diverged from error.__cause__
    return History(reached, tuple(losses), done, "epochs")
