"""Constants are exact: the core has no float literal, for most decimal fractions are no floats.

The defaults of a dataclass's fields are settings, which the user reads as they stand; those alone are exempt.
"""

from __future__ import annotations

import ast

import pytest

from tests.architecture.source import CORE, core


def float_literals(tree: ast.AST) -> list[str]:
    """Each float literal of a text that is no default of a field, with its line."""
    defaults = {
        id(constant)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign) and statement.value is not None
        for constant in ast.walk(statement.value)
    }
    return [
        f"line {node.lineno}: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)) and id(node) not in defaults
    ]


@pytest.mark.parametrize("module", CORE)
def test_the_core_has_no_float_literals(module: str) -> None:
    assert float_literals(core(module)) == []


@pytest.mark.parametrize(
    "text",
    [
        "def derivative(z):\n    return 0.5 * z",
        "_CUBIC = 0.044715",
        "class C:\n    def forward(self, z):\n        return z if z > 1e-3 else -z",
        "def f(limit=1.0):\n    return limit",
        "class C:\n    RATE = 2.0",
    ],
)
def test_a_float_literal_is_caught(text: str) -> None:
    assert len(float_literals(ast.parse(text))) == 1


def test_the_default_of_a_field_is_exempt() -> None:
    assert float_literals(ast.parse("@dataclass\nclass C:\n    slope: float = 0.01")) == []
