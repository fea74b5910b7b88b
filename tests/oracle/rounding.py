"""Correct rounding a second time: among the numbers next to a value, the nearest one is looked for.

The bit patterns of the positive numbers of a format are in their order, so a neighbour is a pattern more or less. The
pattern after the largest number, infinity, counts as the number that would stand there if exponents had no end.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

FORMATS = ("float64", "float32", "float16", "bfloat16")


class Sizes(NamedTuple):
    """IEEE 754-2019, table 3.5; bfloat16 is float32 without its last 16 bits."""

    digits: int
    highest: int

    @property
    def lowest(self) -> int:
        """The exponent of the smallest subnormal number."""
        return 2 - self.highest - self.digits

    @property
    def largest(self) -> Fraction:
        return Fraction(2 ** (self.highest + 1) - 2 ** (self.highest + 1 - self.digits))


SIZES = {
    "float64": Sizes(53, 1023),
    "float32": Sizes(24, 127),
    "float16": Sizes(11, 15),
    "bfloat16": Sizes(8, 127),
}


def dtype_of(name: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


@cache
def _integers(name: str) -> np.dtype[Any]:
    return np.dtype(f"uint{8 * dtype_of(name).itemsize}")


def pattern(value: float, name: str) -> int:
    """The bits of |value|, rounded somehow if it is no number of the format."""
    with np.errstate(over="ignore"):
        return int(np.array(abs(value)).astype(dtype_of(name)).view(_integers(name)))


def number(bits: int, name: str) -> float:
    return float(np.array(bits, _integers(name)).view(dtype_of(name)))


@cache
def _real(bits: int, name: str) -> Fraction:
    value = number(bits, name)
    return Fraction(2) ** (SIZES[name].highest + 1) if math.isinf(value) else Fraction(value)


def nearest(value: Fraction, name: str) -> float:
    """The number of the format that is nearest to a value; of two, the one with the even pattern; zero is +0."""
    size = abs(value)
    try:
        near = pattern(float(size), name)
    except OverflowError:
        near = pattern(math.inf, name)
    around = range(max(near - 1, 0), min(near + 1, pattern(math.inf, name)) + 1)
    best = min(around, key=lambda bits: (abs(_real(bits, name) - size), bits % 2))
    return number(best, name) if value > 0 or not best else -number(best, name)


def is_even(value: float, name: str) -> bool:
    """Whether a number's significand is even; infinity's is."""
    return pattern(value, name) % 2 == 0
