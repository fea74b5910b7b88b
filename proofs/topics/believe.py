"""What one must believe to believe the rest: tactics, inferences in words, and how all of it is watched."""

from __future__ import annotations

from proofs.kernel import TACTICS
from proofs.page import Fails, Page, Prose, Table

__all__ = ["PAGE"]

PAGE = Page(
    0,
    "believe",
    "What you must believe",
    "A proof is as good as what checks it. Here is all that is taken for true without a proof on these pages: a few "
    "tactics, the inferences that no algebra makes, and that the real numbers are meant.",
    (),
    (),
    (
        Prose(
            "A proof on these pages is a chain of expressions. Each follows from the one before by an equation or "
            "an inequality, for a reason in words and by a *tactic*, whose name stands at the left. Most hold for "
            "arrays of any size: sums run to N, m or n, which are symbols, and indices are compared by Kronecker's "
            "delta, "
            "$`[i = k]`$. A tactic proves its step for all sizes or it fails; none of them computes with numbers."
        ),
        Prose("## The tactics"),
        Table(("tactic", "what it takes for true"), lambda: [[f"`{name}`", t.what] for name, t in TACTICS.items()]),
        Prose(
            "An inequality is proved by its *certificate*: what stands in brackets behind the reason. The difference "
            "of its two sides is a sum of squares, of positive numbers, and of known inequalities, each times "
            "something that is not negative. That it is that sum is an equation, which is checked as the others are; "
            "that such a "
            "sum is not negative is all that has to be believed."
        ),
        Prose("## What is inferred in words"),
        Prose(
            "* **Induction.** What holds for the first number, and for the next one if for the one before, holds for "
            "all of them. The base and the step are chains of their own, and the hypothesis may be used for no other "
            "number. Orders of summation, tiles and layers are gone through in the same way. One that goes downwards "
            "from a symbol, as from the last layer K, speaks of no number beyond it.\n"
            "* **Letters.** What is proved of a symbol holds of everything that its assumptions are true of; other "
            "letters may take its place only if they are of the same kind (positive, whole, an index of the same "
            "range) and the same is assumed or defined of them, which is checked. An undefined function σ may be any "
            "that has the derivatives that are written.\n"
            "* **Assumptions** that have an index are about all its values. What is assumed at one point is not put "
            "under a derivative, and what a derivative holds still does not depend on its variable by a definition: "
            "both are checked.\n"
            "* **Cases.** z > 0 and z < 0, or the parts of a line, are theorems of their own; that together they cover "
            "everything is seen, not proved.\n"
            "* **Names.** A definition without a source gives a name to something on its page.\n"
            "* **Denominators** that are written are not 0, and logarithms are of positive numbers.\n"
            "* **Matrix form** is notation for what is proved of each element.\n"
            "* **Derivatives.** A finite sum may be differentiated term by term. A slope that is continuous at a point "
            "is the derivative there (Carathéodory), also in several variables: [[derivatives]], [[chain-rule]].\n"
            "* **Theorems of analysis**, cited where they are used: the mean value theorem and Taylor's, the "
            "fundamental theorem of calculus, that an integral keeps an inequality, the intermediate value theorem, "
            "the spectral theorem. From them: a function whose slope is not negative does not fall; one that falls to "
            "a limit lies above it; one whose slope rises, or whose Hessian is positive semidefinite, is convex and "
            "lies above its tangents.\n"
            "* **Chance** is counting: an expectation is a mean over finitely many cases that are equally likely "
            "([[batches]]), or an integral over a uniform error ([[rounding]]). How many sets there are, and that "
            "shuffled places are alike, is combinatorics in words. The inequalities of Chernoff and Bernstein are "
            "cited, and so is the standard model of rounding.\n"
            "* **Putting together.** “Converges exactly if” is read off several theorems at once, and so is “the best "
            "rate”; the page says which."
        ),
        Prose("## Real numbers are meant"),
        Prose(
            "Theorems are about real numbers. The code computes with floats, which round; so it is tried in balls and "
            "in rational numbers, where it must give what the theorem says, for sizes that have nothing to do with "
            "each other. A ball is an interval, a number and a radius, in which the true value lies for certain; Arb "
            "is the library that computes with balls. How far floats are from that is another question: [[rounding]] "
            "has the rules by which `refnn.tolerance` answers it."
        ),
        Prose("## Who watches SymPy"),
        Prose(
            "SymPy is a large program, and now and then it is wrong about just such sums. So no step rests on it "
            "alone: "
            "every step is written out for small sizes and tried with numbers, by code that shares nothing with the "
            "tactics; and its general `simplify` is never asked. It tries few numbers, looks at ≥ where > is stated, "
            "and says nothing where a root or a logarithm is no number. Two faults that were met:"
        ),
        Fails(
            "an index inside a sum is taken for one outside",
            "The derivative of $`\\sum_{i} x_{i}`$ by the one element $`x_{i}`$ is 1, whatever i is called. SymPy 1.14 "
            "takes it for $`\\sum_{i} 1`$. The kernel, which checks the steps, gives the indices of sums names of "
            "their own first.",
            """
from sympy import IndexedBase, Sum, symbols
i, m = symbols("i m", integer=True, positive=True)
x = IndexedBase("x")
print(Sum(x[i], (i, 1, m)).diff(x[i]))
""",
        ),
        Fails(
            "a condition on an index is taken out of its sum",
            "Over i, $`-\\sum_{i} [y_{i} > 0]\\,[i = j]`$ depends on j alone. After `simplify` it depends on i, which "
            "is no index any more (sympy #27359). The kernel's own normal form knows over what an index "
            "runs.",
            """
from sympy import IndexedBase, KroneckerDelta, Piecewise, Sum, simplify, symbols
i, j, m = symbols("i j m", integer=True, positive=True)
y = IndexedBase("y")
picked = Piecewise((KroneckerDelta(i, j, (1, m)), y[i] > 0), (0, True))
print(simplify(-Sum(picked, (i, 1, m))))
""",
        ),
        Prose("## Five locks"),
        Prose(
            "| | what is held | where a test sees that it can fail |\n| --- | --- | --- |\n"
            "| 1 | every step holds by its tactic | [`test_kernel.py`](../tests/proofs/test_kernel.py): a wrong sign; "
            "[`test_soundness.py`](../tests/proofs/test_soundness.py): three dozen ways around the kernel; "
            "[`test_inequalities.py`](../tests/proofs/test_inequalities.py): a wrong certificate |\n"
            "| 2 | numbers do not contradict it | `test_kernel.py`: a tactic that believes anything |\n"
            "| 3 | the page says what was checked | "
            "[`test_topics.py`](../tests/proofs/test_topics.py): a stale page |\n"
            "| 4 | refnn's own functions, executed, give the right side | `test_topics.py`: swapped dimensions |\n"
            "| 5 | every activation, loss and reduction has its theorem | "
            "[`test_activations_page.py`](../tests/proofs/test_activations_page.py), "
            "[`test_losses_page.py`](../tests/proofs/test_losses_page.py): one without |"
        ),
    ),
    ("derivatives",),
)
