"""The main job, from Python."""

from __future__ import annotations

import importlib.metadata
import json
import math
from dataclasses import replace

import numpy as np
import pytest

import refnn
from refnn import MissingExtraError, SettingError, witnesses
from refnn.report import verification as module
from refnn.report.proven import Rounding
from refnn.report.verification import Moment, Settings, examined_samples, jsonable, network_for, verify
from refnn.witnesses import Row
from tests.report.cases import (
    ROW,
    allowed,
    hide_flint,
    quick_descent,
    quick_examine,
    rounding,
    row,
    run,
    small_data,
    verification,
)

QUICK = Settings(hidden=2, epochs=3, batch_size=5)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "examine", quick_examine)
    monkeypatch.setattr(module, "examine_descent", quick_descent)


@pytest.mark.parametrize(
    ("bad", "part"),
    [
        ({"hidden": 0}, "hidden is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
        ({"learning_rate": math.inf}, "learning_rate is inf"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_out_of_range_are_refused(bad: dict[str, float], part: str) -> None:
    with pytest.raises(SettingError, match=part):
        Settings(**bad)  # type: ignore[arg-type] # what a caller may do


def test_the_network_fits_the_data() -> None:
    classes = network_for(small_data(), QUICK)
    assert (classes.inputs, classes.outputs) == (3, 2)
    assert isinstance(classes.loss_function, refnn.SoftmaxCrossEntropy)
    numbers = network_for(small_data("numbers"), replace(QUICK, hidden=4, activation=refnn.Softplus()))
    assert numbers.layers == (refnn.Dense(3, 4), refnn.Softplus(), refnn.Dense(4, 1))
    assert isinstance(numbers.loss_function, refnn.SquaredError)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_all_variants_start_from_the_same_parameters_and_are_examined(kind: str) -> None:
    told: list[tuple[str, float]] = []
    found = verify(small_data(kind), QUICK, lambda what, done: told.append((what, done)))
    assert [run.variant for run in found.runs] == ["full batch", "single sample", "mini-batch of 5"]
    assert [run.steps for run in found.runs] == [3, 21, 6]
    start = found.network.initial_parameters(rng=0)
    for one in found.runs:
        assert one.path[0].tolist() == start.tolist()
    assert [moment.when for moment in found.moments] == [
        "before training",
        "after full batch",
        "after single sample",
        "after mini-batch of 5",
    ]
    assert found.agrees
    assert found.surface is not None
    assert found.data.x.tolist() == small_data(kind).standardised().x.tolist()
    assert {what for what, done in told if done == 1} == {
        "learning rates",
        "loss surface",
        "certified learning rate",
        *(f"witnesses {moment.when}" for moment in found.moments),
        *(f"exact gradient {moment.when}" for moment in found.moments),
        *(f"float32 {moment.when}" for moment in found.moments),
        *(f"training, {one.variant}" for one in found.runs),
    }
    assert all(0 <= done <= 1 for _, done in told)
    assert all((found.accuracy(one) is None) == (kind == "numbers") for one in found.runs)


@pytest.mark.parametrize(
    ("samples", "parameters", "expected"),
    [(5, 9, [0, 1, 2, 3, 4]), (10, 400, [0, 2, 5, 7]), (2, 10**6, [0, 1]), (7, 10**6, [0, 2, 4])],
)
def test_so_many_samples_are_examined_that_it_takes_seconds(samples: int, parameters: int, expected: list[int]) -> None:
    assert examined_samples(samples, parameters).tolist() == expected


def test_the_irises_are_examined_whole() -> None:
    assert len(examined_samples(150, 67)) == 150


def test_the_witnesses_get_the_samples_that_were_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def examine(
        network: refnn.Network, w: np.ndarray, x: np.ndarray, y: np.ndarray, *, progress: object
    ) -> tuple[Row, ...]:
        seen.append((x.tolist(), y.tolist()))
        return (ROW,)

    monkeypatch.setattr(module, "EXAMINED", 5)  # three samples, whatever the size
    monkeypatch.setattr(module, "examine", examine)
    found = verify(small_data(), QUICK)
    data = small_data().standardised()
    assert found.examined == 3
    assert seen == [(data.x[[0, 2, 4]].tolist(), data.y[[0, 2, 4]].tolist())] * 4


@pytest.mark.usefixtures("quick")
def test_the_seed_decides_everything_but_the_seconds() -> None:
    def numbers(seed: int) -> list[list[float]]:
        found = verify(small_data(), replace(QUICK, seed=seed))
        return [one.losses.tolist() for one in found.runs]

    assert numbers(1) == numbers(1)
    assert numbers(1) != numbers(2)


@pytest.mark.usefixtures("quick")
def test_a_run_that_diverges_is_not_examined_and_spoils_the_verdict() -> None:
    found = verify(small_data("numbers"), replace(QUICK, learning_rate=1e300))
    assert [one.diverged_at for one in found.runs] == [1, 1, 1]
    assert [moment.when for moment in found.moments] == ["before training"]
    assert found.surface is None
    assert not found.agrees


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_the_real_witnesses_agree(kind: str) -> None:
    found = verify(small_data(kind), replace(QUICK, epochs=2))
    assert found.agrees
    rows = [one for moment in found.moments for one in moment.rows]
    assert [one.verdict for one in rows] == ["agrees"] * len(rows)
    assert {one.witness for one in rows} == set(witnesses.ALL)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_the_exact_gradient_and_a_certificate_are_part_of_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "examine", quick_examine)
    found = verify(small_data(kind), replace(QUICK, epochs=1))
    for moment in found.moments:
        assert moment.rounding is not None
        assert moment.rounding.ratio <= 1
        assert (moment.rounding.samples, moment.rounding.elements) == (7, found.network.size)
        assert moment.allowed is not None
        assert moment.allowed.ratio <= 1
        assert (moment.allowed.samples, moment.allowed.elements) == (7, found.network.size)
    assert found.descent is not None
    assert found.descent.holds
    assert found.descent.samples == 7
    # a certificate is about the first step: half the rate lowers the loss, by far more than rounding
    w = found.runs[0].path[0]
    gradient = found.network.evaluate(w, found.data.x, found.data.y).gradient
    after = found.network.loss(w - found.descent.rate / 2 * gradient, found.data.x, found.data.y)
    assert after < found.descent.start == found.runs[0].losses[0]
    assert found.missing == ""
    assert found.agrees


@pytest.mark.usefixtures("quick")
def test_large_tables_are_proven_on_samples_that_are_evenly_spaced(monkeypatch: pytest.MonkeyPatch) -> None:
    size = network_for(small_data(), QUICK).size
    monkeypatch.setattr(module, "EXACT", 5 * size)
    monkeypatch.setattr(module, "CERTIFIED", 4 * size + 1)
    seen = []

    def examine_rounding(network: refnn.Network, w: np.ndarray, x: np.ndarray, y: np.ndarray) -> Rounding:
        seen.append((x.tolist(), y.tolist()))
        return rounding(samples=len(x))

    monkeypatch.setattr(module, "examine_rounding", examine_rounding)
    asked = []

    def examine_allowed(network: refnn.Network, w: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
        asked.append((x.tolist(), y.tolist()))

    monkeypatch.setattr(module, "examine_allowed", examine_allowed)
    found = verify(small_data(), QUICK)
    data = small_data().standardised()
    assert asked == [(data.x[[0, 1, 3, 5]].tolist(), data.y[[0, 1, 3, 5]].tolist())] * 4
    assert seen == [(data.x[[0, 1, 2, 4, 5]].tolist(), data.y[[0, 1, 2, 4, 5]].tolist())] * 4
    assert found.descent is not None
    assert found.descent.samples == 4


@pytest.mark.usefixtures("quick")
def test_without_flint_all_else_is_done_and_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_flint(monkeypatch)
    told: set[str] = set()
    found = verify(small_data(), QUICK, lambda what, _: told.add(what))
    assert found.missing == "python-flint is not installed. Run: pip install python-flint"
    assert found.descent is None
    assert {moment.rounding for moment in found.moments} == {None}
    assert {moment.allowed and moment.allowed.reference for moment in found.moments} == {"float64"}
    assert found.agrees
    assert not [what for what in told if what.startswith(("exact", "certified"))]
    document = found.as_json()
    assert (document["python_flint"], document["exact"], document["certificate"]) == (None, [], None)


@pytest.mark.parametrize("name", ["exact", "certified_learning_rate", "Certified", "Certificate"])
def test_what_needs_flint_names_it_with_the_package_to_install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    hide_flint(monkeypatch)
    with pytest.raises(MissingExtraError, match=r"pip install python-flint; .* \[exact\]"):
        getattr(refnn, name)
    assert refnn.SEMANTICS >= 1


def test_a_wrong_backward_pass_makes_the_witnesses_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A derivative of 1.001 times tanh′ in training and in what is examined."""
    right = refnn.Tanh.backward

    def wrong(self: refnn.Tanh, parameters: tuple[()], z: np.ndarray, delta: np.ndarray) -> np.ndarray:
        slightly: np.ndarray = right(self, parameters, z, delta) * 1001 / 1000
        return slightly

    monkeypatch.setattr(refnn.Tanh, "backward", wrong)
    found = verify(small_data("numbers"), replace(QUICK, epochs=1))
    assert not found.agrees
    assert {one.verdict for moment in found.moments for one in moment.rows} == {"disagrees"}


# -------------------------------------------------------------------------------------------------------------- verdict


@pytest.mark.parametrize(
    ("verdicts", "agrees", "disagrees"),
    [
        (["agrees", "not installed", "not run"], True, False),
        (["agrees", "disagrees"], False, True),
        (["agrees", "undecided"], False, False),
        (["disagrees", "undecided"], False, True),
        (["not run", "not installed"], False, False),
        ([], False, False),
    ],
)
def test_a_moment_agrees_if_somebody_does_and_nobody_says_else(
    verdicts: list[str], agrees: bool, disagrees: bool
) -> None:
    moment = Moment("now", tuple(row(verdict=word) for word in verdicts))
    assert (moment.agrees, moment.disagrees) == (agrees, disagrees)


@pytest.mark.parametrize(
    ("ratio", "agrees", "disagrees"), [(1.0, True, False), (1.0625, False, True), (math.nan, False, False)]
)
def test_the_exact_gradient_must_be_within_its_bound(ratio: float, agrees: bool, disagrees: bool) -> None:
    moment = Moment("now", (ROW,), rounding(ratio=ratio))
    assert (moment.agrees, moment.disagrees) == (agrees, disagrees)
    silent = Moment("now", (), rounding())
    assert (silent.agrees, silent.disagrees) == (False, False)  # it is no witness


@pytest.mark.parametrize(
    ("verdict", "agrees", "disagrees"),
    [("agrees", True, False), ("undecided", True, False), ("disagrees", False, True)],
)
def test_float32_must_be_within_its_bounds_and_need_not_be_known(verdict: str, agrees: bool, disagrees: bool) -> None:
    moment = Moment("now", (ROW,), None, allowed(verdict=verdict))
    assert (moment.agrees, moment.disagrees) == (agrees, disagrees)
    silent = Moment("now", (), None, allowed())
    assert (silent.agrees, silent.disagrees) == (False, False)  # it is no witness


def test_everything_must_agree() -> None:
    good, bad = Moment("a", (ROW,)), Moment("b", (row(verdict="disagrees"),))
    assert verification(moments=(good, good)).agrees
    assert not verification(moments=(good, bad)).agrees
    assert not verification(moments=(good,), runs=(run(), run(diverged_at=4))).agrees


def test_one_moment_or_run_is_enough_to_disagree() -> None:
    good, bad, unsure = (Moment(word, (row(verdict=word),)) for word in ("agrees", "disagrees", "undecided"))
    assert not verification(moments=(good, unsure)).disagrees
    assert not verification(moments=(good, unsure)).agrees
    assert verification(moments=(unsure, bad)).disagrees
    assert verification(moments=(good,), runs=(run(), run(diverged_at=4))).disagrees


# ----------------------------------------------------------------------------------------------------------------- json


@pytest.mark.usefixtures("quick")
def test_the_json_holds_what_was_found() -> None:
    found = verify(small_data(), QUICK)
    document = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert document["format"] == "refnn report"
    assert document["refnn"] == refnn.__version__
    assert document["semantics"] == refnn.SEMANTICS
    assert document["numpy"] == np.__version__
    assert document["python_flint"] == importlib.metadata.version("python-flint")
    assert document["agrees"] is True
    assert document["data"]["samples"] == 7
    assert document["data"]["features"] == ["a", "b", "c"]
    assert document["data"]["classes"] == ["<no>", "yes"]
    assert document["settings"] == {
        "hidden": 2,
        "activation": "Tanh()",
        "epochs": 3,
        "learning_rate": 0.1,
        "batch_size": 5,
        "seed": 0,
    }
    assert len(document["witnesses"]) == 8
    assert document["witnesses"][0] == {
        "when": "before training",
        "witness": "slow_witness",
        "verdict": "agrees",
        "ulps": 1234.5,
        "ratio": 0.25,
        "seconds": 0.125,
        "sees": "loss, gradient",
        "blind_to": "rounding; <kinks>",
        "note": "",
    }
    assert [entry["when"] for entry in document["exact"]] == [moment.when for moment in found.moments]
    first = found.moments[0].rounding
    assert first is not None
    assert {
        key: document["exact"][0][key] for key in ("ulps", "place", "computed", "exact", "correct", "undecided")
    } == {
        "ulps": first.ulps,
        "place": first.place,
        "computed": first.computed,
        "exact": first.exact,
        "correct": first.correct,
        "undecided": 0,
    }
    assert [entry["when"] for entry in document["float32"]] == [moment.when for moment in found.moments]
    single = found.moments[0].allowed
    assert single is not None
    shown = document["float32"][0]
    assert shown["sizes"] == single.sizes.tolist()
    assert {
        key: shown[key] for key in ("verdict", "ratio", "elements", "decided", "unnoticed", "bfloat16_relative")
    } == {
        "verdict": single.verdict,
        "ratio": single.ratio,
        "elements": found.network.size,
        "decided": single.decided,
        "unnoticed": single.unnoticed,
        "bfloat16_relative": single.bfloat16_relative,
    }
    proof = document["certificate"]
    assert (proof["rate"], proof["beyond"], proof["reason"], proof["bits"]) == (1.96875, 2.0, "crossing", 128)
    assert (proof["holds"], proof["tiles"], proof["samples"]) == (True, 3, 7)
    assert proof["boxes"][0] == {"low": 0, "high": 0.5, "least": 0.25, "largest": 1, "falls": True}
    assert proof["losses"] == [0.25, 0, 2.25]
    training = document["training"][1]
    assert training["variant"] == "single sample"
    assert training["final_loss"] == found.runs[1].final_loss
    assert training["initial_loss"] == found.runs[1].losses[0]
    assert training["steps"] == 21
    assert training["noise"] == found.runs[1].noise
    assert training["curve"]["losses"] == found.runs[1].losses.tolist()
    assert training["accuracy"] == found.accuracy(found.runs[1])
    assert [entry["rate"] for entry in document["learning_rates"]] == found.sweep.rates.tolist()
    assert 0 < document["surface"]["share"] <= 1


def test_the_json_of_a_divergence_has_no_surface_and_text_for_infinity() -> None:
    document = verification(runs=(run(diverged_at=4),)).as_json()
    assert document["surface"] is None
    assert document["training"][0]["diverged_at"] == 4
    assert document["training"][0]["accuracy"] is None
    assert document["learning_rates"][2] == {"rate": 10.0, "final_loss": "inf", "diverged_at": 1}


def test_numbers_become_those_of_json() -> None:
    given = {"a": (1, np.float64(2.5), None), "b": np.array([[1.0, np.nan], [-np.inf, 2.0]]), "c": True}
    assert jsonable(given) == {"a": [1, 2.5, None], "b": [[1.0, "nan"], ["-inf", 2.0]], "c": True}
    assert type(jsonable(np.float64(2.5))) is float
