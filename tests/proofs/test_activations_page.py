"""The page of activations: every one has its theorems, and the bounds in balls are as tight as they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import final

import numpy as np
import pytest
from sympy import Expr, Rational

from proofs.kernel import Definition, NotProvedError, Proved, Theorem, verify
from proofs.markdown import rendered
from proofs.page import Page, definitions, theorems
from proofs.topics import BOOK
from proofs.topics import activations as page
from refnn import activations
from refnn.arrays import A

THEOREMS = theorems(page.PAGE)
BY_ID = {theorem.id: theorem for theorem in THEOREMS}


def missing(kinds: Iterable[type[activations.Activation]], of: Page) -> Iterator[str]:
    """What the page does not say of an activation."""
    found = {theorem.id: theorem for theorem in theorems(of)}
    defined = {code for definition in definitions(of) for code in definition.code}
    for kind in kinds:
        name, home = kind.__name__, f"{kind.__module__}:{kind.__name__}"
        if f"{home}.forward" not in defined:
            yield f"{name} has no definition"
        derivative = found.get(f"activation-{name.lower()}")
        if derivative is None or derivative.code != (f"{home}.derivative",) or derivative.run is None:
            yield f"{name} has no derivative"
        yield from (
            f"{name} has no {what}" for what in ("range", "slope", "curvature") if f"{name.lower()}-{what}" not in found
        )
        if kind().kinks:
            yield from (
                f"{name} has a kink, and no theorem {name.lower()}-{what}"
                for what in ("kink-left", "kink-right", "subgradient", "subgradient-left")
                if f"{name.lower()}-{what}" not in found
            )
        if name not in {row.kind for row in page.ROWS}:
            yield f"{name} is not in the table"


def test_every_activation_has_its_theorems() -> None:
    assert list(missing(activations.ALL, page.PAGE)) == []
    assert [row.kind for row in page.ROWS] == [kind.__name__ for kind in activations.ALL]


def test_an_activation_without_its_theorems_is_seen() -> None:
    @final
    class Kinked(activations.Activation):
        @property
        def kinks(self) -> tuple[int, ...]:
            return (0,)

        def forward(self, parameters: tuple[A, ...], z: A) -> A:
            return z

        def derivative(self, z: A) -> A:
            return z

    assert [line.removeprefix("Kinked ") for line in missing([*activations.ALL, Kinked], page.PAGE)] == [
        "has no definition",
        "has no derivative",
        "has no range",
        "has no slope",
        "has no curvature",
        "has a kink, and no theorem kinked-kink-left",
        "has a kink, and no theorem kinked-kink-right",
        "has a kink, and no theorem kinked-subgradient",
        "has a kink, and no theorem kinked-subgradient-left",
        "is not in the table",
    ]


@pytest.mark.parametrize("id_", ["activation-tanh", "gelu-range", "silu-slope", "elu-curvature", "relu-kink-left"])
def test_a_theorem_that_is_taken_away_is_seen(id_: str) -> None:
    parts = tuple(part for part in page.PAGE.parts if getattr(part, "id", "") != id_)
    assert len(list(missing(activations.ALL, replace(page.PAGE, parts=parts)))) == 1


def bound(id_: str) -> tuple[Theorem, list[Proved]]:
    theorem = BY_ID[id_]
    assert isinstance(theorem, Theorem)
    return theorem, THEOREMS[: THEOREMS.index(theorem)]


@pytest.mark.parametrize(
    ("id_", "tighter"),
    [
        ("gelu-range", Rational(-1699, 10_000)),
        ("gelutanh-range", Rational(-1700, 10_000)),
        ("gelutanh-slope", Rational(11289, 10_000)),
        ("gelutanh-curvature-above", Rational(797, 1000)),
        ("silu-slope-number", Rational(2397, 100)),
        ("silu-range-number", Rational(2789, 10_000)),
        ("gelutanh-scale", Rational(798, 1000)),
        ("gelu-slope", Rational(1128, 1000)),
        ("gelu-slope-beyond", Rational(1128, 1000)),
        ("normal-tail", Rational(0)),
    ],
)
def test_a_bound_that_is_too_tight_is_not_proved(id_: str, tighter: Expr) -> None:
    theorem, known = bound(id_)
    verify(theorem, known)
    last = replace(theorem.steps[-1], expression=tighter)
    with pytest.raises(NotProvedError, match="is not proved"):
        verify(replace(theorem, steps=(*theorem.steps[:-1], last)), known)


def test_no_float_is_beyond_the_bounds() -> None:
    """Which would be a fault of the page, or of the floats: the bounds are not as tight as their rounding."""
    z = np.linspace(-30, 30, 60_001)
    for kind, least, slope in (
        ("SiLU", -0.279, 1.1),
        ("GELU", -0.17, 1.1290),
        ("GELUTanh", -0.171, 1.13),
        ("Sigmoid", 0, 0.25),
        ("Tanh", -1, 1),
    ):
        made: activations.Activation = getattr(activations, kind)()
        assert made.forward((), z).min() >= least
        assert np.abs(made.derivative(z)).max() <= slope


def test_the_convention_at_a_kink_is_no_derivative() -> None:
    at_kinks = [part for part in page.PAGE.parts if isinstance(part, Definition) and "by convention" in part.what]
    assert len(at_kinks) == sum(bool(kind().kinks) for kind in activations.ALL)
    used = [
        used for theorem in THEOREMS if isinstance(theorem, Theorem) for step in theorem.steps for used in step.using
    ]
    assert not any(kink is each for kink in at_kinks for each in used)


def test_the_table_says_what_is_proved() -> None:
    text = rendered(page.PAGE, BOOK)
    assert r"$`f' \le \frac{1}{4}`$ [(" in text
    assert r"$`\lvert f'' \rvert \le \frac{\sqrt{3}}{18}`$ [(" in text
