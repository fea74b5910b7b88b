"""What a certified learning rate costs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from itertools import product

from refnn import Dense, Network, ReLU, SoftmaxCrossEntropy, Tanh, certified_learning_rate
from tests.benchmarks.drawn import classified
from tests.benchmarks.table import Line, Row, name, seconds, with_progress

GOALS = {(4, 8, 3): 0.2, (64, 32, 10): 2.0}
BATCH = 32
PROBLEMS = 7


def certificate() -> Iterator[Line]:
    for ((inputs, hidden, outputs), goal), activation in product(GOALS.items(), (Tanh, ReLU)):
        network = Network(Dense(inputs, hidden), activation(), Dense(hidden, outputs), loss=SoftmaxCrossEntropy())
        what = f"certified_learning_rate {name((inputs, hidden, outputs))} {activation.__name__}, batch {BATCH}"
        measured = []
        for seed in with_progress(what, range(PROBLEMS)):
            case = classified(network, BATCH, seed)
            measured.append(seconds(lambda: certified_learning_rate(*case)))  # noqa: B023 - used here
        yield Row(f"{what}: median of {PROBLEMS}", statistics.median(measured), goal, "s")
        yield Row(f"{what}: longest", max(measured), goal, "s")
