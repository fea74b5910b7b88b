"""What is proven of a gradient: how far its floats are from the exact one, and which learning rates lower the loss.

Both need python-flint; the numbers that are kept here do not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray, IntArray
from refnn.errors import RefnnError, UndecidedError
from refnn.network import Network

if TYPE_CHECKING:
    from refnn.arithmetic.ball import BallArray
    from refnn.oracle.certificate import Certificate

__all__ = ["Box", "Descent", "Rounding", "element_name", "examine_descent", "examine_rounding"]

BUDGET = 200
"""How many tiles a certificate may try: ten times what smooth activations take."""

SEGMENTS = 3000
"""How many segments a certificate may be cut into to be proven again."""

POINTS = 240
"""At how many learning rates the loss is measured along a step."""

DIGITS = 17
"""So many decimal digits tell any two float64 numbers apart; exact values are shown with as many."""


# ------------------------------------------------------------------------------------------------- the exact gradient


@final
@dataclass(frozen=True, slots=True)
class Rounding:
    """The gradient in floats against the exact one.

    Attributes
    ----------
    samples
        The number of samples that both are of.
    elements
        P, the number of elements.
    correct
        How many are the correct rounding of the exact value.
    undecided
        How many have a correct rounding that could not be told; they are left out of `ulps`.
    missed
        How many have the exact value 0, as far as floats can tell, and are not 0 in floats; they have no ulps.
    ulps
        The largest |float − exact|, rounded up, in spacings of floats at the correctly rounded value (to the next one
        away from 0); None where there is no such value but zeros.
    place, computed, exact
        At which element, such as ``0.weight[2, 3]``; the float there; and the exact value, in decimal, to as many
        digits as tell two floats apart, or as the ball that encloses it.
    ratio
        The largest |float − exact|, relative to the derived bound of the rounding errors: up to 1 is agreement, and NaN
        says that the exact value is not known.
    bits
        The precision at which the last element was decided.
    seconds
        How long it took.
    """

    samples: int
    elements: int
    correct: int
    undecided: int
    missed: int
    ulps: float | None
    place: str
    computed: float
    exact: str
    ratio: float
    bits: int
    seconds: float


def examine_rounding(network: Network, w: FloatArray, x: FloatArray, y: FloatArray | IntArray) -> Rounding:
    """Hold the gradient in floats against the exact one, element by element.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.exact`.

    Raises
    ------
    MissingExtraError
        If python-flint is not installed.

    Examples
    --------
    The gradient 0.1·0.1 is rounded once, so that it is less than one spacing away:

    >>> import numpy as np, refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.InnerProduct())
    >>> found = examine_rounding(network, np.array([0.5, 0.5]), np.array([[0.1]]), np.array([[0.1]]))
    >>> found.correct, found.elements, found.place, found.exact
    (2, 2, '0.weight[0, 0]', '1.0000000000000001e-02')
    """
    from refnn.arithmetic.ball import BallArray, working_precision
    from refnn.oracle.truth import exact

    begin = time.perf_counter()
    truth = exact(network, w, x, y)
    gradient = network.evaluate(w, x, y).gradient
    bound = network.evaluate(RoundedArray.exact(w), RoundedArray.exact(x), y).gradient.error
    balls = truth.enclosures.gradient
    with working_precision(truth.bits):
        difference = np.abs(np.asarray((BallArray.exact(gradient) - balls).elements))
        distance = BallArray(difference).upper
    undecided = {each.place for each in truth.undecided if each.field == "gradient"}
    zero = truth.gradient == 0
    measured = ~zero & np.isfinite(truth.gradient) & np.isfinite(distance)
    measured[[place[0] for place in undecided]] = False
    ulps = np.where(measured, distance / np.spacing(np.where(measured, np.abs(truth.gradient), 1)), -1)
    ratios = np.divide(distance, bound, out=np.where(distance == 0, 0.0, np.inf), where=bound > 0)
    k = int(np.argmax(ulps))
    right = gradient == truth.gradient
    return Rounding(
        samples=len(x),
        elements=len(gradient),
        correct=int(np.count_nonzero(right)) - sum(bool(right[place]) for place in undecided),
        undecided=len(undecided),
        missed=int(np.count_nonzero(zero & ~right)),
        ulps=float(ulps[k]) if measured.any() else None,
        place=element_name(network, k),
        computed=float(gradient[k]),
        exact=_decimal(balls, k),
        ratio=float(np.max(ratios)),
        bits=truth.bits,
        seconds=time.perf_counter() - begin,
    )


def element_name(network: Network, k: int) -> str:
    """What the element of w with a number is called, such as ``0.weight[2, 3]``."""
    for name, numbers in network.unpack(np.arange(network.size, dtype=np.float64)).items():
        for place in np.argwhere(numbers == k):
            return f"{name}[{', '.join(map(str, place))}]"
    raise IndexError(k)


def _decimal(balls: BallArray, k: int) -> str:
    """An element in decimal, written as a float is; where its ball does not tell the digits, the ball."""
    ball = balls.elements[k]
    if ball.rel_accuracy_bits() < 4 * DIGITS:
        return str(ball.str(DIGITS))
    if ball.is_zero():
        return "0"
    integer, exponent = map(int, ball.mid().man_exp())
    middle = integer * Fraction(2) ** exponent
    rounded = Context(prec=DIGITS).divide(Decimal(middle.numerator), Decimal(middle.denominator))
    digits, _, power = f"{rounded:.{DIGITS - 1}e}".partition("e")
    return f"{digits}e{int(power):+03d}"


# --------------------------------------------------------------------------------------------------- along one step


class Box(NamedTuple):
    """A tile of a certificate: the loss is proven to be between `least` and `largest` at all rates from low to high.

    Attributes
    ----------
    low, high
        Learning rates.
    least, largest
        Losses.
    falls
        Whether the loss is proven to fall all the way; if not, it is proven to be lower than at the start.
    """

    low: float
    high: float
    least: float
    largest: float
    falls: bool


@final
@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """The loss along one step of gradient descent, φ(η) = L(w − η·g): what is proven of it, and what is measured.

    Attributes
    ----------
    samples
        The number of samples that the loss is of.
    rate, beyond, reason, bits
        As in `refnn.Certificate`.
    sentence
        The certificate in words.
    holds
        Whether it was proven again, without the arithmetic that found it; None if that would have taken too long.
    boxes
        The tiles that cover (0, rate].
    start
        The loss before the step, in floats.
    rates, losses : (R,)
        Learning rates, and the losses after a step, in floats; NaN where they leave the range of floats.
    seconds
        How long it took.
    """

    samples: int
    rate: float
    beyond: float
    reason: str
    bits: int
    sentence: str
    holds: bool | None
    boxes: tuple[Box, ...]
    start: float
    rates: FloatArray
    losses: FloatArray
    seconds: float

    @property
    def wide(self) -> bool:
        """Whether the rates are of so many sizes that an axis has to be logarithmic."""
        return bool(self.boxes) and self.rates[-1] > WIDE * self.boxes[0].high


WIDE = 300
"""An axis is logarithmic if the first tile would be thinner than this part of it."""


def examine_descent(
    network: Network,
    w: FloatArray,
    x: FloatArray,
    y: FloatArray | IntArray,
    progress: Callable[[float], None],
) -> Descent:
    """Certify a learning rate for one step, prove the certificate again, and measure the losses along the step.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.certified_learning_rate`.
    progress
        Is told the part that is done.

    Raises
    ------
    MissingExtraError
        If python-flint is not installed.
    """
    from refnn.oracle.certificate import certified_learning_rate

    begin, heard = time.perf_counter(), 0

    def tile(_: float) -> None:
        nonlocal heard
        heard += 1
        progress(heard / (heard + 20) / 2)  # nobody knows how many there will be; and the second half is `holds`

    certificate = certified_learning_rate(network, w, x, y, budget=BUDGET, progress=tile)
    holds = _holds(certificate)
    boxes = _boxes(certificate)
    rates = _rates(certificate)
    with np.errstate(over="ignore", invalid="ignore"):
        losses = np.array([_loss(network, w - rate * certificate.gradient, x, y) for rate in rates])
    progress(1)
    return Descent(
        samples=len(x),
        rate=certificate.rate,
        beyond=certificate.beyond,
        reason=certificate.reason,
        bits=certificate.bits,
        sentence=str(certificate),
        holds=holds,
        boxes=boxes,
        start=network.loss(w, x, y),
        rates=rates,
        losses=losses,
        seconds=time.perf_counter() - begin,
    )


def _holds(certificate: Certificate) -> bool | None:
    try:
        return certificate.holds(budget=SEGMENTS)
    except UndecidedError:
        return None


def _boxes(certificate: Certificate) -> tuple[Box, ...]:
    return tuple(
        Box(tile.low, tile.high, float(tile.loss.lower), float(tile.loss.upper), bool(tile.slope.upper < 0))
        for tile in certificate.tiles
    )


def _rates(certificate: Certificate) -> FloatArray:
    """From 0 to a little past where the proof ends: evenly spaced, or by size if one tile is very short for that."""
    end = 1.3 * (certificate.beyond if certificate.beyond < math.inf else certificate.rate or 1.0)
    first = certificate.tiles[0].high if certificate.tiles else end
    if end > WIDE * first:
        return np.geomspace(first / 3, end, POINTS)
    return np.linspace(0, end, POINTS + 1)[1:]


def _loss(network: Network, w: FloatArray, x: FloatArray, y: FloatArray | IntArray) -> float:
    try:
        return network.loss(w, x, y)
    except RefnnError:
        return math.nan
