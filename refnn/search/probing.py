"""Probes: questions that are asked to tell faults apart, and how near an answer is to a prediction."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from refnn.arrays import FloatArray
from refnn.errors import RefnnError, Unsupported
from refnn.oracle.budget import Question, ratios
from refnn.oracle.comparison import Expectation
from refnn.search.drawing import posed
from refnn.search.examining import Terms
from refnn.search.programs import ROUNDING
from refnn.search.squashing import SQUASHING
from refnn.search.target import Target, ask
from refnn.strategies import Case

__all__ = ["Probe", "near", "probes_of", "visible"]


class Probe(NamedTuple):
    """A question that was asked to tell faults apart.

    Attributes
    ----------
    case, question
        The question as it was drawn, and as the oracle has it.
    expected
        The truth, and how far an answer may be from it.
    answer
        What was answered, by parts.
    right
        Whether that agrees, or nothing is known of it.
    probabilities
        Whether outputs are probabilities, where the loss makes them of logits.
    """

    case: Case
    question: Question
    expected: Expectation
    answer: Mapping[str, FloatArray]
    right: bool
    probabilities: bool

    def laid_out(self, predicted: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
        """A prediction, as the implementation would answer it."""
        layer = SQUASHING.get(type(self.question.network.loss_function))
        if not self.probabilities or layer is None or "outputs" not in predicted:
            return predicted
        with np.errstate(all="ignore"):
            return {**predicted, "outputs": layer.forward((), predicted["outputs"])}


def probes_of(target: Target, case: Case, terms: Terms) -> Iterator[Probe]:
    """The question, if there is an answer to it."""
    case, question = posed(case, terms.precision)
    try:
        answer = ask(target, case, question, terms.layout, time_limit=terms.time_limit)
        expected = terms.expectation(question)
    except (Unsupported, RefnnError):
        return
    right = expected.judge(answer).verdict != "disagrees"
    yield Probe(case, question, expected, expected.parts(answer), right, terms.layout.outputs == "probabilities")


def near(probe: Probe, name: str, values: FloatArray, predicted: Mapping[str, FloatArray]) -> bool:
    """Whether a part is what a fault predicts, as far as roundings allow.

    They grow with what they are errors of; and where a number is another one, which may stand elsewhere by right, it
    may be off as far as any of the part.
    """
    truth, bound = probe.expected.values[name], probe.expected.bounds[name]
    expected = np.asarray(predicted.get(name, truth))
    size, true = (float(np.max(np.abs(v), initial=0)) for v in (expected, truth))
    grown = max(1.0, size / true) if true > 0 and math.isfinite(size) else 1.0
    with np.errstate(all="ignore"):
        same = (values == expected) | (np.isnan(values) & np.isnan(expected))
        largest = np.max(bound, initial=0, where=np.isfinite(bound))
        allowed = np.where(expected == truth, bound, np.maximum(bound, largest))
        least = 0.0 if name in predicted else ROUNDING * size  # what is less is not predicted
        off = np.abs(values - expected) <= 2 * grown * allowed + _OWN * np.abs(expected) + least
    return bool((same | off).all())


_OWN = 2.0**-44
"""Of its size, so far may a prediction be off that is computed in float64: it is one evaluation of a small network, off
by hundreds of units in its last place where sums cancel."""


def visible(probe: Probe, name: str, predicted: Mapping[str, FloatArray]) -> bool:
    """Whether a fault shows in a part, where an answer must differ from the truth by it."""
    if name not in predicted:
        return False
    truth, bound = probe.expected.values[name], probe.expected.bounds[name]
    with np.errstate(all="ignore"):
        return bool((ratios(np.asarray(predicted[name]) - truth, 3 * bound + _OWN * np.abs(truth)) > 1).any())
