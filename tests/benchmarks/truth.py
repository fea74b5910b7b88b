"""What the truth costs: correctly rounded outputs, loss and gradients."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import numpy as np

import refnn
from refnn import Dense, Network, SoftmaxCrossEntropy, Tanh
from tests.benchmarks.drawn import classified
from tests.benchmarks.hand_written import network
from tests.benchmarks.table import Line, Row, name, ratio, seconds, with_progress

LARGE, BATCH = (784, 128, 64, 10), 64
TIMES = 9

SIZES = [round(10 ** (k / 2)) for k in range(4, 13)]  # two for each power of ten, from a hundred to a million
SAMPLES = 16
LONG = 5.0  # seconds after which no second or third time is measured


def exact() -> Iterator[Line]:
    case = classified(network(LARGE), BATCH)
    measured = [seconds(lambda: refnn.exact(*case)) for _ in with_progress("exact", range(TIMES))]
    what = f"exact {name(LARGE)}, batch {BATCH}"
    yield Row(f"{what}: median of {TIMES}", statistics.median(measured), 0.5, "s")
    yield Row(f"{what}: shortest", min(measured), None, "s")
    subject, w, x, y = case
    yield Row(f"{what}, over evaluate", ratio(lambda: refnn.exact(*case), lambda: subject.evaluate(w, x, y)), None, "x")


def wide(parameters: int) -> Network:
    """8-w-4 with about so many parameters: 13w + 4."""
    w = round((parameters - 4) / 13)
    return Network(Dense(8, w), Tanh(), Dense(w, 4), loss=SoftmaxCrossEntropy())


def square(parameters: int) -> Network:
    """8-w-w-4 with about so many parameters: w² + 14w + 4."""
    w = round(np.sqrt(parameters + 45) - 7)
    return Network(Dense(8, w), Tanh(), Dense(w, w), Tanh(), Dense(w, 4), loss=SoftmaxCrossEntropy())


FAMILIES: dict[str, Callable[[int], Network]] = {"8-w-4": wide, "8-w-w-4": square}


def exponent(sizes: list[int], times: list[float]) -> float:
    """The slope of the least-squares line through (log size, log time)."""
    slope, _ = np.polyfit(np.log(sizes), np.log(times), 1)
    return float(slope)


def scaling() -> Iterator[Line]:
    """The shortest of up to three times for each size; the fixed cost of a call lowers the exponent of small sizes."""
    for family, made in FAMILIES.items():
        sizes, times = [], []
        for parameters in with_progress(f"scaling {family}", SIZES):
            case = classified(made(parameters), SAMPLES)
            best = seconds(lambda: refnn.exact(*case))  # noqa: B023 - used here
            for _ in range(2 if best < LONG else 0):
                best = min(best, seconds(lambda: refnn.exact(*case)))  # noqa: B023 - used here
            sizes.append(case.network.size)
            times.append(best)
            yield Row(f"exact {family}, {case.network.size} parameters, batch {SAMPLES}", best, None, "s")
        upper = len(sizes) // 2
        for first in (0, upper):
            what = f"exact {family}: time ~ parameters^k, k fitted from {sizes[first]} up"
            yield Row(what, exponent(sizes[first:], times[first:]), 1.1)
