"""Every example in a docstring of refnn gives what it says."""

from __future__ import annotations

import doctest
import importlib
import types
from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings

from tests.project import modules


@pytest.fixture(autouse=True)
def unexplained() -> Iterator[None]:
    """Hypothesis's `find` need not explain what else it could have found, which takes far longer than to find it."""
    before = settings.get_current_profile_name()
    settings.register_profile("unexplained", settings(), phases=set(Phase) - {Phase.explain})
    settings.load_profile("unexplained")
    yield
    settings.load_profile(before)


def failures(module: types.ModuleType) -> list[str]:
    """What the examples of a module print where they differ from what they say."""
    reports: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        runner.run(test, out=reports.append)
    return reports


@pytest.mark.parametrize("name", modules())
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    assert failures(importlib.import_module(name)) == []


def test_a_wrong_example_is_caught() -> None:
    planted = types.ModuleType("planted", ">>> 1 + 1\n3\n")
    (report,) = failures(planted)
    assert "Expected:\n    3\nGot:\n    2" in report


def test_examples_are_found_at_all() -> None:
    network = importlib.import_module("refnn.network")
    assert {test.name for test in doctest.DocTestFinder().find(network) if test.examples} >= {
        "refnn.network.Network",
        "refnn.network.Network.describe",
    }
