"""Finite sums over indices with a size each: one normal form, derivatives, and rewriting by an equation.

An index knows the size that it runs to, from 1. So a Kronecker delta picks a term of a sum only where both of its
indices run over the same range, and nothing has to be assumed elsewhere.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import sympy
from sympy import (
    Add,
    Derivative,
    Indexed,
    IndexedBase,
    Integer,
    Integral,
    KroneckerDelta,
    Mul,
    Number,
    Pow,
    Rational,
    Subs,
    Sum,
    Symbol,
)
from sympy.core.function import AppliedUndef

__all__ = [
    "Between",
    "Expression",
    "Index",
    "array",
    "differentiated",
    "free_indices",
    "fresh_names",
    "integrated",
    "lacking",
    "matched",
    "may_be",
    "normal",
    "renamed",
    "replaced",
    "rewritten",
    "size",
    "total",
]

Expression: TypeAlias = Any
"""An expression of SymPy, which has no types."""


class Index(Symbol):  # type: ignore[misc] # SymPy has no types
    """A whole number from 1 to a size."""

    __slots__ = ("size",)

    def __new__(cls, name: str, size: Expression) -> Index:
        """An index of this name."""
        index: Index = Symbol.__xnew__(cls, name, integer=True, positive=True)
        index.size = sympy.sympify(size)
        if not index.size.is_integer or not index.size.is_positive or index.size.has(Index):
            raise ValueError(f"{name} runs to {size}, which is no size")
        return index

    def __getnewargs_ex__(self) -> tuple[tuple[str, Expression], dict[str, Any]]:
        return (self.name, self.size), {}

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.size)


class Between(Symbol):  # type: ignore[misc] # SymPy has no types
    """A real number between two ends, which are fractions."""

    __slots__ = ("ends",)

    def __new__(cls, name: str, low: Expression, high: Expression) -> Between:
        """A number of this name."""
        number: Between = Symbol.__xnew__(cls, name, real=True)
        number.ends = Rational(low), Rational(high)
        return number

    def __getnewargs_ex__(self) -> tuple[tuple[str, Expression, Expression], dict[str, Any]]:
        return (self.name, *self.ends), {}

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.ends)


def size(name: str) -> Expression:
    """A size: any whole number from 1 on."""
    return Symbol(name, integer=True, positive=True)


def array(name: str, **assumptions: bool) -> Expression:
    """An array of real numbers, whose elements are asked for by indices; positive ones, say, if that is assumed."""
    return IndexedBase(name, **{"real": True, **assumptions})


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
    taken = {index.name for index in expression.atoms(Index)}
    return _renamed(expression, (name for name in names if name not in taken))


def _renamed(expression: Expression, names: Iterator[str]) -> Expression:
    if isinstance(expression, Sum):
        inner, fresh = expression.function, list[Index]()
        for index in _bound(expression):  # from the innermost sum outwards, which may have the same index once more
            fresh.append(Index(next(names), index.size))
            inner = inner.xreplace({index: fresh[-1]})
        return total(_renamed(inner, names), *fresh)
    if not expression.args or not expression.has(Sum):
        return expression
    return expression.func(*(_renamed(argument, names) for argument in expression.args))


def replaced(expression: Expression, values: Mapping[Any, Any]) -> Expression:
    """The same with other letters.

    Parameters
    ----------
    expression
        No index of its sums is taken for one of the values.
    values
        For a symbol, or an index that no sum runs over, an expression; if the symbol is the size of indices, they run
        to that. For an array or an undefined function, a Python function of its indices or arguments.

    Examples
    --------
    >>> m, n = size("m"), size("n")
    >>> x, y = array("x"), array("y")
    >>> i = Index("i", m)
    >>> replaced(total(x[i], i), {m: n, x: lambda i: 2 * y[i]})
    Sum(2*y[_0], (_0, 1, n))
    """

    def at(e: Expression) -> Expression:
        if isinstance(e, Symbol | AppliedUndef | Indexed) and e in values:
            return values[e]
        if isinstance(e, Index):
            return Index(e.name, at(e.size))
        if isinstance(e, Indexed):
            indices = tuple(map(at, e.indices))
            return values[e.base](*indices) if e.base in values else e.base[indices]
        if isinstance(e, AppliedUndef) and e.func in values:
            return values[e.func](*map(at, e.args))
        if isinstance(e, Sum):
            return total(at(e.function), *map(at, _bound(e)))
        return e.func(*map(at, e.args)) if e.args else e

    return at(renamed(expression, fresh_names()))


def fresh_names() -> Iterator[str]:
    """Names that no page uses."""
    return (f"_{number}" for number in itertools.count())


# ---------------------------------------------------------------------------------------------------------- derivatives


def differentiated(expression: Expression) -> Expression:
    """All derivatives in an expression, taken by SymPy: of a finite sum, term by term; then their values at points."""
    if isinstance(expression, Subs):
        inner = differentiated(expression.expr)
        if inner.has(Derivative, Sum):
            return Subs(inner, expression.variables, expression.point)
        return inner.subs(dict(zip(expression.variables, expression.point, strict=True)))
    if isinstance(expression, Derivative):
        inner = renamed(differentiated(expression.expr), fresh_names())
        for variable, count in expression.variable_count:
            inner = inner.diff(variable, count)
        return _slopes_at(inner)
    if not expression.args or not expression.has(Derivative, Subs):
        return expression
    return expression.func(*map(differentiated, expression.args))


def _slopes_at(expression: Expression) -> Expression:
    """f′(x) for an element x as for any other argument; SymPy writes ∂f(x)/∂x for the one, and for the other `Subs`."""
    if isinstance(expression, Derivative) and isinstance(expression.expr, AppliedUndef):
        ((variable, count), *others), arguments = expression.variable_count, expression.expr.args
        if isinstance(variable, Indexed) and arguments == (variable,) and not others:
            u = sympy.Dummy("u")
            return Subs(Derivative(expression.expr.func(u), (u, count)), u, variable)
    if not expression.args or not expression.has(Derivative):
        return expression
    return expression.func(*map(_slopes_at, expression.args))


# ------------------------------------------------------------------------------------------------------------ integrals


def integrated(expression: Expression) -> Expression:
    """The integrals in an expression, term by term: of powers, and of derivatives in what the integral runs over.

    Examples
    --------
    >>> t, c = Symbol("t"), Symbol("c")
    >>> integrated(Integral(c * t**2, (t, 0, 1)))
    c/3
    """
    if isinstance(expression, Integral) and all(len(limit) == 3 for limit in expression.limits):
        found = integrated(expression.function)
        for limit in expression.limits:  # from the innermost one outwards
            found = Add(*(_integral(term, *limit) for term in Add.make_args(normal(found))))
        return found
    if not expression.args or not expression.has(Integral):
        return expression
    return expression.func(*map(integrated, expression.args))


def _integral(term: Expression, t: Symbol, low: Expression, high: Expression) -> Expression:
    factor, moving = term.as_independent(t, as_Add=False)
    if isinstance(moving, Derivative) and moving.variables == (t,):
        whole = moving.expr
    else:
        base, exponent = moving.as_base_exp() if moving != 1 else (t, Integer(0))
        if base != t or not isinstance(exponent, Integer):
            return Integral(term, (t, low, high))
        if exponent < 0 and (exponent == -1 or not (low.is_positive and high.is_positive)):
            return Integral(term, (t, low, high))
        whole = t ** (exponent + 1) / (exponent + 1)
    return factor * (whole.subs(t, high) - whole.subs(t, low))


# ---------------------------------------------------------------------------------------------------------- normal form


class _Term(NamedTuple):
    """number · Π base^exponent, summed over indices."""

    number: Expression
    factors: Mapping[Expression, Expression]
    bound: tuple[Index, ...]


def normal(expression: Expression) -> Expression:
    """The normal form of an expression in finite sums: the same for all that differ in the following only.

    Sums are linear, and may be exchanged; products are multiplied out; Σⱼ δᵢⱼ f(j) = f(i), and Σⱼ 1 is the size;
    exp(a + b) = exp(a) exp(b); aᵗ⁺¹ = aᵗ a and aᵗ⁻¹ = aᵗ/a; what is not 0, as denominators are, cancels.
    """
    free = {index.name for index in free_indices(expression)}  # such as the indices of a sum that this stands in
    names = (name for name in (f"_{name}" for name in fresh_names()) if name not in free)
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
    whole, rest = exponent.as_coeff_Add()
    if isinstance(whole, Integer) and whole > 0 and rest != 0:  # aᵗ⁺² = aᵗ a²
        return _product([_terms(Pow(base, part, evaluate=False), names) for part in (rest, whole)])
    if isinstance(inner, Number):
        return [_Term(inner**exponent, {}, ())]
    if isinstance(inner, Pow) and isinstance(inner.args[1], Integer) and isinstance(exponent, Integer):
        return [_Term(Integer(1), {inner.args[0]: inner.args[1] * exponent}, ())]
    if isinstance(exponent, Number):
        return [_Term(Integer(1), {inner: exponent}, ())]
    exponent = normal(exponent)
    whole, rest = exponent.as_coeff_Add()
    if isinstance(inner, Symbol | Indexed) and isinstance(whole, Integer) and whole != 0:
        return [_Term(Integer(1), {Pow(inner, rest): Integer(1), inner: whole}, ())]  # aᵏ⁻¹ = aᵏ/a
    return [_Term(Integer(1), {Pow(inner, exponent): Integer(1)}, ())]


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
    return e.func(*map(_argument, e.args))


def _argument(e: Expression) -> Expression:
    if isinstance(e, sympy.Tuple):
        return e.func(*map(_argument, e))
    return normal(e) if isinstance(e, sympy.Expr) else e


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


def _depth(e: Expression) -> int:
    """How many sums are within one another."""
    inner = max(map(_depth, e.args), default=0)
    return inner + 1 if isinstance(e, Sum) else inner


def _canonical(term: _Term) -> tuple[tuple[Any, ...], Expression]:
    """A term with names for its indices that do not depend on those it had."""
    inner = {base: n for base, n in term.factors.items() if base.has(*term.bound)} if term.bound else {}
    used = [index for index in term.bound if any(base.has(index) for base in inner)]
    sizes = (index.size for index in term.bound if index not in used)
    outer = Mul(*(base**n for base, n in term.factors.items() if base not in inner), *sizes)
    level = "·" * max(map(_depth, inner), default=0)  # so that no sum in a factor has an index of the same name
    found: list[tuple[str, Expression]] = []
    for order in itertools.permutations(used):
        order_ = sorted(order, key=lambda index: str(index.size))
        names = {index: Index(f"_{number}{level}", index.size) for number, index in enumerate(order_)}
        product = Mul(*(base.xreplace(names) ** n for base, n in inner.items()))
        found.append((sympy.srepr(product), total(product, *names.values()) if names else product))
    whole = outer * min(found, key=lambda one: one[0])[1]
    return (sympy.srepr(whole),), whole


# ------------------------------------------------------------------------------------------------------------ rewriting


_KINDS = ("positive", "negative", "nonnegative", "nonpositive", "nonzero", "integer")
"""What a letter may be said to be, so that what takes its place must be it too."""


def lacking(old: Expression, new: Expression) -> str | None:
    """What a letter or an element is said to be, and what takes its place may not be."""
    if old.is_real and (new.is_real is False or new.has(sympy.I)):
        return "real"
    return next((kind for kind in _KINDS if getattr(old, f"is_{kind}") and not getattr(new, f"is_{kind}")), None)


def may_be(letter: Symbol, value: Expression) -> bool:
    """Whether a letter may stand for it: an index for one of its range, a number for one of its kind."""
    if isinstance(letter, Index):
        return isinstance(value, Index) and bool(value.size == letter.size)
    if isinstance(letter, Between):
        low, high = value.ends if isinstance(value, Between) else (value, value)
        return bool((low - letter.ends[0]).is_nonnegative and (letter.ends[1] - high).is_nonnegative)
    return lacking(letter, sympy.sympify(value)) is None


def matched(
    pattern: Expression, expression: Expression, variables: frozenset[Symbol], so_far: Mapping[Symbol, Expression]
) -> Mapping[Symbol, Expression] | None:
    """What the variables of a pattern stand for in an expression that has its form; None if it has not."""
    if pattern in variables:
        if not may_be(pattern, expression):
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


def rewritten(
    expression: Expression,
    left: Expression,
    right: Expression,
    also: Iterable[Symbol] = (),
    *,
    letters: bool = True,
) -> Expression:
    """Everywhere, right in place of left, for all values of its indices, and of the letters in f(t) of a function.

    Other symbols stand for themselves, but for those in `also`, which stand for anything of their kind too. Without
    `letters` so do those in f(t).
    """
    places = left.args if letters and isinstance(left, AppliedUndef) else ()
    variables = frozenset(left.atoms(Index) | {place for place in places if isinstance(place, Symbol)} | set(also))
    bound = left.atoms(Index) - free_indices(left)

    def at(e: Expression) -> Expression:
        found = matched(left, e, variables, {})
        if found is not None and all(
            free_indices(value) <= free_indices(e) for letter, value in found.items() if letter not in bound
        ):  # such as no index of a sum around it
            return renamed(right, fresh_names()).xreplace(dict(found))
        if not e.args or isinstance(e, IndexedBase):
            return e
        found = e.func(*map(at, e.args))
        return found.doit() if isinstance(found, Subs) and not found.expr.has(Derivative, AppliedUndef) else found

    return at(renamed(expression, (f"{name}_" for name in fresh_names())))
