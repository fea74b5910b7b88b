"""Finite sums over indices with a size each: one normal form, derivatives, and rewriting by an equation.

An index knows the size that it runs to, from 1. So a Kronecker delta picks a term of a sum only where both of its
indices run over the same range, and nothing has to be assumed elsewhere.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import sympy
from sympy import Add, Derivative, Indexed, Integer, KroneckerDelta, Mul, Number, Pow, Sum, Symbol
from sympy.core.function import AppliedUndef

__all__ = ["Expression", "Index", "differentiated", "free_indices", "normal", "renamed", "rewritten", "size", "total"]

Expression: TypeAlias = Any
"""An expression of SymPy, which has no types."""


class Index(Symbol):  # type: ignore[misc] # SymPy has no types
    """A whole number from 1 to a size."""

    __slots__ = ("size",)

    def __new__(cls, name: str, size: Expression) -> Index:
        """An index of this name."""
        index: Index = Symbol.__xnew__(cls, name, integer=True, positive=True)
        index.size = sympy.sympify(size)
        return index

    def __getnewargs_ex__(self) -> tuple[tuple[str, Expression], dict[str, Any]]:
        return (self.name, self.size), {}

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.size)


def size(name: str) -> Expression:
    """A size: any whole number from 1 on."""
    return Symbol(name, integer=True, positive=True)


def total(summand: Expression, *indices: Index) -> Expression:
    """The sum over all values of the indices."""
    return Sum(summand, *((index, 1, index.size) for index in indices))


# ------------------------------------------------------------------------------------------------- bound indices apart


def _bound(sum_: Expression) -> tuple[Index, ...]:
    """The indices of a sum, each of which runs over its whole range."""
    for index, first, last in sum_.limits:
        if not isinstance(index, Index) or first != 1 or last != index.size:
            raise ValueError(f"{sum_} does not run over the whole range of an index")
    return tuple(index for index, _, _ in sum_.limits)


def free_indices(expression: Expression) -> frozenset[Index]:
    """The indices of an expression that no sum of it runs over."""
    if isinstance(expression, Sum):
        return free_indices(expression.function) - set(_bound(expression))
    if isinstance(expression, Index):
        return frozenset([expression])
    return frozenset[Index]().union(*map(free_indices, expression.args))


def renamed(expression: Expression, names: Iterator[str]) -> Expression:
    """The same with other names for the indices of its sums, which no other expression has.

    SymPy itself forgets that: it takes the derivative of Σᵢ xᵢ with respect to xᵢ for Σᵢ 1.
    """
    if isinstance(expression, Sum):
        inner, fresh = expression.function, list[Index]()
        for index in _bound(expression):  # from the innermost sum outwards, which may have the same index once more
            fresh.append(Index(next(names), index.size))
            inner = inner.xreplace({index: fresh[-1]})
        return total(renamed(inner, names), *fresh)
    if not expression.args or not expression.has(Sum):
        return expression
    return expression.func(*(renamed(argument, names) for argument in expression.args))


def fresh_names() -> Iterator[str]:
    """Names that no page uses."""
    return (f"_{number}" for number in itertools.count())


# ---------------------------------------------------------------------------------------------------------- derivatives


def differentiated(expression: Expression) -> Expression:
    """All derivatives in an expression, taken by SymPy: of a finite sum, term by term."""
    if isinstance(expression, Derivative):
        inner = renamed(differentiated(expression.expr), fresh_names())
        for variable, count in expression.variable_count:
            inner = inner.diff(variable, count)
        return inner
    if not expression.args or not expression.has(Derivative):
        return expression
    return expression.func(*map(differentiated, expression.args))


# ---------------------------------------------------------------------------------------------------------- normal form


class _Term(NamedTuple):
    """number · Π base^exponent, summed over indices."""

    number: Expression
    factors: Mapping[Expression, Expression]
    bound: tuple[Index, ...]


def normal(expression: Expression) -> Expression:
    """The normal form of an expression in finite sums: the same for all that differ in the following only.

    Sums are linear, and may be exchanged; products are multiplied out; Σⱼ δᵢⱼ f(j) = f(i), and Σⱼ 1 is the size;
    exp(a + b) = exp(a) exp(b); what is not 0, as denominators are, cancels.
    """
    names = fresh_names()
    terms: Counter[tuple[Any, ...]] = Counter()
    expressions = dict[tuple[Any, ...], Expression]()
    for term in _terms(renamed(expression, names), names):
        key, written = _canonical(_collapsed(term))
        terms[key] += term.number
        expressions[key] = written
    return Add(*(number * expressions[key] for key, number in terms.items() if number != 0))


def _terms(e: Expression, names: Iterator[str]) -> list[_Term]:
    if isinstance(e, Number):
        return [_Term(e, {}, ())] if e != 0 else []
    if isinstance(e, Add):
        return [term for argument in e.args for term in _terms(argument, names)]
    if isinstance(e, Mul):
        return _product([_terms(argument, names) for argument in e.args])
    if isinstance(e, Sum):
        return [term._replace(bound=term.bound + _bound(e)) for term in _terms(e.function, names)]
    if isinstance(e, Pow):
        return _power(e, names)
    if isinstance(e, sympy.exp):
        return _product([[_Term(Integer(1), factors, ())] for factors in _exponentials(normal(e.args[0]))])
    return [_Term(Integer(1), {_atom(e): Integer(1)}, ())]


def _power(e: Expression, names: Iterator[str]) -> list[_Term]:
    base, exponent = e.args
    if isinstance(exponent, Integer) and exponent > 0:
        return _product([_terms(renamed(base, names), names) for _ in range(int(exponent))])
    inner = normal(base)
    if isinstance(exponent, Integer) and isinstance(inner, Mul) and not inner.has(Sum):
        return _product([_terms(Pow(factor, exponent, evaluate=False), names) for factor in inner.args])
    if isinstance(inner, Number):
        return [_Term(inner**exponent, {}, ())]
    if isinstance(inner, Pow) and isinstance(inner.args[1], Integer) and isinstance(exponent, Integer):
        return [_Term(Integer(1), {inner.args[0]: inner.args[1] * exponent}, ())]
    if isinstance(exponent, Number):
        return [_Term(Integer(1), {inner: exponent}, ())]
    return [_Term(Integer(1), {Pow(inner, normal(exponent)): Integer(1)}, ())]


def _exponentials(exponent: Expression) -> Iterator[dict[Expression, Expression]]:
    """exp(Σ cₖ tₖ) = Π exp(tₖ)^cₖ, with whole numbers cₖ."""
    for part in Add.make_args(exponent):
        number, _ = part.as_coeff_Mul()
        whole = number if isinstance(number, Integer) else Integer(1)
        if part != 0:
            yield {sympy.exp(part / whole): whole}


def _atom(e: Expression) -> Expression:
    """What has no rule of its own, with its arguments in normal form."""
    if not e.args or isinstance(e, Indexed):
        return e
    return e.func(*(normal(argument) if isinstance(argument, sympy.Expr) else argument for argument in e.args))


def _product(factors: Sequence[list[_Term]]) -> list[_Term]:
    terms = [_Term(Integer(1), {}, ())]
    for factor in factors:
        terms = [_times(a, b) for a in terms for b in factor]
    return terms


def _times(a: _Term, b: _Term) -> _Term:
    exponents = {base: a.factors.get(base, 0) + b.factors.get(base, 0) for base in {**a.factors, **b.factors}}
    return _Term(a.number * b.number, {base: n for base, n in exponents.items() if n != 0}, a.bound + b.bound)


def _collapsed(term: _Term) -> _Term:
    """Σⱼ δᵢⱼ f(j) = f(i), where both run over the same range; and δᵢⱼ f(j) = δᵢⱼ f(i) for those that are not summed."""
    for delta in (base for base in term.factors if isinstance(base, KroneckerDelta)):
        a, b = delta.args
        picked = next((p for p in (a, b) if p in term.bound), None)
        other = b if picked == a else a
        if picked is not None and isinstance(other, Index) and other.size == picked.size:
            rest = {base: n for base, n in term.factors.items() if base != delta}
            return _collapsed(_replaced(_Term(term.number, rest, term.bound), picked, other))
    for delta in (base for base in term.factors if isinstance(base, KroneckerDelta)):
        a, b = sorted(delta.args, key=str)
        rest = {base: n for base, n in term.factors.items() if base != delta}
        if a not in term.bound and b not in term.bound and any(base.has(b) for base in rest):
            inner = _replaced(_Term(term.number, rest, term.bound), b, a)
            return _collapsed(inner._replace(factors={**inner.factors, delta: Integer(1)}))
    once = {base: Integer(1) if isinstance(base, KroneckerDelta) else n for base, n in term.factors.items()}
    return term._replace(factors=once)


def _replaced(term: _Term, old: Index, new: Expression) -> _Term:
    factors: dict[Expression, Expression] = {}
    for base, n in term.factors.items():
        other = base.xreplace({old: new})
        if other == 1:
            continue
        factors[other] = factors.get(other, 0) + n
    bound = tuple(index for index in term.bound if index != old)
    return _Term(term.number, {base: n for base, n in factors.items() if n != 0}, bound)


def _canonical(term: _Term) -> tuple[tuple[Any, ...], Expression]:
    """A term with names for its indices that do not depend on those it had."""
    inner = {base: n for base, n in term.factors.items() if base.has(*term.bound)} if term.bound else {}
    used = [index for index in term.bound if any(base.has(index) for base in inner)]
    sizes = (index.size for index in term.bound if index not in used)
    outer = Mul(*(base**n for base, n in term.factors.items() if base not in inner), *sizes)
    found: list[tuple[str, Expression]] = []
    for order in itertools.permutations(used):
        order_ = sorted(order, key=lambda index: str(index.size))
        names = {index: Index(f"_{number}", index.size) for number, index in enumerate(order_)}
        product = Mul(*(base.xreplace(names) ** n for base, n in inner.items()))
        found.append((sympy.srepr(product), total(product, *names.values()) if names else product))
    whole = outer * min(found, key=lambda one: one[0])[1]
    return (sympy.srepr(whole),), whole


# ------------------------------------------------------------------------------------------------------------ rewriting


def matched(
    pattern: Expression, expression: Expression, variables: frozenset[Symbol], so_far: Mapping[Symbol, Expression]
) -> Mapping[Symbol, Expression] | None:
    """What the variables of a pattern stand for in an expression that has its form; None if it has not."""
    if pattern in variables:
        if isinstance(pattern, Index) and (not isinstance(expression, Index) or expression.size != pattern.size):
            return None
        known = so_far.get(pattern)
        return {**so_far, pattern: expression} if known is None or known == expression else None
    if not pattern.args:
        return so_far if pattern == expression else None
    if pattern.func != expression.func or len(pattern.args) != len(expression.args):
        return None
    found: Mapping[Symbol, Expression] | None = so_far
    for ours, theirs in zip(pattern.args, expression.args, strict=True):
        if found is not None:
            found = matched(ours, theirs, variables, found)
    return found


def rewritten(expression: Expression, left: Expression, right: Expression) -> Expression:
    """Everywhere, right in place of left, for all values of its indices, and of the letters in f(t) of a function."""
    letters = (
        {symbol for symbol in left.args if isinstance(symbol, Symbol)} if isinstance(left, AppliedUndef) else set()
    )
    variables = frozenset(left.atoms(Index) | letters)

    def at(e: Expression) -> Expression:
        found = matched(left, e, variables, {})
        if found is not None:
            return renamed(right, fresh_names()).xreplace(dict(found))
        if not e.args:
            return e
        return e.func(*map(at, e.args))

    return at(renamed(expression, (f"{name}_" for name in fresh_names())))
