"""The arguments w, x and y: each as the computation takes it, or an error that says what is wrong with it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from refnn.arrays import Arithmetic, FloatArray, IntArray, reshape
from refnn.checks import as_array, finite, real_array, shown
from refnn.errors import DTypeError, ShapeError, TargetError

# ----------------------------------------------------------------------------------------------- parameters and samples


def format_of(name: str, given: Any) -> np.dtype[Any]:
    """`given` as one of the two dtypes of the computation."""
    try:
        dtype: np.dtype[Any] = np.dtype(given)
    except Exception:  # noqa: BLE001 - NumPy raises many kinds for what is no dtype
        dtype = np.dtype(object)
    if dtype.char not in "df":
        raise DTypeError(
            f"{name} has dtype {dtype}" if name == "w" else f"{name} is {shown(given)}",
            "refnn computes in float64 or float32",
            f"Pass {name} as np.float64, or as np.float32",
        )
    return dtype


def vector(w: Any, size: int) -> Any:
    """`w`, an array of any arithmetic, if it has the shape (size,)."""
    w = w if isinstance(w, Arithmetic) else as_array("w", w)
    if w.shape != (size,):
        raise ShapeError(
            f"w has shape {w.shape}, expected ({size},)",
            f"this network has {size} parameters, as one vector",
            "Pass network.initial_parameters(rng=0), or network.pack({name: array}) of your own",
        )
    return w


def rows_of(x: Any, inputs: int | None) -> Any:
    """`x`, an array of any arithmetic, as rows of so many inputs; for one input, a vector is a column."""
    if len(x.shape) == 1 and inputs == 1:
        x = reshape(x, (x.shape[0], 1))
    if len(x.shape) != 2 or x.shape[1] != (inputs or x.shape[1]):
        raise ShapeError(
            f"x has shape {x.shape}, expected (N, {inputs or 'inputs'})",
            "samples are rows" + (f", and the first layer takes {inputs} inputs" if inputs else ""),
            "Pass x as (samples, inputs); for one sample, x[np.newaxis, :]",
        )
    if 0 in x.shape:
        raise ShapeError(f"x has shape {x.shape}", "the batch is empty", "Pass at least one sample and one input")
    return x


def vector_and_rows(w: Any, x: Any, size: int, inputs: int | None) -> tuple[Any, Any]:
    """`w` as a vector and `x` as rows, of finite numbers, in one arithmetic and dtype."""
    if isinstance(w, Arithmetic) and isinstance(x, Arithmetic) and type(w) is not type(x):
        raise DTypeError(
            f"w is a {type(w).__name__} and x a {type(x).__name__}",
            "a computation has one arithmetic",
            "Pass both in the same one, or one of them as floats",
        )
    if isinstance(w, Arithmetic) or isinstance(x, Arithmetic):
        w = w if isinstance(w, Arithmetic) else x.lift(finite("w", real_array("w", w, x.dtype)))
        x = x if isinstance(x, Arithmetic) else w.lift(finite("x", real_array("x", x, w.dtype)))
    else:
        w = as_array("w", w)
        dtype = np.dtype(np.float64) if w.dtype.kind in "biu" else format_of("w", w.dtype)
        w, x = finite("w", real_array("w", w, dtype)), finite("x", real_array("x", x, dtype))
    return vector(w, size), rows_of(x, inputs)


# -------------------------------------------------------------------------------------------------------------- targets


def real_rows(y: object, shape: tuple[int, int], dtype: np.dtype[Any]) -> FloatArray:
    """`y` as rows of finite numbers of that shape; for one output, a vector is a column."""
    targets = real_array("y", y, dtype)
    if targets.shape == (shape[0],) and shape[1] == 1:
        targets = targets[:, np.newaxis]
    if targets.shape != shape:
        raise ShapeError(
            f"y has shape {targets.shape}, expected {shape}",
            f"x has {shape[0]} samples and the last layer has {shape[1]} outputs",
            f"Pass one row of {shape[1]} targets for each of the {shape[0]} samples",
        )
    return finite("y", targets)


def probabilities(y: object, shape: tuple[int, int], dtype: np.dtype[Any]) -> FloatArray:
    """`y` as rows of numbers in [0, 1]."""
    targets = real_rows(y, shape, dtype)
    outside = (targets < 0) | (targets > 1)
    if outside.any():
        n, j = (int(k) for k in np.argwhere(outside)[0])
        raise TargetError(
            f"y[{n}, {j}] is {targets[n, j]}",
            "a binary cross-entropy target is a probability",
            "Pass targets between 0 and 1; for labels −1 and 1, pass (y + 1) / 2",
        )
    return targets


def distributions(y: object, shape: tuple[int, int], dtype: np.dtype[Any]) -> FloatArray:
    """`y` as probability rows; a vector of classes as rows with a 1 at the class."""
    given = as_array("y", y)
    if given.ndim == 1:
        return classes(given, shape, dtype)
    labels = real_rows(given, shape, dtype)
    precision = max(float(np.finfo(kind).eps) for kind in (dtype, given.dtype) if kind.kind == "f")
    slack = shape[1] * precision  # C probabilities, each correctly rounded, and C − 1 additions
    sums = labels.sum(axis=1)
    wrong = (labels < 0).any(axis=1) | (abs(sums - 1) > slack)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise TargetError(
            f"y[{row}] is {labels[row]}, with sum {sums[row]}",
            "a target row is a probability distribution over the classes",
            "Pass non-negative rows that sum to 1, or integer classes of shape (N,)",
        )
    return labels


@lru_cache(maxsize=64)
def _numbers(outputs: int) -> IntArray:
    return np.arange(outputs)


def classes(y: np.ndarray, shape: tuple[int, int], dtype: np.dtype[Any]) -> FloatArray:
    """A vector of integer classes as rows with a 1 at the class."""
    if y.dtype.kind not in "iu":
        raise DTypeError(
            f"y has shape {y.shape} and dtype {y.dtype}",
            "targets of one dimension are classes, and classes are integers",
            "Pass y.astype(int) if these are classes, or probability rows of shape (N, C)",
        )
    samples, outputs = shape
    if len(y) != samples:
        raise ShapeError(
            f"y has shape {y.shape}, expected ({samples},)",
            f"x has {samples} samples",
            "Pass one class for each sample",
        )
    hits = y[:, np.newaxis] == _numbers(outputs)
    if np.count_nonzero(hits) != samples:
        row = int(np.argmax((y < 0) | (y >= outputs)))
        raise TargetError(
            f"y[{row}] is {y[row]}",
            f"the last layer has {outputs} outputs, so classes are 0 to {outputs - 1}",
            "Number the classes from 0, or give the network as many outputs as there are classes",
        )
    labels: FloatArray = hits.astype(dtype)
    return labels
