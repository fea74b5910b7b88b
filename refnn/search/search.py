"""The search: many questions to an implementation, and the smallest one that it gets wrong.

Questions are drawn by Hypothesis from a seed, whatever the answers are, so that which one fails first does not depend
on how many are asked at once. The first that fails is shrunk, again by Hypothesis: the same questions are
drawn anew, those before it are known to be right, and what follows is a search for a simpler one that fails alike.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, final

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import HypothesisException
from hypothesis.strategies import SearchStrategy

from refnn.checks import shown
from refnn.errors import SettingError, TargetError
from refnn.search.drawing import Drawn
from refnn.search.examining import ATTEMPTS, Kind, Outcome, Progress, Terms, examine
from refnn.search.target import Target
from refnn.strategies import Case

__all__ = ["Failure", "Found", "explore", "key", "questions", "shrink", "simplify"]

_TWICE = 8
"""Every so many questions, one is asked twice."""


class Failure(NamedTuple):
    """A question that an implementation gets wrong.

    Attributes
    ----------
    drawn
        The question.
    outcome
        What came of it.
    """

    drawn: Drawn
    outcome: Outcome


@final
@dataclass(slots=True)
class Found:
    """What came of all questions.

    Attributes
    ----------
    kinds
        How often what came.
    streams
        How many questions of each stream were judged.
    networks
        How the different networks are made that were asked about.
    worst_ratio
        The largest |error|/bound of all that agree.
    spread
        How far two answers to one question were apart, in bounds.
    unsupported
        How often an implementation named what it does not know.
    missed
        How often it answered only when it was asked again, by what happened before.
    failure
        The first question that it gets wrong.
    """

    kinds: Counter[Kind] = field(default_factory=Counter)
    streams: Counter[str] = field(default_factory=Counter)
    networks: set[str] = field(default_factory=set)
    worst_ratio: float = 0.0
    spread: float = 0.0
    unsupported: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    failure: Failure | None = None

    @property
    def asked(self) -> int:
        """How many questions were asked."""
        return sum(self.kinds.values())

    @property
    def judged(self) -> int:
        """How many answers were held against the truth."""
        return self.kinds["agrees"] + self.kinds["undecided"] + self.kinds["disagrees"] + self.kinds["nondeterministic"]

    def take(self, drawn: Drawn, outcome: Outcome) -> bool:
        """Count what came of a question; whether it is a failure.

        So is an answer if too many before it, or it itself, were given only when they were asked for again.
        """
        for error in outcome.missed:
            self.missed[error.kind] += 1
            if self.missed[error.kind] >= ATTEMPTS[error.kind]:
                times = f"({self.missed[error.kind]} attempts, of {self.asked + 1} questions; asked again, it answers)"
                outcome = Outcome(error.kind, said=f"{error} {times}")  # type: ignore[arg-type]
        self.kinds[outcome.kind] += 1
        self.networks.add(repr(drawn.case.network))
        if outcome.kind == "unsupported":
            self.unsupported[outcome.said] += 1
        if outcome.comparison is not None:
            self.streams[drawn.stream] += 1
            self.spread = max(self.spread, outcome.spread)
        if outcome.faulty:
            self.failure = Failure(drawn, outcome)
        elif outcome.comparison is not None:
            self.worst_ratio = max(self.worst_ratio, outcome.comparison.worst_ratio)
        return outcome.faulty


def key(case: Case) -> bytes:
    """What tells a case from others: a hash of its network and of all numbers."""
    digest = hashlib.sha256(repr(case.network).encode())
    for array in (case.w, case.x, case.y):
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(array.tobytes())
    return digest.digest()


# ------------------------------------------------------------------------------------------------------------- drawing


def _run(strategy: SearchStrategy[Drawn], seed: int, phases: tuple[Phase, ...], test: Callable[[Drawn], None]) -> None:
    """Run a test of Hypothesis on a block of questions; none of its settings is that of a profile."""

    @seeded(seed)
    @settings(
        max_examples=_BLOCK,
        phases=phases,
        backend="hypothesis",
        verbosity=Verbosity.normal,
        derandomize=False,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(strategy)
    def run(drawn: Drawn) -> None:
        test(drawn)

    run()


def questions(strategy: SearchStrategy[Drawn], examples: int, seed: int) -> Iterator[Drawn]:
    """So many different questions, drawn from a seed; fewer, if there are no more.

    A block of them is drawn at once, when the first of it is asked for: nothing is drawn while a target computes, which
    may use the generators of `random` and NumPy that Hypothesis seeds meanwhile.

    Examples
    --------
    >>> from refnn.arithmetic.precision import precision_named
    >>> from refnn.search.drawing import drawn, usual_networks
    >>> strategy = drawn(usual_networks(), None, None, precision_named("float64"))
    >>> len(list(questions(strategy, 5, seed=0)))
    5
    """
    known, block, in_vain = set[bytes](), 0, 0
    while len(known) < examples and in_vain < _IN_VAIN:
        before = len(known)
        for place, question in enumerate(_block(strategy, seed, block)):
            mark = key(question.case)
            if mark not in known and len(known) < examples:
                known.add(mark)
                yield question._replace(place=(block, place))
        block, in_vain = block + 1, in_vain + 1 if len(known) == before else 0


def _block(strategy: SearchStrategy[Drawn], seed: int, number: int) -> list[Drawn]:
    """A block of questions; in a thread of its own, as this may be part of somebody else's test."""
    some = list[Drawn]()
    try:
        _apart(lambda: _run(strategy, _block_seed(seed, number), (Phase.generate,), some.append))
    except HypothesisException as error:
        raise SettingError(
            f"no question can be drawn: {type(error).__name__}: {error}",
            "they are drawn from the networks, batches and values that were given",
            "Draw from these strategies with their method example() to see what they give",
        ) from error
    return some


def _apart(do: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as thread:
        thread.submit(do).result()


def _block_seed(seed: int, number: int) -> int:
    """Hashed, as `random.Random` makes the same of seeds that are much alike: of 20 and of 20 + 19·2³²."""
    return int.from_bytes(hashlib.sha256(f"{seed}, {number}".encode()).digest()[:8])


_IN_VAIN = 3
"""After so many blocks without a question that is new, there may be no other."""

_BLOCK = 10
"""So many questions are drawn at once: after ten, Hypothesis mostly repeats parts of those that it has drawn."""


# -------------------------------------------------------------------------------------------------------------- asking


def explore(
    target: Target,
    drawn: Iterable[Drawn],
    terms: Terms,
    *,
    examples: int,
    deadline: float | None,
    executor: Executor | None,
    workers: int,
    progress: Progress,
) -> Found:
    """Ask questions until the first that fails, or all are asked, or the time is over.

    Parameters
    ----------
    target
        The implementation.
    drawn
        The questions.
    terms
        How they are asked and judged.
    examples
        How many there are, at most.
    deadline
        The value of `time.monotonic` at which no other question is begun; None for no limit.
    executor, workers
        Where questions are asked, and how many at once; in this thread, if it is None.
    progress
        Told of each question.

    Raises
    ------
    SettingError
        If the target cannot be sent to the executor's workers.
    """
    found = Found()
    with contextlib.closing(_outcomes(target, drawn, terms, deadline, executor, workers)) as outcomes:
        for index, (question, outcome) in enumerate(outcomes):
            progress("asking", index + 1, examples)
            if found.take(question, outcome):
                break
    return found


def _outcomes(
    target: Target,
    drawn: Iterable[Drawn],
    terms: Terms,
    deadline: float | None,
    executor: Executor | None,
    workers: int,
) -> Generator[tuple[Drawn, Outcome]]:
    """The questions, and what came of them, in their order."""

    def in_time() -> Iterator[tuple[int, Drawn]]:
        for index, question in enumerate(drawn):
            if deadline is not None and time.monotonic() > deadline:
                return
            yield index, question

    if executor is None:
        for index, question in in_time():
            yield question, examine(target, question.case, terms, twice=index % _TWICE == 0)
        return
    _refuse_unless_sendable(target, executor)
    waiting: deque[tuple[Drawn, Future[Outcome]]] = deque()
    ahead = in_time()
    try:
        while True:
            for index, question in islice(ahead, 2 * workers - len(waiting)):
                waiting.append(
                    (question, _submitted(executor, target, question.case, terms, twice=index % _TWICE == 0))
                )
            if not waiting:
                return
            question, future = waiting.popleft()
            yield question, _result(future)
    finally:
        for _, future in waiting:
            future.cancel()


def _submitted(executor: Executor, target: Target, case: Case, terms: Terms, *, twice: bool) -> Future[Outcome]:
    """What will come of a question; of one that is asked after a worker has ended, that this was so."""
    try:
        return executor.submit(examine, target, case, terms, twice=twice)
    except BrokenExecutor as error:
        future = Future[Outcome]()
        future.set_exception(error)
        return future


def _result(future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except BrokenExecutor as error:
        return Outcome("killed", said=f"a worker that asked it, or one beside it, has ended: {error}")


def _refuse_unless_sendable(target: Target, executor: Executor) -> None:
    try:
        sent = executor.submit(_received, target)
    except RuntimeError as error:  # as it is closed
        raise SettingError(f"executor is {shown(executor)}", str(error), "Pass one that is open") from error
    try:
        sent.result()
    except (pickle.PicklingError, AttributeError, TypeError, ImportError, BrokenExecutor) as error:
        raise SettingError(
            f"the target is {shown(target)}",
            f"it cannot be sent to the workers of {type(executor).__name__} ({error})",
            "Pass a function of a module, or an object that pickle takes",
        ) from error


def _received(target: Target) -> bool:
    return callable(target)


# ----------------------------------------------------------------------------------------------------------- shrinking


class _FailsAlikeError(Exception):
    """Raised in a test of Hypothesis by a question that fails as the first one did."""


def shrink(
    target: Target,
    strategy: SearchStrategy[Drawn],
    seed: int,
    failure: Failure,
    terms: Terms,
    *,
    deadline: float,
    progress: Progress,
) -> Failure:
    """The simplest question found that fails as a given one does.

    Parameters
    ----------
    target, terms
        As for `explore`.
    strategy, seed
        Those with which the questions were drawn.
    failure
        The one that fails.
    deadline
        The value of `time.monotonic` at which no simpler question is sought any more.
    progress
        Told of each question.
    """
    known: dict[bytes, Outcome] = {key(failure.drawn.case): failure.outcome}
    smallest, asked, work, chance = failure, 0, 0, _Chance()

    def fails(drawn: Drawn) -> bool:
        nonlocal smallest, asked, work
        mark = key(drawn.case)
        if mark not in known:
            if asked == _SIMPLER or work > _WORK or time.monotonic() > deadline:
                return False
            asked, work = asked + 1, work + len(drawn.case.x) * (1 + drawn.case.network.size)
            progress("shrinking", asked, 0)
            with chance:
                known[mark] = _examined(target, drawn.case, terms, twice=failure.outcome.kind == "nondeterministic")
        if known[mark].kind != failure.outcome.kind:
            return False
        smallest = Failure(drawn, known[mark])
        return True

    _shrunk(strategy, seed, failure.drawn, fails)
    for another in range(seed + 1, seed + 1 + _SEEDS):  # a simpler one may be where none of the steps led
        for other in questions(strategy, _OTHERS, another):
            if time.monotonic() > deadline:
                break
            if _measure(other.case) < _measure(smallest.drawn.case) and fails(other):
                _shrunk(strategy, another, other, fails)
                break
    if failure.outcome.kind == "disagrees" and failure.drawn.stream != "given":  # what stops tells most as it is
        simplify(smallest.drawn.case, lambda case: fails(smallest.drawn._replace(case=case)))
    chance.keep()
    return smallest


def _examined(target: Target, case: Case, terms: Terms, *, twice: bool) -> Outcome:
    try:
        return examine(target, case, terms, twice=twice)
    except TargetError as error:  # a simpler case may be no question: all its classes have the weight 0
        return Outcome("skipped", said=str(error))


class _Chance:
    """The generators of `random` and NumPy, as a target finds and leaves them: within Hypothesis they are seeded."""

    def __init__(self) -> None:
        self._state = self._now()

    @staticmethod
    def _now() -> tuple[Any, Any]:
        return random.getstate(), np.random.get_state()  # noqa: NPY002 - which others may use

    @staticmethod
    def _set(state: tuple[Any, Any]) -> None:
        random.setstate(state[0])
        np.random.set_state(state[1])  # noqa: NPY002 - likewise

    def __enter__(self) -> None:
        self._outside = self._now()
        self._set(self._state)

    def __exit__(self, *_: object) -> None:
        self._state = self._now()
        self._set(self._outside)

    def keep(self) -> None:
        """Leave them so from now on."""
        self._set(self._state)


_SIMPLER = 200
"""So many simpler questions are asked, at most."""

_WORK = 30_000_000
"""Of so many samples times parameters together, for which exact answers take a few seconds: unlike a limit of time, it
lets a busy machine find the same question."""

_SEEDS, _OTHERS = 2, 60
"""How often, and among how many questions, a simpler one that fails is sought elsewhere."""


def _measure(case: Case) -> tuple[int, int, int]:
    """What makes a case simple: few layers, then small dimensions, then few numbers."""
    widest = max(*case.x.shape, *(n for shape in case.network.names().values() for n in shape))
    return len(case.network.layers), widest, case.network.size + case.x.size


def _shrunk(strategy: SearchStrategy[Drawn], seed: int, first: Drawn, fails: Callable[[Drawn], bool]) -> None:
    """Let Hypothesis shrink a question, if it drew it; `fails` keeps the last that does."""
    if first.place is None:
        return
    block, number = first.place
    drawn_so_far = 0

    def test(drawn: Drawn) -> None:
        nonlocal drawn_so_far
        drawn_so_far += 1
        if drawn_so_far > number and fails(drawn):  # those before it were right
            raise _FailsAlikeError

    with contextlib.suppress(_FailsAlikeError):
        _apart(lambda: _run(strategy, _block_seed(seed, block), (Phase.generate, Phase.shrink), test))


def simplify(case: Case, fails: Callable[[Case], bool]) -> None:
    """Seek a question with simpler numbers that fails: fewer decimals, and zeros.

    Numbers that were drawn by a seed have none that Hypothesis could shrink.

    Parameters
    ----------
    case
        The question.
    fails
        Whether another does; it keeps the last that does.

    Examples
    --------
    >>> import numpy as np, refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> found = []
    >>> def fails(case):
    ...     if case.x[0, 0] > 2:
    ...         found.append(case)
    ...     return case.x[0, 0] > 2
    >>> simplify(Case(network, np.array([0.1234, 5.0]), np.array([[3.14159]]), np.array([[1.0]])), fails)
    >>> found[-1].w, found[-1].x
    (array([0., 0.]), array([[3.]]))
    """
    for decimals in range(3):
        numbers: dict[str, Any] = {
            name: np.round(getattr(case, name), decimals) + 0 for name in ("w", "x", "y")
        }  # no -0
        rounded = case._replace(**numbers)
        if key(rounded) == key(case) or fails(rounded):
            case = rounded
            break
    for name in ("w", "x", "y"):
        nothing: dict[str, Any] = {name: np.zeros_like(getattr(case, name))}
        if getattr(case, name).any() and fails(case._replace(**nothing)):
            case = case._replace(**nothing)
        places = np.argwhere(getattr(case, name) != 0).tolist()
        for place in places if len(places) <= _FEW else ():
            array = getattr(case, name).copy()
            array[tuple(place)] = 0
            simpler = case._replace(**{name: array})
            if fails(simpler):
                case = simpler


_FEW = 100
"""So many numbers, at most, are left out one by one."""
