"""What came of a program that was checked."""

from __future__ import annotations

from typing import NamedTuple

from refnn import Dense
from refnn.search.report import Report
from tests.search.implementations import dense_layers

FEW_LAYERS, SMALL = 2, 3
SHRUNK = f"shrunk to {FEW_LAYERS} dense layers and dimensions of {SMALL}"


class Told(NamedTuple):
    """What came of a program: whether it was caught, after how many questions, how small the last is, its name."""

    what: str
    caught: bool
    questions: int
    layers: int
    largest: int
    named: str
    right: bool

    @property
    def small(self) -> bool:
        return self.caught and self.layers <= FEW_LAYERS and self.largest <= SMALL

    @property
    def size(self) -> str:
        return f"{self.layers}, {self.largest}" if self.caught else "-"

    def __str__(self) -> str:
        named = self.named if self.right else f"({self.named})"
        return f"  {self.what:72.72}{self.questions:>10}{self.size:>8}  {named}"


def told(what: str, report: Report, *, right: bool) -> Told:
    if report.failure is None:
        return Told(what, False, report.found.asked, 0, 0, report.verdict, right)
    case = report.failure.drawn.case
    widths = [n for layer in case.network.layers if isinstance(layer, Dense) for n in (layer.inputs, layer.outputs)]
    said = report.verdict if report.diagnosis is None else str(report.diagnosis).splitlines()[0]
    return Told(what, True, report.found.asked, dense_layers(case.network), max(len(case.x), *widths), said, right)
