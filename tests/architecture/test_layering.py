"""Data flows one way: a module imports only from those before it, and formulas know nothing of NumPy."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import CORE, ORDER, core, functions
from tests.project import modules

APART = {"activations", "losses", "layers"}
"""Three answers to one question, what a part of a network computes: none needs another."""

SETTINGS = {"targets", "divisor"}
"""Functions of losses that also turn a setting, numbers that are no value of the computation, into an array."""


def part(module: str) -> str:
    """The entry of ORDER that a module belongs to; `refnn` for the package's own face."""
    return (module + ".").split(".")[1] or "refnn"


def imports(tree: ast.AST, known: set[str]) -> Iterator[str]:
    """The modules of refnn that a text imports, wherever in it that happens."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if part(alias.name) and alias.name.split(".")[0] == "refnn")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "refnn":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)


def wrong_way(module: str, tree: ast.AST, known: set[str]) -> list[str]:
    """The imports of a module that are not from before it."""
    here = part(module)
    complaints = []
    for imported in imports(tree, known):
        there = part(imported)
        if there == here and here != "refnn":
            continue  # within a package; that this has no circle is a test of its own
        if there == "refnn" and here in {"search", "testing", "report", "commands", "__main__"}:
            continue  # the last ones use the public names, as users do
        if there not in ORDER or here not in ORDER or ORDER.index(there) >= ORDER.index(here) or {here, there} <= APART:
            complaints.append(f"{module} imports {imported}")
    return complaints


def formulas(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """The functions that give an array of any arithmetic, which is typed `A`."""
    for function in functions(tree):
        given = ast.walk(function.returns) if function.returns else ()
        if any(isinstance(name, ast.Name) and name.id == "A" for name in given) and function.name not in SETTINGS:
            yield function


def numpy_in_formulas(tree: ast.AST) -> list[str]:
    """Where a formula names NumPy or `math`, and the NumPy functions that are imported by their own names."""
    named = [
        f"line {name.lineno}: {function.name} uses {name.id}"
        for function in formulas(tree)
        for statement in function.body
        for name in ast.walk(statement)
        if isinstance(name, ast.Name) and name.id in {"np", "numpy", "math"}
    ]
    imported = [
        f"line {node.lineno}: from {node.module}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in {"numpy", "math"}
    ]
    return named + imported


def parsed() -> dict[str, ast.Module]:
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules().items()}


@pytest.mark.parametrize("module", [name for name in modules() if name != "refnn"])
def test_a_module_imports_only_from_those_before_it(module: str) -> None:
    known = modules()
    assert wrong_way(module, ast.parse(known[module].read_text(encoding="utf-8")), set(known)) == []


def test_every_module_has_its_place() -> None:
    assert {part(name) for name in modules()} - {"refnn", *ORDER} == set()


def test_no_circle_within_a_package() -> None:
    known = set(modules())
    waiting = {name: {i for i in imports(tree, known) if i != "refnn"} for name, tree in parsed().items()}
    del waiting["refnn"]  # it imports for type checkers alone; test_import.py sees to that
    while waiting:
        free = {name for name, needed in waiting.items() if not needed & waiting.keys()}
        assert free, f"these import each other: {waiting}"
        waiting = {name: needed for name, needed in waiting.items() if name not in free}


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("refnn.arrays", "from refnn.network import Network"),
        ("refnn.losses", "from refnn import activations"),
        ("refnn.layers", "from refnn.losses import softmax"),
        ("refnn.network", "def late():\n    import refnn.descent"),
        ("refnn.descent", "import refnn"),
        ("refnn.arithmetic.dual", "from refnn.witnesses import Testimony"),
        ("refnn.shortcuts", "from refnn.errors import RefnnError"),
    ],
)
def test_an_import_the_wrong_way_is_caught(module: str, text: str) -> None:
    assert len(wrong_way(module, ast.parse(text), set(modules()))) == 1


@pytest.mark.parametrize("module", CORE)
def test_formulas_do_not_use_numpy(module: str) -> None:
    assert numpy_in_formulas(core(module)) == []


@pytest.mark.parametrize(
    "text",
    [
        "class Tanh:\n    def forward(self, parameters: tuple[A, ...], z: A) -> A:\n        return np.tanh(z)",
        "def softmax(z: A) -> A:\n    e = np.exp(z)\n    return e",
        "class Dense:\n    def gradient(self, x: A, delta: A) -> tuple[A, ...]:\n        return (math.fsum(delta),)",
        "from numpy import tanh",
    ],
)
def test_a_formula_that_uses_numpy_is_caught(text: str) -> None:
    assert len(numpy_in_formulas(ast.parse(text))) == 1


def test_the_formulas_are_found_in_the_core() -> None:
    found = {(module, formula.name) for module in CORE for formula in formulas(core(module))}
    assert found >= {("activations", "forward"), ("activations", "derivative"), ("losses", "derivative")}
    assert found >= {("layers", "backward"), ("layers", "gradient"), ("network", "backward"), ("rules", "step")}
