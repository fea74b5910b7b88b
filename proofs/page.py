"""What a page of derivations is made of."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

import numpy as np
import sympy
from sympy import Rational

from proofs.instances import ball, written_out
from proofs.kernel import Definition, Induction, Proved, Theorem
from proofs.sums import Expression, Index
from refnn.arithmetic.ball import BallArray, working_precision

__all__ = [
    "Book",
    "Code",
    "Display",
    "Fails",
    "Page",
    "Part",
    "Picture",
    "Prose",
    "Quantity",
    "Symbol",
    "Table",
    "Worked",
    "definitions",
    "output",
    "source",
    "theorems",
]


@final
@dataclass(frozen=True)
class Prose:
    """Text in Markdown, with mathematics between ``$`` and a backtick, as GitHub asks.

    Attributes
    ----------
    text
        Any number of paragraphs. ``[[id]]`` becomes a link to a theorem, by its name, or to a page, by its slug.
    """

    text: str


@final
@dataclass(frozen=True)
class Display:
    """A line of mathematics of its own, which claims nothing.

    Attributes
    ----------
    latex
        In LaTeX.
    """

    latex: str


@final
@dataclass(frozen=True)
class Code:
    """The lines of refnn that do what was proved.

    Attributes
    ----------
    of
        A function, as "module:name".
    """

    of: str


@final
@dataclass(frozen=True)
class Fails:
    """Where it fails: a few lines of Python, which are run, and what they print.

    Attributes
    ----------
    title
        What fails.
    text
        Why, in Markdown.
    code
        The lines. What they print is the same on every machine.
    """

    title: str
    text: str
    code: str


@final
@dataclass(frozen=True)
class Quantity:
    """A line of a worked example.

    Attributes
    ----------
    name
        In LaTeX.
    value
        An expression in the letters that are given, whose free indices are `axes`; its value is a fraction.
    axes
        The rows first, then the columns.
    why
        In Markdown: how it is found with pencil and paper.
    code
        How refnn computes it from the same arrays, as balls.
    """

    name: str
    value: Expression
    axes: tuple[Index, ...] = ()
    why: str = ""
    code: Callable[[Mapping[str, BallArray]], Any] | None = None


@final
@dataclass(frozen=True)
class Worked:
    """An example for pencil and paper, in which every value is a fraction.

    Attributes
    ----------
    title, text
        What is asked.
    sizes
        The value of each size.
    given
        The elements of each array, by its letter; a number without axes for a symbol.
    quantities
        What is found, one after the other.
    """

    title: str
    text: str
    sizes: Mapping[Expression, int]
    given: Mapping[str, Any]
    quantities: tuple[Quantity, ...]

    def fractions(self, quantity: Quantity) -> Any:
        """Its values, as an array of `sympy.Rational`."""
        numbers = {}
        for letter, values in self.given.items():
            for where, value in np.ndenumerate(np.asarray(values, dtype=object)):
                name = f"{letter}[{', '.join(str(n + 1) for n in where)}]" if np.ndim(values) else letter
                numbers[name] = sympy.sympify(value)
        shape = tuple(self.sizes[index.size] for index in quantity.axes)
        found = np.empty(shape, dtype=object)
        for place in np.ndindex(shape):
            at = dict(zip(quantity.axes, (n + 1 for n in place), strict=True))
            value = written_out(quantity.value, self.sizes, at)
            value = value.subs({symbol: numbers[symbol.name] for symbol in value.free_symbols})
            if not isinstance(value, Rational):
                value = sympy.nsimplify(value.expand()) if value.is_rational else value
            if not isinstance(value, Rational):
                raise TypeError(f"{quantity.name} at {place} is {value}, which is no fraction")
            found[place] = value
        return found

    def balls(self) -> dict[str, BallArray]:
        """What is given, as refnn takes it, in the working precision."""
        found = {}
        for letter, values in self.given.items():
            array = np.asarray(values, dtype=object)
            elements = [ball(sympy.sympify(value)) for value in array.flat]
            found[letter] = BallArray(np.fromiter(elements, object, array.size).reshape(array.shape))
        return found

    def contradictions(self) -> list[str]:
        """What refnn computes otherwise."""
        wrong = []
        with working_precision(_BITS):
            for quantity in self.quantities:
                if quantity.code is None:
                    continue
                stated, found = self.fractions(quantity), quantity.code(self.balls())
                if found.shape != stated.shape or not all(
                    theirs.overlaps(ball(value)) and theirs.rad() < _SHARP
                    for theirs, value in zip(found.elements.flat, stated.flat, strict=True)
                ):
                    wrong.append(f"{quantity.name} is {stated.tolist()}, and refnn computes {found.text(12).tolist()}")
        return wrong


_BITS, _SHARP = 160, 2.0**-80


@final
@dataclass(frozen=True)
class Picture:
    """A picture, which `python -m proofs` draws.

    Attributes
    ----------
    name
        Of the file in proofs/figures, without its ending.
    alt
        What is to be seen, in words, for those who cannot see it.
    draw
        A figure of matplotlib.
    numbers
        All that is drawn, rounded to what can be seen: if these are those of the committed picture, it is not stale.
    """

    name: str
    alt: str
    draw: Callable[[], Any]
    numbers: Callable[[], Sequence[float]]


@final
@dataclass(frozen=True)
class Table:
    """A table whose cells are Markdown; what is measured in it is computed when the page is rendered.

    Attributes
    ----------
    head
        The columns.
    rows
        Gives the cells.
    """

    head: tuple[str, ...]
    rows: Callable[[], Sequence[Sequence[str]]]


@final
@dataclass(frozen=True)
class Symbol:
    """A letter of a page.

    Attributes
    ----------
    latex, shape, what
        How it is written, its shape in the letters of the page ("" for a number), and what it is.
    """

    latex: str
    shape: str
    what: str


Part: TypeAlias = Prose | Display | Code | Fails | Worked | Picture | Table | Definition | Theorem | Induction


@final
@dataclass(frozen=True)
class Page:
    """A page about one topic.

    Attributes
    ----------
    number, slug, title
        Its place in the book, its permanent name, and what it is about.
    abstract
        What is shown, in one or two sentences.
    needs, leads
        The slugs of the pages to be read before, and of those to go on with.
    symbols
        The letters that it uses.
    parts
        What stands on it, in order.
    """

    number: int
    slug: str
    title: str
    abstract: str
    needs: tuple[str, ...]
    symbols: tuple[Symbol, ...]
    parts: tuple[Part, ...]
    leads: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.number:02d}-{self.slug}.md"


@final
@dataclass(frozen=True)
class Book:
    """All pages, and where everything stands.

    Attributes
    ----------
    pages
        In their order.
    symbols
        The letters that mean the same on most of them.
    """

    pages: tuple[Page, ...]
    symbols: tuple[Symbol, ...] = ()
    places: dict[str, Page] = field(init=False)

    def __post_init__(self) -> None:
        places = {page.slug: page for page in self.pages}
        for page in self.pages:
            places |= {theorem.id: page for theorem in theorems(page)}
        object.__setattr__(self, "places", places)

    def theorems(self) -> list[Proved]:
        """All theorems, in their order."""
        return [theorem for page in self.pages for theorem in theorems(page)]


def theorems(page: Page) -> list[Proved]:
    """The theorems of a page."""
    return [part for part in page.parts if isinstance(part, Theorem | Induction)]


def definitions(page: Page) -> list[Definition]:
    """The definitions of a page."""
    return [part for part in page.parts if isinstance(part, Definition)]


def source(of: str) -> tuple[str, int, str]:
    """The lines of a function of refnn without its docstring: its file, the number of its first line, and the text."""
    module, _, name = of.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = inspect.getattr_static(found, part) if inspect.isclass(found) else getattr(found, part)
    found = inspect.unwrap(getattr(found, "fget", None) or found)
    lines, first = inspect.getsourcelines(found)
    text = textwrap.dedent("".join(lines)).rstrip()
    doc = found.__doc__
    if doc is not None:
        begin = text.index('"""')
        end = text.index('"""', begin + 3) + 3
        text = text[:begin].rstrip() + "\n" + text[end:].lstrip("\n")
    return module.replace(".", "/") + ".py", first, text


def output(code: str) -> str:
    """What lines of Python print."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "<where it fails>", "exec"), {})  # noqa: S102 - our own pages
    return printed.getvalue().rstrip()
