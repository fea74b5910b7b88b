"""A tolerance is derived or it is a bug: no test and no module compares within one that was picked by hand.

An allowance that is derived stands in the test as a bound on a difference, |a − b| ≤ bound, with its reason; the names
of what takes a bare tolerance are forbidden.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

import pytest

from tests.project import PACKAGE, ROOT

TOLERANT = {
    "rtol",
    "atol",
    "rel_tol",
    "abs_tol",
    "approx",
    "allclose",
    "isclose",
    "assert_allclose",
    "assert_close",
    "assert_almost_equal",
    "assert_array_almost_equal",
    "assert_approx_equal",
    "assertAlmostEqual",
}

ALLOWED: dict[str, str] = {
    "refnn/oracle/budget.py": "it derives both numbers, for functions of others that take nothing else",
    "refnn/testing/inspection.py": "it judges the two numbers that others have picked",
    "tests/testing/test_inspection.py": "it judges them on tests that others have written",
    "tests/oracle/test_budget.py": "it holds these two numbers against their definition",
    "tests/benchmarks/alarms.py": "it measures the constants that others have picked",
}
"""For a file that has to say one of these names, the reason."""


def tolerances(text: str) -> list[str]:
    """Where a text names one of them: as an argument, an attribute, an import or by itself; not in its strings."""
    found = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case (
                ast.Name(id=name)
                | ast.Attribute(attr=name)
                | ast.keyword(arg=name)
                | ast.arg(arg=name)
                | ast.alias(name=name)
                | ast.FunctionDef(name=name)
            ) if name in TOLERANT:
                found.append(f"line {node.lineno}: {name}")
    return found


def complaints(texts: Mapping[str, str], allowed: Mapping[str, str]) -> list[str]:
    """Tolerances where none is allowed, and permissions that nobody needs or that give no reason."""
    found = {file: tolerances(text) for file, text in texts.items()}
    return [
        *(f"{file}, {place}" for file, places in found.items() if file not in allowed for place in places),
        *(f"{file} is allowed for nothing" for file, reason in allowed.items() if not (reason and found.get(file))),
    ]


def texts() -> dict[str, str]:
    """Every file of the tests and of refnn, wherever the package is imported from."""
    folders = ((ROOT / "tests", ROOT), (PACKAGE, PACKAGE.parent))
    return {
        path.relative_to(top).as_posix(): path.read_text(encoding="utf-8")
        for folder, top in folders
        for path in sorted(folder.rglob("*.py"))
    }


def test_no_tolerance_is_picked_by_hand() -> None:
    assert complaints(texts(), ALLOWED) == []


def test_the_tests_and_the_package_are_read() -> None:
    assert {"tests/architecture/test_tolerances.py", "tests/laws/ranges.py", "refnn/network.py"} <= set(texts())


@pytest.mark.parametrize(
    "text",
    [
        "assert a == pytest.approx(b)",
        "from pytest import approx as near",
        "from math import isclose",
        "np.testing.assert_allclose(a, b)",
        "assert math.isclose(a, b)",
        "close = torch.allclose",
        "self.assertAlmostEqual(a, b)",
        "torch.autograd.gradcheck(f, x, atol=1)",
        "def same(a, b, rtol=1): ...",
        "def allclose(a, b): ...",
        "check(a, b, **dict(abs_tol=1))",
    ],
)
def test_a_tolerance_is_seen(text: str) -> None:
    assert len(complaints({"planted.py": text}, {})) == 1
    assert complaints({"planted.py": text}, {"planted.py": "a reason"}) == []


@pytest.mark.parametrize("text", ["", "'rtol'", "# allclose", "approximation(a, b)", "a.approximate = close"])
def test_what_has_no_tolerance_is_let_through(text: str) -> None:
    assert complaints({"planted.py": text}, {}) == []


@pytest.mark.parametrize("allowed", [{"planted.py": "a reason"}, {"gone.py": "a reason"}, {"near.py": ""}])
def test_a_permission_that_is_not_needed_or_has_no_reason_is_seen(allowed: dict[str, str]) -> None:
    sources = {"planted.py": "a == b", "near.py": "np.isclose(a, b)"}
    assert f"{next(iter(allowed))} is allowed for nothing" in complaints(sources, allowed)
