"""What other checkers say of an implementation: whether they accept it, at their defaults.

An implementation is given to each as a function of the parameters and the samples of a case, whose value is the loss
that it answers, and whose derivative is the gradient that it answers.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from refnn import BinaryCrossEntropy, Network, SoftmaxCrossEntropy
from refnn.arithmetic.precision import precision_named
from refnn.arrays import FloatArray
from refnn.oracle.budget import Question, asked
from refnn.search.programs import run
from refnn.strategies import Case
from tests.peers.peer import Format

Answers: TypeAlias = Callable[[Question], dict[str, FloatArray]]
"""An implementation: all parts of its answer, by their names (`refnn.search.programs.run`)."""


class Tool(NamedTuple):
    """A checker: in a word, where it is, with what beside its defaults, and whether it accepts an implementation."""

    word: str
    path: str
    settings: str
    accepts: Callable[[Answers, Case], bool]

    @property
    def missing(self) -> str | None:
        """Why it cannot be asked, or None if it can."""
        package = self.path.split(".")[0]
        return None if importlib.util.find_spec(package) else f"{package} is not installed"

    def __str__(self) -> str:
        return f"{self.word}: {self.path}{self.settings}{f', {self.missing}' if self.missing else ''}"


def _found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


# --------------------------------------------------------------------------------------------------------------- cases


def ordinary(network: Network) -> Case:
    """Seven samples, and standard normal numbers; probabilities and classes where the loss asks for them."""
    rng = np.random.default_rng(0)
    inputs, outputs = network.inputs or 4, network.outputs or 3
    w, x, y = rng.normal(size=network.size), rng.normal(size=(7, inputs)), rng.normal(size=(7, outputs))
    if isinstance(network.loss_function, SoftmaxCrossEntropy):
        return Case(network, w, x, rng.integers(0, outputs, 7))
    return Case(network, w, x, rng.random((7, outputs)) if isinstance(network.loss_function, BinaryCrossEntropy) else y)


def question(case: Case, dtype: Format) -> Question:
    return asked(*case, precision_named(dtype))


def gradients(network: Network, parts: dict[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """In the vector of the parameters, and in the samples."""
    return np.concatenate([np.zeros(0), *(parts[name].ravel() for name in network.names())]), parts["input_gradient"]


# --------------------------------------------------------------------------------------------------- finite differences


def _by_torch(answers: Answers, case: Case, *, fast: bool) -> bool:
    torch = importlib.import_module("torch")

    def parts(w: Any, x: Any) -> dict[str, FloatArray]:
        return answers(question(case._replace(w=w.detach().numpy(), x=x.detach().numpy()), "float64"))

    def forward(context: Any, w: Any, x: Any) -> Any:
        context.save_for_backward(w, x)
        return torch.tensor(parts(w, x)["loss"])

    def backward(context: Any, delta: Any) -> Any:
        return tuple(delta * torch.tensor(g) for g in gradients(case.network, parts(*context.saved_tensors)))

    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    loss: Any = type("Given", (torch.autograd.Function,), methods)
    given = [torch.tensor(array, requires_grad=True) for array in (case.w, case.x)]
    return bool(_found(_TORCH)(loss.apply, given, fast_mode=fast, raise_exception=False))


def _by_jax(answers: Answers, case: Case, *, dtype: Format) -> bool:
    """It looks at functions only where they are called: they may be NumPy's."""
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")

    def parts(w: Any, x: Any) -> dict[str, FloatArray]:
        return answers(question(case._replace(w=np.asarray(w, np.float64), x=np.asarray(x, np.float64)), dtype))

    def backward(saved: Any, delta: Any) -> Any:
        return tuple(delta * jnp.asarray(g, dtype) for g in gradients(case.network, parts(*saved)))

    with jax.enable_x64(dtype == "float64"):
        loss = jax.custom_vjp(lambda w, x: jnp.asarray(parts(w, x)["loss"], dtype))
        loss.defvjp(lambda w, x: (loss(w, x), (w, x)), backward)
        given = tuple(jnp.asarray(array, dtype) for array in (case.w, case.x))
        return _passes(lambda: _found(_JAX)(loss, given, order=1, modes=["rev"]))


def _by_autograd(answers: Answers, case: Case) -> bool:
    extend = importlib.import_module("autograd.extend")

    def parts(w: Any, x: Any) -> dict[str, FloatArray]:
        return answers(question(case._replace(w=w, x=x), "float64"))

    def slope(k: int) -> Callable[..., Any]:
        return lambda loss, w, x: lambda delta: delta * gradients(case.network, parts(w, x))[k]

    loss = extend.primitive(lambda w, x: float(parts(w, x)["loss"]))
    extend.defvjp(loss, slope(0), slope(1))
    np.random.seed(0)  # noqa: NPY002 - its directions are NumPy's own
    return _passes(lambda: _found(_AUTOGRAD)(loss, (0, 1), modes=["rev"], order=1)(case.w, case.x))


def _passes(check: Callable[[], object]) -> bool:
    try:
        check()
    except AssertionError:
        return False
    return True


# ----------------------------------------------------------------------------------------------------------- tolerances


def _by_tolerance(answers: Answers, case: Case, *, dtype: Format) -> bool:
    """Beside the right answer, which finite differences do not need."""
    torch, posed = importlib.import_module("torch"), question(case, dtype)
    found, true = answers(posed), run(posed)
    own = getattr(torch, dtype)
    return all(
        _passes(partial(_found(_CLOSE), torch.tensor(found[name], dtype=own), torch.tensor(true[name], dtype=own)))
        for name in true
    )


_TORCH, _JAX, _AUTOGRAD, _CLOSE = (
    "torch.autograd.gradcheck",
    "jax.test_util.check_grads",
    "autograd.test_util.check_grads",
    "torch.testing.assert_close",
)

TOOLS = (
    Tool("slow", _TORCH, "", partial(_by_torch, fast=False)),
    Tool("fast", _TORCH, ", fast_mode=True", partial(_by_torch, fast=True)),
    Tool("jax32", _JAX, ', order=1, modes=["rev"], in float32, its default', partial(_by_jax, dtype="float32")),
    Tool("jax64", _JAX, ', order=1, modes=["rev"], in float64', partial(_by_jax, dtype="float64")),
    Tool("hips", _AUTOGRAD, ', order=1, modes=["rev"]', _by_autograd),
    Tool("tol32", _CLOSE, " of the right answer, in float32", partial(_by_tolerance, dtype="float32")),
    Tool("tol64", _CLOSE, " of the right answer, in float64", partial(_by_tolerance, dtype="float64")),
)
"""A function whose derivative is given by hand has but a first one, and none forward; the defaults of JAX and autograd
ask for these too, and refuse any."""


def refused_by(answers: Answers, cases: Sequence[Case]) -> Iterator[bool | None]:
    """For each tool, whether it refuses one of the cases; None if it is not installed."""
    for tool in TOOLS:
        yield None if tool.missing else not all(tool.accepts(answers, case) for case in cases)
