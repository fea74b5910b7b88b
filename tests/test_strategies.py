"""The strategies give every kind of case that they promise, nothing invalid, and small counterexamples."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import refnn
from refnn import (
    ELU,
    BinaryCrossEntropy,
    Dense,
    Huber,
    InnerProduct,
    LeakyReLU,
    Network,
    ReLU,
    SettingError,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    activations,
    losses,
)
from refnn.arrays import A
from refnn.testing import (
    Case,
    batch_sizes,
    batches,
    cases,
    extreme_values,
    networks,
    ordinary_values,
    parameters,
)

T = TypeVar("T")
EXTREME = extreme_values()

# What is drawn often enough is a matter of chance, so chance is the same in every run; and nothing is shrunk.
ALWAYS = settings(phases=[Phase.generate], database=None, derandomize=True)


def exists(strategy: SearchStrategy[T], condition: Callable[[T], Any]) -> T:
    """An example for which the condition holds, not shrunk; an error if there is none among a thousand."""
    return find(strategy, condition, settings=settings(ALWAYS, max_examples=1000))


def smallest(strategy: SearchStrategy[T], condition: Callable[[T], Any]) -> T:
    """What Hypothesis shrinks to, anew each time; it need not explain what else it could be, which takes far longer."""
    phases = [Phase.generate, Phase.shrink]
    return find(strategy, condition, settings=settings(max_examples=2000, phases=phases, database=None))


def sample(strategy: SearchStrategy[T], size: int = 100) -> list[T]:
    """So many examples."""
    drawn: list[T] = []

    @settings(ALWAYS, max_examples=size)
    @given(strategy)
    def collect(example: T) -> None:
        drawn.append(example)

    collect()
    return drawn


def widths(network: Network) -> list[int]:
    """The widths of a network from its inputs to its outputs."""
    dense = [layer for layer in network.layers if isinstance(layer, Dense)]
    return [dense[0].inputs, *(layer.outputs for layer in dense)] if dense else []


def pre_activations(case: Case) -> list[Any]:
    """The inputs of all activations."""
    network, w, x, _ = case
    h = network.forward(network.parameters(w), x)
    return [z for layer, z in zip(network.layers, h, strict=False) if isinstance(layer, activations.Activation)]


# ---------------------------------------------------------------------------------------------------------- validity


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kinks", [False, True])
@given(data=st.data())
def test_every_case_is_valid(data: st.DataObject, dtype: type[np.floating[Any]], kinks: bool) -> None:
    extreme = data.draw(st.booleans())
    values = extreme_values(dtype=dtype) if extreme else None
    network, w, x, y = data.draw(cases(parameter_values=values, kinks=kinks and not extreme, dtype=dtype))
    loss, gradient = network.loss_and_gradient(w, x, y)
    assert np.isfinite(loss)
    assert gradient.dtype == w.dtype == x.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("loss", losses.ALL)
@given(data=st.data())
def test_the_largest_values_do_not_overflow(
    data: st.DataObject, loss: type[losses.Loss], dtype: type[np.floating[Any]]
) -> None:
    # Everything as large as it gets, and of one sign, so that no sum cancels: the widest network of the default widths.
    network = Network(
        Dense(11, 9), LeakyReLU(), Dense(9, 7), LeakyReLU(), Dense(7, 6), loss=loss(reduction="sum", scale=2)
    )
    top = 1e8 if dtype is np.float64 else 1e3
    x, y = data.draw(batches(network, samples=15, values=st.just(top), dtype=dtype))
    network.loss_and_gradient(np.full(network.size, top, dtype=dtype), x, y)


@given(cases(), ordinary_values(), EXTREME)
def test_dimensions_are_pairwise_distinct(case: Case, ordinary: float, extreme: float) -> None:
    network, w, x, y = case
    dimensions = [len(x), *widths(network)]
    assert len(set(dimensions)) == len(dimensions)
    assert len(x) == 1 or len(x).bit_count() > 1  # no power of two
    assert w.shape == (network.size,)
    assert len(y) == len(x)
    assert -2 <= ordinary <= 2
    assert abs(extreme) <= 1e8


def test_they_are_often_distinct_primes_and_one_occurs() -> None:
    primes = {2, 3, 5, 7, 11}
    drawn = [widths(network) for network in sample(networks())]
    assert sum(set(dimensions) <= primes for dimensions in drawn) > 30  # every other one at the least, in the long run
    assert sum(1 in dimensions for dimensions in drawn) > 3
    exists(cases(), lambda case: len(case.x) == 1)


# -------------------------------------------------------------------------------------------- each kind is produced


def test_every_activation_loss_reduction_and_depth_is_drawn() -> None:
    drawn = sample(networks(), 400)
    kinds = Counter(type(layer) for network in drawn for layer in network.layers)
    assert set(kinds) == {Dense, *activations.ALL}
    assert {type(network.loss_function) for network in drawn} == set(losses.ALL)
    reductions = {(type(network.loss_function), network.loss_function.reduction) for network in drawn}
    assert reductions == {(kind, reduction) for kind in losses.ALL for reduction in kind().reductions()}
    assert {len(widths(network)) - 1 for network in drawn} == {1, 2, 3}
    assert {isinstance(network.layers[-1], Dense) for network in drawn} == {True, False}


def loss_of(case: Case, kind: type[losses.Loss]) -> Any:
    loss = case.network.loss_function
    return loss if isinstance(loss, kind) else None


SETTINGS: dict[str, Callable[[Network], Any]] = {
    "leaky slope": lambda n: any(isinstance(f, LeakyReLU) and f.slope != LeakyReLU().slope for f in n.layers),
    "elu alpha": lambda n: any(isinstance(f, ELU) and f.alpha != 1 for f in n.layers),
    "huber delta": lambda n: isinstance(n.loss_function, Huber) and n.loss_function.delta != 1,
    "scale": lambda n: n.loss_function.scale != 1,
    "smoothing": lambda n: isinstance(n.loss_function, SoftmaxCrossEntropy) and n.loss_function.label_smoothing,
    "weights": lambda n: isinstance(n.loss_function, SoftmaxCrossEntropy) and n.loss_function.class_weights,
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_vary(setting: str) -> None:
    exists(networks(), SETTINGS[setting])


SOFTMAX = cases(networks(losses=[SoftmaxCrossEntropy]))
ONE_OUTPUT = cases(networks(outputs=1, losses=[SquaredError, Huber, BinaryCrossEntropy, InnerProduct]))
BINARY = cases(networks(losses=[BinaryCrossEntropy]))
SHALLOW = networks(depth=1, activations=[ReLU])
TINY = cases(SHALLOW, parameter_values=EXTREME, batch_values=EXTREME)


def cancels(case: Case) -> bool:
    """Whether a weighted sum is a millionth of its terms, and not 0."""
    p = case.network.unpack(case.w)
    z, size = case.x @ p["0.weight"] + p["0.bias"], abs(case.x) @ abs(p["0.weight"]) + abs(p["0.bias"])
    return bool(np.any((z != 0) & (abs(z) < 1e-6 * size)))


def repeats(case: Case) -> bool:
    return len(np.unique(case.x, axis=0)) < len(case.x) and bool(case.x.any())


KINDS: dict[str, tuple[SearchStrategy[Case], Callable[[Case], Any]]] = {
    "classes": (SOFTMAX, lambda case: case.y.ndim == 1 and case.y.dtype == np.int64 and case.y.any()),
    "probability rows": (SOFTMAX, lambda case: case.y.ndim == 2 and ((case.y > 0) & (case.y < 1)).any()),
    "one-hot rows": (
        SOFTMAX,
        lambda case: case.y.ndim == 2 and case.y.shape[1] > 1 and (case.y.max(axis=1) == 1).any(),
    ),
    "labels": (BINARY, lambda case: {0.0, 1.0} <= set(case.y.ravel())),
    "real rows": (cases(networks(losses=[SquaredError])), lambda case: case.y.ndim == 2 and case.y.shape[1] > 1),
    "a column": (ONE_OUTPUT, lambda case: case.y.shape == (len(case.x), 1)),
    "a vector": (ONE_OUTPUT, lambda case: case.y.shape == (len(case.x),)),
    "a sample of zeros": (TINY, lambda case: not case.x.any(axis=1).all() and case.w.any()),
    "a dead input": (TINY, lambda case: not case.x.any(axis=0).all() and case.x.any()),
    "zero parameters": (TINY, lambda case: 0 < np.count_nonzero(case.w == 0) < case.w.size),
    "repeated samples": (TINY, repeats),
    "repeats with other targets": (
        cases(networks(depth=1, losses=[SquaredError])),
        lambda case: repeats(case) and len(np.unique(np.column_stack([case.x, case.y]), axis=0)) == len(case.x),
    ),
    "large": (TINY, lambda case: abs(case.x).max() >= 1e7),
    "tiny": (TINY, lambda case: (abs(case.x[case.x != 0]) < 1e-100).any()),
    "saturation": (TINY, lambda case: any((abs(z) > 40).any() for z in pre_activations(case))),
    "cancellation": (TINY, cancels),
    "ordinary": (cases(), lambda case: abs(case.x).max() <= 2 and case.x.any()),
    "extreme by default": (cases(), lambda case: abs(case.x).max() > 2),
    "float32 tiny": (
        cases(SHALLOW, batch_values=extreme_values(dtype=np.float32), dtype=np.float32),
        lambda case: case.x.dtype == np.float32 and (abs(case.x[case.x != 0]) < 1e-10).any(),
    ),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_case_is_drawn(kind: str) -> None:
    strategy, condition = KINDS[kind]
    exists(strategy, condition)


def test_what_is_never_drawn_is_not_found() -> None:
    with pytest.raises(Exception, match="No examples found"):
        exists(ordinary_values(), lambda v: abs(v) > 2)


@given(cases(networks(depth=st.integers(1, 2), activations=[ReLU]).filter(lambda n: len(n.layers) > 1), kinks=True))
def test_kinks_put_a_unit_exactly_on_its_kink(case: Case) -> None:
    assert (pre_activations(case)[0] == 0).any()
    assert set(case.w) | set(case.x.ravel()) <= set(range(-3, 4))


def test_without_kinks_a_unit_is_rarely_on_it() -> None:
    drawn = sample(cases(networks(depth=2, activations=[ReLU]), batch_values=st.sampled_from((0.3, 0.7, -1.1))))
    assert sum((pre_activations(case)[0] == 0).any() for case in drawn) < 50


def test_kinks_of_a_network_without_parameters() -> None:
    w = find(parameters(Network(ReLU(), loss=SquaredError()), kinks=True), lambda w: True)
    assert w.shape == (0,)


# ------------------------------------------------------------------------------------------------ shrinking


def test_a_network_shrinks_to_one_small_layer() -> None:
    network = smallest(networks(losses=[SquaredError]), lambda network: True)
    assert network.layers == (Dense(1, 2),)
    assert network.loss_function == SquaredError()


def test_a_case_shrinks_to_the_one_number_that_matters() -> None:
    case = smallest(
        cases(networks(depth=1, losses=[SquaredError])), lambda case: case.network.predict(case.w, case.x).any()
    )
    assert case.x.size <= 3
    assert np.count_nonzero(case.w) + np.count_nonzero(case.x) + np.count_nonzero(case.y) <= 2
    assert set(abs(case.w)) | set(abs(case.x.ravel())) <= {0, 1}


# --------------------------------------------------------------------------------------------- restrictions


@dataclass(frozen=True)
class Scaled:
    """A user's own layer: a dense layer, doubled."""

    inputs: int
    outputs: int

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.inputs, self.outputs)}

    def forward(self, parameters: tuple[A, ...], x: A) -> A:
        return 2 * (x @ parameters[0])

    def backward(self, parameters: tuple[A, ...], x: A, delta: A) -> A:
        return 2 * (delta @ parameters[0].T)

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        return (2 * (x.T @ delta),)


RESTRICTED = networks(
    depth=2,
    widths=(4, 6),
    activations=[LeakyReLU(0.5), Tanh],
    losses=[Huber(delta=3), InnerProduct],
    inputs=8,
    outputs=3,
)


@given(cases(RESTRICTED, samples=5, parameter_values=st.just(7.0), batch_values=st.just(0.25)))
def test_restrictions_are_honoured(case: Case) -> None:
    network, w, x, y = case
    assert widths(network)[::2] == [8, 3]
    assert widths(network)[1] in {4, 6}
    assert network.layers[1] in {LeakyReLU(0.5), Tanh()}
    loss = network.loss_function
    assert loss == Huber(delta=3) or isinstance(loss, InnerProduct)
    assert x.shape == (5, 8)
    assert set(w) == {7.0}
    assert set(x.ravel()) | set(y.ravel()) == {0.25}


@given(cases(networks(depth=1, layers=[Scaled]), samples=st.just(9), kinks=True))
def test_layers_of_ones_own(case: Case) -> None:
    assert isinstance(case.network.layers[0], Scaled)
    assert len(case.x) == 9
    case.network.loss_and_gradient(*case[1:])


@given(cases(networks(depth=0)))
def test_without_affine_layers_there_are_no_parameters(case: Case) -> None:
    assert len(case.network.layers) == 1
    assert case.w.shape == (0,)
    case.network.loss_and_gradient(*case[1:])


@given(st.data())
def test_a_given_network_is_taken(data: st.DataObject) -> None:
    network = Network(Dense(2, 3), loss=SquaredError())
    assert data.draw(cases(network)).network is network


def test_too_few_widths_are_refused() -> None:
    with pytest.raises(SettingError, match=r"2 widths \[2, 3\] remain for 3 places"):
        find(networks(depth=2, widths=(2, 3)), lambda network: True)


@pytest.mark.parametrize("samples", range(1, 16))
def test_batch_sizes_do_not_divide_and_are_no_powers_of_two_if_that_can_be(samples: int) -> None:
    sizes = set(sample(batch_sizes(samples), 60))
    uneven = {n for n in range(1, samples) if samples % n}
    assert sizes == ({n for n in uneven if n.bit_count() > 1} or uneven or {samples})


@pytest.mark.parametrize(("dtype", "largest"), [(np.float64, 1e8), (np.float32, 1e3)])
def test_the_largest_value_suits_the_format(dtype: type[np.floating[Any]], largest: float) -> None:
    assert max(sample(extreme_values(dtype=dtype), 300)) == largest


def test_the_largest_value_can_be_set() -> None:
    assert {abs(v) for v in sample(extreme_values(largest=3.0), 300)} >= {0.0, 1.0, 3.0}
    assert max(sample(extreme_values(largest=3.0), 300)) == 3


def test_without_hypothesis_the_error_names_the_extra() -> None:
    program = "import sys; sys.modules['hypothesis'] = None\nimport refnn.testing"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603
    assert "MissingExtraError: hypothesis is not installed: refnn.testing needs it." in run.stderr
    assert "pip install hypothesis" in run.stderr
    assert refnn.MissingExtraError.__mro__.index(ImportError) > 0


def test_the_last_layer_may_be_affine_always() -> None:
    assert all(isinstance(network.layers[-1], Dense) for network in sample(networks(last=st.just(False))))
    assert not any(isinstance(network.layers[-1], Dense) for network in sample(networks(last=st.just(True))))
