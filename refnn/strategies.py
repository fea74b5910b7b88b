"""Hypothesis strategies: networks, parameters and batches that are valid, and unkind to code that is nearly right.

All dimensions of a case are pairwise distinct, and often distinct primes, because equal extents hide a transpose or a
sum over the wrong axis. The number of samples is no power of two, for a division by 8 rounds nothing. Targets come in
every form that the loss takes. Every case is valid: `refnn.Network.loss_and_gradient` accepts it, and its result is
finite. Counterexamples shrink to few layers, small widths, few samples and zeros.

Examples
--------
>>> from hypothesis import given
>>> import numpy as np, refnn
>>> from refnn.testing import cases, networks
>>> @given(cases(networks(losses=[refnn.SquaredError])))
... def test_squared_error_is_not_negative(case):
...     network, w, x, y = case
...     assert network.loss(w, x, y) >= 0
>>> test_squared_error_is_not_negative()
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import count, islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from numpy.typing import DTypeLike

from refnn.activations import ALL as ACTIVATIONS
from refnn.activations import ELU, Activation, LeakyReLU
from refnn.arrays import FloatArray, IntArray
from refnn.errors import SettingError
from refnn.layers import Dense, Layer
from refnn.losses import ALL as LOSSES
from refnn.losses import BinaryCrossEntropy, Huber, Loss, SoftmaxCrossEntropy
from refnn.network import Network

__all__ = [
    "Case",
    "batch_sizes",
    "batches",
    "cases",
    "extreme_numbers",
    "extreme_values",
    "networks",
    "ordinary_values",
    "parameters",
]

Affine: TypeAlias = Callable[[int, int], Layer]
"""A layer class such as `Dense`, or any function that makes a layer from its numbers of inputs and outputs."""

_WIDTHS = (1, 2, 3, 4, 5, 6, 7, 9, 11)
_ORDINARY = (0.0, 1.0, -1.0, 2.0, -2.0, *(k / 250 for k in range(-499, 500) if k % 250))


class Case(NamedTuple):
    """A network with parameters and a batch.

    Attributes
    ----------
    network
        The network, with its loss.
    w : (P,)
        Its parameters.
    x : (N, inputs)
        The samples.
    y : (N, outputs) or (N,)
        Their targets, in a form that the loss takes.
    """

    network: Network
    w: FloatArray
    x: FloatArray
    y: FloatArray | IntArray


# ------------------------------------------------------------------------------------------------------------- values


def ordinary_values() -> SearchStrategy[float]:
    """Multiples of 1/250 between −2 and 2, most of which no binary fraction equals; they shrink to whole numbers and 0.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(ordinary_values(), lambda v: v > 0)
    1.0
    """
    return st.sampled_from(_ORDINARY)


def extreme_values(*, largest: float | None = None, dtype: DTypeLike = np.float64) -> SearchStrategy[float]:
    """Zeros, numbers that saturate every activation, large and tiny scales, and neighbours of 1 that cancel.

    Parameters
    ----------
    largest
        The largest magnitude. By default 1e8, and 1e3 in float32: with it for parameters, samples and targets alike,
        the squared error of a network of three dense layers of width 11 and its gradient are far from overflow.
    dtype
        float64 or float32, for which format the values are meant.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(extreme_values(), lambda v: 0 < abs(v) < 1e-100) == 2.0**-500
    True
    """
    return st.sampled_from(extreme_numbers(largest=largest, dtype=dtype))


def extreme_numbers(*, largest: float | None = None, dtype: DTypeLike = np.float64) -> list[float]:
    """The numbers of `extreme_values`, from the simplest on.

    Examples
    --------
    >>> max(extreme_numbers(largest=10.0))
    10.0
    """
    info = np.finfo(np.dtype(dtype))
    top = largest if largest is not None else 1e8 if info.bits == 64 else 1e3
    tiny = 2.0 ** (info.minexp // 2 + (11 if info.bits == 64 else -7))  # its square is normal or underflows softly
    sizes = (1.0, 1 + float(info.eps), 1 - float(info.eps), 40.0, 700.0, top, top / 3, tiny, math.sqrt(tiny))
    return [0.0, -0.0, *(sign * min(size, top) for size in sizes for sign in (1, -1))]


def _array(values: SearchStrategy[float], shape: tuple[int, ...], dtype: DTypeLike) -> SearchStrategy[FloatArray]:
    size = math.prod(shape)
    return st.tuples(*[values] * size).map(lambda v: np.array(v, dtype=dtype).reshape(shape))


# ----------------------------------------------------------------------------------------------------------- networks


def _activation(kind: type[Activation] | Activation) -> SearchStrategy[Activation]:
    """The activation itself; of a class, instances with various settings."""
    if isinstance(kind, Activation):
        return st.just(kind)
    if kind is LeakyReLU:
        return st.sampled_from((0.01, 0.25, -0.5)).map(LeakyReLU)
    if kind is ELU:
        return st.sampled_from((1, 0.5, 1.7)).map(ELU)
    return st.just(kind())


@st.composite
def _losses(draw: DrawFn, kind: type[Loss] | Loss, outputs: int | None) -> Loss:
    """The loss itself; of a class, instances with various settings."""
    if isinstance(kind, Loss):
        return kind
    options: dict[str, Any] = {
        "reduction": draw(st.sampled_from((kind().reduction, *kind().reductions()))),
        "scale": draw(st.sampled_from((1, 2, 0.3, Fraction(1, 3)))),
    }
    if kind is Huber:
        options["delta"] = draw(st.sampled_from((1, 0.3, 2.5)))
    if kind is SoftmaxCrossEntropy:
        options["label_smoothing"] = draw(st.sampled_from((0, 0.1, 1)))
        if outputs is not None and draw(st.booleans()):
            weights = st.sampled_from((1, 0.5, 3))  # positive, so that the sum over the targets of a batch is
            options["class_weights"] = tuple(draw(st.lists(weights, min_size=outputs, max_size=outputs)))
    return kind(**options)


def _is_prime(n: int) -> bool:
    return n > 1 and all(n % k for k in range(2, n))


@st.composite
def _distinct(draw: DrawFn, among: Iterable[int], size: int) -> list[int]:
    """`size` different numbers; only primes, about every other time, if there are enough."""
    pool = sorted(set(among))
    primes = [n for n in pool if _is_prime(n)]
    if len(pool) < size:
        raise SettingError(
            f"{len(pool)} widths {pool} remain for {size} places",
            "the dimensions of a network are pairwise distinct",
            "Pass more widths, or a smaller depth",
        )
    chosen = primes if len(primes) >= size and draw(st.booleans()) else pool
    return draw(st.lists(st.sampled_from(chosen), min_size=size, max_size=size, unique=True)) if size else []


def _strategy(value: int | SearchStrategy[int]) -> SearchStrategy[int]:
    return st.just(value) if isinstance(value, int) else value


@st.composite
def networks(
    draw: DrawFn,
    *,
    depth: int | SearchStrategy[int] = st.integers(1, 3),  # noqa: B008 - strategies are immutable
    widths: Sequence[int] = _WIDTHS,
    layers: Sequence[Affine] = (Dense,),
    activations: Sequence[type[Activation] | Activation] = ACTIVATIONS,
    losses: Sequence[type[Loss] | Loss] = LOSSES,
    last: SearchStrategy[bool] = st.booleans(),  # noqa: B008 - likewise
    inputs: int | None = None,
    outputs: int | None = None,
) -> Network:
    """Networks of affine layers with activations between them, and sometimes one after the last.

    Parameters
    ----------
    depth
        The number of affine layers, or a strategy for it; with 0, the network is an activation without parameters.
    widths
        The numbers from which inputs, outputs and the widths of hidden layers are chosen, all different.
    layers
        From what affine layers are chosen: `refnn.Dense`, or functions of (inputs, outputs) that make your own.
    activations, losses
        From what these are chosen: instances, taken as they are, or classes, whose settings vary (for a loss, also
        its reduction and scale).
    last
        Whether an activation follows the last affine layer too; ``st.just(False)`` for networks whose outputs are
        weighted sums, as those of most libraries are.
    inputs, outputs
        The first and the last width, if they are given.

    Raises
    ------
    SettingError
        When drawn, if there are fewer widths than places for them.

    Examples
    --------
    >>> from hypothesis import find
    >>> import refnn
    >>> network = find(networks(depth=2, activations=[refnn.Tanh], losses=[refnn.SquaredError]), lambda network: True)
    >>> network.layers
    (Dense(inputs=1, outputs=2), Tanh(), Dense(inputs=2, outputs=3))
    """
    affine = draw(_strategy(depth))
    fixed = {k: n for k, n in ((0, inputs), (affine, outputs)) if n is not None}
    free = [k for k in range(affine + 1) if k not in fixed]
    chosen = draw(_distinct(set(widths) - set(fixed.values()), len(free) if affine else 0))
    width = fixed | dict(zip(free, chosen, strict=False))
    activation = st.sampled_from(activations).flatmap(_activation)
    stack: list[Layer] = [] if affine else [draw(activation)]
    for k in range(affine):
        stack.append(draw(st.sampled_from(layers))(width[k], width[k + 1]))
        if k + 1 < affine or draw(last):
            stack.append(draw(activation))
    loss = draw(st.sampled_from(losses).flatmap(lambda kind: _losses(kind, width.get(affine))))
    return Network(*stack, loss=loss)


# --------------------------------------------------------------------------------------------- parameters and batches


@st.composite
def parameters(
    draw: DrawFn,
    network: Network,
    *,
    values: SearchStrategy[float] | None = None,
    kinks: bool = False,
    dtype: DTypeLike = np.float64,
) -> FloatArray:
    """Vectors of all parameters of a network.

    Parameters
    ----------
    network
        The network.
    values
        Where each parameter comes from; `ordinary_values` if nothing is given.
    kinks
        Draw small whole numbers instead, and a bias of the first layer that has one as 0: see `batches`.
    dtype
        float64 or float32.

    Examples
    --------
    >>> from hypothesis import find
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(1, 2), loss=refnn.SquaredError())
    >>> find(parameters(network), lambda w: True)
    array([0., 0., 0., 0.])
    """
    if values is None:
        values = st.integers(-3, 3).map(float) if kinks else ordinary_values()
    w = draw(_array(values, (network.size,), dtype))
    biases = [bias for name, bias in network.unpack(w).items() if name.endswith("bias")]
    if kinks and biases:
        biases[0][draw(st.integers(0, biases[0].size - 1))] = 0
    return w


def _widths_of(network: Network) -> set[int]:
    return {n for shape in network.names().values() for n in shape}


@st.composite
def batches(
    draw: DrawFn,
    network: Network,
    *,
    samples: int | SearchStrategy[int] | None = None,
    values: SearchStrategy[float] | None = None,
    kinks: bool = False,
    dtype: DTypeLike = np.float64,
) -> tuple[FloatArray, FloatArray | IntArray]:
    """Batches (x, y) for a network: samples, some of them repeated, and targets in every form that its loss takes.

    Parameters
    ----------
    network
        The network.
    samples
        How many, or a strategy for it. By default 1 or a number that is no power of two, and in either case different
        from every width of the network.
    values
        Where each element of x, and of y if targets are real numbers, comes from. By default a batch holds either
        `ordinary_values` or `extreme_values`.
    kinks
        Draw x as small whole numbers, with a sample of zeros. Together with ``parameters(network, kinks=True)`` that
        puts a unit of the first layer exactly on its kink, z = 0, and often more: nothing rounds in whole numbers.
    dtype
        float64 or float32, that of the parameters.

    Examples
    --------
    >>> from hypothesis import find
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(2, 4), loss=refnn.SoftmaxCrossEntropy())
    >>> find(batches(network, samples=3), lambda batch: batch[1].ndim == 1 and batch[1].max() == 3)
    (array([[0., 0.],
           [0., 0.],
           [0., 0.]]), array([0, 0, 3]))
    """
    if samples is None:
        taken = _widths_of(network)
        samples = st.sampled_from(list(islice((n for n in count(1) if _is_odd_size(n) and n not in taken), 7)))
    size = draw(_strategy(samples))
    inputs = network.inputs or draw(st.sampled_from([n for n in _WIDTHS if n != size]))
    if values is None:
        values = draw(st.sampled_from((ordinary_values(), extreme_values(dtype=dtype))))
    x = draw(_array(st.integers(-3, 3).map(float) if kinks else values, (size, inputs), dtype))
    if draw(st.booleans()):
        x = x[draw(st.lists(st.integers(0, size - 1), min_size=size, max_size=size))]
    if kinks:
        x[draw(st.integers(0, size - 1))] = 0
    return x, draw(_targets(network.loss_function, size, network.outputs or inputs, values, dtype))


def _is_odd_size(n: int) -> bool:
    """Whether n is 1 or no power of two."""
    return n == 1 or n & (n - 1) != 0


@st.composite
def _targets(
    draw: DrawFn, loss: Loss, samples: int, outputs: int, values: SearchStrategy[float], dtype: DTypeLike
) -> FloatArray | IntArray:
    """Targets of a batch: classes or probability rows, or rows of real numbers; a single column may be (N,)."""
    if isinstance(loss, SoftmaxCrossEntropy):
        if draw(st.booleans()):
            return draw(_probability_rows(samples, outputs, dtype))
        classes = st.integers(0, outputs - 1)
        return np.array(draw(st.lists(classes, min_size=samples, max_size=samples)), dtype=np.int64)
    if isinstance(loss, BinaryCrossEntropy):
        values = st.sampled_from((0.0, 1.0, 0.5, 0.3))
    rows = draw(_array(values, (samples, outputs), dtype))
    return rows[:, 0] if outputs == 1 and draw(st.booleans()) else rows


@st.composite
def _probability_rows(draw: DrawFn, samples: int, classes: int, dtype: DTypeLike) -> FloatArray:
    """Shares of whole numbers: each is correctly rounded, so that a row sums to 1 as nearly as rows of floats do."""
    shares = draw(_array(st.sampled_from((0.0, 1.0, 2.0, 5.0)), (samples, classes), np.float64))
    shares[shares.sum(axis=1) == 0, draw(st.integers(0, classes - 1))] = 1
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=dtype)


def batch_sizes(samples: int) -> SearchStrategy[int]:
    """Sizes for `refnn.MiniBatch` that do not divide the number of samples, so that the last batch is smaller.

    Powers of two are left out where other sizes remain; for one sample or two, nothing remains but to divide.

    Parameters
    ----------
    samples
        How many samples an epoch has.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(batch_sizes(7), lambda size: size < 5), find(batch_sizes(9), lambda size: size > 6)
    (3, 7)
    """
    uneven = [n for n in range(1, samples) if samples % n]
    return st.sampled_from([n for n in uneven if _is_odd_size(n)] or uneven or [samples])


@st.composite
def cases(
    draw: DrawFn,
    network: Network | SearchStrategy[Network] | None = None,
    *,
    samples: int | SearchStrategy[int] | None = None,
    parameter_values: SearchStrategy[float] | None = None,
    batch_values: SearchStrategy[float] | None = None,
    kinks: bool = False,
    dtype: DTypeLike = np.float64,
) -> Case:
    """A network with parameters and a batch.

    Parameters
    ----------
    network
        A network, or a strategy for it; `networks` with all its defaults if nothing is given.
    samples, kinks, dtype
        As for `batches` and `parameters`.
    parameter_values, batch_values
        The ``values`` of `parameters` and of `batches`.

    Examples
    --------
    >>> from hypothesis import find
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> case = find(cases(network, samples=3), lambda case: True)
    >>> case.w.shape, case.x.shape
    ((2,), (3, 1))
    """
    if not isinstance(network, Network):
        network = draw(networks() if network is None else network)
    w = draw(parameters(network, values=parameter_values, kinks=kinks, dtype=dtype))
    x, y = draw(batches(network, samples=samples, values=batch_values, kinks=kinks, dtype=dtype))
    return Case(network, w, x, y)
