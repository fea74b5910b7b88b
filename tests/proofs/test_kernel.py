"""The kernel: what its tactics prove, and that each of them refuses what is false."""

from __future__ import annotations

import doctest
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import sympy
from sympy import Derivative, Function, IndexedBase, KroneckerDelta, Limit, Rational, Symbol, cosh, exp, tanh

from proofs import instances, kernel, sums
from proofs.kernel import TACTICS, Definition, NotProvedError, Step, Tactic, Theorem, verify
from proofs.sums import Index, size, total

N, M = size("N"), size("m")
S, L, K = Index("s", N), Index("i", M), Index("k", M)
x, w, p = IndexedBase("x"), IndexedBase("w"), IndexedBase("p")
t = Symbol("t", real=True)
h = Symbol("h", positive=True)
LINEAR = Definition(p[S], total(w[L] * x[S, L], L), "(N,)", "a weighted sum")

TRUE: dict[str, tuple[Any, Any, str, tuple[Definition, ...]]] = {
    "definition": (total(p[S] ** 2, S), total(total(w[L] * x[S, L], L) ** 2, S), "=", (LINEAR,)),
    "theorem": (p[S], total(w[K] * x[S, K], K), "=", (LINEAR,)),
    "sums": (total(KroneckerDelta(L, K) * w[L], L), w[K], "=", ()),
    "derivative": (Derivative(total(w[L] * x[S, L], L), w[K]), x[S, K], "=", ()),
    "fractions": (1 / (1 + t) + 1 / (1 - t), 2 / (1 - t**2), "=", ()),
    "exponentials": (1 - tanh(t) ** 2, 1 / cosh(t) ** 2, "=", ()),
    "limit": (Limit(((t + h) ** 2 - t**2) / h, h, 0), 2 * t, "=", ()),
    "squares": (total(w[L] ** 2, L) + h, total(w[L] ** 2, L), "≥", ()),
}
FALSE: dict[str, tuple[Any, Any, str, tuple[Definition, ...]]] = {
    "definition": (p[S], total(w[L] * x[S, L], S), "=", (LINEAR,)),
    "theorem": (p[S], -total(w[K] * x[S, K], K), "=", (LINEAR,)),
    "sums": (total(KroneckerDelta(L, K) * w[L], L), w[L], "=", ()),
    "derivative": (Derivative(total(w[L] * x[S, L], L), w[K]), -x[S, K], "=", ()),
    "fractions": (1 / (1 + t) + 1 / (1 - t), 2 / (1 + t**2), "=", ()),
    "exponentials": (1 - tanh(t), 1 / cosh(t) ** 2, "=", ()),
    "limit": (Limit(((t + h) ** 2 - t**2) / h, h, 0), t, "=", ()),
    "squares": (total(w[L] ** 2, L), total(w[L] ** 2, L) + h, "≥", ()),
}


def theorem(tactic: str, sides: tuple[Any, Any, Any, tuple[Definition, ...]]) -> Theorem:
    left, right, relation, using = sides
    return Theorem("one", "One", left, (Step(relation, right, "because", tactic, using),))


def test_every_tactic_is_tried() -> None:
    assert TRUE.keys() == FALSE.keys() == TACTICS.keys()


@pytest.mark.parametrize("tactic", TRUE)
def test_what_is_true_is_proved(tactic: str) -> None:
    verify(theorem(tactic, TRUE[tactic]))


@pytest.mark.parametrize("tactic", FALSE)
def test_what_is_false_is_not_proved(tactic: str) -> None:
    with pytest.raises(NotProvedError, match=rf"one, step 1 \({tactic}\): .* is not proved"):
        verify(theorem(tactic, FALSE[tactic]))


@pytest.mark.parametrize("tactic", FALSE)
def test_what_a_tactic_takes_for_true_by_mistake_is_contradicted(tactic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As SymPy's `simplify` is wrong now and then: the second look does not rely on it."""
    credulous = Tactic("Anything.", lambda left, right: True, TACTICS[tactic].of_inequalities)
    monkeypatch.setattr(kernel, "TACTICS", {tactic: credulous})
    with pytest.raises(NotProvedError, match=r"is proved, but not for .* [=≥] "):
        verify(theorem(tactic, FALSE[tactic]))
    verify(theorem(tactic, TRUE[tactic]))


def test_an_inequality_is_none_the_other_way() -> None:
    left, right, _, using = TRUE["squares"]
    verify(theorem("squares", (right, left, "≤", using)))
    for wrong in ((right, left, "≥", using), (left, right, "≤", using), (left, left, "=", using)):
        with pytest.raises(NotProvedError, match="not proved"):
            verify(theorem("squares", wrong))
    with pytest.raises(NotProvedError, match="not proved"):
        verify(theorem("sums", (left, right, "≥", using)))


def test_a_theorem_is_as_strong_as_its_weakest_step() -> None:
    equal, larger = theorem("sums", TRUE["sums"]), theorem("squares", TRUE["squares"])
    assert (equal.relation, larger.relation) == ("=", "≥")
    assert replace(larger, steps=(*equal.steps, *larger.steps)).relation == "≥"
    with pytest.raises(NotProvedError, match="both up and down"):
        _ = replace(larger, steps=(*larger.steps, replace(larger.steps[0], relation="≤"))).relation


def test_an_inequality_is_used_as_no_equation() -> None:
    larger = theorem("squares", TRUE["squares"])
    left, right, _, _ = TRUE["squares"]
    with pytest.raises(NotProvedError, match="one is no equation: it says ≥"):
        verify(Theorem("two", "Two", left, (Step("=", right, "by the first", "theorem", (larger,)),)))


def test_steps_that_go_both_up_and_down_prove_nothing() -> None:
    left, right, _, _ = TRUE["squares"]
    up, down = Step("≥", right, "less", "squares"), Step("≤", left, "more", "squares")
    with pytest.raises(NotProvedError, match="both up and down"):
        verify(Theorem("three", "Three", left, (up, down)))


@pytest.mark.parametrize("module", [instances, kernel, sums])
def test_the_examples_give_what_they_say(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_a_theorem_may_be_used_in_another() -> None:
    first = theorem("derivative", TRUE["derivative"])
    rate = Rational(1, 2)
    step = Step("=", w[K] - rate * x[S, K], "by the first", "theorem", (first,))
    verify(Theorem("two", "Two", w[K] - rate * Derivative(total(w[L] * x[S, L], L), w[K]), (step,)))


def test_an_activation_may_be_any() -> None:
    """The chain rule through one that has a derivative, whatever it is."""
    f = Function("f")
    inner = total(w[L] * x[S, L], L)
    slope = Derivative(f(t), t)
    left = Derivative(f(inner), w[K])
    right = sympy.Subs(slope, t, inner) * x[S, K]
    verify(Theorem("chain", "Chain", left, (Step("=", right, "chain rule", "derivative"),)))
    with pytest.raises(NotProvedError):
        verify(Theorem("chain", "Chain", left, (Step("=", right * 2, "chain rule", "derivative"),)))


def test_exponentials_of_sums() -> None:
    a = total(exp(p[S]), S)
    verify(theorem("fractions", (exp(p[S]) / a * a, exp(p[S]), "=", ())))
