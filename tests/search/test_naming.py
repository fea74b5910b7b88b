"""`refnn.check` names faults that are planted in programs by hand (`tests.oracle.faults`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import strategies as st

import refnn
from refnn.testing import networks
from tests.oracle.faults import FAULTS, Fault
from tests.search.implementations import planted


def about(fault: Fault) -> dict[str, Any]:
    """Questions of the kind that a planted program understands: its own loss and activations."""
    units = [layer for layer in fault.case.network.layers if isinstance(layer, refnn.Activation)]
    return {
        "networks": networks(
            activations=units or [refnn.Tanh()],
            losses=[fault.case.network.loss_function],
            widths=(1, 2, 3, 4, 5, 6, 7),
            last=st.just(False),
        ),
        "batches": 7 if fault.id == "L5" else None,  # it is parts of three and four samples
        "layout": refnn.Layout(classes="rows"),
        "examples": 200,
        "keep": None,
    }


NAMED = {fault.what: fault for fault in FAULTS if fault.id != "L4"}
"""Of the squared error, L4 (a sum averaged over two workers) is a factor of ½, as is another fault."""


def of(faults: Iterable[Fault]) -> list[Any]:
    return [pytest.param(fault, id=f"{fault.id}: {fault.what}") for fault in faults]


@pytest.mark.parametrize("fault", of(NAMED.values()))
def test_a_fault_planted_in_another_program_is_named(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """With less patience than usual."""
    monkeypatch.setattr("refnn.search.checking._PROBES", 8)  # more of its own kind than otherwise among all kinds
    monkeypatch.setattr("refnn.search.search._SIMPLER", 20)
    assert_named(fault)


@pytest.mark.parametrize("fault", of(fault for fault in NAMED.values() if fault.id in ("L3", "A5", "G1")))
def test_it_is_named_as_it_would_be_for_a_user(fault: Fault) -> None:
    assert_named(fault)


def assert_named(fault: Fault) -> None:
    report = refnn.check(planted(fault), **about(fault))
    assert report.verdict == "disagrees"
    assert report.diagnosis is not None
    assert report.diagnosis.fault is not None, report
    assert report.diagnosis.fault.id.split("/")[0] == fault.id, report
