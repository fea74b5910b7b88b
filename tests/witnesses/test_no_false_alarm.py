"""No witness disagrees with a right gradient, whatever the network and the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from refnn.testing import cases, extreme_values, networks, ordinary_values
from refnn.witnesses import examine
from tests.laws.measures import examples

SMALL = networks(depth=st.integers(1, 2), widths=(1, 2, 3))
NUMBERS = {"ordinary": lambda dtype: ordinary_values(), "extreme": lambda dtype: extreme_values(dtype=dtype)}


@pytest.mark.unmeasured
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("numbers", NUMBERS)
@examples(0.2)
@given(data=st.data())
def test_no_witness_disagrees(numbers: str, dtype: type[np.floating[Any]], data: st.DataObject) -> None:
    values = NUMBERS[numbers](dtype)
    network, w, x, y = data.draw(
        cases(SMALL, samples=st.sampled_from((1, 3)), parameter_values=values, batch_values=values, dtype=dtype)
    )
    for row in examine(network, w, x, y):
        event(f"{row.witness}: {row.verdict}")
        assert row.verdict != "disagrees", row
