"""A second look at every step, on small instances: sums are written out, and numbers put in.

It shares nothing with the tactics. A derivative is taken of what is written out, with respect to one plain symbol; the
two sides are then numbers, rational where they can be, and else enclosed in balls.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sympy
from flint import arb, fmpq
from sympy import Derivative, Indexed, Integer, Integral, KroneckerDelta, Limit, Rational, Subs, Sum, Symbol
from sympy.core.function import AppliedUndef

from proofs.sums import Between, Expression, Index, free_indices
from refnn.arithmetic.ball import working_precision

__all__ = ["ball", "contradiction", "evaluated", "instances", "nowhere_negative", "written_out"]

_BITS, _LARGEST, _SIZES, _POSITIVE = 200, 3, 3, 0.7


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
        return _element(expression.base, *(written_out(index, sizes, at) for index in expression.indices))
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
    return found.doit() if isinstance(found, Limit | Integral) else found


def _element(base: Expression, *place: object) -> Expression:
    """The symbol that stands for one element of an array."""
    assumed = {"positive": True} if base[place].is_positive else {"real": True}
    return Symbol(f"{base}[{', '.join(map(str, place))}]", **assumed)


def _some_function(name: str, *arguments: Expression) -> Expression:
    """In place of one that may be any: a cubic that depends on its name, and on each argument."""
    t = sympy.Add(*(number * argument for number, argument in enumerate(arguments, 1)))
    return t**3 / 3 - t**2 + (1 + sum(map(ord, name)) % 7) * t


def instances(*sides: Expression) -> Iterator[tuple[Expression, ...]]:
    """The sides for some small sizes, which are different where they have different names, at every place.

    Sizes for which a side is not finite are left out.
    """
    free = sorted(set[Index]().union(*map(free_indices, sides)), key=str)
    letters = {symbol for side in sides for symbol in side.free_symbols if symbol.is_integer and symbol.is_nonnegative}
    names = sorted(
        {index.size for side in sides for index in side.atoms(Index)} | {s for s in letters if type(s) is Symbol},
        key=str,
    )
    choices = itertools.permutations(range(1, max(_LARGEST, len(names)) + 1), len(names))
    tried = 0
    for values in choices:
        sizes = dict(zip(names, values, strict=True))
        places = itertools.product(*(range(1, sizes[index.size] + 1) for index in free))
        found = [
            tuple(written_out(side, sizes, dict(zip(free, place, strict=True))) for side in sides) for place in places
        ]
        if any(side.has(sympy.zoo, sympy.nan) for instance in found for side in instance):
            continue  # such as 1/(N − 1) for N = 1: it says nothing
        yield from found
        tried += 1
        if tried == _SIZES:
            return
    if not tried:
        raise ValueError(f"{sides} are finite for none of the sizes that are tried")


def evaluated(
    expression: Expression, arrays: Mapping[str, Any], sizes: Mapping[Symbol, int], axes: Sequence[Index]
) -> Mapping[tuple[int, ...], Any]:
    """The value of an expression without derivatives at every place, counted from 0, in the working precision.

    Parameters
    ----------
    expression
        In the letters of the arrays.
    arrays
        By letter; of numbers that are fractions.
    sizes
        Of all indices.
    axes
        The free indices, in the order of the axes of the place.

    Returns
    -------
        For each place a ball, which is exact if all of it is rational.
    """
    numbers = {}
    for letter, values in arrays.items():
        for where, value in np.ndenumerate(values):
            name = f"{letter}[{', '.join(str(n + 1) for n in where)}]" if np.ndim(values) else letter
            numbers[name] = Rational(*value.as_integer_ratio())
    found = {}
    for place in itertools.product(*(range(1, sizes[index.size] + 1) for index in axes)):
        value = written_out(expression, sizes, dict(zip(axes, place, strict=True)))
        value = value.xreplace({symbol: numbers[symbol.name] for symbol in value.free_symbols})
        found[tuple(n - 1 for n in place)] = ball(value)
    return found


def contradiction(left: Expression, right: Expression, relation: str = "=") -> str | None:
    """Numbers for which a relation does not hold; None if none are found.

    Each symbol is a fraction drawn from a seed, and a positive one if that is assumed.

    Examples
    --------
    >>> from sympy import Symbol
    >>> x = Symbol("x")
    >>> contradiction((x + 1) ** 2, x**2 + 2 * x + 1) is None
    True
    >>> contradiction((x + 1) ** 2, x**2 + 1)
    'x = -9/19: 100/361 = 442/361'
    """
    rng = random.Random(1)  # noqa: S311 - any numbers will do
    holds = _RELATIONS[relation]
    for instance in instances(left, right):
        symbols = sorted(set[Any]().union(*(side.free_symbols for side in instance)), key=str)
        numbers = {symbol: _drawn(rng, symbol) for symbol in symbols}
        with working_precision(_BITS):
            a, b = (ball(side.xreplace(numbers)) for side in instance)
            if not holds(a, b):
                sides = f"{instance[0].subs(numbers)} {relation} {instance[1].subs(numbers)}"
                return ", ".join(f"{symbol} = {number}" for symbol, number in numbers.items()) + f": {sides}"
    return None


def _drawn(rng: random.Random, symbol: Symbol) -> Rational:
    size = Rational(rng.randint(1, 40), rng.randint(1, 20))
    if isinstance(symbol, Between):
        low, high = symbol.ends
        return low + (high - low) * size / (1 + size)
    if symbol.is_nonpositive:
        return -size
    return size if symbol.is_nonnegative or rng.random() < _POSITIVE else -size


_RELATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool((a - b).contains(0)),
    "≥": lambda a, b: not bool(a < b),
    "≤": lambda a, b: not bool(a > b),
}


def ball(value: Expression, at: Mapping[Symbol, Any] | None = None) -> Any:
    """The value of an expression in the working precision, with a ball for each of its symbols."""
    if isinstance(value, Rational):
        return arb(fmpq(int(value.p), int(value.q)))
    if isinstance(value, Symbol) and at is not None:
        return at[value]
    return _FUNCTIONS[value.func](*(ball(part, at) for part in value.args))


def nowhere_negative(expression: Expression, tiles: int = 20_000, *, strictly: bool = False) -> bool:
    """Whether balls prove that a smooth expression is not negative, for all values of its symbol, which has two ends.

    If it is to be so strictly, it is positive.

    The range is cut into tiles until for each of them the ball of the expression is not negative, or that of its mean
    value form: f(z) = f(m) + f'(somewhere between) (z - m), with the middle m.

    Examples
    --------
    >>> z = Between("z", 0, 2)
    >>> nowhere_negative(sympy.exp(z) - 1 - z + Rational(1, 100))
    True
    >>> nowhere_negative(sympy.exp(z) - 1 - 2 * z)
    False
    """
    symbols = list(expression.free_symbols)
    if len(symbols) > 1 or not all(isinstance(symbol, Between) for symbol in symbols):
        return False

    def above(value: Any) -> bool:
        return bool(value > 0 if strictly else value >= 0)

    with working_precision(_BITS):
        if not symbols:
            return above(ball(expression))
        (z,) = symbols
        slope, left = expression.diff(z), [z.ends]
        for _ in range(tiles):
            if not left:
                return True
            low, high = left.pop()
            middle = (low + high) / 2
            tile, at = ball(low).union(ball(high)), ball(middle)
            there = ball(expression, {z: at})
            if there < 0:
                return False
            if not (above(ball(expression, {z: tile})) or above(there + ball(slope, {z: tile}) * (tile - at))):
                left += [(low, middle), (middle, high)]
    return False


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
    sympy.sinh: lambda t: t.sinh(),
    sympy.erf: lambda t: t.erf(),
    sympy.erfc: lambda t: t.erfc(),
    sympy.Abs: abs,
    sympy.Max: lambda *parts: functools.reduce(arb.max, parts),
    sympy.Min: lambda *parts: functools.reduce(arb.min, parts),
    sympy.core.numbers.Pi: lambda: arb.pi(),
    sympy.core.numbers.Exp1: lambda: arb(1).exp(),
}
