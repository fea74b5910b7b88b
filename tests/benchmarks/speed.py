"""What the network costs, over NumPy by hand and over itself in other arithmetics, and what its import costs."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

import numpy as np

import refnn
from refnn.arithmetic.complex import ComplexArray
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from tests.benchmarks.drawn import classified
from tests.benchmarks.hand_written import hand_written, network
from tests.benchmarks.table import Line, Row, name, ratio

SMALL, LARGE = (4, 8, 3), (784, 128, 64, 10)
BATCH = 64
PROCESSES = 15


def gradients() -> Iterator[Line]:
    for widths, goal in ((SMALL, 1.5), (LARGE, 1.1)):
        subject, w, x, y = classified(network(widths), BATCH)
        by_hand = hand_written(widths)
        measured = ratio(lambda: subject.loss_and_gradient(w, x, y), lambda: by_hand(w, x, y))  # noqa: B023 - used here
        yield Row(f"loss_and_gradient {name(widths)}, over NumPy by hand", measured, goal, "x")


def arithmetics() -> Iterator[Line]:
    for widths in (SMALL, LARGE):
        subject, w, x, y = classified(network(widths), BATCH)
        for other in (
            DualArray(w, np.ones_like(w)),
            ComplexArray(np.asarray(w + 1e-30j, np.complex128)),
            RoundedArray.exact(w),
        ):
            measured = ratio(lambda: subject.evaluate(other, x, y), lambda: subject.evaluate(w, x, y))  # noqa: B023
            yield Row(f"evaluate {name(widths)} on {type(other).__name__}, over floats", measured, None, "x")


def imports() -> Iterator[Line]:
    """In fresh processes that have imported NumPy, the time of a statement."""
    every_name = ", ".join(f"refnn.{name}" for name in refnn.__all__)
    statements = {"import refnn": "import refnn", "import refnn and touch every name": f"import refnn; {every_name}"}
    goals = {"import refnn": 20}
    times: dict[str, list[float]] = {what: [] for what in statements}
    for _ in range(PROCESSES):
        for what, statement in statements.items():
            program = f"import numpy, time; s = time.perf_counter(); {statement}; print(time.perf_counter() - s)"
            found = subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-c", program], check=True, capture_output=True, text=True
            )
            times[what].append(1000 * float(found.stdout))
    for what, measured in times.items():
        yield Row(f"{what}, beyond import numpy", statistics.median(measured), goals.get(what), "ms")
