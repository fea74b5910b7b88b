"""Powers with a letter in the exponent, signs, and how differences are written."""

from __future__ import annotations

from typing import Any

import pytest
from sympy import Integer, Symbol

from proofs.instances import contradiction, instances
from proofs.kernel import Assumption, Bound, NotProvedError, Step, Theorem, verify
from proofs.latex import latex
from proofs.sums import array, normal

t = Symbol("t", integer=True, nonnegative=True)
a, u = Symbol("a", real=True), Symbol("u", real=True)


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ((1 - u) ** (t + 1), (1 - u) ** t * (1 - u)),
        ((1 - u) ** (t + 2), (1 - u) ** t * (1 - 2 * u + u**2)),
        ((1 - u) ** (2 * t + 2), ((1 - u) ** (t + 1)) ** 2),
        (a ** (t + 1) * u, u * a * a**t),
    ],
    ids=str,
)
def test_a_whole_number_in_an_exponent_is_a_product(one: Any, same: Any) -> None:
    assert normal(one) == normal(same)
    assert normal(normal(one)) == normal(one)
    assert contradiction(one, same) is None


def test_an_exponent_that_differs_is_another_power() -> None:
    assert normal((1 - u) ** (t + 1)) != normal((1 - u) ** t)
    assert contradiction((1 - u) ** (t + 1), (1 - u) ** t) is not None


def test_a_number_of_steps_is_tried_as_a_whole_number() -> None:
    assert [side for (side,) in instances(u**t)] == [u, u**2, u**3]


def test_a_denominator_that_is_a_square_is_positive() -> None:
    below = Assumption(u, "<", Integer(2), "u is below 2")
    share = 1 / (2 - u) ** 2
    step = Step(">", Integer(0), "it is (2 − u)/(2 − u)²", "signs", bounds=(Bound(share, (below,)),))
    verify(Theorem("one", "One", 1 / (2 - u), (step,), assuming=(below,)))
    odd = Step(">", Integer(0), "it is (2 − u)⁰", "signs", bounds=(Bound(1 / (2 - u), (below,)),))
    with pytest.raises(NotProvedError, match="may be negative"):
        verify(Theorem("two", "Two", Integer(1), (odd,), assuming=(below,)))


def test_what_is_subtracted_is_written_last() -> None:
    e = array("e")
    assert latex(1 - u) == "1 - u"
    assert latex(e[t + 1] - u * e[t]) == "e^{(t + 1)} - u e^{(t)}"


def test_a_theorem_about_what_is_positive_says_nothing_of_what_is_not() -> None:
    h = Symbol("h", positive=True)
    positive = Theorem("three", "Three", h, (Step(">", Integer(0), "h is positive", "signs"),))
    assert positive.at({h: 2 * h}).symbol == 2 * h
    for wrong in (-h, u, h - 1):
        with pytest.raises(NotProvedError, match=r"three: h is positive, and .* may not be"):
            positive.at({h: wrong})
