"""Formats against the standard and against casts, rounding against a search; what is refused, and how."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refnn.arithmetic.precision import FORMATS, Precision, precision_named
from refnn.arrays import FloatArray
from refnn.errors import SettingError
from tests.oracle.rounding import SIZES, dtype_of, nearest, number, pattern

every_format = pytest.mark.parametrize("name", sorted(SIZES))
short_formats = pytest.mark.parametrize("name", ["bfloat16", "float16"])

FORMATS_IN_WORDS = "Pass one of float64, float32, bfloat16, float16, or a refnn.Precision"
TRUNCATED = "hardware truncates factors to 10 bits, by rules that are not modelled"
SCALED = "its numbers are scaled, by rules that are not modelled"
INTEGERS = "integers are not rounded numbers"
COMPLEX = "refnn computes with real numbers"
FINER = "the bounds are computed in float64, which is coarser"
UNKNOWN = "there is no model of it"


def same(found: FloatArray, expected: Any) -> bool:
    """Whether two arrays hold the same float64 numbers in the same places, signs of zeros included."""
    return found.dtype == np.float64 and found.tobytes() == np.asarray(expected, np.float64).tobytes()


# ----------------------------------------------------------------------------------------------------- what formats are


def test_the_formats_are_four() -> None:
    assert set(FORMATS) == set(SIZES)
    assert all(form.name == name for name, form in FORMATS.items())


@every_format
def test_sizes_are_those_of_the_standard(name: str) -> None:
    form, sizes = FORMATS[name], SIZES[name]
    assert form.digits == sizes.digits
    assert form.unit == Fraction(1, 2**sizes.digits)
    assert form.smallest == Fraction(2) ** sizes.lowest
    assert form.smallest_normal == Fraction(2) ** (1 - sizes.highest)
    assert form.largest == sizes.largest


@every_format
def test_sizes_are_those_that_ml_dtypes_states(name: str) -> None:
    finfo: Any = ml_dtypes.finfo
    form, info = FORMATS[name], finfo(dtype_of(name))
    assert 2 * form.unit == float(info.eps)
    assert form.smallest == float(info.smallest_subnormal)
    assert form.smallest_normal == float(info.smallest_normal)
    assert form.largest == float(info.max)


# ------------------------------------------------------------------------------------------------------------- rounding


@every_format
@given(value=st.floats(allow_nan=False))
def test_it_is_the_nearest_number_that_a_search_finds(name: str, value: float) -> None:
    expected = nearest(Fraction(value), name) if math.isfinite(value) else value
    assert same(FORMATS[name].nearest(np.array(value)), math.copysign(expected, value))


@every_format
@given(bits=st.integers(0, 2**64 - 1), sign=st.sampled_from([1, -1]))
def test_between_two_neighbours_it_is_the_nearer_and_the_even_one_of_a_tie(name: str, bits: int, sign: int) -> None:
    low = number(bits % pattern(math.inf, name), name)
    high = nearest(Fraction(low) + Fraction(FORMATS[name].smallest), name)
    step = Fraction(math.ulp(low)) * 2 ** (53 - SIZES[name].digits) if high == low else Fraction(high) - Fraction(low)
    middle = float(Fraction(low) + step / 2)  # in float64, it is one of the neighbours, and all three are one
    around = [sign * v for v in (np.nextafter(middle, 0), middle, np.nextafter(middle, math.inf))]
    assert same(FORMATS[name].nearest(np.array(around)), [sign * nearest(Fraction(abs(v)), name) for v in around])


@short_formats
def test_every_number_is_its_own_and_every_middle_goes_to_the_even_neighbour(name: str) -> None:
    patterns = np.arange(pattern(math.inf, name), dtype=np.uint16)
    numbers = patterns.view(dtype_of(name)).astype(np.float64)
    above = np.append(numbers[1:], 2.0 ** (SIZES[name].highest + 1))  # where the next one would be, if there were one
    middles = (numbers + above) / 2  # float64 has the digits
    higher = np.append(numbers[1:], math.inf)
    for sign in (1.0, -1.0):
        round_ = FORMATS[name].nearest
        assert same(round_(sign * numbers), sign * numbers)
        assert same(round_(sign * middles), sign * np.where(patterns % 2 == 0, numbers, higher))
        assert same(round_(sign * np.nextafter(middles, 0)), sign * numbers)
        assert same(round_(sign * np.nextafter(middles, math.inf)), sign * higher)


def cast(values: FloatArray, name: str) -> FloatArray:
    with np.errstate(over="ignore"):
        return values.astype(dtype_of(name)).astype(np.float64)


@every_format
def test_casts_of_numpy_and_ml_dtypes_give_the_same(name: str) -> None:
    """From float32, for ml_dtypes goes there first: a double rounding that the search above would tell."""
    random = np.random.default_rng(5)
    values = random.integers(0, 2**32, 20_000, dtype=np.uint32).view(np.float32)
    values = values[~np.isnan(values)]
    assert same(FORMATS[name].nearest(values.astype(np.float64)), cast(values, name))
    assert same(FORMATS[name].nearest(values), cast(values, name))


def test_it_rounds_once_where_a_cast_by_way_of_float32_rounds_twice() -> None:
    above_the_tie = np.array(1 + 2.0**-8 + 2.0**-40)
    assert same(FORMATS["bfloat16"].nearest(above_the_tie), 1 + 2.0**-7)
    assert cast(above_the_tie.astype(np.float32), "bfloat16") == 1


@every_format
def test_infinities_and_zeros_stay_what_they_are(name: str) -> None:
    special = np.array([math.inf, -math.inf, 0.0, -0.0])
    assert same(FORMATS[name].nearest(special), special)


@every_format
def test_beyond_the_range_it_is_infinite_without_a_warning(name: str) -> None:
    largest = FORMATS[name].largest
    unit = SIZES[name].largest * Fraction(FORMATS[name].unit)
    border = float(SIZES[name].largest + unit) if name != "float64" else math.inf  # for float64, no float is between
    beyond = np.array([border, -border])
    with np.errstate(all="raise"):
        assert same(FORMATS[name].nearest(np.array([largest, -largest])), [largest, -largest])
        assert same(FORMATS[name].nearest(beyond), [math.inf, -math.inf])


@every_format
def test_the_tiny_and_the_huge_may_stand_side_by_side(name: str) -> None:
    values = np.array([1e-310, 1e-45, 1.0, 1e300])
    with np.errstate(all="raise", under="ignore"):
        rounded = FORMATS[name].nearest(values)
    assert same(rounded, [nearest(Fraction(v), name) for v in values.tolist()])


@every_format
def test_what_is_less_than_half_of_the_smallest_number_becomes_a_zero_of_its_sign(name: str) -> None:
    half = FORMATS[name].smallest / 2  # 0 for float64
    assert same(FORMATS[name].nearest(np.array([half, -half, -0.75 * half])), [0.0, -0.0, -0.0])


@every_format
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 5)], ids=str)
def test_shapes_are_kept(name: str, shape: tuple[int, ...]) -> None:
    values = np.full(shape, 0.1)
    rounded = FORMATS[name].nearest(values)
    assert isinstance(rounded, np.ndarray)
    assert rounded.shape == shape
    assert same(rounded, cast(values, name))
    assert (values == 0.1).all()


@every_format
@pytest.mark.parametrize("tiny", [1.0, 1e-300], ids=["ordinary", "with subnormals"])
def test_neither_memory_nor_its_order_matters(name: str, tiny: float) -> None:
    values = np.random.default_rng(7).normal(0, 1, (6, 10))
    values[::3] *= tiny
    for view in (values.T, values[::2, ::-3], np.asfortranarray(values), np.broadcast_to(values[0], (4, 10))):
        assert same(FORMATS[name].nearest(view), cast(np.ascontiguousarray(view), name))


# ----------------------------------------------------------------------------------------------- what a precision holds

SHORTHAND = {
    "float64": Precision("float64", "float64", function_ulps=8, function_rms=1, keeps_tails=False, flushes=True),
    "float32": Precision("float32", "float32", function_ulps=8, function_rms=1, keeps_tails=False, flushes=True),
    "bfloat16": Precision("bfloat16", "float32", function_ulps=2, function_rms=0.3, keeps_tails=False, flushes=True),
    "float16": Precision("float16", "float32", function_ulps=2, function_rms=0.3, keeps_tails=False, flushes=False),
}
ALIASES = {
    "float64": ["double", "fp64", "f64"],
    "float32": ["single", "fp32", "f32", "FP32"],
    "bfloat16": ["bf16", "BF16"],
    "float16": ["half", "fp16", "f16"],
}


LIBRARIES = ["torch", "numpy", "np", "jax.numpy", "jnp", "ml_dtypes"]
SUMMED = Precision("bfloat16", "float32", sums="bfloat16")
TAILS = Precision("bfloat16", "float64", function_ulps=2, keeps_tails=True)


def torch_dtypes() -> list[Any]:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    return [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def jax_dtypes() -> list[Any]:
    jnp = pytest.importorskip("jax.numpy", reason="JAX is not installed")
    return [jnp.dtype("float64"), jnp.dtype("float32"), jnp.dtype(jnp.bfloat16), jnp.zeros(1, jnp.float16).dtype]


def jax_types() -> list[Any]:
    jnp = pytest.importorskip("jax.numpy", reason="JAX is not installed")
    return [jnp.float64, jnp.float32, jnp.bfloat16, jnp.float16]


@pytest.mark.parametrize(
    "spelt",
    [
        lambda: list(SHORTHAND),
        lambda: [name.upper() for name in SHORTHAND],
        *(lambda library=library: [f"{library}.{name}" for name in SHORTHAND] for library in LIBRARIES),
        lambda: [dtype_of(name) for name in SHORTHAND],
        lambda: [np.float64, np.float32, ml_dtypes.bfloat16, np.float16],
        torch_dtypes,
        jax_dtypes,
        jax_types,
        lambda: list(SHORTHAND.values()),
    ],
    ids=["names", "in capitals", *LIBRARIES, "dtypes", "types", "torch", "jax", "jax's types", "themselves"],
)
def test_a_precision_is_named_by_its_format(spelt: Any) -> None:
    assert [precision_named(given) for given in spelt()] == list(SHORTHAND.values())


@pytest.mark.parametrize(("name", "alias"), [(name, alias) for name, some in ALIASES.items() for alias in some])
def test_it_has_other_names(name: str, alias: str) -> None:
    assert precision_named(alias) == SHORTHAND[name]
    assert Precision(alias, alias, sums=alias) == Precision(name, name, sums=name)


@pytest.mark.parametrize("name", SHORTHAND)
def test_what_is_not_said_is_as_usual(name: str) -> None:
    """In two settings or more, in any order."""
    usual = SHORTHAND[name]
    assert Precision(name) == Precision(name, usual.accumulate) == usual
    assert Precision(name, function_ulps=usual.function_ulps) == Precision(name, flushes=usual.flushes) == usual
    other = Precision(name, function_rms=0.4, flushes=not usual.flushes)
    assert other == dataclasses.replace(usual, function_rms=0.4, flushes=not usual.flushes)


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_whoever_sums_in_16_bits_computes_functions_so(name: str) -> None:
    alone = Precision(name, name)
    assert (alone.function_ulps, alone.function_rms) == (8, 1)
    assert alone.flushes == SHORTHAND[name].flushes
    assert (Precision(name, "float64").function_ulps, Precision(name, sums=name).function_ulps) == (2, 2)


def test_a_root_mean_square_is_no_more_than_the_largest() -> None:
    assert Precision("float32", function_ulps=0.5).function_rms == 0.5
    assert Precision("float32", function_ulps=1.5).function_rms == 1
    assert Precision("bfloat16", function_ulps=0.5).function_rms == 0.3


def test_a_precision_is_itself() -> None:
    mine = Precision("bfloat16", "bfloat16", function_ulps=1)
    assert precision_named(mine) is mine


def test_its_formats_may_be_given_as_dtypes() -> None:
    mine: Any = (ml_dtypes.bfloat16, np.dtype(np.float32))
    assert Precision(*mine) == Precision("bfloat16", "float32")
    assert (Precision(*mine).storage, Precision(*mine).accumulate) == ("bfloat16", "float32")


def test_format_is_what_is_stored_and_sums_have_formats_of_their_own() -> None:
    half = SHORTHAND["float16"]
    assert (half.format, half.accumulated, half.summed) == (FORMATS["float16"], FORMATS["float32"], FORMATS["float32"])
    like_jax = Precision("float16", "float32", sums="float16")
    assert (like_jax.accumulated, like_jax.summed) == (FORMATS["float32"], FORMATS["float16"])


def test_what_is_lost_below_the_normal_range() -> None:
    """The smallest normal number of float32 is 2⁻¹²⁶, the smallest one 2⁻¹⁴⁹; those of float16, 2⁻¹⁴ and 2⁻²⁴."""
    tiny = np.array([2.0**-127, -(2.0**-149), 2.0**-126, 0.0, 1.0])
    for precision, lost in ((SHORTHAND["float32"], [2.0**-127, 2.0**-149, 0, 0, 0]), (SHORTHAND["float16"], [0] * 5)):
        assert same(precision.flushed(tiny), lost)
    assert SHORTHAND["float32"].lost(FORMATS["float32"]) == 2.0**-126
    assert SHORTHAND["float16"].lost(FORMATS["float16"]) == 2.0**-25


def test_it_is_frozen_and_hashable() -> None:
    mine: Any = precision_named("float32")
    with pytest.raises(dataclasses.FrozenInstanceError):
        mine.flushes = False
    assert {Precision("float32", "float32"): 1}[mine] == 1
    assert mine != dataclasses.replace(mine, keeps_tails=True)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (SHORTHAND["float64"], "float64, functions within 8 ulps"),
        (SHORTHAND["float32"], "float32, sums in float32, functions within 8 ulps"),
        (SHORTHAND["bfloat16"], "bfloat16, sums in float32, functions within 2 ulps"),
        (TAILS, "bfloat16, sums in float64, functions within 2 ulps, tails kept"),
        (SUMMED, "bfloat16, products in float32, other sums in bfloat16, functions within 2 ulps"),
        (Precision("float16", "float16", function_ulps=0.5), "float16, sums in float16, functions within 0.5 ulps"),
        (
            Precision("float64", function_ulps=0.5, function_rms=0.3, flushes=False),
            "float64, functions within 0.5 ulps (rms 0.3), no tiny numbers flushed",
        ),
        (
            Precision("float16", function_rms=1, flushes=True),
            "float16, sums in float32, functions within 2 ulps (rms 1), tiny numbers flushed",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_it_is_printed_in_a_phrase(given: Precision, text: str) -> None:
    assert str(given) == text
    assert eval(repr(given), {"Precision": Precision}) == given  # noqa: S307 - a dataclass's repr is its call


@pytest.mark.parametrize("least", ["function_ulps", "function_rms"])
def test_perfect_functions_are_allowed(least: str) -> None:
    setting: Any = {least: {"function_ulps": 0.5, "function_rms": 0.29}[least]}
    assert getattr(Precision("float32", "float32", **setting), least) == setting[least]


# ------------------------------------------------------------------------------------------------------ what is refused

REFUSED_FORMATS = [
    ("tf32", TRUNCATED),
    ("TF32", TRUNCATED),
    ("tensorfloat32", TRUNCATED),
    ("torch.float8_e5m2", SCALED),
    ("x.float32", UNKNOWN),
    ("float32.", UNKNOWN),
    (".float32", UNKNOWN),
    (" float32", UNKNOWN),
    ("torch.x.float32", UNKNOWN),
    ("float", UNKNOWN),
    ("float8_e4m3fn", SCALED),
    (ml_dtypes.float8_e4m3fn, SCALED),
    (np.dtype(ml_dtypes.float8_e5m2), SCALED),
    ("fp8", SCALED),
    ("mxfp4", SCALED),
    (ml_dtypes.float4_e2m1fn, SCALED),
    (np.int8, INTEGERS),
    (np.dtype(np.uint8), INTEGERS),
    ("int", INTEGERS),
    (bool, INTEGERS),
    ("float128", FINER),
    ("", UNKNOWN),
    (None, UNKNOWN),
    (3, UNKNOWN),
    ([], UNKNOWN),
    (np.longdouble, FINER),
    (np.dtype(complex), COMPLEX),
]


def message(caught: Any) -> tuple[str, str, str]:
    return caught.value.given, caught.value.why, caught.value.remedy


@pytest.mark.parametrize(("given", "why"), REFUSED_FORMATS, ids=repr)
def test_other_formats_are_refused(given: Any, why: str) -> None:
    shown = f"{given!r}"
    with pytest.raises(SettingError) as caught:
        precision_named(given)
    assert message(caught) == (f"precision is {shown}", why, FORMATS_IN_WORDS)
    with pytest.raises(SettingError) as caught:
        Precision(given, "float32")
    assert message(caught) == (f"storage is {shown}", why, FORMATS_IN_WORDS)
    if given is not None:
        with pytest.raises(SettingError) as caught:
            Precision("bfloat16", given)
        assert message(caught) == (f"accumulate is {shown}", why, FORMATS_IN_WORDS)
        with pytest.raises(SettingError) as caught:
            Precision("bfloat16", "float32", sums=given)
        assert message(caught) == (f"sums is {shown}", why, FORMATS_IN_WORDS)


def test_formats_of_torch_that_hardware_scales_are_refused() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    with pytest.raises(SettingError) as caught:
        precision_named(torch.float8_e4m3fn)
    assert message(caught) == ("precision is torch.float8_e4m3fn", SCALED, FORMATS_IN_WORDS)


@pytest.mark.parametrize("name", ["accumulate", "sums"])
@pytest.mark.parametrize(
    ("storage", "coarser"), [("float64", "float32"), ("float32", "float16"), ("float16", "bfloat16")]
)
def test_sums_coarser_than_what_is_stored_are_refused(storage: str, coarser: str, name: str) -> None:
    setting: Any = {"accumulate": storage, name: coarser}
    with pytest.raises(SettingError) as caught:
        Precision(storage, **setting)
    assert message(caught) == (
        f"{name} is {coarser} and storage {storage}",
        "sums would be formed in a coarser format than they are stored in",
        f"Pass {name}='{storage}' or a finer one",
    )


@pytest.mark.parametrize(("name", "least"), [("function_ulps", 0.5), ("function_rms", 0.29)])
@pytest.mark.parametrize("less", [0.28, 0, -8])
def test_functions_better_than_rounding_are_refused(name: str, least: float, less: float) -> None:
    setting: Any = {name: less}
    with pytest.raises(SettingError) as caught:
        Precision("float32", "float32", **setting)
    assert message(caught) == (
        f"{name} is {less}", f"rounding alone makes {least} of a unit in the last place", f"Pass {least} or more"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "given"),
    [
        ({"function_ulps": 2, "function_rms": 2.5}, "function_rms is 2.5 and function_ulps 2"),
        ({"function_rms": 9}, "function_rms is 9 and function_ulps 8"),
    ],
)
def test_a_root_mean_square_above_the_largest_is_refused(setting: Any, given: str) -> None:
    with pytest.raises(SettingError) as caught:
        Precision("float32", **setting)
    why = "no root mean square is larger than the largest"
    assert message(caught) == (given, why, "Pass a smaller function_rms, or larger function_ulps")


@pytest.mark.parametrize("name", ["keeps_tails", "flushes"])
@pytest.mark.parametrize("value", ["yes", "no", 1, 0.0, np.True_], ids=repr)
def test_what_is_so_or_not_is_true_or_false(name: str, value: Any) -> None:
    setting: Any = {name: value}
    with pytest.raises(SettingError) as caught:
        Precision("float32", **setting)
    assert message(caught) == (f"{name} is {value!r}", "it is so or not", "Pass True or False")


@pytest.mark.parametrize("name", ["function_ulps", "function_rms"])
@pytest.mark.parametrize("value", [math.nan, math.inf, "8", [], True], ids=repr)
def test_errors_of_functions_are_finite_numbers(name: str, value: Any) -> None:
    setting: Any = {name: value}
    with pytest.raises(SettingError) as caught:
        Precision("float32", "float32", **setting)
    assert message(caught) == (f"{name} is {value!r}", f"{name} is a finite real number", "Pass a finite number")
