"""Replies of a program: what a line says, what the program knows, and numbers in digits or in bits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from refnn.arithmetic.precision import FORMATS, precision_named
from refnn.arrays import FloatArray
from refnn.checks import shown
from refnn.errors import BrokenTargetError, DataError, SettingError, Unsupported
from refnn.losses import Loss, SoftmaxCrossEntropy
from refnn.network import Evaluation
from refnn.search.target import Layout, stored
from refnn.search.targets.program import LONGEST_LINE, SHOWN, text_of
from refnn.search.written import KINDS, numbers_from, numbers_in_json

__all__ = [
    "KNOWN",
    "LEFT_OUT",
    "Json",
    "capabilities_of",
    "check_echo",
    "fields_of",
    "hard",
    "reply_of",
    "written",
]

Json: TypeAlias = Any
"""What `json.loads` gives."""


def reply_of(line: bytes, number: int, ask: str) -> dict[str, Json]:
    """The object of a line that answers a question, without its id."""
    if len(line) > LONGEST_LINE:
        raise BrokenTargetError(
            f"the reply begins with {text_of(line[:SHOWN])} and does not end",
            f"a line has at most {LONGEST_LINE} bytes",
            "End each line, and send numbers only",
        )
    try:
        reply = json.loads(line.decode(), parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise BrokenTargetError(
            f"the program wrote {text_of(line)}",
            f"that is not JSON: {error}",
            'Write one JSON object on a line, numbers that are not finite as "nan", "inf" and "-inf", and all that is '
            "no reply to stderr",
        ) from error
    if not isinstance(reply, dict):
        raise BrokenTargetError(
            f"the program wrote {text_of(line)}", "a reply is a JSON object", 'Write {"id": …, …} on a line'
        )
    if "error" in reply:
        raise BrokenTargetError(
            f"the program reports an error: {shown(reply['error'])}",
            "it has no answer",
            'Mend it, or answer {"id": …, "unsupported": …} to what it does not know',
            "crashed",
        )
    said = reply.pop("id", None)
    if type(said) is not int or said != number:
        raise BrokenTargetError(
            f"the reply has the id {shown(said)}, expected {number}",
            "a reply has the id of its question, and there is one for each",
            "Copy the id from the question",
        )
    if "unsupported" in reply:
        if ask == "evaluate":
            raise Unsupported(str(reply["unsupported"]))
        raise BrokenTargetError(f"{ask} is unsupported", "every program answers to it", "See the page on the protocol")
    return reply


def _constant(name: str) -> Json:
    raise BrokenTargetError(
        f"the program wrote {name}", "JSON has no such number", 'Write "nan", "inf" or "-inf", a string'
    )


def _keys(
    reply: Mapping[str, Json], needed: Sequence[str] | Mapping[str, object], known: Sequence[str] | Mapping[str, object]
) -> None:
    missing = [name for name in needed if name not in reply]
    unknown = [name for name in reply if name not in known]
    if missing or unknown:
        raise BrokenTargetError(
            f"the reply has {', '.join(map(shown, reply)) or 'nothing'}",
            f"it lacks {', '.join(missing)}" if missing else f"{shown(unknown[0])} is not known",
            f"Send {', '.join(known)}",
        )


def capabilities_of(reply: dict[str, Json]) -> dict[str, Json]:
    """What the program knows, with what it left out."""
    _keys(reply, [name for name in KNOWN if name not in LEFT_OUT], list(KNOWN))
    for name, value in reply.items():
        said, fits = KNOWN[name]
        if not fits(value):
            raise BrokenTargetError(f"{name} is {shown(value)}", f"it is {said}", "See the page on the protocol")
        unknown = [each for each in value if each not in _CHOICES[name]] if name in _CHOICES else []
        if unknown:
            raise BrokenTargetError(
                f"{name} has {shown(unknown[0])}",
                f"refnn knows {', '.join(_CHOICES[name])}",
                "Mend the name, or leave it out: of what refnn does not know it cannot ask",
            )
    return LEFT_OUT | reply


def _names(value: Json) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


def _whole_numbers(value: Json) -> bool:
    known = isinstance(value, dict) and set(value) <= {"multiple_of", "max"}
    return known and all(type(number) is int and number >= 1 for number in value.values())


def _laid_out(value: Json) -> bool:
    try:
        return Layout(**value).parameters == "flat"
    except (TypeError, SettingError):
        return False


_CHOICES: Mapping[str, Sequence[str]] = {
    "layers": [name for name, kind in KINDS.items() if not issubclass(kind, Loss)],
    "losses": [name for name, kind in KINDS.items() if issubclass(kind, Loss)],
    "precisions": list(FORMATS),
    "reductions": SoftmaxCrossEntropy().reductions(),
    "want": Evaluation._fields,
}
"""Of which names a list is."""

KNOWN: Mapping[str, tuple[str, Callable[[Json], bool]]] = {
    "layers": ("a list of names", _names),
    "losses": ("a list of names", _names),
    "precisions": ("a list of names", _names),
    "reductions": ("a list of names", _names),
    "dimensions": ('an object with "multiple_of", "max" or both, whole numbers above 0', _whole_numbers),
    "settings": ('"any" or "usual"', lambda value: value in ("any", "usual")),
    "want": ("a list of names", _names),
    "numbers": ('"decimal" or "hex"', lambda value: value in ("decimal", "hex")),
    "layout": ('an object with some of "weights", "samples", "classes" and "outputs"', _laid_out),
}
"""What a program says of itself: what it is, and whether a value is that."""

LEFT_OUT: dict[str, Json] = {
    "dimensions": {},
    "settings": "any",
    "want": list(Evaluation._fields),
    "numbers": "decimal",
    "layout": {},
}
"""What is taken for what it need not say."""


# -------------------------------------------------------------------------------------------------------------- numbers


def written(values: Any, way: str) -> Json:
    """Numbers for a question, the `way` that the program says: ``"decimal"`` or ``"hex"``."""
    if way == "decimal":
        return numbers_in_json(values)
    digits = 2 * values.itemsize
    return _each(values.view(f"u{values.itemsize}").tolist(), lambda bits: f"{bits:0{digits}x}")


def _read(name: str, given: Json, dtype: np.dtype[Any], way: str) -> FloatArray:
    """Numbers of a reply, in the format of the question."""
    try:
        if way == "hex":
            bits = _each(given, lambda text: _bits(name, text, 2 * dtype.itemsize))
            return np.array(bits, dtype=f"u{dtype.itemsize}").view(dtype)
        return np.asarray(FORMATS[str(dtype)].nearest(numbers_from(given, name))).astype(dtype)
    except DataError as error:
        raise BrokenTargetError(error.given, error.why, error.remedy) from error
    except (ValueError, RecursionError) as error:
        raise BrokenTargetError(f"{name} is {shown(given)}", "its rows differ in length", "Send rows alike") from error


def fields_of(
    reply: dict[str, Json], wanted: Mapping[str, tuple[int, ...]], dtype: np.dtype[Any], way: str
) -> dict[str, FloatArray]:
    """The fields of an answer, each in the shape that is wanted."""
    _keys(reply, wanted, wanted)
    fields = {name: _read(name, reply[name], dtype, way) for name in wanted}
    for name, shape in wanted.items():
        if fields[name].shape != shape:
            raise BrokenTargetError(
                f"{name} has shape {fields[name].shape}, expected {shape}",
                "that is the shape for this question",
                f"Send {name} in that shape",
            )
    return fields


def check_echo(reply: dict[str, Json], sent: FloatArray, way: str) -> None:
    """Refuse an echo that is not what was sent."""
    _keys(reply, ["numbers"], ["numbers"])
    back = _read("numbers", reply["numbers"], sent.dtype, way)
    if back.shape != sent.shape:
        raise BrokenTargetError(
            f"{len(sent)} numbers were sent, and what came back has shape {back.shape}",
            "an echo is the same list of numbers",
            "Send back each number, in the order in which they came",
        )
    for went, came in zip(sent.tolist(), back.tolist(), strict=True):
        if went != came:
            raise BrokenTargetError(
                f"{went!r} came back as {came!r}",
                "what the program reads or writes is another number than is meant",
                "Read the nearest number and write enough digits. In C, strtod and printf with %.17g (%.9g for "
                "float32). In Rust, serde_json needs its feature float_roundtrip. JavaScript, Go, Java and Python "
                'do so themselves. Else say "numbers": "hex", and bits are sent',
            )


def hard(storage: str) -> FloatArray:
    """Numbers that careless parsers and printers change: the ends of the format, and those that need every digit."""
    form = FORMATS[storage]
    ends = [form.largest, form.smallest_normal, form.smallest_normal - form.smallest, form.smallest]
    near = [1 + 2 * form.unit, 1 - form.unit, 1 / 3, -2 / 3, 0.1, 0.30000000000000004, 0.0, 1.0, -25.0]
    digits = [1.5777777777770001, 1014.5449131979983, 1.0715660391509532e-05, -31415.926535897932]
    large = [8.41e21, 9007199254740993.0, 1.2345678901234567e100, 6.02214076e23, -4.35e-200, 2.2250738585072011e-308]
    numbers = form.nearest(np.array([*digits, *near, *large, *ends]))
    return numbers[np.isfinite(numbers)].astype(stored(precision_named(storage)))


def _each(nested: Json, change: Callable[[Json], Json]) -> Json:
    return [_each(part, change) for part in nested] if isinstance(nested, list) else change(nested)


def _bits(name: str, text: Json, digits: int) -> int:
    if not isinstance(text, str) or not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", text):
        raise BrokenTargetError(
            f"{name} holds {shown(text)}",
            f"in this format a number is a string of {digits} hexadecimal digits",
            "Send the bits of each number, the sign first",
        )
    return int(text, 16)
