"""Arrays of other libraries, as exact float64 numbers; none of these libraries is imported.

A library is known by what its arrays can do. Each number of a format that is modelled is a float64 number too, so that
reading one rounds nothing; what float64 cannot hold, or what has no model, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from refnn.arithmetic.precision import FORMATS
from refnn.arrays import FloatArray
from refnn.checks import as_array, real_array, shown
from refnn.errors import DTypeError, RefnnError, SettingError

__all__ = ["Foreign", "by_name", "common_format", "widened"]

_F64 = np.dtype(np.float64)
_TORCH = ("detach", "cpu", "double", "numpy", "layout")


class Foreign(NamedTuple):
    """The numbers of an array, and the format that they were given in.

    Attributes
    ----------
    values
        The same numbers as float64, NaN and infinities among them; it shares no memory with what was given.
    format
        ``"float64"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``; None for Python's numbers and for integers, which
        say nothing of how they were computed.
    """

    values: FloatArray
    format: str | None


def widened(name: str, given: object) -> Foreign:
    """The numbers of an array of NumPy, PyTorch, JAX, CuPy or any library whose arrays NumPy reads, or of nested lists.

    Parameters
    ----------
    name
        What an error message calls it.
    given
        The array, on any device; it is left as it is. A list has the format that those of its elements have that have
        one.

    Raises
    ------
    DTypeError
        If float64 does not hold its numbers, its format is not modelled, it is sparse or has missing elements, its
        library refuses to convert it, or the elements of a list have different formats.
    ShapeError
        If it is a list whose elements have different shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from refnn.oracle.foreign import widened
    >>> widened("gradient", np.array([0.5, 0.25], np.float32))
    Foreign(values=array([0.5 , 0.25]), format='float32')
    """
    try:
        return _widened(name, given)
    except RecursionError as error:
        raise DTypeError(
            f"{name} is {shown(given)}", "it is nested without end", f"Pass {name} as a NumPy array"
        ) from error


def common_format(formats: Mapping[str, str | None]) -> str | None:
    """The one format of several named arrays, or None if none has one; an array without a format has no say.

    Raises
    ------
    DTypeError
        If two differ.
    """
    stated = [(name, kind) for name, kind in formats.items() if kind is not None]
    for name, kind in stated:
        first, format_ = stated[0]
        if kind != format_:
            raise DTypeError(
                f"{first} is {format_} and {name} is {kind}",
                "the numbers of one computation have one format, which says how far off they may be",
                "Pass both in that format, or as Python floats (.tolist()) the one that is only reported in another",
            )
    return stated[0][1] if stated else None


def by_name(name: str, given: object, names: Collection[str]) -> dict[str, object] | None:
    """The arrays of a mapping of parameters' names, or of a list with one array for each; None if it is neither.

    Parameters
    ----------
    name
        What an error message calls it.
    given
        A mapping may have some of the names only.
    names
        The names that there are; the result is in their order.

    Raises
    ------
    SettingError
        If the mapping has another name, or the list another number of arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from refnn.oracle.foreign import by_name
    >>> by_name("gradient", {"0.bias": 0.5}, ["0.weight", "0.bias"])
    {'0.bias': 0.5}
    >>> by_name("gradient", [0.25, 0.5], ["0.weight", "0.bias"]) is None
    True
    """
    known = ", ".join(names) or "none"
    if isinstance(given, (list, tuple)) and any(getattr(part, "shape", ()) for part in given):
        if len(given) != len(names):
            raise SettingError(
                f"{name} is a list of {len(given)} arrays",
                f"the parameters of this network are {known}",
                "Pass one array for each in this order, or a mapping of their names to arrays",
            )
        return dict(zip(names, given, strict=True))
    if not isinstance(given, Mapping):
        return None
    for key in given:
        if key not in names:
            near = get_close_matches(str(key), names, 1)
            raise SettingError(
                f"{name} has the name {shown(key)}",
                f"the parameters of this network are {known}",
                f"Pass it as {near[0]!r}, if that is meant" if near else "Pass some of these",
            )
    return {key: given[key] for key in names if key in given}


def _widened(name: str, given: object) -> Foreign:
    if isinstance(given, (int, float)) and not isinstance(given, np.generic):
        return Foreign(_exactly(name, given), None)
    if isinstance(given, (list, tuple)):
        parts = {f"{name}[{k}]": _widened(f"{name}[{k}]", part) for k, part in enumerate(given)}
        values = as_array(name, [part.values for part in parts.values()])
        return Foreign(values, common_format({where: part.format for where, part in parts.items()}))
    array, kind = _read(name, given)
    if kind in FORMATS:
        with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
            return Foreign(np.array(array, _F64), kind)
    if array.dtype.kind in "biu":
        return Foreign(real_array(name, array, _F64), None)
    if array.dtype.kind == "O":
        raise DTypeError(
            f"{name} is {shown(given)}", "NumPy reads no numbers from it", f"Pass {name} as an array of floats"
        )
    raise _refused(name, str(array.dtype))


def _exactly(name: str, number: float) -> FloatArray:
    with suppress(OverflowError):
        value = float(number)
        if value == number or math.isnan(value):  # Python compares an integer and a float exactly
            return np.array(value)
    raise DTypeError(
        f"{name} is {shown(number)}",
        "no float64 equals it, and a silent rounding would change the question",
        f"Pass {name} as the float that is meant",
    )


def _refused(name: str, kind: str) -> DTypeError:
    if kind.startswith("complex"):
        remedy = f"Pass {name}.real, if that is meant"
    elif kind.startswith("q"):
        remedy = f"Pass {name}.dequantize()"
    elif kind in {"float96", "float128"}:
        remedy = f"Pass np.asarray({name}, dtype=np.float64), if the nearest float64 is meant"
    else:
        remedy = f"Pass {name} in one of these formats"
    return DTypeError(f"{name} has dtype {kind}", f"the formats that are modelled are {', '.join(FORMATS)}", remedy)


def _read(name: str, given: object) -> tuple[np.ndarray, str]:
    """An array of NumPy with the same numbers, and the name of the format that they were given in."""
    try:
        return _converted(name, given)
    except RefnnError:
        raise
    except Exception as error:
        kind = type(given)
        library = kind.__module__.partition(".")[0]
        raise DTypeError(
            f"{name} is a {kind.__name__} of {library}",
            f"{library} does not convert it to NumPy: {shown(error)}",
            f"Pass {name} as a NumPy array",
        ) from error


def _converted(name: str, given: Any) -> tuple[np.ndarray, str]:
    if all(hasattr(given, member) for member in _TORCH):
        return _from_torch(name, given)
    if hasattr(given, "todense"):
        raise _sparse(name, "todense")
    if isinstance(given, np.ndarray):
        array = as_array(name, given)
    elif hasattr(given, "get") and hasattr(given, "dtype") and not hasattr(given, "to_numpy"):
        array = np.asarray(given.get())  # CuPy's way from the device; the get of pandas looks up a label
    else:
        array = np.asarray(given)
        if array.dtype.kind == "O" and hasattr(given, "__dlpack__"):
            array = np.from_dlpack(given)
    return array, array.dtype.name


def _from_torch(name: str, tensor: Any) -> tuple[np.ndarray, str]:
    if "sparse" in str(tensor.layout):
        raise _sparse(name, "to_dense")
    kind = str(tensor.dtype).removeprefix("torch.")
    tensor = tensor.detach().cpu()
    if kind in FORMATS:
        return tensor.double().numpy(force=True), kind  # NumPy itself has no bfloat16
    if not kind.startswith(("bool", "int", "uint")):
        raise _refused(name, kind)
    return tensor.numpy(), kind


def _sparse(name: str, method: str) -> DTypeError:
    return DTypeError(f"{name} is sparse", "refnn compares every element", f"Pass {name}.{method}()")
