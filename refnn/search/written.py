"""Networks and numbers in writing: as JSON, which every language reads, and as Python code to paste."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from refnn import activations, losses
from refnn.arrays import FloatArray, IntArray
from refnn.checks import shown
from refnn.errors import DataError, RefnnError, SettingError
from refnn.layers import Dense, Layer
from refnn.losses import Loss
from refnn.network import Network

__all__ = [
    "KINDS",
    "as_code",
    "kind_of",
    "network_from",
    "network_in_json",
    "numbers_from",
    "numbers_in_json",
]

Json: TypeAlias = Any
"""What `json.loads` gives."""


def _snake(name: str) -> str:
    """LeakyReLU is leaky_relu: a capital begins a word, unless it follows another, or ends one."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower().replace("re_lu", "relu").replace("si_lu", "silu")


_KNOWN: tuple[type[Any], ...] = (Dense, *activations.ALL, *losses.ALL)

KINDS: Mapping[str, type[Any]] = {_snake(kind.__name__): kind for kind in _KNOWN}
"""The layers and losses by the names that they have in JSON: ``leaky_relu`` for `LeakyReLU`."""

_NAMES = {kind: name for name, kind in KINDS.items()}


def kind_of(part: Layer | Loss) -> str:
    """The name in JSON of a layer or a loss.

    Raises
    ------
    SettingError
        If it is not one of refnn's: a program in another language would not know it.

    Examples
    --------
    >>> import refnn
    >>> kind_of(refnn.GELUTanh()), kind_of(refnn.Dense(2, 3)), kind_of(refnn.SoftmaxCrossEntropy())
    ('gelu_tanh', 'dense', 'softmax_cross_entropy')
    """
    if type(part) not in _NAMES:
        raise SettingError(
            f"{part!r} is not one of refnn's", "it has no name in JSON", f"Use {', '.join(_NAMES.values())}"
        )
    return _NAMES[type(part)]


def network_in_json(network: Network) -> dict[str, Json]:
    """The layers and the loss, each as its kind and its settings.

    An exact fraction, as a scale may be one, is a pair of whole numbers.

    Raises
    ------
    SettingError
        If a layer is not one of refnn's.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(2, 1), refnn.ReLU(), loss=refnn.SquaredError())
    >>> described = network_in_json(network)
    >>> described["layers"]
    [{'kind': 'dense', 'inputs': 2, 'outputs': 1}, {'kind': 'relu'}]
    >>> described["loss"]
    {'kind': 'squared_error', 'reduction': 'mean', 'scale': 1}
    """
    return {"layers": [_part(layer) for layer in network.layers], "loss": _part(network.loss_function)}


def _part(part: Layer | Loss) -> dict[str, Json]:
    settings = {field.name: getattr(part, field.name) for field in fields(part)}  # type: ignore[arg-type]
    return {"kind": kind_of(part), **{name: _setting(value) for name, value in settings.items() if value is not None}}


def _setting(value: object) -> Json:
    value = _plain(value)
    if isinstance(value, Fraction):
        return [value.numerator, value.denominator]
    return list(value) if isinstance(value, tuple) else value


def _plain(value: object) -> object:
    """A setting without NumPy's types, which neither JSON nor code to paste knows."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value.item() if isinstance(value, np.generic) else value


def network_from(described: object) -> Network:
    """The network that `network_in_json` described.

    Raises
    ------
    DataError
        If that is no description of a network.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(2, 1), refnn.LeakyReLU(0.25), loss=refnn.SquaredError(scale=2))
    >>> network_from(network_in_json(network))
    Network(Dense(inputs=2, outputs=1), LeakyReLU(slope=0.25), loss=SquaredError(reduction='mean', scale=2))
    """
    if not isinstance(described, Mapping) or not isinstance(described.get("layers"), list):
        raise DataError(f"{shown(described)} is no network", "it has no list of layers", "See the page on the protocol")
    layers = [_made(f"layers[{k}]", layer, Loss, wanted=False) for k, layer in enumerate(described["layers"])]
    loss = _made("loss", described.get("loss"), Loss, wanted=True)
    try:
        return Network(*layers, loss=loss)
    except RefnnError as error:
        raise DataError(f"the network is none: {error.given}", error.why, error.remedy) from error


def _made(place: str, described: object, base: type[Any], *, wanted: bool) -> Any:
    known = {name: kind for name, kind in KINDS.items() if issubclass(kind, base) is wanted}
    if not isinstance(described, Mapping) or described.get("kind") not in list(known):  # a list has no hash
        raise DataError(f"{place} is {shown(described)}", "it has no known kind", f"Choose one of {', '.join(known)}")
    kind = known[described["kind"]]
    names = {field.name for field in fields(kind)}
    settings = {name: value for name, value in described.items() if name != "kind"}
    unknown = sorted(set(settings) - names)
    if unknown:
        raise DataError(
            f"{place} has {', '.join(unknown)}",
            f"a {described['kind']} has no such setting",
            "See the page on the protocol",
        )
    try:
        if isinstance(settings.get("scale"), list):
            settings["scale"] = _fraction(settings["scale"])
        return kind(**settings)
    except (RefnnError, TypeError, ZeroDivisionError) as error:
        why = str(error).rstrip(".")
        raise DataError(f"{place} is {shown(described)}", why, "See the page on the protocol") from error


def _fraction(pair: list[Json]) -> Fraction:
    if [type(part) for part in pair] != [int, int]:
        raise TypeError("a fraction is a pair of whole numbers")
    return Fraction(*pair)


# ------------------------------------------------------------------------------------------------------------- numbers


_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def numbers_in_json(values: NDArray[Any] | float) -> Json:
    """Numbers as nested lists of those that JSON knows, which round-trip; those that it lacks as text.

    Examples
    --------
    >>> import numpy as np
    >>> numbers_in_json(np.array([[0.1, np.inf], [-0.0, np.nan]]))
    [[0.1, 'inf'], [-0.0, 'nan']]
    """
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.tolist()
    array = array.astype(np.float64)
    return array.tolist() if np.isfinite(array).all() else _nested(array.tolist())


def _nested(values: Json) -> Json:
    if isinstance(values, list):
        return [_nested(value) for value in values]
    return values if math.isfinite(values) else repr(values)


def numbers_from(described: object, name: str = "the numbers") -> FloatArray:
    """The array of numbers that nested lists hold, with text for those that JSON lacks.

    Raises
    ------
    DataError
        If they hold something else, or lists of different lengths.

    Examples
    --------
    >>> numbers_from([[0.5, "-inf"], [1, "nan"]])
    array([[ 0.5, -inf],
           [ 1. ,  nan]])
    """
    try:
        return np.array(_read(described, name), dtype=np.float64)
    except DataError:
        raise
    except (ValueError, OverflowError, RecursionError) as error:
        raise DataError(
            f"{name} are {shown(described)}",
            "rows of different lengths, too deep, or with whole numbers beyond float64, are no array",
            "Send rows alike",
        ) from error


def _read(described: object, name: str) -> Json:
    if isinstance(described, list):
        return [_read(value, name) for value in described]
    if isinstance(described, str) and described.lower() in _NOT_FINITE:
        return _NOT_FINITE[described.lower()]
    if isinstance(described, bool) or not isinstance(described, int | float):
        raise DataError(
            f"{name} hold {shown(described)}",
            "that is no number",
            "Send numbers, or 'nan', 'inf' and '-inf' for others",
        )
    return described


# ---------------------------------------------------------------------------------------------------------------- code


def as_code(network: Network, w: FloatArray, x: FloatArray, y: FloatArray | IntArray) -> str:
    """Lines of Python that make a case, where refnn is imported: its network, parameters and batch.

    Examples
    --------
    >>> import numpy as np, refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError(scale=2))
    >>> print(as_code(network, np.array([2.0, 1.0]), np.array([[3.0]]), np.array([[5.0]])))
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError(scale=2))
    w = [2.0, 1.0]
    x = [[3.0]]
    y = [[5.0]]
    """
    parts = ", ".join(_call(layer) for layer in network.layers)
    made = f"network = refnn.Network({parts}, loss={_call(network.loss_function)})"
    imported = ["from fractions import Fraction"] if "Fraction(" in made else []
    numbers = (f"{name} = {_literal(values)}" for name, values in (("w", w), ("x", x), ("y", y)))
    return "\n".join([*imported, made, *numbers])


def _call(part: Layer | Loss) -> str:
    """As it is made, without the settings that are usual."""
    if type(part) not in _NAMES:
        return repr(part)
    if isinstance(part, Dense):
        return f"refnn.Dense({part.inputs}, {part.outputs})"
    usual = type(part)()
    settings = {field.name: getattr(part, field.name) for field in fields(part)}  # type: ignore[arg-type]
    changed = [f"{name}={_plain(value)!r}" for name, value in settings.items() if value != getattr(usual, name)]
    return f"refnn.{type(part).__name__}({', '.join(changed)})"


def _literal(values: FloatArray | IntArray) -> str:
    text = repr(values.tolist())
    return re.sub(r"\b(nan|inf)\b", r'float("\1")', text)
