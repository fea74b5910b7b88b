"""refnn.exact beside torch.autograd.gradcheck, which compares a gradient with finite differences: its time, its sight.

For the same network and batch, in float64. `gradcheck` has two modes: slow takes one difference for each parameter,
fast one along a random direction. Both compare to a tolerance, by default 1e-5 + 1e-3·|gradient|. `refnn.exact` gives
more than a verdict (the correctly rounded outputs, loss, gradient and input gradient), and a gradient is held against
it within the derived bound on the rounding of the same computation in floats.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import refnn
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray
from tests.benchmarks.drawn import Classified, classified
from tests.benchmarks.hand_written import network
from tests.benchmarks.table import Line, Row, name, ratio

WIDTHS = ((4, 8, 3), (64, 32, 10), (784, 128, 64, 10))
BATCH = 29
SLOW_MODE_UP_TO = 10_000  # parameters; twice as many forward passes take minutes for the largest network
PLANTED = (0.0, 1e-2, 1e-4, 1e-7, 1e-10)


def torch_if_installed() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError:
        return None


def loss_of_torch(torch: Any, case: Classified, error: float = 0) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The loss of a case as a function of torch's tensors, and its parameters as such.

    The gradient of the first weight has a relative error in its largest element, if one is asked for.
    """
    subject, w, x, y = case
    parameters = tuple(torch.from_numpy(p.copy()).requires_grad_() for p in subject.unpack(w).values())
    samples, classes = torch.from_numpy(x), torch.from_numpy(y)
    faulty = _faulty(torch, largest_of_first_weight(case), error)

    def loss(*p: Any) -> Any:
        h = samples @ (faulty(p[0]) if error else p[0]) + p[1]
        for weight, bias in zip(p[2::2], p[3::2], strict=True):
            h = torch.tanh(h) @ weight + bias
        return torch.nn.functional.cross_entropy(h, classes)

    return loss, parameters


def largest_of_first_weight(case: Classified) -> int:
    """Where the gradient has it: the first weight is the first part of the vector."""
    subject, w, x, y = case
    first, *_ = subject.unpack(subject.loss_and_gradient(w, x, y)[1]).values()
    return int(np.argmax(np.abs(first)))


def _faulty(torch: Any, place: int, error: float) -> Callable[[Any], Any]:
    """The identity, whose derivative is off by a relative error in one element."""

    def forward(context: Any, p: Any) -> Any:
        return p.clone()

    def backward(context: Any, delta: Any) -> Any:
        wrong = delta.clone()
        wrong.view(-1)[place] *= 1 + error
        return wrong

    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    made: Any = type("Faulty", (torch.autograd.Function,), methods)
    apply: Callable[[Any], Any] = made.apply
    return apply


def gradient_of_torch(torch: Any, case: Classified, error: float) -> FloatArray:
    loss, parameters = loss_of_torch(torch, case, error)
    return np.concatenate([g.numpy().ravel() for g in torch.autograd.grad(loss(*parameters), parameters)])


def agrees(case: Classified, gradient: FloatArray) -> bool:
    """Whether a gradient is as near to the truth as its rounding must be: to the bound of refnn's own float64.

    torch rounds the same sums and products, in another order, which the bound covers. Its tanh gives 1 − h² where refnn
    has sech²(z), which rounds no worse where no unit is saturated, as here.
    """
    truth = refnn.exact(*case).gradient
    return bool(np.all(np.abs(gradient - truth) <= rounding(case) + np.spacing(np.abs(truth)) / 2))


def rounding(case: Classified) -> FloatArray:
    """How far float64 may take each element of the gradient from the real number, at worst."""
    bound: FloatArray = case.network.evaluate(RoundedArray.exact(case.w), case.x, case.y).gradient.error
    return bound


def gradcheck() -> Iterator[Line]:
    torch = torch_if_installed()
    if torch is None:
        yield "gradcheck: torch is not installed, so there is nothing to compare with"
        return
    for widths in WIDTHS:
        yield from _times(torch, name(widths), classified(network(widths), BATCH))
    for widths in WIDTHS:
        yield from _sights(torch, name(widths), classified(network(widths), BATCH))


def _check(torch: Any, case: Classified, fast: bool, error: float = 0) -> Callable[[], bool]:
    loss, parameters = loss_of_torch(torch, case, error)
    return lambda: bool(torch.autograd.gradcheck(loss, parameters, fast_mode=fast, raise_exception=False))


def _times(torch: Any, what: str, case: Classified) -> Iterator[Line]:
    for mode in ("slow", "fast"):
        if mode == "slow" and case.network.size > SLOW_MODE_UP_TO:
            yield f"time of exact {what}, over gradcheck slow: left out, {2 * case.network.size} passes take minutes"
            continue
        measured = ratio(lambda: refnn.exact(*case), _check(torch, case, mode == "fast"))
        yield Row(f"time of exact {what}, batch {BATCH}, over gradcheck {mode}", measured, None, "x")


def _sights(torch: Any, what: str, case: Classified) -> Iterator[Line]:
    place = largest_of_first_weight(case)
    size, bound = (each[place] for each in (np.abs(refnn.exact(*case).gradient), rounding(case)))
    yield f"a relative error in one element of the gradient, {what}; the bound on its rounding is {bound / size:.1e}"
    yield f"  {'error':<10}{'gradcheck slow':>16}{'gradcheck fast':>16}{'refnn.exact':>16}"
    for error in PLANTED:
        slow = "-" if case.network.size > SLOW_MODE_UP_TO else _verdict(_check(torch, case, False, error)())
        fast = _verdict(_check(torch, case, True, error)())
        exact = _verdict(agrees(case, gradient_of_torch(torch, case, error)))
        yield f"  {error:<10g}{slow:>16}{fast:>16}{exact:>16}"


def _verdict(accepted: bool) -> str:
    return "accepted" if accepted else "caught"
