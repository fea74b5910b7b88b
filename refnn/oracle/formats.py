"""Floating-point formats, and correct rounding into them: to nearest, ties to even, with subnormal numbers.

A ball is rounded when all its points round alike. For most balls that is proven by one comparison: the ball is nearer
to a candidate than half the candidate's spacing. For the rest, both ends are rounded exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from refnn.arithmetic.ball import BallArray, arb
from refnn.arithmetic.rational import RationalArray
from refnn.arrays import FloatArray
from refnn.checks import extra, shown
from refnn.errors import DTypeError

__all__ = ["Format", "format_named"]

_NAMES = ("float64", "float32", "float16", "bfloat16")


@final
@dataclass(frozen=True, slots=True)
class Format:
    """A binary floating-point format.

    Attributes
    ----------
    dtype
        As NumPy has it; that of bfloat16 comes from ml_dtypes.
    digits
        Bits of the significand, with the leading one.
    lowest
        The exponent of the smallest subnormal number, 2**lowest.
    largest
        The largest finite number.
    """

    dtype: np.dtype[Any]
    digits: int
    lowest: int
    largest: float

    def nearest(self, value: Fraction) -> float:
        """The correct rounding of a rational number, as a float64 that holds it exactly; zero is +0."""
        if value == 0:
            return 0.0
        above = abs(value.numerator).bit_length() - value.denominator.bit_length()
        leading = above if abs(value) >= Fraction(2) ** above else above - 1  # 2**leading ≤ |value| < 2**(leading + 1)
        spacing = max(leading - self.digits + 1, self.lowest)
        units = round(value / Fraction(2) ** spacing)  # Fraction rounds ties to even
        if leading > 1024 or abs(units) * Fraction(2) ** spacing > self.largest:
            return math.inf if value > 0 else -math.inf
        return math.ldexp(units, spacing) + 0.0

    def nearest_end(self, end: arb) -> float:
        """The correct rounding of a finite ball of radius 0, whose exponent may be huge."""
        integer, exponent = map(int, end.man_exp())
        top = integer.bit_length() + exponent  # |end| < 2**top
        if integer == 0 or top < self.lowest:
            return 0.0
        if top > 1025:
            return math.inf if integer > 0 else -math.inf
        return self.nearest(integer * Fraction(2) ** exponent)

    def round_rationals(self, array: RationalArray) -> FloatArray:
        """The correct roundings of rational numbers, as float64 numbers that hold them exactly."""
        ratios = (Fraction(int(ratio.p), int(ratio.q)) for ratio in array.elements.flat)
        return np.array([self.nearest(ratio) for ratio in ratios]).reshape(array.shape)

    def round_balls(self, array: BallArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The roundings of balls, as float64 numbers that hold them exactly; and which of them are decided.

        Where a ball holds the border between two numbers, the one with the even significand stands for it; where it
        holds several, one of them.
        """
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            values = np.asarray(array.midpoint.astype(self.dtype).astype(np.float64))
            decided = np.asarray(self._proven(array, values))
        for index in np.argwhere(~decided):
            place = tuple(index)
            values[place], decided[place] = self._from_both_ends(array.elements[place])
        return values + 0.0, decided

    def _proven(self, array: BallArray, candidates: FloatArray) -> NDArray[np.bool_]:
        """Where each point of a ball is nearer to the candidate than half the spacing on its narrower side.

        Compared in floats, whose rounding 2**-40 covers; not where these could underflow.
        """
        finite = np.isfinite(candidates)
        candidates = np.where(finite, candidates, 0)
        reach = np.frompyfunc(arb.abs_upper, 1, 1)(array.elements - BallArray.exact(candidates).elements)
        significand, exponent = np.frexp(np.abs(candidates))
        places = np.where(significand == 0, self.lowest, np.maximum(exponent - self.digits, self.lowest))
        spacing = np.ldexp(np.where(significand == 0.5, 0.5, 1.0), places)  # below a power of 2, numbers stand closer
        near = 2 * np.asarray(reach, object).astype(np.float64) < (1 - 2.0**-40) * spacing
        return near & finite & (spacing > 2.0**-1000)

    def _from_both_ends(self, ball: arb) -> tuple[float, bool]:
        if ball.is_zero():
            return 0.0, True
        if not ball.is_finite():
            return math.nan, False
        low, high = self.nearest_end(ball.lower()), self.nearest_end(ball.upper())
        if low == high:
            return low, True
        if math.isinf(low) or math.isinf(high):
            return low + high, False
        return self.nearest((Fraction(low) + Fraction(high)) / 2), False


def format_named(dtype: DTypeLike) -> Format:
    """The format with a name or dtype: float64, float32, float16 or bfloat16.

    Raises
    ------
    DTypeError
        If it is none of these.
    MissingExtraError
        If it is bfloat16, and ml_dtypes is not installed.
    """
    try:
        name = "bfloat16" if dtype == "bfloat16" else np.dtype(dtype).name
    except Exception:  # noqa: BLE001 - NumPy raises many kinds for what is no dtype
        name = "none"
    if name not in _NAMES or dtype is None:
        raise DTypeError(
            f"dtype is {shown(dtype)}", "there is no such format to round to", f"Pass one of {', '.join(_NAMES)}"
        )
    if name == "bfloat16":
        kinds = extra("ml_dtypes", "exact", "rounding to bfloat16")
        limits, kind = kinds.finfo(kinds.bfloat16), np.dtype(kinds.bfloat16)
    else:
        limits, kind = np.finfo(name), np.dtype(name)
    return Format(kind, int(limits.nmant) + 1, int(limits.minexp) - int(limits.nmant), float(limits.max))
