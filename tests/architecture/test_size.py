"""The core can be read in one sitting."""

from __future__ import annotations

import ast
import io
import tokenize

from tests.project import PACKAGE

READ_IN_ONE_SITTING = ("arrays", "activations", "losses", "layers", "network", "descent")
LINES = 950


def lines_of_code(text: str) -> int:
    """The lines of a text that hold code; docstrings, comments and empty lines do not count."""
    documentation = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in layout
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - documentation)


def size() -> dict[str, int]:
    return {name: lines_of_code((PACKAGE / f"{name}.py").read_text(encoding="utf-8")) for name in READ_IN_ONE_SITTING}


def test_the_core_is_small() -> None:
    assert sum(size().values()) <= LINES, size()


def test_lines_of_code_are_counted() -> None:
    text = (
        '"""Module\n\ndocstring."""\n\n# a comment\nx = (\n    1,  # one\n\n)\n'
        'def f():\n    """Text."""\n    return """a\nb"""\n'
    )
    assert lines_of_code(text) == len(["x = (", "1,", ")", "def f():", 'return """a', 'b"""'])
