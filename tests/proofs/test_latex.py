"""Expressions in LaTeX, as one would write them by hand."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
from sympy import Abs, Derivative, Function, KroneckerDelta, Mul, Rational, Subs, Symbol, exp, log

from proofs import latex as module
from proofs.latex import latex, letter, shape
from proofs.sums import Index, array, size, total

N, M = size("N"), size("m")
s, i, k = Index("s", N), Index("i", M), Symbol("k", integer=True)
x, delta, best = array("x"), array("delta"), array("w_best")
f, t = Function("f"), Symbol("t", real=True)


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        (x[s, i], "x_{s i}"),
        (delta[k - 1, s, i], r"\delta_{s i}^{(k - 1)}"),
        (delta[k, i] ** 2, r"\left(\delta_{i}^{(k)}\right)^{2}"),
        (best[i], r"w_{\mathrm{best}, i}"),
        (total(x[s, i], s, i), r"\sum_{s=1}^{N} \sum_{i=1}^{m} x_{s i}"),
        (total(x[s, i] + 1, s), r"\sum_{s=1}^{N} \left(x_{s i} + 1\right)"),
        (KroneckerDelta(s, Index("t", N)) * x[s, i], "x_{s i} [s = t]"),
        (Derivative(x[s, i], x[s, i], evaluate=False), r"\frac{\partial x_{s i}}{\partial x_{s i}}"),
        (Derivative(f(t), t), r"f'\left(t\right)"),
        (Derivative(f(t), t, t), r"f''\left(t\right)"),
        (Derivative(f(t), t, 4), r"f^{(4)}\left(t\right)"),
        (t * Function("relu")(t), r"t \operatorname{relu}{\left(t \right)}"),
        (Derivative(Function("gelu_tanh")(t), t), r"\operatorname{gelu}'_{\mathrm{tanh}}\left(t\right)"),
        (Function("tanh")(t), r"\tanh{\left(t \right)}"),
        (2 * Derivative(f(t), t), r"2 f'\left(t\right)"),
        (-Derivative(f(t), t), r"- f'\left(t\right)"),
        (Mul(Rational(-1, 2), 1 - t, evaluate=False), r"- \frac{1 - t}{2}"),
        (exp(-(t**2) / 2), r"e^{- \frac{t^{2}}{2}}"),
        (t - 2 * x[s, i], r"t - 2 x_{s i}"),
        ((t + 1) * Derivative(f(t), t), r"\left(t + 1\right) f'\left(t\right)"),
        (Subs(Derivative(f(t), t), t, x[s, i]), r"f'\left(x_{s i}\right)"),
        (Derivative(t**2 + x[s, i], t), r"\frac{\partial}{\partial t} \left(t^{2} + x_{s i}\right)"),
        (Rational(1, 2) * t, r"\frac{t}{2}"),
        (Abs(t), r"\left\lvert {t}\right\rvert "),
        (log(t) + exp(-t), r"\ln{\left(t \right)} + e^{- t}"),
        (1 / t**2, r"\frac{1}{t^{2}}"),
    ],
)
def test_as_by_hand(expression: Any, written: str) -> None:
    assert latex(expression) == written


@pytest.mark.parametrize(
    ("name", "written"),
    [("w", "w"), ("eta", r"\eta"), ("g'", "g'"), ("w_1", "w_{1}"), ("loss", r"\mathrm{loss}"), (r"\hat y", r"\hat y")],
)
def test_letters(name: str, written: str) -> None:
    assert letter(name) == written


def test_shapes() -> None:
    assert (shape((N, M)), shape((N,)), shape(())) == ("(N, m)", "(N,)", "()")


def test_the_examples_give_what_they_say() -> None:
    assert doctest.testmod(module).failed == 0


y, z = map(array, "yz")


def test_a_factor_stands_before_its_sum() -> None:
    assert latex(total(x[s], s) / N) == r"\frac{1}{N} \sum_{s=1}^{N} x_{s}"
    assert " ".join(latex(-total(x[s], s)).split()) == r"- \sum_{s=1}^{N} x_{s}"
    other = Index("t", N)
    assert latex((x[other] + y[other]) * total(x[s], s)) == r"\left(x_{t} + y_{t}\right) \sum_{s=1}^{N} x_{s}"
    assert latex(total(x[s], s) ** 2 / 2) == r"\frac{\left(\sum_{s=1}^{N} x_{s}\right)^{2}}{2}"


def test_of_two_sums_it_is_clear_where_each_ends() -> None:
    product = total(x[s], s) * total(y[s], s)
    assert latex(product) == r"\left(\sum_{s=1}^{N} x_{s}\right) \sum_{s=1}^{N} y_{s}"


def test_what_is_subtracted_does_not_come_first() -> None:
    assert latex(z[s] - x[s]) == "z_{s} - x_{s}"
    assert latex(Rational(1, 2) - x[s] - y[s]) == r"\frac{1}{2} - x_{s} - y_{s}"
    assert latex(-x[s] - y[s]) == "- x_{s} - y_{s}"


def test_a_series_begins_with_its_first_derivative() -> None:
    h = Symbol("h", real=True)
    series = f(t).diff(t) + h / 2 * Derivative(f(t), (t, 2)) + h**2 / 6 * Derivative(f(t), (t, 3))
    text = latex(series)
    assert text.index("f'") < text.index(r"f''\left") < text.index("f'''")


def test_an_index_whose_name_is_fresh_is_written_as_a_letter() -> None:
    assert latex(total(array("x")[Index("_0", size("n"))], Index("_0", size("n")))) == r"\sum_{i_{0}=1}^{n} x_{i_{0}}"
