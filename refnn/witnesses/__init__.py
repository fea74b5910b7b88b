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
from typing import Literal, NamedTuple, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike

from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray
from refnn.checks import instance
from refnn.errors import MissingExtraError, RefnnError
from refnn.network import Evaluation, Network

__all__ = ["ALL", "NotRunError", "Row", "Testimony", "Verdict", "examine"]

Verdict: TypeAlias = Literal["agrees", "disagrees", "undecided", "not installed", "not run"]

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


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One witness against backpropagation.

    Attributes
    ----------
    witness
        Its name.
    verdict
        Whether all that it states lies within its own error and that of the floats; ``"undecided"`` if it does, but
        zeros would lie there too in place of the gradients.
    ulps
        The largest difference of a gradient element, in units in the last place of float64 (of float32, for float32);
        elements for which a zero would pass are left out.
    ratio
        The largest difference, relative to the sum of the two error bounds; at most 1 if it agrees.
    seconds
        How long it took.
    sees
        What was compared.
    blind_to
        What this witness cannot see.
    note
        Why it was not run; or for how many elements of the gradients a zero would pass too.
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
    instance("network", network, ("evaluate", "layers", "loss_function"), "Pass a refnn.Network")
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
    compared = {
        field: _compared(*(getattr(record, field) for record in (ours, bounds, *testimony))) for field in stated
    }
    gradients = [compared["gradient"], compared["input_gradient"]]  # every witness states them
    ratio = max(part.ratio for part in compared.values())
    size, zeros_pass = sum(part.size for part in gradients), sum(part.zeros_pass for part in gradients)
    undecided = any(part.says_nothing for part in gradients)
    verdict = "disagrees" if ratio > 1 else "undecided" if undecided else "agrees"
    note = f"for {zeros_pass} of {size} elements of the gradients, a zero would pass too" if zeros_pass else ""
    ulps, sees = max(part.ulps for part in gradients), ", ".join(stated).replace("_", " ")
    return Row(name, verdict, ulps, ratio, seconds, sees, witness.BLIND_TO, note)


class _Compared(NamedTuple):
    """One field: its largest difference over the sum of bounds, and in ulps; where zeros would pass, or are right."""

    ratio: float
    ulps: float
    zeros_pass: int
    zeros_right: int
    size: int

    @property
    def says_nothing(self) -> bool:
        """Whether zeros would pass in place of the whole field, though they are not exactly right."""
        return 0 < self.zeros_pass == self.size - self.zeros_right


def _compared(value: FloatArray, bound: RoundedArray, stated: FloatArray, error: FloatArray) -> _Compared:
    """Compare; a difference where both bounds are 0 is infinitely large, and an exact 0 on both sides is decided."""
    difference = np.abs(np.subtract(value, stated, dtype=np.float64))
    allowed = np.add(bound.error, error)
    ratios = np.divide(difference, allowed, out=np.where(difference > 0, np.inf, 0.0), where=allowed > 0)
    larger = np.maximum(np.abs(value), np.abs(stated).astype(bound.dtype))
    right = np.equal(value, 0) & np.equal(stated, 0) & np.isfinite(allowed)
    passing = (np.abs(value) <= allowed) & ~right
    ulps = np.where(passing, 0, difference / np.spacing(larger))
    pass_, right_ = int(np.count_nonzero(passing)), int(np.count_nonzero(right))
    return _Compared(float(np.max(ratios, initial=0)), float(np.max(ulps, initial=0)), pass_, right_, np.size(value))
