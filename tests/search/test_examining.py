"""What comes of a question: each kind of outcome, and none too soon.

The question is worked out by hand: z = 3·2 + 1 = 7, the loss is ½(7 − 5)² = 2, its gradient (7 − 5)·(3, 1) = (6, 2).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

import refnn
from refnn.arithmetic.precision import precision_named
from refnn.errors import BrokenTargetError, ShapeError, Unsupported
from refnn.search.drawing import posed
from refnn.search.examining import FAULTY, Kind, Outcome, Terms, examine, expectation
from refnn.search.target import Layout
from refnn.strategies import Case

NETWORK = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
CASE = Case(NETWORK, np.array([2.0, 1.0]), np.array([[3.0]]), np.array([[5.0]]))
ROUNDED = Case(NETWORK, np.array([0.1, 0.2]), np.array([[0.3], [0.7]]), np.array([[0.6], [0.9]]))
"""A question whose numbers round, so that two honest answers may differ."""

TERMS = Terms(
    precision=precision_named("float64"),
    layout=Layout(),
    failure_probability=1e-9,
    time_limit=None,
    deterministic=False,
)
STRICT = replace(TERMS, deterministic=True)

RIGHT = {"outputs": [[7.0]], "loss": 2.0, "gradient": [6.0, 2.0], "input_gradient": [[4.0]]}


class Answering:
    """A target that answers, or raises, one thing after the other, and the last ever after."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.calls = list(answers), 0

    def __call__(self, network: refnn.Network, w: Any, x: Any, y: Any) -> Any:
        answer = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer


def tried(*answers: Any, terms: Terms = TERMS, case: Case = CASE, twice: bool = False) -> tuple[Outcome, int]:
    """The outcome, and how often it was asked."""
    target = Answering(*answers)
    return examine(target, case, terms, twice=twice), target.calls


# ------------------------------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize("field", RIGHT)
def test_a_right_answer_agrees_and_a_wrong_one_disagrees(field: str) -> None:
    outcome, calls = tried({field: RIGHT[field]})
    assert (outcome.kind, outcome.faulty, calls) == ("agrees", False, 1)
    assert outcome.comparison is not None
    assert outcome.comparison.verdict == "agrees"
    outcome, _ = tried({field: np.asarray(RIGHT[field]) * 2})
    assert (outcome.kind, outcome.faulty) == ("disagrees", True)
    assert outcome.comparison is not None
    assert outcome.comparison.worst_ratio > 1
    assert outcome.answer is not None
    assert outcome.answer[field].tolist() == (np.asarray(RIGHT[field]) * 2).tolist()


def test_the_answer_is_held_against_the_truth_in_the_format_and_the_layout_of_the_terms() -> None:
    """0.1 and 3 in bfloat16: 0.1 is 205/2048, so that with it z = 615/2048 + 1, and not 1.3."""
    case = Case(NETWORK, np.array([0.1, 1.0]), np.array([[3.0]]), np.array([[0.0]]))
    half = replace(TERMS, precision=precision_named("bfloat16"))
    assert examine(lambda *_: {"outputs": [[615 / 2048 + 1]]}, case, half).kind == "agrees"
    assert examine(lambda *_: {"outputs": [[615 / 2048 + 1]]}, case, TERMS).kind == "disagrees"
    two = refnn.Network(refnn.Dense(2, 3), loss=refnn.SquaredError())
    case = Case(two, np.arange(9.0), np.array([[1.0, 2.0]]), np.zeros((1, 3)))
    turned = replace(TERMS, layout=Layout(samples="columns"))
    outputs = [[0 + 6 + 6], [1 + 8 + 7], [2 + 10 + 8]]
    assert examine(lambda *_: {"outputs": outputs}, case, turned).kind == "agrees"
    assert examine(lambda *_: {"outputs": outputs}, case, TERMS).kind == "garbage"


def test_what_stops_where_there_is_no_truth_is_skipped() -> None:
    """1e200 squared is in the range of no format; 1 is."""

    def stops(*_: object) -> object:
        raise OverflowError

    beyond, within = (Case(NETWORK, np.array([size, 0.0]), np.ones((1, 1)), np.zeros((1, 1))) for size in (1e200, 1.0))
    assert examine(stops, beyond, TERMS).kind == "skipped"
    assert examine(stops, within, TERMS).kind == "crashed"


def test_where_zeros_would_pass_nothing_is_decided() -> None:
    """⅓ as a float is ⅓·(1 − 2⁻⁵⁴), so that 3·⅓ − 1 is −2⁻⁵⁴ in truth, and 0 if the product is rounded first."""
    case = Case(NETWORK, np.array([1 / 3, -1.0]), np.array([[3.0]]), np.array([[1.0]]))
    outcome, _ = tried({"outputs": [[0.0]]}, case=case)
    assert (outcome.kind, outcome.faulty) == ("undecided", False)
    assert outcome.comparison is not None


def test_an_answer_without_numbers_says_nothing() -> None:
    bare = refnn.Network(refnn.Tanh(), loss=refnn.SquaredError())
    case = Case(bare, np.zeros(0), np.ones((2, 3)), np.ones((2, 3)))
    for twice in (False, True):
        outcome, _ = tried({"gradient": []}, case=case, twice=twice)
        assert (outcome.kind, outcome.comparison, outcome.faulty) == ("undecided", None, False)
        assert outcome.said == "the answer has no number"


def test_without_a_truth_in_the_range_of_float64_a_question_is_skipped() -> None:
    """(1e200·1e200)² is beyond 1.8e308."""
    case = Case(NETWORK, np.array([1e200, 0.0]), np.array([[1e200]]), np.array([[0.0]]))
    outcome, _ = tried({"loss": np.inf}, case=case)
    assert (outcome.kind, outcome.comparison, outcome.faulty) == ("skipped", None, False)
    assert "too large" in outcome.said


def test_half_the_probability_is_for_the_truth() -> None:
    expected = expectation(posed(ROUNDED, TERMS.precision)[1], 1e-6)
    assert expected.budget.failure_probability == 0.5e-6
    assert expected.failure_probability <= 1e-6


# -------------------------------------------------------------------------------------------------------- probabilities

LOGITS = np.array([[math.log(2), 0.0, math.log(5)], [0.0, math.log(3), 0.0]])
"""Of these exponentials, a share is a probability: of 2, 1 and 5, and of 1, 3 and 1."""

SQUASHED: dict[type[refnn.losses.Loss], list[list[float]]] = {
    refnn.SoftmaxCrossEntropy: [[1 / 4, 1 / 8, 5 / 8], [1 / 5, 3 / 5, 1 / 5]],
    refnn.BinaryCrossEntropy: [[2 / 3, 1 / 2, 5 / 6], [1 / 2, 3 / 4, 1 / 2]],
    refnn.SquaredError: LOGITS.tolist(),
}


def of_identity(kind: type[refnn.losses.Loss]) -> Case:
    """The outputs are x."""
    network = refnn.Network(refnn.Identity(), loss=kind())
    return Case(network, np.zeros(0), LOGITS, np.array([[1.0, 0, 0], [0, 1, 0]]))


@pytest.mark.parametrize("kind", SQUASHED)
@pytest.mark.parametrize("name", ["float64", "bfloat16"])
def test_outputs_may_be_the_probabilities_that_the_loss_makes_of_logits(
    kind: type[refnn.losses.Loss], name: str
) -> None:
    """All else is as it is of logits, with half the probability: the other half is for the outputs."""
    terms = replace(TERMS, precision=precision_named(name), layout=Layout(outputs="probabilities"))
    case, question = posed(of_identity(kind), terms.precision)
    expected = terms.expectation(question)
    of_logits = expectation(question, TERMS.failure_probability / (1 if kind is refnn.SquaredError else 2))
    true, unit = np.array(SQUASHED[kind]), terms.precision.format.unit
    # logits are rounded to the format, by up to half a unit of 2: so are probabilities, whose slope is 1/4 at most
    assert np.abs(expected.values["outputs"] - true).max() <= 2 * unit
    for part in set(expected.values) - {"outputs"}:
        assert np.array_equal(expected.values[part], of_logits.values[part])
        assert np.array_equal(expected.bounds[part], of_logits.bounds[part])
    rounded = terms.precision.format.nearest(expected.values["outputs"])
    assert expected.judge({"outputs": rounded}).verdict == "agrees"
    assert expected.judge({"outputs": rounded + 64 * unit}).verdict == "disagrees"
    assert (expected.judge({"outputs": case.x}).verdict == "agrees") == (kind is refnn.SquaredError)
    assert expected.failure_probability <= TERMS.failure_probability


def test_without_that_outputs_are_logits() -> None:
    question = posed(of_identity(refnn.SoftmaxCrossEntropy), TERMS.precision)[1]
    assert np.array_equal(expectation(question, 1e-9).values["outputs"], question.x)
    squashed = expectation(question, 1e-9, probabilities=True).values["outputs"]
    assert np.abs(squashed - np.array(SQUASHED[refnn.SoftmaxCrossEntropy])).max() < 4 * 2.0**-53


def test_of_probabilities_an_answer_in_their_layout_is_judged() -> None:
    case = of_identity(refnn.SoftmaxCrossEntropy)
    terms = replace(TERMS, layout=Layout(outputs="probabilities"))
    outputs = {"outputs": np.array(SQUASHED[refnn.SoftmaxCrossEntropy])}
    assert examine(lambda *_: outputs, case, terms).kind == "agrees"
    assert examine(lambda *_: outputs, case, TERMS).kind == "disagrees"


def test_what_does_not_fit_is_no_question() -> None:
    with pytest.raises(ShapeError):
        tried(RIGHT, case=CASE._replace(w=np.zeros(3)))


# ---------------------------------------------------------------------------------------------------------------- twice

LOSS = float(NETWORK.loss(*ROUNDED[1:]))
NEXT = float(np.nextafter(LOSS, 1))


def test_asked_once_nothing_is_known_of_another_time() -> None:
    outcome, calls = tried({"loss": LOSS}, {"loss": NEXT}, terms=STRICT, case=ROUNDED)
    assert (outcome.kind, outcome.spread, calls) == ("agrees", 0, 1)


def test_answers_that_differ_within_their_bounds_are_noted_or_waver() -> None:
    outcome, calls = tried({"loss": LOSS}, {"loss": NEXT}, case=ROUNDED, twice=True)
    assert (outcome.kind, outcome.said, calls) == ("agrees", "", 2)
    assert outcome.comparison is not None
    bound = outcome.comparison.worst.worst.bound
    assert outcome.spread == (NEXT - LOSS) / bound
    assert 0 < outcome.spread < 1
    outcome, _ = tried({"loss": LOSS}, {"loss": NEXT}, terms=STRICT, case=ROUNDED, twice=True)
    assert (outcome.kind, outcome.faulty, outcome.spread) == ("nondeterministic", True, (NEXT - LOSS) / bound)
    assert outcome.said == f"two answers to one question are {outcome.spread:.3g} bounds apart"


@pytest.mark.parametrize("loss", [LOSS, np.nan, np.inf])
def test_the_same_answer_twice_does_not_waver(loss: float) -> None:
    outcome, calls = tried({"loss": loss}, terms=STRICT, case=ROUNDED, twice=True)
    assert (outcome.kind, outcome.spread, calls) == ("agrees" if loss == LOSS else "disagrees", 0, 2)


@pytest.mark.parametrize("terms", [TERMS, STRICT])
@pytest.mark.parametrize("wrong_first", [True, False])
def test_of_two_answers_the_worse_is_told(terms: Terms, wrong_first: bool) -> None:
    answers = [{"loss": 9.0}, {"loss": LOSS}][:: 1 if wrong_first else -1]
    outcome, _ = tried(*answers, terms=terms, case=ROUNDED, twice=True)
    assert outcome.kind == "nondeterministic"  # for one of them is out of its bound, and the other one is not
    assert outcome.answer is not None
    assert outcome.answer["loss"] == 9
    assert outcome.spread > 2


def test_answers_to_different_things_are_infinitely_apart() -> None:
    outcome, _ = tried({"loss": 2.0}, {"outputs": [[7.0]]}, twice=True)
    assert (outcome.kind, outcome.spread) == ("nondeterministic", np.inf)
    outcome, _ = tried({"loss": 2.0}, {"outputs": [[7.0]]}, terms=STRICT, twice=True)
    assert (outcome.kind, outcome.said) == ("nondeterministic", "two answers to one question are inf bounds apart")


# ------------------------------------------------------------------------------------------------------ without answers


@pytest.mark.parametrize("twice", [True, False])
def test_a_crash_counts_after_three_attempts(twice: bool) -> None:
    outcome, calls = tried(ValueError("no"), twice=twice)
    assert (outcome.kind, outcome.comparison, outcome.faulty, calls) == ("crashed", None, True, 3)
    assert outcome.said.startswith("ValueError: no: the implementation raised it (")
    assert outcome.said.endswith(" (3 of 3 attempts)")
    for crashes in (1, 2):
        outcome, calls = tried(*[ValueError("no")] * crashes, RIGHT, twice=twice)
        assert (outcome.kind, calls) == ("agrees", crashes + (2 if twice else 1))


def test_a_crash_the_second_time_is_an_attempt_too() -> None:
    outcome, calls = tried(RIGHT, ValueError("no"), twice=True)
    assert (outcome.kind, calls) == ("crashed", 4)
    assert tried(RIGHT, ValueError("no"), RIGHT, twice=True)[0].kind == "agrees"


@pytest.fixture
def waiting() -> Iterator[Callable[[], object]]:
    """A function that hangs until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(60) and RIGHT
    over.set()


def test_a_hang_counts_after_two_attempts(waiting: Callable[[], object]) -> None:
    limited = replace(TERMS, time_limit=0.2)
    outcome, calls = tried(waiting, terms=limited)
    assert (outcome.kind, outcome.faulty, calls) == ("hung", True, 2)
    assert outcome.said.startswith("there is no answer after 0.2 seconds")
    assert outcome.said.endswith(" (2 of 2 attempts)")
    outcome, calls = tried(waiting, RIGHT, terms=replace(TERMS, time_limit=2))
    assert (outcome.kind, calls) == ("agrees", 2)


def test_a_hang_after_a_crash_is_the_second_attempt(waiting: Callable[[], object]) -> None:
    outcome, calls = tried(ValueError("no"), waiting, terms=replace(TERMS, time_limit=0.2))
    assert (outcome.kind, calls) == ("hung", 2)


@pytest.mark.parametrize("twice", [True, False])
@pytest.mark.parametrize("kind", ["garbage", "mutated"])
def test_what_is_said_once_counts_at_once(kind: str, twice: bool) -> None:
    outcome, calls = tried(BrokenTargetError("it", "is wrong", "Mend it", kind), RIGHT, twice=twice)
    assert (outcome.kind, outcome.said, outcome.faulty, calls) == (kind, "it: is wrong. Mend it.", True, 1)


def test_nonsense_and_changed_arguments_are_found() -> None:
    def changing(network: refnn.Network, w: Any, x: Any, y: Any) -> Any:
        w[0] = 0
        return RIGHT

    assert tried("nonsense")[0].kind == "garbage"
    outcome = examine(changing, CASE, TERMS)
    assert (outcome.kind, outcome.said[:13]) == ("mutated", "w was changed")


def test_what_is_not_supported_is_no_finding() -> None:
    outcome, calls = tried(Unsupported("GELU"), RIGHT)
    assert (outcome.kind, outcome.said, outcome.comparison, outcome.faulty, calls) == (
        "unsupported",
        "GELU",
        None,
        False,
        1,
    )
    assert tried(ValueError(), Unsupported("GELU"))[0].kind == "unsupported"


def test_what_is_a_finding() -> None:
    kinds = get_args(Kind)
    harmless = {"agrees", "undecided", "unsupported", "skipped"}
    assert {kind for kind in kinds if Outcome(kind).faulty} == set(FAULTY) == set(kinds) - harmless
