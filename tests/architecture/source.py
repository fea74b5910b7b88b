"""Python text, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.project import PACKAGE

ORDER = (
    "errors",
    "arrays",
    "checks",
    "arguments",
    "activations",
    "losses",
    "layers",
    "network",
    "rules",
    "schedules",
    "descent",
    "training",
    "storage",
    "strategies",
    "arithmetic",
    "witnesses",
    "oracle",
    "search",
    "testing",
    "datasets",
    "report",
    "commands",
    "__main__",
)
"""The modules and packages of refnn; each imports only from those before it."""

CORE = ("activations", "losses", "layers", "network", "rules", "descent")
"""The modules that compute: written once, run on every arithmetic."""


def core(name: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
