"""`refnn.check`: whether an implementation is right, on the smallest question where it is not, and why."""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import currently_in_test_context
from hypothesis.strategies import SearchStrategy

from refnn.arithmetic.precision import PrecisionLike, precision_named
from refnn.checks import callback, count, instance, positive, shown
from refnn.errors import SettingError
from refnn.network import Network
from refnn.oracle.budget import FAILURE_PROBABILITY, checked_probability
from refnn.search import kept as stored
from refnn.search.departure import unsteady
from refnn.search.diagnosis import Diagnosis, diagnose, layout_of
from refnn.search.drawing import Batches, Drawn, drawn, known_networks, usual_networks, with_extremes
from refnn.search.examining import Progress, Terms, examine
from refnn.search.report import Report, verdict_of
from refnn.search.search import Failure, Found, explore, questions, shrink
from refnn.search.target import Layout
from refnn.search.targets.known import target_of

__all__ = ["check", "progress_shown"]

_SHRINKING, _STOPPED, _NAMING = 30.0, 2.0, 20.0
"""Seconds, at most, that are spent on a simpler question that is answered wrongly, on one that is not answered, and on
asking others for the diagnosis."""


def check(
    target: object,
    *,
    precision: PrecisionLike | None = None,
    networks: Network | SearchStrategy[Network] | None = None,
    batches: Batches | None = None,
    values: SearchStrategy[float] | None = None,
    layout: Layout | None = None,
    examples: int = 250,
    seconds: float | None = None,
    seed: int = 0,
    time_limit: float | None = 60,
    deterministic: bool = False,
    executor: Executor | None = None,
    workers: int = 2,
    keep: str | Path | None = ".refnn",
    failure_probability: float = FAILURE_PROBABILITY,
    progress: Progress | None = None,
) -> Report:
    """Search for the smallest question that an implementation gets wrong, and say why.

    Parameters
    ----------
    target
        The implementation: a function ``f(network, w, x, y)`` that returns (loss, gradient), or a mapping with any of
        outputs, loss, gradient and input_gradient; a pair of a PyTorch module and its loss; or one of
        `refnn.targets`. It gets arrays of its own, of the format that is checked.
    precision
        ``"float64"``, ``"float32"``, ``"bfloat16"``, ``"float16"``, a dtype of these, or a `refnn.Precision`; that of
        the target, or else float64, if none is given.
    networks
        One network, of which only the numbers vary; or a strategy (`refnn.testing.networks`). By default those of the
        target, or else all layers and losses with their usual settings.
    batches
        How many samples; a strategy for that; or a function that gives a strategy of batches (x, y) for a network.
    values
        Where the numbers come from; several sources, if it is not said.
    layout
        How the implementation lays out its arrays, if not as refnn does.
    examples
        How many questions.
    seconds
        After so long, no other question is drawn. One that failed until then is made simpler for up to 30 seconds (2,
        if it was not answered, or in a test of Hypothesis, which fails many times), and others are asked for the
        diagnosis for up to 20.
    seed
        Of the questions: with the same seed and version of Hypothesis they are the same, whatever the number of
        workers, and so is the one in the report, unless these seconds are too short. (Hypothesis looks for constants in
        the user's code: a strategy for `networks`, `batches` or `values` may draw others when that has changed.)
    time_limit
        So many seconds an answer may take; None for ever. A target that ends itself, as `refnn.targets.Command` does,
        keeps a limit of its own in place of this one.
    deterministic
        Whether an answer that differs from one time to the next is wrong, though each is within its bounds.
    executor, workers
        Any `concurrent.futures.Executor` that asks several questions at once, and how many.
    keep
        The folder in which a question that fails is kept, to be asked first the next time; None to keep none.
    failure_probability
        With which an honest implementation may be found to disagree, in all questions together.
    progress
        A function that is told what is done (``"asking"``, ``"shrinking"``, ``"naming"``), how much of it, and of how
        much. By default that is shown on a terminal.

    Returns
    -------
    Report

    Raises
    ------
    SettingError
        If a setting is of another kind, the target is none, or cannot be sent to the workers.

    Examples
    --------
    >>> import refnn
    >>> def mine(network, w, x, y):
    ...     loss, gradient = network.loss_and_gradient(w, x, y)
    ...     return loss, len(x) * gradient
    >>> report = refnn.check(mine, keep=None)
    >>> report.verdict, report.diagnosis.fault.id
    ('disagrees', 'L3')
    """
    begin = time.monotonic()
    asked = target_of(target)
    examples, workers = count("examples", examples), count("workers", workers)
    _check_drawing(seed, seconds, values)
    if not isinstance(deterministic, bool):
        raise SettingError(f"deterministic is {shown(deterministic)}", "it is so or not", "Pass True or False")
    seed = int(seed)
    if executor is not None:
        instance("executor", executor, ("submit",), "Pass a concurrent.futures.Executor")
    callback("progress", progress, "it is told what is done, how much, and of how much")
    of, samples = _about(asked, networks, batches)
    answers = examples + examples // 8 + 3  # some are asked twice, and one is kept
    share = checked_probability(failure_probability) / answers
    terms = _terms(asked, precision, layout, share, time_limit, deterministic=deterministic)
    strategy = drawn(of, samples, values, terms.precision)
    more = 0 if values is not None or callable(samples) else examples // 10
    place = stored.place_of(keep, asked, (of, samples, values), terms)
    with progress_shown(progress) as tell:
        found, again = Found(), stored.recall(place, terms)
        if again is not None:
            found.take(again, examine(asked, again.case, terms, twice=True))
        if found.failure is None:
            if again is not None:
                stored.forget(place)
            found = explore(
                asked,
                with_extremes(questions(strategy, examples - more, seed), more, terms.precision),
                terms,
                examples=examples,
                deadline=None if seconds is None else begin + seconds,
                executor=executor,
                workers=workers,
                progress=tell,
            )
        failure, diagnosis = found.failure, None
        if failure is not None and failure.outcome.kind != "killed":  # which it may do to this program, too
            if failure.drawn.stream != "kept" and failure.outcome.kind != "hung":  # simpler ones might take as long
                answered = failure.outcome.comparison is not None and not currently_in_test_context()
                end = time.monotonic() + (_SHRINKING if answered else _STOPPED)
                failure = shrink(asked, strategy, seed, failure, terms, deadline=end, progress=tell)
            stored.retain(place, failure.drawn)
            diagnosis = _diagnosed(asked, found.failure, failure, strategy, seed, terms, tell)
    return Report(
        verdict_of(found),
        found,
        failure,
        diagnosis,
        terms.precision,
        failure_probability,
        terms.layout,
        seed,
        time.monotonic() - begin,
    )


def _check_drawing(seed: int, seconds: float | None, values: object) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise SettingError(f"seed is {shown(seed)}", "questions are drawn from a whole number", "Pass a whole number")
    if seconds is not None:
        positive("seconds", seconds)
    if values is not None and not isinstance(values, SearchStrategy):
        raise SettingError(
            f"values is {shown(values)}",
            "numbers are drawn from a strategy",
            "Pass hypothesis.strategies.floats(-1, 1), say, or sampled_from([…])",
        )


def _about(
    asked: Any, networks: Network | SearchStrategy[Network] | None, batches: Batches | None
) -> tuple[Network | SearchStrategy[Network], Batches | None]:
    """What a target is asked about, and of how many samples: what is said, or else what it knows."""
    of, samples = networks if networks is not None else getattr(asked, "networks", None), batches
    known = getattr(asked, "capabilities", None)
    if known is not None:
        of_known, few = known_networks(known)
        of, samples = of_known if of is None else of, few if samples is None else samples
    if of is None:
        of = usual_networks()
    if not isinstance(of, Network | SearchStrategy):
        raise SettingError(
            f"networks is {shown(of)}",
            "questions are about one network, or drawn from a strategy",
            "Pass a refnn.Network, or refnn.testing.networks(activations=[…], losses=[…])",
        )
    if callable(samples):
        _takes_a_network(samples)
    elif samples is not None and not isinstance(samples, SearchStrategy):
        samples = _samples(samples)
    return of, samples


def _samples(batches: Any) -> int:
    try:
        return count("batches", batches)
    except SettingError as error:
        remedy = f"{error.remedy}, a strategy for it, or a function that gives a strategy of (x, y) for a network"
        raise SettingError(error.given, error.why, remedy) from error


def _takes_a_network(batches: Callable[..., Any]) -> None:
    try:
        inspect.signature(batches).bind(None)
    except TypeError as error:
        raise SettingError(
            f"batches is {shown(batches)}",
            f"it is called with a network ({error})",
            "Pass a function of one argument, which gives a strategy of (x, y)",
        ) from error


def _terms(
    asked: Any,
    precision: PrecisionLike | None,
    layout: Layout | None,
    failure_probability: float,
    time_limit: float | None,
    *,
    deterministic: bool,
) -> Terms:
    arrays = layout if layout is not None else getattr(asked, "layout", None) or Layout()
    if not isinstance(arrays, Layout):
        raise SettingError(f"layout is {shown(arrays)}", "it says how arrays are laid out", "Pass a refnn.Layout")
    if time_limit is not None:
        time_limit = float(min(positive("time_limit", time_limit), threading.TIMEOUT_MAX))
    does = precision_named(precision if precision is not None else getattr(asked, "precision", "float64"))
    known = getattr(asked, "capabilities", {}).get("precisions", [does.storage])
    if does.storage not in known:
        raise SettingError(
            f"precision is {does.storage!r}", "the program does not know it", f"Choose one of {', '.join(known)}"
        )
    return Terms(
        precision=does,
        layout=arrays,
        failure_probability=failure_probability,
        time_limit=time_limit,
        deterministic=deterministic,
    )


def _diagnosed(
    asked: Any,
    first: Failure | None,
    smallest: Failure,
    strategy: SearchStrategy[Drawn],
    seed: int,
    terms: Terms,
    progress: Progress,
) -> Diagnosis | None:
    """What a wrong answer is; of no answer, whether there is one in another layout."""
    kind, case = smallest.outcome.kind, smallest.drawn.case
    if kind == "nondeterministic":
        said = unsteady(asked, [case], terms)
        return Diagnosis(departs=said) if said else None
    if kind not in ("disagrees", "garbage", "crashed"):
        return None
    plain = ("ordinary", "seeded", "given")  # others may show another fault beside
    some = (q.case for q in questions(strategy, _PROBES, seed + 1) if q.stream in plain)
    others = sorted((c for c in some if c.network.size <= _LARGE), key=lambda c: c.network.size)
    others = [c for c in others if c.network.size <= _SMALL] or others[:_FEW]
    if kind != "disagrees":
        if examine(asked, case, terms).kind not in ("crashed", "garbage"):
            return Diagnosis(departs="Asked once more, it answers: what does a call leave behind, or is random?")
        layout = layout_of(asked, [case, *others], terms, time.monotonic() + _ASKING)
        return None if layout is None else Diagnosis(layout=layout)
    if case.network.size > _LARGE:
        return Diagnosis(departs="The network is too large to hold it against all faults: ask about a smaller one.")
    cases = [case]
    if first is not None and first.drawn.case.network.size <= _SMALL and first.drawn is not smallest.drawn:
        cases.append(first.drawn.case)
    return diagnose(asked, cases, others, terms, deadline=time.monotonic() + _NAMING, progress=progress)


_PROBES, _FEW = 30, 4
"""So many other questions are asked to tell faults apart, and so many if all are large."""

_ASKING = 5.0
"""Seconds, at most, in which one who does not answer is asked in layouts that differ in several ways."""

_SMALL, _LARGE = 500, 20_000
"""Questions of more parameters are large, and those of more are not held against all faults."""


@contextlib.contextmanager
def progress_shown(progress: Progress | None) -> Iterator[Progress]:
    """What is told of the progress: by the function that was given, or on a terminal after a second."""
    begin, written = time.monotonic(), False

    def line(what: str, done: int, of: int) -> None:
        nonlocal written
        if sys.stderr.isatty() and time.monotonic() - begin > 1:
            written = True
            sys.stderr.write(f"\r\x1b[Krefnn: {what}, {done}{f' of {of}' if of else ''}")
            sys.stderr.flush()

    try:
        yield line if progress is None else progress
    finally:
        if written:
            sys.stderr.write("\r\x1b[K")
