"""The report folder: complete or not at all, and never in the place of something that refnn did not write."""

from __future__ import annotations

import html
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from refnn import DataError
from refnn.report import folder as module
from refnn.report import plots
from refnn.report.folder import check_folder, write
from refnn.report.tables import ALLOWED, EXACT, allowed_title, exact_title
from refnn.report.verification import Moment
from tests.report.cases import ROW, allowed, descent, run, surface, verification

FILES = {
    "certificate.png",
    "certificate.svg",
    "index.html",
    "learning_rates.png",
    "learning_rates.svg",
    "loss.png",
    "loss.svg",
    "report.json",
    "report.md",
    "tolerance.png",
    "tolerance.svg",
}

PICTURES = {"loss.svg", "learning_rates.svg", "certificate.svg", "tolerance.svg", "surface.svg"}


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty files in place of pictures, which take half a second each."""

    def save(figure: object, folder: Path, name: str) -> tuple[str, str]:
        for suffix in ("svg", "png"):
            (folder / f"{name}.{suffix}").touch()
        return f"{name}.svg", f"{name}.png"

    monkeypatch.setattr(plots, "save", save)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on two-dimensional runs, with a surface."""
    runs = (run("full batch"), run("single sample"), run("mini-batch of 5", diverged_at=4))
    place = tmp_path_factory.mktemp("reports") / "report"
    assert write(verification(runs=runs, around=surface(), kind="numbers"), place) == place.resolve() / "index.html"
    return place


def test_the_folder_has_all_files_and_nothing_else(written: Path) -> None:
    assert names(written) == FILES | {"surface.png", "surface.svg"}
    assert names(written.parent) == {"report"}
    assert set(json.loads((written / "report.json").read_text(encoding="utf-8"))["files"]) == names(written)


def test_the_pages_show_the_verdict_the_tables_and_every_picture(written: Path) -> None:
    page = (written / "index.html").read_text(encoding="utf-8")
    text = (written / "report.md").read_text(encoding="utf-8")
    assert set(re.findall(r'src="([^"]+)"', page)) == PICTURES
    assert set(re.findall(r"!\[[a-z ]+\]\(([^)]+)\)", text)) == PICTURES
    for document in (page, text):
        assert "Training diverged with mini-batch of 5 (at step 4)." in document
        assert "Training, 100 epochs at learning rate 0.1, from a loss of 1" in document
        assert "slow witness" in document
        assert "made up" in document  # the provenance
        assert "Traceback" not in document
    assert "rounding; &lt;kinks&gt;" in page
    assert "| slow witness | 1.23e+03 | 0.25 |" in text
    assert "\n\n\n" not in text


@pytest.mark.usefixtures("blank")
def test_a_report_without_a_surface_has_one_picture_less(tmp_path: Path) -> None:
    write(verification(), tmp_path / "report")
    assert names(tmp_path / "report") == FILES


def test_the_pages_show_the_exact_gradient_and_the_certificate(written: Path) -> None:
    page = html.unescape((written / "index.html").read_text(encoding="utf-8"))
    text = (written / "report.md").read_text(encoding="utf-8")
    for document in (page, text):
        for part in (exact_title(verification()), "0.weight[1, 0]", "1.0000000000000001e-01", EXACT):
            assert part in document
        for part in (allowed_title(verification()), "0.weight[2, 1]", "6, 75 %", "3 of 8", ALLOWED, module.TOLERANCE):
            assert part in document
        assert "up to 1.96875 it falls. The proof has 3 tiles" in document
        assert "one step from the start lowers the loss of all 7 samples." in " ".join(document.split())


@pytest.mark.usefixtures("blank")
def test_without_proofs_the_pages_say_what_is_missing(tmp_path: Path) -> None:
    bare = (Moment("before training", (ROW,)),)
    found = replace(verification(moments=bare), descent=None, missing="flint is not there. Run: x")
    write(found, tmp_path / "report")
    assert names(tmp_path / "report") == {name for name in FILES if not name.startswith(("certificate", "tolerance"))}
    for page in ("index.html", "report.md"):
        document = (tmp_path / "report" / page).read_text(encoding="utf-8")
        assert "No exact values and no proofs: flint is not there. Run: x." in document
        assert EXACT[:30] not in document
        assert "shaded" not in document


@pytest.mark.usefixtures("blank")
def test_a_certificate_of_no_rate_has_a_picture_and_no_band(tmp_path: Path) -> None:
    found = replace(verification(), descent=descent(rate=0.0, boxes=()))
    write(found, tmp_path / "report")
    assert names(tmp_path / "report") == FILES
    assert "shaded" not in (tmp_path / "report" / "report.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("blank")
def test_the_picture_of_tolerances_is_of_the_first_and_the_last_moment_that_has_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[str]] = []
    monkeypatch.setattr(plots, "allowed", lambda moments: drawn.append([when for when, _ in moments]))
    bare = Moment("bare", (ROW,))
    moments = [Moment(when, (ROW,), None, allowed()) for when in ("a", "b", "c")]
    for several in ((bare, *moments, bare), moments[:2], moments[:1]):
        write(verification(moments=tuple(several)), tmp_path / "report")
    assert drawn == [["a", "c"], ["a", "b"], ["a"]]


@pytest.mark.usefixtures("blank")
def test_an_earlier_report_is_replaced_whole(tmp_path: Path) -> None:
    place = tmp_path / "report"
    write(verification(runs=(run(), run(), run()), around=surface(), kind="numbers"), place)
    write(verification(), place)
    assert names(place) == FILES
    assert names(tmp_path) == {"report"}


@pytest.mark.usefixtures("blank")
def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    write(verification(), tmp_path / "report")
    assert names(tmp_path / "report") == FILES


# ------------------------------------------------------------------------------------------------------ what is refused


def refusal(path: Path | str) -> str:
    with pytest.raises(DataError) as caught:
        check_folder(path)
    return str(caught.value)


def test_a_folder_that_refnn_did_not_write_is_refused_and_kept(tmp_path: Path) -> None:
    place = tmp_path / "thesis"
    place.mkdir()
    (place / "chapter.tex").write_text("ten years", encoding="utf-8")
    assert "holds chapter.tex" in refusal(place)
    with pytest.raises(DataError, match="refnn did not write that"):
        write(verification(), place)
    assert names(tmp_path) == {"thesis"}
    assert names(place) == {"chapter.tex"}
    for name in ("a", "b", "c"):
        (place / name).touch()
    assert "holds a, b, c …" in refusal(place)


@pytest.mark.usefixtures("blank")
def test_a_report_to_which_somebody_added_a_file_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "report"
    write(verification(), place)
    assert check_folder(place) == place.resolve()
    (place / "my notes.txt").touch()
    assert "holds my notes.txt" in refusal(place)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", '{"format": "refnn report"}', '{"format": "other", "files": ["report.json"]}', "[" * 10**5],
)
def test_a_file_that_is_only_called_like_a_report_protects_its_folder(tmp_path: Path, content: str) -> None:
    (tmp_path / "report.json").write_text(content, encoding="utf-8")
    assert "holds report.json" in refusal(tmp_path)


def test_impossible_places_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    assert "is a file" in refusal(tmp_path / "file")
    assert "does not exist" in refusal(tmp_path / "absent" / "report")
    assert "cannot be a folder" in refusal("a\0b")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "is not writable" in refusal(tmp_path / "report")


# ------------------------------------------------------------------------------------------------------- crashes midway


class PowerCutError(BaseException):
    """What no handler of exceptions expects."""


@pytest.mark.usefixtures("blank")
def test_a_crash_while_writing_leaves_the_earlier_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "report"
    write(verification(), place)
    before = {path.name: path.read_bytes() for path in place.iterdir()}

    def crash(folder: Path, _: object) -> None:
        (folder / "half").touch()
        raise PowerCutError

    monkeypatch.setattr(module, "_fill", crash)
    with pytest.raises(PowerCutError):
        write(verification(), place)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    assert names(tmp_path) == {"report"}


@pytest.mark.usefixtures("blank")
def test_a_crash_between_the_two_moves_puts_the_earlier_report_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "report"
    write(verification(), place)
    rename = Path.rename

    def crash(self: Path, target: Path) -> Path:
        if self.suffix == ".tmp":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", crash)
    with pytest.raises(DataError, match="Input/output error"):
        write(verification(), place)
    assert names(tmp_path) == {"report"}
    assert names(place) == FILES


def test_an_error_of_the_system_without_words_still_says_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path, _: object) -> None:
        raise OSError("strange")

    monkeypatch.setattr(module, "_fill", fail)
    with pytest.raises(DataError, match="strange"):
        write(verification(), tmp_path / "report")
    assert names(tmp_path) == set()
