"""Every operation that the core may use, and what it is on real numbers: on arrays of mpmath's, at 60 digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from refnn import arrays
from refnn.arrays import FloatArray, Operation
from tests import definitions
from tests.definitions import M, Real

Reals: TypeAlias = Any
"""A NumPy array of mpmath's numbers."""

SYNTAX = (np.negative, np.add, np.subtract, np.multiply, np.divide, np.matmul)
"""What Python's operators call."""

OPERATIONS = {
    *SYNTAX,
    *(f for key, f in vars(arrays).items() if not key.startswith("_") and isinstance(f, (np.ufunc, Operation))),
}
"""Found by looking, so that a new one is missed by no arithmetic."""


def name(operation: Any) -> str:
    return str(operation.__name__)


def reals(values: FloatArray) -> Reals:
    """Floats as the real numbers that they are."""
    return np.array([M.mpf(float(v)) for v in values.ravel()] + [None], dtype=object)[:-1].reshape(values.shape)


def each(function: Callable[..., Real]) -> Callable[..., Reals]:
    elementwise: Callable[..., Reals] = np.frompyfunc(function, 1, 1)
    return elementwise


def log_softmax(z: Reals) -> Reals:
    return np.array([definitions.log_softmax(list(row)) for row in z], dtype=object)


class Case(NamedTuple):
    """An operation on real numbers, with arguments to try it on.

    Attributes
    ----------
    on_reals
        What it is, on arrays of mpmath's numbers; results of several parts are a list.
    shapes
        Of each array argument; no two lengths are equal where they need not be.
    rest
        The arguments that are no arrays.
    positive
        Which array arguments are above 0: those of a logarithm, a root, a divisor.
    """

    on_reals: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...] = ((3, 5),)
    rest: tuple[Any, ...] = ()
    positive: tuple[int, ...] = ()


PLACES = ((slice(0, 6), (2, 3)), (slice(6, 11), (5,)))
PAIR = ((3, 5), (3, 5))

CASES: dict[Any, Case] = {
    np.negative: Case(lambda a: -a),
    np.add: Case(lambda a, b: a + b, ((3, 5), (5,))),
    np.subtract: Case(lambda a, b: a - b, ((3, 5), (3, 1))),
    np.multiply: Case(lambda a, b: a * b, PAIR),
    np.divide: Case(lambda a, b: a / b, ((3, 5), (3, 1)), positive=(1,)),
    np.matmul: Case(lambda a, b: a @ b, ((2, 7), (7, 3))),
    np.exp: Case(each(M.exp)),
    np.expm1: Case(each(M.expm1)),
    np.log: Case(each(M.log), positive=(0,)),
    np.sqrt: Case(each(M.sqrt), positive=(0,)),
    np.tanh: Case(each(M.tanh)),
    np.maximum: Case(np.maximum, PAIR),
    np.minimum: Case(np.minimum, PAIR),
    arrays.sech_squared: Case(each(lambda z: 4 * definitions.sigmoid_slope(2 * z))),
    arrays.expit: Case(each(definitions.sigmoid)),
    arrays.softplus: Case(each(definitions.softplus)),
    arrays.erfc: Case(each(lambda z: 2 * definitions.distribution(-z * M.sqrt(2)))),
    arrays.log_softmax: Case(log_softmax),
    arrays.where_positive: Case(lambda z, a, b: np.where(z > 0, a, b), ((3, 5), (3, 5), (3, 5))),
    arrays.within: Case(lambda z, limit: np.minimum(np.maximum(z, -limit), limit), rest=(100,)),
    arrays.total: Case(lambda z: np.sum(z)),
    arrays.row_sums: Case(lambda z: np.sum(z, axis=1, keepdims=True)),
    arrays.column_sums: Case(lambda z: np.sum(z, axis=0)),
    arrays.transpose: Case(lambda z: z.T),
    arrays.reshape: Case(lambda z, shape: z.reshape(shape), rest=((5, 3),)),
    arrays.split: Case(lambda z, places: [z[at].reshape(shape) for at, shape in places], ((11,),), rest=(PLACES,)),
    arrays.join: Case(lambda *blocks: np.concatenate([b.ravel() for b in blocks]), ((2, 3), (5,), (1, 1))),
    arrays.rows: Case(lambda z, index: z[index], rest=(np.array([2, 0]),)),
}
"""For each operation, what it is; `test_every_operation_has_a_case` looks that none is missing."""


def parts(result: Any) -> list[Any]:
    """A result of several arrays as a list, and one array as a list of one."""
    return list(result) if isinstance(result, (list, tuple)) else [result]


def arguments(case: Case, random: np.random.Generator) -> list[FloatArray]:
    """Arrays of ordinary size for each argument."""
    drawn = [random.normal(0, 1, shape) for shape in case.shapes]
    return [np.abs(a) + 0.25 if k in case.positive else a for k, a in enumerate(drawn)]
