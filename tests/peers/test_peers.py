"""The peers themselves: that they answer the question, in the format that they say, and in orders that differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refnn
from refnn.arithmetic.rounded import RoundedArray
from tests.peers.by_hand import BLOCK, ORDERS, TEXTBOOK, summed
from tests.peers.cases import CASES, KNOWN, QUICK, STRICT, Case, Known, rounded
from tests.peers.changes import Batch
from tests.peers.implementations import FORMATS, PEERS, Format, Peer

UNITS = {"float64": 2.0**-53, "float32": 2.0**-24, "bfloat16": 2.0**-8, "float16": 2.0**-11}
SUBNORMAL = {"float64": 2.0**-1074, "float32": 2.0**-149, "bfloat16": 2.0**-133, "float16": 2.0**-24}

OTHER_FORMULAS = 2
"""A slope from a value h that is off by 8 roundings, 1 − h², rounds as (16h² + 3)/(1 − h²) < 30 of them for |z| ≤ 1,
where refnn's own, which the bound is of, is allowed 19; that of GELU by tanh, twice as steep, cancels no more."""

(IRISES,) = (case for case in CASES if case.name == "irises")
ASKED = [
    pytest.param(peer, case, id=f"{peer.name}, {case.name}")
    for peer in PEERS
    for case in ((IRISES,) if peer.compiles else QUICK)
    if peer.supports(case.network)
]


def present(peer: Peer) -> Peer:
    if peer.missing:
        pytest.skip(peer.missing)
    return peer


def named(name: str) -> Peer:
    (peer,) = (peer for peer in PEERS if peer.name == name)
    return present(peer)


def gentle(case: Case) -> Batch:
    """The weights halved until no number that an activation sees is beyond ±1."""
    w, x, y = case.question("float64")
    network = case.network
    while max(np.max(abs(h)) for h in network.forward(network.parameters(w), x)[1:]) > 1:
        w = w / 2  # exactly, so that what was 0 is 0
    return Batch(w, x, y)


def ratios(network: refnn.Network, batch: Batch, answer: dict[str, Any], dtype: Format) -> dict[str, float]:
    """For each field the largest distance from the truth, relative to the worst case of refnn's own rounding.

    That of a narrow format is that of float32 times the ratio of their units: products of errors are much smaller.
    """
    own = np.dtype(np.float64 if dtype == "float64" else np.float32)
    truth = refnn.exact(network, *batch, dtype=dtype)
    w, x, y = (a if a.dtype.kind in "iu" else a.astype(own) for a in batch)
    bound = network.evaluate(RoundedArray.exact(w), x, y)
    coarser = UNITS[dtype] / UNITS[own.name]
    found = {}
    for field, value in answer.items():
        true = np.asarray(getattr(truth, field)).astype(np.float64)
        assert value.shape == true.shape
        rounding = UNITS[dtype] * abs(true) + SUBNORMAL[dtype]  # of the truth itself
        found[field] = float(np.max(abs(value - true) / (coarser * getattr(bound, field).error + rounding)))
    return found


@pytest.mark.parametrize(("peer", "case"), ASKED)
def test_a_peer_knows_the_truth(peer: Peer, case: Case) -> None:
    batch = gentle(case)
    answer = present(peer).answer(case.network, *batch, "float64")
    assert max(ratios(case.network, batch, answer, "float64").values()) <= OTHER_FORMULAS


@pytest.mark.parametrize("peer", [pytest.param(peer, id=peer.name) for peer in PEERS])
def test_a_peer_computes_in_its_formats(peer: Peer) -> None:
    """Numbers of the format, somewhere others than the truth rounded once."""
    for dtype in present(peer).formats:
        batch = IRISES.question(dtype)
        answer = peer.answer(IRISES.network, *batch, dtype)
        assert all(np.array_equal(rounded(value, dtype), value) for value in answer.values())
        gradient = refnn.exact(IRISES.network, *batch, dtype=dtype).gradient.astype(np.float64)
        assert not np.array_equal(answer["gradient"], gradient)


def test_a_wrong_answer_is_none() -> None:
    case, peer = QUICK[0], PEERS[-1]
    batch = gentle(case)
    answer = peer.answer(case.network, *batch, "float64")
    answer["gradient"][np.argmax(abs(answer["gradient"]))] *= 1 + 1e-12
    assert ratios(case.network, batch, answer, "float64")["gradient"] > OTHER_FORMULAS


def test_a_peer_may_be_missing() -> None:
    absent = Peer("absent", "no_such_package", FORMATS, PEERS[0].supports, PEERS[0].compute)
    assert absent.missing == "no_such_package is not installed"
    with pytest.raises(pytest.skip.Exception, match="no_such_package"):
        present(absent)


# --------------------------------------------------------------------------------------------------- orders of the sums


def test_the_orders_differ() -> None:
    """1 and 63 times 2⁻⁵³, of which two are needed to move it."""
    terms = np.full((64, 1), 2.0**-53)
    terms[0] = 1
    sums = {order.__name__: (summed(order).columns(terms)[0] - 1) * 2**53 for order in ORDERS}
    assert sums == {"sequential": 0, "backwards": 64, "pairwise": 62, "blocked": 64 - BLOCK}


@pytest.mark.parametrize("sums", [TEXTBOOK, *map(summed, ORDERS)])
def test_every_order_adds_all_terms(sums: Any) -> None:
    """Of whole numbers, exactly."""
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-9, 10, size=shape) * 1.0 for shape in ((3, 37), (37, 5)))
    assert np.array_equal(sums.product(a, b), np.einsum("ik,kj->ij", a, b))
    assert np.array_equal(sums.columns(b), np.einsum("kj->j", b))


# ------------------------------------------------------------------------------------------------------------ the cases


@pytest.mark.parametrize("known", [pytest.param(known, id=known.reason) for known in KNOWN + STRICT])
def test_what_is_known_is_seen(known: Known) -> None:
    batch = known.case.question(known.dtype)
    answer = named(known.peer).answer(known.case.network, *batch, known.dtype)
    assert ratios(known.case.network, batch, answer, known.dtype)[known.field] > 1


def test_the_cases_are_many() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    elements = sum(case.network.size * len(case.formats_of(peer)) for case in CASES for peer in PEERS)
    assert elements >= 10**7


def test_a_case_is_drawn_from_its_seed() -> None:
    case = QUICK[0]
    first, again, other = (case.batch(seed) for seed in (0, 0, 1))
    assert all(map(np.array_equal, first, again))
    assert not any(map(np.array_equal, first, other))


@pytest.mark.parametrize("dtype", FORMATS)
def test_questions_are_of_the_format(dtype: Format) -> None:
    for case in QUICK:
        w, x, y = case.question(dtype)
        assert all(np.array_equal(rounded(a, dtype), a) for a in (w, x, y))
