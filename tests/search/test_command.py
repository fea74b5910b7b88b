"""Programs in any language: what is asked, what is read, and that nothing that a program does hangs or breaks refnn."""

from __future__ import annotations

import contextlib
import gc
import json
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import refnn
from refnn.arithmetic.precision import FORMATS, precision_named
from refnn.errors import BrokenTargetError, SettingError
from refnn.oracle.budget import asked
from refnn.search.target import Layout, ask
from refnn.search.targets import command
from refnn.search.targets import program as programs
from refnn.search.targets.command import Command
from refnn.search.targets.program import Program
from refnn.search.targets.replies import hard
from refnn.strategies import Case

MALFORMED = Path(__file__).with_name("malformed.py")

NETWORK = refnn.Network(refnn.Dense(2, 1), refnn.ReLU(), loss=refnn.SquaredError())
W, X, Y = np.array([0.5, 0.25, 1.0]), np.array([[2.0, 4.0]]), np.array([[1.0]])
CASE = Case(NETWORK, W, X, Y)


def answered(target: Command, case: Case, precision: str = "float64") -> dict[str, Any]:
    """What a target answers, in refnn's layout."""
    return dict(ask(target, case, asked(*case, precision_named(precision)), target.layout))


def program(mode: str, *, told_in: Path | None = None, **options: Any) -> Command:
    """The malformed program in one of its modes; the numbers of its processes may be told in a file."""
    file = [] if told_in is None else [str(told_in)]
    return Command([sys.executable, "-I", "-S", str(MALFORMED), mode, *file], **options)


def running(target: Command) -> Any:
    """The process that a target runs."""
    assert target._program is not None
    return target._program


def alive(process: int) -> bool:
    """Whether a process runs: it exists, and is not only waiting for its end to be noticed."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, 0)
            return not Path("/proc/self").exists()  # without /proc, its existence is all that is known
        return False
    return state != "Z"


def until(so: Callable[[], bool]) -> bool:
    """Whether it is so, soon."""
    end = time.monotonic() + 5
    while not so() and time.monotonic() < end:
        time.sleep(0.01)
    return so()


def gone(process: int) -> bool:
    """Whether a process has ended, soon."""
    return until(lambda: not alive(process))


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    if threading.active_count() > before:
        gc.collect()
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() == before


# ------------------------------------------------------------------------------------------------------ right answers


def test_an_answer_is_read() -> None:
    with program("honest") as target:
        answer = answered(target, CASE)
    # z = 2·½ + 4·¼ + 1 = 3, r = 3 − 1 = 2: loss ½·2² and gradient 2·(x, 1)
    assert {name: value.tolist() for name, value in answer.items()} == {
        "outputs": [[3.0]],
        "loss": 2.0,
        "gradient": [4.0, 8.0, 2.0],
        "input_gradient": [[1.0, 0.5]],
    }


def test_what_is_not_finite_is_text() -> None:
    with program("nan") as target:
        answer = target(*CASE)
    assert np.isnan(answer["loss"])
    assert answer["gradient"].tolist() == [np.inf, -np.inf, 2]


def test_many_questions_go_to_one_process() -> None:
    with program("honest") as target:
        processes = {running(target).process.pid for _ in range(20) if target(*CASE)}
        assert len(processes) == 1
        assert running(target).questions == 22  # with the capabilities and the echo


def test_the_command_may_be_one_string() -> None:
    text = f"'{sys.executable}' -I -S '{MALFORMED}' \"honest\""
    with Command(text) as target:
        assert target(*CASE)["loss"] == 2
        assert repr(target) == f"Command({[sys.executable, '-I', '-S', str(MALFORMED), 'honest']})"


def test_floods_of_stderr_hold_up_nothing() -> None:
    with program("flood") as target:
        assert target(*CASE)["loss"] == target(*CASE)["loss"] == 2


# ---------------------------------------------------------------------------------------------------- what goes wrong


BROKEN: dict[str, tuple[str, str]] = {
    "hang": ("hung", "no whole reply after 0.5 seconds"),
    "drip": ("hung", "no whole reply after 0.5 seconds"),
    "exit": ("crashed", "exit status 3.*its stderr ends in 'no more memory'"),
    "signal": ("crashed", f"signal {signal.SIGSEGV.value} \\(Segmentation fault\\)"),
    "midway": ("crashed", "exit status 0 within the line"),
    "close output": ("crashed", "closed its output, and runs on"),
    "flood and fail": ("crashed", "exit status 4.*out of paper'"),
    "error": ("crashed", "reports an error: 'shape mismatch'"),
    "endless line": ("garbage", f"at most {2**24} bytes"),
    "child": ("garbage", "wrote 'what\\?'"),
    "words": ("garbage", "wrote 'loss is 2.0': that is not JSON: Expecting value"),
    "empty": ("garbage", "wrote '': that is not JSON"),
    "list": ("garbage", "a reply is a JSON object"),
    "deep": ("garbage", r"wrote '\[+….*\(100001 characters\)': that is not JSON|wrote '\[+"),
    "latin": ("garbage", "not JSON: 'utf-8' codec"),
    "id": ("garbage", "has the id 3, expected 2"),
    "no id": ("garbage", "has the id None, expected 2"),
    "true id": ("garbage", "has the id True, expected 2"),
    "short": ("garbage", r"gradient has shape \(2,\), expected \(3,\)"),
    "ragged": ("garbage", r"outputs are \[\[3\], \[3, 4\]\]: rows of different lengths"),
    "true": ("garbage", "loss hold True: that is no number"),
    "extra": ("garbage", "'losses' is not known"),
    "missing": ("garbage", "it lacks outputs, gradient, input_gradient"),
    "bare nan": ("garbage", 'wrote NaN: JSON has no such number.*Write "nan"'),
    "bare infinity": ("garbage", "wrote -Infinity: JSON has no such number"),
}


@pytest.mark.parametrize("mode", BROKEN)
def test_what_is_no_answer_is_one_finding(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    if mode == "close output":
        monkeypatch.setattr(programs, "_GRACE", 0.2)
    kind, text = BROKEN[mode]
    limit = 0.5 if kind == "hung" else 10
    with program(mode, time_limit=10) as target:
        target._time_limit = limit  # the start may take longer
        process = running(target).process
        begin = time.monotonic()
        with pytest.raises(BrokenTargetError, match=text) as caught:
            target(*CASE)
        assert kind != "hung" or time.monotonic() - begin < 5
        assert caught.value.kind == kind
        assert '(it was asked {"id": 2, "ask": "evaluate", "precision": "float64", "layers": [{"kind"' in str(
            caught.value
        )
        assert len(str(caught.value)) < 2000
        assert "\n" not in str(caught.value)
        assert process.returncode is not None
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)
        assert target._program is None
        if mode == "child":
            child = re.search(r"child (\d+) child", str(caught.value))
            assert child is not None
            assert gone(int(child[1]))


def test_a_program_that_broke_is_started_anew(tmp_path: Path) -> None:
    """Its first process exits at the first question, all others answer."""
    first = tmp_path / "first"
    text = (
        f"import sys; sys.path.append({str(MALFORMED.parent)!r}); import malformed, pathlib\n"
        f"first = pathlib.Path({str(first)!r})\n"
        "mode = 'honest' if first.exists() else 'exit'\n"
        "first.touch()\n"
        "malformed.main(mode)\n"
    )
    with Command([sys.executable, "-I", "-S", "-c", text]) as target:
        before = running(target).process.pid
        with pytest.raises(BrokenTargetError, match="exit status 3"):
            target(*CASE)
        assert target(*CASE)["loss"] == 2
        assert running(target).process.pid != before


def test_a_program_that_ended_between_questions() -> None:
    with program("honest") as target:
        assert target(*CASE)["loss"] == 2
        process = running(target).process
        os.kill(process.pid, signal.SIGTERM)
        process.wait()
        for thread in running(target)._threads[1:]:
            thread.join(5)
        with pytest.raises(BrokenTargetError, match=r"signal 15 \(Terminated\)") as caught:
            target(*CASE)
        assert caught.value.kind == "crashed"
        assert target(*CASE)["loss"] == 2


def test_lines_that_nobody_asked_for() -> None:
    with program("twice") as target:
        assert target(*CASE)["loss"] == 2
        end = time.monotonic() + 5
        while running(target).lines.empty() and time.monotonic() < end:
            time.sleep(0.01)
        with pytest.raises(BrokenTargetError, match=r"wrote '\{.id.: 3.*unasked") as caught:
            target(*CASE)
        assert caught.value.kind == "garbage"


def test_lines_without_end_are_not_read_without_end() -> None:
    with program("endless lines") as target:
        assert target(*CASE)["loss"] == 2
        reader = running(target)._threads[1]
        reader.join(5)
        assert not reader.is_alive()
        assert running(target).lines.qsize() <= programs._WAITING + 1
        with pytest.raises(BrokenTargetError, match="unasked"):
            target(*CASE)


def test_a_line_before_the_first_question() -> None:
    with pytest.raises(BrokenTargetError, match="wrote 'welcome'") as caught:
        program("banner")
    assert caught.value.kind == "garbage"


def test_a_line_that_is_there_before_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Program.__init__

    def and_wait(self: Any, arguments: Any) -> None:
        start(self, arguments)
        while self.lines.empty():
            time.sleep(0.01)

    monkeypatch.setattr(Program, "__init__", and_wait)
    with pytest.raises(BrokenTargetError, match=r"wrote 'welcome' unasked.*\(it had not been asked yet\)"):
        program("banner")


def test_an_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_GRACE", 0.2)
    with program("close input") as target:
        assert target(*CASE)["loss"] == 2
        time.sleep(0.2)
        process = running(target).process
        with pytest.raises(BrokenTargetError, match="closed its input, and runs on") as caught:
            target(*CASE)
        assert caught.value.kind == "crashed"
        assert not alive(process.pid)


def test_a_program_that_does_not_read_holds_up_nothing() -> None:
    """The question is larger than a pipe holds."""
    samples = 5000
    with program("hang") as target:
        target._time_limit = 0.5
        with pytest.raises(BrokenTargetError, match=r"characters\)") as caught:
            target(NETWORK, W, np.tile(X, (samples, 1)), np.tile(Y, (samples, 1)))
        assert caught.value.kind == "hung"


# -------------------------------------------------------------------------------------------------------- unsupported


@pytest.mark.parametrize(
    ("network", "missing"),
    [
        (refnn.Network(refnn.Dense(2, 1), refnn.GELUTanh(), loss=refnn.SquaredError()), "gelu_tanh"),
        (refnn.Network(refnn.Dense(2, 1), loss=refnn.InnerProduct()), "inner_product"),
        (refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError(reduction="sum")), "reduction sum"),
    ],
)
def test_what_it_does_not_know_is_not_asked(network: refnn.Network, missing: str) -> None:
    with program("honest") as target:
        assert target.supports(network, "float64", X.shape) == missing
        with pytest.raises(refnn.Unsupported, match=missing):
            target(network, W, X, Y)
        assert running(target).questions == 2
        assert target.supports(NETWORK, "float64", X.shape) is None
        assert target.supports(NETWORK, "bf16", X.shape) == "bfloat16"


def test_a_layer_of_ones_own_has_no_name_there() -> None:
    class Mine(refnn.ReLU):  # type: ignore[misc]
        pass

    with program("honest") as target:
        missing = target.supports(
            refnn.Network(refnn.Dense(2, 1), Mine(), loss=refnn.SquaredError()), "float64", X.shape
        )
    assert missing is not None
    assert "Mine" in missing


SETTINGS: list[tuple[str, list[Any], refnn.losses.Loss]] = [
    ("", [refnn.LeakyReLU(), refnn.ELU()], refnn.Huber()),
    ("", [refnn.Tanh()], refnn.SoftmaxCrossEntropy(reduction="sum")),
    ("slope 0.25", [refnn.Tanh(), refnn.LeakyReLU(0.25)], refnn.SquaredError()),
    ("alpha 0.5", [refnn.ELU(0.5)], refnn.SquaredError()),
    ("delta 0.7", [refnn.Tanh()], refnn.Huber(delta=0.7)),
    ("scale 3/2", [], refnn.SquaredError(scale=Fraction(3, 2))),
    ("label_smoothing 0.1", [], refnn.SoftmaxCrossEntropy(label_smoothing=0.1)),
    ("class_weights (1.0, 1.0, 1.0)", [], refnn.SoftmaxCrossEntropy(class_weights=(1.0, 1.0, 1.0))),
]
"""Layers and a loss, and what is not usual of them."""


@pytest.mark.parametrize(("unusual", "layers", "loss"), SETTINGS)
def test_a_program_may_know_the_usual_settings_only(
    monkeypatch: pytest.MonkeyPatch, unusual: str, layers: list[Any], loss: refnn.losses.Loss
) -> None:
    every = {
        "layers": ["dense", "tanh", "leaky_relu", "elu"],
        "losses": ["squared_error", "huber", "softmax_cross_entropy"],
    }
    network = refnn.Network(refnn.Dense(2, 3), *layers, loss=loss)
    for settings in ("any", "usual", None):
        said = {} if settings is None else {"settings": settings}
        Recorder({**ALL, **every, **said}, {}).install(monkeypatch)
        missing = unusual if settings == "usual" and unusual else None
        assert Command("any").supports(network, "float64", (4, 2)) == missing


@pytest.mark.parametrize(
    ("layers", "shape", "missing"),
    [
        ([refnn.Dense(2, 6)], (4, 2), None),
        ([refnn.Dense(2, 3)], (4, 2), "dimension 3"),
        ([refnn.Dense(2, 8)], (4, 2), "dimension 8"),
        ([refnn.Dense(2, 5), refnn.ReLU(), refnn.Dense(5, 6)], (4, 2), "dimension 5"),
        ([refnn.Dense(8, 2)], (4, 8), "dimension 8"),
        ([refnn.Dense(2, 6)], (5, 2), "dimension 5"),
        ([refnn.ReLU()], (4, 7), "dimension 7"),
        ([refnn.ReLU()], (4, 6), None),
    ],
)
def test_dimensions_are_all_widths_and_the_number_of_samples(
    layers: list[Any], shape: tuple[int, int], missing: str | None
) -> None:
    """What is not known is not asked; what is known is, and this program ends at any question."""
    network = refnn.Network(*layers, loss=refnn.SquaredError())
    with program('exit but say {"dimensions": {"multiple_of": 2, "max": 6}}') as target:
        assert target.supports(network, "float64", shape) == missing
        with pytest.raises(refnn.BrokenTargetError if missing is None else refnn.Unsupported, match=missing or "exit"):
            target(network, np.zeros(network.size), np.zeros(shape), np.zeros((shape[0], network.outputs or shape[1])))


def test_it_may_say_so_when_it_is_asked() -> None:
    with program("unsupported") as target:
        process = running(target).process
        for _ in range(2):
            with pytest.raises(refnn.Unsupported, match="batches of one"):
                target(*CASE)
        assert running(target).process is process


# ------------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("mode", ["15 digits", "16 digits", "scaled"])
def test_a_lossy_echo_is_found(mode: str) -> None:
    with pytest.raises(BrokenTargetError, match=r"came back as .*float_roundtrip.*") as caught:
        program(mode)
    assert caught.value.kind == "garbage"
    assert '"ask": "echo"' in str(caught.value)


def test_an_echo_is_whole() -> None:
    with pytest.raises(BrokenTargetError, match=r"\d+ numbers were sent, and what came back has shape"):
        program("lose the last")


def test_an_echo_is_no_choice() -> None:
    with pytest.raises(BrokenTargetError, match="echo is unsupported"):
        program("no echo")


@pytest.mark.parametrize("storage", FORMATS)
def test_what_is_echoed_is_hard(storage: str) -> None:
    """The ends of the range, and a number that needs each digit; all are of the format."""
    numbers = hard(storage).astype(np.float64)
    form = FORMATS[storage]
    assert {form.largest, form.smallest, form.smallest_normal} <= set(numbers.tolist())
    assert form.nearest(numbers).tolist() == numbers.tolist()


class Recorder:
    """A program in this process: it answers as it is told, and keeps what it was asked."""

    def __init__(self, capabilities: dict[str, Any], reply: dict[str, Any]) -> None:
        self.capabilities, self.reply = capabilities, reply
        self.asked: list[dict[str, Any]] = []
        self.lines: list[str] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def start(program: Any, arguments: Any) -> None:
            program.questions, program.echoed, program.owner = 0, set(), os.getpid()

        def answer(program: Any, request: str, time_limit: float) -> bytes:
            question = json.loads(request)
            self.lines.append(request)
            self.asked.append(question)
            program.questions += 1
            replies = {"capabilities": self.capabilities, "echo": {"numbers": question.get("numbers")}}
            return (json.dumps({"id": question["id"], **replies.get(question["ask"], self.reply)}) + "\n").encode()

        monkeypatch.setattr(Program, "__init__", start)
        monkeypatch.setattr(Program, "answer", answer)
        monkeypatch.setattr(Program, "story", lambda program: "")
        monkeypatch.setattr(Program, "stop", lambda program: None)


ALL = {
    "layers": ["dense", "tanh", "relu"],
    "losses": ["squared_error", "softmax_cross_entropy"],
    "precisions": list(FORMATS),
    "reductions": ["mean", "sum", "elements", "weights"],
}


def test_the_lines_are_as_the_protocol_says(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(ALL, {"loss": 2, "outputs": [[3]], "gradient": [4, 8, 2], "input_gradient": [[1, 0.5]]})
    recorder.install(monkeypatch)
    network = refnn.Network(refnn.Dense(2, 1), refnn.Tanh(), loss=refnn.SquaredError(scale=Fraction(1, 3)))
    Command("any")(network, np.array([0.1, -0.0, 5e-324]), X, np.array([1.0]))
    assert recorder.lines[0] == '{"id": 0, "refnn": 1, "ask": "capabilities"}'
    assert recorder.lines[1].startswith('{"id": 1, "ask": "echo", "precision": "float64", "numbers": [1.577')
    assert recorder.lines[2] == (
        '{"id": 2, "ask": "evaluate", "precision": "float64", '
        '"layers": [{"kind": "dense", "inputs": 2, "outputs": 1}, {"kind": "tanh"}], '
        '"loss": {"kind": "squared_error", "reduction": "mean", "scale": [1, 3]}, '
        '"parameters": [0.1, -0.0, 5e-324], "x": [[2.0, 4.0]], "y": [[1.0]]}'
    )


@pytest.mark.parametrize("storage", FORMATS)
def test_the_format_of_a_question_is_that_of_its_arrays(monkeypatch: pytest.MonkeyPatch, storage: str) -> None:
    """An answer in decimals is rounded to it: 0.1 to 9 digits is the nearest float32, and not a number beside it."""
    recorder = Recorder(
        ALL, {"loss": 0.1, "outputs": [["inf"]], "gradient": [0.1, 1e300, 2], "input_gradient": [[1, 2]]}
    )
    recorder.install(monkeypatch)
    target = Command("any", precision=storage)
    kind = np.dtype(ml_dtypes.bfloat16) if storage == "bfloat16" else np.dtype(storage)
    with np.errstate(over="ignore"):
        expected = np.array([0.1, 1e300 if storage == "float64" else np.inf, 2]).astype(kind)
    answer = target(NETWORK, W.astype(kind), X.astype(kind), Y.astype(kind))
    assert recorder.asked[1]["precision"] == recorder.asked[2]["precision"] == storage
    assert len(recorder.asked) == 3
    assert answer["gradient"].dtype == answer["loss"].dtype == kind
    assert answer["gradient"].tolist() == expected.tolist()
    assert answered(target, CASE, storage)["loss"].tolist() == float(expected[0])


def test_another_format_is_echoed_before_its_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(ALL, {"loss": 2, "outputs": [[3]], "gradient": [4, 8, 2], "input_gradient": [[1, 0.5]]})
    recorder.install(monkeypatch)
    target = Command("any", precision="float32")
    for _ in range(2):
        target(*CASE)
    assert [(q["ask"], q.get("precision")) for q in recorder.asked] == [
        ("capabilities", None),
        ("echo", "float32"),
        ("echo", "float64"),
        ("evaluate", "float64"),
        ("evaluate", "float64"),
    ]


def test_a_format_that_it_does_not_know_is_not_echoed(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder({**ALL, "precisions": ["float64"]}, {})
    recorder.install(monkeypatch)
    assert Command("any").supports(NETWORK, "float16", X.shape) == "float16"
    assert [q.get("precision") for q in recorder.asked] == [None, "float64"]


def test_a_format_that_it_does_not_know_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder({**ALL, "precisions": ["float64", "bfloat16"]}, {})
    recorder.install(monkeypatch)
    said = "precision is 'float16': the program says that it knows float64, bfloat16. Choose "
    with pytest.raises(SettingError, match=said):
        Command("any", precision="float16")
    with pytest.raises(SettingError, match="the program does not know it"):
        refnn.check(Command("any"), precision="float32", keep=None)
    assert "evaluate" not in [q["ask"] for q in recorder.asked]


@pytest.mark.parametrize(
    ("known", "given", "chosen"),
    [
        (["float32", "float64"], None, "float64"),
        (["float16", "float32"], None, "float16"),
        (["float64", "float32"], "float32", "float32"),
    ],
)
def test_it_is_checked_in_a_format_that_it_knows(
    monkeypatch: pytest.MonkeyPatch, known: list[str], given: str | None, chosen: str
) -> None:
    recorder = Recorder({**ALL, "precisions": known, "want": ["loss"]}, {"loss": 1e9})
    recorder.install(monkeypatch)
    target = Command("any", precision=given)
    report = refnn.check(target, networks=NETWORK, examples=1, keep=None)
    assert report.precision.storage == chosen == pickle.loads(pickle.dumps(target)).precision  # noqa: S301 - ours
    assert {q["precision"] for q in recorder.asked[1:]} == {chosen}


BITS = {"float64": "3ff8000000000000", "float32": "3fc00000", "bfloat16": "3fc0", "float16": "3e00"}
"""1½: IEEE 754-2019, section 3.4."""


@pytest.mark.parametrize("storage", FORMATS)
def test_numbers_as_bits(monkeypatch: pytest.MonkeyPatch, storage: str) -> None:
    bits = BITS[storage]
    negative = f"{int(bits, 16) | 1 << 4 * len(bits) - 1:x}"
    reply = {
        "loss": bits,
        "outputs": [[bits]],
        "gradient": [bits, negative, bits],
        "input_gradient": [[bits, bits.upper()]],
    }
    recorder = Recorder({**ALL, "numbers": "hex"}, reply)
    recorder.install(monkeypatch)
    kind = np.dtype(ml_dtypes.bfloat16) if storage == "bfloat16" else np.dtype(storage)
    w, x, y = (np.array(v, dtype=kind) for v in ([1.5, -1.5, 0.0], [[1.5, 1.5]], [[-0.0]]))
    target = Command("any", precision=storage)
    answer = target(NETWORK, w, x, y)
    zero = "0" * len(bits)
    assert recorder.asked[-1]["parameters"] == [bits, negative, zero]
    assert recorder.asked[-1]["x"] == [[bits, bits]]
    assert recorder.asked[-1]["y"] == [["8" + zero[1:]]]
    assert answer["loss"].dtype == kind
    assert answer["gradient"].tolist() == [1.5, -1.5, 1.5]
    assert answer["input_gradient"].tolist() == [[1.5, 1.5]]


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        ("3ff8", "a string of 16 hexadecimal digits"),
        (1.5, "a string of 16 hexadecimal digits"),
        ("0x3ff80000000000", "a string of 16 hexadecimal digits"),
        ([["3ff8000000000000"], []], "its rows differ in length"),
    ],
)
def test_bits_that_are_none(monkeypatch: pytest.MonkeyPatch, loss: object, text: str) -> None:
    bits = BITS["float64"]
    reply = {"loss": loss, "outputs": [[bits]], "gradient": [bits] * 3, "input_gradient": [[bits, bits]]}
    Recorder({**ALL, "numbers": "hex"}, reply).install(monkeypatch)
    with pytest.raises(BrokenTargetError, match=text):
        Command("any")(*CASE)


# -------------------------------------------------------------------------------------------------- layouts, and fields


def test_a_program_may_answer_some_fields() -> None:
    with program('say {"want": ["loss"]}') as target, pytest.raises(BrokenTargetError, match="'outputs' is not known"):
        target(*CASE)


def test_some_fields_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Recorder({**ALL, "want": ["loss"]}, {"loss": 2}).install(monkeypatch)
    assert list(Command("any")(*CASE)) == ["loss"]


def test_another_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights (outputs, inputs), samples in columns: three samples, two inputs, five classes, all different."""
    layout = {"weights": "outputs, inputs", "samples": "columns", "classes": "rows"}
    network = refnn.Network(refnn.Dense(2, 5), loss=refnn.SoftmaxCrossEntropy())
    w, x, y = np.arange(15.0) / 8, np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]), np.array([4, 0, 1])
    truth = network.evaluate(w, x, y)
    there = np.concatenate([truth.gradient[:10].reshape(2, 5).T.ravel(), truth.gradient[10:]])
    reply = {
        "loss": float(truth.loss),
        "outputs": truth.outputs.T.tolist(),
        "gradient": there.tolist(),
        "input_gradient": truth.input_gradient.T.tolist(),
    }
    recorder = Recorder({**ALL, "layout": layout}, reply)
    recorder.install(monkeypatch)
    target = Command("any")
    assert target.layout == Layout(weights="outputs, inputs", samples="columns", classes="rows")
    answer = answered(target, Case(network, w, x, y))
    question = recorder.asked[-1]
    assert question["x"] == [[1, 3, 5], [2, 4, 7]]
    assert question["parameters"][:4] == [0, 5 / 8, 1 / 8, 6 / 8]
    assert np.array(question["y"]).argmax(axis=0).tolist() == [4, 0, 1]
    for name, value in answer.items():
        assert np.array_equal(value, getattr(truth, name)), name


@pytest.mark.parametrize(("layout", "rows"), [({}, [[1.0], [2.0], [3.0]]), ({"samples": "columns"}, [[1.0, 2.0, 3.0]])])
def test_a_single_column_is_sent_as_rows(monkeypatch: pytest.MonkeyPatch, layout: dict[str, str], rows: object) -> None:
    """Whole numbers that are no classes too."""
    recorder = Recorder({**ALL, "want": ["loss"], "layout": layout}, {"loss": 2})
    recorder.install(monkeypatch)
    target = Command("any")
    network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    for y in (np.array([1.0, 2.0, 3.0]), np.array([1, 2, 3])):
        answered(target, Case(network, W, np.ones((3, 2)), y))
        assert recorder.asked[-1]["y"] == rows


def test_classes_are_whole_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder({**ALL, "want": ["loss"]}, {"loss": 2})
    recorder.install(monkeypatch)
    network = refnn.Network(refnn.Dense(2, 5), loss=refnn.SoftmaxCrossEntropy())
    Command("any")(network, np.zeros(15), np.ones((3, 2)), np.array([4, 0, 1]))
    assert recorder.lines[-1].endswith('"y": [4, 0, 1]}')


# -------------------------------------------------------------------------------------------------------- capabilities


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"layers": "-"}, "it lacks layers"),
        ({"dimension": {}}, "'dimension' is not known"),
        ({"layers": "dense"}, "layers is 'dense': it is a list of names"),
        ({"losses": [1]}, "it is a list of names"),
        ({"dimensions": [8]}, "dimensions is"),
        ({"dimensions": {"least": 8}}, "dimensions is"),
        ({"dimensions": {"max": 0}}, "dimensions is"),
        ({"dimensions": {"max": True}}, "dimensions is"),
        ({"layers": ["dense", "rellu"]}, "layers has 'rellu': refnn knows dense, identity, .*elu.* Mend the name"),
        ({"layers": ["dense", "huber"]}, "layers has 'huber'"),
        ({"losses": ["relu"]}, "losses has 'relu': refnn knows squared_error, .*huber"),
        ({"losses": []}, "losses is"),
        ({"precisions": ["double"]}, "precisions has 'double': refnn knows .*bfloat16"),
        ({"reductions": ["sum", "batch"]}, "reductions has 'batch': refnn knows mean, sum, elements, weights"),
        ({"want": []}, "want is"),
        ({"want": ["losses"]}, "want has 'losses': refnn knows outputs, loss, gradient, input_gradient"),
        ({"want": 3}, "want is"),
        ({"settings": ["usual"]}, "settings is"),
        ({"settings": "some"}, 'settings is .some.: it is "any" or "usual"'),
        ({"numbers": "hexadecimal"}, "numbers is"),
        ({"layout": []}, "layout is"),
        ({"layout": {"weights": "transposed"}}, "layout is"),
        ({"layout": {"rows": "samples"}}, "layout is"),
        ({"layout": {"parameters": "named"}}, "layout is"),
        ({"unsupported": "capabilities"}, "capabilities is unsupported"),
    ],
)
def test_capabilities_that_are_none(monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], text: str) -> None:
    capabilities = {name: value for name, value in {**ALL, **said}.items() if value != "-"}
    Recorder(capabilities, {}).install(monkeypatch)
    with pytest.raises(BrokenTargetError, match=text) as caught:
        Command("any")
    assert caught.value.kind == "garbage"


def test_capabilities_are_kept_with_what_was_left_out() -> None:
    with program("honest") as target:
        assert target.capabilities == {
            "layers": ["dense", "relu"],
            "losses": ["squared_error"],
            "precisions": ["float64"],
            "reductions": ["mean"],
            "dimensions": {},
            "settings": "any",
            "want": ["outputs", "loss", "gradient", "input_gradient"],
            "numbers": "decimal",
            "layout": {},
        }
        assert target.layout == Layout()


# ------------------------------------------------------------------------------------------------------ start and end


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("no-such-program --fast", "command is 'no-such-program --fast': no-such-program is not found"),
        (["no-such-program", "a b"], "command is \"no-such-program 'a b'\""),
        (["no\0program"], "it cannot be started"),
        ("", "it is a program and its arguments"),
        ('a "b', "it is a program and its arguments"),
        ([], "it is a program and its arguments"),
        ([b"program"], "it is a program and its arguments"),
        ([3], "it is a program and its arguments"),
        (3, "it is a program and its arguments"),
    ],
)
def test_no_such_program(given: Any, text: str) -> None:
    with pytest.raises(SettingError, match=re.escape(text)):
        Command(given)


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("a text")
    with pytest.raises(SettingError, match=r"cannot be started .*Permission denied"):
        Command([path])  # type: ignore[list-item]


@pytest.mark.parametrize("limit", [0, -1, float("inf"), "soon"])
def test_a_time_limit_is_positive(limit: Any) -> None:
    with pytest.raises(SettingError, match="time_limit"):
        Command("any", time_limit=limit)


def test_a_program_that_breaks_at_once_is_not_left_behind() -> None:
    before = threading.active_count()
    with pytest.raises(BrokenTargetError, match="exit status 7") as caught:
        Command([sys.executable, "-I", "-S", "-c", "import sys; sys.exit(7)"])
    assert caught.value.kind == "crashed"
    assert threading.active_count() == before


def test_the_end_of_a_block_ends_the_program() -> None:
    with program("honest") as target:
        process = running(target).process
        assert alive(process.pid)
        assert os.getpgid(process.pid) == process.pid != os.getpgid(0)
    assert process.returncode == -signal.SIGKILL
    target.close()
    with pytest.raises(BrokenTargetError, match="the program was closed"):
        target(*CASE)
    assert target._program is None


def test_a_program_that_is_closed_is_not_started_by_those_who_wait(tmp_path: Path) -> None:
    """One question is being answered for ever, and another one waits for its turn, when the block ends."""
    starts = tmp_path / "starts"
    said: list[str] = []

    def question() -> None:
        with pytest.raises(BrokenTargetError) as caught:
            target(*CASE)
        said.append(str(caught.value))

    threads = [threading.Thread(target=question) for _ in range(2)]
    with program("hang", time_limit=60, told_in=starts) as target:
        process = running(target).process
        for thread in threads:
            thread.start()
        until(lambda: running(target).questions == 3)
    for thread in threads:
        thread.join(10)
    assert [text[: text.index(":")] for text in sorted(said)] == [
        "the program ended with signal 9 (Killed)",
        "the program was closed",
    ]
    assert starts.read_text() == f"{process.pid}\n"
    assert gone(process.pid)


def test_nothing_runs_when_a_check_that_hung_is_over(tmp_path: Path) -> None:
    """Both attempts at a question hang, each until the limit of the target, and none outlives the block."""
    starts = tmp_path / "starts"
    with program("hang", told_in=starts) as target:
        target._time_limit = 0.7  # the start may take longer
        report = refnn.check(target, time_limit=0.1, keep=None)
    assert report.verdict == "broken"
    assert report.failure is not None
    assert "no whole reply after 0.7 seconds" in report.failure.outcome.said
    assert all(gone(int(process)) for process in starts.read_text().split())


def test_waiting_for_ones_turn_is_not_hanging() -> None:
    """Six questions at once to a program that takes 0.2 seconds for each: the last waits for a second."""
    question = asked(*CASE, precision_named("float64"))
    with program("slow") as target, ThreadPoolExecutor(6) as executor:
        again = [executor.submit(ask, target, CASE, question, Layout(), time_limit=0.5) for _ in range(6)]
        assert [float(answer.result()["loss"]) for answer in again] == [2.0] * 6


def test_a_target_that_nobody_has_ends_its_program() -> None:
    target = program("honest")
    process = running(target).process
    del target
    gc.collect()
    assert process.returncode == -signal.SIGKILL


def test_python_ends_its_programs(tmp_path: Path) -> None:
    """The other process tells the number of its program, and ends without closing it."""
    text = (
        "from refnn.search.targets.command import Command\n"
        f"target = Command({[sys.executable, '-I', '-S', str(MALFORMED), 'honest']!r})\n"
        "print(target._program.process.pid)\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert gone(int(done.stdout))


def test_whatever_stops_a_question_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer would come when another question is asked."""
    with program("honest") as target:
        process = running(target).process

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(command, "reply_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            target(*CASE)
        assert process.returncode == -signal.SIGKILL
        monkeypatch.undo()
        assert target(*CASE)["loss"] == 2


def test_a_pickled_target_starts_its_own_program() -> None:
    with program("honest", time_limit=9) as target:
        with pickle.loads(pickle.dumps(target)) as other:  # noqa: S301 - it was pickled in this line
            assert other._program is None
            assert other.capabilities == target.capabilities
            assert other._time_limit == 9
            assert other(*CASE)["loss"] == 2
            assert running(other).process.pid != running(target).process.pid
            assert pickle.loads(pickle.dumps(target)) is other  # noqa: S301 - likewise
        assert target(*CASE)["loss"] == 2
        with pickle.loads(pickle.dumps(target)) as another:  # noqa: S301 - likewise
            assert another is not other
            assert another(*CASE)["loss"] == 2


def test_each_worker_starts_one_program_and_ends_it(tmp_path: Path) -> None:
    """Ten questions, two workers, and a program that outlives its input."""
    starts = tmp_path / "starts"
    question = asked(*CASE, precision_named("float64"))
    with program("stay", told_in=starts) as target:
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
            answers = [executor.submit(ask, target, CASE, question, Layout()) for _ in range(10)]
            assert [float(answer.result()["loss"]) for answer in answers] == [2.0] * 10
            processes = [int(process) for process in starts.read_text().split()]
            assert processes[0] == running(target).process.pid
            assert 2 <= len(processes) <= 3  # one worker may have answered all
        assert all(gone(process) for process in processes[1:])
        assert alive(processes[0])


def test_a_fork_leaves_the_program_to_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    with program("honest") as target:
        parents = running(target)
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            assert target(*CASE)["loss"] == 2
            programs._end(parents.process, parents._requests, parents.owner)
            childs = running(target)
            target.close()
        assert childs.process.pid != parents.process.pid
        assert not alive(childs.process.pid)
        assert alive(parents.process.pid)
        assert parents.process.returncode == 0  # as the fork has it, which would warn of a process that is left else
        parents.process.returncode = None
        parents.stop()
        assert parents.process.returncode == -signal.SIGKILL


def test_a_program_that_left_its_group_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps the pipes open, but they are not waited for."""
    monkeypatch.setattr(programs, "_GRACE", 0.1)
    text = (
        "import subprocess, sys\n"
        "code = 'import os, time; os.setsid(); time.sleep(1)'\n"
        "subprocess.Popen([sys.executable, '-I', '-S', '-c', code])\n"
        "import time; time.sleep(0.3)\n"
        "print('what?', flush=True)\n"
        "time.sleep(60)\n"
    )
    begin = time.monotonic()
    with pytest.raises(BrokenTargetError, match="wrote 'what"):
        Command([sys.executable, "-I", "-S", "-c", text])
    assert time.monotonic() - begin < 1
