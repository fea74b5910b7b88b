"""Bounds for what the tests compare: how far floats may be from the real numbers, and why."""

from __future__ import annotations

from typing import Any

import numpy as np

from refnn.arithmetic.rounded import RoundedArray
from tests.definitions import outside

U = 2.0**-53
"""The unit roundoff of float64."""


def misses(found: RoundedArray, true: Any) -> list[str]:
    """Where computed numbers are further from the real ones than their bounds allow; an infinite bound is one, too.

    Parameters
    ----------
    found
        As the code under test computes it, on rounded numbers.
    true
        Floats, fractions or mpmath's numbers, as many.
    """
    unbounded = [f"[{k}]: no bound" for k, error in enumerate(found.error.ravel()) if not np.isfinite(error)]
    return unbounded + outside(found.value, true, found.error)


def svd_error(rows: int, columns: int) -> float:
    """e, for which LAPACK's singular value decomposition of A is that of A + E with ‖E‖ ≤ e‖A‖ (Frobenius norms).

    The computed V, too, is within e·√columns of one that is orthonormal, and likewise U.

    Notes
    -----
    For rows ≥ columns = n ≤ 25, where it makes A bidiagonal and then iterates; every step is orthogonal but for its
    rounding, so that their errors add up (Higham 2002, lemma 19.3 and theorem 19.4). With m = rows:

    * A reflector I − τvvᵀ of length m is made of ‖x‖, to m/2 + 1 roundings; of v, with x₁ ± ‖x‖ and its reciprocal, to
      m/2 + 4 in each element; and of τ, to m + 5. As ‖τvvᵀ‖ = 2, it is off by 2(m + 5) + 4(m/2 + 4) = 4m + 26 units.
      Its application takes an inner product, two products and a sum: 2(m + 2) + 1. Together, less than 6m + 40.
    * There are 3n of them at most: n for rows, n for columns, and n more where A is first made triangular.
    * A rotation is off by √2·6 < 9 units (Higham, lemma 19.8). The iteration fails after 6n² steps (MAXITR in LAPACK's
      dbdsqr), each with a rotation from the left and one from the right.
    """
    return float(3 * columns * (6 * rows + 40) + 12 * columns**2 * 9) * U
