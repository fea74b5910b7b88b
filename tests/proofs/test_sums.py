"""Finite sums: the normal form and derivatives against what is written out, and faults of SymPy that were met."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from sympy import Derivative, IndexedBase, Integer, KroneckerDelta, Piecewise, Sum, Symbol, exp, log

from proofs.instances import contradiction, written_out
from proofs.sums import Index, differentiated, free_indices, normal, renamed, rewritten, size, total

N, M, K = size("N"), size("m"), size("n")
S, T = Index("s", N), Index("t", N)
L, J, A, B = Index("i", M), Index("a", M), Index("j", K), Index("b", K)
INDICES = (S, T, L, J, A, B)
x, w, b = IndexedBase("x"), IndexedBase("w"), IndexedBase("b")
ATOMS = (x[S, L], x[T, J], w[L, A], w[J, B], w[J, A], b[A], b[B], KroneckerDelta(L, J), KroneckerDelta(A, B))


@st.composite
def expressions(draw: DrawFn, depth: int = 4) -> Any:
    """Sums of products of sums, with Kronecker deltas: whatever may stand in a proof."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([*ATOMS, Integer(2), sympy.Rational(-1, 3), M]))
    kind = draw(st.sampled_from(["sum", "product", "total", "square"]))
    first = draw(expressions(depth - 1))
    if kind == "total":
        return total(first, draw(st.sampled_from(INDICES)))
    if kind == "square":
        return first**2
    second = draw(expressions(depth - 1))
    return first + second if kind == "sum" else first * second


@given(expressions(3))
def test_the_normal_form_has_the_same_value(e: Any) -> None:
    assert contradiction(e, normal(e)) is None


@given(expressions(3))
def test_the_normal_form_of_it_is_itself(e: Any) -> None:
    assert normal(normal(e)) == normal(e)


def test_names_that_a_normal_form_gave_are_not_given_twice() -> None:
    one = normal((x[S, L] + total(x[S, L], S)) ** 2)
    assert normal(one) == one
    assert contradiction(one, normal(one)) is None


@given(expressions(2), expressions(2), expressions(2))
def test_what_is_the_same_has_the_same_normal_form(a: Any, b: Any, c: Any) -> None:
    assert normal(a * (b + c)) == normal(c * a + a * b)
    assert normal(renamed(a, (f"k{n}" for n in range(100)))) == normal(a)


@given(expressions(2), st.sampled_from(INDICES), st.sampled_from(INDICES))
def test_sums_may_be_exchanged(e: Any, one: Index, other: Index) -> None:
    assume(one != other)
    assert normal(total(total(e, one), other)) == normal(total(total(e, other), one)) == normal(total(e, one, other))


@given(expressions(2), expressions(2))
def test_what_differs_somewhere_has_another_normal_form(a: Any, b: Any) -> None:
    if contradiction(a, b) is not None:
        assert normal(a) != normal(b)


@given(expressions(3), st.sampled_from([x[S, L], w[J, B], w[L, B], b[A]]))
def test_the_derivative_of_a_sum_is_that_of_what_is_written_out(e: Any, by: Any) -> None:
    assert contradiction(Derivative(e, by), differentiated(Derivative(e, by))) is None


def test_a_delta_picks_over_its_own_range_only() -> None:
    other = Index("c", Symbol("p", integer=True, positive=True))
    assert normal(total(KroneckerDelta(L, J) * b[J], J)) == b[L]
    assert normal(total(KroneckerDelta(other, J) * b[J], J)).has(KroneckerDelta)


def test_sympy_forgets_that_an_index_of_a_sum_has_its_name_there_only() -> None:
    """d/dxᵢ of Σᵢ Σⱼ xᵢ wᵢⱼ is Σⱼ wᵢⱼ; SymPy sums over i too. Should it be mended one day, this test says so."""
    e = total(x[S, L] * w[L, A], L, A)
    rightly = total(w[L, A], A)
    assert normal(differentiated(Derivative(e, x[S, L]))) == normal(rightly)
    assert normal(e.diff(x[S, L])) != normal(rightly)


def test_the_fault_of_sympy_27359_is_not_shared() -> None:
    """`simplify` takes −Σᵢ [yᵢ > 0] δᵢⱼ for −[yᵢ > 0], where i is no index any more.

    Should it be mended one day, this test says so.
    """
    y, (i, j, m) = IndexedBase("y"), sympy.symbols("i j m", integer=True, positive=True)
    wrong = sympy.simplify(-Sum(Piecewise((KroneckerDelta(i, j, (1, m)), y[i] > 0), (0, True)), (i, 1, m)))
    assert i in wrong.free_symbols
    e = -total(Piecewise((KroneckerDelta(L, J), y[L] > 0), (0, True)), L)
    assert free_indices(e) == free_indices(normal(e)) == {J}
    assert contradiction(e, normal(e)) is None


@pytest.mark.parametrize(
    ("e", "same"),
    [
        (exp(2 * b[A] + 1) * exp(-b[A]), sympy.E * exp(b[A])),
        (total(b[A], A) / total(b[B], B), Integer(1)),
        (1 / (1 / b[A]), b[A]),
        (total(Integer(1), S, A), N * K),
        (total(x[S, L], L) ** 2, total(x[S, L] * x[S, J], L, J)),
        (KroneckerDelta(L, J) * b[L], KroneckerDelta(J, L) * b[J]),
        (sympy.sqrt(4), Integer(2)),
        (b[A] ** M, b[A] ** M),
    ],
)
def test_a_few_by_hand(e: Any, same: Any) -> None:
    assert normal(e) == normal(same)


def test_a_root_of_a_product_is_not_taken_apart() -> None:
    """√(ab) is not √a √b where both are negative; nor is a number anything that is near to it."""
    c = Symbol("c", real=True)
    d = Symbol("d", real=True)
    assert normal(sympy.sqrt(c * d)) != normal(sympy.sqrt(c) * sympy.sqrt(d))
    assert normal(sympy.Float("0.333333333333333333") * c) != normal(c / 3)


def test_a_derivative_beyond_sums() -> None:
    """That of log Σ exp is the softmax."""
    whole = total(exp(b[A]), A)
    found = differentiated(Derivative(log(whole), b[B]))
    assert normal(found - exp(b[B]) / whole) == 0


def test_an_equation_is_used_at_whatever_place_it_is() -> None:
    z = IndexedBase("z")
    affine = total(x[S, L] * w[L, A], L) + b[A]
    found = rewritten(total(z[T, B] ** 2, T), z[S, A], affine)
    assert normal(found) == normal(total((total(x[T, J] * w[J, B], J) + b[B]) ** 2, T))
    assert rewritten(z[L, A], z[S, A], affine) == z[L, A]  # another range
    f = sympy.Function("f")
    t = Symbol("t")
    assert rewritten(f(b[A]) + f(2), f(t), t**3) == b[A] ** 3 + 8
    assert rewritten(z[S, S], z[S, T], b[S] + b[T]) == 2 * b[S]
    assert rewritten(z[S, T], z[S, S], b[S]) == z[S, T]


def test_a_sum_runs_over_all_of_an_index() -> None:
    with pytest.raises(ValueError, match="whole range"):
        normal(Sum(b[A], (A, 2, K)))


def test_an_index_is_its_name_and_its_size() -> None:
    assert Index("i", M) == L != Index("i", N)
    assert pickle.loads(pickle.dumps(L)) == L  # noqa: S301 - our own


def test_written_out() -> None:
    e = total(x[S, L] * KroneckerDelta(L, J), L)
    assert written_out(e, {M: 3}, {S: 2, J: 3}) == Symbol("x[2, 3]", real=True)


def test_a_sum_within_a_function_keeps_its_index_apart_from_that_of_the_sum_around_it() -> None:
    """tanh Σₐ xᵢ xₐ depends on i."""
    outer, inner = (
        normal(total(sympy.tanh(total(b[L] * b[J], J)), L)),
        normal(total(sympy.tanh(total(b[J] * b[J], J)), L)),
    )
    assert outer != inner
    assert outer == normal(total(sympy.tanh(total(b[L] * b[J], L)), J))
    assert contradiction(outer, inner) is not None
    assert contradiction(outer, total(sympy.tanh(total(b[L] ** 2 * b[J] / b[L], J)), L)) is None
    deep = total(exp(total(sympy.tanh(total(b[L] * b[J] * b[Index("c", M)], L)), J)), Index("c", M))
    assert contradiction(normal(deep), deep) is None


def test_the_slope_of_a_function_at_a_point_is_rewritten() -> None:
    f, t = sympy.Function("f"), Symbol("t", real=True)
    slope = Derivative(f(t), t)
    assert rewritten(sympy.Subs(slope, t, b[L] + 1), slope, 2 * t) == 2 * b[L] + 2
    assert rewritten(sympy.Subs(slope, t, b[L]), f(t), t**3) != 0


def test_powers_of_one_letter_are_put_together() -> None:
    a, k = Symbol("a", real=True), Symbol("k", integer=True, positive=True)
    assert normal(a ** (k - 1) * a) == normal(a**k)
    assert normal(k * a**k / a) == normal(k * a ** (k - 1))
    assert normal(a * a**k) == normal(a ** (k + 1)) != normal(a**k)
    assert normal(total(L * x[S, L] * a**L / a, L)) == normal(total(L * x[S, L] * a ** (L - 1), L))
