"""`refnn.check`: what it says of right and wrong implementations, and of what it is given."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refnn
from refnn.search.diagnosis import Diagnosis
from refnn.search.examining import Kind
from refnn.search.faults import FAULTS
from refnn.search.report import Report, Reveal, verdict_of
from refnn.search.search import Found, key
from refnn.testing import networks
from tests.search import implementations as of
from tests.search.implementations import dense_layers

FEW: dict[str, Any] = {"examples": 40, "keep": None}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of simpler questions is the only limit: a busy machine finds the same."""
    monkeypatch.setattr("refnn.search.checking._SHRINKING", 1000.0)


@pytest.fixture
def brief(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a simpler question is sought nor many others are asked: both take seconds, and say nothing here."""
    monkeypatch.setattr("refnn.search.checking._SHRINKING", 0.0)
    monkeypatch.setattr("refnn.search.checking._STOPPED", 0.0)
    monkeypatch.setattr("refnn.search.checking._PROBES", 8)


def checked(target: object, **settings: Any) -> Report:
    return refnn.check(target, **{**FEW, **settings})


# ------------------------------------------------------------------------------------------------------------- verdicts


@pytest.mark.unmeasured
@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16", "float16"])
def test_a_right_implementation_agrees(precision: str) -> None:
    """refnn's own program, which in 16 bits is asked to compute in float32 and to round."""

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        if w.dtype.itemsize > 2:
            return network.evaluate(w, x, y)._asdict()
        wide = y if y.dtype.kind == "i" else y.astype(np.float32)
        fields = network.evaluate(w.astype(np.float32), x.astype(np.float32), wide)._asdict()
        return {name: np.asarray(value).astype(w.dtype) for name, value in fields.items() if name != "loss"}

    report = checked(mine, precision=precision, networks=networks(activations=[refnn.ReLU()], losses=[refnn.Huber()]))
    assert report.verdict == "agrees", report
    assert report.found.judged >= 38
    assert 0 < report.worst_ratio <= 1
    assert (report.failure, report.diagnosis) == (None, None)
    report.require()


def test_a_wrong_one_disagrees_on_the_smallest_question_and_is_named() -> None:
    report = checked(of.summed)
    assert report.verdict == "disagrees"
    assert report.failure is not None
    case = report.failure.drawn.case
    assert dense_layers(case.network) == len(case.network.layers) == 1
    assert len(case.x) == 2  # with one sample, the sum is the mean
    assert report.diagnosis is not None
    assert report.diagnosis.fault is not None
    assert report.diagnosis.fault.id == "L3"
    assert report.worst_ratio > 1
    with pytest.raises(AssertionError, match="L3"):
        report.require()


@pytest.mark.parametrize(
    ("target", "kind", "said"),
    [
        (of.crashes, "crashed", "ZeroDivisionError: by no samples.*implementations.py.*3 of 3 attempts"),
        (of.hangs, "hung", "no answer after 0.2 seconds.*2 of 2 attempts"),
        (of.talks, "garbage", "about 0.3"),
        (of.changes_w, "mutated", "w was changed"),
    ],
)
def test_what_gives_no_answer_is_broken(target: object, kind: str, said: str) -> None:
    report = checked(target, time_limit=0.2 if kind == "hung" else 60)
    assert report.verdict == "broken"
    assert report.failure is not None
    assert report.failure.outcome.kind == kind
    assert report.diagnosis is None
    with pytest.raises(AssertionError, match=f"(?s)broken: .*{said}.*refnn.Network"):
        report.require()


def test_what_knows_nothing_is_undecided() -> None:
    report = checked(of.knows_nothing)
    assert report.verdict == "undecided"
    assert "40 questions were not supported: networks (40)" in str(report)
    assert "refnn.testing.networks(activations=" in str(report)
    with pytest.raises(AssertionError, match="undecided: of 40 questions, 0 are answered rightly, "):
        report.require()


def test_what_knows_half_agrees_on_it() -> None:
    def tanh_only(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        if any(isinstance(layer, refnn.Sigmoid) for layer in network.layers):
            raise refnn.Unsupported("sigmoid")
        return of.right(network, w, x, y)

    units = [refnn.Tanh(), refnn.Sigmoid(), refnn.ReLU(), refnn.SiLU()]
    known = networks(activations=units, losses=[refnn.SquaredError()])
    report = checked(tanh_only, networks=known)
    assert report.verdict == "agrees"
    assert report.found.unsupported["sigmoid"] > 0
    assert f"{report.found.unsupported['sigmoid']} questions were not supported: sigmoid" in str(report)


def test_answers_that_waver_within_their_bounds_are_noted() -> None:
    report = checked(of.Wavering())
    assert report.verdict == "agrees"
    assert 0 < report.found.spread < 1
    assert "answers to one question differ from time to time" in str(report)


@pytest.mark.usefixtures("brief")
def test_they_are_wrong_if_they_must_not() -> None:
    report = checked(of.Wavering(), deterministic=True)
    assert report.verdict == "disagrees"
    assert report.diagnosis is None
    assert "two answers to one question are" in str(report).splitlines()[0]


# ------------------------------------------------------------------------------------------------------- what is given


def test_the_seed_gives_the_questions() -> None:
    seen: list[list[bytes]] = []
    for seed in (0, 0, 1):
        asked: list[bytes] = []

        def mine(network: refnn.Network, w: Any, x: Any, y: Any, asked: list[bytes] = asked) -> object:
            asked.append(x.tobytes())
            return of.right(network, w, x, y)

        checked(mine, seed=seed, examples=6)
        seen.append(asked)
    assert seen[0] == seen[1] != seen[2]


@pytest.mark.unmeasured
@pytest.mark.usefixtures("brief")
def test_workers_find_the_same() -> None:
    alone = checked(of.upside_down)
    with ThreadPoolExecutor(3) as executor:
        together = checked(of.upside_down, executor=executor, workers=3)
    assert alone.failure is not None
    assert together.failure is not None
    assert together.found.asked == alone.found.asked
    assert key(together.failure.drawn.case) == key(alone.failure.drawn.case)


def ends(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
    """For which `check` must not ask it in its own process."""
    os._exit(3)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_ends_its_worker_is_not_asked_elsewhere(workers: int, tmp_path: Path) -> None:
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as executor:
        report = refnn.check(ends, executor=executor, workers=workers, examples=5, keep=tmp_path)
    assert report.verdict == "broken"
    assert str(report).startswith("broken: a worker that asked it, or one beside it, has ended")
    assert report.text("where").endswith("It ends the program that asks it.")
    assert not list(tmp_path.iterdir())  # the next time it would be asked here, first of all


def test_a_target_may_use_chance_and_none_else_does() -> None:
    """It finds the generators as it left them, though Hypothesis seeds them for itself."""
    drawn_numbers = list[float]()

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        order = list(range(5))
        random.shuffle(order)
        drawn_numbers.extend((random.random(), float(np.random.rand())))  # noqa: NPY002, S311 - as others do
        return of.upside_down(network, w, x, y)

    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - likewise
    assert checked(mine).verdict == "disagrees"
    assert len(set(drawn_numbers)) == len(drawn_numbers) > 10
    assert random.random() not in drawn_numbers  # noqa: S311 - likewise
    assert float(np.random.rand()) not in drawn_numbers  # noqa: NPY002 - likewise


def test_one_class_that_counts_stays() -> None:
    """All targets as class 0, which has no weight, would be no question."""
    loss = refnn.SoftmaxCrossEntropy(reduction="weights", class_weights=(0, 1))
    report = checked(of.upside_down, networks=refnn.Network(refnn.Dense(2, 2), loss=loss))
    assert report.verdict == "disagrees"
    assert report.failure is not None
    assert 1 in report.failure.drawn.case.y


def test_an_answer_may_take_for_ever() -> None:
    assert checked(of.right, examples=2, time_limit=None).found.failure is None


def test_whole_numbers_may_be_those_of_numpy() -> None:
    report = checked(of.right, examples=np.int64(3), seed=np.int64(2), batches=np.int64(4), workers=np.int64(1))
    assert (report.verdict, report.found.asked, report.seed) == ("agrees", 3, 2)


@pytest.mark.usefixtures("brief")
def test_only_the_numbers_of_one_network_vary() -> None:
    network = refnn.Network(refnn.Dense(3, 2), refnn.Sigmoid(), refnn.Dense(2, 4), loss=refnn.InnerProduct())
    seen = set[str]()

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        seen.add(repr(network))
        return of.upside_down(network, w, x, y)

    report = checked(mine, networks=network, batches=5)
    assert report.verdict == "disagrees"
    assert report.failure is not None
    assert report.failure.drawn.case.x.shape == (5, 3)
    assert seen == {repr(network)}


@pytest.mark.usefixtures("brief")
def test_a_layer_alone_has_its_cotangent_for_a_target() -> None:
    """∂L/∂x = y wᵀ, ∂L/∂w = xᵀ y and ∂L/∂b = Σᵢ yᵢ, for the cotangent y."""

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        weight = w[:6].reshape(2, 3)
        gradient = {"0.weight": x.T @ y, "0.bias": y.sum(axis=0)}
        return {"outputs": x @ weight + w[6:], "gradient": gradient, "input_gradient": y @ weight.T}

    layer = refnn.Network(refnn.Dense(2, 3), loss=refnn.InnerProduct())
    assert checked(mine, networks=layer, precision="float32").verdict == "agrees"


@pytest.mark.usefixtures("brief")
def test_a_target_says_what_it_is() -> None:
    class Mine:
        precision = "float32"
        networks = refnn.Network(refnn.Dense(2, 3), loss=refnn.SquaredError())
        layout = refnn.Layout(parameters="named")

        def __call__(self, network: refnn.Network, w: Any, x: Any, y: Any) -> object:
            assert x.dtype == np.float32
            assert set(w) == {"0.weight", "0.bias"}
            return of.right(network, network.pack(w).astype(np.float32), x, y)

    report = checked(Mine(), examples=5)
    assert report.verdict == "agrees"
    assert report.precision.storage == "float32"


def test_in_the_time_that_is_given() -> None:
    def slow(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        time.sleep(0.05)
        return of.right(network, w, x, y)

    assert checked(slow, seconds=0.5).found.asked < 40


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"networks": 3}, "networks is 3"),
        ({"layout": "columns"}, "layout is 'columns'"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"seed": True}, "seed is True"),
        ({"deterministic": "no"}, "deterministic is 'no'"),
        ({"examples": 0}, "examples is 0"),
        ({"seconds": -1}, "seconds is -1"),
        ({"time_limit": 0}, "time_limit is 0"),
        ({"batches": 0}, "batches is 0"),
        ({"workers": 0}, "workers is 0"),
        ({"failure_probability": 0}, "failure_probability is 0"),
        ({"precision": "tf32"}, "tf32"),
        ({"values": [1.0]}, r"values is \[1.0\]: numbers are drawn from a strategy"),
        ({"progress": 3}, "progress is 3"),
        ({"executor": 3}, "executor is 3"),
        ({"keep": 3}, "keep is 3"),
        ({"networks": st.nothing()}, "no question can be drawn: Unsatisfiable"),
        ({"networks": st.just(3)}, "3 was drawn"),
        ({"batches": lambda network: 3}, "batches returned 3"),
        ({"batches": lambda: 3}, "it is called with a network"),
        ({"batches": lambda network: st.just(3)}, "batches drew 3: a function gives a strategy of"),
        ({"batches": st.just(-1)}, "batches is -1: batches is a whole number of at least 1"),
        ({"batches": (1, 2)}, "or a function that gives a strategy"),
        ({"values": st.just("1")}, "values drew '1': each is a number"),
    ],
)
def test_settings_of_another_kind_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(refnn.RefnnError, match=said):
        checked(of.right, **wrong)


@pytest.mark.usefixtures("brief")
def test_what_stops_from_time_to_time_is_broken_too() -> None:
    """Though it answers whenever it is asked again: three times in all, or else that is told."""
    calls, stops = [0], {5, 9, 20}

    def often(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        calls[0] += 1
        if calls[0] in stops:
            raise KeyError("worker")
        return of.right(network, w, x, y)

    report = checked(often)
    assert report.verdict == "broken"
    assert "KeyError: 'worker'" in str(report)
    assert f"(3 attempts, of {report.found.asked} questions; asked again, it answers)" in str(report)
    calls[0] = 0
    stops.remove(20)
    report = checked(often)
    assert report.verdict == "agrees"
    assert "2 times it crashed, and answered when it was asked again" in str(report)
    assert report.as_json()["missed"] == {"crashed": 2}


def test_a_right_program_may_refuse_what_overflows() -> None:
    """As refnn's own does, in a format where the square of some numbers has no place."""

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        return network.loss_and_gradient(w, x, y)

    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    values = st.sampled_from([1.0, 1e8, -1e15])
    report = checked(mine, precision="float32", networks=network, values=values, examples=20)
    assert report.found.failure is None
    assert report.found.kinds["skipped"] > 0
    assert checked(of.crashes, precision="float32", examples=3).verdict == "broken"


def test_what_is_no_target_is_refused() -> None:
    with pytest.raises(refnn.SettingError, match="3"):
        checked(3)
    with pytest.raises(refnn.SettingError, match=r"^the target takes \(w, x, y\): it is called with four arguments"):
        checked(lambda w, x, y: (0.0, w))

    class Fixed:
        __call__ = staticmethod(of.right)

    assert checked(Fixed(), examples=1).verdict == "agrees"
    assert checked(partial(of.right), examples=1).verdict == "agrees"
    assert checked(dict, examples=1).verdict == "broken"  # what says nothing of its arguments is asked


# --------------------------------------------------------------------------------------------------- kept, and progress


@pytest.mark.usefixtures("brief")
def test_a_question_that_failed_is_asked_first_the_next_time(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    first = refnn.check(of.summed, examples=20, keep=folder)
    second = refnn.check(of.summed, examples=20, keep=folder)
    assert first.failure is not None
    assert second.failure is not None
    assert (second.failure.drawn.stream, second.found.asked) == ("kept", 1)
    assert second.found.streams == {"kept": 1}
    assert "it is the question that failed the last time, and was kept" in str(second)
    assert np.array_equal(second.failure.drawn.case.x, first.failure.drawn.case.x)
    assert second.diagnosis is not None
    assert second.diagnosis.fault is not None
    assert second.diagnosis.fault.id == "L3"


@pytest.mark.usefixtures("brief")
def test_it_is_forgotten_when_it_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = [False]

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        return (of.right if right[0] else of.summed)(network, w, x, y)

    monkeypatch.chdir(tmp_path)
    refnn.check(mine, examples=10)
    assert len(list((tmp_path / ".refnn").glob("*.json"))) == 1
    right[0] = True
    assert refnn.check(mine, examples=10).verdict == "agrees"
    assert not list((tmp_path / ".refnn").glob("*.json"))


def test_progress_is_told() -> None:
    told = list[tuple[str, int, int]]()
    checked(of.upside_down, progress=lambda *words: told.append(words))
    assert told[0] == ("asking", 1, 40)
    assert [what for what, _ in itertools.groupby(told, lambda words: words[0])] == ["asking", "shrinking", "naming"]
    assert told[-1][1] == told[-1][2]  # all that it was to be asked


class Terminal:
    """Keeps what is written."""

    def __init__(self, *, is_one: bool) -> None:
        self.text, self._is_one = "", is_one

    def isatty(self) -> bool:
        return self._is_one

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


@pytest.mark.parametrize("is_one", [True, False])
def test_it_is_shown_on_a_terminal_after_a_second(monkeypatch: pytest.MonkeyPatch, *, is_one: bool) -> None:
    terminal, now = Terminal(is_one=is_one), iter(range(10**6))
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("refnn.search.checking.time.monotonic", lambda: float(next(now)))
    checked(of.right, examples=10)
    assert ("refnn: asking, 9 of 10" in terminal.text) == is_one
    assert terminal.text.endswith("\r\x1b[K") == is_one


# ---------------------------------------------------------------------------------------------------- in another's test


@pytest.mark.usefixtures("brief")
@settings(max_examples=2, deadline=None)
@given(inputs=st.integers(1, 3))
def test_it_may_be_part_of_a_test_of_hypothesis(inputs: int) -> None:
    network = refnn.Network(refnn.Dense(inputs, 2), loss=refnn.SquaredError())
    assert checked(of.right, networks=network, examples=3).verdict == "agrees"


# ------------------------------------------------------------------------------------------------------------- report


@pytest.fixture(scope="module")
def report() -> Report:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("refnn.search.checking._SHRINKING", 1000.0)
        return refnn.check(of.summed, examples=20, keep=None)


def test_a_report_is_neither_true_nor_false(report: Report) -> None:
    with pytest.raises(refnn.SettingError, match="true or false"):
        bool(report)


def test_it_begins_with_what_disagrees_and_ends_with_its_terms(report: Report) -> None:
    lines = str(report).splitlines()
    assert lines[0].startswith("disagrees: 0.bias is off")
    assert lines[1].startswith("  0.bias[")
    assert "on:" in lines
    assert any(line.startswith("L3: ") for line in lines)
    assert any(line.startswith("Derivation: proofs/") for line in lines)
    assert lines[-1].endswith(f"refnn {refnn.__version__}, semantics {refnn.SEMANTICS}")
    assert repr(report) == f"<Report: {lines[0]}>"


def test_the_question_can_be_pasted(report: Report) -> None:
    lines = str(report).splitlines()
    begin = lines.index("on:") + 1
    names: dict[str, Any] = {"refnn": refnn}
    exec("\n".join(line[2:] for line in lines[begin : begin + 4]), names)  # noqa: S102 - that is what it is for
    network, w, x, y = (names[name] for name in ("network", "w", "x", "y"))
    _, gradient = network.loss_and_gradient(w, x, y)
    found = refnn.compare(network, w, x, y, gradient=len(x) * gradient, precision="float64")
    assert found.verdict == "disagrees"


LEVELS: tuple[Reveal, ...] = ("verdict", "where", "relation", "fault")


@pytest.mark.unmeasured
@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("target", [of.summed, of.of_torch, of.cubed, of.crashes, of.Wavering()])
def test_a_student_is_told_no_number(target: object) -> None:
    report = checked(target, deterministic=True)
    assert report.failure is not None
    before = ""
    for text in map(report.text, LEVELS):
        assert text.startswith(before)  # each says what the one before says
        before = text
        for line in text.splitlines()[2:3]:
            assert line.endswith("?")
        without_names = text.replace("0.bias", "").replace("0.weight", "").replace("2.", "")
        assert not any(c.isdigit() for c in without_names), text
    assert report.text("verdict") == f"{report.verdict}."


def test_each_level_says_more(report: Report) -> None:
    """Of a fault, of another layout, and of what has no name."""
    where = report.text("where")
    assert (report.text("verdict"), where.splitlines()[0]) == ("disagrees.", "disagrees.")
    assert where.splitlines()[1].startswith("Wrong: ")
    for diagnosis, hint in (
        (None, []),
        (Diagnosis(FAULTS[0], questions=2), [FAULTS[0].hint]),
        (Diagnosis(layout=refnn.Layout(samples="columns")), ["In what order do you keep the elements of your arrays?"]),
        (Diagnosis(departs="Somewhere."), ["What does each step of yours do on paper?"]),
    ):
        said = replace(report, diagnosis=diagnosis)
        assert said.text("where") == where
        assert said.text("relation").splitlines() == [*where.splitlines(), *hint]


def test_a_student_is_told_what_a_fault_is_in_words(report: Report) -> None:
    """Of the whole catalogue: neither its name nor its formula, whatever numbers and signs they have."""
    assert report.failure is not None
    for fault in FAULTS:
        *_, hint, last = replace(report, diagnosis=Diagnosis(fault, questions=2)).text("fault").splitlines()
        assert (hint, last) == (fault.hint, fault.plain)


def test_what_shows_once_may_be_chance() -> None:
    assert "by chance" not in str(Diagnosis(FAULTS[0], questions=2))
    assert "on 1 question, that may be chance" in str(Diagnosis(FAULTS[0], questions=1))


def test_an_unknown_level_is_refused(report: Report) -> None:
    with pytest.raises(refnn.SettingError, match="five levels"):
        report.text("all")  # type: ignore[arg-type]


def test_it_is_json(report: Report) -> None:
    told = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert (told["verdict"], told["diagnosis"]["fault"]) == ("disagrees", "L3")
    assert told["failure"]["layers"] == [{"kind": "dense", "inputs": 1, "outputs": 2}]
    assert {part["verdict"] for part in told["failure"]["parts"]} >= {"disagrees"}
    assert report.failure is not None
    assert told["failure"]["x"] == report.failure.drawn.case.x.tolist()


@pytest.mark.usefixtures("brief")
def test_so_is_one_of_layers_that_have_no_name() -> None:
    from tests.witnesses.networks import Scale

    mine = refnn.Network(Scale(2), loss=refnn.SquaredError())
    told = json.loads(json.dumps(checked(of.upside_down, networks=mine).as_json(), allow_nan=False))
    assert "Scale" in told["failure"]["network"]
    assert told["verdict"] == "disagrees"


def test_one_of_what_agrees_has_no_failure() -> None:
    told = checked(of.right, values=st.floats(1, 2), examples=4).as_json()
    assert told["failure"] is told["diagnosis"] is None
    assert sum(told["questions"].values()) == 4
    assert set(told["questions"]) <= {"agrees", "undecided"}


@pytest.mark.usefixtures("brief")
def test_what_is_not_finite_is_said() -> None:
    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        return {"loss": np.nan}

    report = checked(mine)
    assert "loss is not finite" in str(report).splitlines()[0]
    assert report.as_json()["worst_ratio"] == "inf"


def test_answers_of_which_a_part_is_undecided_are_counted() -> None:
    report = checked(of.right, values=st.floats(1, 2), examples=3)
    kinds: Counter[Kind] = Counter({"agrees": 3, "undecided": 2})
    counted = replace(report, found=Found(kinds=kinds))
    assert "of 2 answers a part is undecided, where zeros would pass too" in str(counted)
    assert "undecided" not in str(report)


@pytest.mark.parametrize(("right", "verdict"), [(5, "agrees"), (4, "undecided")])
def test_where_zeros_would_pass_too_nothing_agrees(right: int, verdict: str) -> None:
    assert verdict_of(Found(kinds=Counter({"agrees": right, "undecided": 5}))) == verdict


def test_questions_beyond_the_range_of_float64_are_counted() -> None:
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())

    def loss_of_zero(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        return {"loss": 0.0}

    report = checked(loss_of_zero, networks=network, values=st.just(1e200), examples=3)
    assert report.found.kinds["skipped"] > 0
    assert f"{report.found.kinds['skipped']} questions have no truth in range" in str(report)
    assert report.verdict == "undecided"


@pytest.mark.usefixtures("brief")
def test_the_size_of_an_error_is_said() -> None:
    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        loss, gradient = network.loss_and_gradient(w, x, y)
        return loss * (1 + 2.0**-30 if loss * 8 % 1 else 1), gradient  # where it is no simple fraction

    first = str(checked(mine)).splitlines()[0]
    assert first.startswith("disagrees: loss is off by ")
    assert first.endswith(" times its bound")


@pytest.mark.usefixtures("brief")
def test_an_answer_in_another_layout_is_no_answer_and_the_layout_is_asked_about() -> None:
    """Weights as PyTorch has them, and their gradients by name."""

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        _, gradient = network.loss_and_gradient(np.asarray(of.inwards(network, w)), x, y)
        parts = network.unpack(gradient)
        return {"gradient": {name: part.T if part.ndim == 2 else part for name, part in parts.items()}}

    report = checked(mine, networks=networks(activations=[refnn.Tanh()], losses=[refnn.SquaredError()]))
    assert report.verdict in ("broken", "disagrees")
    assert "layout=refnn.Layout(weights='outputs, inputs')" in str(report)


def with_probabilities(network: refnn.Network, w: Any, x: Any, y: Any) -> dict[str, Any]:
    """Outputs as many programs return them."""
    e = network.evaluate(w, x, y)
    z = e.outputs
    match network.loss_function:
        case refnn.BinaryCrossEntropy():
            z = 1 / (1 + np.exp(-z))
        case refnn.SoftmaxCrossEntropy():
            exponential = np.exp(z - z.max(axis=1, keepdims=True))
            z = exponential / exponential.sum(axis=1, keepdims=True)
    return {"outputs": z, "loss": e.loss, "gradient": e.gradient}


@pytest.mark.unmeasured
@pytest.mark.usefixtures("brief")
def test_outputs_may_be_probabilities() -> None:
    report = checked(with_probabilities)
    assert report.diagnosis is not None
    assert report.diagnosis.layout == refnn.Layout(outputs="probabilities")
    report = checked(with_probabilities, layout=refnn.Layout(outputs="probabilities"))
    assert report.verdict == "agrees", report
    assert report.worst_ratio > 0


@pytest.mark.usefixtures("brief")
def test_a_fault_is_named_where_outputs_are_probabilities() -> None:
    """softmax and σ of the outputs of a network whose biases are not added."""

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        named = {name: 0 * part if name.endswith("bias") else part for name, part in network.unpack(w).items()}
        return {"outputs": with_probabilities(network, network.pack(named), x, y)["outputs"]}

    layout = refnn.Layout(outputs="probabilities")
    of_logits = networks(losses=[refnn.SoftmaxCrossEntropy(), refnn.BinaryCrossEntropy()])
    report = checked(mine, layout=layout, networks=of_logits)
    assert report.diagnosis is not None
    assert report.diagnosis.fault is not None
    assert report.diagnosis.fault.id == "layer/no bias"
    assert "  # as yours has it: refnn.Layout(outputs='probabilities').given(network, *map(np.array" in str(report)


def test_what_overflows_makes_no_noise() -> None:
    """Warnings are errors here, and would be answers that crash."""

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        np.exp(np.float64(1e3))
        return network.loss_and_gradient(w, x, y)

    assert checked(mine, examples=3).verdict == "agrees"


@pytest.mark.usefixtures("brief")
def test_a_large_network_is_not_held_against_all_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refnn.search.checking._LARGE", 1)
    report = checked(of.upside_down)
    assert report.diagnosis is not None
    assert report.diagnosis.fault is None
    assert "ask about a smaller one" in str(report)


@pytest.mark.usefixtures("brief")
def test_the_numbers_of_a_large_question_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refnn.search.report._MANY", 1)
    text = str(checked(of.upside_down))
    assert "numbers: --json prints them, and report.as_json() has them" in text
    assert "w = [" not in text
