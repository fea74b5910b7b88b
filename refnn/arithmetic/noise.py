"""Errors as random numbers: their variances, what these count for in sums, and the jumps of units at a kink."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from refnn.arrays import FloatArray

__all__ = ["LEAST", "Counted", "Flips", "Noise", "all_of", "shared", "sum_of"]

LEAST = 2.0**-1000
"""The least variance: below 2**-500, floats cannot hold the squares of errors, and nothing is said of such elements."""

_OLDEST = 50
"""After so many operations it is counted what is shared, asked or not: Python does not nest calls without end."""

Counted: TypeAlias = FloatArray | Callable[[], FloatArray | None] | None


@final
class Noise:
    """The variance of an error; what it counts for in sums is found when a sum asks.

    Parameters
    ----------
    itself
        Of each element by itself.
    down, across
        What it counts for in a sum over its column or its row, if others there share the error; None if it is no more.
        Or a function that gives the one or the other.
    mean
        What the mean of the error cannot exceed, which adds up linearly; None if that is far below the rest.
    """

    __slots__ = ("_across", "_down", "age", "itself", "mean")

    def __init__(
        self, itself: FloatArray, down: Counted = None, across: Counted = None, mean: FloatArray | None = None
    ) -> None:
        self.itself, self._down, self._across, self.age, self.mean = itself, down, across, 0, mean

    def after(self, noises: Iterable[Noise | None]) -> None:
        """Note of how many operations in a row nothing has been counted; of not too many, for each calls the last."""
        self.age = 1 + max((noise.age for noise in noises if noise is not None), default=0)
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
        return self.down * (self.across / np.maximum(self.itself, LEAST))

    @property
    def T(self) -> Noise:  # noqa: N802 - as NumPy has it
        """That of the transposed numbers: rows are columns now."""

        def down() -> FloatArray | None:
            return None if self.more_across is None else self.more_across.T

        def across() -> FloatArray | None:
            return None if self.more_down is None else self.more_down.T

        return Noise(self.itself.T, down, across, None if self.mean is None else self.mean.T)

    def through(self, square: FloatArray | float, of: tuple[int, ...], shape: tuple[int, ...]) -> Noise:
        """What it is in a result of another shape, with the square of the slope.

        What is broadcast along an axis brings one error to n elements, which counts n-fold in a sum over that axis.
        """
        rows, columns = shared(of, shape)

        def down() -> FloatArray | None:
            return None if self.more_down is None and rows == 1 else square * self.down * rows

        def across() -> FloatArray | None:
            return None if self.more_across is None and columns == 1 else square * self.across * columns

        mean = None if self.mean is None else np.broadcast_to(np.sqrt(square) * self.mean, shape)
        return Noise(square * self.itself, down, across, mean)

    def moved(self, operation: Callable[[FloatArray], FloatArray]) -> Noise:
        """With its elements in other places; what they share is forgotten with their places."""
        return Noise(operation(self.itself), mean=None if self.mean is None else operation(self.mean))

    def saturated(self, where: NDArray[np.bool_]) -> Noise:
        """Where it is all that an error can be, it may have one sign everywhere, and counts as if it were shared."""
        rows, columns = (1, 1, *where.shape)[-2:]
        return Noise(
            self.itself,
            lambda: self.down * np.where(where, rows, 1),
            lambda: self.across * np.where(where, columns, 1),
            self.mean,
        )

    def infinite(self, where: NDArray[np.bool_]) -> Noise:
        """With nothing known of some elements."""
        return Noise(
            np.where(where, np.inf, self.itself),
            lambda: np.where(where, np.inf, self.down),
            lambda: np.where(where, np.inf, self.across),
            self.mean,
        )

    def or_of(self, other: Noise, pick: Callable[[FloatArray, FloatArray], FloatArray]) -> Noise:
        """Its variance or that of another, element by element."""

        def down() -> FloatArray | None:
            return None if self.more_down is None and other.more_down is None else pick(self.down, other.down)

        def across() -> FloatArray | None:
            return None if self.more_across is None and other.more_across is None else pick(self.across, other.across)

        mean = None
        if self.mean is not None or other.mean is not None:
            mean = pick(*(np.zeros(()) if noise.mean is None else noise.mean for noise in (self, other)))
        return Noise(pick(self.itself, other.itself), down, across, mean)


def sum_of(*noises: Noise | None) -> Noise | None:
    """The noise of a sum of independent errors."""
    some = [noise for noise in noises if noise is not None]
    if len(some) < 2:
        return some[0] if some else None

    def down() -> FloatArray | None:
        return None if all(n.more_down is None for n in some) else sum((n.down for n in some[1:]), some[0].down)

    def across() -> FloatArray | None:
        return None if all(n.more_across is None for n in some) else sum((n.across for n in some[1:]), some[0].across)

    means = [n.mean for n in some if n.mean is not None]
    mean = sum(means[1:], means[0]) if means else None
    return Noise(sum((n.itself for n in some[1:]), some[0].itself), down, across, mean)


def shared(of: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, int]:
    """How many rows and how many columns of a result share an element of an operand."""
    if len(shape) < 2:
        return 1, math.prod(shape) // max(1, math.prod(of))
    rows, columns = (1, 1, *of)[-2:]
    return shape[0] // rows, shape[1] // columns


class Flips(NamedTuple):
    """The errors of units that may be on the other side of their kink.

    Attributes
    ----------
    variance
        The sum of probability times jump².
    fourths
        The sum of jump⁴, which is at least that of the largest, and not much more where a few are possible.
    mean
        The sum of probability times |jump|, which their mean cannot exceed.
    total
        The sum of |jump|, which they cannot exceed.
    """

    variance: FloatArray
    fourths: FloatArray
    mean: FloatArray
    total: FloatArray

    @classmethod
    def none(cls, shape: tuple[int, ...] = ()) -> Flips:
        """Of units that are far from their kinks."""
        return cls(*(np.zeros(shape) for _ in cls._fields))

    def scaled(self, slope: FloatArray | float) -> Flips:
        """What they are times a number."""
        return Flips(slope**2 * self.variance, slope**4 * self.fourths, slope * self.mean, slope * self.total)

    def through(self, of: tuple[int, ...], shape: tuple[int, ...]) -> Flips:
        """What they are in a result of another shape; what is broadcast jumps n-fold in a sum over n."""
        times, (variance, fourths, mean, total) = math.prod(shared(of, shape)), self
        return Flips(*(np.broadcast_to(part, shape) for part in (variance * times, fourths * times**3, mean, total)))

    def moved(self, operation: Callable[[FloatArray], FloatArray]) -> Flips:
        """With their elements in other places."""
        return Flips(*map(operation, self))

    def reach(self, log_odds: float) -> FloatArray:
        """What they do not exceed, but for a probability of exp(−λ): by Bernstein's inequality, or all together."""
        jump = np.maximum(self.fourths, LEAST) ** 0.25 * (log_odds / 3)
        bernstein = self.mean + jump + np.sqrt(2 * log_odds * self.variance + jump * jump)
        return np.asarray(np.fmin(self.total, bernstein))


def all_of(flips: list[Flips]) -> Flips | None:
    """The sum of several kinds of flips, if there are any."""
    return Flips(*(sum(parts[1:], parts[0]) for parts in zip(*flips, strict=True))) if flips else None
