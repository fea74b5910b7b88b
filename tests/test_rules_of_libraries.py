"""The presets against the real libraries: torch, optax and scikit-learn, in float64, with a rate that changes.

The allowance is derived from the worst case of refnn's own rounding errors, E, which counts every operation of the
recurrence once, and besides takes each setting as a rounded number. A library computes the same real number with its
operations in another order, at no larger magnitudes, and with at most four roundings where the recurrence has one (as a
lerp, a + t(b − a), for a mean): it is within 4E of the truth, to first order in the unit roundoff, and refnn within E.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from refnn.arithmetic.rounded import RoundedArray
from refnn.rules import (
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    Clipped,
    Decayed,
    GradientDescent,
    Lion,
    Momentum,
    RMSProp,
    like,
)

STEPS, SIZE = 50, 7
RNG = np.random.default_rng(20)
START = RNG.uniform(-2, 2, SIZE)
GRADIENTS = RNG.uniform(0.01, 0.5, (STEPS, SIZE)) * RNG.choice([-1, 1], (STEPS, SIZE))
RATES = 0.1 / np.arange(1, STEPS + 1)

Path = NDArray[np.float64]


def expected(rule: Any) -> tuple[Path, Path]:
    """The parameters after each step, and what is allowed for each."""
    w = RoundedArray.exact(START)
    state, values, bounds = rule.initial_state(w), [], []
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        state, w = rule.step(state, w, RoundedArray.exact(gradient), float(rate))
        values.append(w.value)
        bounds.append(5 * w.error)
    return np.array(values), np.array(bounds)


def agrees(rule: Any, path: Path) -> bool:
    values, bounds = expected(rule)
    assert bounds.max() < 1e-11  # it says something
    return bool((np.abs(path - values) <= bounds).all())


def torch_path(name: str, clip: Callable[[Any, Any], None] | None = None, **settings: Any) -> Path:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    w = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer, path = getattr(torch.optim, name)([w], lr=1.0, foreach=False, **settings), []
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        optimizer.param_groups[0]["lr"] = float(rate)
        w.grad = torch.tensor(gradient)
        if clip is not None:
            clip(torch, w)
        optimizer.step()
        path.append(w.detach().numpy().copy())
    return np.array(path)


def optax_path(name: str, clip: tuple[str, float] | None = None, **settings: Any) -> Path:
    optax = pytest.importorskip("optax", reason="optax is not installed")
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        rates, w, path = jax.numpy.asarray(RATES), jax.numpy.asarray(START), []
        optimizer = getattr(optax, name)(lambda k: rates[k], **settings)
        if clip is not None:
            optimizer = optax.chain(getattr(optax, clip[0])(clip[1]), optimizer)
        state = optimizer.init(w)
        for gradient in GRADIENTS:
            updates, state = optimizer.update(jax.numpy.asarray(gradient), state, w)
            w = optax.apply_updates(w, updates)
            path.append(np.asarray(w, dtype=np.float64))
            assert w.dtype == np.float64
    finally:
        jax.config.update("jax_enable_x64", before)
    return np.array(path)


def sklearn_path(name: str, **settings: Any) -> Path:
    optimizers = pytest.importorskip(
        "sklearn.neural_network._stochastic_optimizers", reason="scikit-learn is not installed"
    )
    w, path = START.copy(), []
    optimizer = getattr(optimizers, name)([w], learning_rate_init=1.0, **settings)
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        optimizer.learning_rate_init = optimizer.learning_rate = float(rate)
        optimizer.update_params([w], [gradient])
        path.append(w.copy())
    return np.array(path)


PATHS: dict[str, Callable[..., Path]] = {"torch": torch_path, "optax": optax_path, "scikit-learn": sklearn_path}

CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("torch", "SGD", {}),
    ("torch", "SGD", {"weight_decay": 0.1}),
    ("torch", "SGD", {"momentum": 0.9, "dampening": 0.3}),
    ("torch", "SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("torch", "Adagrad", {}),
    ("torch", "Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-3}),
    ("torch", "RMSprop", {}),
    ("torch", "RMSprop", {"alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1, "momentum": 0.5}),
    ("torch", "RMSprop", {"alpha": 0.9, "eps": 1e-3, "centered": True, "momentum": 0.5}),
    ("torch", "Adadelta", {}),
    ("torch", "Adadelta", {"rho": 0.8, "eps": 1e-3, "weight_decay": 0.1}),
    ("torch", "Adam", {}),
    ("torch", "Adam", {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("torch", "Adam", {"betas": (0.8, 0.9), "eps": 1e-3, "amsgrad": True}),
    ("torch", "AdamW", {}),
    ("torch", "AdamW", {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True}),
    ("torch", "Adamax", {}),
    ("torch", "Adamax", {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("optax", "sgd", {}),
    ("optax", "sgd", {"momentum": 0.9}),
    ("optax", "sgd", {"momentum": 0.9, "nesterov": True}),
    ("optax", "adagrad", {}),
    ("optax", "adagrad", {"initial_accumulator_value": 0.3, "eps": 1e-3}),
    ("optax", "rmsprop", {}),
    ("optax", "rmsprop", {"decay": 0.8, "eps": 1e-3, "initial_scale": 0.2, "eps_in_sqrt": False}),
    ("optax", "rmsprop", {"decay": 0.8, "eps": 1e-3, "initial_scale": 0.2, "centered": True}),
    ("optax", "adadelta", {}),
    ("optax", "adadelta", {"rho": 0.8, "eps": 1e-3}),
    ("optax", "adam", {}),
    ("optax", "adam", {"b1": 0.8, "b2": 0.9, "eps": 1e-3}),
    ("optax", "adamw", {}),
    ("optax", "adamw", {"b1": 0.8, "b2": 0.9, "eps": 1e-3, "weight_decay": 0.1}),
    ("optax", "amsgrad", {}),
    ("optax", "amsgrad", {"b1": 0.8, "b2": 0.9, "eps": 1e-3}),
    ("optax", "adamax", {}),
    ("optax", "adamax", {"b1": 0.8, "b2": 0.9, "eps": 1e-3}),
    ("optax", "lion", {}),
    ("optax", "lion", {"b1": 0.8, "b2": 0.9, "weight_decay": 0.1}),
    ("scikit-learn", "SGDOptimizer", {}),
    ("scikit-learn", "SGDOptimizer", {"momentum": 0.7, "nesterov": False}),
    ("scikit-learn", "AdamOptimizer", {}),
    ("scikit-learn", "AdamOptimizer", {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
]


@pytest.mark.parametrize(("library", "name", "settings"), CASES)
def test_a_preset_is_the_library(library: str, name: str, settings: dict[str, Any]) -> None:
    path = PATHS[library](name, **settings)
    assert agrees(like(library, name, **settings), path)


FAULTS: list[tuple[str, str, dict[str, Any], Any]] = [
    ("torch", "SGD", {"momentum": 0.9, "dampening": 0.3}, Momentum(0.9, 0.3, first="dampened")),
    ("torch", "SGD", {"momentum": 0.9}, Momentum(0.9, rate="inside")),
    ("torch", "SGD", {"momentum": 0.9, "nesterov": True}, Momentum(0.9)),
    ("torch", "SGD", {"weight_decay": 0.1}, Decayed(GradientDescent(), 0.1, "plain")),
    ("torch", "Adagrad", {"eps": 1e-3}, Adagrad(1e-3, "inside")),
    ("torch", "Adagrad", {"lr_decay": 0.1}, Adagrad()),
    ("torch", "Adagrad", {"initial_accumulator_value": 0.1}, Adagrad()),
    ("torch", "RMSprop", {}, RMSProp(epsilon_place="inside")),
    ("torch", "RMSprop", {"centered": True}, RMSProp()),
    ("torch", "RMSprop", {"momentum": 0.5}, RMSProp()),
    ("torch", "Adadelta", {}, Adadelta(epsilon=1e-7)),
    ("torch", "Adam", {}, Adam(epsilon_place="uncorrected")),
    ("torch", "Adam", {}, Adam(epsilon_place="inside")),
    ("torch", "Adam", {"betas": (0.8, 0.9), "amsgrad": True}, Adam(0.8, 0.9, amsgrad="after")),
    ("torch", "Adam", {"betas": (0.8, 0.9), "amsgrad": True}, Adam(0.8, 0.9)),
    ("torch", "Adam", {"weight_decay": 0.1}, Decayed(Adam(), 0.1, "rate")),
    ("torch", "AdamW", {}, Decayed(Adam(), 1e-2, "plain")),
    ("torch", "AdamW", {}, Decayed(Adam(), 1e-2, "coupled")),
    ("torch", "Adamax", {}, Adamax(epsilon=0.0)),
    ("optax", "rmsprop", {}, RMSProp(0.9, initial=1.0)),
    ("optax", "amsgrad", {"b1": 0.8, "b2": 0.9}, Adam(0.8, 0.9, amsgrad="before")),
    ("optax", "lion", {"weight_decay": 0.0}, Lion(0.99, 0.9)),
    ("scikit-learn", "SGDOptimizer", {}, Momentum(0.9, nesterov=True)),
    ("scikit-learn", "AdamOptimizer", {}, Adam()),
]
"""For each convention, a rule that follows another one: it has to be seen."""


@pytest.mark.parametrize(("library", "name", "settings", "other"), FAULTS)
def test_another_convention_is_seen(library: str, name: str, settings: dict[str, Any], other: Any) -> None:
    assert not agrees(other, PATHS[library](name, **settings))


def test_clipping_is_that_of_torch() -> None:
    norm = torch_path("SGD", clip=lambda torch, w: torch.nn.utils.clip_grad_norm_([w], 0.6))
    assert agrees(Clipped(GradientDescent(), 0.6, "norm", 1e-6), norm)
    assert not agrees(Clipped(GradientDescent(), 0.6, "norm"), norm)
    assert not agrees(GradientDescent(), norm)
    value = torch_path("SGD", clip=lambda torch, w: torch.nn.utils.clip_grad_value_([w], 0.3))
    assert agrees(Clipped(GradientDescent(), 0.3, "value"), value)
    assert not agrees(Clipped(GradientDescent(), 0.3, "norm"), value)


def test_clipping_is_that_of_optax() -> None:
    norm = optax_path("sgd", clip=("clip_by_global_norm", 0.6))
    assert agrees(Clipped(GradientDescent(), 0.6, "norm"), norm)
    assert not agrees(Clipped(GradientDescent(), 0.6, "norm", 1e-6), norm)
    assert agrees(Clipped(GradientDescent(), 0.3, "value"), optax_path("sgd", clip=("clip", 0.3)))
