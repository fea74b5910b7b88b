"""``refnn vectors``, and ``refnn check --vectors``, as a user sees them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from refnn.__main__ import main
from refnn.search.faults import FAULTS
from refnn.search.vectors import load
from tests.search.test_command_line import ECHO

FEW = ["--layers", "dense, relu", "--losses", "squared_error,inner_product", "--precisions", "float32,float64,float32"]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of vectors in several files, and what was said when they were written."""
    folder = tmp_path_factory.mktemp("home") / "vectors"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert main(["vectors", str(folder), *FEW, "--max-bytes", "60000", "--quiet"]) == 0
    return folder, said.getvalue()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ------------------------------------------------------------------------------------------------------------- writing


def test_it_says_what_was_written_and_what_that_is_worth(written: tuple[Path, str]) -> None:
    folder, said = written
    parts = [path for path in folder.iterdir() if path.name.startswith("vectors")]
    vectors = [vector for path in parts for vector in json.loads(path.read_text())["vectors"]]
    assert {path.name for path in folder.iterdir()} == {*(path.name for path in parts), "schema.json", "README.md"}
    first, *rest = said.splitlines()
    size = sum(path.stat().st_size for path in parts)
    assert first.startswith(f"{len(vectors)} vectors in {len(parts)} files of {size} bytes together, in {folder}: ")
    assert first.endswith("vectors.json, vectors-2.json, vectors-3.json")
    for precision, line in zip(("float32", "float64"), rest[:-1], strict=True):
        caught = {id_ for vector in vectors for id_ in vector["expected"][precision]["catches"]}
        assert line == f"{precision}: {len(caught)} of the {len(FAULTS)} faults with a name are caught"
    assert '"catches"' in rest[-1]


def test_vectors_are_replaced_by_vectors(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that begins with a dot is somebody else's, and stays."""
    folder = home / "new" / "vectors"
    for layer in ("sigmoid", "relu"):
        words = ["--layers", layer, "--losses", "inner_product", "--precisions", "float64"]
        assert main(["vectors", str(folder), *words]) == 0
        out, err = capsys.readouterr()
        vectors = json.loads((folder / "vectors.json").read_text())["vectors"]
        assert {part["kind"] for vector in vectors for part in vector["layers"]} == {layer}
        assert out.startswith(f"{len(vectors)} vectors in 1 file of ")
        assert err == ""
        folder.joinpath(".gitattributes").touch()
    assert files(folder).keys() == {"vectors.json", "schema.json", "README.md", ".gitattributes"}


def somebody_elses(folder: Path) -> None:
    for name in ("README.md", "schema.json", "vectors.json"):
        folder.joinpath(name).write_text('{"format": "their own"}')


def a_folder_inside(folder: Path) -> None:
    folder.joinpath("vectors.json").mkdir()


def many(folder: Path) -> None:
    for name in "dcba":
        folder.joinpath(name).touch()


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (somebody_elses, "README.md, schema.json, vectors.json: "),
        (a_folder_inside, "vectors.json: "),
        (many, "a, b, c …: "),
    ],
)
def test_what_is_not_of_vectors_is_never_replaced(
    home: Path, make: Any, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(home)
    before = files(home)
    assert main(["vectors", ".", *FEW]) == 2
    assert f"refnn: SettingError: . holds {named}vectors have a folder of their own" in capsys.readouterr().err
    assert files(home) == before


def test_where_nothing_can_be_written(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").touch()
    assert main(["vectors", "file/below", *FEW]) == 2
    assert "DataError: 'file/below' is no folder: " in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda place, _: place != home)
        assert main(["vectors", "a/b", *FEW]) == 2
    assert f"DataError: a/b cannot be written: {home} is not writable. " in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", lambda *_, **__: os.rmdir("file"))  # noqa: PTH106 - any error will do
        assert main(["vectors", "a/b", "--layers", "relu", "--losses", "inner_product"]) == 2
    assert "DataError: a/b cannot be made: " in capsys.readouterr().err
    assert files(home).keys() == {"file"}


def test_all_files_are_written_or_none(written: tuple[Path, str], home: Path) -> None:
    for name in ("vectors.json", "README.md"):
        (home / name).write_bytes((written[0] / name).read_bytes() + b"\n")
    (home / "schema.json").mkdir()  # in whose place no file can be put
    before = files(home)
    assert main(["vectors", ".", "--layers", "relu", "--losses", "inner_product"]) == 2
    assert files(home) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--layers", "dense,conv"], "layers are ['dense', 'conv']: there is no 'conv'. Choose some of dense, "),
        (["--losses", ""], "losses are ['']: there is no ''. Choose some of squared_error, "),
        (["--precisions", "tf32"], "precisions are ['tf32']"),
        (["--max-bytes", "0"], "max_bytes is 0"),
    ],
)
def test_settings_that_are_none_are_refused(
    words: list[str], said: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vectors", "vectors", *words]) == 2
    assert f"refnn: SettingError: {said}" in capsys.readouterr().err
    assert files(home) == {}


# -------------------------------------------------------------------------------------------------------------- asking


def check(folder: Path, name: str, *words: str) -> int:
    return main(["check", "--function", f"tests.search.implementations:{name}", "--vectors", str(folder), *words])


@pytest.mark.parametrize(
    ("name", "code", "first", "kinds"),
    [
        ("right", 0, "agrees: of {n} vectors for float32, {n} pass\n", {""}),
        ("summed", 1, "disagrees: of {n} vectors for float32, ", {"", "failure"}),
        ("crashes", 3, "broken: of {n} vectors for float32, {n} have no answer\n  ", {"error"}),
        ("knows_nothing", 4, "undecided: of {n} vectors for float32, {n} are skipped\n  ", {"skipped"}),
    ],
)
def test_the_exit_code_is_the_verdict(
    written: tuple[Path, str], name: str, code: int, first: str, kinds: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(written[0], name, "--precision", "float32", "--junit", "results.xml", "--quiet") == code
    out, err = capsys.readouterr()
    suite = ET.fromstring(Path("results.xml").read_text(encoding="utf-8"))  # noqa: S314 - it is our own
    assert out.startswith(first.format(n=len(suite)))
    assert suite.get("name") == "refnn vectors"
    assert {"".join(part.tag for part in case) for case in suite} == kinds
    assert ("  layer/dense: gradient[" in out) == (name == "summed")
    (vector,) = (vector for vector in load(written[0]) if vector.id == "layer/dense")
    five, more = "; ".join(vector.expected["float32"].catches[:5]), len(vector.expected["float32"].catches) - 5
    line = f"\n    faults that it catches (see refnn faults): {five}, and {more} others\n"
    assert (line in out) == (name == "summed")
    hint = f"unsupported: networks ({len(suite)}). Write vectors of what it knows: refnn vectors DIR --layers"
    assert (hint in err) == (name == "knows_nothing")
    assert bool(err) == (name == "knows_nothing")


def test_known_failures_are_strict(written: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert check(written[0], "summed", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["precision"]) == ("disagrees", "float64")
    failing = [result["id"] for result in told["results"] if result["kind"] == "failed"]
    assert 1 < len(failing) < len(told["results"])
    known = Path("known.txt")
    known.write_text("\ufeff# those that fail\n\n" + "".join(f"  {id_}  # why\n" for id_ in failing), encoding="utf-8")
    assert check(written[0], "summed", "--known-failures", "known.txt") == 0
    assert f"{len(failing)} fail as listed\n" in capsys.readouterr().out
    known.write_text("layer/relu\nlayer/of another time\n", encoding="utf-8")
    assert check(written[0], "right", "--known-failures", "known.txt") == 1
    out = capsys.readouterr().out
    assert "2 are listed wrongly\n" in out
    assert "  layer/relu: it is a known failure, and passes: take it off the list\n" in out
    assert "  layer/of another time: it is a known failure, and no vector has that id\n" in out


def test_a_known_failure_that_is_skipped_is_listed_wrongly(
    written: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("known.txt").write_text("layer/relu\n", encoding="utf-8")
    assert check(written[0], "knows_nothing", "--known-failures", "known.txt") == 1
    assert "  layer/relu: it is a known failure, and is skipped (unsupported: networks): " in capsys.readouterr().out


EACH = """
import refnn
asked = 0
def answer(network, w, x, y):
    global asked
    asked += 1
    raise refnn.Unsupported(f"number {min(asked, 7)}")
"""
"""It says seven things: one time each, but for the last, which it says of all others."""


def test_reasons_that_are_not_told_are_counted(
    written: tuple[Path, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "each", raising=False)
    Path("each.py").write_text(EACH, encoding="utf-8")
    assert main(["check", "--function", "each:answer", "--vectors", str(written[0])]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"  {len(load(written[0])) - 6} skipped: unsupported: number 7"
    assert lines[-1] == "  2 skipped for other reasons, which --json tells"
    assert sum(int(line.split()[0]) for line in lines[1:]) == len(load(written[0]))


def test_known_failures_alone_agree_with_nothing(written: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert check(written[0], "crashes", "--json") == 3
    ids = [result["id"] for result in json.loads(capsys.readouterr().out)["results"]]
    Path("known.txt").write_text("\n".join(ids), encoding="utf-8")
    assert check(written[0], "crashes", "--known-failures", "known.txt") == 4
    out, err = capsys.readouterr()
    assert out == f"undecided: of {len(ids)} vectors for float64, {len(ids)} fail as listed\n"
    assert f"too little could be judged: known failures ({len(ids)}). Write vectors of what it knows" in err


SOME = """
import refnn
calls = 0
def answer(network, w, x, y):
    global calls
    calls += 1
    if calls > %d:
        raise refnn.Unsupported("more")
    loss, gradient = network.loss_and_gradient(w, x, y)
    return loss + (calls <= %d), gradient
"""
"""It knows so many vectors, and gets so many of these wrong."""


@pytest.mark.parametrize(
    ("short", "wrong", "code"),
    [(0, 0, 0), (1, 0, 4), (0, 1, 0), (1, 1, 4)],
    ids=["half", "fewer", "half, one as listed", "fewer, one as listed"],
)
def test_half_of_the_vectors_are_judged(
    written: tuple[Path, str],
    short: int,
    wrong: int,
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that fail as listed are among them."""
    monkeypatch.delitem(sys.modules, "some", raising=False)
    vectors = load(written[0])
    Path("some.py").write_text(SOME % ((len(vectors) + 1) // 2 - short, wrong), encoding="utf-8")
    Path("known.txt").write_text(f"{vectors[0].id}\n" * wrong, encoding="utf-8")
    words = ["--function", "some:answer", "--vectors", str(written[0]), "--known-failures", "known.txt"]
    assert main(["check", *words]) == code
    out, err = capsys.readouterr()
    assert out.startswith(f"{'undecided' if code else 'agrees'}: of {len(vectors)} vectors for float64, ")
    assert ("Write vectors of what it knows: refnn vectors DIR --layers … --losses …." in err) == bool(code)


def program(precision: str, answer: str = "0.0") -> str:
    Path("program.py").write_text((ECHO % answer).replace('"float64"', f'"{precision}"'), encoding="utf-8")
    return f"{sys.executable} program.py"


def test_a_program_is_asked_what_it_knows(written: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["check", "--vectors", str(written[0]), "--command"]
    assert main([*words, program("float32")]) == 2
    assert "precision is 'float64': the program says that it knows float32. Choose " in capsys.readouterr().err
    text = Path("program.py").read_text(encoding="utf-8").replace("float32", "float64")
    Path("program.py").write_text(text.replace('reply["loss"]', 'reply["unsupported"]'), encoding="utf-8")
    assert main([*words, f"{sys.executable} program.py"]) == 4
    assert "knows: refnn vectors DIR --layers dense --losses squared_error." in capsys.readouterr().err
    assert main([*words, program("float64")]) == 1
    out = capsys.readouterr().out
    assert "loss is 0.0, expected" in out
    assert " skipped: unsupported: relu\n" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--vectors", "none"],
            "DataError: none cannot be read: there is no such folder, nor file. Write one: refnn vectors DIR.",
        ),
        (["--vectors", "."], "DataError: . cannot be read: it is a folder without vectors.json. "),
        (["--known-failures", "none.txt"], "DataError: none.txt cannot be read: "),
        (["--junit", "."], "DataError: --junit is '.': that is a folder. Pass a file: ./results.xml, say."),
        (["--junit", "no/results.xml"], "DataError: no/results.xml is in no folder: "),
        (["--precision", "float16"], "SettingError: precision is 'float16': no vector has that format. "),
        (["--time-limit", "0"], "SettingError: time_limit is 0"),
    ],
)
def test_what_cannot_be_read_or_written_is_refused(
    written: tuple[Path, str], words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(written[0], "right", *words) == 2
    assert f"refnn: {said}" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--seed", "1"], ["--network", "n.json"], ["--reveal", "fault"], ["--no-keep"]])
def test_options_of_questions_that_are_drawn_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        check(Path(), "right", *words)
    assert f"{words[0]} is about questions that are drawn: leave it out" in capsys.readouterr().err


def test_known_failures_are_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["check", "--function", "m:f", "--known-failures", "known.txt"])
    assert "--known-failures lists vectors: it goes with --vectors DIR only" in capsys.readouterr().err
