"""What is asked: networks, parameters and batches of a format, drawn so that the smallest that fail are found.

Numbers come from a seed, so that Hypothesis shrinks networks alone; they become simpler when these are small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from refnn import activations, losses
from refnn.arithmetic.precision import Precision
from refnn.arrays import FloatArray, IntArray
from refnn.checks import count, shown
from refnn.errors import RefnnError, SettingError, TargetError
from refnn.layers import Dense, Layer
from refnn.losses import Loss
from refnn.network import Network
from refnn.oracle.budget import Question, asked
from refnn.search.written import KINDS
from refnn.strategies import Case, batches, extreme_numbers, networks, parameters

__all__ = [
    "Batches",
    "Drawn",
    "Stream",
    "drawn",
    "known_networks",
    "posed",
    "seeded_case",
    "usual_networks",
    "with_extremes",
]

Batches: TypeAlias = "int | SearchStrategy[int] | Callable[[Network], SearchStrategy[tuple[FloatArray, Any]]]"
"""How many samples, a strategy for that, or a function that gives a strategy of batches (x, y) for a network."""

Stream: TypeAlias = str
"""Where numbers come from: ``"ordinary"``, ``"seeded"``, ``"extreme"``, ``"kinks"``, or ``"given"`` by the user."""

_STREAMS: tuple[Stream, ...] = (*("ordinary",) * 5, *("seeded",) * 3, *("kinks",) * 2, *("extreme",) * 2)
"""Each as often as it should be drawn, the simplest first."""


class Drawn(NamedTuple):
    """A question as it was drawn.

    Attributes
    ----------
    case
        The network, its parameters and a batch, whose numbers are rounded to the storage format when it is asked.
    stream
        Where its numbers come from.
    place
        The block in which it was drawn, and the number there; None if it was not drawn by Hypothesis.
    """

    case: Case
    stream: Stream
    place: tuple[int, int] | None = None


def usual_networks() -> SearchStrategy[Network]:
    """Networks of all activations and losses: mostly small ones with their usual settings, and some with others."""
    plain: dict[str, Any] = {
        "activations": [kind() for kind in activations.ALL],
        "losses": [kind() for kind in losses.ALL],
        "last": st.just(False),
    }
    small = networks(widths=(1, 2, 3, 4, 5, 6, 7), **plain)
    wide = networks(depth=st.integers(1, 3), widths=tuple(range(16, 97, 16)), **plain)
    square = _square(st.integers(2, 4), plain["activations"], plain["losses"])
    varied = _with_other_settings(small)
    return st.sampled_from([*[small] * 6, *[varied] * 2, square, wide]).flatmap(lambda kind: kind)


@st.composite
def _square(draw: DrawFn, widths: SearchStrategy[int], kinds: Sequence[Layer], of: Sequence[Loss]) -> Network:
    """Two layers, the last of which is square: a transpose goes unnoticed elsewhere, and is wrong where it fits."""
    hidden = draw(widths)
    first, last = Dense(hidden + 1, hidden), Dense(hidden, hidden)
    return Network(first, draw(st.sampled_from(kinds)), last, loss=draw(st.sampled_from(of)))


_SETTINGS: Mapping[type[object], tuple[str, tuple[float, ...]]] = {
    activations.LeakyReLU: ("slope", (0.25, -0.5)),
    activations.ELU: ("alpha", (0.5, 1.7)),
    losses.Huber: ("delta", (0.3, 2.5)),
    losses.SoftmaxCrossEntropy: ("label_smoothing", (0.1, 0.5)),
}
"""What layers and losses may be set to, besides what is usual."""


@st.composite
def _with_other_settings(draw: DrawFn, of: SearchStrategy[Network]) -> Network:
    """Networks whose layers and losses are set otherwise than usual."""

    def otherwise(part: Any, **changes: Any) -> Any:
        if type(part) in _SETTINGS:
            name, values = _SETTINGS[type(part)]
            changes[name] = draw(st.sampled_from(values))
        return replace(part, **changes)

    network = draw(of)
    loss = otherwise(network.loss_function, scale=draw(st.sampled_from((0.3, 1, 2))))
    if isinstance(loss, losses.SoftmaxCrossEntropy) and network.outputs is not None and draw(st.booleans()):
        loss = replace(loss, class_weights=tuple(islice(cycle((0.5, 3, 1)), network.outputs)))
    return Network(*map(otherwise, network.layers), loss=loss)


def known_networks(capabilities: Mapping[str, Any]) -> tuple[SearchStrategy[Network], SearchStrategy[int]]:
    """Networks of what a program says that it knows, and numbers of samples.

    Parameters
    ----------
    capabilities
        The kinds of layers and losses, reductions, which dimensions there may be, and whether settings may be others
        than the usual ones.

    Raises
    ------
    SettingError
        If it knows no dense layer, no loss, or fewer than two dimensions.

    Examples
    --------
    >>> from hypothesis import find
    >>> known = {"layers": ["dense", "relu"], "losses": ["squared_error"], "reductions": ["sum"],
    ...          "dimensions": {"multiple_of": 4, "max": 64}}
    >>> networks, samples = known_networks(known)
    >>> find(networks, lambda network: True), find(samples, lambda size: True)
    (Network(Dense(inputs=4, outputs=8), loss=SquaredError(reduction='sum', scale=1)), 4)
    """
    known = {name: KINDS.get(name) for name in (*capabilities["layers"], *capabilities["losses"])}
    kinds = [kind() for name in capabilities["layers"] if (kind := known[name]) in activations.ALL]
    of_batch = [
        kind(reduction=reduction)
        for name in capabilities["losses"]
        for reduction in capabilities["reductions"]
        if (kind := known[name]) in losses.ALL and reduction in kind().reductions()
    ]
    if "dense" not in capabilities["layers"] or not of_batch:
        raise SettingError(
            f"the program knows the layers {shown(capabilities['layers'])} and losses {shown(capabilities['losses'])}",
            "a question needs a dense layer, and a loss with a reduction that it knows",
            "Add them to its capabilities",
        )
    step, most = capabilities["dimensions"].get("multiple_of", 1), capabilities["dimensions"].get("max", 96)
    small = tuple(step * k for k in range(1, 8) if step * k <= most)
    if len(small) < 2:
        raise SettingError(
            f"the program knows the dimensions {shown(capabilities['dimensions'])}",
            "the widths of a network are different, and these leave fewer than two",
            "Let it know larger ones",
        )
    far = step * -(-16 // step)  # the first that is 16 or more
    wide = tuple(far * k for k in range(1, 7) if far * k <= most)
    depths = st.integers(1, min(3, len(small) - 1) if kinds else 1)
    plain: dict[str, Any] = {"activations": kinds, "losses": of_batch, "last": st.just(False), "depth": depths}
    few = st.sampled_from([step * size for size in (1, 2, 3, 5, 7, 6, 11) if step * size <= most])
    usual = networks(widths=small, **plain)
    some = [*[usual] * 6, *[_with_other_settings(usual) if capabilities.get("settings") != "usual" else usual] * 2]
    if step == 1 and kinds:
        some.append(_square(st.sampled_from(small[:-1]), kinds, of_batch))
    if len(wide) > 3:
        some.append(networks(widths=wide, **plain))
    return st.sampled_from(some).flatmap(lambda kind: kind), few


@st.composite
def drawn(
    draw: DrawFn,
    of: Network | SearchStrategy[Network],
    samples: Batches | None,
    values: SearchStrategy[float] | None,
    precision: Precision,
) -> Drawn:
    """Questions.

    Parameters
    ----------
    of
        The network, of which only the numbers vary, or a strategy for it.
    samples
        How many, or a function that gives a strategy of batches (x, y) for a network.
    values
        Where each number comes from; if it is None, from several places.
    precision
        The implementation.

    Raises
    ------
    SettingError
        When drawn, if the batch or the values do not fit the network, or its format.
    """
    network = of if isinstance(of, Network) else draw(of)
    if not isinstance(network, Network):
        raise SettingError(
            f"{shown(network)} was drawn", "networks is a strategy for networks", "Pass refnn.testing.networks(…), say"
        )
    seed = draw(_SEEDS)
    stream = "given" if values is not None or callable(samples) else draw(st.sampled_from(_STREAMS))
    if callable(samples):
        batch = samples(network)
        if not isinstance(batch, SearchStrategy):
            raise SettingError(
                f"batches returned {shown(batch)}",
                "a function gives a strategy of (x, y)",
                "Return strategies.tuples(…), say",
            )
        x, y = _pair(draw(batch))
        if values is not None:
            w = draw(parameters(network, values=values))
        else:
            w = seeded_case(network, (1, network.inputs or 1), seed=seed, stream="ordinary").w
    else:
        size = count("batches", samples if isinstance(samples, int) else draw(_SIZES if samples is None else samples))
        w, x, y = draw(_numbers(network, size, seed, stream, values, precision))
    try:
        case, _ = posed(Case(network, w, x, y), precision)
    except RefnnError as error:
        if isinstance(error, TargetError) and not callable(samples):  # only classes of weight 0, by chance
            reject()
        raise SettingError(
            f"a batch was drawn that does not fit {network!r}: {error.given}", error.why, error.remedy
        ) from error
    return Drawn(case, stream)


def _pair(drawn_: object) -> tuple[Any, Any]:
    if not isinstance(drawn_, tuple) or len(drawn_) != 2:
        raise SettingError(
            f"batches drew {shown(drawn_)}", "a function gives a strategy of (x, y)", "Return strategies.tuples(…), say"
        )
    return drawn_


def _number(drawn_: object) -> float:
    if isinstance(drawn_, bool) or not isinstance(drawn_, int | float | np.integer | np.floating):
        raise SettingError(f"values drew {shown(drawn_)}", "each is a number", "Pass strategies.floats(-1, 1), say")
    return float(drawn_)


_SIZES = st.sampled_from((1, 2, 3, 5, 7, 6, 11, 13, 3, 5, 7, 10))


@st.composite
def _numbers(
    draw: DrawFn,
    network: Network,
    size: int,
    seed: int,
    stream: Stream,
    values: SearchStrategy[float] | None,
    precision: Precision,
) -> tuple[FloatArray, FloatArray, FloatArray | IntArray]:
    """Parameters and a batch; from a seed, unless it is said where numbers come from.

    So a simpler network has no other choices to make, which is what Hypothesis shrinks best.
    """
    inputs = network.inputs or draw(st.integers(1, 7))
    if values is not None:
        values = values.map(_number)
        if network.size + size * (inputs + (network.outputs or inputs)) > _FEW:
            some = draw(st.lists(values, min_size=1, max_size=_FEW))
            case = seeded_case(network, (size, inputs), seed=seed, stream="given", among=some)
            return case.w, case.x, case.y
        w = draw(parameters(network, values=values))
        x, y = draw(batches(network, samples=size, values=values))
        return w, x, y
    case = seeded_case(network, (size, inputs), seed=seed, stream=stream, among=_extremes(precision))
    return case.w, case.x, case.y


def _extremes(precision: Precision) -> list[float]:
    return extreme_numbers(largest=_largest(precision))


_SEEDS = st.tuples(*[st.booleans()] * 16).map(lambda bits: sum(bit << k for k, bit in enumerate(bits)))
"""By bits: whole numbers are mostly drawn small, or such as stand in the user's code."""

_FEW = 64
"""So many numbers, at most, are drawn one by one, or at all, if it is said where they come from."""


def _largest(precision: Precision) -> float:
    """A size whose square, summed over a few terms, is in the range of the format."""
    return min(1e8, float(2.0 ** (math.floor(math.log2(precision.format.largest)) // 2 - 5)))


def seeded_case(
    network: Network,
    shape: tuple[int, int],
    *,
    seed: int,
    stream: Stream = "seeded",
    among: Sequence[float] = (),
) -> Case:
    """Numbers of a seed, and targets that the loss takes.

    Parameters
    ----------
    network
        The network.
    shape
        That of x, samples and inputs.
    seed
        Of all numbers.
    stream
        ``"ordinary"``, multiples of 1/250 between −2 and 2; ``"seeded"``, normal numbers, with weights such that no
        layer grows them much; ``"kinks"``, small whole numbers, with a sample and a bias of zeros; else of `among`.
    among
        The numbers that there may be.

    Examples
    --------
    >>> import refnn
    >>> network = refnn.Network(refnn.Dense(2, 3), loss=refnn.SoftmaxCrossEntropy())
    >>> seeded_case(network, (4, 2), seed=0, stream="ordinary").w[:4]
    array([ 1.404,  0.548,  0.044, -0.92 ])
    """
    rng = np.random.default_rng(seed)

    def some(shape: tuple[int, ...]) -> FloatArray:
        if stream == "seeded":
            return rng.normal(0, 1, shape)
        if stream == "ordinary":
            return rng.integers(-500, 501, shape) / 250
        return rng.integers(-3, 4, shape).astype(np.float64) if stream == "kinks" else rng.choice(among, shape)

    w = some((network.size,))
    parts = list(network.unpack(w).values())
    for part in parts if stream == "seeded" else ():
        part /= math.sqrt(part.shape[0]) if part.ndim == 2 else 10
    x, outputs = some(shape), network.outputs or shape[1]
    if stream == "kinks":
        x[0] = 0
        for bias in [part for part in parts if part.ndim == 1][:1]:
            bias[0] = 0
    elif rng.integers(4) == 0:
        x = x[rng.integers(0, shape[0], shape[0])]  # samples that come again
    if isinstance(network.loss_function, losses.SoftmaxCrossEntropy):
        return Case(network, w, x, _classes(network.loss_function, (shape[0], outputs), rng))
    if isinstance(network.loss_function, losses.BinaryCrossEntropy):
        return Case(network, w, x, rng.choice([0.0, 1.0, 0.5, 0.3], (shape[0], outputs)))
    return Case(network, w, x, some((shape[0], outputs)))


def _classes(loss: losses.SoftmaxCrossEntropy, shape: tuple[int, int], rng: np.random.Generator) -> IntArray:
    samples, outputs = shape
    classes = rng.integers(0, outputs, samples)
    if loss.class_weights is not None:
        classes[0] = np.argmax(loss.class_weights)  # one of a batch has to count
    return classes


def with_extremes(some: Iterable[Drawn], more: int, precision: Precision) -> Iterator[Drawn]:
    """Questions, and more with extreme numbers: about each kind of layer and loss that is among them, in turn.

    Of what overflows, each kind has its own formula; of those that are drawn, too few may have such numbers.
    """
    simplest: dict[type[object], Case] = {}
    for drawn_ in some:
        yield drawn_
        case = drawn_.case
        for kind in map(type, (*case.network.layers, case.network.loss_function)):
            if kind not in simplest or _rank(case) < _rank(simplest[kind]):
                simplest[kind] = case
    for seed, case in enumerate(islice(cycle(simplest.values()), more)):
        extreme = seeded_case(case.network, case.x.shape, seed=seed, stream="extreme", among=_extremes(precision))
        yield Drawn(posed(extreme, precision)[0], "extreme")


def _rank(case: Case) -> tuple[int, bool, int]:
    """How much stands between what a layer is given and the numbers of a question; one sample tells less than two."""
    return len(case.network.layers), len(case.x) == 1, case.network.size


def posed(case: Case, precision: Precision) -> tuple[Case, Question]:
    """A case with the numbers that the storage format holds and targets in one form, and the question that it is.

    Examples
    --------
    >>> import numpy as np, refnn
    >>> from refnn.arithmetic.precision import precision_named
    >>> network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    >>> case = Case(network, np.array([0.1, 1.0]), np.array([[3.0]]), np.array([5.0]))
    >>> posed(case, precision_named("bfloat16"))[0].w
    array([0.10009766, 1.        ])
    """
    question = asked(*case, precision)
    classes = isinstance(case.network.loss_function, losses.SoftmaxCrossEntropy) and np.ndim(case.y) == 1
    y = np.asarray(case.y, dtype=np.int64) if classes else question.labels
    return Case(case.network, question.w, question.x, y), question
