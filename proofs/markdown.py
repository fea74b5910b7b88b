"""Pages as Markdown: mathematics in the two forms that GitHub passes through unharmed, a fence and ``$`…`$``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sympy import sympify

from proofs.kernel import Assumption, Bound, Definition, Induction, Instance, Proved, Statement, Step, Theorem
from proofs.latex import latex, letter
from proofs.page import (
    Book,
    Code,
    Display,
    Fails,
    Page,
    Picture,
    Prose,
    Symbol,
    Table,
    Worked,
    definitions,
    output,
    source,
    theorems,
)

__all__ = ["index", "rendered"]

_SIGNS = {"=": "=", "≤": r"\le", "≥": r"\ge", "<": "<", ">": ">"}

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)

_MANY = 4
"""A page of so many parts begins with a list of them."""

HERE = "<!-- Written by `python -m proofs` from the theorems that it checks: change those in proofs/topics. -->"


def rendered(page: Page, book: Book) -> str:
    """The whole page."""
    return _Page(page, book).text()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown, whose cells hold no line breaks and no vertical lines."""
    for row in (head, *rows):
        for cell in row:
            if "\n" in cell or "|" in cell.replace("\\|", ""):
                raise ValueError(f"the cell {cell!r} would break its table")
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def inline(text: str) -> str:
    """Mathematics within a line."""
    return f"$`{text}`$"


def fence(text: str, tag: str = "") -> str:
    """Mathematics on a line of its own, with the number of its equation."""
    numbered = rf"{text} \tag{{{tag}}}" if tag else text
    return f"```math\n{numbered}\n```"


class _Page:
    """The state of rendering one page: the numbers of its equations."""

    def __init__(self, page: Page, book: Book) -> None:
        self.page, self.book = page, book
        self.numbers = equation_numbers(page)

    def text(self) -> str:
        page = self.page
        blocks = [HERE, f"# {page.number}. {page.title}", self.linked(page.abstract)]
        if page.needs:
            blocks.append(f"Read before: {self.pages(page.needs)}.")
        if page.symbols:
            blocks.append(table(("symbol", "shape", "what it is"), [_symbol_row(symbol) for symbol in page.symbols]))
        headings = [each for part in page.parts if isinstance(part, Prose) for each in _HEADING.findall(part.text)]
        if len(headings) >= _MANY:
            blocks.append("On this page: " + " · ".join(f"[{each}](#{_place(each)})" for each in headings) + ".")
        for part in page.parts:
            blocks += self.part(part)
        if page.leads:
            blocks.append(f"Read on: {self.pages(page.leads)}.")
        blocks.append("[All pages](README.md)")
        return "\n\n".join(block.strip("\n") for block in blocks) + "\n"

    # -------------------------------------------------------------------------------------------------------- links

    def pages(self, slugs: Sequence[str]) -> str:
        return ", ".join(self.link(slug) for slug in slugs)

    def link(self, name: str, text: str = "") -> str:
        """A link to a page by its slug, or to a theorem by its id."""
        page = self.book.places[name]
        if name == page.slug:
            return f"[{text or page.title}]({page.file})"
        return self.to_theorem(name, text)

    def to_theorem(self, name: str, text: str = "") -> str:
        """A link to a theorem by its id, which may be the slug of its page too."""
        page = self.book.places[name]
        theorem = next(theorem for theorem in theorems(page) if theorem.id == name)
        file = "" if page is self.page else page.file
        return f"[{text or _small(theorem.title)}]({file}#{name})"

    def linked(self, text: str) -> str:
        """Text with its ``[[name]]`` and ``[[name|text]]`` as links."""
        return re.sub(r"\[\[([\w-]+)(?:\|([^\]]*))?\]\]", lambda m: self.link(m.group(1), m.group(2) or ""), text)

    def equation(self, definition: Definition) -> str:
        """A link to a definition, by its number."""
        for page in self.book.pages:
            number = equation_numbers(page).get(id(definition))
            if number is not None:
                file = "" if page is self.page else page.file
                return f"[({number})]({file}#{_anchor(number)})"
        raise KeyError(f"{definition.what} stands on no page")

    # -------------------------------------------------------------------------------------------------------- parts

    def part(self, part: Any) -> Iterator[str]:
        match part:
            case Prose():
                yield self.linked(_HEADING.sub(_marked, part.text))
            case Display():
                yield fence(part.latex)
            case Code():
                file, _, text = source(part.of)
                yield f"In refnn, [`{_name(part.of)}`](../{file}):\n\n```python\n{text}\n```"
            case Fails():
                yield f"> **Where it fails: {part.title}.** {self.linked(part.text)}"
                yield f"```python\n{part.code.strip()}\n```\n\nprints\n\n```\n{output(part.code)}\n```"
            case Worked():
                yield from self.worked(part)
            case Picture():
                yield f"![{part.alt}](figures/{part.name}.svg)"
            case Table():
                yield table(part.head, [[self.linked(cell) for cell in row] for row in part.rows()])
            case Definition():
                yield from self.definition(part)
            case Theorem():
                yield from self.theorem(part, self.proof(part.start, part.steps))
            case _:
                yield from self.theorem(part, self.induction(part))

    def definition(self, definition: Definition) -> Iterator[str]:
        number = self.numbers[id(definition)]
        shape = f", {definition.shape}" if definition.shape else ""
        cited = f" ({definition.source})" if definition.source else ""
        what = _large(self.linked(definition.what))
        yield f'<a id="{_anchor(number)}"></a>**Definition{shape}.** {what}{cited}:'
        yield fence(f"{latex(definition.symbol)} = {latex(definition.expression)}", number)

    def theorem(self, theorem: Proved, proof: Sequence[str]) -> Iterator[str]:
        number = self.numbers[id(theorem)]
        yield f'<a id="{theorem.id}"></a>\n\n### {theorem.title}'
        conditions = [f"For {theorem.sizes}."] if theorem.sizes else []
        if theorem.assuming:
            conditions.append("Assuming " + "; ".join(self.assumption(each) for each in theorem.assuming) + ".")
        if theorem.holds:
            conditions.append(f"It holds for {self.linked(theorem.holds)}.")
        if conditions:
            yield " ".join(conditions)
        sides = f"{latex(theorem.symbol)} {_SIGNS[theorem.relation]} {latex(theorem.expression)}"
        yield f'<a id="{_anchor(number)}"></a>\n\n{fence(sides, number)}'
        yield from proof
        if theorem.matrix:
            yield f"For whole arrays, as notation for what is proved of each element:\n\n{fence(theorem.matrix)}"
        if theorem.code or theorem.law:
            code = [f"[`{_name(of)}`](../{source(of)[0]})" for of in theorem.code]
            laws = [f"[`{law.split('::')[1]}`](../tests/{law.split('::')[0]})" for law in theorem.law]
            told = [f"In refnn: {', '.join(code)}."] if code else []
            yield " ".join([*told, *([f"As a law, tested with floats: {', '.join(laws)}."] if laws else [])])

    def assumption(self, each: Assumption) -> str:
        sides = f"{latex(each.symbol)} {_SIGNS[each.relation]} {latex(each.expression)}"
        return f"{self.linked(each.what)}, {inline(sides)}"

    def proof(self, start: Any, steps: Sequence[Step], name: str = "Proof") -> list[str]:
        rows = [["", inline(rf"\displaystyle {latex(start)}"), ""]]
        for step in steps:
            sides = inline(rf"{_SIGNS[step.relation]} \displaystyle {latex(step.expression)}")
            rows.append([f"`{step.tactic}`", sides, self.reason(step)])
        return [table((name, "", "because"), rows)]

    def induction(self, theorem: Induction) -> list[str]:
        number = latex(theorem.over)
        blocks = [f"By induction over {inline(number)}, from {inline(f'{number} = {latex(theorem.first)}')}."]
        begin = theorem.symbol.xreplace({theorem.over: theorem.first})  # with the names that its indices have
        blocks += self.proof(begin, theorem.base, f"First, {inline(f'{number} = {latex(theorem.first)}')}")
        following = latex(theorem.following)
        begin = theorem.symbol.xreplace({theorem.over: theorem.following})
        blocks += self.proof(begin, theorem.step, f"From {inline(number)} to {inline(following)}")
        return blocks

    def reason(self, step: Step) -> str:
        cited = [self.cited(used) for used in step.using]
        cited += [self.bound(bound) for bound in step.bounds]
        known = list(dict.fromkeys(each for each in cited if each))
        return self.linked(step.reason) + (f" ({', '.join(known)})" if known else "")

    def cited(self, used: Any) -> str:
        match used:
            case Definition():
                return self.equation(used)
            case Assumption():
                return "assumed"
            case Statement():
                return "the hypothesis"
            case Instance():
                return self.to_theorem(used.of.id)
            case _:
                return self.to_theorem(used.id)

    def bound(self, bound: Bound) -> str:
        facts = ", ".join(self.cited(fact) for fact in bound.facts)
        if bound.weight == 1 and facts:
            return facts
        over = "".join(rf"\sum_{{{latex(index)}}} " for index in bound.over)
        if bound.along:
            letter_, low, high = map(latex, bound.along)
            over = rf"\int_{{{low}}}^{{{high}}} \mathrm{{d}} {letter_} {over}"
        weight = inline(rf"{over}{latex(bound.weight)} \ge 0")
        return f"{weight} times {facts}" if facts else weight

    def worked(self, part: Worked) -> Iterator[str]:
        yield f"### Example: {part.title}\n\n{self.linked(part.text)}"
        given = [f"{letter(name)} = {matrix(values)}" for name, values in part.given.items()]
        yield fence(r" \qquad ".join(given))
        rows = [
            [inline(f"{quantity.name} = {matrix(part.fractions(quantity))}"), self.linked(quantity.why)]
            for quantity in part.quantities
        ]
        yield table(("quantity", "how"), rows)


def equation_numbers(page: Page) -> dict[int, str]:
    """The number of each definition and theorem of a page, by its identity."""
    numbered = [part for part in page.parts if isinstance(part, Definition | Theorem | Induction)]
    return {id(part): f"{page.number}.{n}" for n, part in enumerate(numbered, 1)}


def _anchor(number: str) -> str:
    return f"eq-{number.replace('.', '-')}"


def _place(heading: str) -> str:
    """The anchor of a part of a page, which no theorem has."""
    return "part-" + re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _marked(heading: re.Match[str]) -> str:
    return f'<a id="{_place(heading[1])}"></a>\n\n{heading[0]}'


def _name(of: str) -> str:
    return of.replace(":", ".")


def _small(title: str) -> str:
    first, _, rest = title.partition(" ")
    return title if any(map(str.isupper, first[1:])) else f"{first.lower()} {rest}".strip()


def _large(text: str) -> str:
    return text[:1].upper() + text[1:]


def matrix(values: Any) -> str:
    """Fractions as a number, a row, or a matrix in LaTeX."""
    array = np.asarray(values, dtype=object)
    if array.ndim == 0:
        return latex(sympify(array.item()))
    rows = array.reshape(1, -1) if array.ndim == 1 else array
    lines = (" & ".join(latex(sympify(value)) for value in row) for row in rows)
    return r"\begin{pmatrix} " + r" \\ ".join(lines) + r" \end{pmatrix}"


def _symbol_row(symbol: Symbol) -> list[str]:
    return [inline(symbol.latex), symbol.shape, symbol.what]


# ------------------------------------------------------------------------------------------------------------ the index

_ABOUT = (
    "Why a gradient is what it is, and why the loss goes down: for all sizes, with every step checked by SymPy, every "
    "step tried with numbers, and what is proved tried on the code that does it. `python -m proofs --check` does all "
    "of that again; `python -m proofs --html DIR` writes these pages as a book for the browser."
)


def index(book: Book) -> str:
    """The first page: what there is, and a table of all rules."""
    pages = [
        [str(page.number), f"[{page.title}]({page.file})", _Page(page, book).linked(page.abstract)]
        for page in book.pages
    ]
    rules = [(page, [_rule(theorem, page) for theorem in theorems(page)]) for page in book.pages if theorems(page)]
    number = sum(len(definitions(page)) for page in book.pages)
    blocks = [
        HERE,
        "# Derivations",
        _ABOUT,
        "## Pages",
        table(("", "page", "what it shows"), pages),
        "## Symbols",
        "These letters mean the same on most pages; each page has a table of its own.",
        table(("symbol", "shape", "what it is"), [_symbol_row(symbol) for symbol in book.symbols]),
        "## All rules",
        f"{len(book.theorems())} theorems and {number} definitions. What they say of code, `tests/proofs` tries on it.",
    ]
    for page, said in rules:
        blocks += [f"### [{page.title}]({page.file})", table(("theorem", "what it says", "code", "law"), said)]
    return "\n\n".join(blocks) + "\n"


def _rule(theorem: Proved, page: Page) -> list[str]:
    sides = f"{latex(theorem.symbol)} {_SIGNS[theorem.relation]} {latex(theorem.expression)}"
    code = ", ".join(f"[`{of.partition(':')[2]}`](../{source(of)[0]})" for of in theorem.code)
    law = ", ".join(
        f"[`{each.split('::')[0].rpartition('/')[2]}`](../tests/{each.split('::')[0]})" for each in theorem.law
    )
    return [f"[{theorem.title}]({page.file}#{theorem.id})", inline(sides), code, law]
