"""What the public functions ask of their arguments; each check returns its argument, or raises before any computing."""

from __future__ import annotations

import importlib
import sys
from fractions import Fraction
from types import ModuleType, TracebackType
from typing import Any, TypeAlias, final

import numpy as np

from refnn.arrays import Arithmetic, FloatArray
from refnn.errors import DivergenceError, DTypeError, MissingExtraError, NonFiniteError, SettingError, ShapeError

__all__ = [
    "RandomState",
    "Representable",
    "count",
    "extra",
    "finite",
    "finite_result",
    "generator",
    "number",
    "positive",
    "real_array",
]

_LARGEST = sys.float_info.max

RandomState: TypeAlias = int | np.random.Generator | np.random.BitGenerator | np.random.SeedSequence


def real_array(name: str, value: object, dtype: np.dtype[Any]) -> FloatArray:
    """`value` as an array of `dtype`; integers convert, wider floats are refused with the cast to write."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{name} is ragged", "its rows have different lengths", "Pass rows of equal length") from error
    if array.dtype == dtype:
        return array
    if array.dtype.kind in "biu" or (array.dtype.kind == "f" and np.can_cast(array.dtype, dtype)):
        return array.astype(dtype)
    if array.dtype.kind == "f":
        raise DTypeError(
            f"{name} has dtype {array.dtype}, wider than the {dtype} of w",
            "the dtype of w is the dtype of the computation, and a silent rounding would change the question",
            f"Pass {name}.astype(np.{dtype}), or w as {array.dtype}",
        )
    raise DTypeError(f"{name} has dtype {array.dtype}", "refnn computes with real numbers", f"Pass {name} as floats")


def finite(name: str, array: FloatArray) -> FloatArray:
    """`array`, if no element is NaN or infinite."""
    if not np.isfinite(array).all():
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
    kinds = (int, float, Fraction, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds) or not -_LARGEST <= value <= _LARGEST:
        raise SettingError(f"{name} is {value!r}", f"{name} is a finite real number", f"Pass a finite {name}")
    return value


def positive(name: str, value: float | Fraction) -> float | Fraction:
    """`value`, if it is a positive finite real number."""
    if number(name, value) <= 0:
        raise SettingError(f"{name} is {value!r}", f"{name} is a positive number", f"Pass a {name} above 0")
    return value


def count(name: str, value: int, *, least: int = 1) -> int:
    """`value` as an `int`, if it is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise SettingError(
            f"{name} is {value!r}", f"{name} is a whole number of at least {least}", f"Pass a {name} of {least} or more"
        )
    return int(value)


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
    except (TypeError, ValueError) as error:
        raise SettingError(
            f"rng is {rng!r}", f"numpy.random.default_rng refuses it ({error})", "Pass a seed or a Generator"
        ) from error


def extra(module: str, name: str, purpose: str) -> ModuleType:
    """The module of an optional package, or an error that names the extra to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{module.partition('.')[0]} is not installed", f"{purpose} needs it", f"Run: pip install 'refnn[{name}]'"
        ) from error


@final
class Representable:
    """A block in which a result beyond the range of its format raises `DivergenceError`, whatever NumPy is set to.

    Parameters
    ----------
    what
        What is computed in the block.
    remedy
        What to do if that fails.
    step
        The number of the training step, if it is one.
    """

    __slots__ = ("_state", "remedy", "step", "what")

    def __init__(self, what: str, remedy: str = "Scale parameters or data", step: int | None = None) -> None:
        self.what, self.remedy, self.step = what, remedy, step
        self._state = np.errstate(over="raise", divide="raise", invalid="raise", under="ignore")

    def __enter__(self) -> None:
        self._state.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._state.__exit__(kind, error, at)
        if isinstance(error, FloatingPointError):
            diverged = DivergenceError(
                self.what, f"a result is too large for its floating-point format ({error})", self.remedy
            )
            diverged.step = self.step
            raise diverged from error


def finite_result(result: Any) -> Any:
    """`result`, unless it is not finite: a sum in a BLAS thread may overflow without raising."""
    if not isinstance(result, Arithmetic) and not np.isfinite(result).all():
        raise FloatingPointError("overflow in a sum")
    return result
