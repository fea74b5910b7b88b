"""Inequalities by certificates, assumptions, instances and induction: what the kernel takes, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sympy import Symbol

from proofs.kernel import (
    Assumption,
    Bound,
    Definition,
    Induction,
    NotProvedError,
    Relation,
    Statement,
    Step,
    Theorem,
    verify,
    verify_all,
)
from proofs.sums import Index, array, replaced, size, total

N, M = size("n"), size("m")
i, j = Index("i", N), Index("j", N)
a, b, c = map(array, "abc")
x, y = Symbol("x", real=True), Symbol("y", real=True)
p = Symbol("p", positive=True)


def inequality(left: Any, relation: Relation, right: Any, *bounds: Bound, **more: Any) -> Theorem:
    return Theorem("one", "One", left, (Step(relation, right, "because", "signs", bounds=bounds),), **more)


# -------------------------------------------------------------------------------------------------------- certificates

CROSSED = total((a[i] * b[j] - a[j] * b[i]) ** 2, i, j) / 2
SQUARES = total(a[i] ** 2, i) * total(b[i] ** 2, i)
PRODUCT = total(a[i] * b[i], i) ** 2


def test_the_inequality_of_cauchy_and_schwarz() -> None:
    verify(inequality(PRODUCT, "≤", SQUARES, Bound(CROSSED)))
    verify(inequality(SQUARES, "≥", PRODUCT, Bound(CROSSED)))


@pytest.mark.parametrize("weight", [2 * CROSSED, CROSSED / 2, -CROSSED, total(a[i] * b[i], i)])
def test_another_certificate_proves_nothing(weight: Any) -> None:
    with pytest.raises(NotProvedError, match=r"is not proved|may be negative"):
        verify(inequality(PRODUCT, "≤", SQUARES, Bound(weight)))


def test_without_a_certificate_it_is_not_seen() -> None:
    with pytest.raises(NotProvedError, match="is not proved"):
        verify(inequality(PRODUCT, "≤", SQUARES))


def test_a_strict_inequality_needs_something_positive() -> None:
    verify(inequality(x**2, "<", x**2 + p))
    verify(inequality(2 * x * y, "<", x**2 + y**2 + p, Bound((x - y) ** 2)))
    verify(inequality(x, "<", x + p, Bound(p)))
    with pytest.raises(NotProvedError, match="may be equal"):
        verify(inequality(2 * x * y, "<", x**2 + y**2, Bound((x - y) ** 2)))


def test_an_equation_has_no_bounds() -> None:
    theorem = Theorem("one", "One", x, (Step("=", x, "because", "sums", bounds=(Bound(p),)),))
    with pytest.raises(NotProvedError, match="it is an equation, and has bounds"):
        verify(theorem)


# --------------------------------------------------------------------------------------------------------- assumptions

SMALL = Assumption(x, "≤", y, "that x is small")
MORE = Assumption(b[i], "≥", a[i] ** 2, "that b is large")
CONSTANT = Assumption(total(c[i], i), "=", Symbol("s", real=True), "that c has the sum s")


def test_a_known_inequality_is_used_with_a_weight() -> None:
    verify(inequality(p * x + 1, "≤", p * y + 1, Bound(p, (SMALL,)), assuming=(SMALL,)))
    verify(inequality(total(b[i], i), "≥", total(a[i] ** 2, i), Bound(1, (MORE,), (i,)), assuming=(MORE,)))
    strict = replace(SMALL, relation="<")
    verify(inequality(p * x, "<", p * y, Bound(p, (strict,)), assuming=(strict,)))


def test_the_product_of_two_is_one() -> None:
    """(y − x)² ≥ 0 is the product of y ≥ x with itself; and (y − x) p ≥ 0."""
    verify(inequality(x * y, "≤", y**2 + x**2 - x * y, Bound(1, (SMALL, SMALL)), assuming=(SMALL,)))


def test_what_is_not_said_to_be_assumed_is_not_used() -> None:
    with pytest.raises(NotProvedError, match="one does not say that it assumes that x is small"):
        verify(inequality(x, "≤", y, Bound(1, (SMALL,))))
    step = Step("=", Symbol("s", real=True), "its sum", "definition", (CONSTANT,))
    verify(Theorem("sum", "Sum", total(c[j], j), (step,), assuming=(CONSTANT,)))
    with pytest.raises(NotProvedError, match="assumes that c has the sum s"):
        verify(Theorem("sum", "Sum", total(c[j], j), (step,)))


def test_an_assumed_inequality_is_no_equation_and_an_equation_no_bound() -> None:
    with pytest.raises(NotProvedError, match="is no equation; give it as a bound"):
        verify(Theorem("one", "One", x, (Step("=", y, "because", "sums", (SMALL,)),), assuming=(SMALL,)))
    with pytest.raises(NotProvedError, match="is no inequality; rewrite with it"):
        verify(inequality(x, "≤", y, Bound(1, (CONSTANT,)), assuming=(CONSTANT,)))


def test_a_theorem_hands_on_what_it_assumes() -> None:
    first = inequality(x, "≤", y, Bound(1, (SMALL,)), assuming=(SMALL,))
    second = replace(inequality(2 * x, "≤", 2 * y, Bound(2, (first,)), assuming=(SMALL,)), id="two")
    verify_all([first, second])
    with pytest.raises(NotProvedError, match="two does not say that it assumes that x is small"):
        verify_all([first, replace(second, assuming=())])


def test_other_letters() -> None:
    """x ≤ y for any x and y is a + b ≤ y + b, if that is assumed."""
    first = inequality(2 * x, "≤", 2 * y, Bound(2, (SMALL,)), assuming=(SMALL,))
    other = first.at({x: p, y: p + x**2})
    assert (other.symbol, other.relation, other.expression) == (2 * p, "≤", 2 * p + 2 * x**2)
    here = Assumption(p, "≤", p + x**2, "that it is so")
    second = replace(inequality(2 * p, "≤", 2 * p + 2 * x**2, Bound(1, (other,)), assuming=(here,)), id="two")
    verify_all([first, second])
    with pytest.raises(NotProvedError, match="two does not say"):
        verify_all([first, replace(second, assuming=())])


def test_what_is_assumed_may_have_been_proved() -> None:
    square = replace(inequality(p, "≤", p + x**2), id="square")
    first = inequality(2 * x, "≤", 2 * y, Bound(2, (SMALL,)), assuming=(SMALL,))
    other = first.at({x: p, y: p + x**2})
    second = replace(inequality(2 * p, "≤", 2 * p + 2 * x**2, Bound(1, (other,))), id="two")
    verify_all([square, first, second])


def test_a_definition_is_asked_of_other_letters() -> None:
    """What is proved of a = 2c, by that definition, is said of no other a."""
    double = Definition(a[i], 2 * c[i], "(n,)", "that a is twice c")
    known = Theorem("twice", "Twice", a[i] - c[i], (Step("=", c[i], "by definition", "definition", (double,)),))
    assert known.at({c: lambda place: b[place]}).assuming[0].expression == 2 * b[i]
    other = known.at({a: lambda place: b[place]})
    step = Step("=", c[j], "the same of b", "theorem", (other,))
    wrong = Theorem("other", "Other", b[j] - c[j], (step,))
    verify(known)
    with pytest.raises(NotProvedError, match="other does not say that it assumes that a is twice c"):
        verify_all([known, wrong])
    verify_all([known, replace(wrong, assuming=(Assumption(b[i], "=", 2 * c[i], "that b is twice c"),))])


def test_a_symbol_has_one_meaning_in_all_that_a_theorem_rests_on() -> None:
    double, triple = (Definition(a[i], number * c[i], "(n,)", "a multiple") for number in (2, 3))
    first = Theorem("twice", "Twice", a[i], (Step("=", 2 * c[i], "by definition", "definition", (double,)),))
    steps = (Step("=", 2 * c[j], "the first", "theorem", (first,)), Step("=", a[j] - c[j], "or", "sums", (triple,)))
    with pytest.raises(NotProvedError, match="it rests on two definitions of a"):
        verify(Theorem("both", "Both", a[j], steps), [first])


def test_letters_are_replaced_everywhere_but_where_they_are_bound() -> None:
    whole = total(a[i] * b[j], i)
    assert replaced(whole, {b: lambda place: c[place] + 1}).doit() == replaced(total(a[i] * (c[j] + 1), i), {}).doit()
    found = replaced(whole, {j: i})
    assert found.free_symbols >= {i}
    assert found.limits[0][0] != i
    other = replaced(whole, {N: M})
    assert {index.size for index in other.atoms(Index)} == {M}


# ----------------------------------------------------------------------------------------------------------- induction

t = Symbol("t", integer=True, nonnegative=True)
e, q = array("e"), Symbol("q", real=True)
NEXT = Definition(e[t + 1], q * e[t], "", "each is q times the one before")
FIRST = Definition(e[0], Symbol("f", real=True), "", "the first")
CLAIM = Statement(e[t], "=", q**t * e[0])
POWERS = Induction(
    "powers",
    "Powers",
    CLAIM,
    t,
    first=Symbol("zero", integer=True) * 0,
    following=t + 1,
    base=(Step("=", q**0 * e[0], "nothing is multiplied yet", "sums"),),
    step=(
        Step("=", q * e[t], "by definition", "definition", (NEXT,)),
        Step("=", q * q**t * e[0], "by the hypothesis", "definition", (CLAIM,)),
        Step("=", q ** (t + 1) * e[0], "one factor more", "sums"),
    ),
)


def by_steps(base: tuple[Step, ...], step: tuple[Step, ...], **more: Any) -> Induction:
    return replace(POWERS, base=base, step=step, **more)


def test_what_grows_by_one_each_time() -> None:
    """e(t+1) = e(t) + 1 from 0 on is t."""
    one_more = Definition(e[t + 1], e[t] + 1, "", "one more")
    nothing = Definition(e[0], x * 0, "", "the first is 0")
    claim = Statement(e[t], "=", t)
    counted = by_steps(
        (Step("=", x * 0, "it begins with 0", "definition", (nothing,)),),
        (
            Step("=", e[t] + 1, "by definition", "definition", (one_more,)),
            Step("=", t + 1, "by the hypothesis", "definition", (claim,)),
        ),
        claim=claim,
    )
    verify(counted)
    used = Theorem("two", "Two", e[7], (Step("=", 7 + 0 * x, "by induction", "theorem", (counted,)),))
    verify_all([counted, used])
    with pytest.raises(NotProvedError, match="base: it ends with 0, and the claim is 1"):
        verify(replace(counted, claim=replace(claim, expression=t + 1)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"following": t + 2}, "which is not the next"),
        ({"first": t}, "depends on t"),
        ({"step": POWERS.step[:1]}, "it ends with"),
        ({"base": (Step("≤", e[0] + p, "more", "signs"),)}, "its steps prove ≤, and the claim is ="),
    ],
)
def test_an_induction_that_is_none_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NotProvedError, match=message):
        verify(replace(POWERS, **change))


def test_the_hypothesis_is_of_the_step_alone() -> None:
    with pytest.raises(NotProvedError, match="is no hypothesis there"):
        verify(replace(POWERS, base=(Step("=", q**0 * e[0], "by the hypothesis", "definition", (CLAIM,)),)))
    with pytest.raises(NotProvedError, match="is no hypothesis there"):
        verify(Theorem("two", "Two", e[t], (Step("=", q**t * e[0], "by the hypothesis", "definition", (CLAIM,)),)))


def test_an_inequality_by_induction() -> None:
    """What is at most q times the one before, with 0 < q, is at most q to the t."""
    r = Symbol("r", positive=True)
    less = Assumption(e[t + 1], "≤", r * e[t], "each is at most r times the one before")
    claim = Statement(e[t], "≤", r**t * e[0])
    at_most = by_steps(
        (Step("=", r**0 * e[0], "it begins so", "sums"),),
        (
            Step("≤", r * e[t], "assumed", "signs", bounds=(Bound(1, (less,)),)),
            Step("≤", r * r**t * e[0], "the hypothesis", "signs", bounds=(Bound(r, (claim,)),)),
            Step("=", r ** (t + 1) * e[0], "one factor more", "sums"),
        ),
        claim=claim,
        assuming=(less,),
    )
    verify(at_most)
    assert (at_most.symbol, at_most.relation, at_most.expression) == (e[t], "≤", r**t * e[0])
    with pytest.raises(NotProvedError, match="up and down"):
        verify(replace(at_most, step=(*at_most.step, Step("≥", r ** (t + 1) * e[0], "more", "signs"))))
