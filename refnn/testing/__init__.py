"""What other projects import to test their own code.

Hypothesis strategies for networks, parameters and batches; `inspect_test`, which judges a gradient test; `check_layer`,
which tests a layer of one's own; and `refnn.testing.plugin`, for pytest. It needs Hypothesis, which the extra
``testing`` brings.
"""

from __future__ import annotations

from refnn.checks import extra

extra("hypothesis", "testing", "refnn.testing")

from refnn.strategies import (  # noqa: E402 - an error that names the extra must come first
    Case,
    batch_sizes,
    batches,
    cases,
    extreme_values,
    networks,
    ordinary_values,
    parameters,
)
from refnn.testing.assertions import check_layer  # noqa: E402 - likewise
from refnn.testing.inspection import Finding, Inspection, inspect_test  # noqa: E402 - likewise

__all__ = [
    "Case",
    "Finding",
    "Inspection",
    "batch_sizes",
    "batches",
    "cases",
    "check_layer",
    "extreme_values",
    "inspect_test",
    "networks",
    "ordinary_values",
    "parameters",
]
