"""What `refnn.check` found, for people and for programs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, final

import hypothesis
import numpy as np

from refnn import __version__
from refnn.arithmetic.precision import Precision
from refnn.checks import shown
from refnn.errors import SettingError
from refnn.oracle import SEMANTICS
from refnn.oracle.budget import MODEL
from refnn.oracle.comparison import Compared, Judged
from refnn.search.diagnosis import Diagnosis
from refnn.search.faults import PAGES
from refnn.search.search import Failure, Found
from refnn.search.target import Layout
from refnn.search.written import as_code, network_in_json, numbers_in_json

__all__ = ["MOSTLY", "Report", "Reveal", "Verdict"]

Verdict: TypeAlias = Literal["agrees", "disagrees", "undecided", "broken"]

Reveal: TypeAlias = Literal["verdict", "where", "relation", "fault", "everything"]
"""How much a report says: each says what those before it say, and more."""

_LEVELS: tuple[Reveal, ...] = ("verdict", "where", "relation", "fault", "everything")

_MANY = 1000
"""Of more numbers, a report does not print each."""

MOSTLY = 0.5
"""If less than this share of the answers agrees, nothing is said of the implementation as a whole."""


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Report(Judged):
    """What `refnn.check` found.

    Attributes
    ----------
    verdict
        ``"disagrees"`` if an answer is wrong, or differs from one time to the next; ``"broken"`` if there is none;
        ``"undecided"`` if too few questions could be judged; else ``"agrees"``.
    found
        What came of all questions.
    failure
        The smallest question found that is answered wrongly, and what came of it; None if all agree.
    diagnosis
        What it is; None if there is no wrong answer.
    precision
        The implementation that is allowed for.
    failure_probability
        With which an honest one is found to disagree, in all questions together.
    layout
        How the implementation lays out its arrays.
    seed
        With which they were drawn.
    seconds
        How long it took.
    """

    verdict: Verdict
    found: Found
    failure: Failure | None
    diagnosis: Diagnosis | None
    precision: Precision
    failure_probability: float
    layout: Layout
    seed: int
    seconds: float

    @property
    def worst_ratio(self) -> float:
        """The largest |error|/bound: of the failure, or else of all questions."""
        comparison = None if self.failure is None else self.failure.outcome.comparison
        return self.found.worst_ratio if comparison is None else comparison.worst_ratio

    def __repr__(self) -> str:
        """The verdict, and on how many questions it rests."""
        return f"<Report: {self._verdict()}>"

    def __str__(self) -> str:
        """All of it."""
        return self.text()

    def text(self, reveal: Reveal = "everything") -> str:
        """The report, or as much of it as a student should be told.

        Parameters
        ----------
        reveal
            ``"verdict"``: whether it agrees; ``"where"``: and in what field or parameter, of which layers, it does not;
            ``"relation"``: and a question that leads to the cause; ``"fault"``: and what the fault is, in words;
            ``"everything"``: and all numbers. Below that no value, bound, formula or seed is told.

        Raises
        ------
        SettingError
            If it is none of these.
        """
        if reveal not in _LEVELS:
            raise SettingError(
                f"reveal is {shown(reveal)}",
                "a report has five levels",
                f"Choose one of {', '.join(map(repr, _LEVELS))}",
            )
        if reveal == "everything":
            return "\n".join(self._everything())
        lines, level = [f"{self.verdict}."], _LEVELS.index(reveal)
        if self.failure is not None and level >= 1:
            lines.append(self._where(self.failure))
        if self.diagnosis is not None:
            fault = self.diagnosis.fault
            if level >= 2 and self.diagnosis.layout is not None:
                lines.append("In what order do you keep the elements of your arrays?")
            elif level >= 2:
                lines.append("What does each step of yours do on paper?" if fault is None else fault.hint)
            if level >= 3 and fault is not None:
                lines.append(fault.plain)
        return "\n".join(lines)

    def _where(self, failure: Failure) -> str:
        outcome = failure.outcome
        if outcome.comparison is None or outcome.kind == "nondeterministic":
            return {
                "crashed": "It stops with an error.",
                "killed": "It ends the program that asks it.",
                "hung": "It does not answer in time.",
                "garbage": "What it returns is no answer.",
                "mutated": "It changes its arguments.",
                "nondeterministic": "It answers the same question otherwise from time to time.",
            }[outcome.kind]
        wrong = [part.name for part in outcome.comparison.parts if part.verdict == "disagrees"]
        kinds = " → ".join(type(layer).__name__ for layer in failure.drawn.case.network.layers)
        loss = type(failure.drawn.case.network.loss_function).__name__
        return f"Wrong: {', '.join(wrong)}. The layers are {kinds}, the loss is {loss}."

    # --------------------------------------------------------------------------------------------------- everything

    def _verdict(self) -> str:
        asked = f"{self.found.asked} questions"
        if self.verdict == "agrees":
            return f"agrees on {asked}: the largest error is {_share(self.worst_ratio)} of its bound"
        if self.verdict == "undecided":
            return (
                f"undecided: of {asked}, {self.found.kinds['agrees']} are answered rightly, the others cannot be judged"
            )
        outcome = None if self.failure is None else self.failure.outcome
        if outcome is None or outcome.comparison is None or outcome.kind != "disagrees":
            return f"{self.verdict}: {'' if outcome is None else outcome.said}"
        return f"disagrees: {_off(outcome.comparison.worst)}"

    def _everything(self) -> list[str]:
        lines = [self._verdict()]
        if self.failure is not None:
            case, comparison = self.failure.drawn.case, self.failure.outcome.comparison
            if comparison is not None:
                lines += [f"  {part.name}{part.worst}" for part in comparison.parts if part.verdict == "disagrees"]
            count = case.w.size + case.x.size + np.size(case.y)
            code = as_code(*case).splitlines()
            if count > _MANY:
                code[-3:] = [f"# {count} numbers: --json prints them, and report.as_json() has them"]  # of w, x and y
            lines += ["", "on:", *(f"  {line}" for line in code)]
            if self.layout != Layout():
                lines.append(f"  # as yours has it: refnn.{self.layout!r}.given(network, *map(np.array, (w, x, y)))")
        if self.diagnosis is not None:
            lines += ["", *str(self.diagnosis).splitlines()]
            if self.diagnosis.fault is not None:
                lines.append(f"Derivation: {PAGES[self.diagnosis.fault.page]}.")
        return [*lines, "", *self._notes(), *self._foot()]

    def _notes(self) -> list[str]:
        notes, kinds = [], self.found.kinds
        if self.failure is not None and self.failure.drawn.stream == "kept":
            notes.append("it is the question that failed the last time, and was kept")
        if self.found.unsupported:
            named = ", ".join(f"{name} ({count})" for name, count in self.found.unsupported.most_common(5))
            notes.append(f"{kinds['unsupported']} questions were not supported: {named}")
        if self.verdict == "undecided" and self.found.unsupported:
            notes.append("  say what yours knows: networks=refnn.testing.networks(activations=[…], losses=[…])")
        if kinds["undecided"]:
            notes.append(f"of {kinds['undecided']} answers a part is undecided, where zeros would pass too")
        if kinds["skipped"]:
            notes.append(f"{kinds['skipped']} questions have no truth in range")
        for kind, count in self.found.missed.items() if self.verdict != "broken" else ():
            notes.append(f"{count} times it {kind}, and answered when it was asked again")
        if self.found.spread > 0:
            by = f", by {self.found.spread:.2g} of the bound at most" if math.isfinite(self.found.spread) else ""
            notes.append(f"answers to one question differ from time to time{by}")
        return notes

    def _foot(self) -> list[str]:
        streams = ", ".join(f"{count} {name}" for name, count in sorted(self.found.streams.items()))
        judged = f"{self.found.judged} of {self.found.asked} questions judged ({streams or 'none'})"
        on = f"on {networks} networks" if (networks := len(self.found.networks)) > 1 else "on one network"
        honest = f"an honest implementation disagrees with probability {self.failure_probability:g} at most"
        return [
            f"bounds for {self.precision}",
            f"{judged}, {on}, seed {self.seed}, {self.seconds:.1f} s",
            f"{honest}, under model {MODEL}; refnn {__version__}, semantics {SEMANTICS}",
        ]

    def as_json(self) -> dict[str, Any]:
        """The report as numbers, text, lists and mappings.

        Examples
        --------
        >>> import refnn
        >>> report = refnn.check(lambda network, w, x, y: network.loss_and_gradient(w, x, y), examples=3, keep=None)
        >>> report.as_json()["verdict"]
        'agrees'
        """
        failure = None
        if self.failure is not None:
            case, outcome = self.failure.drawn.case, self.failure.outcome
            parts = () if outcome.comparison is None else outcome.comparison.parts
            failure = {
                "kind": outcome.kind,
                "said": outcome.said,
                **case_in_json(case),
                "parts": [_part(part) for part in parts],
            }
        diagnosis = None
        if self.diagnosis is not None:
            fault = self.diagnosis.fault
            diagnosis = {
                "fault": None if fault is None else fault.id,
                "what": None if fault is None else fault.what,
                "convention": None if fault is None else fault.convention or None,
                "text": str(self.diagnosis),
                "questions": self.diagnosis.questions,
            }
        return {
            "format": "refnn check",
            "refnn": __version__,
            "semantics": SEMANTICS,
            "model": MODEL,
            "verdict": self.verdict,
            "worst_ratio": self.worst_ratio if math.isfinite(self.worst_ratio) else str(self.worst_ratio),
            "precision": str(self.precision),
            "failure_probability": self.failure_probability,
            "seed": self.seed,
            "hypothesis": hypothesis.__version__,
            "questions": dict(self.found.kinds),
            "networks": len(self.found.networks),
            "unsupported": dict(self.found.unsupported),
            "missed": dict(self.found.missed),
            "failure": failure,
            "diagnosis": diagnosis,
            "seconds": self.seconds,
        }


def case_in_json(case: Any) -> dict[str, Any]:
    """A case in the words of the protocol; of layers that are not refnn's, how they are made."""
    try:
        network = network_in_json(case.network)
    except SettingError:
        network = {"network": repr(case.network)}
    return {
        **network,
        "parameters": numbers_in_json(case.w),
        "x": numbers_in_json(case.x),
        "y": numbers_in_json(np.asarray(case.y)),
    }


def _part(part: Compared) -> dict[str, Any]:
    worst = part.worst
    return {
        "name": part.name,
        "verdict": part.verdict,
        "ratio": numbers_in_json(part.ratio),
        "place": list(worst.place),
        "actual": numbers_in_json(worst.actual),
        "expected": numbers_in_json(worst.expected),
        "bound": numbers_in_json(worst.bound),
    }


def _share(ratio: float) -> str:
    """Of a bound, not rounded up to all of it."""
    return f"{ratio:.2g}" if ratio < 0.995 else "nearly all"


def _off(part: Compared) -> str:
    if math.isfinite(part.ratio):
        return f"{part.name} is off by {part.ratio:.3g} times its bound"
    how = "is off where no rounding happens" if math.isfinite(part.worst.actual) else "is not finite"
    return f"{part.name} {how}"


def verdict_of(found: Found) -> Verdict:
    """What all questions together say."""
    if found.failure is not None:
        return "disagrees" if found.failure.outcome.kind in ("disagrees", "nondeterministic") else "broken"
    return "agrees" if found.kinds["agrees"] >= max(1, MOSTLY * found.asked) else "undecided"
