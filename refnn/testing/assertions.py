"""Assertions: whether a layer of one's own is one, and its backward pass is the derivative of its forward pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias, cast, final

import numpy as np

from refnn.arithmetic.complex import ComplexArray
from refnn.arithmetic.dual import DualArray
from refnn.arithmetic.precision import precision_named
from refnn.arithmetic.rounded import RoundedArray
from refnn.arithmetic.spread import SpreadArray
from refnn.arrays import FloatArray, total
from refnn.checks import extra, instance, number, shown
from refnn.errors import SettingError
from refnn.layers import Layer

__all__ = ["check_layer"]

_MEMBERS = ("inputs", "outputs", "shapes", "forward", "backward", "gradient")
_WIDTHS, _SAMPLES, _VARIETIES = (1, 2, 3, 5), (1, 2, 3), 4
_BITS = 128

_MOST = 200
"""So many parameters and units take a second or two; and with three samples, they are fewer than a thousand numbers,
which is how many thousandths there are."""


def check_layer(layer: Layer | Callable[[int, int], Layer], *, values: Sequence[float] | None = None) -> None:
    """Do nothing if a layer keeps what `refnn.Layer` promises, and its backward pass is the derivative of its forward.

    Its `backward` and `gradient` are held against the derivative of its own `forward` by dual numbers over balls, so
    that a difference is proven and no tolerance is needed; and what it computes in floats against exact numbers.

    Parameters
    ----------
    layer
        The layer, of some tens of parameters at most; or its class, or another function of the numbers of inputs and
        outputs that makes one, for which small widths are tried.
    values
        From what the numbers of the inputs, the parameters and the cotangents are taken. By default, they are between
        −5 and 6, all different, and on no kink; a layer for positive inputs, say, needs others.

    Raises
    ------
    AssertionError
        With what is wrong, and the smallest example that shows it.
    SettingError
        If it is no layer, makes none, or has too many numbers; or there are no finite values.
    MissingExtraError
        If python-flint is not installed.

    Notes
    -----
    The examples are the same each time, the smallest first. A wrong formula of the forward pass is not seen, for there
    is nothing to hold it against. At kinks the derivative is a convention, which is that of `refnn.arrays`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import refnn
    >>> from refnn.testing import check_layer
    >>> check_layer(refnn.Dense)
    >>> @dataclass(frozen=True)
    ... class Cube(refnn.Activation):
    ...     def forward(self, parameters, z):
    ...         return z * z * z
    ...     def derivative(self, z):
    ...         return 2 * z * z
    >>> check_layer(Cube())
    Traceback (most recent call last):
    AssertionError: Cube(): backward is 2.00801 at [0, 0], and the derivative of its forward 3.012015
      x = [[1.001]], delta = [[1.002]]
    """
    extra("flint", "exact", "refnn.testing.check_layer")
    for trial in _trials(_maker(layer), _numbers(values)):
        complaint = _complaint(trial)
        if complaint is not None:
            raise AssertionError(f"{shown(trial.layer)}: {complaint}\n  {trial}")


# --------------------------------------------------------------------------------------------------------- what to try


_Make: TypeAlias = Callable[[int, int], Layer]


@final
@dataclass(frozen=True, slots=True)
class _Trial:
    """A layer with its parameters, a batch of inputs, and a cotangent of its outputs."""

    layer: Layer
    parameters: tuple[FloatArray, ...]
    x: FloatArray
    delta: FloatArray

    def __str__(self) -> str:
        return ", ".join(f"{name} = {array.tolist()}" for name, array in self.named().items())

    def named(self) -> dict[str, FloatArray]:
        """All its arrays."""
        return {"x": self.x, **dict(zip(self.layer.shapes, self.parameters, strict=True)), "delta": self.delta}

    def copy(self, lift: Callable[[FloatArray], Any] = np.copy) -> _Trial:
        """Its arrays anew, in another arithmetic if that is asked for."""
        return _Trial(self.layer, tuple(map(lift, self.parameters)), lift(self.x), lift(self.delta))


def _maker(layer: Layer | _Make) -> _Make:
    """A function that makes the layer for a number of inputs and outputs, if they are free, or refuses to."""
    remedy = "Pass a layer, or a function of the numbers of inputs and outputs that makes one"
    if not isinstance(layer, type) and all(hasattr(layer, member) for member in _MEMBERS):
        given = cast(Layer, layer)
        _declared(given)
        return lambda inputs, outputs: given
    if not callable(layer):
        raise SettingError(f"layer is {shown(layer)}", "it is no layer and makes none", remedy)

    def make(inputs: int, outputs: int) -> Layer:
        try:
            made = layer(inputs, outputs)
        except Exception as error:
            why = f"it makes none of ({inputs}, {outputs}): {shown(error)}"
            raise SettingError(f"layer is {shown(layer)}", why, remedy) from error
        instance(f"what layer({inputs}, {outputs}) makes", made, _MEMBERS, remedy)
        return made

    _declared(make(2, 3))
    return make


def _declared(layer: Layer) -> None:
    """Refuse a layer whose widths or shapes are none, or that is too large for exact numbers."""
    widths, shapes = (layer.inputs, layer.outputs), layer.shapes
    if not all(width is None or (isinstance(width, (int, np.integer)) and width > 0) for width in widths):
        raise AssertionError(f"{shown(layer)}: inputs and outputs are {widths}, expected whole numbers or None")
    if not isinstance(shapes, Mapping) or not all(isinstance(shape, tuple) for shape in shapes.values()):
        raise AssertionError(f"{shown(layer)}: shapes is {shown(shapes)}, expected a mapping of names to tuples")
    numbers = sum(map(math.prod, shapes.values())) + (layer.inputs or 0) + (layer.outputs or 0)
    if numbers > _MOST:
        raise SettingError(
            f"layer is {shown(layer)}",
            f"it has {numbers} parameters and units, and is differentiated by each, in exact numbers",
            f"Pass one with {_MOST} at most: what is wrong with a large layer shows in a small one",
        )


def _numbers(values: Sequence[float] | None) -> tuple[float, ...]:
    given = () if values is None else tuple(float(number(f"values[{k}]", value)) for k, value in enumerate(values))
    if values is not None and not given:
        raise SettingError("values are empty", "each number is one of them", "Pass some, or None")
    return given


def _trials(make: _Make, values: tuple[float, ...]) -> Iterator[_Trial]:
    """What is tried, the smallest first: of each size, first with numbers nearest to 1, and then with various ones."""
    sizes = sorted(product(_SAMPLES, _WIDTHS, _WIDTHS), key=lambda size: (math.prod(size), size))
    layers: dict[tuple[int, int, int], Layer] = {}
    for samples, inputs, outputs in sizes:
        layer = make(inputs, outputs)
        layers.setdefault((samples, layer.inputs or inputs, layer.outputs or layer.inputs or inputs), layer)
    random = np.random.default_rng(0)
    for (samples, inputs, outputs), layer in layers.items():
        shapes = ((samples, inputs), *layer.shapes.values(), (samples, outputs))
        for variety in range(_VARIETIES):
            x, *parameters, delta = _filled(shapes, variety, values, random)
            yield _Trial(layer, tuple(parameters), x, delta)


def _filled(
    shapes: tuple[tuple[int, ...], ...], variety: int, values: tuple[float, ...], random: np.random.Generator
) -> list[FloatArray]:
    """Arrays of whole numbers and different thousandths, so that no sum or difference of them is on a kink."""
    size = sum(map(math.prod, shapes))
    if values:
        numbers = np.array(values)[(np.arange(size) + variety) % len(values)]
    else:
        whole = random.choice([1, -1, 0, 2, -2, 5, -5], size) if variety else np.ones(size)
        numbers = whole + np.arange(1, size + 1) / 1000
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(numbers, ends), shapes, strict=True)]


# ---------------------------------------------------------------------------------------------------- what is promised


def _complaint(trial: _Trial) -> str | None:
    """What is wrong, if something is."""
    from refnn.arithmetic.ball import working_precision

    try:
        with np.errstate(all="ignore"), working_precision(_BITS):
            _examine(trial)
    except _WrongError as wrong:
        return str(wrong)
    return None


class _WrongError(Exception):
    """What a layer does wrong."""


def _examine(trial: _Trial) -> None:
    from refnn.arithmetic.ball import BallArray

    given = trial.copy()
    floats = _answers(given, "arrays of float64", np.ndarray)
    for (name, before), after in zip(trial.named().items(), given.named().values(), strict=True):
        if not np.array_equal(before, after):
            raise _WrongError(f"it changes {name}, which is the caller's")
    for name, again in _answers(trial.copy(), "arrays of float64", np.ndarray).items():
        if not np.array_equal(floats[name], again, equal_nan=True):
            raise _WrongError(f"{name} gives other numbers when it is called again")
    for name, single in _answers(trial.copy(np.float32), "arrays of float32", np.ndarray).items():
        if single.dtype != np.float32:
            raise _WrongError(f"{name} gives {single.dtype} for float32: a constant or an operation is wider")
    single_precision = precision_named("float32")
    to_single = single_precision.format.nearest
    _answers(trial.copy(lambda v: DualArray(v, np.ones_like(v))), "DualArray", DualArray)
    _answers(trial.copy(lambda v: ComplexArray(v.astype(complex))), "ComplexArray", ComplexArray)
    _answers(trial.copy(lambda v: SpreadArray.exact(to_single(v), single_precision, _ODDS)), "SpreadArray", SpreadArray)
    rounded = _answers(trial.copy(RoundedArray.exact), "RoundedArray", RoundedArray)
    balls = _answers(trial.copy(BallArray.exact), "BallArray", BallArray)
    for name, ball in balls.items():
        _is_near(name, floats[name], ball, rounded[name].error)
    _acts_on_each_sample_alone(trial, balls["forward"])
    _is_the_derivative(trial, balls)


_ODDS = 40.0
"""Of an error beyond what `SpreadArray` says, which nobody asks here."""


def _answers(trial: _Trial, where: str, kind: type[Any]) -> dict[str, Any]:
    """What the three methods give, the gradient of each parameter by its name, if all is of the kind and the shapes."""
    layer, p, x, delta = trial.layer, trial.parameters, trial.x, trial.delta
    with _called("forward", where):
        given = {"forward": layer.forward(p, x)}
    with _called("backward", where):
        given["backward"] = layer.backward(p, x, delta)
    with _called("gradient", where):
        gradients = layer.gradient(p, x, delta)
    if not isinstance(gradients, tuple) or len(gradients) != len(p):
        raise _WrongError(
            f"gradient gives {shown(gradients)}, expected a tuple with one array for each of {len(p)} parameters"
        )
    of = [f"gradient of {name}" for name in layer.shapes]
    given |= dict(zip(of, gradients, strict=True))
    shapes = {"forward": delta.shape, "backward": x.shape, **{n: v.shape for n, v in zip(of, p, strict=True)}}
    for name, array in given.items():
        if not isinstance(array, kind):
            raise _WrongError(f"{name} gives a {type(array).__name__} for {where}: use the operations of refnn.arrays")
        if array.shape != shapes[name]:
            raise _WrongError(f"{name} has shape {array.shape} for {where}, expected {shapes[name]}")
    return given


@contextmanager
def _called(method: str, where: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _WrongError(f"{method} fails for {where}: {type(error).__name__}: {error}") from error


def _is_near(name: str, floats: FloatArray, exact: Any, error: FloatArray) -> None:
    """Refuse floats that are proven to be farther from the exact numbers than roundings take them."""
    for place in np.ndindex(floats.shape):
        value, true = float(floats[place]), float(exact.midpoint[place])
        overflows = math.isinf(value) and value == true  # as the real number itself does
        if not overflows and (not math.isfinite(value) or abs(exact.elements[place] - value) > error[place]):
            raise _WrongError(f"{name} gives {value!r} at {list(place)}, and exactly it is {true!r}")


def _acts_on_each_sample_alone(trial: _Trial, outputs: Any) -> None:
    from refnn.arithmetic.ball import BallArray

    lifted = trial.copy(BallArray.exact)
    for sample in range(len(trial.x)):
        with _called("forward", "one sample"):
            alone: Any = trial.layer.forward(lifted.parameters, BallArray.exact(trial.x[[sample]]))
        for unit in range(outputs.shape[1]):
            if not alone.elements[0, unit].overlaps(outputs.elements[sample, unit]):
                raise _WrongError(f"the outputs of sample {sample} depend on the other samples")


def _is_the_derivative(trial: _Trial, given: Mapping[str, Any]) -> None:
    """Refuse a number of `backward` or `gradient` that is proven to be another than the derivative of `forward`."""
    from refnn.arithmetic.ball import BallArray

    arrays = (trial.x, *trial.parameters)
    names = ("backward", *(f"gradient of {name}" for name in trial.layer.shapes))
    delta = BallArray.exact(trial.delta)
    for moved, name in enumerate(names):
        for place in np.ndindex(arrays[moved].shape):
            tangents = [np.zeros(array.shape) for array in arrays]
            tangents[moved][place] = 1
            x, *parameters = (
                DualArray(BallArray.exact(a), BallArray.exact(t)) for a, t in zip(arrays, tangents, strict=True)
            )
            with _called("forward", "DualArray of BallArray"):
                slope: Any = total(delta * trial.layer.forward(tuple(parameters), x).tangent)
            if not slope.elements.item().overlaps(given[name].elements[place]):
                mine, true = given[name].midpoint[place], slope.midpoint.item()
                raise _WrongError(
                    f"{name} is {mine:.7g} at {list(place)}, and the derivative of its forward {true:.7g}"
                )
