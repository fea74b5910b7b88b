"""Whatever is passed where something else is meant, only refnn's own errors escape, each with its three parts."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from refnn import activations, losses
from refnn.activations import ELU, Identity, LeakyReLU, ReLU, Tanh
from refnn.arithmetic.complex import ComplexArray
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.descent import FullBatch, MiniBatch, SingleSample, descend
from refnn.errors import RefnnError
from refnn.layers import Dense
from refnn.losses import BinaryCrossEntropy, Huber, InnerProduct, SoftmaxCrossEntropy, SquaredError
from refnn.network import Network
from refnn.training import fit

# --------------------------------------------------------------------------------------------------------- the garbage


class Hostile:
    """Fails whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise RuntimeError("no array")

    def __len__(self) -> int:
        raise OSError("no length")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


DTYPES = ["f8", "f4", "f2", "g", "?", "i1", "u8", "i8", "c16", "U3", "S2", "M8[s]", "m8[s]", "O", ">f8", ">f4"]
SHAPES = [(), (0,), (1,), (3,), (13,), (26,), (5, 3), (5, 2), (5, 1), (3, 5), (0, 3), (5, 0), (2, 3, 4), (1, 1, 1, 1)]


def arrays() -> st.SearchStrategy[Any]:
    """Arrays of any kind in shapes that nearly, or really, fit."""
    return st.one_of(
        st.builds(
            lambda dtype, shape, fill: (
                np.full(shape, fill).astype(dtype) if dtype not in ("U3", "S2") else np.full(shape, "a", dtype)
            ),
            st.sampled_from([d for d in DTYPES if d not in ("M8[s]", "m8[s]")]),
            st.sampled_from(SHAPES),
            st.sampled_from([0, 1, 2]),
        ),
        st.builds(lambda dtype, shape: np.zeros(shape, dtype), st.sampled_from(DTYPES), st.sampled_from(SHAPES)),
        st.builds(
            lambda shape, value: np.full(shape, value),
            st.sampled_from(SHAPES),
            st.sampled_from([np.nan, np.inf, -np.inf, 1e308, -1e-320, 0.5, -1.0]),
        ),
        npst.arrays(npst.floating_dtypes(endianness="=", sizes=(32, 64)), npst.array_shapes(max_dims=3, max_side=6)),
        st.just(np.zeros(3, [("a", "f8")])),
        st.just(np.ma.masked_array([1.0, 2.0, 3.0], mask=[False, True, False])),
    )


BIG = 10**5000
"""A number of more digits than Python converts to a string."""

UNSHOWN: list[Any] = [BIG, -BIG, Fraction(BIG), Fraction(1, BIG), [BIG], {BIG: BIG}, Hostile(), [Hostile()]]
"""What has no `repr`: Hypothesis could not show it, so every piece is tried in every place."""

OBJECTS: list[Any] = [
    None, True, 10**400, Decimal("sNaN"), Decimal(1), dt.date(2020, 1, 1), np.datetime64("NaT"), np.timedelta64("NaT"),
    np.timedelta64(3), np.float16(1), np.longdouble(2), np.str_("a"), b"x", "", "mean", {}, {"a": 1}, set(), {1, 2},
    range(3), [], (), [[]], [[1], [1, 2]], [1, [2]], [None], ["a"], [10**400], [1j], object(), float,
    Dense, Tanh, Tanh(), SquaredError, SquaredError(), FullBatch, FullBatch(), np.random.default_rng(0), len, ...,
    Network(Identity(), loss=SquaredError()), slice(3), memoryview(b"ab"), DualArray(np.ones(2), np.ones(2)),
    ComplexArray(np.ones((5, 3), complex)), RoundedArray.exact(np.ones(26)),
]  # fmt: skip
"""Objects that are no arrays, or hardly; some cannot be compared or hashed."""


def deep(depth: int) -> Any:
    nested: Any = 1.0
    for _ in range(depth):
        nested = [nested]
    return nested


def garbage() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.integers(0, len(OBJECTS) - 1).map(OBJECTS.__getitem__),
        arrays(),
        st.integers(),
        st.floats(),
        st.complex_numbers(),
        st.text(max_size=3),
        st.sampled_from([2, 33, 65, 200]).map(deep),
        st.recursive(st.floats() | st.integers(), lambda inner: st.lists(inner, max_size=3), max_leaves=6),
        st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    )


def uncalled() -> st.SearchStrategy[Any]:
    """Garbage where a function may be passed: what a function of the caller's raises is the caller's."""
    return garbage().filter(lambda value: not callable(value))


def only_refnn_errors(call: Callable[[], Any]) -> RefnnError | None:
    """The error of a call, after a look at its parts; what escapes otherwise fails the test."""
    try:
        call()
    except RefnnError as error:
        caught = error
    else:
        return None
    for part in (caught.given, caught.why, caught.remedy):
        assert part.strip() == part != ""
        assert not part.endswith(".")
        assert "\n" not in part
    assert str(caught) == f"{caught.given}: {caught.why}. {caught.remedy}."
    return caught


class Unexpected(Exception):  # noqa: N818 - a stand-in for what must not escape
    pass


def test_the_check_can_fail() -> None:
    def escapes() -> None:
        raise Unexpected

    with pytest.raises(Unexpected):
        only_refnn_errors(escapes)

    def without_remedy() -> None:
        raise RefnnError("given", "why", "")

    with pytest.raises(AssertionError):
        only_refnn_errors(without_remedy)


# ------------------------------------------------------------------------------------------------------- the functions

NETWORKS = [
    Network(Dense(3, 4), Tanh(), Dense(4, 2), loss=SquaredError()),
    Network(Dense(3, 5), ReLU(), Dense(5, 1), loss=BinaryCrossEntropy()),
    Network(Dense(3, 5), loss=SoftmaxCrossEntropy(label_smoothing=0.1)),
    Network(Dense(1, 1), loss=Huber(delta=0.5)),
    Network(Dense(3, 2), loss=SoftmaxCrossEntropy(class_weights=(0, 1), reduction="weights")),
    Network(Identity(), loss=InnerProduct()),
]
every_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda n: type(n.loss_function).__name__)


def fitting(network: Network) -> dict[str, Any]:
    """Arguments as they should be."""
    random = np.random.default_rng(61)
    outputs = network.outputs or 3
    y: Any = np.eye(outputs)[random.integers(outputs, size=5)]
    if isinstance(network.loss_function, SoftmaxCrossEntropy):
        y = np.array([0, 1, 1, 0, 1])
    return {"w": np.ones(network.size), "x": random.normal(0, 1, (5, network.inputs or 3)), "y": y}


@every_network
@given(data=st.data())
def test_data(network: Network, data: st.DataObject) -> None:
    arguments = fitting(network)
    wrong = data.draw(st.sets(st.sampled_from(["w", "x", "y"]), min_size=1))
    arguments |= {name: data.draw(garbage(), label=name) for name in sorted(wrong)}
    w, x, y = arguments.values()
    only_refnn_errors(lambda: network.predict(w, x))
    only_refnn_errors(lambda: network.loss(w, x, y))
    only_refnn_errors(lambda: network.loss_and_gradient(w, x, y))
    only_refnn_errors(lambda: network.evaluate(w, x, y))


@every_network
@pytest.mark.parametrize("position", ["w", "x", "y"])
def test_every_piece_of_garbage_in_every_place(network: Network, position: str) -> None:
    pieces = [np.zeros(shape, dtype) for dtype in DTYPES for shape in SHAPES]
    for piece in pieces:
        arguments = {**fitting(network), position: piece}
        only_refnn_errors(lambda a=arguments: network.evaluate(**a))  # type: ignore[misc]


@given(data=st.data())
def test_vectors_of_parameters(data: st.DataObject) -> None:
    network = NETWORKS[0]
    only_refnn_errors(lambda: network.unpack(data.draw(garbage())))
    only_refnn_errors(lambda: network.pack(data.draw(garbage())))
    names = list(network.names())
    parameters: dict[Any, Any] = {**network.unpack(np.ones(26))}
    parameters[data.draw(st.sampled_from(names))] = data.draw(garbage())
    only_refnn_errors(lambda: network.pack(parameters))
    unknown = data.draw(st.one_of(st.text(max_size=2), st.integers(), st.none(), st.floats()))
    assert only_refnn_errors(lambda: network.pack(parameters | {unknown: np.ones(1)})) is not None


@given(rng=garbage(), dtype=garbage(), initializer=uncalled())
def test_initial_parameters(rng: Any, dtype: Any, initializer: Any) -> None:
    network = NETWORKS[0]
    only_refnn_errors(lambda: network.initial_parameters(rng=rng))
    only_refnn_errors(lambda: network.initial_parameters(rng=0, dtype=dtype))
    assert only_refnn_errors(lambda: network.initial_parameters(rng=0, initializer=initializer)) is not None


@given(drawn=garbage())
def test_what_an_initializer_draws(drawn: Any) -> None:
    only_refnn_errors(lambda: NETWORKS[0].initial_parameters(rng=0, initializer=lambda shape, rng: drawn))


@given(layers=st.lists(garbage(), max_size=2), loss=garbage())
def test_networks(layers: list[Any], loss: Any) -> None:
    only_refnn_errors(lambda: Network(*layers, loss=SquaredError()))
    only_refnn_errors(lambda: Network(Dense(3, 4), *layers, loss=loss))


@given(first=garbage(), second=garbage())
def test_layers_and_activations(first: Any, second: Any) -> None:
    only_refnn_errors(lambda: Dense(first, second))
    only_refnn_errors(lambda: Dense(3, second))
    only_refnn_errors(lambda: LeakyReLU(first))
    only_refnn_errors(lambda: ELU(first))


@pytest.mark.parametrize("kind", losses.ALL)
@given(value=garbage())
def test_losses(kind: Any, value: Any) -> None:
    only_refnn_errors(lambda: kind(reduction=value))
    only_refnn_errors(lambda: kind(scale=value))


@given(value=garbage(), rest=st.lists(garbage(), max_size=2))
def test_settings_of_losses(value: Any, rest: list[Any]) -> None:
    only_refnn_errors(lambda: Huber(delta=value))
    only_refnn_errors(lambda: SoftmaxCrossEntropy(label_smoothing=value))
    only_refnn_errors(lambda: SoftmaxCrossEntropy(class_weights=value))
    only_refnn_errors(lambda: SoftmaxCrossEntropy(class_weights=(value, *rest)))


@given(
    scale=st.one_of(st.floats(5e-324, 1e308), st.fractions(min_value=Fraction(1, 10**300))),
    value=st.floats(allow_nan=False, allow_infinity=False),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_settings_that_are_taken_give_finite_results_or_a_refnn_error(scale: Any, value: float, dtype: Any) -> None:
    x, y = np.ones((5, 3), dtype), np.zeros((5, 3), dtype)
    for layer in (LeakyReLU(value), ELU(value)):
        network = Network(layer, loss=SquaredError(scale=scale))

        def evaluate(network: Network = network) -> None:
            e = network.evaluate(np.zeros(0, dtype), -x, y)
            assert math.isfinite(e.loss)
            assert np.isfinite(e.outputs).all()
            assert np.isfinite(e.input_gradient).all()

        only_refnn_errors(evaluate)


@given(
    w=npst.arrays(np.float64, 26, elements=st.floats(allow_nan=False, allow_infinity=False)),
    x=npst.arrays(np.float64, (5, 3), elements=st.floats(allow_nan=False, allow_infinity=False)),
    activation=st.sampled_from(activations.ALL),
    loss=st.sampled_from([SquaredError(), Huber(), BinaryCrossEntropy(), SoftmaxCrossEntropy(), InnerProduct()]),
)
def test_finite_numbers_give_finite_results_or_a_divergence(w: Any, x: Any, activation: Any, loss: Any) -> None:
    network = Network(Dense(3, 4), activation(), Dense(4, 2), loss=loss)
    y = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])

    def evaluate() -> None:
        e = network.evaluate(w, x, y)
        assert math.isfinite(e.loss)
        for result in (e.outputs, e.gradient, e.input_gradient):
            assert np.isfinite(result).all()

    only_refnn_errors(evaluate)


@given(size=garbage())
def test_sizes_of_batches(size: Any) -> None:
    only_refnn_errors(lambda: MiniBatch(size))


TRAINING: dict[str, Any] = {
    **fitting(NETWORKS[0]),
    "network": NETWORKS[0],
    "batches": FullBatch(),
    "learning_rate": 0.1,
    "epochs": 1,
    "rule": None,
    "rng": 0,
}


@given(data=st.data())
def test_descend(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(TRAINING)))
    wrong = data.draw(uncalled() if name == "learning_rate" else garbage(), label=name)
    shuffled = data.draw(st.sampled_from([FullBatch(), SingleSample(), MiniBatch(2)]))
    arguments = {**TRAINING, "batches": shuffled, name: wrong}
    only_refnn_errors(lambda: next(descend(**arguments), None))


@given(data=st.data())
def test_fit(data: st.DataObject) -> None:
    more = {**TRAINING, "stop_below": None, "patience": None, "progress": None}
    name = data.draw(st.sampled_from(sorted(more.keys() - {"epochs"})))
    wrong = data.draw(uncalled() if name in ("learning_rate", "progress") else garbage(), label=name)
    only_refnn_errors(lambda: fit(**{**more, name: wrong}))


@given(rate=garbage())
def test_what_a_schedule_gives(rate: Any) -> None:
    only_refnn_errors(lambda: list(descend(**{**TRAINING, "learning_rate": lambda k: rate})))


@given(indices=garbage())
def test_what_batches_give(indices: Any) -> None:
    class Strange:
        shuffles = False

        def epoch(self, samples: int, rng: Any) -> Any:
            yield indices

    only_refnn_errors(lambda: list(descend(**{**TRAINING, "batches": Strange()})))


@pytest.mark.parametrize("value", UNSHOWN, ids=range(len(UNSHOWN)))
def test_what_has_no_repr(value: Any) -> None:
    settings: list[Callable[[], Any]] = [
        lambda: Dense(value, 2), lambda: LeakyReLU(value), lambda: ELU(value), lambda: SquaredError(scale=value),
        lambda: SquaredError(reduction=value), lambda: Huber(delta=value), lambda: MiniBatch(value),
        lambda: SoftmaxCrossEntropy(label_smoothing=value), lambda: SoftmaxCrossEntropy(class_weights=value),
        lambda: SoftmaxCrossEntropy(class_weights=(value, 1)), lambda: Network(value, loss=SquaredError()),
        lambda: Network(Tanh(), loss=value), lambda: NETWORKS[0].pack(value), lambda: NETWORKS[0].unpack(value),
        lambda: NETWORKS[0].initial_parameters(rng=value), lambda: NETWORKS[0].initial_parameters(rng=0, dtype=value),
        lambda: NETWORKS[0].initial_parameters(rng=0, initializer=value),
    ]  # fmt: skip
    for call in settings:
        only_refnn_errors(call)
    for network in NETWORKS:
        for name in ("w", "x", "y"):
            arguments = {**fitting(network), name: value}
            only_refnn_errors(lambda a=arguments, n=network: n.evaluate(**a))  # type: ignore[misc]
    for name in TRAINING:
        only_refnn_errors(lambda n=name: next(descend(**{**TRAINING, n: value})))  # type: ignore[misc]
    for name in ("stop_below", "patience", "progress"):
        only_refnn_errors(lambda n=name: fit(**{**TRAINING, n: value}))  # type: ignore[misc]
    only_refnn_errors(lambda: next(descend(**{**TRAINING, "learning_rate": lambda k: value})))
