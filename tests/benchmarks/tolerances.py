"""What derived bounds and comparisons cost, over one evaluation of outputs, loss and both gradients."""

from __future__ import annotations

from collections.abc import Iterator

import refnn
from tests.benchmarks.drawn import classified
from tests.benchmarks.hand_written import network
from tests.benchmarks.table import Line, Row, name, ratio

SIZES: tuple[tuple[tuple[int, ...], int, bool], ...] = (
    ((4, 8, 3), 32, False),
    ((64, 32, 10), 32, False),
    ((784, 128, 64, 10), 64, False),
    ((784, 128, 64, 10), 512, True),
    ((256, 256, 256, 256, 256, 10), 256, True),
)
"""Widths, samples, and whether a gradient takes long enough for its time to be that of arrays, not of Python."""


def cost() -> Iterator[Line]:
    for widths, samples, large in SIZES:
        case = classified(network(widths), samples)
        for precision in ("float64", "float32", "bfloat16", "float16"):
            over = ratio(lambda: refnn.tolerance(*case, precision=precision), lambda: case.network.evaluate(*case[1:]))  # noqa: B023 - used here
            yield Row(f"tolerance {precision}, {name(widths)}, batch {samples}", over, 10 if large else None, "x")
        gradient = case.network.evaluate(*case[1:]).gradient
        for reference in () if large else ("float64", "exact"):  # the large ones would take minutes
            over = ratio(
                lambda: refnn.compare(*case, gradient=gradient, reference=reference),  # noqa: B023 - used here
                lambda: case.network.evaluate(*case[1:]),  # noqa: B023 - likewise
            )
            yield Row(f"compare, {reference} truth, {name(widths)}, batch {samples}", over, None, "x")
