"""The neuron and the affine layer z = x w + b: gradients in x, w and b, for all sizes.

Each is a vector-Jacobian product: δ, of the shape of z, is any cotangent, such as ∂L/∂z of a loss that comes after.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympy import Derivative, Function, KroneckerDelta, Subs
from sympy import Symbol as Letter

from proofs.execution import Execution
from proofs.kernel import Definition, Step, Theorem
from proofs.page import Code, Fails, Page, Prose, Quantity, Symbol, Worked
from proofs.sums import Expression, Index, array, size, total
from refnn.arithmetic.ball import BallArray
from refnn.layers import Dense

__all__ = ["AFFINE", "PAGE"]

N, M, K = size("N"), size("m"), size("n")
x, w, b, z, a, delta = map(array, ("x", "w", "b", "z", "a", "delta"))
s, t = Index("s", N), Index("t", N)
i, k = Index("i", M), Index("k", M)
j, l = Index("j", K), Index("l", K)
sigma, u = Function("sigma"), Letter("u", real=True)

SIZES = "all numbers N of samples, m of inputs and n of outputs"
ARRAYS = {"x": (N, M), "w": (M, K), "b": (K,), "delta": (N, K)}


def _layer(given: Mapping[str, BallArray]) -> tuple[Dense, tuple[BallArray, BallArray]]:
    return Dense(*given["w"].shape), (given["w"], given["b"])


def _forward(given: Mapping[str, BallArray]) -> Any:
    layer, parameters = _layer(given)
    return layer.forward(parameters, given["x"])


def _gradient(number: int) -> Any:
    def run(given: Mapping[str, BallArray]) -> Any:
        layer, parameters = _layer(given)
        return layer.gradient(parameters, given["x"], given["delta"])[number]

    return run


def _backward(given: Mapping[str, BallArray]) -> Any:
    layer, parameters = _layer(given)
    return layer.backward(parameters, given["x"], given["delta"])


AFFINE = Definition(
    z[s, j],
    total(x[s, i] * w[i, j], i) + b[j],
    "(N, n)",
    "the outputs of a dense layer for N samples of m inputs are weighted sums of the inputs, and a bias",
    source='Goodfellow, Bengio, Courville, "Deep Learning" (2016), section 6.1, with samples as rows',
    code=("refnn.layers:Dense.forward",),
    run=Execution({letter: ARRAYS[letter] for letter in "xwb"}, _forward, axes=(s, j)),
)

NEURON = Definition(
    a[s, j],
    sigma(z[s, j]),
    "(N, n)",
    "a layer of n neurons: each is a function σ of its weighted sum",
    source='Bishop, "Pattern Recognition and Machine Learning" (2006), eqs. (5.2) and (5.3)',
)


def _product(of: Expression, by: Expression) -> Expression:
    """Σ δ ∂z/∂by: the vector-Jacobian product."""
    return total(delta[s, j] * Derivative(of, by), s, j)


def _theorem(
    id_: str,
    title: str,
    by: Expression,
    term_by_term: tuple[Expression, str],
    left: tuple[Expression, str],
    **more: Any,
) -> Theorem:
    """Of which first the derivative of each term is taken, and then what the deltas leave."""
    return Theorem(
        id_,
        title,
        _product(AFFINE.symbol, by),
        (
            Step(
                "=", _product(AFFINE.expression, by), "z is the affine function of x, w and b", "definition", (AFFINE,)
            ),
            Step("=", *term_by_term, "derivative"),
            Step("=", *left, "sums"),
        ),
        sizes=SIZES,
        **more,
    )


WEIGHT = _theorem(
    "dense-weight",
    "The gradient in the weight",
    w[k, l],
    (
        total(delta[s, j] * x[s, i] * KroneckerDelta(i, k) * KroneckerDelta(j, l), s, j, i),
        r"term by term: $`\partial w_{i j}/\partial w_{k l}`$ is 1 for the very same element, and else 0",
    ),
    (total(x[s, k] * delta[s, l], s), "of each sum over i and j one term is left"),
    matrix=r"\frac{\partial L}{\partial w} = x^{\top} \delta",
    code=("refnn.layers:Dense.gradient",),
    law=("laws/test_gradient.py::test_each_partial_derivative_isolates_one_variable",),
    run=Execution(ARRAYS, _gradient(0), axes=(k, l)),
)
BIAS = _theorem(
    "dense-bias",
    "The gradient in the bias",
    b[l],
    (total(delta[s, j] * KroneckerDelta(j, l), s, j), "the sum over i does not depend on b"),
    (total(delta[s, l], s), "of the sum over j one term is left; all samples share b, so their sum stays"),
    matrix=r"\frac{\partial L}{\partial b} = \sum_{s=1}^{N} \delta_{s}",
    code=("refnn.layers:Dense.gradient",),
    law=("laws/test_gradient.py::test_each_partial_derivative_isolates_one_variable",),
    run=Execution(ARRAYS, _gradient(1), axes=(l,)),
)
INPUT = _theorem(
    "dense-input",
    "The gradient in the inputs",
    x[t, k],
    (
        total(delta[s, j] * KroneckerDelta(s, t) * KroneckerDelta(i, k) * w[i, j], s, j, i),
        "term by term: no sample depends on another",
    ),
    (total(delta[t, j] * w[k, j], j), "of each sum over s and i one term is left"),
    matrix=r"\frac{\partial L}{\partial x} = \delta w^{\top}",
    code=("refnn.layers:Dense.backward",),
    run=Execution(ARRAYS, _backward, axes=(t, k)),
)
SLOPE = Theorem(
    "neuron-weight",
    "How a neuron depends on one weight",
    Derivative(a[s, j], w[k, l]),
    (
        Step(
            "=",
            Derivative(sigma(total(x[s, i] * w[i, j], i) + b[j]), w[k, l]),
            "σ of the weighted sum",
            "definition",
            (NEURON, AFFINE),
        ),
        Step(
            "=",
            Subs(Derivative(sigma(u), u), u, total(x[s, i] * w[i, j], i) + b[j]) * x[s, k] * KroneckerDelta(j, l),
            "the chain rule in one variable; of the sum over i one term is left",
            "derivative",
        ),
        Step(
            "=",
            Subs(Derivative(sigma(u), u), u, z[s, j]) * x[s, k] * KroneckerDelta(j, l),
            "the weighted sum is z",
            "definition",
            (AFFINE,),
        ),
    ),
    sizes=SIZES + ", and any differentiable σ",
)

EXAMPLE = Worked(
    "two samples, two inputs, three outputs",
    "Two samples pass through a layer; δ comes from what stands behind it. All of it can be done by hand.",
    {N: 2, M: 2, K: 3},
    {
        "x": [["1", "2"], ["3", "-1"]],
        "w": [["1/2", "1", "0"], ["-1", "1/3", "2"]],
        "b": ["1/4", "0", "-1"],
        "delta": [["1", "0", "-1/2"], ["2", "1/3", "0"]],
    },
    (
        Quantity(
            "z", AFFINE.expression, (s, j), r"such as $`1 \cdot \frac12 + 2 \cdot (-1) + \frac14 = -\frac54`$", _forward
        ),
        Quantity(
            r"\frac{\partial L}{\partial w}",
            WEIGHT.expression,
            (k, l),
            r"each input times each δ, summed over the samples: $`1 \cdot 1 + 3 \cdot 2 = 7`$ is the first",
            _gradient(0),
        ),
        Quantity(r"\frac{\partial L}{\partial b}", BIAS.expression, (l,), "the sums of the columns of δ", _gradient(1)),
        Quantity(
            r"\frac{\partial L}{\partial x}",
            INPUT.expression,
            (t, k),
            r"each δ times each weight, summed over the outputs: $`1 \cdot \frac12 + 0 - \frac12 \cdot 0 = \frac12`$",
            _backward,
        ),
    ),
)

PAGE = Page(
    3,
    "dense",
    "The neuron and the affine layer",
    "A dense layer is a weighted sum for each output. Its gradients in the weight, the bias and the inputs are two "
    "products of matrices and a sum, whatever the sizes.",
    ("chain-rule",),
    (
        Symbol("N, m, n", "", "the numbers of samples, of inputs and of outputs; no two need be equal"),
        Symbol("x", "(N, m)", "the inputs; each sample is a row"),
        Symbol("w", "(m, n)", "the weight"),
        Symbol("b", "(n,)", "the bias"),
        Symbol("z", "(N, n)", "the outputs of the affine layer"),
        Symbol(r"a, \sigma", "(N, n), ()", "the outputs of a layer of neurons, and the function of one number in it"),
        Symbol(r"\delta", "(N, n)", r"the cotangent of z: $`\partial L/\partial z`$ for a loss L that comes after"),
        Symbol("[i = k]", "", "1 where the indices are equal, and else 0: Kronecker's delta"),
    ),
    (
        AFFINE,
        NEURON,
        SLOPE,
        Prose(
            "A loss L depends on the parameters through all outputs of all samples. By the chain rule its gradient is "
            r"a sum over them, $`\sum_{s} \sum_{j} \delta_{s j}\, \partial z_{s j}/\partial w_{k l}`$, in which δ "
            "holds all that needs to be known of what comes after. This sum, and its like for b and x, is what "
            "the next three theorems are about; it is called a vector-Jacobian product."
        ),
        WEIGHT,
        BIAS,
        INPUT,
        Code("refnn.layers:Dense.gradient"),
        Code("refnn.layers:Dense.backward"),
        Fails(
            "a square weight hides a transpose",
            "If m and n are equal, a wrong product has the right shape too, and where the weight is symmetric even the "
            "right numbers. So the tests that are to catch it draw each size for itself, and take unequal ones.",
            """
import numpy as np
delta, w = np.array([[1.0, 2.0]]), np.array([[1.0, 3.0], [3.0, 5.0]])
print((delta @ w == delta @ w.T).all())          # symmetric: the transpose is not missed
w = np.array([[1.0, 3.0], [4.0, 5.0]])
print((delta @ w == delta @ w.T).all())          # square: it is, but nothing stops
w = np.array([[1.0, 3.0], [4.0, 5.0], [6.0, 7.0]])
try:
    delta @ w
except ValueError:
    print("three inputs and two outputs: refused")
""",
        ),
        EXAMPLE,
    ),
    ("activations", "losses", "backpropagation"),
)
