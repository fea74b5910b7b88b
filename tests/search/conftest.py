"""Most tests need no smaller question than that to which the first failure shrinks: seeking others takes seconds."""

from __future__ import annotations

import pytest

ELSEWHERE = ("test_search.py", "test_it_is_named_as_it_would_be_for_a_user")
"""Where a simpler question is sought among others too, as for a user."""


@pytest.fixture(autouse=True)
def nearby(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sought elsewhere."""
    if request.path.name not in ELSEWHERE and request.node.originalname not in ELSEWHERE:
        monkeypatch.setattr("refnn.search.search._SEEDS", 0)
