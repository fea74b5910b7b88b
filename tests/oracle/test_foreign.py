"""Arrays of other libraries against their bits, which `struct` reads; and what is refused, word by word."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from refnn.arrays import FloatArray
from refnn.errors import DTypeError, RefnnError, SettingError, ShapeError
from refnn.oracle.foreign import by_name, common_format, widened
from tests.oracle.rounding import FORMATS, dtype_of

every_format = pytest.mark.parametrize("kind", FORMATS)
MODELLED = "the formats that are modelled are float64, float32, bfloat16, float16"
HUGE = 10**5000  # more digits than Python converts to a string


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.fixture
def jax() -> Iterator[Any]:
    module = pytest.importorskip("jax", reason="JAX is not installed")
    before = module.config.jax_enable_x64
    module.config.update("jax_enable_x64", True)  # without it, JAX has no float64
    yield module
    module.config.update("jax_enable_x64", before)


def bits_of(kind: str) -> NDArray[np.unsignedinteger[Any]]:
    """Bit patterns, 5 in a column: all that 16 bits have, for more a thousand and those at the borders of the format.

    Among them are both zeros, subnormal numbers, infinities, and NaNs that signal.
    """
    size = dtype_of(kind).itemsize
    if size == 2:
        patterns = np.arange(2**16)
    else:
        infinity = int.from_bytes(struct.pack(">d" if size == 8 else ">f", float("inf")))
        one = infinity & -infinity  # the smallest normal number
        edges = [0, 1, one - 1, one, one + 1, infinity - 1, infinity, infinity + 1, 2 * one]
        drawn = np.random.default_rng(7).integers(2 ** (8 * size - 1), size=1000).tolist()
        patterns = np.array([sign | edge for edge in edges + drawn for sign in (0, 2 ** (8 * size - 1))], np.uint64)
    columns = patterns.size // 5
    return np.array(patterns[: 5 * columns], f"u{size}").reshape(5, columns)


def read(bits: NDArray[np.integer[Any]], kind: str) -> FloatArray:
    """The numbers with these bits, without NumPy's formats: bfloat16 is float32 without its last 16 bits."""
    codes = {"float64": ("d", "Q", 0), "float32": ("f", "I", 0), "float16": ("e", "H", 0), "bfloat16": ("f", "I", 16)}
    code, integer, shift = codes[kind]
    numbers = (struct.unpack(code, struct.pack(integer, b << shift))[0] for b in bits.ravel().tolist())
    return np.fromiter(numbers, np.float64, bits.size).reshape(bits.shape)


def same(values: FloatArray, expected: FloatArray) -> bool:
    """Whether all numbers are the same, with the signs of zeros; one NaN is as good as another."""
    assert values.dtype == expected.dtype == np.float64
    if not np.array_equal(values, expected, equal_nan=True):
        return False
    return bool(np.all(np.isnan(values) | (np.signbit(values) == np.signbit(expected))))


class OnDevice:
    """Stands in for an array of CuPy, which gives its numbers to `get` alone."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.dtype = array.dtype

    def get(self) -> np.ndarray:
        return self._array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, key: Any) -> OnDevice:
        return OnDevice(self._array[key])

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")


class Unreadable:
    """Likewise, in a library that knows nothing of NumPy."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.dtype = array.dtype

    def get(self) -> np.ndarray:
        return self._array


class Tensor:
    """Stands in for a tensor of PyTorch, which has no bfloat16 to give, on a device without float64."""

    def __init__(self, array: np.ndarray, *ready: str) -> None:
        self._array, self._ready = array, ready
        self.dtype, self.layout = f"torch.{array.dtype.name}", "torch.strided"

    def detach(self) -> Tensor:
        return Tensor(self._array, *self._ready, "detached")

    def cpu(self) -> Tensor:
        return Tensor(self._array, *self._ready, "here")

    def double(self) -> Tensor:
        assert "here" in self._ready
        with np.errstate(invalid="ignore"):  # NaNs that signal
            return Tensor(self._array.astype(np.float64), *self._ready)

    def numpy(self, *, force: bool = False) -> np.ndarray:
        assert force or {"here", "detached"} <= {*self._ready}
        assert self.dtype != "torch.bfloat16"
        return self._array


class Labelled:
    """Stands in for a series of pandas, whose `get` looks up a label."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.dtype = array.dtype

    def get(self, label: str) -> Any:
        raise AssertionError(label)

    def to_numpy(self) -> np.ndarray:
        raise AssertionError("not asked")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._array


class Exchanged:
    """An array that NumPy reads by DLPack only."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **settings: Any) -> Any:
        return self._array.__dlpack__(**settings)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class Hostile:
    """An object that fails whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise OSError("lost\nconnection")


STAND_INS = [OnDevice, Unreadable, Tensor, Labelled, Exchanged]


# ------------------------------------------------------------------------------------------------------- exact numbers


@every_format
def test_the_numbers_of_numpy_are_kept(kind: str) -> None:
    bits = bits_of(kind)
    array = bits.view(dtype_of(kind))
    values, format_ = widened("x", array)
    assert format_ == kind
    assert same(values, read(bits, kind))
    assert same(widened("x", array.T[::-2]).values, read(bits, kind).T[::-2])


@pytest.mark.parametrize("kind", ["float64", "float32", "float16"])
def test_the_order_of_bytes_does_not_matter(kind: str) -> None:
    bits = bits_of(kind)
    other = bits.byteswap().view(dtype_of(kind).newbyteorder())
    values, format_ = widened("x", other)
    assert format_ == kind
    assert values.dtype.isnative
    assert same(values, read(bits, kind))


@every_format
def test_the_numbers_of_pytorch_are_kept(torch: Any, kind: str) -> None:
    bits = bits_of(kind)
    tensor = torch.from_numpy(bits.view(f"i{bits.itemsize}").copy()).view(getattr(torch, kind))
    parameter = torch.nn.Parameter(tensor)
    for given_ in (tensor, parameter, parameter.view(-1, 5).view(5, -1)):
        values, format_ = widened("x", given_)
        assert format_ == kind
        assert same(values, read(bits, kind))
    assert same(widened("x", parameter.T[:, ::2]).values, read(bits, kind).T[:, ::2])
    assert parameter.requires_grad
    assert parameter.grad is None


@every_format
def test_the_numbers_of_jax_are_kept(jax: Any, kind: str) -> None:
    bits = bits_of(kind)
    values, format_ = widened("x", jax.device_put(bits.view(dtype_of(kind))))
    assert format_ == kind
    assert same(values, read(bits, kind))


@pytest.mark.parametrize(
    ("library", "kind"),
    [(library, kind) for library in STAND_INS for kind in FORMATS if (library, kind) != (Exchanged, "bfloat16")],
)  # NumPy gives no bfloat16 by DLPack
def test_the_numbers_of_any_library_are_kept(library: Any, kind: str) -> None:
    bits = bits_of(kind)
    values, format_ = widened("x", library(bits.view(dtype_of(kind))))
    assert format_ == kind
    assert same(values, read(bits, kind))


def test_the_stand_ins_are_as_unreadable_as_what_they_stand_for() -> None:
    array = np.ones((2, 3))
    with pytest.raises(TypeError, match=r"Please use `\.get\(\)`"):
        np.asarray(OnDevice(array))
    assert np.asarray(Unreadable(array)).dtype == np.asarray(Exchanged(array)).dtype == object


@pytest.mark.parametrize("wrong", [0.0, -5e-324, 1e-323, np.nan, np.inf])
def test_a_changed_number_is_seen(wrong: float) -> None:
    assert same(np.array([1.0, 5e-324]), np.array([1.0, 5e-324]))
    assert not same(np.array([1.0, wrong]), np.array([1.0, 5e-324]))
    assert not same(np.array([0.0]), np.array([-0.0]))
    assert not same(np.ones((2, 3)), np.ones((3, 2)))


def test_the_bits_are_read_as_the_standards_say() -> None:
    assert read(np.array([0x3F80, 0x0001, 0x7F80, 0xC040]), "bfloat16").tolist() == [1, 2.0**-133, np.inf, -3]
    assert read(np.array([0x3C00, 0x0001, 0x7BFF, 0xFC00]), "float16").tolist() == [1, 2.0**-24, 65504, -np.inf]


def test_a_result_in_the_middle_of_a_computation_of_pytorch(torch: Any) -> None:
    w = torch.tensor([3.0, 0.5], requires_grad=True)
    loss = (w**2).sum()
    assert widened("loss", loss).values == 9.25
    assert widened("loss", loss).format == "float32"
    loss.backward()
    assert widened("gradient", w.grad).values.tolist() == [6, 1]


def test_a_tensor_whose_sign_waits_to_be_applied(torch: Any) -> None:
    imaginary = torch.tensor([2 + 3j], dtype=torch.complex128).conj().imag
    assert imaginary.is_neg()
    assert widened("x", imaginary).values.tolist() == [-3]


def test_a_gradient_of_jax(jax: Any) -> None:
    slope = jax.grad(lambda w: (w**2).sum())(jax.numpy.array([3, 0.5], jax.numpy.bfloat16))
    values, format_ = widened("gradient", slope)
    assert (values.tolist(), format_) == ([6, 1], "bfloat16")


def test_pandas() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = {"a": np.array([0.5, 0.1], np.float32), "b": np.array([2, 3], np.float32)}
    values, format_ = widened("x", pandas.DataFrame(table))
    assert (values.T.tolist(), format_) == ([[0.5, float(np.float32(0.1))], [2, 3]], "float32")
    assert widened("x", pandas.Series([2, 3])).format is None


# ------------------------------------------------------------------------------------- numbers of Python, and integers


@given(number=st.floats())
def test_a_float_of_python_has_no_format(number: float) -> None:
    values, format_ = widened("loss", number)
    assert isinstance(values, np.ndarray)
    assert format_ is None
    assert same(values, np.array(number))


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_a_scalar_of_numpy_has_one(kind: Any) -> None:
    values, format_ = widened("loss", kind(0.1))
    assert isinstance(values, np.ndarray)
    assert values == float(kind(0.1))
    assert format_ == kind.__name__


def is_a_float64(integer: int) -> bool:
    """Whether its bits, from the first one to the last one that is set, are at most 53."""
    return len(bin(abs(integer))[2:].rstrip("0")) <= 53


@example(integer=2**53 + 1)
@example(integer=-(2**63) + 2**10)
@example(integer=2**63 - 1)
@example(integer=2**70)
@example(integer=2**70 + 1)
@given(integer=st.integers(-(2**53), 2**53) | st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**900), 2**900))
def test_an_integer_is_kept_or_refused(integer: int) -> None:
    cases = [integer, [0.5, integer]]
    if -(2**63) <= integer < 2**63:
        cases += [np.array([3, integer]), np.int64(integer)]
    for case in cases:
        if is_a_float64(integer):
            values, format_ = widened("y", case)
            assert Fraction(float(values.flat[-1])) == integer
            assert format_ is None
        else:
            with pytest.raises(DTypeError, match="no float64 equals it, and a silent rounding would change the quest"):
                widened("y", case)


@pytest.mark.parametrize("kind", ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
class TestIntegersHaveNoFormat:
    def of(self, library: Any, kind: str) -> None:
        values, format_ = widened("y", library(np.array([[1, 0, 1], [0, 1, 1]], kind)))
        assert format_ is None
        assert same(values, np.array([[1.0, 0, 1], [0, 1, 1]]))

    @pytest.mark.parametrize("library", [np.asarray, *STAND_INS])
    def test_in_numpy_and_others(self, library: Any, kind: str) -> None:
        self.of(library, kind)

    def test_in_pytorch(self, torch: Any, kind: str) -> None:
        self.of(torch.from_numpy, kind)

    def test_in_jax(self, jax: Any, kind: str) -> None:
        self.of(jax.device_put, kind)


def test_large_integers_of_pytorch_are_refused(torch: Any) -> None:
    with pytest.raises(DTypeError, match="y holds the integer 9007199254740993: no float64 equals it"):
        widened("y", torch.tensor([2, 2**53 + 1]))


def test_large_integers_of_jax_are_refused(jax: Any) -> None:
    with pytest.raises(DTypeError, match="y holds the integer 9007199254740993: no float64 equals it"):
        widened("y", jax.numpy.array([2, 2**53 + 1]))


# ---------------------------------------------------------------------------------------------------------------- lists


@pytest.mark.parametrize(
    ("given_", "values", "kind"),
    [
        ([], [], None),
        ([[], []], [[], []], None),
        ([[1, 0.5, True], (2, 3, -4)], [[1, 0.5, 1], [2, 3, -4]], None),
        ([2**53 + 2, 0.5], [2**53 + 2, 0.5], None),
        ([np.float32(0.5), 2, 0.1], [0.5, 2, 0.1], "float32"),
        ([np.ones(2, np.float16), [3, 4]], [[1, 1], [3, 4]], "float16"),
        ((OnDevice(np.array([1.0, 2])), np.array([3, 4])), [[1, 2], [3, 4]], "float64"),
    ],
)
def test_a_list_has_the_format_of_those_elements_that_have_one(given_: Any, values: Any, kind: str | None) -> None:
    found = widened("x", given_)
    assert (found.values.tolist(), found.format) == (values, kind)
    assert found.values.dtype == np.float64


def test_a_list_of_tensors(torch: Any) -> None:
    outputs = [torch.tensor([1.0, 2], dtype=torch.bfloat16, requires_grad=True), torch.ones(2, dtype=torch.bfloat16)]
    values, format_ = widened("outputs", outputs)
    assert (values.tolist(), format_) == ([[1, 2], [1, 1]], "bfloat16")


# ---------------------------------------------------------------------------------------------------- nothing is shared


@pytest.mark.parametrize("library", [np.asarray, *STAND_INS, lambda array: [array]])
def test_what_was_given_and_the_result_are_two_things(library: Any) -> None:
    array = np.array([[1.0, 2, 3], [4, 5, 6]])
    values = widened("x", library(array)).values
    assert not np.shares_memory(values, array)
    values[:] = 0
    assert array.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_tensor_of_pytorch_shares_nothing(torch: Any) -> None:
    tensor = torch.ones(2, 3, dtype=torch.float64)
    widened("x", tensor).values[:] = 0
    assert tensor.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_an_array_of_jax_shares_nothing(jax: Any) -> None:
    array = jax.numpy.ones((2, 3))
    widened("x", array).values[:] = 0
    assert array.tolist() == [[1, 1, 1], [1, 1, 1]]


# ------------------------------------------------------------------------------------------------------ what is refused


def endless() -> list[Any]:
    nested: list[Any] = []
    nested.append(nested)
    return nested


def no_numbers(text: str) -> str:
    return f"x is {text}: NumPy reads no numbers from it. Pass x as an array of floats."


def no_format(dtype: str, remedy: str = "Pass x in one of these formats") -> str:
    return f"x has dtype {dtype}: {MODELLED}. {remedy}."


@pytest.mark.parametrize(
    ("given_", "kind", "message"),
    [
        (None, DTypeError, no_numbers("None")),
        ({"0.weight": 1.0}, DTypeError, no_numbers("{'0.weight': 1.0}")),
        (Fraction(1, 3), DTypeError, no_numbers("Fraction(1, 3)")),
        ([1.0, Decimal("0.1")], DTypeError, no_numbers("Decimal('0.1')").replace("x", "x[1]")),
        (np.array([1.0], object), DTypeError, no_numbers("array([1.0], dtype=object)")),
        (float, DTypeError, no_numbers("<class 'float'>")),
        ("1", DTypeError, no_format("<U1")),
        (b"1", DTypeError, no_format("|S1")),
        (np.datetime64("2020"), DTypeError, no_format("datetime64[Y]")),
        (np.zeros(2, [("a", "f4")]), DTypeError, no_format("[('a', '<f4')]")),
        (np.zeros(2, ml_dtypes.float8_e4m3fn), DTypeError, no_format("float8_e4m3fn")),
        (np.zeros(2, ml_dtypes.float8_e5m2), DTypeError, no_format("float8_e5m2")),
        (np.zeros(2, ml_dtypes.float4_e2m1fn), DTypeError, no_format("float4_e2m1fn")),
        (np.zeros(2, ml_dtypes.int4), DTypeError, no_format("int4")),
        (1j, DTypeError, no_format("complex128", "Pass x.real, if that is meant")),
        (np.zeros(2, np.complex64), DTypeError, no_format("complex64", "Pass x.real, if that is meant")),
        ([[1, 2], [3]], ShapeError, "x is ragged: its rows have different lengths. Pass rows of equal length."),
        (endless(), DTypeError, "x is [[...]]: it is nested without end. Pass x as a NumPy array."),
        (HUGE, DTypeError, (
         "x is <int>: no float64 equals it, and a silent rounding would change the question. "
         "Pass x as the float that is meant.")),
        (np.ma.masked_array([1.0, 2.0], mask=[False, True]), DTypeError, (
         "x is a masked array with missing elements: refnn computes with every element. "
         "Pass x.filled(value), or drop the samples with missing elements.")),
        (Hostile(), DTypeError, (
         "x is a Hostile of tests: tests does not convert it to NumPy: OSError('lost\\nconnection'). "
         "Pass x as a NumPy array.")),
        ([np.float32(1), np.float64(2)], DTypeError, (
         "x[0] is float32 and x[1] is float64: "
         "the numbers of one computation have one format, which says how far off they may be. "
         "Pass both in that format, or as Python floats (.tolist()) the one that is only reported in another.")),
    ],
    ids=lambda case: type(case).__name__,
)  # fmt: skip
def test_what_is_refused(given_: Any, kind: type[RefnnError], message: str) -> None:
    with pytest.raises(kind) as caught:
        widened("x", given_)
    assert type(caught.value) is kind
    assert str(caught.value) == message


def test_a_masked_array_without_missing_elements_is_an_array() -> None:
    values, format_ = widened("x", np.ma.masked_array([1.0, 2.0]))
    assert type(values) is np.ndarray
    assert (values.tolist(), format_) == ([1, 2], "float64")


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="here, long double is float64")
def test_a_wider_format_is_refused_with_the_cast() -> None:
    remedy = "Pass np.asarray(x, dtype=np.float64), if the nearest float64 is meant"
    for given_ in (np.longdouble("0.1"), np.zeros(2, np.longdouble)):
        with pytest.raises(DTypeError) as caught:
            widened("x", given_)
        assert str(caught.value) == no_format(str(np.dtype(np.longdouble)), remedy)


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("layout", "torch.sparse_coo", "x is sparse: refnn compares every element. Pass x.to_dense()."),
        ("dtype", "torch.float8_e4m3fn", no_format("float8_e4m3fn")),
        ("dtype", "torch.complex32", no_format("complex32", "Pass x.real, if that is meant")),
        ("dtype", "torch.quint8", no_format("quint8", "Pass x.dequantize()")),
    ],
)
def test_what_a_tensor_says_of_itself_is_heard(member: str, value: str, message: str) -> None:
    tensor = Tensor(np.ones((2, 3)))
    setattr(tensor, member, value)
    with pytest.raises(DTypeError) as caught:
        widened("x", tensor)
    assert str(caught.value) == message


class Sparse:
    def todense(self) -> np.ndarray:
        raise AssertionError("not asked")


def test_a_sparse_array_is_refused() -> None:
    with pytest.raises(DTypeError) as caught:
        widened("x", Sparse())
    assert str(caught.value) == "x is sparse: refnn compares every element. Pass x.todense()."


def test_tensors_of_pytorch_that_are_refused(torch: Any) -> None:
    dense = torch.tensor([[1.0, 0], [0, 2], [3, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch calls the one unfinished and the other outdated
        rows = dense.to_sparse_csr()
        quantised = torch.quantize_per_tensor(dense, 0.1, 0, torch.qint8)
    sparse = "x is sparse: refnn compares every element. Pass x.to_dense()."
    messages = [
        (dense.to_sparse(), sparse),
        (rows, sparse),
        (quantised, no_format("qint8", "Pass x.dequantize()")),
        (dense.to(torch.float8_e5m2), no_format("float8_e5m2")),
        (dense.to(torch.complex64), no_format("complex64", "Pass x.real, if that is meant")),
        (dense.to("meta"), (
         "x is a Tensor of torch: torch does not convert it to NumPy: "
         "NotImplementedError('Cannot copy out of meta tensor; no data!'). Pass x as a NumPy array.")),
    ]  # fmt: skip
    for tensor, message in messages:
        with pytest.raises(DTypeError) as caught:
            widened("x", tensor)
        assert str(caught.value) == message


def test_arrays_of_jax_that_are_refused(jax: Any) -> None:
    sparse = pytest.importorskip("jax.experimental.sparse", reason="this JAX has no sparse arrays")
    deleted = jax.numpy.ones(3)
    deleted.delete()
    messages = [
        (sparse.BCOO.fromdense(jax.numpy.eye(3)), r"x is sparse: refnn compares every element. Pass x.todense\(\)"),
        (jax.numpy.ones(2, jax.numpy.float8_e4m3fn), "x has dtype float8_e4m3fn: the formats that are modelled are"),
        (jax.random.key(0), r"x is a PRNGKeyArray of jax: jax does not convert it to NumPy: TypeError\("),
        (deleted, r"does not convert it to NumPy: RuntimeError\('Array has been deleted"),
    ]
    for array, message in messages:
        with pytest.raises(DTypeError, match=message):
            widened("x", array)


def test_inside_a_compiled_function_of_jax_there_are_no_numbers(jax: Any) -> None:
    with pytest.raises(DTypeError, match="jax does not convert it to NumPy: TracerArrayConversionError"):
        jax.jit(lambda x: widened("x", x).values)(jax.numpy.ones(3))


def test_a_sparse_array_of_scipy_is_refused() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    with pytest.raises(DTypeError, match=r"x is sparse: refnn compares every element. Pass x.todense\(\)"):
        widened("x", sparse.eye_array(3))


def test_what_reading_asks_of_a_library_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Any) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(Unreadable, "get", interrupted)
    with pytest.raises(KeyboardInterrupt):
        widened("x", Unreadable(np.ones(2)))


def test_no_library_is_imported() -> None:
    program = (
        "import sys; from refnn.oracle.foreign import widened; widened('x', [0.5]); "
        "sys.exit(', '.join({'torch', 'jax', 'cupy', 'pandas', 'ml_dtypes', 'flint'} & set(sys.modules)) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - a program of this file


# ----------------------------------------------------------------------------------------------------- a common format


@pytest.mark.parametrize(
    ("formats", "common"),
    [
        ({}, None),
        ({"loss": None}, None),
        ({"loss": None, "gradient": "float32"}, "float32"),
        ({"gradient": "bfloat16", "loss": None, "outputs": "bfloat16"}, "bfloat16"),
    ],
)
def test_the_common_format(formats: dict[str, str | None], common: str | None) -> None:
    assert common_format(formats) == common


def test_two_formats_are_refused() -> None:
    with pytest.raises(DTypeError) as caught:
        common_format({"outputs": None, "gradient": "float32", "input_gradient": "float32", "loss": "float64"})
    assert str(caught.value) == (
        "gradient is float32 and loss is float64: "
        "the numbers of one computation have one format, which says how far off they may be. "
        "Pass both in that format, or as Python floats (.tolist()) the one that is only reported in another."
    )


# ----------------------------------------------------------------------------------------------------- arrays by name

NAMES = {"0.weight": (2, 3), "0.bias": (3,), "2.weight": (3, 1)}


def test_arrays_by_name_are_in_the_order_of_the_names() -> None:
    given_ = {"2.weight": [[1.0]], "0.weight": np.ones((2, 3))}
    found = by_name("gradient", given_, NAMES)
    assert found is not None
    assert list(found) == ["0.weight", "2.weight"]
    assert all(found[name] is given_[name] for name in found)
    assert by_name("gradient", {}, NAMES) == {}


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_arrays_has_one_for_each_name(kind: Any, torch: Any) -> None:
    for arrays in ([np.ones((2, 3)), np.ones(3), np.ones((3, 1))], [torch.ones(2, 3), torch.ones(3), torch.ones(3, 1)]):
        found = by_name("gradient", kind(arrays), NAMES)
        assert found is not None
        assert list(found) == list(NAMES)
        assert all(a is b for a, b in zip(found.values(), arrays, strict=True))


@pytest.mark.parametrize(
    "given_", [[0.5, 1.0, 2.0], [], [[1.0], [2.0]], [np.float32(1)] * 3, np.ones(3), 0.5, None, "0.bias"]
)
def test_what_has_no_names(given_: Any) -> None:
    assert by_name("gradient", given_, NAMES) is None


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"0.bais": 1}, (
         "gradient has the name '0.bais': the parameters of this network are 0.weight, 0.bias, 2.weight. "
         "Pass it as '0.bias', if that is meant.")),
        ({"0.bias": 1, 0: 1}, (
         "gradient has the name 0: the parameters of this network are 0.weight, 0.bias, 2.weight. "
         "Pass some of these.")),
        ([np.ones((2, 3)), np.ones(3)], (
         "gradient is a list of 2 arrays: the parameters of this network are 0.weight, 0.bias, 2.weight. "
         "Pass one array for each in this order, or a mapping of their names to arrays.")),
    ],
)  # fmt: skip
def test_other_names_and_numbers_of_arrays_are_refused(given_: Any, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        by_name("gradient", given_, NAMES)
    assert str(caught.value) == message


def test_where_there_are_no_names_there_is_none_to_pass() -> None:
    with pytest.raises(SettingError, match=r"^gradient has the name 'w': the parameters of this network are none"):
        by_name("gradient", {"w": 1.0}, {})
