"""Vectors: files that are the same everywhere, hold the truth, catch what they say, and are read with distrust."""

from __future__ import annotations

import json
import math
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import refnn
from refnn import DataError, SettingError, activations, losses
from refnn.arithmetic.precision import precision_named
from refnn.network import Evaluation
from refnn.oracle.budget import Question, ratios
from refnn.search import vectors
from refnn.search.drawing import posed
from refnn.search.faults import FAULTS
from refnn.search.target import Layout
from refnn.search.vectors import Result, Vector, as_junit, load, run, write
from refnn.search.written import KINDS, kind_of
from refnn.witnesses import textbook
from tests.search.implementations import crashes, everything, hangs, of_torch, right, summed, upside_down

USUAL = ("float64", "float32")

Json = Any


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All vectors."""
    place = tmp_path_factory.mktemp("vectors")
    names = [path.name for path in write(place)]
    assert names[:2] == ["vectors.json", "vectors-2.json"]
    assert names[-2:] == ["schema.json", "README.md"]
    return place


@pytest.fixture(scope="module")
def all_vectors(folder: Path) -> list[Vector]:
    return load(folder)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of some vectors, with classes and with other targets."""
    chosen = {"layers": ["dense", "relu"], "losses": ["squared_error", "softmax_cross_entropy"]}
    return write(tmp_path_factory.mktemp("few"), **chosen, precisions=["float32"])[0]  # type: ignore[arg-type]


def question_of(vector: Vector, precision: str) -> Question:
    return posed(vector.case, precision_named(precision))[1]


# ------------------------------------------------------------------------------------------------------- the same bytes


ELSEWHERE = """
import hashlib, sys
import numpy as np
from refnn.search.vectors import write
x = np.linspace(-3, 3, 3990)
print(hashlib.sha256(np.tanh(x).tobytes() + (x.reshape(57, 70).T @ x.reshape(57, 70)).tobytes()).hexdigest())
if len(sys.argv) > 1:
    write(sys.argv[1])
"""
"""How the last bits of a product and of a function come out; and all vectors, into a folder."""


def elsewhere(*arguments: str, **environment: str) -> str:
    ran = subprocess.run(  # noqa: S603 - it is this Python
        [sys.executable, "-c", ELSEWHERE, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout


@pytest.mark.unmeasured
def test_another_processor_and_other_hashes_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    """OpenBLAS with the kernels of an old processor, NumPy without those of this one."""
    simd = cast(Any, np.show_config(mode="dicts"))["SIMD Extensions"].get("found", [])
    old = {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": " ".join(simd), "PYTHONHASHSEED": "7"}
    same_bits = elsewhere() == elsewhere(str(tmp_path), **old)
    files = sorted(path.name for path in folder.iterdir())
    assert files == sorted(path.name for path in tmp_path.iterdir())
    assert [(tmp_path / name).read_bytes() for name in files] == [(folder / name).read_bytes() for name in files]
    if same_bits:
        pytest.skip("this processor has one way to compute only, so that the bytes could not differ")


def test_twice_in_one_process(few: Path, tmp_path: Path) -> None:
    chosen = {"layers": ("relu", "dense"), "losses": {"softmax_cross_entropy", "squared_error"}}
    for _ in range(2):
        again = write(tmp_path, **chosen, precisions=["float32"])  # type: ignore[arg-type]
        assert again[0].read_bytes() == few.read_bytes()


@pytest.mark.parametrize("precision", USUAL)
def test_no_bound_is_so_near_to_two_digits_that_last_bits_decide(
    all_vectors: list[Vector], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounds are sums of a few hundred positive terms: machines differ by 1e-13 of them, far less than 1e-9."""
    round_up = vectors._rounded_up
    monkeypatch.setattr(vectors, "_rounded_up", lambda bounds: bounds)
    for vector in all_vectors:
        raw, written = vectors._expected(question_of(vector, precision)), vector.expected[precision].bounds
        assert raw is not None
        for name, bound in raw.bounds.items():
            for factor in (1 - 1e-9, 1, 1 + 1e-9):
                assert np.array_equal(round_up(bound * factor), written[name])


def test_two_digits_are_never_less() -> None:
    numbers = np.array([0, 5e-324, 1e-16, 2 / 3, 0.999, 1.0, 7.3e-9, 1.79e307])
    up = vectors._rounded_up(numbers)
    assert up.tolist() == [0, 5e-324, 1.1e-16, 0.71, 1.1, 1.1, 7.7e-9, 1.9e307]
    assert (up >= numbers).all()


def test_numbers_are_those_of_the_generator_of_park_and_miller() -> None:
    """From 1, the 10,000th number is 399268537, by their paper's test with the multiplier 48271."""
    numbers = vectors._Numbers("")
    numbers.state = 1
    assert [numbers.below(2**31) for _ in range(10_000)][-1] == 399268537


# ------------------------------------------------------------------------------------------------------------ the truth


def decimals(file: Path, id_: str) -> Json:
    return next(vector for vector in json.loads(file.read_text())["vectors"] if vector["id"] == id_)


def test_a_dense_layer_by_fractions(folder: Path) -> None:
    """All numbers are multiples of 1/64 with a few bits, so that every format here holds their sums of products."""
    given = decimals(folder / "vectors.json", "layer/dense")
    x, y = ([[Fraction(v) for v in row] for row in given[name]["decimal"]] for name in ("x", "y"))
    w, b = ([Fraction(v) for v in given["parameters"]["decimal"][k]] for k in (slice(6), slice(6, 9)))
    weight = [w[:3], w[3:]]
    z = [[sum(r[k] * weight[k][j] for k in range(2)) + b[j] for j in range(3)] for r in x]
    inputs = [[sum(row[j] * weight[k][j] for j in range(3)) for k in range(2)] for row in y]
    dw = [[sum(x[n][k] * y[n][j] for n in range(5)) for j in range(3)] for k in range(2)]
    db = [sum(y[n][j] for n in range(5)) for j in range(3)]
    for precision in USUAL:
        told = given["expected"][precision]
        assert told["outputs"]["decimal"] == z
        assert told["input_gradient"]["decimal"] == inputs
        assert told["gradient_by_name"]["0.weight"]["decimal"] == dw
        assert told["gradient_by_name"]["0.bias"]["decimal"] == db
        assert told["gradient"]["decimal"] == [*dw[0], *dw[1], *db]
    loss = sum((z[n][j] * y[n][j] for n in range(5) for j in range(3)), Fraction())
    assert given["expected"]["float64"]["loss"]["decimal"] == loss
    assert abs(Fraction(given["expected"]["float32"]["loss"]["decimal"]) - loss) <= Fraction(2) ** -24 * abs(loss)


def test_every_answer_is_that_of_the_textbook(all_vectors: list[Vector]) -> None:
    """Within half a unit in the last place: the textbook's float64 are as near to the real numbers as they say."""
    pytest.importorskip("mpmath")
    compared: Any = 0
    for vector in all_vectors:
        network, w, x, y = vector.case
        values, errors = textbook.testify(network, w, x, y)
        for precision, expected in vector.expected.items():
            for name in Evaluation._fields:
                told, true, error = (
                    np.asarray(part) for part in (expected.values[name], getattr(values, name), getattr(errors, name))
                )
                half = np.spacing(np.abs(true).astype(precision)).astype(float) / 2 * (precision != "float64")
                known = np.isfinite(error)
                assert (np.abs(told - true)[known] <= (half + error)[known]).all(), (vector.id, name)
                compared += np.count_nonzero(known)
                if precision == "float64":
                    assert np.count_nonzero(told != true) <= np.count_nonzero(error), (vector.id, name)
    assert compared > 3000


def test_bits_are_those_of_the_decimals(folder: Path) -> None:
    """By the struct module, which packs numbers itself."""

    def pairs(value: Json) -> Iterator[tuple[Json, Json]]:
        if isinstance(value, dict) and "bits" in value:
            yield from zip(np.ravel(value["decimal"]), np.ravel(value["bits"]), strict=True)
        elif isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                yield from pairs(part)

    seen = set()
    for number, bits in pairs(json.loads((folder / "vectors.json").read_text())["vectors"]):
        assert struct.unpack(">d" if len(bits) == 16 else ">f", bytes.fromhex(bits)) == (float(number),)
        seen.add(len(bits))
    assert seen == {8, 16}


# ----------------------------------------------------------------------------------------------------------- who passes


@pytest.mark.parametrize("precision", USUAL)
def test_refnn_passes_all(all_vectors: list[Vector], precision: str) -> None:
    results = run(everything, all_vectors, precision)
    assert [result for result in results if result.kind != "passed"] == []
    assert {result.said for result in results} <= {
        "compared: outputs, loss, gradient, input_gradient",
        "compared: outputs, loss, input_gradient",
    }


def by_torch(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
    """Everything by PyTorch's own functions and its automatic differentiation."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    f = torch.nn.functional
    units: dict[str, Callable[[Any, Any], Any]] = {
        "identity": lambda z, u: z,
        "sigmoid": lambda z, u: torch.sigmoid(z),
        "tanh": lambda z, u: torch.tanh(z),
        "relu": lambda z, u: torch.relu(z),
        "leaky_relu": lambda z, u: f.leaky_relu(z, u.slope),
        "elu": lambda z, u: f.elu(z, u.alpha),
        "softplus": lambda z, u: torch.logaddexp(z, torch.zeros_like(z)),  # torch's own is z beyond a threshold
        "silu": lambda z, u: f.silu(z),
        "gelu": lambda z, u: f.gelu(z),
        "gelu_tanh": lambda z, u: f.gelu(z, approximate="tanh"),
    }
    w, x = (torch.tensor(v, requires_grad=True) for v in (w, x))
    z, begin = x, 0
    for layer in network.layers:
        if isinstance(layer, refnn.Dense):
            middle = begin + layer.inputs * layer.outputs
            weight, begin = w[begin:middle].reshape(layer.inputs, layer.outputs), middle + layer.outputs
            z = z @ weight + w[middle:begin]
        else:
            z = units[kind_of(layer)](z, layer)
    loss, y = network.loss_function, torch.tensor(y)
    divisor = {"mean": len(x), "sum": 1, "elements": z.numel()}.get(loss.reduction)
    if isinstance(loss, losses.SoftmaxCrossEntropy):
        given = torch.nn.functional.one_hot(y, z.shape[1]).to(z.dtype)
        v = torch.tensor(loss.class_weights or [1.0] * z.shape[1], dtype=z.dtype)
        share = loss.label_smoothing / z.shape[1]
        total = -((v * ((1 - loss.label_smoothing) * given + share)) * f.log_softmax(z, 1)).sum()
        divisor = (v * given).sum() if divisor is None else divisor
    elif isinstance(loss, losses.InnerProduct):
        total = (z * y).sum()
    elif isinstance(loss, losses.Huber):
        total = f.huber_loss(z, y, delta=loss.delta, reduction="sum")
    elif isinstance(loss, losses.BinaryCrossEntropy):
        total = f.binary_cross_entropy_with_logits(z, y, reduction="sum")
    else:
        total = ((z - y) ** 2).sum() / 2
    value = total * float(loss.scale) / divisor
    value.backward()
    gradient = np.zeros(0, w.detach().numpy().dtype) if w.grad is None else w.grad.numpy()
    return {
        "outputs": z.detach().numpy(),
        "loss": value.detach().numpy(),
        "gradient": gradient,
        "input_gradient": x.grad.numpy(),
    }


@pytest.mark.parametrize("precision", USUAL)
def test_torch_passes_all(all_vectors: list[Vector], precision: str) -> None:
    assert [result for result in run(by_torch, all_vectors, precision) if result.kind != "passed"] == []


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_formats_of_16_bits_have_vectors_where_their_range_suffices(tmp_path: Path, precision: str) -> None:
    pytest.importorskip("ml_dtypes")
    chosen = {"layers": ["dense"], "losses": ["softmax_cross_entropy"]}
    path, *_ = write(tmp_path, **chosen, precisions=[precision, "float64"])  # type: ignore[arg-type]
    read = load(path)
    assert json.loads(path.read_text())["vectors"][0]["expected"].keys() == {"float64", precision}
    results = run(everything, read, "float64")
    assert {result.kind for result in results} == {"passed"}
    lacking = {vector.id for vector in read if precision not in vector.expected}
    skipped = [result for result in run(lambda *_: {"loss": math.nan}, read, precision) if result.kind == "skipped"]
    assert {result.id for result in skipped} == lacking
    assert all(result.said == f"its numbers leave the range of {precision}" for result in skipped)
    assert bool(lacking) == (precision == "float16")


# -------------------------------------------------------------------------------------------------------- who is caught


UNSEEN = {("float32", "A7/threshold")}
"""softplus is z + log1p(exp(−z)), which beyond 20 is less than 2.1e-9 more than z, where float32 has a spacing of
1.9e-6; and its slope differs from 1 as little, where the spacing is 6e-8."""


def test_every_fault_is_caught(all_vectors: list[Vector]) -> None:
    caught = {(name, id_) for v in all_vectors for name, expected in v.expected.items() for id_ in expected.catches}
    assert {(name, fault.id) for name in USUAL for fault in FAULTS} - caught == UNSEEN


@pytest.mark.unmeasured
@pytest.mark.parametrize("precision", USUAL)
def test_an_implementation_with_a_fault_fails_where_that_is_said_and_nothing_hangs_on_last_bits(
    all_vectors: list[Vector], precision: str
) -> None:
    """What it answers is the prediction, rounded to the format; and no prediction is near to the margin."""
    for vector in all_vectors:
        question, expected = question_of(vector, precision), vector.expected[precision]
        for id_, parts in {fault.id: fault.predict(question) or {} for fault in FAULTS}.items():
            worst = 0.0
            for name, part in parts.items():
                value, bound = expected.values[name], expected.bounds[name]
                with np.errstate(all="ignore"):
                    far = ratios(part - value, 3 * bound + 2.0**-44 * np.abs(value))
                worst = max(worst, float(np.max(far, initial=0)))
            assert (worst > 1) == (id_ in expected.catches), (vector.id, id_)
            assert not 1 - 1e-6 < worst < 1 + 1e-6, (vector.id, id_)
            if id_ in expected.catches:
                nearest = question.precision.format.nearest
                answer = {name: nearest(np.asarray(part)).astype(precision) for name, part in parts.items()}
                fields = {name: answer.pop(name) for name in ("outputs", "loss", "input_gradient") if name in answer}
                wrong: Json = {**fields, "gradient": answer} if answer else fields
                (result,) = run(lambda *_, a=wrong: a, [vector], precision, time_limit=None)
                assert result.kind == "failed", (vector.id, id_)


def test_only_vectors_at_a_kink_ask_for_a_slope_there(all_vectors: list[Vector]) -> None:
    """An implementation with another convention for kinks fails there and nowhere else."""
    asking = {v.id for v in all_vectors for e in v.expected.values() if {"A1", "A1/half"} & set(e.catches)}
    assert asking == {"layer/relu/at zero", "layer/leaky_relu/at zero", "layer/elu/at zero"} & {
        v.id for v in all_vectors
    }


def test_every_layer_and_loss_is_asked_about_alone_and_in_networks(all_vectors: list[Vector]) -> None:
    asked = {(v.id.split("/")[0], kind_of(layer)) for v in all_vectors for layer in v.case.network.layers}
    kinds = {kind_of(kind()) for kind in activations.ALL} | {"dense"}
    assert {kind for group, kind in asked if group == "layer"} == kinds
    assert {kind for group, kind in asked if group == "network"} == kinds
    loss_of = {(v.id.split("/")[0], v.case.network.loss_function) for v in all_vectors}
    reductions = {(kind_of(loss), loss.reduction) for group, loss in loss_of if group == "loss"}
    assert reductions == {(kind_of(kind()), r) for kind in losses.ALL for r in kind().reductions()}
    assert {kind_of(loss) for group, loss in loss_of if group == "network"} == {kind_of(kind()) for kind in losses.ALL}
    groups = [v.id.split("/")[0] for v in all_vectors]
    assert groups == sorted(groups, key=["layer", "loss", "network"].index)


def test_extents_are_all_different_unless_it_is_said(all_vectors: list[Vector]) -> None:
    for vector in all_vectors:
        network, _, x, _ = vector.case
        widths = [layer.outputs for layer in network.layers if layer.outputs]
        extents = [len(x), x.shape[1], *widths]
        assert (len(set(extents)) == len(extents)) != vector.id.endswith("/square")
        assert network_numbers_are_short(vector)


def network_numbers_are_short(vector: Vector) -> bool:
    """Whether bfloat16, with the fewest digits of all, holds them; float16 has the smallest range, and is wider."""
    question = question_of(vector, "bfloat16") if "overflow" not in vector.id else question_of(vector, "float32")
    return not any(question.rounded.values())


# ---------------------------------------------------------------------------------------------------------- the writing


def test_layers_losses_and_formats_are_those_that_are_asked_for(few: Path) -> None:
    read = load(few)
    assert {kind_of(layer) for v in read for layer in v.case.network.layers} == {"dense", "relu"}
    assert {kind_of(v.case.network.loss_function) for v in read} == {"squared_error", "softmax_cross_entropy"}
    assert {name for v in read for name in v.expected} == {"float32"}


def test_files_are_as_small_as_asked_and_hold_the_same(few: Path, tmp_path: Path) -> None:
    chosen = {"layers": ["dense", "relu"], "losses": ["squared_error", "softmax_cross_entropy"]}
    largest = 20_000
    paths = write(tmp_path, **chosen, precisions=["float32"], max_bytes=largest)  # type: ignore[arg-type]
    *parts, schema, readme = paths
    assert (schema.name, readme.name) == ("schema.json", "README.md")
    assert [path.name for path in parts] == [
        f"vectors{'' if k == 1 else f'-{k}'}.json" for k in range(1, len(parts) + 1)
    ]
    assert len(parts) > 2
    assert all(path.stat().st_size <= largest for path in parts)
    together = [vector for path in parts for vector in json.loads(path.read_text())["vectors"]]
    assert together == json.loads(few.read_text())["vectors"]
    with pytest.raises(SettingError, match=r"holds vectors-2.json.*another time"):
        write(tmp_path, layers=["dense"], losses=["huber"], precisions=["float32"])


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write(tmp_path / "new" / "folder", layers=["dense"], losses=["huber"], progress=lambda *n: told.append(n))
    assert told == [(k, len(told)) for k in range(1, len(told) + 1)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"layers": ["dense", "conv"]},
            r"layers are \['dense', 'conv'\]: there is no 'conv'. Choose some of dense, identity",
        ),
        ({"layers": []}, r"layers are \[\]: they are a list of names"),
        ({"layers": "dense"}, "layers are 'dense': they are a list of names"),
        ({"losses": ["dense"]}, "losses are .*: there is no 'dense'"),
        ({"precisions": ["tf32"]}, "precisions are"),
        ({"layers": ["relu"], "losses": ["huber"]}, "no vector is made of these"),
        ({"layers": ["dense"], "losses": ["huber"], "max_bytes": 1000}, "max_bytes is 1000: one vector has"),
    ],
)
def test_settings_that_are_none_are_refused(tmp_path: Path, settings: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        write(tmp_path, **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", "\0"):
        with pytest.raises(DataError, match="is no folder"):
            write(place, layers=["dense"], losses=["huber"])


# ----------------------------------------------------------------------------------------------------------- the schema


def offences(value: Json, schema: Json, root: Json, place: str = "") -> list[str]:
    """Where a value breaks a JSON Schema: the few words that ours uses, by their definitions."""
    assert set(schema) <= {"$schema", "$defs", "$ref", "anyOf", *SIMPLE, *OF_PARTS}
    if "$ref" in schema:
        return offences(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, place)
    if "anyOf" in schema:
        tried = [offences(value, each, root, place) for each in schema["anyOf"]]
        return [] if [] in tried else [problem for each in tried for problem in each]
    found = [f"{place}: {word}" for word, right in SIMPLE.items() if word in schema and not right(value, schema[word])]
    if isinstance(value, list):
        found += [
            p for k, part in enumerate(value) for p in offences(part, schema.get("items", {}), root, f"{place}[{k}]")
        ]
    for name, part in value.items() if isinstance(value, dict) else ():
        own = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
        found += [f"{place} has {name}"] if own is False else offences(part, own, root, f"{place}.{name}")
    return found


TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}
SIMPLE: dict[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, name: isinstance(value, TYPES[name]) and not isinstance(value, bool),  # type: ignore[arg-type]
    "const": lambda value, only: bool(value == only),
    "enum": lambda value, some: value in some,
    "pattern": lambda value, text: not isinstance(value, str) or re.search(text, value) is not None,
    "minLength": lambda value, least: not isinstance(value, str) or len(value) >= least,
    "minimum": lambda value, least: not isinstance(value, int | float) or value >= least,
    "minItems": lambda value, least: not isinstance(value, list) or len(value) >= least,
    "minProperties": lambda value, least: not isinstance(value, dict) or len(value) >= least,
    "required": lambda value, names: not isinstance(value, dict) or set(names) <= set(value),
}
OF_PARTS = ("properties", "additionalProperties", "items")


def test_files_obey_their_schema(folder: Path) -> None:
    schema = json.loads((folder / "schema.json").read_text())
    for path in folder.glob("vectors*.json"):
        assert offences(json.loads(path.read_text()), schema, schema) == []


def test_each_field_has_a_row_in_the_readme(folder: Path) -> None:
    readme = (folder / "README.md").read_text()
    first = json.loads((folder / "vectors.json").read_text())["vectors"][0]
    for name in (*first, *first["expected"]["float64"], *first["expected"]["float64"]["loss"]):
        assert f"`{name}`" in readme


# ------------------------------------------------------------------------------------------------------- hostile files


def changed(few: Path, change: Callable[[Json], object]) -> Json:
    """What the file holds, changed."""
    document = json.loads(few.read_text())
    change(document)
    return document


def first(document: Json) -> Json:
    return document["vectors"][0]


def with_classes(document: Json) -> Json:
    return next(vector for vector in document["vectors"] if "classes" in vector["y"])


def answered(document: Json) -> Json:
    return first(document)["expected"]["float32"]


def bits(number: float) -> str:
    return struct.pack(">f", number).hex()


MALFORMED: dict[str, tuple[Callable[[Json], object], str]] = {
    "format": (lambda d: d.update(format="others"), "format is 'others'"),
    "version": (lambda d: d.update(version=2), "version is 2: this version of refnn reads 1"),
    "version true": (lambda d: d.update(version=True), "version is True"),
    "semantics": (lambda d: d.update(semantics=2), "semantics is 2"),
    "refnn": (lambda d: d.update(refnn=1), "bounds, or refnn is"),
    "model": (lambda d: d["bounds"].update(model="1"), "bounds, or refnn is"),
    "kind of bounds": (lambda d: d["bounds"].update(kind="guessed"), "bounds, or refnn is"),
    "bounds": (lambda d: d.update(bounds=1), "bounds is 1"),
    "field of the file": (lambda d: d.update(more=1), "the file is .*its fields are format"),
    "no vectors": (lambda d: d.update(vectors=[]), r"vectors is \[\]"),
    "vectors of another type": (lambda d: d.update(vectors={"a": 1}), "vectors is"),
    "a vector of another type": (lambda d: d["vectors"].append(3), "is 3: its fields are id"),
    "missing": (lambda d: first(d).pop("x"), r"vectors\[0\]: it is .*its fields are"),
    "unknown": (lambda d: first(d).update(z=0), r"vectors\[0\]: it is .*its fields are"),
    "id": (lambda d: first(d).update(id=7), r"vectors\[0\]: id is 7"),
    "no id": (lambda d: first(d).update(id=""), r"vectors\[0\]: id is ''"),
    "id that cannot be written": (lambda d: first(d).update(id="\ud800"), r"vectors\[0\]: id is"),
    "id twice": (lambda d: d["vectors"].append(d["vectors"][0]), "the list of ids is .*one is there twice"),
    "description": (lambda d: first(d).update(description="two\nlines"), "description is"),
    "layers": (lambda d: first(d).update(layers={}), "is no network"),
    "kind": (lambda d: first(d)["layers"][0].update(kind="os.system"), "it has no known kind"),
    "setting": (lambda d: first(d)["layers"][0].update(code="x"), "has no such setting"),
    "huge layer": (lambda d: first(d)["layers"][0].update(inputs=10**9, outputs=10**9), "expected|inputs"),
    "fraction": (lambda d: first(d)["loss"].update(scale=[1, 10**400]), "scale"),
    "fraction of 0": (lambda d: first(d)["loss"].update(scale=[1, 0]), "loss is"),
    "huge scale": (lambda d: first(d)["loss"].update(scale=10**400), "scale"),
    "parameters": (lambda d: first(d).update(parameters=[1]), r"parameters is \[1\]"),
    "text": (lambda d: first(d)["x"]["decimal"][0].__setitem__(0, "1"), "that is no number"),
    "infinite": (
        lambda d: first(d)["x"]["decimal"][0].__setitem__(0, "inf"),
        "numbers are those of float64, and finite",
    ),
    "ragged": (lambda d: first(d)["x"]["decimal"][0].pop(), "rows of different lengths"),
    "fewer samples": (
        lambda d: first(d)["x"].update(decimal=[[1.0, 2.0]], bits=[["3ff0" + 12 * "0", "4" + 15 * "0"]]),
        "y has|shape",
    ),
    "bits": (lambda d: first(d)["x"]["bits"][0].__setitem__(0, "0" * 16), "its decimals and its bits are not the same"),
    "bits of another form": (lambda d: first(d)["x"].update(bits="ff"), "its decimals and its bits are not the same"),
    "by name": (lambda d: first(d)["parameters_by_name"].pop("0.bias"), "its fields are 0.weight, 0.bias"),
    "by name otherwise": (
        lambda d: first(d)["parameters_by_name"].update({"0.bias": {"decimal": [], "bits": []}}),
        "it is not what the whole list has",
    ),
    "classes of another type": (lambda d: with_classes(d)["y"].update(classes=3), "classes|y is 3"),
    "a class": (lambda d: with_classes(d)["y"]["classes"].__setitem__(0, -1), "classes are whole numbers"),
    "a class too many": (lambda d: with_classes(d)["y"]["classes"].__setitem__(0, 3), r"vectors\[\d+\]: y\[0\] is 3"),
    "half a class": (lambda d: with_classes(d)["y"]["classes"].__setitem__(0, 0.5), "classes are whole numbers"),
    "no answer": (lambda d: first(d).update(expected={}), "it has answers in some of float64"),
    "answers of another type": (lambda d: first(d).update(expected=["float32"]), "it has answers in some of"),
    "format of an answer": (lambda d: first(d).update(expected={"tf32": {}}), "it has answers in some of"),
    "numbers that the format lacks": (
        lambda d: first(d)["x"].update(decimal=[[0.1, 1.0]] * 5, bits=[["3fb999999999999a", "3ff0000000000000"]] * 5),
        "each of its formats should hold all numbers",
    ),
    "catches": (lambda d: answered(d).update(catches="all"), "it is a list of names"),
    "a catch": (lambda d: answered(d).update(catches=[1]), "it is a list of names"),
    "missing answer": (lambda d: answered(d).pop("loss"), "its fields are catches"),
    "shape": (lambda d: answered(d).update(loss=answered(d)["gradient"]), r"it should have the shape \(\)"),
    "number of another format": (
        lambda d: answered(d)["loss"].update(decimal=0.1),
        "numbers are those of float32, and finite",
    ),
    "gradient otherwise": (
        lambda d: answered(d)["gradient_by_name"]["0.bias"].update(
            decimal=[1.0, 1.0, 1.0], bits=[bits(1)] * 3, bound=[0.0] * 3
        ),
        "it is not what the whole list has",
    ),
    "bound": (lambda d: answered(d)["loss"].update(bound=-1), "there is one for each number, 0 or more"),
    "infinite bound": (lambda d: answered(d)["loss"].update(bound="inf"), "there is one for each number"),
    "bounds of another shape": (lambda d: answered(d)["loss"].update(bound=[1.0]), "there is one for each number"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_refused_by_name(few: Path, tmp_path: Path, name: str) -> None:
    change, message = MALFORMED[name]
    path = tmp_path / "hostile.json"
    path.write_text(json.dumps(changed(few, change)))
    with pytest.raises(DataError, match=message) as refused:
        load(path)
    assert "hostile.json" in str(refused.value)


def test_most_malformed_files_break_the_schema(few: Path) -> None:
    """So the check of the schema can fail."""
    schema = json.loads((few.parent / "schema.json").read_text())
    for name in ("format", "version", "missing", "unknown", "id", "no id", "kind", "catches", "a class", "bound"):
        document = changed(few, MALFORMED[name][0])
        assert offences(document, schema, schema) != [], name
    assert offences(changed(few, lambda d: first(d).update(expected={})), schema, schema) != []
    assert offences(changed(few, lambda d: first(d)["x"].update(bits="xy")), schema, schema) != []


NOT_JSON = {
    "nothing": (b"", "is no JSON"),
    "no text": (b"\xff\xfe", "is no JSON"),
    "not closed": (b'{"format": ', "is no JSON"),
    "not a number": (b'{"format": NaN}', "NaN is no number of JSON"),
    "key twice": (b'{"format": 1, "format": 1}', "a key is there twice"),
    "nested": (b"[" * 100_000, "is no JSON"),
    "nested and closed": (b"[" * 13 + b"]" * 13, "nested too deeply"),
    "nested mappings": (b'{"a": ' * 13 + b"1" + b"}" * 13, "nested too deeply"),
    "whole number": (b"1" * 5000, "is no JSON"),
    "a list": (b"[]", r"the file is \[\]"),
    "code": (b"__import__('os').system('true')", "is no JSON"),
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_what_is_no_json_of_vectors_is_refused(tmp_path: Path, name: str) -> None:
    text, message = NOT_JSON[name]
    path = tmp_path / "hostile.json"
    path.write_bytes(text)
    with pytest.raises(DataError, match=message):
        load(path)


def test_a_file_that_is_too_large_is_refused(few: Path, tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    text = few.read_bytes()
    path.write_bytes(text + b" " * (2**24 - len(text)))
    assert load(path)
    path.write_bytes(text + b" " * (2**24 - len(text) + 1))
    with pytest.raises(DataError, match="has more than 16777216 bytes"):
        load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path, "\0"):  # the second is a folder without vectors
        with pytest.raises(DataError, match="cannot be read"):
            load(path)


SOMETHING_ELSE: tuple[Json, ...] = (None, True, -1, 1e308, 10**400, "x", [], {}, [[[1]]], {"kind": []})


def test_whatever_stands_in_a_place_is_read_or_refused(few: Path, tmp_path: Path) -> None:
    """Each value of a vector in turn becomes something else: nothing but a DataError comes of it."""
    document = json.loads(few.read_text())
    document["vectors"] = [with_classes(document)]
    path = tmp_path / "hostile.json"

    def places(value: Json, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        if isinstance(value, dict | list):
            keys = list(value) if isinstance(value, dict) else range(min(len(value), 1))
            for key in keys:
                yield (*at, key)
                yield from places(value[key], (*at, key))

    refused = 0
    for place in list(places(document)):
        inner = document
        for key in place[:-1]:
            inner = inner[key]
        right = inner[place[-1]]
        for other in SOMETHING_ELSE:
            inner[place[-1]] = other
            path.write_text(json.dumps(document))
            try:
                load(path)
            except DataError:
                refused += 1
        inner[place[-1]] = right
    assert refused > 300


# -------------------------------------------------------------------------------------------------------------- running


def test_what_has_the_name_of_a_file_may_be_none(tmp_path: Path) -> None:
    (tmp_path / "vectors.json").mkdir()
    with pytest.raises(DataError, match=r"vectors\.json cannot be read: .*Pass a file of refnn vectors"):
        load(tmp_path)


def test_wrong_implementations_fail(few: Path) -> None:
    read = load(few)
    for wrong in (summed, upside_down):
        kinds = {result.kind for result in run(wrong, read, "float32")}
        assert "failed" in kinds
    (result, *_) = run(crashes, read, "float32")
    assert result.kind == "broken"
    assert "by no samples" in result.said


def test_the_worst_number_is_told(few: Path) -> None:
    vector = load(few)[0]
    truth = float(vector.expected["float32"].values["loss"])
    (result,) = run(lambda *_: {"loss": 2 * truth, "gradient": [0.0] * 9}, [vector], "float32")
    assert result.kind == "failed"
    assert re.match(rf"loss is {2 * truth!r}, expected {truth!r}: off by .*; gradient\[\d\] is 0.0", result.said)


def test_not_a_number_fails_where_the_bound_is_0_too(all_vectors: list[Vector]) -> None:
    vector = all_vectors[0]
    assert not vector.expected["float64"].bounds["outputs"].any()
    nothing = np.full((2, 5), math.nan)
    assert run(lambda *_: {"outputs": nothing}, [vector], "float64")[0].kind == "failed"


def test_parts_of_an_answer_and_other_layouts(few: Path) -> None:
    read = load(few)
    results = run(right, read, "float32")
    assert {(result.kind, result.said) for result in results} == {("passed", "compared: loss, gradient")}
    assert {result.kind for result in run(of_torch, read, "float32")} >= {"failed"}
    layout = Layout(weights="outputs, inputs")
    assert {result.kind for result in run(of_torch, read, "float32", layout=layout)} == {"passed"}

    class Saying:
        """It says itself how its arrays are laid out, as a program does."""

        layout = Layout(weights="outputs, inputs")
        __call__ = staticmethod(of_torch)

    told: list[tuple[int, int]] = []
    results = run(Saying(), read, "float32", progress=lambda *n: told.append(n))
    assert {result.kind for result in results} == {"passed"}
    assert told == [(k, len(read)) for k in range(1, len(read) + 1)]


def test_outputs_that_are_probabilities_are_left_out(all_vectors: list[Vector]) -> None:
    """Their bounds are those of logits; where there are none, outputs are compared."""
    of_classes, others = (
        [vector for vector in all_vectors if isinstance(vector.case.network.loss_function, kinds)][:2]
        for kinds in ((refnn.SoftmaxCrossEntropy, refnn.BinaryCrossEntropy), refnn.SquaredError)
    )

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        e = network.evaluate(w, x, y)
        return {"outputs": e.outputs / (1 + e.outputs**2), "loss": e.loss}

    layout = Layout(outputs="probabilities")
    assert {result.said for result in run(mine, of_classes, "float64", layout=layout)} == {"compared: loss"}
    assert {result.kind for result in run(mine, others, "float64", layout=layout)} == {"failed"}


def test_what_is_not_supported_or_not_said_is_skipped(all_vectors: list[Vector]) -> None:
    def unsupported(*_: Any) -> object:
        raise refnn.Unsupported("float64")

    (result,) = run(unsupported, all_vectors[:1], "float64")
    assert result == Result("layer/identity", "skipped", "unsupported: float64")
    (result,) = run(lambda *_: {"gradient": np.zeros(0)}, all_vectors[:1], "float64")
    assert result == Result("layer/identity", "skipped", "compared: nothing")
    (result,) = run(unsupported, all_vectors[:1], "float64", known_failures=["layer/identity"])
    why = "it is a known failure, and is skipped (unsupported: float64): take it off the list"
    assert result == Result("layer/identity", "error", why)


def test_what_hangs_is_broken(few: Path) -> None:
    (result,) = run(hangs, load(few)[:1], "float32", time_limit=0.01)
    assert result.kind == "broken"
    assert "no answer after 0.01 seconds" in result.said
    id_ = result.id
    assert [r.kind for r in run(crashes, load(few)[:1], "float32", time_limit=None, known_failures=[id_])] == ["known"]


def test_known_failures_are_strict(few: Path) -> None:
    """``layer`` ids do not exist here; the second vector fails for one of the implementations only."""
    read = load(few)
    ids = [vector.id for vector in read]
    failing = {result.id for result in run(upside_down, read, "float32") if result.kind == "failed"}
    assert failing == set(ids)
    results = run(upside_down, read, "float32", known_failures=ids[:2])
    assert [result.kind for result in results] == ["known", "known", *["failed"] * (len(ids) - 2)]
    results = run(right, read, "float32", known_failures=(ids[1], "layer/tanh"))
    assert [result.kind for result in results] == ["passed", "error", *["passed"] * (len(ids) - 2), "error"]
    assert results[1].said == "it is a known failure, and passes: take it off the list"
    assert results[-1] == Result("layer/tanh", "error", "it is a known failure, and no vector has that id")


def test_settings_of_a_run_are_checked(few: Path) -> None:
    read = load(few)
    with pytest.raises(SettingError, match="precision is 'float64': no vector has that format"):
        run(right, read, "float64")
    for given in (read[0].id, [3], 3):
        with pytest.raises(SettingError, match="known_failures are"):
            run(right, read, "float32", known_failures=given)  # type: ignore[arg-type]


def test_junit() -> None:
    text = as_junit(
        [
            Result("a", "passed", "compared: loss"),
            Result("b", "failed", 'loss is <1> & "2"\x00'),
            Result("c", "known", "loss is 3"),
            Result("d", "error", "no such id"),
            Result("e\ud800", "skipped", "unsupported: \x1b[0m"),
            Result("f", "broken", "it stops:\nwith <1> error"),
        ],
        "our tests",
    )
    suite = ET.fromstring(text.encode())  # noqa: S314 - it is our own
    counted = {"name": "our tests", "tests": "6", "failures": "1", "errors": "2", "skipped": "2"}
    assert (suite.tag, suite.attrib) == ("testsuite", counted)
    found = [(case.get("name"), [(part.tag, part.get("message")) for part in case]) for case in suite]
    assert found == [
        ("a", []),
        ("b", [("failure", 'loss is <1> & "2"\ufffd')]),
        ("c", [("skipped", "known failure: loss is 3")]),
        ("d", [("error", "no such id")]),
        ("e\ufffd", [("skipped", "unsupported: \ufffd[0m")]),
        ("f", [("error", "it stops:")]),
    ]
    assert {case.get("classname") for case in suite} == {"our.tests"}
    assert [part.text for case in suite for part in case] == [None] * 4 + ["it stops:\nwith <1> error"]


def test_kinds_are_those_of_the_protocol(folder: Path) -> None:
    schema = json.loads((folder / "schema.json").read_text())["$defs"]["vector"]["properties"]
    named = [*schema["layers"]["items"]["properties"]["kind"]["enum"], *schema["loss"]["properties"]["kind"]["enum"]]
    assert named == list(KINDS)
