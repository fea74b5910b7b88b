"""The diagnosis: what an implementation does otherwise, by what it answers to several questions.

What is observed is held against the prediction of each fault (`refnn.search.faults`), within the bounds, on several
questions, so that a coincidence on one does not name it: a fault fits if it predicts every wrong answer, and the right
ones about the same kinds of loss and layers. Before that, the implementation is asked in other layouts: if it agrees in
one, that is all that is wrong.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import TypeAlias, final

from refnn.search.departure import departure, unsteady
from refnn.search.examining import Outcome, Progress, Terms, examine
from refnn.search.faults import FAULTS, Fault
from refnn.search.probing import Probe, near, probes_of, visible
from refnn.search.relations import fitted, relations_of
from refnn.search.target import Layout, Target
from refnn.strategies import Case

__all__ = ["Diagnosis", "diagnose", "layout_of"]

_OTHERWISE = tuple(
    names
    for count in range(1, len(fields(Layout)) + 1)
    for names in combinations([field.name for field in fields(Layout)], count)
)
"""What is laid out otherwise in the layouts that are tried: all that there are, the simplest first."""


@final
@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is otherwise.

    Attributes
    ----------
    fault
        The fault, the convention or the relation that predicts all answers; None if none does.
    others
        Those that predict them as well.
    questions
        On how many questions it shows.
    layout
        The layout in which the implementation agrees, if there is one.
    departs
        What is said of it, if it is not named: where it first departs, for one.
    """

    fault: Fault | None = None
    others: tuple[Fault, ...] = ()
    questions: int = 0
    layout: Layout | None = None
    departs: str = ""

    def __str__(self) -> str:
        """What it is, where that happened to others, and on what that rests."""
        if self.layout is not None:
            return f"It agrees if it is asked with layout=refnn.{self.layout!r}: is that how yours lays out its arrays?"
        if self.fault is None:
            return self.departs
        fault = self.fault
        lines = [fault.title]
        if fault.convention:
            lines.append(f"That is a convention: {fault.convention}.")
        if fault.source:
            which = "One of its kind" if "/" in fault.id else "It"
            lines.append(f"{which} happened before: {fault.source}.")
        if self.questions == 1:
            lines.append(
                "It predicts what was answered, within the bounds; as it shows on 1 question, that may be chance."
            )
        else:
            lines.append(
                f"It predicts what was answered, within the bounds, on {self.questions} questions where it shows."
            )
        if self.others:
            lines.append(f"So do: {' '.join(other.title for other in self.others)}")
        return "\n".join(lines)


def diagnose(
    target: Target,
    failed: Iterable[Case],
    others: Iterable[Case],
    terms: Terms,
    *,
    deadline: float = math.inf,
    progress: Progress = lambda what, done, of: None,
) -> Diagnosis:
    """What an implementation does otherwise.

    Parameters
    ----------
    target
        The implementation.
    failed
        Questions that it gets wrong, the simplest first.
    others
        Other questions that it may be asked, which it gets right or not.
    terms
        How it is asked and judged.
    deadline
        The value of `time.monotonic` at which no other of them is asked, and few layouts are tried.
    progress
        Told of each question.

    Examples
    --------
    >>> import numpy as np, refnn
    >>> from refnn.arithmetic.precision import precision_named
    >>> network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    >>> case = Case(network, np.array([1.0, 2.0, 3.0]), np.array([[0.5, 0.25]]), np.array([[1.0]]))
    >>> terms = Terms(
    ...     precision=precision_named("float64"), layout=Layout(), failure_probability=1e-9, time_limit=None,
    ...     deterministic=False,
    ... )
    >>> def mine(network, w, x, y):
    ...     loss, gradient = network.loss_and_gradient(w, x, y)
    ...     return loss, -gradient
    >>> diagnose(mine, [case], [], terms).fault.id
    'G11'
    """
    failing, some = list(failed), list(others)
    if said := unsteady(target, [*failing, *some[:1]], terms):
        return Diagnosis(departs=said)
    cases, probes = [*failing, *some], list[Probe]()
    for number, case in enumerate(cases):
        if number >= len(failing) and time.monotonic() > deadline:
            del cases[number:]
            break
        progress("naming", number + 1, len(cases))
        probes += probes_of(target, case, terms)
    wrong = [probe for probe in probes if not probe.right]
    if probes and not wrong:
        return Diagnosis(departs="It answers much the same questions rightly.")
    layout = layout_of(target, cases, terms, deadline)
    if layout is not None:
        return Diagnosis(layout=layout)
    if not probes:
        return Diagnosis(departs="Asked once more, it does not answer.")
    always = len(probes)
    named = _named(_candidates(probes), probes)
    named = named or _named([[replace(f, predict=way)] * always for f in FAULTS for way in f.variants], probes)
    named = named or _named([[fault] * always for fault in fitted(wrong[0].question, wrong[0].answer)], probes)
    return named or Diagnosis(departs=departure(target, probes, terms))


# ------------------------------------------------------------------------------------------------------------- layouts


def layout_of(target: Target, cases: Iterable[Case], terms: Terms, deadline: float = math.inf) -> Layout | None:
    """The layout in which an implementation agrees, if it is another one than what is said of it.

    At the deadline, none is tried any more that differs in several ways.
    """
    some = list(cases)
    for names in _OTHERWISE:
        if len(names) > 1 and time.monotonic() > deadline:
            break
        layout = terms.layout.otherwise(*names)
        if _all_agree(examine(target, case, replace(terms, layout=layout)) for case in some):
            return layout
    return None


def _all_agree(outcomes: Iterable[Outcome]) -> bool:
    """Whether the first agrees, and nothing disagrees, each at the first attempt; up to the first that does not."""
    for number, outcome in enumerate(outcomes):
        if outcome.faulty or outcome.missed or (number == 0 and outcome.kind != "agrees"):
            return False
    return True


# ------------------------------------------------------------------------------------------------------------ matching


_Candidate: TypeAlias = Sequence[Fault | None]
"""A fault, or what a relation is to each of several questions: None where it is none."""


def _candidates(probes: Sequence[Probe]) -> list[_Candidate]:
    """The catalogue, and the relations that a question has."""
    relations = [{fault.id: fault for fault in relations_of(probe.question)} for probe in probes]
    words = dict.fromkeys(id_ for there in relations for id_ in there)
    return [*([fault] * len(probes) for fault in FAULTS), *([there.get(id_) for there in relations] for id_ in words)]


def _named(candidates: Sequence[_Candidate], probes: Sequence[Probe]) -> Diagnosis | None:
    """The candidate that shows on most questions, and those that do on as many; of the catalogue, if one is."""
    shows = [_shows(candidate, probes) for candidate in candidates]
    best = max(shows, default=0)
    if best == 0:
        return None
    found = {f.id: f for f in (next(filter(None, c)) for c, n in zip(candidates, shows, strict=True) if n == best)}
    first, *alike = found.values()
    of_field = {fault.id for fault in FAULTS}
    return Diagnosis(first, tuple(f for f in alike if f.id in of_field or first.id not in of_field), best)


def _shows(faults: _Candidate, probes: Sequence[Probe]) -> int:
    """On how many questions a fault shows, if it predicts what was answered; 0 if it does not.

    A relation that is about a layer is another one for each question, or none.
    """
    count, kinds = 0, _kinds(probes[0])
    for fault, probe in zip(faults, probes, strict=True):
        if probe.right and _kinds(probe) != kinds:
            continue  # it may be in a loss or an activation that is not there
        predicted = probe.laid_out({} if fault is None else fault.predict(probe.question) or {})
        if not all(near(probe, name, values, predicted) for name, values in probe.answer.items()):
            return 0
        count += any(visible(probe, name, predicted) for name in probe.answer)
    return count


def _kinds(probe: Probe) -> tuple[type[object], frozenset[type[object]]]:
    network = probe.question.network
    return type(network.loss_function), frozenset(map(type, network.layers))
