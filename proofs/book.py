"""The pages as a web book: static files, mathematics as MathML, no script and nothing from the network."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.token import Token

from proofs.markdown import index, rendered
from proofs.page import Book, Page

__all__ = ["mathml", "page_html", "write"]

_LONG = 40
"""Characters of LaTeX from which on mathematics in a line may be wider than a phone, and is scrolled then."""

_HEAD = 12
"""Tokens of a table up to its third heading, and no further than its first row."""

_TAG = re.compile(r"\\tag\{([^}]*)\}")

_PRIMED = re.compile(r"<msup>(<m[ion]\b[^>]*>[^<]*</m[ion]>)<mi>(&#x0203[234];)</mi></msup>")

_PRIMED_BELOW = re.compile(
    r"<msubsup>(<m[ion]\b[^>]*>[^<]*</m[ion]>)((?:(?!</?msubsup>).)*?)<mi>(&#x0203[234];)</mi></msubsup>"
)

_WORD = re.compile(r"<m[io]>(?!lim<)([A-Za-z]{2,})</m[io]>")
"""The name of a function; that of a limit has something below it."""


def mathml(latex: str, *, display: bool = False) -> str:
    r"""LaTeX as MathML.

    Parameters
    ----------
    latex
        As a page has it; ``\tag`` and ``\displaystyle`` are for the page to show.
    display
        Whether it stands on a line of its own.

    Examples
    --------
    >>> mathml("x^2").partition("<mrow>")[2]
    '<msup><mi>x</mi><mn>2</mn></msup></mrow></math>'
    """
    plain = _TAG.sub("", latex).replace(r"\displaystyle", "").strip()
    large = display or r"\displaystyle" in latex
    found = _spaced(str(convert(plain, display="block" if large else "inline")))
    return (
        found if display or not large else found.replace('display="block"', 'display="inline" displaystyle="true"', 1)
    )


def _spaced(found: str) -> str:
    """Primes as those of text, which stand high by themselves; and the names of functions next to their brackets."""
    found = _PRIMED.sub(r'<mrow>\1<mtext class="prime">\2</mtext></mrow>', found)
    found = _PRIMED_BELOW.sub(r'<msub><mrow>\1<mtext class="prime">\3</mtext></mrow>\2</msub>', found)
    return _WORD.sub(r'<mo form="prefix" lspace=".17em" rspace="0em">\1</mo>', found)


class _Renderer:
    """Markdown to HTML, with rules of its own for mathematics, tables, pictures and links."""

    def __init__(self) -> None:
        self.markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
        self.markdown.core.ruler.push("mathematics", self.mathematics)
        for name in ("fence", "table_open", "table_close", "link_open", "math_inline"):
            self.markdown.add_render_rule(name, getattr(self, name))

    def render(self, text: str) -> str:
        return str(self.markdown.render(text))

    def mathematics(self, state: Any) -> None:
        """``$`…`$`` is a dollar sign, code, and a dollar sign."""
        for token in state.tokens:
            if token.type == "inline":
                token.children = list(_with_mathematics(token.children))

    def math_inline(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        found, plain = mathml(tokens[place].content), tokens[place].content
        return f'<span class="wide">{found}</span>' if len(plain) > _LONG else found

    def fence(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        token = tokens[place]
        if token.info.strip() != "math":
            return f"<pre><code>{html.escape(token.content)}</code></pre>\n"
        tag = _TAG.search(token.content)
        number = f'<span class="number">({tag.group(1)})</span>' if tag else ""
        return f'<div class="equation"><div class="wide">{mathml(token.content, display=True)}</div>{number}</div>\n'

    def table_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        head = [token.content for token in tokens[place : place + _HEAD] if token.type == "inline"]
        proof = ' class="proof"' if "because" in head else ""
        return f'<div class="wide"><table{proof}>\n'

    def table_close(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def link_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        href = str(tokens[place].attrs["href"])
        if href.startswith("../"):  # the code is not part of the book
            return f'<a class="code" title="{html.escape(href[3:])}">'
        file, mark, place_ = href.partition("#")
        if file.endswith(".md"):
            file = _file(file)
        return f'<a href="{html.escape(file + mark + place_)}">'


def _with_mathematics(children: Sequence[Token]) -> Iterator[Token]:
    waiting = list(children)
    while waiting:
        token = waiting.pop(0)
        code, after = (*waiting[:2], None, None)[:2]
        opens = token.type == "text" and token.content.endswith("$") and code is not None
        if opens and code.type == "code_inline" and after is not None and after.content.startswith("$"):  # type: ignore[union-attr] # it is not None
            before = Token("text", "", 0, content=token.content[:-1])
            yield from ([before] if before.content else [])
            yield Token("math_inline", "math", 0, content=code.content)  # type: ignore[union-attr] # likewise
            after.content = after.content[1:]
            waiting = [after, *waiting[2:]]
        else:
            yield token


def _file(markdown: str) -> str:
    return "index.html" if markdown == "README.md" else markdown.removesuffix(".md") + ".html"


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --link: #0b62a4; }
@media (prefers-color-scheme: dark) { :root { --link: #7cc4ff; } img { background: #fff; border-radius: 4px; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 56rem; padding: 1rem; line-height: 1.55; overflow-wrap: break-word;
       font-family: "Latin Modern Roman", "STIX Two Text", "Libertinus Serif", Georgia, serif; font-size: 1.1rem; }
math { font-family: "Latin Modern Math", "STIX Two Math", "Libertinus Math", "Cambria Math", math; }
.prime { font-family: "STIX Two Text", Georgia, "DejaVu Serif", serif; }
h1, h2, h3 { line-height: 1.2; margin-top: 2em; } h1 { margin-top: 1em; }
a { color: var(--link); } a.code { color: inherit; }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .85em; }
pre { background: var(--soft); padding: .8em; overflow-x: auto; border-radius: 4px; }
blockquote { margin: 1.5em 0; padding: .2em 1em; border-left: 4px solid #d55e00; background: var(--soft); }
.wide { overflow-x: auto; max-width: 100%; }
span.wide { display: inline-block; vertical-align: middle; overflow-y: hidden; }
.equation { display: flex; align-items: center; gap: 1em; margin: 1em 0; }
.equation .wide { flex: 1; min-width: 0; padding: .3em 0; }
.number { white-space: nowrap; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { text-align: left; padding: .45em .8em; border-top: 1px solid var(--line); vertical-align: middle; }
th { border-top: 0; } td:first-child code { opacity: .65; }
.proof td:last-child { min-width: 11rem; }
img { max-width: 100%; height: auto; }
nav { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 1em; font-size: .95rem; }
@media print {
  body { max-width: none; font-size: 10pt; } nav { display: none; } .wide, pre { overflow: visible; }
  h1, h2, h3 { break-after: avoid; } table, pre, .equation, img { break-inside: avoid; } a { color: inherit; }
}
"""

_SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{navigation}
<main>
{body}
</main>
{navigation}
</body>
</html>
"""


def page_html(title: str, markdown: str, before: Page | None = None, after: Page | None = None) -> str:
    """A page of Markdown as a whole page of HTML.

    Parameters
    ----------
    title
        Of the page.
    markdown
        Its text.
    before, after
        Its neighbours in the book.
    """
    links = [
        f'<a href="{_file(before.file)}">← {html.escape(before.title)}</a>' if before else "<span></span>",
        '<a href="index.html">All pages</a>',
        f'<a href="{_file(after.file)}">{html.escape(after.title)} →</a>' if after else "<span></span>",
    ]
    navigation = f"<nav>{''.join(links)}</nav>"
    body = _Renderer().render(markdown)
    return _SHELL.format(title=html.escape(title), style=_STYLE, navigation=navigation, body=body)


def write(book: Book, folder: Path, figures: Path) -> int:
    """Write the book into a folder, which is made if it is not there; and say how many pages it has.

    Parameters
    ----------
    book
        All pages.
    folder
        Where to; files of the same names are replaced, others stay.
    figures
        Where the pictures are.

    Raises
    ------
    NotADirectoryError
        If the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: pass a folder, or a name that is free")
    texts = {"index.html": page_html("Derivations", index(book))}
    for number, page in enumerate(book.pages):
        before = book.pages[number - 1] if number else None
        after = book.pages[number + 1] if number + 1 < len(book.pages) else None
        texts[_file(page.file)] = page_html(page.title, rendered(page, book), before, after)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    for path in sorted(figures.glob("*.svg")):
        if any(f"figures/{path.name}" in text for text in texts.values()):
            shutil.copyfile(path, folder / "figures" / path.name)
    return len(texts)
