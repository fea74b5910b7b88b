"""Witnesses: ways to the loss and its gradients that do not use a backward pass; and `examine`, which hears them all.

Each module has a function ``testify(network, w, x, y)``, which returns a `Testimony`, raises `NotRunError` where the
case is beyond it, and `refnn.MissingExtraError` where it needs a package that is not installed; and a sentence
`BLIND_TO`, which says what the witness cannot see.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, cast, final

import numpy as np
from numpy.typing import ArrayLike

from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray
from refnn.errors import MissingExtraError, RefnnError
from refnn.network import Evaluation, Network

__all__ = ["ALL", "NotRunError", "Row", "Testimony", "Verdict", "examine"]

Verdict: TypeAlias = Literal["agrees", "disagrees", "not installed", "not run"]

ALL = ("textbook", "symbolic", "finite_difference", "complex_step", "forward_mode")
"""The modules of the witnesses, from the most independent to the least."""


class NotRunError(RefnnError, ValueError):
    """A witness does not speak on this case: it is too large, or has a layer that the witness has no definition of."""


class Testimony(NamedTuple):
    """What a witness says of a batch.

    Attributes
    ----------
    values
        Outputs, loss, gradient and input gradient, as float64; None for what it does not state.
    errors
        For each value, a bound on its distance from the real number, in the same shape.
    """

    values: Evaluation[FloatArray | None, float | None]
    errors: Evaluation[FloatArray | None, float | None]


setattr(Testimony, "__test__", False)  # noqa: B010 - else pytest takes it for a test, by its name


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One witness against backpropagation.

    Attributes
    ----------
    witness
        Its name.
    verdict
        Whether all that it states lies within its own error and that of the floats.
    ulps
        The largest difference of a gradient element, in units in the last place of float64 (of float32, for float32).
    ratio
        The largest difference, relative to the sum of the two error bounds; at most 1 if it agrees.
    seconds
        How long it took.
    sees
        What was compared.
    blind_to
        What this witness cannot see.
    note
        Why it was not run; or how many elements are so small that their bound says nothing.
    """

    witness: str
    verdict: Verdict
    ulps: float | None
    ratio: float | None
    seconds: float
    sees: str
    blind_to: str
    note: str


def examine(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    progress: Callable[[str], None] | None = None,
) -> tuple[Row, ...]:
    """Hold outputs, loss and gradients by backpropagation against every witness.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.Network.loss`.
    progress
        Called with the name of each witness before it is heard.

    Returns
    -------
    tuple of Row
        One for each of `ALL`.

    Examples
    --------
    >>> import refnn, refnn.witnesses
    >>> network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    >>> for row in refnn.witnesses.examine(network, [2.0, 1.0, 0.0], [[3.0, 4.0]], [[5.0]]):
    ...     print(row.witness, row.verdict)
    textbook agrees
    symbolic agrees
    finite_difference agrees
    complex_step agrees
    forward_mode agrees
    """
    ours = network.evaluate(w, x, y)
    bounds = network.evaluate(*_exactly(network, w, x), y)
    rows = []
    for name in ALL:
        if progress is not None:
            progress(name)
        rows.append(_row(name, network, w, x, y, ours, bounds))
    return tuple(rows)


def _exactly(network: Network, w: ArrayLike, x: ArrayLike) -> tuple[RoundedArray, RoundedArray]:
    checked_w, checked_x = network.check(w, x)
    return RoundedArray.exact(checked_w), RoundedArray.exact(checked_x)


def _row(
    name: str,
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    ours: Evaluation[FloatArray, float],
    bounds: Evaluation[RoundedArray, RoundedArray],
) -> Row:
    witness = importlib.import_module(f"refnn.witnesses.{name}")
    begin = time.perf_counter()
    try:
        testimony: Testimony = witness.testify(network, w, x, y)
    except (NotRunError, MissingExtraError) as error:
        verdict: Verdict = "not run" if isinstance(error, NotRunError) else "not installed"
        return Row(name, verdict, None, None, time.perf_counter() - begin, "nothing", witness.BLIND_TO, str(error))
    seconds = time.perf_counter() - begin
    stated = [field for field in Evaluation._fields if getattr(testimony.values, field) is not None]
    ratios = [_ratio(*(getattr(record, field) for record in (ours, bounds, *testimony))) for field in stated]
    ulps = [_ulps(getattr(ours, field), getattr(testimony.values, field)) for field in stated if "gradient" in field]
    ratio, sees = max(ratios), ", ".join(stated).replace("_", " ")
    verdict = "agrees" if ratio <= 1 else "disagrees"
    return Row(name, verdict, max(ulps), ratio, seconds, sees, witness.BLIND_TO, _undecided(ours, bounds, testimony))


def _ratio(value: FloatArray, bound: RoundedArray, stated: FloatArray, error: FloatArray) -> float:
    """The largest difference over the sum of the bounds; a difference where both bounds are 0 is infinitely large."""
    difference = np.abs(np.subtract(value, stated, dtype=np.float64))
    allowed = np.add(bound.error, error)
    ratios = np.divide(difference, allowed, out=np.where(difference > 0, np.inf, 0.0), where=allowed > 0)
    return float(np.max(ratios, initial=0))


def _ulps(value: FloatArray, stated: FloatArray) -> float:
    """The largest difference in units in the last place of the larger of the two."""
    larger = np.maximum(np.abs(value), np.abs(stated).astype(value.dtype))
    return float(np.max(np.abs(np.subtract(value, stated, dtype=np.float64)) / np.spacing(larger), initial=0))


def _undecided(
    ours: Evaluation[FloatArray, float], bounds: Evaluation[RoundedArray, RoundedArray], testimony: Testimony
) -> str:
    """How many gradient elements are as small as what they may be off, so that a zero would pass for them."""
    stated = cast(FloatArray, testimony.errors.gradient)  # every witness states the gradient
    undecided = np.abs(ours.gradient) <= bounds.gradient.error + stated
    count = int(np.count_nonzero(undecided & (ours.gradient != 0)))
    return f"{count} of {undecided.size} gradient elements are smaller than their bound" if count else ""
