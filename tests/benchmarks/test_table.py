"""The table: verdicts, digits, exponents; the names of parts; and the comparison with the truth can fail."""

from __future__ import annotations

import math

import pytest

from tests.benchmarks import gradcheck
from tests.benchmarks.__main__ import PARTS, chosen
from tests.benchmarks.drawn import classified
from tests.benchmarks.gradcheck import PLANTED, agrees, largest_of_first_weight
from tests.benchmarks.hand_written import hand_written, network
from tests.benchmarks.table import Row, digits, with_progress
from tests.benchmarks.truth import FAMILIES, exponent


def test_a_goal_is_met_or_missed() -> None:
    assert [Row("", value, 2).verdict for value in (1, 2, 3, math.nan)] == ["met", "met", "MISSED", "MISSED"]
    at_least = [Row("", value, 2, "", "at least").verdict for value in (1, 2, 3, math.nan)]
    assert at_least == ["MISSED", "met", "met", "MISSED"]
    assert Row("", 1).verdict == "-"


def test_a_row_shows_its_goal() -> None:
    assert str(Row("speed", 1.25, 2, "s")).split() == ["speed", "1.25", "s", "at", "most", "2", "s", "met"]
    assert str(Row("share", 0.5, 0.9, "", "at least")).split() == ["share", "0.5", "at", "least", "0.9", "MISSED"]


def test_nothing_below_one_is_shown_as_one() -> None:
    assert digits(0.9999996) == "0.9999996"
    assert digits(1.0000004) == "1.0000004"
    assert [digits(value) for value in (1.0, 0.12346, 1234.5, 200)] == ["1", "0.1235", "1234", "200"]
    assert digits(math.nan) == "nan"


@pytest.mark.parametrize("k", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(k: float) -> None:
    sizes = [101, 1009, 10007, 100003]
    # each logarithm is rounded a few times, and the fit's condition number is about 10
    assert abs(exponent(sizes, [3e-6 * n**k for n in sizes]) - k) < 1e-12


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("parameters", [100, 3162, 100_000])
def test_a_network_has_about_as_many_parameters_as_asked_for(family: str, parameters: int) -> None:
    # within half a step of w: 7 of 13w + 4, and w + 8 of w² + 14w + 4
    assert abs(FAMILIES[family](parameters).size - parameters) <= 8 + math.sqrt(parameters)


def test_progress_hands_on_every_item() -> None:
    assert list(with_progress("", [3, 1, 2])) == [3, 1, 2]


def test_parts_are_chosen_by_name() -> None:
    assert chosen([]) == list(PARTS)
    assert chosen(["tightness", "exact"]) == ["tightness", "exact"]


@pytest.mark.parametrize(("arguments", "code", "said"), [(["--help"], 0, "scaling"), (["speeed"], 2, "'speeed'")])
def test_help_and_unknown_names_end_with_their_code(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        chosen(arguments)
    assert ended.value.code == code
    assert said in "".join(capsys.readouterr())


def test_without_torch_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradcheck, "torch_if_installed", lambda: None)
    assert list(gradcheck.gradcheck()) == ["gradcheck: torch is not installed, so there is nothing to compare with"]


def test_a_gradient_by_hand_agrees_with_the_truth_and_each_planted_error_is_caught() -> None:
    widths = (5, 11, 3)
    case = classified(network(widths), 13)
    _, gradient = hand_written(widths)(case.w, case.x, case.y)
    place = largest_of_first_weight(case)
    for error in PLANTED:
        wrong = gradient.copy()
        wrong[place] *= 1 + error
        assert agrees(case, wrong) is (error == 0)
