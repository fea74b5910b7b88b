"""The chain rule in several variables, by slopes: for all numbers of variables; and its two ways to be computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympy import Derivative, IndexedBase, KroneckerDelta
from sympy import Symbol as Letter

from proofs.execution import Execution
from proofs.kernel import Assumption, Definition, Induction, Statement, Step, Theorem
from proofs.page import Code, Display, Fails, Page, Prose, Quantity, Symbol, Table, Worked
from proofs.sums import Index, array, size, total
from refnn import arrays
from refnn.activations import Tanh
from refnn.arithmetic.ball import BallArray
from refnn.arithmetic.dual import DualArray
from refnn.arrays import reshape
from refnn.layers import Dense
from refnn.losses import InnerProduct, SquaredError
from refnn.network import Network

__all__ = ["CHAIN_RULE", "PAGE", "SAMPLES"]

# ------------------------------------------------------------------------------------------------------ the chain rule

M, K, O, N, P = (size(name) for name in ("m", "n", "o", "N", "P"))
i, i2 = Index("i", M), Index("k", M)
j, j2 = Index("j", K), Index("l", K)
r = Index("r", O)
s = Index("s", N)
q = Index("q", P)
x, x0, u, u0, a, A, B, C = map(array, ("x", "x_0", "u", "u_0", "a", "A", "B", "C"))
f, f0, h, rest, square = (Letter(name, real=True) for name in ("f", "f_0", "h", "rho", "d"))

SQUARE = Definition(square, total((u[j] - u0[j]) ** 2, j), "", "the square of the distance of u from u₀, for u ≠ u₀")
SLOPES_EXIST = Theorem(
    "slopes-exist",
    "A linear approximation and its remainder, as slopes",
    total((a[j] + rest * (u[j] - u0[j]) / square) * (u[j] - u0[j]), j),
    (
        Step(
            "=",
            total(a[j] * (u[j] - u0[j]), j) + rest / square * total((u[j] - u0[j]) ** 2, j),
            "the remainder ρ is shared out, to each variable in proportion to how far it moved",
            "sums",
        ),
        Step("=", total(a[j] * (u[j] - u0[j]), j) + rest, "the shares sum to ρ", "fractions", (SQUARE,)),
    ),
    sizes="all numbers n of variables",
    holds="u ≠ u₀",
)

OF_F = Assumption(f, "=", f0 + total(A[j] * (u[j] - u0[j]), j), "A holds slopes of f at u₀")
OF_G = Assumption(
    u[j], "=", u0[j] + total(B[j, i] * (x[i] - x0[i]), i), "B holds slopes of g at x₀, and u = g(x), u₀ = g(x₀)"
)
CHAIN_RULE = Theorem(
    "chain-rule",
    "The chain rule in several variables",
    f - f0,
    (
        Step("=", total(A[j] * (u[j] - u0[j]), j), "the slopes of f", "definition", (OF_F,)),
        Step("=", total(A[j] * total(B[j, i] * (x[i] - x0[i]), i), j), "the slopes of g", "definition", (OF_G,)),
        Step(
            "=",
            total(total(A[j] * B[j, i], j) * (x[i] - x0[i]), i),
            "the sums are exchanged, and x does not depend on j",
            "sums",
        ),
    ),
    assuming=(OF_F, OF_G),
    sizes="all numbers m and n of variables",
)
ALONE = Assumption(x[i], "=", x0[i] + h * KroneckerDelta(i, i2), "the k-th variable moves by h, and no other")
PARTIAL = Theorem(
    "chain-rule-partial",
    "The difference quotient in one variable",
    (f - f0) / h,
    (
        Step(
            "=",
            total(total(A[j] * B[j, i], j) * (x[i] - x0[i]), i) / h,
            "the chain rule for slopes",
            "theorem",
            (CHAIN_RULE,),
        ),
        Step(
            "=",
            total(total(A[j] * B[j, i], j) * h * KroneckerDelta(i, i2), i) / h,
            "only the k-th variable moves",
            "definition",
            (ALONE,),
        ),
        Step("=", total(A[j] * B[j, i2], j), "of the sum over i one term is left, and h cancels", "sums"),
    ),
    assuming=(OF_F, OF_G, ALONE),
    sizes="all numbers m and n of variables",
    holds="h ≠ 0",
)

L, L0 = Letter("L", real=True), Letter("L_0", real=True)
z, z0, theta, theta0, D, E = map(array, ("z", "z_0", "theta", "theta_0", "D", "E"))
OF_LOSS = Assumption(
    L, "=", L0 + total(D[s, j] * (z[s, j] - z0[s, j]), s, j), "D holds slopes of the loss in the outputs"
)
OF_OUTPUTS = Assumption(
    z[s, j],
    "=",
    z0[s, j] + total(E[s, j, q] * (theta[q] - theta0[q]), q),
    "E holds slopes of the outputs in the parameters",
)
SAMPLES = Theorem(
    "chain-rule-samples",
    "The chain rule through all outputs of all samples",
    L - L0,
    (
        Step("=", total(D[s, j] * (z[s, j] - z0[s, j]), s, j), "the slopes of the loss", "definition", (OF_LOSS,)),
        Step(
            "=",
            total(D[s, j] * total(E[s, j, q] * (theta[q] - theta0[q]), q), s, j),
            "the slopes of the outputs",
            "definition",
            (OF_OUTPUTS,),
        ),
        Step(
            "=",
            total(total(D[s, j] * E[s, j, q], s, j) * (theta[q] - theta0[q]), q),
            "the sums are exchanged",
            "sums",
        ),
    ),
    assuming=(OF_LOSS, OF_OUTPUTS),
    sizes="all numbers N of samples, n of outputs and P of parameters",
)

# --------------------------------------------------------------------------------------------------------- many layers

FORWARD_ORDER = Theorem(
    "paths",
    "Three functions in a row: a sum over all paths, in any order",
    total(A[r] * total(B[r, j] * C[j, i], j), r),
    (
        Step("=", total(A[r] * B[r, j] * C[j, i], r, j), "one term for each path i → j → r", "sums"),
        Step("=", total(total(A[r] * B[r, j], r) * C[j, i], j), "the other way round", "sums"),
    ),
    sizes="all numbers m, n and o of variables",
    matrix=r"A\, (B C) = A B C = (A B)\, C",
)

delta, v, J = map(array, ("delta", "v", "J"))
VJP_ADJOINT = Theorem(
    "vjp-adjoint",
    "The two products with a Jacobian are adjoint",
    total(delta[j] * total(J[j, i] * v[i], i), j),
    (
        Step("=", total(delta[j] * J[j, i] * v[i], j, i), "multiplied out", "sums"),
        Step("=", total(total(delta[j] * J[j, i], j) * v[i], i), "the sums are exchanged", "sums"),
    ),
    sizes="all numbers m of inputs and n of outputs",
    matrix=r"\langle \delta, J v \rangle = \langle J^{\top} \delta, v \rangle",
    law=("laws/test_chain_rule.py::test_reverse_and_forward_mode_are_adjoint",),
)

DEPTH = size("K")
k = Letter("k", integer=True, positive=True)
width = IndexedBase("n", integer=True, positive=True)
here, before, last = Index("j", width[k]), Index("i", width[k - 1]), Index("j", width[DEPTH])
loss_slope = Letter(r"\dot{L}", real=True)

TANGENT = Definition(
    v[k, here],
    total(J[k, here, before] * v[k - 1, before], before),
    "(n⁽ᵏ⁾,)",
    "forward: the tangent of what comes out of layer k is the Jacobian-vector product of layer k",
)
COTANGENT = Definition(
    delta[k - 1, before],
    total(delta[k, here] * J[k, here, before], here),
    "(n⁽ᵏ⁻¹⁾,)",
    "backward: the cotangent of what goes into layer k is the vector-Jacobian product of layer k",
)
SAME = Statement(total(delta[k, here] * v[k, here], here), "=", loss_slope)
OUTPUT = Definition(
    loss_slope,
    total(delta[DEPTH, last] * v[DEPTH, last], last),
    "",
    "the derivative of the loss along the direction that forward mode began with, by the chain rule for the last step",
)
EVERYWHERE = Induction(
    "forward-reverse",
    "At every layer, the cotangent times the tangent is the derivative of the loss",
    SAME,
    over=k,
    first=DEPTH,
    following=k - 1,
    base=(Step("=", loss_slope, "so it is at the outputs", "definition", (OUTPUT,)),),
    step=(
        Step(
            "=",
            total(total(delta[k, here] * J[k, here, before], here) * v[k - 1, before], before),
            "the cotangent is a vector-Jacobian product",
            "definition",
            (COTANGENT,),
        ),
        Step(
            "=",
            total(delta[k, here] * total(J[k, here, before] * v[k - 1, before], before), here),
            "the two are adjoint: the sums are exchanged",
            "sums",
        ),
        Step(
            "=",
            total(delta[k, here] * v[k, here], here),
            "the tangent is a Jacobian-vector product",
            "definition",
            (TANGENT,),
        ),
        Step("=", loss_slope, "what is claimed for k", "definition", (SAME,)),
    ),
    sizes="any number K of layers and all widths n⁽⁰⁾ … n⁽ᴷ⁾",
    law=("laws/test_chain_rule.py::test_reverse_and_forward_mode_are_adjoint",),
)

# ------------------------------------------------------------------------------------------------ a question to a layer

X, w, b, y = map(array, ("x", "w", "b", "y"))
l, t = Index("l", K), Index("t", N)
LAYER = {"x": (N, M), "w": (M, K), "b": (K,), "y": (N, K)}
OUT = total(X[s, i] * w[i, j], i) + b[j]


def _asked(given: Mapping[str, BallArray]) -> tuple[Any, ...]:
    """Network(Dense, loss=InnerProduct()) is asked for its gradients, with y as targets: of x, w and b."""
    network = Network(Dense(*given["w"].shape), loss=InnerProduct())
    weights: list[tuple[Any, ...]] = [(given["w"], given["b"])]
    h = network.forward(weights, given["x"])
    _, cotangent = network.loss_function.differentiate(h[-1], given["y"].midpoint)
    gradients, cotangent = network.backward(weights, h, cotangent)
    return network.layers[0].backward(weights[0], h[0], cotangent), *gradients


QUESTION = Theorem(
    "layer-question",
    "With an inner product for its loss, a network gives the vector-Jacobian product of its layer",
    Derivative(total(y[s, j] * OUT, s, j), w[i2, j2]),
    (
        Step(
            "=",
            total(y[s, j] * Derivative(OUT, w[i2, j2]), s, j),
            "y does not depend on w: it takes the place of δ",
            "derivative",
        ),
        Step(
            "=",
            total(y[s, j] * X[s, i] * KroneckerDelta(i, i2) * KroneckerDelta(j, j2), s, j, i),
            "for a dense layer: the derivative of each term",
            "derivative",
        ),
        Step("=", total(X[s, i2] * y[s, j2], s), "of each sum over i and j one term is left", "sums"),
    ),
    sizes="all numbers N of samples, m of inputs and n of outputs",
    matrix=r"\frac{\partial}{\partial w} \langle y, x w + b \rangle = x^{\top} y",
    code=("refnn.losses:InnerProduct", "refnn.network:Network.backward"),
    law=("laws/test_chain_rule.py::test_reverse_and_forward_mode_are_adjoint",),
    run=Execution(LAYER, lambda given: _asked(given)[1], axes=(i2, j2)),
)
# ------------------------------------------------------------------------------------------------- an example by hand

_Y, _V, _X = array("y"), array("v"), array("x")
_OUT = total(J[j, i] * _X[i], i)
_DELTA = _OUT - _Y[j]
_TANGENT = total(J[j, i] * _V[i], i)
_GRADIENT = total(J[j, i] * _DELTA, j)


def _layer(given: Mapping[str, BallArray]) -> tuple[Network, Any, Any]:
    """Dense, with the transposed Jacobian as its weight and no bias; and x as its only sample."""
    outputs, inputs = given["J"].shape
    network = Network(Dense(inputs, outputs), loss=SquaredError(reduction="sum"))
    return network, [(given["J"].T, 0 * given["y"])], reshape(given["x"], (1, inputs))


def _outputs(given: Mapping[str, BallArray]) -> Any:
    network, weights, sample = _layer(given)
    return network.forward(weights, sample)[-1]


def _cotangent(given: Mapping[str, BallArray]) -> tuple[Any, Any]:
    network, _, _ = _layer(given)
    outputs = _outputs(given)
    return network.loss_function.differentiate(outputs, reshape(given["y"], outputs.shape).midpoint)


def _backward(given: Mapping[str, BallArray]) -> Any:
    network, weights, sample = _layer(given)
    return network.layers[0].backward(weights[0], sample, _cotangent(given)[1])


def _moving(given: Mapping[str, BallArray]) -> tuple[Any, Any]:
    """The tangents of the outputs and of the loss, as x moves along v."""
    network, weights, sample = _layer(given)
    duals: Any = [tuple(DualArray(each, 0 * each) for each in weights[0])]
    outputs: Any = network.forward(duals, DualArray(sample, reshape(given["v"], sample.shape)))[-1]
    loss: Any = network.loss_function.value(outputs, reshape(given["y"], outputs.shape).midpoint)
    return outputs.tangent, loss.tangent


def _flat(found: Any) -> Any:
    return reshape(found, (found.shape[0] * found.shape[1],))


EXAMPLE = Worked(
    "one derivative, forward and in reverse",
    r"Two numbers x go through three linear functions, $`u = J x`$, and to a loss, "
    r"$`L = \frac12 \sum_j (u_j - y_j)^2`$. How fast does L grow as x moves along v? Forward mode carries v to the "
    "loss; reverse mode carries the gradient of the loss back to x.",
    {M: 2, K: 3},
    {
        "J": [["1", "2"], ["1/3", "-1"], ["-1/2", "3"]],
        "x": ["3", "1"],
        "y": ["4", "1", "1"],
        "v": ["2", "-1"],
    },
    (
        Quantity(
            "u",
            _OUT,
            (j,),
            r"such as $`1 \cdot 3 + 2 \cdot 1 = 5`$",
            lambda given: _flat(_outputs(given)),
        ),
        Quantity(
            "L", total(_DELTA**2, j) / 2, (), r"$`\frac12 (1 + 1 + \frac14)`$", lambda given: _cotangent(given)[0]
        ),
        Quantity("J v", _TANGENT, (j,), "forward: the tangent of u", lambda given: _flat(_moving(given)[0])),
        Quantity(
            r"\delta", _DELTA, (j,), "the slopes of the loss in u, u − y", lambda given: _flat(_cotangent(given)[1])
        ),
        Quantity(
            r"\langle \delta, J v \rangle",
            total(_DELTA * _TANGENT, j),
            (),
            r"the answer of forward mode",
            lambda given: _moving(given)[1],
        ),
        Quantity(
            r"J^{\top} \delta",
            _GRADIENT,
            (i,),
            r"reverse: the gradient in x, a sum over three paths for each input",
            lambda given: _flat(_backward(given)),
        ),
        Quantity(
            r"\langle J^{\top} \delta, v \rangle",
            total(_GRADIENT * _V[i], i),
            (),
            "the answer of reverse mode is the same; for another v it costs no further pass",
            lambda given: arrays.total(_backward(given) * reshape(given["v"], (1, given["v"].shape[0]))),
        ),
    ),
)


def _passes() -> list[list[str]]:
    """For networks with one hidden layer."""
    rows = []
    for inputs, hidden, outputs in ((4, 8, 3), (64, 32, 10), (784, 128, 10)):
        network = Network(Dense(inputs, hidden), Tanh(), Dense(hidden, outputs), loss=SquaredError())
        rows.append([f"{inputs}-{hidden}-{outputs}", f"{network.size:,}", f"{network.size:,}", "1"])
    return rows


PAGE = Page(
    2,
    "chain-rule",
    "The chain rule in several variables",
    "The derivative of a composition is a sum over all paths from an input to the output, of the product of the slopes "
    "along each path. It can be summed from the inputs on, or from the output back; for a loss, which is one number, "
    "the second takes one pass for all parameters, and is called backpropagation.",
    ("derivatives",),
    (
        Symbol("m, n, o", "", "numbers of variables; no two need be equal"),
        Symbol("x, x_0", "(m,)", "a point, and the one at which the derivative is taken"),
        Symbol("u, u_0", "(n,)", "the values of g there: u = g(x), u₀ = g(x₀)"),
        Symbol("f, f_0", "", "the values of f there: f(u) and f(u₀)"),
        Symbol("A", "(n,)", "slopes of f at u₀; they depend on u"),
        Symbol("B", "(n, m)", "slopes of g at x₀; they depend on x"),
        Symbol("C", "(n, m)", "of three functions in a row: slopes of the first; B is (o, n) then, and A is (o,)"),
        Symbol(r"a, \rho, d", "(n,), (), ()", "a linear approximation, its remainder, and a squared distance"),
        Symbol("D, E", "(N, n), (N, n, P)", "slopes of the loss in all outputs, and of the outputs in the parameters"),
        Symbol("[i = k]", "", "1 where the indices are equal, and else 0: Kronecker's delta"),
        Symbol("J", "(n, m)", r"a Jacobian: $`J_{j i} = \partial u_j/\partial x_i`$"),
        Symbol("v", "(m,)", "a tangent: how fast each input moves"),
        Symbol(r"\delta", "(n,)", r"a cotangent: the slope of the loss in each output, $`\partial L/\partial u_j`$"),
        Symbol("L", "", "a loss: one number"),
        Symbol(r"\theta", "(P,)", "the parameters"),
        Symbol("z", "(N, n)", "n outputs for each of N samples"),
    ),
    (
        Prose(
            "## Slopes of several variables\n\n"
            "[[derivatives|With one variable]], f has a derivative at u₀ if f(u) − f(u₀) = A (u − u₀) with an A that "
            "is continuous at u₀. With n variables there is one slope for each of them: numbers "
            r"$`A_1, \dots, A_n`$, which may depend on u, are slopes of f at u₀ if they are continuous at u₀ and"
        ),
        Display(r"f(u) - f(u_0) = \sum_{j=1}^{n} A_{j}\, (u_{j} - u_{0, j}) \qquad \text{for all } u."),
        Prose(
            "If only the j-th variable moves, all other terms are 0, and what is left is the case of one variable: so "
            r"$`A_j`$ for u = u₀ is the partial derivative $`\partial f/\partial u_j`$. "
            "For u ≠ u₀ slopes are not unique, and need not be: only their values at u₀ are of interest.\n\n"
            "A function is called differentiable at u₀ if a linear function approximates it so well that the remainder "
            r"ρ is small against the distance: $`f(u) = f(u_0) + \sum_j a_j (u_j - u_{0, j}) + \rho`$ with "
            r"$`\rho / \lVert u - u_0 \rVert \to 0`$. Such a function has slopes, which the next theorem gives; "
            r"they tend to $`a_j`$ as u tends to u₀, because "
            r"$`\lvert \rho\, (u_j - u_{0, j}) \rvert / d \le \lvert \rho \rvert / \lVert u - u_0 \rVert`$ "
            "(E. Acosta, C. Delgado, "
            '"Fréchet vs. Carathéodory", American Mathematical Monthly 101 (1994), 332–338).'
        ),
        SQUARE,
        SLOPES_EXIST,
        Prose(
            "## The rule\n\n"
            "Let u = g(x), and let both functions have slopes. Then the chain rule is two substitutions and the "
            "exchange of two finite sums."
        ),
        CHAIN_RULE,
        Prose(
            r"What stands before $`x_i - x_{0, i}`$ is therefore a slope of the composition: it is a sum of products "
            "of functions that are continuous at x₀. (A is continuous at u₀, and u = g(x) is "
            "continuous at x₀ with the value u₀ there, as its slopes show.) Its value at x₀ is the partial derivative. "
            "The same can be read off without the word slope: if only the k-th variable moves, the difference quotient "
            "is what the next theorem says, exactly; its limit for h → 0 is the limit of the right side."
        ),
        PARTIAL,
        Prose("In the limit, A becomes the partial derivatives of f, and B those of g:"),
        Display(
            r"\frac{\partial (f \circ g)}{\partial x_{k}} = \sum_{j=1}^{n} \frac{\partial f}{\partial u_{j}} "
            r"\frac{\partial g_{j}}{\partial x_{k}}"
        ),
        Prose(
            "The sum is over everything through which x acts on f. A loss depends on the parameters through every "
            "output of every sample, so there the sum has two indices. Samples and outputs are no more than a way to "
            "number the variables in between:"
        ),
        SAMPLES,
        Prose("And so, if one parameter moves alone, in the limit:"),
        Display(
            r"\frac{\partial L}{\partial \theta_{q}} = \sum_{s=1}^{N} \sum_{j=1}^{n} \delta_{s j} "
            r"\frac{\partial z_{s j}}{\partial \theta_{q}}, \qquad \delta_{s j} = \frac{\partial L}{\partial z_{s j}}"
        ),
        Prose(
            r"So all that a layer needs to know of what comes after is $`\delta`$, of the shape of its outputs. With "
            "it, [[dense|the affine layer]] and every other layer can be treated alone.\n\n"
            "## Many functions in a row: all paths, two orders\n\n"
            "With another function behind or before, the rule is applied again. A sum over all paths from an "
            "input to the output results, in which each path contributes the product of the slopes along it; and the "
            "sums may be taken in any order."
        ),
        FORWARD_ORDER,
        Prose(
            "The order does not change the result, but it changes the work. A matrix of slopes "
            r"$`J_{j i} = \partial u_j / \partial x_i`$, a Jacobian, is multiplied by a vector on one of its sides, "
            "and is never multiplied by another matrix:\n\n"
            r"* **forward mode** begins with a direction v in which the inputs move, and multiplies from the inputs "
            r"on: $`(J v)_j = \sum_i J_{j i} v_i`$ is a *Jacobian-vector product*, and tells how fast each output "
            "moves. [[dual-polynomial|Dual numbers]] compute it along with the values.\n"
            r"* **reverse mode** begins with the slopes δ of the loss in the outputs, and multiplies from the outputs "
            r"back: $`(J^{\top} \delta)_i = \sum_j \delta_j J_{j i}`$ is a *vector-Jacobian product*, and tells how "
            "fast the loss grows with each input."
        ),
        VJP_ADJOINT,
        Prose(
            "For any number of layers both go on step by step, one from the first layer to the last, the other from "
            "the last to the first. Wherever they meet, the cotangent times the tangent is the same number:"
        ),
        TANGENT,
        COTANGENT,
        OUTPUT,
        EVERYWHERE,
        Prose(
            "So the two ways must agree, which is a test that needs no other truth: it is known as the dot-product "
            "test. It also shows who is cheaper. Forward mode answers for one direction v; for the gradient it must "
            "be run once for each of the P parameters, with v = 1 for one of them and 0 for the others. Reverse "
            "mode answers for one function of the outputs; a loss is only one function, so that one pass back gives "
            "all P partial derivatives."
        ),
        Table(
            ("network", "parameters P", "passes of forward mode for ∂L/∂θ", "passes of reverse mode"),
            _passes,
        ),
        Prose(
            "The price of reverse mode is memory: what a layer computed on the way forward is needed on the way back. "
            "What each pass costs is counted where [[backpropagation|backpropagation]] is proved.\n\n"
            "## One layer alone\n\n"
            r"A layer can be asked for its vector-Jacobian product as if it were a network: the loss "
            r"$`L = \sum_s \sum_j y_{s j} z_{s j}`$ has the slopes $`\partial L / \partial z_{s j} = y_{s j}`$, so y "
            "is the cotangent itself, and the gradients of the network are the products of the layer. In refnn that "
            "loss is `InnerProduct`; here for a dense layer and one of its weights:"
        ),
        QUESTION,
        Code("refnn.losses:InnerProduct.derivative"),
        Code("refnn.network:Network.backward"),
        Fails(
            "partial derivatives are not enough",
            r"$`f(x, y) = x^2 y/(x^2 + y^2)`$, with f = 0 at the origin, has both partial derivatives there, and both "
            "are 0, as f is 0 on both axes. The chain rule for the path (t, t) would give 0. But f(t, t) = t/2, "
            r"whose slope is $`\frac12`$. The function has no slopes at the origin: no linear function approximates it "
            "there. What is assumed above is more than that the partial derivatives exist; it is enough if they exist "
            "nearby and are continuous (Rudin, theorem 9.21), as they are for networks without kinks.",
            """
from fractions import Fraction

def f(x, y):
    return x * x * y / (x * x + y * y) if (x, y) != (0, 0) else Fraction(0)

h = Fraction(1, 10**6)
in_x, in_y = (f(h, 0) - f(0, 0)) / h, (f(0, h) - f(0, 0)) / h
print("partial derivatives ", in_x, in_y)
print("by the chain rule   ", in_x * 1 + in_y * 1)
print("along (t, t) in fact", (f(h, h) - f(0, 0)) / h)
""",
        ),
        EXAMPLE,
    ),
    ("dense", "backpropagation", "steepest-ascent"),
)
