"""What is said of wrong answers that no fault predicts: what they have in common, and where they depart first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import cycle, pairwise, starmap

import numpy as np
from numpy.typing import NDArray

from refnn.activations import Activation
from refnn.arithmetic.precision import Precision, precision_named
from refnn.arrays import FloatArray
from refnn.errors import RefnnError
from refnn.layers import Dense, Layer
from refnn.losses import InnerProduct
from refnn.network import Network
from refnn.oracle.budget import Question, asked, ratios
from refnn.search.drawing import seeded_case
from refnn.search.examining import Outcome, Terms, examine
from refnn.search.probing import Probe, probes_of
from refnn.search.target import Target
from refnn.strategies import Case

__all__ = ["departure", "unsteady"]


def departure(target: Target, probes: Sequence[Probe], terms: Terms) -> str:
    """What the wrong answers have in common, and where they depart first.

    The first question is the one that is shown: what is said of layers is said of its network, or names another one.
    """
    wrong = [probe for probe in probes if not probe.right]
    if 2 * len(wrong) >= len(probes):
        for name in _COARSER[terms.precision.storage]:
            if _are_of(precision_named(name), probes, terms):
                return f"Its numbers are those of {name}: somewhere on the way, they are rounded to it."
    order = _in_another_order(wrong)
    if order:
        return order
    said = [
        "No fault of the catalogue gives these numbers.",
        _first(target, probes, terms),
        *(remark(wrong) for remark in (_not_finite, _accuracy)),
        _independent(target, probes, terms),
        *(remark(target, wrong, terms) for remark in (_mixed, _right_if_square)),
    ]
    return " ".join(filter(None, said))


def unsteady(target: Target, cases: Iterable[Case], terms: Terms) -> str:
    """What is to be said if three answers to one question differ, or nothing.

    The gradients may grow by the right one each time.
    """
    for case in cases:
        probes = [probe for _ in range(3) for probe in probes_of(target, case, terms)]
        pairs = list(pairwise(probes))
        if len(pairs) == 2 and all(_grown(*pair) for pair in pairs):
            return _ADDS_UP
        if any(one.expected.apart(one.answer, other.answer) > 2 for one, other in pairs):
            return _LATE if [probe.right for probe in probes] == [False, True, True] else _RANDOM
    return ""


_ADDS_UP = (
    "The gradients of successive calls add up: what does yours set to zero before each of them (in PyTorch, zero_grad)?"
)
_LATE = "Asked again, it answers rightly: it is one call late, and answers with what the call before it has left."
_RANDOM = (
    "It answers one question otherwise from call to call: is there something random in it (dropout that was left on), "
    "or something that a call leaves behind?"
)


def _grown(one: Probe, other: Probe) -> bool:
    """Whether all gradients are off by those of the answer before, and one of them so far that it must be seen."""
    seen = False
    for name in one.answer.keys() & other.answer.keys():
        if not name[0].isdigit():
            continue
        truth, bound, before, after = (
            one.expected.values[name],
            one.expected.bounds[name],
            one.answer[name],
            other.answer[name],
        )
        with np.errstate(all="ignore"):
            size = 4 * one.question.precision.format.unit * (np.abs(before) + np.abs(after))  # sums of both are rounded
            if not (np.abs(after - before - truth) <= bound + size).all():
                return False
            seen = seen or bool((np.abs(truth) > bound + size).any())
    return seen


# ------------------------------------------------------------------------------------------------------------- remarks


def _not_finite(wrong: Sequence[Probe]) -> str:
    lost = any((_off(p, name) & ~np.isfinite(values)).any() for p in wrong for name, values in p.answer.items())
    cause = "does an exponential overflow, or is the logarithm of zero taken, where a stable form does neither?"
    return f"Some of its numbers are not finite, and the truth is: {cause}" if lost else ""


def _off(probe: Probe, name: str) -> NDArray[np.bool_]:
    """Which numbers of a part are farther from the truth than they may be."""
    with np.errstate(all="ignore"):
        near = np.abs(probe.answer[name] - probe.expected.values[name]) <= probe.expected.bounds[name]
    return ~(near | np.isinf(probe.expected.bounds[name]))


def _in_another_order(wrong: Sequence[Probe]) -> str:
    """Whether the numbers of the whole gradient are right but for their places, and nothing else is wrong."""
    for probe in wrong:
        names = probe.question.network.names()
        others = [name for name in probe.answer if name not in names]
        if len(names) < 2 or not set(names) <= set(probe.answer) or not all(_is_right(probe, name) for name in others):
            return ""
        found, truth, bound = (
            np.concatenate([part[name].ravel() for name in names])
            for part in (probe.answer, probe.expected.values, probe.expected.bounds)
        )
        allowed = 2 * np.max(bound, initial=0, where=np.isfinite(bound))
        with np.errstate(all="ignore"):
            off, sorted_off = np.abs(found - truth), np.abs(np.sort(found) - np.sort(truth))
        if (off <= allowed).all() or not (sorted_off <= allowed).all():
            return ""
    return "Its gradient has the right numbers, in another order."


def _accuracy(wrong: Sequence[Probe]) -> str:
    digits = min(map(_digits, wrong))
    cause = "a formula that cancels, as 1 − p does where p is near 1, or a small constant that is added"
    return f"About {digits} digits are right, so that it may be a loss of accuracy: {cause}." if digits >= _SOME else ""


def _about(probe: Probe, shown: Probe, said: str) -> str:
    """What is said of a network, which is named if it is not the one that is shown."""
    network = probe.question.network
    return said if repr(network) == repr(shown.question.network) or not said else f"Asked about {network}: {said}"


def _independent(target: Target, probes: Sequence[Probe], terms: Terms) -> str:
    """Which parameters may change without a change of the outputs."""
    probe = max((p for p in probes if not p.right), key=lambda p: p.question.network.size)
    if "outputs" not in probe.answer or _is_right(probe, "outputs"):
        return ""
    network, nothing = probe.question.network, list[str]()
    named = network.unpack(probe.question.w)
    for name, part in named.items():
        steps = np.linspace(1, 2, part.size).reshape(part.shape)  # equal ones would not change probabilities
        for other in probes_of(target, probe.case._replace(w=network.pack({**named, name: part + steps})), terms):
            (before, may), (after, may_then) = (
                (each.expected.values["outputs"], each.expected.bounds["outputs"]) for each in (probe, other)
            )
            should = (np.abs(after - before) > may + may_then).any()
            if should and np.array_equal(probe.answer["outputs"], other.answer.get("outputs", [])):
                nothing.append(name)
    return _about(probe, probes[0], f"Its outputs do not depend on {', '.join(nothing)}." if nothing else "")


def _mixed(target: Target, wrong: Sequence[Probe], terms: Terms) -> str:
    """Whether the outputs of a sample depend on another one."""
    probe = max(wrong, key=lambda p: len(p.question.x))
    before, x = probe.answer.get("outputs"), probe.question.x.copy()
    if before is None or len(x) == 1 or _is_right(probe, "outputs"):
        return ""
    x[-1] += 1
    for other in probes_of(target, probe.case._replace(x=x), terms):
        after = np.array(other.answer.get("outputs", before))
        after[-1] = before[-1]
        if probe.expected.apart({"outputs": before}, {"outputs": after}) > 2:
            return (
                "The outputs of one sample depend on another sample: is something taken over the samples, or read past "
                "the end of a row?"
            )
    return ""


def _right_if_square(target: Target, wrong: Sequence[Probe], terms: Terms) -> str:
    """Whether it is right about networks of the same layers if all of them are square, and wrong if none is."""
    network = max((probe.question.network for probe in wrong), key=lambda network: network.size)
    for widths in _WIDTHS:
        dense = starmap(Dense, pairwise(cycle(widths)))
        layers = (next(dense) if isinstance(layer, Dense) else layer for layer in network.layers)
        try:
            case = seeded_case(Network(*layers, loss=network.loss_function), (4, widths[0]), seed=0)
            kind = examine(target, case, terms).kind
        except RefnnError:  # layers of somebody's own, or weights of classes, may not fit
            return ""
        if kind != "agrees":
            return _SQUARE if kind == "disagrees" and len(widths) > 1 else ""
    return ""


_WIDTHS = ((3,), (5,), (5, 3), (3, 5))
"""Those of all layers, and those that take turns; the same, lest a fault of some width alone be taken for another."""

_SQUARE = "It is right where all layers have as many inputs as outputs: look at its indices and transposes."


# ------------------------------------------------------------------------------------------------------------ accuracy


def _digits(probe: Probe) -> int:
    """How many decimal digits of a part's largest number are right, in the worst part; 0 if one is no number."""
    worst = 0.0
    for name, values in probe.answer.items():
        truth = probe.expected.values[name]
        size = float(np.max(np.abs(truth), initial=0))
        with np.errstate(over="ignore"):
            error = float(np.max(np.abs(values - truth), initial=0))
        if error > 0 or math.isnan(error):
            worst = max(worst, error / size) if size > 0 and math.isfinite(error) else math.inf
    return max(0, math.floor(-math.log10(worst))) if 0 < worst < math.inf else 0


_SOME = 4
"""A loss of accuracy leaves so many digits; what leaves fewer is a fault of another kind."""


def _are_of(precision: Precision, probes: Sequence[Probe], terms: Terms) -> bool:
    """Whether all numbers are as they would be in a coarser format.

    The numbers of the question may have been rounded to it first, or not. All that are off are numbers of the format,
    and not zero, which is one of each; or else most that are not zero are off, and some by errors of its size.
    """
    worst, changed, may, of_format = 0.0, 0, 0, True
    for probe in probes:
        network, w, x, labels, _, _ = probe.question
        try:
            coarse = terms.expectation(asked(network, w, x, labels, precision))
        except RefnnError:  # a number leaves its range
            return False
        for name, values in probe.answer.items():
            truth = probe.expected.values[name]
            allowed = coarse.bounds[name] + np.abs(coarse.values[name] - truth)
            share = float(np.max(ratios(values - truth, allowed), initial=0))
            if share > 1 or not np.isfinite(allowed).all():
                return False
            worst = max(worst, share)
            if not probe.right:
                off = values[_off(probe, name)]
                changed, may = changed + off.size, may + int(np.count_nonzero(truth))
                of_format = of_format and bool(((precision.format.nearest(off) == off) & (off != 0)).all())
    return of_format or (worst >= _USUAL and 2 * changed >= may)


_USUAL = 2.0**-4
"""Errors of a format reach this share of its bounds, in one number of several questions; smaller ones are of others."""


_COARSER = {
    "float64": ("float32", "float16", "bfloat16"),
    "float32": ("float16", "bfloat16"),
    "bfloat16": (),
    "float16": (),
}
"""The finest first: what is within its bounds is within those of a coarser one, too."""


# ----------------------------------------------------------------------------------------------------------- departure


def _first(target: Target, probes: Sequence[Probe], terms: Terms) -> str:
    """Where they depart first, of the first wrong answer that tells it."""
    wrong = [probe for probe in probes if not probe.right]
    for probe in wrong:
        if said := _place(target, probe, terms):
            return _about(probe, probes[0], said)
    names = sorted({name for probe in wrong for name in _wrong(probe)})
    return f"Only {', '.join(names)} {'is' if len(names) == 1 else 'are'} wrong."


def _place(target: Target, probe: Probe, terms: Terms) -> str:
    """Where an answer departs first: on the way forward, at the loss, or on the way back."""
    names, network = _wrong(probe), probe.question.network
    if "outputs" in names:
        return _forward(target, probe.question, terms)
    if "outputs" in probe.answer and "loss" in names:
        return f"Its outputs are right and its loss is not: look at {network.loss_function}."
    layers = [int(name.split(".")[0]) for name in names if name[0].isdigit()]
    if not layers:
        return ""
    where = _backward(network.layers, max(layers), [name for name in probe.answer if name[0].isdigit()])
    return f"{where} {_handed_back(target, network, terms)}".strip()


def _wrong(probe: Probe) -> list[str]:
    return [name for name in probe.answer if not _is_right(probe, name)]


def _is_right(probe: Probe, name: str) -> bool:
    found = probe.expected.judge({name: probe.answer[name]})
    return found.verdict != "disagrees"


def _handed_back(target: Target, network: Network, terms: Terms) -> str:
    """What is handed back at the first place where it is wrong, and what should be, for a single sample.

    There, the gradient of a bias is the cotangent of what the layer returns.
    """
    if network.inputs is None:
        return ""
    for probe in probes_of(target, seeded_case(network, (1, network.inputs), seed=1), terms):
        found = [
            k for k, layer in enumerate(network.layers) if isinstance(layer, Dense) and f"{k}.bias" in probe.answer
        ]
        wrong = [k for k in found if not _is_right(probe, f"{k}.bias")]
        if wrong and wrong[-1] == len(network.layers) - 1:
            return _of_loss(probe, wrong[-1])
        if wrong and wrong[-1] + 2 in found and isinstance(network.layers[wrong[-1] + 1], Activation):
            return _of_slope(target, probe, wrong[-1], terms)
    return ""


def _of_loss(probe: Probe, k: int) -> str:
    """The derivative of the loss in the outputs, which are those of layer k."""
    network, w, x, labels, _, _ = probe.question
    first = np.argsort(~_off(probe, f"{k}.bias"), kind="stable")  # the wrong ones
    given = network.forward(network.parameters(w), x)[-1][0], labels[0]
    derivative = probe.answer[f"{k}.bias"], probe.expected.values[f"{k}.bias"]
    z, y = (_few(values[first]) for values in given)
    mine, truth = _apart(*(values[first] for values in derivative))
    return f"With the output {z} and the target {y} it has the derivative {mine}, not {truth}."


def _of_slope(target: Target, probe: Probe, k: int, terms: Terms) -> str:
    """By what the activation after layer k multiplies, if it is the same whatever the layers after it hand back."""
    network, off = probe.question.network, _off(probe, f"{k}.bias")
    another = seeded_case(network, probe.case.x.shape, seed=2)
    after = {name: part for name, part in network.unpack(another.w).items() if int(name.split(".")[0]) > k}
    w = network.pack({**network.unpack(probe.question.w), **after})
    for other in probes_of(target, probe.case._replace(w=w, y=another.y), terms):
        own, again = _slopes(probe, k)[off], _slopes(other, k)[off]
        with np.errstate(all="ignore"):
            near = np.abs(own - again) <= _SAME * np.minimum(np.abs(own), np.abs(again))
        if (near | (np.isnan(own) & np.isnan(again))).all():
            activation, z = network.layers[k + 1], network.forward(network.parameters(w), probe.question.x)[k + 1][0]
            slope = activation.backward((), z[off], np.ones(np.count_nonzero(off)))
            mine, true = _apart(own, slope)
            return f"At z = {_few(z[off])} its slope of {activation} is {mine}, not {true}."
    return ""


_SAME = 2.0**-6
"""So near are two quotients that are off by a few roundings of the coarsest format; those that depend on other numbers
differ by their whole size."""


def _slopes(probe: Probe, k: int) -> FloatArray:
    """The gradient in what layer k returns, by what is handed to the activation that follows it, for one sample."""
    network, w, x, _, _, _ = probe.question
    p = network.parameters(w)
    delta = probe.expected.values[f"{k + 2}.bias"][None]
    handed = network.layers[k + 2].backward(p[k + 2], network.forward(p, x)[k + 2], delta)[0]
    with np.errstate(all="ignore"):
        return np.asarray(probe.answer[f"{k}.bias"] / handed)


def _few(values: FloatArray, digits: int = 4) -> str:
    told = ", ".join(f"{value:.{digits}g}" for value in values[:_NUMBERS])
    return f"{told}, …" if len(values) > _NUMBERS else told


_NUMBERS = 4


def _apart(mine: FloatArray, truth: FloatArray) -> tuple[str, str]:
    """A few numbers, the first of which is wrong, and the right ones, with as many digits as tell these two apart."""
    digits = next((d for d in range(4, 17) if f"{mine[0]:.{d}g}" != f"{truth[0]:.{d}g}"), 17)
    return _few(mine, digits), _few(truth, digits)


def _backward(layers: tuple[Layer, ...], last_wrong: int, asked: list[str]) -> str:
    later = [int(name.split(".")[0]) for name in asked if int(name.split(".")[0]) > last_wrong]
    if later:
        between = ", ".join(f"{k} {layers[k]}" for k in range(last_wrong, min(later) + 1))
        right = f"Going back from the loss, gradients are right down to layer {min(later)}, and wrong from layer"
        return f"{right} {last_wrong} on: look between them, at {between}."
    last = f"layer {last_wrong}, {layers[last_wrong]}"
    return f"Its gradient is wrong from {last} on: look at the gradient of the loss, and at what follows that layer."


def _forward(target: Target, question: Question, terms: Terms) -> str:
    """The first layer after which outputs are wrong, by asking for the layers up to each."""
    network = question.network
    for count in range(1, len(network.layers) + 1):
        shorter = Network(*network.layers[:count], loss=InnerProduct())
        w = question.w[: shorter.size]
        y = np.ones((len(question.x), shorter.outputs or question.x.shape[1]))
        outcome: Outcome = examine(target, Case(shorter, w, question.x, y), terms)
        if outcome.comparison is not None and any(
            part.name == "outputs" and part.verdict == "disagrees" for part in outcome.comparison.parts
        ):
            return f"Its outputs are wrong from layer {count - 1} on, {network.layers[count - 1]}."
    return "Its outputs are wrong."
