"""The kernel: definitions, theorems, the steps of their proofs, and the few tactics by which a step may hold.

A proof is a chain of expressions, each with a relation to the one before it, a reason in words, and a tactic by its
name. A tactic proves a step for all sizes or it does not; none of them computes with numbers. A second look at each
step does: it puts numbers into small instances, and finds what a tactic, or SymPy below it, takes for true by mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, final

import sympy
from sympy import Add

from proofs.instances import contradiction
from proofs.sums import Expression, differentiated, normal, rewritten

__all__ = ["TACTICS", "Definition", "NotProvedError", "Relation", "Step", "Tactic", "Theorem", "verify"]

Relation: TypeAlias = Literal["=", "≤", "≥"]


class NotProvedError(AssertionError):
    """A step that does not hold by its tactic."""


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
    """

    symbol: Expression
    expression: Expression
    shape: str
    what: str


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
        The equations that it may use: definitions, or theorems that are proved before.
    """

    relation: Relation
    expression: Expression
    reason: str
    tactic: str
    using: tuple[Definition | Theorem, ...] = ()


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
    sizes
        For which sizes it holds.
    matrix
        The same for whole arrays, in LaTeX: notation for what is proved for each element.
    code
        The function of refnn that it speaks about, as "module:name".
    """

    id: str
    title: str
    start: Expression
    steps: tuple[Step, ...]
    sizes: str = ""
    matrix: str = ""
    code: str = ""

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
        found = {step.relation for step in self.steps} - {"="}
        if len(found) > 1:
            raise NotProvedError(f"{self.id}: its steps go both up and down")
        return found.pop() if found else "="


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
    return _same(differentiated(left), differentiated(right))


def _fractions(left: Expression, right: Expression) -> bool:
    """Both over one denominator, whose parts are not 0."""
    numerator, _ = sympy.fraction(sympy.together(normal(left) - normal(right)))
    return bool(normal(sympy.expand(numerator)) == 0)


def _exponentials(left: Expression, right: Expression) -> bool:
    """tanh, cosh and their like are fractions of exp."""
    return _fractions(*(side.rewrite(sympy.exp) for side in (left, right)))


def _limit(left: Expression, right: Expression) -> bool:
    return _same(left.doit(), right)


def _squares(left: Expression, right: Expression) -> bool:
    """The difference is a sum of products of squares and of what is positive by its assumptions."""
    return all(_not_negative(part) for part in Add.make_args(normal(left) - normal(right)))


def _not_negative(part: Expression) -> bool:
    if isinstance(part, sympy.Sum):
        return _not_negative(part.function)
    return part == 0 or bool(part.is_nonnegative)


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
    "exponentials": Tactic("Hyperbolic functions are fractions of exponentials; then as for fractions.", _exponentials),
    "limit": Tactic("SymPy takes a limit of a rational function or of elementary functions.", _limit),
    "squares": Tactic("The difference is a sum of terms that are squares or positive.", _squares, of_inequalities=True),
}


def verify(theorem: Theorem) -> None:
    """See that every step holds.

    Raises
    ------
    NotProvedError
        If one does not: which, and its two sides; or if numbers contradict it.
    """
    left, _ = theorem.start, theorem.relation  # which is none, if steps go both up and down
    for number, step in enumerate(theorem.steps, 1):
        tactic, where = TACTICS[step.tactic], f"{theorem.id}, step {number} ({step.tactic})"
        a, b = _unfolded(left, step.using), _unfolded(step.expression, step.using)
        sides = (b, a) if step.relation == "≤" else (a, b)
        if (step.relation == "=") is tactic.of_inequalities or not tactic.holds(*sides):
            raise NotProvedError(f"{where}: {left} {step.relation} {step.expression} is not proved")
        against = contradiction(a, b, step.relation)
        if against is not None:
            raise NotProvedError(f"{where}: {left} {step.relation} {step.expression} is proved, but not for {against}")
        left = step.expression


def _unfolded(expression: Expression, using: Sequence[Definition | Theorem]) -> Expression:
    for equation in using:
        if isinstance(equation, Theorem) and equation.relation != "=":
            raise NotProvedError(f"{equation.id} is no equation: it says {equation.relation}")
        expression = rewritten(expression, equation.symbol, equation.expression)
    return expression
