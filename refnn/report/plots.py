"""Plots: loss curves, learning rates, a certificate, tolerances, and the paths of the weights on the loss surface.

Every function draws numbers that it is given and returns a `matplotlib.figure.Figure`; nothing is shown, and pyplot's
global state is not touched. The colours are those of Okabe and Ito, "Color Universal Design" (2008), which people of
all kinds of colour vision tell apart; markers and line styles differ as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refnn.arrays import FloatArray
from refnn.checks import extra, rounded_down
from refnn.report.allowed import ABSOLUTE, RELATIVE, Allowed, constant_tolerance
from refnn.report.measure import Run, Sweep
from refnn.report.proven import Descent
from refnn.report.verification import Surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["allowed", "certificate", "learning_rates", "loss_curves", "save", "weight_paths"]

GREY = "#666666"
COLOURS = ("#0072B2", "#D55E00", "#009E73")  # of the three variants: blue, vermilion, bluish green
WIDTHS = (3.2, 1.3, 1.3)  # the first run is drawn widest, so that a run on top of it does not hide it
MARKERS = ("o", "s", "^")
RATES = (("#CC79A7", "o", "-."), ("#000000", "s", "-"), ("#E69F00", "^", "--"))  # too low, right, too high
SKY = "#56B4E9"
BAND: Any = {"facecolor": SKY, "edgecolor": "none", "alpha": 0.22, "zorder": 0}
PROVEN = "proven: one step lowers the loss{} (0 < η ≤ {})"
BOXES: dict[bool, Any] = {
    True: {"facecolor": "#009E7326", "edgecolor": "#00694D", "lw": 1.2, "hatch": "\\\\\\"},
    False: {"facecolor": "#0072B238", "edgecolor": "#0072B2", "lw": 1.2},
}
BOX_NAMES = ("tile: L is proven to fall all the way", "tile: L is proven to be below L(w)")
CONSTANT = f"constant tolerance {ABSOLUTE:g} + {RELATIVE:g}·|g| (PyTorch's for float32)"
SETTINGS: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "refnn",
}


LOWEST, HIGHEST = 1e-100, 1e200
"""Losses are drawn between these: matplotlib's ticks reach beyond the axis, and have to stay in the range of floats."""


def window(losses: FloatArray, start: float) -> tuple[float, float]:
    """The range of losses that a picture shows: all that are positive, up to fifty times the loss at the start.

    Parameters
    ----------
    losses
        All that could be shown; infinite ones are left out.
    start
        The loss before training. What has grown far beyond it leaves the picture, so that the rest can be seen.
    """
    positive = losses[(losses > 0) & np.isfinite(losses)]
    if len(positive) == 0:
        return 0.5, 1.0
    low = max(float(positive.min()), LOWEST)
    return low, max(low, min(float(positive.max()), 50 * max(start, low)))


def _edges(shown: tuple[float, float]) -> tuple[float, float]:
    """The ends of the axis: twice as far as what it shows."""
    return shown[0] / 2, shown[1] * 2


@contextmanager
def _drawing(panels: int, width: float, height: float) -> Iterator[tuple[Figure, Sequence[Axes]]]:
    """A figure with panels side by side, in refnn's settings."""
    extra("matplotlib", "report", "drawing plots")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots(1, panels, squeeze=False)[0]


def loss_curves(runs: Sequence[Run], loss: str = "loss") -> Figure:
    """The loss over all samples of each run, against epochs and against seconds, with the batch losses as dots.

    A run that diverged ends with a cross. If no run came below its start, the picture shows how far they went.

    Parameters
    ----------
    runs
        At most three.
    loss
        What the loss is called, with its unit.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    with _drawing(2, 10, 4.6) as (figure, panels):
        axes = {"epochs": panels[0], "seconds": panels[1]}
        start = float(runs[0].losses[0])
        every = np.concatenate([run.losses for run in runs])
        none_fell = all(run.diverged_at is not None or run.final_loss > start for run in runs)
        shown = window(every, min(float(every.max()), HIGHEST) if none_fell else start)
        for run, colour, width in zip(runs, COLOURS, WIDTHS, strict=False):
            times = {"epochs": run.epochs, "seconds": run.seconds}
            dots, line = _within(run.batch_losses[1:], shown), _within(run.losses[1:], shown)
            for name, ax in axes.items():
                t = times[name][1:]
                ax.plot(t[: len(dots)], dots, ".", color=colour, ms=4, mew=0, alpha=0.4)
                ax.plot(t, line, color=colour, lw=width, label=_label(run))
                if run.diverged_at is not None:
                    _cross(ax, float(times[name][-1]), min(run.final_loss, _edges(shown)[1]), colour)
        for name, ax in axes.items():
            ax.set_xscale("log")
            ax.set_xlabel({"epochs": "epochs (passes over all samples)", "seconds": "seconds of training"}[name])
            _loss_axis(ax, shown)
            _start(ax, start)
        panels[0].set_ylabel(loss)
        panels[0].set_title("Against the samples seen")
        panels[1].set_title("Against the time spent")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        figure.suptitle("Loss over all samples (lines), and of the batch that each step sees (dots)", x=0.01, ha="left")
        return figure


def _label(run: Run) -> str:
    if run.diverged_at is None:
        return f"{run.variant} (noise {run.noise:.2g})"
    return f"{run.variant} (× diverged at step {run.diverged_at})"


def _cross(ax: Axes, time: float, loss: float, colour: str) -> None:
    """A cross where a run ended; at the left edge, if it ended before its first step did: time 0 is on no log axis."""
    time, place = (time, ax.transData) if time > 0 else (0.0, ax.get_yaxis_transform())
    ax.plot(time, loss, "x", color=colour, ms=9, mew=2, transform=place, clip_on=False, zorder=3)


def _start(ax: Axes, start: float) -> None:
    ax.axhline(start, color=GREY, lw=0.8, ls=":")
    ax.annotate(
        "before training",
        (1, start),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=GREY,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )


def _loss_axis(ax: Axes, shown: tuple[float, float]) -> None:
    ax.set_yscale("log")
    ax.set_ylim(*_edges(shown))


def _within(losses: FloatArray, shown: tuple[float, float]) -> FloatArray:
    """What is far outside the picture, nearer: the ends of the range of floats overflow in matplotlib's transforms."""
    return np.clip(losses, shown[0] / 1000, shown[1] * 1000)


def learning_rates(sweep: Sweep, loss: str = "loss", descent: Descent | None = None) -> Figure:
    """Three learning rates, too low, right and too high, and the loss that each rate of the sweep ended at.

    Where a rate diverged, or ended above the picture, a cross stands on its upper edge. The rates with which one step
    is proven to lower the loss are a band.

    Parameters
    ----------
    sweep
        As `refnn.report.measure.sweep_rates` gives it.
    loss
        What the loss is called, with its unit.
    descent
        What is proven of one step, if anything is.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    with _drawing(2, 10, 4.6) as (figure, panels):
        from matplotlib.ticker import MaxNLocator

        curves, ends = panels
        final, chosen = sweep.final_losses, (sweep.low, sweep.right, sweep.high)
        shown = window(np.concatenate([final, *(sweep.curves[k] for k in chosen)]), float(sweep.curves[0][0]))
        edges = _edges(shown)
        beyond, height = final > edges[1], np.clip(final, *edges)
        ends.plot(sweep.rates, height, color=GREY, lw=1.2, zorder=1)
        ends.set_title("Loss at the end")
        if beyond.any():
            ends.plot(sweep.rates[beyond], height[beyond], "x", color=GREY, ms=7, mew=1.6, clip_on=False)
            ends.set_title("Loss at the end (× on the edge: above it, or diverged)")
        for name, (colour, marker, style), k in zip(sweep.names, RATES, chosen, strict=True):
            at = sweep.diverged_at[k]
            label = f"{name}: η = {sweep.rates[k]:.3g}" + ("" if at is None else f", diverges at step {at}")
            line = _within(sweep.curves[k], shown)
            curves.plot(line, style, color=colour, lw=1.8, marker=marker, ms=4, markevery=0.1, label=label)
            ends.plot(sweep.rates[k], height[k], marker, color=colour, ms=8, clip_on=False)
        for ax in panels:
            _loss_axis(ax, shown)
        curves.xaxis.set_major_locator(MaxNLocator(integer=True))
        curves.set_xlabel("epochs (= steps with the full batch)")
        curves.set_ylabel(loss)
        curves.set_title("Three learning rates")
        ends.set_xscale("log")
        ends.set_xlabel("learning rate η")
        handles, labels = curves.get_legend_handles_labels()
        if descent is not None and descent.rate > 0:
            low, high = ends.get_xlim()
            least = min(low, descent.rate / 2)  # every rate from 0 on is proven
            band = ends.axvspan(
                least,
                descent.rate,
                label=PROVEN.format(f" of {descent.samples} samples", rounded_down(descent.rate, 4)),
                **BAND,
            )
            ends.axvline(descent.rate, color=SKY, lw=1.2, zorder=0)
            ends.set_xlim(least, max(high, descent.rate * 2))
            handles, labels = [*handles, band], [*labels, str(band.get_label())]
        figure.legend(handles, labels, loc="outside lower center", ncols=2 if len(handles) == 4 else 3)
        return figure


def certificate(descent: Descent, loss: str = "loss") -> Figure:
    """The loss along one step as measured, the rates that are proven to lower it, and the boxes that prove it.

    Parameters
    ----------
    descent
        As `refnn.report.proven.examine_descent` gives it.
    loss
        What the loss is called, with its unit.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    with _drawing(1, 8.5, 5) as (figure, panels):
        from matplotlib.patches import Rectangle

        ax = panels[0]
        start, finite = descent.start, descent.losses[np.isfinite(descent.losses)]
        lowest, height = min([start, *finite]), start - min([start, *finite])
        reach = height or abs(start) or 1.0
        left = descent.rates[0] if descent.wide else 0.0
        deepest = min([lowest, *(max(box.least, lowest - 0.6 * reach) for box in descent.boxes)])
        bottom, top = deepest - 0.08 * reach, start + 0.45 * reach
        if descent.rate > 0:
            ax.axvspan(left, descent.rate, label=PROVEN.format("", rounded_down(descent.rate, 4)), **BAND)
            ax.axvline(descent.rate, color=SKY, lw=1.2, zorder=0)
        for k, (falls, style) in enumerate(BOXES.items()):
            boxes = [box for box in descent.boxes if box.falls == falls]
            for box in boxes:
                low, least, largest = max(box.low, left), max(box.least, bottom - reach), min(box.largest, top + reach)
                label = BOX_NAMES[k] if box is boxes[0] else None
                ax.add_patch(Rectangle((low, least), box.high - low, largest - least, label=label, **style))
        ax.axhline(start, color="black", lw=1.2, ls="--", label="L(w), before the step")
        begin = ([], []) if descent.wide else ([0.0], [start])
        measured = (
            np.append(begin[0], descent.rates),
            np.append(begin[1], descent.losses.clip(bottom - reach, top + reach)),
        )
        ax.plot(*measured, color=COLOURS[1], lw=2, label="L(w − ηg), after it, as floats measure it")
        if descent.wide:
            ax.set_xscale("log")
        ax.set_xlim(left, descent.rates[-1])
        ax.set_ylim(bottom, top)
        ax.set_xlabel("learning rate η")
        ax.set_ylabel(loss)
        proven = f"every learning rate up to {rounded_down(descent.rate, 4)} lowers the loss"
        ax.set_title(f"One step: {proven if descent.rate else 'no learning rate is proven to lower the loss'}")
        figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return figure


def allowed(moments: Sequence[tuple[str, Allowed]]) -> Figure:
    """For each element of the gradient its size, the error of float32, its bound, and what constants would allow.

    Elements that are exactly 0 have no place on the axis. Where there is no error, a triangle stands on the edge.

    Parameters
    ----------
    moments
        When, and what was found.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    with _drawing(len(moments), 1 + 4.5 * len(moments), 5.2) as (figure, panels):
        across = _edges(window(np.concatenate([found.sizes for _, found in moments]), HIGHEST))
        line = np.geomspace(*across, 100)
        every = [part for _, found in moments for part in (found.errors, found.bounds)]
        low, high = _edges(window(np.concatenate([*every, 20 * constant_tolerance(line)]), HIGHEST))
        for (when, found), ax in zip(moments, panels, strict=True):
            there = found.sizes > 0
            size, error, bound = (part[there] for part in (found.sizes, found.errors, found.bounds))
            known, right = np.isfinite(bound), error == 0
            size, error, bound = size.clip(*across), error.clip(low, high), bound.clip(low, high)
            ax.plot(line, line.clip(low, 2 * high), ":", color=GREY, lw=1.4, label="as large as g: beyond, zeros pass")
            ax.plot(line, constant_tolerance(line), "--", color="black", lw=1.4, label=CONSTANT)
            ax.vlines(size[known], error[known], bound[known], color=GREY, lw=0.4)
            ax.plot(
                size[known], bound[known], "_", color=COLOURS[1], ms=8, mew=1.8, label="derived bound of an element"
            )
            ax.plot(size[~right], error[~right], "o", color=COLOURS[0], ms=4, mew=0, label="its error in float32")
            if right.any():
                edge: Any = {"clip_on": False, "label": "no error, on the edge"}
                ax.plot(size[right], error[right], "^", color=COLOURS[2], ms=6, **edge)
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_xlim(*across)
            ax.set_ylim(low, high)
            ax.set_xlabel("size of an element g of the gradient")
            several = f"{len(size)} of the {found.elements}" if len(size) < found.elements else found.elements
            ax.set_title(f"{when}: {several} elements")
        panels[0].set_ylabel("distance from g")
        names = {name: handle for ax in panels for handle, name in zip(*ax.get_legend_handles_labels(), strict=True)}
        figure.legend(names.values(), names.keys(), loc="outside lower center", ncols=2)
        return figure


def weight_paths(surface: Surface, runs: Sequence[Run], loss: str = "loss") -> Figure:
    """The paths of the weights of each run, projected onto the plane of the surface, over the loss on that plane.

    Parameters
    ----------
    surface
        The loss on the plane.
    runs
        At most three; those that diverged are left out.
    loss
        What the loss is called, with its unit.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    with _drawing(1, 7.5, 6) as (figure, panels):
        from matplotlib.colors import LogNorm

        ax = panels[0]
        low, high = window(surface.losses, float(runs[0].losses[0]))
        if low < high:
            losses, levels = np.ma.masked_invalid(np.clip(surface.losses, low, high)), np.geomspace(low, high, 15)
            filled = ax.contourf(surface.a, surface.b, losses, levels, cmap="Greys", alpha=0.6, norm=LogNorm())
            ax.contour(surface.a, surface.b, losses, levels, colors="white", linewidths=0.6)
            figure.colorbar(filled, ax=ax, format="%.2g").set_label(loss)
        for run, colour, marker, width in zip(runs, COLOURS, MARKERS, WIDTHS, strict=False):
            if run.diverged_at is None:
                a, b = surface.plane.coordinates(run.path).T
                end: dict[str, Any] = {"marker": marker, "markevery": [-1], "ms": 9, "mec": "white"}
                ax.plot(a, b, color=colour, lw=width, label=run.variant, **end)
        a, b = surface.plane.coordinates(runs[0].path[:1]).T
        ax.plot(a, b, "o", color="black", ms=7, mec="white", label="start")
        ax.set_xlabel("first main direction of the paths (distance in weights)")
        ax.set_ylabel("second main direction (distance in weights)")
        ax.set_title(
            f"The paths of the weights; {100 * surface.plane.share:.0f} % of their movement lies in this plane"
        )
        figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return figure


def save(figure: Figure, folder: Path, name: str) -> tuple[str, str]:
    """Write ``name.svg`` and ``name.png`` into a folder, with nothing in them that changes from run to run.

    Returns
    -------
    str, str
        The names of the two files.
    """
    from matplotlib import rc_context

    with rc_context(SETTINGS):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{name}.png", dpi=150, metadata={"Software": None})
    return f"{name}.svg", f"{name}.png"
