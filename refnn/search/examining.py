"""One question, asked and judged: what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias, final

import numpy as np

from refnn.arithmetic.precision import Precision
from refnn.arrays import FloatArray
from refnn.errors import BrokenTargetError, DivergenceError, Unsupported
from refnn.losses import InnerProduct
from refnn.network import Network
from refnn.oracle.budget import Question, derive
from refnn.oracle.comparison import Comparison, Expectation, expect
from refnn.rules import GradientDescent
from refnn.search.drawing import posed
from refnn.search.squashing import SQUASHING
from refnn.search.target import Layout, Target, ask
from refnn.strategies import Case

__all__ = ["ATTEMPTS", "Kind", "Outcome", "Progress", "Terms", "examine", "expectation"]

Kind: TypeAlias = Literal[
    "agrees",
    "undecided",
    "disagrees",
    "nondeterministic",
    "crashed",
    "killed",
    "hung",
    "garbage",
    "mutated",
    "unsupported",
    "skipped",
]
"""What came of a question. ``"nondeterministic"``: the answer differs from one time to the next; ``"killed"``: the
worker that asked it has ended; ``"skipped"``: it has no truth in the range of float64, or it stops where numbers
overflow."""

FAULTY: tuple[Kind, ...] = ("disagrees", "nondeterministic", "crashed", "killed", "hung", "garbage", "mutated")
"""What is a finding."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""A function that is told what is done (``"asking"``, ``"shrinking"`` or ``"naming"``), how much, and of how much."""

ATTEMPTS = {"crashed": 3, "hung": 2}
"""So often a question is asked that a target does not answer, before that is a finding; once, if it says nonsense."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How all questions are asked and judged.

    Attributes
    ----------
    precision
        What the implementation does.
    layout
        How it lays out its arrays.
    failure_probability
        With which an honest answer to one question is found to disagree.
    time_limit
        For how many seconds an answer may take; None for ever.
    deterministic
        Whether it must give the same answer twice.
    """

    precision: Precision
    layout: Layout
    failure_probability: float
    time_limit: float | None
    deterministic: bool

    def expectation(self, question: Question) -> Expectation:
        """What is expected of an answer on these terms."""
        return expectation(question, self.failure_probability, probabilities=self.layout.outputs == "probabilities")


class Outcome(NamedTuple):
    """What came of a question.

    Attributes
    ----------
    kind
        What.
    comparison
        Of the answer with the truth; None if there is none.
    answer
        Its numbers, by field or part.
    said
        What went wrong otherwise, or is unsupported.
    spread
        How far two answers were apart, in bounds; 0 if they were the same, or it was asked once.
    missed
        What went wrong before, each time, if it was answered only when it was asked again.
    """

    kind: Kind
    comparison: Comparison | None = None
    answer: Mapping[str, FloatArray] | None = None
    said: str = ""
    spread: float = 0.0
    missed: tuple[BrokenTargetError, ...] = ()

    @property
    def faulty(self) -> bool:
        """Whether that is a finding."""
        return self.kind in FAULTY


def expectation(question: Question, failure_probability: float, *, probabilities: bool = False) -> Expectation:
    """The truth about a question, and the bounds; half the probability is for a truth that has bounds itself.

    The outputs may be expected as probabilities, where the loss makes them of logits: as the outputs of a network with
    one layer more.
    """
    layer = SQUASHING.get(type(question.network.loss_function))
    if not probabilities or layer is None:
        return expect(derive(question, failure_probability / 2), rule=GradientDescent(), learning_rate=None)
    logits, squashed = (
        expectation(each, failure_probability / 2)
        for each in (
            question,
            question._replace(
                network=Network(*question.network.layers, layer, loss=InnerProduct()),
                labels=np.ones_like(question.labels),
            ),
        )
    )
    outputs: dict[str, Any] = {
        name: {**getattr(logits, name), "outputs": getattr(squashed, name)["outputs"]}
        for name in ("values", "rest", "slack", "bounds")
    }
    return replace(logits, **outputs)


def examine(target: Target, case: Case, terms: Terms, *, twice: bool = False) -> Outcome:
    """Ask a target, and hold its answer against the truth.

    Parameters
    ----------
    target
        The implementation.
    case
        The question.
    terms
        How it is asked and judged.
    twice
        Ask again, and see whether the answer is the same.

    Returns
    -------
    Outcome

    Examples
    --------
    >>> import numpy as np, refnn
    >>> from refnn.arithmetic.precision import precision_named
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> case = Case(network, np.array([2.0, 1.0]), np.array([[3.0]]), np.array([[5.0]]))
    >>> terms = Terms(
    ...     precision=precision_named("float64"), layout=Layout(), failure_probability=1e-9, time_limit=None,
    ...     deterministic=False,
    ... )
    >>> examine(lambda network, w, x, y: {"loss": 2.0}, case, terms).kind
    'agrees'
    >>> examine(lambda network, w, x, y: {"loss": 4.0}, case, terms).kind
    'disagrees'
    """
    case, question = posed(case, terms.precision)
    missed = list[BrokenTargetError]()
    while True:
        try:
            answers = [ask(target, case, question, terms.layout, time_limit=terms.time_limit)]
            if twice:
                answers.append(ask(target, case, question, terms.layout, time_limit=terms.time_limit))
            break
        except Unsupported as error:
            return Outcome("unsupported", said=str(error))
        except BrokenTargetError as error:
            missed.append(error)
            if len(missed) >= ATTEMPTS.get(error.kind, 1):
                if error.kind == "crashed" and not _in_range(question, terms):
                    return Outcome("skipped", said=f"numbers overflow in {terms.precision.storage}, which it refuses")
                times = f" ({len(missed)} of {len(missed)} attempts)" if len(missed) > 1 else ""
                return Outcome(error.kind, said=f"{error}{times}")  # type: ignore[arg-type]
    try:
        expected = terms.expectation(question)
    except DivergenceError as error:
        return Outcome("skipped", said=str(error))
    return judged(expected, answers, terms)._replace(missed=tuple(missed))


def _in_range(question: Question, terms: Terms) -> bool:
    """Whether something is said of each number of an answer: nothing is, where intermediate results may overflow."""
    try:
        expected = terms.expectation(question)
    except DivergenceError:
        return False
    return all(np.isfinite(bound).all() for bound in expected.bounds.values())


def judged(expected: Expectation, answers: list[Mapping[str, FloatArray]], terms: Terms) -> Outcome:
    """What is said of an answer, or of two to one question."""
    if not all(any(values.size for values in answer.values()) for answer in answers):
        return Outcome("undecided", answer=answers[0], said="the answer has no number")
    comparisons = [expected.judge(answer) for answer in answers]
    worst = max(range(len(answers)), key=lambda k: comparisons[k].worst_ratio)
    comparison, answer = comparisons[worst], answers[worst]
    apart = expected.apart(answers[0], answers[-1])
    if apart > 2:  # two answers within their bounds are no farther apart
        return Outcome(
            "nondeterministic", comparison, answer, f"two answers to one question are {apart:.3g} bounds apart", apart
        )
    if comparison.verdict == "disagrees":
        return Outcome("disagrees", comparison, answer, spread=apart)
    if apart > 0 and terms.deterministic:
        return Outcome(
            "nondeterministic", comparison, answer, f"two answers to one question are {apart:.3g} bounds apart", apart
        )
    return Outcome(comparison.verdict, comparison, answer, spread=apart)
