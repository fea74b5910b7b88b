"""What the public functions ask of their arguments; each check returns its argument, or raises before any computing."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from types import ModuleType
from typing import Any, TypeAlias, TypeVar

import numpy as np

from refnn.arrays import FloatArray
from refnn.errors import DivergenceError, DTypeError, MissingExtraError, NonFiniteError, SettingError, ShapeError

__all__ = [
    "RandomState",
    "all_finite",
    "as_array",
    "count",
    "extra",
    "finite",
    "finite_result",
    "generator",
    "instance",
    "number",
    "positive",
    "real_array",
    "representable",
    "shown",
]

_LARGEST = sys.float_info.max
_WIDTH = 80
_MANY = 5_000

T = TypeVar("T")

RandomState: TypeAlias = int | np.random.Generator | np.random.BitGenerator | np.random.SeedSequence


def shown(value: object) -> str:
    """`value` as an error message shows it: its `repr` on one line, cut to its length; its type, if that fails."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - it is foreign code; and integers of more than 4300 digits have no repr
        return f"<{type(value).__name__}>"
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def rounded_down(value: float, digits: int) -> str:
    """`value` in so many decimal digits, never more than it is."""
    decimal = Context(prec=digits, rounding=ROUND_FLOOR).create_decimal(value)
    text = f"{float(decimal):.{digits}g}"
    return text if Decimal(text) <= Decimal(value) else str(decimal)  # a subnormal float has fewer digits


def as_array(name: str, value: object) -> np.ndarray:
    """`value` as NumPy reads it, of whatever dtype; what it cannot read is refused."""
    if type(value) is np.ndarray:
        return value
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{name} is ragged", "its rows have different lengths", "Pass rows of equal length") from error
    except Exception as error:
        raise DTypeError(
            f"{name} is {shown(value)}", f"NumPy cannot read it ({type(error).__name__})", f"Pass {name} as an array"
        ) from error
    if hasattr(value, "filled") and np.ma.is_masked(value):  # asked first, because NumPy loads np.ma only on use
        raise DTypeError(
            f"{name} is a masked array with missing elements",
            "refnn computes with every element",
            f"Pass {name}.filled(value), or drop the samples with missing elements",
        )
    return array


def real_array(name: str, value: object, dtype: np.dtype[Any]) -> FloatArray:
    """`value` as an array of `dtype`; integers convert, wider floats are refused with the cast to write."""
    array = as_array(name, value)
    if array.dtype == dtype:
        return array
    if array.dtype.kind in "biu":
        return _exact_integers(name, array, dtype)
    if array.dtype.kind == "f" and (np.can_cast(array.dtype, dtype) or not array.size):
        return array.astype(dtype)
    if array.dtype.kind == "f":
        raise DTypeError(
            f"{name} has dtype {array.dtype}, wider than the {dtype} of w",
            "the dtype of w is the dtype of the computation, and a silent rounding would change the question",
            f"Pass np.asarray({name}, dtype=np.{dtype})" + (", or w as float64" if array.dtype == np.float64 else ""),
        )
    raise DTypeError(f"{name} has dtype {array.dtype}", "refnn computes with real numbers", f"Pass {name} as floats")


def _exact_integers(name: str, array: np.ndarray, dtype: np.dtype[Any]) -> FloatArray:
    """Integers as floats, if each is one."""
    most = 2 ** (np.finfo(dtype).nmant + 1)  # up to there, every integer is
    for value in array[(array > most) | (array < -most)].tolist() if array.dtype.itemsize > 2 else ():
        if int(dtype.type(value)) != value:
            raise DTypeError(
                f"{name} holds the integer {value}",
                f"no {dtype} equals it, and a silent rounding would change the question",
                f"Pass {name}.astype(float) if the nearest float is meant"
                if dtype == np.float64
                else "Pass w as float64",
            )
    return array.astype(dtype)


def all_finite(array: FloatArray) -> bool:
    """Whether no element is NaN or infinite."""
    if array.ndim == 0:
        return math.isfinite(array)
    return (array.size > _MANY and _small(array.ravel())) or int(np.count_nonzero(np.isfinite(array))) == array.size


@np.errstate(over="ignore", invalid="ignore")
def _small(elements: FloatArray) -> bool:
    """Whether the sum of squares is finite, which proves that all elements are, and for many is quicker to have."""
    return math.isfinite(np.dot(elements, elements))


def finite(name: str, array: FloatArray) -> FloatArray:
    """`array`, if no element is NaN or infinite."""
    if not all_finite(array):
        index = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        where = ", ".join(map(str, index))
        raise NonFiniteError(
            f"{name}[{where}] is {array[index]}",
            f"{name} holds {np.count_nonzero(~np.isfinite(array))} elements that are not finite numbers",
            f"Remove or replace them before passing {name}",
        )
    return array


def number(name: str, value: float | Fraction) -> float | Fraction:
    """`value`, if it is a finite real number."""
    plain = value.item() if isinstance(value, (np.integer, np.floating)) else value  # float16 would overflow below
    real = isinstance(plain, (int, float, Fraction, np.longdouble)) and not isinstance(value, (bool, np.timedelta64))
    if not real or not -_LARGEST <= plain <= _LARGEST:
        raise SettingError(f"{name} is {shown(value)}", f"{name} is a finite real number", "Pass a finite number")
    return value


def positive(name: str, value: float | Fraction) -> float | Fraction:
    """`value`, if it is a positive finite real number, and positive as a float too."""
    if float(number(name, value)) <= 0:
        raise SettingError(f"{name} is {shown(value)}", f"{name} is a positive number", "Pass a number above 0")
    return value


def count(name: str, value: int, *, least: int = 1) -> int:
    """`value` as an `int`, if it is a whole number of at least `least`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64))
    if not whole or value < least:
        raise SettingError(
            f"{name} is {shown(value)}",
            f"{name} is a whole number of at least {least}",
            f"Pass {least} or more",
        )
    return int(value)


def instance(name: str, value: object, members: tuple[str, ...], remedy: str) -> None:
    """Refuse `value` unless it is an object (not a class) with these members."""
    if isinstance(value, type) or not all(hasattr(value, member) for member in members):
        raise SettingError(f"{name} is {shown(value)}", f"it has to be an object with {', '.join(members)}", remedy)


def callback(name: str, value: Callable[..., None] | None, purpose: str) -> None:
    """Refuse `value` unless it can be called, or is None."""
    if value is not None and not callable(value):
        raise SettingError(f"{name} is {shown(value)}", purpose, "Pass a function, or None")


def generator(rng: RandomState | None) -> np.random.Generator:
    """`rng` as `numpy.random.default_rng` understands it; None is refused, for the result depends on it."""
    if rng is None:
        raise SettingError(
            "rng is None",
            "the result depends on random numbers, and there is no default seed",
            "Pass rng=0 (or any seed, or a numpy.random.Generator)",
        )
    try:
        return np.random.default_rng(rng)
    except Exception as error:
        raise SettingError(
            f"rng is {shown(rng)}", "numpy.random.default_rng refuses it", "Pass a seed or a numpy.random.Generator"
        ) from error


def extra(module: str, name: str, purpose: str) -> ModuleType:
    """The module of an optional package, or an error that names the extra to install."""
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{package} is not installed",
            f"{purpose} needs it",
            f"Run: pip install {package}; all that refnn may need is in its extra [{name}]",
        ) from error


@np.errstate(all="raise", under="ignore")
def _raising(compute: Callable[..., T], *arguments: Any) -> T:
    return compute(*arguments)


def representable(
    what: str,
    compute: Callable[..., T],
    *arguments: Any,
    remedy: str = "Scale parameters or data",
    step: int | None = None,
) -> T:
    """The result of ``compute(*arguments)``, or `DivergenceError` if a number leaves the range of its format.

    Parameters
    ----------
    what
        What is computed.
    compute, *arguments
        The function and its arguments.
    remedy
        What to do if it fails.
    step
        The number of the training step, if it is one.
    """
    try:
        return _raising(compute, *arguments)
    except FloatingPointError as error:
        diverged = DivergenceError(what, f"a result is too large for its floating-point format ({error})", remedy)
        diverged.step = step
        raise diverged from error


def finite_result(result: T) -> T:
    """`result`, unless it is not finite: a sum in a BLAS thread may overflow without raising."""
    if isinstance(result, np.ndarray) and not all_finite(result):
        raise FloatingPointError("overflow in a sum")
    return result
