"""The README: its Python runs, alone and pasted, and its two commands are what continuous integration runs."""

from __future__ import annotations

import code
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from tests.project import PACKAGE, ROOT

README = ROOT / "README.md"
SYBIL = Sybil([PythonCodeBlockParser()], pattern="*.md")


def run(path: Path) -> int:
    """Run the Python blocks of a Markdown file one after the other, and say how many there are."""
    examples = list(SYBIL.parse(path).examples())
    for example in examples:
        example.evaluate()
    return len(examples)


def python_blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


class Console(code.InteractiveConsole):
    """Python's prompt, into which lines are pasted; what it would print as an error is raised."""

    def showsyntaxerror(self, filename: str | None = None, **_: object) -> None:
        raise

    def showtraceback(self) -> None:
        raise

    def paste(self, block: str) -> None:
        incomplete = False
        for line in block.splitlines():
            incomplete = self.push(line)
        if incomplete:
            self.push("")  # the Return that ends the last compound statement


def test_the_python_blocks_run() -> None:
    assert run(README) == len(python_blocks()) > 0


def test_a_block_that_fails_is_caught(tmp_path: Path) -> None:
    document = tmp_path / "planted.md"
    document.write_text("Text.\n\n```python\nassert 1 + 1 == 3\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError):
        run(document)


def test_the_python_blocks_can_be_pasted_into_a_fresh_interpreter() -> None:
    console = Console()
    for block in python_blocks():
        console.paste(block)


def test_a_block_that_the_prompt_refuses_is_caught() -> None:
    with pytest.raises(SyntaxError):
        Console().paste("for k in range(2):\n    k\nk\n")  # a prompt wants an empty line after the loop


def test_its_links_into_the_tree_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", README.read_text(encoding="utf-8"))
    inner = [link for link in links if not link.startswith("https://")]
    assert inner
    places = [PACKAGE.parent / link if link.startswith("refnn/") else ROOT / link for link in inner]
    assert [place for place in places if not place.is_file()] == []


@pytest.mark.parametrize(("name", "last"), [("verify", "refnn verify"), ("tests", "pytest")])
def test_continuous_integration_runs_the_commands_of_the_readme(name: str, last: str) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    found = subprocess.run(  # noqa: S603 - our own script
        [bash, str(ROOT / ".ci" / "run"), "--show", name], check=True, capture_output=True, text=True
    )
    (command,) = found.stdout.splitlines()
    assert command.startswith("python3 -m venv .venv && ")
    assert last in command.split(" && ")[-1]
    assert f"```sh\n{command}\n```" in README.read_text(encoding="utf-8")
