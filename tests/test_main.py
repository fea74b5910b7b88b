"""The command line, as a user sees it: output, exit codes, files, and refusals before anything is computed."""

from __future__ import annotations

import html
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import refnn
from refnn import storage
from refnn.__main__ import main
from refnn.arithmetic.rounded import RoundedArray
from refnn.report import plots, verification
from tests.report.cases import allowed, hide_flint, quick_descent, quick_examine, rounding, row

CLASSES = "a,b,y\n1,2,red\n2,0,red\n3,5,blue\n0,1,red\n4,4,blue\n2,5,blue\n5,1,blue\n"
NUMBERS = "a,b,y\n1,2,0.5\n2,0,-1\n3,5,2\n0,1,7\n4,4,1\n2,5,3.5\n5,1,2\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with two tables, as the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "classes.csv").write_text(CLASSES, encoding="utf-8")
    (tmp_path / "numbers.csv").write_text(NUMBERS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Witnesses who agree and a proof that is there at once, and empty pictures; all have tests of their own."""

    def save(figure: object, folder: Path, name: str) -> tuple[str, str]:
        for suffix in ("svg", "png"):
            (folder / f"{name}.{suffix}").touch()
        return f"{name}.svg", f"{name}.png"

    monkeypatch.setattr(verification, "examine", quick_examine)
    monkeypatch.setattr(verification, "examine_descent", quick_descent)
    monkeypatch.setattr(plots, "save", save)


def files(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()} - {"classes.csv", "numbers.csv"}


SHORT = ["--epochs", "2", "--hidden", "3", "--batch-size", "3"]


def verify(*options: str) -> int:
    return main(["verify", *SHORT, *options])


def train(*options: str) -> int:
    return main(["train", *SHORT, *options])


# --------------------------------------------------------------------------------------------------------------- verify


@pytest.mark.unmeasured
@pytest.mark.parametrize("options", [["--data", "classes.csv"], ["--data", "numbers.csv"]])
def test_verify_on_a_table_of_ones_own_with_the_real_witnesses(
    home: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert verify(*options, "--target", "y", "--report", "here") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("agrees") == 4 * (5 + 1) + 1
    assert "The gradient agrees with every witness that spoke" in out
    assert f"Report: {home / 'here' / 'index.html'}" in out
    assert files(home) == {"here"}
    assert (home / "here" / "loss.svg").stat().st_size > 1000


@pytest.mark.usefixtures("quick")
def test_verify_without_data_takes_the_irises_and_the_folder_of_its_name(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify() == 0
    assert "Iris, 150 samples, 4 features, classes" in capsys.readouterr().out
    assert files(home) == {"refnn-report"}
    assert verify() == 0  # an earlier report is replaced
    assert files(home) == {"refnn-report"}


@pytest.mark.usefixtures("quick", "home")
def test_what_witnesses_cannot_see_and_remark_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verify() == 0
    out = capsys.readouterr().out
    assert "slow witness: compared loss, gradient; cannot see rounding; <kinks>" in out
    assert "Remarks" not in out
    monkeypatch.setattr(verification, "examine", lambda *_, **__: (row(note="[red] too large " * 9),))
    assert verify() == 0
    lines = capsys.readouterr().out.splitlines()
    (start,) = (
        k for k, line in enumerate(lines) if line.startswith("  slow witness, before training, after full batch")
    )
    assert lines[start - 1] == "Remarks:"
    assert "[red] too large" in " ".join(lines[start : start + 2])
    assert lines[start + 1].startswith("      ")


@pytest.mark.usefixtures("quick", "home")
def test_verify_prints_the_exact_gradient_and_the_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify() == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "The same gradient against its exact value, on all 150 samples" in out
    assert len(re.findall(r"exact value -?[0-9.]+e[-+][0-9]+ ", out)) == 4
    assert "One step from the start, with all 150 samples: up to 1.96875 it falls. The proof has 3 tiles" in out


@pytest.mark.usefixtures("quick", "home")
def test_verify_without_flint_says_in_one_line_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_flint(monkeypatch)
    assert verify() == 0
    lines = capsys.readouterr().out.splitlines()
    assert "No exact values and no proofs: python-flint is not installed. Run: pip install python-flint." in lines
    assert not [line for line in lines if line.startswith("The same gradient")]


@pytest.mark.usefixtures("home")
def test_an_exact_gradient_out_of_its_bound_ends_with_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    monkeypatch.setattr(verification, "examine_rounding", lambda *_: rounding(ratio=2.0))
    assert verify("--quiet") == 1
    assert capsys.readouterr().out.startswith(
        "The gradient disagrees with its exact value (before training), its exact"
    )


@pytest.mark.usefixtures("quick", "home")
@pytest.mark.parametrize(("word", "ratio", "code"), [("disagrees", 2.0, 1), ("undecided", 0.5, 0)])
def test_float32_out_of_its_bounds_ends_with_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, word: str, ratio: float, code: int
) -> None:
    monkeypatch.setattr(verification, "examine_allowed", lambda *_: allowed(verdict=word, ratio=ratio))
    assert verify() == code
    out = " ".join(capsys.readouterr().out.split())
    assert "How far off float32 may be" in out
    assert len(re.findall(rf" 6, 75 % {word} in bfloat16 ", out)) == 4
    assert ("The gradient disagrees with its bounds in float32 (before training), its bounds" in out) == (code == 1)


@pytest.mark.usefixtures("quick", "home")
def test_json_is_all_that_stands_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify("--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["agrees"] is True
    written = json.loads(Path("refnn-report/report.json").read_text(encoding="utf-8"))
    assert written.pop("files")
    assert written == document


@pytest.mark.usefixtures("quick", "home")
def test_quiet_prints_the_outcome_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify("--quiet") == 0
    verdict, report = capsys.readouterr().out.splitlines()
    assert verdict == (
        "The gradient agrees with every witness that spoke: slow witness, other; and with its exact value; "
        "and float32 is within its bounds."
    )
    assert report.startswith("Report: ")


@pytest.mark.usefixtures("quick", "home")
def test_a_disagreement_ends_with_one_and_still_writes_the_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "examine", lambda *_, **__: (row(verdict="disagrees", ratio=7.0),))
    assert verify() == 1
    assert "The gradient disagrees with slow witness (before training)" in capsys.readouterr().out.replace("\n", " ")
    assert Path("refnn-report/index.html").exists()


@pytest.mark.usefixtures("quick", "home")
@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("undecided", "Undecided, for zeros would pass in place of the gradient: slow witness (before training), "),
        ("not run", "No witness spoke before training, after full batch, "),
    ],
)
def test_what_is_undecided_ends_with_four_and_still_writes_the_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, word: str, sentence: str
) -> None:
    monkeypatch.setattr(verification, "examine", lambda *_, **__: (row(verdict=word),))
    assert verify() == 4
    assert sentence in capsys.readouterr().out
    assert Path("refnn-report/index.html").exists()


@pytest.mark.usefixtures("quick", "home")
def test_divergence_ends_with_one_and_names_the_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify("--data", "numbers.csv", "--target", "y", "--learning-rate", "1e300", "--quiet") == 1
    assert "Training diverged with full batch (at step 1), single sample (at step 1)" in capsys.readouterr().out


@pytest.mark.usefixtures("quick", "home")
def test_progress_is_shown_on_a_terminal_and_not_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes the stream for a terminal
    assert verify("--json") == 0
    out, err = capsys.readouterr()
    json.loads(out)
    for part in (
        "witnesses before training",
        "training, single sample",
        "exact gradient after",
        "certified",
        "plots",
        "left:",
    ):
        assert part in err
    assert verify("--quiet") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("quick")
def test_numbers_are_taken_as_classes_on_request(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "digits.csv").write_text("a,y\n1,0\n2,1\n3,0\n4,1\n5,1\n", encoding="utf-8")
    assert verify("--data", "digits.csv", "--target", "y", "--kind", "classes") == 0
    assert "classes" in capsys.readouterr().out.splitlines()[0]
    assert verify("--data", "digits.csv", "--target", "y") == 0
    assert "numbers" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.usefixtures("quick", "home")
@pytest.mark.parametrize("name", [activation.__name__.lower() for activation in refnn.activations.ALL])
def test_every_activation_can_be_chosen(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--activation", name, "--epochs", "1", "--json") == 0
    json.loads(capsys.readouterr().out)


# ---------------------------------------------------------------------------------------------------------------- train


def test_train_prints_the_loss_of_each_epoch_and_the_outcome(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--data", "classes.csv", "--target", "y") == 0
    first, second, outcome = capsys.readouterr().out.splitlines()
    assert first.startswith("epoch 1/2  loss 0.")
    assert second.startswith("epoch 2/2  loss 0.")
    assert outcome.startswith("All epochs done after 6 steps: loss 0.")
    assert outcome.endswith(" %.")
    assert files(home) == set()
    assert train("--data", "numbers.csv", "--target", "y", "--quiet") == 0
    assert "accuracy" not in capsys.readouterr().out


@pytest.mark.parametrize(("epochs", "lines"), [(1, 1), (7, 7), (20, 20), (21, 21), (999, 21)])
def test_train_tells_the_loss_of_the_first_and_the_last_epoch_and_at_most_twenty_others(
    home: Path, capsys: pytest.CaptureFixture[str], epochs: int, lines: int
) -> None:
    assert train("--data", "numbers.csv", "--target", "-1", "--variant", "full", "--epochs", str(epochs)) == 0
    *progress, outcome = capsys.readouterr().out.splitlines()
    assert outcome.startswith(f"All epochs done after {epochs} step{'' if epochs == 1 else 's'}: ")
    assert len(progress) == lines
    assert progress[0].startswith(f"epoch 1/{epochs} ")
    assert progress[-1].startswith(f"epoch {epochs}/{epochs} ")
    assert home.exists()


@pytest.mark.parametrize(("seconds", "told"), [(0.4, []), (3.0, ["(about 6 s for the others)"])])
def test_train_tells_after_the_first_epoch_how_long_the_others_will_take(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, seconds: float, told: list[str]
) -> None:
    clock = itertools.count(step=seconds)  # read before training, and after the first epoch
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert train("--data", "numbers.csv", "--target", "y", "--epochs", "3") == 0
    out = capsys.readouterr().out
    assert re.findall(r"\(.*\)", out) == told
    assert ("for the others)" in out.splitlines()[0]) == bool(told)
    assert home.exists()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("command", [verify, train])
def test_remarks_on_the_data_are_told_before_they_are_used(
    home: Path, capsys: pytest.CaptureFixture[str], command: Callable[..., int]
) -> None:
    (home / "digits.csv").write_text("a,b,y\n1,5,0\n2,5,1\n3,5,0\n4,5,1\n5,5,1\n", encoding="utf-8")
    assert command("--data", "digits.csv", "--target", "y", "--json") == 0
    out, err = capsys.readouterr()
    json.loads(out)
    constant, few = err.splitlines()
    assert constant == "refnn: note: the feature 'b' is the same in every row, and tells no samples apart"
    assert few.startswith(
        "refnn: note: the target 'y' has only the 2 values 0 and 1; if these are classes, pass --kind"
    )
    if command is verify:
        assert json.loads(out)["data"]["remarks"] == [line.removeprefix("refnn: note: ") for line in err.splitlines()]
        for page in ("index.html", "report.md"):
            text = html.unescape((home / "refnn-report" / page).read_text(encoding="utf-8"))
            assert "has only the 2 values 0 and 1" in text


@pytest.mark.parametrize(("variant", "steps"), [("full", 2), ("single", 14), ("mini", 6)])
def test_every_variant_trains_with_its_steps(
    home: Path, capsys: pytest.CaptureFixture[str], variant: str, steps: int
) -> None:
    assert train("--data", "numbers.csv", "--target", "y", "--variant", variant, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["steps"] == steps
    assert document["variant"] == variant
    assert len(document["losses"]) == 3
    assert document["accuracy"] is None
    assert home.exists()


@pytest.mark.parametrize("table", ["classes", "numbers"])
def test_saved_weights_predict_new_samples_with_what_is_saved_beside_them(home: Path, table: str) -> None:
    a, b = np.array([3.0, 0, 6, 1, 5, 2, 4]), np.array([15.0, 0, 5, 30, 10, 20, 25])  # 3 ± 2 and 15 ± 10, exactly
    raw = np.array([2, -1, 0.5, 0, 1.5, 1, -0.5])  # ½ ± 1
    colours = ("red", "red", "blue", "red", "blue", "blue", "blue")
    rows = zip(a, b, colours if table == "classes" else raw.tolist(), strict=True)
    (home / f"{table}.csv").write_text("a,b,y\n" + "".join(f"{u},{v},{t}\n" for u, v, t in rows), encoding="utf-8")
    assert train("--data", f"{table}.csv", "--target", "y", "--save", "w.npz", "--epochs", "30", "--quiet") == 0
    assert files(home) == {"w.npz"}
    about = storage.load_metadata("w.npz")
    assert about["features"] == ["a", "b"]
    outputs = 2 if table == "classes" else 1
    loss: refnn.Loss = refnn.SoftmaxCrossEntropy() if table == "classes" else refnn.SquaredError()
    network = refnn.Network(refnn.Dense(2, 3), refnn.Tanh(), refnn.Dense(3, outputs), loss=loss)
    w = storage.load_parameters("w.npz", network)
    assert (about["feature_mean"], about["feature_scale"]) == ([3, 15], [2, 10])
    z = np.stack([(a - 3) / 2, (b - 15) / 10], axis=1)
    if table == "classes":
        assert about["classes"] == ["blue", "red"]
        assert about["target_mean"] is None
        y: np.ndarray = np.array([1, 1, 0, 1, 0, 0, 0])
    else:
        assert about["classes"] is None
        assert about["target_mean"] == 0.5
        y = raw - 0.5
    assert isinstance(about["loss"], float)
    rounded = network.loss(RoundedArray.exact(w), z, y)
    assert abs(rounded.value - about["loss"]) <= 2 * rounded.error  # the same loss, summed in whatever order


def test_certified_training_lowers_the_loss_in_every_epoch(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data", "classes.csv", "--target", "y", "--variant", "full", "--epochs", "5", "--json"]
    losses = []
    for choice in ([], ["0.5"], ["0.25"]):
        assert train(*options, "--certified", *choice) == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["certified"], document["learning_rate"]) == (float(choice[0]) if choice else 0.5, None)
        losses.append(document["losses"])
        assert losses[-1] == sorted(losses[-1], reverse=True)
        assert len(set(losses[-1])) == 6
    assert losses[0] == losses[1] != losses[2]
    assert train(*options) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["certified"], document["learning_rate"]) == (None, 0.1)
    assert home.exists()


def test_certified_training_without_flint_names_it(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_flint(monkeypatch)
    assert train("--certified", "--save", "w.npz") == 2
    assert "refnn: MissingExtraError: python-flint is not installed" in capsys.readouterr().err
    assert files(home) == set()


def test_training_stops_early_on_request(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data", "classes.csv", "--target", "y", "--epochs", "2000", "--quiet"]
    assert train(*options, "--stop-below", "0.3") == 0
    assert capsys.readouterr().out.startswith("The loss is low enough after ")
    options[1] = "numbers.csv"  # which no such network fits: single samples make the loss rise now and then
    assert train(*options, "--learning-rate", "0.5", "--variant", "single", "--patience", "1") == 0
    assert capsys.readouterr().out.startswith("The loss no longer falls after ")
    assert home.exists()


def interrupt_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Ctrl-C in the middle of training."""
    differentiate = refnn.Network.differentiate
    left = iter(range(steps))

    def interrupted(self: refnn.Network, *arguments: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return differentiate(self, *arguments)

    monkeypatch.setattr(refnn.Network, "differentiate", interrupted)


def test_control_c_saves_what_was_reached(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(monkeypatch, 4)
    assert train("--data", "classes.csv", "--target", "y", "--save", "w.npz") == 130
    assert capsys.readouterr().out.splitlines()[-1].startswith("Interrupted after 4 steps")
    assert storage.load_metadata("w.npz")["stopped"] == "interrupted"
    assert files(home) == {"w.npz"}


@pytest.mark.usefixtures("quick")
def test_control_c_in_verify_writes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(monkeypatch, 4)
    assert verify() == 130
    assert capsys.readouterr().err == "refnn: interrupted; nothing was written\n"
    assert files(home) == set()


def test_a_reader_who_leaves_does_not_end_the_work(home: Path) -> None:
    words = ["train", "--data", "classes.csv", "--target", "y", "--epochs", "2000", "--save", "w.npz"]
    command = [sys.executable, "-m", "refnn", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603 - our Python
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait() == 0
        assert process.stderr.read() == b""
    assert storage.load_metadata("w.npz")["stopped"] == "epochs"
    assert home.exists()


def test_what_is_said_to_nobody_is_dropped(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError

    replaced: list[int] = []
    monkeypatch.setattr("builtins.print", closed)
    monkeypatch.setattr(os, "dup2", lambda _, descriptor: replaced.append(descriptor))
    assert main(["train", "--epochs", "1", "--quiet"]) == 0
    assert replaced == [sys.stdout.fileno()]
    assert capfd.readouterr().err == ""


def test_training_that_diverges_saves_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "w.npz").write_text("precious", encoding="utf-8")
    options = ["--data", "numbers.csv", "--target", "y", "--learning-rate", "1e200", "--save", "w.npz"]
    assert train(*options, "--variant", "full") == 1
    err = capsys.readouterr().err
    assert err.startswith("refnn: training diverged after 1 step; nothing was saved. DivergenceError: ")
    assert (home / "w.npz").read_text(encoding="utf-8") == "precious"


# ------------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "absent.csv", "--target", "y"], "refnn: DataError: 'absent.csv' cannot be read: No such file"),
        (["--data", "classes.csv", "--target", "z"], "refnn: DataError: classes.csv has no column 'z'"),
        (["--data", "classes.csv", "--target", "y", "--kind", "numbers"], "refnn: DataError: classes.csv, line 2"),
        (["--epochs", "0"], "refnn: SettingError: epochs is 0"),
        (["--hidden", "-1"], "refnn: SettingError: hidden is -1"),
        (["--batch-size", "0"], "refnn: SettingError: batch_size is 0"),
        (["--learning-rate", "nan"], "refnn: SettingError: learning_rate is nan"),
        (["--learning-rate", "-0.5"], "refnn: SettingError: learning_rate is -0.5"),
        (["--seed", "-1"], "refnn: SettingError: seed is -1"),
    ],
)
@pytest.mark.parametrize("command", [verify, train])
def test_bad_input_ends_with_two_before_anything_is_computed(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[..., int],
    options: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(refnn.Network, "forward", None)  # calling it would be a TypeError
    assert command(*options) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)
    assert files(home) == set()


def test_places_that_cannot_be_written_are_refused_before_training(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refnn.Network, "forward", None)
    assert verify("--report", ".") == 2
    assert "refnn: DataError: . holds classes.csv, numbers.csv" in capsys.readouterr().err
    assert verify("--report", "absent/report") == 2
    assert train("--save", "absent/w.npz") == 2
    assert train("--save", ".") == 2
    assert train("--patience", "0") == 2
    assert train("--certified", "1.5") == 2
    for limit in ("0", "-1", "nan"):  # no loss is below 0
        assert train("--stop-below", limit) == 2
    assert capsys.readouterr().err.count("refnn: DataError") == 3
    assert files(home) == set()


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "--data", "classes.csv"],
        ["verify", "--target", "y"],
        ["train", "--kind", "classes"],
        ["train", "--variant", "batch"],
        ["train", "--activation", "tanhh"],
        ["train", "--certified", "half"],
        ["train", "--certified", "0.5", "--learning-rate", "0.1"],
        ["verify", "--certified"],
        ["verify", "--epochs", "many"],
        ["verify", "--bogus"],
        ["train", "--report", "here"],
        ["verfy"],
        ["--report"],
    ],
)
@pytest.mark.usefixtures("home")
def test_bad_usage_ends_with_two_and_says_what_is_wrong(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    command = f"refnn {words[0]}" if words[0] in {"verify", "train"} else "refnn"
    assert err.startswith(f"usage: {command} [")
    assert f"{command}: error: " in err


@pytest.mark.parametrize("package", ["rich", "matplotlib"])
def test_verify_without_its_extra_names_it(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert verify() == 2
    assert f"refnn: MissingExtraError: {package} is not installed" in capsys.readouterr().err
    assert files(home) == set()


def test_too_little_memory_is_said_so(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def starve(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(refnn.Network, "initial_parameters", starve)
    assert train("--save", "w.npz") == 2
    assert "not enough memory" in capsys.readouterr().err
    assert files(home) == set()


@given(
    content=st.binary(max_size=40) | st.sampled_from([CLASSES, NUMBERS]).map(str.encode),
    target=st.sampled_from(["y", "0", "-1", "zz", ""]) | st.text(max_size=3),
    kind=st.sampled_from([[], ["--kind", "classes"], ["--kind", "numbers"]]),
    rate=st.floats(),
    sizes=st.tuples(*[st.integers(-2, 6)] * 4),
    variant=st.sampled_from(["full", "single", "mini"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_input_makes_a_traceback(
    home: Path, content: bytes, target: str, kind: list[str], rate: float, sizes: tuple[int, ...], variant: str
) -> None:
    (home / "any.csv").write_bytes(content)
    hidden, epochs, batch, seed = map(str, sizes)
    words = ["--hidden", hidden, "--epochs", epochs, "--batch-size", batch, "--seed", seed, "--variant", variant]
    words += ["--data=any.csv", f"--target={target}", *kind, f"--learning-rate={rate}", "--quiet", "--save", "w.npz"]
    code = main(["train", *words])
    assert code in {0, 1, 2}
    assert (home / "w.npz").exists() == (code == 0)
    (home / "w.npz").unlink(missing_ok=True)


# ----------------------------------------------------------------------------------------------------- help and version


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "verify" in err
    assert "train" in err


@pytest.mark.parametrize("words", [["--help"], ["verify", "--help"], ["train", "--help"]])
def test_help_ends_well_and_has_examples(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "refnn verify" in out or "refnn train" in out
    assert all(len(line) <= 120 for line in out.splitlines())


@pytest.mark.usefixtures("quick", "home")
@pytest.mark.parametrize("command", ["verify", "train"])
def test_the_examples_of_the_help_are_accepted(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("houses.csv").write_text(NUMBERS.replace("y", "price", 1), encoding="utf-8")
    Path("patients.csv").write_text("a,outcome\n1,0\n2,1\n4,0\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    examples = [line.partition(" > ")[0].split() for line in lines if line.startswith(f"refnn {command}")]
    assert len(examples) >= 3
    for _, *words in examples:
        assert main([*words, *SHORT]) == 0


def run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """A fresh process, as from a shell."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return] # noqa: S603 - our own Python


def test_the_version_is_told() -> None:
    done = run("-m", "refnn", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"refnn {refnn.__version__}\n", "")


def test_the_installed_command_is_this_one(tmp_path: Path) -> None:
    done = run("-W", "error", "-m", "refnn", "train", "--epochs", "1", "--quiet", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("All epochs done after 10 steps")
    assert done.stderr == ""


@pytest.mark.parametrize("words", ["[]", "['--help']", "['verify', '--help']", "['train', '--epochs', '1']"])
def test_help_and_training_need_no_extra(words: str) -> None:
    code = f"""
import sys
import refnn.__main__
try:
    refnn.__main__.main({words})
except SystemExit:
    pass
extras = {{"rich", "matplotlib", "sympy", "mpmath", "hypothesis", "flint"}}
sys.exit(str(sorted(extras & set(sys.modules))) if extras & set(sys.modules) else 0)
"""
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
