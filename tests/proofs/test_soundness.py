"""False theorems, each by another way around the kernel, which refuses them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sympy import Abs, Derivative, Function, I, Integer, Integral, KroneckerDelta, Rational, Symbol, exp, log

from proofs.kernel import (
    Assumption,
    Bound,
    Definition,
    Induction,
    NotProvedError,
    Proved,
    Relation,
    Statement,
    Step,
    Theorem,
    verify_all,
)
from proofs.sums import Between, Index, array, size, total

N = size("N")
i, j, k = (Index(name, N) for name in "ijk")
x, y, z, e = map(array, "xyze")
p = array("p", positive=True)
X, Y, u = (Symbol(name, real=True) for name in "XYu")
h = Symbol("h", positive=True)
t = Symbol("t", integer=True, nonnegative=True)
f = Function("f")
ZERO, ONE = Integer(0), Integer(1)

Book = tuple[Proved, ...]
FALSE: list[Callable[[], Book]] = []


def false(make: Callable[[], Book]) -> Callable[[], Book]:
    FALSE.append(make)
    return make


def step(relation: Relation, expression: Any, tactic: str, *using: Any, bounds: Iterable[Bound] = ()) -> Step:
    return Step(relation, expression, "because", tactic, using, tuple(bounds))


def theorem(name: str, start: Any, *steps: Step, assuming: Iterable[Assumption] = ()) -> Theorem:
    return Theorem(name, name, start, steps, assuming=tuple(assuming))


def induction(
    claim: Statement, number: Any, first: Any, following: Any, base: Step, *steps: Step, assuming: Any = ()
) -> Induction:
    return Induction("induction", "By induction", claim, number, first, following, (base,), steps, assuming=assuming)


def defined(symbol: Any, expression: Any) -> Definition:
    return Definition(symbol, expression, "", "a definition")


def bound(fact: Any, **more: Any) -> tuple[Bound, ...]:
    return (Bound(ONE, (fact,), **more),)


# ------------------------------------------------------------------------------------------------------ other letters


@false
def an_array_that_is_not_positive() -> Book:
    one = theorem("one", total(p[i], i), step(">", ZERO, "signs"))
    other = one.at({p: lambda n: x[n]})
    return one, theorem("two", total(x[i], i), step(">", ZERO, "signs", bounds=bound(other)))


@false
def a_letter_that_is_not_real() -> Book:
    one = theorem("one", X**2, step("≥", ZERO, "signs"))
    return one, theorem("two", Integer(-1), step("≥", ZERO, "signs", bounds=bound(one.at({X: I}))))


@false
def a_number_beyond_its_ends() -> Book:
    low = Between("b", Rational(1, 2), 1)
    one = theorem("one", low, step("≥", Rational(1, 4), "balls"))
    return one, theorem("two", ZERO, step("≥", Rational(1, 4), "signs", bounds=bound(one.at({low: ZERO}))))


@false
def an_index_beyond_its_size() -> Book:
    one = theorem("one", total(KroneckerDelta(i, k) * x[i], i), step("=", x[k], "sums"))
    other = one.at({k: Integer(7)})
    return one, theorem("two", total(KroneckerDelta(i, 7) * x[i], i), step("=", x[7], "theorem", other))


@false
def an_argument_of_another_kind() -> Book:
    magnitude = defined(f(X), Abs(X))
    one = theorem("one", f(h), step("=", h, "definition", magnitude))
    first, second = step("=", f(-2), "definition", magnitude), step("=", Integer(-2), "theorem", one)
    return one, theorem("two", Integer(2), first, second)


@false
def an_assumption_about_a_diagonal() -> Book:
    all_ = Assumption(z[i, j], "≥", ZERO, "that none is negative")
    some = Assumption(z[i, i], "≥", ZERO, "that none on the diagonal is negative")
    whole, over = total(z[i, j], i, j), (Bound(ONE, (all_,), (i, j)),)
    one = theorem("one", whole, step("≥", ZERO, "signs", bounds=over), assuming=[all_])
    return one, theorem("two", whole, step("≥", ZERO, "signs", bounds=bound(one.at({j: i}))), assuming=[some])


@false
def an_assumption_whose_index_is_captured() -> Book:
    all_ = Assumption(x[i], "≥", ZERO, "that none is negative")
    some = Assumption(z[i, i], "≥", ZERO, "that none on the diagonal is negative")
    over = (Bound(ONE, (all_,), (i,)),)
    one = theorem("one", total(x[j], j), step("≥", ZERO, "signs", bounds=over), assuming=[all_])
    other = one.at({x: lambda n: z[n, i]})
    return one, theorem("two", total(z[j, i], j), step("≥", ZERO, "signs", bounds=bound(other)), assuming=[some])


@false
def a_derivative_that_depends_on_what_was_held() -> Book:
    one = theorem("one", Derivative(u * X, u), step("=", X, "derivative"))
    return one, theorem("two", Derivative(u**2, u), step("=", u, "theorem", one.at({X: u})))


@false
def a_derivative_by_what_was_held() -> Book:
    one = theorem("one", Derivative(u * X, u), step("=", X, "derivative"))
    return one, theorem("two", Derivative(X**2, X), step("=", X, "theorem", one.at({u: X})))


@false
def a_derivative_by_an_array_that_was_held() -> Book:
    one = theorem("one", Derivative(total(y[i] * x[i], i), x[k]), step("=", y[k], "derivative"))
    other = one.at({y: lambda n: x[n]})
    return one, theorem("two", Derivative(total(x[i] ** 2, i), x[k]), step("=", x[k], "theorem", other))


@false
def a_derivative_by_all_elements_at_once() -> Book:
    one = theorem("one", Derivative(total(x[i], i), x[k]), step("=", ONE, "derivative"))
    other = one.at({x: lambda n: X})
    return one, theorem("two", Derivative(total(X, i), X), step("=", ONE, "theorem", other))


@false
def an_integral_that_depends_on_what_was_held() -> Book:
    one = theorem("one", Integral(u * X, (u, 0, 1)), step("=", X / 2, "integral"))
    return one, theorem("two", Integral(u**2, (u, 0, 1)), step("=", u / 2, "theorem", one.at({X: u})))


# ---------------------------------------------------------------------------------------------------------- rewriting


@false
def a_row_matched_with_the_diagonal() -> Book:
    rows = Assumption(total(z[i, j], j), "=", X, "that the rows have one sum")
    return (theorem("one", total(z[k, k], k), step("=", X, "definition", rows), assuming=[rows]),)


@false
def what_is_assumed_of_one_point_under_a_derivative() -> Book:
    nothing = Assumption(3 * X, "=", ZERO, "that it is 0")
    return (theorem("one", Derivative(3 * X, X), step("=", ZERO, "derivative", nothing), assuming=[nothing]),)


@false
def what_is_assumed_of_one_point_under_an_integral() -> Book:
    same = Assumption(X, "=", u, "that they are the same")
    half = step("=", Rational(1, 2), "integral", same)
    return (theorem("one", Integral(X, (u, 0, 1)), half, assuming=[same]),)


# -------------------------------------------------------------------------------------------------------- definitions


@false
def two_definitions_in_two_letters() -> Book:
    square, cube = defined(f(X), X**2), defined(f(Y), Y**3)
    first, second = step("=", f(2), "definition", square), step("=", Integer(8), "definition", cube)
    return (theorem("one", Integer(4), first, second),)


@false
def a_second_definition_of_the_diagonal() -> Book:
    all_, some = defined(z[i, j], ONE), defined(z[i, i], Integer(2))
    first, second = step("=", z[i, i], "definition", all_), step("=", Integer(2), "definition", some)
    return (theorem("one", ONE, first, second),)


@false
def a_definition_by_itself() -> Book:
    more, same = defined(X, X + 1), defined(Y, X)
    first, second = step("=", Y + 1, "definition", more, same), step("=", X + 1, "definition", same)
    return (theorem("one", X, first, second),)


@false
def a_definition_of_a_number() -> Book:
    return (theorem("one", Integer(2), step("=", Integer(3), "definition", defined(Integer(2), Integer(3)))),)


@false
def a_definition_that_is_not_what_its_symbol_is() -> Book:
    negative = defined(h, Integer(-1))
    return (theorem("one", Integer(-1), step("=", h, "definition", negative), step(">", ZERO, "signs")),)


@false
def a_definition_that_was_held_under_a_derivative() -> Book:
    square = defined(Y, X**2)
    first, second = step("=", Derivative(Y, X), "derivative"), step("=", Derivative(X**2, X), "definition", square)
    return (theorem("one", ZERO, first, second, step("=", 2 * X, "derivative")),)


@false
def a_definition_that_was_held_in_another_theorem() -> Book:
    square = defined(Y, X**2)
    one = theorem("one", Derivative(Y, X), step("=", ZERO, "derivative"))
    first, second = step("=", Derivative(Y, X), "theorem", one), step("=", Derivative(X**2, X), "definition", square)
    return one, theorem("two", ZERO, first, second, step("=", 2 * X, "derivative"))


@false
def a_definition_that_was_held_under_an_integral() -> Book:
    square = defined(Y, X**2)
    first = step("=", Integral(Y, (X, 0, 1)), "integral")
    second = step("=", Integral(X**2, (X, 0, 1)), "definition", square)
    return (theorem("one", Y, first, second, step("=", Rational(1, 3), "integral")),)


@false
def an_assumption_that_another_definition_proves() -> Book:
    twice = Assumption(X, "=", 2 * Y, "that it is twice as large")
    one = theorem("one", X, step("=", 2 * Y, "definition", defined(X, 2 * Y)))
    two = theorem("two", X - Y, step("=", Y, "definition", twice), assuming=[twice])
    first, second = step("=", X - Y, "definition", defined(X, 3 * Y)), step("=", Y, "theorem", two)
    return one, two, theorem("three", 2 * Y, first, second)


# -------------------------------------------------------------------------------------------------------- inequalities


@false
def one_more_than_one() -> Book:
    return (theorem("one", 1 / (1 + h) + h / (1 + h), step(">", ONE, "signs")),)


@false
def a_tangent_that_touches() -> Book:
    return (theorem("one", exp(X), step(">", 1 + X, "growth")),)


@false
def a_positive_letter_below_0() -> Book:
    return (theorem("one", Integral(h, (h, -1, 0)), step("≥", Integral(0, (h, -1, 0)), "monotone")),)


@false
def a_fact_about_positive_numbers_integrated_below_0() -> Book:
    one = theorem("one", h, step("≥", ZERO, "signs"))
    below = bound(one, along=(h, Integer(-1), ZERO))
    return one, theorem("two", Integral(h, (h, -1, 0)), step("≥", ZERO, "signs", bounds=below))


@false
def a_fact_about_one_number_integrated() -> Book:
    small = Assumption(u, "≤", ONE, "that u is small")
    bounds = bound(small, along=(u, ZERO, Integer(3)))
    return (theorem("one", Integral(1 - u, (u, 0, 3)), step("≥", ZERO, "signs", bounds=bounds), assuming=[small]),)


@false
def a_logarithm_of_two_negative_numbers() -> Book:
    a, b = (Symbol(name, negative=True) for name in "ab")
    return (
        theorem("one", log(X**2 + a * b), step("=", log(X**2 + a * b) + log(a * b) - log(a) - log(b), "logarithms")),
    )


# ----------------------------------------------------------------------------------------------------------- induction


@false
def a_number_below_the_first() -> Book:
    claim, same = Statement(e[t], "=", e[5]), defined(e[t + 1], e[t])
    steps = step("=", e[t], "definition", same), step("=", e[5], "definition", claim)
    one = induction(claim, t, Integer(5), t + 1, step("=", e[5], "sums"), *steps)
    return one, theorem("two", e[2], step("=", e[5], "theorem", one))


@false
def a_number_that_is_not_whole() -> Book:
    claim, same = Statement(e[t], "=", e[0]), defined(e[t + 1], e[t])
    steps = step("=", e[t], "definition", same), step("=", e[0], "definition", claim)
    one = induction(claim, t, ZERO, t + 1, step("=", e[0], "sums"), *steps)
    return one, theorem("two", e[Rational(-1, 2)], step("=", e[0], "theorem", one))


@false
def numbers_above_the_first_of_an_induction_downwards() -> Book:
    claim = Statement(t, "≤", ZERO)
    steps = step("≤", t, "signs"), step("≤", ZERO, "signs", bounds=bound(claim))
    one = induction(claim, t, ZERO, t - 1, step("=", ZERO, "sums"), *steps)
    return one, theorem("two", t, step("≤", ZERO, "signs", bounds=bound(one)))


@false
def a_hypothesis_about_a_function_used_for_the_next_number() -> Book:
    claim = Statement(f(t), "=", f(0))
    return (induction(claim, t, ZERO, t + 1, step("=", f(0), "sums"), step("=", f(0), "definition", claim)),)


@false
def an_assumption_about_one_number() -> Book:
    same, claim = Assumption(X, "=", t, "that they are the same"), Statement(t * (X - t + 1), "=", ZERO)
    next_ = step("=", ZERO, "definition", same)
    return (induction(claim, t, ZERO, t + 1, step("=", ZERO, "sums"), next_, assuming=(same,)),)


@false
def an_induction_that_assumes_one_step_only() -> Book:
    falls, claim = Assumption(e[t + 1], "≤", e[t], "that it falls"), Statement(e[t], "≤", e[0])
    steps = step("≤", e[t], "signs", bounds=bound(falls)), step("≤", e[0], "signs", bounds=bound(claim))
    one = induction(claim, t, ZERO, t + 1, step("=", e[0], "sums"), *steps, assuming=(falls,))
    last = Assumption(e[3], "≤", e[2], "that the last step falls")
    other = one.at({t: Integer(2)})
    return one, theorem("two", e[2], step("≤", e[0], "signs", bounds=bound(other)), assuming=[last])


@pytest.mark.parametrize("make", FALSE, ids=lambda make: make.__name__)
def test_what_is_false_is_refused(make: Callable[[], Book]) -> None:
    with pytest.raises(NotProvedError):
        verify_all(make())


@pytest.mark.parametrize("no_size", [t, h, i, N - 1], ids=str)
def test_an_index_runs_to_a_size(no_size: Any) -> None:
    """Or a sum over it could be empty, and not positive."""
    with pytest.raises(ValueError, match="which is no size"):
        Index("n", no_size)
