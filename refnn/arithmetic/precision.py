"""Precision: what an honest implementation in floating-point numbers does, in one place.

It begins with the given numbers, rounded to its storage format. It rounds each elementary operation once, to nearest.
It adds the terms of a sum in any order that has nothing to do with their values, in its accumulation format, and stores
the sum. It computes functions to within some units in the last place. And it uses no formula that cancels
catastrophically, such as log(1 − σ(z)), or underflows on the way, such as log(softmax(z)), but for those of
`Precision.keeps_tails`.

From this alone `refnn.tolerance` derives how far it may be from the truth. What does more, or better, is within too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np

from refnn.arrays import FloatArray
from refnn.checks import number, shown
from refnn.errors import SettingError

__all__ = ["FORMATS", "BinaryFormat", "Precision", "PrecisionLike", "precision_named"]


@final
@dataclass(frozen=True, slots=True)
class BinaryFormat:
    """A binary floating-point format, by its two numbers: bits of the significand, and bits of the exponent.

    Attributes
    ----------
    name
        As NumPy and its relatives have it.
    digits
        Bits of the significand, with the leading one.
    exponent_bits
        Bits of the exponent.

    References
    ----------
    IEEE 754-2019, table 3.5; bfloat16 is float32 without its last 16 bits.
    """

    name: str
    digits: int
    exponent_bits: int

    @property
    def unit(self) -> float:
        """The unit roundoff u: a rounding to nearest is off by at most u times the result."""
        return 2.0**-self.digits

    @property
    def smallest_normal(self) -> float:
        """Below it, numbers are spaced evenly."""
        return math.ldexp(1.0, 2 - 2 ** (self.exponent_bits - 1))

    @property
    def smallest(self) -> float:
        """The smallest positive (subnormal) number, which is the spacing of all below the smallest normal one."""
        return math.ldexp(1.0, 3 - 2 ** (self.exponent_bits - 1) - self.digits)

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return math.ldexp(2 - 2 * self.unit, 2 ** (self.exponent_bits - 1) - 1)

    def nearest(self, values: FloatArray) -> FloatArray:
        """The nearest numbers of this format, ties to even, as float64; infinite where they are out of its range."""
        if self.name != "bfloat16":
            with np.errstate(over="ignore", under="ignore"):
                return values.astype(self.name).astype(np.float64)
        bits = np.array(values, np.float64, order="C").view(np.uint64)
        dropped = np.uint64(53 - self.digits)
        below = (np.uint64(1) << (dropped - np.uint64(1))) - np.uint64(1)  # just less than half of the last place
        odd = (bits >> dropped) & np.uint64(1)
        rounded: FloatArray = (((bits + below + odd) >> dropped) << dropped).view(np.float64)
        small = np.abs(values) < self.smallest_normal
        if small.any():  # there the places are fixed
            rounded = np.where(small, np.rint(np.where(small, values, 0) / self.smallest) * self.smallest, rounded)
        return np.where(np.abs(rounded) > self.largest, np.copysign(np.inf, values), rounded)


FORMATS = {
    f.name: f
    for f in (
        BinaryFormat("float64", 53, 11),
        BinaryFormat("float32", 24, 8),
        BinaryFormat("bfloat16", 8, 8),
        BinaryFormat("float16", 11, 5),
    )
}
"""The formats that are modelled, by name."""


def _name(given: object) -> str:
    """The name of a format, from a string or a dtype: ``"bfloat16"`` from ``torch.bfloat16``, say."""
    if isinstance(given, type):
        return given.__name__
    return str(given).rpartition(".")[2].lower()


def _refused(name: str, given: object) -> SettingError:
    kind = _name(given)
    if kind.startswith(("tf32", "tensorfloat", "float8", "fp8", "float4", "float6", "fp4", "mx", "int", "uint")):
        why = "hardware truncates it or scales it, by rules that differ and are not modelled: a bound would be a guess"
    else:
        why = "there is no model of it"
    return SettingError(f"{name} is {shown(given)}", why, f"Pass one of {', '.join(FORMATS)}, or a refnn.Precision")


@final
@dataclass(frozen=True, slots=True)
class Precision:
    """An honest implementation: the formats that it computes in, and how well it computes functions.

    Parameters
    ----------
    storage
        The format of every array: ``"float64"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    accumulate
        The format in which matrix products, and other sums, are formed before they are stored; at least as fine as
        `storage`. A sum that is divided next, as for a mean, is stored after that.
    function_ulps
        The largest error of exp, tanh and so on, in units in the last place of the storage format.
    function_rms
        The root mean square of these errors. Measured over NumPy, SciPy, PyTorch and JAX on one machine, the largest
        error was 7 and the largest root mean square 0.95 (both of JAX's tanh; the others stayed below 4 and 0.6).
    sums
        The format in which sums are formed that are no matrix product, as for the loss or the gradient of a bias; None
        if it is `accumulate`. JAX sums 16-bit gradients of biases in their own format.
    keeps_tails
        Whether functions keep relative accuracy where they saturate. Most libraries form the slope of tanh from its
        rounded output as 1 − tanh², that of the logistic function as σ(1 − σ), and GELU from 1 + erf or 1 + tanh: each
        is off by the rounding of a 1, which is much where the result is small. That is within the bounds unless this is
        set.
    flushes
        Whether numbers below the smallest normal one may be flushed to zero, as compilers for speed do.

    Raises
    ------
    SettingError
        If a format is not modelled, or the accumulation is coarser than the storage.

    Examples
    --------
    >>> from refnn.arithmetic.precision import Precision
    >>> print(Precision("bfloat16", accumulate="bfloat16"))
    bfloat16, sums in bfloat16, functions within 8 ulps
    """

    storage: str
    accumulate: str
    function_ulps: float = 8
    function_rms: float = 1
    sums: str | None = None
    keeps_tails: bool = False
    flushes: bool = True

    def __post_init__(self) -> None:
        for name in ("storage", "accumulate", "sums"):
            given = getattr(self, name)
            if name != "sums" or given is not None:
                if _name(given) not in FORMATS:
                    raise _refused(name, given)
                object.__setattr__(self, name, _name(given))
        for name, least in (("function_ulps", 0.5), ("function_rms", 0.29)):
            if number(name, getattr(self, name)) < least:
                raise SettingError(
                    f"{name} is {shown(getattr(self, name))}",
                    f"rounding alone makes {least} of a unit in the last place",
                    f"Pass {least} or more",
                )
        for name, formed in (("accumulate", self.accumulate), ("sums", self.summed.name)):
            if FORMATS[formed].digits < self.format.digits or FORMATS[formed].largest < self.format.largest:
                raise SettingError(
                    f"{name} is {formed} and storage {self.storage}",
                    "sums would be formed in a coarser format than they are stored in",
                    f"Pass {name}={self.storage!r} or a finer one",
                )

    def __str__(self) -> str:
        """The precision in a phrase."""
        if self.summed.name != self.accumulate:
            sums = f", products in {self.accumulate}, other sums in {self.sums}"
        else:
            sums = "" if self.accumulate == self.storage == "float64" else f", sums in {self.accumulate}"
        tails = ", tails kept" if self.keeps_tails else ""
        return f"{self.storage}{sums}, functions within {self.function_ulps:g} ulps{tails}"

    def flushed(self, values: FloatArray) -> FloatArray:
        """What an implementation loses if it takes numbers below the smallest normal one for zero."""
        small = np.abs(values) < self.format.smallest_normal
        return np.where(small, np.abs(values), 0.0) if self.flushes else np.zeros(np.shape(values))

    @property
    def format(self) -> BinaryFormat:
        """The storage format."""
        return FORMATS[self.storage]

    @property
    def accumulated(self) -> BinaryFormat:
        """The format in which matrix products are formed."""
        return FORMATS[self.accumulate]

    @property
    def summed(self) -> BinaryFormat:
        """The format in which other sums are formed."""
        return FORMATS[self.sums or self.accumulate]


PrecisionLike: TypeAlias = str | Precision | Any
"""A `Precision`, the name of a format, or a dtype of NumPy, PyTorch or JAX."""

_SHORTHAND = {
    "float64": Precision("float64", "float64"),
    "float32": Precision("float32", "float32"),
    "bfloat16": Precision("bfloat16", "float32", function_ulps=2, function_rms=0.3),
    "float16": Precision("float16", "float32", function_ulps=2, function_rms=0.3, flushes=False),
}


def precision_named(given: PrecisionLike) -> Precision:
    """The precision for its shorthand: float64 and float32 in themselves, the 16-bit formats with sums in float32.

    Raises
    ------
    SettingError
        If the format is not modelled.
    """
    if isinstance(given, Precision):
        return given
    if _name(given) in _SHORTHAND:
        return _SHORTHAND[_name(given)]
    raise _refused("precision", given)
