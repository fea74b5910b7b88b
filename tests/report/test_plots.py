"""What the pictures show: the numbers in them, their axes, and that the files are pictures."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle

from refnn import MissingExtraError
from refnn.report import plots
from refnn.report.measure import Plane, Sweep
from refnn.report.plots import allowed, certificate, learning_rates, loss_curves, save, weight_paths, window
from refnn.report.proven import Box
from refnn.report.verification import Surface
from tests.report import cases
from tests.report.cases import descent, run, surface, sweep

RUNS = (run("full batch", end=0.25), run("single sample", end=0.125), run("mini-batch of 5", end=0.5))


def drawn(ax: Axes) -> list[tuple[list[float], list[float]]]:
    """The numbers of every line."""
    return [(np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()) for line in ax.lines]


def legend(figure: Figure) -> list[str]:
    (box,) = figure.legends
    return [text.get_text() for text in box.get_texts()]


@pytest.mark.parametrize(
    ("losses", "start", "expected"),
    [
        ([1.0, 0.5, 2.0], 1.0, (0.5, 2.0)),
        ([1.0, 1e9], 1.0, (1.0, 50.0)),
        ([1e-200, 1.0], 1.0, (1e-100, 1.0)),
        ([1e-200, 1e-300], 1e-200, (1e-100, 1e-100)),
        ([0.0, 3.0, 5.0], 4.0, (3.0, 5.0)),
        ([1.0, np.inf], 1.0, (1.0, 1.0)),
        ([0.0, 7.0, 9.0], 0.0, (7.0, 9.0)),
        ([0.0, 0.0], 0.0, (0.5, 1.0)),
    ],
)
def test_a_picture_shows_positive_losses_up_to_fifty_times_the_start(
    losses: list[float], start: float, expected: tuple[float, float]
) -> None:
    assert window(np.array(losses), start) == expected


def test_loss_curves_show_losses_and_batch_losses_against_epochs_and_seconds() -> None:
    figure = loss_curves(RUNS, "loss in nats")
    left, right = figure.axes
    for ax, times in ((left, [0.5, 3.5]), (right, [0.01, 0.03])):
        lines = drawn(ax)
        for k, end in enumerate((0.25, 0.125, 0.5)):
            assert lines[2 * k] == (times[:1], [1.0])  # what the step after the second point saw
            assert lines[2 * k + 1] == (times, [0.5, end])
        assert lines[-1][1] == [1.0, 1.0]  # before training
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        assert ax.get_ylim() == (0.0625, 2.0)
    assert "samples" in left.get_xlabel()
    assert "seconds" in right.get_xlabel()
    assert left.get_ylabel() == "loss in nats"
    assert [text.partition(" (noise")[0] for text in legend(figure)] == [r.variant for r in RUNS]


def test_colours_differ_and_the_first_line_is_widest() -> None:
    left, _ = loss_curves(RUNS).axes
    lines = left.lines[1:6:2]
    assert len({str(line.get_color()) for line in lines}) == 3
    assert lines[0].get_linewidth() > lines[1].get_linewidth() == lines[2].get_linewidth()


def test_a_run_that_explodes_leaves_the_picture_and_the_rest_stays_visible() -> None:
    wild = replace(run(), losses=np.array([1.0, 1e200, 1e308]), batch_losses=np.array([1.0, 1e308]))
    figure = loss_curves((wild, *RUNS[1:]))
    assert figure.axes[0].get_ylim() == (0.0625, 100.0)
    assert max(max(y) for _, y in drawn(figure.axes[0])) <= 1e5
    figure.canvas.draw()  # no overflow in matplotlib


def test_learning_rates_shows_three_curves_and_all_ends() -> None:
    figure = learning_rates(sweep(), "loss in nats")
    curves, ends = figure.axes
    assert [y for _, y in drawn(curves)] == [[1.0, 0.95, 0.9], [1.0, 0.5, 0.25], [1.0, 5e4]]
    line, beyond, low, right, high = drawn(ends)
    assert line == ([0.1, 1.0, 10.0], [0.9, 0.25, 100.0])  # the last one diverged: at the top edge
    assert beyond == ([10.0], [100.0])
    assert (low, right, high) == (([0.1], [0.9]), ([1.0], [0.25]), ([10.0], [100.0]))
    assert legend(figure) == ["too low: η = 0.1", "right: η = 1", "too high: η = 10, diverges at step 1"]
    assert "diverged" in ends.get_title(loc="left")
    assert curves.get_ylabel() == "loss in nats"


def test_a_cross_says_above_the_picture_only_of_what_is(tmp_path: Path) -> None:
    """From 1, the picture reaches to 100: 72 is in it, and has no cross."""
    curves = (np.array([1.0, 0.9]), np.array([1.0, 0.5]), np.array([1.0, 72.0]), np.array([1.0, 101.0]))
    figure = learning_rates(Sweep(np.array([0.1, 1.0, 10.0, 100.0]), curves, (None,) * 4, 0, 1, 2))
    line, beyond, *_ = drawn(figure.axes[1])
    assert figure.axes[1].get_ylim()[1] == 100
    assert line[1] == [0.9, 0.5, 72.0, 100.0]
    assert beyond == ([100.0], [100.0])


def test_learning_rates_that_reach_almost_nothing_can_be_drawn(tmp_path: Path) -> None:
    curves = (np.array([1.0, 0.9]), np.array([1.0, 1e-300]), np.array([1.0, 0.5]))
    figure = learning_rates(Sweep(np.array([0.1, 1.0, 10.0]), curves, (None,) * 3, 0, 1, 2))
    assert drawn(figure.axes[1])[0][1][1] == figure.axes[1].get_ylim()[0] == 5e-101
    save(figure, tmp_path, "rates")  # a warning of the layout would be an error


def test_if_all_runs_diverge_the_picture_shows_how_far_they_went_and_where_they_ended(tmp_path: Path) -> None:
    far = (1e6, 1e308, 1e9)
    runs = [replace(run(f"r{k}", diverged_at=k + 3), losses=np.array([1.0, 50.0, end])) for k, end in enumerate(far)]
    figure = loss_curves(runs)
    for ax, time in zip(figure.axes, (3.5, 0.03), strict=True):
        top = ax.get_ylim()[1]
        assert top > 1e200
        crosses = [line for line in ax.lines if line.get_marker() == "x"]
        assert [np.asarray(line.get_xdata()).tolist() for line in crosses] == [[time]] * 3
        assert [np.asarray(line.get_ydata()).tolist() for line in crosses] == [[1e6], [top], [1e9]]
    assert legend(figure) == [f"r{k} (× diverged at step {k + 3})" for k in range(3)]
    save(figure, tmp_path, "loss")  # no overflow in matplotlib


def test_a_run_that_diverges_among_others_has_its_cross_on_the_edge() -> None:
    wild = replace(run(diverged_at=5), losses=np.array([1.0, 1e20, 1e40]))
    ax = loss_curves((wild, *RUNS[1:])).axes[0]
    (cross,) = (line for line in ax.lines if line.get_marker() == "x")
    assert np.asarray(cross.get_ydata()).tolist() == [ax.get_ylim()[1]] == [100.0]


def test_a_run_that_diverges_at_once_has_its_cross_at_the_left_edge(tmp_path: Path) -> None:
    zero = np.array([0.0])
    one = replace(
        run(diverged_at=0), epochs=zero, seconds=zero, losses=np.array([2.0]), batch_losses=np.array([]), steps=0
    )
    figure = loss_curves((one, one, one))
    for ax in figure.axes:
        cross = next(line for line in ax.lines if line.get_marker() == "x")
        assert cross.get_transform() == ax.get_yaxis_transform()  # 0 is the left edge, and 2 a loss
        assert (np.asarray(cross.get_xdata()).tolist(), np.asarray(cross.get_ydata()).tolist()) == ([0.0], [2.0])
    save(figure, tmp_path, "loss")


def test_learning_rates_of_which_none_diverges() -> None:
    curves = (np.array([1.0, 0.9]), np.array([1.0, 0.5]), np.array([1.0, 2.0]))
    figure = learning_rates(Sweep(np.array([0.1, 1.0, 10.0]), curves, (None, None, None), 0, 1, 2))
    assert figure.axes[1].get_title(loc="left") == "Loss at the end"
    assert legend(figure)[-1] == "too high: η = 10"


def band(ax: Axes) -> tuple[float, float]:
    """The ends of the shaded band."""
    (patch,) = (each for each in ax.patches if str(each.get_label()).startswith("proven"))
    assert isinstance(patch, Rectangle)
    return patch.get_x(), patch.get_x() + patch.get_width()


def test_the_rates_that_are_proven_are_a_band_from_the_left_edge() -> None:
    plain, figure = learning_rates(sweep()), learning_rates(sweep(), "loss", descent())
    ends = figure.axes[1]
    low, high = band(ends)
    assert (low, high) == (ends.get_xlim()[0], 1.96875)
    assert ends.get_xlim() == plain.axes[1].get_xlim()  # there is room for it
    assert legend(figure)[-1] == "proven: one step lowers the loss of 7 samples (0 < η ≤ 1.968)"  # rounded down
    assert drawn(ends)[: len(drawn(plain.axes[1]))] == drawn(plain.axes[1])


@pytest.mark.parametrize("rate", [1e-9, 1e6])
def test_a_band_that_ends_beyond_the_rates_tried_is_in_the_picture(rate: float, tmp_path: Path) -> None:
    figure = learning_rates(sweep(), "loss", descent(rate=rate))
    low, high = figure.axes[1].get_xlim()
    assert low < rate < high
    assert low < 0.1
    assert high > 10
    assert band(figure.axes[1]) == (low, rate)
    save(figure, tmp_path, "rates")


def test_where_nothing_is_proven_there_is_no_band() -> None:
    nothing = descent(rate=0.0, boxes=())
    assert legend(learning_rates(sweep(), "loss", nothing)) == legend(learning_rates(sweep()))
    assert not learning_rates(sweep(), "loss", nothing).axes[1].patches


def test_the_certificate_shows_the_boxes_the_start_and_what_was_measured() -> None:
    figure = certificate(descent(), "loss in nats")
    (ax,) = figure.axes
    assert band(ax) == (0, 1.96875)
    boxes = [each for each in ax.patches if isinstance(each, Rectangle) and each.get_hatch() is not None]
    plain = [each for each in ax.patches if isinstance(each, Rectangle) and each.get_hatch() is None][1:]
    corners = [(b.get_x(), b.get_y(), b.get_x() + b.get_width(), b.get_y() + b.get_height()) for b in [*boxes, *plain]]
    assert corners == [(0.0, 0.25, 0.5, 1.0), (0.5, 0.0, 1.5, 0.5), (1.5, 0.125, 1.96875, 0.9375)]
    edge, start, measured = drawn(ax)
    assert edge[0] == [1.96875, 1.96875]
    assert start[1] == [1.0, 1.0]
    assert measured == ([0.0, 0.5, 1.0, 2.5], [1.0, 0.25, 0.0, 2.25])
    assert ax.get_xlim() == (0, 2.5)
    assert ax.get_ylim()[0] < 0 < 1 < ax.get_ylim()[1]
    assert legend(figure) == [
        "proven: one step lowers the loss (0 < η ≤ 1.968)",
        "tile: L is proven to fall all the way",
        "tile: L is proven to be below L(w)",
        "L(w), before the step",
        "L(w − ηg), after it, as floats measure it",
    ]
    assert ax.get_ylabel() == "loss in nats"
    assert ax.get_title(loc="left") == "One step: every learning rate up to 1.968 lowers the loss"


def test_a_certificate_over_rates_of_many_sizes_has_a_logarithmic_axis(tmp_path: Path) -> None:
    boxes = (Box(0.0, 0.01, 0.5, 1.0, True), Box(0.01, 1e6, -1e300, 0.75, False))
    rates = np.geomspace(0.003, 1.3e6, 5)
    losses = np.array([0.9, 0.5, 0.25, 1e200, np.nan])
    figure = certificate(descent(rate=1e6, beyond=np.inf, boxes=boxes, rates=rates, losses=losses))
    (ax,) = figure.axes
    assert ax.get_xscale() == "log"
    assert ax.get_xlim() == (rates[0], rates[-1])
    assert drawn(ax)[2][0] == rates.tolist()  # 0 is on no logarithmic axis
    assert band(ax) == (rates[0], 1e6)
    assert ax.get_title(loc="left").endswith("up to 1e+06 lowers the loss")
    save(figure, tmp_path, "certificate")  # nothing overflows


@pytest.mark.parametrize(("start", "losses"), [(0.0, [0.0, 0.0, 0.0]), (3.0, [3.0, 3.0, 4.0]), (1.0, [np.nan] * 3)])
def test_a_certificate_of_nothing_is_drawn_without_boxes(tmp_path: Path, start: float, losses: list[float]) -> None:
    figure = certificate(descent(rate=0.0, boxes=(), start=start, losses=np.array(losses)))
    (ax,) = figure.axes
    assert not ax.patches
    assert ax.get_ylim()[0] < start < ax.get_ylim()[1]
    assert ax.get_title(loc="left") == "One step: no learning rate is proven to lower the loss"
    save(figure, tmp_path, "certificate")


def by_name(ax: Axes) -> dict[str, tuple[list[float], list[float]]]:
    """The numbers of every line, by the first word of its name."""
    lines = zip(ax.lines, drawn(ax), strict=True)
    return {str(line.get_label()).partition(" ")[0]: numbers for line, numbers in lines}


def test_each_element_has_an_error_below_its_bound_and_below_what_constants_allow(tmp_path: Path) -> None:
    right = cases.allowed(elements=2, sizes=np.full(2, 0.5), errors=np.full(2, 1e-9), bounds=np.full(2, 1e-8))
    figure = allowed([("before", cases.ALLOWED), ("after", right)])
    left, other = figure.axes
    lines = by_name(left)
    assert lines["derived"] == ([0.25, 1.0], [2e-8, 5e-7])  # the third has none, and the second is exactly 0
    assert lines["its"] == ([0.25, 1.0], [1e-8, 2e-7])
    low, high = left.get_ylim()
    assert lines["no"] == ([4.0], [low])  # its error is exactly 0
    assert [line.get_clip_on() for line in left.lines if line.get_marker() == "^"] == [False]
    sizes, constant = lines["constant"]
    ends = (1e-5 + 1.3e-6 * 0.125, 1e-5 + 1.3e-6 * 8)  # twice as far as the sizes reach
    assert (sizes[0], sizes[-1], constant[0], constant[-1]) == (0.125, 8.0, *ends)
    assert lines["as"][0] == sizes
    assert by_name(other)["its"] == ([0.5, 0.5], [1e-9, 1e-9])
    assert "no" not in by_name(other)
    for ax in figure.axes:
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        assert (ax.get_xlim(), ax.get_ylim()) == ((0.125, 8.0), (low, high))
    assert (low, high) == (0.5e-9, 40 * ends[1])
    assert left.get_title(loc="left") == "before: 3 of the 8 elements"
    assert other.get_title(loc="left") == "after: 2 elements"
    assert legend(figure) == [
        "as large as g: beyond, zeros pass",
        "constant tolerance 1e-05 + 1.3e-06·|g| (PyTorch's for float32)",
        "derived bound of an element",
        "its error in float32",
        "no error, on the edge",
    ]
    save(figure, tmp_path, "tolerance")


def test_a_line_leads_from_each_error_to_its_bound() -> None:
    (ax,) = allowed([("now", cases.ALLOWED)]).axes
    (lines,) = ax.collections
    ends = [path.vertices.tolist() for path in lines.get_paths()]  # type: ignore[union-attr] # paths have vertices
    assert ends == [[[0.25, 1e-8], [0.25, 2e-8]], [[1.0, 2e-7], [1.0, 5e-7]]]


@pytest.mark.parametrize(("size", "error", "bound"), [(0.0, 0.0, 0.0), (1e-300, 1e-300, np.inf), (3e38, 1e38, 1e300)])
def test_gradients_of_zeros_and_at_the_ends_of_the_range_can_be_drawn(
    tmp_path: Path, size: float, error: float, bound: float
) -> None:
    numbers = {"sizes": np.array([size]), "errors": np.array([error]), "bounds": np.array([bound])}
    save(allowed([("now", cases.allowed(elements=1, **numbers))]), tmp_path, "tolerance")  # nothing overflows


def test_weight_paths_are_projected_and_end_with_a_marker() -> None:
    figure = weight_paths(surface(), RUNS, "loss in nats")
    ax, bar = figure.axes
    for line in ax.lines[:3]:
        assert (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()) == (
            [0.0, 1.0, 2.0],
            [0.0, 0.5, -1.0],
        )
        assert line.get_markevery() == [-1]
    assert drawn(ax)[3] == ([0.0], [0.0])
    assert legend(figure) == ["full batch", "single sample", "mini-batch of 5", "start"]
    assert "50 %" in ax.get_title(loc="left")
    assert bar.get_ylabel() == "loss in nats"
    # L = 1 + a² + b² is from 1, at the origin, to 1 + 9 + 4
    assert bar.get_ylim() == (1, 14)


def test_weight_paths_leave_out_what_diverged_and_keep_each_colour() -> None:
    whole = weight_paths(surface(), RUNS).axes[0]
    part = weight_paths(surface(), (run(diverged_at=3), *RUNS[1:])).axes[0]
    assert [line.get_color() for line in part.lines[:2]] == [line.get_color() for line in whole.lines[1:3]]
    assert len(part.lines) == 3


def test_weight_paths_on_a_flat_surface_have_no_contours() -> None:
    flat = Surface(Plane(np.zeros(2), np.eye(2), 1.0), np.arange(3.0), np.arange(5.0), np.ones((5, 3)))
    figure = weight_paths(flat, RUNS)
    assert len(figure.axes) == 1
    figure.canvas.draw()


def test_places_where_the_loss_is_not_a_number_are_left_empty() -> None:
    losses = surface().losses.copy()
    losses[0, 0] = np.nan
    weight_paths(replace(surface(), losses=losses), RUNS).canvas.draw()


@pytest.mark.unmeasured
def test_the_files_are_pictures_and_the_same_every_time(tmp_path: Path) -> None:
    contents = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        assert save(loss_curves(RUNS), folder, "loss") == ("loss.svg", "loss.png")
        contents.append([(folder / name).read_bytes() for name in ("loss.svg", "loss.png")])
    assert contents[0] == contents[1]
    root = ET.fromstring(contents[0][0])  # noqa: S314 - matplotlib wrote it
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join(text for text in root.itertext())
    assert "seconds of training" in words
    assert contents[0][1].startswith(b"\x89PNG\r\n\x1a\n")
    pixels = imread(tmp_path / "a" / "loss.png")
    assert pixels.shape == (690, 1500, 4)
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 50


def test_nothing_changes_matplotlibs_global_settings() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    loss_curves(RUNS)
    assert dict(mpl.rcParams) == before


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match="pip install matplotlib"):
        loss_curves(RUNS)
    with pytest.raises(MissingExtraError, match="pip install matplotlib"):
        learning_rates(sweep())
    with pytest.raises(MissingExtraError, match="pip install matplotlib"):
        weight_paths(surface(), RUNS)
    with pytest.raises(MissingExtraError, match="pip install matplotlib"):
        certificate(descent())
    with pytest.raises(MissingExtraError, match="pip install matplotlib"):
        allowed([("now", cases.ALLOWED)])


def test_the_colours_are_okabe_and_itos() -> None:
    palette = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    filled = {plots.BOXES[False]["edgecolor"], plots.BOXES[False]["facecolor"][:7], plots.BOXES[True]["facecolor"][:7]}
    assert {*plots.COLOURS, *(colour for colour, _, _ in plots.RATES), plots.SKY, *filled} <= palette
