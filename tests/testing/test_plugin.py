"""The plugin shows the whole report where a test fails, and nothing where there is nothing to say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

OFF = "0.bias[0] is 0.9, expected 0.3"
"""z = 0.1 + 2·0.2 + 0.3 = 0.8 is 0.3 more than the target, and that times (1, 2, 1) is the gradient."""

TESTS = """
import pytest
import refnn
from refnn.testing import inspect_test

network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
question = (network, [0.1, 0.2, 0.3], [[1.0, 2.0]], [[0.5]])
right, wrong = [0.3, 0.6, 0.3], [0.3, 0.6, 0.9]

def test_called():
    assert refnn.compare(*question, gradient=wrong, precision="float32").verdict == "agrees"

def test_named():
    report = refnn.compare(*question, gradient=wrong, precision="float32")
    again = report
    assert report.verdict == "agrees"

def test_required():
    report = refnn.compare(*question, gradient=wrong, precision="float32")
    report.require()

def test_inspected():
    inspection = inspect_test(*question, precision="float32")
    assert not inspection.findings

def test_fixture(refnn_compare):
    refnn_compare(*question, gradient=wrong, precision="float32")

def test_fixture_agrees(refnn_compare):
    report = refnn_compare(*question, gradient=right, precision="float32")
    assert report.worst_ratio < 1

def test_agrees():
    report = refnn.compare(*question, gradient=right, precision="float32")
    assert report.verdict == "disagrees"

@pytest.mark.xfail(strict=True)
def test_unexpected():
    report = refnn.compare(*question, gradient=wrong, precision="float32")
    assert report.verdict == "disagrees"

def test_passing():
    report = refnn.compare(*question, gradient=wrong, precision="float32")
    assert report.verdict == "disagrees"
"""


def run(folder: Path, *options: str) -> dict[str, str]:
    """What pytest prints about each test that fails, by its name, in a process of its own; and the last line."""
    (folder / "test_mine.py").write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", *options, "test_mine.py"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout  # noqa: S603 - ours
    failures, _, summary = said.partition("short test summary info")
    _, *parts = re.split(r"^_{3,} (?:ERROR at setup of )?(\w+) _{3,}$", failures, flags=re.MULTILINE)
    return {**dict(zip(parts[::2], parts[1::2], strict=True)), "": summary.splitlines()[-1]}


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return run(tmp_path_factory.mktemp("plugged"), "-p", "refnn.testing.plugin")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return run(tmp_path_factory.mktemp("bare"))


@pytest.mark.parametrize("test", ["test_called", "test_named"])
def test_a_failure_shows_the_report(test: str, plugged: dict[str, str], bare: dict[str, str]) -> None:
    assert plugged[test].count(OFF) == 1
    assert OFF not in bare[test]


def test_a_failure_shows_an_inspection_with_findings(plugged: dict[str, str]) -> None:
    assert "- refnn -" in plugged["test_inspected"]
    assert "one sample: a sum over the samples" in plugged["test_inspected"]


def test_what_is_already_said_is_not_repeated(plugged: dict[str, str], bare: dict[str, str]) -> None:
    assert plugged["test_required"].count(OFF) == bare["test_required"].count(OFF) == 1


def test_the_fixture_fails_with_the_report(plugged: dict[str, str], bare: dict[str, str]) -> None:
    assert plugged["test_fixture"].count(OFF) == 1
    assert "plugin.py" not in plugged["test_fixture"]
    assert "fixture 'refnn_compare' not found" in bare["test_fixture"]


def test_the_fixture_gives_the_report_of_what_agrees(plugged: dict[str, str]) -> None:
    assert "test_fixture_agrees" not in plugged


@pytest.mark.parametrize("test", ["test_agrees", "test_unexpected"])
def test_nothing_is_added_where_there_is_nothing_to_say(test: str, plugged: dict[str, str]) -> None:
    """The report agrees; or the failure is that of a test that should have failed."""
    assert "- refnn -" not in plugged[test]


def test_all_of_them_ran(plugged: dict[str, str], bare: dict[str, str]) -> None:
    assert "7 failed, 2 passed" in plugged[""]
    assert "6 failed, 1 passed, 2 errors" in bare[""]
