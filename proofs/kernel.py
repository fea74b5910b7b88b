"""The kernel: definitions, theorems, the steps of their proofs, and the few tactics by which a step may hold.

A proof is a chain of expressions, each with a relation to the one before it, a reason in words, and a tactic by its
name. A tactic proves a step for all sizes or it does not; none of them computes with numbers. A second look at each
step does: it puts numbers into small instances, and finds what a tactic, or SymPy below it, takes for true by mistake.

An inequality is proved by its certificate: the difference of its two sides is written as a sum of what is not negative,
such as squares, and of known inequalities times what is not negative. That it is the same sum is then an equation.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, final

import sympy
from sympy import Add, Derivative, Indexed, Integral, Limit, Subs, Symbol
from sympy.core.function import AppliedUndef

from proofs.execution import Execution
from proofs.instances import contradiction, nowhere_negative
from proofs.sums import (
    Between,
    Expression,
    Index,
    differentiated,
    free_indices,
    fresh_names,
    integrated,
    lacking,
    may_be,
    normal,
    renamed,
    replaced,
    rewritten,
    total,
)

__all__ = [
    "TACTICS",
    "Assumption",
    "Bound",
    "Definition",
    "Induction",
    "Instance",
    "NotProvedError",
    "Proved",
    "Relation",
    "Statement",
    "Step",
    "Tactic",
    "Theorem",
    "verify",
    "verify_all",
]

Relation: TypeAlias = Literal["=", "≤", "≥", "<", ">"]


class NotProvedError(AssertionError):
    """A step that does not hold by its tactic."""


# ------------------------------------------------------------------------------------------------- what may be used


@final
@dataclass(frozen=True)
class Definition:
    """What a symbol stands for.

    Attributes
    ----------
    symbol
        Such as z[n, j], for all values of its indices.
    expression
        What it is.
    shape
        In the letters of the page, such as "(N, n)".
    what
        In words.
    source
        Where it is defined so: a book or an article, with the number of its equation.
    code, run
        As those of a `Theorem`.
    """

    symbol: Expression
    expression: Expression
    shape: str
    what: str
    source: str = ""
    code: tuple[str, ...] = ()
    run: Execution | None = None

    @property
    def relation(self) -> Relation:
        """It is an equation."""
        return "="


@final
@dataclass(frozen=True)
class Assumption:
    """What a theorem assumes, for all values of its indices: an equation, or an inequality.

    Attributes
    ----------
    symbol, relation, expression
        The two sides, and what holds between them.
    what
        In words.
    """

    symbol: Expression
    relation: Relation
    expression: Expression
    what: str


@final
@dataclass(frozen=True)
class Bound:
    """Something that is not negative: a weight times the differences of inequalities, summed over indices.

    Attributes
    ----------
    weight
        Not negative by what it is made of: squares, and symbols that are not negative.
    facts
        Inequalities; their larger sides less their smaller ones are multiplied.
    over
        The indices of the sum.
    along
        A letter and the ends between which all that is integrated; the facts hold for each value between them.
    """

    weight: Expression
    facts: tuple[Assumption | Theorem | Induction | Statement | Instance, ...] = ()
    over: tuple[Index, ...] = ()
    along: tuple[Symbol, Expression, Expression] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", sympy.sympify(self.weight))

    def difference(self) -> Expression:
        """What is not negative."""
        product = sympy.Mul(self.weight, *map(_difference, self.facts))
        summed = total(product, *self.over) if self.over else product
        return Integral(summed, self.along) if self.along else summed

    def is_positive(self) -> bool:
        """Whether it is not 0 either."""
        return not self.along and bool(_positive(self.weight)) and all(fact.relation in "<>" for fact in self.facts)


def _difference(fact: Any) -> Expression:
    if fact.relation == "=":
        raise NotProvedError(f"{fact.symbol} = {fact.expression} is no inequality; rewrite with it")
    larger_first = fact.relation in "≥>"
    return fact.symbol - fact.expression if larger_first else fact.expression - fact.symbol


# --------------------------------------------------------------------------------------------------------- theorems


@final
@dataclass(frozen=True)
class Step:
    """What follows from the expression before it.

    Attributes
    ----------
    relation
        To the expression before it.
    expression
        That to which it has it.
    reason
        In words.
    tactic
        By what it holds; one of `TACTICS`.
    using
        The equations that it may use: definitions, assumptions, or theorems that are proved before.
    bounds
        Of an inequality, its certificate; what is left of the difference must be a sum of squares and of what is
        positive, or nothing.
    """

    relation: Relation
    expression: Expression
    reason: str
    tactic: str
    using: tuple[Usable, ...] = ()
    bounds: tuple[Bound, ...] = ()


@final
@dataclass(frozen=True)
class Theorem:
    """A theorem, and its proof.

    Attributes
    ----------
    id
        Its permanent name.
    title
        In words.
    start
        The left side of what is stated; the right side is that of the last step.
    steps
        The proof.
    assuming
        What it assumes, besides what its symbols are.
    sizes
        For which sizes it holds.
    holds
        Where it holds, in words, such as "z ≠ 0"; empty if everywhere.
    matrix
        The same for whole arrays, in LaTeX: notation for what is proved for each element.
    code
        The functions of refnn that it speaks about, each as "module:name".
    law
        The tests of refnn that assert it for floats, each as "path::name" below tests/.
    run
        How refnn computes the right side, which is tried.
    """

    id: str
    title: str
    start: Expression
    steps: tuple[Step, ...]
    assuming: tuple[Assumption, ...] = ()
    sizes: str = ""
    holds: str = ""
    matrix: str = ""
    code: tuple[str, ...] = ()
    law: tuple[str, ...] = ()
    run: Execution | None = None

    @property
    def symbol(self) -> Expression:
        """The left side, where it is used as an equation."""
        return self.start

    @property
    def expression(self) -> Expression:
        """The right side, where it is used as an equation."""
        return self.steps[-1].expression

    @property
    def relation(self) -> Relation:
        """Of the two sides: equality, unless a step says less."""
        return _together(self.id, self.steps)

    def at(self, values: Mapping[Any, Any]) -> Instance:
        """The same with other letters: see `proofs.sums.replaced`."""
        return _instance(self, values)


@final
@dataclass(frozen=True)
class Statement:
    """What an induction claims for a whole number.

    Attributes
    ----------
    symbol, relation, expression
        The two sides, and what holds between them; both speak about the number.
    """

    symbol: Expression
    relation: Relation
    expression: Expression

    def at(self, values: Mapping[Any, Any]) -> Statement:
        """The same of another number."""
        return Statement(replaced(self.symbol, values), self.relation, replaced(self.expression, values))


@final
@dataclass(frozen=True)
class Induction:
    """A theorem about all whole numbers from a first one on, upwards or downwards; and its proof by induction.

    Attributes
    ----------
    claim
        For the number `over`. In `step` it is the hypothesis, and may be used for just that number.
    over, first, following
        The number, its first value, and the value for which the claim follows: over + 1, or over − 1.
    base
        From the left side of the claim to its right side, for the first number.
    step
        Likewise for the following one.
    id, title, assuming, sizes, holds, matrix, code, law, run
        As those of a `Theorem`.
    """

    id: str
    title: str
    claim: Statement
    over: Symbol
    first: Expression
    following: Expression
    base: tuple[Step, ...]
    step: tuple[Step, ...]
    assuming: tuple[Assumption, ...] = ()
    sizes: str = ""
    holds: str = ""
    matrix: str = ""
    code: tuple[str, ...] = ()
    law: tuple[str, ...] = ()
    run: Execution | None = None

    @property
    def symbol(self) -> Expression:
        """The left side, where it is used as an equation."""
        return self.claim.symbol

    @property
    def expression(self) -> Expression:
        """The right side, where it is used as an equation."""
        return self.claim.expression

    @property
    def relation(self) -> Relation:
        """Of the two sides."""
        return self.claim.relation

    def at(self, values: Mapping[Any, Any]) -> Instance:
        """The same with other letters, or of a number: see `proofs.sums.replaced`."""
        return _instance(self, values)


@final
@dataclass(frozen=True)
class Instance:
    """A theorem with other letters.

    Attributes
    ----------
    of
        The theorem.
    symbol, expression, assuming
        As those of the theorem, with the other letters. A definition on which the theorem rests is assumed of them too.
    definitions
        Those on which it rests as the theorem does, as their letters are the same.
    """

    of: Theorem | Induction
    symbol: Expression
    expression: Expression
    assuming: tuple[Assumption, ...]
    definitions: tuple[Definition, ...]

    @property
    def relation(self) -> Relation:
        """As of the theorem."""
        return self.of.relation


def _instance(of: Theorem | Induction, values: Mapping[Any, Any]) -> Instance:
    for said in (of, *of.assuming, *_relied(of)):
        for side in (said.symbol, said.expression):
            _refuse_other_kinds(of.id, side, values)
            _refuse_mixing(of.id, side, values)
    asked, kept = list[Assumption](), list[Definition]()
    resting: tuple[Assumption | Definition, ...] = (*of.assuming, *_relied(of))
    numbers = _numbers(of)
    for each in resting:
        own = free_indices(each.symbol) | free_indices(each.expression)
        apart = len({values.get(index, index) for index in own}) == len(own)  # then it is of all of them as before
        given = {
            old: new for old, new in values.items() if old not in numbers and (apart or not isinstance(old, Index))
        }
        _refuse_capture(of.id, each, given)
        other = Assumption(replaced(each.symbol, given), each.relation, replaced(each.expression, given), each.what)
        if isinstance(each, Definition) and _says(each, other):
            kept.append(each)
        else:
            asked.append(other)
    return Instance(of, replaced(of.symbol, values), replaced(of.expression, values), tuple(asked), tuple(kept))


def _numbers(theorem: Proved) -> set[Symbol]:
    """Those of the inductions that it rests on: what is assumed of one is assumed of all of them."""
    return {each.over for each in _closure(theorem) if isinstance(each, Induction)}


def _refuse_capture(name: str, said: Assumption | Definition, values: Mapping[Any, Any]) -> None:
    """What is assumed for all values of an index is not asked for the one that a value has."""
    sides = (said.symbol, said.expression)
    own = frozenset[Index]().union(*map(free_indices, sides))
    for old, _ in (pair for side in sides for pair in _put_in(side, values)):
        places = [sympy.Dummy() for _ in _arguments(old)]
        new = sympy.sympify(values[old] if old in values else values[_head(old)](*places))
        if own & free_indices(new):
            raise NotProvedError(f"{name}: {new} has an index of what is assumed")


def _refuse_mixing(name: str, side: Expression, values: Mapping[Any, Any]) -> None:
    """What a derivative, an integral or a limit holds still does not come to depend on its variable."""
    for each in side.atoms(Derivative, Integral, Limit, Subs):
        for variable in getattr(each, "variables", each.args[1:2]):
            new = replaced(variable, values)
            for old in each.args[0].atoms(Symbol, Indexed, AppliedUndef) - variable.atoms(Symbol, Indexed):
                if not _letters(old) & _letters(variable) and _letters(replaced(old, values)) & _letters(new):
                    raise NotProvedError(
                        f"{name}: {old} does not depend on {variable}, and {replaced(old, values)} may"
                    )
            if isinstance(variable, Indexed) and variable.base in values:
                places = [sympy.Dummy() for _ in variable.indices]
                element = values[variable.base](*places)
                if not isinstance(element, Indexed) or not set(places) <= set(element.indices):
                    raise NotProvedError(f"{name}: {variable} is one of many, and {new} may be the same for two")


def _letters(e: Expression) -> set[Any]:
    """Symbols, arrays by their names, and functions; no indices."""
    return {each for each in e.atoms(Symbol) if not isinstance(each, Index)} | {
        each.func for each in e.atoms(AppliedUndef)
    }


def _head(old: Expression) -> Any:
    return old.base if isinstance(old, Indexed) else old.func if isinstance(old, AppliedUndef) else old


def _put_in(side: Expression, values: Mapping[Any, Any]) -> Iterator[tuple[Expression, Expression]]:
    """The letters and elements that are replaced, and by what."""
    for old in side.atoms(Symbol, Indexed, AppliedUndef):
        if old in values:
            yield old, sympy.sympify(values[old])
        elif _head(old) in values:
            yield old, sympy.sympify(values[_head(old)](*_arguments(old)))


def _refuse_other_kinds(name: str, side: Expression, values: Mapping[Any, Any]) -> None:
    """What takes the place of a letter, or of an element of an array, is what that is said to be."""
    for old, new in _put_in(side, values):
        kind = lacking(old, new)
        if kind is not None:
            raise NotProvedError(f"{name}: {old} is {kind}, and {new} may not be")
        wanted = Index(old.name, replaced(old.size, values)) if isinstance(old, Index) else old
        if isinstance(old, Symbol) and not may_be(wanted, new):
            raise NotProvedError(f"{name}: {old} may not be {new}")


def _arguments(element: Expression) -> tuple[Expression, ...]:
    return tuple(element.indices if isinstance(element, Indexed) else element.args)


def _says(definition: Definition, other: Assumption) -> bool:
    """Whether it is the definition itself, of another index or argument."""
    found = rewritten(other.symbol, definition.symbol, definition.expression)
    return bool(found != other.symbol and _normal(found) == _normal(other.expression))


Proved: TypeAlias = Theorem | Induction
Usable: TypeAlias = Definition | Assumption | Theorem | Induction | Statement | Instance


def _together(name: str, steps: Sequence[Step]) -> Relation:
    """The relation of the first expression to the last one."""
    found = {step.relation for step in steps} - {"="}
    up, down = found & {"≤", "<"}, found & {"≥", ">"}
    if up and down:
        raise NotProvedError(f"{name}: its steps go both up and down")
    strict = found & {"<", ">"}
    return (strict or up or down or {"="}).pop()


# ---------------------------------------------------------------------------------------------------------- tactics


class Tactic(NamedTuple):
    """A way in which a step may hold.

    Attributes
    ----------
    what
        What it takes for true, for the page of what must be believed.
    holds
        Whether the left side is the right one; or, if it is a tactic for inequalities, is as large at least.
    of_inequalities
        Whether that is what it proves.
    """

    what: str
    holds: Callable[[Expression, Expression], bool]
    of_inequalities: bool = False


def _same(left: Expression, right: Expression) -> bool:
    return bool(normal(left) == normal(right))


def _derivative(left: Expression, right: Expression) -> bool:
    return _same(differentiated(left), differentiated(right)) or _fractions(differentiated(left), differentiated(right))


def _fractions(left: Expression, right: Expression) -> bool:
    """Both over one denominator, whose parts are not 0."""
    numerator, _ = sympy.fraction(sympy.together(normal(left) - normal(right)))
    return bool(normal(sympy.expand(numerator)) == 0)


def _exponentials(left: Expression, right: Expression) -> bool:
    """tanh, cosh and their like are fractions of exp."""
    return _fractions(*(differentiated(side).rewrite(sympy.exp) for side in (left, right)))


def _integral(left: Expression, right: Expression) -> bool:
    return _same(integrated(left), integrated(right))


def _binomials(left: Expression, right: Expression) -> bool:
    """Fractions of factorials, in which what is a whole number apart is brought to one."""

    def quotient(n: Expression, k: Expression) -> Expression:
        return _factorial(n) / (_factorial(k) * _factorial(n - k))

    return _fractions(*(side.replace(sympy.binomial, quotient) for side in (left, right)))


def _factorial(n: Expression) -> Expression:
    """(m + c)! = (m + 1) ⋯ (m + c) m!, and (m − c)! = m! / (m ⋯ (m − c + 1)), for a number c."""
    number, rest = sympy.expand(n).as_coeff_Add()
    if not number.is_integer:
        return sympy.factorial(n)
    up = sympy.Mul(*(rest + c for c in range(1, int(number) + 1)))
    down = sympy.Mul(*(rest - c for c in range(-int(number))))
    return sympy.factorial(rest) * up / down


def _logarithms(left: Expression, right: Expression) -> bool:
    """The logarithm of a product of positive factors is the sum of theirs."""
    return _fractions(_with_sums_of_logarithms(left), _with_sums_of_logarithms(right))


def _with_sums_of_logarithms(e: Expression) -> Expression:
    if not e.args or not e.has(sympy.log):
        return e
    if isinstance(e, sympy.log):
        product = sympy.together(normal(e.args[0]))
        if all(map(_positive, sympy.Mul.make_args(product))):
            return Add(*map(_logarithm, sympy.Mul.make_args(product)))
    return e.func(*map(_with_sums_of_logarithms, e.args))


def _logarithm(factor: Expression) -> Expression:
    if isinstance(factor, sympy.Pow) and not isinstance(factor, sympy.exp) and _positive(factor.base):
        return factor.exp * _with_sums_of_logarithms(sympy.log(factor.base))
    return sympy.log(factor)


def _limit(left: Expression, right: Expression) -> bool:
    return _same(left.doit(), right)


def _signs(left: Expression, right: Expression) -> bool:
    """The difference is a sum of products of squares and of what is positive by its assumptions."""
    return _visible(normal(left) - normal(right))


def _visible(difference: Expression) -> bool:
    return _visible_terms(difference) is not None


def _visible_terms(difference: Expression) -> Sequence[Expression] | None:
    """The terms, or those over one denominator, if none is negative."""
    terms: Sequence[Expression] = Add.make_args(difference)
    if all(map(_not_negative, terms)):
        return terms
    numerator, denominator = sympy.fraction(sympy.together(difference))
    terms = Add.make_args(normal(sympy.expand(numerator)))
    seen = terms == (0,) or (_not_negative(denominator) and all(map(_not_negative, terms)))
    return terms if seen else None


def _growth(left: Expression, right: Expression) -> bool:
    """From its value and slopes at 0, and a higher derivative that is not negative."""
    difference = left - right
    return any(_grows(difference, t) for t in _variables(difference))


def _grows(difference: Expression, t: Symbol) -> bool:
    slope = difference
    for order in range(1, _ORDERS + 1):
        start = normal(slope.subs(t, 0))
        if not (_visible(start) or (not start.free_symbols and nowhere_negative(start))) or (
            order == 2 and not t.is_nonnegative and start != 0
        ):
            return False
        slope = slope.diff(t)
        if (t.is_nonnegative or order == 2) and _visible(normal(slope)):
            return True
    return False


def _decay(left: Expression, right: Expression) -> bool:
    """From its limit, and a slope that is not positive."""
    difference = left - right
    return any(
        _visible(normal(-difference.diff(t))) and bool(sympy.limit(difference, t, sympy.oo).is_nonnegative)
        for t in _variables(difference)
        if not t.is_nonpositive
    )


def _variables(difference: Expression) -> list[Symbol]:
    """The real numbers, no whole ones, of which it is a smooth function."""
    return [
        t
        for t in sorted(difference.free_symbols, key=str)
        if t.is_real and not t.is_integer and not isinstance(t, Between) and _smooth(difference, t)
    ]


def _smooth(e: Expression, t: Symbol) -> bool:
    if not e.has(t) or e == t:
        return True
    if isinstance(e, sympy.Pow):
        base, exponent = e.args
        return (
            _smooth(base, t)
            and not exponent.has(t)
            and bool(_positive(base) or (isinstance(exponent, sympy.Integer) and exponent > 0))
        )
    if isinstance(e, sympy.log):
        return _smooth(e.args[0], t) and bool(_positive(e.args[0]))
    if isinstance(e, Add | sympy.Mul | sympy.exp | sympy.erf | sympy.erfc | sympy.tanh | sympy.sinh | sympy.cosh):
        return all(_smooth(part, t) for part in e.args)
    return False


_ORDERS = 4


def _balls(left: Expression, right: Expression) -> bool:
    return nowhere_negative(left - right)


def _monotone(left: Expression, right: Expression) -> bool:
    """Under the integrals over each range, and outside of them, the difference is not negative."""
    under: dict[Any, Expression] = {}
    for part in Add.make_args(left - right):
        number, rest = part.as_coeff_Mul()
        where, inner = (rest.limits, rest.function) if isinstance(rest, Integral) else (None, rest)
        under[where] = under.get(where, 0) + number * inner
    rising = all(len(limit) == 3 and _rises(*limit) for limits in under if limits for limit in limits)
    return rising and all(_signs(inner, sympy.Integer(0)) for inner in under.values())


def _rises(letter: Symbol, low: Expression, high: Expression) -> bool:
    """From a smaller number to a larger one; and the letter may be any number between them."""
    signs = [kind for kind in ("is_nonnegative", "is_nonpositive") if getattr(letter, kind)]
    return bool(
        (high - low).is_nonnegative
        and not letter.is_integer
        and all(getattr(end, sign) for end in (low, high) for sign in signs)
        and not (isinstance(letter, Between) and not all(may_be(letter, end) for end in (low, high)))
    )


def _not_negative(part: Expression) -> bool:
    if isinstance(part, sympy.erfc):
        return bool(part.args[0].is_real)
    if isinstance(part, sympy.Sum):
        return _not_negative(part.function)
    if isinstance(part, sympy.Mul | sympy.Add):
        return all(map(_not_negative, part.args)) or bool(part.is_nonnegative)
    return isinstance(part, sympy.KroneckerDelta) or bool(part.is_nonnegative) or _squared_denominator(part)


def _squared_denominator(part: Expression) -> bool:
    """1/a², 1/a⁴ and so on, which are positive, as no denominator is 0."""
    return isinstance(part, sympy.Pow) and bool(part.exp.is_even and part.exp.is_negative and part.base.is_real)


def _positive(part: Expression) -> bool:
    if isinstance(part, sympy.Sum):
        return _positive(part.function)
    if isinstance(part, sympy.Mul | sympy.Add):
        return all(map(_positive, part.args)) or bool(part.is_positive)
    if isinstance(part, sympy.Pow):
        return bool(_positive(part.base) and part.exp.is_real) or _squared_denominator(part)
    return bool(part.is_positive)


TACTICS: Mapping[str, Tactic] = {
    "definition": Tactic("A symbol is replaced by what it is defined or assumed to be.", _same),
    "theorem": Tactic("The left side of a theorem that is proved before is replaced by its right side.", _same),
    "sums": Tactic(
        "Finite sums are linear and may be exchanged; products are multiplied out; a Kronecker delta picks the term of "
        "a sum over its range; equal terms are collected.",
        _same,
    ),
    "derivative": Tactic(
        "SymPy takes the derivative of elementary functions, by the rules of sum, product and chain; that of a finite "
        "sum is the sum of the derivatives.",
        _derivative,
    ),
    "fractions": Tactic("Both sides have one denominator, which is not 0, and the same numerator.", _fractions),
    "binomials": Tactic(
        "A binomial coefficient is a quotient of factorials, and (n + 1)! = (n + 1) n!; then as for fractions.",
        _binomials,
    ),
    "exponentials": Tactic("Hyperbolic functions are fractions of exponentials; then as for fractions.", _exponentials),
    "logarithms": Tactic(
        "The logarithm of a product of positive factors is the sum of their logarithms, and that of exp(t) is t; then "
        "as for fractions.",
        _logarithms,
    ),
    "limit": Tactic("SymPy takes a limit of a rational function or of elementary functions.", _limit),
    "integral": Tactic(
        "An integral is linear; that of a power is known, for a negative one between positive numbers; and that of a "
        "continuous derivative is the difference of the function at its two ends.",
        _integral,
    ),
    "monotone": Tactic(
        "Of two integrals over one range, from a smaller to a larger number, that of the larger function is larger; "
        "that it is larger is proved as by signs.",
        _monotone,
        of_inequalities=True,
    ),
    "signs": Tactic(
        "The difference of the two sides is the sum of the terms that the step states, and of terms that are squares "
        "or positive. A stated term is not negative: it is made of squares, of positive numbers, and of differences of "
        "known inequalities.",
        _signs,
        of_inequalities=True,
    ),
    "growth": Tactic(
        "The difference of the two sides is a smooth function of a number t ≥ 0: it and its first derivatives are not "
        "negative at 0, and the next derivative is not negative anywhere; so, by integrating, is the difference. If t "
        "may be negative too, it is the second derivative, and the first one is 0 at 0: a convex function lies above "
        "its tangent.",
        _growth,
        of_inequalities=True,
    ),
    "decay": Tactic(
        "The difference of the two sides is a smooth function of a number t whose slope is not positive anywhere, and "
        "whose limit for t → ∞, which SymPy takes, is not negative; so it falls towards its limit from above.",
        _decay,
        of_inequalities=True,
    ),
    "balls": Tactic(
        "The difference of the two sides is enclosed in balls for every number between two ends, tile by tile, and no "
        "ball reaches below 0; a tile's ball is that of the difference or of its mean value form. That is a proof, as "
        "far as Arb encloses what it computes.",
        _balls,
        of_inequalities=True,
    ),
}


# --------------------------------------------------------------------------------------------------------- verifying


def verify(theorem: Proved, known: Iterable[Proved] | None = None) -> None:
    """See that every step holds, and uses nothing but what it may.

    Parameters
    ----------
    theorem
        Whose steps are seen to hold.
    known
        The theorems that are proved before; any, if there are none.

    Raises
    ------
    NotProvedError
        If one does not: which, and its two sides; or if numbers contradict it.
    """
    known = None if known is None else list(known)
    _refuse_two_meanings(theorem)
    _refuse_what_is_no_constant(theorem)
    if isinstance(theorem, Theorem):
        _chain(theorem, theorem.id, theorem.start, theorem.steps, known, hypothesis=None)
        return
    claim, number = theorem.claim, theorem.over
    _refuse_no_induction(theorem, number)
    for what, value, steps, hypothesis in (
        ("base", theorem.first, theorem.base, None),
        ("step", theorem.following, theorem.step, claim),
    ):
        claimed = claim.at({number: value})
        name = f"{theorem.id}, {what}"
        _chain(theorem, name, claimed.symbol, steps, known, hypothesis)
        proved = _together(name, steps)
        if proved != claim.relation and not (proved == "=" and claim.relation in "≤≥"):
            raise NotProvedError(f"{name}: its steps prove {proved}, and the claim is {claim.relation}")
        if not _same(steps[-1].expression, claimed.expression):
            raise NotProvedError(f"{name}: it ends with {steps[-1].expression}, and the claim is {claimed.expression}")


def _refuse_no_induction(theorem: Induction, number: Symbol) -> None:
    """It goes from one whole number to the next, and its letter is none of those that it does not come to."""
    if theorem.following not in (number + 1, number - 1):
        raise NotProvedError(f"{theorem.id}: from {number} follows {theorem.following}, which is not the next")
    upward = theorem.following == number + 1
    if not number.is_integer or isinstance(number, Index) or (upward and not (number - theorem.first).is_nonnegative):
        raise NotProvedError(f"{theorem.id}: {number} may be none of the numbers from {theorem.first} on")
    if not upward and theorem.first.is_number:
        raise NotProvedError(f"{theorem.id}: {number} may be larger than {theorem.first}, from which it goes down")
    for each in theorem.assuming:
        if not _of_all(each, number):
            raise NotProvedError(f"{theorem.id}: it assumes {each.what}, of one {number}")
    if theorem.first.has(number):
        raise NotProvedError(f"{theorem.id}: the first number, {theorem.first}, depends on {number}")


def verify_all(theorems: Sequence[Proved]) -> None:
    """See that every theorem holds, and uses none that comes after it."""
    ids = [theorem.id for theorem in theorems]
    for number, theorem in enumerate(theorems):
        if ids.index(theorem.id) != number:
            raise NotProvedError(f"{theorem.id} is the name of two theorems")
        verify(theorem, theorems[:number])


def _of_all(assumption: Usable, letter: Symbol) -> bool:
    """Whether it speaks of a letter as a place in an array or a function, and so of all its values; or not at all."""
    sides = (assumption.symbol, assumption.expression)
    places = set[Any]().union(*(side.atoms(Indexed, AppliedUndef) for side in sides))
    return not any(side.has(letter) for side in sides) or any(
        letter in argument.free_symbols for place in places for argument in _arguments(place)
    )


def _chain(
    theorem: Proved,
    name: str,
    left: Expression,
    steps: Sequence[Step],
    known: Sequence[Proved] | None,
    hypothesis: Statement | None,
) -> None:
    _together(name, steps)  # which is none, if steps go both up and down
    for number, step in enumerate(steps, 1):
        tactic, where = TACTICS[step.tactic], f"{name}, step {number} ({step.tactic})"
        for used in (*step.using, *(fact for bound in step.bounds for fact in bound.facts)):
            _may_use(where, used, theorem, known, hypothesis)
        for side in (left, step.expression):
            _refuse_at_one_point(where, side, step.using)
        a, b = _unfolded(left, step.using), _unfolded(step.expression, step.using)
        slack = _slack(where, step)
        if step.relation in "≤<":
            a, b = b, a  # the larger side comes first
        stated = f"{left} {step.relation} {step.expression}"
        if (step.relation == "=") is tactic.of_inequalities or not tactic.holds(a, b + slack):
            raise NotProvedError(f"{where}: {stated} is not proved")
        if step.relation in "<>" and not _is_strict(a - b - slack, step):
            raise NotProvedError(f"{where}: {stated} is not proved: the two may be equal")
        against = contradiction(a, b + slack, "≥" if tactic.of_inequalities else "=")
        if against is not None:
            raise NotProvedError(f"{where}: {stated} is proved, but not for {against}")
        left = step.expression


def _refuse_at_one_point(where: str, side: Expression, using: Sequence[Usable]) -> None:
    """What is assumed of a letter, at one point, is not put under a derivative or an integral by that letter."""
    for equation in using:
        if isinstance(equation, Definition):
            continue
        alone = isinstance(equation, Assumption | Statement)
        assumed: Sequence[Any] = (equation,) if alone else equation.assuming  # type: ignore[union-attr] # the others have
        spoken = set[Any]().union(*(_letters(each.symbol) | _letters(each.expression) for each in assumed))
        mark = sympy.Dummy()
        for each in side.atoms(sympy.Derivative, sympy.Integral, sympy.Limit):
            varied = set[Any]().union(*map(_letters, getattr(each, "variables", each.args[1:2])))
            if varied & spoken and rewritten(each.args[0], equation.symbol, mark).has(mark):
                raise NotProvedError(f"{where}: {equation.symbol} is assumed at one point, and stands in {each}")


def _slack(where: str, step: Step) -> Expression:
    if step.bounds and step.relation == "=":
        raise NotProvedError(f"{where}: it is an equation, and has bounds")
    for bound in step.bounds:
        if not _not_negative(bound.weight):
            raise NotProvedError(f"{where}: {bound.weight} may be negative")
        if bound.along and not _rises(*bound.along):
            raise NotProvedError(f"{where}: an integral from {bound.along[1]} to {bound.along[2]} may run backwards")
        letter = bound.along[0] if bound.along else None
        for fact in bound.facts if letter else ():
            for each in (fact,) if isinstance(fact, Assumption) else getattr(fact, "assuming", ()):
                if not _of_all(each, letter):
                    raise NotProvedError(f"{where}: it is integrated, and {each.what} is assumed of one {letter}")
    return Add(*(_unfolded(bound.difference(), step.using) for bound in step.bounds))


def _is_strict(rest: Expression, step: Step) -> bool:
    """One of the terms is positive, and the others are not negative."""
    if any(bound.is_positive() for bound in step.bounds):
        return True
    if step.tactic == "balls":
        return nowhere_negative(rest, strictly=True)
    terms = _visible_terms(normal(rest)) if step.tactic in ("signs", "monotone") else None
    return terms is not None and any(map(_positive, terms))


def _may_use(
    where: str, used: Usable, theorem: Proved, known: Sequence[Proved] | None, hypothesis: Statement | None
) -> None:
    of = used.of if isinstance(used, Instance) else used
    if isinstance(of, Statement) and of != hypothesis:
        raise NotProvedError(f"{where}: {of.symbol} {of.relation} {of.expression} is no hypothesis there")
    if isinstance(of, Theorem | Induction) and known is not None and of not in known:
        raise NotProvedError(f"{where}: {of.id} is not proved before")
    asked = [used] if isinstance(used, Assumption) else getattr(used, "assuming", ())
    given = {_said(each) for each in (*theorem.assuming, *_relied(theorem))} if asked else set()
    for assumption in asked:
        said = _said(assumption)
        if said not in given and not any(
            _said(other) == said
            and given.issuperset(map(_said, other.assuming))
            and _two_meanings((*_relied(theorem), *_relied(other))) is None
            for other in known or ()
        ):  # what is proved, of nothing more than is given, need not be assumed
            raise NotProvedError(f"{where}: {theorem.id} does not say that it assumes {assumption.what}")


def _relied(theorem: Proved) -> list[Definition]:
    """The definitions that a theorem rests on: those of its steps, and of the theorems that these use as they are."""
    found = list[Definition]()
    for used in (used for one in _closure(theorem, instances=False) for used in _used(one)):
        if isinstance(used, Definition):
            found.append(used)
        elif isinstance(used, Instance):
            found += used.definitions
    return found


def _closure(theorem: Proved, *, instances: bool = True) -> list[Proved]:
    """The theorem, and all that it uses; with other letters too, or only as they are."""
    found, waiting = dict[int, Proved](), [theorem]
    while waiting:
        one = waiting.pop()
        if id(one) not in found:
            found[id(one)] = one
            for used in _used(one):
                if isinstance(used, Theorem | Induction):
                    waiting.append(used)
                elif isinstance(used, Instance) and instances:
                    waiting.append(used.of)
    return list(found.values())


def _used(theorem: Proved) -> Iterator[Usable]:
    for step in theorem.steps if isinstance(theorem, Theorem) else (*theorem.base, *theorem.step):
        yield from step.using
        for bound in step.bounds:
            yield from bound.facts


def _refuse_two_meanings(theorem: Proved) -> None:
    """One symbol has one definition in all that a theorem rests on, which does not speak of itself."""
    definitions = _relied(theorem)
    for one in definitions:
        symbol, expression = one.symbol, one.expression
        if symbol.is_number:
            raise NotProvedError(f"{theorem.id}: {symbol} is a number, and has a definition")
        if any(getattr(symbol, f"is_{sign}") and getattr(expression, f"is_{sign}") is False for sign in _SIGNS):
            raise NotProvedError(f"{theorem.id}: {symbol} is defined as {expression}, which it cannot be")
        if rewritten(expression, symbol, sympy.Dummy()) != renamed(expression, (f"{name}_" for name in fresh_names())):
            raise NotProvedError(f"{theorem.id}: {symbol} is defined by itself")
    twice = _two_meanings(definitions)
    if twice is not None:
        raise NotProvedError(f"{theorem.id}: it rests on two definitions of {twice}")


def _two_meanings(definitions: Sequence[Definition]) -> Expression | None:
    """What is defined twice, perhaps with other letters, or for some places once more."""
    for one, other in itertools.permutations({id(one): one for one in definitions}.values(), 2):
        found = rewritten(one.symbol, other.symbol, other.expression)
        if found != one.symbol and _normal(found) != _normal(one.expression):
            return one.symbol
    return None


def _refuse_what_is_no_constant(theorem: Proved) -> None:
    """What a derivative, an integral or a limit has held still does not depend on its variable by any definition."""
    speaks = dict[Any, set[Any]]()
    for definition in _relied(theorem):
        speaks.setdefault(_head(definition.symbol), set()).update(_letters(definition.expression))
    for one in _closure(theorem, instances=False):
        for letter, variable in _held(one):
            found, waiting = set[Any](), {letter}
            while waiting:
                found |= waiting
                waiting = set[Any]().union(*(speaks.get(each, set()) for each in waiting)) - found
            if variable in found:
                raise NotProvedError(f"{theorem.id}: {letter} depends on {variable}, and {one.id} holds it still")


def _held(theorem: Proved) -> Iterator[tuple[Any, Any]]:
    """The letters that a step holds still, each with the variable of the derivative, integral or limit."""
    for left, step in _sides(theorem):
        if step.tactic not in ("derivative", "exponentials", "integral", "monotone", "limit"):
            continue
        for side in (left, step.expression):
            for each in _unfolded(side, step.using).atoms(sympy.Derivative, sympy.Integral, sympy.Limit):
                variables = getattr(each, "variables", each.args[1:2])
                varied = set[Any]().union(*map(_letters, variables))
                for letter in _letters(each.args[0]) - varied:
                    yield from ((letter, variable) for variable in varied)


def _sides(theorem: Proved) -> Iterator[tuple[Expression, Step]]:
    """Each step with the expression before it."""
    chains: list[tuple[Expression, Sequence[Step]]] = []
    if isinstance(theorem, Theorem):
        chains.append((theorem.start, theorem.steps))
    else:
        for value, chain in ((theorem.first, theorem.base), (theorem.following, theorem.step)):
            chains.append((theorem.claim.at({theorem.over: value}).symbol, chain))
    for start, steps in chains:
        before = start
        for step in steps:
            yield before, step
            before = step.expression


_SIGNS = ("positive", "negative", "nonnegative", "nonpositive", "nonzero", "real", "integer")


def _said(equation: Any) -> tuple[Any, ...]:
    """The two sides, whose bound indices may have any names; and what holds between them."""
    return _normal(equation.symbol), equation.relation, _normal(equation.expression)


_normal = functools.lru_cache(maxsize=None)(normal)


def _unfolded(expression: Expression, using: Sequence[Usable]) -> Expression:
    """By each equation in turn; a hypothesis speaks of its own number only."""
    for equation in using:
        if equation.relation != "=":
            raise NotProvedError(
                f"{equation.symbol} {equation.relation} {equation.expression} is no equation; give it as a bound"
            )
        over = {equation.over} if isinstance(equation, Induction) else set()
        alone = isinstance(equation, Statement)
        expression = rewritten(expression, equation.symbol, equation.expression, also=over, letters=not alone)
    return expression
