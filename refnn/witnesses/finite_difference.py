"""Finite differences: (L(w + h·eₖ) − L(w − h·eₖ))/2h for shrinking h, extrapolated to h = 0.

The error of a central difference is a series in h², if the loss is smooth from w − h·eₖ to w + h·eₖ. So differences at
h, h/2 and h/4 can be combined to cancel its first two terms (Richardson, Phil. Trans. Royal Soc. A 210 (1911),
307–357); what the last combination changes estimates the error that is left. Three things are made sure of:

* The loss is smooth there. A bound on how far a step can move the inputs of each layer gives the largest step with
  which no unit crosses its kink, nor a residual the joint of Huber's two pieces, and none moves by more than 1/32, over
  which every activation and loss is close to its Taylor polynomial.
* The rounding of L, which 1/h magnifies, is bounded and added.
* The estimate is taken several times over.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from refnn.activations import Activation
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray
from refnn.losses import Huber
from refnn.network import Evaluation, Network
from refnn.witnesses import NotRunError, Testimony
from refnn.witnesses.coordinates import along_each, in_double

__all__ = ["BLIND_TO", "testify"]

BLIND_TO = "a wrong formula of the forward pass, which it runs too; anything smaller than its own error, about 1e-8"

_FARTHEST = 2.0**-5
_SMALLEST = 2.0**-40  # with smaller steps, rounding leaves nothing of a difference
_SAFETY = 8  # what the last extrapolation changes is an estimate of the error before it, and not a bound


def testify(network: Network, w: ArrayLike, x: ArrayLike, y: ArrayLike) -> Testimony:
    """The gradients by central differences.

    Parameters
    ----------
    network, w, x, y
        As for `refnn.Network.loss`.

    Returns
    -------
    Testimony
        The gradients, with the errors that they are estimated to have; not outputs and loss, which are not differences.

    Raises
    ------
    NotRunError
        If a unit is so near its kink, or numbers are so large, that no step is small enough.

    Examples
    --------
    >>> import refnn
    >>> from refnn.witnesses import finite_difference
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> finite_difference.testify(network, [2.0, 1.0], [[3.0]], [[5.0]]).values.gradient.round(9)
    array([6., 2.])
    """
    checked_w, checked_x, labels = in_double(network, w, x, y)
    largest = _largest_step(network, checked_w, checked_x, labels)
    by_parameter, by_input = [], []
    for step in (largest, largest / 2, largest / 4):
        ahead = along_each(network, checked_w, checked_x, labels, np.array(step))
        behind = along_each(network, checked_w, checked_x, labels, np.array(-step))
        by_parameter.append((ahead.gradient - behind.gradient) / (2 * step))
        by_input.append((ahead.input_gradient - behind.input_gradient) / (2 * step))
    either_way = (RoundedArray.exact(np.array(step)) for step in (largest, -largest))
    up, down = (along_each(network, checked_w, checked_x, labels, step) for step in either_way)
    gradient, gradient_error = _extrapolated(*by_parameter)
    input_gradient, input_error = _extrapolated(*by_input)
    magnified = _MAGNIFIED / largest
    gradient_error += magnified * np.maximum(up.gradient.error, down.gradient.error)
    input_error += magnified * np.maximum(up.input_gradient.error, down.input_gradient.error)
    return Testimony(
        Evaluation(None, None, gradient, input_gradient), Evaluation(None, None, gradient_error, input_error)
    )


_MAGNIFIED = 14
"""If E bounds the rounding of a loss that is moved either way, a difference at step s is off by 2E/2s. The
extrapolation is (64 d(h/4) − 20 d(h/2) + d(h))/45, which makes 6.6 E/h of that; twice that allows for a loss that is
rounded more at a smaller step.
"""


def _extrapolated(d1: FloatArray, d2: FloatArray, d4: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The value at h = 0 from the differences at h, h/2 and h/4, and its estimated error."""
    second, third = d2 + (d2 - d1) / 3, d4 + (d4 - d2) / 3  # without the term in h²
    last: FloatArray = third + (third - second) / 15  # nor that in h⁴
    return last, _SAFETY * np.maximum(np.abs(last - third), np.abs(third - second) / 15)


def _largest_step(network: Network, w: FloatArray, x: FloatArray, labels: FloatArray) -> float:
    """The largest power of two with which no kink is crossed and no unit moves far, whichever number is moved.

    `reach` bounds how far a step of 1 at any one number before layer k moves an input of layer k: a dense layer
    magnifies it by the largest column sum of its weight; an activation, whose slope is about 1 at most, by less than 2.
    """
    p = network.parameters(w)
    h = network.forward(p, x)
    reach, step = 1.0, _FARTHEST
    for k, layer in enumerate(network.layers):
        if isinstance(layer, Activation):
            for kink in layer.kinks:
                step = _within(step, reach, np.abs(h[k] - kink), f"of layer {k} is {{}} from its kink")
            step = min(step, _FARTHEST / reach)
        gain = max((float(np.abs(q).sum(axis=0).max()) for q in p[k]), default=2.0)
        reach = max(reach * gain, float(np.abs(h[k]).max()) if p[k] else 0.0, 1.0)
    if isinstance(network.loss_function, Huber):
        distance = np.abs(np.abs(h[-1] - labels) - float(network.loss_function.delta))
        step = _within(step, reach, distance, "of the outputs is {} from the joint of Huber's pieces")
    step = min(step, _FARTHEST / reach)
    if step < _SMALLEST:
        raise NotRunError(
            "w or x holds large numbers",
            f"a step of {_SMALLEST:.0e} in one of them may move a unit by more than {_FARTHEST:.2f}",
            "Scale parameters or data",
        )
    return 2.0 ** math.floor(math.log2(step))


def _within(step: float, reach: float, distance: FloatArray, where: str) -> float:
    """`step`, or half of what would move a unit over its distance from a kink."""
    nearest = float(distance.min())
    if nearest / reach / 2 < _SMALLEST:
        sample, unit = np.unravel_index(int(np.argmin(distance)), distance.shape)
        raise NotRunError(
            f"unit {unit} {where.format(f'{nearest:.1e}')} for sample {sample}",
            "there the loss has no derivative that a difference could see",
            "Ask another witness, or move the data",
        )
    return min(step, nearest / reach / 2)
