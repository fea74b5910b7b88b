"""What the peers are asked: networks of all sizes, and data of the kinds on which rounding errors differ most.

A case draws its batch from a seed, as float64; `Case.question` rounds it to a format, so that every peer begins with
exactly the same numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, final

import ml_dtypes
import numpy as np

from refnn import Dense, Layer, Network, activations
from refnn.activations import ELU, GELU, Activation, GELUTanh, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from refnn.losses import BinaryCrossEntropy, Huber, InnerProduct, Loss, SoftmaxCrossEntropy, SquaredError
from tests.peers.changes import (
    Batch,
    Change,
    balanced,
    collinear,
    constant_column,
    distinct_rows,
    few_levels,
    fractions_as_targets,
    given,
    irises,
    nearly_at_kinks,
    outputs_of,
    pixels,
    positive_samples,
    positive_weights,
    probability_rows,
    repeated_units,
    same_samples,
    samples_times,
    shifted,
    sorted_by_class,
    targets_times,
    weights_times,
    whole_numbers,
)
from tests.peers.peer import FORMATS, Format, Peer

NOT_HALF: tuple[Format, ...] = ("float64", "float32", "bfloat16")
"""For numbers beyond the range of float16."""
WIDE: tuple[Format, ...] = ("float64", "float32")


@final
@dataclass(frozen=True, slots=True)
class Case:
    """A network, how many samples, and what is done to normal ones.

    Those that are `quick` take every peer but those that compile milliseconds. Networks that several cases share, or
    that have many parameters and few layers, are worth a compilation; others are not put to those that compile.
    """

    name: str
    network: Network
    samples: int
    changes: tuple[Change, ...] = ()
    formats: tuple[Format, ...] = FORMATS
    quick: bool = False
    worth_compiling: bool = False

    def batch(self, seed: int = 0) -> Batch:
        """In float64; another one for each seed."""
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        w = self.network.initial_parameters(rng=rng)
        batch = Batch(w + rng.normal(size=w.shape) / 16, rng.normal(size=(self.samples, _inputs(self.network))), w[:0])
        batch = batch._replace(y=_targets(self.network, self.samples, rng))
        for change in self.changes:
            batch = change(self.network, batch, rng)
        return batch

    def question(self, dtype: Format, seed: int = 0) -> Batch:
        """The batch, rounded to a format and widened again; classes stay what they are."""
        return Batch(*(rounded(array, dtype) for array in self.batch(seed)))

    def formats_of(self, peer: Peer) -> tuple[Format, ...]:
        """In which formats this case is put to a peer."""
        if not peer.supports(self.network):
            return ()
        formats = tuple(dtype for dtype in self.formats if dtype in peer.formats)
        return formats if self.worth_compiling or not peer.compiles else ()


def rounded(array: np.ndarray, dtype: Format) -> np.ndarray:
    """Float64 numbers that are numbers of the format; integers stay integers."""
    if array.dtype.kind in "iu":
        return array
    return array.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype).astype(np.float64)


def _inputs(network: Network) -> int:
    return next(layer.inputs for layer in network.layers if isinstance(layer, Dense))


def _targets(network: Network, samples: int, rng: np.random.Generator) -> np.ndarray:
    shape = samples, outputs_of(network)
    if isinstance(network.loss_function, SoftmaxCrossEntropy):
        return rng.integers(0, shape[1], size=samples)
    if isinstance(network.loss_function, BinaryCrossEntropy):
        return rng.integers(0, 2, size=shape).astype(np.float64)
    return rng.normal(size=shape)


def net(widths: Sequence[int], activation: Activation, loss: Loss, *, last: bool = False) -> Network:
    """Dense layers of these widths with the activation between them, and behind the last if asked for."""
    layers: list[Layer] = [part for pair in pairwise(widths) for part in (Dense(*pair), activation)]
    return Network(*layers[: None if last else -1], loss=loss)


# ------------------------------------------------------------------------------------------------------------ the cases

_CLASSES = SoftmaxCrossEntropy()
_MODEST = net((7, 32, 16, 5), Tanh(), _CLASSES)
_RECTIFIED = net((7, 32, 16, 5), ReLU(), _CLASSES)
_UNBOUNDED = SoftmaxCrossEntropy(scale=2)
"""For cases that are so sure and so wrong that the loss of scikit-learn, which has no scale, is off: see `KNOWN`."""
_REGRESSION = net((6, 24, 12, 1), Tanh(), SquaredError())

_KINDS: tuple[Activation, ...] = (
    *(kind() for kind in activations.ALL),
    LeakyReLU(-0.3),
    ELU(1.7),
)
_LOSSES: tuple[tuple[Loss, tuple[Change, ...]], ...] = (
    (SquaredError(reduction="sum"), ()),
    (SquaredError(reduction="elements", scale=2), ()),
    (SquaredError(scale=Fraction(1, 3)), ()),
    (Huber(), ()),
    (Huber(reduction="elements", delta=0.3), ()),
    (BinaryCrossEntropy(), ()),
    (BinaryCrossEntropy(reduction="elements"), (fractions_as_targets,)),
    (BinaryCrossEntropy(reduction="sum", scale=0.3), ()),
    (SoftmaxCrossEntropy(reduction="sum"), ()),
    (SoftmaxCrossEntropy(reduction="elements"), (probability_rows,)),
    (SoftmaxCrossEntropy(label_smoothing=0.1), ()),
    (SoftmaxCrossEntropy(class_weights=(0.5, 3.0, 0.0, 1.0), reduction="weights"), ()),
    (SoftmaxCrossEntropy(class_weights=(0.3, 2.0, 1.7, 0.1), label_smoothing=0.2), (probability_rows,)),
    (InnerProduct(), ()),
)


def _small() -> Iterator[Case]:
    """Every activation, and every loss with its settings."""
    for f in _KINDS:
        yield Case(f"activation {f}", net((5, 11, 3), f, _CLASSES), 29, quick=True)
    for f in _KINDS[::3]:
        yield Case(f"activation {f} last", net((3, 7, 2), f, SquaredError(), last=True), 13)
    for loss, changes in _LOSSES:
        yield Case(f"loss {loss}", net((5, 13, 4), Tanh(), loss), 23, changes, quick=True)
    for samples in (1, 2, 512):
        yield Case(f"{samples} samples", net((1, 6, 2), SiLU(), _CLASSES), samples)
    yield Case("one weight", net((1, 1), Identity(), SquaredError()), 1, quick=True)
    yield Case("one layer", net((9, 5), Identity(), _CLASSES), 31)
    yield Case("width one", net((1, 1, 1, 1), Tanh(), SquaredError()), 17)


def _unkind() -> Iterator[Case]:
    """Data on which errors are large, small, or all the same."""
    for network, kind in ((_MODEST, "tanh"), (_RECTIFIED, "relu")):
        unbounded = Network(*network.layers, loss=_UNBOUNDED)
        yield Case(f"columns of all scales, {kind}", unbounded, 55, (samples_times(1e-3, 1e3),))
        yield Case(f"small weights, {kind}", network, 55, (weights_times(1e-2),), worth_compiling=True)
        yield Case(f"large weights, {kind}", unbounded, 55, (weights_times(6),))
        yield Case(f"tiny data, balanced, {kind}", network, 55, (samples_times(1e-4), balanced), worth_compiling=True)
        yield Case(f"collinear, {kind}", network, 55, (collinear,), worth_compiling=True)
        yield Case(
            f"mean of a thousand spreads, {kind}", network, 55, (samples_times(1e-2), shifted(10)), worth_compiling=True
        )
        yield Case(f"one sample 512 times, {kind}", network, 512, (distinct_rows(1),), worth_compiling=True)
        yield Case(f"three samples, {kind}", network, 512, (distinct_rows(3),), worth_compiling=True)
        yield Case(f"repeated units, {kind}", network, 55, (repeated_units,), worth_compiling=True)
        yield Case(
            f"repeated units, one sample, balanced, {kind}",
            network,
            55,
            (repeated_units, same_samples, balanced),
            worth_compiling=True,
        )
        yield Case(f"few levels, {kind}", network, 55, (few_levels,), worth_compiling=True)
        yield Case(f"a constant column, {kind}", network, 55, (constant_column,), worth_compiling=True)
        yield Case(f"sorted by class, {kind}", network, 512, (sorted_by_class,), worth_compiling=True)
        yield Case(
            f"positive weights and samples, {kind}",
            network,
            55,
            (positive_weights, positive_samples),
            worth_compiling=True,
        )
    for f in (Tanh(), Sigmoid()):
        saturated = net((6, 10, 4), f, _CLASSES)
        yield Case(f"saturated, {f}", saturated, 19, (samples_times(20),))
        yield Case(f"some saturated, {f}", saturated, 19, (samples_times(0.1, 100),))
        yield Case(f"confident and wrong, {f}", net((6, 10, 4), f, _UNBOUNDED), 19, (weights_times(8),))
    yield Case("repeated rows, regression", _REGRESSION, 512, (distinct_rows(2),))
    yield Case("large targets", _REGRESSION, 37, (targets_times(50),))
    yield Case("targets beyond float16's squares", _REGRESSION, 37, (targets_times(3e4),), NOT_HALF)
    yield Case("tiny targets and weights", _REGRESSION, 37, (targets_times(1e-3), weights_times(1e-2)))
    yield Case("whole numbers, relu", net((5, 8, 6, 3), ReLU(), SquaredError()), 27, (whole_numbers,), quick=True)
    yield Case("whole numbers, one output", net((5, 8, 1), ReLU(), SquaredError()), 27, (whole_numbers,))
    yield Case("nearly at kinks", net((6, 20, 3), ReLU(), _CLASSES), 20, (nearly_at_kinks,), quick=True)
    yield Case("nearly at kinks, LeakyReLU", net((6, 20, 3), LeakyReLU(), Huber()), 20, (nearly_at_kinks,))
    yield Case("irises", net((4, 8, 3), Tanh(), _CLASSES), 150, (irises(standardised=False),), quick=True)
    yield Case("irises, standardised", net((4, 8, 3), Tanh(), _CLASSES), 150, (irises(standardised=True),))
    yield Case("irises, relu", net((4, 8, 3), ReLU(), _CLASSES), 150, (irises(standardised=False),))
    yield Case("large", net((5, 9, 3), ReLU(), Huber()), 11, (samples_times(1e3), weights_times(1e4)), NOT_HALF)
    yield Case("large, float32", net((5, 9, 3), ReLU(), Huber()), 11, (samples_times(1e12), weights_times(1e6)), WIDE)


def _large() -> Iterator[Case]:
    """Deep and wide ones, which have most of the elements."""
    yield Case("deep, tanh", net((5, *[24] * 9, 3), Tanh(), _CLASSES), 30)
    yield Case("deep, relu", net((5, *[48] * 9, 3), ReLU(), _CLASSES), 30)
    yield Case("deep, positive", net((8, *[16] * 7, 4), Sigmoid(), BinaryCrossEntropy()), 33, (positive_weights,))
    yield Case(
        "deep, relu, positive",
        net((8, *[12] * 5, 4), ReLU(), _CLASSES),
        33,
        (positive_weights, positive_samples, weights_times(0.25)),
    )
    yield Case("deep, mixed", _mixed(), 21)
    yield Case("wide inputs", net((1024, 96, 10), ReLU(), _CLASSES), 48, (samples_times(0.5, 2),), worth_compiling=True)
    yield Case("wide middle", net((3, 1024, 5), Tanh(), SquaredError(reduction="sum")), 70, worth_compiling=True)
    yield Case("wide outputs", net((12, 1000), Identity(), _CLASSES), 64, worth_compiling=True)
    yield Case("pixels", net((784, 160, 64, 10), ReLU(), _CLASSES), 64, (pixels,), worth_compiling=True)
    yield Case("pixels, sigmoid", net((784, 64, 10), Sigmoid(), _CLASSES), 300, (pixels,))
    probable = BinaryCrossEntropy(reduction="elements")
    yield Case("512 wide", net((40, 512, 256, 7), SiLU(), probable), 36, worth_compiling=True)
    yield Case("256 wide", net((256, 256, 128, 6), Tanh(), _CLASSES), 100, worth_compiling=True)


def _mixed() -> Network:
    """Every activation once, each between layers of other widths."""
    kinds = (Sigmoid(), Tanh(), ReLU(), LeakyReLU(), ELU(), Softplus(), SiLU(), GELU(), GELUTanh())
    widths = (6, 13, 17, 11, 19, 14, 9, 16, 10, 12, 5)
    layers = [part for pair, f in zip(pairwise(widths), kinds, strict=False) for part in (Dense(*pair), f)]
    return Network(*layers, Dense(12, 5), loss=_CLASSES)


CASES: tuple[Case, ...] = (*_small(), *_unkind(), *_large())
QUICK: tuple[Case, ...] = tuple(case for case in CASES if case.quick)


# ------------------------------------------------------------------------------------ where peers are known to be wrong


@final
@dataclass(frozen=True, slots=True)
class Known:
    """A case, and the field that a peer answers with an error that is more than rounding."""

    peer: str
    dtype: Format
    field: Literal["outputs", "loss", "gradient"]
    case: Case
    reason: str


def _of(activation: Activation, z: float) -> Case:
    """A function and its derivative at one place."""
    network = Network(Dense(1, 1), activation, loss=InnerProduct())
    return Case(f"{activation} at {z}", network, 1, (given([z, 0], [1], np.ones((1, 1))),))


def _three(loss: Loss, y: np.ndarray) -> Case:
    return Case(f"three outputs, {loss}", Network(Dense(1, 3), loss=loss), 1, (given([60, 0, 1, 0, 0, 0], [1], y),))


KNOWN: tuple[Known, ...] = (
    Known("torch", "float64", "outputs", _of(Softplus(), 20.5), "softplus is z beyond 20, where exp(−z) is 2e-9"),
    Known("torch", "float64", "gradient", _of(Softplus(), 20.5), "and its slope 1"),
    Known("mygrad", "float64", "outputs", _of(ELU(), -1e-10), "ELU is exp(z) − 1, which cancels near 0"),
    Known("scikit-learn", "float64", "loss", _three(_CLASSES, np.array([1])), "probabilities are at least 2.2e-16"),
    Known(
        "scikit-learn",
        "float64",
        "loss",
        _three(SquaredError(), np.array([[3.0, 1.0, 7.0]])),
        "the regressor's loss is divided by the number of outputs; its gradient is not",
    ),
    Known("jax", "float64", "gradient", _of(ELU(), -38), "the slope is ELU + 1, which loses the tail"),
    Known("jax", "float16", "outputs", _of(Sigmoid(), -11.1), "1/(1 + exp(−z)), where exp overflows and σ is 1.5e-5"),
)
"""What no setting excuses."""

STRICT: tuple[Known, ...] = (
    Known("torch", "float64", "outputs", _of(GELU(), -9), "1 + erf(z/√2) loses the tail"),
    Known("torch", "float64", "outputs", _of(GELUTanh(), -7), "1 + tanh(u) loses the tail"),
    Known("torch", "float64", "gradient", _of(Tanh(), 20), "1 − tanh² loses the tail"),
    Known("torch", "float64", "gradient", _of(Sigmoid(), 40), "σ(1 − σ) loses the tail"),
    Known(
        "torch",
        "float64",
        "loss",
        Case(
            "right and sure",
            net((1, 1), Identity(), BinaryCrossEntropy()),
            1,
            (given([-40, 0], [1], np.zeros((1, 1))),),
        ),
        "z − log σ(z) loses the tail",
    ),
    Known("jax", "float32", "outputs", _of(Identity(), 2.0**-140), "XLA flushes what is below the normal range to 0"),
)
"""What is within the tolerance for most libraries, and seen by one that asks for tails, and for gradual underflow."""
