"""Witnesses: ways to the loss and its gradients that do not use a backward pass.

Each module has a function ``testify(network, w, x, y)``, which returns a `Testimony`, raises `NotRunError` where the
case is beyond it, and `refnn.MissingExtraError` where it needs a package that is not installed; and a sentence
`BLIND_TO`, which says what the witness cannot see.
"""

from __future__ import annotations

from typing import NamedTuple

from refnn.arrays import FloatArray
from refnn.errors import RefnnError
from refnn.network import Evaluation

__all__ = ["NotRunError", "Testimony"]


class NotRunError(RefnnError, ValueError):
    """A witness does not speak on this case: it is too large, or has a layer that the witness has no definition of."""


class Testimony(NamedTuple):
    """What a witness says of a batch.

    Attributes
    ----------
    values
        Outputs, loss, gradient and input gradient, as float64; None for what it does not state.
    errors
        For each value, a bound on its distance from the real number, in the same shape.
    """

    values: Evaluation[FloatArray | None, float | None]
    errors: Evaluation[FloatArray | None, float | None]
