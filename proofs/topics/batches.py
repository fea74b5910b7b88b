"""Batch, stochastic and mini-batch gradient descent: what a batch's gradient is, on average and in its spread."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sympy import Derivative, Function, Integer, KroneckerDelta, Rational, binomial
from sympy import Symbol as Letter

import proofs.topics.batches_measured as measured
from proofs.execution import Execution, positive
from proofs.kernel import Assumption, Definition, Step, Theorem
from proofs.page import Code, Fails, Page, Picture, Prose, Quantity, Symbol, Table, Worked
from proofs.sums import Expression, Index, array, size, total
from refnn import Dense, Network, SquaredError
from refnn.arithmetic.ball import BallArray
from refnn.arrays import join, reshape

__all__ = ["INCLUSION", "PAGE", "PAIR", "UNBIASED", "VARIANCE"]

N, B, C, P = size("N"), size("B"), size("C"), size("P")
M, W = size("m"), size("n")
K, D = size("K"), size("D")
s, t = Index("s", N), Index("t", N)
q = Index("q", P)
c = Index("c", C)
k, l = Index("k", K), Index("l", K)
e, f = Index("e", B), Index("f", B)
d = Index("d", D)
i, a = Index("i", M), Index("a", M)
j, o = Index("j", W), Index("o", W)
u = Letter("u", real=True)
eta = Letter("eta", positive=True)
p_0, L, b_1, b_2, b_3 = (Letter(name, real=True) for name in ("p_0", "L", "b_1", "b_2", "b_2'"))
of_sample = Function("ell")
x, y, w, b, ell = map(array, ("x", "y", "w", "b", "ell"))
g, mean, h, G, noise, inside = map(array, ("g", r"\bar{g}", "h", "G", "epsilon", "I"))
p, pi, rho, v = map(array, ("p", "pi", "rho", "v"))
omega, M_, J = map(array, ("omega", "M", "J"))
length = array("B", positive=True)

ANY = "all numbers N of samples and P of parameters"
DRAWN = "all numbers N of samples and P of parameters, and all batch sizes B from 1 to N"
PAIRS = "all numbers N ≥ 2 of samples and P of parameters, and all batch sizes B from 1 to N"
CUTS = "all numbers N of samples, cut into any number K of batches of any sizes"
DIVIDED = "all numbers N of samples and P of parameters, cut into any number K of batches of any sizes"
LAWS, DESCENT = "laws/test_batches.py::", "laws/test_descent.py::"

# ---------------------------------------------------------------------------------------------- a batch is a mean


LINEAR = Theorem(
    "batch-gradient",
    "The gradient of a batch is the mean of the gradients of its samples",
    Derivative(total(of_sample(s, u), s) / N, u),
    (
        Step(
            "=",
            total(Derivative(of_sample(s, u), u), s) / N,
            "the derivative of a sum is the sum of the derivatives, and N does not depend on u",
            "derivative",
        ),
    ),
    sizes="all numbers N of samples, and any model and loss with a derivative",
    law=(LAWS + "test_the_gradient_of_a_batch_is_the_mean_of_the_gradients_of_its_samples",),
)


def _residual(output: Index) -> Expression:
    return total(x[s, i] * w[i, output], i) + b[output] - y[s, output]


ELL = Definition(
    ell[s],
    total(_residual(j) ** 2, j) / 2,
    "(N,)",
    "the loss of one sample, here that of a dense layer and the squared error",
    source='Bishop, "Pattern Recognition and Machine Learning" (2006), eq. (3.12), with several outputs',
)
LOSS = Definition(
    L,
    total(ell[s], s) / N,
    "",
    "the loss of a batch is the mean of the losses of its samples",
    source='Goodfellow, Bengio, Courville, "Deep Learning" (2016), section 8.1.1',
)


def _network(given: Mapping[str, BallArray]) -> tuple[Network, BallArray]:
    inputs, outputs = given["w"].shape
    network = Network(Dense(inputs, outputs), loss=SquaredError())
    return network, join(reshape(given["w"], (inputs * outputs,)), given["b"])


def _floats(balls: Any) -> Any:
    """Targets are floats in refnn; so are those that a theorem is tried with."""
    return np.vectorize(lambda ball: float(ball.mid()), otypes=[np.float64])(balls)


def _weight_gradient(given: Mapping[str, BallArray], samples: Any) -> Any:
    """The gradient in the weight of the batch of these samples, by refnn."""
    network, parameters = _network(given)
    inputs = BallArray(given["x"].elements[samples])
    _, gradient = network.loss_and_gradient(parameters, inputs, _floats(given["y"].elements[samples]))
    weight = given["w"].shape
    return gradient.elements[: weight[0] * weight[1]].reshape(weight)


def _alone(given: Mapping[str, BallArray]) -> BallArray:
    return BallArray(np.stack([_weight_gradient(given, [n]) for n in range(len(given["x"].elements))]))


def _together(given: Mapping[str, BallArray]) -> BallArray:
    return BallArray(_weight_gradient(given, slice(None)))


ARRAYS = {"x": (N, M), "w": (M, W), "b": (W,), "y": (N, W)}
ONE = Theorem(
    "sample-gradient",
    "The gradient of one sample, for a dense layer and the squared error",
    Derivative(ell[s], w[a, o]),
    (
        Step("=", Derivative(ELL.expression, w[a, o]), "what ℓ is", "definition", (ELL,)),
        Step("=", _residual(o) * x[s, a], "only output o depends on this weight", "derivative"),
    ),
    sizes="all numbers N of samples, m of inputs and n of outputs",
    code=("refnn.network:Network.loss_and_gradient",),
    run=Execution(ARRAYS, _alone, axes=(s, a, o)),
)
ALL = Theorem(
    "batch-gradient-dense",
    "The gradient of a batch, for a dense layer and the squared error",
    Derivative(L, w[a, o]),
    (
        Step("=", Derivative(total(ELL.expression, s) / N, w[a, o]), "what L is", "definition", (LOSS, ELL)),
        Step("=", total(_residual(o) * x[s, a], s) / N, "term by term, each as for one sample", "derivative"),
    ),
    sizes="all numbers N of samples, m of inputs and n of outputs",
    code=("refnn.network:Network.loss_and_gradient",),
    law=(LAWS + "test_the_gradient_of_a_batch_is_the_mean_of_the_gradients_of_its_samples",),
    run=Execution(ARRAYS, _together, axes=(a, o)),
)

# --------------------------------------------------------------------------------------------------- one sample drawn


FULL = Definition(
    mean[q],
    total(g[s, q], s) / N,
    "(P,)",
    "the full gradient is the mean of the gradients of all samples",
)


def _gradient(g_: BallArray, samples: Any) -> Any:
    """What refnn gives for a batch, where its samples have these gradients: outputs are biases, and targets −g."""
    samples, parameters = list(samples), g_.shape[1]
    network = Network(Dense(1, parameters), loss=SquaredError())
    zeros = BallArray.exact(np.zeros(2 * parameters))
    _, gradient = network.loss_and_gradient(zeros, np.zeros((len(samples), 1)), -_floats(g_.elements[samples]))
    return gradient.elements[parameters:]


def _means(batches: Iterable[Any]) -> Any:
    def run(given: Mapping[str, BallArray]) -> BallArray:
        return BallArray(np.stack([_gradient(given["g"], batch) for batch in batches]))

    return run


def _mean_over_all_batches(given: Mapping[str, BallArray]) -> BallArray:
    """Over all batches of about half of the samples."""
    samples = given["g"].shape[0]
    batches = list(itertools.combinations(range(samples), (samples + 1) // 2))
    return BallArray(sum(_gradient(given["g"], batch) for batch in batches) / len(batches))


def _mean_over_single_samples(given: Mapping[str, BallArray]) -> BallArray:
    samples = given["g"].shape[0]
    return BallArray(sum(_gradient(given["g"], [n]) for n in range(samples)) / samples)


CHANCE = Definition(p[s], 1 / N, "(N,)", "the probability with which sample s is drawn, if all are alike")
SAMPLE = Theorem(
    "sample-unbiased",
    "The gradient of a sample drawn at random is the full gradient on average",
    total(p[s] * g[s, q], s),
    (
        Step("=", total(1 / N * g[s, q], s), "each with its probability", "definition", (CHANCE,)),
        Step("=", total(g[s, q], s) / N, "N is the same in all terms; that is the full gradient", "sums"),
    ),
    sizes=ANY,
    code=("refnn.network:Network.loss_and_gradient",),
    law=(LAWS + "test_single_sample_steps_take_each_sample_once_and_its_own_gradient",),
    run=Execution({"g": (N, P)}, _mean_over_single_samples, axes=(q,)),
)

# -------------------------------------------------------------------------------------------------- mini-batches drawn


def _counted(size_: Expression) -> tuple[Assumption, ...]:
    """What is counted of the batches of so many samples."""
    one, two = binomial(N - 1, size_ - 1), binomial(N - 2, size_ - 2)
    others = "the other B − {0}" if size_ == B else "the others"
    return (
        Assumption(C, "=", binomial(N, size_), "that every set of B of the N samples is one of the C batches"),
        Assumption(
            total(inside[c, s], c),
            "=",
            one,
            f"that a sample is in one batch for each choice of {others.format(1)}",
        ),
        Assumption(
            total(inside[c, s] * inside[c, t], c),
            "=",
            KroneckerDelta(s, t) * one + (1 - KroneckerDelta(s, t)) * two,
            f"that two samples are together in one batch for each choice of {others.format(2)}",
        ),
        Assumption(total(inside[c, s], s), "=", size_, "that a batch has B samples"),
    )


NUMBER, IN_ONE, IN_TWO, HOLDS = _counted(B)

MINI = Definition(
    G[c, q],
    total(inside[c, s] * g[s, q], s) / B,
    "(C, P)",
    "the mini-batch gradient is the mean over the samples of batch c",
    source='Goodfellow, Bengio, Courville, "Deep Learning" (2016), algorithm 8.1',
)
PI_ONE = Definition(
    pi[s],
    total(inside[c, s], c) / C,
    "(N,)",
    "the inclusion probability: the share of the batches that hold sample s",
    source='Horvitz, Thompson, "A Generalization of Sampling Without Replacement From a Finite Universe" (1952)',
)
PI_TWO = Definition(
    pi[s, t],
    total(inside[c, s] * inside[c, t], c) / C,
    "(N, N)",
    "the share of the batches that hold both s and t",
)

INCLUSION = Theorem(
    "inclusion",
    "A sample is in a mini-batch with probability B/N",
    pi[s],
    (
        Step("=", PI_ONE.expression, "what it is", "definition", (PI_ONE,)),
        Step("=", IN_ONE.expression / C, "the other B − 1 samples are any of the N − 1", "definition", (IN_ONE,)),
        Step("=", IN_ONE.expression / NUMBER.expression, "the number of batches", "definition", (NUMBER,)),
        Step("=", B / N, r"$`\binom{N}{B} = \frac{N}{B} \binom{N-1}{B-1}`$", "binomials"),
    ),
    assuming=(NUMBER, IN_ONE),
    sizes="all numbers N of samples, and all batch sizes B from 1 to N",
)
SAME = Assumption(pi[s], "=", p_0, "that no sample is favoured")
SYMMETRIC = Theorem(
    "inclusion-symmetric",
    "It is enough that no sample is favoured",
    p_0,
    (
        Step("=", total(p_0, s) / N, "the mean of N equal numbers", "sums"),
        Step("=", total(pi[s], s) / N, "each is the probability of a sample", "definition", (SAME,)),
        Step("=", total(total(inside[c, s], c) / C, s) / N, "what π is", "definition", (PI_ONE,)),
        Step("=", total(total(inside[c, s], s) / C, c) / N, "the sums are exchanged", "sums"),
        Step("=", total(B / C, c) / N, "every batch has B samples", "definition", (HOLDS,)),
        Step("=", B / N, "C equal terms", "sums"),
    ),
    assuming=(SAME, HOLDS),
    sizes="all numbers N of samples and C of batches, whichever they are, and all batch sizes B from 1 to N",
)
PAIR_VALUE = KroneckerDelta(s, t) * B / N + (1 - KroneckerDelta(s, t)) * B * (B - 1) / (N * (N - 1))
PAIR = Theorem(
    "inclusion-pair",
    "Two samples are in one mini-batch with probability B(B − 1)/(N(N − 1))",
    pi[s, t],
    (
        Step("=", PI_TWO.expression, "what it is", "definition", (PI_TWO,)),
        Step(
            "=",
            IN_TWO.expression / C,
            "the other B − 2 samples are any of the N − 2; for s = t it is one sample",
            "definition",
            (IN_TWO,),
        ),
        Step("=", IN_TWO.expression / NUMBER.expression, "the number of batches", "definition", (NUMBER,)),
        Step("=", PAIR_VALUE, r"$`\binom{N}{B} = \frac{N (N-1)}{B (B-1)} \binom{N-2}{B-2}`$", "binomials"),
    ),
    assuming=(NUMBER, IN_TWO),
    sizes="all numbers N ≥ 2 of samples, and all batch sizes B from 1 to N",
    matrix=r"\pi = \frac{B (N - B)}{N (N - 1)}\, I_N + \frac{B (B - 1)}{N (N - 1)}\, \mathbf{1} \mathbf{1}^{\top}",
)

UNBIASED = Theorem(
    "minibatch-unbiased",
    "The mini-batch gradient is the full gradient on average",
    total(G[c, q], c) / C,
    (
        Step("=", total(total(inside[c, s] * g[s, q], s) / B, c) / C, "what it is", "definition", (MINI,)),
        Step(
            "=",
            total(pi[s] * g[s, q], s) / B,
            "the sums are exchanged: sample s counts in as many batches as hold it",
            "definition",
            (PI_ONE,),
        ),
        Step("=", total(B / N * g[s, q], s) / B, "how often that is", "theorem", (INCLUSION,)),
        Step("=", total(g[s, q], s) / N, "B cancels", "sums"),
    ),
    assuming=(NUMBER, IN_ONE),
    sizes=DRAWN,
    matrix=r"\mathbb{E}\, G = \bar{g}",
    code=("refnn.network:Network.loss_and_gradient",),
    law=(LAWS + "test_mini_batches_spread_as_a_draw_without_replacement",),
    run=Execution({"g": (N, P)}, _mean_over_all_batches, axes=(q,)),
)

DEVIATION = Definition(h[s, q], g[s, q] - mean[q], "(N, P)", "how far a sample's gradient is from the full one")
NOISE = Definition(noise[c, q], G[c, q] - mean[q], "(C, P)", "the noise of batch c: how far its gradient is")
SPREAD = Definition(
    v[q],
    total(h[s, q] ** 2, s) / N,
    "(P,)",
    r"the variance of the samples' gradients in parameter q; summed over q it is $`\sigma^{2}`$",
)

CENTRED = Theorem(
    "deviations",
    "The deviations sum to zero",
    total(h[s, q], s),
    (
        Step("=", total(g[s, q] - mean[q], s), "what they are", "definition", (DEVIATION,)),
        Step("=", total(g[s, q], s) - N * mean[q], "the full gradient is the same in all N terms", "sums"),
        Step("=", Integer(0), "N times the mean is the sum", "definition", (FULL,)),
    ),
    sizes=ANY,
)
NOISE_OF = Theorem(
    "minibatch-noise",
    "The noise of a batch is the mean of its samples' deviations",
    noise[c, q],
    (
        Step("=", G[c, q] - mean[q], "what it is", "definition", (NOISE,)),
        Step(
            "=",
            (total(inside[c, s] * g[s, q], s) - mean[q] * total(inside[c, s], s)) / B,
            "the batch has B samples, over which the full gradient is summed and divided by B",
            "definition",
            (MINI, HOLDS),
        ),
        Step("=", total(inside[c, s] * (g[s, q] - mean[q]), s) / B, "both sums are one", "sums"),
        Step("=", total(inside[c, s] * h[s, q], s) / B, "the deviations", "definition", (DEVIATION,)),
    ),
    assuming=(HOLDS,),
    sizes=DRAWN,
)
VARIANCE = Theorem(
    "minibatch-variance",
    "The variance of the mini-batch gradient has a factor (N − B)/(N − 1)",
    total(noise[c, q] ** 2, c) / C,
    (
        Step(
            "=",
            total((total(inside[c, s] * h[s, q], s) / B) ** 2, c) / C,
            "what the noise of each batch is",
            "theorem",
            (NOISE_OF,),
        ),
        Step(
            "=",
            total(h[s, q] * h[t, q] * total(inside[c, s] * inside[c, t], c) / C, s, t) / B**2,
            "the square of a sum is a double sum; then the sum over the batches is exchanged with both",
            "sums",
        ),
        Step("=", total(h[s, q] * h[t, q] * pi[s, t], s, t) / B**2, "what π is", "definition", (PI_TWO,)),
        Step(
            "=",
            total(h[s, q] * h[t, q] * PAIR_VALUE, s, t) / B**2,
            "how often two samples are together",
            "theorem",
            (PAIR,),
        ),
        Step(
            "=",
            (1 / (N * B) - (B - 1) / (N * (N - 1) * B)) * total(h[s, q] ** 2, s)
            + (B - 1) / (N * (N - 1) * B) * total(h[s, q], s) ** 2,
            "the delta leaves one of the two sums; without it the double sum is a square",
            "sums",
        ),
        Step(
            "=",
            (1 / (N * B) - (B - 1) / (N * (N - 1) * B)) * total(h[s, q] ** 2, s),
            "the square of the second sum is 0",
            "theorem",
            (CENTRED,),
        ),
        Step(
            "=",
            (N - B) / (N - 1) / (N * B) * total(h[s, q] ** 2, s),
            r"$`1 - \frac{B - 1}{N - 1} = \frac{N - B}{N - 1}`$",
            "fractions",
        ),
        Step("=", v[q] / B * (N - B) / (N - 1), "what v is", "definition", (SPREAD,)),
    ),
    assuming=(NUMBER, IN_TWO, HOLDS),
    sizes=PAIRS,
    matrix=r"\mathbb{E} \lVert G - \bar{g} \rVert^{2} = \frac{\sigma^{2}}{B} \cdot \frac{N - B}{N - 1}, \qquad "
    r"\sigma^{2} = \frac{1}{N} \sum_{s=1}^{N} \lVert g_{s} - \bar{g} \rVert^{2}",
    law=(LAWS + "test_mini_batches_spread_as_a_draw_without_replacement",),
)


def _special(id_: str, title: str, number: Expression, value: Expression, reason: str, sizes: str) -> Theorem:
    of, (every, _, together, holds) = VARIANCE.at({B: number}), _counted(number)
    return Theorem(
        id_,
        title,
        VARIANCE.start,
        (Step("=", value, reason, "theorem", (of,)),),
        assuming=(every, together, holds, *(each for each in of.assuming if each.symbol == MINI.symbol)),
        sizes=sizes,
        law=(LAWS + "test_mini_batches_spread_as_a_draw_without_replacement",),
    )


NO_NOISE = _special(
    "full-batch-variance",
    "A batch of all samples has no noise",
    N,
    Integer(0),
    "B = N, so N − B is 0",
    "all numbers N ≥ 2 of samples and P of parameters, and B = N",
)
ALL_NOISE = _special(
    "single-sample-variance",
    "A batch of one sample has all the noise",
    Integer(1),
    v[q],
    "B = 1, so the factor is 1",
    "all numbers N ≥ 2 of samples and P of parameters, and B = 1",
)

# --------------------------------------------------------------------------------------------------- with replacement


INDEPENDENT = Definition(
    rho[e, f, s, t],
    KroneckerDelta(e, f) * KroneckerDelta(s, t) / N + (1 - KroneckerDelta(e, f)) / N**2,
    "(B, B, N, N)",
    "with replacement, draw e gives sample s and draw f gives sample t with this probability: two draws are "
    "independent, and all samples alike to both",
)
REPLACED = Theorem(
    "replacement-variance",
    "With replacement the variance is σ²/B",
    total(rho[e, f, s, t] * h[s, q] * h[t, q], e, f, s, t) / B**2,
    (
        Step(
            "=",
            total(INDEPENDENT.expression * h[s, q] * h[t, q], e, f, s, t) / B**2,
            "what ρ is",
            "definition",
            (INDEPENDENT,),
        ),
        Step(
            "=",
            total(h[s, q] ** 2, s) / (N * B) + (B - 1) / (B * N**2) * total(h[s, q], s) ** 2,
            "B pairs of places are a draw and itself, and B(B − 1) are two draws",
            "sums",
        ),
        Step("=", total(h[s, q] ** 2, s) / (N * B), "the square of the second sum is 0", "theorem", (CENTRED,)),
        Step("=", v[q] / B, "what v is", "definition", (SPREAD,)),
    ),
    sizes="all numbers N of samples, B of draws and P of parameters",
    law=(LAWS + "test_draws_with_replacement_spread_as_independent_samples",),
    matrix=r"\mathbb{E} \lVert G - \bar{g} \rVert^{2} = \frac{\sigma^{2}}{B}",
)
SAVED = Theorem(
    "replacement-compared",
    "What is saved by not drawing a sample twice",
    v[q] / B - VARIANCE.expression,
    (Step("=", v[q] / B * (B - 1) / (N - 1), "over one denominator", "fractions"),),
    sizes=PAIRS,
)

# ------------------------------------------------------------------------------------------------ the last, smaller one


ONCE = Assumption(total(J[k, s], k), "=", Integer(1), "that each sample is in exactly one batch")
LENGTH = Assumption(total(J[k, s], s), "=", length[k], "that batch k has so many samples")
APART = Assumption(
    total(J[k, s] * J[l, s], s),
    "=",
    KroneckerDelta(k, l) * length[k],
    "that no sample is in two batches",
)
MEANS = Definition(
    M_[k, q],
    total(J[k, s] * g[s, q], s) / length[k],
    "(K, P)",
    "the gradient of batch k is the mean over its own samples",
)
WEIGHTS = Definition(
    omega[s],
    total(J[k, s] / length[k], k) / K,
    "(N,)",
    "the weight of sample s: 1/K over the size of its batch",
)
EPOCH = Theorem(
    "epoch-weights",
    "The mean of the batches' gradients weighs samples of smaller batches more",
    total(M_[k, q], k) / K,
    (
        Step("=", total(MEANS.expression, k) / K, "what they are", "definition", (MEANS,)),
        Step("=", total(total(J[k, s] / length[k], k) / K * g[s, q], s), "the sums are exchanged", "sums"),
        Step("=", total(omega[s] * g[s, q], s), "what ω is", "definition", (WEIGHTS,)),
    ),
    sizes=DIVIDED,
    law=(LAWS + "test_mini_batches_take_each_sample_once_and_the_last_has_the_rest",),
)
OF_BATCH = Theorem(
    "batch-weight",
    "Every batch weighs 1/K, whatever its size",
    total(J[k, s] * omega[s], s),
    (
        Step("=", total(J[k, s] * total(J[l, s] / length[l], l) / K, s), "what ω is", "definition", (WEIGHTS,)),
        Step("=", total(total(J[k, s] * J[l, s], s) / length[l], l) / K, "the sums are exchanged", "sums"),
        Step(
            "=",
            total(KroneckerDelta(k, l) * length[k] / length[l], l) / K,
            "two batches have no sample in common",
            "definition",
            (APART,),
        ),
        Step("=", 1 / K, "the delta leaves the batch itself, whose size cancels", "sums"),
    ),
    assuming=(APART,),
    sizes=CUTS,
)
ALIKE = Assumption(length[k], "=", B, "that all batches have one size")
WHOLE = Assumption(N, "=", K * B, "that they hold all samples")
EQUAL = Theorem(
    "equal-batches",
    "In batches of one size all samples weigh the same",
    omega[s],
    (
        Step("=", WEIGHTS.expression, "what it is", "definition", (WEIGHTS,)),
        Step("=", total(J[k, s], k) / (K * B), "all sizes are B", "definition", (ALIKE,)),
        Step("=", 1 / (K * B), "each sample is in one batch", "definition", (ONCE,)),
        Step("=", 1 / N, "so many samples there are", "definition", (WHOLE,)),
    ),
    assuming=(ONCE, ALIKE, WHOLE),
    sizes="all numbers K of batches, and all sizes B that they all have",
)
FAIR = Assumption(omega[s], "=", 1 / N, "that all samples weigh the same")
ONLY = Theorem(
    "unequal-batches",
    "And only then: if all samples weigh the same, all batches have one size",
    length[k],
    (
        Step("=", total(J[k, s], s), "its samples", "definition", (LENGTH,)),
        Step("=", N * total(J[k, s] * (1 / N), s), "multiplied and divided by N", "sums"),
        Step("=", N * total(J[k, s] * omega[s], s), "each weighs 1/N", "definition", (FAIR,)),
        Step("=", N / K, "the batch weighs 1/K", "theorem", (OF_BATCH,)),
    ),
    assuming=(LENGTH, APART, FAIR),
    sizes=CUTS,
)
SHUFFLED = Assumption(
    total(J[d, k, s], d),
    "=",
    D * length[k] / N,
    "that the batch in place k holds each sample in the [[inclusion-symmetric|same share]] of all D divisions, which "
    "is its size over N",
)
FAIR_ON_AVERAGE = Theorem(
    "epoch-unbiased",
    "Over all divisions the weights are the same: the mean of the batches' gradients is unbiased",
    total(total(total(J[d, k, s] * g[s, q], s) / length[k], k) / K, d) / D,
    (
        Step(
            "=",
            total(g[s, q] / length[k] * total(J[d, k, s], d), k, s) / (K * D),
            "the sums are exchanged",
            "sums",
        ),
        Step(
            "=",
            total(g[s, q] / length[k] * (D * length[k] / N), k, s) / (K * D),
            "how often a sample falls into batch k",
            "definition",
            (SHUFFLED,),
        ),
        Step("=", total(g[s, q], s) / N, "the size of the batch cancels, and then D and K", "sums"),
        Step("=", mean[q], "the full gradient", "definition", (FULL,)),
    ),
    assuming=(SHUFFLED,),
    sizes=DIVIDED + ", by a random order",
)

# --------------------------------------------------------------------------------------------------- three samples


TARGETS = (Rational(-3, 2), Rational(-3, 2), Rational(2))
FIRST = Definition(
    b_1, -eta * Rational(3, 2), "", r"the first batch holds the two targets $`-\frac32`$; its gradient at 0 is 3/2"
)
SECOND = Definition(b_2, b_1 - eta * (b_1 - 2), "", "the second batch is the target 2 alone")
NOMINAL = Definition(
    b_3,
    b_1 - eta * (b_1 - 2) / 2,
    "",
    "the same with the gradient of the second batch divided by the nominal size 2",
)
RISE = eta / 6 + Rational(5, 8) * eta**2 + Rational(3, 4) * eta**3 + Rational(9, 8) * eta**4
FALL = -eta / 6 + Rational(3, 8) * eta**2 - Rational(3, 8) * eta**3 + Rational(9, 32) * eta**4


def _change(end: Expression) -> Expression:
    """L(end) − L(0)."""
    return sum(((end - target) ** 2 - target**2 for target in TARGETS), Integer(0)) / 6


INPUTS, OUTPUTS = np.zeros((3, 1)), np.array([float(target) for target in TARGETS])
BIAS = Network(Dense(1, 1), loss=SquaredError())


def _steps(eta_: BallArray, steps: int, divide: Mapping[int, int]) -> BallArray:
    """The parameters after so many of the two batches, whose gradients are divided by these numbers besides."""
    parameters = BallArray.exact(np.zeros(2))
    for number, batch in enumerate(([0, 1], [2])[:steps]):
        _, gradient = BIAS.loss_and_gradient(parameters, INPUTS[batch], OUTPUTS[batch])
        parameters = parameters - eta_ * gradient / divide.get(number, 1)
    return parameters


def _bias_after(steps: int) -> Any:
    def run(given: Mapping[str, BallArray]) -> BallArray:
        return BallArray(np.array(_steps(given["eta"], steps, {}).elements[1], dtype=object))

    return run


def _epoch(divide: Mapping[int, int]) -> Any:
    """How L changes in an epoch."""

    def run(given: Mapping[str, BallArray]) -> BallArray:
        before, after = (BIAS.loss(_steps(given["eta"], n, divide), INPUTS, OUTPUTS) for n in (0, 2))
        return BallArray((after - before).elements)

    return run


def _three(id_: str, title: str, second: Definition, value: Expression, law: str, divide: Mapping[int, int]) -> Theorem:
    return Theorem(
        id_,
        title,
        _change(second.symbol),
        (
            Step("=", second.symbol**2 / 2 + second.symbol / 3, r"multiplied out; the targets sum to $`-1`$", "sums"),
            Step("=", value, "the two steps", "definition", (second, FIRST)),
        ),
        sizes="three samples, one parameter, and every learning rate η > 0",
        code=("refnn.network:Network.loss_and_gradient",),
        law=(DESCENT + law,),
        run=Execution({"eta": ()}, _epoch(divide), draw={"eta": positive}),
    )


RISES = _three(
    "last-batch-change",
    "How the loss changes in an epoch with a smaller last batch",
    SECOND,
    RISE,
    "test_with_a_smaller_last_batch_of_its_own_mean_the_loss_can_rise",
    {},
)
ALWAYS = Theorem(
    "last-batch-rises",
    "It rises, however small the learning rate is",
    _change(b_2),
    (
        Step("=", RISE, "as was just proved", "theorem", (RISES,)),
        Step(">", Integer(0), "each of its terms is positive", "signs"),
    ),
    sizes="three samples, one parameter, and every learning rate η > 0",
    law=(DESCENT + "test_with_a_smaller_last_batch_of_its_own_mean_the_loss_can_rise",),
)
FALLS = _three(
    "last-batch-nominal",
    "With the nominal size as divisor it falls to first order",
    NOMINAL,
    FALL,
    "test_with_the_sum_every_batch_counts_its_samples_alike_and_the_loss_falls",
    {1: 2},
)

# --------------------------------------------------------------------------------------------------------- examples

MEAN = total(g[t, q], t) / N
THREE = [["3/2"], ["3/2"], ["-2"]]


def _full(given: Mapping[str, BallArray]) -> BallArray:
    return BallArray(_gradient(given["g"], range(given["g"].shape[0])))


def _marked(marks: BallArray) -> list[list[int]]:
    """The samples of each batch: where a row has a 1."""
    return [np.flatnonzero(row).tolist() for row in _floats(marks.elements)]


def _each(given: Mapping[str, BallArray]) -> BallArray:
    """The gradient of each batch."""
    return BallArray(np.stack([_gradient(given["g"], batch) for batch in _marked(given["I"])]))


def _mean(given: Mapping[str, BallArray]) -> BallArray:
    gradients = _each(given).elements
    return BallArray(np.sum(gradients, axis=0) / len(gradients))


def _variance(given: Mapping[str, BallArray]) -> BallArray:
    off = _each(given).elements - _full(given).elements
    return BallArray(np.sum(off * off, axis=0) / len(off))


def _deviations(given: Mapping[str, BallArray]) -> BallArray:
    alone = [_gradient(given["g"], [n]) for n in range(given["g"].shape[0])]
    return BallArray(np.stack(alone) - _full(given).elements)


def _spread(given: Mapping[str, BallArray]) -> BallArray:
    off = _deviations(given).elements
    return BallArray(np.sum(off * off, axis=0) / len(off))


def _of_epoch(given: Mapping[str, BallArray]) -> BallArray:
    gradients = [_gradient(given["g"], batch) for batch in _marked(given["J"])]
    return BallArray(np.sum(gradients, axis=0) / len(gradients))


TWO_OF_THREE = Worked(
    "two of three samples",
    "Three samples have the gradients 3/2, 3/2 and −2 in the one parameter of a model. There are three batches of two "
    "of them; each row of I is a batch, with a 1 for each sample in it.",
    {N: 3, B: 2, C: 3, P: 1},
    {"g": THREE, "I": [["1", "1", "0"], ["1", "0", "1"], ["0", "1", "1"]]},
    (
        Quantity(r"\bar{g}", MEAN, (q,), r"$`\left(\frac32 + \frac32 - 2\right) / 3`$", _full),
        Quantity(r"\pi_{s}", total(inside[c, s], c) / C, (s,), "each sample is in two of three batches: B/N"),
        Quantity(
            r"\pi_{s t}",
            total(inside[c, s] * inside[c, t], c) / C,
            (s, t),
            r"two samples are together in one of three: $`\frac{2 \cdot 1}{3 \cdot 2}`$",
        ),
        Quantity("G", MINI.expression, (c, q), r"such as $`\left(\frac32 - 2\right) / 2 = -\frac14`$", _each),
        Quantity(
            r"\frac{1}{C} \sum_{c} G_{c}",
            total(MINI.expression, c) / C,
            (q,),
            "their mean, which is the full gradient",
            _mean,
        ),
        Quantity("h", g[s, q] - MEAN, (s, q), "the deviations; they sum to zero", _deviations),
        Quantity(
            r"v",
            total((g[s, q] - MEAN) ** 2, s) / N,
            (q,),
            r"$`\left(\frac{49}{36} + \frac{49}{36} + \frac{49}{9}\right) / 3`$",
            _spread,
        ),
        Quantity(
            r"\frac{1}{C} \sum_{c} \epsilon_{c}^{2}",
            total((MINI.expression - MEAN) ** 2, c) / C,
            (q,),
            r"$`\left(\frac{49}{36} + \frac{49}{144} + \frac{49}{144}\right) / 3`$, from the three batches",
            _variance,
        ),
        Quantity(
            r"\frac{v}{B} \cdot \frac{N - B}{N - 1}",
            total((g[s, q] - MEAN) ** 2, s) / N / B * (N - B) / (N - 1),
            (q,),
            r"$`\frac{49}{18} \cdot \frac12 \cdot \frac12`$: the same, as proved",
            _variance,
        ),
    ),
)
CUT = Worked(
    "the third sample is left over",
    "The same three samples are cut into a batch of two and a batch of one. They are those of one bias b at b = 0, "
    r"whose loss is $`\frac13 \sum_{s} \frac12 (b - y_{s})^{2}`$ with targets −3/2, −3/2 and 2. The learning rate is "
    "1/10.",
    {N: 3, K: 2, P: 1},
    {"g": THREE, "J": [["1", "1", "0"], ["0", "0", "1"]], "B": ["2", "1"], "eta": "1/10"},
    (
        Quantity(
            r"\omega",
            WEIGHTS.expression,
            (s,),
            r"$`\frac12 \cdot \frac12`$ for the first two, and $`\frac12 \cdot 1`$ for the third: twice as much",
        ),
        Quantity(
            r"\sum_{s} \omega_{s} g_{s}",
            total(WEIGHTS.expression * g[s, q], s),
            (q,),
            r"$`\frac38 + \frac38 - 1`$: of the opposite sign to $`\bar{g} = \frac13`$",
            _of_epoch,
        ),
        Quantity("b_{1}", FIRST.expression, (), r"$`0 - \frac1{10} \cdot \frac32`$", _bias_after(1)),
        Quantity(
            "b_{2}",
            SECOND.expression.subs(b_1, FIRST.expression),
            (),
            r"$`-\frac{3}{20} - \frac1{10} \left(-\frac3{20} - 2\right)`$: away from the best b, which is −1/3",
            _bias_after(2),
        ),
        Quantity("L(b_{2}) - L(0)", RISE, (), "the loss rises", _epoch({})),
    ),
)

FAILS = Fails(
    "samples dropped, samples twice, and the wrong divisor",
    "What is to be done with the one sample that is left over? With its own mean, it counts twice as much as each of "
    "the "
    "others. If it is dropped, it does not count in this epoch. If its batch is filled up with a sample that has been "
    "seen, that one counts in both batches; here it is always the first in the list, and then even the average over "
    "the three divisions is wrong. If every sum is divided by the nominal size 2, as by the function `sgd` of Zhang, "
    'Lipton, Li, Smola, "Dive into Deep Learning" (2021), section "Linear Regression Implementation from Scratch", all '
    "samples count alike and every division gives the same; but that is 3/4 of the gradient, as the two batches have "
    "places for four samples, and the last step is half as long as the rate says.",
    """
from fractions import Fraction as F

g = [F(3, 2), F(3, 2), F(-2)]  # the gradients of three samples

def mean(batch, size=None):
    return sum(g[n] for n in batch) / (size or len(batch))

def line(name, numbers):
    print(f"{name:12}", *(f"{str(number):>9}" for number in numbers))

print("left over     own mean   dropped filled up   nominal")
rows = []
for last in (2, 1, 0):
    first = [n for n in range(3) if n != last]
    own = (mean(first) + mean([last])) / 2
    filled = (mean(first) + mean([last, first[0]])) / 2
    nominal = (mean(first, 2) + mean([last], 2)) / 2
    rows.append((own, mean(first), filled, nominal))
    line(f"sample {last + 1}", rows[-1])
line("on average", [sum(column) / 3 for column in zip(*rows)])
print("full gradient", mean([0, 1, 2]))
""",
)

PAGE = Page(
    9,
    "batches",
    "Batch, stochastic and mini-batch gradient descent",
    "The gradient of a mini-batch is that of all samples plus noise. On average the noise is zero, and its variance is "
    "σ²/B · (N − B)/(N − 1), exactly. A smaller last batch that takes its own mean counts its samples for more, and "
    "over "
    "an epoch the loss can rise.",
    ("losses", "descent"),
    (
        Symbol("N, B", "", "the numbers of samples, and of samples in a batch"),
        Symbol("P", "", "the number of parameters; q is one of them"),
        Symbol("C", "", r"the number of batches that can be drawn, $`\binom{N}{B}`$; c is one of them"),
        Symbol("g", "(N, P)", "the gradients of the samples, each alone, all at the same parameters"),
        Symbol(r"\bar{g}", "(P,)", "their mean: the gradient of all samples, the full gradient"),
        Symbol("I", "(C, N)", "1 if sample s is in batch c, and else 0"),
        Symbol("G", "(C, P)", "the gradient of batch c"),
        Symbol(r"\pi", "(N,), (N, N)", "the share of batches that hold a sample, or two samples"),
        Symbol("p, p_0", "(N,), ()", "the probability that a sample is drawn; the same for all samples"),
        Symbol("h", "(N, P)", r"the deviations $`g - \bar{g}`$ of the samples"),
        Symbol(r"\epsilon", "(C, P)", r"the noise $`G - \bar{g}`$ of the batches"),
        Symbol("v", "(P,)", r"the variance of the samples' gradients; its sum over q is $`\sigma^{2}`$"),
        Symbol("K, B_k", "", "the number of batches in an epoch, and the size of each"),
        Symbol(
            "J", "(K, N), (D, K, N)", "1 if sample s is in batch k of the epoch, and else 0; for each of D divisions"
        ),
        Symbol(r"\omega", "(N,)", "the weight of a sample in the mean of the batches' gradients"),
        Symbol("D", "", "the number of ways in which the samples of an epoch may be divided"),
        Symbol(r"M_k", "(P,)", "the gradient of batch k of an epoch, the mean over its own samples"),
        Symbol(r"\rho", "(B, B, N, N)", "the probability that two draws give two samples, with replacement"),
        Symbol(r"\ell, L", "(N,), ()", "the loss of each sample, and of a batch; u is any one parameter"),
        Symbol("x, y", "(N, m), (N, n)", "the inputs and the targets of a dense layer with m inputs and n outputs"),
        Symbol("w, b", "(m, n), (n,)", "its weight and its bias; in the last example b is the only parameter"),
        Symbol("[s = t]", "", "1 where the indices are equal, and else 0: Kronecker's delta"),
    ),
    (
        Prose(
            "Three variants of gradient descent differ in one thing only: of which samples a step takes the gradient. "
            "**Batch** gradient descent takes all N, **stochastic** gradient descent one, **mini-batch** gradient "
            "descent B of them. The loss of a batch is the mean of the losses of its samples, and so is its gradient:"
        ),
        LINEAR,
        Prose(
            "This is for one parameter u while all others are held, so it is for every parameter; and it needs nothing "
            "of the model but that it has a derivative. A dense layer and the squared error show how refnn does it: "
            "one sample alone first, then the batch."
        ),
        ELL,
        LOSS,
        ONE,
        ALL,
        Code("refnn.losses:Loss.differentiate"),
        Prose(
            "The division by N happens once, where the cotangent of the loss is made, and the backward pass sums over "
            "the samples (see [[dense-weight]]). From here on only this matters: each sample s has a gradient of its "
            "own, and batches take means of them.\n\n"
            "## One sample\n\n"
            "What is expected of a draw is the sum over all samples, each with the probability that it is drawn."
        ),
        FULL,
        CHANCE,
        SAMPLE,
        Prose(
            "## A mini-batch\n\n"
            "B different samples are drawn, and every set of B is as likely as any other. What is expected of such a "
            "draw is then the mean over all C sets, so that nothing about chance is needed: only counting. The row "
            r"$`I_{c}`$ says which samples are in batch c."
        ),
        MINI,
        PI_ONE,
        PI_TWO,
        INCLUSION,
        PAIR,
        Prose(
            "The binomial coefficients count sets: of the C sets of B samples, those with sample s are as many as the "
            "ways to choose the other B − 1 from the other N − 1. (For B = 1 no two samples are together, and "
            r"$`\binom{N-2}{-1}`$ is 0.)"
        ),
        Prose(
            "The first of the two needs no counting. If a procedure draws B samples and treats all samples alike, "
            "whatever else it does, then each is drawn with probability B/N:"
        ),
        SYMMETRIC,
        UNBIASED,
        Prose(
            "So a mini-batch step goes in the right direction on average. How far off it is can be said exactly too."
        ),
        DEVIATION,
        NOISE,
        SPREAD,
        CENTRED,
        NOISE_OF,
        VARIANCE,
        Prose(
            'The factor (N − B)/(N − 1) is the finite-population correction of sampling theory (Cochran, "Sampling '
            'Techniques", 1977, theorem 2.2, which divides by N − 1 where σ² here is divided by N). The law asserts '
            "this without any tolerance: refnn runs in rational numbers on all C batches of drawn networks, and the "
            "two fractions are equal. The ends of the range:"
        ),
        NO_NOISE,
        ALL_NOISE,
        Prose(
            "In between, as long as B is small against N, the factor is nearly 1. The variance is then divided by B, "
            "and "
            "the noise, which is its root, by √B: to halve it takes four times the samples. With replacement, when a "
            "sample may be drawn twice, the factor is missing for every B."
        ),
        INDEPENDENT,
        REPLACED,
        SAVED,
        Picture(
            "batches-noise",
            "The noise of the mini-batch gradient against the batch size from 1 to 12: the measured points lie on the "
            "curve of the theorem, which falls to zero at 12; the curve for draws with replacement lies above it and "
            "does not reach zero.",
            measured.noise_picture,
            measured.noise_numbers,
        ),
        Prose(
            f"A regression with {measured.SAMPLES} samples and two parameters; the noise is the root of the mean of "
            r"$`\lVert G - \bar{g} \rVert^{2}`$ over all $`\binom{12}{B}`$ batches, 4095 in all, each computed by "
            "refnn in rational numbers. Before the root is taken, the measured and the proved number are the same "
            "fraction; if they were not, the picture would not be drawn."
        ),
        TWO_OF_THREE,
        Prose(
            "## An epoch, and its last batch\n\n"
            "refnn draws all batches of an epoch at once: it puts the samples in a random order and cuts it. So each "
            "sample is seen exactly once in an epoch, and a batch in any one place is a draw without replacement as "
            "above. If B does not divide N, the last batch is smaller."
        ),
        Code("refnn.descent:MiniBatch.epoch"),
        Prose(
            "Each batch takes its own mean. As long as the learning rate is small, the parameters hardly move within "
            "an "
            "epoch; to first order all K gradients are those at its start, and the epoch is one step along their sum, "
            "K times their mean."
        ),
        MEANS,
        WEIGHTS,
        EPOCH,
        OF_BATCH,
        EQUAL,
        ONLY,
        Prose(
            "A sample in a batch of half the size counts twice. Over many epochs that evens out, because the order is "
            "new in each:"
        ),
        FAIR_ON_AVERAGE,
        Prose(
            "But within one epoch it does not. Here are three samples of one bias b, with targets −3/2, −3/2 and 2, in "
            "batches of two, and the third is left over. At b = 0 the full gradient is 1/3, so b should go down; the "
            "first batch takes it down, and the last one, alone, takes it up by more."
        ),
        FIRST,
        SECOND,
        RISES,
        ALWAYS,
        Prose(
            "No learning rate is small enough. It is no fault of gradient descent: each step lowers the loss of *its* "
            "batch, as [[descent|the descent lemma]] says, and had sample 1 or 2 been left over, the mean of the two "
            r"gradients would have been $`\left(-\frac14 + \frac32\right) / 2 = \frac58`$ and the loss would fall. "
            r"The mean over the three "
            r"divisions is $`\left(-\frac14 + \frac58 + \frac58\right) / 3 = \frac13`$, the full gradient. With equal "
            r"weights there "
            "is no such epoch: here the last gradient is divided by the nominal size 2."
        ),
        NOMINAL,
        FALLS,
        Prose(
            'For small η the first term decides, and that is −η/6. In refnn the reduction `"sum"` is a way to it: no '
            "batch is divided by anything, so that all samples count alike, and η/B takes the place of η."
        ),
        CUT,
        FAILS,
        Prose(
            "## Noise, speed and stability, measured\n\n"
            f"The same regression of {measured.SAMPLES} samples. What a step costs is counted in gradients of "
            f"samples: an "
            f"epoch costs {measured.SAMPLES} for each variant, which makes 1 step of it, or 4, or 12. All numbers "
            f"are means over {measured.ORDERS} random orders, in plain double precision.\n\n"
            f"With one learning rate, η = 1/4, for all: how far the loss is above the least possible one. It begins "
            f"at {measured.beginning()}."
        ),
        Table(
            (
                "variant",
                "B",
                "steps in an epoch",
                *(f"after {epochs * measured.SAMPLES} gradients" for epochs in measured.EARLY),
                f"over the last {measured.EPOCHS // 10} of {measured.EPOCHS} epochs",
            ),
            measured.speed,
        ),
        Prose(
            "For the same work, the smaller the batch, the sooner the loss falls: more steps are taken. In the end it "
            "is "
            "the other way round: the batch arrives, and the others keep on moving about the best point, in a "
            "neighbourhood that grows with their noise ([[learning-rate]] says how large it is). The second table "
            "lets each variant "
            "choose its rate, in sixteenths."
        ),
        Table(
            (
                "variant",
                "B",
                "largest rate with which 60 epochs end below the start",
                f"best rate to come within 1/{measured.CLOSE} of the way",
                "gradients that this takes",
            ),
            measured.stability,
        ),
        Prose(
            "Single samples need a smaller rate to be stable, since the curvature of one sample can be larger than "
            "that of the mean; and a still smaller one to keep their noise down. Even so they come close with the "
            "least work here. What these tables leave out is time: a machine mostly computes the gradient of a batch "
            "faster than those of its samples one by one. Seconds depend on the machine, so they stand on no page; "
            "`refnn verify` measures them on yours, for all three variants."
        ),
        Picture(
            "batches-paths",
            "Contours of the loss over weight and bias, three times, with the path of each variant for the same work: "
            "the batch goes smoothly and has come a small part of the way; mini-batches go further, in zigzags; "
            "single samples arrive "
            "near the best point and wander about it.",
            measured.path_picture,
            measured.path_numbers,
        ),
        Prose(
            "The paths of ten epochs, that is 120 gradients of samples each, with η = 1/4, from the dot towards the "
            "star."
        ),
    ),
    ("learning-rate", "certificates"),
)
