"""Rounding errors as random numbers: a value, and the variance of its distance from what an implementation computes.

An implementation rounds in another order, and so its error is not ours: but if the roundings of a computation are
taken as independent, with mean zero, the variance of what they add up to is known. Its root grows like √k in a sum of k
terms, where a worst case grows like k (Higham and Mary, "A New Approach to Probabilistic Rounding Error Analysis", SIAM
J. Sci. Comput. 41(5), 2019). A rounding to nearest is uniform on ±u·|v| at most, with variance (u·v)²/3, and a sum of
independent uniform numbers of variance V exceeds √(2λV) with probability at most 2·exp(−λ) (they are sub-Gaussian with
their variance as the proxy; Boucheron, Lugosi, Massart, "Concentration Inequalities", 2013, sections 2.3 and 2.5).

Where roundings are not independent, the model says so:

* Equal numbers are rounded equally. Of every rounding it is counted how many elements of its column, and of its row,
  are so near that they share it; m of them add up to m, not to √m, and count m-fold in a sum over that axis.
* A number that is broadcast brings one error to all that it meets.
* A rounded constant (0.01, √(2/π)) is off by the same everywhere; its effect on each element is computed by moving all
  constants a little.
* A kink may be crossed: a unit whose sign is uncertain takes the other branch with a probability, and then the error is
  a jump. Rare jumps are no sub-Gaussian numbers; they are bounded by Bernstein's inequality (the same book, theorem
  2.10), or by all of them together.

Slopes are the largest within the error, and products of errors count, so that errors need not be small. What leaves the
range of the format has an infinite variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from refnn import arrays
from refnn.arithmetic.precision import BinaryFormat, Precision
from refnn.arithmetic.rounded import COMPOSED, FUNCTIONS, held, parts, steepest
from refnn.arrays import Arithmetic, FloatArray, Rules

__all__ = ["Flips", "Noise", "SpreadArray"]

_NUDGE = 2.0**-26
"""By how much, relatively, constants are moved to see their effect: the root of float64's unit, as for any quotient."""

_FLOOR = 2.0**-1000
"""The least variance: below 2**-500, floats cannot hold the squares of errors, and nothing is said of such elements."""

_FINER = 3
"""Numbers within 2**-3 of a spacing are taken to be rounded alike: their errors are correlated by 0.3 at least, as the
correlation of roundings at a distance d, in spacings, is 1 − 6d(1 − d)."""

_RUN = 3
"""So many in a column may be alike by chance without being counted: the true variance of a rounding, of which (u·v)²/3
is the most, is that over the square of the significand, on average half of it."""

_OLDEST = 50
"""After so many operations it is counted what is shared, asked or not: Python does not nest calls without end."""

Counted: TypeAlias = FloatArray | Callable[[], FloatArray | None] | None


class Noise:
    """The variance of an error; what it counts for in sums is found when a sum asks.

    Parameters
    ----------
    itself
        Of each element by itself.
    down, across
        What it counts for in a sum over its column or its row, if others there share the error; None if it is no more.
        Or a function that gives the one or the other.
    """

    __slots__ = ("_across", "_down", "age", "itself")

    def __init__(self, itself: FloatArray, down: Counted = None, across: Counted = None) -> None:
        self.itself, self._down, self._across, self.age = itself, down, across, 0

    def after(self, operands: list[SpreadArray]) -> None:
        """Note of how many operations in a row nothing has been counted; of not too many, for each calls the last."""
        self.age = 1 + max((z.noise.age for z in operands if z.noise is not None), default=0)
        if self.age > _OLDEST:
            self._down, self._across, self.age = self.more_down, self.more_across, 0

    @property
    def more_down(self) -> FloatArray | None:
        """What it counts for in a sum over its column; None if that is the variance itself."""
        if callable(self._down):
            self._down = self._down()
        return self._down

    @property
    def more_across(self) -> FloatArray | None:
        """What it counts for in a sum over its row; None if that is the variance itself."""
        if callable(self._across):
            self._across = self._across()
        return self._across

    @property
    def down(self) -> FloatArray:
        """What it counts for in a sum over its column."""
        return self.itself if self.more_down is None else self.more_down

    @property
    def across(self) -> FloatArray:
        """What it counts for in a sum over its row."""
        return self.itself if self.more_across is None else self.more_across

    @property
    def both(self) -> FloatArray:
        """What it counts for in a sum over all, or in sums of sums."""
        if self.more_down is None or self.more_across is None:
            return self.across if self.more_down is None else self.down
        return self.down * (self.across / np.maximum(self.itself, _FLOOR))


class Flips(NamedTuple):
    """The errors of units that may be on the other side of their kink.

    Attributes
    ----------
    variance
        The sum of probability times jump².
    fourths
        The sum of jump⁴, which is at least that of the largest, and not much more where a few are possible.
    total
        The sum of |jump|, which they cannot exceed.
    """

    variance: FloatArray
    fourths: FloatArray
    total: FloatArray


@final
@dataclass(frozen=True, slots=True, eq=False)
class SpreadArray(Arithmetic):
    """Values, with the variance of the error that an honest implementation makes in computing them.

    Parameters
    ----------
    value
        Floats, which stand for the real numbers: float64.
    precision
        What the implementation does.
    log_odds
        λ: a bound is exceeded with a probability of at most 2·exp(−λ).
    noise
        The variance of the error; None if there is none.
    flips
        The errors of crossed kinks; None if there are none.
    moved
        The value if all constants that the storage format does not hold are a little larger; None if there are none.
    trials
        What implementations might compute whose roundings were drawn; none, unless they are begun with.
    ceiling
        What no value exceeds, whatever the errors are, if that is known: 0 for logarithms of probabilities.
    terms
        Of how many products this is a sum; others may begin such a sum with what is added to it next.

    Examples
    --------
    >>> import numpy as np
    >>> from refnn.arithmetic.precision import precision_named
    >>> from refnn.arithmetic.spread import SpreadArray
    >>> one = SpreadArray(np.array([1.0]), precision_named("float32"), log_odds=40)
    >>> third = one / 3
    >>> bool(third.bound[0] > 2.0**-24 / 3), bool(third.bound[0] < 10 * 2.0**-24 / 3)
    (True, True)
    """

    value: FloatArray
    precision: Precision
    log_odds: float
    noise: Noise | None = None
    flips: Flips | None = None
    moved: FloatArray | None = None
    trials: tuple[FloatArray, ...] = ()
    ceiling: float = math.inf
    terms: int = 0
    rules: ClassVar[Rules] = {}

    @classmethod
    def exact(
        cls, value: FloatArray, precision: Precision, log_odds: float, trials: tuple[FloatArray, ...] = ()
    ) -> SpreadArray:
        """Floats that are meant exactly, and that the storage format holds: too large ones have an infinite error."""
        error = np.where(np.abs(value) > precision.format.largest, np.inf, precision.flushed(value))
        noise = Noise(error * error) if error.any() else None
        return cls(value, precision, log_odds, noise, trials=trials)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values."""
        return self.value.shape

    @property
    def standard_deviation(self) -> FloatArray:
        """The root of the variance, with that of crossed kinks, but not of constants."""
        variance = np.zeros(self.shape) if self.noise is None else self.noise.itself
        return np.sqrt(variance if self.flips is None else variance + self.flips.variance)

    @property
    def bound(self) -> FloatArray:
        """How far an honest implementation may be from the value, but for a probability of 2·exp(−λ) or less."""
        with np.errstate(all="ignore"):
            bound = _reach(self)
            if self.moved is not None:
                bound = bound + self.precision.format.unit / _NUDGE * np.abs(self.moved - self.value)
        return np.where(np.isnan(bound), np.inf, bound)

    @property
    def magnified(self) -> float:
        """By how much the errors of trials are too large, so that the float64 numbers of the trials hold them."""
        return max(1.0, 2.0 ** (self.precision.format.digits - 24))

    def lift(self, value: Any) -> SpreadArray:
        """A constant; its neighbour too, if the storage format does not hold it."""
        exact = np.asarray(value if isinstance(value, np.ndarray) else float(value), dtype=np.float64)
        holds = held(exact, value, self.precision)
        moved = None if np.all(holds) else np.where(holds, exact, exact * (1 + _NUDGE))
        return replace(SpreadArray.exact(exact, self.precision, self.log_odds), moved=moved)


def _reach(z: SpreadArray) -> FloatArray:
    """How far the roundings and the crossed kinks reach, but for a small probability."""
    reach = np.zeros(z.shape) if z.noise is None else np.sqrt(2 * z.log_odds * z.noise.itself)
    if z.flips is not None:
        jump = np.maximum(z.flips.fourths, _FLOOR) ** 0.25 * (z.log_odds / 3)
        reach = reach + np.fmin(z.flips.total, jump + np.sqrt(2 * z.log_odds * z.flips.variance + jump * jump))
    return reach


# ------------------------------------------------------------------------------------------------- how variances add up


def _sum(*noises: Noise | None) -> Noise | None:
    """The noise of a sum of independent errors."""
    some = [noise for noise in noises if noise is not None]
    if len(some) < 2:
        return some[0] if some else None

    def down() -> FloatArray | None:
        return None if all(n.more_down is None for n in some) else sum((n.down for n in some[1:]), some[0].down)

    def across() -> FloatArray | None:
        return None if all(n.more_across is None for n in some) else sum((n.across for n in some[1:]), some[0].across)

    return Noise(sum((n.itself for n in some[1:]), some[0].itself), down, across)


def _through(z: SpreadArray, square: FloatArray | float, shape: tuple[int, ...]) -> Noise | None:
    """The noise of an operand as it shows in a result of this shape, with the square of the slope.

    What is broadcast along an axis brings the same error to n elements, which counts n-fold in a sum over that axis.
    """
    noise = z.noise
    if noise is None:
        return None
    rows, columns = _shared(z.shape, shape)

    def down() -> FloatArray | None:
        return None if noise.more_down is None and rows == 1 else square * noise.down * rows

    def across() -> FloatArray | None:
        return None if noise.more_across is None and columns == 1 else square * noise.across * columns

    return Noise(square * noise.itself, down, across)


def _new(like: SpreadArray, value: FloatArray, variance: FloatArray) -> Noise:
    """The noise of new errors, with what is counted of numbers that are alike."""
    digits = like.precision.format.digits

    def counted(axis: int) -> FloatArray | None:
        alike = _alike(value, digits, axis)
        return None if alike is None else variance * alike

    return Noise(variance, lambda: counted(0), lambda: counted(1))


def _shared(of: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, int]:
    """How many rows and how many columns of a result share an element of an operand."""
    if len(shape) < 2:
        return 1, math.prod(shape) // max(1, math.prod(of))
    rows, columns = (1, 1, *of)[-2:]
    return shape[0] // rows, shape[1] // columns


def _flips(shape: tuple[int, ...], *pairs: tuple[SpreadArray, FloatArray | float]) -> Flips | None:
    """The flips of operands as they show in a result of this shape, each with the size of the slope."""
    some = [(_crossed(z, shape), slope) for z, slope in pairs if z.flips is not None]
    return _all([Flips(slope**2 * f.variance, slope**4 * f.fourths, slope * f.total) for f, slope in some])


def _crossed(z: SpreadArray, shape: tuple[int, ...]) -> Flips:
    """The flips of an operand in a result of this shape, be it none; what is broadcast jumps n-fold in a sum over n."""
    if z.flips is None:
        return _STILL
    times, (variance, fourths, total) = math.prod(_shared(z.shape, shape)), z.flips
    return Flips(*(np.broadcast_to(part, shape) for part in (variance * times, fourths * times**3, total)))


def _both(first: Flips, second: Flips) -> Flips:
    return Flips(*(a + b for a, b in zip(first, second, strict=True)))


def _alike(value: FloatArray, digits: int, axis: int) -> NDArray[np.int64] | None:
    """How many numbers along the axis are rounded as each one is; None if nowhere more than by chance.

    Numbers are alike that share their sign, exponent and leading bits. Zero is rounded without error, and not counted.
    """
    length = value.shape[axis] if value.ndim == 2 else 0
    if length <= _RUN:
        return None
    with np.errstate(over="ignore"):  # of half the length, they are sorted in half the time
        hashed = (_keys(value, digits) * _ODD[0] >> 32).astype(np.int32)
    keys = np.ascontiguousarray(hashed if axis == 1 else hashed.T)
    ordered = np.sort(keys, axis=1)
    repeated = (ordered[:, _RUN:] == ordered[:, :-_RUN]) & (ordered[:, _RUN:] != 0)
    if not repeated.any():
        return None
    lines = np.flatnonzero(repeated.any(axis=1))
    order = np.argsort(keys[lines], axis=1)
    ordered = ordered[lines]
    first = np.ones(ordered.shape, np.bool_)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    runs = np.cumsum(first.ravel()) - 1
    lengths = np.where(ordered == 0, 1, np.bincount(runs)[runs].reshape(ordered.shape))
    counts = np.ones(keys.shape, np.int64)
    of_lines = np.empty_like(lengths)
    np.put_along_axis(of_lines, order, lengths, axis=1)
    counts[lines] = of_lines
    return counts if axis == 1 else counts.T


def _once(like: SpreadArray, value: FloatArray, *, underflows: bool = True) -> FloatArray:
    """The variance of a rounding to the storage format."""
    variance: FloatArray = like.precision.format.unit**2 / 3 * (value * value)
    return variance + (_underflow(like.precision) if underflows or like.precision.flushes else _FLOOR)


@lru_cache(maxsize=64)
def _underflow(precision: Precision) -> float:
    """The variance of what is lost below the normal range."""
    lost = precision.format.smallest_normal if precision.flushes else precision.format.smallest / 2
    return max(lost * lost, _FLOOR)


# ----------------------------------------------------------------------------------------------------- one rule for all


class Errors(NamedTuple):
    """The errors of a result: those of its operands as they show in it, and new ones.

    Attributes
    ----------
    noise
        All of them.
    flips
        Those of crossed kinks.
    fresh
        The variance of the new ones, for trials to draw.
    """

    noise: Noise | None = None
    flips: Flips | None = None
    fresh: FloatArray | None = None


def _rule(operation: Any, spread: Callable[..., Errors], number: int) -> Callable[..., SpreadArray]:
    """The operation on the values, on the moved values and the trials if there are any, and the errors."""
    kinked = operation is arrays.where_positive

    def rule(*arguments: Any) -> SpreadArray:
        def other(index: int | None) -> FloatArray:
            picked = [_other(a, index) if k or not kinked else a.value for k, a in enumerate(arguments)]
            return np.asarray(operation(*picked))

        operands = [a for a in arguments if isinstance(a, SpreadArray)]
        like = operands[0]
        value = np.asarray(operation(*(a.value if isinstance(a, SpreadArray) else a for a in arguments)))
        moved = other(None) if any(a.moved is not None for a in operands) else None
        with np.errstate(all="ignore"):  # a variance may be infinite, where the value may not
            noise, flips, fresh = spread(value, *arguments)
            if operation not in _SUMS:
                noise = _within_range(like, value, noise)
            if noise is not None:
                noise.after(operands)
            trials = [other(index) for index in range(max(len(a.trials) for a in operands))]
            if fresh is not None and trials:
                trials = _tried(like, value, fresh, trials, number)
        ceiling = 0.0 if operation is arrays.log_softmax else math.inf
        terms = arguments[0].shape[1] if operation is np.matmul else 0
        return SpreadArray(value, like.precision, like.log_odds, noise, flips, moved, tuple(trials), ceiling, terms)

    return rule


def _other(argument: Any, index: int | None) -> Any:
    """The moved value of an operand (None), or a trial; its value, if it has none."""
    if not isinstance(argument, SpreadArray):
        return argument
    if index is not None:
        return argument.trials[index] if argument.trials else argument.value
    return argument.value if argument.moved is None else argument.moved


def _tried(
    like: SpreadArray, value: FloatArray, variance: FloatArray, trials: list[FloatArray], number: int
) -> list[FloatArray]:
    """The trials with new errors, of this variance, from a hash of the numbers: those that are alike get the same."""
    keys = _keys(value, like.precision.format.digits)
    size = np.sqrt(12 * variance) * (like.magnified * 2.0**-64)  # of a uniform number, from −½ to ½
    with np.errstate(over="ignore"):
        return [t + size * (keys * _ODD[(number + len(SPREADS) * k) % len(_ODD)]) for k, t in enumerate(trials)]


def _keys(value: FloatArray, digits: int) -> NDArray[np.int64]:
    """Integers that are equal for numbers that are rounded alike, and 0 for 0, which is not rounded."""
    keys: NDArray[np.int64] = (value + 0.0).view(np.int64) >> max(52 - (digits - 1) - _FINER, 0)
    return keys


_ODD = tuple(np.int64(k) for k in np.random.default_rng(1).integers(2**61, 2**62, 2048) * 2 + 1)
"""Factors that, modulo 2**64, spread integers evenly: multiplicative hashing (Knuth, TAOCP 3, section 6.4)."""


def _within_range(like: SpreadArray, value: FloatArray, noise: Noise | None) -> Noise | None:
    """The noise, infinite where a number may be too large for the storage format."""
    largest = like.precision.format.largest
    if value.size == 0 or np.max(np.abs(value)) <= largest / 2:
        return noise
    known = noise or Noise(np.zeros(value.shape))
    beyond = np.abs(value) + np.sqrt(2 * like.log_odds * known.itself) > largest
    if not beyond.any():
        return noise
    infinite = (
        lambda part=part: np.where(beyond, np.inf, part()) for part in (lambda: known.down, lambda: known.across)
    )
    return Noise(np.where(beyond, np.inf, known.itself), *infinite)


# ------------------------------------------------------------------------------------------------------------ the rules


def _errors(
    passed: Noise | None, flips: Flips | None, like: SpreadArray, value: FloatArray, fresh: FloatArray | None
) -> Errors:
    """What is passed on, and new errors of that variance."""
    return Errors(passed if fresh is None else _sum(passed, _new(like, value, fresh)), flips, fresh)


def _add(value: FloatArray, a: SpreadArray, b: SpreadArray) -> Errors:
    """One rounding, unless the sum or a number is exactly 0; a sum cannot underflow."""
    passed = _sum(_through(a, 1.0, value.shape), _through(b, 1.0, value.shape))
    fresh = np.where(value == 0, 0, _once(a, value, underflows=False))
    unit = a.precision.accumulated.unit**2 / 3
    for z, other in ((a, b), (b, a)):
        if z.terms > 1:
            fresh = fresh + (z.terms - 1) * unit * other.value * other.value
    for z in (a, b):
        if not z.value.all():
            fresh = np.where((z.value == 0) & _certain(z), 0, fresh)
    return _errors(passed, _flips(value.shape, (a, 1.0), (b, 1.0)), a, value, fresh)


def _multiply(value: FloatArray, a: SpreadArray, b: SpreadArray) -> Errors:
    """Slopes b and a, and the product of the errors; by a power of 2 or by 0, a product is exact."""
    size_a, size_b = np.abs(a.value), np.abs(b.value)
    both = None
    if a.noise is not None and b.noise is not None:
        both = _through(b, a.noise.itself, value.shape)
    if a is b:  # the errors are the same too
        passed = _sum(_through(a, 4 * size_a * size_a, value.shape), both)
    else:
        passed = _sum(_through(a, size_b * size_b, value.shape), _through(b, size_a * size_a, value.shape), both)
    flips = [
        Flips(*(part * weight for part, weight in zip(_crossed(x, value.shape), _weights(other), strict=True)))
        for x, other in ((a, b), (b, a))
        if x.flips is not None
    ]
    return _errors(passed, _all(flips), a, value, _rounded_unless(_scales(a) | _scales(b), a, value))


def _weights(z: SpreadArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """By what a factor multiplies the variance, the fourths and the total of the other one's flips: with its errors."""
    size, square = np.abs(z.value), z.value * z.value
    smooth = 0.0 if z.noise is None else z.noise.itself
    crossed, fourths = (0.0, 0.0) if z.flips is None else (z.flips.variance, z.flips.fourths)
    largest = size + np.sqrt(2 * z.log_odds * smooth)
    return square + smooth + crossed, largest**4 + fourths, size + _reach(z)


def _all(flips: list[Flips]) -> Flips | None:
    """The sum of one or two kinds of flips, if there are any."""
    return _both(*flips) if len(flips) == 2 else flips[0] if flips else None


def _divide(value: FloatArray, a: SpreadArray, b: SpreadArray) -> Errors:
    """Slopes 1/b and a/b², with the least that b may be; by a power of 2, a quotient is exact."""
    inverse = 1 / np.maximum(np.abs(b.value) - _reach(b), 0)
    slope = np.abs(value) * inverse
    passed = _sum(_through(a, inverse * inverse, value.shape), _through(b, slope * slope, value.shape))
    return _errors(
        passed, _flips(value.shape, (a, inverse), (b, slope)), a, value, _rounded_unless(_scales(b), a, value)
    )


def _scales(z: SpreadArray) -> NDArray[np.bool_]:
    """Where a factor is exactly 0 or a power of 2."""
    certain = _certain(z)
    if not certain.any():
        return _NOWHERE
    significand = np.abs(np.frexp(z.value)[0])
    return np.asarray(((significand == 0.5) | (significand == 0)) & certain)


def _certain(z: SpreadArray) -> NDArray[np.bool_]:
    """Where there is no error."""
    if z.moved is not None:
        return _NOWHERE
    smooth = True if z.noise is None else z.noise.itself == 0
    return np.asarray(smooth & (True if z.flips is None else z.flips.total == 0))


_NOWHERE = np.zeros((), np.bool_)


def _rounded_unless(exact: NDArray[np.bool_], like: SpreadArray, value: FloatArray) -> FloatArray | None:
    """The variance of a rounding, where there is one."""
    if exact.any():  # and stays in the normal range
        exact = exact & ((np.abs(value) >= like.precision.format.smallest_normal) | (value == 0))
    if exact.all():
        return None
    fresh = _once(like, value)
    return np.where(exact, 0, fresh) if exact.any() else fresh


def _matmul(value: FloatArray, a: SpreadArray, b: SpreadArray) -> Errors:
    """Sums of products. Errors of a go to all columns through b, and those of b to all rows through a.

    New errors: each addition rounds a partial sum s, with variance (u·s)²/3, and each product is rounded. The partial
    sums, in the order of the terms or in the reverse, go past that of the first half, and from its ends to its middle
    they wander off the straight line like a Brownian bridge, by a sixth of its sum of squares on average. Orders that
    have nothing to do with the values give about the same, and sums of sums less.
    """
    square_a, square_b = a.value * a.value, b.value * b.value
    precision, terms = a.precision, a.shape[1]
    walk, wander = _walked(value, a.value, b.value), terms / 12 + 1
    together = _terms_alike(a, b)
    unit: Any = precision.accumulated.unit**2 / 3 * (1 if together is None else together)
    apart = unit * wander if together is None else None  # then both sums of squares can be formed at once
    noise_a, noise_b = a.noise, b.noise
    itself = unit * walk
    if noise_a is not None:
        left = noise_a.across if apart is None else noise_a.across + apart * square_a
        itself = itself + left @ (square_b if noise_b is None else square_b + noise_b.down)
    if noise_b is not None:
        right = noise_b.down + apart * square_b if apart is not None and noise_a is None else noise_b.down
        itself = itself + square_a @ right
    if apart is None or (noise_a is None and noise_b is None):
        itself = itself + unit * wander * (square_a @ square_b)
    itself = np.where(_empty(a, b), 0, _stored(a, value, itself, precision.accumulated))
    fresh = None
    if a.trials or b.trials:  # for these, the sum of squares is taken as if they had nothing to do with each other
        roughly = unit * (walk + wander / terms * square_a.sum(axis=1, keepdims=True) * square_b.sum(axis=0))
        fresh = np.minimum(_stored(a, value, roughly, precision.accumulated), itself)
    most = precision.accumulated.largest
    if terms * np.max(np.abs(a.value), initial=0) * np.max(np.abs(b.value), initial=0) > most:
        itself = np.where(np.abs(a.value) @ np.abs(b.value) > most, np.inf, itself)
    noise = Noise(itself, *_shared_by_product(a, b, value, itself, square_a, square_b))
    return Errors(noise, _flips_of_product(a, b), fresh)


def _empty(a: SpreadArray, b: SpreadArray) -> NDArray[np.bool_]:
    """Which sums have no term but zeros: they are exact."""
    rows, columns = (~((z.value != 0) | ~_certain(z)).any(axis=axis) for z, axis in ((a, 1), (b, 0)))
    return np.asarray(np.logical_or.outer(rows, columns))


def _walked(value: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """The sum of the squares of all k partial sums, from that of the first half, P, and the whole, S.

    If they go straight from 0 to P to S, it is at most k/2·(P² + ½S²); backwards S − P stands for P.
    """
    terms = a.shape[1]
    half = a[:, : terms // 2] @ b[: terms // 2]
    walked = value - half
    np.abs(walked, out=walked)
    np.maximum(walked, np.abs(half, out=half), out=walked)
    np.square(walked, out=walked)
    walked += value * value / 2
    walked *= terms / 2
    return walked


def _terms_alike(a: SpreadArray, b: SpreadArray) -> FloatArray | None:
    """How many terms of each sum are nearly equal, on average; None if nowhere more than by chance."""
    digits = a.precision.accumulated.digits
    of_a = _repeated(a.value, digits, axis=1)
    of_b = None if of_a is None else _repeated(b.value, digits, axis=0)
    return None if of_a is None or of_b is None else np.minimum.outer(of_a, of_b)


def _shared_by_product(
    a: SpreadArray, b: SpreadArray, value: FloatArray, itself: FloatArray, square_a: FloatArray, square_b: FloatArray
) -> tuple[Counted, Counted]:
    """What the errors of a product of matrices count for in sums: `down` and `across` of its noise."""
    noise_a, noise_b, digits = a.noise, b.noise, a.precision.format.digits

    def down() -> FloatArray | None:
        alike = _alike(value, digits, 0)
        if alike is None and noise_b is None and (noise_a is None or noise_a.more_down is None):
            return None
        passed = more = np.zeros(())
        if noise_a is not None:
            passed, more = noise_a.across @ square_b, noise_a.both @ square_b
        if noise_b is not None:  # an error of b goes to all rows
            from_b = square_a @ noise_b.down
            passed, more = passed + from_b, more + value.shape[0] * from_b
        return more + np.maximum(itself - passed, 0) * (1 if alike is None else alike)

    def across() -> FloatArray | None:
        alike = _alike(value, digits, 1)
        if alike is None and (noise_b is None or noise_b.more_across is None):
            return None
        own = itself if alike is None else itself * alike  # columns that are alike share what is passed on
        return own if noise_b is None else np.maximum(own, square_a @ noise_b.both)

    return down, across


def _flips_of_product(a: SpreadArray, b: SpreadArray) -> Flips | None:
    """What flips of either add up to, with the other as large as its errors allow."""
    flips = []
    if a.flips is not None:
        flips.append(Flips(*(part @ weight for part, weight in zip(a.flips, _weights(b), strict=True))))
    if b.flips is not None:
        flips.append(Flips(*(weight @ part for part, weight in zip(b.flips, _weights(a), strict=True))))
    return _all(flips)


def _stored(like: SpreadArray, value: FloatArray, variance: FloatArray, formed: BinaryFormat) -> FloatArray:
    """The variance of a sum, after it is stored; without a rounding, if it was formed in the storage format."""
    return variance + (_underflow(like.precision) if formed == like.precision.format else _once(like, value))


def _repeated(terms: FloatArray, digits: int, axis: int) -> FloatArray | None:
    """How many terms of each sum along the axis are nearly equal, on average; None if nowhere more than by chance.

    A partial sum of k terms is about k times as large as they are, and terms that agree to its last place are rounded
    alike when they are added: their errors grow like k times one, not like the root.
    """
    alike = _alike(terms, digits - terms.shape[axis].bit_length(), axis)
    return None if alike is None else np.asarray(alike.mean(axis=axis))


def _summed(value: FloatArray, z: SpreadArray, axis: int | None) -> Errors:
    """A sum over all elements (None), each column (0) or each row (1); all partial sums are at hand."""
    terms = z.value.ravel()[:, np.newaxis] if axis is None else z.value if axis == 0 else z.value.T
    partial, some = np.cumsum(terms, axis=0), terms != 0  # to add 0, or to 0, is exact
    ahead = (some & (np.cumsum(some, axis=0) > 1)) * partial
    behind = (some & (np.cumsum(some[::-1], axis=0)[::-1] > 1)) * (partial[-1] - partial + terms)
    sums = z.precision.summed
    own = sums.unit**2 / 3 * np.maximum((ahead * ahead).sum(axis=0), (behind * behind).sum(axis=0))
    own = np.where(np.abs(terms).sum(axis=0) > sums.largest, np.inf, own)
    together = _repeated(terms, sums.digits, axis=0)
    own = (own if together is None else own * together).reshape(value.shape)
    passed = flips = None
    if z.noise is not None:
        noise = z.noise
        if axis is None:
            passed = Noise(np.asarray(noise.both.sum()))
        elif axis == 0:
            passed = Noise(noise.down.sum(axis=0))
        else:
            rows = noise.across.sum(axis=1, keepdims=True)
            passed = Noise(rows, lambda: None if noise.more_down is None else noise.both.sum(axis=1, keepdims=True))
    if z.flips is not None:
        flips = Flips(*(part.sum(axis=axis, keepdims=axis == 1) for part in z.flips))
    adds = ((ahead != 0) | (behind != 0)).any(axis=0).reshape(value.shape)
    return _errors(passed, flips, z, value, np.where(adds, _stored(z, value, own, sums), 0))


_SUMS = {arrays.total: None, arrays.column_sums: 0, arrays.row_sums: 1}
"""The axis of each sum."""


_RANGES = {
    np.tanh: 2.0,
    arrays.sech_squared: 1.0,
    arrays.expit: 1.0,
    arrays.expit_slope: 0.25,
    arrays.tanh_step: 1.0,
    arrays.erfc: 2.0,
}
"""How far apart two values of a function can be: no error is larger."""


def _steep(operation: Any, z: SpreadArray) -> tuple[FloatArray, FloatArray]:
    """The largest slope within the errors of z; and the largest with which no error is larger than it can be."""
    reach = _reach(z)
    if operation is np.exp and z.ceiling < math.inf:
        steep, most = np.exp(np.minimum(z.value + reach, z.ceiling)), math.exp(z.ceiling)
    else:
        steep, most = steepest(operation, z.value, reach), _RANGES.get(operation, math.inf)
    return steep, most / z.standard_deviation


def _function(operation: Any) -> Callable[..., Errors]:
    def spread(value: FloatArray, z: SpreadArray) -> Errors:
        slope, passed = np.ones(()), None
        if z.noise is not None or z.flips is not None:
            steep, most = _steep(operation, z)
            slope = np.fmin(steep, most)
            passed = _through(z, slope * slope, value.shape)
            if passed is not None and (steep > most).any():
                passed = _saturated(passed, steep > most)
        within, precision = math.sqrt(12) * z.precision.function_rms, z.precision
        # where sums are finer than what is stored, functions are too, and are stored once
        composed = COMPOSED.get(operation, 0) if precision.accumulate == precision.storage else 0
        own = (within * within + composed) * value * value
        if not precision.keeps_tails:
            own = np.maximum(own, sum(part * part for part in parts(operation, value, z.value, within)))
        fresh = precision.format.unit**2 / 3 * own + _underflow(precision)
        return _errors(passed, _flips(value.shape, (z, slope)), z, value, fresh)

    return spread


def _saturated(noise: Noise, where: NDArray[np.bool_]) -> Noise:
    """Noise that is all that an error can be: it may have one sign everywhere, and counts as if it were shared."""
    rows, columns = (1, 1, *where.shape)[-2:]
    return Noise(
        noise.itself,
        lambda: noise.down * np.where(where, rows, 1),
        lambda: noise.across * np.where(where, columns, 1),
    )


def _log_softmax(value: FloatArray, z: SpreadArray) -> Errors:
    """log p = d − log Σ exp(d) with d = z − max z.

    An error of z comes through as itself minus its mean over the row, weighted by p. The logarithm is off by the
    roundings of Σ exp(d), which is 1 or more, by those of d, by its own, and by one more if max z is added to it; all
    of the row share that error.
    """
    p = np.exp(value)
    d = z.value - np.max(z.value, axis=1, keepdims=True)
    unit, function = z.precision.format.unit, 12 * z.precision.function_rms**2
    logarithm = np.max(value, axis=1, keepdims=True)
    summed = value.shape[1] / 3 * (z.precision.summed.unit / unit) ** 2  # as Σ i² is about k³/3, for equal terms
    inside = arrays.row_sums(p * p * (d * d + function)) + 1 + summed + (function + 1) * logarithm * logarithm
    if not z.precision.keeps_tails:
        inside = inside + np.max(z.value, axis=1, keepdims=True) ** 2
    row = unit**2 / 3 * inside
    columns = value.shape[1]
    spread = np.minimum(columns, 1 / np.maximum(p, 1 / columns))  # (Σ p_c w_c)² is at most Σ p_c w_c²
    shared = Noise(np.zeros(()), None, row * (spread - 1))
    fresh = unit**2 / 3 * (d * d + value * value) + row
    flips = None
    if z.flips is not None:
        weights = (p**2, p**4, p)
        flips = Flips(*(part + arrays.row_sums(weight * part) for part, weight in zip(z.flips, weights, strict=True)))
    if z.noise is None:
        return _errors(shared, flips, z, value, fresh)
    noise, own, rest = z.noise, p * p, (1 - p) ** 2
    mean = arrays.row_sums(own * noise.across)
    passed = Noise(
        rest * noise.itself + mean,
        lambda: None if noise.more_down is None else rest * noise.down + arrays.row_sums(own * noise.both),
        lambda: rest * noise.across + mean * spread,
    )
    return _errors(_sum(passed, shared), flips, z, value, fresh)


def _where_positive(value: FloatArray, z: SpreadArray, a: SpreadArray, b: SpreadArray) -> Errors:
    """The errors of the branch that is taken; and a jump to the other one, with the probability that z has its sign."""
    chosen, shape = z.value > 0, value.shape
    jump, reach = np.broadcast_to(np.abs(a.value - b.value), shape), _reach(z)
    unsure = np.broadcast_to(~(np.abs(z.value) > reach) & ~(reach == 0), shape)

    def taken(p: FloatArray, q: FloatArray) -> FloatArray:
        return np.where(unsure, np.maximum(p, q), np.where(chosen, p, q))

    noise = flips = None
    if a.noise is not None or b.noise is not None:
        noise = _picked(taken, a, b, shape)
    if a.flips is not None or b.flips is not None:
        flips = Flips(*map(taken, _crossed(a, shape), _crossed(b, shape)))
    uncertain = unsure & (jump > 0)
    if uncertain.any():
        digits, together = z.precision.format.digits, np.full(shape, math.prod(_shared(z.shape, shape)))
        for axis in (0, 1):
            alike = _alike(z.value, digits, axis)  # units that are alike cross together
            together = together if alike is None else together * alike
        crossing = np.broadcast_to(_crossing(z), shape)[uncertain]
        jumps, times = jump[uncertain], together[uncertain]
        crossed = Flips(*(np.zeros(shape) for _ in Flips._fields))
        crossed.variance[uncertain] = crossing * jumps * jumps * times
        crossed.fourths[uncertain] = (jumps * times) ** 4
        crossed.total[uncertain] = jumps
        flips = crossed if flips is None else _both(flips, crossed)
    return Errors(noise, flips)


_STILL = Flips(*(np.zeros(()) for _ in Flips._fields))


def _picked(
    pick: Callable[[FloatArray, FloatArray], FloatArray], a: SpreadArray, b: SpreadArray, shape: tuple[int, ...]
) -> Noise:
    """The noise of one or the other operand, element by element."""
    p, q = (_through(z, 1.0, shape) or Noise(np.zeros(())) for z in (a, b))

    def down() -> FloatArray | None:
        return None if p.more_down is None and q.more_down is None else pick(p.down, q.down)

    def across() -> FloatArray | None:
        return None if p.more_across is None and q.more_across is None else pick(p.across, q.across)

    return Noise(pick(p.itself, q.itself), down, across)


_half_erfc = np.frompyfunc(lambda t: math.erfc(t) / 2, 1, 1)


def _crossing(z: SpreadArray) -> FloatArray:
    """The probability that z has the other sign: by a normal error, or, by Chebyshev's inequality, by other flips.

    Where the error is unknown, the probability is ½.
    """
    size, smooth = np.abs(z.value), np.zeros(z.shape) if z.noise is None else z.noise.itself
    crossing = np.asarray(_half_erfc(np.nan_to_num(size / np.sqrt(2 * smooth))), dtype=np.float64)
    if z.flips is not None:
        crossing = np.fmin(crossing + z.flips.variance / (size * size), 1)
    return crossing


def _larger(value: FloatArray, a: SpreadArray, b: SpreadArray) -> Errors:
    """The errors of the one that is chosen; where that is uncertain, the larger: the distance does not grow."""
    apart, takes_a = np.abs(a.value - b.value) > _reach(a) + _reach(b), value == a.value

    def chosen(p: FloatArray, q: FloatArray) -> FloatArray:
        return np.where(apart, np.where(takes_a, p, q), np.maximum(p, q))

    noise = flips = None
    if a.noise is not None or b.noise is not None:
        noise = _picked(chosen, a, b, value.shape)
    if a.flips is not None or b.flips is not None:
        flips = Flips(*map(chosen, _crossed(a, value.shape), _crossed(b, value.shape)))
    return Errors(noise, flips)


def _unchanged(value: FloatArray, z: SpreadArray, *rest: Any) -> Errors:
    return Errors(z.noise, z.flips)


def _placed(operation: Any) -> Callable[..., Errors]:
    """An operation that moves elements, and their errors with them; what they share is forgotten with their places."""

    def spread(value: FloatArray, z: SpreadArray, *rest: Any) -> Errors:
        noise = None if z.noise is None else Noise(operation(z.noise.itself, *rest))
        flips = z.flips if z.flips is None else Flips(*(operation(part, *rest) for part in z.flips))
        return Errors(noise, flips)

    return spread


def _transposed(value: FloatArray, z: SpreadArray) -> Errors:
    """Rows are columns now."""
    flips = None if z.flips is None else Flips(*(part.T for part in z.flips))
    if z.noise is None:
        return Errors(None, flips)
    noise = z.noise

    def down() -> FloatArray | None:
        return None if noise.more_across is None else noise.across.T

    def across() -> FloatArray | None:
        return None if noise.more_down is None else noise.down.T

    return Errors(Noise(noise.itself.T, down, across), flips)


def _split(z: SpreadArray, places: Any) -> list[SpreadArray]:
    def parts(array: FloatArray | None) -> list[Any]:
        return [None] * len(places) if array is None else arrays.split(array, places)

    variances = parts(None if z.noise is None else z.noise.itself)
    kinked = zip(*map(parts, z.flips or (None,) * len(Flips._fields)), strict=True)
    trials = list(zip(*map(parts, z.trials), strict=True)) or [()] * len(places)
    return [
        SpreadArray(
            value,
            z.precision,
            z.log_odds,
            None if variance is None else Noise(variance),
            None if z.flips is None else Flips(*jumps),
            moved,
            tuple(tried),
        )
        for value, variance, jumps, moved, tried in zip(
            arrays.split(z.value, places), variances, kinked, parts(z.moved), trials, strict=True
        )
    ]


def _join(*blocks: SpreadArray) -> SpreadArray:
    first, noise, flips, moved = blocks[0], None, None, None
    value = arrays.join(*(b.value for b in blocks))
    if any(b.noise is not None for b in blocks):
        variance = arrays.join(*(np.zeros(b.shape) if b.noise is None else b.noise.itself for b in blocks))
        noise = Noise(variance)
    if any(b.flips is not None for b in blocks):
        parts = [b.flips or Flips(*(np.zeros(b.shape) for _ in Flips._fields)) for b in blocks]
        flips = Flips(*(arrays.join(*part) for part in zip(*parts, strict=True)))
    if any(b.moved is not None for b in blocks):
        moved = arrays.join(*(_other(b, None) for b in blocks))
    count = max(len(b.trials) for b in blocks)
    trials = tuple(arrays.join(*(_other(b, index) for b in blocks)) for index in range(count))
    return SpreadArray(value, first.precision, first.log_odds, noise, flips, moved, trials)


SPREADS: dict[Any, Callable[..., Errors]] = {
    np.negative: _unchanged,
    np.add: _add,
    np.subtract: _add,
    np.multiply: _multiply,
    np.divide: _divide,
    np.matmul: _matmul,
    np.maximum: _larger,
    np.minimum: _larger,
    arrays.where_positive: _where_positive,
    arrays.log_softmax: _log_softmax,
    arrays.within: _unchanged,
    arrays.transpose: _transposed,
    **{f: _function(f) for f in FUNCTIONS},
    **{f: (lambda value, z, axis=axis: _summed(value, z, axis)) for f, axis in _SUMS.items()},
    **{f: _placed(f) for f in (arrays.reshape, arrays.rows)},
}
"""The errors of each operation that has one result."""

SpreadArray.rules = {
    **{operation: _rule(operation, spread, k) for k, (operation, spread) in enumerate(SPREADS.items())},
    arrays.split: _split,
    arrays.join: _join,
}
