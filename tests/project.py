"""Where things are: the tree that the tests belong to, and the package that they import."""

from __future__ import annotations

from pathlib import Path

import refnn

ROOT = Path(__file__).resolve().parent.parent
"""The tree; where the tests run against a wheel, a copy of it without the package."""

PACKAGE = Path(refnn.__file__).resolve().parent
"""The package that is imported: the tree's own, or an installed wheel's."""


def modules() -> dict[str, Path]:
    """The dotted name of every module of refnn, with its file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found
