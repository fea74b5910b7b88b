"""What refnn costs, as ratios that are measured interleaved in one run: ``python -m tests.benchmarks``.

On a busy machine NumPy's threads wait for each other; ``OPENBLAS_NUM_THREADS=1`` in the environment steadies them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

import refnn
from refnn.arithmetic.complex import ComplexArray
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from tests.benchmarks.hand_written import hand_written, network

SMALL, LARGE = (4, 8, 3), (784, 128, 64, 10)
BATCH = 64
ROUNDS = 201
SECONDS = 0.002  # of each side in a round: long against the clock, short against what else the machine does
PROCESSES = 15


class Row(NamedTuple):
    """One line of the table; `goal` is the largest value that is good enough, or None."""

    what: str
    measured: float
    goal: float | None
    unit: str

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return "-"
        return "met" if self.measured <= self.goal else "MISSED"


def seconds(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - start


def ratio(subject: Callable[[], object], baseline: Callable[[], object]) -> float:
    """The time of one call over that of another: the median over many rounds, each of which times both."""
    pair = subject, baseline
    once = [min(seconds(call, 1) for _ in range(3)) for call in pair]
    repeats = [max(1, round(SECONDS / duration)) for duration in once]
    measured = []
    for k in range(ROUNDS):
        times = [0.0, 0.0]
        for side in (0, 1) if k % 2 else (1, 0):  # neither always runs in the cache that the other left
            times[side] = seconds(pair[side], repeats[side]) / repeats[side]
        measured.append(times[0] / times[1])
    return statistics.median(measured)


def gradients() -> Iterator[Row]:
    for widths, goal in ((SMALL, 1.5), (LARGE, 1.1)):
        subject, by_hand = network(widths), hand_written(widths)
        rng = np.random.default_rng(0)
        w = subject.initial_parameters(rng=rng)
        x, y = rng.normal(size=(BATCH, widths[0])), rng.integers(0, widths[-1], size=BATCH)
        measured = ratio(lambda: subject.loss_and_gradient(w, x, y), lambda: by_hand(w, x, y))  # noqa: B023 - used here
        yield Row(f"loss_and_gradient {name(widths)}, over NumPy by hand", measured, goal, "x")


def arithmetics() -> Iterator[Row]:
    for widths in (SMALL, LARGE):
        subject = network(widths)
        rng = np.random.default_rng(0)
        w = subject.initial_parameters(rng=rng)
        x, y = rng.normal(size=(BATCH, widths[0])), rng.integers(0, widths[-1], size=BATCH)
        for other in (
            DualArray(w, np.ones_like(w)),
            ComplexArray(np.asarray(w + 1e-30j, np.complex128)),
            RoundedArray.exact(w),
        ):
            measured = ratio(lambda: subject.evaluate(other, x, y), lambda: subject.evaluate(w, x, y))  # noqa: B023
            yield Row(f"evaluate {name(widths)} on {type(other).__name__}, over floats", measured, None, "x")


def imports() -> Iterator[Row]:
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


def name(widths: tuple[int, ...]) -> str:
    return "-".join(map(str, widths))


def main() -> int:
    missed = 0
    print(f"{'':66}{'measured':>12}{'at most':>12}  verdict")  # noqa: T201 - the table is what this program is for
    for rows in (gradients(), imports(), arithmetics()):
        for row in rows:
            goal = "" if row.goal is None else f"{row.goal:g} {row.unit}"
            print(f"{row.what:66}{row.measured:9.2f} {row.unit:2}{goal:>12}  {row.verdict}", flush=True)  # noqa: T201
            missed += row.verdict == "MISSED"
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
