"""Precision: what an honest implementation in floating-point numbers does, in one place.

It begins with the given numbers, rounded to its storage format. It rounds each elementary operation once, to nearest.
It adds the terms of a sum in any order that has nothing to do with their values, in its accumulation format, and stores
the sum. It computes functions to within some units in the last place. And it uses no formula that cancels
catastrophically, such as log(1 − σ(z)) or ½(1 + tanh(z/2)) for σ(z), or underflows on the way, such as log(softmax(z)),
but for those of `Precision.keeps_tails`.

From this alone `refnn.tolerance` derives how far it may be from the truth. What does more, or better, is within too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, final

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
        last = np.uint64(1) << dropped
        up = bits >> dropped  # to the next number if that is nearer, or as near and even
        up &= np.uint64(1)
        up += (last >> np.uint64(1)) - np.uint64(1)
        bits += up
        bits &= ~(last - np.uint64(1))
        rounded: FloatArray = bits.view(np.float64)
        size = np.abs(values)
        small = size < self.smallest_normal
        if small.any():  # there the places are fixed
            rounded = np.where(small, np.rint(np.where(small, values, 0) / self.smallest) * self.smallest, rounded)
        large = size > self.largest
        if large.any():  # and here, numbers up to half a place beyond the largest are nearest to it
            rounded = np.where(large & (np.abs(rounded) > self.largest), np.copysign(np.inf, values), rounded)
        return rounded


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


_ALIASES = {
    **dict.fromkeys(("double", "fp64", "f64"), "float64"),
    **dict.fromkeys(("single", "fp32", "f32"), "float32"),
    **dict.fromkeys(("half", "fp16", "f16"), "float16"),
    "bf16": "bfloat16",
}

_LIBRARIES = ("torch", "numpy", "np", "jax.numpy", "jnp", "ml_dtypes")

_REASONS = {
    ("tf32", "tensorfloat"): "hardware truncates factors to 10 bits, by rules that are not modelled",
    ("float8", "fp8", "float6", "fp6", "float4", "fp4", "mx"): "its numbers are scaled, by rules that are not modelled",
    ("int", "uint", "bool"): "integers are not rounded numbers",
    ("complex",): "refnn computes with real numbers",
    ("longdouble", "float80", "float96", "float128"): "the bounds are computed in float64, which is coarser",
}
"""Why a format is refused, by how its name begins."""


def _name(given: object) -> str:
    """The name of a format, from a string or a dtype: ``"bfloat16"`` from ``torch.bfloat16`` or ``"bf16"``, say."""
    if isinstance(given, type):
        return given.__name__
    text = given if isinstance(given, str) else str(getattr(given, "name", given))
    library, _, name = text.rpartition(".")
    plain = (name if library in _LIBRARIES else text).lower()
    return _ALIASES.get(plain, plain)


def _refused(name: str, given: object) -> SettingError:
    kind = _name(given).rpartition(".")[2]
    whys = (why for beginnings, why in _REASONS.items() if kind.startswith(beginnings))
    remedy = f"Pass one of {', '.join(FORMATS)}, or a refnn.Precision"
    return SettingError(f"{name} is {shown(given)}", next(whys, "there is no model of it"), remedy)


class _Usual(NamedTuple):
    """What the usual implementation of a format does; the attributes are those of `Precision`."""

    accumulate: str
    function_ulps: float
    function_rms: float
    flushes: bool


_IN_ITSELF = 8, 1
"""The errors of functions that are computed in the format itself. Measured over NumPy, SciPy, PyTorch and JAX on one
machine, the largest was 7 and the largest root mean square 0.95 (both of JAX's tanh; the others stayed below 4 and
0.6)."""

_ROUNDED_ONCE = 2, 0.3
"""Those of functions that are computed in float32 and then rounded to 16 bits: half a unit, and 1/√12 = 0.29 at most.
Over all numbers of both formats, so it was for exp, tanh, log1p and others of PyTorch and JAX; but JAX forms expm1 of
float16 from steps in float16, which gave 1.4 and 0.3."""

_USUAL = {
    "float64": _Usual("float64", *_IN_ITSELF, flushes=True),
    "float32": _Usual("float32", *_IN_ITSELF, flushes=True),
    "bfloat16": _Usual("float32", *_ROUNDED_ONCE, flushes=True),
    "float16": _Usual("float32", *_ROUNDED_ONCE, flushes=False),
}
"""For each format, what is meant if nothing else is said. All libraries that were tried form matrix products of 16-bit
numbers in float32. What flushes are switches of compilers and processors for float32 and float64; bfloat16 is computed
in float32, while float16, whose subnormal numbers begin at 6e-5, would lose too much."""


def _usual(storage: str, accumulate: str | None, function_ulps: Any) -> _Usual:
    """What is usual, as far as some is given; whoever forms sums of 16-bit numbers in 16 bits computes functions so."""
    usual = _USUAL[storage]
    if accumulate == storage:
        usual = usual._replace(function_ulps=_IN_ITSELF[0], function_rms=_IN_ITSELF[1])
    less = function_ulps is not None and number("function_ulps", function_ulps) < usual.function_rms
    return usual._replace(function_rms=function_ulps) if less else usual


_AS_USUAL: Any = None
"""A setting that is not given; it becomes the usual one."""


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
        `storage`. A sum that is divided next, as for a mean, is stored after that. If none is given, float64 for
        float64, else float32.
    function_ulps
        The largest error of exp, tanh and so on, in units in the last place of the storage format, 2u times the result.
        If none is given, 2 for a 16-bit format whose sums are finer, else 8.
    function_rms
        The root mean square of these errors. If none is given, 0.3 for a 16-bit format whose sums are finer, else 1,
        or `function_ulps` if that is less.
    sums
        The format in which sums are formed that are no matrix product, as for the loss or the gradient of a bias; None
        if it is `accumulate`. JAX sums 16-bit gradients of biases in their own format.
    keeps_tails
        Whether functions keep relative accuracy where they saturate. Most libraries form the slope of tanh from its
        rounded output as 1 − tanh², that of the logistic function as σ(1 − σ), and GELU from 1 + erf or 1 + tanh: each
        is off by the rounding of a 1, which is much where the result is small. That is within the bounds unless this is
        set.
    flushes
        Whether numbers below the smallest normal one may be flushed to zero, as compilers for speed do. If nothing is
        said, they may, but not in float16.

    Raises
    ------
    SettingError
        If a format is not modelled, the accumulation is coarser than the storage, functions are better than rounding
        allows, or a setting is of another kind.

    Examples
    --------
    >>> from refnn.arithmetic.precision import Precision
    >>> print(Precision("bfloat16"))
    bfloat16, sums in float32, functions within 2 ulps
    >>> print(Precision("bfloat16", accumulate="bfloat16"))
    bfloat16, sums in bfloat16, functions within 8 ulps
    """

    storage: str
    accumulate: str = _AS_USUAL
    function_ulps: float = _AS_USUAL
    function_rms: float = _AS_USUAL
    sums: str | None = None
    keeps_tails: bool = False
    flushes: bool = _AS_USUAL

    def __post_init__(self) -> None:
        for name in ("storage", "accumulate", "sums"):
            given = getattr(self, name)
            if name == "storage" or given is not None:
                if _name(given) not in FORMATS:
                    raise _refused(name, given)
                object.__setattr__(self, name, _name(given))
        for name, usual in _usual(self.storage, self.accumulate, self.function_ulps)._asdict().items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, usual)
        self._check_sums()
        self._check_functions()
        for name in ("keeps_tails", "flushes"):
            if not isinstance(getattr(self, name), bool):
                raise SettingError(f"{name} is {shown(getattr(self, name))}", "it is so or not", "Pass True or False")

    def _check_sums(self) -> None:
        for name, formed in (("accumulate", self.accumulate), ("sums", self.summed.name)):
            if FORMATS[formed].digits < self.format.digits or FORMATS[formed].largest < self.format.largest:
                raise SettingError(
                    f"{name} is {formed} and storage {self.storage}",
                    "sums would be formed in a coarser format than they are stored in",
                    f"Pass {name}={self.storage!r} or a finer one",
                )

    def _check_functions(self) -> None:
        for name, least in (("function_ulps", 0.5), ("function_rms", 0.29)):
            if number(name, getattr(self, name)) < least:
                raise SettingError(
                    f"{name} is {shown(getattr(self, name))}",
                    f"rounding alone makes {least} of a unit in the last place",
                    f"Pass {least} or more",
                )
        if self.function_rms > self.function_ulps:
            raise SettingError(
                f"function_rms is {self.function_rms} and function_ulps {self.function_ulps}",
                "no root mean square is larger than the largest",
                "Pass a smaller function_rms, or larger function_ulps",
            )

    def __str__(self) -> str:
        """The precision in a phrase."""
        if self.summed.name != self.accumulate:
            sums = f", products in {self.accumulate}, other sums in {self.sums}"
        else:
            sums = "" if self.accumulate == self.storage == "float64" else f", sums in {self.accumulate}"
        usual = _usual(self.storage, self.accumulate, self.function_ulps)
        rms = "" if self.function_rms == usual.function_rms else f" (rms {self.function_rms:g})"
        tails = ", tails kept" if self.keeps_tails else ""
        if self.flushes != usual.flushes:
            tails += ", tiny numbers flushed" if self.flushes else ", no tiny numbers flushed"
        return f"{self.storage}{sums}, functions within {self.function_ulps:g} ulps{rms}{tails}"

    def flushed(self, values: FloatArray) -> FloatArray:
        """What an implementation loses if it takes numbers below the smallest normal one for zero."""
        small = np.abs(values) < self.format.smallest_normal
        return np.where(small, np.abs(values), 0.0) if self.flushes else np.zeros(np.shape(values))

    def lost(self, formed: BinaryFormat) -> float:
        """What a product that is formed in a format loses, at most, below its normal range."""
        return formed.smallest_normal if self.flushes else formed.smallest / 2

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


def precision_named(given: PrecisionLike) -> Precision:
    """The precision for its shorthand: that of the usual implementation of a format.

    Parameters
    ----------
    given
        The name of a format (``"bf16"`` and the like will do), a dtype of any library, or a `Precision`.

    Returns
    -------
    Precision
        What is given, if it is one.

    Raises
    ------
    SettingError
        If the format is not modelled.

    Examples
    --------
    >>> import numpy as np
    >>> from refnn.arithmetic.precision import Precision, precision_named
    >>> precision_named("fp32") == precision_named(np.float32) == Precision("float32")
    True
    """
    if isinstance(given, Precision):
        return given
    if _name(given) not in FORMATS:
        raise _refused("precision", given)
    return Precision(_name(given))
