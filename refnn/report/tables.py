"""Tables: what the witnesses said and how training went, for the terminal, in Markdown and in HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from refnn.checks import extra
from refnn.report.allowed import ABSOLUTE, RELATIVE, Allowed
from refnn.report.measure import Run
from refnn.report.proven import DIGITS, Rounding
from refnn.report.verification import Moment, Verification
from refnn.witnesses import Row

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "ALLOWED",
    "BOUND",
    "EXACT",
    "NOISE",
    "Grid",
    "Section",
    "allowed_grid",
    "allowed_table",
    "allowed_title",
    "blind_spots",
    "certificate",
    "exact_grid",
    "exact_table",
    "exact_title",
    "notes",
    "of_all",
    "training_grid",
    "training_table",
    "training_title",
    "verdict",
    "witness_grid",
    "witness_table",
    "witness_title",
]

NOTHING = "–"
"""What stands where there is no number."""

BOUND = """\
ulps: the largest difference of an element of the gradients, in units in the last place; it is large where the terms of
an element cancel. bounds: the largest difference of anything compared, relative to the error bounds of backpropagation
and of the witness together: up to 1 is agreement."""
EXACT = """\
For each moment the element of the gradient whose float64 is farthest from its exact value, and below it that value. The
exact values are computed by the same formulas in ball arithmetic, which encloses real numbers: they show all rounding,
and no wrong formula. ulps: how far apart the two are, in units in the last place (the witnesses' above count the
gradient by the inputs too). bounds: the largest error of any element, relative to its derived bound: up to 1 is
agreement. right: how many elements are the float64 nearest to the exact value."""
ALLOWED = f"""\
For each moment the gradient by the same program in float32, against the truth. bounds: the largest error of any
element, relative to its bound, which is derived and not chosen: up to 1 is agreement. known: how many elements are
larger than their bounds, or exactly 0; of the others not even the sign can be told. median: of bound/size. unnoticed:
of how many elements an error of twice the bound would pass the constants that PyTorch's assert_close takes for float32,
{ABSOLUTE:g} + {RELATIVE:g}·size. undecided: zeros would pass. in bfloat16: what its bounds say."""
NOISE = "Noise: the root mean square of (loss of the batch − loss of all samples), in the last half of training."

SPOKE = ("agrees", "disagrees", "undecided")

STYLES = {"agrees": "green", "disagrees": "bold red", "undecided": "bold yellow", "not installed": "yellow"}
"""The colour of a cell with this text; every other cell has none."""


@final
@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a title; the title may be empty."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@final
@dataclass(frozen=True, slots=True)
class Grid:
    """A table as text, before it is drawn.

    Attributes
    ----------
    header
        The name of each column.
    numeric
        For each column, whether it holds numbers, which stand at the right.
    sections
        Groups of rows; each row has one text for each column.
    """

    header: tuple[str, ...]
    numeric: tuple[bool, ...]
    sections: tuple[Section, ...]

    def _padded(self, title: str) -> tuple[str, ...]:
        return (title, *[""] * (len(self.header) - 1))

    def markdown(self) -> str:
        """The table in GitHub's Markdown, without a final newline."""
        rows = [self.header, tuple("--:" if numeric else ":--" for numeric in self.numeric)]
        for section in self.sections:
            rows += [self._padded(f"**{section.title}**")] if section.title else []
            rows += section.rows
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)

    def html(self) -> str:
        """The table in HTML, a section as a ``tbody``."""
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.header)
        bodies = []
        for section in self.sections:
            title = f'<tr><th colspan="{len(self.header)}">{html.escape(section.title)}</th></tr>'
            rows = "".join(self._html_row(row) for row in section.rows)
            bodies.append(f"<tbody>{title if section.title else ''}{rows}</tbody>")
        return f"<table><thead><tr>{head}</tr></thead>{''.join(bodies)}</table>"

    def _html_row(self, row: tuple[str, ...]) -> str:
        cells = []
        for cell, numeric in zip(row, self.numeric, strict=True):
            name = "number" if numeric else cell.replace(" ", "-") if cell in STYLES else ""
            cells.append(f'<td class="{name}">{html.escape(cell)}</td>' if name else f"<td>{html.escape(cell)}</td>")
        return f"<tr>{''.join(cells)}</tr>"

    def rich(self, title: str, caption: str) -> Table:
        """The table for the terminal.

        Raises
        ------
        MissingExtraError
            If rich is not installed.
        """
        extra("rich", "report", "drawing tables in the terminal")
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=title,
            title_justify="left",
            title_style="bold",
            caption=caption.replace("\n", " "),
            caption_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        rows = [row for section in self.sections for row in section.rows]
        for k, (name, numeric) in enumerate(zip(self.header, self.numeric, strict=True)):
            widest = max((len(row[k]) for row in rows), default=0)  # if there is no room, headers wrap, but no cell
            table.add_column(name, justify="right" if numeric else "left", min_width=widest)
        for section in self.sections:
            if section.title:
                table.add_row(*self._padded(section.title), style="bold")
            for row in section.rows:
                table.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in row))
            table.add_section()
        return table


def _number(value: float | None, digits: int = 3) -> str:
    return NOTHING if value is None or math.isnan(value) else f"{value:.{digits}g}"


def witness_grid(moments: Sequence[Moment]) -> Grid:
    """One row for each witness at each moment.

    Parameters
    ----------
    moments
        As in `refnn.report.verification.Verification`.

    Returns
    -------
    Grid
        See `BOUND` for what the numbers are.
    """
    header = ("witness", "ulps", "bounds", "seconds", "verdict")
    sections = tuple(Section(moment.when, tuple(map(_witness_cells, moment.rows))) for moment in moments)
    return Grid(header, (False, True, True, True, False), sections)


def _witness_cells(row: Row) -> tuple[str, ...]:
    seconds = f"{row.seconds:.2f}" if row.verdict in SPOKE else NOTHING
    return _name(row), _number(row.ulps), _number(row.ratio, 2), seconds, row.verdict


def witness_title(verification: Verification) -> str:
    """What the table of the witnesses shows, and on how many samples."""
    samples = len(verification.data.x)
    return f"The gradient by backpropagation, on {of_all(verification.examined, samples)}"


def witness_table(verification: Verification) -> Table:
    """`witness_grid` for the terminal.

    Raises
    ------
    MissingExtraError
        If rich is not installed.
    """
    return witness_grid(verification.moments).rich(witness_title(verification), BOUND)


def exact_grid(moments: Sequence[Moment]) -> Grid:
    """Two rows for each moment with an exact gradient: the worst float, and its exact value.

    Parameters
    ----------
    moments
        As in `refnn.report.verification.Verification`.

    Returns
    -------
    Grid
        See `EXACT` for what the numbers are.
    """
    header = ("largest error at", "gradient", "ulps", "bounds", "right")
    sections = tuple(Section(m.when, _exact_rows(m.rounding)) for m in moments if m.rounding is not None)
    return Grid(header, (False, True, True, True, True), sections)


def _exact_rows(rounding: Rounding) -> tuple[tuple[str, ...], ...]:
    right = f"{rounding.correct} of {rounding.elements}"
    if rounding.ulps is None:
        what = f"every {'decided ' * (rounding.undecided > 0)}element is exactly 0"
        return ((what, NOTHING, NOTHING, _number(rounding.ratio, 2), right),)
    computed = f"{rounding.computed:.{DIGITS - 1}e}"
    return (
        (rounding.place, computed, _number(rounding.ulps), _number(rounding.ratio, 2), right),
        ("exact value", rounding.exact, "", "", ""),
    )


def exact_title(verification: Verification) -> str:
    """What the table of the exact gradient shows, and on how many samples."""
    rounding = verification.moments[0].rounding
    several = 0 if rounding is None else rounding.samples
    return f"The same gradient against its exact value, on {of_all(several, len(verification.data.x))}"


def of_all(several: int, samples: int) -> str:
    """So many of the samples, in words."""
    return f"all {samples} samples" if several == samples else f"{several} of the {samples} samples"


def exact_table(verification: Verification) -> Table:
    """`exact_grid` for the terminal.

    Raises
    ------
    MissingExtraError
        If rich is not installed.
    """
    return exact_grid(verification.moments).rich(exact_title(verification), EXACT)


def allowed_grid(moments: Sequence[Moment]) -> Grid:
    """Two rows for each moment: how far float32 is from the truth and may be, and what bfloat16 could tell.

    Parameters
    ----------
    moments
        As in `refnn.report.verification.Verification`.

    Returns
    -------
    Grid
        See `ALLOWED` for what the numbers are.
    """
    header = ("largest error at", "bounds", "known", "median", "unnoticed", "verdict")
    sections = tuple(Section(moment.when, _allowed_rows(moment.allowed)) for moment in moments)
    return Grid(header, (False, True, True, True, True, False), sections)


def _allowed_rows(allowed: Allowed | None) -> tuple[tuple[str, ...], ...]:
    if allowed is None:
        return (("out of float32's range", *[NOTHING] * 4, ""),)
    n = allowed.elements
    unnoticed = f"{allowed.unnoticed}, {100 * allowed.unnoticed / n:.0f} %"
    known, median = f"{allowed.decided} of {n}", _number(allowed.relative, 2)
    coarse = f"{allowed.bfloat16_decided} of {n}", _number(allowed.bfloat16_relative, 2)
    return (
        (allowed.place, _number(allowed.ratio, 2), known, median, unnoticed, allowed.verdict),
        ("in bfloat16", "", *coarse, "", ""),
    )


def allowed_title(verification: Verification) -> str:
    """What the table of float32 shows, and on how many samples."""
    several = {moment.allowed.samples for moment in verification.moments if moment.allowed is not None}
    return f"How far off float32 may be, on {of_all(max(several, default=0), len(verification.data.x))}"


def allowed_table(verification: Verification) -> Table:
    """`allowed_grid` for the terminal.

    Raises
    ------
    MissingExtraError
        If rich is not installed.
    """
    return allowed_grid(verification.moments).rich(allowed_title(verification), ALLOWED)


def certificate(verification: Verification) -> str:
    """Which learning rates provably lower the loss, in a sentence or two; or what it needs to say so."""
    descent = verification.descent
    if descent is None:
        return f"No exact values and no proofs: {verification.missing}."
    every = len(verification.data.x)
    samples = of_all(descent.samples, every) + (", for proofs take time" if descent.samples < every else "")
    again = {True: "holds when", False: "does NOT hold when", None: "was too long to be"}[descent.holds]
    tiles = f"{len(descent.boxes)} tile{'s' * (len(descent.boxes) != 1)}"
    proof = f" The proof has {tiles} of {descent.bits} bits, and {again} checked anew." if descent.boxes else ""
    return f"One step from the start, with {samples}: {descent.sentence}.{proof}"


def blind_spots(moments: Sequence[Moment]) -> list[tuple[str, str]]:
    """Each witness once, with what it compared before training, and what it cannot see; or why it was not run."""
    return [(_name(row), _reach(row)) for row in moments[0].rows]


def _reach(row: Row) -> str:
    if row.verdict not in SPOKE:
        return f"{row.verdict}: {row.note}"
    return f"compared {row.sees}; cannot see {row.blind_to}"


def notes(moments: Sequence[Moment]) -> list[tuple[str, str]]:
    """What the witnesses remarked, and when; but not again what `blind_spots` says."""
    when: dict[tuple[str, str], list[str]] = {}
    said = {(row.witness, row.note) for row in moments[0].rows if row.verdict not in SPOKE}
    for moment in moments:
        for row in moment.rows:
            if (row.witness, row.note) not in said:
                when.setdefault((_name(row), row.note), []).append(moment.when)
        for note in _rounding_notes(moment.rounding):
            when.setdefault(("exact value", note), []).append(moment.when)
    return [(f"{name}, {', '.join(times)}", note) for (name, note), times in when.items() if note]


def _rounding_notes(rounding: Rounding | None) -> list[str]:
    if rounding is None:
        return []
    undecided = f"{rounding.undecided} of {rounding.elements} elements cannot be rounded with {rounding.bits} bits"
    missed = f"{rounding.missed} of {rounding.elements} elements are 0, and not 0 in floats; they have no ulps"
    return [undecided] * (rounding.undecided > 0) + [missed] * (rounding.missed > 0)


def _name(row: Row) -> str:
    return row.witness.replace("_", " ")


def training_grid(verification: Verification) -> Grid:
    """One row for each variant of gradient descent; all begin at the loss that `training_title` tells."""
    header = ("variant", "steps", "seconds", "loss after", "noise", "accuracy", "")
    rows = []
    for run in verification.runs:
        share = verification.accuracy(run)
        rows.append(
            (
                run.variant,
                str(run.steps),
                f"{run.seconds[-1]:.3f}",
                _number(run.final_loss),
                _number(run.noise, 2),
                NOTHING if share is None else f"{100 * share:.1f} %",
                _outcome(run),
            )
        )
    keep = [k for k in range(len(header)) if any(row[k] not in {"", NOTHING} for row in rows)]
    return Grid(
        tuple(header[k] for k in keep),
        tuple(0 < k < len(header) - 1 for k in keep),
        (Section("", tuple(tuple(row[k] for k in keep) for row in rows)),),
    )


def _outcome(run: Run) -> str:
    if run.diverged_at is not None:
        return "diverged"
    return "rose" if run.final_loss > run.losses[0] else ""


def training_title(verification: Verification) -> str:
    """What the table of the training shows, and where all variants began."""
    settings, start = verification.settings, float(verification.runs[0].losses[0])
    epochs = f"{settings.epochs} epoch{'s' * (settings.epochs > 1)}"
    return f"Training, {epochs} at learning rate {settings.learning_rate:g}, from a loss of {_number(start)}"


def training_table(verification: Verification) -> Table:
    """`training_grid` for the terminal.

    Raises
    ------
    MissingExtraError
        If rich is not installed.
    """
    return training_grid(verification).rich(training_title(verification), NOISE)


def verdict(verification: Verification) -> str:
    """The whole story in a sentence or two."""
    said = [(row.verdict, _name(row), moment.when) for moment in verification.moments for row in moment.rows]
    against = [f"{name} ({when})" for word, name, when in said if word == "disagrees"]
    against += [f"its exact value ({m.when})" for m in verification.moments if m.rounding and m.rounding.ratio > 1]
    against += [f"its bounds in float32 ({m.when})" for m in verification.moments if m.allowed and m.allowed.ratio > 1]
    undecided = [f"{name} ({when})" for word, name, when in said if word == "undecided"]
    unknown = [m.when for m in verification.moments if m.rounding and math.isnan(m.rounding.ratio)]
    silent = [moment.when for moment in verification.moments if not moment.agrees]
    parts = []
    if against:
        parts.append(f"The gradient disagrees with {', '.join(against)}.")
    elif undecided:
        parts.append(f"Undecided, for zeros would pass in place of the gradient: {', '.join(undecided)}.")
    elif unknown:
        parts.append(f"Undecided, for the exact gradient is not known {', '.join(unknown)}.")
    elif silent:
        parts.append(f"No witness spoke {', '.join(silent)}.")
    else:
        names = dict.fromkeys(name for word, name, _ in said if word == "agrees")
        exact = "; and with its exact value" if all(moment.rounding for moment in verification.moments) else ""
        single = "; and float32 is within its bounds" if all(moment.allowed for moment in verification.moments) else ""
        parts.append(f"The gradient agrees with every witness that spoke: {', '.join(names)}{exact}{single}.")
    diverged = [
        f"{run.variant} (at step {run.diverged_at})" for run in verification.runs if run.diverged_at is not None
    ]
    rose = [run.variant for run in verification.runs if _outcome(run) == "rose"]
    parts += [f"Training diverged with {', '.join(diverged)}."] if diverged else []
    parts += [f"The loss rose with {', '.join(rose)}."] if rose else []
    parts += ["A lower learning rate may help."] if diverged or rose else []
    return " ".join(parts)
