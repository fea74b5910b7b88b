"""The tree: what stands at its top, and that nothing in it speaks of the machine that it was written on."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import ROOT

TOP = {"pyproject.toml", "refnn", "proofs", "tests", "README.md", "LICENSE"}
"""Besides files and folders whose names begin with a dot."""

MACHINE = re.compile(r"(?<![\w.~/-])/(home|root|Users|work|tmp|opt|mnt|private|workspace)/[\w.+-]", re.ASCII)
"""A path that exists on somebody's machine only."""


def ignored(name: str) -> bool:
    """Whether .gitignore leaves a name at the top out of the tree."""
    patterns = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    return any(fnmatch.fnmatch(name, pattern.rstrip("/")) for pattern in patterns)


def files(folder: Path) -> Iterator[Path]:
    """The files of the tree, built and ignored ones apart."""
    for path in sorted(folder.iterdir()):
        if path.name == ".git" or ignored(path.name):
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


def paths_of_a_machine(text: str) -> list[str]:
    return [match.group() for match in MACHINE.finditer(text)]


def test_nothing_else_stands_at_the_top() -> None:
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".") and not ignored(path.name)}
    assert names - TOP == set()


def test_what_git_ignores_is_known() -> None:
    assert ignored(".venv")
    assert not ignored("notes.txt")


@pytest.mark.parametrize("path", [pytest.param(p, id=str(p.relative_to(ROOT))) for p in files(ROOT)])
def test_no_file_names_a_path_of_a_machine(path: Path) -> None:
    assert paths_of_a_machine(path.read_text(encoding="utf-8", errors="replace")) == []


@pytest.mark.parametrize("folder", ["home", "root", "Users", "tmp"])
def test_a_path_of_a_machine_is_caught(folder: str) -> None:
    assert len(paths_of_a_machine(f"see /{folder}/alice/notes.txt")) == 1
    assert paths_of_a_machine(f"https://example.org/{folder}/alice") == []
