"""Finite differences: (L(w + h·eₖ) − L(w − h·eₖ))/2h for shrinking h, extrapolated to h = 0.

The error of a central difference is a series in h², so differences at several steps can be combined to cancel its
first terms (Richardson, Phil. Trans. Royal Soc. A 210 (1911), 307–357). Which combination to believe is decided as in
Ridders, "Accurate computation of F′(x) and F′(x)·F″(x)", Advances in Engineering Software 4 (1982), 75–76: the one that
differs least from its two parents; that difference estimates its error. The rounding of L, which 1/h magnifies, is
bounded and added.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from refnn.activations import Activation
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray
from refnn.network import Evaluation, Network
from refnn.witnesses import NotRunError, Testimony
from refnn.witnesses.coordinates import along_each, in_double

__all__ = ["BLIND_TO", "testify"]

BLIND_TO = "a wrong formula of the forward pass, which it runs too; anything smaller than its own error, about 1e-10"

_STEPS = tuple(2.0**-k for k in range(5, 20, 2))
_SAFETY = 4  # the parents' difference is an estimate, not a bound


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
        If a unit is within the smallest step of its kink: there the loss has no derivative that a difference could see.

    Examples
    --------
    >>> import refnn
    >>> from refnn.witnesses import finite_difference
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> finite_difference.testify(network, [2.0, 1.0], [[3.0]], [[5.0]]).values.gradient.round(9)
    array([6., 2.])
    """
    checked_w, checked_x, labels = in_double(network, w, x, y)
    _require_no_kink(network, checked_w, checked_x)
    differences = []
    for step in _STEPS:
        ahead = along_each(network, checked_w, checked_x, labels, np.array(step))
        behind = along_each(network, checked_w, checked_x, labels, np.array(-step))
        differences.append(
            (
                (ahead.gradient - behind.gradient) / (2 * step),
                (ahead.input_gradient - behind.input_gradient) / (2 * step),
            )
        )
    rounding = 4 * float(network.value(RoundedArray.exact(checked_w), RoundedArray.exact(checked_x), labels).error)
    gradient, gradient_error = _extrapolated([g for g, _ in differences], rounding)
    by_input, by_input_error = _extrapolated([g for _, g in differences], rounding)
    return Testimony(Evaluation(None, None, gradient, by_input), Evaluation(None, None, gradient_error, by_input_error))


def _extrapolated(differences: list[FloatArray], rounding: float) -> tuple[FloatArray, FloatArray]:
    """The best entry of the Richardson–Ridders tableau for each element, and its error.

    `rounding` is four bounds on the error of the loss: a moved loss is rounded as the unmoved one is, the shortcut of
    `along_each` at most doubles that, a central difference adds two of them and divides by 2h, and an entry of the
    tableau magnifies the error of its differences by less than 2.
    """
    shape = differences[0].shape
    best, least = np.zeros(shape), np.full(shape, np.inf)
    row: list[FloatArray] = []
    for k, difference in enumerate(differences):
        above, row = row, [difference]
        for m, parent in enumerate(above, start=1):
            weight = 16**m  # the steps shrink by 4, and the m-th term of the series by 16 to the m
            entry: FloatArray = row[-1] + (row[-1] - parent) / (weight - 1)
            estimate = _SAFETY * np.maximum(np.abs(entry - row[-1]), np.abs(entry - parent)) + rounding / _STEPS[k]
            better = estimate < least
            best, least = np.where(better, entry, best), np.where(better, estimate, least)
            row.append(entry)
    return best, least


def _require_no_kink(network: Network, w: FloatArray, x: FloatArray) -> None:
    """Refuse a batch in which the smallest step could move a unit across its kink.

    `reach` bounds how far that step, at any one number before layer k, moves an input of layer k: a dense layer
    magnifies it by the largest column sum of its weight; an activation, whose slope is about 1 at most, by less than 2.
    """
    p = network.parameters(w)
    h = network.forward(p, x)
    reach = _STEPS[-1]
    for k, layer in enumerate(network.layers):
        for kink in layer.kinks if isinstance(layer, Activation) else ():
            distance = np.abs(h[k] - kink)
            if (distance <= reach).any():
                sample, unit = np.unravel_index(int(np.argmin(distance)), distance.shape)
                raise NotRunError(
                    f"unit {unit} of layer {k} is {distance.min():.1e} from its kink for sample {sample}",
                    "there the loss has no derivative that a difference could see",
                    "Ask another witness, or move the data",
                )
        gain = max((float(np.abs(q).sum(axis=0).max()) for q in p[k]), default=2.0)
        own = _STEPS[-1] * max(1.0, float(np.abs(h[k]).max())) if p[k] else 0.0
        reach = max(reach * gain, own)
