"""The network as a function of one vector: by hand, its vector of parameters, and what is refused in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import activations, losses
from refnn.activations import Identity, LeakyReLU, ReLU, Sigmoid, Tanh
from refnn.arithmetic.complex import ComplexArray
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.rounded import RoundedArray
from refnn.arrays import A, FloatArray, column_sums, row_sums
from refnn.errors import DivergenceError, DTypeError, NonFiniteError, RefnnError, SettingError, ShapeError
from refnn.layers import Dense, he, zeros
from refnn.losses import BinaryCrossEntropy, Huber, InnerProduct, SoftmaxCrossEntropy, SquaredError
from refnn.network import Evaluation, Network
from tests.rational import Rational


def small() -> Network:
    """3-4-2: pairwise different widths."""
    return Network(Dense(3, 4), Tanh(), Dense(4, 2), loss=SquaredError())


def batch(samples: int = 5) -> tuple[FloatArray, FloatArray, FloatArray]:
    random = np.random.default_rng(53)
    return random.normal(0, 1, 26), random.normal(0, 1, (samples, 3)), random.normal(0, 1, (samples, 2))


# ------------------------------------------------------------------------------------------------ by pencil and paper


def test_a_neuron_by_hand() -> None:
    network = Network(Dense(2, 1), ReLU(), loss=SquaredError())
    # z = 2·½ + 4·¼ + 1 = 3; L = ½ (3 − 1)² = 2; δ = 2; ∂L/∂w = (4, 8), ∂L/∂b = 2, ∂L/∂x = (1, ½)
    e = network.evaluate([0.5, 0.25, 1.0], [[2.0, 4.0]], [[1.0]])
    assert e.outputs.tolist() == [[3]]
    assert e.loss == 2
    assert e.gradient.tolist() == [4, 8, 2]
    assert e.input_gradient.tolist() == [[1, 0.5]]


def test_two_layers_by_hand_in_fractions() -> None:
    network = Network(Dense(1, 2), ReLU(), Dense(2, 1), loss=SquaredError())
    third = Fraction(1, 3)
    w = Rational(np.array([third, -2, Fraction(1, 2), 1, 3, Fraction(-1, 4), 2], object))
    # x = 2: z = (2/3 + ½, −4 + 1) = (7/6, −3), h = (7/6, 0), out = 3·7/6 + 2 = 11/2; y = 5: L = ½·¼ = 1/8, δ = ½
    # x = −1: z = (−1/3 + ½, 2 + 1) = (1/6, 3), h the same, out = ½ − ¾ + 2 = 7/4; y = 2: L = ½·1/16 = 1/32, δ = −¼
    e = network.evaluate(w, [[2.0], [-1.0]], [[5.0], [2.0]])
    assert e.outputs.elements.tolist() == [[Fraction(11, 2)], [Fraction(7, 4)]]
    assert e.loss.elements == Fraction(5, 64)  # the mean of 1/8 and 1/32
    assert e.gradient.elements.tolist() == [
        # ½·3 = 3/2 and −¼·3 = −¾ reach the first unit, 0 (its kink) and −¼·(−¼) = 1/16 the second; then the mean
        (Fraction(3, 2) * 2 + Fraction(-3, 4) * -1) / 2,
        (0 * 2 + Fraction(1, 16) * -1) / 2,
        (Fraction(3, 2) - Fraction(3, 4)) / 2,
        Fraction(1, 32),
        (Fraction(1, 2) * Fraction(7, 6) - Fraction(1, 4) * Fraction(1, 6)) / 2,
        Fraction(-1, 4) * 3 / 2,
        (Fraction(1, 2) - Fraction(1, 4)) / 2,
    ]
    assert e.input_gradient.elements.tolist() == [
        [Fraction(3, 2) * third / 2],
        [(Fraction(-3, 4) * third + Fraction(1, 16) * -2) / 2],
    ]


def test_the_logistic_function_by_hand() -> None:
    network = Network(Dense(1, 1), Sigmoid(), loss=SquaredError())
    # σ(0) = ½: L = ½ (½ − 1)² = 1/8, δ = −½ · ½ · ½ = −1/8
    e = network.evaluate([0.0, 0.0], [[3.0]], [[1.0]])
    assert (e.outputs.tolist(), e.loss, e.gradient.tolist()) == ([[0.5]], 0.125, [-0.375, -0.125])
    # σ(log 3) = ¾: L = ½ (¾ − 1)² = 1/32, δ = −¼ · ¾ · ¼ = −3/64; log 3 is rounded, so it is within the bounds only
    log_3 = RoundedArray(np.log([[3.0]]), np.full((1, 1), 2.0**-52))
    bound = network.evaluate(RoundedArray.exact(np.array([1.0, 0.0])), log_3, [[1.0]])
    for computed, true in [
        (bound.outputs, Fraction(3, 4)),
        (bound.loss, Fraction(1, 32)),
        (bound.gradient, Fraction(-3, 64)),
    ]:
        last, error = float(computed.value.ravel()[-1]), float(computed.error.ravel()[-1])
        assert abs(Fraction(last) - true) <= Fraction(error)
        assert error < 1e-14


def test_softmax_by_hand() -> None:
    # logits (0, log 2, log 5) have the probabilities (1/8, 2/8, 5/8); of class 1 the gradient is (1/8, −6/8, 5/8)
    network = Network(Dense(1, 3), loss=SoftmaxCrossEntropy())
    logits = np.log([1.0, 2.0, 5.0])
    w = RoundedArray(np.concatenate([np.zeros(3), logits]), np.concatenate([np.zeros(3), 2.0**-52 * logits]))
    gradient = network.loss_and_gradient(w, [[4.0]], [1])[1]
    eighths = [4, -24, 20, 1, -6, 5]
    for k, true in enumerate(eighths):
        assert abs(Fraction(float(gradient.value[k])) - Fraction(true, 8)) <= Fraction(float(gradient.error[k]))
        assert gradient.error[k] < 1e-14


# -------------------------------------------------------------------------------------------- the vector of parameters


def test_names_and_places() -> None:
    network = small()
    assert network.names() == {"0.weight": (3, 4), "0.bias": (4,), "2.weight": (4, 2), "2.bias": (2,)}
    assert list(network.names()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert network.size == 12 + 4 + 8 + 2
    w = np.arange(26.0)
    named = network.unpack(w)
    assert named["0.weight"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert named["0.bias"].tolist() == [12, 13, 14, 15]
    assert named["2.weight"].tolist() == [[16, 17], [18, 19], [20, 21], [22, 23]]
    assert named["2.bias"].tolist() == [24, 25]


def test_unpacked_parameters_are_views() -> None:
    w = np.zeros(26)
    small().unpack(w)["2.weight"][1, 0] = 5
    assert w[18] == 5


@given(widths=st.lists(st.integers(1, 5), min_size=2, max_size=4), seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_pack_is_the_inverse_of_unpack(dtype: Any, widths: list[int], seed: int) -> None:
    network = Network(*(Dense(a, b) for a, b in pairwise(widths)), loss=SquaredError())
    w = np.random.default_rng(seed).normal(0, 1, network.size).astype(dtype)
    packed = network.pack(network.unpack(w))
    assert packed.dtype == dtype
    assert packed.tolist() == w.tolist()
    assert not np.shares_memory(packed, w)
    assert {k: v.tolist() for k, v in network.unpack(packed).items()} == {
        k: v.tolist() for k, v in network.unpack(w).items()
    }


def test_pack_takes_any_order_lists_and_integers() -> None:
    network = Network(Dense(1, 2), loss=SquaredError())
    packed = network.pack({"0.bias": np.array([3, 4]), "0.weight": [[1.0, 2.0]]})
    assert packed.tolist() == [1, 2, 3, 4]
    assert packed.dtype == np.float64


def test_parameters_of_two_precisions_pack_as_the_wider() -> None:
    network = Network(Dense(1, 1), loss=SquaredError())
    assert network.pack({"0.weight": np.ones((1, 1), np.float32), "0.bias": np.ones(1)}).dtype == np.float64


@pytest.mark.parametrize("arithmetic", [Rational.of, RoundedArray.exact, lambda w: DualArray(w, w)])
def test_other_arithmetics_unpack_as_well(arithmetic: Any) -> None:
    named = small().unpack(arithmetic(np.arange(26.0)))
    assert {name: p.shape for name, p in named.items()} == small().names()


def test_describe() -> None:
    assert Network(Dense(3, 4), ReLU(), Dense(4, 2), loss=Huber(delta=0.5)).describe() == (
        "0  Dense(inputs=3, outputs=4)  0.weight (3, 4) = w[0:12], 0.bias (4,) = w[12:16]\n"
        "1  ReLU()\n"
        "2  Dense(inputs=4, outputs=2)  2.weight (4, 2) = w[16:24], 2.bias (2,) = w[24:26]\n"
        "loss  Huber(reduction='mean', scale=1, delta=0.5)\n"
        "26 parameters"
    )


def test_equal_networks_are_equal() -> None:
    assert small() == small()
    assert hash(small()) == hash(small())
    assert small() != Network(*small().layers, loss=Huber())
    assert Network(Identity(), loss=SquaredError()) != Network(ReLU(), loss=SquaredError())


@pytest.mark.parametrize("dtype", [np.float64, np.float32, "float32", float])
def test_initial_parameters(dtype: Any) -> None:
    network = small()
    w = network.initial_parameters(rng=7, dtype=dtype)
    assert w.dtype == np.dtype(dtype)
    assert w.shape == (26,)
    assert w.tolist() == network.initial_parameters(rng=np.random.default_rng(7), dtype=dtype).tolist()
    assert w.tolist() != network.initial_parameters(rng=8, dtype=dtype).tolist()
    assert not network.unpack(w)["0.bias"].any()


def test_initializers_may_be_ones_own() -> None:
    assert not small().initial_parameters(rng=0, initializer=zeros).any()
    assert small().initial_parameters(rng=0, initializer=he).any()
    assert (small().initial_parameters(rng=0, initializer=lambda shape, rng: np.full(shape, 2.0)) == 2).all()


# ------------------------------------------------------------------------------------------- what goes in and comes out


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shapes_and_dtypes(dtype: Any) -> None:
    w, x, y = (a.astype(dtype) for a in batch())
    e = small().evaluate(w, x, y)
    assert (e.outputs.shape, e.gradient.shape, e.input_gradient.shape) == ((5, 2), (26,), (5, 3))
    assert e.outputs.dtype == e.gradient.dtype == e.input_gradient.dtype == dtype
    assert type(e.loss) is float
    assert type(small().loss(w, x, y)) is float
    assert type(small().loss_and_gradient(w, x, y)[0]) is float
    assert isinstance(e, Evaluation)


def test_the_four_questions_agree() -> None:
    w, x, y = batch()
    e = small().evaluate(w, x, y)
    assert small().predict(w, x).tolist() == e.outputs.tolist()
    assert small().loss(w, x, y) == e.loss
    loss, gradient = small().loss_and_gradient(w, x, y)
    assert (loss, gradient.tolist()) == (e.loss, e.gradient.tolist())


def test_forward_and_backward_give_every_layer() -> None:
    w, x, y = batch()
    network = small()
    p = network.parameters(w)
    h = network.forward(p, x)
    assert [a.shape for a in h] == [(5, 3), (5, 4), (5, 4), (5, 2)]
    gradients, delta = network.backward(p, h, (h[-1] - y) / 5)
    assert [g.shape for g in gradients] == list(network.names().values())
    assert delta.shape == (5, 4)


def every_network() -> list[Any]:
    kinds: list[Any] = [
        pytest.param(Network(Dense(3, 2), a(), loss=SquaredError()), id=a.__name__) for a in activations.ALL
    ]
    kinds += [pytest.param(Network(Dense(3, 2), loss=kind()), id=kind.__name__) for kind in losses.ALL]
    kinds += [pytest.param(Network(a(), loss=InnerProduct()), id=f"{a.__name__} alone") for a in activations.ALL]
    return kinds


@pytest.mark.parametrize("network", every_network())
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arguments_are_left_alone_and_results_are_new(network: Network, dtype: Any) -> None:
    random = np.random.default_rng(59)
    w, x = random.normal(0, 1, network.size).astype(dtype), random.normal(0, 1, (5, 3)).astype(dtype)
    y = np.eye(2, dtype=dtype)[[0, 1, 1, 0, 1]] if network.size else x.copy()
    before = [a.copy() for a in (w, x, y)]
    for a in (w, x, y):
        a.flags.writeable = False  # so that writing to one would raise at the line that does it
    e = network.evaluate(w, x, y)
    results = [network.predict(w, x), e.outputs, e.gradient, e.input_gradient, network.loss_and_gradient(w, x, y)[1]]
    assert all(np.array_equal(a, b) for a, b in zip((w, x, y), before, strict=True))
    assert not any(np.shares_memory(r, a) for r in results for a in (w, x, y))
    assert all(r.dtype == dtype for r in results)
    assert all(r.flags.writeable for r in results)


def test_results_do_not_share_memory_with_each_other() -> None:
    network = Network(Identity(), loss=InnerProduct())
    e = network.evaluate(np.zeros(0), np.ones((3, 2)), np.ones((3, 2)))
    assert not np.shares_memory(e.outputs, e.input_gradient)


def test_lists_and_integers_are_taken() -> None:
    network = Network(Dense(2, 1), loss=SquaredError())
    by_list = network.evaluate([1, 2, 3], [[1, 2], [3, 4], [5, 6]], [1, 2, 3])
    by_float = network.evaluate(
        np.array([1.0, 2, 3]), np.array([[1.0, 2], [3, 4], [5, 6]]), np.array([[1.0], [2], [3]])
    )
    assert by_list.gradient.dtype == np.float64
    assert by_list.gradient.tolist() == by_float.gradient.tolist()
    assert network.predict(np.array([1, 2, 3], np.int8), [[True, False]]).tolist() == [[4]]


def test_narrower_numbers_are_taken_and_exact() -> None:
    w, x, y = batch()
    half = x.astype(np.float16)
    assert small().predict(w, half).tolist() == small().predict(w, half.astype(np.float64)).tolist()
    single = small().predict(w, x.astype(np.float32))
    assert single.dtype == np.float64
    assert small().loss(w.astype(np.float32), half, y.astype(np.float16)) > 0


def test_one_input_and_one_output_may_come_without_columns() -> None:
    network = Network(Dense(1, 1), loss=SquaredError())
    flat = network.evaluate([2.0, 1.0], [1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    rows = network.evaluate([2.0, 1.0], [[1.0], [2.0], [3.0]], [[1.0], [1.0], [1.0]])
    assert flat.outputs.shape == (3, 1)
    assert flat.gradient.tolist() == rows.gradient.tolist()


def test_one_input_may_come_without_a_column_in_any_arithmetic() -> None:
    network = Network(Dense(1, 1), loss=BinaryCrossEntropy())
    x = DualArray(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    dual = network.predict(x.lift(np.array([2.0, 1.0])), x)
    assert dual.tangent.tolist() == [[2], [0]]


@pytest.mark.parametrize("kind", [Identity, Tanh, ReLU])
def test_a_network_may_have_no_parameters(kind: Any) -> None:
    network = Network(kind(), loss=SquaredError())
    assert (network.size, network.inputs, network.outputs, network.names()) == (0, None, None, {})
    assert network.pack({}).shape == network.initial_parameters(rng=0).shape == (0,)
    e = network.evaluate([], [[1.0, 2.0]], [[0.0, 0.0]])
    assert e.gradient.shape == (0,)
    assert e.input_gradient.shape == (1, 2)
    assert network.evaluate(np.zeros(0, np.float32), np.ones((1, 2), np.float32), [[0, 0]]).gradient.dtype == np.float32
    assert network.describe().endswith("0 parameters")


def test_widths_of_a_network() -> None:
    assert (small().inputs, small().outputs) == (3, 2)
    assert Network(Tanh(), Dense(3, 2), ReLU(), loss=SquaredError()).inputs == 3


# ------------------------------------------------------------------------------------------------ a layer of one's own


@dataclass(frozen=True)
class Scale:
    """z = x ∘ a, with one factor for each input: a layer that is no subclass of anything."""

    inputs: int

    @property
    def outputs(self) -> int:
        return self.inputs

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"factor": (self.inputs,)}

    def forward(self, parameters: tuple[A, ...], x: A) -> A:
        return x * parameters[0]

    def backward(self, parameters: tuple[A, ...], x: A, delta: A) -> A:
        return delta * parameters[0]

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        return (column_sums(delta * x),)


def test_a_layer_of_ones_own_by_hand_and_in_every_arithmetic() -> None:
    network = Network(Dense(2, 3), Scale(3), loss=InnerProduct())
    w = np.array([1.0, 2, 3, 4, 5, 6, 0, 1, 0, 10, 20, 30])
    # x = (1, 2): x W + b = (9, 13, 15); times (10, 20, 30): (90, 260, 450); y = (1, 1, 2): 90 + 260 + 900
    e = network.evaluate(w, [[1.0, 2.0]], [[1.0, 1.0, 2.0]])
    assert e.loss == 1250
    assert network.unpack(e.gradient)["1.factor"].tolist() == [9, 13, 30]
    assert network.unpack(e.gradient)["0.bias"].tolist() == [10, 20, 60]
    assert e.input_gradient.tolist() == [[10 + 40 + 180, 40 + 100 + 360]]
    assert network.evaluate(Rational.of(w), [[1.0, 2.0]], [[1.0, 1.0, 2.0]]).loss.elements == 1250
    assert network.evaluate(RoundedArray.exact(w), [[1.0, 2.0]], [[1.0, 1.0, 2.0]]).loss.value == 1250
    along_last = DualArray(w, np.eye(12)[11])
    assert network.loss(along_last, [[1.0, 2.0]], [[1.0, 1.0, 2.0]]).tangent == 30


# ------------------------------------------------------------------------------------------------------ what is refused

ONES = np.ones(26)
X, Y = np.ones((5, 3)), np.ones((5, 2))

REFUSED: list[tuple[type[RefnnError], Any, Any, Any, str]] = [
    (
        ShapeError, np.ones(25), X, Y,
        ("w has shape (25,), expected (26,): this network has 26 parameters, as one vector. "
        "Pass network.initial_parameters(rng=0), or network.pack({name: array}) of your own."),
    ),
    (
        ShapeError, ONES, np.ones((5, 4)), Y,
        ("x has shape (5, 4), expected (N, 3): samples are rows, and the first layer takes 3 inputs. "
        "Pass x as (samples, inputs); for one sample, x[np.newaxis, :]."),
    ),
    (
        ShapeError, ONES, np.ones(3), Y,
        ("x has shape (3,), expected (N, 3): samples are rows, and the first layer takes 3 inputs. "
        "Pass x as (samples, inputs); for one sample, x[np.newaxis, :]."),
    ),
    (
        ShapeError, ONES, np.ones((0, 3)), np.ones((0, 2)),
        "x has shape (0, 3): the batch is empty. Pass at least one sample and one input.",
    ),
    (
        NonFiniteError, ONES, np.array([[1, 2, 3], [4, np.nan, np.inf]]), Y,
        "x[1, 1] is nan: x holds 2 elements that are not finite numbers. Remove or replace them before passing x.",
    ),
    (
        NonFiniteError, np.where(np.arange(26) == 7, np.inf, 0), X, Y,
        "w[7] is inf: w holds 1 elements that are not finite numbers. Remove or replace them before passing w.",
    ),
    (
        NonFiniteError, ONES, X, np.full((5, 2), -np.inf),
        "y[0, 0] is -inf: y holds 10 elements that are not finite numbers. Remove or replace them before passing y.",
    ),
    (
        DTypeError, ONES.astype(np.float32), X, Y,
        ("x has dtype float64, wider than the float32 of w: the dtype of w is the dtype of the computation, and a "
        "silent rounding would change the question. Pass np.asarray(x, dtype=np.float32), or w as float64."),
    ),
    (
        DTypeError, ONES.astype(np.float32), X.astype(np.float32), Y,
        ("y has dtype float64, wider than the float32 of w: the dtype of w is the dtype of the computation, and a "
        "silent rounding would change the question. Pass np.asarray(y, dtype=np.float32), or w as float64."),
    ),
    (
        DTypeError, ONES, X.astype(np.longdouble), Y,
        (f"x has dtype {np.dtype(np.longdouble)}, wider than the float64 of w: the dtype of w is the dtype of the "
        "computation, and a silent rounding would change the question. Pass np.asarray(x, dtype=np.float64)."),
    ),
    (
        DTypeError, ONES.astype(np.float16), X, Y,
        "w has dtype float16: refnn computes in float64 or float32. Pass w as np.float64, or as np.float32.",
    ),
    (
        DTypeError, ONES, X.astype(complex), Y,
        "x has dtype complex128: refnn computes with real numbers. Pass x as floats.",
    ),
    (
        DTypeError, ONES, [["a", "b", "c"]], Y,
        "x has dtype <U1: refnn computes with real numbers. Pass x as floats.",
    ),
    (
        ShapeError, ONES, [[1.0], [1.0, 2.0]], Y,
        "x is ragged: its rows have different lengths. Pass rows of equal length.",
    ),
    (
        ShapeError, [1.0, [2.0]], X, Y,
        "w is ragged: its rows have different lengths. Pass rows of equal length.",
    ),
    (
        DTypeError, DualArray(ONES, ONES), ComplexArray(np.ones((5, 3), complex)), Y,
        ("w is a DualArray and x a ComplexArray: a computation has one arithmetic. "
        "Pass both in the same one, or one of them as floats."),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "w", "x", "y", "message"), REFUSED)
def test_arguments_that_do_not_fit_are_refused(kind: type[RefnnError], w: Any, x: Any, y: Any, message: str) -> None:
    for ask in (small().loss, small().loss_and_gradient, small().evaluate):
        with pytest.raises(kind) as caught:
            ask(w, x, y)
        assert type(caught.value) is kind
        assert str(caught.value) == message


def test_networks_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingError) as caught:
        Network(loss=SquaredError())
    assert str(caught.value) == "there are no layers: a network has at least one. Pass refnn.Identity() for none."
    with pytest.raises(ShapeError) as width:
        Network(Dense(3, 4), ReLU(), Dense(5, 2), loss=SquaredError())
    assert str(width.value) == (
        "layer 2 (Dense(inputs=5, outputs=2)) takes 5 inputs, expected 4: the layers before it give 4 outputs. "
        "Give layer 2 4 inputs, or change the layers before it."
    )
    with pytest.raises(
        SettingError, match=r"^layer 1 is <class .*ReLU'>: .*Pass instances such as refnn\.Dense\(4, 3\)"
    ):
        Network(Dense(3, 4), ReLU, loss=SquaredError())  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"^loss is <class .*: a network has a loss. Pass loss=refnn.SquaredError"):
        Network(Dense(3, 4), loss=SquaredError)  # type: ignore[arg-type]


def test_parameters_that_do_not_fit_are_refused() -> None:
    network = Network(Dense(1, 2), loss=SquaredError())
    good: dict[str, Any] = {"0.weight": [[1.0, 2.0]], "0.bias": [1.0, 2.0]}
    with pytest.raises(SettingError) as missing:
        network.pack({"0.weight": [[1.0, 2.0]], "bias": [1.0]})
    assert str(missing.value).startswith(
        "parameters are missing 0.bias and have the unknown names 'bias': the parameters"
    )
    with pytest.raises(SettingError, match=r"are missing nothing and have the unknown names '1\.bias'"):
        network.pack({**good, "1.bias": [1.0]})
    with pytest.raises(SettingError, match="unknown names none"):
        network.pack({"0.bias": [1.0, 2.0]})
    with pytest.raises(SettingError, match=r"the parameters of this network are none"):
        Network(ReLU(), loss=SquaredError()).pack(good)
    with pytest.raises(ShapeError) as shape:
        network.pack({**good, "0.weight": [[1.0], [2.0]]})
    assert str(shape.value) == (
        "0.weight has shape (2, 1), expected (1, 2): a weight is (inputs, outputs) and a bias (outputs,). "
        "Pass 0.weight with shape (1, 2); a weight of PyTorch is transposed to this one."
    )
    with pytest.raises(DTypeError, match=r"0\.bias has dtype"):
        network.pack({**good, "0.bias": ["a", "b"]})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rng": None}, ("rng is None: the result depends on random numbers, and there is no default seed. "
         "Pass rng=0 (or any seed, or a numpy.random.Generator).")),
        ({"rng": 0, "dtype": np.float16},
         ("dtype is <class 'numpy.float16'>: refnn computes in float64 or float32. "
          "Pass dtype as np.float64, or as np.float32.")),
        ({"rng": 0, "initializer": 5},
         "initializer is 5: it draws each parameter. Pass refnn.glorot, refnn.he or a function."),
    ],
)  # fmt: skip
def test_settings_of_initial_parameters(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RefnnError) as caught:
        small().initial_parameters(**settings)
    assert str(caught.value) == message


def test_a_network_too_large_for_memory_says_so() -> None:
    network = Network(Dense(10**18, 3), loss=SquaredError())
    with pytest.raises(SettingError, match="cannot be drawn"):
        network.initial_parameters(rng=0)
    with pytest.raises(SettingError, match="cannot be drawn"):
        network.initial_parameters(rng=0, initializer=zeros)


@pytest.mark.parametrize("ask", ["predict", "loss", "loss_and_gradient", "evaluate"])
def test_results_beyond_the_range_are_reported(ask: str) -> None:
    network = Network(Dense(1, 1), Dense(1, 1), loss=SquaredError())
    arguments: tuple[Any, ...] = ([1e200, 0.0, 1e200, 0.0], [[1.0]]) + (() if ask == "predict" else ([[1.0]],))
    for setting in ("ignore", "warn", "raise"):  # whatever NumPy is set to
        with np.errstate(all=setting), pytest.raises(DivergenceError) as caught:
            getattr(network, ask)(*arguments)
        assert "too large for its floating-point format" in caught.value.why
        assert caught.value.remedy == "Scale parameters or data"
        assert caught.value.step is None


def test_a_loss_beyond_the_range_is_reported_where_the_outputs_are_not() -> None:
    network = Network(Identity(), loss=SquaredError())
    assert network.predict([], [[1e200]]).tolist() == [[1e200]]
    with pytest.raises(DivergenceError, match=r"^the loss"):
        network.loss([], [[1e200]], [[0.0]])


def test_underflow_is_legitimate() -> None:
    network = Network(Identity(), loss=SquaredError())
    with np.errstate(under="raise"):
        assert network.loss([], [[1e-200]], [[0.0]]) == 0


def test_constants_that_vanish_in_single_precision_are_refused() -> None:
    w, x, y = (np.ones(shape, np.float32) for shape in ((2,), (3, 1), (3, 1)))
    for loss in (SquaredError(scale=1e-50), Huber(delta=1e-50), SquaredError(scale=1e50)):
        with pytest.raises(SettingError, match="in float32, which would change the question"):
            Network(Dense(1, 1), loss=loss).loss(w, x, y)


class Pool:
    """A layer of any width: the sum of its inputs."""

    inputs = None
    outputs = 1

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {}

    def forward(self, parameters: tuple[A, ...], x: A) -> A:
        return row_sums(x)

    def backward(self, parameters: tuple[A, ...], x: A, delta: A) -> A:
        return 0 * x + delta

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        return ()


def test_a_layer_of_any_width_may_come_first() -> None:
    network = Network(Pool(), Dense(1, 2), loss=InnerProduct())
    assert network.inputs is None
    e = network.evaluate([3.0, 5.0, 0.0, 0.0], [[1.0, 2.0, 4.0]], [[1.0, 10.0]])
    assert e.outputs.tolist() == [[21, 35]]
    assert e.input_gradient.tolist() == [[53, 53, 53]]


def test_an_arithmetic_of_single_precision_asks_for_it() -> None:
    network = Network(Dense(1, 1), loss=SquaredError())
    w = RoundedArray.exact(np.ones(2, np.float32))
    assert network.loss(w, np.ones((3, 1), np.float32), [1, 1, 1]).value == 0.5
    with pytest.raises(DTypeError, match="x has dtype float64, wider than the float32 of w"):
        network.loss(w, np.ones((3, 1)), [1, 1, 1])
    with pytest.raises(DTypeError, match="y has dtype float64, wider than the float32 of w"):
        network.loss(DualArray(w, w), np.ones((3, 1), np.float32), [0.1, 1.0, 1.0])


def test_squares_overflow_no_sooner_than_their_half() -> None:
    network = Network(Dense(1, 1), loss=SquaredError())
    assert network.loss([1.5e154, 0.0], [[1.0]], [0.0]) == 1.5e154 * 0.75e154


def test_the_branch_that_is_not_taken_does_not_overflow() -> None:
    network = Network(LeakyReLU(1e300), loss=InnerProduct())
    assert network.predict([], [[1e10]]).tolist() == [[1e10]]
