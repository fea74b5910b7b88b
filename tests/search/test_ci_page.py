"""The page on continuous integration: its files and commands do what it says, in a folder of their own."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from refnn.__main__ import main
from tests.project import PACKAGE

FOLDER = PACKAGE / "search" / "protocol"
PAGE = (FOLDER / "CI.md").read_text(encoding="utf-8")
WORKFLOW = ".github/workflows/gradients.yml"

MY_PACKAGE = """
import numpy as np
from refnn.search.written import network_from

def loss_and_gradient(network, w, x, y):
    return network.loss_and_gradient(w, x, y)

def gradient_of(vector):
    w, x = (np.array(vector[name]["decimal"]) for name in ("parameters", "x"))
    y = np.array(vector["y"].get("classes", vector["y"].get("decimal")))
    return network_from(vector).loss_and_gradient(w, x, y)[1].tolist()
"""
"""What the page calls the reader's own."""

WRONG = """
def loss_and_gradient(network, w, x, y):
    return 0.0, 1 + w

def gradient_of(vector):
    return [1 + number for number in vector["parameters"]["decimal"]]
"""


def marked(kind: str) -> dict[str, str]:
    """The fenced blocks of the page below the marks of a kind, by name."""
    found = re.findall(rf"^<!-- {kind}: (\S+) -->\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == PAGE.count(f"<!-- {kind}: ")
    return dict(found)


def steps() -> list[str]:
    return re.findall(r"^ +(?:- )?run: (.*)$", marked("file")[WORKFLOW], re.MULTILINE)


def junit(name: str) -> dict[str, list[str]]:
    """What stands in a file of results: the names of test cases, by what came of them."""
    kinds: dict[str, list[str]] = {}
    for case in ET.parse(name).iter("testcase"):  # noqa: S314 - it is our own
        kinds.setdefault("".join(part.tag for part in case), []).append(f"{case.get('name')}")
    return kinds


def refnn(command: str) -> int:
    """Run a command of the page that begins with refnn, in this process and with fewer questions: that is quicker."""
    program, *words = shlex.split(command.replace("--examples 100", "--examples 20"))
    assert program == "refnn"
    return main(words)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the page's commands for once were run."""
    folder = tmp_path_factory.mktemp("once")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write, note = marked("command")["once"].splitlines()
        assert refnn(write) == 0
        subprocess.run(["sh", "-c", note], check=True)  # noqa: S603, S607 - it is the page's
    return folder


@pytest.fixture
def home(vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, with the files of the page."""
    shutil.copytree(vectors, tmp_path, dirs_exist_ok=True)
    for name, text in marked("file").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "my_package.py").write_text(MY_PACKAGE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_workflow_has_forty_lines_at_most() -> None:
    assert len(marked("file")[WORKFLOW].splitlines()) <= 40
    assert [step.split()[0] for step in steps()] == ["pip", "gcc", "refnn", "refnn", "python"]


def build(text: str) -> None:
    """By the step of the workflow, from a program's text."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    Path("refnn_target.c").write_text(text, encoding="utf-8")
    subprocess.run(["sh", "-c", steps()[1]], check=True)  # noqa: S603, S607 - it is the page's


@pytest.mark.usefixtures("home")
def test_its_steps_agree_with_the_program_beside_the_protocol() -> None:
    build((FOLDER / "refnn_target.c").read_text(encoding="utf-8"))
    assert refnn(steps()[2]) == refnn(steps()[3]) == 0
    assert junit("vectors.xml").keys() <= {"", "skipped"}
    assert len(junit("vectors.xml")[""]) > 5
    assert junit("drawn.xml") == {"": ["./refnn_target"]}


@pytest.mark.usefixtures("home")
def test_its_steps_disagree_with_a_program_that_is_wrong_until_that_is_known() -> None:
    text = (FOLDER / "refnn_target.c").read_text(encoding="utf-8")
    assert text.count("log1p(sum)") == 1
    build(text.replace("log1p(sum)", "log(sum)"))
    assert refnn(steps()[2]) == 1
    failing = junit("vectors.xml")["failure"]
    with Path("known-failures.txt").open("a", encoding="utf-8") as known:
        known.writelines(f"{name}\n" for name in failing)
    assert refnn(steps()[2]) == 0
    build(text)
    assert refnn(steps()[2]) == 1
    assert junit("vectors.xml")["error"] == failing


def test_the_tests_in_python_pass_and_those_of_wrong_code_fail(home: Path) -> None:
    """Of the wrong ones, not the search, which takes seconds to name a fault."""
    (home / "my_wrong_package.py").write_text(WRONG, encoding="utf-8")
    for name in ("gradients", "vectors"):
        test = (home / "tests" / f"test_{name}.py").read_text(encoding="utf-8")
        wrong = test.replace("my_package", "my_wrong_package").replace("def test_the_gradient_is_right", "def search")
        (home / "tests" / f"test_wrong_{name}.py").write_text(wrong, encoding="utf-8")
        (home / "tests" / f"test_{name}.py").write_text(test.replace("examples=100", "examples=10"), encoding="utf-8")
    program, *words = shlex.split(steps()[4])
    assert program == "python"
    ran = subprocess.run([sys.executable, *words, "-q"], check=False, capture_output=True, text=True)  # noqa: S603 - the page's
    assert ran.returncode == 1
    passed, failed = (junit("pytest.xml")[kind] for kind in ("", "failure"))
    assert {*passed} - {*failed} == {"test_the_gradient_is_right"}
    assert {*failed} < {*passed}
    assert "times its bound" in ran.stdout  # the report
