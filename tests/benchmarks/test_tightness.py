"""The measure of tightness finds known thresholds, and sees a rate that is too small and one that is too large."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest

from refnn import Dense, InnerProduct, Network, ReLU, SquaredError, activations, losses
from refnn.testing import Case
from tests.benchmarks.drawn import KINKED, SMOOTH, mixed
from tests.benchmarks.table import Row
from tests.benchmarks.tightness import FINE, Search, judged, rows

BOWL = Case(Network(Dense(1, 1), loss=SquaredError()), np.array([0.0, 0.0]), np.array([[3.0]]), np.array([[6.0]]))
"""L(w, b) = ½(3w + b − 6)² has the gradient (−18, −6) at 0, and the residual −6 + 60η: as large again at η = 1/5."""


@pytest.mark.parametrize("rate", [0.1999, 0.19, 0.1, 0.001, 0.2, 0.21, 0.3])
def test_the_search_finds_a_threshold_that_is_known(rate: float) -> None:
    found = Fraction(Search(BOWL).threshold(rate))
    assert Fraction(1, 5) <= found <= Fraction(1, 5) * (1 + 2 * Fraction(FINE))


def test_balls_tell_where_floats_cannot() -> None:
    search = Search(BOWL)
    below = math.nextafter(0.2, 0)
    assert Fraction(below) < Fraction(1, 5) < Fraction(0.2)
    assert search.not_lower(0.2)
    assert not search.not_lower(below)
    assert (search.points, search.by_balls) == (2, 2)


def test_floats_tell_where_they_can() -> None:
    search = Search(BOWL)
    assert search.not_lower(0.21)
    assert not search.not_lower(0.19)
    assert (search.points, search.by_balls) == (2, 0)


@pytest.mark.parametrize("kinds", [SMOOTH, KINKED], ids=["smooth", "kinked"])
def test_certificates_are_tight_and_the_measure_sees_rates_that_are_not(
    kinds: tuple[type[activations.Activation], ...],
) -> None:
    found = [judged(case) for case in mixed(kinds, 4)]
    measured = [each for each in found if not each.apart]
    assert measured
    for each in measured:
        assert 0.99 < each.share <= 1
        assert not each.convicted
        small = judged(each.case, each.certificate.rate / 3)
        assert not small.apart
        assert abs(small.share - each.share / 3) < FINE  # each is within that, relatively, of the same threshold
        large = judged(each.case, each.certificate.rate * 1.01)
        assert not large.apart
        assert large.share > 1
        assert large.convicted


@pytest.mark.parametrize(("rate", "convicted"), [(0.1999, False), (math.nextafter(0.2, 0), False), (0.2, True)])
def test_a_certificate_speaks_of_its_own_rate_too(rate: float, convicted: bool) -> None:
    assert judged(BOWL, rate).convicted is convicted


def test_what_has_no_threshold_is_counted_apart() -> None:
    w, x, y = np.array([0.0, -1.0]), np.array([[3.0]]), np.array([[6.0]])
    falls = judged(Case(Network(Dense(1, 1), loss=InnerProduct()), w, x, y))
    assert (falls.apart, falls.beyond) == ("limit", math.inf)
    assert judged(Case(Network(Dense(1, 1), ReLU(), loss=SquaredError()), w, x, y)).apart == "zero gradient"


def test_a_certificate_whose_search_ended_at_its_limit_can_be_convicted() -> None:
    false = judged(BOWL, 0.21)
    assert false._replace(certificate=replace(false.certificate, reason="limit")).apart == ""


def test_the_goal_is_missed_by_rates_that_are_too_small_and_by_one_that_is_too_large() -> None:
    def verdicts(*rates: float) -> list[str]:
        lines = rows("", [judged(BOWL, rate) for rate in rates], 0.99, 0.9)
        return [line.verdict for line in lines if isinstance(line, Row) and line.goal is not None]

    assert verdicts(0.1999, 0.1999, 0.1999) == ["met", "met", "met"]
    assert verdicts(0.1, 0.1999, 0.1999) == ["met", "MISSED", "met"]
    assert verdicts(0.1, 0.1, 0.1999) == ["MISSED", "MISSED", "met"]
    assert verdicts(0.21, 0.1999, 0.1999) == ["met", "met", "MISSED"]


# -------------------------------------------------------------------------------------------------- what is drawn


@pytest.mark.parametrize("kinds", [SMOOTH, KINKED], ids=["smooth", "kinked"])
def test_every_activation_meets_every_loss(kinds: tuple[type[activations.Activation], ...]) -> None:
    each = len(kinds) * len(losses.ALL)
    drawn = list(mixed(kinds, 2 * each))
    assert Counter(type(case.network.loss_function) for case in drawn) == {loss: 2 * len(kinds) for loss in losses.ALL}
    used = {type(layer) for case in drawn for layer in case.network.layers}
    assert used == {Dense, *kinds}
    assert {sum(isinstance(layer, Dense) for layer in case.network.layers) for case in drawn} == {1, 2, 3}


def test_what_is_drawn_is_the_same_in_every_run() -> None:
    for a, b in zip(islice(mixed(SMOOTH, 5), 5), mixed(SMOOTH, 5), strict=True):
        assert a.network == b.network
        assert all(np.array_equal(*pair) for pair in zip(a[1:], b[1:], strict=True))


def test_activations_are_smooth_or_kinked() -> None:
    assert {*SMOOTH, *KINKED} == {*activations.ALL}
    assert {kind.__name__ for kind in KINKED} == {"ReLU", "LeakyReLU", "ELU"}
