"""Forward mode: dual numbers carry the derivative along with the value, one coordinate at a time.

The duals are over rounding errors, so that each derivative comes with a bound on its own error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.network import Evaluation, Network
from refnn.witnesses import Testimony
from refnn.witnesses.coordinates import along_each, in_double

__all__ = ["BLIND_TO", "bounds", "testify"]

BLIND_TO = "a wrong formula of the forward pass, which it runs too; the derivative at a kink, which is a convention"


def testify(network: Network, w: ArrayLike, x: ArrayLike, y: ArrayLike) -> Testimony:
    """The gradients by dual numbers, with bounds on their rounding errors.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.Network.loss`.

    Returns
    -------
    Testimony
        All four fields.

    Examples
    --------
    >>> import refnn
    >>> from refnn.witnesses import forward_mode
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> forward_mode.testify(network, [2.0, 1.0], [[3.0]], [[5.0]]).values.gradient
    array([6., 2.])
    """
    outputs, loss, gradient, by_input = bounds(network, w, x, y)
    return Testimony(
        Evaluation(outputs.value, float(loss.value), gradient.value, by_input.value),
        Evaluation(outputs.error, float(loss.error), gradient.error, by_input.error),
    )


def bounds(network: Network, w: ArrayLike, x: ArrayLike, y: ArrayLike) -> Evaluation[RoundedArray, RoundedArray]:
    """What `testify` says, as values with bounds on their rounding errors."""
    zero, one = RoundedArray.exact(np.zeros(())), RoundedArray.exact(np.ones(()))
    e = along_each(network, *in_double(network, w, x, y), DualArray(zero, one))
    return Evaluation(e.outputs.value, e.loss.value, e.gradient.tangent, e.input_gradient.tangent)
