"""A second look at every step, on small instances: sums are written out, and numbers put in.

It shares nothing with the tactics. A derivative is taken of what is written out, with respect to one plain symbol; the
two sides are then numbers, rational where they can be, and else enclosed in balls.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import sympy
from flint import arb, fmpq
from sympy import Derivative, Indexed, Integer, KroneckerDelta, Limit, Rational, Subs, Sum, Symbol
from sympy.core.function import AppliedUndef

from proofs.sums import Expression, Index, free_indices
from refnn.arithmetic.ball import working_precision

__all__ = ["contradiction", "evaluated", "instances", "written_out"]

_BITS, _LARGEST, _SIZES = 200, 3, 3


def written_out(expression: Expression, sizes: Mapping[Symbol, int], at: Mapping[Index, int]) -> Expression:
    """The expression for sizes and values of its free indices: no sum, index or derivative is left in it.

    Examples
    --------
    >>> from sympy import IndexedBase
    >>> from proofs.sums import size, total
    >>> m, x = size("m"), IndexedBase("x")
    >>> i = Index("i", m)
    >>> written_out(total(i * x[i], i), {m: 2}, {})
    x[1] + 2*x[2]
    """
    if isinstance(expression, Sum):
        indices = [index for index, _, _ in expression.limits]
        ranges = (range(1, sizes[index.size] + 1) for index in indices)
        values = (dict(zip(indices, found, strict=True)) for found in itertools.product(*ranges))
        return sympy.Add(*(written_out(expression.function, sizes, {**at, **found}) for found in values))
    if isinstance(expression, Subs):
        point = {
            old: written_out(new, sizes, at) for old, new in zip(expression.variables, expression.point, strict=True)
        }
        return written_out(expression.expr, sizes, at).subs(point)
    if isinstance(expression, Derivative):
        inner = written_out(expression.expr, sizes, at)
        for variable, count in expression.variable_count:
            inner = inner.diff(written_out(variable, sizes, at), count)
        return inner
    if isinstance(expression, Indexed):
        places = ", ".join(str(written_out(index, sizes, at)) for index in expression.indices)
        return Symbol(f"{expression.base}[{places}]", real=True)
    if isinstance(expression, KroneckerDelta):
        a, b = (written_out(index, sizes, at) for index in expression.args)
        return Integer(int(a == b))
    if isinstance(expression, AppliedUndef):
        return _some_function(expression.name, *(written_out(argument, sizes, at) for argument in expression.args))
    known: Mapping[Any, int] = {**sizes, **at}
    if expression in known:
        return Integer(known[expression])
    if not expression.args:
        return expression
    found = expression.func(*(written_out(argument, sizes, at) for argument in expression.args))
    return found.doit() if isinstance(found, Limit) else found


def _some_function(name: str, t: Expression) -> Expression:
    """In place of one that may be any: a cubic that depends on its name."""
    return t**3 / 3 - t**2 + (1 + sum(map(ord, name)) % 7) * t


def instances(*sides: Expression) -> Iterator[tuple[Expression, ...]]:
    """The sides for some small sizes, which are different where they have different names, at every place."""
    free = sorted(set[Index]().union(*map(free_indices, sides)), key=str)
    letters = {symbol for side in sides for symbol in side.free_symbols if symbol.is_integer and symbol.is_positive}
    names = sorted(
        {index.size for side in sides for index in side.atoms(Index)} | {s for s in letters if type(s) is Symbol},
        key=str,
    )
    choices = itertools.permutations(range(1, max(_LARGEST, len(names)) + 1), len(names))
    for values in itertools.islice(choices, _SIZES):
        sizes = dict(zip(names, values, strict=True))
        for place in itertools.product(*(range(1, sizes[index.size] + 1) for index in free)):
            yield tuple(written_out(side, sizes, dict(zip(free, place, strict=True))) for side in sides)


def evaluated(expression: Expression, arrays: Mapping[str, Any], sizes: Mapping[Symbol, int]) -> Mapping[Any, Any]:
    """The value of an expression without derivatives at every place of its free indices, counted from 0.

    Parameters
    ----------
    expression
        In the letters of the arrays.
    arrays
        By letter; of rational numbers.
    sizes
        Of all indices.
    """
    free = sorted(free_indices(expression), key=str)
    numbers = {
        Symbol(f"{letter}[{', '.join(str(n + 1) for n in where)}]", real=True): Rational(*number.as_integer_ratio())
        for letter, array in arrays.items()
        for where, number in np.ndenumerate(array)
    }
    found = {}
    for place in itertools.product(*(range(1, sizes[index.size] + 1) for index in free)):
        value = written_out(expression, sizes, dict(zip(free, place, strict=True)))
        found[tuple(n - 1 for n in place)] = value.xreplace(numbers)
    return found


def contradiction(left: Expression, right: Expression, relation: str = "=") -> str | None:
    """Numbers for which a relation does not hold; None if none are found.

    Each symbol is a positive fraction, drawn from a seed.

    Examples
    --------
    >>> from sympy import Symbol
    >>> x = Symbol("x")
    >>> contradiction((x + 1) ** 2, x**2 + 2 * x + 1) is None
    True
    >>> contradiction((x + 1) ** 2, x**2 + 1)
    'x = 9/19: 784/361 = 442/361'
    """
    rng = random.Random(1)  # noqa: S311 - any numbers will do
    holds = _RELATIONS[relation]
    for instance in instances(left, right):
        symbols = sorted(set[Any]().union(*(side.free_symbols for side in instance)), key=str)
        numbers = {symbol: Rational(rng.randint(1, 40), rng.randint(1, 20)) for symbol in symbols}
        with working_precision(_BITS):
            a, b = (_ball(side.subs(numbers)) for side in instance)
            if not holds(a, b):
                sides = f"{instance[0].subs(numbers)} {relation} {instance[1].subs(numbers)}"
                return ", ".join(f"{symbol} = {number}" for symbol, number in numbers.items()) + f": {sides}"
    return None


_RELATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool((a - b).contains(0)),
    "≥": lambda a, b: not bool(a < b),
    "≤": lambda a, b: not bool(a > b),
}


def _ball(value: Expression) -> Any:
    """The value of an expression without symbols."""
    if isinstance(value, Rational):
        return arb(fmpq(int(value.p), int(value.q)))
    return _FUNCTIONS[value.func](*map(_ball, value.args))


def _sum(*parts: Any) -> Any:
    return sum(parts, arb(0))


def _product(*parts: Any) -> Any:
    found = arb(1)
    for part in parts:
        found *= part
    return found


_FUNCTIONS: Mapping[Any, Callable[..., Any]] = {
    sympy.Add: _sum,
    sympy.Mul: _product,
    sympy.Pow: lambda base, exponent: base**exponent,
    sympy.exp: lambda t: t.exp(),
    sympy.log: lambda t: t.log(),
    sympy.tanh: lambda t: t.tanh(),
    sympy.cosh: lambda t: t.cosh(),
    sympy.erf: lambda t: t.erf(),
    sympy.core.numbers.Pi: lambda: arb.pi(),
    sympy.core.numbers.Exp1: lambda: arb(1).exp(),
}
