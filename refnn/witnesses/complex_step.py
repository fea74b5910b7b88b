"""Complex step: the derivative is the imaginary part that a tiny imaginary step leaves, and nothing is subtracted.

Im L(w + ih·eₖ)/h differs from ∂L/∂wₖ by h²/6 times a third derivative, which for h = 2⁻²⁰⁰ is far below any rounding,
unless the derivative is zero or nearly so. A power of two, h divides without rounding. With h/2 that difference is a
quarter, so that ¾ of it is what the two differ by; twice that is allowed for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from refnn.arithmetic.complex import ComplexArray
from refnn.network import Evaluation, Network
from refnn.witnesses import Testimony, forward_mode
from refnn.witnesses.coordinates import along_each, in_double

__all__ = ["BLIND_TO", "testify"]

BLIND_TO = (
    "a wrong formula of the forward pass, which it runs too; the derivative of erfc; kinks, decided by the real part; "
    "derivatives below 1e-250"
)

_STEP = 2.0**-200
_FLOOR = 1e-250  # what underflows in an imaginary part is 2⁻¹⁰⁷⁴/h = 8e-264 of a derivative, times factors that follow
ROUNDINGS = 10
"""Where a dual number is rounded once, a complex one is by √2·γ₇ at most, as a quotient is, the worst of its operations
(Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed. 2002, lemma 3.5)."""


def testify(network: Network, w: ArrayLike, x: ArrayLike, y: ArrayLike) -> Testimony:
    """The gradients by the complex step.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.Network.loss`.

    Returns
    -------
    Testimony
        All four fields. Imaginary parts pass through the operations of dual numbers, so the bounds are those of
        `refnn.witnesses.forward_mode`, times the roundings of a complex operation.

    Examples
    --------
    >>> import refnn
    >>> from refnn.witnesses import complex_step
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> complex_step.testify(network, [2.0, 1.0], [[3.0]], [[5.0]]).values.gradient
    array([6., 2.])
    """
    batch = in_double(network, w, x, y)
    e, half = (along_each(network, *batch, ComplexArray(np.array(1j * step))) for step in (_STEP, _STEP / 2))
    gradient, by_input = (moved.elements.imag / _STEP for moved in (e.gradient, e.input_gradient))
    again, by_input_again = (moved.elements.imag / (_STEP / 2) for moved in (half.gradient, half.input_gradient))
    by_duals = forward_mode.bounds(network, w, x, y)
    return Testimony(
        Evaluation(e.outputs.elements.real, float(e.loss.elements.real), gradient, by_input),
        Evaluation(
            ROUNDINGS * by_duals.outputs.error,
            ROUNDINGS * float(by_duals.loss.error),
            ROUNDINGS * by_duals.gradient.error + 2 * np.abs(gradient - again) + _FLOOR,
            ROUNDINGS * by_duals.input_gradient.error + 2 * np.abs(by_input - by_input_again) + _FLOOR,
        ),
    )
