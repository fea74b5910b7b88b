"""The lines that a part of the benchmarks gives, how time is measured for them, and how far a long part has come."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

T = TypeVar("T")
Call: TypeAlias = Callable[[], object]

ROUNDS = 201
SECONDS = 0.002  # of each side in a round: long against the clock, short against what else the machine does
LONGEST = 20.0  # seconds that one ratio may take, as far as five rounds allow
PATIENCE = 5.0  # seconds between two lines of progress


@dataclass(frozen=True)
class Row:
    """One line of the table; `goal` is the largest value that is good enough, or the smallest, or None."""

    what: str
    measured: float
    goal: float | None = None
    unit: str = ""
    goal_is: Literal["at most", "at least"] = "at most"

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return "-"
        met = self.measured <= self.goal if self.goal_is == "at most" else self.measured >= self.goal
        return "met" if met else "MISSED"

    def __str__(self) -> str:
        goal = "" if self.goal is None else f"{self.goal_is} {self.goal:g} {self.unit}".rstrip()
        return f"{self.what:72}{digits(self.measured):>10} {self.unit:2}{goal:>16}  {self.verdict}"


Line: TypeAlias = Row | str
"""What a part gives: a row, or a line of text."""

HEADER = f"{'':72}{'measured':>10} {'':2}{'goal':>16}  verdict"


def digits(value: float) -> str:
    """Four digits; more where they are nines, so that nothing below 1 is shown as 1."""
    if abs(value) < 1e9 and value == int(value):
        return f"{value:.0f}"
    return next((text for n in range(4, 17) if float(text := f"{value:.{n}g}") != 1), repr(value))


def name(widths: Sequence[int]) -> str:
    return "-".join(map(str, widths))


def seconds(call: Call, repeats: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - start


def ratio(subject: Call, baseline: Call) -> float:
    """The time of one call over that of another: the median over many rounds, each of which times both."""
    pair = subject, baseline
    once = [min(seconds(call) for _ in range(3)) for call in pair]
    repeats = [max(1, round(SECONDS / duration)) for duration in once]
    of_round = sum(duration * n for duration, n in zip(once, repeats, strict=True))
    measured = []
    for k in range(max(5, min(ROUNDS, int(LONGEST / of_round)))):
        times = [0.0, 0.0]
        for side in (0, 1) if k % 2 else (1, 0):  # neither always runs in the cache that the other left
            times[side] = seconds(pair[side], repeats[side]) / repeats[side]
        measured.append(times[0] / times[1])
    return statistics.median(measured)


def with_progress(what: str, items: Sequence[T]) -> Iterator[T]:
    """The items, with a line to the standard error every few seconds that says how far they are used up."""
    start = said = time.perf_counter()
    for k, item in enumerate(items):
        now = time.perf_counter()
        if now - said > PATIENCE:
            print(f"{what}: {k} of {len(items)}, {now - start:.0f} s", file=sys.stderr, flush=True)  # noqa: T201 - likewise
            said = now
        yield item
