"""How far float32 may be off: the gradient of refnn's own program in float32, each element against its derived bound.

Beside it stands what a constant tolerance would let pass, and what could be known of the gradient in bfloat16.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import final

import numpy as np

from refnn.arrays import FloatArray, IntArray
from refnn.errors import DivergenceError, NonFiniteError
from refnn.network import Network
from refnn.oracle.budget import block, ratios, tolerance
from refnn.oracle.comparison import Verdict, expect
from refnn.rules import GradientDescent

__all__ = ["ABSOLUTE", "RELATIVE", "Allowed", "constant_tolerance", "examine_allowed"]

RELATIVE, ABSOLUTE = 1.3e-6, 1e-5
"""What ``torch.testing.assert_close`` takes for float32 if nothing else is said, as PyTorch documents it."""

ELEMENTS = 1000
"""Of so many elements the sizes, errors and bounds are kept, at most."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Allowed:
    """The gradient in float32 against the truth, and what is allowed.

    Attributes
    ----------
    samples
        The number of samples that it is of.
    elements
        P, the number of elements.
    verdict
        As that of `refnn.compare`.
    ratio
        The largest |error|, relative to its bound: up to 1 is agreement.
    place
        At which element, such as ``0.weight[2, 3]``.
    decided
        How many elements are larger than their bound, or exactly zero where no rounding happens; of the others, nothing
        is known to the sign.
    relative
        The median of bound over size.
    unnoticed
        Of how many elements an error of twice the bound would pass the constant tolerance.
    bfloat16_decided, bfloat16_relative
        As `decided` and `relative`, by the bounds for bfloat16.
    sizes, errors, bounds : (K,)
        |g|, how far float32 is from g (as float64 tells it), and how far it may be: of all elements, or of every second
        or third and so on in the order of error/bound, that with the largest among them.
    reference
        What the truth is, as in `refnn.Comparison`.
    seconds
        How long it took.
    """

    samples: int
    elements: int
    verdict: Verdict
    ratio: float
    place: str
    decided: int
    relative: float
    unnoticed: int
    bfloat16_decided: int
    bfloat16_relative: float
    sizes: FloatArray
    errors: FloatArray
    bounds: FloatArray
    reference: str
    seconds: float


def constant_tolerance(sizes: FloatArray) -> FloatArray:
    """How far elements of these sizes may be off by the constants that PyTorch takes for float32."""
    return ABSOLUTE + RELATIVE * sizes


def examine_allowed(network: Network, w: FloatArray, x: FloatArray, y: FloatArray | IntArray) -> Allowed | None:
    """Compute the gradient in float32, and hold it against the truth within the bounds for float32.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.compare`; all are rounded to float32 first.

    Returns
    -------
    Allowed
        Or None, if a number leaves the range of float32.

    Examples
    --------
    The gradient is x·y and y, each far larger than its bound:

    >>> import numpy as np, refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.InnerProduct())
    >>> found = examine_allowed(network, np.array([0.5, 0.5]), np.array([[0.1]]), np.array([[0.1]]))
    >>> found.verdict, found.decided, found.elements
    ('agrees', 2, 2)
    """
    begin = time.perf_counter()
    try:
        budget = tolerance(network, w, x, y, precision="float32")
        coarse = tolerance(network, w, x, y, precision="bfloat16")
        asked = (budget.question.w, budget.question.x, budget.question.labels)
        gradient = network.loss_and_gradient(*(given.astype(np.float32) for given in asked))[1].astype(np.float64)
    except (NonFiniteError, DivergenceError):
        return None
    truth = expect(budget, rule=GradientDescent(), learning_rate=None)
    report = truth.judge({"gradient": gradient})
    values, rest, bounds = (
        network.pack({name: part[name] for name in network.names()})
        for part in (truth.values, truth.rest, truth.bounds)
    )
    errors = np.abs(gradient - values - rest)
    kept = np.sort(np.argsort(-ratios(errors, bounds))[:: -(-len(errors) // ELEMENTS)])
    fine, rough = block("gradient", bounds, values), block("gradient", coarse.gradient, coarse.values.gradient)
    return Allowed(
        samples=len(x),
        elements=len(gradient),
        verdict=report.verdict,
        ratio=report.worst_ratio,
        place=f"{report.worst.name}[{', '.join(map(str, report.worst.worst.place))}]",
        decided=fine.decided,
        relative=fine.relative,
        unnoticed=int(np.count_nonzero(2 * bounds <= constant_tolerance(np.abs(values)))),
        bfloat16_decided=rough.decided,
        bfloat16_relative=rough.relative,
        sizes=np.abs(values[kept]),
        errors=errors[kept],
        bounds=bounds[kept],
        reference=truth.reference,
        seconds=time.perf_counter() - begin,
    )
