"""All theorems hold, the code does what they say, and the committed pages say what was checked."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.__main__ import HERE, main, stale
from proofs.execution import Execution, disagreements, sizes_to_try
from proofs.kernel import Definition, Induction, NotProvedError, Theorem, verify, verify_all
from proofs.page import Fails, Page, Picture, Worked, source
from proofs.topics import BOOK
from proofs.topics import dense as affine
from tests.project import ROOT

THEOREMS = BOOK.theorems()
PARTS: list[tuple[Page, Any]] = [(page, part) for page in BOOK.pages for part in page.parts]
SAID = [part for _, part in PARTS if isinstance(part, Definition | Theorem | Induction)]
TRIED = [part for part in SAID if part.run is not None]


def named(part: Any) -> str:
    return getattr(part, "id", "") or str(part.symbol)


# ---------------------------------------------------------------------------------- every step holds, and is no slip


@pytest.mark.parametrize("number", range(len(THEOREMS)), ids=[theorem.id for theorem in THEOREMS])
def test_every_step_holds(number: int) -> None:
    verify(THEOREMS[number], THEOREMS[:number])


def test_a_theorem_that_is_used_before_it_is_proved_is_refused() -> None:
    weight = next(theorem for theorem in THEOREMS if theorem.id == "dense-weight")
    assert isinstance(weight, Theorem)
    early = Theorem("early", "Early", weight.start, (replace(weight.steps[-1], tactic="theorem", using=(weight,)),))
    verify(early, [weight])
    with pytest.raises(NotProvedError, match="dense-weight is not proved before"):
        verify(early, [])
    with pytest.raises(NotProvedError, match="the name of two theorems"):
        verify_all([weight, weight])


# ------------------------------------------------------------------------------------ the code does what is proved


@pytest.mark.parametrize("part", TRIED, ids=named)
@given(data=st.data())
def test_the_code_does_what_is_proved(part: Any, data: st.DataObject) -> None:
    """Sizes are drawn each for itself, so that no two need be equal."""
    sizes = {size: data.draw(st.integers(1, 4), str(size)) for size in sizes_to_try(part.run)}
    rng = np.random.default_rng(data.draw(st.integers(0, 1000), "seed"))
    assert list(disagreements(part.expression, part.run, sizes, rng)) == []


@pytest.mark.parametrize("part", TRIED, ids=named)
def test_the_code_does_what_is_proved_for_sizes_that_are_all_different(part: Any) -> None:
    sizes = dict(zip(sizes_to_try(part.run), (3, 2, 5, 4, 1), strict=False))
    assert list(disagreements(part.expression, part.run, sizes, np.random.default_rng(1))) == []


def wrong(part: Any, run: Any) -> list[str]:
    sizes = dict(zip(sizes_to_try(part.run), (3, 2, 2, 3), strict=False))
    return list(disagreements(part.expression, replace(part.run, run=run), sizes, np.random.default_rng(1)))


def test_swapped_dimensions_are_seen() -> None:
    """Where the sizes agree, so that the shapes do."""
    assert wrong(affine.WEIGHT, lambda given: given["x"].T @ given["delta"]) == []
    found = wrong(affine.WEIGHT, lambda given: (given["x"].T @ given["delta"]).T)
    assert found[0].startswith("at (0, 1) the theorem says")
    assert wrong(affine.INPUT, lambda given: given["delta"] @ given["w"])
    assert "shape (3, 2)" in wrong(affine.INPUT, lambda given: (given["delta"] @ given["w"]).T)[0]


def test_a_ball_that_could_be_anything_is_no_agreement() -> None:
    def wide(given: Any) -> Any:
        found = given["x"].T @ given["delta"]
        return type(found)(np.frompyfunc(lambda ball: ball.union(1000).union(-1000), 1, 1)(found.elements))

    assert "could be anything" in wrong(affine.WEIGHT, wide)[0]


def test_axes_that_are_not_those_of_the_theorem_are_refused() -> None:
    run = Execution(affine.ARRAYS, lambda given: given["x"], axes=(affine.k,))
    sizes = dict.fromkeys(sizes_to_try(run), 2)
    found = list(disagreements(affine.WEIGHT.expression, run, sizes, np.random.default_rng(1)))
    assert found[0].startswith("the theorem has the indices")


@pytest.mark.parametrize("part", [part for part in SAID if part.code], ids=named)
def test_what_is_said_of_code_is_tried_on_it(part: Any) -> None:
    assert part.run is not None
    for of in part.code:
        assert source(of)[2]


# ------------------------------------------------------------------------------------------------------------- pages


def test_the_committed_pages_are_what_was_checked() -> None:
    assert list(stale(BOOK, HERE)) == []


def test_a_stale_page_is_seen(tmp_path: Path) -> None:
    for path in HERE.glob("*.md"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "figures").symlink_to(HERE / "figures")
    page = BOOK.pages[0].file
    (tmp_path / page).write_text((tmp_path / page).read_text(encoding="utf-8").replace("1", "2", 1), encoding="utf-8")
    (tmp_path / "README.md").unlink()
    (tmp_path / "99-other.md").write_text("", encoding="utf-8")
    assert list(stale(BOOK, tmp_path)) == ["README.md is missing", f"{page} is stale", "99-other.md is of no page"]


def test_the_command_checks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proofs.__main__.verify_all", lambda theorems: None)  # which the tests above do
    assert main(["--check"]) == 0
    assert f"{len(THEOREMS)} theorems are proved" in capsys.readouterr().out


EXAMPLES = [(page.slug, part) for page, part in PARTS if isinstance(part, Worked)]


@pytest.mark.parametrize("example", [part for _, part in EXAMPLES], ids=[slug for slug, _ in EXAMPLES])
def test_an_example_is_what_refnn_computes(example: Worked) -> None:
    assert example.contradictions() == []
    for quantity in example.quantities:
        example.fractions(quantity)


def test_a_wrong_example_is_seen() -> None:
    ((_, example),) = [one for one in EXAMPLES if one[0] == "dense"]
    first = example.quantities[0]
    other = replace(example, quantities=(replace(first, value=2 * first.value),))
    assert len(other.contradictions()) == 1


@pytest.mark.parametrize("page", [page for page in BOOK.pages if page.number > 0], ids=lambda page: str(page.slug))
def test_a_page_has_all_that_a_reader_expects(page: Page) -> None:
    kinds = {type(part) for part in page.parts}
    assert {Fails, Worked} <= kinds, "each page says where it fails, and has an example for pencil and paper"
    assert page.symbols
    assert page.needs or page.number == 1
    assert page.leads or page is BOOK.pages[-1]
    assert "…" not in page.abstract
    assert [slug for slug in (*page.needs, *page.leads) if slug not in BOOK.places] == []


def test_pages_come_in_order() -> None:
    assert [page.number for page in BOOK.pages] == list(range(len(BOOK.pages)))
    for page in BOOK.pages:
        for slug in page.needs:
            assert BOOK.places[slug].number < page.number


def test_pictures_are_there() -> None:
    for _, part in PARTS:
        if isinstance(part, Picture):
            assert (HERE / "figures" / f"{part.name}.svg").is_file()


# -------------------------------------------------------------------------------------------------------------- laws


LAWS = [(theorem, law) for theorem in THEOREMS for law in theorem.law]


@pytest.mark.parametrize(("theorem", "law"), LAWS, ids=[f"{theorem.id}-{law}" for theorem, law in LAWS])
def test_a_law_and_its_theorem_name_each_other(theorem: Any, law: str) -> None:
    path, _, name = law.partition("::")
    text = (ROOT / "tests" / path).read_text(encoding="utf-8")
    assert f"def {name}(" in text
    assert re.search(rf"\bproofs: .*\b{theorem.id}\b", text), f"tests/{path} does not say «proofs: {theorem.id}»"
