"""The report as a folder: pictures, Markdown, a page for the browser, and the numbers as JSON."""

from __future__ import annotations

import html
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from refnn.errors import DataError
from refnn.report import plots
from refnn.report.tables import (
    ALLOWED,
    BOUND,
    EXACT,
    NOISE,
    allowed_grid,
    allowed_title,
    blind_spots,
    certificate,
    exact_grid,
    exact_title,
    notes,
    of_all,
    training_grid,
    training_title,
    verdict,
    witness_grid,
    witness_title,
)
from refnn.report.verification import Verification

__all__ = ["check_folder", "write"]

LOSSES = {
    "classes": "mean cross-entropy in nats",
    "numbers": "mean of ½ error², target standardised",
}
"""What the loss is called, with its unit."""

LOOK = """\
What to look for: the full batch is stable and slow, the single sample fast for each sample seen and noisy, the
mini-batch between."""
RATES = """\
Full-batch training from the same parameters with learning rates from 0.001 to 1000. Right is the one that ended lowest;
too low, the lowest tried, if it made less than half of that progress; too high, the smallest above the right one that
diverged or ended above the start. What grows to more than a hundred times the loss at the start leaves the picture."""
PROVEN = """\
The shaded rates are proven: with each of them, one step from the start lowers the loss of """
CERTIFICATE = """\
What a certificate is: the loss after one step, L(w − ηg), as a function of the learning rate η alone. Each box is a
tile: at all its rates the loss is proven to lie within its height. Where a
box lies below the loss at the start, that is the proof; where it is hatched, the loss is proven to fall all the way
through it. The boxes cover every rate up to the certified one. The line is what floats measure."""
TOLERANCE = """\
What a tolerance is worth: each element of the gradient in float32 is a dot, and the dash above it how far off it may be
by a bound that is derived from its own roundings. What lies between the dashes and the line would go unnoticed with a
constant tolerance; where the line meets the dotted one, zeros would too. Elements that are exactly 0 are left out."""
PATHS = """\
The loss over all samples on the plane that is closest to all paths (their first two principal directions), and the
paths projected onto it."""

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 0.9rem; }
th, td { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; }
thead th { border-bottom: 2px solid #222; vertical-align: bottom; }
tbody { border-bottom: 1px solid #bbb; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.agrees { color: #00694d; } .disagrees { color: #b00020; font-weight: bold; }
.undecided, .not-installed { color: #8a5a00; }
figure { margin: 2rem 0; } img { max-width: 100%; } figcaption { color: #555; } dt { font-weight: bold; }
"""


def check_folder(path: str | os.PathLike[str]) -> Path:
    """`path` as a folder that a report can be written to, or an error, before any computing, that says why not.

    Parameters
    ----------
    path
        A folder that does not exist yet, or is empty, or holds an earlier report and nothing else.

    Raises
    ------
    DataError
        If there is something else at that place, or its parent folder does not exist or may not be written.
    """
    try:
        target = Path(path).resolve()
        exists, is_folder, parent_exists = target.exists(), target.is_dir(), target.parent.is_dir()
        present = {entry.name for entry in target.iterdir()} if is_folder else set()
    except (OSError, ValueError) as error:
        raise DataError(f"{str(path)!r} cannot be a folder", str(error), "Choose another place") from error
    if exists and not is_folder:
        raise DataError(f"{path} is a file", "the report is a folder", "Choose another place")
    if not parent_exists:
        raise DataError(f"{path} is in no folder", f"{target.parent} does not exist", "Make that folder first")
    if not os.access(target.parent, os.W_OK):
        raise DataError(f"{path} cannot be written", f"{target.parent} is not writable", "Choose another place")
    foreign = sorted(present - _own_files(target))
    if foreign:
        raise DataError(
            f"{path} holds {', '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}",
            "a report takes the place of the whole folder, and refnn did not write that",
            "Choose another folder, or move these files away",
        )
    return target


def _own_files(folder: Path) -> set[str]:
    """The files that an earlier report says it has; none, if there is no earlier report."""
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return set(report["files"]) if report["format"] == "refnn report" else set()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def write(verification: Verification, path: str | os.PathLike[str]) -> Path:
    """Write a report: complete, or not at all.

    Parameters
    ----------
    verification
        What `refnn.report.verification.verify` found.
    path
        The folder, as for `check_folder`.

    Returns
    -------
    pathlib.Path
        The page to open, ``index.html``.

    Raises
    ------
    DataError
        As `check_folder`, and if the files cannot be written.
    MissingExtraError
        If matplotlib is not installed.
    """
    target = check_folder(path)
    token = secrets.token_hex(8)
    unfinished, earlier = target.with_name(f".{token}.tmp"), target.with_name(f".{token}.old")
    try:
        unfinished.mkdir()
        _fill(unfinished, verification)
        if target.exists():
            target.rename(earlier)
        unfinished.rename(target)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written", error.strerror or str(error), "Choose another place, or make room"
        ) from error
    finally:
        if earlier.exists() and not target.exists():
            earlier.rename(target)
        for leftover in (unfinished, earlier):
            shutil.rmtree(leftover, ignore_errors=True)
    return target / "index.html"


def _fill(folder: Path, verification: Verification) -> None:
    pictures = _pictures(folder, verification)
    images = [name for name, _ in pictures]
    files = ["index.html", "report.json", "report.md", *images, *(f"{Path(name).stem}.png" for name in images)]
    document = {**verification.as_json(), "files": files}
    (folder / "report.json").write_text(as_text(document), encoding="utf-8")
    (folder / "report.md").write_text(_markdown(verification, pictures), encoding="utf-8")
    (folder / "index.html").write_text(_html(verification, pictures), encoding="utf-8")


def as_text(document: dict[str, Any]) -> str:
    """JSON for people to read, with a final newline."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _pictures(folder: Path, verification: Verification) -> list[tuple[str, str]]:
    """The pictures, written to a folder: the name of each SVG file, and its caption."""
    loss, descent = LOSSES[verification.data.kind], verification.descent
    samples = "" if descent is None else of_all(descent.samples, len(verification.data.x))
    figures = [
        (
            "loss",
            plots.loss_curves(verification.runs, loss),
            f"{LOOK} {NOISE} Seconds are those of training alone.",
        ),
        (
            "learning_rates",
            plots.learning_rates(verification.sweep, loss, verification.descent),
            RATES if descent is None or descent.rate == 0 else f"{RATES} {PROVEN}{samples}.",
        ),
    ]
    if descent is not None:
        figures.append(("certificate", plots.certificate(descent, loss), f"{CERTIFICATE} It is that of {samples}."))
    moments = [(moment.when, moment.allowed) for moment in verification.moments if moment.allowed is not None]
    if moments:
        figures.append(("tolerance", plots.allowed(moments[:1] + moments[1:][-1:]), TOLERANCE))
    if verification.surface is not None:
        figures.append(
            (
                "surface",
                plots.weight_paths(verification.surface, verification.runs, loss),
                PATHS,
            )
        )
    return [(plots.save(figure, folder, name)[0], caption) for name, figure, caption in figures]


def _facts(verification: Verification) -> list[tuple[str, str]]:
    data = verification.data
    targets = "numbers" if data.class_names is None else f"classes {', '.join(data.class_names)}"
    return [
        ("data", f"{data.name}: {len(data.x)} samples of {', '.join(data.feature_names)}; {targets}; standardised"),
        *(("remark", remark) for remark in data.remarks),
        ("from", data.provenance),
        ("network", "; ".join(str(layer) for layer in verification.network.layers)),
        ("loss", str(verification.network.loss_function)),
        ("seed", str(verification.settings.seed)),
    ]


def _markdown(verification: Verification, pictures: list[tuple[str, str]]) -> str:
    parts = [
        "# refnn verify",
        verdict(verification),
        _bullets(_facts(verification)),
        f"## {witness_title(verification)}",
        witness_grid(verification.moments).markdown(),
        BOUND,
        *_exact_part(verification),
        f"## {allowed_title(verification)}",
        allowed_grid(verification.moments).markdown(),
        ALLOWED,
        certificate(verification),
        "What each witness compared, and cannot see:",
        _bullets(blind_spots(verification.moments)),
        _bullets(notes(verification.moments)),
        f"## {training_title(verification)}",
        training_grid(verification).markdown(),
        *(f"![{_title(name)}]({name})\n\n{caption}" for name, caption in pictures),
        "The numbers are in [report.json](report.json).",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _exact_part(verification: Verification) -> list[str]:
    if verification.missing:
        return []
    return [f"## {exact_title(verification)}", exact_grid(verification.moments).markdown(), EXACT]


def _bullets(pairs: list[tuple[str, str]]) -> str:
    return "\n".join(f"* {name}: {text}" for name, text in pairs)


def _html(verification: Verification, pictures: list[tuple[str, str]]) -> str:
    facts = _definitions(_facts(verification))
    figures = "".join(
        f'<figure><img src="{name}" alt="{_title(name)}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        for name, caption in pictures
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>refnn verify</title>'
        f"<style>{STYLE}</style></head><body>\n"
        f"<h1>refnn verify</h1><p><strong>{html.escape(verdict(verification))}</strong></p>{facts}\n"
        f"<h2>{witness_title(verification)}</h2>{witness_grid(verification.moments).html()}\n"
        f"<p>{html.escape(BOUND)}</p>\n"
        f"{_exact_html(verification)}"
        f"<h2>{allowed_title(verification)}</h2>{allowed_grid(verification.moments).html()}\n"
        f"<p>{html.escape(ALLOWED)}</p>\n<p>{html.escape(certificate(verification))}</p>\n"
        f"<p>What each witness compared, and cannot see:</p>{_definitions(blind_spots(verification.moments))}\n"
        f"{_definitions(notes(verification.moments))}\n"
        f"<h2>{training_title(verification)}</h2>{training_grid(verification).html()}\n{figures}\n"
        '<p>The numbers are in <a href="report.json">report.json</a>.</p></body></html>\n'
    )


def _exact_html(verification: Verification) -> str:
    if verification.missing:
        return ""
    grid = exact_grid(verification.moments).html()
    return f"<h2>{exact_title(verification)}</h2>{grid}\n<p>{html.escape(EXACT)}</p>\n"


def _definitions(pairs: list[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{html.escape(a)}</dt><dd>{html.escape(b)}</dd>' for a, b in pairs)}</dl>"


def _title(picture: str) -> str:
    return Path(picture).stem.replace("_", " ")
