"""Pictures of the pages: drawn by matplotlib, and known to be stale by the numbers that they show.

The bytes of a picture depend on the version of matplotlib; the numbers in it do not. So each picture carries a digest
of its numbers, and that is compared.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

from proofs.page import Book, Picture

__all__ = ["digest", "pictures", "stale", "svg"]


def pictures(book: Book) -> list[Picture]:
    """The pictures of all pages."""
    return [part for page in book.pages for part in page.parts if isinstance(part, Picture)]


def digest(picture: Picture) -> str:
    """Of all its numbers, to four digits."""
    text = " ".join(f"{number:.3e}" for number in picture.numbers())
    return hashlib.sha256(f"{picture.name}: {text}".encode()).hexdigest()[:16]


def svg(picture: Picture) -> str:
    """The picture, with its digest."""
    from matplotlib import rc_context

    from refnn.report.plots import SETTINGS

    written = io.StringIO()
    with rc_context({**SETTINGS, "svg.hashsalt": picture.name}):
        picture.draw().savefig(written, format="svg", metadata={"Date": None, "Description": digest(picture)})
    return re.sub(r"[ \t]+$", "", written.getvalue(), flags=re.MULTILINE)


def stale(picture: Picture, folder: Path) -> bool:
    """Whether the picture in the folder is missing, or shows other numbers."""
    path = folder / f"{picture.name}.svg"
    return not path.is_file() or digest(picture) not in path.read_text(encoding="utf-8")
