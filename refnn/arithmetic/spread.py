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
* A rounded constant (0.01, √(2/π)) is off by the same everywhere; its effect on each element is computed by moving it,
  by a little multiple of what its rounding may be. Those of an array (class weights) are moved as they are rounded.
* A kink may be crossed: a unit whose sign is uncertain takes the other branch with a probability, and then the error is
  a jump. Rare jumps are no sub-Gaussian numbers; they are bounded by Bernstein's inequality (the same book, theorem
  2.10), or by all of them together.
* Some errors have a mean, which adds up linearly: the square of an error, and what is lost of numbers so small that
  they do not change the sum that they are added to.

Slopes are the largest within the error, and products of errors count, so that errors need not be small. What leaves the
range of the format has an infinite variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import is_
from typing import Any, ClassVar, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from refnn import arrays
from refnn.arithmetic.alike import alike, hashed, keys, repeated
from refnn.arithmetic.noise import LEAST, Counted, Flips, Noise, all_of, shared, sum_of
from refnn.arithmetic.precision import BinaryFormat, Precision
from refnn.arithmetic.rounded import FUNCTIONS, held, parts, steepest
from refnn.arrays import Arithmetic, FloatArray, Rules

__all__ = ["SpreadArray"]

_NUDGE = 2.0**-26
"""By how much, relatively, constants are moved to see their effect: about the root of float64's unit."""


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
        λ: a bound is exceeded with a probability of about 4·exp(−λ), half of it by roundings and half by kinks.
    noise
        The variance of the error; None if there is none.
    flips
        The errors of crossed kinks; None if there are none.
    moved
        For each constant that the storage format does not hold, the value if that constant is a little off.
    trials
        What implementations might compute whose roundings were drawn; none, unless they are begun with.
    ceiling
        What no value exceeds, whatever the errors are, if that is known: 0 for logarithms of probabilities.
    terms, typical
        Of how many products this is a sum, and how large they are as a rule; others may begin such a sum with what is
        added to it next.
    along
        The axis of the units of a sample: 1, or 0 in what is transposed. Along it, a crossed kink shows in many.
    coherent
        Whether these many jumps reinforce each other; otherwise they are taken to have nothing to do with each other.

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
    moved: Mapping[bytes, FloatArray] = field(default_factory=dict)
    trials: tuple[FloatArray, ...] = ()
    ceiling: float = math.inf
    terms: int = 0
    typical: FloatArray | None = None
    along: int = 1
    coherent: bool = False
    rules: ClassVar[Rules] = {}

    @classmethod
    def exact(
        cls,
        value: FloatArray,
        precision: Precision,
        log_odds: float,
        trials: tuple[FloatArray, ...] = (),
        coherent: bool = False,
    ) -> SpreadArray:
        """Floats that are meant exactly, and that the storage format holds: too large ones have an infinite error."""
        error = np.where(np.abs(value) > precision.format.largest, np.inf, precision.flushed(value))
        noise = Noise(error * error) if error.any() else None
        return cls(value, precision, log_odds, noise, trials=trials, coherent=coherent)

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
        """How far an honest implementation may be from the value, but for a probability of about 4·exp(−λ)."""
        with np.errstate(all="ignore"):
            bound = _reach(self) + _displaced(self)
            if np.max(bound, initial=0) + _size(self.value) <= self.precision.format.largest:
                return bound
            stored = np.abs(self.value) + bound <= self.precision.format.largest
        return np.where(stored, bound, np.inf)

    @property
    def magnified(self) -> float:
        """By how much the errors of trials are too large, so that the float64 numbers of the trials hold them."""
        return max(1.0, 2.0 ** (self.precision.format.digits - 24))

    def lift(self, value: Any) -> SpreadArray:
        """A constant; its neighbour too, if the storage format does not hold it."""
        exact = np.asarray(value if isinstance(value, np.ndarray) else float(value), dtype=np.float64)
        holds = held(exact, value, self.precision)
        moved = {} if np.all(holds) else {exact.tobytes(): _nudged(exact, self.precision)}
        constant = SpreadArray.exact(exact, self.precision, self.log_odds, coherent=self.coherent)
        return replace(constant, moved=moved, along=self.along)


def _size(value: FloatArray) -> float:
    """The largest magnitude."""
    return float(max(np.max(value, initial=0), -np.min(value, initial=0)))


def _nudged(exact: FloatArray, precision: Precision) -> FloatArray:
    """A constant that is moved by what its rounding may be, magnified: numbers of an array by what it is."""
    unit, nearest = precision.format.unit, precision.format.nearest(exact)
    off = np.maximum(unit * np.abs(exact), precision.format.smallest / 2) if exact.ndim == 0 else nearest - exact
    return np.asarray(exact + _NUDGE / unit * off)


def _displaced(z: SpreadArray) -> FloatArray:
    """How far the roundings of constants displace the value, all together."""
    displaced = np.zeros(())
    for moved in z.moved.values():
        displaced = displaced + z.precision.format.unit / _NUDGE * np.abs(moved - z.value)
    return displaced


def _reach(z: SpreadArray) -> FloatArray:
    """How far the roundings and the crossed kinks reach, but for a small probability."""
    reach = np.zeros(z.shape) if z.noise is None else np.sqrt(2 * z.log_odds * z.noise.itself)
    if z.noise is not None and z.noise.mean is not None:
        reach = reach + z.noise.mean
    return reach if z.flips is None else reach + z.flips.reach(z.log_odds)


# ------------------------------------------------------------------------------------------------- how variances add up


def _through(z: SpreadArray, square: FloatArray | float, shape: tuple[int, ...]) -> Noise | None:
    """The noise of an operand as it shows in a result of this shape, with the square of the slope."""
    return None if z.noise is None else z.noise.through(square, z.shape, shape)


def _new(like: SpreadArray, value: FloatArray, variance: FloatArray) -> Noise:
    """The noise of new errors, with what is counted of numbers that are alike."""

    def counted(axis: int) -> FloatArray | None:
        counts = _together(like.precision, value, axis)
        return None if counts is None else variance * counts

    return Noise(variance, lambda: counted(0), lambda: counted(1))


def _together(precision: Precision, value: FloatArray, axis: int, terms: int = 1) -> FloatArray | None:
    """How many sums of so many terms are rounded as each one is, or flushed to zero, which reinforces likewise."""
    counts = alike(value, precision.format.digits, axis)
    if precision.flushes and value.ndim == 2 and value.size:
        small = np.abs(value) < 2 * terms * precision.format.smallest_normal
        if small.any() and value[small].any():
            counts = np.where(small, float(value.shape[axis]), 1 if counts is None else counts)
    return counts


def _flips(shape: tuple[int, ...], *pairs: tuple[SpreadArray, FloatArray | float]) -> Flips | None:
    """The flips of operands as they show in a result of this shape, each with the size of the slope."""
    return all_of([_crossed(z, shape).scaled(slope) for z, slope in pairs if z.flips is not None])


def _crossed(z: SpreadArray, shape: tuple[int, ...]) -> Flips:
    """The flips of an operand in a result of this shape, be it none."""
    return (z.flips or Flips.none()).through(z.shape, shape)


def _once(like: SpreadArray, value: FloatArray, *, underflows: bool = True) -> FloatArray:
    """The variance of a rounding to the storage format."""
    variance: FloatArray = like.precision.format.unit**2 / 3 * (value * value)
    return variance + (_underflow(like.precision, like.log_odds) if underflows or like.precision.flushes else LEAST)


@lru_cache(maxsize=64)
def _underflow(precision: Precision, log_odds: float) -> float:
    """The variance of what is lost below the normal range."""
    return max(_loss(precision, precision.format, 1, log_odds), LEAST)


def _loss(precision: Precision, formed: BinaryFormat, terms: int, log_odds: float) -> float:
    """The variance of what so many numbers lose below the normal range of a format: all to one side, or by rounding."""
    lost = precision.lost(formed)
    return max((terms * lost) ** 2 / (2 * log_odds), 0 if precision.flushes else terms * lost * lost / 3)


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
    by_row
        Numbers and the variance of what each of them brings to all of its row; two columns.
    typical
        How large the terms of each sum are as a rule, if these are products.
    """

    noise: Noise | None = None
    flips: Flips | None = None
    fresh: FloatArray | None = None
    by_row: tuple[FloatArray, FloatArray] | None = None
    typical: FloatArray | None = None


def _rule(operation: Any, spread: Callable[..., Errors], number: int) -> Callable[..., SpreadArray]:
    """The operation on the values, on the moved values and the trials if there are any, and the errors."""
    kinked = operation is arrays.where_positive

    def rule(*arguments: Any) -> SpreadArray:
        usual = [a.value if isinstance(a, SpreadArray) else a for a in arguments]

        def other(index: int | bytes) -> FloatArray:
            picked = [_other(a, index) if k or not kinked else a.value for k, a in enumerate(arguments)]
            return value if all(map(is_, picked, usual)) else np.asarray(operation(*picked))

        operands = [a for a in arguments if isinstance(a, SpreadArray)]
        like = operands[0]
        value = np.asarray(operation(*usual))
        moved = {constant: other(constant) for a in operands for constant in a.moved}
        with np.errstate(all="ignore"):  # a variance may be infinite, where the value may not
            noise, flips, fresh, by_row, typical = spread(value, *arguments)
            if operation not in _SUMS:
                noise = _within_range(like, value, noise)
            if noise is not None:
                noise.after(z.noise for z in operands)
            count = 0 if _over_samples(operation, operands) else max(len(a.trials) for a in operands)
            trials = [other(index) for index in range(count)]
            if trials and fresh is not None:
                trials = _tried(like, value, fresh, trials, number)
            if trials and by_row is not None:
                trials = _tried(like, *by_row, trials, -number)
        ceiling = 0.0 if operation is arrays.log_softmax else math.inf
        terms = arguments[0].shape[1] if operation is np.matmul else 0
        along = 1 - like.along if operation is arrays.transpose else like.along
        return SpreadArray(
            value,
            like.precision,
            like.log_odds,
            noise,
            flips,
            moved,
            tuple(trials),
            ceiling,
            terms,
            typical,
            along,
            like.coherent,
        )

    return rule


def _over_samples(operation: Any, operands: list[SpreadArray]) -> bool:
    """Whether this is a sum over the samples, as for the gradient of a weight or a bias, of what varies in trials.

    Whether errors reinforce each other shows in what it is a sum of. Trials of the sum are made if they do.
    """
    first = operands[0]
    summed = first.along == 0 if operation is np.matmul else first.along == 1 and operation is arrays.column_sums
    return summed and not first.coherent and all(a.trials for a in operands)


def _other(argument: Any, index: int | bytes) -> Any:
    """The value of an operand if a constant is moved, or in a trial; its value, if there is none such."""
    if not isinstance(argument, SpreadArray):
        return argument
    if isinstance(index, bytes):
        return argument.moved.get(index, argument.value)
    return argument.trials[index] if argument.trials else argument.value


def _tried(
    like: SpreadArray, value: FloatArray, variance: FloatArray, trials: list[FloatArray], number: int
) -> list[FloatArray]:
    """The trials with new errors, uniform of this variance, from a hash of the numbers: those alike get the same."""
    largest = float(np.max(variance, initial=0))
    if not largest < math.inf:
        variance = np.where(np.isfinite(variance), variance, 0)  # where nothing is known, nothing is tried
        largest = float(np.max(variance))
    if not largest:
        return trials
    roots = np.sqrt((variance / largest).astype(np.float32))  # seven digits are enough, and take less time
    scale = math.sqrt(3 * largest) * like.magnified
    leading = keys(value, like.precision.format.digits)
    tried = []
    for k, trial in enumerate(trials, 1):
        drawn = hashed(leading, number + len(SPREADS) * k)
        drawn *= roots
        tried.append(trial + np.multiply(drawn, scale, dtype=np.float64))
    return tried


def _within_range(like: SpreadArray, value: FloatArray, noise: Noise | None) -> Noise | None:
    """The noise, infinite where a number may be too large for the storage format."""
    largest = like.precision.format.largest
    if _size(value) <= largest / 2:
        return noise
    known = noise or Noise(np.zeros(value.shape))
    beyond = np.abs(value) + np.sqrt(2 * like.log_odds * known.itself) > largest
    if not beyond.any():
        return noise
    return known.infinite(beyond)


# ------------------------------------------------------------------------------------------------------------ the rules


def _errors(
    passed: Noise | None, flips: Flips | None, like: SpreadArray, value: FloatArray, fresh: FloatArray | None
) -> Errors:
    """What is passed on, and new errors of that variance."""
    return Errors(passed if fresh is None else sum_of(passed, _new(like, value, fresh)), flips, fresh)


def _add(value: FloatArray, a: SpreadArray, b: SpreadArray) -> Errors:
    """One rounding, unless the sum or a number is exactly 0; a sum cannot underflow."""
    if a is b:
        passed = _through(a, 4.0, value.shape)
    else:
        passed = sum_of(_through(a, 1.0, value.shape), _through(b, 1.0, value.shape))
    fresh = np.where(value == 0, 0, _once(a, value, underflows=False))
    unit = a.precision.accumulated.unit
    for z, other in ((a, b), (b, a)):
        if z.terms > 1 and z.typical is not None:
            fresh = fresh + (z.terms - 1) * unit**2 / 3 * other.value * other.value
            lost = unit * np.abs(other.value)
            unchanged = z.typical < 2 * lost  # which most terms do not change that are added to it
            if unchanged.any():
                passed = sum_of(passed, Noise(np.zeros(value.shape), mean=np.where(unchanged, z.terms * lost, 0)))
    for z in (a, b):
        if not z.value.all():
            fresh = np.where((z.value == 0) & _certain(z), 0, fresh)
    return _errors(passed, _flips(value.shape, (a, 1.0), (b, 1.0)), a, value, fresh)


def _multiply(value: FloatArray, a: SpreadArray, b: SpreadArray) -> Errors:
    """Slopes b and a, and the product of the errors; by a power of 2 or by 0, a product is exact."""
    size_a, size_b = np.abs(a.value), np.abs(b.value)
    if a is b:
        passed = _squared(a)
    else:
        both = _both_errors(a, b, value.shape)
        passed = sum_of(_through(a, size_b * size_b, value.shape), _through(b, size_a * size_a, value.shape), both)
    flips = [
        Flips(*(part * weight for part, weight in zip(_crossed(x, value.shape), _weights(other), strict=True)))
        for x, other in ((a, b), (b, a))
        if x.flips is not None
    ]
    return _errors(passed, all_of(flips), a, value, _rounded_unless(_scales(a) | _scales(b), a, value))


@lru_cache(maxsize=64)
def _in_products(log_odds: float) -> float:
    """By how much the variance of a product of independent errors counts more, for it reaches farther.

    Of sums of such products, with variance F², P(|sum| > √(2λ)·F + λ·M) is at most of the order of exp(−λ), where M is
    the norm of their matrix, which is F or less (Hanson and Wright; Boucheron, Lugosi, Massart, section 2.9, example
    2.12). That is the reach of (1 + √(λ/2))² times the variance.
    """
    return (1 + math.sqrt(log_odds / 2)) ** 2


def _squared(z: SpreadArray) -> Noise | None:
    """The noise of z²: of an error e it is (2z + e)·e, to the farthest end; and e² has a mean, the variance."""
    if z.noise is None:
        return None
    slope = 2 * np.abs(z.value) + np.sqrt(2 * z.log_odds * z.noise.itself)
    own = Noise(np.zeros(()), mean=z.noise.itself)
    return sum_of(z.noise.through(slope * slope, z.shape, z.shape), own)


def _both_errors(a: SpreadArray, b: SpreadArray, shape: tuple[int, ...]) -> Noise | None:
    """The product of two independent errors of variances V and W as noise: at most 2λ√(VW), where both reach far."""
    if a.noise is None or b.noise is None:
        return None
    v, w, twice = a.noise, b.noise, 2 * a.log_odds
    (rows_a, columns_a), (rows_b, columns_b) = shared(a.shape, shape), shared(b.shape, shape)

    def down() -> FloatArray:
        return twice * np.maximum(v.down * w.itself * rows_a, v.itself * w.down * rows_b)

    def across() -> FloatArray:
        return twice * np.maximum(v.across * w.itself * columns_a, v.itself * w.across * columns_b)

    return Noise(twice * v.itself * w.itself, down, across)


def _weights(z: SpreadArray) -> tuple[FloatArray, ...]:
    """By what a factor multiplies the variance, fourths, mean and total of the other one's flips: with its errors."""
    size, square = np.abs(z.value), z.value * z.value
    smooth = 0.0 if z.noise is None else z.noise.itself
    crossed, fourths = (0.0, 0.0) if z.flips is None else (z.flips.variance, z.flips.fourths)
    largest, total = size + np.sqrt(2 * z.log_odds * smooth), size + _reach(z)
    return square + smooth + crossed, largest**4 + fourths, total, total


def _divide(value: FloatArray, a: SpreadArray, b: SpreadArray) -> Errors:
    """Slopes 1/b and a/b², with the least that b may be; by a power of 2, a quotient is exact."""
    inverse = 1 / np.maximum(np.abs(b.value) - _reach(b), 0)
    slope = np.abs(value) * inverse
    passed = sum_of(_through(a, inverse * inverse, value.shape), _through(b, slope * slope, value.shape))
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
    if z.moved:
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
    walk, wander = _walked(value, a.value, b.value, precision.accumulated), terms / 12 + 1
    together = _terms_alike(a, b)
    unit: Any = precision.accumulated.unit**2 / 3 * (1 if together is None else together)
    noise_a, noise_b = a.noise, b.noise
    rounded = _stored(a, value, unit * walk, precision.accumulated)
    rounded = rounded + _loss(precision, precision.accumulated, terms, a.log_odds)
    itself, apart = rounded, unit * wander  # of the sum of squares; formed at once with another sum, where that is one
    if noise_a is not None:
        left = noise_a.across
        if np.ndim(apart) == 0 or apart.shape[1] == 1:
            left, apart = left + apart * square_a, None
        right = square_b if noise_b is None else square_b + _in_products(a.log_odds) * noise_b.down
        itself = itself + _roughly(left, right)
    if noise_b is not None:
        right = noise_b.down
        if apart is not None and np.ndim(apart) == 0:
            right, apart = right + apart * square_b, None
        itself = itself + _roughly(square_a, right)
    if apart is not None:
        itself = itself + apart * _roughly(square_a, square_b)
    empty = _empty(a, b)
    if empty is not None:
        itself = np.where(empty & ~np.isnan(itself), 0, itself)  # 0·∞ is no number
    fresh = None
    if a.trials or b.trials:  # for these, the sum of squares is taken as if they had nothing to do with each other
        fresh = np.multiply.outer(wander / terms * square_a.sum(axis=1), square_b.sum(axis=0))
        fresh *= unit
        fresh += rounded
        np.minimum(fresh, itself, out=fresh)
    most = precision.accumulated.largest
    if terms * _size(a.value) * _size(b.value) > most:
        itself = np.where(np.abs(a.value) @ np.abs(b.value) > most, np.inf, itself)
    typical = np.multiply.outer(_typical(a.value, 1), _typical(b.value, 0))
    mean = _mean_of_product(a, b, _stagnant(a, b, walk, typical))
    noise = Noise(itself, *_shared_by_product(a, b, value, itself, square_a, square_b), mean)
    return Errors(noise, _flips_of_product(a, b), fresh, typical=typical)


def _roughly(a: FloatArray, b: FloatArray) -> FloatArray:
    """The product of two matrices to about six digits, as is enough for variances: in float32, which takes less time.

    Where float32 may not hold a product of two of their numbers, and where that takes no time, in float64.
    """
    if min(a.size, b.size) >= _LARGE and a.shape[1] <= _LONG:
        (narrow_a, scale_a), (narrow_b, scale_b) = _narrowed(a), _narrowed(b)
        if scale_a and scale_b:
            return np.asarray(np.multiply(narrow_a @ narrow_b, scale_a * scale_b, dtype=np.float64))
    return np.asarray(a @ b)


_LARGE, _LONG = 2**12, 2**12
"""From how many numbers on float32 takes less time; and how many products of 2**114 it adds up without overflow."""


def _narrowed(numbers: FloatArray) -> tuple[NDArray[np.float32], float]:
    """Numbers in float32, divided by a scale, from 2**-63 to 2**57, so that it holds their products; 0 if it cannot."""
    largest = _size(numbers)
    if not 0 < largest < math.inf:
        return _NOTHING, 0
    scale = largest * 2.0**-57
    narrow = np.multiply(numbers, 1 / scale, dtype=np.float64).astype(np.float32)
    held = np.count_nonzero(np.abs(narrow) >= 2.0**-63)
    return (narrow, scale) if held == np.count_nonzero(numbers) else (_NOTHING, 0)


_NOTHING = np.zeros((), np.float32)


def _stagnant(a: SpreadArray, b: SpreadArray, walk: FloatArray, typical: FloatArray) -> FloatArray | None:
    """What is lost of terms that are added to a much larger sum, and do not change it; None if there are none.

    Each of k terms loses u times the sum at most. That is more than their roundings amount to, if a term is ku of the
    largest or less, as a rule: as are the factors, in the mean of their exponents.
    """
    terms, unit = a.shape[1], a.precision.accumulated.unit
    rows, columns = (np.maximum(z.value.max(axis=k), -z.value.min(axis=k)) for z, k in ((a, 1), (b, 0)))
    lost = np.multiply.outer(terms * unit * rows, columns) >= typical
    if not lost.any():
        return None
    partial = np.sqrt(walk * (2 / terms))  # at least the largest of its half and of the rest
    return np.where(lost, terms * unit * partial, 0)


def _typical(factors: FloatArray, axis: int) -> FloatArray:
    """The size that numbers along an axis have as a rule: by the mean of their exponents, without those of zeros."""
    exponents = factors.view(np.int64) >> 52
    exponents &= 0x7FF
    count = factors.shape[axis] if exponents.all() else np.maximum((exponents > 0).sum(axis=axis), 1)
    return np.asarray(np.exp2(exponents.sum(axis=axis) / count - 1023))


def _mean_of_product(a: SpreadArray, b: SpreadArray, lost: FloatArray | None) -> FloatArray | None:
    """What means of either add up to, with the other as large as its errors allow, and what is lost besides."""
    m, n = (None if z.noise is None else z.noise.mean for z in (a, b))
    sums = [] if lost is None else [lost]
    sums += [] if m is None else [m @ (np.abs(b.value) + _reach(b))]
    sums += [] if n is None else [(np.abs(a.value) + _reach(a)) @ n]
    return sum(sums[1:], sums[0]) if sums else None


def _empty(a: SpreadArray, b: SpreadArray) -> NDArray[np.bool_] | None:
    """Which sums have no term but zeros, and are exact; None if there are none."""
    if a.value.all() and b.value.all():
        return None
    rows, columns = (~((z.value != 0) | ~_certain(z)).any(axis=axis) for z, axis in ((a, 1), (b, 0)))
    return np.asarray(np.logical_or.outer(rows, columns)) if rows.any() or columns.any() else None


def _walked(value: FloatArray, a: FloatArray, b: FloatArray, formed: BinaryFormat) -> FloatArray:
    """About the sum of the squares of all k partial sums, from that of the first half, P, and the whole, S.

    It is taken to be k/2·(P² + ½S²). If they are many and go straight from 0 to P to S, it is no more than that;
    backwards S − P stands for P. Of a few terms it may be more. With what is added for wandering, up to ten equal
    ones may get too little; the least is 8/9 of what they should, for two and for four.
    """
    terms = a.shape[1]
    enough = np.float32 if formed.digits <= 24 else np.float64  # which takes less time, and is as exact as theirs
    half: FloatArray = (a[:, : terms // 2].astype(enough) @ b[: terms // 2].astype(enough)).astype(np.float64)
    walked: FloatArray = value - half
    np.abs(walked, out=walked)
    np.maximum(walked, np.abs(half, out=half), out=walked)
    np.square(walked, out=walked)
    walked += value * value / 2
    walked *= terms / 2
    return walked


def _terms_alike(a: SpreadArray, b: SpreadArray) -> FloatArray | None:
    """How many terms of each sum are nearly equal, on average; None if nowhere more than by chance.

    It is not more than the terms that are equal of either factor. Where sums are formed in a finer format than they are
    stored in, that matters little, and one factor is enough.
    """
    digits = a.precision.accumulated.digits
    of_a = repeated(a.value, digits, axis=1)
    if of_a is None or a.precision.accumulated != a.precision.format:
        return None if of_a is None else of_a[:, np.newaxis]
    of_b = repeated(b.value, digits, axis=0)
    return None if of_b is None else np.minimum.outer(of_a, of_b)


def _shared_by_product(
    a: SpreadArray, b: SpreadArray, value: FloatArray, itself: FloatArray, square_a: FloatArray, square_b: FloatArray
) -> tuple[Counted, Counted]:
    """What the errors of a product of matrices count for in sums: `down` and `across` of its noise."""
    noise_a, noise_b, precision = a.noise, b.noise, a.precision

    def down() -> FloatArray | None:
        counts = _together(precision, value, 0, a.shape[1])
        if counts is None and noise_b is None and (noise_a is None or noise_a.more_down is None):
            return None
        passed: FloatArray = np.zeros(())
        more = passed
        if noise_a is not None:
            passed = _roughly(noise_a.across, square_b)
            more = passed if noise_a.more_down is None else _roughly(noise_a.both, square_b)
        if noise_b is not None:  # an error of b goes to all rows
            from_b = _roughly(square_a, noise_b.down)
            passed, more = passed + from_b, more + value.shape[0] * from_b
        return more + np.maximum(itself - passed, 0) * (1 if counts is None else counts)

    def across() -> FloatArray | None:
        counts = _together(precision, value, 1, a.shape[1])
        if counts is None and (noise_b is None or noise_b.more_across is None):
            return None
        own = itself if counts is None else itself * counts  # columns that are alike share what is passed on
        return own if noise_b is None else np.maximum(own, _roughly(square_a, noise_b.both))

    return down, across


def _flips_of_product(a: SpreadArray, b: SpreadArray) -> Flips | None:
    """What flips of either add up to, with the other as large as its errors allow."""
    flips = []
    if a.flips is not None:
        power = _powers(a, 1)
        flips.append(
            Flips(*((x ** (1 / k) @ w ** (1 / k)) ** k for x, w, k in zip(a.flips, _weights(b), power, strict=True)))
        )
    if b.flips is not None:
        power = _powers(b, 0)
        flips.append(
            Flips(*((w ** (1 / k) @ x ** (1 / k)) ** k for x, w, k in zip(b.flips, _weights(a), power, strict=True)))
        )
    return all_of(flips)


def _powers(z: SpreadArray, axis: int | None) -> tuple[float, ...]:
    """k for each part of the flips: the kth power of the sum of kth roots is what they add up to along an axis.

    Flips of several samples are independent, but may all go one way. Those of the units of one sample may come from one
    flip. If they reinforce each other, they add up to no more than if one jump made them all: roots of variances and of
    fourth powers add up. If not, they have either sign, and what they are on average adds up like the root.
    """
    if axis != z.along:
        return 1, 1, 1, 1
    return (2, 4, 1, 1) if z.coherent else (1, 1, 0.5, 1)


def _flips_of_sum(z: SpreadArray, axis: int | None) -> Flips | None:
    """What flips add up to in a sum over an axis, or over all; then along one axis after the other."""
    if z.flips is None:
        return None
    first = axis if axis is not None or z.value.ndim < 2 else z.along
    powers = _powers(z, first)
    parts = [
        (part ** (1 / k)).sum(axis=first, keepdims=axis == 1) ** k for part, k in zip(z.flips, powers, strict=True)
    ]
    return Flips(*(parts if axis is not None else map(np.sum, parts)))


def _stored(like: SpreadArray, value: FloatArray, variance: FloatArray, formed: BinaryFormat) -> FloatArray:
    """The variance of a sum, after it is stored; without a rounding, if it was formed in the storage format."""
    return variance + (
        _underflow(like.precision, like.log_odds) if formed == like.precision.format else _once(like, value)
    )


def _summed(value: FloatArray, z: SpreadArray, axis: int | None) -> Errors:
    """A sum over all elements (None), each column (0) or each row (1); all partial sums are at hand."""
    terms = z.value.ravel()[:, np.newaxis] if axis is None else z.value if axis == 0 else z.value.T
    partial, some = np.cumsum(terms, axis=0), terms != 0
    ahead, behind = partial, partial[-1:] - partial + terms
    if some.all():  # nothing is added to the first term
        ahead[:1], behind[-1:] = 0, 0
    else:  # to add 0, or to 0, is exact
        ahead *= some & (np.cumsum(some, axis=0) > 1)
        behind *= some & (np.cumsum(some[::-1], axis=0)[::-1] > 1)
    sums = z.precision.summed
    own = sums.unit**2 / 3 * np.maximum((ahead * ahead).sum(axis=0), (behind * behind).sum(axis=0))
    lost = _lost_terms(terms, np.maximum(np.abs(ahead).max(axis=0), np.abs(behind).max(axis=0)), sums.unit)
    if z.precision.flushes:
        own = own + _loss(z.precision, sums, len(terms), z.log_odds)
    own = np.where(np.abs(terms).sum(axis=0) > sums.largest, np.inf, own)
    together = repeated(terms, sums.digits, axis=0)
    own = (own if together is None else own * together).reshape(value.shape)
    passed = None if lost is None else Noise(np.zeros(value.shape), mean=lost.reshape(value.shape))
    if z.noise is not None:
        noise = z.noise
        mean = None if noise.mean is None else np.asarray(noise.mean.sum(axis=axis, keepdims=axis == 1))
        if axis is None:
            passed = sum_of(passed, Noise(np.asarray(noise.both.sum()), mean=mean))
        elif axis == 0:
            passed = sum_of(passed, Noise(noise.down.sum(axis=0), mean=mean))
        else:
            rows = noise.across.sum(axis=1, keepdims=True)

            def down() -> FloatArray | None:
                return None if noise.more_down is None else noise.both.sum(axis=1, keepdims=True)

            passed = sum_of(passed, Noise(rows, down, mean=mean))
    adds = ((ahead != 0) | (behind != 0)).any(axis=0).reshape(value.shape)
    return _errors(passed, _flips_of_sum(z, axis), z, value, np.where(adds, _stored(z, value, own, sums), 0))


def _lost_terms(terms: FloatArray, partial: FloatArray, unit: float) -> FloatArray | None:
    """What is lost of terms so small beside the sum that their roundings may be all alike; None if there are none."""
    small = np.abs(terms) < 4 * unit * partial
    if not (small.any() and terms[small].any()):
        return None
    lost: FloatArray = np.where(small, np.minimum(np.abs(terms), unit * partial), 0).sum(axis=0)
    return lost


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


def _steep(operation: Any, value: FloatArray, z: SpreadArray, reach: FloatArray) -> FloatArray:
    """The slope of a line that errors up to this reach stay below.

    As (exp(r) − 1)/r is at most 1.001 up to 1e-3, it is not computed there, where it would be 0/0 in the end.
    """
    if operation is np.exp:  # bent upwards: steepest to the farthest end, if that is not above the ceiling
        rise = np.minimum(reach, z.ceiling - z.value)
        return value * np.where(rise > 1e-3, np.expm1(rise) / np.maximum(rise, 1e-3), 1.001)
    if operation in _SLOPES and np.max(reach, initial=0) <= 0.125:
        return _SLOPES[operation](value, reach)
    return steepest(operation, z.value, reach)


def _grown(reach: FloatArray) -> FloatArray:
    """At least exp(reach), up to 1, and hardly more, up to ¼."""
    return 1 + reach * (1 + reach)


_SLOPES: dict[Any, Callable[[FloatArray, FloatArray], FloatArray]] = {
    np.tanh: lambda t, r: np.minimum((1 - t * t + 2.0**-50) * _grown(2 * r), 1),
    arrays.sech_squared: lambda s, r: 2 * (np.sqrt(1 - s) + r + 2.0**-25) * s * _grown(2 * r),
    arrays.expit: lambda p, r: np.minimum((p - p * p + 2.0**-50) * _grown(r), 0.25),
    arrays.expit_slope: lambda s, r: (np.sqrt(1 - 4 * s) + r / 2 + 2.0**-25) * s * _grown(r),
}
"""The largest slope within an error of up to ⅛, from the value, which takes no time: tanh′ = 1 − tanh² and σ′ = σ − σ²,
whose logarithms change by 2 and 1 at the most from z to z + 1; and likewise for these slopes themselves. What is lost
by cancelling, and added, is far below the rounding of the value."""


def _function(operation: Any) -> Callable[..., Errors]:
    def spread(value: FloatArray, z: SpreadArray) -> Errors:
        passed: Noise | None = None
        slope: FloatArray | float = 1.0
        if z.noise is not None or z.flips is not None:
            reach = _reach(z)
            slope = _steep(operation, value, z, reach)
            deviation = reach / math.sqrt(2 * z.log_odds) if z.flips is None else z.standard_deviation
            most = math.exp(z.ceiling) if operation is np.exp else _RANGES.get(operation, math.inf)
            full = slope * deviation > most  # then errors are all that they can be
            saturated = bool(full.any())
            slope = np.where(full, most / deviation, slope) if saturated else slope
            passed = _through(z, slope * slope, value.shape)
            if passed is not None and saturated:
                passed = passed.saturated(full)
        within, precision = math.sqrt(12) * z.precision.function_rms, z.precision
        # where sums are finer than what is stored, functions are too, and are stored once
        functions, roundings = _WAYS.get(operation, (1, 0)) if precision.accumulate == precision.storage else (1, 0)
        own = (functions * within * within + roundings) * value * value
        if not precision.keeps_tails:
            own = np.maximum(own, sum(part * part for part in parts(operation, value, z.value, within)))
        fresh = precision.format.unit**2 / 3 * own + _underflow(precision, z.log_odds)
        return _errors(passed, _flips(value.shape, (z, slope)), z, value, fresh)

    return spread


_WAYS = {
    arrays.expit: (1, 3),
    arrays.tanh_step: (1, 3),
    arrays.expit_slope: (1, 6),
    arrays.sech_squared: (4, 5),
    arrays.softplus: (2, 1),
    arrays.log_expit: (2, 1),
}
"""Of ways that keep the tails, how many times the variance of a function counts, and how many roundings there are: in
1/(1 + exp); e/(1 + e)², where 1 + e counts twice; 1/cosh², likewise; max(z, 0) + log1p(exp)."""


def _log_softmax(value: FloatArray, z: SpreadArray) -> Errors:
    """log p = d − log Σ exp(d) with d = z − max z.

    An error of z comes through as itself minus the mean over the row, weighted by p, and so as (1 − p) times itself
    minus p times those of the others; and besides, as errors need not be small, log Σ p·exp(δ) of what remains, δ, is
    taken off (`_bent`). The logarithm is off by the roundings of Σ exp(d), which is 1 or more, by those of d, by its
    own, and by one more if max z is added to it; all of the row share that error.
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
    of_rows = _new(z, logarithm, row)
    logarithms = Noise(
        np.broadcast_to(row, value.shape),
        lambda: None if of_rows.more_down is None else np.broadcast_to(of_rows.down, value.shape),
        lambda: row * spread,
    )
    fresh = unit**2 / 3 * (d * d + value * value)
    passed = flips = None
    if z.flips is not None:
        flips = Flips(*((1 - p) ** k * x + _of_others(p**k * x) for x, k in zip(z.flips, (2, 4, 1, 1), strict=True)))
    if z.noise is not None:
        noise, own, rest = z.noise, p * p, (1 - p) ** 2
        passed = Noise(
            rest * noise.itself + _of_others(own * noise.across),
            lambda: None if noise.more_down is None else rest * noise.down + _of_others(own * noise.both),
            lambda: rest * noise.across + arrays.row_sums(own * noise.across) * spread,
            None if noise.mean is None else (1 - p) * noise.mean + _of_others(p * noise.mean),
        )
    passed = sum_of(passed, _bent(z, p, passed, flips), logarithms)
    return _errors(passed, flips, z, value, fresh)._replace(by_row=(logarithm, row))


def _of_others(z: FloatArray) -> FloatArray:
    """For each number, the sum of the others of its row; for the largest not by a difference, which would cancel."""
    rows, largest = np.arange(len(z)), np.argmax(z, axis=1)
    others: FloatArray = arrays.row_sums(z) - z
    rest = z.copy()
    rest[rows, largest] = 0
    others[rows, largest] = rest.sum(axis=1)
    return others


def _bent(z: SpreadArray, p: FloatArray, noise: Noise | None, flips: Flips | None) -> Noise | None:
    """How much log Σ p·exp(δ) may be, for errors δ whose mean, weighted by p, is 0; one for each row.

    As exp(δ) − 1 − δ is at most δ²·(exp(R) − 1 − R)/R² up to R, it is at most the sum of p times that, at most the
    largest δ, and never below 0. An error and its square reinforce each other, so that (R + most)² − R² counts. On
    average it is at most log Σ p·exp(V/2), as for normal errors, and at most what the largest δ is on average, √(2V·log
    C); that is not counted where it is far below what the errors themselves add up to. Up to R = 1e-3, (exp(R) − 1 −
    R)/R², which cancels there, is at most 0.501.
    """
    reach = _reach(replace(z, noise=noise, flips=flips))
    widest = np.max(reach, axis=1, keepdims=True)
    if not widest.any():
        return None
    bend = np.where(widest > 1e-3, (np.expm1(widest) - widest) / np.maximum(widest, 1e-3) ** 2, 0.501)
    most, twice = np.fmin(bend * arrays.row_sums(p * reach * reach), widest), 2 * z.log_odds
    itself, columns, mean = most * (most + 2 * reach) / twice, p.shape[1], None
    if np.max(widest) > min(1, _LITTLE / math.sqrt(len(p))):
        v = (0 if noise is None else noise.itself) + (0 if flips is None else flips.variance)
        largest = np.sqrt(2 * math.log(columns) * np.max(v, axis=1, keepdims=True))
        mean = np.broadcast_to(np.fmin(np.log1p(arrays.row_sums(p * np.expm1(v / 2))), largest), p.shape)
    return Noise(itself, None, lambda: itself * columns, mean)


_LITTLE = 20
"""Logits that reach R deviate by R/√(2λ), at most R/7, and so log Σ p·exp is R²/100 on average, at most. A sum over N
samples reaches √N·R by the deviations, so that the mean adds √N·R/100: if that is a fifth, it is counted."""


def _where_positive(value: FloatArray, z: SpreadArray, a: SpreadArray, b: SpreadArray) -> Errors:
    """The errors of the branch that is taken; and a jump to the other one, with the probability that z has its sign."""
    chosen, shape = z.value > 0, value.shape
    jump, reach = np.broadcast_to(np.abs(a.value - b.value), shape), _reach(z) + _displaced(z)
    unsure = np.broadcast_to(~(np.abs(z.value) > reach) & ~(reach == 0), shape)

    def taken(p: FloatArray, q: FloatArray) -> FloatArray:
        return np.where(unsure, np.maximum(p, q), np.where(chosen, p, q))

    noise = flips = None
    if a.noise is not None or b.noise is not None:
        noise = _either(taken, a, b, shape)
    if a.flips is not None or b.flips is not None:
        flips = Flips(*map(taken, _crossed(a, shape), _crossed(b, shape)))
    uncertain = unsure & (jump > 0)
    if uncertain.any():
        digits, together = z.precision.format.digits, np.full(shape, float(math.prod(shared(z.shape, shape))))
        for axis in (0, 1):
            counts = alike(z.value, digits, axis)  # units that are alike cross together
            together = together if counts is None else together * counts
        if z.noise is not None:  # and so may those that share an error
            known = np.maximum(z.noise.itself, LEAST)
            shared_by = np.nan_to_num(z.noise.down / known * (z.noise.across / known), nan=1, posinf=1)
            together = np.maximum(together, np.ceil(shared_by))
        crossing = np.broadcast_to(_crossing(z), shape)[uncertain]
        jumps, times = jump[uncertain], together[uncertain]
        crossed = Flips.none(shape)
        crossed.variance[uncertain] = crossing * jumps * jumps * times
        crossed.fourths[uncertain] = (jumps * times) ** 4
        crossed.mean[uncertain] = crossing * jumps
        crossed.total[uncertain] = jumps
        flips = all_of([crossed] if flips is None else [flips, crossed])
    return Errors(noise, flips)


def _either(
    pick: Callable[[FloatArray, FloatArray], FloatArray], a: SpreadArray, b: SpreadArray, shape: tuple[int, ...]
) -> Noise:
    """The noise of one or the other operand, element by element."""
    p, q = (_through(z, 1.0, shape) or Noise(np.zeros(())) for z in (a, b))
    return p.or_of(q, pick)


_half_erfc = np.frompyfunc(lambda t: math.erfc(t) / 2, 1, 1)


def _crossing(z: SpreadArray) -> FloatArray:
    """The probability that z has the other sign: by a normal error, or, by Chebyshev's inequality, by other flips.

    Where the error is unknown, the probability is ½; where the mean of errors or rounded constants can do it, it is 1.
    """
    smooth = np.zeros(z.shape) if z.noise is None else z.noise.itself
    certain = _displaced(z) + (0 if z.noise is None or z.noise.mean is None else z.noise.mean)
    size = np.maximum(np.abs(z.value) - certain, 0)
    crossing = np.asarray(_half_erfc(np.nan_to_num(size / np.sqrt(2 * smooth))), dtype=np.float64)
    if z.flips is not None:
        crossing = np.fmin(crossing + z.flips.variance / (size * size), 1)
    return np.where((certain > 0) & (size == 0), 1, crossing)


def _larger(value: FloatArray, a: SpreadArray, b: SpreadArray) -> Errors:
    """The errors of the one that is chosen; where that is uncertain, the larger: the distance does not grow."""
    reach = _reach(a) + _displaced(a) + _reach(b) + _displaced(b)
    apart, takes_a = np.abs(a.value - b.value) > reach, value == a.value

    def chosen(p: FloatArray, q: FloatArray) -> FloatArray:
        return np.where(apart, np.where(takes_a, p, q), np.maximum(p, q))

    noise = flips = None
    if a.noise is not None or b.noise is not None:
        noise = _either(chosen, a, b, value.shape)
    if a.flips is not None or b.flips is not None:
        flips = Flips(*map(chosen, _crossed(a, value.shape), _crossed(b, value.shape)))
    return Errors(noise, flips)


def _unchanged(value: FloatArray, z: SpreadArray, *rest: Any) -> Errors:
    return Errors(z.noise, z.flips)


def _placed(operation: Any) -> Callable[..., Errors]:
    """An operation that moves elements, and their errors with them; what they share is forgotten with their places."""

    def spread(value: FloatArray, z: SpreadArray, *rest: Any) -> Errors:
        noise = None if z.noise is None else z.noise.moved(lambda part: operation(part, *rest))
        flips = None if z.flips is None else z.flips.moved(lambda part: operation(part, *rest))
        return Errors(noise, flips)

    return spread


def _transposed(value: FloatArray, z: SpreadArray) -> Errors:
    """Rows are columns now."""
    return Errors(None if z.noise is None else z.noise.T, None if z.flips is None else z.flips.moved(np.transpose))


def _split(z: SpreadArray, places: Any) -> list[SpreadArray]:
    def parts(array: FloatArray | None) -> list[Any]:
        return [None] * len(places) if array is None else arrays.split(array, places)

    values, variances = parts(z.value), parts(None if z.noise is None else z.noise.itself)
    means = parts(None if z.noise is None else z.noise.mean)
    kinked = zip(*map(parts, z.flips or (None,) * len(Flips._fields)), strict=True)
    trials = list(zip(*(values if t is z.value else parts(t) for t in z.trials), strict=True)) or [()] * len(places)
    moved = [dict(zip(z.moved, those, strict=True)) for those in zip(*map(parts, z.moved.values()), strict=True)]
    return [
        SpreadArray(
            value,
            z.precision,
            z.log_odds,
            None if variance is None else Noise(variance, mean=mean),
            None if z.flips is None else Flips(*jumps),
            those,
            tuple(tried),
            along=z.along,
            coherent=z.coherent,
        )
        for value, variance, mean, jumps, those, tried in zip(
            values, variances, means, kinked, moved or [{}] * len(places), trials, strict=True
        )
    ]


def _join(*blocks: SpreadArray) -> SpreadArray:
    first, noise, flips = blocks[0], None, None
    value = arrays.join(*(b.value for b in blocks))
    if any(b.noise is not None for b in blocks):
        noises = [Noise(np.zeros(b.shape)) if b.noise is None else b.noise for b in blocks]
        noise = Noise(arrays.join(*(n.itself for n in noises)))
        if any(n.mean is not None for n in noises):
            noise.mean = arrays.join(*(np.zeros(n.itself.shape) if n.mean is None else n.mean for n in noises))
    if any(b.flips is not None for b in blocks):
        parts = [b.flips or Flips.none(b.shape) for b in blocks]
        flips = Flips(*(arrays.join(*part) for part in zip(*parts, strict=True)))
    constants = [constant for b in blocks for constant in b.moved]
    moved = {constant: arrays.join(*(_other(b, constant) for b in blocks)) for constant in constants}
    count = max(len(b.trials) for b in blocks)
    trials = tuple(arrays.join(*(_other(b, index) for b in blocks)) for index in range(count))
    return SpreadArray(value, first.precision, first.log_odds, noise, flips, moved, trials, coherent=first.coherent)


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
