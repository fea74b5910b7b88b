"""Certified learning rates: thresholds known by hand, every reason, and a checker that can fail."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from refnn import activations, arrays, losses
from refnn.activations import ELU, LeakyReLU, ReLU, Tanh
from refnn.arithmetic.ball import BallArray, working_precision
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arithmetic.tile import TileArray
from refnn.arrays import FloatArray
from refnn.descent import FullBatch, MiniBatch, descend
from refnn.errors import (
    DivergenceError,
    DTypeError,
    NonFiniteError,
    RefnnError,
    SettingError,
    ShapeError,
    UndecidedError,
)
from refnn.layers import Dense
from refnn.losses import BinaryCrossEntropy, Huber, InnerProduct, SoftmaxCrossEntropy, SquaredError
from refnn.network import Network
from refnn.oracle import certificate as module
from refnn.oracle.certificate import Certificate, Certified, Tile, certified_learning_rate
from refnn.training import fit
from tests.laws.measures import number
from tests.laws.ranges import KinkError, Range
from tests.laws.test_certified import change
from tests.test_bad_input import NETWORKS, TRAINING, UNSHOWN, fitting, garbage, only_refnn_errors, uncalled

TIGHT = 1 - 2.0**-10  # of a rate that is proven not to lower the loss


def line(loss: losses.Loss | None = None) -> Network:
    """The network z = w·x + b."""
    return Network(Dense(1, 1), loss=SquaredError() if loss is None else loss)


def crosses(found: Certificate, threshold: Fraction | float) -> bool:
    """Whether the certificate says, as tightly as it promises, that the loss is lower up to this threshold."""
    return found.reason == "crossing" and TIGHT * found.beyond <= found.rate < threshold <= found.beyond


# ------------------------------------------------------------------------------------------------ thresholds by hand


@pytest.mark.parametrize("slope", [0.0, 0.5, 3.0, 2.0**15])  # the last one's threshold is 2e-9
@pytest.mark.parametrize("scale", [1, 3.0, 2.0**-16, Fraction(1, 7)])
def test_of_one_sample_the_squared_error_returns_at_two_over_its_curvature(
    slope: float, scale: float | Fraction
) -> None:
    # r = ax + b − 2 falls to r·(1 − ηs(a² + 1)); the float s(a² + 1) is exact, or rounded in s = 1/7 alone.
    found = certified_learning_rate(line(SquaredError(scale=scale)), [0.0, 0.0], [[slope]], [[2.0]])
    _, g = line(SquaredError(scale=scale)).loss_and_gradient([0.0, 0.0], [[slope]], [[2.0]])
    speed = -Fraction(g[0]) * Fraction(slope) - Fraction(g[1])  # r(η) = −2 + η·speed, and −r(η) = r(0) at 4/speed
    assert crosses(found, Fraction(4) / speed)
    assert found.holds()


@pytest.mark.parametrize("seed", range(3))
def test_a_quadratic_in_many_parameters_returns_where_its_rational_form_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = Network(Dense(3, 1), loss=SquaredError())
    w, x, y = rng.normal(size=4), rng.normal(size=(5, 3)), rng.normal(size=5)
    found = certified_learning_rate(network, w, x, y)
    rows = [[*map(Fraction, row), Fraction(1)] for row in x.tolist()]

    def on(v: FloatArray) -> list[Fraction]:
        return [sum((a * Fraction(b) for a, b in zip(row, v.tolist(), strict=True)), Fraction(0)) for row in rows]

    r, s = [z - Fraction(t) for z, t in zip(on(w), y.tolist(), strict=True)], on(found.gradient)
    # Σ(r − ηs)² = Σr² − 2ηΣrs + η²Σs²
    threshold = 2 * sum(a * b for a, b in zip(r, s, strict=True)) / sum(b * b for b in s)
    assert crosses(found, threshold)


def test_hubers_loss_returns_on_its_other_side() -> None:
    # The residual 4 falls by η·1, and h(4) = h(−4).
    assert crosses(certified_learning_rate(line(Huber()), [0.0, 4.0], [[0.0]], [[0.0]]), 8)


def test_cross_entropy_of_an_even_target_returns_on_its_other_side() -> None:
    # ½ softplus(−b) + ½ softplus(b) is even in b, which goes from 2 to −2.
    found = certified_learning_rate(line(BinaryCrossEntropy()), [0.0, 2.0], [[0.0]], [[0.5]])
    assert crosses(found, 4 / Fraction(found.gradient[1]))


@pytest.mark.parametrize("s", [2.0**-40, 2.0**-20, 2.0**20, 2.0**40])
def test_a_scaled_loss_has_its_threshold_scaled(s: float) -> None:
    def found(scale: float) -> Certificate:
        network = Network(Dense(2, 3), Tanh(), Dense(3, 1), loss=SquaredError(scale=scale))
        w, x = np.sin(np.arange(13.0)), np.cos(np.arange(10.0)).reshape(5, 2)
        return certified_learning_rate(network, w, x, np.arange(5.0), limit=1e15)

    plain, scaled = found(1.0), found(s)
    assert plain.reason == scaled.reason == "crossing"
    # A power of two scales the gradient exactly, and with it the one threshold, which is between both pairs.
    assert max(scaled.rate * s, plain.rate) < min(scaled.beyond * s, plain.beyond)
    assert all(TIGHT * each.beyond <= each.rate for each in (plain, scaled))
    assert scaled.holds()


FALLS: dict[str, tuple[Network, list[float], Any, Any]] = {
    "a linear functional": (line(InnerProduct()), [1.0, 2.0], [[3.0], [1.0], [2.0]], [[1.0], [-1.0], [0.5]]),
    "separable classes": (
        Network(Dense(1, 2), loss=SoftmaxCrossEntropy()),
        [0.0] * 4,
        [[-1.0], [2.0], [3.0]],
        [0, 1, 1],
    ),
    "one sample of one class": (line(BinaryCrossEntropy()), [0.0, 0.0], [[1.0]], [[1.0]]),
}


@pytest.mark.parametrize("case", FALLS)
@pytest.mark.parametrize("limit", [3.5, 1e5, 1e9, Fraction(1, 3)])
def test_where_the_loss_falls_without_end_the_search_ends_at_its_limit(case: str, limit: float | Fraction) -> None:
    found = certified_learning_rate(*FALLS[case], limit=limit)  # type: ignore[arg-type]
    assert (found.reason, found.rate, found.beyond) == ("limit", float(limit), math.inf)
    assert str(found).endswith("provably lowers the loss; the search ended at this limit")
    assert found.holds()


@pytest.mark.parametrize("limit", [0.01, 0.1999, 0.2, 5.0])
def test_a_limit_below_the_threshold_is_reached_and_one_above_is_not(limit: float) -> None:
    found = certified_learning_rate(line(), [0.0, 0.0], [[3.0]], [[6.0]], limit=limit)  # threshold 1/5
    assert found.rate == limit if limit < TIGHT / 5 else TIGHT * min(limit, 0.2) <= found.rate <= limit
    assert found.rate < Fraction(1, 5)


# --------------------------------------------------------------------------------- every activation and every loss


class Drawn(NamedTuple):
    network: Network
    w: FloatArray
    x: FloatArray
    y: Any
    found: Certificate


@cache
def drawn(activation: type[activations.Activation], loss: type[losses.Loss]) -> Drawn:
    """A network of fixed numbers drawn evenly, and its certificate."""
    rng = np.random.default_rng(5)
    network = Network(Dense(2, 3), activation(), Dense(3, 2), loss=loss())
    w, x, y = rng.uniform(-2, 2, network.size), rng.uniform(-2, 2, (5, 2)), rng.uniform(0, 1, (5, 2))
    targets = np.array([0, 1, 1, 0, 1]) if loss is SoftmaxCrossEntropy else y
    return Drawn(network, w, x, targets, certified_learning_rate(network, w, x, targets, limit=1e3))


def every_network(test: Callable[..., None]) -> Any:
    return pytest.mark.parametrize("activation", activations.ALL)(pytest.mark.parametrize("loss", losses.ALL)(test))


@pytest.mark.unmeasured
@every_network
def test_certificates_are_tight_and_hold(activation: type[activations.Activation], loss: type[losses.Loss]) -> None:
    network, w, x, y, found = drawn(activation, loss)
    assert found.reason == "limit" if found.beyond == math.inf else found.rate >= TIGHT * found.beyond
    assert 0 < found.rate < found.beyond
    assert [found.tiles[0].low, found.tiles[-1].high] == [0, found.rate]
    assert all(one.high == two.low for one, two in pairwise(found.tiles))
    value, g = network.loss_and_gradient(w, x, y)
    assert found.gradient.tolist() == g.tolist()
    error = float(network.loss(RoundedArray.exact(w), x, y).error)
    assert found.loss.lower <= value + error
    assert found.loss.upper >= value - error
    assert found.holds()


@every_network
def test_beyond_the_loss_is_not_lower_by_floats_with_bounds(
    activation: type[activations.Activation], loss: type[losses.Loss]
) -> None:
    network, w, x, y, found = drawn(activation, loss)
    start = RoundedArray.exact(w)
    before = network.loss(start, x, y)
    if found.beyond < math.inf:
        after = network.loss(start - number(found.beyond) * RoundedArray.exact(found.gradient), x, y)
        # A search that aims within 2⁻¹⁰ of the threshold leaves more of a rise than floats lose.
        assert after.value - after.error > before.value + before.error
    low = network.loss(start - number(found.rate / 2) * RoundedArray.exact(found.gradient), x, y)
    assert low.value + low.error < before.value - before.error


@pytest.mark.unmeasured
@every_network
def test_a_hundred_learning_rates_below_all_lower_the_loss(
    activation: type[activations.Activation], loss: type[losses.Loss]
) -> None:
    network, w, x, y, found = drawn(activation, loss)
    labels, rng = network.check_targets(w, x, y), np.random.default_rng(23)
    even, wide = found.rate * rng.uniform(0, 1, 60), found.rate * 10.0 ** rng.uniform(-30, 0, 60)
    with working_precision(200):
        start, g, samples = map(BallArray.exact, (w, found.gradient, x))
        before = network.value(start, samples, labels).elements.item()
        for eta in (*even, *wide, found.rate):
            moved = start - BallArray.exact(np.array(eta)) * g
            assert network.value(moved, samples, labels).elements.item() < before


def _phi(case: Drawn, low: float, high: float) -> DualArray[Range]:
    """φ and φ′ over a segment, by intervals of floats."""
    t, v = Range.between(np.array(low), np.array(high)), Range.exact(-case.found.gradient)
    w = DualArray(Range.exact(case.w) + t * v, v)
    labels = case.network.check_targets(case.w, case.x, case.y)
    phi: DualArray[Range] = case.network.value(w, w.lift(case.x), labels)
    return phi


def test_intervals_of_floats_agree_with_the_tiles_and_prove_most_of_them_again() -> None:
    pieces = proven = 0
    for case in (drawn(activation, loss) for activation in activations.ALL for loss in losses.ALL):
        if case.found.reason != "crossing":
            continue
        start = float(_phi(case, 0.0, 0.0).value.low)
        for tile in case.found.tiles:
            pieces += 1
            try:
                phi = _phi(case, tile.low, tile.high)
            except KinkError:
                continue
            # The tile and the intervals both hold φ and φ′ there.
            assert phi.tangent.low <= tile.slope.upper
            assert phi.tangent.high >= tile.slope.lower
            assert phi.value.low <= tile.loss.upper
            assert phi.value.high >= tile.loss.lower
            middle = tile.low / 2 + tile.high / 2
            spread = phi.tangent.largest * (tile.high - middle) * (1 + 2.0**-50)  # for these three roundings
            assert phi.tangent.low < 0 or phi.value.low < start
            proven += bool(phi.tangent.high < 0 or float(_phi(case, middle, middle).value.high) + spread < start)
    assert proven > 2 / 3 * pieces  # four in five; what is left lies on kinks, or close to the threshold


# ------------------------------------------------------------------------------------------ the checker sees its faults


def _shift(found: Certificate, k: int, **changes: Any) -> Certificate:
    tiles = [tile._replace(**changes) if n == k % len(found.tiles) else tile for n, tile in enumerate(found.tiles)]
    return replace(found, tiles=tuple(tiles))


def _stretched(found: Certificate) -> Certificate:
    return replace(_shift(found, -1, high=2 * found.beyond), rate=2 * found.beyond)


TAMPERED: dict[str, Callable[[Certificate], Certificate]] = {
    "the first tile removed": lambda c: replace(c, tiles=c.tiles[1:]),
    "a tile removed": lambda c: replace(c, tiles=c.tiles[:2] + c.tiles[3:]),
    "the last tile removed": lambda c: replace(c, tiles=c.tiles[:-1]),
    "no tiles": lambda c: replace(c, tiles=()),
    "tiles in another order": lambda c: replace(c, tiles=c.tiles[::-1]),
    "a gap": lambda c: _shift(c, 2, low=float(np.nextafter(c.tiles[2].low, 1e9))),
    "an overlap": lambda c: _shift(c, 2, low=c.tiles[1].low),
    "a start past 0": lambda c: _shift(c, 0, low=5e-324),
    "a start before 0": lambda c: _shift(c, 0, low=-1e-9),
    "a larger rate": lambda c: replace(c, rate=float(np.nextafter(c.rate, 1e9))),
    "a smaller rate": lambda c: replace(c, rate=c.rate / 2),
    "a rate that is no number": lambda c: replace(c, rate=math.nan),
    "the last tile stretched past beyond": _stretched,
    "the last tile stretched to beyond": lambda c: replace(_shift(c, -1, high=c.beyond), rate=c.beyond),
    "an endless last tile": lambda c: replace(_shift(c, -1, high=math.inf), rate=math.inf),
    "a tile of no length": lambda c: replace(
        c, tiles=(*c.tiles[:2], c.tiles[2]._replace(high=c.tiles[2].low), *c.tiles[2:])
    ),
    "an ascent": lambda c: replace(c, gradient=-c.gradient),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", TAMPERED)
@pytest.mark.parametrize("activation", [Tanh, ReLU, ELU])
def test_no_tampered_certificate_holds(activation: type[activations.Activation], fault: str) -> None:
    found = drawn(activation, SquaredError).found
    assert found.reason == "crossing"
    assert len(found.tiles) > 3
    assert found.holds()
    assert not TAMPERED[fault](found).holds()


def test_tiles_that_leave_a_gap_hold_nothing() -> None:
    found = drawn(Tanh, SquaredError).found
    assert not replace(found, tiles=found.tiles[1:]).holds()


def test_no_certificate_of_one_step_holds_for_another() -> None:
    case, other = drawn(Tanh, SquaredError), drawn(Tanh, Huber)
    network, w, x, y, found = case
    up = certified_learning_rate(network, w, x, y, gradient=-found.gradient)
    assert (up.rate, up.tiles) == (0, ())
    assert not replace(up, rate=found.rate, tiles=found.tiles).holds()
    assert other.found.rate > 2 * found.rate
    assert not replace(found, rate=other.found.rate, tiles=other.found.tiles).holds()


def test_one_tile_over_everything_does_not_hold() -> None:
    found = drawn(Tanh, SquaredError).found
    assert not replace(found, tiles=(found.tiles[0]._replace(high=found.rate),)).holds()  # it does not say enough
    assert not replace(found, rate=found.beyond, tiles=(found.tiles[0]._replace(high=found.beyond),)).holds()


def _middle(ball: BallArray) -> BallArray:
    return BallArray(np.asarray(np.frompyfunc(lambda e: e.mid(), 1, 1)(ball.elements), object))


Rule = Callable[[TileArray], TileArray]
WRONG: dict[str, tuple[Any, Callable[[Rule], Rule]]] = {
    "the slope of tanh without its radius": (
        np.tanh,
        lambda rule: lambda z: replace(rule(z), slope=_middle(rule(z).moving)),
    ),
    "the slope of a sum without its radius": (
        arrays.total,
        lambda rule: lambda z: replace(rule(z), slope=_middle(rule(z).moving)),
    ),
    "tanh ends where it started": (np.tanh, lambda rule: lambda z: replace(rule(z), end=rule(z).start)),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_rule_that_certifies_too_much_is_refused(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # φ falls slowly, rises by 10 at η = 3 and falls by 10 at η = 4: tiles that see the slope in their middle alone, or
    # not what became of φ, step over what lies between.
    network = Network(Dense(1, 3), Tanh(), loss=InnerProduct())
    w, g = np.array([0, 0, 0, 0, -60.0, -80.0]), np.array([0, 0, 0, -0.1, -20.0, -20.0])
    x, y = np.array([[0.0]]), np.array([[-1.0, 5.0, -5.0]])
    right = certified_learning_rate(network, w, x, y, gradient=g)
    assert 2.9 < right.rate < right.beyond < 3
    assert right.holds()
    operation, spoilt = WRONG[fault]
    monkeypatch.setitem(TileArray.rules, operation, spoilt(TileArray.rules[operation]))
    with pytest.raises(SettingError, match="jumps"):  # the search sees by itself that the ends do not fit the slope
        certified_learning_rate(network, w, x, y, gradient=g)


def test_a_tile_that_steps_over_a_hill_does_not_hold() -> None:
    # φ as above; what the forged tile states is true in its middle, beyond the hill, and would prove it.
    network = Network(Dense(1, 3), Tanh(), loss=InnerProduct())
    w, g = np.array([0, 0, 0, 0, -60.0, -80.0]), np.array([0, 0, 0, -0.1, -20.0, -20.0])
    x, y = np.array([[0.0]]), np.array([[-1.0, 5.0, -5.0]])
    right = certified_learning_rate(network, w, x, y, gradient=g)
    middle = right.rate + (8 - right.rate) / 2
    with working_precision(right.bits):
        at = BallArray.exact(w) - BallArray.exact(np.array(middle)) * BallArray.exact(g)
        slope, loss = BallArray(np.array(arb(0, 1), object)), network.loss(at, x, y)
    forged = (*right.tiles, Tile(right.rate, 8.0, slope, loss))
    assert not replace(right, rate=8.0, tiles=forged, beyond=math.inf).holds()


# ------------------------------------------------------------------------------------------------------- the reasons


def test_a_zero_gradient() -> None:
    found = certified_learning_rate(line(), [0.0, 6.0], [[3.0]], [[6.0]])
    assert (found.rate, found.reason, found.tiles, found.beyond) == (0, "zero gradient", (), math.inf)
    assert str(found) == "no learning rate is proven to lower the loss; the gradient is zero"
    assert found.holds()  # it claims nothing


def test_without_parameters_the_gradient_is_zero() -> None:
    found = certified_learning_rate(Network(Tanh(), loss=SquaredError()), [], [[1.0, 2.0, 3.0]], [[0.0, 0.0, 0.0]])
    assert (found.rate, found.reason) == (0, "zero gradient")


KINK = Network(Dense(1, 1), ReLU(), loss=InnerProduct()), [1.0, 0.5], [[1.0], [-0.5]]
"""z = (1.5, 0), and relu′(0) = 0, so that the gradient for the cotangents (−1, c) is (−1, −1) whatever c is.

A step goes to z = (1.5 + 2η, ½η), where the loss is −1.5 − 2η + ½cη.
"""


def test_on_a_kink_from_which_the_loss_does_not_fall() -> None:
    network, w, x = KINK
    y = [[-1.0], [10.0]]
    found = certified_learning_rate(network, w, x, y)
    assert found.gradient.tolist() == [-1, -1]
    assert (found.rate, found.reason, found.tiles) == (0, "kink", ())
    for eta in (0.125, 2.0**-9):  # exact in floats: it rises by 3η
        at = np.array(w) - eta * found.gradient
        assert network.loss(at, x, y) == network.loss(w, x, y) + 3 * eta
    assert 0 < found.beyond < math.inf
    assert change(network, np.array(w), found.gradient, found.beyond, np.array(x), y) > 0
    assert str(found).startswith(
        "no learning rate is proven to lower the loss; a unit stands on its kink, and already at about "
    )


def test_on_a_kink_from_which_the_loss_falls_there_is_a_rate() -> None:
    network, w, x = KINK
    found = certified_learning_rate(network, w, x, [[-1.0], [3.0]], limit=7)  # it falls by ½η
    assert (found.rate, found.reason) == (7, "limit")
    assert found.gradient.tolist() == [-1, -1]
    assert found.holds()


def test_where_a_unit_leaves_its_kink_on_the_dead_side_there_is_a_rate() -> None:
    network, w, x = KINK
    found = certified_learning_rate(network, w, x, [[1.0], [10.0]])  # z = (1.5 − 2η, −½η): it falls to 0 at η = ¾
    assert found.rate > 0.75
    assert found.holds()


@pytest.mark.parametrize("layer", [LeakyReLU(0.25), LeakyReLU(-0.5), ELU(0.5)])
def test_other_kinks(layer: activations.Activation) -> None:
    # LeakyReLU′(0) and ELU′(0) are taken from the left; a right slope of 1 makes the same step rise with c = 100.
    network = Network(Dense(1, 1), layer, loss=InnerProduct())
    w, x, y = np.array([1.0, 0.5]), np.array([[1.0], [-0.5]]), np.array([[-1.0], [100.0]])
    found = certified_learning_rate(network, w, x, y, gradient=[-1.0, -1.0])
    assert (found.rate, found.reason) == (0, "kink")
    assert all(change(network, w, found.gradient, eta, x, y) > 0 for eta in (1e-300, 1e-3, found.beyond))


def _rounded_away() -> tuple[Network, FloatArray, FloatArray, FloatArray]:
    """With u = 2⁻⁵², wx + b = (1 + u)² − (1 + 2u) is u², but 0 in floats; and y is between: the gradient points up."""
    u = 2.0**-52
    return line(), np.array([1 + u, -(1 + 2 * u)]), np.array([[1 + u]]), np.array([[u * u / 2]])


def test_a_gradient_that_rounding_has_turned() -> None:
    network, w, x, y = _rounded_away()
    found = certified_learning_rate(network, w, x, y)
    assert found.gradient[1] == -y.item()  # but the true one is u² − y = y
    assert (found.rate, found.reason) == (0, "no descent")
    assert all(change(network, w, found.gradient, eta, x, y) > 0 for eta in (1e-300, 1e-3, 1.0, found.beyond))
    assert str(found).startswith("no learning rate is proven to lower the loss; already at about ")
    assert found.holds()


def test_a_larger_budget_only_adds_to_the_proof() -> None:
    network, w, x, y, whole = drawn(Tanh, SquaredError)
    found = [certified_learning_rate(network, w, x, y, budget=budget) for budget in (1, 2, 5, 11, 1000)]
    assert [c.reason for c in found] == ["budget"] * 4 + ["crossing"]
    for less, more in pairwise(found):
        assert less.rate <= more.rate
        ends = [(tile.low, tile.high) for tile in more.tiles]
        assert ends[: len(less.tiles)] == [(tile.low, tile.high) for tile in less.tiles]
    assert 0 < found[2].rate < found[3].rate < found[4].rate == whole.rate
    assert all(c.holds() for c in found)
    assert str(found[2]).endswith("; the search ended when its budget of tiles was spent")


def test_a_budget_that_is_just_enough_is_not_the_reason() -> None:
    network, w, x, y, whole = drawn(Tanh, SquaredError)
    asked: list[float] = []
    certified_learning_rate(network, w, x, y, progress=asked.append)
    enough, short = (certified_learning_rate(network, w, x, y, budget=len(asked) - k) for k in (0, 1))
    assert (enough.reason, enough.rate) == ("crossing", whole.rate)
    assert short.reason == "budget"


def _deep() -> dict[str, Any]:
    """z = 1 + 2⁻³⁰⁰ − 1, of which 128 bits see nothing; a step along 2⁻³⁰⁰·(1, 0, 1) turns it at η = 1."""
    tiny = 2.0**-150
    return {
        "network": Network(Dense(2, 1), loss=SquaredError()), "w": [1.0, tiny, -1.0], "x": [[1.0, tiny]], "y": [[0.0]],
        "gradient": [tiny**2, 0.0, tiny**2],
    }  # fmt: skip


def test_bits_are_added_until_they_suffice() -> None:
    found = certified_learning_rate(**_deep())
    assert crosses(found, 1)
    assert found.bits == 512
    assert found.holds()


def test_precision_that_does_not_suffice_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BITS", 256)
    found = certified_learning_rate(**_deep())
    assert (found.rate, found.reason, found.bits) == (0, "precision", 256)
    assert str(found).startswith(
        "no learning rate is proven to lower the loss; nothing more could be proven with 256 bits,"
    )


def test_tiny_gradients_are_no_zero_gradients() -> None:
    # L = ½s(3w + b − 6)² with s = 2⁻⁶⁶⁰: its threshold is 2⁶⁶⁰/5, far beyond any limit.
    found = certified_learning_rate(line(SquaredError(scale=2.0**-660)), [0.0, 0.0], [[3.0]], [[6.0]], limit=10)
    assert (found.reason, found.rate) == ("limit", 10)


def test_huge_gradients_have_small_rates() -> None:
    found = certified_learning_rate(line(SquaredError(scale=2.0**660)), [0.0, 0.0], [[3.0]], [[6.0]])
    assert crosses(found, Fraction(1, 5 * 2**660))


def test_that_a_step_leads_nowhere_lower_is_said_only_if_it_is_so() -> None:
    # The threshold is about 10⁴⁰/5, and the limit so far beyond it that halving does not come down to it in 100 steps.
    g = np.array([-18e-40, -6e-40])
    found = certified_learning_rate(line(), [0.0, 0.0], [[3.0]], [[6.0]], gradient=g, limit=1e120)
    assert change(line(), np.zeros(2), g, 1e39, np.array([[3.0]]), np.array([[6.0]])) < 0
    assert found.reason != "no descent"
    assert found.rate < 12 / (-3 * Fraction(g[0]) - Fraction(g[1]))  # there the residual −6 has become 6


# ------------------------------------------------------------------------------------------------ what may be passed


def test_the_step_of_another_program() -> None:
    network, w, x, y, found = drawn(Tanh, SquaredError)
    half = certified_learning_rate(network, w, x, y, gradient=(found.gradient / 2).tolist())
    assert TIGHT * 2 * found.rate <= half.rate <= 2 * found.beyond  # the same line, at half the speed
    assert half.gradient.tolist() == (found.gradient / 2).tolist()
    one = np.zeros(network.size)
    one[3] = found.gradient[3]  # one coordinate alone descends as well
    alone = certified_learning_rate(network, w, x, y, gradient=one)
    assert alone.rate > 0
    assert change(network, w, one, alone.rate, x, y) < 0
    up = certified_learning_rate(network, w, x, y, gradient=-found.gradient)
    assert (up.rate, up.reason, up.tiles) == (0, "no descent", ())


def test_a_step_of_whole_numbers_and_one_for_float32_parameters() -> None:
    whole = certified_learning_rate(line(), [0, 0], [[3]], [[6]], gradient=[-18, -6])
    assert crosses(whole, Fraction(1, 5))
    single = np.zeros(2, np.float32)
    narrow = certified_learning_rate(line(), single, np.array([[3]], np.float32), [[6]], gradient=[-18.1, -6.0])
    assert narrow.gradient.dtype == np.float64
    assert crosses(narrow, 12 / (3 * Fraction(18.1) + 6))
    assert certified_learning_rate(line(), single, np.array([[3]], np.float32), [[6]]).gradient.dtype == np.float32


def test_what_the_caller_writes_later_is_not_seen() -> None:
    w, x, y, g = np.zeros(2), np.array([[3.0]]), np.array([[6.0]]), np.array([-18.0, -6.0])
    found = certified_learning_rate(line(), w, x, y, gradient=g)
    for array in (w, x, y, g):
        array[:] = 1e6 * (1 + array)
    assert found.gradient.tolist() == [-18, -6]
    assert found.holds()


def test_arguments_are_left_alone() -> None:
    arrays_ = np.zeros(2), np.array([[3.0]]), np.array([[6.0]]), np.array([-18.0, -6.0])
    for array in arrays_:
        array.flags.writeable = False
    w, x, y, g = arrays_
    assert certified_learning_rate(line(), w, x, y, gradient=g).rate > 0


def test_progress_is_told() -> None:
    network, w, x, y, found = drawn(ReLU, SquaredError)
    told: list[float] = []
    again = certified_learning_rate(network, w, x, y, limit=1e3, progress=told.append)
    assert len(told) >= len(found.tiles)
    assert told == sorted(told)
    assert told[-1] == again.rate == found.rate
    assert {tile.high for tile in found.tiles} <= set(told)


@pytest.mark.parametrize(
    ("change_", "kind", "start"),
    [
        ({"network": None}, SettingError, "network is None"),
        ({"w": [0.0]}, ShapeError, "w has shape (1,), expected (2,)"),
        ({"x": [[1.0, 2.0]]}, ShapeError, "x has shape (1, 2), expected (N, 1)"),
        ({"y": [1.0, 2.0]}, ShapeError, "y has shape (2,), expected (1, 1)"),
        ({"gradient": [1.0, 2.0, 3.0]}, ShapeError, "gradient has shape (3,), expected (2,)"),
        ({"gradient": [[1.0, 2.0]]}, ShapeError, "gradient has shape (1, 2), expected (2,)"),
        ({"gradient": [1.0, np.nan]}, NonFiniteError, "gradient[1] is nan"),
        ({"gradient": [-np.inf, 0.0]}, NonFiniteError, "gradient[0] is -inf"),
        ({"gradient": [1j, 0]}, DTypeError, "gradient has dtype complex128"),
        ({"gradient": "up"}, DTypeError, "gradient"),
        ({"limit": 0}, SettingError, "limit is 0"),
        ({"limit": -1.0}, SettingError, "limit is -1.0"),
        ({"limit": math.inf}, SettingError, "limit is inf"),
        ({"limit": None}, SettingError, "limit is None"),
        ({"budget": 0}, SettingError, "budget is 0"),
        ({"budget": 1.5}, SettingError, "budget is 1.5"),
        ({"budget": True}, SettingError, "budget is True"),
        ({"progress": 3}, SettingError, "progress is 3"),
    ],
)
def test_what_is_refused(change_: dict[str, Any], kind: type[RefnnError], start: str) -> None:
    arguments = {"network": line(), "w": [0.0, 0.0], "x": [[3.0]], "y": [[6.0]], **change_}
    with pytest.raises(kind) as caught:
        certified_learning_rate(**arguments)
    assert str(caught.value).startswith(start)


def test_a_gradient_beyond_its_format_is_a_divergence() -> None:
    with pytest.raises(DivergenceError):
        certified_learning_rate(line(), [1e200, 0.0], [[1e200]], [[0.0]])


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: type(n.loss_function).__name__)
@given(data=st.data())
def test_garbage(network: Network, data: st.DataObject) -> None:
    arguments = {**fitting(network), "network": network, "limit": 2.0, "budget": 3, "progress": None, "gradient": None}
    name = data.draw(st.sampled_from(sorted(arguments)))
    arguments[name] = data.draw(uncalled() if name == "progress" else garbage(), label=name)
    only_refnn_errors(lambda: certified_learning_rate(**arguments))


@given(data=st.data())
def test_garbage_in_settings(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["fraction", "limit", "budget"]))
    value = data.draw(garbage())
    only_refnn_errors(lambda: Certified(**{name: value}))


@pytest.mark.parametrize("value", UNSHOWN, ids=range(len(UNSHOWN)))
def test_what_has_no_repr(value: Any) -> None:
    arguments = {**fitting(NETWORKS[0]), "network": NETWORKS[0], "budget": 1}
    for name in ("gradient", "limit", "budget", "progress", *arguments):
        only_refnn_errors(lambda n=name: certified_learning_rate(**{**arguments, n: value}))  # type: ignore[misc]


@pytest.mark.parametrize("value", [*UNSHOWN, -Fraction(1, 10**5000)], ids=range(len(UNSHOWN) + 1))
def test_settings_that_have_no_repr(value: Any) -> None:
    for name in ("fraction", "limit", "budget"):
        only_refnn_errors(lambda n=name: Certified(**{n: value}))  # type: ignore[misc]


def test_certificates_can_be_pickled() -> None:
    found = drawn(Tanh, Huber).found
    again = pickle.loads(pickle.dumps(found))  # noqa: S301 - written in this line
    assert (again.rate, again.reason, again.beyond, again.bits) == (found.rate, found.reason, found.beyond, found.bits)
    for one, two in zip(found.tiles, again.tiles, strict=True):
        assert (one.low, one.high) == (two.low, two.high)
        assert two.slope.elements.item().contains(one.slope.elements.item())
        assert two.loss.elements.item().contains(one.loss.elements.item())
    assert again.holds()


# ---------------------------------------------------------------------------------------------------------- outcomes


def test_rounded_weights_at_which_the_loss_is_lower() -> None:
    network, w, x, y, found = drawn(Tanh, SquaredError)
    moved = w - found.rate / 2 * found.gradient
    assert found.outcome(moved) == "lowered"
    assert found.outcome(w) == "swallowed"  # a step that moved nothing, though the real one lowers the loss
    assert found.outcome(w - 2 * found.beyond * found.gradient) == "not proven"
    assert network.loss(w - 2 * found.beyond * found.gradient, x, y) > network.loss(w, x, y)


def test_weights_that_stay_where_nothing_is_certified_are_not_swallowed() -> None:
    network, w, x, y = _rounded_away()
    assert certified_learning_rate(network, w, x, y).outcome(w) == "not proven"


def test_weights_of_exactly_the_same_loss_are_not_proven_lower() -> None:
    found = certified_learning_rate(line(), [0.0, 0.0], [[3.0]], [[6.0]])
    assert found.outcome(np.array([4.0, 0.0])) == "not proven"  # the residual is 6 for −6
    assert found.outcome(np.array([4.0, -(2.0**-900)])) == "lowered"
    assert found.outcome(np.array([4.0, 2.0**-900])) == "not proven"


def test_what_the_last_precision_does_not_tell_apart_is_not_proven() -> None:
    found = certified_learning_rate(line(), [0.0, 0.0], [[3.0]], [[6.0]])
    assert found.outcome(np.array([4.0, -(2.0**-1074)])) == "not proven"  # it is lower, but by less than 1024 bits see
    # log softmax is irrational: of equal losses, the balls always overlap.
    network = Network(Dense(1, 2), loss=SoftmaxCrossEntropy())
    found = certified_learning_rate(network, [0.0, 0.0, 1.0, 0.0], [[1.0]], [1])
    assert found.outcome(np.array([0.0, 0.0, 2.0, 1.0])) == "not proven"


# ------------------------------------------------------------------------------------------------ in gradient descent


@pytest.mark.unmeasured
@pytest.mark.parametrize("batches", [FullBatch(), MiniBatch(1), MiniBatch(3)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_step_has_its_certificate(batches: Any, dtype: Any) -> None:
    network, w, x, y, _ = drawn(Tanh, SquaredError)
    w, x, y = w.astype(dtype), x.astype(dtype), y.astype(dtype)
    rate = Certified(fraction=0.7, limit=20.0, budget=40)
    before = w
    for step in descend(network, w, x, y, batches=batches, learning_rate=rate, epochs=2, rng=3):
        found = step.certificate
        assert isinstance(found, Certificate)
        alone = certified_learning_rate(network, before, x[step.indices], y[step.indices], limit=20.0, budget=40)
        assert (found.rate, found.reason, found.beyond) == (alone.rate, alone.reason, alone.beyond)
        down = 0.7 * found.rate - step.learning_rate
        assert 0 <= down < np.spacing(dtype(step.learning_rate))  # the next number of the format below
        assert found.gradient.tolist() == step.gradient.tolist()
        assert step.outcome == "lowered" == found.outcome(step.parameters)
        labels = network.check_targets(before, x[step.indices], y[step.indices])
        with working_precision(256):
            samples = BallArray.exact(x[step.indices])
            after, start = (network.value(BallArray.exact(v), samples, labels) for v in (step.parameters, before))
            assert after.elements.item() < start.elements.item()
        assert step.parameters.dtype == dtype
        before = step.parameters
        assert found.holds()


def test_plain_rates_have_neither_certificate_nor_outcome() -> None:
    for rate in (0.01, lambda k: 0.01):
        (step,) = descend(line(), [0.0, 0.0], [[3.0]], [[6.0]], batches=FullBatch(), learning_rate=rate, epochs=1)
        assert (step.certificate, step.outcome) == (None, None)


def _one_step(network: Network, w: Any, x: Any, y: Any, **settings: Any) -> Any:
    rate = Certified(**settings)
    (step,) = descend(network, w, x, y, batches=FullBatch(), learning_rate=rate, epochs=1)
    return step


@pytest.mark.parametrize(("dtype", "bits"), [(np.float64, 52), (np.float32, 23)])
def test_a_step_below_half_a_unit_in_the_last_place_is_swallowed(dtype: Any, bits: int) -> None:
    # One unit in the last place of w = b = 2ᵏ (k = 8 + its digits) is 256 upwards; the residual is −512, and a tenth of
    # the certified rate 1 moves each by 51.
    w = np.array([2.0 ** (bits + 8)] * 2, dtype)
    y = np.array([[2.0 ** (bits + 9) + 512]], dtype)
    step = _one_step(line(), w, np.array([[1.0]], dtype), y, fraction=0.1)
    assert step.gradient.tolist() == [-512, -512]
    assert crosses(step.certificate, 1)
    assert step.parameters.tolist() == w.tolist()
    assert step.outcome == "swallowed"


@pytest.mark.parametrize(("dtype", "bits"), [(np.float64, 52), (np.float32, 23)])
def test_a_step_that_rounding_makes_worse_is_not_proven(dtype: Any, bits: int) -> None:
    # w = −b = 2ᵏ + 256, and the residual is 200: each is to move down by 180, which rounds to 256, and the residual
    # becomes 200 − 512.
    start = 2.0 ** (bits + 8) + 256
    w, x, y = np.array([start, -start], dtype), np.array([[1.0]], dtype), np.array([[-200.0]], dtype)
    step = _one_step(line(), w, x, y, fraction=0.9)
    assert crosses(step.certificate, 1)
    assert step.parameters.tolist() == [start - 256, -start - 256]
    assert step.outcome == "not proven"
    assert line().loss(step.parameters, x, y) == 312**2 / 2 > step.loss == 200**2 / 2


def test_where_nothing_is_certified_the_parameters_stay() -> None:
    network, w, x = KINK
    step = _one_step(network, w, x, [[-1.0], [10.0]])
    assert (step.learning_rate, step.certificate.reason, step.outcome) == (0.0, "kink", "not proven")
    assert step.parameters.tolist() == w


def test_a_convex_loss_never_rises_and_goes_to_its_minimum_and_stays() -> None:
    # The Hessian [[5/3, 1], [1, 1]] has the eigenvalues (4 ± √10)/3, and the condition κ = 8.55. Half the threshold is
    # exact line search, with which ((κ − 1)/(κ + 1))² = 0.625 of a loss remains at most (Kantorovich); half of a rate
    # that is 2⁻¹⁰ smaller gives 2⁻²⁰ of the fall away. Above 1e-20, the residuals are rounded in their fifth digit.
    x, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    steps = list(descend(line(), [0.0, 0.0], x, y, batches=FullBatch(), learning_rate=Certified(limit=9), epochs=40))
    far = [step for step in steps if step.loss > 1e-20]
    assert len(far) > 3
    assert {step.outcome for step in far} == {"lowered"}
    assert all(two.loss <= 0.626 * one.loss for one, two in pairwise(far))
    # ‖w − w*‖² ≤ 2L/λ with λ = 0.279
    assert np.linalg.norm(steps[-1].parameters - [2, 1]) <= math.sqrt(2 * 1e-20 / 0.279)
    end = next(k for k, step in enumerate(steps) if step.outcome != "lowered")  # no float is lower in this direction
    assert all(step.parameters.tolist() == steps[end - 1].parameters.tolist() for step in steps[end:])


def test_at_the_minimum_training_goes_on_without_moving() -> None:
    w = np.array([2.0, 1.0])
    x, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    for step in descend(line(), w, x, y, batches=FullBatch(), learning_rate=Certified(), epochs=3):
        assert (step.learning_rate, step.certificate.reason) == (0, "zero gradient")  # type: ignore[union-attr]
        assert step.parameters.tolist() == w.tolist()


@pytest.mark.unmeasured
@every_network
def test_the_loss_of_full_batches_falls_with_every_network(
    activation: type[activations.Activation], loss: type[losses.Loss]
) -> None:
    network, w, x, y, _ = drawn(activation, loss)
    rate = Certified(limit=5.0, budget=15)
    history = fit(network, w, x, y, batches=FullBatch(), learning_rate=rate, epochs=3, progress=None)
    assert history.stopped == "epochs"
    assert all(two < one for one, two in pairwise(history.losses))


def test_another_rule_is_refused() -> None:
    class Own:
        def initial_state(self, w: Any) -> None:
            return

        def step(self, state: None, w: Any, gradient: Any, learning_rate: float) -> tuple[None, Any]:
            raise NotImplementedError

    for train in (descend, fit):
        with pytest.raises(SettingError, match="gradient descent") as caught:
            train(
                line(),
                [0.0, 0.0],
                [[3.0]],
                [[6.0]],
                batches=FullBatch(),
                learning_rate=Certified(),
                epochs=1,
                rule=Own(),
            )
        assert str(caught.value).startswith("learning_rate is Certified(")
    assert only_refnn_errors(lambda: descend(**{**TRAINING, "learning_rate": Certified(), "rule": Own()})) is not None


@pytest.mark.parametrize(
    ("settings", "start"),
    [
        ({"fraction": 0}, "fraction is 0: it is a part of the certified rate. Pass a number in (0, 1]."),
        ({"fraction": -0.5}, "fraction is -0.5"),
        ({"fraction": 1.0000001}, "fraction is 1.0000001"),
        ({"fraction": math.nan}, "fraction is nan"),
        ({"fraction": "half"}, "fraction is 'half'"),
        ({"limit": 0.0}, "limit is 0.0"),
        ({"limit": math.inf}, "limit is inf"),
        ({"budget": 0}, "budget is 0"),
        ({"budget": 2.0}, "budget is 2.0"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any], start: str) -> None:
    with pytest.raises(SettingError) as caught:
        Certified(**settings)
    assert str(caught.value).startswith(start)


def test_a_fraction_may_be_one_or_rational() -> None:
    w, x, y = [0.0, 0.0], [[3.0]], [[6.0]]
    whole, third = (_one_step(line(), w, x, y, fraction=f) for f in (1, Fraction(1, 3)))
    assert whole.learning_rate == whole.certificate.rate
    assert third.learning_rate == float(Fraction(1, 3)) * third.certificate.rate
    assert whole.outcome == third.outcome == "lowered"


def test_to_hold_with_too_small_a_budget_is_undecided() -> None:
    found = certified_learning_rate(line(), [0.0, 0.0], [[3.0]], [[6.0]])
    with pytest.raises(UndecidedError, match=r"with a budget of 3 parts of tiles: .*Pass a larger budget"):
        found.holds(budget=3)
    with pytest.raises(SettingError, match="budget is 0"):
        found.holds(budget=0)


@pytest.mark.parametrize("garbage", [[1.0], "x", np.full(2, np.nan), None])
def test_an_outcome_is_of_a_vector_of_parameters(garbage: Any) -> None:
    found = certified_learning_rate(line(), [0.0, 0.0], [[3.0]], [[6.0]])
    with pytest.raises(RefnnError, match=r"^w"):
        found.outcome(garbage)
    assert found.outcome([0.5, 0.25]) == "lowered"


def test_a_forged_statement_does_not_hold() -> None:
    found = certified_learning_rate(line(), [0.0, 0.0], [[3.0]], [[6.0]])
    ball = BallArray.exact(np.array(99.0))
    assert not replace(found, loss=ball).holds()
    assert not replace(found, beyond=math.nextafter(found.rate, 1)).holds()
    assert not replace(found, beyond=found.rate / 2).holds()
    for part in ("slope", "loss"):
        forged = tuple(tile._replace(**{part: -ball}) for tile in found.tiles)
        assert not replace(found, tiles=forged).holds()
        weak = tuple(tile._replace(slope=ball, loss=ball) for tile in found.tiles)
        assert not replace(found, tiles=weak).holds()


def test_a_budget_of_just_as_many_parts_is_enough() -> None:
    network = Network(Dense(1, 1), loss=InnerProduct())
    found = certified_learning_rate(network, [0.0, 0.0], [[1.0]], [[1.0]], limit=1.0, budget=100)
    assert found.holds(budget=len(found.tiles))


class _Jump(activations.Activation):
    """z, and 5 less beyond its jump at 0."""

    def forward(self, parameters: tuple[Any, ...], z: Any) -> Any:
        return arrays.where_positive(z, z - 5, z)

    def derivative(self, z: Any) -> Any:
        return arrays.where_positive(z, 1, 1)


def test_a_layer_that_jumps_is_refused() -> None:
    network = Network(Dense(1, 1), _Jump(), loss=InnerProduct())
    with pytest.raises(SettingError, match=r"the loss jumps between the learning rates .*continuous"):
        certified_learning_rate(network, [0.0, -1.0], [[0.0]], [[-1.0]], limit=10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_rate_of_a_step_is_of_the_format_and_never_above_its_share(dtype: Any) -> None:
    network, x, y = line(), np.array([[3.0]], dtype), np.array([[6.0]], dtype)
    rng = np.random.default_rng(5)
    for w in rng.normal(size=(30, 2)).astype(dtype):
        rate = Certified(fraction=1, limit=100)
        (step,) = descend(network, w, x, y, batches=FullBatch(), learning_rate=rate, epochs=1)
        assert isinstance(step.certificate, Certificate)
        assert dtype(step.learning_rate) == step.learning_rate <= step.certificate.rate
        assert step.learning_rate >= (1 - 2.0**-23) * step.certificate.rate  # rounded down by less than a spacing


def test_rates_beyond_float32_are_cut_off_there() -> None:
    one = np.ones((1, 1), np.float32)
    huge = Certified(fraction=1, limit=1e39)
    network = Network(Dense(1, 1), loss=InnerProduct())
    with pytest.raises(DivergenceError):  # the largest float32 times the gradient 1 is as far as it goes, twice
        list(descend(network, np.zeros(2, np.float32), one, one * 2, batches=FullBatch(), learning_rate=huge, epochs=2))
    steep = Network(Dense(1, 1), loss=SquaredError())
    w, x = np.zeros(2, np.float32), one * np.float32(1e23)
    (step,) = descend(steep, w, x, one, batches=FullBatch(), learning_rate=Certified(), epochs=1)
    assert (step.learning_rate, step.outcome) == (0, "not proven")
    assert not step.parameters.any()


def test_the_class_in_place_of_its_instance_is_refused() -> None:
    with pytest.raises(SettingError, match=r"learning_rate is .*Pass refnn\.Certified\(\)"):
        descend(line(), [0.0, 0.0], [[3.0]], [[6.0]], batches=FullBatch(), learning_rate=Certified, epochs=1)  # type: ignore[arg-type]
