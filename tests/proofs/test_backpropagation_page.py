"""What the page about backpropagation says of its cost, counted in refnn; and of any σ, for which a cubic stands."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Derivative, KroneckerDelta, Rational, Subs

from proofs.instances import ball, written_out
from proofs.kernel import NotProvedError, Step, Theorem, verify
from proofs.latex import latex
from proofs.sums import Index, array, normal, size, total
from proofs.topics.backpropagation import CHEAP, COST, AnySigma, Counted, letter, multiplications, sigma
from refnn import Dense, Network, ReLU, SquaredError
from refnn.arithmetic.ball import BallArray, working_precision
from refnn.testing import check_layer

N, M = size("N"), size("m")
s, i, k = Index("s", N), Index("i", M), Index("k", M)
x, y = array("x"), array("y")


@given(widths=st.lists(st.integers(1, 6), min_size=2, max_size=6), samples=st.integers(1, 5))
def test_the_network_multiplies_as_often_as_the_recursions_say(widths: list[int], samples: int) -> None:
    verify(COST)
    products = [samples * m * n for m, n in pairwise(widths)]
    forward = backward = products[0]
    for product in products[1:]:
        forward, backward = forward + product, backward + 2 * product
    assert multiplications(widths, samples)[:2] == (forward, backward)
    assert backward == 2 * forward - products[0]


def test_both_passes_cost_less_than_three_passes_forward() -> None:
    verify(CHEAP)
    forward, backward, parameters = multiplications((5, 7, 3, 2), 11)
    assert parameters == 5 * 7 + 7 + 7 * 3 + 3 + 3 * 2 + 2
    assert forward + backward < 3 * forward


def test_what_counts_computes_the_same() -> None:
    network = Network(Dense(2, 3), ReLU(), Dense(3, 1), loss=SquaredError())
    w, x, y = np.sin(np.arange(13.0)), np.cos(np.arange(8.0)).reshape(4, 2), np.ones((4, 1))
    tally: list[int] = []
    found = network.differentiate(Counted(w, tally), Counted(x, tally), y)
    for ours, theirs in zip(found, network.differentiate(w, x, y), strict=True):
        np.testing.assert_array_equal(ours.value, theirs)
    assert tally == [4 * 2 * 3, 4 * 3 * 1, 3 * 4 * 1, 4 * 1 * 3, 2 * 4 * 3]


def test_the_function_that_stands_for_any_is_that_of_the_second_look() -> None:
    check_layer(AnySigma())
    stated = written_out(sigma(letter), {}, {})
    points = (Fraction(-7, 4), Fraction(0), Fraction(5, 2))
    with working_precision(160):
        found = AnySigma().forward((), BallArray.exact(np.array(points, np.float64)))
        for at, value in zip(points, found.elements, strict=True):
            assert value.overlaps(ball(stated.subs(letter, Rational(at.numerator, at.denominator))))


def test_a_slope_at_an_element_is_written_as_one_at_anything_else() -> None:
    at = x[s, i]
    slope = Subs(Derivative(sigma(letter), letter), letter, at)
    for left, right in (
        (Derivative(sigma(at), x[s, k]), KroneckerDelta(i, k) * slope),
        (Derivative(sigma(2 * at), x[s, k]), 2 * KroneckerDelta(i, k) * Subs(slope.expr, letter, 2 * at)),
        (Derivative(total(sigma(at) * at, i), x[s, k]), slope.subs(i, k) * x[s, k] + sigma(x[s, k])),
    ):
        verify(Theorem("slope", "Slope", left, (Step("=", right, "chain rule", "derivative"),)))
        with pytest.raises(NotProvedError):
            verify(Theorem("slope", "Slope", left, (Step("=", 2 * right, "chain rule", "derivative"),)))


def test_the_names_of_summed_indices_do_not_matter_in_a_slope() -> None:
    def slope(index: Index) -> Any:
        return Subs(Derivative(sigma(letter), letter), letter, total(x[s, index], index))

    assert normal(total(x[s, k], k) * slope(i)) == normal(slope(k) * total(x[s, i], i))


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        (x[s, i] - y[s, i], "x_{s i} - y_{s i}"),
        (y[s, i] - x[s, i], "y_{s i} - x_{s i}"),
        (total(x[s, i], s) / (2 * N), r"\frac{1}{2 N} \sum_{s=1}^{N} x_{s i}"),
        (array("g'")[i] ** 2, r"\left(g'_{i}\right)^{2}"),
        (sigma(total(x[s, i], i)) * y[s, k], r"y_{s k} \sigma{\left(\sum_{i=1}^{m} x_{s i} \right)}"),
    ],
)
def test_formulas_are_written_as_by_hand(expression: Any, written: str) -> None:
    assert latex(expression) == written
