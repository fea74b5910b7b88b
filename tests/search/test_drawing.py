"""What is asked: every source of numbers is reached, all of it fits, and what a user draws that does not is refused."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refnn
from refnn import activations, losses
from refnn.arithmetic.precision import FORMATS, precision_named
from refnn.errors import RefnnError, SettingError, ShapeError
from refnn.network import Network
from refnn.search.drawing import Drawn, drawn, known_networks, posed, seeded_case, usual_networks, with_extremes
from refnn.strategies import Case, extreme_numbers
from tests.test_strategies import exists, pre_activations, sample, smallest, widths

F64, F16 = precision_named("float64"), precision_named("float16")

FIXED = Network(refnn.Dense(2, 5), refnn.ReLU(), refnn.Dense(5, 3), loss=refnn.SquaredError())
NETWORKS = [Network(refnn.Dense(2, 4), refnn.Tanh(), refnn.Dense(4, 3), loss=kind()) for kind in losses.ALL]
STREAMS = ("ordinary", "seeded", "extreme", "kinks")

COUNTED = refnn.SoftmaxCrossEntropy(class_weights=(0, 0.5, 0, 2, 0), reduction="weights")
"""Refuses batches whose classes all weigh nothing, which is about every fifth of two samples."""


def of_stream(stream: str, questions: list[Drawn]) -> list[Case]:
    return [question.case for question in questions if question.stream == stream]


@cache
def some_drawn() -> list[Drawn]:
    return sample(drawn(usual_networks(), None, None, F64), 300)


# ------------------------------------------------------------------------------------------------------------- networks


def test_usual_networks_are_of_all_kinds_mostly_with_usual_settings() -> None:
    found = sample(usual_networks(), 400)
    layers = {layer for network in found for layer in network.layers if not isinstance(layer, refnn.Dense)}
    others = {refnn.LeakyReLU(0.25), refnn.LeakyReLU(-0.5), refnn.ELU(0.5), refnn.ELU(1.7)}
    usual_layers = {kind() for kind in activations.ALL}
    assert usual_layers < layers <= usual_layers | others
    usual = {kind() for kind in losses.ALL}
    of_batch = [network.loss_function for network in found]
    assert set(of_batch) > usual
    assert sum(loss in usual for loss in of_batch) > 0.6 * len(of_batch)
    assert {loss.scale for loss in of_batch} == {0.3, 1, 2}
    assert {loss.delta for loss in of_batch if isinstance(loss, refnn.Huber)} == {0.3, 1, 2.5}
    smoothed = [loss for loss in of_batch if isinstance(loss, refnn.SoftmaxCrossEntropy)]
    assert {loss.label_smoothing for loss in smoothed} == {0, 0.1, 0.5}
    assert {None if loss.class_weights is None else loss.class_weights[:2] for loss in smoothed} >= {None, (0.5, 3)}
    assert all(isinstance(network.layers[-1], refnn.Dense) for network in found)
    assert all(isinstance(network.layers[0], refnn.Dense) for network in found)
    assert {len(widths(network)) - 1 for network in found} == {1, 2, 3}


def test_most_usual_networks_are_small_and_some_are_wider() -> None:
    found = [widths(network) for network in sample(usual_networks(), 150)]
    small = [max(dimensions) for dimensions in found if max(dimensions) <= 7]
    wide = [dimensions for dimensions in found if max(dimensions) > 7]
    assert len(small) > len(wide) > 0
    assert all(16 <= width <= 96 and width % 16 == 0 for dimensions in wide for width in dimensions)


KNOWN: dict[str, Any] = {
    "layers": ["dense", "relu", "gelu_tanh"],
    "losses": ["huber", "softmax_cross_entropy"],
    "reductions": ["sum", "weights"],
    "dimensions": {},
}


def known(**changes: object) -> dict[str, Any]:
    return {**KNOWN, **changes}


def test_known_networks_are_of_what_is_known() -> None:
    found = sample(known_networks(known(settings="usual"))[0], 150)
    layers = {layer for network in found for layer in network.layers if not isinstance(layer, refnn.Dense)}
    assert layers == {refnn.ReLU(), refnn.GELUTanh()}
    assert {network.loss_function for network in found} == {
        refnn.Huber(reduction="sum"),
        refnn.SoftmaxCrossEntropy(reduction="sum"),
        refnn.SoftmaxCrossEntropy(reduction="weights"),
    }
    assert {len(widths(network)) - 1 for network in found} == {1, 2, 3}
    any_, usual = (
        {network.loss_function for network in sample(known_networks(known(**settings))[0], 150)}
        for settings in ({}, {"settings": "usual"})
    )
    assert any_ > usual


@pytest.mark.parametrize(
    ("dimensions", "small", "wide", "samples"),
    [
        ({}, range(1, 8), range(16, 97, 16), {1, 2, 3, 5, 6, 7, 11}),
        ({"max": 5}, range(1, 6), (), {1, 2, 3, 5}),
        ({"multiple_of": 3, "max": 20}, range(3, 19, 3), (), {3, 6, 9, 15, 18}),
        ({"multiple_of": 8}, range(8, 57, 8), range(16, 97, 16), {8, 16, 24, 40, 48, 56, 88}),
        ({"multiple_of": 16, "max": 80}, range(16, 81, 16), range(16, 81, 16), {16, 32, 48, 80}),
    ],
)
def test_known_dimensions_are_honoured(dimensions: dict[str, int], small: Any, wide: Any, samples: set[int]) -> None:
    networks, sizes = known_networks(known(dimensions=dimensions))
    found = {width for network in sample(networks, 200) for width in widths(network)}
    assert {*small} <= found <= {*small, *wide}
    assert not wide or found & {*wide} - {*small} or {*wide} <= {*small}
    assert set(sample(sizes, 100)) == samples


def test_two_dimensions_are_enough_for_one_layer() -> None:
    found = sample(known_networks(known(dimensions={"multiple_of": 4, "max": 11}))[0], 50)
    assert {tuple(widths(network)) for network in found} == {(4, 8), (8, 4)}


def test_without_activations_there_is_one_layer() -> None:
    found = sample(known_networks(known(layers=["dense"]))[0], 50)
    assert {len(network.layers) for network in found} == {1}


def test_what_refnn_does_not_know_is_left_out() -> None:
    """Another's kinds, and kinds of losses among layers, or of layers among losses."""
    more = known(
        layers=["huber", "conv2d", *KNOWN["layers"]],
        losses=["relu", "dense", "hinge", *KNOWN["losses"]],
        reductions=["median", "sum", "weights"],
    )
    found = sample(known_networks(more)[0], 100)
    layers = {layer for network in found for layer in network.layers if not isinstance(layer, refnn.Dense)}
    assert layers == {refnn.ReLU(), refnn.GELUTanh()}
    assert {type(network.loss_function) for network in found} == {refnn.Huber, refnn.SoftmaxCrossEntropy}


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": ["relu"]},
        {"layers": []},
        {"losses": []},
        {"losses": ["hinge", "relu"]},
        {"reductions": []},
        {"reductions": ["median"]},
        {"losses": ["huber"], "reductions": ["weights"]},
    ],
    ids=repr,
)
def test_a_question_needs_a_dense_layer_and_a_loss(changes: dict[str, Any]) -> None:
    with pytest.raises(
        SettingError, match=r"the program knows the layers .* a dense layer, and a loss with a reduction"
    ):
        known_networks(known(**changes))


@pytest.mark.parametrize("dimensions", [{"max": 1}, {"multiple_of": 8, "max": 15}, {"multiple_of": 8, "max": 7}])
def test_a_question_needs_two_dimensions(dimensions: dict[str, int]) -> None:
    with pytest.raises(SettingError, match=r"the program knows the dimensions .*: .* these leave fewer than two"):
        known_networks(known(dimensions=dimensions))


# ------------------------------------------------------------------------------------------------------------- streams


def test_every_stream_is_reached_and_most_are_ordinary() -> None:
    counts = Counter(question.stream for question in some_drawn())
    assert set(counts) == set(STREAMS)
    assert counts.most_common(1)[0][0] == "ordinary"


def test_ordinary_numbers_are_multiples_of_a_250th() -> None:
    for case in of_stream("ordinary", some_drawn()):
        for array in (case.w, case.x):
            assert (array == np.round(array * 250) / 250).all()
            assert np.abs(array).max() <= 2


def test_a_unit_is_exactly_at_its_kink() -> None:
    for case in of_stream("kinks", some_drawn()):
        z = case.x @ case.network.unpack(case.w)["0.weight"] + case.network.unpack(case.w)["0.bias"]
        assert (z == 0).any()
        assert set(case.w) | set(case.x.ravel()) <= set(range(-3, 4))


def test_a_rectified_unit_is_at_its_kink_in_a_question_about_it() -> None:
    questions = [question.case for question in sample(drawn(FIXED, None, None, F64), 150) if question.stream == "kinks"]
    assert questions
    assert all((pre_activations(case)[0] == 0).any() for case in questions)


def test_numbers_that_hurt_are_drawn() -> None:
    extreme = of_stream("extreme", some_drawn())
    for case in extreme:
        assert set(case.w) | set(case.x.ravel()) <= set(extreme_numbers())
    assert any(np.abs(case.x).max() == 1e8 for case in extreme)
    assert any(((case.x != 0) & (np.abs(case.x) < 1e-100)).any() for case in extreme)


@pytest.mark.parametrize("name", FORMATS)
def test_a_few_squares_of_the_numbers_that_hurt_are_in_range(name: str) -> None:
    """Terms of products of two, as many as the widest small layer has, and their mean."""
    precision = precision_named(name)
    cases = of_stream("extreme", sample(drawn(FIXED, None, None, precision), 150))
    largest = max(np.abs(case.x).max() for case in cases)
    assert 1 < 8 * largest**2 < precision.format.largest


def test_most_numbers_of_samples_are_no_powers_of_two_and_one_occurs() -> None:
    sizes = Counter(len(question.case.x) for question in some_drawn())
    assert sizes[1]
    assert sum(count for size, count in sizes.items() if size > 2 and size.bit_count() == 1) == 0
    assert set(sizes) <= {1, 2, 3, 5, 6, 7, 10, 11, 13}


def test_samples_come_again_in_some() -> None:
    exists(
        drawn(FIXED, 5, None, F64),
        lambda question: question.stream == "seeded" and len(np.unique(question.case.x, axis=0)) < 5,
    )


def comes_from(stream: str) -> Callable[[Drawn], bool]:
    return lambda question: question.stream == stream


def test_where_numbers_come_from_is_a_choice_of_its_own() -> None:
    """So that of each stream the simplest seed is found."""
    for stream in STREAMS:
        found = smallest(drawn(FIXED, 1, None, F64), comes_from(stream))
        simplest = seeded_case(FIXED, (1, 2), seed=0, stream=stream, among=extreme_numbers())
        assert all(a.tobytes() == b.tobytes() for a, b in zip(found.case[1:], simplest[1:], strict=True))


# ------------------------------------------------------------------------------------------------------------- extreme

TANH = Network(refnn.Dense(2, 3), refnn.Tanh(), refnn.Dense(3, 5), loss=refnn.SquaredError())
ABSOLUTE = Network(refnn.Dense(3, 2), loss=refnn.Huber())


def question(network: Network, samples: int, seed: int = 1) -> Drawn:
    return Drawn(seeded_case(network, (samples, network.inputs or 2), seed=seed), "seeded")


def more_of(questions: list[Drawn], more: int, name: str = "float64") -> list[Drawn]:
    """Those that come after the questions themselves."""
    found = list(with_extremes(iter(questions), more, precision_named(name)))
    assert all(a is b for a, b in zip(found, questions, strict=False))
    return found[len(questions) :]


def test_more_with_extreme_numbers_are_about_each_kind_in_turn() -> None:
    """Dense and Huber in the one, tanh and the squared error in the other."""
    found = more_of([question(TANH, 4), question(ABSOLUTE, 3)], 6)
    assert {q.stream for q in found} == {"extreme"}
    assert [(q.case.network, q.case.x.shape) for q in found] == [
        (ABSOLUTE, (3, 3)),  # dense
        (TANH, (4, 2)),  # tanh
        (TANH, (4, 2)),  # the squared error
        (ABSOLUTE, (3, 3)),  # Huber
        (ABSOLUTE, (3, 3)),
        (TANH, (4, 2)),
    ]
    assert len({q.case.x.tobytes() for q in found}) == 6


@pytest.mark.parametrize("name", FORMATS)
def test_their_numbers_hurt_in_the_format(name: str) -> None:
    """The square of 4 is far from the largest number of float16, which is 65504."""
    nearest = precision_named(name).format.nearest
    for case in (q.case for q in more_of([question(TANH, 4)], 5, name)):
        numbers = np.concatenate([case.w, case.x.ravel(), case.y.ravel()])
        assert set(numbers) <= {*nearest(np.array(extreme_numbers(largest=4 if name == "float16" else 1e8)))}
        assert np.abs(numbers).max() == (4 if name == "float16" else nearest(np.array(1e8)))


@pytest.mark.parametrize(
    ("others", "simplest"),
    [
        ([question(TANH, 4), question(Network(refnn.Dense(2, 6), refnn.Tanh(), loss=refnn.SquaredError()), 4)], 1),
        ([question(TANH, 1), question(TANH, 4, seed=2)], 1),
        ([question(TANH, 4), question(TANH, 7, seed=2)], 0),
        ([question(TANH, 4), question(Network(*TANH.layers[:2], refnn.Dense(3, 4), loss=TANH.loss_function), 4)], 1),
        ([question(ABSOLUTE, 1), question(Network(refnn.Dense(9, 9), loss=refnn.Huber()), 2)], 1),
        ([question(ABSOLUTE, 1), question(Network(*TANH.layers, loss=refnn.Huber()), 2)], 0),
    ],
    ids=["fewer layers", "more than one sample", "the first", "fewer parameters", "more samples", "layers first"],
)
def test_of_each_kind_the_simplest_is_asked_about(others: list[Drawn], simplest: int) -> None:
    case = others[simplest].case
    assert [q.case.x.shape for q in more_of(others, 1)] == [case.x.shape]
    assert [q.case.network for q in more_of(others, 1)] == [case.network]


def test_of_no_questions_there_are_no_more() -> None:
    assert more_of([], 5) == []
    assert more_of([question(TANH, 4)], 0) == []


def test_they_are_asked_for_after_the_others() -> None:
    """The first of them may be wrong already."""
    some = with_extremes(iter([question(TANH, 4), *[question(ABSOLUTE, 3)] * 2]), 1, F64)
    assert [q.stream for q in some] == ["seeded"] * 3 + ["extreme"]


# ---------------------------------------------------------------------------------------------------------- validity


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_whatever_is_drawn_is_a_question_in_its_format(name: str, data: st.DataObject) -> None:
    precision = precision_named(name)
    question = data.draw(drawn(usual_networks(), None, None, precision))
    case, asked = posed(question.case, precision)
    for array in (asked.w, asked.x, asked.labels):
        assert np.isfinite(array).all()
        assert np.abs(array).max() <= precision.format.largest
        assert (precision.format.nearest(array) == array).all()
    assert np.isfinite(case.network.loss(*case[1:]))


@pytest.mark.parametrize("loss", losses.ALL)
@pytest.mark.parametrize("stream", STREAMS)
@given(seed=st.integers(0, 2**32 - 1))
def test_seeded_cases_fit_every_loss_in_float16(loss: type[losses.Loss], stream: str, seed: int) -> None:
    network = Network(refnn.Dense(3, 5), refnn.ELU(), refnn.Dense(5, 4), loss=loss())
    case = seeded_case(network, (7, 3), seed=seed, stream=stream, among=extreme_numbers(largest=4))
    assert case.w.shape == (44,)
    assert case.x.shape == (7, 3)
    assert case.y.shape == ((7,) if loss is refnn.SoftmaxCrossEntropy else (7, 4))
    posed(case, F16)
    assert np.isfinite(network.loss(*case[1:]))


@pytest.mark.parametrize("network", [*NETWORKS, Network(refnn.ReLU(), loss=refnn.SquaredError())], ids=repr)
def test_a_seed_always_gives_the_same_case(network: Network) -> None:
    one, same, other = (seeded_case(network, (3, 2), seed=seed) for seed in (5, 5, 6))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one[1:], same[1:], strict=True))
    assert one.x.tobytes() != other.x.tobytes()


def test_weights_are_such_that_no_layer_grows_its_numbers() -> None:
    """A sum of n products of normal numbers has the variance n times theirs, which is 1 if that of weights is 1/n.

    The standard deviation of 120,000 numbers is off by 1/√(2·120,000), a fifth of a hundredth; six of these.
    """
    network = Network(refnn.Dense(400, 300), loss=refnn.SquaredError())
    case = seeded_case(network, (1, 400), seed=0)
    weight, bias = network.unpack(case.w).values()
    assert abs(weight.std() * 20 - 1) < 6 / math.sqrt(2 * weight.size)
    assert abs(bias.std() * 10 - 1) < 6 / math.sqrt(2 * bias.size)
    assert abs(case.x.std() - 1) < 6 / math.sqrt(2 * case.x.size)


@given(seed=st.integers(0, 2**16), stream=st.sampled_from(STREAMS))
def test_some_class_of_a_seeded_case_counts(seed: int, stream: str) -> None:
    network = Network(refnn.Dense(2, 5), loss=COUNTED)
    case = seeded_case(network, (2, 2), seed=seed, stream=stream, among=extreme_numbers())
    assert case.y[0] == 3 or case.y[1] in {1, 3}
    network.loss(*case[1:])


@given(st.data())
def test_questions_whose_classes_all_weigh_nothing_are_not_asked(data: st.DataObject) -> None:
    network = Network(refnn.Dense(2, 5), loss=COUNTED)
    case = data.draw(drawn(network, 2, st.sampled_from((0.5, 1.0)), F64)).case
    network.loss(*case[1:])


# -------------------------------------------------------------------------------------------------- what users choose


def test_one_network_is_taken_and_its_numbers_vary() -> None:
    found = [question.case for question in sample(drawn(FIXED, None, None, F64), 60)]
    assert all(case.network is FIXED for case in found)
    assert len({case.w.tobytes() for case in found}) > 30


def test_networks_of_a_strategy_are_taken() -> None:
    found = {question.case.network for question in sample(drawn(st.sampled_from(NETWORKS), None, None, F64), 100)}
    assert found == set(NETWORKS)


def test_numbers_of_samples_are_taken() -> None:
    assert {len(question.case.x) for question in sample(drawn(FIXED, 4, None, F64), 30)} == {4}
    some = sample(drawn(FIXED, st.sampled_from((4, 9)), None, F64), 60)
    assert {len(question.case.x) for question in some} == {4, 9}
    assert {question.stream for question in some} == set(STREAMS)


def test_values_are_taken_for_all_numbers() -> None:
    found = sample(drawn(FIXED, None, st.sampled_from((0.25, -7.0)), F64), 60)
    numbers = {number for _, w, x, y in (question.case for question in found) for number in (*w, *x.flat, *y.flat)}
    assert numbers == {0.25, -7.0}
    assert {question.stream for question in found} == {"given"}


def test_a_network_of_any_width_gets_inputs_of_several() -> None:
    bare = Network(refnn.ReLU(), loss=refnn.SquaredError())
    found = sample(drawn(bare, 3, None, F64), 200)
    assert {question.case.x.shape[1] for question in found} == set(range(1, 8))
    assert all(question.case.y.shape == question.case.x.shape for question in found)
    of_values = sample(drawn(bare, 3, st.just(1.0), F64), 30)
    assert len({question.case.x.shape for question in of_values}) > 1


def test_batches_of_a_function_are_taken() -> None:
    def some(network: Network) -> Any:
        assert network is FIXED
        return st.just((np.full((4, 2), 0.5), np.full((4, 3), -0.25)))

    found = sample(drawn(FIXED, some, None, F64), 60)
    assert {question.stream for question in found} == {"given"}
    for question in found:
        assert (question.case.x == 0.5).all()
        assert (question.case.y == -0.25).all()
    assert len({question.case.w.tobytes() for question in found}) > 30
    of_values = sample(drawn(FIXED, some, st.just(3.0), F64), 5)
    assert all((question.case.w == 3).all() for question in of_values)


def test_for_one_input_and_output_vectors_will_do() -> None:
    network = Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    question = sample(drawn(network, lambda _: st.just((np.ones(4), np.ones(4))), None, F64), 3)[0]
    assert posed(question.case, F64)[0].x.shape == posed(question.case, F64)[0].y.shape == (4, 1)
    bare = Network(refnn.ReLU(), loss=refnn.SquaredError())
    sample(drawn(bare, lambda _: st.just((np.ones((4, 6)), np.ones((4, 6)))), None, F64), 3)


@pytest.mark.parametrize(
    ("batch", "why"),
    [
        ((np.ones((4, 3)), np.ones((4, 3))), r"x has shape \(4, 3\), expected \(N, 2\)"),
        ((np.ones(4), np.ones((4, 3))), r"x has shape \(4,\)"),
        ((1.0, 2.0), r"x has shape \(\)"),
        ((np.ones((4, 2)), np.ones((5, 3))), r"y has shape \(5, 3\)"),
        ((np.ones((4, 2)), np.full((4, 3), 2.0)), r"y\[0, 0\] is 2.0"),
        ((np.full((4, 2), np.nan), np.ones((4, 3))), r"x\[0, 0\] is nan"),
        ((np.full((4, 2), 1e5), np.ones((4, 3))), r"x\[0, 0\] is 100000.0"),
        ((np.full((4, 2), "one"), np.ones((4, 3))), "x has dtype"),
        (([[1.0], [1.0, 2.0]], np.ones((2, 3))), "x is ragged"),
    ],
)
def test_batches_that_do_not_fit_are_refused(batch: Any, why: str) -> None:
    network = Network(refnn.Dense(2, 3), loss=refnn.BinaryCrossEntropy())
    with pytest.raises(SettingError, match=r"a batch was drawn that does not fit Network\(Dense.*" + why):
        sample(drawn(network, lambda _: st.just(batch), None, F16), 3)


def test_what_is_drawn_for_a_network_is_one() -> None:
    with pytest.raises(SettingError, match="'dense' was drawn: networks is a strategy for networks"):
        sample(drawn(st.just("dense"), None, None, F64), 3)  # type: ignore[arg-type]


def test_what_a_function_returns_for_batches_is_a_strategy() -> None:
    batch = np.ones((4, 2)), np.ones((4, 3))
    with pytest.raises(SettingError, match=r"batches returned .*: a function gives a strategy of \(x, y\)"):
        sample(drawn(FIXED, lambda _: batch, None, F64), 3)  # type: ignore[arg-type]


def test_values_that_do_not_fit_the_format_are_refused() -> None:
    with pytest.raises(SettingError, match=r"a batch was drawn that does not fit .*is 1e\+300: .* float16 is 65504"):
        sample(drawn(FIXED, None, st.just(1e300), F16), 3)


def test_a_question_shrinks_to_the_simplest_network() -> None:
    question = smallest(drawn(usual_networks(), None, None, F64), lambda question: True)
    assert len(question.case.x) == 1
    assert question.case.network.layers == (refnn.Dense(1, 2),)


# -------------------------------------------------------------------------------------------------------------- posed


def test_what_is_posed_are_numbers_of_the_format_and_targets_in_one_form() -> None:
    """0.1 with eight binary digits is 205/2048, as 0.1·2048 = 204.8."""
    network = Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    given_ = Case(network, np.full(2, 0.1), np.full((3, 1), 0.1), np.full(3, 0.1))
    case, question = posed(given_, precision_named("bfloat16"))
    for array in (case.w, case.x, case.y, question.w, question.x, question.labels):
        assert set(array.ravel()) == {205 / 2048}
    assert case.y.shape == question.labels.shape == (3, 1)
    assert given_.w[0] == 0.1


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
def test_classes_stay_whole_numbers_and_rows_of_them_become_floats(kind: Any) -> None:
    network = Network(refnn.Dense(1, 3), loss=refnn.SoftmaxCrossEntropy())
    case, question = posed(Case(network, np.zeros(6), np.zeros((2, 1)), np.array([2, 0], dtype=kind)), F16)
    assert case.y.dtype == np.int64
    assert case.y.tolist() == [2, 0]
    assert question.labels.tolist() == [[0, 0, 1], [1, 0, 0]]
    rows: Any = np.array([[0, 0, 1], [1, 0, 0]], dtype=kind)
    case, question = posed(Case(network, np.zeros(6), np.zeros((2, 1)), rows), F16)
    assert case.y.dtype == np.float64
    assert (case.y == question.labels).all()


def test_what_does_not_fit_is_not_posed() -> None:
    with pytest.raises(ShapeError):
        posed(Case(FIXED, np.zeros(3), np.zeros((2, 2)), np.zeros((2, 3))), F64)
    assert issubclass(ShapeError, RefnnError)


def test_many_numbers_are_some_of_those_that_a_user_gives() -> None:
    """Of a network with 7,000 parameters; one by one, Hypothesis would have too many to draw."""
    network = Network(refnn.Dense(80, 90), loss=refnn.SquaredError())
    found = sample(drawn(network, 3, st.sampled_from((0.25, 7.0)), F64), 5)
    for question in found:
        numbers = np.concatenate([question.case.w, question.case.x.ravel(), np.ravel(question.case.y)])
        assert set(numbers) <= {0.25, 7.0}
