"""Derived bounds over many implementations: no false alarm, not by being vague, and beside the constants of others.

Every case of `tests.peers.cases` is put to every implementation of `tests.peers.implementations`, in every format, and
each element of the gradient is held against the truth.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context

import numpy as np

from refnn import Dense, GradientDescent, Precision, tolerance
from refnn.arithmetic.precision import precision_named
from refnn.arrays import FloatArray
from refnn.network import Evaluation
from refnn.oracle.budget import is_decided, ratios, says_something
from refnn.oracle.comparison import Expectation, expect
from tests.benchmarks.table import Line, Row, with_progress
from tests.peers.cases import CASES, Case
from tests.peers.implementations import FORMATS, PEERS, Format, Peer

PEERS_AT_LEAST = 6

CONSTANTS: dict[str, dict[Format, tuple[float, float]]] = {
    "torch assert_close": {
        "float64": (1e-7, 1e-7),
        "float32": (1.3e-6, 1e-5),
        "bfloat16": (1.6e-2, 1e-5),
        "float16": (1e-3, 1e-5),
    },
    "JAX, values": {
        "float64": (1e-15, 1e-15),
        "float32": (1e-6, 1e-6),
        "bfloat16": (1e-2, 1e-2),
        "float16": (1e-3, 1e-3),
    },
    "JAX, gradients": {
        "float64": (1e-5, 1e-5),
        "float32": (2e-3, 2e-3),
        "bfloat16": (1e-1, 1e-1),
        "float16": (1e-2, 1e-2),
    },
    "ONNX": dict.fromkeys(FORMATS, (1e-3, 1e-7)),
}
"""What others allow, relative and absolute: torch.testing.assert_close, jax._src.public_test_util, the backend tests of
ONNX."""


@dataclass
class Tally:
    """What was found in one format, over cases and implementations."""

    elements: int = 0
    asked: int = 0
    false: int = 0
    largest: float = 0.0
    decided: int = 0
    blocks: int = 0
    decided_blocks: int = 0
    sizes: list[FloatArray] = field(default_factory=list)
    squares: float = 0.0
    measured: int = 0
    alarms: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CONSTANTS, 0))
    passes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CONSTANTS, 0))
    zeros: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CONSTANTS, 0))

    def add(self, truth: Expectation, actual: FloatArray, dtype: Format) -> None:
        """Count an implementation's gradient."""
        budget = truth.budget
        network = budget.question.network
        names = list(network.names())
        expected, rest, bound = (
            np.concatenate([part[n].ravel() for n in names]) for part in (truth.values, truth.rest, truth.bounds)
        )
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            error = np.abs(actual - expected - rest)
            off = np.where(budget.deviations.gradient > 0, error / budget.deviations.gradient, 0)
        ratio = ratios(error, bound)
        size = np.abs(expected)
        self.elements += actual.size
        self.false += int(np.count_nonzero(ratio > 1))
        self.largest = max(self.largest, float(ratio.max(initial=0)))
        known = np.isfinite(off)
        self.squares, self.measured = self.squares + float(np.sum(off[known] ** 2)), self.measured + int(known.sum())
        for name, pairs in CONSTANTS.items():
            rtol, atol = pairs[dtype]
            limit = atol + rtol * size
            self.alarms[name] += int(np.count_nonzero(~(error <= limit)))
            self.passes[name] += int(np.count_nonzero(2 * bound <= limit))
            self.zeros[name] += int(np.count_nonzero((size <= limit) & (size > bound)))

    def include(self, other: Tally) -> None:
        """Count what was counted elsewhere."""
        for name in ("elements", "asked", "false", "decided", "blocks", "decided_blocks", "squares", "measured"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.largest = max(self.largest, other.largest)
        self.sizes += other.sizes
        for counts, more in (
            (self.alarms, other.alarms),
            (self.passes, other.passes),
            (self.zeros, other.zeros),
        ):
            for name in counts:
                counts[name] += more[name]

    def look(self, truth: Expectation) -> None:
        """Count what the bounds of a question say, whoever answers it."""
        for name in truth.budget.question.network.names():
            (value, certain), bound = truth.signal(name), truth.bounds[name]
            size = np.abs(value)
            self.asked += size.size
            self.decided += int(np.count_nonzero(is_decided(bound, size, certain)))
            self.blocks += 1
            self.decided_blocks += says_something(bound, size, certain)
            self.sizes.append((bound[size > 0] / size[size > 0])[:: max(1, size.size // 1000)])


def question(case: Case, dtype: Format, precision: Precision) -> Expectation:
    """The truth and the bounds of a case."""
    budget = tolerance(case.network, *case.question(dtype), precision=precision)
    return expect(budget, rule=GradientDescent(), learning_rate=None)


def precision_of(peer: Peer, dtype: Format) -> Precision:
    """The shorthand; but JAX sums 16-bit numbers in their own format, and this is spelt out."""
    shorthand = precision_named(dtype)
    return replace(shorthand, sums=dtype) if peer.package == "jax" and shorthand.format.digits < 24 else shorthand


def depth(case: Case) -> int:
    return sum(isinstance(layer, Dense) for layer in case.network.layers)


@dataclass
class Findings:
    """What was found, by format, by depth and by implementation."""

    of: dict[Format, Tally] = field(default_factory=lambda: {dtype: Tally() for dtype in FORMATS})
    by_depth: dict[tuple[Format, int], Tally] = field(default_factory=lambda: defaultdict(Tally))
    by_peer: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    questions: int = 0
    dependent: int = 0

    def include(self, other: Findings) -> None:
        """Count what was found elsewhere."""
        for dtype in FORMATS:
            self.of[dtype].include(other.of[dtype])
        for ours, theirs in ((self.by_depth, other.by_depth), (self.by_peer, other.by_peer)):
            for key, tally in theirs.items():
                ours[key].include(tally)  # type: ignore[index]
        self.questions += other.questions
        self.dependent += other.dependent

    def put(self, case: Case, dtype: Format, peers: list[Peer]) -> Iterator[Line]:
        """Put a case to implementations; name what is out of its bounds."""
        tallies = self.of[dtype], self.by_depth[dtype, depth(case)]
        for precision in {precision_of(peer, dtype) for peer in peers}:
            truth = question(case, dtype, precision)
            self.questions, self.dependent = self.questions + 1, self.dependent + (not truth.budget.independent)
            if precision == precision_named(dtype):
                for tally in tallies:
                    tally.look(truth)
            for peer in peers:
                if precision_of(peer, dtype) != precision:
                    continue
                answer = peer.answer(case.network, *case.question(dtype), dtype)
                for tally in (*tallies, self.by_peer[peer.name]):
                    tally.add(truth, answer["gradient"], dtype)
                for part in truth.judge({name: np.asarray(answer[name]) for name in Evaluation._fields}).parts:
                    if part.verdict == "disagrees":
                        yield f"{peer.name}, {dtype}, {case.name}: {part.name} by {part.ratio:.3g} bounds"


def alarms() -> Iterator[Line]:
    """Every case, every implementation, every format."""
    present = [peer for peer in PEERS if peer.missing is None]
    yield from (f"absent: {peer.name}, {peer.missing}" for peer in PEERS if peer.missing is not None)
    packages = sorted({peer.package for peer in present})
    yield Row(f"libraries that are present: {', '.join(packages)}", len(packages), PEERS_AT_LEAST, goal_is="at least")
    yield f"implementations: {', '.join(peer.name for peer in present)}"
    findings = Findings()
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as executor:
        found = executor.map(_of_case, range(len(CASES)))
        for _ in with_progress("alarms", CASES):
            lines, of_case = next(found)
            yield from lines
            findings.include(of_case)
    yield from summary(findings)


def _of_case(number: int) -> tuple[list[Line], Findings]:
    case, findings, lines = CASES[number], Findings(), list[Line]()
    for dtype in case.formats:
        peers = [peer for peer in PEERS if peer.missing is None and dtype in case.formats_of(peer)]
        lines += findings.put(case, dtype, peers)
    return lines, findings


def summary(findings: Findings) -> Iterator[Line]:
    """The figures."""
    yield Row("elements of gradients", sum(t.elements for t in findings.of.values()), 1e7, goal_is="at least")
    for dtype, tally in findings.of.items():
        share = 0.8 if dtype == "bfloat16" else 0.95 if dtype != "float16" else None
        yield Row(f"{dtype}: false alarms among {tally.elements}", tally.false, 0)
        yield Row(f"{dtype}: largest error/bound", tally.largest, 1)
        yield Row(f"{dtype}: share of elements decided", tally.decided / tally.asked, share, goal_is="at least")
        yield Row(f"{dtype}: share of blocks decided", tally.decided_blocks / tally.blocks, 0.95, goal_is="at least")
        for name in CONSTANTS:
            what = f"{dtype}, {name}"
            yield Row(f"{what}: false alarms, share of elements", tally.alarms[name] / tally.elements)
            yield Row(f"{what}: pass twice the bound, share of elements", tally.passes[name] / tally.elements)
            yield Row(f"{what}: zero passes where the bound sees it, share", tally.zeros[name] / tally.elements)
    for (dtype, layers), tally in sorted(findings.by_depth.items()):
        rms = math.sqrt(tally.squares / max(1, tally.measured))
        relative = float(np.median(np.concatenate(tally.sizes))) if any(s.size for s in tally.sizes) else math.nan
        share = tally.decided / tally.asked
        yield (
            f"{dtype:9} {layers:2} layers: {tally.elements:9} elements, decided {share:6.1%}, "
            f"bound/|g| {relative:.1e}, error/sd rms {rms:.2f}, largest error/bound {tally.largest:.2f}"
        )
    for name, tally in sorted(findings.by_peer.items()):
        largest = f"largest error/bound {tally.largest:.2f}"
        yield f"{name:28} {tally.elements:9} elements, {tally.false} false alarms, {largest}"
    reinforced = f"errors reinforced each other in {findings.dependent}, where trials gave the variance"
    yield f"questions: {findings.questions}; {reinforced}"
