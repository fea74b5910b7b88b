"""Conformance vectors: questions with their exact answers as JSON, for test suites in any language.

Files are the same on every machine, byte by byte. So they hold what does not depend on it: numbers that are written
down, answers that are correctly rounded (`refnn.exact`), and bounds whose last bits, which may depend on it, are
rounded away. Which package of exact arithmetic and which NumPy took part is not in them: neither changes a byte, and
files would differ by their names alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Context
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, final
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from refnn import __version__, activations
from refnn.activations import ELU, LeakyReLU, ReLU, Tanh
from refnn.arithmetic.precision import FORMATS, precision_named
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import FloatArray, IntArray
from refnn.checks import count, positive, shown
from refnn.errors import BrokenTargetError, DataError, RefnnError, SettingError, Unsupported
from refnn.layers import Dense, Layer
from refnn.losses import BinaryCrossEntropy, Huber, InnerProduct, Loss, Reduction, SoftmaxCrossEntropy, SquaredError
from refnn.network import Evaluation, Network
from refnn.oracle import SEMANTICS
from refnn.oracle.budget import MODEL, Question, ratios
from refnn.oracle.comparison import Element
from refnn.oracle.questions import answer
from refnn.search.drawing import posed
from refnn.search.faults import FAULTS, Fault
from refnn.search.squashing import SQUASHING
from refnn.search.target import Layout, Target, ask, stored
from refnn.search.targets.known import target_of
from refnn.search.written import KINDS, kind_of, network_from, network_in_json, numbers_from, numbers_in_json
from refnn.storage import FilePath, replacing
from refnn.strategies import Case

__all__ = ["VERSION", "Expected", "Result", "Vector", "as_junit", "load", "run", "write"]

Json: TypeAlias = Any

Progress: TypeAlias = Callable[[int, int], None]
"""A function that is told how many candidates, or vectors, are done, and of how many."""

VERSION = 1
"""The number of the format of the files."""

_FORMAT = "refnn vectors"
_BOUNDS = "worst case"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """The answer to a question in a format.

    Attributes
    ----------
    values
        The four fields, and the parts of the gradient by the names of parameters: each number the one of the format
        that is nearest to the real number.
    bounds
        For each, how far an honest implementation may be from it.
    catches
        The faults (`refnn.search.faults`) with which an implementation fails.
    """

    values: Mapping[str, FloatArray]
    bounds: Mapping[str, FloatArray]
    catches: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """A question, and the answer to it in each format.

    Attributes
    ----------
    id
        Its name, which stays.
    description
        What is asked.
    case
        The network, its parameters and a batch, whose numbers each format of the answers holds.
    expected
        The answers by format, ``"float64"``, say.
    """

    id: str
    description: str
    case: Case
    expected: Mapping[str, Expected]


# ---------------------------------------------------------------------------------------------------------- candidates


class _Candidate(NamedTuple):
    """A question that may become a vector."""

    id: str
    description: str
    case: Case

    def covers(self) -> set[tuple[str, ...]]:
        """What a set of vectors must have, besides what catches faults: the kinds of layers, losses and reductions."""
        kinds, loss = [kind_of(layer) for layer in self.case.network.layers], self.case.network.loss_function
        group = self.id.split("/")[0]
        if group == "loss":
            return {(group, kind_of(loss), loss.reduction)}
        return {*((group, kind) for kind in kinds), (group, kind_of(loss)), (group, f"{len(kinds)} layers")}


_EXAMPLES: Mapping[type[Any], Any] = {LeakyReLU: LeakyReLU(0.25), ELU: ELU(0.5)}
"""A slope that every format holds, and a factor that is not 1, so that it is missed if it is missing."""
_UNITS: tuple[Layer, ...] = tuple(_EXAMPLES.get(kind, kind()) for kind in activations.ALL)
_LOSSES: tuple[Loss, ...] = (
    SquaredError(),
    Huber(delta=0.5),
    BinaryCrossEntropy(),
    SoftmaxCrossEntropy(),
    InnerProduct(),
)
_REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum", "elements")
_WEIGHTED = SoftmaxCrossEntropy(class_weights=(0.5, 2, 1))

_AT_ZERO = ((0, 0.5, -0.5), (1, 0, -2))
_FAR = ((1000, -30, 25), (-1000, 20.5, 30))
"""exp overflows in every format, and 1 + exp(−z) is 1 in float32, though not in float64."""


class _Numbers:
    """Numbers that every format holds, of at most seven bits, none of them 0: by the "minimal standard" generator.

    NumPy's generators may give other numbers in another version. The seed is the name of the vector, whose numbers do
    not change when others come or go.

    References
    ----------
    Park, Miller, "Random number generators: good ones are hard to find", CACM 31(10), 1988, with the multiplier 48271
    of their answer in CACM 36(7), 1993.
    """

    def __init__(self, name: str) -> None:
        self.state = zlib.crc32(name.encode()) % (2**31 - 2) + 1

    def below(self, limit: int) -> int:
        self.state = 48271 * self.state % (2**31 - 1)
        return self.state % limit

    def array(self, *shape: int) -> FloatArray:
        """Multiples of 1/64 between −2 and 2."""
        drawn = [self.below(254) - 127 for _ in range(int(np.prod(shape)))]
        return np.array([(k + (k >= 0)) / 64 for k in drawn], dtype=np.float64).reshape(shape)

    def targets(self, loss: Loss, samples: int, outputs: int) -> FloatArray | IntArray:
        """What the loss takes: classes, probabilities or any numbers."""
        if isinstance(loss, SoftmaxCrossEntropy):
            return np.array([self.below(outputs) for _ in range(samples)])
        y = self.array(samples, outputs)
        return np.abs(y) / 2 if isinstance(loss, BinaryCrossEntropy) else y


def _candidate(
    id_: str,
    description: str,
    *layers: Layer,
    loss: Loss,
    shape: tuple[int, int],
    times: int = 1,
    x: Sequence[Sequence[float]] | None = None,
    w: float | None = None,
) -> _Candidate:
    """A question whose samples, and parameters, are these, or drawn; the weights so many times larger."""
    network, numbers = Network(*layers, loss=loss), _Numbers(id_)
    parameters = times * numbers.array(network.size) if w is None else np.full(network.size, w)
    samples = numbers.array(*shape) if x is None else np.array(x, dtype=np.float64)
    y = numbers.targets(loss, shape[0], network.outputs or shape[1])
    return _Candidate(id_, description, Case(network, parameters, samples, y))


def _candidates() -> Iterator[_Candidate]:
    """From one layer alone to whole networks; extents are all different unless it is said."""
    for unit in _UNITS:
        kind, alone = kind_of(unit), InnerProduct()
        yield _candidate(f"layer/{kind}", f"{kind} alone", unit, loss=alone, shape=(2, 5))
        if kind == "identity":
            continue
        at_zero = f"{kind} alone, at 0 and beside it"
        yield _candidate(f"layer/{kind}/at zero", at_zero, unit, loss=alone, shape=(2, 3), x=_AT_ZERO)
        yield _candidate(f"layer/{kind}/far", f"{kind} alone, far from 0", unit, loss=alone, shape=(2, 3), x=_FAR)
    dense, of_5 = Dense(2, 3), (5, 2)
    yield _candidate("layer/dense", "a dense layer alone", dense, loss=InnerProduct(), shape=of_5)
    yield _candidate(
        "layer/dense/square", "a dense layer with a square weight", Dense(3, 3), loss=InnerProduct(), shape=(2, 3)
    )
    alike = "a dense layer, all of whose parameters are the same number"
    yield _candidate("layer/dense/alike", alike, dense, loss=InnerProduct(), shape=of_5, w=0.5)
    yield from _of_losses(dense, of_5)
    yield from _networks()


def _of_losses(dense: Dense, shape: tuple[int, int]) -> Iterator[_Candidate]:
    for loss in _LOSSES:
        kind = kind_of(loss)
        for reduction in _REDUCTIONS:
            reduced = replace(loss, reduction=reduction)
            yield _candidate(f"loss/{kind}/{reduction}", f"{kind}, {reduction}", dense, loss=reduced, shape=shape)
        scaled = replace(loss, scale=Fraction(3, 2))
        yield _candidate(f"loss/{kind}/scaled", f"{kind} times 3/2", dense, loss=scaled, shape=shape)
    for loss in (SquaredError(), BinaryCrossEntropy()):
        kind = kind_of(loss)
        yield _candidate(f"loss/{kind}/one output", f"{kind} of one output", Dense(2, 1), loss=loss, shape=shape)
    begin, smoothed = "loss/softmax_cross_entropy", SoftmaxCrossEntropy(label_smoothing=0.25)
    yield _candidate(f"{begin}/smoothed", "label smoothing", dense, loss=smoothed, shape=shape)
    for weighted in (_WEIGHTED, replace(_WEIGHTED, reduction="weights")):
        name = f"{begin}/class weights/{weighted.reduction}"
        yield _candidate(name, f"class weights, {weighted.reduction}", dense, loss=weighted, shape=shape)
    for loss in (SoftmaxCrossEntropy(), BinaryCrossEntropy()):
        for word, times, far in (("sure", 16, "are nearly 0 and 1"), ("overflow", 1024, "overflow without care")):
            yield _candidate(
                f"loss/{kind_of(loss)}/{word}",
                f"{kind_of(loss)} of logits whose probabilities {far}",
                dense,
                loss=loss,
                shape=shape,
                times=times,
            )


def _networks() -> Iterator[_Candidate]:
    for offset in range(len(_LOSSES)):
        for k, unit in enumerate(_UNITS):
            loss = _LOSSES[(k + offset) % len(_LOSSES)]
            name = f"{kind_of(unit)}/{kind_of(loss)}"
            yield _candidate(
                f"network/{name}",
                f"two dense layers with {kind_of(unit)} between them, and {kind_of(loss)}",
                *(Dense(3, 4), unit, Dense(4, 2)),
                loss=loss,
                shape=(5, 3),
            )
            yield _candidate(
                f"network/{name}/square",
                f"a dense layer with a square weight, {kind_of(unit)}, another dense layer, and {kind_of(loss)}",
                *(Dense(3, 3), unit, Dense(3, 2)),
                loss=loss,
                shape=(5, 3),
            )
    for loss in _LOSSES:
        yield _candidate(
            f"network/deep/{kind_of(loss)}",
            f"three dense layers with tanh and relu between them, and {kind_of(loss)}",
            *(Dense(2, 6), Tanh(), Dense(6, 4), ReLU(), Dense(4, 3)),
            loss=loss,
            shape=(5, 2),
        )


# ------------------------------------------------------------------------------------------------------------ answering


_SAFETY = 1.05 * (1 + 1e-9)
"""Bounds are made wider by so much before they are rounded up to two digits. The one part is for how they are computed,
in floats whose last bits differ between machines; by the other, one that is that near to two digits goes to the wider
side everywhere."""

_MARGIN = 3
"""A fault is caught if its prediction is so many bounds off: it is computed in floats, and a faulty implementation has
roundings of its own. Thus neither these nor the last bits of anything decide it."""

_OWN = 2.0**-44
"""Of its size, so far may a prediction be off that is computed in float64."""

_TWO_DIGITS = Context(prec=2, rounding=ROUND_CEILING)


def _expected(question: Question) -> Expected | None:
    """The exact answer and its bounds; None if a number leaves the range of the format.

    The bounds are those that no honest implementation can exceed. Those of `refnn.tolerance` hold with a probability,
    and draw numbers, of which a machine or a version may have others.
    """
    from refnn.oracle.formats import format_named
    from refnn.oracle.truth import truth_of

    network, w, x, labels, precision, _ = question
    truth = truth_of(network, w, x, labels, format_named(precision.storage), require_decided=True)
    values, bounds = {}, {}
    worst = answer(network, RoundedArray.exact(w, precision), RoundedArray.exact(x, precision), labels)
    for name in Evaluation._fields:
        rounded = np.asarray(getattr(truth, name), dtype=np.float64)
        allowed = getattr(worst, name).error
        if not (np.isfinite(rounded).all() and np.isfinite(allowed).all()):
            return None
        balls = getattr(truth.enclosures, name)
        off = balls - balls.exact(rounded)  # what the rounding of the answer leaves out
        values[name] = rounded
        bounds[name] = _rounded_up(allowed + np.abs(off.midpoint) + off.radius)
    return Expected(_with_parts(network, values), _with_parts(network, bounds), ())


def _rounded_up(bounds: FloatArray) -> FloatArray:
    widened = np.asarray(bounds * _SAFETY)
    return np.array([float(_TWO_DIGITS.create_decimal(b)) for b in widened.ravel().tolist()]).reshape(widened.shape)


def _with_parts(network: Network, fields: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    return {**fields, **network.unpack(fields["gradient"])}


def _caught(fault: Fault, question: Question, expected: Expected) -> bool:
    """Whether an implementation with a fault fails."""
    for name, part in (fault.predict(question) or {}).items():
        value, bound = expected.values[name], expected.bounds[name]
        with np.errstate(all="ignore"):
            if (ratios(part - value, _MARGIN * bound + _OWN * np.abs(value)) > 1).any():
                return True
    return False


class _Chosen:
    """Vectors of the candidates: one is taken if it has what no earlier one has."""

    def __init__(self, precisions: Sequence[str]) -> None:
        self.precisions = precisions
        self.covered: set[tuple[str, ...]] = set()
        self.missing = {name: {fault.id: fault for fault in FAULTS} for name in precisions}
        self.vectors: list[Vector] = []

    def consider(self, candidate: _Candidate) -> None:
        """Take it, or not."""
        questions = {name: posed(candidate.case, precision_named(name))[1] for name in self.precisions}
        wanted = not candidate.covers() <= self.covered
        shows = (f.predict(question) for name, question in questions.items() for f in self.missing[name].values())
        if not wanted and not any(shows):
            return  # without an answer, which takes longer
        answers = {name: (q, found) for name, q in questions.items() if (found := _expected(q)) is not None}
        if answers and (wanted or any(_caught(f, *answers[n]) for n in answers for f in self.missing[n].values())):
            self._take(candidate, answers)
            self.covered |= candidate.covers()

    def _take(self, candidate: _Candidate, answers: Mapping[str, tuple[Question, Expected]]) -> None:
        expected = {}
        for name, (question, found) in answers.items():
            caught = tuple(fault.id for fault in FAULTS if _caught(fault, question, found))
            expected[name] = Expected(found.values, found.bounds, caught)
            for id_ in caught:
                self.missing[name].pop(id_, None)
        self.vectors.append(Vector(*candidate, expected))


# -------------------------------------------------------------------------------------------------------------- writing


def write(
    folder: FilePath,
    *,
    layers: Collection[str] | None = None,
    losses: Collection[str] | None = None,
    precisions: Sequence[str] = ("float64", "float32"),
    max_bytes: int = 200_000,
    progress: Progress | None = None,
) -> list[Path]:
    """Write vectors into a folder: ``vectors.json`` and, if that grows too large, more; their schema, and a README.

    Parameters
    ----------
    folder
        It is made if it is not there. If it is, it holds vectors, which are replaced, and nothing else.
    layers, losses
        The kinds that may be in a network, as the protocol names them (`refnn.search.written.KINDS`); all if there are
        none. A layer is asked about alone where ``"inner_product"`` is among the losses.
    precisions
        The formats of the answers: some of float64, float32, bfloat16 and float16. A vector lacks those whose range its
        numbers leave.
    max_bytes
        The largest size of a file of vectors.
    progress
        Is told after each candidate.

    Returns
    -------
    list
        The files of vectors, then the schema and the README.

    Raises
    ------
    SettingError
        If a name is not known, no vector is left, one is larger than a file may be, or the folder holds something
        else, or vectors of another time that would stay.
    DataError
        If the files cannot be written; then none is.
    MissingExtraError
        If python-flint, or for bfloat16 ml_dtypes, is not installed.
    """
    count("max_bytes", max_bytes)
    allowed = {*_names("layers", layers, _kinds("layers")), *_names("losses", losses, _kinds("losses"))}
    chosen, candidates = _Chosen(_names("precisions", precisions, tuple(FORMATS))), [*_candidates()]
    target, present = _place(folder)
    for done, candidate in enumerate(candidates, 1):
        network = candidate.case.network
        if {*map(kind_of, network.layers), kind_of(network.loss_function)} <= allowed:
            chosen.consider(candidate)
        if progress is not None:
            progress(done, len(candidates))
    if not chosen.vectors:
        raise SettingError(
            f"layers are {shown(layers)} and losses {shown(losses)}",
            "no vector is made of these",
            "Add 'dense', or for activations alone 'inner_product'",
        )
    packed = _packed([_text(_described(vector), 3, "    ") for vector in chosen.vectors], max_bytes)
    files = {f"vectors{f'-{k}' if k > 1 else ''}.json": text for k, text in enumerate(packed, 1)}
    left = {name for name in present if name.startswith("vectors")} - set(files)
    if left:
        raise SettingError(
            f"{folder} holds {', '.join(sorted(left))}",
            "vectors of another time would stand beside these",
            "Remove them, or choose another folder",
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be made", str(error), "Choose another folder") from error
    with contextlib.ExitStack() as all_or_none:
        for name, text in {**files, "schema.json": _text(_SCHEMA, 9) + "\n", "README.md": _README}.items():
            file = all_or_none.enter_context(replacing(target / name))
            file.write(text.encode())
            file.flush()
    return [target / name for name in (*files, "schema.json", "README.md")]


_WRITTEN = re.compile(r"vectors(-\d+)?\.json|schema\.json|README\.md")


def _place(folder: FilePath) -> tuple[Path, set[str]]:
    """The folder, and the names of the vectors in it; nobody else's README or schema is to be replaced."""
    target = Path(folder)
    try:
        present = {path.name for path in target.iterdir() if not path.name.startswith(".")}
    except FileNotFoundError:
        present = set()
    except (OSError, ValueError) as error:
        raise DataError(f"{str(folder)!r} is no folder", str(error), "Pass the path of one") from error
    near = next(place for place in (target, *target.absolute().parents) if place.exists())
    if not os.access(near, os.W_OK):
        raise DataError(f"{folder} cannot be written", f"{near} is not writable", "Choose another folder")
    foreign = sorted(name for name in present if not (_WRITTEN.fullmatch(name) and _is_ours(target / "vectors.json")))
    if foreign:
        raise SettingError(
            f"{folder} holds {', '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}",
            "vectors have a folder of their own, and that is not theirs",
            "Choose another folder, or move these files away",
        )
    return target, present


def _is_ours(path: Path) -> bool:
    """Whether a file begins as those of vectors do."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return f'"format": "{_FORMAT}"'.encode() in file.read(100)
    return False


def _kinds(base: Literal["layers", "losses"]) -> tuple[str, ...]:
    return tuple(name for name, kind in KINDS.items() if issubclass(kind, Loss) is (base == "losses"))


def _names(what: str, given: Collection[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """The names that are given, each of which is known, in that order; all, if none is."""
    if given is None:
        return known
    unknown = [] if isinstance(given, str) else [name for name in given if name not in known]
    if isinstance(given, str) or not given or unknown:
        why = f"there is no {shown(unknown[0])}" if unknown else "they are a list of names"
        raise SettingError(f"{what} are {shown(given)}", why, f"Choose some of {', '.join(known)}")
    return tuple(name for name in known if name in given)


def _described(vector: Vector) -> dict[str, Json]:
    network, w, x, y = vector.case
    return {
        "id": vector.id,
        "description": vector.description,
        **network_in_json(network),
        "parameters": _numbers(w, "float64"),
        "parameters_by_name": {name: _numbers(part, "float64") for name, part in network.unpack(w).items()},
        "x": _numbers(x, "float64"),
        "y": {"classes": y.tolist()} if y.dtype.kind == "i" else _numbers(y, "float64"),
        "expected": {name: _answer(network, name, expected) for name, expected in vector.expected.items()},
    }


def _answer(network: Network, storage: str, expected: Expected) -> dict[str, Json]:
    def part(name: str) -> dict[str, Json]:
        bound = {"bound": numbers_in_json(expected.bounds[name])}
        return {**_numbers(expected.values[name], storage), **bound}

    fields = {name: part(name) for name in Evaluation._fields}
    return {
        "catches": list(expected.catches),
        **fields,
        "gradient_by_name": {name: part(name) for name in network.names()},
    }


def _numbers(values: NDArray[Any], storage: str) -> dict[str, Json]:
    native = np.asarray(values).astype(stored(precision_named(storage)))
    digits = 2 * native.dtype.itemsize
    bits = native.view(f"u{native.dtype.itemsize}").tolist()
    return {"decimal": numbers_in_json(values), "bits": _each(bits, lambda number: f"{number:0{digits}x}")}


def _each(nested: Json, change: Callable[[Json], Json]) -> Json:
    return [_each(part, change) for part in nested] if isinstance(nested, list) else change(nested)


def _text(value: Json, levels: int, margin: str = "") -> str:
    """JSON, in which mappings, and lists of them, take a line for each part, down to some level."""
    deeper = f"{margin}  "
    if levels and isinstance(value, dict) and value:
        parts = [f"{json.dumps(key)}: {_text(part, levels - 1, deeper)}" for key, part in value.items()]
        return "{\n" + ",\n".join(f"{deeper}{part}" for part in parts) + f"\n{margin}}}"
    return json.dumps(value, allow_nan=False)


def _packed(vectors: list[str], max_bytes: int) -> list[str]:
    """Files of so many vectors as fit."""
    header = _text({"format": _FORMAT, "version": VERSION, "refnn": __version__, **_CONVENTIONS}, 1)
    begin, end = f'{header[:-2]},\n  "vectors": [\n', "\n  ]\n}\n"
    files: list[list[str]] = []
    room = 0
    for vector in vectors:
        size = len(vector) + 4 + 2  # its margin, and what stands before it
        if len(begin) + size + len(end) > max_bytes:
            raise SettingError(
                f"max_bytes is {shown(max_bytes)}",
                f"one vector has {len(vector)} bytes, and a file more",
                "Allow more, or ask for fewer precisions",
            )
        if size > room:
            files.append([])
            room = max_bytes - len(begin) - len(end)
        files[-1].append(f"    {vector}")
        room -= size
    return [begin + ",\n".join(parts) + end for parts in files]


_CONVENTIONS = {"semantics": SEMANTICS, "bounds": {"model": MODEL, "kind": _BOUNDS}}


# ------------------------------------------------------------------------------------------------- the files' own words

_HEADER = ("format", "version", "refnn", "semantics", "bounds", "vectors")
_FIELDS = ("id", "description", "layers", "loss", "parameters", "parameters_by_name", "x", "y", "expected")
_ANSWERED = ("catches", *Evaluation._fields, "gradient_by_name")


def _object(properties: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _refer(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _nested(name: str, leaf: Mapping[str, Json]) -> dict[str, Json]:
    return {"anyOf": [leaf, {"type": "array", "items": _refer(name)}]}


def _part(base: Literal["layers", "losses"]) -> dict[str, Json]:
    return {"type": "object", "properties": {"kind": {"enum": list(_kinds(base))}}, "required": ["kind"]}


_VALUES = {"decimal": _refer("decimals"), "bits": _refer("bits")}
_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_object(
        {
            "format": {"const": _FORMAT},
            "version": {"const": VERSION},
            "refnn": {"type": "string"},
            "semantics": {"type": "integer", "minimum": 1},
            "bounds": _object({"model": {"type": "integer", "minimum": 1}, "kind": {"const": _BOUNDS}}),
            "vectors": {"type": "array", "minItems": 1, "items": _refer("vector")},
        }
    ),
    "$defs": {
        "vector": _object(
            {
                "id": {"type": "string", "minLength": 1},
                "description": {"type": "string"},
                "layers": {"type": "array", "minItems": 1, "items": _part("layers")},
                "loss": _part("losses"),
                "parameters": _refer("numbers"),
                "parameters_by_name": {"type": "object", "additionalProperties": _refer("numbers")},
                "x": _refer("numbers"),
                "y": {
                    "anyOf": [
                        _refer("numbers"),
                        _object({"classes": {"type": "array", "items": {"type": "integer", "minimum": 0}}}),
                    ]
                },
                "expected": {
                    "type": "object",
                    "properties": {name: _refer("answer") for name in FORMATS},
                    "minProperties": 1,
                    "additionalProperties": False,
                },
            }
        ),
        "answer": _object(
            {
                "catches": {"type": "array", "items": {"type": "string"}},
                **dict.fromkeys(Evaluation._fields, _refer("bounded")),
                "gradient_by_name": {"type": "object", "additionalProperties": _refer("bounded")},
            }
        ),
        "numbers": _object(_VALUES),
        "bounded": _object({**_VALUES, "bound": _refer("nonnegative")}),
        "decimals": _nested("decimals", {"type": "number"}),
        "bits": _nested("bits", {"type": "string", "pattern": "^([0-9a-f]{4}|[0-9a-f]{8}|[0-9a-f]{16})$"}),
        "nonnegative": _nested("nonnegative", {"type": "number", "minimum": 0}),
    },
}

_README = """\
# Vectors

Questions about small neural networks, with their exact answers: the outputs, the loss and its gradients. They are the
same on every machine. For each vector of `vectors.json` (and `vectors-2.json`, …, if there are such), and for a format
under `expected`:

1. Make the network of `layers` and `loss`, with `parameters` (or `parameters_by_name`), and the batch `x`, `y`.
2. Compute in that format.
3. Each number of yours is right if it is no farther from the one in the file than the number in its place in `bound`:
   `abs(yours - decimal) <= bound`. Where the bound is 0, it is the same number, but for the sign of a zero. What is not
   a number (NaN) is wrong.

`refnn check --vectors` with this folder does so, with a program or a Python function.

| field | what |
|---|---|
| `id`, `description` | the name of the vector, which stays, and what is asked |
| `layers`, `loss` | the network, in the words of the protocol of `refnn check --command` |
| `parameters` | all in one list: layer by layer, the weight row by row with a row for each input, then the bias |
| `parameters_by_name` | the same: `0.weight` (inputs, outputs) and `0.bias` are those of layer 0 |
| `x` | a row for each sample |
| `y` | a row for each sample, or `classes`, counted from 0 |
| `outputs`, `loss` | of the last layer, before a softmax or sigmoid that the loss has; one number |
| `gradient`, `gradient_by_name`, `input_gradient` | the derivatives of the loss, by the parameters and by `x` |
| `catches` | the faults of `refnn faults` with which an implementation fails here |

A number is written twice: in `decimal` with the fewest digits that are read as it in float64, and in `bits` as IEEE 754
has it, the sign first. The bits of an answer are of its format (4 hexadecimal digits for bfloat16 and float16, 8 for
float32, 16 for float64), those of `parameters`, `x` and `y` are of float64; each format under `expected` holds these
exactly. Answers are correctly rounded: of the numbers of the format, the nearest to the real one.

A bound is what no roundings exceed if inputs are exact, each operation rounds once to nearest, functions are accurate
to a few units in the last place, and sums are in any order; rounded up to two digits. `schema.json` says how files are
made up. Files of another `version`, or of other `semantics`, mean something else.
"""


# -------------------------------------------------------------------------------------------------------------- reading

_MOST_BYTES, _MOST_LEVELS = 2**24, 12
"""Of a file that is read. Vectors have half as many levels."""


def load(path: FilePath) -> list[Vector]:
    """The vectors that `write` wrote.

    Parameters
    ----------
    path
        One of the files, or the folder with all of them; what they say is not trusted.

    Raises
    ------
    DataError
        If a file cannot be read, is too large or nested too deeply, or is anything else than vectors of this version: a
        field is missing, not known, there twice or of another type, or a number and its bits contradict each other.
    """
    vectors = [vector for file in _files(path) for vector in _loaded(file)]
    ids = [vector.id for vector in vectors]
    if len(set(ids)) < len(ids):
        raise _refused(f"{path}: the list of ids", ids, "one is there twice")
    return vectors


def _files(path: FilePath) -> Sequence[FilePath]:
    if not Path(path).exists():
        raise DataError(f"{path} cannot be read", "there is no such folder, nor file", "Write one: refnn vectors DIR")
    if not Path(path).is_dir():
        return [path]
    files = sorted(Path(path).glob("vectors*.json"), key=lambda file: (len(file.name), file.name))
    if not files:
        raise DataError(
            f"{path} cannot be read", "it is a folder without vectors.json", "Write them: refnn vectors DIR"
        )
    return files


def _loaded(path: FilePath) -> list[Vector]:
    vectors: list[Vector] = []
    place, header = str(path), _parsed(path)
    try:
        for each in _given(header):
            place = f"{path}, vectors[{len(vectors)}]"
            vectors.append(_vector(each))
    except RefnnError as error:
        raise DataError(f"{place}: {error.given}", error.why, error.remedy) from error
    return vectors


def _given(header: Json) -> list[Json]:
    """The vectors of a file whose first lines are in order, as they stand there."""
    _keys("the file", header, _HEADER)
    for name, known in (("format", _FORMAT), ("version", VERSION), ("semantics", SEMANTICS)):
        if type(header[name]) is not type(known) or header[name] != known:
            raise _refused(name, header[name], f"this version of refnn reads {known!r}")
    bounds = header["bounds"]
    _keys("bounds", bounds, ("model", "kind"))
    if type(bounds["model"]) is not int or bounds["kind"] != _BOUNDS or not isinstance(header["refnn"], str):
        raise _refused("bounds, or refnn", (bounds, header["refnn"]), "they are a number, a kind and a version")
    return _list("vectors", header["vectors"])


def _refused(place: str, given: object, why: str) -> DataError:
    return DataError(f"{place} is {shown(given)}", why, "Pass a file of refnn vectors, as it was written")


def _parsed(path: FilePath) -> Json:
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read", str(error), "Pass a file of refnn vectors") from error
    if len(text) > _MOST_BYTES:
        raise DataError(f"{path} is too large", f"it has more than {_MOST_BYTES} bytes", "Pass smaller files")
    try:
        parsed = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
        level, levels = [parsed], 0
        while level:
            levels += 1
            if levels > _MOST_LEVELS:
                raise RecursionError("it is nested too deeply")  # noqa: TRY301 - as the parser itself says
            inside = (v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list))
            level = [part for parts in inside for part in parts]
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON of vectors", str(error), "Pass a file as it was written") from error
    return parsed


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is no number of JSON")


def _keys(place: str, given: Json, names: Iterable[str]) -> None:
    if not isinstance(given, dict) or set(given) != set(names):
        raise _refused(place, given, f"its fields are {', '.join(names)}")


def _list(place: str, given: Json) -> list[Json]:
    if not isinstance(given, list) or not given:
        raise _refused(place, given, "it is a list")
    return given


def _vector(given: Json) -> Vector:
    _keys("it", given, _FIELDS)
    for name in ("id", "description"):
        if not isinstance(given[name], str) or not given[name].isprintable() or not given[name]:
            raise _refused(name, given[name], "it is a line of text")
    network = network_from(given)
    w, x = (_read(name, given[name], "float64") for name in ("parameters", "x"))
    case = Case(network, w, x, _targets("y", given["y"]))
    formats = given["expected"]
    if not isinstance(formats, dict) or not formats or not set(formats) <= set(FORMATS):
        raise _refused("expected", formats, f"it has answers in some of {', '.join(FORMATS)}")
    questions = {name: posed(case, precision_named(name))[1] for name in formats}
    if any(changed for question in questions.values() for changed in question.rounded.values()):
        raise _refused("expected", formats, "each of its formats should hold all numbers of the question")
    named = given["parameters_by_name"]
    _keys("parameters_by_name", named, network.names())
    for name, part in network.unpack(w).items():
        _agree(f"parameters_by_name.{name}", _read(name, named[name], "float64"), part)
    expected = {name: _answered(f"expected.{name}", formats[name], question) for name, question in questions.items()}
    return Vector(given["id"], given["description"], case, expected)


def _targets(place: str, given: Json) -> FloatArray | IntArray:
    if not isinstance(given, dict) or set(given) != {"classes"}:
        return _read(place, given, "float64")
    classes = _list(place, given["classes"])
    if not all(type(k) is int and 0 <= k < 2**31 for k in classes):
        raise _refused(place, given, "classes are whole numbers from 0")
    return np.array(classes, dtype=np.int64)


def _answered(place: str, given: Json, question: Question) -> Expected:
    _keys(place, given, _ANSWERED)
    if not isinstance(given["catches"], list) or not all(isinstance(id_, str) for id_ in given["catches"]):
        raise _refused(f"{place}.catches", given["catches"], "it is a list of names")
    network, storage = question.network, question.precision.storage
    shapes = {
        "outputs": question.labels.shape,
        "loss": (),
        "gradient": (network.size,),
        "input_gradient": question.x.shape,
    }
    parts = {name: _bounded(f"{place}.{name}", given[name], storage) for name in shapes}
    for name, shape in shapes.items():
        if parts[name][0].shape != shape:
            raise _refused(f"{place}.{name}", given[name], f"it should have the shape {shape}")
    values, bounds = (_with_parts(network, {name: part[k] for name, part in parts.items()}) for k in (0, 1))
    named = given["gradient_by_name"]
    _keys(f"{place}.gradient_by_name", named, network.names())
    for name in network.names():
        for part, whole in zip(_bounded(f"{place}.{name}", named[name], storage), (values, bounds), strict=True):
            _agree(f"{place}.gradient_by_name.{name}", part, whole[name])
    return Expected(values, bounds, tuple(given["catches"]))


def _agree(place: str, part: FloatArray, whole: FloatArray) -> None:
    if part.shape != whole.shape or part.tobytes() != whole.tobytes():
        raise _refused(place, part.tolist(), "it is not what the whole list has in its place")


def _bounded(place: str, given: Json, storage: str) -> tuple[FloatArray, FloatArray]:
    _keys(place, given, ("decimal", "bits", "bound"))
    values = _read(place, {name: given[name] for name in ("decimal", "bits")}, storage)
    bound = numbers_from(given["bound"], place)
    if bound.shape != values.shape or not (np.isfinite(bound) & (bound >= 0)).all():
        raise _refused(f"{place}.bound", given["bound"], "there is one for each number, 0 or more")
    return values, bound


def _read(place: str, given: Json, storage: str) -> FloatArray:
    """Numbers, which are the same in digits and in bits."""
    _keys(place, given, ("decimal", "bits"))
    values = numbers_from(given["decimal"], place)
    if not np.isfinite(values).all() or not np.array_equal(FORMATS[storage].nearest(values), values):
        raise _refused(place, given["decimal"], f"numbers are those of {storage}, and finite")
    if given["bits"] != _numbers(values, storage)["bits"]:
        raise _refused(place, given, f"its decimals and its bits are not the same numbers of {storage}")
    return values


# -------------------------------------------------------------------------------------------------------------- running

Kind: TypeAlias = Literal["passed", "failed", "broken", "known", "error", "skipped"]
"""What came of a vector. ``"broken"``: it has no answer that could be judged; ``"known"``: it fails, or has none, as is
listed; ``"error"``: the list of known failures is wrong."""


class Result(NamedTuple):
    """What came of a vector.

    Attributes
    ----------
    id
        That of the vector, or one that is listed and that none has.
    kind
        What.
    said
        Why; of one that passes, the fields that were compared.
    """

    id: str
    kind: Kind
    said: str


def run(
    target: object,
    vectors: Iterable[Vector],
    precision: str,
    *,
    known_failures: Collection[str] = (),
    layout: Layout | None = None,
    time_limit: float | None = 60,
    progress: Progress | None = None,
) -> list[Result]:
    """Ask an implementation, and hold its answers against the vectors' own bounds.

    Parameters
    ----------
    target
        The implementation, as for `refnn.check`.
    vectors
        Those that `load` read.
    precision
        The format to compute in.
    known_failures
        Ids of vectors that fail. One that passes, is skipped, or is not there, is an error.
    layout
        How the implementation lays out its arrays, if neither as refnn does nor as it says itself.
    time_limit
        So many seconds an answer may take; None for ever. A target that ends itself keeps a limit of its own.
    progress
        Is told after each vector.

    Raises
    ------
    SettingError
        If no vector has that format, the failures are not a collection of ids, or as for `refnn.check`.

    Examples
    --------
    >>> import refnn
    >>> from refnn.search.vectors import load, run, write
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     vectors = load(write(folder, layers=["dense"], losses=["squared_error"])[0])
    >>> target = lambda network, w, x, y: network.evaluate(w, x, y)._asdict()
    >>> {result.kind for result in run(target, vectors, "float32")}
    {'passed'}
    """
    asked, listed, asked_of = target_of(target), set(_ids(known_failures)), list(vectors)
    if not any(precision in vector.expected for vector in asked_of):
        raise SettingError(f"precision is {shown(precision)}", "no vector has that format", "Choose one that they have")
    limit = None if time_limit is None else float(positive("time_limit", time_limit))
    arrays, results = layout or getattr(asked, "layout", None) or Layout(), []
    for done, vector in enumerate(asked_of, 1):
        results.append(_ran(asked, vector, precision, arrays, limit))
        if progress is not None:
            progress(done, len(asked_of))
    unknown = sorted(listed - {result.id for result in results})
    return [
        *(_strictly(result) if result.id in listed else result for result in results),
        *(Result(id_, "error", "it is a known failure, and no vector has that id") for id_ in unknown),
    ]


def _ids(given: Collection[str]) -> Collection[str]:
    if isinstance(given, str) or not isinstance(given, Collection) or not all(isinstance(id_, str) for id_ in given):
        raise SettingError(f"known_failures are {shown(given)}", "they are ids of vectors", "Pass a list of them")
    return given


def _strictly(result: Result) -> Result:
    """What came of a vector that is listed as failing."""
    if result.kind == "passed":
        return result._replace(kind="error", said="it is a known failure, and passes: take it off the list")
    if result.kind == "skipped":
        why = f"it is a known failure, and is skipped ({result.said}): take it off the list"
        return result._replace(kind="error", said=why)
    return result._replace(kind="known")


def _ran(target: Target, vector: Vector, precision: str, layout: Layout, time_limit: float | None) -> Result:
    if precision not in vector.expected:
        return Result(vector.id, "skipped", f"its numbers leave the range of {precision}")
    try:
        found = ask(target, *posed(vector.case, precision_named(precision)), layout, time_limit=time_limit)
    except Unsupported as error:
        return Result(vector.id, "skipped", f"unsupported: {error}")
    except BrokenTargetError as error:
        return Result(vector.id, "broken", str(error))
    expected = vector.expected[precision]
    logits = layout.outputs == "logits" or type(vector.case.network.loss_function) not in SQUASHING
    compared = [name for name, values in found.items() if values.size and (logits or name != "outputs")]
    wrong = [said for name in compared if (said := _wrong(name, found[name], expected))]
    if wrong:
        return Result(vector.id, "failed", "; ".join(wrong))
    return Result(vector.id, "passed" if compared else "skipped", f"compared: {', '.join(compared) or 'nothing'}")


def _wrong(name: str, values: FloatArray, expected: Expected) -> str:
    """The worst number of a part, if that is out of its bound."""
    truth, bound = expected.values[name], expected.bounds[name]
    with np.errstate(all="ignore"):
        off = ratios(values - truth, bound)
    place = tuple(int(i) for i in np.unravel_index(int(np.argmax(off)), off.shape))
    return f"{name}{Element(place, *(float(v[place]) for v in (values, truth, bound)))}" if off[place] > 1 else ""


_REPORTED: Mapping[Kind, str] = {
    "failed": "failure",
    "broken": "error",
    "known": "skipped",
    "error": "error",
    "skipped": "skipped",
}
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(results: Iterable[Result], name: str = _FORMAT) -> str:
    """Results as JUnit's XML, which programs that run tests for a project read.

    Parameters
    ----------
    results
        Each becomes a test case; of what it says, the first line is the message.
    name
        Of the suite.

    Examples
    --------
    >>> from refnn.search.vectors import Result, as_junit
    >>> print(as_junit([Result("layer/tanh", "passed", "compared: loss")]))
    <?xml version="1.0" encoding="utf-8"?>
    <testsuite name="refnn vectors" tests="1" failures="0" errors="0" skipped="0">
      <testcase classname="refnn.vectors" name="layer/tanh" />
    </testsuite>
    """
    listed = list(results)
    kinds = [_REPORTED.get(result.kind, "") for result in listed]
    words = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {name: str(kinds.count(word)) for name, word in words.items()}
    suite = ET.Element("testsuite", {"name": name, "tests": str(len(listed)), **counts})
    for result, kind in zip(listed, kinds, strict=True):
        case = ET.SubElement(suite, "testcase", {"classname": name.replace(" ", "."), "name": _in_xml(result.id)})
        if kind:
            begin = "known failure: " if result.kind == "known" else ""
            message, _, more = _in_xml(begin + result.said).partition("\n")
            ET.SubElement(case, kind, {"message": message}).text = f"{message}\n{more}" if more else None
    ET.indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suite, encoding="unicode")}'


def _in_xml(text: str) -> str:
    """Without the characters that XML has no way to write."""
    return _NOT_IN_XML.sub("\ufffd", text)
