"""Questions that failed are kept, asked again and forgotten; damaged files and folders are nobody's matter."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn.arithmetic.precision import precision_named
from refnn.errors import DataError, SettingError
from refnn.network import Network
from refnn.search.drawing import Drawn, posed
from refnn.search.examining import Terms
from refnn.search.kept import case_from, forget, place_of, recall, retain
from refnn.search.report import case_in_json
from refnn.search.target import Layout
from refnn.strategies import Case, cases, networks
from tests.search.test_written import WEIGHTED, Doubled

TERMS = Terms(
    precision=precision_named("float64"),
    layout=Layout(),
    failure_probability=1e-9,
    time_limit=None,
    deterministic=False,
)
NETWORK = Network(refnn.Dense(2, 3), refnn.ELU(0.3), loss=WEIGHTED)
OTHER = Network(refnn.Dense(2, 3), refnn.ELU(0.5), loss=WEIGHTED)
CASE = Case(NETWORK, np.arange(9) / 7, np.array([[0.1, 1e-300], [-0.0, 5.0]]), np.array([2, 0]))
DRAWN = Drawn(CASE, "seeded")
ANY = st.just(OTHER)


def mine(network: Network, w: Any, x: Any, y: Any) -> None:
    pass


def theirs(network: Network, w: Any, x: Any, y: Any) -> None:
    pass


class Program:
    """Targets of one class, which differ by what they are written as."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Program({self.name!r})"


def same(drawn: Drawn | None, case: Case) -> bool:
    if drawn is None or drawn.stream != "kept":
        return False
    arrays = zip(drawn.case[1:], case[1:], strict=True)
    return repr(drawn.case.network) == repr(case.network) and all(
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
        for one, other in arrays
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where nothing is yet."""
    return tmp_path / "kept"


def at(folder: str | Path | None, target: Any, terms: Terms) -> Path | None:
    """Where a question of a target is kept that is asked about any network."""
    return place_of(folder, target, ANY, terms)


def file_in(folder: Path) -> Path:
    (file,) = folder.glob("*.json")
    return file


# --------------------------------------------------------------------------------------------------- kept and forgotten


def test_a_question_is_kept_and_recalled_to_the_last_bit(folder: Path) -> None:
    assert recall(at(folder, mine, TERMS), TERMS) is None
    retain(at(folder, mine, TERMS), DRAWN)
    assert same(recall(at(folder, mine, TERMS), TERMS), CASE)
    assert same(recall(at(str(folder), mine, TERMS), TERMS), CASE)


@given(case=cases())
def test_whatever_question_is_kept_is_recalled(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    folder = tmp_path_factory.mktemp("kept")
    retain(at(folder, mine, TERMS), Drawn(case, "ordinary"))
    found = recall(at(folder, mine, TERMS), TERMS)
    assert same(found, case)
    assert found is not None
    assert posed(found.case, TERMS.precision)[1].labels.tolist() == posed(case, TERMS.precision)[1].labels.tolist()


def test_the_last_question_is_kept(folder: Path) -> None:
    retain(at(folder, mine, TERMS), DRAWN)
    later = CASE._replace(w=np.zeros(9))
    retain(at(folder, mine, TERMS), Drawn(later, "ordinary"))
    assert same(recall(at(folder, mine, TERMS), TERMS), later)


def test_each_network_that_is_asked_about_has_its_own(folder: Path) -> None:
    place, other, any_ = (place_of(folder, mine, of, TERMS) for of in (NETWORK, OTHER, ANY))
    retain(place, DRAWN)
    assert recall(other, TERMS) is None
    assert recall(any_, TERMS) is None
    equal = Network(*NETWORK.layers, loss=NETWORK.loss_function)
    assert same(recall(place_of(folder, mine, equal, TERMS), TERMS), CASE)


def test_what_is_drawn_from_other_strategies_is_another_matter(folder: Path) -> None:
    few, other = (networks(activations=[unit]) for unit in (refnn.ReLU(), refnn.GELU()))
    retain(place_of(folder, mine, few, TERMS), DRAWN)
    assert recall(place_of(folder, mine, other, TERMS), TERMS) is None
    again = networks(activations=[refnn.ReLU()])
    assert same(recall(place_of(folder, mine, again, TERMS), TERMS), CASE)


def test_where_something_lies_in_memory_does_not_matter(folder: Path) -> None:
    def parts(network: Network) -> None:
        """Written with its place."""

    def written() -> tuple[object, Callable[..., Any]]:
        return object(), parts

    assert "0x" in repr(written())
    assert place_of(folder, mine, written(), TERMS) == place_of(folder, mine, written(), TERMS)


def test_functions_without_a_name_are_told_apart_by_their_lines(folder: Path) -> None:
    targets: list[Callable[..., Any]] = [
        lambda network, w, x, y: {},
        lambda network, w, x, y: {"loss": 0.0},
    ]
    one, other = targets
    retain(at(folder, one, TERMS), DRAWN)
    assert recall(at(folder, other, TERMS), TERMS) is None
    assert same(recall(at(folder, one, TERMS), TERMS), CASE)


def test_a_folder_is_a_path() -> None:
    with pytest.raises(SettingError, match=r"^keep is 3: it is a folder"):
        place_of(3, mine, ANY, TERMS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "terms"),
    [
        (theirs, TERMS),
        (mine, replace(TERMS, precision=precision_named("float32"))),
        (mine, replace(TERMS, precision=replace(precision_named("float64"), function_ulps=3))),
        (mine, replace(TERMS, layout=Layout(samples="columns"))),
        (Program("mine"), TERMS),
        (partial(mine), TERMS),
    ],
)
def test_another_target_format_or_layout_has_its_own(folder: Path, target: Any, terms: Terms) -> None:
    retain(at(folder, mine, TERMS), DRAWN)
    assert recall(at(folder, target, terms), terms) is None
    retain(at(folder, target, terms), DRAWN._replace(case=CASE._replace(w=np.zeros(9))))
    assert len(list(folder.glob("*.json"))) == 2
    assert same(recall(at(folder, mine, TERMS), TERMS), CASE)
    forget(at(folder, target, terms))
    assert same(recall(at(folder, mine, TERMS), TERMS), CASE)


def test_targets_of_one_class_are_told_apart_by_what_they_are_written_as(folder: Path) -> None:
    retain(at(folder, Program("one"), TERMS), DRAWN)
    assert recall(at(folder, Program("other"), TERMS), TERMS) is None
    assert same(recall(at(folder, Program("one"), TERMS), TERMS), CASE)


def test_other_terms_change_nothing(folder: Path) -> None:
    retain(at(folder, mine, TERMS), DRAWN)
    other = replace(TERMS, failure_probability=1e-3, time_limit=5.0, deterministic=True)
    assert same(recall(at(folder, mine, other), other), CASE)


def test_a_target_whose_text_has_changed_finds_its_own(folder: Path) -> None:
    def version(number: int) -> Callable[[], int]:
        def changed() -> int:
            return number

        return changed

    retain(at(folder, version(1), TERMS), DRAWN)
    assert same(recall(at(folder, version(2), TERMS), TERMS), CASE)


def test_a_question_is_forgotten(folder: Path) -> None:
    forget(at(folder, mine, TERMS))
    retain(at(folder, mine, TERMS), DRAWN)
    forget(at(folder, mine, TERMS))
    assert not list(folder.glob("*.json"))
    assert recall(at(folder, mine, TERMS), TERMS) is None
    forget(at(folder, mine, TERMS))


def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    retain(at(None, mine, TERMS), DRAWN)
    assert recall(at(None, mine, TERMS), TERMS) is None
    forget(at(None, mine, TERMS))
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------------------- the file


def test_the_folder_is_kept_out_of_git(folder: Path) -> None:
    retain(at(folder, mine, TERMS), DRAWN)
    assert (folder / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert {file.name for file in folder.iterdir()} == {".gitignore", file_in(folder).name}
    assert file_in(folder).name.startswith("mine-float64-")


@pytest.mark.parametrize("own", ["build/\n", None])
def test_what_was_in_a_folder_before_stays_as_it_is(tmp_path: Path, own: str | None) -> None:
    if own is not None:
        (tmp_path / ".gitignore").write_text(own, encoding="utf-8")
    retain(at(tmp_path, mine, TERMS), DRAWN)
    assert same(recall(at(tmp_path, mine, TERMS), TERMS), CASE)
    assert [file.read_text(encoding="utf-8") for file in tmp_path.glob(".gitignore")] == ([own] if own else [])


def test_the_file_is_json_that_every_language_reads(folder: Path) -> None:
    def refused(text: str) -> None:
        raise AssertionError(text)

    retain(at(folder, mine, TERMS), Drawn(CASE, "given"))
    text = file_in(folder).read_text(encoding="utf-8")
    described = json.loads(text, parse_constant=refused)
    assert described == case_in_json(CASE)
    assert described["y"] == [2, 0]


DENSE = {"layers": [{"kind": "dense", "inputs": 1, "outputs": 1}], "loss": {"kind": "squared_error"}}
WRITTEN = case_in_json(CASE)
DAMAGED: dict[str, str | bytes] = {
    "nothing": "",
    "words": "no JSON",
    "half of it": json.dumps(WRITTEN)[:60],
    "a list": "[]",
    "a number": "3",
    "deep": "[" * 100_000,
    "deep numbers": json.dumps({**WRITTEN, "x": "?"}).replace('"?"', "[" * 500 + "]" * 500),
    "no text": b"\xff\xfe\x00",
    "no network": json.dumps({name: WRITTEN[name] for name in ("parameters", "x", "y")}),
    "another layer": json.dumps({**WRITTEN, "layers": [{"kind": "conv2d"}]}),
    "no kind": json.dumps({**WRITTEN, "layers": [{"kind": []}]}),
    "no x": json.dumps({name: value for name, value in WRITTEN.items() if name != "x"}),
    "too few parameters": json.dumps({**WRITTEN, "parameters": [1.0]}),
    "no number": json.dumps({**WRITTEN, "x": [[1, None], [2, 3]]}),
    "a number alone": json.dumps({**WRITTEN, "x": 3}),
    "ragged": json.dumps({**WRITTEN, "x": [[1], [2, 3]]}),
    "not finite": json.dumps({**WRITTEN, "x": [["nan", 1], [2, 3]]}),
    "a bare NaN": json.dumps({**WRITTEN, "x": [[float("nan"), 1], [2, 3]]}),
    "classes that are none": json.dumps({**WRITTEN, "y": [0.5, 1]}),
    "classes that are not finite": json.dumps({**WRITTEN, "y": ["inf", "nan"]}),
    "huge classes": json.dumps({**WRITTEN, "y": [1e300, 10**300]}),
    "classes out of range": json.dumps({**WRITTEN, "y": [3, 0]}),
    "a huge layer": json.dumps(
        {**WRITTEN, "layers": [{"kind": "dense", "inputs": 2, "outputs": 10**30}], "parameters": [0]}
    ),
    "out of the format": json.dumps({**DENSE, "parameters": [1e5, 0], "x": [[1]], "y": [[1]]}),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_cannot_be_read_is_as_good_as_none(folder: Path, damage: str) -> None:
    terms = replace(TERMS, precision=precision_named("float16"))
    retain(at(folder, mine, terms), DRAWN._replace(case=CASE._replace(x=np.ones((2, 2)))))
    assert recall(at(folder, mine, terms), terms) is not None
    text = DAMAGED[damage]
    file_in(folder).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert recall(at(folder, mine, terms), terms) is None
    retain(at(folder, mine, terms), DRAWN._replace(case=CASE._replace(x=np.ones((2, 2)))))
    assert recall(at(folder, mine, terms), terms) is not None


def test_a_folder_in_place_of_the_file_is_as_good_as_none(folder: Path) -> None:
    retain(at(folder, mine, TERMS), DRAWN)
    place = file_in(folder)
    place.unlink()
    place.mkdir()
    assert recall(at(folder, mine, TERMS), TERMS) is None
    retain(at(folder, mine, TERMS), DRAWN)
    forget(at(folder, mine, TERMS))
    assert place.is_dir()


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    """Of which only the one where questions are kept is kept out of git."""
    folder = tmp_path / "a" / "b"
    retain(at(folder, mine, TERMS), DRAWN)
    assert same(recall(at(folder, mine, TERMS), TERMS), CASE)
    assert [path.parent for path in tmp_path.rglob(".gitignore")] == [folder]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A file stands in its place, or above it: that is said before anything is asked."""
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    for folder in (file, file / "kept", file / "above" / "kept"):
        with pytest.raises(SettingError, match=r"it cannot be made or written \(Not a directory\)"):
            at(folder, mine, TERMS)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_folder_that_cannot_be_looked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"it cannot be made or written \(File name too long\)"):
        at(tmp_path / (300 * "a"), mine, TERMS)


@pytest.mark.parametrize("below", ["", "kept", "a/b"])
def test_nothing_is_left_where_nothing_failed(tmp_path: Path, below: str) -> None:
    """Whether a folder can be written is tried, and not to be seen."""
    assert at(tmp_path / below, mine, TERMS) is not None
    assert not list(tmp_path.iterdir())


def test_too_long_a_name_is_not_kept(folder: Path) -> None:
    def target() -> None:
        pass

    target.__qualname__ = 300 * "a"
    retain(at(folder, target, TERMS), DRAWN)
    assert recall(at(folder, target, TERMS), TERMS) is None
    forget(at(folder, target, TERMS))


def test_layers_of_ones_own_are_not_kept(folder: Path) -> None:
    network = Network(refnn.Dense(2, 3), Doubled(), loss=refnn.SquaredError())
    retain(at(folder, mine, TERMS), Drawn(Case(network, np.zeros(9), np.ones((1, 2)), np.ones((1, 3))), "ordinary"))
    assert not folder.exists()
    assert recall(at(folder, mine, TERMS), TERMS) is None


# ---------------------------------------------------------------------------------------------------------------- cases


def test_a_case_is_what_a_report_describes() -> None:
    described = json.loads(json.dumps(case_in_json(CASE)))
    assert same(Drawn(case_from(described), "kept"), CASE)
    rows = CASE._replace(y=np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]))
    assert same(Drawn(case_from(json.loads(json.dumps(case_in_json(rows)))), "kept"), rows)
    real = Case(
        Network(refnn.Dense(2, 1), loss=refnn.SquaredError()), np.ones(3), np.ones((2, 2)), np.array([1.0, 2.0])
    )
    assert same(Drawn(case_from(json.loads(json.dumps(case_in_json(real)))), "kept"), real)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layers": None}, "is no network: it has no list of layers"),
        ({"loss": None}, "loss is None"),
        ({"parameters": None}, "parameters hold None"),
        ({"x": "one"}, "x hold 'one'"),
        ({"y": [True]}, "y hold True"),
        ({"y": [0.5, 1]}, r"y are array\(\[0.5, 1. \]\): classes are whole numbers"),
    ],
)
def test_what_is_no_case_is_refused_by_its_place(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        case_from({**WRITTEN, **changes})
