"""Public names say what they are, and public functions the shape of every array that they ask for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

import refnn
from tests.architecture.source import CORE, core
from tests.project import modules

Definition = ast.ClassDef | ast.FunctionDef


def definitions(body: list[ast.stmt], path: str = "") -> Iterator[tuple[str, Definition]]:
    """The public classes, functions and methods of a text, by their dotted names."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield path + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from definitions(node.body, f"{path}{node.name}.")


def is_overload(node: Definition) -> bool:
    return any(isinstance(name, ast.Name) and name.id == "overload" for name in node.decorator_list)


def undocumented(tree: ast.Module) -> list[str]:
    return [name for name, node in definitions(tree.body) if not is_overload(node) and not ast.get_docstring(node)]


def arrays_asked_for(tree: ast.Module) -> dict[str, set[str]]:
    """The parameters that a user may give any array for, for each public function that has some."""
    asked: dict[str, set[str]] = {}
    for name, node in definitions(tree.body):
        if isinstance(node, ast.FunctionDef):
            for argument in (*node.args.args, *node.args.kwonlyargs):
                if isinstance(argument.annotation, ast.Name) and argument.annotation.id == "ArrayLike":
                    asked.setdefault(name, set()).add(argument.arg)
    return asked


def without_shape(tree: ast.Module) -> list[str]:
    """The array parameters whose shape the docstring does not give, where numpydoc puts the type: ``x : (N, inputs)``.

    A docstring may point to another function's parameters instead of repeating them.
    """
    texts = {name: ast.get_docstring(node) or "" for name, node in definitions(tree.body) if not is_overload(node)}
    complaints = []
    for name, parameters in arrays_asked_for(tree).items():
        pointed = re.search(r"^ *(Parameters and errors are those of|As for) `[\w.]+`", texts[name], re.MULTILINE)
        for parameter in sorted(parameters):
            stated = re.search(rf"^(?:\w+, )*{parameter}(?:, \w+)* : \(", texts[name], re.MULTILINE)
            if not stated and not pointed:
                complaints.append(f"{name}: {parameter}")
    return complaints


@pytest.mark.parametrize("module", modules())
def test_every_public_name_has_a_docstring(module: str) -> None:
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert undocumented(tree) == []


@pytest.mark.parametrize("module", CORE)
def test_every_array_that_is_asked_for_has_a_shape(module: str) -> None:
    assert without_shape(core(module)) == []


def test_the_functions_that_ask_for_arrays_are_found() -> None:
    assert (
        arrays_asked_for(core("network")).items()
        >= {
            "Network.loss_and_gradient": {"w", "x", "y"},
            "Network.predict": {"w", "x"},
        }.items()
    )
    assert arrays_asked_for(core("descent"))["descend"] == {"w", "x", "y"}


def test_what_is_missing_is_caught() -> None:
    bare = ast.parse("class Cube:\n    '''Text.'''\n    def volume(self):\n        return 1")
    assert undocumented(bare) == ["Cube.volume"]
    shapeless = ast.parse(
        "def slope(w: ArrayLike, x: ArrayLike):\n"
        "    '''Text.\n\n    Parameters\n    ----------\n"
        "    w\n        Weights.\n    x : (N,)\n        Samples.\n    '''"
    )
    assert without_shape(shapeless) == ["slope: w"]


@pytest.mark.parametrize("name", refnn.__all__)
def test_what_the_package_offers_is_documented_where_a_user_asks_for_help(name: str) -> None:
    assert getattr(refnn, name).__doc__
