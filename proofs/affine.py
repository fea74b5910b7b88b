"""The affine layer z = x w + b: its gradients in x, w and b, for all sizes.

Each is a vector-Jacobian product: δ, of the shape of z, is any cotangent, such as ∂L/∂z of a loss that comes after.
"""

from __future__ import annotations

from sympy import Derivative, IndexedBase, KroneckerDelta

from proofs.kernel import Definition, Step, Theorem
from proofs.sums import Expression, Index, size, total

__all__ = ["AFFINE", "THEOREMS"]

_N, _M, _K = size("N"), size("m"), size("n")
_x, _w, _b, _z, _delta = map(IndexedBase, ("x", "w", "b", "z", "delta"))
_s, _t = Index("s", _N), Index("t", _N)
_i, _k = Index("i", _M), Index("k", _M)
_j, _l = Index("j", _K), Index("l", _K)

AFFINE = Definition(
    _z[_s, _j],
    total(_x[_s, _i] * _w[_i, _j], _i) + _b[_j],
    "(N, n)",
    "the outputs of a dense layer for N samples of m inputs",
)


def _theorem(
    id_: str,
    of: str,
    element: Expression,
    term_by_term: tuple[Expression, str],
    left: tuple[Expression, str],
    **more: str,
) -> Theorem:
    """Σ δ ∂z/∂element, of which first the derivative of each term is taken, and then what the deltas leave."""

    def product(z: Expression) -> Expression:
        return total(_delta[_s, _j] * Derivative(z, element), _s, _j)

    return Theorem(
        id_,
        f"The gradient in the {of}",
        product(AFFINE.symbol),
        (
            Step("=", product(AFFINE.expression), "z is the affine function of x, w and b", "definition", (AFFINE,)),
            Step("=", *term_by_term, "derivative"),
            Step("=", *left, "sums"),
        ),
        sizes="all numbers N of samples, m of inputs and n of outputs",
        **more,
    )


THEOREMS = (
    _theorem(
        "dense-weight",
        "weight",
        _w[_k, _l],
        (
            total(_delta[_s, _j] * _x[_s, _i] * KroneckerDelta(_i, _k) * KroneckerDelta(_j, _l), _s, _j, _i),
            "term by term: ∂wᵢⱼ/∂wₖₗ is 1 for the very same element, and else 0",
        ),
        (total(_x[_s, _k] * _delta[_s, _l], _s), "of each sum over i and j one term is left"),
        matrix=r"\partial L/\partial w = x^\top \delta",
        code="refnn.layers:Dense.gradient",
    ),
    _theorem(
        "dense-bias",
        "bias",
        _b[_l],
        (total(_delta[_s, _j] * KroneckerDelta(_j, _l), _s, _j), "the sum over i does not depend on b"),
        (total(_delta[_s, _l], _s), "of the sum over j one term is left; all samples share b"),
        matrix=r"\partial L/\partial b = \textstyle\sum_s \delta_s",
        code="refnn.layers:Dense.gradient",
    ),
    _theorem(
        "dense-input",
        "inputs",
        _x[_t, _k],
        (
            total(_delta[_s, _j] * KroneckerDelta(_s, _t) * KroneckerDelta(_i, _k) * _w[_i, _j], _s, _j, _i),
            "term by term: no sample depends on another",
        ),
        (total(_delta[_t, _j] * _w[_k, _j], _j), "of each sum over s and i one term is left"),
        matrix=r"\partial L/\partial x = \delta w^\top",
        code="refnn.layers:Dense.backward",
    ),
)
