"""Every error says what was given, why it is refused and what to do; and survives being copied, pickled and caught."""

from __future__ import annotations

import copy
import pickle

import pytest

from refnn import errors
from refnn.errors import DivergenceError, RefnnError

KINDS = [getattr(errors, name) for name in errors.__all__ if name != "Unsupported"]  # which is an answer, no error
BUILT_IN = {
    "ShapeError": ValueError,
    "DTypeError": TypeError,
    "NonFiniteError": ValueError,
    "TargetError": ValueError,
    "UndecidedError": ArithmeticError,
    "SettingError": ValueError,
    "DataError": ValueError,
    "DivergenceError": ArithmeticError,
    "MissingExtraError": ImportError,
    "UnsupportedOperationError": TypeError,
    "RefnnError": Exception,
    "BrokenTargetError": RuntimeError,
    "Unsupported": Exception,
}

every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_three_parts_make_the_message(kind: type[RefnnError]) -> None:
    error = kind("size is 0", "a batch holds at least one sample", "Pass a size of 1 or more")
    assert str(error) == "size is 0: a batch holds at least one sample. Pass a size of 1 or more."
    assert (error.given, error.why, error.remedy) == (
        "size is 0",
        "a batch holds at least one sample",
        "Pass a size of 1 or more",
    )


@every_kind
def test_each_is_of_the_family_and_of_the_built_in_that_it_refines(kind: type[RefnnError]) -> None:
    assert issubclass(kind, RefnnError)
    assert issubclass(kind, BUILT_IN[kind.__name__])


def test_the_list_is_complete() -> None:
    defined = {k for k, v in vars(errors).items() if isinstance(v, type) and issubclass(v, RefnnError)}
    assert set(errors.__all__) == defined | {"Unsupported"} == set(BUILT_IN)


@every_kind
def test_errors_are_copied_and_pickled_whole(kind: type[RefnnError]) -> None:
    error = kind("a", "b", "C")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert type(again) is kind
        assert str(again) == "a: b. C."
        assert vars(again) == vars(error)


def test_a_divergence_carries_its_step_and_history() -> None:
    error = DivergenceError("a", "b", "C")
    assert error.step is None
    assert error.history is None
    error.step, error.history = 3, (1.0, 2.0)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - ours
    assert (again.step, again.history) == (3, (1.0, 2.0))
