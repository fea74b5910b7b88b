"""The web book: whole, without scripts, with links that lead somewhere, and rendered by a real browser."""

from __future__ import annotations

import doctest
import html
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from proofs import book as module
from proofs.__main__ import HERE, main
from proofs.book import mathml, page_html, write
from proofs.topics import BOOK

NAMES = ["index.html", *(page.file.replace(".md", ".html") for page in BOOK.pages)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book")
    assert write(BOOK, path, HERE / "figures") == len(NAMES)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_whole(folder: Path, name: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert "<script" not in text
    assert re.findall(r'(?:src|href)="(?:https?:)?//', text) == []
    body = re.sub(r"<pre>.*?</pre>|<code>.*?</code>", "", text, flags=re.DOTALL)
    assert not re.search(r"\$|```|\[\[", body), "some mathematics or link is left as it was written"


@pytest.mark.parametrize("name", NAMES)
def test_its_mathematics_is_mathml(folder: Path, name: str) -> None:
    """Well-formed, and with no command of LaTeX that was not known."""
    for one in re.findall(r"<math .*?</math>", (folder / name).read_text(encoding="utf-8"), re.DOTALL):
        read = ET.fromstring(one)  # noqa: S314 - our own
        assert len(list(read.iter())) > 1
        assert "\\" not in "".join(read.itertext()), one


@pytest.mark.parametrize("name", NAMES)
def test_its_links_lead_somewhere(folder: Path, name: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    for link in map(html.unescape, re.findall(r'href="([^"]*)"', text)):
        file, _, place = link.partition("#")
        target = folder / (file or name)
        assert target.is_file(), link
        assert not place or f'id="{place}"' in target.read_text(encoding="utf-8"), link
    for picture in re.findall(r'<img src="([^"]*)"', text):
        assert (folder / picture).is_file(), picture


def test_mathematics_of_all_kinds() -> None:
    text = page_html(
        "T", "An $`x`$ and $`y`$; 3 $ and `code`.\n\n```math\nz \\tag{1.2}\n```\n\n```python\na < b\n```\n"
    )
    assert text.count("<math ") == 3
    assert '<span class="number">(1.2)</span>' in text
    assert "3 $ and <code>code</code>" in text
    assert "<pre><code>a &lt; b\n</code></pre>" in text
    assert 'displaystyle="true"' in mathml(r"\displaystyle x")
    primed = '<mtext class="prime">&#x02032;</mtext>'
    assert f"<mrow><mi>f</mi>{primed}</mrow>" in mathml("f'(t)")
    assert f"<msub><mrow><mi>z</mi>{primed}</mrow>" in mathml("z'_{s c}")
    assert 'rspace="0em">relu</mo>' in mathml(r"t \operatorname{relu}(t)")


def test_the_command_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("proofs.__main__.verify_all", lambda theorems: None)  # which test_topics.py does
    assert main(["--html", str(tmp_path / "new" / "book")]) == 0
    assert f"{len(NAMES)} pages are written" in capsys.readouterr().out
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["--html", str(tmp_path / "file")])
    assert "is a file: pass a folder" in capsys.readouterr().err


def test_the_examples_give_what_they_say() -> None:
    assert doctest.testmod(module).failed == 0


# ------------------------------------------------------------------------------------------------------------ browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PHONE = 390
"""Pixels; a window of Chromium is not made narrower than 500, so the page is."""

LOOK = """<script>
document.documentElement.style.width = "PHONEpx";
const seen = [...document.querySelectorAll("math")].map((m) => m.getBoundingClientRect());
const right = (e) => e.getBoundingClientRect().right;
const out = [...document.querySelectorAll("body, body *")].filter((e) => !e.closest(".wide > *, pre > *") &&
  (right(e) > PHONE + 1 || (e.matches("body, main, p") && e.scrollWidth > e.clientWidth + 1)));
const fraction = document.querySelector("mfrac");
const parts = fraction && [...fraction.children].map((e) => e.getBoundingClientRect().top);
document.documentElement.dataset.seen = JSON.stringify({
  number: seen.length, empty: seen.filter((r) => r.width < 2 || r.height < 4).length,
  out: out.map((e) => e.outerHTML.slice(0, 80)), stacked: !parts || parts[0] < parts[1]});
</script>""".replace("PHONE", str(PHONE))


def seen(path: Path) -> dict[str, Any]:
    """What a browser makes of a page: how many formulas, how many that show nothing, what is wider than the page."""
    assert BROWSER is not None
    looked = path.with_suffix(".looked.html")
    looked.write_text(path.read_text(encoding="utf-8").replace("</body>", LOOK + "</body>"), encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    found = subprocess.run([*command, looked.as_uri()], capture_output=True, text=True, timeout=120, check=True)  # noqa: S603
    told = re.search(r'data-seen="([^"]*)"', found.stdout)
    assert told is not None, found.stderr
    answer: dict[str, Any] = json.loads(html.unescape(told.group(1)))
    return answer


needs_a_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


@needs_a_browser
@pytest.mark.parametrize("name", NAMES)
def test_a_browser_renders_it(folder: Path, name: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    found = seen(folder / name)
    assert found["number"] == text.count("<math ")
    assert found["empty"] == 0
    assert found["stacked"], "the parts of a fraction stand side by side: MathML is not understood"
    assert found["out"] == [], "wider than a phone"


@needs_a_browser
def test_a_page_that_is_too_wide_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "wide.html"
    page.write_text(page_html("T", f"{'x' * 3000} $`y`$").replace("overflow-wrap: break-word", ""), encoding="utf-8")
    assert seen(page)["out"]
