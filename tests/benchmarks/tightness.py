"""How much a certified learning rate gives away: its share of a rate at which the loss is proven not to be lower.

Let T be the true threshold: the least rate at which the loss is not lower. A search that knows nothing of how the rate
was certified finds some η with L(w − η·g) ≥ L(w), proven: then T ≤ η, and the certified rate is at least the share
rate/η of T. An η that is no larger than the rate convicts the certificate of proving too much. The proof is by bounds
on rounding errors (`RoundedArray`); where these cannot tell, by plain balls, which are counted.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from refnn import Certificate, DivergenceError, certified_learning_rate
from refnn.arithmetic.ball import BallArray, working_precision
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray
from refnn.testing import Case
from tests.benchmarks.drawn import KINKED, SMOOTH, mixed
from tests.benchmarks.table import Line, Row, with_progress

NETWORKS = {"smooth": 200, "kinked": 100}
BITS = 256
SLOW = 5.0  # seconds, from which on a case is shown by itself

BELOW = [*(2.0**-k for k in range(20, 5, -1)), *(k / 32 for k in range(1, 33))]
"""Where a certificate is put to the test, as shares of its rate; 1 is the last."""
ABOVE = [1 + 2.0**-14 * 1.25**k for k in range(84)]
"""Where a rate is looked for that proves it nearly best possible: close at first, up to thousands of times as large."""
FINE = 2.0**-20
"""How near, relatively, the rate that was found is then brought to one of which that could not be proven."""


@dataclass(slots=True)
class Search:
    """A look for rates at which the loss of a case is proven not to be lower.

    Attributes
    ----------
    points
        How many rates were looked at.
    by_balls
        For how many the bounds of floats could not tell.
    """

    case: Case
    points: int = 0
    by_balls: int = 0
    _gradient: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        network, w, x, y = self.case
        self._gradient = network.loss_and_gradient(w, x, y)[1]

    def not_lower(self, eta: float) -> bool:
        """Whether it is proven that L(w − η·g) ≥ L(w), for just this η."""
        self.points += 1
        told = self._by_floats(eta)
        if told is None:
            self.by_balls += 1
            told = self._by_balls(eta)
        return told

    def _by_floats(self, eta: float) -> bool | None:
        """None, if the rounding errors may be larger than what the loss changes by."""
        network, w, x, y = self.case
        start = RoundedArray.exact(w)
        try:
            before = network.loss(start, x, y)
            step = RoundedArray.exact(np.asarray(eta)) * RoundedArray.exact(self._gradient)
            after = network.loss(start - step, x, y)
        except DivergenceError:
            return None
        if _least(after) >= _most(before):
            return True
        return False if _most(after) < _least(before) else None

    def _by_balls(self, eta: float) -> bool:
        network, w, x, y = self.case
        with working_precision(BITS):
            start = BallArray.exact(w)
            step = BallArray.exact(np.asarray(eta)) * BallArray.exact(self._gradient)
            before, after = (network.loss(point, x, y).elements.item() for point in (start, start - step))
            return bool(after >= before)

    def threshold(self, rate: float) -> float:
        """The least rate met at which the loss is proven not to be lower, sought below `rate` and then above."""
        last = 0.0
        for share in (*BELOW, *ABOVE):
            eta = share * rate
            if self.not_lower(eta):
                return self._nearer(last, eta)
            last = eta
        return math.inf

    def _nearer(self, unproven: float, proven: float) -> float:
        while proven - unproven > FINE * proven:
            middle = unproven + (proven - unproven) / 2
            if self.not_lower(middle):
                proven = middle
            else:
                unproven = middle
        return proven


def _least(loss: RoundedArray) -> float:
    return math.nextafter(float(loss.value) - float(loss.error), -math.inf)


def _most(loss: RoundedArray) -> float:
    return math.nextafter(float(loss.value) + float(loss.error), math.inf)


class Judged(NamedTuple):
    """One case: its certificate, the least rate met that is proven not to lower the loss, and what it took."""

    case: Case
    certificate: Certificate
    beyond: float
    time: float
    points: int
    by_balls: int

    @property
    def share(self) -> float:
        return self.certificate.rate / self.beyond if self.certificate.rate > 0 else 0.0

    @property
    def convicted(self) -> bool:
        """Whether the certificate proves too much; the rate itself is among those that it speaks of."""
        return self.beyond <= self.certificate.rate

    @property
    def apart(self) -> str:
        """Why the share says nothing of how tight the certificate is; empty if it does say so, or convicts it."""
        if self.convicted:
            return ""
        if self.certificate.reason in ("zero gradient", "kink", "no descent", "limit"):
            return self.certificate.reason
        endless = self.certificate.rate > 0 and self.beyond == math.inf
        return f"{self.certificate.reason}, and no rate met that is proven not lower" if endless else ""


def judged(case: Case, rate: float | None = None) -> Judged:
    """A case with its certificate; with the rate that is given, if any, in place of the certified one."""
    start = time.perf_counter()
    certificate = certified_learning_rate(*case)
    duration = time.perf_counter() - start
    if rate is not None:
        certificate = replace(certificate, rate=rate)
    search = Search(case)
    beyond = search.threshold(certificate.rate) if certificate.rate > 0 else math.inf
    return Judged(case, certificate, beyond, duration, search.points, search.by_balls)


def rows(what: str, every: Sequence[Judged], median: float | None, low: float | None) -> Iterator[Line]:
    found = [each for each in every if not each.apart]
    shares = [each.share for each in found]
    goals: dict[str, float | None] = {"median": median, "5th percentile": low, "least": None}
    values = np.quantile(shares, (0.5, 0.05, 0), method="inverted_cdf") if shares else [math.nan] * 3
    for (which, goal), value in zip(goals.items(), values, strict=True):
        yield Row(f"{what}: {which} of {len(shares)}", float(value), goal, "", "at least")
    yield Row(f"{what}: certificates that prove too much", sum(each.convicted for each in found), 0)
    for which, chosen in (("measured", found), ("counted apart", [each for each in every if each.apart])):
        tiles, times = [len(each.certificate.tiles) for each in chosen], [each.time for each in chosen]
        yield Row(f"{what}, {which}: tiles, median", statistics.median(tiles or [0]))
        yield Row(f"{what}, {which}: tiles, most", max(tiles, default=0))
        yield Row(f"{what}, {which}: time, median", statistics.median(times or [0]), None, "s")
        yield Row(f"{what}, {which}: time, longest", max(times, default=0), None, "s")
    yield f"  measured: {_counted(each.certificate.reason for each in found)}"
    yield f"  counted apart: {_counted(each.apart for each in every if each.apart)}"
    points, by_balls = (sum(column) for column in zip(*((e.points, e.by_balls) for e in every), strict=True))
    yield f"  rates looked at: {points}; for {by_balls} of them floats could not tell, and balls were asked"
    for each in every:
        if each.certificate.reason in ("budget", "precision") or each.convicted or each.time > SLOW:
            network, _, x, _ = each.case
            took = f"{len(each.certificate.tiles)} tiles, {each.time:.1f} s"
            met = f"proven not lower at {each.beyond:.6g}" if each.beyond < math.inf else "no rate met beyond"
            yield f"  {each.certificate} ({took}; {met}): {len(x)} samples, {network}"


def _counted(reasons: Iterable[str]) -> str:
    return ", ".join(f"{n} {reason!r}" for reason, n in Counter(reasons).most_common()) or "none"


def tightness() -> Iterator[Line]:
    goals = {"smooth": (0.99, 0.9), "kinked": (None, None)}
    for what, kinds in (("smooth", SMOOTH), ("kinked", KINKED)):
        cases = with_progress(f"tightness, {what} networks", list(mixed(kinds, NETWORKS[what])))
        yield from rows(f"tightness, {what} networks", [judged(case) for case in cases], *goals[what])
