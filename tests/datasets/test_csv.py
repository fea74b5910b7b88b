"""Tables from files: what is read, and what is refused with the line and the column."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from refnn import DataError, RefnnError, SettingError
from refnn.datasets import Dataset, iris, load_csv

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def table(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def load(folder: Path, content: str | bytes, target: str | int = "y", **options: Any) -> Dataset:
    return load_csv(table(folder, content), target, **options)


def refusal(folder: Path, content: str | bytes, target: str | int = "y", **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, content, target, **options)
    return str(caught.value)


# --------------------------------------------------------------------------------------------------------- what is read


def test_text_is_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    data = load(tmp_path, "a,y,b\n1,pear,2.5\n-3,apple,4e-1\n5,pear,6\n")
    assert data.x.tolist() == [[1, 2.5], [-3, 0.4], [5, 6]]
    assert data.x.dtype == np.float64
    assert data.y.tolist() == [1, 0, 1]
    assert data.y.dtype == np.int64
    assert data.class_names == ("apple", "pear")
    assert data.feature_names == ("a", "b")
    assert data.kind == "classes"
    assert data.name == "table"
    assert data.provenance == str(tmp_path / "table.csv")


def test_numbers_are_numbers(tmp_path: Path) -> None:
    data = load(tmp_path, "a,y\n1,0\n2,1\n3,0\n")
    assert (data.kind, data.class_names) == ("numbers", None)
    assert data.y.tolist() == [0, 1, 0]
    assert data.y.dtype == np.float64


def test_numbers_are_classes_if_the_user_says_so_ordered_by_value(tmp_path: Path) -> None:
    data = load(tmp_path, "a,y\n1,10\n2,9\n3,-1\n", kind="classes")
    assert data.class_names == ("-1", "9", "10")
    assert data.y.tolist() == [2, 1, 0]


def test_text_and_numbers_mixed_are_classes_only_if_the_user_says_so(tmp_path: Path) -> None:
    content = "a,y\n1,10\n2,none\n3,9\n"
    message = refusal(tmp_path, content)
    assert "line 3, column 'y', holds 'none'" in message
    assert "'classes'" in message
    assert load(tmp_path, content, kind="classes").class_names == ("10", "9", "none")


def test_a_target_is_found_by_its_position_too(tmp_path: Path) -> None:
    content = "a,b,2\n1,2,3\n4,5,7\n"
    assert load(tmp_path, content, 0).y.tolist() == [1, 4]
    assert load(tmp_path, content, "1").y.tolist() == [2, 5]
    assert load(tmp_path, content, -1).y.tolist() == [3, 7]
    assert load(tmp_path, content, "2").y.tolist() == [3, 7]  # a name comes before a position


def test_what_spreadsheets_do_is_understood(tmp_path: Path) -> None:
    """A byte order mark, Windows line ends, quoted cells, spaces around cells, and empty rows at the end."""
    content = b'\xef\xbb\xbf"a, with comma", y \r\n"1","red ""one"""\r\n 2 ,\xc3\xb6\r\n,\r\n\r\n'
    data = load(tmp_path, content)
    assert data.feature_names == ("a, with comma",)
    assert data.x.tolist() == [[1], [2]]
    assert data.class_names == ('red "one"', "ö")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_semicolons_and_tabs_separate_where_the_header_has_no_comma(tmp_path: Path, separator: str) -> None:
    data = load(tmp_path, f"a{separator}y\n1{separator}2\n3{separator}5\n")
    assert data.x.tolist() == [[1], [3]]
    assert data.y.tolist() == [2, 5]


def test_the_line_that_is_named_counts_the_lines_inside_quotes(tmp_path: Path) -> None:
    assert "line 5, column 'a', holds 'x'" in refusal(tmp_path, 'a,y\n1,"two\nlines"\n\nx,p\n')


def test_the_arrays_are_read_only(tmp_path: Path) -> None:
    data = load(tmp_path, "a,y\n1,2\n3,4\n")
    with pytest.raises(ValueError, match="read-only"):
        data.x[0, 0] = 7
    with pytest.raises(ValueError, match="read-only"):
        data.y[0] = 7


finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=6)


@given(
    rows=st.lists(st.tuples(finite, finite, finite), min_size=2, max_size=9).filter(
        lambda r: len({c for *_, c in r}) > 1 and len({(a, b) for a, b, _ in r}) > 1
    ),
    header=st.lists(names, min_size=3, max_size=3, unique=True).filter(lambda h: any(c.isalpha() for c in h[0])),
)
@SAME_FOLDER
def test_every_table_that_python_writes_is_read_to_the_last_digit(
    tmp_path: Path, rows: list[tuple[float, float, float]], header: list[str]
) -> None:
    if all(name.lower() in {"nan", "inf", "infinity"} for name in header):
        header = ["a", "b", "c"]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([repr(cell) for cell in row] for row in rows)
    data = load(tmp_path, text.getvalue(), header[2])
    assert data.x.tolist() == [[a, b] for a, b, _ in rows]
    assert data.y.tolist() == [c for *_, c in rows]
    assert data.feature_names == tuple(header[:2])


# ------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["is empty"]),
        ("\n \n", ["is empty"]),
        ("1,2\n3,4\n", ["line 1", "holds only numbers", "header"]),
        ("\n1,2\n3,4\n", ["line 2", "holds only numbers"]),
        ("a,\n1,2\n3,4\n", ["line 1", "column 2 has no name"]),
        ("y,a,y\n1,2,3\n3,4,5\n", ["two columns are called 'y'"]),
        ("y\n1\n2\n", ["one column", "'y'"]),
        ("a,y\n1,2\n3,4,5\n6,7\n", ["line 3", "has 3 cells, expected 2"]),
        ("a,y\n1,2\n3\n", ["line 3", "has 1 cell, expected 2"]),
        ("a,y\n", ["no samples", "at least two"]),
        ("a,y\n1,2\n", ["one sample below", "at least two"]),
        ("a,y\n1,2\nred,4\n", ["line 3", "column 'a'", "'red'", "not a number"]),
        ("a,y\n1,2\n1_000,4\n", ["line 3", "column 'a'", "'1_000'", "not a number"]),
        ("a,y\n1,2\n,4\n", ["line 3", "column 'a'", "missing"]),
        ("a,y\n1,2\nnan,4\n", ["line 3", "column 'a'", "'nan'", "not a finite number"]),
        ("a,y\n1,2\n-inf,4\n", ["line 3", "column 'a'", "'-inf'", "not a finite number"]),
        ("a,y\n1,2\n1e999,4\n", ["line 3", "column 'a'", "'1e999'", "not a finite number"]),
        ("a,y\n1,2\n3,inf\n", ["line 3", "column 'y'", "'inf'", "not a finite number"]),
        ("a,y\n1,red\n3,\n", ["line 3", "column 'y'", "is empty"]),
        ("a,y\n1,red\n3,red\n", ["column 'y'", "'red' in every row"]),
        ("a,y\n1,2.0\n3,2.0\n", ["column 'y'", "'2.0' in every row"]),
        ('a,y\n1,"2\n3,4\n', ["line 3", "not a line of a CSV file"]),
        ('a,y\n1,"2"x\n3,4\n', ["line 2", "not a line of a CSV file"]),
        ("a;b;y\n1,5;2;red\n2;3;blue\n", ["line 2", "column 'a'", "'1,5'", "decimal comma", "decimal point"]),
        ("a;y\n1;2\n3;4,5\n", ["line 3", "column 'y'", "'4,5'", "decimal comma"]),
        ("a;y\n1;2,25\n3;4,5\n", ["line 2", "column 'y'", "'2,25'", "decimal comma"]),
        ("a,y\n1,5,2\n3,4,7\n", ["line 2", "has 3 cells", "decimal points"]),
        ("a,b,y\n7,1,red\n7,1,blue\n7,1,red\n", ["the same features in every row", "nothing to learn"]),
        (b"a,y\n1,\xff\n3,4\n", ["0xff", "position 6", "UTF-8"]),
        ("a,y\n1,2\n3,4\n".encode("utf-16"), ["0xff", "position 0", "UTF-8"]),
    ],
)
def test_bad_tables_are_refused_with_the_place(tmp_path: Path, content: str | bytes, parts: list[str]) -> None:
    message = refusal(tmp_path, content)
    assert "table.csv" in message
    for part in parts:
        assert part in message


def test_a_decimal_comma_in_a_class_is_a_part_of_its_name(tmp_path: Path) -> None:
    data = load(tmp_path, "a;y\n1;1,5\n2;2,5\n3;1,5\n", kind="classes")
    assert data.class_names == ("1,5", "2,5")


# -------------------------------------------------------------------------------------------------- what is remarked on


def test_few_whole_numbers_are_taken_as_numbers_with_the_remark_that_they_may_be_classes(tmp_path: Path) -> None:
    data = load(tmp_path, "a,y\n1,0\n2,1\n3,0\n4,1\n")
    assert data.kind == "numbers"
    assert data.remarks == ("the target 'y' has only the 2 values 0 and 1; if these are classes, pass --kind classes",)
    assert data.standardised().remarks == data.remarks
    (remark,) = load(tmp_path, "a,y\n" + "1,-1\n2,5\n3,2\n" * 2).remarks
    assert "the 3 values -1, 2 and 5;" in remark


@pytest.mark.parametrize(
    ("targets", "remarks"),
    [
        (["0", "1"], 1),
        ([str(k) for k in range(10)], 1),
        ([str(k) for k in range(11)], 0),
        (["0", "1.5"], 0),
    ],
)
def test_that_remark_is_made_on_two_to_ten_whole_numbers(tmp_path: Path, targets: list[str], remarks: int) -> None:
    rows = [f"{k},{target}" for k, target in enumerate(targets * 2)]
    assert len(load(tmp_path, "\n".join(["a,y", *rows])).remarks) == remarks


def test_that_remark_is_not_made_where_most_samples_have_their_own_value_or_the_kind_is_given(tmp_path: Path) -> None:
    assert load(tmp_path, "a,y\n1,0\n2,1\n3,0\n").remarks == ()
    for kind in ("numbers", "classes"):
        assert load(tmp_path, "a,y\n1,0\n2,1\n3,0\n4,1\n", kind=kind).remarks == ()


def test_constant_features_are_named(tmp_path: Path) -> None:
    data = load(tmp_path, "a,b,c,y\n1,7,2,0.5\n3,7,2,1\n4,7,2,2.5\n")
    assert data.remarks == (
        "the feature 'b' is the same in every row, and tells no samples apart",
        "the feature 'c' is the same in every row, and tells no samples apart",
    )


def test_classes_that_all_occur_once_look_like_an_identifier(tmp_path: Path) -> None:
    (remark,) = load(tmp_path, "a,y\n1,anna\n2,bert\n3,carl\n").remarks
    assert remark.startswith("every class of the target 'y' occurs once: it looks like an identifier")
    assert load(tmp_path, "a,y\n1,anna\n2,bert\n3,anna\n").remarks == ()


def test_the_irises_give_no_cause_for_remarks() -> None:
    assert iris().remarks == ()


# ------------------------------------------------------------------------------------------- columns, kinds and files


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    content = "width,price\n1,2\n3,4\n"
    message = refusal(tmp_path, content, "Price")
    assert "no column 'Price'" in message
    assert "'width', 'price'" in message
    assert "Pass 'price', if that was meant" in message
    assert "Pass one of these names" in refusal(tmp_path, content, "species")
    assert "no column 2" in refusal(tmp_path, content, 2)
    assert "no column -3" in refusal(tmp_path, content, -3)
    assert "no column None" in refusal(tmp_path, content, None)  # type: ignore[arg-type] # what a caller may do


def test_text_where_numbers_were_announced_is_refused(tmp_path: Path) -> None:
    assert "line 3, column 'y', holds 'red'" in refusal(tmp_path, "a,y\n1,2\n3,red\n", kind="numbers")


def test_an_unknown_kind_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="kind is 'ordinal'"):
        load_csv(tmp_path / "absent.csv", "y", "ordinal")  # type: ignore[arg-type] # what a caller may do


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_csv(tmp_path / "absent.csv", "y")
    with pytest.raises(DataError, match="directory"):
        load_csv(tmp_path, "y")
    with pytest.raises(DataError, match="null"):
        load_csv("a\0b", "y")


# ----------------------------------------------------------------------------------------------------------------- fuzz


def accepted_or_refused(path: Path, target: str | int, kind: Any) -> None:
    try:
        data = load_csv(path, target, kind)
    except RefnnError:
        return
    assert data.x.shape == (len(data.y), len(data.feature_names))
    assert len(data.y) >= 2
    assert np.isfinite(data.x).all()
    assert np.isfinite(data.y).all()
    assert len(np.unique(data.y)) >= 2
    assert np.isfinite(data.standardised().x).all()


cells = st.one_of(
    st.sampled_from(
        ["", "1", "-2.5", "nan", "inf", "1e999", "1e308", "-1e308", "5e-324", "x", "y", '"', ";", "\0", " "]
    ),
    st.floats().map(repr),
    st.text(max_size=4),
)
csv_like = st.lists(st.lists(cells, max_size=4).map(",".join), max_size=6).map("\n".join)


@given(st.binary(max_size=60) | csv_like.map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"a,y\n1e308,1e308\n-1e308,-1e308\n")
@example(b"a,y\n5e-324,1\n0,2\n")
@example(b"a,y\n" + b"9" * 200_000 + b",1\n2,3\n")
@SAME_FOLDER
def test_nothing_but_refnns_errors_escapes_from_any_bytes(tmp_path: Path, content: bytes) -> None:
    path = table(tmp_path, content)
    for target in ("y", -1):
        for kind in (None, "classes", "numbers"):
            accepted_or_refused(path, target, kind)


@given(st.text(max_size=12), st.text(max_size=4) | st.integers())
@SAME_FOLDER
def test_nothing_but_refnns_errors_escapes_from_any_path_and_target(
    tmp_path: Path, path: str, target: str | int
) -> None:
    good = table(tmp_path, "a,y\n1,2\n3,4\n")
    accepted_or_refused(tmp_path / "below" / path, target, None)
    accepted_or_refused(good, target, None)


def test_the_fuzz_would_notice_a_bad_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Dataset("bad", np.array([[math.nan], [1.0]]), np.array([1.0, 2.0]), ("a",), None, "")
    monkeypatch.setattr("tests.datasets.test_csv.load_csv", lambda *_: bad)
    with pytest.raises(AssertionError):
        accepted_or_refused(tmp_path, "y", None)
