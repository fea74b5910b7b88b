"""Each check returns its argument, or says what was given, why it is refused and what to do."""

from __future__ import annotations

import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn import checks
from refnn.arithmetic.dual import DualArray
from refnn.checks import extra as needed
from refnn.checks import rounded_down
from refnn.errors import (
    DivergenceError,
    DTypeError,
    MissingExtraError,
    NonFiniteError,
    RefnnError,
    SettingError,
    ShapeError,
)

F64, F32 = np.dtype(np.float64), np.dtype(np.float32)
HUGE = 10**5000  # more digits than Python converts to a string


class Hostile:
    """An object of somebody else's that fails whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise RuntimeError("no array")


def kind_of(value: object) -> str:
    """The name of a parameter's case, which its `repr` may not be able to give."""
    return type(value).__name__


# ------------------------------------------------------------------------------------------------------------- arrays


@pytest.mark.parametrize("dtype", [F64, F32])
def test_an_array_of_the_dtype_is_taken_as_it_is(dtype: Any) -> None:
    array = np.ones((2, 3), dtype)
    assert checks.real_array("x", array, dtype) is array


@given(values=st.lists(st.integers(-(2**24), 2**24), min_size=1, max_size=7))
@pytest.mark.parametrize("dtype", [F64, F32])
def test_integers_convert_exactly(dtype: Any, values: list[int]) -> None:
    array = checks.real_array("x", values, dtype)
    assert array.dtype == dtype
    assert array.tolist() == values


@pytest.mark.parametrize(
    "kind", [np.bool_, np.int8, np.uint16, np.int64, np.uint64, np.float16, np.float32, ">f8", ">f4"]
)
def test_what_is_not_wider_converts(kind: Any) -> None:
    array = checks.real_array("x", np.ones(3, kind), F64)
    assert array.dtype == F64
    assert array.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("value", "dtype", "kind", "message"),
    [
        (np.ones(2), F32, DTypeError, ("x has dtype float64, wider than the float32 of w: "
         "the dtype of w is the dtype of the computation, and a silent rounding would change the question. "
         "Pass np.asarray(x, dtype=np.float32), or w as float64.")),
        (["a"], F64, DTypeError, "x has dtype <U1: refnn computes with real numbers. Pass x as floats."),
        ([1j], F64, DTypeError, "x has dtype complex128: refnn computes with real numbers. Pass x as floats."),
        ([None], F64, DTypeError, "x has dtype object: refnn computes with real numbers. Pass x as floats."),
        ([HUGE], F64, DTypeError, "x has dtype object: refnn computes with real numbers. Pass x as floats."),
        ([[1], [1, 2]], F64, ShapeError, "x is ragged: its rows have different lengths. Pass rows of equal length."),
        (Hostile(), F64, DTypeError, "x is <Hostile>: NumPy cannot read it (RuntimeError). Pass x as an array."),
        (np.ma.masked_array([1.0, 2.0], mask=[False, True]), F64, DTypeError, (
         "x is a masked array with missing elements: refnn computes with every element. "
         "Pass x.filled(value), or drop the samples with missing elements.")),
    ],
)  # fmt: skip
def test_arrays_that_are_refused(value: Any, dtype: Any, kind: type[RefnnError], message: str) -> None:
    with pytest.raises(kind) as caught:
        checks.real_array("x", value, dtype)
    assert str(caught.value) == message


def test_a_masked_array_without_missing_elements_is_an_array() -> None:
    assert checks.real_array("x", np.ma.masked_array([1.0, 2.0]), F64).tolist() == [1, 2]


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_finite_arrays_pass(shape: tuple[int, ...]) -> None:
    for value in (0.0, -1.5, sys.float_info.max, -5e-324):
        array = np.full(shape, value)
        assert checks.finite("x", array) is array


@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 5)), data=st.data())
def test_the_first_element_that_is_not_finite_is_named(shape: tuple[int, int], data: st.DataObject) -> None:
    array = np.zeros(shape)
    places = data.draw(st.sets(st.tuples(*(st.integers(0, n - 1) for n in shape)), min_size=1))
    for place in places:
        array[place] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    with pytest.raises(NonFiniteError) as caught:
        checks.finite("x", array)
    i, j = min(places)
    assert caught.value.given == f"x[{i}, {j}] is {array[i, j]}"
    assert caught.value.why == f"x holds {len(places)} elements that are not finite numbers"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_result_that_is_not_finite_is_an_overflow(value: float) -> None:
    for result in (np.array([1.0, value]), np.array(value)):
        with pytest.raises(FloatingPointError):
            checks.finite_result(result)


def test_finite_results_pass_in_any_arithmetic() -> None:
    array, dual = np.ones(3), DualArray(np.array([np.inf]), np.ones(1))
    assert checks.finite_result(array) is array
    assert checks.finite_result(dual) is dual


# ------------------------------------------------------------------------------------------------------------ numbers

NUMBERS = [1, -2, 0.5, Fraction(1, 3), np.float64(2), np.float32(2), np.float16(2), np.int8(3), np.longdouble(0.5)]
NO_NUMBERS: list[Any] = [
    None, "1", True, np.bool_(True), 1j, np.nan, np.inf, -np.inf, [1], np.array(1.0), np.array([1.0]), HUGE, -HUGE,
    Fraction(HUGE), Decimal(1), Decimal("sNaN"), np.timedelta64(3), np.timedelta64("NaT"), np.datetime64("2020"),
    np.float16(np.inf), np.longdouble(np.nan), Hostile(), float, {}, b"1",
]  # fmt: skip


@pytest.mark.parametrize("value", NUMBERS)
def test_numbers_pass(value: Any) -> None:
    assert checks.number("scale", value) is value


@pytest.mark.parametrize("value", NO_NUMBERS, ids=kind_of)
@pytest.mark.parametrize("check", [checks.number, checks.positive])
def test_what_is_no_number_is_refused(check: Any, value: Any) -> None:
    with pytest.raises(SettingError) as caught:
        check("scale", value)
    assert caught.value.given == f"scale is {checks.shown(value)}"
    assert caught.value.why == "scale is a finite real number"
    assert caught.value.remedy == "Pass a finite number"


@pytest.mark.parametrize("value", [1, 5e-324, np.float16(2), Fraction(1, 10**300)])
def test_positive_numbers_pass(value: Any) -> None:
    assert checks.positive("scale", value) is value


@pytest.mark.parametrize("value", [0, -1, -0.0, Fraction(-1, 3), np.float32(0), Fraction(1, HUGE)], ids=kind_of)
def test_what_is_not_positive_is_refused(value: Any) -> None:
    with pytest.raises(SettingError) as caught:
        checks.positive("scale", value)
    assert str(caught.value) == f"scale is {checks.shown(value)}: scale is a positive number. Pass a number above 0."


@pytest.mark.parametrize("value", [1, 7, np.int8(7), np.uint64(7), HUGE], ids=kind_of)
def test_counts_are_whole_numbers(value: Any) -> None:
    counted = checks.count("epochs", value)
    assert type(counted) is int
    assert counted == value


@pytest.mark.parametrize(
    "value", [0, -1, 1.0, np.float64(2), Fraction(2), -HUGE, *NO_NUMBERS[:5], np.timedelta64(3)], ids=kind_of
)
def test_what_is_no_count_is_refused(value: Any) -> None:
    with pytest.raises(SettingError) as caught:
        checks.count("epochs", value)
    assert caught.value.given == f"epochs is {checks.shown(value)}"
    assert caught.value.why == "epochs is a whole number of at least 1"
    assert caught.value.remedy == "Pass 1 or more"


def test_the_least_count_may_be_another() -> None:
    assert checks.count("epochs", 0, least=0) == 0
    with pytest.raises(SettingError, match="at least 3"):
        checks.count("epochs", 2, least=3)


# ------------------------------------------------------------------------------------------------------------- objects


def test_shown_is_short_and_never_fails() -> None:
    assert checks.shown("a") == "'a'"
    assert checks.shown("a" * 78) == repr("a" * 78)
    assert checks.shown("a" * 99) == "'" + "a" * 79 + "…"
    assert checks.shown(np.zeros((2, 2))) == "array([[0., 0.], [0., 0.]])"  # on one line
    assert checks.shown(HUGE) == "<int>"
    assert checks.shown(Hostile()) == "<Hostile>"


def test_an_instance_has_its_members_and_is_no_class() -> None:
    checks.instance("text", "abc", ("upper", "lower"), "Pass a string")
    for value in (str, 3):
        with pytest.raises(SettingError) as caught:
            checks.instance("text", value, ("upper", "lower"), "Pass a string")
        assert str(caught.value) == (f"text is {value!r}: it has to be an object with upper, lower. Pass a string.")


def test_seeds_and_generators() -> None:
    generator = np.random.default_rng(3)
    assert checks.generator(generator) is generator
    assert checks.generator(3).random() == np.random.default_rng(3).random()
    assert checks.generator(np.random.SeedSequence(3)).random() == np.random.default_rng(3).random()


@pytest.mark.parametrize("rng", [-1, 1.5, "a", HUGE * -1, {}, Hostile(), np.nan], ids=kind_of)
def test_what_is_no_seed_is_refused(rng: Any) -> None:
    with pytest.raises(SettingError) as caught:
        checks.generator(rng)
    assert caught.value.given == f"rng is {checks.shown(rng)}"
    assert caught.value.why == "numpy.random.default_rng refuses it"
    assert caught.value.remedy == "Pass a seed or a numpy.random.Generator"


def test_no_seed_is_no_default() -> None:
    with pytest.raises(SettingError) as caught:
        checks.generator(None)
    assert str(caught.value) == (
        "rng is None: the result depends on random numbers, and there is no default seed. "
        "Pass rng=0 (or any seed, or a numpy.random.Generator)."
    )


def test_extras() -> None:
    assert needed("math", "symbolic", "nothing").pi > 3
    with pytest.raises(MissingExtraError) as caught:
        needed("no_such_package.inner", "symbolic", "the symbolic witness")
    assert str(caught.value) == (
        "no_such_package is not installed: the symbolic witness needs it. Run: pip install "
        "no_such_package; all that refnn may need is in its extra [symbolic]."
    )


# --------------------------------------------------------------------------------------------------------- divergence


def test_what_is_representable_is_returned() -> None:
    assert checks.representable("a sum", lambda a, b: a + b, 2, 3) == 5


@pytest.mark.parametrize("setting", ["ignore", "warn", "raise"])
@pytest.mark.parametrize(("a", "b"), [(1e308, 10.0), (0.0, np.inf)])
def test_overflow_and_invalid_operations_are_divergence(setting: Any, a: float, b: float) -> None:
    with np.errstate(all=setting):
        with pytest.raises(DivergenceError) as caught:
            checks.representable("step 3", np.multiply, np.array([a]), np.array([b]), remedy="Go slower", step=3)
        assert np.geterr()["over"] == setting  # as it was
    assert caught.value.given == "step 3"
    assert caught.value.why.startswith("a result is too large for its floating-point format (")
    assert caught.value.remedy == "Go slower"
    assert caught.value.step == 3


def test_division_by_zero_is_divergence_and_underflow_is_not() -> None:
    with pytest.raises(DivergenceError, match=r"Scale parameters or data\.$") as caught:
        checks.representable("a quotient", np.divide, np.ones(1), np.zeros(1))
    assert caught.value.step is None
    assert checks.representable("a product", np.multiply, np.array([1e-300]), np.array([1e-300])) == 0


def test_other_errors_pass_through() -> None:
    with pytest.raises(ZeroDivisionError):
        checks.representable("a quotient", lambda: 1 / 0)


# ---------------------------------------------------------------------------------------------- what floats can hold


@pytest.mark.parametrize(
    ("value", "dtype"), [(2**53 + 1, np.float64), (-(2**53) - 1, np.float64), (2**24 + 1, np.float32)]
)
def test_integers_that_no_float_equals_are_refused(value: int, dtype: type[np.floating[Any]]) -> None:
    with pytest.raises(DTypeError, match=f"x holds the integer {value}"):
        checks.real_array("x", [0, value], np.dtype(dtype))
    assert checks.real_array("x", [0, 2 * value - 2], np.dtype(dtype)).tolist() == [0, 2 * value - 2]


def test_unsigned_integers_count_too() -> None:
    assert checks.real_array("x", np.array([2**63], np.uint64), np.dtype(np.float64)).tolist() == [2.0**63]
    with pytest.raises(DTypeError, match=str(2**63 + 1)):
        checks.real_array("x", np.array([2**63 + 1], np.uint64), np.dtype(np.float64))


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.25, 6, "0.25"),
        (1 / 3, 4, "0.3333"),
        (2 / 3, 4, "0.6666"),
        (12345678.0, 3, "1.23e+07"),
        (5e-324, 6, "4.94065E-324"),
    ],
)
def test_a_number_is_rounded_down(value: float, digits: int, text: str) -> None:
    assert rounded_down(value, digits) == text
    assert Fraction(text) <= Fraction(value)
