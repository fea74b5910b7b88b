"""Right layers pass, and each planted fault is caught and named, with the smallest example that shows it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn import activations
from refnn.arrays import (
    A,
    column_sums,
    constant,
    exp,
    expit,
    log,
    log_softmax,
    maximum,
    minimum,
    row_sums,
    sqrt,
    tanh,
    where_positive,
)
from refnn.search.squashing import Softmax
from refnn.testing import check_layer
from tests.witnesses.networks import Scale


@dataclass(frozen=True)
class Affine:
    """z = (x ∘ a) w + b with everything that a layer may have; each fault changes one of its methods."""

    inputs: int
    outputs: int

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"factor": (self.inputs,), "weight": (self.inputs, self.outputs), "bias": (self.outputs,)}

    def forward(self, parameters: tuple[Any, ...], x: Any) -> Any:
        a, w, b = parameters
        return (x * a) @ w + b

    def backward(self, parameters: tuple[Any, ...], x: Any, delta: Any) -> Any:
        a, w, _ = parameters
        return (delta @ w.T) * a

    def gradient(self, parameters: tuple[Any, ...], x: Any, delta: Any) -> Any:
        a, w, _ = parameters
        return column_sums((delta @ w.T) * x), (x * a).T @ delta, column_sums(delta)


class Free:
    """The base of layers of any width without parameters."""

    inputs = outputs = None
    shapes: Mapping[str, tuple[int, ...]] = {}

    def gradient(self, parameters: tuple[Any, ...], x: Any, delta: Any) -> Any:
        return ()


@final
@dataclass(frozen=True)
class Centred(Free):
    """z less the mean of its row."""

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        return z - row_sums(z) / z.shape[1]

    def backward(self, parameters: tuple[A, ...], z: A, delta: A) -> A:
        return delta - row_sums(delta) / delta.shape[1]


@final
@dataclass(frozen=True)
class Root(Free):
    """√z + log z, for positive inputs."""

    def forward(self, parameters: tuple[A, ...], z: A) -> A:
        return sqrt(z) + log(z)

    def backward(self, parameters: tuple[A, ...], z: A, delta: A) -> A:
        return delta / (2 * sqrt(z)) + delta / z


# --------------------------------------------------------------------------------------------------- what is right


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", activations.ALL)
def test_every_activation_passes(kind: type[refnn.Activation]) -> None:
    check_layer(kind())


@pytest.mark.unmeasured
@pytest.mark.parametrize("layer", [refnn.Dense, refnn.Dense(4, 3), Affine, Affine(2, 5), Softmax(), Centred()])
def test_right_layers_pass(layer: Any) -> None:
    check_layer(layer)


def test_the_layer_of_the_documentation_passes() -> None:
    check_layer(Scale(3))
    check_layer(lambda inputs, outputs: Scale(inputs))


def test_overflow_is_a_fault_only_of_what_has_a_finite_value() -> None:
    """1e300·1e300 is too large for float64, whoever multiplies; log(1 + exp(1000)) is 1000."""
    check_layer(refnn.Dense, values=[1e-300, 1e300])

    @final
    @dataclass(frozen=True)
    class Naive(refnn.Activation):
        def forward(self, parameters: tuple[A, ...], z: A) -> A:
            return log(1 + exp(z))

        def derivative(self, z: A) -> A:
            return expit(z)

    check_layer(Naive())
    with pytest.raises(AssertionError, match=r"forward gives inf at \[0, 0\], and exactly it is 1000\.0"):
        check_layer(Naive(), values=[1000.0])


def test_kinks_that_nothing_hits_are_no_complaint() -> None:
    @final
    @dataclass(frozen=True)
    class Kinked(refnn.Activation):
        """|z|, with the derivative 1 at 0, which is not that of dual numbers."""

        def forward(self, parameters: tuple[A, ...], z: A) -> A:
            return maximum(z, -z)

        def derivative(self, z: A) -> A:
            return where_positive(-z, -1, 1)

    check_layer(Kinked())


def test_a_layer_for_positive_inputs() -> None:
    check_layer(Root(), values=[0.5, 1.5, 3.0])
    with pytest.raises(AssertionError, match=r"Root\(\): forward gives nan at \[0, 0\]"):
        check_layer(Root())


def test_it_may_be_called_within_a_test_of_hypothesis() -> None:
    @given(st.integers(1, 3), st.integers(1, 3))
    def test(inputs: int, outputs: int) -> None:
        check_layer(refnn.Dense(inputs, outputs))

    test()


# ------------------------------------------------------------------------------------------------------------ faults


class TimesTwo(Affine):
    def backward(self, p: Any, x: Any, delta: Any) -> Any:
        return 2 * super().backward(p, x, delta)


class Negative(Affine):
    def gradient(self, p: Any, x: Any, delta: Any) -> Any:
        a, w, b = super().gradient(p, x, delta)
        return a, -w, b


class MeanOverSamples(Affine):
    def gradient(self, p: Any, x: Any, delta: Any) -> Any:
        a, w, b = super().gradient(p, x, delta)
        return a, w, b / x.shape[0]


class NotTransposed(Affine):
    def backward(self, p: Any, x: Any, delta: Any) -> Any:
        a, w, _ = p
        return (delta @ w) * a


class NoFactor(Affine):
    def backward(self, p: Any, x: Any, delta: Any) -> Any:
        return delta @ p[1].T


class IgnoresCotangent(Affine):
    def backward(self, p: Any, x: Any, delta: Any) -> Any:
        return super().backward(p, x, delta - delta + 1)


class NotSummed(Affine):
    def gradient(self, p: Any, x: Any, delta: Any) -> Any:
        a, w, _ = super().gradient(p, x, delta)
        return a, w, delta


class TwoGradients(Affine):
    def gradient(self, p: Any, x: Any, delta: Any) -> Any:
        return super().gradient(p, x, delta)[:2]


class ListOfGradients(Affine):
    def gradient(self, p: Any, x: Any, delta: Any) -> Any:
        return list(super().gradient(p, x, delta))


class ChangesInput(Affine):
    def forward(self, p: Any, x: Any) -> Any:
        if isinstance(x, np.ndarray):
            x *= 2
        return super().forward(p, x)


class ChangesCotangent(Affine):
    def backward(self, p: Any, x: Any, delta: Any) -> Any:
        if isinstance(delta, np.ndarray):
            delta[0] = 0
        return super().backward(p, x, delta)


class ChangesParameter(Affine):
    def gradient(self, p: Any, x: Any, delta: Any) -> Any:
        if isinstance(delta, np.ndarray):
            p[2][:] = 0
        return super().gradient(p, x, delta)


class MixesSamples(Affine):
    """Each sample less the mean over the batch, with the right derivative."""

    def forward(self, p: Any, x: Any) -> Any:
        return super().forward(p, x - column_sums(x) / x.shape[0])

    def backward(self, p: Any, x: Any, delta: Any) -> Any:
        by_input = super().backward(p, x, delta)
        return by_input - column_sums(by_input) / x.shape[0]

    def gradient(self, p: Any, x: Any, delta: Any) -> Any:
        return super().gradient(p, x - column_sums(x) / x.shape[0], delta)


class WiderConstant(Affine):
    def forward(self, p: Any, x: Any) -> Any:
        half = np.float64(0.5) if isinstance(x, np.ndarray) else constant(x, 0.5)
        return 2 * half * super().forward(p, x)


class NarrowInside(Affine):
    def backward(self, p: Any, x: Any, delta: Any) -> Any:
        if isinstance(x, np.ndarray):
            return super().backward(p, x, delta.astype(np.float32)).astype(x.dtype)
        return super().backward(p, x, delta)


class OnlyForFloats(Affine):
    def forward(self, p: Any, x: Any) -> Any:
        return np.add.reduce(x[:, :, None] * p[0][:, None] * p[1], axis=1) + p[2]


class PowerWithoutRule(Affine):
    def forward(self, p: Any, x: Any) -> Any:
        return super().forward(p, x**1)


class GivesFloats(Affine):
    def backward(self, p: Any, x: Any, delta: Any) -> Any:
        return np.zeros(x.shape, x.dtype)


class NotInBalls(Affine):
    def forward(self, p: Any, x: Any) -> Any:
        if type(x).__name__ == "BallArray":
            raise ValueError("what is a ball?")
        return super().forward(p, x)


class NeverFewer(Affine):
    """It takes no smaller batch than the last."""

    def forward(self, p: Any, x: Any) -> Any:
        last.append(x.shape[0])
        if last[-1] < last[-2]:
            raise ValueError("too few samples")
        return super().forward(p, x)


last = [0]


class FloatsApart(Affine):
    """Its floats go through a function that dual numbers over balls do not see."""

    def forward(self, p: Any, x: Any) -> Any:
        if type(x).__name__ == "DualArray" and type(x.value).__name__ == "BallArray":
            raise TypeError("no nesting")
        return super().forward(p, x)


FAULTS: dict[type[Affine], str] = {
    TimesTwo: r"backward is .* at \[0, 0\], and the derivative of its forward ",
    Negative: r"gradient of weight is -1\..* at \[0, 0\], and the derivative of its forward 1\.",
    MeanOverSamples: r"gradient of bias is .* at \[0\], and the derivative of its forward",
    NotTransposed: r"backward fails for arrays of float64: ValueError: matmul",
    NoFactor: r"backward is .*, and the derivative of its forward",
    IgnoresCotangent: r"backward is .*, and the derivative of its forward",
    NotSummed: r"gradient of bias has shape \(1, 1\) for arrays of float64, expected \(1,\)",
    TwoGradients: r"expected a tuple with one array for each of 3 parameters",
    ListOfGradients: r"gradient gives \[array.*, expected a tuple",
    ChangesInput: r"it changes x, which is the caller's",
    ChangesCotangent: r"it changes delta, which is the caller's",
    ChangesParameter: r"it changes bias, which is the caller's",
    MixesSamples: r"the outputs of sample 0 depend on the other samples",
    WiderConstant: r"forward gives float64 for float32",
    NarrowInside: r"backward gives .* at \[0, 0\], and exactly it is",
    OnlyForFloats: r"forward fails for DualArray: TypeError",
    PowerWithoutRule: r"forward fails for DualArray: UnsupportedOperationError: power was called",
    GivesFloats: r"backward gives a ndarray for DualArray: use the operations of refnn.arrays",
    NotInBalls: r"forward fails for BallArray: ValueError: what is a ball\?",
    NeverFewer: r"forward fails for one sample: ValueError: too few samples",
    FloatsApart: r"forward fails for DualArray of BallArray: TypeError: no nesting",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_and_named(fault: type[Affine]) -> None:
    with pytest.raises(AssertionError, match=FAULTS[fault]) as caught:
        check_layer(fault)
    assert str(caught.value).startswith(f"{fault.__name__}(inputs=")


@pytest.mark.parametrize("kind", [TimesTwo, MeanOverSamples, NoFactor, MixesSamples])
def test_the_example_is_the_smallest(kind: type[Affine]) -> None:
    """One input, one output, and one sample, or two where one does not show it; all numbers nearest to 1."""
    samples = 2 if kind in {MeanOverSamples, MixesSamples} else 1
    with pytest.raises(AssertionError) as caught:
        check_layer(kind)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{kind.__name__}(inputs=1, outputs=1): ")
    numbers = [[1.001]] if samples == 1 else [[1.001], [1.002]]
    assert second.startswith(f"  x = {numbers}, factor = [")


def test_a_wrong_derivative_of_an_activation() -> None:
    """tanh′ = 1 − tanh, instead of 1 − tanh² (as in tt-metal #55349)."""

    @final
    @dataclass(frozen=True)
    class Wrong(refnn.Activation):
        def forward(self, parameters: tuple[A, ...], z: A) -> A:
            return tanh(z)

        def derivative(self, z: A) -> A:
            return 1 - tanh(z)

    with pytest.raises(AssertionError, match=r"Wrong\(\): backward is 0\.23846") as caught:
        check_layer(Wrong())
    # at z = 1.001, with the cotangent 1.002
    assert f"{1.002 * (1 - np.tanh(1.001) ** 2):.7g}" in str(caught.value)


def test_a_softmax_with_the_diagonal_of_its_jacobian() -> None:
    """As in NNlib PR #194."""

    @final
    @dataclass(frozen=True)
    class Diagonal(Free):
        def forward(self, parameters: tuple[A, ...], z: A) -> A:
            return exp(log_softmax(z))

        def backward(self, parameters: tuple[A, ...], z: A, delta: A) -> A:
            p = exp(log_softmax(z))
            return p * (1 - p) * delta

    with pytest.raises(AssertionError, match=r"Diagonal\(\): backward is .* and the derivative") as caught:
        check_layer(Diagonal())
    assert "x = [[1.001, 1.002]]" in str(caught.value)


def test_a_one_sided_error_that_is_tiny() -> None:
    """A factor of 1 + 2**-50 is below the rounding errors of a test in floats, and proven here."""

    @final
    @dataclass(frozen=True)
    class Nearly(refnn.Activation):
        def forward(self, parameters: tuple[A, ...], z: A) -> A:
            return minimum(z, 100)

        def derivative(self, z: A) -> A:
            return constant(z, 1 + 2.0**-50) * where_positive(z, 1, 1)

    with pytest.raises(AssertionError, match="and the derivative of its forward"):
        check_layer(Nearly())


@dataclass(frozen=True)
class Drifting(Affine):
    """What it gives depends on how often it was called."""

    calls: Any = field(default_factory=count, repr=False)

    def forward(self, parameters: tuple[Any, ...], x: Any) -> Any:
        return super().forward(parameters, x) + next(self.calls)


def test_a_layer_that_remembers() -> None:
    with pytest.raises(AssertionError, match="forward gives other numbers when it is called again"):
        check_layer(Drifting(2, 3))


# ------------------------------------------------------------------------------------------------ what is no layer


def changed(**members: Any) -> Any:
    return type("Changed", (Affine,), members)(2, 3)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (changed(shapes=[("weight", (2, 3))]), r"shapes is \[.*\], expected a mapping of names to tuples"),
        (changed(shapes={"weight": [2, 3]}), "expected a mapping of names to tuples"),
    ],
)
def test_members_that_are_wrong(layer: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_layer(layer)


def test_widths_that_are_none() -> None:
    for wrong in (0, -1, 2.0, "2"):
        with pytest.raises(AssertionError, match=r"inputs and outputs are \(.*\), expected whole numbers or None"):
            check_layer(Affine(2, wrong))  # type: ignore[arg-type]
    check_layer(Affine(np.int64(2), np.int64(3)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (3, "layer is 3: it is no layer and makes none"),
        (refnn.Tanh, r"it makes none of \(2, 3\)"),
        (lambda inputs, outputs: None, r"what layer\(2, 3\) makes is None"),
        (lambda inputs, outputs: refnn.Dense(inputs, outputs // (inputs - 1)), r"it makes none of \(1, 1\): ZeroDiv"),
        (lambda inputs, outputs: refnn.Dense(2, 3) if inputs > 1 else 7, r"what layer\(1, 1\) makes is 7"),
        (refnn.Dense(784, 128), "it has 101392 parameters and units"),
    ],
)
def test_what_is_no_layer(layer: Any, message: str) -> None:
    with pytest.raises(refnn.SettingError, match=message):
        check_layer(layer)


def test_values_that_are_none() -> None:
    with pytest.raises(refnn.SettingError, match="values are empty"):
        check_layer(refnn.Tanh(), values=[])
    with pytest.raises(refnn.SettingError, match=r"values\[1\] is nan"):
        check_layer(refnn.Tanh(), values=[1.0, float("nan")])


def test_without_flint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(refnn.MissingExtraError, match=r"refnn\.testing.check_layer needs it"):
        check_layer(refnn.Tanh())
