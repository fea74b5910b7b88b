"""The programs written without looking at the catalogue: each differs from a right one in a line that is there."""

from __future__ import annotations

import pytest

from tests.search.blind import RIGHT, WRONG, WRONG_LATER, Blind

ALL = (*WRONG, *WRONG_LATER, *RIGHT)


@pytest.mark.parametrize("blind", ALL, ids=[f"{blind.language}: {blind.what}" for blind in ALL])
def test_its_line_is_in_the_program(blind: Blind) -> None:
    right = Blind(blind.language, "right").text
    assert blind.right in right
    assert (blind.text != right) is bool(blind.right)
