from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

import refnn
from refnn import witnesses
from refnn.arrays import A
from refnn.witnesses import examine, symbolic, textbook
from tests.witnesses.networks import batch

NETWORK = refnn.Network(refnn.Dense(3, 2), refnn.Tanh(), refnn.Dense(2, 5), loss=refnn.SoftmaxCrossEntropy())


def verdicts(network: refnn.Network = NETWORK) -> dict[str, str]:
    return {row.witness: row.verdict for row in examine(network, *batch(network))}


def test_all_witnesses_agree_and_each_says_what_it_cannot_see() -> None:
    heard: list[str] = []
    rows = examine(NETWORK, *batch(NETWORK), progress=heard.append)
    assert [row.witness for row in rows] == list(witnesses.ALL) == heard
    for row in rows:
        assert row.verdict == "agrees"
        assert row.ratio is not None
        assert 0 <= row.ratio <= 1
        assert row.ulps is not None
        assert row.seconds >= 0
        assert "gradient, input gradient" in row.sees
        assert len(row.blind_to) > 10
    assert {row.witness for row in rows if row.sees.startswith("outputs, loss")} == set(witnesses.ALL) - {
        "finite_difference"
    }


def test_every_module_of_a_witness_is_heard() -> None:
    for name in witnesses.ALL:
        module = importlib.import_module(f"refnn.witnesses.{name}")
        assert callable(module.testify)
        assert isinstance(module.BLIND_TO, str)


def test_a_wrong_derivative_is_seen_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: refnn.Tanh, z: A) -> A:
        return 1 - self.forward((), z)

    monkeypatch.setattr(refnn.Tanh, "derivative", wrong)
    assert set(verdicts().values()) == {"disagrees"}


def test_a_factor_is_seen_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(self: refnn.Dense, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        w, b = right(self, parameters, x, delta)
        return w, 2 * b

    right = refnn.Dense.gradient
    monkeypatch.setattr(refnn.Dense, "gradient", doubled)
    assert set(verdicts().values()) == {"disagrees"}


def test_a_wrong_formula_is_seen_by_those_who_have_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """tanh(2z), with the derivative that belongs to it: whoever runs the program finds nothing wrong."""

    def steeper(_: refnn.Tanh, __: tuple[A, ...], z: A) -> A:
        return right(refnn.Tanh(), (), 2 * z)

    def its_slope(_: refnn.Tanh, z: A) -> A:
        return 2 * slope(refnn.Tanh(), 2 * z)

    right, slope = refnn.Tanh.forward, refnn.Tanh.derivative
    monkeypatch.setattr(refnn.Tanh, "forward", steeper)
    monkeypatch.setattr(refnn.Tanh, "derivative", its_slope)
    own = {"textbook", "symbolic"}
    assert verdicts() == {name: "disagrees" if name in own else "agrees" for name in witnesses.ALL}


def test_without_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sympy", None)
    monkeypatch.setitem(sys.modules, "mpmath", None)
    for module in (textbook, symbolic):
        for function in vars(module).values():
            if hasattr(function, "cache_clear"):
                function.cache_clear()
    rows = {row.witness: row for row in examine(NETWORK, *batch(NETWORK))}
    for name in ("textbook", "symbolic"):
        assert rows[name].verdict == "not installed"
        assert "Run: pip install" in rows[name].note
        assert rows[name].ratio is None
        assert rows[name].sees == "nothing"
    assert rows["forward_mode"].verdict == "agrees"


def test_what_is_beyond_a_witness_is_not_run() -> None:
    network = refnn.Network(refnn.Dense(1, 1), refnn.ReLU(), loss=refnn.SquaredError())
    rows = {row.witness: row for row in examine(network, [2.0, 0.0], [[0.0]], [1.0])}
    assert rows["finite_difference"].verdict == "not run"
    assert "kink" in rows["finite_difference"].note
    assert rows["forward_mode"].verdict == "agrees"


def test_single_precision() -> None:
    w, x, y = batch(NETWORK)
    rows = examine(NETWORK, w.astype(np.float32), x.astype(np.float32), y)
    assert {row.verdict for row in rows} == {"agrees"}
    assert all(
        row.ulps is not None and row.ulps < 1000 for row in rows
    )  # ulps of float32; of float64 they would be 2²⁹ as many


def test_elements_that_the_bounds_say_nothing_of_are_counted() -> None:
    """A sum that cancels to less than its rounding error: 0.1 + 0.2 − 0.3."""
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.InnerProduct())
    rows = examine(network, [1.0, 0.0], [[1.0], [1.0], [1.0]], [0.1, 0.2, -0.3])
    by_name = {row.witness: row for row in rows}
    assert by_name["forward_mode"].note == "for 2 of 5 elements of the gradients, a zero would pass too"
    assert by_name["forward_mode"].verdict == "undecided"  # though the input gradient is decided


def test_where_zeros_would_pass_nothing_is_decided() -> None:
    """As above, of inputs that take no part: all that is left of the gradients is rounding."""
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.InnerProduct())
    for row in examine(network, [0.0, 0.0], [[1.0], [1.0], [1.0]], [0.1, 0.2, -0.3]):
        assert row.verdict == "undecided"
        assert row.note == "for 2 of 5 elements of the gradients, a zero would pass too"


def test_at_a_kink_the_textbook_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = refnn.Network(refnn.Dense(1, 1), refnn.ReLU(), loss=refnn.InnerProduct())

    def ask() -> dict[str, str]:
        return {row.witness: row.verdict for row in examine(network, [0.0, 0.0], [[1.0]], [1.0])}

    assert ask()["textbook"] == "undecided"
    monkeypatch.setattr(refnn.ReLU, "derivative", lambda _, z: 7 + 0 * z)
    assert ask()["textbook"] == "undecided"
    assert ask()["symbolic"] == "disagrees"  # whose convention is refnn's


def test_no_parameters() -> None:
    network = refnn.Network(refnn.Tanh(), loss=refnn.SquaredError())
    assert set(verdicts(network).values()) == {"agrees"}
