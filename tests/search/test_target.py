"""Asking a target: it gets arrays of its own as it lays them out, and what goes wrong is one kind of error."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, NoReturn

import ml_dtypes
import numpy as np
import pytest

import refnn
from refnn.arithmetic.precision import precision_named
from refnn.errors import BrokenTargetError, MissingExtraError, SettingError, Unsupported
from refnn.oracle.budget import Question
from refnn.search.drawing import posed
from refnn.search.examining import expectation
from refnn.search.target import Layout, Target, ask
from refnn.strategies import Case

WAYS: dict[str, Any] = {
    "weights": ("inputs, outputs", "outputs, inputs"),
    "samples": ("rows", "columns"),
    "parameters": ("flat", "named"),
    "classes": ("numbers", "rows"),
}
LAYOUTS = [Layout(**dict(zip(WAYS, chosen, strict=True))) for chosen in product(*WAYS.values())]
every_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: repr(layout).replace("Layout", ""))

FORMATS = {"float64": np.float64, "float32": np.float32, "bfloat16": ml_dtypes.bfloat16, "float16": np.float16}

SOFTMAX = refnn.Network(refnn.Dense(3, 5), refnn.Tanh(), refnn.Dense(5, 4), loss=refnn.SoftmaxCrossEntropy())
SQUARED = refnn.Network(refnn.Dense(3, 5), refnn.Tanh(), refnn.Dense(5, 4), loss=refnn.SquaredError())
BARE = refnn.Network(refnn.Tanh(), loss=refnn.SquaredError())


def a_case(network: refnn.Network = SOFTMAX, kind: str = "float64") -> tuple[Case, Question]:
    """Two samples, three inputs, five hidden units and four outputs."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 3))
    y = np.array([3, 1]) if network is SOFTMAX else rng.normal(size=(2, network.outputs or 3))
    return posed(Case(network, rng.normal(size=network.size) / 2, x, y), precision_named(kind))


def asked_of(target: Target, layout: Layout | None = None, **more: Any) -> Mapping[str, Any]:
    return ask(target, *a_case(), layout or Layout(), **more)


def broken(target: Target, layout: Layout | None = None, **more: Any) -> BrokenTargetError:
    with pytest.raises(BrokenTargetError) as found:
        asked_of(target, layout, **more)
    return found.value


def honest(network: refnn.Network, w: Any, x: Any, y: Any) -> Any:
    return network.loss_and_gradient(w, x, y)


# -------------------------------------------------------------------------------------------------------------- layout


def written_in(layout: Layout) -> Target:
    """An implementation in NumPy that has its arrays so, and gives all four fields.

    Inside, weights are (outputs, inputs) and samples are columns, whatever they are outside.
    """
    transposed, columns = layout.weights == "outputs, inputs", layout.samples == "columns"

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        if layout.parameters == "flat":
            w = {"0.weight": w[:15], "0.bias": w[15:20], "2.weight": w[20:40], "2.bias": w[40:]}
        first = w["0.weight"].reshape(5, 3) if transposed else w["0.weight"].reshape(3, 5).T
        second = w["2.weight"].reshape(4, 5) if transposed else w["2.weight"].reshape(5, 4).T
        x, hot = (x, y) if columns else (x.T, y.T)
        h = np.tanh(first @ x + w["0.bias"][:, None])
        z = second @ h + w["2.bias"][:, None]
        if isinstance(network.loss_function, refnn.SoftmaxCrossEntropy):
            if layout.classes == "numbers":
                hot = np.arange(4)[:, None] == y
            p = np.exp(z) / np.exp(z).sum(axis=0)
            loss, delta = -(hot * np.log(p)).sum() / 2, (p - hot) / 2
        else:
            loss, delta = ((z - hot) ** 2).sum() / 4, (z - hot) / 2
        below = second.T @ delta * (1 - h * h)
        parts = {
            "0.weight": below @ x.T,
            "0.bias": below.sum(axis=1),
            "2.weight": delta @ h.T,
            "2.bias": delta.sum(axis=1),
        }
        parts = {name: part if transposed or part.ndim == 1 else part.T for name, part in parts.items()}
        gradient = parts if layout.parameters == "named" else np.concatenate([part.ravel() for part in parts.values()])
        back = first.T @ below
        return {
            "outputs": z if columns else z.T,
            "loss": loss,
            "gradient": gradient,
            "input_gradient": back if columns else back.T,
        }

    return mine


def test_a_layout_says_what_is_not_as_here() -> None:
    assert repr(Layout()) == "Layout()"
    assert (
        repr(Layout(weights="outputs, inputs", classes="rows")) == "Layout(weights='outputs, inputs', classes='rows')"
    )
    turned = Layout(samples="columns").otherwise("samples", "weights")
    assert turned == Layout(weights="outputs, inputs")


def verdict(target: Target, network: refnn.Network, layout: Layout) -> str:
    case, question = a_case(network)
    try:
        answer = ask(target, case, question, layout)
    except BrokenTargetError as error:
        return error.kind
    return expectation(question, 1e-9).judge(answer).verdict


@every_layout
def test_an_implementation_agrees_in_its_own_layout_and_in_no_other(layout: Layout) -> None:
    verdicts = {other: verdict(written_in(layout), SOFTMAX, other) for other in LAYOUTS}
    assert verdicts.pop(layout) == "agrees"
    assert set(verdicts.values()) <= {"disagrees", "crashed", "garbage"}


@every_layout
def test_rows_of_targets_are_laid_out_as_samples_are(layout: Layout) -> None:
    """Real targets are rows already, so that how classes are laid out is nothing to them."""
    same = {other for other in LAYOUTS if verdict(written_in(layout), SQUARED, other) == "agrees"}
    assert same == {
        other
        for other in LAYOUTS
        if (other.weights, other.samples, other.parameters) == (layout.weights, layout.samples, layout.parameters)
    }


@pytest.mark.parametrize("parameters", ["flat", "named"])
def test_gradients_by_name_or_in_a_list_are_transposed_each(parameters: Any) -> None:
    case, question = a_case()
    names = case.network.unpack(case.network.loss_and_gradient(*case[1:])[1])
    layout = Layout(weights="outputs, inputs", parameters=parameters)
    some = {"2.weight": names["2.weight"].T, "0.bias": names["0.bias"]}
    read = ask(lambda *_: {"gradient": some}, case, question, layout)
    assert set(read) == {"2.weight", "0.bias"}
    assert all((read[name] == names[name]).all() for name in read)
    read = ask(lambda *_: {"gradient": [part.T for part in names.values()]}, case, question, layout)
    assert list(read) == list(names)
    assert all((read[name] == part).all() for name, part in names.items())


def test_what_is_given_in_every_layout() -> None:
    network = refnn.Network(refnn.Dense(2, 3), loss=refnn.SoftmaxCrossEntropy())
    w, x, y = np.arange(9.0), np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([2, 0])
    w_given, x_given, y_given = Layout().given(network, w, x, y)
    assert (w_given == w).all()
    assert (x_given == x).all()
    assert (y_given == y).all()
    turned = Layout(weights="outputs, inputs", samples="columns", classes="rows")
    w_given, x_given, y_given = turned.given(network, w, x, y)
    assert w_given.tolist() == [0, 3, 1, 4, 2, 5, 6, 7, 8]
    assert x_given.tolist() == [[1, 3], [2, 4]]
    assert y_given.tolist() == [[0, 1], [0, 0], [1, 0]]
    named, _, rows = Layout(parameters="named", classes="rows").given(network, w, x, y)
    assert {name: part.tolist() for name, part in named.items()} == {
        "0.weight": [[0, 1, 2], [3, 4, 5]],
        "0.bias": [6, 7, 8],
    }
    assert rows.tolist() == [[0, 0, 1], [1, 0, 0]]
    probabilities = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    assert (Layout(classes="rows").given(network, w, x, probabilities)[2] == probabilities).all()
    turned = Layout(samples="columns")
    assert (turned.given(network, w, x, probabilities)[2] == probabilities.T).all()
    assert turned.given(network, w, x, y)[2].tolist() == [2, 0]


@every_layout
def test_a_network_without_parameters(layout: Layout) -> None:
    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        assert len(w) == 0
        assert x.shape == y.shape == ((3, 2) if layout.samples == "columns" else (2, 3))
        h = np.tanh(x)
        delta = (h - y) / 2
        return {
            "outputs": h,
            "loss": (delta * delta).sum(),
            "gradient": np.zeros(0),
            "input_gradient": delta * (1 - h * h),
        }

    assert verdict(mine, BARE, layout) == "agrees"


@pytest.mark.parametrize("name", ["weights", "samples", "parameters", "classes"])
@pytest.mark.parametrize("value", ["row", None, 3, ["rows"], True])
def test_other_layouts_are_refused(name: str, value: Any) -> None:
    with pytest.raises(SettingError, match=rf"{name} is .*: an array is laid out in one of two ways\. Choose '"):
        Layout(**{name: value})


# --------------------------------------------------------------------------------------------------- what a target gets


def arrays(*given: Any) -> list[np.ndarray]:
    return [array for part in given for array in (part.values() if isinstance(part, dict) else [part])]


@every_layout
@pytest.mark.parametrize("kind", FORMATS)
def test_arrays_have_the_format_that_is_checked(kind: str, layout: Layout) -> None:
    seen = []

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        seen.extend([*arrays(w, x), y])
        return {"loss": 1.0}

    ask(mine, *a_case(SOFTMAX, kind), layout)
    *numbers, y = seen
    assert {array.dtype for array in numbers} == {np.dtype(FORMATS[kind])}
    assert y.dtype == (FORMATS[kind] if layout.classes == "rows" else np.int64)
    seen.clear()
    ask(mine, *a_case(SQUARED, kind), layout)
    assert {array.dtype for array in seen} == {np.dtype(FORMATS[kind])}


@pytest.mark.parametrize("kind", FORMATS)
def test_numbers_are_those_of_the_format(kind: str) -> None:
    """0.1 is 1.6 · 2⁻⁴, of which the nearest with 8, 11, 24 and 53 digits is taken."""
    digits = {"float64": 53, "float32": 24, "bfloat16": 8, "float16": 11}[kind]
    nearest = round(0.1 * 2 ** (digits + 3)) / 2 ** (digits + 3)
    network = refnn.Network(refnn.Dense(1, 1), loss=refnn.SquaredError())
    seen: list[float] = []

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        seen.extend(float(array.ravel()[0]) for array in (w, x, y))
        return {"loss": w[0] * 0}

    case = posed(Case(network, np.full(2, 0.1), np.full((3, 1), 0.1), np.full(3, 0.1)), precision_named(kind))
    assert ask(mine, *case, Layout()) == {"loss": 0}
    assert seen == [nearest] * 3


def test_bfloat16_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(MissingExtraError, match="ml_dtypes is not installed: arrays of bfloat16 needs it"):
        ask(honest, *a_case(SOFTMAX, "bfloat16"), Layout())
    assert ask(lambda *_: {"loss": 1.0}, *a_case(SOFTMAX, "float16"), Layout()) == {"loss": 1}


CHANGES: dict[str, Callable[[Any], object]] = {
    "one number": lambda array: array.__setitem__((0,) * array.ndim, array[(0,) * array.ndim] + 1),
    "all": lambda array: array.__iadd__(1),
    "its order": lambda array: array.__setitem__(slice(None), array[::-1].copy()),
    "a not-a-number": lambda array: array.fill(np.nan if array.dtype.kind == "f" else -1),
    "its shape": lambda array: setattr(array, "shape", (1, *array.shape)),
    "the sign of zero": lambda array: array.__imul__(-1),
}


@pytest.mark.unmeasured
@every_layout
@pytest.mark.parametrize("network", [SOFTMAX, SQUARED], ids=["classes", "rows"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["w", "x", "y"])
def test_a_change_of_an_argument_is_found(name: str, change: str, network: refnn.Network, layout: Layout) -> None:
    case, question = a_case(network)
    before = [array.tobytes() for array in case[1:]]

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        CHANGES[change](arrays({"w": w, "x": x, "y": y}[name])[0])
        return {"loss": 1.0}

    with pytest.raises(BrokenTargetError, match=rf"^{name} was changed: its arguments belong to the one") as found:
        ask(mine, case, question, layout)
    assert found.value.kind == "mutated"
    assert [array.tobytes() for array in case[1:]] == before
    assert ask(lambda *_: {"loss": 1.0}, case, question, layout) == {"loss": 1.0}


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.clear(),
        lambda w: w.pop("2.bias"),
        lambda w: w.update(more=np.zeros(1)),
        lambda w: w.update({"2.bias": w["2.bias"].tolist()}),
        lambda w: w.update({"2.bias": None}),
        lambda w: w.update({"2.bias": w["2.bias"] + 1}),
    ],
)
def test_a_change_of_the_names_is_found(change: Callable[[Any], object]) -> None:
    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        change(w)
        return {"loss": 1.0}

    assert broken(mine, Layout(parameters="named")).kind == "mutated"


@every_layout
def test_what_a_target_keeps_it_may_change_later(layout: Layout) -> None:
    """No two questions share an array, nor does one with the case; and what is read shares none with the answer."""
    kept: list[np.ndarray] = []
    case, question = a_case()
    before = [array.tobytes() for array in (*case[1:], *question[1:4])]
    answer = np.ones(44)

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        for array in kept:
            array[...] = 7
        new = arrays(w, x, y)
        assert not any(np.may_share_memory(one, other) for one in new for other in (*kept, *case[1:], *question[1:4]))
        assert all(array.flags.writeable for array in new)
        kept.extend(new)
        return {"gradient": answer}

    for _ in range(2):
        read = ask(mine, case, question, layout)["gradient"]
        assert not np.may_share_memory(read, answer)
    assert [array.tobytes() for array in (*case[1:], *question[1:4])] == before


# ------------------------------------------------------------------------------------------------------------- answers


def test_an_answer_is_a_pair_or_some_of_the_fields_in_their_shapes() -> None:
    case, question = a_case()
    loss, gradient = case.network.loss_and_gradient(*case[1:])
    assert ask(honest, case, question, Layout()).keys() == {"loss", "gradient"}
    assert ask(lambda *_: (loss, gradient.tolist()), case, question, Layout())["gradient"].tolist() == gradient.tolist()
    read = ask(lambda *_: {"loss": np.array([[loss]])}, case, question, Layout())
    assert read == {"loss": loss}
    assert read["loss"].shape == ()
    whole = ask(lambda *_: case.network.evaluate(*case[1:])._asdict(), case, question, Layout())
    assert {name: part.shape for name, part in whole.items()} == {
        "outputs": (2, 4),
        "loss": (),
        "gradient": (44,),
        "input_gradient": (2, 3),
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_numbers_without_a_format_will_do_and_those_of_the_format(kind: str) -> None:
    case, question = a_case(SOFTMAX, kind)
    for loss in (2, 2.0, np.array(2, dtype=FORMATS[kind]), [2.0]):
        assert ask(lambda *_, loss=loss: {"loss": loss}, case, question, Layout()) == {"loss": 2.0}
    for other in FORMATS:
        if other != kind:
            wrong = np.zeros(44, dtype=FORMATS[other])
            with pytest.raises(
                BrokenTargetError, match=rf"gradient is {other}: the question is in {kind}, and"
            ) as found:
                ask(lambda *_, wrong=wrong: (1.0, wrong), case, question, Layout())
            assert found.value.kind == "garbage"


def test_answers_that_are_no_numbers_are_read() -> None:
    """Infinity and NaN are numbers of the format; that they are wrong is for the one who judges."""
    gradient = np.full(44, np.nan)
    read = asked_of(lambda *_: (np.inf, gradient))
    assert read["loss"] == np.inf
    assert np.isnan(read["gradient"]).all()


RAGGED = [[1.0, 2.0, 3.0, 4.0], [1.0]]
NO_ANSWER = "the answer is .*: an answer is the pair of loss and gradient, or a mapping with some of the four fields"
GARBAGE: dict[str, tuple[object, str]] = {
    "nothing": (None, NO_ANSWER),
    "a number": (2.0, NO_ANSWER),
    "three things": ((1.0, np.zeros(44), 3), NO_ANSWER),
    "one": ((1.0,), NO_ANSWER),
    "a list of two": ([1.0, np.zeros(44)], NO_ANSWER),
    "a word": ("loss", NO_ANSWER),
    "an array of two": (np.zeros(2), NO_ANSWER),
    "an empty mapping": ({}, NO_ANSWER),
    "another field": ({"loss": 1.0, "grad": np.zeros(44)}, NO_ANSWER),
    "a field that is no word": ({"loss": 1.0, 3: 3}, NO_ANSWER),
    "parameters": ({"parameters": np.zeros(44)}, NO_ANSWER),
    "fields in a set": ({"loss"}, NO_ANSWER),
    "no loss": ((None, np.zeros(44)), "loss is None"),
    "no gradient": ((1.0, None), "gradient is None"),
    "a loss in words": (("1.0", np.zeros(44)), "loss has dtype <U3"),
    "outputs in words": ({"outputs": [["a"] * 4] * 2}, r"outputs\[0\]\[0\] has dtype <U1"),
    "a complex loss": ((1j, np.zeros(44)), "loss has dtype complex128"),
    "a loss for each sample": (([1.0, 2.0], np.zeros(44)), r"loss has shape \(2,\), expected \(\)"),
    "too short a gradient": ((1.0, np.zeros(43)), r"gradient has shape \(43,\), expected \(44,\)"),
    "a gradient as a column": ((1.0, np.zeros((44, 1))), r"gradient has shape \(44, 1\), expected \(44,\)"),
    "transposed outputs": (
        {"outputs": np.zeros((4, 2))},
        r"outputs has shape \(4, 2\), expected \(2, 4\): .*transpose",
    ),
    "ragged outputs": ({"outputs": RAGGED}, "outputs is ragged"),
    "unknown names": ({"gradient": {"0.weights": np.zeros((3, 5))}}, "gradient has the name '0.weights'"),
    "too few arrays": ({"gradient": [np.zeros((3, 5)), np.zeros(5)]}, "gradient is a list of 2 arrays"),
    "only no names": ({"gradient": {}}, "gradient is empty"),
    "a part of another shape": ({"gradient": {"0.bias": np.zeros(4)}}, r"gradient\['0.bias'\] has shape \(4,\)"),
    "too large a number": ({"loss": 10**400}, "loss is 1000"),
    "wide floats": ({"loss": np.longdouble(1)}, "loss has dtype"),
    "two formats": (
        {"outputs": [np.zeros(4), np.zeros(4, np.float32)]},
        r"outputs\[0\] is float64 and outputs\[1\] is",
    ),
}


@pytest.mark.parametrize("case", GARBAGE)
def test_what_is_no_answer_is_garbage(case: str) -> None:
    answer, said = GARBAGE[case]
    error = broken(lambda *_: answer)
    assert error.kind == "garbage"
    with pytest.raises(BrokenTargetError, match=said):
        raise error


# ------------------------------------------------------------------------------------------------ what goes wrong


class _SilentError(Exception):
    def __str__(self) -> NoReturn:
        raise ValueError


def recurse() -> NoReturn:
    recurse()


every_limit = pytest.mark.parametrize("time_limit", [None, 10.0])


@every_limit
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (SystemExit(3), "SystemExit: 3"),
        (StopIteration(), "StopIteration"),
        (refnn.DivergenceError("w", "too large", "Stop"), "refnn.errors.DivergenceError: w: too large. Stop."),
        (_SilentError(), f"{__name__}._SilentError: <exception str() failed>"),
    ],
)
def test_whatever_is_raised_is_a_crash_with_its_place(
    error: BaseException, said: str, time_limit: float | None
) -> None:
    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        raise error

    found = broken(mine, time_limit=time_limit)
    assert found.kind == "crashed"
    assert found.given == said
    line = mine.__code__.co_firstlineno + 1
    assert found.why == f"the implementation raised it ({__file__}, line {line}, in mine)"


def test_a_recursion_without_end_is_a_crash() -> None:
    found = broken(lambda *_: recurse())
    assert found.kind == "crashed"
    assert found.given.startswith("RecursionError: maximum recursion depth exceeded")


def test_what_cannot_be_called_is_a_crash() -> None:
    target: Any = 3
    assert broken(target).given == "TypeError: 'int' object is not callable"


@every_limit
@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), GeneratorExit(), Unsupported("GELU"), BrokenTargetError("it", "is out", "Mend it", "hung")],
    ids=repr,
)
def test_what_is_no_fault_of_the_target_is_passed_on(error: BaseException, time_limit: float | None) -> None:
    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        raise error

    with pytest.raises(type(error)) as found:
        asked_of(mine, time_limit=time_limit)
    assert found.value is error


def test_what_takes_too_long_hangs_and_is_left_behind() -> None:
    go_on, gone = threading.Event(), threading.Event()

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        go_on.wait(60)
        gone.set()
        return honest(network, w, x, y)

    found = broken(mine, time_limit=0.05)
    assert found.kind == "hung"
    assert str(found).startswith("there is no answer after 0.05 seconds: that is the time limit of a question.")
    assert not gone.is_set()
    go_on.set()
    assert gone.wait(60)


def test_in_time_the_answer_is_the_same() -> None:
    threads = []

    def mine(network: refnn.Network, w: Any, x: Any, y: Any) -> object:
        threads.append(threading.current_thread())
        return honest(network, w, x, y)

    there, here = asked_of(mine, time_limit=60), asked_of(mine)
    assert there.keys() == here.keys()
    assert all((there[name] == here[name]).all() for name in here)
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon
    assert threads[1] is threading.current_thread()
