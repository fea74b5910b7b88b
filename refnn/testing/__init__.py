"""What other projects import to test their own code: Hypothesis strategies for networks, parameters and batches.

It needs Hypothesis, which the extra ``testing`` brings.
"""

from __future__ import annotations

from refnn.checks import extra

extra("hypothesis", "testing", "refnn.testing")

from refnn.testing.strategies import (  # noqa: E402 - an error that names the extra must come first
    Case,
    batch_sizes,
    batches,
    cases,
    networks,
    ordinary_values,
    parameters,
    values_that_hurt,
)

__all__ = [
    "Case",
    "batch_sizes",
    "batches",
    "cases",
    "networks",
    "ordinary_values",
    "parameters",
    "values_that_hurt",
]
