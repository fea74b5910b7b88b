"""Parameters in files: what is written is read, a crash leaves the old file, and foreign files are refused."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import refnn
from refnn import DataError, NonFiniteError, RefnnError, SettingError, ShapeError
from refnn.storage import check_destination, load_metadata, load_parameters, replacing, save_parameters

NETWORK = refnn.Network(refnn.Dense(2, 3), refnn.Tanh(), refnn.Dense(3, 5), loss=refnn.SquaredError())
W = np.arange(1.0, 30.0)


def files(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(
    arrays(np.float64, 29, elements=st.floats(allow_nan=False, allow_infinity=False))
    | arrays(np.float32, 29, elements=st.floats(allow_nan=False, allow_infinity=False, width=32))
)
@SAME_FOLDER
def test_what_is_written_is_read_to_the_last_bit(tmp_path: Path, w: np.ndarray) -> None:
    save_parameters(tmp_path / "w.npz", NETWORK, w)
    loaded = load_parameters(tmp_path / "w.npz", NETWORK)
    assert loaded.dtype == w.dtype
    assert loaded.tobytes() == w.tobytes()


def test_numpy_alone_reads_the_file_by_name_without_pickles(tmp_path: Path) -> None:
    save_parameters(tmp_path / "w.npz", NETWORK, W.tolist(), epochs=7, classes=["p", "q"])
    with np.load(tmp_path / "w.npz", allow_pickle=False) as archive:
        assert archive["0.weight"].tolist() == [[1, 2, 3], [4, 5, 6]]
        assert archive["0.bias"].tolist() == [7, 8, 9]
        assert archive["2.weight"].shape == (3, 5)
        description = json.loads(str(archive["description"]))
    assert description["network"] == NETWORK.describe()
    assert description["metadata"] == {"epochs": 7, "classes": ["p", "q"]}
    assert load_metadata(tmp_path / "w.npz") == {"epochs": 7, "classes": ["p", "q"]}


def test_the_path_is_used_as_it_is_and_the_old_file_replaced(tmp_path: Path) -> None:
    path = tmp_path / "weights without suffix"
    for w in (W, 2 * W):
        save_parameters(path, NETWORK, w)
        assert load_parameters(path, NETWORK).tolist() == w.tolist()
    assert files(tmp_path) == [path.name]


# ------------------------------------------------------------------------------------------------------- crashes midway


class PowerCutError(BaseException):
    """What no handler of exceptions expects."""


def test_a_crash_while_writing_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.npz"
    save_parameters(path, NETWORK, W)
    before = path.read_bytes()

    def half(file: object, **_: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined] # a file
        raise PowerCutError

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(PowerCutError):
        save_parameters(path, NETWORK, 2 * W)
    assert path.read_bytes() == before
    assert files(tmp_path) == ["w.npz"]


def test_the_file_is_complete_and_on_the_disk_before_it_takes_the_place_of_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"old")
    seen = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        (unfinished,) = set(tmp_path.iterdir()) - {path}
        seen.append((unfinished.read_bytes(), path.read_bytes()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    with replacing(path) as file:
        file.write(b"new")
    assert seen == [(b"new", b"old")]
    assert path.read_bytes() == b"new"


def test_a_full_disk_is_refnns_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        save_parameters(tmp_path / "w.npz", NETWORK, W)
    assert files(tmp_path) == []


def test_an_error_of_the_system_without_words_still_says_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strange(descriptor: int) -> None:
        raise OSError("strange")

    monkeypatch.setattr(os, "fsync", strange)
    with pytest.raises(DataError, match="strange"):
        save_parameters(tmp_path / "w.npz", NETWORK, W)


# ------------------------------------------------------------------------------------------------------------ bad input


def test_parameters_that_do_not_fit_are_refused_before_writing(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with pytest.raises(ShapeError, match="expected \\(29,\\)"):
        save_parameters(path, NETWORK, W[:-1])
    with pytest.raises(NonFiniteError, match=r"w\[3\] is nan"):
        save_parameters(path, NETWORK, np.where(W == 4, np.nan, W))
    with pytest.raises(RefnnError):
        save_parameters(path, NETWORK, ["a"] * 29)
    for metadata in (float("nan"), object(), {1: {2, 3}}):
        with pytest.raises(SettingError, match="JSON"):
            save_parameters(path, NETWORK, W, note=metadata)
    assert files(tmp_path) == []


def test_places_that_cannot_be_written_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="does not exist"):
        check_destination(tmp_path / "absent" / "w.npz")
    with pytest.raises(DataError, match="is a folder"):
        check_destination(tmp_path)
    with pytest.raises(DataError, match="is no path"):
        check_destination("a\0b")
    assert check_destination(tmp_path / "w.npz") == (tmp_path / "w.npz").resolve()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DataError, match="not writable"):
        check_destination(tmp_path / "w.npz")


def saved_by_others(path: Path, **named: np.ndarray) -> None:
    np.savez(path, **named)  # type: ignore[arg-type] # arrays by name


def test_files_that_do_not_fit_the_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    parameters = dict(NETWORK.unpack(W))
    other = refnn.Network(refnn.Dense(2, 3), loss=refnn.SquaredError())
    save_parameters(path, other, W[:9])
    with pytest.raises(DataError, match=r"missing 2\.weight, 2\.bias"):
        load_parameters(path, NETWORK)
    saved_by_others(path, **parameters | {"0.weight": parameters["0.weight"].T})
    with pytest.raises(DataError, match=r"0.weight has shape \(3, 2\), expected \(2, 3\)"):
        load_parameters(path, NETWORK)
    saved_by_others(path, **parameters | {"0.bias": np.array(["a", "b", "c"])})
    with pytest.raises(DataError, match="real numbers"):
        load_parameters(path, NETWORK)
    saved_by_others(path, **parameters | {"0.bias": np.array([1, np.inf, 2])})
    with pytest.raises(DataError, match="is inf"):
        load_parameters(path, NETWORK)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    saved_by_others(path, **NETWORK.unpack(W) | {"0.bias": np.array([1, {}, "x"], dtype=object)})
    with pytest.raises(DataError, match="allow_pickle"):
        load_parameters(path, NETWORK)
    path.write_bytes(pickle.dumps({"0.bias": 1}))
    with pytest.raises(DataError, match="not a file of parameters"):
        load_parameters(path, NETWORK)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with pytest.raises(DataError, match="No such file"):
        load_parameters(path, NETWORK)
    with pytest.raises(DataError, match="directory"):
        load_parameters(tmp_path, NETWORK)
    np.save(tmp_path / "one.npy", W)
    with pytest.raises(DataError, match="not a file of parameters"):
        load_parameters(tmp_path / "one.npy", NETWORK)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="not a file of parameters"):
        load_parameters(path, NETWORK)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no array")
    with pytest.raises(DataError):
        load_parameters(path, NETWORK)


@pytest.mark.parametrize("description", [None, "no json", "3", "[1, 2]", '{"metadata": 5}', '{"network": ""}'])
def test_files_without_a_description_have_no_metadata(tmp_path: Path, description: str | None) -> None:
    named = NETWORK.unpack(W) | ({} if description is None else {"description": np.array(description)})
    saved_by_others(tmp_path / "w.npz", **named)
    with pytest.raises(DataError, match="no description"):
        load_metadata(tmp_path / "w.npz")
    assert load_parameters(tmp_path / "w.npz", NETWORK).tolist() == W.tolist()


@given(st.data())
@SAME_FOLDER
def test_nothing_but_refnns_errors_escapes_from_a_damaged_file(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "w.npz"
    save_parameters(path, NETWORK, W, epochs=7)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans(), label="truncate"):
        del content[data.draw(st.integers(0, len(content) - 1), label="length") :]
    for _ in range(data.draw(st.integers(0, 4), label="flips")):
        if content:
            content[data.draw(st.integers(0, len(content) - 1), label="at")] = data.draw(
                st.integers(0, 255), label="to"
            )
    path.write_bytes(content)
    try:
        loaded = load_parameters(path, NETWORK)
        load_metadata(path)
    except DataError:
        return
    assert loaded.shape == (29,)
    assert np.isfinite(loaded).all()


def test_every_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    save_parameters(path, NETWORK, W)
    content = path.read_bytes()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            load_parameters(path, NETWORK)
