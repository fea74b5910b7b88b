"""The page on the protocol is true, and the programs beside it answer as it says."""

from __future__ import annotations

import inspect
import json
import math
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import refnn
from refnn.activations import ALL as ACTIVATIONS
from refnn.arithmetic.precision import FORMATS
from refnn.losses import ALL as LOSSES
from refnn.losses import SoftmaxCrossEntropy
from refnn.network import Evaluation
from refnn.search.target import Layout
from refnn.search.targets import command
from refnn.search.targets.command import Command
from refnn.search.targets.program import LONGEST_LINE
from refnn.search.targets.replies import KNOWN, LEFT_OUT
from refnn.search.written import KINDS, network_from
from refnn.strategies import Case
from tests.project import PACKAGE, ROOT
from tests.search.test_command import Recorder

FOLDER = PACKAGE / "search" / "protocol"

PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------------------ the page


def conversation() -> list[tuple[str, str]]:
    """The questions of the page with their replies."""
    found = re.findall(r"^→ (.*)\n← (.*)$", PAGE, re.MULTILINE)
    assert len(found) == PAGE.count("\n→ ") == PAGE.count("\n← ") == 6
    return found


def table(*head: str) -> list[list[str]]:
    """The rows of the table that begins with a head."""
    lines = PAGE.splitlines()
    begin = lines.index(f"| {' | '.join(head)} |")
    rows: list[list[str]] = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            return rows
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    raise AssertionError("the page ends with a table")


def plain(cell: str) -> str:
    return cell.strip("`")


def test_the_questions_are_those_that_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of the page is the one that refnn writes, and each answer is read; the echo is shown in part."""
    pairs = [(question, json.loads(reply)) for question, reply in conversation()]
    questions = [json.loads(question) for question, _ in pairs]
    recorder = Recorder({name: value for name, value in pairs[0][1].items() if name != "id"}, {})
    recorder.install(monkeypatch)
    target = Command("any")
    for k in (2, 3):
        recorder.reply = pairs[k][1]
        target(*case_of(questions[k]))
    assert recorder.lines[0] == pairs[0][0]
    assert recorder.lines[2:] == [pairs[2][0], pairs[3][0]]
    echo = recorder.asked[1]
    assert recorder.lines[1].startswith(pairs[1][0].partition("[")[0])
    assert set(questions[1].pop("numbers")) < set(echo.pop("numbers"))
    assert questions[1] == echo
    assert pairs[1][1]["numbers"] == json.loads(pairs[1][0])["numbers"]
    recorder.reply = pairs[4][1]
    with pytest.raises(refnn.Unsupported, match="label_smoothing"):
        target(*case_of(questions[4]))
    assert recorder.lines[4] == pairs[4][0]
    assert pairs[5][1] == {"id": 5, "unsupported": questions[5]["ask"]}


def case_of(question: dict[str, Any]) -> Case:
    """The case that a question describes."""
    y = question["y"]
    return Case(network_from(question), *(np.array(v) for v in (question["parameters"], question["x"], y)))


@pytest.mark.parametrize("k", [2, 3])
def test_the_answers_are_right(k: int) -> None:
    """Exactly, as they are written."""
    question, reply = (json.loads(text) for text in conversation()[k])
    answer = {name: reply[name] for name in Evaluation._fields}
    refnn.compare(*case_of(question), **answer, precision="float64").require()
    truth = refnn.exact(*case_of(question))
    assert {name: np.asarray(getattr(truth, name)).tolist() for name in answer} == answer


def test_the_limits_are_those_of_the_program() -> None:
    assert f"at most {LONGEST_LINE} bytes" in PAGE
    assert "at most 10 seconds" in PAGE
    assert inspect.signature(Command).parameters["time_limit"].default == 10
    assert json.loads(conversation()[0][0])["refnn"] == command.VERSION


def test_the_bits_are_right() -> None:
    rows = {name: json.loads(plain(bits)) for name, bits in table("1.5 in", "is")}
    assert rows == {
        "float64": struct.pack(">d", 1.5).hex(),
        "float32": struct.pack(">f", 1.5).hex(),
        "bfloat16": f"{np.array(1.5, ml_dtypes.bfloat16).view(np.uint16):04x}",
        "float16": struct.pack(">e", 1.5).hex(),
    }
    assert set(rows) == set(FORMATS)


def test_the_capabilities_are_all_there() -> None:
    rows = table("key", "what", "if it is left out")
    assert [plain(row[0]) for row in rows] == list(KNOWN)
    assert {plain(row[0]) for row in rows if row[2] != "needed"} == set(LEFT_OUT)
    assert json.loads(rows[4][1].split("`")[1]).keys() == {"multiple_of", "max"}


def test_the_usual_settings_are_those_of_the_page() -> None:
    """Each setting of the tables, with the value that it has when nothing is said."""
    (row,) = (row[1] for row in table("key", "what", "if it is left out") if plain(row[0]) == "settings")
    usual: dict[str, float | None] = dict.fromkeys(re.findall(r"no `(\w+)`", row))
    usual |= {name: float(value) for name, value in re.findall(r"`(\w+)` ([\d.]+)", row)}
    parts: list[Any] = [kind() for kind in (*ACTIVATIONS, *LOSSES)]
    made = {name: getattr(part, name) for part in parts for name in part.__dataclass_fields__ if name != "reduction"}
    assert usual == made


def test_the_layouts_are_all_there() -> None:
    for name, here, there in table("key of `layout`", "as described", "or"):
        other = json.loads(there.split("`")[1])
        assert getattr(Layout(), plain(name)) == json.loads(plain(here)) != other
        assert getattr(Layout(**{plain(name): other}), plain(name)) == other


def formula(text: str, **values: float) -> float:
    """The value of a formula of the page."""
    names = {name: getattr(math, name) for name in dir(math)} | {"max": max, "min": min, "abs": abs}
    if "z" in values:
        names["u"] = math.sqrt(2 / math.pi) * (values["z"] + 0.044715 * values["z"] ** 3)
    return float(eval(text, {"__builtins__": {}}, names | values))  # noqa: S307 - it is a line of the page


POINTS = (-3.7, -1.2, -0.3, 0.4, 1.1, 2.9)


@pytest.mark.parametrize("kind", ACTIVATIONS, ids=lambda kind: kind.__name__)
def test_the_formulas_of_layers(kind: type[Any]) -> None:
    """In float64 they are an implementation as any other, and are compared as one; at kinks, exactly."""
    name = next(name for name, known in KINDS.items() if known is kind)
    (row,) = (row for row in table("kind", "f", "slope", "settings") if plain(row[0]) == name)
    settings = dict.fromkeys(kind.__dataclass_fields__, 0.25)
    assert plain(row[3]) == "".join(settings)
    f, slope = plain(row[1]), plain(row[2])
    x = np.array([POINTS])
    network = refnn.Network(kind(**settings), loss=refnn.InnerProduct())
    refnn.compare(
        network,
        [],
        x,
        np.ones_like(x),
        outputs=[[formula(f, z=z, **settings) for z in POINTS]],
        input_gradient=[[formula(slope, z=z, **settings) for z in POINTS]],
        precision="float64",
    ).require()
    for kink in kind(**settings).kinks:
        at = network.evaluate([], [[float(kink)]], [[1.0]])
        assert formula(f, z=kink, **settings) == at.outputs
        assert formula(slope, z=kink, **settings) == at.input_gradient


@pytest.mark.parametrize("kind", [k for k in LOSSES if k is not SoftmaxCrossEntropy], ids=lambda kind: kind.__name__)
def test_the_formulas_of_losses(kind: type[Any]) -> None:
    """Three samples with two outputs each, so that the divisors are 3, 1 and 6."""
    name = next(name for name, known in KINDS.items() if known is kind)
    (row,) = (row for row in table("kind", "term", "its derivative by z", "settings") if plain(row[0]) == name)
    settings = {"delta": 0.75} if kind is refnn.Huber else {}
    assert plain(row[3]) == "".join(settings)
    z, y = np.reshape(POINTS, (3, 2)), np.array([[0.25, 1.0], [0.0, 0.5], [1.0, 0.75]])
    pairs = [{"z": a, "y": b, "r": a - b} for a, b in zip(z.ravel().tolist(), y.ravel().tolist(), strict=True)]
    terms = [formula(plain(row[1]), **settings, **pair) for pair in pairs]
    slopes = np.reshape([formula(plain(row[2]), **settings, **pair) for pair in pairs], (3, 2))
    for reduction, divisor in (("mean", 3), ("sum", 1), ("elements", 6)):
        network = refnn.Network(refnn.Identity(), loss=kind(reduction=reduction, scale=Fraction(1, 3), **settings))
        loss, gradient = sum(terms) / 3 / divisor, slopes / 3 / divisor
        refnn.compare(network, [], z, y, loss=loss, input_gradient=gradient.tolist(), precision="float64").require()


def test_the_formulas_of_softmax_cross_entropy() -> None:
    """As the text says it, with all its settings."""
    z, y, v, smoothing = [0.5, -1.25, 2.0], 1, [1.0, 0.5, 3.0], 0.125
    p = [math.exp(a) / sum(map(math.exp, z)) for a in z]
    q = [v[c] * ((1 - smoothing) * (c == y) + smoothing / 3) for c in range(3)]
    loss = -math.fsum(q[c] * math.log(p[c]) for c in range(3))
    slope = [p[c] * sum(q) - q[c] for c in range(3)]
    options: dict[str, Any] = {"label_smoothing": smoothing, "class_weights": v}
    divisors: dict[Any, float] = {"mean": 1, "elements": 3, "weights": v[y]}
    for reduction, divisor in divisors.items():
        network = refnn.Network(refnn.Identity(), loss=refnn.SoftmaxCrossEntropy(reduction=reduction, **options))
        gradient = [[s / divisor for s in slope]]
        refnn.compare(
            network, [], [z], [y], loss=loss / divisor, input_gradient=gradient, precision="float64"
        ).require()


def test_every_kind_is_on_the_page() -> None:
    kinds = {plain(row[0]) for row in table("kind", "f", "slope", "settings")}
    terms = {plain(row[0]) for row in table("kind", "term", "its derivative by z", "settings")}
    assert kinds | terms | {"dense", "softmax_cross_entropy"} == set(KINDS)
    assert [plain(row[0]) for row in table("reduction", "divisor")] == list(SoftmaxCrossEntropy().reductions())


# -------------------------------------------------------------------------------------------------------- the programs


@cache
def sanitizers() -> list[str]:
    """Options by which a program in C ends where its behaviour is undefined, if the compiler has them."""
    options = ["-fsanitize=undefined,float-cast-overflow", "-fno-sanitize-recover"]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "small.c"
        source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
        made = subprocess.run(["gcc", *options, source.name], check=False, cwd=folder, capture_output=True)  # noqa: S603, S607 - ours
    return options if made.returncode == 0 else []


COMPILERS: dict[str, tuple[str, Callable[[Path, Path], list[str]]]] = {
    "c": (
        "gcc",
        lambda text, built: [
            *("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", *sanitizers()),
            *("-o", f"{built}", f"{text}", "-lm"),
        ],
    ),
    "rs": ("rustc", lambda text, built: ["rustc", "-D", "warnings", "-o", f"{built}", f"{text}"]),
    "js": ("node", lambda text, built: []),
}


def built(language: str, folder: Path, *, right: str = "", wrong: str = "") -> Command:
    """The program in a language, built, and with a replacement in its text."""
    needed, compiler = COMPILERS[language]
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    text = (FOLDER / f"refnn_target.{language}").read_text(encoding="utf-8")
    assert not right or text.count(right) == 1, f"{right!r} is there {text.count(right)} times"
    source, program = folder / f"refnn_target.{language}", folder / "refnn_target"
    source.write_text(text.replace(right, wrong), encoding="utf-8")
    arguments = compiler(source, program)
    if not arguments:
        return Command(["node", f"{source}"])
    subprocess.run(arguments, check=True, cwd=folder, capture_output=True)  # noqa: S603 - ours
    return Command([f"{program}"])


def cases() -> list[Case]:
    """Every layer, loss and reduction that the programs know; all dimensions distinct; no kink, and one sample too."""
    rng = np.random.default_rng(20)
    made = []
    losses = (refnn.SquaredError, refnn.InnerProduct, refnn.SoftmaxCrossEntropy)
    activations = (refnn.Tanh(), refnn.Sigmoid(), refnn.ReLU(), refnn.Identity())
    scales = (1, 0.3, Fraction(2, 7), 2)
    for k, activation in enumerate(activations):
        for j, loss in enumerate(losses):
            options: dict[str, Any] = {"reduction": ("mean", "sum")[(k + j) % 2], "scale": scales[k]}
            shapes = ((5, 3), (3, 4), (4, 2))[: 1 + (k + j) % 3]
            layers: list[Any] = []
            for shape in shapes:
                layers += [refnn.Dense(*shape), activation]
            network = refnn.Network(*layers[: len(layers) - j % 2], loss=loss(**options))
            samples, outputs = (7, 1, 6)[(k + 2 * j) % 3], shapes[-1][1]
            rows = rng.normal(size=(samples, outputs))
            y = rng.integers(0, outputs, samples) if loss is refnn.SoftmaxCrossEntropy else rows
            x = rng.normal(size=(samples, 5)) * (1, 20)[(k + j) % 2]
            made.append(Case(network, rng.normal(size=network.size), x, y))
    flat = refnn.Network(refnn.Tanh(), loss=refnn.SquaredError(reduction="mean"))
    large = np.array([[800.0, -800.0, 0.25]])
    sigmoid = refnn.Network(refnn.Sigmoid(), loss=refnn.SoftmaxCrossEntropy())
    far = refnn.Network(refnn.Identity(), loss=refnn.SoftmaxCrossEntropy())
    return [
        *made,
        Case(flat, np.empty(0), large, np.ones((1, 3))),
        Case(sigmoid, np.empty(0), large, np.array([1])),
        Case(far, np.empty(0), large, np.array([0])),
    ]


def verdicts(target: Command) -> Iterator[str]:
    """What is said of a target's answers, one after the other."""
    for case in cases():
        answer: dict[str, Any] = target(*case)
        yield refnn.compare(case.network, case.w, case.x, case.y, **answer, precision="float64").verdict


@pytest.fixture(scope="module", params=COMPILERS)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Each program as it is, built once."""
    with built(request.param, tmp_path_factory.mktemp("programs")) as target:
        yield target


def test_the_programs_are_right(target: Command) -> None:
    said = list(verdicts(target))
    assert set(said) <= {"agrees", "undecided"}
    assert said.count("agrees") >= 12
    assert target.supports(refnn.Network(refnn.GELU(), loss=refnn.SquaredError()), "float64", (3, 2)) == "gelu"


@pytest.mark.parametrize("k", [2, 3])
def test_the_programs_answer_as_the_page_says(target: Command, k: int) -> None:
    question, reply = (json.loads(text) for text in conversation()[k])
    answer = target(*case_of(question))
    assert {"id": k, **{name: value.tolist() for name, value in answer.items()}} == reply


def test_the_programs_read_json(target: Command) -> None:
    """Keys in another order, space, brackets in strings, other forms of numbers; and a question that is unknown."""
    program = target._ready("float64")
    line = '{ "new" : [{"a]}": "]"}, null, [true, [] ,{}]],"numbers":[-1.5E+1 , 2, 3e-1] ,\t"ask" : "echo", "id": 77 }'
    assert json.loads(program.answer(line, 10)) == {"id": 77, "numbers": [-15, 2, 0.3]}
    assert json.loads(program.answer('{"id": 78, "ask": "train"}', 10)) == {"id": 78, "unsupported": "train"}


@pytest.mark.parametrize(
    "settings",
    [
        {"label_smoothing": 0.125},
        {"label_smoothing": 1},
        {"class_weights": [0.5, 2, 0, 1.25], "reduction": "sum"},
        {"class_weights": [3, 0.25, 2, 1], "label_smoothing": 0.3, "scale": Fraction(2, 7)},
    ],
    ids=["smoothed", "all smoothed", "weighted", "both"],
)
def test_the_programs_know_all_settings_of_what_they_know(target: Command, settings: dict[str, Any]) -> None:
    """Of the losses that they have, only the softmax has others than those that `cases` gives them."""
    rng = np.random.default_rng(5)
    network = refnn.Network(refnn.Dense(3, 4), refnn.Tanh(), loss=refnn.SoftmaxCrossEntropy(**settings))
    case = Case(network, rng.normal(size=network.size), rng.normal(size=(5, 3)), np.array([3, 0, 1, 1, 2]))
    answer: dict[str, Any] = target(*case)
    refnn.compare(*case, **answer, precision="float64").require()


def test_the_programs_say_what_they_do_not_know(target: Command) -> None:
    network = refnn.Network(refnn.Identity(), loss=refnn.SoftmaxCrossEntropy())
    with pytest.raises(refnn.Unsupported, match="probabilities"):
        target(network, np.empty(0), np.array([[1.0, 2.0]]), np.array([[0.5, 0.5]]))


@pytest.mark.parametrize(("signs", "outputs"), [((1, 1), np.inf), ((-1, -1), -np.inf), ((1, -1), np.nan)])
def test_the_programs_write_what_is_not_finite_as_text(target: Command, signs: tuple[int, int], outputs: float) -> None:
    """1e200·1e200 is infinite, and inf − inf is no number."""
    network = refnn.Network(refnn.Dense(1, 2), refnn.Dense(2, 1), loss=refnn.SquaredError())
    w = np.array([1e200, 1e200, 0.0, 0.0, signs[0] * 1e200, signs[1] * 1e200, 0.0])
    answer = target(network, w, np.array([[1.0]]), np.array([[0.0]]))
    assert np.array_equal(answer["outputs"], [[outputs]], equal_nan=True)
    assert not np.isfinite(answer["loss"])


@pytest.mark.parametrize("y", [-2.5, 1e300, -1e300])
def test_targets_of_other_losses_are_no_classes(target: Command, y: float) -> None:
    """None of these is a whole number from 0, which a program may only make of a class."""
    network = refnn.Network(refnn.Identity(), loss=refnn.InnerProduct())
    assert target(network, np.empty(0), np.array([[2.0]]), np.array([[y]]))["loss"] == 2 * y


NAMES = {
    "a half is missing": "L3c/loss",
    "tanh has another slope": "A5/unsquared",
    "the bias has no gradient": "gradient of biases zero",
    "the sum is not divided": "L3/sum",
    "the weight is transposed": "layer/other order forward",
    "the label is forgotten": "loss/no target",
}
"""Lines that may be wrong in each program, and what they are called."""

FAULTS: dict[str, dict[str, tuple[str, str]]] = {
    "c": {
        "a half is missing": ("slope[j] / 2 * slope[j]", "slope[j] * slope[j]"),
        "tanh has another slope": ("1 / cosh(z) / cosh(z)", "1 / cosh(z)"),
        "the bias has no gradient": ("else g[n * m + j] += d;", ""),
        "the sum is not divided": ('"mean") ? (double)N : 1', '"mean") ? 1.0 : 1'),
        "the weight is transposed": ("sum += z[K][i * n + k] * w[k * m + j]", "sum += z[K][i * n + k] * w[j * n + k]"),
        "the label is forgotten": (" * all - y[j]", " * all"),
    },
    "rs": {
        "a half is missing": ("r / 2.0 * r", "r * r"),
        "tanh has another slope": ("1.0 / z.cosh() / z.cosh()", "1.0 / z.cosh()"),
        "the bias has no gradient": ("gradient[at + n * m + j] += d;", ""),
        "the sum is not divided": ("outputs.len() as f64", "1.0"),
        "the weight is transposed": ("sum + row[i] * w[at + i * m + j]", "sum + row[i] * w[at + j * n + i]"),
    },
    "js": {
        "a half is missing": ("(value / 2) * value", "value * value"),
        "tanh has another slope": ("1 / Math.cosh(z) / Math.cosh(z)", "1 / Math.cosh(z)"),
        "the bias has no gradient": ("      gradient[inputs * outputs + j] += delta[n][j];\n", ""),
        "the sum is not divided": ("x.length : 1", "1 : 1"),
        "the weight is transposed": ("sum + value * w[i * outputs + j], w[", "sum + value * w[j * inputs + i], w["),
    },
}


@pytest.mark.parametrize(
    ("language", "fault"), [(language, fault) for language in FAULTS for fault in FAULTS[language]]
)
def test_a_program_that_is_wrong_is_caught_and_its_fault_is_named(
    language: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("refnn.search.checking._SHRINKING", 0.0)  # a simpler question has no other name
    monkeypatch.setattr("refnn.search.checking._PROBES", 6)
    right, wrong = FAULTS[language][fault]
    with built(language, tmp_path, right=right, wrong=wrong) as target:
        report = refnn.check(target, precision="float64", examples=100, keep=None)
    assert report.verdict == "disagrees"
    assert report.diagnosis is not None
    assert report.diagnosis.fault is not None, report
    assert report.diagnosis.fault.id == NAMES[fault]


@pytest.mark.parametrize(
    ("language", "right", "wrong"),
    [
        ("c", "%.17g", "%.16g"),
        (
            "js",
            "|| Number.isFinite(value)) return",
            ") return value; if (value < 1e300) return +value.toPrecision(15); return",
        ),
    ],
)
def test_a_program_that_loses_digits_is_found(language: str, right: str, wrong: str, tmp_path: Path) -> None:
    with pytest.raises(refnn.BrokenTargetError, match="came back as"):
        built(language, tmp_path, right=right, wrong=wrong)


@pytest.mark.parametrize("language", COMPILERS)
def test_the_programs_are_short(language: str) -> None:
    lines = (FOLDER / f"refnn_target.{language}").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert max(map(len, lines)) <= 120


def test_the_wheel_has_them() -> None:
    """It takes the whole folder of the package, whatever the files are called."""
    assert 'packages = ["refnn"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert {path.name for path in FOLDER.iterdir()} == {
        "README.md",
        "CI.md",
        *(f"refnn_target.{name}" for name in COMPILERS),
    }
