"""What `exact` and its companions say: of ties, kinks, zeros and points between floats, and of wrong arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn import activations, losses
from refnn.arithmetic.ball import BallArray, arb, fmpq, working_precision
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.oracle.truth import Undecided
from refnn.strategies import Case
from refnn.witnesses import textbook
from tests.oracle.rounding import FORMATS, dtype_of, nearest
from tests.oracle.test_misrounding import ACTIVATIONS, LOSSES, by_the_textbook, drawn, fraction
from tests.rational import Rational
from tests.test_bad_input import garbage, only_refnn_errors
from tests.witnesses.cases import FIELDS

COMPANIONS: dict[str, dict[str, Any]] = {
    "exact": {},
    "exact_loss": {},
    "exact_derivative": {"direction": True},
    "exact_hessian_vector_product": {"direction": True},
    "exact_update": {"learning_rate": 0.1},
}
every_companion = pytest.mark.parametrize("name", COMPANIONS)


def call(name: str, case: Case, **settings: Any) -> Any:
    more = dict(COMPANIONS[name])
    if more.pop("direction", False):
        more["direction"] = np.ones(case.network.size)
    return getattr(refnn, name)(*case, **{**more, **settings})


def an_example(unit: refnn.Activation | None = None, loss: refnn.Loss | None = None, seed: int = 5) -> Case:
    return drawn(np.random.default_rng(seed), unit or refnn.Tanh(), loss or refnn.SquaredError())


def in_arb(value: Fraction) -> arb:
    with working_precision(1000):
        return arb(fmpq(value.numerator, value.denominator))


# -------------------------------------------------------------------------------------------------------- by hand


def test_a_network_by_hand() -> None:
    """z = 0.1·3 + 0.2 for the floats 0.1 and 0.2, L = ½z², ∂L/∂w = 3z, ∂L/∂x = 0.1·z: all of them fractions."""
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    truth = refnn.exact(network, [0.1, 0.2], [[3.0]], [[0.0]])
    z = 3 * Fraction(0.1) + Fraction(0.2)
    assert truth.outputs.tolist() == [[float(z)]]
    assert truth.loss == float(z * z / 2)
    assert truth.gradient.tolist() == [float(3 * z), float(z)]
    assert truth.input_gradient.tolist() == [[float(Fraction(0.1) * z)]]
    assert truth.loss != network.loss([0.1, 0.2], [[3.0]], [[0.0]])  # which floats miss
    assert truth.undecided == ()
    assert truth.bits == 128


@pytest.mark.parametrize("name", FORMATS)
def test_the_fields_are_in_the_format_that_is_asked_for(name: str) -> None:
    case = an_example()
    truth = refnn.exact(*case, dtype=name)
    assert truth.outputs.dtype == truth.gradient.dtype == truth.input_gradient.dtype == truth.dtype == dtype_of(name)
    assert type(truth.loss) is float
    assert truth.outputs.shape == (3, 5)
    assert truth.gradient.shape == (case.network.size,)
    assert truth.input_gradient.shape == (3, 7)
    assert nearest(Fraction(truth.loss), name) == truth.loss


def test_a_result_beyond_the_largest_number_is_infinite_in_its_format_only() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.InnerProduct())
    asked = (network, [-3e4, 0.0], [[3.0]], [[1.0]])
    assert refnn.exact(*asked, dtype="float16").outputs.tolist() == [[-math.inf]]
    assert refnn.exact(*asked, dtype="float32").outputs.tolist() == [[-9e4]]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("unit", [refnn.Identity(), refnn.Tanh()], ids=str)
def test_a_result_beyond_the_largest_float64_is_infinite(sign: int, unit: refnn.Activation) -> None:
    """Between 2¹⁰²⁴ and 2¹⁰²⁵, and beyond; with balls and, where these leave a tie, with rational numbers."""
    network = refnn.Network(unit, refnn.Dense(1, 1), refnn.Dense(1, 1), loss=refnn.InnerProduct(scale=Fraction(1, 3)))
    tie = 3 * 2.0**-53 if isinstance(unit, refnn.Identity) else 0  # ∂L/∂b = 1 + 2⁻⁵³, by a third that no ball is
    for first, second in ((2.0**1023, 3.0), (2.0**1000, 2.0**1000)):
        truth = refnn.exact(network, [first, 0.0, sign * second, 0.0], [[1.0], [-1.0], [0.0]], [[3.0], [tie], [0.0]])
        assert truth.outputs.ravel().tolist() == [sign * math.inf, -sign * math.inf, 0.0]
        assert truth.loss == sign * math.inf
        assert truth.gradient[3] == 1
        assert truth.undecided == ()


def test_dead_units_have_gradients_of_exactly_zero() -> None:
    network = refnn.Network(refnn.Dense(1, 2), refnn.ReLU(), refnn.Dense(2, 1), loss=refnn.SquaredError())
    truth = refnn.exact(network, [-1.0, 1.0, -0.1, 0.1, 0.3, 0.7, -0.2], [[0.3], [1.7], [2.9]], [[1.0], [0.5], [-3.0]])
    for name in ("0.weight", "0.bias"):
        gradient = network.unpack(truth.gradient)[name].ravel()
        assert gradient[0] == 0
        assert not np.signbit(gradient[0])
        assert gradient[1] != 0
    zeros = [ball.is_zero() for ball in truth.enclosures.gradient.elements]
    assert zeros == [True, False, True, False, True, False, False]


def test_the_derivative_at_an_exact_kink_is_zero() -> None:
    """z = x₀ − x₁ = 0 after 0.1·3 − 0.3 in real numbers, with 3·0.1 as the sum of floats that it is."""
    network = refnn.Network(refnn.Dense(2, 1), refnn.ReLU(), loss=refnn.InnerProduct())
    truth = refnn.exact(network, [1 / 3, -1.0, 0.0], [[3.0, 0.0], [3.0, 3 * (1 / 3)], [1.0, 1 / 3]], [[1.0]] * 3)
    assert truth.undecided == ()
    assert truth.input_gradient.tolist() == [[1 / 3, -1.0], [0.0, 0.0], [0.0, 0.0]]
    assert truth.outputs.ravel().tolist() == [float(3 * Fraction(1 / 3)), 0.0, 0.0]


def test_a_kink_that_only_rational_numbers_see() -> None:
    """A third of 3: the ball around ⅓ leaves the sign of 3·⅓ − 1 open, and the slope of the loss behind it."""
    network = refnn.Network(refnn.LeakyReLU(0.25), loss=refnn.InnerProduct(scale=Fraction(1, 3)))
    truth = refnn.exact(network, [], [[0.0], [-0.0], [3.0]], [[3.0], [6.0], [9.0]])
    assert truth.undecided == ()
    assert truth.input_gradient.ravel().tolist() == [0.25, 0.5, 3.0]


# ------------------------------------------------------------------------------------------------ what arguments mean


def same_truth(a: refnn.Truth, b: refnn.Truth) -> bool:
    return all(np.array_equal(getattr(a, field), getattr(b, field)) for field in FIELDS)


def test_float32_parameters_are_the_numbers_that_they_are() -> None:
    network, w, x, y = an_example(refnn.SiLU())
    narrow = [array.astype(np.float32) for array in (w, x, y)]
    truth = refnn.exact(network, *narrow)
    assert truth.dtype == np.float64
    assert same_truth(truth, refnn.exact(network, *(array.astype(np.float64) for array in narrow)))
    assert not same_truth(truth, refnn.exact(network, w, x, y))


def test_integers_are_numbers_too() -> None:
    network = refnn.Network(refnn.Dense(2, 3), refnn.Sigmoid(), loss=refnn.SquaredError())
    w, x, y = np.arange(-4, 5), np.arange(10).reshape(5, 2), np.arange(15).reshape(5, 3)
    assert same_truth(refnn.exact(network, w, x, y), refnn.exact(network, w * 1.0, x * 1.0, y * 1.0))
    assert same_truth(refnn.exact(network, w.tolist(), x.tolist(), y.tolist()), refnn.exact(network, w, x, y))


def test_classes_are_rows_with_a_one() -> None:
    network, w, x, _ = an_example(loss=refnn.SoftmaxCrossEntropy(label_smoothing=0.1))
    classes = np.array([4, 0, 2])
    assert same_truth(refnn.exact(network, w, x, classes), refnn.exact(network, w, x, np.eye(5)[classes]))


def test_class_weights_of_one_are_no_class_weights() -> None:
    """They divide by Σᵢ Σ_c weight_c yᵢ_c, which is not the number of samples if rows sum to 1 in floats only."""
    y = np.array([[1 / 3, 1 / 3, 1 / 3], [0.3, 0.3, 0.4], [0.9, 0.05, 0.05]])
    assert sum(map(Fraction, y.ravel().tolist())) != 3
    truths = [
        refnn.exact(
            refnn.Network(
                refnn.Dense(2, 3), loss=refnn.SoftmaxCrossEntropy(reduction="weights", class_weights=weights)
            ),
            np.linspace(-1, 1, 9),
            [[0.3, -1.7], [2.1, 0.9], [-0.4, 0.6]],
            y,
        )
        for weights in (None, (1, 1, 1))
    ]
    difference = truths[0].enclosures.loss.elements.item() - truths[1].enclosures.loss.elements.item()
    assert difference.contains(0)


def test_a_network_without_parameters() -> None:
    network = refnn.Network(refnn.Tanh(), loss=refnn.SquaredError())
    truth = refnn.exact(network, [], [[0.5, 0.25, -1.0]], [[0.0, 0.0, 0.0]])
    assert truth.gradient.shape == truth.enclosures.gradient.shape == (0,)
    assert truth.outputs.tolist() == [[math.tanh(0.5), math.tanh(0.25), math.tanh(-1)]]
    assert refnn.exact_update(network, [], [[0.5]], [[0.0]], learning_rate=1).value.shape == (0,)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble, np.int8, np.int64], ids=lambda k: k.__name__)
@pytest.mark.parametrize(
    "ask",
    [
        lambda network, v: refnn.exact_loss(network, [2.0, 1.0], [[-3.0]], [[5.0]], direction=[1, 0], distance=v).value,
        lambda network, v: refnn.exact_update(network, [2.0, 1.0], [[-3.0]], [[5.0]], learning_rate=v).value[0],
        lambda network, v: _loss_of(refnn.SquaredError(scale=v)),
        lambda network, v: _loss_of(refnn.Huber(delta=v)),
        lambda network, v: _loss_of(refnn.SquaredError(), refnn.LeakyReLU(v)),
        lambda network, v: _loss_of(refnn.SquaredError(), refnn.ELU(v)),
    ],
    ids=["distance", "learning_rate", "scale", "delta", "slope", "alpha"],
)
def test_numbers_may_be_numpys(ask: Callable[..., Any], kind: Any) -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    assert ask(network, kind(2)) == ask(network, 2)


def _loss_of(loss: refnn.Loss, unit: refnn.Activation | None = None) -> float:
    network = refnn.Network(refnn.Dense(1, 1), unit or refnn.Identity(), loss=loss)
    return refnn.exact(network, [2.0, 1.0], [[-3.0]], [[5.0]]).loss


def test_class_weights_may_be_fractions() -> None:
    weightings: Any = ((Fraction(1, 3), Fraction(2, 3)), (1, 2))  # typed as floats, and taken as the numbers they are
    truth = [
        refnn.exact(
            refnn.Network(
                refnn.Dense(1, 2), loss=refnn.SoftmaxCrossEntropy(class_weights=weights, reduction="weights")
            ),
            [0.5, -0.25, 0.0, 1.0],
            [[1.0], [2.0], [-0.5]],
            [0, 1, 1],
        )
        for weights in weightings
    ]
    assert same_truth(*truth)  # a mean over weights does not depend on their scale


# ---------------------------------------------------------------------------------------------------------- companions


def real_loss(case: Case, bits: int) -> tuple[Any, Callable[[list[Any]], Any]]:
    """The namespace, and L by the textbook's text, as a function of parameters that need not be floats."""
    m = textbook.digits(bits)
    network = case.network
    read = textbook.read(*case)
    x, labels = textbook.table(m, read.x), textbook.table(m, read.labels)
    aims = [textbook.targets(m, network.loss_function, row) for row in labels]
    sample_loss = textbook.LOSSES[type(network.loss_function).__name__]

    def loss(w: list[Any]) -> Any:
        parameters = textbook.nested(network.layers, iter(w))
        outputs = [textbook.through(m, network.layers, parameters, list(row))[-1] for row in x]
        each = [sample_loss(m, network.loss_function, z, t) for z, t in zip(outputs, aims, strict=True)]
        return textbook.reduced(m, network.loss_function, each, labels)

    return m, loss


def small(unit: refnn.Activation, loss: refnn.Loss) -> tuple[Case, np.ndarray]:
    rng = np.random.default_rng(len(repr(unit)))
    network = refnn.Network(refnn.Dense(2, 1), unit, refnn.Dense(1, 3), loss=loss)
    y = rng.dirichlet(np.ones(3), 5)
    return Case(network, rng.normal(size=9), rng.normal(size=(5, 2)), y), rng.normal(size=9)


H = Fraction(1, 2**150)
SLACK = Fraction(1, 2**250)
"""The central differences below err by h²/6 or h²/3 times third and fourth derivatives, which for numbers of ordinary
size are far below 2⁴⁰, h being 2⁻¹⁵⁰; 1000 bits leave their rounding, 2⁻¹⁰⁰⁰/h², at 2⁻⁷⁰⁰."""


def assert_all(values: Any, expected: list[Any], slack: Fraction = SLACK) -> None:
    got = np.ravel(np.asarray(values)).tolist()
    for value, number in zip(got, map(fraction, expected), strict=True):
        if abs(number) <= slack:  # 0, as far as the witness knows
            assert abs(value) <= slack
        else:
            assert value == nearest(number - slack, "float64") == nearest(number + slack, "float64")


SMOOTH = [unit for unit in ACTIVATIONS if not unit.kinks]
every_smooth = pytest.mark.parametrize("unit", SMOOTH, ids=str)
every_loss = pytest.mark.parametrize("loss", [kind() for kind in losses.ALL], ids=lambda loss: type(loss).__name__)


@every_loss
@pytest.mark.parametrize("unit", [kind() for kind in activations.ALL], ids=str)
def test_the_loss_between_floats(unit: refnn.Activation, loss: refnn.Loss) -> None:
    case, v = small(unit, loss)
    m, real = real_loss(case, 400)
    for distance in (Fraction(1, 3), Fraction(-7, 11), 0.1, 2):
        there = [m.number(a) + m.number(distance) * m.number(b) for a, b in zip(case.w, v, strict=True)]
        assert_all(refnn.exact_loss(*case, direction=v, distance=distance).value, [real(there)])
    here, there = ([m.number(a) + d * m.number(b) for a, b in zip(case.w, v, strict=True)] for d in (0, 1))
    assert_all(refnn.exact_loss(*case).value, [real(here)])
    assert_all(refnn.exact_loss(*case, direction=v).value, [real(there)])


@every_loss
@every_smooth
def test_the_derivative_along_a_direction(unit: refnn.Activation, loss: refnn.Loss) -> None:
    case, v = small(unit, loss)
    m, real = real_loss(case, 1000)
    h = m.number(H)
    ahead, behind = ([m.number(a) + s * h * m.number(b) for a, b in zip(case.w, v, strict=True)] for s in (1, -1))
    assert_all(refnn.exact_derivative(*case, direction=v).value, [(real(ahead) - real(behind)) / (2 * h)])


@pytest.mark.parametrize(
    ("unit", "loss"),
    [(unit, LOSSES[(3 * k + 1) % len(LOSSES)]) for k, unit in enumerate(SMOOTH)],
    ids=lambda part: type(part).__name__,
)
def test_the_hessian_times_a_vector(unit: refnn.Activation, loss: refnn.Loss) -> None:
    """∂²L/∂w_k∂v by the four corners of a square with sides 2h."""
    if isinstance(loss, refnn.SoftmaxCrossEntropy):
        loss = refnn.SoftmaxCrossEntropy(reduction=loss.reduction, label_smoothing=0.1, class_weights=(0.3, 2, 1.7))
    case, v = small(unit, loss)
    m, real = real_loss(case, 1000)
    h, w = m.number(H), list(map(m.number, case.w))

    def corner(k: int, s: int, t: int) -> Any:
        return real([a + t * h * m.number(b) + s * h * (i == k) for i, (a, b) in enumerate(zip(w, v, strict=True))])

    expected = [
        (corner(k, 1, 1) - corner(k, 1, -1) - corner(k, -1, 1) + corner(k, -1, -1)) / (4 * h * h) for k in range(9)
    ]
    assert_all(refnn.exact_hessian_vector_product(*case, direction=v).value, expected)


@pytest.mark.parametrize("unit", [refnn.Identity(), refnn.ReLU(), refnn.LeakyReLU(0.25)], ids=str)
@pytest.mark.parametrize("loss", [refnn.SquaredError(scale=Fraction(1, 3)), refnn.InnerProduct()], ids=repr)
def test_derivatives_of_rational_networks_are_fractions(unit: refnn.Activation, loss: refnn.Loss) -> None:
    case, v = small(unit, loss)
    lifted = DualArray(Rational.of(case.w), Rational.of(v))
    value, gradient = case.network.loss_and_gradient(lifted, case.x, case.y)
    product = refnn.exact_hessian_vector_product(*case, direction=v)
    assert product.value.tolist() == [float(f) for f in gradient.tangent.elements]
    assert refnn.exact_derivative(*case, direction=v).value == float(value.tangent.elements)
    assert product.undecided == ()


@every_loss
def test_a_step_of_gradient_descent_is_rounded_once(loss: refnn.Loss) -> None:
    case = an_example(loss=loss)
    known = by_the_textbook(case)
    for rate in (0.1, Fraction(1, 3)):
        got = refnn.exact_update(*case, learning_rate=rate)  # type: ignore[arg-type]  # a fraction is as good
        steps = [Fraction(w) - Fraction(rate) * fraction(g) for w, (g, _) in zip(case.w, known.gradient, strict=True)]
        assert got.value.tolist() == [nearest(step, "float64") for step in steps]


def test_rounding_the_gradient_first_would_move_another_way() -> None:
    """b = 1 and ∂L/∂b = −2⁻⁵³ − 2⁻¹⁰⁷, which rounds to −2⁻⁵³; then 1 + 2⁻⁵³ is a tie and goes to 1."""
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.InnerProduct())
    asked = (network, [0.0, 1.0], [[0.0]] * 3, [[-(2.0**-53)], [-(2.0**-107)], [0.0]])
    twice = 1.0 - refnn.exact(*asked).gradient[1]
    assert twice == 1
    assert refnn.exact_update(*asked, learning_rate=1).value[1] == 1 + 2.0**-52


def test_another_rule_makes_its_first_step() -> None:
    class Backwards:
        def initial_state(self, w: Any) -> None:
            return None

        def step(self, state: None, w: Any, gradient: Any, learning_rate: float) -> tuple[None, Any]:
            return None, w + gradient

    case = an_example(refnn.ReLU())
    there = refnn.exact_update(*case, learning_rate=0.5, rule=Backwards()).value
    gradient = case.network.loss_and_gradient(Rational.of(case.w), case.x, case.y)[1].elements
    assert there.tolist() == [float(Fraction(w) + g) for w, g in zip(case.w.tolist(), gradient, strict=True)]


@every_companion
@pytest.mark.parametrize("dtype", FORMATS)
def test_every_companion_rounds_to_every_format(name: str, dtype: str) -> None:
    case = an_example()
    exact, wide = call(name, case, dtype=dtype), call(name, case)
    field = "gradient" if name == "exact" else "value"
    enclosure = exact.enclosures.gradient if name == "exact" else exact.enclosure
    assert exact.dtype == dtype_of(dtype)
    assert exact.undecided == ()
    assert enclosure.shape == np.shape(getattr(exact, field))
    # A second rounding of the first misses only where the first stands on a border, which random numbers do not.
    twice = [nearest(Fraction(v), dtype) for v in np.ravel(getattr(wide, field)).tolist()]
    assert np.ravel(np.asarray(getattr(exact, field), np.float64)).tolist() == twice


# ------------------------------------------------------------------------------------------------- what is not decided


def equal_logits() -> Case:
    """Both logits are 0, both probabilities ½, and the gradient Σ xᵢ(½ − 1) = −(1 + 2⁻⁵³), between two floats."""
    network = refnn.Network(refnn.Dense(1, 2), loss=refnn.SoftmaxCrossEntropy(reduction="sum"))
    return Case(network, np.zeros(4), np.array([[2.0], [2.0**-52], [0.0]]), np.array([0, 0, 0]))


def test_a_tie_of_real_numbers_is_listed_and_even_stands_for_it() -> None:
    truth = refnn.exact(*equal_logits())
    assert [(element.field, element.place) for element in truth.undecided] == [("gradient", (0,)), ("gradient", (1,))]
    assert truth.gradient.tolist() == [-1.0, 1.0, -1.5, 1.5]
    assert truth.bits == 4096
    tie = 1 + Fraction(1, 2**53)
    for element, border in zip(truth.undecided, (-tie, tie), strict=True):
        ball = element.enclosure.elements.item()
        assert element.enclosure.shape == ()
        assert ball.contains(in_arb(border))
        assert ball.rad() < in_arb(Fraction(1, 2**4000))  # few operations on numbers near 1 lose less than 96 bits
    assert str(truth.undecided[0]).startswith("gradient[0] in [-1.0000000000000001110 +/- ")
    assert refnn.exact(*equal_logits(), dtype="float32").undecided == ()


@pytest.mark.parametrize("name", ["exact", "exact_update"])
def test_to_require_a_decision_is_to_be_told_what_has_none(name: str) -> None:
    case = equal_logits()
    settings = {} if name == "exact" else {"learning_rate": 1}
    assert getattr(refnn, name)(*case, **settings, dtype="float16", require_decided=True).undecided == ()
    with pytest.raises(refnn.UndecidedError) as caught:
        getattr(refnn, name)(*case, **settings, require_decided=True, max_bits=300)
    error = caught.value
    field = "gradient" if name == "exact" else "parameters"
    assert error.given.startswith(f"2 numbers are undecided, the first of them {field}[0] in [")
    assert error.why == "with 300 bits their balls still hold a border between two floats, or a kink"
    assert error.remedy == "Raise max_bits, or leave out require_decided and look at .undecided"


@pytest.mark.parametrize(
    ("most", "tried"), [(2, [2]), (100, [100]), (128, [128]), (129, [128, 129]), (600, [128, 256, 512, 600])]
)
def test_the_precision_doubles_up_to_the_limit_and_each_is_told(most: int, tried: list[int]) -> None:
    told: list[tuple[int, int]] = []
    truth = refnn.exact(*equal_logits(), max_bits=most, progress=lambda bits, left: told.append((bits, left)))
    assert [bits for bits, _ in told] == tried
    assert truth.bits == tried[-1]
    assert told[-1][1] == len(truth.undecided)
    if most > 2:
        assert {left for _, left in told} == {2}


def test_what_is_decided_at_first_is_told_once() -> None:
    told: list[tuple[int, int]] = []
    assert refnn.exact(*an_example(), progress=lambda *numbers: told.append(numbers)).bits == 128
    assert told == [(128, 0)]


def test_few_bits_decide_less_and_say_nothing_wrong() -> None:
    case = an_example()
    truth = refnn.exact(*case)
    for bits in (2, 20, 53, 60, 75):
        rough = refnn.exact(*case, max_bits=bits)
        left = {(element.field, element.place) for element in rough.undecided}
        assert left or bits > 60
        for field in FIELDS:
            for place, value in np.ndenumerate(np.asarray(getattr(truth, field))):
                assert (field, place) in left or np.asarray(getattr(rough, field))[place] == value


def test_an_undecided_loss_has_no_place() -> None:
    """L = ln 2 + … with 53 bits; its name stands alone."""
    network = refnn.Network(refnn.Tanh(), loss=refnn.SquaredError())
    rough = refnn.exact(network, [], [[0.3]], [[0.7]], max_bits=20)
    (loss,) = (element for element in rough.undecided if element.field == "loss")
    assert loss.place == ()
    assert isinstance(loss, Undecided)


def test_a_unit_that_cannot_be_told_from_its_kink_is_listed() -> None:
    """u·tanh(z) − u·tanh(z) is 0 in real numbers, and for balls never; ReLU follows, and its slope may be 0 or 1."""
    network = refnn.Network(
        refnn.Dense(1, 2), refnn.Tanh(), refnn.Dense(2, 1), refnn.ReLU(), refnn.Dense(1, 1), loss=refnn.InnerProduct()
    )
    w = network.pack(
        {
            "0.weight": np.array([[0.7, 0.7]]),
            "0.bias": np.array([0.1, 0.1]),
            "2.weight": np.array([[1.3], [-1.3]]),
            "2.bias": np.array([0.0]),
            "4.weight": np.array([[0.9]]),
            "4.bias": np.array([0.2]),
        }
    )
    truth = refnn.exact(network, w, [[0.5]], [[2.0]])
    listed = {(element.field, element.place): element.enclosure.elements.item() for element in truth.undecided}
    assert set(listed) == {
        *(("gradient", (k,)) for k in range(7)),
        ("input_gradient", (0, 0)),
        ("input of layer 3", (0, 0)),
    }
    assert listed["input of layer 3", (0, 0)].contains(0)
    m = textbook.digits()
    hidden = fraction(m.tanh(m.number(0.7) * m.number(0.5) + m.number(0.1)))
    slope = Fraction(2) * Fraction(0.9)
    for place, most in ((4, hidden * slope), (5, hidden * slope), (6, slope)):  # the layer before, with slopes 0 and 1
        ball = listed["gradient", (place,)]
        assert ball.contains(0)
        assert ball.overlaps(in_arb(most))
        # It is from 0 to the most, but for the 2⁻¹⁰⁰ that it and the most are known to, and for radii of 30 bits, which
        # Arb rounds up: in the union of both slopes, and in three products with their sums.
        mantissa, exponent = map(int, ball.rad().man_exp())
        excess = 2 * mantissa * Fraction(2) ** exponent / most - 1
        assert -Fraction(1, 2**100) <= excess <= Fraction(1 + 2 * 3, 2**29)
    assert truth.outputs.tolist() == [[0.2]]
    assert truth.gradient[7:].tolist() == [0.0, 2.0]
    with pytest.raises(refnn.UndecidedError, match=r"^9 numbers are undecided, the first of them gradient\[0\]"):
        refnn.exact(network, w, [[0.5]], [[2.0]], require_decided=True, max_bits=2048)


def test_a_unit_that_stands_on_its_kink_is_told_from_it() -> None:
    """Its ball is 0 without a radius: the slope is known, and what is undecided is the tie ∂L/∂b = 1 + 2⁻⁵³ alone."""
    network = refnn.Network(
        refnn.Dense(1, 1), refnn.ReLU(), refnn.Tanh(), refnn.Dense(1, 1), loss=refnn.InnerProduct(scale=Fraction(1, 3))
    )
    truth = refnn.exact(network, [0.7, 0.0, 1.3, 0.1], [[0.0], [1.0], [2.0]], [[3.0], [3 * 2.0**-53], [0.0]])
    assert truth.gradient[3] == 1
    assert [(element.field, element.place) for element in truth.undecided] == [("gradient", (3,))]


# ---------------------------------------------------------------------------------------------------------- enclosures


@pytest.mark.parametrize("unit", ACTIVATIONS, ids=str)
def test_enclosures_hold_what_the_textbook_finds(unit: refnn.Activation) -> None:
    case = an_example(unit, LOSSES[ACTIVATIONS.index(unit)])
    truth, known = refnn.exact(*case), by_the_textbook(case)
    for field in FIELDS:
        balls = getattr(truth.enclosures, field)
        assert balls.shape == np.shape(getattr(truth, field))
        for ball, (value, error) in zip(balls.elements.flat, np.array(getattr(known, field), object).reshape(-1, 2)):  # noqa: B905
            low, high, size = fraction(value - error), fraction(value + error), abs(fraction(value))
            with working_precision(1000):
                assert ball.overlaps(in_arb(low).union(in_arb(high)))
            assert not ball.overlaps(in_arb(high + (1 + size) / 2**90))


def test_questions_from_several_threads_do_not_disturb_one_another() -> None:
    cases = [an_example(unit, loss, seed) for seed, (unit, loss) in enumerate(zip(ACTIVATIONS, LOSSES))]  # noqa: B905
    limits = [128 * (1 + k % 3) for k in range(len(cases))]
    before = flint.ctx.prec
    alone = [refnn.exact(*case, max_bits=most) for case, most in zip(cases, limits, strict=True)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda case, most: refnn.exact(*case, max_bits=most), cases * 2, limits * 2))
    assert flint.ctx.prec == before
    for a, b in zip(alone * 2, together, strict=True):
        assert same_truth(a, b)
        texts = [
            [getattr(t.enclosures, field).text(60).tolist() for field in FIELDS] for t in (a, b)
        ]  # the balls too, to the last digit
        assert texts[0] == texts[1]


def test_the_precision_is_restored_after_an_error() -> None:
    before = flint.ctx.prec

    def stop(bits: int, left: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refnn.exact(*an_example(), progress=stop)
    with pytest.raises(refnn.UndecidedError):
        refnn.exact(*equal_logits(), require_decided=True, max_bits=200)
    assert flint.ctx.prec == before


def test_arguments_are_left_alone() -> None:
    case = an_example()
    copies = [array.copy() for array in case[1:]]
    for array in case[1:]:
        array.flags.writeable = False
    for name in COMPANIONS:
        call(name, case)
    assert all(np.array_equal(a, b) for a, b in zip(case[1:], copies, strict=True))


# ----------------------------------------------------------------------------------------------------- wrong arguments


@pytest.mark.parametrize(
    ("name", "wrong", "kind", "given", "remedy"),
    [
        ("exact", {"dtype": "float8"}, refnn.DTypeError, "dtype is 'float8'", "Pass one of float64, float32"),
        ("exact", {"max_bits": 1}, refnn.SettingError, "max_bits is 1", "Pass 2 or more"),
        ("exact", {"max_bits": 128.0}, refnn.SettingError, "max_bits is 128.0", "Pass 2 or more"),
        ("exact_loss", {"distance": math.nan}, refnn.SettingError, "distance is nan", "Pass a finite number"),
        (
            "exact_loss",
            {"direction": [1.0]},
            refnn.ShapeError,
            "direction has shape (1,), expected (31,)",
            "Pass a vec",
        ),
        (
            "exact_derivative",
            {"direction": np.full(31, np.nan)},
            refnn.NonFiniteError,
            "direction[0] is nan",
            "Remove or replace them",
        ),
        (
            "exact_hessian_vector_product",
            {"direction": ["a"] * 31},
            refnn.DTypeError,
            "direction has dtype <U1",
            "Pass direction as floats",
        ),
        ("exact_update", {"learning_rate": 0}, refnn.SettingError, "learning_rate is 0", "Pass a number above 0"),
        ("exact_update", {"rule": 3}, refnn.SettingError, "rule is 3", "Pass refnn.GradientDescent()"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_wrong_setting_is_named(
    name: str, wrong: dict[str, Any], kind: type[refnn.RefnnError], given: str, remedy: str
) -> None:
    with pytest.raises(kind) as caught:
        call(name, an_example(), **wrong)
    assert caught.value.given == given
    assert caught.value.remedy.startswith(remedy)


@every_companion
def test_wrong_data_are_refused_as_the_network_does(name: str) -> None:
    network, w, x, y = an_example()
    for wrong in (
        Case(network, w[1:], x, y),
        Case(network, w, x[:, 1:], y),
        Case(network, w, x, y[1:]),
        Case(network, w.astype(np.float32), x, y),
        Case(network, w, x * np.inf, y),
    ):
        with pytest.raises(refnn.RefnnError) as theirs, np.errstate(all="ignore"):
            wrong.network.evaluate(wrong.w, wrong.x, wrong.y)
        with pytest.raises(type(theirs.value)) as mine:
            call(name, wrong)
        assert str(mine.value) == str(theirs.value)
    more = {"direction": w} if "direction" in COMPANIONS[name] else COMPANIONS[name]
    with pytest.raises(refnn.SettingError, match=r"network is 3.*Pass a refnn\.Network"):
        getattr(refnn, name)(3, w, x, y, **more)


@every_companion
@pytest.mark.parametrize("place", ["w", "x"])
@pytest.mark.parametrize("lift", [RoundedArray.exact, BallArray.exact, lambda v: DualArray(v, v)])
def test_arrays_of_another_arithmetic_are_refused(name: str, place: str, lift: Callable[[Any], Any]) -> None:
    """The question is about floats; `exact` brings the arithmetic."""
    case = an_example()
    wrong = case._replace(**{place: lift(getattr(case, place))})
    assert only_refnn_errors(lambda: call(name, wrong)) is not None


@every_companion
@given(data=st.data())
def test_garbage_is_refused_in_refnns_own_words(name: str, data: st.DataObject) -> None:
    case = an_example()
    arguments: dict[str, Any] = {**case._asdict(), "dtype": "float64", "max_bits": 128, **COMPANIONS[name]}
    if name != "exact_update" and name != "exact":
        arguments["direction"] = np.ones(case.network.size)
    place = data.draw(st.sampled_from(sorted(arguments)))
    arguments[place] = data.draw(garbage(), label=place)
    only_refnn_errors(lambda: getattr(refnn, name)(**arguments))


def test_what_the_caller_writes_meanwhile_is_not_seen() -> None:
    network = refnn.Network(refnn.Dense(1, 1), refnn.Tanh(), loss=refnn.SquaredError())
    w, x, y = np.array([0.0, 100.0]), np.array([[1.0]]), np.array([[1.0]])

    def write(bits: int, left: int) -> None:
        w[:], x[:], y[:] = 1, 2, 7

    asked = refnn.exact(network, w, x, y, progress=write)
    again = refnn.exact(network, [0.0, 100.0], [[1.0]], [[1.0]])
    assert asked.bits > 128
    assert (asked.loss, asked.gradient.tolist()) == (again.loss, again.gradient.tolist())


def test_numpys_errors_may_be_anything() -> None:
    network = refnn.Network(refnn.Dense(1, 1), refnn.Tanh(), loss=refnn.SquaredError())
    with np.errstate(all="raise"):
        truth = refnn.exact(network, [1e-170, 0], [[1e-150]], [[0.0]])
    assert truth.loss == 0


def test_a_distance_without_a_direction_is_refused() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    with pytest.raises(refnn.SettingError, match="distance is 3 and direction None"):
        refnn.exact_loss(network, [1.0, 2.0], [[1.0]], [[1.0]], distance=3)
