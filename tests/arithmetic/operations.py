"""Every operation that the core may use, and what it is on real numbers: on arrays of mpmath's, at 60 digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from flint import arb

from refnn import arrays
from refnn.arithmetic.ball import BallArray, working_precision
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
    arrays.expit_slope: Case(each(definitions.sigmoid_slope)),
    arrays.tanh_step: Case(each(lambda z: definitions.sigmoid(2 * z))),
    arrays.softplus: Case(each(definitions.softplus)),
    arrays.log_expit: Case(each(lambda z: -definitions.softplus(-z))),
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


# ---------------------------------------------------------------------------------------- real numbers against balls

DIGITS = 500
"""At so many digits mpmath adds and multiplies numbers between 1e-100 and 1e100 without any error, and errs in a
function of one of them by far less than 1e-300 of the result, for no condition number is above 1e101."""

SLACK_BITS = 900
"""What is allowed for mpmath's own rounding: 2**-900, about 1e-271, of the number. Balls have 128 bits or fewer."""


def as_ball(number: Real, slack_bits: int = SLACK_BITS) -> arb:
    """A ball around a number of mpmath, relatively 2**-slack_bits wide."""
    man, exponent = M.mpf(number).man_exp
    sign = -1 if number < 0 else 1
    middle = arb((sign * int(man), int(exponent)))
    return middle if man == 0 else arb(middle, (int(man), int(exponent) - slack_bits))


def as_real(exact: arb) -> Real:
    """A ball without radius as the number that it is; to be called with enough digits."""
    man, exponent = exact.man_exp()
    return M.ldexp(M.mpf(int(man)), int(exponent))


def escapes(balls: BallArray, true: Reals, slack_bits: int = SLACK_BITS) -> list[str]:
    """Where a ball does not hold the real number."""
    flat = np.asarray(true, dtype=object).ravel().tolist()
    with working_precision(4096):  # that of the comparison: no end is rounded
        return [
            f"[{k}]: {M.nstr(t, 20)} not in {b.str(20)}"
            for k, (b, t) in enumerate(zip(balls.elements.ravel().tolist(), flat, strict=True))
            if not b.overlaps(as_ball(t, slack_bits))
        ]
