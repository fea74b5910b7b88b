"""Data to train on: Fisher's irises, and tables of comma-separated values of one's own."""

from __future__ import annotations

import csv
import difflib
import io
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, final

import numpy as np

from refnn.arrays import FloatArray, IntArray
from refnn.errors import DataError, SettingError

__all__ = ["Dataset", "Kind", "iris", "load_csv", "standardise"]

Kind: TypeAlias = Literal["classes", "numbers"]
"""What a target column holds."""

_KINDS = ("classes", "numbers")
_SEPARATORS = ",;\t"

FEW = 10
"""A target with at most so many different values, all whole numbers, may be meant as classes."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Samples with their targets; the arrays are read-only.

    Attributes
    ----------
    name
        What the data are called.
    x : (N, D)
        The samples, as rows of float64.
    y : (N,)
        The targets: classes, numbered from 0, as int64; or numbers as float64.
    feature_names
        One for each of the D columns of x.
    class_names
        One for each class; None if the targets are numbers.
    provenance
        Where the data are from.
    remarks
        What may be wrong with the data, though they can be used: sentences without their full stop.
    """

    name: str
    x: FloatArray
    y: FloatArray | IntArray
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...] | None
    provenance: str
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            view = getattr(self, name).view()
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    @property
    def kind(self) -> Kind:
        """``"classes"`` or ``"numbers"``."""
        return "numbers" if self.class_names is None else "classes"

    def standardised(self) -> Dataset:
        """The same data, each feature with zero mean and unit variance; targets that are numbers likewise.

        A constant feature becomes 0 everywhere: it tells the samples nothing apart. Classes stay what they are.

        Examples
        --------
        >>> from refnn import datasets
        >>> iris = datasets.iris().standardised()
        >>> iris.x.mean(axis=0).round(12) + 0, iris.x.std(axis=0).round(12)
        (array([0., 0., 0., 0.]), array([1., 1., 1., 1.]))
        """
        x, _, _ = standardise(self.x)
        y = self.y if self.kind == "classes" else standardise(self.y[:, np.newaxis])[0][:, 0]
        return replace(self, x=x, y=y)


def standardise(columns: FloatArray | IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Columns with zero mean and unit variance, and the means and scales that were taken out.

    Parameters
    ----------
    columns : (N, D)
        Finite numbers of any size.

    Returns
    -------
    (N, D), (D,), (D,)
        ``(columns - mean) / scale``, the mean, and the standard deviation (divided by N) as scale; a column that is
        constant has its value as mean and the scale 1, and so becomes 0.

    Examples
    --------
    >>> import numpy as np
    >>> standardise(np.array([[1.0, 7.0], [3.0, 7.0]]))
    (array([[-1.,  0.],
           [ 1.,  0.]]), array([2., 7.]), array([1., 1.]))
    """
    largest = np.abs(columns).max(axis=0)
    unit = np.ldexp(1.0, np.frexp(largest)[1] - 1)  # a power of two is taken out first, so that no square overflows
    scaled = columns / unit
    constant = columns.min(axis=0) == columns.max(axis=0)
    mean = np.where(constant, scaled[0], scaled.mean(axis=0))
    deviation = np.where(constant, 1, scaled.std(axis=0))
    return (scaled - mean) / deviation, mean * unit, np.where(constant, 1, deviation * unit)


def iris() -> Dataset:
    """Fisher's irises: 150 plants of three species, with four measurements in centimetres.

    Returns
    -------
    Dataset
        x is (150, 4): sepal length, sepal width, petal length, petal width; y numbers the species setosa, versicolor
        and virginica from 0.

    Notes
    -----
    The digits are those of the article and of R, not of the UCI repository, whose 35th and 38th plants are wrong; see
    ``iris.txt`` beside the data.

    References
    ----------
    Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7 (1936), 179-188, table I.

    Examples
    --------
    >>> from refnn import datasets
    >>> iris = datasets.iris()
    >>> iris.x[0], iris.class_names[iris.y[0]]
    (array([5.1, 3.5, 1.4, 0.2]), 'setosa')
    """
    data = load_csv(Path(__file__).with_name("iris.csv"), target="species")
    provenance = 'R. A. Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7 (1936)'
    return replace(data, name="Iris", provenance=provenance)


def load_csv(path: str | os.PathLike[str], target: str | int, kind: Kind | None = None) -> Dataset:
    """A table of comma-separated values, with one column as the target and all others as features.

    Parameters
    ----------
    path
        A file in UTF-8 with a header row. If the header has no comma, semicolons or tabs may separate the columns.
    target
        The name of the target column; or, if no column has that name, its position, counted from 0 (−1 is the last).
    kind
        What the target column holds: ``"classes"`` or ``"numbers"``. If not given, text is taken as classes and
        numbers as numbers; so pass ``"classes"`` for classes that are written as numbers.

    Returns
    -------
    Dataset
        Classes are numbered from 0 in the order of their names, or of their values where all names are numbers. Its
        remarks name features that are constant, a target whose numbers may be classes, and one whose classes all
        occur once.

    Raises
    ------
    DataError
        If the file cannot be read, is no table, has a cell that is no finite number where one is needed (the message
        names the line and the column), has no such column, fewer than two samples, features that are all constant,
        or targets that are all alike.
    SettingError
        If the kind is unknown.
    """
    if kind is not None and kind not in _KINDS:
        raise SettingError(f"kind is {kind!r}", "a target is classes or numbers", "Pass 'classes', 'numbers' or None")
    where = os.fspath(path)
    header, rows = _table(where)
    k = _column(where, header, target)
    labels = [(line, row[k]) for line, row in rows]
    features = [
        [_number(where, line, name, cell) for j, (name, cell) in enumerate(zip(header, row, strict=True)) if j != k]
        for line, row in rows
    ]
    y, class_names = _targets(where, header[k], labels, kind)
    x, names = np.array(features, dtype=np.float64), (*header[:k], *header[k + 1 :])
    remarks = _about_features(where, names, x)
    remarks += _about_classes(header[k], y) if class_names else _about_numbers(header[k], y) if kind is None else ()
    return Dataset(
        name=Path(where).stem,
        x=x,
        y=y,
        feature_names=names,
        class_names=class_names,
        provenance=where,
        remarks=remarks,
    )


# --------------------------------------------------------------------------------------------------------- the table


def _table(where: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and each row with the number of its (last) line; every row is as long as the header."""
    rows = _rows(where, _text(where))
    if not rows:
        raise DataError(f"{where} is empty", "there is nothing to train on", "Pass a table with a header row")
    line, header = rows[0]
    header = [name.strip() for name in header]
    if all(_is_number(name) for name in header):
        raise DataError(
            f"{where}, line {line}, holds only numbers",
            "the first row is the header, which names the columns",
            "Write a line of names above the numbers",
        )
    for j, name in enumerate(header):
        if not name:
            raise DataError(
                f"{where}, line {line}: column {j + 1} has no name",
                "every column is named, and a row number or index would be taken as a feature",
                "Name the column, or remove it",
            )
        if name in header[:j]:
            raise DataError(
                f"{where}, line {line}: two columns are called {name!r}",
                "it is not clear which of them is meant",
                "Give every column a name of its own",
            )
    if len(header) < 2:
        raise DataError(
            f"{where} has one column, {header[0]!r}",
            "training needs a target and at least one feature",
            "Pass a table of two columns or more, separated by commas",
        )
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise DataError(
                f"{where}, line {number}, has {len(row)} cell{'s' * (len(row) > 1)}, expected {len(header)}",
                "every row has one cell for each column of the header",
                "Correct the line, quote cells that contain the separator, and write decimal points, not commas",
            )
    if len(rows) < 3:
        raise DataError(
            f"{where} has {'one sample' if len(rows) == 2 else 'no samples'} below its header",
            "training needs at least two",
            "Pass a table of two samples or more",
        )
    return header, [(number, [cell.strip() for cell in row]) for number, row in rows[1:]]


def _text(where: str) -> str:
    try:
        return Path(where).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where} has the byte 0x{error.object[error.start]:02x} at position {error.start}",
            "it is not text in UTF-8",
            "Save the table as comma-separated values in UTF-8",
        ) from error
    except (OSError, ValueError) as error:  # a ValueError is a path that no file can have
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"{where!r} cannot be read", reason, "Pass the path of a CSV file that exists") from error


def _rows(where: str, text: str) -> list[tuple[int, list[str]]]:
    """Rows that are not blank, with the number of their last line."""
    first = text.lstrip().partition("\n")[0]
    separator = next((s for s in _SEPARATORS if s in first), ",")
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(
            f"{where}, line {reader.line_num}", f"it is not a line of a CSV file ({error})", "Correct its quotes"
        ) from error


def _column(where: str, header: list[str], target: str | int) -> int:
    if target in header:
        return header.index(str(target))
    try:
        position = int(target)
    except (TypeError, ValueError):
        position = len(header)
    if -len(header) <= position < len(header):
        return position % len(header)
    close = difflib.get_close_matches(str(target), header, n=1)
    raise DataError(
        f"{where} has no column {target!r}",
        f"its columns are {', '.join(map(repr, header))}",
        f"Pass {close[0]!r}, if that was meant" if close else "Pass one of these names",
    )


# --------------------------------------------------------------------------------------------------------- the cells


def _is_number(cell: str) -> bool:
    return _parsed(cell) is not None


def _parsed(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)  # Python reads 1_000 as a number; other programs do not
    except ValueError:
        return None


def _has_decimal_comma(cell: str) -> bool:
    return cell.count(",") == 1 and _is_number(cell.replace(",", "."))


def _number(where: str, line: int, column: str, cell: str) -> float:
    value = _parsed(cell)
    if value is None or not math.isfinite(value):
        given = f"{where}, line {line}, column {column!r}, holds {cell!r}"
        if not cell:
            raise DataError(given, "the value is missing", "Fill it in, or remove the line or the column")
        if _has_decimal_comma(cell):
            raise DataError(given, "it has a decimal comma", "Write all numbers with a decimal point")
        if value is None:
            raise DataError(given, "it is not a number", "Correct it, or remove the column, or encode it as numbers")
        raise DataError(given, "it is not a finite number", "Correct it, or remove the line")
    return value


def _targets(
    where: str, column: str, labels: list[tuple[int, str]], kind: Kind | None
) -> tuple[FloatArray | IntArray, tuple[str, ...] | None]:
    numeric = [_is_number(cell) for _, cell in labels]
    if kind is None and all(_is_number(cell) or _has_decimal_comma(cell) for _, cell in labels):
        kind = "numbers"  # of which those with a comma are refused below
    if kind is None and any(numeric) and not all(numeric):
        line, cell = labels[numeric.index(False)]
        raise DataError(
            f"{where}, line {line}, column {column!r}, holds {cell!r}",
            "other cells of the target column are numbers, so that it is not clear whether it holds classes",
            "Correct it, or pass the kind 'classes'",
        )
    if kind == "numbers":
        numbers = np.array([_number(where, line, column, cell) for line, cell in labels])
        _require_different(where, column, numbers.min() != numbers.max(), labels[0][1])
        return numbers, None
    for line, cell in labels:
        if not cell:
            raise DataError(
                f"{where}, line {line}, column {column!r}, is empty", "the class is missing", "Fill it in, or remove it"
            )
    names = sorted({cell for _, cell in labels}, key=lambda name: (float(name) if all(numeric) else 0, name))
    _require_different(where, column, len(names) > 1, labels[0][1])
    place = {name: c for c, name in enumerate(names)}
    return np.array([place[cell] for _, cell in labels], dtype=np.int64), tuple(names)


def _about_features(where: str, names: tuple[str, ...], x: FloatArray) -> tuple[str, ...]:
    constant = [name for name, column in zip(names, x.T, strict=True) if column.min() == column.max()]
    if len(constant) == len(names):
        raise DataError(
            f"{where} has the same features in every row",
            "what does not differ tells no samples apart, so that there is nothing to learn",
            "Pass a table with at least one feature that varies",
        )
    return tuple(f"the feature {name!r} is the same in every row, and tells no samples apart" for name in constant)


def _about_classes(column: str, y: FloatArray | IntArray) -> tuple[str, ...]:
    if len(np.unique(y)) < len(y):
        return ()
    return (f"every class of the target {column!r} occurs once: it looks like an identifier, and teaches nothing",)


def _about_numbers(column: str, y: FloatArray | IntArray) -> tuple[str, ...]:
    values = np.unique(y)
    # numbers that count something often are few and whole too, but then most samples have a value of their own
    if len(values) > min(FEW, len(y) / 2) or (values != np.round(values)).any():
        return ()
    *first, last = (f"{value:g}" for value in values)
    listed = f"{', '.join(first)} and {last}"
    return (
        f"the target {column!r} has only the {len(values)} values {listed}; if these are classes, pass --kind classes",
    )


def _require_different(where: str, column: str, different: bool, value: str) -> None:
    if not different:
        raise DataError(
            f"{where}, column {column!r}, is {value!r} in every row",
            "where all targets are alike there is nothing to learn",
            "Pass a target column with at least two values",
        )
