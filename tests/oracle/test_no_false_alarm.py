"""What others compute is within the bounds, and what they are known to do wrong is not.

The whole list of cases, some 10⁷ elements, is a benchmark: ``python -m tests.benchmarks alarms``. Here are quick ones.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from refnn import GradientDescent, Precision, tolerance
from refnn.arithmetic.precision import precision_named
from refnn.oracle.comparison import Comparison, Expectation, expect
from tests.benchmarks.alarms import precision_of
from tests.peers.cases import KNOWN, QUICK, STRICT, Case, Known
from tests.peers.implementations import FORMATS, PEERS, Format, Peer

QUICK_PEERS = [peer for peer in PEERS if not peer.compiles]
ASKED = [
    pytest.param(peer, case, id=f"{peer.name}, {case.name}")
    for peer in QUICK_PEERS
    for case in QUICK
    if peer.supports(case.network)
]


def present(peer: Peer) -> Peer:
    if peer.missing:
        pytest.skip(peer.missing)
    return peer


@cache
def truth(case: Case, dtype: Format, precision: Precision) -> Expectation:
    """Once for all implementations."""
    budget = tolerance(case.network, *case.question(dtype), precision=precision)
    return expect(budget, rule=GradientDescent(), learning_rate=None)


def judged(peer: Peer, case: Case, dtype: Format, precision: Precision) -> Comparison:
    answer = present(peer).answer(case.network, *case.question(dtype), dtype)
    return truth(case, dtype, precision).judge({name: np.asarray(values) for name, values in answer.items()})


@pytest.mark.parametrize(("peer", "case"), ASKED)
def test_no_false_alarm(peer: Peer, case: Case) -> None:
    for dtype in (dtype for dtype in FORMATS if dtype in case.formats_of(peer)):
        report = judged(peer, case, dtype, precision_of(peer, dtype))
        assert report.verdict != "disagrees", f"{dtype}\n{report}"


def verdict_on(known: Known, precision: Precision) -> str:
    (peer,) = (peer for peer in PEERS if peer.name == known.peer)
    report = judged(peer, known.case, known.dtype, precision)
    of_field = {part.name: part for part in report.parts}
    names = known.case.network.names() if known.field == "gradient" else (known.field,)
    verdicts = {of_field[name].verdict for name in names}
    return "disagrees" if "disagrees" in verdicts else "within"


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: f"{known.peer}, {known.case.name}, {known.field}")
def test_what_is_known_to_be_wrong_is_caught(known: Known) -> None:
    assert verdict_on(known, precision_named(known.dtype)) == "disagrees"


@pytest.mark.parametrize("known", STRICT, ids=lambda known: f"{known.peer}, {known.case.name}, {known.field}")
def test_what_loses_tails_is_within_unless_tails_are_asked_for(known: Known) -> None:
    usual = precision_named(known.dtype)
    assert verdict_on(known, usual) == "within"
    assert verdict_on(known, replace(usual, keeps_tails=True, flushes=False)) == "disagrees"
