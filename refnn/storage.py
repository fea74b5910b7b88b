"""Parameters in files: one array for each parameter of the network, by name, and what was trained, as text."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from refnn.arrays import FloatArray
from refnn.checks import finite, real_array
from refnn.errors import DataError, RefnnError, SettingError
from refnn.network import Network

__all__ = ["check_destination", "load_metadata", "load_parameters", "replacing", "save_parameters"]

FilePath: TypeAlias = str | os.PathLike[str]

_DESCRIPTION = "description"  # no parameter is called so: their names begin with the number of the layer


def save_parameters(path: FilePath, network: Network, w: ArrayLike, **metadata: object) -> None:
    """Write the parameters of a network to a file of NumPy's ``.npz`` format, which any program that reads it can use.

    Parameters
    ----------
    path
        The file; it is replaced in one step when the new one is complete, so that no crash leaves half a file.
    network
        The network; its description is kept in the file, for people to read.
    w : (P,)
        The parameters.
    **metadata
        What else is worth keeping, such as the means and scales of the data: anything that JSON can hold.

    Raises
    ------
    ShapeError, DTypeError, NonFiniteError
        If w is no vector of P finite real numbers.
    SettingError
        If the metadata are not what JSON can hold.
    DataError
        If the file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile, refnn
    >>> from refnn.storage import load_metadata, load_parameters, save_parameters
    >>> network = refnn.Network(refnn.Dense(2, 1), loss=refnn.SquaredError())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "weights.npz"
    ...     save_parameters(path, network, [0.5, 0.25, 1.0], epochs=7)
    ...     load_parameters(path, network), load_metadata(path)["epochs"]
    (array([0.5 , 0.25, 1.  ]), 7)
    """
    given = np.asarray(w)
    vector = finite("w", real_array("w", given, np.dtype(np.float32 if given.dtype == np.float32 else np.float64)))
    named = network.unpack(vector)
    try:
        description = json.dumps({"network": network.describe(), "metadata": metadata}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SettingError(
            "the metadata hold something else than JSON", str(error), "Pass text, finite numbers, lists and mappings"
        ) from error
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, **{_DESCRIPTION: np.array(description)}, **named)


def load_parameters(path: FilePath, network: Network) -> FloatArray:
    """The parameters that `save_parameters` wrote, as one vector.

    Parameters
    ----------
    path
        The file.
    network
        A network whose parameters have the same names and shapes.

    Returns
    -------
    (P,)

    Raises
    ------
    DataError
        If the file cannot be read, is damaged or of another kind, holds objects instead of numbers (they could run
        code and are never loaded), or does not fit the network.
    """
    arrays = _load(path)
    arrays.pop(_DESCRIPTION, None)
    try:
        return finite("w", network.pack(arrays))
    except RefnnError as error:
        raise DataError(
            f"{path} does not fit: {error.given}", error.why, "Load it with the network that it was saved from"
        ) from error


def load_metadata(path: FilePath) -> dict[str, object]:
    """The metadata that `save_parameters` wrote.

    Raises
    ------
    DataError
        If the file cannot be read, is damaged or of another kind.
    """
    arrays = _load(path)
    try:
        return dict(json.loads(str(arrays[_DESCRIPTION]))["metadata"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} has no description", "it was not written by refnn", "Pass a file of save_parameters"
        ) from error


def _load(path: FilePath) -> dict[str, np.ndarray]:
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise DataError(f"{path} cannot be read", _reason(error), "Pass a file of save_parameters") from error
    except Exception as error:  # a damaged archive raises a dozen kinds, from zipfile, zlib, struct, ast and NumPy
        raise DataError(
            f"{path} is not a file of parameters", f"NumPy cannot read it ({error})", "Pass a file of save_parameters"
        ) from error


# ------------------------------------------------------------------------------------------------------------ writing


def check_destination(path: FilePath) -> Path:
    """`path` as a file that can be written, or an error, before any computing, that says why not.

    Raises
    ------
    DataError
        If its folder does not exist or may not be written, or it is a folder itself.
    """
    try:
        target = Path(path).resolve()
        folder_exists, is_folder = target.parent.is_dir(), target.is_dir()
    except (OSError, ValueError) as error:
        raise DataError(f"{str(path)!r} is no path", str(error), "Pass the path of a file") from error
    if is_folder:
        raise DataError(f"{path} is a folder", "the parameters go into a file", f"Pass {path}/weights.npz, say")
    if not folder_exists:
        raise DataError(f"{path} is in no folder", f"{target.parent} does not exist", "Make that folder first")
    if not os.access(target.parent, os.W_OK):
        raise DataError(f"{path} cannot be written", f"{target.parent} is not writable", "Choose another folder")
    return target


@contextlib.contextmanager
def replacing(path: FilePath) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` when the block ends, complete and on the disk; not if it fails.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    target = check_destination(path)
    unfinished = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except OSError as error:
        raise DataError(f"{path} cannot be written", _reason(error), "Choose another place, or make room") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
