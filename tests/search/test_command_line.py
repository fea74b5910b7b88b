"""``refnn check`` and ``refnn faults``, as a user sees them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import refnn
from refnn.__main__ import main
from refnn.search.faults import FAULTS
from refnn.search.rows import ROWS
from refnn.search.written import network_from

WRONG = "tests.search.implementations:summed"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("refnn.search.checking._SHRINKING", 1000.0)  # a busy machine finds the same


def check(*words: str) -> int:
    return main(["check", *words, "--examples", "10"])


@pytest.mark.parametrize(
    ("name", "code"),
    [("right", 0), ("summed", 1), ("crashes", 3), ("knows_nothing", 4)],
)
def test_the_exit_code_is_the_verdict(name: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the outcome is a test case of JUnit's."""
    target = f"tests.search.implementations:{name}"
    assert check("--function", target, "--quiet", "--no-keep", "--junit", "results.xml") == code
    out, err = capsys.readouterr()
    first = {0: "agrees on 10 questions", 1: "disagrees: 0.bias", 3: "broken: ZeroDivisionError", 4: "undecided: of 10"}
    assert out.startswith(first[code])
    hint = "too little could be judged: unsupported: networks (10). Ask about a network that it knows: --network FILE."
    assert err == (f"refnn: {hint}\n" if code == 4 else "")
    assert [path.name for path in tmp_path.iterdir()] == ["results.xml"]
    suite = ET.fromstring(Path("results.xml").read_text(encoding="utf-8"))  # noqa: S314 - it is our own
    (case,) = suite
    assert (suite.get("name"), case.get("classname"), case.get("name")) == ("refnn check", "refnn.check", target)
    assert [part.tag for part in case] == {0: [], 1: ["failure"]}.get(code, ["error"])
    for part in case:
        assert part.get("message") == out.splitlines()[0]
        assert f"{part.text}\n" == out


def test_no_file_is_left_behind(tmp_path: Path) -> None:
    """Not even by Hypothesis, which would keep there what it notes of a process's modules."""
    (tmp_path / "mine.py").write_text("def f(network, w, x, y):\n    return network.loss_and_gradient(w, x, y)\n")
    words = ("check", "--function", "mine:f", "--no-keep", "--examples", "50")
    environment = {name: value for name, value in os.environ.items() if name != "HYPOTHESIS_STORAGE_DIRECTORY"}
    environment |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-m", "refnn", *words], env=environment, check=True)  # noqa: S603 - our own Python
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.unmeasured
def test_what_failed_is_asked_first_the_next_time(capsys: pytest.CaptureFixture[str]) -> None:
    check("--function", WRONG)
    check("--function", WRONG)
    assert "1 of 1 questions judged (1 kept)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "DataError: network.json is no JSON: "),
        (b"[" * 100_000, "DataError: network.json is no JSON: "),
        (b"\xff", "DataError: network.json cannot be read: "),
        (b'{"format": "refnn check", "failure": null}', "DataError: network.json is a report of no failure: "),
        (b'{"format": "refnn check", "failure": {}}', "DataError: network.json: {} is no network: "),
        (b"[]", "DataError: network.json: [] is no network: "),
        (b'{"layers": [{"kind": "conv"}]}', "DataError: network.json: layers[0] is {'kind': 'conv'}: "),
    ],
)
def test_what_is_no_network_is_refused(text: bytes, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("network.json").write_bytes(text)
    assert check("--function", WRONG, "--network", "network.json") == 2
    assert f"refnn: {said}" in capsys.readouterr().err


@pytest.mark.unmeasured
def test_a_student_is_told_as_much_as_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    check("--function", WRONG, "--reveal", "where")
    line = r"Wrong: (0\.weight, )?0\.bias\. The layers are Dense, the loss is SquaredError\."  # a weight, if x is not 0
    assert re.fullmatch(rf"disagrees\.\n{line}\n", capsys.readouterr().out)


SEEN = """
networks = set()
def answer(network, w, x, y):
    networks.add(repr(network))
    return network.loss_and_gradient(w, x, y)
"""


@pytest.mark.parametrize("whole", [True, False])
def test_it_is_json(whole: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """And what it says of a failure describes a network, which may be the only one that is asked about."""
    assert check("--function", WRONG, "--json") == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["diagnosis"]["fault"] == "L3"
    assert err == ""
    Path("network.json").write_text(out if whole else json.dumps(told["failure"]), encoding="utf-8")
    Path("seen.py").write_text(SEEN, encoding="utf-8")
    assert check("--function", "seen:answer", "--network", "network.json") in (0, 4)
    assert sys.modules.pop("seen").networks == {repr(network_from(told["failure"]))}


def test_what_is_too_long_to_print_is_in_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The network is there to be pasted: what stands below "on:" is Python."""
    monkeypatch.setattr("refnn.search.report._MANY", 1)
    assert check("--function", WRONG, "--no-keep") == 1
    code = capsys.readouterr().out.partition("on:\n")[2].partition("\n\n")[0]
    lines = textwrap.dedent(code).splitlines()
    assert re.fullmatch(r"# \d+ numbers: --json prints them, and report.as_json\(\) has them", lines[1])
    found: dict[str, object] = {"refnn": refnn}
    exec("\n".join(lines), found)  # noqa: S102 - it is what was printed
    assert isinstance(found.pop("network"), refnn.Network)
    assert found.keys() == {"refnn", "__builtins__"}


def test_json_tells_everything(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        check("--function", WRONG, "--json", "--reveal", "fault")
    assert "leave out --reveal" in capsys.readouterr().err


ECHO = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    reply = {"id": asked["id"]}
    if asked["ask"] == "capabilities":
        reply |= {"layers": ["dense"], "losses": ["squared_error"], "precisions": ["float64"]}
        reply |= {"reductions": ["mean"], "want": ["loss"]}
    elif asked["ask"] == "echo":
        reply["numbers"] = asked["numbers"]
    else:
        reply["loss"] = %s
    print(json.dumps(reply), flush=True)
"""


def program(loss: str) -> str:
    Path("program.py").write_text(ECHO % loss, encoding="utf-8")
    return f"{sys.executable} program.py"


def test_a_program_is_asked_what_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--command", program("-1.0")) == 1
    out = capsys.readouterr().out
    assert out.startswith("disagrees: loss is off")
    assert "10 of 10" not in out  # the first is wrong
    assert "unsupported" not in out


def test_a_precision_that_it_does_not_know_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--command", program("-1.0"), "--precision", "float32") == 2
    said = "refnn: SettingError: precision is 'float32': the program says that it knows float64. Choose one of these, "
    assert capsys.readouterr() == ("", f"{said}or let its capabilities name it.\n")


def test_a_folder_that_cannot_be_written_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".refnn").touch()
    assert check("--function", WRONG) == 2
    assert "keep is '.refnn': it cannot be made or written (Not a directory). " in capsys.readouterr().err


def test_a_program_that_knows_less_than_it_says_is_told_how_to_say_that(capsys: pytest.CaptureFixture[str]) -> None:
    command = program("0.0")
    text = Path("program.py").read_text(encoding="utf-8").replace('reply["loss"] =', 'reply["unsupported"] =')
    Path("program.py").write_text(text, encoding="utf-8")
    assert check("--command", command) == 4
    said = 'unsupported: 0.0 (10). Its answer to "capabilities" should name what it knows, and nothing else'
    assert said in capsys.readouterr().err


def test_a_program_that_says_nothing_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    Path("program.py").write_text("raise SystemExit(7)", encoding="utf-8")
    assert check("--command", f"{sys.executable} program.py", "--junit", "results.xml") == 3
    assert "exit status 7" in capsys.readouterr().err
    assert '<error message="the program ended with exit status 7: ' in Path("results.xml").read_text(encoding="utf-8")


def test_so_it_is_in_json_whatever_it_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--layers", "relu", "--losses", "inner_product", "--precisions", "float64", "--quiet"]
    assert main(["vectors", "vectors", *words]) == 0
    capsys.readouterr()
    Path("program.py").write_text("raise SystemExit(7)", encoding="utf-8")
    command = ["check", "--command", f"{sys.executable} program.py", "--json"]
    for more, form in (([], "refnn check"), (["--vectors", "vectors"], "refnn check of vectors")):
        assert main([*command, *more]) == 3
        out, err = capsys.readouterr()
        told = json.loads(out)
        failure = told.pop("failure")
        assert told == {"format": form, "refnn": refnn.__version__, "verdict": "broken"}
        assert failure["kind"] == "crashed"
        assert err == f"refnn: {failure['said']}\n"
        assert "exit status 7" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--function", "json"], "'json': it names no function of a module. Pass the name of a module, a colon and"),
        (["--function", ":f"], "it names no function of a module"),
        (["--function", "json:nothing"], "json has no nothing"),
        (["--function", "no_such_module:f"], "importing no_such_module raises ModuleNotFoundError: No module named"),
        (["--function", "unfinished:f"], "importing unfinished raises SyntaxError"),
        (["--function", "script:f"], "importing script raises SystemExit: 7"),
        (["--command", "no-such-program"], "no-such-program is not found"),
        (["--function", WRONG, "--seconds", "-1"], "seconds is -1"),
    ],
)
def test_what_cannot_be_checked_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("unfinished.py").write_text("def f(", encoding="utf-8")
    Path("script.py").write_text("raise SystemExit(7)", encoding="utf-8")
    assert check(*words) == 2
    assert said in capsys.readouterr().err


def test_one_of_them_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        check()
    assert "--command --function --protocol is required" in capsys.readouterr().err


def test_the_path_is_left_as_it_was() -> None:
    before = list(sys.path)
    check("--function", "tests.search.implementations:right")
    assert sys.path == before


def test_the_page_on_the_protocol_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--protocol"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("# ")
    assert '"ask": "capabilities"' in page


def test_all_faults_and_rows_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults"]) == 0
    out = capsys.readouterr().out
    first = {line.split("  ")[0] for line in out.splitlines() if line and line[0] != " "}
    assert {fault.id for fault in FAULTS} <= first
    assert {row for row in ROWS if row.startswith("O")} <= first
    assert max(map(len, out.splitlines())) <= 120
    told = " ".join(out.split())
    assert all(f" {' '.join(fault.hint.split())} " in told for fault in FAULTS)
    assert out.splitlines()[-1].startswith('"A check of steps": these show only over several update steps')


def test_they_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [fault["id"] for fault in told["faults"]] == [fault.id for fault in FAULTS]
    assert [fault["plain"] for fault in told["faults"]] == [fault.plain for fault in FAULTS]
    assert [row["id"] for row in told["rows"]] == list(ROWS)
    assert told["refnn"] == refnn.__version__
