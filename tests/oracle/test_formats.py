"""Rounding to nearest against Python's division, NumPy's and ml_dtypes' casts, cases by hand, and a search."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from flint import arb, fmpq
from hypothesis import given
from hypothesis import strategies as st

from refnn.arithmetic.ball import BallArray, working_precision
from refnn.arithmetic.rational import RationalArray
from refnn.errors import DTypeError
from refnn.oracle.formats import format_named
from tests.laws.measures import examples
from tests.oracle.rounding import FORMATS, SIZES, dtype_of, is_even, nearest, number, pattern

every_format = pytest.mark.parametrize("name", FORMATS)
narrower_formats = pytest.mark.parametrize("name", FORMATS[1:])
SIGNS = (1, -1)


def ball(middle: Fraction, radius: Fraction = Fraction(0)) -> arb:
    """A ball with this midpoint and about this radius, both of them whole numbers times powers of 2."""
    return arb(_dyadic(middle), _dyadic(radius))


def ends(element: arb) -> tuple[Fraction, Fraction]:
    """Both ends of a ball, as it is: Arb may have made the radius larger than the one that it was given."""
    middle, radius = (int(m) * Fraction(2) ** int(e) for m, e in (element.mid().man_exp(), element.rad().man_exp()))
    return middle - radius, middle + radius


def _dyadic(value: Fraction) -> tuple[int, int]:
    exponent = value.denominator.bit_length() - 1
    assert value.denominator == 2**exponent
    zeros = (value.numerator & -value.numerator).bit_length() - 1 if value else 0  # Arb's integers are small
    return value.numerator >> zeros, zeros - exponent


def rounded(element: arb, name: str, bits: int = 512) -> tuple[float, bool]:
    """The rounding of one ball."""
    with working_precision(bits):
        values, decided = format_named(name).round_balls(BallArray(np.array([element], object)))
    assert values.shape == decided.shape == (1,)
    return float(values[0]), bool(decided[0])


def same(a: float, b: float) -> bool:
    """Whether two floats are one and the same, signs of zeros included."""
    return a == b and math.copysign(1, a) == math.copysign(1, b)


def traps(name: str) -> list[tuple[Fraction, Fraction, Fraction]]:
    """(value, its rounding, what rounding through float64 gives): a border of the format, and less than float64 sees.

    The border between even and the number above it is passed by a little, so that the number above is the nearest;
    float64 forgets the little, and the tie goes to even. Or the border below even is missed by a little.
    """
    digits, lowest, largest = SIZES[name].digits, SIZES[name].lowest, SIZES[name].largest
    unit, little = Fraction(2) ** (1 - digits), Fraction(1, 2**80)
    found = [
        (1 + unit / 2 + little, 1 + unit, Fraction(1)),
        (1 + 3 * unit / 2 - little, 1 + unit, 1 + 2 * unit),
        (1 - unit / 4 - little, 1 - unit / 2, Fraction(1)),  # below a power of 2 the numbers stand closer
    ]
    tiny = Fraction(2) ** lowest
    found += [
        (tiny / 2 * (1 + little), tiny, Fraction(0)),
        (tiny * Fraction(3, 2) * (1 - little), tiny, 2 * tiny),
        (tiny * Fraction(5, 2) * (1 + little), 3 * tiny, 2 * tiny),
    ]
    half = unit / 2 * 2 ** SIZES[name].highest
    return [*found, ((largest + half) * (1 - little), largest, Fraction(2) ** (SIZES[name].highest + 1))]


# ----------------------------------------------------------------------------------------------------- what formats are


@every_format
def test_sizes_are_those_of_the_standard(name: str) -> None:
    form, sizes = format_named(name), SIZES[name]
    assert (form.digits, form.lowest, Fraction(form.largest)) == (sizes.digits, sizes.lowest, sizes.largest)
    assert form.dtype == dtype_of(name)


@every_format
def test_a_format_is_named_by_its_name_its_dtype_or_its_type(name: str) -> None:
    dtype = dtype_of(name)
    assert format_named(dtype) == format_named(dtype.type) == format_named(name)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("float128", "'float128'"),
        ("float8", "'float8'"),
        ("FLOAT64", "'FLOAT64'"),
        ("", "''"),
        (None, "None"),
        (3, "3"),
        (complex, "<class 'complex'>"),
        (np.dtype(np.int64), "dtype('int64')"),
        (np.longdouble, "<class 'numpy.longdouble'>"),
        ([], "[]"),
    ],
)
def test_other_formats_are_refused_by_name(given: Any, shown: str) -> None:
    with pytest.raises(DTypeError) as caught:
        format_named(given)
    assert caught.value.given == f"dtype is {shown}"
    assert caught.value.why == "there is no such format to round to"
    assert caught.value.remedy == "Pass one of float64, float32, float16, bfloat16"


# ------------------------------------------------------------------------------------------------- one rational number


def fractions() -> st.SearchStrategy[Fraction]:
    """Of every magnitude that a float64 has and some beyond, with short and long numerators and denominators."""
    whole = st.integers(-(2**70), 2**70) | st.integers(-(2**300), 2**300)
    ratio = st.builds(Fraction, whole, st.integers(1, 2**70))
    return st.builds(lambda r, e: r * Fraction(2) ** e, ratio, st.integers(-1250, 1100))


def _divided(value: Fraction) -> float:
    try:
        return value.numerator / value.denominator
    except OverflowError:  # Python raises where IEEE 754 says infinity
        return math.inf if value > 0 else -math.inf


@given(value=fractions())
@examples(5)
def test_float64_is_pythons_division_of_integers(value: Fraction) -> None:
    assert same(format_named("float64").nearest(value), _divided(value) + 0.0)


@every_format
@given(value=fractions())
def test_it_is_the_nearest_number_that_a_search_finds(name: str, value: Fraction) -> None:
    assert same(format_named(name).nearest(value), nearest(value, name))


@pytest.mark.parametrize("name", ["float32", "float16"])
@given(value=st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1e5, 1e5) | st.floats(-1e-37, 1e-37))
@examples(5)
def test_float64_numbers_round_as_numpy_casts_them(name: str, value: float) -> None:
    with np.errstate(over="ignore"):
        assert same(format_named(name).nearest(Fraction(value)), float(np.array(value).astype(name)) + 0.0)


@given(value=st.floats(allow_nan=False, allow_infinity=False, width=32))
@examples(5)
def test_float32_numbers_round_as_ml_dtypes_casts_them(value: float) -> None:
    expected = float(np.array(value, np.float32).astype(ml_dtypes.bfloat16))
    assert same(format_named("bfloat16").nearest(Fraction(value)), expected + 0.0)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_numbers_of_a_short_format_and_the_borders_between_them(name: str) -> None:
    """Every 29th, and all at the ends of the range."""
    form, end = format_named(name), pattern(math.inf, name)
    for bits in sorted({*range(100), *range(0, end, 29), *range(end - 100, end)}):
        low, high = number(bits, name), number(bits + 1, name)
        real = Fraction(low)
        gap = (Fraction(2) ** (SIZES[name].highest + 1) if math.isinf(high) else Fraction(high)) - real
        assert form.nearest(real) == low
        assert form.nearest(-real - gap / 2) == -(high if bits % 2 else low)
        assert form.nearest(real + gap / 2 - gap / 2**70) == low
        assert form.nearest(real + gap / 2 + gap / 2**70) == high


@every_format
@pytest.mark.parametrize("sign", SIGNS)
def test_borders_by_hand(name: str, sign: int) -> None:
    digits, lowest, largest = SIZES[name].digits, SIZES[name].lowest, SIZES[name].largest
    unit, tiny, top = Fraction(2) ** (1 - digits), Fraction(2) ** lowest, Fraction(2) ** SIZES[name].highest
    little = Fraction(1, 2**2000)
    cases: list[tuple[Fraction, Any]] = [
        (1 + unit / 2, 1),  # ties to even, down and up
        (1 + unit * 3 / 2, 1 + 2 * unit),
        (1 + unit / 2 + little, 1 + unit),
        (1 + unit * 3 / 2 - little, 1 + unit),
        (1 - unit / 4, 1),  # below a power of 2 the gap is half as wide
        (1 - unit / 4 - little, 1 - unit / 2),
        (1 - unit * 3 / 4, 1 - unit),
        (tiny / 2, 0),
        (tiny / 2 + little, tiny),
        (tiny / 2 - little, 0),
        (tiny * 3 / 2, 2 * tiny),
        (tiny * 5 / 2, 2 * tiny),
        (tiny / unit - tiny / 2, tiny / unit),  # between the largest subnormal number and the smallest normal one
        (tiny / unit - tiny / 2 - little, tiny / unit - tiny),
        (largest, largest),
        (largest + unit * top / 2 - little, largest),
        (largest - unit * top / 2, largest - unit * top),
    ]
    form = format_named(name)
    for value, expected in cases:
        zero = 0.0 if expected == 0 else math.nan
        got = form.nearest(sign * value)
        assert same(got, zero) or Fraction(got) == sign * expected
    for beyond in (largest + unit * top / 2, largest + unit * top, 2 * top + little, Fraction(10) ** 400):
        assert form.nearest(sign * beyond) == sign * math.inf


@narrower_formats
@pytest.mark.parametrize("sign", SIGNS)
def test_rounding_through_float64_first_would_be_wrong(name: str, sign: int) -> None:
    form, infinite = format_named(name), Fraction(2) ** (SIZES[name].highest + 1)
    for value, expected, twice in traps(name):
        with np.errstate(over="ignore"):
            through = float(np.array(float(sign * value)).astype(dtype_of(name)))
        assert through == sign * (math.inf if twice == infinite else float(twice))
        assert form.nearest(sign * value) == sign * float(expected) != through
        with working_precision(4096):
            exactly = BallArray(np.array([arb(fmpq(value.numerator, value.denominator)) * sign], object))
            values, decided = form.round_balls(exactly)
        assert values.tolist() == [sign * float(expected)]
        assert decided.all()


@every_format
def test_arrays_of_rational_numbers_keep_their_shape(name: str) -> None:
    values = [Fraction(1, 3), Fraction(-2, 7), Fraction(0), Fraction(10**9, 3), Fraction(1, 10**60), Fraction(5)]
    ratios = np.array([fmpq(v.numerator, v.denominator) for v in values], object).reshape(3, 2)
    result = format_named(name).round_rationals(RationalArray(ratios))
    assert result.shape == (3, 2)
    assert result.ravel().tolist() == [nearest(v, name) for v in values]
    assert format_named(name).round_rationals(RationalArray(np.zeros((0,), object))).shape == (0,)


# --------------------------------------------------------------------------------------------------------------- balls


@st.composite
def balls(draw: st.DrawFn, name: str) -> tuple[Fraction, Fraction]:
    """Midpoint and radius: any, or on a border of the format; magnitudes from about 1e-330 to 1e310."""
    sizes = SIZES[name]
    if draw(st.booleans()):
        middle = draw(st.integers(1, 2**60)) * Fraction(2) ** draw(st.integers(-1156, 970))
    else:
        bits = draw(st.integers(0, 20) | st.integers(0, pattern(math.inf, name) - 1))
        low = Fraction(number(bits, name))
        above = number(bits + 1, name)
        middle = (low + (Fraction(2) ** (sizes.highest + 1) if math.isinf(above) else Fraction(above))) / 2
    relative = draw(st.integers(0, 2**30 - 1)) * Fraction(2) ** draw(st.integers(-170, -30))
    scale = Fraction(2) ** (middle.numerator.bit_length() - middle.denominator.bit_length())
    return draw(st.sampled_from(SIGNS)) * middle, relative * scale


@every_format
@examples(5)
@given(data=st.data())
def test_a_ball_is_decided_if_and_only_if_both_its_ends_round_alike(name: str, data: st.DataObject) -> None:
    element = ball(*data.draw(balls(name)))
    low, high = (nearest(end, name) for end in ends(element))
    value, decided = rounded(element, name)
    assert decided == (low == high)
    if decided:
        assert same(value, low)
    elif low == -math.inf and high == math.inf:
        assert math.isnan(value)
    else:
        assert low <= value <= high
        if abs(pattern(high, name) - pattern(low, name)) == 1 and low * high >= 0:
            assert is_even(value, name)


@every_format
@examples(2)
@given(data=st.data())
def test_what_is_decided_with_few_bits_is_right(name: str, data: st.DataObject) -> None:
    element = ball(*data.draw(balls(name)))
    value, decided = rounded(element, name, bits=data.draw(st.sampled_from([2, 24, 53, 128])))
    if decided:
        assert all(same(nearest(end, name), value) for end in ends(element))


@every_format
def test_a_border_is_decided_if_it_is_exact_and_even_stands_for_it_if_not(name: str) -> None:
    unit = Fraction(2) ** (1 - SIZES[name].digits)
    for border, even in ((1 + unit / 2, 1), (1 + unit * 3 / 2, 1 + 2 * unit), (-1 - unit / 2, -1)):
        assert rounded(ball(border), name) == (even, True)
        assert rounded(ball(border, unit / 2**100), name) == (even, False)
        assert rounded(ball(border + unit / 2**90, unit / 2**100), name)[1]


@every_format
def test_zero_has_no_sign(name: str) -> None:
    tiny = Fraction(2) ** SIZES[name].lowest
    for middle, radius in (
        (Fraction(0), Fraction(0)),
        (-tiny / 4, Fraction(0)),
        (-tiny / 2, Fraction(0)),
        (Fraction(0), tiny / 2),
        (-tiny / 4, tiny / 4),
    ):
        value, decided = rounded(ball(middle, radius), name)
        assert decided
        assert same(value, 0.0)
    value, decided = rounded(ball(-tiny / 2, tiny / 2**20), name)  # the even one of −0 and −tiny
    assert not decided
    assert same(value, 0.0)
    assert same(format_named(name).nearest(-tiny / 3), 0.0)


@every_format
@pytest.mark.parametrize("sign", SIGNS)
def test_exponents_beyond_all_measure_take_no_time(name: str, sign: int) -> None:
    for exponent in (10**9, 10**18):
        for significand in (3, 2**1100 + 1):
            assert rounded(arb((sign * significand, exponent)), name, bits=2048) == (sign * math.inf, True)
        value, decided = rounded(arb((sign * 3, -exponent)), name)
        assert decided
        assert same(value, 0.0)
        assert rounded(arb((sign, -exponent), (1, -exponent)), name) == (0, True)
        value, decided = rounded(arb((sign, 0), (1, exponent)), name)
        assert math.isnan(value)
        assert not decided
        assert rounded(arb((sign * 5, exponent), (1, exponent + 1)), name) == (sign * math.inf, True)
        # from 0 or so to beyond everything: the end that is infinite stands for it
        assert rounded(arb((sign, exponent), (1, exponent)), name) == (sign * math.inf, False)


@every_format
def test_one_end_below_infinity_leaves_it_undecided(name: str) -> None:
    largest = SIZES[name].largest
    assert rounded(ball(largest), name) == (float(largest), True)
    assert rounded(ball(largest, Fraction(2) ** SIZES[name].highest), name) == (math.inf, False)


@every_format
@pytest.mark.parametrize("element", [arb.nan(), arb.pos_inf(), arb.neg_inf(), arb(0, math.inf)], ids=str)
def test_what_is_not_finite_is_not_a_number_and_undecided(name: str, element: arb) -> None:
    value, decided = rounded(element, name)
    assert math.isnan(value)
    assert not decided


@every_format
@pytest.mark.parametrize("shape", [(), (0,), (3, 2), (0, 5)])
def test_balls_keep_their_shape(name: str, shape: tuple[int, ...]) -> None:
    values, decided = format_named(name).round_balls(BallArray.exact(np.full(shape, 0.5)))
    assert values.shape == decided.shape == shape
    assert (values == 0.5).all()
    assert decided.all()


def test_a_wrong_rounding_is_noticed() -> None:
    """The tests above compare with `nearest` of this folder: one number further is not it."""
    for name in FORMATS:
        value = Fraction(1, 3)
        right = nearest(value, name)
        for bits in (pattern(right, name) - 1, pattern(right, name) + 1):
            assert not same(number(bits, name), right)
            assert abs(Fraction(number(bits, name)) - value) > abs(Fraction(right) - value)
