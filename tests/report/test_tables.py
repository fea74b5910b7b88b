"""Tables as text, in Markdown, in HTML and for the terminal."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from refnn import MissingExtraError
from refnn.report.tables import (
    Grid,
    Section,
    allowed_grid,
    allowed_table,
    allowed_title,
    blind_spots,
    certificate,
    exact_grid,
    exact_table,
    exact_title,
    notes,
    training_grid,
    training_table,
    training_title,
    verdict,
    witness_grid,
    witness_table,
    witness_title,
)
from refnn.report.verification import Moment
from tests.report.cases import ROW, allowed, descent, rounding, row, run, verification

GRID = Grid(
    ("name", "n"), (False, True), (Section("one", (("a|b", "1"),)), Section("", (("<c>", "2"), ("not installed", "–"))))
)


def drawn(table: Table, width: int = 100) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(table)
    return stream.getvalue()


def test_markdown_has_a_rule_titles_and_no_stray_bars() -> None:
    assert GRID.markdown().splitlines() == [
        "| name | n |",
        "| :-- | --: |",
        "| **one** |  |",
        "| a\\|b | 1 |",
        "| <c> | 2 |",
        "| not installed | – |",
    ]


def test_html_is_well_formed_escaped_and_marked() -> None:
    tree = ET.fromstring(GRID.html())  # noqa: S314 - the text is refnn's own
    first, second = tree.findall("tbody")
    assert [cell.text for cell in tree.iter("th")] == ["name", "n", "one"]
    title = first.find("tr/th")
    assert title is not None
    assert title.get("colspan") == "2"
    assert second.find("tr/th") is None
    assert [[(cell.get("class"), cell.text) for cell in line] for line in second] == [
        [(None, "<c>"), ("number", "2")],
        [("not-installed", "not installed"), ("number", "–")],
    ]


def test_the_terminal_shows_every_cell_with_numbers_at_the_right() -> None:
    lines = [line.rstrip() for line in drawn(GRID.rich("Title", "a\nb")).splitlines()]
    assert lines[0] == "Title"
    assert "a b" in lines
    # the width of the first column is that of its longest cell, "not installed"; of the second, of one digit
    for expected in ("name            n", "one", "a|b             1", "<c>             2", "not installed   –"):
        assert [line for line in lines if line.strip() == expected], expected


def test_verdicts_have_colours() -> None:
    stream = io.StringIO()
    grid = Grid(("v",), (False,), (Section("", (("agrees",), ("disagrees",), ("not run",))),))
    Console(file=stream, force_terminal=True, color_system="standard").print(grid.rich("", ""))
    text = stream.getvalue()
    assert "\x1b[32magrees" in text
    assert "\x1b[1;31mdisagrees" in text
    assert "\x1b[32mnot run" not in text


def test_without_rich_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(MissingExtraError, match="pip install rich"):
        GRID.rich("", "")


MOMENTS = (
    Moment("before training", (ROW, row(witness="other", verdict="not installed", ulps=None, ratio=None, note="no x"))),
    Moment("after training", (row(verdict="disagrees", ratio=float("inf"), ulps=float("nan"), seconds=12.0),)),
)


def test_the_witnesses_are_shown_with_their_numbers() -> None:
    grid = witness_grid(MOMENTS)
    assert grid.header == ("witness", "ulps", "bounds", "seconds", "verdict")
    assert grid.sections == (
        Section(
            "before training",
            (("slow witness", "1.23e+03", "0.25", "0.12", "agrees"), ("other", "–", "–", "–", "not installed")),
        ),
        Section("after training", (("slow witness", "–", "inf", "12.00", "disagrees"),)),
    )
    assert "up to 1 is agreement" in drawn(witness_table(verification()), 1000)


def test_the_tables_fit_a_terminal_of_eighty_columns() -> None:
    moments = (Moment("after mini-batch of 4096", (row(witness="finite_difference", verdict="not installed"),)),)
    text = drawn(witness_table(verification(moments=moments)), 80) + drawn(training_table(verification()), 80)
    for whole in ("after mini-batch of 4096", "finite difference", "not installed", "mini-batch of 5"):
        assert whole in text
    assert "…" not in text


def test_numbers_and_names_are_never_cut_however_little_room_there_is() -> None:
    numbers = {"losses": np.array([1.0, 1.0, 1.76e308]), "seconds": np.array([0.0, 0.1, 98765.432])}
    times = {"epochs": np.array([0.0, 2.0, 4.0]), "batch_losses": np.array([1.0, 1e300])}
    names = ("full batch", "single sample", "mini-batch of 4096")
    runs = tuple(replace(run(name), steps=1234567, **numbers, **times) for name in names)  # type: ignore[arg-type] # by name
    runs = (*runs[:2], replace(runs[2], diverged_at=7))
    found = verification(runs=runs, kind="numbers")
    cells = {cell for cells in training_grid(found).sections[0].rows for cell in cells}
    assert {"1.76e+308", "1e+300", "diverged", "rose", "98765.432"} <= cells
    for width in (80, 20):
        stream = io.StringIO()
        Console(file=stream, width=width, color_system=None).print(training_table(found), crop=False)
        lines = stream.getvalue().splitlines()
        assert sum(all(cell in line for cell in ("1.76e+308", "1e+300", "1234567")) for line in lines) == 3
        if width == 80:
            assert max(map(len, lines)) <= 80


def test_a_section_without_rows_is_drawn() -> None:
    assert "empty" in drawn(Grid(("a", "b"), (False, True), (Section("empty", ()),)).rich("", ""))


def test_each_witness_says_what_it_cannot_see_and_what_it_remarks() -> None:
    assert blind_spots(MOMENTS) == [
        ("slow witness", "compared loss, gradient; cannot see rounding; <kinks>"),
        ("other", "not installed: no x"),  # it compared nothing
    ]
    again = row(witness="other", verdict="not installed", note="no x")
    later = Moment("after training", (row(note="small"), again, row(witness="third", note="tiny")))
    assert notes((MOMENTS[0], later, later)) == [
        ("slow witness, after training, after training", "small"),
        ("third, after training, after training", "tiny"),
    ]


def test_the_title_says_how_many_samples_were_examined() -> None:
    found = verification()
    assert witness_title(found) == "The gradient by backpropagation, on all 7 samples"
    assert witness_title(replace(found, examined=3)) == "The gradient by backpropagation, on 3 of the 7 samples"


def test_training_is_shown_for_each_variant() -> None:
    found = verification()
    grid = training_grid(found)
    assert grid.header == ("variant", "steps", "seconds", "loss after", "accuracy")
    # there is no noise to show, for no point but the end lies in the last half of these runs
    assert [cells[:4] for cells in grid.sections[0].rows] == [
        (variant, "7", "0.030", "0.25") for variant in ("full batch", "single sample", "mini-batch of 5")
    ]
    assert grid.numeric == (False, True, True, True, True)
    assert "Training, 100 epochs at learning rate 0.1, from a loss of 1" in drawn(training_table(found)).replace(
        "\n", " "
    )
    once = replace(found, settings=replace(found.settings, epochs=1))
    assert training_title(once).startswith("Training, 1 epoch at")


def test_noise_and_accuracy_are_shown_where_there_are_some() -> None:
    found = verification()
    even = tuple(
        replace(one, epochs=np.array([0.0, 2.0, 4.0]), losses=np.array([1.0, 0.5, 0.25])) for one in found.runs
    )
    grid = training_grid(replace(found, runs=even))
    assert grid.header[4:] == ("noise", "accuracy")
    right = found.network.predict(even[0].parameters, found.data.x).argmax(axis=1) == found.data.y
    assert grid.sections[0].rows[0][4:] == (
        "0.5",
        f"{100 * sum(right) / 7:.1f} %",
    )  # the batch saw 1 where the loss was ½


def test_numbers_have_no_accuracy_and_remarks_show_only_if_there_are_some() -> None:
    runs = (run(diverged_at=6), run("single sample", end=1.5), run("mini-batch of 5"))
    grid = training_grid(verification(runs=runs, kind="numbers"))
    assert grid.header[-1] == ""
    assert "accuracy" not in grid.header
    assert [cells[-1] for cells in grid.sections[0].rows] == ["diverged", "rose", ""]
    assert grid.numeric[-1] is False


def test_the_verdict_names_what_agrees() -> None:
    assert verdict(verification()) == (
        "The gradient agrees with every witness that spoke: slow witness; "
        "and with its exact value; and float32 is within its bounds."
    )
    without = Moment("before training", (ROW,))
    assert (
        verdict(verification(moments=(without,))) == "The gradient agrees with every witness that spoke: slow witness."
    )


def test_the_verdict_names_who_disagrees_and_when() -> None:
    found = verification(moments=MOMENTS)
    assert verdict(found) == "The gradient disagrees with slow witness (after training)."
    assert not found.agrees


def test_the_verdict_names_who_is_undecided_and_when_unless_somebody_disagrees() -> None:
    unsure = Moment("after training", (ROW, row(witness="other", verdict="undecided")))
    assert verdict(verification(moments=(MOMENTS[0], unsure))) == (
        "Undecided, for zeros would pass in place of the gradient: other (after training)."
    )
    assert verdict(verification(moments=(unsure, MOMENTS[1]))).startswith("The gradient disagrees with slow witness")


def test_the_verdict_says_when_nobody_spoke() -> None:
    silent = Moment("after training", (row(verdict="not run"),))
    assert verdict(verification(moments=(MOMENTS[0], silent))) == "No witness spoke after training."


def test_the_verdict_names_runs_that_diverged_or_rose() -> None:
    whole = verification()
    rising = replace(whole.runs[1], losses=whole.runs[1].losses[::-1])
    runs = (replace(whole.runs[0], diverged_at=6), rising, whole.runs[2])
    found = verification(runs=runs)
    assert verdict(found).endswith(
        ". Training diverged with full batch (at step 6). The loss rose with single sample. "
        "A lower learning rate may help."
    )
    assert not found.agrees


# ----------------------------------------------------------------------------------------------------- what is proven


def test_the_exact_gradient_is_shown_below_the_float_that_is_farthest_from_it() -> None:
    zeros = rounding(ulps=None, ratio=0.0, correct=8)
    moments = (Moment("before training", (ROW,), rounding()), Moment("after", (ROW,)), Moment("later", (ROW,), zeros))
    grid = exact_grid(moments)
    assert grid.header == ("largest error at", "gradient", "ulps", "bounds", "right")
    assert grid.sections == (
        Section(
            "before training",
            (
                ("0.weight[1, 0]", "1.0000000000000001e-01", "123", "0.12", "5 of 8"),
                ("exact value", "1.0000000000000001e-01", "", "", ""),
            ),
        ),
        Section("later", (("every element is exactly 0", "–", "–", "0", "8 of 8"),)),
    )


def test_the_exact_table_fits_a_terminal_of_a_hundred_columns_and_explains_itself() -> None:
    wide = rounding(computed=-1.7976931348623157e308, exact="-1.7976931348623157e+308", ulps=1.23e-105, correct=123456)
    moments = (Moment("after mini-batch of 4096", (ROW,), wide),)
    text = drawn(exact_table(verification(moments=moments)), 100)
    for part in ("-1.7976931348623157e+308", "1.23e-105", "123456 of 8", "after mini-batch of 4096"):
        assert part in text
    assert "…" not in text
    assert "no wrong formula" in " ".join(text.split())


def test_the_exact_title_says_of_how_many_samples() -> None:
    found = verification()
    assert exact_title(found) == "The same gradient against its exact value, on all 7 samples"
    some = replace(found, moments=(Moment("before training", (ROW,), rounding(samples=3)),))
    assert exact_title(some) == "The same gradient against its exact value, on 3 of the 7 samples"
    assert "0 of the 7" in exact_title(replace(found, moments=(Moment("before training", (ROW,)),)))


def test_the_certificate_is_a_sentence_that_says_whether_it_holds() -> None:
    found = verification()
    assert certificate(found) == (
        "One step from the start, with all 7 samples: up to 1.96875 it falls. "
        "The proof has 3 tiles of 128 bits, and holds when checked anew."
    )
    weak = descent(holds=False, samples=3, boxes=descent().boxes[:1])
    assert certificate(replace(found, descent=weak)) == (
        "One step from the start, with 3 of the 7 samples, for proofs take time: up to 1.96875 it falls. "
        "The proof has 1 tile of 128 bits, and does NOT hold when checked anew."
    )
    long = descent(holds=None, samples=7)
    assert certificate(replace(found, descent=long)).endswith("of 128 bits, and was too long to be checked anew.")
    nothing = descent(rate=0.0, boxes=(), sentence="no rate; the gradient is zero")
    assert certificate(replace(found, descent=nothing)).endswith("samples: no rate; the gradient is zero.")


def test_without_a_certificate_it_is_said_what_is_missing() -> None:
    found = replace(verification(), descent=None, missing="it is not there. Run: x")
    assert certificate(found) == "No exact values and no proofs: it is not there. Run: x."


def test_elements_that_cannot_be_rounded_and_zeros_that_floats_miss_are_remarked() -> None:
    moments = (
        Moment("before", (ROW,), rounding(undecided=2)),
        Moment("after", (ROW,), rounding(undecided=2, missed=1)),
        Moment("later", (ROW,), rounding()),
    )
    assert notes(moments) == [
        ("exact value, before, after", "2 of 8 elements cannot be rounded with 128 bits"),
        ("exact value, after", "1 of 8 elements are 0, and not 0 in floats; they have no ulps"),
    ]


def test_the_verdict_names_the_exact_value_if_it_is_out_of_the_bound_or_not_known() -> None:
    out, unknown = rounding(ratio=1.5), rounding(ratio=float("nan"))
    found = verification(moments=(Moment("before", (ROW,), out), Moment("after", (ROW,), rounding())))
    assert verdict(found) == "The gradient disagrees with its exact value (before)."
    found = verification(moments=(Moment("before", (ROW,), unknown), Moment("after", (ROW,), rounding())))
    assert verdict(found) == "Undecided, for the exact gradient is not known before."


# ----------------------------------------------------------------------------------------------------------- tolerances


def test_float32_is_shown_above_what_bfloat16_could_tell() -> None:
    moments = (Moment("before training", (ROW,), None, allowed()), Moment("after", (ROW,)))
    grid = allowed_grid(moments)
    assert grid.header == ("largest error at", "bounds", "known", "median", "unnoticed", "verdict")
    assert grid.sections == (
        Section(
            "before training",
            (
                ("0.weight[2, 1]", "0.5", "7 of 8", "2.5e-06", "6, 75 %", "agrees"),
                ("in bfloat16", "", "3 of 8", "0.75", "", ""),
            ),
        ),
        Section("after", (("out of float32's range", "–", "–", "–", "–", ""),)),
    )


def test_the_table_of_float32_fits_a_terminal_of_eighty_columns_and_explains_itself() -> None:
    wide = allowed(elements=67, decided=66, unnoticed=67, bfloat16_relative=1234.5, verdict="disagrees")
    moments = (Moment("after mini-batch of 4096", (ROW,), None, wide), Moment("later", (ROW,)))
    text = drawn(allowed_table(verification(moments=moments)), 80)
    for part in (
        "after mini-batch of 4096",
        "66 of 67",
        "67, 100 %",
        "1.2e+03",
        "disagrees",
        "out of float32's range",
    ):
        assert part in text
    assert "…" not in text
    assert "assert_close takes for float32, 1e-05 + 1.3e-06·size" in " ".join(text.split())


def test_the_title_of_float32_says_of_how_many_samples() -> None:
    found = verification()
    assert allowed_title(found) == "How far off float32 may be, on all 7 samples"
    bare, some = Moment("before", (ROW,)), Moment("after", (ROW,), None, allowed(samples=3))
    assert allowed_title(replace(found, moments=(bare, some))) == "How far off float32 may be, on 3 of the 7 samples"
    assert "0 of the 7" in allowed_title(replace(found, moments=(bare,)))


def test_the_verdict_names_float32_if_it_is_out_of_its_bounds() -> None:
    out, within = allowed(ratio=1.5, verdict="disagrees"), allowed(verdict="undecided")
    moments = (Moment("before", (ROW,), rounding(ratio=2.0), out), Moment("after", (ROW,), None, within))
    assert verdict(verification(moments=moments)) == (
        "The gradient disagrees with its exact value (before), its bounds in float32 (before)."
    )
    assert verdict(verification(moments=moments[1:])) == (
        "The gradient agrees with every witness that spoke: slow witness; and float32 is within its bounds."
    )
