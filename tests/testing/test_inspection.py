"""Each warning appears for a test that deserves it, most of them real ones, and a good test has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import pytest

import refnn
from refnn import Dense, Identity, InnerProduct, Network, ReLU, SoftmaxCrossEntropy, SquaredError, Tanh
from refnn.arrays import A, FloatArray
from refnn.search.squashing import Softmax
from refnn.testing import Inspection, inspect_test
from refnn.witnesses import textbook
from tests.witnesses.networks import Scale

GRADCHECK: dict[str, Any] = {"rtol": 1e-3, "atol": 1e-5}
"""The defaults of PyTorch's gradcheck, for float64."""


class Asked(NamedTuple):
    network: Network
    w: FloatArray
    x: FloatArray
    y: Any


def good(samples: int = 11, *, seed: int = 0) -> Asked:
    """A question that hides nothing: widths and samples are different primes, and all numbers are drawn."""
    random = np.random.default_rng(seed)
    network = Network(Dense(5, 7), Tanh(), Dense(7, 3), loss=SoftmaxCrossEntropy())
    w, x = random.normal(size=network.size), random.normal(size=(samples, 5))
    return Asked(network, w, x, np.arange(samples) % 3)


def inspected(asked: Asked, precision: str = "float64", **how: Any) -> Inspection:
    return inspect_test(*asked, precision=precision, **how)


def kinds(inspection: Inspection) -> list[str]:
    return [finding.kind for finding in inspection.findings]


def said(inspection: Inspection, kind: str) -> str:
    """The one finding of a kind."""
    (found,) = (finding for finding in inspection.findings if finding.kind == kind)
    return str(found)


def gradient_of(asked: Asked) -> FloatArray:
    """By the textbook's scalar text, which shares no line with the core."""
    found = textbook.testify(*asked).values.gradient
    assert found is not None
    return found


def passing(wrong: FloatArray, right: FloatArray, how: Mapping[str, float]) -> int:
    """For how many elements a wrong gradient passes, by the definition of the two tolerances."""
    pairs = zip(wrong.tolist(), right.tolist(), strict=True)
    return sum(abs(a - e) <= how.get("atol", 0) + how.get("rtol", 0) * abs(e) for a, e in pairs)


# --------------------------------------------------------------------------------------------------------- a good test


@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_in_a_good_test(precision: str, seed: int) -> None:
    asked = good(seed=seed)
    assert inspected(asked, precision).findings == ()
    pair = refnn.tolerance(*asked, precision=precision).as_tolerances()
    inspection = inspected(asked, precision, rtol=pair.rtol, atol=pair.atol)
    assert inspection.findings == ()
    assert inspection.tolerances == {"gradient": pair}
    inspection.require()


def test_nothing_is_found_in_a_good_test_of_all_fields() -> None:
    fields = ("outputs", "loss", "gradient", "input_gradient")
    inspection = inspected(good(), fields=fields)
    assert inspection.findings == ()
    assert inspection.tolerances.keys() == set(fields)
    names = ["outputs", "loss", "0.weight", "0.bias", "2.weight", "2.bias", "input_gradient"]
    assert [(part.name, part.elements) for part in inspection.parts] == list(
        zip(names, (33, 1, 35, 7, 21, 3, 55), strict=True)
    )


def test_bounds_are_exactly_what_refnn_needs() -> None:
    """Without tolerances each element is allowed its bound, so that the ratio is 1."""
    assert {part.ratio for part in inspected(good()).parts} == {1.0}


# ------------------------------------------------------------------------------------------------- tolerance and signal


def scaled(by: float) -> Asked:
    """Small inputs make small gradients of the first weight."""
    asked = good()
    return asked._replace(x=asked.x * by)


def test_gradcheck_lets_zeros_pass_where_gradients_are_small() -> None:
    asked = scaled(1e-4)
    inspection, right = inspected(asked, **GRADCHECK), gradient_of(asked)
    of_weight = right[:35]
    zeros = passing(0 * of_weight, of_weight, GRADCHECK)
    assert 0 < zeros == passing(2 * of_weight, of_weight, GRADCHECK) < 35
    assert f"zeros, and twice the truth, pass for {zeros} of 35 elements of the gradient of 0.weight" in said(
        inspection, "loose"
    )
    assert [part.zeros for part in inspection.parts] == [zeros, 0, 0, 0]


def test_gradcheck_is_left_alone_where_gradients_are_large() -> None:
    asked = good()
    assert passing(0 * asked.w, gradient_of(asked), GRADCHECK) == 0
    assert "loose" not in kinds(inspected(asked, **GRADCHECK))


def test_gradients_below_the_tolerance() -> None:
    """As in openfold-3, where all gradients were: then a derivative that is missing passes as well."""
    inspection = inspected(scaled(1e-6), rtol=0, atol=10)
    assert [part.zeros for part in inspection.parts] == [part.elements for part in inspection.parts]
    assert kinds(inspection) == ["loose"] * 5
    assert "from which the derivative of layer 1 (Tanh()) is missing" in inspection.findings[-1].what


def test_the_tolerances_that_are_proposed_are_good() -> None:
    asked = scaled(1e-4)
    text = said(inspected(asked, **GRADCHECK), "loose")
    pair: dict[str, Any] = {name: float(text.partition(f"{name}=")[2].split(",")[0]) for name in GRADCHECK}
    assert inspected(asked, **pair).findings == ()


def test_one_tolerance_alone() -> None:
    assert "loose" in kinds(inspected(scaled(1e-4), atol=1e-5))
    assert "loose" not in kinds(inspected(scaled(1e-4), rtol=1e-3))


def nearly_linear() -> Asked:
    """Units within ±0.0024 of 0, where tanh′ = 1 − tanh² is within 6e-6 of 1."""
    asked = good()
    w = np.concatenate([asked.w[:42] / 1e4, asked.w[42:]])
    assert np.max(np.abs(asked.x @ w[:35].reshape(5, 7) + w[35:42])) < 0.0024
    return asked._replace(w=w)


def test_a_derivative_that_the_tolerance_does_not_see() -> None:
    asked = nearly_linear()
    _, w, x, y = asked
    delta = textbook.testify(Network(Dense(7, 3), loss=SoftmaxCrossEntropy()), w[42:], np.tanh(hidden(w, x)), y)
    assert delta.values.input_gradient is not None
    without = np.concatenate([(x.T @ delta.values.input_gradient).ravel(), delta.values.input_gradient.sum(axis=0)])
    assert passing(without, gradient_of(asked)[:42], {"rtol": 1e-3}) == 42
    inspection = inspected(asked, rtol=1e-3)
    assert "a gradient pass from which the derivative of layer 1 (Tanh()) is missing" in said(inspection, "loose")
    assert passing(without, gradient_of(asked)[:42], {"rtol": 1e-9}) == 0
    assert inspected(asked, rtol=1e-9).findings == ()


def hidden(w: FloatArray, x: FloatArray) -> FloatArray:
    """The inputs of the tanh."""
    return x @ w[:35].reshape(5, 7) + w[35:42]


def test_a_relu_whose_units_are_all_positive() -> None:
    random = np.random.default_rng(0)
    network = Network(Dense(2, 3), ReLU(), Dense(3, 5), loss=SquaredError())
    w, x = random.uniform(1, 2, network.size), random.uniform(1, 2, (7, 2))
    asked = Asked(network, w, x, random.normal(size=(7, 5)))
    assert kinds(inspected(asked)) == ["inert layer"]
    assert "the derivative of layer 1 (ReLU()) out changes nothing" in said(inspected(asked), "inert layer")
    assert kinds(inspected(asked._replace(x=random.normal(size=(7, 2)) - 1))) == []


def test_only_derivatives_that_are_looked_at_are_judged() -> None:
    """That of a first activation is needed for the input gradient alone, and an identity has none to leave out."""
    random = np.random.default_rng(0)
    network = Network(ReLU(), Dense(2, 3), Identity(), loss=SquaredError())
    asked = Asked(network, random.normal(size=9), random.uniform(1, 2, (5, 2)), random.normal(size=(5, 3)))
    assert kinds(inspected(asked)) == []
    assert kinds(inspected(asked, fields=("outputs", "loss"))) == []
    assert kinds(inspected(asked, fields=("input_gradient",))) == ["inert layer"]


def test_a_wrong_gradient_that_overflows_is_no_finding() -> None:
    """Without the derivative 0 of a unit at −1, the gradient of its weight is 1e200·1e200."""
    network = Network(Dense(1, 2), ReLU(), Dense(2, 1), loss=SquaredError())
    w = [-1e-200, -3e-200, 0.5, 0.25, 1e200, 2e200, 3.0]
    inspection = inspect_test(network, w, [[1e200], [2e200], [3e200]], [[1.0], [2.0], [5.0]], precision="float64")
    assert "inert layer" not in kinds(inspection)
    assert "loose" not in kinds(inspection)


# ------------------------------------------------------------------------------------------------------- false alarms


def test_a_tolerance_below_the_rounding_errors() -> None:
    inspection = inspected(good(), rtol=1e-16)
    assert kinds(inspection) == ["tight"] * 4
    assert [part.false_alarms for part in inspection.parts] == [35, 7, 21, 3]  # float64 itself rounds by 1.1e-16
    assert "honest float64 may fail for 35 of 35 elements of the gradient of 0.weight" in str(inspection)


def test_false_alarms_are_counted_from_the_bounds_on() -> None:
    """With the median of the 66 bounds as the tolerance, the 33 above it (fewer, if some are equal) may be exceeded."""
    asked = good()
    bounds = refnn.tolerance(*asked, precision="float64").gradient
    above = sum(bound > np.sort(bounds)[32] for bound in bounds.tolist())
    inspection = inspected(asked, atol=float(np.sort(bounds)[32]))
    assert sum(part.false_alarms for part in inspection.parts) == above > 20
    named = [part.name for part in inspection.parts if part.false_alarms]
    told = [finding.what for finding in inspection.findings if finding.kind == "tight"]
    assert len(told) == len(named)
    assert all(name in what for name, what in zip(named, told, strict=True))


def test_the_tolerance_of_onnx_fails_honest_bfloat16() -> None:
    """rtol=1e-3 and atol=1e-7 for every dtype; bfloat16 rounds by up to 2**-9 ≈ 2e-3."""
    assert set(kinds(inspected(good(), "bfloat16", rtol=1e-3, atol=1e-7))) == {"tight"}
    assert kinds(inspected(good(), "float32", rtol=1e-3, atol=1e-7)) == []


def test_no_tolerance_at_all() -> None:
    """0 and 0 allow nothing: the factor is infinite."""
    inspection = inspected(good(), rtol=0, atol=0)
    assert "by up to inf times" in inspection.findings[0].what


def test_what_may_overflow() -> None:
    """300·300 is beyond 65504, the largest number of float16."""
    network = Network(Dense(1, 2), loss=SquaredError())
    asked = Asked(network, np.array([300.0, 1.0, 0.5, 0.25]), np.array([[300.0], [2.0], [3.0]]), np.eye(3, 2))
    inspection = inspected(asked, "float16", rtol=1e-2, atol=1e-2)
    assert "elements of the gradient of 0.weight may overflow float16" in str(inspection)
    assert inspection.tolerances == {}
    assert "unbounded" not in kinds(inspected(asked, "float32"))


# ----------------------------------------------------------------------------------------------------- one direction


def positive_direction(size: int) -> FloatArray:
    """As that of gradcheck's fast mode."""
    return np.random.default_rng(1).uniform(0, 1, size)


def test_a_single_projection_misses_a_doubled_element() -> None:
    """As gradcheck's fast mode does: what it says is what holds for each element in turn."""
    asked = scaled(1e-3)
    v, right = positive_direction(asked.network.size), gradient_of(asked)
    allowed = GRADCHECK["atol"] + GRADCHECK["rtol"] * abs(v @ right)
    doubled = [right + right * (np.arange(66) == k) for k in range(66)]
    unseen = sum(abs(v @ wrong - v @ right) <= allowed for wrong in doubled)
    text = said(inspected(asked, directions=v, **GRADCHECK), "projection")
    assert unseen > 5
    assert "errors in 65 of 66 dimensions are not seen at all" in text
    assert f"of one element alone, zero or twice the truth passes for {unseen} of 66" in text
    assert f"and {np.median(allowed / abs(v * right)):.2g} of itself too much in the median" in text


def test_as_many_directions_as_parameters_see_everything() -> None:
    asked = good()
    directions = np.random.default_rng(1).normal(size=(66, 66))
    assert inspected(asked, directions=directions).findings == ()
    directions[3] = directions[5]
    assert "errors in 1 of 66 dimensions" in said(inspected(asked, directions=directions), "projection")


def test_zeros_pass_for_a_direction_across_the_gradient() -> None:
    """[6, 2] is the gradient, and (1, −3) is orthogonal to it."""
    network = Network(Dense(1, 1), loss=SquaredError())
    asked = Asked(network, np.array([2.0, 1.0]), np.array([[3.0]]), np.array([[5.0]]))
    assert gradient_of(asked).tolist() == [6, 2]
    across = inspected(asked, directions=[1.0, -3.0], atol=1e-9)
    assert "zeros pass in place of the whole gradient" in said(across, "loose")
    assert "zeros pass" not in "".join(map(str, inspected(asked, directions=[1.0, -2.0], atol=1e-9).findings))


def test_a_direction_with_a_tolerance_that_is_too_small() -> None:
    inspection = inspected(good(), directions=positive_direction(66), rtol=1e-18)
    assert "Use refnn.compare" in inspection.findings[-1].remedy
    assert kinds(inspection)[-1] == "tight"


# ------------------------------------------------------------------------------------------------ gradients that vanish


def softmaxed(cotangent: FloatArray) -> Asked:
    asked = good()
    return asked._replace(network=Network(*asked.network.layers, Softmax(), loss=InnerProduct()), y=cotangent)


def test_a_sum_behind_softmax_is_constant() -> None:
    """As in cs249r_book: Σ softmax(z) is 1, and its gradient 0 but for roundings."""
    inspection = inspected(softmaxed(np.ones((11, 3))), **GRADCHECK)
    assert kinds(inspection) == ["vanishing"] * 4 + ["cotangent"]
    assert "the gradient of 0.weight is not above its rounding errors in float64" in inspection.findings[0].what
    assert "all numbers of the cotangent y are 1" in said(inspection, "cotangent")
    drawn = np.random.default_rng(1).normal(size=(11, 3))
    assert inspected(softmaxed(drawn)).findings == ()


def test_a_gradient_that_is_exactly_zero() -> None:
    """The targets are the outputs: 2·3 + 1 = 7 and 2·5 + 1 = 11."""
    asked = Asked(
        Network(Dense(1, 1), loss=SquaredError()),
        np.array([2.0, 1.0]),
        np.array([[3.0], [5.0]]),
        np.array([[7.0], [11.0]]),
    )
    inspection = inspected(asked, **GRADCHECK, directions=[1.0, 2.0])
    assert kinds(inspection)[:2] == ["vanishing", "vanishing"]
    assert "the gradient of 0.bias is exactly zero" in inspection.findings[1].what
    assert "projection" not in kinds(inspection)


def test_the_single_number_one_is_a_cotangent_that_may_be_ignored() -> None:
    network = Network(Dense(3, 1), loss=InnerProduct())
    w, x = np.array([0.5, 0.25, 2.0, 0.75]), np.array([[1.5, 2.0, 3.0]])
    assert "cotangent" in kinds(inspected(Asked(network, w, x, np.array([[1.0]]))))
    assert "cotangent" not in kinds(inspected(Asked(network, w, x, np.array([[1.5]]))))


# ----------------------------------------------------------------------------------------------- numbers that are equal


def test_all_dimensions_are_five() -> None:
    """As in onnx #7805."""
    random = np.random.default_rng(0)
    network = Network(Dense(5, 5), Tanh(), Dense(5, 5), loss=SquaredError())
    asked = Asked(network, random.normal(size=60), random.normal(size=(5, 5)), random.normal(size=(5, 5)))
    assert kinds(inspected(asked)) == ["equal dimensions"]
    assert "samples, inputs, outputs of layer 0, outputs of layer 2 are all 5" in str(inspected(asked))


def test_a_layer_that_keeps_the_width_is_not_blamed() -> None:
    random = np.random.default_rng(0)
    network = Network(Scale(3), Dense(3, 2), loss=SquaredError())
    asked = Asked(network, random.normal(size=11), random.normal(size=(5, 3)), random.normal(size=(5, 2)))
    assert inspected(asked).findings == ()


def test_one_sample() -> None:
    assert kinds(inspected(good(samples=1))) == ["one sample"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda asked: asked._replace(x=np.ones((11, 5))), "all numbers of x are 1"),
        (lambda asked: asked._replace(x=np.tile(asked.x[:1], (11, 1))), "all samples are equal"),
        (lambda asked: asked._replace(x=np.tile(asked.x[:, :1], (1, 5))), "all inputs of a sample are equal"),
        (lambda asked: asked._replace(y=np.zeros(11, int)), "all samples have the same target"),
        (
            lambda asked: asked._replace(w=np.concatenate([asked.w[:35], np.zeros(7), asked.w[42:63], np.ones(3)])),
            "all numbers of 0.bias, 2.bias are equal",
        ),
    ],
)
def test_numbers_that_hide_their_places(change: Any, what: str) -> None:
    assert what in said(inspected(change(good())), "equal numbers")


def test_targets_of_zeros() -> None:
    asked = good()
    regression = asked._replace(network=Network(*asked.network.layers, loss=SquaredError()), y=np.zeros((11, 3)))
    assert "all samples have the same target" in said(inspected(regression), "equal numbers")


@final
@dataclass(frozen=True)
class Hollow:
    """z = x, with a parameter that has no elements."""

    @property
    def inputs(self) -> None:
        return

    @property
    def outputs(self) -> None:
        return

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"nothing": (0,)}

    def forward(self, parameters: tuple[A, ...], x: A) -> A:
        return x

    def backward(self, parameters: tuple[A, ...], x: A, delta: A) -> A:
        return delta

    def gradient(self, parameters: tuple[A, ...], x: A, delta: A) -> tuple[A, ...]:
        return parameters


def test_an_empty_parameter_is_no_part() -> None:
    asked = good()
    inspection = inspected(
        asked._replace(
            network=Network(Hollow(), *asked.network.layers, loss=SquaredError()),
            y=np.random.default_rng(1).normal(size=(11, 3)),
        )
    )
    assert [part.name for part in inspection.parts] == ["1.weight", "1.bias", "3.weight", "3.bias"]
    assert inspection.findings == ()


# ---------------------------------------------------------------------------------------------------------------- kinks


def kinked(x: list[list[float]]) -> Asked:
    """A unit that is x₀ + x₁ + x₂, and one that is x₀ + 2x₁ − x₂."""
    network = Network(Dense(3, 2), ReLU(), Dense(2, 1), loss=SquaredError())
    w = np.array([1.0, 1.0, 1.0, 2.0, 1.0, -1.0, 0.0, 0.0, 2.0, 3.0, 0.5])
    return Asked(network, w, np.array(x), np.arange(1.0, 1 + len(x)))


def test_units_on_their_kink() -> None:
    inspection = inspected(
        kinked([[1.0, 2.0, 4.0], [1.0, 3.0, 7.0], [2.0, -1.0, -1.0], [1.0, -3.0, 5.0], [2.0, 3.0, 1.0]])
    )
    text = said(inspection, "kink")
    assert "2 of 10 inputs of layer 1 (ReLU()) cannot be told from its kink at 0" in text
    assert "the first at [1, 0]" not in text
    assert "the first at [1, 1]" in text


def test_a_unit_that_only_rounding_keeps_off_its_kink() -> None:
    """0.1 + 0.2 − 0.3 is 2.8e-17 in real numbers and 5.6e-17 in floats."""
    rows = [[1.0, 2.0, 4.0], [0.1, 0.2, -0.3], [2.0, -5.0, 1.0], [1.0, -3.0, 5.0], [2.0, 3.0, 1.0]]
    assert "1 of 10" in said(inspected(kinked(rows)), "kink")
    rows[1] = [0.1, 0.2, -0.30001]
    assert "kink" not in kinds(inspected(kinked(rows)))


# --------------------------------------------------------------------------------------------------- what it looks like


def test_what_is_printed() -> None:
    inspection = inspected(good(samples=1), **GRADCHECK)
    assert repr(inspection) == "<Inspection: 1 finding: one sample>"
    lines = str(inspection).splitlines()
    assert lines[0] == "1 finding"
    assert lines[1].startswith("  one sample: a sum over the samples and their mean are the same")
    assert lines[-1].startswith("bounds for float64")
    assert lines[-2].startswith("gradient: rtol=")
    assert repr(inspected(good())) == "<Inspection: no findings>"
    assert str(inspected(good())).startswith("no findings\n")
    assert "2 findings: " in repr(inspected(good(samples=1)._replace(x=np.ones((1, 5)))))


def test_one_remedy_is_told_once() -> None:
    """Of four parameters, whose tolerances are those of the gradient."""
    text = str(inspected(scaled(1e-6), rtol=0, atol=10))
    assert text.count("Use rtol=") == 1
    first, *others = text.splitlines()[1:6]
    assert first.endswith("pass for 35 of 35 elements of the gradient of 0.weight.")
    assert others[-1].startswith("  All of these: Use rtol=")
    assert others[-2].endswith("of 2.bias.")


def test_tolerances_with_which_all_could_be_zeros_are_not_proposed() -> None:
    """A cancellation: the residual is 1e-5, and float32 rounds x·w = 2e4 by up to 1e-3, a hundred times as much."""
    network, x = Network(Dense(2, 3), loss=SquaredError()), np.array([[1e4, 1e4], [1e4, 1.001e4]])
    w = np.array([1.0, 1, 1, -1, -1, -1, 0, 0, 0])
    cancelled = Asked(network, w, x, x @ w[:6].reshape(2, 3) + 1e-5)
    inspection = inspected(cancelled, "float32", rtol=1e-3, atol=1e-3, fields=("outputs", "gradient"))
    assert refnn.tolerance(*cancelled, precision="float32").as_tolerances().rtol > 1
    assert inspection.tolerances.keys() == {"outputs"}
    of_gradient = [finding for finding in inspection.findings if "gradient of" in finding.what]
    assert "tight" in {finding.kind for finding in of_gradient}
    assert not any("rtol" in finding.remedy for finding in of_gradient)
    assert "gradient: rtol" not in str(inspection)
    nothing = Asked(network, 0 * w, 0 * x, np.zeros((2, 3)))
    assert inspected(nothing, fields=("outputs", "gradient"), rtol=1e-3).tolerances == {}
    assert "would do" not in str(inspected(nothing, rtol=1e-3))


def test_no_number_is_rounded() -> None:
    """Where nothing rounds, any tolerance is infinitely more than what is needed."""
    network = Network(Dense(1, 1), loss=InnerProduct())
    inspection = inspect_test(network, [2.0, 1.0], [[3.0]], [[5.0]], precision="float64", atol=1, fields=["gradient"])
    assert inspection.parts[1].ratio == np.inf


def test_it_is_neither_true_nor_false() -> None:
    with pytest.raises(refnn.SettingError, match=r"call inspection\.require"):
        bool(inspected(good()))


def test_require_tells_all() -> None:
    inspection = inspected(good(samples=1))
    with pytest.raises(AssertionError) as caught:
        inspection.require()
    assert str(caught.value) == str(inspection)


# ------------------------------------------------------------------------------------------------------ bad arguments


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"rtol": -1e-9}, refnn.SettingError, "rtol is -1e-09"),
        ({"atol": -1}, refnn.SettingError, "atol is -1"),
        ({"atol": float("nan")}, refnn.SettingError, "atol is nan"),
        ({"fields": "gradient"}, refnn.SettingError, "Pass a tuple of some of 'outputs', 'loss'"),
        ({"fields": ()}, refnn.SettingError, "what the test looks at"),
        ({"fields": {"loss"}}, refnn.SettingError, "what the test looks at"),
        ({"fields": ("gradients",)}, refnn.SettingError, "what the test looks at"),
        ({"fields": ("loss",), "directions": np.ones(66)}, refnn.SettingError, "inspect the others apart"),
        ({"directions": np.ones(65)}, refnn.ShapeError, r"\(65,\), expected \(66,\) or \(k, 66\)"),
        ({"directions": 1.0}, refnn.ShapeError, r"have shape \(\)"),
        ({"directions": np.ones((1, 1, 66))}, refnn.ShapeError, r"have shape \(1, 1, 66\)"),
        ({"directions": np.ones((0, 66))}, refnn.ShapeError, r"have shape \(0, 66\)"),
        ({"directions": np.full(66, np.nan)}, refnn.NonFiniteError, "directions"),
        ({"precision": "tf32"}, refnn.SettingError, "tf32"),
    ],
)
def test_bad_arguments(how: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        inspect_test(*good(), **{"precision": "float64", **how})


def test_a_network_without_parameters_has_no_gradient() -> None:
    network = Network(Tanh(), loss=SquaredError())
    with pytest.raises(refnn.SettingError, match="no number to look at"):
        inspect_test(network, [], [[0.5]], [[1.0]], precision="float64")
    inspect_test(network, [], [[0.5]], [[1.0]], precision="float64", fields=("input_gradient",))
