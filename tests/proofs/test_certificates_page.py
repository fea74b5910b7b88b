"""A certificate of refnn states what the theorems about certificates assume: tiles in a chain, each of one kind."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from flint import arb, fmpq
from hypothesis import given
from hypothesis import strategies as st
from sympy import Rational

from proofs.topics import certificates as page
from refnn import Dense, Network, ReLU, SoftmaxCrossEntropy, SquaredError, Tanh, certified_learning_rate
from refnn.arithmetic.ball import BallArray, working_precision
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.tile import TileArray
from refnn.oracle.certificate import Certificate, Tile

NETWORKS = {
    "tanh": Network(Dense(2, 3), Tanh(), Dense(3, 2), loss=SquaredError()),
    "relu": Network(Dense(2, 3), ReLU(), Dense(3, 2), loss=SquaredError()),
    "softmax": Network(Dense(2, 3), Tanh(), Dense(3, 4), loss=SoftmaxCrossEntropy()),
    "regression": Network(Dense(2, 1), loss=SquaredError()),
}


class Line:
    """φ and its slope for every rate of a ball, by plain balls: nothing of what found the certificate."""

    def __init__(self, name: str) -> None:
        self.network = NETWORKS[name]
        size, outputs = self.network.size, self.network.outputs
        assert outputs is not None
        self.w, self.x = np.sin(np.arange(1.0, size + 1)), np.cos(np.arange(10.0)).reshape(5, 2)
        y: Any = np.arange(5) % 4 if name == "softmax" else np.sin(np.arange(5.0 * outputs)).reshape(5, outputs)
        self.labels = self.network.check_targets(self.w, self.x, y)
        self.certificate = certified_learning_rate(self.network, self.w, self.x, y)

    def at(self, rate: Any) -> BallArray:
        moved: BallArray = BallArray.exact(self.w) - ball(rate) * BallArray.exact(self.certificate.gradient)
        return moved

    def loss(self, rate: Any) -> Any:
        return self.network.value(self.at(rate), BallArray.exact(self.x), self.labels).elements.item()

    def slope(self, rate: Any) -> Any:
        w = DualArray(self.at(rate), -BallArray.exact(self.certificate.gradient))
        phi: Any = self.network.value(w, w.lift(self.x), self.labels)
        return phi.tangent.elements.item()


def ball(value: Any) -> BallArray:
    return BallArray(np.array(arb(value), object))


def kind(tile: Tile, certificate: Certificate) -> int:
    """θ of a tile."""
    if tile.slope.elements.item() < 0:
        return 1
    assert tile.low > 0
    assert tile.loss.elements.item() < certificate.loss.elements.item()
    return 0


def test_theta_tells_the_kind_of_a_tile() -> None:
    theta = page.theta[page.k]
    assert page.KIND.subs(theta, 1) == page.phi(page.e[page.k])
    assert page.KIND.subs(theta, 0) == page.START


@pytest.mark.parametrize("name", NETWORKS)
def test_the_tiles_are_a_chain_of_the_two_kinds(name: str) -> None:
    """What certified-rate assumes; both sides of it are enclosed at some rates of each tile."""
    line = Line(name)
    found = line.certificate
    assert found.rate > 0
    assert [found.tiles[0].low, found.tiles[-1].high] == [0, found.rate]
    assert all(left.high == right.low for left, right in pairwise(found.tiles))
    kinds = [kind(tile, found) for tile in found.tiles]
    assert set(kinds) == {0, 1}  # so that both are tried
    with working_precision(2 * found.bits):
        start = line.loss(0)
        for theta, tile in zip(kinds, found.tiles, strict=True):
            low = line.loss(tile.low)
            assert not low > start  # certificate-ends
            for share in (0.01, 0.5, 1.0):
                inside = line.loss(tile.low + share * (tile.high - tile.low))
                assert inside < (low if theta else start)
                assert inside < start


@pytest.mark.parametrize("name", NETWORKS)
def test_slopes_are_within_what_a_tile_states_and_values_under_its_lines(name: str) -> None:
    """mean-value-right and mean-value-left, with the m and M of each tile, on values that are enclosed at points."""
    line = Line(name)
    with working_precision(2 * line.certificate.bits):
        for tile in line.certificate.tiles:
            slope, length = tile.slope.elements.item(), arb(tile.high) - arb(tile.low)
            low, high = line.loss(tile.low), line.loss(tile.high)
            assert not high > low + slope.upper() * length
            assert not low > high - slope.lower() * length
            assert slope.overlaps((high - low) / length)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_proven_again_by_plain_balls_leaves_the_room_that_is_assumed(name: str) -> None:
    """F + K (τ + ρ) < φ(0), wherever the ball φ(c) + φ′(part)·(part − c) is below φ(0), as `Certificate.holds` asks."""
    line, proven = Line(name), 0
    assert line.certificate.holds()
    with working_precision(line.certificate.bits):
        start = line.loss(0)
        parts = [(tile.low, tile.high) for tile in line.certificate.tiles if tile.low > 0]
        while parts:
            low, high = parts.pop()
            middle, part = low + (high - low) / 2, arb(low).union(arb(high))
            slope, at_middle = line.slope(part), line.loss(middle)
            if at_middle + slope * (part - middle) < start:
                largest, half = abs(slope).upper(), arb(high) - arb(middle)
                assert at_middle.upper() + largest * half < start
                proven += 1
            elif not slope < 0:
                parts += [(low, middle), (middle, high)]
    assert proven


QUARTERS = st.integers(-40, 40).map(lambda n: n / 4)
POSITIVE = st.integers(1, 40).map(lambda n: n / 4)


def roof(left: float, right: float, fall: float, climb: float, length: float) -> Fraction:
    """The right side of tile-roof."""
    ends = {page.phi(page.a): left, page.phi(page.a + page.tau + page.rho): right}
    lines = {page.steepest: fall, page.highest: climb, page.tau: length, page.rho: 0}
    found = page.ROOF.expression.xreplace({old: Rational(new) for old, new in ends.items()})
    found = found.subs({old: Rational(new) for old, new in lines.items()})
    return Fraction(int(found.p), int(found.q))


@given(QUARTERS, st.integers(0, 8), POSITIVE, POSITIVE, POSITIVE)
def test_the_roof_is_that_of_refnn(left: float, eighths: int, fall: float, climb: float, length: float) -> None:
    """But for the radius of the ball, which Arb keeps to 30 bits and rounds upwards.

    The mean slope from end to end is somewhere between the least and the largest.
    """
    right = left + length * (eighths * climb - (8 - eighths) * fall) / 8
    with working_precision(160):
        slope = arb(-fall).union(arb(climb))
        tile = TileArray(ball(left), ball(right), BallArray(np.array(slope, object)), ball(length))
        whole = tile.whole.elements.item()
        above = roof(left, right, fall, climb, length)
        below = -roof(-left, -right, climb, fall, length)
        spread = arb(fmpq((above - below).numerator, (above - below).denominator)) + abs(left) + abs(right)
        for end, stated, sign in ((whole.upper(), above, 1), (whole.lower(), below, -1)):
            outside = sign * (end - arb(fmpq(stated.numerator, stated.denominator)))
            assert not outside < -(2.0**-100)
            assert outside < spread * 2.0**-24


def test_the_example_is_certified_as_far_as_by_hand() -> None:
    network = Network(Dense(1, 1), loss=SquaredError())
    found = certified_learning_rate(network, [0.0, 0.0], [[3.0]], [[6.0]])
    assert Fraction(7, 40) < Fraction(found.rate) < Fraction(1, 5)
    assert found.gradient.tolist() == [-18, -6]


def test_a_tile_that_proves_nothing_is_seen() -> None:
    found = Line("tanh").certificate
    tile = next(tile for tile in found.tiles if not tile.slope.elements.item() < 0)
    for wrong in (tile._replace(loss=found.loss), tile._replace(low=0.0)):
        with pytest.raises(AssertionError):
            kind(wrong, found)
