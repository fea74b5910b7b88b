"""Verifies all derivations, and writes their pages: ``python -m proofs``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from proofs import pictures
from proofs.kernel import NotProvedError, verify_all
from proofs.markdown import index, rendered
from proofs.page import Book

HERE = Path(__file__).parent


def files(book: Book) -> Iterator[tuple[str, Callable[[], str]]]:
    """The name of each page's file, and what writes its text."""
    yield "README.md", lambda: index(book)
    for page in book.pages:
        yield page.file, lambda page=page: rendered(page, book)  # type: ignore[misc] # mypy does not infer it


def stale(book: Book, folder: Path) -> Iterator[str]:
    """What in the folder is not as it would be written now."""
    expected = dict(files(book))
    for name, text in expected.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif path.read_text(encoding="utf-8") != text():
            yield f"{name} is stale"
    for path in sorted(folder.glob("*.md")):
        if path.name not in expected:
            yield f"{path.name} is of no page"
    for picture in pictures.pictures(book):
        if pictures.stale(picture, folder / "figures"):
            yield f"figures/{picture.name}.svg is missing or stale"


def main(arguments: Sequence[str]) -> int:
    """0 if all is proved and as it should be, 1 if not."""
    from proofs.topics import BOOK

    parser = argparse.ArgumentParser(prog="python -m proofs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page or picture is stale")
    parser.add_argument("--html", metavar="DIR", type=Path, help="write the pages as a web book into this folder")
    given = parser.parse_args(arguments)
    try:
        verify_all(BOOK.theorems())
    except NotProvedError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a program's message
        return 1
    print(f"{len(BOOK.theorems())} theorems are proved")  # noqa: T201 - likewise
    if given.html is not None:
        from proofs.book import write

        try:
            number = write(BOOK, given.html, HERE / "figures")
        except OSError as error:
            parser.error(f"--html {given.html}: {error}")
        print(f"{number} pages are written: open {given.html / 'index.html'}")  # noqa: T201 - likewise
        return 0
    if given.check:
        complaints = list(stale(BOOK, HERE))
        for complaint in complaints:
            print(f"{complaint}: run python -m proofs", file=sys.stderr)  # noqa: T201 - likewise
        return int(bool(complaints))
    for name, text in files(BOOK):
        (HERE / name).write_text(text(), encoding="utf-8")
    for picture in pictures.pictures(BOOK):
        if pictures.stale(picture, HERE / "figures"):  # the same numbers stay the same file
            (HERE / "figures" / f"{picture.name}.svg").write_text(pictures.svg(picture), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
