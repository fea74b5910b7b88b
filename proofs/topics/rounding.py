"""Rounding errors: how far a sum or a product may be off at worst, and as a rule; the rules of `refnn.tolerance`.

The worst case is deterministic. The probabilistic model speaks of finitely many outcomes, so that an expected value is
a finite sum; that roundings are independent is assumed, and said so where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sympy import Abs, Function, Integer, Integral, KroneckerDelta, Rational, exp, log
from sympy import Symbol as Letter

from proofs.kernel import Assumption, Bound, Definition, Induction, Statement, Step, Theorem
from proofs.page import Code, Display, Fails, Page, Prose, Quantity, Symbol, Table, Worked
from proofs.sums import Expression, Index, array, size, total
from refnn import arrays
from refnn.arithmetic.ball import BallArray

__all__ = ["PAGE"]

ZERO, ONE, HALF = Integer(0), Integer(1), Rational(1, 2)
LAW = "proofs/test_rounding_page.py::"

# --------------------------------------------------------------------------------------------------------- worst case

n = size("n")
k = Letter("k", integer=True, nonnegative=True)
i, j, l = Index("i", n), Index("j", n), Index("l", n)
u = Letter("u", positive=True)
gamma = Function("gamma", nonnegative=True)
Phi = array("Phi", positive=True)
delta, x, a, b = map(array, ("delta", "x", "a", "b"))

BELOW_ONE = Assumption(u, "<", ONE, "the unit roundoff is less than 1")
DELTA_ABOVE = Assumption(delta[k + 1, i], "≤", u, "the standard model for each rounding")
DELTA_BELOW = Assumption(delta[k + 1, i], "≥", -u, "the standard model, to the other side")

GAMMA = Definition(
    gamma(k),
    k * u / (1 - k * u),
    "",
    "what k roundings can do, for $`k u < 1`$, so that it is not negative",
    source='Higham, "Accuracy and Stability of Numerical Algorithms" (2nd ed. 2002), lemma 3.1',
)
NO_ROUNDING = Definition(Phi[0, i], ONE, "(n,)", "no rounding has happened to any term yet")
ONE_MORE = Definition(
    Phi[k + 1, i],
    Phi[k, i] * (1 + delta[k + 1, i]),
    "(n,)",
    "one more rounding multiplies by one more factor; each term has its own, which may be 1",
)

GAMMA_STEP = Theorem(
    "gamma-step",
    "One rounding more",
    (1 + gamma(k)) * (1 + u) - 1,
    (
        Step("=", (k + 1) * u / (1 - k * u), "over one denominator", "fractions", (GAMMA,)),
        Step(
            "≤",
            gamma(k + 1),
            r"the denominator $`1 - (k + 1) u`$ is smaller, by u",
            "signs",
            (GAMMA,),
            (Bound(u * gamma(k + 1) * (1 + gamma(k))),),
        ),
    ),
    sizes="all numbers k of roundings with $`(k + 1) u < 1`$",
)
_ABOVE = Statement(Phi[k, i], "≤", 1 + gamma(k))
THETA_ABOVE = Induction(
    "roundings-above",
    "The product of k factors is at most 1 + γ(k)",
    _ABOVE,
    over=k,
    first=ZERO,
    following=k + 1,
    base=(
        Step("=", ONE, "no factor", "definition", (NO_ROUNDING,)),
        Step("=", 1 + gamma(0), r"$`\gamma(0) = 0`$", "fractions", (GAMMA,)),
    ),
    step=(
        Step("=", Phi[k, i] * (1 + delta[k + 1, i]), "one more factor", "definition", (ONE_MORE,)),
        Step(
            "≤",
            1 + gamma(k + 1),
            r"the factor is at most $`1 + u`$, the product before it at most $`1 + \gamma(k)`$",
            "signs",
            (),
            (Bound(Phi[k, i], (DELTA_ABOVE,)), Bound(1 + u, (_ABOVE,)), Bound(ONE, (GAMMA_STEP,))),
        ),
    ),
    assuming=(DELTA_ABOVE,),
    sizes="all numbers k of roundings with $`k u < 1`$",
)
_BELOW = Statement(Phi[k, i], "≥", 1 - gamma(k))
THETA_BELOW = Induction(
    "roundings-below",
    "And it is at least 1 − γ(k)",
    _BELOW,
    over=k,
    first=ZERO,
    following=k + 1,
    base=(
        Step("=", ONE, "no factor", "definition", (NO_ROUNDING,)),
        Step("=", 1 - gamma(0), r"$`\gamma(0) = 0`$", "fractions", (GAMMA,)),
    ),
    step=(
        Step("=", Phi[k, i] * (1 + delta[k + 1, i]), "one more factor", "definition", (ONE_MORE,)),
        Step(
            "≥",
            1 - gamma(k + 1),
            r"the factor is at least $`1 - u`$, which is not negative",
            "signs",
            (),
            (
                Bound(Phi[k, i], (DELTA_BELOW,)),
                Bound(ONE, (BELOW_ONE, _BELOW)),
                Bound(ONE, (GAMMA_STEP,)),
                Bound(2 * u * gamma(k)),
            ),
        ),
    ),
    assuming=(DELTA_BELOW, BELOW_ONE),
    sizes="all numbers k of roundings with $`k u < 1`$",
)

m = size("m")
h = Index("j", m)
y, Psi = array("y"), array("psi", positive=True)
epsilon = Letter("epsilon", real=True)
MERGE = Theorem(
    "merged-sums",
    "An addition multiplies every term of both sums by the same factor",
    (total(x[i] * Phi[k, i], i) + total(y[h] * Psi[k, h], h)) * (1 + epsilon),
    (
        Step(
            "=",
            total(x[i] * (Phi[k, i] * (1 + epsilon)), i) + total(y[h] * (Psi[k, h] * (1 + epsilon)), h),
            "finite sums are linear",
            "sums",
        ),
    ),
    sizes="all numbers n and m of terms, and all ε",
)


def _magnitude(of: Expression, name: str) -> tuple[Assumption, Assumption]:
    """What |of| is: the larger of the two."""
    return (
        Assumption(of, "≤", Abs(of), f"{name} is at most its magnitude"),
        Assumption(of, "≥", -Abs(of), "and at least minus that"),
    )


X_ABOVE, X_BELOW = _magnitude(x[i], "x")
_MODEL = (DELTA_ABOVE, DELTA_BELOW, BELOW_ONE)
SUM_ABOVE = Theorem(
    "sum-above",
    "A sum is off by at most γ(k) times the sum of the magnitudes",
    total(x[i] * Phi[k, i], i),
    (
        Step(
            "≤",
            total(x[i], i) + gamma(k) * total(Abs(x[i]), i),
            "each term is off by the same relative amount at most, whatever its sign",
            "signs",
            (),
            (Bound(HALF, (X_BELOW, THETA_ABOVE), (i,)), Bound(HALF, (X_ABOVE, THETA_BELOW), (i,))),
        ),
    ),
    assuming=(*_MODEL, X_ABOVE, X_BELOW),
    sizes="all numbers n of terms, added in any order in which no term goes through more than k additions, "
    "with $`k u < 1`$",
    law=(LAW + "test_a_sum_has_the_bound_of_the_theorem",),
)
SUM_BELOW = Theorem(
    "sum-below",
    "And to the other side",
    total(x[i] * Phi[k, i], i),
    (
        Step(
            "≥",
            total(x[i], i) - gamma(k) * total(Abs(x[i]), i),
            "likewise",
            "signs",
            (),
            (Bound(HALF, (X_BELOW, THETA_BELOW), (i,)), Bound(HALF, (X_ABOVE, THETA_ABOVE), (i,))),
        ),
    ),
    assuming=(*_MODEL, X_ABOVE, X_BELOW),
    sizes=SUM_ABOVE.sizes,
    matrix=r"\lvert \hat s - s \rvert \le \gamma(k)\, \sum \lvert x \rvert",
)
AB_ABOVE, AB_BELOW = _magnitude(a[i] * b[i], "a product")
INNER = Theorem(
    "inner-product-above",
    "An inner product",
    total(a[i] * b[i] * Phi[k, i], i),
    (
        Step(
            "≤",
            total(a[i] * b[i], i) + gamma(k) * total(Abs(a[i] * b[i]), i),
            "its terms are products; the rounding of each is one factor more",
            "signs",
            (),
            (Bound(ONE, (SUM_ABOVE.at({x: lambda i: a[i] * b[i]}),)),),
        ),
    ),
    assuming=(*_MODEL, AB_ABOVE, AB_BELOW),
    sizes="all n, where no product goes through more than k roundings, its own included: $`k = n`$ will do",
    matrix=r"\lvert \widehat{x w} - x w \rvert \le \gamma(n)\, \lvert x \rvert\, \lvert w \rvert",
    law=(LAW + "test_a_product_of_matrices_has_the_bound_of_the_theorem",),
)

# how errors are passed on, at worst
A, B, e, f, t, c, d = (Letter(name, real=True) for name in ("a", "b", "e", "f", "t", "r", "delta"))
E, F, T = (Letter(name, nonnegative=True) for name in ("E", "F", "T"))
A_ABOVE, A_BELOW = _magnitude(A, "a")
B_ABOVE, B_BELOW = _magnitude(B, "b")
E_ABOVE = Assumption(e, "≤", E, "the error of a is at most E")
E_BELOW = Assumption(e, "≥", -E, "to either side")
F_ABOVE = Assumption(f, "≤", F, "that of b at most F")
F_BELOW = Assumption(f, "≥", -F, "to either side")
PASSED = Theorem(
    "product-passed-on",
    "What a product passes on, at worst",
    (A + e) * (B + f) - A * B,
    (
        Step("=", A * f + B * e + e * f, "multiplied out", "sums"),
        Step(
            "≤",
            Abs(A) * F + E * Abs(B) + E * F,
            "each product is at most that of the magnitudes; none is left out",
            "signs",
            (),
            tuple(
                Bound(HALF, facts)
                for facts in (
                    (A_ABOVE, F_BELOW),
                    (A_BELOW, F_ABOVE),
                    (B_ABOVE, E_BELOW),
                    (B_BELOW, E_ABOVE),
                    (E_ABOVE, F_BELOW),
                    (E_BELOW, F_ABOVE),
                )
            ),
        ),
    ),
    assuming=(A_ABOVE, A_BELOW, B_ABOVE, B_BELOW, E_ABOVE, E_BELOW, F_ABOVE, F_BELOW),
    law=(LAW + "test_a_product_has_the_bound_of_the_theorem",),
)
T_ABOVE, T_BELOW = _magnitude(t, "t")
C_ABOVE = Assumption(c - t, "≤", T, "what is rounded is off by at most T")
C_BELOW = Assumption(c - t, "≥", -T, "to either side")
D_ABOVE = Assumption(d, "≤", u, "the standard model for this rounding")
D_BELOW = Assumption(d, "≥", -u, "to either side")
ROUNDED = Theorem(
    "rounded-once",
    "And then it is rounded",
    c * (1 + d) - t,
    (
        Step(
            "≤",
            T + u * (Abs(t) + T),
            r"what is rounded is no larger than $`\lvert t \rvert + T`$",
            "signs",
            (),
            (
                Bound(ONE, (C_ABOVE,)),
                Bound(HALF, (D_ABOVE, T_BELOW)),
                Bound(HALF, (D_ABOVE, C_BELOW)),
                Bound(HALF, (D_BELOW, T_ABOVE)),
                Bound(HALF, (D_BELOW, C_ABOVE)),
            ),
        ),
    ),
    assuming=(T_ABOVE, T_BELOW, C_ABOVE, C_BELOW, D_ABOVE, D_BELOW),
    law=(LAW + "test_a_product_has_the_bound_of_the_theorem",),
)
factor, least = Letter("phi", positive=True), Letter("r", positive=True)
LEAST = Assumption(factor, "≥", least, "the factor φ = 1 + δ of a rounding is at least r = 1 − u")
COMPUTED = Theorem(
    "seen-from-the-computed",
    "Seen from what is computed",
    1 / factor - 1,
    (Step("≤", (1 - least) / least, "a larger divisor", "signs", (), (Bound(1 / (factor * least), (LEAST,)),)),),
    assuming=(LEAST,),
)
QUOTIENT = Theorem(
    "quotient-passed-on",
    "What a quotient passes on",
    (A + e) / (B + f) - A / B,
    (Step("=", (e - A / B * f) / (B + f), "over one denominator", "fractions"),),
    holds="b and b + f that are not 0",
)
divisor, smallest = Letter("d", positive=True), Letter("g", positive=True)
DIVISOR = Assumption(divisor, "≥", smallest, "the divisor d = b + f is at least g = b − F, which is positive")
QUOTIENT_BOUND = Theorem(
    "quotient-bound",
    "And at worst",
    (e - t * f) / divisor,
    (
        Step(
            "≤",
            (E + Abs(t) * F) / smallest,
            "the largest numerator over the smallest denominator",
            "signs",
            (),
            (
                Bound(1 / divisor, (E_ABOVE,)),
                Bound(1 / (2 * divisor), (T_ABOVE, F_ABOVE)),
                Bound(1 / (2 * divisor), (T_BELOW, F_BELOW)),
                Bound((E + Abs(t) * F) / (divisor * smallest), (DIVISOR,)),
            ),
        ),
    ),
    assuming=(T_ABOVE, T_BELOW, E_ABOVE, F_ABOVE, F_BELOW, DIVISOR),
    law=(LAW + "test_a_quotient_has_the_bound_of_the_theorem",),
)
CANCELLATION = Theorem(
    "cancellation",
    "Cancellation: 1 − t² from a rounded t",
    (1 - (t * (1 + d)) ** 2) - (1 - t**2),
    (Step("=", -(t**2) * (2 * d + d**2), "the 1 drops out, and the error stays", "sums"),),
)

# ------------------------------------------------------------------------------------------------- probabilistic model

OMEGA, CHI = size(r"\Omega"), size("X")
omega, chi = Index("omega", OMEGA), Index("chi", CHI)
p, q, v, w = (array(name, positive=True) for name in ("p", "pi", "v", "w"))
er, fr, C, D, co = (array(name) for name in ("e", "f", "C", "D", "c"))


def _mean(of: Expression) -> Expression:
    """The expected value over the outcomes ω."""
    return total(p[omega] * of, omega)


COVARIANCE = Definition(
    C[i, j],
    _mean(er[i, omega] * er[j, omega]),
    "(n, n)",
    "what two errors are together on average; with themselves, their variance, as they have mean 0",
    source='Blitzstein, Hwang, "Introduction to Probability" (2nd ed. 2019), section 7.3',
)
INDEPENDENT = Assumption(
    C[i, j],
    "=",
    v[i] * KroneckerDelta(i, j),
    "that the errors are independent, of mean 0 (no more is used than that they are uncorrelated)",
)
LINEAR = Theorem(
    "variance-of-linear",
    "The variance of what a linear map makes of errors",
    _mean(total(co[i] * er[i, omega], i) ** 2),
    (
        Step(
            "=",
            total(co[i] * co[j] * _mean(er[i, omega] * er[j, omega]), i, j),
            "the square is multiplied out",
            "sums",
        ),
        Step(
            "=", total(co[i] * co[j] * C[i, j], i, j), "the averages are the covariances", "definition", (COVARIANCE,)
        ),
    ),
    sizes="all numbers n of errors, however they depend on each other",
    matrix=r"\mathrm{Var}(c^{\top} e) = c^{\top} C\, c",
)
QUADRATURE = Theorem(
    "independent-errors",
    "Variances of independent errors add",
    LINEAR.start,
    (
        Step("=", LINEAR.expression, "as for any errors", "theorem", (LINEAR,)),
        Step(
            "=",
            total(co[i] * co[j] * v[i] * KroneckerDelta(i, j), i, j),
            "no two go together",
            "definition",
            (INDEPENDENT,),
        ),
        Step("=", total(co[i] ** 2 * v[i], i), "of the sum over j one term is left", "sums"),
    ),
    assuming=(INDEPENDENT,),
    sizes="all numbers n of independent errors",
    law=(LAW + "test_variances_pass_through_a_product_of_matrices",),
)

M = size("N")
s, r = Index("s", M), Index("r", M)
belongs = array("beta")
EQUAL = Theorem(
    "equal-terms",
    "Numbers that share an error count for as many as they are",
    _mean(total(total(belongs[s, i] * er[i, omega], i), s) ** 2),
    (
        Step(
            "=",
            total(total(belongs[s, i], s) * total(belongs[r, j], r) * _mean(er[i, omega] * er[j, omega]), i, j),
            r"each error e comes $`\sum_s \beta_{s i}`$ times",
            "sums",
        ),
        Step(
            "=",
            total(total(belongs[s, i], s) * total(belongs[r, j], r) * C[i, j], i, j),
            "the averages are the covariances",
            "definition",
            (COVARIANCE,),
        ),
        Step(
            "=",
            total(total(belongs[s, i], s) * total(belongs[r, j], r) * v[i] * KroneckerDelta(i, j), i, j),
            "no two different errors go together",
            "definition",
            (INDEPENDENT,),
        ),
        Step(
            "=",
            total(total(belongs[s, i], s) ** 2 * v[i], i),
            "so an error that comes m times counts m², not m",
            "sums",
        ),
        Step(
            "=",
            total(belongs[s, i] * v[i] * total(belongs[r, i], r), i, s),
            "which is: each of the numbers counts its variance m times",
            "sums",
        ),
    ),
    assuming=(INDEPENDENT,),
    sizes="all numbers n of errors, and N of numbers that have them",
    law=(LAW + "test_numbers_that_are_rounded_alike_count_for_as_many_as_they_are",),
)

S = Letter("S", positive=True)
sums = array("s")
ROUNDING_VARIANCE = Assumption(
    C[i, j], "=", u**2 / 3 * KroneckerDelta(i, j), "that roundings are independent, of mean 0, each uniform on ±u"
)
LARGEST = Assumption(sums[i] ** 2, "≤", S**2, "no partial sum is larger than S")
ROOT = Theorem(
    "sum-variance",
    "The error of a sum grows like the root of the number of its terms",
    _mean(total(sums[i] * er[i, omega], i) ** 2),
    (
        Step(
            "=",
            total(sums[i] * sums[j] * C[i, j], i, j),
            "as for any errors",
            "theorem",
            (LINEAR.at({co: lambda i: sums[i]}),),
        ),
        Step(
            "=",
            total(sums[i] * sums[j] * u**2 / 3 * KroneckerDelta(i, j), i, j),
            "each rounding by itself",
            "definition",
            (ROUNDING_VARIANCE,),
        ),
        Step("=", u**2 / 3 * total(sums[i] ** 2, i), "the variance is that of each rounding of a partial sum", "sums"),
        Step(
            "≤",
            n * u**2 * S**2 / 3,
            "n equal terms at most",
            "signs",
            (),
            (Bound(u**2 / 3, (LARGEST,), (i,)),),
        ),
    ),
    assuming=(ROUNDING_VARIANCE, LARGEST),
    sizes="all numbers n of additions; to first order in u",
    law=(LAW + "test_a_sum_has_the_variance_of_its_partial_sums",),
)
H, magnitude, tau = Letter("h", positive=True), Letter("M", positive=True), Letter("tau", real=True)
UNIFORM = Theorem(
    "uniform-rounding",
    "The variance of a rounding that is uniform over a spacing",
    Integral(tau**2 / H, (tau, -H / 2, H / 2)),
    (Step("=", H**2 / 12, "the integral of a power", "integral"),),
)
SPACING = Assumption(H, "≤", 2 * u * magnitude, "the spacing is at most 2u times the magnitude M of the result")
TAKEN = Theorem(
    "rounding-variance",
    "What refnn takes for it is no less",
    H**2 / 12,
    (
        Step(
            "≤",
            (u * magnitude) ** 2 / 3,
            "a difference of squares, over 12",
            "signs",
            (),
            (Bound((2 * u * magnitude + H) / 12, (SPACING,)),),
        ),
    ),
    assuming=(SPACING,),
    law=(LAW + "test_a_rounding_has_the_variance_of_the_theorem",),
)
HALF_OF_IT = Theorem(
    "half-on-average",
    "On average over the significands refnn takes twice the variance",
    Integral(1 / tau**2, (tau, 1, 2)),
    (Step("=", HALF, "the integral of a power", "integral"),),
)
P_, S_ = Letter("P", real=True), Letter("S", real=True)
WALK = Theorem(
    "straight-walk",
    "Partial sums that go straight from 0 over P to S",
    (Integral((tau * P_) ** 2, (tau, 0, 1)) + Integral((P_ + tau * (S_ - P_)) ** 2, (tau, 0, 1))) / 2,
    (
        Step("=", (2 * P_**2 + P_ * S_ + S_**2) / 6, "the integrals of polynomials", "integral"),
        Step(
            "≤",
            (P_**2 + S_**2 / 2) / 2,
            "what is left is a sum of squares",
            "signs",
            (),
            (Bound((P_ - S_) ** 2 / 12), Bound(P_**2 / 12)),
        ),
    ),
)
BRIDGE = Theorem(
    "bridge",
    "And they wander off the straight line by a sixth on average",
    Integral(tau * (1 - tau), (tau, 0, 1)),
    (Step("=", Rational(1, 6), "the integral of a polynomial", "integral"),),
)

F_COVARIANCE = Definition(
    D[i, j],
    total(q[chi] * fr[i, chi] * fr[j, chi], chi),
    "(n, n)",
    "the covariances of the errors f, whose outcomes χ have nothing to do with those of e",
)
ALL = Assumption(total(p[omega], omega), "=", ONE, "probabilities add up to 1")
ALL_F = Assumption(total(q[chi], chi), "=", ONE, "those of the outcomes χ too")
CENTRED = Assumption(_mean(er[i, omega]), "=", ZERO, "each e has mean 0")
CENTRED_F = Assumption(total(q[chi] * fr[i, chi], chi), "=", ZERO, "and so has each f")
INDEPENDENT_F = Assumption(D[i, j], "=", w[i] * KroneckerDelta(i, j), "the f are independent of each other, too")
_MEAN_F = total(q[chi] * fr[j, chi], chi)
PRODUCT = Theorem(
    "product-variance",
    "The variance of an inner product of numbers with independent errors",
    total(
        p[omega] * q[chi] * total((a[i] + er[i, omega]) * (b[i] + fr[i, chi]) - a[i] * b[i], i) ** 2,
        omega,
        chi,
    ),
    (
        Step(
            "=",
            total(
                b[i] * b[j] * _mean(er[i, omega] * er[j, omega]) * total(q[chi], chi)
                + a[i] * a[j] * total(q[chi] * fr[i, chi] * fr[j, chi], chi) * total(p[omega], omega)
                + _mean(er[i, omega] * er[j, omega]) * total(q[chi] * fr[i, chi] * fr[j, chi], chi)
                + 2 * a[j] * b[i] * _mean(er[i, omega]) * _MEAN_F
                + 2 * b[i] * _mean(er[i, omega] * er[j, omega]) * _MEAN_F
                + 2 * a[j] * _mean(er[i, omega]) * total(q[chi] * fr[i, chi] * fr[j, chi], chi),
                i,
                j,
            ),
            "multiplied out; as the outcomes are independent, averages of products are products of averages",
            "sums",
        ),
        Step(
            "=",
            total(
                b[i] * b[j] * _mean(er[i, omega] * er[j, omega])
                + a[i] * a[j] * total(q[chi] * fr[i, chi] * fr[j, chi], chi)
                + _mean(er[i, omega] * er[j, omega]) * total(q[chi] * fr[i, chi] * fr[j, chi], chi),
                i,
                j,
            ),
            "the means are 0, and the probabilities add up to 1",
            "definition",
            (ALL, ALL_F, CENTRED, CENTRED_F),
        ),
        Step(
            "=",
            total(b[i] * b[j] * C[i, j] + a[i] * a[j] * D[i, j] + C[i, j] * D[i, j], i, j),
            "the averages are covariances",
            "definition",
            (COVARIANCE, F_COVARIANCE),
        ),
        Step(
            "=",
            total(
                (b[i] * b[j] * v[i] + a[i] * a[j] * w[i] + v[i] * w[i]) * KroneckerDelta(i, j),
                i,
                j,
            ),
            "no two errors go together",
            "definition",
            (INDEPENDENT, INDEPENDENT_F),
        ),
        Step(
            "=",
            total(b[i] ** 2 * v[i] + a[i] ** 2 * w[i] + v[i] * w[i], i),
            "of the sum over j one term is left",
            "sums",
        ),
    ),
    assuming=(ALL, ALL_F, CENTRED, CENTRED_F, INDEPENDENT, INDEPENDENT_F),
    sizes="all numbers n of products",
    law=(LAW + "test_a_product_has_the_variance_of_the_theorem",),
)
z, V = Letter("z", real=True), Letter("V", nonnegative=True)
eo = array("e")
ZERO_MEAN = Assumption(_mean(eo[omega]), "=", ZERO, "the error has mean 0")
SQUARE_MEAN = Assumption(_mean(eo[omega] ** 2), "=", V, "and variance V")
SQUARE = Theorem(
    "square-mean",
    "The error of a square has a mean",
    _mean((z + eo[omega]) ** 2 - z**2),
    (
        Step("=", 2 * z * _mean(eo[omega]) + _mean(eo[omega] ** 2), "multiplied out", "sums"),
        Step("=", V, "the mean is 0", "definition", (ZERO_MEAN, SQUARE_MEAN)),
    ),
    assuming=(ZERO_MEAN, SQUARE_MEAN),
    law=(LAW + "test_the_error_of_a_square_has_the_mean_of_the_theorem",),
)

# functions
L, curve = Letter("L", positive=True), Letter("K", positive=True)
g = array("g")
SLOPES = Assumption(g[omega] ** 2, "≤", L**2, "the slope g between z and z + e is, in no outcome, steeper than L")
SLOPE = Theorem(
    "function-variance",
    "A function passes on the variance times the square of its largest slope",
    _mean((g[omega] * eo[omega]) ** 2),
    (
        Step(
            "≤",
            L**2 * _mean(eo[omega] ** 2),
            "term by term",
            "signs",
            (),
            (Bound(p[omega] * eo[omega] ** 2, (SLOPES,), (omega,)),),
        ),
    ),
    assuming=(SLOPES,),
    sizes="all numbers Ω of outcomes",
    law=(LAW + "test_a_function_has_the_variance_of_the_theorem",),
)
REMAINDER = Theorem(
    "second-order",
    "What is left of second order",
    Integral((1 - tau) * curve * e**2, (tau, 0, 1)),
    (Step("=", curve * e**2 / 2, "the integral of a polynomial", "integral"),),
)
po = array("sigma", positive=True)
SOFTMAX = Theorem(
    "log-softmax-variance",
    "What log-softmax passes on",
    _mean(total((KroneckerDelta(i, l) - po[i]) * er[i, omega], i) ** 2),
    (
        Step(
            "=",
            total((KroneckerDelta(i, l) - po[i]) * (KroneckerDelta(j, l) - po[j]) * C[i, j], i, j),
            "as for any errors",
            "definition",
            (COVARIANCE,),
        ),
        Step(
            "=",
            total((KroneckerDelta(i, l) - po[i]) * (KroneckerDelta(j, l) - po[j]) * v[i] * KroneckerDelta(i, j), i, j),
            "the logits' errors are independent",
            "definition",
            (INDEPENDENT,),
        ),
        Step(
            "=",
            (1 - po[l]) ** 2 * v[l] + (total(po[i] ** 2 * v[i], i) - po[l] ** 2 * v[l]),
            "the deltas pick one term of the sums; the bracket is the sum over the other classes",
            "sums",
        ),
    ),
    assuming=(INDEPENDENT,),
    sizes="all numbers n of classes; to first order",
)

# kinks
jump, chance = Letter("J", real=True), Letter("q", real=True)
FLIP = Theorem(
    "flip-variance",
    "A jump J that happens with probability q",
    chance * (jump - chance * jump) ** 2 + (1 - chance) * (0 - chance * jump) ** 2,
    (
        Step("=", chance * jump**2 - (chance * jump) ** 2, "multiplied out", "sums"),
        Step("≤", chance * jump**2, "a square is left out", "signs", (), (Bound((chance * jump) ** 2),)),
    ),
    law=(LAW + "test_a_crossed_kink_has_the_variance_of_the_theorem",),
)

# tails
beyond, some = array("a"), array("o")
alpha, lam = Letter("alpha", positive=True), Letter("lambda", real=True)
ODDS = Definition(lam, log(2 * n / alpha), "", "the log-odds for n numbers and a failure probability α")
UNION = Assumption(some[omega], "≤", total(beyond[i, omega], i), "that o is 1 only where some a is 1, and else 0")
TAIL = Assumption(
    _mean(beyond[i, omega]),
    "≤",
    2 * exp(-lam),
    "that an error is beyond $`\\sqrt{2 \\lambda}`$ standard deviations with no more than the probability of a "
    "sub-Gaussian one",
)
FAILURE = Theorem(
    "failure-probability",
    "How many standard deviations are enough for all numbers together",
    _mean(some[omega]),
    (
        Step(
            "≤",
            total(_mean(beyond[i, omega]), i),
            "the union bound, outcome by outcome",
            "signs",
            (),
            (Bound(p[omega], (UNION,), (omega,)),),
        ),
        Step("≤", total(2 * exp(-lam), i), "each has its tail", "signs", (), (Bound(ONE, (TAIL,), (i,)),)),
        Step("=", 2 * n * exp(-lam), "n equal terms", "sums"),
        Step("=", alpha, "by the choice of λ", "definition", (ODDS,)),
    ),
    assuming=(UNION, TAIL),
    sizes="all numbers n of elements",
    law=(LAW + "test_a_bound_is_so_many_standard_deviations",),
)

bound, root = Letter("b", positive=True), Letter("rho", positive=True)
ROOT_OF = Assumption(root**2, "=", (lam * bound / 3) ** 2 + 2 * lam * V, "ρ is the root")
BERNSTEIN = Theorem(
    "bernstein-solved",
    "How far Bernstein's inequality lets jumps reach",
    2 * lam * (V + bound / 3 * (lam * bound / 3 + root)),
    (
        Step("=", 2 * (lam * bound / 3) ** 2 + 2 * lam * V + 2 * lam * bound / 3 * root, "multiplied out", "sums"),
        Step(
            "=",
            (lam * bound / 3) ** 2 + root**2 + 2 * lam * bound / 3 * root,
            "ρ² for its square",
            "definition",
            (ROOT_OF,),
        ),
        Step("=", (lam * bound / 3 + root) ** 2, "a square", "sums"),
    ),
    assuming=(ROOT_OF,),
    law=(LAW + "test_crossed_kinks_reach_as_far_as_bernstein_lets_them",),
)

trials, times = Letter("T", positive=True), Letter("c", real=True)
TIMES = Definition(
    times,
    trials / (2 * lam) * (exp(2 * lam / trials) - 1),
    "",
    "by how much a variance counts more that T trials show",
)
TRIED = Theorem(
    "tried-variance",
    "Then a variance that is known from trials is as safe as a known one",
    1 + 2 * lam * times / trials,
    (Step("=", exp(2 * lam / trials), "both fractions cancel", "fractions", (TIMES,)),),
    holds="λ that is not 0",
    law=(LAW + "test_a_variance_of_trials_counts_as_the_theorem_says",),
)


# ------------------------------------------------------------------------------------------------------------- example


def _total(given: Mapping[str, BallArray]) -> Any:
    return arrays.total(given["x"])


partial, factors = array("s"), array("Phi")
e1 = Index("i", m)
EXAMPLE = Worked(
    "a format with three digits",
    "Numbers have three binary digits, so that u = 1/8; between 1 and 2 they are 1, 5/4, 3/2 and 7/4. The sum of 1 and "
    "four times 1/8 is formed from left to right. 1 + 1/8 = 9/8 lies in the middle between 1 and 5/4, and is rounded "
    "to the one whose last digit is even: to 1. So it goes on: each of the four additions gives 1, and multiplies by "
    "8/9. Here x are the terms, Φ the factors that each has met with, s the exact partial sums.",
    {n: 5, m: 4},
    {
        "x": ["1", "1/8", "1/8", "1/8", "1/8"],
        "Phi": ["4096/6561", "4096/6561", "512/729", "64/81", "8/9"],
        "s": ["9/8", "5/4", "11/8", "3/2"],
        "u": "1/8",
    },
    (
        Quantity(r"\sum_i x_i", total(x[i], i), (), "what is asked", _total),
        Quantity(
            r"\hat s = \sum_i x_i \Phi_i",
            total(x[i] * factors[i], i),
            (),
            "what is computed: the first two terms met with four roundings, the last one with [[merged-sums|one]]",
        ),
        Quantity(r"\gamma(4)", 4 * u / (1 - 4 * u), (), r"$`\frac48 / (1 - \frac48)`$"),
        Quantity(
            r"\gamma(4) \sum_i \lvert x_i \rvert",
            4 * u / (1 - 4 * u) * total(Abs(x[i]), i),
            (),
            r"[[sum-above|no order]] can be farther off; this one is off by $`\frac12`$",
        ),
        Quantity(
            r"\frac{u^2}{3} \sum_k s_k^2",
            u**2 / 3 * total(partial[e1] ** 2, e1),
            (),
            r"the variance, if the four roundings were [[sum-variance|independent]]: "
            r"$`\frac{1}{192} \cdot \frac{81 + 100 + 121 + 144}{64}`$, a standard deviation of 0.19",
        ),
        Quantity(
            r"4 \cdot \frac{u^2}{3} \sum_k s_k^2",
            4 * u**2 / 3 * total(partial[e1] ** 2, e1),
            (),
            "but equal terms are rounded to the same side; if that is said, each counts [[equal-terms|four times]], "
            "and the deviation is 0.38. What happened, 0.5, is 2.6 of the first and 1.3 of the second",
        ),
    ),
)
SECOND = Worked(
    "a product of two numbers with errors",
    "a = 3/2 and b = −2 have independent errors of variances v = 1/16 and w = 1/4, so of standard deviations 1/4 and "
    "1/2; or errors of at most E = 1/4 and F = 1/2.",
    {n: 1},
    {"a": ["3/2"], "b": ["-2"], "v": ["1/16"], "w": ["1/4"]},
    (
        Quantity(
            r"a b", total(a[i] * b[i], i), (), "without errors", lambda given: arrays.total(given["a"] * given["b"])
        ),
        Quantity(
            r"b^2 v + a^2 w + v w",
            total(b[i] ** 2 * v[i] + a[i] ** 2 * w[i] + v[i] * w[i], i),
            (),
            r"[[product-variance|its variance]]: $`\frac{4}{16} + \frac{9}{16} + \frac{1}{64}`$; the last part is of "
            "second order",
        ),
        Quantity(
            r"\lvert a \rvert F + E \lvert b \rvert + E F",
            total(Abs(a[i]), i) / 2 + total(Abs(b[i]), i) / 4 + Rational(1, 8),
            (),
            r"the [[product-passed-on|worst case]]: $`\frac34 + \frac12 + \frac18`$",
        ),
    ),
)


def _rules() -> Sequence[Sequence[str]]:
    return (
        (
            "one rounding, of v",
            r"$`u \lvert v \rvert`$",
            r"$`(u v)^2/3`$",
            "[[rounding-variance|theorem]], if it is uniform",
        ),
        (
            "a sum of n terms",
            r"[[sum-above|$`\gamma(n - 1) \sum \lvert x_i \rvert`$]]",
            r"[[sum-variance|$`\frac{u^2}{3} \sum s_k^2`$]]",
            "independent roundings; first order",
        ),
        (
            "an inner product",
            r"[[inner-product-above|$`\gamma(n) \sum \lvert a_i b_i \rvert`$]]",
            r"likewise, with a bound on $`\sum s_k^2`$ ([[straight-walk|straight]], and [[bridge|wandering off]])",
            "partial sums in an order that has nothing to do with the values",
        ),
        (
            "errors e, f of factors a, b",
            r"[[product-passed-on|$`\lvert a \rvert F + E \lvert b \rvert + E F`$]]",
            r"[[product-variance|$`b^2 v + a^2 w + v w`$]], where refnn takes $`2 \lambda v w`$ for $`v w`$",
            "independent errors",
        ),
        (
            "errors e, f of a and b in the quotient t = a/b",
            r"[[quotient-bound|$`(E + \lvert t \rvert F)/(\lvert b \rvert - F)`$]]",
            r"$`(v + t^2 w)/g^2`$, where g is the least that b may be",
            "independent errors",
        ),
        (
            "an error through a function",
            r"$`L E`$",
            r"[[function-variance|$`L^2 V`$]]",
            "theorem; L is the largest slope within the error",
        ),
        (
            "m numbers that are rounded alike, summed",
            r"$`m`$ times one",
            r"[[equal-terms|$`m^2 v`$]]",
            "theorem; which numbers are alike is found in their digits",
        ),
        ("n elements to which one is broadcast, summed", r"$`n`$ times one", r"[[equal-terms|$`n^2 v`$]]", "theorem"),
        (
            "the square of a number",
            r"$`2 \lvert z \rvert E + E^2`$",
            r"mean [[square-mean|$`V`$]], which adds up linearly",
            "theorem",
        ),
        (
            "a unit that may cross its kink",
            r"$`\lvert J \rvert`$",
            r"[[flip-variance|$`q J^2`$]], by [[bernstein-solved|Bernstein's inequality]]",
            "the probability q is that of a normal error",
        ),
        (
            "all n elements of an answer",
            "always",
            r"a reach of [[failure-probability|$`\sqrt{2 \lambda V}`$]]",
            "sub-Gaussian errors",
        ),
    )


PAGE = Page(
    11,
    "rounding",
    "Rounding errors",
    "How far a computed sum, product or function may be from the real one: at worst, which is proved, and as a rule, "
    "which is proved of roundings that are independent. `refnn.tolerance` takes the smaller of the two.",
    ("derivatives", "dense"),
    (
        Symbol("u", "", r"the unit roundoff: $`2^{-24}`$ in float32, $`2^{-8}`$ in bfloat16"),
        Symbol(r"\delta", "(n,)", r"relative errors of single roundings: $`-u \le \delta \le u`$"),
        Symbol(
            r"\Phi^{(k)}",
            "(n,)",
            "for each term, the product of the factors 1 + δ of the k roundings that it meets with; positive, as u < 1",
        ),
        Symbol(r"\gamma(k)", "", "what k roundings can do"),
        Symbol("x, a, b", "(n,)", "numbers; also single ones"),
        Symbol("E, F, T", "", "bounds on errors; T is also the number of trials"),
        Symbol(r"\omega, p", r"(Ω,)", "outcomes, finitely many, and their probabilities; χ and π are others"),
        Symbol("e, f", "(n, Ω)", "errors: in each outcome, one of each number"),
        Symbol("C, D", "(n, n)", "covariances of the errors"),
        Symbol("v, w, V", "(n,)", "variances of e, of f, and of a single error"),
        Symbol("c", "(n,)", "the coefficients of a linear map; also how often the variance of trials counts"),
        Symbol("s", "(n,)", "partial sums; S is the largest"),
        Symbol(r"\beta", "(N, n)", "1 where a number has an error, and else 0"),
        Symbol("h, M", "", "the spacing of the numbers near a result, and its magnitude"),
        Symbol("L, K", "", "the largest slope and the largest curvature of a function"),
        Symbol(r"\sigma", "(n,)", "the probabilities that softmax gives"),
        Symbol(r"q, J", "", "the probability that a unit crosses its kink, and how far its value jumps then"),
        Symbol("P, S", "", "the partial sum of the first half, and the whole; S is also the largest one"),
        Symbol(
            "t, r, d, g",
            "",
            "a result, what is rounded in its place, and a divisor and the least it may be; $`g_{\\omega}`$ is a slope",
        ),
        Symbol(r"\tau, z", "", "a part of a way or a significand; the input of a function"),
        Symbol(r"\rho, b, V", "", "in Bernstein's inequality: a root, the largest jump, and the variance of all"),
        Symbol(r"o, a", "(Ω,), (n, Ω)", "1 if any element is beyond its bound, and for each element if it is; else 0"),
        Symbol(r"\lambda, \alpha", "", "log-odds, and the probability of a failure"),
    ),
    (
        Prose(
            "A computer keeps so many digits of a number. An operation ∘, such as a sum or a product, gives the number "
            "nearest to the real result, and is off by at most half the spacing of the numbers there:"
        ),
        Display(r"\mathrm{fl}(a \circ b) = (a \circ b)\,(1 + \delta), \qquad \lvert \delta \rvert \le u"),
        Prose(
            'This is the *standard model* (Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed. 2002, '
            "eq. (2.4)). It is assumed here. IEEE arithmetic keeps it, as long as nothing leaves the range of the "
            "format; below the smallest normal number a product is off by an absolute amount instead, which refnn "
            "adds.\n\n"
            "An implementation in another language adds the terms of a sum in another order, and its δ are not ours. "
            "So the question is not what the error is, but how large it may be. There are two answers.\n\n"
            "* **At worst.** Theorems from the standard model alone. They hold for every order and every δ, and grow "
            "like the number of roundings.\n"
            "* **As a rule.** The δ are taken as random numbers of mean 0 that have nothing to do with each other. "
            "What follows from that is proved, too; *that it is so* is a model. It grows like the root of the number "
            'of roundings, which is what one sees (Higham and Mary, "A New Approach to Probabilistic Rounding Error '
            'Analysis", SIAM J. Sci. Comput. 41(5), 2019).\n\n'
            "Each theorem says under «Assuming» what it assumes.\n\n"
            "## At worst\n\n"
            "A number that goes through k roundings is multiplied by k factors 1 + δ. Let Φ be their product. To first "
            "order it is off by k u; γ(k) is a little more, and leaves nothing out."
        ),
        GAMMA,
        NO_ROUNDING,
        ONE_MORE,
        GAMMA_STEP,
        THETA_ABOVE,
        THETA_BELOW,
        Prose(
            r"So $`\Phi = 1 + \theta`$ with $`\lvert \theta \rvert \le \gamma(k)`$. Fewer than k roundings are k, of "
            "which some have δ = 0.\n\n"
            "A sum is formed by additions, in some order: each adds two sums that are there already. Whichever they "
            "are, the rounding of that addition multiplies every term of both by the same factor."
        ),
        MERGE,
        Prose(
            "A single term is such a sum, with Φ = 1. Hence, addition after addition, every computed sum is "
            r"$`\hat s = \sum_i x_i \Phi_i`$, in which each Φ has as many factors as there are additions that its "
            "term goes through: n − 1 at most from left to right, and no more in any other order; the logarithm of n "
            "to the base 2, rounded up, if pairs are added, and then pairs of these."
        ),
        SUM_ABOVE,
        SUM_BELOW,
        INNER,
        Prose(
            "The bounds do not look at the order, so that they hold for a sum in eight lanes, or on a thousand cores. "
            "What is computed is compared with the magnitudes, not with the sum: where terms cancel, the sum is small "
            "and the bound is not.\n\n"
            "In refnn, `RoundedArray` carries a value and such a bound through all operations. Its arguments are off "
            "already; what an operation passes on of that, and its own rounding, is the new bound."
        ),
        PASSED,
        Prose(
            r"To the other side it is the same: put $`-a`$ and $`-e`$ for a and e. Nothing is dropped as small, not "
            r"$`E F`$ either."
        ),
        ROUNDED,
        Prose(
            "Likewise to the other side, with the signs of r and t changed. This speaks about a bound seen from the "
            "real result. Seen from the computed one, one divides by 1 + δ instead:"
        ),
        COMPUTED,
        Prose(
            r"With $`r = 1 - u`$ that is $`u/(1 - u) = \gamma(1)`$, which is more than u. So `RoundedArray` takes γ(1) "
            "in both cases."
        ),
        Code("refnn.arithmetic.rounded:_gamma"),
        Code("refnn.arithmetic.rounded:_rounded"),
        Code("refnn.arithmetic.rounded:_multiply"),
        QUOTIENT,
        Prose(r"Let b be positive (else change the signs of a, b and their errors), and t the quotient $`a/b`$."),
        QUOTIENT_BOUND,
        Prose(
            "If g is not positive, nothing can be said, and the bound is infinite.\n\n"
            r"A function f passes on $`f(z + e) - f(z) = f'(\zeta)\, e`$ with ζ between z and z + e (the mean value "
            r"theorem), so at most $`L E`$, where L is the largest slope within the error. One may also keep the slope "
            r"at z. By Taylor's theorem, where $`\lvert f'' \rvert \le K`$,"
        ),
        Display(
            r"f(z + e) - f(z) - f'(z)\, e = \int_0^1 (1 - \tau)\, f''(z + \tau e)\, e^2\, d\tau, "
            r"\qquad \lvert \ldots \rvert \le \int_0^1 (1 - \tau)\, K e^2\, d\tau"
        ),
        REMAINDER,
        Prose(
            "refnn takes the largest slope within the error, so that the remainder is within and errors need not be "
            "small. Maximum and minimum bring no two numbers further apart, and pass on the larger error at most (this "
            "is not proved here).\n\n"
            "A formula may spoil what its parts have kept. The slope of tanh is 1 − t², and most libraries compute it "
            "from the rounded t:"
        ),
        CANCELLATION,
        Prose(
            "An error of t counts 2t²-fold, and it is compared with 1 − t², which is nearly 0 in a saturated unit. "
            "All digits may be lost; see below. The bounds of refnn allow for that, unless a precision says that it "
            "keeps tails.\n\n"
            "## As a rule\n\n"
            "Let there be finitely many outcomes ω, with probabilities p. An error is a number e for each outcome; "
            "its expected value is a sum over the outcomes."
        ),
        COVARIANCE,
        LINEAR,
        QUADRATURE,
        Prose(
            "That is all: errors that go together reinforce each other, those that do not add in quadrature. The "
            "first is a theorem. The second rests on **independence, which is an assumption**, and is not true of "
            "roundings: they are determined by the numbers. Where it is known to be wrong, the model says so.\n\n"
            "*Equal numbers are rounded equally*, and a number that is broadcast brings one error to all that it "
            "meets. Let β be 1 where the number s has the error i."
        ),
        EQUAL,
        Prose(
            "If none is shared, all counts are 1, and these are independent errors again. If m numbers share one "
            "error, they count m² of its variance, not m. The last line is how refnn keeps the books: next to the "
            "variance of each element it keeps what that counts for in a sum over its column and over its row, which "
            "is m times the variance if m elements there are rounded alike. For what is broadcast to n elements, "
            "m = n."
        ),
        Code("refnn.arithmetic.noise:Noise.through"),
        Prose(
            "*One rounding.* If nothing is known of the digits that are rounded off, the error is anywhere within "
            "half a spacing h, with equal probability. (Here outcomes are a continuum, and the average is an "
            "integral.)"
        ),
        UNIFORM,
        TAKEN,
        Prose(
            "A spacing is 2u times the power of 2 below the number; so this is the most that it may be. Where "
            r"significands τ are spread evenly between 1 and 2, the variance is $`1/\tau^2`$ of that:"
        ),
        HALF_OF_IT,
        Code("refnn.arithmetic.spread:_once"),
        Prose(
            "*A sum.* Addition k rounds the partial sum $`s_k`$, and is off by $`\\delta_k s_k`$. To first order these "
            "are the errors of the sum; of second order is that a partial sum is itself a little off, by "
            r"$`\gamma(k) \sum \lvert x_i \rvert`$ at most."
        ),
        ROOT,
        Prose(
            r"With the same S the worst case is $`n u S`$. So the standard deviation $`u S \sqrt{n/3}`$ grows like the "
            "root of n, and for a million terms it is 1/1700 of the worst case.\n\n"
            "For the loss and the gradient of a bias refnn squares all partial sums, forwards and backwards, and takes "
            "the larger. Of a product of matrices it takes only the partial sum of the first half, P, and the "
            "whole, S: to form all would take as long as many such products. If partial sums of many terms go straight "
            "from 0 to P and from there to S, the average of their squares is an integral."
        ),
        WALK,
        Prose(
            r"So k of them add up to no more than $`\frac{k}{2} (P^2 + \frac12 S^2)`$; backwards, S − P stands for P. "
            "(A sum of a few terms is not yet an integral: for two or four equal ones the rule, with what comes next, "
            "gives "
            "8/9 of what it should.)\n\n"
            "From the ends of each half to its middle they wander off the straight line, like a Brownian bridge: "
            r"at the part τ of the way the variance is $`\tau (1 - \tau)`$ of that of all the steps of that half. "
            "(That the order of the terms has nothing to do with their values is assumed.)"
        ),
        BRIDGE,
        Prose(
            r"Each half has about half of $`Q = \sum (a_i b_i)^2`$, so that k partial sums wander by "
            r"$`k \cdot \frac16 \cdot \frac{Q}{2} = \frac{k}{12} Q`$: the term `terms / 12` in the code. The first "
            "rounding of each product adds the `+ 1`.\n\n"
            "*A product of numbers with errors*, or a sum of such products. The errors of one factor have nothing to "
            "do with those of the other: their outcomes are χ, with probabilities π."
        ),
        F_COVARIANCE,
        PRODUCT,
        Prose(
            r"The first two parts are of first order, the last is of second: it matters where errors are as large as "
            r"the numbers. A product of two errors is no sub-Gaussian number: both may reach far at once. So refnn "
            r"counts $`2 \lambda v w`$ in place of $`v w`$, whose reach $`\sqrt{2 \lambda \cdot 2 \lambda v w}`$ is "
            r"the product of the reaches $`\sqrt{2 \lambda v}`$ and $`\sqrt{2 \lambda w}`$; and in sums of many, "
            r"$`(1 + \sqrt{\lambda/2})^2 v w`$, after the inequality of Hanson and Wright (Vershynin, "
            r"\"High-Dimensional Probability\" (2018), section 6.2).".replace(r"\"", '"')
        ),
        Code("refnn.arithmetic.spread:_both_errors"),
        Prose(
            "If both factors are the same number, their errors are not independent. A square has an error even on "
            "average, and that adds up like n in a sum, not like its root:"
        ),
        SQUARE,
        Prose("*A function* passes an error on with a slope that depends on the outcome, and is at most L:"),
        SLOPE,
        Prose(
            r"For log-softmax, $`\log \sigma_l = z_l - \log \sum_i \exp z_i`$, each output depends on all logits of "
            r"its row: $`\partial \log \sigma_l/\partial z_i = [i = l] - \sigma_i`$. To first order:"
        ),
        SOFTMAX,
        Prose(
            "What remains, as the logarithm of the sum is curved, refnn bounds apart.\n\n"
            "*Kinks.* At a kink, as that of max(z, 0) at 0, the error of the derivative is not small: if z lies within "
            "its own error of 0, the implementation may take the other branch, and the derivative jumps. Let it do so "
            "with probability q (in refnn: that of a normal error that is as large as z, which is an assumption)."
        ),
        FLIP,
        Prose(
            "A jump that is rare and large is not within a few standard deviations. For independent numbers of "
            "variance V in total, none of which exceeds b, Bernstein's inequality bounds the probability that their "
            "sum exceeds its mean by t:"
        ),
        Display(r"\Pr\left(X - \mathrm{E} X \ge t\right) \le \exp\left(-\frac{t^2}{2 (V + b t/3)}\right)"),
        Prose(
            '(Boucheron, Lugosi, Massart, "Concentration Inequalities" (2013), section 2.8, cited and not proved). It '
            "is exp(−λ) where "
            r"$`t^2 = 2 \lambda (V + b t/3)`$, and so for $`t = \lambda b/3 + \rho`$ with "
            r"$`\rho = \sqrt{(\lambda b/3)^2 + 2 \lambda V}`$:"
        ),
        BERNSTEIN,
        Prose(
            "refnn takes no more than all jumps together. For b it takes the fourth root of the sum of the fourth "
            "powers, which is at least the largest jump."
        ),
        Code("refnn.arithmetic.noise:Flips.reach"),
        Prose(
            "## How far for all together\n\n"
            r"A sum of independent uniform errors of variance V exceeds $`\sqrt{2 \lambda V}`$ with probability at "
            r"most $`2 \exp(-\lambda)`$. For one error that is uniform on ±a, the mean of exp(s e) is $`\sinh(a s)/(a "
            r"s)`$, "
            r"which is at most $`\exp(a^2 s^2/6)`$, power by power, as $`(2 k + 1)! \ge 6^k\, k!`$; and $`a^2/3`$ is "
            r"its "
            "variance. So the sum is sub-Gaussian (what follows from that, by Chernoff's bound, is cited: Boucheron, "
            "Lugosi, Massart, sections 2.2 and 2.3). An answer has many elements, and none may fail. In each outcome, "
            "let "
            "a be 1 for each element that is beyond its bound and else 0, and o be 1 if there is one."
        ),
        ODDS,
        FAILURE,
        Prose(
            r"So $`\sqrt{2 \lambda}`$ standard deviations are enough, $`\sqrt{2 \ln(2 n/\alpha)}`$: 8.4 of them for "
            r"a million elements and $`\alpha = 10^{-9}`$. No independence of the elements is needed. refnn counts "
            r"hidden units too, and takes $`\lambda = \ln(4 n/\alpha)`$, half for roundings and half for kinks."
            "\n\n"
            "A bound that always holds, and one that holds but for a probability α, hold together but for α. So the "
            "smaller of the two is a bound as good: the worst case where few roundings come together, as in the first "
            "layer, and the other one elsewhere."
        ),
        Code("refnn.arithmetic.spread:_reach"),
        Prose(
            "## If errors reinforce each other\n\n"
            "The assumption of independence is tried. refnn draws roundings a few times, and computes with them. If a "
            "trial goes where the model expects it with a probability below 1/100, many more are drawn, and the mean "
            "of their squares is taken for the variance, times a number c: of T trials it may be small by chance. "
            "If errors are normal, T times that mean over the true variance is the sum of T squares of standard normal "
            r"numbers, $`\chi^2`$. That a further error exceeds $`\sqrt{2 \lambda}`$ of the deviations so found has a "
            "probability of the order of"
        ),
        Display(
            r"\mathrm{E} \exp\left(-\lambda c\, \frac{\chi^2}{T}\right) = "
            r"\left(1 + \frac{2 \lambda c}{T}\right)^{-T/2}"
        ),
        Prose("(the moment-generating function of χ², cited and not proved)."),
        TIMES,
        TRIED,
        Prose(r"Its power $`-T/2`$ is $`\exp(-\lambda)`$, as it has to be. For 64 trials and λ = 36, c is 1.85."),
        Prose("## The rules at a glance"),
        Table(("what", "at worst, an error of", "as a rule, a variance of", "which rests on"), _rules),
        Prose(
            "**What is proved** is every line of every proof above. **What is assumed** is the standard model; and, of "
            "the right column, that roundings are independent, of mean 0 and uniform; that the order of a sum has "
            "nothing to do with its values; that the weights of one layer have nothing to do with those of the last. "
            "refnn draws a few sets of roundings and sees whether errors go where this does not expect them; if so, "
            "it takes the variance that many such trials show. **What is cited** are the inequalities of Chernoff, "
            "Bernstein, and Hanson and Wright, and the theorems of the mean value and of Taylor.\n\n"
            "What the model does not know: two or three equal numbers in a column are taken for chance; an error that "
            "comes by two ways, as in z σ(z), is taken for two; of curved functions, only squares and log-softmax "
            "have means; trials cross no kinks."
        ),
        EXAMPLE,
        SECOND,
        Fails(
            "a sum that small terms do not change",
            "If a term is no more than half the spacing of the numbers near the sum, nothing happens, and it is lost, "
            "each time to the same side. Roundings do not have mean 0 there, and errors add up like n. The worst case "
            "holds. refnn adds what is lost of such terms as a mean.",
            """
import numpy as np
one, large = np.float32(1), np.float32(2**24)
print(large + one == large)
forwards = large
for _ in range(1000):
    forwards += one
backwards = np.float32(0)
for _ in range(1000):
    backwards += one
backwards += large
print(int(forwards) - 2**24, int(backwards) - 2**24)
""",
        ),
        Fails(
            "repeated rows",
            "A batch that holds one sample 1024 times has one rounding error 1024 times: the sum is off by 1024 times "
            "one error, not by 32 times. With different samples, it is of the order of that. Both in units of "
            "what independence lets expect, the root of the sum of their squares; in exact fractions.",
            """
from fractions import Fraction
import numpy as np

def in_deviations(samples):
    errors = [Fraction(float(np.float32(float(s)))) - s for s in samples]
    total, square = sum(errors), sum(e * e for e in errors)
    return round(abs(float(total)) / float(square) ** 0.5, 1)

print(in_deviations([Fraction(4, 3)] * 1024))
print(in_deviations([1 + Fraction(1, 2 * k + 1) for k in range(1, 1025)]))
""",
        ),
        Fails(
            "the slope of a saturated unit",
            "tanh 10 is 1 − 4·10⁻⁹, which float32 rounds to 1. From that, the slope 1 − t² is exactly 0, and all "
            "digits are lost; 1/cosh² keeps them. By [[cancellation|the theorem]], an error of t by u shifts it by "
            "2 t² u, which is 1.2·10⁻⁷.",
            """
import math
import numpy as np
t = np.float32(math.tanh(10))
print(1 - t * t)
print(f"{float(np.float32(1 / math.cosh(10) ** 2)):.2g}")
""",
        ),
    ),
    ("certificates",),
)
