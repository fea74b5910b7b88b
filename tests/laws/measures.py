"""How the laws measure: rounding errors, curvature over a segment, slopes by differences; each with its bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from hypothesis import event, reject, settings
from hypothesis import strategies as st

from refnn import DivergenceError, Network
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray
from tests.laws.ranges import KinkError, Range


def examples(share: float) -> settings:
    """A share of the profile's number of examples, for a law that many parameters multiply."""
    return settings(max_examples=max(2, round(share * settings().max_examples)))


_FRACTIONS = st.sampled_from([k / 250 for k in range(-499, 500) if k % 250])
FRACTIONS: Any = {"parameter_values": _FRACTIONS, "batch_values": _FRACTIONS}
"""Cases of ordinary size without whole numbers: zeros put units on their kinks and make gradients 0, and differences of
1 are where the slope of Huber's loss has a kink. Hypothesis tries the simplest numbers first, so they would be many."""


class UndecidedError(Exception):
    """A law says nothing about a case; the message says why."""


@contextmanager
def undecided_set_aside() -> Iterator[None]:
    """Hypothesis counts the cases about which a law says nothing, each with its reason, and fails if all are."""
    try:
        yield
    except UndecidedError as undecided:
        event(f"undecided: {undecided}")
        reject()


def number(value: float) -> RoundedArray:
    """A float as the real number that it is."""
    return RoundedArray.exact(np.asarray(value))


def agree(a: RoundedArray, b: RoundedArray) -> bool:
    """Whether two results can be the same real numbers, each being as wrong as its bound allows."""
    return a.shape == b.shape and bool(np.all(np.abs(a.value - b.value) <= a.error + b.error))


def curvature(network: Network, w: FloatArray, direction: FloatArray, reach: float, x: Any, y: Any) -> float:
    """A bound on |φ″(t)| for all 0 ≤ t ≤ reach, where φ(t) = L(w + t·direction).

    It is forward mode twice over, on the range of all points of the segment: no backward pass is used. `KinkError` says
    that a unit may change sides on the segment.
    """
    t = Range.between(np.zeros(()), np.full((), reach))
    v = Range.exact(direction)
    moving = DualArray(DualArray(Range.exact(w) + t * v, v), DualArray(v, Range.exact(np.zeros_like(w))))
    return float(network.loss(moving, x, y).tangent.tangent.largest)


class Segment(NamedTuple):
    """|φ″(t)| ≤ bend for all 0 ≤ t ≤ reach, and reach·bend ≤ |φ′(0)|."""

    reach: float
    bend: float


def segment(bend: Callable[[float], float], slope: float, speed: float) -> Segment:
    """A segment on which no unit crosses a kink, and the slope changes by at most itself.

    `speed` is how far the parameters move as t grows by 1. The first segment moves them by a length of 1, so that a
    tiny gradient is followed far enough for the fall to stand out from the rounding of the loss. Shorter ones are tried
    until one will do: the enclosure tightens to φ″(0) as they shrink. `UndecidedError` says why none does.
    """
    if slope == 0:
        raise UndecidedError("there is no slope")
    reach, reason = 1 / speed, ""
    for _ in range(20):
        try:
            found = bend(reach)
        except KinkError:
            reach, reason = reach / 8, "a unit is on its kink"
            continue
        except DivergenceError:  # the enclosure leaves the range of floats
            reach, reason = reach / 8, "the enclosure is too wide"
            continue
        if reach * found <= slope:
            return Segment(reach, found)
        reach, reason = max(reach / 64, min(reach / 2, slope / found)), "the enclosure is too wide"
    raise UndecidedError(reason)


class Slope(NamedTuple):
    """A derivative, and how far it may be off."""

    value: float
    error: float


def difference(network: Network, w: FloatArray, u: FloatArray, x: Any, y: Any) -> Slope:
    """The slope of L at w along u by the textbook difference (L(w + hu) − L(w − hu))/2h.

    By Taylor's theorem each of the two halves is off by at most ½h·max|φ″|, and the rounding of L counts 1/2h-fold.
    `UndecidedError` if a unit of the network crosses its kink within reach.
    """
    h = 2.0**-20  # about the root of a unit roundoff at which the two errors balance; exact, so that 2h is
    try:
        bend = max(curvature(network, w, sign * u, h, x, y) for sign in (1, -1))
    except KinkError as kink:
        raise UndecidedError("a unit is near its kink") from kink
    exact = RoundedArray.exact(u)
    ahead, behind = (network.loss(RoundedArray.exact(w) + step * exact, x, y) for step in (number(h), number(-h)))
    error = float(ahead.error + behind.error) / (2 * h) + h * bend / 2
    return Slope(float(ahead.value - behind.value) / (2 * h), error)
