"""Networks and numbers in writing: what is written is read again, and what is no such thing is refused by its place."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, final

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn import activations, losses
from refnn.arrays import A
from refnn.errors import DataError, SettingError
from refnn.network import Network
from refnn.search.written import (
    KINDS,
    as_code,
    kind_of,
    network_from,
    network_in_json,
    numbers_from,
    numbers_in_json,
)
from refnn.strategies import Case, cases, networks

NAMES = {
    "dense": refnn.Dense,
    "identity": refnn.Identity,
    "sigmoid": refnn.Sigmoid,
    "tanh": refnn.Tanh,
    "relu": refnn.ReLU,
    "leaky_relu": refnn.LeakyReLU,
    "elu": refnn.ELU,
    "softplus": refnn.Softplus,
    "silu": refnn.SiLU,
    "gelu": refnn.GELU,
    "gelu_tanh": refnn.GELUTanh,
    "squared_error": refnn.SquaredError,
    "softmax_cross_entropy": refnn.SoftmaxCrossEntropy,
    "binary_cross_entropy": refnn.BinaryCrossEntropy,
    "huber": refnn.Huber,
    "inner_product": refnn.InnerProduct,
}
"""As the page on the protocol has them, which programs in other languages were written by."""

LAYERS: list[Any] = [*(kind() for kind in activations.ALL), refnn.LeakyReLU(0.25), refnn.LeakyReLU(-3), refnn.ELU(1.7)]

WEIGHTED = refnn.SoftmaxCrossEntropy(label_smoothing=0.1, class_weights=(1, 0, 2.5), reduction="weights", scale=2)

LOSSES: list[losses.Loss] = [
    WEIGHTED,
    refnn.Huber(delta=0.3, reduction="sum"),
    *(kind(reduction=reduction) for kind in losses.ALL for reduction in kind().reductions()),
    *(kind(scale=scale) for kind in losses.ALL for scale in (3, 0.1, 2.0**-1074, Fraction(1, 3), Fraction(7, 10**30))),
]


@final
@dataclass(frozen=True)
class Doubled:
    """A layer of one's own."""

    inputs: int | None = None
    outputs: int | None = None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {}

    def forward(self, parameters: tuple[A, ...], x: A) -> A:
        return 2 * x

    def backward(self, parameters: tuple[A, ...], x: A, delta: A) -> A:
        return 2 * delta

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        return ()


@dataclass(frozen=True, kw_only=True)
class Own(losses.Loss):
    """A loss of one's own."""

    def terms(self, p: A, t: A) -> A:
        return p * t

    def derivative(self, p: A, t: A) -> A:
        return t


def of(layer: Any = None, loss: losses.Loss | None = None) -> Network:
    return Network(refnn.Dense(2, 3), *([layer] if layer else []), loss=loss or refnn.SquaredError())


def through_json(described: Any) -> Any:
    return json.loads(json.dumps(described, allow_nan=False))


# ------------------------------------------------------------------------------------------------------------- networks


def test_names_are_those_of_the_protocol() -> None:
    assert dict(KINDS) == NAMES
    assert {kind for kind in NAMES.values() if kind is not refnn.Dense} == {*activations.ALL, *losses.ALL}
    assert [kind_of(part) for part in (refnn.Dense(1, 2), *LAYERS[:10])] == list(NAMES)[:11]
    assert [kind_of(kind()) for kind in losses.ALL] == list(NAMES)[11:]


@pytest.mark.parametrize("own", [Doubled(), Own()], ids=repr)
def test_what_is_not_of_refnn_has_no_name(own: Any) -> None:
    with pytest.raises(SettingError, match=r"is not one of refnn's: it has no name in JSON\. Use dense, identity"):
        kind_of(own)
    with pytest.raises(SettingError, match="no name in JSON"):
        network_in_json(of(*((None, own) if isinstance(own, Own) else (own, None))))


def test_a_description_in_full() -> None:
    network = Network(
        refnn.Dense(3, 2), refnn.LeakyReLU(0.25), refnn.ELU(), refnn.Dense(2, 3), refnn.GELUTanh(), loss=WEIGHTED
    )
    assert network_in_json(network) == {
        "layers": [
            {"kind": "dense", "inputs": 3, "outputs": 2},
            {"kind": "leaky_relu", "slope": 0.25},
            {"kind": "elu", "alpha": 1},
            {"kind": "dense", "inputs": 2, "outputs": 3},
            {"kind": "gelu_tanh"},
        ],
        "loss": {
            "kind": "softmax_cross_entropy",
            "reduction": "weights",
            "scale": 2,
            "label_smoothing": 0.1,
            "class_weights": [1, 0, 2.5],
        },
    }
    assert network_in_json(of(loss=refnn.SquaredError(scale=Fraction(2, 6))))["loss"]["scale"] == [1, 3]
    assert "class_weights" not in network_in_json(of(loss=refnn.SoftmaxCrossEntropy()))["loss"]


@pytest.mark.parametrize("network", [*map(of, LAYERS), *(of(loss=loss) for loss in LOSSES)], ids=repr)
def test_each_layer_and_loss_is_read_again(network: Network) -> None:
    read = network_from(through_json(network_in_json(network)))
    assert (read.layers, read.loss_function) == (network.layers, network.loss_function)
    assert repr(read) == repr(network)


@given(networks())
def test_drawn_networks_are_read_again(network: Network) -> None:
    assert repr(network_from(through_json(network_in_json(network)))) == repr(network)


def test_settings_in_the_types_of_numpy_are_written_as_numbers() -> None:
    half: Any = np.float32(0.5)
    weights: Any = np.array([1.0, 0.5, 2.0], dtype=np.float16)
    loss = refnn.SoftmaxCrossEntropy(scale=half, class_weights=weights)
    two, three = np.array([2, 3])
    network = Network(refnn.Dense(two, three), refnn.LeakyReLU(np.float64(0.1)), loss=loss)
    described = through_json(network_in_json(network))
    assert described["layers"] == [{"kind": "dense", "inputs": 2, "outputs": 3}, {"kind": "leaky_relu", "slope": 0.1}]
    read = network_from(described)
    assert read.layers == network.layers
    assert read.loss_function == refnn.SoftmaxCrossEntropy(scale=0.5, class_weights=(1.0, 0.5, 2.0))


def test_what_is_left_out_is_as_usual() -> None:
    read = network_from({"layers": [{"kind": "elu"}], "loss": {"kind": "huber"}, "more": "is not looked at"})
    assert (read.layers, read.loss_function) == ((refnn.ELU(),), refnn.Huber())


def deep(levels: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(levels):
        nested = [nested]
    return nested


DENSE = {"kind": "dense", "inputs": 2, "outputs": 3}
ERROR = {"kind": "squared_error"}


def layer(**settings: object) -> dict[str, object]:
    return {"layers": [DENSE, settings], "loss": ERROR}


def loss(**settings: object) -> dict[str, object]:
    return {"layers": [DENSE], "loss": settings}


NO_NETWORK: dict[str, tuple[object, str]] = {
    "nothing": (None, "None is no network: it has no list of layers"),
    "a list": ([DENSE], "is no network: it has no list of layers"),
    "no layers": ({"loss": ERROR}, "it has no list of layers"),
    "layers by name": ({"layers": {"0": DENSE}, "loss": ERROR}, "it has no list of layers"),
    "layers in words": ({"layers": "dense", "loss": ERROR}, "it has no list of layers"),
    "no layer": ({"layers": [], "loss": ERROR}, "the network is none: there are no layers"),
    "no loss": ({"layers": [DENSE]}, "loss is None: it has no known kind.*Choose one of squared_error"),
    "widths": (
        {"layers": [DENSE, DENSE], "loss": ERROR},
        r"the network is none: layer 1 .* takes 2 inputs, expected 3",
    ),
    "a layer that is no object": ({"layers": [DENSE, 3], "loss": ERROR}, r"layers\[1\] is 3: it has no known kind"),
    "no kind": (layer(inputs=2), r"layers\[1\] is .*: it has no known kind\. Choose one of dense, identity"),
    "another kind": (layer(kind="ReLU"), r"layers\[1\] is .*: it has no known kind"),
    "a loss as layer": (layer(kind="huber"), r"layers\[1\] is .*: it has no known kind"),
    "a layer as loss": (loss(kind="relu"), r"loss is .*: it has no known kind"),
    "a list as kind": (layer(kind=["relu"]), r"layers\[1\] is .*: it has no known kind"),
    "an object as kind": (loss(kind={}), "loss is .*: it has no known kind"),
    "deep": (deep(100_000), "<list> is no network"),
    "a deep layer": ({"layers": deep(100_000), "loss": ERROR}, r"layers\[0\] is <list>: it has no known kind"),
    "a deep kind": (layer(kind=deep(100_000)), r"layers\[1\] is <dict>: it has no known kind"),
    "a deep setting": (layer(kind="elu", alpha=deep(100_000)), r"layers\[1\] is <dict>: alpha is <list>"),
    "unknown settings": (layer(kind="elu", slope=1, beta=2), r"layers\[1\] has beta, slope: a elu has no such setting"),
    "a width missing": (layer(kind="dense", inputs=3), r"layers\[1\] is .*: .*'outputs'"),
    "a width in words": (layer(kind="dense", inputs="3", outputs=2), r"layers\[1\] .*: inputs is '3'"),
    "true as width": (layer(kind="dense", inputs=3, outputs=True), r"layers\[1\] .*: outputs is True"),
    "half a width": (layer(kind="dense", inputs=3.0, outputs=2), r"layers\[1\] .*: inputs is 3\.0"),
    "no width": (layer(kind="dense", inputs=3, outputs=0), r"layers\[1\] .*: outputs is 0"),
    "a null": (layer(kind="elu", alpha=None), r"layers\[1\] .*: alpha is None"),
    "true as slope": (layer(kind="leaky_relu", slope=True), r"layers\[1\] .*: slope is True"),
    "nan": (layer(kind="leaky_relu", slope=math.nan), r"layers\[1\] .*: slope is nan"),
    "a huge slope": (layer(kind="leaky_relu", slope=10**400), r"layers\[1\] .*: slope is 1000"),
    "an unwritable one": (layer(kind="leaky_relu", slope=10**5000), r"layers\[1\] is <dict>: slope is <int>"),
    "a list as slope": (layer(kind="leaky_relu", slope=[1, 2]), r"layers\[1\] .*: slope is \[1, 2\]"),
    "a reduction": (loss(kind="huber", reduction="average"), "loss is .*: reduction is 'average'"),
    "a reduction of others": (loss(kind="huber", reduction="weights"), "loss is .*: reduction is 'weights'"),
    "a list as reduction": (loss(kind="huber", reduction=["mean"]), r"loss is .*: reduction is \['mean'\]"),
    "no scale": (loss(kind="huber", scale=0), "loss is .*: scale is 0"),
    "a fraction of 0": (loss(kind="huber", scale=[1, 0]), "loss is .*: Fraction"),
    "a fraction below 0": (loss(kind="huber", scale=[-1, 3]), "loss is .*: scale is"),
    "too large a fraction": (loss(kind="huber", scale=[10**400, 1]), "loss is .*: scale is"),
    "too small a fraction": (loss(kind="huber", scale=[1, 10**400]), "loss is .*: scale is"),
    "half a fraction": (loss(kind="huber", scale=[1]), "loss is .*: a fraction is a pair of whole numbers"),
    "three numbers": (loss(kind="huber", scale=[1, 2, 3]), "loss is .*: a fraction is a pair of whole numbers"),
    "true as numerator": (loss(kind="huber", scale=[True, 2]), "loss is .*: a fraction is a pair of whole numbers"),
    "a float in it": (loss(kind="huber", scale=[0.5, 2]), "loss is .*: a fraction is a pair of whole numbers"),
    "a fraction in words": (loss(kind="huber", scale=["1e9"]), "loss is .*: a fraction is a pair of whole numbers"),
    "smoothing": (loss(kind="softmax_cross_entropy", label_smoothing=2), "loss is .*: label_smoothing is 2"),
    "a weight": (loss(kind="softmax_cross_entropy", class_weights=3), "loss is .*: class_weights are 3"),
    "weights in words": (loss(kind="softmax_cross_entropy", class_weights="12"), r"loss is .*: class_weights\[0\] is"),
    "true as weight": (
        loss(kind="softmax_cross_entropy", class_weights=[1, True, 2]),
        r"loss is .*: class_weights\[1\] is True",
    ),
}


@pytest.mark.parametrize("case", NO_NETWORK)
def test_what_is_no_network_is_refused_by_its_place(case: str) -> None:
    described, said = NO_NETWORK[case]
    with pytest.raises(DataError, match=said) as refused:
        network_from(described)
    assert len(str(refused.value)) < 1000
    assert ".." not in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([*NAMES, "mean"]) | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "layers", "loss", "inputs", "outputs", "scale", "slope", "reduction"]), inner
        )
    ),
    max_leaves=12,
)


@given(described=JSON, layers=JSON, loss=JSON)
def test_whatever_is_read_is_a_network_or_refused(described: Any, layers: Any, loss: Any) -> None:
    for given_ in (described, {"layers": layers, "loss": loss}, {"layers": [layers], "loss": ERROR}):
        try:
            read = network_from(given_)
        except DataError:
            continue
        assert isinstance(read, Network)


# ------------------------------------------------------------------------------------------------------------- numbers


@given(st.lists(st.lists(st.floats(), min_size=3, max_size=3), min_size=1, max_size=5))
def test_numbers_are_read_again(rows: list[list[float]]) -> None:
    """All 64 bits of each, but for those of a NaN, which JSON cannot tell from another."""
    array = np.array(rows)
    read = numbers_from(through_json(numbers_in_json(array)))
    assert read.shape == array.shape
    assert read.dtype == np.float64
    finite = ~np.isnan(array)
    assert (np.isnan(read) == ~finite).all()
    assert read[finite].tobytes() == array[finite].tobytes()


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (np.array([1, -2], dtype=np.int64), "[1, -2]"),
        (np.array([2**63 + 1], dtype=np.uint64), "[9223372036854775809]"),
        (np.array([True, False]), "[1.0, 0.0]"),
        (np.array([0.1], dtype=np.float32), "[0.10000000149011612]"),
        (np.array([1.5, np.inf, np.nan], dtype=np.float16), '[1.5, "inf", "nan"]'),
        (np.array([[1.5], [-np.inf]], dtype=ml_dtypes.bfloat16), '[[1.5], ["-inf"]]'),
        (np.zeros((2, 0)), "[[], []]"),
        (np.array(-0.0), "-0.0"),
        (2.5, "2.5"),
        (math.inf, '"inf"'),
        (-math.nan, '"nan"'),
    ],
)
def test_numbers_as_they_are_written(values: Any, written: str) -> None:
    assert json.dumps(numbers_in_json(values), allow_nan=False) == written


def test_numbers_are_read_in_any_case_and_kind() -> None:
    read = numbers_from([["NaN", "-INF"], [1, 2.5]])
    assert read.dtype == np.float64
    assert np.isnan(read[0, 0])
    assert read[0, 1] == -np.inf
    assert read[1].tolist() == [1.0, 2.5]
    assert numbers_from(3).shape == ()
    assert numbers_from([]).shape == (0,)


NO_NUMBERS: dict[str, tuple[object, str]] = {
    "null": ([1.0, None], "x hold None: that is no number"),
    "true": ([[1.0], [True]], "x hold True: that is no number"),
    "words": ("one", "x hold 'one': that is no number"),
    "other words for infinity": (["infinity"], "x hold 'infinity': that is no number"),
    "digits": (["1.5"], r"x hold '1\.5': that is no number"),
    "an object": ([{"0": 1}], "x hold {'0': 1}: that is no number"),
    "a tuple": ((1.0, 2.0), r"x hold \(1\.0, 2\.0\): that is no number"),
    "ragged": ([[1.0], [1.0, 2.0]], "x are .*: rows of different lengths"),
    "a row and a number": ([[1.0], 2.0], "x are .*: rows of different lengths"),
    "huge": ([10**400], "x are .*whole numbers beyond float64"),
    "unwritable": ([10**5000], "x are <list>: .*whole numbers beyond float64"),
    "too many dimensions": (deep(70), "x are .*too deep"),
    "too deep": (deep(100_000), "x are <list>: .*too deep"),
}


@pytest.mark.parametrize("case", NO_NUMBERS)
def test_what_are_no_numbers_is_refused_by_name(case: str) -> None:
    described, said = NO_NUMBERS[case]
    with pytest.raises(DataError, match=said):
        numbers_from(described, "x")
    with pytest.raises(DataError, match=said.replace("x ", "the numbers ", 1)):
        numbers_from(described)


# ---------------------------------------------------------------------------------------------------------------- code


def executed(code: str) -> dict[str, Any]:
    """What the lines make, where nothing but refnn is imported."""
    names: dict[str, Any] = {"refnn": refnn}
    exec(code, names)  # noqa: S102 - that is what they are for
    return names


@pytest.mark.parametrize("network", [*map(of, LAYERS), *(of(loss=loss) for loss in LOSSES)], ids=repr)
def test_each_layer_and_loss_is_made_by_its_code(network: Network) -> None:
    code = as_code(network, np.zeros(network.size), np.ones((1, 2)), np.zeros((1, 3)))
    made = executed(code)["network"]
    assert (made.layers, made.loss_function) == (network.layers, network.loss_function)


@given(cases())
def test_the_code_of_a_case_makes_it(case: Case) -> None:
    made = executed(as_code(*case))
    assert repr(made["network"]) == repr(case.network)
    for name, values in zip("wxy", case[1:], strict=True):
        array = np.asarray(made[name]).reshape(values.shape)
        assert array.dtype == values.dtype or not values.size
        assert array.tobytes() == values.tobytes()
    made["network"].loss(made["w"], made["x"], made["y"])


def test_what_is_usual_is_not_said() -> None:
    code = as_code(of(refnn.LeakyReLU(), refnn.SquaredError(scale=1)), np.zeros(9), np.ones((1, 2)), np.zeros((1, 3)))
    assert code.splitlines() == [
        "network = refnn.Network(refnn.Dense(2, 3), refnn.LeakyReLU(), loss=refnn.SquaredError())",
        "w = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]",
        "x = [[1.0, 1.0]]",
        "y = [[0.0, 0.0, 0.0]]",
    ]


def test_numbers_that_are_not_finite_and_settings_of_numpy_are_code_too() -> None:
    quarter: Any = np.float32(0.25)
    network = of(refnn.LeakyReLU(np.float64(0.5)), refnn.Huber(scale=quarter, delta=np.float64(3)))
    values = np.array([[np.nan, np.inf, -np.inf]])
    made = executed(as_code(network, np.arange(9.0), np.ones((1, 2)), values))
    assert made["network"].layers == network.layers
    assert made["network"].loss_function == refnn.Huber(scale=0.25, delta=3)
    assert np.array_equal(made["y"], values, equal_nan=True)


def test_a_layer_of_ones_own_is_shown_as_it_is() -> None:
    code = as_code(of(Doubled()), np.zeros(9), np.ones((1, 2)), np.zeros((1, 3)))
    assert "refnn.Dense(2, 3), Doubled(inputs=None, outputs=None), loss" in code


def test_every_setting_is_covered_here() -> None:
    """Of each class there is one whose settings are all unusual, so that one that is lost would be noticed."""
    unusual = {
        (type(part), field.name)
        for part in (*LAYERS, *LOSSES)
        for field in fields(part)
        if getattr(part, field.name) != getattr(type(part)(), field.name)
    }
    kinds = [kind for kind in NAMES.values() if kind is not refnn.Dense]
    assert unusual == {(kind, field.name) for kind in kinds for field in fields(kind)}
