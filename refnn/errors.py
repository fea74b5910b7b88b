"""One family of exceptions; each says what was given, why it is refused and what to do."""

from __future__ import annotations

__all__ = [
    "BrokenTargetError",
    "DTypeError",
    "DataError",
    "DivergenceError",
    "MissingExtraError",
    "NonFiniteError",
    "RefnnError",
    "SettingError",
    "ShapeError",
    "TargetError",
    "UndecidedError",
    "Unsupported",
    "UnsupportedOperationError",
]


class RefnnError(Exception):
    """The base of every error that refnn raises on purpose.

    Parameters
    ----------
    given
        What was given, with its name and its value or shape.
    why
        Why that is refused.
    remedy
        What to do instead, as a sentence without its full stop.

    Examples
    --------
    >>> raise RefnnError("size is 0", "a batch holds at least one sample", "Pass a size of 1 or more")
    Traceback (most recent call last):
    refnn.errors.RefnnError: size is 0: a batch holds at least one sample. Pass a size of 1 or more.
    """

    def __init__(self, given: str, why: str, remedy: str) -> None:
        super().__init__(f"{given}: {why}. {remedy}.")
        self.given, self.why, self.remedy = given, why, remedy

    def __reduce__(self) -> tuple[type[RefnnError], tuple[str, str, str], dict[str, object]]:
        return type(self), (self.given, self.why, self.remedy), dict(self.__dict__)


class ShapeError(RefnnError, ValueError):
    """An array's shape does not fit the network or the other arrays."""


class DTypeError(RefnnError, TypeError):
    """An array's elements are of a kind, or a precision, that is not computed with."""


class NonFiniteError(RefnnError, ValueError):
    """An array holds NaN or infinity."""


class TargetError(RefnnError, ValueError):
    """A target means nothing to this loss: a class out of range, a row that is no probability."""


class SettingError(RefnnError, ValueError):
    """A setting is out of its range: a learning rate, a batch size, a layer's width."""


class DataError(RefnnError, ValueError):
    """A file cannot be read as the data that it should hold."""


class DivergenceError(RefnnError, ArithmeticError):
    """A result left the range of the floating-point format.

    Attributes
    ----------
    step
        The number of the training step at which it happened, counted from 0, or None outside training.
    history
        The `refnn.History` of what was reached before, if it happened in `refnn.fit`.
    """

    step: int | None = None
    history: object | None = None


class UndecidedError(RefnnError, ArithmeticError):
    """What had to be decided could not be, with the precision that was allowed."""


class MissingExtraError(RefnnError, ImportError):
    """A package of one of refnn's extras is needed and not installed."""


class Unsupported(Exception):  # noqa: N818 - it is no error, but an answer
    """Raised by an implementation that does not know a layer, a loss or a format that it is asked about.

    `refnn.check` counts these questions, and goes on.

    Examples
    --------
    >>> raise Unsupported("GELU")
    Traceback (most recent call last):
    refnn.errors.Unsupported: GELU
    """


class BrokenTargetError(RefnnError, RuntimeError):
    """An implementation gives no answer that can be judged: it hangs, stops, or answers with something else.

    Parameters
    ----------
    given, why, remedy
        As for every error.
    kind
        ``"crashed"``, ``"hung"``, ``"garbage"`` or ``"mutated"``.
    """

    def __init__(self, given: str, why: str, remedy: str, kind: str = "garbage") -> None:
        super().__init__(given, why, remedy)
        self.kind = kind  # kept by `__reduce__` with all that it holds


class UnsupportedOperationError(RefnnError, TypeError):
    """An arithmetic has no rule for an operation."""
