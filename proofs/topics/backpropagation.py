"""Backpropagation for any depth: by induction over the layers, from the last to the first; and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, ClassVar, final

import numpy as np
from sympy import Derivative, Function, IndexedBase, Integer, KroneckerDelta, Max, Poly, Rational, Subs, sign, tanh
from sympy import Symbol as Letter

from proofs.execution import Execution
from proofs.instances import written_out
from proofs.kernel import Assumption, Definition, Induction, Statement, Step, Theorem
from proofs.page import Code, Display, Fails, Page, Prose, Quantity, Symbol, Table, Worked
from proofs.sums import Expression, Index, array, replaced, size, total
from refnn import Dense, Network, ReLU, SquaredError, Tanh, arrays
from refnn.activations import Activation
from refnn.arithmetic.ball import BallArray
from refnn.arrays import A, Arithmetic, FloatArray, Rules, constant

__all__ = ["PAGE", "multiplications"]

# ------------------------------------------------------------------------------------------------------------ any depth

N, DEPTH = size("N"), size("K")
k = Letter("k", integer=True, positive=True)
width = IndexedBase("n", integer=True, positive=True)
count = IndexedBase("P", integer=True, positive=True)
s, t = Index("s", N), Index("t", N)
j, i = Index("j", width[k]), Index("i", width[k])
before = Index("j", width[k - 1])
last = Index("j", width[DEPTH])
q = Index("q", count[k])
delta, J, h, theta = map(array, ("delta", "J", "h", "theta"))
L = Letter("L", real=True)


def by_output(sample: Index, unit: Index) -> Expression:
    """∂L/∂h⁽ᵏ⁾."""
    return Derivative(L, h[k, sample, unit])


LAST = Definition(
    delta[DEPTH, s, last],
    Derivative(L, h[DEPTH, s, last]),
    "(N, n⁽ᴷ⁾)",
    "the pass backward begins with the gradient of the loss in the outputs",
    source='Bishop, "Pattern Recognition and Machine Learning" (2006), section 5.3.1',
)
EARLIER = Definition(
    delta[k - 1, s, before],
    total(delta[k, s, i] * J[k, s, i, before], i),
    "(N, n⁽ᵏ⁻¹⁾)",
    "it goes through layer k by the vector-Jacobian product of that layer, for k from K down to 1",
    source='Goodfellow, Bengio, Courville, "Deep Learning" (2016), eq. (6.46)',
)
CHAIN = Assumption(
    Derivative(L, h[k - 1, s, before]),
    "=",
    total(by_output(t, i) * Derivative(h[k, t, i], h[k - 1, s, before]), t, i),
    "[[chain-rule-samples|the chain rule]]: what goes into layer k changes the loss only through what comes out of it",
)
ALONE = Assumption(
    Derivative(h[k, t, i], h[k - 1, s, before]),
    "=",
    KroneckerDelta(s, t) * J[k, s, i, before],
    "that layer k has a derivative there and acts on each sample alone",
)
CLAIM = Statement(by_output(s, j), "=", delta[k, s, j])

BACKPROPAGATION = Induction(
    "backpropagation",
    "Backpropagation computes the gradient in what goes into every layer",
    CLAIM,
    over=k,
    first=DEPTH,
    following=k - 1,
    base=(Step("=", delta[DEPTH, s, last], "so the pass backward begins", "definition", (LAST,)),),
    step=(
        Step(
            "=",
            total(by_output(t, i) * Derivative(h[k, t, i], h[k - 1, s, before]), t, i),
            "the chain rule for layer k, over all outputs of all samples",
            "definition",
            (CHAIN,),
        ),
        Step(
            "=",
            total(by_output(t, i) * KroneckerDelta(s, t) * J[k, s, i, before], t, i),
            "no sample changes the output of another",
            "definition",
            (ALONE,),
        ),
        Step(
            "=",
            total(by_output(s, i) * J[k, s, i, before], i),
            "of the sum over the samples the term t = s is left",
            "sums",
        ),
        Step(
            "=",
            total(delta[k, s, i] * J[k, s, i, before], i),
            "what is claimed for k",
            "definition",
            (CLAIM,),
        ),
        Step("=", delta[k - 1, s, before], "so the pass goes on", "definition", (EARLIER,)),
    ),
    assuming=(CHAIN, ALONE),
    sizes=(
        "any number K of layers, k = K, K − 1, …, 0, all widths n⁽⁰⁾, …, n⁽ᴷ⁾, all numbers N of samples, and any "
        "layers "
        "and any loss that have derivatives"
    ),
    holds=(
        "all points at which every layer has a derivative: for activations with a kink, such as ReLU, where no unit "
        "stands at its kink"
    ),
)

PARAMETER_CHAIN = Assumption(
    Derivative(L, theta[k, q]),
    "=",
    total(by_output(s, j) * Derivative(h[k, s, j], theta[k, q]), s, j),
    "[[chain-rule-samples|the chain rule]]: the parameters of layer k change the loss only through what comes out of "
    "it, for every sample",
)
PARAMETERS = Theorem(
    "backprop-parameters",
    "The gradient in the parameters of a layer",
    Derivative(L, theta[k, q]),
    (
        Step(
            "=",
            total(by_output(s, j) * Derivative(h[k, s, j], theta[k, q]), s, j),
            "the chain rule for the parameters of layer k",
            "definition",
            (PARAMETER_CHAIN,),
        ),
        Step(
            "=",
            total(delta[k, s, j] * Derivative(h[k, s, j], theta[k, q]), s, j),
            "the pass backward has computed the first factor",
            "theorem",
            (BACKPROPAGATION,),
        ),
    ),
    assuming=(CHAIN, ALONE, PARAMETER_CHAIN),
    sizes="every layer k of any number K of layers, and any number of parameters in it",
    holds="all points at which every layer has a derivative",
)

# -------------------------------------------------------------------------------- an activation, and a dense layer

M, H, R = size("m"), size("n"), size("r")
x, w, b, z, v, c, y = map(array, ("x", "w", "b", "z", "v", "c", "y"))
a, a_ = Index("i", M), Index("l", M)
u, u_ = Index("j", H), Index("q", H)
o, o_ = Index("p", R), Index("t", R)
sigma, letter = Function("sigma"), Letter("u", real=True)


def slope(at: Expression) -> Expression:
    """σ′."""
    return Subs(Derivative(sigma(letter), letter), letter, at)


@final
@dataclass(frozen=True, slots=True)
class AnySigma(Activation):
    """The function that stands for any σ wherever numbers are put into a theorem: a cubic."""

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        """σ(z)."""
        return _polynomial(_CUBIC, z)

    def derivative(self, z: A) -> A:
        """σ′(z)."""
        return _polynomial(_CUBIC.diff(letter), z)


_CUBIC = Poly(written_out(sigma(letter), {}, {}), letter)


def _polynomial(polynomial: Any, z: A) -> A:
    value = 0 * z
    for coefficient in polynomial.all_coeffs():
        value = value * z + constant(z, Fraction(int(coefficient.p), int(coefficient.q)))
    return value


DENSE_JACOBIAN = Theorem(
    "jacobian-dense",
    "The Jacobian of a dense layer",
    Derivative(total(x[t, a] * w[a, u], a) + b[u], x[s, a_]),
    (
        Step(
            "=",
            total(KroneckerDelta(s, t) * KroneckerDelta(a, a_) * w[a, u], a),
            "term by term: of the inputs of all samples one is differentiated by, and b does not depend on it",
            "derivative",
        ),
        Step("=", KroneckerDelta(s, t) * w[a_, u], "of the sum over i the term i = l is left", "sums"),
    ),
    sizes="all numbers N of samples, m of inputs and n of outputs",
)
ACTIVATION_JACOBIAN = Theorem(
    "jacobian-activation",
    "The Jacobian of an activation",
    Derivative(sigma(z[t, a]), z[s, a_]),
    (
        Step(
            "=",
            KroneckerDelta(s, t) * KroneckerDelta(a, a_) * slope(z[s, a_]),
            "the chain rule in one variable: it is σ′ for the very same element, and else 0",
            "derivative",
        ),
    ),
    sizes="all numbers N of samples and m of units, and any σ",
    holds="every z at which σ has a derivative",
)
ACTIVATION = Theorem(
    "backprop-activation",
    "Through an activation",
    total(delta[s, a_] * Derivative(sigma(z[s, a_]), z[s, a]), a_),
    (
        Step(
            "=",
            total(delta[s, a_] * KroneckerDelta(a_, a) * slope(z[s, a]), a_),
            "each output depends on its own input alone, so the Jacobian is diagonal",
            "derivative",
        ),
        Step("=", delta[s, a] * slope(z[s, a]), "of the sum over l the term l = i is left", "sums"),
    ),
    sizes="all numbers N of samples and m of units, and any σ",
    holds="every z at which σ has a derivative",
    matrix=r"\frac{\partial L}{\partial z} = \delta \circ \sigma'(z)",
    code=("refnn.activations:Activation.backward",),
    run=Execution(
        {"delta": (N, M), "z": (N, M)},
        lambda given: AnySigma().backward((), given["z"], given["delta"]),
        axes=(s, a),
    ),
)


def _dense_step(given: Mapping[str, BallArray]) -> Any:
    dense, activation = Dense(*given["w"].shape), AnySigma()
    inputs = activation.forward((), given["z"])
    at_inputs = dense.backward((given["w"], given["b"]), inputs, given["delta"])
    return activation.backward((), given["z"], at_inputs)


def _dense_after_activation(sample: Index, unit: Index) -> Expression:
    return total(sigma(z[sample, a]) * w[a, unit], a) + b[unit]


DENSE_STEP = Theorem(
    "backprop-dense-step",
    "Through a dense layer and the activation before it",
    total(delta[t, u] * Derivative(_dense_after_activation(t, u), z[s, a_]), t, u),
    (
        Step(
            "=",
            total(delta[t, u] * w[a, u] * slope(z[t, a]) * KroneckerDelta(s, t) * KroneckerDelta(a, a_), t, u, a),
            "the chain rule in one variable, term by term: w does not depend on z, nor b",
            "derivative",
        ),
        Step(
            "=",
            total(delta[s, u] * w[a_, u], u) * slope(z[s, a_]),
            "of each sum over t and i one term is left, and σ′ does not depend on j",
            "sums",
        ),
    ),
    sizes="all numbers N of samples, m of units before the dense layer and n after it, and any σ",
    holds="every z at which σ has a derivative",
    matrix=r"\frac{\partial L}{\partial z} = (\delta w^{\top}) \circ \sigma'(z)",
    code=("refnn.layers:Dense.backward", "refnn.activations:Activation.backward"),
    run=Execution({"delta": (N, H), "w": (M, H), "b": (H,), "z": (N, M)}, _dense_step, axes=(s, a_)),
)

# ----------------------------------------------------------------------------------------- a whole network, written out

FIRST = Definition(h[1, s, u], total(x[s, a] * w[a, u], a) + b[u], "(N, n)", "layer 1 is dense")
HIDDEN = Definition(h[2, s, u], sigma(h[1, s, u]), "(N, n)", "layer 2 is an activation")
OUTPUT = Definition(h[3, s, o], total(h[2, s, u] * v[u, o], u) + c[o], "(N, r)", "layer 3 is dense again")
LOSS = Definition(
    L,
    total((h[3, s, o] - y[s, o]) ** 2, s, o) / (2 * N),
    "",
    "the loss is the mean, over the samples, of half the squared error",
)
D3 = Definition(delta[3, s, o], (h[3, s, o] - y[s, o]) / N, "(N, r)", "the pass backward begins with the residuals")
D2 = Definition(delta[2, s, u], total(delta[3, s, o] * v[u, o], o), "(N, n)", "through layer 3, which is dense")
D1 = Definition(delta[1, s, u], delta[2, s, u] * slope(h[1, s, u]), "(N, n)", "through layer 2, the activation")


def _inner(sample: Index, unit: Index) -> Expression:
    return total(x[sample, a] * w[a, unit], a) + b[unit]


def _outer(sample: Index, output: Index, function: Any = sigma) -> Expression:
    return total(function(_inner(sample, u)) * v[u, output], u) + c[output]


def _composed_loss(function: Any = sigma) -> Expression:
    """The loss of the whole network, with everything put into everything."""
    return total((_outer(s, o, function) - y[s, o]) ** 2, s, o) / (2 * N)


NETWORK_ARRAYS = {"x": (N, M), "w": (M, H), "b": (H,), "v": (H, R), "c": (R,), "y": (N, R)}


def _passed(given: Mapping[str, BallArray], activation: Activation) -> tuple[Any, ...]:
    """All that both passes of refnn's network compute."""
    (inputs, hidden), outputs = given["w"].shape, given["v"].shape[1]
    network = Network(Dense(inputs, hidden), activation, Dense(hidden, outputs), loss=SquaredError())
    parameters = arrays.join(given["w"], given["b"], given["v"], given["c"])
    targets: Any = given["y"]
    _, loss, gradient, delta = network.differentiate(parameters, given["x"], targets)
    (of_w, of_b), _, (of_v, of_c) = network.parameters(gradient)
    return loss, of_w, of_b, of_v, of_c, delta


def _part(number: int, activation: Activation) -> Callable[[Mapping[str, BallArray]], Any]:
    return lambda given: _passed(given, activation)[number]


def _composed(id_: str, title: str, number: int, by: Expression, matrix: str, forms: Sequence[Expression]) -> Theorem:
    """What both passes compute for one parameter is the derivative of the composition."""
    start, in_layers, in_parameters = forms
    axes = tuple(index for index in by.indices if isinstance(index, Index))
    return Theorem(
        id_,
        title,
        start,
        (
            Step("=", in_layers, "what the pass backward has computed, step by step", "definition", (D1, D2, D3)),
            Step(
                "=",
                in_parameters,
                "what the pass forward has computed, layer by layer",
                "definition",
                (OUTPUT, HIDDEN, FIRST),
            ),
            Step(
                "=",
                Derivative(_composed_loss(), by),
                "the rules of sum, power and chain in one variable, and of each sum over indices of the parameter "
                "one term is left; what is differentiated is L",
                "derivative",
            ),
        ),
        sizes="all numbers N of samples, m of inputs, n of hidden units and r of outputs, and any σ",
        holds="all points at which no hidden unit stands at a kink of σ",
        matrix=matrix,
        code=("refnn.network:Network.differentiate", "refnn.network:Network.backward"),
        law=("laws/test_gradient.py::test_each_partial_derivative_isolates_one_variable",),
        run=Execution(NETWORK_ARRAYS, _part(number, AnySigma()), axes=axes),
    )


NETWORK_WEIGHT = _composed(
    "backprop-network",
    "Both passes compute the derivative of the whole composition",
    1,
    w[a_, u_],
    r"x^{\top} \delta^{(1)} = \frac{1}{N}\, x^{\top} \left( ((h^{(3)} - y)\, v^{\top}) \circ \sigma'(h^{(1)}) \right) "
    r"= \frac{\partial L}{\partial w}",
    (
        total(x[s, a_] * delta[1, s, u_], s),
        total(x[s, a_] * (h[3, s, o] - y[s, o]) * v[u_, o] * slope(h[1, s, u_]), s, o) / N,
        total(x[s, a_] * (_outer(s, o) - y[s, o]) * v[u_, o] * slope(_inner(s, u_)), s, o) / N,
    ),
)
NETWORK_LAST = _composed(
    "backprop-network-last",
    "The same for the weight of the last layer",
    3,
    v[u_, o_],
    r"(h^{(2)})^{\top} \delta^{(3)} = \frac{1}{N}\, (h^{(2)})^{\top} (h^{(3)} - y) = \frac{\partial L}{\partial v}",
    (
        total(h[2, s, u_] * delta[3, s, o_], s),
        total(h[2, s, u_] * (h[3, s, o_] - y[s, o_]), s) / N,
        total(sigma(_inner(s, u_)) * (_outer(s, o_) - y[s, o_]), s) / N,
    ),
)

NETWORK_TANH = Theorem(
    "backprop-network-tanh",
    "And with tanh for σ",
    total(x[s, a_] * (_outer(s, o, tanh) - y[s, o]) * v[u_, o] * (1 - tanh(_inner(s, u_)) ** 2), s, o) / N,
    (Step("=", Derivative(_composed_loss(tanh), w[a_, u_]), "the same rules, and tanh′ = 1 − tanh²", "derivative"),),
    sizes="all numbers N of samples, m of inputs, n of hidden units and r of outputs",
    code=("refnn.network:Network.differentiate", "refnn.network:Network.backward"),
    run=Execution(NETWORK_ARRAYS, _part(1, Tanh()), axes=(a_, u_)),
)

# ------------------------------------------------------------------------------------------------------------- its cost


@final
@dataclass(frozen=True, slots=True, eq=False)
class Counted(Arithmetic):
    """Numbers, and how many multiplications the products of matrices among them have taken.

    Attributes
    ----------
    value
        The numbers.
    tally
        One entry for each product.
    """

    value: FloatArray
    tally: list[int]
    rules: ClassVar[Rules] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the numbers."""
        return self.value.shape

    def lift(self, value: Any) -> Counted:
        """A constant, with the same tally."""
        return Counted(np.asarray(value, np.float64), self.tally)


def _plain(operation: Any) -> Callable[..., Counted]:
    def rule(first: Counted, *others: Any) -> Counted:
        values = (other.value if isinstance(other, Counted) else other for other in others)
        return Counted(operation(first.value, *values), first.tally)

    return rule


def _matmul(one: Counted, other: Counted) -> Counted:
    rows, inner = one.shape
    one.tally.append(rows * inner * other.shape[1])
    return Counted(one.value @ other.value, one.tally)


Counted.rules = {
    **{f: _plain(f) for f in (np.add, np.subtract, np.multiply, np.divide, np.negative)},
    **{f: _plain(f) for f in (arrays.transpose, arrays.column_sums, arrays.total, arrays.join, np.maximum)},
    arrays.where_positive: _plain(arrays.where_positive),
    np.matmul: _matmul,
    arrays.split: lambda z, places: [Counted(part, z.tally) for part in arrays.split(z.value, places)],
}


def multiplications(widths: Sequence[int], samples: int) -> tuple[int, int, int]:
    """What refnn's network of dense layers, with an activation after each but the last, multiplies.

    Parameters
    ----------
    widths
        Of the inputs, of each hidden layer, and of the outputs.
    samples
        The number of samples.

    Returns
    -------
        The multiplications in products of matrices of the pass forward and of the pass backward, and the number of
        parameters.
    """
    layers: list[Any] = [layer for m, n in pairwise(widths) for layer in (Dense(m, n), ReLU())]
    network = Network(*layers[:-1], loss=SquaredError())
    tally: list[int] = []
    parameters, inputs = (Counted(np.ones(shape), tally) for shape in (network.size, (samples, widths[0])))
    network.forward(network.parameters(parameters), inputs)
    forward = sum(tally)
    network.differentiate(parameters, inputs, np.zeros((samples, widths[-1])))
    return forward, sum(tally) - 2 * forward, network.size


def _counts(run: Callable[[Dense, tuple[Counted, Counted], Counted, Counted], object]) -> Execution:
    """How many multiplications a dense layer takes for arrays of these sizes."""

    def counted(given: Mapping[str, BallArray]) -> BallArray:
        tally: list[int] = []
        found = {letter: Counted(given[letter].midpoint, tally) for letter in given}
        run(Dense(*given["w"].shape), (found["w"], found["b"]), found["x"], found["delta"])
        return BallArray.exact(np.asarray(float(sum(tally))))

    return Execution({"x": (N, M), "w": (M, H), "b": (H,), "delta": (N, H)}, counted)


FORWARD_COST = Theorem(
    "cost-forward",
    "What a dense layer multiplies on the way forward",
    total(Integer(1), s, u, a),
    (Step("=", N * M * H, "each of the N n outputs is a sum of m products", "sums"),),
    sizes="all numbers N of samples, m of inputs and n of outputs",
    code=("refnn.layers:Dense.forward",),
    run=_counts(lambda dense, parameters, inputs, delta: dense.forward(parameters, inputs)),
)
WEIGHT_COST = Theorem(
    "cost-weight",
    "What the gradient of its weight multiplies",
    total(Integer(1), a, u, s),
    (Step("=", N * M * H, "each of the m n elements is a sum of N products, [[dense-weight]]", "sums"),),
    sizes="all numbers N of samples, m of inputs and n of outputs",
    code=("refnn.layers:Dense.gradient",),
    run=_counts(lambda dense, parameters, inputs, delta: dense.gradient(parameters, inputs, delta)),
)
INPUT_COST = Theorem(
    "cost-input",
    "What the gradient in its inputs multiplies",
    total(Integer(1), s, a, u),
    (Step("=", N * M * H, "each of the N m elements is a sum of n products, [[dense-input]]", "sums"),),
    sizes="all numbers N of samples, m of inputs and n of outputs",
    code=("refnn.layers:Dense.backward",),
    run=_counts(lambda dense, parameters, inputs, delta: dense.backward(parameters, inputs, delta)),
)

F, B = (IndexedBase(name, integer=True, positive=True) for name in ("F", "B"))
FORWARD_ONE = Definition(
    F[1],
    N * width[0] * width[1],
    "",
    "F⁽ᵏ⁾ counts the multiplications forward through the first k dense layers; for the first one",
)
FORWARD_MORE = Definition(F[k + 1], F[k] + N * width[k] * width[k + 1], "", "and each further one, by [[cost-forward]]")
BACKWARD_ONE = Definition(
    B[1],
    N * width[0] * width[1],
    "",
    "B⁽ᵏ⁾ counts the pass backward through the first k: of the first layer only the gradient of the weight is needed, "
    "for nothing lies before it",
)
BACKWARD_MORE = Definition(
    B[k + 1],
    B[k] + 2 * N * width[k] * width[k + 1],
    "",
    "of each further one there are two products, by [[cost-weight]] and [[cost-input]]",
)
COST_CLAIM = Statement(B[k], "=", 2 * F[k] - N * width[0] * width[1])
COST = Induction(
    "cost-backward",
    "What the pass backward multiplies",
    COST_CLAIM,
    over=k,
    first=Integer(1),
    following=k + 1,
    base=(
        Step("=", N * width[0] * width[1], "one product", "definition", (BACKWARD_ONE,)),
        Step("=", 2 * F[1] - N * width[0] * width[1], "twice it, less it", "definition", (FORWARD_ONE,)),
    ),
    step=(
        Step("=", B[k] + 2 * N * width[k] * width[k + 1], "one more layer", "definition", (BACKWARD_MORE,)),
        Step(
            "=",
            2 * F[k] - N * width[0] * width[1] + 2 * N * width[k] * width[k + 1],
            "what is claimed for k",
            "definition",
            (COST_CLAIM,),
        ),
        Step(
            "=",
            2 * F[k + 1] - N * width[0] * width[1],
            "one more layer forward, twice",
            "definition",
            (FORWARD_MORE,),
        ),
    ),
    sizes="any number k ≥ 1 of dense layers, all widths and all numbers of samples",
)
CHEAP = Theorem(
    "cheap-gradient",
    "Both passes together cost less than three passes forward",
    F[k] + B[k],
    (
        Step("=", 3 * F[k] - N * width[0] * width[1], "B by F", "theorem", (COST,)),
        Step("<", 3 * F[k], "what is left out is positive", "signs"),
    ),
    sizes="any number k ≥ 1 of dense layers, all widths and all numbers of samples",
)


def _cost_rows() -> list[list[str]]:
    rows = []
    for widths in ((4, 3), (4, 8, 3), (2, 3, 5, 7, 1), (30, 20, 20, 20, 10)):
        forward, backward, parameters = multiplications(widths, samples=10)
        ratio = f"{backward / forward:.2f}"
        rows.append(
            [
                " → ".join(map(str, widths)),
                f"{parameters:,}",
                f"{forward:,}",
                f"{backward:,}",
                ratio,
                f"{parameters * forward:,}",
            ]
        )
    return rows


# ---------------------------------------------------------------------------------------------- with pencil and paper


def _relu(of: Expression) -> Expression:
    return Max(of, 0)


def _relu_slope(of: Expression) -> Expression:
    return (1 + sign(of)) / 2


E1 = _inner(s, u)
E2 = _relu(E1)
E3 = total(_relu(_inner(s, u)) * v[u, o], u) + c[o]
EL = total((E3 - y[s, o]) ** 2, s, o) / (2 * N)
G3 = (E3 - y[s, o]) / N
G2 = total(G3 * v[u, o], o)
G1 = G2 * _relu_slope(E1)
STEP = Rational(1, 10)


def _moved(by: Expression) -> Expression:
    """The loss with w₁₁ moved."""

    def of(row: Expression, column: Expression) -> Expression:
        return w[row, column] + by * KroneckerDelta(row, 1) * KroneckerDelta(column, 1)

    return replaced(EL, {w: of})


def _hidden(given: Mapping[str, BallArray], number: int) -> Any:
    first, second = Dense(*given["w"].shape), Dense(*given["v"].shape)
    network = Network(first, ReLU(), second, loss=SquaredError())
    parameters = network.parameters(arrays.join(given["w"], given["b"], given["v"], given["c"]))
    return network.forward(parameters, given["x"])[number]


def _cotangent(given: Mapping[str, BallArray], number: int) -> Any:
    targets: Any = given["y"]
    _, delta = SquaredError().differentiate(_hidden(given, 3), targets)
    if number < 3:
        delta = Dense(*given["v"].shape).backward((given["v"], given["c"]), _hidden(given, 2), delta)
    return ReLU().backward((), _hidden(given, 1), delta) if number < 2 else delta


EXAMPLE = Worked(
    "two layers forward and backward",
    "Two samples, two inputs, three hidden units with ReLU, one output, and the loss of [[backprop-network]]. ReLU is "
    "max(z, 0), and its derivative 1 for z > 0 and 0 for z < 0; no z here is 0.",
    {N: 2, M: 2, H: 3, R: 1},
    {
        "x": [["1", "2"], ["3", "-1"]],
        "w": [["1/2", "-1", "0"], ["1", "1/2", "1"]],
        "b": ["1/2", "1", "0"],
        "v": [["2"], ["-1"], ["-1/2"]],
        "c": ["1/2"],
        "y": [["7/2"], ["3"]],
    },
    (
        Quantity(
            "h^{(1)}",
            E1,
            (s, u),
            r"forward: such as $`1 \cdot \frac12 + 2 \cdot 1 + \frac12 = 3`$",
            lambda given: _hidden(given, 1),
        ),
        Quantity("h^{(2)}", E2, (s, u), "what is negative becomes 0", lambda given: _hidden(given, 2)),
        Quantity(
            "h^{(3)}",
            E3,
            (s, o),
            r"such as $`3 \cdot 2 - 1 \cdot 1 - 2 \cdot \frac12 + \frac12 = \frac92`$",
            lambda given: _hidden(given, 3),
        ),
        Quantity(
            "L",
            EL,
            (),
            (
                r"the residuals are $`\frac92 - \frac72 = 1`$ and $`\frac52 - 3 = -\frac12`$, and "
                r"$`L = \frac{1}{2 \cdot 2} (1 + \frac14)`$"
            ),
            _part(0, ReLU()),
        ),
        Quantity(
            r"\delta^{(3)}",
            G3,
            (s, o),
            "backward: the residuals, divided by N = 2",
            lambda given: _cotangent(given, 3),
        ),
        Quantity(
            r"\delta^{(2)}",
            G2,
            (s, u),
            r"each δ times each weight of layer 3: $`\frac12 \cdot 2`$, $`\frac12 \cdot (-1)`$, … for the first sample",
            lambda given: _cotangent(given, 2),
        ),
        Quantity(
            r"\delta^{(1)}",
            G1,
            (s, u),
            "where h⁽¹⁾ is negative, the slope of ReLU is 0, and nothing passes",
            lambda given: _cotangent(given, 1),
        ),
        Quantity(
            r"\frac{\partial L}{\partial v}",
            total(E2 * G3, s),
            (u, o),
            (
                r"inputs of layer 3 times δ⁽³⁾, summed over the samples: "
                r"$`3 \cdot \frac12 + 1 \cdot (-\frac14) = \frac54`$ is the first"
            ),
            _part(3, ReLU()),
        ),
        Quantity(
            r"\frac{\partial L}{\partial c}", total(G3, s), (o,), "δ⁽³⁾, summed over the samples", _part(4, ReLU())
        ),
        Quantity(
            r"\frac{\partial L}{\partial w}",
            total(x[s, a] * G1, s),
            (a, u),
            (
                r"inputs of layer 1 times δ⁽¹⁾, summed over the samples: "
                r"$`1 \cdot 1 + 3 \cdot (-\frac12) = -\frac12`$ is the first"
            ),
            _part(1, ReLU()),
        ),
        Quantity(
            r"\frac{\partial L}{\partial b}", total(G1, s), (u,), "δ⁽¹⁾, summed over the samples", _part(2, ReLU())
        ),
        Quantity(
            r"\frac{L(w_{11} + \frac{1}{10}) - L(w_{11} - \frac{1}{10})}{2/10}",
            (_moved(STEP) - _moved(-STEP)) / (2 * STEP),
            (),
            (
                "the first element once more, without a pass backward: L is quadratic in $`w_{11}`$ as long as no unit "
                "crosses its kink, and for a quadratic function this quotient is the derivative"
            ),
        ),
    ),
)

PAGE = Page(
    6,
    "backpropagation",
    "Backpropagation through all layers",
    "One pass backward through the layers, from the last to the first, computes the whole gradient, for any number of "
    "layers; and it costs no more than twice the pass forward, however many parameters there are.",
    ("chain-rule", "dense", "activations", "losses"),
    (
        Symbol("K", "", "the number of layers; an activation counts as a layer of its own"),
        Symbol("N", "", "the number of samples"),
        Symbol("n^{(0)}, \\dots, n^{(K)}", "", "the widths: of the inputs, and of the outputs of each layer"),
        Symbol("h^{(k)}", "(N, n⁽ᵏ⁾)", "what comes out of layer k; $`h^{(0)} = x`$ are the inputs of the network"),
        Symbol(r"\theta^{(k)}", "(P⁽ᵏ⁾,)", "the parameters of layer k, in one row"),
        Symbol("L", "", "the loss"),
        Symbol(
            r"\delta^{(k)}", "(N, n⁽ᵏ⁾)", "what the pass backward computes for the outputs of layer k: the cotangent"
        ),
        Symbol(
            "J^{(k)}",
            "(N, n⁽ᵏ⁾, n⁽ᵏ⁻¹⁾)",
            "the Jacobian of layer k for each sample: how output i changes with input j",
        ),
        Symbol("F^{(k)}, B^{(k)}", "", "the multiplications of both passes through the first k dense layers"),
        Symbol(r"\sigma", "", "any activation, a function of one number"),
        Symbol(r"\circ", "", "the product of two arrays of one shape, element by element"),
    ),
    (
        Prose(
            "## The network is a composition\n\n"
            "Layer k is a function of what comes out of the layer before it, and of its own parameters. The loss is a "
            "function of what comes out last. One after the other:"
        ),
        Display(
            r"x = h^{(0)} \;\longrightarrow\; h^{(1)} = f^{(1)}(h^{(0)}, \theta^{(1)}) \;\longrightarrow\; \cdots "
            r"\;\longrightarrow\; h^{(K)} = f^{(K)}(h^{(K-1)}, \theta^{(K)}) \;\longrightarrow\; L = \ell(h^{(K)})"
        ),
        Prose(
            "So L is a function of $`h^{(k)}`$ for every k, by the layers that come after k: "
            "$`L = \\ell(f^{(K)}(\\cdots f^{(k+1)}(h^{(k)})\\cdots))`$. That function is meant by "
            "$`\\partial L/\\partial h^{(k)}`$ on this page. A longer function is had from a shorter one by putting "
            "one more layer before it, and that is all that the induction needs.\n\n"
            "The pass backward is a recursion. It does not ask what the layers are; each has to know no more than its "
            "own Jacobian."
        ),
        LAST,
        EARLIER,
        Prose(
            "The first line is the gradient of the loss in its prediction, which [[losses]] has for each loss. "
            "This is what is computed. That it is the gradient has to be shown: the recursion is about products of "
            "local slopes, and the gradient is about the whole composition."
        ),
        BACKPROPAGATION,
        Prose(
            "The proof uses of a layer nothing but its derivative and that it acts on each sample alone. Where a value "
            "goes into several outputs, the sum over i adds what comes back from each of them. The induction goes "
            "downwards, as the code does: from the cotangent of the outputs to that of the inputs of each layer."
        ),
        PARAMETERS,
        Prose(
            "The parameters of a layer are shared by all samples, and by all its outputs; so this sum is over both. "
            "For "
            "a dense layer it is [[dense-weight]] and [[dense-bias]]. An activation has no parameters."
        ),
        Code("refnn.network:Network.forward"),
        Code("refnn.network:Network.backward"),
        Prose(
            "The code numbers its layers from 0: its layer k is layer k + 1 of this page, and `h[k]` is what goes into "
            "it. `gradient` is the sum of the theorem before, and `backward` is one step of the recursion.\n\n"
            "## Two kinds of layers\n\n"
            "The proof assumed that a layer acts on each sample alone. A dense layer does, and its Jacobian is its "
            "weight, transposed, the same for all samples:"
        ),
        DENSE_JACOBIAN,
        Prose("So does an activation, whose Jacobian is nearly all zeros:"),
        ACTIVATION_JACOBIAN,
        Prose(
            "No Jacobian is ever formed as an array. With that of a dense layer, one step of the recursion is "
            "[[dense-input]], a product of matrices; with that of an activation, it is a product element by element:"
        ),
        ACTIVATION,
        Prose("Most networks are made of both in turn. One step through both is what textbooks call backpropagation:"),
        DENSE_STEP,
        Code("refnn.layers:Dense.backward"),
        Code("refnn.activations:Activation.backward"),
        Prose(
            "## A whole network, written out\n\n"
            "The induction is about any layers. As a check that it is about the right thing, here is a network of "
            "three "
            "of them, and its loss as one formula, for all sizes and any σ. It has m inputs, n hidden units and r "
            "outputs; w and b are the parameters of layer 1, v and c those of layer 3, and y are the targets."
        ),
        FIRST,
        HIDDEN,
        OUTPUT,
        LOSS,
        Prose("Of this network the pass backward is, step by step:"),
        D3,
        D2,
        D1,
        Prose(
            "Now all of it is put together. No chain rule for layers is used here: SymPy takes the derivative of the "
            "whole formula of L, and finds the sum that the two passes have computed."
        ),
        NETWORK_WEIGHT,
        NETWORK_LAST,
        NETWORK_TANH,
        Prose(
            "refnn is tried against the right sides, the derivatives themselves: L is written out as one expression of "
            "all parameters and differentiated, and the network is run. In place of any σ both of them have a cubic "
            "polynomial.\n\n"
            "## What it costs\n\n"
            "What takes the time in a network of dense layers is the multiplications in the products of matrices. All "
            "else, such as biases and activations, is done once for each unit, and not once for each weight."
        ),
        FORWARD_COST,
        WEIGHT_COST,
        INPUT_COST,
        Prose(
            "These are the same number: the three products have the same three sizes, in another order. Now for all "
            "depths; here $`n^{(0)}, n^{(1)}, \\dots`$ are the widths around the dense layers alone."
        ),
        FORWARD_ONE,
        FORWARD_MORE,
        BACKWARD_ONE,
        BACKWARD_MORE,
        COST,
        CHEAP,
        Prose(
            "The number of parameters does not occur in it. A difference quotient, or a dual number in forward mode, "
            "gives one slope for each pass forward, so that the gradient in P parameters takes P such passes at least. "
            "Counted in refnn, for 10 samples and networks of dense layers with ReLU between them:"
        ),
        Table(("widths", "P", "forward", "backward", "backward / forward", "P passes forward"), _cost_rows),
        Prose(
            "That a gradient costs a small multiple of its function is true of any program: Baur and Strassen, "
            '"The complexity of partial derivatives", Theoretical Computer Science 22 (1983); Griewank and Walther, '
            '"Evaluating Derivatives" (2008). Its price is memory: the pass backward needs what came out of every '
            "layer, "
            "so all $`h^{(k)}`$ are kept."
        ),
        Fails(
            "a value that is used twice, and a layer that is left out",
            (
                "If a value goes into two others, what comes back from them is added, as the sum over i in the "
                "recursion says. If the second overwrites the first, or if one layer of a chain is forgotten, the "
                "result "
                "is still a number, of the right shape."
            ),
            """
def loss(h):
    u, v = 2 * h, 5 * h                          # h is used twice
    return u + v

overwritten = added = 0
for slope in (2, 5):
    overwritten = 1 * slope                      # the last one wins
    added += 1 * slope
print(overwritten, added, "and the slope is", loss(4) - loss(3))

def chain(h):
    return 2 * (3 * (5 * h))                     # three layers

print(2 * 5, 2 * 3 * 5, "and the slope is", chain(4) - chain(3))
""",
        ),
        EXAMPLE,
    ),
    ("steepest-ascent", "descent"),
)
