"""A certified learning rate: every rate up to it provably lowers the loss of a batch, and a certificate that says why.

Along a step, φ(η) = L(w − η·g) is a function of the learning rate η alone; g is the gradient that the program has, with
all its rounding. The segment from 0 to the certified rate is covered by tiles. On the first, φ′ is proven to be
negative; on every other one either that, or φ is proven to be below φ(0). Then φ(η) < φ(0) for every η in (0, rate], in
real numbers. How a tile is enclosed, and why kinks do no harm there, says `refnn.arithmetic.tile`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike

from refnn.arithmetic.ball import BallArray, arb, working_precision
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.tile import TileArray
from refnn.arrays import FloatArray
from refnn.checks import callback, count, number, positive, representable, rounded_down, shown
from refnn.descent import Outcome, read_only
from refnn.errors import SettingError, UndecidedError
from refnn.network import Network
from refnn.oracle.kinks import near_kinks
from refnn.oracle.questions import batch, direction

__all__ = ["Certificate", "Certified", "Reason", "Tile", "certified_learning_rate"]

Reason: TypeAlias = Literal["crossing", "limit", "budget", "precision", "zero gradient", "kink", "no descent"]

_LIMIT, _BUDGET = 1e6, 1000
_BITS, _MOST_BITS = 128, 1024
_TIGHT = 2.0**-10
"""The search ends when the certified rate is within this, relatively, of one at which the loss is proven not lower."""
_ZERO = arb(0)
_HALVINGS = 20
"""How often a tile is halved, at most, to prove it again by plain balls."""

_NONE = "no learning rate is proven to lower the loss"
_WHY: dict[Reason, str] = {
    "crossing": "at about {beyond:.6g}, it is proven not to be lower",
    "limit": "the search ended at this limit",
    "budget": "the search ended when its budget of tiles was spent",
    "precision": "nothing more could be proven with {bits} bits, as where the loss stays nearly the same",
    "zero gradient": "the gradient is zero",
    "kink": "a unit stands on its kink, and already at about {beyond:.3g} the loss is proven not to be lower",
    "no descent": "already at about {beyond:.3g} the loss is proven not to be lower",
}


class Tile(NamedTuple):
    """A segment of learning rates, with what is proven of the loss on it.

    Attributes
    ----------
    low, high
        Its ends, as exact numbers.
    slope : ()
        A ball around φ′(η), for almost every η between.
    loss : ()
        A ball around φ(η), for every η between.
    """

    low: float
    high: float
    slope: BallArray
    loss: BallArray


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """The loss along a step: φ(η) = L(w − η·g), enclosed at the working precision."""

    network: Network
    w: FloatArray
    x: FloatArray
    labels: FloatArray
    gradient: FloatArray

    def at(self, eta: arb) -> BallArray:
        """The parameters w − η·g, for every η of a ball."""
        moved: BallArray = BallArray.exact(self.w) - _ball(eta) * BallArray.exact(self.gradient)
        return moved

    def loss(self, eta: arb) -> arb:
        """A ball around φ, for every η of a ball."""
        return _item(self.network.value(self.at(eta), BallArray.exact(self.x), self.labels))

    def slope(self, eta: arb) -> arb:
        """A ball around φ′, for every η of a ball: by dual numbers over plain balls."""
        w = DualArray(self.at(eta), -BallArray.exact(self.gradient))
        phi: DualArray[BallArray] = self.network.value(w, w.lift(self.x), self.labels)
        return _item(phi.tangent)

    def starts_at_kink(self) -> bool:
        """Whether a unit stands on its kink at η = 0, or cannot be told from it."""
        with working_precision(_MOST_BITS):
            return bool(near_kinks(self.network, BallArray.exact(self.w), BallArray.exact(self.x)))

    def tile(self, low: arb, high: arb) -> TileArray:
        """Between two rates, φ at both ends and its slope between."""
        w = TileArray(self.at(low), self.at(high), -BallArray.exact(self.gradient), _ball(high - low))
        phi: TileArray = self.network.value(w, w.lift(self.x), self.labels)
        return phi


def _ball(value: arb) -> BallArray:
    return BallArray(np.array(value, object))


def _item(ball: BallArray) -> arb:
    element: arb = ball.elements.item()
    return element


@final
@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A learning rate up to which the loss of a batch is proven to be lower, and the proof.

    Attributes
    ----------
    rate
        η̄: for every real η in (0, η̄], L(w − η·g) < L(w). 0 if nothing is certified.
    reason
        Why it is no larger. ``"crossing"``: at `beyond` the loss is proven not to be lower. ``"limit"``: the search
        ended there, as it must where the loss falls without end. ``"budget"``: so many tiles were examined.
        ``"precision"``: with `bits` bits nothing more could be proven. For a rate of 0 also ``"zero gradient"``;
        ``"no descent"``: g, as it was rounded, is no direction of descent, as happens at a minimum, or one for so short
        a way that it was not found; ``"kink"``: likewise, and a unit stands on its kink.
    beyond
        The least rate that the search met at which the loss is proven not to be lower; infinity if it met none.
    tiles
        What covers (0, rate], from 0 upwards.
    loss : ()
        A ball around L(w).
    gradient : (P,)
        g.
    bits
        The precision of the proof.
    """

    rate: float
    reason: Reason
    beyond: float
    tiles: tuple[Tile, ...] = field(repr=False)
    loss: BallArray = field(repr=False)
    gradient: FloatArray = field(repr=False)
    bits: int
    _line: _Line = field(repr=False)

    def __str__(self) -> str:
        """The certificate in a sentence."""
        proven = "every learning rate in (0, {rate}] provably lowers the loss" if self.rate else _NONE
        text = f"{proven}; {_WHY[self.reason]}"
        return text.format(rate=rounded_down(self.rate, 6), beyond=self.beyond, bits=self.bits)

    def holds(self, *, budget: int = 20_000) -> bool:
        """Validate the certificate anew: the tiles as they are stated, and the loss by simpler means.

        The tiles must follow one another from 0 to the rate, what each states must prove it, and nothing that is stated
        may contradict what plain balls enclose, or L at `beyond`. Then the rate is proven again without the arithmetic
        of tiles: on each, or else on each of the parts that halving it makes, plain balls must prove that φ′ is
        negative; or, away from 0, that φ(middle) + φ′(part)·(part − middle) is below φ(0): then φ is too, by the mean
        value theorem. Only next to 0, where a unit may start on its kink, plain balls do not know to which side it
        goes; what they cannot prove of the first millionth of the first tile, the arithmetic of tiles must prove again.

        Parameters
        ----------
        budget
            How many parts to examine, at most. Plain balls need more than tiles do: where a rate is large for its
            network, many times more.

        Raises
        ------
        UndecidedError
            If the budget is spent.
        """
        ends, left = [0.0, *(tile.high for tile in self.tiles)], count("budget", budget)
        if ends[-1] != self.rate or any(not t.low == low < t.high for t, low in zip(self.tiles, ends, strict=False)):
            return False
        line = replace(self._line, gradient=self.gradient)
        pending = [(tile.low, tile.high, _HALVINGS) for tile in self.tiles]
        with working_precision(self.bits):
            start = line.loss(_ZERO)
            if not (self._states(line, start) and all(self._tile_states(tile, line) for tile in self.tiles)):
                return False
            while pending and left > 0:
                left -= 1
                low, high, halvings = pending.pop()
                middle, eta = low + (high - low) / 2, arb(low).union(high)
                slope = line.slope(eta)
                if slope < 0 or (low > 0 and line.loss(arb(middle)) + slope * (eta - middle) < start):
                    continue
                if halvings > 0:
                    pending += [(low, middle, halvings - 1), (middle, high, halvings - 1)]
                elif low > 0 or not _item(line.tile(_ZERO, arb(high)).moving) < 0:
                    return False
        if not pending:
            return True
        raise UndecidedError(
            f"the certificate has not been proven again with a budget of {budget} parts of tiles",
            "plain balls are too wide to do it with fewer",
            "Pass a larger budget",
        )

    def _states(self, line: _Line, start: arb) -> bool:
        """Whether what is stated of `loss` and `beyond` may be true."""
        beyond = self.beyond == math.inf or (self.beyond > self.rate and not line.loss(arb(self.beyond)) < start)
        return beyond and _item(self.loss).overlaps(start)

    def _tile_states(self, tile: Tile, line: _Line) -> bool:
        """Whether what a tile states proves it, and may be true in its middle."""
        slope, loss, middle = _item(tile.slope), _item(tile.loss), arb(tile.low + (tile.high - tile.low) / 2)
        proves = slope < 0 or (tile.low > 0 and loss < _item(self.loss))
        return proves and loss.overlaps(line.loss(middle)) and slope.overlaps(line.slope(middle))

    def outcome(self, w: ArrayLike) -> Outcome:
        """What is proven of the rounded weights at which a step arrived: L there, against L before the step.

        Parameters
        ----------
        w : (P,)
            The weights after the step.

        Returns
        -------
        str
            ``"lowered"``: the loss is proven lower. ``"swallowed"``: a real step by a certified rate lowers it, but
            rounding has left no weight changed. ``"not proven"``: neither.

        Raises
        ------
        ShapeError, DTypeError, NonFiniteError
            If w is no vector of finite numbers, one for each parameter.
        """
        line = self._line
        w = direction("w", w, len(line.w))
        if np.array_equal(w, line.w):
            return "swallowed" if self.rate > 0 else "not proven"
        bits = _BITS
        while bits <= _MOST_BITS:
            with working_precision(bits):
                before, after = line.loss(_ZERO), replace(line, w=w).loss(_ZERO)
                if after < before:
                    return "lowered"
                bits = _MOST_BITS + 1 if after >= before else 2 * bits
        return "not proven"


# ---------------------------------------------------------------------------------------------------------- the search


@final
@dataclass(slots=True, eq=False)
class _Search:
    """What is proven so far, and how long the next tile should be.

    A tile counts when it is proven, whatever length was tried: the factors in `end`, `advance` and `_longer` bear on
    the time that the search takes, and on nothing else. They are those that took few tiles where they were tried.
    """

    line: _Line
    limit: float
    first: float
    length: float
    bits: int = _BITS
    tiles: list[Tile] = field(default_factory=list)
    low: float = 0.0
    room: arb = _ZERO
    """By how much the loss is lower at `low` than at 0."""
    longest: float = math.inf
    """What is not tried again at once, for it was too long."""
    beyond: float = math.inf
    excess: arb = _ZERO
    """By how much it is not lower at `beyond`."""

    def finished(self) -> Reason | None:
        """Why the search is over, if it is; if a tile has become too short to lead anywhere, more bits are tried."""
        if self.low >= self.limit:
            return "limit"
        if self.low >= (1 - _TIGHT) * self.beyond:
            return "crossing"
        if self.length >= (self.low * 2.0**-24 if self.low else self.first * 2.0**-100):
            return None
        if self.low == 0 and self.beyond < math.inf:
            return "no descent"
        if self.bits == _MOST_BITS:
            return "precision"
        self.bits, self.longest = 2 * self.bits, math.inf
        self.length = self.low * 2.0**-10 if self.low else self.first * 2.0**-20
        return None

    def end(self) -> float:
        """Where the next tile ends, at most: where the loss seems to cross its start, a little before or past that."""
        if self.beyond == math.inf:
            return min(self.low + self.length, self.limit)
        share = _float(self.room / (self.room + self.excess))
        if not 0 < share < 1:
            return min(self.low + self.length, self.low + (self.beyond - self.low) / 16)
        root = self.low + (self.beyond - self.low) * share
        before, past = root * (1 - _TIGHT / 3), root * (1 + _TIGHT / 3)
        aim = before if before > self.low * (1 + _TIGHT / 9) else past
        return min(self.low + self.length, aim if self.low < aim < self.beyond else (self.low + self.beyond) / 2)

    def advance(self) -> Reason | None:
        """Prove one more tile, or learn from it how long the next may be; or see that the loss does not fall at all."""
        high = self.end()
        with working_precision(self.bits):
            low, end, before = arb(self.low), arb(high), self.line.loss(_ZERO)
            phi = self.line.tile(low, end)
            slope, whole, left, right = map(_item, (phi.moving, phi.whole, phi.start, phi.end))
            if not right.overlaps(left + slope * (end - low)):
                raise SettingError(
                    f"the loss jumps between the learning rates {self.low:.6g} and {high:.6g}",
                    "a layer is not continuous, and what is certified is certified of continuous layers",
                    "Ask about continuous layers",
                )
            proven, rises, crossed = slope < 0 or (low > 0 and whole < before), slope >= 0, right >= before
            factor, room = _longer(slope, whole, left, right, before, end - low), before - right
        length = high - self.low
        if proven:
            self.tiles.append(Tile(self.low, high, phi.moving, phi.whole))
            self.low, self.room = high, room
            self.length, self.longest = min(length * min(factor, 10), self.longest), 1.3 * self.longest
        elif rises and self.low == 0:
            self.beyond = high
            return "no descent"
        elif crossed:
            self.beyond, self.excess, self.length = high, -room, length
        elif self.low == 0:
            self.length = length * min(max(factor, 0.01), 0.6)
        else:
            self.length = self.longest = 0.6 * length
        return None


def _longer(slope: arb, whole: arb, left: arb, right: arb, before: arb, length: arb) -> float:
    """By which factor a tile might be longer, or should be shorter, to be just proven.

    The radius of its slope grows like the tile, and what it leaves open above both ends like its square.
    """
    highest, spread = left.max(right), slope.rad() * length
    room, above = before - highest, whole.upper() - highest
    by_slope = 0.8 * _float((left - right) / spread) if spread > 0 else math.inf
    by_room = 0.9 * math.sqrt(max(_float(room / above), 0)) if above > 0 else math.inf if room > 0 else 0
    return max(by_slope, by_room, 1 if slope < 0 else 0.7 if whole < before else 0)


def _float(ratio: arb) -> float:
    """The middle of a ball, or 0 if it has none, as after a division by 0."""
    return 0.0 if ratio.is_nan() else float(ratio.mid())


def _certify(line: _Line, limit: float, budget: int, progress: Callable[[float], None] | None) -> Certificate:
    with working_precision(_BITS):
        first = 0.1 * abs(_float(line.loss(_ZERO) / line.slope(_ZERO)))  # a tenth of where the tangent meets 0
    first = min(first if 0 < first < math.inf else 1.0, limit)
    search = _Search(line, limit, first, first)
    reason: Reason | None = None if line.gradient.any() else "zero gradient"
    for _ in range(budget):
        reason = reason or search.finished() or search.advance()
        if reason is not None:
            break
        if progress is not None:
            progress(search.low)
    else:
        reason = search.finished() or "budget"
    if reason == "no descent" and line.starts_at_kink():
        reason = "kink"
    with working_precision(search.bits):
        loss = line.loss(_ZERO)
    tiles, bits = tuple(search.tiles), search.bits
    return Certificate(search.low, reason, search.beyond, tiles, _ball(loss), line.gradient, bits, line)


def certified_learning_rate(
    network: Network,
    w: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    gradient: ArrayLike | None = None,
    limit: float = _LIMIT,
    budget: int = _BUDGET,
    progress: Callable[[float], None] | None = None,
) -> Certificate:
    """The learning rate η̄ such that every η in (0, η̄] provably lowers the loss of a batch.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.Network.loss`. Every layer is continuous and piecewise smooth, as all of refnn's are.
    gradient : (P,)
        The direction g of the step w − η·g, as exact numbers; if none is given, the gradient that the network computes
        in floats. Pass that of another program to certify its step.
    limit
        Up to where to search: where classes are separable, the loss falls without end.
    budget
        How many tiles to examine, at most; a network with smooth activations takes about twenty.
    progress
        Called with the rate that is certified so far, after each tile.

    Returns
    -------
    Certificate
        With ``rate``, ``reason`` and ``tiles``; ``print(certificate)`` says it in a sentence, and
        ``certificate.holds()`` proves it again.

    Raises
    ------
    ShapeError, DTypeError, NonFiniteError, TargetError, SettingError
        If an argument does not fit.
    DivergenceError
        If the gradient leaves the range of its format.
    MissingExtraError
        If python-flint is not installed.

    Notes
    -----
    The step is that of real numbers, w − η·g without rounding; what a step with rounding does says
    `Certificate.outcome`.

    Examples
    --------
    L(w, b) = ½(3w + b − 6)² has the gradient (−18, −6) at 0. The residual −6 + 60η is as large as at first at η = 0.2:

    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> certificate = refnn.certified_learning_rate(network, [0.0, 0.0], [[3.0]], [[6.0]])
    >>> print(certificate)
    every learning rate in (0, 0.19992] provably lowers the loss; at about 0.200015, it is proven not to be lower
    >>> certificate.holds()
    True
    """
    w, x, labels = batch(network, w, x, y)
    if gradient is None:
        g = representable("the gradient", network.differentiate, w, x, labels)[2]
    else:
        g = direction("gradient", gradient, network.size)
    positive("limit", limit)
    callback("progress", progress, "it is called after each tile")
    line = _Line(network, w, x, labels, read_only(g))
    return _certify(line, float(limit), count("budget", budget), progress)


@final
@dataclass(frozen=True, slots=True)
class Certified:
    """A learning rate for `refnn.descend` with which no real step overshoots: a fraction of its own certified rate.

    What the rounding of the weights does on top, `Step.outcome` says.

    Parameters
    ----------
    fraction
        In (0, 1]; half the certified rate is near the bottom of a bowl.
    limit
        The largest certified rate to look for. The loss of a single sample, or of a few, often falls without end; then
        this alone bounds the step, and what is right for them may be wrong for the others.
    budget
        As for `certified_learning_rate`.

    Raises
    ------
    SettingError
        If a number is out of its range.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> x, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> rate = refnn.Certified(fraction=0.5)
    >>> for step in refnn.descend(network, [0.0, 0.0], x, y, batches=refnn.FullBatch(), learning_rate=rate, epochs=9):
    ...     assert step.outcome == "lowered"
    """

    fraction: float = 0.5
    limit: float = 1
    budget: int = _BUDGET

    def __post_init__(self) -> None:
        if not 0 < number("fraction", self.fraction) <= 1:
            raise SettingError(
                f"fraction is {shown(self.fraction)}", "it is a part of the certified rate", "Pass a number in (0, 1]"
            )
        positive("limit", self.limit)
        count("budget", self.budget)

    def propose(
        self, network: Network, w: FloatArray, x: FloatArray, labels: FloatArray, gradient: FloatArray
    ) -> tuple[float, Certificate]:
        """The learning rate of a step with this gradient, and the certificate that it is a fraction of."""
        certificate = _certify(_Line(network, w, x, labels, gradient), float(self.limit), self.budget, None)
        return _down(float(self.fraction) * certificate.rate, w.dtype), certificate


def _down(rate: float, dtype: np.dtype[Any]) -> float:
    """The largest number of a format that is no more than a rate."""
    nearest = dtype.type(min(rate, float(np.finfo(dtype).max)))
    return float(nearest if float(nearest) <= rate else np.nextafter(nearest, dtype.type(0)))
