"""The update rules by hand, in fractions, on every arithmetic, and without touching their arguments."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn import rules
from refnn.arithmetic.ball import BallArray
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rational import RationalArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.errors import SettingError
from refnn.rules import Adadelta, Adagrad, Adam, Adamax, Clipped, Decayed, GradientDescent, Lion, Momentum, RMSProp
from tests import test_rules_of_libraries
from tests.rational import Rational

ORDINARY = st.floats(-1e3, 1e3, allow_subnormal=False)


@given(w=ORDINARY, g=ORDINARY, eta=st.floats(1e-6, 10))
def test_gradient_descent_is_w_minus_eta_g(w: float, g: float, eta: float) -> None:
    truth = Fraction(w) - Fraction(eta) * Fraction(g)
    _, exactly = GradientDescent().step(None, Rational.of(np.array([w])), Rational.of(np.array([g])), eta)
    assert exactly.elements.tolist() == [truth]
    _, bound = GradientDescent().step(None, RoundedArray.exact(np.array([w])), RoundedArray.exact(np.array([g])), eta)
    _, after = GradientDescent().step(None, np.array([w]), np.array([g]), eta)
    assert abs(Fraction(float(after[0])) - truth) <= Fraction(float(bound.error[0]))
    # the rate may be taken as rounded once more than it is: 2 u of the product, u of the difference
    largest = 3 * abs(Fraction(eta) * Fraction(g)) + abs(truth)
    assert bound.error[0] <= float(largest) * 2.0**-52 + 1e-320  # or underflow


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_dtype_stays(dtype: Any) -> None:
    w, g = np.ones(3, dtype), np.full(3, 2, dtype)
    GradientDescent().initial_state(w)
    state, after = GradientDescent().step(None, w, g, 0.25)
    assert state is None
    assert after.dtype == dtype
    assert after.tolist() == [0.5, 0.5, 0.5]
    assert w.tolist() == [1, 1, 1]
    assert not np.shares_memory(after, w)


def test_a_step_has_a_derivative() -> None:
    _, after = GradientDescent().step(
        None, DualArray(np.array([1.0]), np.array([1.0])), DualArray(np.array([2.0]), np.array([6.0])), 0.25
    )
    assert after.tangent.tolist() == [1 - 0.25 * 6]


def test_the_registry() -> None:
    public = {value for value in vars(rules).values() if isinstance(value, type) and value.__module__ == "refnn.rules"}
    rule_classes = {value for value in public if hasattr(value, "step") and not value.__name__.startswith("_")}
    assert rule_classes - {rules.Rule} == {*rules.ALL, rules.Decayed, rules.Clipped}


CHOICES = [
    *(rule() for rule in rules.ALL),
    *(
        Momentum(0.7, 0.3, first=first, rate=rate)
        for first in ("gradient", "dampened")
        for rate in ("outside", "inside")
    ),
    *(Momentum(0.7, nesterov=True, rate=rate) for rate in ("outside", "inside")),
    Adagrad(1e-3, "inside", initial=0.1, rate_decay=0.2),
    RMSProp(0.9, 1e-3, "inside", centred=True, momentum=0.5, initial=0.1),
    *(Adam(epsilon=1e-3, epsilon_place=place) for place in ("uncorrected", "inside")),
    *(Adam(amsgrad=amsgrad) for amsgrad in ("before", "after")),
    Adam(epsilon_place="uncorrected", amsgrad="before"),
    *(Decayed(Adam(), 0.001, kind) for kind in ("coupled", "rate", "plain")),
    Clipped(Momentum(), 0.5, "norm", 1e-6),
    Clipped(Momentum(), 0.5, "value"),
]
"""Every rule, and every choice of its options."""

GRADIENTS = ([3.0, -0.25, 7.0], [-1.0, 0.5, 2.0], [0.125, -4.0, -1.0])
RATES = (0.25, 0.125, 0.5)


def trained(rule: Any, of: Any, w: Any = (1.0, -2.0, 0.5)) -> Any:
    """The parameters after some steps, in the arithmetic that `of` makes of floats."""
    w = of(np.array(w))
    state = rule.initial_state(w)
    for gradient, eta in zip(GRADIENTS, RATES, strict=True):
        state, w = rule.step(state, w, of(np.array(gradient)), eta)
    return w


def leaves(state: Any) -> list[Any]:
    return [leaf for part in state for leaf in leaves(part)] if isinstance(state, tuple) else [state]


@pytest.mark.parametrize("rule", CHOICES, ids=repr)
def test_a_rule_runs_on_every_arithmetic(rule: Any) -> None:
    values = trained(rule, lambda a: a)
    bound = trained(rule, RoundedArray.exact)
    balls = trained(rule, BallArray.exact)
    dual = trained(rule, lambda a: DualArray(a, np.ones_like(a)))
    assert bound.value.tolist() == values.tolist() == dual.value.tolist()
    assert (bound.error < 1e-12).all()
    assert np.isfinite(dual.tangent).all()
    assert (values - bound.error <= balls.upper).all()
    assert (balls.lower <= values + bound.error).all()


@pytest.mark.parametrize("rule", CHOICES, ids=repr)
def test_a_rule_keeps_the_dtype_and_its_arguments(rule: Any) -> None:
    w, g = np.array([1, -2, 3], np.float32), np.array([2, 1, -1], np.float32)
    state = rule.initial_state(w)
    for _ in range(2):
        before = [np.copy(leaf) for leaf in leaves(state) if leaf is not None]
        again, after = rule.step(state, w, g, 0.25)
        assert after.dtype == np.float32
        assert all(leaf is None or leaf.dtype == np.float32 for leaf in leaves(again))
        assert [leaf.tolist() for leaf in leaves(state) if leaf is not None] == [leaf.tolist() for leaf in before]
        state = again
    assert w.tolist() == [1, -2, 3]
    assert g.tolist() == [2, 1, -1]


def test_momentum_in_fractions() -> None:
    mu, tau, w, v = Fraction(3, 4), Fraction(1, 4), Fraction(1), Fraction(0)
    for gradient, eta in zip(GRADIENTS, RATES, strict=True):
        v = mu * v + (1 - tau) * Fraction(gradient[0])
        w -= Fraction(eta) * v
    assert trained(Momentum(0.75, 0.25), Rational.of).elements[0] == w
    exactly = trained(Momentum(0.75, 0.25), RationalArray.exact).elements[0]
    assert Fraction(int(exactly.p), int(exactly.q)) == w
    assert trained(Momentum(0.75, 0.25, first="gradient"), Rational.of).elements[0] != w


def test_where_the_rate_stands_matters_only_if_it_changes() -> None:
    def after(rule: Momentum, rates: tuple[float, ...]) -> Any:
        w = Rational.of(np.array([1.0]))
        state = rule.initial_state(w)
        for eta in rates:
            state, w = rule.step(state, w, Rational.of(np.array([2.0])), eta)
        return w.elements[0]

    inside, outside = Momentum(0.5, nesterov=True, rate="inside"), Momentum(0.5, nesterov=True)
    assert after(inside, (0.25, 0.25)) == after(outside, (0.25, 0.25))
    assert after(inside, (0.25, 0.5)) != after(outside, (0.25, 0.5))


def test_clipping_and_decay_in_fractions() -> None:
    w, g = Rational.of(np.array([4.0, 1.0])), Rational.of(np.array([3.0, -0.5]))

    def after(rule: Any) -> list[Fraction]:
        moved: list[Fraction] = rule.step(None, w, g, 0.25)[1].elements.tolist()
        return moved

    descent, half, tenth = GradientDescent(), Fraction(1, 2), Fraction(1, 4)
    assert after(Clipped(descent, 1.0, "value")) == [4 - tenth, 1 + tenth * half]
    assert after(Decayed(descent, 0.5, "coupled")) == [4 - tenth * (3 + 2), 1 - tenth * (-half + half)]
    assert after(Decayed(descent, 0.5, "rate")) == after(Decayed(descent, 0.5, "coupled"))  # for this rule alone
    assert after(Decayed(descent, 0.5, "plain")) == [4 - tenth * 3 - 2, 1 + tenth * half - half]


def test_a_norm_within_the_limit_is_left_alone() -> None:
    g = np.array([3.0, 4.0])
    assert Clipped(GradientDescent(), 5.0, "norm").step(None, 0 * g, g, 1.0)[1].tolist() == [-3, -4]
    assert Clipped(GradientDescent(), 2.5, "norm").step(None, 0 * g, g, 1.0)[1].tolist() == [-1.5, -2]
    assert Clipped(GradientDescent(), 2.5, "norm").step(None, 0 * g, 0 * g, 1.0)[1].tolist() == [0, 0]


def test_the_first_step_of_adam_has_the_derivative_that_its_formula_has() -> None:
    """w − ηg/(|g| + ε) at β₁ = β₂ = 0 has the derivative 1 − ηε/(|g| + ε)² in the direction w′ = g′ = 1."""
    one = np.array([1.0])
    w, g = DualArray(one, one), DualArray(3 * one, one)
    rule = Adam(0.0, 0.0, epsilon=1.0)
    _, after = rule.step(rule.initial_state(w), w, g, 0.5)
    assert after.tangent.tolist() == [1 - 0.5 / 16]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Momentum(1.0), "momentum is 1.0: momentum is at least 0 and below 1. Pass such a number."),
        (lambda: Momentum(0.5, -0.1), "dampening is -0.1: "),
        (lambda: Momentum(nesterov=1), "nesterov is 1: nesterov is True or False. Pass one of the two."),  # type: ignore[arg-type]
        (lambda: Momentum(first="g"), "Pass one of 'gradient', 'dampened'."),  # type: ignore[arg-type]
        (lambda: Momentum(rate=[]), "rate is []: there is no such choice"),  # type: ignore[arg-type]
        (lambda: Adagrad(-1e-3), "epsilon is -0.001: epsilon is not negative. Pass 0 or more."),
        (lambda: Adagrad(initial=-1.0), "initial is -1.0: "),
        (lambda: Adagrad(rate_decay=float("nan")), "rate_decay is nan: "),
        (lambda: Adagrad(epsilon_place="x"), "epsilon_place is 'x': "),  # type: ignore[arg-type]
        (lambda: RMSProp(1.5), "decay is 1.5: "),
        (lambda: Adadelta(epsilon=0.0), "epsilon is 0.0: "),
        (lambda: Adam(beta2=1.0), "beta2 is 1.0: "),
        (lambda: Adam(epsilon_place="uncorrected", amsgrad="after"), "no uncorrected one to add ε to"),
        (lambda: Adamax(beta1=-0.5), "beta1 is -0.5: "),
        (lambda: Lion(beta1=2.0), "beta1 is 2.0: "),
        (lambda: Decayed(Adam, 0.1, "rate"), "it has to be an object with initial_state, step"),  # type: ignore[arg-type]
        (lambda: Decayed(Adam(), 0.1, "l2"), "kind is 'l2': "),  # type: ignore[arg-type]
        (lambda: Clipped(Adam(), 0.0, "norm"), "limit is 0.0: "),
        (lambda: Clipped(Adam(), 1.0, "each"), "by is 'each': "),  # type: ignore[arg-type]
        (lambda: rules.like("torch", "Rprop"), "Pass one of: SGD, Adagrad, RMSprop, Adadelta, Adam, AdamW, Adamax."),
        (lambda: rules.like("caffe", "SGD"), "Pass one of: torch SGD, torch Adagrad, "),
        (lambda: rules.like("torch", "Adam", lr=1), "Pass some of: betas, eps, weight_decay, amsgrad."),
        (lambda: rules.like("torch", "Adam", betas=0.9), "betas is 0.9: betas are two numbers."),
        (lambda: rules.like("torch", "Adam", amsgrad=1), "amsgrad is 1: "),
        (lambda: rules.like("torch", "SGD", nesterov=True), "torch refuses Nesterov's step without momentum"),
    ],
)
def test_a_bad_setting_is_refused(make: Any, text: str) -> None:
    with pytest.raises(SettingError) as caught:
        make()
    assert text in str(caught.value)


@pytest.mark.parametrize("rule", CHOICES, ids=repr)
def test_descend_trains_with_every_rule(rule: Any) -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    x, y, w = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], [0.0, 0.5]
    steps = refnn.descend(network, w, x, y, batches=refnn.FullBatch(), learning_rate=0.01, epochs=20, rule=rule)
    assert network.loss([*steps][-1].parameters, x, y) < network.loss(w, x, y)


PRESETS: list[tuple[str, str, dict[str, Any], Any]] = [
    ("torch", "SGD", {}, GradientDescent()),
    ("torch", "SGD", {"momentum": 0.9, "weight_decay": 0.1}, Decayed(Momentum(0.9, first="gradient"), 0.1, "coupled")),
    ("torch", "Adagrad", {}, Adagrad(1e-10)),
    ("torch", "RMSprop", {"centered": True}, RMSProp(0.99, 1e-8, centred=True)),
    ("torch", "Adadelta", {}, Adadelta(0.9, 1e-6)),
    ("torch", "Adam", {"amsgrad": True}, Adam(amsgrad="before")),
    ("torch", "AdamW", {}, Decayed(Adam(), 0.01, "rate")),
    ("torch", "AdamW", {"weight_decay": 0.0}, Adam()),
    ("torch", "Adamax", {}, Adamax()),
    ("optax", "sgd", {}, Momentum(0.0)),
    ("optax", "adagrad", {}, Adagrad(1e-7, "inside", 0.1)),
    ("optax", "rmsprop", {}, RMSProp(0.9, 1e-8, "inside")),
    ("optax", "rmsprop", {"eps_in_sqrt": False}, RMSProp(0.9, 1e-8)),
    ("optax", "adadelta", {}, Adadelta(0.9, 1e-6)),
    ("optax", "adam", {"b1": 0.8}, Adam(0.8)),
    ("optax", "adamw", {}, Decayed(Adam(), 1e-4, "rate")),
    ("optax", "amsgrad", {}, Adam(amsgrad="after")),
    ("optax", "adamax", {}, Adamax()),
    ("optax", "lion", {}, Decayed(Lion(), 1e-3, "rate")),
    ("scikit-learn", "SGDOptimizer", {}, Momentum(0.9, nesterov=True, rate="inside")),
    ("scikit-learn", "AdamOptimizer", {}, Adam(epsilon_place="uncorrected")),
]
"""What test_rules_of_libraries.py holds against the libraries, written out for machines that have none of them."""


@pytest.mark.parametrize(("library", "name", "settings", "rule"), PRESETS)
def test_a_preset_makes_the_choices_of_its_library(library: str, name: str, settings: Any, rule: Any) -> None:
    assert rules.like(library, name, **settings) == rule


def test_every_preset_is_tested() -> None:
    assert {preset[:2] for preset in PRESETS} == rules._PRESETS.keys()
    assert {case[:2] for case in test_rules_of_libraries.CASES} == rules._PRESETS.keys()


@pytest.mark.parametrize("rule", CHOICES, ids=repr)
def test_the_first_step_is_as_near_the_truth_as_its_tolerance_says(rule: Any) -> None:
    network = refnn.Network(refnn.Dense(2, 3), refnn.Tanh(), refnn.Dense(3, 1), loss=refnn.SquaredError())
    w, x, y = network.initial_parameters(rng=1), [[0.5, -1.0], [2.0, 0.25], [-1.5, 1.0]], [1.0, -3.0, 5.0]
    (step,) = refnn.descend(network, w, x, y, batches=refnn.FullBatch(), learning_rate=0.1, epochs=1, rule=rule)
    truth = refnn.exact_update(network, w, x, y, learning_rate=0.1, rule=rule).value
    bound = refnn.tolerance(network, w, x, y, precision="float64").parameters(learning_rate=0.1, rule=rule)
    assert (np.abs(step.parameters - truth) <= bound).all()
    assert (np.abs(w - truth) > bound).any()  # standing still would be seen
