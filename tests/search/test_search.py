"""The search: in order and reproducible, whoever asks; and down to the smallest question that fails alike."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Verbosity, given, settings
from hypothesis import strategies as st

import refnn
from refnn.arithmetic.precision import precision_named
from refnn.search.drawing import Drawn, drawn, usual_networks
from refnn.search.examining import Terms
from refnn.search.search import Failure, Found, _block_seed, _examined, explore, key, questions, shrink, simplify
from refnn.search.target import Layout
from refnn.strategies import Case, networks

PRECISION = precision_named("float64")
TERMS = Terms(precision=PRECISION, layout=Layout(), failure_probability=1e-12, time_limit=None, deterministic=False)
SMALL = drawn(networks(activations=[refnn.Tanh()], losses=[refnn.SquaredError()]), None, None, PRECISION)


def right(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
    return network.loss_and_gradient(w, x, y)


def wrong_for_two_layers(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
    loss, gradient = network.loss_and_gradient(w, x, y)
    return loss, -gradient if len(network.names()) > 2 else gradient


def quiet(what: str, done: int, of: int) -> None:
    pass


def explored(target: Any, number: int = 20, **changed: Any) -> Found:
    options: dict[str, Any] = {"deadline": None, "executor": None, "workers": 1, "progress": quiet} | changed
    return explore(target, questions(SMALL, number, seed=3), TERMS, examples=number, **options)


# ------------------------------------------------------------------------------------------------------------ questions


def marks(strategy: Any, number: int, seed: int) -> list[bytes]:
    return [key(question.case) for question in questions(strategy, number, seed)]


def test_a_seed_gives_the_same_questions_and_another_one_others() -> None:
    assert marks(SMALL, 12, 0) == marks(SMALL, 12, 0)
    assert marks(SMALL, 12, 0) != marks(SMALL, 12, 1)
    assert len(set(marks(SMALL, 40, 0))) == 40
    assert marks(SMALL, 40, 0)[:12] == marks(SMALL, 12, 0)


def test_they_are_the_same_whatever_the_user_has_imported(tmp_path: Path) -> None:
    """Hypothesis draws constants that it finds in the modules of the user."""
    (tmp_path / "mine.py").write_text("X = (137, 255, 1024, 4097, 12345, 33333, 54321, 65000)\n")
    code = """
        import hashlib, sys
        if len(sys.argv) > 1: import mine
        from refnn.arithmetic.precision import precision_named
        from refnn.search.drawing import drawn, usual_networks
        from refnn.search.search import key, questions
        some = questions(drawn(usual_networks(), None, None, precision_named("float64")), 120, 0)
        print(hashlib.sha256(b"".join(key(question.case) for question in some)).hexdigest())
    """
    digests = {
        subprocess.run(  # noqa: S603 - our own Python
            [sys.executable, "-c", textwrap.dedent(code), *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
            capture_output=True,
            check=True,
        ).stdout
        for words in ([], ["with"])
    }
    assert len(digests) == 1


def test_questions_are_drawn_in_blocks() -> None:
    """Of a hundred thousand, which would take minutes, one."""
    begin = time.monotonic()
    assert len(list(islice(questions(SMALL, 100_000, 0), 3))) == 3
    assert time.monotonic() - begin < 30


def test_what_goes_wrong_in_a_strategy_is_raised_where_questions_are_asked_for() -> None:
    def fail(network: refnn.Network) -> Any:
        raise FileNotFoundError("samples.csv")

    with pytest.raises(FileNotFoundError, match="samples"):
        list(questions(drawn(usual_networks(), fail, None, PRECISION), 3, 0))


def test_there_may_be_fewer_questions_than_were_asked_for() -> None:
    one = drawn(refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError()), 1, st.sampled_from([0.0, 1.0]), PRECISION)
    found = marks(one, 100, 0)
    assert 8 < len(found) == len(set(found)) <= 2**4  # two parameters, a number and its target


@pytest.mark.parametrize("quiet_", [Verbosity.normal, Verbosity.verbose])
def test_a_profile_says_nothing_of_the_search(quiet_: Verbosity, capsys: pytest.CaptureFixture[str]) -> None:
    settings.register_profile("loud", verbosity=quiet_, print_blob=True)
    before = settings.get_current_profile_name()
    settings.load_profile("loud")
    try:
        assert len(marks(SMALL, 3, 0)) == 3
    finally:
        settings.load_profile(before)
    assert capsys.readouterr() == ("", "")


# --------------------------------------------------------------------------------------------------------------- asking


def test_all_that_is_right_agrees_and_is_counted() -> None:
    told = list[tuple[str, int, int]]()
    found = explored(right, progress=lambda *words: told.append(words))
    assert found.failure is None
    assert found.asked == found.judged == sum(found.streams.values()) == 20
    assert 0 < found.worst_ratio <= 1
    assert told == [("asking", k, 20) for k in range(1, 21)]


def test_the_first_that_is_wrong_ends_it() -> None:
    found = explored(wrong_for_two_layers)
    assert found.failure is not None
    drawn_ones = list(questions(SMALL, 20, seed=3))
    first = next(k for k, question in enumerate(drawn_ones) if len(question.case.network.names()) > 2)
    assert first == found.asked - 1
    assert key(found.failure.drawn.case) == key(drawn_ones[first].case)


@pytest.mark.unmeasured
@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_it_is_the_same_whatever_the_number_of_workers(kind: Callable[[int], Executor], workers: int) -> None:
    alone = explored(wrong_for_two_layers)
    with kind(2) as executor:
        together = explored(wrong_for_two_layers, executor=executor, workers=workers)
    assert alone.failure is not None
    assert together.failure is not None
    assert key(together.failure.drawn.case) == key(alone.failure.drawn.case)
    assert together.kinds == alone.kinds
    assert together.worst_ratio == alone.worst_ratio


def test_all_are_asked_by_workers_too() -> None:
    with ThreadPoolExecutor(2) as executor:
        assert explored(right, executor=executor, workers=2).kinds == explored(right).kinds


def test_a_target_that_cannot_be_sent_is_refused_before_work_starts() -> None:
    with ProcessPoolExecutor(1) as executor, pytest.raises(refnn.SettingError, match="cannot be sent to the workers"):
        explored(lambda *question: right(*question), executor=executor)


def ends(*_: Any) -> object:
    os._exit(3)


def test_a_worker_that_ends_is_a_crash() -> None:
    """Neither how it ended nor which of those that are asked at once did it is known."""
    with ProcessPoolExecutor(1) as executor:
        found = explored(ends, executor=executor)
    assert found.failure is not None
    assert found.failure.outcome.kind == "killed"
    assert "a worker that asked it, or one beside it, has ended" in found.failure.outcome.said


class Ended(Executor):
    """Does what is submitted at once, but for a question; after that it is broken, as a pool whose worker ended is."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        if self.submitted > 2:
            raise BrokenExecutor("all have ended")
        future: Future[Any] = Future()
        if self.submitted == 2:
            future.set_exception(BrokenExecutor("one has ended"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


@pytest.mark.parametrize("workers", [1, 3])
def test_after_a_worker_has_ended_nothing_is_submitted(workers: int) -> None:
    found = explored(right, executor=Ended(), workers=workers)
    assert found.failure is not None
    assert (found.failure.outcome.kind, found.asked) == ("killed", 1)
    assert found.failure.outcome.said.endswith("has ended: one has ended")


def test_an_executor_that_is_closed_is_refused() -> None:
    with ThreadPoolExecutor(1) as executor:
        pass
    with pytest.raises(refnn.SettingError, match="Pass one that is open"):
        explored(right, executor=executor)


def test_a_case_may_be_no_question() -> None:
    """Where all of its classes have no weight."""
    loss = refnn.SoftmaxCrossEntropy(reduction="weights", class_weights=(0, 1))
    case = Case(refnn.Network(refnn.Dense(1, 2), loss=loss), np.ones(4), np.ones((1, 1)), np.array([0]))
    assert _examined(right, case, TERMS, twice=False).kind == "skipped"


def test_what_was_not_drawn_is_made_simpler_too() -> None:
    """It stands in no block of Hypothesis, which could make it simpler; others are drawn, and its numbers left out."""
    network = refnn.Network(refnn.Dense(1, 1), refnn.Tanh(), refnn.Dense(1, 2), loss=refnn.SquaredError())
    case = Case(network, np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), np.array([[0.7]]), np.array([[0.8, 0.9]]))
    outcome = _examined(wrong_for_two_layers, case, TERMS, twice=False)
    first = Failure(Drawn(case, "extreme"), outcome)
    last = shrink(wrong_for_two_layers, SMALL, 3, first, TERMS, deadline=time.monotonic() + 20, progress=quiet)
    assert np.count_nonzero(last.drawn.case.w) < 6


def test_seeds_that_are_alike_give_other_blocks() -> None:
    """`random.Random` makes the same of 20 and 20 + 19·2³²."""
    assert len({_block_seed(seed, number) for seed in range(40) for number in range(40)}) == 1600


def test_so_many_simpler_ones_are_sought_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refnn.search.search._SIMPLER", 5)
    told: list[tuple[str, int, int]] = []
    found = explored(wrong_for_two_layers)
    assert found.failure is not None
    shrink(
        *(wrong_for_two_layers, SMALL, 3, found.failure, TERMS),
        deadline=time.monotonic() + 100,
        progress=lambda *what: told.append(what),
    )
    assert told == [("shrinking", k, 0) for k in range(1, 6)]


@pytest.mark.parametrize(("work", "least", "most"), [(0, 1, 1), (100, 2, 60)])
def test_of_so_many_numbers_simpler_ones_are_sought_at_most(
    monkeypatch: pytest.MonkeyPatch, work: int, least: int, most: int
) -> None:
    """By the work, not by the time: every machine finds the same."""
    monkeypatch.setattr("refnn.search.search._WORK", work)
    told: list[tuple[str, int, int]] = []
    found = explored(wrong_for_two_layers)
    assert found.failure is not None
    shrink(
        *(wrong_for_two_layers, SMALL, 3, found.failure, TERMS),
        deadline=time.monotonic() + 100,
        progress=lambda *what: told.append(what),
    )
    assert least <= len(told) <= most


def test_after_the_time_is_over_nothing_is_asked() -> None:
    assert explored(right, deadline=time.monotonic() - 1).asked == 0


class Counting(Executor):
    """Does what is submitted at once, and counts it."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_workers_are_given_no_more_than_they_can_do() -> None:
    executor = Counting()
    found = explored(wrong_for_two_layers, executor=executor, workers=3)
    assert executor.submitted <= 1 + found.asked + 6  # one to see that the target can be sent; six wait at once


# ------------------------------------------------------------------------------------------------------------ shrinking


def failing(target: Any, strategy: Any = SMALL, number: int = 60) -> Failure:
    found = explore(
        target,
        questions(strategy, number, seed=3),
        TERMS,
        examples=number,
        deadline=None,
        executor=None,
        workers=1,
        progress=quiet,
    )
    assert found.failure is not None
    return found.failure


def shrunk(target: Any, strategy: Any = SMALL, number: int = 60, seconds: float = 20) -> Failure:
    deadline = time.monotonic() + seconds
    return shrink(target, strategy, 3, failing(target), TERMS, deadline=deadline, progress=quiet)


def wrong_if_wide(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
    """With three samples at least, and a layer from two or more to three or more."""
    loss, gradient = network.loss_and_gradient(w, x, y)
    wide = any(len(s) == 2 and s[0] >= 2 and s[1] >= 3 for s in network.names().values())
    return loss * (2 if wide and len(x) >= 3 else 1), gradient


def test_the_smallest_question_is_found() -> None:
    case = shrunk(wrong_if_wide).drawn.case
    assert case.network.names() == {"0.weight": (2, 3), "0.bias": (3,)}
    assert case.x.shape == (3, 2)
    numbers = np.concatenate([case.w, case.x.ravel(), np.ravel(case.y)])
    assert np.count_nonzero(numbers) == 1  # with one number, the loss is not 0


def test_after_the_time_is_over_nothing_simpler_is_sought() -> None:
    first = failing(wrong_for_two_layers)
    last = shrunk(wrong_for_two_layers, seconds=-1)
    assert key(last.drawn.case) == key(first.drawn.case)


def crashes_if_wide(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
    """Wrong, but for wide layers, where it stops."""
    if max(n for shape in network.names().values() for n in shape) > 4:
        raise ZeroDivisionError
    return -1.0, network.loss_and_gradient(w, x, y)[1]


def test_it_fails_as_the_first_one_did() -> None:
    first = failing(crashes_if_wide)
    assert shrunk(crashes_if_wide).outcome.kind == first.outcome.kind


def test_a_smaller_question_is_one_of_those_that_were_declared() -> None:
    """Widths are multiples of 16, samples 4."""
    declared = networks(widths=(16, 32, 48, 64), activations=[refnn.ReLU()], losses=[refnn.SquaredError()])
    strategy = drawn(declared, 4, None, PRECISION)

    def wrong(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        return {"loss": network.loss(w, x, y) + 1}

    deadline = time.monotonic() + 20
    case = shrink(wrong, strategy, 3, failing(wrong, strategy, 9), TERMS, deadline=deadline, progress=quiet).drawn.case
    assert case.network.names() == {"0.weight": (16, 32), "0.bias": (32,)}
    assert case.x.shape == (4, 16)
    assert not case.w.any()


def test_numbers_are_rounded_and_then_left_out() -> None:
    network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    case = Case(network, np.array([0.123, 2.346, -0.4]), np.array([[3.456, -7.0]]), np.array([[0.2]]))
    seen = list[Case]()

    def fails(other: Case) -> bool:
        seen.append(other)
        return bool(other.w[1] > 2.3)

    simplify(case, fails)
    last = [other for other in seen if other.w[1] > 2.3][-1]
    assert last.w.tolist() == [0, 2.35, 0]  # 2 and 2.3 are too small
    assert not last.x.any()
    assert not np.asarray(last.y).any()


def test_whole_numbers_are_not_rounded_anew() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    seen = list[Case]()

    def fails(other: Case) -> bool:
        seen.append(other)
        return False

    simplify(Case(network, np.array([1.0, 0]), np.array([[2.0]]), np.array([[0.0]])), fails)
    each, alone = ([0, 0], [[2]]), ([1, 0], [[0]])
    assert [(case.w.tolist(), case.x.tolist()) for case in seen] == [each, each, alone, alone]


# ---------------------------------------------------------------------------------------------------- in another's test


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 100))
def test_it_may_be_part_of_a_test_of_hypothesis(seed: int) -> None:
    assert len(list(questions(SMALL, 3, seed))) == 3
    assert failing(wrong_for_two_layers).outcome.kind == "disagrees"


def test_a_case_is_known_by_its_network_and_all_numbers() -> None:
    (question,) = islice(questions(SMALL, 5, 0), 1)
    case: Any = question.case

    def others() -> Iterator[Case]:
        yield case._replace(w=case.w + 1)
        yield case._replace(x=case.x + 1)
        yield case._replace(y=case.y + 1)
        yield case._replace(network=refnn.Network(*case.network.layers, loss=refnn.Huber()))

    assert key(case) == key(case._replace(w=case.w.copy()))
    assert key(case) not in {key(other) for other in others()}
    assert isinstance(question, Drawn)
