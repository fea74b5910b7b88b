"""``import refnn`` brings in NumPy and the standard library alone; its names are those that type checkers see."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys

import pytest

import refnn
from tests.project import PACKAGE


def imported_by(statement: str) -> set[str]:
    """The top-level packages that a statement brings into a fresh process, the standard library's apart."""
    # without a spec, a name was not imported but put there: Cython keeps its types in such modules
    program = (
        f"import sys; before = set(sys.modules); {statement}\n"
        "print(*(name for name in sys.modules.keys() - before if getattr(sys.modules[name], '__spec__', None)))"
    )
    found = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return {name.partition(".")[0] for name in found.stdout.split()} - sys.stdlib_module_names


def test_the_package_alone_loads_nothing() -> None:
    assert imported_by("import refnn") == {"refnn"}


def test_the_core_imports_only_numpy_and_the_standard_library() -> None:
    assert imported_by("import refnn; refnn.Network, refnn.fit, refnn.GELU") == {"refnn", "numpy"}


def test_another_import_is_caught() -> None:
    assert "pytest" in imported_by("import refnn, pytest")


def seen_by_type_checkers(text: str) -> dict[str, str]:
    """Each name that is imported under ``if TYPE_CHECKING``, with the module that it comes from."""
    return {
        alias.asname or alias.name: str(node.module)
        for block in ast.parse(text).body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_every_public_name_is_the_one_that_type_checkers_see() -> None:
    seen = seen_by_type_checkers((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assert seen.keys() == set(refnn.__all__)
    for name, module in seen.items():
        if module == "refnn":
            assert getattr(refnn, name) is importlib.import_module(f"refnn.{name}")
        else:
            assert getattr(refnn, name) is getattr(importlib.import_module(module), name)


def test_no_public_name_stands_twice() -> None:
    assert len(refnn.__all__) == len(set(refnn.__all__))


def test_dir_lists_the_public_names() -> None:
    assert set(refnn.__all__) <= set(dir(refnn))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'refnn' has no attribute 'Perceptron'"):
        _ = refnn.Perceptron
